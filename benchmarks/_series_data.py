"""The series that ship with the package aeon, read from its files without importing it, and random splits of them."""

import importlib.util
import sys
from pathlib import Path

import numpy as np

# Names of sets of series of one length, with the stem of their files.
SETS = {
    "ItalyPowerDemand": "ItalyPowerDemand",
    "GunPoint": "GunPoint",
    "ArrowHead": "ArrowHead",
    "OSULeaf": "OSULeaf",
    "ACSF1": "ACSF1",
    "Covid3Month": "Covid3Month",
    "PickupGesture": "PickupGestureWiimoteZ_eq",
    "BasicMotions": "BasicMotions",
    "JapaneseVowels": "JapaneseVowels_eq",
}
FOLDERS = {"PickupGesture": "PickupGestureWiimoteZ"}
# Of these the target is a number.
WITHOUT_CLASSES = ("Covid3Month",)


def folder_of_data(path=None):
    """Return the folder of aeon's data: below `path`, where the package was unpacked, or where it is installed."""
    if path is not None:
        return Path(path) / "aeon" / "datasets" / "data"
    spec = importlib.util.find_spec("aeon")
    if spec is None:
        sys.exit("aeon is not installed: pip install --no-deps aeon, or --target FOLDER and --data FOLDER")
    return Path(spec.origin).parent / "datasets" / "data"


def read_file(path):
    """Return the series (n, length, n_channels) and labels (n,) of a file of the format .ts."""
    lines = path.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.lower().startswith("@data")) + 1
    X, y = [], []
    for line in filter(None, lines[start:]):
        *channels, label = line.split(":")
        X.append(np.array([[float(value) for value in channel.split(",")] for channel in channels]).T)
        y.append(label)
    return np.stack(X), np.array(y)


def split_set(name, seed, path=None):
    """Return two thirds of a set to train on and the rest: X_train, X_test, y_train, y_test.

    What the archive splits into train and test is put together first. Labels are never seen by a choice of parameters.
    """
    folder = folder_of_data(path) / FOLDERS.get(name, name)
    files = [read_file(folder / f"{SETS[name]}_{part}.ts") for part in ("TRAIN", "TEST")]
    X, y = (np.concatenate(parts) for parts in zip(*files))
    order = np.random.default_rng(seed).permutation(len(X))
    n_train = 2 * len(X) // 3
    train, test = order[:n_train], order[n_train:]
    return X[train], X[test], y[train], y[test]

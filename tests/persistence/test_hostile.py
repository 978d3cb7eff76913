"""Files that are damaged, or made to do harm."""

import json
import subprocess
import sys
import time
import tracemalloc
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import skvq
from skvq.priors.schema import MOST_POSITIONS

sys.path.insert(0, str(Path(__file__).parent))
import hostile_files
import saved_files

FUZZING = Path(__file__).parents[2] / "benchmarks" / "save_fuzzing.py"
MOST_MEMORY = 50e6


@cache
def models():
    """Return a VQ-VAE with a prior and one of images: what hostile files are made of."""
    X, y, images = saved_files.data()
    prior = skvq.PixelCNN(**saved_files.SMALL | {"random_state": None}, class_conditional=True)
    small = {"random_state": 0, "prior": prior}
    table = skvq.VQVAETransformer(**saved_files.TABLE | {"prior": prior}).fit(X, y)
    return table, skvq.VQVAETransformer(**saved_files.IMAGES, **small).fit(images, y[:30])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    paths = [tmp_path_factory.mktemp("files") / f"{i}.safetensors" for i in range(2)]
    for model, path in zip(models(), paths):
        model.save(path)
    return [path.read_bytes() for path in paths]


@pytest.fixture(scope="module")
def hostile(files):
    return hostile_files.hostile(*files)


NAMES = [
    "a header of 2^63 bytes", "a header of 100 MB that is not there", "a header of a megabyte", "a key twice",
    "arrays that overlap", "hidden bytes before the arrays", "arrays that the file ends within",
    "hidden bytes behind the arrays", "a shape whose product overflows", "negative sizes",
    "another dtype of the same size", "weights that are NaN", "five thousand empty arrays",
    "a class of the standard library", "a class by a dunder", "a class of the wrong type", "a function for a scorer",
    "an estimator of another package", "a thousand priors in priors", "JSON a hundred thousand deep",
    "half a megabyte of empty lists", "half a megabyte of keys", "half a megabyte of numbers",
    "a number of half a million digits", "a billion blocks", "a billion stages",
    "layers of which numpy forgets how wide they are", "layers a billion wide", "a hundred thousand hidden layers",
    "a grid of a million times a million", "an image of a billion pixels", "a search over a billion prefixes",
    "a pickle", "a zip archive", "a newer format", "nothing",
]  # fmt: skip


def test_every_hostile_file_has_a_test(hostile):
    assert set(NAMES) == set(hostile)


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_file_is_a_load_error_in_little_memory_and_time(name, hostile, tmp_path):
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(hostile[name])
    started = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(skvq.LoadError, match="hostile.safetensors"):
            skvq.load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak - len(hostile[name]) < MOST_MEMORY
    assert time.process_time() - started < 10


def test_a_hostile_file_differs_from_a_good_one_by_its_harm_alone(files, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(hostile_files.changed(files[0], lambda header, metadata, arrays: None))
    np.testing.assert_equal(saved_files.outputs(skvq.load(path)), saved_files.outputs(models()[0]))


def test_the_largest_grid_that_a_small_file_can_ask_for_takes_little_memory(tmp_path):
    side = int(MOST_POSITIONS**0.5)
    codes = np.zeros((2, side, side), dtype=int)
    model = skvq.PixelCNN(1, channels=1, n_layers=0, max_iter=1, early_stopping=False, random_state=0).fit(codes)
    path = tmp_path / "model.safetensors"
    model.save(path)
    tracemalloc.start()
    try:
        skvq.load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak - path.stat().st_size < MOST_MEMORY


@pytest.mark.parametrize("position", [0.1, 0.5, 0.99])
def test_one_flipped_bit_anywhere_is_found(position, files, tmp_path):
    path = tmp_path / "model.safetensors"
    damaged = bytearray(files[1])
    damaged[int(position * len(damaged))] ^= 4
    path.write_bytes(bytes(damaged))
    with pytest.raises(skvq.LoadError):
        skvq.load(path)


def test_a_damaged_file_says_so(files, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(files[0][:-1] + bytes([files[0][-1] ^ 1]))
    with pytest.raises(skvq.LoadError, match="SHA-256"):
        skvq.load(path)


def test_mutated_files_are_load_errors_or_valid_models_and_run_nothing(tmp_path):
    """A short run of benchmarks/save_fuzzing.py, which has the audit hook and does this ten thousand times."""
    for model, name in [*zip(models(), ("0", "1")), *((model, f"2 {name}") for name, model in some().items())]:
        model.save(tmp_path / f"{name}.safetensors")
    command = [sys.executable, str(FUZZING), "--folder", str(tmp_path), "--mutants", "300", "--seed", "1"]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    assert result["failures"] == []
    outcomes = result["outcomes"]
    assert sum(outcomes.values()) == 300 + len(NAMES)
    assert sum(n for name, n in outcomes.items() if name.endswith("valid model")) > 20
    assert outcomes["hostile file|LoadError"] == len(NAMES)
    assert max(result["traced"], result["resident"]) < MOST_MEMORY


def some():
    """Return small models of the other kinds."""
    X, y, images = saved_files.data()
    gaps = np.where(np.arange(X.size).reshape(X.shape) % 7 == 0, np.nan, X)
    found = saved_files._with_vectors(X, images, gaps) | saved_files._predictors(X, y, np.array(["a", "b", "c"])[y])
    return found | saved_files.detectors(X, gaps)


def test_loading_takes_the_memory_of_the_file_and_hardly_more(tmp_path):
    X = np.zeros((4, 500), dtype=np.float32)
    X[:, 0] = range(4)
    model = skvq.MLPRegressor(hidden_layer_sizes=(1000, 500), solver="lbfgs", max_iter=1, random_state=0).fit(
        X, X[:, 0]
    )
    path = tmp_path / "model.safetensors"
    model.save(path)
    tracemalloc.start()
    try:
        skvq.load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert path.stat().st_size > 4e6
    assert peak < path.stat().st_size + 5e5

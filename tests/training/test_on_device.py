"""Rows of an array on a device that behaves like an accelerator."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits

from skvq.training.batches import Rows
from skvq.training.on_device import OnDevice

sys.path.insert(0, str(Path(__file__).parents[1]))
from remote_device import REMOTE, remote_device

DIGITS = load_digits().data[:200]
ROOM = 1e9


@pytest.mark.parametrize("kept", [True, False])
def test_rows_go_to_a_device_whole_where_they_fit_and_else_by_the_batch(kept):
    with remote_device(4 * DIGITS.nbytes if kept else 4 * DIGITS.nbytes - 1) as device:
        source = OnDevice(DIGITS, REMOTE)
        source.keep()
        assert (source.whole is not None) == kept
        batch = source.take(np.array([5, 0, 5]))
        assert device.waits.total() == 0
        np.testing.assert_array_equal(batch.cpu(), DIGITS[[5, 0, 5]])


def memory_map(path):
    np.save(path, DIGITS)
    return np.load(path, mmap_mode="r")


ARRAYS = {
    "float64": lambda path: 1e6 + DIGITS,
    "float32": lambda path: DIGITS.astype(np.float32),
    "uint8": lambda path: DIGITS.astype(np.uint8),
    "uint16": lambda path: DIGITS.astype(np.uint16),
    "bool": lambda path: DIGITS > 8,
    "big-endian": lambda path: DIGITS.astype(">f8"),
    "memory-mapped": memory_map,
    "sparse": lambda path: sparse.csr_matrix(DIGITS),
    "sparse, whole numbers": lambda path: sparse.csr_matrix(DIGITS.astype(np.int32)),
    "sparse, cells twice": lambda path: sparse.csr_matrix(
        (np.arange(400.0), np.zeros(400, int), np.arange(0, 401, 2)), (200, 64)
    ),
}


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("standardised", [True, False])
@pytest.mark.parametrize("name", ARRAYS)
def test_batches_made_on_the_device_have_the_bits_of_those_of_the_processor(name, standardised, kept, tmp_path):
    X = ARRAYS[name](tmp_path / "X.npy")
    if not standardised and name == "big-endian":
        X = X.astype(float)  # taken as they are, rows have to be in the order of bytes of the machine
    units = {"shift": np.linspace(-1, 1, 64), "scale": np.linspace(1, 3, 64)} if standardised else {}
    here = Rows(X, **units)
    with remote_device(ROOM if kept else 0):
        there = Rows(X, device=REMOTE, **units).restrict(np.arange(199, 99, -1))
        there.keep()
        for indices in (np.array([7, 0, 7]), slice(10, 20)):
            batch = there.take(indices)
            assert batch.device == REMOTE
            np.testing.assert_array_equal(batch.cpu(), here.restrict(np.arange(199, 99, -1)).take(indices))


def test_a_batch_may_be_written_to_and_rows_on_the_device_stay_as_they_are():
    with remote_device(ROOM):
        rows = Rows(DIGITS.astype(np.float32), device=REMOTE)
        rows.keep()
        rows.take(slice(0, 5)).zero_()
        np.testing.assert_array_equal(rows.take(slice(0, 5)).cpu(), DIGITS[:5])


def test_rows_that_are_not_finite_are_refused_at_the_next_look():
    X = np.array([[1.0], [1e300]])
    with remote_device():
        rows = Rows(X, shift=np.zeros(1), scale=np.ones(1), device=REMOTE)
        rows.take_ahead(np.array([1]))
        rows.take_ahead(np.array([0]))
        with pytest.raises(ValueError, match="X holds values that float32 cannot hold after standardisation"):
            rows.look()
        rows.look()  # nothing was taken since
        with pytest.raises(ValueError, match="X holds values that float32 cannot hold"):
            rows.take(np.array([1]))

"""Rows in a temporary file are read as those of an array."""

import os
import shutil
import tempfile
from collections import namedtuple

import numpy as np
import pytest

from skvq.training import stored
from skvq.training.stored import StoredRows, in_memory

X = np.random.default_rng(0).normal(size=(1000, 3))


def written(X, n=170):
    rows = StoredRows(X.shape[1], X.dtype)
    for start in range(0, len(X), n):
        rows.add(X[start : start + n])
    return rows


@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8", "int16", "bool"])
def test_any_index_reads_what_it_reads_of_an_array(dtype):
    array = (X * 100).astype(dtype)
    rows = written(array)
    assert rows.shape == array.shape
    assert (len(rows), rows.size, rows.dtype) == (1000, 3000, array.dtype)
    assert (rows.min(), rows.max()) == (array.min(), array.max())
    drawn = np.random.default_rng(1).permutation(1000)[:50]
    for indices in (
        0,
        999,
        -1,
        slice(None),
        slice(3, 700),
        slice(10, 500, 7),
        slice(5, 5),
        [3, 3, 1],
        drawn,
        drawn[:0],
    ):
        np.testing.assert_array_equal(rows[indices], array[indices], strict=True)
    for outside in (1000, [3, 1000]):
        with pytest.raises(IndexError):
            rows[outside]


def test_what_is_read_can_be_written_to_without_a_trace():
    rows = written(X)
    rows[:5][:] = 0
    np.testing.assert_array_equal(rows[:5], X[:5])


def test_copies_have_the_values_of_the_array():
    rows, factor = written(X), np.array([2.0, 0.5, -1.0])
    np.testing.assert_array_equal(rows.astype(np.dtype("float32"))[:], X.astype("float32"))
    np.testing.assert_array_equal(rows.times(factor)[:], X * factor)


def test_pieces_are_bounded_and_together_all(monkeypatch):
    monkeypatch.setattr(stored, "PIECE_VALUES", 900)
    pieces = list(written(X).pieces())
    assert [len(piece) for piece in pieces] == [300, 300, 300, 100]
    np.testing.assert_array_equal(np.concatenate(pieces), X)


def test_rows_for_all_are_one_of_every_run_or_all_of_few(monkeypatch):
    rows = written(np.arange(1000.0)[:, None])
    np.testing.assert_array_equal(in_memory(rows), rows[:])
    monkeypatch.setattr(stored, "SOME_VALUES", 100)
    some = in_memory(rows)
    assert (some.ravel() // 10 == np.arange(100)).all()
    np.testing.assert_array_equal(some, rows.some())
    assert in_memory(X) is X
    assert in_memory(None) is None


def test_the_file_has_no_name_that_could_be_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    rows = written(X)
    assert rows[0].shape == (3,)
    assert os.name == "nt" or os.listdir(tmp_path) == []


def test_a_full_disk_is_an_error_that_says_where_to_find_room(monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**9, 10**9, 10**6))
    with pytest.raises(OSError, match=r"no room left after 0\.0 GB.*TMPDIR.*partial_fit\(chunk\)"):
        written(X)

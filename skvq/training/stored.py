"""Rows of numbers in a temporary file, for X that memory does not hold."""

import os
import shutil
import tempfile

import numpy as np

# Values that are read at once where a whole column, or the whole file, is gone through.
PIECE_VALUES = 500_000
# Values of the rows that stand for all of them where something has to be in memory: 134 MB of float64.
SOME_VALUES = 2**24
# Bytes of the folder for temporary files that are left free.
LEAST_FREE = 2**28


class StoredRows:
    """Rows in a temporary file, read by index as those of an ndarray: ``rows[5]``, ``rows[2:7]``, ``rows[[3, 1]]``.

    The file has no name, so that it is gone with the object, or with the process. It lies in the folder that
    :func:`tempfile.gettempdir` names, which the environment variable TMPDIR chooses.

    Parameters
    ----------
    n_columns : int
    dtype : numpy.dtype
        Of numbers.

    Examples
    --------
    >>> rows = StoredRows(2, np.dtype("int8"))
    >>> rows.add(np.array([[1, 2], [3, 4]], dtype=np.int8))
    >>> rows.shape, rows[1].tolist(), rows[[1, 0]].tolist(), int(rows.max())
    ((2, 2), [3, 4], [[3, 4], [1, 2]], 4)
    """

    ndim = 2

    def __init__(self, n_columns, dtype):
        self.n_columns, self.dtype, self.n_rows = n_columns, dtype, 0
        self.extremes = np.inf, -np.inf
        self.file = tempfile.TemporaryFile(prefix="skvq-", buffering=0)  # noqa: SIM115, as long as the object lives

    def __del__(self):
        if "file" in self.__dict__:
            self.file.close()

    def __len__(self):
        """Return the number of rows."""
        return self.n_rows

    @property
    def shape(self):
        """Number of rows and of columns."""
        return self.n_rows, self.n_columns

    @property
    def size(self):
        """Number of values."""
        return self.n_rows * self.n_columns

    def min(self):
        """Return the smallest value of all."""
        return self.extremes[0]

    def max(self):
        """Return the largest value of all."""
        return self.extremes[1]

    def add(self, rows):
        """Write rows (n, n_columns) of any dtype that `dtype` holds behind those that are there.

        Raises
        ------
        OSError
            Where the disk is full.
        """
        rows = np.ascontiguousarray(rows, dtype=self.dtype)
        folder = tempfile.gettempdir()
        if shutil.disk_usage(folder).free < rows.nbytes + LEAST_FREE:
            written = self.n_rows * self._row_bytes / 2**30
            raise OSError(
                f"X is written to a temporary file in {folder}, which has no room left after {written:.1f} GB. Let the "
                "environment variable TMPDIR name a folder on a larger disk, pass rows of a smaller dtype or fewer of "
                "them (an X without an end never fits), or call partial_fit(chunk) for each chunk"
            )
        self.file.seek(self.n_rows * self._row_bytes)
        left = memoryview(rows.reshape(-1)).cast("B")
        while left:  # without a buffer, a part may be written
            left = left[self.file.write(left) :]
        self.n_rows += len(rows)
        self.extremes = min(self.extremes[0], rows.min()), max(self.extremes[1], rows.max())

    def astype(self, dtype):
        """Return the same rows as another StoredRows, of another dtype."""
        return self._copied(dtype, lambda rows: rows.astype(dtype))

    def times(self, factor):
        """Return the rows times `factor`, (n_columns,), as StoredRows of float64."""
        return self._copied(np.dtype(np.float64), lambda rows: rows * factor)

    def __getitem__(self, indices):
        """Return the rows at an int, a slice, or positions (sequence of int) as a new ndarray, one row for an int."""
        if isinstance(indices, slice):
            start, stop, step = indices.indices(self.n_rows)
            return self._read(start, max(0, stop - start)) if step == 1 else self[np.arange(start, stop, step)]
        if np.ndim(indices) == 0:
            return self._read(range(self.n_rows)[indices], 1)[0]
        indices = np.asarray(indices)
        rows = np.empty((len(indices), self.n_columns), dtype=self.dtype)
        for place in np.argsort(indices, kind="stable"):  # in the order of the file
            rows[place] = self._read(range(self.n_rows)[indices[place]], 1)
        return rows

    def pieces(self):
        """Yield all rows in order, a bounded number at a time."""
        step = max(1, PIECE_VALUES // self.n_columns)
        for start in range(0, self.n_rows, step):
            yield self[start : start + step]

    def some(self):
        """Return rows that stand for all, as an ndarray: all of them if they are few, else one of every run of them.

        The runs are equally long, and make at most ``SOME_VALUES`` values.
        """
        n = min(self.n_rows, max(1, SOME_VALUES // self.n_columns))
        edges = np.linspace(0, self.n_rows, n + 1).astype(np.int64)
        return self[np.random.default_rng(0).integers(edges[:-1], edges[1:])]

    @property
    def _row_bytes(self):
        return self.n_columns * self.dtype.itemsize

    def _read(self, start, n):
        rows = np.empty((n, self.n_columns), dtype=self.dtype)
        left, place = memoryview(rows.reshape(-1)).cast("B"), start * self._row_bytes
        while left:
            piece = self._bytes(place, len(left))
            if not piece:
                raise OSError("the temporary file that holds X is shorter than it was written")
            left[: len(piece)] = piece
            left, place = left[len(piece) :], place + len(piece)
        return rows

    def _bytes(self, place, n):
        """Return at most n bytes from a place on."""
        if hasattr(os, "pread"):  # threads and forked processes have one position in the file
            return os.pread(self.file.fileno(), n, place)
        self.file.seek(place)
        return self.file.read(n)

    def _copied(self, dtype, made):
        copy = StoredRows(self.n_columns, dtype)
        for rows in self.pieces():
            copy.add(made(rows))
        return copy


def in_memory(X):
    """Return X, in place of StoredRows the rows that stand for all of them: an ndarray."""
    return X.some() if isinstance(X, StoredRows) else X

"""Rows of X and y by index into memory that is allocated once: the batches of predictors."""

import functools

import numpy as np
import torch
from scipy import sparse

from ..training.on_device import OnDevice, sent

# Arrays that take no more than this much memory in the type that trains are cast once, larger ones a batch at a time.
CACHE_BYTES = 64_000_000
# Sparse rows with a smaller share of non-zeros than this stay sparse in the first layer; denser ones are faster as
# dense batches (`benchmarks/mlp_sparse.py`).
SPARSE_DENSITY = 0.1
# Rows at a time in a pass without gradient steps, and the most values that they may have together.
PASS_ROWS, PASS_VALUES = 2048, 4_000_000
NATIVE = tuple(np.dtype(kind) for kind in ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u1", "?"))
NUMPY_TYPES = {torch.float32: np.float32, torch.float64: np.float64, torch.int64: np.int64}


def rows_per_pass(n_columns):
    """Return how many rows of `n_columns` go through a network together where no gradient step hangs on it."""
    return max(32, min(PASS_ROWS, PASS_VALUES // n_columns))


def cast(array, dtype, **options):
    """Return an array in another type. Values beyond its range become infinite, and training refuses them later."""
    with np.errstate(over="ignore"):
        return array.astype(dtype, **options)


def _lies_in_rows(array):
    return array.flags.c_contiguous and array.flags.aligned and array.dtype.isnative


class Gather:
    """Rows of an array as tensors of one type; the memory of a batch is used again for the next.

    Parameters
    ----------
    array : ndarray or CSR matrix of shape (n, p)
        Any numeric dtype; may be a read-only memmap. It is never copied whole if large.
    dtype : torch.dtype
        Type of a batch.
    subset : ndarray of int, default=None
        The rows that this object stands for; all of them if None.
    """

    def __init__(self, array, dtype, subset=None):
        self.array = array
        self.dtype = dtype
        self.subset = subset
        self.is_sparse = sparse.issparse(array)
        self.stays_sparse = self.is_sparse and array.nnz < SPARSE_DENSITY * np.prod(array.shape, dtype=float)
        self._memory = {}
        small = not self.is_sparse and array.size * dtype.itemsize <= CACHE_BYTES
        if small and (array.dtype != NUMPY_TYPES[dtype] or not _lies_in_rows(array)):
            self.array = cast(array, NUMPY_TYPES[dtype], order="C")
        # numpy's take would copy a whole array whose rows do not lie one after another, for every batch.
        self.lies_in_rows = not self.is_sparse and _lies_in_rows(self.array)

    def __len__(self):
        """Return the number of rows."""
        return self.array.shape[0] if self.subset is None else len(self.subset)

    def take(self, indices):
        """Return the rows at `indices` (ndarray of int), (b, p); the next call may overwrite them.

        A sparse matrix of few non-zeros gives sparse matrices.
        """
        if self.subset is not None:
            indices = self.subset[indices]
        if self.stays_sparse:
            return cast(self.array[indices], NUMPY_TYPES[self.dtype])
        memory = self._memory.get(len(indices)) or self._allocate(len(indices))
        if self.is_sparse:
            cast(self.array[indices], NUMPY_TYPES[self.dtype]).toarray(out=memory.batch)
        else:
            if self.lies_in_rows:
                self.array.take(indices, axis=0, out=memory.rows, mode="clip")
            else:
                memory.rows[...] = self.array[indices]
            memory.cast()
        return memory.tensor

    def _allocate(self, n_rows):
        """Return memory for `n_rows`; that of the two latest sizes (most batches, and the last one) is kept."""
        if len(self._memory) == 2:
            self._memory.pop(next(iter(self._memory)))
        self._memory[n_rows] = _Memory((n_rows, self.array.shape[1]), self.array.dtype, self.dtype)
        return self._memory[n_rows]


class _Memory:
    """The memory of a batch: gathered as `rows` in the type of the array, then cast to `tensor`."""

    def __init__(self, shape, found, wanted):
        with torch.inference_mode(False):  # memory that is of use in any mode
            self.tensor = torch.empty(shape, dtype=wanted)
        self.batch = self.tensor.numpy()
        self.same = found == self.batch.dtype
        self.rows = self.batch if self.same else np.empty(shape, dtype=found)

    def cast(self):
        """Copy `rows` into `tensor`."""
        if not self.same:
            rows = self.rows if self.rows.dtype in NATIVE else self.rows.astype(np.float64)
            self.tensor.copy_(torch.from_numpy(rows))


class GatherOnDevice:
    """Rows of an array as tensors of one type on a device other than the processor, dense ones.

    Parameters
    ----------
    array, dtype, subset
        As for :class:`Gather`.
    device : torch.device
    """

    def __init__(self, array, dtype, subset, device):
        self.array = array
        self.dtype = dtype
        self.subset = subset
        narrower = dtype.itemsize < array.dtype.itemsize  # is sent, the narrower of both types
        self.source = OnDevice(array, device, self._cast if narrower else None)

    def __len__(self):
        """Return the number of rows."""
        return self.array.shape[0] if self.subset is None else len(self.subset)

    def take(self, indices):
        """Return the rows at `indices` (ndarray of int), (b, p)."""
        return self.source.take(indices if self.subset is None else self.subset[indices]).to(self.dtype)

    def _cast(self, rows):
        return cast(rows, NUMPY_TYPES[self.dtype])


class Samples:
    """Rows, their targets and their weights.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, p)
    y : ndarray of shape (n, n_outputs)
        Targets, or class indices (n, 1).
    weight : ndarray of shape (n,) or None
    dtype : torch.dtype
        Type of the rows and the weights.
    target_dtype : torch.dtype
        Type of the targets.
    subset : ndarray of int, default=None
        The rows that this object stands for; all of them if None.
    device : torch.device, default="cpu"
        Where batches are put.
    """

    def __init__(self, X, y, weight, dtype, target_dtype, subset=None, device="cpu"):
        self.device = torch.device(device)
        gather = Gather if self.device.type == "cpu" else functools.partial(GatherOnDevice, device=self.device)
        self.rows = gather(X, dtype, subset)
        self.targets = gather(y, target_dtype, subset)
        chosen = weight if weight is None or subset is None else weight[subset]
        self.total_weight = float(len(self.rows)) if chosen is None else float(chosen.sum(dtype=np.float64))
        self.weight = None if chosen is None else cast(chosen, NUMPY_TYPES[dtype])

    def __len__(self):
        """Return the number of rows."""
        return len(self.rows)

    def take(self, indices):
        """Return rows (b, p), targets (n_outputs, b) and weights (b,) or None at `indices` (ndarray of int)."""
        x, y = self.rows.take(indices), self.targets.take(indices)
        y = y.view(1, -1) if y.shape[1] == 1 else y.T.contiguous()
        weight = None if self.weight is None else torch.from_numpy(self.weight[indices])
        return x, y, weight if weight is None or self.device.type == "cpu" else sent(weight, self.device)

    def keep(self):
        """Send rows and targets to a device that has room for them, where they are taken many times."""
        if self.device.type != "cpu":
            self.rows.source.keep()
            self.targets.source.keep()

    def weight_of(self, indices, weight):
        """Return the sum of the weights that :meth:`take` returned for `indices`; without weights their number."""
        if weight is None:
            return len(indices)
        return float((weight if weight.is_cpu else torch.from_numpy(self.weight[indices])).sum())

    def in_order(self):
        """Yield (rows, targets, weights) of all rows in order, piece by piece."""
        size = rows_per_pass(self.rows.array.shape[1])
        for start in range(0, len(self), size):
            yield self.take(np.arange(start, min(start + size, len(self))))

"""X that comes a chunk of rows at a time: data sets of torch, dask, zarr, HDF5, pyarrow, and whatever is iterated."""

import math
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

import narwhals as nw
import numpy as np
import torch
from scipy import sparse

from ..training.batches import PASS_ROWS, PASS_VALUES, framed
from ..training.stored import StoredRows
from .naming import errors_named

# Channels of images that come first, at most.
MOST_COLOURS = 4


def is_source(X):
    """Return whether X gives its rows a chunk at a time, rather than being an array, a frame or a list of rows.

    Examples
    --------
    >>> import numpy as np
    >>> is_source(np.zeros((2, 3))), is_source([[1, 2]]), is_source(iter([np.zeros((2, 3))]))
    (False, False, True)
    """
    if isinstance(X, (np.ndarray, list, tuple, dict, set, str, bytes, torch.Tensor)):
        return False
    if isinstance(X, (torch.utils.data.Dataset, torch.utils.data.DataLoader)):
        return True
    if (reader := READERS.get(_package(X))) is not None:
        return all(hasattr(X, name) for name in reader.having) and not any(hasattr(X, name) for name in reader.without)
    return hasattr(X, "__iter__") and not any(hasattr(X, name) for name in ("shape", "__array__", "__getitem__"))


def chunks_of(X, *, image_shape=None):
    """Yield the rows of X a chunk at a time: arrays or frames, as `fit` takes them whole.

    Parameters
    ----------
    X : torch Dataset or DataLoader, dask array or frame, zarr array, HDF5 data set, pyarrow data set, or iterable
        Of tuples, as (X, y), the first entry counts.
    image_shape : tuple of int, default=None
        The shape of images where it is known.

    Raises
    ------
    TypeError
        For items of data sets that are dicts.
    ValueError
        For images of torch whose channels come first.
    """
    if isinstance(X, torch.utils.data.Dataset):
        chunks = _of_items(iter(X) if isinstance(X, torch.utils.data.IterableDataset) else _items(X))
    elif isinstance(X, torch.utils.data.DataLoader):
        chunks = map(_values, X)
    else:
        reader = READERS.get(_package(X))
        return map(_one_chunk, iter(X) if reader is None else reader.read(X))
    return (_checked_channels(chunk, image_shape) for chunk in chunks)


def store(chunks, check, *, reset):
    """Write chunks to a temporary file; return StoredRows, and the shape of an image (None if X came as rows).

    Parameters
    ----------
    chunks : iterable of array-like
    check : callable
        (chunk, reset=) → rows, ndarray (n, n_columns), and the shape of an image or None.
    reset : bool
        What `check` is told of the first chunk; of the others it is told False.

    Raises
    ------
    TypeError
        For sparse chunks.
    ValueError
        For chunks that differ in shape, and where there is no row. Errors of `check` name the chunk.
    """
    stored, shape = None, None
    for number, chunk in enumerate(chunks):
        with errors_named(1, X=f"chunk {number} of X"):
            if sparse.issparse(chunk):
                raise TypeError("X is sparse; stack sparse chunks to one CSR matrix, scipy.sparse.vstack(chunks)")
            if not hasattr(chunk, "__len__"):
                raise TypeError(f"X is a {type(chunk).__name__}; a chunk is an array or a frame of rows")
            if len(chunk) == 0:  # partitions of dask may well be empty
                continue
            refuse_words(chunk)
            rows, found = check(chunk, reset=reset and stored is None)
            if stored is None:
                stored, shape = StoredRows(rows.shape[1], rows.dtype), found
            if found != shape:
                told = ["rows of numbers" if each is None else f"images of shape {each}" for each in (found, shape)]
                raise ValueError(f"X holds {told[0]}, but those before it {told[1]}")
        if (dtype := np.result_type(rows.dtype, stored.dtype)) != stored.dtype:
            stored = stored.astype(dtype)
        stored.add(rows)
    if stored is None:
        raise ValueError("X gave no rows; a generator gives its rows only once, so pass a new one to each method")
    return stored, shape


def refuse_words(chunk):
    """Raise ValueError for a frame with columns of other kinds than numbers."""
    if not hasattr(chunk, "columns"):
        return
    for name, dtype in nw.from_native(chunk).schema.items():
        if not (dtype.is_numeric() or dtype == nw.Boolean):
            raise ValueError(
                f"X has a column {name!r} of dtype {dtype}; what comes in chunks has to be numbers. Pass a table with "
                "other columns as one frame in memory: pandas.concat(chunks), compute() of dask, to_table() of "
                "pyarrow, or a part of its rows"
            )


def _package(X):
    return type(X).__module__.partition(".")[0]


def _one_chunk(chunk):
    """Return what an iterator gives as an array or a frame: of a tuple, as (X, y), the first entry."""
    if isinstance(chunk, tuple) or (isinstance(chunk, list) and chunk and isinstance(chunk[0], torch.Tensor)):
        chunk = chunk[0]
    return framed(chunk)


def _values(item):
    """Return the rows among what a data set or loader gives at once."""
    if isinstance(item, dict):
        raise TypeError(
            f"X gives dicts with the keys {', '.join(map(repr, item))}; pass a data set whose items are arrays, or "
            "tuples that begin with one"
        )
    if isinstance(item, (tuple, list)) and len(item):
        item = item[0]
    return item if isinstance(item, torch.Tensor) else np.asarray(item)


def _items(data):
    if not hasattr(data, "__len__"):
        raise TypeError(f"X, a {type(data).__name__}, has no __len__; a data set with __getitem__ needs one")
    return (data[index] for index in range(len(data)))


def _of_items(items):
    """Yield single rows in chunks of a few MB."""
    for item in items:
        first = np.asarray(_values(item))
        n = max(1, min(PASS_ROWS, PASS_VALUES // max(1, first.size)))
        yield np.stack([first, *(np.asarray(_values(item)) for item in islice(items, n - 1))])


def _checked_channels(chunk, image_shape):
    """Return a chunk of what torch gives; ValueError for images whose channels come first."""
    shape = tuple(chunk.shape[1:])
    if image_shape is None and len(shape) == 3 and shape[0] <= MOST_COLOURS < shape[2]:
        raise ValueError(
            f"X gives images of shape {shape}, whose channels come first; images are (H, W) or (H, W, C) here: let the "
            "transform of the data set end in lambda image: image.movedim(0, -1), or pass "
            f"image_shape={shape} if these are {shape[0]} rows of pixels indeed"
        )
    return chunk


def _slices(X):
    """Yield an array of zarr or HDF5 by whole chunks of its own, as many as are a few MB."""
    own = X.chunks[0] if getattr(X, "chunks", None) else 1
    step = max(1, PASS_VALUES // math.prod(X.shape[1:]) // own) * own
    return (X[start : start + step] for start in range(0, X.shape[0], step))


def _dask_blocks(X):
    """Yield the blocks of a dask array, or the partitions of a dask frame, computed one after the other."""
    if not hasattr(X, "blocks"):
        return (X.partitions[index].compute() for index in range(X.npartitions))
    whole = X.rechunk(dict.fromkeys(range(1, X.ndim), -1))
    return (whole.blocks[index].compute() for index in range(whole.numblocks[0]))


def _arrow_batches(X):
    """Return the record batches of a pyarrow data set or reader, one after the other."""
    return X.to_batches() if hasattr(X, "to_batches") else X


class Reader(NamedTuple):
    """Reads the objects of a package a chunk at a time: those that have some attributes and have not some others."""

    read: Callable
    having: tuple[str, ...]
    without: tuple[str, ...] = ()


READERS = {
    "dask": Reader(_dask_blocks, ("partitions",)),
    "zarr": Reader(_slices, ("shape", "dtype")),
    "h5py": Reader(_slices, ("shape", "dtype")),
    "pyarrow": Reader(_arrow_batches, ("schema",), ("column", "field")),
}

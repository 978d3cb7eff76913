"""Share rows among several processes: those of a call, whose whole result all get, and parts of X that each one has."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import narwhals as nw
import numpy as np
from scipy import sparse
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils.validation import _num_samples

from .._typing import ArrayLike, MatrixLike
from ..nn import ranks
from ..training.batches import PASS_VALUES
from .frames import with_index
from .inference import ROW_BLOCK
from .sources import chunks_of, is_source

Result = TypeVar("Result")


def shared(method: Callable[..., Result], X: MatrixLike | int, y: ArrayLike | None = None, **options: Any) -> Result:
    """Call a method for a part of the rows in each of several processes, and return the results of all, in order.

    The processes are those that `fit` shares its work among: the default group of torch.distributed, such as torchrun
    starts. All of them have to make the same call, with the same model and the same X, and all of them get the whole
    result. Without a group it is the plain call, ``method(X, **options)``.

    Parameters
    ----------
    method : callable
        A method of a fitted estimator, or of a Pipeline, that gives each row a result of its own, whatever the other
        rows are: ``model.transform``, ``model.score_samples``, ``model.inverse_transform``, ``model.predict``,
        ``model.sample``.
    X : array-like, DataFrame, sparse matrix, or int
        The rows, or for ``model.sample`` their number. Each process takes a run of them, whose length is a multiple of
        32.
    y : label or array-like of shape (n,), default=None
        Classes, where the method takes such; as many of them as there are rows are shared like X.
    **options
        Passed to the method as they are, but for `random_state`.

    Returns
    -------
    result : ndarray, DataFrame, sparse matrix, or list of these
        Of methods without `random_state` that of the plain call, up to the rounding of float32. Of methods with it each
        process draws with a seed of its own, which the first process derives from `random_state`. So drawn rows have
        the distribution of the plain call, and the same `random_state` gives the same rows again in as many processes;
        but they are other rows than those of the plain call, or of another number of processes.

    Raises
    ------
    Exception
        What the method raises in any of the processes is raised in all of them.
    TypeError
        If the method returns anything but rows, as `score` does.

    Examples
    --------
    >>> import numpy as np
    >>> from skvq import VAETransformer, shared
    >>> X = np.random.default_rng(0).normal(size=(100, 4))
    >>> model = VAETransformer(2, prior="normal", max_iter=1, random_state=0).fit(X)
    >>> shared(model.transform, X).shape, shared(model.sample, 1000, random_state=0).shape
    ((100, 2), (1000, 4))
    """
    options = options if y is None else options | {"y": y}
    n = int(X) if isinstance(X, (int, np.integer)) else _num_samples(X)
    if not ranks.active() or n < 1:
        return method(X, **options)
    if "random_state" in inspect.signature(method).parameters:
        options["random_state"] = ranks.of_first(lambda: _seeds(options.get("random_state")))[ranks.number()]
    mine = ranks.run_of(n, ROW_BLOCK)
    if y is not None and np.ndim(y) > 0:
        options["y"] = _safe_indexing(y, mine)
    part = mine.stop - mine.start if isinstance(X, (int, np.integer)) else _safe_indexing(X, mine)
    found = ranks.each(lambda: method(part, **options) if mine.start < mine.stop else None)
    return _joined([rows for rows in found if rows is not None], X)


def from_shards(X: MatrixLike | Iterable[Any]) -> Iterator[Any]:
    """Put together an X of which each of several processes has a part of its own (a shard), chunk by chunk.

    ``fit(skvq.from_shards(X))`` under torchrun reads, parses or generates every row in one process only. Each process
    passes its shard and gets the chunks of all: the first one of each process, in the order of their numbers, then the
    second ones, and so on until no process has any left. So all of them fit the same X, as they have to, and the result
    is that of one process whose X comes in this order. The shards may be of different lengths. Without a group the
    chunks are those of X.

    Parameters
    ----------
    X : array-like, DataFrame, or what `fit` takes in chunks
        The rows of this process: an iterable of chunks, a data set of torch, an array of dask, zarr or HDF5. An array
        or a frame is cut into chunks of a few MB.

    Yields
    ------
    chunk : ndarray, Tensor or DataFrame
        Rows of one process. One chunk of each is in memory at a time.

    Raises
    ------
    Exception
        What the X of any process raises while it is read is raised in all of them.

    Examples
    --------
    >>> import numpy as np
    >>> from skvq import AutoEncoderTransformer, from_shards
    >>> X = np.random.default_rng(0).normal(size=(100, 4))
    >>> AutoEncoderTransformer(2, max_iter=1, random_state=0).fit(from_shards(X)).transform(X).shape
    (100, 2)
    """
    mine = _chunks(X)
    while chunks := [chunk for chunk in ranks.each(lambda: next(mine, None)) if chunk is not None]:
        yield from chunks


def _chunks(X):
    """Yield the rows of X a chunk at a time, those of an array or a frame by some MB; what is wrong is raised then."""
    if is_source(X):
        yield from chunks_of(X)
        return
    if sparse.issparse(X):
        raise TypeError("X is sparse; from_shards takes dense rows: pass X[start:stop].toarray() as chunks")
    X = X if hasattr(X, "shape") else np.asarray(X)
    if len(X.shape) < 2:
        raise ValueError(f"X has shape {tuple(X.shape)}; from_shards takes rows, or an iterable of chunks of rows")
    step = max(1, PASS_VALUES // max(1, math.prod(X.shape[1:])))
    for start in range(0, X.shape[0], step):
        yield _safe_indexing(X, slice(start, start + step))


def _seeds(random_state):
    """Return a seed for each process."""
    return check_random_state(random_state).randint(np.iinfo(np.int32).max, size=ranks.count()).tolist()


def _joined(parts, X):
    """Return the results of runs of rows as one, with the index of X where both have one."""
    kind = type(parts[0])
    if isinstance(parts[0], list):
        return [_joined(each, X) for each in zip(*parts)]
    if isinstance(parts[0], np.ndarray) and parts[0].ndim > 0:
        return np.concatenate(parts)
    if sparse.issparse(parts[0]):
        return sparse.vstack(parts, format=parts[0].format)
    if kind.__module__.partition(".")[0] in ("pandas", "polars"):
        frames = nw.concat([nw.from_native(part, eager_only=True) for part in parts])
        return with_index(nw.maybe_reset_index(frames).to_native(), X)
    raise TypeError(f"shared needs a method that returns something for each row, but this one returned {kind.__name__}")

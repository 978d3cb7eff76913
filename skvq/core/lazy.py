"""Lazy results: methods that, given an array or frame of dask, return one of their own, computed block by block."""

from __future__ import annotations

import copy
import functools
import pickle
import sys
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import uuid4

import numpy as np
from sklearn.utils._set_output import _wrap_data_with_container
from sklearn.utils.validation import check_is_fitted, validate_data

from .availability import AvailableIf
from .kinds import in_kind

Kind = TypeVar("Kind", bound=type)

# A model whose pickle has more bytes is sent to the workers of a cluster before the graph, which is sent anew for each
# computation; distributed warns of graphs of 10 MB.
LARGEST_IN_GRAPH = 5_000_000


def lazy(**examples: Callable[[Any], Any]) -> Callable[[Kind], Kind]:
    """Return a decorator of classes of estimators that makes methods lazy where their X is an array or frame of dask.

    Nothing is computed and no block of X is read until the result is. Each block of rows passes through the method of a
    copy of the model, so that the result is that of the model as it was when the method was called. dask is imported
    only if X is one of its types. Of tensors the result is as :func:`~skvq.core.kinds.in_kind` has it.

    Parameters
    ----------
    **examples : callable
        By the name of a method: a function of a fitted model that returns what the method would for no rows. A frame
        stands for a lazy frame, an array for a lazy array.
    """

    def of_class(kind):
        for name, example in examples.items():
            method = vars(kind)[name]
            if isinstance(method, AvailableIf):
                setattr(kind, name, AvailableIf(_lazily(method.method, example), method.check))
            else:
                setattr(kind, name, _lazily(method, example))
        return kind

    return of_class


def scores(model):
    """Return the example of a method that gives each row a number."""
    return np.empty(0)


def components(dtype):
    """Return the example of a `transform` to arrays of a dtype, or to the frames that `set_output` asks for."""

    def example(model):
        return _wrap_data_with_container("transform", np.empty((0, model._n_features_out), dtype), None, model)

    return example


def rows_back(model):
    """Return the example of `inverse_transform`, whose frames and arrays are like the X of `fit`."""
    return model.inverse_transform(np.zeros((1, model._n_features_out)))[:0]


def is_lazy(X):
    """Return whether X is an array or a frame of dask; it is not imported."""
    if type(X) is np.ndarray:  # said at once: to predict one row takes 40 µs
        return False
    kinds = (("dask.array", "Array"), ("dask.dataframe", "DataFrame"))
    return any(name in sys.modules and isinstance(X, getattr(sys.modules[name], kind)) for name, kind in kinds)


def _lazily(method, example):
    """Return a method that passes the X of dask block by block, and any other X to `method` as it is."""
    method = in_kind(method)

    @functools.wraps(method)
    def lazily(self, X, *args, **kwargs):
        if not is_lazy(X):
            return method(self, X, *args, **kwargs)
        check_is_fitted(self)
        name = method.__name__
        if any(np.ndim(value) > 0 for value in (*args, *kwargs.values())):
            raise ValueError(
                f"{name} of a dask X takes no other array beside it; compute X first, such as {name}(X.compute(), ...)"
            )
        shaped = any(getattr(self, shape, None) for shape in ("image_shape_", "series_shape_", "grid_shape_"))
        if X.ndim < 2 or (X.ndim > 2 and not shaped):
            raise ValueError(f"Expected 2D array, got {X.ndim}D array instead: X has shape {X.shape}")
        if X.ndim == 2 and name != "inverse_transform":
            validate_data(self, X._meta if _is_frame(X) else X, skip_check_array=True, reset=False)
        call = functools.partial(_of_block, name=name, args=args, kwargs=kwargs, example=example(self))
        return _by_blocks(call, X, model=_in_graph_once(self))

    return lazily


def _is_frame(X):
    return hasattr(X, "columns")


def _of_block(block, *, model, name, args, kwargs, example):
    """Return the result of a method for one block of rows, whose copy of the model is that of all blocks."""
    return example if block.shape[0] == 0 else getattr(model, name)(block, *args, **kwargs)


def _in_graph_once(model):
    """Return a copy of a model as one key of a graph, which all tasks refer to."""
    model = copy.deepcopy(model)
    if "distributed" in sys.modules and len(pickle.dumps(model)) > LARGEST_IN_GRAPH:
        client = _client()
        if client is not None:
            return client.scatter(model, broadcast=True, hash=False)
    import dask

    return dask.delayed(model, name=f"{type(model).__name__}-{uuid4().hex}", traverse=False)


def _client():
    """Return the client of a cluster that computes, None if there is none that could take a model now."""
    try:
        client = sys.modules["distributed"].default_client()
    except ValueError:
        return None
    return client if not client.asynchronous and client.scheduler_info()["workers"] else None


def _by_blocks(call, X, *, model):
    """Return the lazy result of a call for each block of rows, an array or a frame as its example is."""
    example = call.keywords["example"]
    if not isinstance(example, np.ndarray) and not type(example).__module__.startswith("pandas"):
        raise ValueError(
            f"the result would be frames of {type(example).__module__.partition('.')[0]}, which dask does not have; "
            "call set_output(transform='pandas') or 'default', or fit to a frame of pandas or to an array"
        )
    if _is_frame(X):
        return X.map_partitions(call, model=model, meta=example)
    if isinstance(example, np.ndarray):
        import dask.array

        axes = range(X.ndim, X.ndim + example.ndim - 1)  # of the result, behind that of the rows
        new_axes = dict(zip(axes, example.shape[1:]))
        return dask.array.blockwise(
            call, (0, *axes), X, tuple(range(X.ndim)), model=model, new_axes=new_axes, concatenate=True, meta=example
        )
    import dask.dataframe

    blocks = X.rechunk(dict.fromkeys(range(1, X.ndim), -1)).to_delayed().ravel()
    return dask.dataframe.from_delayed([dask.delayed(call)(block, model=model) for block in blocks], meta=example)

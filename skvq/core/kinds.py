"""Torch tensors out where torch tensors came in, under scikit-learn's array API dispatch."""

from __future__ import annotations

import functools

import numpy as np
import torch
from sklearn import config_context, get_config

from .._typing import Method
from ..nn.devices import widest_float


def in_kind(method: Method) -> Method:
    """Make a method of X return tensors where X is one and ``sklearn.set_config(array_api_dispatch=True)`` is on.

    They are on the device of X. Inside of the method nothing is dispatched.
    """

    @functools.wraps(method)
    def answering_in_kind(self, *args, **kwargs):
        X = kwargs["X"] if "X" in kwargs else args[0] if args else None
        if not (isinstance(X, torch.Tensor) and get_config()["array_api_dispatch"]):
            return method(self, *args, **kwargs)
        with config_context(array_api_dispatch=False):
            found = method(self, *args, **kwargs)
        return on_device_of(X, found)

    return answering_in_kind  # type: ignore[return-value]


def on_device_of(X, found):
    """Return an ndarray of numbers, or a list of such, as tensors on the device of a tensor X; others as they are.

    Others are frames and strings, for which torch has no dtype. Float64 becomes float32 on a device without it.
    """
    if isinstance(found, list):
        return [on_device_of(X, part) for part in found]
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "biuf":
        return found
    tensor = torch.from_numpy(found)
    return tensor.to(X.device, widest_float(X.device) if tensor.dtype == torch.float64 else tensor.dtype)

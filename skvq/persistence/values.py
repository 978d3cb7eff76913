"""Small values as JSON that tells exactly what they were, and back.

JSON is what Python's json reads and writes, NaN and Infinity included. A value that it has no name for is an object
with one key: ``{"tuple": [...]}``, ``{"numpy": [dtype, number or numbers]}``, ``{"estimator": {...}}``, and for keys
that are no strings ``{"dict": [[key, value], ...]}``.
"""

import json
import re
import reprlib
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import torch
from sklearn.base import BaseEstimator

from .records import check_keys

PACKAGE = __name__.partition(".")[0] + "."
DEEPEST_JSON, MOST_BRACKETS = 32, 2**15
# Parameters of this machine alone. A file from elsewhere must not say where a later fit is to write.
LOCAL = {"checkpoint"}
NUMPY_TYPES = {
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
}  # fmt: skip


def own_schema(estimator):
    """Return the schema of an estimator's own class; TypeError for classes that have none, subclasses among them."""
    schema = type(estimator).__dict__.get("_schema")
    if schema is None:
        raise TypeError(
            f"{type(estimator).__name__} is none of skvq's own estimators, whose files need no trust; keep it with "
            "skops or joblib"
        )
    return schema


def is_own(value):
    """Return whether a value is an estimator of this package's, and not of a subclass elsewhere."""
    return isinstance(value, BaseEstimator) and type(value).__module__.startswith(PACKAGE)


def encode(value, name):
    """Return a value as JSON-able data.

    Parameters
    ----------
    value : object
        None, a boolean, number or string, a numpy scalar, a tuple, list, dict or one-dimensional array of these, a
        torch.device, or an estimator of this package, of which the parameters are kept.
    name : str
        The parameter or attribute, for the error.

    Raises
    ------
    TypeError
        For anything else.
    """
    if isinstance(value, (np.generic, np.ndarray)) and value.dtype.name in NUMPY_TYPES and value.ndim < 2:
        return {"numpy": [value.dtype.name, value.tolist()]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, torch.device):
        return str(value)
    if isinstance(value, list):
        return [encode(item, name) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [encode(item, name) for item in value]}
    if isinstance(value, dict) and all(isinstance(key, str) and key not in KINDS for key in value):
        return {key: encode(item, name) for key, item in value.items()}
    if isinstance(value, dict):
        return {"dict": [[encode(key, name), encode(item, name)] for key, item in value.items()]}
    if is_own(value):
        return {"estimator": encode_parameters(value)}
    advice = "give it another value with set_params before save"
    if isinstance(value, np.random.RandomState):
        advice = f"pass an integer seed, or call set_params({name}=None) before save"
    elif hasattr(value, "get_n_splits"):
        advice = f"call set_params({name}=5), or another number of folds, before save, which fits nothing again"
    raise TypeError(
        f"{name}={reprlib.repr(value)} cannot be saved: a file of save holds None, booleans, numbers, strings, "
        f"sequences of these, and skvq's own estimators; {advice}, or keep the estimator with skops or joblib"
    )


def encode_parameters(estimator):
    """Return the class and the constructor parameters of an estimator as JSON-able data."""
    parameters = estimator.get_params(deep=False)
    return {
        "class": type(estimator).__name__,
        "parameters": {name: encode(value, name) for name, value in parameters.items() if name not in LOCAL},
    }


class Unbuilt(NamedTuple):
    """An estimator among values: what `encode_parameters` made of it, for `decode_parameters`."""

    data: object


def _array(content):
    dtype, numbers = content
    if dtype not in NUMPY_TYPES:
        raise ValueError(f"{dtype!r:.80} is no dtype of numbers")
    return np.array(numbers, dtype=dtype)[()]


KINDS = {"tuple": tuple, "numpy": _array, "dict": dict, "estimator": Unbuilt}


def decode(text):
    """Return what JSON with values of `encode` stands for; ValueError if it is deep, large, or has a key twice."""
    unescaped = text.replace("\\\\", "").replace('\\"', "")
    marks = re.findall(r"[\[\]{}]", "".join(unescaped.split('"')[::2]))  # outside of strings
    depths = accumulate(1 if mark in "[{" else -1 for mark in marks)
    if len(marks) > MOST_BRACKETS or max(depths, default=0) > DEEPEST_JSON:
        raise ValueError(f"JSON more than {DEEPEST_JSON} levels deep, or of more than {MOST_BRACKETS} brackets")
    return json.loads(text, object_pairs_hook=_decode_object)


def _decode_object(pairs):
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    kind = next(iter(found)) if len(found) == 1 else None
    return KINDS[kind](found[kind]) if kind in KINDS else found


def decode_parameters(data, classes):
    """Return an unfitted estimator from what `encode_parameters` made; ValueError for anything else.

    Parameters that are not there keep their defaults: they are younger than the file.

    Parameters
    ----------
    data : object
        As `decode` returns it.
    classes : dict of str to type
        The estimators that there may be.
    """
    check_keys(data, {"class", "parameters"})
    name, parameters = data["class"], data["parameters"]
    if not isinstance(name, str) or name not in classes:
        raise ValueError(f"{name!r:.80} is none of the classes {', '.join(classes)}")
    kind = classes[name]
    if not isinstance(parameters, dict) or not set(parameters) <= set(kind._get_param_names()) - LOCAL:
        raise ValueError(f"{name} has other parameters")
    return kind(
        **{
            name: decode_parameters(value.data, classes) if isinstance(value, Unbuilt) else value
            for name, value in parameters.items()
        }
    )

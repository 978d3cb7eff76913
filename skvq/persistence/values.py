"""Small values as JSON that tells exactly what they were, and back.

What JSON has no name for is an object with one key: ``{"tuple": [...]}``, ``{"float": "nan"}``, ``{"numpy": [dtype,
value]}``, ``{"array": [dtype, values]}``, ``{"dict": [[key, value], ...]}``, ``{"estimator": {...}}``.
"""

import math
import reprlib

import numpy as np
import torch
from sklearn.base import BaseEstimator

NUMPY_TYPES = {
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
}  # fmt: skip
NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def own_schema(estimator):
    """Return the schema of an estimator's own class; TypeError for classes that have none, subclasses among them."""
    schema = type(estimator).__dict__.get("_schema")
    if schema is None:
        raise TypeError(
            f"{type(estimator).__name__} is none of skvq's own estimators, whose files need no trust; keep it with "
            "skops or joblib"
        )
    return schema


def encode(value, name):
    """Return a value as JSON-able data.

    Parameters
    ----------
    value : object
        None, a boolean, number or string, a numpy scalar, a tuple, list, dict or one-dimensional array of these, a
        torch.device, or an estimator of this package, of which the parameters are kept.
    name : str
        What it is, for the error.

    Raises
    ------
    TypeError
        For anything else.
    """
    if value is None or isinstance(value, (bool, str)) and not isinstance(value, np.generic):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, np.generic):
        return _encode_number(value)
    if isinstance(value, (str, torch.device)):
        return str(value)
    if isinstance(value, np.generic) and value.dtype.name in NUMPY_TYPES:
        return {"numpy": [value.dtype.name, _encode_number(value.item())]}
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.name in NUMPY_TYPES:
        return {"array": [value.dtype.name, [_encode_number(item) for item in value.tolist()]]}
    if isinstance(value, list):
        return [encode(item, name) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [encode(item, name) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(key, name), encode(item, name)] for key, item in value.items()]}
    if isinstance(value, BaseEstimator) and "_schema" in type(value).__dict__:
        return {"estimator": encode_parameters(value)}
    raise TypeError(_refusal(value, name))


def _encode_number(value):
    if isinstance(value, float):
        if not math.isfinite(value):
            return {"float": str(value)}
        return float(value)
    return value if isinstance(value, bool) else int(value)


def _refusal(value, name):
    advice = "give it another value with set_params before save"
    if isinstance(value, np.random.RandomState):
        advice = f"pass an integer seed, or call set_params({name}=None) before save"
    return (
        f"{name}={reprlib.repr(value)} cannot be saved: a file of save holds None, booleans, numbers, strings, "
        f"sequences of these, and skvq's own estimators; {advice}, or keep the estimator with skops or joblib"
    )


def encode_parameters(estimator):
    """Return the class and the constructor parameters of an estimator as JSON-able data."""
    parameters = estimator.get_params(deep=False)
    return {
        "class": own_schema(estimator).class_name,
        "parameters": {name: encode(value, name) for name, value in parameters.items()},
    }


def decode(data, classes):
    """Return the value that `encode` made the data from; ValueError for data that no value has.

    Parameters
    ----------
    data : object
        As JSON has it.
    classes : dict of str to type
        The estimators that there may be.
    """
    if data is None or isinstance(data, (bool, int, float, str)):
        return data
    if isinstance(data, list):
        return [decode(item, classes) for item in data]
    if not isinstance(data, dict) or len(data) != 1:
        raise ValueError("a value of no known kind")
    ((kind, content),) = data.items()
    if kind == "float" and isinstance(content, str) and content in NOT_FINITE:
        return NOT_FINITE[content]
    if kind == "tuple" and isinstance(content, list):
        return tuple(decode(item, classes) for item in content)
    if kind in ("numpy", "array"):
        return _decode_numpy(kind, content, classes)
    if kind == "dict" and isinstance(content, list) and all(isinstance(p, list) and len(p) == 2 for p in content):
        return {decode(key, classes): decode(item, classes) for key, item in content}
    if kind == "estimator":
        return decode_parameters(content, classes)
    raise ValueError("a value of no known kind")


def _decode_numpy(kind, content, classes):
    if not isinstance(content, list) or len(content) != 2 or not isinstance(content[0], str):
        raise ValueError("a number of no known kind")
    dtype, data = content
    if dtype not in NUMPY_TYPES or isinstance(data, list) != (kind == "array"):
        raise ValueError("a number of no known kind")
    numbers = [decode(item, classes) for item in (data if kind == "array" else [data])]
    if not all(isinstance(number, (bool, int, float)) for number in numbers):
        raise ValueError("a number of no known kind")
    array = np.array(numbers, dtype=dtype)
    return array if kind == "array" else array[0]


def decode_parameters(data, classes):
    """Return an unfitted estimator of one of the `classes` from what `encode_parameters` made; ValueError otherwise.

    Parameters that are not there keep their defaults: they are younger than the file.
    """
    check_keys(data, {"class", "parameters"})
    name, parameters = data["class"], data["parameters"]
    if not isinstance(name, str) or name not in classes:
        raise ValueError(f"{name!r:.80} is none of the classes {', '.join(classes)}")
    kind = classes[name]
    if not isinstance(parameters, dict) or not set(parameters) <= set(kind._get_param_names()):
        raise ValueError(f"{name} has other parameters")
    return kind(**{name: decode(value, classes) for name, value in parameters.items()})


def check_keys(data, keys):
    """Raise ValueError unless the data are a dict with exactly these keys."""
    if not isinstance(data, dict) or set(data) != set(keys):
        raise ValueError(f"expected {', '.join(sorted(keys))}")

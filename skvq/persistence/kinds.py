"""Fitted attributes that are not plain values, as arrays and back.

A kind has three methods. ``pack(value)`` returns arrays by suffix: the key in a dict or list, or "" for the array that
is the attribute itself. ``expected(found, estimator)`` returns the Info of every array that must be there. It follows
from what the estimator holds already and, where that leaves a choice, from the Infos `found`; for what cannot be it
raises ValueError. ``unpack(arrays)`` returns the value, or raises ValueError.
"""

import math
import re

import numpy as np

from .container import Info
from .shapes import expected_weights

# No weight of a trained network is larger; the products of two of them do not overflow float32.
LARGEST_WEIGHT = 1e18
MOST_CURVES, MOST_EPOCHS, MOST_LABELS, MOST_CHARACTERS = 64, 2**18, 2**18, 2**23
TERM = re.compile("[a-z][a-z0-9_]{0,63}")
TEXTS = {"object", "str"}
NUMBERS = re.compile(r"bool|u?int(8|16|32|64)|float(16|32|64)")
TIMES = re.compile(r"(datetime|timedelta)64\[(Y|M|W|D|h|m|s|ms|us|ns)\]")


def within(array, low=-math.inf, high=math.inf):
    """Return whether all values are in [low, high] and finite, without memory of the array's size."""
    if array.size == 0:
        return True
    smallest, largest = array.min(), array.max()  # NaN if one is
    return bool(math.isfinite(smallest) and math.isfinite(largest) and low <= smallest and largest <= high)


def not_negative(array):
    """Return whether all values are finite and at least 0."""
    return within(array, low=0)


def positive(array):
    """Return whether all values are finite and above 0."""
    return within(array, low=np.finfo(np.float64).tiny)


def deviations(array):
    """Return whether the values can be standard deviations, whose squares a fit has held as float64."""
    return positive(array) and within(array, high=np.finfo(np.float64).max ** 0.5)


def shares(array):
    """Return whether the values are probabilities that can be drawn by."""
    return within(array, 0, 1) and abs(array.sum() - 1) < 1e-6 and array[:-1].sum() <= 1


def of_weights(array):
    """Return whether the values can be those of a network."""
    return within(array, -LARGEST_WEIGHT, LARGEST_WEIGHT)


def _checked(array, valid):
    if not valid(array):
        raise ValueError("an array holds values that are none of a fitted estimator")
    return array


class Array:
    """One array.

    Parameters
    ----------
    shape : callable
        The estimator → the shape.
    dtype : str, default="float64"
    valid : callable, default=within
        Array → whether its values can be; by default they are finite.
    """

    def __init__(self, shape, dtype="float64", valid=within):
        self.shape, self.dtype, self.valid = shape, dtype, valid

    def pack(self, value):
        return {"": value}

    def expected(self, found, estimator):
        return {"": Info(self.dtype, tuple(self.shape(estimator)))}

    def unpack(self, arrays):
        return _checked(arrays[""], self.valid)


class Arrays:
    """A dict or list of arrays.

    Parameters
    ----------
    infos : callable
        (estimator, Infos that are there) → the Info of each by key.
    valid : callable, default=within
    in_list : bool, default=False
    """

    def __init__(self, infos, valid=within, *, in_list=False):
        self.infos, self.valid, self.in_list = infos, valid, in_list

    def pack(self, value):
        return {str(index): array for index, array in enumerate(value)} if self.in_list else dict(value)

    def expected(self, found, estimator):
        return self.infos(estimator, found)

    def unpack(self, arrays):
        for array in arrays.values():
            _checked(array, self.valid)
        return [arrays[str(index)] for index in range(len(arrays))] if self.in_list else arrays


class Weights(Arrays):
    """The state of the network that `architecture_` describes.

    Parameters
    ----------
    build : callable
        (architecture, generator) → torch.nn.Module.
    """

    def __init__(self, build):
        super().__init__(lambda estimator, found: expected_weights(build, estimator.architecture_), of_weights)


class Curve:
    """A list of numbers, one for each epoch."""

    def pack(self, value):
        return {"": np.array(value, dtype=np.float64).reshape(len(value))}

    def expected(self, found, estimator):
        return {"": _as_curve(found.get("", Info("float64", ())))}

    def unpack(self, arrays):
        return arrays[""].tolist()


class Curves:
    """A dict of lists of numbers, one for each epoch."""

    def pack(self, value):
        return {name: Curve().pack(curve)[""] for name, curve in value.items()}

    def expected(self, found, estimator):
        if len(found) > MOST_CURVES or not all(TERM.fullmatch(name) for name in found):
            raise ValueError("curves have other names")
        if sum(math.prod(info.shape) for info in found.values()) > 4 * MOST_EPOCHS:
            raise ValueError("the curves are too long")
        return {name: _as_curve(info) for name, info in found.items()}

    def unpack(self, arrays):
        return {name: array.tolist() for name, array in arrays.items()}


def _as_curve(info):
    """Return the Info of a curve as long as `info` says; ValueError if that is of no curve."""
    if len(info.shape) != 1 or info.shape[0] > MOST_EPOCHS:
        raise ValueError(f"a curve of the shape {info.shape} is none, or is too long")
    return Info("float64", info.shape)


class Labels:
    """Class labels or names of columns: strings, and without `text_only` numbers, booleans and dates.

    The suffix is the dtype of the labels. Strings are kept as their code points, uint32 (n, longest), padded with
    zeros; where they are Python's own a bar stands behind each, since numpy would drop zeros at the end.

    Parameters
    ----------
    length : callable, default=None
        The estimator → how many; None takes as many as there are, all different.
    text_only : bool, default=False
    """

    def __init__(self, length=None, *, text_only=False):
        self.length, self.text_only = length, text_only

    def pack(self, value):
        if value.dtype.kind in "mM":
            return {value.dtype.name: value.view(np.int64)}
        if value.dtype.kind not in "OU":
            return {value.dtype.name: value}
        if value.dtype.kind == "U":
            return {"str": _code_points(value)}
        others = {type(text).__name__ for text in value if not isinstance(text, str)}
        if others:
            raise TypeError(
                f"an object array of {', '.join(sorted(others))} cannot be saved, only one of strings; keep the "
                "estimator with skops or joblib"
            )
        if len(value) * max(map(len, value)) > MOST_CHARACTERS:
            raise ValueError("strings are too long")
        return {"object": _code_points(np.array([f"{text}|" for text in value]))}

    def expected(self, found, estimator):
        if len(found) != 1:
            raise ValueError("labels are expected")
        ((dtype, info),) = found.items()
        n, width = info.shape[0] if self.length is None else self.length(estimator), info.shape[1:2]
        if n > MOST_LABELS or n * sum(width) > MOST_CHARACTERS:
            raise ValueError(f"{n} labels are too many, or are too long")
        if dtype in TEXTS:
            return {dtype: Info("uint32", (n, *width))}
        if self.text_only or not (NUMBERS.fullmatch(dtype) or TIMES.fullmatch(dtype)):
            raise ValueError("labels of no known kind")
        return {dtype: Info("int64" if TIMES.fullmatch(dtype) else dtype, (n,))}

    def unpack(self, arrays):
        ((dtype, labels),) = arrays.items()
        if dtype in TEXTS:
            labels = labels.view(f"U{labels.shape[1]}")[:, 0]
            texts = labels.tolist()  # ValueError for what are no code points
            labels = np.array([text[:-1] for text in texts], dtype=object) if dtype == "object" else labels
        elif TIMES.fullmatch(dtype):
            labels = labels.view(dtype)
        if not self.text_only and len(np.unique(labels)) != len(labels):
            raise ValueError("a label is there twice")
        return labels


def _code_points(texts):
    return texts.view(np.uint32).reshape(len(texts), texts.dtype.itemsize // 4)

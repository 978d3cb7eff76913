"""Fitted attributes that are not plain values, as arrays and back.

The arrays of an attribute have suffixes: the key in a dict or list, or "" for the array that is the attribute itself.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from operator import itemgetter

import numpy as np

from .container import Info
from .shapes import expected_weights

# No weight of a trained network is larger; the products of two of them do not overflow float32.
LARGEST_WEIGHT = 1e18
MOST_CURVES, MOST_EPOCHS, MOST_LABELS, MOST_CHARACTERS = 64, 2**18, 2**18, 2**23
TERM = re.compile("|[a-z][a-z0-9_]{0,63}")
NUMBERS = re.compile(r"bool|u?int(8|16|32|64)|float(16|32|64)")
TIMES = re.compile(r"(datetime|timedelta)64\[(Y|M|W|D|h|m|s|ms|us|ns)\]")


def within(array, low=-math.inf, high=math.inf):
    """Return whether all values are in [low, high] and finite, without memory of the array's size."""
    if array.size == 0:
        return True
    smallest, largest = array.min(), array.max()  # NaN if one is
    return bool(math.isfinite(smallest) and math.isfinite(largest) and low <= smallest and largest <= high)


def shares(array):
    """Return whether the values are probabilities that can be drawn by."""
    return within(array, 0, 1) and abs(array.sum() - 1) < 1e-6 and array[:-1].sum() <= 1


not_negative = partial(within, low=0)
positive = partial(within, low=np.finfo(np.float64).tiny)
# Standard deviations, whose squares a fit has held as float64.
deviations = partial(positive, high=np.finfo(np.float64).max ** 0.5)


@dataclass(frozen=True)
class Kind:
    """A way to keep an attribute as arrays.

    Attributes
    ----------
    expected : callable
        (estimator, Infos that are there) → the Info of every array that must be there, by suffix. It follows from what
        the estimator holds already and, where that leaves a choice, from what is there. ValueError for what cannot be.
    pack : callable, default=dict
        The attribute → its arrays by suffix.
    unpack : callable, default=dict
        Arrays by suffix → the attribute; ValueError for what is none.
    valid : callable, default=within
        An array → whether its values can be; by default they are finite.
    """

    expected: Callable
    pack: Callable = dict
    unpack: Callable = dict
    valid: Callable = within


def one_array(shape, dtype="float64", valid=within):
    """Return the kind of an array of the shape that ``shape(estimator)`` returns."""
    return Kind(
        lambda estimator, found: {"": Info(dtype, tuple(shape(estimator)))}, lambda a: {"": a}, itemgetter(""), valid
    )


def list_of_arrays(shapes):
    """Return the kind of a list of arrays of the shapes that ``shapes(estimator)`` returns, in float32 or float64."""

    def expected(estimator, found):
        dtype = "float32" if {info.dtype for info in found.values()} == {"float32"} else "float64"
        return {str(index): Info(dtype, tuple(shape)) for index, shape in enumerate(shapes(estimator))}

    return Kind(
        expected,
        lambda arrays: {str(index): array for index, array in enumerate(arrays)},
        lambda found: [found[str(index)] for index in range(len(found))],
    )


def network_weights(build):
    """Return the kind of the state of the network that ``build(architecture_, generator)`` returns."""
    return Kind(
        lambda estimator, found: expected_weights(build, estimator.architecture_),
        valid=partial(within, low=-LARGEST_WEIGHT, high=LARGEST_WEIGHT),
    )


def _curves(estimator, found):
    if len(found) > MOST_CURVES or not all(TERM.fullmatch(name) for name in found):
        raise ValueError("curves have other names")
    lengths = {name: math.prod(info.shape) for name, info in found.items()}
    if max(lengths.values(), default=0) > MOST_EPOCHS or sum(lengths.values()) > 4 * MOST_EPOCHS:
        raise ValueError("curves are too long")
    return {name: Info("float64", (length,)) for name, length in lengths.items()}


def _as_curve(values):
    return np.array(values, dtype=np.float64).reshape(len(values))


def _anything(array):
    return True


# A list of numbers, one for each epoch; a dict of such lists.
CURVE = Kind(_curves, lambda values: {"": _as_curve(values)}, lambda found: found[""].tolist(), _anything)
CURVES = Kind(
    _curves,
    lambda values: {name: _as_curve(curve) for name, curve in values.items()},
    lambda found: {name: array.tolist() for name, array in found.items()},
    _anything,
)


def labels(length=None, *, distinct=True):
    """Return the kind of an array of strings, numbers, booleans or dates.

    The suffix is their dtype. Strings are kept as code points, uint32 (n, longest), padded with zeros; behind each of
    Python's own is a bar, since numpy drops zeros at the end.

    Parameters
    ----------
    length : callable, default=None
        The estimator → how many; None takes as many as there are.
    distinct : bool, default=True
        Whether all must be different.
    """

    def expected(estimator, found):
        ((dtype, info),) = found.items()
        n = info.shape[0] if length is None else length(estimator)
        if n > MOST_LABELS or n * math.prod(info.shape[1:]) > MOST_CHARACTERS:
            raise ValueError(f"{n} labels are too many, or are too long")
        if dtype in ("object", "str"):
            return {dtype: Info("uint32", (n, *info.shape[1:2]))}
        if not NUMBERS.fullmatch(dtype) and not TIMES.fullmatch(dtype):
            raise ValueError("labels of no known kind")
        return {dtype: Info("int64" if TIMES.fullmatch(dtype) else dtype, (n,))}

    def unpack(found):
        ((dtype, array),) = found.items()
        if dtype in ("object", "str"):
            array = array.view(f"U{array.shape[1]}")[:, 0]
            texts = array.tolist()  # ValueError for what are no code points
            array = np.array([text[:-1] for text in texts], dtype=object) if dtype == "object" else array
        elif TIMES.fullmatch(dtype):
            array = array.view(dtype)
        if distinct and len(np.unique(array)) != len(array):
            raise ValueError("a label is there twice")
        return array

    return Kind(expected, _pack_labels, unpack, _anything)


def _pack_labels(array):
    if array.dtype.kind in "mM":
        return {array.dtype.name: array.view(np.int64)}
    if array.dtype.kind not in "OU":
        return {array.dtype.name: array}
    if array.dtype.kind == "O":
        others = {type(text).__name__ for text in array if not isinstance(text, str)}
        if others:
            raise TypeError(
                f"an object array of {', '.join(sorted(others))} cannot be saved, only one of strings; keep the "
                "estimator with skops or joblib"
            )
        if len(array) * max(map(len, array), default=0) > MOST_CHARACTERS:
            raise ValueError("strings are too long")
    texts = np.array([f"{text}|" for text in array]) if array.dtype.kind == "O" else array
    points = texts.view(np.uint32).reshape(len(texts), texts.dtype.itemsize // 4)
    return {"object" if array.dtype.kind == "O" else "str": points}

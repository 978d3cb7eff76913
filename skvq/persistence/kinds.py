"""How a fitted attribute that is not a plain value is kept: as arrays, and as facts, which are JSON-able.

A kind has three methods. ``pack(value)`` returns the facts and the arrays by suffix (the key in a dict or list, "" for
the array that is the attribute itself). ``expected(facts, found, estimator)`` returns the Info of every array that must
be there, from what the estimator holds already and, where that leaves a choice, from the Infos `found`; it raises
ValueError for what cannot be. ``unpack(facts, arrays, estimator)`` returns the value, or raises ValueError.
"""

import math
import re

import numpy as np

from .container import Info
from .shapes import expected_weights

# No weight of a trained network is larger; the products of two of them do not overflow float32.
LARGEST_WEIGHT = 1e18
MOST_CURVES, MOST_EPOCHS, MOST_TEXTS, MOST_CHARACTERS = 64, 2**18, 2**18, 2**21
TERM = re.compile("[a-z][a-z0-9_]{0,63}")
LABEL_DTYPES = {
    "number": r"bool|u?int(8|16|32|64)|float(16|32|64)",
    "time": r"(datetime|timedelta)64\[(Y|M|W|D|h|m|s|ms|us|ns)\]",
}


def within(array, low=-math.inf, high=math.inf):
    """Return whether all values are in [low, high] and finite, without memory of the array's size."""
    if array.size == 0:
        return True
    smallest, largest = array.min(), array.max()  # NaN if one is
    return bool(math.isfinite(smallest) and math.isfinite(largest) and low <= smallest and largest <= high)


def finite(array):
    """Return whether all values are finite."""
    return within(array)


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


class Array:
    """One array.

    Parameters
    ----------
    shape : callable
        The estimator → the shape.
    dtype : str, default="float64"
    valid : callable, default=finite
        Array → whether its values can be.
    """

    def __init__(self, shape, dtype="float64", valid=finite):
        self.shape, self.dtype, self.valid = shape, dtype, valid

    def pack(self, value):
        return None, {"": value}

    def expected(self, facts, found, estimator):
        return {"": Info(self.dtype, tuple(self.shape(estimator)))}

    def unpack(self, facts, arrays, estimator):
        return _checked(arrays[""], self.valid)


class NumberOrArray(Array):
    """None, a positive number, or an array of positive numbers."""

    def pack(self, value):
        return (None, {"": value}) if isinstance(value, np.ndarray) else (value, {})

    def expected(self, facts, found, estimator):
        if found:
            return super().expected(facts, found, estimator)
        if facts is not None and not (isinstance(facts, float) and 0 < facts < math.inf):
            raise ValueError("a positive number is expected")
        return {}

    def unpack(self, facts, arrays, estimator):
        return super().unpack(facts, arrays, estimator) if arrays else facts


class Curve:
    """A list of numbers, one for each epoch, or None."""

    def pack(self, value):
        return value is None, {} if value is None else {"": np.array(value, dtype=np.float64).reshape(len(value))}

    def expected(self, facts, found, estimator):
        return {} if facts is True else {"": as_curve(found.get(""))}

    def unpack(self, facts, arrays, estimator):
        return None if facts is True else arrays[""].tolist()


class Curves:
    """A dict of lists of numbers, one for each epoch."""

    def pack(self, value):
        return None, {name: np.array(curve, dtype=np.float64).reshape(len(curve)) for name, curve in value.items()}

    def expected(self, facts, found, estimator):
        if len(found) > MOST_CURVES or not all(TERM.fullmatch(name) for name in found):
            raise ValueError("curves have other names")
        if sum(math.prod(info.shape) for info in found.values()) > 4 * MOST_EPOCHS:
            raise ValueError("the curves are too long")
        return {name: as_curve(info) for name, info in found.items()}

    def unpack(self, facts, arrays, estimator):
        return {name: array.tolist() for name, array in arrays.items()}


def as_curve(info):
    """Return the Info of a curve as long as `info` says; ValueError if that is of no curve."""
    if info is None or len(info.shape) != 1:
        raise ValueError("a curve is expected")
    if info.shape[0] > MOST_EPOCHS:
        raise ValueError(f"a curve of {info.shape[0]} epochs is too long")
    return Info("float64", info.shape)


class Arrays:
    """A list of arrays of one dtype, float32 or float64, all finite.

    Parameters
    ----------
    shapes : callable
        The estimator → their shapes.
    """

    def __init__(self, shapes):
        self.shapes = shapes

    def pack(self, value):
        return None, {str(index): array for index, array in enumerate(value)}

    def expected(self, facts, found, estimator):
        dtype = "float32" if found and next(iter(found.values())).dtype == "float32" else "float64"
        return {str(index): Info(dtype, tuple(shape)) for index, shape in enumerate(self.shapes(estimator))}

    def unpack(self, facts, arrays, estimator):
        return [_checked(arrays[str(index)], finite) for index in range(len(arrays))]


class NamedArrays:
    """A dict of arrays.

    Parameters
    ----------
    infos : callable
        The estimator → the Info of each.
    valid : callable, default=finite
    """

    def __init__(self, infos, valid=finite):
        self.infos, self.valid = infos, valid

    def pack(self, value):
        return None, dict(value)

    def expected(self, facts, found, estimator):
        return self.infos(estimator)

    def unpack(self, facts, arrays, estimator):
        return {name: _checked(array, self.valid) for name, array in arrays.items()}


class Weights(NamedArrays):
    """The state of the network that `architecture_` describes."""

    def __init__(self):
        super().__init__(lambda estimator: expected_weights(estimator._build, estimator.architecture_), of_weights)


class Texts:
    """An array of strings, of dtype object or "<U": the bytes of UTF-8 one after the other, and where each ends.

    Parameters
    ----------
    length : callable
        The estimator → how many.
    """

    def __init__(self, length):
        self.length = length

    def pack(self, value):
        texts = value.tolist()
        others = {type(text).__name__ for text in texts if not isinstance(text, str)}
        if others:
            raise TypeError(
                f"an object array of {', '.join(sorted(others))} cannot be saved, only one of strings; keep the "
                "estimator with skops or joblib"
            )
        pieces = [text.encode("utf-8", "surrogatepass") for text in texts]
        ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
        arrays = {"text": np.frombuffer(b"".join(pieces), dtype=np.uint8), "ends": ends}
        return 0 if value.dtype.kind == "O" else value.dtype.itemsize // 4, arrays

    def expected(self, facts, found, estimator):
        n, width = self._count(found.get("ends"), estimator), facts
        if type(width) is not int or not 0 <= width * n <= MOST_CHARACTERS or n > MOST_TEXTS:
            raise ValueError("too many strings, or too long ones")
        if "text" not in found or len(found["text"].shape) != 1 or found["text"].shape[0] > MOST_CHARACTERS:
            raise ValueError("strings are expected, not too long in all")
        return {"text": Info("uint8", found["text"].shape), "ends": Info("int64", (n,))}

    def _count(self, found, estimator):
        if self.length is not None:
            return self.length(estimator)
        return found.shape[0] if found is not None and len(found.shape) == 1 else 0

    def unpack(self, facts, arrays, estimator):
        data, ends = arrays["text"].tobytes(), arrays["ends"].tolist()
        starts = [0, *ends[:-1]]
        if starts != sorted(starts) or ends[-1:] != [len(data)] or any(a > b for a, b in zip(starts, ends)):
            raise ValueError("strings that do not follow each other")
        texts = [data[start:stop].decode("utf-8", "surrogatepass") for start, stop in zip(starts, ends)]
        if facts > 0 and any(len(text) > facts for text in texts):
            raise ValueError("a string is longer than it may be")
        return np.array(texts, dtype=object if facts == 0 else f"<U{facts}")


class Labels(Texts):
    """Class labels: strings, numbers, booleans, or dates.

    Parameters
    ----------
    length : callable, default=None
        The estimator → how many; None takes as many as there are.
    """

    def __init__(self, length=None):
        super().__init__(length)

    def pack(self, value):
        if value.dtype.kind in "OU":
            width, arrays = super().pack(value)
            return ["text", width], arrays
        if value.dtype.kind in "mM":
            return ["time", value.dtype.name], {"": value.view(np.int64)}
        return ["number", value.dtype.name], {"": value}

    def expected(self, facts, found, estimator):
        if not isinstance(facts, list) or len(facts) != 2:
            raise ValueError("labels of no known kind")
        kind, detail = facts
        if kind == "text":
            return super().expected(detail, found, estimator)
        if kind not in LABEL_DTYPES or not isinstance(detail, str) or not re.fullmatch(LABEL_DTYPES[kind], detail):
            raise ValueError("labels of no known kind")
        n = self._count(found.get(""), estimator)
        if n > MOST_TEXTS:
            raise ValueError(f"{n} labels are too many")
        return {"": Info("int64" if kind == "time" else detail, (n,))}

    def unpack(self, facts, arrays, estimator):
        kind, detail = facts
        if kind == "text":
            labels = super().unpack(detail, arrays, estimator)
        else:
            labels = arrays[""].view(detail) if kind == "time" else arrays[""]
        if len(np.unique(labels)) != len(labels):
            raise ValueError("a label is there twice")
        return labels


def _checked(array, valid):
    if not valid(array):
        raise ValueError("an array holds values that are none of a fitted estimator")
    return array

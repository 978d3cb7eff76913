"""Check class labels before they are learned: missing ones, mixed types, and matrices that are no indicators."""

from numbers import Integral, Number

import numpy as np
from scipy import sparse

from ..training.batches import as_array

EVERY_ROW = "every row needs a label: leave such rows out, or give them a label of their own"
# Larger floats are no integers that numpy knows.
LARGEST_LABEL = 2.0**63
WAY_OUT = "pass labels of one type, such as y.astype(str)"


def is_missing(label):
    """Return whether a label is None, or not equal to itself, as NaN and pandas.NA are not."""
    same = label == label
    return label is None or not (isinstance(same, (bool, np.bool_)) and same)


def check_labels(y, name="y"):
    """Return labels in which no label is missing, and all are of one type.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, n_labels), or sparse matrix
        Numbers, strings, booleans, dates, or objects.
    name : str, default="y"
        What the labels are called, for messages.

    Returns
    -------
    y : ndarray, or what was passed
        Objects that are numbers come as an array of these.

    Raises
    ------
    ValueError
        For labels that are missing, of several types, or complex; for rows of unequal lengths.
    """
    y = _of_numpy(as_array(y, name))
    if y is None or sparse.issparse(y):
        return y
    if isinstance(y, (list, tuple)):
        _refuse_several_types(y, name)
    try:
        array = np.asarray(y)
    except ValueError:
        raise ValueError(f"{name} holds rows of unequal lengths; pass one label for each row") from None
    if array.dtype.kind == "c":
        raise ValueError(f"{name} has dtype {array.dtype}. Complex data not supported: {WAY_OUT}")
    if array.dtype.kind in "mMf" and (missing := array != array).any():  # NaT and NaN are not equal to themselves
        row = np.argwhere(missing)[0][0]
        raise ValueError(
            f"Input {name} contains {'NaN' if array.dtype.kind == 'f' else 'NaT'} in row {row}; {EVERY_ROW}"
        )
    if array.dtype.kind != "O":
        return y
    labels = array.ravel().tolist()
    if set(map(type, labels)) == {str}:
        return y
    for position, label in enumerate(labels):
        if is_missing(label):
            row = position // max(1, array[0].size if array.ndim > 1 else 1)
            raise ValueError(f"Input {name} contains NaN or None: the label of row {row} is {label!r}; {EVERY_ROW}")
    _refuse_several_types(labels, name)
    is_number = bool(labels) and all(isinstance(label, Number) for label in labels)
    return np.array(labels).reshape(array.shape) if is_number and getattr(y, "dtype", None) == np.dtype("O") else y


def _of_numpy(y):
    """Return integers of pandas, "Int64" or of pyarrow, as those of numpy where none is missing; else what was passed.

    scikit-learn would make floats of them.
    """
    dtype = getattr(getattr(y, "dtype", None), "numpy_dtype", None)
    if dtype is None or dtype.kind not in "iu" or not hasattr(y, "to_numpy") or y.isna().any():
        return y
    return y.to_numpy(dtype=dtype)


def _refuse_several_types(labels, name):
    """Raise ValueError for labels of which some are strings and some are not, and others that cannot be compared."""
    if len(set(map(type, labels))) == 1:
        return
    first = {}
    for row, label in enumerate(labels):
        kind = Number if isinstance(label, (Number, np.bool_)) else str if isinstance(label, str) else type(label)
        first.setdefault(kind, (row, label))
    if len(first) > 1 and not any(label is None for _, label in first.values()):
        found = " and ".join(f"{label!r} (row {row})" for row, label in list(first.values())[:3])
        raise ValueError(f"the labels of {name} are of mixed types: {found}; {WAY_OUT}")


def check_classes(y, name="y", estimator="a classifier", instead="use a regressor"):
    """Return labels that :func:`check_labels` takes, and that are classes: not numbers with a fraction, no bytes.

    Parameters
    ----------
    y, name
        As there.
    estimator : str
        What takes them, for messages.
    instead : str
        What to do with numbers that are measured.

    Raises
    ------
    ValueError
        As there, for numbers that are not whole or beyond 64 bits, and for a matrix that holds anything but 0 and 1.
    TypeError
        For bytes.
    """
    y = check_labels(y, name)
    if y is None:
        return y
    values = y.data if sparse.issparse(y) else np.asarray(y)
    if len(y.shape if sparse.issparse(y) else values.shape) > 2:
        raise ValueError(f"{name} has shape {values.shape}; labels are (n,), or an indicator matrix (n, n_labels)")
    if values.size and (values.dtype.kind == "S" or isinstance(values.flat[0], bytes)):
        raise TypeError(
            f"Support for labels represented as bytes is not supported: {name} holds {values.flat[0]!r:.80}. Convert "
            f"the labels to a string or integer format: {name}.astype(str)"
        )
    largest = max(values.flat, key=abs, default=0) if values.dtype.kind == "O" and _all_integers(values) else 0
    if abs(largest) > LARGEST_LABEL:
        raise ValueError(
            f"Unknown label type: {name} holds {largest:.3g}, beyond integers of 64 bits; {estimator} takes classes: "
            f"pass smaller integers or strings, such as {name}.astype(str)"
        )
    if values.size and (values.dtype.kind == "V" or values.dtype.kind == "O" and not isinstance(values.flat[0], str)):
        raise ValueError(
            f"Unknown label type: {name} holds objects of type {type(values.flat[0]).__name__}, such as "
            f"{values.flat[0]!r:.80}; {estimator} takes strings, integers, booleans or dates of numpy (datetime64)"
        )
    if is_indicator(y):
        _check_indicators(values, y.shape if sparse.issparse(y) else values.shape, name)
    elif values.dtype.kind == "f" and np.isfinite(values).all() and (fractions := values != np.floor(values)).any():
        row = int(np.flatnonzero(fractions.ravel())[0])
        raise ValueError(
            f"Unknown label type: {name} holds numbers that are not whole, such as {values.ravel()[row]:.6g} (row "
            f"{row}), but {estimator} takes classes; pass integers or strings, or {instead}"
        )
    elif values.dtype.kind == "f" and np.isfinite(values).all() and (np.abs(values) > LARGEST_LABEL).any():
        raise ValueError(
            f"Unknown label type: {name} holds {values.flat[np.abs(values).argmax()]:.3g}, beyond integers of 64 bits; "
            f"{estimator} takes classes: pass integers or strings"
        )
    return y


def _all_integers(values):
    return all(isinstance(value, Integral) for value in values.flat)


def is_indicator(y):
    """Return whether labels are a matrix with a column for each of several labels."""
    shape = y.shape if sparse.issparse(y) else np.asarray(y).shape
    return sparse.issparse(y) or (len(shape) == 2 and shape[1] > 1)


def _check_indicators(values, shape, name):
    """Raise ValueError for a matrix of labels that holds anything but zeros and ones."""
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        return  # scikit-learn's validation says so
    is_indicator = values.dtype.kind in "biuf" and bool(((values == 0) | (values == 1)).all())
    if not is_indicator:
        some = np.unique(values.astype(str) if values.dtype.kind == "O" else values)[:5].tolist()
        raise ValueError(
            f"Unknown label type: {name} has shape {shape} and holds {', '.join(map(repr, some))}; a matrix of labels "
            f"is an indicator matrix of 0 and 1: pass ({name} > 0).astype(int) if it is one, or a label for each row "
            "(n,)"
        )

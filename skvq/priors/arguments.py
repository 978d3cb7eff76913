"""Check the class labels and the partly known grids that a model of grids is given."""

import math
from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_consistent_length, column_or_1d

from .._warnings import warn_user
from ..core.codes import check_codes
from ..core.labels import check_classes
from ..training.batches import as_array

CONDITIONAL = "a model with class_conditional=True"


def check_grid_shape(grid_shape):
    """Return the parameter `grid_shape` as a tuple of int (h, w), or None; raise ValueError for anything else.

    Examples
    --------
    >>> check_grid_shape([4, 8])
    (4, 8)
    """
    if grid_shape is None:
        return None
    try:
        shape = tuple(grid_shape)
    except TypeError:
        shape = ()
    if len(shape) != 2 or not all(isinstance(s, Integral) and not isinstance(s, bool) and s > 0 for s in shape):
        raise ValueError(f"grid_shape={grid_shape!r:.80} must be None or (h, w), two positive integers")
    return int(shape[0]), int(shape[1])


def learn_classes(X, y):
    """Return the sorted classes of the labels y, one for each row of X, and the class index of every row.

    Raises
    ------
    ValueError
        Without y, with another number of labels than rows, and for labels that no classifier takes: missing ones,
        those of mixed types, numbers that are not whole.
    """
    if y is None:
        raise ValueError("class_conditional=True requires y to be passed, but the target y is None: call fit(X, y)")
    labels = check_classes(y, estimator=CONDITIONAL, instead="bin them first: numpy.digitize(y, bins)")
    labels = column_or_1d(labels, warn=True)
    check_consistent_length(X, labels)
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise ValueError("Input y contains infinity; labels of numbers must be finite")
    try:
        classes, indices = np.unique(labels, return_inverse=True)
    except TypeError:
        raise ValueError(
            f"the labels of y, such as {labels[0]!r:.80}, cannot be sorted; pass strings, numbers or dates"
        ) from None
    if len(classes) > max(2, len(labels) / 2):
        warn_user(
            f"y has {len(classes)} different labels for {len(labels)} rows; each is taken for a class of its own",
        )
    return classes, indices.astype(np.int64)


def class_indices(y, classes, n_rows):
    """Return the class indices (n_rows,), int64, for one label or one per row.

    Raises
    ------
    ValueError
        For another number of labels, or one that is not among `classes`.
    """
    y = np.asarray(as_array(y, "y"))
    if y.dtype.kind == classes.dtype.kind == "M":
        y = y.astype(classes.dtype)  # the same day is another object in another unit
    labels = [y.item()] if y.ndim == 0 else column_or_1d(y, warn=True).tolist()
    if y.ndim > 0 and len(labels) != n_rows:
        raise ValueError(f"y holds {len(labels)} labels; it must be one label, or {n_rows}, one for each row")
    numbers = {label: index for index, label in enumerate(classes.tolist())}
    unknown = [label for label in labels if label not in numbers]
    if unknown:
        raise ValueError(f"y holds the label {unknown[0]!r}, which is none of the classes of fit: {classes}")
    return np.broadcast_to(np.array([numbers[label] for label in labels], dtype=np.int64), n_rows)


def as_grids(name, array, grid_shape, n_samples):
    """Return one grid or `n_samples` grids, each laid out as (h, w) or (h * w,), as an array (1 or n_samples, h * w).

    Raises
    ------
    ValueError
        For any other shape.
    """
    array, layouts = np.asarray(as_array(array, name)), ((math.prod(grid_shape),), tuple(grid_shape))
    if array.shape in layouts:
        array = array[None]
    if array.shape[1:] not in layouts or len(array) not in (1, n_samples):
        raise ValueError(
            f"{name} has shape {array.shape}; it must be one grid, of shape {layouts[1]} or {layouts[0]}, or one for "
            f"each of the n_samples={n_samples}"
        )
    return array.reshape(len(array), -1)


def check_given(given, mask, grid_shape, n_samples, n_codes):
    """Return known codes, int64, and where they are known, bool, (1, h * w) or (n_samples, h * w) both; or two None.

    Codes that are not known become 0, whatever they were.

    Raises
    ------
    TypeError
        If `mask` is not boolean.
    ValueError
        If only one of the two is given, for a wrong shape, or for known codes that are no codes.
    """
    if given is None and mask is None:
        return None, None
    if given is None or mask is None:
        raise ValueError("given and mask go together: the codes that are known, and where (True) they are")
    known = as_grids("mask", mask, grid_shape, n_samples)
    if known.dtype != bool:
        raise TypeError(f"mask has dtype {known.dtype}; it must be boolean, True where the code is known")
    codes, known = np.broadcast_arrays(as_grids("given", given, grid_shape, n_samples), known)
    if codes.dtype.kind not in "biuf":
        raise ValueError(f"given has dtype {codes.dtype}; it must hold integer codes")
    return check_codes(np.where(known, codes, np.zeros((), codes.dtype)), n_codes).astype(np.int64), known

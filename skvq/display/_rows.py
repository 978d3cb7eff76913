"""Helpers of the displays for rows: images to show, or the columns of a table."""

from __future__ import annotations

import numbers

import numpy as np
from scipy import sparse

from ..core.layout import check_image_shape
from ..training.batches import as_array


def first_rows(X, n_images):
    """Return the first `n_images` rows of anything that has rows."""
    if isinstance(n_images, bool) or not isinstance(n_images, numbers.Integral) or n_images < 1:
        raise ValueError(f"n_images={n_images!r} must be a whole number, at least 1")
    if X is None:
        raise ValueError("X=None has no rows to show")
    n = int(n_images)
    if hasattr(X, "iloc"):
        return X.iloc[:n]
    if sparse.issparse(X):
        return X.tocsr()[:n]
    return X[:n] if hasattr(X, "shape") else np.asarray(X)[:n]


def values_of(X):
    """Return X as a dense ndarray."""
    return X.toarray() if sparse.issparse(X) else np.asarray(as_array(X))


def as_table(X):
    """Return X as a dense ndarray (n, n_features)."""
    X = values_of(X)
    return X.reshape(len(X), -1)


def column_names(names, n):
    """Return n names of columns as a list of str; without names they are x0, x1, …"""
    return [f"x{i}" for i in range(n)] if names is None else [str(name) for name in names]


def check_numbers(name, given, n, most=None):
    """Return the parameter `name`, one or several of 0 … n - 1, as an array of int."""
    chosen = np.atleast_1d(given)
    wrong = chosen.dtype.kind not in "iu" or not chosen.size or chosen.min() < 0 or chosen.max() >= n
    if wrong or (most is not None and len(chosen) > most):
        accepted = "integers" if most is None else f"at most {most} integers"
        raise ValueError(f"{name}={given!r} must be {accepted} in 0 ... {n - 1}")
    return chosen


def shape_of_images(X, image_shape=None, estimator=None):
    """Return the shape of an image in X, or None for a table: as given, as `estimator` has it, or as X shows it."""
    X = values_of(X)
    if image_shape is None:
        image_shape = getattr(estimator, "image_shape_", None)
    if image_shape is None and getattr(estimator, "grid_shape_", (1,))[0] > 1:
        image_shape = estimator.grid_shape_
    if image_shape is None and X.ndim > 2:
        image_shape = X.shape[1:]
    return check_image_shape(image_shape, int(np.prod(X.shape[1:])))


def as_images(X, image_shape):
    """Return rows as an array (n, H, W), (n, H, W, 3) or (n, H, W, 4) that can be drawn."""
    X = values_of(X)
    images = X.reshape(len(X), *image_shape)
    if images.ndim == 4 and images.shape[3] not in (1, 3, 4):
        raise ValueError(
            f"images of shape {tuple(image_shape)} have {images.shape[3]} channels; those with 1, 3 or 4 can be drawn"
        )
    return images[..., 0] if images.ndim == 4 and images.shape[3] == 1 else images


def drawable(image_shape, *stacks, tail=0.0):
    """Return stacks of rows as images that ``imshow`` takes, and its keywords.

    The first stack says which values are drawn as black and white: the ends of its range, beyond which a share of
    `tail` of its values may lie at each end; in colour 0 and 1, or 0 and 255, if its values are within these.
    """
    stacks = [as_images(rows, image_shape) for rows in stacks]
    low, high = map(float, np.quantile(stacks[0], (tail, 1 - tail)))
    if stacks[0].ndim == 3:
        return stacks, {"cmap": "gray", "vmin": low, "vmax": high}
    if low >= 0 and high <= 255:
        low, high = 0.0, 1.0 if high <= 1 and stacks[0].dtype.kind == "f" else 255.0
    width = high - low if high > low else 1.0
    return [np.clip((images - low) / width, 0.0, 1.0) for images in stacks], {}

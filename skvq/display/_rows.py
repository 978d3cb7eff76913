"""Rows as the displays see them: images to show, or the columns of a table."""

from __future__ import annotations

import numbers

import numpy as np
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from ..core.layout import as_array, check_image_shape

DRAWABLE_CHANNELS = 1, 3, 4


def check_estimator(estimator, caller, needed, accepted):
    """Raise TypeError unless an estimator has the methods `needed`; NotFittedError unless it is fitted.

    Parameters
    ----------
    estimator : object
    caller : str
        Who asks.
    needed : tuple of str
        Names of methods or attributes; those that end in an underscore come with `fit`.
    accepted : str
        What would have been accepted.
    """
    if isinstance(estimator, type) or not hasattr(estimator, "fit"):
        raise TypeError(f"{caller} needs {accepted}, got {estimator!r}")
    try:
        for name in needed:
            if not name.endswith("_"):
                getattr(estimator, name)
        check_is_fitted(estimator)
        for name in needed:
            getattr(estimator, name)
    except NotFittedError:  # an AttributeError, too
        raise
    except AttributeError as error:
        reason = error.__cause__ or error  # scikit-learn puts what an estimator says itself behind its own words
        raise TypeError(f"{caller} needs {accepted}, got {estimator!r}: {reason}") from error


def first_rows(X, n_images):
    """Return the first `n_images` rows of anything with rows."""
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


def column_names(X, n):
    """Return the names of the n columns: those of a DataFrame, else x0, x1, …"""
    names = getattr(X, "columns", None)
    return [f"x{i}" for i in range(n)] if names is None else [str(name) for name in names]


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
    if images.ndim == 4 and images.shape[3] not in DRAWABLE_CHANNELS:
        raise ValueError(
            f"images of shape {tuple(image_shape)} have {images.shape[3]} channels; those with 1, 3 or 4 can be drawn"
        )
    return images[..., 0] if images.ndim == 4 and images.shape[3] == 1 else images


def value_range(images, tail=0.0):
    """Return (low, high), the values that are drawn as black and white, for images like these.

    In colour it is (0, 1), or (0, 255), where the values are within it. Otherwise it is the range of the values, of
    which those in the tails, a share of `tail` at each end, may lie outside.
    """
    low, high = map(float, np.quantile(images, (tail, 1 - tail)))
    if images.ndim == 4 and low >= 0 and high <= 255:
        return (0.0, 1.0) if high <= 1 and images.dtype.kind == "f" else (0.0, 255.0)
    return low, high


def drawable(images, limits):
    """Return the images as ``imshow`` takes them, and its keywords: grey as they are, colours brought to [0, 1]."""
    low, high = limits
    if images.ndim == 3:
        return images, {"cmap": "gray", "vmin": low, "vmax": high}
    return np.clip((images - low) / (high - low if high > low else 1.0), 0.0, 1.0), {}


def r2_of_columns(X, X_hat):
    """Return R² of every column, (n_features,); 1 or 0 where X does not vary, as it is reproduced or not."""
    error = ((X - X_hat) ** 2).sum(axis=0)
    variation = ((X - X.mean(axis=0)) ** 2).sum(axis=0)
    constant = variation <= 0
    return np.where(constant, error <= 0, 1.0 - error / np.where(constant, 1.0, variation))

"""Images and rows: which of the two X is, and how one becomes the other."""

import math
import numbers

import numpy as np
import torch

from .._warnings import warn_user


def as_array(X):
    """Return a torch tensor as an ndarray; anything else unchanged."""
    return X.detach().cpu().numpy() if isinstance(X, torch.Tensor) else X


def check_image_shape(image_shape, n_features=None, name="image_shape"):
    """Check the parameter `image_shape` and return it as a tuple of int, or None.

    Parameters
    ----------
    image_shape : None or tuple (H, W) or (H, W, C)
        The parameter.
    n_features : int, default=None
        Number of columns that it must multiply to.
    name : str, default="image_shape"
        What the parameter is called.

    Raises
    ------
    ValueError
        If it is not two or three positive integers, or their product is not `n_features`.
    """
    if image_shape is None:
        return None
    accepted = "None, (H, W) or (H, W, C) with positive integers"
    try:
        shape = tuple(image_shape)
    except TypeError:
        raise ValueError(f"{name}={image_shape!r} must be {accepted}") from None
    if len(shape) not in (2, 3) or not all(isinstance(s, numbers.Integral) and s > 0 for s in shape):
        raise ValueError(f"{name}={image_shape!r} must be {accepted}")
    shape = tuple(int(s) for s in shape)
    if n_features is not None and int(np.prod(shape)) != n_features:
        raise ValueError(
            f"{name}={shape} stands for {int(np.prod(shape))} values a row, but X has {n_features} features "
            f"(columns); pass the {name} whose product is the number of columns"
        )
    return shape


def flatten_images(X, image_shape=None):
    """Lay images out as rows.

    Parameters
    ----------
    X : array-like
        (n, H, W), (n, H, W, C), or anything two-dimensional, which is returned as it is.
    image_shape : tuple of int, default=None
        The shape that images must have.

    Returns
    -------
    X : ndarray of shape (n, H * W * C) (a view where the memory allows), or X itself
    found : tuple of int or None
        The shape of one image, None if X was not an array of images.

    Raises
    ------
    ValueError
        If X has more than four dimensions, or images of another shape.
    """
    X = as_array(X)
    if isinstance(X, (list, tuple)):
        X = np.asarray(X)
    if not isinstance(X, np.ndarray) or X.ndim < 3:
        return X, None
    found = tuple(X.shape[1:])
    if X.ndim > 4:
        raise ValueError(f"X has shape {X.shape}; images must be (n, H, W) or (n, H, W, C)")
    if 0 in found:
        raise ValueError(f"X has shape {X.shape}: images without a pixel")
    if image_shape is not None and found != tuple(image_shape):
        raise ValueError(f"X holds images of shape {found}, but image_shape is {tuple(image_shape)}")
    return X.reshape(X.shape[0], math.prod(found)), found


def with_channels(image_shape):
    """Return (H, W, C) for (H, W) or (H, W, C)."""
    return (*image_shape, 1) if len(image_shape) == 2 else tuple(image_shape)


def warn_of_channels_first(found):
    """Warn if the shape of an image (or None) looks as if its channels came first."""
    if found is not None and len(found) == 3 and found[0] in (1, 3, 4) and found[2] > 4:
        warn_user(
            f"X is taken for images of {found[0]} x {found[1]} pixels with {found[2]} channels; if its channels come "
            "first, pass np.moveaxis(X, 1, -1)",
        )

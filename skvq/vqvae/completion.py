"""Masks of images with missing regions, and the codes that are known in spite of them."""

import math

import numpy as np
import torch

from ..core.layout import with_channels
from ..nn.images import PatchGrid
from ..training.batches import as_array


def shapes_of_images(image_shape):
    """Return the shapes that an image may come in: as a row, as `image_shape`, and with its axis of channels."""
    return (math.prod(image_shape),), tuple(image_shape), with_channels(image_shape)


def boolean_mask(mask):
    """Return a mask as an ndarray of bool; raise ValueError for another dtype."""
    mask = np.asarray(as_array(mask))
    if mask.dtype.kind != "b":
        raise ValueError(f"mask must be boolean, True where X is known; it has dtype {mask.dtype}")
    return mask


def check_mask(mask, X_shape, image_shape):
    """Return which values of X are known, as rows: ndarray (n, n_features) of bool.

    Parameters
    ----------
    mask : array-like of bool
        Of the shape of X, of one image, or of either without the axis of channels.
    X_shape : tuple of int
        (n, n_features), (n, H, W) or (n, H, W, C).
    image_shape : tuple of int
        (H, W) or (H, W, C).

    Raises
    ------
    ValueError
        If the mask is not boolean or has another shape.
    """
    mask = boolean_mask(mask)
    n, (height, width, n_channels) = X_shape[0], with_channels(image_shape)
    whole = shapes_of_images(image_shape)
    if mask.shape in whole or mask.shape in [(n, *shape) for shape in whole]:
        rows = mask.reshape(-1, height * width * n_channels)
    elif mask.shape in [(height, width), (n, height, width)]:
        rows = np.repeat(mask.reshape(-1, height * width), n_channels, axis=1)
    else:
        raise ValueError(f"mask has shape {mask.shape}; it must be {tuple(X_shape)} like X, or {tuple(image_shape)}")
    return np.broadcast_to(rows, (n, rows.shape[1]))


def check_values(X, shapes):
    """Return X, of any array-like type, as an ndarray of numbers whose rows have one of some shapes (tuples of int)."""
    X = np.asarray(as_array(X))
    if X.shape[1:] not in shapes or X.dtype.kind not in "biuf":
        expected = " or ".join(str(("n", *shape)).replace("'", "") for shape in dict.fromkeys(shapes))
        raise ValueError(f"X must be numeric, of shape {expected}, dense; got {X.dtype} of shape {X.shape}")
    return X


def known_codes(known, row_shape, spec):
    """Return which codes stand for patches that are known to the last pixel.

    Parameters
    ----------
    known : ndarray of shape (n, n_features), bool
        Which values of the images are known.
    row_shape : tuple of int
        (H, W, C), or (1, length, C) of series.
    spec : CodeSpec

    Returns
    -------
    ndarray of shape (n, codes_per_row), bool
    """
    images = torch.from_numpy(known.astype(np.float32)).unflatten(1, row_shape)

    def whole_cells(grid):
        grid = (1, *grid) if len(grid) == 1 else grid
        return PatchGrid(row_shape, grid).cut(images).amin(dim=2).numpy() == 1

    return spec.known_codes(whole_cells)

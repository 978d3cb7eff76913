"""Masks of images with missing regions, and the codes that are known in spite of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..core.frames import is_whole
from ..core.layout import with_channels
from ..core.parameters import random_source
from ..nn.images import PatchGrid
from ..training.batches import as_array

# Draws of codes of whole images, the nearest of which is taken; rounds in which it is fitted to the known pixels.
N_DRAWS, N_ROUNDS = 64, 5
# Completions whose mean is taken where their number is not given.
DRAWS_OF_A_MEAN = 8


def several(draw, n_draws, strategy):
    """Return a list of `n_draws` results of ``draw()``; with ``strategy="mean"`` of their mean, of 8 if it is 1."""
    if strategy != "mean":
        return [draw() for _ in range(n_draws)]
    return [np.mean([draw() for _ in range(DRAWS_OF_A_MEAN if n_draws == 1 else n_draws)], axis=0, dtype=np.float64)]


def shapes_of_images(image_shape):
    """Return the shapes that an image may come in: as a row, as `image_shape`, and with its axis of channels."""
    height, width, n_channels = with_channels(image_shape)
    shapes = (height * width * n_channels,), tuple(image_shape), (height, width, n_channels)
    return (*shapes, (height, width)) if n_channels == 1 else shapes


def boolean_mask(mask):
    """Return a mask as an ndarray of bool; raise ValueError for another dtype."""
    mask = np.asarray(as_array(mask, "mask"))
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
    if not len(X):
        raise ValueError(f"X holds no row: found array with 0 sample(s) (shape={X.shape}); a minimum of 1 is required")
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


@dataclass(frozen=True)
class ImageCompletion:
    """The completion of images by one model.

    Attributes
    ----------
    layout : RowLayout
    spec : CodeSpec
    check : callable
        (rows, known=) → rows, validated against what `fit` saw, with a warning where known values are in other units.
    encode, decode : callable
        Validated rows → codes (n, codes_per_row), and back.
    prior : CodePrior
    """

    layout: Any
    spec: Any
    check: Callable
    encode: Callable
    decode: Callable
    prior: Any

    def complete(self, X, mask, *, n_draws, strategy, random_state, **options):
        """Return X, an ndarray, with what `mask` does not know of it filled, or a list of `n_draws` of them.

        With ``strategy="mean"`` it is the mean of `n_draws`, of 8 if this is 1; `options` are those of the prior.

        Raises
        ------
        ValueError
            Without a mask, for one of another shape, and for X of another shape.
        """
        if mask is None:
            raise ValueError("mask=None is for tables; images need one, True where a pixel is known")
        images = check_values(X, shapes_of_images(self.layout.image_shape))
        known = check_mask(mask, images.shape, self.layout.image_shape)
        filled = np.where(known, images.reshape(known.shape), self.layout.shift)
        filled = self.layout.framed(filled) if hasattr(X, "columns") else filled  # of names that are known to be right
        rows = self.check(filled, known=known)
        fill = self._by_patches if self.spec.is_image else self._as_a_whole
        random_state = random_source(random_state)
        drawn = several(lambda: fill(rows, known, random_state=random_state, **options), n_draws, strategy)
        whole = is_whole(self.layout.dtype)
        drawn = [np.rint(filled) for filled in drawn] if whole else drawn
        dtype = images.dtype if whole else self.layout.dtype  # which may hold NaN
        drawn = [np.where(known, rows, filled).astype(dtype).reshape(images.shape) for filled in drawn]
        return drawn[0] if len(drawn) == 1 else drawn

    def _decoded(self, codes):
        """Return the rows (n, n_features) that codes stand for, in the units of X."""
        return np.asarray(self.decode(codes)).reshape(len(codes), -1)

    def _by_patches(self, rows, known, **options):
        """Return rows by the codes of patches, those drawn that are not known to the last pixel."""
        codes = self.encode(rows)
        patches = known_codes(known, self.layout.row_shape, self.spec)
        return self._decoded(self.prior.complete(codes, patches, **options))

    def _as_a_whole(self, rows, known, *, n_candidates, random_state, **options):
        """Return rows by codes of whole images, fitted to the known pixels from the nearest of some draws on.

        `n_candidates` is of no use here: it is for codes that are drawn given others.
        """
        least, nearest = np.full(len(rows), np.inf), np.empty(rows.shape)
        for _ in range(N_DRAWS):
            drawn = self._decoded(self.prior.sample(len(rows), random_state=random_state, **options))
            misfit = np.square(np.where(known, drawn - rows, 0.0)).sum(axis=1)
            better = misfit < least
            least[better], nearest[better] = misfit[better], drawn[better]
        x_hat = nearest
        for _ in range(N_ROUNDS):
            x_hat = self._decoded(self.encode(np.where(known, rows, x_hat)))
        return x_hat

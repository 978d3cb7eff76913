"""What the transformers share that give rows back: layout of images, internal scaling, units, R²."""

import math
import numbers

import numpy as np

from ..training.batches import Rows
from .device import resolve_device
from .estimator import check_choice, check_number, check_sizes, is_auto
from .layout import check_image_shape, warn_of_channels_first, with_channels
from .scaling import standardisation

# The sample that principal components are taken from where rows are wide has so many values, and so many rows at least.
START_VALUES, LEAST_START_ROWS = 4_000_000, 1024


class Reconstruction:
    """Mixin of the transformers that map rows to something smaller and back.

    It goes between ``TransformerMixin`` and :class:`~skvq.core.estimator.BaseNetwork`, and expects the parameters
    `image_shape`, `standardize` and `device`.
    """

    def _check_images(self, X, *, reset):
        """Validate X and return it as rows; in `fit`, record how images are laid out."""
        known = check_image_shape(self.image_shape) if reset else self.image_shape_
        rows, found = self._check_rows(X, known, reset=reset)
        if not reset and known is None and found is not None:
            raise ValueError(f"X holds images of shape {found}, but fit saw the rows of a table")
        if reset:
            self.image_shape_ = check_image_shape(known if found is None else found, rows.shape[1])
            self._images_in = found is not None
            warn_of_channels_first(found)
            self._dtype_in = rows.dtype.name if rows.dtype.kind == "f" and rows.dtype.itemsize >= 4 else "float64"
        return rows

    def _check_network_parameters(self):
        """Raise TypeError or ValueError for a parameter of the network or its data that is out of range."""
        check_number("channels", self.channels, numbers.Integral, low=1)
        check_number("n_blocks", self.n_blocks, numbers.Integral, low=0)
        check_choice("standardize", self.standardize, (True, False))
        check_choice("early_stopping", self.early_stopping, ("auto", True, False))
        if not is_auto(self.hidden_layer_sizes):
            check_sizes("hidden_layer_sizes", self.hidden_layer_sizes)

    def _fit_scaling(self, X):
        """Set `shift_` and `scale_`: of each column for tables, one of each for images."""
        if self.standardize:
            self.shift_, self.scale_ = standardisation(X, per_column=self.image_shape_ is None)
        else:
            self.shift_, self.scale_ = np.zeros(X.shape[1]), np.ones(X.shape[1])

    def _rows(self, X):
        """Return the standardised Rows of a validated X, images as (H, W, C)."""
        shape = (X.shape[1],) if self.image_shape_ is None else with_channels(self.image_shape_)
        return Rows(X, shift=self.shift_, scale=self.scale_, shape=shape, device=resolve_device(self.device))

    def _in_units(self, pieces, n_rows):
        """Return standardised rows in the units, the layout and the dtype of the X of `fit`.

        Parameters
        ----------
        pieces : iterable of (start, rows)
            `rows` is an ndarray (b, n_features) of float64: the rows from `start` on.
        n_rows : int
            Number of rows in all.

        Returns
        -------
        X : ndarray of shape (n_rows, n_features), or of images if `fit` saw images
        """
        X = np.empty((n_rows, self.n_features_in_), dtype=self._dtype_in)
        for start, rows in pieces:
            X[start : start + len(rows)] = rows * self.scale_ + self.shift_
        return X.reshape(n_rows, *self.image_shape_) if self._images_in else X

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        return tags


def r_squared(squared_error, variation):
    """Return R², the share of the variation that a reconstruction explains.

    Parameters
    ----------
    squared_error : float
        Summed over everything.
    variation : float
        Squared deviations from the means of the columns, summed over everything.

    Returns
    -------
    float
        At most 1. Without variation: 1 for a perfect reconstruction, else 0.

    Examples
    --------
    >>> r_squared(1.0, 4.0), r_squared(0.0, 0.0), r_squared(2.0, 0.0)
    (0.75, 1.0, 0.0)
    """
    if variation == 0.0:
        return float(squared_error == 0.0)
    return float(1.0 - squared_error / variation)


def automatic_n_components(n_features):
    """Return what "auto" stands for in `n_components`: a quarter of the columns, within 2 to 64.

    Examples
    --------
    >>> [automatic_n_components(n) for n in (1, 4, 13, 64, 784)]
    [1, 2, 4, 16, 64]
    """
    return min(n_features, max(2, min(64, math.ceil(n_features / 4))))


def start_batches(rows, generator, *, all_below):
    """Return an iterable of batches that principal components are taken from.

    Parameters
    ----------
    rows : Rows
    generator : torch.Generator
        Draws the sample of wide rows.
    all_below : int
        Rows of up to so many values are all used, a batch at a time; of wider ones a sample of bounded memory.

    Returns
    -------
    iterable of Tensor of shape (b, *row_shape)
    """
    n_values = math.prod(rows.shape)
    if n_values <= all_below:
        return rows.in_order(max(1, START_VALUES // 8 // n_values))
    return iter([rows.sample(max(LEAST_START_ROWS, START_VALUES // n_values), generator)])

"""Series as rows: their shape, the order of their axes, and the errors for what is no series of one length."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ..training.batches import as_array

LAYOUTS = ("channels_last", "channels_first")
MEANINGS = {
    "channels_last": "(n, length, n_channels)",
    "channels_first": "(n, n_channels, length), the layout of aeon and sktime,",
}
# Shortest series.
LEAST_LENGTH = 8
WAY_OUT = (
    "cut all of them to the shortest, pad them to the longest (with their last value, or zeros), or resample them to "
    "one length (scipy.signal.resample, numpy.interp)"
)


@dataclass(frozen=True)
class SeriesLayout:
    """How a row of X unfolds to a series, whose time comes first for the networks.

    Attributes
    ----------
    shape : tuple of int
        (length,) or (length, n_channels), as the user gave it.
    channels_first : bool
        Whether X has its channels before its time steps.
    """

    shape: tuple[int, ...]
    channels_first: bool = False

    @classmethod
    def of(cls, estimator):
        """Return what an estimator's parameters `series_shape`, which is not None, and `series_layout` ask for."""
        shape = check_series_shape(estimator.series_shape)
        if estimator.image_shape is not None:
            raise ValueError(
                f"image_shape={estimator.image_shape!r} and series_shape={estimator.series_shape!r}: a row is an image "
                "or a series; pass one of them"
            )
        return cls(shape, estimator.series_layout == "channels_first")

    @property
    def length(self):
        """Number of time steps."""
        return self.shape[0]

    @property
    def n_channels(self):
        """Number of channels."""
        return math.prod(self.shape[1:])

    @property
    def axes(self):
        """Shape of a series in an X that has an axis of channels."""
        both = self.length, self.n_channels
        return both[::-1] if self.channels_first else both

    def flatten(self, X):
        """Return X (n, ...) as rows (n, n_values) in the order of its axes, and the shape of a series with channels.

        That shape is None if X came as rows.

        Raises
        ------
        ValueError
            For series of unequal lengths, of another shape, or with missing values.
        """
        refuse_unequal_lengths(X)
        if sparse.issparse(X) or hasattr(X, "columns"):
            self._check_width(X.shape)
            return X, None
        X = as_array(X)
        if not isinstance(X, np.ndarray) or X.dtype.kind == "O":
            X = np.asarray(X.tolist() if isinstance(X, np.ndarray) else X)
        if X.dtype.kind == "f" and X.size and np.isnan(X.min()):
            raise ValueError(
                "X holds NaN, but fit and transform need series without gaps: interpolate them (numpy.interp), or fit "
                "to the series that have none, and fill the others with complete(X, mask) of a VQVAETransformer"
            )
        if X.ndim < 3:
            self._check_width(X.shape)
            return X, None
        if X.shape[1:] != self.axes:
            raise ValueError(self._other_shape(X.shape))
        return X.reshape(len(X), math.prod(self.axes)), self.axes

    def time_first(self, rows):
        """Return rows (n, n_values), ndarray or CSR, in the order of time steps, and of channels within these."""
        if not self.channels_first or self.n_channels == 1:
            return rows
        order = np.arange(rows.shape[1]).reshape(self.n_channels, self.length).T.ravel()
        return rows[:, order] if sparse.issparse(rows) else np.take(rows, order, axis=1)

    def as_passed(self, rows):
        """Return rows (n, n_values) in the order of the axes of X: undo :meth:`time_first`."""
        if not self.channels_first or self.n_channels == 1:
            return rows
        return rows.reshape(len(rows), self.length, self.n_channels).swapaxes(1, 2).reshape(len(rows), -1)

    def _check_width(self, shape):
        if len(shape) == 2 and shape[1] != math.prod(self.shape):
            raise ValueError(self._other_shape(shape))

    def _other_shape(self, found):
        n_values = self.length * self.n_channels
        layout = LAYOUTS[self.channels_first]
        message = (
            f"X has shape {tuple(found)}, but series_shape={self.shape} with series_layout={layout!r} needs (n, "
            f"{self.axes[0]}, {self.axes[1]}), or rows (n, {n_values})"
        )
        if len(found) == 3 and found[1:] == self.axes[::-1]:
            other = LAYOUTS[not self.channels_first]
            return f"{message}; for {MEANINGS[other]} pass series_layout={other!r}"
        return f"{message}; series_shape is (length,) or (length, n_channels) in either layout"


def check_series_shape(series_shape):
    """Check the parameter `series_shape` and return it as a tuple of int, or None.

    Raises
    ------
    ValueError
        If it is not (length,) or (length, n_channels), with a length from 8 on.
    """
    if series_shape is None:
        return None
    message = f"series_shape={series_shape!r} must be None, (length,) or (length, n_channels) with positive integers"
    try:
        shape = tuple(series_shape)
    except TypeError:
        raise ValueError(message) from None
    whole = all(isinstance(s, numbers.Integral) and not isinstance(s, bool) and s > 0 for s in shape)
    if len(shape) not in (1, 2) or not whole:
        raise ValueError(message)
    if shape[0] < LEAST_LENGTH:
        raise ValueError(
            f"series_shape={series_shape!r}: a series has at least {LEAST_LENGTH} time steps; the length comes first, "
            "and shorter ones are rows of a table, without series_shape"
        )
    return tuple(int(s) for s in shape)


def refuse_unequal_lengths(X, *, may_be_images=False):
    """Raise ValueError for a list or an array of objects, or a nested frame, of series that differ in length.

    And for images that differ in size, where they may be such.
    """
    if hasattr(X, "columns"):
        nested = len(X) and any(_length(cell) is not None for cell in _first_cells(X))
        if nested:
            raise ValueError(
                "X is a frame whose cells are series; pass an array: of pandas, numpy.stack([numpy.stack(list(X[c])) "
                "for c in X.columns], axis=-1), of shape (n, length, n_channels). If they differ in length, " + WAY_OUT
            )
        return
    is_list = isinstance(X, (list, tuple)) or (isinstance(X, np.ndarray) and X.dtype.kind == "O" and X.ndim == 1)
    if not is_list or not len(X) or isinstance(X, np.ndarray) and X.dtype.names:
        return
    if may_be_images and getattr(X[0], "ndim", 0) > 1:
        from .advice import refuse_images_of_unequal_sizes

        refuse_images_of_unequal_sizes(X)
    lengths = {_length(row) for row in X}
    if len(lengths) > 1 and None not in lengths:
        raise ValueError(
            f"X holds rows of unequal lengths, from {min(lengths)} to {max(lengths)}; a model has one length: "
            f"{WAY_OUT}. If they are chunks of rows, pass iter(X)"
        )


def _first_cells(frame):
    """Return the cells of a frame's first row."""
    return frame.iloc[0] if hasattr(frame, "iloc") else frame.row(0) if hasattr(frame, "row") else ()


def _length(value):
    """Return the length of a sequence of numbers, None of anything else."""
    return None if isinstance(value, (str, bytes, dict, set)) or not hasattr(value, "__len__") else len(value)

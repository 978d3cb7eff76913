"""Reconstructions beside their originals: images below each other, series as lines, columns of a table compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from .._typing import ArrayLike, ImageShape, MatrixLike, NDArray, Self, SeriesShape
from ._base import Display
from ._plotting import Keywords, SomeAxes, shortened, style
from ._rows import as_table, column_names, drawable, first_rows, shape_of_images
from ._series import draw_lines, series_layout, time_first_rows, unfolded

LABELS = "original", "reconstruction"
# Columns of a table that are shown if none are named.
N_FEATURES = 12
N_COLUMNS, PANEL_SIZE = 4, (2.6, 2.5)


@dataclass(kw_only=True, eq=False, repr=False)
class ReconstructionDisplay(Display):
    """Reconstructions beside their originals.

    Images are drawn below their originals, on one scale. Series are drawn over theirs, in a panel each. A table has a
    panel for each column: the reconstructed value
    over the true one, with R².

    Parameters
    ----------
    X, X_hat : ndarray of shape (n, n_features)
        Originals and reconstructions.
    image_shape : tuple (H, W) or (H, W, C), default=None
        Shape of an image; None for a table.
    feature_names : list of str, default=None
        Names of the columns of a table.
    series_shape : tuple (length,) or (length, n_channels), default=None
        Shape of a series; the rows have its time steps first.

    Attributes
    ----------
    figure_, axes_, ax_ : matplotlib Figure, ndarray of Axes, and Axes
        What was drawn on; `ax_` is the first of `axes_`.
    images_ : ndarray of matplotlib AxesImage, shape (2, n)
        Originals and reconstructions, for images.
    lines_ : list of list of matplotlib Line2D
        The lines of each panel, for series: the original and the reconstruction of each channel.
    scatters_ : list of matplotlib PathCollection
        The points of each panel, for tables.
    features_ : ndarray of int
        The column of each panel, for tables.
    r2_ : ndarray of shape (n_features,)
        R² of every column, for tables.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skvq import AutoEncoderTransformer
    >>> from skvq.display import ReconstructionDisplay
    >>> X = load_digits().images
    >>> model = AutoEncoderTransformer(8, hidden_layer_sizes=(), max_iter=1, random_state=0).fit(X)
    >>> ReconstructionDisplay.from_estimator(model, X).images_.shape
    (2, 8)
    """

    X: NDArray[Any]
    X_hat: NDArray[Any]
    image_shape: ImageShape = None
    feature_names: Sequence[str] | None = None
    series_shape: SeriesShape = None
    _accepted = "a transformer with transform and inverse_transform"

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: MatrixLike,
        *,
        n_images: int = 8,
        image_shape: ImageShape = None,
        features: Sequence[int | str] | None = None,
        ax: SomeAxes = None,
        imshow_kw: Keywords = None,
        scatter_kw: Keywords = None,
        line_kw: Keywords = None,
    ) -> Self:
        """Draw ``inverse_transform(transform(X))`` beside X, and return the display.

        Parameters
        ----------
        estimator : transformer
            Fitted, with `transform` and `inverse_transform`: autoencoders, but also a PCA or a pipeline.
        X : array-like
            What `transform` takes.
        n_images : int, default=8
            Number of images, or series, to reconstruct and show, the first of X. All rows of a table are shown.
        image_shape : tuple (H, W) or (H, W, C), default=None
            Shape of an image; None takes the estimator's `image_shape_`, or what the shape of X says.
        features, ax, imshow_kw, scatter_kw, line_kw
            As in :meth:`plot`.
        """
        cls._check_estimator(estimator, "transform", "inverse_transform")
        series = series_layout(estimator)
        if series is not None:
            X = first_rows(X, n_images)
            X_hat = estimator.inverse_transform(estimator.transform(X))
            rows, found = time_first_rows(X, series), time_first_rows(X_hat, series)
            return cls(X=rows, X_hat=found, series_shape=series.shape).plot(ax, line_kw=line_kw)
        shape = shape_of_images(first_rows(X, 1), image_shape, estimator)
        if shape is not None:
            X = first_rows(X, n_images)
        X_hat = estimator.inverse_transform(estimator.transform(X))
        return cls.from_predictions(
            X, X_hat, image_shape=shape, features=features, ax=ax, imshow_kw=imshow_kw, scatter_kw=scatter_kw
        )

    @classmethod
    def from_predictions(
        cls,
        X: MatrixLike,
        X_hat: ArrayLike,
        *,
        image_shape: ImageShape = None,
        features: Sequence[int | str] | None = None,
        ax: SomeAxes = None,
        imshow_kw: Keywords = None,
        scatter_kw: Keywords = None,
    ) -> Self:
        """Draw the reconstructions X_hat beside X, and return the display.

        Parameters
        ----------
        X, X_hat, image_shape
            As in :class:`ReconstructionDisplay`. X and `X_hat` may also be images (n, H, W) or (n, H, W, C): without
            `image_shape` the shape of X is taken.
        features, ax, imshow_kw, scatter_kw
            As in :meth:`plot`.
        """
        shape, originals, found = shape_of_images(X, image_shape), as_table(X), as_table(X_hat)
        if originals.shape != found.shape:
            raise ValueError(f"X holds {originals.shape} values, but X_hat {found.shape}; they must be as many")
        names = column_names(getattr(X, "columns", None), originals.shape[1]) if shape is None else None
        display = cls(X=originals, X_hat=found, image_shape=shape, feature_names=names)
        return display.plot(ax, features=features, imshow_kw=imshow_kw, scatter_kw=scatter_kw)

    def plot(
        self,
        ax: SomeAxes = None,
        *,
        features: Sequence[int | str] | None = None,
        imshow_kw: Keywords = None,
        scatter_kw: Keywords = None,
        line_kw: Keywords = None,
    ) -> Self:
        """Draw originals and reconstructions, and return the display.

        Parameters
        ----------
        ax : matplotlib Axes, or array of Axes, default=None
            One Axes for images. Tables and series take one for each panel, or a single one, which is divided. None
            makes a figure.
        features : list of int or str, default=None
            Columns of a table to show. None shows all up to 12; of more it shows 12 from the best R² to the worst.
        imshow_kw : dict, default=None
            Keywords of ``Axes.imshow``, for images.
        scatter_kw : dict, default=None
            Keywords of ``Axes.scatter``, for tables.
        line_kw : dict, default=None
            Keywords of ``Axes.plot``, for series.
        """
        if self.series_shape is not None:
            self._plot_series(ax, line_kw)
        elif self.image_shape is None:
            self._plot_table(ax, features, scatter_kw)
        else:
            stacks, look = drawable(self.image_shape, self.X, self.X_hat)
            lines = [(images, style(look, imshow_kw)) for images in stacks]
            self.images_ = self._draw_images(ax, lines, labels=LABELS)
        return self

    def _plot_series(self, ax, line_kw):
        originals, found = (unfolded(rows, self.series_shape) for rows in (self.X, self.X_hat))
        self._use_panels(ax, len(originals), N_COLUMNS, PANEL_SIZE)
        self.lines_ = []
        for panel, one, one_hat in zip(self.axes_, originals, found):
            lines = []
            for channel in range(one.shape[1]):
                faint = {"color": f"C{channel}", "alpha": 0.4, "linewidth": 2.0, "label": LABELS[0]}
                lines += draw_lines(panel, one[None, :, channel], faint, line_kw)
                thin = {"color": f"C{channel}", "linewidth": 1.0, "label": LABELS[1]}
                lines += draw_lines(panel, one_hat[None, :, channel], thin, line_kw)
            self.lines_.append(lines)
        self.ax_.legend(handles=self.lines_[0][:2], fontsize="x-small")

    def _plot_table(self, ax, features, scatter_kw):
        X, X_hat = self.X.astype(np.float64), self.X_hat.astype(np.float64)
        names = column_names(self.feature_names, X.shape[1])
        self.r2_ = _r2_of_columns(X, X_hat)
        self.features_ = _chosen_columns(features, names, self.r2_)
        self._use_panels(ax, len(self.features_), N_COLUMNS, PANEL_SIZE)
        self.scatters_ = []
        # Many points are drawn smaller, and fainter.
        many = len(X) > 500
        look = {"s": 4 if many else 9, "alpha": 0.3 if many else 0.6, "linewidths": 0, "rasterized": many}
        for panel, j in zip(self.axes_, self.features_):
            low, high = X[:, j].min(), X[:, j].max()
            panel.plot([low, high], [low, high], color="0.6", linewidth=1, zorder=0)
            self.scatters_.append(panel.scatter(X[:, j], X_hat[:, j], **style(look, scatter_kw)))
            panel.set_title(f"{shortened(names[j])}\nR² {self.r2_[j]:.3f}", fontsize="medium")
            panel.locator_params(nbins=4)
            spec = panel.get_subplotspec()
            if spec is None or spec.is_first_col():
                panel.set_ylabel("reconstructed")
            if spec is None or spec.is_last_row():
                panel.set_xlabel("true")


def _r2_of_columns(X, X_hat):
    """Return R² of every column, (n_features,); a column that does not vary has 1 if it is reproduced, else 0."""
    error = ((X - X_hat) ** 2).sum(axis=0)
    variation = ((X - X.mean(axis=0)) ** 2).sum(axis=0)
    constant = variation <= 0
    return np.where(constant, error <= 0, 1.0 - error / np.where(constant, 1.0, variation))


def _chosen_columns(features, names, r2):
    """Return the columns to show, as an array of int."""
    n = len(names)
    if features is None:
        if n <= N_FEATURES:
            return np.arange(n)
        return np.argsort(-r2, kind="stable")[np.linspace(0, n - 1, N_FEATURES).round().astype(int)]
    features = [features] if isinstance(features, (str, Integral)) else list(features)
    positions = [names.index(f) if f in names else f for f in features]
    if not positions or not all(isinstance(p, Integral) and -n <= p < n for p in positions):
        raise ValueError(f"features={features!r} must be names or numbers of the {n} columns")
    return np.asarray(positions) % n

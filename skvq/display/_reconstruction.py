"""Reconstructions beside their originals: images under each other, columns of a table against each other."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator

from .._typing import ArrayLike, ImageShape, MatrixLike, Self
from ._plotting import check_matplotlib, draw_grid, grid_figsize, one_axes, several_axes, shortened, style
from ._rows import (
    as_images,
    check_estimator,
    column_names,
    drawable,
    first_rows,
    r2_of_columns,
    shape_of_images,
    value_range,
    values_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABELS = "original", "reconstruction"
# Columns of a table that are shown where none are named.
N_FEATURES = 12
N_COLUMNS, PANEL_SIZE = 4, (2.6, 2.5)
ACCEPTED = "a transformer with transform and inverse_transform"


class ReconstructionDisplay:
    """Reconstructions beside their originals.

    Images are drawn under each other, with the originals' range of values. Of a table every column is a panel: what the
    reconstruction says over what is true, with R².

    Parameters
    ----------
    X, X_hat : ndarray of shape (n, n_features)
        Originals and reconstructions.
    image_shape : tuple (H, W) or (H, W, C), default=None
        Shape of an image; None for a table.
    feature_names : list of str, default=None
        Names of the columns of a table.

    Attributes
    ----------
    figure_ : matplotlib Figure
        What was drawn on.
    ax_ : matplotlib Axes
        The Axes, of a table the first.
    axes_ : ndarray of matplotlib Axes
        All of them.
    images_ : ndarray of matplotlib AxesImage, shape (2, n)
        Originals and reconstructions, for images.
    scatters_ : list of matplotlib PathCollection
        One for each panel, for tables.
    features_ : ndarray of int
        The columns that the panels show, for tables.
    r2_ : ndarray of shape (n_features,)
        R² of every column, for tables.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skvq import AutoEncoderTransformer
    >>> from skvq.display import ReconstructionDisplay
    >>> X = load_digits().images
    >>> model = AutoEncoderTransformer(8, hidden_layer_sizes=(), max_iter=1, random_state=0).fit(X)
    >>> display = ReconstructionDisplay.from_estimator(model, X)
    >>> display.images_.shape
    (2, 8)
    """

    def __init__(
        self,
        *,
        X: MatrixLike,
        X_hat: ArrayLike,
        image_shape: ImageShape = None,
        feature_names: Sequence[str] | None = None,
    ) -> None:
        self.X = X
        self.X_hat = X_hat
        self.image_shape = image_shape
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: MatrixLike,
        *,
        n_images: int = 8,
        image_shape: ImageShape = None,
        features: Sequence[int | str] | None = None,
        ax: Axes | Sequence[Axes] | None = None,
        imshow_kw: dict[str, Any] | None = None,
        scatter_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw ``inverse_transform(transform(X))`` beside X.

        Parameters
        ----------
        estimator : transformer
            Fitted, with `transform` and `inverse_transform`: autoencoders, but also a PCA or a pipeline.
        X : array-like
            What `transform` takes.
        n_images : int, default=8
            Of images the first so many are reconstructed and shown; of a table, all rows.
        image_shape : tuple (H, W) or (H, W, C), default=None
            Shape of an image; None takes the estimator's `image_shape_`, or what the shape of X says.
        features, ax, imshow_kw, scatter_kw
            As in :meth:`plot`.

        Returns
        -------
        display : ReconstructionDisplay
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        check_estimator(estimator, cls.__name__, ("transform", "inverse_transform"), ACCEPTED)
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
        ax: Axes | Sequence[Axes] | None = None,
        imshow_kw: dict[str, Any] | None = None,
        scatter_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the reconstructions X_hat beside X.

        Parameters
        ----------
        X, X_hat : array-like of shape (n, n_features), or images (n, H, W) or (n, H, W, C)
            Originals and reconstructions.
        image_shape : tuple (H, W) or (H, W, C), default=None
            Shape of an image; None takes what the shape of X says.
        features, ax, imshow_kw, scatter_kw
            As in :meth:`plot`.

        Returns
        -------
        display : ReconstructionDisplay
        """
        check_matplotlib(f"{cls.__name__}.from_predictions")
        shape, originals, found = shape_of_images(X, image_shape), values_of(X), values_of(X_hat)
        n = len(originals)
        originals, found = originals.reshape(n, -1), found.reshape(len(found), -1)
        if originals.shape != found.shape:
            raise ValueError(f"X holds {originals.shape} values, but X_hat {found.shape}; they must be as many")
        names = column_names(X, originals.shape[1]) if shape is None else None
        display = cls(X=originals, X_hat=found, image_shape=shape, feature_names=names)
        return display.plot(ax, features=features, imshow_kw=imshow_kw, scatter_kw=scatter_kw)

    def plot(
        self,
        ax: Axes | Sequence[Axes] | None = None,
        *,
        features: Sequence[int | str] | None = None,
        imshow_kw: dict[str, Any] | None = None,
        scatter_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw originals and reconstructions.

        Parameters
        ----------
        ax : matplotlib Axes, array of such, or None, default=None
            For images one Axes; for a table one for each column, or a single one, whose place is divided. None makes a
            figure.
        features : list of int or str, default=None
            Columns of a table to show. None shows all up to 12, and of more those at even distances in the order of R².
        imshow_kw : dict, default=None
            Keywords of ``Axes.imshow``, for images.
        scatter_kw : dict, default=None
            Keywords of ``Axes.scatter``, for tables.

        Returns
        -------
        self
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        if self.image_shape is None:
            self._plot_table(ax, features, scatter_kw)
        else:
            self._plot_images(ax, imshow_kw)
        return self

    def _plot_images(self, ax, imshow_kw):
        originals, found = as_images(self.X, self.image_shape), as_images(self.X_hat, self.image_shape)
        limits = value_range(originals)
        self.figure_, self.ax_ = one_axes(ax, grid_figsize(2, len(originals), originals.shape[1:3], LABELS))
        self.axes_ = np.array([self.ax_], dtype=object)
        lines = [
            (images, style(keywords, imshow_kw))
            for images, keywords in (drawable(originals, limits), drawable(found, limits))
        ]
        self.images_ = draw_grid(self.ax_, lines, labels=LABELS)

    def _plot_table(self, ax, features, scatter_kw):
        X, X_hat = self.X.astype(np.float64), self.X_hat.astype(np.float64)
        names = column_names(None, X.shape[1]) if self.feature_names is None else list(self.feature_names)
        self.r2_ = r2_of_columns(X, X_hat)
        self.features_ = self._chosen(features, names)
        self.figure_, self.axes_ = several_axes(ax, len(self.features_), n_columns=N_COLUMNS, panel_size=PANEL_SIZE)
        self.ax_ = self.axes_[0]
        self.scatters_ = []
        # Many points are drawn smaller, and fainter.
        many = len(X) > 500
        defaults = {"s": 4 if many else 9, "alpha": 0.3 if many else 0.6, "linewidths": 0, "rasterized": many}
        for panel, j in zip(self.axes_, self.features_):
            low, high = X[:, j].min(), X[:, j].max()
            panel.plot([low, high], [low, high], color="0.6", linewidth=1, zorder=0)
            self.scatters_.append(panel.scatter(X[:, j], X_hat[:, j], **style(defaults, scatter_kw)))
            panel.set_title(f"{shortened(names[j])}\nR² {self.r2_[j]:.3f}", fontsize="medium")
            panel.locator_params(nbins=4)
        self._label_outer()

    def _label_outer(self):
        for panel in self.axes_:
            spec = panel.get_subplotspec()
            if spec is None or spec.is_first_col():
                panel.set_ylabel("reconstructed")
            if spec is None or spec.is_last_row():
                panel.set_xlabel("true")

    def _chosen(self, features, names):
        """Return the columns to show, as an array of int."""
        if features is None:
            if len(names) <= N_FEATURES:
                return np.arange(len(names))
            ranks = np.linspace(0, len(names) - 1, N_FEATURES).round().astype(int)
            return np.argsort(-self.r2_, kind="stable")[ranks]
        features = [features] if isinstance(features, (str, Integral)) else list(features)
        positions = [names.index(f) if f in names else f for f in features]
        wrong = [f for f in positions if not isinstance(f, Integral) or not -len(names) <= f < len(names)]
        if wrong or not positions:
            raise ValueError(f"features={features!r} must be names or numbers of the {len(names)} columns")
        return np.asarray(positions) % len(names)

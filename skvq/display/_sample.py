"""New rows drawn from a model: a grid of images, or the distributions of a table's columns."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator

from .._typing import ArrayLike, ImageShape, MatrixLike, RandomState, Self
from ._plotting import check_matplotlib, draw_grid, grid_figsize, one_axes, several_axes, shortened, style
from ._rows import (
    as_images,
    check_estimator,
    column_names,
    drawable,
    first_rows,
    shape_of_images,
    value_range,
    values_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# How many rows are drawn where it is not said.
N_IMAGES, N_OF_A_CLASS, N_TABLE_ROWS = 24, 8, 1000
# Share of the values of samples, at each end, that is left out of the scale of greys.
TAIL = 0.01
# Columns of a table that are shown, and bars of a histogram.
N_FEATURES, N_BINS = 12, 25
N_COLUMNS, PANEL_SIZE = 4, (2.6, 2.0)
ACCEPTED = "a model with sample(n_samples, random_state=...)"


class SampleDisplay:
    """Rows that a model has drawn.

    Images are drawn as a grid, with classes as one line for each. Of a table every column is a histogram, over that of
    real rows where there are some.

    Parameters
    ----------
    X : ndarray of shape (n, n_features)
        The rows.
    y : ndarray of shape (n,), default=None
        Their classes.
    X_real : ndarray of shape (n_real, n_features), default=None
        Real rows to compare with.
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
    images_ : ndarray of matplotlib AxesImage, shape (n_lines, n_columns)
        The images; None where a line is shorter.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skvq import VAETransformer
    >>> from skvq.display import SampleDisplay
    >>> X = load_digits().images
    >>> model = VAETransformer(8, hidden_layer_sizes=(), max_iter=1, random_state=0).fit(X)
    >>> display = SampleDisplay.from_estimator(model, n_samples=16, random_state=0)
    >>> display.images_.shape
    (2, 8)
    """

    def __init__(
        self,
        *,
        X: MatrixLike,
        y: ArrayLike | None = None,
        X_real: ArrayLike | None = None,
        image_shape: ImageShape = None,
        feature_names: Sequence[str] | None = None,
    ) -> None:
        self.X = X
        self.y = y
        self.X_real = X_real
        self.image_shape = image_shape
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        n_samples: int | None = None,
        y: ArrayLike | None = None,
        X: MatrixLike | None = None,
        random_state: RandomState | None = None,
        image_shape: ImageShape = None,
        ax: Axes | Sequence[Axes] | None = None,
        n_columns: int = 8,
        imshow_kw: dict[str, Any] | None = None,
        hist_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw rows from a fitted model, and show them.

        Parameters
        ----------
        estimator : estimator
            Fitted, with `sample`: a ``VAETransformer``, a ``VQVAETransformer`` with a prior, a ``PixelCNN``, also
            scikit-learn's mixtures.
        n_samples : int, default=None
            Number of rows, or of rows of each class. None: 24 images, 8 of each class, 1000 rows of a table.
        y : array-like of labels, default=None
            Classes to draw from, where the model is conditional on classes.
        X : array-like, default=None
            Real rows to compare with: of images a line of the first ones, of a table their histograms.
        random_state : int, RandomState instance or None, default=None
            Seeds the draw.
        image_shape : tuple (H, W) or (H, W, C), default=None
            Shape of an image; None takes the estimator's `image_shape_`, or what the shape of the rows says.
        ax, n_columns, imshow_kw, hist_kw
            As in :meth:`plot`.

        Returns
        -------
        display : SampleDisplay
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        check_estimator(estimator, cls.__name__, ("sample",), ACCEPTED)
        classes = None if y is None else np.atleast_1d(y)
        samples, labels = _draw(estimator, n_samples, classes, random_state, image_shape)
        shape = shape_of_images(samples, image_shape, estimator)
        return cls.from_samples(
            samples,
            y=labels,
            X_real=X,
            image_shape=shape,
            feature_names=getattr(estimator, "feature_names_in_", None),
            ax=ax,
            n_columns=n_columns,
            imshow_kw=imshow_kw,
            hist_kw=hist_kw,
        )

    @classmethod
    def from_samples(
        cls,
        X: MatrixLike,
        *,
        y: ArrayLike | None = None,
        X_real: ArrayLike | None = None,
        image_shape: ImageShape = None,
        feature_names: Sequence[str] | None = None,
        ax: Axes | Sequence[Axes] | None = None,
        n_columns: int = 8,
        imshow_kw: dict[str, Any] | None = None,
        hist_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Show rows that were drawn before.

        Parameters
        ----------
        X : array-like of shape (n, n_features), or images (n, H, W) or (n, H, W, C)
            The rows.
        y : array-like of shape (n,), default=None
            Their classes: one line for each.
        X_real : array-like like X, default=None
            Real rows to compare with.
        image_shape : tuple (H, W) or (H, W, C), default=None
            Shape of an image; None takes what the shape of X says.
        feature_names : list of str, default=None
            Names of the columns of a table; None takes those of X, or of `X_real`, where they are DataFrames.
        ax, n_columns, imshow_kw, hist_kw
            As in :meth:`plot`.

        Returns
        -------
        display : SampleDisplay
        """
        check_matplotlib(f"{cls.__name__}.from_samples")
        shape, rows = shape_of_images(X, image_shape), values_of(X)
        if feature_names is None and shape is None:
            feature_names = column_names(X if hasattr(X, "columns") else X_real, rows.shape[1])
        real = None
        if X_real is not None:
            real = values_of(X_real if shape is None else first_rows(X_real, n_columns))
            real = real.reshape(len(real), -1)
        display = cls(
            X=rows.reshape(len(rows), -1),
            y=None if y is None else np.asarray(y),
            X_real=real,
            image_shape=shape,
            feature_names=feature_names,
        )
        return display.plot(ax, n_columns=n_columns, imshow_kw=imshow_kw, hist_kw=hist_kw)

    def plot(
        self,
        ax: Axes | Sequence[Axes] | None = None,
        *,
        n_columns: int = 8,
        imshow_kw: dict[str, Any] | None = None,
        hist_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the rows.

        Parameters
        ----------
        ax : matplotlib Axes, array of such, or None, default=None
            For images one Axes; for a table one for each of the first 12 columns, or a single one, whose place is
            divided. None makes a figure.
        n_columns : int, default=8
            Images in a line, where these have no classes.
        imshow_kw : dict, default=None
            Keywords of ``Axes.imshow``, for images.
        hist_kw : dict, default=None
            Keywords of ``Axes.hist``, for tables.

        Returns
        -------
        self
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        if self.image_shape is None:
            self._plot_table(ax, hist_kw)
        else:
            self._plot_images(ax, n_columns, imshow_kw)
        return self

    def _plot_images(self, ax, n_columns, imshow_kw):
        images = as_images(self.X, self.image_shape)
        real = None if self.X_real is None else as_images(self.X_real, self.image_shape)
        limits = value_range(images, TAIL) if real is None else value_range(real)
        images, keywords = drawable(images, limits)
        keywords = style(keywords, imshow_kw)
        if self.y is None:
            parts = [images[i : i + n_columns] for i in range(0, len(images), n_columns)]
            labels = ["" if real is None else "samples", *[""] * (len(parts) - 1)]
        else:
            classes = list(dict.fromkeys(self.y.tolist()))
            parts, labels = [images[self.y == label] for label in classes], [str(label) for label in classes]
        groups = None
        if real is not None:
            parts, labels, groups = [drawable(real, limits)[0], *parts], ["data", *labels], [1]
        size = grid_figsize(len(parts), max(map(len, parts)), images.shape[1:3], labels)
        self.figure_, self.ax_ = one_axes(ax, size)
        self.axes_ = np.array([self.ax_], dtype=object)
        self.images_ = draw_grid(self.ax_, [(part, keywords) for part in parts], labels=labels, groups=groups)

    def _plot_table(self, ax, hist_kw):
        names = column_names(None, self.X.shape[1]) if self.feature_names is None else self.feature_names
        n = min(N_FEATURES, len(names))
        self.figure_, self.axes_ = several_axes(ax, n, n_columns=N_COLUMNS, panel_size=PANEL_SIZE)
        self.ax_ = self.axes_[0]
        for j, panel in enumerate(self.axes_):
            found = [("samples", self.X[:, j], {"color": "C0", "alpha": 0.5})]
            if self.X_real is not None:
                found.append(("data", self.X_real[:, j], {"color": "0.2", "histtype": "step"}))
            bins = np.histogram_bin_edges(np.concatenate([values for _, values, _ in found]).astype(float), N_BINS)
            for label, values, look in found:
                panel.hist(values, **style({"bins": bins, "density": True, "label": label, **look}, hist_kw))
            panel.set_title(shortened(names[j]), fontsize="medium")
            panel.set_yticks([])
            panel.locator_params(axis="x", nbins=4)
        if self.X_real is not None:
            self.ax_.set_ylim(top=1.4 * self.ax_.get_ylim()[1])
            self.ax_.legend(fontsize="x-small", ncols=2, loc="upper center")


def _draw(estimator, n_samples, classes, random_state, image_shape):
    """Return rows drawn from the estimator, and their classes or None."""
    if n_samples is None:
        one = _sample(estimator, 1, None if classes is None else classes[:1], 0)
        images = shape_of_images(one, image_shape, estimator) is not None
        n_samples = N_TABLE_ROWS if not images else N_IMAGES if classes is None else N_OF_A_CLASS
    labels = None if classes is None else np.repeat(classes, n_samples)
    return _sample(estimator, n_samples if labels is None else len(labels), labels, random_state), labels


def _sample(estimator, n, labels, random_state):
    """Return n rows; scikit-learn's densities take a seed elsewhere, and return the component as well."""
    accepted = signature(estimator.sample).parameters
    options = {}
    if "random_state" in accepted:
        options["random_state"] = random_state
    if labels is not None:
        if "y" not in accepted:
            raise ValueError(f"y={labels[:1]!r} was given, but the sample of {estimator!r} takes no classes")
        options["y"] = labels
    rows = estimator.sample(n, **options)
    return rows[0] if isinstance(rows, tuple) else rows

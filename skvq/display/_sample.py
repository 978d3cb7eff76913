"""New rows drawn from a model: a grid of images, series as lines, or the distributions of a table's columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from .._typing import ArrayLike, ImageShape, MatrixLike, NDArray, RandomState, Self, SeriesShape
from ._base import Display
from ._plotting import Keywords, SomeAxes, shortened, style
from ._rows import as_table, column_names, drawable, first_rows, shape_of_images
from ._series import N_CHANNELS, N_LINES, draw_lines, series_layout, time_first_rows, unfolded

# Number of rows to draw if none is given.
N_IMAGES, N_OF_A_CLASS, N_TABLE_ROWS = 24, 8, 1000
# Share of the values of samples, at each end, that is left out of the scale of greys.
TAIL = 0.01
# Columns of a table that are shown, and bars of a histogram.
N_FEATURES, N_BINS = 12, 25
N_COLUMNS, PANEL_SIZE, SERIES_PANEL_SIZE = 4, (2.6, 2.0), (3.6, 2.2)


@dataclass(kw_only=True, eq=False, repr=False)
class SampleDisplay(Display):
    """Rows that a model has drawn.

    Images are drawn as a grid, with a line for each class if there are classes. Series are lines over each other, in a
    panel for each channel. A table has a histogram for each column, over that of real rows if there are some.

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
    series_shape : tuple (length,) or (length, n_channels), default=None
        Shape of a series; the rows have its time steps first.

    Attributes
    ----------
    figure_, axes_, ax_ : matplotlib Figure, ndarray of Axes, and Axes
        What was drawn on; `ax_` is the first of `axes_`.
    images_ : ndarray of matplotlib AxesImage, shape (n_lines, n_columns)
        The images; None where a line is shorter.
    lines_ : list of list of matplotlib Line2D
        The lines of each panel, for series: real ones first.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skvq import VAETransformer
    >>> from skvq.display import SampleDisplay
    >>> X = load_digits().images
    >>> model = VAETransformer(8, hidden_layer_sizes=(), n_mixture_components=10, max_iter=1, random_state=0).fit(X)
    >>> SampleDisplay.from_estimator(model, n_samples=16, random_state=0).images_.shape
    (2, 8)
    """

    X: NDArray[Any]
    y: NDArray[Any] | None = None
    X_real: NDArray[Any] | None = None
    image_shape: ImageShape = None
    feature_names: Sequence[str] | None = None
    series_shape: SeriesShape = None
    _accepted = "a model with sample(n_samples, random_state=...)"

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
        ax: SomeAxes = None,
        n_columns: int = 8,
        imshow_kw: Keywords = None,
        hist_kw: Keywords = None,
        line_kw: Keywords = None,
    ) -> Self:
        """Draw rows from a fitted model, show them, and return the display.

        Parameters
        ----------
        estimator : estimator
            Fitted, with `sample`: a ``VAETransformer``, a ``VQVAETransformer`` with a prior, a ``PixelCNN``, also
            scikit-learn's mixtures.
        n_samples : int, default=None
            Number of rows, or of rows of each class. None: 24 images or series, 8 of each class, 1000 rows of a table.
        y : array-like of labels, default=None
            Classes to draw from, for a model that is conditional on classes.
        X : array-like, default=None
            Real rows to compare with: the first images are a line, the first series are grey lines, the columns of a
            table are histograms.
        random_state : int, RandomState instance or None, default=None
            Seeds the draw: the same int gives the same rows in every call, None other rows every time. The estimator's
            own `random_state` seeds `fit` alone.
        image_shape : tuple (H, W) or (H, W, C), default=None
            Shape of an image; None takes the estimator's `image_shape_`, or what the shape of the rows says.
        ax, n_columns, imshow_kw, hist_kw, line_kw
            As in :meth:`plot`.
        """
        cls._check_estimator(estimator, "sample")
        classes = None if y is None else np.atleast_1d(y)
        if n_samples is None:
            one = _sample(estimator, 1, None if classes is None else classes[:1], 0)
            layout = series_layout(estimator)
            drawn = layout is not None or shape_of_images(one, image_shape, estimator) is not None
            n_samples = N_TABLE_ROWS if not drawn else N_IMAGES if classes is None else N_OF_A_CLASS
        labels = None if classes is None else np.repeat(classes, n_samples)
        samples = _sample(estimator, n_samples if labels is None else len(labels), labels, random_state)
        series = series_layout(estimator)
        if series is not None:
            real = None if X is None else time_first_rows(first_rows(X, N_LINES), series)
            rows = time_first_rows(samples, series)
            display = cls(X=rows, y=labels, X_real=real, series_shape=series.shape)
            return display.plot(ax, line_kw=line_kw)
        return cls.from_samples(
            samples,
            y=labels,
            X_real=X,
            image_shape=shape_of_images(samples, image_shape, estimator),
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
        ax: SomeAxes = None,
        n_columns: int = 8,
        imshow_kw: Keywords = None,
        hist_kw: Keywords = None,
    ) -> Self:
        """Show rows that were drawn before, and return the display.

        Parameters
        ----------
        X, y, X_real, image_shape, feature_names
            As in :class:`SampleDisplay`. X and `X_real` may also be images (n, H, W) or (n, H, W, C), or DataFrames:
            without `image_shape` the shape of X is taken, without `feature_names` the names of a DataFrame.
        ax, n_columns, imshow_kw, hist_kw
            As in :meth:`plot`.
        """
        shape, rows = shape_of_images(X, image_shape), as_table(X)
        if feature_names is None and shape is None:
            frame = X if hasattr(X, "columns") else X_real
            feature_names = column_names(getattr(frame, "columns", None), rows.shape[1])
        real = None
        if X_real is not None:
            real = as_table(X_real if shape is None else first_rows(X_real, n_columns))
        classes = None if y is None else np.asarray(y)
        display = cls(X=rows, y=classes, X_real=real, image_shape=shape, feature_names=feature_names)
        return display.plot(ax, n_columns=n_columns, imshow_kw=imshow_kw, hist_kw=hist_kw)

    def plot(
        self,
        ax: SomeAxes = None,
        *,
        n_columns: int = 8,
        imshow_kw: Keywords = None,
        hist_kw: Keywords = None,
        line_kw: Keywords = None,
    ) -> Self:
        """Draw the rows, and return the display.

        Parameters
        ----------
        ax : matplotlib Axes, or array of Axes, default=None
            One Axes for images. A table takes one for each of its first 12 columns, and series one for each of their
            first 12 channels, or a single one, which is divided. None makes a figure.
        n_columns : int, default=8
            Images in a line, if they have no classes.
        imshow_kw : dict, default=None
            Keywords of ``Axes.imshow``, for images.
        hist_kw : dict, default=None
            Keywords of ``Axes.hist``, for tables.
        line_kw : dict, default=None
            Keywords of ``Axes.plot``, for series.
        """
        if self.series_shape is not None:
            self._plot_series(ax, line_kw)
        elif self.image_shape is None:
            self._plot_table(ax, hist_kw)
        else:
            self._plot_images(ax, n_columns, imshow_kw)
        return self

    def _plot_images(self, ax, n_columns, imshow_kw):
        if self.X_real is None:
            (images,), look = drawable(self.image_shape, self.X, tail=TAIL)
            parts, labels = [], []
        else:
            (real, images), look = drawable(self.image_shape, self.X_real, self.X)
            parts, labels = [real], ["data"]
        if self.y is None:
            parts += [images[i : i + n_columns] for i in range(0, len(images), n_columns)]
            labels += ["samples" if labels else ""] + [""] * (len(parts) - len(labels) - 1)
        else:
            classes = list(dict.fromkeys(self.y.tolist()))
            parts += [images[self.y == label] for label in classes]
            labels += [str(label) for label in classes]
        lines = [(part, style(look, imshow_kw)) for part in parts]
        self.images_ = self._draw_images(ax, lines, labels=labels, first_apart=self.X_real is not None)

    def _plot_series(self, ax, line_kw):
        samples = unfolded(self.X, self.series_shape)
        real = None if self.X_real is None else unfolded(self.X_real, self.series_shape)
        n_channels = min(N_CHANNELS, samples.shape[2])
        classes = [None] if self.y is None else list(dict.fromkeys(self.y.tolist()))
        self._use_panels(ax, n_channels, N_COLUMNS, SERIES_PANEL_SIZE)
        self.lines_ = []
        for channel, panel in enumerate(self.axes_):
            lines = []
            if real is not None:
                look = {"color": "0.75", "linewidth": 1.0, "label": "data"}
                lines += draw_lines(panel, real[:N_LINES, :, channel], look, line_kw)
            for i, label in enumerate(classes):
                of_class = samples if label is None else samples[self.y == label]
                look = {"color": f"C{i}", "linewidth": 0.8, "label": "samples" if label is None else str(label)}
                lines += draw_lines(panel, of_class[:N_LINES, :, channel], look, line_kw)
            if n_channels > 1:
                panel.set_title(f"channel {channel}", fontsize="medium")
            self.lines_.append(lines)
        if real is not None or self.y is not None:
            self.ax_.legend(fontsize="x-small")

    def _plot_table(self, ax, hist_kw):
        names = column_names(self.feature_names, self.X.shape[1])
        self._use_panels(ax, min(N_FEATURES, len(names)), N_COLUMNS, PANEL_SIZE)
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


def _sample(estimator, n, labels, random_state):
    """Return n rows; scikit-learn's densities take a seed elsewhere, and return the component as well."""
    accepted = signature(estimator.sample).parameters
    if labels is not None and "y" not in accepted:
        raise ValueError(f"y={labels[:1]!r} was given, but the sample of {estimator!r} takes no classes")
    given = {"random_state": random_state, "y": labels}
    rows = estimator.sample(n, **{name: value for name, value in given.items() if name in accepted})
    return rows[0] if isinstance(rows, tuple) else rows

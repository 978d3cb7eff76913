"""Rows decoded from the components of an autoencoder while one component changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from .._typing import ArrayLike, ImageShape, MatrixLike, NDArray, Self, SeriesShape
from ._base import Display
from ._plotting import Keywords, SomeAxes, legible_ticks, style
from ._rows import check_numbers, column_names, drawable
from ._series import draw_lines, series_layout, time_first_rows, unfolded

N_COMPONENTS = 8
SPAN = 3.0
QUANTILES = 0.02, 0.98
# Share of the decoded values, at each end, that is left out of the scale of greys.
TAIL = 0.005
# Panels of a table: how many lie in a row, how wide they are, and how many names of columns they have at most.
N_COLUMNS, PANEL_WIDTH, N_NAMES, SERIES_PANEL_SIZE = 4, 2.4, 30, (2.9, 2.2)


@dataclass(kw_only=True, eq=False, repr=False)
class LatentTraversalDisplay(Display):
    """Rows decoded while one component takes several values.

    For images every component is a line of pictures. For series it is a panel with a line for each value. For a table
    it is a panel with a curve for each value: the decoded row, in standard deviations from the mean row.

    Parameters
    ----------
    X_traversed : ndarray of shape (n_components, n_values, n_features)
        The decoded rows.
    components : ndarray of int, shape (n_components,)
        The component that changes.
    values : ndarray of shape (n_components, n_values)
        The values that it takes.
    value_names : list of str
        Names of the values.
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
    images_ : ndarray of matplotlib AxesImage, shape (n_components, n_values)
        The pictures, for images.
    lines_ : list of list of matplotlib Line2D
        The curves of each panel, for tables and series.

    See Also
    --------
    skvq.VAETransformer.traverse : The rows themselves.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skvq import VAETransformer
    >>> from skvq.display import LatentTraversalDisplay
    >>> X = load_digits().images
    >>> model = VAETransformer(8, hidden_layer_sizes=(), prior="normal", max_iter=1, random_state=0).fit(X)
    >>> LatentTraversalDisplay.from_estimator(model, components=[0, 1, 2]).images_.shape
    (3, 7)
    """

    X_traversed: NDArray[Any]
    components: Sequence[int]
    values: ArrayLike
    value_names: Sequence[str]
    image_shape: ImageShape = None
    feature_names: Sequence[str] | None = None
    series_shape: SeriesShape = None
    _accepted = "an AutoEncoderTransformer or a VAETransformer"

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: MatrixLike | None = None,
        *,
        components: Sequence[int] | None = None,
        n_values: int = 7,
        ax: SomeAxes = None,
        imshow_kw: Keywords = None,
        line_kw: Keywords = None,
    ) -> Self:
        """Decode rows with one component changed at a time, draw them, and return the display.

        Parameters
        ----------
        estimator : VAETransformer or AutoEncoderTransformer
            Fitted. A component of the first goes from -3 to 3, in standard deviations of its prior; one of the second
            goes from the 0.02-quantile to the 0.98-quantile of the codes of X, in steps of equal shares of X.
        X : array-like, default=None
            A ``VAETransformer`` takes the other components from the first row; without X they are 0. An
            ``AutoEncoderTransformer`` needs rows; the other components are at their medians.
        components : list of int, default=None
            Components to change. None takes the eight that tell most: those with the largest divergence from the prior
            for a ``VAETransformer``, with the largest variance for an ``AutoEncoderTransformer``.
        n_values : int, default=7
            Number of values.
        ax, imshow_kw, line_kw
            As in :meth:`plot`.
        """
        cls._check_estimator(estimator, "transform", "inverse_transform", "n_components_", "shift_", "scale_")
        of_kind = _of_a_vae if hasattr(estimator, "kl_per_component_") else _of_an_autoencoder
        start, values, names, order = of_kind(estimator, X, n_values)
        chosen = order[:N_COMPONENTS] if components is None else check_numbers("components", components, len(order))
        z = np.tile(start, (len(chosen), n_values, 1))  # (n_components, n_values, length of z)
        z[np.arange(len(chosen)), :, chosen] = values[chosen]
        decoded = estimator.inverse_transform(z.reshape(-1, len(start)))
        decoded = np.asarray(decoded, dtype=np.float64).reshape(len(chosen), n_values, -1)
        series = series_layout(estimator)
        table = estimator.image_shape_ is None and series is None
        if series is not None:
            decoded = time_first_rows(decoded.reshape(-1, decoded.shape[2]), series).reshape(decoded.shape)
        display = cls(
            X_traversed=(decoded - estimator.shift_) / estimator.scale_ if table else decoded,
            components=chosen,
            values=values[chosen],
            value_names=names,
            image_shape=estimator.image_shape_,
            feature_names=getattr(estimator, "feature_names_in_", None),
            series_shape=None if series is None else series.shape,
        )
        return display.plot(ax, imshow_kw=imshow_kw, line_kw=line_kw)

    def plot(self, ax: SomeAxes = None, *, imshow_kw: Keywords = None, line_kw: Keywords = None) -> Self:
        """Draw the decoded rows, and return the display.

        Parameters
        ----------
        ax : matplotlib Axes, or array of Axes, default=None
            One Axes for images. Tables and series take one for each component, or a single one, which is divided. None
            makes a figure.
        imshow_kw : dict, default=None
            Keywords of ``Axes.imshow``, for images.
        line_kw : dict, default=None
            Keywords of ``Axes.plot``, for tables and series.
        """
        if self.series_shape is not None:
            self._plot_series(ax, line_kw)
        elif self.image_shape is None:
            self._plot_table(ax, line_kw)
        else:
            self._plot_images(ax, imshow_kw)
        return self

    def _plot_images(self, ax, imshow_kw):
        n, n_values, n_features = self.X_traversed.shape
        (images,), look = drawable(self.image_shape, self.X_traversed.reshape(-1, n_features), tail=TAIL)
        lines = [(part, style(look, imshow_kw)) for part in np.split(images, n)]
        labels = [f"component {c}" for c in self.components]
        self.images_ = self._draw_images(ax, lines, labels=labels, column_labels=self.value_names)

    def _plot_series(self, ax, line_kw):
        n, n_values, _ = self.X_traversed.shape
        self._use_panels(ax, n, N_COLUMNS, SERIES_PANEL_SIZE)
        colours = self._pyplot().get_cmap("coolwarm")(np.linspace(0, 1, n_values))
        self.lines_ = []
        for i, panel in enumerate(self.axes_):
            lines = []
            for one, colour, label in zip(unfolded(self.X_traversed[i], self.series_shape), colours, self.value_names):
                lines += draw_lines(panel, one.T, {"color": colour, "linewidth": 1.0, "label": label}, line_kw)
            self.lines_.append(lines)
            panel.set_title(f"component {self.components[i]}", fontsize="medium")
        last = self.axes_[min(n, N_COLUMNS) - 1]
        last.legend(fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5), title="value")

    def _plot_table(self, ax, line_kw):
        n, n_values, n_features = self.X_traversed.shape
        names = column_names(self.feature_names, n_features)
        self._use_panels(ax, n, N_COLUMNS, (PANEL_WIDTH + (n == 1), 1.0 + 0.2 * min(n_features, N_NAMES)))
        colours = self._pyplot().get_cmap("coolwarm")(np.linspace(0, 1, n_values))
        self.lines_ = []
        for i, panel in enumerate(self.axes_):
            drawn = []
            for row, colour, label in zip(self.X_traversed[i], colours, self.value_names):
                look = {"color": colour, "marker": ".", "label": label}
                drawn += panel.plot(row, np.arange(n_features), **style(look, line_kw))
            self.lines_.append(drawn)
            panel.set(title=f"component {self.components[i]}", xlabel="standard deviations")
            legible_ticks(panel.yaxis, names, N_NAMES)
            panel.tick_params(axis="y", labelsize="small", labelleft=i % N_COLUMNS == 0)
            panel.set_ylim(n_features - 0.5, -0.5)
            panel.grid(alpha=0.25)
            panel.axvline(0, color="0.6", linewidth=0.8, zorder=0)
        last = self.axes_[min(n, N_COLUMNS) - 1]
        last.legend(fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5), title="value")


def _of_a_vae(estimator, X, n_values):
    """Return the start (n_components,), values (n_components, n_values), their names, and the components in order."""
    n = estimator.n_components_
    start = np.zeros(n) if X is None else np.asarray(estimator.transform(X), dtype=np.float64)[0]
    values = np.linspace(-SPAN, SPAN, n_values)
    order = np.argsort(-estimator.kl_per_component_, kind="stable")
    return start, np.tile(values, (n, 1)), [f"{value:.2g}" for value in values], order


def _of_an_autoencoder(estimator, X, n_values):
    """Return what :func:`_of_a_vae` returns, from the codes of the rows X."""
    if X is None:
        raise ValueError(f"X=None, but {estimator!r} needs X: a component goes through the quantiles of the codes of X")
    z = np.asarray(estimator.transform(X), dtype=np.float64)
    shares = np.linspace(*QUANTILES, n_values)
    names = [f"{share:.0%}" for share in shares]
    return np.median(z, axis=0), np.quantile(z, shares, axis=0).T, names, np.argsort(-z.var(axis=0), kind="stable")

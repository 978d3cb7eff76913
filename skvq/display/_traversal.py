"""What the components of an autoencoder mean: rows decoded while one of them changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator

from .._typing import ArrayLike, ImageShape, MatrixLike, NDArray, Self
from ._plotting import check_matplotlib, draw_grid, grid_figsize, legible_ticks, one_axes, several_axes, style
from ._rows import as_images, check_estimator, column_names, drawable, value_range

if TYPE_CHECKING:
    from matplotlib.axes import Axes

N_COMPONENTS = 8
SPAN = 3.0
QUANTILES = 0.02, 0.98
# Share of the decoded values, at each end, that is left out of the scale of greys.
TAIL = 0.005
# Panels of a table: how many in a line, how wide, and names of columns at most.
N_COLUMNS, PANEL_WIDTH, N_NAMES = 4, 2.4, 30
ACCEPTED = "an AutoEncoderTransformer or a VAETransformer"


class LatentTraversalDisplay:
    """Rows decoded from components of which one at a time takes several values.

    Of images every component is a line of pictures. Of a table it is a panel with a curve through the columns for
    each value: the decoded row, in standard deviations from the mean row.

    Parameters
    ----------
    X_traversed : ndarray of shape (n_components, n_values, n_features)
        The decoded rows.
    components : ndarray of int, shape (n_components,)
        Which component changes.
    values : ndarray of shape (n_components, n_values)
        What it changes to.
    value_names : list of str
        What the values are called.
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
    images_ : ndarray of matplotlib AxesImage, shape (n_components, n_values)
        The pictures, for images.
    lines_ : list of list of matplotlib Line2D
        The curves of each panel, for tables.

    See Also
    --------
    skvq.VAETransformer.traverse : The rows themselves.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skvq import VAETransformer
    >>> from skvq.display import LatentTraversalDisplay
    >>> X = load_digits().images
    >>> model = VAETransformer(8, hidden_layer_sizes=(), max_iter=1, random_state=0).fit(X)
    >>> display = LatentTraversalDisplay.from_estimator(model, components=[0, 1, 2])
    >>> display.images_.shape
    (3, 7)
    """

    def __init__(
        self,
        *,
        X_traversed: NDArray[Any],
        components: Sequence[int],
        values: ArrayLike,
        value_names: Sequence[str],
        image_shape: ImageShape = None,
        feature_names: Sequence[str] | None = None,
    ) -> None:
        self.X_traversed = X_traversed
        self.components = components
        self.values = values
        self.value_names = value_names
        self.image_shape = image_shape
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: MatrixLike | None = None,
        *,
        components: Sequence[int] | None = None,
        n_values: int = 7,
        ax: Axes | Sequence[Axes] | None = None,
        imshow_kw: dict[str, Any] | None = None,
        line_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Decode rows with one component changed at a time, and draw them.

        Parameters
        ----------
        estimator : VAETransformer or AutoEncoderTransformer
            Fitted. The components of the first go from -3 to 3, standard deviations of its prior; those of the second
            from the 0.02-quantile to the 0.98-quantile of the codes of X, in steps of equal shares of X.
        X : array-like, default=None
            For a ``VAETransformer`` the first row gives the other components, which are 0 without X. An
            ``AutoEncoderTransformer`` needs rows; the other components are at their medians.
        components : list of int, default=None
            Components to change. None takes the eight that tell most: those of the largest divergence from the prior
            for a ``VAETransformer``, of the largest variance for an ``AutoEncoderTransformer``.
        n_values : int, default=7
            Number of values.
        ax, imshow_kw, line_kw
            As in :meth:`plot`.

        Returns
        -------
        display : LatentTraversalDisplay
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        needed = "transform", "inverse_transform", "n_components_", "shift_", "scale_"
        check_estimator(estimator, cls.__name__, needed, ACCEPTED)
        if hasattr(estimator, "kl_per_component_"):
            start, values, names, order = _of_a_vae(estimator, X, n_values)
        else:
            start, values, names, order = _of_an_autoencoder(estimator, X, n_values, cls.__name__)
        chosen = _check_components(components, order)
        z = np.tile(start, (len(chosen), n_values, 1))  # (n_components, n_values, length of z)
        z[np.arange(len(chosen)), :, chosen] = values[chosen]
        decoded = estimator.inverse_transform(z.reshape(-1, len(start)))
        decoded = np.asarray(decoded, dtype=np.float64).reshape(len(chosen), n_values, -1)
        table = estimator.image_shape_ is None
        display = cls(
            X_traversed=(decoded - estimator.shift_) / estimator.scale_ if table else decoded,
            components=chosen,
            values=values[chosen],
            value_names=names,
            image_shape=estimator.image_shape_,
            feature_names=getattr(estimator, "feature_names_in_", None),
        )
        return display.plot(ax, imshow_kw=imshow_kw, line_kw=line_kw)

    def plot(
        self,
        ax: Axes | Sequence[Axes] | None = None,
        *,
        imshow_kw: dict[str, Any] | None = None,
        line_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the decoded rows.

        Parameters
        ----------
        ax : matplotlib Axes, array of such, or None, default=None
            For images one Axes; for a table one for each component, or a single one, whose place is divided. None makes
            a figure.
        imshow_kw : dict, default=None
            Keywords of ``Axes.imshow``, for images.
        line_kw : dict, default=None
            Keywords of ``Axes.plot``, for tables.

        Returns
        -------
        self
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        if self.image_shape is None:
            self._plot_table(ax, line_kw)
        else:
            self._plot_images(ax, imshow_kw)
        return self

    def _plot_images(self, ax, imshow_kw):
        n, n_values, n_features = self.X_traversed.shape
        images = as_images(self.X_traversed.reshape(-1, n_features), self.image_shape)
        images, keywords = drawable(images, value_range(images, TAIL))
        keywords = style(keywords, imshow_kw)
        labels = [f"component {c}" for c in self.components]
        self.figure_, self.ax_ = one_axes(ax, grid_figsize(n, n_values, images.shape[1:3], labels, column_labels=True))
        self.axes_ = np.array([self.ax_], dtype=object)
        lines = [(images[i * n_values : (i + 1) * n_values], keywords) for i in range(n)]
        self.images_ = draw_grid(self.ax_, lines, labels=labels, column_labels=self.value_names)

    def _plot_table(self, ax, line_kw):
        import matplotlib as mpl

        n, n_values, n_features = self.X_traversed.shape
        names = column_names(None, n_features) if self.feature_names is None else self.feature_names
        size = PANEL_WIDTH + (n == 1), 1.0 + 0.2 * min(n_features, N_NAMES)
        self.figure_, self.axes_ = several_axes(ax, n, n_columns=N_COLUMNS, panel_size=size)
        self.ax_ = self.axes_[0]
        colours = mpl.colormaps["coolwarm"](np.linspace(0, 1, n_values))
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


def _of_an_autoencoder(estimator, X, n_values, caller):
    """Return what :func:`_of_a_vae` returns, from the codes of the rows X."""
    if X is None:
        raise ValueError(f"{caller} needs X for {estimator!r}: the values are quantiles of the codes of its rows")
    z = np.asarray(estimator.transform(X), dtype=np.float64)
    shares = np.linspace(*QUANTILES, n_values)
    names = [f"{share:.0%}" for share in shares]
    return np.median(z, axis=0), np.quantile(z, shares, axis=0).T, names, np.argsort(-z.var(axis=0), kind="stable")


def _check_components(components, order):
    """Return the components to change, as an array of int; the first of `order` without any."""
    if components is None:
        return order[:N_COMPONENTS]
    chosen = np.atleast_1d(components)
    if chosen.dtype.kind not in "iu" or not chosen.size or chosen.min() < 0 or chosen.max() >= len(order):
        raise ValueError(f"components={components!r} must be integers in 0 ... {len(order) - 1}")
    return chosen

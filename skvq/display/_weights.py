"""The weights of a first layer: what its units look for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator

from .._typing import ImageShape, NDArray, Self
from ..core.layout import check_image_shape
from ._plotting import check_matplotlib, draw_grid, grid_figsize, legible_ticks, one_axes, style
from ._rows import as_images, check_estimator, column_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

N_UNITS, N_COLUMNS = 32, 8
# Space between lines of images, with the names of the units in it, as a share of an image's width.
LINE_GAP = 0.28
ACCEPTED = "a multi-layer perceptron, an AutoEncoderTransformer or a VAETransformer"


class WeightsDisplay:
    """Weights of the first layer, as an image for each unit, or as a table of features and units.

    Red is positive and blue negative, on one scale for all units; of images in colour, grey is 0. A single unit of a
    table has a bar for each feature.

    Parameters
    ----------
    weights : ndarray of shape (n_features, n_units)
        The weights.
    unit_names : list of str
        What the units are called.
    image_shape : tuple (H, W) or (H, W, C), default=None
        Shape of an image.
    feature_names : list of str, default=None
        Names of the columns of a table.

    Attributes
    ----------
    figure_ : matplotlib Figure
        What was drawn on.
    ax_ : matplotlib Axes
        The Axes.
    images_ : ndarray of matplotlib AxesImage
        A grid of one image for each unit; for tables the one image (1, 1) of all weights. None for bars.
    bars_ : matplotlib BarContainer or None
        The bars.
    colorbar_ : matplotlib Colorbar or None
        The scale; bars and images in colour have none.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skvq import MLPClassifier
    >>> from skvq.display import WeightsDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> perceptron = MLPClassifier((), alpha=10.0, solver="lbfgs").fit(X / 16, y)
    >>> display = WeightsDisplay.from_estimator(perceptron, image_shape=(8, 8))
    >>> display.images_.shape  # ten classes on a grid
    (2, 5)
    """

    def __init__(
        self,
        *,
        weights: NDArray[Any],
        unit_names: Sequence[str],
        image_shape: ImageShape = None,
        feature_names: Sequence[str] | None = None,
    ) -> None:
        self.weights = weights
        self.unit_names = unit_names
        self.image_shape = image_shape
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        image_shape: ImageShape = None,
        path: str | None = None,
        units: Sequence[int] | None = None,
        ax: Axes | None = None,
        imshow_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the first weights of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted: a multi-layer perceptron, scikit-learn's as well, an ``AutoEncoderTransformer`` or a
            ``VAETransformer`` with dense layers. Those of the last two are of standardised values.
        image_shape : tuple (H, W) or (H, W, C), default=None
            Shape of an image; None takes the estimator's `image_shape_`, or draws a table.
        path : {"network", "linear"} or None, default=None
            Of an autoencoder: the first layer of its network, or the linear path beside it, whose units are the
            components. None takes the network where there is one.
        units : list of int, default=None
            Units to draw. None draws all up to 32, and of more those with the longest vectors of weights, longest
            first.
        ax, imshow_kw
            As in :meth:`plot`.

        Returns
        -------
        display : WeightsDisplay
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        check_estimator(estimator, cls.__name__, (), ACCEPTED)
        weights, names = _first_weights(estimator, path, cls.__name__)
        shape = getattr(estimator, "image_shape_", None) if image_shape is None else image_shape
        shape = check_image_shape(shape, len(weights))
        chosen = _check_units(units, weights)
        features = getattr(estimator, "feature_names_in_", None)
        display = cls(
            weights=weights[:, chosen],
            unit_names=[names[i] for i in chosen],
            image_shape=shape,
            feature_names=None if features is None else list(features),
        )
        return display.plot(ax, imshow_kw=imshow_kw)

    def plot(self, ax: Axes | None = None, *, imshow_kw: dict[str, Any] | None = None) -> Self:
        """Draw the weights.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure.
        imshow_kw : dict, default=None
            Keywords of ``Axes.imshow``.

        Returns
        -------
        self
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        largest = float(np.abs(self.weights).max()) or 1.0
        look = style({"cmap": "RdBu_r", "vmin": -largest, "vmax": largest}, imshow_kw)
        self.bars_ = self.colorbar_ = None
        if self.image_shape is None and len(self.unit_names) == 1:
            self._plot_bars(ax)
        elif self.image_shape is None:
            self._plot_table(ax, look)
        else:
            self._plot_images(ax, look, imshow_kw)
        if self.images_ is not None and self.images_[0, 0].get_array().ndim == 2:
            self.colorbar_ = self.figure_.colorbar(self.images_[0, 0], ax=self.ax_, shrink=0.8, label="weight")
        return self

    def _plot_images(self, ax, look, imshow_kw):
        images = as_images(self.weights.T, self.image_shape)
        if images.ndim == 4:  # in colours, grey is 0
            images, look = 0.5 + images / (2 * look["vmax"]), style({}, imshow_kw)
        n_lines = math.ceil(len(images) / N_COLUMNS)
        n_columns = math.ceil(len(images) / n_lines)
        lines = [(images[i : i + n_columns], look) for i in range(0, len(images), n_columns)]
        width, height = grid_figsize(n_lines, n_columns, images.shape[1:3], line_gap=LINE_GAP)
        self.figure_, self.ax_ = one_axes(ax, (width + 0.9, height))
        self.images_ = draw_grid(self.ax_, lines, line_gap=LINE_GAP)
        for image, name in zip(self.images_.ravel(), self.unit_names):
            left, right, bottom, top = image.get_extent()
            self.ax_.text((left + right) / 2, top - 0.02, name, fontsize="x-small", ha="center", va="bottom")
        self.ax_.set_ylim(top=-LINE_GAP)

    def _plot_bars(self, ax):
        n_features = len(self.weights)
        names = column_names(None, n_features) if self.feature_names is None else self.feature_names
        self.figure_, self.ax_ = one_axes(ax, (5.0, 1.0 + 0.25 * min(n_features, 40)))
        values, self.images_ = self.weights[:, 0], None
        self.bars_ = self.ax_.barh(np.arange(n_features), values, color=np.where(values > 0, "C3", "C0"))
        legible_ticks(self.ax_.yaxis, names, 40)
        self.ax_.axvline(0, color="0.3", linewidth=0.8)
        self.ax_.set(xlabel="weight", ylim=(n_features - 0.5, -0.5))

    def _plot_table(self, ax, look):
        n_features, n_units = self.weights.shape
        names = column_names(None, n_features) if self.feature_names is None else self.feature_names
        size = 2.5 + 0.3 * min(n_units, 32), 1.0 + 0.25 * min(n_features, 40)
        self.figure_, self.ax_ = one_axes(ax, size)
        image = self.ax_.imshow(self.weights, **{"aspect": "auto", "interpolation": "nearest", **look})
        self.images_ = np.array([[image]], dtype=object)
        legible_ticks(self.ax_.yaxis, names, 40)
        legible_ticks(self.ax_.xaxis, self.unit_names, 32)
        if max(map(len, self.unit_names)) > 2:
            self.ax_.tick_params(axis="x", labelrotation=90)
        self.ax_.set_xlabel("unit")


def _first_weights(estimator, path, caller):
    """Return the weights (n_features, n_units) of the first layer, and the names of its units."""
    if path not in (None, "network", "linear"):
        raise ValueError(f"path={path!r} must be None, 'network' or 'linear'")
    if hasattr(estimator, "coefs_"):
        if path is not None:
            raise ValueError(f"path={path!r} is for autoencoders; {estimator!r} has one path")
        weights = np.asarray(estimator.coefs_[0])
        return weights, _names_of_outputs(estimator, weights.shape[1])
    if not hasattr(estimator, "n_components_") or not hasattr(estimator, "_network"):
        raise TypeError(f"{caller} needs {ACCEPTED}, got {estimator!r}")
    encoder = estimator._network().encoder
    layers = None if encoder.network is None else estimator.weights_.get("encoder.network.0.weight")
    if path == "linear" or (path is None and encoder.network is None):
        # Of a VAE the means come first; the others are logarithms of variances.
        weights = encoder.linear.matrix.detach().cpu().numpy().T[:, : estimator.n_components_].copy()
    elif layers is None:
        raise ValueError(f"{estimator!r} has no dense network; pass path='linear' for the linear path beside it")
    else:
        weights = layers.T
    return weights, [str(i) for i in range(weights.shape[1])]


def _names_of_outputs(estimator, n_units):
    """Return the names of the units: without hidden layers those of the classes."""
    classes = getattr(estimator, "classes_", None)
    if len(estimator.coefs_) > 1 or classes is None or isinstance(classes, list):
        return [str(i) for i in range(n_units)]
    names = [str(label) for label in classes]
    return names if len(names) == n_units else names[-n_units:]


def _check_units(units, weights):
    """Return the units to draw, as an array of int."""
    n_units = weights.shape[1]
    if units is None:
        if n_units <= N_UNITS:
            return np.arange(n_units)
        return np.argsort(-np.linalg.norm(weights, axis=0), kind="stable")[:N_UNITS]
    chosen = np.atleast_1d(units)
    if chosen.dtype.kind not in "iu" or not chosen.size or chosen.min() < 0 or chosen.max() >= n_units:
        raise ValueError(f"units={units!r} must be integers in 0 ... {n_units - 1}")
    return chosen

"""The weights of a first layer, which show what its units look for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from .._typing import ImageShape, NDArray, Self
from ..core.layout import check_image_shape
from ..nn.bottleneck import linear_step
from ._base import Display
from ._plotting import Keywords, OneAxes, legible_ticks, style
from ._rows import as_images, check_numbers, column_names

N_UNITS, N_NAMES, N_COLUMNS = 32, 40, 8
# Space between lines of images, with the names of the units in it, as a share of an image's width.
LINE_GAP = 0.28
NETWORK, LINEAR = "encoder.network.0.weight", "encoder.linear.unscaled_weight"


@dataclass(kw_only=True, eq=False, repr=False)
class WeightsDisplay(Display):
    """Weights of the first layer, as an image for each unit, or as a table of features and units.

    Red is positive and blue is negative, on one scale for all units; in images in colour, 0 is grey. If a table has a
    single unit, each feature has a bar.

    Parameters
    ----------
    weights : ndarray of shape (n_features, n_units)
        The weights.
    unit_names : list of str
        Names of the units.
    image_shape : tuple (H, W) or (H, W, C), default=None
        Shape of an image.
    feature_names : list of str, default=None
        Names of the columns of a table.

    Attributes
    ----------
    figure_, ax_ : matplotlib Figure and Axes
        What was drawn on.
    images_ : ndarray of matplotlib AxesImage
        A grid of one image for each unit; for tables the one image (1, 1) of all weights. None for bars.
    bars_ : matplotlib BarContainer or None
        The bars.
    colorbar_ : matplotlib Colorbar or None
        The scale; None for bars and for images in colour.

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

    weights: NDArray[Any]
    unit_names: Sequence[str]
    image_shape: ImageShape = None
    feature_names: Sequence[str] | None = None
    _accepted = "a multi-layer perceptron, an AutoEncoderTransformer or a VAETransformer"

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        image_shape: ImageShape = None,
        path: str | None = None,
        units: Sequence[int] | None = None,
        ax: OneAxes = None,
        imshow_kw: Keywords = None,
    ) -> Self:
        """Draw the first weights of a fitted estimator, and return the display.

        Parameters
        ----------
        estimator : estimator
            Fitted: a multi-layer perceptron, scikit-learn's as well, or, with dense layers, an
            ``AutoEncoderTransformer`` or a ``VAETransformer``, whose weights are for standardised values.
        image_shape : tuple (H, W) or (H, W, C), default=None
            Shape of an image; None takes the estimator's `image_shape_`, or draws a table.
        path : {"network", "linear"} or None, default=None
            For an autoencoder: the first layer of its network, or the linear path beside it, whose units are the
            components. None takes the network if there is one.
        units : list of int, default=None
            Units to draw. None draws all of up to 32 units, else the 32 with the longest vectors of weights, longest
            first.
        ax, imshow_kw
            As in :meth:`plot`.
        """
        cls._check_estimator(estimator)
        if path not in (None, "network", "linear"):
            raise ValueError(f"path={path!r} must be None, 'network' or 'linear'")
        if hasattr(estimator, "coefs_"):
            if path is not None:
                raise ValueError(f"path={path!r} is for autoencoders; {estimator!r} has one path")
            weights = np.asarray(estimator.coefs_[0])
        elif hasattr(estimator, "n_components_") and LINEAR in getattr(estimator, "weights_", ()):
            weights = _weights_of_an_autoencoder(estimator, path)
        else:
            raise cls._not_accepted(estimator)
        n_features, n_units = weights.shape
        shape = getattr(estimator, "image_shape_", None) if image_shape is None else image_shape
        if units is not None:
            chosen = check_numbers("units", units, n_units)
        elif n_units <= N_UNITS:
            chosen = np.arange(n_units)
        else:
            chosen = np.argsort(-np.linalg.norm(weights, axis=0), kind="stable")[:N_UNITS]
        names, features = _names_of_units(estimator, n_units), getattr(estimator, "feature_names_in_", None)
        display = cls(
            weights=weights[:, chosen],
            unit_names=[names[i] for i in chosen],
            image_shape=check_image_shape(shape, n_features),
            feature_names=None if features is None else list(features),
        )
        return display.plot(ax, imshow_kw=imshow_kw)

    def plot(self, ax: OneAxes = None, *, imshow_kw: Keywords = None) -> Self:
        """Draw the weights, and return the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure.
        imshow_kw : dict, default=None
            Keywords of ``Axes.imshow``.
        """
        largest = float(np.abs(self.weights).max()) or 1.0
        look = style({"cmap": "RdBu_r", "vmin": -largest, "vmax": largest}, imshow_kw)
        self.images_ = self.bars_ = self.colorbar_ = None
        if self.image_shape is not None:
            self._plot_images(ax, look, imshow_kw)
        elif len(self.unit_names) > 1:
            self._plot_table(ax, look)
        else:
            self._plot_bars(ax)
        if self.images_ is not None and self.images_[0, 0].get_array().ndim == 2:
            self.colorbar_ = self.figure_.colorbar(self.images_[0, 0], ax=self.ax_, shrink=0.8, label="weight")
        return self

    def _plot_images(self, ax, look, imshow_kw):
        images = as_images(self.weights.T, self.image_shape)
        if images.ndim == 4:  # in colours, grey is 0
            images, look = 0.5 + images / (2 * look["vmax"]), style({}, imshow_kw)
        n_columns = math.ceil(len(images) / math.ceil(len(images) / N_COLUMNS))
        lines = [(images[i : i + n_columns], look) for i in range(0, len(images), n_columns)]
        self.images_ = self._draw_images(ax, lines, line_gap=LINE_GAP, right_margin=0.9)
        for image, name in zip(self.images_.ravel(), self.unit_names):
            left, right, _, top = image.get_extent()
            self.ax_.text((left + right) / 2, top - 0.02, name, fontsize="x-small", ha="center", va="bottom")
        self.ax_.set_ylim(top=-LINE_GAP)

    def _plot_bars(self, ax):
        n_features, values = len(self.weights), self.weights[:, 0]
        self._use_axes(ax, (5.0, 1.0 + 0.25 * min(n_features, N_NAMES)))
        self.bars_ = self.ax_.barh(np.arange(n_features), values, color=np.where(values > 0, "C3", "C0"))
        legible_ticks(self.ax_.yaxis, column_names(self.feature_names, n_features), N_NAMES)
        self.ax_.axvline(0, color="0.3", linewidth=0.8)
        self.ax_.set(xlabel="weight", ylim=(n_features - 0.5, -0.5))

    def _plot_table(self, ax, look):
        n_features, n_units = self.weights.shape
        size = 2.5 + 0.3 * min(n_units, N_UNITS), 1.0 + 0.25 * min(n_features, N_NAMES)
        names = column_names(self.feature_names, n_features)
        self.images_ = self._draw_cells(ax, size, self.weights, look, (names, N_NAMES), (self.unit_names, N_UNITS))
        if max(map(len, self.unit_names)) > 2:
            self.ax_.tick_params(axis="x", labelrotation=90)
        self.ax_.set_xlabel("unit")


def _weights_of_an_autoencoder(estimator, path):
    """Return the weights (n_features, n_units) of the first layer of the network, or of the linear path."""
    has_network = any(name.startswith("encoder.network.") for name in estimator.weights_)
    if path == "linear" or (path is None and not has_network):
        # A VAE has the means first; the others are logarithms of variances.
        matrix = estimator.weights_[LINEAR][: estimator.n_components_]
        return matrix.T * linear_step(matrix.shape[1])
    if NETWORK not in estimator.weights_:
        raise ValueError(f"{estimator!r} has no dense network; pass path='linear' for the linear path beside it")
    return estimator.weights_[NETWORK].T


def _names_of_units(estimator, n_units):
    """Return the names of the units: those of the classes, if there is no hidden layer."""
    classes = getattr(estimator, "classes_", None)
    if classes is None or isinstance(classes, list) or len(estimator.coefs_) > 1:
        return [str(i) for i in range(n_units)]
    return [str(label) for label in classes][-n_units:]

"""Rows as points in the space of an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_consistent_length

from .._typing import ArrayLike, MatrixLike, NDArray, Self
from ._base import Display
from ._plotting import Keywords, OneAxes, style
from ._rows import check_numbers, values_of

# Classes that can be told apart by their colours.
MOST_CLASSES = 20
N_BINS = 40


@dataclass(kw_only=True, eq=False, repr=False)
class LatentDisplay(Display):
    """Rows as points in the space of an encoder, coloured by a target.

    Two components span a plane. One component is drawn over the target, with a line for each class if there are
    classes; without a target it is a histogram.

    Parameters
    ----------
    Z : ndarray of shape (n, 1) or (n, 2)
        Coordinates.
    axis_names : list of str
        Names of the coordinates.
    y : ndarray of shape (n,), default=None
        Classes, or a continuous target.
    y_name : str, default=None
        Name of the target: the title of the legend.

    Attributes
    ----------
    figure_, ax_ : matplotlib Figure and Axes
        What was drawn on.
    scatters_ : list of matplotlib PathCollection
        The points, one collection for each class; empty for a histogram.
    colorbar_ : matplotlib Colorbar or None
        The scale of a continuous target.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skvq import AutoEncoderTransformer
    >>> from skvq.display import LatentDisplay
    >>> X, y = load_wine(return_X_y=True)
    >>> model = AutoEncoderTransformer(4, max_iter=5, random_state=0).fit(X)
    >>> display = LatentDisplay.from_estimator(model, X, y)
    >>> display.Z.shape, len(display.scatters_)
    ((178, 2), 3)
    """

    Z: NDArray[Any]
    axis_names: Sequence[str]
    y: NDArray[Any] | None = None
    y_name: str | None = None
    _accepted = "a transformer to real-valued components (AutoEncoderTransformer, VAETransformer)"

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: MatrixLike,
        y: ArrayLike | None = None,
        *,
        components: Sequence[int] | None = None,
        ax: OneAxes = None,
        scatter_kw: Keywords = None,
    ) -> Self:
        """Draw ``transform(X)``, and return the display.

        Parameters
        ----------
        estimator : transformer
            Fitted, with a `transform` to real numbers.
        X : array-like
            What `transform` takes.
        y : array-like of shape (n,), default=None
            Classes, or a continuous target, for the colours. The name of a Series is shown with them.
        components : int or pair of int, default=None
            Components to show. None shows one or two components as they are, and the first two principal components
            of more.
        ax, scatter_kw
            As in :meth:`plot`.
        """
        cls._check_estimator(estimator, "transform")
        Z = values_of(estimator.transform(X))
        if Z.dtype.kind != "f":
            raise cls._not_accepted(estimator, ", which gives codes: see CodeMapDisplay")
        return cls.from_latents(Z, y, components=components, ax=ax, scatter_kw=scatter_kw)

    @classmethod
    def from_latents(
        cls,
        Z: ArrayLike,
        y: ArrayLike | None = None,
        *,
        components: Sequence[int] | None = None,
        ax: OneAxes = None,
        scatter_kw: Keywords = None,
    ) -> Self:
        """Draw components that were computed before, and return the display.

        Parameters
        ----------
        Z : array-like of shape (n, n_components)
            The components.
        y, components
            As in :meth:`from_estimator`.
        ax, scatter_kw
            As in :meth:`plot`.
        """
        Z = values_of(Z).astype(np.float64)
        name = getattr(y, "name", None)
        if y is not None:
            y = np.asarray(y)
            check_consistent_length(Z, y)
        shown, names = _coordinates(Z, components)
        display = cls(Z=shown, axis_names=names, y=y, y_name=None if name is None else str(name))
        return display.plot(ax, scatter_kw=scatter_kw)

    def plot(self, ax: OneAxes = None, *, scatter_kw: Keywords = None) -> Self:
        """Draw the points, and return the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure.
        scatter_kw : dict, default=None
            Keywords of ``Axes.scatter``.
        """
        self._use_axes(ax, (5.6, 4.4))
        self.scatters_: list[Any] = []
        self.colorbar_: Any = None
        self.ax_.set_xlabel(self.axis_names[0])
        groups = None if self.y is None or not _is_categorical(self.y) else self._groups()
        if self.Z.shape[1] == 2:
            self.ax_.set_ylabel(self.axis_names[1])
            self._plot_plane(groups, scatter_kw)
        else:
            self._plot_line(groups, scatter_kw)
        return self

    def _plot_plane(self, groups, scatter_kw):
        horizontal, vertical = self.Z.T
        if self.y is None:
            self._add_points(horizontal, vertical, {"color": "C0"}, scatter_kw)
        elif groups is None:
            points = self._add_points(horizontal, vertical, {"c": self.y, "cmap": "viridis"}, scatter_kw)
            self.colorbar_ = self.figure_.colorbar(points, ax=self.ax_, label=self.y_name or "y")
        else:
            for label, rows, colour in groups:
                self._add_points(horizontal[rows], vertical[rows], {"color": colour, "label": label}, scatter_kw)
            if len(groups) > 1:
                beside = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)} if len(groups) > 5 else {}
                self.ax_.legend(fontsize="small", markerscale=2, title=self.y_name or None, **beside)

    def _plot_line(self, groups, scatter_kw):
        z = self.Z[:, 0]
        self.ax_.set_ylabel("rows" if self.y is None else self.y_name or "y")
        if self.y is None:
            self.ax_.hist(z, bins=N_BINS)
        elif groups is None:
            self._add_points(z, self.y, {"color": "C0"}, scatter_kw)
        else:
            # The points of a class are spread over the height of its line.
            heights = np.random.default_rng(0).uniform(-0.35, 0.35, len(z))
            for i, (label, rows, colour) in enumerate(groups):
                self._add_points(z[rows], i + heights[rows], {"color": colour, "label": label}, scatter_kw)
            self.ax_.set_yticks(range(len(groups)), [label for label, _, _ in groups])
            self.ax_.set_ylim(len(groups) - 0.5, -0.5)

    def _add_points(self, horizontal, vertical, look, scatter_kw):
        many = len(self.Z) > 1000
        defaults = {"s": 9 if many else 16, "alpha": 0.7 if many else 0.8, "linewidths": 0, "rasterized": many}
        self.scatters_.append(self.ax_.scatter(horizontal, vertical, **style({**defaults, **look}, scatter_kw)))
        return self.scatters_[-1]

    def _groups(self):
        """Return (label, rows, colour) for every class."""
        classes = np.unique(self.y)
        colours = self._pyplot().get_cmap("tab10" if len(classes) <= 10 else "tab20").colors
        return [(str(label), self.y == label, colour) for label, colour in zip(classes, colours)]


def _is_categorical(y):
    """Return whether y are classes; integers are classes if there are few different ones."""
    if y.dtype.kind in "OUSb":
        n_classes = len(np.unique(y))
        if n_classes > MOST_CLASSES:
            raise ValueError(f"y has {n_classes} classes; at most {MOST_CLASSES} can be told apart by their colours")
        return True
    return type_of_target(y) in ("binary", "multiclass") and len(np.unique(y)) <= MOST_CLASSES


def _coordinates(Z, components):
    """Return the coordinates (n, 1) or (n, 2) that are shown of Z (n, n_components), and their names."""
    n_components = Z.shape[1]
    if components is None and n_components > 2:
        pca = PCA(2, svd_solver="full").fit(Z)
        shares = pca.explained_variance_ratio_
        return pca.transform(Z), [
            f"PC {i} of {n_components} components ({part:.0%})" for i, part in enumerate(shares, 1)
        ]
    shown = range(n_components) if components is None else components
    chosen = check_numbers("components", shown, n_components, most=2)
    return Z[:, chosen], [f"component {c}" for c in chosen]

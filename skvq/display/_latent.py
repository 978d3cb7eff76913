"""Where rows lie in the space of an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_consistent_length

from .._typing import ArrayLike, MatrixLike, NDArray, Self
from ._plotting import check_matplotlib, one_axes, style
from ._rows import check_estimator, values_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ACCEPTED = "a transformer to real-valued components (AutoEncoderTransformer, VAETransformer)"
# Classes that have a colour each in a legend.
MOST_CLASSES = 20
N_BINS = 40


class LatentDisplay:
    """Rows as points in the space of an encoder, coloured by a target.

    Two components span a plane. One is drawn over the target, classes on a line each; without a target it is a
    histogram.

    Parameters
    ----------
    Z : ndarray of shape (n, 1) or (n, 2)
        Coordinates.
    axis_names : list of str
        What they are.
    y : ndarray of shape (n,), default=None
        Classes, or a continuous target.
    y_name : str, default=None
        What y is: the title of the legend.

    Attributes
    ----------
    figure_ : matplotlib Figure
        What was drawn on.
    ax_ : matplotlib Axes
        The Axes.
    scatters_ : list of matplotlib PathCollection
        The points, one collection for each class; empty for a histogram.
    colorbar_ : matplotlib Colorbar or None
        Of a continuous target.

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

    def __init__(
        self,
        *,
        Z: NDArray[Any],
        axis_names: Sequence[str],
        y: NDArray[Any] | None = None,
        y_name: str | None = None,
    ) -> None:
        self.Z = Z
        self.axis_names = axis_names
        self.y = y
        self.y_name = y_name

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: MatrixLike,
        y: ArrayLike | None = None,
        *,
        components: Sequence[int] | None = None,
        ax: Axes | None = None,
        scatter_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw ``transform(X)``.

        Parameters
        ----------
        estimator : transformer
            Fitted, whose `transform` gives real numbers.
        X : array-like
            What it takes.
        y : array-like of shape (n,), default=None
            Classes, or a continuous target, for the colours. The name of a Series is shown with them.
        components : int or pair of int, default=None
            Which components to show. None shows all of one or two, and of more their first two principal components.
        ax, scatter_kw
            As in :meth:`plot`.

        Returns
        -------
        display : LatentDisplay
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        check_estimator(estimator, cls.__name__, ("transform",), ACCEPTED)
        Z = values_of(estimator.transform(X))
        if Z.dtype.kind != "f":
            raise TypeError(f"{cls.__name__} needs {ACCEPTED}; those of {estimator!r} are codes: see CodeMapDisplay")
        return cls.from_latents(Z, y, components=components, ax=ax, scatter_kw=scatter_kw)

    @classmethod
    def from_latents(
        cls,
        Z: ArrayLike,
        y: ArrayLike | None = None,
        *,
        components: Sequence[int] | None = None,
        ax: Axes | None = None,
        scatter_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw components that were computed before.

        Parameters
        ----------
        Z : array-like of shape (n, n_components)
            The components.
        y, components
            As in :meth:`from_estimator`.
        ax, scatter_kw
            As in :meth:`plot`.

        Returns
        -------
        display : LatentDisplay
        """
        check_matplotlib(f"{cls.__name__}.from_latents")
        Z = values_of(Z).astype(np.float64)
        name = getattr(y, "name", None)
        if y is not None:
            y = np.asarray(y)
            check_consistent_length(Z, y)
        shown, names = _coordinates(Z, components)
        display = cls(Z=shown, axis_names=names, y=y, y_name=None if name is None else str(name))
        return display.plot(ax, scatter_kw=scatter_kw)

    def plot(self, ax: Axes | None = None, *, scatter_kw: dict[str, Any] | None = None) -> Self:
        """Draw the points.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure.
        scatter_kw : dict, default=None
            Keywords of ``Axes.scatter``.

        Returns
        -------
        self
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        self.figure_, self.ax_ = one_axes(ax, (5.6, 4.4))
        self.scatters_: list[Any] = []
        self.colorbar_: Any = None
        self.ax_.set_xlabel(self.axis_names[0])
        groups = self._groups()
        if self.Z.shape[1] == 2:
            self.ax_.set_ylabel(self.axis_names[1])
            self._plot_plane(groups, scatter_kw)
        elif groups is None:
            self._add_points(self.Z[:, 0], self.y, scatter_kw, {"color": "C0"})
            self.ax_.set_ylabel(self._target())
        elif self.y is None:
            self.ax_.hist(self.Z[:, 0], bins=N_BINS)
            self.ax_.set_ylabel("rows")
        else:
            self._plot_strips(groups, scatter_kw)
        if groups is not None and len(groups) > 1 and self.Z.shape[1] == 2:
            beside = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)} if len(groups) > 5 else {}
            self.ax_.legend(fontsize="small", markerscale=2, title=self.y_name or None, **beside)
        return self

    def _target(self):
        return str(self.y_name or "y")

    def _plot_plane(self, groups, scatter_kw):
        horizontal, vertical = self.Z.T
        if groups is None:
            points = self._add_points(horizontal, vertical, scatter_kw, {"c": self.y, "cmap": "viridis"})
            self.colorbar_ = self.figure_.colorbar(points, ax=self.ax_, label=self._target())
            return
        for label, rows, colour in groups:
            self._add_points(horizontal[rows], vertical[rows], scatter_kw, {"color": colour, "label": label})

    def _plot_strips(self, groups, scatter_kw):
        """Draw one component of each class on a line of its own, the points spread over the height of the line."""
        heights = np.random.default_rng(0).uniform(-0.35, 0.35, len(self.Z))
        for i, (label, rows, colour) in enumerate(groups):
            self._add_points(self.Z[rows, 0], i + heights[rows], scatter_kw, {"color": colour, "label": label})
        self.ax_.set_yticks(range(len(groups)), [label for label, _, _ in groups])
        self.ax_.set(ylabel=self._target(), ylim=(len(groups) - 0.5, -0.5))

    def _add_points(self, horizontal, vertical, scatter_kw, look):
        many = len(self.Z) > 1000
        defaults = {"s": 9 if many else 16, "alpha": 0.7 if many else 0.8, "linewidths": 0, "rasterized": many}
        self.scatters_.append(self.ax_.scatter(horizontal, vertical, **style({**defaults, **look}, scatter_kw)))
        return self.scatters_[-1]

    def _groups(self):
        """Return (label, rows, colour) for every class, one group without y; None for a continuous target."""
        import matplotlib as mpl

        if self.y is None:
            return [(None, slice(None), "C0")]
        if not _is_categorical(self.y):
            return None
        classes = np.unique(self.y)
        colours = mpl.colormaps["tab10" if len(classes) <= 10 else "tab20"].colors
        return [(str(label), self.y == label, colour) for label, colour in zip(classes, colours)]


def _is_categorical(y):
    """Return whether y are classes; integers are, up to so many different ones."""
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
        centred = Z - Z.mean(axis=0)
        _, spread, axes = np.linalg.svd(centred, full_matrices=False)
        axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
        share = spread[:2] ** 2 / max((spread**2).sum(), np.finfo(float).tiny)
        names = [f"PC {i + 1} of {n_components} components ({part:.0%})" for i, part in enumerate(share)]
        return centred @ axes[:2].T, names
    chosen = range(n_components) if components is None else np.atleast_1d(components).tolist()
    if not 1 <= len(chosen) <= 2 or not all(isinstance(c, int) and 0 <= c < n_components for c in chosen):
        raise ValueError(f"components={components!r} must be one or two of 0 ... {n_components - 1}")
    return Z[:, list(chosen)], [f"component {c}" for c in chosen]

"""Columns of real rows and of drawn ones: the distribution of each, and of pairs of them side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from .._typing import ArrayLike, Self
from .._warnings import warn_user
from ..metrics.columns import EncodedTables, encode_tables
from ..training.batches import evenly_spaced
from ._base import Display
from ._bins import Bins, shares, slant
from ._plotting import Keywords, SomeAxes, shortened, style

# Columns that are shown if none are named, and intervals of numbers, of a column and of one in a pair.
N_COLUMNS_SHOWN, N_BINS = 12, 25
N_COLUMNS_PAIRED, N_PAIR_BINS = 3, 12
N_POINTS = 1000
N_PANELS_IN_A_ROW, PANEL_SIZE, PAIR_SIZE = 4, (2.8, 2.2), (2.6, 2.4)


@dataclass(kw_only=True, eq=False, repr=False)
class MarginalsDisplay(Display):
    """The distribution of each column of drawn rows, and over it that of real ones, both as shares of the rows.

    Numbers are counted in intervals, which real and drawn rows have in common, or by value if there are few; levels and
    missing cells have a bar each. The first and the last interval also count what is beyond them.

    Parameters
    ----------
    tables : EncodedTables
        Real rows and drawn rows.
    columns : list of int
        Positions of the columns to draw.

    Attributes
    ----------
    figure_, axes_, ax_ : matplotlib Figure, ndarray of Axes, and Axes
        What was drawn on; `ax_` is the first of `axes_`.
    stairs_ : ndarray of matplotlib StepPatch, shape (n_columns, 2)
        Drawn rows and real rows of each column.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skvq import VAETransformer
    >>> from skvq.display import MarginalsDisplay
    >>> X = load_wine(as_frame=True).data
    >>> model = VAETransformer(4, hidden_layer_sizes=(), max_iter=1, random_state=0).fit(X)
    >>> drawn = model.sample(200, random_state=0)
    >>> MarginalsDisplay.from_samples(X, drawn, columns=["alcohol", "hue"]).stairs_.shape
    (2, 2)
    """

    tables: EncodedTables
    columns: Sequence[int]

    @classmethod
    def from_samples(
        cls,
        X_real: ArrayLike,
        X_drawn: ArrayLike,
        *,
        columns: Sequence[Any] | None = None,
        ax: SomeAxes = None,
        real_kw: Keywords = None,
        drawn_kw: Keywords = None,
    ) -> Self:
        """Draw the columns of real and of drawn rows, and return the display.

        Parameters
        ----------
        X_real, X_drawn : array-like or DataFrame of shape (n_rows, n_columns)
            Columns of any kind, with missing cells. The columns of frames are matched by name.
        columns : list of str or int, default=None
            Names or positions of columns. None draws the first 12, with a warning if there are more.
        ax, real_kw, drawn_kw
            As in :meth:`plot`.
        """
        tables = encode_tables(X_real=X_real, X_drawn=X_drawn)
        n_columns = len(tables.names)
        if columns is None and n_columns > N_COLUMNS_SHOWN:
            warn_user(f"the first {N_COLUMNS_SHOWN} of {n_columns} columns are drawn; name others with columns=[...]")
        chosen = range(n_columns)[:N_COLUMNS_SHOWN] if columns is None else columns
        display = cls(tables=tables, columns=_positions("columns", chosen, tables.names))
        return display.plot(ax, real_kw=real_kw, drawn_kw=drawn_kw)

    def plot(self, ax: SomeAxes = None, *, real_kw: Keywords = None, drawn_kw: Keywords = None) -> Self:
        """Draw the columns, and return the display.

        Parameters
        ----------
        ax : matplotlib Axes, or array of Axes, default=None
            One for each column, or a single one, which is divided. None makes a figure.
        real_kw, drawn_kw : dict, default=None
            Keywords of ``Axes.stairs`` for real and for drawn rows.
        """
        self._use_panels(ax, len(self.columns), N_PANELS_IN_A_ROW, PANEL_SIZE)
        looks = {
            "drawn": style({"fill": True, "color": "C0", "alpha": 0.5, "label": "drawn"}, drawn_kw),
            "real": style({"color": "0.2", "linewidth": 1.2, "label": "real"}, real_kw),
        }
        self.stairs_ = np.empty((len(self.columns), 2), dtype=object)
        for i, (column, panel) in enumerate(zip(self.columns, self.axes_)):
            bins = Bins.of(self.tables, column, N_BINS)
            real, drawn = (shares([bins], [values[:, column]]) for values in self.tables.values)
            for j, (values, look) in enumerate(zip((drawn, real), looks.values())):
                self.stairs_[i, j] = panel.stairs(values, bins.all_edges, **look)
            bins.label(panel.xaxis)
            if bins.names is not None or bins.has_missing or bins.is_date:
                slant(panel.xaxis)
            panel.tick_params(labelsize="small")
            panel.set_ylim(bottom=0)
            panel.set_title(shortened(self.tables.names[column]), fontsize="medium")
        self.ax_.set_ylabel("share of rows")
        self.ax_.set_ylim(top=1.3 * self.ax_.get_ylim()[1])
        self.ax_.legend(fontsize="x-small", ncols=2, loc="upper center")
        return self


@dataclass(kw_only=True, eq=False, repr=False)
class PairsDisplay(Display):
    """Pairs of columns of real rows, and beside each the same pair of drawn rows.

    Two columns of numbers are points, of which at most 1,000 are drawn, without rows that miss one of them. Any other
    pair is a map of the shares of rows, darker where there are more; numbers are in intervals there, and missing cells
    have a line of their own. Both panels of a pair have one scale.

    Parameters
    ----------
    tables : EncodedTables
        Real rows and drawn rows.
    pairs : list of tuple of int
        Positions of the columns on the horizontal and on the vertical axis.

    Attributes
    ----------
    figure_, axes_, ax_ : matplotlib Figure, ndarray of Axes, and Axes
        What was drawn on; `ax_` is the first of `axes_`.
    artists_ : ndarray of shape (n_pairs, 2)
        Real rows and drawn rows of each pair: PathCollection for points, QuadMesh for maps.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skvq import VAETransformer
    >>> from skvq.display import PairsDisplay
    >>> X = load_wine(as_frame=True).data
    >>> model = VAETransformer(4, hidden_layer_sizes=(), max_iter=1, random_state=0).fit(X)
    >>> drawn = model.sample(200, random_state=0)
    >>> PairsDisplay.from_samples(X, drawn, pairs=[("alcohol", "proline")]).artists_.shape
    (1, 2)
    """

    tables: EncodedTables
    pairs: Sequence[tuple[int, int]]

    @classmethod
    def from_samples(
        cls,
        X_real: ArrayLike,
        X_drawn: ArrayLike,
        *,
        pairs: Sequence[tuple[Any, Any]] | None = None,
        ax: SomeAxes = None,
        scatter_kw: Keywords = None,
        mesh_kw: Keywords = None,
    ) -> Self:
        """Draw pairs of columns of real and of drawn rows, and return the display.

        Parameters
        ----------
        X_real, X_drawn : array-like or DataFrame of shape (n_rows, n_columns)
            Columns of any kind, with missing cells. The columns of frames are matched by name.
        pairs : list of tuple of str or int, default=None
            Names or positions of two columns each. None draws all pairs of the first three columns.
        ax, scatter_kw, mesh_kw
            As in :meth:`plot`.
        """
        tables = encode_tables(X_real=X_real, X_drawn=X_drawn)
        if pairs is None:
            pairs = list(combinations(range(len(tables.names))[:N_COLUMNS_PAIRED], 2))
        chosen = [tuple(_positions("pairs", pair, tables.names)) for pair in pairs]
        if not chosen or any(len(pair) != 2 for pair in chosen):
            raise ValueError(f"pairs={pairs!r} must be a list of tuples of two columns")
        return cls(tables=tables, pairs=chosen).plot(ax, scatter_kw=scatter_kw, mesh_kw=mesh_kw)

    def plot(self, ax: SomeAxes = None, *, scatter_kw: Keywords = None, mesh_kw: Keywords = None) -> Self:
        """Draw the pairs, and return the display.

        Parameters
        ----------
        ax : matplotlib Axes, or array of Axes, default=None
            Two for each pair, or a single one, which is divided. None makes a figure.
        scatter_kw, mesh_kw : dict, default=None
            Keywords of ``Axes.scatter`` for points, and of ``Axes.pcolormesh`` for maps.
        """
        n_in_a_row = 2 if len(self.pairs) == 1 else N_PANELS_IN_A_ROW
        self._use_panels(ax, 2 * len(self.pairs), n_in_a_row, PAIR_SIZE)
        self.artists_ = np.empty((len(self.pairs), 2), dtype=object)
        for i, pair in enumerate(self.pairs):
            panels = self.axes_[2 * i : 2 * i + 2]
            if all(self.tables.levels[column] is None for column in pair):
                self.artists_[i] = self._scatter(panels, pair, scatter_kw)
            else:
                self.artists_[i] = self._mesh(panels, pair, mesh_kw)
            for panel, source in zip(panels, ("real", "drawn")):
                panel.set_title(source, fontsize="medium")
                panel.set_xlabel(shortened(self.tables.names[pair[0]]))
                panel.tick_params(labelsize="small")
                slant(panel.xaxis)
            panels[0].set_ylabel(shortened(self.tables.names[pair[1]]))
            panels[1].tick_params(labelleft=False)
        return self

    def _scatter(self, panels, pair, scatter_kw):
        bins = [Bins.of(self.tables, column, N_BINS) for column in pair]
        drawn = []
        for panel, values, colour in zip(panels, self.tables.values, ("0.2", "C0")):
            points = values[:, pair]
            points = points[~np.isnan(points).any(axis=1)]
            points = points[evenly_spaced(len(points), N_POINTS)]
            look = style({"s": 6, "alpha": 0.5, "color": colour, "linewidths": 0}, scatter_kw)
            drawn.append(panel.scatter(*points.T, **look))
            for axis, one in zip((panel.xaxis, panel.yaxis), bins):
                width = one.edges[-1] - one.edges[0]
                axis.set_view_interval(one.edges[0] - 0.1 * width, one.edges[-1] + 0.1 * width, ignore=True)
                if one.is_date:
                    axis.set_ticks(*one.ticks())
        return drawn

    def _mesh(self, panels, pair, mesh_kw):
        bins = [Bins.of(self.tables, column, N_PAIR_BINS) for column in pair]
        maps = [shares(bins, [values[:, column] for column in pair]) for values in self.tables.values]
        highest = max(np.nanmax(values) for values in maps)
        look = style({"cmap": "Blues", "vmin": 0.0, "vmax": highest}, mesh_kw)
        edges = [one.all_edges for one in bins]
        drawn = [
            panel.pcolormesh(*edges, np.ma.masked_invalid(values.T), **look) for panel, values in zip(panels, maps)
        ]
        for panel in panels:
            for axis, one in zip((panel.xaxis, panel.yaxis), bins):
                one.label(axis)
        return drawn


def _positions(name, chosen, names):
    """Return the positions of columns, given by name or position."""
    found = []
    for column in chosen:
        if column in names:
            found.append(names.index(column))
        elif isinstance(column, (int, np.integer)) and 0 <= column < len(names):
            found.append(int(column))
        else:
            raise ValueError(f"{name} names the column {column!r}; there are {', '.join(map(str, names[:20]))}")
    if not found:
        raise ValueError(f"{name}={chosen!r} must name at least one column")
    return found

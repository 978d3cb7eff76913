"""Bins of one column of a mixed table, the same for real and drawn rows, and their names on an axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._typing import NDArray
from ..metrics.columns import EncodedTables
from ._plotting import shortened

N_LEVELS = 8
# Intervals cover the values of real rows but for this share at either end; what is outside counts in the last ones.
TAIL = 0.005
# Space beside the bin of the missing cells, and its width, as shares of the width of all others.
GAP, WIDTH = 0.05, 0.08
# Degrees by which labels are slanted.
SLANT = 45


@dataclass(frozen=True)
class Bins:
    """Bins of a column.

    Attributes
    ----------
    edges : ndarray of shape (n_bins + 1,)
    names : list of str or None
        Names of the bins if they are levels; None for intervals of numbers.
    bin_of_level : ndarray of int, shape (n_levels,), or None
    is_date, is_whole : bool
        Whether the numbers are dates, in microseconds since 1970, and whether all of them are whole.
    has_missing : bool
        Whether there is one more bin, for missing cells, behind a gap.
    """

    edges: NDArray[np.float64]
    names: list[str] | None
    bin_of_level: NDArray[np.intp] | None
    is_date: bool
    is_whole: bool
    has_missing: bool

    @classmethod
    def of(cls, encoded: EncodedTables, column: int, n_bins: int) -> Bins:
        """Return the bins of a column, from its real rows.

        Levels have a bin each, but for rare ones if there are more than 8. So have numbers of up to `n_bins` different
        values; others are put into intervals.
        """
        real = encoded.values[0][:, column]
        has_missing = any(np.isnan(values[:, column]).any() for values in encoded.values)
        levels = encoded.levels[column]
        if levels is None:
            numbers = real[np.isfinite(real)]
            is_whole = bool(np.all(numbers == np.round(numbers)))
            return cls(
                _edges(numbers, n_bins).astype(np.float64), None, None, encoded.is_date[column], is_whole, has_missing
            )
        counts = np.bincount(real[~np.isnan(real)].astype(int), minlength=len(levels))
        n_shown = len(levels) if len(levels) <= N_LEVELS else N_LEVELS - 1
        shown = np.sort(np.argsort(-counts, kind="stable")[:n_shown])
        bin_of_level = np.full(len(levels), n_shown)
        bin_of_level[shown] = np.arange(n_shown)
        names = [shortened(levels[i]) for i in shown]
        if n_shown < len(levels):
            names.append(f"{len(levels) - n_shown} others")
        return cls(np.arange(len(names) + 1, dtype=np.float64) - 0.5, names, bin_of_level, False, False, has_missing)

    def positions(self, values: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the bin of each value; missing ones are in the last, behind the gap."""
        n_bins, there = len(self.edges) - 1, ~np.isnan(values)
        found = np.full(len(values), n_bins + 1)
        if self.bin_of_level is not None:
            found[there] = self.bin_of_level[values[there].astype(int)]
        else:
            found[there] = np.clip(np.searchsorted(self.edges, values[there], side="right") - 1, 0, n_bins - 1)
        return found

    @property
    def all_edges(self) -> NDArray[np.float64]:
        """The edges, with those of the gap and of the missing cells."""
        if not self.has_missing:
            return self.edges
        width = self.edges[-1] - self.edges[0]
        return np.append(self.edges, self.edges[-1] + width * np.array([GAP, GAP + WIDTH]))

    def label(self, axis: Any) -> None:
        """Write the names of the bins, or numbers, on an axis (``ax.xaxis`` or ``ax.yaxis``)."""
        places, names = self.ticks()
        if self.has_missing:
            places, names = [*places, self.all_edges[-2:].mean()], [*names, "missing"]
        axis.set_ticks(places, names)

    def ticks(self) -> tuple[list[float], list[str]]:
        """Return where an axis is labelled, and what with, but for missing cells."""
        from matplotlib.ticker import MaxNLocator

        if self.names is not None:
            return list((self.edges[:-1] + self.edges[1:]) / 2), self.names
        low, high = self.edges[0], self.edges[-1]
        found = MaxNLocator(5 if self.is_whole else 4, integer=self.is_whole).tick_values(low, high)
        places = [place for place in found if low <= place <= high]
        return places, [_as_date(place) if self.is_date else f"{place:.6g}" for place in places]


def slant(axis: Any) -> None:
    """Slant the labels of a horizontal axis, so that each ends below its tick and keeps clear of its neighbours."""
    for text in axis.get_ticklabels():
        text.set(rotation=SLANT, horizontalalignment="right", verticalalignment="center", rotation_mode="anchor")


def shares(bins, columns):
    """Return the share of rows in the bins of a column, (n_bins,), or of several, (n_bins, ...).

    Bins of missing cells come last, behind a gap of NaN.

    Parameters
    ----------
    bins : list of Bins
    columns : list of ndarray of shape (n_rows,)
    """
    shape = tuple(len(one.edges) + 1 for one in bins)
    flat = np.ravel_multi_index([one.positions(values) for one, values in zip(bins, columns)], shape)
    found = (np.bincount(flat, minlength=int(np.prod(shape))) / len(flat)).reshape(shape)
    for axis, one in enumerate(bins):
        found = np.moveaxis(found, axis, 0)
        if one.has_missing:
            found[-2] = np.nan
        else:
            found = found[:-2]
        found = np.moveaxis(found, 0, axis)
    return found


def _edges(values, n_bins):
    """Return the edges of bins: around each of a few values, or of intervals of one width."""
    distinct = np.unique(values)
    if len(distinct) == 0:
        return np.array([-0.5, 0.5])
    if len(distinct) <= n_bins:
        middles = (distinct[1:] + distinct[:-1]) / 2
        half = np.diff(distinct).min() / 2 if len(distinct) > 1 else 0.5
        return np.concatenate([[distinct[0] - half], middles, [distinct[-1] + half]])
    low, high = np.quantile(values, (TAIL, 1 - TAIL))
    if low == high:
        low, high = distinct[0], distinct[-1]
    return np.linspace(low, high, n_bins + 1)


def _as_date(microseconds):
    return str(np.datetime64(int(microseconds), "us").astype("datetime64[D]"))

"""Series as lines: how the displays unfold rows, and draw them."""

from __future__ import annotations

import numpy as np

from ..core.series import SeriesLayout, check_series_shape
from ._plotting import style
from ._rows import as_table

# Series that are drawn over each other, and channels that get a panel.
N_LINES, N_CHANNELS = 24, 12


def series_layout(estimator=None, series_shape=None):
    """Return the SeriesLayout of a fitted estimator, or that of rows whose time comes first; None for other rows."""
    if series_shape is not None:
        return SeriesLayout(check_series_shape(series_shape))
    shape = getattr(estimator, "series_shape_", None)
    return None if shape is None else SeriesLayout(shape, estimator._channels_first)


def time_first_rows(X, layout):
    """Return series in the layout of X as an ndarray (n, length * n_channels), time first."""
    return layout.time_first(as_table(X))


def unfolded(rows, series_shape):
    """Return rows (n, length * n_channels), time first, as (n, length, n_channels)."""
    return rows.reshape(len(rows), series_shape[0], -1)


def draw_lines(panel, series, look, keywords):
    """Draw series (n, length) over each other on one Axes; the first has the label of `look`. Return the lines."""
    drawn = []
    for values in series:
        drawn += panel.plot(np.arange(len(values)), values, **style(look, keywords))
        look = {name: value for name, value in look.items() if name != "label"}
    return drawn

"""Helpers of the displays for matplotlib: types of parameters, panels, colours of codes, names on an axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Parameters of the displays: Axes to draw on, and keywords of a method of Axes.
OneAxes: TypeAlias = "Axes | None"
SomeAxes: TypeAlias = "Axes | Sequence[Axes] | None"
Keywords: TypeAlias = "dict[str, Any] | None"

# Space between the parts of a divided Axes, as a share of a part, for figures without a layout engine.
DIVISION = {"wspace": 0.35, "hspace": 0.6}
LONGEST_NAME = 20
# Step of the hue from one code to the next: the golden ratio spreads any number of hues evenly.
GOLDEN = (math.sqrt(5) - 1) / 2


def style(defaults, given):
    """Return the keywords of an artist: the defaults, overridden by those that were given (a dict or None)."""
    return defaults if given is None else {**defaults, **given}


def panels(ax, n, n_columns, panel_size):
    """Return an array (n,) of Axes.

    Parameters
    ----------
    ax : Axes, array of `n` Axes, or None
        None makes a figure. A single Axes is switched off and its place is divided, unless `n` is 1.
    n, n_columns : int
        Number of panels, and how many lie in a row at most.
    panel_size : tuple of float
        Width and height of a panel of a new figure, in inches.
    """
    import matplotlib.pyplot as plt

    n_columns = min(n, n_columns)
    n_rows = math.ceil(n / n_columns)
    if ax is None:
        figure = plt.figure(figsize=(n_columns * panel_size[0], n_rows * panel_size[1]), layout="constrained")
        grid = figure.add_gridspec(n_rows, n_columns)
    elif not isinstance(ax, plt.Axes):
        axes = np.asarray(ax, dtype=object).ravel()
        if not all(isinstance(panel, plt.Axes) for panel in axes):
            raise TypeError(f"ax must be one Axes, an array of Axes, or None, got {type(ax).__name__}")
        if len(axes) != n:
            raise ValueError(f"ax holds {len(axes)} Axes, but {n} are drawn on; pass {n}, a single one, or None")
        return axes
    elif n == 1:
        return np.array([ax], dtype=object)
    else:
        figure, spec = ax.figure, ax.get_subplotspec()
        if spec is None:  # an Axes that was placed by hand
            box = ax.get_position()
            spec = figure.add_gridspec(1, 1, left=box.x0, right=box.x1, bottom=box.y0, top=box.y1)[0]
        grid = spec.subgridspec(n_rows, n_columns, **(DIVISION if figure.get_layout_engine() is None else {}))
        ax.set_axis_off()
    return np.array([figure.add_subplot(grid[i]) for i in range(n)], dtype=object)


def code_style(n_codes):
    """Return the keywords of ``imshow`` for codes in 0 … n_codes - 1: codes next to each other look unlike."""
    from matplotlib.colors import ListedColormap, hsv_to_rgb

    i = np.arange(n_codes)
    saturation, brightness = np.array([0.65, 0.4])[i // 3 % 2], np.array([0.95, 0.7, 0.45])[i % 3]
    colours = hsv_to_rgb(np.column_stack([(0.58 + i * GOLDEN) % 1.0, saturation, brightness]))
    return {"cmap": ListedColormap(colours, name="codes"), "vmin": -0.5, "vmax": n_codes - 0.5}


def legible_ticks(axis, names, most):
    """Write names at 0, 1, … on an axis (``ax.xaxis`` or ``ax.yaxis``), at most `most` of them, long ones shortened."""
    step = math.ceil(len(names) / most)
    axis.set_ticks(range(0, len(names), step), [shortened(name) for name in names[::step]])


def shortened(name):
    """Return a name; the middle of a long one is left out.

    Examples
    --------
    >>> shortened("od280/od315_of_diluted_wines")
    'od280/od31…ted_wines'
    """
    name = str(name)
    return name if len(name) <= LONGEST_NAME else f"{name[:10]}…{name[-9:]}"

"""What the displays share: axes, style, grids of images, colours of codes."""

from __future__ import annotations

import colorsys
import math

import numpy as np

# Space between images, and between groups of them, as a share of an image's width.
GAP, GROUP_GAP = 0.08, 0.3
# Width of a letter in inches.
LETTER = 0.075
# Images are drawn between these ratios of height to width, so that those of one row of pixels can be seen.
RATIOS = 0.25, 4.0
# Space between the parts of a divided Axes, as a share of a part, where no layout engine sees to it.
DIVISION = {"wspace": 0.35, "hspace": 0.6}
# Names are written in so many letters.
LONGEST_NAME = 20
# Step of the hue from one code to the next: the golden ratio spreads any number of them evenly.
GOLDEN = (math.sqrt(5) - 1) / 2


def check_matplotlib(name):
    """Raise ImportError, saying how to get it, where there is no matplotlib for `name`."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(f'{name} needs matplotlib: pip install "skvq[plot]"') from error


def style(defaults, given):
    """Return the keywords of an artist: the defaults, and over them those that were given (a dict or None)."""
    return defaults if given is None else {**defaults, **given}


def one_axes(ax, figsize):
    """Return figure and Axes to draw on: `ax`, or new ones where it is None."""
    import matplotlib.pyplot as plt

    if ax is None:
        # Unlike the constrained layout, the compressed one leaves room for labels beside images of a fixed aspect.
        _, ax = plt.subplots(figsize=figsize, layout="compressed")
    elif not isinstance(ax, plt.Axes):
        raise TypeError(f"ax must be one Axes or None, got {type(ax).__name__}")
    return ax.figure, ax


def several_axes(ax, n, *, n_columns, panel_size):
    """Return figure and an array (n,) of Axes.

    Parameters
    ----------
    ax : Axes, array of `n` Axes, or None
        None makes a figure. A single Axes is switched off and its place divided, unless `n` is 1.
    n : int
        Number of Axes.
    n_columns : int
        Of the grid that they lie on, at most.
    panel_size : tuple of float
        Width and height of one in inches, in a new figure.
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
        return axes[0].figure, axes
    elif n == 1:
        return ax.figure, np.array([ax], dtype=object)
    else:
        figure = ax.figure
        spacing = DIVISION if figure.get_layout_engine() is None else {}
        grid = _place(ax).subgridspec(n_rows, n_columns, **spacing)
        ax.set_axis_off()
    axes = np.empty(n, dtype=object)
    for i in range(n):
        axes[i] = figure.add_subplot(grid[i // n_columns, i % n_columns])
    return figure, axes


def _place(ax):
    """Return the SubplotSpec of an Axes, one made for it where it has none."""
    spec = ax.get_subplotspec()
    if spec is None:
        box = ax.get_position()
        spec = ax.figure.add_gridspec(1, 1, left=box.x0, right=box.x1, bottom=box.y0, top=box.y1)[0]
    return spec


def grid_figsize(n_lines, n_columns, image_shape, labels=("",), column_labels=False, line_gap=GAP):
    """Return the size in inches of a figure for n_lines of n_columns images, with labels beside and under them."""
    ratio = min(max(image_shape[0] / image_shape[1], RATIOS[0]), RATIOS[1])
    cell = min(0.9, 11.0 / n_columns, 13.0 / (n_lines * (ratio + line_gap)))
    return (
        0.3 + LETTER * max(map(len, labels)) + cell * (1 + GAP) * n_columns,
        (0.4 if column_labels else 0.15) + cell * (ratio + line_gap) * n_lines,
    )


def draw_grid(ax, lines, *, labels=None, groups=None, column_labels=None, line_gap=GAP):
    """Draw lines of images on one Axes, and return the AxesImage of each, an object array (n_lines, n_columns).

    Parameters
    ----------
    ax : Axes
    lines : list of (images, keywords)
        `images` is a sequence of arrays (h, w) or (h, w, 3), or of None where there is none; the keywords are those of
        ``imshow``. All are drawn as wide as each other, and as high as the first image of the first line asks for.
    labels : list of str, default=None
        What is written beside the lines.
    groups : list of int, default=None
        Numbers of lines that have more space above them.
    column_labels : list of str, default=None
        What is written under the columns.
    line_gap : float, default=0.08
        Space between the lines, as a share of an image's width.
    """
    first = lines[0][0][0]
    height = min(max(first.shape[0] / first.shape[1], RATIOS[0]), RATIOS[1])
    n_columns = max(len(images) for images, _ in lines)
    drawn = np.full((len(lines), n_columns), None, dtype=object)
    top, middles = 0.0, []
    for i, (images, keywords) in enumerate(lines):
        top += GROUP_GAP - line_gap if groups is not None and i in groups else 0.0
        for j, image in enumerate(images):
            if image is not None:
                left = j * (1 + GAP)
                place = {"extent": (left, left + 1, top + height, top), "interpolation": "nearest"}
                drawn[i, j] = ax.imshow(image, **style(place, keywords))
        middles.append(top + height / 2)
        top += height + line_gap
    ax.set(xlim=(0, n_columns * (1 + GAP) - GAP), ylim=(top - line_gap, 0), aspect="equal")
    ax.set_yticks([] if labels is None else middles, [] if labels is None else labels)
    centres = 0.5 + np.arange(n_columns) * (1 + GAP)
    ax.set_xticks([] if column_labels is None else centres, [] if column_labels is None else column_labels)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return drawn


def code_colours(n_codes):
    """Return a colour map of `n_codes` colours for codes, which have no order: neighbours look unlike each other."""
    from matplotlib.colors import ListedColormap

    brightness, saturation = (0.95, 0.7, 0.45), (0.65, 0.4)
    colours = [
        colorsys.hsv_to_rgb((0.58 + i * GOLDEN) % 1.0, saturation[i // 3 % 2], brightness[i % 3])
        for i in range(n_codes)
    ]
    return ListedColormap(colours, name="codes")


def code_style(n_codes):
    """Return the keywords of ``imshow`` for codes in 0 … n_codes - 1."""
    return {"cmap": code_colours(n_codes), "vmin": -0.5, "vmax": n_codes - 0.5}


def legible_ticks(axis, names, most):
    """Put names at 0, 1, … on an axis (``ax.xaxis`` or ``ax.yaxis``), at most so many of them, long ones shortened."""
    step = math.ceil(len(names) / most)
    axis.set_ticks(range(0, len(names), step), [shortened(name) for name in names[::step]])


def shortened(name):
    """Return a name, shortened in its middle if it is long.

    Examples
    --------
    >>> shortened("od280/od315_of_diluted_wines")
    'od280/od31…ted_wines'
    """
    name = str(name)
    return name if len(name) <= LONGEST_NAME else f"{name[:10]}…{name[-9:]}"


def readable(name):
    """Return the name of a loss term or a parameter as words."""
    return name.replace("log_likelihood", "log-likelihood").replace("_", " ")

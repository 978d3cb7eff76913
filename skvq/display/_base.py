"""The base of the displays: the check of an estimator, and the figure that a display is drawn on."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from ._plotting import legible_ticks, panels, style

# Space between images, and below the first line of images if it stands apart, as a share of an image's width.
GAP, WIDE_GAP = 0.08, 0.3
# Width of a letter in inches.
LETTER = 0.075
# Images are drawn with a ratio of height to width in this range, so that images of one row of pixels can be seen.
RATIOS = 0.25, 4.0


class Display:
    """A picture drawn with matplotlib.

    Attributes
    ----------
    figure_, axes_, ax_ : matplotlib Figure, ndarray of Axes, and Axes
        What was drawn on; `ax_` is the first of `axes_`.
    """

    figure_: Any
    axes_: Any
    ax_: Any
    # The estimators that the display can be made from, in words.
    _accepted = "an estimator"

    @classmethod
    def _pyplot(cls):
        """Return matplotlib.pyplot; raise an ImportError that says how to install matplotlib if it is missing."""
        try:
            import matplotlib.pyplot as plt
        except ImportError as error:
            raise ImportError(f'{cls.__name__}.plot needs matplotlib: pip install "skvq[plot]"') from error
        return plt

    @classmethod
    def _check_estimator(cls, estimator, *needed):
        """Raise TypeError unless an estimator has what is needed; NotFittedError unless it is fitted.

        Parameters
        ----------
        estimator : object
        *needed : str
            Names of methods, and of attributes that `fit` sets, which end in an underscore.
        """
        cls._pyplot()
        if isinstance(estimator, type) or not hasattr(estimator, "fit"):
            raise cls._not_accepted(estimator)
        try:
            for name in needed:
                if not name.endswith("_"):
                    getattr(estimator, name)
            check_is_fitted(estimator)
            for name in needed:
                getattr(estimator, name)
        except NotFittedError:  # is an AttributeError, too
            raise
        except AttributeError as error:
            # scikit-learn puts its own words in front of the estimator's reason.
            raise cls._not_accepted(estimator, f": {error.__cause__ or error}") from error

    @classmethod
    def _not_accepted(cls, estimator, reason=""):
        return TypeError(f"{cls.__name__} needs {cls._accepted}, got {estimator!r}{reason}")

    def _use_axes(self, ax, figsize):
        """Draw on one Axes: `ax`, or that of a new figure if it is None."""
        plt = self._pyplot()
        if ax is None:
            # Unlike the constrained layout, the compressed one leaves room for labels beside images of a fixed aspect.
            _, ax = plt.subplots(figsize=figsize, layout="compressed")
        elif not isinstance(ax, plt.Axes):
            raise TypeError(f"ax must be one Axes or None, got {type(ax).__name__}")
        self.figure_, self.axes_, self.ax_ = ax.figure, np.array([ax], dtype=object), ax

    def _use_panels(self, ax, n, n_columns, panel_size):
        """Draw on `n` Axes, see :func:`~skvq.display._plotting.panels`."""
        self._pyplot()
        self.axes_ = panels(ax, n, n_columns, panel_size)
        self.ax_ = self.axes_[0]
        self.figure_ = self.ax_.figure

    def _draw_images(
        self, ax, lines, *, labels=(), column_labels=(), first_apart=False, line_gap=GAP, right_margin=0.0
    ):
        """Draw lines of images on one Axes, and return the AxesImage of each, an object array (n_lines, n_columns).

        Parameters
        ----------
        ax : Axes or None
            None makes a figure.
        lines : list of (images, keywords)
            Arrays (h, w) or (h, w, 3), and the keywords of ``imshow`` for them. All images are drawn in the size that
            the shape of the first one asks for.
        labels, column_labels : list of str, default=()
            Names beside the lines, and under the columns.
        first_apart : bool, default=False
            Whether there is more space below the first line.
        line_gap : float, default=0.08
            Space between the lines, as a share of an image's width.
        right_margin : float, default=0.0
            Space beside the images of a new figure, in inches.
        """
        first = lines[0][0][0]
        height = min(max(first.shape[0] / first.shape[1], RATIOS[0]), RATIOS[1])
        n_lines, n_columns = len(lines), max(len(images) for images, _ in lines)
        inches = min(0.9, 11.0 / n_columns, 13.0 / (n_lines * (height + line_gap)))  # the width of an image
        left_margin = 0.3 + LETTER * max(map(len, labels), default=0)
        bottom_margin = 0.4 if column_labels else 0.15
        figure_width = left_margin + inches * (1 + GAP) * n_columns + right_margin
        self._use_axes(ax, (figure_width, bottom_margin + inches * (height + line_gap) * n_lines))
        drawn = np.full((n_lines, n_columns), None, dtype=object)
        tops = np.arange(n_lines) * (height + line_gap)
        tops[1:] += WIDE_GAP - line_gap if first_apart else 0.0
        for i, (images, keywords) in enumerate(lines):
            for j, image in enumerate(images):
                left = j * (1 + GAP)
                place = {"extent": (left, left + 1, tops[i] + height, tops[i]), "interpolation": "nearest"}
                drawn[i, j] = self.ax_.imshow(image, **style(place, keywords))
        self.ax_.set(xlim=(0, n_columns * (1 + GAP) - GAP), ylim=(tops[-1] + height, 0), aspect="equal")
        centres = 0.5 + np.arange(n_columns) * (1 + GAP)
        self.ax_.set_yticks(tops + height / 2 if labels else [], labels)
        self.ax_.set_xticks(centres if column_labels else [], column_labels)
        self.ax_.tick_params(length=0)
        self.ax_.spines[:].set_visible(False)
        return drawn

    def _draw_cells(self, ax, figsize, values, keywords, row_names, column_names):
        """Draw a table as cells on one Axes, and return its AxesImage in an object array (1, 1)."""
        self._use_axes(ax, figsize)
        image = self.ax_.imshow(values, **{"aspect": "auto", "interpolation": "nearest", **keywords})
        legible_ticks(self.ax_.yaxis, *row_names)
        legible_ticks(self.ax_.xaxis, *column_names)
        return np.array([[image]], dtype=object)

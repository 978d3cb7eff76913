"""Codes of a VQ-VAE as maps below the images that they stand for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from .._typing import ArrayLike, ImageShape, MatrixLike, NDArray, Self
from ._base import Display
from ._plotting import Keywords, OneAxes, code_style, style
from ._rows import as_table, drawable, first_rows, values_of

# The codes of a table are written into their cells if there are at most so many cells.
MOST_WRITTEN = 400
N_NAMES = 24


@dataclass(kw_only=True, eq=False, repr=False)
class CodeMapDisplay(Display):
    """Maps of integer codes, with a colour for each code, below the images that they stand for.

    Codes have no order, and neither have the colours: those of successive codes look unlike each other. If a position
    has several codes, or an image has two grids, each of them has a map. The codes of a table are a line of cells for
    each row.

    Parameters
    ----------
    codes : ndarray of int, shape (n, n_codes_of_a_row)
        Row-major over `code_shape`.
    code_shape : tuple
        (h, w), (h, w, s), or ((h, w), (h', w')) for images; (m,) for tables.
    n_codes : int
        Number of different codes.
    X : ndarray of shape (n, n_features), default=None
        The images that the codes stand for.
    image_shape : tuple (H, W) or (H, W, C), default=None
        Shape of an image.

    Attributes
    ----------
    figure_, ax_ : matplotlib Figure and Axes
        What was drawn on.
    images_ : ndarray of matplotlib AxesImage, shape (n_lines, n)
        Originals, if any, and code maps; for tables the one image (1, 1) of all cells.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skvq import VQVAETransformer
    >>> from skvq.display import CodeMapDisplay
    >>> X = load_digits().images
    >>> model = VQVAETransformer(n_codes=16, channels=8, max_iter=1, prior=None, random_state=0).fit(X[:500])
    >>> CodeMapDisplay.from_estimator(model, X).images_.shape
    (2, 8)
    """

    codes: NDArray[Any]
    code_shape: tuple[Any, ...]
    n_codes: int
    X: NDArray[Any] | None = None
    image_shape: ImageShape = None
    _accepted = "a VQVAETransformer"

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: MatrixLike,
        *,
        n_images: int = 8,
        ax: OneAxes = None,
        imshow_kw: Keywords = None,
        code_kw: Keywords = None,
    ) -> Self:
        """Draw the codes of the first rows of X, and return the display.

        Parameters
        ----------
        estimator : VQVAETransformer
            Fitted.
        X : array-like
            What its `transform` takes.
        n_images : int, default=8
            Number of images, or of rows of a table.
        ax, imshow_kw, code_kw
            As in :meth:`plot`.
        """
        cls._check_estimator(estimator, "transform", "code_shape_", "n_codes_")
        X = first_rows(X, n_images)
        codes, shape, code_shape = np.asarray(estimator.transform(X)), estimator.image_shape_, estimator.code_shape_
        if shape is None:
            display = cls(codes=codes, code_shape=(math.prod(code_shape),), n_codes=estimator.n_codes_)
        else:
            rows = as_table(X)
            display = cls(codes=codes, code_shape=code_shape, n_codes=estimator.n_codes_, X=rows, image_shape=shape)
        return display.plot(ax, imshow_kw=imshow_kw, code_kw=code_kw)

    @classmethod
    def from_codes(
        cls,
        codes: ArrayLike,
        *,
        code_shape: tuple[Any, ...] | None = None,
        n_codes: int | None = None,
        ax: OneAxes = None,
        code_kw: Keywords = None,
    ) -> Self:
        """Draw codes without images, such as samples of a ``PixelCNN``, and return the display.

        Parameters
        ----------
        codes, code_shape, n_codes
            As in :class:`CodeMapDisplay`. The codes may also be grids (n, h, w): without `code_shape` the shape of
            `codes` is taken, without `n_codes` the largest code plus one.
        ax, code_kw
            As in :meth:`plot`.
        """
        codes = values_of(codes)
        if codes.dtype.kind not in "iu" or codes.ndim < 2:
            raise ValueError(f"codes must be an array of integers (n, ...), got {codes.dtype} of shape {codes.shape}")
        code_shape = codes.shape[1:] if code_shape is None else code_shape
        n_codes = int(codes.max()) + 1 if n_codes is None else n_codes
        return cls(codes=as_table(codes), code_shape=code_shape, n_codes=n_codes).plot(ax, code_kw=code_kw)

    def plot(self, ax: OneAxes = None, *, imshow_kw: Keywords = None, code_kw: Keywords = None) -> Self:
        """Draw the maps, and return the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure.
        imshow_kw, code_kw : dict, default=None
            Keywords of ``Axes.imshow`` for the images, and for the codes.
        """
        self._pyplot()
        colours = style(code_style(self.n_codes), code_kw)
        if len(self.code_shape) == 1:
            self._plot_cells(ax, colours)
            return self
        maps = split_codes(self.codes, self.code_shape)
        lines = [(grids, colours) for grids in maps.values()]
        labels = list(maps)
        if self.X is not None:
            (images,), look = drawable(self.image_shape, self.X)
            lines, labels = [(images, style(look, imshow_kw)), *lines], ["original", *labels]
        self.images_ = self._draw_images(ax, lines, labels=labels)
        return self

    def _plot_cells(self, ax, colours):
        n, m = self.codes.shape
        size = min(12.0, 1.2 + 0.45 * m), min(12.0, 0.8 + 0.35 * n)
        self.images_ = self._draw_cells(ax, size, self.codes, colours, (range(n), N_NAMES), (range(m), N_NAMES))
        image = self.images_[0, 0]
        if n * m <= MOST_WRITTEN:
            for (i, j), code in np.ndenumerate(self.codes):
                red, green, blue, _ = image.cmap(image.norm(code))
                dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
                self.ax_.text(j, i, code, ha="center", va="center", fontsize="small", color="w" if dark else "k")
        self.ax_.set(xlabel="position", ylabel="row")
        self.ax_.tick_params(length=0)


def split_codes(codes, code_shape):
    """Return the maps of codes (n, n_codes_of_a_row): a dict from labels to arrays (n, h, w).

    Examples
    --------
    >>> import numpy as np
    >>> {label: maps.shape for label, maps in split_codes(np.zeros((5, 8), int), (2, 2, 2)).items()}
    {'codes 1': (5, 2, 2), 'codes 2': (5, 2, 2)}
    >>> {label: maps.shape for label, maps in split_codes(np.zeros((5, 5), int), ((1, 1), (2, 2))).items()}
    {'coarse codes': (5, 1, 1), 'fine codes': (5, 2, 2)}
    """
    if isinstance(code_shape[0], (tuple, list)):
        coarse, fine = np.split(codes, [math.prod(code_shape[0])], axis=1)
        return {
            "coarse codes": coarse.reshape(-1, *code_shape[0]),
            "fine codes": fine.reshape(-1, *code_shape[1]),
        }
    grids = codes.reshape(len(codes), *code_shape)
    if len(code_shape) == 2:
        return {"codes": grids}
    return {f"codes {t + 1}": grids[..., t] for t in range(code_shape[2])}

"""Codes of a VQ-VAE as maps under the images that they stand for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator

from .._typing import ArrayLike, ImageShape, MatrixLike, Self
from ._plotting import check_matplotlib, code_style, draw_grid, grid_figsize, legible_ticks, one_axes, style
from ._rows import as_images, check_estimator, drawable, first_rows, value_range, values_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Codes of a table's rows are written into their cells up to so many of them.
MOST_WRITTEN = 400
ACCEPTED = "a VQVAETransformer"


class CodeMapDisplay:
    """Maps of integer codes, a colour for each code, under the images that they stand for.

    Codes have no order, and neither have the colours: neighbouring numbers look unlike each other. Of several codes a
    position, and of two grids, each has a map. The codes of a table are a line of cells for each row.

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
    figure_ : matplotlib Figure
        What was drawn on.
    ax_ : matplotlib Axes
        The Axes.
    images_ : ndarray of matplotlib AxesImage, shape (n_lines, n)
        Originals, if any, and code maps; for tables the one image (1, 1) of all cells.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skvq import VQVAETransformer
    >>> from skvq.display import CodeMapDisplay
    >>> X = load_digits().images
    >>> model = VQVAETransformer(n_codes=16, channels=8, max_iter=1, prior=None, random_state=0).fit(X[:500])
    >>> display = CodeMapDisplay.from_estimator(model, X)
    >>> display.images_.shape
    (2, 8)
    """

    def __init__(
        self,
        *,
        codes: ArrayLike,
        code_shape: tuple[Any, ...],
        n_codes: int,
        X: MatrixLike | None = None,
        image_shape: ImageShape = None,
    ) -> None:
        self.codes = codes
        self.code_shape = code_shape
        self.n_codes = n_codes
        self.X = X
        self.image_shape = image_shape

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: MatrixLike,
        *,
        n_images: int = 8,
        ax: Axes | None = None,
        imshow_kw: dict[str, Any] | None = None,
        code_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the codes of the first rows of X.

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

        Returns
        -------
        display : CodeMapDisplay
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        check_estimator(estimator, cls.__name__, ("transform", "code_shape_", "n_codes_"), ACCEPTED)
        X = first_rows(X, n_images)
        codes, shape, code_shape = estimator.transform(X), estimator.image_shape_, estimator.code_shape_
        rows = None
        if shape is None:
            code_shape = (math.prod(code_shape),)
        else:
            rows = values_of(X).reshape(len(codes), -1)
        display = cls(
            codes=np.asarray(codes), code_shape=code_shape, n_codes=estimator.n_codes_, X=rows, image_shape=shape
        )
        return display.plot(ax, imshow_kw=imshow_kw, code_kw=code_kw)

    @classmethod
    def from_codes(
        cls,
        codes: ArrayLike,
        *,
        code_shape: tuple[Any, ...] | None = None,
        n_codes: int | None = None,
        ax: Axes | None = None,
        code_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw codes, such as a ``PixelCNN`` samples, without images.

        Parameters
        ----------
        codes : array-like of int, shape (n, h, w), or (n, n_codes_of_a_row)
            The codes.
        code_shape : tuple, default=None
            How the codes of a row are laid out: (h, w), (h, w, s), ((h, w), (h', w')) or (m,). None takes what the
            shape of `codes` says.
        n_codes : int, default=None
            Number of different codes; None takes the largest that occurs plus one.
        ax, code_kw
            As in :meth:`plot`.

        Returns
        -------
        display : CodeMapDisplay
        """
        check_matplotlib(f"{cls.__name__}.from_codes")
        codes = values_of(codes)
        if codes.dtype.kind not in "iu" or codes.ndim < 2:
            raise ValueError(f"codes must be an array of integers (n, ...), got {codes.dtype} of shape {codes.shape}")
        code_shape = codes.shape[1:] if code_shape is None else code_shape
        n_codes = int(codes.max()) + 1 if n_codes is None else n_codes
        codes = codes.reshape(len(codes), -1)
        return cls(codes=codes, code_shape=code_shape, n_codes=n_codes).plot(ax, code_kw=code_kw)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        imshow_kw: dict[str, Any] | None = None,
        code_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the maps.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure.
        imshow_kw : dict, default=None
            Keywords of ``Axes.imshow`` for the images.
        code_kw : dict, default=None
            Keywords of ``Axes.imshow`` for the codes.

        Returns
        -------
        self
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        colours = style(code_style(self.n_codes), code_kw)
        if len(self.code_shape) == 1:
            self._plot_cells(ax, colours)
            return self
        lines, labels = [], []
        if self.X is not None:
            images = as_images(self.X, self.image_shape)
            images, keywords = drawable(images, value_range(images))
            lines, labels = [(images, style(keywords, imshow_kw))], ["original"]
        for label, maps in split_codes(self.codes, self.code_shape):
            lines.append((maps, colours))
            labels.append(label)
        n, *image_shape = lines[0][0].shape
        self.figure_, self.ax_ = one_axes(ax, grid_figsize(len(lines), n, image_shape, labels))
        self.images_ = draw_grid(self.ax_, lines, labels=labels)
        return self

    def _plot_cells(self, ax, colours):
        n, m = self.codes.shape
        self.figure_, self.ax_ = one_axes(ax, (min(12.0, 1.2 + 0.45 * m), min(12.0, 0.8 + 0.35 * n)))
        image = self.ax_.imshow(self.codes, **{"aspect": "auto", "interpolation": "nearest", **colours})
        self.images_ = np.array([[image]], dtype=object)
        if n * m <= MOST_WRITTEN:
            for (i, j), code in np.ndenumerate(self.codes):
                red, green, blue, _ = image.cmap(image.norm(code))
                dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
                self.ax_.text(j, i, code, ha="center", va="center", fontsize="small", color="w" if dark else "k")
        legible_ticks(self.ax_.xaxis, range(m), 24)
        legible_ticks(self.ax_.yaxis, range(n), 24)
        self.ax_.set(xlabel="position", ylabel="row")
        self.ax_.tick_params(length=0)


def split_codes(codes, code_shape):
    """Return the maps of codes (n, n_codes_of_a_row): a list of (label, array (n, h, w)).

    Examples
    --------
    >>> import numpy as np
    >>> [(label, maps.shape) for label, maps in split_codes(np.zeros((5, 8), int), (2, 2, 2))]
    [('codes 1', (5, 2, 2)), ('codes 2', (5, 2, 2))]
    >>> [(label, maps.shape) for label, maps in split_codes(np.zeros((5, 5), int), ((1, 1), (2, 2)))]
    [('coarse codes', (5, 1, 1)), ('fine codes', (5, 2, 2))]
    """
    if isinstance(code_shape[0], (tuple, list)):
        coarse, fine = code_shape
        n_coarse = math.prod(coarse)
        return [
            ("coarse codes", codes[:, :n_coarse].reshape(-1, *coarse)),
            ("fine codes", codes[:, n_coarse:].reshape(-1, *fine)),
        ]
    grids = codes.reshape(len(codes), *code_shape)
    if len(code_shape) == 2:
        return [("codes", grids)]
    return [(f"codes {t + 1}", grids[..., t]) for t in range(code_shape[2])]

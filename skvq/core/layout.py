"""Row layouts: images and tables as rows for a network, and back in the units and the layout of X."""

from __future__ import annotations

import math
import numbers
import sys
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from scipy import sparse
from sklearn.utils import get_tags
from sklearn.utils.sparsefuncs import mean_variance_axis
from sklearn.utils.validation import check_array, validate_data

from .._warnings import warn_of_unknown_names, warn_user
from ..training.batches import Rows, as_array, evenly_spaced
from ..training.stored import StoredRows
from .frames import Frame, is_whole, with_index
from .inference import phase
from .naming import about_gaps, named, no_gaps
from .parameters import is_auto
from .pixels import warn_of_pixels
from .series import SeriesLayout, refuse_unequal_lengths
from .sources import MOST_COLOURS, chunks_of, is_source, store
from .tables.reading import LARGEST_EXACT

# Rows that are looked at together; bounds the extra memory to a few MB.
CHUNK_VALUES = 500_000
# Arrays (n, H, W) whose shorter side is at most this, and whose longer side is so many times longer, look like series.
MOST_CHANNELS, LEAST_RATIO = 16, 4
# Below this, variances have lost digits or vanished.
SMALLEST_VARIANCE = 1e-280
UNSCALED = "standardize=False", "standardize=True"
# What to do about missing values.
WORDS_OF_IMAGES = "; what image_shape or series_shape describes is numbers: leave them out for a table with words"
WORDS_OF_CODES = (
    "; codes are whole numbers from 0 on. Number categories first, such as by sklearn.preprocessing.OrdinalEncoder, or "
    "pass the table to OrderlessNADE"
)
GAPS_OF_IMAGES = (
    "images must be whole. Leave those with gaps out, or fill them first, such as by numpy.nan_to_num(X); "
    "complete(X, mask) of a VQVAETransformer, fitted to whole images, draws what is missing"
)
GAPS = (
    "fill the gaps first, such as by skvq.OrderlessNADE or an imputer of scikit-learn (series: numpy.interp), or leave "
    "such rows out"
)
# Rows whose magnitude is looked at, and how many times larger or smaller than all of `fit` is out of all proportion:
# units that are mixed up differ by more, and rows that are merely unusual by less.
MEASURED_ROWS, FACTOR = 1_000, 50.0
# Share of the rows of `fit` that are no measure for small values: nearly empty images.
SMALLEST = 0.05
# Between the two usual ranges of pixels.
BYTE_RANGE = 255.0


def check_image_shape(image_shape, n_features=None, name="image_shape"):
    """Check the parameter `image_shape` and return it as a tuple of int, or None.

    Parameters
    ----------
    image_shape : None or tuple (H, W) or (H, W, C)
        The parameter.
    n_features : int, default=None
        Number of columns that it must multiply to.
    name : str, default="image_shape"
        What the parameter is called.

    Raises
    ------
    ValueError
        If it is not two or three positive integers, or their product is not `n_features`.
    """
    if image_shape is None:
        return None
    accepted = "None, (H, W) or (H, W, C) with positive integers"
    try:
        shape = tuple(image_shape)
    except TypeError:
        raise ValueError(f"{name}={image_shape!r} must be {accepted}") from None
    are_sizes = all(isinstance(s, numbers.Integral) and not isinstance(s, bool) and s > 0 for s in shape)
    if len(shape) not in (2, 3) or not are_sizes:
        raise ValueError(f"{name}={image_shape!r} must be {accepted}")
    shape = tuple(int(s) for s in shape)
    if n_features is not None and int(np.prod(shape)) != n_features:
        raise ValueError(
            f"{name}={shape} stands for {int(np.prod(shape))} values a row, but X has {n_features} features "
            f"(columns); pass the {name} whose product is the number of columns"
        )
    return shape


# Of values that are not standardised: a sum of their squares is within float32.
LARGEST_AS_IT_IS = 1e17
# Of components: what a network makes of them is within float32, with weights below a million.
LARGEST_COMPONENT = 1e30
IMAGES = ("images", "image_shape")
# Fitted attributes whose names have no underscore at the end.
LEARNED_BESIDE = (
    *("_channels_first", "_images_in", "_dtype_in", "_table_in", "_magnitude_in"),
    *("_frame_in", "_frame_names"),
)


def flatten_images(X, image_shape=None, called=IMAGES):
    """Lay images out as rows.

    Parameters
    ----------
    X : array-like
        (n, H, W), (n, H, W, C), or anything two-dimensional, which is returned as it is.
    image_shape : tuple of int, default=None
        The shape that images must have.
    called : pair of str
        What messages call images and their shape.

    Returns
    -------
    X : ndarray of shape (n, H * W * C) (a view where the memory allows), or X itself
    found : tuple of int or None
        The shape of one image, None if X was not an array of images.

    Raises
    ------
    ValueError
        If X has more than four dimensions, or images of another shape.
    """
    X = as_array(X)
    if isinstance(X, (list, tuple)):
        X = as_array(np.asarray(X))
    if not isinstance(X, np.ndarray) or X.ndim < 3:
        return X, None
    found = tuple(X.shape[1:])
    if X.ndim > 4:
        raise ValueError(f"X has shape {X.shape}; images must be (n, H, W) or (n, H, W, C)")
    if 0 in found:
        raise ValueError(f"X has shape {X.shape}: images without a pixel")
    if image_shape is not None and with_channels(found) != with_channels(image_shape):
        raise ValueError(f"X holds {called[0]} of shape {found}, but {called[1]} is {tuple(image_shape)}")
    return X.reshape(X.shape[0], math.prod(found)), found


def with_channels(image_shape):
    """Return (H, W, C) for (H, W) or (H, W, C)."""
    return (*image_shape, 1) if len(image_shape) == 2 else tuple(image_shape)


def looks_like_series(found):
    """Return whether the shape of an image (or None) is as long and narrow as only series are.

    Examples
    --------
    >>> [looks_like_series(shape) for shape in ((6, 100), (100, 6), (28, 28), (16, 64), (8, 8), (32, 100), None)]
    [True, True, False, True, False, False, False]
    """
    if found is None or len(found) != 2:
        return False
    short, long = sorted(found)
    return short <= MOST_CHANNELS and long >= LEAST_RATIO * short


def warn_of_other_axes(X, found):
    """Warn if X, of images of a shape (or None), looks like chunks of rows, like series, or like channels first."""
    is_list_of_arrays = isinstance(X, (list, tuple)) and all(isinstance(part, np.ndarray | torch.Tensor) for part in X)
    if is_list_of_arrays and found is not None and len(found) == 2 and len(X) < found[0]:
        warn_user(
            f"X is a list of arrays of two dimensions, taken for {len(X)} images of {found[0]} x {found[1]} pixels; if "
            "they are chunks of rows, pass iter(X). If they are images, np.stack(X) says so, without this warning"
        )
        return
    if looks_like_series(found):
        length, n_channels = max(found), min(found)
        of_one = f". If X is one image of {len(X)} x {length} pixels, pass X[None], or cut it into patches"
        one = of_one if found[1] in (3, 4) else ""
        layout = "" if found == (length, n_channels) else ", series_layout='channels_first'"
        warn_user(
            f"X is taken for grey images of {found[0]} x {found[1]} pixels; if they are series of {length} time steps "
            f"with {n_channels} channels, pass series_shape=({length}, {n_channels}){layout}. If they are images, "
            f"image_shape={found} says so, without this warning{one}",
        )
    if found is not None and len(found) == 3 and found[0] <= MOST_COLOURS < found[2]:
        warn_user(
            f"X is taken for images of {found[0]} x {found[1]} pixels with {found[2]} channels; if its channels come "
            "first, pass np.moveaxis(X, 1, -1)",
        )


def warn_of_wide_series(length, n_channels):
    """Warn of series that have so many channels for their length that the two may be exchanged."""
    if n_channels > length:
        warn_user(
            f"X is taken for series of {length} time steps with {n_channels} channels; if its channels come first, "
            f"pass series_shape=({n_channels}, {length}), series_layout='channels_first'"
        )


def column_moments(X):
    """Return mean and variance of every column in float64, with the extra memory of a chunk of rows.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_rows, n_columns)

    Returns
    -------
    mean, variance : ndarray of shape (n_columns,), float64
    """
    if sparse.issparse(X):
        X = X if X.dtype.kind == "f" else X.astype(np.float64)
        mean, variance = mean_variance_axis(X, axis=0)
        return mean.astype(np.float64), variance.astype(np.float64)
    n_rows, n_columns = X.shape
    chunk = max(1, CHUNK_VALUES // n_columns)
    first = X[0].astype(np.float64)  # subtracted, so that a column which does not vary has exactly no variance
    mean = np.zeros(n_columns)
    for start in range(0, n_rows, chunk):
        mean += (X[start : start + chunk] - first).sum(axis=0)
    mean = first + mean / n_rows
    variance = np.zeros(n_columns)
    for start in range(0, n_rows, chunk):
        variance += np.square(X[start : start + chunk] - mean).sum(axis=0)
    return mean, variance / n_rows


def _moments(X, channels):
    """Return mean and variance of every column, the same for all columns of a channel (a slice)."""
    mean, variance = column_moments(X)
    for channel in channels:
        overall = mean[channel].mean()
        variance[channel] = (variance[channel] + np.square(mean[channel] - overall)).mean()
        mean[channel] = overall
    return mean, variance


def _factors(X, channels):
    """Return a power of two for every column: 1, or where its values are so small that their squares vanish, more."""
    largest = np.zeros(X.shape[1])
    if sparse.issparse(X):
        largest = np.asarray(abs(X).max(axis=0).todense()).ravel()
    else:
        for start in range(0, len(X), step := max(1, CHUNK_VALUES // X.shape[1])):
            np.maximum(largest, np.abs(X[start : start + step]).max(axis=0), out=largest)
    for channel in channels:
        largest[channel] = largest[channel].max()
    is_small = (largest > 0) & (largest < SMALLEST_VARIANCE**0.5)
    return np.ldexp(1.0, np.minimum(np.where(is_small, -np.frexp(largest)[1], 0), 1000))


def _rescaled(X, factor):
    """Return X (n, p) with its columns multiplied, in float64."""
    if isinstance(X, StoredRows):
        return X.times(factor)
    return sparse.csr_matrix(X.multiply(factor[None])) if sparse.issparse(X) else X.astype(np.float64) * factor


def standardisation(X, *, per_column, n_channels=1):
    """Return the shift and scale under which X has mean 0 and variance 1.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_rows, n_columns)
    per_column : bool
        Each column by its own mean and standard deviation (a table), or all by one (an image).
    n_channels : int, default=1
        Without `per_column` every `n_channels`-th column shares one: a channel of a series.

    Returns
    -------
    shift, scale : ndarray of shape (n_columns,), float64
        The scale of what does not vary, beyond rounding, is 1.

    Raises
    ------
    ValueError
        If the variance overflows.

    Warns
    -----
    UserWarning
        For what varies less than the smallest normal number of float64: it is taken for constant.
    """
    channels = [] if per_column else [slice(c, None, n_channels) for c in range(n_channels)]
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):  # refused or repeated below
        mean, variance = _moments(X, channels)
    if (variance < SMALLEST_VARIANCE).any() and ((factor := _factors(X, channels)) != 1).any():
        shift, scale = standardisation(_rescaled(X, factor), per_column=per_column, n_channels=n_channels)
        scale = scale / np.where(scale == 1, 1, factor)  # what does not vary keeps its scale
        vanishes = scale < np.finfo(np.float64).tiny
        if vanishes.any():
            where = f"column {int(vanishes.argmax())} of X varies" if per_column else "X varies"
            warn_user(
                f"{where} by less than {np.finfo(np.float64).tiny:.3g}, where float64 loses its digits, and is taken "
                "for constant; rescale X"
            )
        return shift / factor, np.where(vanishes, 1.0, scale)
    if not (np.isfinite(mean).all() and np.isfinite(variance).all()):
        raise ValueError("X holds values so large that its variance overflows float64; rescale it")
    varies = variance > np.square(10 * np.finfo(np.float64).eps * np.abs(mean))
    return mean, np.where(varies, np.sqrt(variance), 1.0)


def ranges(X, *, per_column, n_channels=1):
    """Return the smallest and the largest value of every column; those of an image, or of a channel, share one pair.

    Parameters
    ----------
    X : ndarray, CSR matrix or StoredRows of shape (n_rows, n_columns)
    per_column, n_channels
        As in :func:`standardisation`.

    Returns
    -------
    low, high : ndarray of shape (n_columns,), float64
    """
    low, high = np.full(X.shape[1], np.inf), np.full(X.shape[1], -np.inf)
    for start in range(0, X.shape[0], step := max(1, CHUNK_VALUES // X.shape[1])):
        some = X[start : start + step]
        least, most = some.min(axis=0), some.max(axis=0)
        if sparse.issparse(some):
            least, most = least.toarray().ravel(), most.toarray().ravel()
        low, high = np.minimum(low, least), np.maximum(high, most)
    for channel in [] if per_column else [slice(c, None, n_channels) for c in range(n_channels)]:
        low[channel], high[channel] = low[channel].min(), high[channel].max()
    return low.astype(np.float64), high.astype(np.float64)


def shared_by(image_shape, series, are_pixels=False):
    """Return which columns share their scale and range, as arguments of :func:`standardisation` and :func:`ranges`.

    With `are_pixels` all columns of a table do, as the values of images.
    """
    per_column = image_shape is None and series is None and not are_pixels
    return {"per_column": per_column, "n_channels": 1 if series is None else series.n_channels}


def known_frame(estimator):
    """Return the Frame that an estimator has learned, None for arrays."""
    return Frame(estimator._frame_in, estimator._frame_names) if hasattr(estimator, "_frame_in") else None


def is_clipped(estimator, image_shape):
    """Return whether rows of numbers that come back are cut to the range that `fit` saw: "auto" cuts images alone."""
    return image_shape is not None if is_auto(estimator.clip) else bool(estimator.clip)


def check_scale(rows):
    """Warn of rows that are taken as they are and that float32 rounds to 0; refuse those whose squares overflow it."""
    values = rows.data if sparse.issparse(rows) else rows
    is_real = len(values) > 0 and values.dtype.kind == "f"
    largest = max(-float(values.min()), float(values.max())) if is_real else 0.0
    if 0 < largest < float(np.finfo(np.float32).tiny):
        warn_user(
            f"X holds no value larger than {largest:.3g}, which float32 rounds to 0; rescale X, or pass "
            "standardize=True"
        )
    if largest > LARGEST_AS_IT_IS:
        raise ValueError(
            f"X holds values up to {largest:.3g}, whose squares are beyond float32; rescale X, or pass standardize=True"
        )


def check_rows(estimator, X, shape, *, reset, series=None, called=IMAGES):
    """Validate X and lay it out as rows, without a copy (but of series with several channels that come first).

    Parameters
    ----------
    estimator : estimator
        Learns, or is held to, the number and the names of the columns; a transformer learns the kind of frame too.
    X : array-like, CSR or CSC matrix where the estimator takes sparse ones, images (n, H, W) or (n, H, W, C)
        Or what gives chunks of these, which are written to a temporary file, see :mod:`skvq.core.sources`.
    shape : tuple of int or None
        The shape that images must have.
    reset : bool
        Whether `estimator` learns from X, as in `fit`.
    series : SeriesLayout, default=None
        How series unfold, where X holds these.
    called : pair of str
        What messages call images and their shape.

    Returns
    -------
    rows : ndarray, CSR matrix or StoredRows of shape (n, n_features), of any numeric dtype
    found : tuple of int or None
        Shape of one image or series; None if X came as rows.
    """
    if gives_chunks(X):
        check = partial(check_rows, estimator, shape=shape, series=series, called=called)
        return store(chunks_of(X, image_shape=shape), check, reset=reset)
    rows, found = flatten_images(X, shape, called) if series is None else series.flatten(X)
    of_codes = not hasattr(estimator, "image_shape")
    if reset and not of_codes and hasattr(rows, "columns"):
        vars(estimator).update(Frame.of(rows).attributes())
    accept_sparse = "csr" if get_tags(estimator).input_tags.sparse else False
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # in the sum of huge values that scikit-learn looks at
            rows = warn_of_unknown_names(estimator, rows) if hasattr(rows, "columns") else rows
            rows = validate_data(estimator, rows, reset=reset, accept_sparse=accept_sparse, dtype="numeric")
    except (ValueError, TypeError) as error:
        if of_codes and "DType" in str(error):  # a frame whose columns have no dtype in common
            raise ValueError(f"X holds columns of several kinds{WORDS_OF_CODES}") from None
        is_image = not of_codes and (shape is not None or found is not None)
        words = WORDS_OF_CODES if of_codes else WORDS_OF_IMAGES if is_image else ""
        told = about_gaps(error, GAPS_OF_IMAGES if is_image else GAPS, words)
        if told is error:
            raise
        raise told from None
    if rows.dtype.kind not in "biuf" and of_codes:
        raise ValueError(f"X has dtype {rows.dtype}{WORDS_OF_CODES}")
    if rows.dtype.kind not in "biuf":
        raise ValueError(
            f"X has dtype {rows.dtype}; it must be numeric. Pass dates and durations in a frame, pandas.DataFrame(X)"
        )
    return rows if series is None else series.time_first(rows), found


def check_rows_advised(estimator, X, shape, *, reset, series):
    """Return what :func:`check_rows` does; its errors say what to pass instead of one image or series."""
    try:
        rows, found = check_rows(estimator, X, shape, reset=reset, series=series)
        if reset and series is None and found is None:
            check_image_shape(shape, rows.shape[1])
        return rows, found
    except ValueError as error:
        from .advice import advised

        raise advised(error, X, shape, series) from error.__cause__


def largest_of_rows(X, usual=None):
    """Return the largest absolute value of up to 1,000 rows, evenly spaced, without rows of zeros: ndarray (m,).

    Missing cells are left out.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, n_features)
    usual : ndarray of shape (n_features,), default=None
        Root mean squares of the columns; those of which it is infinite do not count, unless it is of all.
    """
    chosen = evenly_spaced(X.shape[0], MEASURED_ROWS)
    counts = slice(None) if usual is None or np.isinf(usual).all() else np.isfinite(usual)
    largest, chunk = np.empty(len(chosen)), max(1, CHUNK_VALUES // X.shape[1])
    if sparse.issparse(X):
        largest = abs(X[chosen][:, counts]).max(axis=1).toarray().ravel().astype(np.float64)
        return largest[largest > 0]
    for start in range(0, len(chosen), chunk):
        some = X[chosen[start : start + chunk]][:, counts].astype(np.float64)
        largest[start : start + chunk] = np.nanmax(np.abs(some, out=some), axis=1, initial=0.0)
    return largest[largest > 0]


def magnitude_of(X, usual=None):
    """Return how large the values of rows are: the largest of a nearly empty row, and of all; 0 for rows of zeros.

    With `usual` two more numbers follow, between which the sizes of nearly all rows are, see
    :func:`~skvq.core.units.sizes`.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, n_features)
    usual : ndarray of shape (n_features,), default=None
        Root mean squares of the columns, infinity for those that do not count; None leaves the sizes out.

    Examples
    --------
    >>> magnitude_of(np.array([[0.0, 0.0], [3.0, -4.0], [4.0, 1.0], [0.0, 9.0]]))
    (4.0, 9.0)
    """
    filled = largest_of_rows(X, usual)
    if not len(filled):
        return 0.0, 0.0
    found = float(np.quantile(filled, SMALLEST, method="lower")), float(filled.max())
    if usual is None:
        return found
    from .units import usual_sizes  # of no use for images

    return found + usual_sizes(X, usual)


@dataclass(frozen=True)
class RowLayout:
    """The way from X to standardised rows, and back.

    Attributes
    ----------
    image_shape : tuple of int or None
        Shape (H, W) or (H, W, C) of an image; None for the rows of a table.
    images_in : bool
        Whether `fit` saw images rather than rows of pixels, or series with an axis of channels.
    dtype : str
        Of what comes back: that of the X of `fit` if it is float32 or larger, or of images uint8, else "float64".
    shift, scale : ndarray of shape (n_features,), float64
        A row becomes ``(row - shift) / scale``.
    series : SeriesLayout or None
        How a row unfolds to a series; None for images and tables.
    low, high : ndarray of shape (n_features,), float64, or None
        The range that `fit` saw, see :func:`ranges`; None for models of older versions, whose files do not tell.
    clip : bool
        Whether values that come back are cut to that range.
    frame : Frame or None
        What `fit` saw the rows as; None for arrays.
    """

    image_shape: tuple | None
    images_in: bool
    dtype: str
    shift: np.ndarray
    scale: np.ndarray
    series: SeriesLayout | None = None
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    clip: bool = False
    frame: Frame | None = None

    @classmethod
    def fit(cls, estimator, X, *, standardize):
        """Learn the layout of X for an estimator with `image_shape`, `series_shape`, `series_layout` and `clip`.

        Parameters
        ----------
        estimator : estimator
            Learns the number and the names of the columns.
        X : array-like
            As the user passed it.
        standardize : bool
            Whether columns (of a table), channels (of series) or all values (of images, and of tables that look like
            rows of pixels) get mean 0 and variance 1.

        Returns
        -------
        layout : RowLayout
        rows : ndarray or CSR matrix of shape (n, n_features)
            X, validated.
        """
        known = check_image_shape(estimator.image_shape)
        series = None if estimator.series_shape is None else SeriesLayout.of(estimator)
        rows, found = check_rows_advised(estimator, X, known, reset=True, series=series)
        image_shape = None if series else known if found is None else found
        if series is None and known is None:
            warn_of_other_axes(X, found)
        if series is not None and found is not None and not series.channels_first and looks_like_series(found):
            warn_of_wide_series(*found)
        is_wide_float = rows.dtype.kind == "f" and rows.dtype.itemsize >= 4
        dtype = rows.dtype.name if is_wide_float or image_shape is not None and is_whole(rows.dtype) else "float64"
        shift, scale = np.zeros(rows.shape[1]), np.ones(rows.shape[1])
        sharing = shared_by(image_shape, series, image_shape is None and series is None and warn_of_pixels(rows))
        if standardize:
            shift, scale = standardisation(rows, **sharing)
        else:
            check_scale(rows)
        clip, frame, bounds = is_clipped(estimator, image_shape), known_frame(estimator), ranges(rows, **sharing)
        return cls(image_shape, found is not None, dtype, shift, scale, series, *bounds, clip, frame), rows

    @classmethod
    def of(cls, estimator):
        """Return the layout that a fitted estimator has learned."""
        shape = getattr(estimator, "series_shape_", None)  # files of older versions have none
        return cls(
            estimator.image_shape_,
            estimator._images_in,
            estimator._dtype_in,
            estimator.shift_,
            estimator.scale_,
            None if shape is None else SeriesLayout(shape, estimator._channels_first),
            getattr(estimator, "data_min_", None),
            getattr(estimator, "data_max_", None),
            is_clipped(estimator, estimator.image_shape_),
            known_frame(estimator),
        )

    def attributes(self):
        """Return the fitted attributes, by name, that an estimator keeps the layout in."""
        return {
            "image_shape_": self.image_shape,
            "series_shape_": None if self.series is None else self.series.shape,
            "_channels_first": self.series is not None and self.series.channels_first,
            "_images_in": self.images_in,
            "_dtype_in": self.dtype,
            "shift_": self.shift,
            "scale_": self.scale,
            "data_min_": self.low,
            "data_max_": self.high,
        }

    def widened(self, rows):
        """Return the range, by the names of fitted attributes, of what `fit` saw and of more rows, validated."""
        if self.low is None:
            return {}
        low, high = ranges(rows, **shared_by(self.image_shape, self.series))
        return {"data_min_": np.minimum(self.low, low), "data_max_": np.maximum(self.high, high)}

    @property
    def is_cut(self):
        """Whether values that come back are cut to the range that `fit` saw."""
        return self.clip and self.low is not None and self.dtype != "uint8"

    @property
    def usual(self):
        """Root mean squares (n_features,) of the columns in `fit`, infinity for constant ones; None for images."""
        if self.image_shape is not None or self.low is None:
            return None
        return np.where(self.low < self.high, np.hypot(self.shift, self.scale), np.inf)

    def check(self, estimator, X, known=None):
        """Return X, validated against what `fit` saw, as rows: ndarray or CSR matrix of shape (n, n_features).

        Where `known` (n, n_features) is False, a value tells nothing about the units.
        """
        from .units import warn_of_rows

        rows, found = check_rows_advised(estimator, X, self.image_shape, reset=False, series=self.series)
        if self.image_shape is None and self.series is None and found is not None:
            raise ValueError(f"X holds images of shape {found}, but fit saw the rows of a table")
        measured = rows if known is None else np.where(known, rows, np.nan)
        warn_of_rows(measured, self, estimator)
        return rows

    # Whether a table holds anything but numbers without missing cells, and whether its columns are known one by one.
    is_mixed = has_columns = False

    @property
    def row_shape(self):
        """Shape of a row for the network: (H, W, C) for images, (1, length, C) for series, (n_features,) for tables."""
        if self.series is not None:
            return (1, self.series.length, self.series.n_channels)
        return (len(self.shift),) if self.image_shape is None else with_channels(self.image_shape)

    @property
    def x_shape(self):
        """Shape of one row of X as `fit` saw it."""
        if not self.images_in:
            return (len(self.shift),)
        return self.image_shape if self.series is None else self.series.axes

    def rows(self, X, device):
        """Return the standardised Rows of a validated X."""
        return Rows(X, shift=self.shift, scale=self.scale, shape=self.row_shape, device=device)

    def restore(self, pieces, n_rows):
        """Return standardised rows in the units, the layout and the dtype of the X of `fit`.

        Parameters
        ----------
        pieces : iterable of (start, rows)
            `rows` is an ndarray (b, n_features) of float64: the rows from `start` on.
        n_rows : int
            Number of rows in all.

        Returns
        -------
        X : ndarray of shape (n_rows, n_features), of images if `fit` saw images, or a frame if it saw one
            Images of whole numbers are rounded. Those of uint8 are cut off at 0 and 255; with `clip` other values are
            cut to the range that `fit` saw.
        """
        X = np.empty((n_rows, len(self.shift)), dtype=self.dtype)
        for start, rows in pieces:
            values = rows * self.scale + self.shift
            if is_whole(self.dtype):
                limits = np.iinfo(self.dtype)
                values = np.clip(np.rint(values), max(limits.min, -LARGEST_EXACT), min(limits.max, LARGEST_EXACT))
            if self.is_cut:
                np.clip(values, self.low, self.high, out=values)
            X[start : start + len(rows)] = values
        X = X if self.series is None else self.series.as_passed(X)
        return self.framed(X.reshape(n_rows, *self.x_shape))

    def framed(self, X, like=None):
        """Return rows X, ndarray (n, ...), or each of a list, as a frame with the index of `like` if `fit` saw one."""
        if isinstance(X, list):
            return [self.framed(part, like) for part in X]
        return X if self.frame is None else with_index(self.frame.wrap(X.reshape(len(X), -1)), like)


def is_table(estimator, X):
    """Return whether X is laid out column by column: frames, objects, strings, missing cells, chosen categories.

    Images, series, sparse matrices, frames that are such (all columns sparse, with zeros left out), arrays of numbers
    and what comes in chunks are rows of numbers.
    """
    has_shape = estimator.image_shape is not None or estimator.series_shape is not None
    if has_shape or sparse.issparse(X) or gives_chunks(X):
        return False
    if _is_frame(X):
        of_zeros = [str(dtype).startswith("Sparse") and dtype.fill_value == 0 for dtype in X.dtypes]
        return not of_zeros or not all(of_zeros)
    array = np.asarray(as_array(X))
    if array.ndim != 2 or array.size == 0:
        return False
    chosen = estimator.categorical_features
    if array.dtype.kind in "OUS" or not (chosen is None or isinstance(chosen, str)):
        return True
    with np.errstate(invalid="ignore"):
        return array.dtype.kind == "f" and bool(np.isnan(array.min()))  # no memory of the array's size


def gives_chunks(X):
    """Return whether X gives its rows a chunk at a time, see :func:`skvq.core.sources.is_source`."""
    return not isinstance(X, np.ndarray) and is_source(X)


def _is_frame(X):
    """Return whether X is a data frame of pandas or polars; neither is imported."""
    modules = (sys.modules.get("pandas"), sys.modules.get("polars"))
    return any(module is not None and isinstance(X, module.DataFrame) for module in modules)


def fit_layout(estimator, X, *, standardize, why=UNSCALED):
    """Learn the layout that X asks for, a TableLayout or a RowLayout; return it, and X validated.

    `why` is a pair of words, what has numbers taken as they are and what to pass instead, for the error that a mixed
    table is then.

    Raises
    ------
    ValueError
        If `categorical_features` chooses columns of what has none: images, series and sparse matrices. For lists of
        arrays of unequal lengths.
    """
    if not (gives_chunks(X) or isinstance(X, np.ndarray) and X.dtype.kind in "biuf"):
        X = as_array(X)
        refuse_unequal_lengths(X, may_be_images=estimator.series_shape is None)
    if not is_table(estimator, X):
        chosen = estimator.categorical_features
        if not (chosen is None or isinstance(chosen, str)):
            raise ValueError(
                f"categorical_features={chosen!r} chooses columns of a table, but X holds images or series, or is "
                "sparse; leave it at 'from_dtype'"
            )
        return RowLayout.fit(estimator, X, standardize=standardize)
    from .tables.layout import TableLayout

    return TableLayout.fit(estimator, X, standardize=standardize, why=why)


def learn_layout(estimator, X, X_val, *, standardize, why=UNSCALED):
    """Learn the layout of X as :func:`fit_layout`, and keep it in the fitted attributes of the estimator.

    Returns
    -------
    layout : TableLayout or RowLayout
    X, X_val : the same, validated; None for `X_val` where it is None
    """
    with phase(estimator, "reading X"):
        layout, X = fit_layout(estimator, X, standardize=standardize, why=why)
    estimator.__dict__.update(layout.attributes(), _magnitude_in=magnitude_of(X, layout.usual))
    return layout, X, check_held_out(layout, estimator, X_val)


def check_chunk(layout, estimator, X):
    """Return the next chunk of rows, validated against what `fit` saw; the range that `fit` saw grows by it."""
    rows = layout.check(estimator, X)
    estimator.__dict__.update(layout.widened(rows))
    return rows


def check_components(Z, name, n_components):
    """Return components (n, n_components) as a validated float64 array; errors call them `name`.

    Raises
    ------
    ValueError
        For another number of columns, and for values that are not finite in float32.
    """
    with no_gaps("components are numbers, as transform returns them", name=name):
        Z = check_array(as_array(Z, name), dtype=np.float64, input_name=name)
    if Z.shape[1] != n_components:
        raise ValueError(f"{name} has {Z.shape[1]} columns, but this model has {n_components} components")
    largest = float(np.abs(Z).max())
    if largest > LARGEST_COMPONENT:
        raise ValueError(
            f"{name} holds values up to {largest:.3g}, for which float32 holds no reconstruction; those of transform "
            "are near 1"
        )
    return Z


def check_held_out(layout, estimator, X_val):
    """Return held-out rows, validated against what `fit` saw, None for None; errors name them X_val."""
    if X_val is None:
        return None
    with named(X="X_val"):
        return layout.check(estimator, X_val)


def layout_of(estimator):
    """Return the layout that a fitted estimator has learned."""
    if not hasattr(estimator, "columns_"):
        return RowLayout.of(estimator)
    from .tables.layout import TableLayout

    return TableLayout.of(estimator)


def tag_rows(tags):
    """Set scikit-learn's tags of a transformer of rows, and return them."""
    tags.input_tags.sparse = True
    tags.input_tags.three_d_array = True
    tags.input_tags.allow_nan = True
    tags.input_tags.categorical = True
    tags.transformer_tags.preserves_dtype = []
    return tags

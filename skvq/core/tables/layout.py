"""The way from mixed tables to the float features of a network, and back."""

import functools
from dataclasses import dataclass, fields

import numpy as np
import torch
from scipy import sparse
from scipy.special import ndtri
from sklearn.utils.validation import validate_data

from ..._warnings import warn_of_unknown_names
from ...training.batches import Rows, as_array
from ...training.on_device import OnDevice
from ..advice import refuse_images_of_unequal_sizes
from ..layout import UNSCALED, gives_chunks, standardisation
from ..parameters import to_json
from ..pixels import warn_of_pixels
from ..sources import chunks_of
from ..units import warn_of_cells
from .columns import NUMERIC, Columns, call, frame_of

SCALINGS = ("standard", "none", "normal")


@dataclass(frozen=True)
class Block:
    """The features of one column.

    Attributes
    ----------
    start, stop : int
        The features are ``start`` to ``stop - 1``.
    has_score : bool
        Whether the first of them is the score u of a number; the others are indicators.
    n_levels : int
        Indicators of levels.
    has_missing : bool
        Whether the last feature is the indicator of a missing cell.
    """

    start: int
    stop: int
    has_score: bool
    n_levels: int
    has_missing: bool

    @property
    def first_indicator(self):
        """The feature of the first level, or of a missing cell where there are no levels."""
        return self.start + self.has_score


@dataclass(frozen=True)
class TableLayout:
    r"""The way from the cells of a mixed table to features, and back.

    Every column has a block of features:

    - a number, date or duration has its score u, standardised, and, where `fit` saw missing cells, the indicator of a
      missing cell; u is 0 where the cell is missing;
    - a category or boolean has the indicators of its levels, of which a missing cell is one more where `fit` saw
      missing cells.

    Indicators are centred at their shares, and each block is scaled so that its total variance over the rows of `fit`
    is 1: the indicators of a category, d_l − p_l, are divided by the root of Σ p_l (1 − p_l); with a share m of missing
    cells u contributes 1 − m, and the indicator, (d − m) / √(1 − m), contributes m. So every column counts alike in the
    squared error, whatever its kind: summed over the block of a column and averaged over rows, the error is divided by
    what the best constant achieves. It is 1 − R² for numbers, and for categories one minus the Brier skill score [1]_,
    which is R² of the indicators. All F features of p columns are multiplied by √(F / p), so that the mean over
    features is the mean over columns, and the weights of a loss mean what they mean for numbers.

    A missing cell in a column that had none in `fit` has zeros for features: the mean.

    Attributes
    ----------
    columns : Columns
    scaling : {"standard", "none", "normal"}
        What u is: ``(x - shift) / scale`` with "standard", x itself with "none", both for tables of numbers without
        missing cells only; with "normal" the normal score of the column's :class:`Marginal`, standardised.
    shift, scale : ndarray of shape (p,), float64
        Of the numbers x or of their scores; of a category 0 and the root above.
    clip : bool
        Whether numbers and dates that come back are cut to the range that `fit` saw.
    handle_unknown : {"error", "ignore"}
        See :meth:`Columns.cells`.

    References
    ----------
    .. [1] G. W. Brier, "Verification of Forecasts Expressed in Terms of Probability", Monthly Weather Review 78, 1950.
    """

    columns: Columns
    scaling: str
    shift: np.ndarray
    scale: np.ndarray
    clip: bool = True
    handle_unknown: str = "error"

    image_shape = series = None
    has_columns = True

    @classmethod
    def fit(cls, estimator, X, *, standardize, why=UNSCALED):
        """Learn the layout of X for an estimator with `categorical_features`, `handle_unknown` and `clip`.

        Parameters
        ----------
        estimator : estimator
            Learns the number and the names of the columns.
        X : pandas or polars DataFrame, or array-like of shape (n, p) of numbers, strings or objects
        standardize : bool
            False takes numbers as they are; an error for other tables.
        why : tuple of str (what, instead)
            The parameter that has numbers taken as they are, and what to pass instead of it, for that error.

        Returns
        -------
        layout : TableLayout
        cells : ndarray of shape (n, p)
        """
        are_pixels = warn_of_pixels(as_table(X))
        columns, cells = learn_columns(estimator, X)
        columns.warn_of_names(cells)
        scaling = _scaling(columns, standardize, why)
        if scaling == "normal":
            shift, scale = _normal_moments(columns, cells)
        elif scaling == "standard":
            shift, scale = standardisation(cells, per_column=not are_pixels)
        else:
            shift, scale = np.zeros(len(columns)), np.ones(len(columns))
        return cls(columns, scaling, shift, scale, bool(estimator.clip), estimator.handle_unknown), cells

    @classmethod
    def of(cls, estimator):
        """Return the layout that a fitted estimator has learned, the same one as long as nothing of it changes."""
        scaling, shift, scale = estimator._table_in["scaling"], estimator.shift_, estimator.scale_
        parts = columns_of(estimator), scaling, shift, scale, bool(estimator.clip), estimator.handle_unknown
        found = estimator.__dict__.get("_layout")
        if found is None or any(getattr(found, each.name) is not part for each, part in zip(fields(cls), parts)):
            found = estimator._layout = cls(*parts)
        return found

    def attributes(self):
        """Return the fitted attributes, by name, that an estimator keeps the layout in."""
        dtype = self.columns.dtype
        return {
            "image_shape_": None,
            "series_shape_": None,
            "_channels_first": False,
            "_images_in": False,
            "_dtype_in": dtype if dtype.startswith("float") else "float64",
            "shift_": self.shift,
            "scale_": self.scale,
            "columns_": [to_json(column) for column in self.columns],
            "_table_in": {"frame": self.columns.frame, "dtype": dtype, "scaling": self.scaling},
        }

    def widened(self, cells):
        """Return no attributes: the columns keep the range that the first chunk had."""
        return {}

    @property
    def usual(self):
        """Root mean squares (p,) of the cells of numbers in `fit`; infinity for constant and for other columns."""
        return self.columns.usual

    def check(self, estimator, X):
        """Return the cells (n, p) of X, validated against what `fit` saw."""
        cells = check_cells(estimator, X, self.columns)
        warn_of_cells(cells, self.columns, estimator)
        return cells

    @property
    def frame(self):
        """What `fit` saw the table as: "pandas", "polars", or None for arrays."""
        return self.columns.frame

    def framed(self, X, like=None):
        """Return X as it is: a prior of rows has seen the table that `fit` saw."""
        return X

    @property
    def is_mixed(self):
        """Whether the table holds anything but numbers without missing cells."""
        return not is_numeric(self.columns)

    @property
    def row_shape(self):
        """Shape of a row for the network: (F,), the number of features."""
        return (self.blocks[-1].stop,)

    def rows(self, X, device):
        """Return the Rows of features of validated cells."""
        return TableRows(X, self, device=device)

    def restore(self, pieces, n_rows):
        """Return features as a table like the one that `fit` saw.

        Parameters
        ----------
        pieces : iterable of (start, rows)
            `rows` is an ndarray (b, F) of float64: the features of the rows from `start` on.
        n_rows : int
            Number of rows in all.
        """
        cells = np.empty((n_rows, len(self.columns)))
        for start, rows in pieces:
            cells[start : start + len(rows)] = self.cells_of(rows)
        return self.columns.restore(cells)

    def features(self, cells):
        """Return the features, float64 (b, F), of cells (b, p)."""
        if self.scaling != "normal":
            rows = np.subtract(cells, self.shift, dtype=np.float64)
            rows /= self.scale
            absent = np.isnan(rows)
            rows[absent] = 0.0
            return rows
        features = np.repeat(self.base[None], len(cells), axis=0)
        missing = np.isnan(cells)
        self._put_scores(features, cells, missing)
        self._put_indicators(features, cells, missing)
        return features

    def cells_of(self, features):
        """Return the cells, float64 (b, p) with NaN for missing ones, that features (b, F) are nearest to.

        A category is the level with the largest indicator, a number is missing where its indicator is nearer to 1 than
        to 0.
        """
        cells = np.empty((len(features), len(self.columns)))
        scores = self._scores_of(features)
        for index, (column, block) in enumerate(zip(self.columns, self.blocks)):
            indicators = slice(block.first_indicator, block.stop)
            found = (features[:, indicators] - self.base[indicators]) / self.gain[indicators]
            if not block.has_score:
                cells[:, index] = found.argmax(axis=1)
            elif self.scaling == "normal":
                cells[:, index] = column.marginal.from_normal(scores[:, index], clip=self.clip)
            else:
                cells[:, index] = column.marginal.snap(scores[:, index], clip=self.clip)
            if block.has_missing:
                absent = found[:, 0] > 0.5 if block.has_score else cells[:, index] == block.n_levels
                cells[absent, index] = np.nan
        return cells

    def _scores_of(self, features):
        """Return the scores u (b, p), not standardised, of features; of categories anything."""
        first = features[:, [block.start for block in self.blocks]]
        return first / self.factor * self.scale + self.shift

    def _put_scores(self, features, cells, missing):
        """Put the standardised scores of numbers into features, 0 for missing ones."""
        numeric, at, low, high, marginals, shift, scale = self._scoring
        values = cells.T[numeric].astype(np.float64, copy=False)  # (columns, b)
        absent = missing.T[numeric]
        scores = np.empty(values.shape)
        for position, marginal in enumerate(marginals):
            values[position] = self.columns[numeric[position]].settled(values[position])
            scores[position] = marginal.share_below(values[position])
        ndtri(scores, out=scores)
        for position in np.flatnonzero(((values < low) | (values > high)).any(axis=1)):
            scores[position] = marginals[position].to_normal(values[position])
        scores -= shift
        scores *= scale
        scores[absent] = 0.0
        features[:, at] = scores.T

    def _put_indicators(self, features, cells, missing):
        """Add to the indicators, all of them at 0 so far, what makes those of the present levels 1."""
        marked = self._marked  # columns with indicators
        levels = np.where(missing, self._n_levels, cells)[:, marked]
        shown = ~self._is_score[marked] | missing[:, marked]
        shown &= ~missing[:, marked] | self._has_missing[marked]
        row, position = np.nonzero(shown)
        at = self._first_indicator[marked][position] + levels[row, position].astype(np.int64)
        features[row, at] += self.gain[at]
        lost = missing & ~self._has_missing & ~self._is_score  # of columns that had no missing cell in fit
        for row, index in zip(*np.nonzero(lost)):
            features[row, self.blocks[index].start : self.blocks[index].stop] = 0.0

    @functools.cached_property
    def blocks(self):
        """The blocks of features, one for each column."""
        return blocks_of(self.columns)

    @functools.cached_property
    def factor(self):
        """√(F / p)."""
        return float(np.sqrt(self.row_shape[0] / len(self.columns)))

    @functools.cached_property
    def _indicators(self):
        base, gain = np.zeros(self.row_shape), np.ones(self.row_shape)
        for column, block, scale in zip(self.columns, self.blocks, self.scale):
            shares = np.array([*column.frequencies] + [column.missing] * block.has_missing)
            if block.has_score:
                varies = column.std > 0
                scale = np.sqrt(1 - column.missing) if varies else np.sqrt(column.missing * (1 - column.missing))
            if len(shares):
                gain[block.first_indicator : block.stop] = self.factor / scale
                base[block.first_indicator : block.stop] = -shares * self.factor / scale
        return base, gain

    @property
    def base(self):
        """Features where u and all indicators are 0: ndarray (F,)."""
        return self._indicators[0]

    @property
    def gain(self):
        """By how much a feature rises as its indicator rises from 0 to 1: ndarray (F,)."""
        return self._indicators[1]

    @functools.cached_property
    def _scoring(self):
        """All that scores are computed from: of each column with one, in turn, or as arrays (columns, 1)."""
        numeric = np.flatnonzero(self._is_score)
        marginals = [self.columns[index].marginal for index in numeric]
        at = np.array([self.blocks[index].start for index in numeric], dtype=np.int64)
        low, high = (np.array([getattr(each, end) for each in marginals])[:, None] for end in ("low", "high"))
        shift, scale = self.shift[numeric, None], self.factor / self.scale[numeric, None]
        return numeric, at, low, high, marginals, shift, scale

    @functools.cached_property
    def _marked(self):
        found = [index for index, block in enumerate(self.blocks) if block.stop > block.first_indicator]
        return np.array(found, dtype=np.int64)

    @functools.cached_property
    def _is_score(self):
        return np.array([block.has_score for block in self.blocks])

    @functools.cached_property
    def _has_missing(self):
        return np.array([block.has_missing for block in self.blocks])

    @functools.cached_property
    def _n_levels(self):
        return np.array([float(block.n_levels) for block in self.blocks])

    @functools.cached_property
    def _first_indicator(self):
        return np.array([block.first_indicator for block in self.blocks])


class TableRows(Rows):
    """Rows of a mixed table as features, a batch at a time, from its cells.

    Parameters
    ----------
    X : ndarray of shape (n, p)
        Cells.
    layout : TableLayout
    device : torch.device or str, default="cpu"
    subset : ndarray of int, default=None
        The rows of X that this object stands for; all of them if None.
    source : OnDevice, default=None
        The features of the same cells on this device.
    """

    def __init__(self, X, layout, *, device="cpu", subset=None, source=None):
        self.layout = layout
        units = {"shift": layout.shift, "scale": layout.scale} if layout.scaling != "normal" else {}
        super().__init__(X, shape=layout.row_shape, device=device, subset=subset, source=source, **units)

    def _open_source(self):
        return OnDevice(self.X, self.device, prepare=self._features)

    def _features(self, cells):
        return torch.from_numpy(self.layout.features(cells)).to(self.dtype).numpy()

    def _of(self, subset):
        return TableRows(self.X, self.layout, device=self.device, subset=subset, source=self.source)

    def _batch(self, indices):
        return torch.from_numpy(self._features(self.X[indices])).to(self.device)

    def _batch_there(self, rows):
        return rows


def blocks_of(columns):
    """Return the Block of each column: a tuple."""
    blocks, start = [], 0
    for column in columns:
        has_score, n_levels, has_missing = not column.is_discrete, len(column.levels), column.missing > 0
        stop = start + has_score + n_levels + has_missing
        blocks.append(Block(start, stop, has_score, n_levels, has_missing))
        start = stop
    return tuple(blocks)


def learn_columns(estimator, X):
    """Return the Columns and the cells of the X of `fit`; the estimator learns the number and names of the columns."""
    X = as_table(X)
    validate_data(estimator, X, skip_check_array=True)
    return Columns.fit(X, estimator.categorical_features)


def columns_of(estimator):
    """Return the Columns that a fitted estimator has learned, built again where they are not at hand."""
    found = estimator.__dict__.get("_table")
    if found is None or found[0] is not estimator.columns_:
        found = estimator._table = estimator.columns_, Columns.read(estimator.columns_, estimator._table_in)
    return found[1]


def check_cells(estimator, X, columns):
    """Return the cells (n, p) of X, validated against the Columns that `fit` saw; those of all chunks of X together."""
    if gives_chunks(X):
        return np.concatenate([check_cells(estimator, chunk, columns) for chunk in chunks_of(X)])
    X = as_table(X)
    validate_data(estimator, warn_of_unknown_names(estimator, X), skip_check_array=True, reset=False)
    return columns.cells(X, estimator.handle_unknown)


def as_table(X):
    """Return X as a frame or an ndarray of two dimensions, of numbers, strings or objects."""
    X = as_array(X)
    if frame_of(X) is not None:
        return X
    if sparse.issparse(X):
        raise TypeError("Sparse data was passed, but sparse input is not supported here; pass X.toarray()")
    if isinstance(X, np.matrix):
        raise TypeError("X is a matrix of numpy, which is not supported; pass np.asarray(X)")
    if isinstance(X, (list, tuple)) and X and getattr(X[0], "ndim", 0) > 1:
        refuse_images_of_unequal_sizes(X)
    if not isinstance(X, np.ndarray):
        array = np.asarray(X)
        X = np.asarray(X, dtype=object) if array.dtype.kind in "US" else array
    if X.ndim != 2:
        images = "; pass images to a VQVAETransformer, or their pixels as columns" if X.ndim > 2 else ""
        raise ValueError(
            f"Expected 2D array, got {X.ndim}D array instead. Reshape your data: X has shape {X.shape}{images}"
        )
    if X.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: X has dtype {X.dtype}")
    if X.dtype.kind not in "biufOUS":
        raise TypeError(
            f"X has dtype {X.dtype}; it must be of numbers, strings or objects. Pass others in a frame, "
            "pandas.DataFrame(X)"
        )
    return X


def is_numeric(columns):
    """Return whether all columns are numbers without missing cells."""
    return all(column.kind in NUMERIC and column.missing == 0 for column in columns)


def _scaling(columns, standardize, why):
    if is_numeric(columns):
        return "standard" if standardize else "none"
    if standardize:
        return "normal"
    index = next(i for i, column in enumerate(columns) if column.kind not in NUMERIC or column.missing > 0)
    column = columns[index]
    found = f"is of kind {column.kind}" if column.kind not in NUMERIC else "has missing cells"
    raise ValueError(
        f"{why[0]} takes values as they are, but {call(column.name, index)} {found}; pass {why[1]} for tables that "
        "hold more than numbers"
    )


def _normal_moments(columns, cells):
    """Return shift and scale (p,): mean and standard deviation of the normal scores of numbers, 1 if constant."""
    shift, scale = np.zeros(len(columns)), np.ones(len(columns))
    for index, column in enumerate(columns):
        if column.is_discrete:
            shares = np.array([*column.frequencies, column.missing])
            spread = np.sqrt(shares @ (1 - shares))
        else:
            values = cells[:, index]
            seen = column.settled(np.asarray(values[~np.isnan(values)], dtype=np.float64))
            scores = column.marginal.to_normal(seen)
            shift[index], spread = scores.mean(), scores.std()
        scale[index] = spread if spread > 1e-12 else 1.0
    return shift, scale

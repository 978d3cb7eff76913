"""Rows in other units than those of `fit`: their sizes beside those of `fit`, and the warning."""

import numpy as np
from scipy import sparse

from .._warnings import warn_user
from ..training.batches import evenly_spaced
from .layout import BYTE_RANGE, CHUNK_VALUES, FACTOR, MEASURED_ROWS, largest_of_rows

# Rows of X from which on other units are looked for, within wide limits and within narrow ones, and values of a row
# from which on it may hold pixels.
FEWEST_ROWS, FEWEST_FOR_NARROW, FEWEST_PIXELS = 5, 10, 16
# Narrow limits: three rows of four are this many times larger or smaller than nearly all of `fit`, and three columns
# of four are this many times larger or smaller than is usual for them. Train/test splits, halves and slices sorted by a
# column, and rows of another class stay within; tables and series times 10 or 0.1 do not.
ROWS_BEYOND, COLUMNS_BEYOND = 1.5, 3.0
USUAL_SIZES, MOST_ROWS = (0.05, 0.99), (0.25, 0.75)
# Of a table with one column: the quantiles of `fit` that are kept; the least share of each sign in X where it may have
# both, and how far beyond these ends half of it is then; how far beyond them three quarters of a column of one sign
# are; and how far these ends may be apart for small values to mean anything.
ENDS, LEAST_OF_A_SIGN, BEYOND_BOTH, BEYOND_ONE, MOST_APART = (0.01, 0.99), 0.1, 2.0, 10.0, 4.0
# Three cells of four of one column are so many times its root mean square in `fit`, of whose cells one in a hundred at
# most can be.
COLUMN_BEYOND = 10.0
# Images from which on they are told at this many times the values of `fit`, or that part of them.
FEWEST_IMAGES, IMAGES_FACTOR = 30, 10.0


def _roots(X, weights):
    """Yield chunks of the measured rows as roots of their absolute values, weighted; 0 for missing cells."""
    chosen = evenly_spaced(X.shape[0], MEASURED_ROWS)
    if sparse.issparse(X):
        some = abs(X[chosen]).astype(np.float64)
        some.data = np.sqrt(some.data) * weights[some.indices]
        some.eliminate_zeros()
        yield some
        return
    step = max(1, CHUNK_VALUES // X.shape[1])
    for start in range(0, len(chosen), step):
        some = X[chosen[start : start + step]].astype(np.float64)
        yield np.nan_to_num(np.sqrt(np.abs(some, out=some), out=some), copy=False) * weights


def sizes(X, usual):
    """Return how large rows and columns are beside what is usual for their columns.

    The size of several values x is the square of the mean of √(|x| / usual). Values of 0, which are 0 in any units, are
    left out, and of each row the largest one: an outlier in a single column says nothing about the units.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, n_features)
        Up to 1,000 rows of it are looked at.
    usual : ndarray of shape (n_features,)
        Root mean squares; infinity for columns that do not count.

    Returns
    -------
    rows, columns : ndarray, float64
        Of those rows that have two values, and of those columns that have one.

    Examples
    --------
    >>> sizes(np.array([[4.0, 10.0, 90.0], [1.0, 0.0, 0.0]]), np.array([1.0, 10.0, 10.0]))
    (array([2.25]), array([2.25, 1.  , 9.  ]))
    """
    weights, rows = 1 / np.sqrt(usual), []
    totals, counts = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for roots in _roots(X, weights):
        filled = roots != 0
        total, largest, n = (np.asarray(part).ravel() for part in (roots.sum(1), _largest(roots), filled.sum(1)))
        several = n > 1
        rows.append((total - largest)[several] / (n - 1)[several])
        totals += np.asarray(roots.sum(0)).ravel()
        counts += np.asarray(filled.sum(0)).ravel()
    return np.square(np.concatenate(rows)), np.square(totals[counts > 0] / counts[counts > 0])


def _largest(roots):
    return roots.max(1).toarray() if sparse.issparse(roots) else roots.max(1, initial=0.0)


def usual_sizes(X, usual):
    """Return between which sizes nearly all rows of `fit` are, a pair of float; () where no row has a size.

    A row of one value has no size; of a table with one column it is between which values nearly all of them are.
    """
    found, shares = (_one_column(X, usual), ENDS) if X.shape[1] == 1 else (sizes(X, usual)[0], USUAL_SIZES)
    return tuple(np.quantile(found, shares).tolist()) if len(found) else ()


def _one_column(X, usual):
    """Return up to 1,000 values of a table with one column, divided by what is usual, without 0 and missing cells."""
    some = X[evenly_spaced(X.shape[0], MEASURED_ROWS)]
    values = (some.toarray() if sparse.issparse(some) else some).astype(np.float64).ravel() / usual
    return values[~np.isnan(values) & (values != 0)]


def _is_beyond_one_column(X, fitted, usual):
    """Return whether a table with one column has values far beyond those of `fit`.

    Ten rows of one end of a skewed column are beyond the other half of it by any factor. But units change no sign, and
    no slice of a sorted column has both signs and large values. So columns of both signs are told at ten times their
    values, and those of one sign at about as many where they are alike, at fifty times and more where they are far
    apart.
    """
    values, (low, high) = _one_column(X, usual), fitted[2:4]
    if len(values) < FEWEST_FOR_NARROW:
        return False
    found = np.abs(values)
    if low < 0 < high:
        has_both = LEAST_OF_A_SIGN <= (values < 0).mean() <= 1 - LEAST_OF_A_SIGN
        return has_both and np.median(found) > max(-low, high) * BEYOND_BOTH
    near, far = sorted((abs(low), abs(high)))
    if (np.sign(values) != np.sign(low + high)).any():
        return False
    smaller, larger = np.quantile(found, MOST_ROWS)
    is_large = smaller > max(BEYOND_ONE, far / near) * far
    return is_large or (far < MOST_APART * near and larger * BEYOND_ONE < near)


def _is_far(largest, fitted, usual):
    """Return whether the largest values of rows are all beyond the wide limits, in the same direction."""
    if not len(largest):
        return False
    factor = IMAGES_FACTOR if usual is None and len(largest) >= FEWEST_IMAGES else FACTOR
    return fitted[0] / factor > largest.max() or largest.min() / factor > fitted[1]


def _is_beyond(X, fitted, usual):
    """Return whether most rows and columns of X are beyond the narrow limits, all of them in the same direction."""
    if usual is None or len(fitted) < 4 or X.shape[0] < FEWEST_FOR_NARROW:
        return False
    rows, columns = sizes(X, usual)
    if len(rows) < FEWEST_FOR_NARROW:
        return False
    (small_rows, large_rows), (small, large) = (np.quantile(part, MOST_ROWS) for part in (rows, columns))
    is_large = small_rows > fitted[3] * ROWS_BEYOND and small > COLUMNS_BEYOND
    return is_large or (large_rows * ROWS_BEYOND < fitted[2] and large * COLUMNS_BEYOND < 1)


def _column_beyond(X, usual):
    """Return the first column of a table whose cells are far beyond those of `fit`, None if there is none.

    Examples
    --------
    >>> X = np.array([[1.0, 30.0]] * 10)
    >>> _column_beyond(X, np.array([1.0, 2.0])), _column_beyond(X, np.array([1.0, 4.0]))
    (1, None)
    """
    if sparse.issparse(X) or X.shape[0] < FEWEST_FOR_NARROW:
        return None
    chosen, step = evenly_spaced(X.shape[0], MEASURED_ROWS), max(1, CHUNK_VALUES // X.shape[1])
    counts, beyond = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for start in range(0, len(chosen), step):
        some = np.abs(X[chosen[start : start + step]].astype(np.float64))
        counts += (~np.isnan(some)).sum(axis=0)
        beyond += (some > COLUMN_BEYOND * usual).sum(axis=0)
    found = np.flatnonzero((counts >= FEWEST_FOR_NARROW) & (beyond >= MOST_ROWS[1] * counts))
    return int(found[0]) if len(found) else None


def _warn_of_a_column(X, usual, names):
    column = _column_beyond(X, usual)
    if column is None:
        return
    named = len(names) and names[column] is not None
    name = f"column {str(names[column])!r}" if named else f"column {column}"
    median = float(np.nanmedian(np.abs(X[:, column].astype(np.float64))))
    warn_user(
        f"{name} of X holds values around {median:.3g}, but those that fit saw were around {usual[column]:.3g}: values "
        "in other units mean something else to the model. Bring it to the units of the X of fit"
    )


def warn_of_other_units(X, fitted, usual=None, names=None, *, whole=None):
    """Warn where the rows of X are out of all proportion to those of `fit`.

    That is where even the largest value of X is less than a fiftieth of the largest of a nearly empty row of `fit`, or
    where even the row with the smallest values has one that is more than fifty times as large as all of `fit`. Rows of
    zeros are in any units, and a few rows may be as small or as large by chance. Of ten rows or more of a table or of
    series the limits are narrower: most rows beyond nearly all of `fit`, in most columns. So they are for thirty images
    or more, a factor of ten in place of fifty. A single column of a table, of ten rows or more, is told by its name
    where most of its cells are ten times as large as usual.

    A table with one column tells less, since its rows may be the end of a skewed column. Of ten rows or more, values of
    both signs are told at ten times those of `fit`. So are values of one sign that are alike, such as temperatures in
    kelvin, in either direction; where they are far apart it takes fifty times and more. Smaller values of other columns
    are not told: values near 0 occur in any units.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, n_features)
    fitted : tuple of float, or None
        What :func:`~skvq.core.layout.magnitude_of` returned for the X of `fit`; None where nobody knows.
    usual : ndarray of shape (n_features,), default=None
        Root mean squares of the columns in `fit`, infinity for those that do not count; None for images.
    names : sequence of str or None, default=None
        Of the columns of a table, empty or of None for those without; None for images and series, whose columns are not
        told one by one.
    whole : ndarray of shape (n,), bool, default=None
        The rows that have as many values as those of `fit`: the largest values of others say nothing. None for all.
    """
    if fitted is None or fitted[1] == 0 or X.shape[0] < FEWEST_ROWS or (usual is not None and np.isinf(usual).all()):
        return
    largest = largest_of_rows(X, usual)
    if not len(largest):
        return
    found = float(largest.max())
    if usual is not None and X.shape[1] == 1 and len(fitted) == 4:
        is_beyond = _is_beyond_one_column(X, fitted, usual)
    else:
        if whole is not None:
            largest = largest_of_rows(X[whole], usual) if whole.sum() >= FEWEST_ROWS else largest[:0]
        is_beyond = _is_far(largest, fitted, usual) or _is_beyond(X, fitted, usual)
        if not is_beyond and names is not None and usual is not None:
            _warn_of_a_column(X, usual, names)
    if not is_beyond:
        return
    small = found < fitted[1]
    is_byte = 0.5 < (fitted[1] / found if small else found / fitted[1]) / BYTE_RANGE < 2.0
    is_byte &= X.shape[1] >= FEWEST_PIXELS
    example = f" (if these are pixels, {'multiply' if small else 'divide'} them by 255)" if is_byte else ""
    warn_user(
        f"X holds values up to {found:.3g}, but those that fit saw are up to {fitted[1]:.3g}: rows in other units mean "
        f"something else to the model. Bring X to the units of the X of fit{example}"
    )


def warn_of_rows(X, layout, estimator):
    """Warn as :func:`warn_of_other_units` does of rows X that go with the RowLayout of a fitted estimator."""
    is_table = layout.image_shape is None and layout.series is None
    names = getattr(estimator, "feature_names_in_", ()) if is_table else None
    warn_of_other_units(X, getattr(estimator, "_magnitude_in", None), layout.usual, names)


def warn_of_cells(cells, columns, estimator, *, with_holes=False):
    """Warn as :func:`warn_of_other_units` does of cells (n, p) of the Columns of a fitted estimator.

    With `with_holes` cells are missing that are to be filled in, whether `fit` saw such rows or not.
    """
    usual = columns.usual
    whole = ~np.isnan(cells[:, np.isfinite(usual)]).any(axis=1) if with_holes else None
    warn_of_other_units(cells, getattr(estimator, "_magnitude_in", None), usual, columns.names, whole=whole)

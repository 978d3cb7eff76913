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
    """Return between which sizes nearly all rows of `fit` are, a pair of float; () where no row has a size."""
    rows, _ = sizes(X, usual)
    return tuple(np.quantile(rows, USUAL_SIZES).tolist()) if len(rows) else ()


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


def warn_of_other_units(X, fitted, usual=None):
    """Warn where the rows of X are out of all proportion to those of `fit`.

    That is where even the largest value of X is less than a fiftieth of the largest of a nearly empty row of `fit`, or
    where even the row with the smallest values has one that is more than fifty times as large as all of `fit`. Rows of
    zeros are in any units, and a few rows may be as small or as large by chance. Of ten rows or more of a table or of
    series the limits are narrower: most rows beyond nearly all of `fit`, in most columns.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, n_features)
    fitted : tuple of float, or None
        What :func:`~skvq.core.layout.magnitude_of` returned for the X of `fit`; None where nobody knows.
    usual : ndarray of shape (n_features,), default=None
        Root mean squares of the columns in `fit`; None for images, for which the limits are wide.
    """
    if fitted is None or fitted[1] == 0 or X.shape[0] < FEWEST_ROWS:
        return
    largest = largest_of_rows(X)
    filled = largest[largest > 0]
    if not len(filled):
        return
    found = float(filled.max())
    if fitted[0] / FACTOR <= found and filled.min() / FACTOR <= fitted[1] and not _is_beyond(X, fitted, usual):
        return
    small = found < fitted[1]
    is_byte = 0.5 < (fitted[1] / found if small else found / fitted[1]) / BYTE_RANGE < 2.0
    is_byte &= X.shape[1] >= FEWEST_PIXELS
    example = f" (if these are pixels, {'multiply' if small else 'divide'} them by 255)" if is_byte else ""
    warn_user(
        f"X holds values up to {found:.3g}, but those that fit saw are up to {fitted[1]:.3g}: rows in other units mean "
        f"something else to the model. Bring X to the units of the X of fit{example}"
    )

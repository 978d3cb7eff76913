"""The internal standardisation: what is subtracted and divided out before a network sees X."""

import numpy as np
from scipy import sparse
from sklearn.utils.sparsefuncs import mean_variance_axis

# Rows that are looked at together; bounds the extra memory to a few MB.
CHUNK_VALUES = 500_000


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


def standardisation(X, *, per_column):
    """Return the shift and scale under which X has mean 0 and variance 1.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_rows, n_columns)
    per_column : bool
        Each column by its own mean and standard deviation (a table), or all by one (an image).

    Returns
    -------
    shift, scale : ndarray of shape (n_columns,), float64
        The scale of what does not vary, beyond rounding, is 1.

    Raises
    ------
    ValueError
        If the variance overflows.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # refused below
        mean, variance = column_moments(X)
    if not per_column:
        overall = mean.mean()
        variance = np.full_like(variance, (variance + np.square(mean - overall)).mean())
        mean = np.full_like(mean, overall)
    if not (np.isfinite(mean).all() and np.isfinite(variance).all()):
        raise ValueError("X holds values so large that its variance overflows float64; rescale it")
    varies = variance > np.square(10 * np.finfo(np.float64).eps * np.abs(mean))
    scale = np.ones_like(mean)
    scale[varies] = np.sqrt(variance[varies])
    return mean, scale

"""Say which column of X, of a scale that no network reaches, makes a predictor useless: time stamps above all."""

import numpy as np
from scipy import sparse

from .._warnings import warn_user
from .targets import LEAST_EXPLAINED

# Values beyond this, and weights that start for values near 1, make outputs that training does not undo. Populations
# and incomes, whose networks do learn, are below.
LARGEST_VALUE = 1e5


def largest_values(X):
    """Return the largest size of a value in every column of X, ndarray or CSR matrix (n, p): float64 (p,)."""
    if sparse.issparse(X):
        return np.asarray(abs(X).max(axis=0).todense(), dtype=np.float64).ravel()
    return np.maximum(X.max(axis=0).astype(np.float64), -X.min(axis=0).astype(np.float64))


def warn_of_columns(X, names, explained, estimator):
    """Warn of a column of values beyond those that a network learns from, where it has learned little.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, p)
    names : ndarray of str or None
        Of the columns.
    explained : callable
        Returns which share of the targets of the training rows the network explains; called for such columns only.
    estimator : str
        Name of the class.
    """
    if X.dtype.kind not in "iuf" or X.dtype.itemsize < 4:
        return
    sizes = largest_values(X)
    column = int(sizes.argmax())
    if sizes[column] <= LARGEST_VALUE or (share := explained()) >= LEAST_EXPLAINED:
        return
    called = f"column {column} of X" if names is None else f'column "{names[column]}" of X'
    warn_user(
        f"{called} holds values up to {sizes[column]:.3g}, and the network explains little of y: of what can be "
        f"explained on the training rows it explains {share:.3g}, where 1 is all and 0 none. "
        "The first weights are meant for values near 1. Scale X: "
        f"make_pipeline(StandardScaler(), {estimator}()). Of dates take a duration, such as (date - first) / "
        "numpy.timedelta64(365, 'D'), or the features of a VQVAETransformer, which takes tables with dates"
    )

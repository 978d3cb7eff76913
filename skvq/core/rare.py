"""The weight of columns of numbers that hardly ever differ from one value, such as pixels at the rim of images."""

import numpy as np
from scipy import sparse

from ..training.batches import evenly_spaced

# Share of the rows that differ from the most frequent value of a column, below which the column weighs less. A 50th was
# compared with none, a 100th, a 20th and a 10th on digits as they are and moved about, and on ten columns that are 0 in
# 997 of 1,000 rows: what all rows leave in their own units falls with each of these, and from a 20th on codes of the
# common columns of mixed numbers change.
RARE = 0.005
# Rows whose median is the most frequent value, if more than half of all rows have one; and values of one look.
ROWS, CHUNK_VALUES = 1_001, 2**18


def rare_factor(X):
    """Return what the standard deviation of each column is multiplied by, so that rare values weigh less.

    Where a share q < `RARE` of the rows differs from the most frequent value of a column, a row that does lies 1/√q
    standard deviations away, and the squared error of a few rows outweighs that of all others. The factor is
    √(`RARE` / q) for such columns, so that the weight of the column is q / `RARE` in place of 1, and 1 for all others.

    Parameters
    ----------
    X : ndarray, CSR matrix or StoredRows of shape (n_rows, n_columns)

    Returns
    -------
    factor : ndarray of shape (n_columns,), float64

    Examples
    --------
    >>> import numpy as np
    >>> flags = np.zeros((800, 2))
    >>> flags[:1, 0] = flags[:40, 1] = 1
    >>> rare_factor(flags).tolist()
    [2.0, 1.0]
    """
    n_rows, n_columns = X.shape
    if sparse.issparse(X):  # whose most frequent value is 0
        differ = np.bincount(X.indices[X.data != 0], minlength=n_columns)
    else:
        usual = np.median(np.asarray(X[evenly_spaced(n_rows, ROWS)]), axis=0)
        differ = np.zeros(n_columns)
        for start in range(0, n_rows, step := max(1, CHUNK_VALUES // n_columns)):
            differ += (X[start : start + step] != usual).sum(axis=0)
    share = differ / n_rows
    return np.sqrt(RARE / np.where((share > 0) & (share < RARE), share, RARE))

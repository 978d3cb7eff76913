"""Measures of codes, and of rows that a model has drawn.

For codes, the argument `codebooks` says which of them belong to one codebook. It holds the number of the codebook of
each position, in any form that broadcasts over the shape of one sample. For codes (n_samples, ...):

=============================  =============================================================
codes                          codebooks
=============================  =============================================================
any shape, one codebook        None (the default)
(n, m), one per position       ``range(m)``
(n, h, w, s), one per stage    ``range(s)``, as the stages are the last axis
(n, h * w * s), one per stage  ``np.tile(range(s), h * w)``
(n, m, s), all of their own    ``np.arange(m * s).reshape(m, s)``
(n, m1 + m2), two levels       ``np.repeat([0, 1], [m1, m2])``
=============================  =============================================================

Every measure counts over the codes that are passed. Pass the codes of all rows: a batch uses fewer codes than they do.

Drawn rows are compared with real ones by three measures: :func:`two_sample_auc` (are they alike),
:func:`train_on_synthetic` (are they of use) and :func:`nearest_row_share` (are they copies). These take arrays, and
pandas and polars frames with columns of any kind and missing cells.
"""

from .codes import bits_per_dim, bits_per_position, bits_per_row, code_counts, codebook_usage, perplexity
from .rows import nearest_row_share, train_on_synthetic, two_sample_auc

__all__ = [
    "bits_per_dim",
    "bits_per_position",
    "bits_per_row",
    "code_counts",
    "codebook_usage",
    "nearest_row_share",
    "perplexity",
    "train_on_synthetic",
    "two_sample_auc",
]

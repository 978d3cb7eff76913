"""What the "auto" of a causal transformer's parameters stands for, and how many grids go through it together."""

import math

from ..core.estimator import ROW_BLOCK, Automatic
from .defaults import BATCH_VALUES, MANY_ROWS, SAMPLE_BATCH, SCORE_BATCH


def automatic_dropout(n_rows):
    """Return the dropout that "auto" stands for: 0.3 while rows are few, none once there are many.

    Examples
    --------
    >>> automatic_dropout(1_000), automatic_dropout(60_000)
    (0.3, 0.0)
    """
    return 0.3 if n_rows < MANY_ROWS else 0.0


def automatic_training(n_rows):
    """Return what "auto" stands for: few rows get 20 to 60 epochs, many 300,000 rows in all, but two epochs at least.

    Examples
    --------
    >>> [automatic_training(n).max_iter for n in (100, 1_000, 5_000, 60_000, 1_000_000)]
    [60, 30, 20, 5, 2]
    """
    few = n_rows < MANY_ROWS
    return Automatic(
        max_iter=min(60, max(20, 30_000 // n_rows)) if few else max(2, 300_000 // n_rows),
        batch_size=32 if n_rows < 500 else 64,
        learning_rate_init=4e-3 if few else 6e-3,
        bfloat16_pays=False,
    )


def grids_per_sample(architecture):
    """Return how many grids are sampled together: their logits, keys and values are bounded.

    Examples
    --------
    >>> sizes = {"d_model": 64, "n_layers": 2, "n_codes": 256}
    >>> grids_per_sample(sizes | {"grid_shape": [7, 7]}), grids_per_sample(sizes | {"grid_shape": [28, 28]})
    (1024, 166)
    """
    cached = 2 * math.prod(architecture["grid_shape"]) * architecture["n_layers"] * architecture["d_model"]
    return max(1, min(SAMPLE_BATCH, BATCH_VALUES // (4 * architecture["n_codes"] + cached)))


def grids_per_score(architecture):
    """Return how many grids are scored together, a multiple of ROW_BLOCK: their logits and features are bounded.

    Examples
    --------
    >>> sizes = {"d_model": 64, "n_layers": 2, "n_codes": 256}
    >>> grids_per_score(sizes | {"grid_shape": [7, 7]}), grids_per_score(sizes | {"grid_shape": [28, 28]})
    (512, 32)
    """
    values = math.prod(architecture["grid_shape"]) * (2 * architecture["n_codes"] + 8 * architecture["d_model"])
    return max(ROW_BLOCK, min(SCORE_BATCH, BATCH_VALUES // values // ROW_BLOCK * ROW_BLOCK))

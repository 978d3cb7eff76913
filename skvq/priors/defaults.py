"""What the parameters of a PixelCNN stand for, every "auto" among them, and how many grids go through it together."""

import math
import numbers

from ..core.estimator import ROW_BLOCK, Automatic, check_number, check_sizes, is_auto

# From this many rows on a PixelCNN underfits within its budget rather than overfits.
MANY_ROWS = 10_000
# Grids that are sampled or scored together; fewer where they would need more than so many floats at a time.
SAMPLE_BATCH, SCORE_BATCH, BATCH_VALUES = 1024, 512, 2**25


def check_network_sizes(estimator):
    """Raise TypeError or ValueError for a size of the network that is out of range."""
    check_number("channels", estimator.channels, numbers.Integral, low=1)
    check_number("n_layers", estimator.n_layers, numbers.Integral, low=0)
    if not check_sizes("dilations", estimator.dilations):
        raise ValueError(f"dilations={estimator.dilations!r} must be a positive integer or a sequence of such")
    check_number("kernel_size", estimator.kernel_size, numbers.Integral, low=1)
    if estimator.kernel_size % 2 == 0:
        raise ValueError(f"kernel_size={estimator.kernel_size} must be odd")


def network_sizes(estimator, n_rows):
    """Return the sizes of the network that an estimator's parameters ask for, as a JSON-able dict."""
    return {
        "channels": int(estimator.channels),
        "n_layers": int(estimator.n_layers),
        "kernel_size": int(estimator.kernel_size),
        "dilations": list(check_sizes("dilations", estimator.dilations)),
        "dropout": automatic_dropout(n_rows) if is_auto(estimator.dropout) else float(estimator.dropout),
    }


def automatic_dropout(n_rows):
    """Return the dropout that "auto" stands for: two fifths while rows are few, none once there are many.

    Examples
    --------
    >>> automatic_dropout(1_000), automatic_dropout(60_000)
    (0.4, 0.0)
    """
    return 0.4 if n_rows < MANY_ROWS else 0.0


def automatic_training(n_rows, grid_shape):
    """Return what "auto" stands for: few rows get 20 to 60 epochs, many 300,000 rows in all, but two epochs at least.

    Examples
    --------
    >>> [automatic_training(n, (7, 7)).max_iter for n in (100, 1_000, 5_000, 60_000, 1_000_000)]
    [60, 30, 20, 5, 2]
    """
    few = n_rows < MANY_ROWS
    return Automatic(
        max_iter=min(60, max(20, 30_000 // n_rows)) if few else max(2, 300_000 // n_rows),
        batch_size=32 if n_rows < 500 else 64,
        learning_rate_init=4e-3,
        bfloat16_pays=grid_shape[0] > 1 and not few,
    )


def grids_per_sample(architecture):
    """Return how many grids are sampled together: their logits, cached rows and windows of rows are bounded.

    Examples
    --------
    >>> sizes = {"grid_shape": [7, 7], "channels": 64, "n_layers": 2, "kernel_size": 3}
    >>> grids_per_sample(sizes | {"n_codes": 256}), grids_per_sample(sizes | {"n_codes": 65_536})
    (1024, 122)
    """
    window = architecture["kernel_size"] * (architecture["kernel_size"] // 2 + 1)
    cached = architecture["grid_shape"][1] * architecture["n_layers"] * architecture["channels"] * 2 * window
    return max(1, min(SAMPLE_BATCH, BATCH_VALUES // (4 * architecture["n_codes"] + cached)))


def grids_per_score(architecture):
    """Return how many grids are scored together, a multiple of ROW_BLOCK: their logits and features are bounded.

    Examples
    --------
    >>> sizes = {"channels": 64, "n_layers": 2, "n_codes": 256}
    >>> grids_per_score(sizes | {"grid_shape": [7, 7]}), grids_per_score(sizes | {"grid_shape": [28, 28]})
    (512, 32)
    """
    features = 3 * (architecture["n_layers"] + 1) * architecture["channels"]
    values = math.prod(architecture["grid_shape"]) * (2 * architecture["n_codes"] + features)
    return max(ROW_BLOCK, min(SCORE_BATCH, BATCH_VALUES // values // ROW_BLOCK * ROW_BLOCK))

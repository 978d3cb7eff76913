"""What the parameters of a VQ-VAE stand for: their ranges, and every "auto" for some rows."""

import math
import numbers
import warnings

from ._base import Automatic, check_choice, check_number, check_sizes, is_auto

IMAGE_CODE_DIM, TABLE_CODE_DIM = 32, 4
# Below this many training rows a network beside the linear path of a table overfits more than it learns.
ENOUGH_ROWS = 500
NETWORK_SIZES = (256, 256)


def check_parameters(estimator):
    """Raise TypeError or ValueError for a parameter of the autoencoder or its prior that is out of range."""
    if not is_auto(estimator.n_codes):
        check_number("n_codes", estimator.n_codes, numbers.Integral, low=1)
    if not is_auto(estimator.code_dim):
        check_number("code_dim", estimator.code_dim, numbers.Integral, low=1)
    check_choice("codebook_update", estimator.codebook_update, ("ema", "gradient"))
    check_number("codebook_weight", estimator.codebook_weight, low=0)
    check_number("commitment_weight", estimator.commitment_weight, low=0)
    if estimator.codebook_update == "ema" and estimator.codebook_weight != 1.0:
        warnings.warn(
            f"codebook_weight={estimator.codebook_weight} has no effect with codebook_update='ema', where the codebook "
            "is a running mean; pass codebook_update='gradient', or leave the weight at 1.0",
            UserWarning,
            stacklevel=3,
        )
    check_number("revival_threshold", estimator.revival_threshold, low=0, high=1, boundaries="left")
    check_number("ema_decay", estimator.ema_decay, low=0, high=1, boundaries="neither")
    if not is_auto(estimator.input_noise):
        check_number("input_noise", estimator.input_noise, low=0)
    if isinstance(estimator.prior, str):
        check_choice("prior", estimator.prior, ("pixelcnn",))
    elif estimator.prior is not None and not all(
        hasattr(estimator.prior, m) for m in ("fit", "sample", "score_samples")
    ):
        raise TypeError(
            f"prior={estimator.prior!r} must be 'pixelcnn', None, or an estimator with fit, sample, score_samples"
        )


def automatic_code_shape(row_shape):
    """Return the grid of codes for rows of `row_shape`, (H, W, C) or (n_features,).

    An image gets a cell for every s × s pixels, where s from 2 to 8 is the power of two that brings its shorter side
    nearest to 7 cells. A table gets one position for every four columns, from 2 to 16.

    Examples
    --------
    >>> automatic_code_shape((28, 28, 1)), automatic_code_shape((8, 8, 1)), automatic_code_shape((64, 96, 3))
    ((7, 7), (4, 4), (8, 12))
    >>> automatic_code_shape((13,)), automatic_code_shape((784,))
    ((4,), (16,))
    """
    if len(row_shape) == 1:
        n_features = row_shape[0]
        return (min(n_features, max(2, min(16, math.ceil(n_features / 4)))),)
    height, width, _ = row_shape
    stride = 2 ** max(1, min(3, round(math.log2(min(height, width) / 7))))
    return math.ceil(height / stride), math.ceil(width / stride)


def automatic_n_codes(n_vectors):
    """Return the number of codes for a codebook that learns from `n_vectors`: a power of two, from 2 to 256.

    Every code gets eight vectors to learn from, on average.

    Examples
    --------
    >>> [automatic_n_codes(n) for n in (30, 178, 1797, 100_000)]
    [2, 16, 128, 256]
    """
    return 2 ** max(1, min(8, int(math.log2(max(1, n_vectors / 8)))))


def automatic_training(row_shape, n_rows):
    """Return what "auto" stands for in the parameters of training.

    Images get 300,000 rows in all, in steps of 32, but no more than 20 epochs, unless these are fewer than 300 steps. A
    table gets 1,500 steps of 64 rows, from 10,000 rows on 4,000 steps of 256. Always at least one epoch.

    Examples
    --------
    >>> [automatic_training((28, 28, 1), n).max_iter for n in (30, 1_000, 60_000, 1_000_000)]
    [300, 20, 5, 1]
    >>> [automatic_training((20,), n).max_iter for n in (30, 178, 1_797, 10_000, 100_000, 10_000_000)]
    [1500, 500, 51, 100, 10, 1]
    """
    if len(row_shape) == 3:
        epochs = max(1, min(20, 300_000 // n_rows), round(300 / math.ceil(n_rows / 32)))
        return Automatic(epochs, 32, 2e-3, bfloat16_pays=True)
    n_steps, batch_size = (1_500, 64) if n_rows < 10_000 else (4_000, 256)
    return Automatic(
        max_iter=max(1, n_steps // math.ceil(n_rows / batch_size)),
        batch_size=batch_size,
        learning_rate_init=5e-3 if n_rows < ENOUGH_ROWS else 1e-3,
        bfloat16_pays=False,
    )


def stops_early(row_shape, n_rows):
    """Return what "auto" stands for in `early_stopping`: whether rows are held out to choose the weights by.

    Tables hold rows out where they have a network to restrain (from 500 rows on), images while they are so few (below
    20,000) that theirs can overfit.

    Examples
    --------
    >>> [stops_early((13,), n) for n in (178, 1_797)]
    [False, True]
    >>> [stops_early((28, 28, 1), n) for n in (5, 1_797, 60_000)]
    [False, True, False]
    """
    return 10 <= n_rows < 20_000 if len(row_shape) == 3 else n_rows >= ENOUGH_ROWS


def check_code_shape(code_shape, row_shape):
    """Return the parameter `code_shape` as a tuple that fits rows of `row_shape`: (h, w) for images, (m,) for tables.

    Raises
    ------
    ValueError
        If it has another length, or an image has fewer pixels than the grid has cells along a side.
    """
    accepted = "'auto' or (m,)" if len(row_shape) == 1 else "'auto' or (h, w)"
    shape = (code_shape,) if isinstance(code_shape, numbers.Integral) else code_shape
    valid = isinstance(shape, (tuple, list)) and all(isinstance(s, numbers.Integral) and s > 0 for s in shape)
    if not valid or len(shape) != (1 if len(row_shape) == 1 else 2):
        kind = "tables" if len(row_shape) == 1 else "images"
        raise ValueError(f"code_shape={code_shape!r} must be {accepted} with positive integers for {kind}")
    if len(row_shape) == 3 and (shape[0] > row_shape[0] or shape[1] > row_shape[1]):
        raise ValueError(f"code_shape={code_shape!r} has more cells than an image of {row_shape[:2]} has pixels")
    return tuple(int(s) for s in shape)


def plan(estimator, rows):
    """Return the architecture for an estimator's parameters and its training rows; every "auto" is decided here.

    Parameters
    ----------
    estimator : VQVAETransformer
    rows : Rows

    Returns
    -------
    dict
        JSON-able, for :func:`build_vqvae`.
    """
    code_shape, is_image = estimator.code_shape, len(rows.shape) == 3
    if is_auto(code_shape):
        code_shape = automatic_code_shape(rows.shape)
    code_shape = check_code_shape(code_shape, rows.shape)
    n_vectors = len(rows) * (math.prod(code_shape) if is_image else 1)
    code_dim = IMAGE_CODE_DIM if is_image else TABLE_CODE_DIM
    architecture = {
        "row_shape": list(rows.shape),
        "code_shape": list(code_shape),
        "code_dim": code_dim if is_auto(estimator.code_dim) else int(estimator.code_dim),
        "n_codes": automatic_n_codes(n_vectors) if is_auto(estimator.n_codes) else int(estimator.n_codes),
        "codebook_update": estimator.codebook_update,
        "ema_decay": float(estimator.ema_decay),
        "revival_threshold": float(estimator.revival_threshold),
    }
    if is_image:
        return architecture | {"channels": int(estimator.channels), "n_blocks": int(estimator.n_blocks)}
    sizes = estimator.hidden_layer_sizes
    if is_auto(sizes):
        sizes = NETWORK_SIZES if len(rows) >= ENOUGH_ROWS else ()
    return architecture | {"hidden_layer_sizes": list(check_sizes("hidden_layer_sizes", sizes))}

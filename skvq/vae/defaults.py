"""What the parameters of a VAE stand for: their ranges, and every "auto" for some rows."""

import math
import numbers

import numpy as np
from scipy import sparse

from ..autoencoder.defaults import is_linear
from ..core.estimator import Automatic, check_choice, check_number, check_sizes, is_auto
from ..core.reconstruction import automatic_n_components
from ..vqvae.defaults import ENOUGH_ROWS, automatic_code_shape

LIKELIHOODS = ("gaussian", "gaussian_per_feature", "bernoulli", "poisson")
# Images of more values than this get a convolutional network; up to it a dense one learns more per second.
MAX_DENSE_VALUES = 4096
# Values that are looked at together where the range of X is checked.
CHUNK_VALUES = 500_000


def check_parameters(estimator):
    """Raise TypeError or ValueError for a parameter of the VAE that is out of range."""
    if not is_auto(estimator.n_components):
        check_number("n_components", estimator.n_components, numbers.Integral, low=1)
    check_choice("likelihood", estimator.likelihood, LIKELIHOODS)
    check_choice("network", estimator.network, ("auto", "dense", "convolutional"))
    check_number("dropout", estimator.dropout, low=0, high=1, boundaries="left")
    check_number("kl_weight", estimator.kl_weight, low=0)
    check_number("kl_warmup", estimator.kl_warmup, low=0, high=1)
    check_number("free_bits", estimator.free_bits, low=0)
    if estimator.aggregate is not None:
        check_choice("aggregate", estimator.aggregate, ("gaussian_mixture",))
    check_number("n_mixture_components", estimator.n_mixture_components, numbers.Integral, low=1)


def check_range(likelihood, X):
    """Raise ValueError for rows that the likelihood gives no probability.

    Parameters
    ----------
    likelihood : str
        The parameter.
    X : ndarray or CSR matrix of shape (n, n_features)
    """
    if likelihood not in ("bernoulli", "poisson"):
        return
    values = X.data.reshape(1, -1) if sparse.issparse(X) else X
    for start in range(0, len(values), step := max(1, CHUNK_VALUES // max(1, values.shape[1]))):
        piece = values[start : start + step]
        if piece.size == 0:
            continue
        low, high = piece.min(), piece.max()
        if likelihood == "bernoulli" and not (low >= 0 and high <= 1):
            raise ValueError(
                f"X holds values from {low} to {high}; likelihood='bernoulli' needs them in [0, 1]: rescale X (images "
                "of bytes: X / 255), or pass likelihood='gaussian'"
            )
        if likelihood == "poisson" and (low < 0 or np.any(piece != np.floor(piece))):
            raise ValueError(
                f"X holds values from {low} to {high} that are no counts; likelihood='poisson' needs 0, 1, 2, ...; "
                "pass likelihood='gaussian'"
            )


def automatic_sizes(row_shape, n_rows):
    """Return what "auto" stands for in `hidden_layer_sizes`: none below 500 rows, where a network overfits.

    Examples
    --------
    >>> automatic_sizes((28, 28, 1), 60_000), automatic_sizes((8, 8, 1), 1_797), automatic_sizes((13,), 1_000)
    ((1024, 512), (512, 256), (256, 256))
    >>> automatic_sizes((28, 28, 1), 100), automatic_sizes((13,), 178)
    ((), ())
    """
    if n_rows < ENOUGH_ROWS:
        return ()
    if len(row_shape) == 1:
        return 256, 256
    return (512, 256) if math.prod(row_shape) <= 512 else (1024, 512)


def plan(estimator, rows):
    """Return the architecture for an estimator's parameters and its training rows; every "auto" is decided here.

    Parameters
    ----------
    estimator : VAETransformer
    rows : Rows

    Returns
    -------
    dict
        JSON-able, for :func:`~skvq.vae.network.build_vae`.
    """
    n_components = estimator.n_components
    if is_auto(n_components):
        n_components = automatic_n_components(math.prod(rows.shape))
    architecture = {
        "row_shape": list(rows.shape),
        "n_components": int(n_components),
        "likelihood": estimator.likelihood,
        "dropout": float(estimator.dropout),
    }
    if len(rows.shape) == 3 and _is_convolutional(estimator.network, rows.shape):
        sizes = {"channels": int(estimator.channels), "n_blocks": int(estimator.n_blocks)}
        return architecture | sizes | {"grid_shape": list(automatic_code_shape(rows.shape))}
    sizes = estimator.hidden_layer_sizes
    if is_auto(sizes):
        sizes = automatic_sizes(rows.shape, len(rows))
    return architecture | {"hidden_layer_sizes": list(check_sizes("hidden_layer_sizes", sizes))}


def _is_convolutional(network, image_shape):
    return math.prod(image_shape) > MAX_DENSE_VALUES if is_auto(network) else network == "convolutional"


def automatic_training(architecture, n_rows, *, starts_at_optimum=False):
    """Return what "auto" stands for in the parameters of training.

    Images get 600,000 rows in all, in steps of 128 (64 for convolutions), but no more than 100 epochs, unless these are
    fewer than 300 steps. A table gets 3,000 steps of 64 rows, from 10,000 rows on 6,000 steps of 256. Always at least
    one epoch. What is linear gets 1,500 large steps, or, where it starts at its optimum, few and small ones.

    Examples
    --------
    >>> image = {"row_shape": [28, 28, 1], "hidden_layer_sizes": [1024, 512]}
    >>> [automatic_training(image, n).max_iter for n in (30, 1_000, 60_000, 1_000_000)]
    [300, 100, 10, 1]
    >>> table = {"row_shape": [20], "hidden_layer_sizes": [256, 256]}
    >>> [automatic_training(table, n).max_iter for n in (500, 1_797, 10_000, 100_000, 10_000_000)]
    [375, 103, 150, 15, 1]
    """
    if is_linear(architecture):
        n_steps, learning_rate = (300, 1e-4) if starts_at_optimum else (1_500, 5e-3)
        return Automatic(max(1, n_steps // math.ceil(n_rows / 256)), 256, learning_rate, bfloat16_pays=False)
    if len(architecture["row_shape"]) == 3:
        batch_size, learning_rate = (128, 1e-3) if "hidden_layer_sizes" in architecture else (64, 2e-3)
        epochs = max(1, min(100, 600_000 // n_rows), round(300 / math.ceil(n_rows / batch_size)))
        return Automatic(epochs, batch_size, learning_rate, bfloat16_pays=True)
    n_steps, batch_size = (3_000, 64) if n_rows < 10_000 else (6_000, 256)
    return Automatic(max(1, n_steps // math.ceil(n_rows / batch_size)), batch_size, 1e-3, bfloat16_pays=False)


def starts_at_optimum(estimator, architecture):
    """Return whether probabilistic PCA is what the loss is lowest at."""
    plain = estimator.free_bits == 0 and estimator.kl_warmup == 0
    return is_linear(architecture) and estimator.likelihood == "gaussian" and plain


def stops_early(architecture, n_rows):
    """Return what "auto" stands for in `early_stopping`: whether rows are held out to choose the weights by.

    They are where there is a network to restrain: for 10 to 20,000 images, and for tables from 500 rows on.

    Examples
    --------
    >>> [stops_early({"row_shape": [13], "hidden_layer_sizes": [9]}, n) for n in (178, 1_797, 60_000)]
    [False, True, True]
    >>> [stops_early({"row_shape": [28, 28, 1], "n_blocks": 2}, n) for n in (5, 1_797, 60_000)]
    [False, True, False]
    >>> stops_early({"row_shape": [28, 28, 1], "n_blocks": 0}, 1_797)
    False
    """
    if is_linear(architecture):
        return False
    return 10 <= n_rows < 20_000 if len(architecture["row_shape"]) == 3 else n_rows >= ENOUGH_ROWS

"""What the parameters of an autoencoder stand for: their ranges, and every "auto" for some rows."""

import math
import numbers

from scipy import sparse

from ..core.estimator import Automatic, check_choice, check_number, check_sizes, is_auto
from ..core.reconstruction import automatic_n_components
from ..nn.tables import ACTIVATIONS
from ..vqvae.defaults import automatic_code_shape

# Images of more values than this get a convolutional network; up to it a dense one learns more per second.
MAX_DENSE_VALUES = 4096
# Below this many training rows a network overfits more than it learns, even with its weights chosen on held-out rows.
ENOUGH_ROWS = 100
# What a code goes through for each kind of sparsity.
CODE_ACTIVATIONS = {None: "identity", "l1": "relu", "kl": "sigmoid"}


def check_parameters(estimator):
    """Raise TypeError or ValueError for a parameter of the autoencoder that is out of range."""
    if not is_auto(estimator.n_components):
        check_number("n_components", estimator.n_components, numbers.Integral, low=1)
    check_choice("network", estimator.network, ("auto", "dense", "convolutional"))
    check_choice("activation", estimator.activation, tuple(ACTIVATIONS))
    check_number("dropout", estimator.dropout, low=0, high=1, boundaries="left")
    check_choice("loss", estimator.loss, ("squared_error", "log_loss"))
    check_choice("tied_weights", estimator.tied_weights, (True, False))
    if estimator.noise is not None:
        check_choice("noise", estimator.noise, ("gaussian", "masking"))
        high = 1 if estimator.noise == "masking" else None
        check_number("noise_level", estimator.noise_level, low=0, high=high)
    if estimator.sparsity is not None:
        check_choice("sparsity", estimator.sparsity, ("l1", "kl"))
        check_number("sparsity_weight", estimator.sparsity_weight, low=0)
        check_number("sparsity_target", estimator.sparsity_target, low=0, high=1, boundaries="neither")
    check_number("contractive_weight", estimator.contractive_weight, low=0)


def check_unit_interval(X):
    """Raise ValueError unless all values of X, an ndarray or CSR matrix, are in [0, 1]."""
    values = X.data if sparse.issparse(X) else X
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        raise ValueError(
            f"X holds values from {values.min()} to {values.max()}; loss='log_loss' needs them in [0, 1]: rescale X "
            "(images of bytes: X / 255), or pass loss='squared_error'"
        )


def automatic_sizes(n_features):
    """Return what "auto" stands for in `hidden_layer_sizes`: two layers that narrow by half.

    The first is the number of columns, rounded up to a power of two, from 256 to 1024.

    Examples
    --------
    >>> automatic_sizes(13), automatic_sizes(300), automatic_sizes(784), automatic_sizes(4096)
    ((256, 128), (512, 256), (1024, 512), (1024, 512))
    """
    width = min(1024, max(256, 2 ** math.ceil(math.log2(n_features))))
    return width, width // 2


def plan(estimator, rows):
    """Return the architecture for an estimator's parameters and its training rows; every "auto" is decided here.

    Parameters
    ----------
    estimator : AutoEncoderTransformer
    rows : Rows

    Returns
    -------
    dict
        JSON-able, for :func:`~skvq.autoencoder.network.build_autoencoder`.

    Raises
    ------
    ValueError
        For tied weights of a convolutional network.
    """
    n_features = math.prod(rows.shape)
    n_components = automatic_n_components(n_features) if is_auto(estimator.n_components) else estimator.n_components
    architecture = {
        "row_shape": list(rows.shape),
        "n_components": int(n_components),
        "code_activation": CODE_ACTIVATIONS[estimator.sparsity],
        "loss": estimator.loss,
        "tied_weights": bool(estimator.tied_weights),
        "dropout": float(estimator.dropout),
    }
    if len(rows.shape) == 3 and _is_convolutional(estimator.network, n_features):
        if estimator.tied_weights and estimator.n_blocks > 0:
            raise ValueError(
                "tied_weights=True needs matrices to transpose, which a convolutional network has not; pass "
                "network='dense', or n_blocks=0"
            )
        sizes = {"channels": int(estimator.channels), "n_blocks": int(estimator.n_blocks)}
        return architecture | sizes | {"grid_shape": list(automatic_code_shape(rows.shape))}
    sizes = estimator.hidden_layer_sizes
    if is_auto(sizes):
        sizes = automatic_sizes(n_features) if len(rows) >= ENOUGH_ROWS else ()
    sizes = list(check_sizes("hidden_layer_sizes", sizes))
    return architecture | {"hidden_layer_sizes": sizes, "activation": estimator.activation}


def _is_convolutional(network, n_values):
    return n_values > MAX_DENSE_VALUES if is_auto(network) else network == "convolutional"


def is_linear(architecture):
    """Return whether the encoder and the decoder of an architecture are linear maps, but for the code's activation."""
    return not architecture.get("n_blocks") and not architecture.get("hidden_layer_sizes")


def starts_at_optimum(estimator, architecture):
    """Return whether the principal components, where training starts, are already the best that it could find."""
    return (
        is_linear(architecture)
        and architecture["loss"] == "squared_error"
        and architecture["code_activation"] == "identity"
        and estimator.noise is None
        and estimator.contractive_weight == 0
        and estimator.alpha == 0
    )


def automatic_training(architecture, n_rows, *, at_optimum):
    """Return what "auto" stands for in the parameters of training. Always at least one epoch.

    Parameters
    ----------
    architecture : dict
        Of :func:`plan`.
    n_rows : int
        Training rows.
    at_optimum : bool
        Whether training starts where it should end: then it makes a few small steps.

    Examples
    --------
    >>> image, table = {"row_shape": [28, 28, 1], "n_blocks": 2}, {"row_shape": [20], "hidden_layer_sizes": [256]}
    >>> [automatic_training(image, n, at_optimum=False).max_iter for n in (30, 1_000, 60_000, 10_000_000)]
    [100, 100, 20, 1]
    >>> [automatic_training(table, n, at_optimum=False).max_iter for n in (160, 1_797, 10_000, 10_000_000)]
    [100, 100, 100, 1]
    >>> automatic_training({"row_shape": [13], "hidden_layer_sizes": []}, 50, at_optimum=False).max_iter
    1500
    """
    if at_optimum:
        return Automatic(max(1, 100 // math.ceil(n_rows / 256)), 256, 1e-4, bfloat16_pays=False)
    if is_linear(architecture):
        return Automatic(max(1, 1_500 // math.ceil(n_rows / 64)), 64, 5e-3, bfloat16_pays=False)
    if len(architecture["row_shape"]) == 3:
        return Automatic(max(1, min(100, 1_200_000 // n_rows)), 128, 2e-3, bfloat16_pays=True)
    n_steps, batch_size = (3_000, 64) if n_rows < 10_000 else (6_000, 256)
    epochs = min(100, n_steps // math.ceil(n_rows / batch_size))
    return Automatic(max(1, epochs), batch_size, 1e-3, bfloat16_pays=False)


def stops_early(architecture, n_rows):
    """Return what "auto" stands for in `early_stopping`: whether rows are held out to choose the weights by.

    They are wherever there is a network and rows enough to part with one: the best epoch on them is never worse than
    the principal components, where it starts.

    Examples
    --------
    >>> [stops_early({"n_blocks": 2}, n) for n in (5, 1_797, 60_000)]
    [False, True, True]
    >>> stops_early({"hidden_layer_sizes": []}, 1_797)
    False
    """
    return n_rows >= 10 and not is_linear(architecture)

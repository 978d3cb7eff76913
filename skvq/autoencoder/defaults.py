"""Parameters of an autoencoder: their ranges, and the values that "auto" stands for."""

import math
from dataclasses import dataclass
from typing import Literal

from scipy import sparse

from .._warnings import warn_user
from ..core.bottleneck import automatic_epochs, automatic_n_components, bottleneck_sizes
from ..core.estimator import GROWTH, Budget, epochs_for
from ..core.parameters import (
    AUTO,
    CLOSED_FRACTION,
    FRACTION,
    INNER_FRACTION,
    LOSS_WEIGHT,
    POSITIVE_INTEGER,
    ROWS,
    StrOptions,
    check_arguments,
    is_auto,
)
from ..nn.bottleneck import BottleneckSizes
from ..nn.tables import ACTIVATIONS

# Below this many training rows a network overfits more than it learns, even with its weights chosen on held-out rows.
FEWEST_ROWS_FOR_A_NETWORK = 100
# What a code goes through for each kind of sparsity.
CODE_ACTIVATIONS = {None: "identity", "l1": "relu", "kl": "sigmoid"}

CONSTRAINTS = ROWS | {
    "n_components": [AUTO, POSITIVE_INTEGER],
    "network": [StrOptions({"auto", "dense", "convolutional"})],
    "activation": [StrOptions(set(ACTIVATIONS))],
    "tied_weights": ["boolean"],
    "dropout": [AUTO, FRACTION],
    "n_iter_no_change": [None, AUTO, POSITIVE_INTEGER],
    "loss": [StrOptions({"squared_error", "log_loss"})],
    "noise": [None, StrOptions({"gaussian", "masking"})],
    "noise_level": [LOSS_WEIGHT],
    "sparsity": [None, StrOptions({"l1", "kl"})],
    "sparsity_weight": [LOSS_WEIGHT],
    "sparsity_target": [INNER_FRACTION],
    "contractive_weight": [LOSS_WEIGHT],
}


@dataclass(frozen=True)
class Architecture:
    """What the network of an autoencoder is built from."""

    sizes: BottleneckSizes
    n_components: int
    code_activation: Literal["identity", "relu", "sigmoid"]
    loss: Literal["squared_error", "log_loss"]
    tied_weights: bool


def check_combinations(estimator):
    """Raise ValueError for parameters of an autoencoder that do not go together."""
    if estimator.noise == "masking":
        constraints = {"noise_level": [CLOSED_FRACTION]}
        check_arguments("noise='masking'", constraints, noise_level=estimator.noise_level)


def check_loss(loss, layout):
    """Raise ValueError for a loss of probabilities on a table that holds more than numbers."""
    if loss == "log_loss" and layout.is_mixed:
        raise ValueError(
            "loss='log_loss' takes numbers in [0, 1] for probabilities, but X has columns of other kinds, or missing "
            "cells; pass loss='squared_error'"
        )


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


def automatic_dropout(row_shape, n_rows):
    """Return what "auto" stands for in `dropout`: 0.1 below 20,000 images, none otherwise.

    Examples
    --------
    >>> automatic_dropout((28, 28, 1), 4_000), automatic_dropout((28, 28, 1), 60_000), automatic_dropout((13,), 1_000)
    (0.1, 0.0, 0.0)
    """
    return 0.1 if len(row_shape) == 3 and n_rows < 20_000 else 0.0


def plan(estimator, row_shape, n_rows, n_columns=None):
    """Return the architecture for an estimator's parameters, with every "auto" decided.

    Parameters
    ----------
    estimator : AutoEncoderTransformer
    row_shape : tuple of int
        (H, W, C) or (n_features,).
    n_rows : int
        Number of rows, those that may be held out among them.
    n_columns : int, default=None
        Number of columns of a table whose rows have more features; None: they are the features.

    Returns
    -------
    Architecture

    Raises
    ------
    ValueError
        For tied weights of a convolutional network.
    """
    n_features = math.prod(row_shape)
    hidden = automatic_sizes(n_features) if n_rows >= FEWEST_ROWS_FOR_A_NETWORK else ()
    sizes = bottleneck_sizes(estimator, row_shape, hidden, automatic_dropout(row_shape, n_rows), estimator.activation)
    if estimator.tied_weights and sizes.n_blocks:
        raise ValueError(
            "tied_weights=True needs matrices to transpose, which a convolutional network does not have; pass "
            "network='dense', or n_blocks=0"
        )
    n_components = estimator.n_components
    if is_auto(n_components):
        n_components = automatic_n_components(n_features, n_columns)
    return Architecture(
        sizes, int(n_components), CODE_ACTIVATIONS[estimator.sparsity], estimator.loss, bool(estimator.tied_weights)
    )


def warn_of_width(estimator, architecture):
    """Warn of an encoding that has more components than a row has values, unless something else limits it."""
    n_values, n_components = math.prod(architecture.sizes.row_shape), architecture.n_components
    limits = estimator.noise, estimator.sparsity, estimator.contractive_weight or None
    if n_components > n_values and limits == (None, None, None):
        warn_user(
            f"n_components={n_components} is more than the {n_values} values of a row, so that nothing is compressed "
            f"and rows can be copied. Pass fewer than {n_values}, or limit the encoding by noise, sparsity or "
            "contractive_weight"
        )


def starts_at_optimum(estimator, architecture):
    """Return whether the principal components, where training starts, are already the best that it could find."""
    return (
        architecture.sizes.is_linear
        and architecture.loss == "squared_error"
        and architecture.code_activation == "identity"
        and estimator.noise is None
        and estimator.contractive_weight == 0
        and estimator.alpha == 0
    )


def automatic_training(sizes, n_rows, *, at_optimum):
    """Return the Budget where the parameters of training are "auto".

    Images get 30 epochs, but at least 100,000 and at most 1,200,000 rows in all, and no more than 100 epochs, nor less
    than one. A table gets 3,000 steps of 64 rows, from 10,000 rows on 6,000 steps of 256, and every tenfold of its rows
    beyond 20,000 adds half of these.

    Parameters
    ----------
    sizes : BottleneckSizes
    n_rows : int
        Training rows.
    at_optimum : bool
        Whether training starts where it should end: then it makes a few small steps.

    Examples
    --------
    >>> image = BottleneckSizes((28, 28, 1), grid_shape=(7, 7), channels=64, n_blocks=2)
    >>> [automatic_training(image, n, at_optimum=False).max_iter for n in (30, 1_000, 60_000, 10_000_000)]
    [100, 100, 20, 1]
    >>> table = BottleneckSizes((20,), (256,))
    >>> [automatic_training(table, n, at_optimum=False).max_iter for n in (160, 1_797, 10_000, 10_000_000)]
    [100, 100, 100, 0.360876]
    >>> automatic_training(BottleneckSizes((13,), ()), 50, at_optimum=False).max_iter
    1500
    """
    if at_optimum:
        return Budget(epochs_for(100, math.ceil(n_rows / 256), n_rows, growth=GROWTH), 256, 1e-4)
    if sizes.is_linear:
        return Budget(epochs_for(1_500, math.ceil(n_rows / 64), n_rows, growth=GROWTH), 64, 5e-3)
    if len(sizes.row_shape) == 3:
        return Budget(automatic_epochs(n_rows, usual=30, most_rows=1_200_000), 128, 2e-3, bfloat16_pays=True)
    n_steps, batch_size = (3_000, 64) if n_rows < 10_000 else (6_000, 256)
    epochs = epochs_for(n_steps, math.ceil(n_rows / batch_size), n_rows, growth=GROWTH)
    return Budget(min(100, epochs), batch_size, 1e-3)


def stops_early(sizes, n_rows):
    """Return what "auto" stands for in `early_stopping`: whether rows are held out to choose the weights by.

    They are wherever there is a network and rows enough to part with one: the best epoch on them is never worse than
    the principal components, where it starts.

    Examples
    --------
    >>> [stops_early(BottleneckSizes((8, 8, 1), (64,)), n) for n in (5, 1_797, 60_000)]
    [False, True, True]
    >>> stops_early(BottleneckSizes((13,), ()), 1_797)
    False
    """
    return n_rows >= 10 and not sizes.is_linear

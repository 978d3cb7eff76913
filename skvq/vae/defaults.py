"""Parameters of a VAE: their ranges, and the values that "auto" stands for."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from scipy import sparse

from ..core.bottleneck import automatic_epochs, automatic_n_components, bottleneck_sizes
from ..core.estimator import GROWTH, Budget, epochs_for
from ..core.parameters import (
    AUTO,
    CLOSED_FRACTION,
    FRACTION,
    LOSS_WEIGHT,
    POSITIVE_INTEGER,
    ROWS,
    StrOptions,
    is_auto,
)
from ..core.tables.layout import Block
from ..nn.bottleneck import BottleneckSizes

LIKELIHOODS = ("gaussian", "gaussian_per_feature", "bernoulli", "poisson")
# Below this many rows a network beside the linear path overfits more than it learns.
FEWEST_ROWS_FOR_A_NETWORK = 500
# Fewer images than this get more dropout, and no more components than a prior of them can be learned for.
FEW_IMAGES, MOST_COMPONENTS_OF_FEW = 10_000, 32
# Values that are looked at together where the range of X is checked.
CHUNK_VALUES = 500_000

CONSTRAINTS = ROWS | {
    "n_components": [AUTO, POSITIVE_INTEGER],
    "likelihood": [StrOptions(set(LIKELIHOODS))],
    "network": [StrOptions({"auto", "dense", "convolutional"})],
    "dropout": [AUTO, FRACTION],
    "n_iter_no_change": [None, AUTO, POSITIVE_INTEGER],
    "kl_weight": [LOSS_WEIGHT],
    "kl_warmup": [CLOSED_FRACTION],
    "free_bits": [LOSS_WEIGHT],
    "prior": [StrOptions({"gaussian_mixture", "normal"})],
    "n_mixture_components": [AUTO, POSITIVE_INTEGER],
}


@dataclass(frozen=True)
class Architecture:
    """What the network of a VAE is built from."""

    sizes: BottleneckSizes
    n_components: int
    likelihood: Literal["gaussian", "gaussian_per_feature", "bernoulli", "poisson"]

    blocks: ClassVar[tuple[Block, ...] | None] = None


@dataclass(frozen=True)
class TableArchitecture(Architecture):
    """What the network of a VAE of mixed tables is built from: `blocks` are those of the columns."""

    blocks: tuple[Block, ...]  # type: ignore[misc]  # a field here


def architecture_kind(data):
    """Return the class, Architecture or TableArchitecture, that a dict is the JSON of."""
    return TableArchitecture if "blocks" in data else Architecture


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
    if n_rows < FEWEST_ROWS_FOR_A_NETWORK:
        return ()
    if len(row_shape) == 1:
        return 256, 256
    return (512, 256) if math.prod(row_shape) <= 512 else (1024, 512)


def _are_few_images(row_shape, n_rows):
    return len(row_shape) == 3 and n_rows < FEW_IMAGES


def automatic_dropout(row_shape, n_rows):
    """Return what "auto" stands for in `dropout`: 0.1 below 10,000 images, 0.05 otherwise.

    Examples
    --------
    >>> automatic_dropout((28, 28, 1), 4_000), automatic_dropout((28, 28, 1), 60_000), automatic_dropout((13,), 1_000)
    (0.1, 0.05, 0.05)
    """
    return 0.1 if _are_few_images(row_shape, n_rows) else 0.05


def plan(estimator, row_shape, n_rows, blocks=None):
    """Return the architecture for an estimator's parameters, with every "auto" decided.

    Parameters
    ----------
    estimator : VAETransformer
    row_shape : tuple of int
        (H, W, C) or (n_features,).
    n_rows : int
        Number of rows, those that may be held out among them.
    blocks : tuple of Block, default=None
        Of the columns of a mixed table.

    Returns
    -------
    Architecture
    """
    n_components = estimator.n_components
    if is_auto(n_components):
        n_components = automatic_n_components(math.prod(row_shape), None if blocks is None else len(blocks))
        if _are_few_images(row_shape, n_rows):
            n_components = min(n_components, MOST_COMPONENTS_OF_FEW)
    dropout = automatic_dropout(row_shape, n_rows)
    sizes = bottleneck_sizes(estimator, row_shape, automatic_sizes(row_shape, n_rows), dropout)
    chosen = sizes, int(n_components), estimator.likelihood
    return Architecture(*chosen) if blocks is None else TableArchitecture(*chosen, blocks)


def automatic_training(sizes, n_rows, *, at_optimum=False):
    """Return the Budget where the parameters of training are "auto".

    Images get 25 epochs, but at least 100,000 and at most 600,000 rows in all, and no more than 100 epochs, unless
    these are fewer than 300 steps, of 128 rows (64 for convolutions), nor less than one epoch. A table gets 3,000 steps
    of 64 rows, from 10,000 rows on 6,000 steps of 256, and every tenfold of its rows beyond 20,000 adds half of these.
    Linear networks get 1,500 large steps, or, where they start at their optimum, few and small ones.

    Examples
    --------
    >>> image = BottleneckSizes((28, 28, 1), (1024, 512))
    >>> [automatic_training(image, n).max_iter for n in (30, 1_000, 4_000, 60_000, 1_000_000)]
    [300, 100, 25, 10, 1]
    >>> table = BottleneckSizes((20,), (256, 256))
    >>> [automatic_training(table, n).max_iter for n in (500, 1_797, 10_000, 100_000, 10_000_000)]
    [375, 103, 150, 20.7082, 0.360876]
    """
    if sizes.is_linear:
        n_steps, learning_rate = (300, 1e-4) if at_optimum else (1_500, 5e-3)
        return Budget(epochs_for(n_steps, math.ceil(n_rows / 256), n_rows, growth=GROWTH), 256, learning_rate)
    if len(sizes.row_shape) == 3:
        batch_size, learning_rate = (64, 2e-3) if sizes.hidden_layer_sizes is None else (128, 1e-3)
        epochs = automatic_epochs(n_rows, usual=25, most_rows=600_000)
        epochs = max(epochs, round(300 / math.ceil(n_rows / batch_size)))
        return Budget(epochs, batch_size, learning_rate, bfloat16_pays=True)
    n_steps, batch_size = (3_000, 64) if n_rows < 10_000 else (6_000, 256)
    epochs = epochs_for(n_steps, math.ceil(n_rows / batch_size), n_rows, growth=GROWTH)
    return Budget(epochs, batch_size, 1e-3)


def starts_at_optimum(estimator, architecture):
    """Return whether probabilistic PCA is what the loss is lowest at."""
    plain = estimator.free_bits == 0 and estimator.kl_warmup == 0
    numbers = estimator.likelihood == "gaussian" and architecture.blocks is None
    return architecture.sizes.is_linear and numbers and plain


def stops_early(sizes, n_rows):
    """Return what "auto" stands for in `early_stopping`: whether rows are held out to choose the weights by.

    They are where there is a network to restrain: for 10 to 20,000 images, and for tables from 500 rows on.

    Examples
    --------
    >>> [stops_early(BottleneckSizes((13,), (9,)), n) for n in (178, 1_797, 60_000)]
    [False, True, True]
    >>> convolutional = BottleneckSizes((28, 28, 1), grid_shape=(7, 7), channels=64, n_blocks=2)
    >>> [stops_early(convolutional, n) for n in (5, 1_797, 60_000)]
    [False, True, False]
    >>> stops_early(BottleneckSizes((28, 28, 1), ()), 1_797)
    False
    """
    if sizes.is_linear:
        return False
    return 10 <= n_rows < 20_000 if len(sizes.row_shape) == 3 else n_rows >= FEWEST_ROWS_FOR_A_NETWORK

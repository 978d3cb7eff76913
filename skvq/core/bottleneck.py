"""Sizes and starts of networks with a bottleneck: the autoencoder and the VAE."""

import math

from ..nn.bottleneck import MAX_COVARIANCE_COLUMNS, BottleneckSizes, principal_axes
from ..nn.images import automatic_grid
from ..nn.series import automatic_positions
from .estimator import epochs_for
from .parameters import as_sizes, check_memory, dense_weights, grid_weights, is_auto, training_bytes

# Images of more values than this get a convolutional network; up to it a dense one learns more per second.
MAX_DENSE_VALUES = 4096
# Images that a network is shown in all, however few there are.
FEWEST_IMAGES_SEEN = 100_000
# The sample that principal components are taken from where rows are wide has so many values, and so many rows at least.
START_VALUES, LEAST_START_ROWS = 4_000_000, 1024


def bottleneck_sizes(estimator, row_shape, hidden_layer_sizes, dropout, activation="relu"):
    """Return the sizes of the network that an estimator's parameters ask for.

    Parameters
    ----------
    estimator : estimator
        With the parameters `network`, `hidden_layer_sizes`, `channels`, `n_blocks` and `dropout`.
    row_shape : tuple of int
    hidden_layer_sizes : tuple of int
        Those of a dense network where the parameter is "auto".
    dropout : float
        Where the parameter is "auto".
    activation : str, default="relu"
        Of a dense network.

    Returns
    -------
    BottleneckSizes
    """
    dropout = float(dropout if is_auto(estimator.dropout) else estimator.dropout)
    check_sizes(estimator, row_shape)
    if len(row_shape) == 3 and _is_convolutional(estimator.network, math.prod(row_shape)):
        is_series = estimator.series_shape is not None
        return BottleneckSizes(
            tuple(row_shape),
            grid_shape=(1, automatic_positions(row_shape[1])) if is_series else automatic_grid(row_shape),
            channels=int(estimator.channels),
            n_blocks=int(estimator.n_blocks),
            dropout=dropout,
        )
    sizes = hidden_layer_sizes if is_auto(estimator.hidden_layer_sizes) else as_sizes(estimator.hidden_layer_sizes)
    return BottleneckSizes(tuple(row_shape), hidden_layer_sizes=sizes, activation=activation, dropout=dropout)


def check_sizes(estimator, row_shape):
    """Raise ValueError, naming the parameter, for sizes that no memory holds; see :func:`bottleneck_sizes`."""
    n_values = math.prod(row_shape)

    def needs(hidden_layer_sizes=(), n_components=1, channels=1, n_blocks=0):
        ends = 2 * n_values * n_components + 2 * dense_weights(n_values, *hidden_layer_sizes, n_components)
        n_layers = len(hidden_layer_sizes) + n_blocks
        return training_bytes(ends + 2 * grid_weights(1, channels, n_blocks), 2 * n_layers)

    sizes = {} if is_auto(estimator.n_components) else {"n_components": int(estimator.n_components)}
    if len(row_shape) == 3 and _is_convolutional(estimator.network, n_values):
        sizes |= {"channels": int(estimator.channels), "n_blocks": int(estimator.n_blocks)}
    elif not is_auto(estimator.hidden_layer_sizes):
        sizes["hidden_layer_sizes"] = as_sizes(estimator.hidden_layer_sizes)
    check_memory(needs, **sizes)


def automatic_epochs(n_rows, *, usual, most_rows):
    """Return what "auto" stands for in `max_iter` for images: the `usual` number of epochs, within bounds.

    Few images are seen 100,000 times in all, in no more than 100 epochs: longer training overfits them. Many are seen
    `most_rows` times in all, but once at least.

    Parameters
    ----------
    n_rows : int
        Training images.
    usual : int
    most_rows : int

    Examples
    --------
    >>> [automatic_epochs(n, usual=25, most_rows=600_000) for n in (100, 1_200, 3_600, 10_000, 60_000, 10_000_000)]
    [100, 83, 27, 25, 10, 1]
    """
    return max(1, min(100, max(usual, FEWEST_IMAGES_SEEN // n_rows), epochs_for(most_rows, n_rows, n_rows)))


def _is_convolutional(network, n_values):
    return n_values > MAX_DENSE_VALUES if is_auto(network) else network == "convolutional"


def automatic_n_components(n_features, n_columns=None):
    """Return what "auto" stands for in `n_components`: a quarter of the features, within 2 to 64.

    A number is a feature, a category one for each level; there are never more components than columns, where these are
    fewer.

    Examples
    --------
    >>> [automatic_n_components(n) for n in (1, 4, 13, 64, 784)]
    [1, 2, 4, 16, 64]
    >>> automatic_n_components(19, 8), automatic_n_components(200, 8)
    (5, 8)
    """
    return min(n_columns or n_features, max(2, min(64, math.ceil(n_features / 4))))


def start_axes(rows, n_components, generator, *, seen=None):
    """Return the :class:`~skvq.nn.bottleneck.PrincipalAxes` of Rows.

    Rows of up to `MAX_COVARIANCE_COLUMNS` values are all used, a batch at a time; of wider ones a sample of bounded
    memory.

    Parameters
    ----------
    rows : Rows
    n_components : int
    generator : torch.Generator
        Draws the sample of wide rows.
    seen : callable, default=None
        What the encoder is shown of a batch; None shows it the batch.
    """
    n_values = math.prod(rows.shape)
    if n_values <= MAX_COVARIANCE_COLUMNS:
        batches = rows.in_order(max(1, START_VALUES // 8 // n_values))
    else:
        batches = iter([rows.sample(max(LEAST_START_ROWS, START_VALUES // n_values), generator)])
    return principal_axes(batches if seen is None else map(seen, batches), n_components)

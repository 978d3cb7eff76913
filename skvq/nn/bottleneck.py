"""Encoder and decoder between rows and one vector: a linear path, and beside it a network that starts at zero.

The linear path starts at the principal components of the rows (`principal_axes`, `set_linear`), the best linear
autoencoder there is [1]_; training leaves it only as far as the data ask for. The network is dense, or, for
images and series, convolutional on a grid of patches with the blocks of :mod:`~skvq.nn.images` and
:mod:`~skvq.nn.series`.

References
----------
.. [1] P. Baldi, K. Hornik, "Neural networks and principal component analysis", Neural Networks 2(1), 1989.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from .draws import Dropout, default_generator, linear
from .images import PatchGrid, grid_blocks
from .series import series_blocks
from .tables import RANK_TOLERANCE, hidden_network

# Rows of up to so many values have their whole covariance matrix taken, however many there are; wider ones are
# decomposed by way of the inner products of a sample.
MAX_COVARIANCE_COLUMNS = 2000


def linear_step(n_features):
    """Return the `scale` of a linear path between rows of `n_features` values and vectors."""
    return n_features**-0.5


class ScaledLinear(nn.Module):
    """x → scale · (x weightᵀ + bias): (b, n_in) → (b, n_out), float32 even under autocast.

    A step of Adam moves every weight by about the learning rate, which is far too much for a map of many pixels whose
    entries are as small as those of principal components; `scale` shrinks the step with them.

    Parameters
    ----------
    n_in, n_out : int
    scale : float
        Factor on the step.
    generator : torch.Generator
        Draws the starting weights.
    """

    def __init__(self, n_in, n_out, scale, generator):
        super().__init__()
        self.in_features, self.out_features, self.scale = n_in, n_out, scale
        start = linear(n_in, n_out, generator)
        self.unscaled_weight = nn.Parameter(start.weight.detach() / scale)
        self.unscaled_bias = nn.Parameter(start.bias.detach())

    @property
    def matrix(self):
        """The map's matrix, (n_out, n_in)."""
        return self.unscaled_weight * self.scale

    def forward(self, x):
        """(b, n_in) → (b, n_out)."""
        # Rounding here would cost more than a network beside it gains.
        with torch.autocast(x.device.type, enabled=False):
            return F.linear(x.float(), self.matrix, self.unscaled_bias * self.scale)


def _blocks(grid_shape, channels, n_blocks, generator):
    """Return residual blocks over a grid of patches, or over those of a series, which are one row."""
    if grid_shape[0] == 1:
        return series_blocks(channels, n_blocks, 2, generator)
    return grid_blocks(grid_shape, channels, n_blocks, 2, generator)


class _PatchesToVector(nn.Module):
    """A convolutional network: (b, H * W * C) → (b, n_out), zero at first."""

    def __init__(self, image_shape, n_out, grid_shape, channels, n_blocks, dropout, generator):
        super().__init__()
        self.image_shape, self.grid = tuple(image_shape), PatchGrid(image_shape, grid_shape)
        self.stem = linear(self.grid.patch_size, channels, generator)
        self.position = nn.Parameter(torch.zeros(self.grid.n_positions, channels))
        self.blocks = _blocks(grid_shape, channels, n_blocks, generator)
        self.norm = nn.LayerNorm(channels)
        self.dropout = Dropout(dropout)
        self.head = linear(self.grid.n_positions * channels, n_out, None)

    def forward(self, x):
        patches = self.grid.cut(x.unflatten(1, self.image_shape))
        h = self.blocks(self.stem(patches) + self.position)  # (b, m, channels)
        return self.head(self.dropout(self.norm(h)).flatten(1))


class _VectorToPatches(nn.Module):
    """A convolutional network: (b, n_in) → (b, H * W * C), zero at first."""

    def __init__(self, image_shape, n_in, grid_shape, channels, n_blocks, dropout, generator):
        super().__init__()
        self.grid = PatchGrid(image_shape, grid_shape)
        self.spread = linear(n_in, self.grid.n_positions * channels, generator)
        self.dropout = Dropout(dropout)
        self.blocks = _blocks(grid_shape, channels, n_blocks, generator)
        self.norm = nn.LayerNorm(channels)
        self.head = linear(channels, self.grid.patch_size, None)

    def forward(self, z):
        h = self.dropout(self.spread(z)).unflatten(1, (self.grid.n_positions, -1))  # (b, m, channels)
        return self.grid.join(self.head(self.norm(self.blocks(h)))).flatten(1)


class VectorEncoder(nn.Module):
    """linear(x) + network(x), from rows to vectors.

    Images (128, 28, 28, 1) become vectors (128, 64) with ``n_out=64``.

    Parameters
    ----------
    row_shape : tuple of int
        (n_features,) or (H, W, C).
    n_out : int
        Length of the vector.
    network : torch.nn.Module or None
        (b, n_features) → (b, n_out), or None for the linear path alone.
    generator : torch.Generator
        Draws the starting weights of the linear path.
    """

    def __init__(self, row_shape, n_out, network, generator):
        super().__init__()
        n_features = math.prod(row_shape)
        self.linear = ScaledLinear(n_features, n_out, linear_step(n_features), generator)
        self.network = network

    def forward(self, x):
        """Rows (b, *row_shape) → (b, n_out), float32."""
        x = x.flatten(1)
        return self.linear(x) if self.network is None else self.linear(x) + self.network(x).float()


class VectorDecoder(nn.Module):
    """linear(z) + network(z), from vectors to rows: the mirror of :class:`VectorEncoder`.

    Vectors (128, 64) become images (128, 28, 28, 1).
    """

    def __init__(self, row_shape, n_in, network, generator):
        super().__init__()
        self.row_shape, n_features = tuple(row_shape), math.prod(row_shape)
        self.linear = ScaledLinear(n_in, n_features, linear_step(n_features), generator)
        self.network = network

    def forward(self, z):
        """Vectors (b, n_in) → rows (b, *row_shape), float32."""
        x = self.linear(z) if self.network is None else self.linear(z) + self.network(z).float()
        return x.unflatten(1, self.row_shape)


@dataclass(frozen=True)
class BottleneckSizes:
    """Sizes of a network between rows and one vector.

    Attributes
    ----------
    row_shape : tuple of int
        (H, W, C) for images, (n_features,) for tables.
    hidden_layer_sizes : tuple of int or None
        Of a dense network; None for a convolutional one. No hidden layer, or no block, means no network.
    activation : {"relu", "gelu", "silu", "tanh"}
        Of a dense network.
    grid_shape : tuple of int (h, w) or None
        Patches of a convolutional network.
    channels, n_blocks : int or None
        Width and depth of a convolutional network.
    dropout : float in [0, 1)
    """

    row_shape: tuple[int, ...]
    hidden_layer_sizes: tuple[int, ...] | None = None
    activation: Literal["relu", "gelu", "silu", "tanh"] = "relu"
    grid_shape: tuple[int, int] | None = None
    channels: int | None = None
    n_blocks: int | None = None
    dropout: float = 0.0

    @property
    def n_features(self):
        """Number of values in a row."""
        return math.prod(self.row_shape)

    @property
    def is_linear(self):
        """Whether there is no network beside the linear path."""
        return not self.n_blocks and not self.hidden_layer_sizes

    @property
    def uses(self):
        """How often one row uses most of the weights: the number of patches of a convolutional network."""
        return math.prod(self.grid_shape or (1,))


def build_encoder(sizes, n_out, generator):
    """Return the encoder, rows (b, *row_shape) → (b, n_out), with weights drawn from a generator.

    Parameters
    ----------
    sizes : BottleneckSizes
    n_out : int
        Length of the vector.
    generator : torch.Generator or None
        None draws the weights from a generator seeded with 0.
    """
    generator = default_generator() if generator is None else generator
    if sizes.hidden_layer_sizes is not None:
        hidden = sizes.hidden_layer_sizes
        network = hidden_network(sizes.n_features, hidden, n_out, sizes.activation, sizes.dropout, generator)
    else:
        network = _convolutional(_PatchesToVector, sizes, n_out, generator)
    return VectorEncoder(sizes.row_shape, n_out, network, generator)


def build_decoder(sizes, n_in, generator):
    """Return the decoder, (b, n_in) → rows (b, *row_shape): the mirror of :func:`build_encoder`."""
    generator = default_generator() if generator is None else generator
    if sizes.hidden_layer_sizes is not None:
        hidden = sizes.hidden_layer_sizes[::-1]
        network = hidden_network(n_in, hidden, sizes.n_features, sizes.activation, sizes.dropout, generator)
    else:
        network = _convolutional(_VectorToPatches, sizes, n_in, generator)
    return VectorDecoder(sizes.row_shape, n_in, network, generator)


def _convolutional(kind, sizes, length, generator):
    if sizes.n_blocks == 0:
        return None
    return kind(sizes.row_shape, length, sizes.grid_shape, sizes.channels, sizes.n_blocks, sizes.dropout, generator)


class PrincipalAxes(NamedTuple):
    """Mean and leading principal components of some rows of p values, float64 on the CPU.

    Attributes
    ----------
    mean : Tensor of shape (p,)
    axes : Tensor of shape (n, p)
        Orthonormal, by decreasing variance. Rows of zeros stand for the components beyond the rank of the data.
    variances : Tensor of shape (n,)
        Of the data along the axes (sums of squares divided by the number of rows); 0 beyond the rank.
    residual_variance : float
        Mean variance along the p - n other directions, 0 if there is none: the noise variance of probabilistic PCA.
    """

    mean: torch.Tensor
    axes: torch.Tensor
    variances: torch.Tensor
    residual_variance: float


@torch.no_grad()
def principal_axes(batches, n):
    """Return the principal components of rows that come in batches.

    Parameters
    ----------
    batches : iterable of Tensor of shape (b, ...)
        Standardised rows. With up to `MAX_COVARIANCE_COLUMNS` values a row, only one batch and the covariance matrix
        are held at a time; with more, all of them, so that they should be a sample.
    n : int
        Number of components.

    Returns
    -------
    PrincipalAxes
    """
    batches = iter(batches)
    first = _as_rows(next(batches))
    p = first.shape[1]
    if p > MAX_COVARIANCE_COLUMNS:
        mean, total, variances, axes = _of_a_sample(torch.cat([first, *map(_as_rows, batches)]), n)
    else:
        mean, covariance = _covariance(first, batches)
        total = float(covariance.diagonal().sum())
        variances, axes = torch.linalg.eigh(covariance)
        variances, axes = variances.flip(0)[:n], axes.flip(1)[:, :n].T
    known = variances > RANK_TOLERANCE**2 * variances[:1].clamp_min(1e-24)
    variances = torch.where(known, variances, 0.0)
    residual = max(total - float(variances.sum()), 0.0) / (p - n) if p > n else 0.0
    missing = n - len(variances)
    return PrincipalAxes(
        mean,
        torch.cat([axes * known[:, None], axes.new_zeros(missing, p)]),
        torch.cat([variances, variances.new_zeros(missing)]),
        residual,
    )


def _as_rows(batch):
    return batch.flatten(1).cpu().double()


def _covariance(first, batches):
    """Return mean (p,) and covariance (p, p) of `first` and the further batches."""
    origin = first.mean(dim=0)  # so that nothing is lost to a mean far from 0
    total = torch.zeros_like(origin)
    products = torch.zeros(len(origin), len(origin), dtype=torch.float64)
    n_rows, batch = 0, first
    while batch is not None:
        centred = batch - origin
        total += centred.sum(dim=0)
        products.addmm_(centred.T, centred)
        n_rows += len(batch)
        batch = next(batches, None)
        batch = None if batch is None else _as_rows(batch)
    shift = total / n_rows
    return origin + shift, products / n_rows - torch.outer(shift, shift)


def _of_a_sample(x, n):
    """Return mean, total variance, and the leading variances and axes of rows (n_rows, p), fewer rows than values."""
    mean = x.mean(dim=0)
    x = x - mean
    variances, left = torch.linalg.eigh(x @ x.T / len(x))
    variances, left = variances.flip(0)[:n].clamp_min(0), left.flip(1)[:, :n]
    axes = (left / (variances * len(x)).sqrt().clamp_min(1e-300)).T @ x
    return mean, float(x.square().sum()) / len(x), variances, axes


@torch.no_grad()
def set_linear(layer, weight, bias):
    """Set the leading rows of a linear layer, in place, and the rest to zero.

    Parameters
    ----------
    layer : ScaledLinear
    weight : Tensor of shape (k, n_in)
        k at most the layer's number of outputs.
    bias : Tensor of shape (k,)
    """
    for parameter, values in ((layer.unscaled_weight, weight), (layer.unscaled_bias, bias)):
        parameter.zero_()
        parameter[: len(values)] = (values / layer.scale).to(parameter)


@torch.no_grad()
def whiten(network, scales):
    """Divide the columns of a network's first layer by the `scales` (n_in,) of its inputs, in place."""
    first = next(part for part in network.modules() if isinstance(part, nn.Linear))
    first.weight /= torch.where(scales > 0, scales, 1.0).to(first.weight)

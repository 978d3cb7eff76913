"""Encoder and decoder of series: a linear path from patches to code vectors, and a convolutional network beside it.

A series of `length` steps with C channels is an image (1, length, C) of one row, cut into patches of consecutive steps,
one per code position. The linear path starts at the principal components of the patches, as that of images does
(:func:`~skvq.nn.images.start_from_pca`), and the network beside it starts at zero.

A block of the network has two residual parts: a depthwise convolution over `KERNEL` positions [1]_, and a two-layer
network over the channels. All weights but the vectors of positions are shared over time, so that the cost is linear in
the length.

References
----------
.. [1] S. Bai, J. Z. Kolter, V. Koltun, "An Empirical Evaluation of Generic Convolutional and Recurrent Networks for
   Sequence Modeling", arXiv:1803.01271, 2018, for convolutions over time in place of recurrence.
"""

from __future__ import annotations

import functools
import math

import torch.nn.functional as F
from torch import nn

from .draws import uniform
from .images import PatchGrid, PathAndNetwork, _ChannelMixing

# Positions that a convolution sees: itself and three on either side.
KERNEL = 7
# Shortest and longest automatic patch of a series, in steps.
PATCH_LENGTHS = 2, 256


def automatic_positions(length):
    """Return the number of patches for series of so many steps.

    A patch has the power of two from 2 to 256 that is nearest to 0.8 √length, so that patches are about as many as they
    are long.

    Examples
    --------
    >>> [automatic_positions(length) for length in (8, 24, 100, 150, 427, 1_460, 10_000)]
    [4, 6, 13, 19, 27, 46, 157]
    """
    patch = 2 ** round(math.log2(0.8 * math.sqrt(length)))
    return math.ceil(length / min(max(patch, PATCH_LENGTHS[0]), PATCH_LENGTHS[1]))


class _TimeMixing(nn.Module):
    """x + a filter of each channel over `KERNEL` positions: (b, m, c) stays (b, m, c)."""

    def __init__(self, channels, generator):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.weight = uniform((channels, 1, KERNEL), 100 * KERNEL, generator)

    def forward(self, x):
        mixed = F.conv1d(self.norm(x).transpose(1, 2), self.weight, padding=KERNEL // 2, groups=x.shape[2])
        return x + mixed.transpose(1, 2)


def series_blocks(channels, n_blocks, expansion, generator):
    """Return `n_blocks` residual blocks over vectors at positions in time: (b, m, channels) stays that shape."""
    parts = []
    for _ in range(n_blocks):
        parts += [_TimeMixing(channels, generator), _ChannelMixing(channels, expansion, generator)]
    return nn.Sequential(*parts)


def _blocks_of(channels, n_blocks, expansion):
    """Return what makes the blocks of a network of series, None where it has none."""
    return functools.partial(series_blocks, channels, n_blocks, expansion) if n_blocks > 0 else None


class SeriesEncoder(nn.Module):
    """Code vectors of series.

    Series (128, 1, 100, 6) at 13 positions with ``code_dim=32`` become vectors (128, 13, 32).

    Parameters
    ----------
    series_shape : tuple of int (1, length, C)
        Any length and number of channels.
    n_positions : int
        From 1 to the length. Patches have ceil(length / n_positions) steps; where they cover more than the series, its
        first and last step are repeated.
    code_dim : int, default=32
        Length of a code vector.
    channels : int, default=192
        Width of the network.
    n_blocks : int, default=2
        Blocks of the network; with 0 the encoder is linear.
    expansion : int, default=2
        Width of the hidden layer over the channels, in multiples of `channels`.
    generator : torch.Generator, optional
        Draws the initial weights. Without one they are drawn from a generator seeded with 0.
    """

    def __init__(
        self, series_shape, n_positions, code_dim=32, channels=192, n_blocks=2, *, expansion=2, generator=None
    ):
        super().__init__()
        self.grid = PatchGrid(series_shape, (1, n_positions))
        blocks = _blocks_of(channels, n_blocks, expansion)
        self.map = PathAndNetwork(self.grid.patch_size, code_dim, n_positions, channels, blocks, generator)

    def forward(self, x):
        """Series (b, 1, length, C) → z (b, n_positions, code_dim), float32."""
        return self.map(self.grid.cut(x))


class SeriesDecoder(nn.Module):
    """Series of code vectors: the mirror of :class:`SeriesEncoder`, with the same parameters.

    Vectors (128, 13, 32) become series (128, 1, 100, 6).
    """

    def __init__(
        self, series_shape, n_positions, code_dim=32, channels=192, n_blocks=2, *, expansion=2, generator=None
    ):
        super().__init__()
        self.grid = PatchGrid(series_shape, (1, n_positions))
        blocks = _blocks_of(channels, n_blocks, expansion)
        self.map = PathAndNetwork(code_dim, self.grid.patch_size, n_positions, channels, blocks, generator)

    def forward(self, z):
        """Code vectors (b, n_positions, code_dim) → series (b, 1, length, C), float32."""
        return self.grid.join(self.map(z))


class FlatEncoder(nn.Module):
    """Shows a network of rows (b, n_features) series (b, 1, length, C).

    Parameters
    ----------
    rows : torch.nn.Module
        (b, length · C) → whatever it returns.
    """

    def __init__(self, rows):
        super().__init__()
        self.rows = rows

    def forward(self, x):
        """Series (b, 1, length, C) → what `rows` makes of them."""
        return self.rows(x.flatten(1))


class FlatDecoder(nn.Module):
    """Lays the rows of a network out as series: the mirror of :class:`FlatEncoder`.

    Parameters
    ----------
    rows : torch.nn.Module
        Anything → (b, length · C).
    series_shape : tuple of int (1, length, C)
    """

    def __init__(self, rows, series_shape):
        super().__init__()
        self.rows = rows
        self.series_shape = tuple(series_shape)

    def forward(self, z):
        """Whatever `rows` takes → series (b, 1, length, C)."""
        return self.rows(z).unflatten(1, self.series_shape)

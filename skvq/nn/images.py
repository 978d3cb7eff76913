"""Encoder and decoder of images: a linear path from patches to code vectors, and a convolutional network beside it.

An image is cut into one patch per code position, and all layers work on the grid of positions. The linear path starts
at the principal components of the patches (`start_from_pca`), and the network beside it starts at zero. So training
begins at the best linear code of its kind.

A block of the network has two residual parts: a depthwise 3×3 convolution [1]_ and a two-layer network over the
channels. Both share their weights over the positions. For images that are aligned, such as centred digits, a linear map
over the positions [2]_ can stand between them. It departs from its source: there is a matrix for each of several groups
of channels, and none where the grid is large (`MAX_MIXED_POSITIONS`).

References
----------
.. [1] Z. Liu, H. Mao, C.-Y. Wu, C. Feichtenhofer, T. Darrell, S. Xie, "A ConvNet for the 2020s", CVPR 2022.
.. [2] H. Touvron et al., "ResMLP: Feedforward networks for image classification with data-efficient training",
   IEEE TPAMI 45(4), 2023.
"""

from __future__ import annotations

import functools
import math

import torch
import torch.nn.functional as F
from torch import nn

from .draws import default_generator, linear, uniform

# The matrices over positions grow with the fourth power of the grid's side; above 16 × 16 they are left out.
MAX_MIXED_POSITIONS = 256
# Groups of channels that mix positions with a matrix of their own.
N_MIXING_GROUPS = 8
# Images that are cut into patches at once.
PIECE_ROWS = 256


def automatic_grid(image_shape):
    """Return a grid (h, w) for images (H, W, C): a cell for every s × s pixels.

    s from 2 to 8 is the power of two that brings the shorter side nearest to 7 cells.

    Examples
    --------
    >>> automatic_grid((28, 28, 1)), automatic_grid((8, 8, 1)), automatic_grid((64, 96, 3))
    ((7, 7), (4, 4), (8, 12))
    """
    height, width, _ = image_shape
    stride = 2 ** max(1, min(3, round(math.log2(min(height, width) / 7))))
    return math.ceil(height / stride), math.ceil(width / stride)


class PatchGrid:
    """How an image of (H, W, C) is cut into h × w patches, and put together again.

    A patch is ceil(H / h) × ceil(W / w) pixels. Where the patches cover more than the image, its edge pixels are
    repeated on both sides (replicate), and the surplus is cropped on the way back. Images (128, 28, 28, 1) on a
    7 × 7 grid become patches (128, 49, 16), row-major over the grid, over the pixels of a patch, and over their
    channels.

    Parameters
    ----------
    image_shape : tuple of int (H, W, C)
    code_shape : tuple of int (h, w)
        h from 1 to H, w from 1 to W.
    """

    def __init__(self, image_shape, code_shape):
        self.height, self.width, self.n_channels = image_shape
        self.rows, self.columns = code_shape
        self.stride = math.ceil(self.height / self.rows), math.ceil(self.width / self.columns)
        self.top = (self.rows * self.stride[0] - self.height) // 2
        self.left = (self.columns * self.stride[1] - self.width) // 2
        self.n_positions = self.rows * self.columns
        self.patch_size = self.stride[0] * self.stride[1] * self.n_channels

    def cut(self, x):
        """Patches (b, h*w, patch_size) of images (b, H, W, C)."""
        bottom = self.rows * self.stride[0] - self.height - self.top
        right = self.columns * self.stride[1] - self.width - self.left
        if self.top or self.left or bottom or right:
            padded = F.pad(x.permute(0, 3, 1, 2), (self.left, right, self.top, bottom), mode="replicate")
            x = padded.permute(0, 2, 3, 1)
        x = x.reshape(-1, self.rows, self.stride[0], self.columns, self.stride[1], self.n_channels)
        return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, self.n_positions, self.patch_size)

    def join(self, patches):
        """Images (b, H, W, C) of patches (b, h*w, patch_size)."""
        x = patches.reshape(-1, self.rows, self.columns, *self.stride, self.n_channels).permute(0, 1, 3, 2, 4, 5)
        x = x.reshape(-1, self.rows * self.stride[0], self.columns * self.stride[1], self.n_channels)
        return x[:, self.top : self.top + self.height, self.left : self.left + self.width]


def moved(x, most, generator):
    """Images (b, H, W, C) shifted and, in half of the calls, mirrored: other images of the same kind.

    Parameters
    ----------
    x : Tensor of shape (b, H, W, C)
    most : tuple of int (rows, columns)
        Longest shift, by which all images are shifted alike. Pixels beyond the edge are those before it, mirrored.
    generator : torch.Generator
        Draws the shift, and whether left and right change places.
    """
    (down, right), mirrored = _shift(x.shape[1:3], most, generator), torch.rand((), generator=generator) < 0.5
    x = x.flip(2) if mirrored else x
    padded = F.pad(x.permute(0, 3, 1, 2), (abs(right), abs(right), abs(down), abs(down)), mode="reflect")
    height, width = x.shape[1:3]
    top, left = abs(down) + down, abs(right) + right
    return padded.permute(0, 2, 3, 1)[:, top : top + height, left : left + width]


def _shift(size, most, generator):
    """Draw a shift (down, right) in pixels, each shorter than the side of an image."""
    longest = [min(longest, side - 1) for longest, side in zip(most, size)]
    return [int(torch.randint(-m, m + 1, (), generator=generator)) for m in longest]


class _NeighbourMixing(nn.Module):
    """x + a 3×3 filter of each channel over the grid: (b, h*w, c) stays (b, h*w, c)."""

    def __init__(self, channels, code_shape, generator):
        super().__init__()
        self.code_shape = tuple(code_shape)
        self.norm = nn.LayerNorm(channels)
        self.weight = uniform((channels, 1, 3, 3), 900, generator)

    def forward(self, x):
        b, m, c = x.shape
        grid = self.norm(x).view(b, *self.code_shape, c).permute(0, 3, 1, 2)  # (b, c, h, w), channels last in memory
        mixed = F.conv2d(grid, self.weight, padding=1, groups=c)
        return x + mixed.permute(0, 2, 3, 1).reshape(b, m, c)


class _PositionMixing(nn.Module):
    """x + a linear map over all positions, one for each group of channels: (b, m, c) stays (b, m, c)."""

    def __init__(self, channels, n_positions, generator):
        super().__init__()
        self.n_groups = math.gcd(channels, N_MIXING_GROUPS)
        self.norm = nn.LayerNorm(channels)
        self.weight = uniform((self.n_groups, n_positions, n_positions), 100 * n_positions, generator)

    def forward(self, x):
        b, m, c = x.shape
        g = self.n_groups
        grouped = self.norm(x).view(b, m, g, c // g).permute(2, 1, 0, 3).reshape(g, m, b * c // g)
        mixed = torch.bmm(self.weight, grouped).view(g, m, b, c // g)
        return x + mixed.permute(2, 1, 0, 3).reshape(b, m, c)


class _ChannelMixing(nn.Module):
    """x + a network of two layers at each position: (b, m, c) stays (b, m, c). It starts as the identity."""

    def __init__(self, channels, expansion, generator):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.widen = linear(channels, expansion * channels, generator)
        self.narrow = linear(expansion * channels, channels, None)

    def forward(self, x):
        return x + self.narrow(F.relu(self.widen(self.norm(x))))


def grid_blocks(code_shape, channels, n_blocks, expansion, generator, *, mixes_positions=True):
    """Return `n_blocks` residual blocks over vectors at grid positions: (b, h*w, channels) stays that shape.

    `mixes_positions` says whether small grids get maps over their positions.
    """
    m = code_shape[0] * code_shape[1]
    parts = []
    for _ in range(n_blocks):
        parts.append(_NeighbourMixing(channels, code_shape, generator))
        if mixes_positions and m <= MAX_MIXED_POSITIONS:
            parts.append(_PositionMixing(channels, m, generator))
        parts.append(_ChannelMixing(channels, expansion, generator))
    return nn.Sequential(*parts)


class _Network(nn.Module):
    """The network beside a linear path: (b, m, in_size) → (b, m, out_size), zero at first."""

    def __init__(self, in_size, out_size, n_positions, channels, make_blocks, generator):
        super().__init__()
        self.stem = linear(in_size, channels, generator)
        self.position = nn.Parameter(torch.zeros(n_positions, channels))
        self.blocks = make_blocks(generator=generator)
        self.norm = nn.LayerNorm(channels)
        self.head = linear(channels, out_size, None)

    def forward(self, x):
        x = self.stem(x)
        return self.head(self.norm(self.blocks(x + self.position.to(x.dtype))))


class PathAndNetwork(nn.Module):
    """linear(x) + network(x) over vectors at positions: (b, m, in_size) → (b, m, out_size), float32.

    Parameters
    ----------
    in_size, out_size, n_positions, channels : int
    make_blocks : callable or None
        Returns the blocks of the network, (b, m, channels) → (b, m, channels), drawn from its argument `generator`.
        None: there is no network.
    generator : torch.Generator or None
    """

    def __init__(self, in_size, out_size, n_positions, channels, make_blocks, generator):
        super().__init__()
        if generator is None:
            generator = default_generator()
        self.linear = linear(in_size, out_size, generator)
        self.network = None
        if make_blocks is not None:
            self.network = _Network(in_size, out_size, n_positions, channels, make_blocks, generator)

    def forward(self, x):
        """(b, m, in_size) → (b, m, out_size), float32."""
        # In full precision: rounding here would cost more than the codes of the network gain.
        with torch.autocast(x.device.type, enabled=False):
            straight = self.linear(x.float())
        return straight if self.network is None else straight + self.network(x).float()


def _blocks_of(code_shape, channels, n_blocks, expansion, mixes_positions):
    """Return what makes the blocks of a network of images, None where it has none."""
    if n_blocks == 0:
        return None
    return functools.partial(grid_blocks, code_shape, channels, n_blocks, expansion, mixes_positions=mixes_positions)


class ConvEncoder(nn.Module):
    """Code vectors of images.

    Images (128, 28, 28, 1) on a 7 × 7 grid with ``code_dim=32`` become vectors (128, 49, 32), row-major over the grid.

    Parameters
    ----------
    image_shape : tuple of int (H, W, C)
        Any height, width and number of channels.
    code_shape : tuple of int (h, w)
        h from 1 to H, w from 1 to W. See :class:`PatchGrid` for grids that do not divide the image.
    code_dim : int, default=32
        Length of a code vector.
    channels : int, default=128
        Width of the network.
    n_blocks : int, default=2
        Blocks of the network; with 0 the encoder is linear.
    expansion : int, default=2
        Width of the hidden layer over the channels, in multiples of `channels`.
    mixes_positions : bool, default=False
        Whether the network has maps over all positions, on grids of at most 256: for images that are aligned.
    generator : torch.Generator, optional
        Draws the initial weights; the global generator is never touched. Without one the weights are drawn from a
        generator seeded with 0 (as good as any, where a state dictionary is loaded next).
    """

    def __init__(
        self,
        image_shape,
        code_shape,
        code_dim=32,
        channels=128,
        n_blocks=2,
        *,
        expansion=2,
        mixes_positions=False,
        generator=None,
    ):
        super().__init__()
        self.grid = PatchGrid(image_shape, code_shape)
        blocks = _blocks_of(code_shape, channels, n_blocks, expansion, mixes_positions)
        sizes = self.grid.patch_size, code_dim, self.grid.n_positions, channels
        self.map = PathAndNetwork(*sizes, blocks, generator)

    def forward(self, x):
        """Images (b, H, W, C) → z (b, h*w, code_dim), float32."""
        return self.map(self.grid.cut(x))


class ConvDecoder(nn.Module):
    """Images of code vectors: the mirror of :class:`ConvEncoder`, with the same parameters.

    Vectors (128, 49, 32) on a 7 × 7 grid become images (128, 28, 28, 1).
    """

    def __init__(
        self,
        image_shape,
        code_shape,
        code_dim=32,
        channels=128,
        n_blocks=2,
        *,
        expansion=2,
        mixes_positions=False,
        generator=None,
    ):
        super().__init__()
        self.grid = PatchGrid(image_shape, code_shape)
        blocks = _blocks_of(code_shape, channels, n_blocks, expansion, mixes_positions)
        sizes = code_dim, self.grid.patch_size, self.grid.n_positions, channels
        self.map = PathAndNetwork(*sizes, blocks, generator)

    def forward(self, z):
        """Code vectors (b, h*w, code_dim) → images (b, H, W, C), float32."""
        return self.grid.join(self.map(z))


def _moments(pieces):
    """Return the mean (d,) of patches, tensors (b, m, d), and their products around it, (d, d), in float64."""
    n = sum(patches.shape[0] * patches.shape[1] for patches in pieces)
    mean = sum(patches.double().sum(dim=(0, 1)) for patches in pieces) / n
    scatter = torch.zeros(len(mean), len(mean), dtype=torch.float64)
    for patches in pieces:
        centred = patches.double().flatten(0, 1) - mean
        scatter += centred.T @ centred
    return mean, scatter


@torch.no_grad()
def start_from_pca(encoder, decoder, x):
    """Set the linear paths to the principal components of the patches of a sample, in place.

    Afterwards the linear part of ``encoder(x)`` holds the coordinates of each patch along the leading components,
    around the mean patch, and that of ``decoder(z)`` is the patch with these coordinates. Entries of a code vector
    beyond the size of a patch are 0, and mean nothing to the decoder, until they are trained.

    Parameters
    ----------
    encoder : ConvEncoder
    decoder : ConvDecoder
        For the same images, grid and code size.
    x : Tensor of shape (n, H, W, C)
        Standardised images.
    """
    mean, scatter = _moments([encoder.grid.cut(piece) for piece in x.split(PIECE_ROWS)])
    _, components = torch.linalg.eigh(scatter)  # columns, by increasing variance
    into, out_of = encoder.map.linear, decoder.map.linear
    n = min(into.out_features, encoder.grid.patch_size)
    leading = components.flip(1)[:, :n]
    for layer in (into, out_of):
        layer.weight.zero_()
        layer.bias.zero_()
    into.weight[:n] = leading.T.to(into.weight)
    into.bias[:n] = -(leading.T @ mean).to(into.bias)
    out_of.weight[:, :n] = leading.to(out_of.weight)
    out_of.bias.copy_(mean)

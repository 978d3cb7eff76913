"""Context of every position of a grid: the codes before it, and another grid that is known as a whole."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..draws import undrawn

# Rows of up to so many codes get weights of their own for every pair of positions.
LONGEST_PAIRED_ROW = 32
# Codes from which on those that a batch lacks are left out of the products.
MANY_CODES = 1024
# Values of the products of all codes that an accelerator makes: else its host would wait for the codes of the batch.
LARGEST_TABLE = 2**26
# Offsets whose gradient is made at once, so that its memory is bounded.
OFFSETS_AT_ONCE = 16


def shares_offsets(grid_shape):
    """Whether pairs of positions at the same offset share their weights, in grids and long rows (h, w)."""
    height, width = grid_shape
    return height > 1 or width > LONGEST_PAIRED_ROW


class _SumsAtOffsets(torch.autograd.Function):
    """The sums of :meth:`EarlierCodes.lookup` at all positions of a grid, with a gradient that sorts the codes once.

    A row of the table is added at the targets that lie at its offset from the sources that have its code. In the order
    of codes these sources lie side by side, whatever the offset, so the gradient of the table is made of sums over
    neighbours. That of an embedding bag would sort all pairs of a source and a target. Both add in the same order.
    """

    @staticmethod
    def forward(ctx, table, sums, codes, weights, n_codes):
        ctx.sums, ctx.n_codes = sums, n_codes
        ctx.save_for_backward(codes, weights)
        return sums.lookup(table, codes, 0, codes.shape[1], weights, n_codes)

    @staticmethod
    def backward(ctx, gradient):
        sums, (codes, weights) = ctx.sums, ctx.saved_tensors
        n_codes = sums.n_codes if ctx.n_codes is None else ctx.n_codes
        (height, width), c = sums.grid_shape, gradient.shape[-1]
        flat = codes.flatten()
        order = flat.argsort(stable=True)
        weights = None if weights is None else weights.flatten()[order]
        counts = torch.bincount(flat, minlength=n_codes)
        starts = (counts.cumsum(0) - counts).int()
        sources = order.int()
        i, j = sources // width % height, sources % width
        padded = F.pad(gradient.reshape(-1, c), (0, 0, 0, 1))  # the last row, of zeros, is that of targets outside
        found = []
        for down, right in (shifts.unsqueeze(2).unbind(1) for shifts in sums.shifts.split(OFFSETS_AT_ONCE)):
            column = j + right  # (offsets, b * h * w)
            outside = (i + down >= height) | (column < 0) | (column >= width)
            targets = (sources + (down * width + right)).masked_fill_(outside, len(flat))
            bags = starts + len(flat) * torch.arange(len(down), dtype=torch.int32)[:, None]
            repeated = None if weights is None else weights.expand(len(down), -1).flatten()
            found.append(
                F.embedding_bag(targets.flatten(), padded, bags.flatten(), mode="sum", per_sample_weights=repeated)
            )
        return torch.cat(found), None, None, None, None


class EarlierCodes(nn.Module):
    """Sum, at every position, of one vector per earlier position, chosen by where that position lies and by its code.

    Codes (32, 7, 7) become (32, 7, 7, channels). It is the masked convolution of the embedded codes with a kernel as
    large as `reach`. With K codes and R offsets there are only K * R different products of an embedded code and a
    column of the kernel, so these are multiplied out once, into a table, and the convolution becomes a sum of looked-up
    rows: for a kernel over a whole 7x7 grid, a tenth of the time of a convolution, and less.

    Parameters
    ----------
    n_codes : int
        Number of different codes K.
    grid_shape : tuple of int (h, w)
        Shape of the grids.
    embedding_dim : int
        Length of an embedded code.
    channels : int
        Length of the sum.
    reach : int
        Positions more than `reach` rows or columns away are left out.
    whole_rows_only : bool
        Leave out the position's own row (the vertical stack), or take what lies left of it as well.
    shared : bool
        Whether the weights belong to an offset (rows up, columns left), as in a convolution, or to a pair of positions,
        as a table row needs, whose columns have nothing in common.
    """

    def __init__(self, n_codes, grid_shape, embedding_dim, channels, reach, *, whole_rows_only, shared):
        super().__init__()
        self.n_codes, self.channels, self.grid_shape = n_codes, channels, grid_shape
        sources, offsets, self.starts, numbers = [], [], [0], {}
        height, width = grid_shape
        for target in range(height * width):
            i, j = divmod(target, width)
            columns = range(max(0, j - reach), min(width, j + reach + 1))
            for row in range(max(0, i - reach), i if whole_rows_only else i + 1):
                for column in columns if row < i else range(columns.start, j):
                    source = row * width + column
                    key = (i - row, j - column) if shared else (target, source)
                    sources.append(source)
                    offsets.append(numbers.setdefault(key, len(numbers)))
            self.starts.append(len(sources))
        self.register_buffer("sources", torch.tensor(sources, dtype=torch.int64), persistent=False)
        self.register_buffer("offsets", torch.tensor(offsets, dtype=torch.int64) * n_codes, persistent=False)
        self.register_buffer("bounds", torch.tensor(self.starts, dtype=torch.int64), persistent=False)
        shifts = torch.tensor(list(numbers), dtype=torch.int32) if shared else None  # (R, 2): rows down, columns right
        self.register_buffer("shifts", shifts, persistent=False)
        self.fan_in = embedding_dim * max(1.0, len(sources) / (height * width))
        self.weight = nn.Parameter(torch.empty(len(numbers) * channels, embedding_dim))

    def table(self, embedding):
        """All vectors that a sum of these K codes can contain, (R * K, channels), from (K, embedding_dim)."""
        products = F.linear(embedding, self.weight).float().view(len(embedding), -1, self.channels)
        return products.transpose(0, 1).reshape(-1, self.channels)

    def lookup(self, table, codes, first, last, weights=None, n_codes=None):
        """Sums (b, last - first, channels) at the positions first, ..., last - 1, from `codes` (b, h * w).

        The vectors of a code are multiplied by its weight, if there are `weights` (b, h * w). `n_codes` is the number
        of codes that the table is of, if these are not all.
        """
        start, stop = self.starts[first], self.starts[last]
        b, count = len(codes), last - first
        if start == stop:
            return table.new_zeros(b, count, self.channels)
        offsets = self.offsets[start:stop]
        if n_codes is not None:
            offsets = offsets // self.n_codes * n_codes
        rows = codes[:, self.sources[start:stop]] + offsets  # (b, stop - start)
        shifts = torch.arange(b, device=codes.device)[:, None] * (stop - start)
        bags = (self.bounds[first:last] - start) + shifts  # (b, count)
        if weights is not None:
            weights = weights[:, self.sources[start:stop]].flatten()
        sums = F.embedding_bag(rows.flatten(), table, bags.flatten(), mode="sum", per_sample_weights=weights)
        return sums.view(b, count, self.channels)

    def forward(self, codes, embedding, weights=None):
        """Sums (b, h, w, channels) for `codes` (b, h, w) int64, embedded as `embedding` (K, embedding_dim)."""
        shape, n_used = codes.shape, None
        fits = not codes.is_cpu and len(self.weight) * self.n_codes <= LARGEST_TABLE
        if self.n_codes > MANY_CODES and not fits:  # a table of those that are there is smaller
            used, codes = codes.unique(return_inverse=True)
            embedding, n_used = embedding[used], len(used)
        table, codes = self.table(embedding), codes.flatten(1)
        if table.requires_grad and codes.is_cpu and self.shifts is not None:
            sums = _SumsAtOffsets.apply(table, self, codes, weights, n_used)
        else:
            sums = self.lookup(table, codes, 0, codes.shape[1], weights, n_used)
        return sums.view(*shape, self.channels)


class OtherCodes(nn.Module):
    """Features, at every position of a grid, of the codes of another grid, which is known as a whole.

    Codes (32, 4, 4) of a coarse grid become features (32, 7, 7, channels) of a fine one: codes are embedded, with
    their position, and convolved with their neighbours, interpolated bilinearly, and convolved again on the fine grid.

    Parameters
    ----------
    n_codes : int
        Number of different codes of the other grid.
    other_shape : tuple of int (h1, w1)
        Shape of the other grid, of any size.
    grid_shape : tuple of int (h, w)
        Shape of the grid that is told.
    embedding_dim : int
        Length of an embedded code.
    channels : int
        Length of the features.
    """

    def __init__(self, n_codes, other_shape, grid_shape, embedding_dim, channels):
        super().__init__()
        self.other_shape, self.grid_shape = tuple(other_shape), tuple(grid_shape)
        self.embedding = undrawn(nn.Embedding, n_codes, embedding_dim)
        self.other_position = nn.Parameter(torch.empty(*other_shape, embedding_dim))
        self.near = undrawn(nn.Conv2d, embedding_dim, channels, 3, padding=1)
        self.far = undrawn(nn.Conv2d, channels, channels, 3, padding=1)
        self.position = nn.Parameter(torch.empty(*grid_shape, channels))

    def forward(self, codes):
        """Features (b, h, w, channels) for `codes` (b, h1, w1) int64."""
        x = (self.embedding(codes) + self.other_position).permute(0, 3, 1, 2)  # (b, e, h1, w1)
        x = F.interpolate(self.near(x), self.grid_shape, mode="bilinear", align_corners=False)  # (b, c, h, w)
        x = x + self.position.permute(2, 0, 1)
        x = x + self.far(F.relu(x))
        return F.relu(x.permute(0, 2, 3, 1))

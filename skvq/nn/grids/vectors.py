"""Learned vectors of codes that start from, and share, what the vectors of their codebooks have in common."""

import math

import torch
import torch.nn.functional as F
from torch import nn

# Parameters of the head, which start at zero.
STARTS_AT_ZERO = ("output.weight", "output.map", "groups.weight")
# First standard deviation of the free part of an embedding, beside a map of known vectors, as a share of the map's.
FREE_SHARE = 0.3


class CodeTable(nn.Module):
    """A learned vector for each code of each codebook, (n_books * n_codes, width).

    Where the vectors of the codebooks are known, a linear map of these is added to a vector that is learned freely, so
    that what is learned of one code is learned of its neighbours too.

    Parameters
    ----------
    n_rows : int
        Codes of all codebooks together.
    width : int
        Length of a learned vector.
    code_dim : int, default=0
        Length of the known vectors; 0 for none.
    """

    def __init__(self, n_rows, width, code_dim=0):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_rows, width))
        self.map = nn.Parameter(torch.empty(width, code_dim)) if code_dim else None

    def share(self, std, generator):
        """Draw the map so that its vectors have a standard deviation; leave the free part, drawn before, a share."""
        self.map.normal_(0.0, std / math.sqrt(self.map.shape[1]), generator=generator)
        self.weight.mul_(FREE_SHARE)

    def forward(self, vectors):
        """Return the table (n_rows, width), given the known vectors (n_books, n_codes, code_dim), or None."""
        return self.weight if self.map is None else self.weight + F.linear(vectors.flatten(0, 1), self.map)


class KnownVectors(nn.Module):
    """The vectors of the codebooks of a grid, and the codebook of each position.

    Position p, in raster order, has the codebook p modulo `n_books`: one for all, one for each of the stages of
    residual codes, which lie side by side, or one for each position.

    Parameters
    ----------
    n_codes : int
        Number of codes of a codebook.
    code_dim : int
        Length of a vector; 0 where the vectors are not known.
    n_books : int
        Number of codebooks.
    n_positions : int
        Number of positions, a multiple of `n_books`.
    """

    def __init__(self, n_codes, code_dim, n_books, n_positions):
        super().__init__()
        if n_positions % n_books:
            raise ValueError(f"n_books={n_books} must divide the {n_positions} positions of a grid")
        self.n_codes, self.n_books = n_codes, n_books
        vectors = torch.zeros(n_books, n_codes, code_dim) if code_dim else None
        self.register_buffer("vectors", vectors)
        self.register_buffer("books", torch.arange(n_positions) % n_books, persistent=False)

    def numbered(self, codes):
        """Return codes (b, h, w) numbered over all codebooks, in [0, n_books * n_codes)."""
        return codes if self.n_books == 1 else codes + (self.books * self.n_codes).view(codes.shape[1:])

    def shift(self, position):
        """Return what :meth:`numbered` adds to a code at a position."""
        return position % self.n_books * self.n_codes

    def logits(self, hidden, table):
        """Return logits (b, h, w, n_codes) of features (b, h, w, c): products with a :class:`CodeTable`."""
        weight = table(self.vectors)
        if self.n_books == 1:
            return F.linear(hidden, weight)
        by_position = weight.unflatten(0, (self.n_books, -1))[self.books]  # (m, n_codes, c)
        logits = torch.matmul(hidden.flatten(1, 2).transpose(0, 1), by_position.transpose(1, 2))  # (m, b, n_codes)
        return logits.transpose(0, 1).unflatten(1, hidden.shape[1:3])

    def logits_at(self, position, hidden, table):
        """Return the same at one position: (b, c) becomes (b, n_codes)."""
        first = self.shift(position)
        return F.linear(hidden, table(self.vectors)[first : first + self.n_codes])

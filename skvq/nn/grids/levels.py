"""Gated PixelCNNs of two levels of codes: one of a coarse grid, and one of a fine grid given the coarse codes.

Follows the two priors of VQ-VAE-2 [1]_, ``log p(coarse, fine) = log p(coarse) + log p(fine | coarse)``, where the upper
codes enter the lower prior through a residual network, at every position.

Departures. Both levels are the PixelCNN of :mod:`~skvq.nn.grids.pixelcnn`, without attention, and train together. They
share no weights, so the sum of their losses falls apart into theirs.

References
----------
.. [1] A. Razavi, A. van den Oord, O. Vinyals, "Generating Diverse High-Fidelity Images with VQ-VAE-2", NeurIPS 2019.
"""

from __future__ import annotations

import math
from collections.abc import Generator

import torch

from ..draws import default_generator
from .autoregressive import AutoregressiveGrids
from .pixelcnn import GatedPixelCNN


class TwoLevelPixelCNN(AutoregressiveGrids):
    """Logits of every code given all codes before it, coarse ones first, each grid in raster order.

    With the grids 4 × 4 and 7 × 7, codes (32, 1, 65) become logits (32, 1, 65, n_codes).

    Parameters
    ----------
    n_codes : int
        Number of different codes of both levels.
    grid_shapes : ((h1, w1), (h2, w2))
        The coarse and the fine grid, of any size.
    channels, n_layers, kernel_size, dilations, dropout
        Of both levels, as in :class:`~skvq.nn.grids.pixelcnn.GatedPixelCNN`.
    condition_size : int, default=0
        Length of a vector that both levels are conditioned on.
    code_dim : int, default=0
        Length of the vectors that codes stand for, see :meth:`set_vectors`; 0 where they are not known.
    generator : torch.Generator, optional
        Draws the initial weights; without one they are drawn from a generator seeded with 0.

    Attributes
    ----------
    grid_shape : tuple of int
        (1, h1 · w1 + h2 · w2): all codes of a row, in the order in which they are drawn.
    marginals : Tensor of shape (1, h1 · w1 + h2 · w2, n_codes)
        The biases of both levels' logits.
    """

    def __init__(
        self,
        n_codes,
        grid_shapes,
        *,
        channels=64,
        n_layers=2,
        kernel_size=3,
        dilations=(1,),
        dropout=0.0,
        condition_size=0,
        code_dim=0,
        generator=None,
    ):
        super().__init__()
        sizes = {
            "channels": channels,
            "n_layers": n_layers,
            "kernel_size": kernel_size,
            "dilations": dilations,
            "dropout": dropout,
            "condition_size": condition_size,
            "code_dim": code_dim,
            "generator": default_generator() if generator is None else generator,
        }
        self.n_codes, self.condition_size, self.groups = n_codes, condition_size, None  # its levels have their own
        self.coarse = GatedPixelCNN(n_codes, grid_shapes[0], **sizes)
        self.fine = GatedPixelCNN(n_codes, grid_shapes[1], context_shape=grid_shapes[0], **sizes)
        self.n_coarse = math.prod(self.coarse.grid_shape)
        self.grid_shape = 1, self.n_coarse + math.prod(self.fine.grid_shape)

    @property
    def marginals(self):
        """The biases of both levels' logits, (1, h1 · w1 + h2 · w2, n_codes)."""
        return torch.cat([level.marginals.flatten(0, 1) for level in (self.coarse, self.fine)])[None]

    def set_marginals(self, codes, condition=None, *, smoothing=1.0):
        """Start both levels at the log-frequencies of `codes` (b, 1, h1 · w1 + h2 · w2), given one-hot conditions."""
        coarse, fine = self._levels(codes)
        self.coarse.set_marginals(coarse, condition, smoothing=smoothing)
        self.fine.set_marginals(fine, condition, smoothing=smoothing)

    def set_vectors(self, vectors):
        """Tell the levels the vectors (2, n_codes, code_dim) that their codes stand for, of a mean square about 1."""
        self.coarse.set_vectors(vectors[:1])
        self.fine.set_vectors(vectors[1:])

    def forward(self, codes, condition=None):
        """Logits (b, 1, h1 · w1 + h2 · w2, n_codes), float32, of `codes` (b, 1, h1 · w1 + h2 · w2) int64."""
        coarse, fine = self._levels(codes)
        logits = self.coarse(coarse, condition), self.fine(fine, condition, coarse)
        return torch.cat([level.flatten(1, 2) for level in logits], dim=1)[:, None]

    def stream_logits(self, n, condition=None) -> Generator[torch.Tensor, torch.Tensor, None]:
        """Yield the logits (n, n_codes) of one position after the other, and take the codes (n,) chosen there."""
        stream, coarse = self.coarse.stream_logits(n, condition), []
        logits = next(stream)
        while True:
            coarse.append((yield logits))
            if len(coarse) == self.n_coarse:
                break
            logits = stream.send(coarse[-1])
        context = torch.stack(coarse, dim=1).view(n, *self.coarse.grid_shape)
        yield from self.fine.stream_logits(n, condition, context)

    def _levels(self, codes):
        """Codes (b, 1, h1 · w1 + h2 · w2) as grids (b, h1, w1) and (b, h2, w2)."""
        coarse, fine = codes[:, 0].tensor_split([self.n_coarse], dim=1)
        return coarse.unflatten(1, self.coarse.grid_shape), fine.unflatten(1, self.fine.grid_shape)

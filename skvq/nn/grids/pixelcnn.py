"""Gated PixelCNN over grids of integer codes.

Follows "Conditional Image Generation with PixelCNN Decoders" (van den Oord et al., 2016b): a vertical stack that sees
the rows above, a horizontal stack that sees the row to the left, gated activations, no blind spot.

Departs from it, because grids of codes are not images:

- the first, shifted convolutions are sums of looked-up vectors (see :mod:`~skvq.nn.grids.context`), cheap enough to
  see the whole grid up to 8x8, or all of a row of up to 32 codes, at once; in such a row the weights belong to pairs of
  positions, since the columns of a table, unlike the pixels of an image, have no neighbourhood in common;
- a learned embedding of the target position enters both stacks;
- a condition enters every gate, and the first sums of the horizontal stack with weights for every position (the paper
  has one or the other);
- the logits have a bias per position, in rows one per position and class, which :meth:`GatedPixelCNN.set_marginals`
  starts at the log-frequencies of the training codes: a network whose head starts at zero then starts at the
  likelihood of independent positions, in rows given the class;
- the vertical stack is residual as well, and the first sums and the gates of all layers reach the head through one skip
  connection;
- where the vectors that codes stand for are known, the embedding of a code and its row of the head are a linear map of
  its vector and a vector of its own (:mod:`~skvq.nn.grids.vectors`): neighbouring codes share what is learned of them;
- causality comes from the shape and the shift of the convolutions (a kernel that would be masked is a smaller kernel),
  so no arithmetic is spent on zeros;
- the kernels of a layer may be dilated, to see further on large grids at no cost;
- another grid of codes, known as a whole, may enter at every position, as in the lower prior of [2]_.

References
----------
.. [1] A. van den Oord, N. Kalchbrenner, O. Vinyals, L. Espeholt, A. Graves, K. Kavukcuoglu. "Conditional Image
   Generation with PixelCNN Decoders", NeurIPS 2016.
.. [2] A. Razavi, A. van den Oord, O. Vinyals. "Generating Diverse High-Fidelity Images with VQ-VAE-2", NeurIPS 2019.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..draws import Dropout, default_generator, undrawn
from .autoregressive import AutoregressiveGrids, class_bias
from .context import EarlierCodes, OtherCodes, shares_offsets
from .groups import code_groups
from .sampling import gate, stream_logits
from .vectors import STARTS_AT_ZERO, CodeTable, KnownVectors


def _convolve(x, conv, padding, dilation):
    """Convolve `x` (b, h, w, c) padded by (left, right, top, bottom); channels stay last."""
    x = F.pad(x, (0, 0) + padding).permute(0, 3, 1, 2)  # (b, c, h', w') in channels_last memory
    return F.conv2d(x, conv.weight, conv.bias, dilation=dilation).permute(0, 2, 3, 1)


def _conv(in_channels, out_channels, kernel_size):
    """A convolution whose weights are still to be drawn (no global random number is used)."""
    return undrawn(nn.Conv2d, in_channels, out_channels, kernel_size)


class _GatedLayer(nn.Module):
    """One layer of both stacks: (b, h, w, c) twice becomes (b, h, w, c) three times (vertical, horizontal, gates).

    Kernels are cut to what lies inside the grid; the vertical stack says nothing in the first row.
    """

    def __init__(self, channels, kernel_size, dilation, grid_shape, dropout):
        super().__init__()
        height, width = grid_shape
        half = kernel_size // 2
        self.dilation = dilation
        self.vertical = self.link = None
        if height > 1:
            rows, side = min(half, (height - 2) // dilation), min(half, (width - 1) // dilation)
            self.vertical = _conv(channels, 2 * channels, (rows + 1, 2 * side + 1))
            self.link = undrawn(nn.Linear, 2 * channels, 2 * channels, bias=False)
        self.horizontal = _conv(channels, 2 * channels, (1, min(half, (width - 1) // dilation) + 1))
        self.residual = undrawn(nn.Linear, channels, channels, bias=False)
        self.dropout = Dropout(dropout)  # draws from a private generator, see draws.py

    def forward(self, v, x, condition):
        left = (self.horizontal.weight.shape[3] - 1) * self.dilation
        before_gate = _convolve(x, self.horizontal, (left, 0, 0, 0), self.dilation)
        if self.vertical is not None:
            above = (self.vertical.weight.shape[2] - 1) * self.dilation
            side = self.vertical.weight.shape[3] // 2 * self.dilation
            before_vertical = _convolve(v, self.vertical, (side, side, above, 0), self.dilation)
            if condition is not None:
                before_vertical = before_vertical + condition[0]
            v = v + gate(before_vertical)
            before_gate = before_gate + self.link(before_vertical)
        if condition is not None:
            before_gate = before_gate + condition[1]
        gated = self.dropout(gate(before_gate))
        return v, x + self.residual(gated), gated


class GatedPixelCNN(AutoregressiveGrids):
    """Logits of every code given all codes before it in raster order.

    Codes of shape (32, 7, 7) become logits of shape (32, 7, 7, n_codes); the logits at (i, j) depend on the rows above
    i and on the columns left of j in row i, and on nothing else.

    Parameters
    ----------
    n_codes : int
        Number of different codes K; codes are integers in [0, K).
    grid_shape : tuple of int (h, w), default=(7, 7)
        Any height and width from 1; a table row of m codes is a (1, m) grid.
    channels : int, default=64
        Width of both stacks.
    n_layers : int, default=2
        Gated layers after the first sums; 0 leaves these alone.
    kernel_size : int, default=3
        Odd. The vertical kernels are ``(kernel_size // 2 + 1, kernel_size)``, the horizontal ones
        ``(1, kernel_size // 2 + 1)``, cut to the grid.
    dilations : tuple of int, default=(1,)
        Steps between the rows and columns that a kernel reads, layer after layer, from the start again after the last
        one: (1, 2, 4) with four layers is 1, 2, 4, 1. Up to `reach` they leave no position out.
    embedding_dim : int, default=32
        Length of an embedded code.
    reach : int, default=None
        The first sums take codes up to `reach` rows and columns away. None is 7, and 31 in a row.
    dropout : float in [0, 1), default=0.0
        On the gates of the horizontal stack, on the first sums that reach the head, and on the codes that these sums
        are made of: a code that is dropped is unknown to all positions of its grid.
    condition_size : int, default=0
        Length of a vector that enters every gate of both stacks (a one-hot class, say), and the first sums of the
        horizontal one and the logits of rows with weights for every position; 0 for none. Its norm should be about 1.
    context_shape : tuple of int (h1, w1), default=None
        Shape of another grid of codes, known as a whole, that enters every gate of both stacks and the first sums of
        the horizontal one at every position: see :class:`~skvq.nn.grids.context.OtherCodes`. None for none.
    context_codes : int, default=None
        Number of different codes of that grid; None is `n_codes`.
    code_dim : int, default=0
        Length of the vectors that codes stand for, see :meth:`set_vectors`; 0 where they are not known.
    n_books : int, default=1
        Number of codebooks, see :class:`~skvq.nn.grids.vectors.KnownVectors`.
    generator : torch.Generator, optional
        Draws the initial weights; the global generator is never touched. Without one the weights are drawn from a
        generator seeded with 0 (as good as any, where a state dictionary is loaded next).
    """

    def __init__(
        self,
        n_codes,
        grid_shape=(7, 7),
        *,
        channels=64,
        n_layers=2,
        kernel_size=3,
        dilations=(1,),
        embedding_dim=32,
        reach=None,
        dropout=0.0,
        condition_size=0,
        context_shape=None,
        context_codes=None,
        code_dim=0,
        n_books=1,
        generator=None,
    ):
        super().__init__()
        height, width = grid_shape
        self.n_codes, self.grid_shape, self.condition_size = n_codes, (height, width), condition_size
        self.known = KnownVectors(n_codes, code_dim, n_books, height * width)
        self.embedding = CodeTable(n_books * n_codes, embedding_dim, code_dim)
        reach = (31 if height == 1 else 7) if reach is None else reach
        sums = {"channels": channels, "reach": reach, "shared": shares_offsets(grid_shape)}
        self.above = self.earlier = self.vertical_position = None
        if height > 1:
            self.above = EarlierCodes(n_books * n_codes, self.grid_shape, embedding_dim, whole_rows_only=True, **sums)
            self.vertical_position = nn.Parameter(torch.empty(height, width, channels))
        if height * width > 1:
            self.earlier = EarlierCodes(
                n_books * n_codes, self.grid_shape, embedding_dim, whole_rows_only=False, **sums
            )
        self.horizontal_position = nn.Parameter(torch.empty(height, width, channels))
        self.layers = nn.ModuleList(
            _GatedLayer(channels, kernel_size, dilations[k % len(dilations)], self.grid_shape, dropout)
            for k in range(n_layers)
        )
        self.dropout = Dropout(dropout)
        self.channels, self.condition, self.condition_at = channels, None, None
        if condition_size:
            self.condition_at = undrawn(nn.Linear, condition_size, height * width * channels, bias=False)
            self.condition_at.fan_in = 1  # of a one-hot class
        if condition_size and n_layers:
            self.condition = undrawn(nn.Linear, condition_size, n_layers * 4 * channels, bias=False)
            self.condition.fan_in = 1
        self.context = None
        if context_shape is not None:
            n_others = n_codes if context_codes is None else context_codes
            self.context = OtherCodes(n_others, context_shape, self.grid_shape, embedding_dim, channels)
            self.context_at = undrawn(nn.Linear, channels, channels, bias=False)
            gates = (undrawn(nn.Linear, channels, 4 * channels, bias=False) for _ in range(n_layers))
            self.context_gates = nn.ModuleList(gates)
        self.skip = undrawn(nn.Linear, (n_layers + 1) * channels, 2 * channels)
        self.output = CodeTable(n_books * n_codes, 2 * channels, code_dim)
        self.marginals = nn.Parameter(torch.empty(height, width, n_codes))
        self.class_marginals = class_bias(condition_size, grid_shape, n_codes)
        self.groups = code_groups(n_codes, n_books, 2 * channels, self.class_marginals)
        self._initialise(generator)

    @torch.no_grad()
    def _initialise(self, generator):
        """Draw the weights uniformly with variance 1 / fan-in; biases, marginals and the output map start at zero."""
        if generator is None:
            generator = default_generator()
        for name, parameter in self.named_parameters():
            if name in (*STARTS_AT_ZERO, "marginals", "class_marginals.weight") or name.endswith("bias"):
                parameter.zero_()
            elif name == "embedding.map":
                self.embedding.share(1.0, generator)
            elif name.endswith("embedding.weight") or name.endswith("position"):
                parameter.normal_(0.0, 1.0, generator=generator)
            else:
                owner = self.get_submodule(name.rpartition(".")[0])
                fan_in = owner.fan_in if hasattr(owner, "fan_in") else parameter[0].numel()
                bound = (3.0 / fan_in) ** 0.5
                parameter.uniform_(-bound, bound, generator=generator)

    def condition_terms(self, condition):
        """What `condition` (b, condition_size) adds before the gates, vertical first: (n_layers, 2, b, 1, 1, 2c)."""
        self.check_condition(condition)
        if condition is None or self.condition is None:
            return None
        terms = self.condition(condition).view(len(condition), len(self.layers), 2, 2 * self.channels)
        return terms.permute(1, 2, 0, 3)[:, :, :, None, None]

    def context_features(self, context):
        """Features (b, h, w, c) of the codes `context` (b, h1, w1) of the other grid; None for a model without."""
        expected = None if self.context is None else self.context.other_shape
        found = None if context is None else tuple(context.shape[1:])
        if found != expected:
            raise ValueError(f"this network takes a context of shape {expected}, got {found}")
        return None if context is None else self.context(context)

    def context_weights(self, index):
        """The maps (2c, c) of these features before the vertical and the horizontal gates of layer `index`."""
        return self.context_gates[index].weight.chunk(2)

    def _gate_terms(self, conditions, features):
        """What both add before the gates, layer after layer: a pair (b, 1 or h, 1 or w, 2c), or None."""
        for index in range(len(self.layers)):
            terms = None if conditions is None else conditions[index]
            if features is not None:
                mapped = self.context_gates[index](features).chunk(2, dim=-1)
                terms = mapped if terms is None else [a + b for a, b in zip(terms, mapped, strict=True)]
            yield terms

    def hidden(self, features):
        """What the head reads, (..., 2c), of first sums and gates (..., (n_layers + 1) * c)."""
        return F.relu(self.skip(features))

    def _dropped_codes(self, codes):
        """Weights (b, h * w) of the codes in the first sums, 0 or 1 / (1 - dropout), in training; None otherwise."""
        if not self.training or self.dropout.p == 0:
            return None
        return self.dropout(torch.ones(codes.shape, device=codes.device)).flatten(1)

    def forward(self, codes, condition=None, context=None):
        """Logits (b, h, w, n_codes), float32, of `codes` (b, h, w) int64: each given all codes before it.

        Given also the vectors `condition` (b, condition_size) and the codes `context` (b, h1, w1), int64, if the model
        takes them.
        """
        return self.logits(self.features(codes, condition, context), condition)

    def features(self, codes, condition=None, context=None):
        """What the head reads, (b, h, w, 2c)."""
        conditions, features = self.condition_terms(condition), self.context_features(context)
        weights, shape = self._dropped_codes(codes), (*codes.shape, self.channels)
        codes, embedding = self.known.numbered(codes), self.embedding(self.known.vectors)
        v, x = None, self.horizontal_position.expand(shape)
        if self.above is not None:
            v = self.vertical_position + self.above(codes, embedding, weights)
        if self.earlier is not None:
            x = self.horizontal_position + self.earlier(codes, embedding, weights)
        if condition is not None:
            x = x + self.condition_at(condition).view(shape)
        if features is not None:
            x = x + self.context_at(features)
        skipped = [self.dropout(F.relu(x))]
        for layer, terms in zip(self.layers, self._gate_terms(conditions, features), strict=True):
            v, x, gated = layer(v, x, terms)
            skipped.append(gated)
        return self.hidden(torch.cat(skipped, dim=-1))

    def stream_logits(self, n, condition=None, context=None):
        """Yield the logits (n, n_codes) of one position after the other, and take the codes (n,) chosen there.

        The generator of :func:`~skvq.nn.grids.sampling.stream_logits`.
        """
        return stream_logits(self, n, condition, context)

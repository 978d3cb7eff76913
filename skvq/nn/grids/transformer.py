"""Causal transformer over grids of integer codes in raster order.

A decoder-only transformer [1]_ [2]_ with normalisation before each block: learned positions, causal self-attention of
several heads, feed-forward blocks of four times the width with GELU.

Departs from it for short grids and few rows:

- the input of a position holds, besides the code before it, the other earlier codes near it, those above it among
  them. They enter as looked-up vectors, one for each offset (see :mod:`~skvq.nn.grids.context`), so that the first
  layer need not learn from the positions where "above" is. In a row the weights belong to pairs of positions, and the
  vectors of up to 31 codes enter;
- the first position gets the learned position alone, where language models prepend a token for the start;
- the logits have a bias per position, in rows one per position and class, started at the log-frequencies of the
  training codes, and the head starts at zero: the network starts at the likelihood of independent positions, in rows
  given the class, as the PixelCNN of this package does;
- where the vectors that codes stand for are known, the embedding of a code and its row of the head are a linear map of
  its vector and a vector of its own (:mod:`~skvq.nn.grids.vectors`): neighbouring codes share what is learned of them;
- a condition (a one-hot class) enters the input and the logits of rows with weights for every position;
- dropout acts on what the blocks add, not on the attention weights.

References
----------
.. [1] A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017.
.. [2] A. Radford, J. Wu, R. Child, D. Luan, D. Amodei, I. Sutskever, "Language Models are Unsupervised Multitask
   Learners", 2019.
"""

from __future__ import annotations

import math
from collections.abc import Generator

import torch
import torch.nn.functional as F
from torch import nn

from ..draws import Dropout, default_generator, undrawn
from .autoregressive import AutoregressiveGrids, class_bias
from .context import EarlierCodes, shares_offsets
from .groups import code_groups
from .vectors import STARTS_AT_ZERO, CodeTable, KnownVectors

# First standard deviation of the positions, the embedded codes, and what a class adds.
FIRST_INPUT = 0.3


class CausalSelfAttention(nn.Module):
    """What every position reads from itself and the positions before it: (b, t, d) becomes (b, t, d).

    Parameters
    ----------
    d_model : int
        Width d, a multiple of `n_heads`.
    n_heads : int
        Number of heads, each of width d / n_heads.
    """

    def __init__(self, d_model, n_heads):
        super().__init__()
        self.n_heads = n_heads
        self.queries_keys_values = undrawn(nn.Linear, d_model, 3 * d_model, bias=False)
        self.output = undrawn(nn.Linear, d_model, d_model, bias=False)

    def forward(self, x):
        """Read at all positions at once."""
        heads = self.queries_keys_values(x).unflatten(-1, (3, self.n_heads, -1))  # (b, t, 3, heads, d / heads)
        if heads.device.type == "cpu":
            heads = heads.float()  # the gradient of attention in bfloat16 takes ten times as long there
        q, k, v = heads.permute(2, 0, 3, 1, 4)  # (b, heads, t, d / heads) each
        with torch.autocast(x.device.type, enabled=False):
            read = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.output(read.transpose(1, 2).flatten(2))

    def cache(self, n, length):
        """Room for the keys and values of `length` positions of `n` grids: (2, n, heads, length, d / heads)."""
        weight = self.output.weight
        return weight.new_empty(2, n, self.n_heads, length, len(weight) // self.n_heads)

    def step(self, x, cache, position):
        """Read at one position, (n, d) → (n, d), and keep its keys and values in `cache` for the later ones."""
        heads = self.queries_keys_values(x).unflatten(-1, (3, self.n_heads, -1))  # (n, 3, heads, d / heads)
        q, k, v = heads.unsqueeze(-2).unbind(1)  # (n, heads, 1, d / heads) each
        cache[0, :, :, position], cache[1, :, :, position] = k[:, :, 0], v[:, :, 0]
        keys, values = cache[:, :, :, : position + 1]
        return self.output(F.scaled_dot_product_attention(q, keys, values).flatten(1))


class _Block(nn.Module):
    """Attention and a feed-forward network, each added to what it read: (b, t, d) becomes (b, t, d)."""

    def __init__(self, d_model, n_heads, dropout):
        super().__init__()
        self.attention_norm, self.attention = nn.LayerNorm(d_model), CausalSelfAttention(d_model, n_heads)
        self.hidden_norm = nn.LayerNorm(d_model)
        self.hidden, self.output = (
            undrawn(nn.Linear, d_model, 4 * d_model),
            undrawn(nn.Linear, 4 * d_model, d_model, bias=False),
        )
        self.dropout = Dropout(dropout)  # draws from a private generator, see draws.py

    def _feed_forward(self, x):
        return x + self.dropout(self.output(F.gelu(self.hidden(self.hidden_norm(x)))))

    def forward(self, x):
        return self._feed_forward(x + self.dropout(self.attention(self.attention_norm(x))))

    def step(self, x, cache, position):
        """One position, (n, d) → (n, d), given the keys and values of those before it."""
        return self._feed_forward(x + self.dropout(self.attention.step(self.attention_norm(x), cache, position)))


class CausalGridTransformer(AutoregressiveGrids):
    """Logits of every code given all codes before it in raster order.

    Codes of shape (32, 7, 7) become logits of shape (32, 7, 7, n_codes); the logits at a position depend on all codes
    before it, and on nothing else.

    Parameters
    ----------
    n_codes : int
        Number of different codes K; codes are integers in [0, K).
    grid_shape : tuple of int (h, w), default=(7, 7)
        Any height and width from 1; a table row of m codes is a (1, m) grid.
    d_model : int, default=64
        Width of the network, and length of an embedded code.
    n_layers : int, default=2
        Blocks of attention and feed-forward network; 0 leaves the neighbouring codes alone.
    n_heads : int, default=4
        Heads of the attention; divides `d_model`.
    reach : int, default=None
        The input of a position holds the earlier codes up to `reach` rows and columns away, and the one before it. None
        is 2, and 31 in a row.
    dropout : float in [0, 1), default=0.0
        On the input and on what each half of a block adds.
    condition_size : int, default=0
        Length of a vector (a one-hot class, say) that enters the input and the logits of rows with weights for every
        position; 0 for none. Its norm should be about 1.
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
        d_model=64,
        n_layers=2,
        n_heads=4,
        reach=None,
        dropout=0.0,
        condition_size=0,
        code_dim=0,
        n_books=1,
        generator=None,
    ):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model={d_model} must be a multiple of n_heads={n_heads}")
        height, width = grid_shape
        self.n_codes, self.grid_shape, self.condition_size = n_codes, (height, width), condition_size
        self.d_model, self.length = d_model, height * width
        self.known = KnownVectors(n_codes, code_dim, n_books, self.length)
        self.embedding = CodeTable(n_books * n_codes, d_model, code_dim)
        self.earlier = None
        if self.length > 1:
            reach = (31 if height == 1 else 2) if reach is None else reach
            shared = shares_offsets(self.grid_shape)
            self.earlier = EarlierCodes(
                n_books * n_codes, self.grid_shape, d_model, d_model, reach, whole_rows_only=False, shared=shared
            )
        self.position = nn.Parameter(torch.empty(self.length, d_model))
        self.condition_at = None
        if condition_size:
            self.condition_at = undrawn(nn.Linear, condition_size, self.length * d_model, bias=False)
            self.condition_at.fan_in = 1 / FIRST_INPUT**2  # of a one-hot class
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(_Block(d_model, n_heads, dropout) for _ in range(n_layers))
        self.norm = nn.LayerNorm(d_model)
        self.output = CodeTable(n_books * n_codes, d_model, code_dim)
        self.marginals = nn.Parameter(torch.empty(height, width, n_codes))
        self.class_marginals = class_bias(condition_size, grid_shape, n_codes)
        self.groups = code_groups(n_codes, n_books, d_model, self.class_marginals)
        self._initialise(generator)

    @torch.no_grad()
    def _initialise(self, generator):
        """Draw the weights uniformly with variance 1 / fan-in; what a block adds is divided by sqrt(2 n_layers).

        Biases, both marginals and the output map start at zero, normalisations at the identity.
        """
        if generator is None:
            generator = default_generator()
        for name, parameter in self.named_parameters():
            owner = self.get_submodule(name.rpartition(".")[0])
            if isinstance(owner, nn.LayerNorm):
                parameter.fill_(1.0 if name.endswith("weight") else 0.0)
            elif name in (*STARTS_AT_ZERO, "marginals", "class_marginals.weight") or name.endswith("bias"):
                parameter.zero_()
            elif name in ("position", "embedding.weight"):
                parameter.normal_(0.0, FIRST_INPUT, generator=generator)
            elif name == "embedding.map":
                self.embedding.share(FIRST_INPUT, generator)
            else:
                fan_in = getattr(owner, "fan_in", parameter.shape[1])
                if name.endswith("output.weight"):
                    fan_in *= 2 * len(self.blocks)
                bound = math.sqrt(3.0 / fan_in)
                parameter.uniform_(-bound, bound, generator=generator)

    def matrices(self):
        """Return the weights of the blocks, which Muon can move."""
        return [parameter for parameter in self.blocks.parameters() if parameter.ndim == 2]

    def forward(self, codes, condition=None):
        """Logits (b, h, w, n_codes), float32, of `codes` (b, h, w) int64: each given all codes before it."""
        return self.logits(self.features(codes, condition), condition)

    def features(self, codes, condition=None):
        """What the head reads, (b, h, w, d)."""
        self.check_condition(condition)
        x = self.position.expand(len(codes), -1, -1)  # (b, t, d)
        if self.earlier is not None:
            codes, embedding = self.known.numbered(codes), self.embedding(self.known.vectors)
            before = F.embedding(codes.flatten(1)[:, :-1], embedding)  # (b, t - 1, d)
            x = x + F.pad(before, (0, 0, 1, 0)) + self.earlier(codes, embedding).flatten(1, 2)
        if condition is not None:
            x = x + self.condition_at(condition).view(x.shape)
        x = self.dropout(x)
        for block in self.blocks:
            x = block(x)
        return self.norm(x).view(*codes.shape, -1)

    def stream_logits(self, n, condition=None) -> Generator[torch.Tensor, torch.Tensor, None]:
        """Yield the logits (n, n_codes) of one position after the other, and take the codes (n,) chosen there.

        The keys and values of the positions that are done are kept, so that a position costs its own column of the
        network and a look at these. In evaluation mode, under ``torch.no_grad()``.
        """
        self.check_condition(condition)
        d = self.d_model
        codes = torch.zeros(n, self.length, dtype=torch.int64, device=self.marginals.device)
        embedding = self.embedding(self.known.vectors)
        table = None if self.earlier is None else self.earlier.table(embedding)
        caches = [block.attention.cache(n, self.length) for block in self.blocks]
        for t in range(self.length):
            x = self.position[t].expand(n, d)
            if t > 0:
                x = x + embedding[codes[:, t - 1]] + self.earlier.lookup(table, codes, t, t + 1)[:, 0]
            if condition is not None:
                x = x + F.linear(condition, self.condition_at.weight[t * d : (t + 1) * d])
            for block, cache in zip(self.blocks, caches, strict=True):
                x = block.step(x, cache, t)
            codes[:, t] = (yield self.logits_at(t, self.norm(x), condition)) + self.known.shift(t)

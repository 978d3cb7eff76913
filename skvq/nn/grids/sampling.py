"""Cached evaluation of a gated PixelCNN, one position at a time, in raster order.

A loop of full forward passes repeats every computation ``h * w`` times. Here every position computes only its own
column of every layer: the vertical stack is computed for one row at a time, when the row above it is complete, and the
horizontal stack for one position at a time, from the few columns to its left that its kernels read. All work is
float32 matrix products on the weights of :class:`~skvq.nn.grids.pixelcnn.GatedPixelCNN`.
"""

from __future__ import annotations

from collections.abc import Generator

import torch
import torch.nn.functional as F


def gate(x):
    """Gated activation tanh(a) * sigmoid(b): (..., 2c) becomes (..., c)."""
    a, b = x.chunk(2, dim=-1)
    return torch.tanh(a) * torch.sigmoid(b)


def _as_matrix(weight):
    """Convolution weight (out, in, kh, kw) as a matrix (kh * kw * in, out) for windows whose channels come last."""
    return weight.permute(2, 3, 1, 0).flatten(0, 2).contiguous()


class _Told:
    """What is added at each position besides the codes before it: lists of none, one or two terms.

    The features of a context are mapped where they are needed, since the terms of all gates at all positions would take
    ``4 * n_layers`` times their memory.
    """

    def __init__(self, model, condition, context):
        self.model, self.width, self.condition = model, model.grid_shape[1], condition
        self.conditions = model.condition_terms(condition)  # (n_layers, 2, n, 1, 1, 2c)
        self.features = model.context_features(context)  # (n, h, w, c)

    def of_first_sums(self, i, j):
        """Return terms (n, c) of the first sums of the horizontal stack at (i, j)."""
        terms, c, target = [], self.model.channels, i * self.width + j
        if self.condition is not None:
            terms.append(F.linear(self.condition, self.model.condition_at.weight[target * c : (target + 1) * c]))
        if self.features is not None:
            terms.append(F.linear(self.features[:, i, j], self.model.context_at.weight))
        return terms

    def of_row(self, index, i):
        """Return terms (n, 1 or w, 2c) of the vertical gates of layer `index` in row `i`."""
        terms = [] if self.conditions is None else [self.conditions[index][0][:, 0]]
        if self.features is not None:
            terms.append(F.linear(self.features[:, i], self.model.context_weights(index)[0]))
        return terms

    def of_position(self, index, i, j):
        """Return terms (n, 2c) of the horizontal gates of layer `index` at (i, j)."""
        terms = [] if self.conditions is None else [self.conditions[index][1][:, 0, 0]]
        if self.features is not None:
            terms.append(F.linear(self.features[:, i, j], self.model.context_weights(index)[1]))
        return terms


class _VerticalRows:
    """The vertical stack, row by row: keeps of each layer only the rows that its kernel still reads."""

    def __init__(self, model, n, like):
        self.model, self.width = model, model.grid_shape[1]
        self.table = model.above.table(model.embedding(model.known.vectors))
        self.rows, self.matrices = [], []
        for layer in model.layers:
            _, channels, taps, taps_across = layer.vertical.weight.shape
            height, margins = (taps - 1) * layer.dilation + 1, (taps_across - 1) * layer.dilation
            self.rows.append(like.new_zeros(n, height, self.width + margins, channels))
            self.matrices.append(_as_matrix(layer.vertical.weight))

    def _push(self, index, row):
        """Append `row` (n, w, c) under the rows kept for layer `index`; the topmost one falls out."""
        kept, margin = self.rows[index], (self.rows[index].shape[2] - self.width) // 2
        kept[:, :-1] = kept[:, 1:].clone()
        kept[:, -1, margin : margin + self.width] = row

    def _convolve(self, index, bias):
        """One output row (n, w, 2c) of the convolution of layer `index` over its kept rows."""
        kept, dilation = self.rows[index], self.model.layers[index].dilation
        windows = kept[:, ::dilation].unfold(2, kept.shape[2] - self.width + 1, 1)[..., ::dilation]
        windows = windows.permute(0, 2, 1, 4, 3)  # (n, w, kh, kw, c)
        flat = windows.reshape(len(kept) * self.width, -1)
        return torch.addmm(bias, flat, self.matrices[index]).view(len(kept), self.width, -1)

    def advance(self, i, codes, told):
        """Compute the stack at row `i`; a list, one (n, w, 2c) per layer, of what it gives to the horizontal stack."""
        model, start = self.model, i * self.width
        v = model.above.lookup(self.table, codes, start, start + self.width) + model.vertical_position[i]
        links = []
        for index, layer in enumerate(model.layers):
            self._push(index, v)
            before_gate = self._convolve(index, layer.vertical.bias)
            for terms in told.of_row(index, i):
                before_gate = before_gate + terms
            v = v + gate(before_gate)
            links.append(F.linear(before_gate, layer.link.weight))
        return links


class _HorizontalColumns:
    """The horizontal stack along one row, column by column."""

    def __init__(self, model, n, like):
        self.model, self.width = model, model.grid_shape[1]
        self.table = None if model.earlier is None else model.earlier.table(model.embedding(model.known.vectors))
        self.matrices = [_as_matrix(layer.horizontal.weight) for layer in model.layers]
        self.margins = [(layer.horizontal.weight.shape[3] - 1) * layer.dilation for layer in model.layers]
        self.inputs = [like.new_zeros(n, margin + self.width, model.channels) for margin in self.margins]
        self.residuals = [layer.residual.weight.t() for layer in model.layers]
        self.features = like.new_empty(n, (len(model.layers) + 1) * model.channels)

    def logits(self, i, j, codes, links, told):
        """Logits (n, n_codes) at (i, j), given `codes` (n, h * w), numbered over all codebooks, before it."""
        model, c, target = self.model, self.model.channels, i * self.width + j
        x = model.horizontal_position[i, j].expand(len(codes), c)
        if self.table is not None:
            x = x + model.earlier.lookup(self.table, codes, target, target + 1)[:, 0]
        for terms in told.of_first_sums(i, j):
            x = x + terms
        self.features[:, :c] = F.relu(x)
        for index, layer in enumerate(model.layers):
            inputs, last = self.inputs[index], j + self.margins[index]
            inputs[:, last] = x
            window = inputs[:, j : last + 1 : layer.dilation].flatten(1)
            before_gate = torch.addmm(layer.horizontal.bias, window, self.matrices[index])
            if links is not None:
                before_gate += links[index][:, j]
            for terms in told.of_position(index, i, j):
                before_gate += terms
            gated = gate(before_gate)
            self.features[:, (index + 1) * c : (index + 2) * c] = gated
            x = torch.addmm(x, gated, self.residuals[index])
        return model.logits_at(target, model.hidden(self.features), told.condition)


def stream_logits(model, n, condition=None, context=None) -> Generator[torch.Tensor, torch.Tensor, None]:
    """Yield the logits of one position after the other, and take the codes chosen there.

    A generator in raster order: ``next(stream)`` gives the logits (n, n_codes) of the first position, and
    ``stream.send(codes)``, with the int64 codes (n,) chosen there, those of the next one; after the last position it
    stops. Who chooses is the caller's business: a random draw, a given code, or a mixture of both.

    Parameters
    ----------
    model : GatedPixelCNN
        In evaluation mode. Call under ``torch.no_grad()``.
    n : int
        Number of grids.
    condition : torch.Tensor of shape (n, condition_size), optional
        Only for a model built with ``condition_size > 0``.
    context : torch.Tensor of shape (n, h1, w1), int64, optional
        Only for a model built with a ``context_shape``.
    """
    height, width = model.grid_shape
    like = model.embedding.weight
    told = _Told(model, condition, context)
    codes = torch.zeros(n, height * width, dtype=torch.int64, device=like.device)
    rows = _VerticalRows(model, n, like) if height > 1 else None
    columns = _HorizontalColumns(model, n, like)
    for i in range(height):
        links = None if rows is None else rows.advance(i, codes, told)
        for j in range(width):
            position = i * width + j
            codes[:, position] = (yield columns.logits(i, j, codes, links, told)) + model.known.shift(position)


def draw(logits, uniform):
    """Codes (n,) drawn from softmax(logits (n, n_codes)) by inverting the cumulative distribution at `uniform` (n,).

    A code of probability zero is never drawn, not even where rounding makes the last cumulative sum differ from one.
    """
    cumulative = torch.softmax(logits, dim=-1).cumsum(dim=-1)
    total = cumulative[:, -1]
    threshold = torch.minimum(uniform * total, torch.nextafter(total, torch.zeros_like(total)))
    return (cumulative <= threshold[:, None]).sum(dim=-1)


def in_nucleus(logits, top_p):
    """Return `logits` (n, k), which fall along each row, with -inf outside the nucleus.

    The nucleus holds the fewest codes whose probabilities reach `top_p` together; it is never empty.
    """
    cumulative = torch.softmax(logits, dim=-1).cumsum(dim=-1)
    return logits.masked_fill(F.pad(cumulative[:, :-1], (1, 0)) >= top_p, -torch.inf)


def choose(logits, uniform, temperature=1.0, top_k=None, top_p=None):
    """Codes (n,) for the uniform numbers (n,), drawn from softmax(logits / temperature), cut as asked.

    Parameters
    ----------
    logits : torch.Tensor of shape (n, n_codes)
    uniform : torch.Tensor of shape (n,), in [0, 1)
    temperature : float > 0, default=1.0
        Below 1 likelier codes become likelier still.
    top_k : int, default=None
        Draw among the `top_k` likeliest codes only.
    top_p : float in (0, 1], default=None
        Draw from the nucleus only: the fewest codes, likeliest first, whose probabilities reach `top_p` together
        (Holtzman et al., "The Curious Case of Neural Text Degeneration", ICLR 2020). After `temperature` and `top_k`.
    """
    logits, codes = _cut(logits, temperature, top_k, top_p)
    drawn = draw(logits, uniform)
    return drawn if codes is None else codes.gather(1, drawn[:, None])[:, 0]


def probabilities(logits, temperature=1.0, top_k=None, top_p=None):
    """Return the probabilities (..., n_codes) with which :func:`choose` draws each code for logits of this shape."""
    cut, codes = _cut(logits, temperature, top_k, top_p)
    found = torch.softmax(cut, dim=-1)
    return found if codes is None else torch.zeros_like(logits).scatter(-1, codes, found)


def _cut(logits, temperature, top_k, top_p):
    """Return the logits that are drawn from, and the codes that they belong to; None for these where all are left."""
    if temperature != 1:
        highest = logits.amax(dim=-1, keepdim=True)
        logits = (logits - highest) / max(temperature, torch.finfo(logits.dtype).tiny)
    if top_k is None and top_p is None:
        return logits, None
    count = logits.shape[-1] if top_k is None else min(top_k, logits.shape[-1])
    logits, codes = logits.topk(count)  # the likeliest first
    return (logits if top_p is None or top_p >= 1 else in_nucleus(logits, top_p)), codes

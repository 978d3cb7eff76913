"""Cached evaluation of a gated PixelCNN, one position at a time, in raster order.

A loop of full forward passes computes ``h * w`` times what is needed once. Here every position computes only its own
column of every layer: the vertical stack is computed for one row at a time, when the row above it is complete, and the
horizontal stack for one position at a time, from the few columns to its left that its kernels read. All work is
float32 matrix products on the weights of :class:`~skvq.nn.pixelcnn.GatedPixelCNN`.
"""

from __future__ import annotations

from collections.abc import Generator

import torch
import torch.nn.functional as F


def _gate(x):
    """Gated activation tanh(a) * sigmoid(b): (..., 2c) becomes (..., c)."""
    a, b = x.chunk(2, dim=-1)
    return torch.tanh(a) * torch.sigmoid(b)


def _as_matrix(weight):
    """Convolution weight (out, in, kh, kw) as a matrix (kh * kw * in, out) for windows whose channels come last."""
    return weight.permute(2, 3, 1, 0).flatten(0, 2).contiguous()


class _VerticalRows:
    """The vertical stack, row by row: keeps of each layer only the rows that its kernel still reads."""

    def __init__(self, model, n, like):
        self.model = model
        width = model.grid_shape[1]
        kernels = [model.first_vertical.weight] + [layer.vertical.weight for layer in model.layers]
        self.rows = [like.new_zeros(n, k.shape[2], width + k.shape[3] - 1, k.shape[1]) for k in kernels]
        self.matrices = [_as_matrix(k) for k in kernels]

    def _push(self, index, row):
        """Append `row` (n, w, c) under the rows kept for layer `index`; the topmost one falls out."""
        kept, margin = self.rows[index], (self.rows[index].shape[2] - row.shape[1]) // 2
        kept[:, :-1] = kept[:, 1:].clone()
        kept[:, -1, margin : margin + row.shape[1]] = row

    def _convolve(self, index, bias):
        """One output row (n, w, out) of the convolution of layer `index` over its kept rows."""
        kept, matrix = self.rows[index], self.matrices[index]
        n, height, padded, c = kept.shape
        width = self.model.grid_shape[1]
        windows = kept.unfold(2, padded - width + 1, 1).permute(0, 2, 1, 4, 3)  # (n, w, kh, kw, c)
        return torch.addmm(bias, windows.reshape(n * width, -1), matrix).view(n, width, -1)

    def push_embedded(self, row):
        """Take the embedded codes (n, w, e) of the row just completed."""
        self._push(0, row)

    def advance(self, i, conditions):
        """Compute the stack at row `i`; a list, one (n, w, 2c) per layer, of what it gives to the horizontal stack."""
        model = self.model
        v = self._convolve(0, model.first_vertical.bias) + model.vertical_position[i]
        links = []
        for index, layer in enumerate(model.layers):
            self._push(index + 1, v)
            before_gate = self._convolve(index + 1, layer.vertical.bias)
            if conditions is not None:
                before_gate = before_gate + conditions[index][0][:, None]
            v = v + _gate(before_gate)
            links.append(F.linear(before_gate, layer.link.weight))
        return links


class _HorizontalColumns:
    """The horizontal stack along one row, column by column."""

    def __init__(self, model, n, like):
        self.model = model
        width = model.grid_shape[1]
        self.reach = 0 if model.first_horizontal is None else model.first_horizontal.weight.shape[3]
        self.embedded = like.new_zeros(n, self.reach + width, model.embedding.weight.shape[1])
        self.first = None if self.reach == 0 else _as_matrix(model.first_horizontal.weight)
        kernels = [layer.horizontal.weight for layer in model.layers]
        self.inputs = [like.new_zeros(n, k.shape[3] - 1 + width, k.shape[1]) for k in kernels]
        self.matrices = [_as_matrix(k) for k in kernels]
        self.residuals = [layer.residual.weight.t() for layer in model.layers]
        self.gates = like.new_empty(n, len(kernels) * model.channels)

    def write(self, j, embedded):
        """Take the embedded codes (n, e) chosen at column `j`."""
        self.embedded[:, self.reach + j] = embedded

    def logits(self, i, j, links, conditions):
        """Logits (n, n_codes) at (i, j), given the codes written at the columns left of `j`."""
        model, c = self.model, self.model.channels
        x = model.horizontal_position[i, j].expand(len(self.gates), c)
        if self.first is not None:
            window = self.embedded[:, j : j + self.reach].flatten(1)
            x = torch.addmm(x, window, self.first)
        for index, layer in enumerate(model.layers):
            inputs, matrix = self.inputs[index], self.matrices[index]
            reach = matrix.shape[0] // c
            inputs[:, reach - 1 + j] = x
            before_gate = torch.addmm(layer.horizontal.bias, inputs[:, j : j + reach].flatten(1), matrix)
            if links is not None:
                before_gate += links[index][:, j]
            if conditions is not None:
                before_gate += conditions[index][1]
            gated = _gate(before_gate)
            self.gates[:, index * c : (index + 1) * c] = gated
            x = torch.addmm(x, gated, self.residuals[index])
        return model.head(self.gates, i, j)


def stream_logits(model, n, condition=None) -> Generator[torch.Tensor, torch.Tensor, None]:
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
    """
    height, width = model.grid_shape
    like = model.embedding.weight
    conditions = model.condition_terms(condition)
    rows = _VerticalRows(model, n, like) if height > 1 else None
    columns = _HorizontalColumns(model, n, like)
    for i in range(height):
        links = None if rows is None else rows.advance(i, conditions)
        for j in range(width):
            codes = yield columns.logits(i, j, links, conditions)
            columns.write(j, model.embedding(codes))
        if rows is not None:
            rows.push_embedded(columns.embedded[:, columns.reach :])


def draw(logits, uniform):
    """Codes (n,) drawn from softmax(logits (n, n_codes)) by inverting the cumulative distribution at `uniform` (n,).

    A code of probability zero is never drawn, not even where rounding makes the last cumulative sum differ from one.
    """
    cumulative = torch.softmax(logits, dim=-1).cumsum(dim=-1)
    total = cumulative[:, -1]
    threshold = torch.minimum(uniform * total, torch.nextafter(total, torch.zeros_like(total)))
    return (cumulative <= threshold[:, None]).sum(dim=-1)

"""The torch modules of encoders and decoders as ONNX operators.

Every module has one function that mirrors its `forward`; `run` chooses among them.
"""

from __future__ import annotations

from functools import singledispatch

import numpy as np
from torch import nn

from ..autoencoder.module import LogLoss, SquaredError, TransposedDecoder
from ..nn import bottleneck, series
from ..nn import images as conv
from ..nn import tables as dense
from ..nn.draws import Dropout
from ..vae.likelihoods import MAX_LOG_RATE, Bernoulli, Gaussian, Poisson
from ._activations import activate
from ._graph import Graph


@singledispatch
def run(module: nn.Module, graph: Graph, x: str) -> str:
    """Add what a module in evaluation mode does to x, and return the name of the result."""
    raise TypeError(f"{type(module).__name__} has no form in ONNX")


@run.register(nn.Identity)
@run.register(Dropout)
def _(module, graph, x):
    return x


@run.register(nn.Sequential)
def _(module, graph, x):
    for part in module:
        x = run(part, graph, x)
    return x


@run.register
def _(module: nn.Linear, graph, x):
    return graph.affine(x, module.weight.T, module.bias)


@run.register
def _(module: nn.ReLU, graph, x):
    return activate(graph, "relu", x)


@run.register
def _(module: nn.GELU, graph, x):
    return activate(graph, "gelu", x)


@run.register
def _(module: nn.SiLU, graph, x):
    return activate(graph, "silu", x)


@run.register
def _(module: nn.Tanh, graph, x):
    return activate(graph, "tanh", x)


@run.register
def _(module: nn.Sigmoid, graph, x):
    return activate(graph, "logistic", x)


@run.register
def _(module: nn.LayerNorm, graph, x):
    return graph.add("LayerNormalization", x, module.weight, module.bias, axis=-1, epsilon=module.eps)


def _path_and_network(module, graph, x):
    straight = run(module.linear, graph, x)
    return straight if module.network is None else graph.add("Add", straight, run(module.network, graph, x))


def cut(grid: conv.PatchGrid, graph: Graph, x: str) -> str:
    """Images (b, H, W, C) → patches (b, h*w, patch_size)."""
    bottom = grid.rows * grid.stride[0] - grid.height - grid.top
    right = grid.columns * grid.stride[1] - grid.width - grid.left
    if grid.top or grid.left or bottom or right:
        pads = np.array([0, grid.top, grid.left, 0, 0, bottom, right, 0], dtype=np.int64)
        x = graph.add("Pad", x, pads, mode="edge")
    x = graph.reshape(x, -1, grid.rows, grid.stride[0], grid.columns, grid.stride[1], grid.n_channels)
    return graph.reshape(graph.transpose(x, 0, 1, 3, 2, 4, 5), -1, grid.n_positions, grid.patch_size)


def join(grid: conv.PatchGrid, graph: Graph, patches: str) -> str:
    """Patches (b, h*w, patch_size) → images (b, H, W, C)."""
    x = graph.reshape(patches, -1, grid.rows, grid.columns, *grid.stride, grid.n_channels)
    x = graph.transpose(x, 0, 1, 3, 2, 4, 5)
    x = graph.reshape(x, -1, grid.rows * grid.stride[0], grid.columns * grid.stride[1], grid.n_channels)
    x = graph.slice(x, grid.top, grid.top + grid.height, 1)
    return graph.slice(x, grid.left, grid.left + grid.width, 2)


@run.register
def _(module: conv._NeighbourMixing, graph, x):
    channels = module.weight.shape[0]
    n_positions = module.code_shape[0] * module.code_shape[1]
    images = graph.reshape(run(module.norm, graph, x), -1, *module.code_shape, channels)
    mixed = graph.add("Conv", graph.transpose(images, 0, 3, 1, 2), module.weight, pads=[1, 1, 1, 1], group=channels)
    return graph.add("Add", x, graph.reshape(graph.transpose(mixed, 0, 2, 3, 1), -1, n_positions, channels))


@run.register
def _(module: conv._PositionMixing, graph, x):
    groups, n_positions, _ = module.weight.shape
    channels = module.norm.normalized_shape[0]
    grouped = graph.reshape(run(module.norm, graph, x), -1, n_positions, groups, channels // groups)
    grouped = graph.reshape(graph.transpose(grouped, 2, 1, 0, 3), groups, n_positions, -1)  # (g, m, b · c / g)
    mixed = graph.reshape(graph.add("MatMul", module.weight, grouped), groups, n_positions, -1, channels // groups)
    return graph.add("Add", x, graph.reshape(graph.transpose(mixed, 2, 1, 0, 3), -1, n_positions, channels))


@run.register
def _(module: conv._ChannelMixing, graph, x):
    hidden = activate(graph, "relu", run(module.widen, graph, run(module.norm, graph, x)))
    return graph.add("Add", x, run(module.narrow, graph, hidden))


@run.register
def _(module: conv._Network, graph, x):
    h = run(module.blocks, graph, graph.add("Add", run(module.stem, graph, x), module.position))
    return run(module.head, graph, run(module.norm, graph, h))


@run.register
def _(module: conv.PathAndNetwork, graph, x):
    return _path_and_network(module, graph, x)


@run.register
def _(module: conv.ConvEncoder, graph, x):
    return run(module.map, graph, cut(module.grid, graph, x))


@run.register
def _(module: conv.ConvDecoder, graph, x):
    return join(module.grid, graph, run(module.map, graph, x))


@run.register
def _(module: series._TimeMixing, graph, x):
    channels, _, kernel = module.weight.shape
    over_time = graph.transpose(run(module.norm, graph, x), 0, 2, 1)
    pads = [kernel // 2, kernel // 2]
    mixed = graph.add("Conv", over_time, module.weight, pads=pads, group=channels)
    return graph.add("Add", x, graph.transpose(mixed, 0, 2, 1))


@run.register
def _(module: series.SeriesEncoder, graph, x):
    return run(module.map, graph, cut(module.grid, graph, x))


@run.register
def _(module: series.SeriesDecoder, graph, x):
    return join(module.grid, graph, run(module.map, graph, x))


@run.register
def _(module: series.FlatEncoder, graph, x):
    return run(module.rows, graph, graph.reshape(x, -1, module.rows.linear.in_features))


@run.register
def _(module: series.FlatDecoder, graph, x):
    return graph.reshape(run(module.rows, graph, x), -1, *module.series_shape)


@run.register
def _(module: dense.DenseEncoder, graph, x):
    return graph.reshape(_path_and_network(module, graph, x), -1, module.n_positions, module.code_dim)


@run.register
def _(module: dense.DenseDecoder, graph, x):
    return _path_and_network(module, graph, graph.reshape(x, -1, module.linear.in_features))


@run.register
def _(module: bottleneck.ScaledLinear, graph, x):
    return graph.affine(x, module.matrix.T, module.unscaled_bias * module.scale)


@run.register
def _(module: bottleneck._PatchesToVector, graph, x):
    patches = cut(module.grid, graph, graph.reshape(x, -1, *module.image_shape))
    h = run(module.blocks, graph, graph.add("Add", run(module.stem, graph, patches), module.position))
    return run(module.head, graph, graph.reshape(run(module.norm, graph, h), -1, module.head.in_features))


@run.register
def _(module: bottleneck._VectorToPatches, graph, x):
    n_positions = module.grid.n_positions
    h = graph.reshape(run(module.spread, graph, x), -1, n_positions, module.spread.out_features // n_positions)
    h = run(module.norm, graph, run(module.blocks, graph, h))
    return graph.reshape(join(module.grid, graph, run(module.head, graph, h)), -1, _image_size(module.grid))


def _image_size(grid):
    return grid.height * grid.width * grid.n_channels


@run.register
def _(module: bottleneck.VectorEncoder, graph, x):
    return _path_and_network(module, graph, graph.reshape(x, -1, module.linear.in_features))


@run.register
def _(module: bottleneck.VectorDecoder, graph, x):
    return graph.reshape(_path_and_network(module, graph, x), -1, *module.row_shape)


@run.register
def _(module: TransposedDecoder, graph, x):
    (encoder,) = module.mirrored
    straight = graph.affine(x, encoder.linear.matrix, module.bias)
    if encoder.network is not None:
        straight = graph.add("Add", straight, _mirrored(module, encoder.network, graph, x))
    return graph.reshape(straight, -1, *module.row_shape)


def _mirrored(module, network, graph, x):
    """Add the encoder's layers backwards, by their transposed matrices."""
    *layers, last = network  # linear, activation, dropout, and again
    h = graph.affine(x, last.weight, module.hidden_biases[0])
    biases = [*module.hidden_biases[1:], None]
    for bias, position in zip(biases, range(len(layers) - 3, -1, -3)):
        linear, activation, _ = layers[position : position + 3]
        h = graph.add("MatMul", run(activation, graph, h), linear.weight)
        h = h if bias is None else graph.add("Add", h, bias)
    return h


@singledispatch
def mean(meaning: nn.Module, graph: Graph, outputs: str) -> str:
    """Add what a loss or likelihood reads from a decoder's outputs (b, *row_shape): standardised rows."""
    raise TypeError(f"{type(meaning).__name__} has no form in ONNX")


@mean.register(SquaredError)
@mean.register(Gaussian)
def _(meaning, graph, outputs):
    return outputs


@mean.register
def _(meaning: LogLoss, graph, outputs):
    return graph.add("Div", graph.add("Sub", graph.add("Sigmoid", outputs), meaning.shift), meaning.scale)


@mean.register
def _(meaning: Bernoulli, graph, outputs):
    return graph.add("Sigmoid", outputs)


@mean.register
def _(meaning: Poisson, graph, outputs):
    return graph.add("Exp", graph.add("Min", outputs, np.array(MAX_LOG_RATE, np.float32)))


def encoder_input(likelihood: nn.Module, graph: Graph, x: str) -> str:
    """Add what a likelihood shows the encoder of rows x."""
    if isinstance(likelihood, Poisson):
        return graph.add("Log", graph.add("Add", x, np.ones((), np.float32)))
    return x

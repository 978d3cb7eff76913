"""Quantisers as ONNX operators: vectors to codes, and codes to vectors.

Codes are int64. The search is that of :mod:`~skvq.nn.quantizers.nearest`, codebook vectors centred and scored by
z·e - ½|e|², so that codes differ from those of torch only where two codebook vectors are equally near up to rounding.
"""

from __future__ import annotations

from functools import singledispatch

import numpy as np
import torch
from torch import nn

from ..nn.quantizers.cosine import _OnSphere
from ..nn.quantizers.finite_scalar import FiniteScalarQuantizer
from ..nn.quantizers.multiscale import MultiScaleQuantizer
from ..nn.quantizers.product import ProductQuantizer
from ..nn.quantizers.projected import ProjectedQuantizer
from ..nn.quantizers.residual import ResidualQuantizer
from ..nn.quantizers.vector import CodebookQuantizer
from ._graph import Graph
from ._networks import run

# What `torch.nn.functional.normalize` divides by at least.
LEAST_LENGTH = 1e-12


@singledispatch
def encode(quantizer: nn.Module, graph: Graph, z: str, n_positions: int) -> str:
    """Add the codes of z (b, n_positions, d): (b, n_positions), or (b, n_positions, s) with s codes a position."""
    raise TypeError(f"{type(quantizer).__name__} has no form in ONNX")


@singledispatch
def decode(quantizer: nn.Module, graph: Graph, codes: str, n_positions: int) -> str:
    """Add the vectors (b, n_positions, d) that codes stand for, of the shape that :func:`encode` returns."""
    raise TypeError(f"{type(quantizer).__name__} has no form in ONNX")


def _centred(codebooks):
    """Return the mean vector of every codebook (g, 1, d), and codebooks (g, k, d) around it."""
    centre = codebooks.mean(dim=1, keepdim=True)
    return centre, codebooks - centre


@encode.register
def _(quantizer: CodebookQuantizer, graph, z, n_positions):
    centre, centred = _centred(quantizer.codebook.detach())
    bias = -0.5 * centred.square().sum(dim=2)[:, None]  # (g, 1, k)
    if quantizer.n_groups == 1:
        scores = graph.affine(graph.add("Sub", z, centre), centred[0].T, bias)  # (b, m, k)
        return graph.add("ArgMax", scores, axis=-1, keepdims=0)
    by_position = graph.add("Sub", graph.transpose(z, 1, 0, 2), centre)
    scores = graph.affine(by_position, centred.transpose(1, 2), bias)  # (m, b, k)
    return graph.transpose(graph.add("ArgMax", scores, axis=-1, keepdims=0), 1, 0)


@decode.register
def _(quantizer: CodebookQuantizer, graph, codes, n_positions):
    codebook = quantizer.codebook
    if quantizer.n_groups > 1:
        codes = graph.add("Add", codes, torch.arange(quantizer.n_groups) * quantizer.n_codes)
    return graph.add("Gather", codebook.flatten(0, 1), codes, axis=0)


@encode.register
def _(quantizer: _OnSphere, graph, z, n_positions):
    length = graph.add("Sqrt", graph.sum(graph.add("Mul", z, z), 2, keepdims=True))
    unit = graph.add("Div", z, graph.add("Max", length, np.array(LEAST_LENGTH, np.float32)))
    return encode.dispatch(CodebookQuantizer)(quantizer, graph, unit, n_positions)


@encode.register
def _(quantizer: ProjectedQuantizer, graph, z, n_positions):
    return encode(quantizer.quantizer, graph, run(quantizer.down, graph, z), n_positions)


@decode.register
def _(quantizer: ProjectedQuantizer, graph, codes, n_positions):
    return run(quantizer.up, graph, decode(quantizer.quantizer, graph, codes, n_positions))


def _split_positions(quantizer, n_positions):
    """Return how many splits of vectors lie side by side for the quantiser of the splits."""
    return quantizer.n_splits if quantizer.n_groups in (1, quantizer.n_splits) else n_positions * quantizer.n_splits


@encode.register
def _(quantizer: ProductQuantizer, graph, z, n_positions):
    side_by_side = _split_positions(quantizer, n_positions)
    splits = graph.reshape(z, -1, side_by_side, quantizer.code_dim // quantizer.n_splits)
    codes = encode(quantizer.quantizer, graph, splits, side_by_side)
    return graph.reshape(codes, -1, n_positions, quantizer.n_splits)


@decode.register
def _(quantizer: ProductQuantizer, graph, codes, n_positions):
    side_by_side = _split_positions(quantizer, n_positions)
    vectors = decode(quantizer.quantizer, graph, graph.reshape(codes, -1, side_by_side), side_by_side)
    return graph.reshape(vectors, -1, n_positions, quantizer.code_dim)


@encode.register
def _(quantizer: ResidualQuantizer, graph, z, n_positions):
    stages = list(quantizer.quantizers)
    if quantizer.beam_size > 1:
        return _beam(quantizer, stages, graph, z, n_positions)
    codes = []
    for stage in stages:
        codes.append(encode(stage, graph, z, n_positions))
        z = graph.add("Sub", z, decode(stage, graph, codes[-1], n_positions))
    parts = [graph.reshape(part, -1, n_positions, 1) for part in codes]
    return graph.add("Concat", *parts, axis=2)


@decode.register
def _(quantizer: ResidualQuantizer, graph, codes, n_positions):
    total = None
    for i, stage in enumerate(quantizer.quantizers):
        own = graph.reshape(graph.slice(codes, i, i + 1, 2), -1, n_positions)
        vectors = decode(stage, graph, own, n_positions)
        total = vectors if total is None else graph.add("Add", total, vectors)
    return total


def _beam(quantizer, stages, graph, z, n_positions):
    """Add the search of :func:`skvq.nn.quantizers.beam.beam_codes`: z (b, m, d) → codes (b, m, s)."""
    groups, d = stages[0].n_groups, quantizer.code_dim
    residuals = graph.reshape(z, -1, groups, d)
    residuals = graph.reshape(graph.transpose(residuals, 1, 0, 2), groups, -1, 1, d)  # (g, n, beam, d)
    prefixes, kept = [], 1
    for stage in stages:
        width = min(quantizer.beam_size, kept * quantizer.n_codes)
        residuals, prefixes = _extend(graph, residuals, prefixes, stage.codebook.detach(), kept, width)
        kept = width
    best = [graph.slice(codes, 0, 1, 2) for codes in prefixes]  # (g, n, 1) each
    codes = graph.add("Concat", *best, axis=2)
    return graph.reshape(graph.transpose(codes, 1, 0, 2), -1, n_positions, len(stages))


def _extend(graph, residuals, prefixes, codebooks, kept, width):
    """Add one stage of the beam: residuals (g, n, width, d) and, for every stage so far, codes (g, n, width)."""
    groups, k, d = codebooks.shape
    centre, centred = _centred(codebooks)
    vectors = graph.add("Sub", graph.reshape(residuals, groups, -1, d), centre)
    lengths = graph.sum(graph.add("Mul", vectors, vectors), 2, keepdims=True)
    distances = graph.add("Add", lengths, centred.square().sum(dim=2)[:, None])
    products = graph.add("MatMul", vectors, -2.0 * centred.transpose(1, 2))
    distances = graph.reshape(graph.add("Add", distances, products), groups, -1, kept * k)
    _, best = graph.add("TopK", distances, np.array([width]), n_outputs=2, axis=2, largest=0)
    parents = graph.add("Div", best, np.array(k))
    codes = graph.add("Sub", best, graph.add("Mul", parents, np.array(k)))
    offsets = (torch.arange(groups) * k)[:, None, None]
    chosen = graph.add("Gather", codebooks.flatten(0, 1), graph.add("Add", codes, offsets), axis=0)
    index = graph.add("Expand", graph.reshape(parents, groups, -1, width, 1), np.array([1, 1, 1, d]))
    residuals = graph.add("Sub", graph.add("GatherElements", residuals, index, axis=2), chosen)
    return residuals, [*(graph.add("GatherElements", codes, parents, axis=2) for codes in prefixes), codes]


@encode.register
def _(quantizer: FiniteScalarQuantizer, graph, z, n_positions):
    u = graph.add("Div", graph.add("Sub", z, quantizer.centre), quantizer.scale)
    bounded = graph.add("Mul", graph.add("Tanh", graph.add("Add", u, quantizer.shift)), quantizer.half_range)
    rounded = graph.add("Round", graph.add("Sub", bounded, quantizer.offset))
    digits = graph.add("Add", graph.cast(rounded, "int64"), quantizer.half_width)
    return graph.sum(graph.add("Mul", digits, quantizer.radix), 2)


@decode.register
def _(quantizer: FiniteScalarQuantizer, graph, codes, n_positions):
    digits = graph.add(
        "Mod", graph.add("Div", graph.reshape(codes, -1, n_positions, 1), quantizer.radix), quantizer.sizes
    )
    rounded = graph.cast(graph.add("Sub", digits, quantizer.half_width), "float32")
    shares = graph.add("Div", rounded, quantizer.half_width.float())
    return graph.add("Add", graph.add("Mul", shares, quantizer.gain), quantizer.base)


def _between_grids(quantizer):
    """Return the linear maps to the coarse and to the fine grid: (n_coarse, n_fine), (n_fine, n_coarse)."""
    identity = [torch.eye(n)[None] for n in (quantizer.n_fine, quantizer.n_coarse)]
    return quantizer.down(identity[0])[0], quantizer.up(identity[1])[0]


@encode.register
def _(quantizer: MultiScaleQuantizer, graph, z, n_positions):
    down, up = _between_grids(quantizer)
    coarse = encode(quantizer.coarse, graph, graph.add("MatMul", down, z), quantizer.n_coarse)
    large = graph.add("MatMul", up, decode(quantizer.coarse, graph, coarse, quantizer.n_coarse))
    fine = encode(quantizer.fine, graph, graph.add("Sub", z, large), quantizer.n_fine)
    return graph.add("Concat", coarse, fine, axis=1)


@decode.register
def _(quantizer: MultiScaleQuantizer, graph, codes, n_positions):
    _, up = _between_grids(quantizer)
    coarse = graph.slice(codes, 0, quantizer.n_coarse, 1)
    fine = graph.slice(codes, quantizer.n_coarse, quantizer.n_coarse + quantizer.n_fine, 1)
    large = graph.add("MatMul", up, decode(quantizer.coarse, graph, coarse, quantizer.n_coarse))
    return graph.add("Add", large, decode(quantizer.fine, graph, fine, quantizer.n_fine))

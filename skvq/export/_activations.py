"""Activation functions as ONNX operators, in float32 and float64.

For some of ONNX's activations onnxruntime has no float64 kernels, so these are composed of simpler operators.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..mlp.activations import LEAKY_SLOPE
from ._graph import Graph


def _leaky_relu(graph: Graph, x: str, dtype: str) -> str:
    return graph.add("Max", x, graph.add("Mul", x, np.array(LEAKY_SLOPE, dtype)))


def _elu(graph: Graph, x: str, dtype: str) -> str:
    negative = graph.add("Min", x, np.zeros((), dtype))
    below = graph.add("Sub", graph.add("Exp", negative), np.ones((), dtype))
    return graph.add("Add", graph.add("Relu", x), below)


def _gelu(graph: Graph, x: str, dtype: str) -> str:
    scaled = graph.add("Mul", x, np.array(0.5**0.5, dtype))
    # Erf exists in float32 alone.
    error = graph.cast(graph.add("Erf", graph.cast(scaled, "float32")), dtype)
    half = graph.add("Mul", x, np.array(0.5, dtype))
    return graph.add("Mul", half, graph.add("Add", error, np.ones((), dtype)))


def _silu(graph: Graph, x: str, dtype: str) -> str:
    # Not as a product with Sigmoid: onnxruntime 1.20 makes one operator of the two, which exists in float32 alone.
    return graph.add("Div", x, graph.add("Add", graph.add("Exp", graph.add("Neg", x)), np.ones((), dtype)))


def _softplus(graph: Graph, x: str, dtype: str) -> str:
    # max(x, 0) + log(1 + exp(-|x|)), which cannot overflow
    small = graph.add("Exp", graph.add("Neg", graph.add("Abs", x)))
    return graph.add("Add", graph.add("Relu", x), graph.add("Log", graph.add("Add", small, np.ones((), dtype))))


ACTIVATIONS: dict[str, Callable[[Graph, str, str], str]] = {
    "identity": lambda graph, x, dtype: x,
    "logistic": lambda graph, x, dtype: graph.add("Sigmoid", x),
    "tanh": lambda graph, x, dtype: graph.add("Tanh", x),
    "relu": lambda graph, x, dtype: graph.add("Relu", x),
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "gelu": _gelu,
    "silu": _silu,
    "softplus": _softplus,
}


def activate(graph: Graph, activation: str, x: str, dtype: str = "float32") -> str:
    """Add the activation of that name: x of `dtype` → the same shape and dtype."""
    return ACTIVATIONS[activation](graph, x, dtype)

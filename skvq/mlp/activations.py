"""Activation functions with their derivatives, in place and without autograd.

A hidden layer holds its output `a`; for the functions whose derivative is not a function of `a` alone it holds the
input `z` as well. Backpropagation multiplies the derivative into the error in place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

aten = torch.ops.aten
LEAKY_SLOPE = 0.01  # of leaky_relu below 0 (Maas, Hannun & Ng 2013, section 2)


@dataclass(frozen=True)
class Activation:
    """An element-wise function, for hand-written backpropagation.

    Parameters
    ----------
    function : callable
        z → a, differentiable by autograd.
    apply : callable
        ``apply(z, out)`` writes a = f(z) into `out`, which may be `z` itself unless `needs_input`.
    backward : callable
        ``backward(error, z, a)`` turns dL/da into dL/dz in place. Where not `needs_input`, `z` is not looked at.
    needs_input : bool, default=False
        Whether the derivative needs z.
    """

    function: Callable
    apply: Callable
    backward: Callable
    needs_input: bool = False


def _identity(z, out):
    if out is not z:
        out.copy_(z)


def _no_change(error, z, a):
    """The derivative of the identity is 1."""


ACTIVATIONS = {
    "identity": Activation(lambda z: z, _identity, _no_change),
    "logistic": Activation(
        torch.sigmoid,
        lambda z, out: torch.sigmoid(z, out=out),
        lambda error, z, a: aten.sigmoid_backward.grad_input(error, a, grad_input=error),
    ),
    "tanh": Activation(
        torch.tanh,
        lambda z, out: torch.tanh(z, out=out),
        lambda error, z, a: aten.tanh_backward.grad_input(error, a, grad_input=error),
    ),
    "relu": Activation(
        F.relu,
        lambda z, out: torch.clamp(z, min=0, out=out),
        lambda error, z, a: aten.threshold_backward.grad_input(error, a, 0, grad_input=error),
    ),
    "leaky_relu": Activation(
        lambda z: F.leaky_relu(z, LEAKY_SLOPE),
        lambda z, out: aten.leaky_relu.out(z, LEAKY_SLOPE, out=out),
        lambda error, z, a: aten.leaky_relu_backward.grad_input(error, a, LEAKY_SLOPE, True, grad_input=error),
    ),
    "elu": Activation(
        F.elu,
        lambda z, out: aten.elu.out(z, 1, 1, 1, out=out),
        lambda error, z, a: aten.elu_backward.grad_input(error, 1, 1, 1, True, a, grad_input=error),
    ),
    "gelu": Activation(
        F.gelu,
        lambda z, out: aten.gelu.out(z, out=out),
        lambda error, z, a: aten.gelu_backward.grad_input(error, z, grad_input=error),
        needs_input=True,
    ),
    "silu": Activation(
        F.silu,
        lambda z, out: aten.silu.out(z, out=out),
        lambda error, z, a: aten.silu_backward.grad_input(error, z, grad_input=error),
        needs_input=True,
    ),
    "softplus": Activation(
        F.softplus,
        lambda z, out: aten.softplus.out(z, 1, 20, out=out),
        lambda error, z, a: aten.softplus_backward.grad_input(error, z, 1, 20, grad_input=error),
        needs_input=True,
    ),
}

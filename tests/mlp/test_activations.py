"""Activations against formulas in numpy and against autograd."""

import numpy as np
import pytest
import torch
from scipy.special import erf, expit

from skvq.mlp.activations import ACTIVATIONS

FORMULAS = {
    "identity": lambda z: z,
    "logistic": expit,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "elu": lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
    "gelu": lambda z: 0.5 * z * (1 + erf(z / np.sqrt(2))),
    "silu": lambda z: z * expit(z),
    "softplus": lambda z: np.logaddexp(0, z),
}
SLOPES = {
    "identity": np.ones_like,
    "logistic": lambda z: expit(z) * expit(-z),
    "tanh": lambda z: 1 / np.cosh(z) ** 2,
    "relu": lambda z: (z > 0).astype(float),
    "leaky_relu": lambda z: np.where(z > 0, 1.0, 0.01),
    "elu": lambda z: np.exp(np.minimum(z, 0)),
    "gelu": lambda z: 0.5 * (1 + erf(z / np.sqrt(2))) + z * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi),
    "silu": lambda z: expit(z) * (1 + z * expit(-z)),
    "softplus": expit,
}
# Rounding of the type, of values up to 30; torch turns softplus into the identity above 20, 2e-9 early.
TOLERANCE = {torch.float64: 5e-9, torch.float32: 2e-6}
BOTH_TYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
EVERY = pytest.mark.parametrize("name", list(ACTIVATIONS))


def inputs(dtype, shape=(7, 5)):
    """Values from -30 to 30, most near 0, none of them 0."""
    z = 2 * torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(0))
    z[0] = torch.tensor([-30.0, -10.0, 10.0, 19.0, 30.0])
    return z


def forward(name, z):
    """The input and the output that a layer would hold."""
    activation = ACTIVATIONS[name]
    kept = z.clone()
    a = torch.empty_like(kept) if activation.needs_input else kept
    activation.apply(kept, a)
    return kept, a


def test_there_is_a_formula_here_for_every_activation():
    assert set(FORMULAS) == set(SLOPES) == set(ACTIVATIONS)


@EVERY
@BOTH_TYPES
def test_both_ways_forward_are_the_formula(name, dtype):
    z = inputs(dtype)
    expected = FORMULAS[name](z.double().numpy())
    for found in (ACTIVATIONS[name].function(z), forward(name, z)[1]):
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@EVERY
@BOTH_TYPES
def test_backward_is_the_slope_of_the_formula_times_the_error(name, dtype):
    z = inputs(dtype)
    error = torch.randn(z.shape, dtype=dtype, generator=torch.Generator().manual_seed(1))
    expected = error.double().numpy() * SLOPES[name](z.double().numpy())
    ACTIVATIONS[name].backward(error, *forward(name, z))
    np.testing.assert_allclose(error, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@EVERY
def test_backward_is_what_autograd_makes_of_the_function(name):
    z = inputs(torch.float64).requires_grad_()
    error = torch.randn(z.shape, dtype=z.dtype, generator=torch.Generator().manual_seed(1))
    ACTIVATIONS[name].function(z).backward(error)
    ACTIVATIONS[name].backward(error, *forward(name, z.detach()))
    torch.testing.assert_close(error, z.grad)


@EVERY
def test_at_zero_both_ways_back_agree(name):
    z = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    error = torch.ones(3, dtype=torch.float64)
    ACTIVATIONS[name].function(z).sum().backward()
    ACTIVATIONS[name].backward(error, *forward(name, z.detach()))
    torch.testing.assert_close(error, z.grad)


@EVERY
def test_backward_changes_the_error_alone(name):
    z, a = forward(name, inputs(torch.float64))
    before = z.clone(), a.clone()
    ACTIVATIONS[name].backward(torch.ones_like(z), z, a)
    assert torch.equal(z, before[0])
    assert torch.equal(a, before[1])


@EVERY
def test_an_input_that_is_not_needed_is_not_looked_at(name):
    if ACTIVATIONS[name].needs_input:
        z = inputs(torch.float64)
        kept, a = forward(name, z)
        assert torch.equal(kept, z)
        assert a.data_ptr() != kept.data_ptr()
        return
    error = torch.ones(7, 5, dtype=torch.float64)
    unknown = error.clone()
    _, a = forward(name, inputs(torch.float64))
    ACTIVATIONS[name].backward(error, torch.full_like(a, np.nan), a)
    ACTIVATIONS[name].backward(unknown, a, a)
    assert torch.equal(error, unknown)
    assert torch.isfinite(error).all()


@EVERY
def test_predictions_may_write_over_their_input(name):
    z = inputs(torch.float64)
    out = z.clone()
    ACTIVATIONS[name].apply(out, out)
    assert torch.equal(out, forward(name, z)[1])


@EVERY
@BOTH_TYPES
def test_large_inputs_neither_overflow_nor_give_nan(name, dtype):
    z, a = forward(name, torch.tensor([-1e6, 1e6], dtype=dtype))
    error = torch.ones_like(a)
    ACTIVATIONS[name].backward(error, z, a)
    assert torch.isfinite(a).all()
    assert torch.isfinite(error).all()

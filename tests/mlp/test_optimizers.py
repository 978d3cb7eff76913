"""Optimisers against loops in numpy, written from the papers."""

import copy
import json

import numpy as np
import pytest
import torch

from skvq.mlp.optimizers import SGD, Adam

RATES = [0.1, 0.1, 0.03, 0.03, 0.2, 0.01, 0.1, 0.1]
OPTIMIZERS = [(Adam, {}), (SGD, {"momentum": 0.8, "nesterov": True}), (SGD, {"momentum": 0.8, "nesterov": False})]
FUSED = pytest.mark.parametrize("fused", [True, False], ids=["fused", "step by step"])


def start():
    return np.random.default_rng(0).normal(size=7)


def gradients():
    """Eight gradients (7,) of very different sizes, one of them 0."""
    rng = np.random.default_rng(1)
    drawn = rng.normal(size=(8, 7)) * 10.0 ** rng.integers(-6, 3, size=(8, 7))
    drawn[3] = 0.0
    return drawn


def adam_by_the_paper(parameters, *, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    """Kingma & Ba, end of section 2: α_t = α √(1 − β₂ᵗ) / (1 − β₁ᵗ), θ ← θ − α_t m / (√v + ε)."""
    mean, square, path = np.zeros(7), np.zeros(7), []
    for t, (rate, gradient) in enumerate(zip(RATES, gradients()), start=1):
        mean = beta_1 * mean + (1 - beta_1) * gradient
        square = beta_2 * square + (1 - beta_2) * gradient**2
        size = rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        parameters = parameters - size * mean / (np.sqrt(square) + epsilon)
        path.append(parameters)
    return path


def momentum_by_the_paper(parameters, momentum):
    """Sutskever et al., equations 1 and 2: v ← μ v − ε ∇f(θ), θ ← θ + v."""
    velocity, path = np.zeros(7), []
    for rate, gradient in zip(RATES, gradients()):
        velocity = momentum * velocity - rate * gradient
        parameters = parameters + velocity
        path.append(parameters)
    return path


def nesterov_by_the_paper(parameters, momentum):
    """Equations 3 and 4, followed in the point where the gradient is taken: θ + μ v."""
    velocity, ahead, path = np.zeros(7), parameters, []
    for rate, gradient in zip(RATES, gradients()):
        behind = ahead - momentum * velocity
        velocity = momentum * velocity - rate * gradient
        ahead = behind + velocity + momentum * velocity
        path.append(ahead)
    return path


def walk(optimizer_class, options, dtype=torch.float64, fused=None):
    """The parameters after every step."""
    parameters, gradient = torch.from_numpy(start()).to(dtype), torch.zeros(7, dtype=dtype)
    optimizer = optimizer_class(parameters, gradient, **options)
    if fused is not None:
        optimizer.fused = fused
    path = []
    for rate, values in zip(RATES, gradients()):
        gradient.copy_(torch.from_numpy(values))
        optimizer.step(rate)
        path.append(parameters.numpy().copy())
    return path


@FUSED
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"beta_1": 0.5, "beta_2": 0.9},
        {"epsilon": 0.1},
        {"epsilon": 1e-3, "beta_2": 0.5},
        {"beta_1": 0.0},
        {"beta_2": 0.0},
        {"beta_1": 0.99999, "beta_2": 0.9999999},
    ],
    ids=str,
)
def test_adam_walks_the_way_of_the_paper(options, fused):
    np.testing.assert_allclose(walk(Adam, options, fused=fused), adam_by_the_paper(start(), **options), rtol=1e-12)


@FUSED
def test_adam_in_single_precision_stays_near(fused):
    path = walk(Adam, {}, torch.float32, fused)
    assert path[0].dtype == np.float32
    np.testing.assert_allclose(path, adam_by_the_paper(start()), atol=1e-5)


def test_the_first_step_of_adam_is_the_rate_times_the_sign():
    moved = walk(Adam, {"epsilon": 1e-30})[0] - start()
    np.testing.assert_allclose(moved, -RATES[0] * np.sign(gradients()[0]), rtol=1e-9)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 1.0])
def test_momentum_walks_the_way_of_the_paper(momentum):
    found = walk(SGD, {"momentum": momentum, "nesterov": False})
    np.testing.assert_allclose(found, momentum_by_the_paper(start(), momentum), rtol=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 1.0])
def test_nesterov_walks_the_way_of_the_paper(momentum):
    found = walk(SGD, {"momentum": momentum, "nesterov": True})
    np.testing.assert_allclose(found, nesterov_by_the_paper(start(), momentum), rtol=1e-9)


def test_without_momentum_a_step_is_the_rate_times_the_gradient():
    expected = start() - np.cumsum(np.array(RATES)[:, None] * gradients(), axis=0)
    for nesterov in (True, False):
        np.testing.assert_allclose(walk(SGD, {"momentum": 0.0, "nesterov": nesterov}), expected, rtol=1e-12)


@pytest.mark.parametrize(("optimizer_class", "options"), OPTIMIZERS)
def test_a_step_leaves_the_gradient_alone(optimizer_class, options):
    gradient = torch.from_numpy(gradients()[0])
    optimizer = optimizer_class(torch.zeros(7, dtype=torch.float64), gradient, **options)
    optimizer.step(0.1)
    optimizer.step(0.1)
    np.testing.assert_array_equal(gradient, gradients()[0])


@pytest.mark.parametrize(("optimizer_class", "options"), OPTIMIZERS)
def test_training_goes_on_exactly_from_a_state(optimizer_class, options):
    expected = walk(optimizer_class, options)
    parameters, gradient = torch.from_numpy(start()), torch.zeros(7, dtype=torch.float64)
    first = optimizer_class(parameters, gradient, **options)
    for rate, values in zip(RATES[:4], gradients()):
        gradient.copy_(torch.from_numpy(values))
        first.step(rate)
    state = first.state()
    second = optimizer_class(parameters, gradient, **options)
    second.load(copy.deepcopy(state))
    for rate, values, wanted in zip(RATES[4:], gradients()[4:], expected[4:]):
        gradient.copy_(torch.from_numpy(values))
        second.step(rate)
        np.testing.assert_array_equal(parameters, wanted)


@pytest.mark.parametrize(("optimizer_class", "options"), OPTIMIZERS)
def test_a_state_stays_what_it_was_when_training_goes_on(optimizer_class, options):
    gradient = torch.from_numpy(gradients()[0])
    optimizer = optimizer_class(torch.zeros(7, dtype=torch.float64), gradient, **options)
    optimizer.step(0.1)
    state = optimizer.state()
    before = copy.deepcopy(state)
    optimizer.step(0.1)
    for name, value in before.items():
        np.testing.assert_array_equal(state[name], value, err_msg=name)


@pytest.mark.parametrize(("optimizer_class", "options"), OPTIMIZERS)
def test_a_state_is_arrays_and_numbers(optimizer_class, options):
    optimizer = optimizer_class(torch.zeros(7), torch.ones(7), **options)
    optimizer.step(0.1)
    state = optimizer.state()
    arrays = [name for name, value in state.items() if type(value) is np.ndarray]
    json.dumps({name: value for name, value in state.items() if name not in arrays})
    assert all(state[name].shape == (7,) for name in arrays)
    assert arrays


@pytest.mark.parametrize(("optimizer_class", "options"), OPTIMIZERS)
def test_a_state_fits_an_optimiser_of_its_kind_and_size(optimizer_class, options):
    state = optimizer_class(torch.zeros(7), torch.ones(7), **options).state()
    assert optimizer_class(torch.zeros(7), torch.ones(7), **options).fits(state)
    assert not optimizer_class(torch.zeros(8), torch.ones(8), **options).fits(state)
    assert not {Adam: SGD, SGD: Adam}[optimizer_class](torch.zeros(7), torch.ones(7)).fits(state)

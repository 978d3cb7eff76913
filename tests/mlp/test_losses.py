"""Losses against formulas of scipy and scikit-learn, and their errors against autograd and finite differences."""

import numpy as np
import pytest
import torch
from scipy.special import expit, huber, softmax
from sklearn.metrics import log_loss, mean_pinball_loss, mean_poisson_deviance

from skvq.mlp.losses import AbsoluteError, BinaryLogLoss, Huber, LogLoss, Loss, Poisson, Quantile, SquaredError

N_OUTPUTS, N_ROWS = 3, 8
LEVELS = (0.8, 0.1, 0.5)  # not in order
LOSSES = {
    "squared_error": SquaredError(),
    "poisson": Poisson(),
    "binary": BinaryLogLoss(),
    "log_loss": LogLoss(),
    "absolute_error": AbsoluteError(),
    "huber": Huber(0.7),
    "quantile": Quantile((0.3,)),
    "quantiles": Quantile(LEVELS),
}
EVERY = pytest.mark.parametrize("name", list(LOSSES))
WEIGHTED = pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def batch(name, weighted, n_rows=N_ROWS):
    """Outputs (3, b), targets as the loss wants them, and weights (b,), one of which is 0, or None."""
    rng = np.random.default_rng(1)
    z = 1.5 * normal(N_OUTPUTS, n_rows)
    y = normal(N_OUTPUTS, n_rows, seed=2)
    if name == "poisson":
        y = torch.from_numpy(rng.poisson(1.0, size=z.shape).astype(float))  # with zeros
    elif name == "binary":
        y = (y > 0).double()
    elif name == "log_loss":
        y = torch.from_numpy(rng.integers(N_OUTPUTS, size=(1, n_rows)))
    elif name == "quantiles":
        y = y[:1]
    weight = torch.from_numpy(rng.uniform(0.5, 2.0, size=n_rows)) if weighted else None
    if weighted:
        weight[1] = 0.0
    return z, y, weight


def expected_rows(name, z, y):
    """Sum over the outputs of the loss of every row, (b,), by other people's formulas."""
    z, y = z.numpy(), y.numpy()
    if name == "squared_error":
        return 0.5 * ((z - y) ** 2).sum(0)
    if name == "poisson":
        half = [[mean_poisson_deviance([t], [mu]) / 2 for t, mu in zip(*row)] for row in zip(y, np.exp(z))]
        return np.sum(half, axis=0)
    if name == "binary":
        return -(y * np.log(expit(z)) + (1 - y) * np.log(expit(-z))).sum(0)
    if name == "log_loss":
        return np.array([log_loss([t], [p], labels=range(N_OUTPUTS)) for t, p in zip(y[0], softmax(z, axis=0).T)])
    if name == "absolute_error":
        return abs(z - y).sum(0)
    if name == "huber":
        return huber(0.7, z - y).sum(0)
    levels = [0.3] * N_OUTPUTS if name == "quantile" else LEVELS
    rows = [
        [mean_pinball_loss([t], [p], alpha=level) for t, p in zip(target, output)]
        for level, target, output in zip(levels, np.broadcast_to(y, z.shape), z)
    ]
    return np.sum(rows, axis=0)


@EVERY
@WEIGHTED
def test_the_value_is_that_of_the_formula(name, weighted):
    z, y, weight = batch(name, weighted)
    rows = expected_rows(name, z, y)
    expected = rows.sum() if weight is None else rows @ weight.numpy()
    before = z.clone()
    assert float(LOSSES[name].value(z, y, weight)) == pytest.approx(expected, rel=1e-12)
    assert torch.equal(z, before)
    assert float(LOSSES[name].error_(z, y, weight)) == pytest.approx(expected, rel=1e-12)


@EVERY
@WEIGHTED
def test_the_error_is_the_derivative_of_the_value_by_autograd(name, weighted):
    z, y, weight = batch(name, weighted)
    leaf = z.clone().requires_grad_()
    LOSSES[name].value(leaf, y, weight).backward()
    LOSSES[name].error_(z, y, weight)
    torch.testing.assert_close(z, leaf.grad)


@EVERY
@WEIGHTED
def test_the_error_is_the_derivative_of_the_formula_by_finite_differences(name, weighted):
    z, y, weight = batch(name, weighted, n_rows=3)
    step = 1e-6
    expected = torch.empty_like(z)
    for place in np.ndindex(*z.shape):
        up, down = z.clone(), z.clone()
        up[place] += step
        down[place] -= step
        slopes = (expected_rows(name, up, y) - expected_rows(name, down, y)) / (2 * step)
        expected[place] = slopes.sum() if weight is None else slopes @ weight.numpy()
    LOSSES[name].error_(z, y, weight)
    np.testing.assert_allclose(z, expected, atol=1e-7)  # step² and rounding / step


@EVERY
def test_a_weight_is_a_number_of_repetitions(name):
    z, y, _ = batch(name, weighted=False)
    times = torch.tensor([0, 1, 2, 3, 0, 1, 1, 2])
    repeated = [tensor.repeat_interleave(times, dim=1) for tensor in (z, y)]
    expected = LOSSES[name].error_(*repeated, None)
    assert float(LOSSES[name].error_(z, y, times.double())) == pytest.approx(float(expected), rel=1e-12)
    torch.testing.assert_close(z.repeat_interleave(times, dim=1), repeated[0] * times.repeat_interleave(times))


@EVERY
def test_targets_and_weights_are_left_alone(name):
    z, y, weight = batch(name, weighted=True)
    before = y.clone(), weight.clone()
    LOSSES[name].error_(z, y, weight)
    assert torch.equal(y, before[0])
    assert torch.equal(weight, before[1])


@EVERY
def test_single_precision_stays_single_and_near(name):
    z, y, weight = batch(name, weighted=True)
    narrow = z.float(), y if name == "log_loss" else y.float(), weight.float()
    total = LOSSES[name].error_(narrow[0], *narrow[1:])
    assert float(total) == pytest.approx(float(LOSSES[name].error_(z, y, weight)), rel=1e-5)
    assert narrow[0].dtype == torch.float32
    np.testing.assert_allclose(narrow[0], z, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("squared_error", lambda z: z),
        ("poisson", np.exp),
        ("binary", expit),
        ("log_loss", lambda z: softmax(z, axis=0)),
        ("absolute_error", lambda z: z),
        ("huber", lambda z: z),
        ("quantile", lambda z: z),
    ],
)
def test_predictions_are_the_outputs_through_their_activation(name, expected):
    z = normal(N_OUTPUTS, N_ROWS)
    np.testing.assert_allclose(LOSSES[name].predict_(z.clone()), expected(z.numpy()), rtol=1e-13)


@pytest.mark.parametrize("name", ["binary", "log_loss"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_certain_outputs_have_a_finite_loss(name, dtype):
    z = torch.tensor([[2000.0, -2000.0], [-2000.0, 2000.0]], dtype=dtype)
    wrong = torch.tensor([[1, 0]]) if name == "log_loss" else torch.tensor([[0, 1], [1, 0]], dtype=dtype)
    total = LOSSES[name].error_(z, wrong, None)
    assert float(total) == pytest.approx(8000.0)
    np.testing.assert_array_equal(abs(z), np.ones((2, 2)))


@pytest.mark.parametrize("name", ["absolute_error", "quantile", "huber"])
def test_a_residual_of_zero_pulls_nowhere(name):
    z = torch.zeros(2, 3, dtype=torch.float64)
    assert float(LOSSES[name].error_(z, torch.zeros_like(z), None)) == 0.0
    assert not z.any()


def test_quantiles_come_in_the_order_they_were_asked_for_and_never_cross():
    z = normal(3, 200)
    predictions = Quantile(LEVELS).predict_(z.clone())  # 0.8, 0.1, 0.5
    assert (predictions[1] <= predictions[2]).all()
    assert (predictions[2] <= predictions[0]).all()
    np.testing.assert_array_equal(np.sort(predictions, axis=0), np.sort(z, axis=0))
    assert (z[1] > z[2]).any()  # the outputs themselves cross


def test_sorting_the_quantiles_never_raises_the_loss_of_a_row():
    loss = Quantile(LEVELS)
    z, y = normal(3, 500), normal(1, 500, seed=2)
    sorted_z = loss.predict_(z.clone())
    each = [[float(loss.value(out[:, [i]], y[:, [i]], None)) for i in range(500)] for out in (z, sorted_z)]
    assert np.all(np.subtract(*each) >= -1e-12)
    assert np.any(np.subtract(*each) > 0.01)


def test_one_quantile_serves_every_output():
    z, y = normal(3, 5), normal(3, 5, seed=2)
    expected = sum(float(Quantile((0.3,)).value(z[[i]], y[[i]], None)) for i in range(3))
    assert float(Quantile((0.3,)).value(z, y, None)) == pytest.approx(expected)


def test_the_quantile_minimises_its_loss():
    y = normal(1, 401)
    level = torch.linspace(-3, 3, 6001, dtype=torch.float64)
    losses = [float(Quantile((0.9,)).value(torch.full_like(y, z), y, None)) for z in level[::10].tolist()]
    assert level[::10][int(np.argmin(losses))] == pytest.approx(float(y.quantile(0.9)), abs=0.02)


@pytest.mark.parametrize(("name", "averages"), [("squared_error", True), ("huber", True), ("poisson", False)])
def test_what_a_user_sees_is_a_mean_over_the_outputs_or_their_sum(name, averages):
    assert LOSSES[name].divisor(4) == (4 if averages else 1)


def test_a_loss_without_formulas_says_so():
    with pytest.raises(TypeError, match="Loss has no derivative"):
        Loss().error_(torch.zeros(1, 1), torch.zeros(1, 1), None)
    with pytest.raises(TypeError, match="Loss has no value"):
        Loss().value(torch.zeros(1, 1), torch.zeros(1, 1), None)

"""The hand-written gradients of dense networks against autograd and against central finite differences."""

import itertools

import numpy as np
import pytest
import torch
from scipy import sparse

from skvq.mlp import gather
from skvq.mlp.activations import ACTIVATIONS
from skvq.mlp.autograd import AutogradNetwork
from skvq.mlp.descent import Descent, DescentSettings, TrainingState
from skvq.mlp.gather import Samples
from skvq.mlp.lbfgs import WholeGradient
from skvq.mlp.losses import AbsoluteError, BinaryLogLoss, Huber, LogLoss, Poisson, Quantile, SquaredError
from skvq.mlp.network import DenseNetwork, Parameters, outputs
from skvq.mlp.optimizers import SGD
from skvq.mlp.rates import LearningRate

LOSSES = {
    "squared_error": SquaredError(),
    "poisson": Poisson(),
    "binary": BinaryLogLoss(),
    "log_loss": LogLoss(),
    "absolute_error": AbsoluteError(),
    "huber": Huber(0.7),
    "quantile": Quantile((0.3,)),
    "quantiles": Quantile((0.8, 0.1, 0.5)),
}
HIDDEN = [(), (5,), (5, 4)]
N_ROWS, N_COLUMNS, N_OUTPUTS = 8, 4, 3
EVERY_ACTIVATION = pytest.mark.parametrize("activation", list(ACTIVATIONS))
EVERY_LOSS = pytest.mark.parametrize("loss", list(LOSSES))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def rows(n=N_ROWS):
    """Rows (n, 4) as an ndarray, half of them zeros."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, N_COLUMNS)) * (rng.random((n, N_COLUMNS)) < 0.5)


def targets(loss, n=N_ROWS):
    """Targets (n, o) as an ndarray, class indices (n, 1) for the log-loss, one column for several quantiles."""
    rng = np.random.default_rng(1)
    if loss == "log_loss":
        return rng.integers(N_OUTPUTS, size=(n, 1))
    if loss == "poisson":
        return rng.poisson(1.0, size=(n, N_OUTPUTS)).astype(float)
    if loss == "binary":
        return rng.integers(2, size=(n, N_OUTPUTS)).astype(float)
    return rng.normal(size=(n, 1 if loss == "quantiles" else N_OUTPUTS))


def row_weights(n=N_ROWS):
    """Weights (n,) as an ndarray, the first of them 0."""
    weights = np.random.default_rng(2).uniform(0.5, 2.0, size=n)
    weights[0] = 0.0
    return weights


def network_of(hidden, activation, loss, dtype=torch.float64):
    network = DenseNetwork([N_COLUMNS, *hidden, N_OUTPUTS], activation, LOSSES[loss], dtype)
    network.parameters.flat.normal_(0, 0.7, generator=generator())
    return network


def batch(loss, *, weighted=False, n=N_ROWS):
    """Rows (n, 4), targets (o, n) and weights (n,) or None as tensors."""
    weight = torch.from_numpy(row_weights(n)) if weighted else None
    return torch.from_numpy(rows(n)), torch.from_numpy(targets(loss, n).T.copy()), weight


def loss_by_autograd(network, x, y, weight):
    """The sum of the losses of a batch and its derivative by `parameters.flat`, written the usual way."""
    flat = network.parameters.flat.clone().requires_grad_()
    *hidden, last = itertools.pairwise(network.widths)
    shapes = [*hidden, last[::-1], *((width,) for width in network.widths[1:])]
    pieces = [piece.view(shape) for piece, shape in zip(flat.split([int(np.prod(s)) for s in shapes]), shapes)]
    weights, biases = pieces[: len(pieces) // 2], pieces[len(pieces) // 2 :]
    for coef, intercept in zip(weights[:-1], biases[:-1]):
        x = network.activation.function(x @ coef + intercept)
    total = network.loss.value((x @ weights[-1].T + biases[-1]).T, y, weight)
    total.backward()
    return float(total.detach()), flat.grad


def finite_differences(network, x, y, weight, step=1e-6):
    flat = network.parameters.flat
    slopes = torch.empty_like(flat)
    for i, value in enumerate(flat.tolist()):
        flat[i] = value + step
        up = float(network.loss_sum(x, y, weight))
        flat[i] = value - step
        slopes[i] = (up - float(network.loss_sum(x, y, weight))) / (2 * step)
        flat[i] = value
    return slopes


def penalized_mean(network, loss, alpha, weighted):
    """The mean loss over all rows with ½ alpha |weights|² / total weight, and its derivative, by autograd."""
    x, y, weight = batch(loss, weighted=weighted)
    total = N_ROWS if weight is None else float(weight.sum())
    value, gradient = loss_by_autograd(network, x, y, weight)
    n_weights = sum(a * b for a, b in itertools.pairwise(network.widths))
    is_weight = torch.arange(len(gradient)) < n_weights
    penalty = alpha / total * network.parameters.flat * is_weight
    return value / total + 0.5 * float(penalty @ network.parameters.flat), gradient / total + penalty


@EVERY_ACTIVATION
@EVERY_LOSS
def test_gradients_are_those_of_autograd(activation, loss):
    for hidden, weighted in itertools.product(HIDDEN, (False, True)):
        network = network_of(hidden, activation, loss)
        x, y, weight = batch(loss, weighted=weighted)
        value, expected = loss_by_autograd(network, x, y, weight)
        network.gradient.flat.fill_(np.nan)  # what `first` starts from does not matter
        found = network.accumulate(x, y, weight, 0.25, first=True)
        assert float(found) == pytest.approx(value, rel=1e-12)
        torch.testing.assert_close(network.gradient.flat, 0.25 * expected, rtol=1e-10, atol=1e-12)


@EVERY_ACTIVATION
@EVERY_LOSS
def test_gradients_are_those_of_finite_differences(activation, loss):
    for hidden, weighted in itertools.product(HIDDEN, (False, True)):
        network = network_of(hidden, activation, loss)
        x, y, weight = batch(loss, weighted=weighted)
        network.accumulate(x, y, weight, 1.0, first=True)
        expected = finite_differences(network, x, y, weight)
        # step² and rounding / step, of losses up to a few hundred
        torch.testing.assert_close(network.gradient.flat, expected, rtol=1e-5, atol=1e-6)


@EVERY_ACTIVATION
@EVERY_LOSS
def test_sparse_rows_have_the_gradients_of_dense_ones(activation, loss):
    for hidden, make in itertools.product(HIDDEN, (sparse.csr_matrix, sparse.csr_array)):
        network = network_of(hidden, activation, loss)
        x, y, weight = batch(loss, weighted=True)
        value = float(network.accumulate(x, y, weight, 0.25, first=True))
        expected = network.gradient.flat.clone()
        assert float(network.accumulate(make(x.numpy()), y, weight, 0.25, first=True)) == pytest.approx(value)
        torch.testing.assert_close(network.gradient.flat, expected)
        network.accumulate(make(x.numpy()), y, weight, 0.25, first=False)
        torch.testing.assert_close(network.gradient.flat, 2 * expected)


@EVERY_ACTIVATION
@EVERY_LOSS
def test_lbfgs_is_given_the_derivative_of_the_penalised_mean_loss(activation, loss, monkeypatch):
    monkeypatch.setattr(gather, "rows_per_pass", lambda n_columns: 3)  # pieces of 3, 3 and 2 rows
    for hidden, weighted, as_sparse in itertools.product(HIDDEN, (False, True), (False, True)):
        network = network_of(hidden, activation, loss)
        point = network.parameters.flat.numpy().copy()
        value, expected = penalized_mean(network, loss, 0.3, weighted)
        samples = samples_of(loss, weighted, as_sparse, monkeypatch)
        assert len(list(samples.in_order())) == 3
        network.parameters.flat.zero_()
        found = WholeGradient([(network, samples)], 0.3)(point)
        assert found[0] == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(found[1], expected, rtol=1e-9, atol=1e-12)


@EVERY_ACTIVATION
@EVERY_LOSS
def test_a_step_of_descent_goes_down_the_penalised_mean_loss(activation, loss, monkeypatch):
    for hidden, weighted, as_sparse in itertools.product(HIDDEN, (False, True), (False, True)):
        network = network_of(hidden, activation, loss)
        before = network.parameters.flat.clone()
        _, slope = penalized_mean(network, loss, 0.3, weighted)
        settings = DescentSettings(1, N_ROWS, True, 0.3, 0.0, np.inf, None, False, 0)
        optimizer = SGD(network.parameters.flat, network.gradient.flat, momentum=0.0, nesterov=False)
        samples = samples_of(loss, weighted, as_sparse, monkeypatch)
        random_state = np.random.RandomState(0)
        Descent(network, optimizer, LearningRate(0.01, 1), samples, settings, random_state, TrainingState()).run(
            one_epoch=True
        )
        torch.testing.assert_close(network.parameters.flat, before - 0.01 * slope, rtol=1e-10, atol=1e-12)


def samples_of(loss, weighted, as_sparse, monkeypatch):
    monkeypatch.setattr(gather, "SPARSE_DENSITY", 1.0)  # half of the rows' values are not zero
    X = sparse.csr_matrix(rows()) if as_sparse else rows()
    target_dtype = torch.int64 if loss == "log_loss" else torch.float64
    return Samples(X, targets(loss), row_weights() if weighted else None, torch.float64, target_dtype)


@EVERY_ACTIVATION
@EVERY_LOSS
def test_pieces_of_a_batch_add_up_to_its_gradient(activation, loss):
    network = network_of((5, 4), activation, loss)
    x, y, weight = batch(loss, weighted=True)
    total = float(network.accumulate(x, y, weight, 0.5, first=True))
    expected = network.gradient.flat.clone()
    pieces = [slice(0, 3), slice(3, 4), slice(4, 8)]
    parts = [
        float(network.accumulate(x[piece], y[:, piece].contiguous(), weight[piece], 0.5, first=number == 0))
        for number, piece in enumerate(pieces)
    ]
    assert sum(parts) == pytest.approx(total)
    torch.testing.assert_close(network.gradient.flat, expected)


@EVERY_ACTIVATION
@EVERY_LOSS
def test_all_ways_to_predict_agree(activation, loss):
    for hidden in HIDDEN:
        network = network_of(hidden, activation, loss)
        coefs, intercepts = network.parameters.arrays(np.float64)
        by_autograd = AutogradNetwork(network.widths, activation, LOSSES[loss], torch.float64)
        by_autograd.parameters.load(coefs, intercepts)
        x = torch.from_numpy(rows())
        expected = network.outputs(x).numpy().copy()
        assert expected.shape == (N_OUTPUTS, N_ROWS)
        found = [
            by_autograd.outputs(x),
            network.outputs(sparse.csr_matrix(rows())),
            outputs(coefs, intercepts, activation, rows()).T,
            outputs(coefs, intercepts, activation, sparse.csr_matrix(rows())).T,
        ]
        for predictions in found:
            np.testing.assert_allclose(predictions, expected, rtol=1e-12, atol=1e-14)


def test_outputs_are_those_of_a_loop_over_neurons():
    network = network_of((5, 4), "tanh", "squared_error")
    coefs, intercepts = network.parameters.arrays(np.float64)
    for row, found in zip(rows(), network.outputs(torch.from_numpy(rows())).T):
        signal = list(row)
        for layer, (coef, intercept) in enumerate(zip(coefs, intercepts)):
            signal = [sum(s * w for s, w in zip(signal, column)) + b for column, b in zip(coef.T, intercept)]
            signal = signal if layer == 2 else [np.tanh(s) for s in signal]
        np.testing.assert_allclose(found, signal, rtol=1e-12)


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_a_batch_leaves_no_trace_in_the_next(loss):
    network = network_of((5, 4), "gelu", loss)
    gradients = []
    for n in (8, 3, 1, 8, 3, 1):
        x, y, weight = batch(loss, weighted=True, n=n)
        network.accumulate(x, y, weight, 1.0, first=True)
        gradients.append(network.gradient.flat.clone())
        network.outputs(torch.full((n, N_COLUMNS), 100.0, dtype=torch.float64))
    for first, second in zip(gradients[:3], gradients[3:]):
        assert torch.equal(first, second)


def test_neither_predicting_nor_the_loss_touches_rows_targets_or_gradient():
    network = network_of((5,), "relu", "poisson")
    x, y, weight = batch("poisson", weighted=True)
    before = [tensor.clone() for tensor in (x, y, weight, network.parameters.flat)]
    network.gradient.flat.fill_(7.0)
    network.outputs(x)
    network.loss_sum(x, y, weight)
    assert (network.gradient.flat == 7.0).all()
    network.accumulate(x, y, weight, 1.0, first=True)
    for tensor, copy in zip((x, y, weight, network.parameters.flat), before):
        assert torch.equal(tensor, copy)


def test_predicting_in_numpy_leaves_rows_and_weights_alone():
    network = network_of((5,), "silu", "binary")
    coefs, intercepts = network.parameters.arrays(np.float64)
    X = rows()
    for array in (X, *coefs, *intercepts):
        array.flags.writeable = False
    assert outputs(coefs, intercepts, "silu", X).shape == (len(X), len(intercepts[-1]))
    assert outputs(coefs[-1:], intercepts[-1:], "silu", np.zeros((2, 5))).shape == (2, len(intercepts[-1]))


def test_single_precision_has_the_gradients_of_double_precision():
    double, single = (network_of((5, 4), "tanh", "log_loss", dtype) for dtype in (torch.float64, torch.float32))
    single.parameters.flat.copy_(double.parameters.flat)
    x, y, weight = batch("log_loss", weighted=True)
    double.accumulate(x, y, weight, 1.0, first=True)
    single.accumulate(x.float(), y, weight.float(), 1.0, first=True)
    assert single.gradient.flat.dtype == torch.float32
    np.testing.assert_allclose(single.gradient.flat, double.gradient.flat, atol=1e-5)  # sums of eight rows in float32


@pytest.mark.parametrize(("loss", "expected"), [("squared_error", 2.0), ("poisson", 6.0)])
def test_the_reported_loss_is_a_mean_over_the_outputs_where_the_loss_says_so(loss, expected):
    assert network_of((), "relu", loss).reported(torch.tensor(6.0)) == expected


def test_parameters_are_views_of_one_buffer_weights_first():
    parameters = Parameters((4, 5, 6, 3), torch.float64)
    assert [tuple(weight.shape) for weight in parameters.weights] == [(4, 5), (5, 6), (3, 6)]
    assert [tuple(bias.shape) for bias in parameters.biases] == [(5,), (6,), (3,)]
    assert parameters.penalized.shape == (20 + 30 + 18,)
    for number, piece in enumerate([*parameters.weights, *parameters.biases], start=1):
        piece.fill_(number)
    expected = np.repeat([1, 2, 3, 4, 5, 6], [20, 30, 18, 5, 6, 3])
    np.testing.assert_array_equal(parameters.flat, expected)
    np.testing.assert_array_equal(parameters.penalized, expected[:68])


def test_scales_and_shifts_of_hidden_layers_stand_at_the_end_unpenalised():
    parameters = Parameters((4, 5, 6, 3), torch.float32, normalized=True)
    assert parameters.penalized.numel() == 68
    for number, group in enumerate(parameters.groups()):
        for piece in group:
            piece.fill_(number)
    np.testing.assert_array_equal(parameters.flat, np.repeat([0, 1, 2, 3], [68, 14, 11, 11]))


@pytest.mark.parametrize("hidden", HIDDEN)
def test_arrays_come_back_as_they_were_loaded(hidden):
    rng = np.random.default_rng(0)
    widths = [N_COLUMNS, *hidden, N_OUTPUTS]
    coefs = [rng.normal(size=pair) for pair in itertools.pairwise(widths)]
    intercepts = [rng.normal(size=width) for width in widths[1:]]
    parameters = Parameters(widths, torch.float64)
    parameters.load(coefs, intercepts)
    np.testing.assert_array_equal(parameters.weights[-1], coefs[-1].T)
    back = parameters.arrays(np.float64)
    parameters.flat.zero_()  # what came back is a copy
    for found, expected in zip([*back[0], *back[1]], [*coefs, *intercepts], strict=True):
        np.testing.assert_array_equal(found, expected)
        assert found.flags.c_contiguous
        assert found.flags.writeable
    assert {array.dtype for array in parameters.arrays(np.float32)[0]} == {np.dtype(np.float32)}

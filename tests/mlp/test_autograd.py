"""Networks by autograd against hand-written ones, torch's own layers and a plain reading of dropout."""

import itertools

import numpy as np
import pytest
import torch
from scipy import sparse

import skvq.mlp.build
from skvq import MLPClassifier, MLPRegressor
from skvq.mlp.activations import ACTIVATIONS
from skvq.mlp.autograd import AutogradNetwork
from skvq.mlp.losses import AbsoluteError, BinaryLogLoss, Huber, LogLoss, Poisson, Quantile, SquaredError
from skvq.mlp.network import DenseNetwork

LOSSES = {
    "squared_error": SquaredError(),
    "poisson": Poisson(),
    "binary": BinaryLogLoss(),
    "log_loss": LogLoss(),
    "absolute_error": AbsoluteError(),
    "huber": Huber(0.7),
    "quantiles": Quantile((0.8, 0.1, 0.5)),
}
WIDTHS = (4, 5, 6, 3)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed))


def make(activation="tanh", loss="squared_error", widths=WIDTHS, **options):
    """A network in float64 whose weights, biases, scales and shifts are all drawn."""
    network = AutogradNetwork(widths, activation, LOSSES[loss], torch.float64, **options)
    network.parameters.flat.normal_(0, 0.7, generator=generator(3))
    return network


def targets(loss, n=8):
    if loss == "log_loss":
        return torch.randint(3, (1, n), generator=generator(1))
    y = normal(3, n, seed=1)
    return {"poisson": y.abs().round(), "binary": (y > 0).double(), "quantiles": y[:1]}.get(loss, y)


def reference(network, normalization):
    """The same network of torch's own layers, (b, p) → (b, o)."""
    layers = []
    for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(WIDTHS)):
        linear = torch.nn.Linear(fan_in, fan_out, dtype=torch.float64)
        is_last = layer == len(WIDTHS) - 2
        weight = network.parameters.weights[layer]
        linear.weight.data.copy_(weight if is_last else weight.T)
        linear.bias.data.copy_(network.parameters.biases[layer])
        layers.append(linear)
        if is_last:
            return torch.nn.Sequential(*layers)
        kind = {"batch": torch.nn.BatchNorm1d, "layer": torch.nn.LayerNorm}[normalization]
        norm = kind(fan_out, dtype=torch.float64)
        norm.weight.data.copy_(network.parameters.scales[layer])
        norm.bias.data.copy_(network.parameters.shifts[layer])
        layers += [norm, torch.nn.Tanh()]
    return None


def gradients_of(module):
    """Gradients of a reference in the order of the flat buffer."""
    linears = [part for part in module if isinstance(part, torch.nn.Linear)]
    norms = [part for part in module if isinstance(part, (torch.nn.BatchNorm1d, torch.nn.LayerNorm))]
    weights = [linear.weight.grad.T for linear in linears[:-1]] + [linears[-1].weight.grad]
    others = [linear.bias.grad for linear in linears] + [norm.weight.grad for norm in norms]
    return torch.cat([piece.reshape(-1) for piece in (*weights, *others, *(norm.bias.grad for norm in norms))])


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize("loss", list(LOSSES))
def test_gradients_are_those_written_by_hand(activation, loss):
    for hidden, weighted in itertools.product([(), (5,), (5, 6)], (False, True)):
        by_autograd = make(activation, loss, (4, *hidden, 3))
        by_hand = DenseNetwork((4, *hidden, 3), activation, LOSSES[loss], torch.float64)
        by_hand.parameters.flat.copy_(by_autograd.parameters.flat)
        x, y = normal(8, 4), targets(loss)
        weight = normal(8, seed=2).abs() if weighted else None
        by_autograd.gradient.flat.fill_(np.nan)
        losses = [float(network.accumulate(x, y, weight, 0.3, first=True)) for network in (by_autograd, by_hand)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-12)
        torch.testing.assert_close(by_autograd.gradient.flat, by_hand.gradient.flat, rtol=1e-10, atol=1e-12)
        by_autograd.accumulate(x, y, weight, 0.3, first=False)
        torch.testing.assert_close(by_autograd.gradient.flat, 2 * by_hand.gradient.flat, rtol=1e-10, atol=1e-12)
        assert float(by_autograd.loss_sum(x, y, weight)) == pytest.approx(losses[0])
        torch.testing.assert_close(by_autograd.outputs(x), by_hand.outputs(x))


@pytest.mark.parametrize("normalization", ["batch", "layer"])
def test_normalised_training_is_that_of_torch_layers(normalization):
    network = make(normalization=normalization)
    module = reference(network, normalization)
    for seed in range(3):
        x, y = normal(8, 4, seed=10 + seed), targets("squared_error")
        expected = 0.5 * (module(x).T - y).square().sum()
        module.zero_grad()
        expected.backward()
        assert float(network.accumulate(x, y, None, 1.0, first=True)) == pytest.approx(float(expected.detach()))
        torch.testing.assert_close(network.gradient.flat, gradients_of(module))
    if normalization == "batch":
        norms = [part for part in module if isinstance(part, torch.nn.BatchNorm1d)]
        for mean, variance, norm in zip(network.means, network.variances, norms, strict=True):
            torch.testing.assert_close(mean, norm.running_mean)
            torch.testing.assert_close(variance, norm.running_var)
    x = normal(5, 4, seed=20)
    torch.testing.assert_close(network.outputs(x), module.eval()(x).T.detach())


def test_running_means_are_those_of_a_loop():
    network = make(normalization="batch", widths=(4, 5, 3))
    mean, variance = np.zeros(5), np.ones(5)
    for seed in range(4):
        x = normal(8, 4, seed=seed)
        z = (x @ network.parameters.weights[0] + network.parameters.biases[0]).numpy()
        mean = 0.9 * mean + 0.1 * z.mean(axis=0)
        variance = 0.9 * variance + 0.1 * z.var(axis=0, ddof=1)
        network.accumulate(x, targets("squared_error"), None, 1.0, first=True)
    np.testing.assert_allclose(network.means[0], mean)
    np.testing.assert_allclose(network.variances[0], variance)


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_evaluation_leaves_the_state_alone(normalization):
    network = make(normalization=normalization, dropout=0.5, generator=generator())
    network.accumulate(normal(8, 4), targets("squared_error"), None, 1.0, first=True)
    before = [tensor.clone() for tensor in (*network.state(), network.gradient.flat)]
    network.outputs(normal(8, 4, seed=5))
    network.loss_sum(normal(8, 4, seed=5), targets("squared_error"), None)
    for tensor, copy in zip((*network.state(), network.gradient.flat), before):
        assert torch.equal(tensor, copy)


def test_a_batch_of_one_row_is_normalised_by_the_running_means():
    network = make(normalization="batch")
    for seed in range(3):
        network.accumulate(normal(8, 4, seed=seed), targets("squared_error"), None, 1.0, first=True)
    before = [tensor.clone() for tensor in network.state()]
    x, y = normal(1, 4, seed=9), targets("squared_error", 1)
    expected = network.loss_sum(x, y, None)
    assert float(network.accumulate(x, y, None, 1.0, first=True)) == pytest.approx(float(expected))
    assert torch.isfinite(network.gradient.flat).all()
    assert network.gradient.flat.any()
    for tensor, copy in zip(network.state(), before):
        assert torch.equal(tensor, copy)


def test_a_new_network_scales_by_one_and_shifts_by_nothing():
    network = AutogradNetwork(WIDTHS, "tanh", LOSSES["squared_error"], normalization="layer")
    assert all((scale == 1).all() for scale in network.parameters.scales)
    assert not any(shift.any() for shift in network.parameters.shifts)


@pytest.mark.parametrize("p", [0.2, 0.6])
def test_dropout_zeroes_its_share_of_hidden_units_and_keeps_their_mean(p):
    # One hidden layer of ones, summed: the outputs count the units that are left, each scaled by 1 / (1 - p).
    network = AutogradNetwork((1, 1000, 1), "identity", LOSSES["squared_error"], torch.float64, dropout=p)
    network.dropout.generator = generator()
    network.parameters.biases[0].fill_(1.0)
    network.parameters.weights[1].fill_(1.0)
    row = torch.zeros(1, 1, dtype=torch.float64)
    # Of a target of zero, half the square of the sum is the loss.
    losses = torch.stack([network.accumulate(row, row, None, 1.0, first=True) for _ in range(100)])
    sums = (2 * losses).sqrt()
    left = (sums * (1 - p)).round()
    torch.testing.assert_close(sums * (1 - p), left)
    assert float(left.mean()) / 1000 == pytest.approx(1 - p, abs=0.01)  # six standard deviations
    assert len(left.unique()) > 10  # every row draws its own
    assert (network.outputs(torch.zeros(3, 1, dtype=torch.float64)) == 1000.0).all()


def test_dropout_leaves_inputs_and_outputs_alone():
    network = make("tanh", widths=(4, 3), dropout=0.9, generator=generator())
    x, y = normal(8, 4), targets("squared_error")
    assert float(network.accumulate(x, y, None, 1.0, first=True)) == float(network.loss_sum(x, y, None))


def test_the_gradient_under_dropout_is_that_of_the_units_left():
    network = make("identity", widths=(4, 50, 3), dropout=0.5, generator=generator())
    x, y = normal(1, 4), targets("squared_error", 1)
    network.accumulate(x, y, None, 1.0, first=True)
    weights, biases = network.gradient.weights, network.gradient.biases
    dropped = biases[0] == 0
    assert 10 < int(dropped.sum()) < 40
    assert not weights[0][:, dropped].any()
    assert not weights[1][:, dropped].any()
    assert weights[1][:, ~dropped].all()


def test_dropout_draws_from_its_generator_alone():
    before = torch.random.get_rng_state()
    gradients = []
    for seed in (0, 0, 1):
        network = make(dropout=0.5, generator=generator(seed))
        network.accumulate(normal(8, 4), targets("squared_error"), None, 1.0, first=True)
        gradients.append(network.gradient.flat.clone())
    assert torch.equal(gradients[0], gradients[1])
    assert not torch.equal(gradients[0], gradients[2])
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(("normalization", "kinds"), [("batch", 4), ("layer", 2), (None, 0)])
def test_what_normalisation_has_learned_can_be_stored_and_loaded(normalization, kinds):
    network = make(normalization=normalization)
    network.accumulate(normal(8, 4), targets("squared_error"), None, 1.0, first=True)
    arrays = network.normalization_arrays()
    assert len(arrays) == 2 * kinds  # two hidden layers
    other = AutogradNetwork(WIDTHS, "tanh", LOSSES["squared_error"], torch.float64, normalization=normalization)
    other.parameters.load(*network.parameters.arrays(np.float64))
    other.load_normalization(arrays)
    x = normal(5, 4, seed=7)
    assert torch.equal(other.outputs(x), network.outputs(x))
    stored = {name: array.copy() for name, array in arrays.items()}
    for tensor in network.state():
        tensor.zero_()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, stored[name])  # they are copies


def test_sparse_rows_give_what_dense_rows_give():
    network = make(normalization="layer")
    x = normal(8, 4) * (normal(8, 4, seed=1) > 0)
    expected = network.outputs(x)
    torch.testing.assert_close(network.outputs(sparse.csr_matrix(x.numpy())), expected)


def by_autograd(widths, activation, loss, dtype):
    return AutogradNetwork(widths, activation, loss, dtype)


REGRESSORS = [
    {"loss": loss, "solver": solver} for loss in ("squared_error", "poisson", "huber") for solver in ("adam", "sgd")
]
REGRESSORS += [{"loss": "quantile", "quantile": [0.9, 0.1]}, {"solver": "lbfgs"}, {"early_stopping": True}]


@pytest.mark.parametrize("parameters", REGRESSORS, ids=str)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_regressors_are_the_same_through_both_networks(parameters, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    y = rng.poisson(np.exp(0.5 * X[:, 0])).astype(float)
    assert_same_through_both(MLPRegressor, parameters, X, y, monkeypatch)


@pytest.mark.parametrize("classes", [2, 3, "labels"])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_classifiers_are_the_same_through_both_networks(classes, solver, monkeypatch):
    X = np.random.default_rng(0).normal(size=(60, 4))
    y = (X[:, :3] > 0).astype(int) if classes == "labels" else (X[:, 0] * classes).astype(int) % classes
    assert_same_through_both(MLPClassifier, {"solver": solver, "alpha": 0.1}, X, y, monkeypatch)


def assert_same_through_both(kind, parameters, X, y, monkeypatch):
    common = {"hidden_layer_sizes": (6, 5), "activation": "gelu", "precision": "float64", "random_state": 0}
    common |= {"max_iter": 15, "batch_size": 16, "learning_rate_init": 0.01}
    weight = np.random.default_rng(1).uniform(0.5, 2.0, size=len(X))
    by_hand = kind(**common | parameters).fit(X, y, sample_weight=weight)
    built = []
    monkeypatch.setattr(skvq.mlp.build, "DenseNetwork", lambda *args: built.append(by_autograd(*args)) or built[-1])
    other = kind(**common | parameters).fit(X, y, sample_weight=weight)
    assert built
    # Rounding of float64 over 15 epochs; line searches multiply it.
    tolerance = 1e-6 if parameters.get("solver") == "lbfgs" else 1e-9
    for found, expected in zip([*other.coefs_, *other.intercepts_], [*by_hand.coefs_, *by_hand.intercepts_]):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    assert other.loss_ == pytest.approx(by_hand.loss_, rel=tolerance)
    assert other.n_iter_ == by_hand.n_iter_
    np.testing.assert_allclose(other.predict(X), by_hand.predict(X), rtol=tolerance, atol=tolerance)

"""Networks built from arrays and names."""

import numpy as np
import pytest
import torch

from skvq.mlp.autograd import AutogradNetwork
from skvq.mlp.build import Weights, build_loss, build_network, layer_widths, start_weights
from skvq.mlp.losses import AbsoluteError, Huber, Poisson, Quantile, SquaredError
from skvq.mlp.network import DenseNetwork

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("hidden", "widths"),
    [((), [4, 2]), (7, [4, 7, 2]), ([7, 3], [4, 7, 3, 2]), (np.array([7, 3]), [4, 7, 3, 2])],
    ids=str,
)
def test_the_widths_are_those_of_input_hidden_layers_and_output(hidden, widths):
    found = layer_widths(hidden, 4, 2)
    assert found == widths
    assert all(type(width) is int for width in found)


@pytest.mark.parametrize(("activation", "factor"), [("relu", 6.0), ("tanh", 6.0), ("logistic", 2.0)])
def test_first_weights_fill_the_range_of_their_layer(activation, factor):
    weights = start_weights([200, 300, 100], activation, np.float32, np.random.RandomState(0))
    for coef, intercept, shape in zip(weights.coefs, weights.intercepts, [(200, 300), (300, 100)], strict=True):
        bound = np.sqrt(factor / sum(shape))
        assert coef.shape == shape
        assert intercept.shape == shape[1:]
        assert coef.dtype == intercept.dtype == np.float32
        assert 0.99 * bound < np.abs(coef).max() <= bound
        assert np.abs(intercept).max() <= bound
    assert weights.n_coefs == 200 * 300 + 300 * 100
    assert weights.widths == [200, 300, 100]


@pytest.mark.parametrize(
    ("loss", "kind"),
    [
        ("squared_error", SquaredError),
        ("poisson", Poisson),
        ("absolute_error", AbsoluteError),
        ("huber", Huber),
        ("quantile", Quantile),
    ],
)
def test_a_loss_has_the_name_of_its_parameter(loss, kind):
    built = build_loss(loss, huber_delta=3, quantile=[0.2, 0.4])
    assert type(built) is kind
    assert getattr(built, "delta", 3.0) == 3.0
    assert getattr(built, "quantiles", (0.2, 0.4)) == (0.2, 0.4)


@pytest.mark.parametrize("options", [{}, {"dropout": 0.1}, {"normalization": "batch"}], ids=str)
def test_weights_go_into_a_network_and_come_back(options):
    weights = start_weights([4, 3, 2], "relu", np.float64, np.random.RandomState(0))
    network = build_network(weights, "relu", SquaredError(), torch.float64, CPU, **options)
    assert type(network) is (AutogradNetwork if options else DenseNetwork)
    back = Weights.read(network, np.float64, normalized="normalization" in options)
    for found, expected in zip(back.coefs + back.intercepts, weights.coefs + weights.intercepts, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert set(back.learned()) == {"coefs_", "intercepts_"} | (
        {"normalization_state_"} if back.normalization else set()
    )


def test_what_normalisation_has_learned_goes_into_the_next_network():
    weights = start_weights([4, 3, 2], "relu", np.float64, np.random.RandomState(0))
    state = {name: np.arange(1.0, 4.0) for name in ("scale_0", "shift_0", "mean_0", "variance_0")}
    weights = Weights(weights.coefs, weights.intercepts, state)
    network = build_network(weights, "relu", None, torch.float64, CPU, normalization="batch")
    back = Weights.of(Weights.read(network, np.float64, normalized=True).learned())
    np.testing.assert_equal(back.normalization, state)

"""A trained state that is not finite, or worse than its start, does not pass unnoticed."""

import warnings

import numpy as np
import pytest
import torch

from skvq import AutoEncoderTransformer, MLPClassifier, MLPRegressor, OrderlessNADE, PixelCNN, VAETransformer
from skvq import VQVAETransformer as VQVAE
from skvq.training.loop import first_not_finite, require_finite

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(80, 3)) @ RANDOM.normal(size=(3, 8))
CODES = RANDOM.integers(3, size=(40, 4))
SMALL = {"hidden_layer_sizes": (4,), "random_state": 0, "early_stopping": False, "max_iter": 20}
GRIDS = {"channels": 4, "n_layers": 1, "random_state": 0, "early_stopping": False, "max_iter": 10, "dropout": 0}


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("make", [np.asarray, torch.tensor])
def test_the_first_array_that_is_not_finite_is_named(bad, make):
    state = {"counts": make([1, 2]), "good": make([1.0, 2.0]), "bad": make([1.0, bad]), "worse": make([bad, bad])}
    assert first_not_finite(state) == "bad"
    with pytest.raises(ValueError, match="bad holds values that are not finite after epoch 3; lower it"):
        require_finite(state, "after epoch 3", "lower it")
    del state["bad"], state["worse"]
    assert first_not_finite(state) is None


DIVERGING = {
    "autoencoder": AutoEncoderTransformer(2, **SMALL, learning_rate_init=10.0),
    "VAE": VAETransformer(2, **SMALL, learning_rate_init=10.0),
    "VQ-VAE": VQVAE(prior=None, **SMALL, learning_rate_init=10.0),
    "autoencoder of small units": AutoEncoderTransformer(2, **SMALL, learning_rate_init=1.0, standardize=False),
    "NADE": OrderlessNADE(n_units=8, random_state=0, early_stopping=False, max_iter=5, learning_rate_init=10.0),
    "PixelCNN": PixelCNN(**GRIDS, learning_rate_init=100.0),
    "MLPRegressor": MLPRegressor(hidden_layer_sizes=(4,), learning_rate_init=10.0, max_iter=5, random_state=0),
    "MLPClassifier": MLPClassifier((4,), learning_rate_init=100.0, max_iter=5, random_state=0),
    "MLPRegressor, early stopping": MLPRegressor(
        hidden_layer_sizes=(4,), learning_rate_init=10.0, max_iter=5, random_state=0, early_stopping=True
    ),
    "MLPClassifier, early stopping": MLPClassifier(
        (4,), solver="sgd", learning_rate_init=1e3, max_iter=5, random_state=0, early_stopping=True
    ),
}


def fitted(name, **changes):
    """Return an estimator, fitted to the rows that it takes, and the messages of its warnings."""
    model = DIVERGING[name]
    model = type(model)(**model.get_params(deep=False) | changes)
    rows = CODES if name == "PixelCNN" else 1e-3 * X if name.endswith("units") else X
    targets = {"MLPRegressor": X[:, 0], "MLPClassifier": (X[:, 0] > 0).astype(int)}.get(name.partition(",")[0])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(rows, targets)
    return model, [str(one.message) for one in caught]


@pytest.mark.parametrize("name", DIVERGING)
def test_a_fit_that_diverges_warns(name):
    told = [message for message in fitted(name)[1] if "diverged" in message]
    assert len(told) == 1
    assert "learning_rate_init=" in told[0]


@pytest.mark.parametrize("name", DIVERGING)
def test_a_fit_at_a_usual_learning_rate_does_not(name):
    usual = 1e-3 if name.startswith("MLP") else "auto"
    assert not [message for message in fitted(name, learning_rate_init=usual)[1] if "diverged" in message]


@pytest.mark.parametrize("name", ["autoencoder", "VAE", "VQ-VAE", "NADE", "PixelCNN"])
def test_the_weights_are_looked_at_after_the_last_step(name):
    with pytest.raises(ValueError, match="not finite|became (nan|inf)"):
        fitted(name, alpha=3e38, learning_rate_init=1e3, max_iter=1, batch_size=128)


def test_what_a_comparison_with_the_start_draws_changes_no_weights(monkeypatch):
    expected = fitted("autoencoder", learning_rate_init=1e-3)[0].weights_
    monkeypatch.setattr("skvq.training.outcome.StartWatch", lambda loop: None)
    for name, array in fitted("autoencoder", learning_rate_init=1e-3)[0].weights_.items():
        np.testing.assert_array_equal(array, expected[name])


SCALES = {"1e-10": 1e-10 * X[:, 0], "1e10": 1e10 * X[:, 0], "ns": (1.7e18 + 1e15 * X[:, 0]).astype(np.int64)}


@pytest.mark.parametrize("y", SCALES.values(), ids=SCALES)
def test_a_target_that_no_network_reaches_warns(y):
    model = MLPRegressor(hidden_layer_sizes=(8,), max_iter=20, random_state=0)
    with pytest.warns(UserWarning, match="explains little of it.*TransformedTargetRegressor"):
        model.fit(X, y)


@pytest.mark.parametrize("scale", [0.1, 1.0, 1e3])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_target_of_a_usual_scale_does_not(scale, solver):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        MLPRegressor(hidden_layer_sizes=(8,), solver=solver, max_iter=20, random_state=0).fit(X, scale * X[:, 0])
    assert not [one for one in caught if "explains little" in str(one.message)]


def test_a_large_target_that_is_reached_does_not():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", max_iter=500, random_state=0).fit(X, 1e5 * X[:, 0])
    assert model.score(X, 1e5 * X[:, 0]) > 0.99
    assert not [one for one in caught if "explains little" in str(one.message)]

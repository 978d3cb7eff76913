"""The start of an autoencoder, and what its objective adds to the reconstruction."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA

from skvq import AutoEncoderTransformer
from skvq.autoencoder.defaults import Architecture
from skvq.autoencoder.network import AutoEncoderObjective, build_autoencoder, start_from_data
from skvq.nn.bottleneck import BottleneckSizes
from skvq.training.batches import Rows

TABLE = Architecture(BottleneckSizes((6,), (8,), "gelu"), 3, "identity", "squared_error", tied_weights=False)
LINEAR = replace(TABLE.sizes, hidden_layer_sizes=())


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def correlated(n=300, n_features=6):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, n_features)) @ rng.normal(size=(n_features, n_features)) + rng.normal(size=n_features)


def objective(**options):
    return AutoEncoderObjective(build_autoencoder(TABLE, generator()), generator=generator(), **options)


def error_of(module, X):
    x = torch.from_numpy(X).float()
    return float((module.decode(module.encode(x)) - x).square().mean())


@pytest.mark.parametrize("hidden", [(), (6,)])
@pytest.mark.parametrize("tied", [False, True])
def test_the_start_is_pca(tied, hidden):
    X = correlated()
    pca = PCA(3).fit(X)
    architecture = replace(TABLE, tied_weights=tied, sizes=replace(TABLE.sizes, hidden_layer_sizes=hidden))
    module = start_from_data(architecture, Rows(X), generator()).module
    expected = np.mean((X - pca.inverse_transform(pca.transform(X))) ** 2)
    # A tied network that began at zero would stay there: PCA is a saddle of it.
    slack = 0.2 if tied and hidden else 1e-4
    assert expected * (1 - 1e-4) < error_of(module, X) < expected * (1 + slack)


def test_a_tied_network_leaves_its_start():
    X = load_breast_cancer().data
    linear, tied = (
        AutoEncoderTransformer(4, tied_weights=True, hidden_layer_sizes=hidden, random_state=0).fit(X)
        for hidden in ((), (16,))
    )
    assert tied.loss_curve_[-1] < 0.95 * linear.loss_curve_[-1]


def test_non_negative_codes_start_as_pairs_that_hold_half_as_many_components():
    X = correlated()
    architecture = replace(TABLE, code_activation="relu", n_components=4, sizes=LINEAR)
    module = start_from_data(architecture, Rows(X), generator()).module
    pca = PCA(2).fit(X)
    expected = np.mean((X - pca.inverse_transform(pca.transform(X))) ** 2)
    assert error_of(module, X) <= expected * (1 + 1e-4)  # least squares may do better, not worse


def test_codes_through_a_sigmoid_start_close_to_pca():
    X = correlated()
    module = start_from_data(replace(TABLE, code_activation="sigmoid"), Rows(X), generator()).module
    pca = PCA(3).fit(X)
    assert error_of(module, X) < 1.5 * np.mean((X - pca.inverse_transform(pca.transform(X))) ** 2)


@pytest.mark.parametrize("activation", ["identity", "relu", "sigmoid"])
@pytest.mark.parametrize("X", [np.ones((5, 6)), np.arange(6.0)[None]])
def test_rows_that_do_not_vary_start_at_their_mean(activation, X):
    module = start_from_data(replace(TABLE, code_activation=activation), Rows(X), generator()).module
    assert error_of(module, X) < 1e-9


def test_with_log_loss_the_start_is_better_than_the_mean():
    rng = np.random.default_rng(0)
    X = (correlated() + rng.normal(size=6) > 0).astype(float)
    mean = X.mean(axis=0).clip(0.05, 0.95)
    shift, scale = X.mean(axis=0), np.ones(6)
    rows = Rows(X, shift=shift, scale=scale)
    module = start_from_data(replace(TABLE, loss="log_loss"), rows, generator()).module
    x = torch.from_numpy(X - shift).float()
    loss = float(module.loss(module(x)[1].detach(), x))
    assert loss < -np.mean(X * np.log(mean) + (1 - X) * np.log(1 - mean))


@pytest.mark.parametrize("noise", ["gaussian", "masking"])
def test_corruption_is_as_strong_as_asked_and_the_target_stays_clean(noise):
    goal, seen = objective(noise=noise, noise_level=0.25), []
    goal.module.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    goal.module.train()
    batch = torch.ones(4000, 6)
    with torch.no_grad():
        for parameter in goal.module.decoder.parameters():
            parameter.zero_()
        assert float(goal.terms(batch)["reconstruction"]) == 1.0  # of a reconstruction of 0 for a clean row of 1
    assert (batch == 1).all()
    if noise == "masking":
        assert set(seen[0].unique().tolist()) == {0.0, 1.0}
        assert float((seen[0] == 0).float().mean()) == pytest.approx(0.25, abs=0.02)  # 7 standard errors
    else:
        assert float((seen[0] - batch).std()) == pytest.approx(0.25, abs=0.01)
        assert float((seen[0] - batch).mean()) == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("noise", ["gaussian", "masking", None])
def test_two_evaluations_draw_the_same(noise):
    goal = objective(noise=noise, noise_level=0.5, contractive_weight=0.5)
    goal.module.eval()
    batch, losses = torch.randn(30, 6, generator=generator()), []
    for _ in range(2):
        with torch.no_grad():
            losses.append([float(goal.terms(part)["loss"]) for part in batch.split(10)])
        goal.pass_summary()
    assert losses[0] == losses[1]


def test_without_extras_the_loss_is_the_reconstruction_alone():
    terms = objective().terms(torch.randn(5, 6, generator=generator()))
    assert set(terms) == {"loss", "reconstruction"}
    assert torch.equal(terms["loss"], terms["reconstruction"])


def test_the_loss_is_the_weighted_sum_of_its_terms():
    goal = objective(sparsity="l1", sparsity_weight=0.5, contractive_weight=2.0)
    terms = {
        name: float(value.detach()) for name, value in goal.terms(torch.randn(5, 6, generator=generator())).items()
    }
    expected = terms["reconstruction"] + 0.5 * terms["sparsity"] + 2.0 * terms["contraction"]
    assert terms["loss"] == pytest.approx(expected, rel=1e-6)

"""The start of a VAE from data, what its training minimises, and what its "auto" stands for."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import PCA

from skvq import VAETransformer
from skvq.core.layout import standardisation
from skvq.nn.bottleneck import BottleneckSizes
from skvq.training.batches import Rows
from skvq.vae.defaults import Architecture, plan
from skvq.vae.module import matched_noise
from skvq.vae.network import VAEObjective, build_vae, start_from_data


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def architecture(row_shape=(13,), hidden_layer_sizes=(8,), likelihood="gaussian", **sizes):
    return Architecture(BottleneckSizes(row_shape, hidden_layer_sizes, **sizes), 3, likelihood)


@pytest.fixture(scope="module")
def wine():
    X = load_wine().data
    shift, scale = standardisation(X, per_column=True)
    return Rows(X, shift=shift, scale=scale)


def bound(module, rows, kl_weight=1.0):
    x = rows.take(slice(None))
    with torch.no_grad():
        posterior, _, log_likelihood = module.eval()(x, matched_noise(16, 3, generator()))
    return float(log_likelihood.mean() - kl_weight * posterior.kl_per_component().sum(dim=1).mean())


@pytest.mark.parametrize("hidden_layer_sizes", [(), (8,), (8, 6)])
def test_every_network_starts_at_probabilistic_pca(wine, hidden_layer_sizes):
    description = architecture(hidden_layer_sizes=hidden_layer_sizes)
    start = start_from_data(description, wine, generator(), kl_weight=1.0)
    X = wine.take(slice(None)).double().numpy()
    assert bound(start.module, wine) == pytest.approx(PCA(3).fit(X).score(X), rel=2e-3)  # n against n - 1
    assert start.notes == {"supported": 3}
    assert start.architecture == description


@pytest.mark.parametrize("network", ["flat", "grid"])
def test_networks_of_images_start_at_probabilistic_pca(network):
    X = load_digits().data
    shift, scale = standardisation(X, per_column=False)
    rows = Rows(X, shift=shift, scale=scale, shape=(8, 8, 1))
    grid = {"hidden_layer_sizes": None, "grid_shape": (4, 4), "channels": 8, "n_blocks": 1}
    description = architecture((8, 8, 1), **grid if network == "grid" else {"hidden_layer_sizes": (9,)})
    module = start_from_data(description, rows, generator(), kl_weight=1.0).module
    expected = PCA(3).fit(X).score(X) + np.log(scale).sum()
    assert bound(module, rows) == pytest.approx(expected, rel=2e-3)


def test_the_start_for_another_weight_is_better_by_that_weight(wine):
    start, weighted = (start_from_data(architecture(), wine, generator(), kl_weight=w).module for w in (1.0, 3.0))
    assert bound(weighted, wine, 3.0) > bound(start, wine, 3.0) + 0.1
    assert bound(weighted, wine) < bound(start, wine) - 0.1


@pytest.mark.parametrize("likelihood", ["bernoulli", "poisson"])
def test_the_start_of_other_likelihoods_beats_independent_columns(likelihood):
    X = load_digits().data
    X = (X > 7).astype(float) if likelihood == "bernoulli" else X
    rows = Rows(X)
    description = architecture((64,), likelihood=likelihood)
    module = start_from_data(description, rows, generator(), kl_weight=1.0).module
    x, mean = torch.from_numpy(X).float(), torch.from_numpy(X.mean(axis=0)).float().clamp_min(1e-4)
    independent = torch.logit(mean, 1e-4) if likelihood == "bernoulli" else mean.log()
    assert bound(module, rows) > float(module.likelihood.log_prob(x, independent.expand(len(x), 64)).mean())


def objective(module, **changes):
    settings = {"n_components": 3, "kl_weight": 2.0, "kl_warmup": 0.0, "free_bits": 0.0, "generator": generator()}
    return VAEObjective(module, **settings | changes)


@pytest.fixture
def module(wine):
    return start_from_data(architecture(), wine, generator(), kl_weight=1.0).module


def test_the_terms_are_those_of_the_bound(wine, module):
    module.eval()
    with torch.no_grad():
        terms = objective(module).terms(wine.take(slice(None)))
    assert float(terms["loss"]) == pytest.approx(float(terms["negative_log_likelihood"] + 2 * terms["kl"]) / 13)
    assert float(-terms["negative_log_likelihood"] - terms["kl"]) == pytest.approx(bound(module, wine), abs=0.05)


def test_the_weight_rises_over_the_warmup_and_is_full_in_evaluation(wine, module):
    minimised = objective(module, kl_warmup=0.5)
    batch = wine.take(slice(0, 64))
    weights = []
    for progress, training in ((0.0, True), (0.25, True), (0.5, True), (1.0, True), (0.0, False)):
        module.train(training)
        minimised.after_step(progress)
        with torch.no_grad():
            terms = minimised.terms(batch)
        weights.append(float((13 * terms["loss"] - terms["negative_log_likelihood"]) / terms["kl"]))
    np.testing.assert_allclose(weights, [0, 1, 2, 2, 2], atol=1e-4)


def test_free_bits_cost_the_same_below_and_nothing_above(wine, module):
    module.eval()
    batch = wine.take(slice(None))
    with torch.no_grad():
        each = module.posterior(batch).kl_per_component().mean(dim=0)
        level = float(each.sort().values[1:].mean())  # between the second and the third
        terms = objective(module, free_bits=level, kl_weight=1.0).terms(batch)
    penalty = float(13 * terms["loss"] - terms["negative_log_likelihood"])
    assert penalty == pytest.approx(float(each.clamp_min(level).sum()), rel=1e-4)
    assert penalty > float(terms["kl"])


def test_training_draws_new_noise_evaluation_does_not(wine, module):
    minimised, batch = objective(module), wine.take(slice(0, 50))
    module.eval()
    assert minimised.terms(batch)["loss"] == minimised.terms(batch)["loss"]
    module.train()
    assert minimised.terms(batch)["loss"] != minimised.terms(batch)["loss"]


def test_a_step_reaches_every_parameter_but_not_the_noise_variance_by_gradient(wine, module):
    module.train()
    before = module.likelihood.variance.clone()
    objective(module).terms(wine.take(slice(0, 64)))["loss"].backward()
    assert not torch.equal(before, module.likelihood.variance)
    last = [part.network[-1].weight.grad for part in (module.encoder, module.decoder)]
    assert all(gradient.abs().max() > 0 for gradient in last)
    assert all(parameter.grad.abs().max() > 0 for parameter in module.encoder.linear.parameters())


def test_a_network_rebuilt_from_its_description_and_state_computes_the_same(wine, module):
    other = build_vae(architecture(), generator(5))
    other.load_state_dict(module.state_dict())
    assert bound(other, wine) == bound(module, wine)


@pytest.mark.parametrize(
    ("shape", "n", "n_components", "expected"),
    [
        ((13,), 100, 4, {"hidden_layer_sizes": ()}),
        ((13,), 600, 4, {"hidden_layer_sizes": (256, 256)}),
        ((1,), 600, 1, {}),
        ((28, 28, 1), 600, 32, {}),
        ((28, 28, 1), 10_000, 64, {}),
        ((80, 80, 1), 600, 32, {"channels": 64, "n_blocks": 2}),
    ],
)
def test_auto_stands_for_sizes_that_fit_the_rows(shape, n, n_components, expected):
    found = plan(VAETransformer(), shape, n)
    assert found.n_components == n_components
    assert found.sizes.row_shape == shape
    assert vars(found.sizes).items() >= expected.items()

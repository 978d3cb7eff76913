"""Training of a VAE where probabilistic PCA is not the end of it."""

import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import FactorAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import scale
from sklearn.utils.validation import check_is_fitted

from skvq import VAETransformer
from skvq.vae.defaults import plan


def test_a_linear_model_of_bits_beats_independent_pixels_by_far():
    X = (load_digits().data > 7) * 1.0
    model = VAETransformer(8, likelihood="bernoulli", n_mixture_components=5, random_state=0).fit(X[:300])
    rates = np.clip(X[:300].mean(axis=0), 1e-3, 1 - 1e-3)
    independent = stats.bernoulli(rates).logpmf(X[300:450]).sum(axis=1).mean()
    assert model.score(X[300:450]) > independent + 2.5  # 0.5 where training stops after 300 small steps


def test_a_linear_model_with_a_variance_for_every_feature_is_near_factor_analysis():
    X = scale(load_wine().data)
    model = VAETransformer(3, likelihood="gaussian_per_feature", random_state=0).fit(X)
    assert model.score(X) > FactorAnalysis(3, random_state=0).fit(X).score(X) - 0.1


def test_free_bits_bring_the_components_of_a_linear_model_back():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3)) @ rng.normal(size=(3, 8)) + 0.5 * rng.normal(size=(400, 8))
    model = VAETransformer(4, kl_weight=4, free_bits=0.5, random_state=0).fit(X)
    assert model.n_active_components_ == 4
    assert model.kl_per_component_ == pytest.approx(np.full(4, 0.5), abs=0.1)


def test_large_counts_keep_their_digits():
    X = np.random.default_rng(0).poisson(1e8, (200, 3))
    exact = stats.poisson(X.mean(axis=0)).logpmf(X).sum(axis=1)
    model = VAETransformer(1, likelihood="poisson", random_state=0).fit(X)
    assert model.score_samples(X) == pytest.approx(exact, abs=1.0)


def test_epochs_are_compared_at_the_noise_that_fits_them():
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(300, 4)) @ rng.normal(size=(4, 256)) + 0.1 * rng.normal(size=(300, 256))).reshape(-1, 16, 16)
    options = {"n_components": 4, "max_iter": 3, "random_state": 0}
    linear = VAETransformer(hidden_layer_sizes=(), **options).fit(X[:200], X_val=X[200:])
    network = VAETransformer(network="convolutional", channels=8, n_blocks=1, **options).fit(X[:200], X_val=X[200:])
    assert network.score(X[200:]) >= linear.score(X[200:]) - 1e-3 * abs(linear.score(X[200:]))


def test_a_failed_refit_leaves_nothing_of_either_fit():
    X = (load_digits().data[:200] > 7) * 1.0
    model = VAETransformer(2, likelihood="bernoulli", max_iter=2, random_state=0).fit(X)
    with pytest.raises(ValueError, match="bernoulli"):
        model.fit(load_wine().data[:, :5])
    with pytest.raises(NotFittedError):
        check_is_fitted(model)


def test_few_images_get_fewer_components_and_more_dropout_than_many():
    few, many, table = (
        plan(VAETransformer(), shape, n) for shape, n in (((28, 28, 1), 4_000), ((28, 28, 1), 60_000), ((784,), 4_000))
    )
    assert [each.n_components for each in (few, many, table)] == [32, 64, 64]
    assert [each.sizes.dropout for each in (few, many, table)] == [0.1, 0.05, 0.05]
    given = plan(VAETransformer(48, dropout=0.0), (28, 28, 1), 4_000)
    assert (given.n_components, given.sizes.dropout) == (48, 0.0)


def said_of_few_rows(model, X):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X)
    return [str(each.message) for each in caught if "rows for" in str(each.message)]


@pytest.mark.parametrize("n_rows", [12, 33])
def test_rows_that_are_too_few_for_the_components_are_said_with_two_ways_out(n_rows):
    X = load_digits().images
    model = VAETransformer(16, max_iter=1, early_stopping=False, random_state=0)
    (message,) = said_of_few_rows(model, X[:n_rows])
    assert f"Fit to 34 rows or more, or pass n_components={n_rows // 2 - 1}" in message
    assert not said_of_few_rows(model, X[:34])
    assert not said_of_few_rows(model.set_params(n_components=n_rows // 2 - 1), X[:n_rows])


def test_what_is_said_of_few_rows_is_so():
    X = load_digits().images[np.random.default_rng(0).permutation(1_000)]
    gaps = []
    for n_rows in (20, 100):
        model = VAETransformer(16, random_state=0)
        assert len(said_of_few_rows(model, X[:n_rows])) == (n_rows == 20)
        gaps.append(model.score(X[:n_rows]) - model.score(X[500:]))
    assert gaps[0] > 10 * gaps[1] > 0

"""VAETransformer on small images and tables."""

import pickle
import random
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse, stats
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skvq import VAETransformer
from skvq.persistence.records import from_json
from skvq.vae.defaults import Architecture
from skvq.vae.network import build_vae

MIXTURE = {"n_mixture_components": 2}  # a number takes less time than the choice of one
IMAGE = {"n_components": 6, "hidden_layer_sizes": (32,), "max_iter": 5, "random_state": 0, **MIXTURE}
TABLE = {"n_components": 3, "hidden_layer_sizes": (16,), "max_iter": 20, "random_state": 0, **MIXTURE}
CONVOLUTIONAL = {"n_components": 6, "network": "convolutional", "channels": 16, "n_blocks": 1, "max_iter": 3} | MIXTURE
SETS = {"wine": load_wine, "cancer": load_breast_cancer, "digits": load_digits}


@pytest.fixture(scope="module")
def digits():
    return load_digits().images[:400]


@pytest.fixture(scope="module")
def wine():
    return load_wine().data


@pytest.fixture(scope="module")
def on_digits(digits):
    return VAETransformer(**IMAGE).fit(digits)


@pytest.fixture(scope="module")
def on_wine(wine):
    return VAETransformer(**TABLE).fit(wine)


@pytest.fixture(scope="module")
def linear(wine):
    return VAETransformer(4, hidden_layer_sizes=(), prior="normal", random_state=0).fit(wine)


def standardised(model, X):
    return (np.asarray(X).reshape(len(X), -1) - model.shift_) / model.scale_


def posterior(model, X):
    """Means and standard deviations of q(z | x), from the network itself."""
    module = build_vae(from_json(Architecture, model.architecture_), torch.Generator()).eval()
    module.load_state_dict({name: torch.from_numpy(array) for name, array in model.weights_.items()})
    rows = torch.from_numpy(standardised(model, X)).float().unflatten(1, model.architecture_["sizes"]["row_shape"])
    with torch.no_grad():
        q = module.posterior(rows)
    return q.mean.double().numpy(), np.exp(0.5 * q.log_variance.double().numpy())


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("k", [2, 8])
def test_a_linear_model_has_the_likelihood_of_probabilistic_pca(name, k):
    X = SETS[name]().data
    linear = {"hidden_layer_sizes": (), "prior": "normal", "random_state": 0}
    model = VAETransformer(k, standardize=False, **linear).fit(X)
    assert model.score(X) == pytest.approx(PCA(k).fit(X).score(X), rel=5e-3)
    scaler = StandardScaler().fit(X)
    rows = scaler.transform(X)
    expected = PCA(k).fit(rows).score(rows) - np.log(scaler.scale_).sum()  # the density in the units of X
    model = VAETransformer(k, **linear).fit(X)
    assert model.score(X) == pytest.approx(expected, rel=5e-3)
    # the exact posterior makes every bound tight; a draw may differ by what float32 leaves of it
    assert model.score_samples(X, n_importance_samples=5).mean() == pytest.approx(expected, rel=5e-3)


def test_a_linear_model_on_images_has_the_likelihood_of_probabilistic_pca(digits):
    X = digits.reshape(400, 64)
    model = VAETransformer(5, network="convolutional", n_blocks=0, prior="normal", random_state=0).fit(digits)
    # one scale for all pixels: the same model as on X itself
    assert model.score(digits) == pytest.approx(PCA(5).fit(X).score(X), rel=5e-3)


def test_the_posterior_of_a_linear_model_is_that_of_probabilistic_pca(linear, wine):
    X = standardised(linear, wine)
    pca = PCA(4).fit(X)
    variances = pca.explained_variance_ * (177 / 178)
    mean, std = posterior(linear, wine)
    expected = np.sqrt(variances - linear.noise_variance_) / variances * pca.transform(X)
    np.testing.assert_allclose(np.abs(mean), np.abs(expected), atol=0.02)
    np.testing.assert_allclose(std[0] ** 2, linear.noise_variance_ / variances, rtol=0.02)
    np.testing.assert_array_equal(linear.transform(wine), mean.astype(np.float32))


@pytest.mark.parametrize("name", ["digits", "wine"])
def test_the_elbo_is_likelihood_minus_divergence_in_the_units_of_x(name, request):
    X = request.getfixturevalue(name)[:30]
    settings = (IMAGE if name == "digits" else TABLE) | {"n_mixture_components": 3, "clip": False}
    model = VAETransformer(**settings).fit(request.getfixturevalue(name))
    mean, std = posterior(model, X)
    rng, rows = np.random.default_rng(0), np.asarray(X).reshape(30, -1)
    spread = np.sqrt(model.noise_variance_) * model.scale_
    log_likelihood, log_prior, plain = np.zeros(30), np.zeros(30), 0.5 * (mean**2 + std**2 - np.log(std**2) - 1)
    for _ in range(400):
        z = mean + std * rng.standard_normal(mean.shape)
        decoded = model.inverse_transform(z).reshape(30, -1)
        log_likelihood += stats.norm(decoded, spread).logpdf(rows).sum(axis=1) / 400
        log_prior += model.mixture_.score_samples(z) / 400
    # 400 draws against 8 with matched moments, over 30 rows
    expected = log_likelihood + log_prior + stats.norm(mean, std).entropy().sum(axis=1)
    assert model.score_samples(X).mean() == pytest.approx(expected.mean(), abs=0.3)
    del model.mixture_  # without one the prior is N(0, I), and the divergence in closed form
    assert model.score_samples(X).mean() == pytest.approx((log_likelihood - plain.sum(axis=1)).mean(), abs=0.3)


@pytest.mark.parametrize("name", ["digits", "wine"])
def test_the_importance_weighted_bound_rises_with_its_draws_above_the_elbo(name, request):
    X = request.getfixturevalue(name)
    # far from linear, so that the posterior is not the exact one and the bounds differ
    settings = {"hidden_layer_sizes": (32,), "learning_rate_init": 0.01, "max_iter": 60, "early_stopping": False}
    model = VAETransformer(3, **settings, random_state=0).fit(X)
    bounds = [
        model.score_samples(X, n_importance_samples=n).mean() for n in (2, 20, 1000)
    ]  # ten and more times as many: noise is less
    assert model.score(X) + 0.05 < bounds[0] < bounds[1] < bounds[2]


def test_the_bound_with_one_draw_is_the_elbo_on_average(on_wine, wine):
    single = on_wine.score_samples(wine, n_importance_samples=1)
    error = np.std(single - on_wine.score_samples(wine)) / np.sqrt(178)
    assert single.mean() == pytest.approx(on_wine.score(wine), abs=4 * error)


def test_the_bound_changes_with_the_unit_of_x(wine):
    plain, scaled = (VAETransformer(**TABLE).fit(X).score_samples(X) for X in (wine, 8 * wine))
    np.testing.assert_allclose(plain - scaled, 13 * np.log(8), rtol=1e-6)


@pytest.mark.filterwarnings("ignore:posterior collapse")
def test_score_is_the_mean_bound_whatever_the_weight_of_training(wine):
    model = VAETransformer(kl_weight=4.0, **TABLE).fit(wine)
    assert model.score(wine) == pytest.approx(model.score_samples(wine).mean())
    assert model.score(wine) < VAETransformer(**TABLE).fit(wine).score(wine)


@pytest.mark.parametrize("name", ["digits", "wine"])
def test_a_row_gets_the_same_alone_and_among_others(name, request):
    model, X = request.getfixturevalue(f"on_{name}"), request.getfixturevalue(name)[:9]
    for method in (model.transform, model.score_samples, lambda x: model.score_samples(x, n_importance_samples=3)):
        alone = np.concatenate([method(X[i : i + 1]) for i in range(9)])
        np.testing.assert_allclose(alone, method(X), rtol=1e-5, atol=1e-6)  # the last bits of a float32 product


def test_the_network_improves_on_probabilistic_pca_where_rows_are_held_out():
    X = load_digits().data
    training, held_out, options = X[:1000:2], X[1::2], {"prior": "normal", "random_state": 0}
    start = VAETransformer(8, hidden_layer_sizes=(), **options).fit(training).score(held_out)
    assert VAETransformer(8, max_iter=10, **options).fit(training, X_val=held_out).score(held_out) > start + 5


def test_a_start_that_training_cannot_improve_is_kept(wine):
    training, held_out = wine[::2], wine[1::2]
    hopeless = VAETransformer(**TABLE | {"learning_rate_init": 5.0, "max_iter": 3}).fit(training, X_val=held_out)
    assert hopeless.best_iter_ == 0
    start = VAETransformer(3, hidden_layer_sizes=()).fit(training)
    assert hopeless.score(held_out) > start.score(held_out) - 0.5  # the noise variance is that of held-out rows


@pytest.mark.filterwarnings("ignore:posterior collapse")
def test_more_weight_on_the_divergence_lowers_it_and_raises_the_error(wine):
    light, heavy = (VAETransformer(kl_weight=w, **TABLE).fit(wine) for w in (0.2, 3.0))
    assert heavy.kl_per_component_.sum() < light.kl_per_component_.sum() - 1
    errors = [np.mean((standardised(m, wine) - standardised(m, m.inverse_transform(m.transform(wine)))) ** 2)
              for m in (light, heavy)]  # fmt: skip
    assert errors[0] < errors[1]


@pytest.mark.filterwarnings("ignore:posterior collapse")
def test_free_bits_keep_every_component_informative(wine):
    settings = TABLE | {"n_components": 8, "max_iter": 200, "kl_weight": 2.0}
    plain = VAETransformer(**settings).fit(wine)
    free = VAETransformer(free_bits=0.5, **settings).fit(wine)
    assert plain.kl_per_component_.min() < 0.2
    assert free.kl_per_component_.min() > 0.35


@pytest.mark.parametrize("name", ["digits", "wine"])
def test_diagnostics_describe_the_posteriors_of_the_training_rows(name, request):
    X = request.getfixturevalue(name)
    model = VAETransformer(**(IMAGE if name == "digits" else TABLE), early_stopping=False).fit(X)
    mean, std = posterior(model, X)
    expected = 0.5 * (mean**2 + std**2 - np.log(std**2) - 1).mean(axis=0)
    np.testing.assert_allclose(model.kl_per_component_, expected, rtol=1e-4)
    assert model.n_active_components_ == (mean.var(axis=0) > 0.01).sum()


def test_the_noise_variance_is_the_mean_squared_error_of_draws(on_wine, wine):
    drawn = on_wine.reconstruct(wine, n_draws=50, random_state=0)
    error = standardised(on_wine, wine)[:, None] - (drawn - on_wine.shift_) / on_wine.scale_
    assert on_wine.noise_variance_ == pytest.approx(np.mean(error**2), rel=0.03)


def test_a_variance_for_every_feature_finds_those_that_are_not_predictable():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 1)) * np.ones(6) + rng.normal(size=(600, 6)) * np.array([0.1, 0.1, 0.1, 0.1, 3.0, 3.0])
    model = VAETransformer(1, likelihood="gaussian_per_feature", max_iter=40, random_state=0).fit(X)
    assert model.noise_variance_.shape == (6,)
    assert model.noise_variance_[:4].max() < 0.1 < 0.7 < model.noise_variance_[4:].min()
    assert model.score(X) > VAETransformer(1, max_iter=40, random_state=0).fit(X).score(X) + 1


@pytest.mark.parametrize("form", ["table", "images"])
def test_binary_rows_have_a_probability_above_that_of_independent_pixels(form, digits):
    X = (digits > 7).astype(float)
    rows = X.reshape(400, 64)
    frequency = np.clip(rows[:300].mean(axis=0), 1 / 300, 1 - 1 / 300)
    independent = stats.bernoulli(frequency).logpmf(rows[300:].astype(int)).sum(axis=1).mean()
    model = VAETransformer(6, likelihood="bernoulli", hidden_layer_sizes=(64,), max_iter=60, random_state=0)
    X = rows if form == "table" else X
    model.fit(X[:300])
    assert model.noise_variance_ is None
    assert independent + 2 < model.score(X[300:]) < 0
    probabilities = model.inverse_transform(model.transform(X))
    assert probabilities.min() >= 0
    assert probabilities.max() <= 1
    drawn = model.sample(5, random_state=0, observation_noise=True)
    assert set(np.unique(drawn)) == {0.0, 1.0}


def test_counts_have_a_probability_above_that_of_independent_poissons():
    rng = np.random.default_rng(0)
    X = rng.poisson(np.exp(rng.normal(size=(600, 2)) @ rng.normal(size=(2, 12)) * 0.5 + 1.5))
    model = VAETransformer(2, likelihood="poisson", max_iter=40, random_state=0).fit(sparse.csr_matrix(X[:500]))
    independent = stats.poisson(X[:500].mean(axis=0)).logpmf(X[500:]).sum(axis=1).mean()
    assert model.score(X[500:]) > independent + 5
    drawn = model.sample(7, random_state=0, observation_noise=True)
    np.testing.assert_array_equal(drawn, np.round(drawn))
    assert model.inverse_transform(model.transform(X)).min() > 0


@pytest.mark.parametrize("prior", ["normal", "gaussian_mixture"])
def test_samples_come_from_the_prior_and_the_decoder_alone(prior, digits):
    model = VAETransformer(**IMAGE, prior=prior).fit(digits)
    random = np.random.RandomState(3)  # noqa: NPY002
    if prior == "normal":
        z = random.standard_normal((6, 6))
    else:
        mixture = pickle.loads(pickle.dumps(model.mixture_))
        z = random.permutation(mixture.set_params(random_state=random).sample(6)[0])
    samples = model.sample(6, random_state=3)
    assert samples.shape == (6, 8, 8)
    np.testing.assert_allclose(samples, model.inverse_transform(z), rtol=1e-5, atol=1e-5)
    other = pickle.loads(pickle.dumps(model))
    other.weights_ = {n: np.zeros_like(w) if n.startswith("encoder") else w for n, w in other.weights_.items()}
    np.testing.assert_array_equal(samples, other.sample(6, random_state=3))


def test_rows_of_tables_are_drawn_with_the_noise_of_the_likelihood_images_without(linear, wine, on_digits):
    drawn = linear.sample(4_000, random_state=0)
    np.testing.assert_array_equal(drawn, linear.sample(4_000, random_state=0, observation_noise=True))
    # one noise variance for all columns gives some too much and some too little; without it they have 0.53 to 0.93
    np.testing.assert_allclose(drawn.std(axis=0), wine.std(axis=0), rtol=0.2)
    images = on_digits.sample(4, random_state=0)
    np.testing.assert_array_equal(images, on_digits.sample(4, random_state=0, observation_noise=False))
    assert np.abs(images - on_digits.sample(4, random_state=0, observation_noise=True)).mean() > 0.5


def test_samples_with_noise_have_the_covariance_of_the_rows(linear, wine):
    drawn = linear.sample(20_000, random_state=0, observation_noise=True)
    drawn, rows = standardised(linear, drawn), standardised(linear, wine)
    pca = PCA(4).fit(rows)
    np.testing.assert_allclose(np.cov(drawn.T), pca.get_covariance(), atol=0.06)  # standard error 0.01
    means = linear.sample(20_000, random_state=0, observation_noise=False)
    assert standardised(linear, means).var() < drawn.var() - 0.1


def test_a_mixture_draws_closer_to_where_the_rows_are():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 4)) * 0.1 + np.where(rng.random(600) < 0.5, -1, 1)[:, None]  # two lumps
    model = VAETransformer(1, hidden_layer_sizes=(), random_state=0).fit(X)
    plain = VAETransformer(1, hidden_layer_sizes=(), prior="normal", random_state=0).fit(X)
    between = [(np.abs(m.sample(2_000, random_state=0).mean(axis=1)) < 0.5).mean() for m in (model, plain)]
    assert between[0] < 0.05 < 0.3 < between[1]
    np.testing.assert_array_equal(model.sample(5, random_state=1), model.sample(5, random_state=1))
    assert model.mixture_.n_components == 3  # N(0, I) among them
    rows = rng.normal(size=(600, 4)) * 0.1 + np.where(rng.random(600) < 0.5, -1, 1)[:, None]
    # N(0, I) of one component against two Gaussians of standard deviation 0.05 at -1 and 1
    assert model.score(rows) > plain.score(rows) + 1


def test_reconstructions_of_a_row_differ_as_its_posterior_does(linear, wine):
    drawn = linear.reconstruct(wine[:3], n_draws=4_000, random_state=0)
    assert drawn.shape == (3, 4_000, 13)
    mean, std = posterior(linear, wine[:3])
    np.testing.assert_allclose(
        drawn.mean(axis=1) / linear.scale_, linear.inverse_transform(mean) / linear.scale_, atol=0.05
    )
    directions = linear.inverse_transform(np.eye(4)) - linear.inverse_transform(np.zeros((4, 4)))
    expected = np.sqrt((std[:, :, None] ** 2 * directions**2).sum(axis=1))
    np.testing.assert_allclose(drawn.std(axis=1), expected, rtol=0.06)


def test_a_traversal_moves_one_component(on_digits, digits):
    values = (-2.0, 0.0, 1.5)
    assert on_digits.traverse(2, values).shape == (1, 3, 8, 8)
    traversed = on_digits.traverse(2, values, X=digits[:5])
    z = on_digits.transform(digits[:5])
    z[:, 2] = 1.5
    np.testing.assert_allclose(traversed[:, 2], on_digits.inverse_transform(z), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(8, 8), (9, 13), (11, 8, 3)])
@pytest.mark.parametrize("settings", [IMAGE, CONVOLUTIONAL], ids=["dense", "convolutional"])
def test_images_of_any_size_come_back_in_their_layout(shape, settings):
    X = np.random.default_rng(0).normal(size=(40, *shape)).astype(np.float32)
    model = VAETransformer(**settings | {"max_iter": 1}).fit(X)
    z = model.transform(X)
    assert z.shape == (40, 6)
    assert z.dtype == np.float32
    assert model.inverse_transform(z).shape == X.shape
    assert model.inverse_transform(z).dtype == np.float32
    assert model.sample(3, random_state=0).shape == (3, *shape)


def test_a_convolutional_network_learns(digits):
    options = CONVOLUTIONAL | {"early_stopping": False, "random_state": 0}
    few, many = (VAETransformer(**options | {"max_iter": n}).fit(digits) for n in (1, 40))
    assert many.score(digits) > few.score(digits) + 1


def test_large_images_get_convolutions_small_ones_dense_layers():
    rng = np.random.default_rng(0)
    for side, key in ((16, "hidden_layer_sizes"), (66, "channels")):
        model = VAETransformer(2, max_iter=1, channels=4, n_blocks=1).fit(rng.normal(size=(4, side, side)))
        assert model.architecture_["sizes"][key] is not None


def test_rows_and_images_give_the_same_model(digits):
    rows = digits.reshape(400, 64)
    from_rows = VAETransformer(image_shape=(8, 8), **IMAGE).fit(rows)
    from_images = VAETransformer(**IMAGE).fit(digits)
    np.testing.assert_array_equal(from_rows.transform(rows), from_images.transform(digits))
    assert from_rows.sample(2, random_state=0).shape == (2, 64)


def test_units_of_the_columns_do_not_matter(wine):
    factors, offsets = 10.0 ** np.arange(-6, 7), np.linspace(-1e3, 1e3, 13)
    X = wine * factors + offsets * factors
    plain, other = VAETransformer(**TABLE).fit(wine), VAETransformer(**TABLE).fit(X)
    assert other.score(X) + np.log(factors).sum() == pytest.approx(plain.score(wine), abs=0.05)


@pytest.mark.parametrize("shape", [(1, 3), (2, 3), (5, 4), (30, 1), (30, 200), (3, 2), (12, 2)])
@pytest.mark.parametrize("k", ["auto", 1, 5])
def test_tables_of_any_size_and_more_components_than_columns_fit(shape, k):
    X = np.random.default_rng(0).normal(size=shape)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", r"\d+ rows for \d+ components", UserWarning)  # of few rows
        model = VAETransformer(k, max_iter=2, random_state=0).fit(X)
    assert np.isfinite(model.score(X))
    assert model.sample(4, random_state=0).shape == (4, shape[1])


@pytest.mark.parametrize("n", [1, 2, 5, 12])
@pytest.mark.parametrize("settings", [IMAGE, CONVOLUTIONAL], ids=["dense", "convolutional"])
def test_a_few_images_fit(n, settings):
    X = np.random.default_rng(0).normal(size=(n, 8, 9))
    model = VAETransformer(**settings | {"max_iter": 2, "n_mixture_components": "auto"}).fit(X)
    assert np.isfinite(model.score(X))


def test_as_many_components_as_columns_give_the_full_gaussian(wine):
    model = VAETransformer(13, hidden_layer_sizes=(), random_state=0).fit(wine)
    gaussian = stats.multivariate_normal(wine.mean(axis=0), np.cov(wine.T, bias=True))
    assert model.score(wine) == pytest.approx(gaussian.logpdf(wine).mean(), rel=5e-3)


def test_constant_columns_and_identical_rows_fit(wine):
    X = np.column_stack([wine, np.full(178, 7.5), np.zeros(178)])
    model = VAETransformer(**TABLE).fit(X)
    np.testing.assert_allclose(model.inverse_transform(model.transform(X))[:, 13], 7.5, atol=0.1)
    same = VAETransformer(max_iter=2, random_state=0).fit(np.full((20, 3), 5.0))
    np.testing.assert_allclose(same.inverse_transform(same.transform([[5.0, 5.0, 5.0]])), 5.0, atol=1e-2)
    assert np.isfinite(same.score([[5.0, 5.0, 5.0]]))


@pytest.mark.parametrize("form", ["csr", "csc", "tensor", "float32", "frame", "memmap", "list"])
def test_every_form_of_x_gives_the_same_components(form, on_wine, wine, tmp_path):
    if form == "frame":
        X = pd.DataFrame(wine)
    elif form == "memmap":
        np.save(tmp_path / "X.npy", wine)
        X = np.load(tmp_path / "X.npy", mmap_mode="r")
    else:
        X = {
            "csr": sparse.csr_matrix,
            "csc": sparse.csc_array,
            "tensor": torch.tensor,
            "float32": np.float32,
            "list": lambda X: X.tolist(),
        }[form](wine)
    np.testing.assert_allclose(on_wine.transform(X), on_wine.transform(wine), atol=1e-4)  # float32 rows
    model = VAETransformer(**TABLE).fit(X)
    # sums in another order, and twenty epochs that follow from them
    np.testing.assert_allclose(model.transform(X), on_wine.transform(wine), atol=0.05)


def test_equal_seeds_give_equal_models_and_global_generators_are_left_alone(wine):
    before = torch.random.get_rng_state(), np.random.get_state(legacy=False), random.getstate()  # noqa: NPY002
    settings = TABLE | {"n_mixture_components": 3}
    first, again = (VAETransformer(**settings).fit(wine) for _ in range(2))
    np.testing.assert_array_equal(first.sample(5, random_state=0), again.sample(5, random_state=0))
    first.reconstruct(wine[:2], random_state=0)
    assert first.loss_curve_ == again.loss_curve_
    assert torch.equal(before[0], torch.random.get_rng_state())
    np.testing.assert_equal(np.random.get_state(legacy=False), before[1])  # noqa: NPY002
    assert random.getstate() == before[2]


@pytest.mark.parametrize("likelihood", ["gaussian", "gaussian_per_feature", "bernoulli", "poisson"])
def test_a_saved_model_computes_the_same(likelihood, digits, tmp_path):
    X = (digits > 7).astype(float)
    model = VAETransformer(likelihood=likelihood, **IMAGE).fit(X)
    joblib.dump(model, tmp_path / "model.joblib")
    loaded = joblib.load(tmp_path / "model.joblib")
    np.testing.assert_array_equal(loaded.score_samples(X[:20]), model.score_samples(X[:20]))
    assert all(isinstance(weight, np.ndarray) for weight in model.weights_.values())
    assert "_module" not in model.__getstate__()


@pytest.mark.filterwarnings("ignore:posterior collapse")
def test_a_grid_search_over_the_weight_of_the_divergence_prefers_the_bound_itself(wine):
    pipeline = make_pipeline(FunctionTransformer(), VAETransformer(**TABLE))
    search = GridSearchCV(
        pipeline, {"vaetransformer__kl_weight": [0.1, 1.0, 8.0]}, cv=KFold(3, shuffle=True, random_state=0)
    )
    search.fit(wine)
    assert search.best_params_ == {"vaetransformer__kl_weight": 1.0}


def test_held_out_rows_choose_the_weights(wine):
    model = VAETransformer(**TABLE | {"max_iter": 100}).fit(wine[::2], X_val=wine[1::2])
    assert model.best_iter_ == np.argmin(model.validation_loss_curve_) + 1
    assert len(model.history_["validation_kl"]) == model.n_iter_


def test_without_held_out_rows_nothing_is_recorded_as_held_out(wine):
    judged_by_itself = VAETransformer(2, hidden_layer_sizes=(), max_iter=3, random_state=0).fit(wine)
    plain = VAETransformer(**TABLE | {"early_stopping": False}).fit(wine)
    for model in (judged_by_itself, plain):
        assert sorted(model.history_) == ["kl", "loss", "negative_log_likelihood"]
        assert model.validation_loss_curve_ == []
    assert judged_by_itself.best_iter_ is not None  # the epochs were compared all the same


def test_the_loss_is_the_weighted_negative_bound_for_each_feature(wine):
    model = VAETransformer(kl_weight=2.0, **TABLE).fit(wine)
    terms = {name: np.array(values) for name, values in model.history_.items()}
    expected = (terms["negative_log_likelihood"] + 2.0 * terms["kl"]) / 13
    np.testing.assert_allclose(terms["loss"], expected, rtol=1e-5, atol=1e-6)


def test_a_clone_is_unfitted_and_equal(on_wine):
    other = clone(on_wine)
    assert not hasattr(other, "weights_")
    assert other.get_params() == on_wine.get_params()


def test_names_of_components(on_wine):
    assert list(on_wine.get_feature_names_out()) == ["vaetransformer0", "vaetransformer1", "vaetransformer2"]

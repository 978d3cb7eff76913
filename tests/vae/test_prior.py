"""Priors of z, against torch's distributions and scikit-learn's mixture."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture
from torch import distributions

from skvq.vae.module import Posterior
from skvq.vae.prior import MixturePrior, NormalPrior, fit_mixture


def lumps(n, seed=0):
    """Rows of three well separated Gaussians in two dimensions."""
    rng = np.random.default_rng(seed)
    return 0.3 * rng.normal(size=(n, 2)) + np.array([[-3, 0], [3, 0], [0, 4]])[rng.integers(3, size=n)]


@pytest.fixture(scope="module")
def mixture():
    return GaussianMixture(3, random_state=0).fit(lumps(300))


def test_the_density_of_a_mixture_is_that_of_scikit_learn(mixture):
    z = lumps(40, seed=1).reshape(4, 10, 2)
    found = MixturePrior(mixture).log_prob(torch.from_numpy(z))
    np.testing.assert_allclose(found.flatten(), mixture.score_samples(z.reshape(-1, 2)), rtol=1e-10)


def test_the_density_of_the_normal_prior_integrates_to_one():
    axis = torch.linspace(-7, 7, 281, dtype=torch.float64)
    density = NormalPrior(2).log_prob(torch.cartesian_prod(axis, axis)).exp()
    assert float(density.sum() * (axis[1] - axis[0]) ** 2) == pytest.approx(1, abs=1e-6)


def test_the_divergence_from_a_mixture_of_one_is_that_of_torch():
    rng = np.random.default_rng(0)
    one = GaussianMixture(1).fit(rng.normal(size=(500, 2)) @ np.array([[2.0, 0.4], [0.0, 0.5]]) + 1)
    mean, log_variance = (torch.from_numpy(rng.normal(size=(5, 2))) for _ in range(2))
    q = Posterior(mean, log_variance)
    noise = torch.randn(200_000, 1, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    covariance = torch.from_numpy(one.covariances_[0])
    expected = distributions.kl_divergence(
        distributions.MultivariateNormal(mean, torch.diag_embed(log_variance.exp())),
        distributions.MultivariateNormal(torch.from_numpy(one.means_[0]), covariance),
    )
    # 200,000 draws leave a standard error below 0.01
    torch.testing.assert_close(MixturePrior(one).divergence(q, q.draw(noise)), expected, atol=0.05, rtol=0.01)


def test_draws_of_a_mixture_have_its_moments_in_no_order(mixture):
    z = MixturePrior(mixture).sample(20_000, np.random.RandomState(0))  # noqa: NPY002
    np.testing.assert_allclose(z.mean(axis=0), mixture.weights_ @ mixture.means_, atol=0.1)
    nearest = np.linalg.norm(z[:, None] - mixture.means_, axis=2).argmin(axis=1)
    np.testing.assert_allclose(np.bincount(nearest[:2_000]) / 2_000, mixture.weights_, atol=0.05)


@pytest.mark.parametrize("judged", [None, lumps(100, seed=2)[None]])
def test_the_number_of_gaussians_is_that_of_the_lumps(judged):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = fit_mixture(lumps(400)[None], judged, "auto", 0)
    assert found.n_components - 1 in (2, 5)  # of the candidates on both sides of three
    assert (
        found.score(lumps(1_000, seed=3)) > NormalPrior(2).log_prob(torch.from_numpy(lumps(1_000, seed=3))).mean() + 2
    )


def test_draws_of_the_normal_prior_itself_need_no_mixture():
    z = np.random.default_rng(0).normal(size=(1, 400, 3))
    assert fit_mixture(z, None, "auto", 0) is None
    assert fit_mixture(z[:, :5], None, "auto", 0) is None


def test_a_given_number_is_taken_as_far_as_there_are_draws():
    assert fit_mixture(lumps(50)[None], None, 4, 0).n_components == 4 + 1
    assert fit_mixture(lumps(3)[None], None, 4, 0).n_components == 3 + 1
    with pytest.raises(ValueError, match="n_mixture_components=4 needs at least 2 rows, but n_samples = 1"):
        fit_mixture(lumps(1)[None], None, 4, 0)


def test_no_z_is_less_likely_than_under_the_normal_prior_by_more_than_the_number_of_rows():
    z = 0.1 * lumps(99)
    found = MixturePrior(fit_mixture(np.stack([z, z]), None, 3, 0))
    far = torch.from_numpy(10 * lumps(50, seed=1))
    difference = NormalPrior(2).log_prob(far) - found.log_prob(far)
    torch.testing.assert_close(difference, torch.full_like(difference, np.log(100)))
    assert found.log_prob(torch.from_numpy(z)).mean() > NormalPrior(2).log_prob(torch.from_numpy(z)).mean() + 2

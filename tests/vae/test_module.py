import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from torch import distributions, nn

from skvq.vae.likelihoods import Bernoulli, Gaussian
from skvq.vae.module import (
    VAE,
    Posterior,
    importance_weighted_bound,
    matched_noise,
    noise_of_rows,
    probabilistic_pca,
)
from skvq.vae.prior import NormalPrior


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed))


def posterior(b=6, k=3):
    return Posterior(normal(b, k), normal(b, k, seed=1))


def torch_posterior(q):
    return distributions.Normal(q.mean, (0.5 * q.log_variance).exp())


def small_vae(seed=0, k=2):
    """A network of random weights, far from linear, whose posterior is not the exact one."""
    encoder = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 2 * k))
    decoder = nn.Sequential(nn.Linear(k, 8), nn.Tanh(), nn.Linear(8, 5))
    with torch.no_grad():
        for i, parameter in enumerate((*encoder.parameters(), *decoder.parameters())):
            parameter.copy_(0.8 * normal(*parameter.shape, seed=seed + i))
        encoder[2].weight *= 0.2  # a posterior that is wide enough for importance sampling to converge
    return VAE(encoder, decoder, Gaussian(1, 1e-6)).requires_grad_(False).eval()


def test_the_divergence_is_that_of_torch():
    q = posterior()
    prior = distributions.Normal(torch.zeros(3), torch.ones(3))
    expected = distributions.kl_divergence(torch_posterior(q), prior)
    torch.testing.assert_close(q.kl_per_component(), expected)


def test_the_divergence_is_the_mean_log_ratio_of_draws():
    q = posterior(b=2)
    z = q.draw(normal(200_000, 1, 3, seed=2))
    log_ratio = q.log_prob(z) - NormalPrior(z.shape[-1]).log_prob(z)
    error = log_ratio.std(dim=0) / math.sqrt(200_000)
    assert ((log_ratio.mean(dim=0) - q.kl_per_component().sum(dim=1)).abs() < 5 * error).all()


def test_the_divergence_of_the_prior_from_itself_is_zero():
    assert Posterior(torch.zeros(1, 4), torch.zeros(1, 4)).kl_per_component().abs().max() == 0


def test_log_densities_are_those_of_torch():
    q, z = posterior(), normal(4, 6, 3, seed=3)
    torch.testing.assert_close(q.log_prob(z), torch_posterior(q).log_prob(z).sum(dim=-1))
    expected = distributions.Normal(torch.zeros(3), torch.ones(3)).log_prob(z).sum(dim=-1)
    torch.testing.assert_close(NormalPrior(z.shape[-1]).log_prob(z), expected)


def test_draws_pass_the_gradient_to_both_heads():
    mean, log_variance = normal(4, 3).requires_grad_(), normal(4, 3, seed=1).requires_grad_()
    noise = normal(1, 4, 3, seed=2)
    Posterior(mean, log_variance).draw(noise).sum().backward()
    torch.testing.assert_close(mean.grad, torch.ones(4, 3))
    torch.testing.assert_close(log_variance.grad, (0.5 * noise[0] * (0.5 * log_variance).exp()).detach())


def integral_of_log_p(vae, x):
    """log p(x) = log of the integral of p(x | z) p(z) over z, on a fine grid of two dimensions."""
    axis = torch.linspace(-7, 7, 281)
    z = torch.cartesian_prod(axis, axis)
    log_p = torch.stack([vae.likelihood.log_prob(row, vae.decoder(z)[:, None])[:, 0] for row in x[:, None]], dim=1)
    return torch.logsumexp(log_p + NormalPrior(z.shape[-1]).log_prob(z)[:, None], dim=0) + 2 * math.log(
        float(axis[1] - axis[0])
    )


def test_bounds_rise_with_the_number_of_draws_up_to_log_p():
    vae, x = small_vae(), normal(20, 5, seed=9)
    elbo = vae.elbo(x, normal(20_000, 1, 2), NormalPrior(2)).mean()
    log_weights = vae.log_weights(x, normal(20_000, 20, 2, seed=4), NormalPrior(2))
    bounds = [
        torch.stack([importance_weighted_bound(part) for part in log_weights.split(k)]).mean() for k in (1, 5, 50, 1000)
    ]
    log_p = integral_of_log_p(vae, x).mean()
    assert bounds[0] == pytest.approx(elbo.item(), abs=0.05)  # one draw: the ELBO on average
    assert bounds[0] < bounds[1] < bounds[2] < bounds[3]
    assert bounds[3] < log_p + 0.02
    assert importance_weighted_bound(log_weights).mean() == pytest.approx(log_p.item(), abs=0.05)
    assert elbo < bounds[2] - 0.05  # so that the order above is no accident


def test_the_bound_of_equal_weights_is_their_logarithm():
    torch.testing.assert_close(importance_weighted_bound(torch.full((7, 3), -250.0)), torch.full((3,), -250.0))


def test_matched_noise_has_exact_moments():
    noise = matched_noise(8, 5, generator())
    assert noise.shape == (8, 1, 5)
    torch.testing.assert_close(noise.mean(dim=0), torch.zeros(1, 5))
    torch.testing.assert_close(noise.square().mean(dim=0), torch.ones(1, 5))


def test_noise_of_rows_is_standard_normal_and_independent_between_rows():
    x, uniform = normal(400, 5), torch.rand(50, 3, generator=generator(1), dtype=torch.float64)
    noise = noise_of_rows(x, uniform)
    assert noise.shape == (50, 400, 3)
    assert noise.mean().abs() < 0.02
    assert noise.std() == pytest.approx(1, abs=0.02)  # five standard errors over 60,000
    between = noise[0].mean(dim=0)  # one draw of 400 rows: a twentieth, if they are independent
    assert between.abs().max() < 0.25
    assert torch.corrcoef(noise.flatten(0, 1).T).fill_diagonal_(0).abs().max() < 0.02


def test_noise_of_a_row_does_not_depend_on_the_others():
    x, uniform = normal(30, 5), torch.rand(4, 3, generator=generator(1), dtype=torch.float64)
    order = torch.randperm(30, generator=generator(2))
    assert torch.equal(noise_of_rows(x, uniform)[:, order], noise_of_rows(x[order], uniform))
    assert torch.equal(noise_of_rows(x, uniform)[:, 7:8], noise_of_rows(x[7:8], uniform))
    assert torch.equal(noise_of_rows(-0.0 * x, uniform), noise_of_rows(0.0 * x.abs(), uniform))


def test_outputs_of_many_draws_are_those_of_each():
    vae, z = small_vae(), normal(3, 4, 2)
    torch.testing.assert_close(vae.outputs(z), torch.stack([vae.decoder(each) for each in z]))


def test_log_variances_stay_finite_far_from_all_rows():
    q = small_vae().posterior(1e6 * normal(4, 5))
    assert torch.isfinite(q.kl_per_component()).all()
    assert q.log_variance.abs().max() <= 20


def test_decoding_gives_the_mean_of_the_likelihood():
    vae = small_vae()
    vae.likelihood = Bernoulli()
    x_hat = vae.decode(normal(3, 2))
    torch.testing.assert_close(x_hat, torch.sigmoid(vae.decoder(normal(3, 2))))


def spectrum(X):
    variances, axes = np.linalg.eigh(np.atleast_2d(np.cov(X.T, bias=True)))
    return torch.from_numpy(variances[::-1].copy()), torch.from_numpy(axes[:, ::-1].copy())


def linear_vae(X, k, kl_weight=1.0, smallest=1e-6):
    """The VAE in float64 that the closed form describes, and the solution."""
    variances, axes = spectrum(X)
    solution = probabilistic_pca(variances[:k], float(variances.sum()), X.shape[1], kl_weight=kl_weight)
    encoder = nn.Linear(X.shape[1], 2 * k).double()
    decoder = nn.Linear(k, X.shape[1]).double()
    with torch.no_grad():
        mean = torch.from_numpy(X.mean(axis=0))
        into = (solution.encoder * axes[:, :k]).T
        encoder.weight.copy_(torch.cat([into, torch.zeros_like(into)]))
        encoder.bias.copy_(torch.cat([-into @ mean, solution.variance.log()]))
        decoder.weight.copy_(axes[:, :k] * solution.decoder)
        decoder.bias.copy_(mean)
    likelihood = Gaussian(1, smallest)
    likelihood.set_variance(torch.tensor([solution.noise_variance]))
    return VAE(encoder, decoder, likelihood).requires_grad_(False), solution


@pytest.mark.parametrize("k", [1, 2, 5, 12])
def test_the_linear_solution_has_the_likelihood_of_probabilistic_pca(k):
    X = StandardScaler().fit_transform(load_wine().data)
    vae, solution = linear_vae(X, k)
    elbo = vae.elbo(torch.from_numpy(X), matched_noise(64, k, generator()).double(), NormalPrior(k)).mean()
    pca = PCA(k).fit(X)
    # scikit-learn divides by n - 1, here it is n: 0.6 % of the variance; z is drawn in float32
    assert solution.noise_variance == pytest.approx(pca.noise_variance_, rel=0.01)
    assert elbo.item() == pytest.approx(pca.score(X), rel=1e-3)


def test_the_bounds_of_the_exact_posterior_are_log_p_with_a_single_draw():
    X = StandardScaler().fit_transform(load_wine().data)
    vae, _ = linear_vae(X, 4)
    x = torch.from_numpy(X[:9])
    bound = importance_weighted_bound(vae.log_weights(x, normal(1, 9, 4).double(), NormalPrior(4)))
    np.testing.assert_allclose(bound, PCA(4).fit(X).score_samples(X[:9]), rtol=0.02)


@pytest.mark.parametrize("kl_weight", [0.3, 1.0, 3.0, 8.0])
def test_no_small_change_improves_on_the_linear_solution(kl_weight):
    X = StandardScaler().fit_transform(load_wine().data)
    vae, solution = linear_vae(X, 3, kl_weight)
    x, noise = torch.from_numpy(X), matched_noise(512, 3, generator()).double()

    def loss():
        q, _, log_likelihood = vae(x, noise)
        return float(-log_likelihood.mean() + kl_weight * q.kl_per_component().sum(dim=1).mean())

    best = loss()
    for parameter in (*vae.parameters(), vae.likelihood.variance):
        change = 0.02 * normal(*parameter.shape, seed=parameter.numel()).to(parameter)
        for sign in (1, -1):
            kept = parameter.clone()
            parameter += sign * change * (parameter if parameter is vae.likelihood.variance else 1)
            assert loss() > best - 1e-6
            parameter.copy_(kept)
    if kl_weight == 8.0:  # so heavy that the smaller components are not worth it
        assert (solution.decoder == 0).any()


@pytest.mark.parametrize("n_features", [1, 2, 3])
def test_as_many_components_as_features_leave_one_for_the_noise(n_features):
    X = np.random.default_rng(0).normal(size=(50, n_features)) * np.arange(1, n_features + 1)
    variances, _ = spectrum(X)
    solution = probabilistic_pca(variances, float(variances.sum()), n_features)
    assert solution.noise_variance == pytest.approx(float(variances[-1]))
    assert int((solution.decoder > 0).sum()) == n_features - 1


@pytest.mark.parametrize("kl_weight", [0.0, 1.0])
def test_rows_that_do_not_vary_have_a_finite_solution(kl_weight):
    for variances in (torch.zeros(2, dtype=torch.float64), torch.tensor([1.0, 0.0], dtype=torch.float64)):
        solution = probabilistic_pca(variances, float(variances.sum()), 5, kl_weight=kl_weight)
        assert solution.noise_variance >= 1e-6
        assert all(torch.isfinite(part).all() for part in solution[:3])
        assert (solution.variance > 0).all()

import math

import numpy as np
import pytest
import torch
from torch import distributions

from skvq.vae.likelihoods import Bernoulli, Gaussian, Poisson, build_likelihood


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed))


@pytest.mark.parametrize("n_variances", [1, 6])
def test_gaussian_log_prob_is_that_of_torch(n_variances):
    likelihood = Gaussian(n_variances, 1e-6)
    likelihood.set_variance(torch.linspace(0.2, 3.0, n_variances))
    x, output = normal(5, 6), normal(5, 6, seed=1)
    expected = distributions.Normal(output, likelihood.variance.sqrt()).log_prob(x).sum(dim=1)
    torch.testing.assert_close(likelihood.log_prob(x, output), expected)


def test_bernoulli_log_prob_is_that_of_torch():
    x, output = (normal(5, 6) > 0).float(), 3 * normal(5, 6, seed=1)
    expected = distributions.Bernoulli(logits=output).log_prob(x).sum(dim=1)
    torch.testing.assert_close(Bernoulli().log_prob(x, output), expected)


def test_poisson_log_prob_is_that_of_torch():
    x, output = (10 * normal(5, 6).abs()).floor(), normal(5, 6, seed=1)
    expected = distributions.Poisson(output.exp()).log_prob(x).sum(dim=1)
    torch.testing.assert_close(Poisson().log_prob(x, output), expected)


@pytest.mark.parametrize("name", ["gaussian", "gaussian_per_feature", "bernoulli", "poisson"])
def test_leading_dimensions_of_the_output_are_draws(name):
    likelihood = build_likelihood(name, 12)
    x, output = (normal(5, 3, 4, 1) > 0).float(), normal(7, 5, 3, 4, 1, seed=1)
    together = likelihood.log_prob(x, output)
    assert together.shape == (7, 5)
    for draw, expected in zip(together, output):
        torch.testing.assert_close(draw, likelihood.log_prob(x, expected))


@pytest.mark.parametrize("name", ["gaussian", "gaussian_per_feature", "bernoulli", "poisson"])
def test_draws_have_the_stated_mean(name):
    likelihood = build_likelihood(name, 6)
    output = normal(1, 2, 3).expand(20_000, 2, 3)
    drawn = likelihood.draw(output, generator())
    assert drawn.shape == output.shape
    # at most variance 4 (Poisson): five standard errors of a mean over 20,000 draws are 0.07
    torch.testing.assert_close(drawn.mean(dim=0), likelihood.mean(output)[0], atol=0.07, rtol=0)


@pytest.mark.parametrize("n_variances", [1, 6])
def test_draws_have_the_variance_of_the_likelihood(n_variances):
    likelihood = Gaussian(n_variances, 1e-6)
    likelihood.set_variance(torch.linspace(0.5, 2.0, n_variances))
    drawn = likelihood.draw(torch.zeros(20_000, 2, 3), generator())
    expected = likelihood.variance.expand(6).reshape(2, 3)
    torch.testing.assert_close(drawn.var(dim=0), expected, rtol=0.06, atol=0)  # standard error 1 %


@pytest.mark.parametrize("n_variances", [1, 6])
def test_the_running_variance_comes_to_the_mean_squared_error(n_variances):
    likelihood = Gaussian(n_variances, 1e-6).train()
    error = normal(8, 6) * torch.linspace(0.1, 2.0, 6)
    for _ in range(2_000):
        likelihood.track(error, torch.zeros(8, 6))
    expected = error.square().mean(dim=0) if n_variances == 6 else error.square().mean().reshape(1)
    torch.testing.assert_close(likelihood.variance, expected, rtol=1e-4, atol=0)


def test_the_mean_squared_error_maximises_the_likelihood():
    x, output = normal(50, 4), normal(50, 4, seed=1)
    likelihood = Gaussian(1, 1e-6)
    likelihood.set_variance(likelihood.squared_error(x, output))
    best = likelihood.log_prob(x, output).sum()
    for factor in (0.9, 1.1):
        other = Gaussian(1, 1e-6)
        other.set_variance(factor * likelihood.variance)
        assert other.log_prob(x, output).sum() < best


def test_evaluation_leaves_the_variance_unchanged():
    likelihood = Gaussian(1, 1e-6).eval()
    likelihood.track(normal(8, 6), torch.zeros(8, 6))
    assert likelihood.variance.tolist() == [1.0]


def test_the_variance_stays_above_its_bound():
    likelihood = Gaussian(1, 1e-6)
    likelihood.set_variance(torch.zeros(1))
    assert likelihood.variance.item() == pytest.approx(1e-6)
    assert torch.isfinite(likelihood.log_prob(torch.zeros(2, 3), torch.zeros(2, 3))).all()


def test_the_encoder_of_counts_is_shown_their_logarithm():
    x = torch.tensor([[0.0, 9.0, 99.0]])
    np.testing.assert_allclose(Poisson().encoder_input(x)[0], [0.0, math.log(10), math.log(100)], rtol=1e-6)
    assert Gaussian(1, 1e-6).encoder_input(x) is x
    assert Bernoulli().encoder_input(x) is x


def test_probabilities_of_all_binary_rows_sum_to_one():
    rows = torch.tensor([[a, b, c] for a in (0.0, 1.0) for b in (0.0, 1.0) for c in (0.0, 1.0)])
    total = Bernoulli().log_prob(rows, normal(1, 3).expand(8, 3)).exp().sum()
    assert total.item() == pytest.approx(1.0, rel=1e-5)


def test_drawing_leaves_the_global_generator_alone():
    before = torch.random.get_rng_state()
    for name in ("gaussian", "bernoulli", "poisson"):
        build_likelihood(name, 3).draw(torch.zeros(2, 3), generator())
    assert torch.equal(before, torch.random.get_rng_state())

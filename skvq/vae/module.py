r"""The variational autoencoder: two heads, the divergence from the prior, and two bounds on log p(x).

The posterior q(z | x) is a Gaussian with diagonal covariance. Training is under the prior N(0, I) [1]_; the bounds take
any prior of :mod:`~skvq.vae.prior`. The evidence lower bound (ELBO) is :math:`E_q[\log p(x|z)] - KL(q \| p)`; with k
draws from the posterior the importance-weighted bound [2]_ :math:`\log \frac{1}{k} \sum_i p(x|z_i) p(z_i) / q(z_i|x)`
lies between it and log p(x), on average over the draws.

A linear Gaussian VAE has a solution in closed form, probabilistic PCA [3]_, which `probabilistic_pca` extends to
other weights of the divergence than 1.

References
----------
.. [1] D. P. Kingma, M. Welling, "Auto-Encoding Variational Bayes", ICLR 2014, section 3 and appendix B.
.. [2] Y. Burda, R. Grosse, R. Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016, section 3.
.. [3] M. E. Tipping, C. M. Bishop, "Probabilistic Principal Component Analysis", JRSS B 61(3), 1999, section 3.2.
"""

import math
from typing import NamedTuple

import torch
from torch import nn

LOG_2PI = math.log(2 * math.pi)
# Log-variances of the posterior are kept in this range, far beyond what training finds, so that rows far from all
# others get a finite bound.
LOG_VARIANCE_RANGE = -20.0, 5.0
# Largest value that the encoder is shown of rows whose squares float32 does not hold.
FAR = 1e15


class Posterior(NamedTuple):
    """Means and log-variances of q(z | x), both of shape (b, n_components), float32."""

    mean: torch.Tensor
    log_variance: torch.Tensor

    def draw(self, noise):
        """Return z = mean + standard deviation · noise; noise (s, 1 or b, n_components) gives (s, b, n_components)."""
        return self.mean + (0.5 * self.log_variance).exp() * noise

    def kl_per_component(self):
        """KL(q(z_j | x) || N(0, 1)) in nats, for every row and component: (b, n_components), non-negative."""
        return 0.5 * (self.mean.square() + self.log_variance.exp() - self.log_variance - 1)

    def log_prob(self, z):
        """log q(z | x) in nats, of z (s, b, n_components): (s, b)."""
        each = (z - self.mean).square() * (-self.log_variance).exp() + self.log_variance + LOG_2PI
        return -0.5 * each.sum(dim=-1)

    def entropy(self):
        """Entropy of q(z | x) in nats: (b,)."""
        return 0.5 * (self.log_variance + LOG_2PI + 1).sum(dim=-1)


class VAE(nn.Module):
    """Variational autoencoder with the heads for mean and log-variance in one encoder.

    Rows (128, 28, 28, 1) with 16 components have a posterior of means (128, 16) and log-variances (128, 16); z
    (128, 16) are decoded to outputs (128, 28, 28, 1), whose meaning is the likelihood's.

    Parameters
    ----------
    encoder : torch.nn.Module
        (b, *row_shape) → (b, 2 · n_components): first the means, then the log-variances.
    decoder : torch.nn.Module
        (b, n_components) → (b, *row_shape).
    likelihood : torch.nn.Module
        One of :mod:`skvq.vae.likelihoods`.
    """

    def __init__(self, encoder, decoder, likelihood):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood

    def posterior(self, x):
        """Rows (b, *row_shape) → :class:`Posterior`."""
        mean, log_variance = self.encoder(self.likelihood.encoder_input(x)).float().chunk(2, dim=-1)
        return Posterior(mean, log_variance.clamp(*LOG_VARIANCE_RANGE))

    def outputs(self, z):
        """z (s, b, n_components) → outputs (s, b, *row_shape)."""
        return self.decoder(z.flatten(0, 1)).unflatten(0, z.shape[:2])

    @torch.no_grad()
    def encode(self, x):
        """Rows (b, *row_shape) → posterior means (b, n_components)."""
        return self.posterior(x).mean

    @torch.no_grad()
    def decode(self, z):
        """z (b, n_components) → E[x | z], (b, *row_shape)."""
        return self.likelihood.mean(self.decoder(z))

    def forward(self, x, noise):
        """Return posterior, outputs (s, b, *row_shape) and log p(x | z) (s, b) for noise (s, 1 or b, n_components)."""
        posterior = self.posterior(x)
        outputs = self.outputs(posterior.draw(noise))
        return posterior, outputs, self.likelihood.log_prob(x, outputs)

    def far(self, x, noise):
        """Return what :meth:`forward` does, in float64, for rows whose squares float32 does not hold.

        The encoder is shown values within ±1e15, as its products would overflow too: the bounds hold for any posterior.
        """
        shown = self.likelihood.encoder_input(x).clamp(-FAR, FAR)
        mean, log_variance = self.encoder(shown).double().chunk(2, dim=-1)
        posterior = Posterior(mean, log_variance.clamp(*LOG_VARIANCE_RANGE))
        outputs = self.outputs(posterior.draw(noise).float()).double()
        return posterior, outputs, self.likelihood.log_prob(x.double(), outputs)

    def elbo(self, x, noise, prior, *, far=False):
        """Evidence lower bound of every row in nats, (b,): the mean over draws, minus the divergence from the prior."""
        posterior, _, log_likelihood = self.far(x, noise) if far else self(x, noise)
        return log_likelihood.mean(dim=0) - prior.divergence(posterior, posterior.draw(noise))

    def log_weights(self, x, noise, prior, *, far=False):
        """log p(x, z) - log q(z | x) in nats of every draw, (s, b), for noise (s, 1 or b, n_components)."""
        posterior, _, log_likelihood = self.far(x, noise) if far else self(x, noise)
        z = posterior.draw(noise)
        return log_likelihood + prior.log_prob(z) - posterior.log_prob(z)


def importance_weighted_bound(log_weights):
    """Return the bound on log p(x) in nats, (b,), that s draws give: the log of the mean of their weights.

    Parameters
    ----------
    log_weights : Tensor of shape (s, b)
        log p(x, z) - log q(z | x).
    """
    return torch.logsumexp(log_weights, dim=0) - math.log(len(log_weights))


def matched_noise(n_draws, n_components, generator):
    """Return standard normal noise with mean 0 and variance 1 over the draws exactly, in every component.

    Draws come in pairs of opposite sign. The ELBO of a linear Gaussian model with orthogonal components is then exact.

    Parameters
    ----------
    n_draws : int
        Even.
    n_components : int
    generator : torch.Generator

    Returns
    -------
    noise : Tensor of shape (n_draws, 1, n_components)
    """
    half = torch.randn(n_draws // 2, 1, n_components, generator=generator)
    half = half / half.square().mean(dim=0).sqrt()
    return torch.cat([half, -half])


def noise_of_rows(x, uniform):
    """Return standard normal noise of a row's own: the same for equal rows, wherever they stand.

    Common uniform numbers are shifted, modulo 1, by a hash of the row [1]_: so the errors of rows cancel in a mean over
    them, and their order does not matter.

    Parameters
    ----------
    x : Tensor of shape (b, *row_shape), float32
    uniform : Tensor of shape (s, n_components), float64 in [0, 1)

    Returns
    -------
    noise : Tensor of shape (s, b, n_components), float32

    References
    ----------
    .. [1] R. Cranley, T. N. L. Patterson, "Randomization of Number Theoretic Methods for Multiple Integration", SIAM
       Journal on Numerical Analysis 13(6), 1976.
    """
    bits = (x.cpu().flatten(1) + 0.0).view(torch.int32).long()  # adding 0 makes -0 the same as 0
    factors = torch.randint(2**62, (bits.shape[1], uniform.shape[1]), generator=torch.Generator().manual_seed(1))
    hashes = bits @ (2 * factors + 1)  # (b, n_components), modulo 2⁶⁴, whose upper bits depend on all values
    shift = ((hashes >> 32) & 0xFFFFFFFF).double() / 2**32
    shifted = torch.remainder(uniform[:, None] + shift, 1.0)
    return torch.special.ndtri(shifted.clamp(1e-12, 1 - 1e-12)).float().to(x.device)


class LinearSolution(NamedTuple):
    """The optimum of a linear Gaussian VAE along the principal axes; the arrays have shape (n_components,), float64.

    `encoder` and `decoder` are the factors from coordinate to posterior mean and from z to coordinate, `variance` is
    that of the posterior, `noise_variance` that of the likelihood. Components that are not worth their divergence have
    factors 0 and variance 1.
    """

    encoder: torch.Tensor
    decoder: torch.Tensor
    variance: torch.Tensor
    noise_variance: float


def probabilistic_pca(variances, total_variance, n_features, *, kl_weight=1.0, smallest=1e-6):
    r"""Return the optimum of a linear VAE with one noise variance, in closed form.

    With the divergence weighted by β, axis i of variance λ_i is decoded with :math:`w_i^2 = λ_i - βσ^2` and has the
    posterior variance :math:`βσ^2 / λ_i`; the noise variance is :math:`σ^2 = R / (p - βm)` for m components in use
    that leave the variance R. β = 1 is the maximum-likelihood solution of probabilistic PCA.

    Parameters
    ----------
    variances : Tensor of shape (n_components,), float64
        Variances along the leading principal axes, in descending order.
    total_variance : float
        Sum of the variances of all p features.
    n_features : int
        p.
    kl_weight : float, default=1.0
        β.
    smallest : float, default=1e-6
        Lower bound of the noise variance.

    Returns
    -------
    LinearSolution
    """
    n_used, noise_variance = 0, max(total_variance / n_features, smallest)
    for m in range(1, min(len(variances), n_features - 1) + 1):
        degrees = n_features - kl_weight * m
        if degrees <= 0:
            break
        candidate = max((total_variance - float(variances[:m].sum())) / degrees, smallest)
        if float(variances[m - 1]) > kl_weight * candidate:
            n_used, noise_variance = m, candidate
    used = torch.arange(len(variances)) < n_used
    safe = torch.where(used, variances, torch.ones_like(variances))
    variance = torch.where(used, kl_weight * noise_variance / safe, torch.ones_like(variances))
    variance = variance.clamp_min(math.exp(LOG_VARIANCE_RANGE[0]))  # which a weight of 0 would make 0
    decoder = torch.where(used, (safe - kl_weight * noise_variance).clamp_min(0).sqrt(), torch.zeros_like(variances))
    return LinearSolution(decoder / safe, decoder, variance, noise_variance)

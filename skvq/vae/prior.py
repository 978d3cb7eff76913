"""Priors p(z): N(0, I), under which a VAE is trained, and a Gaussian mixture fitted to draws from its posteriors.

The mixture stands for the aggregate posterior, the mean of q(z | x) over the rows [1]_. Where the two differ, a draw
from N(0, I) is decoded to what no row looks like [2]_. The number of Gaussians is the one with the greatest likelihood
on held-out draws, and N(0, I) is among the candidates.

References
----------
.. [1] M. D. Hoffman, M. J. Johnson, "ELBO surgery: yet another way to carve up the variational evidence lower bound",
   NIPS workshop on advances in approximate Bayesian inference, 2016.
.. [2] P. Ghosh et al., "From Variational to Deterministic Autoencoders", ICLR 2020, section 4.
"""

import copy
import math
import warnings

import numpy as np
import torch
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import KFold

from ..core.parameters import is_auto
from .module import LOG_2PI

# Numbers of Gaussians that are tried, fewest first, as long as more of them raise the held-out likelihood.
CANDIDATES = (1, 2, 5, 10, 15, 20, 30, 50, 100)
# Rows for each Gaussian that a candidate needs at least, and rows below which there is nothing to choose by.
ROWS_EACH, FEWEST_ROWS = 8, 20
# Without held-out rows a number is chosen by so many folds of the rows; of many rows one fold is enough.
N_FOLDS, ENOUGH_FOR_ONE_FOLD = 5, 2_000


class NormalPrior:
    """N(0, I) over z of `n_components` values."""

    def __init__(self, n_components):
        self.n_components = n_components

    def log_prob(self, z):
        """log p(z) in nats, of z (..., n_components): (...)."""
        return -0.5 * (z.square() + LOG_2PI).sum(dim=-1)

    def divergence(self, posterior, z):
        """KL(q(z | x) || p(z)) in nats of every row, (b,), in closed form; the draws z have no part in it."""
        return posterior.kl_per_component().sum(dim=-1)

    def sample(self, n_samples, random):
        """Draw z with a RandomState: ndarray (n_samples, n_components)."""
        return random.standard_normal((n_samples, self.n_components))


class MixturePrior:
    """A mixture of Gaussians with full covariances over z.

    Parameters
    ----------
    mixture : GaussianMixture
        Fitted to draws of z.
    """

    def __init__(self, mixture):
        self.mixture = mixture
        self.means, self.factors = (torch.from_numpy(a) for a in (mixture.means_, mixture.precisions_cholesky_))
        log_volumes = self.factors.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        tiny = np.finfo(np.float64).tiny
        log_shares = torch.from_numpy(np.log(np.maximum(mixture.weights_, tiny)))
        self.offsets = log_shares + log_volumes - 0.5 * self.means.shape[1] * LOG_2PI

    def log_prob(self, z):
        """log p(z) in nats, of z (..., n_components): (...); computed in float64 on the CPU."""
        points = z.detach().cpu().double()
        each = [
            offset - 0.5 * ((points - mean) @ factor).square().sum(dim=-1)
            for offset, mean, factor in zip(self.offsets, self.means, self.factors)
        ]
        return torch.logsumexp(torch.stack(each), dim=0).to(z)

    def divergence(self, posterior, z):
        """Estimate KL(q(z | x) || p(z)) in nats of every row, (b,), from draws z (s, b, n_components).

        The entropy of the posterior is exact, log p(z) a mean over the draws.
        """
        return -posterior.entropy() - self.log_prob(z).mean(dim=0)

    def sample(self, n_samples, random):
        """Draw z with a RandomState: ndarray (n_samples, n_components)."""
        mixture = copy.copy(self.mixture).set_params(random_state=random)
        return random.permutation(mixture.sample(n_samples)[0])  # they come sorted by Gaussian


def fit_mixture(z, judged, n_mixture_components, seed, limit=None):
    """Return a GaussianMixture of z, or None where N(0, I) is likelier on held-out draws.

    One more Gaussian of it is N(0, I), with the weight that one row has: so no z is less likely than under N(0, I) by
    more than the logarithm of the number of rows, in nats, however far it lies from the training rows.

    Parameters
    ----------
    z : ndarray of shape (n_draws, n, n_components)
        Draws from the posteriors of n training rows. Several of each row smooth the mixture.
    judged : ndarray of shape (n_draws, m, n_components) or None
        Those of held-out rows, by which "auto" chooses; None divides the training rows into folds.
    n_mixture_components : int or "auto"
        Number of Gaussians beside N(0, I).
    seed : int
        Of the starts of the mixtures.
    limit : TimeLimit, default=None
        No further number of Gaussians is tried once its time is up.

    Raises
    ------
    ValueError
        If there are fewer than two rows for a number that is given.
    """
    n_rows = z.shape[1]
    if not is_auto(n_mixture_components):
        if n_rows < 2:
            raise ValueError(
                f"n_mixture_components={n_mixture_components} needs at least 2 rows, but n_samples = {n_rows}; pass "
                "prior='normal'"
            )
        return _mixture(z, min(n_mixture_components, n_rows), seed)
    if n_rows < FEWEST_ROWS:
        return None
    if judged is not None:
        splits = [(z, judged)]
    else:
        folds = list(KFold(N_FOLDS, shuffle=True, random_state=seed).split(z[0]))
        splits = [(z[:, kept], z[:, left]) for kept, left in folds[: 1 if n_rows >= ENOUGH_FOR_ONE_FOLD else N_FOLDS]]
    best = _best_number(splits, seed, limit)
    return None if best == 0 else _mixture(z, best, seed)


def _best_number(splits, seed, limit):
    """Return the number of Gaussians that the held-out draws are likeliest under, 0 for N(0, I) itself."""
    splits = [(kept, left.reshape(-1, left.shape[-1])) for kept, left in splits]
    normal = NormalPrior(splits[0][0].shape[-1])
    best, greatest = 0, np.mean([float(normal.log_prob(torch.from_numpy(left)).mean()) for _, left in splits])
    last = -math.inf
    for number in CANDIDATES:
        if number * ROWS_EACH > splits[0][0].shape[1]:
            break
        found = np.mean([_mixture(kept, number, seed).score(left) for kept, left in splits])
        if found > greatest:
            best, greatest = number, found
        if found < last or (limit is not None and limit.share_used() == 1.0):
            break
        last = found
    return best


def _mixture(z, number, seed):
    """Return a mixture of so many Gaussians and N(0, I), fitted to draws z (n_draws, n, n_components)."""
    _, n_rows, n_components = z.shape
    # With array API dispatch a mixture cannot start at k-means; one that has not quite converged is as good a prior.
    with config_context(array_api_dispatch=False), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture = GaussianMixture(number, random_state=seed).fit(z.reshape(-1, n_components))
    mixture.set_params(n_components=number + 1)
    mixture.weights_ = np.append(mixture.weights_ * n_rows, 1.0) / (n_rows + 1)
    mixture.means_ = np.concatenate([mixture.means_, np.zeros((1, n_components))])
    for name in ("covariances_", "precisions_", "precisions_cholesky_"):
        setattr(mixture, name, np.concatenate([getattr(mixture, name), np.eye(n_components)[None]]))
    return mixture

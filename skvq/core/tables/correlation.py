"""Correlations of the scores of numeric columns, some of which are missing."""

import torch
from sklearn.covariance import ledoit_wolf_shrinkage

from ...nn.copula import regressions

# Rows that they are taken from at most, and those that go together.
MOST_ROWS, ROWS_TOGETHER = 5_000, 256
# Rounds that fill missing scores, at most, and the change of a correlation in a round that ends them.
N_ROUNDS, LEAST_CHANGE = 50, 1e-3
# Share of the variance of a score that other columns never explain.
NUGGET = 1e-3


@torch.no_grad()
def correlation_of(scores, known):
    """Return the correlations of scores of which some are known, shrunk towards none.

    The share of the shrinkage is that of Ledoit & Wolf, "A well-conditioned estimator for large-dimensional covariance
    matrices", 2004. Missing scores are filled by their expectations, and the covariance that these lack is added, round
    by round (Little & Rubin, "Statistical Analysis with Missing Data", 2002, section 11.2).

    Parameters
    ----------
    scores : Tensor of shape (n, q)
        Of about mean 0. Of many rows some are taken, evenly spaced.
    known : Tensor of shape (n, q)
        1.0 where a score is known, else 0.0.

    Returns
    -------
    Tensor of shape (q, q), float32
    """
    step = max(1, -(-len(scores) // MOST_ROWS))
    known = known[::step].double()
    scores = scores[::step].double() * known
    n, q = scores.shape
    share = float(ledoit_wolf_shrinkage(scores.numpy(), assume_centered=True)) if n > 1 else 1.0
    found = torch.eye(q, dtype=torch.float64)
    for _ in range(N_ROUNDS if bool((known == 0).any()) else 1):
        before, products = found, torch.zeros(q, q, dtype=torch.float64)
        for z, mask in zip(scores.split(ROWS_TOGETHER), known.split(ROWS_TOGETHER)):
            weights, _ = regressions(found, mask)
            z = torch.where(mask > 0, z, (weights * z[..., None]).sum(dim=1))
            unknown = 1.0 - mask
            lacking = (found - found @ weights) * unknown[:, :, None] * unknown[:, None]
            products += z.T @ z + lacking.sum(dim=0)
        products = (1.0 - share) * products + share * products.trace() / q * torch.eye(q, dtype=torch.float64)
        scale = products.diagonal().clamp_min(1e-12).sqrt()
        found = ((1.0 - NUGGET) * products / scale[:, None] / scale).fill_diagonal_(1.0)
        if float((found - before).abs().max()) < LEAST_CHANGE:
            break
    return found.float()

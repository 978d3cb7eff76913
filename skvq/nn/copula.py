"""A normal distribution of the scores of numeric columns: what the known ones say of each of the others.

Each number stands for its score, the point of N(0, 1) below which the same share of all rows lies. The scores of a row
are taken for multivariate normal, which is a Gaussian copula of the columns [1]_. Given any known columns, each other
one is then normal as well, with a mean and a standard deviation in closed form. An orderless network starts from the
probabilities that its codes have under it, and learns what they leave.

References
----------
.. [1] A. Sklar, "Fonctions de répartition à n dimensions et leurs marges", 1959; for normal scores H. Liu, J. Lafferty,
   L. Wasserman, "The Nonparanormal", JMLR 10, 2009.
"""

import torch
from torch import nn

# Rows that the correlations are taken from, those that go together, and rounds that fill their missing cells.
MOST_ROWS, ROWS_TOGETHER, N_ROUNDS = 5_000, 256, 5
# Share of the variance of a score that other columns never explain.
NUGGET = 1e-3
# Least probability of an interval, beside which rounding errors of float32 are small.
LEAST_PROBABILITY = 1e-6
# A score beyond which nothing lies.
FARTHEST = 30.0


class NormalCopula(nn.Module):
    """What the known numbers of a row say of the codes of the others.

    Parameters
    ----------
    n_numbers : int
        Columns of numbers, q.
    n_coarse : int
        Most coarse codes that one of them has, C.
    n_with_fine, n_fine : int
        Columns with fine codes, and most fine codes F that a coarse one of them has.

    Attributes
    ----------
    correlation : Tensor of shape (q, q), float32
        Of the scores.
    coarse_ends : Tensor of shape (q, C + 1), float32
        Where the coarse codes of a column begin and end, as scores; codes that are not there begin where they end.
    fine_ends : Tensor of shape (n_with_fine, C, F + 1), float32
        The same of the fine codes of each coarse one.
    """

    correlation: torch.Tensor
    coarse_ends: torch.Tensor
    fine_ends: torch.Tensor

    def __init__(self, n_numbers, n_coarse, n_with_fine, n_fine):
        super().__init__()
        self.register_buffer("correlation", torch.eye(n_numbers))
        self.register_buffer("coarse_ends", torch.zeros(n_numbers, n_coarse + 1))
        self.register_buffer("fine_ends", torch.zeros(n_with_fine, n_coarse, n_fine + 1))

    @property
    def has_score(self):
        """Which coarse codes stand for numbers, (q, C): that of a missing cell does not."""
        return self.coarse_ends[:, 1:] > self.coarse_ends[:, :-1]

    @torch.no_grad()
    def start_ends(self, ends, with_fine):
        """Set where the codes of each number begin and end, a list of Tensor (n_coarse, n_fine + 1).

        `with_fine` is a list of the numbers that have fine codes.
        """
        for index, of_column in enumerate(ends):
            n_coarse = len(of_column)
            self.coarse_ends[index, 0] = of_column[0, 0]
            self.coarse_ends[index, 1 : n_coarse + 1] = of_column[:, -1]
            self.coarse_ends[index, n_coarse + 1 :] = of_column[-1, -1]
        for index, number in enumerate(with_fine):
            n_coarse, n_ends = ends[number].shape
            self.fine_ends[index, :n_coarse, :n_ends] = ends[number]
            self.fine_ends[index, :n_coarse, n_ends:] = ends[number][:, -1:]

    @torch.no_grad()
    def start_correlation(self, scores, known):
        """Set the correlations from scores (n, q), 1.0 where they are known (n, q); of many rows some are taken."""
        step = max(1, -(-len(scores) // MOST_ROWS))
        self.correlation.copy_(correlation_of(scores[::step], known[::step]))

    def given(self, scores, known, number=None):
        """Return the means and standard deviations (b, q) of all scores, given those (b, q) of the known columns.

        Of a known column, and with `number`, an int, of all columns but this one, they have no meaning.
        """
        masks, of_rows = known, None
        if not self.training:  # where nearly every row has a mask of its own
            bits = 1 << torch.arange(known.shape[1], device=known.device)
            _, first, of_rows = _unique((known.long() * bits).sum(dim=1))
            masks = known[first]
        targets = slice(None) if number is None else slice(number, number + 1)
        weights, variance = regressions(self.correlation, masks, targets)
        if of_rows is not None:
            weights, variance = weights[of_rows], variance[of_rows]
        found = ((weights * (scores * known)[..., None]).sum(dim=1), variance.clamp_min(NUGGET / 10).sqrt())
        if number is None:
            return found
        return tuple(torch.zeros_like(scores).index_fill(1, torch.tensor(number), 1.0) * part for part in found)

    def coarse_terms(self, mean, std):
        """Return how the log probabilities of coarse codes differ from those when nothing is known: (b, q, C)."""
        return _terms(self.coarse_ends, mean, std)

    def coarse_terms_of(self, mean, std, number):
        """Return :meth:`coarse_terms` of one column, (b, C)."""
        return _terms(self.coarse_ends[number], mean[:, number], std[:, number])

    def fine_terms(self, mean, std, each, numbers, coarse):
        """Return how the log probabilities of fine codes given coarse ones differ: (b, ..., F).

        Parameters
        ----------
        mean, std : Tensor of shape (b, q)
        each, numbers : Tensor of shape (...), or int
            Columns, as their places among those with fine codes, and among the numbers.
        coarse : Tensor of shape (b, ...), int64
        """
        return _terms(self.fine_ends[each, coarse], mean[:, numbers], std[:, numbers])


def _unique(keys):
    """Return different keys (m,), where each is first among keys (n,), and which of them each of these is."""
    found, of_keys = torch.unique(keys, return_inverse=True)
    first = torch.empty_like(found).scatter_(0, of_keys.flip(0), torch.arange(len(keys), device=keys.device).flip(0))
    return found, first, of_keys


def _terms(ends, mean, std):
    return _log_shares((ends - mean[..., None]) / std[..., None]) - _log_shares(ends)


def _log_shares(ends):
    """Return the log probabilities (..., n) of N(0, 1) between ends (..., n + 1); 0 where nothing is between."""
    below = torch.special.ndtr(ends)
    shares = below[..., 1:] - below[..., :-1]
    return torch.where(ends[..., 1:] > ends[..., :-1], (shares + LEAST_PROBABILITY).log(), 0.0)


def regressions(correlation, known, targets=slice(None)):
    """Return how columns depend on the known ones, for masks (b, q), 1.0 or 0.0.

    Returns
    -------
    weights : Tensor of shape (b, q, n_targets)
        Of the known columns in the mean of each target; 0 for the others.
    variance : Tensor of shape (b, n_targets)
        That they leave of each target.
    """
    between = correlation * known[:, :, None]  # of known columns with all
    among = between * known[:, None] + torch.diag_embed(1.0 - known)
    factor, between = torch.linalg.cholesky_ex(among).L, between[:, :, targets]
    half = torch.linalg.solve_triangular(factor, between, upper=False)
    weights = torch.linalg.solve_triangular(factor.mT, half, upper=True)
    return weights, 1.0 - half.square().sum(dim=1)


def correlation_of(scores, known):
    """Return the correlations (q, q), float32, of scores (n, q) of which some are known, shrunk towards none.

    The share of the shrinkage is that of Ledoit & Wolf (2004). Missing scores are filled by their expectations, with
    the covariance that these lack added, in a few rounds (Little & Rubin, "Statistical Analysis with Missing Data",
    2002, section 11.2).
    """
    from sklearn.covariance import ledoit_wolf_shrinkage

    scores, known = scores.double() * known, known.double()
    n, q = scores.shape
    share = float(ledoit_wolf_shrinkage(scores.numpy(), assume_centered=True)) if n > 1 else 1.0
    found = torch.eye(q, dtype=torch.float64)
    for _ in range(N_ROUNDS if bool((known == 0).any()) else 1):
        products = torch.zeros(q, q, dtype=torch.float64)
        for z, mask in zip(scores.split(ROWS_TOGETHER), known.split(ROWS_TOGETHER)):
            weights, _ = regressions(found, mask)
            z = torch.where(mask > 0, z, (weights * z[..., None]).sum(dim=1))
            unknown = 1.0 - mask
            lacking = (found - found @ weights) * unknown[:, :, None] * unknown[:, None]
            products += z.T @ z + lacking.sum(dim=0)
        products = (1.0 - share) * products + share * products.trace() / q * torch.eye(q, dtype=torch.float64)
        scale = products.diagonal().clamp_min(1e-12).sqrt()
        found = products / scale[:, None] / scale
        found = (1.0 - NUGGET) * found + NUGGET * torch.eye(q, dtype=torch.float64)
    return found.float()

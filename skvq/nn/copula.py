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

# Least variance that the known columns leave of a score.
LEAST_VARIANCE = 1e-4
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
    def start_from(self, ends, with_fine):
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

    def given(self, scores, known, number=None):
        """Return the means and standard deviations (b, q) of all scores, given those (b, q) of the known columns.

        Of a known column, and with `number`, an int, of all columns but this one, they have no meaning.
        """
        targets = slice(None) if number is None else slice(number, number + 1)
        if self.training:  # where nearly every row has known columns of its own
            weights, variance = regressions(self.correlation, known, targets)
        else:
            masks, of_rows = _different(known)
            weights, variance = (part[of_rows] for part in regressions(self.correlation, masks, targets))
        mean, std = torch.zeros_like(scores), torch.ones_like(scores)
        mean[:, targets] = (weights * (scores * known)[..., None]).sum(dim=1)
        std[:, targets] = variance.clamp_min(LEAST_VARIANCE).sqrt()
        return mean, std

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


def _different(masks):
    """Return those of the masks (b, q), 1.0 or 0.0 and q ≤ 64, that differ, and which of them each one is, (b,)."""
    bits = 1 << torch.arange(masks.shape[1], device=masks.device)
    keys, of_rows = torch.unique((masks.long() * bits).sum(dim=1), return_inverse=True)
    a_row = torch.empty_like(keys).scatter_(0, of_rows, torch.arange(len(masks), device=masks.device))
    return masks[a_row], of_rows


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

"""A normal distribution of the scores of the columns of a table: what the known ones say of each of the others.

Each number stands for its score, the point of N(0, 1) below which the same share of all rows lies. The scores of a row
are taken for multivariate normal, which is a Gaussian copula of the columns [1]_. Given any known columns, each other
one is then normal as well, with a mean and a standard deviation in closed form. An orderless network starts from the
probabilities that its codes have under it, and learns what they leave.

A level of a category is a score as well: 1 where a cell has the level and 0 where not, standardised. So is a value that
many cells of a number have, such as 0, but only to predict other columns. That a cell is missing is no score: where
cells are missing by chance it is noise, which hides what the others say. What the known columns say of a level is the
linear discriminant of the rows that have it and of those that have it not, which follows from the mean and the standard
deviation of its score [2]_.

References
----------
.. [1] A. Sklar, "Fonctions de répartition à n dimensions et leurs marges", 1959; for normal scores H. Liu, J. Lafferty,
   L. Wasserman, "The Nonparanormal", JMLR 10, 2009.
.. [2] T. Hastie, R. Tibshirani, J. Friedman, "The Elements of Statistical Learning", 2nd edition, 2009, equation 4.9
   and exercise 4.2.
"""

import torch
from torch import nn

# Least variance that the known columns leave of a score.
LEAST_VARIANCE = 1e-4
# Least probability of an interval, beside which rounding errors of float32 are small.
LEAST_PROBABILITY = 1e-6
# A score beyond which nothing lies.
FARTHEST = 30.0
# Least variance of a level's score beside which it is told apart, and the most by which its logit may change: rows that
# are known to have a level by others of their cells are no normal distribution, for which the discriminant is made.
LEAST_LEVEL_VARIANCE, MOST_LOGIT_CHANGE = 0.1, 4.0
# Least part of its share among all rows that remains of the levels without a score.
LEAST_PART = 0.1


class LevelScores(nn.Module):
    """Levels of columns as scores: 1 where a cell has the level, 0 where not, standardised.

    Parameters
    ----------
    levels : sequence of (int, int)
        The column and the coarse code of each of the d levels.
    atoms : sequence of (int, int)
        The same of values of numbers, which stand behind the levels and only predict.

    Attributes
    ----------
    share : Tensor of shape (d + n_atoms,), float32
        Of the rows that have the level, in (0, 1).
    """

    column: torch.Tensor
    code: torch.Tensor
    share: torch.Tensor

    def __init__(self, levels, atoms):
        super().__init__()
        self.n_levels, self._of_columns = len(levels), {}
        for level, (of_column, _) in enumerate(levels):
            self._of_columns.setdefault(of_column, []).append(level)
        column, code = torch.tensor([*levels, *atoms]).T
        self.register_buffer("column", column, persistent=False)
        self.register_buffer("code", code, persistent=False)
        self.register_buffer("share", torch.full((len(column),), 0.5))

    @property
    def _std(self):
        return (self.share * (1.0 - self.share)).sqrt()

    @torch.no_grad()
    def start_from(self, coarse):
        """Set the shares to those among coarse codes (n, n_columns), -1 for none."""
        of_level = coarse[:, self.column]
        counts, n_rows = (of_level == self.code).sum(dim=0), (of_level >= 0).sum(dim=0)
        self.share.copy_((counts + 0.5) / (n_rows + 1.0))

    def scores(self, coarse):
        """Return the scores of coarse codes (b, n_columns): (b, d + n_atoms)."""
        return ((coarse[:, self.column] == self.code).float() - self.share) / self._std

    def of(self, column):
        """Return which of the predicted levels are those of one column, a list of int."""
        return self._of_columns.get(column, [])

    def probabilities(self, mean, std, levels):
        """Return the probabilities (b, n) of some levels, given the moments (b, n) of their scores.

        With the share π of the rows that have a level, the mean p of its indicator given the known columns, and the
        part R² of its variance that these explain, the linear discriminant is
        (p - π - (1/2 - π) R²) / (π (1 - π) (1 - R²)), which is added to the logit of π.
        """
        share, left = self.share[levels], std.square().clamp(LEAST_LEVEL_VARIANCE, 1.0)
        change = self._std[levels] * mean - (0.5 - share) * (1.0 - left)
        change = change / (share * (1.0 - share) * left)
        return torch.sigmoid(torch.logit(share) + change.clamp(-MOST_LOGIT_CHANGE, MOST_LOGIT_CHANGE))

    def terms(self, mean, std, column_of, starts):
        """Return how the log probabilities of coarse codes differ from those when nothing is known: (b, n_codes).

        Parameters
        ----------
        mean, std : Tensor of shape (b, d + n_atoms)
            Of the scores.
        column_of : Tensor of shape (n_codes,), int64
            The column of each code.
        starts : Tensor of shape (n_columns,), int64
            Where the codes of each column start.
        """
        part = slice(self.n_levels)
        column, share = self.column[part], self.share[part]
        found = self.probabilities(mean[:, part], std[:, part], part)
        rest, rest_share = mean.new_ones(len(mean), len(starts)), mean.new_ones(len(starts))
        rest = rest.index_add(1, column, -found)
        rest_share = rest_share.index_add(0, column, -share)
        terms = _log_parts(rest, rest_share)[:, column_of]
        return terms.index_copy(1, starts[column] + self.code[part], _log_parts(found, share))

    def terms_of(self, mean, std, column, n_codes):
        """Return :meth:`terms` of one column, (b, n_codes)."""
        levels = self.of(column)
        found, share = self.probabilities(mean[:, levels], std[:, levels], levels), self.share[levels]
        terms = _log_parts(1.0 - found.sum(dim=1), 1.0 - share.sum())[:, None].repeat(1, n_codes)
        return terms.index_copy(1, self.code[levels], _log_parts(found, share))


def _log_parts(found, share):
    return (found / share.clamp_min(LEAST_PROBABILITY)).clamp_min(LEAST_PART).log()


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
    levels, atoms : sequence of (int, int), default=()
        Other scores, which stand behind the numbers: see :class:`LevelScores`. There are v scores in all.

    Attributes
    ----------
    levels : LevelScores or None
    correlation : Tensor of shape (v, v), float32
        Of the scores.
    coarse_ends : Tensor of shape (q, C + 1), float32
        Where the coarse codes of a column begin and end, as scores; codes that are not there begin where they end.
    fine_ends : Tensor of shape (n_with_fine, C, F + 1), float32
        The same of the fine codes of each coarse one.
    """

    correlation: torch.Tensor
    coarse_ends: torch.Tensor
    fine_ends: torch.Tensor

    def __init__(self, n_numbers, n_coarse, n_with_fine, n_fine, levels=(), atoms=()):
        super().__init__()
        self.levels = LevelScores(levels, atoms) if levels or atoms else None
        self.register_buffer("correlation", torch.eye(n_numbers + len(levels) + len(atoms)))
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

    def given(self, scores, known, targets=None):
        """Return the means and standard deviations (b, v) of all scores, given those (b, v) of the known columns.

        Of known columns, and of scores that are none of the `targets`, a list of int, they have no meaning.
        """
        z = (scores * known)[..., None]
        targets = None if targets is None else torch.tensor(targets, dtype=torch.int64, device=scores.device)
        if self.training:  # where nearly every row has known columns of its own
            factor, half = _factors(self.correlation, known, targets)
            of_known = torch.linalg.solve_triangular(factor, z, upper=False)
            mean, variance = (half * of_known).sum(dim=1), 1.0 - half.square().sum(dim=1)
        else:
            masks, of_rows = _different(known)
            weights, variance = (part[of_rows] for part in regressions(self.correlation, masks, targets))
            mean = (weights * z).sum(dim=1)
        std = variance.clamp_min(LEAST_VARIANCE).sqrt()
        if targets is None:
            return mean, std
        nothing = torch.zeros_like(scores)
        return nothing.index_copy(1, targets, mean), nothing.index_copy(1, targets, std)

    def coarse_terms(self, mean, std):
        """Return how the log probabilities of coarse codes differ from those when nothing is known: (b, q, C)."""
        n_numbers = len(self.coarse_ends)
        return _terms(self.coarse_ends, mean[:, :n_numbers], std[:, :n_numbers])

    def coarse_terms_of(self, mean, std, number):
        """Return :meth:`coarse_terms` of one column, (b, C)."""
        return _terms(self.coarse_ends[number], mean[:, number], std[:, number])

    def fine_terms(self, mean, std, each, numbers, coarse):
        """Return how the log probabilities of fine codes given coarse ones differ: (b, ..., F).

        Parameters
        ----------
        mean, std : Tensor of shape (b, v)
        each, numbers : Tensor of shape (...), or int
            Columns, as their places among those with fine codes, and among the numbers.
        coarse : Tensor of shape (b, ...), int64
        """
        return _terms(self.fine_ends[each, coarse], mean[:, numbers], std[:, numbers])


def _different(masks):
    """Return those of the masks (b, v), 1.0 or 0.0 and v ≤ 64, that differ, and which of them each one is, (b,)."""
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


def regressions(correlation, known, targets=None):
    """Return how columns depend on the known ones, for masks (b, q), 1.0 or 0.0.

    The `targets` are a Tensor of int64 (n_targets,), None for all columns.

    Returns
    -------
    weights : Tensor of shape (b, q, n_targets)
        Of the known columns in the mean of each target; 0 for the others.
    variance : Tensor of shape (b, n_targets)
        That they leave of each target.
    """
    factor, half = _factors(correlation, known, targets)
    weights = torch.linalg.solve_triangular(factor.mT, half, upper=True)
    return weights, 1.0 - half.square().sum(dim=1)


def _factors(correlation, known, targets):
    """Return L (b, v, v), where L L^T are the correlations of the known columns, and L^-1 times those with targets."""
    between = correlation * known[:, :, None]  # of known columns with all
    among = between * known[:, None] + torch.diag_embed(1.0 - known)
    factor = torch.linalg.cholesky_ex(among).L
    between = between if targets is None else between.index_select(2, targets)
    return factor, torch.linalg.solve_triangular(factor, between, upper=False)

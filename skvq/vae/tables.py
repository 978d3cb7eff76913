"""The distribution p(x | z) of the rows of mixed tables, with the decoder's output as its parameters.

Two classes share the parameters: :class:`TableLikelihood` takes features, as training and sampling need it, and
:class:`CellLikelihood` takes cells and gives their log-likelihood in the units of X, for `score_samples`.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from ..nn import ranks
from ..nn.devices import widened, widest_float
from .cells import N_BOUNDS

LOG_2PI = math.log(2 * math.pi)
# An interval narrower than this many standard deviations, at its distance from the mean, has the density of its middle.
NARROW = 1e-4
# Rows, and candidates for the gain of a column, that the decoder's start is chosen by.
START_ROWS = 2000
GAINS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 6.0)


class TableLikelihood(nn.Module):
    r"""Independent columns around the output: a softmax over levels, and a Gaussian or an absence for each number.

    Rows are features of a :class:`~skvq.core.tables.layout.TableLayout`. For the indicators of a category or boolean
    the output is their logits, a missing cell being one more level; for the indicator of a missing number the logit of
    its probability; for a number the mean of its score, in the units of the features. A number that is missing has no
    term but that of its indicator, and a missing cell in a column that had none in `fit` has none at all.

    The terms are nats, and no column is weighted: `log_prob` is a log-likelihood, of which the bound on log p(x) is
    made, and a sum with weights would bound nothing. So a column counts for as much as there is to know about it, where
    the losses of the other transformers let every column count alike. The density of a score stands for the probability
    of its interval, from which it differs by about a constant; :class:`CellLikelihood` has the probability itself.

    Parameters
    ----------
    blocks : tuple of Block
        Of the columns.
    n_variances : int
        Of the Gaussians, on standardised scores: 1, or the number of columns with scores.
    smallest : float
        The least that a variance can be.
    decay : float in (0, 1), default=0.99
        Share of the past in the running variance after each batch.
    """

    score: torch.Tensor
    gap: torch.Tensor
    gap_of: torch.Tensor
    variance: torch.Tensor
    base: torch.Tensor
    gain: torch.Tensor

    def __init__(self, blocks, n_variances, smallest, decay=0.99):
        super().__init__()
        self.smallest, self.decay, self.n_features = smallest, decay, blocks[-1].stop
        numbers = [block for block in blocks if block.has_score]
        gaps = [index for index, block in enumerate(numbers) if block.has_missing]
        self._index("score", [block.start for block in numbers])
        self._index("gap", [numbers[index].stop - 1 for index in gaps])
        self._index("gap_of", gaps)  # which of the scores it is that may be missing
        by_width = {}
        for block in blocks:
            if not block.has_score:
                by_width.setdefault(block.stop - block.start, []).append(range(block.start, block.stop))
        self.widths = sorted(by_width)
        for width in self.widths:  # the columns of so many levels, (columns, levels)
            self._index(f"levels_{width}", by_width[width])
        self.register_buffer("variance", torch.ones(n_variances))
        # A feature is base + gain · (standardised score, or indicator).
        self.register_buffer("base", torch.zeros(self.n_features))
        self.register_buffer("gain", torch.ones(self.n_features))

    def _index(self, name, positions):
        index = torch.tensor([list(each) if isinstance(each, range) else each for each in positions], dtype=torch.int64)
        self.register_buffer(name, index, persistent=False)

    @property
    def level_groups(self):
        """The features of the columns with levels, (columns, levels), a tensor for each number of levels."""
        return [getattr(self, f"levels_{width}") for width in self.widths]

    @torch.no_grad()
    def set_features(self, layout):
        """Take the units of the features from a TableLayout."""
        self.base.copy_(torch.from_numpy(layout.base))
        self.gain.copy_(torch.from_numpy(layout.gain))
        self.gain[self.score] = layout.factor

    def encoder_input(self, x):
        """Return x itself."""
        return x

    def scores(self, x):
        """Return the standardised scores of features or outputs (..., F): (..., q)."""
        return x[..., self.score].float() / self.gain[self.score]

    def absent(self, x):
        """Return which of the numbers that may be missing are, of features (b, F): (b, m) of bool."""
        return (x[:, self.gap] - self.base[self.gap]) / self.gain[self.gap] > 0.5

    def present(self, absent):
        """Return 1 for each score that there is and 0 for others, (b, q), given which are absent."""
        found = torch.ones(len(absent), len(self.score), device=absent.device)
        found[:, self.gap_of] = 1.0 - absent.float()
        return found

    def levels(self, x):
        """Return the levels in features (b, F): for each group of columns (b, columns) of int64, -1 for none."""
        found = []
        for group in self.level_groups:
            features = x[:, group]
            level = ((features - self.base[group]) / self.gain[group]).argmax(dim=-1)
            found.append(torch.where((features != 0).any(dim=-1), level, -1))
        return found

    def log_indicators(self, levels, absent, output):
        """log p of levels and absences (b, ...) given outputs (..., b, F), in nats: (..., b)."""
        logits = output[..., self.gap].float()
        total = -F.softplus(torch.where(absent, -logits, logits)).sum(dim=-1)
        for group, level in zip(self.level_groups, levels):
            log_shares = output[..., group].float().log_softmax(dim=-1)  # (..., b, columns, levels)
            index = level.clamp_min(0)[..., None].expand(*log_shares.shape[:-1], 1)
            total = total + (log_shares.gather(-1, index)[..., 0] * (level >= 0)).sum(dim=-1)
        return total

    def log_prob(self, x, output):
        """log p(x | output) of features x (b, F), in nats: (b,).

        The output may have leading dimensions more than x: (s, b, F) gives (s, b).
        """
        absent = self.absent(x)
        variance = self.variance.clone()  # `track` may change it before the gradient is taken
        error = self.scores(x) - self.scores(output)
        each = (error.square() / variance + variance.log() + LOG_2PI) * self.present(absent)
        return self.log_indicators(self.levels(x), absent, output) - 0.5 * each.sum(dim=-1)

    def mean(self, output):
        """Return the features of E[x | z], (..., F): scores as they are, probabilities for indicators."""
        features = output.float().clone()
        features[..., self.gap] = self._marked(self.gap, output[..., self.gap].float().sigmoid())
        for group in self.level_groups:
            features[..., group] = self._marked(group, output[..., group].float().softmax(dim=-1))
        return features

    def _marked(self, index, shares):
        """Return the features `index` of indicators that are `shares`."""
        return self.base[index] + self.gain[index] * shares

    def draw(self, output, generator):
        """Draw the features of rows, (b, F), of which all indicators are 0 or 1."""
        normal = torch.randn(*output.shape[:-1], len(self.score), generator=generator).to(output.device)
        uniform = torch.rand(output.shape, generator=generator, dtype=torch.float64)
        uniform = uniform.to(widest_float(output.device)).to(output.device)
        features = output.float().clone()
        features[..., self.score] += self.gain[self.score] * self.variance.sqrt() * normal
        share = widened(output[..., self.gap]).sigmoid()
        features[..., self.gap] = self._marked(self.gap, (uniform[..., self.gap] < share).float())
        for group in self.level_groups:
            up_to = widened(output[..., group]).softmax(dim=-1).cumsum(dim=-1)
            drawn = (uniform[..., group[:, :1]] * up_to[..., -1:] >= up_to).sum(dim=-1)
            chosen = F.one_hot(drawn.clamp_max(group.shape[1] - 1), group.shape[1]).float()
            features[..., group] = self._marked(group, chosen)
        return features

    def statistics(self, x, output):
        """Return means over the rows of a batch: (2 · n_variances + 1,).

        They are, for each variance, the squared errors and the number of the scores that there are, and in the end the
        log-likelihood of all indicators.
        """
        absent = self.absent(x)
        present = self.present(absent)
        error = (self.scores(x) - self.scores(output)).square() * present
        if len(self.variance) == 1:
            error, present = error.sum(dim=1, keepdim=True), present.sum(dim=1, keepdim=True)
        marks = self.log_indicators(self.levels(x), absent, output)
        return torch.cat([error.mean(dim=0), present.mean(dim=0), marks.mean().reshape(1)])

    def best_variance(self, statistics):
        """Return the variance that fits statistics best, (n_variances,)."""
        error, count = statistics[:-1].chunk(2)
        return (error / count.clamp_min(1e-12)).clamp_min(self.smallest)

    def best_nll(self, statistics, n_values):
        """Return the mean negative log-likelihood, in nats, at the best variance."""
        count = statistics[:-1].chunk(2)[1]
        each = self.best_variance(statistics).log() + 1.0 + LOG_2PI
        return float(0.5 * (count * each).sum() - statistics[-1])

    @torch.no_grad()
    def set_variance(self, variance):
        """Set the variance (n_variances,), raised to the smallest where it is below."""
        self.variance.copy_(variance.to(self.variance).clamp_min(self.smallest))

    @torch.no_grad()
    def track(self, x, output):
        """Move the running variance towards the mean squared error of the scores in a batch, in training only."""
        if self.training:
            error, count = ranks.mean(self.statistics(x, output))[:-1].chunk(2)
            each = len(self.score) if len(self.variance) == 1 else 1
            self.set_variance(self.variance + (1 - self.decay) * (error - count * self.variance) / max(each, 1))


class CellLikelihood(nn.Module):
    r"""log p of the cells of a row in the units of X, around the outputs that a :class:`TableLikelihood` is for.

    With the mean μ and the standard deviation σ of a column's score, an integer, a date, or a value that many rows
    share has the probability :math:`Φ((u_1 - μ) / σ) - Φ((u_0 - μ) / σ)` of its interval of scores; any other real
    number has the density of its score times du/dx. The intervals and stretches of a column tile all scores. What
    :meth:`Marginal.log_stray` spares for values that `fit` did not see, about 3 / n, is added, and the rest multiplied
    by what is left: so a value between two atoms has a finite score, too. For every output the probabilities of all
    values of a discrete column, the missing one among them, sum to 1; those of a real column, with the integral of its
    density, do so as well.

    Rows are those of :class:`~skvq.vae.cells.ScoredRows`: (b, F) features, then the bounds of the numbers, then the
    levels of the other columns.
    """

    def __init__(self, table):
        super().__init__()
        self.table = table

    def encoder_input(self, x):
        """Return the features, float32."""
        return x[:, : self.table.n_features].float()

    def log_prob(self, x, output):
        """log p(cells | output), in nats: (b,), or (s, b) for outputs (s, b, F)."""
        table = self.table
        n_scores = len(table.score)
        widths = [table.n_features, N_BOUNDS * n_scores, *(len(group) for group in table.level_groups)]
        _, bounds, *levels = x.split(widths, dim=1)
        lower, upper, log_unit, log_stray = bounds.unflatten(1, (N_BOUNDS, n_scores)).unbind(dim=1)
        mean, spread = table.scores(output).to(x.dtype), table.variance.to(x.dtype).sqrt()
        log_map = log_interval((lower - mean) / spread, (upper - mean) / spread)
        log_map = torch.where(lower == upper, log_map - spread.log(), log_map) + log_unit
        numbers = torch.logaddexp(log_map, log_stray).sum(dim=-1)
        absent = torch.isinf(lower) & torch.isinf(upper)
        return numbers + table.log_indicators([level.long() for level in levels], absent[:, table.gap_of], output)


def log_interval(lower, upper):
    """log(Φ(upper) - Φ(lower)), or where both are the same the log density there, without cancellation."""
    mirrored = lower > 0  # the upper tail is as well known as the lower one
    lower, upper = torch.where(mirrored, -upper, lower), torch.where(mirrored, -lower, upper)
    width, middle = upper - lower, (lower + upper) / 2
    above, below = torch.special.log_ndtr(upper), torch.special.log_ndtr(lower)
    wide = above + torch.log(-torch.expm1(below - above))
    density = -0.5 * (middle.square() + LOG_2PI)
    narrow = torch.where(width > 0, density + width.log(), density)
    return torch.where(width * middle.abs().clamp_min(1.0) < NARROW, narrow, wide)


def smooth_shares(shares, n_rows):
    """Return shares (..., L), all of them positive, as if half a row more had each level."""
    return (shares * n_rows + 0.5) / (n_rows + 0.5 * shares.shape[-1])


@torch.no_grad()
def table_start(likelihood, deviations, x, n_rows):
    r"""Return slope and bias, both (F,), that turn deviations of features from their mean into outputs.

    A score is taken as it is. The logit of a level with the share π starts at log π, and rises by g / π for every unit
    by which its indicator deviates: with g = 1 the softmax has the reconstructed indicators for probabilities, to first
    order. Of each column that g is taken which gives its cells the greatest likelihood; 0 is one of the candidates, and
    stands for the shares.

    Parameters
    ----------
    likelihood : TableLikelihood
    deviations, x : Tensor of shape (b, F)
        What the decoder says of some rows, drawn from the posterior, and the features that they have.
    n_rows : int
        Number of rows that the shares come from.
    """
    slope, bias = torch.ones(likelihood.n_features), torch.zeros(likelihood.n_features)
    gains = torch.tensor(GAINS, device=x.device)

    def choose(index, shares, levels, binary):
        steepness = 1.0 / (shares * (1 - shares)) if binary else 1.0 / shares  # (columns, levels)
        offset = torch.logit(shares) if binary else shares.log()
        tilt = deviations[:, index] / likelihood.gain[index] * steepness  # (b, columns, levels)
        losses = torch.stack([_cross_entropy(offset + gain * tilt, levels, binary) for gain in gains])
        chosen = gains[losses.argmin(dim=0)][:, None]
        slope[index.cpu()] = (chosen * steepness / likelihood.gain[index]).cpu()
        bias[index.cpu()] = offset.expand(index.shape).cpu()

    def shares_of(index):
        return smooth_shares((-likelihood.base[index] / likelihood.gain[index]).clamp(0, 1), n_rows)

    if len(likelihood.gap):
        index = likelihood.gap[:, None]
        missing = (-likelihood.base[index] / likelihood.gain[index]).clamp(0, 1)
        shares = smooth_shares(torch.cat([missing, 1 - missing], dim=1), n_rows)[:, :1]
        choose(index, shares, likelihood.absent(x).float(), binary=True)
    for index, levels in zip(likelihood.level_groups, likelihood.levels(x)):
        choose(index, shares_of(index), levels, binary=False)
    return slope, bias


def _cross_entropy(logits, levels, binary):
    """Return the mean negative log-likelihood of levels (b, columns) given logits (b, columns, L): (columns,)."""
    if binary:
        return F.softplus(torch.where(levels[..., None] > 0.5, -logits, logits))[..., 0].mean(dim=0)
    log_shares = logits.log_softmax(dim=-1)
    each = log_shares.gather(-1, levels.clamp_min(0)[..., None])[..., 0]
    return -(each * (levels >= 0)).mean(dim=0)

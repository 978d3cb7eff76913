"""The Gaussian copula behind an orderless network, against closed forms."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from scipy.special import expit, logit
from scipy.stats import multivariate_normal, norm
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from skvq.core.estimator import Start
from skvq.core.tables.codes import TableCodes
from skvq.core.tables.columns import Columns
from skvq.core.tables.correlation import NUGGET, correlation_of
from skvq.nn.copula import LEAST_PROBABILITY, MOST_LOGIT_CHANGE, LevelScores, NormalCopula
from skvq.nn.nade import orderless_loss
from skvq.priors.defaults import NADESizes, automatic_nade
from skvq.priors.passes import LEAST_EVALUATED, OrderlessObjective

CORRELATION = np.array([[1.0, 0.8, 0.5, -0.3], [0.8, 1.0, 0.4, 0.1], [0.5, 0.4, 1.0, 0.2], [-0.3, 0.1, 0.2, 1.0]])


def scores(n, seed=0):
    return np.random.RandomState(seed).multivariate_normal(np.zeros(4), CORRELATION, n)


@pytest.fixture
def copula():
    found = NormalCopula(4, 6, 1, 3).eval()
    found.correlation.copy_(torch.from_numpy(CORRELATION))
    return found


def conditional(z, known, target):
    """Return the mean and standard deviation of one score given the known ones."""
    weights = np.linalg.solve(CORRELATION[np.ix_(known, known)], CORRELATION[known, target])
    return z[known] @ weights, math.sqrt(1 - CORRELATION[known, target] @ weights)


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_the_normal_given_the_known_columns_is_the_closed_form(copula, mode):
    z, known = scores(40), np.random.RandomState(1).rand(40, 4) < 0.5
    known[:8] = known[0]  # several rows with the same columns
    getattr(copula, mode)()
    given = torch.from_numpy(z).float(), torch.from_numpy(known).float()
    mean, std = copula.given(*given)
    for row in range(40):
        for target in np.flatnonzero(~known[row]):
            expected = conditional(z[row], known[row], target)
            np.testing.assert_allclose((mean[row, target], std[row, target]), expected, atol=1e-5)
    for number in range(4):
        of_one = copula.given(*given, [number])
        torch.testing.assert_close(of_one[0][:, number], mean[:, number])
        torch.testing.assert_close(of_one[1][:, number], std[:, number])


def test_what_is_unknown_changes_nothing(copula):
    known = torch.tensor([[1.0, 0.0, 1.0, 0.0]])
    z = torch.tensor([[0.3, -1.0, 0.7, 2.0]])
    expected = copula.given(z, known)
    z[0, [1, 3]] = torch.tensor([5.0, -4.0])
    for found, before in zip(copula.given(z, known), expected, strict=True):
        torch.testing.assert_close(found, before, rtol=0, atol=0)


def test_correlations_are_those_of_the_scores_shrunk_a_little():
    found = correlation_of(torch.from_numpy(scores(5_000)), torch.ones(5_000, 4)).numpy()
    np.testing.assert_allclose(found, CORRELATION, atol=0.04)
    few = correlation_of(torch.from_numpy(scores(12)), torch.ones(12, 4)).numpy()
    plain = np.corrcoef(scores(12).T)
    assert np.abs(few - np.eye(4)).sum() < 0.9 * np.abs(plain - np.eye(4)).sum()


def test_missing_scores_do_not_weaken_the_correlations():
    z, known = scores(4_000), np.random.RandomState(1).rand(4_000, 4) < 0.6
    found = correlation_of(torch.from_numpy(z), torch.from_numpy(known).float()).numpy()
    np.testing.assert_allclose(found, CORRELATION, atol=0.06)


def test_one_row_and_scores_that_do_not_vary_have_no_correlations():
    for z in (torch.zeros(1, 3), torch.zeros(20, 3)):
        torch.testing.assert_close(correlation_of(z, torch.ones_like(z)), torch.eye(3))


def test_no_other_column_explains_all_of_one():
    z = torch.from_numpy(np.repeat(scores(500)[:, :1], 2, axis=1))
    assert correlation_of(z, torch.ones(500, 2))[0, 1] <= 1 - NUGGET


def test_terms_are_the_logarithms_of_how_much_likelier_intervals_become(copula):
    copula.coarse_ends[0] = torch.tensor([-30.0, -1.0, 0.5, 30.0, 30.0, 30.0, 30.0])
    mean, std = torch.full((1, 4), 0.4), torch.full((1, 4), 0.6)
    found = copula.coarse_terms_of(mean, std, 0)[0]
    ends = np.array([-30.0, -1.0, 0.5, 30.0])
    shares = np.diff(norm.cdf(ends, 0.4, 0.6)) + LEAST_PROBABILITY
    expected = np.log(shares) - np.log(np.diff(norm.cdf(ends)) + LEAST_PROBABILITY)
    np.testing.assert_allclose(found[:3], expected, atol=1e-4)
    assert (found[3:] == 0).all()  # these codes are not there
    assert (copula.has_score[0].numpy() == [True, True, True, False, False, False]).all()


def labelled(n):
    """Return scores (n, 4), of which the first depends on a label, and the label, 0 or 1."""
    label = (np.random.RandomState(3).rand(n) < 0.3).astype(int)
    return scores(n) + 0.8 * label[:, None] * np.array([1, 0.5, 0, -0.2]), label


def test_a_level_has_the_probability_of_linear_discriminant_analysis():
    z, label = labelled(400)
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    found = NormalCopula(4, 6, 0, 1, levels=[(4, 1)]).eval()
    coarse = torch.cat([torch.zeros(400, 4), torch.from_numpy(label)[:, None]], dim=1).long()
    found.levels.start_from(coarse)
    found.levels.share.fill_(label.mean())
    all_scores = torch.cat([torch.from_numpy(z).float(), found.levels.scores(coarse)], dim=1)
    found.correlation.copy_(torch.from_numpy(np.corrcoef(all_scores.numpy().T)))
    for known in ([0, 1, 2, 3], [0, 3], [2]):
        mask = torch.zeros(400, 5)
        mask[:, known] = 1.0
        mean, std = (part[:, 4:] for part in found.given(all_scores, mask))
        expected = LinearDiscriminantAnalysis(solver="lsqr").fit(z[:, known], label).predict_proba(z[:, known])[:, 1]
        change = np.clip(logit(expected) - logit(label.mean()), -MOST_LOGIT_CHANGE, MOST_LOGIT_CHANGE)
        expected = expit(logit(label.mean()) + change)
        np.testing.assert_allclose(found.levels.probabilities(mean, std, [0])[:, 0], expected, atol=2e-5)


def test_levels_without_a_score_share_what_the_others_leave():
    found = LevelScores([(1, 0), (1, 2)], [(0, 1)])
    found.share.copy_(torch.tensor([0.5, 0.2, 0.4]))
    mean, std = torch.tensor([[0.3, -0.3, 0.9], [0.0, 0.0, 0.0]]), torch.tensor([[0.7, 0.9, 0.0], [1.0, 1.0, 1.0]])
    starts, column_of = torch.tensor([0, 2]), torch.tensor([0, 0, 1, 1, 1, 1])
    terms = found.terms(mean, std, column_of, starts)
    of_levels = found.probabilities(mean[:, :2], std[:, :2], [0, 1])
    parts = (of_levels / found.share[:2]).numpy()
    rest = (1 - of_levels.sum(dim=1)).numpy() / 0.3
    expected = np.log(np.stack([0 * rest + 1, 0 * rest + 1, parts[:, 0], rest, parts[:, 1], rest], axis=1))
    np.testing.assert_allclose(terms, expected, atol=1e-6)
    np.testing.assert_allclose(terms[1], 0, atol=1e-6)  # nothing is known
    for column, part in ((0, slice(0, 2)), (1, slice(2, 6))):
        alone = found.terms_of(mean, std, column, part.stop - part.start)
        torch.testing.assert_close(alone, terms[:, part])


def test_a_level_keeps_some_probability_whatever_is_known():
    found = LevelScores([(0, 0), (0, 1)], [])
    found.share.copy_(torch.tensor([0.5, 0.5]))
    certain = torch.tensor([[1.0, -1.0]]), torch.full((1, 2), 1e-3)
    of_levels = found.probabilities(*certain, [0, 1])[0]
    np.testing.assert_allclose(of_levels, 1 / (1 + np.exp([-MOST_LOGIT_CHANGE, MOST_LOGIT_CHANGE])), rtol=1e-5)


def started(X, copula):
    """Return the network as it starts, and the codes (n, q) of X."""
    columns, cells = Columns.fit(X)
    codes = TableCodes(columns, 16)
    scores = codes.copula(1_999) if copula else {}
    sizes = NADESizes(**dataclasses.asdict(codes.codes), n_blocks=1, **scores, **automatic_nade(len(X)))
    network = sizes.build(torch.Generator().manual_seed(0)).eval()
    rows = torch.from_numpy(codes.rows(cells)).long()
    codes.start(network, rows)
    return network, rows


@torch.no_grad()
def log_prob(network, rows):
    known, total = torch.zeros(rows.shape), 0.0
    for column in range(rows.shape[1]):
        total += network.log_prob_of(rows, known, column)[0].mean()
        known[:, column] = 1.0
    return float(total)


def test_a_network_starts_at_the_likelihood_of_the_normal_distribution():
    X = scores(3_000)
    (without, rows), (network, _) = (started(X, copula) for copula in (False, True))
    gain = log_prob(network, rows) - log_prob(without, rows)
    mutual_information = -0.5 * np.linalg.slogdet(CORRELATION)[1]
    # Of values that are known to a part of 1/16 of all, and finer ones within, nearly all of it is left.
    assert 0.93 * mutual_information < gain < 1.03 * mutual_information


def test_a_network_of_categories_and_numbers_starts_near_their_likelihood():
    z, label = labelled(3_000)
    frame = np.column_stack([z, np.where(label, "yes", "no")]).astype(object)
    frame[:, :4] = z
    (without, rows), (network, _) = (started(frame, copula) for copula in (False, True))
    gain = log_prob(network, rows) - log_prob(without, rows)
    # Of normal scores given the label, beside marginals that are mixtures of two normal distributions.
    within = sum(np.cov(z[label == k].T) * (label == k).mean() for k in (0, 1))
    joint = multivariate_normal(np.zeros(4), within)
    means = np.stack([z[label == k].mean(axis=0) for k in (0, 1)])
    marginals = np.log(sum((label == k).mean() * norm.pdf(z, means[k], np.sqrt(np.diag(within))) for k in (0, 1))).sum(
        axis=1
    )
    mutual_information = (joint.logpdf(z - means[label]) - marginals).mean()
    assert 0.93 * mutual_information < gain < 1.03 * mutual_information


@torch.no_grad()
def test_missing_cells_and_categories_leave_the_probabilities_sums_of_1():
    X = scores(300).astype(object)
    X[::3, 0] = None
    X[:, 3] = np.where(X[:, 3] > 0, "high", "low")
    network, rows = started(X, True)
    known = torch.from_numpy(np.random.RandomState(0).rand(*rows.shape) < 0.5).float()
    context = network.context(rows, known)
    for column in range(4):
        sums = network.probabilities_of(context, column).sum(dim=1)
        torch.testing.assert_close(sums, torch.ones(len(rows)))
    missing = network.codes.n_coarse[0] - 1
    assert not network.copula.has_score[0, missing]


@pytest.mark.parametrize("n_held_out", [40, 700])
@torch.no_grad()
def test_what_a_copula_says_of_held_out_rows_is_kept_from_epoch_to_epoch_and_for_no_others(n_held_out):
    network, rows = started(scores(3_000), True)
    objective = OrderlessObjective(Start(network, None), torch.Generator().manual_seed(0))
    ours, others = rows[:n_held_out], rows[n_held_out : 2 * n_held_out]
    repeats = math.ceil(LEAST_EVALUATED / n_held_out)
    known = objective.evaluated.repeat(2, 1)[: repeats * n_held_out]
    for part in (ours, ours, others, ours):
        expected = orderless_loss(network, part.repeat(repeats, 1), known)
        torch.testing.assert_close(objective.terms(part)["loss"], expected)

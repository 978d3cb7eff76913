"""The normal distribution of series: its conditional draws, and how far its covariance is shrunk."""

import warnings

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from skvq.training.batches import Rows
from skvq.vqvae import normal
from skvq.vqvae.normal import FOLDS, SHARES, NormalSeries, fit_normal, normal_of

RNG = np.random.default_rng(0)
NORMAL = NormalSeries(RNG.normal(size=6), RNG.normal(size=(3, 6)), 0.3)


def conditional(row, known):
    """Return the mean of the unknown values of a row, and their covariance without the noise, by the full matrix."""
    of_components = NORMAL.components.T @ NORMAL.components
    covariance = of_components + NORMAL.noise * np.eye(6)
    weights = np.linalg.solve(covariance[np.ix_(known, known)], of_components[np.ix_(known, ~known)])
    mean = NORMAL.mean[~known] + (row[known] - NORMAL.mean[known]) @ weights
    return mean, of_components[np.ix_(~known, ~known)] - of_components[np.ix_(~known, known)] @ weights


def test_expectations_are_those_of_the_full_covariance():
    rows, known = RNG.normal(size=(5, 6)), RNG.random((5, 6)) < 0.5
    known[0], known[1] = False, True
    found = NORMAL.draw(rows, known)
    np.testing.assert_array_equal(found[known], rows[known])
    for row, seen, filled in zip(rows, known, found):
        np.testing.assert_allclose(filled[~seen], conditional(row, seen)[0], atol=1e-10)


@pytest.mark.parametrize("temperature", [1.0, 0.25])
def test_draws_have_the_conditional_mean_and_covariance(temperature):
    n, row, seen = 40_000, RNG.normal(size=6), np.array([True, False, True, False, False, True])
    rows, known = np.tile(row, (n, 1)), np.tile(seen, (n, 1))
    drawn = NORMAL.draw(rows, known, np.random.RandomState(0), temperature)[:, ~seen]
    mean, covariance = conditional(row, seen)
    # five standard errors of a mean, and about as many of a covariance
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=5 * np.sqrt(covariance.max() * temperature / n))
    error = 7 * covariance.max() * temperature / np.sqrt(n)
    np.testing.assert_allclose(np.cov(drawn.T), temperature * covariance, atol=error)


def test_the_share_of_the_identity_is_the_likeliest_for_parts_that_are_left_out():
    rows = RNG.normal(size=(60, 4)) @ RNG.normal(size=(4, 10)) + 0.5 * RNG.normal(size=(60, 10))
    found = fit_normal(rows)
    likelihoods = []
    for share in SHARES:
        total = 0.0
        for part in np.array_split(np.arange(60), FOLDS):
            others = np.delete(rows, part, axis=0)
            sample = np.cov(others.T, bias=True)
            shrunk = (1 - share) * sample + share * np.trace(sample) / 10 * np.eye(10)
            total += multivariate_normal(others.mean(axis=0), shrunk).logpdf(rows[part]).sum()
        likelihoods.append(total)
    share, sample = SHARES[np.argmax(likelihoods)], np.cov(rows.T, bias=True)
    assert found.noise == pytest.approx(share * np.trace(sample) / 10)
    np.testing.assert_allclose(found.components.T @ found.components, (1 - share) * sample, atol=1e-10)


def test_more_rows_are_shrunk_less():
    mixed = RNG.normal(size=(2_000, 5)) @ RNG.normal(size=(5, 20)) + 0.1 * RNG.normal(size=(2_000, 20))
    assert fit_normal(mixed).noise < 0.5 * fit_normal(mixed[:12]).noise


@pytest.mark.parametrize("rows", [np.ones((1, 8)), np.ones((5, 8))])
def test_what_does_not_vary_is_expected_everywhere(rows):
    found = fit_normal(rows).draw(np.zeros((2, 8)), np.zeros((2, 8), bool), np.random.RandomState(0))
    np.testing.assert_allclose(found, 1.0)


def test_it_is_taken_from_standardised_rows_and_kept_in_attributes():
    X = RNG.normal(size=(50, 12)) * 3 + 5
    learned = normal_of(Rows(X, shift=np.full(12, 5.0), scale=np.full(12, 3.0), shape=(1, 12, 1)))
    expected = fit_normal((X - 5) / 3)
    np.testing.assert_allclose(learned.mean, expected.mean, atol=1e-6)
    assert learned.noise == pytest.approx(expected.noise, rel=1e-5)

    class Fitted:
        pass

    for name, value in learned.attributes().items():
        setattr(Fitted, name, value)
    again = NormalSeries.of(Fitted)
    np.testing.assert_allclose(again.components, learned.components, rtol=1e-6)


def test_two_rows_give_a_distribution_without_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = fit_normal(np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 2.0]]))
        drawn = found.draw(np.zeros((1, 3)), np.array([[True, False, False]]), np.random.RandomState(0))
    assert found.noise > 0
    assert np.isfinite(drawn).all()


def test_the_spectrum_of_a_fold_is_found_once(monkeypatch):
    calls = []
    monkeypatch.setattr(normal, "_spectrum", lambda rows, found=normal._spectrum: calls.append(1) or found(rows))
    fit_normal(RNG.normal(size=(40, 5)))
    assert len(calls) == FOLDS + 1

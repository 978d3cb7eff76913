"""Lattices: found where they are, not where they are not; shares of weight compared with sums over points."""

import json

import numpy as np
import pytest

from skvq.core.parameters import to_json
from skvq.core.tables.lattice import Lattice
from skvq.core.tables.marginal import Marginal
from skvq.persistence.records import from_json

RNG = np.random.default_rng(0)
N = 4000


def mostly(period, residues, share, most=10_000_000):
    """Integers below `most` that have one of some residues with a probability."""
    values = period * RNG.integers(0, most // period, N) + RNG.choice(residues, N)
    return np.where(RNG.random(N) < share, values, RNG.integers(0, most, N)).astype(np.float64)


LATTICE = Lattice(7, (0, 3, 4), (0.4, 0.2, 0.2), 0.05)


def test_a_share_of_the_weight_is_that_of_the_points():
    left, right = -10.5, 31.5
    points = np.arange(-10, 32)
    weights = np.array([{0: 0.4, 3: 0.2, 4: 0.2}.get(point % 7, 0.05) for point in points])
    np.testing.assert_array_equal(LATTICE.weight(points), weights)
    assert LATTICE.total(left, right) == pytest.approx(weights.sum())
    below = np.cumsum(weights) / weights.sum()
    np.testing.assert_allclose(LATTICE.share_below(points + 0.5, left, right), below, atol=1e-12)
    np.testing.assert_allclose(LATTICE.share_below(points, left, right), below - weights / weights.sum() / 2)


def test_points_are_the_inverse_of_shares():
    points = np.linspace(-10.5, 31.5, 1000)
    shares = LATTICE.share_below(points, -10.5, 31.5)
    np.testing.assert_allclose(LATTICE.at(shares, -10.5, 31.5), points, atol=1e-9)


def test_the_nearest_point_with_a_residue_is_nearest_among_all():
    points = np.arange(-20, 20) + 0.3
    with_residue = np.array([point for point in range(-60, 60) if point % 7 in (0, 3, 4)])
    expected = with_residue[np.abs(points[:, None] - with_residue).argmin(axis=1)]
    np.testing.assert_array_equal(LATTICE.nearest(points), expected)


@pytest.mark.parametrize(
    ("period", "residues", "share"),
    [(2, [1], 0.95), (5, [0], 0.6), (100, [99], 0.9), (100, [0, 49, 99], 0.8), (360, [0], 0.98), (1000, [0], 0.2)],
)
def test_the_period_residues_and_share_are_found(period, residues, share):
    values = mostly(period, residues, share)
    lattice = Marginal.fit(values, (360,)).lattice
    assert (lattice.period, lattice.residues) == (period, tuple(residues))
    on_it = np.isin(values % period, residues).mean()
    assert sum(lattice.weights) == pytest.approx(on_it, abs=1e-3)
    lattice.check()
    assert from_json(Lattice, json.loads(json.dumps(to_json(lattice)))) == lattice


@pytest.mark.parametrize(
    "values",
    [
        RNG.integers(0, 10_000_000, N),
        np.round(RNG.normal(500, 40, N) ** 2),
        np.round(RNG.lognormal(5, 2, N)),
        np.round(RNG.gamma(2, 30, N), 2),
        RNG.normal(size=N),
    ],
)
def test_nothing_is_found_where_there_is_no_lattice(values):
    assert Marginal.fit(values.astype(np.float64)).lattice is None


@pytest.mark.parametrize("step", [1.0, 0.01])
def test_drawn_values_lie_on_the_lattice_as_often_as_seen_ones(step):
    values = np.round(mostly(100, [99], 0.9) * step, 2)
    marginal = Marginal.fit(values)
    drawn = marginal.draw_in(marginal.piece_of(values), RNG.random(N))
    of_normal = marginal.from_normal(RNG.normal(size=N))
    shares = [(np.round(each / step) % 100 == 99).mean() for each in (values, drawn, of_normal)]
    np.testing.assert_allclose(shares[1:], shares[0], atol=5 * np.sqrt(0.09 / N))  # five standard errors
    np.testing.assert_array_equal(marginal.from_normal(marginal.to_normal(values)), values)


def test_a_step_that_all_values_obey_is_kept_by_all_draws():
    values = 5.0 * RNG.permutation(200_000)[:N]
    marginal = Marginal.fit(values)
    assert (marginal.draw_in(marginal.piece_of(values), RNG.random(N)) % 5 == 0).all()
    assert np.isfinite(marginal.log_within(values)).all()


def test_whole_numbers_among_long_decimals_are_drawn_as_often_as_seen():
    values = np.where(RNG.random(N) < 0.9, RNG.integers(0, 1_000_000, N), RNG.random(N) * 1_000_000)
    marginal = Marginal.fit(values)
    drawn = marginal.draw_in(marginal.piece_of(values), RNG.random(N))
    assert (drawn == np.round(drawn)).mean() == pytest.approx(0.9, abs=5 * np.sqrt(0.09 / N))
    np.testing.assert_allclose(marginal.from_normal(marginal.to_normal(values)), values, atol=1e-6)


def test_probabilities_on_a_lattice_sum_to_1_and_bounds_touch():
    marginal = Marginal.fit(mostly(100, [99], 0.9, 100_000))
    assert marginal.lattice is not None
    points = np.arange(marginal.low, marginal.high + 1)
    shares = np.array(marginal.mass)[marginal.piece_of(points)] * np.exp(marginal.log_within(points, discrete=True))
    assert shares.sum() == pytest.approx(1)
    lower, upper, _ = marginal.normal_bounds(points, discrete=True)
    np.testing.assert_allclose(lower[1:], upper[:-1], atol=1e-8)


def test_the_density_on_a_lattice_is_the_slope_of_the_probability():
    marginal = Marginal.fit(np.round(mostly(100, [99], 0.9) / 100, 2))
    points = np.unique(np.round(RNG.uniform(marginal.low + 1, marginal.high - 1, 500), 2))
    shift = 0.2 * marginal.step  # within the interval of a point
    slope = (marginal.share_below(points + shift) - marginal.share_below(points - shift)) / (2 * shift)
    density = np.array(marginal.mass)[marginal.piece_of(points)] * np.exp(marginal.log_within(points))
    np.testing.assert_allclose(slope, density * marginal.n / (marginal.n + 2), rtol=1e-6)
    score, _, log_unit = marginal.normal_bounds(points)
    np.testing.assert_allclose(np.exp(log_unit - np.square(score) / 2) / np.sqrt(2 * np.pi), slope, rtol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        {"period": 1},
        {"period": 2**60},
        {"residues": (3, 1)},
        {"residues": (0, 5)},
        {"residues": (0,)},
        {"weights": (0.5, 0.5)},
        {"weights": (0.6, -0.1)},
        {"rest": -0.1},
        {"rest": float("nan")},
    ],
)
def test_what_no_fit_gives_is_refused(change):
    fields = {"period": 5, "residues": (0, 1), "weights": (0.5, 0.2), "rest": 0.1}
    Lattice(**fields).check()
    with pytest.raises(ValueError, match="a lattice's"):
        Lattice(**(fields | change)).check()

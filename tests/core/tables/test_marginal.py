"""Marginals of columns: pieces, normal scores and back, densities that sum and integrate to 1."""

import json

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from skvq.core.parameters import to_json
from skvq.core.tables import marginal as marginal_module
from skvq.core.tables.decimals import decimals_of
from skvq.core.tables.marginal import Marginal
from skvq.persistence.records import from_json

RNG = np.random.default_rng(0)
COLUMNS = {
    "skewed": RNG.lognormal(size=3000),
    "zeros": np.where(RNG.random(3000) < 0.3, 0.0, RNG.normal(50, 9, 3000)),
    "prices": np.round(RNG.lognormal(3, 1, 3000), 2),
    "counts": RNG.poisson(300, 3000) * 1.0,
    "few": RNG.integers(-3, 4, 200) * 1.0,
    "two": np.array([0.0, 1.0, 1.0]),
    "constant": np.full(7, 3.5),
    "one cell": np.array([-2.0]),
    "far outlier": np.append(RNG.normal(size=500), 1e6),
    "mostly .99": np.round(RNG.integers(0, 3000, 3000) + np.where(RNG.random(3000) < 0.8, 0.99, RNG.random(3000)), 2),
    "multiples of 5": 5.0 * RNG.permutation(10_000)[:1500],
    "large integers": RNG.integers(-(2**60), 2**60, 500) * 1.0,
}


@pytest.fixture(params=COLUMNS)
def values(request):
    return COLUMNS[request.param]


def log_density(marginal, values, *, discrete=False):
    """Return the log density of values: that of the pieces, and what is spared for others."""
    share = np.log(np.array(marginal.mass)[marginal.piece_of(values)]) + np.log1p(-marginal.stray(discrete=discrete))
    within = share + marginal.log_within(values, discrete=discrete)
    return np.logaddexp(within, marginal.log_stray(values, discrete=discrete))


def test_few_distinct_values_are_atoms_with_their_shares():
    marginal = Marginal.fit(np.array([5.0, 1.0, 5.0, 5.0]))
    assert (marginal.left, marginal.right, marginal.mass) == ((1.0, 5.0), (1.0, 5.0), (0.25, 0.75))
    assert (marginal.step, marginal.n) == (1.0, 4)


def test_a_value_that_many_cells_share_is_an_atom_among_stretches():
    marginal = Marginal.fit(COLUMNS["zeros"])
    (atom,) = np.flatnonzero(marginal.is_atom)
    assert marginal.left[atom] == 0.0
    assert marginal.mass[atom] == pytest.approx((COLUMNS["zeros"] == 0).mean())


def test_stretches_tile_the_range_and_have_the_shares_of_their_values():
    values = COLUMNS["skewed"]
    marginal = Marginal.fit(values)
    assert (marginal.left[0], marginal.right[-1]) == (values.min(), values.max())
    assert marginal.left[1:] == marginal.right[:-1]
    counts, _ = np.histogram(values, [*marginal.left, marginal.right[-1]])
    np.testing.assert_allclose(marginal.mass, counts / len(values))
    assert len(marginal.left) <= 300


def test_stretches_on_a_grid_end_half_way_between_its_points():
    marginal = Marginal.fit(COLUMNS["prices"])
    edges = np.array(marginal.left)[~marginal.is_atom] * 100
    np.testing.assert_allclose(edges - np.floor(edges), 0.5, atol=1e-6)
    assert marginal.step == 0.01


def test_nothing_is_drawn_from_a_wide_gap_beside_an_atom():
    marginal = Marginal.fit(COLUMNS["zeros"])
    drawn = marginal.draw_in(
        np.repeat(np.arange(len(marginal.left)), 50), np.tile(np.linspace(0, 1, 50), len(marginal.left))
    )
    seen = np.sort(COLUMNS["zeros"][COLUMNS["zeros"] > 0])
    assert drawn[drawn != 0].min() > seen[0] - 2.0


def test_fit_passes_the_check_and_json(values):
    marginal = Marginal.fit(values)
    marginal.check()
    assert from_json(Marginal, json.loads(json.dumps(to_json(marginal)))) == marginal


def test_values_come_back_from_their_scores(values):
    marginal = Marginal.fit(values)
    back = marginal.from_normal(marginal.to_normal(values))
    if marginal.step is None and not marginal.is_atom.all():
        np.testing.assert_allclose(back, values, rtol=1e-11, atol=1e-11 * np.abs(values).max())
    else:
        np.testing.assert_array_equal(back, values)


def test_scores_ascend_with_values(values):
    marginal = Marginal.fit(values)
    spread = np.ptp(values) + 1
    points = np.sort(np.concatenate([values, np.linspace(values.min() - spread, values.max() + spread, 500)]))
    assert (np.diff(marginal.to_normal(points)) >= -1e-12).all()


def test_scores_of_a_continuous_column_are_normal():
    values = COLUMNS["skewed"]
    ranks = np.argsort(np.argsort(values))
    expected = norm.ppf((ranks + 1) / (len(values) + 1))
    found = Marginal.fit(values).to_normal(values)
    np.testing.assert_allclose(found, expected, atol=0.3)  # the last stretches hold five values each
    np.testing.assert_allclose(found[np.abs(expected) < 2], expected[np.abs(expected) < 2], atol=0.05)


def test_the_score_of_an_atom_is_the_middle_of_its_probability():
    marginal = Marginal.fit(COLUMNS["two"])  # shares 1/3 and 2/3 of 3/5, after 1/5 for unseen values
    np.testing.assert_allclose(norm.cdf(marginal.to_normal(np.array([0.0, 1.0]))), [0.3, 0.6])


@pytest.mark.parametrize("name", ["counts", "few", "two", "constant", "prices"])
def test_intervals_of_neighbouring_points_touch_and_cover_all_but_the_tails(name):
    marginal = Marginal.fit(COLUMNS[name])
    points = np.unique(COLUMNS[name])
    if name in ("counts", "prices"):
        points = np.round(np.arange(marginal.low, marginal.high + marginal.step / 2, marginal.step), 2)
    lower, upper, log_unit = marginal.normal_bounds(points, discrete=True)
    np.testing.assert_allclose(lower[1:], upper[:-1], atol=1e-9)
    np.testing.assert_allclose(norm.cdf([lower[0], upper[-1]]), [1 / (marginal.n + 2), 1 - 1 / (marginal.n + 2)])


def test_continuous_values_stand_for_themselves_alone():
    marginal, values = Marginal.fit(COLUMNS["skewed"]), COLUMNS["skewed"]
    lower, upper, log_unit = marginal.normal_bounds(values)
    np.testing.assert_array_equal(lower, upper)
    within = np.sort(values)[10:-10] + 1e-7  # off the ends of stretches, where the slope jumps
    slope = (marginal.to_normal(within + 1e-8) - marginal.to_normal(within - 1e-8)) / 2e-8
    np.testing.assert_allclose(np.exp(marginal.normal_bounds(within)[2]), slope, rtol=1e-4)


@pytest.mark.parametrize("name", ["counts", "few", "two", "constant", "prices"])
def test_points_of_the_grid_beyond_the_range_go_on_where_the_range_ends(name):
    marginal = Marginal.fit(COLUMNS[name])
    for end, side in ((marginal.low, -1), (marginal.high, 1)):
        points = end + side * marginal.step * np.arange(4)
        ends = np.sort(np.stack(marginal.normal_bounds(points, discrete=True)[:2]) * side, axis=0)
        np.testing.assert_allclose(ends[0, 1:], ends[1, :-1], atol=1e-9)


def test_from_normal_stays_within_the_range_unless_asked_otherwise(values):
    marginal = Marginal.fit(values)
    u = np.array([-12.0, 12.0])
    np.testing.assert_array_equal(marginal.from_normal(u), [values.min(), values.max()])
    low, high = marginal.from_normal(u, clip=False)
    assert low < values.min()
    assert high > values.max()
    if marginal.step is not None:
        np.testing.assert_allclose(marginal.to_normal(np.array([low, high])), u, atol=marginal.step / marginal.spread)


@pytest.mark.parametrize("name", ["counts", "few", "two", "constant", "one cell"])
def test_probabilities_of_integers_sum_to_1(name):
    values = COLUMNS[name]
    marginal = Marginal.fit(values if name != "constant" else values - 0.5)
    reach = 60 * max(marginal.spread, 1.0)
    points = np.arange(np.floor(marginal.low - reach), marginal.high + reach)
    assert np.exp(log_density(marginal, points, discrete=True)).sum() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("name", ["skewed", "zeros", "prices", "far outlier"])
def test_atoms_and_densities_integrate_to_1(name):
    marginal = Marginal.fit(COLUMNS[name])
    atoms = np.array(marginal.left)[marginal.is_atom]
    total = np.exp(log_density(marginal, atoms)).sum() if len(atoms) else 0.0
    edges = np.unique([*marginal.left, *marginal.right])
    middle = (edges[1:] + edges[:-1]) / 2  # the density is constant between edges
    total += (np.exp(log_density(marginal, middle)) * np.diff(edges)).sum()
    reach = 60 * marginal.spread
    for start, end in ((edges[0] - reach, edges[0]), (edges[-1], edges[-1] + reach)):
        total += quad(lambda x: float(np.exp(log_density(marginal, np.array([x])))[0]), start, end, epsabs=1e-12)[0]
    assert total == pytest.approx(1, abs=1e-6)


def test_everything_finite_has_a_finite_log_density(values):
    marginal = Marginal.fit(values)
    points = np.array([-1e308, -1.0, 0.123456, 1e-300, 2.5, 1e308, values[0]])
    assert np.isfinite(log_density(marginal, points)).all()
    assert np.isfinite(log_density(marginal, np.round(points), discrete=True)).all()


def test_a_value_between_atoms_has_the_density_that_is_spread_over_the_range():
    marginal = Marginal.fit(np.array([0.0, 4.0, 4.0]))
    # of 3 cells, a share of 1 / (3 + 3) is spread over a range of 4
    assert np.exp(log_density(marginal, np.array([1.5])))[0] == pytest.approx(1 / 6 / 4)
    # as integers it is spread over five points
    assert np.exp(log_density(marginal, np.array([2.0]), discrete=True))[0] == pytest.approx(1 / 6 / 5)


def test_a_value_belongs_to_the_piece_that_is_nearest():
    marginal = Marginal.fit(np.array([0.0, 4.0, 10.0]))
    np.testing.assert_array_equal(
        marginal.piece_of(np.array([-5.0, 0.0, 1.0, 3.0, 4.0, 6.9, 7.1, 99.0])), [0, 0, 0, 1, 1, 1, 2, 2]
    )


def test_values_drawn_in_a_piece_belong_to_it(values):
    marginal = Marginal.fit(values)
    pieces = np.repeat(np.arange(len(marginal.left)), 3)
    drawn = marginal.draw_in(pieces, np.tile([0.01, 0.5, 0.99], len(marginal.left)))
    np.testing.assert_array_equal(marginal.piece_of(drawn), pieces)
    if marginal.step is not None:
        np.testing.assert_array_equal(np.round(drawn, decimals_of(values)), drawn)


def test_a_large_column_is_represented_by_a_sample_with_both_ends(monkeypatch):
    monkeypatch.setattr(marginal_module, "MOST_CELLS", 400)
    values = COLUMNS["skewed"]
    marginal = Marginal.fit(values)
    assert (marginal.low, marginal.high, marginal.n) == (values.min(), values.max(), len(values))
    assert marginal.from_normal(np.zeros(1))[0] == pytest.approx(np.median(values), rel=0.2)


def test_snapped_values_lie_on_the_grid_and_in_the_range():
    marginal = Marginal.fit(np.array([0.5, 1.25, 2.0]))
    np.testing.assert_array_equal(marginal.snap(np.array([-1.0, 1.333, 9.0])), [0.5, 1.33, 2.0])
    np.testing.assert_array_equal(marginal.snap(np.array([-1.0, 9.004]), clip=False), [-1.0, 9.0])


@pytest.mark.parametrize(
    "change",
    [
        {"mass": (0.5, 0.6)},
        {"mass": (1.0,)},
        {"mass": (1.5, -0.5)},
        {"left": (4.0, 1.0)},
        {"right": (0.0, np.inf)},
        {"left": (0.0, np.nan)},
        {"right": (2.0, 1.0)},
        {"step": 0.3},
        {"n": 0},
        {"left": (), "right": (), "mass": ()},
        {"seen": (1.0, 0.0), "counts": (1, 1)},
        {"seen": (0.0, 1.0), "counts": (1,)},
        {"seen": (0.0, 1.0), "counts": (1, 0)},
        {"seen": (0.0, 0.5), "counts": (1, 1)},
    ],
)
def test_what_no_fit_gives_is_refused(change):
    fields = {"left": (0.0, 1.0), "right": (0.0, 1.0), "mass": (0.5, 0.5), "step": 1.0, "n": 2}
    Marginal(**fields).check()
    with pytest.raises(ValueError, match="a marginal's"):
        Marginal(**(fields | change)).check()


def test_columns_of_repeated_values_give_values_that_occur_as_often_as_they_do():
    values = 25.0 * np.random.RandomState(0).binomial(400, 0.5, 5000)  # in steps of 25, which is no power of ten
    marginal = Marginal.fit(values)
    assert not marginal.is_atom.all()
    pieces = marginal.piece_of(values)
    drawn = marginal.draw_in(pieces, np.random.RandomState(1).rand(len(values)))
    assert set(drawn) <= set(values)
    np.testing.assert_array_equal(marginal.piece_of(drawn), pieces)
    distinct, counts = np.unique(values, return_counts=True)
    shares = (drawn == distinct[:, None]).mean(axis=1)
    np.testing.assert_allclose(shares, counts / 5000, atol=5 * np.sqrt(0.02 / 5000))  # five standard errors
    u = np.random.RandomState(2).randn(1000)
    assert set(marginal.from_normal(u)) <= set(values)
    np.testing.assert_array_equal(marginal.from_normal(marginal.to_normal(distinct)), distinct)


def test_columns_whose_values_are_mostly_their_own_give_new_ones():
    values = np.random.RandomState(0).randn(500)
    marginal = Marginal.fit(values)
    assert marginal.seen == ()
    drawn = marginal.draw_in(marginal.piece_of(values), np.full(500, 0.3))
    assert not set(drawn) & set(values)


def test_the_nearest_value_that_draws_can_have():
    hours = 60.0 * np.random.RandomState(0).permutation(9000)[:1500] + 15  # a lattice among minutes
    found = Marginal.fit(hours).nearest(np.array([0.0, 3000.0, 3046.0, 1e9, np.nan]))
    np.testing.assert_array_equal(found, [hours.min(), 3015.0, 3075.0, hours.max(), np.nan])
    few = Marginal.fit(np.array([0.5, 3.0, 8.0, 10.5]))  # all of them a multiple of 2.5 above the first
    np.testing.assert_array_equal(few.nearest(np.array([1.0, 2.0, 4.0, 5.6, 99.0])), [0.5, 3.0, 3.0, 5.5, 10.5])
    ages = Marginal.fit(np.array([20.0, 31.0, 47.0]))  # integers that have nothing in common
    np.testing.assert_array_equal(ages.nearest(np.array([24.4, 35.6])), [24.0, 36.0])
    seen = np.repeat(np.random.RandomState(0).permutation(2000)[:300], 5) * 1.0
    between = np.setdiff1d(np.arange(seen.min(), seen.max()), seen)
    assert set(Marginal.fit(seen).nearest(between)) <= set(seen)
    free = Marginal.fit(np.array([0.1234567891, 1 / 3, np.pi]))
    np.testing.assert_array_equal(free.nearest(np.array([0.5, 4.0])), [0.5, np.pi])
    alone = Marginal.fit(np.array([7.0, 7.0]))
    np.testing.assert_array_equal(alone.nearest(np.array([3.0, 8.0])), [7.0, 7.0])


def test_a_lattice_that_not_all_values_lie_on_leaves_a_mean_where_it_is():
    values = COLUMNS["mostly .99"]
    marginal = Marginal.fit(np.round(values + np.arange(len(values)) * 10, 2))
    assert marginal.lattice is not None
    assert marginal.nearest(np.array([1234.5678]))[0] == 1234.57

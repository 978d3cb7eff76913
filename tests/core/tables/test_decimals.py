"""Grids of decimals: judged in the dtype of a column, and rounding that takes away noise and nothing else."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skvq import AutoEncoderTransformer, OrderlessNADE, VAETransformer, VQVAETransformer
from skvq.core.parameters import to_json
from skvq.core.tables.columns import Columns
from skvq.core.tables.decimals import decimals_of, fine_decimals, settled
from skvq.core.tables.layout import TableLayout
from skvq.core.tables.marginal import Marginal
from skvq.persistence.records import from_json

N = 4000


def random(seed=0):
    return np.random.RandomState(seed)


def narrow(values, dtype):
    """Return values that a float dtype holds, as float64."""
    return values.astype(dtype).astype(np.float64)


def concentrations(seed=0, smallest=-12):
    """Return three decimals, and every fourth value many powers of ten below."""
    rng, n = random(seed), N // 4
    return np.where(rng.rand(n) < 0.25, 10 ** rng.uniform(smallest, -7, n), np.round(rng.uniform(0.001, 1.2, n), 3))


def drawn_from(marginal, seed=1):
    rng = random(seed)
    pieces = rng.choice(len(marginal.left), N, p=marginal.mass)
    return marginal.draw_in(pieces, rng.rand(N))


def test_decimals_are_the_fewest_that_represent_all_values():
    assert decimals_of(np.array([3.0, -20.0])) == 0
    assert decimals_of(np.array([3.0, 0.07, -1.1])) == 2
    assert decimals_of(np.array([1e-6])) == 6
    assert decimals_of(np.array([np.pi])) is None
    assert decimals_of(np.array([1e300])) is None


@pytest.mark.parametrize(("dtype", "largest"), [(np.float16, 30), (np.float32, 5000)])
def test_decimals_are_those_of_the_dtype_that_values_came_in(dtype, largest):
    rng = random()
    values = narrow(np.round(rng.uniform(-largest, largest, 500), 1), dtype)
    assert decimals_of(values) is None
    assert decimals_of(values, dtype) == 1
    assert decimals_of(narrow(rng.uniform(-largest, largest, 500), dtype), dtype) is None
    np.testing.assert_array_equal(settled(values, dtype), np.round(values, 1))
    assert decimals_of(narrow(rng.randint(0, 2000, 500), dtype), dtype) == 0


def test_values_that_are_near_to_decimals_but_not_nearest_stay_as_they_are():
    near = np.nextafter(np.float32(0.07), np.float32(1)).astype(np.float64)
    np.testing.assert_array_equal(settled(np.array([near, np.nan]), np.float32), [near, np.nan])
    # numbers of float32 are farther apart here than hundredths, so that they say nothing of hundredths
    large = narrow(np.array([123456.78, 1234567.0]), np.float32)
    np.testing.assert_array_equal(settled(large, np.float32), [123456.78125, 1234567.0])


def test_rounding_takes_away_noise():
    for values in (
        np.arange(N) * 0.1,
        np.cumsum(np.full(N, 0.01)),
        np.arange(-30, 30, 0.01),  # what should be 0 is 5e-12
        np.array([0.1 + 0.2, 1.1 + 2.2, 0.1 + 0.2 - 0.3]),
    ):
        assert decimals_of(values) is None
        assert fine_decimals(values) == 6


@pytest.mark.parametrize(
    ("values", "decimals"),
    [
        ([0.5, 0.25, 1.234e-9], 12),  # as 0.000000001234
        ([0.5, 3.4567891], 7),
        ([1234.5, 98765.4321012345], 6),  # ten digits stay
        ([0.5, 1.2345678e-14], None),  # of which 15 decimals leave one digit
        ([0.5, 1e-300], None),
        ([0.5, 5.5e-17], None),  # no noise: nothing else has any
        ([1e12, 0.123456789], None),
    ],
)
def test_what_is_no_noise_keeps_its_digits_or_there_is_no_grid(values, decimals):
    assert fine_decimals(np.array(values)) == decimals


def test_values_far_below_the_others_are_drawn_as_often_as_seen_and_none_becomes_0():
    values = concentrations()
    marginal = Marginal.fit(values)
    assert marginal.step == 1e-15
    marginal.check()
    assert from_json(Marginal, json.loads(json.dumps(to_json(marginal)))) == marginal
    normal = marginal.from_normal(marginal.to_normal(values))
    np.testing.assert_allclose(normal, values, rtol=1e-3)  # fifteen decimals leave three digits of 1e-12
    error = 5 * np.sqrt(0.19 / N)  # five standard errors
    for drawn in (drawn_from(marginal), marginal.from_normal(random(2).randn(N))):
        assert drawn.min() > 0.9e-12
        assert (drawn < 5e-7).mean() == pytest.approx((values < 5e-7).mean(), abs=error)
        on_grid = np.round(drawn, 3) == drawn
        assert on_grid.mean() == pytest.approx((values > 5e-7).mean(), abs=error)
    low, high = np.quantile(values, [0.1, 0.2])
    assert ((drawn > low) & (drawn < high)).mean() == pytest.approx(0.1, abs=error)


def test_values_that_no_decimals_hold_are_not_rounded_at_all():
    values = concentrations(smallest=-40)
    marginal = Marginal.fit(values)
    assert marginal.step is None
    assert drawn_from(marginal).min() > 0
    assert (marginal.snap(values) == values).all()


def test_long_decimals_among_short_ones_keep_their_digits():
    rng = random()
    values = np.where(rng.rand(N) < 0.8, np.round(rng.rand(N) * 50, 2), rng.rand(N) * 50)
    marginal = Marginal.fit(values)
    assert marginal.step < 1e-6
    drawn = drawn_from(marginal)
    assert (np.round(drawn, 2) == drawn).mean() == pytest.approx(0.8, abs=5 * np.sqrt(0.16 / N))
    np.testing.assert_allclose(marginal.from_normal(marginal.to_normal(values)), values, rtol=1e-9)


def test_noise_is_no_part_of_what_is_drawn():
    values = np.arange(N) * 0.1  # 0.30000000000000004 and others
    drawn = drawn_from(Marginal.fit(values))
    np.testing.assert_array_equal(np.round(drawn, 1), drawn)


def test_a_few_values_with_noise_stay_as_they_are():
    values = np.array([0.1 + 0.2, 0.3, 0.7])
    assert set(Marginal.fit(values).left) == set(values)


def test_snapped_values_of_a_fine_grid_have_six_decimals_unless_they_are_small():
    marginal = Marginal.fit(concentrations())
    found = marginal.snap(np.array([0.12300000004, 3.2104e-12, -1.0]))
    np.testing.assert_array_equal(found, [0.123, 3.21e-12, marginal.low])


@pytest.mark.parametrize("estimator", [AutoEncoderTransformer, VQVAETransformer])
@pytest.mark.parametrize("mixed", [False, True])
def test_no_value_comes_back_as_0_from_a_transformer(estimator, mixed):
    frame = pd.DataFrame({"p": concentrations()[:500], "q": random().randn(500)})
    if mixed:
        frame["kind"] = random(1).choice(["a", "b"], 500)
    prior = {"prior": None} if estimator is VQVAETransformer else {}
    model = estimator(max_iter=2, random_state=0, **prior).fit(frame)
    back = model.inverse_transform(model.transform(frame))
    assert back.p.min() >= 0.999 * frame.p.min() > 0


PRICES = np.round(np.exp(random().normal(4, 1, N)), 2)
FLOATS = {
    "pandas": lambda values: pd.DataFrame({"x": values.astype(np.float32)}),
    "nullable": lambda values: pd.DataFrame({"x": values}).astype("Float32"),
    "polars": lambda values: pl.DataFrame({"x": values.astype(np.float32)}),
    "numpy": lambda values: values.astype(np.float32)[:, None],
}


def floats(table):
    return np.asarray(table, dtype=np.float64).ravel()


@pytest.mark.parametrize("name", FLOATS)
def test_columns_of_float32_have_the_marginal_of_their_decimals(name):
    columns, cells = Columns.fit(FLOATS[name](PRICES))
    assert columns[0].marginal == Marginal.fit(PRICES)
    np.testing.assert_array_equal(columns[0].settled(cells[:, 0].astype(np.float64)), PRICES)
    back = columns.restore(PRICES[:, None])
    assert type(back) is type(FLOATS[name](PRICES))
    np.testing.assert_array_equal(floats(back), narrow(PRICES, np.float32))


def test_values_that_float32_does_not_hold_are_not_settled():
    column = Columns.fit(pd.DataFrame({"x": PRICES}))[0][0]
    values = np.array([0.07, float(np.float32(0.07)), 0.0700000001, np.nan])
    np.testing.assert_array_equal(column.settled(values), [0.07, 0.07, 0.0700000001, np.nan])


def test_arrays_of_float32_are_not_copied():
    X = np.stack([PRICES, PRICES + 1], axis=1).astype(np.float32)
    columns, cells = Columns.fit(X)
    assert cells is X
    assert columns.cells(X) is X


def test_the_score_of_the_largest_float32_is_that_of_its_decimals():
    X = np.append(random().choice([0.2, 0.5, 8.3], 300), np.nan)[:, None]
    assert float(np.float32(8.3)) > 8.3
    features = []
    for each in (X, X.astype(np.float32)):
        layout, cells = TableLayout.fit(VAETransformer(), each, standardize=True)
        features.append(layout.features(np.asarray(cells)))
    np.testing.assert_array_equal(*features)


@pytest.mark.parametrize("name", FLOATS)
def test_rows_drawn_as_float32_are_nearest_to_the_grid_and_as_likely_as_in_float64(name):
    table = FLOATS[name](PRICES[:1000])
    model = OrderlessNADE(max_iter=1, random_state=0).fit(table)
    drawn = floats(model.sample(500, random_state=0))
    np.testing.assert_array_equal(narrow(np.round(drawn, 2), np.float32), drawn)
    wide = OrderlessNADE(max_iter=1, random_state=0).fit(PRICES[:1000, None])
    np.testing.assert_array_equal(model.score_samples(table), wide.score_samples(PRICES[:1000, None]))
    np.testing.assert_array_equal(drawn, narrow(wide.sample(500, random_state=0).ravel(), np.float32))


def test_halves_that_are_nearest_to_tenths_are_drawn_so():
    tenths = np.round(random().uniform(-30, 30, N), 1)
    frame = pd.DataFrame({"x": tenths.astype(np.float16)})
    model = OrderlessNADE(max_iter=1, random_state=0).fit(frame)
    drawn = model.sample(500, random_state=0)
    assert drawn.x.dtype == np.float16
    np.testing.assert_array_equal(narrow(np.round(floats(drawn), 1), np.float16), floats(drawn))
    assert Columns.fit(frame)[0][0].marginal == Marginal.fit(tenths)


def test_float32_of_a_mixture_keeps_its_short_decimals_and_its_small_values():
    values = narrow(concentrations(), np.float32)
    drawn = narrow(drawn_from(Marginal.fit(values, dtype=np.float32)), np.float32)
    assert drawn.min() > 0
    on_grid = narrow(np.round(drawn, 3), np.float32) == drawn
    assert on_grid.mean() == pytest.approx((values > 5e-7).mean(), abs=5 * np.sqrt(0.19 / N))


@pytest.mark.parametrize("estimator", [AutoEncoderTransformer, VAETransformer])
@pytest.mark.parametrize("mixed", [False, True])
def test_transformers_give_float32_that_is_nearest_to_the_grid(estimator, mixed):
    frame = pd.DataFrame({"price": PRICES[:300].astype(np.float32), "other": random().randn(300)})
    if mixed:
        frame["kind"] = random(1).choice(["a", "b"], 300)
    model = estimator(max_iter=2, random_state=0).fit(frame)
    price = model.inverse_transform(model.transform(frame)).price
    assert price.dtype == np.float32
    np.testing.assert_array_equal(narrow(np.round(floats(price), 2), np.float32), floats(price))


def test_the_likelihood_of_a_vae_is_that_of_the_same_numbers_as_float64():
    frame = pd.DataFrame({"x": np.round(PRICES[:500] / 100, 1), "kind": random(1).choice(["a", "b"], 500)})
    scores = [
        VAETransformer(max_iter=1, random_state=0).fit(each).score_samples(each)
        for each in (frame, frame.astype({"x": np.float32}))
    ]
    np.testing.assert_array_equal(*scores)


def test_known_cells_stay_to_the_last_digit_in_another_float_dtype():
    values = np.round(random().uniform(0, 9, (200, 2)), 1)
    model = OrderlessNADE(max_iter=1, random_state=0).fit(pd.DataFrame(values))
    holes = pd.DataFrame(values.astype(np.float32))
    holes.iloc[::4, 0] = np.nan
    found, known = model.complete(holes, random_state=0).to_numpy(), holes.notna().to_numpy()
    np.testing.assert_array_equal(found[known], holes.to_numpy()[known].astype(np.float64))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_largest_value_as_float32_is_within_the_range(dtype, recwarn):
    largest = np.float32(8.3)  # 8.300000190734863
    values = np.append(np.round(random().uniform(0, 8.3, 300), 1), 8.3)[:, None]
    model = OrderlessNADE(max_iter=1, random_state=0).fit(values.astype(dtype))
    recwarn.clear()
    model.sample(5, given=np.array([[largest]]), random_state=0)
    assert not [each for each in recwarn if "beyond" in str(each.message)]


def test_marginals_of_earlier_files_which_round_to_six_decimals_are_read_as_they_were():
    values = np.where(random().rand(N) < 0.8, np.round(random(1).rand(N) * 50, 2), random(2).rand(N) * 50)
    earlier = Marginal._fit(np.round(values, 6), N, 1e-6, ())
    again = from_json(Marginal, json.loads(json.dumps(to_json(earlier))))
    again.check()
    assert again == earlier
    assert again.lattice is not None
    drawn = drawn_from(again)
    np.testing.assert_array_equal(np.round(drawn, 6), drawn)
    assert (np.round(drawn, 2) == drawn).mean() == pytest.approx(0.8, abs=5 * np.sqrt(0.16 / N))

"""OrderlessNADE on tables whose distribution is known."""

import itertools
import math
import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

import skvq
from skvq import OrderlessNADE
from skvq.priors.columns import draw_orders, n_distinct_orders

FAST = {"max_iter": 20, "n_units": 32, "random_state": 0}


def people(n=400, seed=0):
    """Return a table of all kinds of columns; women earn twice as much, and nobody under 18 has an income."""
    random = np.random.RandomState(seed)
    age = random.randint(10, 70, n)
    sex = random.choice(["f", "m"], n)
    income = np.where(age < 18, np.nan, np.where(sex == "f", 2000.0, 1000.0) + random.randint(0, 400, n))
    return pd.DataFrame(
        {
            "age": age,
            "sex": pd.Categorical(sex, categories=["m", "f", "x"]),
            "income": income,
            "member": pd.array(random.choice([True, False, None], n), dtype="boolean"),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.randint(0, 1000, n), unit="D"),
        }
    )


@pytest.fixture(scope="module")
def model():
    return OrderlessNADE(n_units=64, max_iter=100, random_state=0).fit(people())


def test_drawn_rows_are_a_frame_like_that_of_fit(model):
    X, drawn = people(), model.sample(300, random_state=1)
    assert drawn.dtypes.to_dict() == X.dtypes.to_dict()
    assert drawn.columns.tolist() == X.columns.tolist()
    assert drawn.age.between(X.age.min(), X.age.max()).all()
    assert set(drawn.sex) == {"f", "m"}
    assert drawn.member.isna().mean() == pytest.approx(1 / 3, abs=0.1)
    assert drawn.income.dropna().mod(1).eq(0).all()


def test_what_columns_have_to_do_with_each_other_is_learned(model):
    drawn = model.sample(2000, random_state=0)
    medians = drawn.groupby("sex", observed=True).income.median()
    assert medians["f"] > 1.5 * medians["m"]
    assert drawn.income.isna()[drawn.age < 16].mean() > 0.7
    assert drawn.income.isna()[drawn.age > 20].mean() < 0.1


def test_training_in_bfloat16_learns_what_training_in_float32_learns():
    random = np.random.RandomState(0)
    X = pd.DataFrame({"a": random.normal(size=400), "b": random.choice(["x", "y"], 400)})
    X["c"] = (np.where(X.b == "x", X.a, -X.a) + 0.1 * random.normal(size=400)).round(3)  # no correlation
    options = {"max_iter": 40, "n_bins": 64, "early_stopping": False, "random_state": 0}  # 64: coarse and fine codes
    single = OrderlessNADE(precision="float32", **options).fit(X)
    half = OrderlessNADE(precision="bfloat16", **options).fit(X)
    assert half.loss_curve_[-1] == pytest.approx(single.loss_curve_[-1], abs=0.03)
    assert half.loss_curve_[-1] < half.loss_curve_[0] - 0.1
    assert half.loss_curve_ != single.loss_curve_


def test_given_columns_are_kept_and_the_rest_follows(model):
    drawn = model.sample(200, given={"sex": "f", "age": 40}, random_state=0)
    assert (drawn.sex == "f").all()
    assert (drawn.age == 40).all()
    assert drawn.income.median() > 1800
    drawn = model.sample(2, given={"sex": ["f", "m"], "member": None}, random_state=0)
    assert drawn.sex.tolist() == ["f", "m"]
    assert drawn.member.isna().all()


def test_rows_are_given_as_a_frame_whose_missing_cells_are_drawn(model):
    given = pd.DataFrame({"sex": ["m", "f"], "income": [np.nan, 2300.0]})
    drawn = model.sample(2, given=given, random_state=0)
    assert drawn.sex.tolist() == ["m", "f"]
    assert drawn.income[1] == 2300
    day = pd.Timestamp("2021-05-05")
    assert (model.sample(5, given={"since": day}, random_state=0).since == day).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"wealth": 1}, "'wealth', but fit saw"),
        ({"sex": "y"}, "levels that fit did not see: 'y'; it must be '[fm]' or '[fm]' or 'x'$"),
        ({"age": None}, "had no missing cell"),
        ({"age": "old"}, "was of kind integer"),
        ({"age": [1, 2, 3]}, "it must be one value, or 2"),
        ({"since": "soon"}, "is no date"),
        (np.zeros((2, 3)), "an array must have 5 columns"),
    ],
)
def test_what_cannot_be_given_is_refused(model, given, message):
    with pytest.raises(ValueError, match=message):
        model.sample(2, given=given)


def test_a_row_as_a_series_is_given_as_in_a_table(model):
    X = people(20, seed=5)
    row = X.iloc[3].copy()
    row["income"] = row["member"] = None
    table = X.iloc[[3]].reset_index(drop=True)
    table.loc[0, ["income", "member"]] = None
    drawn = model.sample(20, given=row, random_state=0)
    pd.testing.assert_frame_equal(drawn, model.sample(20, given=table, random_state=0))
    assert drawn.age.nunique() == 1
    assert drawn.income.nunique() > 1


def test_lists_of_words_and_numbers_are_given_as_fit_takes_them():
    model = OrderlessNADE(**FAST).fit([["a", 1.0], ["b", 2.0]] * 60)
    assert model.sample(given=[["a", float("nan")]], random_state=0)[0, 0] == "a"
    with pytest.raises(TypeError, match="given=3 must be a dict from columns to values, or a table"):
        model.sample(given=3)


def test_dates_that_are_given_in_a_frame_keep_their_nanoseconds():
    random = np.random.RandomState(0)
    times = pd.to_datetime(1_700_000_000_000_000_000 + random.randint(0, 10**16, 200))
    X = pd.DataFrame({"time": times, "z": random.normal(size=200), "kind": random.choice(["a", "b"], 200)})
    model = OrderlessNADE(**FAST).fit(X)
    some = X.loc[5:9, ["kind", "time"]]
    pd.testing.assert_frame_equal(model.sample(given=some, random_state=0)[["kind", "time"]], some)
    assert (model.sample(3, given=some[:1], random_state=0).time == times[5]).all()


def test_a_level_that_is_given_and_unknown_is_answered_with_a_few_that_are_known():
    towns = pd.DataFrame({"town": [f"town {min(index, 11)}" for index in range(60)], "n": np.arange(60.0)})
    model = OrderlessNADE(max_iter=1, n_units=4, random_state=0).fit(towns)
    message = "'Hull'; it must be 'town 11', 'town 0', 'town 1', .*'town 5', or one of 4 more$"
    with pytest.raises(ValueError, match=message) as raised:
        model.sample(given={"town": "Hull"})
    assert "cross-validation" not in str(raised.value)


def test_missing_cells_are_completed_and_the_others_kept(model):
    X = people(100, seed=1)
    holes = X.copy()
    holes.loc[:49, "sex"] = None
    holes.loc[25:75, "age"] = np.nan
    complete = model.complete(holes, random_state=0)
    assert not complete.isna().any().any()
    assert complete.sex[50:].astype(str).tolist() == X.sex[50:].astype(str).tolist()
    assert complete.dtypes["sex"] == X.dtypes["sex"]
    assert complete.age[:25].tolist() == X.age[:25].tolist()
    earners = X.income[:50].notna()
    assert (complete.sex[:50].astype(str) == X.sex[:50].astype(str))[earners].mean() > 0.9


def test_the_mean_of_completions_is_nearer_than_a_draw(model):
    X = people(400, seed=2).dropna(subset=["income"])
    holes = X.assign(income=np.nan, sex=None).astype({"sex": X.sex.dtype})
    error = {
        strategy: np.square(model.complete(holes, strategy=strategy, random_state=0).income - X.income).mean()
        for strategy in ("draw", "mean")
    }
    assert error["mean"] < 0.8 * error["draw"]
    several = model.complete(holes, n_draws=3, random_state=0)
    assert len(several) == 3
    assert not several[0].equals(several[1])


def test_the_best_guess_is_what_the_means_of_many_draws_come_to(model):
    X = people(80, seed=3).dropna()
    no_income, no_sex = X.assign(income=np.nan), X.assign(sex=None).astype({"sex": X.sex.dtype})
    incomes = np.stack([draw.income for draw in model.complete(no_income, n_draws=300, random_state=0)])
    standard_error = incomes.std(axis=0) / np.sqrt(len(incomes))
    guess = model.complete(no_income, strategy="mean").income
    assert (np.abs(incomes.mean(axis=0) - guess) < 5 * standard_error + 1.0).all()  # incomes are whole numbers
    women = np.stack([draw.sex == "f" for draw in model.complete(no_sex, n_draws=300, random_state=0)]).mean(axis=0)
    sure = np.abs(women - 0.5) > 0.15  # five standard errors
    assert sure.mean() > 0.75
    guess = model.complete(no_sex, strategy="mean").sex
    np.testing.assert_array_equal((guess == "f")[sure], women[sure] > 0.5)


def test_what_cuts_the_draws_cuts_the_best_guess(model):
    holes = people(80, seed=3).dropna().assign(income=np.nan)
    guess = {k: model.complete(holes, strategy="mean", top_k=k).income for k in (None, 1)}
    draws = np.stack([draw.income for draw in model.complete(holes, n_draws=50, random_state=0, top_k=1)])
    assert (np.abs(guess[None] - guess[1]) > 10).mean() > 0.5
    assert ((draws.min(axis=0) <= guess[1]) & (guess[1] <= draws.max(axis=0))).all()
    cold = model.complete(holes, strategy="mean", temperature=1e-6).income
    np.testing.assert_allclose(cold, guess[1])


def test_completions_keep_the_index(model):
    X = people(20, seed=6).iloc[::2].assign(age=np.nan)
    assert model.complete(X, random_state=0).index.tolist() == X.index.tolist()


@pytest.mark.parametrize(
    "X",
    [
        pd.DataFrame({"a": ["x"] * 20, "b": [1.5] * 20, "c": [3] * 20}),
        pd.DataFrame({"a": np.arange(40.0)}),
        pd.DataFrame({"a": [f"{i}" for i in range(1000)] * 2, "b": range(2000)}),
        pd.DataFrame({"a": [0.0, np.nan] * 10, "b": [True, None] * 10}),
    ],
    ids=["constant", "one column", "1,000 levels", "half missing"],
)
def test_tables_at_the_edges(X):
    model = OrderlessNADE(n_units=8, max_iter=2, random_state=0).fit(X)
    drawn = model.sample(30, random_state=0)
    for name in X:
        assert set(drawn[name].dropna()) <= set(X[name]), name
    assert np.isfinite(model.score_samples(X)).all()


def test_likelihoods_of_all_rows_sum_to_1():
    random = np.random.RandomState(0)
    a = random.choice(["x", "y", None], 300)
    X = pd.DataFrame({"a": a, "b": random.rand(300) < np.where(a == "x", 0.9, 0.1), "c": random.randint(0, 3, 300)})
    model = OrderlessNADE(**FAST).fit(X)
    rows = list(itertools.product(["x", "y", None], [False, True], range(-60, 63)))
    every = pd.DataFrame(rows, columns=["a", "b", "c"]).astype({"a": X.a.dtype})
    assert np.exp(model.score_samples(every)).sum() == pytest.approx(1, abs=1e-5)


def test_likelihoods_sum_to_1_where_most_cells_are_missing():
    random = np.random.RandomState(0)
    v = pd.array(random.permutation(np.r_[np.arange(10) % 5, np.full(190, -1)]), dtype="Int64")
    v[v == -1] = pd.NA
    w = random.rand(200) < np.where(v.isna(), 0.2, 0.9)
    model = OrderlessNADE(**FAST).fit(pd.DataFrame({"v": v, "w": w}))
    values = pd.array([pd.NA, *range(-300, 300)], dtype="Int64")
    every = pd.concat([pd.DataFrame({"v": values, "w": w}) for w in (False, True)], ignore_index=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values in other units
        assert np.exp(model.score_samples(every)).sum() == pytest.approx(1, abs=1e-5)


def test_frequencies_of_drawn_rows_are_their_likelihoods():
    random = np.random.RandomState(0)
    a = random.randint(0, 2, 500)
    X = pd.DataFrame({"a": a, "b": (a + (random.rand(500) < 0.2)) % 2, "c": random.randint(0, 2, 500)})
    model = OrderlessNADE(**FAST).fit(X)
    every = pd.DataFrame(list(itertools.product([0, 1], repeat=3)), columns=["a", "b", "c"])
    n = 40_000
    drawn = model.sample(n, random_state=0).value_counts(normalize=True)
    shares = [drawn.get(tuple(row), 0.0) for row in every.to_numpy()]
    # Five standard errors, and what is spared for values that were not seen.
    np.testing.assert_allclose(shares, np.exp(model.score_samples(every)), atol=5 * np.sqrt(0.25 / n) + 0.01)


def test_a_density_of_real_values_is_in_their_units(model):
    X = people(seed=3)
    cents = OrderlessNADE(**FAST).fit(X.assign(income=X.income * 1000 + 0.5))
    euros = OrderlessNADE(**FAST).fit(X.assign(income=X.income + 0.0005))
    scores = (
        cents.score_samples(X.assign(income=X.income * 1000 + 0.5)),
        euros.score_samples(X.assign(income=X.income + 0.0005)),
    )
    earners = X.income.notna().to_numpy()
    np.testing.assert_allclose((scores[1] - scores[0])[earners].mean(), np.log(1000), atol=0.05)


def test_a_missing_cell_that_no_row_of_fit_had_is_left_out(model):
    X = people(50, seed=4)
    without = model.score_samples(X.assign(age=np.nan))
    assert np.isfinite(without).all()
    # what is left has a probability at least as high, but for the errors of a small network
    assert (without > model.score_samples(X)).mean() > 0.95


def test_unlikely_rows_have_low_scores(model):
    X = people(200, seed=5).dropna(subset=["income"])
    odd = X.assign(sex=np.where(X.sex == "f", "m", "f"))
    odd["sex"] = pd.Categorical(odd.sex, categories=["m", "f", "x"])
    assert model.score(odd) < model.score(X) - 1


def test_polars_and_arrays_come_back_as_such():
    X = people()
    drawn = OrderlessNADE(**FAST).fit(pl.from_pandas(X)).sample(3, random_state=0)
    assert drawn.schema == pl.from_pandas(X).schema
    numbers = X[["age", "income"]].to_numpy()
    drawn = OrderlessNADE(**FAST).fit(numbers).sample(3, random_state=0)
    assert drawn.shape == (3, 2)
    assert drawn.dtype == np.float64
    model = OrderlessNADE(categorical_features=[0], **FAST).fit(np.round(numbers / 30))
    assert set(model.sample(50, random_state=0)[:, 0]) <= {0.0, 1.0, 2.0}
    assert (model.sample(20, given={0: 1.0}, random_state=0)[:, 0] == 1).all()


def test_the_same_seed_gives_the_same_and_pickles_draw_alike():
    model, again = (OrderlessNADE(**FAST).fit(people(100)) for _ in range(2))
    pd.testing.assert_frame_equal(again.sample(20, random_state=3), model.sample(20, random_state=3))
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.score_samples(people(20)), model.score_samples(people(20)))


def test_held_out_rows_can_be_passed():
    model = OrderlessNADE(**FAST).fit(people(), X_val=people(50, seed=9))
    assert len(model.validation_loss_curve_) == model.n_iter_
    assert clone(model).get_params() == model.get_params()


def test_parameters_act():
    X = people(100)
    base = OrderlessNADE(**FAST).fit(X)
    assert OrderlessNADE(**FAST | {"n_units": 16}).fit(X).weights_["head.weight"].shape[1] == 16
    assert len(OrderlessNADE(**FAST, n_orders=2).fit(X).orders_) == 2
    assert OrderlessNADE(**FAST, n_blocks=0).fit(X).weights_.keys() != base.weights_.keys()
    for changed in ({"dropout": 0.0}, {"alpha": 0.0}, {"learning_rate_init": 0.01}, {"batch_size": 16}):
        assert OrderlessNADE(**FAST, **changed).fit(X).loss_curve_ != base.loss_curve_
    assert base.sample(300, temperature=0.1, random_state=0).age.nunique() < 25
    assert base.sample(300, top_k=1, random_state=0).age.nunique() < 25


@pytest.mark.parametrize("n_orders", [1, 4, 6, 23, 24, 30])
@pytest.mark.parametrize("n_columns", [1, 2, 3, 4, 50])
def test_orders_of_columns_are_different_ones_and_all_where_there_are_few(n_columns, n_orders):
    orders = draw_orders(n_columns, n_orders, torch.Generator().manual_seed(0))
    assert orders.shape == (min(n_orders, math.factorial(n_columns)), n_columns)
    assert len(orders) == n_distinct_orders(n_columns, n_orders)
    assert len({tuple(order) for order in orders.tolist()}) == len(orders)
    np.testing.assert_array_equal(np.sort(orders, axis=1), np.tile(np.arange(n_columns), (len(orders), 1)))


@pytest.mark.parametrize("n_hours", [40, 9000])
def test_the_mean_of_full_hours_is_one_that_a_draw_can_have(n_hours):
    random = np.random.RandomState(0)
    hour = random.randint(n_hours, size=600)
    start = pd.Timestamp("2024-03-01", tz="Asia/Kathmandu")  # 5 hours and 45 minutes before UTC
    X = pd.DataFrame({"at": start + pd.to_timedelta(hour, unit="h"), "load": hour + random.randn(600)})
    model, holes = OrderlessNADE(**FAST).fit(X), X.assign(at=X["at"].mask(random.rand(600) < 0.3))
    for strategy in ("draw", "mean"):
        found = model.complete(holes, strategy=strategy, random_state=0)["at"]
        assert found.notna().all()
        assert (found.dt.minute == 0).all()
    error = (found - X["at"])[holes["at"].isna()].abs().mean()
    assert error < (X["at"] - X["at"].mean()).abs().mean() / 3  # it still is the mean that the other column tells


def test_the_likelihood_of_two_columns_is_the_mean_over_both_orders(tmp_path):
    X = people(100)[["age", "sex"]]
    model = OrderlessNADE(**FAST, n_orders=5).fit(X)
    assert sorted(model.orders_.tolist()) == [[0, 1], [1, 0]]
    found = model.score_samples(X)
    each = []
    for order in ([0, 1], [1, 0]):
        one = pickle.loads(pickle.dumps(model))
        one.orders_ = np.array([order])
        each.append(one.score_samples(X))
    np.testing.assert_allclose(np.exp(found), np.exp(each).mean(axis=0))
    model.save(tmp_path / "model.skvq")
    np.testing.assert_array_equal(skvq.load(tmp_path / "model.skvq").score_samples(X), found)


def test_transform_fills_missing_cells_with_the_best_guess_and_keeps_all_others():
    random = np.random.default_rng(0)
    first = random.normal(size=500)
    whole = pd.DataFrame({"a": first.round(2), "b": np.where(first > 0, "high", "low"), "c": (2 * first).round(2)})
    holes = whole.mask(random.random((500, 3)) < 0.2)
    model = OrderlessNADE(max_iter=30, random_state=0).fit(holes)
    filled = model.transform(holes)
    pd.testing.assert_frame_equal(filled, model.transform(holes))
    pd.testing.assert_frame_equal(filled, model.complete(holes, strategy="mean"))
    pd.testing.assert_frame_equal(filled.where(holes.notna()), holes)
    alone = pd.concat([model.transform(holes[i : i + 1]) for i in range(20)])
    pd.testing.assert_frame_equal(alone, filled[:20])
    missing = holes.b.isna() & holes[["a", "c"]].notna().any(axis=1)
    assert (filled.b == whole.b)[missing].mean() > 0.9
    assert list(model.get_feature_names_out()) == ["a", "b", "c"]
    scored = make_pipeline(OrderlessNADE(max_iter=30, random_state=0), LinearRegression()).fit(holes[["a", "c"]], first)
    assert scored.score(holes[["a", "c"]], first) > 0.8


def correlated(n, seed=0):
    """Return four normal columns, of which any two correlate with 0.8, one of them through a square."""
    random = np.random.RandomState(seed)
    X = np.sqrt(0.8) * random.normal(size=(n, 1)) + np.sqrt(0.2) * random.normal(size=(n, 4))
    return np.column_stack([X[:, :3], np.exp(X[:, 3])])


def test_a_table_of_numbers_starts_at_what_their_correlations_say_and_others_do_not():
    X, test = correlated(120), correlated(200, seed=1)
    untrained = OrderlessNADE(max_iter=1, learning_rate_init=1e-9, random_state=0).fit(X)
    independent = np.random.default_rng(2).permuted(test, axis=0)
    assert untrained.score(test) > untrained.score(independent) + 1.0  # nats; by closed form it would be 1.8
    holes = np.where(np.random.RandomState(3).rand(*test.shape) < 0.2, np.nan, test)
    gone = np.isnan(holes[:, :3])
    errors = [np.square(found[:, :3] - test[:, :3])[gone].mean() for found in (untrained.transform(holes), 0 * test)]
    assert errors[0] < 0.5 * errors[1]
    assert untrained.architecture_["copula"]
    many = np.random.RandomState(0).normal(size=(30, 65))
    assert not OrderlessNADE(max_iter=1, random_state=0).fit(many).architecture_["copula"]


def mixed_columns(n):
    """Return a frame whose category says much of a number, a flag that says whether another is 0, and noise."""
    random = np.random.RandomState(1)
    kind = random.choice(["low", "middle", "high"], size=n, p=[0.5, 0.3, 0.2])
    size = np.select([kind == "low", kind == "middle"], [0.0, 2.0], 4.0) + random.normal(size=n)
    spends = random.rand(n) < 0.6
    amount = np.where(spends, random.lognormal(size=n), 0.0)
    return pd.DataFrame(
        {"kind": kind, "size": size, "spends": spends, "amount": amount, "noise": random.normal(size=n)}
    )


def test_mixed_columns_know_each_other_from_the_start():
    frame, test = mixed_columns(400), mixed_columns(1_000).iloc[400:]
    untrained = OrderlessNADE(max_iter=1, learning_rate_init=1e-9, random_state=0).fit(frame)
    low, high = (untrained.sample(300, given={"kind": kind}, random_state=0)["size"] for kind in ("low", "high"))
    assert high.mean() - low.mean() > 3.0  # 4 in truth
    kinds = untrained.transform(test.assign(kind=None))["kind"]
    assert (
        kinds.to_numpy() == test["kind"].to_numpy()
    ).mean() > 0.75  # the best there is has 0.79, the likeliest level 0.5
    spends = untrained.transform(test.assign(spends=pd.array([None] * len(test), dtype="boolean")))["spends"]
    assert (spends.to_numpy(dtype=bool) == test["spends"].to_numpy()).mean() > 0.95
    amounts = untrained.sample(300, given={"spends": True}, random_state=0)["amount"]
    assert (amounts > 0).mean() > 0.75  # 1 in truth, 0.6 where nothing is known


def test_many_rows_of_a_mixed_table_start_without_a_copula_and_those_of_numbers_with_it():
    frame = mixed_columns(2_300)
    assert not OrderlessNADE(max_iter=1, random_state=0).fit(frame).architecture_["copula"]
    assert OrderlessNADE(max_iter=1, random_state=0).fit(frame[["size", "amount", "noise"]]).architecture_["copula"]


def test_few_rows_of_a_level_and_too_many_levels_have_no_score():
    frame = mixed_columns(60)
    frame.loc[:3, "kind"] = "rare"
    frame["name"] = [f"name {i % 12}" for i in range(60)]
    found = OrderlessNADE(max_iter=1, validation_fraction=0.5, random_state=0).fit(frame).architecture_
    assert [0, 3] not in found["levels"]
    assert [0, 0] in found["levels"]
    numbers = np.random.RandomState(0).normal(size=(60, 62)).round(3)
    frame = pd.concat([frame, pd.DataFrame(numbers).add_prefix("n")], axis=1)
    found = OrderlessNADE(max_iter=1, random_state=0).fit(frame).architecture_
    assert not found["copula"]
    assert not found["levels"]
    found = OrderlessNADE(max_iter=1, random_state=0).fit(frame.drop(columns=["n0", "n1", "n2"])).architecture_
    assert found["copula"]
    assert len(found["levels"]) == 2
    assert not found["atoms"]


def test_correlations_that_leave_nothing_to_learn_draw_no_warning():
    random = np.random.RandomState(0)
    X = np.sqrt(0.8) * random.normal(size=(40, 1)) + np.sqrt(0.2) * random.normal(size=(40, 6))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = OrderlessNADE(max_iter=100, n_iter_no_change=None, random_state=0).fit(X)
    assert model.best_iter_ == 0
    assert model.validation_loss_curve_[-1] > 1.01 * model.validation_loss_curve_[0]


def test_training_ends_where_a_quarter_of_its_epochs_brought_nothing():
    X = np.random.RandomState(0).normal(size=(60, 3))
    fits = [OrderlessNADE(max_iter=60, n_iter_no_change=n, random_state=0).fit(X) for n in ("auto", None)]
    assert fits[0].n_iter_ == fits[0].best_iter_ + 15 < fits[1].n_iter_ == 60


@pytest.mark.parametrize("make", [correlated, mixed_columns])
def test_columns_in_files_keep_their_correlations(make, tmp_path):
    X = make(100)
    model = OrderlessNADE(max_iter=1, random_state=0).fit(X)
    model.save(tmp_path / "model.skvq")
    np.testing.assert_array_equal(skvq.load(tmp_path / "model.skvq").score_samples(X), model.score_samples(X))

"""Measures of drawn rows: their values where they are known, and cases that must fail them."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.preprocessing import StandardScaler

from skvq.metrics import nearest_row_share, rows, train_on_synthetic, two_sample_auc


def mixed_table(n, seed, *, shift=0.0):
    """Rows of a number, a whole number, a category that depends on it, and a date; a tenth of the cells is missing."""
    rng = np.random.default_rng(seed)
    whole = rng.integers(0, 5, n)
    table = pd.DataFrame(
        {
            "real": rng.normal(shift, 1.0, n),
            "whole": pd.array(whole, dtype="Int64"),
            "category": pd.Categorical.from_codes(whole // 2, ["low", "middle", "high"]),
            "text": np.array(["a", "b"], dtype=object)[rng.integers(0, 2, n)],
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 99, n), "D"),
        }
    )
    return table.mask(rng.random(table.shape) < 0.1)


KINDS = {"pandas": lambda table: table, "polars": pl.from_pandas, "array": lambda table: table.to_numpy(dtype=object)}


@pytest.fixture(params=KINDS)
def as_kind(request):
    if request.param == "array":
        return lambda table: table.drop(columns="day").to_numpy(dtype=object)
    return KINDS[request.param]


def test_rows_of_one_source_cannot_be_told_apart(as_kind):
    real, drawn = as_kind(mixed_table(400, 0)), as_kind(mixed_table(400, 1))
    assert 0.42 < two_sample_auc(real, drawn, random_state=0) < 0.58


def test_shifted_rows_are_told_apart(as_kind):
    real, drawn = as_kind(mixed_table(300, 0)), as_kind(mixed_table(300, 1, shift=8.0))
    assert two_sample_auc(real, drawn, cv=2, random_state=0) > 0.95


def test_a_category_alone_tells_rows_apart():
    real, drawn = mixed_table(300, 0), mixed_table(300, 1)
    assert two_sample_auc(real, drawn.assign(text="c"), cv=2, random_state=0) > 0.9


def test_missing_cells_alone_tell_rows_apart():
    real, drawn = mixed_table(300, 0), mixed_table(300, 1)
    assert two_sample_auc(real, drawn.assign(real=np.nan), cv=2, random_state=0) > 0.9


def test_columns_that_do_not_depend_on_each_other_are_noticed():
    real, drawn = mixed_table(600, 0), mixed_table(600, 1)
    drawn["category"] = drawn["category"].sample(frac=1.0, random_state=0).to_numpy()
    assert two_sample_auc(real, drawn, random_state=0) > 0.6


def test_copied_rows_are_below_one_half():
    real = mixed_table(300, 0)
    with pytest.warns(UserWarning, match="below 0.5 by more than chance explains"):
        assert two_sample_auc(real, real, random_state=0) < 0.3


def test_columns_of_frames_are_matched_by_name():
    real, drawn = mixed_table(300, 0), mixed_table(300, 1)
    expected = two_sample_auc(real, drawn, cv=2, random_state=0)
    assert two_sample_auc(real, drawn[list(drawn)[::-1]], cv=2, random_state=0) == expected


@pytest.mark.parametrize("copies", [lambda rows, noise: rows, lambda rows, noise: rows + 0.05 * noise])
def test_copies_and_paired_rows_give_less_than_one_half_and_a_warning(copies):
    rows, noise = np.random.default_rng(0).normal(size=(2, 150, 3))
    with pytest.warns(UserWarning, match="below 0.5 by more than chance explains: rows of X_drawn are copies"):
        assert two_sample_auc(rows, copies(rows, noise), random_state=0) < 0.3


@pytest.mark.parametrize("n", [20, 100, 400])
def test_independent_rows_are_no_copies(n):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in range(3):
            real, drawn = np.random.default_rng(seed).normal(size=(2, n, 3))
            forest = RandomForestClassifier(20, random_state=seed)  # a fifth of the default one's trees
            assert 0.2 < two_sample_auc(real, drawn, estimator=forest, random_state=seed) < 0.8


def test_auc_is_that_of_a_cross_validated_classifier():
    rng = np.random.default_rng(0)
    real, drawn = rng.normal(size=(100, 2)), rng.normal(0.7, 1.0, size=(100, 2))
    found = two_sample_auc(real, drawn, cv=4, estimator=LogisticRegression(), random_state=0)
    X, y = np.concatenate([real, drawn]), np.repeat([0, 1], 100)
    seed = np.random.RandomState(0).randint(np.iinfo(np.int32).max)
    folds = StratifiedKFold(4, shuffle=True, random_state=seed)
    score = cross_val_predict(LogisticRegression(), X, y, cv=folds, method="decision_function")
    areas = []
    for _, test in folds.split(X, y):  # the share of pairs in the right order, by its definition
        pairs = score[test][y[test] == 1][:, np.newaxis] > score[test][y[test] == 0]
        areas.append(pairs.mean())
    assert found == pytest.approx(np.mean(areas))


def test_one_seed_gives_one_result():
    real, drawn = mixed_table(100, 0), mixed_table(100, 1)
    found = {two_sample_auc(real, drawn, cv=2, random_state=seed) for seed in (0, 0, np.random.RandomState(0))}
    assert len(found) == 1
    assert two_sample_auc(real, drawn, cv=2, random_state=1) not in found


def test_training_on_real_rows_scores_like_the_predictor_itself():
    X, y = load_wine(return_X_y=True)
    train = np.arange(len(X)) % 2 == 0
    seed = np.random.RandomState(0).randint(np.iinfo(np.int32).max)
    model = HistGradientBoostingClassifier(random_state=seed).fit(X[train], y[train])
    expected = np.mean(model.predict(X[~train]) == y[~train])
    assert train_on_synthetic(X[train], y[train], X[~train], y[~train], random_state=0) == expected


def test_a_target_with_decimals_is_regressed():
    X, y = load_diabetes(return_X_y=True)
    y = y + 0.5
    model = HistGradientBoostingRegressor(random_state=0).fit(X[:300], y[:300])
    expected = 1 - np.sum((model.predict(X[300:]) - y[300:]) ** 2) / np.sum((y[300:] - y[300:].mean()) ** 2)
    assert train_on_synthetic(X[:300], y[:300], X[300:], y[300:], random_state=0) == pytest.approx(expected)


def test_labels_without_a_relation_to_the_rows_are_of_no_use(as_kind):
    drawn, test = mixed_table(400, 0), mixed_table(400, 1)
    labels = [table["whole"].fillna(0).to_numpy(dtype=int) > 1 for table in (drawn, test)]
    shuffled = np.random.default_rng(0).permutation(labels[0])
    useful = train_on_synthetic(as_kind(drawn), labels[0], as_kind(test), labels[1], random_state=0)
    useless = train_on_synthetic(as_kind(drawn), shuffled, as_kind(test), labels[1], random_state=0)
    assert useful > 0.95
    assert useless < 0.75


def test_a_scorer_may_be_chosen():
    X, y = load_wine(return_X_y=True)
    found = train_on_synthetic(X, y, X, y, estimator=LogisticRegression(max_iter=5000), scoring="neg_log_loss")
    assert -1.0 < found < 0.0


def test_drawn_labels_of_one_kind_are_refused():
    X, y = load_wine(return_X_y=True)
    with pytest.raises(ValueError, match="y_drawn must have at least two values"):
        train_on_synthetic(X, np.zeros(len(X), dtype=int), X, y)


def test_new_rows_are_as_near_to_training_rows_as_to_others(as_kind):
    train, test, drawn = (as_kind(mixed_table(300, seed)) for seed in range(3))
    assert 0.4 < nearest_row_share(train, test, drawn) < 0.6


def test_copies_of_training_rows_have_a_share_near_one(as_kind):
    train, test = mixed_table(300, 0), mixed_table(300, 1)
    assert nearest_row_share(as_kind(train), as_kind(test), as_kind(train[:200])) > 0.95
    assert nearest_row_share(as_kind(train), as_kind(test), as_kind(test[:200])) < 0.05


def test_nearly_copied_rows_have_a_share_near_one():
    train, test = mixed_table(300, 0), mixed_table(300, 1)
    blurred = train.assign(real=train["real"] + 0.01)
    assert nearest_row_share(train, test, blurred) > 0.9


@pytest.mark.parametrize("block", [1, 700, 2**22])
def test_the_share_is_that_of_a_loop_over_pairs(monkeypatch, block):
    monkeypatch.setattr(rows, "BLOCK_VALUES", block)
    rng = np.random.default_rng(0)
    numbers, category = rng.normal(size=(90, 2)) * [1, 50], rng.integers(0, 3, 90)
    X = np.column_stack([numbers, np.array(["a", "b", "c"], dtype=object)[category]])
    standardised = StandardScaler().fit(numbers[:60]).transform(numbers)

    def distance(i, j):
        return np.sum((standardised[i] - standardised[j]) ** 2) + (category[i] != category[j])

    nearest = [min(range(60), key=lambda j, i=i: distance(i, j)) < 30 for i in range(60, 90)]
    assert nearest_row_share(X[:30], X[30:60], X[60:]) == pytest.approx(np.mean(nearest))


def test_rows_that_are_equally_near_count_half():
    train, test = [["a", 0.0], ["b", 1.0]], [["a", 0.0], ["b", 2.0]]
    assert nearest_row_share(train, test, [["a", 0.0]]) == 0.5
    assert nearest_row_share(train, test, [["a", 0.0], ["b", 1.0]]) == 0.75


def test_more_training_rows_do_not_raise_the_share():
    train, test, drawn = mixed_table(2000, 0), mixed_table(200, 1), mixed_table(400, 2)
    assert 0.4 < nearest_row_share(train, test, drawn, random_state=0) < 0.6


def test_a_missing_number_is_near_to_a_missing_number():
    train, test = [[np.nan, 1.0], [9.0, 3.0]], [[0.0, 1.0], [5.0, 2.0]]
    assert nearest_row_share(train, test, [[np.nan, 1.0]]) == 1.0
    assert nearest_row_share(test, train, [[np.nan, 1.0]]) == 0.0


def test_dates_of_a_frame_are_the_same_to_a_classifier_as_cells_that_are_dates():
    days = pd.to_datetime(np.random.default_rng(0).integers(15_000, 20_000, 200), unit="D")
    real, drawn = pd.DataFrame({"d": days[:100]}), pd.DataFrame({"d": days[100:]})
    expected = two_sample_auc(real, drawn, cv=2, random_state=0)
    assert two_sample_auc(real, drawn.assign(d=drawn.d.dt.date), cv=2, random_state=0) == expected
    assert two_sample_auc(real.assign(d=real.d.dt.date), drawn, cv=2, random_state=0) == expected


def test_many_whole_numbers_are_no_classes():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    price = (1000 * X[:, 0] + 5000).astype(int)
    with pytest.raises(
        ValueError, match="different whole numbers, too many to be classes.*HistGradientBoostingRegressor"
    ):
        train_on_synthetic(X[:200], price[:200], X[200:], price[200:], random_state=0)
    boosting = HistGradientBoostingRegressor(random_state=0)
    assert train_on_synthetic(X[:200], price[:200], X[200:], price[200:], estimator=boosting) > 0.9
    labels = [f"customer {number}" for number in rng.integers(0, 120, 400)]
    assert train_on_synthetic(X[:200], labels[:200], X[200:], labels[200:], estimator=LogisticRegression()) < 0.1


def test_fewer_rows_than_folds_are_refused():
    X = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.raises(ValueError, match="X_drawn has 3 rows, fewer than cv=5 folds"):
        two_sample_auc(X, X[:3])
    assert 0 <= two_sample_auc(X, X[:3] + 9, cv=3, random_state=0) <= 1

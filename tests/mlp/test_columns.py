"""A column of X of a scale that no network reaches is named, and only such a column."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from skvq import MLPClassifier, MLPRegressor
from skvq.mlp.columns import largest_values

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(120, 3))
Y = X[:, 0] + X[:, 1]
HOURS = pd.date_range("2020-01-01", periods=len(X), freq="h")
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 20, "random_state": 0}


def told(model, rows, y):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(rows, y)
    return [str(one.message) for one in caught if "Scale X" in str(one.message)]


def with_column(values):
    return np.column_stack([X, values])


STAMPS = 1_700_000_000_000_000_000 + 10**13 * np.arange(len(X))
ODD = {
    "ns": with_column(STAMPS),
    "ns, float32": with_column(STAMPS).astype(np.float32),
    "ns, sparse": sparse.csr_matrix(with_column(STAMPS)),
    "1e9": with_column(1e9 * RANDOM.normal(size=len(X))),
    "frame": pd.DataFrame(with_column(STAMPS), columns=["a", "b", "c", "when"]),
}


@pytest.mark.parametrize("rows", ODD.values(), ids=ODD)
@pytest.mark.parametrize("model", [MLPRegressor(**SMALL), MLPClassifier(**SMALL)], ids=["regressor", "classifier"])
def test_a_column_that_makes_training_hopeless_is_named_once(model, rows):
    found = told(model, rows, Y if isinstance(model, MLPRegressor) else (Y > 0).astype(int))
    assert len(found) == 1
    assert ('column "when"' if hasattr(rows, "columns") else "column 3") in found[0]
    assert "StandardScaler" in found[0]
    assert "VQVAETransformer" in found[0]


DATES = np.array(HOURS)[:, np.newaxis]
OF_TIME = {
    "dates": DATES,
    "dates in seconds": DATES.astype("M8[s]"),
    "durations": DATES - DATES[0],
    "a frame of dates": pd.DataFrame({"when": HOURS}),
    "a frame of durations": pd.DataFrame({"since": HOURS - HOURS[0]}),
    "a list of durations": [list(row) for row in DATES - DATES[0]],
}


@pytest.mark.parametrize("name", OF_TIME)
def test_dates_and_durations_are_refused_for_their_unit_by_every_method(name):
    rows, labels = OF_TIME[name], (Y > 0).astype(int)
    regressor = MLPRegressor(**SMALL).fit(X[:, :1], Y)
    classifier = MLPClassifier(**SMALL).fit(X[:, :1], labels)
    for call in (
        lambda: MLPRegressor(**SMALL).fit(rows, Y),
        lambda: MLPRegressor(**SMALL).partial_fit(rows, Y),
        lambda: MLPRegressor(**SMALL).fit(X[:, :1], Y, X_val=rows, y_val=Y),
        lambda: MLPClassifier(**SMALL).fit(rows, labels),
        lambda: regressor.predict(rows),
        lambda: regressor.score(rows, Y),
        lambda: classifier.predict(rows),
        lambda: classifier.predict_proba(rows),
        lambda: classifier.predict_log_proba(rows),
    ):
        with pytest.raises(ValueError, match="holds (dates|durations).*numbers in a unit of your choice"):
            call()


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_dates_beside_numbers_are_refused_with_a_way_out(zone):
    frame = pd.DataFrame({"when": HOURS.tz_localize(zone), "a": X[:, 0]})
    with pytest.raises(ValueError, match="X holds cells that are no numbers.*take a duration"):
        MLPRegressor(**SMALL).fit(frame, Y)


@pytest.mark.parametrize(
    ("load", "kind"), [(load_wine, MLPClassifier), (load_breast_cancer, MLPClassifier), (load_diabetes, MLPRegressor)]
)
def test_ordinary_tables_without_scaling_are_not_told(load, kind):
    rows, y = load(return_X_y=True)
    assert not told(kind(**SMALL), rows, y)


def test_a_population_is_not_told_even_where_nothing_can_be_learned():
    assert not told(MLPRegressor(**SMALL), with_column(RANDOM.integers(3, 35_682, len(X))), RANDOM.normal(size=len(X)))


def test_a_large_column_that_is_learned_from_is_not_told():
    rows = 1e6 * np.column_stack([Y, -Y])
    assert not told(MLPClassifier((8,), max_iter=200, random_state=0), rows, (Y > 0).astype(int))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int32])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix])
def test_the_largest_values_are_those_of_numpy(dtype, make):
    rows = (100 * X).astype(dtype)
    rows[0] = np.iinfo(dtype).min if np.dtype(dtype).kind == "i" else -1e30
    rows = rows[1:] if make is sparse.csr_matrix and np.dtype(dtype).kind == "i" else rows
    expected = np.abs(rows.astype(np.float64)).max(axis=0)
    np.testing.assert_array_equal(largest_values(make(rows)), expected)

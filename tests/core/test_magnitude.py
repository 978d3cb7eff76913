"""Rows in other units than those of fit draw one warning with the way out; unusual rows draw none."""

import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
    make_friedman1,
)
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skvq import AutoEncoderTransformer, OrderlessNADE, PixelCNN, VAETransformer, VQVAETransformer, load
from skvq.core.layout import largest_of_rows, magnitude_of
from skvq.core.units import warn_of_other_units

RANDOM = np.random.default_rng(0)
IMAGES = (load_digits().images[:200] * 255 / 16).astype(np.uint8)
CANCER = load_breast_cancer().data
SHORT = {"max_iter": 1, "random_state": 0}
KINDS = [AutoEncoderTransformer(2, **SHORT), VAETransformer(2, **SHORT), VQVAETransformer(prior=None, **SHORT)]


def warned(X, fitted):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_other_units(X, magnitude_of(fitted))
    return len(caught)


TABLES = {
    "wine": load_wine().data,
    "diabetes": load_diabetes().data,
    "cancer": CANCER,
    "iris": load_iris().data,
    "friedman": make_friedman1(300, random_state=0)[0],
}
PRIOR = PixelCNN(channels=4, n_layers=1, max_iter=1)
SINES = np.sin(np.arange(48) / RANDOM.uniform(2, 9, (90, 1))) + 0.1 * RANDOM.normal(size=(90, 48))


def warned_of_a_table(X, fitted):
    """Return how often rows of a table draw a warning after others, within the narrow limits too."""
    usual = np.where(np.ptp(fitted, axis=0) > 0, np.sqrt(np.square(fitted).mean(axis=0)), np.inf)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_other_units(X, magnitude_of(fitted, usual), usual, ())
    return len(caught)


@pytest.mark.parametrize("factor", [100, 10, 0.1, 0.01])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
@pytest.mark.parametrize("scaler", [None, StandardScaler()], ids=["raw", "standardised"])
@pytest.mark.parametrize("name", TABLES)
def test_a_table_in_other_units_is_warned_of(name, scaler, make, factor):
    X = TABLES[name] if scaler is None else scaler.fit_transform(TABLES[name])
    train, test = train_test_split(X, random_state=0)
    usual = np.hypot(train.mean(axis=0), train.std(axis=0))
    fitted = magnitude_of(make(train), usual)
    with pytest.warns(UserWarning, match="rows in other units"):
        warn_of_other_units(make(factor * test), fitted, usual)


@pytest.mark.parametrize("scaler", [None, StandardScaler()], ids=["raw", "standardised"])
@pytest.mark.parametrize("name", TABLES)
def test_splits_and_sorted_halves_of_a_table_are_no_false_alarm(name, scaler):
    X = TABLES[name] if scaler is None else scaler.fit_transform(TABLES[name])
    parts = [train_test_split(X, random_state=seed) for seed in range(3)]
    for column in X.T[:10]:
        order = np.argsort(column)
        low, high = np.array_split(order, 2)
        parts += [(X[low], X[high]), (X[high], X[low]), (X, X[order[len(X) // 2 :][:10]])]
    for train, test in parts:
        for n_rows in (1, 5, 10, 100):
            assert not warned_of_a_table(test[:n_rows], train)
            assert not warned_of_a_table(test[-n_rows:], train)


def columns_of(X):
    return [X[:, [index]] for index in range(X.shape[1])]


COLUMNS = [each for name in ("wine", "diabetes", "cancer", "iris") for each in columns_of(TABLES[name])]
SKEWED = [RANDOM.lognormal(0, 0.5, (2_000, 1)), RANDOM.exponential(size=(2_000, 1)), 3 + RANDOM.pareto(2, (2_000, 1))]


@pytest.mark.parametrize(("factor", "share"), [(10, 0.9), (20, 1.0), (100, 1.0)])
def test_columns_of_both_signs_in_other_units_are_warned_of(factor, share):
    columns = [column for name in ("wine", "diabetes", "iris") for column in columns_of(TABLES[name])]
    splits = [train_test_split(StandardScaler().fit_transform(each), random_state=0) for each in columns]
    assert np.mean([warned_of_a_table(factor * test, train) for train, test in splits]) >= share


@pytest.mark.parametrize("factor", [50, 0.02])
def test_a_column_of_one_sign_whose_values_are_alike_is_warned_of_at_fifty_times(factor):
    kelvin = RANDOM.normal(290, 8, (300, 1))
    for column in (kelvin, -kelvin, TABLES["wine"][:, [0]], TABLES["wine"][:, [2]]):
        assert warned_of_a_table(factor * column[:60], column[60:])
    assert not warned_of_a_table(-50 * kelvin[:60], kelvin[60:])  # units do not change the sign


HOUSES = pd.DataFrame(CANCER[:, :4], columns=["radius", "texture", "perimeter", "area"])


@pytest.mark.parametrize("model", [KINDS[0], OrderlessNADE(**SHORT)], ids=["numbers", "cells"])
def test_one_column_in_other_units_is_warned_of_by_its_name(model):
    fitted = clone(model).fit(HOUSES[:400])
    for factor in (1, 3):  # within the limit
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fitted.transform(HOUSES[400:].assign(area=factor * HOUSES.area))
    with pytest.warns(UserWarning, match="column 'area' of X holds values around .* Bring it to the units") as caught:
        fitted.transform(HOUSES[400:].assign(area=100 * HOUSES.area))
    assert len(caught) == 1
    with pytest.warns(UserWarning, match="column 3 of X"):
        clone(model).fit(CANCER[:400, :4]).transform(CANCER[400:, :4] * [1, 1, 1, 100])


def test_a_rare_flag_and_the_largest_fiftieth_of_a_column_are_no_false_alarm():
    random = np.random.default_rng(0)
    flags = np.column_stack([np.arange(5_000) < 10, random.normal(size=5_000)]).astype(float)
    assert warned_of_a_table(flags[:40], flags) == 0
    heavy = np.column_stack([random.pareto(1.5, 5_000), random.normal(size=5_000)])
    heavy = heavy[np.argsort(heavy[:, 0])]
    assert warned_of_a_table(heavy[-100:], heavy) == 0


@pytest.mark.parametrize("factor", [16, 1 / 16])
def test_thirty_images_are_warned_of_at_ten_times_and_fewer_at_fifty(factor):
    digits = load_digits().images
    fitted = VQVAETransformer(prior=None, **SHORT).fit(digits[:300])
    with pytest.warns(UserWarning, match="rows in other units"):
        fitted.transform(digits[300:400] * factor)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted.transform(digits[300:320] * factor)


@pytest.mark.parametrize("scaler", [None, StandardScaler()], ids=["raw", "standardised"])
def test_splits_and_sorted_halves_of_a_column_are_no_false_alarm(scaler):
    for column in COLUMNS + SKEWED:
        column = column if scaler is None else scaler.fit_transform(column)
        parts = [train_test_split(column, random_state=seed) for seed in range(3)]
        low, high = np.array_split(np.sort(column, axis=0), 2)
        for train, test in [*parts, (low, high), (high, low), (column, high)]:
            for n_rows in (1, 5, 10, 100):
                for some in (test[:n_rows], test[-n_rows:], test[len(test) // 2 :][:n_rows]):
                    assert not warned_of_a_table(some, train)


@pytest.mark.parametrize("dataset", [load_wine, load_iris, load_breast_cancer])
@pytest.mark.parametrize("scaler", [None, StandardScaler()], ids=["raw", "standardised"])
def test_other_classes_are_no_false_alarm_in_a_column(dataset, scaler):
    X, y = dataset(return_X_y=True)
    X = X if scaler is None else scaler.fit_transform(X)
    for column in columns_of(X):
        for label in np.unique(y):
            for n_rows in (10, 1_000):
                assert not warned_of_a_table(column[y != label][:n_rows], column[y == label])


NADE = OrderlessNADE(n_units=4, n_blocks=1, n_orders=2, **SHORT)


def test_rows_of_a_density_of_tables_in_other_units_draw_one_warning_of_each_method(tmp_path):
    frame = pd.DataFrame(TABLES["wine"][:, :4], columns=list("abcd")).assign(kind=np.tile(["x", "y"], 89))
    model = clone(NADE).fit(frame[:140])
    tenfold = frame[140:].assign(**{name: 10 * frame[name] for name in "abcd"})
    model.save(tmp_path / "model")
    methods = [
        model.score_samples,
        model.transform,
        lambda X: model.complete(X, random_state=0),
        load(tmp_path / "model").score,
    ]
    for method in methods:
        with pytest.warns(UserWarning, match="Bring X to the units") as found:
            method(tenfold)
        assert len(found) == 1
    with pytest.warns(UserWarning, match="lies beyond the range that fit saw") as found:
        model.sample(38, given=tenfold[list("abc")], random_state=0)
    assert [str(each.message)[:10] for each in found] == ["given['a']", "given['b']", "given['c']"]
    with pytest.warns(UserWarning, match="X_val holds values.* rows in other units"):
        clone(NADE).fit(frame[:140], X_val=tenfold)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clone(NADE).fit(frame[:140], X_val=frame[140:])
        for method in (*methods, lambda X: model.sample(38, given=X[list("abc")], random_state=0)):
            method(frame[140:])


def test_levels_dates_and_rows_that_are_given_in_part_have_no_units():
    rng = np.random.default_rng(0)
    people = pd.DataFrame(
        {
            "sex": rng.choice(["female", "male"], 200),
            "age": rng.integers(18, 80, 200),
            "born": rng.integers(1940, 2010, 200),
            "vip": rng.random(200) < 0.3,
            "visit": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 7, 200), unit="D"),
        }
    )
    model = clone(NADE).fit(people)
    later = people[:40].assign(visit=people.visit + pd.Timedelta("9000D"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for given in ({"sex": "male"}, {"vip": True}, {"age": 30}, {"sex": "male", "age": 39, "vip": True}):
            model.sample(10, given=given, random_state=0)
        model.sample(given=people[["age", "vip"]][:40], random_state=0)
        model.complete(people[:40].assign(born=pd.array([pd.NA] * 40, dtype="Int64")), random_state=0)
        model.score_samples(later)
    with pytest.warns(UserWarning, match="Bring X to the units"):
        model.complete(people[:40].assign(age=people.age * 100, born=people.born * 100), random_state=0)


def test_the_prior_of_a_table_says_it_once():
    X = TABLES["wine"][:, :4]
    model = VQVAETransformer(4, prior=NADE, **SHORT)
    with pytest.warns(UserWarning, match="X_val holds values") as found:
        model.fit(X[:140], X_val=10 * X[140:])
    assert len([each for each in found if "units" in str(each.message)]) == 1
    for method in (model.score_samples, model.transform, model.complete):
        with pytest.warns(UserWarning, match="Bring X to the units") as found:
            method(10 * X[140:])
        assert len(found) == 1


@pytest.mark.parametrize("change", ["one cell", "few rows", "zeros", "nearly all at the mean"])
def test_an_outlier_and_rows_of_ones_own_are_no_false_alarm(change):
    X = StandardScaler().fit_transform(TABLES["wine"])
    test = X[:40].copy()
    if change == "one cell":
        test[3, 4] = 1e2
    elif change == "few rows":
        test = 10 * test[:5]
    else:
        test[:] = 0.0
        test[:, 2] = np.linspace(-2, 2, 40) * (change != "zeros")
    assert not warned_of_a_table(test, X)


@pytest.mark.parametrize("model", KINDS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("standardize", [True, False])
def test_tables_times_ten_draw_one_warning_of_each_method(model, standardize):
    X = StandardScaler().fit_transform(TABLES["diabetes"])[:100]
    model = type(model)(2, **SHORT, standardize=standardize) if "VQ" not in type(model).__name__ else model
    model.fit(X)
    for factor in (10, 0.1):
        for method in (model.transform, model.score):
            with pytest.warns(UserWarning, match="Bring X to the units") as found:
                method(factor * X)
            assert len(found) == 1


def test_numbers_of_a_mixed_table_times_ten_are_warned_of(recwarn):
    frame = pd.DataFrame(TABLES["wine"][:, :4], columns=list("abcd")).assign(kind=np.tile(["x", "y"], 89), whole=3)
    frame.loc[3, "a"] = np.nan
    model = AutoEncoderTransformer(2, **SHORT).fit(frame)
    model.transform(frame[:40])
    assert not recwarn
    tenfold = frame.assign(**{name: 10 * frame[name] for name in "abcd"})
    with pytest.warns(UserWarning, match="Bring X to the units"):
        model.transform(tenfold)


@pytest.mark.parametrize("factor", [10, 0.1, 0.01])
def test_series_in_other_units_are_warned_of_once(factor, tmp_path):
    model = VQVAETransformer(series_shape=(48,), channels=4, n_blocks=0, n_codes=4, prior=PRIOR, **SHORT).fit(SINES)
    known = np.arange(48) < 30
    model.save(tmp_path / "model")
    for method in (model.transform, model.score, load(tmp_path / "model").score, lambda X: model.complete(X, known)):
        with pytest.warns(UserWarning, match="Bring X to the units") as found:
            method(factor * SINES)
        assert len(found) == 1
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            method(SINES[:20])


@pytest.mark.parametrize("network", ["convolutional", "dense"])
def test_known_pixels_in_the_other_range_are_warned_of_once(network):
    sizes = {"channels": 4, "n_codes": 4, "code_shape": (2,) if network == "dense" else (2, 2)}
    model = VQVAETransformer(network=network, prior=PRIOR, **sizes)
    known = np.ones((8, 8), bool)
    known[4:] = False
    for fitted, passed in ((IMAGES, IMAGES / 255), (IMAGES / 255, IMAGES.astype(float))):
        model.set_params(**SHORT).fit(fitted)
        with pytest.warns(UserWarning, match="units of the X of fit.*them by 255") as found:
            model.complete(passed[:20], known)
        assert len(found) == 1
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.complete(fitted[:20], known)


@pytest.mark.parametrize("model", KINDS, ids=lambda model: type(model).__name__)
def test_pixels_in_the_other_range_are_warned_of_once_in_both_directions(model):
    for fitted, passed, way_out in ((IMAGES, IMAGES / 255, "multiply"), (IMAGES / 255, IMAGES, "divide")):
        model.fit(fitted)
        for method in (model.transform, model.score):
            with pytest.warns(UserWarning, match=f"units of the X of fit.*{way_out} them by 255") as found:
                method(passed)
            assert len(found) == 1
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                method(fitted[:20])


def test_frames_are_looked_at_too():
    model = AutoEncoderTransformer(2, **SHORT).fit(pd.DataFrame(CANCER))
    with pytest.warns(UserWarning, match="Bring X to the units of the X of fit"):
        model.transform(pd.DataFrame(CANCER / 1_000))


def test_it_is_remembered_in_a_file(tmp_path):
    AutoEncoderTransformer(2, **SHORT).fit(IMAGES).save(tmp_path / "model")
    with pytest.warns(UserWarning, match="units"):
        load(tmp_path / "model").transform(IMAGES / 255)


def test_black_white_grey_and_constant_images_are_in_the_same_units():
    for image in (np.zeros((1, 64)), np.full((1, 64), 255.0), np.full((1, 64), 128.0), IMAGES[:1].reshape(1, -1) / 8):
        assert not warned(image, IMAGES.reshape(200, -1))


@pytest.mark.parametrize(
    "X",
    [
        CANCER,
        load_wine().data,
        IMAGES.reshape(200, -1),
        RANDOM.lognormal(0, 2, (2_000, 4)),
        RANDOM.standard_cauchy((2_000, 4)),
        RANDOM.poisson(0.05, (500, 30)),
        RANDOM.normal(1e6, 1.0, (500, 3)),
    ],
    ids=["cancer", "wine", "images", "lognormal", "cauchy", "counts", "far"],
)
@pytest.mark.parametrize("n_rows", [1, 3])
def test_batches_of_few_rows_of_a_table_are_no_false_alarm(X, n_rows):
    assert sum(warned(X[i : i + n_rows], X) for i in range(0, len(X) - n_rows, n_rows)) == 0


def test_sparse_rows_are_measured_as_dense_ones():
    X = RANDOM.poisson(0.1, (50, 20)) * RANDOM.uniform(0.5, 2.0, (50, 20))  # no row of tiny values alone
    assert magnitude_of(sparse.csr_matrix(X)) == pytest.approx(magnitude_of(X))
    assert warned(sparse.csr_matrix(X * 1e4), X)


def test_large_images_are_measured_in_little_memory():
    X = RANDOM.integers(256, size=(1_200, 40_000), dtype=np.uint8)
    X[::2] //= 2
    tracemalloc.start()
    largest = largest_of_rows(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    chosen = np.linspace(0, 1_199, 1_000).astype(np.int64)
    assert np.array_equal(largest, [X[i].max() for i in chosen])
    assert peak < 10e6  # all of the chosen rows in float64 are 320 MB


def test_a_table_without_numbers_has_no_units():
    random = np.random.default_rng(0)
    visits = pd.DataFrame({"day": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 7, 100), unit="D")})
    visits["ward"] = random.choice(list("abc"), 100)
    model = clone(NADE).fit(visits)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.score_samples(visits.assign(day=visits.day + pd.Timedelta("9000D")))

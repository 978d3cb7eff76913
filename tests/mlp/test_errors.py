"""Input and parameters that MLPRegressor and MLPClassifier refuse, with the reason."""

import copy
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from skvq import MLPClassifier, MLPRegressor

X = np.random.default_rng(0).normal(size=(60, 4))
NUMBERS = np.sin(X[:, 0])
TWO_NUMBERS = X[:, :2]
TWO = (X[:, 0] > 0).astype(int)
THREE = np.digitize(X[:, 0], [-0.4, 0.4]) * 2  # classes 0, 2, 4
FAST = {"hidden_layer_sizes": (5,), "max_iter": 2, "random_state": 0}

quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
BOTH = pytest.mark.parametrize("kind", [MLPRegressor, MLPClassifier])


def targets_of(kind):
    return NUMBERS if kind is MLPRegressor else THREE


def fitted(kind, y=None, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return kind(**FAST | parameters).fit(X, targets_of(kind) if y is None else y)


def with_value(value):
    changed = X.copy()
    changed[3, 2] = value
    return changed


@BOTH
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (with_value(np.nan), "contains NaN"),
        (with_value(np.inf), "contains infinity"),
        (sparse.csr_matrix(with_value(np.nan)), "contains NaN"),
        (np.array([["a"] * 4] * 60), "could not convert string to float|dtype='numeric' is not compatible"),
        (np.empty((0, 4)), r"0 sample\(s\)"),
        (np.empty((60, 0)), r"0 feature\(s\)"),
        (np.zeros(60), "1D array|2D array"),
        (np.zeros((60, 8, 8)), r"dim 3: X has shape \(60, 8, 8\).*X.reshape\(60, -1\)"),
        (X + 1j, "Complex data not supported"),
        (X[:50], "inconsistent numbers of samples"),
    ],
)
def test_bad_rows_are_refused(kind, rows, message):
    with pytest.raises(ValueError, match=message):
        kind(**FAST).fit(rows, targets_of(kind))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.where(NUMBERS > 0.9, np.nan, NUMBERS), "y contains NaN"),
        (np.where(NUMBERS > 0.9, np.inf, NUMBERS), "y contains infinity"),
        (np.array(["a"] * 60), "y has dtype .*must be numeric"),
        (np.zeros((60, 2, 2)), "dim 3"),
        (None, "y cannot be None|requires y to be passed"),
    ],
)
def test_bad_targets_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        MLPRegressor(**FAST).fit(X, y)


def test_the_poisson_loss_takes_no_negative_targets():
    model = MLPRegressor(**FAST, loss="poisson")
    with pytest.raises(ValueError, match="negative, which the loss 'poisson' does not allow"):
        model.fit(X, NUMBERS)
    with pytest.raises(ValueError, match="negative, which the loss 'poisson' does not allow"):
        model.fit(X, abs(NUMBERS), X_val=X, y_val=NUMBERS)


@pytest.mark.parametrize("quantile", [0.9, [0.1, 0.9]])
def test_a_quantile_that_the_loss_does_not_use_is_told(quantile):
    with pytest.warns(UserWarning, match=r'acts only with loss="quantile", but loss=\'huber\'') as found:
        MLPRegressor(**FAST, loss="huber", quantile=quantile).fit(X, NUMBERS)
    assert len([each for each in found if "quantile" in str(each.message)]) == 1


@pytest.mark.parametrize("options", [{}, {"quantile": [0.1, 0.9], "loss": "quantile"}, {"quantile": np.float32(0.5)}])
def test_a_quantile_that_acts_or_is_at_its_default_is_not_told(options, recwarn):
    MLPRegressor(**FAST, **options).fit(X, NUMBERS)
    assert not [each for each in recwarn if "acts only" in str(each.message)]


def test_several_quantiles_take_a_single_output():
    with pytest.raises(ValueError, match="several quantiles need a single output, but y has 2 columns"):
        MLPRegressor(**FAST, loss="quantile", quantile=[0.1, 0.9]).fit(X, TWO_NUMBERS)


@BOTH
@pytest.mark.parametrize("passed", [{"X_val": X}, {"y_val": NUMBERS}])
def test_held_out_rows_and_targets_come_together(kind, passed):
    with pytest.raises(ValueError, match="X_val and y_val must be passed together"):
        kind(**FAST).fit(X, targets_of(kind), **passed)


@BOTH
def test_held_out_rows_have_the_columns_of_the_others(kind):
    with pytest.raises(ValueError, match="X_val has 3 features, but MLP[A-Za-z]+ is expecting 4"):
        kind(**FAST).fit(X, targets_of(kind), X_val=X[:, :3], y_val=targets_of(kind))


@BOTH
def test_held_out_rows_are_finite(kind):
    with pytest.raises(ValueError, match="contains NaN"):
        kind(**FAST).fit(X, targets_of(kind), X_val=with_value(np.nan), y_val=targets_of(kind))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize(("y", "unseen"), [(THREE, 9), (THREE, 1), (THREE, -1), (TWO, 2), (TWO.astype(str), "2")])
def test_held_out_classes_are_among_those_of_the_others(solver, y, unseen):
    y_val = y[:10].copy()
    y_val[3] = unseen
    with pytest.raises(ValueError, match="has classes not in"):
        MLPClassifier(**FAST, solver=solver).fit(X, y, X_val=X[:10], y_val=y_val)


@quiet
@pytest.mark.parametrize("y", [THREE, TWO], ids=["three", "two"])
def test_held_out_rows_need_not_hold_every_class(y):
    same = y == y[0]
    model = MLPClassifier(**FAST).fit(X, y, X_val=X[same], y_val=y[same])
    expected = MLPClassifier(**FAST).fit(X, y).predict_proba(X[same])[:, np.searchsorted(np.unique(y), y[0])]
    assert model.validation_loss_curve_[-1] == pytest.approx(-np.log(expected).mean(), rel=1e-4)


@pytest.mark.parametrize(("y", "y_val"), [(NUMBERS, TWO_NUMBERS), (TWO_NUMBERS, NUMBERS)])
def test_held_out_targets_have_as_many_columns_as_the_others(y, y_val):
    with pytest.raises(ValueError, match="y_val|outputs"):
        MLPRegressor(**FAST).fit(X, y, X_val=X, y_val=y_val)


@BOTH
def test_partial_fit_has_no_early_stopping(kind):
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        partial(kind(**FAST, early_stopping=True))


@BOTH
@pytest.mark.parametrize("parameters", [{"learning_rate": "cosine"}, {"warmup": 0.1}])
def test_partial_fit_has_no_schedule_with_an_end(kind, parameters):
    (name,) = parameters
    with pytest.raises(ValueError, match=f"partial_fit does not know how long training lasts.*{name}"):
        partial(kind(**FAST, **parameters))


@BOTH
def test_partial_fit_is_not_there_for_lbfgs(kind):
    assert not hasattr(kind(solver="lbfgs"), "partial_fit")
    with pytest.raises(AttributeError, match="partial_fit"):
        partial(kind(**FAST, solver="lbfgs"))


def partial(model, rows=X, y=None):
    """Call partial_fit with what it needs the first time."""
    classes = {"classes": [0, 2, 4]} if isinstance(model, MLPClassifier) else {}
    return model.partial_fit(rows, targets_of(type(model)) if y is None else y, **classes)


@BOTH
@pytest.mark.parametrize("parameters", [{"dropout": 0.1}, {"normalization": "batch"}])
def test_lbfgs_needs_a_loss_that_stays_the_same(kind, parameters):
    (name,) = parameters
    with pytest.raises(ValueError, match=f"solver='lbfgs' needs the same loss every time.*{name}"):
        kind(**FAST, solver="lbfgs", **parameters).fit(X, targets_of(kind))


@BOTH
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_some_row_must_have_weight(kind, solver):
    with pytest.raises(ValueError, match="at least one"):
        kind(**FAST, solver=solver).fit(X, targets_of(kind), sample_weight=np.zeros(60))


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_some_class_must_have_weight(solver):
    with pytest.raises(ValueError, match="weight"):
        MLPClassifier(**FAST, solver=solver, class_weight={0: 0.0, 2: 0.0, 4: 0.0}).fit(X, THREE)


@BOTH
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(59), r"sample_weight.shape == \(59,\), expected \(60,\)"),
        (np.where(NUMBERS > 0, 1.0, np.nan), "sample_weight contains NaN"),
        (np.ones((60, 2)), "must be 1D|1D array or scalar"),
    ],
)
def test_weights_are_a_number_for_every_row(kind, weight, message):
    with pytest.raises(ValueError, match=message):
        kind(**FAST).fit(X, targets_of(kind), sample_weight=weight)


@BOTH
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_rows_beyond_single_precision_are_refused_in_it(kind, solver):
    with pytest.raises(ValueError, match="float32|non-finite parameter weights"):
        kind(**FAST, solver=solver, precision="float32").fit(1e39 * X, targets_of(kind))


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_targets_beyond_single_precision_are_refused_in_it(solver):
    with pytest.raises(ValueError, match="float32|non-finite parameter weights"):
        MLPRegressor(**FAST, solver=solver, precision="float32").fit(X, 1e39 * NUMBERS)


@BOTH
@pytest.mark.parametrize("n_rows", [2, 60])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix])
def test_predictions_for_rows_beyond_single_precision_are_refused(kind, n_rows, make):
    model = fitted(kind, precision="float32")
    with pytest.raises(ValueError, match=r"more than float32 can; rescale X or pass precision='float64'"):
        model.predict(make(1e39 * X[:n_rows]))


@quiet
def test_double_precision_holds_what_single_precision_cannot():
    model = MLPRegressor(**FAST, precision="float64").fit(X, NUMBERS)
    assert np.isfinite(model.predict(1e39 * X)).all()


METHODS = [
    (MLPRegressor, "predict"),
    (MLPClassifier, "predict"),
    (MLPClassifier, "predict_proba"),
    (MLPClassifier, "predict_log_proba"),
]


@pytest.mark.parametrize(("kind", "method"), METHODS)
def test_before_fit_there_is_nothing(kind, method):
    with pytest.raises(NotFittedError):
        getattr(kind(), method)(X)


@pytest.mark.parametrize(("kind", "method"), METHODS)
@pytest.mark.parametrize("n_rows", [1, 60])
def test_rows_to_predict_have_the_columns_of_fit(kind, method, n_rows):
    for columns in (3, 5):
        with pytest.raises(ValueError, match=f"X has {columns} features, but {kind.__name__} is expecting 4"):
            getattr(fitted(kind), method)(np.zeros((n_rows, columns)))


@pytest.mark.parametrize(("kind", "method"), METHODS)
@pytest.mark.parametrize("n_rows", [5, 60])
def test_rows_to_predict_are_finite(kind, method, n_rows):
    for value, message in ((np.nan, "contains NaN"), (np.inf, "contains infinity")):
        with pytest.raises(ValueError, match=message):
            getattr(fitted(kind), method)(with_value(value)[:n_rows])


@pytest.mark.parametrize(("kind", "method"), METHODS)
def test_rows_to_predict_are_a_table_that_is_not_empty(kind, method):
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        getattr(fitted(kind), method)(np.empty((0, 4)))
    with pytest.raises(ValueError, match="1D array|2D array"):
        getattr(fitted(kind), method)(X[0])


@BOTH
def test_a_device_that_is_not_there_is_named(kind):
    for device in ("cuda:99", torch.device("cuda:99")):
        with pytest.raises(ValueError, match="device=.*cuda.*99.* is not available on this machine"):
            kind(**FAST, device=device).fit(X, targets_of(kind))
    with pytest.raises(ValueError, match="device='gpu' is not a device; it must be 'cpu'"):
        kind(**FAST, device="gpu").fit(X, targets_of(kind))


@BOTH
def test_an_unknown_scorer_is_named(kind):
    with pytest.raises(ValueError, match="'nonsense' is not a valid scoring value"):
        kind(**FAST, early_stopping=True, scoring="nonsense").fit(X, targets_of(kind))


@BOTH
def test_too_few_held_out_rows_are_refused(kind):
    model = kind(**FAST, early_stopping=True, validation_fraction=0.01)
    with pytest.raises(ValueError, match="validation set is too small. Increase 'validation_fraction'"):
        model.fit(X, targets_of(kind))


DIVERGING = {"solver": "sgd", "learning_rate_init": 1e30, "max_iter": 20, "hidden_layer_sizes": (5,), "random_state": 0}


@pytest.mark.parametrize("extras", [{}, {"dropout": 0.2}, {"precision": "float32"}, {"precision": "float64"}], ids=str)
def test_training_that_diverges_names_epoch_and_rate(extras):
    with pytest.raises(ValueError, match=r"non-finite parameter weights.*epoch \d+ at a learning rate of 1e\+30"):
        MLPRegressor(**DIVERGING, **extras).fit(X, NUMBERS)


@quiet
def test_training_that_diverges_at_once_is_an_error_too():
    model = MLPRegressor(**DIVERGING | {"learning_rate_init": 1e300, "precision": "float64"})
    for method in (model.set_params(max_iter=1).fit, model.partial_fit):
        with pytest.raises(ValueError, match="non-finite parameter weights.*epoch 1 "):
            method(X, 1e30 * NUMBERS)


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")  # in scikit-learn's R²
def test_with_early_stopping_training_that_diverges_warns():
    model = MLPRegressor(**DIVERGING, early_stopping=True, precision="float64")
    with pytest.warns(ConvergenceWarning, match="Training diverged in epoch"):
        model.fit(X, NUMBERS)
    assert np.isfinite(model.predict(X)).all()


@BOTH
def test_a_fit_that_fails_forgets_the_one_before(kind):
    for changes, weight in [(DIVERGING, None), ({}, np.ones(3))]:
        model = fitted(kind)
        if kind is MLPClassifier and changes:
            changes = changes | {"learning_rate_init": 1e300}
        y = NUMBERS[::-1] if kind is MLPRegressor else TWO
        with pytest.raises(ValueError, match="non-finite|sample_weight"):
            model.set_params(**changes).fit(X, y, sample_weight=weight)
        with pytest.raises(NotFittedError):
            model.predict(X)


def state_of(model):
    """A deep copy of what a model has learned."""
    return copy.deepcopy([model.coefs_, model.intercepts_, model.n_iter_, model.t_, model.loss_curve_])


@quiet
@BOTH
def test_a_partial_fit_that_refuses_its_rows_leaves_the_model_as_it_was(kind):
    model = partial(kind(**FAST))
    before, predictions = state_of(model), model.predict(X)
    bad_rows = [(with_value(np.nan), None), (X[:, :3], None), (X[:50], None)]
    if kind is MLPClassifier:
        bad_rows.append((X, np.full(60, 9)))
    else:
        bad_rows.append((X, TWO_NUMBERS))
    for rows, y in bad_rows:
        with pytest.raises(ValueError, match="."):
            partial(model, rows, y)
    np.testing.assert_equal(state_of(model), before)
    np.testing.assert_array_equal(model.predict(X), predictions)
    assert partial(model).t_ == 120


@quiet
@pytest.mark.parametrize(("first", "second"), [(NUMBERS, TWO_NUMBERS), (TWO_NUMBERS, NUMBERS)])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_warm_start_takes_as_many_outputs_as_before(first, second, solver):
    model = fitted(MLPRegressor, first, warm_start=True, solver=solver)
    n_now, n_before = (1 if y.ndim == 1 else 2 for y in (second, first))
    with pytest.raises(ValueError, match=f"{n_now} outputs, but the network was fitted with {n_before}"):
        model.fit(X, second)


@quiet
@pytest.mark.parametrize(("first", "second"), [(0.5, [0.1, 0.9]), ([0.1, 0.9], 0.5), ([0.1, 0.9], [0.1, 0.5, 0.9])])
def test_a_warm_start_takes_as_many_quantiles_as_before(first, second):
    model = fitted(MLPRegressor, warm_start=True, loss="quantile", quantile=first)
    with pytest.raises(ValueError, match="quantile|outputs"):
        model.set_params(quantile=second).fit(X, NUMBERS)


@quiet
@pytest.mark.parametrize("labels", [TWO, THREE + 1, np.eye(3, dtype=int)[THREE // 2]], ids=["fewer", "other", "matrix"])
def test_a_warm_start_takes_the_same_classes(labels):
    model = fitted(MLPClassifier, warm_start=True)
    with pytest.raises(ValueError, match="warm_start can only be used where `y` has the same classes|outputs|classes"):
        model.fit(X, labels)


@quiet
@BOTH
@pytest.mark.parametrize(
    "changes", [{"solver": "sgd"}, {"normalization": "layer"}, {"precision": "float64"}, {"dropout": 0.3}], ids=str
)
def test_partial_fit_goes_on_after_a_change_of_parameters(kind, changes):
    model = fitted(kind, precision="float32").set_params(**changes)
    before = model.coefs_[0].copy()
    partial(model)
    assert not np.array_equal(model.coefs_[0], before)
    assert np.isfinite(model.coefs_[0]).all()


def test_partial_fit_of_a_classifier_is_told_the_classes_first():
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        MLPClassifier(**FAST).partial_fit(X, THREE)
    with pytest.raises(ValueError, match="has classes not in"):
        MLPClassifier(**FAST).partial_fit(X, THREE, classes=[0, 2])
    model = MLPClassifier(**FAST).partial_fit(X, THREE, classes=[0, 2, 4])
    with pytest.raises(ValueError, match="is not the same as on last call to partial_fit"):
        model.partial_fit(X, THREE, classes=[0, 2, 4, 6])


def test_several_classes_in_several_columns_are_refused():
    with pytest.raises(ValueError, match=r"y has shape \(60, 2\) and holds 0, 2, 4; a matrix of labels"):
        MLPClassifier(**FAST).fit(X, np.column_stack([THREE, THREE]))


def test_numbers_are_no_classes():
    with pytest.raises(ValueError, match="Unknown label type: y holds numbers that are not whole, such as"):
        MLPClassifier(**FAST).fit(X, NUMBERS)


def test_class_weights_are_of_classes_that_are_there():
    with pytest.raises(ValueError, match="classes|class_weight"):
        MLPClassifier(**FAST, class_weight={0: 1.0, 2: 1.0, 7: 3.0}).fit(X, THREE)


@pytest.mark.parametrize("weight", [np.nan, np.inf, "heavy", {}, [[1.0]]])
def test_weights_that_are_none_are_refused_by_name(weight):
    with pytest.raises((ValueError, TypeError), match="sample_weight|Sample weight"):
        MLPRegressor(max_iter=1).fit(np.eye(4), np.arange(4), sample_weight=weight)


def scale_warnings(model, y, calls=1, method="fit"):
    """Return the warnings about the scale of y, of so many calls of a method."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        for _ in range(calls):
            getattr(model, method)(X, y)
    return [str(each.message) for each in found if "Scale y" in str(each.message)]


@pytest.mark.parametrize("loss", ["squared_error", "poisson", "absolute_error", "huber", "quantile"])
@pytest.mark.parametrize("factor", [1e-10, 1e10])
def test_partial_fit_tells_once_of_targets_out_of_scale(loss, factor):
    model = MLPRegressor(loss, (5,), random_state=0)
    found = scale_warnings(model, factor * (2 + NUMBERS), calls=4, method="partial_fit")
    assert len(found) == 1
    assert "the same number for every chunk" in found[0]
    assert not scale_warnings(MLPRegressor(loss, (5,), random_state=0), 2 + NUMBERS, 4, "partial_fit")


def test_a_chunk_that_hardly_varies_is_not_told_of_its_scale():
    model = MLPRegressor(hidden_layer_sizes=(5,), random_state=0)
    assert not scale_warnings(model, 1 + 1e-4 * NUMBERS, calls=3, method="partial_fit")


@pytest.mark.parametrize("y", [np.exp(NUMBERS) * 1e-10, np.abs(NUMBERS) * 1e10, np.where(NUMBERS > 0, 1e8, 2e8)])
def test_the_poisson_loss_tells_of_targets_out_of_scale(y):
    found = scale_warnings(MLPRegressor("poisson", (5,), max_iter=20, random_state=0), y)
    assert len(found) == 1
    assert "and predictions times it" in found[0]


def test_the_poisson_loss_does_not_tell_of_large_counts_that_are_learned():
    counts = np.random.default_rng(0).poisson(np.exp(10 + 0.2 * NUMBERS)).astype(float)
    assert counts.max() > 1e4
    assert not scale_warnings(MLPRegressor("poisson", (), solver="lbfgs", max_iter=300, random_state=0), counts)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_early_stopping_does_not_keep_a_fit_that_diverges_in_its_first_epoch(solver):
    model = MLPRegressor(hidden_layer_sizes=(5,), solver=solver, max_iter=50, early_stopping=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="non-finite parameter weights.*scale X and y"):
            model.fit(X, NUMBERS * 1e300)
    assert not hasattr(model, "coefs_")


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile"])
def test_the_score_of_huge_targets_is_a_number_and_leaks_no_warning_of_numpy(loss):
    model = MLPRegressor(loss, (5,), max_iter=3, early_stopping=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        warnings.filterwarnings("ignore", message="y has a mean of")
        score = model.fit(X, NUMBERS * 1e300).score(X, NUMBERS * 1e300)
    assert np.isfinite([*model.validation_scores_, score]).all()
    assert score == pytest.approx(fitted(MLPRegressor, loss=loss, max_iter=1).score(X, NUMBERS * 1e300), abs=1e-6)


@pytest.mark.parametrize(
    "classes", [np.array([0, 2, 4], dtype=object), pd.array([0, 2, 4], dtype="Int64"), (4, 2, 0), pd.Series([0, 2, 4])]
)
def test_the_classes_of_partial_fit_may_be_any_list_of_labels(classes):
    model = MLPClassifier(**FAST).partial_fit(X, THREE, classes=classes)
    np.testing.assert_array_equal(model.classes_, [0, 2, 4])
    assert model.classes_.dtype.kind == "i"


@pytest.mark.parametrize(
    "classes", [[0.5, 1], [], [[0, 2, 4]], 5, "024", {0, 2, 4}, [[0], [2, 4]], [None, 2], np.array(0)], ids=repr
)
def test_what_is_no_list_of_classes_is_refused_by_that_name(classes):
    with pytest.raises(ValueError, match="classes"):
        MLPClassifier(**FAST).partial_fit(X, THREE, classes=classes)


def test_the_classes_of_an_indicator_matrix_are_its_columns():
    y = np.column_stack([TWO, 1 - TWO, TWO])
    for classes in (None, [0, 1, 2], np.arange(3)):
        assert MLPClassifier(**FAST).partial_fit(X, y, classes=classes).predict(X).shape == y.shape
    with pytest.raises(ValueError, match=r"classes=\['a', 'b', 'c'\] are not the labels of y.*leave classes out"):
        MLPClassifier(**FAST).partial_fit(X, y, classes=["a", "b", "c"])


@BOTH
@pytest.mark.parametrize(
    "y", [np.zeros((60, 0)), [[]] * 60, np.zeros((60, 0), dtype=int)], ids=lambda y: type(y).__name__
)
def test_targets_without_a_column_are_named(kind, y):
    with pytest.raises(ValueError, match="y has no columns"):
        kind(**FAST).fit(X, y)


def test_nullable_integers_of_pandas_are_integers_as_labels():
    y = pd.array(THREE, dtype="Int64")
    assert fitted(MLPClassifier, y).classes_.dtype.kind == "i"
    assert fitted(MLPClassifier, pd.Series(y)).predict(X).dtype.kind == "i"


@BOTH
def test_a_tensor_without_values_is_named(kind):
    nothing = torch.zeros(60, 4, device="meta")
    with pytest.raises(TypeError, match="^X is a torch tensor on the device 'meta'"):
        kind(**FAST).fit(nothing, targets_of(kind))
    with pytest.raises(TypeError, match="^y is a torch tensor on the device 'meta'"):
        kind(**FAST).fit(X, nothing[:, 0])

"""MLPRegressor and MLPClassifier inside the rest of scikit-learn, and what they accept."""

import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
import skops.io
import torch
from scipy.sparse import csc_array, csr_array, csr_matrix
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from sklearn.ensemble import BaggingRegressor, StackingRegressor
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import RidgeCV
from sklearn.metrics import d2_pinball_score, get_scorer, make_scorer, mean_absolute_error
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from sklearn.utils.fixes import parse_version

from skvq import MLPClassifier, MLPRegressor

QUICK = {"hidden_layer_sizes": (16,), "max_iter": 30, "learning_rate_init": 0.01, "batch_size": 32, "random_state": 0}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return scale(X), y


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return scale(X), scale(y)


def both(iris, diabetes, **options):
    """Yield a classifier and a regressor, each with its data."""
    yield MLPClassifier(**QUICK | options), *iris
    yield MLPRegressor(**QUICK | options), *diabetes


def test_a_pipeline_is_cross_validated(diabetes):
    X, y = load_breast_cancer(return_X_y=True)
    assert cross_val_score(make_pipeline(StandardScaler(), MLPClassifier(**QUICK)), X, y, cv=3).mean() > 0.95
    assert cross_val_score(make_pipeline(StandardScaler(), MLPRegressor(**QUICK)), *diabetes, cv=3).mean() > 0.3


def test_a_grid_search_runs_in_two_processes(iris):
    grid = {"mlp__dropout": [0.0, 0.9], "mlp__activation": ["relu", "silu"]}
    pipeline = Pipeline([("scale", StandardScaler()), ("mlp", MLPClassifier(**QUICK))])
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2).fit(*iris)
    assert search.best_score_ > 0.9
    assert len(set(search.cv_results_["mean_test_score"])) > 1


def test_ensembles_hold_it(diabetes):
    X, y = diabetes
    bagging = BaggingRegressor(MLPRegressor(**QUICK), n_estimators=4, random_state=0).fit(X, y)
    one = bagging.estimators_[0].predict(X)
    assert bagging.score(X, y) > 0.4
    assert np.abs(bagging.predict(X) - one).max() > 1e-3
    stack = StackingRegressor([("mlp", MLPRegressor(**QUICK))], RidgeCV(), cv=2).fit(X, y)
    assert stack.score(X, y) > 0.3


METHODS = ["sigmoid", "isotonic"] + ["temperature"] * (parse_version(sklearn.__version__) >= parse_version("1.8"))


@pytest.mark.parametrize("method", METHODS)
def test_probabilities_are_calibrated(iris, method):
    X, y = iris
    model = CalibratedClassifierCV(MLPClassifier(**QUICK), method=method, cv=2).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    assert model.score(X, y) > 0.9


def test_permutation_importance_finds_the_column_that_matters():
    X = np.random.default_rng(0).normal(size=(300, 4))
    model = MLPRegressor(**QUICK).fit(X, 2 * X[:, 2])
    result = permutation_importance(model, X, 2 * X[:, 2], n_repeats=3, random_state=0)
    assert result.importances_mean.argmax() == 2
    assert np.delete(result.importances_mean, 2).max() < 0.1


def test_partial_dependence_follows_the_function():
    X = np.random.default_rng(0).uniform(-1, 1, size=(500, 3))
    options = QUICK | {"max_iter": 100}
    model = MLPRegressor(**options).fit(X, X[:, 0] ** 2)
    result = partial_dependence(model, X, [0], grid_resolution=9)
    np.testing.assert_allclose(result["average"][0], result["grid_values"][0] ** 2, atol=0.15)
    classifier = MLPClassifier(**options).fit(X, X[:, 0] > 0)
    curve = partial_dependence(classifier, X, [0], grid_resolution=5)["average"][0]
    assert (np.diff(curve) > 0).all()


def test_held_out_probabilities_come_from_cross_val_predict(iris):
    proba = cross_val_predict(MLPClassifier(**QUICK), *iris, cv=3, method="predict_proba")
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert (proba.argmax(axis=1) == iris[1]).mean() > 0.85


OPTIONS = [{}, {"dropout": 0.2, "normalization": "batch"}, {"normalization": "layer"}, {"solver": "lbfgs"}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("way", ["pickle", "joblib", "skops"])
def test_a_fitted_network_is_stored_and_comes_back(iris, diabetes, tmp_path, way, options):
    for model, X, y in both(iris, diabetes, **options):
        path = tmp_path / "model"
        model.fit(X, y)
        if way == "pickle":
            back = pickle.loads(pickle.dumps(model))
        elif way == "joblib":
            joblib.dump(model, path)
            back = joblib.load(path)
        else:
            skops.io.dump(model, path)
            untrusted = skops.io.get_untrusted_types(file=path)
            assert all(name.startswith("skvq.") for name in untrusted), untrusted
            back = skops.io.load(path, trusted=untrusted)
        np.testing.assert_array_equal(back.predict(X), model.predict(X))
        if "solver" not in options:
            for one in (back, model):
                one.partial_fit(X, y)
            np.testing.assert_array_equal(back.predict(X), model.predict(X))


def test_a_stored_network_holds_neither_rows_nor_modules(diabetes):
    X, y = np.tile(diabetes[0], (20, 1)), np.tile(diabetes[1], 20)
    model = MLPRegressor(**QUICK | {"max_iter": 2, "dropout": 0.1}).fit(X, y)
    state = pickle.dumps(model)
    assert len(state) < 50_000 < X.nbytes
    assert b"torch" not in state


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_frames_give_the_predictions_of_arrays_and_names_are_checked(iris, diabetes, make):
    for model, X, y in both(iris, diabetes, early_stopping=True):
        names = [f"column {i}" for i in range(X.shape[1])]
        frame = make(X, columns=names) if make is pd.DataFrame else make(X, schema=names)
        targets = pd.Series(y) if make is pd.DataFrame else pl.Series(y)
        expected = clone(model).fit(X, y).predict(X)
        model.fit(frame, targets)
        np.testing.assert_array_equal(model.predict(frame), expected)
        assert list(model.feature_names_in_) == names
        with pytest.raises(ValueError, match="feature names should match"):
            model.predict(frame[names[::-1]])


@pytest.mark.parametrize("make", [csr_matrix, csr_array, csc_array])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_sparse_rows_give_the_predictions_of_dense_ones(iris, diabetes, make, options):
    for model, X, y in both(iris, diabetes, **options | {"max_iter": 4, "precision": "float64"}):
        X = np.where(np.abs(X) > 1, X, 0)
        dense = clone(model).fit(X, y)
        model.fit(make(X), y)
        np.testing.assert_allclose(model.coefs_[0], dense.coefs_[0], rtol=1e-5, atol=1e-6)
        output = "predict_proba" if hasattr(model, "predict_proba") else "predict"
        np.testing.assert_allclose(getattr(model, output)(make(X)), getattr(dense, output)(X), rtol=1e-4, atol=1e-5)


def test_a_read_only_memory_map_is_used_as_it_is(diabetes, tmp_path):
    X, y = diabetes
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    np.testing.assert_array_equal(
        MLPRegressor(**QUICK).fit(mapped, y).predict(mapped), MLPRegressor(**QUICK).fit(X, y).predict(X)
    )


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int64, np.uint8, bool])
def test_other_types_of_numbers_are_taken(dtype, order):
    rng = np.random.default_rng(0)
    X = np.asarray(rng.integers(0, 2, size=(60, 4)), dtype=dtype, order=order)
    y = X[:, 0].astype(int)
    model = MLPClassifier(**QUICK).fit(X, y)
    expected = np.float32 if dtype is np.float32 else np.float64
    assert {coef.dtype for coef in model.coefs_} == {np.dtype(expected)}
    assert model.score(X, y) > 0.9


def test_a_weight_is_a_number_of_repetitions(iris, diabetes):
    for model, X, y in both(iris, diabetes, solver="lbfgs", max_iter=10, precision="float64", tol=0):
        repeats = np.random.default_rng(0).integers(0, 4, size=len(y))
        repeated = clone(model).fit(np.repeat(X, repeats, axis=0), np.repeat(y, repeats))
        model.fit(X, y, sample_weight=repeats)
        np.testing.assert_allclose(model.coefs_[0], repeated.coefs_[0], rtol=1e-4, atol=1e-5)
        assert model.loss_ == pytest.approx(repeated.loss_, rel=1e-6)


@pytest.mark.parametrize("options", [{}, {"dropout": 0.1}])
def test_balanced_classes_are_weights_of_rows(options):
    X, y = load_breast_cancer(return_X_y=True)
    X, y = scale(X), np.array(["bad", "good"])[y]
    weights = np.where(y == "bad", len(y) / (2 * (y == "bad").sum()), len(y) / (2 * (y == "good").sum()))
    balanced = MLPClassifier(**QUICK | options, class_weight="balanced").fit(X, y)
    weighted = MLPClassifier(**QUICK | options).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(balanced.predict_proba(X), weighted.predict_proba(X), rtol=1e-5, atol=1e-6)
    doubled = MLPClassifier(**QUICK | options, class_weight={"bad": 2.0}).fit(X, y, sample_weight=np.ones(len(y)))
    by_hand = MLPClassifier(**QUICK | options).fit(X, y, sample_weight=np.where(y == "bad", 2.0, 1.0))
    np.testing.assert_allclose(doubled.predict_proba(X), by_hand.predict_proba(X), rtol=1e-5, atol=1e-6)


def test_balanced_classes_count_weights_as_rows(iris):
    X, y = iris[0][:120], iris[1][:120]  # 50, 50, 20
    repeats = np.random.default_rng(0).integers(0, 4, size=120)
    options = QUICK | {"solver": "lbfgs", "max_iter": 10, "precision": "float64", "class_weight": "balanced"}
    repeated = MLPClassifier(**options).fit(np.repeat(X, repeats, axis=0), np.repeat(y, repeats))
    weighted = MLPClassifier(**options).fit(X, y, sample_weight=repeats)
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-4, atol=1e-5)


def test_held_out_rows_are_watched(diabetes):
    X, y = diabetes
    model = MLPRegressor(**QUICK | {"max_iter": 5}).fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    assert len(model.validation_loss_curve_) == 5
    plain = MLPRegressor(**QUICK | {"max_iter": 5}).fit(X[:300], y[:300])
    np.testing.assert_array_equal(model.coefs_[0], plain.coefs_[0])  # watching changes nothing
    half_mse = ((model.predict(X[300:]) - y[300:]) ** 2).mean() / 2
    assert model.validation_loss_curve_[-1] == pytest.approx(half_mse, rel=1e-2)


def test_early_stopping_takes_the_held_out_rows_that_it_is_given(diabetes):
    X, y = diabetes
    options = QUICK | {"early_stopping": True, "max_iter": 300, "n_iter_no_change": 5}
    model = MLPRegressor(**options).fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    assert model.n_iter_ < 300
    assert model.score(X[300:], y[300:]) == pytest.approx(max(model.validation_scores_), abs=1e-5)
    assert model.t_ == model.n_iter_ * 300  # no row was taken from the training


def test_a_warm_start_keeps_the_best_weights_of_its_own_fit(diabetes):
    X, y = diabetes
    held_out = {"X_val": X[300:], "y_val": y[300:]}
    model = MLPRegressor(**QUICK | {"early_stopping": True, "warm_start": True, "max_iter": 60})
    first = model.fit(X[:300], y[:300], **held_out).best_validation_score_
    model.set_params(learning_rate_init=0.5, max_iter=5).fit(X[:300], y[:300], **held_out)  # makes it worse
    latest = model.validation_scores_[-model.n_iter_ :]
    assert model.best_validation_score_ == first > max(latest)
    assert model.score(X[300:], y[300:]) == pytest.approx(max(latest), abs=1e-5)


def test_fits_in_chunks_go_on_learning():
    X, y = load_digits(return_X_y=True)
    model = MLPClassifier(random_state=0, early_stopping=True, warm_start=True, max_iter=2)
    for _ in range(14):
        model.fit(X / 16, y)
    assert model.score(X / 16, y) > 0.95  # 0.91 where a chunk that is no better goes back to the best of all


def test_early_stopping_of_a_quantile_goes_by_its_own_loss():
    rng = np.random.RandomState(0)
    x = rng.uniform(-3, 3, (2000, 1))
    y = np.sin(2 * x[:, 0]) + rng.standard_exponential(2000)
    model = MLPRegressor("quantile", (32,), quantile=0.9, early_stopping=True, learning_rate_init=0.01, random_state=0)
    model.set_params(n_iter_no_change=30).fit(x, y)
    assert 0.85 < (y <= model.predict(x)).mean() < 0.95  # by R², which rewards the mean, 0.6
    assert model.score(x, y) == pytest.approx(d2_pinball_score(y, model.predict(x), alpha=0.9))
    assert model.score(x, y) > 0


def test_without_a_single_score_the_last_weights_are_kept_with_a_warning(diabetes):
    X, y = diabetes
    model = MLPRegressor(**QUICK | {"early_stopping": True, "max_iter": 30})
    with pytest.warns(UserWarning, match="No score of the held-out rows was a number"):
        model.fit(X[:300], y[:300], X_val=X[:1], y_val=y[:1])
    assert model.score(X[:300], y[:300]) > 0


def test_partial_fit_refuses_balanced_classes():
    with pytest.raises(ValueError, match="frequencies"):
        MLPClassifier(class_weight="balanced").partial_fit([[0.0], [1.0]], [0, 1], classes=[0, 1])


@pytest.mark.parametrize("option", [{"learning_rate": "cosine"}, {"warmup": 0.1}, {"max_grad_norm": 1.0}])
def test_lbfgs_refuses_what_only_steps_have(option, diabetes):
    with pytest.raises(ValueError, match=f"{next(iter(option))}=.* needs a solver that takes steps"):
        MLPRegressor(solver="lbfgs", **option).fit(*diabetes)


def test_a_schedule_that_has_ended_is_no_warning(diabetes):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = MLPRegressor(learning_rate="cosine", max_iter=5).fit(*diabetes)
    assert model.n_iter_ == 5


def test_held_out_rows_are_routed_through_a_pipeline(diabetes):
    X, y = load_diabetes(return_X_y=True)
    with sklearn.config_context(enable_metadata_routing=True):
        mlp = MLPRegressor(**QUICK | {"max_iter": 5}).set_fit_request(X_val=True, y_val=True)
        pipeline = Pipeline([("scale", StandardScaler()), ("mlp", mlp)], transform_input=["X_val"])
        pipeline.fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    scaler = StandardScaler().fit(X[:300])
    direct = MLPRegressor(**QUICK | {"max_iter": 5}).fit(
        scaler.transform(X[:300]), y[:300], X_val=scaler.transform(X[300:]), y_val=y[300:]
    )
    np.testing.assert_allclose(pipeline[-1].validation_loss_curve_, direct.validation_loss_curve_, rtol=1e-6)


def test_held_out_rows_and_weights_are_routed_through_a_grid_search(iris):
    X, y = iris
    rows = np.random.default_rng(0).permutation(len(y))
    train, held_out = rows[:100], rows[100:]
    with sklearn.config_context(enable_metadata_routing=True):
        mlp = MLPClassifier(**QUICK).set_fit_request(X_val=True, y_val=True, sample_weight=True)
        mlp.set_score_request(sample_weight=False)
        search = GridSearchCV(mlp, {"alpha": [1e-4, 1.0]}, cv=2)
        search.fit(X[train], y[train], X_val=X[held_out], y_val=y[held_out], sample_weight=np.ones(100))
    assert len(search.best_estimator_.validation_loss_curve_) == search.best_estimator_.n_iter_


@pytest.mark.parametrize("scoring", ["neg_log_loss", "f1_macro", "accuracy", "roc_auc_ovr", "balanced_accuracy"])
def test_a_classifier_stops_by_any_scorer(iris, scoring):
    X, y = iris
    rows = np.random.default_rng(0).permutation(len(y))
    X, y, X_val, y_val = X[rows[:100]], np.array(["a", "b", "c"])[y[rows[:100]]], X[rows[100:]], y[rows[100:]]
    y_val = np.array(["a", "b", "c"])[y_val]
    options = QUICK | {"early_stopping": True, "scoring": scoring, "max_iter": 40}
    model = MLPClassifier(**options).fit(X, y, X_val=X_val, y_val=y_val)
    score = get_scorer(scoring)(model, X_val, y_val)
    assert score == pytest.approx(max(model.validation_scores_), abs=1e-4)
    assert model.best_validation_score_ == max(model.validation_scores_)


def test_a_regressor_stops_by_any_scorer(diabetes):
    X, y = diabetes
    for scoring in ("neg_mean_absolute_error", make_scorer(mean_absolute_error, greater_is_better=False)):
        options = QUICK | {"early_stopping": True, "scoring": scoring, "max_iter": 40}
        model = MLPRegressor(**options).fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
        error = np.abs(model.predict(X[300:]) - y[300:]).mean()
        assert -error == pytest.approx(max(model.validation_scores_), abs=1e-4)


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_dropout_and_normalization_learn_and_predict_without_chance(iris, diabetes, dropout, normalization):
    for model, X, y in both(iris, diabetes, dropout=dropout, normalization=normalization):
        model.fit(X, y)
        assert model.score(X, y) > (0.9 if hasattr(model, "classes_") else 0.35)
        np.testing.assert_array_equal(model.predict(X), model.predict(X))
        np.testing.assert_array_equal(model.predict(X), clone(model).fit(X, y).predict(X))
        output = model.predict_proba if hasattr(model, "classes_") else model.predict
        np.testing.assert_allclose(output(X[:1]), output(X)[:1], rtol=1e-4, atol=1e-5)  # alone as among others


def test_dropout_narrows_the_gap_between_training_and_test_rows(diabetes):
    X, y = diabetes
    options = QUICK | {"hidden_layer_sizes": (128,), "max_iter": 150, "n_iter_no_change": 150}
    gaps = []
    for dropout in (0.0, 0.5):
        model = MLPRegressor(**options, dropout=dropout).fit(X[:220], y[:220])
        gaps.append(model.score(X[:220], y[:220]) - model.score(X[220:], y[220:]))
    assert gaps[1] < gaps[0] - 0.1


@pytest.mark.parametrize("activation", ["leaky_relu", "elu", "gelu", "silu", "softplus"])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_further_activations_learn_with_every_solver(iris, diabetes, solver, activation):
    for model, X, y in both(iris, diabetes, solver=solver, activation=activation):
        start = clone(model).set_params(max_iter=1).fit(X, y).loss_
        assert model.fit(X, y).loss_ < 0.8 * start


def test_several_targets_and_several_labels():
    X = np.random.default_rng(0).normal(size=(300, 5))
    for options in OPTIONS:
        options = QUICK | {"max_iter": 60} | options
        Y = X[:, :3] * [1, 2, 3]
        model = MLPRegressor(**options).fit(X, Y)
        assert model.predict(X).shape == (300, 3)
        assert model.score(X, Y) > 0.8
        labels = (X[:, :3] > 0).astype(int)
        classifier = MLPClassifier(**options).fit(X, labels)
        assert classifier.predict_proba(X).shape == (300, 3)
        assert set(np.unique(classifier.predict(X))) == {0, 1}
        assert (classifier.predict(X) == labels).mean() > 0.85


def test_labels_of_any_type_come_back(iris):
    X, y = iris
    for names in (np.array(["setosa", "versicolor", "virginica"]), np.array(["a", "b", "c"], dtype=object), [7, -1, 3]):
        labels = np.asarray(names)[y]
        for options in OPTIONS + [{"early_stopping": True, "validation_fraction": 0.2, "max_iter": 60}]:
            model = MLPClassifier(**QUICK | options).fit(X, labels)
            assert set(model.predict(X)) == set(names)
            np.testing.assert_array_equal(model.classes_, np.unique(labels))
            assert model.score(X, labels) > 0.85


def test_quantiles_come_in_order_and_cover_what_they_say(diabetes):
    X, y = diabetes
    quantiles = (0.9, 0.1, 0.5)
    model = MLPRegressor(**QUICK, loss="quantile", quantile=quantiles).fit(X, y)
    predicted = model.predict(X)
    assert predicted.shape == (len(y), 3)
    order = np.argsort(quantiles)
    assert (np.diff(predicted[:, order], axis=1) >= 0).all()
    np.testing.assert_allclose((y[:, None] <= predicted).mean(axis=0), quantiles, atol=0.1)
    one = MLPRegressor(**QUICK, loss="quantile", quantile=0.9).fit(X, y)
    assert one.predict(X).shape == (len(y),)
    assert cross_val_score(one, X, y, cv=2, scoring="neg_mean_absolute_error").shape == (2,)


def test_neither_the_global_generators_nor_the_threads_are_touched(iris):
    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    threads = torch.get_num_threads()
    for options in OPTIONS:
        MLPClassifier(**QUICK | options).fit(*iris).predict(iris[0])
    assert torch.get_num_threads() == threads
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_rows_are_not_changed(iris, diabetes):
    for options in OPTIONS:
        for model, X, y in both(iris, diabetes, **options):
            X_before, y_before = X.copy(), y.copy()
            model.fit(X, y).predict(X)
            np.testing.assert_array_equal(X, X_before)
            np.testing.assert_array_equal(y, y_before)

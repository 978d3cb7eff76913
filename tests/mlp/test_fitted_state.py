"""What was fitted decides: parameters that change after `fit` change no prediction, and bad cells give none."""

import numpy as np
import pandas as pd
import pytest

from skvq import MLPClassifier, MLPRegressor

X = np.random.default_rng(0).normal(size=(60, 4))
LABELS = (X[:, 0] > 0).astype(int)
QUICK = {"hidden_layer_sizes": (6,), "max_iter": 3, "random_state": 0}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
@pytest.mark.parametrize(
    "changes",
    [{"activation": "tanh"}, {"activation": "nonsense"}, {"normalization": "layer"}, {"normalization": None}],
    ids=str,
)
def test_parameters_that_change_after_fit_change_no_probability(normalization, changes):
    model = MLPClassifier(**QUICK, normalization=normalization).fit(X, LABELS)
    expected = model.predict_proba(X)
    np.testing.assert_array_equal(model.set_params(**changes).predict_proba(X), expected)
    assert model.activation_ == "relu"


@pytest.mark.parametrize("options", [{"loss": "quantile", "quantile": [0.1, 0.9]}, {"loss": "poisson"}, {}], ids=str)
def test_another_loss_after_fit_changes_neither_predictions_nor_score(options):
    model = MLPRegressor(**QUICK, **options).fit(X, X[:, 0] ** 2)
    expected, score = model.predict(X), model.score(X, X[:, 0] ** 2)
    model.set_params(loss="huber", quantile=0.5)
    np.testing.assert_array_equal(model.predict(X), expected)
    assert model.score(X, X[:, 0] ** 2) == score


def test_a_fit_that_goes_on_takes_the_new_activation():
    model = MLPClassifier(**QUICK, warm_start=True).fit(X, LABELS)
    assert model.set_params(activation="tanh").fit(X, LABELS).activation_ == "tanh"
    model.set_params(normalization="batch").fit(X, LABELS).set_params(normalization=None).fit(X, LABELS)
    assert not hasattr(model, "normalization_state_")


@pytest.mark.parametrize(
    "rows", [[[None, 1, 2, 3]], [[np.nan, 1, 2, 3]], pd.DataFrame([[pd.NA, 1, 2, 3]]), ((None, 1, 2, 3),)], ids=type
)
def test_a_row_with_a_missing_cell_has_no_label(rows):
    model = MLPClassifier(**QUICK).fit(X, LABELS)
    with pytest.raises(ValueError, match="X contains NaN|no numbers, or missing"):
        model.predict(rows)


def test_outputs_that_are_not_finite_are_an_error():
    model = MLPClassifier(**QUICK).fit(X, LABELS)
    model.coefs_[0] *= 1e3
    with pytest.raises(ValueError, match="outputs for row 1 of X, which holds values up to 1e.308, are not finite"):
        model.predict(np.vstack([X[0], np.full(4, 1e308) * np.sign(model.coefs_[0][:, 0])]))
    model.coefs_[0][0, 0] = np.nan
    with pytest.raises(ValueError, match=r"coefs_\[0\] holds values that are not finite"):
        model.predict(X)


def test_one_class_has_one_column_of_ones():
    model = MLPClassifier(**QUICK).fit(X, np.full(60, "a"))
    np.testing.assert_array_equal(model.predict_proba(X[:3]), np.ones((3, 1)))
    np.testing.assert_array_equal(model.predict_log_proba(X[:3]), np.zeros((3, 1)))
    assert set(model.predict(X)) == {"a"}


def test_two_classes_of_which_one_has_been_seen_have_two_columns():
    model = MLPClassifier(**QUICK).partial_fit(X, np.zeros(60, dtype=int), classes=[0, 1])
    assert model.predict_proba(X).shape == (60, 2)


@pytest.mark.parametrize(
    "y", [LABELS, np.digitize(X[:, 1], [-0.5, 0.5]), (X[:, :3] > 0).astype(int)], ids=["2", "3", "m"]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_probabilities_are_finite_where_probabilities_round_to_zero(y, dtype):
    rows = X.astype(dtype)
    model = MLPClassifier(**QUICK).fit(rows, y)
    near = model.predict_log_proba(rows)
    np.testing.assert_allclose(near, np.log(model.predict_proba(rows)), rtol=1e-4, atol=1e-6)
    assert near.dtype == dtype
    with np.errstate(all="raise"):
        far = model.predict_log_proba(1e5 * rows)
    assert np.isfinite(far).all()
    assert far.min() < -1000


@pytest.mark.parametrize("classes", [None, [0, 1, 2]])
def test_the_columns_of_an_indicator_matrix_are_its_labels(classes):
    Y = (X[:, :3] > 0).astype(int)
    model = MLPClassifier(**QUICK).partial_fit(X, Y, classes=classes).partial_fit(X, Y)
    assert model.predict(X).shape == (60, 3)
    assert model.classes_.tolist() == [0, 1, 2]


def test_names_for_another_number_of_labels_are_refused():
    with pytest.raises(ValueError, match=r"classes=\[0, 1\] are not the labels of y.* 3 columns.*leave classes"):
        MLPClassifier(**QUICK).partial_fit(X, (X[:, :3] > 0).astype(int), classes=[0, 1])


def test_counts_of_a_small_type_do_not_wrap():
    kinds = {
        "max_iter": np.uint8(3),
        "batch_size": np.uint8(200),
        "n_iter_no_change": np.int8(2),
        "alpha": np.float32(0),
    }
    plain = {name: value.item() for name, value in kinds.items()}
    rows = np.random.default_rng(1).normal(size=(500, 4))
    found, expected = (
        MLPRegressor(**QUICK | options, learning_rate="cosine").fit(rows, rows[:, 0]).coefs_[0]
        for options in (kinds, plain)
    )
    np.testing.assert_array_equal(found, expected)

"""Labels that are refused, with the row and the reason, and those that are taken."""

import datetime

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from skvq import CausalTransformer, MLPClassifier, PixelCNN, VQVAETransformer
from skvq.core.labels import check_classes, check_labels

MISSING = {
    "None": np.array(["a", None, "b"], dtype=object),
    "NaN among strings": np.array(["a", np.nan, "b"], dtype=object),
    "NA": pd.Series(["a", pd.NA, "b"], dtype="string"),
    "NA of integers": pd.Series([1, pd.NA, 2], dtype="Int64"),
    "NaT": np.array(["2020-01-01", "NaT", "2020-01-02"], dtype="M8[D]"),
    "None in a list": [1, None, 2],
}


@pytest.mark.parametrize("name", MISSING)
def test_a_missing_label_is_named_with_its_row(name):
    with pytest.raises(ValueError, match=r"Input y contains Na[NT].*row 1"):
        check_labels(MISSING[name])


@pytest.mark.parametrize(
    "labels", [["a", 1, "b"], np.array([1, "a"], dtype=object), np.array([b"a", "a"], dtype=object)]
)
def test_labels_of_several_types_are_named(labels):
    with pytest.raises(ValueError, match=r"the labels of y_val are of mixed types: .*\(row 0\) and .*\(row 1\)"):
        check_labels(labels, "y_val")


def test_rows_of_unequal_lengths_are_no_labels():
    with pytest.raises(ValueError, match="rows of unequal lengths"):
        check_labels([[0, 1], [1]])


@pytest.mark.parametrize("values", [[2, 0, 1], [True, False], [2.0, 1.0], [1, True]])
def test_objects_that_are_numbers_become_numbers(values):
    found = check_labels(np.array(values, dtype=object))
    np.testing.assert_array_equal(found, values)
    assert found.dtype.kind in "bif"


@pytest.mark.parametrize(
    "labels",
    [np.array(["a", "b"]), np.array(["a", "b"], dtype=object), np.arange(3), pd.Series(["a", "b"], dtype="category")],
    ids=["strings", "objects", "integers", "categories"],
)
def test_other_labels_are_passed_on_as_they_are(labels):
    assert check_classes(labels) is labels


@pytest.mark.parametrize("values", [(-1, 1), (0, 2), (0, 255), (0, 1, 2), (0.5, 1.0)], ids=str)
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
def test_a_matrix_of_labels_holds_zeros_and_ones(values, make):
    matrix = make(np.resize(values, (6, 3)))
    with pytest.raises(ValueError, match=r"y has shape \(6, 3\) and holds .*indicator matrix of 0 and 1"):
        check_classes(matrix)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32, object])
def test_a_matrix_of_zeros_and_ones_is_taken(dtype):
    matrix = np.resize([0, 1], (6, 3)).astype(dtype)
    np.testing.assert_array_equal(check_classes(matrix), matrix)


def test_objects_that_are_no_labels_are_named():
    with pytest.raises(ValueError, match="objects of type date, such as datetime.date"):
        check_classes(np.array([datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)], dtype=object))


def test_numbers_with_a_fraction_are_named_with_their_row():
    with pytest.raises(ValueError, match=r"not whole, such as 0.25 \(row 2\), but MLPClassifier takes classes"):
        check_classes(np.array([0.0, 1.0, 0.25]), estimator="MLPClassifier")


@pytest.mark.parametrize("name", MISSING)
@pytest.mark.parametrize(
    "model",
    [MLPClassifier((3,), max_iter=1), PixelCNN(class_conditional=True, channels=2, n_layers=1, max_iter=1)],
    ids=["mlp", "pixelcnn"],
)
def test_every_estimator_with_classes_says_what_is_missing(model, name):
    with pytest.raises(ValueError, match=r"Input y contains Na[NT].*row 1"):
        model.fit(np.zeros((3, 2), dtype=int), MISSING[name])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_objects_that_are_integers_train_as_the_integers():
    X = np.random.default_rng(0).normal(size=(30, 3))
    y = (X[:, 0] > 0).astype(int)
    options = {"hidden_layer_sizes": (3,), "max_iter": 2, "random_state": 0}
    found, expected = (MLPClassifier(**options).fit(X, labels).predict(X) for labels in (y.astype(object), y))
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


WRONG_CLASSES = {
    "bytes": (np.array([b"a", b"b", b"a"]), TypeError, r"y holds .*b'a'.*y\.astype\(str\)"),
    "objects of bytes": (np.array([b"a", b"b", b"a"], dtype=object), TypeError, "labels represented as bytes"),
    "huge floats": (np.array([1e300, 1.0, 0.0]), ValueError, r"y holds 1e\+300, beyond integers of 64 bits"),
    "huge integers": ([0, 10**30, 1], ValueError, r"y holds 1e\+30, beyond integers of 64 bits"),
    "records": (np.zeros(3, dtype=[("a", int)]), ValueError, "y holds objects of type void"),
    "measurements": (np.array([0.1, 0.2, 0.7]), ValueError, r"not whole, such as 0.1 \(row 0\)"),
}


@pytest.mark.parametrize("name", WRONG_CLASSES)
def test_what_is_no_class_is_refused_by_classifiers_and_conditional_models_alike(name):
    y, error, message = WRONG_CLASSES[name]
    codes = np.arange(12).reshape(3, 4) % 3
    grids = PixelCNN(class_conditional=True, channels=4, n_layers=1, max_iter=1)
    for model, rows in (
        (MLPClassifier((2,), max_iter=1), codes),
        (grids, codes),
        (CausalTransformer(class_conditional=True, max_iter=1), codes),
        (VQVAETransformer(2, prior=grids, max_iter=1), codes / 3),
    ):
        with pytest.raises(error, match=message):
            model.fit(rows, y)


def test_infinite_labels_are_called_so():
    with pytest.raises(ValueError, match="infinity"):
        PixelCNN(class_conditional=True, max_iter=1).fit([[0, 1], [1, 0]], [np.inf, 1.0])

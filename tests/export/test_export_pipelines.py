"""Pipelines with steps of this package through skl2onnx, run by onnxruntime."""

import sys

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import skl2onnx
import sklearn.neural_network
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits, load_wine
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skvq import AutoEncoderTransformer, MLPClassifier, MLPRegressor, VAETransformer, VQVAETransformer
from skvq.export import register_converters

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

WINE, CLASSES = load_wine(return_X_y=True)
WINE = WINE.astype(np.float32)
DIGITS, DIGIT_CLASSES = load_digits(return_X_y=True)
DIGITS, DIGIT_CLASSES = DIGITS[:300].astype(np.float32), DIGIT_CLASSES[:300]
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture(autouse=True)
def _converters():
    register_converters()


def outputs_of(pipeline, X, **options):
    """Return the outputs of a pipeline's ONNX model for all rows, and for one."""
    model = skl2onnx.to_onnx(pipeline, X[:1], options=options or None)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return session.run(None, {name: X}), session.run(None, {name: X[:1]})


def assert_classifies_alike(pipeline, X):
    """The same labels, and probabilities equal but for rounding."""
    (labels, probabilities), (one_label, one_row) = outputs_of(pipeline, X, zipmap=False)
    assert_array_equal(labels, pipeline.predict(X))
    assert_allclose(probabilities, pipeline.predict_proba(X), **CLOSE)
    assert_array_equal(one_label, labels[:1])
    assert_allclose(one_row, probabilities[:1], **CLOSE)


@pytest.mark.parametrize("names", [np.arange(3), load_wine().target_names])
def test_a_scaler_before_a_classifier(names):
    pipeline = make_pipeline(StandardScaler(), MLPClassifier((16,), max_iter=10, random_state=0))
    assert_classifies_alike(pipeline.fit(WINE, names[CLASSES]), WINE)


@pytest.mark.parametrize("kind", [MLPClassifier, sklearn.neural_network.MLPClassifier])
def test_columns_of_float64_need_no_zipmap_or_float32(kind):
    frame = pd.DataFrame(WINE[:, :3].astype(np.float64), columns=["a", "b", "c"])
    pipeline = make_pipeline(StandardScaler(), kind((8,), max_iter=5, random_state=0)).fit(frame, CLASSES)
    refused = skl2onnx.to_onnx(pipeline, frame[:1])
    with pytest.raises(Exception, match=r"tensor\(double\).*ZipMap"):
        onnxruntime.InferenceSession(refused.SerializeToString())
    columns = {name: frame[[name]].to_numpy() for name in frame}
    graph = skl2onnx.to_onnx(pipeline, frame[:1], options={"zipmap": False})
    labels, probabilities = onnxruntime.InferenceSession(graph.SerializeToString()).run(None, columns)
    assert_array_equal(labels, pipeline.predict(frame))
    assert_allclose(probabilities, pipeline.predict_proba(frame), **CLOSE)
    graph = skl2onnx.to_onnx(pipeline, frame[:1].astype(np.float32))
    columns = {name: values.astype(np.float32) for name, values in columns.items()}
    labels, _ = onnxruntime.InferenceSession(graph.SerializeToString()).run(None, columns)
    assert np.mean(labels == pipeline.predict(frame)) > 0.99


def test_a_scaler_before_a_classifier_in_float64():
    pipeline = make_pipeline(StandardScaler(), MLPClassifier((16,), max_iter=10, random_state=0))
    X = WINE.astype(np.float64)
    assert_classifies_alike(pipeline.fit(X, CLASSES), X)


def test_codes_before_an_encoder_and_a_linear_classifier():
    codes = VQVAETransformer(16, image_shape=(8, 8), channels=8, max_iter=2, prior=None, random_state=0)
    pipeline = make_pipeline(codes, OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    assert_classifies_alike(pipeline.fit(DIGITS, DIGIT_CLASSES), DIGITS)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", [AutoEncoderTransformer, VAETransformer])
def test_components_before_a_linear_classifier(kind, dtype):
    pipeline = make_pipeline(kind(4, hidden_layer_sizes=(8,), max_iter=2, random_state=0), LogisticRegression())
    X = WINE.astype(dtype)
    assert_classifies_alike(pipeline.fit(X, CLASSES), X)


def test_probabilities_by_class_name_as_scikit_learns_classifiers_have_them():
    model = MLPClassifier((8,), max_iter=2, random_state=0).fit(WINE, load_wine().target_names[CLASSES])
    (labels, rows), _ = outputs_of(model, WINE)
    expected = model.predict_proba(WINE)
    assert_array_equal(labels, model.predict(WINE))
    assert list(rows[0]) == list(model.classes_)
    assert_allclose([list(row.values()) for row in rows], expected, **CLOSE)


def test_a_regressor_on_components():
    pipeline = make_pipeline(
        VAETransformer(4, max_iter=2, random_state=0), MLPRegressor("squared_error", (8,), max_iter=5, random_state=0)
    ).fit(WINE, CLASSES)
    (found,), _ = outputs_of(pipeline, WINE)
    assert_allclose(found.ravel(), pipeline.predict(WINE), **CLOSE)


def test_two_steps_side_by_side_do_not_mix_up_their_names():
    columns = ColumnTransformer(
        [
            ("first", AutoEncoderTransformer(2, max_iter=1, random_state=0), slice(0, 6)),
            ("second", AutoEncoderTransformer(2, max_iter=1, random_state=1), slice(6, 13)),
        ]
    )
    pipeline = make_pipeline(columns, Ridge()).fit(WINE, CLASSES)
    (found,), _ = outputs_of(pipeline, WINE)
    assert_allclose(found.ravel(), pipeline.predict(WINE), **CLOSE)


def test_without_skl2onnx_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r'pip install "skvq\[onnx\]"'):
        register_converters()

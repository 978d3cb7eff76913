"""ONNX models against the methods that they stand for; onnxruntime is the oracle."""

import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skvq import (
    AutoEncoderTransformer,
    CausalTransformer,
    MLPClassifier,
    MLPRegressor,
    PixelCNN,
    ProductCodes,
    ResidualCodes,
    VAETransformer,
    VectorCodes,
    VQVAETransformer,
)
from skvq.export import to_onnx
from skvq.mlp.activations import ACTIVATIONS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

DIGITS = (load_digits().images[:240] / 16).astype(np.float32)  # (240, 8, 8)
WINE, CLASSES = load_wine(return_X_y=True)
SCALED = (WINE - WINE.mean(axis=0)) / WINE.std(axis=0)
COUNTS = np.random.default_rng(0).poisson(3.0, (100, 6)).astype(float)
SERIES = np.random.default_rng(0).normal(size=(120, 21, 3)).cumsum(axis=1)
FIRST = {"series_shape": (21, 3), "series_layout": "channels_first"}
# Sums of float32 in another order; relative to the largest value of an array.
CLOSE = 2e-6


def run(model, *inputs):
    """Return the outputs of an ONNX model, by onnxruntime on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, dict(zip([value.name for value in session.get_inputs()], inputs, strict=True)))


def assert_close(found, expected):
    """Equal shapes, and values equal but for the rounding of float32."""
    assert found.shape == expected.shape
    assert_allclose(found, expected, rtol=0, atol=CLOSE * np.abs(expected).max())


QUANTIZERS = {
    "image": (DIGITS, {}),
    "odd-image": (DIGITS[:, :7, :5], {"code_shape": (3, 3)}),
    "colour-rows": (DIGITS.reshape(len(DIGITS), -1), {"image_shape": (4, 8, 2)}),
    "gradient": (DIGITS, {"quantizer": VectorCodes(codebook_update="gradient")}),
    "simvq": (DIGITS, {"quantizer": VectorCodes(codebook_update="simvq")}),
    "cosine": (DIGITS, {"quantizer": VectorCodes(similarity="cosine")}),
    "cosine-gradient": (DIGITS, {"quantizer": VectorCodes(similarity="cosine", codebook_update="gradient")}),
    "narrow-search": (DIGITS, {"quantizer": VectorCodes(search_dim=3)}),
    "codebook-per-position": (DIGITS, {"quantizer": VectorCodes(shared_codebook=False)}),
    "residual-beam": (DIGITS, {"quantizer": "residual"}),
    "residual-greedy": (DIGITS, {"quantizer": ResidualCodes(codes_per_position=3, beam_size=1)}),
    "product": (DIGITS, {"quantizer": "product"}),
    "product-per-position": (DIGITS, {"quantizer": ProductCodes(shared_codebook=False)}),
    "finite-scalar": (DIGITS, {"quantizer": "finite_scalar"}),
    "two-grids": (DIGITS, {"code_shape": ((2, 3), (4, 4))}),
    "linear": (DIGITS, {"n_blocks": 0}),
    "whole-images": (DIGITS[..., None], {"network": "dense"}),
    "table": (WINE, {}),
    "table-network": (WINE, {"hidden_layer_sizes": (16,)}),
    "table-vector": (WINE, {"quantizer": "vector"}),
    "table-residual-per-position": (WINE, {"quantizer": ResidualCodes(codes_per_position=2)}),
    "table-product": (WINE, {"quantizer": ProductCodes(codes_per_position=2)}),
    "table-finite-scalar": (WINE, {"quantizer": "finite_scalar"}),
    "table-unstandardised": (SCALED, {"standardize": False}),
    "series": (SERIES, {"series_shape": (21, 3), "network": "convolutional", "n_blocks": 1}),
    "series-dense": (SERIES, {"series_shape": (21, 3), "network": "dense"}),
    "series-channels-first": (SERIES.swapaxes(1, 2), FIRST | {"network": "convolutional", "n_blocks": 1}),
    "series-dense-channels-first": (SERIES.swapaxes(1, 2).reshape(120, -1), FIRST | {"network": "dense"}),
}


@pytest.mark.parametrize("case", QUANTIZERS)
def test_codes_and_reconstructions_are_those_of_the_estimator(case):
    X, parameters = QUANTIZERS[case]
    model = VQVAETransformer(
        **{"n_codes": 16, "channels": 8, "max_iter": 1, "prior": None, "random_state": 0, **parameters}
    ).fit(X)
    X = X.astype(np.float32)
    codes = model.transform(X)
    encoder, decoder = to_onnx(model, "encoder"), to_onnx(model, "decoder")
    (found,) = run(encoder, X)
    assert found.shape == codes.shape
    assert (found != codes).mean() <= 1e-3  # where two codebook vectors are equally near up to rounding
    (restored,) = run(decoder, codes.astype(np.int64))
    assert_close(restored, model.inverse_transform(codes))
    (single,) = run(encoder, X[5:6])
    assert_array_equal(single, found[5:6])


AUTOENCODERS = {
    "image": (AutoEncoderTransformer(4, hidden_layer_sizes=(16,)), DIGITS),
    "convolutional": (AutoEncoderTransformer(4, network="convolutional", channels=8), DIGITS),
    "log-loss": (AutoEncoderTransformer(4, loss="log_loss", hidden_layer_sizes=(8,)), DIGITS),
    "linear": (AutoEncoderTransformer(4, hidden_layer_sizes=()), WINE),
    "cut": (AutoEncoderTransformer(4, hidden_layer_sizes=(), clip=True), WINE),
    "images as they are": (AutoEncoderTransformer(4, hidden_layer_sizes=(), clip=False), DIGITS),
    "tied": (AutoEncoderTransformer(4, tied_weights=True, hidden_layer_sizes=(16, 8)), WINE),
    "tied-linear": (AutoEncoderTransformer(4, tied_weights=True, hidden_layer_sizes=()), WINE),
    "sparse": (AutoEncoderTransformer(4, sparsity="l1", hidden_layer_sizes=(8,)), WINE),
    "sparse-sigmoid": (AutoEncoderTransformer(4, sparsity="kl", hidden_layer_sizes=(8,)), WINE),
    "gelu": (AutoEncoderTransformer(4, activation="gelu", hidden_layer_sizes=(8,)), WINE),
    "silu": (AutoEncoderTransformer(4, activation="silu", hidden_layer_sizes=(8,)), WINE),
    "tanh": (AutoEncoderTransformer(4, activation="tanh", hidden_layer_sizes=(8,)), WINE),
    "vae": (VAETransformer(4, hidden_layer_sizes=(8,)), WINE),
    "vae-convolutional": (VAETransformer(4, network="convolutional", channels=8), DIGITS),
    "vae-per-feature": (VAETransformer(4, likelihood="gaussian_per_feature"), WINE),
    "vae-bernoulli": (VAETransformer(4, likelihood="bernoulli", hidden_layer_sizes=(8,)), DIGITS),
    "series": (AutoEncoderTransformer(4, hidden_layer_sizes=(16,), **FIRST), SERIES.swapaxes(1, 2)),
    "vae-series": (VAETransformer(4, network="convolutional", channels=8, series_shape=(21, 3)), SERIES),
    "vae-poisson": (VAETransformer(2, likelihood="poisson", hidden_layer_sizes=(8,)), COUNTS),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", AUTOENCODERS)
def test_components_and_reconstructions_are_those_of_the_estimator(case, dtype):
    model, X = AUTOENCODERS[case]
    model.set_params(max_iter=1, random_state=0).fit(X)
    X = X.astype(dtype)
    Z = model.transform(X)
    (found,) = run(to_onnx(model, "encoder", dtype=dtype), X)
    assert_close(found, Z)
    (restored,) = run(to_onnx(model, "decoder", dtype=dtype), Z)
    assert restored.dtype == dtype
    assert_close(restored, model.inverse_transform(Z))


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_probabilities_are_those_of_the_classifier(activation, normalization):
    for precision in ("float32", "float64"):
        model = MLPClassifier(
            (16, 8), activation, normalization=normalization, precision=precision, max_iter=2, random_state=0
        ).fit(SCALED, CLASSES)
        for dtype in ("float32", "float64"):
            X = SCALED.astype(dtype)
            labels, probabilities = run(to_onnx(model, dtype=dtype), X)
            assert probabilities.dtype == dtype
            assert_close(probabilities, model.predict_proba(X))
            assert_array_equal(labels, model.predict(X))


def test_double_precision_stays_double():
    model = MLPClassifier(activation="tanh", precision="float64", max_iter=2, random_state=0).fit(SCALED, CLASSES)
    _, probabilities = run(to_onnx(model, dtype="float64"), SCALED)
    assert_allclose(probabilities, model.predict_proba(SCALED), rtol=1e-12)


LABELS = {
    "two": CLASSES > 0,
    "strings": load_wine().target_names[CLASSES],
    "strings-as-objects": load_wine().target_names[CLASSES].astype(object),
    "real": CLASSES * 2.0,
    "negative": CLASSES - 5,
    "one": np.zeros(len(CLASSES), dtype=int),
    "indicators": np.stack([CLASSES > 0, CLASSES > 1, SCALED[:, 0] > 0], axis=1).astype(int),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_every_kind_come_back(kind):
    model = MLPClassifier((8,), max_iter=3, random_state=0).fit(SCALED, LABELS[kind])
    X = SCALED.astype(np.float32)
    labels, probabilities = run(to_onnx(model), X)
    assert_array_equal(labels, model.predict(X))
    assert_close(probabilities, model.predict_proba(X))


REGRESSORS = {
    "one-output": (MLPRegressor("squared_error", (8,)), CLASSES * 1.0),
    "two-outputs": (MLPRegressor("squared_error", (8,)), SCALED[:, :2]),
    "perceptron": (MLPRegressor(hidden_layer_sizes=(), solver="lbfgs"), CLASSES * 1.0),
    "poisson": (MLPRegressor("poisson", (8,)), CLASSES * 1.0),
    "quantiles-out-of-order": (MLPRegressor("quantile", (8,), quantile=[0.9, 0.1, 0.5]), CLASSES * 1.0),
}


@pytest.mark.parametrize("case", REGRESSORS)
def test_predictions_are_those_of_the_regressor(case):
    model, y = REGRESSORS[case]
    model.set_params(max_iter=3, random_state=0).fit(SCALED, y)
    X = SCALED.astype(np.float32)
    (found,) = run(to_onnx(model, "predict"), X)
    assert_close(found, model.predict(X).reshape(len(X), -1))


def test_time_stamps_keep_their_digits_in_float64():
    rng = np.random.default_rng(0)
    X = np.column_stack([1.7e9 + rng.uniform(0, 60, 200), rng.normal(size=200)])
    model = AutoEncoderTransformer(2, max_iter=1, random_state=0).fit(X)
    (found,) = run(to_onnx(model, dtype="float64"), X)
    assert_close(found, model.transform(X))
    (rounded,) = run(to_onnx(model, dtype="float32"), X.astype(np.float32))
    assert np.abs(rounded - model.transform(X)).max() > 0.1  # a float32 holds a time stamp to 64 seconds


def test_the_prior_does_not_matter_and_the_estimator_is_left_alone():
    model = VQVAETransformer(n_codes=8, max_iter=1, prior=PixelCNN(max_iter=1), random_state=0).fit(WINE)
    before = {name: array.copy() for name, array in model.weights_.items()}
    (codes,) = run(to_onnx(model), WINE.astype(np.float32))
    assert_array_equal(codes, model.transform(WINE.astype(np.float32)))
    assert all(np.array_equal(before[name], array) for name, array in model.weights_.items())


def test_a_model_states_its_opset_and_its_shapes():
    model = to_onnx(MLPRegressor(hidden_layer_sizes=(4,), max_iter=1).fit(SCALED, CLASSES))
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    dimensions = model.graph.input[0].type.tensor_type.shape.dim
    assert (dimensions[0].dim_param, dimensions[1].dim_value) == ("n", 13)
    onnx.checker.check_model(model, full_check=True)


def test_an_unfitted_estimator_is_refused():
    with pytest.raises(NotFittedError):
        to_onnx(VQVAETransformer())


@pytest.mark.parametrize("part", ["decode", "prior", "predict"])
def test_an_unknown_part_is_refused_with_those_there_are(part):
    model = VAETransformer(2, max_iter=1).fit(WINE)
    with pytest.raises(ValueError, match=rf"part='{part}' is no part of VAETransformer.*'encoder', 'decoder'"):
        to_onnx(model, part)


def test_an_unknown_dtype_is_refused():
    with pytest.raises(ValueError, match="dtype='float16'"):
        to_onnx(MLPRegressor(max_iter=1).fit(SCALED, CLASSES), dtype="float16")


@pytest.mark.parametrize("estimator", [PixelCNN(), CausalTransformer()])
def test_models_of_codes_are_refused(estimator):
    with pytest.raises(TypeError, match=f"{type(estimator).__name__} has no form in ONNX"):
        to_onnx(estimator)


@pytest.mark.parametrize("estimator", [make_pipeline(StandardScaler(), PCA(2)), PCA(2)])
def test_the_way_of_pipelines_is_named(estimator):
    with pytest.raises(TypeError, match=r"has no form in ONNX.*register_converters\(\), then skl2onnx.to_onnx\("):
        to_onnx(estimator.fit(WINE))


def test_without_onnx_the_error_says_what_to_install(monkeypatch):
    model = MLPRegressor(max_iter=1).fit(SCALED, CLASSES)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r'pip install "skvq\[onnx\]"'):
        to_onnx(model)


def test_a_label_that_onnx_has_no_integer_for_is_refused():
    X = np.random.default_rng(0).normal(size=(20, 2))
    labels = np.array([1, 2**63 + 5], dtype=np.uint64)[(X[:, 0] > 0).astype(int)]
    model = MLPClassifier(hidden_layer_sizes=(), solver="lbfgs").fit(X, labels)
    with pytest.raises(ValueError, match="9223372036854775813"):
        to_onnx(model)

"""Under scikit-learn's array API dispatch tensors give tensors, of the values that arrays give."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import config_context, get_config
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from sklearn.metrics import accuracy_score, r2_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skvq

IMAGES = load_digits().images[:60].astype(np.float32)
ROWS, CLASSES = load_wine(return_X_y=True)
NUMBERS = ROWS[:, -1]
GRIDS = np.random.default_rng(0).integers(4, size=(60, 3, 3))
QUICK = {"max_iter": 1, "random_state": 0}
CODES = skvq.VQVAETransformer(4, prior="pixelcnn", channels=8, **QUICK)
DETECTOR = skvq.OutlierDetector(GaussianMixture(2, random_state=0), cv=2)
# An estimator, what it is fitted to, and its methods of X.
CASES = {
    "images": (CODES, (IMAGES,), ("fit_transform", "transform", "score_samples")),
    "variational": (skvq.VAETransformer(2, **QUICK), (ROWS,), ("transform", "score_samples", "reconstruct")),
    "autoencoder": (
        skvq.AutoEncoderTransformer(2, **QUICK),
        (ROWS,),
        ("transform", "score_samples", "reconstruction_error"),
    ),
    "rows": (skvq.OrderlessNADE(**QUICK), (ROWS,), ("transform", "score_samples", "complete")),
    "grids": (skvq.PixelCNN(**QUICK), (GRIDS,), ("score_samples",)),
    "classes": (skvq.MLPClassifier(**QUICK), (ROWS, CLASSES), ("predict", "predict_proba", "predict_log_proba")),
    "numbers": (skvq.MLPRegressor(**QUICK), (ROWS, NUMBERS), ("predict",)),
    "detector": (DETECTOR, (ROWS,), ("predict", "decision_function", "score_samples", "fit_predict")),
}
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # one epoch


def dispatching(monkeypatch):
    """Return a block in which scikit-learn dispatches on the kind of arrays."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    return config_context(array_api_dispatch=True)


def as_tensors(arrays):
    return [torch.from_numpy(array) for array in arrays]


@pytest.mark.parametrize("name", CASES)
def test_tensors_give_tensors_of_the_values_that_arrays_give(name, monkeypatch):
    estimator, data, methods = CASES[name]
    expected = clone(estimator).fit(*data)
    with dispatching(monkeypatch):
        found = clone(estimator).fit(*as_tensors(data))
        for method in methods:
            options = {"random_state": 0} if method in ("reconstruct", "complete") else {}
            result = getattr(found, method)(torch.from_numpy(data[0]), **options)
            array = getattr(expected, method)(data[0], **options)
            assert isinstance(result, torch.Tensor), method
            assert isinstance(array, np.ndarray), method
            np.testing.assert_array_equal(result.numpy(), array, strict=True, err_msg=method)
            without = getattr(found, method)(data[0], **options)
            assert isinstance(without, np.ndarray), method


@pytest.mark.parametrize("name", ["images", "variational", "autoencoder"])
def test_what_is_decoded_is_a_tensor(name, monkeypatch):
    estimator, data, _ = CASES[name]
    fitted = clone(estimator).fit(*data)
    with dispatching(monkeypatch):
        encoded = fitted.transform(torch.from_numpy(data[0]))
        decoded = fitted.inverse_transform(encoded)
    np.testing.assert_array_equal(decoded.numpy(), fitted.inverse_transform(encoded.numpy()), strict=True)


def test_regions_and_traversals_are_tensors(monkeypatch):
    images, rows = torch.from_numpy(IMAGES[:3]), torch.from_numpy(ROWS[:3])
    mask = torch.arange(8)[:, None].expand(8, 8) < 4
    codes, components = clone(CODES).fit(IMAGES), skvq.VAETransformer(2, **QUICK).fit(ROWS)
    with dispatching(monkeypatch):
        assert isinstance(codes.complete(images, mask), torch.Tensor)
        assert isinstance(components.traverse(0, X=rows), torch.Tensor)
        assert isinstance(components.traverse(0), np.ndarray)


def test_several_completions_are_a_list_of_tensors(monkeypatch):
    fitted, X = skvq.OrderlessNADE(**QUICK).fit(ROWS), torch.from_numpy(ROWS[:3].copy())
    X[0, 0] = torch.nan
    with dispatching(monkeypatch):
        found = fitted.complete(X, n_draws=2)
    assert [type(part) for part in found] == [torch.Tensor] * 2


def test_scores_and_metrics_of_tensors_are_those_of_arrays(monkeypatch):
    X, labels, numbers = as_tensors((ROWS, CLASSES, NUMBERS))
    classifier, regressor = (
        skvq.MLPClassifier(**QUICK).fit(ROWS, CLASSES),
        skvq.MLPRegressor(**QUICK).fit(ROWS, NUMBERS),
    )
    codes = clone(CODES).fit(IMAGES)
    scaled = make_pipeline(StandardScaler(), skvq.MLPClassifier(**QUICK))
    with dispatching(monkeypatch):
        accuracy = accuracy_score(labels, classifier.predict(X))
        assert accuracy == pytest.approx(classifier.score(X, labels), rel=1e-6)  # of tensors it is a mean of float32
        assert r2_score(numbers, regressor.predict(X)) == pytest.approx(regressor.score(X, numbers), rel=1e-12)
        assert get_config()["array_api_dispatch"]
        found = cross_val_score(scaled, X, labels, cv=2, scoring="accuracy")
        images = torch.from_numpy(IMAGES)
        assert codes.score(images) == codes.score(IMAGES)
        assert codes.bits_per_dim(images) == codes.bits_per_dim(IMAGES)
    assert classifier.score(X, labels) == classifier.score(ROWS, CLASSES)
    np.testing.assert_allclose(found, cross_val_score(scaled, ROWS, CLASSES, cv=2, scoring="accuracy"), rtol=1e-6)


def test_words_and_frames_stay_what_they_are(monkeypatch):
    words = skvq.MLPClassifier(**QUICK).fit(ROWS, np.array(list("abc"))[CLASSES])
    framed = clone(CODES).set_output(transform="pandas").fit(IMAGES)
    with dispatching(monkeypatch):
        assert isinstance(words.predict(torch.from_numpy(ROWS)), np.ndarray)
        assert isinstance(framed.transform(torch.from_numpy(IMAGES)), pd.DataFrame)


def test_without_dispatch_tensors_give_arrays():
    fitted = skvq.MLPRegressor(**QUICK).fit(ROWS, NUMBERS)
    assert isinstance(fitted.predict(torch.from_numpy(ROWS)), np.ndarray)

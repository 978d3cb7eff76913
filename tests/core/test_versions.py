"""Pickles know the versions that they were made with."""

import copy
import pickle
import warnings

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.exceptions import InconsistentVersionWarning

import skvq
from skvq.core import versions

DUMPS = [getattr(skvq, name) for name in skvq.__all__ if hasattr(getattr(skvq, name), "get_params")]


def make(kind):
    return kind(skvq.VAETransformer()) if kind is skvq.OutlierDetector else kind()


@pytest.mark.parametrize("kind", DUMPS)
def test_a_pickle_of_the_same_versions_comes_back_without_a_warning_or_a_trace(kind, tmp_path):
    model = make(kind)
    joblib.dump(model, tmp_path / "model")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = [pickle.loads(pickle.dumps(model)), copy.deepcopy(model), joblib.load(tmp_path / "model")]
    assert [vars(again).keys() for again in found] == [vars(model).keys()] * 3


@pytest.mark.parametrize("kind", DUMPS)
def test_another_version_of_this_package_warns_and_names_both(kind, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(versions, "__version__", "0.0.9")
        pickled = pickle.dumps(make(kind))
    message = f"{kind.__name__} was pickled with skvq 0.0.9, this is skvq {skvq.__version__}"
    with pytest.warns(InconsistentVersionWarning, match=message) as caught:
        again = pickle.loads(pickled)
    assert vars(again).keys() == vars(make(kind)).keys()
    assert caught[-1].filename == __file__


@pytest.mark.parametrize("kind", DUMPS)
def test_another_version_of_scikit_learn_warns_as_its_own_estimators_do(kind, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(versions.sklearn, "__version__", "1.7.0")
        pickled = pickle.dumps(make(kind))
    with pytest.warns(InconsistentVersionWarning) as caught:
        pickle.loads(pickled)
    found = caught[0].message
    assert (found.estimator_name, found.original_sklearn_version) == (
        ("VAETransformer", "1.7.0") if kind is skvq.OutlierDetector else (kind.__name__, "1.7.0")
    )
    assert found.current_sklearn_version == sklearn.__version__


def test_a_pickle_that_names_no_version_warns():
    state = skvq.PixelCNN().__getstate__()
    del state["_skvq_version"]
    with pytest.warns(InconsistentVersionWarning, match="of unknown version"):
        skvq.PixelCNN.__new__(skvq.PixelCNN).__setstate__(state)


def test_a_fitted_model_computes_the_same_after_the_warning(monkeypatch):
    X = np.random.default_rng(0).normal(size=(40, 3))
    model = skvq.AutoEncoderTransformer(2, max_iter=1, random_state=0).fit(X)
    with monkeypatch.context() as patch:
        patch.setattr(versions, "__version__", "0.0.9")
        pickled = pickle.dumps(model)
    with pytest.warns(versions.OtherVersionWarning):
        again = pickle.loads(pickled)
    np.testing.assert_array_equal(again.transform(X), model.transform(X))

"""Saved models of every version, and the other ways in which an estimator is kept: pickle, joblib, skops."""

import pickle
import sys
from functools import cache
from pathlib import Path

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

import skvq

sys.path.insert(0, str(Path(__file__).parent))
import saved_files

KEPT = sorted((Path(__file__).parent / "data" / "saved").glob("*/*.safetensors"))
models = cache(saved_files.models)
OF_EACH_CLASS = {
    "AutoEncoderTransformer": "autoencoder, tied",
    "CausalTransformer": "CausalTransformer",
    "OrderlessNADE": "OrderlessNADE",
    "MLPClassifier": "classifier, batch normalisation",
    "OutlierDetector": "detector, neighbours",
    "MLPRegressor": "regressor, quantiles",
    "PixelCNN": "PixelCNN, classes",
    "VAETransformer": "VAE, mixture",
    "VQVAETransformer": "VQ-VAE, two grids",
}


def test_files_of_this_version_are_kept():
    assert {path.stem for path in KEPT if path.parent.name == skvq.__version__} == set(saved_files.KEPT)
    assert sum(path.stat().st_size for path in KEPT) < 500_000


@pytest.mark.filterwarnings("ignore:.*was written by skvq")
@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name} {path.stem}")
def test_a_file_of_any_version_gives_what_it_gave_then(path):
    model, expected = skvq.load(path), dict(np.load(path.with_suffix(".npz")))
    found = saved_files.methods(model, expected.pop("rows"))
    assert found.keys() >= expected.keys()  # a later version may have more methods
    for name, values in expected.items():
        assert found[name].dtype == values.dtype
        if values.dtype.kind == "f":
            # Other processors add in another order: about sqrt(n) units in the last place of float32, n up to 1,000.
            np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-4 * np.abs(values).max())
        else:
            np.testing.assert_array_equal(found[name], values)


def by_pickle(estimator, path):
    return pickle.loads(pickle.dumps(estimator))


def by_joblib(estimator, path):
    joblib.dump(estimator, path)
    return joblib.load(path)


def by_skops(estimator, path):
    skops.io.dump(estimator, path)
    untrusted = skops.io.get_untrusted_types(file=path)
    model = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    inside = [getattr(model, name, None) for name in ("prior", "prior_", "estimator", "neighbors_")]
    each = [model, *(part for part in inside if isinstance(part, BaseEstimator))]
    assert set(untrusted) == {f"{type(part).__module__}.{type(part).__name__}" for part in each}
    return skops.io.load(path, trusted=untrusted)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("n_columns", [7, 8])
def test_skops_asks_for_what_finds_neighbours_in_narrow_tables(n_columns):
    rows = np.random.default_rng(0).normal(size=(60, n_columns))
    inside = skvq.AutoEncoderTransformer(2, hidden_layer_sizes=(), max_iter=1, random_state=0)
    detector = skvq.OutlierDetector(inside, method="neighbors", contamination=0.1).fit(rows)
    untrusted = skops.io.get_untrusted_types(data=skops.io.dumps(detector))
    of_others = [name for name in untrusted if not name.startswith("skvq.")]
    narrow = ["sklearn.metrics._dist_metrics.EuclideanDistance64", "sklearn.neighbors._kd_tree.KDTree"]
    assert sorted(of_others) == (narrow if n_columns <= 7 else [])


def test_the_other_ways_are_tried_on_every_class():
    held = {type(model).__name__ for model in models().values()}
    assert held == set(OF_EACH_CLASS)
    assert {type(models()[name]).__name__ for name in OF_EACH_CLASS.values()} == held
    assert isinstance(models()["VQ-VAE, two grids"].prior_, skvq.HierarchicalPixelCNN)


@pytest.mark.parametrize("kind", OF_EACH_CLASS)
@pytest.mark.parametrize("way", [by_pickle, by_joblib, by_skops])
def test_an_estimator_alone_and_in_a_pipeline_is_kept_in_any_way(kind, way, tmp_path):
    model = models()[OF_EACH_CLASS[kind]]
    expected = saved_files.outputs(model)
    alone = way(model, tmp_path / "model")
    inside = way(Pipeline([("nothing", "passthrough"), ("model", model)]), tmp_path / "pipeline")[-1]
    for again in (alone, inside):
        for method, values in saved_files.outputs(again).items():
            np.testing.assert_array_equal(values, expected[method], err_msg=method)

"""Of an array or frame of dask the result is a lazy one, and block by block it is what the method returns."""

import pickle

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

import skvq
from skvq.core import lazy

DIGITS, LABELS = load_digits(return_X_y=True)
DIGITS, LABELS = DIGITS[:150], LABELS[:150]
IMAGES = DIGITS.reshape(-1, 8, 8).astype(np.float32)
SERIES = DIGITS.reshape(-1, 32, 2)
SHORT = {"max_iter": 1, "random_state": 0}
SMALL = {"channels": 8, "n_layers": 1, **SHORT}
TABLE = pd.DataFrame(
    {
        "amount": np.where(DIGITS[:, 20] > 14, np.nan, DIGITS[:, 20]),
        "count": DIGITS[:, 21].astype(int),
        "kind": pd.Categorical(np.where(DIGITS[:, 30] > 3, "left", "right")),
        "place": np.where(DIGITS[:, 36] > 3, "north", "south"),
    }
)
REGRESSOR = skvq.MLPRegressor(hidden_layer_sizes=(8,), max_iter=5, random_state=0)
CLASSIFIER = skvq.MLPClassifier((8,), max_iter=5, random_state=0)
AUTOENCODER = skvq.AutoEncoderTransformer(4, **SHORT)
OF_IMAGES = skvq.VQVAETransformer(8, channels=8, n_blocks=1, prior=skvq.PixelCNN(**SMALL), **SHORT)
OF_TABLES = skvq.VQVAETransformer(8, prior=skvq.OrderlessNADE(**SHORT), **SHORT)
# A model, what it is fitted to, and the methods of rows.
MODELS = {
    "autoencoder": (AUTOENCODER, (DIGITS,), ("transform", "score_samples", "reconstruction_error")),
    "autoencoder, images": (AUTOENCODER, (IMAGES,), ("transform", "score_samples", "reconstruction_error")),
    "autoencoder, series": (
        skvq.AutoEncoderTransformer(4, series_shape=(32, 2), **SHORT),
        (SERIES,),
        ("transform", "reconstruction_error"),
    ),
    "vae": (skvq.VAETransformer(3, prior="normal", **SHORT), (DIGITS,), ("transform", "score_samples")),
    "vqvae, images": (OF_IMAGES, (IMAGES,), ("transform", "score_samples")),
    "vqvae, table": (OF_TABLES, (DIGITS[:, 18:24],), ("transform", "score_samples")),
    "nade": (skvq.OrderlessNADE(**SHORT), (DIGITS[:, 18:24],), ("score_samples",)),
    "pixelcnn": (skvq.PixelCNN(**SMALL), ((IMAGES[:, ::2, ::2] // 4.01).astype(int),), ("score_samples",)),
    "regressor": (REGRESSOR, (DIGITS, LABELS), ("predict",)),
    "regressor, two outputs": (REGRESSOR, (DIGITS.astype(np.float32), DIGITS[:, 20:22]), ("predict",)),
    "regressor, quantiles": (
        clone(REGRESSOR).set_params(loss="quantile", quantile=(0.1, 0.9)),
        (DIGITS, LABELS),
        ("predict",),
    ),
    "classifier": (CLASSIFIER, (DIGITS, LABELS.astype(str)), ("predict", "predict_proba", "predict_log_proba")),
    "classifier, two classes": (CLASSIFIER, (DIGITS, LABELS > 4), ("predict", "predict_proba")),
    "classifier, many labels": (
        CLASSIFIER,
        (DIGITS, np.column_stack([LABELS > 4, LABELS % 2 > 0]).astype(int)),
        ("predict", "predict_proba"),
    ),
    "outliers": (
        skvq.OutlierDetector(AUTOENCODER, contamination=0.1),
        (DIGITS,),
        ("predict", "decision_function", "score_samples"),
    ),
}
METHODS = [(name, method) for name, (_, _, methods) in MODELS.items() for method in methods]
BACK = ["autoencoder", "autoencoder, images", "autoencoder, series", "vae", "vqvae, images", "vqvae, table"]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def refuse_to_compute(*args, **kwargs):
    raise AssertionError("something is computed")


@pytest.fixture(autouse=True)
def nothing_computes():
    """Only what a test computes itself, by :func:`computed`, may run; dask leaves the dtypes of frames as they are."""
    with dask.config.set({"scheduler": refuse_to_compute, "dataframe.convert-string": False}):
        yield


def computed(result):
    return result.compute(scheduler="synchronous")


@pytest.fixture(scope="module")
def fitted():
    """A function that returns a fitted model by its name."""
    models = {}

    def of(name):
        if name not in models:
            model, data, _ = MODELS[name]
            models[name] = clone(model).fit(*data)
        return models[name]

    return of


@pytest.fixture(scope="module")
def of_table():
    return clone(OF_TABLES).fit(TABLE)


def assert_lazy_array(result, expected, rows):
    """Fail where a lazy array is not what it says, or not what is expected; `rows` are its chunks along the rows."""
    assert isinstance(result, da.Array)
    assert result.chunks == (rows, *((size,) for size in expected.shape[1:]))
    assert result.dtype == expected.dtype
    assert isinstance(result._meta, np.ndarray)
    assert (result._meta.dtype, result._meta.ndim) == (expected.dtype, expected.ndim)
    found = computed(result)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6) if found.dtype.kind == "f" else (
        np.testing.assert_array_equal(found, expected)
    )


@pytest.mark.parametrize(("name", "method"), METHODS)
def test_methods_of_rows_return_lazy_arrays(name, method, fitted):
    model, X = fitted(name), MODELS[name][1][0]
    chunked = da.from_array(X, chunks=(70, *(-(-size // 2) for size in X.shape[1:])))  # columns in pieces, too
    assert_lazy_array(getattr(model, method)(chunked), getattr(model, method)(X), (70, 70, 10))


@pytest.mark.parametrize("name", BACK)
def test_codes_come_back_as_lazy_rows(name, fitted):
    model, X = fitted(name), MODELS[name][1][0]
    codes = model.transform(da.from_array(X, chunks=(70, *X.shape[1:])))
    assert_lazy_array(model.inverse_transform(codes), model.inverse_transform(model.transform(X)), (70, 70, 10))


def test_codes_and_their_prior_work_on_the_same_lazy_array(fitted):
    model = fitted("vqvae, images")
    log_prob = model.prior_.score_samples(model.transform(da.from_array(IMAGES, chunks=(40, 8, 8))))
    assert_lazy_array(log_prob, model.prior_.score_samples(model.transform(IMAGES)), (40, 40, 40, 30))


def test_blocks_may_be_of_unknown_sizes_or_empty(fitted):
    model = fitted("autoencoder")
    X = da.from_array(DIGITS, chunks=(50, 64))
    few = X[(X[:, 20] > 8) & (da.arange(150, chunks=50) < 100)]
    Z = model.transform(few)
    assert np.isnan(Z.shape[0])
    expected = model.transform(DIGITS[:100][DIGITS[:100, 20] > 8])
    np.testing.assert_allclose(computed(Z), expected, rtol=1e-5, atol=1e-6)


def test_frames_keep_their_columns_and_their_kinds(of_table):
    frame = dd.from_pandas(TABLE, npartitions=3)
    codes = of_table.transform(frame)
    assert isinstance(codes, da.Array)
    assert codes.dtype == np.int32
    np.testing.assert_array_equal(computed(codes), of_table.transform(TABLE))
    np.testing.assert_allclose(computed(of_table.score_samples(frame)), of_table.score_samples(TABLE), rtol=1e-5)
    back, expected = of_table.inverse_transform(codes), of_table.inverse_transform(of_table.transform(TABLE))
    assert isinstance(back, dd.DataFrame)
    assert back.dtypes.to_dict() == expected.dtypes.to_dict()
    pd.testing.assert_frame_equal(computed(back).reset_index(drop=True), expected)


@pytest.mark.parametrize("kind", ["array", "frame"])
def test_set_output_asks_for_lazy_frames(kind, fitted, of_table):
    model, X = (of_table, TABLE) if kind == "frame" else (fitted("autoencoder"), DIGITS)
    model = clone(model).fit(X).set_output(transform="pandas")
    lazy_X = dd.from_pandas(X, npartitions=3) if kind == "frame" else da.from_array(X, chunks=(70, 40))
    Z, expected = model.transform(lazy_X), model.transform(X)
    assert isinstance(Z, dd.DataFrame)
    assert Z.dtypes.to_dict() == expected.dtypes.to_dict()
    found = computed(Z)
    if kind == "frame":
        pd.testing.assert_index_equal(found.index, TABLE.index)
    pd.testing.assert_frame_equal(found.reset_index(drop=True), expected, rtol=1e-5)


def test_frames_that_dask_does_not_have_are_refused(fitted):
    X = da.from_array(DIGITS, chunks=(70, 64))
    model = clone(AUTOENCODER).fit(DIGITS).set_output(transform="polars")
    with pytest.raises(ValueError, match="frames of polars, which dask does not have; .*set_output.*'default'"):
        model.transform(X)
    model = clone(AUTOENCODER).fit(pl.from_pandas(TABLE))
    with pytest.raises(ValueError, match="frames of polars"):
        model.inverse_transform(da.zeros((10, model.n_components_)))


def test_mistakes_are_found_before_anything_is_computed(fitted):
    X = da.from_array(DIGITS, chunks=(70, 64))
    with pytest.raises(NotFittedError):
        clone(AUTOENCODER).transform(X)
    with pytest.raises(ValueError, match="X has 63 features, but AutoEncoderTransformer is expecting 64 features"):
        fitted("autoencoder").transform(X[:, 1:])
    codes = da.from_array(MODELS["pixelcnn"][1][0].reshape(150, -1), chunks=(70, 16))
    with pytest.raises(ValueError, match="score_samples of a dask X takes no other array beside it"):
        fitted("pixelcnn").score_samples(codes, LABELS)


def test_what_a_method_computes_by_another_one_is_computed_at_once():
    X = da.from_array(DIGITS, chunks=(70, 64))
    detector, vae = MODELS["outliers"][0], MODELS["vae"][0]
    with dask.config.set(scheduler="synchronous"):
        detector, vae = clone(detector).fit(DIGITS), clone(vae).fit(DIGITS)
        np.testing.assert_allclose(
            clone(detector).fit(DIGITS).set_threshold(0.1, X).offset_, detector.offset_, rtol=1e-5
        )
        np.testing.assert_allclose(vae.traverse(0, X=X), vae.traverse(0, X=DIGITS), rtol=1e-5, atol=1e-5)
        assert vae.score(X) == pytest.approx(vae.score(DIGITS), rel=1e-6)


def test_options_reach_the_blocks(fitted):
    model, X = fitted("vae"), da.from_array(DIGITS, chunks=(70, 64))
    found = computed(model.score_samples(X, n_importance_samples=3))
    np.testing.assert_allclose(found, model.score_samples(DIGITS, n_importance_samples=3), rtol=1e-5)
    assert not np.allclose(found, model.score_samples(DIGITS))


def test_the_model_is_in_the_graph_once(fitted):
    model = fitted("autoencoder")
    Z = model.transform(da.from_array(DIGITS, chunks=(5, 64)))
    (graph,) = dask.optimize(Z)
    weights = max(model.weights_.values(), key=np.size).tobytes()
    assert len(graph.dask) > 30
    assert pickle.dumps(dict(graph.dask)).count(weights) == 1


def test_the_result_is_that_of_the_model_as_it_was():
    model = clone(REGRESSOR).fit(DIGITS, LABELS)
    found, expected = model.predict(da.from_array(DIGITS, chunks=(70, 64))), model.predict(DIGITS)
    model.partial_fit(DIGITS, -LABELS)
    assert not np.allclose(model.predict(DIGITS), expected)
    np.testing.assert_allclose(computed(found), expected)


def test_is_lazy_knows_the_types_of_dask():
    assert lazy.is_lazy(da.zeros(3))
    assert lazy.is_lazy(dd.from_pandas(TABLE, npartitions=1))
    assert not any(map(lazy.is_lazy, (DIGITS, TABLE, [[1.0]], None)))

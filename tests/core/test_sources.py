"""X that comes a chunk of rows at a time gives what an array gives, and faults name the chunk."""

import warnings

import dask.array
import dask.dataframe
import h5py
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pytest
import torch
import zarr
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits

from skvq import AutoEncoderTransformer, OrderlessNADE, OutlierDetector, PixelCNN, VAETransformer, VQVAETransformer
from skvq.core.sources import is_source
from skvq.training import stored
from skvq.training.loop import Loop

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(600, 2)) @ RANDOM.normal(size=(2, 5)) + 0.1 * RANDOM.normal(size=(600, 5))
NAMES = list("abcde")
FRAME = pd.DataFrame(X, columns=NAMES)
IMAGES = load_digits().images[:300]
SHORT = {"max_iter": 2, "random_state": 0}
MODEL = AutoEncoderTransformer(2, hidden_layer_sizes=(8,), **SHORT)


class Rows(torch.utils.data.Dataset):
    """A data set in the style of most tutorials: items are pairs of a row and a label."""

    def __init__(self, X):
        self.X = X

    def __len__(self):
        return len(self.X)

    def __getitem__(self, index):
        return torch.from_numpy(self.X[index]), 0


class Endless(torch.utils.data.IterableDataset):
    """A data set that gives one row after the other."""

    def __iter__(self):
        return iter(X)


def chunks(X, n=130):
    return (X[start : start + n] for start in range(0, len(X), n))


def in_hdf5(folder):
    file = h5py.File(folder / "X.h5", "w")
    return file.create_dataset("X", data=X, chunks=(64, 2))


SOURCES = {
    "generator": lambda folder: chunks(X),
    "frames": lambda folder: chunks(FRAME),
    "polars": lambda folder: chunks(pl.from_pandas(FRAME)),
    "csv": lambda folder: pd.read_csv(folder / "X.csv", chunksize=100),
    "dask array": lambda folder: dask.array.from_array(X, chunks=(100, 3)),
    "dask frame": lambda folder: dask.dataframe.from_pandas(FRAME, npartitions=4),
    "zarr": lambda folder: zarr.array(X, chunks=(50, 2)),
    "hdf5": in_hdf5,
    "dataset": lambda folder: Rows(X),
    "iterable dataset": lambda folder: Endless(),
    "loader": lambda folder: torch.utils.data.DataLoader(Rows(X), batch_size=64),
    "arrow dataset": lambda folder: pa.dataset.dataset(pa.Table.from_pandas(FRAME)),
    "arrow batches": lambda folder: pa.dataset.dataset(pa.Table.from_pandas(FRAME)).to_batches(),
    "a list of arrow batches": lambda folder: iter(pa.Table.from_pandas(FRAME).to_batches(max_chunksize=100)),
    "pairs": lambda folder: ((chunk, np.zeros(len(chunk))) for chunk in chunks(X)),
    "batches of a loader": lambda folder: (batch for batch in torch.utils.data.DataLoader(Rows(X), batch_size=64)),
    "with a length": lambda folder: dict(enumerate(chunks(X))).values(),
    "arrow reader": lambda folder: pa.Table.from_pandas(FRAME).to_reader(),
}


@pytest.fixture(scope="module")
def fitted():
    return clone(MODEL).fit(X)


def assert_same_weights(one, other):
    for name, weights in one.weights_.items():
        np.testing.assert_array_equal(weights, other.weights_[name], err_msg=name)


@pytest.mark.parametrize("name", SOURCES)
def test_a_fit_of_chunks_has_the_bits_of_a_fit_of_the_array(name, fitted, tmp_path):
    FRAME.to_csv(tmp_path / "X.csv", index=False)
    model = clone(MODEL).fit(SOURCES[name](tmp_path))
    assert_same_weights(model, fitted)
    assert model.n_features_in_ == 5
    # Chunks go through the network in other batches than the array, and some processors round these in another way.
    np.testing.assert_array_max_ulp(model.transform(SOURCES[name](tmp_path)), fitted.transform(X), maxulp=2)
    assert model.score(SOURCES[name](tmp_path)) == pytest.approx(fitted.score(X), rel=1e-12)
    has_names = name in ("frames", "polars", "csv", "dask frame") or "arrow" in name
    assert list(getattr(model, "feature_names_in_", [])) == (NAMES if has_names else [])


@pytest.mark.parametrize(
    ("model", "X"),
    [
        (VAETransformer(2, hidden_layer_sizes=(8,), **SHORT), X),
        (VAETransformer(2, hidden_layer_sizes=(8,), likelihood="poisson", **SHORT), np.abs(X).round()),
        (AutoEncoderTransformer(2, hidden_layer_sizes=(8,), loss="log_loss", **SHORT), X > 0),
        (AutoEncoderTransformer(2, hidden_layer_sizes=(8,), standardize=False, **SHORT), X),
        (AutoEncoderTransformer(2, hidden_layer_sizes=(8,), **SHORT), X * 1e-170),
        (VQVAETransformer(8, hidden_layer_sizes=(8,), prior=OrderlessNADE(n_units=8, max_iter=2), **SHORT), X),
        (VQVAETransformer(8, hidden_layer_sizes=(8,), prior=PixelCNN(max_iter=1), **SHORT), X),
        (VQVAETransformer(8, channels=8, n_blocks=1, code_shape=(2, 2), prior=None, **SHORT), IMAGES),
        (VQVAETransformer(8, channels=8, n_blocks=1, prior=None, **SHORT), IMAGES.astype(np.uint8)[..., None]),
        (AutoEncoderTransformer(2, image_shape=(8, 8), **SHORT), IMAGES.reshape(-1, 64)),
        (AutoEncoderTransformer(2, series_shape=(10, 3), **SHORT), np.tile(X, 6).reshape(-1, 10, 3)),
        (
            AutoEncoderTransformer(2, series_shape=(10, 3), series_layout="channels_first", **SHORT),
            np.tile(X, 6).reshape(-1, 3, 10),
        ),
        (PixelCNN(channels=8, n_layers=1, **SHORT), (IMAGES[:, ::2, ::2] // 4.01).astype(int)),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "fit") else "",
)
def test_every_kind_of_model_and_of_rows_comes_in_chunks(model, X):
    whole = clone(model).fit(X)
    parts = clone(model).fit(chunks(X, 70))
    assert_same_weights(whole, parts)
    assert parts.get_params().keys() == whole.get_params().keys()
    method = "transform" if hasattr(whole, "transform") else "score_samples"
    expected = getattr(whole, method)(X)
    np.testing.assert_array_equal(getattr(parts, method)(chunks(X)), expected)
    if hasattr(whole, "inverse_transform"):
        np.testing.assert_array_equal(parts.inverse_transform(expected), whole.inverse_transform(expected), strict=True)
    if getattr(whole, "prior", None) is not None:
        np.testing.assert_array_equal(parts.sample(3, random_state=0), whole.sample(3, random_state=0))
        np.testing.assert_array_equal(parts.score_samples(chunks(X)), whole.score_samples(X))


def test_held_out_rows_can_come_in_chunks():
    whole, parts = (clone(MODEL).fit(part(X), X_val=part(X[:100])) for part in (np.asarray, chunks))
    assert_same_weights(whole, parts)
    assert parts.validation_loss_curve_ == whole.validation_loss_curve_
    with pytest.raises(ValueError, match="chunk 0 of X_val has 4 features"):
        clone(MODEL).fit(X, X_val=chunks(X[:, :4]))


def test_a_prior_of_rows_learns_from_rows_that_stand_for_all(monkeypatch):
    monkeypatch.setattr(stored, "SOME_VALUES", 5 * 200)
    seen, fit = [], OrderlessNADE.fit
    monkeypatch.setattr(OrderlessNADE, "fit", lambda self, X, **kwargs: [seen.append(X), fit(self, X, **kwargs)][1])
    prior = OrderlessNADE(n_units=8, max_iter=1)
    VQVAETransformer(8, hidden_layer_sizes=(8,), prior=prior, **SHORT).fit(chunks(X))
    (rows,) = seen
    assert rows.shape == (200, 5)
    run = np.array([np.flatnonzero((row == X).all(axis=1))[0] // 3 for row in rows])
    np.testing.assert_array_equal(run, np.arange(200))


def test_integers_and_then_floats_become_floats():
    mixed = [np.arange(20).reshape(10, 2), np.arange(20).reshape(10, 2) + 0.5]
    model = AutoEncoderTransformer(1, **SHORT).fit(iter(mixed))
    assert_same_weights(model, AutoEncoderTransformer(1, **SHORT).fit(np.concatenate(mixed)))


def test_empty_chunks_are_no_rows():
    model = clone(MODEL).fit(iter([X[:0], X[:300], X[:0], X[300:]]))
    assert_same_weights(model, clone(MODEL).fit(X))
    for nothing in (iter([]), iter([X[:0]])):
        with pytest.raises(ValueError, match="X gave no rows; a generator gives its rows only once"):
            clone(MODEL).fit(nothing)


def wrong(chunk):
    return iter([X[:100], X[100:200], chunk])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (wrong(X[200:, :4]), "chunk 2 of X has 4 features"),
        (wrong(np.where(X > 2, np.nan, X)), "chunk 2 of X contains NaN"),
        (wrong(np.where(X > 2, np.inf, X)), "chunk 2 of X contains infinity"),
        (wrong(X[0]), "chunk 2 of X.*Expected 2D array"),
        (iter(X), "chunk 0 of X.*Expected 2D array"),
        (iter([FRAME, FRAME[NAMES[::-1]]]), "(?s)chunk 1 of X.*feature names"),
        (iter([FRAME.assign(a="x")]), r"chunk 0 of X has a column 'a' of dtype String.*numbers.*pandas\.concat"),
        (dask.dataframe.from_pandas(FRAME.assign(b="y"), npartitions=2), r"a column 'b'.*compute\(\) of dask"),
        (
            iter([IMAGES, IMAGES.reshape(-1, 4, 16)]),
            r"chunk 1 of X holds images of shape \(4, 16\), .*before it images of shape \(8, 8\)",
        ),
    ],
)
def test_faults_name_the_chunk(source, message):
    with pytest.raises(ValueError, match=message):
        clone(MODEL).fit(source)


def test_what_no_chunk_can_be_is_said():
    with pytest.raises(TypeError, match=r"chunk 0 of X is sparse; stack"):
        clone(MODEL).fit(iter([sparse.csr_matrix(X)]))
    dicts = torch.utils.data.DataLoader([{"x": row} for row in X], batch_size=10)
    with pytest.raises(TypeError, match="X gives dicts with the keys 'x'"):
        clone(MODEL).fit(dicts)


def test_folds_of_outliers_need_an_array():
    with pytest.raises(TypeError, match="a generator was passed; folds are taken of X, so pass an array"):
        OutlierDetector(clone(MODEL)).fit(chunks(X))


def test_images_of_torch_with_channels_first_are_not_taken_for_rows_of_pixels():
    data = Rows(IMAGES[:, None])
    with pytest.raises(ValueError, match=r"shape \(1, 8, 8\), whose channels come first.*movedim\(0, -1\)"):
        clone(MODEL).fit(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = clone(MODEL).fit(Rows(IMAGES[..., None]))
    assert model.image_shape_ == (8, 8, 1)


def test_a_table_of_pyarrow_is_a_frame():
    table = pd.DataFrame({"a": X[:, 0], "b": np.where(X[:, 1] > 0, "x", "y"), "c": [None, *X[1:, 2]]})
    model = VAETransformer(1, **SHORT).fit(pa.Table.from_pandas(table))
    assert_same_weights(model, VAETransformer(1, **SHORT).fit(table))
    found = model.inverse_transform(model.transform(pa.Table.from_pandas(table[:5])))
    assert list(found.columns) == ["a", "b", "c"]


def test_lists_arrays_and_frames_are_no_sources():
    for value in (X, X.tolist(), FRAME, pl.from_pandas(FRAME), torch.zeros(3, 2), pa.Table.from_pandas(FRAME), [X, X]):
        assert not is_source(value)
    for value in (zarr.open_group(store={}), pa.schema([]), "text", {}, None, 5):
        assert not is_source(value)


def test_a_list_of_frames_is_refused_and_one_of_few_long_arrays_warns():
    with pytest.raises(ValueError, match=r"a list of data frames; pass one frame, pandas\.concat\(X\).*iter\(X\)"):
        clone(MODEL).fit([FRAME[:300], FRAME[300:]])
    parts = [X[:100], X[100:200]]
    with pytest.warns(UserWarning, match=r"2 images of 100 x 5 pixels.*chunks of rows, pass iter\(X\)"):
        clone(MODEL).fit(parts)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clone(MODEL).fit(iter(parts))
        clone(MODEL).fit(list(IMAGES))
    with pytest.raises(ValueError, match=r"unequal lengths.*chunks of rows, pass iter\(X\)"):
        clone(MODEL).fit([X[:100], X[100:250]])


MIXED = pd.DataFrame({"a": X[:, 0], "b": np.where(X[:, 1] > 0, "x", "y"), "c": [None, *X[1:, 2]]})


def test_a_model_of_a_frame_in_memory_takes_chunks_of_such_frames():
    model = VQVAETransformer(4, hidden_layer_sizes=(8,), prior=None, **SHORT).fit(MIXED)
    for make in (lambda: chunks(MIXED), lambda: dask.dataframe.from_pandas(MIXED, npartitions=3)):
        np.testing.assert_array_equal(model.transform(make()), model.transform(MIXED))
        assert model.score(make()) == model.score(MIXED)
    with pytest.raises(ValueError, match="feature names"):
        model.score(dask.dataframe.from_pandas(MIXED[["c", "b", "a"]], npartitions=3))


def test_a_frame_of_dask_is_a_frame_to_what_reads_it_whole():
    model = OrderlessNADE(n_units=8, **SHORT).fit(dask.dataframe.from_pandas(MIXED, npartitions=3))
    assert list(model.sample(2, random_state=0).columns) == list(model.feature_names_in_) == ["a", "b", "c"]
    pd.testing.assert_frame_equal(
        model.complete(dask.dataframe.from_pandas(MIXED, npartitions=3), random_state=0),
        model.complete(MIXED, random_state=0),
    )
    lazy = model.transform(dask.dataframe.from_pandas(MIXED, npartitions=3))
    assert isinstance(lazy, dask.dataframe.DataFrame)
    pd.testing.assert_frame_equal(lazy.compute(), model.transform(MIXED))


@pytest.mark.parametrize(
    "model",
    [AutoEncoderTransformer(2, max_iter=1), VAETransformer(2, max_iter=1), VQVAETransformer(prior=None, max_iter=1)],
    ids=lambda model: type(model).__name__,
)
def test_a_generator_is_refused_by_fit_transform_before_anything_is_fitted(model, monkeypatch):
    monkeypatch.setattr(Loop, "run", lambda loop: pytest.fail("something was trained"))
    with pytest.raises(TypeError, match="generator, which gives its rows only once.*Call fit"):
        model.fit_transform(chunk for chunk in np.zeros((2, 10, 3)))

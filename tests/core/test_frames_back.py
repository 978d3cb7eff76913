"""What fit saw as a frame comes back as one, with names, dtypes and the index of the rows that it stands for."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.base import clone

from skvq import AutoEncoderTransformer, OrderlessNADE, PixelCNN, VAETransformer, VQVAETransformer, load
from skvq.core.frames import Frame
from skvq.export import to_onnx

FRAME = pd.DataFrame({"a": np.arange(30.0), "b": np.arange(30.0) ** 2, "c": list("xyz") * 10}, index=range(100, 130))
SHORT = {"max_iter": 1, "random_state": 0}
MODELS = [AutoEncoderTransformer(2, **SHORT), VAETransformer(2, **SHORT), VQVAETransformer(4, prior=None, **SHORT)]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_restored_rows_have_the_index_of_their_codes(model):
    codes = model.set_output(transform="pandas").fit_transform(FRAME)
    assert list(model.inverse_transform(codes).index) == list(FRAME.index)


def test_reconstructed_rows_have_the_index_of_x():
    model = VAETransformer(2, **SHORT).fit(FRAME)
    assert list(model.reconstruct(FRAME.iloc[3:7], random_state=0).index) == [103, 104, 105, 106]


def test_drawn_rows_have_the_index_of_the_rows_that_are_given():
    model = OrderlessNADE(n_units=4, n_blocks=1, **SHORT).fit(FRAME)
    given = FRAME[["a"]].iloc[3:6]
    assert list(model.sample(3, given=given).index) == [103, 104, 105]
    assert list(model.sample(2, given={"a": 3.0}).index) == [0, 1]


RANDOM = np.random.default_rng(0)
SERIES = np.sin(np.arange(16) / RANDOM.uniform(2, 9, (40, 1)))
PIXELS = RANDOM.integers(256, size=(40, 64), dtype=np.uint8)
PRIOR = PixelCNN(channels=4, n_layers=1, max_iter=1)
INDEX = range(100, 140)
NAMES = [f"c{i}" for i in range(64)]
ROWS = {
    "series": ({"series_shape": (16,)}, pd.DataFrame(SERIES, columns=NAMES[:16], index=INDEX)),
    "channels first": (
        {"series_shape": (8, 2), "series_layout": "channels_first"},
        pd.DataFrame(SERIES.astype(np.float32), columns=np.linspace(0.5, 2, 16), index=INDEX),
    ),
    "days": ({"series_shape": (16,)}, pd.DataFrame(SERIES, columns=pd.date_range("2024-01-01", periods=16))),
    "polars": ({"series_shape": (16,)}, pl.DataFrame(SERIES, schema=NAMES[:16])),
    "pixels": ({"image_shape": (8, 8)}, pd.DataFrame(PIXELS, columns=NAMES, index=INDEX)),
    "polars, pixels": ({"image_shape": (8, 8)}, pl.DataFrame(PIXELS, schema=NAMES)),
}
SMALL = {"network": "dense", "max_iter": 1, "random_state": 0}
OF_NUMBERS = [
    AutoEncoderTransformer(2, **SMALL),
    VAETransformer(2, **SMALL),
    VQVAETransformer(4, prior=PRIOR, channels=4, n_blocks=0, max_iter=1, random_state=0),
]


def several(found):
    return found if isinstance(found, list) else [found]


def of_each_method(model, X):
    """Return the rows of X, and drawn ones, that each method of a fitted model gives back."""
    found = {"inverse_transform": model.inverse_transform(model.transform(X))}
    mask = np.arange(X.shape[1]) < X.shape[1] // 2
    if hasattr(model, "complete"):
        found["complete"] = model.complete(X, mask, n_candidates=2, random_state=0)
        found["completions"] = model.complete(X, mask, n_draws=2, n_candidates=2, random_state=0)
    if hasattr(model, "traverse"):
        found["reconstruct"] = model.reconstruct(X, n_draws=2, random_state=0)
        found["traverse"] = model.traverse(0, [0.0, 1.0], X=X)
    return found if not hasattr(model, "sample") else found | {"sample": model.sample(len(X), random_state=0)}


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("model", OF_NUMBERS, ids=lambda model: type(model).__name__)
def test_series_and_pixels_of_a_frame_come_back_as_such_a_frame(model, rows):
    parameters, X = ROWS[rows]
    library = "polars" if "polars" in rows else "pandas"
    warnings.simplefilter("error", UserWarning)
    model = clone(model).set_params(**parameters).set_output(transform=library).fit(X)
    of_arrays = clone(model).set_output(transform="default").fit(X.to_numpy())
    arrays = of_each_method(of_arrays, X.to_numpy())
    for method, found in of_each_method(model, X).items():
        for position, each in enumerate(several(found)):
            assert type(each) is type(X)
            assert list(each.columns) == list(X.columns)
            assert list(each.dtypes) == list(X.dtypes)
            array = arrays[method][:, position] if method in ("reconstruct", "traverse") else arrays[method]
            array = array[position] if isinstance(array, list) else array
            # the memory of a frame has another order, and so have sums over it
            np.testing.assert_allclose(
                each.to_numpy(), array, rtol=1e-6 if array.dtype == np.float32 else 1e-12, atol=1e-12
            )
            if library == "pandas" and method != "sample":
                assert each.index.equals(X.index)


@pytest.mark.parametrize("rows", ["days", "polars", "pixels"])
def test_a_model_remembers_the_frame_in_its_file_its_pickle_and_from_chunk_to_chunk(rows, tmp_path):
    parameters, X = ROWS[rows]
    model = AutoEncoderTransformer(2, **SMALL, **parameters).fit(X)
    model.save(tmp_path / "model")
    chunks = AutoEncoderTransformer(2, **SMALL, **parameters).partial_fit(X[:20]).partial_fit(X[20:])
    stream = AutoEncoderTransformer(2, **SMALL, **parameters).fit(X[i : i + 10] for i in range(0, 40, 10))
    for each in (load(tmp_path / "model"), pickle.loads(pickle.dumps(model)), chunks, stream):
        back = each.inverse_transform(np.zeros((3, 2)))
        assert type(back) is type(X)
        assert list(back.columns) == list(X.columns)
        assert list(back.dtypes) == list(X.dtypes)


def test_a_later_fit_and_files_that_know_of_no_frame_give_arrays(tmp_path):
    parameters, X = ROWS["series"]
    model = VAETransformer(2, **SMALL, **parameters).fit(X)
    del model._frame_in, model._frame_names  # of an older version
    model.save(tmp_path / "model")
    assert type(load(tmp_path / "model").sample(2)) is np.ndarray
    model.fit(X)
    assert type(model.sample(2)) is pd.DataFrame
    model.fit(X.to_numpy())
    assert type(model.sample(2)) is np.ndarray


def test_names_that_are_neither_strings_nor_numbers_nor_dates_come_back_as_text():
    X = pd.DataFrame(SERIES, columns=pd.MultiIndex.from_product([["a", "b"], range(8)]))
    with pytest.warns(UserWarning, match=r"a column named \('a', 0\), of type tuple: its name comes back as text"):
        model = AutoEncoderTransformer(2, series_shape=(16,), **SMALL).fit(X)
    assert list(model.inverse_transform(np.zeros((1, 2))).columns[:2]) == ["('a', 0)", "('a', 1)"]


def test_a_frame_with_sparse_columns_comes_back_as_a_dense_one():
    X = pd.DataFrame(RANDOM.poisson(0.3, (40, 6)) * 1.0, columns=list("abcdef"))
    model = AutoEncoderTransformer(2, **SMALL)
    of_matrix = clone(model).fit(sparse.csr_matrix(X)).inverse_transform(np.ones((3, 2)))
    model.fit(X.astype(pd.SparseDtype(float, 0.0)))
    pd.testing.assert_frame_equal(
        model.inverse_transform(np.ones((3, 2))), pd.DataFrame(of_matrix, columns=list("abcdef"))
    )


def test_rows_of_a_prior_that_saw_chunks_of_frames_come_back_as_frames():
    X = pd.DataFrame(RANDOM.normal(size=(60, 3)), columns=list("abc"))
    prior = OrderlessNADE(n_units=4, n_blocks=1, max_iter=1)
    model = VQVAETransformer(4, prior=prior, max_iter=1, random_state=0).fit(iter([X[:30], X[30:]]))
    gaps = X.mask(RANDOM.random(X.shape) < 0.2)
    for back in (model.sample(60, random_state=0), model.complete(gaps, random_state=0)):
        assert type(back) is pd.DataFrame
        assert list(back.columns) == list("abc")
    np.testing.assert_array_equal(back[gaps.notna()], gaps)


def test_frames_with_other_names_are_refused_to_complete():
    parameters, X = ROWS["pixels"]
    model = clone(OF_NUMBERS[2]).set_params(**parameters).fit(X)
    with pytest.raises(ValueError, match="feature names should match"):
        model.complete(X.rename(columns={"c3": "other"}), np.arange(64) < 30)


def test_a_model_of_a_frame_is_exported_as_one_of_arrays():
    parameters, X = ROWS["series"]
    model = AutoEncoderTransformer(2, **SMALL, **parameters)
    parts = [to_onnx(clone(model).fit(rows), part="decoder") for rows in (X, X.to_numpy())]
    assert parts[0].SerializeToString() == parts[1].SerializeToString()


@pytest.mark.parametrize("names", [np.arange(3), np.array(["a", "b", "b"])])
def test_names_that_polars_cannot_have_are_refused_in_a_file(names):
    Frame("pandas", names).check()
    with pytest.raises(ValueError, match="_frame_names of polars"):
        Frame("polars", names).check()


def test_a_frame_with_some_sparse_columns_comes_back_with_them():
    X = pd.DataFrame({"word": list("ab") * 20, "count": pd.arrays.SparseArray(RANDOM.poisson(0.5, 40))})
    model = AutoEncoderTransformer(2, **SMALL).fit(X)
    back = model.inverse_transform(model.transform(X))
    pd.testing.assert_series_equal(back.dtypes, X.dtypes)


def test_a_frame_of_sparse_columns_with_missing_cells_comes_back_with_them():
    X = pd.DataFrame(np.where(RANDOM.random((40, 2)) < 0.5, np.nan, 1.5 + RANDOM.normal(size=(40, 2))))
    X = X.astype(pd.SparseDtype(float, np.nan))
    pd.testing.assert_series_equal(
        AutoEncoderTransformer(2, **SMALL).fit(X).inverse_transform(np.ones((3, 2))).dtypes, X.dtypes
    )


def test_a_frame_without_columns_is_refused_as_such():
    with pytest.raises(ValueError, match=r"Found array with 0 feature\(s\)"):
        AutoEncoderTransformer(2, **SMALL).fit(pd.DataFrame(index=range(5)))

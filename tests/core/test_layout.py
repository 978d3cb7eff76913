"""Layouts of X: shapes of images, standardisation, and the way to the rows of a network and back."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

from skvq.core import layout as layout_module
from skvq.core.layout import (
    RowLayout,
    check_chunk,
    check_image_shape,
    check_rows,
    flatten_images,
    ranges,
    standardisation,
    tag_rows,
    with_channels,
)

WINE = load_wine().data
IMAGES = np.random.default_rng(0).normal(7.0, 3.0, size=(20, 4, 5, 3))


def test_images_become_rows_without_a_copy():
    X = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    rows, shape = flatten_images(X)
    assert shape == (3, 4, 5)
    assert np.shares_memory(rows, X)
    np.testing.assert_array_equal(rows[1], X[1].ravel())


def test_rows_stay_as_they_are():
    X = np.zeros((2, 3))
    rows, shape = flatten_images(X)
    assert rows is X
    assert shape is None


def test_a_torch_tensor_becomes_an_array():
    rows, shape = flatten_images(torch.ones(2, 3, 3, requires_grad=True))
    assert isinstance(rows, np.ndarray)
    assert shape == (3, 3)


@pytest.mark.parametrize("image_shape", [(28,), (28, 28, 1, 1), (28, -1), (2.5, 2), 28, "28x28"])
def test_an_image_shape_that_is_none_is_refused(image_shape):
    with pytest.raises(ValueError, match="image_shape=.* must be None"):
        check_image_shape(image_shape)


def test_an_image_shape_must_multiply_to_the_columns():
    with pytest.raises(ValueError, match="stands for 64 values a row, but X has 63 features"):
        check_image_shape((8, 8), 63)


def test_images_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"shape \(4, 3\), but image_shape is \(3, 4\)"):
        flatten_images(np.zeros((2, 4, 3)), (3, 4))


def test_five_dimensions_are_refused():
    with pytest.raises(ValueError, match=r"images must be \(n, H, W\)"):
        flatten_images(np.zeros((2, 3, 4, 1, 1)))


def test_grey_images_have_one_channel():
    assert with_channels((3, 4)) == (3, 4, 1)
    assert with_channels((3, 4, 3)) == (3, 4, 3)


@pytest.fixture
def columns():
    return np.random.default_rng(0).normal([1e6, 0, -3], [1e-2, 10, 1], size=(200, 3))


@pytest.mark.parametrize("chunk", [7, 10**6])
def test_columns_are_scaled_like_by_standard_scaler(columns, chunk, monkeypatch):
    monkeypatch.setattr(layout_module, "CHUNK_VALUES", chunk)
    expected = StandardScaler().fit(columns)
    shift, scale = standardisation(columns, per_column=True)
    np.testing.assert_allclose(shift, expected.mean_, rtol=1e-12)
    np.testing.assert_allclose(scale, expected.scale_, rtol=1e-9)


def test_an_image_has_one_mean_and_one_scale(columns):
    shift, scale = standardisation(columns, per_column=False)
    np.testing.assert_allclose(shift, columns.mean(), rtol=1e-12)
    np.testing.assert_allclose(scale, columns.std(), rtol=1e-12)


def test_a_sparse_matrix_is_scaled_like_the_dense_one(columns):
    columns[columns < 0] = 0
    for per_column in (True, False):
        dense = standardisation(columns, per_column=per_column)
        csr = standardisation(sparse.csr_matrix(columns), per_column=per_column)
        np.testing.assert_allclose(dense, csr, rtol=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e8 / 3, -1e-8])
def test_what_does_not_vary_has_scale_one(value):
    X = np.full((1000, 2), value)
    for per_column in (True, False):
        np.testing.assert_array_equal(standardisation(X, per_column=per_column)[1], 1.0)


def test_integers_do_not_overflow():
    X = np.full((1000, 1), 250, dtype=np.uint8)
    X[::2] = 240
    shift, scale = standardisation(X, per_column=True)
    assert (shift[0], scale[0]) == (245, 5)


def test_a_variance_beyond_float64_is_refused():
    with pytest.raises(ValueError, match="variance overflows float64; rescale it"):
        standardisation(WINE * 1e160, per_column=True)


class Taker(TransformerMixin, BaseEstimator):
    """Takes rows or images, as the transformers do."""

    def __init__(self, image_shape=None, series_shape=None, clip="auto"):
        self.image_shape, self.series_shape, self.clip = image_shape, series_shape, clip
        self.series_layout = "channels_last"

    def fit(self, X, *, standardize=True):
        layout, rows = RowLayout.fit(self, X, standardize=standardize)
        self.__dict__.update(layout.attributes())
        self.rows_ = rows
        return self

    def __sklearn_tags__(self):
        return tag_rows(super().__sklearn_tags__())


def there_and_back(model, X, n=7):
    """Return X by way of the standardised rows of a network, n at a time."""
    layout = RowLayout.of(model)
    rows = layout.rows(layout.check(model, X), "cpu")
    starts = range(0, len(rows), n)
    pieces = ((start, rows.take(slice(start, start + n)).flatten(1).double().numpy()) for start in starts)
    return layout.restore(pieces, len(rows))


FORMS = {
    "table": WINE,
    "table of float32": WINE.astype(np.float32),
    "table of integers": np.arange(60).reshape(20, 3),
    "constant columns": np.column_stack([WINE[:, 0], np.full(178, 7.5), np.zeros(178)]),
    "one row": WINE[:1],
    "grey images": IMAGES[..., 0],
    "colour images": IMAGES,
    "images of float32": IMAGES.astype(np.float32),
    "constant images": np.full((5, 4, 5), 3.0),
}


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("form", FORMS)
def test_rows_come_back_in_units_layout_and_dtype(form, standardize):
    X = FORMS[form]
    model = Taker().fit(X, standardize=standardize)
    restored = there_and_back(model, X)
    assert restored.shape == X.shape
    assert restored.dtype == (X.dtype if X.dtype.kind == "f" else np.float64)
    # A row is float32 on its way, so relative to the spread of its column.
    np.testing.assert_allclose(restored, X, rtol=1e-6, atol=1e-6 * max(1.0, float(np.std(X))))


@pytest.mark.parametrize("dtype", [np.float16, bool, np.uint8])
def test_small_types_come_back_as_float64(dtype):
    assert there_and_back(Taker().fit(WINE.astype(dtype)), WINE.astype(dtype)).dtype == np.float64


@pytest.mark.parametrize("image_shape", [None, (6, 7)])
def test_images_of_bytes_come_back_as_bytes_rounded_and_cut_off(image_shape):
    X = np.random.default_rng(0).integers(0, 256, (20, 6, 7), dtype=np.uint8)
    X = X if image_shape is None else X.reshape(20, 42)
    layout = RowLayout.of(Taker(image_shape).fit(X))
    in_units = np.tile([-3.0, 0.4, 0.6, 254.6, 300.0, 7.0, 7.4], 6)[None]
    restored = layout.restore([(0, (in_units - layout.shift) / layout.scale)], 1)
    assert restored.dtype == np.uint8
    np.testing.assert_array_equal(restored.ravel(), np.tile([0, 0, 1, 255, 255, 7, 7], 6))
    np.testing.assert_array_equal(there_and_back(Taker(image_shape).fit(X), X), X)


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int64])
def test_images_of_whole_numbers_come_back_as_such_rounded_and_cut_to_what_was_seen(dtype):
    X = np.random.default_rng(0).integers(0, 1000, (20, 6, 7, 3)).astype(dtype)
    X[0, 0, 0] = 0, 1000, 500
    for clip, ends in (("auto", (0, 1000)), (False, (max(-5, np.iinfo(dtype).min), 1003))):
        layout = RowLayout.of(Taker(clip=clip).fit(X))
        in_units = np.tile([-5.0, 0.4, 1002.6], 42)[None]
        restored = layout.restore([(0, (in_units - layout.shift) / layout.scale)], 1)
        assert restored.dtype == dtype
        np.testing.assert_array_equal(restored.ravel(), np.tile([ends[0], 0, ends[1]], 42))
        np.testing.assert_array_equal(there_and_back(Taker(clip=clip).fit(X), X), X)
    unbounded = RowLayout.of(Taker(clip=False).fit(X))
    extreme = unbounded.restore([(0, np.tile([-1e30, 0.0, 1e30], 42)[None])], 1).ravel()[:3]
    assert extreme[0] < -5 or np.iinfo(dtype).min == 0 == extreme[0]
    assert extreme[2] > 10_000


# Of 16 columns: images of 2 x 8 pixels, series of eight steps with two channels, a table.
KINDS = {"images": {"image_shape": (2, 8)}, "series": {"series_shape": (8, 2)}, "table": {}}


def expected_range(kind, X):
    low, high = X.min(axis=0), X.max(axis=0)
    if kind == "images":
        return np.full(16, low.min()), np.full(16, high.max())
    if kind == "series":
        return np.tile(low.reshape(8, 2).min(axis=0), 8), np.tile(high.reshape(8, 2).max(axis=0), 8)
    return low, high


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("clip", ["auto", True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_back_is_cut_to_the_range_of_pixels_channels_or_columns(kind, clip, form, monkeypatch):
    if kind == "series" and form is not np.asarray:
        pytest.skip("series are dense")
    monkeypatch.setattr(layout_module, "CHUNK_VALUES", 70)
    X = np.random.default_rng(0).normal(size=(30, 16)) * np.arange(1, 17)
    model = Taker(**KINDS[kind], clip=clip).fit(form(X))
    low, high = expected_range(kind, X)
    np.testing.assert_array_equal([model.data_min_, model.data_max_], [low, high])
    layout, beyond = RowLayout.of(model), 3 * X
    restored = layout.restore([(0, (beyond - layout.shift) / layout.scale)], 30).reshape(30, 16)
    is_cut = clip is True or (clip == "auto" and kind == "images")
    np.testing.assert_allclose(restored, np.clip(beyond, low, high) if is_cut else beyond, rtol=1e-12)


def test_the_range_of_zeros_that_a_sparse_matrix_leaves_out_holds_them():
    low, high = ranges(sparse.csr_matrix([[0.0, 2.0], [3.0, 4.0]]), per_column=True)
    np.testing.assert_array_equal([low, high], [[0, 2], [3, 4]])


def test_a_chunk_widens_the_range():
    model = Taker((2, 5)).fit(np.random.default_rng(0).random((20, 10)))
    check_chunk(RowLayout.of(model), model, np.full((3, 10), 1.5))
    assert (model.data_max_ == 1.5).all()
    assert (model.data_min_ < 0.1).all()


def test_a_model_that_knows_no_range_cuts_nothing():
    X = np.random.default_rng(0).random((20, 10))
    model = Taker((2, 5)).fit(X)
    del model.data_min_, model.data_max_
    layout = RowLayout.of(model)
    assert layout.restore([(0, (3 * X - layout.shift) / layout.scale)], 20).max() > 2
    check_chunk(layout, model, X)
    assert not hasattr(model, "data_min_")


@pytest.mark.parametrize("image_shape", [(4, 5, 3), (20, 3)])
def test_rows_of_pixels_are_images_for_the_network_and_rows_for_the_user(image_shape):
    flat = IMAGES.reshape(20, 60)
    model = Taker(image_shape).fit(flat)
    layout = RowLayout.of(model)
    assert layout.image_shape == image_shape
    assert layout.row_shape == with_channels(image_shape)
    assert layout.x_shape == (60,)
    assert layout.rows(flat, "cpu").take(slice(0, 2)).shape == (2, *with_channels(image_shape))
    np.testing.assert_allclose(there_and_back(model, flat), flat, rtol=1e-5, atol=1e-5)


def test_both_layouts_of_images_become_the_same_rows():
    flat, images = Taker((4, 5, 3)).fit(IMAGES.reshape(20, 60)), Taker().fit(IMAGES)
    first, second = (
        RowLayout.of(model).rows(RowLayout.of(model).check(model, X), "cpu").take(slice(None))
        for model, X in ((flat, IMAGES), (images, IMAGES.reshape(20, 60)))
    )
    assert torch.equal(first, second)
    assert RowLayout.of(images).x_shape == (4, 5, 3)


def test_standardised_rows_have_mean_zero_and_variance_one():
    table, images = Taker().fit(WINE), Taker().fit(IMAGES)
    rows = RowLayout.of(table).rows(WINE, "cpu").take(slice(None)).double().numpy()
    np.testing.assert_allclose(rows, StandardScaler().fit_transform(WINE), atol=1e-6)
    pixels = RowLayout.of(images).rows(IMAGES.reshape(20, -1), "cpu").take(slice(None)).double()
    assert float(pixels.mean()) == pytest.approx(0.0, abs=1e-6)
    assert float(pixels.std(correction=0)) == pytest.approx(1.0, abs=1e-6)
    assert float(pixels.std(dim=0, correction=0).amax()) > 1.1  # of all pixels together, not of each


def test_a_layout_is_kept_in_attributes_and_read_from_them():
    layout, rows = RowLayout.fit(model := Taker(), IMAGES.astype(np.float32), standardize=True)
    model.__dict__.update(layout.attributes())
    found = RowLayout.of(model)
    assert (found.image_shape, found.images_in, found.dtype) == ((4, 5, 3), True, "float32")
    np.testing.assert_array_equal(found.shift, layout.shift)
    np.testing.assert_array_equal(found.scale, layout.scale)
    assert model.n_features_in_ == rows.shape[1] == 60


def test_what_does_not_fit_the_layout_is_refused():
    table, images = Taker().fit(WINE), Taker().fit(IMAGES)
    with pytest.raises(ValueError, match=r"images of shape \(13, 1\), but fit saw the rows of a table"):
        RowLayout.of(table).check(table, np.zeros((2, 13, 1)))
    with pytest.raises(ValueError, match="X has 12 features, but Taker is expecting 13"):
        RowLayout.of(table).check(table, WINE[:, 1:])
    with pytest.raises(ValueError, match=r"shape \(5, 4, 3\), but image_shape is \(4, 5, 3\)"):
        RowLayout.of(images).check(images, IMAGES.swapaxes(1, 2))
    with pytest.raises(ValueError, match=r"shape \(4, 5, 3\), but image_shape is \(5, 4, 3\)"):
        Taker((5, 4, 3)).fit(IMAGES)


def test_rows_are_validated_without_a_copy_and_learn_their_names():
    model = Taker()
    rows, found = check_rows(model, WINE, None, reset=True)
    assert np.shares_memory(rows, WINE)
    assert found is None
    frame = pd.DataFrame(WINE, columns=load_wine().feature_names)
    np.testing.assert_array_equal(check_rows(model, frame, None, reset=True)[0], WINE)
    assert list(model.feature_names_in_) == load_wine().feature_names
    assert sparse.issparse(check_rows(model, sparse.csc_matrix(WINE), None, reset=True)[0])
    with pytest.raises(ValueError, match="NaN"):
        check_rows(model, np.where(WINE[3, 4] == WINE, np.nan, WINE), None, reset=False)


def test_channels_that_come_first_draw_a_warning():
    with pytest.warns(UserWarning, match=r"3 x 16 pixels with 12 channels; .* np.moveaxis"):
        Taker().fit(np.random.default_rng(0).random((10, 3, 16, 12)))

"""Series as rows: shapes, layouts, scaling, and the errors for what is no series of one length."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from skvq import AutoEncoderTransformer, VAETransformer, VQVAETransformer
from skvq.core.layout import fit_layout, standardisation
from skvq.core.series import SeriesLayout, check_series_shape

LENGTH, N_CHANNELS = 12, 3
X = np.random.default_rng(0).normal(size=(20, LENGTH, N_CHANNELS)) * [1.0, 10.0, 0.1] + [0.0, 50.0, 3.0]
FAST = {"hidden_layer_sizes": (), "max_iter": 1, "random_state": 0}
ESTIMATORS = AutoEncoderTransformer, VAETransformer, VQVAETransformer


def layout_of_series(X, **options):
    return fit_layout(AutoEncoderTransformer(**options), X, standardize=True)


def test_all_layouts_of_the_same_series_give_the_same_rows():
    expected = (X - X.mean(axis=(0, 1))) / X.std(axis=(0, 1))  # each channel by its own mean and deviation
    shape = {"series_shape": (LENGTH, N_CHANNELS)}
    first = shape | {"series_layout": "channels_first"}
    turned = X.swapaxes(1, 2)
    passed = [(X, shape), (X.reshape(20, -1), shape), (turned, first), (turned.reshape(20, -1), first)]
    passed += [(sparse.csr_array(turned.reshape(20, -1)), first), (list(X), shape)]
    for values, options in passed:
        layout, rows = layout_of_series(values, **options)
        batch = layout.rows(rows, "cpu").take(np.arange(20))
        assert batch.shape == (20, 1, LENGTH, N_CHANNELS)
        np.testing.assert_allclose(batch[:, 0], expected, atol=1e-6)  # float32


@pytest.mark.parametrize("layout_name", ["channels_last", "channels_first"])
def test_what_is_restored_has_the_layout_and_the_units_of_x(layout_name):
    values = X if layout_name == "channels_last" else X.swapaxes(1, 2)
    for passed in (values, values.reshape(20, -1)):
        options = {"series_shape": (LENGTH, N_CHANNELS), "series_layout": layout_name}
        layout, rows = layout_of_series(passed, **options)
        standardised = layout.rows(rows, "cpu").take(np.arange(20)).double().reshape(20, -1).numpy()
        restored = layout.restore([(0, standardised)], 20)
        assert restored.shape == passed.shape
        np.testing.assert_allclose(restored, passed, rtol=1e-5)  # float32


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("shape", [(20, LENGTH), (20, LENGTH, 1)])
def test_series_of_one_channel_come_with_an_axis_of_channels_or_without(estimator, shape):
    model = estimator(series_shape=(LENGTH,), **FAST).fit(X[:, :, 0].reshape(shape))
    assert model.series_shape_ == (LENGTH,)
    assert model.image_shape_ is None
    assert model.inverse_transform(model.transform(X[:, :, 0].reshape(shape))).shape == shape


def test_standardisation_by_channel_is_that_of_each_channel_alone():
    rows = X.reshape(20, -1)
    shift, scale = standardisation(rows, per_column=False, n_channels=N_CHANNELS)
    for channel in range(N_CHANNELS):
        alone = standardisation(rows[:, channel::N_CHANNELS], per_column=False)
        np.testing.assert_array_equal(shift[channel::N_CHANNELS], alone[0])
        np.testing.assert_array_equal(scale[channel::N_CHANNELS], alone[1])


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (12, "must be None, (length,) or (length, n_channels)"),
        ((12, 3, 1), "must be None, (length,) or (length, n_channels)"),
        ((12.0,), "must be None, (length,) or (length, n_channels)"),
        ((12, 0), "must be None, (length,) or (length, n_channels)"),
        ((3, 12), "a series has at least 8 time steps; the length comes first"),
    ],
)
def test_other_shapes_are_refused(shape, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        check_series_shape(shape)


def test_a_row_is_no_image_and_series_at_once():
    with pytest.raises(ValueError, match="a row is an image or a series; pass one of them"):
        AutoEncoderTransformer(series_shape=(12,), image_shape=(3, 4)).fit(X[:, :, 0])


def test_the_other_layout_is_named_in_the_error():
    layout = SeriesLayout((LENGTH, N_CHANNELS))
    with pytest.raises(ValueError, match="aeon and sktime, pass series_layout='channels_first'"):
        layout.flatten(X.swapaxes(1, 2))
    with pytest.raises(ValueError, match=re.escape("or rows (n, 36)")):
        layout.flatten(X[:, :8])
    with pytest.raises(ValueError, match="pass series_layout='channels_last'"):
        SeriesLayout((LENGTH, N_CHANNELS), channels_first=True).flatten(X)


def nested(frame):
    return frame({"a": [np.arange(9.0), np.arange(12.0)]}) if frame is pd.DataFrame else frame({"a": [[1.0], [2.0, 3]]})


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("options", [{}, {"series_shape": (12,)}])
def test_series_of_unequal_lengths_are_refused_with_a_way_out(estimator, options):
    unequal = [np.arange(9.0), np.arange(12.0), np.arange(12.0)]
    for values in (unequal, np.array(unequal, dtype=object)):
        with pytest.raises(ValueError, match=r"unequal lengths, from 9 to 12; .* cut .* pad .* resample"):
            estimator(**options).fit(values)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames_of_series_are_refused_with_a_way_out(frame):
    with pytest.raises(ValueError, match="a frame whose cells are series; pass an array"):
        VQVAETransformer(series_shape=(12,)).fit(nested(frame))


def test_a_gap_is_refused_with_a_way_out():
    with pytest.raises(ValueError, match="X holds NaN, but fit and transform need series without gaps"):
        VQVAETransformer(series_shape=(LENGTH, N_CHANNELS)).fit(np.where(X.max() - 1e-9 < X, np.nan, X))


@pytest.mark.parametrize(
    ("shape", "advice"),
    [((6, 30), r"series_shape=\(30, 6\), series_layout='channels_first'"), ((30, 6), r"series_shape=\(30, 6\)\.")],
)
def test_images_that_look_like_series_bring_a_warning(shape, advice):
    values = np.random.default_rng(0).random((20, *shape))
    with pytest.warns(UserWarning, match=advice):
        AutoEncoderTransformer(2, **FAST).fit(values)


@pytest.mark.parametrize("options", [{"image_shape": (6, 30)}, {"series_shape": (6 * 30,)}])
def test_no_warning_where_the_shape_is_said(options, recwarn):
    values = np.random.default_rng(0).random((20, 6, 30))
    AutoEncoderTransformer(2, **FAST, **options).fit(values if "image_shape" in options else values.reshape(20, -1))
    assert not recwarn.list

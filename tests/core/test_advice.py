"""Errors and warnings for X of another shape say what to pass instead."""

import pickle
import re
import warnings

import numpy as np
import pytest

from skvq import AutoEncoderTransformer, PixelCNN, VQVAETransformer, load

RANDOM = np.random.default_rng(0)
SHORT = {"max_iter": 1, "random_state": 0}
PRIOR = PixelCNN(channels=4, n_layers=1, max_iter=1)
WINDOWS = "numpy.lib.stride_tricks.sliding_window_view"


def said(call, *arguments):
    """Return the message of the error that a call raises."""
    with pytest.raises(ValueError, match=".") as found:
        call(*arguments)
    return str(found.value)


@pytest.mark.parametrize("shape", [(16, 16), (6, 5, 3), (6, 5, 1)])
def test_one_image_gets_an_axis_of_rows(shape):
    X = RANDOM.random((12, *shape))
    model = AutoEncoderTransformer(2, **SHORT).fit(X)
    assert said(model.transform, X[0]).endswith("; one image is X[None] here")
    assert model.transform(X[0][None]).shape == (1, 2)
    assert "X_val[None]" in said(lambda: model.fit(X, X_val=X[0]))


@pytest.mark.parametrize("shape", [(48,), (48, 2)])
def test_one_series_gets_an_axis_of_rows(shape):
    X = RANDOM.normal(size=(12, *shape))
    model = AutoEncoderTransformer(2, series_shape=shape, **SHORT).fit(X)
    assert said(model.transform, X[0]).endswith("; one series is X[None] here")
    assert model.transform(X[0][None]).shape == (1, 2)


@pytest.mark.parametrize("shape", [(500,), (1, 500), (1, 480), (500, 2), (1, 500, 2)])
def test_one_long_series_is_cut_into_windows(shape):
    n_channels = shape[-1] if shape[-1] == 2 else 1
    model = AutoEncoderTransformer(2, series_shape=(48, n_channels), **SHORT)
    X = RANDOM.normal(size=shape)
    message = said(model.fit, X)
    assert "one long series of" in message
    assert "Reshape your data" not in message
    code = re.search(r"numpy\.lib.*", message)[0].removeprefix("numpy.")
    windows = eval(f"np.{code}", {"np": np, "X": X, "step": 12})
    assert windows.shape[0] >= 37
    assert model.fit(windows).transform(windows).shape == (len(windows), 2)


def test_a_table_of_another_width_gets_no_advice_for_images():
    model = AutoEncoderTransformer(2, **SHORT).fit(RANDOM.normal(size=(20, 6)))
    assert "None" not in said(model.transform, RANDOM.normal(size=(3, 5)))


def test_maps_of_codes_are_laid_out_as_rows():
    model = VQVAETransformer(prior=None, channels=4, n_codes=4, code_shape=(2, 2), **SHORT)
    codes = model.fit_transform(RANDOM.random((12, 8, 8))).reshape(12, 2, 2)
    assert "codes.reshape(12, -1)" in said(model.inverse_transform, codes)
    assert model.inverse_transform(codes.reshape(12, -1)).shape == (12, 8, 8)


@pytest.mark.parametrize("shapes", [[(8, 8), (9, 8), (8, 10)], [(8, 8, 3), (9, 9, 3)], [(20, 30), (25, 30)]])
def test_images_of_unequal_sizes_get_the_advice_for_images(shapes):
    message = said(AutoEncoderTransformer(2, **SHORT).fit, [np.zeros(shape) for shape in shapes])
    assert "images of" in message
    assert "skimage.transform.resize" in message
    assert "scipy.signal" not in message


@pytest.mark.parametrize("series_shape", [None, (9, 3)])
def test_series_of_unequal_lengths_keep_theirs(series_shape):
    model = AutoEncoderTransformer(2, series_shape=series_shape, **SHORT)
    assert "scipy.signal.resample" in said(model.fit, [np.zeros((9, 3)), np.zeros((12, 3))])


@pytest.mark.parametrize("n_channels", [3, 4])
def test_one_photograph_is_thought_of(n_channels):
    with pytest.warns(UserWarning, match=r"one image of 20 x 24 pixels, pass X\[None\], or cut it into patches"):
        AutoEncoderTransformer(2, **SHORT).fit(RANDOM.random((20, 24, n_channels)))


def test_what_save_did_not_write_is_called_so(tmp_path):
    np.savez(tmp_path / "x.npz", x=np.zeros(30))
    assert "cannot be loaded: it is not a file of save" in said(load, tmp_path / "x.npz")
    (tmp_path / "x.joblib").write_bytes(pickle.dumps(np.arange(9)))
    assert "cannot be loaded: it is a pickle, which joblib.load" in said(load, tmp_path / "x.joblib")


@pytest.fixture(
    scope="module", params=[((48,), "channels_last"), ((48, 2), "channels_last"), ((48, 2), "channels_first")]
)
def of_series(request):
    shape, layout = request.param
    X = RANDOM.normal(size=(30, *(shape if layout == "channels_last" else shape[::-1])))
    sizes = {"channels": 4, "n_blocks": 0, "n_codes": 4, "prior": PRIOR}
    return VQVAETransformer(series_shape=shape, series_layout=layout, **sizes, **SHORT).fit(X), X


def test_a_forecast_pads_the_end(of_series):
    model, X = of_series
    known = X[:, :, :36] if model.series_layout == "channels_first" else X[:, :36]
    message = said(model.complete, known)
    assert "48 time steps: for a forecast pad the unknown end with NaN" in message
    padded = eval(re.search(r"numpy\.pad.*\)", message)[0], {"numpy": np, "X": known})
    assert model.complete(padded).shape == X.shape


def test_nothing_to_complete_is_told(of_series):
    model, X = of_series
    with pytest.warns(UserWarning, match="nothing of X is missing.*pass a mask, or NaN where"):
        model.complete(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.complete(X, np.ones(48, bool))

"""Axes of images and series: which one is taken for what, and the axis of a single channel."""

import warnings

import numpy as np
import pytest

from skvq import AutoEncoderTransformer, VAETransformer, VQVAETransformer

RANDOM = np.random.default_rng(0)
SMALL = {"max_iter": 1, "random_state": 0}
MODELS = {
    "autoencoder": AutoEncoderTransformer(2, hidden_layer_sizes=(4,), **SMALL),
    "VAE": VAETransformer(2, hidden_layer_sizes=(4,), **SMALL),
    "VQ-VAE": VQVAETransformer(4, channels=4, prior=None, **SMALL),
}
each = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def told_by(model, X):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X)
    return [str(one.message) for one in caught if "X is taken for" in str(one.message)]


@each
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (2, 16, 16), (4, 20, 24)])
def test_channels_that_seem_to_come_first_are_told(model, shape):
    (told,) = told_by(model, RANDOM.normal(size=(10, *shape)))
    assert f"images of {shape[0]} x {shape[1]} pixels with {shape[2]} channels" in told
    assert "np.moveaxis(X, 1, -1)" in told


@each
@pytest.mark.parametrize("shape", [(3, 64), (64, 3)])
def test_images_that_seem_to_be_series_are_told(model, shape):
    (told,) = told_by(model, RANDOM.normal(size=(10, *shape)))
    assert "series_shape=(64, 3)" in told
    assert ("channels_first" in told) == (shape == (3, 64))


@each
@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (8, 8, 3), (28, 20)])
def test_images_with_their_channels_last_are_not(model, shape):
    assert not told_by(model, RANDOM.normal(size=(10, *shape)))


def test_series_of_more_channels_than_steps_are_told():
    model = AutoEncoderTransformer(2, series_shape=(8, 64), **SMALL)
    (told,) = told_by(model, RANDOM.normal(size=(10, 8, 64)))
    assert "series of 8 time steps with 64 channels" in told
    assert "series_shape=(64, 8), series_layout='channels_first'" in told
    assert not told_by(model.set_params(series_shape=(64, 8)), RANDOM.normal(size=(10, 64, 8)))


@each
@pytest.mark.parametrize("image_shape", [None, (6, 6), (6, 6, 1)])
def test_images_of_one_channel_may_leave_its_axis_out(model, image_shape):
    model.set_params(image_shape=image_shape)
    X = RANDOM.normal(size=(12, 6, 6))
    for seen, other in ((X, X[..., None]), (X[..., None], X)):
        model.fit(seen, X_val=other)
        np.testing.assert_array_equal(model.transform(other), model.transform(seen))
        assert model.inverse_transform(model.transform(other)).shape == seen.shape
    model.set_params(image_shape=None)


def test_images_of_another_number_of_channels_are_refused():
    model = AutoEncoderTransformer(2, **SMALL).fit(RANDOM.normal(size=(12, 6, 6)))
    with pytest.raises(ValueError, match=r"images of shape \(6, 6, 3\), but image_shape is \(6, 6\)"):
        model.transform(np.zeros((2, 6, 6, 3)))


def test_a_completion_takes_images_with_and_without_the_axis_of_a_channel():
    X = RANDOM.random((20, 6, 6))
    prior = {"prior": "pixelcnn", "channels": 4, "n_codes": 4, "code_shape": (2, 2)}
    for seen, other in ((X, X[..., None]), (X[..., None], X)):
        model = VQVAETransformer(**prior, **SMALL).fit(seen)
        mask = np.arange(36).reshape(6, 6) < 18
        assert model.complete(other[:3], mask, random_state=0).shape == other[:3].shape

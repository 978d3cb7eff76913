"""Rows of pixels that would be taken for a table."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits, load_sample_images

from skvq import AutoEncoderTransformer, OrderlessNADE, VAETransformer, VQVAETransformer
from skvq.core.pixels import image_shape_of, is_one_image, warn_of_pixels

PHOTOGRAPH = load_sample_images().images[0]
CORNERS = np.random.default_rng(0).integers(0, 380, (100, 2))
PATCHES = np.stack([PHOTOGRAPH[i : i + 20, j : j + 16] for i, j in CORNERS])
TIME = np.arange(400) / 400
PHASES = np.random.default_rng(1).random((100, 1))


@pytest.mark.parametrize("unit", [1, 255])
def test_patches_of_a_photograph_are_told_with_their_shape(unit):
    assert image_shape_of(PATCHES.reshape(100, -1) / unit) == (20, 16, 3)
    assert image_shape_of(PATCHES[..., 0].reshape(100, -1) / unit) == (20, 16)


@pytest.mark.parametrize(
    "X",
    [
        np.random.default_rng(0).random((100, 400)),
        np.random.default_rng(0).poisson(1, (100, 400)),
        0.5 + 0.5 * np.sin(2 * np.pi * (3 * TIME + PHASES)),
        np.random.default_rng(0).normal(size=(100, 400)).cumsum(axis=1),
        PATCHES.reshape(100, -1) * 1.7,
        np.zeros((100, 400)),
        load_breast_cancer().data,
        np.rint(100 + 100 * np.cos(2 * np.pi * (np.arange(64) / 8 + PHASES))),
        np.rint(200 * PHASES * (1 + np.cos(2 * np.pi * np.arange(64) / 8)) / 2),
    ],
    ids=["noise", "counts", "waves", "walks", "no pixels", "nothing", "table", "seasons", "seasons of one phase"],
)
def test_tables_and_series_are_not_taken_for_images(X):
    assert image_shape_of(X) is None


def test_channels_that_come_first_are_to_be_moved():
    X = PATCHES.transpose(0, 3, 1, 2).reshape(100, -1)
    with pytest.warns(UserWarning, match=r"20 x 16 pixels.*X.reshape\(-1, 3, 20, 16\).transpose\(0, 2, 3, 1\)"):
        warn_of_pixels(X)


def moved(images):
    """Return 8 × 8 images twice as large and moved about in 20 × 20 pixels, a row each."""
    rng, found = np.random.default_rng(0), np.zeros((len(images), 20, 20))
    for row, image in zip(found, images):
        top, left = rng.integers(0, 5, 2)
        row[top : top + 16, left : left + 16] = np.kron(image, np.ones((2, 2)))
    return found.reshape(len(images), 400)


@pytest.mark.filterwarnings("ignore:X is taken for a table")
@pytest.mark.parametrize("kind", [AutoEncoderTransformer, VAETransformer, VQVAETransformer])
@pytest.mark.parametrize("form", [np.asarray, pd.DataFrame, sparse.csr_matrix, np.ndarray.tolist, lambda X: iter([X])])
def test_rows_of_pixels_are_standardised_together_and_other_tables_are_not(kind, form):
    quick = {"max_iter": 1, "random_state": 0} | ({} if kind is AutoEncoderTransformer else {"prior": None})
    quick = quick | {"prior": "normal"} if kind is VAETransformer else quick
    pixels, table = moved(load_digits().images[:300]), load_breast_cancer().data[:300]
    model = kind(**quick).fit(form(pixels))
    np.testing.assert_allclose(model.scale_, pixels.std())
    np.testing.assert_allclose(model.shift_, pixels.mean())
    np.testing.assert_allclose(kind(**quick).fit(form(table)).scale_, table.std(axis=0))


@pytest.mark.filterwarnings("ignore:X is taken for a table")
def test_pixels_at_the_rim_do_not_outweigh_those_in_the_middle(monkeypatch):
    train, test = np.split(moved(load_digits().images[:1200]), 2)

    def left():
        model = AutoEncoderTransformer(8, max_iter=30, random_state=0).fit(train)
        return np.square(model.inverse_transform(model.transform(test)) - test).mean()

    together = left()
    monkeypatch.setattr("skvq.core.layout.warn_of_pixels", lambda X: False)
    assert together < 0.9 * left()


@pytest.mark.parametrize("kind", [AutoEncoderTransformer, VAETransformer, VQVAETransformer])
@pytest.mark.parametrize("form", [np.asarray, pd.DataFrame, sparse.csr_matrix, sparse.csc_array])
def test_rows_of_pixels_without_image_shape_draw_one_warning_with_the_way_out(kind, form):
    X = PATCHES[..., 0].reshape(100, -1)
    quick = {VAETransformer: {"prior": "normal"}, VQVAETransformer: {"prior": None}}
    parameters = {"max_iter": 1} | quick.get(kind, {})
    with pytest.warns(UserWarning, match=r"looks like images of 20 x 16 pixels.*image_shape=\(20, 16\)") as found:
        kind(**parameters).fit(form(X))
    assert sum("image_shape" in str(warning.message) for warning in found) == 1
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*looks like images")
        kind(image_shape=(20, 16), **parameters).fit(form(X))


@pytest.mark.parametrize("form", [np.asarray, pd.DataFrame])
def test_a_density_of_tables_sends_rows_of_pixels_to_one_of_images(form):
    way_out = r"looks like images of 20 x 16 pixels.*VQVAETransformer\(image_shape=\(20, 16\)\)"
    with pytest.warns(UserWarning, match=way_out) as found:
        OrderlessNADE(max_iter=1, n_units=8).fit(form(PATCHES[..., 0].reshape(100, -1)))
    assert sum("taken for a table" in str(warning.message) for warning in found) == 1


def test_a_prior_of_rows_does_not_say_again_what_the_transformer_has_said():
    prior = OrderlessNADE(max_iter=1, n_units=8)
    with pytest.warns(UserWarning, match="image_shape=") as found:
        VQVAETransformer(max_iter=1, prior=prior).fit(PATCHES[..., 0].reshape(100, -1))
    assert sum("taken for a table" in str(warning.message) for warning in found) == 1


SERIES = np.rint(100 + 50 * np.sin(2 * np.pi * (np.arange(40) / 13 + PHASES))).astype(np.uint8)


@pytest.mark.parametrize(
    ("X", "is_one"),
    [
        (PHOTOGRAPH.mean(axis=2).astype(np.uint8), True),
        (PHOTOGRAPH[::8, ::8, 1], True),
        (PATCHES[..., 0].reshape(100, -1), False),
        (SERIES, False),
        (np.random.default_rng(0).integers(0, 256, (100, 40)).astype(np.uint8), False),
        (PHOTOGRAPH.mean(axis=2), False),
    ],
    ids=["photograph", "small photograph", "rows of pixels", "series", "noise", "no bytes"],
)
def test_one_grey_photograph_is_told_from_rows(X, is_one):
    assert is_one_image(X) == is_one


@pytest.mark.parametrize("kind", [AutoEncoderTransformer, VAETransformer, VQVAETransformer])
def test_one_photograph_without_an_axis_of_images_draws_one_warning_with_the_way_out(kind):
    photograph = PHOTOGRAPH[::8, ::8, 0]
    quick = {VQVAETransformer: {"prior": None}}.get(kind, {"n_components": 2})
    with pytest.warns(UserWarning, match=r"one image of 54 x 80 pixels.*\(n, 54, 80\), X\[None\].*patches") as found:
        kind(max_iter=1, **quick).fit(photograph)
    assert sum("taken for a table" in str(warning.message) for warning in found) == 1
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*taken for a table")
        kind(max_iter=1, **quick).fit(np.stack([photograph] * 8))

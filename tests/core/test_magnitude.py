"""Rows in other units than those of fit draw one warning with the way out; unusual rows draw none."""

import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits, load_wine

from skvq import AutoEncoderTransformer, VAETransformer, VQVAETransformer, load
from skvq.core.layout import largest_of_rows, magnitude_of, warn_of_other_units

RANDOM = np.random.default_rng(0)
IMAGES = (load_digits().images[:200] * 255 / 16).astype(np.uint8)
CANCER = load_breast_cancer().data
SHORT = {"max_iter": 1, "random_state": 0}
KINDS = [AutoEncoderTransformer(2, **SHORT), VAETransformer(2, **SHORT), VQVAETransformer(prior=None, **SHORT)]


def warned(X, fitted):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_other_units(X, magnitude_of(fitted))
    return len(caught)


@pytest.mark.parametrize("model", KINDS, ids=lambda model: type(model).__name__)
def test_pixels_in_the_other_range_are_warned_of_once_in_both_directions(model):
    for fitted, passed, way_out in ((IMAGES, IMAGES / 255, "multiply"), (IMAGES / 255, IMAGES, "divide")):
        model.fit(fitted)
        for method in (model.transform, model.score):
            with pytest.warns(UserWarning, match=f"units of the X of fit.*{way_out} them by 255") as found:
                method(passed)
            assert len(found) == 1
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                method(fitted[:20])


def test_frames_are_looked_at_too():
    model = AutoEncoderTransformer(2, **SHORT).fit(pd.DataFrame(CANCER))
    with pytest.warns(UserWarning, match="Bring X to the units of the X of fit"):
        model.transform(pd.DataFrame(CANCER / 1_000))


def test_it_is_remembered_in_a_file(tmp_path):
    AutoEncoderTransformer(2, **SHORT).fit(IMAGES).save(tmp_path / "model")
    with pytest.warns(UserWarning, match="units"):
        load(tmp_path / "model").transform(IMAGES / 255)


def test_black_white_grey_and_constant_images_are_in_the_same_units():
    for image in (np.zeros((1, 64)), np.full((1, 64), 255.0), np.full((1, 64), 128.0), IMAGES[:1].reshape(1, -1) / 8):
        assert not warned(image, IMAGES.reshape(200, -1))


@pytest.mark.parametrize(
    "X",
    [
        CANCER,
        load_wine().data,
        IMAGES.reshape(200, -1),
        RANDOM.lognormal(0, 2, (2_000, 4)),
        RANDOM.standard_cauchy((2_000, 4)),
        RANDOM.poisson(0.05, (500, 30)),
        RANDOM.normal(1e6, 1.0, (500, 3)),
    ],
    ids=["cancer", "wine", "images", "lognormal", "cauchy", "counts", "far"],
)
@pytest.mark.parametrize("n_rows", [1, 3])
def test_batches_of_few_rows_of_a_table_are_no_false_alarm(X, n_rows):
    assert sum(warned(X[i : i + n_rows], X) for i in range(0, len(X) - n_rows, n_rows)) == 0


def test_sparse_rows_are_measured_as_dense_ones():
    X = RANDOM.poisson(0.1, (50, 20)) * RANDOM.normal(size=(50, 20))
    assert magnitude_of(sparse.csr_matrix(X)) == pytest.approx(magnitude_of(X))
    assert warned(sparse.csr_matrix(X * 1e4), X)


def test_large_images_are_measured_in_little_memory():
    X = RANDOM.integers(256, size=(1_200, 40_000), dtype=np.uint8)
    X[::2] //= 2
    tracemalloc.start()
    largest = largest_of_rows(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    chosen = np.linspace(0, 1_199, 1_000).astype(np.int64)
    assert np.array_equal(largest, [X[i].max() for i in chosen])
    assert peak < 10e6  # all of the chosen rows in float64 are 320 MB

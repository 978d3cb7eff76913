import numpy as np
import pytest
from scipy import sparse
from sklearn.preprocessing import StandardScaler

from skvq.core import scaling as _scaling
from skvq.core.scaling import standardisation


@pytest.fixture
def X():
    return np.random.default_rng(0).normal([1e6, 0, -3], [1e-2, 10, 1], size=(200, 3))


@pytest.mark.parametrize("chunk", [7, 10**6])
def test_columns_are_scaled_like_by_standard_scaler(X, chunk, monkeypatch):
    monkeypatch.setattr(_scaling, "CHUNK_VALUES", chunk)
    expected = StandardScaler().fit(X)
    shift, scale = standardisation(X, per_column=True)
    np.testing.assert_allclose(shift, expected.mean_, rtol=1e-12)
    np.testing.assert_allclose(scale, expected.scale_, rtol=1e-9)


def test_an_image_has_one_mean_and_one_scale(X):
    shift, scale = standardisation(X, per_column=False)
    np.testing.assert_allclose(shift, X.mean(), rtol=1e-12)
    np.testing.assert_allclose(scale, X.std(), rtol=1e-12)


def test_a_sparse_matrix_is_scaled_like_the_dense_one(X):
    X[X < 0] = 0
    for per_column in (True, False):
        dense = standardisation(X, per_column=per_column)
        csr = standardisation(sparse.csr_matrix(X), per_column=per_column)
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

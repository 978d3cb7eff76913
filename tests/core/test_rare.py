"""Columns of numbers that hardly ever differ from one value."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import skvq.core.layout
from skvq import AutoEncoderTransformer, VAETransformer, VQVAETransformer
from skvq.core.rare import RARE, ROWS, rare_factor


def table(n=600, n_rare=12, seed=0):
    """Return rows of six columns that two numbers make, and of flags that one row in 300 has."""
    rng, weights = np.random.default_rng(seed), np.random.default_rng(0).normal(size=(2, 6))
    common = rng.normal(size=(n, 2)) @ weights + 0.1 * rng.normal(size=(n, 6))
    return np.column_stack([common, rng.random((n, n_rare)).argsort(axis=0) < n // 300])


@pytest.mark.parametrize("n_rows", [500, 5 * ROWS])
@pytest.mark.parametrize("usual", [0.0, -3.5, 7.0])
def test_a_column_weighs_by_the_share_of_rows_that_differ(n_rows, usual):
    X = np.full((n_rows, 5), usual)
    shares = [0.0, 1 / n_rows, 0.004, 0.03, 0.5]
    for column, share in enumerate(shares):
        X[: round(share * n_rows), column] += np.arange(1, round(share * n_rows) + 1)
    expected = [1, *(np.sqrt(RARE * n_rows / round(share * n_rows)) for share in shares[1:3]), 1, 1]
    np.testing.assert_allclose(rare_factor(X), expected)
    if usual == 0:
        np.testing.assert_allclose(rare_factor(sparse.csr_matrix(X)), expected)


def test_zeros_that_a_sparse_matrix_stores_are_zeros():
    X = sparse.csr_matrix((np.r_[np.zeros(200), 1.0], (np.arange(201), np.zeros(201, int))), shape=(1000, 1))
    np.testing.assert_allclose(rare_factor(X), np.sqrt(RARE * 1000))


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, pd.DataFrame])
@pytest.mark.parametrize("estimator", [AutoEncoderTransformer(2), VAETransformer(2), VQVAETransformer(prior=None)])
def test_all_transformers_and_all_tables_of_numbers_weigh_alike(estimator, kind):
    X = table()
    scale = estimator.set_params(max_iter=1, random_state=0).fit(kind(X)).scale_
    share = X[:, 6:].mean(axis=0)
    np.testing.assert_allclose(scale[:6], X[:, :6].std(axis=0))
    np.testing.assert_allclose(scale[6:], np.sqrt(share * (1 - share) * RARE / share))


@pytest.mark.filterwarnings("ignore:.*training has taught it nothing")
def test_rare_flags_leave_room_for_the_others(monkeypatch):
    train, test = table(), table(seed=1)

    def left(seed):
        model = AutoEncoderTransformer(2, random_state=seed).fit(train)
        error = model.inverse_transform(model.transform(test)) - test
        return np.square(error[:, :6] / test[:, :6].std(axis=0)).mean()

    weighed = [left(seed) for seed in range(2)]
    monkeypatch.setattr(skvq.core.layout, "rare_factor", lambda X: np.ones(X.shape[1]))
    alike = [left(seed) for seed in range(2)]
    assert max(weighed) < 0.5 * min(alike)


def test_images_and_series_do_not_ask():
    X = np.zeros((300, 8, 8))
    X[:, 2:6, 2:6] = np.random.default_rng(0).random((300, 4, 4))
    X[0] = 1.0
    for shape in ({}, {"series_shape": (64,)}):
        rows = X if not shape else X.reshape(300, 64)
        scale = AutoEncoderTransformer(2, max_iter=1, random_state=0, **shape).fit(rows).scale_
        np.testing.assert_allclose(scale, X.std())

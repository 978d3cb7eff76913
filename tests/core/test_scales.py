"""Columns of any scale are standardised, and what float32 cannot hold is told."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from skvq import AutoEncoderTransformer, OrderlessNADE, VAETransformer, VQVAETransformer
from skvq.core.layout import standardisation

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 3)) @ RANDOM.normal(size=(3, 6))
TINY = [1e-100, 1e-161, 1e-170, 1e-250, 1e-300]
SMALL = {"max_iter": 2, "random_state": 0}


def with_small_column(scale):
    rows = X * np.array([1, scale, 1, 1, 0, 1])
    rows[:, 4] = 5
    return rows


@pytest.mark.parametrize("scale", TINY)
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
def test_a_small_column_has_its_own_deviation(scale, make):
    shift, found = standardisation(make(with_small_column(scale)), per_column=True)
    np.testing.assert_allclose(found, X.std(axis=0) * [1, scale, 1, 1, 0, 1] + [0, 0, 0, 0, 1, 0], rtol=1e-9)
    np.testing.assert_allclose(shift, with_small_column(scale).mean(axis=0), rtol=1e-9)


@pytest.mark.parametrize("scale", TINY)
@pytest.mark.parametrize("n_channels", [1, 3])
def test_small_values_that_share_a_scale_have_one(scale, n_channels):
    _, found = standardisation(X * scale, per_column=False, n_channels=n_channels)
    expected = [X.reshape(60, -1, n_channels)[..., c].std() * scale for c in range(n_channels)]
    np.testing.assert_allclose(found, np.tile(expected, 6 // n_channels), rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-161, 1e-170, 1e-300])
@pytest.mark.parametrize("model", [AutoEncoderTransformer(3, **SMALL), VAETransformer(3, **SMALL)], ids=["AE", "VAE"])
def test_a_small_column_comes_back(model, scale):
    rows = with_small_column(scale)
    restored = model.fit(rows).inverse_transform(model.transform(rows))
    np.testing.assert_allclose(restored[:, 1] / scale, X[:, 1], atol=1e-3)


def test_a_small_column_is_not_taken_for_a_perfect_reconstruction():
    model = VQVAETransformer(2, (1,), prior=None, **SMALL).fit(1e-170 * X)
    assert model.score(1e-170 * X) == pytest.approx(
        VQVAETransformer(2, (1,), prior=None, **SMALL).fit(X).score(X), abs=1e-6
    )


def test_a_small_column_of_a_mixed_table_comes_back():
    frame = pd.DataFrame({"small": 1e-170 * X[:, 0], "kind": np.where(X[:, 1] > 0, "a", "b")})
    model = AutoEncoderTransformer(3, **SMALL).fit(frame)
    restored = model.inverse_transform(model.transform(frame))
    np.testing.assert_allclose(restored["small"] / 1e-170, X[:, 0], atol=0.2)


@pytest.mark.parametrize("scale", [1e-170, 1e-60])
def test_rows_that_float32_rounds_to_zero_are_told(scale):
    model = AutoEncoderTransformer(2, standardize=False, **SMALL)
    with pytest.warns(UserWarning, match="which float32 rounds to 0; rescale X, or pass"):
        model.fit(scale * X)


@pytest.mark.parametrize("scale", [1e-308, 1e-310, 1e-320])
@pytest.mark.parametrize("kind", [AutoEncoderTransformer, VAETransformer, VQVAETransformer])
def test_what_float64_has_few_digits_of_is_constant_with_a_warning(kind, scale):
    options = SMALL | ({"prior": None} if kind is VQVAETransformer else {})
    with pytest.warns(UserWarning, match="column 1 of X varies by less than.*taken for constant; rescale X"):
        model = kind(2, **options).fit(with_small_column(scale))
    assert model.scale_[1] == 1
    with pytest.warns(UserWarning, match="^X varies by less than"):
        kind(2, **options, image_shape=(8, 8)).fit(scale * RANDOM.random((60, 64)))


@pytest.mark.parametrize("scale", [1e-290, 1e-307])
def test_what_float64_has_digits_of_is_scored_without_a_warning(scale, recwarn):
    model = AutoEncoderTransformer(2, **SMALL)
    assert model.fit(scale * X).score(scale * X) == pytest.approx(model.fit(X).score(X), abs=1e-6)
    assert not recwarn


def test_a_model_of_rows_scores_the_smallest_columns_without_a_warning(recwarn):
    model = OrderlessNADE(n_units=4, n_blocks=1, **SMALL).fit(1e-310 * X)
    assert np.isfinite(model.score_samples(1e-310 * X)).all()
    assert not recwarn

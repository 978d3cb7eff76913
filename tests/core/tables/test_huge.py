"""Columns of huge values are refused by name, and huge values beside learned ones have finite likelihoods."""

import warnings

import numpy as np
import pandas as pd
import pytest

from skvq import AutoEncoderTransformer, OrderlessNADE, VAETransformer, VQVAETransformer

X = np.random.default_rng(0).normal(size=(40, 3))
FRAME = pd.DataFrame(X, columns=list("abc")).assign(kind=["u", "v"] * 20)
SMALL = {"max_iter": 1, "random_state": 0}
NADE = OrderlessNADE(n_units=4, n_blocks=1, **SMALL)
MODELS = [
    NADE,
    AutoEncoderTransformer(2, **SMALL),
    VAETransformer(2, **SMALL),
    VQVAETransformer(4, prior=NADE, **SMALL),
]


@pytest.mark.parametrize("size", [1e155, 1e200, 1e300, 1.7e308])
@pytest.mark.parametrize("one_cell", [True, False])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_a_column_whose_variance_overflows_is_named_without_a_warning(model, size, one_cell, recwarn):
    frame = FRAME.copy()
    frame["b"] = np.where(np.arange(40) == 3, size, frame["b"]) if one_cell else size / 4 * np.clip(frame["b"], -1, 1)
    with pytest.raises(ValueError, match='column "b".*variance overflows float64; rescale it'):
        model.fit(frame)
    assert not recwarn


@pytest.mark.parametrize("size", [1e30, 1e140])
def test_a_column_of_large_values_is_learned(size, recwarn):
    frame = FRAME.assign(b=size * FRAME["b"])
    scores = NADE.fit(frame).score_samples(frame)
    assert np.isfinite(scores).all()
    assert not recwarn


@pytest.mark.parametrize("model", MODELS[1:], ids=lambda model: type(model).__name__)
def test_a_huge_cell_of_new_rows_is_refused_without_a_warning(model, recwarn):
    model.fit(FRAME.assign(b=0.1 * FRAME["b"]))
    recwarn.clear()
    with pytest.raises(ValueError, match="X holds values that float32 cannot hold after standardisation"):
        model.transform(FRAME.assign(b=np.where(np.arange(40) == 3, 1.7e308, FRAME["b"])))
    assert not recwarn


@pytest.mark.parametrize("size", [1e155, 1e300, 1.7e308])
def test_huge_rows_have_finite_scores(size):
    model, rows = NADE.fit(X), np.full((10, 3), size)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "X holds values up to .* rows in other units", UserWarning)  # which is so
        assert np.isfinite(model.score_samples(rows)).all()
        assert np.isfinite(model.score(rows))
        assert model.score(rows) < -1e100

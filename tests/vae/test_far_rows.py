"""Bounds of rows that are far from all others are finite, as long as float32 holds the rows."""

import numpy as np
import pytest

from skvq import VAETransformer

RANDOM = np.random.default_rng(0)
ROWS, IMAGES = RANDOM.normal(size=(520, 5)), RANDOM.random((40, 6, 6))
SMALL = {"max_iter": 1, "random_state": 0}
MODELS = {
    "linear": (VAETransformer(2, hidden_layer_sizes=(), **SMALL), ROWS),
    "dense": (VAETransformer(2, hidden_layer_sizes=(8,), **SMALL), ROWS),
    "normal prior": (VAETransformer(2, prior="normal", likelihood="gaussian_per_feature", **SMALL), ROWS),
    "convolutional": (VAETransformer(2, network="convolutional", channels=4, **SMALL), IMAGES),
}


@pytest.mark.filterwarnings("ignore:posterior collapse")
@pytest.mark.parametrize("n_importance_samples", [None, 4])
@pytest.mark.parametrize("name", MODELS)
def test_rows_beyond_1e19_deviations_have_a_finite_bound_that_falls(name, n_importance_samples):
    model, X = MODELS[name]
    model.fit(X)
    scores = [
        model.score_samples(scale * X[:3], n_importance_samples=n_importance_samples)
        for scale in (1.0, 1e6, 1e12, 1e18, 1e20, 1e25, 1e30, 1e36)
    ]
    assert np.isfinite(scores).all()
    assert (np.diff(scores, axis=0) < 0).all()


def test_near_rows_have_the_same_bound_beside_far_ones():
    model = VAETransformer(2, hidden_layer_sizes=(), **SMALL).fit(ROWS)
    together = model.score_samples(np.vstack([ROWS[:5], 1e25 * ROWS[:1]]))
    np.testing.assert_array_equal(together[:5], model.score_samples(ROWS[:5]))


def test_the_bound_of_a_far_row_is_that_of_the_formula():
    model = VAETransformer(2, hidden_layer_sizes=(), prior="normal", standardize=False, **SMALL).fit(ROWS)
    far = 1e20 * np.array([[1.0, 0.0, 0.0, 0.0, 0.0]])
    weights = model.weights_
    matrix = weights["encoder.linear.unscaled_weight"].astype(float)[:2] * 5**-0.5
    z = 1e15 * matrix[:, 0]  # what the encoder is shown ends there
    outputs = weights["decoder.linear.unscaled_weight"].astype(float) * 2**-0.5 @ z
    expected = -0.5 * np.square(far[0] - outputs).sum() / model.noise_variance_
    assert model.score_samples(far)[0] == pytest.approx(expected, rel=1e-4)

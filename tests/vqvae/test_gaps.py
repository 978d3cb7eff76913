"""Gaps of series: straight lines, bridges between their ends, and completions by codes."""

import numpy as np
import pytest

from skvq import PixelCNN, VQVAETransformer
from skvq.core.series import SeriesLayout
from skvq.vqvae.gaps import bridged, check_series_mask, interpolated

RNG = np.random.default_rng(0)
STEPS = np.linspace(0, 1, 40)
X = np.sin(2 * np.pi * (2 * STEPS + RNG.random((300, 1)))) * (1 + RNG.random((300, 1)))
MIDDLE = (np.arange(40) < 15) | (np.arange(40) >= 25)
END = np.arange(40) < 30
FAST = {"max_iter": 5, "channels": 16, "n_blocks": 1, "precision": "float32", "random_state": 0}


@pytest.fixture(scope="module", params=["dense", "convolutional"])
def model(request):
    prior = PixelCNN(channels=32, learning_rate_init=0.01, max_iter=15, random_state=0)
    return VQVAETransformer(series_shape=(40,), network=request.param, prior=prior, **FAST).fit(X[:250])


def some_known(shape=(6, 30, 2)):
    known = RNG.random(shape) < 0.5
    known[0, :, 0] = True
    known[1, :5] = known[2, -5:] = False
    known[3, :, -1] = False
    return known


def test_straight_lines_are_those_of_numpy():
    known, values = some_known(), RNG.normal(size=(6, 30, 2))
    rows = np.where(known, values, 0.0).reshape(6, -1)
    found = interpolated(rows, known.reshape(6, -1), (30, 2)).reshape(6, 30, 2)
    for i, channel in np.ndindex(6, 2):
        seen = known[i, :, channel]
        expected = np.full(
            30, values[..., channel][known[..., channel]].mean()
        )  # of a channel that no step is known of
        if seen.any():
            expected = np.interp(np.arange(30), np.flatnonzero(seen), values[i, seen, channel])
        np.testing.assert_allclose(found[i, :, channel], expected, atol=1e-12)


def test_a_bridge_is_the_conditional_mean_of_an_autoregressive_process():
    known, values = some_known((6, 30, 1)), RNG.normal(size=(6, 30, 1)).cumsum(axis=1)
    left_over = np.where(known, values, 0.0)
    found = bridged(left_over.reshape(6, -1), known.reshape(6, -1), (30, 1))
    pairs = known[:, :-1] & known[:, 1:]
    correlation = (left_over[:, :-1] * left_over[:, 1:] * pairs).sum() / np.square(left_over).sum()
    covariance = correlation ** np.abs(np.subtract.outer(np.arange(30), np.arange(30)))
    for i in range(6):
        seen = known[i, :, 0]
        expected = np.zeros(30)
        if seen.any():
            weights = np.linalg.solve(covariance[np.ix_(seen, seen)], left_over[i, seen, 0])
            expected[~seen] = covariance[np.ix_(~seen, seen)] @ weights
        np.testing.assert_allclose(found[i], expected, atol=1e-9)


@pytest.mark.parametrize("known", [MIDDLE, END])
def test_completions_are_nearer_to_the_truth_than_straight_lines(model, known):
    test = X[250:275]
    lines = interpolated(np.where(known, test, 0.0), np.broadcast_to(known, test.shape), (40, 1))
    found = model.complete(test, known, n_draws=4, strategy="mean", random_state=0)
    assert np.square(found - test)[:, ~known].mean() < 0.7 * np.square(lines - test)[:, ~known].mean()


def test_known_values_are_kept_and_nan_is_a_gap_without_a_mask(model):
    gone = np.where(MIDDLE, X[250:260], np.nan)
    found = model.complete(gone, random_state=0)
    np.testing.assert_array_equal(found[:, MIDDLE], X[250:260][:, MIDDLE])
    np.testing.assert_array_equal(found, model.complete(gone, MIDDLE, random_state=0))
    assert np.isfinite(found).all()


def test_draws_differ_and_their_mean_is_their_mean(model):
    drawn = model.complete(X[250:260], END, n_draws=3, random_state=0)
    mean = model.complete(X[250:260], END, n_draws=3, strategy="mean", random_state=0)
    assert len(drawn) == 3
    assert (drawn[0] != drawn[1])[:, ~END].any()
    np.testing.assert_allclose(np.mean(drawn, axis=0), mean)


def test_several_channels_and_either_layout_are_completed():
    two = np.stack([X[:100], 5 - 2 * X[:100]], axis=1)
    shape = {"series_shape": (40, 2), "series_layout": "channels_first"}
    model = VQVAETransformer(**shape, **FAST | {"prior": PixelCNN(channels=16, max_iter=1)}).fit(two)
    for mask in (MIDDLE, np.broadcast_to(MIDDLE, (2, 40)), np.broadcast_to(MIDDLE, (5, 2, 40))):
        found = model.complete(two[:5], mask, random_state=0)
        np.testing.assert_array_equal(found[..., MIDDLE], two[:5][..., MIDDLE])
    rows = model.complete(two[:5].reshape(5, -1), np.tile(MIDDLE, 2), random_state=0)
    np.testing.assert_array_equal(rows.reshape(5, 2, 40), found)


def test_masks_of_steps_hold_for_every_channel():
    steps = RNG.random((4, 10)) < 0.5
    last, first = SeriesLayout((10, 3)), SeriesLayout((10, 3), channels_first=True)
    whole = np.repeat(steps[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(check_series_mask(steps, (4, 10, 3), last), whole.reshape(4, -1))
    np.testing.assert_array_equal(check_series_mask(steps, (4, 3, 10), first), whole.swapaxes(1, 2).reshape(4, -1))


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (MIDDLE.astype(int), "mask must be boolean, True where X is known; it has dtype int64"),
        (MIDDLE[:30], r"mask has shape \(30,\); it must be \(50, 40\) like X"),
    ],
)
def test_other_masks_are_refused(model, mask, message):
    with pytest.raises(ValueError, match=message):
        model.complete(X[250:], mask)


def test_known_nan_and_other_shapes_are_refused(model):
    with pytest.raises(ValueError, match="NaN or infinity where mask says that it is known"):
        model.complete(np.where(MIDDLE, np.nan, X[250:]), MIDDLE)
    with pytest.raises(ValueError, match=r"X must be numeric, of shape \(n, 40\)"):
        model.complete(X[250:, :30], MIDDLE)

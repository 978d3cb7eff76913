"""Gaps of series: bridges between their ends, and completions by guesses that a prior chooses among."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from skvq import PixelCNN, ResidualCodes, VQVAETransformer
from skvq.core.layout import RowLayout
from skvq.core.series import SeriesLayout
from skvq.vqvae.gaps import SeriesCompletion, bridged, check_series_mask
from skvq.vqvae.normal import NormalSeries

RNG = np.random.default_rng(0)
STEPS = np.linspace(0, 1, 40)
X = np.sin(2 * np.pi * (2 * STEPS + RNG.random((300, 1)))) * (1 + RNG.random((300, 1)))
MIDDLE = (np.arange(40) < 15) | (np.arange(40) >= 25)
END = np.arange(40) < 30
ONE_STEP = np.arange(40) < 1  # which leaves open how these series go on, as more steps do not
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
    lines = np.array([np.interp(np.arange(40), np.flatnonzero(known), row[known]) for row in test])
    found = model.complete(test, known, n_draws=4, strategy="mean", random_state=0)
    assert np.square(found - test)[:, ~known].mean() < 0.7 * np.square(lines - test)[:, ~known].mean()


def test_known_values_are_kept_and_nan_is_a_gap_without_a_mask(model):
    gone = np.where(MIDDLE, X[250:260], np.nan)
    found = model.complete(gone, random_state=0)
    np.testing.assert_array_equal(found[:, MIDDLE], X[250:260][:, MIDDLE])
    np.testing.assert_array_equal(found, model.complete(gone, MIDDLE, random_state=0))
    assert np.isfinite(found).all()


def test_draws_differ_and_their_mean_is_their_mean(model):
    drawn = model.complete(X[250:260], ONE_STEP, n_draws=3, random_state=0)
    mean = model.complete(X[250:260], ONE_STEP, n_draws=3, strategy="mean", random_state=0)
    assert len(drawn) == 3
    assert (drawn[0] != drawn[1])[:, ~ONE_STEP].any()
    np.testing.assert_allclose(np.mean(drawn, axis=0), mean)


def test_a_forecast_from_codes_that_keep_everything_is_as_good_as_a_regression():
    rng = np.random.default_rng(0)
    walks = rng.normal(size=(460, 24)).cumsum(axis=1) + 5 * np.sin(np.arange(24) / 3 + rng.random((460, 1)))
    train, test, known = walks[:400], walks[400:], np.arange(24) < 16
    codes = {"code_shape": (8,), "n_codes": 64, "quantizer": ResidualCodes(beam_size=1), "network": "dense"}
    prior = PixelCNN(channels=8, max_iter=1)
    model = VQVAETransformer(series_shape=(24,), prior=prior, **codes, **FAST).fit(train)
    assert model.score(test) > 0.95
    found = model.complete(test, known, n_draws=8, strategy="mean", random_state=0)
    regression = Ridge().fit(train[:, known], train[:, ~known]).predict(test[:, known])
    errors = [np.square(forecast - test[:, ~known]).mean() for forecast in (found[:, ~known], regression)]
    last_value = np.square(test[:, [15]] - test[:, ~known]).mean()
    assert errors[0] < 1.25 * errors[1] < 0.8 * last_value


class PrefersLow:
    """Stand for codes that are the values of the first missing step; low ones are likely."""

    def score_samples(self, codes, y=None):
        return -1e6 * codes[:, 0] * (1 if y is None else y)


@pytest.mark.parametrize("y", [None, np.array([1, -1])])
def test_the_prior_chooses_among_the_guesses(y):
    layout = RowLayout(None, False, np.dtype("float64"), np.zeros(8), np.ones(8), SeriesLayout((8,)))
    guesses = []

    def encode(rows):
        guesses.append(rows[:, 4:])
        return rows[:, 4:]

    def decode(codes):
        return np.concatenate([np.zeros((len(codes), 4)), codes], axis=1)

    normal = NormalSeries(np.zeros(8), np.eye(8), 0.5)
    completion = SeriesCompletion(layout, encode, decode, PrefersLow(), normal)
    options = {"n_draws": 1, "strategy": "draw", "temperature": 1.0, "top_k": None, "top_p": None}
    found = completion.complete(np.zeros((2, 8)), np.arange(8) < 4, n_candidates=16, random_state=0, y=y, **options)
    first = guesses[0][:, 0].reshape(2, 16)
    expected = first.min(axis=1) if y is None else [first[0].min(), first[1].max()]
    np.testing.assert_allclose(found[:, 4], expected)


def test_top_k_and_top_p_are_refused(model):
    with pytest.raises(ValueError, match=r"top_k=3, top_p=None: they cut what a prior draws"):
        model.complete(X[250:], END, top_k=3)


def test_a_low_temperature_makes_draws_alike(model):
    def spread(temperature):
        drawn = model.complete(X[250:260], ONE_STEP, n_draws=4, temperature=temperature, random_state=0)
        return np.std(drawn, axis=0).sum()

    assert spread(1e-6) < 0.5 * spread(1.0)


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


def test_the_mean_is_that_of_eight_draws_unless_said_otherwise():
    X = np.sin(np.arange(24) / 3 + RNG.random((60, 1)) * 6) + 0.2 * RNG.normal(size=(60, 24))
    model = VQVAETransformer(8, series_shape=(24,), max_iter=3, prior=PixelCNN(max_iter=2), random_state=0).fit(X)
    known = np.arange(24) < 14
    found, eight, one = (
        model.complete(X, known, strategy=strategy, n_draws=n, random_state=0)
        for strategy, n in (("mean", 1), ("mean", 8), ("draw", 1))
    )
    np.testing.assert_array_equal(found, eight)
    assert not np.array_equal(found, one)


def test_a_stream_is_completed_by_the_series_of_fit_prior():
    above = np.sin(np.arange(24) / 3 + RNG.random((80, 1)) * 6) + 5
    model = VQVAETransformer(16, series_shape=(24,), prior=PixelCNN(max_iter=3), random_state=0)
    for _ in range(6):
        for chunk in (above, above - 10):
            model.partial_fit(chunk)
    assert not hasattr(model, "normal_mean_")
    model.fit_prior(np.vstack([above, above - 10]))
    known = np.arange(24) < 12
    completed = model.complete(above, known, strategy="mean", random_state=0)
    assert np.abs(completed - above)[:, 12:].mean() < 1.0

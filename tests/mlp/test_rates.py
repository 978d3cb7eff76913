"""Learning rates of the predictors against their formulas."""

import math

import numpy as np
import pytest

from skvq.mlp.rates import Adaptive, Cosine, InverseScaling, LearningRate

KINDS = {
    "constant": lambda *args: LearningRate(*args),
    "invscaling": lambda *args: InverseScaling(*args, power=0.5),
    "adaptive": lambda *args: Adaptive(*args),
    "cosine": lambda *args: Cosine(*args),
}
EVERY = pytest.mark.parametrize("kind", list(KINDS))


def curve(rate, n_steps=20):
    return [rate.at(step) for step in range(n_steps)]


@pytest.mark.parametrize("kind", ["constant", "invscaling", "adaptive"])
def test_without_an_event_the_rate_is_the_initial_one(kind):
    assert curve(KINDS[kind](0.3, 20)) == [0.3] * 20


def test_a_constant_rate_does_not_change_from_epoch_to_epoch():
    rate = LearningRate(0.3, 20)
    rate.epoch_ends(1000)
    assert curve(rate) == [0.3] * 20
    assert rate.stalled() == "Stopping."


def test_the_cosine_is_half_a_cosine():
    expected = 0.3 * 0.5 * (1 + np.cos(np.pi * np.arange(20) / 20))
    np.testing.assert_allclose(curve(Cosine(0.3, 20)), expected)


def test_the_cosine_falls_from_the_initial_rate_to_almost_nothing():
    rates = curve(Cosine(0.3, 1000), 1000)
    assert rates[0] == 0.3
    assert 0 < rates[-1] < 1e-5
    assert np.all(np.diff(rates) < 0)


def test_a_step_after_the_last_has_a_rate_that_is_not_negative():
    assert Cosine(0.3, 20).at(20) == pytest.approx(0.0)


@EVERY
@pytest.mark.parametrize(("warmup", "n_warm"), [(0.25, 5), (0.21, 5), (1.0, 20)])
def test_the_rate_rises_in_equal_steps_to_its_value(kind, warmup, n_warm):
    rates = curve(KINDS[kind](0.3, 20, warmup))
    np.testing.assert_allclose(rates[:n_warm], 0.3 * np.arange(1, n_warm + 1) / n_warm)
    assert max(rates) == pytest.approx(0.3)


def test_the_cosine_starts_after_the_warm_up():
    expected = 0.3 * 0.5 * (1 + np.cos(np.pi * np.arange(15) / 15))
    np.testing.assert_allclose(curve(Cosine(0.3, 20, 0.25))[5:], expected)


@EVERY
def test_no_step_is_without_a_rate(kind):
    for n_steps, warmup in [(1, 0.0), (1, 1.0), (3, 0.5), (7, 0.01)]:
        assert all(rate > 0 for rate in curve(KINDS[kind](0.3, n_steps, warmup), n_steps))


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_inverse_scaling_divides_by_a_power_of_the_rows_seen(power):
    rate = InverseScaling(0.3, 20, power=power)
    for n_rows in (50, 100, 150):
        rate.epoch_ends(n_rows)
        assert rate.at(7) == pytest.approx(0.3 / math.pow(n_rows + 1, power))


def test_inverse_scaling_by_a_power_beyond_all_numbers_ends_at_zero():
    rate = InverseScaling(0.3, 20, power=1e300)
    rate.epoch_ends(50)
    assert rate.at(7) == 0


def test_an_adaptive_rate_is_divided_by_five_until_it_is_too_small():
    rate = Adaptive(0.001, 20)
    seen = [0.001]
    while (reason := rate.stalled()) is None:
        seen.append(rate.at(0))
    np.testing.assert_allclose(seen, 0.001 / 5.0 ** np.arange(6))  # 1e-3 … 3.2e-7, the first not above 1e-6
    assert seen[-2] > 1e-6 >= seen[-1]
    assert reason == "Learning rate too small. Stopping."


def test_an_adaptive_rate_falls_during_the_warm_up_too():
    rate = Adaptive(0.5, 20, 0.5)
    assert rate.stalled() is None
    np.testing.assert_allclose(curve(rate), 0.1 * np.minimum(1, np.arange(1, 21) / 10))

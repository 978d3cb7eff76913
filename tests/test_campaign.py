"""The campaign of odd uses tells right from wrong, and draws cases that can be repeated."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import _campaign_cases
import _campaign_worker
import campaign

SETUP = "import numpy as np\nX = np.zeros((2, 2))"


def judge(call, names=(), missing=False, setup=SETUP):
    return _campaign_worker.judge({"setup": setup, "call": call, "names": names, "missing": missing})


@pytest.mark.parametrize(
    "call",
    [
        "found = [X, [1.0, None], {'a': X}]",
        "raise ValueError('alpha must be positive')",
        "raise TypeError('alpha must be a number')",
    ],
)
def test_finite_outputs_and_errors_that_name_the_parameter_are_right(call):
    assert judge(call, names=("alpha",)) is None


@pytest.mark.parametrize(
    ("call", "what"),
    [
        ("found = [X / 0 * 0]", "NaN in the output"),
        ("found = {'a': [np.inf]}", "an infinite output"),
        ("X[0, 0] = 1", "X was changed"),
        ("raise ValueError('wrong')", "ValueError that names none of alpha: wrong"),
        ("raise ValueError('no_alpha')", "ValueError that names none of alpha: no_alpha"),
        ("raise ValueError", "ValueError without words"),
        ("raise KeyError('alpha')", "KeyError: 'alpha'"),
        ("X.alpha", "AttributeError: 'numpy.ndarray' object has no attribute 'alpha'"),
        ("assert X.any(), 'alpha'", "AssertionError: alpha"),
    ],
)
def test_everything_else_is_wrong(call, what):
    assert judge(call, names=("alpha",)) == what


def test_cells_may_be_missing_where_a_case_says_so():
    assert judge("found = [np.nan]", missing=True) is None


def test_a_setup_that_fails_is_no_case():
    assert judge("found = []", setup="X = nothing") == _campaign_worker.NO_CASE


def test_a_number_draws_the_same_case_again_and_every_case_is_code():
    cases = [campaign.draw(0, number) for number in range(300)]
    assert cases == [campaign.draw(0, number) for number in range(300)]
    assert len({case.kind for case in cases}) > 8
    for case in cases:
        compile(case.setup + "\n" + case.call, case.kind, "exec")


def test_every_estimator_is_drawn():
    import skvq

    kinds = {getattr(skvq, name) for name in skvq.__all__ if hasattr(getattr(skvq, name), "fit")}
    assert {getattr(skvq, model.kind) for model in _campaign_cases.MODELS} == kinds

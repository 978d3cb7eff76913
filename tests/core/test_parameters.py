"""Constraints of parameters: the numbers, the sizes and the arguments that are accepted."""

import re
import warnings
from fractions import Fraction
from numbers import Integral, Real

import numpy as np
import pytest

import skvq
from skvq.core.parameters import (
    CLOSED_FRACTION,
    COUNT,
    FRACTION,
    INNER_FRACTION,
    NON_NEGATIVE,
    POSITIVE,
    POSITIVE_INTEGER,
    Number,
    Sizes,
    as_sizes,
    check_arguments,
    is_auto,
)

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("constraint", "accepted", "refused"),
    [
        (POSITIVE_INTEGER, [1, 2**40, np.int8(3), np.uint64(5)], [0, -1, 1.0, 2.5, "1", None, INF]),
        (COUNT, [0, 1, np.int64(0)], [-1, 0.0, "0"]),
        (POSITIVE, [1e-300, 1, np.float32(0.5)], [0, 0.0, -1, INF, "1"]),
        (NON_NEGATIVE, [0, 0.0, 7], [-1e-300, INF, -INF]),
        (FRACTION, [0, 0.999], [1, -0.1]),
        (INNER_FRACTION, [0.5, 1e-9], [0, 1, 0.0, 1.0]),
        (CLOSED_FRACTION, [0, 1, 0.5], [-0.1, 1.1]),
    ],
)
def test_a_number_is_in_its_interval(constraint, accepted, refused):
    assert [value for value in accepted if not constraint.is_satisfied_by(value)] == []
    assert [value for value in refused if constraint.is_satisfied_by(value)] == []


@pytest.mark.parametrize("value", [True, False, np.True_, np.False_, NAN, np.float32("nan"), np.array([1.0]), 1j])
def test_booleans_nan_and_arrays_are_no_numbers(value):
    for constraint in (Number(Real, None, None, closed="neither"), Number(Real, 0, 1, closed="both"), NON_NEGATIVE):
        assert not constraint.is_satisfied_by(value)
    assert not Number(Integral, None, None, closed="neither").is_satisfied_by(value)


@pytest.mark.parametrize(
    ("value", "sizes"),
    [(3, (3,)), (np.int32(3), (3,)), ((3, 4), (3, 4)), ([3], (3,)), ((), ()), (np.array([3, 4]), (3, 4))],
)
def test_sizes_are_one_positive_integer_or_a_sequence_of_them(value, sizes):
    assert Sizes().is_satisfied_by(value)
    assert as_sizes(value) == sizes
    assert all(type(size) is int for size in as_sizes(value))


@pytest.mark.parametrize(
    "value",
    [0, -1, True, 2.0, "3", "big", None, (0,), (3, -1), (3, True), (2.5,), [[3], [4]], {3}, {3: 4}, np.ones((2, 2))],
)
def test_what_is_no_size_is_refused(value):
    assert not Sizes().is_satisfied_by(value)


def test_sizes_may_have_to_be_at_least_so_many():
    assert [Sizes(at_least=1).is_satisfied_by(value) for value in ((), (3,), 3)] == [False, True, True]
    assert str(Sizes()) == "a positive integer or a sequence of positive integers"
    assert str(Sizes(at_least=1)) == "a positive integer or a sequence of at least 1 positive integers"


def test_arguments_are_held_to_their_constraints_and_the_first_wrong_one_is_named(refusal):
    constraints = {"first": [None, POSITIVE_INTEGER], "second": [FRACTION]}
    assert check_arguments("Some.method", constraints, first=None, second=0.5) == (None, 0.5)
    with pytest.raises(ValueError, match=refusal("Some.method", "first", 0, "None", "an int in the range [1, 2**63)")):
        check_arguments("Some.method", constraints, first=0, second=2.0)
    with pytest.raises(ValueError, match=refusal("Some.method", "second", 2.0, "a float in the range [0.0, 1.0)")):
        check_arguments("Some.method", constraints, first=1, second=2.0)
    with pytest.raises(TypeError):  # as scikit-learn's error, it is of both kinds
        check_arguments("Some.method", constraints, first=1, second=2.0)


def test_the_pattern_of_a_message_holds_it_to_all_that_is_accepted(refusal):
    message = "The 'n' parameter of Some must be None or an int in the range [1, 2**63). Got 0 instead."
    assert re.search(refusal("Some", "n", 0, "an int in the range [1, 2**63)", "None"), message)
    for owner, name, value, accepted in (
        ("Other", "n", 0, "None"),
        ("Some", "m", 0, "None"),
        ("Some", "n", 1, "None"),
        ("Some", "n", 0, "'auto'"),
        ("Some", "n", 0, "instead"),
    ):
        assert not re.search(refusal(owner, name, value, accepted), message)


def test_auto_is_a_string_and_nothing_that_equals_it_element_by_element():
    assert is_auto("auto")
    assert not any(map(is_auto, (None, 0, "Auto", np.array(["auto"]), np.array(["auto", "auto"]))))


def test_fractions_are_refused_by_name():
    with pytest.raises(ValueError, match="The 'tol' parameter of .* must be"):
        skvq.AutoEncoderTransformer(tol=Fraction(1, 2)).fit(np.eye(4))


@pytest.mark.parametrize("name", ["alpha", "learning_rate_init"])
def test_a_parameter_of_half_precision_is_taken_without_a_warning_of_numpy(name):
    rows = np.random.default_rng(0).normal(size=(20, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        skvq.AutoEncoderTransformer(2, max_iter=1, **{name: np.float16(0.01)}).fit(rows)

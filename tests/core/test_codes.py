import numpy as np
import pytest

from skvq.core.codes import CODE_DTYPE, check_codes


def test_whole_floats_become_integers():
    codes = check_codes(np.array([[0.0, 3.0]]), 4)
    assert codes.dtype.kind == "i"
    np.testing.assert_array_equal(codes, [[0, 3]])


@pytest.mark.parametrize(
    ("codes", "message"),
    [([0.5], "whole numbers, found 0.5"), ([-1], "0 or greater, found -1"), ([1, 4], r"0 \.\.\. 3 .*, found 4")],
)
def test_what_is_not_a_code_is_named(codes, message):
    with pytest.raises(ValueError, match=message):
        check_codes(np.array([codes]), 4)


def test_the_type_of_codes_does_not_wrap_in_pairs_of_codes():
    codes = np.array([255], dtype=CODE_DTYPE)
    assert (codes * 256 + codes)[0] == 65535

import numpy as np
import pandas as pd
import pytest

from skvq.core.codes import CODE_DTYPE, check_code_rows, check_codes


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


@pytest.mark.parametrize("form", ["category", "string"])
def test_categories_are_the_codes_that_they_name(form):
    frame = pd.DataFrame({"a": [3, 0, 3], "b": [1, 2, 1]})
    categories = (frame.astype(str) if form == "string" else frame).astype("category")
    np.testing.assert_array_equal(check_codes(check_code_rows(categories), 4), frame)


def test_a_missing_category_is_no_code():
    frame = pd.DataFrame({"a": [3, 0, 3]}, dtype="category")
    frame.iloc[0, 0] = None
    with pytest.raises(ValueError, match="codes contains NaN: codes are whole numbers"):
        check_code_rows(frame)


def test_the_type_of_codes_does_not_wrap_in_pairs_of_codes():
    codes = np.array([255], dtype=CODE_DTYPE)
    assert (codes * 256 + codes)[0] == 65535

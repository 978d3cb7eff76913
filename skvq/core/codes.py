"""Validation of integer codes, and the type that the package hands them out in."""

import numpy as np
from sklearn.utils import check_array

from ..training.batches import as_array
from .naming import no_gaps

# The smallest type that works wherever codes go: torch's embeddings take no smaller integer (and a uint8 tensor as an
# index is read as a mask), and products such as ``code * n_codes + next_code`` do not wrap for up to 46,340 codes,
# where int16 wraps, without a word, at 182.
CODE_DTYPE = np.int32


# Floats beyond this are refused as codes: not every whole number is a float there.
LARGEST_FLOAT = 2.0**53


def check_code_rows(codes):
    """Return codes (n, m) that a user passes as an array of numbers; errors call them codes."""
    codes = as_array(codes, "codes")
    if len(shape := getattr(codes, "shape", ())) > 2:
        raise ValueError(
            f"codes have shape {shape}; the codes of a row stand side by side: codes.reshape({shape[0]}, -1)"
        )
    with no_gaps("codes are whole numbers, as transform returns them", name="codes"):
        return check_array(without_categories(codes), dtype="numeric", input_name="codes")


def without_categories(codes):
    """Return a frame of pandas with the values of its categories in place of these, and anything else as it is.

    scikit-learn makes a number of a missing cell among categories, and fails on categories of strings.
    """
    if not hasattr(codes, "select_dtypes"):
        return codes
    return codes.astype(dict.fromkeys(codes.select_dtypes("category").columns, object))


def check_codes(codes, n_codes=None):
    """Check that an array holds codes and return it as integers.

    Parameters
    ----------
    codes : ndarray
        Integers, or floats whose values are whole numbers.
    n_codes : int, default=None
        Number of different codes; every value must lie in 0 … n_codes - 1. None accepts any value from 0.

    Returns
    -------
    ndarray of an integer dtype, of the same shape

    Raises
    ------
    ValueError
        If a value is not a whole number or out of range; it is named.
    """
    if codes.dtype.kind not in "iub":
        whole = (np.mod(codes, 1) == 0) & (np.abs(codes) < LARGEST_FLOAT)
        if not whole.all():
            raise ValueError(f"codes must be whole numbers, found {codes[~whole][0]}")
        codes = codes.astype(np.int64)
    if codes.dtype.kind == "b":
        codes = codes.astype(np.uint8)
    if codes.size and codes.min() < 0:
        raise ValueError(f"Negative values in data passed to X: codes must be 0 or greater, found {codes.min()}")
    if n_codes is not None and codes.size and codes.max() >= n_codes:
        raise ValueError(f"codes must be in 0 ... {n_codes - 1} (n_codes={n_codes}), found {codes.max()}")
    return codes.astype(codes.dtype.newbyteorder("="), copy=False)

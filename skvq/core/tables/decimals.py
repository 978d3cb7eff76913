"""Decimals of numbers: the fewest that represent a column, judged in the float dtype that the column came in."""

import numpy as np

MOST_DECIMALS = 6
# Where most values need no more decimals than DECIMALS_OF_MOST, the others have at most FINEST_DECIMALS.
DECIMALS_OF_MOST, FINEST_DECIMALS = 3, 15
# Beyond it float64 holds no halves, so that a cell of a grid has no edges.
LARGEST_ON_A_GRID = 2.0**51
# The noise of sums and products is at most this share of the largest value, and of the distance of two grid points.
NOISE_OF_LARGEST, NOISE_OF_STEP = 1e-11, 0.01
# Rounding leaves values so many digits, or else so many.
MANY_DIGITS, FEW_DIGITS = 9, 3


def _on_grid(values, decimals, dtype):
    """Return values rounded to some decimals, and which of them are these decimals in a float dtype.

    In a narrow dtype a value is the number nearest to its decimals, where numbers are closer than decimals.
    """
    rounded = np.round(values, decimals)
    same = rounded == values
    if dtype != np.float64:
        nearest = _cast(rounded, dtype) == values
        same |= nearest & (np.abs(values) * 10.0**decimals < 2.0 ** np.finfo(dtype).nmant)
    return rounded, same


def _cast(values, dtype):
    with np.errstate(over="ignore"):
        return values.astype(dtype)


def decimals_of(values, dtype=np.float64):
    """Return the fewest decimals, up to 6, that represent all values in a float dtype; None if more are needed.

    Examples
    --------
    >>> decimals_of(np.array([1.0, 2.0])), decimals_of(np.array([0.5, 0.07])), decimals_of(np.array([1 / 3]))
    (0, 2, None)
    >>> values = np.array([0.5, 0.07], dtype=np.float32).astype(np.float64)  # the second is 0.07000000029802322
    >>> decimals_of(values), decimals_of(values, np.float32)
    (None, 2)
    """
    largest = np.abs(values).max()
    if largest >= LARGEST_ON_A_GRID:
        return None
    for decimals in range(MOST_DECIMALS + 1):
        if largest * 10.0**decimals < LARGEST_ON_A_GRID and _on_grid(values, decimals, dtype)[1].all():
            return decimals
    return None


def settled(values, dtype, most=MOST_DECIMALS):
    """Return values, float64, those that are nearest in a narrow float dtype to at most `most` decimals as these.

    Values that the dtype does not hold stay as they are.

    Examples
    --------
    >>> settled(np.float64(np.float32([0.07, 1 / 3])), np.float32)
    array([0.07      , 0.33333334])
    """
    held = np.flatnonzero(_cast(values, dtype) == values)
    if dtype == np.float64 or not len(held):
        return values
    blurred, found = values[held], values.copy()
    for decimals in reversed(range(min(most, MOST_DECIMALS) + 1)):  # the fewest decimals come last, and stay
        rounded, same = _on_grid(blurred, decimals, dtype)
        found[held[same]] = rounded[same]
    return found


def fine_decimals(values):
    """Return the fewest decimals, from 6 on, to which values can be rounded; None where values would be lost.

    Rounding may take away the noise of sums and products, as of 0.1 + 0.2. Other values keep nine digits or, if that
    takes more decimals than float64 holds, three: a value that is much smaller than all others never becomes 0.

    Examples
    --------
    >>> fine_decimals(np.array([0.1 + 0.2, 0.5])), fine_decimals(np.array([1.23e-9, 0.5]))
    (6, 11)
    >>> print(fine_decimals(np.array([1.23e-30, 0.5])))
    None
    """
    size = np.abs(values)
    allowed = [
        decimals
        for decimals in range(MOST_DECIMALS, FINEST_DECIMALS + 1)
        if size.max() * 10.0**decimals < LARGEST_ON_A_GRID
    ]
    moved = [np.abs(np.round(values, decimals) - values) for decimals in allowed]
    if allowed and _is_noise(moved[0], size):
        return MOST_DECIMALS
    for digits in (MANY_DIGITS, FEW_DIGITS):
        for decimals, each in zip(allowed, moved):
            if (each <= 10.0**-digits * size).all():
                return decimals
    return None


def _is_noise(moved, size):
    """Return whether values of some size are moved by noise alone as they are rounded to six decimals.

    A value that loses most of its digits, such as the zero among sums of 0.1 and -0.1, is noise if it is moved no more
    than another that does not.
    """
    if moved.max() > min(NOISE_OF_LARGEST * size.max(), NOISE_OF_STEP * 10.0**-MOST_DECIMALS):
        return False
    lost = moved > 10.0**-FEW_DIGITS * size
    return moved[lost].max(initial=0.0) <= moved[~lost].max(initial=0.0)

"""Which plain values a fitted attribute can have: checks from a value to True or False."""

import math
from numbers import Integral, Real


def whole(low=0):
    """Return a check for integers from `low`."""
    return lambda value: isinstance(value, Integral) and not isinstance(value, bool) and low <= value < 2**63


def number(value):
    """Return whether a value is a finite number."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def positive_number(value):
    """Return whether a value is a finite number above 0."""
    return number(value) and value > 0


def any_number(value):
    """Return whether a value is None or a number, finite or not."""
    return value is None or isinstance(value, Real) and not isinstance(value, bool)


def one_of(*accepted):
    """Return a check for some strings or booleans."""
    return lambda value: isinstance(value, (str, bool)) and value in accepted


def grid(*n_axes):
    """Return a check for tuples of so many positive integers."""
    return lambda value: isinstance(value, tuple) and len(value) in n_axes and all(map(whole(1), value))


def image_or_none(value):
    """Return whether a value is the shape of an image, or None."""
    return value is None or grid(2, 3)(value)


def grids_of_codes(value):
    """Return whether a value is the shape of codes: one grid, or two."""
    return grid(1, 2, 3)(value) or isinstance(value, tuple) and len(value) == 2 and all(map(grid(2), value))

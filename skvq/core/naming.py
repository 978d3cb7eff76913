"""Say the faults of data in the words of the user: the name that it was passed under, and what to do about gaps."""

import re
from contextlib import contextmanager

from .._warnings import renamed, warnings_named


@contextmanager
def named(**names):
    """Let errors, and warnings of this package, in the block name their data as the user does, ``named(X="X_val")``.

    See :func:`errors_named`.
    """
    with warnings_named(names), errors_named(**names):
        yield


@contextmanager
def errors_named(most=0, /, **names):
    """Let errors of the block name their data as the user does.

    A message that names none of the data begins with the names.

    Parameters
    ----------
    most : int, default=0
        How often a name is replaced in a message; 0 is everywhere.
    **names
        By the name in the messages of the block, the one that the user passed the data under.

    Examples
    --------
    >>> with errors_named(X="X_val"):
    ...     raise ValueError("X has 3 features")
    Traceback (most recent call last):
    ValueError: X_val has 3 features
    """
    try:
        yield
    except (ValueError, TypeError) as error:
        told = str(error)
        message = renamed(told, names, most)
        if message == told and not any(name in told for name in names.values()):
            message = f"{' or '.join(names.values())}: {told}"
        raise (ValueError if isinstance(error, ValueError) else TypeError)(message) from error


def about_gaps(error, way_out, no_words="", name="X"):
    """Return an error for missing values, or for words among numbers, with what to do here.

    scikit-learn's own advice is for other estimators, and numpy's error does not name the data.

    Parameters
    ----------
    error : ValueError or TypeError
        Another one is returned as it is.
    way_out : str
        What the data must be, and how to make it so.
    no_words : str, default=""
        What to do where words were found; it follows on "expected".
    name : str, default="X"
        What the data are called, where the error does not say it.

    Examples
    --------
    >>> raise about_gaps(ValueError("Input X contains NaN.\\nSee scikit-learn"), "fill the gaps first")
    Traceback (most recent call last):
    ValueError: Input X contains NaN: fill the gaps first
    """
    found = re.match(r"(Input \w+ contains NaN)\.", str(error))
    if found is not None:
        return ValueError(f"{found[1]}: {way_out}")
    if isinstance(error, TypeError) and re.search("'(NAType|NaTType)'", str(error)):  # of pandas
        return ValueError(f"Input {name} contains NaN: {way_out}")
    if str(error).startswith("could not convert string to float"):
        return ValueError(f"X holds words where numbers are expected{no_words} ({error})")
    return error


@contextmanager
def no_gaps(way_out, no_words="", name="X"):
    """Let errors for missing values, and for words, in the block say what to do, see :func:`about_gaps`."""
    try:
        yield
    except (ValueError, TypeError) as error:
        told = about_gaps(error, way_out, no_words, name)
        if told is error:
            raise
        raise told from None

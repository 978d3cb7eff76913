"""Say the faults of data in the words of the user: the name that it was passed under, and what to do about gaps."""

import re
import warnings
from contextlib import contextmanager
from typing import Any

from .._warnings import warn_user

# Which warnings have been shown, as Python keeps it for every module.
_told: dict[Any, Any] = {}


def _renamed(text, names, most=0):
    return re.sub(rf"\b({'|'.join(names)})\b", lambda found: names[found[0]], text, count=most)


@contextmanager
def named(**names):
    """Let errors and warnings of the block name their data as the user does: ``named(X="X_val")`` for held-out rows.

    See :func:`errors_named`.
    """
    with _warnings_named(names), errors_named(**names):
        yield


@contextmanager
def _warnings_named(names):
    """Let warnings of the block name their data as the user does; they are issued at its end."""
    recorded = []
    try:
        with warnings.catch_warnings(record=True) as recorded:
            warnings.simplefilter("always")
            yield
    finally:
        for each in recorded:
            told = str(each.message)
            if (text := _renamed(told, names)) != told:
                warn_user(text, each.category)
            else:
                where = each.filename, each.lineno
                warnings.warn_explicit(each.message, each.category, *where, registry=_told, source=each.source)


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
        message = _renamed(told, names, most)
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
        The end of the message where words were found.
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
        return ValueError(f"X holds words where numbers are expected ({error}){no_words}")
    return error


@contextmanager
def no_gaps(way_out, name="X"):
    """Let errors for missing values in the block say what to do, see :func:`about_gaps`."""
    try:
        yield
    except (ValueError, TypeError) as error:
        told = about_gaps(error, way_out, name=name)
        if told is error:
            raise
        raise told from None

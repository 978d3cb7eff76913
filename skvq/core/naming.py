"""Say the faults of data in the words of the user: the name that it was passed under, and what to do about gaps."""

import re
from contextlib import contextmanager


@contextmanager
def named(most=0, /, **names):
    """Let errors of the block name their data as the user does: ``named(X="X_val")`` for held-out rows.

    A message that names none of the data begins with the names.

    Parameters
    ----------
    most : int, default=0
        How often a name is replaced in a message; 0 is everywhere.
    **names
        By the name in the messages of the block, the one that the user passed the data under.

    Examples
    --------
    >>> with named(X="X_val"):
    ...     raise ValueError("X has 3 features")
    Traceback (most recent call last):
    ValueError: X_val has 3 features
    """
    try:
        yield
    except (ValueError, TypeError) as error:
        told = str(error)
        message = re.sub(rf"\b({'|'.join(names)})\b", lambda found: names[found[0]], told, count=most)
        if message == told and not any(name in told for name in names.values()):
            message = f"{' or '.join(names.values())}: {told}"
        raise (ValueError if isinstance(error, ValueError) else TypeError)(message) from error


def about_gaps(error, way_out, no_words=""):
    """Return an error for missing values, or for words among numbers, with what to do here.

    scikit-learn's own advice is for other estimators, and numpy's error does not name the data.

    Parameters
    ----------
    error : ValueError
        Another one is returned as it is.
    way_out : str
        What the data must be, and how to make it so.
    no_words : str, default=""
        The end of the message where words were found.

    Examples
    --------
    >>> raise about_gaps(ValueError("Input X contains NaN.\\nSee scikit-learn"), "fill the gaps first")
    Traceback (most recent call last):
    ValueError: Input X contains NaN: fill the gaps first
    """
    found = re.match(r"(Input \w+ contains NaN)\.", str(error))
    if found is not None:
        return ValueError(f"{found[1]}: {way_out}")
    if str(error).startswith("could not convert string to float"):
        return ValueError(f"X holds words where numbers are expected ({error}){no_words}")
    return error


@contextmanager
def no_gaps(way_out):
    """Let errors for missing values in the block say what to do, see :func:`about_gaps`."""
    try:
        yield
    except ValueError as error:
        told = about_gaps(error, way_out)
        if told is error:
            raise
        raise told from None

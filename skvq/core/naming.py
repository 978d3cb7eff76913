"""Say the faults of data in the words of the user: the name that it was passed under, and what to do about gaps."""

import re
from contextlib import contextmanager


@contextmanager
def named(**names):
    """Let errors of the block name their data as the user does: ``named(X="X_val")`` for held-out rows.

    Where a message names none of the data, the names are put before it.

    Parameters
    ----------
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
        message = re.sub(rf"\b({'|'.join(names)})\b", lambda found: names[found[0]], told)
        if message == told and not any(name in told for name in names.values()):
            message = f"{' and '.join(names.values())}: {told}"
        raise (ValueError if isinstance(error, ValueError) else TypeError)(message) from error


@contextmanager
def no_gaps(way_out):
    """Let scikit-learn's error for missing values say what to do here; its own advice is for other estimators.

    Parameters
    ----------
    way_out : str
        What the data must be, and how to make it so.

    Examples
    --------
    >>> with no_gaps("fill the gaps first"):
    ...     raise ValueError("Input X contains NaN.\\nSee scikit-learn")
    Traceback (most recent call last):
    ValueError: Input X contains NaN: fill the gaps first
    """
    try:
        yield
    except ValueError as error:
        found = re.match(r"(Input \w+ contains NaN)\.", str(error))
        if found is None:
            raise
        raise ValueError(f"{found[1]}: {way_out}") from None

"""Give the faults of held-out rows the name that the user passed them under."""

import re
from contextlib import contextmanager


@contextmanager
def named(**names):
    """Let errors of the block name their data as the user does: ``named(X="X_val")`` for held-out rows.

    A message that names none of the data begins with the names.

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
            message = f"{' or '.join(names.values())}: {told}"
        raise (ValueError if isinstance(error, ValueError) else TypeError)(message) from error

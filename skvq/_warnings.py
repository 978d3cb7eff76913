"""Warnings that point at the line of the user's program."""

import sys
import warnings

# Packages whose lines a user did not write.
_INNER = {"skvq", "sklearn", "torch", "joblib", "contextlib"}


def warn_user(message: str | Warning, category: type[Warning] = UserWarning) -> None:
    """Issue a warning, a text or one that is made already, that points at the user's line."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _INNER:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)

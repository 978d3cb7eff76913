"""Warnings that point at the line of the user's program."""

import sys
import warnings

# Packages whose lines a user did not write.
_INNER = {"skvq", "sklearn", "torch", "joblib", "contextlib"}


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn of what the innermost line outside of this package, and of those that it works with, has brought about."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _INNER:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)

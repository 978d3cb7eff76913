"""Warnings that point at the line of the user's program."""

import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Packages whose lines a user did not write.
_INNER = {"skvq", "sklearn", "torch", "joblib", "contextlib"}


# By the name in messages, the one that the user passed the data under.
_names: ContextVar[dict[str, str] | None] = ContextVar("names", default=None)


@contextmanager
def warnings_named(names: dict[str, str]) -> Iterator[None]:
    """Let warnings of this package, within the block, name their data as the user does: ``{"X": "X_val"}``."""
    token = _names.set(names)
    try:
        yield
    finally:
        _names.reset(token)


def renamed(text: str, names: dict[str, str], most: int = 0) -> str:
    """Return a text with its first `most` names, or all, replaced by those of the user."""
    return re.sub(rf"\b({'|'.join(names)})\b", lambda found: names[found[0]], text, count=most)


def warn_of_unknown_names(estimator: object, X: object) -> object:
    """Return X without names of columns that `fit` was not given, after a warning: within :func:`warnings_named` alone.

    scikit-learn has the same warning, which calls X by no other name.
    """
    known = _names.get() is None or hasattr(estimator, "feature_names_in_")
    if known or not all(isinstance(name, str) for name in getattr(X, "columns", [0])):
        return X
    warn_user(f"X has feature names, but {type(estimator).__name__} was fitted without feature names")
    return X.to_numpy()  # type: ignore[attr-defined]


def warn_user(message: str | Warning, category: type[Warning] = UserWarning) -> None:
    """Issue a warning, a text or one that is made already, that points at the user's line."""
    names = _names.get()
    if names is not None and isinstance(message, str):
        message = renamed(message, names)
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _INNER:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)

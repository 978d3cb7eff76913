"""Decide what an interrupt (Ctrl-C) of a training ends: this training alone, or all that it is a part of."""

from contextlib import contextmanager
from contextvars import ContextVar

_passed_on = ContextVar("passed_on", default=False)


@contextmanager
def interrupts_end_all():
    """Within the block several trainings follow each other, and an interrupt of one ends them all: it is raised.

    Elsewhere an interrupted training keeps what there is, and the program goes on.
    """
    token = _passed_on.set(True)
    try:
        yield
    finally:
        _passed_on.reset(token)


def end_all():
    """Return whether an interrupt is to be raised, not kept to the training that it comes in."""
    return _passed_on.get()

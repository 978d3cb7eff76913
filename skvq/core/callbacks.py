"""scikit-learn's callbacks: the tasks of a fit, as `sklearn.callback` sees them.

This is the only module that imports it. Before scikit-learn 1.9 it does not exist: then estimators have no
`set_callbacks`, and everything here does nothing.
"""

import copy
from contextlib import contextmanager, nullcontext

import torch

from ..nn import ranks
from ..training.loop import TimeLimit

try:
    from sklearn.callback import CallbackSupportMixin as CallbackSupport
    from sklearn.callback import with_callbacks
except ImportError:

    class CallbackSupport:  # type: ignore[no-redef]
        """What an estimator inherits where scikit-learn has no callbacks: nothing."""

    def with_callbacks(fit):
        """Return `fit` as it is."""
        return fit


class FitTask:
    """A task of a fit, and what the hooks of callbacks are given there.

    Parameters
    ----------
    estimator : estimator
        The one that is being fitted.
    X, y : array-like
        As the user passed them. Where y is None, hooks get X in its place: what a network without labels learns to give
        back.
    sample_weight : array-like, default=None

    Attributes
    ----------
    limit : TimeLimit
        The estimator's `max_seconds`, which begin when the task is made.
    """

    def __init__(self, estimator, X, y=None, sample_weight=None):
        self.estimator = estimator
        self.limit = TimeLimit(getattr(estimator, "max_seconds", None))
        self.data = {
            "X": X,
            "y": X if y is None else y,
            "metadata": {} if sample_weight is None else {"sample_weight": sample_weight},
        }
        self.name = "fit"
        self.outer = None
        self.context = None

    def begin(self, max_subtasks, name=None):
        """Open the task, which has so many tasks within it; the outermost one sets the callbacks up."""
        name = self.name if name is None else name
        if self.outer is not None:
            if self.outer.context is not None:
                self._open(self.outer.context.subcontext(task_name=name, max_subtasks=max_subtasks))
        elif ranks.is_first() and hasattr(self.estimator, "_init_callback_context"):
            self._open(self.estimator._init_callback_context(task_name=name, max_subtasks=max_subtasks))

    def stage(self, name):
        """Return a task within this one, still to be begun."""
        task = copy.copy(self)
        task.name, task.outer, task.context = name, self, None
        return task

    def end(self):
        """Close the task; the estimator is fitted as far as it goes."""
        if self.context is not None:
            self._call("end", self.context, dict)

    @contextmanager
    def delegate(self, name, estimator):
        """Within the block another estimator is fitted, whose tasks belong to this one if it knows callbacks."""
        if self.context is None:
            yield
            return
        context = self.context.subcontext(task_name=name)
        knows = hasattr(estimator, "set_callbacks")
        with context.propagate_callback_context(estimator) if knows else nullcontext():
            self._call("begin", context)
            yield
            self._call("end", context, dict)

    @contextmanager
    def part(self, name):
        """Within the block comes a part of the task that has no epochs, and of which nobody knows how long it takes.

        It counts among the tasks within this one. A progress bar shows its name.
        """
        if self.context is None:
            yield
            return
        context = self.context.subcontext(task_name=name, max_subtasks=None)  # a leaf would have no bar
        self._call("begin", context)
        yield
        self._call("end", context)

    def epochs(self, record, fitted, name="epoch"):
        """Return the observer of a training loop, None if nobody watches.

        Parameters
        ----------
        record : callable
            Told when an epoch ends, to bring up to date what the estimator itself says of its training.
        fitted : callable
            Returns the attributes, a dict, that make a copy of the estimator a fitted one, as if training ended now.
        name : str, default="epoch"
            Of each task.
        """
        watched = self.context is not None and getattr(self.estimator, "_skl_callbacks", None)
        return Epochs(self, record, fitted, name) if watched else None

    def _open(self, context):
        self.context = context
        self._call("begin", context)

    def _call(self, moment, context, fitted=None):
        """Call the hooks of one moment; return whether one of them asks to stop."""
        with torch.inference_mode(False):  # what a hook computes is no part of the training
            hooks = getattr(context, f"call_on_fit_task_{moment}")
            return hooks(estimator=self.estimator, reconstruction_attributes=fitted, **self.data) is True


class Epochs:
    """Observer of a training loop: every epoch is a task without subtasks."""

    def __init__(self, task, record, fitted, name):
        self.task = task
        self.record = record
        self.fitted = fitted
        self.name = name
        self.context = None

    def epoch_begins(self):
        """Open the task of the next epoch."""
        self.context = self.task.context.subcontext(task_name=self.name)
        self.task._call("begin", self.context, self.fitted)

    def epoch_ends(self):
        """Close it; return whether training is to stop here."""
        self.record()
        return self.task._call("end", self.context, self.fitted)

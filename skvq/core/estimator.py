"""The base of every estimator, and the base of those that a network trained by the loop makes up."""

from __future__ import annotations

import copy
import functools
import numbers
import os
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state, check_scalar, get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from .._typing import Method
from ..persistence.save import save
from ..training.batches import Rows, split_rows
from ..training.loop import Loop, Settings
from .callbacks import CallbackSupport, learned_by
from .device import resolve_device, resolve_precision, threads_for
from .layout import flatten_images

# Evaluation batches are filled up to a multiple of this many rows, so that a row gets the same floats whether it comes
# alone or among a few others (matrix products of different heights may round differently).
ROW_BLOCK = 32


def check_number(name, value, kind=numbers.Real, low=None, high=None, boundaries="both"):
    """Raise TypeError or ValueError unless the parameter `name` is a number of `kind` within the range."""
    if isinstance(value, bool):
        raise TypeError(f"{name}={value!r} must be a number")
    check_scalar(value, name, kind, min_val=low, max_val=high, include_boundaries=boundaries)
    if kind is numbers.Real and not np.isfinite(value):
        raise ValueError(f"{name}={value!r} must be finite")


def check_choice(name, value, accepted):
    """Raise ValueError unless the parameter `name` is one of `accepted`, strings or booleans."""
    if not isinstance(value, (str, bool)) or value not in accepted:
        raise ValueError(f"{name}={value!r} must be one of {', '.join(map(repr, accepted))}")


def check_sizes(name, value):
    """Return the parameter `name`, one integer or a sequence of positive ones, as a tuple of int."""
    sizes = (value,) if isinstance(value, numbers.Integral) else value
    if isinstance(sizes, str) or not isinstance(sizes, Iterable):
        raise TypeError(f"{name}={value!r} must be a sequence of positive integers")
    for size in sizes:
        check_number(f"an entry of {name}", size, numbers.Integral, low=1)
    return tuple(int(size) for size in sizes)


def is_auto(value):
    """Return whether a parameter is the string "auto" (comparing arrays with a string would raise or warn)."""
    return isinstance(value, str) and value == "auto"


def forgets_failure(fit: Method) -> Method:
    """Make a `fit` that fails leave an unfitted estimator, not a mixture of two fits."""

    @functools.wraps(fit)
    def forgetful(self, *args, **kwargs):
        self._forget()
        with self._forgets_failure():
            return fit(self, *args, **kwargs)

    return forgetful  # type: ignore[return-value]


@dataclass(frozen=True)
class Automatic:
    """What "auto" stands for in the parameters of training, for some rows."""

    max_iter: int
    batch_size: int
    learning_rate_init: float
    bfloat16_pays: bool


@dataclass(frozen=True)
class Fitting:
    """What a fit works with: the network that is trained, and what is needed to describe it once it is.

    `architecture` is the dict that the module is built from, `validation` None where no rows were held out.
    """

    module: torch.nn.Module
    architecture: dict
    rows: Rows
    validation: Rows | None
    generator: torch.Generator


def torch_generator(random_state, device="cpu"):
    """Return a private torch.Generator on the device, seeded from `random_state`; no global generator is touched."""
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    return torch.Generator(device).manual_seed(int(seed))


class Estimator(CallbackSupport, BaseEstimator):
    """Base of every estimator: what a fit has learned is saved, forgotten and pickled in one way.

    What a fit learns is attributes whose names end in an underscore, and those that a subclass names in
    ``_learned_beside``. What it names in ``_caches`` is rebuilt where it is missing, and never pickled.
    """

    _learned_beside: tuple[str, ...] = ()
    _caches: tuple[str, ...] = ()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to one file, which :func:`skvq.load` reads.

        The file is a safetensors file with the arrays, the parameters and the version: no code, no training rows, no
        memory of the optimiser, no callbacks, no metadata requests. Loading it runs nothing that is in it, so that a
        file from anywhere can be loaded, which is not true of a pickle. It replaces an older file at once or, if
        anything fails, not at all.

        Parameters
        ----------
        path : str or os.PathLike
            Where to; ``.safetensors`` is the usual suffix.

        Raises
        ------
        TypeError
            For a parameter that is no number, string, sequence of these or estimator of this package (a RandomState
            instance, a function, another package's estimator), and for subclasses of the estimators: skops and joblib
            keep these.
        ValueError
            If parameters were changed, after `fit`, to some that do not go with what was learned.
        """
        save(self, path)

    def _forget(self):
        """Drop all that an earlier fit has learned."""
        learned = [name for name in self.__dict__ if name.endswith("_")]
        for name in (*learned, *self._learned_beside, *self._caches):
            self.__dict__.pop(name, None)

    @contextmanager
    def _forgets_failure(self):
        """Leave an unfitted estimator if the block fails, not a mixture of two fits."""
        try:
            yield
        except BaseException:
            self._forget()
            raise

    def __getstate__(self):
        state = super().__getstate__().copy()
        for name in self._caches:
            state.pop(name, None)
        return state


class BaseNetwork(Estimator):
    """Base of the estimators: a network whose fitted state is arrays and JSON-able scalars.

    A subclass says in ``_build(architecture, generator)`` which module its dict of scalars describes. After
    ``_keep(module, architecture)`` the estimator holds `architecture_` and `weights_`; the module itself is only a
    cache, rebuilt where it is missing, and never pickled. What else it reads off a trained network it sets in
    ``_finish(fitting)``, which callbacks also have done to a copy of the estimator in the middle of training.
    """

    _learned_beside = ("_images_in", "_dtype_in")
    _caches = ("_module",)

    def _generator(self):
        """Return a private torch.Generator seeded from `random_state`."""
        return torch_generator(self.random_state)

    def _check_rows(self, X, shape, *, reset):
        """Validate X and lay it out as rows, without a copy.

        Returns the rows, an ndarray or CSR matrix of shape (n, n_features) of any numeric dtype, and the shape of one
        image (a tuple, None if X came as rows), which must be `shape` where that is not None.
        """
        rows, found = flatten_images(X, shape)
        accept_sparse = "csr" if get_tags(self).input_tags.sparse else False
        rows = validate_data(self, rows, reset=reset, accept_sparse=accept_sparse, dtype="numeric")
        if rows.dtype.kind not in "biuf":
            raise ValueError(f"X has dtype {rows.dtype}; it must be numeric")
        return rows, found

    def _check_training_parameters(self):
        check_number("alpha", self.alpha, low=0)
        check_number("tol", self.tol, low=0)
        check_number("validation_fraction", self.validation_fraction, low=0, high=1, boundaries="neither")
        if not is_auto(self.max_iter):
            check_number("max_iter", self.max_iter, numbers.Integral, low=1)
        if not is_auto(self.batch_size):
            check_number("batch_size", self.batch_size, numbers.Integral, low=1)
        if not is_auto(self.learning_rate_init):
            check_number("learning_rate_init", self.learning_rate_init, low=0, boundaries="neither")
        if not isinstance(self.verbose, (bool, numbers.Integral)) or self.verbose < 0:
            raise ValueError(f"verbose={self.verbose!r} must be 0, 1 or 2")
        if self.n_iter_no_change is not None:
            check_number("n_iter_no_change", self.n_iter_no_change, numbers.Integral, low=1)

    def _split(self, rows, validation, early_stopping, generator):
        """Return (training, validation) Rows: those given, a split of `rows`, or no validation at all."""
        if validation is not None or not early_stopping:
            return rows, validation
        training, held_out = split_rows(len(rows), self.validation_fraction, generator)
        return rows.restrict(training), rows.restrict(held_out)

    def _n_epochs(self, automatic):
        return automatic.max_iter if is_auto(self.max_iter) else self.max_iter

    def _train(self, objective, fitting, automatic, task, *, work, monitor="loss", judged=None):
        """Run the training loop by the estimator's parameters and record its history.

        `automatic` is the :class:`Automatic` that "auto" stands for, `task` the FitTask that the epochs belong to,
        `work` counts the multiply-adds of a forward pass over one row, `monitor` is the term whose lowest value on
        held-out rows, or on those that are `judged` in their place, is kept.
        """
        rows = fitting.rows
        settings = Settings(
            max_iter=self._n_epochs(automatic),
            batch_size=automatic.batch_size if is_auto(self.batch_size) else self.batch_size,
            learning_rate_init=(
                automatic.learning_rate_init if is_auto(self.learning_rate_init) else self.learning_rate_init
            ),
            alpha=self.alpha,
            tol=self.tol,
            n_iter_no_change=self.n_iter_no_change,
            monitor=monitor,
            keep_best=self.early_stopping is not False,
            precision=resolve_precision(self.precision, rows.device, pays=automatic.bfloat16_pays),
            verbose=self.verbose,
            name=type(self).__name__,
        )
        loop = Loop(
            objective,
            rows,
            settings,
            fitting.generator,
            validation_rows=fitting.validation if judged is None else judged,
            observer=task.epochs(lambda: self._record(loop.history), lambda: self._fitted_so_far(fitting)),
        )
        with threads_for(work * min(settings.batch_size, len(rows))):
            history = loop.run()
        self._record(history)

    def _record(self, history):
        self.history_ = {name: list(values) for name, values in history.terms.items()}
        self.loss_curve_ = self.history_.get("loss", [])
        self.validation_loss_curve_ = self.history_.get("validation_loss", [])
        self.n_iter_ = history.n_iter
        self.best_iter_ = history.best_iter

    def _finish(self, fitting):
        """Set all that is read off a trained network, which is in evaluation mode."""
        self._keep(fitting.module, fitting.architecture)

    def _fitted_so_far(self, fitting):
        """Return the attributes that `fit` would have set, had training ended now; training goes on untouched."""
        module = self._build(fitting.architecture, torch.Generator())
        module.load_state_dict(fitting.module.state_dict())
        module.requires_grad_(False).to(fitting.rows.device).eval()
        generator = torch.Generator()
        generator.set_state(fitting.generator.get_state())
        copied = copy.copy(self)
        copied._finish(replace(fitting, module=module, generator=generator))
        return learned_by(copied, self)

    def _keep(self, module, architecture):
        self.architecture_ = architecture
        self.weights_ = {
            name: tensor.detach().cpu().numpy().copy()  # numpy() alone would alias the live weights
            for name, tensor in module.state_dict().items()
        }
        self._module = module.eval()

    def _network(self):
        """Return the fitted module in evaluation mode on the device, rebuilt from `weights_` if need be."""
        check_is_fitted(self, "weights_")
        device = resolve_device(self.device)
        module = getattr(self, "_module", None)
        if module is None:
            module = self._build(self.architecture_, torch.Generator())
            module.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in self.weights_.items()})
            module.requires_grad_(False)
        self._module = module.to(device).eval()
        return self._module


def fill_block(batch):
    """Return `batch` with rows of zeros added up to a multiple of ROW_BLOCK."""
    missing = -len(batch) % ROW_BLOCK
    return batch if missing == 0 else torch.cat([batch, batch.new_zeros(missing, *batch.shape[1:])])

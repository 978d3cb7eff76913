"""The base of the estimators, and the one template by which networks are fitted."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._typing import Device, Method, RandomState
from .._warnings import warn_user
from ..nn import ranks
from ..persistence.save import save
from ..training.batches import Rows, n_training_rows, split_rows
from ..training.checkpoints import Checkpoint, seed_in
from ..training.interrupts import end_all
from ..training.loop import Loop, Settings, TimeLimit
from ..training.stream import Stream
from .availability import without_attribute
from .callbacks import CallbackSupport
from .device import prepared, resolve_device, resolve_precision, threads_for
from .fingerprint import digest_of_rows, digest_of_some, fingerprint
from .inference import phase
from .parameters import described, is_auto, plain, to_json
from .versions import with_versions, without_versions

# Up to so many training rows a budget of at least so many epochs is cut to whole ones. Beyond, the steps of a table
# grow by a share for every tenfold of the rows (`benchmarks/scaling.py rows`).
WHOLE_EPOCHS_ROWS, FEWEST_WHOLE_EPOCHS, GROWTH = 20_000, 10, 0.5


def forgets_failure(fit: Method) -> Method:
    """Make a `fit` that fails leave an unfitted estimator, not a mixture of two fits."""

    @functools.wraps(fit)
    def forgetful(self, *args, **kwargs):
        self._forget()
        with self._forgets_failure():
            return fit(self, *args, **kwargs)

    return forgetful  # type: ignore[return-value]


@dataclass(frozen=True)
class Budget:
    """The values of the parameters of training where they are "auto".

    Of 2.5 epochs the last one has half the steps. `bfloat16_pays` says whether the network is one that gains from
    training in bfloat16.
    """

    max_iter: float
    batch_size: int
    learning_rate_init: float
    bfloat16_pays: bool = False


def epochs_for(total, of_epoch, n_rows, *, growth=0.0):
    """Return what "auto" stands for in `max_iter` for a budget in steps or rows: up to 20,000 rows one epoch at least.

    Epochs are whole where there are ten of them or more, up to 20,000 rows. Otherwise the last one is a part of an
    epoch, so that more rows are not trained on for noticeably fewer steps. Where more rows can be learned from for
    longer, the budget grows by the share `growth` for every tenfold of them beyond 20,000.

    Parameters
    ----------
    total : int
        Steps, or rows, in all.
    of_epoch : int
        Those of an epoch.
    n_rows : int
        Training rows.
    growth : float, default=0.0

    Returns
    -------
    int or float
        With six digits.

    Examples
    --------
    >>> [epochs_for(300_000, n, n) for n in (18_000, 54_000, 1_000_000)]
    [16, 5.55556, 0.3]
    >>> epochs_for(750, 100, 6_400), epochs_for(750, 1_000, 19_000)
    (7.5, 1)
    >>> [epochs_for(300_000, n, n, growth=0.5) for n in (18_000, 54_000, 1_000_000)]
    [16, 6.75379, 0.554846]
    """
    is_small, whole = n_rows <= WHOLE_EPOCHS_ROWS, total // of_epoch
    if is_small and whole >= FEWEST_WHOLE_EPOCHS:
        return whole
    more = growth * math.log10(max(1.0, n_rows / WHOLE_EPOCHS_ROWS))
    epochs = max(float(is_small), float(f"{total * (1 + more) / of_epoch:.6g}"))
    return int(epochs) if epochs.is_integer() else epochs


@dataclass(frozen=True)
class Start:
    """A network before its training.

    Attributes
    ----------
    module : torch.nn.Module
    architecture : object
        A frozen dataclass; from its JSON the module can be built again.
    notes : dict
        Whatever else was found out about the rows, by name.
    """

    module: torch.nn.Module
    architecture: object
    notes: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """All that one fit needs to know besides the rows.

    Attributes
    ----------
    architecture : object
        What to build: whatever `start` takes.
    budget : Budget
        How long and how fast to train where the parameters are "auto".
    holds_out : bool
        Whether rows are held out to choose the weights by.
    start : callable
        (architecture, rows, generator) → :class:`Start`.
    objective : callable
        (start, generator) → :class:`~skvq.training.loop.Objective`.
    monitor : str
        The term of the loss whose lowest value on held-out rows is kept.
    judges_itself : bool
        Where no rows are held out, keep the epoch that is best on the training rows: for networks whose start is the
        optimum, or near it, so that no worse epoch replaces it.
    uses : int
        How often one row uses most of the weights, such as the number of positions of an image.
    is_patient : bool
        Whether all epochs are run where `n_iter_no_change` is "auto": of networks whose best epoch is a late one.
    share : float
        The share of `max_seconds` that training gets; the rest is for what follows it.
    passes_after : int
        How often the network is applied to all rows once it is trained.
    starting : str
        What `start` does, as a user reads it.
    """

    architecture: object
    budget: Budget
    holds_out: bool
    start: Callable
    objective: Callable
    monitor: str = "loss"
    judges_itself: bool = False
    uses: int = 1
    is_patient: bool = False
    share: float = 1.0
    passes_after: int = 0
    starting: str = "starting the network"


@dataclass
class Fitting:
    """A fit on its way: the network that is trained, the rows, and the generator that everything is drawn from.

    `held_out` is None where no rows were held out. `notes` collects what the rest of `fit` needs and no attribute
    keeps. `checkpoint` is None where none is asked for, and where training was interrupted, so that it stays.
    `interrupted` says whether the user asked the fit to end (Ctrl-C). `limit` is that of the whole fit, None in
    `partial_fit`.
    """

    module: torch.nn.Module
    architecture: object
    rows: Rows
    held_out: Rows | None
    generator: torch.Generator
    notes: dict
    checkpoint: Checkpoint | None = None
    interrupted: bool = False
    limit: TimeLimit | None = None

    def end(self):
        """Delete the checkpoint: the fit has come to its end."""
        if self.checkpoint is not None:
            self.checkpoint.remove()


def automatic_patience(max_iter):
    """Return what "auto" stands for in `n_iter_no_change` where held-out rows judge a network: a quarter of the epochs.

    But at least 10: an earlier end would keep the falling learning rate from lowering the loss once more.

    Examples
    --------
    >>> automatic_patience(20), automatic_patience(100), automatic_patience(375)
    (10, 25, 93)
    """
    return max(10, int(max_iter) // 4)


def torch_generator(random_state):
    """Return a private torch.Generator, seeded from `random_state`; no global generator is touched."""
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    return torch.Generator().manual_seed(int(seed))


def check_same_rows(rows, held_out):
    """Raise ValueError where several processes are given different numbers of rows, or other rows."""
    given = [part for part in (rows, held_out) if part is not None]
    numbers = ranks.of_all((len(rows), None if held_out is None else len(held_out)))
    told = None
    if len(set(numbers)) > 1:
        told = f"different numbers of rows (and held-out rows): {numbers}"
    elif ranks.active() and len(set(ranks.of_all(tuple(digest_of_some(part.X) for part in given)))) > 1:
        told = "rows with other values"
    if told is not None:
        raise ValueError(
            f"the processes were given {told}; pass the same X to fit in all of them, each of which computes a part of "
            "every batch, or skvq.from_shards(X) where each has rows of its own"
        )


def memory_of(stream, start):
    """Return the memory of a Stream as data, for another process to go on with."""
    names = ("batch_size", "learning_rate_init")
    settings = {name: getattr(stream.settings, name) for name in names}
    return {"state": stream.memory(), "settings": settings, "notes": dict(start.notes)}


class NetworkEstimator(CallbackSupport, BaseEstimator):
    """Base of the estimators: what was learned is arrays and JSON-able scalars, the network is built from them.

    A subclass that trains by :meth:`_fit_network` has the parameters below and three hooks. ``_recipe(rows, held_out)``
    returns the :class:`Recipe` of a fit. ``_learned(fitting)`` returns the fitted attributes, a dict, that are read off
    a trained network, which is in evaluation mode. ``_build(architecture, generator)``, static, returns the module that
    the dict `architecture_` describes. The module itself is a cache, built again where it is missing.

    Those with `partial_fit` have another hook: ``_known_architecture()`` returns the architecture of what was learned,
    of which `architecture_` is the JSON.

    A fit learns the attributes whose names end in an underscore, and those in `_learned_beside`. Those in `_caches` are
    made again where they are missing, and are never pickled.
    """

    _learned_beside: tuple[str, ...] = ()
    _caches: tuple[str, ...] = ("_module", "_table", "_layout", "_seed", "_stream")

    # The parameters that every subclass has. A subclass may leave out the first three: then it has no checkpoints, and
    # no limit of time.
    checkpoint: str | os.PathLike[str] | None = None
    checkpoint_interval: float = 60.0
    max_seconds: float | None = None
    alpha: float
    batch_size: int | str
    device: Device
    early_stopping: bool | str
    learning_rate_init: float | str
    max_iter: int | str
    n_iter_no_change: float | str | None
    precision: str
    random_state: RandomState
    tol: float
    validation_fraction: float
    verbose: int

    _recipe: Callable[..., Recipe]
    _known_architecture: Callable[[], object]
    _build: Callable[..., torch.nn.Module]

    def __getattr__(self, name):
        is_method_of_others = "_" not in (name[0], name[-1]) and not hasattr(type(self), name)
        if is_method_of_others:
            raise without_attribute(self, name)
        return object.__getattribute__(self, name)  # which raises the error once more

    @prepared
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to one file, which :func:`skvq.load` reads.

        The file is a safetensors file with the arrays, the parameters and the version: no code, no training rows, no
        memory of the optimiser, no callbacks, no metadata requests. Loading it runs nothing that is in it, so that a
        file from anywhere can be loaded, which is not true of a pickle. It replaces an older file at once or, if
        anything fails, not at all.

        Parameters
        ----------
        path : str or os.PathLike
            The file; ``.safetensors`` is the usual suffix.

        Raises
        ------
        TypeError
            For a parameter that is no number, string, sequence of these or estimator of this package (a RandomState
            instance, a function, another package's estimator), and for subclasses of the estimators: skops and joblib
            keep these.
        ValueError
            If parameters were changed, after `fit`, to some that do not go with what was learned.
        """
        if ranks.is_first():  # of several processes, which have learned the same
            save(self, path)

    def _generator(self):
        """Return a private torch.Generator seeded from `random_state`."""
        return torch_generator(self._random_source())

    def _random_source(self):
        """Return `random_state`, or in place of None a seed: where a later call, or another process, needs the same."""
        if self.random_state is not None or (self.checkpoint is None and not ranks.active()):
            return self.random_state
        if "_seed" not in self.__dict__:
            self._seed = ranks.of_first(self._first_seed)
        return self._seed

    def _first_seed(self):
        found = seed_in(self.checkpoint)
        return int(check_random_state(None).randint(np.iinfo(np.int32).max)) if found is None else found

    def _open_checkpoint(self, **data):
        """Return the Checkpoint of a fit, None where none is asked for; `data` are digests, see :func:`fingerprint`."""
        if self.checkpoint is None:
            return None
        seed = self.__dict__.get("_seed")
        return Checkpoint(self.checkpoint, self.checkpoint_interval, fingerprint(self, **data), seed)

    def _holds_out(self, held_out, automatically):
        """Return whether rows are to be held out: `early_stopping`, or `automatically` where that is "auto".

        Never where the user passed held-out rows.
        """
        return held_out is None and bool(automatically if is_auto(self.early_stopping) else self.early_stopping)

    @property
    def _keeps_best(self):
        """Whether the weights of the best epoch are kept, where there are rows to judge by."""
        return is_auto(self.early_stopping) or bool(self.early_stopping)

    def _check_split(self, n_rows, held_out):
        """Raise ValueError if holding rows out, where none are passed, would leave none to train on."""
        if self._holds_out(held_out, True):
            n_training_rows(n_rows, self.validation_fraction)

    def _n_training(self, rows, holds_out):
        """Return how many of the rows are left to train on."""
        return n_training_rows(len(rows), self.validation_fraction) if holds_out else len(rows)

    def _fit_network(self, rows, held_out, generator, task):
        """Fit the network by its recipe, and keep what was learned; return the :class:`Fitting`.

        Parameters
        ----------
        rows : Rows
        held_out : Rows or None
            Those that the user passed.
        generator : torch.Generator
        task : FitTask
            Begun here, with the start and the epochs as its tasks; the caller ends it.
        """
        check_same_rows(rows, held_out)
        if held_out is not None:
            held_out.name = "X_val"
        recipe = self._recipe(rows, held_out)
        if recipe.holds_out:
            training, positions = split_rows(len(rows), self.validation_fraction, generator)
            rows, held_out = rows.restrict(training), rows.restrict(positions)
        checkpoint = None
        if self.checkpoint is not None:
            held_out_text = "none" if held_out is None else digest_of_rows(held_out)
            checkpoint = self._open_checkpoint(training_rows=digest_of_rows(rows), held_out_rows=held_out_text)
        settings = self._settings(recipe, judged=held_out is not None)
        task.begin(1 + settings.n_epochs)
        with phase(self, recipe.starting), task.part(recipe.starting):
            start = recipe.start(recipe.architecture, rows, generator)
        objective = recipe.objective(start, generator)
        fitting = Fitting(
            start.module, start.architecture, rows, held_out, generator, dict(start.notes), limit=task.limit
        )
        loop = Loop(
            objective,
            rows,
            settings,
            generator,
            validation_rows=rows if held_out is None and recipe.judges_itself and self._keeps_best else held_out,
            observer=task.epochs(lambda: self._record(loop.history, fitting), lambda: self._fitted_so_far(fitting)),
            checkpoint=checkpoint,
            limit=task.limit.left(recipe.share),
            rows_after=recipe.passes_after * len(rows.unrestricted()),
        )
        work = recipe.uses * sum(parameter.numel() for parameter in fitting.module.parameters())
        with threads_for(work * min(settings.batch_size, len(rows))):
            history = loop.run()
        fitting.interrupted = history.stopped == "interrupted"
        if not fitting.interrupted:
            fitting.checkpoint = checkpoint
        self._record(history, fitting)
        self.__dict__.update(self._kept_in_any_case(fitting), _module=fitting.module.eval())
        return fitting

    def _fit_chunk(self, rows):
        """Train on a chunk of rows, from where the last chunk, or the fit before it, ended; keep what was learned."""
        if "_stream" not in self.__dict__:
            self._stream = self._open_stream(rows)
        stream, start = self._stream
        before = memory_of(stream, start)
        if not is_auto(self.learning_rate_init):
            stream.set_rate(float(self.learning_rate_init))
        try:
            with threads_for(sum(tensor.numel() for tensor in stream.module.parameters()) * stream.settings.batch_size):
                history = stream.take(rows)
            fitting = Fitting(stream.module, start.architecture, rows, None, stream.generator, {})
            learned = self._fitted_so_far(fitting)
        except BaseException:  # the network has seen a part of the chunk: the next one goes on from before it
            self._stream_memory = before
            del self._stream
            raise
        self._record(history, fitting)
        self.__dict__.update(learned)

    def _open_stream(self, rows):
        """Return a Stream, of a new network or of the one that there is, and the Start that it came from."""
        recipe, generator, memory = self._recipe(rows, rows), self._generator(), self.__dict__.get("_stream_memory")
        goes_on = hasattr(self, "weights_")
        start = self._start_again(rows.device) if goes_on else recipe.start(recipe.architecture, rows, generator)
        settings = self._settings(recipe, judged=False)
        if memory is not None:
            start, settings = replace(start, notes=memory["notes"]), replace(settings, **memory["settings"])
        stream = Stream(recipe.objective(start, generator), rows, settings, generator)
        if memory is not None:
            stream.remember(memory["state"])
        elif goes_on:
            stream.history.terms = {name: values for name, values in self.history_.items() if "validation_" not in name}
            stream.history.n_iter = self.n_iter_
        return stream, start

    def _start_again(self, device):
        """Return what was learned as the Start of more training."""
        return Start(self._rebuilt().to(device), self._known_architecture())

    @contextmanager
    def _keeps_last_chunk(self):
        """Leave what was learned before the block if it fails."""
        if hasattr(self, "weights_"):  # a chunk that fails in training is undone by _fit_chunk
            yield
        else:
            self._forget()
            with self._forgets_failure():
                yield

    def _settings(self, recipe, *, judged):
        """Return the Settings of the loop: the parameters, and the recipe's budget where they are "auto".

        `judged` says whether there are held-out rows.
        """
        chosen = {
            name: plain(getattr(recipe.budget if is_auto(getattr(self, name)) else self, name))
            for name in ("max_iter", "batch_size", "learning_rate_init")
        }
        patience = plain(self.n_iter_no_change)
        if is_auto(patience):
            stops = judged and not (recipe.judges_itself or recipe.is_patient)
            patience = automatic_patience(chosen["max_iter"]) if stops else None
        return Settings(
            **chosen,
            alpha=float(self.alpha),
            tol=float(self.tol),
            n_iter_no_change=patience,
            monitor=recipe.monitor,
            keep_best=self._keeps_best,
            precision=resolve_precision(self.precision, resolve_device(self.device), pays=recipe.budget.bfloat16_pays),
            verbose=self.verbose,
            name=type(self).__name__,
            described=described(self),
        )

    def _record(self, history, fitting):
        """Set what the loop has to tell: curves, epochs."""
        terms = {name: list(values) for name, values in history.terms.items()}
        if fitting.held_out is None:  # the epochs were compared on the training rows, if at all
            terms = {name: values for name, values in terms.items() if "validation_" not in name}
        self.history_ = terms
        self.loss_curve_ = terms.get("loss", [])
        self.validation_loss_curve_ = terms.get("validation_loss", [])
        self.n_iter_ = history.n_iter
        self.best_iter_ = history.best_iter

    def _learned(self, fitting):
        """Return the fitted attributes that are read off a trained network besides its weights: a hook."""
        return {}

    def _kept(self, fitting):
        """Return all fitted attributes of a trained network; :meth:`_learned` may set buffers of the module first."""
        learned = self._learned(fitting)
        weights = {
            name: tensor.detach().cpu().numpy().copy()  # numpy() alone would alias the live weights
            for name, tensor in fitting.module.state_dict().items()
        }
        return {"architecture_": to_json(fitting.architecture), "weights_": weights, **learned}

    def _kept_in_any_case(self, fitting):
        """Return all fitted attributes, although an interrupt may come while they are read off."""
        before = fitting.generator.get_state()
        try:
            return self._kept(fitting)
        except KeyboardInterrupt:
            if ranks.active() or end_all():
                raise
            fitting.interrupted = True
            warn_user(
                f"{type(self).__name__}: interrupted after the training; what was learned is read off once more and "
                "kept. One more interrupt drops it"
            )
            fitting.generator.set_state(before)
            return self._kept(fitting)

    def _fitted_so_far(self, fitting):
        """Return the attributes that `fit` would have set, had training ended now; training goes on untouched."""
        module = self._build(to_json(fitting.architecture), torch.Generator())
        module.load_state_dict(fitting.module.state_dict())
        module.requires_grad_(False).to(fitting.rows.device).eval()
        generator = torch.Generator()
        generator.set_state(fitting.generator.get_state())
        copied = replace(fitting, module=module, generator=generator, notes=dict(fitting.notes))
        return self._kept(copied) | {"_module": module}

    def _forget(self):
        """Drop all that an earlier fit learned."""
        learned = [name for name in self.__dict__ if name.endswith("_")]
        for name in (*learned, *self._learned_beside, *self._caches, "_stream_memory"):
            self.__dict__.pop(name, None)

    @contextmanager
    def _forgets_failure(self):
        """Leave an unfitted estimator if the block fails, not a mixture of two fits."""
        try:
            yield
        except BaseException:
            self._forget()
            raise

    def _network(self):
        """Return the fitted module in evaluation mode on the device, built from `weights_` if need be."""
        check_is_fitted(self, "weights_")
        device = resolve_device(self.device)
        module = getattr(self, "_module", None)
        if module is None:
            module = self._rebuilt().requires_grad_(False)
        # `to` sets every parameter anew, even where it stays; of threads that do so at once some never come back.
        is_there = all(parameter.device.type == device.type for parameter in module.parameters())
        self._module = module.eval() if is_there and device.index is None else module.to(device).eval()
        return self._module

    def _rebuilt(self):
        """Return a module with the learned weights, built anew from `architecture_` and `weights_`."""
        module = self._build(self.architecture_, torch.Generator())
        module.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in self.weights_.items()})
        return module

    def __getstate__(self):
        state = super().__getstate__().copy()
        if "_stream" in state:
            state["_stream_memory"] = memory_of(*state["_stream"])
        for name in self._caches:
            state.pop(name, None)
        return with_versions(state)

    def __setstate__(self, state):
        super().__setstate__(without_versions(self, state))

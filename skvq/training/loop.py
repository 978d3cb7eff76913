"""The loop that trains every network whose gradients come from autograd, with its schedule and its reasons to stop."""

import math
import time
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch

from .._warnings import warn_user
from ..nn import ranks
from ..nn.draws import draw_from
from . import outcome
from .batches import TermMeans, steps_between_looks
from .checkpoints import pack, unpack
from .interrupts import end_all
from .optimizers import Optimizer
from .report import Report

# A gain of less than this share of a held-out loss is none; a rise by more than that is no chance. Of a few epochs
# nobody expects much: there it counts only if all of them are so much worse than the start, and of a single one, that
# of the highest learning rates, if it is far worse.
LEAST_GAIN, LEAST_RISE, LEAST_RISE_OF_ONE, LEAST_EPOCHS = 0.01, 0.05, 0.5, 5


def first_not_finite(state):
    """Return the name of the first array with a value that is not finite, None if there is none.

    Parameters
    ----------
    state : dict of Tensor, ndarray or float
        By name; arrays of other kinds than real numbers are not looked at.

    Examples
    --------
    >>> first_not_finite({"weight": np.ones(2), "bias": np.array([0.0, np.inf])})
    'bias'
    """
    for name, array in state.items():
        if isinstance(array, torch.Tensor):
            finite = not array.is_floating_point() or bool(torch.isfinite(array).all())
        else:
            array = np.asarray(array)
            finite = array.dtype.kind != "f" or bool(np.isfinite(array).all())
        if not finite:
            return name
    return None


def require_finite(state, when, way_out):
    """Raise ValueError, naming the array, for a trained state that is not finite.

    Parameters
    ----------
    state : dict of Tensor, ndarray or float
        See :func:`first_not_finite`.
    when : str
        When it became so, such as "after epoch 3".
    way_out : str
        What to do about it.
    """
    name = first_not_finite(state)
    if name is not None:
        raise ValueError(f"training diverged: {name} holds values that are not finite {when}; {way_out}")


class Objective:
    """Named loss terms of a batch, and what has to happen beside the gradient step.

    Parameters
    ----------
    module : torch.nn.Module
        The network that is trained.

    Attributes
    ----------
    squared_error : str or None
        The term that is the mean squared error of the values of rows, None where there is none.
    way_out : str
        What a user can try where training teaches the network nothing.
    loss_weights : tuple of str
        The parameters that weigh its terms, where there are some.
    least_rise : float
        See :meth:`History.learned_nothing`.
    """

    squared_error: str | None = None
    way_out = "Lower learning_rate_init, or pass more rows."
    loss_weights: tuple[str, ...] = ()
    least_rise = LEAST_RISE

    def __init__(self, module):
        self.module = module

    def terms(self, batch):
        """Return a dict of scalar tensors, each a mean over the rows of `batch`; ``"loss"`` is minimised."""
        raise TypeError(f"{type(self).__name__} does not say what to minimise")

    def matrices(self):
        """Return the parameters that Muon moves in place of Adam, see :mod:`skvq.training.optimizers`."""
        return ()

    def after_step(self, progress):
        """Do what follows a gradient step; `progress` in (0, 1] is the share of the steps that are done."""

    def after_look(self, progress):
        """Do what follows a gradient step too, but hangs on values that have to come from the device.

        So it follows every step on the processor, and some of the steps elsewhere.
        """

    def pass_summary(self):
        """Return, as a dict of float, what was gathered over all batches since the last call, and start afresh."""
        return {}

    def gathered(self):
        """Return what was gathered since the last :meth:`pass_summary`, for a checkpoint: a dict of Tensor."""
        return {}

    def gather_again(self, gathered):
        """Put back what :meth:`gathered` returned."""


@dataclass(frozen=True)
class Settings:
    """What the loop is told; the names are those of the estimators' parameters.

    `monitor` names the loss term that validation goes by; with `keep_best` the weights of its lowest value on held-out
    rows are kept. `warmup` is a share of all steps, `max_grad_norm` the Euclidean norm that gradients are clipped to
    (None: not at all), `alpha` the decoupled weight decay (Loshchilov & Hutter 2019). With `n_iter_no_change=None` all
    `max_iter` epochs are run. Of 2.5 epochs the last one has half the steps. Reports call the fit by its `name`, and
    warnings by `described`, which tells the candidates of a search apart.
    """

    max_iter: float
    batch_size: int
    learning_rate_init: float
    warmup: float = 0.05
    betas: tuple = (0.9, 0.99)
    alpha: float = 0.0
    max_grad_norm: float | None = 1.0
    tol: float = 1e-4
    n_iter_no_change: int | None = None
    monitor: str = "loss"
    keep_best: bool = True
    precision: str = "float32"
    verbose: int = 0
    name: str = "fit"
    described: str = "fit"

    @property
    def n_epochs(self):
        """Number of epochs, of which the last one may be a part."""
        return math.ceil(self.max_iter)

    def n_steps(self, n_rows):
        """Return the number of steps in all for so many training rows.

        Examples
        --------
        >>> Settings(max_iter=2.5, batch_size=32, learning_rate_init=1e-3).n_steps(3_200)
        250
        """
        return math.ceil(round(self.max_iter * math.ceil(n_rows / self.batch_size), 6))


@dataclass
class History:
    """What happened: a list with one value per epoch for each term, and how the training ended.

    `best_iter` is the epoch whose weights were kept, 0 for those before the first, None without held-out rows.
    `at_start` is the monitored term on held-out rows before training, None where it was not measured.
    """

    terms: dict = field(default_factory=dict)
    n_iter: int = 0
    n_steps: int = 0
    best_iter: int | None = None
    stopped: str = "max_iter"
    at_start: float | None = None

    def add(self, values):
        """Append the values (dict of float) of one epoch."""
        for name, value in values.items():
            self.terms.setdefault(name, []).append(value)

    def learned_nothing(self, monitor, least_rise=LEAST_RISE):
        """Return whether no epoch improved the loss of held-out rows noticeably, and the later ones made it worse.

        Where the loss stays as it is, which it does if the start is the best there is, that is no failure. Nor does any
        level tell a failure there: in fits of 1 to 10 epochs to three tables and the digits, good starts were kept with
        later losses 0.001 to 15 % higher, and starts that a learning rate of 1e-6 had kept with up to 0.5 %.

        Parameters
        ----------
        monitor : str
            The term of the loss.
        least_rise : float
            The share of the loss by which the later epochs must have made it worse.

        Examples
        --------
        >>> falls, rises = {"validation_loss": [1.0, 0.5, *[0.6] * 3]}, {"validation_loss": [1.99, *[2.2] * 4]}
        >>> History(falls, best_iter=2, at_start=2.0).learned_nothing("loss")
        False
        >>> History(rises, best_iter=1, at_start=2.0).learned_nothing("loss")
        True
        """
        losses = self.terms.get(f"validation_{monitor}", ())
        if self.best_iter not in (0, 1) or self.at_start is None or not losses:
            return False
        if len(losses) < LEAST_EPOCHS:
            least = LEAST_RISE if len(losses) > 1 else LEAST_RISE_OF_ONE
            return min(losses) - self.at_start > least * abs(self.at_start)
        best = [self.at_start, *losses][self.best_iter]
        gained, lost = self.at_start - best, losses[-1] - best
        return gained < LEAST_GAIN * abs(self.at_start) and lost > least_rise * abs(best)


def learning_rate_factor(step, n_steps, warmup):
    """Return the factor on the initial learning rate at a step: linear warm-up, then half a cosine to 0.

    The cosine is that of Loshchilov & Hutter 2017, eq. 5, a single cycle.

    Parameters
    ----------
    step : int or float
        0 … n_steps - 1, or n_steps where the time is up.
    n_steps : int
        Length of the whole training.
    warmup : int
        Number of steps over which the factor rises to 1.

    Returns
    -------
    float in [0, 1]

    Examples
    --------
    >>> [round(learning_rate_factor(step, 10, 2), 2) for step in (0, 1, 2, 6, 9)]
    [0.5, 1.0, 1.0, 0.5, 0.04]
    """
    if step < warmup:
        return min(1.0, (step + 1) / warmup)
    return 0.5 * (1.0 + math.cos(math.pi * (step - warmup) / max(1, n_steps - warmup)))


class Snapshot:
    """A copy of a network's state, complete at any moment (an interrupt while it is taken leaves the one before).

    Parameters
    ----------
    tensors : iterable of Tensor
        The parameters and buffers that are copied.
    """

    def __init__(self, tensors):
        self.live = list(tensors)
        with torch.inference_mode(False):
            self.copy = [tensor.clone() for tensor in self.live]
            self.spare = [tensor.clone() for tensor in self.live]

    def take(self):
        """Copy the present state."""
        for spare, live in zip(self.spare, self.live):
            spare.copy_(live)
        self.copy, self.spare = self.spare, self.copy

    def restore(self):
        """Put the copied state back."""
        with torch.no_grad():
            for copy, live in zip(self.copy, self.live):
                live.copy_(copy)


class Patience:
    """Counts the epochs in a row in which a loss did not fall by `tol`.

    Parameters
    ----------
    tol : float
        Smallest fall that counts, in the units of the loss.
    n_iter_no_change : int or None
        Number of epochs without such a fall after which :meth:`exhausted` is True; None never is.
    """

    def __init__(self, tol, n_iter_no_change):
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.best = float("inf")
        self.waited = 0

    def update(self, loss):
        """Take in the loss of one more epoch; return whether it is the lowest so far."""
        self.waited = self.waited + 1 if loss > self.best - self.tol else 0
        improved = loss < self.best
        self.best = min(loss, self.best)
        return improved

    def exhausted(self):
        """Return whether it is time to stop."""
        return self.n_iter_no_change is not None and self.waited >= self.n_iter_no_change


class TimeLimit:
    """The seconds that a fit may take, and how many of them are gone.

    Parameters
    ----------
    seconds : float or None
        From now on; None is no limit.
    before : float, default=0.0
        Seconds that the fit has taken until now.

    Examples
    --------
    >>> TimeLimit(None).share_used(), TimeLimit(1e-9).share_used()
    (0.0, 1.0)
    """

    def __init__(self, seconds, before=0.0):
        self.seconds, self.before = seconds, before
        self.started = time.perf_counter()
        self.reserve = 0.0

    def gone(self):
        """Return the seconds since the fit began."""
        return time.perf_counter() - self.started

    def left(self, share=1.0):
        """Return a TimeLimit, counted from now, that ends when `share` of all the seconds are gone."""
        gone = self.gone()
        return TimeLimit(None if self.seconds is None else max(0.0, share * self.seconds - gone), self.before + gone)

    def keep_back(self, seconds):
        """Let training end so many seconds before the limit: what follows it takes them."""
        self.reserve = float(seconds)

    def share_used(self):
        """Return the share in [0, 1] of the time for training that is gone, 0 without a limit."""
        if self.seconds is None:
            return 0.0
        available = self.seconds - self.reserve
        return min(1.0, self.gone() / available) if available > 0 else 1.0


class Pace:
    """Says how far a training is: in steps, or by the clock where the time will not do for all of them."""

    def __init__(self, n_steps):
        self.n_steps, self.begun = n_steps, None

    def position(self, done, used):
        """Return the position in steps after `done` of them, when a share `used` of the time is gone.

        Examples
        --------
        >>> ample, short = Pace(100), Pace(100)
        >>> [ample.position(done, used) for done, used in ((0, 0.3), (10, 0.31), (50, 0.4))]
        [0, 10, 50]
        >>> [short.position(done, used) for done, used in ((0, 0.3), (10, 0.5), (35, 1.0))]
        [0, 50.0, 100.0]
        """
        self.begun = self.begun or (done, used)
        taken, gone = done - self.begun[0], used - self.begun[1]
        lasts = used < 1.0 and (taken == 0 or used + gone / taken * (self.n_steps - done) <= 1.0)
        return done if lasts else max(done, used * self.n_steps)


class Loop:
    """Trains ``objective.module`` in place by minimising ``objective.terms(batch)["loss"]``.

    Parameters
    ----------
    objective : Objective
        What to minimise. All its terms are recorded.
    rows : Rows
        Training rows.
    settings : Settings
        How to train.
    generator : torch.Generator
        Draws the order of the rows, and what dropout drops.
    validation_rows : Rows, default=None
        Held-out rows. If given, the terms on them are recorded as ``"validation_…"`` and with
        ``settings.keep_best``, the weights of the epoch with the lowest ``validation_<monitor>`` are kept, or those
        before the first.
    observer : object, default=None
        Its ``epoch_begins()`` is called before every epoch, its ``epoch_ends()`` after it; where that returns True,
        training stops there.
    checkpoint : Checkpoint, default=None
        Told of every step. If it has found a state, training goes on from there.
    limit : TimeLimit, default=None
        Where the time will not do for all steps, the schedule goes by the clock, and training ends by the limit, in the
        middle of an epoch if need be.
    rows_after : int, default=0
        Number of rows that the network will be applied to after training, within the limit.
    """

    def __init__(
        self,
        objective,
        rows,
        settings,
        generator,
        *,
        validation_rows=None,
        observer=None,
        checkpoint=None,
        limit=None,
        rows_after=0,
    ):
        self.objective = objective
        self.module = module = objective.module
        draw_from(generator, module)
        ranks.make_equal(self._tensors())
        self.rows = rows
        self.settings = settings
        self.generator = generator
        self.validation_rows = validation_rows
        self.observer = observer
        self.checkpoint = checkpoint
        self.limit, self.time_used = TimeLimit(None) if limit is None else limit.left(), 0.0
        self.rows_after = rows_after + (0 if validation_rows is None else len(validation_rows))
        self.n_steps = settings.n_steps(len(rows))
        self.pace = Pace(self.n_steps)
        self.optimizer = Optimizer(module.parameters(), objective.matrices(), settings)
        self.history = History()
        self.last = Snapshot(module.state_dict().values())
        self.best = (
            Snapshot(module.state_dict().values()) if validation_rows is not None and settings.keep_best else None
        )
        self.patience = Patience(settings.tol, settings.n_iter_no_change)
        self.report = Report(settings, self.limit) if settings.verbose and ranks.is_first() else None
        self.look_every = steps_between_looks(rows.device)
        # Of the present epoch: the state of the generator before it, the order of the rows, the means so far.
        self.before_epoch, self.order, self.means = None, None, self._no_means()

    def run(self):
        """Train until the last epoch or an earlier reason to stop; return the History.

        Raises
        ------
        ValueError
            If the loss of a step, or on the held-out rows, is not finite.
        """
        for rows in (self.rows, self.validation_rows):
            if rows is not None:
                rows.keep()
        found = None if self.checkpoint is None else self.checkpoint.found
        watch = outcome.StartWatch(self) if self.best is None else None
        if found is not None:
            self._load(found)
        elif self.best is not None:
            self.history.at_start = self.evaluate(self.validation_rows)[self.settings.monitor]
            self.patience.update(self.history.at_start)
            self.history.best_iter = 0
        apart = self.validation_rows is not None and self.validation_rows is not self.rows
        if self.report is not None:
            n_held_out = len(self.validation_rows) if apart else 0
            self.report.begin(len(self.rows), n_held_out, None if found is None else self.history.n_iter + 1)
        if found is None or not found["finished"]:
            self._run_epochs()
            if watch is not None:
                watch.compare()
        self._look_back()
        self.module.eval()
        return self.history

    def _look_back(self):
        """Say how the training ended, and warn if nothing came of it."""
        objective, term = self.objective, self.settings.monitor
        nothing = self.best is not None and self.history.learned_nothing(term, objective.least_rise)
        if nothing or self.settings.verbose:
            outcome.look_back(self, nothing)

    def pass_over(self, rows):
        """Return the mean of every loss term over rows in evaluation mode, with the summary of the pass."""
        return self.mean_terms(rows) | self.objective.pass_summary()

    def _run_epochs(self):
        self._look_at_the_time()
        try:
            for epoch in range(self.history.n_iter + 1, self.settings.n_epochs + 1):
                if self._run_epoch(epoch):
                    break
        except KeyboardInterrupt:
            self._keep_last_complete_epoch()
        if self.best is not None:
            self.best.restore()
        self._check_state()
        if self.checkpoint is not None and self.history.stopped != "interrupted":
            self.checkpoint.write(self._state(finished=True))

    def _check_state(self):
        """Raise ValueError if the weights are not finite: no loss has been computed since the last step."""
        settings = self.settings
        require_finite(
            self.module.state_dict(),
            f"after epoch {self.history.n_iter} with learning_rate_init={settings.learning_rate_init:g} and "
            f"alpha={settings.alpha:g}",
            f"lower {', '.join(['them', *self.objective.loss_weights])}",
        )

    def _run_epoch(self, epoch):
        if self.observer is not None:
            self.observer.epoch_begins()
        values = self._train_epoch(epoch)
        if self.validation_rows is not None:
            held_out = self.evaluate(self.validation_rows, epoch)
            values.update({f"validation_{name}": value for name, value in held_out.items()})
        values = ranks.of_first(lambda: values)  # one process decides by them
        self.history.add(values)
        self.last.take()
        self.history.n_iter = epoch
        stop = self._judge(values, epoch)
        if ranks.of_first(lambda: self.observer is not None and self.observer.epoch_ends()):
            self.history.stopped, stop = "callback", True
        if self.report is not None:
            last = stop or epoch == self.settings.n_epochs
            apart = self.validation_rows is not self.rows
            told = {name: value for name, value in values.items() if apart or not name.startswith("validation_")}
            self.report.epoch(epoch, told, last=last)
        return stop

    def _train_epoch(self, epoch):
        self.module.train()
        if self.order is None:
            self.before_epoch = self.generator.get_state()
            self.order = self.rows.drawn_order(self.generator)
        batch_size, seen = self.settings.batch_size, self.means.n_rows
        end = min(len(self.order), seen + (self.n_steps - self.history.n_steps) * batch_size)  # that of the last step
        for start in range(seen, end, batch_size):
            positions = self.order[start : start + batch_size]
            rate = self.settings.learning_rate_init * self._factor()
            with ranks.sharing(len(positions)) as mine:
                terms = self._step(self.rows.take_ahead(positions[mine]), epoch)
            self.means.add(terms, len(positions), (epoch, rate))
            if self.checkpoint is not None:
                self.checkpoint.keep(self._state)
            if self.time_used == 1.0:
                outcome.warn_of_little_time(self, epoch)
                break
        self.rows.look()
        values = self.means.values() | self.objective.pass_summary()
        self.order, self.means = None, self._no_means()
        return values

    def _no_means(self):
        """Return the means of an epoch before its first step."""
        return TermMeans(self.look_every, self._refuse)

    def _refuse(self, loss, step):
        """Raise ValueError for the loss, which is not finite, of a step in an epoch at a learning rate."""
        self.rows.look()  # what is not finite may be the rows
        outcome.refuse_loss(loss, *step, self)

    def _step(self, batch, epoch):
        factor = self._factor()
        with self._autocast():
            terms = ranks.of_whole_batch(self.objective.terms(batch))
        if self.look_every == 1 and not math.isfinite(terms["loss"].item()):
            self._refuse(terms["loss"].item(), (epoch, self.settings.learning_rate_init * factor))
        self.optimizer.step(terms["loss"] * ranks.share() if ranks.share() < 1 else terms["loss"], factor)
        self.history.n_steps += 1
        self._look_at_the_time()
        self.objective.after_step(self._progress())
        if self.history.n_steps % self.look_every == 0:
            self.objective.after_look(self._progress())
        return terms

    def _look_at_the_time(self):
        if self.limit.seconds is not None:
            self.time_used = ranks.of_first(self.limit.share_used)  # the clocks of several processes differ

    def _factor(self):
        """Return the factor on the learning rate of the next step."""
        warmup = math.ceil(self.settings.warmup * self.n_steps)
        return learning_rate_factor(self._position(), self.n_steps, warmup)

    def _progress(self):
        """Return which share of all steps, or of the time, is done."""
        return self._position() / self.n_steps

    def _position(self):
        return self.pace.position(self.history.n_steps, self.time_used)

    def _tensors(self):
        """Return all tensors of the module, buffers that a state dictionary leaves out among them."""
        return [*self.module.parameters(), *self.module.buffers()]

    def _state(self, *, finished=False):
        """Return all that it takes to go on from here, after a step or, `finished`, after the last one."""
        history = self.history
        self.means.fetch()
        state = {
            "finished": finished,
            "module": pack(self._tensors()),
            "last": pack(self.last.copy),
            "generator": self.generator.get_state().numpy(),
            "history": [history.n_iter, history.n_steps, history.best_iter, history.stopped],
            "terms": list(history.terms),
            "patience": [self.patience.best, self.patience.waited],
            "means": [self.means.n_rows, self.means.sums],
            "seconds": self.limit.gone(),
        }
        if self.best is not None:
            state["best"] = pack(self.best.copy)
        if self.order is not None:
            state["before_epoch"] = self.before_epoch.numpy()
        state |= {f"history.{name}": np.array(values, dtype=np.float64) for name, values in history.terms.items()}
        state |= {f"gathered.{name}": tensor.cpu().numpy() for name, tensor in self.objective.gathered().items()}
        return state | self.optimizer.state()

    def _load(self, state):
        """Go back to where :meth:`_state` was called."""
        unpack(state["module"], self._tensors())
        unpack(state["last"], self.last.copy)
        if self.best is not None:
            unpack(state["best"], self.best.copy)
        self.optimizer.load(state)
        history = self.history
        history.n_iter, history.n_steps, history.best_iter, history.stopped = state["history"]
        history.terms = {name: state[f"history.{name}"].tolist() for name in state["terms"]}
        self.patience.best, self.patience.waited = state["patience"]
        self.means.n_rows, self.means.sums = state["means"]
        self.limit.started -= state["seconds"]
        gathered = {name: array for name, array in state.items() if name.startswith("gathered.")}
        self.objective.gather_again({name[9:]: torch.from_numpy(array.copy()) for name, array in gathered.items()})
        if "before_epoch" in state:
            self.before_epoch = torch.from_numpy(state["before_epoch"].copy())
            self.generator.set_state(self.before_epoch)
            self.order = self.rows.drawn_order(self.generator)
        self.generator.set_state(torch.from_numpy(state["generator"].copy()))

    @contextmanager
    def _autocast(self):
        enabled = self.settings.precision == "bfloat16"
        with torch.autocast(self.rows.device.type, dtype=torch.bfloat16, enabled=enabled):
            yield
        if enabled:  # within an autocast of the caller, though it is off here, casts of old weights would be kept
            torch.clear_autocast_cache()

    def evaluate(self, rows, epoch=0):
        """Return the mean of every loss term over `rows` (dict of float) with the module in evaluation mode."""
        values = self.mean_terms(rows)
        if not math.isfinite(watched := values[self.settings.monitor]):
            outcome.refuse_held_out_loss(watched, epoch, self)
        return values | self.objective.pass_summary()

    def monitored(self, rows):
        """Return the mean of the monitored term over `rows` in evaluation mode."""
        return self.pass_over(rows)[self.settings.monitor]

    def mean_terms(self, rows):
        """Return the mean of every loss term over `rows` in evaluation mode; the objective then has a summary."""
        self.module.eval()
        means, started = TermMeans(self.look_every), time.perf_counter()
        size = max(self.settings.batch_size, rows.pass_size)
        with torch.no_grad(), self._autocast():
            for start in range(0, len(rows), size):
                batch = rows.take_ahead(slice(start, start + size))
                means.add(self.objective.terms(batch), len(batch))
        rows.look()
        values = means.values()
        self.limit.keep_back((time.perf_counter() - started) / len(rows) * self.rows_after)
        return values

    def _judge(self, values, epoch):
        """Keep the weights if they are the best so far; return whether to stop."""
        watched = values["loss"] if self.best is None else values[f"validation_{self.settings.monitor}"]
        if self.patience.update(watched) and self.best is not None:
            self.best.take()
            self.history.best_iter = epoch
        if self.patience.exhausted():
            self.history.stopped = "no_change"
        elif self.time_used == 1.0:
            self.history.stopped = "max_seconds"
        return self.history.stopped in ("no_change", "max_seconds")

    def _keep_last_complete_epoch(self):
        if self.history.n_iter == 0 or ranks.active() or end_all():
            raise  # nothing to keep, or nothing that is of use: let the interrupt through
        self.last.restore()
        kept = "the state" if self.best is None else "the best state up to it"
        self.history.stopped = "interrupted"
        warn_user(
            f"{self.settings.described}: training interrupted after epoch {self.history.n_iter} of "
            f"{self.settings.n_epochs}; {kept} is kept"
            + ("" if self.checkpoint is None else ". The same call of fit goes on from the checkpoint."),
        )

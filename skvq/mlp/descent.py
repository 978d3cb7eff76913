"""Training of predictors by stochastic gradient descent, with scikit-learn's rules for stopping.

The network is anything with one flat buffer of parameters and another of gradients: :class:`DenseNetwork`, whose
derivatives are written by hand, or :class:`AutogradNetwork`.
"""

import copy
import math
import time
from dataclasses import dataclass, field

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from .._warnings import warn_user
from ..training.batches import fetched, steps_between_looks
from ..training.checkpoints import pack, unpack
from ..training.interrupts import end_all
from ..training.loop import Pace, Snapshot, TimeLimit

# The lists in the state of a training.
CURVES = ("loss_curve", "validation_loss_curve", "validation_scores")
# A loss that rises by this share of what it was at the start is that of training that diverges, not of noise.
WORSE = 1.0


@dataclass(frozen=True)
class DescentSettings:
    """The settings of a descent, under the names of the estimators' parameters."""

    max_iter: int
    batch_size: int
    shuffle: bool
    alpha: float
    tol: float
    n_iter_no_change: float
    max_grad_norm: float | None
    early_stopping: bool
    verbose: int


@dataclass
class TrainingState:
    """Counts and records of the training of one network, over all calls that continued it."""

    n_iter: int = 0
    n_rows_seen: int = 0
    loss: float = math.inf
    best_loss: float | None = math.inf
    best_score: float | None = None
    loss_curve: list = field(default_factory=list)
    validation_loss_curve: list = field(default_factory=list)
    validation_scores: list | None = None
    n_no_improvement: int = 0

    @classmethod
    def resumed(cls, learned, *, early_stopping):
        """Return the state that the fitted attributes (dict) of earlier calls describe, a new one if there are none."""
        scores, best_score, best_loss = (
            learned.get(name) for name in ("validation_scores_", "best_validation_score_", "best_loss_")
        )
        if early_stopping:
            scores, best_loss = list(scores or []), None
            best_score = -math.inf if best_score is None else best_score
        else:
            best_loss = math.inf if best_loss is None else best_loss
        return cls(
            n_rows_seen=learned.get("t_", 0),
            loss_curve=list(learned.get("loss_curve_", [])),
            validation_loss_curve=list(learned.get("validation_loss_curve_", [])),
            validation_scores=scores,
            best_score=best_score,
            best_loss=best_loss,
            n_no_improvement=learned.get("_no_improvement_count", 0),
        )

    def learned(self):
        """Return the state as fitted attributes, a dict."""
        return self.learned_by_lbfgs() | {
            "t_": self.n_rows_seen,
            "loss_curve_": list(self.loss_curve),
            "best_loss_": self.best_loss,
            "validation_scores_": copy.copy(self.validation_scores),
            "best_validation_score_": self.best_score,
            "_no_improvement_count": self.n_no_improvement,
        }

    def learned_by_lbfgs(self):
        """Return the fitted attributes of a training by L-BFGS, a dict."""
        attributes = {"n_iter_": self.n_iter, "loss_": self.loss}
        if self.validation_loss_curve:
            attributes["validation_loss_curve_"] = list(self.validation_loss_curve)
        return attributes


class Descent:
    """Trains a network, a batch at a time.

    Parameters
    ----------
    network : DenseNetwork or AutogradNetwork
        Trained in place.
    optimizer : Adam or SGD
        On the network's buffers.
    rate : LearningRate
        The factor of the optimizer's steps.
    samples : Samples
        Training rows.
    settings : DescentSettings
        How to train.
    random_state : RandomState
        Draws the order of the rows, one permutation an epoch.
    state : TrainingState
        Brought up to date after every epoch.
    validate : callable, default=None
        Returns (score, loss) on held-out rows; the score decides about early stopping.
    observer : object, default=None
        Its ``epoch_begins()`` is called before every epoch, its ``epoch_ends()`` after it; where that returns True,
        training stops there.
    generator : torch.Generator, default=None
        What dropout draws from.
    checkpoint : Checkpoint, default=None
        Told of every step. If it has found a state, training goes on from there.
    limit : TimeLimit, default=None
        Training ends by it, and the learning rate goes by it where that runs faster than the steps.
    """

    def __init__(
        self,
        network,
        optimizer,
        rate,
        samples,
        settings,
        random_state,
        state,
        validate=None,
        observer=None,
        *,
        generator=None,
        checkpoint=None,
        limit=None,
    ):
        self.network = network
        self.optimizer = optimizer
        self.rate = rate
        self.samples = samples
        self.settings = settings
        self.random_state = random_state
        self.state = state
        self.validate = validate
        self.observer = observer
        self.generator = generator
        self.checkpoint = checkpoint
        self.limit, self.pace = TimeLimit(None) if limit is None else limit.left(), Pace(rate.n_steps)
        self.interrupted = False
        self.n_steps = 0
        self.done, self.total = 0, 0.0  # rows of the present epoch that are done, and their losses
        self.look_every = steps_between_looks(samples.device)
        self.waiting = []  # what the losses of the latest steps are made of, on a device
        self.first_loss = None  # of the first batch, before any step
        self.order = np.arange(len(samples))
        self.best = Snapshot(network.state()) if settings.early_stopping else None
        self.best_here = -math.inf

    def run(self, *, one_epoch=False):
        """Train to the last epoch or an earlier reason to stop; with early stopping, keep the best state.

        Raises
        ------
        ValueError
            If the parameters become non-finite and no better state is kept.
        """
        self.samples.keep()
        with self.network.training_mode():
            self._run(one_epoch)
            if self.best is not None:
                self._restore()
            elif not self._is_finite():
                raise self._divergence()

    def may_have_diverged(self):
        """Return whether a loss is so far above that of the first batch that the state that is kept is worth a look.

        It is that of the last epoch or, with early stopping, of any: the best score may belong to a state that no loss
        was computed for.
        """
        first, n_epochs = self.first_loss, 1 if self.best is None else max(1, self.state.n_iter)
        return first is not None and max(self.state.loss_curve[-n_epochs:], default=0.0) > first + WORSE * abs(first)

    def _restore(self):
        """Go back to the epoch of this call whose score was the highest."""
        if self.best_here == -math.inf and self._is_finite() and self.state.n_iter > 0:
            warn_user(
                "No score of the held-out rows was a number, so the best epoch is not known, and the weights of the "
                "last one are kept. Hold out more rows, or pass another scoring.",
            )
            return
        self.best.restore()

    def _run(self, one_epoch):
        settings, state = self.settings, self.state
        try:
            state.n_iter = 0
            if self.checkpoint is not None and self.checkpoint.found is not None:
                self._load(self.checkpoint.found)
            for _ in range(state.n_iter, settings.max_iter):
                self._run_epoch()
                if self._diverged() or self._is_told_to_stop() or self._stops() or one_epoch:
                    break
                if self.limit.share_used() == 1.0:
                    self._say("The time of max_seconds is up.")
                    self._warn_of_end(f"The time that max_seconds allows is up after {state.n_iter} iteration(s)")
                    break
            else:
                self._warn_of_end(f"Maximum iterations ({settings.max_iter}) reached")
        except KeyboardInterrupt:
            if end_all():
                raise
            self.interrupted = True
            kept = "" if self.checkpoint is None else " The same call of fit goes on from the checkpoint."
            warn_user(f"Training interrupted by user.{kept}")

    def _warn_of_end(self, reason):
        """Warn where training was cut short: not of a learning rate that was to end there."""
        if not self.rate.ends or self.state.n_rows_seen < len(self.samples):
            warn_user(
                f"Stochastic Optimizer: {reason} and the optimization hasn't converged yet.",
                ConvergenceWarning,
            )

    def _position(self):
        """Return how far training is, in steps of the whole."""
        if self.limit.seconds is None:
            return self.n_steps
        return self.pace.position(self.n_steps, self.limit.share_used())

    def _is_told_to_stop(self):
        return self.observer is not None and self.observer.epoch_ends()

    def _run_epoch(self):
        state = self.state
        if self.observer is not None:
            self.observer.epoch_begins()
        state.loss = self._train_epoch()
        state.n_iter += 1
        state.loss_curve.append(state.loss)
        self._say(f"Iteration {state.n_iter}, loss = {state.loss:.8f}")
        score = None
        if self.validate is not None:
            started = time.perf_counter()
            score, loss = self.validate()
            self.limit.keep_back(time.perf_counter() - started)
            state.validation_loss_curve.append(loss)
            if score is None:
                self._say(f"Validation loss = {loss:.8f}")
        if self.settings.early_stopping:
            self._judge_score(score)
        else:
            self._judge_loss()
        self.rate.epoch_ends(state.n_rows_seen)

    def _train_epoch(self):
        """Take a step for every batch; return the mean loss over the rows."""
        n, size = len(self.samples), self.settings.batch_size
        if self.settings.shuffle and self.done == 0:
            # Drawn on top of the last order, as scikit-learn does, so that the same seed gives the same batches.
            self.order = self.order[self.random_state.permutation(n)]
        order = self.order if size < n else np.arange(n)  # a single batch has no order
        for start in range(self.done, n, size):
            batch = order[start : start + size]
            self._step(batch)
            self.done = start + len(batch)
            if self.checkpoint is not None:
                self.checkpoint.keep(self._memory)
            if self.limit.share_used() == 1.0:
                break
        self._fetch()
        mean = self.total / self.done
        self.state.n_rows_seen += self.done
        self.done, self.total = 0, 0.0
        return mean

    def _memory(self):
        """Return all that it takes to go on from here, after a step."""
        self._fetch()
        _, keys, *position = self.random_state.get_state(legacy=True)
        optimizer = self.optimizer.state()
        memory = {
            "network": pack(self.network.state()),
            "optimizer": {name: value for name, value in optimizer.items() if not isinstance(value, np.ndarray)},
            "order": self.order,
            "random_keys": keys,
            "random_position": position,
            "training": vars(self.state) | dict.fromkeys(CURVES),
            "seconds": self.limit.gone(),
            "epoch": [self.done, self.total, self.n_steps, self.rate.rate, self.best_here],
        }
        memory |= {f"optimizer.{name}": value for name, value in optimizer.items() if isinstance(value, np.ndarray)}
        for name in CURVES:
            if getattr(self.state, name) is not None:
                memory[f"training.{name}"] = np.array(getattr(self.state, name), dtype=np.float64)
        if self.best is not None:
            memory["best"] = pack(self.best.copy)
        if self.generator is not None:
            memory["generator"] = self.generator.get_state().numpy()
        return memory

    def _load(self, memory):
        """Go back to where :meth:`_memory` was called."""

        def under(name):
            return {key[len(name) + 1 :]: value for key, value in memory.items() if key.startswith(f"{name}.")}

        unpack(memory["network"], self.network.state())
        self.optimizer.load(memory["optimizer"] | under("optimizer"))
        self.limit.started -= memory["seconds"]
        self.order = memory["order"]
        self.random_state.set_state(("MT19937", memory["random_keys"], *memory["random_position"]))
        vars(self.state).update(memory["training"])
        vars(self.state).update({name: values.tolist() for name, values in under("training").items()})
        self.done, self.total, self.n_steps, self.rate.rate, self.best_here = memory["epoch"]
        if self.best is not None:
            unpack(memory["best"], self.best.copy)
        if self.generator is not None:
            self.generator.set_state(torch.from_numpy(memory["generator"]))

    def _step(self, indices):
        x, y, weight = self.samples.take(indices)
        total_weight = self.samples.weight_of(indices, weight)
        if total_weight == 0:
            return  # rows without weight say nothing
        network, settings = self.network, self.settings
        loss = network.accumulate(x, y, weight, 1.0 / total_weight, first=True)
        square = add_decay(network, settings.alpha / total_weight)
        if self.look_every == 1:
            self._note(float(loss), float(square), total_weight, len(indices))
        else:
            self.waiting.append((loss, square, total_weight, len(indices)))
            if len(self.waiting) == self.look_every:
                self._fetch()
        if settings.max_grad_norm is not None:
            gradient = network.gradient.flat
            gradient.mul_((settings.max_grad_norm / (gradient.norm() + 1e-12)).clamp(max=1.0))
        self.optimizer.step(self.rate.at(self._position()))
        self.n_steps += 1

    def _fetch(self):
        """Take note of the losses whose parts are still on a device."""
        waiting, self.waiting = self.waiting, []
        if waiting:
            losses, squares, *numbers = zip(*waiting)
            values = fetched([*losses, *squares] if self.settings.alpha > 0 else losses)
            for noted in zip(values, values[len(losses) :] or squares, *numbers):
                self._note(*noted)

    def _note(self, loss, square, total_weight, n_rows):
        """Take note of the loss of a step: the sum over its rows, and the squared length of the weights."""
        loss = self.network.reported(loss) / total_weight + 0.5 * (self.settings.alpha / total_weight) * square
        if self.first_loss is None:
            self.first_loss = loss
        self.total += loss * n_rows

    def _judge_score(self, score):
        state, tol = self.state, self.settings.tol
        state.validation_scores.append(score)
        self._say(f"Validation score: {score:f}")
        state.n_no_improvement = state.n_no_improvement + 1 if score < state.best_score + tol else 0
        state.best_score = max(state.best_score, score) if score == score else state.best_score
        if score > self.best_here:
            self.best_here = score
            self.best.take()

    def _judge_loss(self):
        state, tol = self.state, self.settings.tol
        state.n_no_improvement = state.n_no_improvement + 1 if state.loss > state.best_loss - tol else 0
        state.best_loss = min(state.best_loss, state.loss)

    def _stops(self):
        settings, state = self.settings, self.state
        if state.n_no_improvement <= settings.n_iter_no_change:
            return False
        watched = "Validation score" if settings.early_stopping else "Training loss"
        message = f"{watched} did not improve more than tol={settings.tol:f} for {settings.n_iter_no_change} "
        message += "consecutive epochs."
        reason = self.rate.stalled()
        if reason is None:
            state.n_no_improvement = 0
            reason = f"Setting learning rate to {self.rate.rate:f}"
            self._say(f"{message} {reason}")
            return False
        self._say(f"{message} {reason}")
        return True

    def _diverged(self):
        """Return whether the best state has to do; raise if the loss is not finite and no epoch was before."""
        if math.isfinite(self.state.loss):
            return False
        if self.best is None or self.state.n_iter == 1:  # in the first epoch there is no better one yet
            raise self._divergence()
        warn_user(
            f"Training diverged in {self._where()}; the state of the best validation score is kept. Scale X and y, or "
            "lower learning_rate_init.",
            ConvergenceWarning,
        )
        return True

    def _is_finite(self):
        return bool(torch.isfinite(self.network.parameters.flat).all())

    def _where(self):
        return f"epoch {self.state.n_iter} at a learning rate of {self.rate.at(max(0, self.n_steps - 1)):.3g}"

    def _divergence(self):
        return ValueError(
            "Solver produced non-finite parameter weights. The input data may contain large values and need to "
            f"be preprocessed. The loss was {self.state.loss} in {self._where()}: scale X and y, or lower "
            "learning_rate_init; precision='float64' holds larger values."
        )

    def _say(self, text):
        say(self.settings.verbose, text)


def say(verbose, text):
    """Print a line if the parameter `verbose` asks for it."""
    if verbose:
        print(text)


def add_decay(network, strength):
    """Add the derivative of ½ `strength` · ‖weights‖² to the network's gradient; return ‖weights‖², a scalar tensor.

    Without strength there is nothing to add, and 0.0 is returned.
    """
    if strength == 0:
        return 0.0
    weights = network.parameters.penalized
    network.gradient.penalized.add_(weights, alpha=strength)
    return torch.dot(weights, weights)


def add_penalty(network, strength):
    """Add the derivative of ½ `strength` · ‖weights‖² to the network's gradient; return the penalty."""
    return 0.5 * strength * float(add_decay(network, strength))

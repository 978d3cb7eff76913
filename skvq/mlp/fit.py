"""The training of a predictor's network, by steps or by L-BFGS."""

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from .._warnings import warn_user
from ..core.device import threads_for
from ..training.loop import require_finite
from .build import DTYPES, Weights, build_network
from .descent import WORSE, Descent, DescentSettings, say
from .held_out import HeldOut
from .lbfgs import minimise
from .optimizers import SGD, Adam
from .rates import Adaptive, Cosine, InverseScaling, LearningRate

# Rows at the beginning and at the end of a stream whose losses are compared, at least.
COMPARED_ROWS = 50


def build_optimizer(parameters, network):
    """Return the optimiser of a stochastic solver on the network's buffers; `parameters` are TrainingParameters."""
    buffers = network.parameters.flat, network.gradient.flat
    if parameters.solver == "sgd":
        return SGD(*buffers, momentum=parameters.momentum, nesterov=parameters.nesterovs_momentum)
    return Adam(*buffers, beta_1=parameters.beta_1, beta_2=parameters.beta_2, epsilon=parameters.epsilon)


def build_rate(parameters, n_steps):
    """Return the learning rate over `n_steps` steps; "invscaling" and "adaptive" act on sgd only, as scikit-learn's."""
    common = parameters.learning_rate_init, n_steps, parameters.warmup
    if parameters.learning_rate == "cosine":
        return Cosine(*common)
    if parameters.solver == "sgd" and parameters.learning_rate == "invscaling":
        return InverseScaling(*common, power=parameters.power_t)
    if parameters.solver == "sgd" and parameters.learning_rate == "adaptive":
        return Adaptive(*common)
    return LearningRate(*common)


class Training:
    """The training of one network on some rows.

    Parameters
    ----------
    parameters : TrainingParameters
    examples : Examples
        What is trained on.
    weights : Weights
        What training starts from.
    loss : Loss
    state : TrainingState
        What earlier calls counted; brought up to date.
    precision : {"float32", "float64"}
        What the network computes in.
    device : torch.device
    random_state : RandomState
        Draws the order of the rows.
    generator : torch.Generator, default=None
        Draws what dropout zeroes.
    held_out : Examples, default=None
        What is watched.
    judge : callable, default=None
        Scores the held-out rows, for early stopping; see :class:`HeldOut`.
    checkpoint : Checkpoint, default=None
        Of steps; L-BFGS has none.
    limit : TimeLimit
    """

    def __init__(
        self,
        parameters,
        examples,
        weights,
        loss,
        state,
        *,
        precision,
        device,
        random_state,
        generator=None,
        held_out=None,
        judge=None,
        checkpoint=None,
        limit,
    ):
        self.parameters = parameters
        self.examples = examples
        self.start = weights
        self.loss = loss
        self.state = state
        self.precision = precision
        self.device = device
        self.random_state = random_state
        self.generator = generator
        self.network = self._build(precision)
        self.samples = self._samples(examples, precision)
        self.validate = None
        if held_out is not None:
            self.validate = HeldOut(self.network, held_out, self._samples(held_out, precision), judge)
        self.memory = {}
        self.checkpoint = checkpoint
        self.limit = limit
        self.interrupted = False
        self.descent = None

    def _build(self, precision):
        """Return the network in a precision."""
        parameters = self.parameters
        return build_network(
            self.start,
            parameters.activation,
            self.loss,
            DTYPES[precision],
            self.device,
            normalization=parameters.normalization,
            dropout=parameters.dropout,
            generator=self.generator,
        )

    def _samples(self, examples, precision):
        """Return rows as batches in a precision; a softmax takes targets that are class indices."""
        dtype = DTYPES[precision]
        return examples.samples(dtype, torch.int64 if self.loss.out_activation == "softmax" else dtype, self.device)

    def weights(self):
        """Return the Weights as they are now."""
        normalized = self.parameters.normalization is not None
        return Weights.read(self.network, self.start.coefs[0].dtype, normalized=normalized)

    def record(self):
        """Return the records of the training so far as fitted attributes, a dict."""
        return self.state.learned() if self.parameters.takes_steps else self.state.learned_by_lbfgs()

    def learned(self):
        """Return all fitted attributes, a dict; ValueError for weights that are not finite."""
        weights = self.weights()
        require_finite(weights.by_name(), "after the last step", "scale X and y, or lower learning_rate_init and alpha")
        return weights.learned() | self.memory | self.record()

    def outputs(self):
        """Return the outputs of all training rows as they are now, ndarray (n, n_outputs), before their activation."""
        return HeldOut(self.network, self.examples, self.samples).outputs()

    def explained(self, targets):
        """Return which share of the targets of the training rows is explained; `targets` are Numbers or Labels."""
        examples = self.examples
        return targets.explained(self.outputs(), examples.pick(examples.labels), examples.pick(examples.weight))

    def _warn_of_divergence(self):
        """Warn where the network fits the training rows worse than the one that it started from; return whether."""
        if not self.descent.may_have_diverged():
            return False
        before, after = self._losses()
        if is_worse := after > before + WORSE * abs(before):
            self._say_worse(after, before, "before the first step")
        return is_worse

    def _warn_of_stream(self, memory):
        """Warn where chunks have far larger losses than those at the beginning had; return whether it has warned.

        Parameters
        ----------
        memory : dict or None
            Of the chunk before.
        """
        curve = self.state.loss_curve
        if memory is not None and memory.get("warned", False):
            return True
        k = -(-COMPARED_ROWS // len(self.samples))  # chunks
        if len(curve) < 2 * k:
            return self._warn_of_divergence()
        first, last = np.mean(curve[:k]), np.mean(curve[-k:])
        if last <= first + WORSE * abs(first):
            return False
        before, after = self._losses()
        if after <= before:  # of a chunk from elsewhere that the network learns from
            return False
        self._say_worse(last, first, "at the beginning")
        return True

    def _losses(self):
        """Return the loss of the training rows before the first step of this call, and that of now."""
        networks = self._build(self.precision), self.network
        return [HeldOut(network, self.examples, self.samples).loss() for network in networks]

    def _say_worse(self, after, before, when):
        warn_user(
            f"Training diverged: the loss of the training rows is {after:.4g}, and was {before:.4g} {when}. Scale X "
            f"and y, or lower learning_rate_init={self.parameters.learning_rate_init:g} (and "
            f"alpha={self.parameters.alpha:g}).",
            ConvergenceWarning,
        )

    def descend(self, *, memory=None, observer=None, one_epoch=False):
        """Train by steps of adam or sgd.

        Parameters
        ----------
        memory : dict, default=None
            What the optimiser of an earlier call remembered; ignored where that was another one.
        observer : object, default=None
            See :class:`Descent`.
        one_epoch : bool, default=False
        """
        parameters, samples = self.parameters, self.samples
        batch_size = parameters.rows_per_step(len(samples))
        self._check_rate()
        optimizer = build_optimizer(parameters, self.network)
        rate = build_rate(parameters, parameters.max_iter * -(-len(samples) // batch_size))
        if memory is not None and optimizer.fits(memory):
            optimizer.load(memory)
            if memory["initial"] == rate.initial:
                rate.rate = memory["rate"]
        settings = DescentSettings(
            max_iter=parameters.max_iter,
            batch_size=batch_size,
            shuffle=parameters.shuffle,
            alpha=parameters.alpha,
            tol=parameters.tol,
            n_iter_no_change=parameters.n_iter_no_change,
            max_grad_norm=parameters.max_grad_norm,
            early_stopping=parameters.early_stopping,
            verbose=parameters.verbose,
        )
        descent = self.descent = Descent(
            self.network,
            optimizer,
            rate,
            samples,
            settings,
            self.random_state,
            self.state,
            self.validate,
            observer,
            generator=self.generator,
            checkpoint=self.checkpoint,
            limit=self.limit,
        )
        with threads_for(self.start.n_coefs * batch_size):
            descent.run(one_epoch=one_epoch)
            warned = self._warn_of_stream(memory) if one_epoch else self._warn_of_divergence()
        self.interrupted = descent.interrupted
        more = {"rate": rate.rate, "initial": rate.initial, "warned": bool(warned)}
        if one_epoch and memory is not None:
            more["told_scale"] = memory.get("told_scale", False)
        self.memory = {"_optimizer_state": optimizer.state() | more}

    def _check_rate(self):
        rate = self.parameters.learning_rate_init
        if self.precision == "float32" and rate > float(np.finfo(np.float32).max):
            raise ValueError(f"learning_rate_init={rate} is more than float32 can hold; lower it")

    def minimise(self, *, observer=None):
        """Train by L-BFGS over all rows."""
        parameters, X, state = self.parameters, self.examples.X, self.state
        stages = [(self.network, self.samples)]
        pays = parameters.single_pays(X, self.start.n_coefs)
        if parameters.precision == "auto" and self.precision == "float64" and pays:
            stages.insert(0, (self._build("float32"), self._samples(self.examples, "float32")))
        if self.validate is not None:
            state.validation_loss_curve = []
        with threads_for(self.start.n_coefs * parameters.rows_together(*X.shape)):
            state.n_iter, state.loss = minimise(
                stages,
                alpha=parameters.alpha,
                max_iter=parameters.max_iter,
                max_fun=parameters.max_fun,
                tol=parameters.tol,
                after_iteration=self._after_iteration,
                observer=observer,
                limit=self.limit,
            )

    def _after_iteration(self, number, loss, present):
        """Take note of an iteration of L-BFGS; `present` is the network in the precision of now."""
        self.state.n_iter, self.state.loss = number, loss
        say(self.parameters.verbose, f"Iteration {number}, loss = {loss:.8f}")
        if self.validate is not None:
            self.network.parameters.flat.copy_(present.parameters.flat)
            self.state.validation_loss_curve.append(self.validate.loss())

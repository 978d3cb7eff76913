"""Learning rates of the predictors: constant, falling by a rule, or falling where the training stalls."""

import math

from ..training.loop import learning_rate_factor

# An adaptive rate is divided by this, and gives up below that (the values of scikit-learn's MLPRegressor).
ADAPTIVE_DIVISOR = 5.0
SMALLEST_ADAPTIVE_RATE = 1e-6


class LearningRate:
    """A constant learning rate, and the base of the others.

    Parameters
    ----------
    initial : float
        The rate before anything changes it.
    n_steps : int
        Length of the whole training.
    warmup : float in [0, 1], default=0.0
        Share of the steps over which the rate rises to its value.
    """

    def __init__(self, initial, n_steps, warmup=0.0):
        self.initial = self.rate = float(initial)
        self.n_steps = n_steps
        self.warmup_steps = math.ceil(warmup * n_steps)

    # Whether the rate falls to 0 over the steps, so that training is complete, not cut short, after the last one.
    ends = False

    def at(self, step):
        """Return the rate of a step, counted from 0; a part of a step where it is the time that goes on."""
        return self.rate * min(1.0, (step + 1) / self.warmup_steps) if step < self.warmup_steps else self.rate

    def epoch_ends(self, n_rows_seen):
        """Take note of the end of an epoch, after `n_rows_seen` rows in all."""

    def stalled(self):
        """Return why training should stop now that it has stopped improving, or None if it goes on more slowly."""
        return "Stopping."


class InverseScaling(LearningRate):
    """initial / (t + 1)^power after t rows, from one epoch to the next."""

    def __init__(self, initial, n_steps, warmup=0.0, *, power):
        super().__init__(initial, n_steps, warmup)
        self.power = power

    def epoch_ends(self, n_rows_seen):
        """See :class:`LearningRate`."""
        try:
            divisor = (n_rows_seen + 1) ** self.power
        except OverflowError:
            divisor = math.inf
        self.rate = self.initial / divisor


class Adaptive(LearningRate):
    """Constant until training stalls, then divided by 5, down to 1e-6."""

    def stalled(self):
        """See :class:`LearningRate`."""
        if self.rate <= SMALLEST_ADAPTIVE_RATE:
            return "Learning rate too small. Stopping."
        self.rate /= ADAPTIVE_DIVISOR
        return None


class Cosine(LearningRate):
    """Half a cosine from the initial rate to 0 (Loshchilov & Hutter 2017, eq. 5, a single cycle)."""

    ends = True

    def at(self, step):
        """See :class:`LearningRate`."""
        return self.initial * learning_rate_factor(step, self.n_steps, self.warmup_steps)

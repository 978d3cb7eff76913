"""Learning rate over the steps of a training, when to stop before the last epoch, and which weights to keep."""

import math

import torch


def learning_rate_factor(step, n_steps, warmup, schedule):
    """Return the factor on the initial learning rate at a step: linear warm-up, then decay.

    Parameters
    ----------
    step : int
        0 … n_steps - 1.
    n_steps : int
        Length of the whole training.
    warmup : int
        Number of steps over which the factor rises to 1.
    schedule : {"cosine", "constant"}
        What follows the warm-up: half a cosine to 0 (Loshchilov & Hutter 2017, eq. 5, a single cycle), or 1.

    Returns
    -------
    float in [0, 1]

    Examples
    --------
    >>> [round(learning_rate_factor(step, 10, 2, "cosine"), 2) for step in (0, 1, 2, 6, 9)]
    [0.5, 1.0, 1.0, 0.5, 0.04]
    """
    if step < warmup:
        return (step + 1) / warmup
    if schedule == "constant":
        return 1.0
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

"""When to stop before the last epoch, and which weights to keep."""

import torch


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

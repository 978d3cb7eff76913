"""Means of loss terms over batches, whose values the host fetches from a device now and then."""

import math

import torch

from ..nn.devices import widened

# On a device other than the processor, the steps between two looks at values that are computed there.
LOOK_EVERY = 20


def steps_between_looks(device):
    """Return how many steps of a training pass between two looks at values that a device computes.

    The host runs ahead of an accelerator, which is never idle then, and a look makes it wait.
    """
    return 1 if device.type == "cpu" else LOOK_EVERY


def fetched(scalars):
    """Return the values of scalar tensors as floats; the host waits for a device once."""
    if all(scalar.is_cpu for scalar in scalars):
        return [float(scalar) for scalar in scalars]
    return torch.stack([widened(scalar) for scalar in scalars]).cpu().tolist()


class TermMeans:
    """Means of named loss terms over the rows of several batches.

    Parameters
    ----------
    every : int, default=1
        Batches whose terms are fetched together: see :func:`steps_between_looks`.
    refuse : callable, default=None
        Called with a loss that is not finite, and what was noted of its batch, when it is fetched.
    """

    def __init__(self, every=1, refuse=None):
        self.every = every
        self.refuse = refuse
        self.sums = {}
        self.n_rows = 0
        self.waiting = []

    def add(self, terms, n_rows, note=None):
        """Add the terms (dict of scalar tensors, each a mean over the rows) of a batch of `n_rows`."""
        self.n_rows += n_rows
        self.waiting.append(({name: value.detach() for name, value in terms.items()}, n_rows, note))
        if len(self.waiting) >= self.every:
            self.fetch()

    def fetch(self):
        """Fetch the terms that are still on a device."""
        waiting, self.waiting = self.waiting, []
        values = iter(fetched([value for terms, _, _ in waiting for value in terms.values()]))
        for terms, n_rows, note in waiting:
            for name, value in zip(terms, values):
                if name == "loss" and self.refuse is not None and not math.isfinite(value):
                    self.refuse(value, note)
                self.sums[name] = self.sums.get(name, 0.0) + value * n_rows

    def values(self):
        """Return the means as a dict of float."""
        self.fetch()
        return {name: total / self.n_rows for name, total in self.sums.items()}

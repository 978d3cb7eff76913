"""Train on chunks of rows, one after the other, without an end in sight."""

import math
from dataclasses import replace

from .loop import Loop
from .outcome import compared_rows, unit_of, warn_if_worse

# Steps over which the learning rate rises to its value, where nobody knows how many there will be.
WARMUP_STEPS = 20


class StreamWatch:
    """Warns, once, of a stream that makes its loss much worse than that of the first chunk was before any step.

    A chunk from elsewhere may well have a larger loss than the first one. So the loss of a chunk must have risen while
    the network learned from this chunk.

    Parameters
    ----------
    stream : Stream
        Before its first step.
    """

    def __init__(self, stream):
        self.stream = stream
        self.before, self.unit, self.warned = None, None, False

    def begin(self):
        """Look at a chunk before it is trained on."""
        self.rows = compared_rows(self.stream.rows)
        self.at_first = None if self.warned else self.stream.monitored(self.rows)
        if self.before is None:
            self.before, self.unit = self.at_first, unit_of(self.rows)

    def end(self):
        """Look at the chunk after it was trained on."""
        rows, self.rows = self.rows, None
        if self.warned or (after := self.stream.monitored(rows)) <= self.at_first:
            return
        self.warned = warn_if_worse(self.stream, after, self.before, self.unit)

    def state(self):
        """Return what the next chunks are compared with, for another process: values that JSON knows."""
        return [self.before, self.unit, self.warned]

    def load(self, state):
        """Put back what :meth:`state` returned."""
        self.before, self.unit, self.warned = state


class Stream(Loop):
    """Trains as :class:`~skvq.training.loop.Loop` does, a pass over each chunk, at one learning rate after a warm-up.

    The batches of a chunk are drawn from it alone. Whatever goes by the share of the training that is done stays as it
    is at the beginning: codes that fall out of use are put back among the data to the last.

    Parameters
    ----------
    objective, settings, generator
        As of Loop.
    rows : Rows
        The first chunk, which is not trained on yet.
    """

    def __init__(self, objective, rows, settings, generator):
        super().__init__(objective, rows, settings, generator)
        self.n_steps = math.inf
        self.watch = StreamWatch(self)

    def set_rate(self, rate):
        """Set the learning rate from now on."""
        self.settings = replace(self.settings, learning_rate_init=rate)
        self.optimizer.set_rate(rate)

    def take(self, rows):
        """Train on the rows of a chunk, each once; return the History of all chunks."""
        self.rows = rows
        self.watch.begin()
        values = self._train_epoch(self.history.n_iter + 1)
        self._check_state()
        self.watch.end()
        self.history.add(values)
        self.history.n_iter += 1
        self.module.eval()
        return self.history

    def memory(self):
        """Return all that a stream needs to go on in another process: ndarrays and values that JSON knows."""
        return self._state() | {"watch": self.watch.state()}

    def remember(self, memory):
        """Go back to where :meth:`memory` was called."""
        self._load(memory)
        self.watch.load(memory["watch"])

    def _factor(self):
        return min(1.0, (self.history.n_steps + 1) / WARMUP_STEPS)

    def _progress(self):
        return 0.0

"""Train on chunks of rows, one after the other, without an end in sight."""

from dataclasses import replace

from .loop import Loop

# Steps over which the learning rate rises to its value, where nobody knows how many there will be.
WARMUP_STEPS = 20


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

    def set_rate(self, rate):
        """Set the learning rate from now on."""
        self.settings = replace(self.settings, learning_rate_init=rate)
        self.optimizer.set_rate(rate)

    def take(self, rows):
        """Train on the rows of a chunk, each once; return the History of all chunks."""
        self.rows = rows
        values = self._train_epoch(self.history.n_iter + 1)
        self._check_state()
        self.history.add(values)
        self.history.n_iter += 1
        self.module.eval()
        return self.history

    def memory(self):
        """Return all that a stream needs to go on in another process: ndarrays and values that JSON knows."""
        return self._state()

    def remember(self, memory):
        """Go back to where :meth:`memory` was called."""
        self._load(memory)

    def _factor(self):
        return min(1.0, (self.history.n_steps + 1) / WARMUP_STEPS)

    def _progress(self):
        return 0.0

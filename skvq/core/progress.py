"""Progress bars for long passes over rows, inside the blocks of :func:`skvq.progress`."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .inference import watcher
from .parameters import NON_NEGATIVE, check_arguments


@contextmanager
def progress(*, delay: float = 0.5) -> Iterator[None]:
    """Show progress bars for what takes long inside a ``with`` block.

    `transform`, `inverse_transform`, `predict`, `score_samples`, `sample`, `complete` and all that goes through them,
    such as a Pipeline, then show how far they are, and `fit` what it does before it trains. The progress of the
    training itself is shown by scikit-learn's callbacks (:class:`sklearn.callback.ProgressBar`), from scikit-learn 1.9
    on.

    Parameters
    ----------
    delay : float, default=0.5
        Seconds after which a pass is long; of shorter ones nothing is shown.

    Raises
    ------
    ImportError
        If rich is not installed.
    ValueError
        If `delay` is no number of seconds.

    Notes
    -----
    The block counts for the thread, or the asyncio task, that entered it; worker processes show nothing. Results are
    the same inside and outside.

    Examples
    --------
    >>> import numpy as np
    >>> from skvq import PixelCNN, progress
    >>> model = PixelCNN(channels=8, max_iter=1, random_state=0).fit(np.tile([[0, 1], [1, 0]], (50, 2)))
    >>> with progress(delay=10):
    ...     X = model.sample(2000)
    >>> X.shape
    (2000, 4)
    """
    check_arguments("progress", {"delay": [NON_NEGATIVE]}, delay=delay)
    try:
        import rich.progress  # noqa: F401
    except ImportError as error:
        raise ImportError('progress bars need rich: pip install "skvq[progress]"') from error
    bars = _Bars(delay)
    token = watcher.set(bars)
    try:
        yield
    finally:
        bars.close()
        with suppress(ValueError):  # closed from another thread or context, which never had the bars
            watcher.reset(token)


class _Bars:
    """The display of a block. It is on the screen only while a long job runs, so that others may use the screen."""

    def __init__(self, delay):
        self.delay = delay
        self.closed = False
        self.display = None
        self.n_open = 0
        self.lock = threading.RLock()  # phases are shown by the threads of their timers

    def bar(self, what, n_steps):
        """Return the bar of a job of `n_steps`."""
        return _Bar(self, what, n_steps)

    def phase(self, what):
        """Return the bar of a job of unknown length."""
        return _Phase(self, what)

    def open(self, what, n_steps):
        """Return the display, None where something else that moves is on the screen, and the number of a new bar.

        `n_steps` is None where nobody knows it.
        """
        from rich.errors import LiveError
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        with self.lock:
            if self.display is None:
                columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()
                display = Progress(*columns, TimeRemainingColumn(elapsed_when_finished=True))
                try:
                    display.start()
                except LiveError:
                    return None, None
                self.display = display
            self.n_open += 1
            return self.display, self.display.add_task(what, total=n_steps)

    def release(self):
        """Take the display off the screen, its last picture left there, when the last bar is done."""
        with self.lock:
            self.n_open -= 1
            if self.n_open == 0:
                self._hide()

    def close(self):
        """Show nothing from now on: the block is over."""
        with self.lock:
            self.closed = True
            self._hide()

    def _hide(self):
        if self.display is not None:
            self.display.stop()
            self.display, self.n_open = None, 0


class _Bar:
    """One job, which gets a bar when it turns out to be a long one."""

    def __init__(self, bars, what, n_steps):
        self.bars, self.what, self.n_steps = bars, what, n_steps
        self.started, self.done = time.monotonic(), 0
        self.display = self.number = None

    def advance(self):
        """Count a step."""
        self.done += 1
        shown = self.display is not None or self.bars.closed
        if not shown and self.done < self.n_steps and time.monotonic() - self.started >= self.bars.delay:
            self.display, self.number = self.bars.open(self.what, self.n_steps)
        if self.display is not None:
            self.display.update(self.number, completed=self.done)

    def close(self):
        """Be done."""
        if self.display is not None and self.bars.display is self.display:
            self.bars.release()


class _Phase:
    """A job of unknown length, which gets a bar that moves without filling when it turns out to be a long one."""

    def __init__(self, bars, what):
        self.bars, self.what = bars, what
        self.over, self.display, self.number = False, None, None
        self.timer = threading.Timer(bars.delay, self._show)
        self.timer.daemon = True
        self.timer.start()

    def _show(self):
        with self.bars.lock:
            if not (self.over or self.bars.closed):
                self.display, self.number = self.bars.open(self.what, None)

    def close(self):
        """Be done: the bar, if there is one, is full."""
        self.timer.cancel()
        with self.bars.lock:
            self.over = True
            if self.display is not None and self.bars.display is self.display:
                self.display.update(self.number, total=1, completed=1)
                self.bars.release()

"""Lines of at most 80 columns that tell a person how a fit goes."""

import textwrap
import time

from ..nn import ranks

WIDTH = 80
# With ``verbose=1`` a training has about so many lines, and one at least every so many seconds.
N_LINES, SILENCE = 20, 10.0
# Stands for a space at which no line ends.
JOINED = "\N{NO-BREAK SPACE}"
# Why a training ended, for people.
REASONS = {
    "max_iter": "stopped by max_iter",
    "max_seconds": "stopped by max_seconds",
    "no_change": "stopped by n_iter_no_change",
    "interrupted": "interrupted",
    "callback": "stopped by a callback",
}


def say(name, text):
    """Print a line of the fit of an estimator, named by its class."""
    if ranks.is_first():
        print(textwrap.fill(f"[{name}] {text}", WIDTH, subsequent_indent="  "), flush=True)  # noqa: T201


def duration(seconds):
    """Return a duration in words.

    Examples
    --------
    >>> [duration(seconds) for seconds in (0.04, 8.25, 75, 600, 9_000)]
    ['0.0 s', '8.2 s', '75 s', '10 min', '2.5 h']
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def counted(n, what):
    """Return a number with what it counts.

    Examples
    --------
    >>> counted(1, "epoch"), counted(20, "epoch")
    ('1 epoch', '20 epochs')
    """
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def shown(name, value):
    """Return the text of a term: a share in per cent, or a number with four digits."""
    return f"{100 * value:.0f}%" if name == "usage" else f"{value:.4g}"


def columns_of(values, monitor):
    """Return the terms that a table of epochs shows, and the heads of their columns, as a dict, most telling first.

    The monitored term comes first, then that of held-out rows, the use of the codes, and what else was measured on
    training rows. Of terms that are equal, such as `codebook` and `commitment` under running means, one is shown.

    Parameters
    ----------
    values : dict of float
        Those of an epoch; names of held-out rows begin with "validation_".
    monitor : str

    Examples
    --------
    >>> values = {"loss": 0.4, "reconstruction": 0.2, "codebook": 0.1, "commitment": 0.1, "usage": 1.0}
    >>> list(columns_of(values | {"validation_reconstruction": 0.3}, "reconstruction").values())
    ['reconstruction', 'held out', 'usage', 'codebook', 'loss']
    """
    others = [name for name in values if not name.startswith("validation_") and name != "loss"]
    first = [name for name in (monitor, f"validation_{monitor}", "usage") if name in values]
    found, seen = {}, set()
    for name in dict.fromkeys([*first, *others, "loss"]):
        if name in first or values[name] not in seen:
            found[name] = "held out" if name.startswith("validation_") else name
            seen.add(values[name])
    return found


class Report:
    """Tells how a training goes: a head, a line for some of its epochs, and a closing line.

    Parameters
    ----------
    settings : Settings
        Of the training.
    limit : TimeLimit
    """

    def __init__(self, settings, limit):
        self.settings = settings
        self.limit = limit
        self.verbose = int(settings.verbose)
        self.begun = self.last_line = time.perf_counter()
        self.done_before = 0
        self.columns = None

    def begin(self, n_rows, n_held_out, resumed_at):
        """Say on how many rows the network is trained, and from which epoch a checkpoint lets it go on.

        Parameters
        ----------
        n_rows, n_held_out : int
        resumed_at : int or None
            The first epoch that is not complete in a checkpoint.
        """
        self.done_before = 0 if resumed_at is None else resumed_at - 1
        chosen = f", {n_held_out} held out" if n_held_out else ""
        text = f"training on {n_rows} rows{chosen}, up to {counted(round(self.settings.max_iter, 2), 'epoch')}"
        if resumed_at is not None:
            text += f", resumed at epoch {min(resumed_at, self.settings.n_epochs)}"
        say(self.settings.name, text)

    def epoch(self, epoch, values, *, last):
        """Tell of an epoch, if it is one's turn."""
        now = time.perf_counter()
        every = max(1, self.settings.n_epochs // N_LINES) if self.verbose == 1 else 1
        silent = now - self.last_line >= SILENCE
        if not (last or silent or self.columns is None or epoch % every == 0):
            return
        self.last_line = now
        if self.columns is None:
            self._show_heads(values)
        left = (now - self.begun) / (epoch - self.done_before) * (self.settings.max_iter - epoch)
        if self.limit.seconds is not None:
            left = min(left, max(0.0, self.limit.seconds - self.limit.gone()))
        cells = [f"{epoch}/{self.settings.n_epochs}", *(shown(name, values[name]) for name in self.columns)]
        self._show_row([*cells, duration(0 if last else left)])

    def end(self, history, values, r_squared, n_rows=None):
        """Say what was kept, and why the training ended.

        Parameters
        ----------
        history : History
        values : dict of float
            The terms of the kept epoch.
        r_squared : float or None
            Of the network that is kept, None where its loss is no squared error.
        n_rows : int, default=None
            The number of rows that it, or else the monitored term, is of; None for all.
        """
        epoch = history.n_iter if history.best_iter is None else history.best_iter
        kept = f"kept epoch {epoch} of {history.n_iter}"
        if epoch == 0:
            kept += ", the start"
        monitor = self.settings.monitor
        watched = values.get(f"validation_{monitor}", values.get(monitor))
        said = [] if r_squared is None else [f"R² {r_squared:.3f}"]
        if not said and watched is not None:
            said = [f"{monitor} {shown(monitor, watched)}"]
        kind = "training rows" if history.best_iter is None else "held-out rows"
        if said and n_rows is not None:
            said[0] += f" (of {n_rows:,} {kind})"
        elif said and history.best_iter is None:
            said[0] += f" (of the {kind})"
        said += [f"usage {shown('usage', values['usage'])}"] if "usage" in values else []
        seconds = duration(time.perf_counter() - self.begun)
        said.append(f"{REASONS.get(history.stopped, history.stopped)} after {seconds}")
        whole = [part.replace(" ", JOINED) for part in said]  # a line ends between two of them
        text = textwrap.fill(f"{kept}: " + ", ".join(whole), WIDTH, subsequent_indent="  ")
        print(text.replace(JOINED, " "), flush=True)  # noqa: T201

    def _show_heads(self, values):
        """Choose the columns that fit, and print their heads."""
        heads = columns_of(values, self.settings.monitor)
        width = {name: max(len(head), 8) + 2 for name, head in heads.items()}
        room, self.columns = WIDTH - 13 - 11, {}
        for name in heads:
            if width[name] <= room:
                room -= width[name]
                self.columns[name] = width[name]
        self._show_row(["epoch", *(heads[name] for name in self.columns), "time left"])

    def _show_row(self, cells):
        widths = [13, *self.columns.values(), 11]
        print("".join(cell.rjust(width) for cell, width in zip(cells, widths)), flush=True)  # noqa: T201

"""Judge what came of a training: what the network explains, whether it has learned anything, whether it diverged."""

import numpy as np
import torch

from .._warnings import warn_user

# A start that explains so much of the rows needs no training.
GOOD = 0.9
# The highest learning rate that "auto" ever stands for.
HIGHEST_USUAL_RATE = 5e-3
# Rows that the closing line of a training is told of, at most.
TOLD_ROWS = 10_000
# Training rows by which the end of a training is compared with its start. A loss that rises by more than this share of
# what it was, and by so much at least, is that of a fit that diverged.
COMPARED_ROWS, WORSE, LEAST_WORSE = 256, 0.5, 0.2


@torch.no_grad()
def explained(squared_error, rows):
    """Return R², the share of the variation of rows that a mean squared error of their values leaves explained.

    Parameters
    ----------
    squared_error : float
        Mean over rows and values, standardised.
    rows : Rows

    Returns
    -------
    float
        None for a single row and for rows that do not vary.
    """
    total, squares, first = 0.0, 0.0, None
    for batch in rows.in_order(rows.pass_size):
        values = batch.flatten(1).cpu().numpy().astype(np.float64)
        first = values[0].copy() if first is None else first
        values -= first  # rows that are all the same have exactly no variation, and far ones keep their digits
        total, squares = total + values.sum(axis=0), squares + np.square(values).sum(axis=0)
    variance = float(np.mean(squares / len(rows) - np.square(total / len(rows))))
    return 1.0 - squared_error / variance if variance > 0 else None


def warn_of_nothing_learned(history, settings, way_out, r_squared):
    """Warn of a training that has taught the network nothing, unless what it started from is good.

    Whether it has is for :meth:`~skvq.training.loop.History.learned_nothing` to say.

    Parameters
    ----------
    history : History
    settings : Settings
    way_out : str
        What to try.
    r_squared : float or None
        How much of the held-out rows the kept network explains; None for a density.
    """
    if r_squared is not None and r_squared >= GOOD:
        return
    if settings.learning_rate_init > HIGHEST_USUAL_RATE:
        way_out = f"Lower learning_rate_init={settings.learning_rate_init:g}."
    kept = "the network as it was before training" if history.best_iter == 0 else "the network after the first epoch"
    quality = "" if r_squared is None else f" (R² {r_squared:.2f})"
    warn_user(f"{settings.described}: training has taught it nothing, so {kept} is kept{quality}. {way_out}")


def lower(verb, *parameters):
    """Return the advice to lower parameters.

    Examples
    --------
    >>> lower("Lower", "learning_rate_init", "alpha", "kl_weight")
    'Lower learning_rate_init, alpha or kl_weight'
    """
    return f"{verb} {' or '.join([', '.join(parameters[:-1]), *parameters[-1:]] if parameters[1:] else parameters)}"


def refuse_loss(loss, epoch, rate, loop):
    """Raise ValueError for the loss of a step, which is not finite, at a learning rate."""
    settings = loop.settings
    raise ValueError(
        f"the loss became {loss} in epoch {epoch} at a learning rate of {rate:.3g} "
        f"(learning_rate_init={settings.learning_rate_init:g}, alpha={settings.alpha:g}); "
        + lower("lower", "learning_rate_init", "alpha", *loop.objective.loss_weights)
    )


def refuse_held_out_loss(loss, epoch, loop):
    """Raise ValueError for the monitored loss of held-out rows, which is not finite."""
    settings = loop.settings
    raise ValueError(
        f"the best epoch cannot be chosen: the {settings.monitor} of the held-out rows is {loss} after epoch {epoch} "
        f"with learning_rate_init={settings.learning_rate_init:g} and alpha={settings.alpha:g}. "
        f"{lower('Lower', 'learning_rate_init', 'alpha', *loop.objective.loss_weights)}. If you passed X_val, look "
        "there for values that are far from those of X"
    )


def warn_of_little_time(loop, epoch):
    """Warn if the time of a training was over before it had seen all of its rows once."""
    seen, n_rows = loop.means.n_rows, len(loop.order)
    if epoch == 1 and seen < n_rows:
        warn_user(
            f"{loop.settings.described}: max_seconds ended training after {seen} of {n_rows} rows of the first epoch; "
            "what was learned is little more than the start. What comes before training took "
            f"{loop.limit.before:.1f} seconds. Pass more of them."
        )


def look_back(loop, nothing):
    """Say how a training ended, and warn if it has taught the network `nothing`; of many rows some are looked at."""
    history, judged, term = loop.history, loop.best is not None, loop.objective.squared_error
    all_rows = loop.validation_rows if judged else loop.rows
    rows = all_rows.spread(TOLD_ROWS)
    values = loop.pass_over(rows)
    r_squared = None if term is None else explained(values[term], rows)
    if loop.report is not None:
        if "usage" in values and rows is not loop.rows:  # held-out rows, or some, are too few to use all codes
            kept = history.n_iter if history.best_iter is None else history.best_iter
            values["usage"] = history.terms["usage"][kept - 1] if kept > 0 else loop.pass_over(loop.rows)["usage"]
        loop.report.end(history, values, r_squared, None if rows is all_rows else len(rows))
    if nothing:
        warn_of_nothing_learned(history, loop.settings, loop.objective.way_out, r_squared)


def unit_of(rows):
    """Return what a loss of rows is measured against: the mean variance of their values, but at most 1.

    Standardised values have a variance of 1, and so have codes for this purpose. Where the user turned standardisation
    off, values of a small variance have a small loss, and a small rise of it counts.
    """
    values = rows.take(slice(None))
    return min(1.0, float(values.var(dim=0).mean())) if values.is_floating_point() and len(values) > 1 else 1.0


def compared_rows(rows):
    """Return the rows, evenly spread over all of them, by which the end of a training is compared with its start."""
    return rows.spread(COMPARED_ROWS)


def warn_if_worse(loop, after, before, unit, way_out=""):
    """Warn if the monitored loss is much higher than it was at the start; return whether it is.

    Parameters
    ----------
    loop : Loop
        That has trained.
    after, before : float
        The monitored loss.
    unit : float
        See :func:`unit_of`.
    way_out : str, default=""
        What may help besides other parameters.
    """
    if after <= before + max(WORSE * abs(before), LEAST_WORSE * unit):
        return False
    settings = loop.settings
    rate = f"learning_rate_init={settings.learning_rate_init:g}"
    warn_user(
        f"{settings.described}: training diverged: the {settings.monitor} of training rows is {after:.4g}, and was "
        f"{before:.4g} at the start. {lower('Lower', rate, 'alpha', *loop.objective.loss_weights)}{way_out}"
    )
    return True


class StartWatch:
    """Compares the monitored loss after training with that before, on some of the training rows.

    Where no rows choose the weights, nothing else tells that a fit has diverged to large, finite weights. Nothing is
    drawn for the comparison.

    Parameters
    ----------
    loop : Loop
        Before its first step.
    """

    def __init__(self, loop):
        self.loop = loop
        self.rows = compared_rows(loop.rows)
        self.before = loop.monitored(self.rows)

    def compare(self):
        """Warn if training has made the loss much worse."""
        way_out = ", or let held-out rows choose the weights: early_stopping=True"
        warn_if_worse(self.loop, self.loop.monitored(self.rows), self.before, unit_of(self.rows), way_out)

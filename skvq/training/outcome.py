"""Judge what came of a training: how much the kept network explains, and whether training has taught it anything."""

import numpy as np
import torch

from .._warnings import warn_user

# A start that explains so much of the rows needs no training.
GOOD = 0.9


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
    losses = history.terms[f"validation_{settings.monitor}"]
    best = [history.at_start, *losses][history.best_iter]
    kept = "the network as it was before training" if history.best_iter == 0 else "the network after the first epoch"
    quality = "" if r_squared is None else f" (R² {r_squared:.2f})"
    warn_user(
        f"{settings.name}: training has taught it nothing: the {settings.monitor} of held-out rows was "
        f"{history.at_start:.4g} at the start, {best:.4g} at best and {losses[-1]:.4g} in the last epoch; {kept} is "
        f"kept{quality}. {way_out}"
    )

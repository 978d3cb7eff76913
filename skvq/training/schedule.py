"""Learning rate over the course of training."""

import math


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

"""Learning rate over the course of training."""

import math


def learning_rate_factor(step, n_steps, warmup):
    """Return the factor on the initial learning rate at a step: linear warm-up, then half a cosine to 0.

    The cosine is that of Loshchilov & Hutter 2017, eq. 5, a single cycle.

    Parameters
    ----------
    step : int
        0 … n_steps - 1.
    n_steps : int
        Length of the whole training.
    warmup : int
        Number of steps over which the factor rises to 1.

    Returns
    -------
    float in [0, 1]

    Examples
    --------
    >>> [round(learning_rate_factor(step, 10, 2), 2) for step in (0, 1, 2, 6, 9)]
    [0.5, 1.0, 1.0, 0.5, 0.04]
    """
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1.0 + math.cos(math.pi * (step - warmup) / max(1, n_steps - warmup)))

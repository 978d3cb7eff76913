"""Check that a trained state is finite: weights, running statistics, and what is read off them."""

import numpy as np
import torch


def first_not_finite(state):
    """Return the name of the first array with a value that is not finite, None if there is none.

    Parameters
    ----------
    state : dict of Tensor, ndarray or float
        By name; arrays of other kinds than real numbers are not looked at.

    Examples
    --------
    >>> first_not_finite({"weight": np.ones(2), "bias": np.array([0.0, np.inf])})
    'bias'
    """
    for name, array in state.items():
        if isinstance(array, torch.Tensor):
            finite = not array.is_floating_point() or bool(torch.isfinite(array).all())
        else:
            array = np.asarray(array)
            finite = array.dtype.kind != "f" or bool(np.isfinite(array).all())
        if not finite:
            return name
    return None


def require_finite(state, when, way_out):
    """Raise ValueError, naming the array, for a trained state that is not finite.

    Parameters
    ----------
    state : dict of Tensor, ndarray or float
        See :func:`first_not_finite`.
    when : str
        When it became so, such as "after epoch 3".
    way_out : str
        What to do about it.
    """
    name = first_not_finite(state)
    if name is not None:
        raise ValueError(f"training diverged: {name} holds values that are not finite {when}; {way_out}")

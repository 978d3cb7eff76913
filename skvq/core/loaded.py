"""Refuse what a file holds in place of weights: no fit leaves them, or they compute what is not finite."""

import numpy as np
import torch

from ..persistence.records import require
from ..training.loop import first_not_finite

# No weight of a network that was trained on standardised rows, or on codes, is larger.
LARGEST_WEIGHT = 1e12
# Running statistics, by the last part of their names: from this value on.
SMALLEST = {"mass": 0.0, "variance": np.finfo(np.float32).tiny}


def check_network(estimator, compute):
    """Raise ValueError for weights that no fit leaves; the network, built for that, becomes the estimator's cache.

    Parameters
    ----------
    estimator : NetworkEstimator
        With all fitted attributes.
    compute : callable
        Network → a dict of tensors, by name, that are finite for any fitted network.
    """
    plain_units = hasattr(estimator, "scale_") and (estimator.scale_ == 1).all() and (estimator.shift_ == 0).all()
    for name, array in estimator.weights_.items():
        least = SMALLEST.get(name.rpartition(".")[2])
        require(least is None or array.size == 0 or array.min() >= least, f"weights_[{name!r}] is no such statistic")
        large = not plain_units and array.size and np.abs(array).max() > LARGEST_WEIGHT
        require(not large, f"weights_[{name!r}] is larger than any fit leaves it")
    if hasattr(estimator, "data_min_"):
        require((estimator.data_min_ <= estimator.data_max_).all(), "data_min_ above data_max_")
    module = estimator._rebuilt().requires_grad_(False).eval()
    with torch.no_grad():
        found = first_not_finite(compute(module))
    require(found is None, f"{found} of the network, which is not finite")
    estimator._module = module


def probes(row_shape):
    """Return two rows of standardised values, or of values as they are, that any network takes: zeros and ones."""
    return torch.stack([torch.zeros(row_shape), torch.ones(row_shape)])

"""Schemas of the VAE and of the Gaussian mixture in it: what fitted ones hold, so what a file of them may hold."""

import math

import numpy as np
from sklearn.mixture import GaussianMixture

from ..core.schema import (
    ROW_VALUES,
    SOME_ROWS,
    check_row_parameters,
    per_feature,
    read_components,
    row_arrays,
)
from ..core.tables.saved import check_table
from ..persistence.documents import Schema
from ..persistence.kinds import one_array, positive, shares, within
from ..persistence.records import from_json, require
from .defaults import Architecture
from .network import build_vae

# A covariance beyond this cannot be drawn from.
LARGEST_COVARIANCE = 1e100


def build(architecture, generator):
    """Return the network that a dict describes."""
    return build_vae(from_json(Architecture, architecture), generator)


def _per_class(n_axes, valid=within):
    """Return the kind of an array of a mixture with a number, vector or matrix for each class."""
    return one_array(lambda mixture: (mixture.n_components, *n_axes * (mixture.n_features_in_,)), valid=valid)


def _covariances(array):
    return within(array, -LARGEST_COVARIANCE, LARGEST_COVARIANCE) and np.allclose(array, array.transpose(0, 2, 1))


MIXTURE = Schema(
    "GaussianMixture",
    {"converged_": bool, "n_iter_": int, "lower_bound_": float, "lower_bounds_": list[float], "n_features_in_": int},
    {
        "weights_": _per_class(0, shares),
        "means_": _per_class(1),
        "covariances_": _per_class(2, _covariances),
        "precisions_": _per_class(2),
        "precisions_cholesky_": _per_class(2),
    },
    lambda mixture, limits: require(mixture.covariance_type == "full", "covariance_type"),
    kind=GaussianMixture,
)


def check(estimator, limits):
    """Raise ValueError where the values of a VAETransformer do not go together."""
    architecture = read_components(estimator, limits, Architecture)
    require(estimator.likelihood == architecture.likelihood, "likelihood and architecture_")
    variance = getattr(estimator, "noise_variance_", None)  # not there yet where it is an array
    require(variance is None or 0 < variance < math.inf, "noise_variance_ is not positive")
    if "mixture_" in limits.names:
        require(estimator.mixture_.n_features_in_ == estimator.n_components_, "mixture_ and n_components_")


def check_arrays(estimator):
    """Raise ValueError for a VAETransformer of counts or probabilities that rescales them, and for a wrong table."""
    check_table(estimator)
    if estimator.likelihood in ("bernoulli", "poisson"):
        require((estimator.shift_ == 0).all() and (estimator.scale_ == 1).all(), "likelihood and scale_")


VAE = Schema(
    "VAETransformer",
    ROW_VALUES | {"n_components_": int, "n_active_components_": int, "noise_variance_": float | None},
    row_arrays(build)
    | {
        "kl_per_component_": one_array(lambda estimator: (estimator.n_components_,)),
        "noise_variance_": one_array(per_feature, valid=positive),
    },
    check,
    check_row_parameters,
    check_arrays,
    {"mixture_": (MIXTURE,)},
    SOME_ROWS | {"mixture_"},
)

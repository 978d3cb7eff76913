"""Schemas of the VAE and of the Gaussian mixture in it: what fitted ones hold, so what a file of them may hold."""

import copy
import math

import numpy as np
import torch
from sklearn.mixture import GaussianMixture

from ..core.layout import layout_of
from ..core.loaded import check_network, probes
from ..core.parameters import to_json
from ..core.schema import (
    BOUNDS,
    ROW_VALUES,
    SOME_ROWS,
    check_row_parameters,
    per_feature,
    read_components,
    row_arrays,
)
from ..core.tables.layout import blocks_of
from ..core.tables.saved import check_table
from ..persistence.documents import Schema
from ..persistence.kinds import not_negative, one_array, positive, shares, within
from ..persistence.records import from_json, from_zero, require, sizes
from .defaults import architecture_kind
from .network import build_vae

# A covariance beyond this cannot be drawn from.
LARGEST_COVARIANCE = 1e100
BLOCK_BOUNDS = {"start": from_zero, "stop": sizes, "n_levels": from_zero, "blocks": lambda value, limits: True}


def build(architecture, generator):
    """Return the network that a dict describes."""
    return build_vae(from_json(architecture_kind(architecture), architecture), generator)


def _per_class(n_axes, valid=within):
    """Return the kind of an array of a mixture with a number, vector or matrix for each class."""
    return one_array(lambda mixture: (mixture.n_components, *n_axes * (mixture.n_features_in_,)), valid=valid)


def _covariances(array):
    return within(array, -LARGEST_COVARIANCE, LARGEST_COVARIANCE) and np.allclose(array, array.transpose(0, 2, 1))


def check_mixture(mixture):
    """Raise ValueError unless the precisions of a mixture are the inverses of its covariances."""
    roots, unit = mixture.precisions_cholesky_, np.eye(mixture.n_features_in_)
    require((np.diagonal(roots, axis1=1, axis2=2) > 0).all(), "precisions_cholesky_ of no precision")
    require((np.diagonal(mixture.covariances_, axis1=1, axis2=2) > 0).all(), "covariances_ that are not positive")
    whitened = roots.transpose(0, 2, 1) @ mixture.covariances_ @ roots
    require(np.allclose(whitened, unit, atol=1e-2), "covariances_ and precisions_cholesky_")
    require(np.allclose(roots @ roots.transpose(0, 2, 1), mixture.precisions_, rtol=1e-6), "precisions_")


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
    check_arrays=check_mixture,
    kind=GaussianMixture,
)


def check(estimator, limits):
    """Raise ValueError where the values of a VAETransformer do not go together."""
    kind = architecture_kind(estimator.architecture_)
    architecture = read_components(estimator, limits, kind, BOUNDS | BLOCK_BOUNDS)
    if architecture.blocks is not None:
        _check_blocks(architecture.blocks, architecture.sizes.row_shape)
    require(estimator.likelihood == architecture.likelihood, "likelihood and architecture_")
    variance = getattr(estimator, "noise_variance_", None)  # not there yet where it is an array
    require(variance is None or 0 < variance < math.inf, "noise_variance_ is not positive")
    if "mixture_" in limits.names:
        require(estimator.mixture_.n_features_in_ == estimator.n_components_, "mixture_ and n_components_")


def _check_blocks(blocks, row_shape):
    """Raise ValueError unless the blocks of a table lie side by side and fill a row; so they are not too many."""
    start = 0
    for block in blocks:
        width = block.has_score + block.n_levels + block.has_missing
        require(block.start == start and block.stop == start + width and width > 0, "blocks of columns")
        require(not (block.has_score and block.n_levels), "blocks of columns")
        start = block.stop
    require((start,) == row_shape, "blocks of columns and row_shape")


def _positive_where_known(array):
    return positive(array[~np.isnan(array)])


def check_arrays(estimator):
    """Raise ValueError for a VAETransformer of counts or probabilities that rescales them, and for a wrong table."""
    check_table(estimator)
    layout = layout_of(estimator)
    blocks = [to_json(block) for block in blocks_of(layout.columns)] if layout.is_mixed else None
    require(estimator.architecture_.get("blocks") == blocks, "columns_ and blocks")
    if estimator.likelihood in ("bernoulli", "poisson"):
        require((estimator.shift_ == 0).all() and (estimator.scale_ == 1).all(), "likelihood and scale_")

    _check_variance(estimator)

    def compute(module):
        posterior = module.posterior(probes(architecture.sizes.row_shape))
        outputs = module.outputs(posterior.mean[None])
        means = module.likelihood.mean(outputs[0])
        return {"the posterior": posterior.mean, "the output": outputs, "the reconstruction": means}

    architecture = from_json(architecture_kind(estimator.architecture_), estimator.architecture_)
    check_network(estimator, compute)
    if layout.is_mixed:
        _check_units(estimator._module.likelihood, layout)


def _check_units(likelihood, layout):
    """Raise ValueError unless the units of the features in a network are those of the columns of its table."""
    expected = copy.deepcopy(likelihood)
    expected.set_features(layout)
    for name in ("base", "gain"):
        same = torch.allclose(getattr(likelihood, name), getattr(expected, name), rtol=1e-5)
        require(same, f"likelihood.{name} and columns_")


def _check_variance(estimator):
    """Raise ValueError unless the variance of the rows is that of the network."""
    variance = estimator.weights_.get("likelihood.variance")
    if variance is None or estimator.noise_variance_ is None:
        return
    found = np.atleast_1d(estimator.noise_variance_)
    require(np.allclose(found[~np.isnan(found)], variance[: (~np.isnan(found)).sum()], rtol=1e-5), "noise_variance_")


VAE = Schema(
    "VAETransformer",
    ROW_VALUES | {"n_components_": int, "n_active_components_": int, "noise_variance_": float | None},
    row_arrays(build)
    | {
        "kl_per_component_": one_array(lambda estimator: (estimator.n_components_,), valid=not_negative),
        "noise_variance_": one_array(per_feature, valid=_positive_where_known),
    },
    check,
    check_row_parameters,
    check_arrays,
    {"mixture_": (MIXTURE,)},
    SOME_ROWS | {"mixture_"},
)

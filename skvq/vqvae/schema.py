"""Schema of the VQ-VAE: what a fitted one holds, so what a file of it may hold."""

import math
from operator import itemgetter
from typing import Literal

import numpy as np

from ..core.loaded import check_network, probes
from ..core.schema import BOUNDS, ROW_VALUES, SOME_ROWS, check_row_parameters, check_rows, per_feature, row_arrays
from ..core.tables.saved import check_table
from ..persistence.container import Info
from ..persistence.documents import Schema
from ..persistence.kinds import Kind, not_negative, one_array
from ..persistence.records import between, require, share
from ..priors.base import GridDensity
from ..priors.schema import CAUSAL_TRANSFORMER, HIERARCHICAL_PIXELCNN, ORDERLESS_NADE, PIXELCNN
from .defaults import NETWORKS, Architecture, check_combinations
from .network import build_vqvae
from .normal import MOST_COMPONENTS
from .prior import models_rows
from .specs import LARGEST_BEAM

# What only models of series hold.
OF_SERIES = frozenset({"normal_mean_", "normal_components_", "normal_noise_"})
# Of a normal distribution of series: standardised values, values as they are, and its noise beside its components.
LARGEST_STANDARDISED, LARGEST_AS_IT_IS, LEAST_NOISE = 1e12, 1e18, 1e-8
# Most axes of finite scalar codes.
MOST_LEVELS = 64


def _levels(value, limits):
    return 1 <= len(value) <= MOST_LEVELS and min(value) >= 2 and math.prod(value) <= 2**31


BOUNDS_OF_CODES = BOUNDS | {
    "n_codes": between(1, 2**31),
    "beam_size": between(1, LARGEST_BEAM),
    "ema_decay": share,
    "revival_threshold": share,
    "follow_rate": between(0, 1),
    "levels": _levels,
}


def check_parameters(estimator):
    """Raise for parameters, of the estimator or of its prior, that are out of range or do not go together."""
    check_row_parameters(estimator, check_combinations)
    if isinstance(estimator.prior, GridDensity):
        estimator.prior.check_parameters()


def check(estimator, limits):
    """Raise ValueError where the values of a VQVAETransformer do not go together."""
    architecture, prior = _architecture(estimator, limits, BOUNDS_OF_CODES), getattr(estimator, "prior_", None)
    codes, row_shape = architecture.codes, architecture.row_shape
    is_series, is_convolutional = getattr(estimator, "series_shape_", None) is not None, architecture.is_convolutional
    check_rows(estimator, row_shape, codes.grid)
    require(not (is_series and is_convolutional) or codes.n_positions <= row_shape[1], "more positions than steps")
    require(len(row_shape) == 3 or not is_convolutional, "row_shape and the sizes of networks")
    require(codes.is_image == (is_convolutional and not is_series), "grid and row_shape")
    require(getattr(estimator, "network_", architecture.network) == architecture.network, "network_ and architecture_")
    is_completed = is_series and prior is not None and not models_rows(prior)
    require(all((name in limits.names) == is_completed for name in OF_SERIES), "prior_ and normal_mean_")
    require(not is_completed or 0 < estimator.normal_noise_ < math.inf, "normal_noise_ is not positive")
    codes.check(limits.n_arrays)
    for size in ("channels", "n_blocks"):
        require((getattr(architecture, size) is not None) == is_convolutional, f"hidden_layer_sizes and {size}")
    require(estimator.n_codes_ == codes.n_codes, "n_codes_ and architecture_")
    require(estimator.code_shape_ == codes.code_shape, "code_shape_ and architecture_")
    require(0 < estimator.noise_variance_ < math.inf, "noise_variance_ is not positive")
    if models_rows(prior):
        require(len(row_shape) == 1 and prior.n_features_in_ == estimator.n_features_in_, "prior_ and n_features_in_")
    elif prior is not None:
        n_codes = prior.n_codes_, prior.n_features_in_, prior._grids_in
        require(n_codes == (codes.n_codes, codes.codes_per_row, False), "prior_ and architecture_")


def _architecture(estimator, *limits):
    return Architecture.from_json(estimator.architecture_, *limits)


def _codebooks_shape(estimator):
    return _architecture(estimator).codes.codebooks_shape


def check_arrays(estimator):
    """Raise ValueError for a VQ-VAE with a wrong table, with weights that no fit leaves, or with other codebooks."""
    check_table(estimator)
    if hasattr(estimator, "normal_noise_"):
        _check_normal(estimator)
    architecture = _architecture(estimator)

    def compute(module):
        outputs, z, quantized = module(probes(architecture.row_shape))
        return {"the output": outputs, "the encoded rows": z, "the vectors": quantized.vectors}

    check_network(estimator, compute)
    codebooks = architecture.codes.codebooks(estimator._module.quantizer)
    require(np.allclose(estimator.codebook_, codebooks, rtol=1e-5, atol=1e-6), "codebook_ and weights_")
    used = float((estimator.code_counts_ > 0).mean())
    require(abs(estimator.codebook_usage_ - used) < 1e-6, "codebook_usage_ and code_counts_")


def _check_normal(estimator):
    """Raise ValueError for a normal distribution of series with values, or with a noise, that no fit leaves."""
    mean, components = estimator.normal_mean_, estimator.normal_components_.astype(np.float64)
    largest = LARGEST_AS_IT_IS if (estimator.scale_ == 1).all() else LARGEST_STANDARDISED
    require(np.abs(mean).max() <= largest, "normal_mean_ is far from the rows")
    variance = np.square(components).sum() / mean.size  # of a value, on average
    require(variance <= largest**2, "normal_components_ are far from the rows")
    noise = estimator.normal_noise_
    require(LEAST_NOISE * variance <= noise <= largest**2, "normal_noise_ and normal_components_")


def _components(estimator, found):
    """Return the Info of the components of series: of as many as there are."""
    n_components = found[""].shape[0] if "" in found and found[""].shape else 0
    require(1 <= n_components <= MOST_COMPONENTS, "normal_components_")
    return {"": Info("float32", (n_components, estimator.n_features_in_))}


VQVAE = Schema(
    "VQVAETransformer",
    ROW_VALUES
    | {
        "aligned_": bool | None,
        "n_codes_": int,
        "network_": Literal[NETWORKS],
        "code_shape_": tuple[int, ...] | tuple[tuple[int, int], tuple[int, int]],
        "codebook_usage_": float,
        "bits_per_row_": float,
        "perplexity_": float,
        "noise_variance_": float,
        "normal_noise_": float,
    },
    row_arrays(lambda architecture, generator: build_vqvae(Architecture.from_json(architecture), generator))
    | {
        "codebook_": one_array(_codebooks_shape, "float32"),
        "code_counts_": one_array(lambda estimator: _codebooks_shape(estimator)[:-1], "int64", not_negative),
        "normal_mean_": one_array(per_feature),
        "normal_components_": Kind(_components, lambda array: {"": array}, itemgetter("")),
    },
    check,
    check_parameters,
    check_arrays,
    estimators={"prior_": (PIXELCNN, HIERARCHICAL_PIXELCNN, CAUSAL_TRANSFORMER, ORDERLESS_NADE)},
    optional=SOME_ROWS | {"prior_", "aligned_", "network_"} | OF_SERIES,
)

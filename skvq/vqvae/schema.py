"""Schema of the VQ-VAE: what a fitted one holds, so what a file of it may hold."""

import math
from typing import Literal

from ..core.schema import BOUNDS, DENSE, NAMES, ROW_VALUES, ROWS, check_row_parameters, check_rows, row_arrays
from ..persistence.documents import Schema
from ..persistence.kinds import not_negative, one_array
from ..persistence.records import between, require, share
from ..priors.base import GridDensity
from ..priors.schema import CAUSAL_TRANSFORMER, HIERARCHICAL_PIXELCNN, PIXELCNN
from ..priors.schema import check_parameters as check_parameters_of_grids
from .density import PRIORS
from .network import build_vqvae
from .parameters import check_parameters, check_prior
from .quantizer import CODEBOOKS, QUANTIZERS, SEVERAL_CODES, TWO_LEVEL, code_shape, codes_per_row, n_groups

# Prefixes that a search follows, and axes of finite scalar codes.
LARGEST_BEAM, MOST_LEVELS = 4096, 64
CODES = {
    "row_shape": ROWS["row_shape"],
    "quantizer": Literal[(*QUANTIZERS, TWO_LEVEL)],
    "coarse_shape": tuple[int, int] | None,
    "code_shape": tuple[int] | tuple[int, int],
    "n_positions": int,
    "codes_per_position": int,
    "shared_codebook": bool,
    "n_codes": int,
    "code_dim": int,
    "search_dim": int | None,
    "codebook_update": Literal["ema", "gradient", "simvq"],
    "similarity": Literal["euclidean", "cosine"],
    "gradient_estimator": Literal["straight_through", "rotation"],
    "beam_size": int,
    "ema_decay": float,
    "revival_threshold": float,
}
BLOCKS = {"row_shape": tuple[int, int, int], "channels": int, "n_blocks": int}
LEVELS = {"levels": tuple[int, ...]}


def _levels(value, limits):
    return 1 <= len(value) <= MOST_LEVELS and min(value) >= 2 and math.prod(value) <= 2**31


BOUNDS_OF_CODES = BOUNDS | {
    "n_codes": between(1, 2**31),
    "beam_size": between(1, LARGEST_BEAM),
    "ema_decay": share,
    "revival_threshold": share,
    "levels": _levels,
}


def check_own_parameters(estimator):
    """Raise for parameters, of the estimator or of its prior, that are out of range."""
    check_row_parameters(estimator, check_parameters)
    check_prior(estimator.prior, PRIORS)
    if isinstance(estimator.prior, GridDensity):
        check_parameters_of_grids(estimator.prior)


def check_codes(architecture, limits):
    """Raise ValueError where what an architecture says of the codes of a VQ-VAE does not go together."""
    quantizer, shape = architecture["quantizer"], architecture["code_shape"]
    is_image, n_cells = len(architecture["row_shape"]) == 3, math.prod(shape)
    several, n_positions = quantizer in SEVERAL_CODES, architecture["n_positions"]
    codes_per_position = architecture["codes_per_position"]
    one_vector = several and not is_image and n_positions == 1 and codes_per_position == n_cells
    # A stage of residual codes has two arrays at least; the splits of a product are parts of one.
    most = dict.fromkeys(QUANTIZERS | {TWO_LEVEL: None}, 1)
    most |= {"residual": limits.n_arrays // 2, "product": architecture["code_dim"]}
    conditions = {
        "code_shape": len(shape) == (2 if is_image else 1) and ("n_blocks" in architecture) == is_image,
        "n_positions": n_positions == n_cells or one_vector,
        "codes_per_position": codes_per_position <= most[quantizer],
        "coarse_shape": (architecture["coarse_shape"] is not None) == (quantizer == TWO_LEVEL),
        "search_dim": quantizer == "vector" or architecture["search_dim"] is None,
        "similarity": (architecture["codebook_update"], architecture["similarity"]) in CODEBOOKS,
        "code_dim": quantizer != "product" or architecture["code_dim"] % codes_per_position == 0,
        "levels": (quantizer == "finite_scalar") == ("levels" in architecture),
        "n_codes": math.prod(architecture.get("levels", [architecture["n_codes"]])) == architecture["n_codes"],
        "shared_codebook": quantizer != TWO_LEVEL or architecture["shared_codebook"],
    }
    for name, holds in conditions.items():
        require(holds, f"{name} and the other entries of architecture_")


def check(estimator, limits):
    """Raise ValueError where the values of a VQVAETransformer do not go together."""
    architecture, prior = estimator.architecture_, getattr(estimator, "prior_", None)
    types = CODES | (BLOCKS if "n_blocks" in architecture else DENSE) | (LEVELS if "levels" in architecture else {})
    check_rows(estimator, limits, types, BOUNDS_OF_CODES)
    check_codes(architecture, limits)
    require(estimator.n_codes_ == architecture["n_codes"], "n_codes_ and architecture_")
    require(estimator.code_shape_ == code_shape(architecture), "code_shape_ and architecture_")
    require(0 < estimator.noise_variance_ < math.inf, "noise_variance_ is not positive")
    if prior is not None:
        n_codes = prior.n_codes_, prior.n_features_in_, prior._grids_in
        require(n_codes == (estimator.n_codes_, codes_per_row(architecture), False), "prior_ and architecture_")


def codebooks_shape(estimator):
    """Return the shape of `codebook_`: ([positions,] [stages or splits,] n_codes, d), no axis for what is one."""
    architecture = estimator.architecture_
    quantizer, s = architecture["quantizer"], architecture["codes_per_position"]
    lead = (2,) if quantizer == TWO_LEVEL else tuple(n for n in (n_groups(architecture), s) if n > 1)
    d = architecture["code_dim"] // s if quantizer == "product" else architecture["code_dim"]
    return (*lead, architecture["n_codes"], d)


VQVAE = Schema(
    "VQVAETransformer",
    ROW_VALUES
    | {
        "n_codes_": int,
        "code_shape_": tuple[int, ...] | tuple[tuple[int, int], tuple[int, int]],
        "codebook_usage_": float,
        "bits_per_row_": float,
        "perplexity_": float,
        "noise_variance_": float,
    },
    row_arrays(build_vqvae)
    | {
        "codebook_": one_array(codebooks_shape, "float32"),
        "code_counts_": one_array(lambda estimator: codebooks_shape(estimator)[:-1], "int64", not_negative),
    },
    check,
    check_own_parameters,
    estimators={"prior_": (PIXELCNN, HIERARCHICAL_PIXELCNN, CAUSAL_TRANSFORMER)},
    optional=frozenset({*NAMES, "prior_"}),
)

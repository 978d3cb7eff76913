"""Schemas of the densities of codes and of rows of tables: what a fitted one holds, so what a file of it may hold."""

import math
from functools import partial

import numpy as np
import torch

from ..core.loaded import check_network
from ..core.schema import BOUNDS, MAGNITUDE, NAMES, TRAINED_ARRAYS, TRAINED_VALUES, check_device_and_seed
from ..core.tables.codes import TableCodes
from ..core.tables.saved import COLUMNS, check_columns
from ..persistence.documents import Schema
from ..persistence.kinds import labels, network_weights, one_array, shares, within
from ..persistence.records import between, from_json, from_zero, layers, require
from .columns import n_distinct_orders
from .defaults import NADESizes, PixelCNNSizes, TransformerSizes, TwoLevelSizes
from .passes import unpack

# Positions of a grid, of which every one is numbered when a network is built, and dilations.
MOST_POSITIONS, MOST_DILATIONS, LARGEST_KERNEL = 4096, 256, 4095


def _dilations(value, limits):
    return 1 <= len(value) <= MOST_DILATIONS and min(value) >= 1 and max(value) <= LARGEST_KERNEL


BOUNDS_OF_GRIDS = BOUNDS | {
    "condition_size": from_zero,
    "n_clusters": from_zero,
    "code_dim": from_zero,
    "kernel_size": between(1, LARGEST_KERNEL),
    "dilations": _dilations,
}


def check_parameters(estimator):
    """Raise for parameters of a model of grids that are out of range."""
    check_device_and_seed(estimator)
    estimator.check_parameters()


def check_grids(estimator, limits, kind, arrays_per_layer):
    """Raise ValueError where the values of a model of grids do not go together."""
    bounds = BOUNDS_OF_GRIDS | {"n_layers": layers(arrays_per_layer)}
    sizes = kind.from_json(estimator.architecture_, limits, bounds)
    levels = getattr(sizes, "grid_shapes", None)
    if sizes.n_positions + sum(map(math.prod, levels or ())) > MOST_POSITIONS:
        raise ValueError(
            f"grids of more than {MOST_POSITIONS} codes are neither saved nor loaded, since a small file could ask for "
            "much memory with them; keep the estimator with skops or joblib"
        )
    require(sizes.grid_shape == estimator.grid_shape_, "grid_shape_ and architecture_")
    require(sizes.n_positions == estimator.n_features_in_, "grid_shape_ and n_features_in_")
    require(sizes.n_codes == estimator.n_codes_, "n_codes_ and architecture_")
    require(sizes.n_clusters == 0 or sizes.condition_size == 0, "clusters and classes")
    for name in ("classes_", "class_prior_"):
        require((name in limits.names) == (sizes.condition_size > 0), f"{name} and architecture_")
    if levels is not None:
        require(levels == estimator.grid_shapes_, "grid_shapes_ and architecture_")
        require(not estimator._grids_in, "grid_shapes_ and _grids_in")
        require(sum(map(math.prod, levels)) == estimator.n_features_in_, "grid_shapes_ and n_features_in_")


def check_likelihoods(estimator):
    """Raise ValueError for a model of grids with weights that no fit leaves."""

    def compute(module):
        n_columns = estimator.n_features_in_ + (module.condition_size > 0)
        return {"the likelihood": module.nll(*unpack(module, torch.zeros(1, n_columns, dtype=torch.int64)))}

    check_network(estimator, compute)


def of_grids(class_name, kind, arrays_per_layer, **values):
    """Return the schema of a model of grids whose network the sizes `kind` build."""

    def per_class(estimator):
        return (estimator.architecture_["condition_size"],)

    return Schema(
        class_name,
        TRAINED_VALUES | {"grid_shape_": tuple[int, int], "_grids_in": bool, "n_codes_": int} | values,
        TRAINED_ARRAYS
        | {
            "weights_": network_weights(lambda sizes, generator: kind.from_json(sizes).build(generator)),
            "classes_": labels(lambda estimator: per_class(estimator)[0]),
            "class_prior_": one_array(per_class, valid=shares),
        },
        partial(check_grids, kind=kind, arrays_per_layer=arrays_per_layer),
        check_parameters,
        check_likelihoods,
        optional=frozenset({*NAMES, "classes_", "class_prior_"}),
    )


PIXELCNN = of_grids("PixelCNN", PixelCNNSizes, 3)
HIERARCHICAL_PIXELCNN = of_grids(
    "HierarchicalPixelCNN", TwoLevelSizes, 3, grid_shapes_=tuple[tuple[int, int], tuple[int, int]]
)
CAUSAL_TRANSFORMER = of_grids("CausalTransformer", TransformerSizes, 9)


def _of_columns(value, limits):
    return len(value) <= max(1, limits.n_values)


BOUNDS_OF_NADE = BOUNDS | {
    "n_coarse": _of_columns,
    "n_fine": _of_columns,
    "is_number": _of_columns,
    "n_blocks": layers(6),
    "n_bins": from_zero,
    "degree": between(1, 64),
    "levels": _of_columns,
    "atoms": _of_columns,
}


def check_nade(estimator, limits):
    """Raise ValueError where the architecture of an OrderlessNADE asks for more than there is."""
    sizes = from_json(NADESizes, estimator.architecture_, limits, BOUNDS_OF_NADE)
    require(len(sizes.n_coarse) == len(sizes.n_fine) == len(sizes.is_number), "the columns in architecture_")
    require(len(sizes.n_coarse) == estimator.n_features_in_, "n_features_in_ and architecture_")
    for column, code in (*sizes.levels, *sizes.atoms):
        require(column < len(sizes.n_coarse) and code < sizes.n_coarse[column], "the levels in architecture_")


def check_nade_columns(estimator):
    """Raise ValueError where the columns of an OrderlessNADE do not go with its architecture."""
    sizes = from_json(NADESizes, estimator.architecture_)
    require(TableCodes(check_columns(estimator), sizes.n_bins).codes == sizes.codes, "columns_ and architecture_")

    def compute(module):
        rows = torch.zeros(2, len(sizes.n_coarse), dtype=torch.int64)
        known = torch.stack([torch.zeros(rows.shape[1]), torch.ones(rows.shape[1])])
        return {"the likelihood": module.log_prob_terms(rows, known)}

    check_network(estimator, compute)


def _shape_of_orders(estimator):
    return n_distinct_orders(estimator.n_features_in_, estimator.n_orders), estimator.n_features_in_


def _orders(array):
    return within(array, 0) and bool((np.sort(array, axis=1) == np.arange(array.shape[1])).all())


ORDERLESS_NADE = Schema(
    "OrderlessNADE",
    TRAINED_VALUES | {"_table_in": dict, "_magnitude_in": MAGNITUDE},
    TRAINED_ARRAYS
    | {
        "weights_": network_weights(lambda sizes, generator: from_json(NADESizes, sizes).build(generator)),
        "columns_": COLUMNS,
        "orders_": one_array(_shape_of_orders, "int64", _orders),
    },
    check_nade,
    check_device_and_seed,
    check_nade_columns,
    optional=frozenset({*NAMES, "_magnitude_in"}),
)

"""Schemas of the models of grids of codes: what a fitted one holds, so what a file of it may hold."""

import math
from functools import partial

from ..core.schema import BOUNDS, NAMES, TRAINED_ARRAYS, TRAINED_VALUES, check_device_and_seed
from ..nn.grids.levels import TwoLevelPixelCNN
from ..nn.grids.pixelcnn import GatedPixelCNN
from ..nn.grids.transformer import CausalGridTransformer
from ..persistence.documents import Schema
from ..persistence.kinds import labels, network_weights, one_array, shares
from ..persistence.records import between, from_zero, layers, read_record, require

# Positions of a grid, of which every one is numbered when a network is built, and dilations.
MOST_POSITIONS, MOST_DILATIONS, LARGEST_KERNEL = 4096, 256, 4095
GRIDS = {"n_codes": int, "grid_shape": tuple[int, int], "condition_size": int, "dropout": float}
STACKS = {"channels": int, "n_layers": int, "kernel_size": int, "dilations": tuple[int, ...]}
LEVELS = {"grid_shapes": tuple[tuple[int, int], tuple[int, int]]}
HEADS = {"d_model": int, "n_layers": int, "n_heads": int}


def _dilations(value, limits):
    return 1 <= len(value) <= MOST_DILATIONS and min(value) >= 1 and max(value) <= LARGEST_KERNEL


BOUNDS_OF_GRIDS = BOUNDS | {
    "condition_size": from_zero,
    "kernel_size": between(1, LARGEST_KERNEL),
    "dilations": _dilations,
}


def check_parameters(estimator):
    """Raise for parameters of a model of grids that are out of range."""
    check_device_and_seed(estimator)
    # Until every parameter has a constraint:
    estimator._check_parameters()


def check_grids(estimator, limits, types, arrays_per_layer):
    """Raise ValueError where the values of a model of grids do not go together."""
    bounds = BOUNDS_OF_GRIDS | {"n_layers": layers(arrays_per_layer)}
    architecture = read_record(estimator.architecture_, types, limits, bounds)
    grid, levels = architecture["grid_shape"], architecture.get("grid_shapes", ())
    if math.prod(grid) + sum(map(math.prod, levels)) > MOST_POSITIONS:
        raise ValueError(
            f"grids of more than {MOST_POSITIONS} codes are neither saved nor loaded, since a small file could ask for "
            "much memory with them; keep the estimator with skops or joblib"
        )
    require(grid == estimator.grid_shape_, "grid_shape_ and architecture_")
    require(math.prod(grid) == estimator.n_features_in_, "grid_shape_ and n_features_in_")
    require(architecture["n_codes"] == estimator.n_codes_, "n_codes_ and architecture_")
    for name in ("classes_", "class_prior_"):
        require((name in limits.names) == (architecture["condition_size"] > 0), f"{name} and architecture_")
    if levels:
        require(levels == tuple(map(tuple, estimator.grid_shapes)), "grid_shapes and architecture_")
        require(not estimator._grids_in, "grid_shapes and _grids_in")
        require(sum(map(math.prod, levels)) == estimator.n_features_in_, "grid_shapes and n_features_in_")


def build_network(network, architecture, generator):
    """Return a network of grids; one of two grids takes their shapes in place of the shape of a row."""
    left_out = "grid_shape" if "grid_shapes" in architecture else None
    sizes = {name: size for name, size in architecture.items() if name != left_out}
    return network(**sizes, generator=generator)


def of_grids(class_name, network, types, arrays_per_layer):
    """Return the schema of a model of grids."""

    def per_class(estimator):
        return (estimator.architecture_["condition_size"],)

    return Schema(
        class_name,
        TRAINED_VALUES | {"grid_shape_": tuple[int, int], "_grids_in": bool, "n_codes_": int},
        TRAINED_ARRAYS
        | {
            "weights_": network_weights(partial(build_network, network)),
            "classes_": labels(lambda estimator: per_class(estimator)[0]),
            "class_prior_": one_array(per_class, valid=shares),
        },
        partial(check_grids, types=GRIDS | types, arrays_per_layer=arrays_per_layer),
        check_parameters,
        optional=frozenset({*NAMES, "classes_", "class_prior_"}),
    )


PIXELCNN = of_grids("PixelCNN", GatedPixelCNN, STACKS, 3)
HIERARCHICAL_PIXELCNN = of_grids("HierarchicalPixelCNN", TwoLevelPixelCNN, STACKS | LEVELS, 3)
CAUSAL_TRANSFORMER = of_grids("CausalTransformer", CausalGridTransformer, HEADS, 9)

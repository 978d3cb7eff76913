"""The parts of schemas that several families share: what fitted estimators with a network hold.

The schema of a family is in its own `schema.py`. An attribute that `fit` sets must be in it, or `save` refuses.
"""

import math
import re
from typing import Literal

from sklearn.utils import check_random_state

from ..persistence.kinds import CURVE, CURVES, deviations, labels, network_weights, one_array
from ..persistence.records import from_json, layers, require, share
from .layout import check_image_shape, with_channels
from .series import SeriesLayout, check_series_shape
from .tables.saved import COLUMNS

DEVICE = re.compile(r"auto|(cpu|cuda|mps)(:\d{1,3})?")
NAMES = {"feature_names_in_": labels(lambda estimator: estimator.n_features_in_, distinct=False)}
# Of everything that the training loop trains.
TRAINED_VALUES = {"n_features_in_": int, "n_iter_": int, "best_iter_": int | None, "architecture_": dict}
TRAINED_ARRAYS = NAMES | {"history_": CURVES, "loss_curve_": CURVE, "validation_loss_curve_": CURVE}
# How large the values of `fit` are, see :func:`~skvq.core.layout.magnitude_of`.
MAGNITUDE = tuple[float, float] | tuple[float, float, float, float]
# Of the transformers that give rows back.
FLOATS = Literal["float32", "float64", "float128"]
INTEGERS = Literal["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"]
ROW_VALUES = TRAINED_VALUES | {
    "image_shape_": tuple[int, int] | tuple[int, int, int] | None,
    "series_shape_": tuple[int] | tuple[int, int] | None,
    "_channels_first": bool,
    "_images_in": bool,
    "_dtype_in": FLOATS | INTEGERS,
    "_table_in": dict,
    "_magnitude_in": MAGNITUDE,
    "_frame_in": Literal["pandas", "polars"],
}
# What only some of them hold: names of columns, what is known of a table that is more than an array of numbers, the
# kind of frame that series or images came in, and, which files of version 0.1.0 do not tell, how a row unfolds to a
# series, how large its values are and their range.
SOME_ROWS = frozenset(
    {*NAMES, "columns_", "_table_in", "series_shape_", "_channels_first", "_magnitude_in", "data_min_", "data_max_"}
    | {"_frame_in", "_frame_names"}
)
BOUNDS = {"dropout": share, "n_blocks": layers(20)}


def per_feature(estimator):
    """Return the shape of an array with a value for each feature."""
    return (estimator.n_features_in_,)


def row_arrays(build):
    """Return the arrays of a transformer of rows whose network ``build(architecture, generator)`` returns."""
    scaling = {"shift_": one_array(per_feature), "scale_": one_array(per_feature, valid=deviations)}
    ranges = {"data_min_": one_array(per_feature), "data_max_": one_array(per_feature)}
    frame = {"_frame_names": labels(lambda estimator: estimator.n_features_in_, distinct=False)}
    return TRAINED_ARRAYS | {"weights_": network_weights(build), "columns_": COLUMNS} | scaling | ranges | frame


def check_device_and_seed(estimator):
    """Raise unless `device` has the form of one (it need not be here) and `random_state` seeds."""
    if DEVICE.fullmatch(str(estimator.device)) is None:
        raise ValueError(f"device={estimator.device!r} is not a device")
    check_random_state(estimator.random_state)


def check_row_parameters(estimator, check_combinations=None):
    """Raise for parameters of a transformer of rows that are within their constraints and still out of range."""
    check_device_and_seed(estimator)
    check_image_shape(estimator.image_shape)
    if estimator.series_shape is not None:
        SeriesLayout.of(estimator)
    if check_combinations is not None:
        check_combinations(estimator)


def check_rows(estimator, row_shape, grid):
    """Raise ValueError where a transformer's shape of a row, or its grid of cells, does not go with its images."""
    image_shape, series_shape = estimator.image_shape_, check_series_shape(getattr(estimator, "series_shape_", None))
    require(image_shape is None or series_shape is None, "image_shape_ and series_shape_")
    if hasattr(estimator, "_table_in"):  # how many features its columns have is known later: `check_table`
        no_table = image_shape is not None or series_shape is not None or estimator._images_in
        require(not no_table, "image_shape_ or series_shape_ and _table_in")
        require(len(row_shape) == 1 and (grid is None or len(grid) == 1), "columns_ and architecture_")
        return
    expected = (estimator.n_features_in_,) if image_shape is None else with_channels(image_shape)
    if series_shape is not None:
        expected = (1, series_shape[0], math.prod(series_shape[1:]))
    require(row_shape == expected, "image_shape_ or series_shape_ and architecture_")
    require(math.prod(expected) == estimator.n_features_in_, "image_shape_ or series_shape_ and n_features_in_")
    require(len(row_shape) == 3 or not estimator._images_in, "_images_in without image_shape_ or series_shape_")
    if grid is not None and len(grid) == 2:
        require(len(row_shape) == 3, "a grid of cells for rows of a table")
        require(grid[0] <= row_shape[0] and grid[1] <= row_shape[1], "more cells than an image has pixels")


def read_components(estimator, limits, kind, bounds=BOUNDS):
    """Return the architecture, a dataclass `kind`, of a transformer to components; ValueError for what cannot be."""
    architecture = from_json(kind, estimator.architecture_, limits, bounds)
    sizes = architecture.sizes
    check_rows(estimator, sizes.row_shape, sizes.grid_shape)
    dense = sizes.hidden_layer_sizes is not None
    for size in (sizes.grid_shape, sizes.channels, sizes.n_blocks):
        require((size is None) == dense, "the sizes of two networks in architecture_")
    require(estimator.n_components_ == architecture.n_components, "n_components_ and architecture_")
    return architecture

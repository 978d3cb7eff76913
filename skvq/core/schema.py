"""The parts of schemas that several families share: what fitted estimators with a network hold.

The schema of a family is in its own `schema.py`. An attribute that `fit` sets must be in it, or `save` refuses.
"""

import math
import re
from typing import Literal

from sklearn.utils import check_random_state

from ..persistence.kinds import CURVE, CURVES, deviations, labels, network_weights, one_array
from ..persistence.records import layers, read_record, require, share
from .layout import check_image_shape, with_channels

DEVICE = re.compile(r"auto|(cpu|cuda|mps)(:\d{1,3})?")
NAMES = {"feature_names_in_": labels(lambda estimator: estimator.n_features_in_, distinct=False)}
# Of everything that the training loop trains.
TRAINED_VALUES = {"n_features_in_": int, "n_iter_": int, "best_iter_": int | None, "architecture_": dict}
TRAINED_ARRAYS = NAMES | {"history_": CURVES, "loss_curve_": CURVE, "validation_loss_curve_": CURVE}
# Of the transformers that give rows back.
ROW_VALUES = TRAINED_VALUES | {
    "image_shape_": tuple[int, int] | tuple[int, int, int] | None,
    "_images_in": bool,
    "_dtype_in": Literal["float32", "float64", "float128"],
}
# Their architectures: what there always is, and what a network of images or one of tables has besides.
ROWS = {"row_shape": tuple[int] | tuple[int, int, int], "n_components": int, "dropout": float}
CONVOLUTIONAL = {"row_shape": tuple[int, int, int], "channels": int, "n_blocks": int, "grid_shape": tuple[int, int]}
DENSE = {"hidden_layer_sizes": tuple[int, ...]}
BOUNDS = {"dropout": share, "n_blocks": layers(20)}


def per_feature(estimator):
    """Return the shape of an array with a value for each feature."""
    return (estimator.n_features_in_,)


def row_arrays(build):
    """Return the arrays of a transformer of rows whose network ``build(architecture, generator)`` returns."""
    scaling = {"shift_": one_array(per_feature), "scale_": one_array(per_feature, valid=deviations)}
    return TRAINED_ARRAYS | {"weights_": network_weights(build)} | scaling


def check_device_and_seed(estimator):
    """Raise unless `device` has the form of one (it need not be here) and `random_state` seeds."""
    if DEVICE.fullmatch(str(estimator.device)) is None:
        raise ValueError(f"device={estimator.device!r} is not a device")
    check_random_state(estimator.random_state)


def check_row_parameters(estimator, check_own):
    """Raise for parameters of a transformer of rows that are out of range."""
    check_device_and_seed(estimator)
    check_image_shape(estimator.image_shape)
    # Until every parameter has a constraint:
    estimator._check_training_parameters()
    estimator._check_network_parameters()
    check_own(estimator)


def check_rows(estimator, limits, types, bounds):
    """Raise ValueError where the values of a transformer of rows do not go with `architecture_`, or that is none.

    `types` and `bounds` are those of the architecture, as :func:`~skvq.persistence.records.read_record` takes them.
    """
    shape, image_shape = [estimator.n_features_in_], estimator.image_shape_
    if image_shape is not None:
        shape = list(with_channels(image_shape))
    architecture = read_record(estimator.architecture_, types, limits, bounds)
    require(estimator.architecture_["row_shape"] == shape, "image_shape_ and architecture_")
    require(math.prod(shape) == estimator.n_features_in_, "image_shape_ and n_features_in_")
    require(image_shape is not None or not estimator._images_in, "_images_in without image_shape_")
    for name in ("grid_shape", "code_shape"):
        cells = architecture.get(name, ())
        if len(shape) == 3 and len(cells) == 2:
            require(cells[0] <= shape[0] and cells[1] <= shape[1], f"{name} has more cells than an image has pixels")


def check_components(estimator, limits, types):
    """Raise ValueError where the values of a transformer to components do not go together."""
    network = CONVOLUTIONAL if "n_blocks" in estimator.architecture_ else DENSE
    check_rows(estimator, limits, types | network, BOUNDS)
    require(estimator.n_components_ == estimator.architecture_["n_components"], "n_components_ and architecture_")

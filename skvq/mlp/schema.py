"""Schemas of the predictors and of a classifier's labels: what fitted ones hold, so what a file of them may hold."""

from types import NoneType
from typing import Literal

import numpy as np
from sklearn.preprocessing import LabelBinarizer

from ..core.schema import NAMES, check_device_and_seed
from ..persistence.container import Info
from ..persistence.documents import Schema
from ..persistence.kinds import Arrays, Curve, Labels
from ..persistence.records import require
from .fit import layer_widths

VALUES = {
    "n_features_in_": int,
    "n_outputs_": int,
    "n_layers_": int,
    "n_iter_": int,
    "t_": int,
    "precision_": Literal["float32", "float64"],
}
# What only some solvers and ways of stopping leave.
OPTIONAL_VALUES = {
    "best_validation_score_": float | None,
    "best_loss_": float | None,
    "loss_": float | None,
    "_no_improvement_count": int,
    "validation_scores_": NoneType,
}
CURVES = {"loss_curve_": Curve(), "validation_loss_curve_": Curve(), "validation_scores_": Curve()}


def widths(estimator):
    """Return the widths of all layers of a predictor."""
    return layer_widths(estimator, estimator.n_features_in_, estimator.n_outputs_)


def coefficients(estimator, found):
    """Return the Infos of the matrices of a predictor, all of the dtype of one that is there."""
    sizes = widths(estimator)
    return _infos(found, zip(sizes[:-1], sizes[1:]))


def intercepts(estimator, found):
    """Return the Infos of the biases of a predictor, all of the dtype of one that is there."""
    return _infos(found, ((width,) for width in widths(estimator)[1:]))


def _infos(found, shapes):
    dtype = "float32" if found and next(iter(found.values())).dtype == "float32" else "float64"
    return {str(index): Info(dtype, shape) for index, shape in enumerate(shapes)}


def normalization(estimator, found):
    """Return the Infos of what the normalisation of a predictor learned."""
    names = ("scale", "shift", "mean", "variance") if estimator.normalization == "batch" else ("scale", "shift")
    hidden = enumerate(widths(estimator)[1:-1])
    return {f"{name}_{i}": Info(estimator.precision_, (width,)) for i, width in hidden for name in names}


def check_parameters(estimator):
    """Raise for parameters of a predictor that are out of range or do not go together."""
    check_device_and_seed(estimator)
    # Until it is a function:
    estimator._check_combinations(False)


def check(estimator, limits):
    """Raise ValueError where the values of a predictor do not go together."""
    require(min(widths(estimator)) > 0, "n_features_in_ and n_outputs_")
    require(len(widths(estimator)) == estimator.n_layers_, "hidden_layer_sizes and n_layers_")
    normalized = "normalization_state_" in limits.names
    require(normalized == (estimator.normalization is not None), "normalization and normalization_state_")


def check_regressor(estimator, limits):
    """Raise ValueError where the values of an MLPRegressor do not go together."""
    check(estimator, limits)
    require(estimator.out_activation_ == ("exp" if estimator.loss == "poisson" else "identity"), "loss")
    levels = np.atleast_1d(estimator.quantile)
    require(levels.dtype.kind == "f" and levels.ndim == 1 and ((levels > 0) & (levels < 1)).all(), "quantile")
    require(estimator.loss != "quantile" or len(levels) in (1, estimator.n_outputs_), "quantile and n_outputs_")


def check_classifier(estimator, limits):
    """Raise ValueError where the values of an MLPClassifier do not go together."""
    check(estimator, limits)
    multiclass = estimator._label_binarizer.y_type_ == "multiclass"
    require(multiclass == (estimator.out_activation_ == "softmax"), "labels and out_activation_")


def check_classes(estimator):
    """Raise ValueError unless an MLPClassifier has an output for each class, or one for two."""
    binarizer, n_classes = estimator._label_binarizer, len(estimator.classes_)
    require(np.array_equal(binarizer.classes_, estimator.classes_), "classes_ and labels")
    if binarizer.y_type_ == "binary":
        require(n_classes in (1, 2) and estimator.n_outputs_ == 1, "classes_ and n_outputs_")
    else:
        require(n_classes == estimator.n_outputs_, "classes_ and n_outputs_")


def check_binarizer(binarizer, limits):
    """Raise ValueError for labels that are not 0 and 1."""
    require((binarizer.neg_label, binarizer.pos_label) == (0, 1) and not binarizer.sparse_output, "labels")


def of_predictor(class_name, activations, own_check, **others):
    """Return the schema of a predictor."""
    arrays = {
        "coefs_": Arrays(coefficients, in_list=True),
        "intercepts_": Arrays(intercepts, in_list=True),
        "normalization_state_": Arrays(normalization),
    }
    return Schema(
        class_name,
        VALUES | OPTIONAL_VALUES | {"out_activation_": activations},
        NAMES | CURVES | arrays | others.pop("arrays", {}),
        own_check,
        check_parameters,
        optional=frozenset({*NAMES, *CURVES, *OPTIONAL_VALUES, "normalization_state_"}),
        **others,
    )


BINARIZER = Schema(
    "LabelBinarizer",
    {"y_type_": Literal["binary", "multiclass", "multilabel-indicator"], "sparse_input_": bool},
    {"classes_": Labels()},
    check_binarizer,
    kind=LabelBinarizer,
)
MLP_REGRESSOR = of_predictor("MLPRegressor", Literal["identity", "exp"], check_regressor)
MLP_CLASSIFIER = of_predictor(
    "MLPClassifier",
    Literal["logistic", "softmax"],
    check_classifier,
    arrays={"classes_": Labels()},
    estimators={"_label_binarizer": (BINARIZER,)},
    check_arrays=check_classes,
)

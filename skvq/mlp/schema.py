"""Schemas of the predictors and of a classifier's labels: what fitted ones hold, so what a file of them may hold."""

from itertools import pairwise
from types import NoneType
from typing import Literal

import numpy as np
import torch
from sklearn.preprocessing import LabelBinarizer

from ..core.schema import NAMES, check_device_and_seed
from ..persistence.container import Info
from ..persistence.documents import Schema
from ..persistence.kinds import CURVE, Kind, labels, list_of_arrays
from ..persistence.records import require
from .activations import ACTIVATIONS
from .build import Weights, layer_widths
from .parameters import check_combinations
from .predict import network_outputs
from .targets import check_quantile, n_quantiles

VALUES = {
    "n_features_in_": int,
    "n_outputs_": int,
    "n_layers_": int,
    "n_iter_": int,
    "t_": int,
    "activation_": Literal[tuple(ACTIVATIONS)],
    "precision_": Literal["float32", "float64"],
    "best_validation_score_": float | None,
    "best_loss_": float | None,
    "loss_": float | None,
    "_no_improvement_count": int,
    "validation_scores_": NoneType,
}
# What only some solvers and ways of stopping leave.
OPTIONAL = frozenset(
    {
        "activation_", "_quantiles",
        "best_validation_score_", "best_loss_", "loss_", "_no_improvement_count", "loss_curve_", "normalization_state_",
        "validation_loss_curve_", "validation_scores_", *NAMES,
    }
)  # fmt: skip


def widths(estimator):
    """Return the widths of all layers of a predictor."""
    return layer_widths(estimator.hidden_layer_sizes, estimator.n_features_in_, estimator.n_outputs_)


def normalization(estimator, found):
    """Return the Infos of what the normalisation of a predictor learned."""
    names = ("scale", "shift", "mean", "variance") if estimator.normalization == "batch" else ("scale", "shift")
    hidden = enumerate(widths(estimator)[1:-1])
    return {f"{name}_{i}": Info(estimator.precision_, (width,)) for i, width in hidden for name in names}


ARRAYS = NAMES | {
    "coefs_": list_of_arrays(lambda estimator: pairwise(widths(estimator))),
    "intercepts_": list_of_arrays(lambda estimator: ((width,) for width in widths(estimator)[1:])),
    "normalization_state_": Kind(normalization),
    "loss_curve_": CURVE,
    "validation_loss_curve_": CURVE,
    "validation_scores_": CURVE,
}


def check_parameters(estimator):
    """Raise for parameters of a predictor that are within their constraints and still out of range."""
    check_device_and_seed(estimator)
    check_combinations(estimator)


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
    check_quantile(estimator.quantile)
    levels = getattr(estimator, "_quantiles", None)
    if levels is not None:
        check_quantile(levels)
        require(len(levels) in (1, estimator.n_outputs_), "_quantiles and n_outputs_")
    require(n_quantiles(estimator.loss, estimator.quantile) in (1, estimator.n_outputs_), "quantile and n_outputs_")


def check_outputs(estimator):
    """Raise ValueError for weights of a predictor that are none, or whose outputs are not finite."""
    weights = Weights.of(vars(estimator))
    for name, array in (weights.normalization or {}).items():
        require(not name.startswith("variance") or array.size == 0 or array.min() >= 0, f"{name} is negative")
    rows = np.stack([np.zeros(estimator.n_features_in_), np.ones(estimator.n_features_in_)])
    forward = network_outputs(
        weights,
        estimator._fitted_activation,
        estimator.precision_,
        torch.device("cpu"),
        estimator._fitted_normalization,
    )
    with np.errstate(all="ignore"):
        require(np.isfinite(forward(rows.astype(estimator.precision_))).all(), "outputs that are not finite")


def check_classifier(estimator, limits):
    """Raise ValueError where the values of an MLPClassifier do not go together."""
    check(estimator, limits)
    multiclass = estimator._label_binarizer.y_type_ == "multiclass"
    require(multiclass == (estimator.out_activation_ == "softmax"), "labels and out_activation_")


def check_classes(estimator):
    """Raise ValueError unless an MLPClassifier has an output for each class, or one for two, and these are finite."""
    check_outputs(estimator)
    binarizer, n_classes = estimator._label_binarizer, len(estimator.classes_)
    require(np.array_equal(binarizer.classes_, estimator.classes_), "classes_ and labels")
    if binarizer.y_type_ == "binary":
        require(n_classes in (1, 2) and estimator.n_outputs_ == 1, "classes_ and n_outputs_")
    else:
        require(n_classes == estimator.n_outputs_, "classes_ and n_outputs_")


def check_binarizer(binarizer, limits):
    """Raise ValueError for labels that are not 0 and 1."""
    require((binarizer.neg_label, binarizer.pos_label) == (0, 1) and not binarizer.sparse_output, "labels")


BINARIZER = Schema(
    "LabelBinarizer",
    {"y_type_": Literal["binary", "multiclass", "multilabel-indicator"], "sparse_input_": bool},
    {"classes_": labels()},
    check_binarizer,
    kind=LabelBinarizer,
)
MLP_REGRESSOR = Schema(
    "MLPRegressor",
    VALUES | {"out_activation_": Literal["identity", "exp"], "_quantiles": list[float] | None},
    ARRAYS,
    check_regressor,
    check_parameters,
    check_outputs,
    optional=OPTIONAL,
)
MLP_CLASSIFIER = Schema(
    "MLPClassifier",
    VALUES | {"out_activation_": Literal["logistic", "softmax"]},
    ARRAYS | {"classes_": labels()},
    check_classifier,
    check_parameters,
    check_classes,
    {"_label_binarizer": (BINARIZER,)},
    OPTIONAL,
)

"""Schema of the detector: what a fitted one around an estimator of this package holds, so what a file may hold."""

import math
import warnings
from functools import partial
from typing import Literal

import numpy as np

from ..core.layout import layout_of
from ..core.schema import NAMES
from ..persistence.container import Info
from ..persistence.documents import Schema
from ..persistence.kinds import Kind, one_array, positive, within
from ..persistence.records import require
from .scores import FARTHEST_WHITENED, NEEDED, NeighborDistance, score_method

# No axis of whitening is longer, one of a table without any variation neither.
LARGEST = 1e156


def _shape_of_rows(estimator, found):
    n_rows = found[""].shape[0] if "" in found else 1
    require(n_rows > 0, "rows_ of no rows")
    return {"": Info("float64", (n_rows, 2 * estimator.n_features_))}


def _check_features(neighbors, limits):
    require(neighbors.n_features_ > 0, "n_features_")


def _find_neighbors(neighbors):
    """Build what finds the nearest rows; ValueError for scales by which distances are no numbers."""
    with np.errstate(all="ignore"):
        neighbors.remember(neighbors.rows_)
        rows = np.stack([np.zeros(neighbors.n_features_), neighbors.scale_])
        found = neighbors.score_samples(np.stack([rows, np.zeros_like(rows)], axis=1))
    require(np.isfinite(found).all(), "distances that are not finite")


NEIGHBORS = Schema(
    "NeighborDistance",
    {"n_features_": int},
    {
        "scale_": one_array(lambda neighbors: (neighbors.n_features_,), valid=positive),
        "mean_": one_array(lambda neighbors: (2 * neighbors.n_features_,)),
        "whitening_": one_array(
            lambda neighbors: (2 * neighbors.n_features_,) * 2, valid=partial(within, low=-LARGEST, high=LARGEST)
        ),
        "rows_": Kind(
            _shape_of_rows,
            lambda rows: {"": rows},
            lambda found: found[""],
            partial(within, low=-FARTHEST_WHITENED, high=FARTHEST_WHITENED),
        ),
    },
    _check_features,
    check_arrays=_find_neighbors,
    kind=NeighborDistance,
)


def _scores(estimator, found):
    return {"": Info("float64", (math.prod(found[""].shape) if "" in found else 0,))}


def _are_scores(array):
    return not np.isnan(array).any()  # a density may be minus infinity


SCORES = Kind(_scores, lambda scores: {"": scores}, lambda found: found[""], _are_scores)


def check(detector, limits):
    """Raise ValueError where the values of a detector do not go with its estimator."""
    inside, own = detector.estimator_, detector.estimator
    require(type(own) is type(inside), "estimator and estimator_")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own._validate_params()
    require(detector.n_features_in_ == inside.n_features_in_, "n_features_in_ and estimator_")
    require(score_method(inside, detector.method_) == detector.method_, "method_ and estimator_")
    require(("neighbors_" in limits.names) == (detector.method_ == "neighbors"), "method_ and neighbors_")
    require(not math.isnan(detector.offset_), "offset_ is not a number")


def check_arrays(detector):
    """Raise ValueError for scores of another number of rows, for neighbours with other columns, and for other names."""
    inside, n_rows = detector.estimator_, len(detector.training_scores_)
    require(n_rows == len(getattr(detector, "held_out_scores_", detector.training_scores_)), "held_out_scores_")
    if hasattr(detector, "neighbors_"):
        require(n_rows == len(detector.neighbors_.rows_), "training_scores_ and neighbors_")
        width = math.prod(layout_of(inside).row_shape)
        require(width == detector.neighbors_.n_features_, "neighbors_ and the columns of estimator_")
    names = (getattr(each, "feature_names_in_", None) for each in (detector, inside))
    require(np.array_equal(*names), "feature_names_in_ and estimator_")


DETECTOR = Schema(
    "OutlierDetector",
    {"method_": Literal[tuple(NEEDED)], "offset_": float, "n_features_in_": int},
    NAMES | {"training_scores_": SCORES, "held_out_scores_": SCORES},
    check,
    check_arrays=check_arrays,
    estimators={"estimator_": None, "neighbors_": (NEIGHBORS,)},
    optional=frozenset({*NAMES, "held_out_scores_", "neighbors_"}),
)

"""The two kinds of targets, numbers and class labels, as the numbers that a network is trained on.

:class:`Numbers` and :class:`Labels` have the same methods. ``prepare(y)`` refuses what scikit-learn's validation would
not explain, ``check(y)`` returns validated targets, ``learn(y)`` takes note of the classes, ``encode(y)`` returns
numbers (n, n_columns) or class indices (n, 1), ``weigh(y, sample_weight)`` the weights of the rows in the loss, and
``score(outputs, y, sample_weight)`` the score of a network's outputs. They also give the `loss`, the number of outputs,
the strata of a split, and the estimator's fitted attributes.
"""

import numpy as np
from scipy.sparse import issparse
from sklearn.metrics import accuracy_score, d2_pinball_score, r2_score
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import type_of_target, unique_labels

from .._warnings import warn_user
from ..core.labels import check_classes, check_labels, is_indicator
from ..core.parameters import NON_NEGATIVE
from ..training.batches import as_array
from .build import build_loss
from .losses import BinaryLogLoss, LogLoss
from .predict import predictions

DEFAULT_QUANTILE = 0.5


def check_quantile(quantile):
    """Raise ValueError unless the parameter `quantile` is in (0, 1), or a sequence of such numbers."""
    if isinstance(quantile, float) and 0 < quantile < 1:
        return
    levels = np.atleast_1d(quantile)
    if levels.dtype.kind != "f" or levels.ndim != 1 or len(levels) == 0 or not ((levels > 0) & (levels < 1)).all():
        raise ValueError(f"quantile={quantile!r} must be in (0, 1), or a sequence of such numbers")


def warn_of_idle_quantile(loss, quantile):
    """Warn where the parameter `quantile` is not at its default, and the loss is one on which it does not act."""
    if loss != "quantile" and not np.array_equal(quantile, DEFAULT_QUANTILE):
        warn_user(
            f'quantile={quantile!r:.80} acts only with loss="quantile", but loss={loss!r}; pass loss="quantile" to '
            f"predict quantiles, or leave quantile at {DEFAULT_QUANTILE}"
        )


def n_quantiles(loss, quantile):
    """Return how many quantiles a regressor with these parameters predicts, 1 for other losses."""
    return len(np.atleast_1d(quantile)) if loss == "quantile" else 1


# The sum of the squares of numbers beyond this may be beyond float64.
LARGEST_SQUARED = 1e100


def score_numbers(levels, y_pred, y, sample_weight):
    """Return R² of predictions; for those of quantiles, of these `levels`, D² of the pinball loss, their mean.

    Neither depends on the unit, so numbers whose squares are beyond float64 are divided by the largest of y.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # of errors whose squares are infinite: the score is -inf
        size = float(np.abs(values).max(initial=0)) if (values := np.asarray(y)).dtype.kind == "f" else 0.0
        if LARGEST_SQUARED < size < np.inf:
            y, y_pred = values / size, y_pred / size
        return _score_numbers(levels, y_pred, y, sample_weight)


def _score_numbers(levels, y_pred, y, sample_weight):
    if levels is None:
        return r2_score(y, y_pred, sample_weight=sample_weight)
    columns = [y_pred] if len(levels) == 1 else y_pred.T
    scores = [
        d2_pinball_score(y, column, alpha=level, sample_weight=sample_weight) for level, column in zip(levels, columns)
    ]
    return float(np.mean(scores))


# Targets that a network does not reach from its start, whose outputs are about 1: those that vary less than this, and
# those that are larger than that. With a smaller variation the squared error is below the default of `tol`.
SMALLEST_DEVIATION, LARGEST_SIZE = 1e-2, 1e4
# Share of the variation of such targets that a network explains at least, or there is a warning.
LEAST_EXPLAINED = 0.5


class Numbers:
    """Numbers, in one column or several.

    Parameters
    ----------
    loss, quantile, huber_delta
        As in the estimator.
    """

    is_numeric = True

    def __init__(self, loss, quantile, huber_delta):
        check_quantile(quantile)
        self.name = loss
        self.quantile = quantile
        self.loss = build_loss(loss, huber_delta=huber_delta, quantile=quantile)
        self.n_quantiles = n_quantiles(loss, quantile)

    def prepare(self, y):
        """Return targets as passed; raise ValueError for what is no number."""
        values = np.asarray(y) if hasattr(y, "dtype") or isinstance(y, (list, tuple)) else None
        if values is None or values.dtype.kind not in "OUS":
            return y
        check_labels(y)  # names a missing one
        try:
            values.astype(np.float64)
        except (TypeError, ValueError):
            raise ValueError(
                f"y has dtype {values.dtype} and holds {values.ravel()[0]!r:.80}; it must be numeric. For classes "
                "take MLPClassifier"
            ) from None
        return y

    def check(self, y):
        """Return validated targets (n,) or (n, n_columns)."""
        if y.dtype.kind not in "biuf":
            raise ValueError(f"y has dtype {y.dtype}; it must be numeric")
        y = column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
        if self.name == "poisson" and (y < 0).any():
            raise ValueError("Some value(s) of y are negative, which the loss 'poisson' does not allow.")
        if self.n_quantiles > 1 and y.ndim > 1:
            raise ValueError(f"several quantiles need a single output, but y has {y.shape[1]} columns")
        return y

    def learn(self, y):
        """Numbers have nothing to learn."""

    def learned(self):
        """Return the fitted attributes, a dict."""
        return {"_quantiles": np.atleast_1d(self.quantile).tolist() if self.name == "quantile" else None}

    def encode(self, y):
        """Return the targets as columns, (n, n_columns)."""
        return y.reshape(len(y), -1)

    def n_outputs(self, encoded):
        """Return how many outputs a network has for encoded targets."""
        return self.n_quantiles if self.n_quantiles > 1 else encoded.shape[1]

    def strata(self, encoded):
        """Return the classes whose shares a split keeps: none."""

    def weigh(self, y, sample_weight):
        """Return the weights of the rows, those that were passed."""
        return sample_weight

    def warn_of_scale(self, examples, outputs, *, of_chunk=False):
        """Warn of targets of Examples whose scale a network has not reached; return whether.

        ``outputs()`` returns those of the trained network for the same rows; it is called for an odd scale only. A
        chunk need not vary as all rows do, and the predictions of the Poisson loss grow by factors: of these it is the
        size alone that counts.
        """
        if of_chunk or self.name == "poisson":
            return self._warn_of_size(examples, outputs, of_chunk=of_chunk)
        targets = examples.pick(examples.targets).astype(np.float64)
        mean, size = targets.mean(axis=0), np.abs(targets).max(axis=0)
        deviation = size * (targets / np.where(size > 0, size, 1.0)).std(axis=0)
        odd = ((deviation > 0) & (deviation < SMALLEST_DEVIATION)) | (size > LARGEST_SIZE)
        if not odd.any():
            return False
        score = self.score(outputs(), examples.pick(examples.labels), examples.pick(examples.weight))
        if score >= LEAST_EXPLAINED:
            return False
        column = int(odd.argmax())
        warn_user(
            f"y has a mean of {mean[column]:.3g} and a standard deviation of {deviation[column]:.3g}, and the "
            f"network explains little of it: its score on the training rows is {score:.3g}. Its outputs begin near "
            "1 and its steps do not grow with y. Scale y: sklearn.compose.TransformedTargetRegressor("
            "MLPRegressor(), transformer=StandardScaler())"
        )
        return True

    def _warn_of_size(self, examples, outputs, *, of_chunk):
        """Warn of targets that are all tiny, or huge, where predictions are far from them; return whether."""
        targets = examples.pick(examples.targets).astype(np.float64)  # (n, n_columns)
        size = np.abs(targets).max(axis=0)
        odd = ((size > 0) & (size < SMALLEST_DEVIATION)) | (size > LARGEST_SIZE)
        if not odd.any():
            return False
        with np.errstate(over="ignore", invalid="ignore"):
            found = predictions(self.loss, outputs()).astype(np.float64)  # (n, n_columns), or (n, n_quantiles)
            found, targets, size = (found if self.n_quantiles > 1 else found[:, odd]), targets[:, odd], size[odd]
            squares = (found / size - targets / size) ** 2, (targets / size) ** 2
            shares = np.sqrt(squares[0].mean(axis=0) / squares[1].mean(axis=0))
        share = float(shares.min() if self.n_quantiles > 1 else shares.max())
        if share**2 <= 1 - LEAST_EXPLAINED:
            return False
        way_out = "the same number for every chunk" if of_chunk else "and predictions times it"
        warn_user(
            f"y holds values up to {size[0]:.3g}, and the predictions of the training rows are off by {share:.3g} "
            "times as much as y is large. Predictions begin near 1, and steps do not grow with y. Scale y: "
            f"pass y / {size[0]:.3g}, {way_out}"
        )
        return True

    def score(self, outputs, y, sample_weight):
        """Return the score of outputs (n, n_outputs), NaN where predictions are not finite."""
        found = predictions(self.loss, outputs)
        if not np.isfinite(found).all():
            return np.nan
        found = found.ravel() if found.shape[1] == 1 else found
        return score_numbers(self.learned()["_quantiles"], found, y, sample_weight)

    def explained(self, outputs, y, sample_weight):
        """Return which share of the variation of the targets the outputs explain: the score."""
        return self.score(outputs, y, sample_weight)


class Labels:
    """Class labels (n,), or an indicator matrix (n, n_labels).

    Parameters
    ----------
    class_weight
        As in the estimator.
    binarizer : LabelBinarizer, default=None
        Knows the classes already; None if they are to be learned.
    same_classes : bool, default=False
        Whether `y` must hold all classes that are known.
    """

    is_numeric = False

    def __init__(self, class_weight, binarizer=None, *, same_classes=False):
        self.class_weight = class_weight
        self.binarizer = binarizer
        self.same_classes = same_classes

    def prepare(self, y):
        """Return labels that scikit-learn's validation takes; raise ValueError for what are no classes."""
        return check_classes(y, estimator="MLPClassifier")

    def check(self, y):
        """Return validated labels."""
        return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    def learn(self, y):
        """Learn the classes of `y`; raise ValueError if others are known."""
        if self.binarizer is None:
            self.binarizer = learn_labels(y)
        else:
            check_known(y, self.binarizer.classes_, same=self.same_classes)

    def learned(self):
        """Return the fitted attributes, a dict."""
        return {"classes_": self.binarizer.classes_, "_label_binarizer": self.binarizer}

    def encode(self, y):
        """See :func:`encode`."""
        return encode(self.binarizer, y)

    @property
    def loss(self):
        """The Loss: of a softmax for several classes, else of a logistic function for every output."""
        return LogLoss() if self.binarizer.y_type_ == "multiclass" else BinaryLogLoss()

    def n_outputs(self, encoded):
        """Return how many outputs a network has for encoded targets."""
        return len(self.binarizer.classes_) if self.binarizer.y_type_ == "multiclass" else encoded.shape[1]

    def strata(self, encoded):
        """Return the classes whose shares a split keeps, (n,), or the indicators of labels, (n, n_labels)."""
        return encoded[:, 0] if encoded.shape[1] == 1 else encoded

    def weigh(self, y, sample_weight):
        """Return the weights of the rows times those of their classes, None if there are neither."""
        if self.class_weight is None:
            return sample_weight
        check_class_weight(self.class_weight)
        if sample_weight is not None and isinstance(self.class_weight, str) and y.ndim == 1:
            return sample_weight * balanced_weights(self.binarizer.classes_, y, sample_weight)
        if isinstance(self.class_weight, list) and not is_indicator(y):
            raise ValueError(
                f"class_weight={self.class_weight!r:.80} is a list, which is for indicator matrices; pass a dict"
            )
        by_class = compute_sample_weight(self.class_weight, y)
        return by_class if sample_weight is None else by_class * sample_weight

    def warn_of_scale(self, examples, outputs, *, of_chunk=False):
        """Labels have no scale."""
        return False

    def explained(self, outputs, y, sample_weight):
        """Return which share of the rows that the most frequent label misses has the right label."""
        y = y.toarray() if issparse(y) else y
        usual = np.unique(y, axis=0, return_counts=True)[1].max() / len(y)
        return (self.score(outputs, y, sample_weight) - usual) / (1 - usual) if usual < 1 else 1.0

    def score(self, outputs, y, sample_weight):
        """Return the accuracy of outputs (n, n_outputs), NaN where they are not finite."""
        if not np.isfinite(outputs).all():
            return np.nan
        return accuracy_score(y, decode(self.binarizer, outputs), sample_weight=sample_weight)


def check_class_weight(class_weight):
    """Raise ValueError for a weight of a class that is no finite number, or is negative.

    Parameters
    ----------
    class_weight : str, dict, or list of dict
        As in the estimator.
    """
    for weights in class_weight if isinstance(class_weight, list) else [class_weight]:
        for label, weight in weights.items() if isinstance(weights, dict) else ():
            if not NON_NEGATIVE.is_satisfied_by(weight) and not isinstance(weight, bool | np.bool_):
                raise ValueError(
                    f"class_weight has the weight {weight!r:.80} for the class {label!r}; the weight of a class must "
                    "be a finite number, 0 or greater"
                )


def balanced_weights(classes, y, sample_weight):
    """Return the weights that balance the classes of rows, where a row of weight 2 counts twice."""
    indices = np.searchsorted(classes, y)
    totals = np.bincount(indices, weights=sample_weight)
    by_class = np.divide(sample_weight.sum(), np.count_nonzero(totals) * totals, where=totals > 0, out=totals)
    return by_class[indices]


def learn_labels(y):
    """Return a LabelBinarizer that knows the classes of `y`, labels (n,) or an indicator matrix (n, n_labels)."""
    return LabelBinarizer().fit(y)


def check_all_classes(classes):
    """Return the parameter `classes` of `partial_fit`, labels (n_classes,) or None; ValueError for anything else."""
    if classes is None:
        return None
    is_list = hasattr(classes, "__len__") or hasattr(classes, "__array__")
    is_list &= not isinstance(classes, (str, bytes, set, frozenset, dict))
    labels = check_classes(as_array(classes, "classes"), "classes", "MLPClassifier") if is_list else classes
    if not is_list or np.asarray(labels).ndim != 1 or np.asarray(labels).size == 0:
        raise ValueError(
            f"classes={classes!r:.80} is no list of labels; pass all labels that will ever occur in one list, such as "
            "numpy.unique of those of all chunks"
        )
    return labels


def learn_indicators(y, classes):
    """Return a LabelBinarizer that knows the labels of an indicator matrix; ValueError for other `classes` than these.

    `classes` may be None, or the numbers of the columns.
    """
    names = list(range(y.shape[1]))
    if classes is not None and np.unique(classes).tolist() != names:
        raise ValueError(
            f"classes={classes!r:.80} are not the labels of y, an indicator matrix whose {y.shape[1]} columns are the "
            f"labels 0 ... {names[-1]}; leave classes out"
        )
    return learn_labels(y)


def check_known(y, classes, *, same):
    """Raise ValueError if `y` has labels that are not among `classes`, or, if `same`, not all of them."""
    is_plain = getattr(y, "ndim", 0) == 1 and y.dtype.kind in "biuU"  # a tenth of the time of unique_labels
    found = np.unique(y) if is_plain else unique_labels(y)
    if same and set(found) != set(classes):
        raise ValueError(
            "warm_start can only be used where `y` has the same classes as in the previous call to fit. Previously "
            f"got {classes}, `y` has {found}"
        )
    if len(np.setdiff1d(found, classes, assume_unique=True)):
        raise ValueError(f"`y` has classes not in `self.classes_`. `self.classes_` has {classes}. 'y' has {found}.")


def encode(binarizer, y):
    """Return class indices (n, 1), int64, for several classes, else zeros and ones (n, 1) or (n, n_labels), uint8."""
    of_labels = y.ndim == 2 and type_of_target(y).startswith("multilabel")
    if binarizer.y_type_.startswith("multilabel") and not of_labels:
        raise ValueError("y holds one label for each row, but the network was fitted with an indicator matrix")
    if of_labels:
        return binarizer.transform(y).astype(np.uint8)
    classes = binarizer.classes_
    check_known(y, classes, same=False)
    indices = np.searchsorted(classes, y).reshape(-1, 1)
    return indices.astype(np.int64 if binarizer.y_type_ == "multiclass" else np.uint8)


def decode(binarizer, outputs):
    """Return the labels that outputs (n, n_outputs), before their activation, speak for."""
    classes = binarizer.classes_
    if binarizer.y_type_ == "multiclass":
        return classes[outputs.argmax(axis=1)]
    likely = outputs > 0  # of more than even odds
    if binarizer.y_type_ == "binary":
        return classes[likely[:, 0].astype(np.intp) * (len(classes) - 1)]
    return binarizer.inverse_transform(likely.astype(np.int64))

"""Drawn rows beside real ones: told apart by a classifier, of use for training, or copies of the training rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.utils import check_random_state, gen_batches
from sklearn.utils._param_validation import validate_parameter_constraints
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_consistent_length, column_or_1d

from .._typing import ArrayLike, RandomState
from .._warnings import warn_user
from .columns import encode_tables

# Distances are computed in blocks of so many values (32 MB).
BLOCK_VALUES = 2**22
# An area so many standard deviations below 0.5 is no chance.
MOST_DEVIATIONS = 5
# Histogram-based boosting has a bin for each level of a category, and so many at most.
MOST_LEVELS = 255
# Whole numbers that are taken for classes, at most.
MOST_CLASSES = 100


def two_sample_auc(
    X_real: ArrayLike,
    X_drawn: ArrayLike,
    *,
    cv: int = 5,
    estimator: BaseEstimator | None = None,
    random_state: RandomState = None,
) -> float:
    """Area under the ROC curve of a classifier that tells real rows from drawn ones; 0.5 is perfect.

    This is the classifier two-sample test [1]_: where no classifier can tell two samples apart, they are alike.

    Parameters
    ----------
    X_real : array-like or DataFrame of shape (n_real, n_columns)
        Real rows that the model has not been fitted to.
    X_drawn : array-like or DataFrame of shape (n_drawn, n_columns)
        As many drawn rows, best of all. The columns of frames are matched by name.
    cv : int, default=5
        Number of folds, stratified and shuffled.
    estimator : classifier, default=None
        It sees a float64 matrix: numbers as they are, categories as positions of their levels, NaN for missing cells.
        None takes a random forest.
    random_state : int, RandomState instance or None, default=None
        Seeds the folds and the forest.

    Returns
    -------
    float
        Mean over the folds. 1: every row is recognised. 0.5: the classifier tells nothing. Below 0.5, by more than
        chance explains: rows of `X_drawn` are copies of rows of `X_real`, or paired with them as reconstructions are
        with the rows that they are made of. The classifier has seen the partner of a row, with the other label, and
        gives this row that label. Such a value does not say how alike the two are.

    Warns
    -----
    UserWarning
        For a value so far below 0.5.

    Notes
    -----
    A classifier uses every difference: numbers with decimals in a column of whole numbers are recognised at once.

    References
    ----------
    .. [1] D. Lopez-Paz, M. Oquab, "Revisiting Classifier Two-Sample Tests", ICLR 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from skvq.metrics import two_sample_auc
    >>> X = np.random.default_rng(0).normal(size=(800, 3))
    >>> print(f"{two_sample_auc(X[:400], X[400:], random_state=0):.1f}")
    0.5
    >>> two_sample_auc(X[:400], X[400:] + 9.0, random_state=0)
    1.0
    """
    encoded = encode_tables(X_real=X_real, X_drawn=X_drawn)
    for name, values in zip(("X_real", "X_drawn"), encoded.values):
        if len(values) < cv:
            raise ValueError(f"{name} has {len(values)} rows, fewer than cv={cv} folds; pass more rows or fewer folds")
    X, is_drawn = np.concatenate(encoded.values), np.repeat([0, 1], [len(values) for values in encoded.values])
    random = _random(random_state, "two_sample_auc")
    folds = StratifiedKFold(cv, shuffle=True, random_state=_seed(random))
    model = RandomForestClassifier(random_state=_seed(random)) if estimator is None else estimator
    area = float(cross_val_score(model, X, is_drawn, scoring="roc_auc", cv=folds, error_score="raise").mean())
    n_real, n_drawn = map(len, encoded.values)
    deviation = np.sqrt((n_real + n_drawn + 1) / (12 * n_real * n_drawn))  # of the Mann-Whitney statistic, by chance
    if area < 0.5 - MOST_DEVIATIONS * deviation:
        warn_user(
            f"two_sample_auc is {area:.2f}, below 0.5 by more than chance explains: rows of X_drawn are copies of rows "
            "of X_real, or paired with them as reconstructions are, so the classifier has learned the label of each "
            "row's partner. Pass rows of X_real that X_drawn was not made of"
        )
    return area


def train_on_synthetic(
    X_drawn: ArrayLike,
    y_drawn: ArrayLike,
    X_test: ArrayLike,
    y_test: ArrayLike,
    *,
    estimator: BaseEstimator | None = None,
    scoring: Any = None,
    random_state: RandomState = None,
) -> float:
    """Score on real rows of a predictor that was trained on drawn ones.

    Compare it with the score after training on real rows, which the same function gives if these are passed in place of
    the drawn ones. It is known as TSTR, train on synthetic and test on real [1]_.

    Parameters
    ----------
    X_drawn : array-like or DataFrame of shape (n_drawn, n_columns)
    y_drawn : array-like of shape (n_drawn,)
        Target, such as a column that was drawn with the others.
    X_test : array-like or DataFrame of shape (n_test, n_columns)
        Real rows that the model has not been fitted to. The columns of frames are matched by name.
    y_test : array-like of shape (n_test,)
    estimator : predictor, default=None
        It sees a float64 matrix: numbers as they are, categories as positions of their levels, NaN for missing cells.
        None takes scikit-learn's histogram-based gradient boosting, which knows the categories: a regressor where
        `y_test` has decimals, else a classifier of up to 100 whole numbers, or of any labels.
    scoring : str or callable, default=None
        As in scikit-learn's ``check_scoring``. None takes the score of the predictor, which is accuracy or R².
    random_state : int, RandomState instance or None, default=None
        Seeds the boosting.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        For missing labels, a single label, and, without an estimator, more than 100 whole numbers in `y_drawn`.

    References
    ----------
    .. [1] C. Esteban, S. L. Hyland, G. Rätsch, "Real-valued (Medical) Time Series Generation with Recurrent Conditional
       GANs", 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from skvq.metrics import train_on_synthetic
    >>> X = np.random.default_rng(0).normal(size=(400, 2))
    >>> y = X[:, 0] > 0
    >>> print(f"{train_on_synthetic(X[:200], y[:200], X[200:], y[200:], random_state=0):.1f}")
    1.0
    >>> print(f"{train_on_synthetic(X[:200], ~y[:200], X[200:], y[200:], random_state=0):.1f}")
    0.0
    """
    check_consistent_length(X_drawn, y_drawn)
    check_consistent_length(X_test, y_test)
    y_drawn, y_test = column_or_1d(y_drawn), column_or_1d(y_test)
    for name, y in (("y_drawn", y_drawn), ("y_test", y_test)):
        if any(label is None or label != label for label in y.tolist()):
            raise ValueError(f"{name} holds missing labels; leave out the rows that have none")
    encoded = encode_tables(X_test=X_test, X_drawn=X_drawn)
    test, drawn = encoded.values
    if estimator is None:
        boosting = HistGradientBoostingClassifier
        if type_of_target(y_test).startswith("continuous"):
            boosting = HistGradientBoostingRegressor
        elif y_drawn.dtype.kind in "iuf" and (n_classes := len(np.unique(y_drawn))) > MOST_CLASSES:
            raise ValueError(
                f"y_drawn holds {n_classes} different whole numbers, too many to be classes; pass "
                "estimator=HistGradientBoostingRegressor() if they are quantities, or a classifier of your own"
            )
        few = [levels is not None and len(levels) <= MOST_LEVELS for levels in encoded.levels]
        seed = _seed(_random(random_state, "train_on_synthetic"))
        estimator = boosting(categorical_features=np.array(few), random_state=seed)
    if len(np.unique(y_drawn)) == 1:
        raise ValueError(f"y_drawn must have at least two values to learn from, got {y_drawn[0]!r} only")
    model = clone(estimator).fit(drawn, y_drawn)
    return float(check_scoring(model, scoring)(model, test, y_test))


def nearest_row_share(
    X_train: ArrayLike, X_test: ArrayLike, X_drawn: ArrayLike, *, random_state: RandomState = None
) -> float:
    """Share of drawn rows whose nearest real row is one of the training rows; 0.5 is no copying.

    A model has seen the training rows and not the test rows. If it has learned what they have in common, its rows are
    as near to the ones as to the others. If it repeats the training rows, its rows are nearer to these [1]_.

    Parameters
    ----------
    X_train : array-like or DataFrame of shape (n_train, n_columns)
        Rows that the model was fitted to.
    X_test : array-like or DataFrame of shape (n_test, n_columns)
        Rows from the same source that it was not fitted to. If one of the two has more rows, as many as the other has
        are chosen at random.
    X_drawn : array-like or DataFrame of shape (n_drawn, n_columns)
        Rows that it has drawn. The columns of frames are matched by name.
    random_state : int, RandomState instance or None, default=None
        Seeds the choice.

    Returns
    -------
    float
        In [0, 1]. Rows that are equally near count half.

    Notes
    -----
    The squared distance is the sum over columns of the squared difference of standardised numbers, or of 0 and 1 for
    categories that are equal and different. A missing number is like the mean, and 1 away from all that are present; a
    missing category is a level. Distances are computed in blocks, so that memory does not grow with the number of rows.

    References
    ----------
    .. [1] M. Platzer, T. Reutterer, "Holdout-Based Empirical Assessment of Mixed-Type Synthetic Data", Frontiers in Big
       Data 4, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skvq.metrics import nearest_row_share
    >>> X = np.random.default_rng(0).normal(size=(900, 3))
    >>> print(f"{nearest_row_share(X[:300], X[300:600], X[600:]):.1f}")
    0.5
    >>> nearest_row_share(X[:300], X[300:600], X[:50])
    1.0
    """
    encoded = encode_tables(X_train=X_train, X_test=X_test, X_drawn=X_drawn)
    for name, values in zip(("X_train", "X_test", "X_drawn"), encoded.values):
        if np.isinf(values).any():
            raise ValueError(f"{name} holds infinite values (infinity); distances to them mean nothing")
    random = _random(random_state, "nearest_row_share")
    n = min(map(len, encoded.values[:2]))
    train, test = (
        values if len(values) == n else values[random.choice(len(values), n, replace=False)]
        for values in encoded.values[:2]
    )
    is_category = encoded.is_category
    numbers = np.concatenate([train, test])[:, ~is_category]
    shift, scale = _mean_and_scale(numbers)
    train, test, drawn = (_split_row(values, is_category, shift, scale) for values in (train, test, encoded.values[2]))
    to_train, to_test = _nearest_distances(drawn, train), _nearest_distances(drawn, test)
    return float(np.mean((to_train < to_test) + 0.5 * (to_train == to_test)))


def _mean_and_scale(numbers):
    """Return the means and standard deviations of columns without their missing cells; 0 and 1 where there are none."""
    there = ~np.isnan(numbers)
    n = np.maximum(there.sum(axis=0), 1)
    shift = np.where(there, numbers, 0.0).sum(axis=0) / n
    scale = np.sqrt(np.where(there, (numbers - shift) ** 2, 0.0).sum(axis=0) / n)
    return shift, np.where(scale > 0, scale, 1.0)


def _split_row(values, is_category, shift, scale):
    """Return standardised numbers, with 0 for missing ones, and categories with the missing cells of numbers."""
    numbers = (values[:, ~is_category] - shift) / scale
    missing = np.isnan(numbers)
    categories = np.nan_to_num(values[:, is_category], nan=-1.0)
    return np.where(missing, 0.0, numbers), np.hstack([categories, missing])


def _nearest_distances(rows, others):
    """Return the squared distance from each row to the nearest of `others`; both are numbers and categories."""
    (numbers, categories), (other_numbers, other_categories) = rows, others
    found = np.empty(len(numbers))
    for block in gen_batches(len(numbers), max(1, BLOCK_VALUES // len(other_numbers))):
        squared = np.zeros((block.stop - block.start, len(other_numbers)))
        if numbers.shape[1]:  # differences, not products: the distance of a copy is 0 exactly
            squared += cdist(numbers[block], other_numbers, "sqeuclidean")
        if categories.shape[1]:
            squared += cdist(categories[block], other_categories, "hamming") * categories.shape[1]
        found[block] = squared.min(axis=1)
    return found


def _random(random_state, function):
    """Return a RandomState; ValueError, naming the argument, for what seeds none."""
    validate_parameter_constraints({"random_state": ["random_state"]}, {"random_state": random_state}, function)
    return check_random_state(random_state)


def _seed(random):
    """Return a seed that a RandomState draws, so that one seed gives one result."""
    return int(random.randint(np.iinfo(np.int32).max))

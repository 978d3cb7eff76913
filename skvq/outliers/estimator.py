"""`OutlierDetector`: say which rows are anomalies, by the scores of any estimator."""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
import torch
from scipy import sparse
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, OutlierMixin, clone
from sklearn.model_selection import KFold, check_cv
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import _check_method_params, _num_samples, check_is_fitted

from .._typing import ArrayLike, MatrixLike, NDArray, Self
from .._warnings import warn_user
from ..core.device import prepared
from ..core.estimator import NetworkEstimator
from ..core.layout import gives_chunks
from ..core.lazy import lazy, scores
from ..core.parameters import AUTO, HasMethods, Number, StrOptions, check_arguments, is_auto
from ..core.versions import with_versions, without_versions
from ..nn import ranks
from ..persistence.save import save
from ..persistence.values import own_schema
from ..training.batches import as_array
from ..training.interrupts import interrupts_end_all
from ..training.report import say
from . import schema
from .scores import NEEDED, NeighborDistance, describe, score_method, scores_of, unfrozen

CONTAMINATION = [AUTO, Number(Real, 0, 0.5, closed="right")]
# A density may give a score of minus infinity, which has no place between two others.
LOWEST = -1e300
# The standard deviation of a normal distribution over its median and its mean absolute deviation, and how many of them
# away a value is an outlier (Iglewicz and Hoaglin).
DEVIATION_OF_MEDIAN, DEVIATION_OF_MEAN, N_DEVIATIONS = 1.4826, 1.2533, 3.5
NUMBER = re.compile(r"-?\d[\d.,]*(e[+-]?\d+)?")
# Share of the rows that the automatic threshold flags at least.
LEAST_SHARE = 0.01


@lazy(predict=lambda model: np.empty(0, np.int64), decision_function=scores, score_samples=scores)
class OutlierDetector(OutlierMixin, MetaEstimatorMixin, BaseEstimator):
    r"""Anomalies by the scores of an estimator, by the rules of scikit-learn's outlier detectors.

    Any estimator with `score_samples` will do, high for normal rows: ``VAETransformer``, ``VQVAETransformer``, the
    densities of codes, scikit-learn's ``GaussianMixture`` and ``KernelDensity``. So will any with
    `reconstruction_error`, which is high for anomalies, such as ``AutoEncoderTransformer``, and a Pipeline that ends in
    one of them.

    Parameters
    ----------
    estimator : estimator
        It is cloned. One that is fitted already stays as it is inside of ``sklearn.frozen.FrozenEstimator``.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Where the threshold lies. "auto": where the scores of held-out rows become improbable, see the notes. A number:
        this share of the training rows is flagged. An estimator scores the rows that it has learned higher than new
        ones, so that of new normal rows it flags more than this share.
    method : {"auto", "score_samples", "reconstruction_error", "neighbors"}, default="auto"
        What to judge by. The first two are methods of the estimator; "auto" takes
        `reconstruction_error` where it is there, and else `score_samples`.
        "neighbors" is for estimators with `transform` and `inverse_transform`, the autoencoder above all: minus the
        distance to the fifth nearest training row, see the notes. Mixed tables and missing cells are for the
        transformers of this package alone, others need numbers.
    cv : int, splitter or iterable of splits, default=5
        With ``contamination="auto"``: the folds whose rows are scored by a clone that was fitted to the others. It is
        as many fits beside that of `estimator_`. A number shuffles the rows, the same way each time.

    Attributes
    ----------
    estimator_ : estimator
        Fitted to all rows.
    offset_ : float
        The threshold: rows with a lower score are anomalies. It may be set.
    training_scores_ : ndarray of shape (n,), float64
        Scores of the training rows by `estimator_`.
    held_out_scores_ : ndarray of shape (n,), float64
        Scores of the training rows by estimators that were not fitted to them; only with ``contamination="auto"``.
    method_ : str
        What is judged by.
    neighbors_ : estimator
        The training rows that distances are taken to; only with ``method="neighbors"``.
    n_features_in_, feature_names_in_ : int, ndarray of str
        Those of `estimator_`, where it has them.

    See Also
    --------
    skvq.VAETransformer : A density of tables and images.

    Notes
    -----
    The threshold of "auto" is

    .. math:: \mathrm{median}(s) - 3.5 \cdot 1.4826 \cdot \mathrm{median}(\mathrm{median}(s) - s_i :
        s_i \leq \mathrm{median}(s))

    over the scores s of held-out rows, or their 1 % quantile if that is higher. The first is the modified z-score of
    [1]_ with the median absolute deviation of the lower half, since scores have a longer tail there. It flags no fixed
    share: 1.4 % of exponentially distributed scores and, if there are anomalies among the rows, most of them, as long
    as they are fewer than a quarter. The second is for scores without a tail, of which the first would flag none. Each
    row is scored by a model that has not seen it, as in cross-conformal prediction [2]_.

    With ``method="neighbors"`` a row x, standardised, is described by its reconstruction and by what that leaves,
    (x', x - x'). These descriptions are whitened by their covariance on the training rows, so that a small residual
    counts as much as a large component, and the score is minus the distance to the fifth nearest training row. A row
    that is one of them does not count itself. In place of the columns of a mixed table stand the features that its
    transformer learns from: normal scores of numbers, and indicators of levels and of missing cells.

    References
    ----------
    .. [1] B. Iglewicz, D. C. Hoaglin, "How to Detect and Handle Outliers", ASQC Quality Press, 1993.
    .. [2] V. Vovk, "Cross-conformal predictors", Annals of Mathematics and Artificial Intelligence 74, 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skvq import OutlierDetector, VAETransformer
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> benign, malignant = X[y == 1], X[y == 0]
    >>> model = VAETransformer(likelihood="gaussian_per_feature", hidden_layer_sizes=(), max_iter=20, random_state=0)
    >>> detector = OutlierDetector(model).fit(benign[:250])
    >>> of_benign, of_malignant = (np.mean(detector.predict(rows) == -1) for rows in (benign[250:], malignant))
    >>> print(f"share flagged: {of_benign:.1f} of new benign rows, {of_malignant:.1f} of malignant ones")
    share flagged: 0.0 of new benign rows, 0.7 of malignant ones
    """

    _schema = schema.DETECTOR
    _parameter_constraints = {
        "estimator": [HasMethods(["fit"])],
        "contamination": CONTAMINATION,
        "method": [AUTO, StrOptions(set(NEEDED))],
        "cv": ["cv_object"],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        contamination: float | Literal["auto"] = "auto",
        method: Literal["auto", "score_samples", "reconstruction_error", "neighbors"] = "auto",
        cv: Any = 5,
    ) -> None:
        self.estimator = estimator
        self.contamination = contamination
        self.method = method
        self.cv = cv

    @prepared
    def fit(self, X: MatrixLike, y: ArrayLike | None = None, **fit_params: Any) -> Self:
        """Fit the estimator to X, and find the threshold.

        Parameters
        ----------
        X : array-like of shape (n, n_features), or whatever the estimator takes
            Normal rows, or rows most of which are normal.
        y : None
            Ignored.
        **fit_params
            Passed to the `fit` of the estimator; with metadata routing those that it requests.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            For an estimator without the score.
        ValueError
            For parameters out of range, and for scores that are not numbers.
        KeyboardInterrupt
            Where it is interrupted (Ctrl-C), also within a fit of the estimator. From the folds on `estimator_` is
            there, and :meth:`set_threshold` makes a detector of it.
        """
        self._validate_params()
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)
        self.method_ = score_method(self.estimator, self.method)
        if gives_chunks(X):
            raise TypeError(
                f"a {type(X).__name__} was passed; folds are taken of X, so pass an array or a frame in memory, such "
                "as one of a part of the rows"
            )
        if isinstance(X, torch.Tensor | str | os.PathLike):  # an estimator of scikit-learn takes no tensor on a device
            X = as_array(X)
        folds = _folds(self.cv, X) if is_auto(self.contamination) else []
        if get_config()["enable_metadata_routing"]:
            fit_params = process_routing(self, "fit", **fit_params).estimator.fit
        if folds:
            _say(self.estimator, "the fit to all rows, which is kept as estimator_")
        with interrupts_end_all():
            self.estimator_ = clone(self.estimator).fit(X, None, **fit_params)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))
        if self.method_ == "neighbors":
            self.neighbors_ = NeighborDistance().fit(describe(self.estimator_, X))
        self.training_scores_ = self.score_samples(X)
        if is_auto(self.contamination):
            self.held_out_scores_ = self._held_out_scores(X, fit_params, folds)
        return self.set_threshold(self.contamination)

    @prepared
    def set_threshold(self, contamination: float | Literal["auto"] = "auto", X: MatrixLike | None = None) -> Self:
        """Move the threshold without a refit; set `offset_` to have one of your own.

        Parameters
        ----------
        contamination : "auto" or float in (0, 0.5], default="auto"
            A number: this share of the rows is flagged. "auto": the rule of the notes of :class:`OutlierDetector`.
        X : array-like, default=None
            Rows to find the threshold by, such as normal ones that the estimator has not been fitted to. None takes the
            training rows: their own scores for a number, for "auto" those of `held_out_scores_`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For "auto" without `X` after a fit with a number, which held no rows out.
        """
        check_is_fitted(self, "estimator_")
        if hasattr(contamination, "shape") and np.ndim(contamination) > 0:
            raise TypeError("rows were passed as contamination; pass set_threshold(0.05, X), with the share first")
        check_arguments("OutlierDetector.set_threshold", {"contamination": CONTAMINATION}, contamination=contamination)
        if X is not None:
            scores = np.asarray(self.score_samples(X))
        elif not is_auto(contamination):
            scores = self.training_scores_
        elif hasattr(self, "held_out_scores_"):
            scores = self.held_out_scores_
        else:
            raise ValueError(
                "contamination='auto' needs rows that were not fitted to; pass X, or fit with contamination='auto'"
            )
        self.offset_ = tail_threshold(scores) if is_auto(contamination) else _quantile(scores, contamination)
        return self

    @prepared
    def predict(self, X: MatrixLike) -> NDArray[np.int64]:
        """Return -1 for anomalies, whose score is below `offset_`, and 1 for normal rows.

        Parameters
        ----------
        X : array-like like that of :meth:`fit`
            An array or a frame of dask gives a lazy one, computed block by block.

        Returns
        -------
        labels : ndarray of shape (n,), int64
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    @prepared
    def decision_function(self, X: MatrixLike) -> NDArray[np.float64]:
        """Return ``score_samples(X) - offset_``: negative for anomalies.

        Parameters
        ----------
        X : array-like like that of :meth:`fit`
            An array or a frame of dask gives a lazy one, computed block by block.

        Returns
        -------
        decision : ndarray of shape (n,), float64
        """
        check_is_fitted(self, "offset_")
        return self.score_samples(X) - self.offset_

    @prepared
    def score_samples(self, X: MatrixLike) -> NDArray[np.float64]:
        """Return the scores of the estimator, high for normal rows: a reconstruction error has its sign changed.

        Parameters
        ----------
        X : array-like like that of :meth:`fit`
            An array or a frame of dask gives a lazy one, computed block by block.

        Returns
        -------
        scores : ndarray of shape (n,), float64
        """
        check_is_fitted(self, "estimator_")
        X = as_array(X) if isinstance(X, torch.Tensor) else X
        return scores_of(self.estimator_, self.method_, X, getattr(self, "neighbors_", None))

    @prepared
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted detector to one file, which :func:`skvq.load` reads; for estimators of this package alone.

        The file is like those of the estimators' own `save`: only data, so that one from anywhere can be loaded. With
        ``method="neighbors"`` it holds the training rows as well, whitened, since distances are taken to them.

        Parameters
        ----------
        path : str or os.PathLike
            The file; ``.safetensors`` is the usual suffix.

        Raises
        ------
        TypeError
            For a Pipeline, a FrozenEstimator or another package's estimator, and for a splitter as `cv`: joblib and
            skops keep these.
        ValueError
            If parameters were changed, after `fit`, to some that do not go with what was learned.
        """
        check_is_fitted(self, "offset_")
        try:
            own_schema(self.estimator_)
        except TypeError as error:
            raise TypeError(
                f"OutlierDetector.save is for detectors around an estimator of this package, but estimator is a "
                f"{type(self.estimator_).__name__}; keep the detector with joblib.dump(detector, path), or with skops"
            ) from error
        if ranks.is_first():
            save(self, path)

    def get_metadata_routing(self) -> MetadataRouter:
        """Return what `fit` passes on: metadata that the `fit` of the estimator requests.

        Returns
        -------
        MetadataRouter
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=self).add(estimator=self.estimator, method_mapping=mapping)

    def _held_out_scores(self, X, fit_params, folds):
        """Return the scores of all rows by clones that were fitted to the other folds, (n,)."""
        X = _with_rows(X)
        scores = np.empty(_num_samples(X))
        said = WarningsOfFolds(len(folds))
        for number, (training, held_out) in enumerate(folds, start=1):
            _say(self.estimator, f"threshold: fit {number} of {len(folds)} for held-out scores")
            inside = _check_method_params(X, fit_params, indices=training)
            rows = _safe_indexing(X, training)
            with interrupts_end_all(), said.kept():
                model, neighbors = _for_a_fold(clone(self.estimator)).fit(rows, None, **inside), None
            if self.method_ == "neighbors":
                neighbors = NeighborDistance().fit(describe(model, rows))
            scores[held_out] = scores_of(model, self.method_, _safe_indexing(X, held_out), neighbors)
        said.tell()
        return scores

    def __getstate__(self):
        return with_versions(super().__getstate__())

    def __setstate__(self, state):
        super().__setstate__(without_versions(self, state))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inside = get_tags(self.estimator)
        tags.input_tags, tags.non_deterministic = inside.input_tags, inside.non_deterministic
        if self.method == "neighbors" and not isinstance(unfrozen(self.estimator), NetworkEstimator):
            tags.input_tags.allow_nan = tags.input_tags.categorical = tags.input_tags.string = False
        return tags


class WarningsOfFolds:
    """Keeps what the fits to the folds warn of, to tell each kind of it once and where it came from.

    Warnings are of one kind if they differ in numbers alone.

    Parameters
    ----------
    n_folds : int
    """

    def __init__(self, n_folds):
        self.n_folds = n_folds
        self.first, self.n_warned = {}, Counter()

    @contextmanager
    def kept(self):
        """Keep the warnings of one fit."""
        with warnings.catch_warnings(record=True) as caught:
            yield
        kinds = {(each.category, NUMBER.sub("#", str(each.message))): each.message for each in caught}
        self.n_warned.update(kinds.keys())
        self.first = kinds | self.first

    def tell(self):
        """Issue a warning of each kind."""
        for kind, message in self.first.items():
            text = (
                f"{self.n_warned[kind]} of the {self.n_folds} fits to folds, whose held-out scores give the threshold, "
                f"warned as follows; this is not about estimator_, which is fitted to all rows. {message}"
            )
            try:
                warning = kind[0](text)
            except TypeError:  # a category that is made from something else than a text
                warning = message
            warn_user(warning, kind[0])


def _say(estimator, text):
    """Print a line about the next fit of an estimator where it prints lines itself."""
    verbose = [value for name, value in estimator.get_params(deep=True).items() if name.split("__")[-1] == "verbose"]
    if any(verbose):
        say("OutlierDetector", text)


def _for_a_fold(estimator):
    """Let an estimator take unknown levels for missing, as a rare one may be in one fold only, and keep no checkpoint.

    A file of its fit to all rows is not that of a fold.
    """
    changed = {}
    for name, value in estimator.get_params(deep=True).items():
        own_name = name.split("__")[-1]
        if own_name == "handle_unknown" and value == "error":
            changed[name] = "ignore"
        elif own_name == "checkpoint":
            changed[name] = None
    if changed:  # a frozen estimator has none
        estimator.set_params(**changed)
    return estimator


def tail_threshold(scores):
    """Return the score below which a row is an anomaly, given scores of rows most of which are normal.

    It lies 3.5 robust standard deviations below the median, or at the 1 % quantile if that is higher. The deviations
    are those of the lower half, as scores have a longer tail there. Where more than half of them are 0, their mean
    takes the place of their median.

    Parameters
    ----------
    scores : array-like of shape (n,)

    Returns
    -------
    float

    Examples
    --------
    >>> print(f"{tail_threshold([-20.0, -3.0, -2.0, -1.0, 0.0, 1.0]):.2f}")
    -9.28
    """
    scores = np.maximum(np.asarray(scores, dtype=np.float64), LOWEST)
    median = np.median(scores)
    deviations = median - scores[scores <= median]
    deviation = DEVIATION_OF_MEDIAN * np.median(deviations) or DEVIATION_OF_MEAN * np.mean(deviations)
    return max(float(median - N_DEVIATIONS * deviation), _quantile(scores, LEAST_SHARE))


def _quantile(scores, share):
    return float(np.percentile(np.maximum(scores, LOWEST), 100.0 * share))


def _with_rows(X):
    """Return X in a form whose rows can be picked."""
    if sparse.issparse(X):
        return X.tocsr()
    return X if hasattr(X, "__getitem__") else np.asarray(X)


def _told(cv):
    """Return the parameter `cv` for a message, pairs of index arrays by their number."""
    if isinstance(cv, (list, tuple)):
        return f"<{type(cv).__name__} of length {len(cv)}>"
    return f"{cv!r:.80}"


def _folds(cv, X):
    """Return the pairs (training, held_out) of positions in X; ValueError unless every row is held out once.

    A number of folds shuffles rows, which often come sorted, the same way each time.
    """
    n = _num_samples(_with_rows(X))
    is_number = isinstance(cv, Integral)
    try:
        shuffled = KFold(min(int(cv), max(n, 2)), shuffle=True, random_state=0) if is_number else check_cv(cv)
        folds = list(shuffled.split(np.zeros(n)))
        n_left = n - len(np.unique(np.concatenate([np.arange(n)[held_out] for _, held_out in folds])))
    except (TypeError, ValueError, IndexError) as error:
        raise ValueError(
            f"cv={_told(cv)} must be a number of folds, a splitter, or pairs of positions in X, of rows to fit to and "
            f"rows held out: {error}"
        ) from error
    if n_left:
        raise ValueError(f"cv={_told(cv)} must hold out every row once; {n_left} were left")
    return folds

"""The scores that a detector judges by, high for normal rows."""

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import _num_samples

from ..core.layout import layout_of
from ..core.parameters import is_auto

# In the order in which "auto" looks for them; the sign makes high values normal.
SIGNS = {"score_samples": 1.0, "reconstruction_error": -1.0}
# What the estimator needs for each method.
NEEDED = {name: (name,) for name in SIGNS} | {"neighbors": ("transform", "inverse_transform")}
N_NEIGHBORS = 5
# Share of the mean variance that is added to each before whitening.
SHRINKAGE = 0.01
# A training row that is nearer, in whitened units, is the row itself.
SAME = 1e-4
# Rows beyond are taken to be as far as this, before and after whitening: the squares of distances stay finite.
FARTHEST, FARTHEST_WHITENED = 1e100, 1e150


def score_method(estimator, method):
    """Return the name of the method that an estimator is judged by; TypeError where it has none."""
    if isinstance(estimator, type):
        raise TypeError(f"estimator={estimator.__name__} is a class; pass an instance, as in {estimator.__name__}()")
    last = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    names = list(SIGNS) if is_auto(method) else [method]
    usable = [name for name, needed in NEEDED.items() if all(hasattr(last, each) for each in needed)]
    for name in reversed(names):  # an error comes before the score that has its sign changed
        if name in usable:
            return name
    accepted = " or ".join(" and ".join(NEEDED[name]) for name in names)
    way_out = f"; it can be judged by method={' or '.join(map(repr, usable))}" if usable else ""
    if "score_samples" in names and getattr(last, "prior", "") is None:
        way_out += ", and has score_samples with a prior in place of prior=None"
    raise TypeError(f"estimator must have {accepted}, got {estimator!r}{way_out}")


def unfrozen(estimator):
    """Return the estimator inside of a FrozenEstimator, any other as it is."""
    return estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator


def describe(estimator, X):
    """Return the reconstruction of rows beside what it leaves, (n, 2, n_features), float64."""
    reconstruction = estimator.inverse_transform(estimator.transform(X))
    own = unfrozen(estimator)
    if hasattr(own, "columns_") and (layout := layout_of(own)).is_mixed:
        rows, restored = (layout.features(layout.check(own, table)) for table in (X, reconstruction))
        return np.stack([restored, rows - restored], axis=1)
    try:
        parts = (part.toarray() if sparse.issparse(part) else part for part in (X, reconstruction))
        rows, restored = (np.asarray(part, dtype=np.float64).reshape(_num_samples(X), -1) for part in parts)
    except (TypeError, ValueError) as error:
        raise ValueError(f"method='neighbors' needs columns of numbers: {error}") from error
    if np.isnan(rows).any():
        raise ValueError("X contains NaN: method='neighbors' needs numbers without missing cells")
    return np.stack([restored, rows - restored], axis=1)


class NeighborDistance(BaseEstimator):
    """Minus the distance to the fifth nearest training row among whitened descriptions, (n, 2, n_features).

    Attributes
    ----------
    n_features_ : int
    scale_ : ndarray of shape (n_features,), float64
    mean_ : ndarray of shape (2 n_features,), float64
    whitening_ : ndarray of shape (2 n_features, 2 n_features), float64
    rows_ : ndarray of shape (n, 2 n_features), float64
        The training rows, whitened.
    """

    def fit(self, described, y=None):
        """Learn scales, whitening and the training rows."""
        self.n_features_ = described.shape[2]
        values = described.sum(axis=1)
        size = np.abs(values).max(axis=0)
        size = np.where(size > 0, size, 1.0)
        deviation = size * (values / size).std(axis=0)  # the squares of small values vanish
        self.scale_ = np.where(deviation > 0, deviation, 1.0)
        flat = self._flat(described)
        self.mean_ = flat.mean(axis=0)
        variances, axes = np.linalg.eigh(np.atleast_2d(np.cov(flat, rowvar=False, bias=True)))
        variances = np.maximum(variances, 0.0) + SHRINKAGE * max(variances.mean(), np.finfo(np.float64).tiny)
        self.whitening_ = axes / np.sqrt(variances)
        return self.remember(self._whitened(flat))

    def remember(self, rows):
        """Take distances to these rows, which are whitened."""
        self.rows_ = rows
        self._nearest = NearestNeighbors(n_neighbors=min(N_NEIGHBORS + 1, len(rows))).fit(rows)
        return self

    def score_samples(self, described):
        """Return minus the distances, (n,); a row that is one of the training rows does not count itself."""
        distances = self._nearest.kneighbors(self._whitened(self._flat(described)))[0]
        fifth = min(N_NEIGHBORS, distances.shape[1]) - 1
        return -np.where(distances[:, 0] < SAME, distances[:, -1], distances[:, fifth])

    def _flat(self, described):
        return (described / self.scale_).reshape(len(described), -1)

    def _whitened(self, flat):
        centred = np.clip(flat - self.mean_, -FARTHEST, FARTHEST)
        return np.clip(centred @ self.whitening_, -FARTHEST_WHITENED, FARTHEST_WHITENED)


def scores_of(estimator, method, X, neighbors):
    """Return the scores of a fitted estimator, high for normal rows."""
    if method == "neighbors":
        return neighbors.score_samples(describe(estimator, X))
    if isinstance(estimator, Pipeline) and not hasattr(estimator, method):  # it passes on no reconstruction error
        X, estimator = estimator[:-1].transform(X) if len(estimator) > 1 else X, estimator[-1]
    scores = SIGNS[method] * np.asarray(getattr(estimator, method)(X), dtype=np.float64)
    if np.isnan(scores).any():
        raise ValueError(f"{method} of {estimator!r} is not a number for {np.isnan(scores).sum()} rows")
    return scores

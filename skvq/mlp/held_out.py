"""Rows with targets, the split into training and held-out rows, and the scores of held-out rows."""

import copy
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.model_selection import train_test_split

from ..core.fingerprint import digest_of_arrays
from .build import Weights
from .gather import Samples
from .predict import OutputsNotFinite

# As many as scikit-learn holds out at least.
LEAST_HELD_OUT = 2


@dataclass(frozen=True)
class Examples:
    """Rows with targets.

    Attributes
    ----------
    X : ndarray or CSR matrix of shape (n, p)
    targets : ndarray of shape (n, n_outputs), or class indices (n, 1)
    labels : ndarray
        The targets as the user has them.
    weight : ndarray of shape (n,) or None
        Weights of the rows in the loss.
    subset : ndarray of int or None
        The rows that this object stands for; None is all of them.
    """

    X: Any
    targets: np.ndarray
    labels: np.ndarray
    weight: np.ndarray | None = None
    subset: np.ndarray | None = None

    def samples(self, dtype, target_dtype, device):
        """Return the rows as batches."""
        return Samples(self.X, self.targets, self.weight, dtype, target_dtype, subset=self.subset, device=device)

    def digest(self):
        """Return a text that stands for the rows, their targets and weights, and which of them are used."""
        return digest_of_arrays(self.X, self.targets, self.weight, self.subset)

    def pick(self, array):
        """Return the part of an array of all rows (or None) that belongs to these."""
        return array if array is None or self.subset is None else array[self.subset]


def split_off(n_rows, validation_fraction, strata, random_state, weight=None):
    """Return the positions of training and held-out rows, those that scikit-learn draws from the same seed.

    Rows without weight are never held out, and no class is held out whole. Where the share of all rows is two or more,
    but that of the rows that can be held out is less, as in a bootstrap of few rows, two are held out.

    Parameters
    ----------
    n_rows : int
    validation_fraction : float
    strata : ndarray of shape (n_rows,) or (n_rows, n_labels), or None
        Classes, whose shares the split keeps as far as there are rows enough; or indicators of labels.
    random_state : RandomState
    weight : ndarray of shape (n_rows,), default=None
        Weights of the rows.

    Raises
    ------
    ValueError
        If the share of all rows is less than two, or if fewer than three rows can be held out.
    """
    enough = math.ceil(validation_fraction * n_rows) >= LEAST_HELD_OUT
    candidates = np.arange(n_rows) if weight is None or np.all(weight) else np.flatnonzero(weight)
    ids = None if strata is None else _class_ids(strata)
    by_shares = None
    if ids is not None and ids.ndim == 1:
        candidates, by_shares = _shares(candidates, ids, validation_fraction)
    if not enough or len(candidates) <= LEAST_HELD_OUT:
        what = f"{validation_fraction} of {n_rows} rows is less than {LEAST_HELD_OUT}"
        if enough:
            what = (
                f"only {len(candidates)} rows can be held out, those that have a weight and are not the last of their "
                f"class, and {LEAST_HELD_OUT + 1} are needed"
            )
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your dataset, pass X_val "
            f"and y_val, or early_stopping=False: {what}"
        )
    is_share = math.ceil(validation_fraction * len(candidates)) >= LEAST_HELD_OUT
    size = validation_fraction if is_share else LEAST_HELD_OUT
    training, held_out = train_test_split(candidates, random_state=random_state, test_size=size, stratify=by_shares)
    others = np.setdiff1d(np.arange(n_rows), candidates, assume_unique=True)
    if ids is not None:  # among the rows with weight: the others say nothing about their class
        training, held_out = _with_all_classes(training, held_out, ids)
    return (np.concatenate([training, others]) if len(others) else training), held_out


def _class_ids(strata):
    """Return classes as indices (n,), and indicators of several labels as they are, (n, n_labels) of bool."""
    if strata.ndim == 2 and strata.shape[1] > 1:
        return strata.astype(bool)
    return np.unique(strata, return_inverse=True)[1].ravel()


def _shares(candidates, ids, validation_fraction):
    """Return the candidates whose class has another one, and their classes, None where these are too many to share."""
    counts = np.bincount(ids[candidates])
    candidates = candidates[counts[ids[candidates]] > 1]
    classes, n_held_out = ids[candidates], max(LEAST_HELD_OUT, math.ceil(validation_fraction * len(candidates)))
    n_classes = len(np.unique(classes))
    return candidates, classes if n_classes <= min(n_held_out, len(candidates) - n_held_out) else None


def _with_all_classes(training, held_out, ids):
    """Return the same rows, with one of every class that was held out whole exchanged for a row of a larger class."""

    def classes_of(row):
        return np.atleast_1d(ids[row]) if ids.ndim == 1 else np.flatnonzero(ids[row])

    def counted(rows):
        return np.bincount(ids[rows], minlength=ids.max() + 1) if ids.ndim == 1 else ids[rows].sum(axis=0)

    counts = counted(training)
    if not ((counts == 0) & (counted(held_out) > 0)).any():
        return training, held_out
    training, held_out = training.copy(), held_out.copy()
    for position, row in enumerate(held_out):
        if counts[classes_of(row)].all():
            continue
        for place, other in enumerate(training):
            if (counts[classes_of(other)] > 1).all():
                training[place], held_out[position] = row, other
                counts[classes_of(row)] += 1
                counts[classes_of(other)] -= 1
                break
    return training, held_out


def hold_out(examples, sample_weight, validation_fraction, strata, random_state):
    """Return the Examples to train on and the held-out ones, whose weights are `sample_weight` alone."""
    n_rows = examples.X.shape[0]
    training, held_out = split_off(n_rows, validation_fraction, strata, random_state, sample_weight)
    return replace(examples, subset=training), replace(examples, weight=sample_weight, subset=held_out)


class HeldOut:
    """Rows that are not trained on; a call returns their score and their loss without the penalty.

    Parameters
    ----------
    network : DenseNetwork or AutogradNetwork
        What is trained.
    examples : Examples
        The rows.
    samples : Samples
        The same as batches.
    judge : callable, default=None
        HeldOut → score, NaN where predictions are not finite. None where no score is wanted.
    """

    def __init__(self, network, examples, samples, judge=None):
        self.network = network
        self.examples = examples
        self.samples = samples
        self.judge = judge
        self.labels = examples.pick(examples.labels)
        self.weight = examples.pick(examples.weight)

    @cached_property
    def rows(self):
        """The rows as an ndarray or CSR matrix."""
        return self.examples.pick(self.examples.X)

    def __call__(self):
        """Return (score, loss)."""
        return None if self.judge is None else self.judge(self), self.loss()

    def loss(self):
        """Return the mean loss, without the penalty."""
        network = self.network
        total = len(self.samples) if self.weight is None else float(self.weight.sum())
        loss = sum(network.reported(network.loss_sum(*batch)) for batch in self.samples.in_order())
        return loss / total if total else math.nan

    def outputs(self):
        """Return the network's outputs, ndarray (n, n_outputs), before their activation."""
        batches = self.samples.in_order()
        return np.concatenate([self.network.outputs(x).T.cpu().numpy().copy() for x, _, _ in batches])


class ScorerJudge:
    """A scorer as the judge of held-out rows.

    It predicts with a copy of the estimator, which sees rows without the names of their columns.

    Parameters
    ----------
    estimator : estimator
        With all fitted attributes but those that training changes.
    """

    def __init__(self, estimator):
        self.judged = copy.copy(estimator)
        self.judged.__dict__.pop("feature_names_in_", None)
        self.scorer = check_scoring(self.judged, scoring=estimator.scoring)

    def __call__(self, held_out):
        """Return the score."""
        judged, scorer, weight = self.judged, self.scorer, held_out.weight
        normalized = judged.normalization is not None
        vars(judged).update(Weights.read(held_out.network, judged.coefs_[0].dtype, normalized=normalized).learned())
        weighted = {} if weight is None else {"sample_weight": weight}
        try:
            return float(scorer(judged, held_out.rows, held_out.labels, **weighted))
        except OutputsNotFinite:
            return math.nan
        except TypeError as error:
            if weight is None:
                raise
            scoring = judged.scoring
            raise TypeError(f"scoring={scoring!r} failed with the sample_weight of held-out rows: {error}") from error

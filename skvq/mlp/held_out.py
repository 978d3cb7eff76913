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


def split_off(n_rows, validation_fraction, strata, random_state):
    """Return the positions of training and held-out rows, those that scikit-learn draws from the same seed."""
    training, held_out = train_test_split(
        np.arange(n_rows), random_state=random_state, test_size=validation_fraction, stratify=strata
    )
    if len(held_out) < 2:
        raise ValueError("The validation set is too small. Increase 'validation_fraction' or the size of your dataset.")
    return training, held_out


def hold_out(examples, sample_weight, validation_fraction, strata, random_state):
    """Return the Examples to train on and the held-out ones, whose weights are `sample_weight` alone."""
    n_rows = examples.X.shape[0]
    training, held_out = split_off(n_rows, validation_fraction, strata, random_state)
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
        if weight is None:
            return float(scorer(judged, held_out.rows, held_out.labels))
        try:
            return float(scorer(judged, held_out.rows, held_out.labels, sample_weight=weight))
        except TypeError as error:
            scoring = judged.scoring
            raise TypeError(f"scoring={scoring!r} failed with the sample_weight of held-out rows: {error}") from error

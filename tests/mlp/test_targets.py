"""Targets as numbers, and outputs as targets."""

import numpy as np
import pytest
from sklearn.metrics import d2_pinball_score, r2_score
from sklearn.utils.class_weight import compute_sample_weight

from skvq.mlp.targets import Labels, Numbers, check_quantile, n_quantiles

WORDS = np.array(["b", "a", "c", "a", "b", "b"])
MATRIX = np.array([[1, 0, 1], [0, 1, 1], [0, 0, 0]])


def labels_of(y, class_weight=None):
    labels = Labels(class_weight)
    labels.learn(y)
    return labels


def test_several_classes_are_indices_with_a_softmax():
    labels = labels_of(WORDS)
    encoded = labels.encode(WORDS)
    np.testing.assert_array_equal(encoded[:, 0], [1, 0, 2, 0, 1, 1])
    assert labels.n_outputs(encoded) == 3
    assert labels.loss.out_activation == "softmax"
    np.testing.assert_array_equal(labels.strata(encoded), [1, 0, 2, 0, 1, 1])
    assert labels.score(np.eye(3)[encoded[:, 0]], WORDS, None) == 1


def test_two_classes_are_zero_and_one_and_a_split_keeps_their_shares():
    y = WORDS == "b"
    labels = labels_of(y)
    encoded = labels.encode(y)
    assert labels.n_outputs(encoded) == 1
    assert labels.loss.out_activation == "logistic"
    np.testing.assert_array_equal(labels.strata(encoded), y)
    outputs = np.where(y, 0.1, -0.1)[:, None]
    outputs[0] = -outputs[0]
    assert labels.score(outputs, y, None) == pytest.approx(5 / 6)


def test_a_matrix_of_labels_stays_one():
    labels = labels_of(MATRIX)
    np.testing.assert_array_equal(labels.encode(MATRIX), MATRIX)
    assert labels.n_outputs(MATRIX) == 3
    assert labels.loss.out_activation == "logistic"
    assert labels.score(np.where(MATRIX == 1, 3.0, -3.0), MATRIX, None) == 1


@pytest.mark.parametrize("class_weight", [None, "balanced", {"a": 3.0, "b": 1.0, "c": 0.5}], ids=str)
def test_rows_weigh_what_their_classes_do(class_weight):
    found = labels_of(WORDS, class_weight).weigh(WORDS, None)
    if class_weight is None:
        assert found is None
    else:
        np.testing.assert_allclose(found, compute_sample_weight(class_weight, WORDS))


def test_balanced_classes_count_a_row_by_its_weight():
    repeats = np.array([1, 2, 3, 1, 1, 2])
    found = labels_of(WORDS, "balanced").weigh(WORDS, repeats.astype(float))
    repeated = np.repeat(WORDS, repeats)
    expected = [compute_sample_weight("balanced", repeated)[repeated == label].sum() for label in "abc"]
    np.testing.assert_allclose([found[label == WORDS].sum() for label in "abc"], expected)


def test_outputs_that_are_not_finite_have_no_score():
    outputs = np.full((6, 3), np.nan)
    assert np.isnan(labels_of(WORDS).score(outputs, WORDS, None))
    assert np.isnan(Numbers("squared_error", 0.5, 1.0).score(outputs[:, :1], np.arange(6.0), None))


def test_numbers_are_scored_by_their_loss():
    rng = np.random.default_rng(0)
    y, outputs = rng.normal(size=50), rng.normal(size=(50, 2))
    assert Numbers("huber", 0.5, 1.0).score(outputs[:, :1], y, None) == r2_score(y, outputs[:, 0])
    quantiles = Numbers("quantile", [0.2, 0.7], 1.0)
    ordered = np.sort(outputs, axis=1)
    expected = [d2_pinball_score(y, ordered[:, i], alpha=level) for i, level in enumerate((0.2, 0.7))]
    assert quantiles.score(outputs, y, None) == pytest.approx(np.mean(expected))
    assert quantiles.n_outputs(y[:, None]) == 2


@pytest.mark.parametrize("quantile", [0.0, 1, True, [], [0.1, 2.0], [[0.5]], "half"], ids=str)
def test_a_quantile_is_between_zero_and_one(quantile):
    with pytest.raises(ValueError, match="quantile="):
        check_quantile(quantile)


def test_only_the_loss_of_quantiles_has_several():
    assert n_quantiles("quantile", [0.1, 0.5, 0.9]) == 3
    assert n_quantiles("quantile", 0.5) == n_quantiles("huber", [0.1, 0.5, 0.9]) == 1

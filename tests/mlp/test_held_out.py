"""Held-out rows: the split is scikit-learn's, loss and score are means over the rows."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import train_test_split

from skvq import MLPClassifier
from skvq.mlp.build import build_network, start_weights
from skvq.mlp.held_out import Examples, HeldOut, hold_out, split_off
from skvq.mlp.losses import SquaredError

RANDOM = np.random.default_rng(0)
X, Y, WEIGHT = RANDOM.normal(size=(40, 3)), RANDOM.normal(size=(40, 1)), RANDOM.uniform(0.5, 2.0, size=40)
CPU = torch.device("cpu")


def held_out_of(examples, judge=None):
    weights = start_weights([3, 5, 1], "tanh", np.float64, np.random.RandomState(0))
    network = build_network(weights, "tanh", SquaredError(), torch.float64, CPU)
    return HeldOut(network, examples, examples.samples(torch.float64, torch.float64, CPU), judge)


@pytest.mark.parametrize("strata", [None, Y > 0], ids=["plain", "stratified"])
def test_the_split_is_that_of_scikit_learn(strata):
    expected = train_test_split(np.arange(40), random_state=3, test_size=0.2, stratify=strata)
    found = split_off(40, 0.2, strata, np.random.RandomState(3))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_one_row_is_too_few_to_hold_out():
    with pytest.raises(ValueError, match="Increase 'validation_fraction'"):
        split_off(10, 0.1, None, np.random.RandomState(0))


def test_held_out_rows_count_by_the_weights_of_the_user_alone():
    in_loss = 10 * WEIGHT
    training, held_out = hold_out(Examples(X, Y, Y, in_loss), WEIGHT, 0.25, None, np.random.RandomState(0))
    assert sorted([*training.subset, *held_out.subset]) == list(range(40))
    np.testing.assert_array_equal(training.pick(training.weight), in_loss[training.subset])
    np.testing.assert_array_equal(held_out.pick(held_out.weight), WEIGHT[held_out.subset])


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
@pytest.mark.parametrize("subset", [None, np.array([7, 3, 21, 38])], ids=["all", "some"])
def test_the_loss_is_the_mean_over_the_rows(weight, subset):
    held_out = held_out_of(Examples(X, Y, Y, weight, subset))
    rows = slice(None) if subset is None else subset
    errors = 0.5 * (held_out.outputs() - Y[rows])[:, 0] ** 2
    expected = np.average(errors, weights=None if weight is None else weight[rows])
    score, loss = held_out()
    assert score is None
    assert loss == pytest.approx(expected)
    np.testing.assert_array_equal(held_out.rows, X[rows])


def test_the_judge_is_given_the_held_out_rows():
    held_out = held_out_of(Examples(X, Y, Y), judge=lambda seen: float(np.abs(seen.outputs() - seen.labels).max()))
    assert held_out()[0] == np.abs(held_out.outputs() - Y).max()


def test_the_shares_of_several_classes_are_kept():
    classes = np.repeat([0, 1, 2, 3], [20, 10, 6, 4])
    training, held_out = split_off(40, 0.3, classes, np.random.RandomState(0))
    np.testing.assert_array_equal(np.bincount(classes[held_out]), [6, 3, 2, 1])
    assert sorted([*training, *held_out]) == list(range(40))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("counts", [[20, 1], [20, 2, 1], [10] * 4 + [1], [2] * 30], ids=str)
@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.8])
def test_no_class_is_held_out_whole(counts, fraction, seed):
    classes = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    training, held_out = split_off(len(classes), fraction, classes, np.random.RandomState(seed))
    assert len(held_out) >= 2
    assert sorted([*training, *held_out]) == list(range(len(classes)))
    if len(training) >= len(counts):
        assert set(classes[training]) == set(classes)


@pytest.mark.parametrize("seed", range(10))
def test_no_label_of_several_is_held_out_with_all_its_rows(seed):
    indicators = np.zeros((40, 3), dtype=np.uint8)
    indicators[[3, 8], 0] = indicators[17, 1] = indicators[::2, 2] = 1
    training, held_out = split_off(40, 0.5, indicators, np.random.RandomState(seed))
    assert indicators[training].any(axis=0).all()
    assert sorted([*training, *held_out]) == list(range(40))


@pytest.mark.parametrize("seed", range(10))
def test_rows_without_weight_are_never_held_out(seed):
    weight = np.where(np.arange(40) % 3 == 0, 1.0, 0.0)
    training, held_out = split_off(40, 0.2, None, np.random.RandomState(seed), weight)
    assert weight[held_out].all()
    assert len(held_out) == 3  # a fifth of the 14 with weight
    assert sorted([*training, *held_out]) == list(range(40))


def test_too_few_rows_with_weight_are_counted():
    with pytest.raises(ValueError, match="only 2 rows can be held out, those that have a weight.*and 3 are needed"):
        split_off(40, 0.2, None, np.random.RandomState(0), np.r_[np.ones(2), np.zeros(38)])


@pytest.mark.parametrize("seed", range(10))
def test_of_few_rows_with_weight_two_are_held_out(seed):
    weight = np.r_[np.ones(5), np.zeros(35)]
    training, held_out = split_off(40, 0.2, None, np.random.RandomState(seed), weight)
    assert len(held_out) == 2
    assert weight[held_out].all()
    assert weight[training].sum() == 3


@pytest.mark.parametrize("n_classes", [1, 2, 3, 6])
def test_bootstraps_of_twenty_rows_leave_rows_of_every_class(n_classes):
    classes = np.arange(20) % n_classes
    for seed in range(50):
        random = np.random.RandomState(seed)
        weight = np.bincount(random.randint(20, size=20), minlength=20).astype(float)
        training, held_out = split_off(20, 0.1, classes, random, weight)
        assert len(held_out) == 2
        assert weight[held_out].all()
        assert set(classes[held_out]) <= set(classes[training][weight[training] > 0])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_bagging_of_twenty_rows_stops_early_for_any_seed():
    rows = np.random.default_rng(0).normal(size=(20, 3))
    model = MLPClassifier((2,), max_iter=1, early_stopping=True)
    for seed in range(50):
        bagged = BaggingClassifier(model, n_estimators=2, random_state=seed).fit(rows, np.arange(20) % 2)
        assert bagged.predict(rows).shape == (20,)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("seed", range(5))
def test_bags_of_few_rows_stop_early(seed):
    y = (X[:, 0] > 0).astype(int)
    model = MLPClassifier((4,), early_stopping=True, max_iter=2, random_state=seed)
    bagged = BaggingClassifier(model, n_estimators=10, random_state=seed).fit(X, y)
    assert all(np.isfinite(part.best_validation_score_) for part in bagged.estimators_)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_class_of_one_row_is_trained_on():
    y = np.array(["rare"] + ["usual"] * 39)
    model = MLPClassifier((4,), early_stopping=True, max_iter=3, random_state=0).fit(X, y)
    assert model.classes_.tolist() == ["rare", "usual"]
    assert len(model.validation_scores_) == 3

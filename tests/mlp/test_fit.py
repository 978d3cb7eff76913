"""The training of a predictor as a whole: held-out rows, weights of rows, precision, threads, failure."""

import threading
import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_iris
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.preprocessing import scale

from skvq import MLPClassifier, MLPRegressor
from skvq.core.device import threads_for
from skvq.mlp import lbfgs
from skvq.mlp.build import start_weights
from skvq.mlp.descent import Descent
from skvq.mlp.held_out import split_off
from skvq.training.loop import Snapshot

X, Y = (scale(values) for values in load_diabetes(return_X_y=True))
QUICK = {"hidden_layer_sizes": (8,), "max_iter": 12, "random_state": 0, "precision": "float64"}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def half_squared_error(model, rows, y, weight=None):
    """Return the loss without its penalty, by numpy."""
    return 0.5 * np.average((y - model.predict(rows)) ** 2, weights=weight)


def test_the_best_epoch_comes_back_with_its_running_means():
    model = MLPRegressor(
        **QUICK | {"normalization": "batch", "early_stopping": True, "learning_rate_init": 0.3, "max_iter": 8}
    ).fit(X[:300], Y[:300], X_val=X[300:], y_val=Y[300:])
    best = int(np.argmax(model.validation_scores_))
    assert best < model.n_iter_ - 1  # or nothing comes back
    assert model.score(X[300:], Y[300:]) == pytest.approx(model.best_validation_score_, rel=1e-9)


def test_a_new_fit_starts_from_fresh_normalisation():
    model = MLPRegressor(**QUICK | {"normalization": "batch"})
    first = model.fit(X, Y).predict(X)
    model.fit(100 * X, Y)
    np.testing.assert_array_equal(model.fit(X, Y).predict(X), first)


def test_held_out_rows_of_a_split_keep_their_weights():
    weight = np.random.default_rng(0).uniform(0.1, 5, len(X))
    model = MLPRegressor(**QUICK | {"early_stopping": True, "max_iter": 1}).fit(X, Y, sample_weight=weight)
    random_state = np.random.RandomState(0)  # draws the first weights, then the split
    start_weights([X.shape[1], 8, 1], "relu", np.float64, random_state)
    held_out = split_off(len(X), 0.1, None, random_state)[1]
    expected = half_squared_error(model, X[held_out], Y[held_out], weight[held_out])
    assert model.validation_loss_curve_[0] == pytest.approx(expected)
    assert expected != pytest.approx(half_squared_error(model, X[held_out], Y[held_out]))


def test_a_scorer_is_given_the_weights_of_held_out_rows():
    seen = []

    def error(y, predictions, sample_weight=None):
        seen.append(sample_weight)
        return mean_absolute_error(y, predictions, sample_weight=sample_weight)

    weight = np.linspace(1, 2, len(X))
    scorer = make_scorer(error, greater_is_better=False)
    MLPRegressor(**QUICK | {"early_stopping": True, "scoring": scorer, "max_iter": 2}).fit(X, Y, sample_weight=weight)
    assert len(seen) == 2
    assert set(seen[0]) <= set(weight)


def test_a_scorer_that_takes_no_weights_is_an_error_that_names_it():
    model = MLPRegressor(**QUICK | {"early_stopping": True, "scoring": "neg_max_error"})
    with pytest.raises(TypeError, match="neg_max_error.*sample_weight"):
        model.fit(X, Y, sample_weight=np.ones(len(X)))


def test_an_unknown_scoring_is_refused_with_and_without_early_stopping():
    for early_stopping in (True, False):
        with pytest.raises(ValueError, match="scoring"):
            MLPRegressor(**QUICK | {"early_stopping": early_stopping, "scoring": "nonsense"}).fit(X, Y)


def test_scoring_during_a_fit_does_not_warn_of_names():
    frame = load_diabetes(as_frame=True).data
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*feature names.*")
        model = MLPRegressor(**QUICK | {"early_stopping": True, "scoring": "r2"}).fit(frame, Y)
    assert len(model.validation_scores_) == model.n_iter_


def test_a_class_without_weight_does_not_count_among_the_balanced():
    rows, y = load_iris(return_X_y=True)
    weight = np.where(y == 2, 0.0, 1.0)
    weight[:30] = 3.0
    balanced = MLPClassifier(**QUICK | {"class_weight": "balanced"}).fit(rows, y, sample_weight=weight)
    by_class = np.array([weight.sum() / (2 * weight[y == label].sum()) for label in (0, 1)] + [0.0])
    by_hand = MLPClassifier(**QUICK).fit(rows, y, sample_weight=weight * by_class[y])
    np.testing.assert_allclose(balanced.predict_proba(rows), by_hand.predict_proba(rows), rtol=1e-9)


def test_negative_class_weights_are_refused():
    rows, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="class_weight has the weight -1 for the class 0"):
        MLPClassifier(**QUICK | {"class_weight": {0: -1, 1: 1, 2: 1}}).fit(rows, y)


def test_every_label_of_a_multi_label_problem_may_have_weights():
    rows, y = load_iris(return_X_y=True)
    labels = np.c_[y == 0, y != 1].astype(int)
    weights = [{0: 1.0, 1: 2.0}, {0: 3.0, 1: 1.0}]
    weighted = MLPClassifier(**QUICK | {"class_weight": weights}).fit(rows, labels)
    by_row = np.where(labels[:, 0] == 1, 2.0, 1.0) * np.where(labels[:, 1] == 0, 3.0, 1.0)
    by_hand = MLPClassifier(**QUICK).fit(rows, labels, sample_weight=by_row)
    np.testing.assert_array_equal(weighted.predict_proba(rows), by_hand.predict_proba(rows))


def test_lbfgs_records_the_loss_of_held_out_rows_at_every_iteration():
    noisy = Y + np.random.default_rng(0).normal(size=len(Y))
    model = MLPRegressor(hidden_layer_sizes=(100,), solver="lbfgs", alpha=300, max_iter=40, random_state=0)
    model.fit(X, noisy, X_val=X, y_val=noisy)
    curve = np.array(model.validation_loss_curve_)
    assert len(curve) == model.n_iter_
    assert (np.diff(curve) != 0).all()
    assert curve[-1] == pytest.approx(half_squared_error(model, X, noisy), rel=1e-6)


def test_both_searches_of_lbfgs_share_one_budget(monkeypatch):
    budgets = []
    search = lbfgs.scipy.optimize.minimize

    def spy(*args, options, **kwargs):
        budgets.append((options["maxiter"], options["maxfun"]))
        return search(*args, options=options, **kwargs)

    monkeypatch.setattr(lbfgs.scipy.optimize, "minimize", spy)
    model = MLPRegressor(hidden_layer_sizes=(100,), solver="lbfgs", alpha=300, max_iter=400, random_state=0).fit(X, Y)
    assert len(budgets) == 2
    assert budgets[1][0] < budgets[0][0] == 400
    assert budgets[1][1] < budgets[0][1] == 15000
    assert model.n_iter_ <= 400


def test_single_precision_begins_where_a_batch_is_two_hundred_thousand_multiply_adds():
    y = np.zeros(250)
    for n_columns, precision in ((10, "float64"), (20, "float32")):  # 200 rows of 50 (n_columns + 1) weights
        model = MLPRegressor(hidden_layer_sizes=(50,), max_iter=1, random_state=0)
        model.fit(np.ones((250, n_columns)), y)
        assert model.precision_ == precision
        assert (200 * sum(coef.size for coef in model.coefs_) >= 2e5) == (precision == "float32")


def test_small_fits_use_one_thread_and_large_ones_all(monkeypatch):
    before = torch.get_num_threads()
    seen = []
    monkeypatch.setattr(Descent, "run", lambda self, one_epoch: seen.append(torch.get_num_threads()))
    torch.set_num_threads(2)
    try:
        MLPRegressor(max_iter=1).fit(X, Y)
        MLPRegressor(hidden_layer_sizes=(1000, 1000), max_iter=1).fit(X, Y)
    finally:
        torch.set_num_threads(before)
    assert seen == [1, 2]


def test_blocks_that_overlap_restore_the_count_of_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    inside, leave = threading.Event(), threading.Event()

    def other():
        with threads_for(1):
            inside.set()
            leave.wait()

    try:
        thread = threading.Thread(target=other)
        with threads_for(1):
            thread.start()
            inside.wait()
        leave.set()
        thread.join()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_snapshot_is_whole_while_the_next_is_taken():
    live = [torch.zeros(2), torch.zeros(2)]
    snapshot = Snapshot(live)
    for tensor in live:
        tensor.fill_(1.0)
    snapshot.take()
    kept = [tensor.clone() for tensor in snapshot.copy]
    live[0].fill_(2.0)
    snapshot.spare[0].copy_(live[0])  # an interrupt after the first tensor of the next
    assert all(torch.equal(copy, old) for copy, old in zip(snapshot.copy, kept))


def test_a_failed_warm_fit_leaves_the_records_as_they_were():
    model = MLPRegressor(**QUICK | {"warm_start": True, "solver": "sgd"}).fit(X, Y)
    curve = list(model.loss_curve_)
    with pytest.raises(ValueError, match="non-finite"), np.errstate(all="ignore"):
        model.set_params(learning_rate_init=1e20).fit(X, Y)
    assert model.loss_curve_ == curve
    assert model.n_iter_ == len(curve)


def test_a_changed_learning_rate_takes_effect_in_partial_fit():
    still = MLPRegressor(**QUICK | {"solver": "sgd", "momentum": 0.0}).partial_fit(X, Y)
    before = still.coefs_[0].copy()
    still.set_params(learning_rate_init=1e-30).partial_fit(X, Y)
    np.testing.assert_allclose(still.coefs_[0], before, atol=1e-20)


def test_held_out_labels_of_another_kind_are_refused():
    rows, y = load_iris(return_X_y=True)
    labels = np.c_[y == 0, y == 1, y == 2].astype(int)
    with pytest.raises(ValueError, match="one label for each row"):
        MLPClassifier(**QUICK).fit(rows, labels, X_val=rows[:9], y_val=y[:9])


def told_of_divergence(model, n_rows, targets=lambda number, y: y):
    """Train on ten chunks of so many rows; return the numbers of those that warned."""
    random, found = np.random.default_rng(0), []
    for number in range(10):
        X = random.normal(size=(n_rows, 5))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.partial_fit(X, targets(number, X[:, 0] + 2 * X[:, 1]))
        found += [number for warning in caught if "Training diverged" in str(warning.message)]
    return found


@pytest.mark.parametrize("n_rows", [60, 200, 1000])
def test_a_stream_that_diverges_warns_once_also_where_a_chunk_is_one_batch(n_rows):
    model = MLPRegressor(hidden_layer_sizes=(20,), learning_rate_init=10, random_state=0)
    assert len(told_of_divergence(model, n_rows)) == 1
    for tame in ({}, {"learning_rate_init": 0.1}, {"solver": "sgd"}):
        assert told_of_divergence(MLPRegressor(hidden_layer_sizes=(20,), random_state=0, **tame), n_rows) == []


def test_chunks_from_elsewhere_that_the_network_learns_from_are_no_divergence():
    model = MLPRegressor(hidden_layer_sizes=(20,), random_state=0)
    assert told_of_divergence(model, 200, lambda number, y: y * (20 if number > 5 else 1)) == []

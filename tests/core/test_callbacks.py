"""scikit-learn's callbacks on every estimator: alone, in a Pipeline, in a grid search."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skvq import (
    AutoEncoderTransformer,
    CausalTransformer,
    HierarchicalPixelCNN,
    MLPClassifier,
    MLPRegressor,
    PixelCNN,
    VAETransformer,
    VQVAETransformer,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RANDOM = np.random.default_rng(0)
TABLE = RANDOM.normal(size=(60, 6))
CODES = RANDOM.integers(0, 4, (60, 6))
LABELS = np.where(TABLE[:, 0] > 0, "more", "less")
SMALL = {"channels": 4, "n_layers": 1, "early_stopping": False, "random_state": 0}
HIDDEN = {"hidden_layer_sizes": (8,), "early_stopping": False, "random_state": 0}
N_EPOCHS = 3

# What is fitted, and to what. All that can be random is: dropout, noise, draws of the posterior, dead codes.
CASES = {
    "MLPClassifier": (MLPClassifier((8,), dropout=0.2, max_iter=N_EPOCHS, random_state=0), (TABLE, LABELS)),
    "MLPClassifier lbfgs": (MLPClassifier((8,), solver="lbfgs", max_iter=N_EPOCHS, random_state=0), (TABLE, LABELS)),
    "MLPRegressor": (MLPRegressor(hidden_layer_sizes=(8,), max_iter=N_EPOCHS, random_state=0), (TABLE, TABLE[:, 0])),
    "AutoEncoderTransformer": (AutoEncoderTransformer(2, dropout=0.2, max_iter=N_EPOCHS, **HIDDEN), (TABLE,)),
    "VAETransformer": (
        VAETransformer(2, n_mixture_components=2, max_iter=N_EPOCHS, **HIDDEN),
        (TABLE,),
    ),
    "VQVAETransformer": (
        VQVAETransformer(8, max_iter=N_EPOCHS, prior=PixelCNN(max_iter=2, **SMALL), **HIDDEN),
        (TABLE,),
    ),
    "PixelCNN": (PixelCNN(max_iter=N_EPOCHS, **SMALL), (CODES,)),
    "PixelCNN of classes": (PixelCNN(class_conditional=True, max_iter=N_EPOCHS, **SMALL), (CODES, LABELS)),
    "HierarchicalPixelCNN": (HierarchicalPixelCNN(((1, 2), (2, 2)), max_iter=N_EPOCHS, **SMALL), (CODES,)),
    "CausalTransformer": (
        CausalTransformer(d_model=8, n_layers=1, early_stopping=False, max_iter=N_EPOCHS, random_state=0),
        (CODES,),
    ),
}


@pytest.fixture(params=CASES)
def case(request):
    """A fresh estimator and the data that it is fitted to."""
    estimator, data = CASES[request.param]
    return clone(estimator), data


def monitor():
    return ScoringMonitor(scoring={"score": lambda estimator, X, y: estimator.score(X, y)})


def learned(estimator):
    """Return all arrays that the estimator has learned."""
    if hasattr(estimator, "coefs_"):
        return [*estimator.coefs_, *estimator.intercepts_]
    prior = learned(estimator.prior_) if hasattr(estimator, "prior_") else []
    return [*estimator.weights_.values(), *prior]


def steps(log):
    return [row for row in log.data if row["task_name"] in ("epoch", "iteration")]


class Recorder:
    """Remembers the tasks: (moment, estimator, name of the task, ids on the path to it, number of subtasks)."""

    max_propagation_depth = None

    def __init__(self, stop_at=()):
        self.stop_at = stop_at
        self.seen = []

    def setup(self, estimator, context):
        self.seen.append("setup")

    def teardown(self, estimator, context):
        self.seen.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.seen.append(("begin", *self._describe(context)))

    def on_fit_task_end(self, estimator, context):
        described = self._describe(context)
        self.seen.append(("end", *described))
        return described[:3] in self.stop_at

    @staticmethod
    def _describe(context):
        path, ancestor = [], context
        while ancestor is not None:
            path.insert(0, ancestor.task_id)
            ancestor = ancestor.parent
        return context.estimator_name, context.task_name, tuple(path), context.max_subtasks


class Each:
    """Calls a function with (estimator, fitted_estimator) at the end of every epoch; it tells whether to stop."""

    def __init__(self, function):
        self.function = function

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        self.torn_down = True

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        return context.task_name in ("epoch", "iteration") and self.function(estimator, fitted_estimator)


def test_results_are_those_of_a_fit_that_nobody_watches(case):
    estimator, data = case
    watched = clone(estimator).set_callbacks(monitor(), Each(lambda _, fitted: fitted.score(*data) is None)).fit(*data)
    estimator.fit(*data)
    for found, expected in zip(learned(watched), learned(estimator), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert [name for name in vars(watched) if name not in vars(estimator)] == ["_skl_callbacks"]


def test_the_last_score_is_that_of_an_independent_fit(case):
    estimator, data = case
    callback = monitor()
    clone(estimator).set_callbacks(callback).fit(*data)
    scores = [row["score"] for row in steps(callback.get_logs())]
    assert len(scores) == N_EPOCHS
    assert scores[-1] == pytest.approx(estimator.fit(*data).score(*data), rel=1e-6)  # float32 in another memory layout
    assert len(set(scores)) > 1 or "MLPClassifier" in repr(estimator)  # accuracy may stay


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_every_score_is_that_of_a_fit_that_ends_there(solver):
    estimator = MLPRegressor(hidden_layer_sizes=(8,), solver=solver, max_iter=6, random_state=0)
    callback = ScoringMonitor(scoring="r2")
    clone(estimator).set_callbacks(callback).fit(TABLE, TABLE[:, 0])
    for n, row in enumerate(steps(callback.get_logs()), start=1):
        ended = clone(estimator).set_params(max_iter=n).fit(TABLE, TABLE[:, 0])
        assert row["r2"] == pytest.approx(ended.score(TABLE, TABLE[:, 0]), rel=1e-12)
    assert n == 6


def test_lbfgs_that_begins_in_float32_shows_the_float64_network():
    X = np.random.default_rng(0).normal(size=(300, 20))
    estimator = MLPRegressor(hidden_layer_sizes=(64,), solver="lbfgs", max_iter=4, random_state=0)
    callback = ScoringMonitor(scoring="r2")
    clone(estimator).set_callbacks(callback).fit(X, X[:, 0])
    expected = estimator.fit(X, X[:, 0]).score(X, X[:, 0])
    double = clone(estimator).set_params(precision="float64").fit(X, X[:, 0])
    assert not np.array_equal(double.coefs_[0], estimator.coefs_[0])  # so it does begin in float32
    assert steps(callback.get_logs())[-1]["r2"] == pytest.approx(expected, rel=1e-12)


def test_a_progress_bar_in_a_pipeline_is_complete(case, capsys):
    estimator, data = case
    make_pipeline(estimator).set_callbacks(ProgressBar()).fit(*data)
    shown = capsys.readouterr().out
    assert f"{type(estimator).__name__} - fit" in " ".join(shown.split()) or "fit-final-estimator" in shown
    assert shown.count("100%") == shown.count("%") >= 2
    assert "_skl_callbacks" not in vars(estimator)  # nothing stays


def test_a_grid_search_in_two_processes_logs_every_epoch_of_every_fit(case):
    estimator, data = case
    callback = monitor()
    search = GridSearchCV(estimator.set_callbacks(callback), {"alpha": [0.0]}, cv=2, n_jobs=2).fit(*data)
    rows = steps(callback.get_logs())
    assert len(rows) == (2 + 1) * N_EPOCHS  # two splits, and the refit
    refit = [row["score"] for row in rows if row["task_id_path"][:2] == (0, 1)]  # after (0, 0), the search
    assert refit[-1] == pytest.approx(search.best_estimator_.score(*data), rel=1e-6)


def test_returning_true_stops_after_that_epoch(case):
    estimator, data = case
    stopper = Each(lambda _, fitted: True)
    estimator.set_callbacks(stopper).fit(*data)
    assert estimator.n_iter_ == 1
    assert stopper.torn_down
    assert np.isfinite(estimator.score(*data))
    if hasattr(estimator, "loss_curve_"):
        assert len(estimator.loss_curve_) == 1


def test_a_network_that_was_told_to_stop_does_not_warn_of_too_few_epochs(recwarn):
    MLPClassifier((4,), max_iter=5).set_callbacks(Each(lambda _, fitted: True)).fit(TABLE, LABELS)
    assert not [warning for warning in recwarn if issubclass(warning.category, ConvergenceWarning)]


def test_the_best_weights_are_kept_where_a_callback_stops():
    estimator = AutoEncoderTransformer(2, hidden_layer_sizes=(8,), max_iter=50, early_stopping=True, random_state=0)
    estimator.set_callbacks(Each(lambda fitting, _: fitting.n_iter_ == 4)).fit(TABLE)
    assert estimator.n_iter_ == 4
    best = int(np.argmin(estimator.validation_loss_curve_)) + 1
    assert estimator.best_iter_ in (0, best)


def test_the_estimator_in_training_tells_its_history():
    lengths = []
    watcher = Each(lambda fitting, _: lengths.append((fitting.n_iter_, len(fitting.history_["loss"]))))
    AutoEncoderTransformer(2, max_iter=3, **HIDDEN).set_callbacks(watcher).fit(TABLE)
    assert lengths == [(1, 1), (2, 2), (3, 3)]


def test_both_stages_of_a_vqvae_are_tasks():
    recorder = Recorder()
    prior = PixelCNN(max_iter=1, **SMALL)
    VQVAETransformer(8, max_iter=2, prior=prior, **HIDDEN).set_callbacks(recorder).fit(TABLE)
    fit, first = ("VQVAETransformer", "fit", (0,), 2), ("VQVAETransformer", "autoencoder", (0, 0), 3)
    start = ("VQVAETransformer", "starting codebooks", (0, 0, 0), None)
    epochs = [("VQVAETransformer", "epoch", (0, 0, n), 0) for n in (1, 2)]
    second = ("PixelCNN", "fit", (0, 1), 2)
    inner = [("PixelCNN", "starting the network", (0, 1, 0), None), ("PixelCNN", "epoch", (0, 1, 1), 0)]
    opened = [("begin", *fit), ("begin", *first)]
    middle = [(moment, *part) for part in (start, *epochs) for moment in ("begin", "end")]
    last = [(moment, *part) for part in inner for moment in ("begin", "end")]
    rest = [("end", *first), ("begin", *second), *last, ("end", *second), ("end", *fit)]
    assert recorder.seen == ["setup", *opened, *middle, *rest, "teardown"]


def test_a_vqvae_without_prior_has_one_stage():
    recorder = Recorder()
    VQVAETransformer(8, max_iter=1, prior=None, **HIDDEN).set_callbacks(recorder).fit(TABLE)
    assert recorder.seen[1:3] == [
        ("begin", "VQVAETransformer", "fit", (0,), 1),
        ("begin", "VQVAETransformer", "autoencoder", (0, 0), 2),
    ]


@pytest.mark.parametrize("model", [VQVAETransformer(8, max_iter=1, prior=None), AutoEncoderTransformer(2, max_iter=1)])
def test_a_progress_bar_has_a_word_for_the_start_which_no_score_is_asked_of(model, capsys):
    callback = monitor()
    clone(model).set_callbacks(ProgressBar(), callback).fit(TABLE)
    shown = " ".join(capsys.readouterr().out.split())
    word = "starting codebooks" if isinstance(model, VQVAETransformer) else "starting the network"
    assert f"{type(model).__name__} - {word} #0" in shown
    assert word not in {row["task_name"] for row in callback.get_logs().data}


def test_the_bar_of_a_fit_is_there_before_codes_are_arranged(monkeypatch):
    recorder, seen, arrange = Recorder(), [], VQVAETransformer._arrange

    def observed(self, rows):
        seen.extend(recorder.seen)
        return arrange(self, rows)

    monkeypatch.setattr(VQVAETransformer, "_arrange", observed)
    VQVAETransformer(8, max_iter=1, prior=None, **HIDDEN).set_callbacks(recorder).fit(TABLE)
    assert seen == ["setup", ("begin", "VQVAETransformer", "fit", (0,), 1)]


def test_a_stage_that_is_stopped_is_followed_by_the_next():
    recorder = Recorder(stop_at=[("VQVAETransformer", "epoch", (0, 0, 2)), ("VQVAETransformer", "autoencoder", (0, 0))])
    estimator = VQVAETransformer(8, max_iter=9, prior=PixelCNN(max_iter=2, **SMALL), **HIDDEN)
    estimator.set_callbacks(recorder).fit(TABLE)
    assert (estimator.n_iter_, estimator.prior_.n_iter_) == (2, 2)
    assert estimator.sample(2, random_state=0).shape == (2, 6)


def test_a_new_prior_is_a_task_of_its_own():
    estimator = VQVAETransformer(8, max_iter=1, prior=PixelCNN(max_iter=1, **SMALL), **HIDDEN).fit(TABLE)
    recorder, callback = Recorder(), monitor()
    estimator.set_callbacks(recorder, callback).fit_prior(TABLE)
    assert recorder.seen[1:3] == [
        ("begin", "VQVAETransformer", "fit-prior", (0,), 1),
        ("begin", "PixelCNN", "fit", (0, 0), 2),
    ]
    assert recorder.seen[-2:] == [("end", "VQVAETransformer", "fit-prior", (0,), 1), "teardown"]
    assert callback.get_logs().data[0]["score"] == pytest.approx(estimator.score(TABLE))


class Uniform(BaseEstimator):
    """A prior that knows no callbacks."""

    def fit(self, X):
        self.width_ = X.shape[1]
        return self

    def sample(self, n_samples, random_state=None):
        return np.zeros((n_samples, self.width_), dtype=int)

    def score_samples(self, X):
        return np.zeros(len(X))


@pytest.mark.filterwarnings("error")
def test_a_prior_that_knows_no_callbacks_is_a_task_without_subtasks():
    recorder = Recorder()
    VQVAETransformer(8, max_iter=1, prior=Uniform(), **HIDDEN).set_callbacks(recorder).fit(TABLE)
    prior = ("VQVAETransformer", "prior", (0, 1), 0)
    assert recorder.seen[-4:-1] == [("begin", *prior), ("end", *prior), ("end", "VQVAETransformer", "fit", (0,), 2)]


def test_a_prior_brings_callbacks_of_its_own():
    callback = monitor()
    prior = PixelCNN(max_iter=2, **SMALL).set_callbacks(callback)
    estimator = VQVAETransformer(8, max_iter=1, prior=prior, **HIDDEN).fit(TABLE)
    rows = callback.get_logs().data
    assert [row["task_id_path"] for row in rows] == [(0, 1), (0, 1, 1), (0, 1, 2)]
    codes = estimator.transform(TABLE)
    assert rows[0]["score"] == pytest.approx(estimator.prior_.score(codes), rel=1e-6)


def test_partial_fit_is_a_fit_of_one_epoch():
    recorder = Recorder()
    estimator = MLPClassifier((4,), random_state=0).set_callbacks(recorder)
    estimator.partial_fit(TABLE, LABELS, classes=["less", "more"]).partial_fit(TABLE, LABELS)
    names = [entry if isinstance(entry, str) else entry[2] for entry in recorder.seen]
    assert names == 2 * ["setup", "partial-fit", "epoch", "epoch", "partial-fit", "teardown"]
    assert estimator.set_params(warm_start=True, max_iter=2).fit(TABLE, LABELS).n_iter_ == 2


def test_scores_are_weighted_by_sample_weight():
    weight, callback = np.arange(60.0), ScoringMonitor(scoring="r2")
    estimator = MLPRegressor(hidden_layer_sizes=(4,), max_iter=2, random_state=0).set_callbacks(callback)
    estimator.fit(TABLE, TABLE[:, 0], sample_weight=weight)
    expected = estimator.score(TABLE, TABLE[:, 0], sample_weight=weight)
    assert callback.get_logs().data[-1]["r2"] == pytest.approx(expected)
    assert expected != pytest.approx(estimator.score(TABLE, TABLE[:, 0]))


def test_a_callback_that_fails_leaves_an_unfitted_estimator_and_is_torn_down(case):
    estimator, data = case

    def fail(estimator, fitted):
        raise RuntimeError("no more")

    callback = Each(fail)
    with pytest.raises(RuntimeError, match="no more"):
        estimator.set_callbacks(callback).fit(*data)
    assert callback.torn_down
    assert not {"weights_", "coefs_", "_callback_fit_ctx"} & set(vars(estimator))
    assert np.isfinite(estimator.set_callbacks().fit(*data).score(*data))


def test_a_bad_parameter_is_told_before_anything_is_set_up():
    recorder = Recorder()
    with pytest.raises(ValueError, match="max_iter"):
        VQVAETransformer(max_iter=0).set_callbacks(recorder).fit(TABLE)
    assert recorder.seen == []


def test_hooks_may_take_gradients_of_their_own():
    gradients = []

    def differentiate(estimator, fitted):
        x = torch.ones(2, requires_grad=True)
        (x * 3).sum().backward()
        gradients.append(x.grad.tolist())

    MLPClassifier((4,), max_iter=1).set_callbacks(Each(differentiate)).fit(TABLE, LABELS)
    assert gradients == [[3.0, 3.0]]


def callbacks_of(estimator):
    """Return the callbacks of an estimator, which scikit-learn gives no public name."""
    return vars(estimator)["_skl_callbacks"]


@pytest.mark.parametrize("name", ["MLPClassifier", "VQVAETransformer", "PixelCNN"])
def test_fitted_estimators_with_callbacks_are_pickled_and_cloned(name):
    estimator, data = CASES[name]
    callback = ProgressBar()
    fitted = clone(estimator).set_callbacks(callback).fit(*data)
    restored = pickle.loads(pickle.dumps(fitted))
    assert restored.score(*data) == fitted.score(*data)
    assert [type(found) for found in callbacks_of(restored)] == [ProgressBar]
    assert callbacks_of(clone(fitted)) == [callback]  # as scikit-learn does it
    assert restored.fit(*data).score(*data) == pytest.approx(fitted.score(*data))


def test_images_and_their_layout_reach_the_scorer():
    images = RANDOM.random((30, 8, 8))
    callback = monitor()
    small = {"channels": 4, "n_blocks": 1, "max_iter": 1, "early_stopping": False, "random_state": 0}
    estimator = VQVAETransformer(8, prior=None, **small).set_callbacks(callback).fit(images)
    assert callback.get_logs().data[-1]["score"] == pytest.approx(estimator.score(images), rel=1e-5)

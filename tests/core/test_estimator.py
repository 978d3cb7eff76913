"""The template of a fit, on the smallest network there is: one that learns the mean of the rows."""

import pickle
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skvq import AutoEncoderTransformer
from skvq.core.callbacks import FitTask, with_callbacks
from skvq.core.estimator import Budget, Fitting, NetworkEstimator, Recipe, Start, forgets_failure
from skvq.persistence.records import from_json
from skvq.training.batches import Rows
from skvq.training.loop import Objective

X = np.random.default_rng(0).normal(3.0, 1.0, size=(40, 2))
FAR = X + 100.0


@dataclass(frozen=True)
class Width:
    """The architecture of a Centre."""

    width: int


class Centre(nn.Module):
    """A vector of `width` numbers, (width,)."""

    def __init__(self, width):
        super().__init__()
        self.centre = nn.Parameter(torch.zeros(width))


class SquaredDistance(Objective):
    """The mean squared distance of the rows from the centre, and its opposite under another name."""

    def terms(self, batch):
        loss = (batch - self.module.centre).square().mean()
        return {"loss": loss, "nearness": -loss}


class MeanEstimator(NetworkEstimator):
    """Learns the mean of X. `automatic` holds rows out, `judges` compares the epochs on the training rows."""

    def __init__(
        self,
        automatic=False,
        judges=False,
        monitor="loss",
        *,
        alpha=0.0,
        batch_size="auto",
        learning_rate_init="auto",
        max_iter="auto",
        early_stopping="auto",
        validation_fraction=0.1,
        tol=1e-4,
        n_iter_no_change=None,
        precision="float32",
        device="cpu",
        random_state=0,
        verbose=0,
    ):
        self.automatic = automatic
        self.judges = judges
        self.monitor = monitor
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.precision = precision
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    @forgets_failure
    def fit(self, X, X_val=None):
        task = FitTask(self, X)
        held_out = None if X_val is None else Rows(X_val)
        fitting = self._fit_network(Rows(X), held_out, self._generator(), task)
        self.seen_ = fitting.rows.take(slice(None)).numpy()
        self.held_out_ = None if fitting.held_out is None else fitting.held_out.take(slice(None)).numpy()
        task.end()
        return self

    def centre(self):
        return self._network().centre.detach().numpy()

    @staticmethod
    def _build(architecture, generator):
        return Centre(from_json(Width, architecture).width)

    def _recipe(self, rows, held_out):
        holds_out = self._holds_out(held_out, self.automatic)
        self.promised_ = self._n_training(rows, holds_out)
        return Recipe(
            Width(rows.shape[0]),
            Budget(max_iter=7, batch_size=8, learning_rate_init=0.05),
            holds_out,
            lambda architecture, rows, generator: Start(Centre(architecture.width), architecture, {"started": True}),
            lambda start, generator: SquaredDistance(start.module),
            monitor=self.monitor,
            judges_itself=self.judges,
        )

    def _learned(self, fitting):
        drawn = float(torch.rand((), generator=fitting.generator))
        return {"norm_": float(fitting.module.centre.detach().norm()), "notes_": fitting.notes, "drawn_": drawn}


def test_a_long_enough_fit_finds_the_mean():
    model = MeanEstimator(max_iter=300, learning_rate_init=0.1).fit(X)
    np.testing.assert_allclose(model.centre(), X.mean(axis=0), atol=1e-2)  # the last steps are small ones of batches
    assert model.norm_ == pytest.approx(np.linalg.norm(model.centre()))
    assert model.notes_ == {"started": True}


@pytest.mark.parametrize(
    ("held_out", "judges", "expected"),
    [(None, False, 60), (X, False, 15), (None, True, 60)],  # a quarter of 60 epochs after the start
)
def test_automatic_patience_ends_a_training_that_held_out_rows_judge(held_out, judges, expected):
    options = {"max_iter": 60, "learning_rate_init": 1e-12, "judges": judges}
    assert MeanEstimator(n_iter_no_change="auto", **options).fit(X, X_val=held_out).n_iter_ == expected
    assert MeanEstimator(n_iter_no_change=None, **options).fit(X, X_val=held_out).n_iter_ == 60


def test_auto_takes_the_budget_of_the_recipe_and_a_number_takes_its_place():
    model = MeanEstimator().fit(X)
    assert model.n_iter_ == len(model.loss_curve_) == 7
    # Below the whole rate in the warm-up and the decay: with 5 batches of 8 rows no step is longer than the rate.
    assert 0 < model.norm_ <= 7 * 5 * 0.05 * np.sqrt(2)
    assert MeanEstimator(max_iter=2).fit(X).n_iter_ == 2
    slow = MeanEstimator(learning_rate_init=1e-6, batch_size=40).fit(X)
    assert 0 < slow.norm_ <= 7 * 1e-6 * np.sqrt(2) * (1 + 1e-3)


@pytest.mark.parametrize("validation_fraction", [0.01, 0.1, 0.25, 0.9])
@pytest.mark.parametrize("n_rows", [2, 9, 25, 40])
def test_the_split_has_the_size_that_the_recipe_was_told_of_and_loses_no_row(n_rows, validation_fraction):
    model = MeanEstimator(automatic=True, max_iter=1, validation_fraction=validation_fraction)
    if n_rows - max(1, round(n_rows * validation_fraction)) < 1:
        with pytest.raises(ValueError, match="none is left to train on"):
            model.fit(X[:n_rows])
        return
    model.fit(X[:n_rows])
    assert len(model.seen_) == model.promised_
    assert len(model.held_out_) == max(1, round(n_rows * validation_fraction))
    together = np.concatenate([model.seen_, model.held_out_])
    np.testing.assert_array_equal(np.sort(together, axis=0), np.sort(X[:n_rows].astype(np.float32), axis=0))


@pytest.mark.parametrize(
    ("early_stopping", "automatic", "holds_out"),
    [("auto", True, True), ("auto", False, False), (True, False, True), (False, True, False)],
)
def test_early_stopping_decides_whether_rows_are_held_out(early_stopping, automatic, holds_out):
    model = MeanEstimator(automatic, early_stopping=early_stopping).fit(X)
    assert (model.held_out_ is not None) == holds_out
    assert len(model.validation_loss_curve_) == (7 if holds_out else 0)
    assert (model.best_iter_ is not None) == holds_out


@pytest.mark.parametrize("early_stopping", ["auto", True, False])
def test_rows_that_the_user_holds_out_are_taken_in_place_of_a_split(early_stopping):
    model = MeanEstimator(automatic=True, early_stopping=early_stopping).fit(X, X_val=FAR[:5])
    np.testing.assert_array_equal(model.held_out_, FAR[:5].astype(np.float32))
    assert len(model.seen_) == len(X)
    assert len(model.validation_loss_curve_) == 7
    assert (model.best_iter_ is None) == (early_stopping is False)


def test_the_epoch_with_the_lowest_monitored_term_on_held_out_rows_is_kept():
    options = {"max_iter": 60, "learning_rate_init": 0.3}
    nearest = MeanEstimator(**options).fit(X, X_val=X[:5])
    assert nearest.best_iter_ == int(np.argmin(nearest.history_["validation_loss"])) + 1
    found = np.square(X[:5] - nearest.centre()).mean()
    assert found == pytest.approx(min(nearest.history_["validation_loss"]), rel=1e-5)
    farthest = MeanEstimator(monitor="nearness", **options).fit(X, X_val=X[:5])
    assert farthest.best_iter_ == 0  # before the first step it is as far away as ever
    np.testing.assert_array_equal(farthest.centre(), 0.0)


def test_a_network_that_judges_itself_keeps_its_best_epoch_on_the_training_rows_and_records_none_as_held_out():
    options = {"max_iter": 20, "learning_rate_init": 5.0, "batch_size": 4}  # which overshoots
    judged, plain = (MeanEstimator(judges=judges, **options).fit(X) for judges in (True, False))
    assert plain.best_iter_ is None
    assert judged.best_iter_ is not None
    errors = [np.square(X - model.centre()).mean() for model in (judged, plain)]
    assert errors[0] <= errors[1]
    assert sorted(judged.history_) == ["loss", "nearness"]
    assert judged.validation_loss_curve_ == []
    assert MeanEstimator(judges=True, early_stopping=False, **options).fit(X).best_iter_ is None


def test_a_network_that_judges_itself_keeps_its_start_where_training_only_hurts():
    model = MeanEstimator(judges=True, max_iter=3, learning_rate_init=100.0).fit(np.zeros((20, 2)))
    assert model.best_iter_ == 0
    np.testing.assert_array_equal(model.centre(), 0.0)


def learned(model):
    return [name for name in vars(model) if name.endswith("_")]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_fit_that_fails_forgets_the_one_before(failure, monkeypatch):
    model = MeanEstimator().fit(X)
    model.centre()  # builds the network

    def fail(objective, batch):
        raise failure("no more")

    monkeypatch.setattr(SquaredDistance, "terms", fail)
    with pytest.raises(failure, match="no more"):
        model.fit(FAR)
    assert learned(model) == []
    assert vars(model).keys() == model.get_params().keys()
    with pytest.raises(NotFittedError):
        check_is_fitted(model)
    with pytest.raises(NotFittedError):
        model.centre()


def test_a_refit_starts_afresh():
    model = MeanEstimator().fit(FAR).fit(X)
    np.testing.assert_array_equal(model.centre(), MeanEstimator().fit(X).centre())


def test_what_was_fitted_so_far_leaves_the_training_untouched():
    model, module = MeanEstimator(), Centre(2).train()
    with torch.no_grad():
        module.centre.copy_(torch.tensor([3.0, 4.0]))
    generator = torch.Generator().manual_seed(3)
    fitting = Fitting(module, Width(2), Rows(X), None, generator, {"started": True})
    before, state = module.centre.detach().clone(), generator.get_state()
    found = model._fitted_so_far(fitting)
    assert found["norm_"] == pytest.approx(5.0)
    np.testing.assert_array_equal(found["weights_"]["centre"], [3.0, 4.0])
    found["weights_"]["centre"][:] = -1.0
    with torch.no_grad():
        found["_module"].centre.fill_(-2.0)
    found["notes_"]["more"] = 1
    assert torch.equal(module.centre.detach(), before)
    assert module.training
    assert module.centre.requires_grad
    assert not found["_module"].training
    assert not found["_module"].centre.requires_grad
    assert fitting.notes == {"started": True}
    assert torch.equal(generator.get_state(), state)
    assert found["drawn_"] == float(torch.rand((), generator=generator))  # as at the end of a fit that ends there
    assert vars(model).keys() == model.get_params().keys()


def test_weights_are_copies_and_the_network_is_built_from_them():
    model = MeanEstimator().fit(X)
    expected = model.centre().copy()
    model._network().centre.data.add_(1.0)
    np.testing.assert_array_equal(model.weights_["centre"], expected)
    restored = pickle.loads(pickle.dumps(model))
    assert "_module" not in vars(restored)
    np.testing.assert_array_equal(restored.centre(), expected)
    assert not restored._network().centre.requires_grad


def test_equal_seeds_give_equal_bits_and_the_global_generators_and_threads_are_left_alone():
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    first, again, other = (MeanEstimator(random_state=seed).fit(X) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.centre(), again.centre())
    assert not np.array_equal(first.centre(), other.centre())  # in another order of the rows
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.get_num_threads() == threads


def test_a_network_that_is_on_its_device_is_not_moved_again(monkeypatch):
    # Moving sets all parameters anew, and of several threads that did so at once some never came back.
    X = np.random.default_rng(0).normal(size=(40, 5))
    model = AutoEncoderTransformer(2, hidden_layer_sizes=(4,), max_iter=1, random_state=0).fit(X)
    expected, moved = model.transform(X), []
    monkeypatch.setattr(torch.nn.Module, "_apply", lambda self, *args, **options: moved.append(self) or self)
    np.testing.assert_array_equal(model.transform(X), expected)
    assert moved == []

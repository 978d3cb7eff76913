import warnings

import numpy as np
import pytest
import torch
from torch import nn

from skvq.training.batches import Rows
from skvq.training.checkpoints import Checkpoint
from skvq.training.loop import Loop, Objective, Settings, learning_rate_factor


class LeastSquares(Objective):
    """Predict the last column from the others; optionally do something at a given step."""

    def __init__(self, n_features, at_step=None, action=None):
        super().__init__(nn.utils.skip_init(nn.Linear, n_features, 1))
        nn.init.zeros_(self.module.weight)
        nn.init.zeros_(self.module.bias)
        self.at_step, self.action, self.step, self.states = at_step, action, 0, []

    def terms(self, batch):
        if self.module.training:
            self.step += 1
            if self.step == self.at_step:
                self.action(self)
        residual = self.module(batch[:, :-1])[:, 0] - batch[:, -1]
        return {"loss": residual.square().mean(), "bias": self.module.bias.abs().mean()}


def make_rows(n=64, seed=0, noise=0.0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    y = X @ [1.0, -2.0, 0.5] + 0.3 + noise * rng.normal(size=n)
    return Rows(np.column_stack([X, y]))


def generator():
    return torch.Generator().manual_seed(0)


def test_least_squares_is_solved():
    objective = LeastSquares(3)
    history = Loop(objective, make_rows(), Settings(300, 16, 0.05), generator()).run()
    np.testing.assert_allclose(objective.module.weight.detach(), [[1.0, -2.0, 0.5]], atol=1e-3)
    np.testing.assert_allclose(objective.module.bias.detach(), [0.3], atol=1e-3)
    assert history.n_iter == 300
    assert history.n_steps == 300 * 4
    assert len(history.terms["loss"]) == len(history.terms["bias"]) == 300


def test_recorded_terms_are_means_over_rows_not_over_batches():
    rows = make_rows(n=33)  # batches of 32 and 1
    objective = LeastSquares(3)
    target = rows.take(slice(0, 33))[:, -1]
    history = Loop(objective, rows, Settings(1, 32, 1e-12), generator()).run()
    assert history.terms["loss"][0] == pytest.approx(float(target.square().mean()), rel=1e-5)


def test_the_weights_of_the_best_epoch_on_held_out_rows_are_restored():
    training, held_out = make_rows(8, noise=3.0), make_rows(64, seed=1)
    objective = LeastSquares(3)
    loop = Loop(objective, training, Settings(200, 4, 0.1), generator(), validation_rows=held_out)
    history = loop.run()
    curve = history.terms["validation_loss"]
    assert history.best_iter == int(np.argmin(curve)) + 1
    assert history.best_iter < 200
    assert loop.evaluate(held_out)["loss"] == pytest.approx(min(curve), rel=1e-6)


def test_the_weights_before_the_first_epoch_are_kept_where_training_only_hurts():
    objective = LeastSquares(3)
    with torch.no_grad():  # the solution
        objective.module.weight.copy_(torch.tensor([[1.0, -2.0, 0.5]]))
        objective.module.bias.fill_(0.3)
    loop = Loop(
        objective, make_rows(8, noise=3.0), Settings(5, 4, 0.1), generator(), validation_rows=make_rows(64, seed=1)
    )
    assert loop.run().best_iter == 0
    np.testing.assert_allclose(objective.module.weight.detach(), [[1.0, -2.0, 0.5]])


def test_a_plateau_ends_the_training():
    settings = Settings(1000, 64, 0.05, tol=1e-3, n_iter_no_change=5)
    history = Loop(LeastSquares(3), make_rows(), settings, generator()).run()
    assert history.n_iter < 1000
    assert history.stopped == "no_change"
    best = np.minimum.accumulate(history.terms["loss"])
    assert np.all(best[-6] - np.array(history.terms["loss"][-5:]) < 1e-3)


def test_a_non_finite_loss_names_epoch_and_learning_rate():
    def spoil(objective):
        with torch.no_grad():
            objective.module.weight.fill_(float("nan"))

    objective = LeastSquares(3, at_step=6, action=spoil)
    settings = Settings(10_000, 16, 0.125, warmup=0.0)  # so long that the rate has hardly begun to fall
    with pytest.raises(ValueError, match=r"nan in epoch 2 at a learning rate of 0\.125"):
        Loop(objective, make_rows(), settings, generator()).run()


def interrupt(objective):
    raise KeyboardInterrupt


class StopsAfter:
    """An observer that asks to stop after some epochs."""

    def __init__(self, n_epochs):
        self.left = n_epochs

    def epoch_begins(self):
        self.left -= 1

    def epoch_ends(self):
        return self.left == 0


def test_an_interrupt_keeps_the_state_after_the_last_complete_epoch():
    settings = Settings(50, 16, 0.1, warmup=0.0)
    stopped = LeastSquares(3)
    Loop(stopped, make_rows(), settings, generator(), observer=StopsAfter(2)).run()
    broken = LeastSquares(3, at_step=11, action=interrupt)  # four steps an epoch: in the middle of the third
    with pytest.warns(UserWarning, match="after epoch 2 of 50; the state is kept"):
        history = Loop(broken, make_rows(), settings, generator()).run()
    assert history.n_iter == 2
    assert torch.equal(stopped.module.weight, broken.module.weight)


def test_an_interrupt_in_the_first_epoch_is_let_through():
    with pytest.raises(KeyboardInterrupt):
        Loop(LeastSquares(3, at_step=2, action=interrupt), make_rows(), Settings(5, 16, 0.1), generator()).run()


def test_gradients_are_clipped_to_the_norm():
    norms = []

    class Recording(LeastSquares):
        def after_step(self, progress):
            norms.append(float(torch.cat([p.grad.flatten() for p in self.module.parameters()]).norm()))

    Loop(Recording(3), make_rows(), Settings(2, 16, 1e-3, max_grad_norm=0.25), generator()).run()
    assert max(norms) <= 0.25 + 1e-6
    assert max(norms) > 0.24  # it was larger before


def test_verbose_lines_show_every_term(capsys):
    Loop(LeastSquares(3), make_rows(), Settings(2, 16, 0.1, verbose=2, name="demo"), generator()).run()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("[demo] ")
    assert lines[1].split() == ["epoch", "loss", "bias", "time", "left"]
    assert [line.split()[0] for line in lines[2:5]] == ["1/2", "2/2", "kept"]


def test_the_global_generator_is_left_alone():
    before = torch.random.get_rng_state()
    Loop(LeastSquares(3), make_rows(), Settings(2, 16, 0.1), generator()).run()
    assert torch.equal(before, torch.random.get_rng_state())


def test_equal_seeds_give_equal_weights():
    first, second = LeastSquares(3), LeastSquares(3)
    for objective in (first, second):
        Loop(objective, make_rows(), Settings(5, 16, 0.1), generator()).run()
    assert torch.equal(first.module.weight, second.module.weight)


def test_the_rate_warms_up_linearly_and_decays_to_zero():
    factors = [learning_rate_factor(step, 100, 10) for step in range(100)]
    np.testing.assert_allclose(factors[:10], np.arange(1, 11) / 10)
    np.testing.assert_allclose(factors[10:], 0.5 * (1 + np.cos(np.pi * np.arange(90) / 90)))


def test_half_an_epoch_takes_half_of_its_steps_from_the_same_order_of_rows():
    seen = {}
    for max_iter in (3, 2.5):
        rows, objective = make_rows(n=64), LeastSquares(3)
        batches = seen[max_iter] = []
        objective.after_step = lambda progress, batches=batches: batches.append(progress)
        history = Loop(objective, rows, Settings(max_iter, 16, 1e-12), generator()).run()
        assert history.n_iter == len(history.terms["loss"]) == 3
        assert history.n_steps == len(batches) == 4 * max_iter
    assert seen[2.5] == pytest.approx(np.arange(1, 11) / 10)


def test_a_part_of_an_epoch_goes_on_from_its_last_step(tmp_path, monkeypatch):
    settings, whole, cut_off = Settings(1.5, 16, 0.1), LeastSquares(3), LeastSquares(3)
    Loop(whole, make_rows(), settings, generator()).run()
    checkpoint = Checkpoint(tmp_path / "fit", 0.0, {})
    loop = Loop(cut_off, make_rows(), settings, generator(), checkpoint=checkpoint)
    with monkeypatch.context() as patched:  # cut off after the last step of all
        patched.setattr(Loop, "_judge", lambda self, values, epoch: epoch == 2 and 1 / 0)
        with pytest.raises(ZeroDivisionError):
            loop.run()
    assert loop.history.n_steps == 6
    resumed = LeastSquares(3)
    history = Loop(resumed, make_rows(), settings, generator(), checkpoint=Checkpoint(tmp_path / "fit", 0.0, {})).run()
    assert history.n_steps == 6
    assert torch.equal(resumed.module.weight, whole.module.weight)


def test_no_warning_is_raised_by_an_ordinary_run():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = Loop(LeastSquares(3), make_rows(), Settings(2, 16, 0.1), generator()).run()
    assert (history.n_iter, history.stopped) == (2, "max_iter")

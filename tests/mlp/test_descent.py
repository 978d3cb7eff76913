"""Stochastic descent: scripted losses and scores for the rules, small real networks for what happens to weights."""

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning

from skvq.mlp.autograd import AutogradNetwork
from skvq.mlp.descent import Descent, DescentSettings, TrainingState, add_penalty
from skvq.mlp.gather import Samples
from skvq.mlp.losses import SquaredError
from skvq.mlp.network import DenseNetwork, Parameters
from skvq.mlp.optimizers import SGD
from skvq.mlp.rates import Adaptive, Cosine, InverseScaling, LearningRate

QUIETLY = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Scripted:
    """A network of one weight and one bias whose loss per row is read from a list, a batch at a time."""

    def __init__(self, losses, gradient=(1.0, 1.0)):
        self.losses = iter(losses)
        self.parameters, self.gradient = Parameters((1, 1), torch.float64), Parameters((1, 1), torch.float64)
        self.slope = torch.tensor(gradient, dtype=torch.float64)
        self.batches = []

    def state(self):
        return [self.parameters.flat]

    def training_mode(self):
        return torch.no_grad()

    def reported(self, loss):
        return float(loss)

    def accumulate(self, x, y, weight, scale, *, first):
        assert first
        self.batches.append(x[:, 0].tolist())
        self.gradient.flat.copy_(self.slope)
        loss = next(self.losses)
        if isinstance(loss, type):
            raise loss
        return loss * (len(x) if weight is None else float(weight.sum()))


class Recorded(LearningRate):
    """A constant rate that writes down what it is told."""

    def __init__(self, initial=1.0):
        super().__init__(initial, 100)
        self.steps, self.rows = [], []

    def at(self, step):
        self.steps.append(step)
        return super().at(step)

    def epoch_ends(self, n_rows_seen):
        self.rows.append(n_rows_seen)


def settings(**changes):
    told = {"max_iter": 50, "batch_size": 10, "shuffle": True, "alpha": 0.0, "tol": 0.1, "n_iter_no_change": 2}
    told |= {"max_grad_norm": None, "early_stopping": False, "verbose": 0} | changes
    return DescentSettings(**told)


def numbered(n=10, weight=None):
    """Rows that hold their own number."""
    X = np.arange(float(n)).reshape(-1, 1)
    return Samples(X, X, weight, torch.float64, torch.float64)


def descend(network, *, rate=None, samples=None, state=None, validate=None, one_epoch=False, seed=0, **changes):
    """Run a descent without momentum and return it."""
    optimizer = SGD(network.parameters.flat, network.gradient.flat, momentum=0.0, nesterov=False)
    told = settings(**changes)
    if state is None:
        state = TrainingState(best_loss=None, best_score=-np.inf, validation_scores=[])
        state = state if told.early_stopping else TrainingState()
    samples = numbered() if samples is None else samples
    random_state = np.random.RandomState(seed)
    descent = Descent(network, optimizer, rate or Recorded(), samples, told, random_state, state, validate)
    descent.run(one_epoch=one_epoch)
    return descent


def watched(scores, losses=None):
    """A stand-in for held-out rows that reads scores from a list."""
    pairs = zip(scores, losses or [0.0] * len(scores))
    return lambda: next(pairs)


@pytest.mark.parametrize(
    ("losses", "n_iter"),
    [
        ([5, 4, 3, 3, 3, 3, 3], 6),  # the third epoch without change is one too many
        ([5, 4, 3, 3, 3, 2, 2, 2, 2, 2], 9),  # a fall starts the count again
        ([5, 4.95, 4.9, 4.85, 4.8], 4),  # falls by less than tol are no change
        ([5, 4.89, 4.78, 4.67, 4.9, 4.9, 4.9, 1], 7),
        ([5, 6, 7, 8, 1], 4),
    ],
)
def test_training_stops_when_the_loss_has_not_fallen_for_some_epochs(losses, n_iter):
    descent = descend(Scripted(losses))
    assert descent.state.n_iter == n_iter
    assert descent.state.loss_curve == pytest.approx(losses[:n_iter])
    assert descent.state.loss == losses[n_iter - 1]
    assert descent.state.best_loss == min(losses[:n_iter])


def test_infinite_patience_trains_to_the_last_epoch_and_warns():
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(30\) reached"):
        descent = descend(Scripted([1.0] * 30), max_iter=30, n_iter_no_change=np.inf)
    assert descent.state.n_iter == 30


def test_stopping_in_time_warns_of_nothing(recwarn):
    descend(Scripted([1.0] * 30), max_iter=30)
    assert not recwarn


@QUIETLY
def test_a_tolerance_of_zero_takes_every_fall_and_every_draw():
    losses = [1.0, 0.999, 0.998, 0.997, 0.997, 0.997, 0.997, 0.998, 0.998, 0.998]
    assert descend(Scripted(losses), tol=0.0).state.n_iter == 10


@pytest.mark.parametrize(
    ("scores", "n_iter", "best"),
    [
        ([0.1, 0.3, 0.3, 0.3, 0.3, 0.9], 5, 2),
        ([0.1, 0.3, 0.35, 0.36, 0.37, 0.9], 5, 5),  # rises by less than tol are kept but do not count
        ([0.1, 0.3, 0.2, 0.5, 0.4, 0.4, 0.4, 0.9], 7, 4),
        ([-3.0, -2.0, -5.0, -5.0, -5.0, 0.9], 5, 2),
        ([0.1, np.nan, 0.3, 0.3, 0.3, 0.3, 0.9], 6, 3),
    ],
)
def test_early_stopping_keeps_the_weights_of_the_best_score(scores, n_iter, best):
    network = Scripted([1.0] * 10)
    held_out = list(range(len(scores)))
    descent = descend(network, validate=watched(scores, held_out), early_stopping=True)
    state = descent.state
    assert state.n_iter == n_iter
    np.testing.assert_array_equal(state.validation_scores, scores[:n_iter])
    assert state.validation_loss_curve == held_out[:n_iter]
    assert state.best_score == scores[best - 1]
    assert state.best_loss is None
    assert network.parameters.flat.tolist() == [-best, -best]  # each epoch moves by -1


@QUIETLY
def test_held_out_rows_without_early_stopping_are_watched_only():
    network = Scripted([5, 4, 3, 2])
    descent = descend(network, max_iter=4, validate=watched([None] * 4, [1.0, 2.0, 3.0, 4.0]))
    assert descent.state.validation_loss_curve == [1.0, 2.0, 3.0, 4.0]
    assert descent.state.validation_scores is None
    assert network.parameters.flat.tolist() == [-4, -4]


@QUIETLY
def test_the_best_state_holds_running_means_too():
    network = AutogradNetwork((1, 3, 1), "tanh", SquaredError(), torch.float64, normalization="batch")
    network.parameters.flat.normal_(generator=torch.Generator().manual_seed(0))
    seen = []

    def validate():
        seen.append([tensor.clone() for tensor in network.state()])
        return [0.5, 0.9, 0.1][len(seen) - 1], 0.0

    descend(network, rate=Recorded(0.01), max_iter=3, validate=validate, early_stopping=True)
    for tensor, best, last in zip(network.state(), seen[1], seen[2], strict=True):
        assert torch.equal(tensor, best)
        assert not torch.equal(tensor, last)


def test_a_stalled_adaptive_rate_is_divided_and_training_goes_on():
    network, rate = Scripted([1.0] * 100), Adaptive(1e-5, 100)
    descent = descend(network, rate=rate)
    # 1e-5, 2e-6 and 4e-7, the first for one epoch more, since its first loss is the best so far
    assert descent.state.n_iter == 4 + 3 + 3
    assert rate.rate == pytest.approx(4e-7)
    moved = 4 * 1e-5 + 3 * 2e-6 + 3 * 4e-7
    np.testing.assert_allclose(network.parameters.flat, -moved)


def test_what_is_said_is_said_only_if_asked_for(capsys):
    descend(Scripted([1.0] * 9))
    assert capsys.readouterr().out == ""
    descend(Scripted([3.0, 1.0, 1.0, 1.0, 1.0]), verbose=1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["Iteration 1, loss = 3.00000000", "Iteration 2, loss = 1.00000000"]
    assert lines[-1] == "Training loss did not improve more than tol=0.100000 for 2 consecutive epochs. Stopping."
    descend(Scripted([1.0] * 9), verbose=1, early_stopping=True, validate=watched([0.25] * 9))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "Validation score: 0.250000"
    assert lines[-1].startswith("Validation score did not improve more than tol=0.100000")


@QUIETLY
def test_every_row_comes_once_an_epoch_in_an_order_of_the_random_state():
    network = Scripted([1.0] * 12)
    descend(network, batch_size=4, max_iter=3, n_iter_no_change=9)
    random_state, order = np.random.RandomState(0), np.arange(10)
    for epoch in range(3):
        batches = network.batches[3 * epoch : 3 * epoch + 3]
        assert [len(batch) for batch in batches] == [4, 4, 2]
        order = order[random_state.permutation(10)]
        assert np.concatenate(batches).tolist() == order.tolist()


@QUIETLY
@pytest.mark.parametrize(("batch_size", "shuffle"), [(4, False), (10, True), (10, False)])
def test_rows_come_in_order_without_shuffling_and_in_a_single_batch(batch_size, shuffle):
    network = Scripted([1.0] * 12)
    descend(network, batch_size=batch_size, shuffle=shuffle, max_iter=2)
    assert np.concatenate(network.batches).tolist() == [*range(10), *range(10)]


@QUIETLY
def test_the_loss_of_an_epoch_is_the_mean_over_its_rows():
    descent = descend(Scripted([1.0, 2.0, 4.0]), batch_size=4, max_iter=1)
    assert descent.state.loss == pytest.approx((4 * 1.0 + 4 * 2.0 + 2 * 4.0) / 10)


@QUIETLY
def test_the_rate_is_told_every_step_and_every_epoch():
    rate = Recorded()
    descend(Scripted([1.0] * 12), rate=rate, batch_size=4, max_iter=3, n_iter_no_change=9)
    assert rate.steps == list(range(9))
    assert rate.rows == [10, 20, 30]


@QUIETLY
@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: Cosine(0.5, 9, 0.0), [0.25 * (1 + np.cos(np.pi * t / 9)) for t in range(9)]),
        (lambda: LearningRate(0.5, 9, 1 / 3), [0.5 / 3, 1 / 3, *[0.5] * 7]),
        (lambda: Cosine(0.5, 9, 2 / 9), [0.25, 0.5, *[0.25 * (1 + np.cos(np.pi * t / 7)) for t in range(7)]]),
        (lambda: InverseScaling(0.5, 9, power=0.5), [0.5 / np.sqrt(1 + 10 * (t // 3)) for t in range(9)]),
    ],
    ids=["cosine", "warm-up", "warm-up, cosine", "invscaling"],
)
def test_steps_are_as_long_as_the_schedule_says(make, expected):
    network = Scripted([1.0] * 9)
    descend(network, rate=make(), batch_size=4, max_iter=3, n_iter_no_change=9)
    assert float(network.parameters.flat[0]) == pytest.approx(-sum(expected))


@QUIETLY
@pytest.mark.parametrize(("max_grad_norm", "factor"), [(None, 1.0), (10.0, 1.0), (5.0, 1.0), (1.0, 0.2), (0.5, 0.1)])
def test_a_long_gradient_is_shortened_to_the_norm(max_grad_norm, factor):
    network = Scripted([1.0], gradient=(3.0, 4.0))
    descend(network, max_iter=1, max_grad_norm=max_grad_norm)
    np.testing.assert_allclose(network.parameters.flat, [-3.0 * factor, -4.0 * factor])


@QUIETLY
def test_the_norm_is_that_of_the_gradient_with_the_penalty():
    network = Scripted([1.0], gradient=(3.0, 4.0))
    network.parameters.penalized.fill_(5.0)
    descend(network, max_iter=1, max_grad_norm=1.0, alpha=10.0)  # the penalty's slope is 10 · 5 / 10 rows
    np.testing.assert_allclose(network.parameters.flat, [5.0 - 8 / np.hypot(8, 4), -4 / np.hypot(8, 4)])


def test_a_gradient_of_zero_is_not_shortened_to_nan():
    network = Scripted([1.0] * 5, gradient=(0.0, 0.0))
    descend(network, max_grad_norm=1.0)
    assert network.parameters.flat.tolist() == [0.0, 0.0]


def test_the_penalty_is_half_the_squares_of_the_weights_and_spares_the_biases():
    network = DenseNetwork((4, 3, 2), "relu", SquaredError(), torch.float64)
    network.parameters.flat.normal_(generator=torch.Generator().manual_seed(0))
    network.gradient.flat.fill_(1.0)
    coefs, _ = network.parameters.arrays(np.float64)
    assert add_penalty(network, 0.3) == pytest.approx(0.15 * sum((coef**2).sum() for coef in coefs))
    for weight, gradient in zip(network.parameters.weights, network.gradient.weights):
        np.testing.assert_allclose(gradient, 1 + 0.3 * weight)
    assert all((bias == 1).all() for bias in network.gradient.biases)


@QUIETLY
def test_the_penalty_is_divided_by_the_weight_of_the_batch_and_reported():
    network = Scripted([1.0], gradient=(0.0, 0.0))
    network.parameters.penalized.fill_(2.0)
    descent = descend(network, max_iter=1, alpha=3.0, samples=numbered(10, np.full(10, 0.5)))
    assert descent.state.loss == pytest.approx(1.0 + 0.5 * 3.0 / 5.0 * 4.0)
    assert float(network.parameters.penalized) == pytest.approx(2.0 - 3.0 / 5.0 * 2.0)


@QUIETLY
def test_a_batch_without_weight_takes_no_step():
    weight = np.array([1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 2.0])
    network, rate = Scripted([2.0, 4.0, 6.0]), Recorded()
    network.parameters.penalized.fill_(1.0)
    descend(network, rate=rate, samples=numbered(8, weight), batch_size=2, shuffle=False, max_iter=1, alpha=0.0)
    assert network.batches == [[0, 1], [4, 5], [6, 7]]
    assert rate.steps == [0, 1, 2]
    assert network.parameters.flat.tolist() == [-2.0, -3.0]


def runaway(learning_rate, **changes):
    """Descend a squared error at a rate that is far too high; the first loss is finite."""
    network = DenseNetwork((1, 1), "relu", SquaredError(), torch.float64)
    network.parameters.flat.fill_(1e100)
    return descend(network, rate=LearningRate(learning_rate, 1000), **changes)


def test_divergence_is_an_error_that_names_epoch_and_rate():
    # A step multiplies the weight by about 3e61: 1e100, 1e161, whose square is more than float64 holds.
    with pytest.raises(ValueError, match=r"non-finite parameter weights.* epoch 2 at a learning rate of 1e\+60"):
        runaway(1e60)


@QUIETLY
def test_divergence_in_the_last_step_of_all_is_an_error_too():
    with pytest.raises(ValueError, match="non-finite parameter weights.* epoch 1 at"):
        runaway(1e300, max_iter=1)
    with pytest.raises(ValueError, match="non-finite parameter weights.* epoch 1 at"):
        runaway(1e300, one_epoch=True)


@QUIETLY
def test_a_loss_that_is_not_finite_is_an_error_though_the_weights_are():
    with pytest.raises(ValueError, match="The loss was inf in epoch 2"):
        descend(Scripted([1.0, np.inf, 1.0, 0.5]), max_iter=4)


def test_divergence_with_early_stopping_warns_and_keeps_the_best_state():
    network = Scripted([1.0, 1.0, np.nan], gradient=(1.0, 1.0))

    def validate():
        if len(network.batches) == 2:
            network.parameters.flat.fill_(np.nan)
            return np.nan, np.nan
        return 0.5, 1.0

    with pytest.warns(ConvergenceWarning, match="diverged in epoch 3 at a learning rate of 1"):
        descent = descend(network, validate=validate, early_stopping=True)
    assert descent.state.n_iter == 3
    assert network.parameters.flat.tolist() == [-1.0, -1.0]


def test_an_interrupt_ends_training_and_keeps_what_there_is():
    network = Scripted([1.0, 0.5, KeyboardInterrupt])
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        descent = descend(network)
    assert network.parameters.flat.tolist() == [-2.0, -2.0]
    assert descent.state.loss_curve == [1.0, 0.5]


def test_an_interrupt_with_early_stopping_keeps_the_best_state():
    network = Scripted([1.0, 0.5, KeyboardInterrupt])
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        descend(network, validate=watched([0.9, 0.5]), early_stopping=True)
    assert network.parameters.flat.tolist() == [-1.0, -1.0]


def test_one_epoch_is_one_epoch_without_a_warning(recwarn):
    descent = descend(Scripted([1.0] * 9), one_epoch=True)
    assert descent.state.n_iter == 1
    assert descent.state.n_rows_seen == 10
    assert not recwarn


@QUIETLY
def test_a_further_run_goes_on_counting():
    state = TrainingState()
    descend(Scripted([3.0, 1.0]), max_iter=2, state=state)
    rate = Recorded()
    descend(Scripted([1.0] * 9), state=state, rate=rate)
    assert state.loss_curve == [3.0, 1.0, 1.0, 1.0, 1.0]
    assert state.n_iter == 3  # of the last run
    assert state.n_rows_seen == 50
    assert rate.rows == [30, 40, 50]


@QUIETLY
def test_descent_finds_the_line_through_its_points():
    network = DenseNetwork((1, 1), "relu", SquaredError(), torch.float64)
    X = np.linspace(-1, 1, 20).reshape(-1, 1)
    samples = Samples(X, 3 * X - 2, None, torch.float64, torch.float64)
    descent = descend(network, samples=samples, rate=LearningRate(0.3, 1), max_iter=200, tol=0.0, batch_size=5)
    coefs, intercepts = network.parameters.arrays(np.float64)
    np.testing.assert_allclose([coefs[0][0, 0], intercepts[0][0]], [3.0, -2.0], atol=1e-6)
    assert descent.state.loss < 1e-10


@QUIETLY
@pytest.mark.parametrize("make", [DenseNetwork, AutogradNetwork])
def test_a_trained_network_predicts_and_trains_on(make):
    network = make((1, 3, 1), "gelu", SquaredError(), torch.float64)
    network.parameters.flat.normal_(generator=torch.Generator().manual_seed(0))
    descend(network, rate=LearningRate(0.001, 1), max_iter=2, batch_size=4)
    x, y, _ = numbered().take(np.arange(4))  # as many rows as a batch had
    loss = float(network.loss_sum(x, y, None))
    assert loss == pytest.approx(0.5 * float((network.outputs(x) - y).square().sum()))
    descend(network, rate=LearningRate(0.001, 1), max_iter=2, batch_size=4)
    assert float(network.loss_sum(x, y, None)) < loss

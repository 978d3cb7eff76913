"""L-BFGS against closed forms, and its two stages of precision."""

import numpy as np
import pytest
import scipy.optimize
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skvq import MLPClassifier, MLPRegressor
from skvq.mlp import gather
from skvq.mlp.gather import Samples
from skvq.mlp.lbfgs import WholeGradient, minimise
from skvq.mlp.losses import Huber, Poisson, SquaredError
from skvq.mlp.network import DenseNetwork

TYPES = {"float32": torch.float32, "float64": torch.float64}
QUIETLY = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def patient(monkeypatch):
    """Let scipy stop by the slope alone, not by a loss that falls by less than 2e-9 of itself."""
    search = scipy.optimize.minimize

    def search_on(*args, options, **keywords):
        return search(*args, options=options | {"ftol": 0.0}, **keywords)

    monkeypatch.setattr(scipy.optimize, "minimize", search_on)


def rows(n=40):
    return np.random.default_rng(0).normal(size=(n, 3))


def responses(n=40):
    """Two columns: almost linear in the rows."""
    rng = np.random.default_rng(1)
    return rows(n) @ rng.normal(size=(3, 2)) + [1.0, -2.0] + 0.1 * rng.normal(size=(n, 2))


def stage(precision, hidden=(), X=None, y=None, weight=None, loss=None):
    """A network with the same drawn weights in either precision, and the rows."""
    X, y = rows() if X is None else X, responses() if y is None else y
    widths = (3, *hidden, y.shape[1])
    start = torch.empty(sum(a * b + b for a, b in zip(widths, widths[1:])), dtype=torch.float64)
    start.normal_(0, 0.3, generator=torch.Generator().manual_seed(0))
    dtype = TYPES[precision]
    network = DenseNetwork(widths, "tanh", loss or SquaredError(), dtype)
    network.parameters.flat.copy_(start)
    return network, Samples(X, y, weight, dtype, dtype)


def run(stages, **options):
    told = {"alpha": 0.0, "max_iter": 500, "max_fun": 5000, "tol": 1e-8, "after_iteration": lambda *args: None}
    return minimise(stages, **told | options)


def ridge(X, y, alpha, weight):
    """Minimum of Σ w ½ |y − X coef − intercept|² + ½ alpha |coef|²: coef (3, 2) and intercept (2,)."""
    X1 = np.column_stack([X, np.ones(len(X))])
    penalty = alpha * np.diag([1.0, 1.0, 1.0, 0.0])
    solution = np.linalg.solve(X1.T @ (weight[:, None] * X1) + penalty, X1.T @ (weight[:, None] * y))
    return solution[:3], solution[3]


def largest_slope(network, alpha):
    """Largest entry of the derivative, of a network with two layers, by autograd in float64."""
    coefs, intercepts = network.parameters.arrays(np.float64)
    leaves = [torch.from_numpy(array).requires_grad_() for array in (*coefs, *intercepts)]
    hidden = torch.tanh(torch.from_numpy(rows()) @ leaves[0] + leaves[2])
    residual = hidden @ leaves[1] + leaves[3] - torch.from_numpy(responses())
    penalty = leaves[0].square().sum() + leaves[1].square().sum()
    (0.5 * (residual.square().sum() + alpha * penalty) / len(rows())).backward()
    return max(float(leaf.grad.abs().max()) for leaf in leaves)


@pytest.mark.parametrize("alpha", [0.0, 3.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("precisions", [["float64"], ["float32", "float64"]], ids=["double", "single, double"])
@pytest.mark.usefixtures("patient")
def test_a_quadratic_problem_is_solved_exactly(alpha, weighted, precisions):
    weight = np.random.default_rng(2).uniform(0.2, 3.0, size=40) if weighted else None
    stages = [stage(precision, weight=weight) for precision in precisions]
    n_iter, loss = run(stages, alpha=alpha)
    weight = np.ones(40) if weight is None else weight
    coef, intercept = ridge(rows(), responses(), alpha, weight)
    found_coefs, found_intercepts = stages[-1][0].parameters.arrays(np.float64)
    np.testing.assert_allclose(found_coefs[0], coef, atol=1e-6)  # the slope is below 1e-8
    np.testing.assert_allclose(found_intercepts[0], intercept, atol=1e-6)
    residual = rows() @ coef + intercept - responses()
    data_loss = 0.5 * (weight @ residual**2).mean() / weight.sum()  # the mean over the outputs
    # weights are summed in the first precision
    assert loss == pytest.approx(data_loss + 0.5 * alpha * (coef**2).sum() / weight.sum(), rel=1e-8)
    assert 1 <= n_iter < 100


@QUIETLY
@pytest.mark.usefixtures("patient")
def test_the_second_stage_reaches_a_minimum_that_single_precision_cannot():
    only_single, double = stage("float32", (5,)), stage("float64", (5,))
    seen = []
    run([only_single], alpha=1.0, tol=1e-9)
    options = {"alpha": 1.0, "tol": 1e-9, "after_iteration": lambda *args: seen.append(args[2].dtype)}
    run([stage("float32", (5,)), double], **options)
    assert largest_slope(double[0], 1.0) < 2e-9
    assert largest_slope(only_single[0], 1.0) > 1e-7
    assert seen[0] == torch.float32
    assert seen[-1] == torch.float64
    changes = [before != after for before, after in zip(seen, seen[1:])]
    assert sum(changes) == 1


@pytest.mark.usefixtures("patient")
def test_both_ways_end_in_the_same_minimum():
    for hidden in [(), (5,)]:
        alone, second = stage("float64", hidden), stage("float64", hidden)
        losses = [run(stages, alpha=1.0, tol=1e-10)[1] for stages in ([alone], [stage("float32", hidden), second])]
        assert losses[0] == pytest.approx(losses[1], rel=1e-8)


@QUIETLY
@pytest.mark.parametrize("max_iter", [1, 2, 7])
def test_the_result_is_in_the_last_network_however_early_it_ends(max_iter):
    stages = [stage("float32", (5,)), stage("float64", (5,))]
    n_iter, loss = run(stages, max_iter=max_iter, alpha=0.5)
    assert n_iter == max_iter
    network, samples = stages[1]
    flat = network.parameters.flat.numpy().copy()
    assert loss == pytest.approx(evaluated(stage("float64", (5,)), flat, 0.5), rel=1e-9)
    assert network.parameters.flat.dtype == torch.float64
    assert not np.array_equal(flat, stage("float64", (5,))[0].parameters.flat)


def evaluated(staged, point, alpha):
    """The loss at a point as a user sees it: the mean over two outputs, and the penalty."""
    total, _ = WholeGradient([staged], 0.0)(point)
    staged[0].parameters.flat.copy_(torch.from_numpy(point))
    weights = staged[0].parameters.arrays(np.float64)[0]
    return total / 2 + 0.5 * alpha * sum((weight**2).sum() for weight in weights) / 40


def test_every_iteration_is_told_with_its_number_loss_and_network():
    told, network = [], stage("float64", (5,))

    def note(number, loss, present):
        told.append((number, loss))
        expected = evaluated(stage("float64", (5,)), present.parameters.flat.numpy().copy(), 0.5)
        assert loss == pytest.approx(expected, rel=1e-9)

    n_iter, _ = run([network], alpha=0.5, after_iteration=note)
    assert [number for number, _ in told] == list(range(1, n_iter + 1))
    assert np.all(np.diff([loss for _, loss in told][-3:]) < 1e-6)
    assert told[-1][1] < told[0][1]


@pytest.mark.parametrize("precisions", [["float64"], ["float32", "float64"]], ids=["double", "single, double"])
def test_too_few_iterations_warn(precisions):
    with pytest.warns(ConvergenceWarning, match=r"lbfgs failed to converge after 3 iteration\(s\).*max_iter \(now 3\)"):
        run([stage(precision, (5,)) for precision in precisions], max_iter=3)


@pytest.mark.parametrize("precisions", [["float64"], ["float32", "float64"]], ids=["double", "single, double"])
def test_too_few_evaluations_warn(precisions, monkeypatch):
    counted = []
    evaluate = WholeGradient.__call__
    monkeypatch.setattr(WholeGradient, "__call__", lambda self, point: counted.append(1) or evaluate(self, point))
    with pytest.warns(ConvergenceWarning, match=r"lbfgs failed to converge.*max_fun \(now 5\)"):
        run([stage(precision, (5,)) for precision in precisions], max_fun=5)
    assert len(counted) <= 5 + 3  # scipy ends a line search first; one more for the result


def test_convergence_warns_of_nothing(recwarn):
    run([stage("float32"), stage("float64")], tol=1e-4)
    assert not recwarn


@pytest.mark.parametrize("precisions", [["float64"], ["float32", "float64"]], ids=["double", "single, double"])
def test_a_loss_that_is_not_finite_is_an_error(precisions):
    stages = [stage(precision, y=1e200 * responses()) for precision in precisions]
    with pytest.raises(ValueError, match="non-finite parameter weights.*lbfgs: scale X and y"):
        run(stages)


@QUIETLY
def test_what_overflows_in_single_precision_goes_on_in_double():
    # The first predictions are up to exp(130).
    y = np.random.default_rng(3).poisson(1.0, size=(40, 2)).astype(float)
    common = {"X": 100 * rows(), "y": y, "loss": Poisson()}
    single, double, alone = (stage(precision, **common) for precision in ("float32", "float64", "float64"))
    assert not np.isfinite(WholeGradient([single], 0.1)(single[0].parameters.flat.double().numpy())[0])
    expected = run([alone], alpha=0.1)[1]
    assert run([stage("float32", **common), double], alpha=0.1)[1] == pytest.approx(expected, rel=1e-6)


def test_rows_without_any_weight_are_an_error():
    with pytest.raises(ValueError, match="sample_weight is zero for every row"):
        run([stage("float64", weight=np.zeros(40))])


def test_rows_of_no_weight_count_for_nothing():
    weight = np.repeat([1.0, 0.0], [25, 15])
    network, samples = stage("float64", weight=weight)
    run([(network, samples)])
    coef, _ = ridge(rows()[:25], responses()[:25], 0.0, np.ones(25))
    np.testing.assert_allclose(network.parameters.arrays(np.float64)[0][0], coef, atol=1e-6)


@pytest.mark.parametrize("loss", [SquaredError(), Poisson(), Huber(0.3)])
def test_loss_and_slope_do_not_depend_on_the_pieces(loss, monkeypatch):
    y, weight = abs(responses()), np.random.default_rng(2).uniform(0.2, 3.0, size=40)
    found = []
    for size in (40, 7, 1):
        monkeypatch.setattr(gather, "rows_per_pass", lambda n_columns, size=size: size)
        staged = stage("float64", (5,), y=y, weight=weight, loss=loss)
        found.append(WholeGradient([staged], 0.5)(staged[0].parameters.flat.numpy().copy()))
    for value, slope in found[1:]:
        assert value == pytest.approx(found[0][0], rel=1e-12)
        np.testing.assert_allclose(slope, found[0][1], rtol=1e-9, atol=1e-12)
    assert found[0][1].dtype == np.float64


def test_a_slope_that_was_handed_out_does_not_change_later():
    staged = stage("float64", (5,))
    function = WholeGradient([staged], 0.5)
    point = staged[0].parameters.flat.numpy().copy()
    _, first = function(point)
    before = first.copy()
    function(point + 1.0)
    np.testing.assert_array_equal(first, before)


@QUIETLY
@pytest.mark.parametrize("kind", [MLPRegressor, MLPClassifier])
def test_verbose_prints_every_iteration(kind, capsys):
    y = (rows()[:, 0] > 0).astype(int)
    kind(solver="lbfgs", max_iter=5, random_state=0).fit(rows(), y)
    assert capsys.readouterr().out == ""
    model = kind(solver="lbfgs", max_iter=5, random_state=0, verbose=True).fit(rows(), y)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Iteration")]
    assert [line.split(",")[0] for line in lines] == [f"Iteration {number}" for number in range(1, model.n_iter_ + 1)]
    assert float(lines[-1].split("= ")[1]) == pytest.approx(model.loss_, abs=1e-7)


@QUIETLY
def test_the_automatic_precision_reaches_the_minimum_of_double_precision():
    X, y = rows(400), responses(400)[:, 0]
    common = {"hidden_layer_sizes": (40, 20), "solver": "lbfgs", "random_state": 0, "max_iter": 400, "alpha": 10.0}
    found = [MLPRegressor(**common, precision=precision, tol=1e-7).fit(X, y) for precision in ("auto", "float64")]
    assert found[0].precision_ == "float64"
    assert found[0].loss_ == pytest.approx(found[1].loss_, rel=1e-4)  # they may stop at different iterations


@pytest.mark.parametrize("at_evaluation", [1, 2, 9])
def test_an_interrupt_keeps_the_last_iteration(at_evaluation, monkeypatch):
    X, y = rows(), responses()
    evaluate, n_evaluations = WholeGradient.__call__, [0]

    def interrupted(self, point):
        n_evaluations[0] += 1
        if n_evaluations[0] == at_evaluation:
            raise KeyboardInterrupt
        return evaluate(self, point)

    monkeypatch.setattr(WholeGradient, "__call__", interrupted)
    model = MLPRegressor(hidden_layer_sizes=(5,), solver="lbfgs", max_iter=100, random_state=0)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(X, y)
    monkeypatch.setattr(WholeGradient, "__call__", evaluate)
    assert model.n_iter_ < at_evaluation
    expected = clone(model).set_params(max_iter=max(1, model.n_iter_)).fit(X, y)
    if model.n_iter_:
        np.testing.assert_array_equal(model.predict(X), expected.predict(X))
    else:
        assert model.loss_ > expected.loss_

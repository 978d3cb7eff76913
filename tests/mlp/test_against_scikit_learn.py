"""MLPRegressor and MLPClassifier against scikit-learn's, weight by weight.

Both start from the same weights and see the same rows in the same order, so with ``precision="float64"`` they differ by
rounding only. Sums are taken in another order, which costs about 1e-16 a step and grows with the steps; relative and
absolute tolerances of 1e-7 leave room for that, and are far below any mistake in a gradient or a schedule. L-BFGS
multiplies rounding in every line search: 1e-5 there, after few iterations. Two differences of L-BFGS are meant. With
several targets scikit-learn searches along the mean of their losses with the gradient of their sum, ours along the sum
with its own gradient; and scikit-learn clips probabilities at 2e-16 in the loss, which a far step of a search can meet.
Tests of the minimum that is reached are in `test_mlp_models.py`.
"""

import inspect
import warnings

import numpy as np
import pytest
import sklearn.neural_network
from scipy.sparse import csc_matrix, csr_array, csr_matrix
from sklearn.exceptions import ConvergenceWarning

import skvq
from skvq.mlp.targets import Labels

SOLVERS = ["adam", "sgd", "lbfgs"]
ACTIVATIONS = ["identity", "logistic", "tanh", "relu"]
N_ROWS, N_COLUMNS = 83, 6


def make_targets():
    """Return X (83, 6) with a tenth of it not zero, and targets of every kind by name."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, N_COLUMNS)) * (rng.random((N_ROWS, N_COLUMNS)) < 0.5)
    signal = X @ rng.normal(size=(N_COLUMNS, 3)) + 0.3 * rng.normal(size=(N_ROWS, 3))
    targets = {
        "regression": np.sin(signal[:, 0]),
        "multi-output": np.sin(signal),
        "poisson": rng.poisson(np.exp(0.3 * signal[:, 0])).astype(float),
        "binary": np.where(signal[:, 0] > 0, 7, 2),  # no strings: early stopping of scikit-learn 1.7 fails on them
        "multiclass": signal.argmax(axis=1) * 10,
        "multilabel": (signal > 0).astype(int),
    }
    return X, targets


X, TARGETS = make_targets()
KINDS = list(TARGETS)
# With L-BFGS, the module's docstring says why not several targets.
SOLVERS_AND_KINDS = [
    (solver, kind) for solver in SOLVERS for kind in KINDS if (solver, kind) != ("lbfgs", "multi-output")
]


@pytest.fixture(autouse=True)
def splits_of_scikit_learn(monkeypatch):
    """Stratify two classes alone, as scikit-learn does; `test_held_out.py` looks at the splits of several."""
    strata = Labels.strata
    monkeypatch.setattr(
        Labels, "strata", lambda self, encoded: strata(self, encoded) if self.n_outputs(encoded) == 1 else None
    )


def make_pair(kind, **params):
    """Return our estimator and scikit-learn's for a kind of target."""
    name = "MLPClassifier" if kind in {"binary", "multiclass", "multilabel"} else "MLPRegressor"
    params = {"hidden_layer_sizes": (8, 5), "random_state": 3, "max_iter": 6, "batch_size": 20} | params
    if kind == "poisson":
        params["loss"] = "poisson"
    return getattr(skvq, name)(**params, precision="float64"), getattr(sklearn.neural_network, name)(**params)


def fit_pair(kind, X=X, sample_weight=None, **params):
    """Return both estimators fitted, warnings of convergence apart."""
    pair = make_pair(kind, **params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for model in pair:
            model.fit(X, TARGETS[kind], sample_weight=sample_weight)
    return pair


def assert_same(pair, X=X, tolerance=1e-7):
    """Weights, curves, counts and predictions of the two agree."""
    ours, theirs = pair
    close = {"rtol": tolerance, "atol": tolerance}
    for name in ("coefs_", "intercepts_"):
        for mine, peer in zip(getattr(ours, name), getattr(theirs, name), strict=True):
            assert mine.dtype == peer.dtype
            np.testing.assert_allclose(mine, peer, **close, err_msg=name)
    for name in ("loss_curve_", "validation_scores_", "loss_", "best_loss_", "best_validation_score_"):
        mine, peer = getattr(ours, name, None), getattr(theirs, name, None)
        assert (mine is None) == (peer is None), name
        if peer is not None:
            np.testing.assert_allclose(mine, peer, **close, err_msg=name)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(ours, name) == getattr(theirs, name), name
    np.testing.assert_array_equal(ours.predict(X).shape, theirs.predict(X).shape)
    if hasattr(theirs, "predict_proba"):
        np.testing.assert_array_equal(ours.classes_, theirs.classes_)
        np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
        np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), **close)
        with np.errstate(divide="ignore"):  # theirs is the logarithm of a probability that may have come to 0
            log_proba = [np.maximum(model.predict_log_proba(X), -30) for model in pair]
        np.testing.assert_allclose(*log_proba, rtol=1e-4, atol=1e-4)
    else:
        np.testing.assert_allclose(ours.predict(X), theirs.predict(X), **close)


def tolerance_of(solver):
    """Return the tolerance of the module's docstring."""
    return 1e-5 if solver == "lbfgs" else 1e-7


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("solver", "kind"), SOLVERS_AND_KINDS)
def test_every_solver_activation_and_loss_trains_to_the_same_weights(solver, activation, kind):
    pair = fit_pair(kind, solver=solver, activation=activation, alpha=0.3, learning_rate_init=0.01)
    assert_same(pair, tolerance=tolerance_of(solver))


@pytest.mark.parametrize(("solver", "kind"), SOLVERS_AND_KINDS)
def test_weights_of_rows_act_alike(solver, kind):
    sample_weight = np.random.default_rng(1).integers(0, 4, size=N_ROWS) + 0.25
    pair = fit_pair(kind, solver=solver, sample_weight=sample_weight, alpha=0.3)
    assert_same(pair, tolerance=tolerance_of(solver))


@pytest.mark.parametrize("make", [csr_matrix, csc_matrix, csr_array])
@pytest.mark.parametrize("kind", ["regression", "multiclass"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_sparse_rows_train_to_the_same_weights(solver, kind, make):
    pair = fit_pair(kind, X=make(X), solver=solver)
    assert_same(pair, X=make(X), tolerance=tolerance_of(solver))
    dense = make_pair(kind, solver=solver)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        dense.fit(X, TARGETS[kind])
    np.testing.assert_allclose(pair[0].coefs_[0], dense.coefs_[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_early_stopping_holds_out_the_same_rows_and_keeps_the_same_weights(kind):
    pair = fit_pair(kind, early_stopping=True, max_iter=60, learning_rate_init=0.02, n_iter_no_change=3, tol=1e-3)
    assert pair[1].n_iter_ < 60
    assert_same(pair)


def test_early_stopping_weighs_the_held_out_rows_alike():
    sample_weight = np.random.default_rng(1).random(N_ROWS)
    options = {"early_stopping": True, "validation_fraction": 0.3, "max_iter": 30, "learning_rate_init": 0.02}
    assert_same(fit_pair("multiclass", sample_weight=sample_weight, **options))
    assert_same(fit_pair("regression", sample_weight=sample_weight, **options))


@pytest.mark.parametrize("options", [{"momentum": 0.0}, {"nesterovs_momentum": False}, {"momentum": 0.5}])
@pytest.mark.parametrize("learning_rate", ["constant", "invscaling", "adaptive"])
def test_schedules_of_sgd_take_the_same_steps(learning_rate, options):
    pair = fit_pair(
        "regression",
        solver="sgd",
        learning_rate=learning_rate,
        learning_rate_init=0.1,
        power_t=0.3,
        max_iter=80,
        tol=1e-2,  # reached within these epochs, so that "adaptive" divides its rate, and the others stop
        n_iter_no_change=2,
        **options,
    )
    assert pair[1].n_iter_ < 80
    assert_same(pair)


@pytest.mark.parametrize("learning_rate", ["constant", "invscaling", "adaptive"])
def test_schedules_of_sgd_go_on_alike_after_a_warm_start(learning_rate):
    pair = make_pair("binary", solver="sgd", learning_rate=learning_rate, learning_rate_init=0.1, warm_start=True)
    for model in pair:
        for _ in range(3):
            with pytest.warns(ConvergenceWarning):
                model.fit(X, TARGETS["binary"])
    assert pair[1].t_ == 3 * 6 * N_ROWS
    assert_same(pair)


@pytest.mark.parametrize("options", [{"beta_1": 0.5}, {"beta_2": 0.9}, {"epsilon": 0.01}, {"learning_rate_init": 0.1}])
def test_parameters_of_adam_act_alike(options):
    assert_same(fit_pair("regression", **options))


@pytest.mark.parametrize("batch_size", ["auto", 1, 41, N_ROWS])
def test_batches_are_cut_alike(batch_size):
    assert_same(fit_pair("multiclass", batch_size=batch_size, max_iter=3))
    assert_same(fit_pair("regression", batch_size=batch_size, max_iter=3, shuffle=False))


def test_a_batch_larger_than_the_data_warns_and_is_clipped():
    pair = make_pair("regression", batch_size=500)
    for model in pair:
        with pytest.warns(UserWarning, match="Got `batch_size` less than 1 or larger than sample size"):
            model.fit(X, TARGETS["regression"])
    assert_same(pair)


@pytest.mark.parametrize("sizes", [(), 4, [4], np.array([4, 3]), (7, 6, 5, 4)])
@pytest.mark.parametrize("kind", ["regression", "multiclass"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_every_way_to_give_the_sizes_builds_the_same_network(solver, kind, sizes):
    # The sixth iteration of the deepest network tries a step that scikit-learn clips.
    pair = fit_pair(kind, hidden_layer_sizes=sizes, solver=solver, max_iter=5)
    assert_same(pair, tolerance=tolerance_of(solver))


@pytest.mark.parametrize(("solver", "kind"), SOLVERS_AND_KINDS)
def test_a_warm_start_goes_on_from_the_same_weights(solver, kind):
    pair = make_pair(kind, solver=solver, warm_start=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for model in pair:
            model.fit(X, TARGETS[kind]).fit(X, TARGETS[kind])
    assert_same(pair, tolerance=10 * tolerance_of(solver))  # twice the iterations


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_partial_fit_takes_the_same_steps(solver, kind):
    pair = make_pair(kind, solver=solver, learning_rate="invscaling", learning_rate_init=0.01)
    y = TARGETS[kind]
    classes = {"classes": np.unique(y)} if kind in {"binary", "multiclass"} else {}
    if kind == "multilabel":
        classes = {"classes": np.arange(3)}
    for model in pair:
        for start in range(0, N_ROWS, 30):
            rows = slice(start, start + 30)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the last piece is smaller than a batch
                model.partial_fit(X[rows], y[rows], **(classes if start == 0 else {}))
    assert_same(pair)


def test_partial_fit_goes_on_after_fit():
    pair = fit_pair("regression")
    for model in pair:
        model.partial_fit(X, TARGETS["regression"], np.linspace(0, 1, N_ROWS))
    assert_same(pair)


@pytest.mark.parametrize("kind", KINDS)
def test_training_stops_at_the_same_epoch(kind):
    pair = fit_pair(kind, max_iter=400, tol=1e-3, n_iter_no_change=4, learning_rate_init=0.01)
    assert pair[1].n_iter_ < 400
    # Hundreds of epochs multiply rounding by far more than a few do.
    assert_same(pair, tolerance=1e-5)


def draw_parameters(rng):
    """Return parameters of a stochastic solver drawn at random, tame enough not to diverge."""

    def one_of(*values):
        return values[rng.integers(len(values))]

    return {
        "solver": one_of("adam", "sgd"),
        "activation": one_of(*ACTIVATIONS),
        "hidden_layer_sizes": one_of((), 3, (8, 5), (4, 4, 4)),
        "alpha": one_of(0, 1e-4, 1.0),
        "batch_size": one_of("auto", 7, 20, N_ROWS),
        "learning_rate": one_of("constant", "invscaling", "adaptive"),
        "learning_rate_init": one_of(1e-3, 1e-2),
        "power_t": one_of(0.1, 0.5),
        "max_iter": int(rng.integers(1, 20)),
        "shuffle": one_of(True, False),
        "random_state": int(rng.integers(100)),
        "tol": one_of(0.0, 1e-4, 1e-2, 0.1),
        "momentum": one_of(0.0, 0.5, 0.9),
        "nesterovs_momentum": one_of(True, False),
        "early_stopping": one_of(True, False),
        "validation_fraction": one_of(0.1, 0.25, 0.5),
        "beta_1": one_of(0.9, 0.0, 0.5),
        "beta_2": one_of(0.999, 0.9),
        "epsilon": one_of(1e-8, 1e-3),
        "n_iter_no_change": one_of(1, 2, 5, np.inf),
    }


@pytest.mark.parametrize("seed", range(30))
def test_parameters_drawn_at_random_train_to_the_same_weights(seed):
    rng = np.random.default_rng(seed)
    sample_weight = rng.random(N_ROWS) if seed % 3 == 0 else None
    rows = csr_matrix(X) if seed % 4 == 0 else X
    pair = fit_pair(KINDS[seed % len(KINDS)], X=rows, sample_weight=sample_weight, **draw_parameters(rng))
    assert_same(pair, X=rows, tolerance=1e-6)  # Adam without momentum multiplies rounding


def test_a_random_state_object_is_advanced_alike():
    states = [np.random.RandomState(5), np.random.RandomState(5)]
    for model, state in zip(make_pair("multiclass", early_stopping=True), states):
        model.set_params(random_state=state)
        with pytest.warns(ConvergenceWarning):
            model.fit(X, TARGETS["multiclass"])
    assert states[0].randint(1 << 30) == states[1].randint(1 << 30)


@pytest.mark.parametrize("kind", ["regression", "multiclass"])
def test_single_precision_rows_give_single_precision_weights_near_theirs(kind):
    rows = X.astype(np.float32)
    pair = make_pair(kind, learning_rate_init=0.01)
    pair[0].set_params(precision="auto")
    for model in pair:
        with pytest.warns(ConvergenceWarning):
            model.fit(rows, TARGETS[kind])
    assert_same(pair, X=rows, tolerance=1e-3)  # 1e-7 a step in float32, and Adam divides small numbers by small ones


@pytest.mark.parametrize("kind", ["regression", "multiclass"])
@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"tol": 10.0, "solver": "sgd"}])
def test_verbose_prints_the_same(kind, options, capsys):
    printed = []
    for model in make_pair(kind, verbose=True, max_iter=30, **options):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X, TARGETS[kind])
        printed.append(capsys.readouterr().out)
    assert "Iteration 1, loss = " in printed[1]
    assert printed[0] == printed[1]


@pytest.mark.parametrize("name", ["MLPRegressor", "MLPClassifier"])
def test_parameters_come_in_the_same_order_with_the_same_defaults(name):
    theirs, ours = (
        [(p.name, p.kind, p.default) for p in inspect.signature(getattr(package, name)).parameters.values()]
        for package in (sklearn.neural_network, skvq)
    )
    assert ours[: len(theirs)] == theirs
    assert {kind for _, kind, _ in ours[len(theirs) :]} == {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_no_fitted_attribute_is_missing(kind, solver, early_stopping):
    ours, theirs = fit_pair(kind, solver=solver, early_stopping=early_stopping)
    public = {name for name in vars(theirs) if name.endswith("_") and not name.startswith("_")}
    assert {name for name in public if not hasattr(ours, name)} == set()


def message(call):
    """Return type and text of what a call raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011
        call()
    return caught.type, str(caught.value)


@pytest.mark.parametrize("sizes", [(3, 0), -1])
def test_a_layer_without_units_is_refused_by_both(sizes):
    for model in make_pair("binary", hidden_layer_sizes=sizes):
        kind, words = message(lambda model=model: model.fit(X, TARGETS["binary"]))
        assert issubclass(kind, ValueError)
        assert "hidden_layer_sizes" in words
        assert str(sizes).strip("()") in words


MISTAKES = {
    "fewer targets than rows": lambda model: model.fit(X, TARGETS["binary"][:-1]),
    "one row as a vector": lambda model: model.fit(X[0], TARGETS["binary"]),
    "not fitted": lambda model: model.predict(X),
    "other columns": lambda model: model.fit(X, TARGETS["binary"]).predict(X[:, :3]),
    "early stopping in pieces": lambda model: model.set_params(early_stopping=True).partial_fit(X, *PIECE),
    "no classes": lambda model: model.partial_fit(X, TARGETS["binary"]),
    "a class that was not announced": lambda model: model.partial_fit(X, TARGETS["binary"], classes=[2, 5]),
    "other classes": lambda model: model.partial_fit(X, *PIECE).partial_fit(X, TARGETS["binary"], classes=[2]),
    "too few weights": lambda model: model.fit(X, TARGETS["binary"], sample_weight=np.ones(3)),
    "a warm start with other classes": lambda model: (
        model.set_params(warm_start=True).fit(X, TARGETS["binary"]).fit(X, TARGETS["multiclass"])
    ),
}
PIECE = (TARGETS["binary"], None, [2, 7])


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning", "ignore:Got `batch_size`")
def test_mistakes_draw_the_same_error(mistake):
    ours, theirs = (message(lambda model=model: MISTAKES[mistake](model)) for model in make_pair("binary"))
    assert ours == theirs


def test_missing_values_draw_the_same_error_with_another_way_out():
    gaps = np.where(X > 1, np.nan, X)
    ours, theirs = (message(lambda model=model: model.fit(gaps, TARGETS["binary"])) for model in make_pair("binary"))
    assert ours[0] is theirs[0]
    assert ours[1].partition(":")[0] == theirs[1].partition(".")[0] == "Input X contains NaN"


def test_lbfgs_in_pieces_draws_what_is_the_cause_of_the_same_error():
    ours, theirs = make_pair("binary", solver="lbfgs")
    kind, words = message(lambda: ours.partial_fit(X, *PIECE))
    with pytest.raises(kind) as caught:
        theirs.partial_fit(X, *PIECE)
    assert words == str(caught.value.__cause__)

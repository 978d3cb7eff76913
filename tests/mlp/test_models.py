"""Networks without a hidden layer are the linear models of statistics: each against its own solver.

The objective is mean loss + alpha / (2 n) |w|², with half the squared error or half the deviance as the loss. scipy's
L-BFGS ends where an iteration lowers the loss by less than 2e-9 of it. Near a minimum the loss is quadratic, so that
coefficients are within the root of that, some 5e-5, or a little more where the problem is badly conditioned: relative
tolerance 1e-3, absolute 1e-4, unless a test says otherwise.
"""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import huber
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    Perceptron,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
)
from sklearn.metrics import mean_pinball_loss

from skvq import MLPClassifier, MLPRegressor

N_ROWS = 150
EXACT = {
    "hidden_layer_sizes": (),
    "solver": "lbfgs",
    "tol": 1e-9,
    "max_iter": 5000,
    "precision": "float64",
    "random_state": 0,
}
CLOSE = {"rtol": 1e-3, "atol": 1e-4}


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).normal(size=(N_ROWS, 4))


@pytest.fixture(scope="module")
def y(X):
    rng = np.random.default_rng(1)
    return X @ [1.0, -2.0, 0.5, 0.0] + 3 + rng.standard_t(3, size=N_ROWS)  # heavy tails: the losses differ


@pytest.fixture(scope="module")
def labels(X):
    scores = X[:, :3] + 1.5 * np.random.default_rng(2).normal(size=(N_ROWS, 3))
    return scores.argmax(axis=1)


@pytest.fixture(scope="module")
def sample_weight():
    return np.random.default_rng(3).random(N_ROWS) + 0.1


def test_no_hidden_layer_is_linear_regression(X, y):
    model = MLPRegressor(**EXACT, alpha=0).fit(X, y)
    linear = LinearRegression().fit(X, y)
    np.testing.assert_allclose(model.coefs_[0][:, 0], linear.coef_, **CLOSE)
    np.testing.assert_allclose(model.intercepts_[0], linear.intercept_, **CLOSE)


def test_several_targets_are_several_linear_regressions(X, y):
    Y = np.column_stack([y, X[:, 0] ** 2, 5 * y - X[:, 1]])
    model = MLPRegressor(**EXACT, alpha=0).fit(X, Y)
    np.testing.assert_allclose(model.predict(X), LinearRegression().fit(X, Y).predict(X), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("alpha", [1.0, 50.0])
def test_alpha_is_that_of_ridge(X, y, sample_weight, alpha):
    for weight in (None, sample_weight):
        model = MLPRegressor(**EXACT, alpha=alpha).fit(X, y, sample_weight=weight)
        ridge = Ridge(alpha=alpha).fit(X, y, sample_weight=weight)
        np.testing.assert_allclose(model.coefs_[0][:, 0], ridge.coef_, **CLOSE)
        np.testing.assert_allclose(model.intercepts_[0], ridge.intercept_, **CLOSE)


@pytest.mark.parametrize("alpha", [0.5, 20.0])
def test_two_classes_are_logistic_regression(X, labels, sample_weight, alpha):
    for weight in (None, sample_weight):
        model = MLPClassifier(**EXACT, alpha=alpha).fit(X, labels == 1, sample_weight=weight)
        logistic = LogisticRegression(C=1 / alpha, tol=1e-10, max_iter=1000).fit(X, labels == 1, weight)
        np.testing.assert_allclose(model.coefs_[0].T, logistic.coef_, **CLOSE)
        np.testing.assert_allclose(model.intercepts_[0], logistic.intercept_, **CLOSE)


@pytest.mark.parametrize("alpha", [0.5, 20.0])
def test_three_classes_are_multinomial_logistic_regression(X, labels, alpha):
    model = MLPClassifier(**EXACT, alpha=alpha).fit(X, labels)
    logistic = LogisticRegression(C=1 / alpha, tol=1e-10, max_iter=1000).fit(X, labels)
    np.testing.assert_allclose(model.coefs_[0].T, logistic.coef_, **CLOSE)
    # Adding a constant to all intercepts changes no probability, so only these are unique.
    np.testing.assert_allclose(model.predict_proba(X), logistic.predict_proba(X), **CLOSE)


def test_several_labels_are_several_logistic_regressions(X, labels):
    Y = np.column_stack([labels == 0, labels == 2]).astype(int)
    model = MLPClassifier(**EXACT, alpha=2.0).fit(X, Y)
    for column in range(2):
        logistic = LogisticRegression(C=1 / 2.0, tol=1e-10, max_iter=1000).fit(X, Y[:, column])
        np.testing.assert_allclose(model.predict_proba(X)[:, column], logistic.predict_proba(X)[:, 1], **CLOSE)


@pytest.mark.parametrize("class_weight", ["balanced", {0: 1.0, 1: 5.0, 2: 0.2}])
def test_class_weights_are_those_of_logistic_regression(X, labels, class_weight):
    options = {"tol": 1e-10, "max_iter": 1000, "class_weight": class_weight}
    labels = np.where(labels == 2, 1, labels)  # uneven classes
    labels[:10] = 2
    model = MLPClassifier(**EXACT, alpha=3.0, class_weight=class_weight).fit(X, labels)
    logistic = LogisticRegression(C=1 / 3.0, **options).fit(X, labels)
    np.testing.assert_allclose(model.predict_proba(X), logistic.predict_proba(X), **CLOSE)
    plain = MLPClassifier(**EXACT, alpha=3.0).fit(X, labels)
    assert np.abs(plain.predict_proba(X) - model.predict_proba(X)).max() > 0.05


@pytest.mark.parametrize("alpha", [0.0, 30.0])
def test_the_poisson_loss_is_poisson_regression(X, sample_weight, alpha):
    counts = np.random.default_rng(4).poisson(np.exp(0.4 * X[:, 0] - 0.3 * X[:, 1] + 0.5))
    for weight in (None, sample_weight):
        total = N_ROWS if weight is None else weight.sum()
        model = MLPRegressor(loss="poisson", **EXACT, alpha=alpha).fit(X, counts, sample_weight=weight)
        poisson = PoissonRegressor(alpha=alpha / total, tol=1e-9, max_iter=1000).fit(X, counts, weight)
        np.testing.assert_allclose(model.coefs_[0][:, 0], poisson.coef_, **CLOSE)
        np.testing.assert_allclose(model.intercepts_[0], poisson.intercept_, **CLOSE)


@pytest.mark.parametrize("delta", [0.3, 1.0, 4.0])
def test_the_huber_loss_reaches_the_minimum_of_its_definition(X, y, delta):
    alpha = 2.0

    def objective(w):
        return huber(delta, y - X @ w[:4] - w[4]).mean() + alpha / (2 * N_ROWS) * w[:4] @ w[:4]

    best = minimize(objective, np.zeros(5), method="BFGS", options={"gtol": 1e-8})
    model = MLPRegressor(loss="huber", huber_delta=delta, **EXACT, alpha=alpha).fit(X, y)
    # Differences of the oracle's objective leave it 1e-5 or so from its minimum.
    np.testing.assert_allclose(model.coefs_[0][:, 0], best.x[:4], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(model.intercepts_[0], best.x[4], rtol=1e-3, atol=1e-4)
    assert model.loss_ == pytest.approx(best.fun, rel=1e-6)


# An absolute value has no curvature for L-BFGS to learn: Adam with a falling rate comes within a per cent.
ROUGH = {
    "hidden_layer_sizes": (),
    "alpha": 0,
    "learning_rate": "cosine",
    "learning_rate_init": 0.1,
    "max_iter": 300,
    "n_iter_no_change": 300,
    "batch_size": 30,
    "random_state": 0,
}


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.8])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_quantile_loss_is_quantile_regression(X, y, quantile):
    model = MLPRegressor(loss="quantile", quantile=quantile, **ROUGH).fit(X, y)
    exact = QuantileRegressor(quantile=quantile, alpha=0, solver="highs").fit(X, y)
    ours, best = (mean_pinball_loss(y, m.predict(X), alpha=quantile) for m in (model, exact))
    assert best <= ours * (1 + 1e-6)
    assert ours < 1.01 * best
    assert np.mean(y <= model.predict(X)) == pytest.approx(quantile, abs=0.04)
    assert model.predict(X).shape == (N_ROWS,)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_absolute_error_is_median_regression(X, y):
    model = MLPRegressor(loss="absolute_error", **ROUGH).fit(X, y)
    median = QuantileRegressor(quantile=0.5, alpha=0, solver="highs").fit(X, y)
    ours, best = (np.abs(y - m.predict(X)).mean() for m in (model, median))
    assert best <= ours * (1 + 1e-6)
    assert ours < 1.01 * best


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_several_quantiles_are_as_good_as_each_alone(X, y):
    quantiles = [0.9, 0.1, 0.5]
    predicted = MLPRegressor(loss="quantile", quantile=quantiles, **ROUGH).fit(X, y).predict(X)
    assert predicted.shape == (N_ROWS, 3)
    for column, quantile in enumerate(quantiles):
        exact = QuantileRegressor(quantile=quantile, alpha=0, solver="highs").fit(X, y)
        best = mean_pinball_loss(y, exact.predict(X), alpha=quantile)
        assert mean_pinball_loss(y, predicted[:, column], alpha=quantile) < 1.015 * best
    assert (predicted[:, 1] <= predicted[:, 2]).all()
    assert (predicted[:, 2] <= predicted[:, 0]).all()


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_stochastic_solvers_come_near_the_same_minimum(X, y, labels, solver):
    options = {"hidden_layer_sizes": (), "solver": solver, "batch_size": 50, "random_state": 0}
    options |= {"learning_rate_init": 0.05, "max_iter": 200, "n_iter_no_change": 200, "learning_rate": "cosine"}
    ridge = Ridge(alpha=5.0).fit(X, y)
    model = MLPRegressor(**options, alpha=5.0).fit(X, y)
    # alpha is divided by the rows of a batch there, so the penalty is that of 150 / 50 = 3 times the alpha.
    shrunk = Ridge(alpha=15.0).fit(X, y)
    np.testing.assert_allclose(model.coefs_[0][:, 0], shrunk.coef_, atol=0.05)
    assert np.abs(ridge.coef_ - shrunk.coef_).max() > 0.05
    classifier = MLPClassifier(**options, alpha=1.0).fit(X, labels)
    logistic = LogisticRegression(C=1 / 3.0).fit(X, labels)
    np.testing.assert_allclose(classifier.predict_proba(X), logistic.predict_proba(X), atol=0.03)


def test_a_perceptron_separates_what_a_line_separates_and_no_more():
    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    both, either = corners.all(axis=1), corners[:, 0] != corners[:, 1]
    options = EXACT | {"alpha": 1e-4}
    assert MLPClassifier(**options).fit(corners, both).score(corners, both) == 1
    assert Perceptron(random_state=0).fit(corners, both).score(corners, both) == 1
    assert MLPClassifier(**options).fit(corners, either).score(corners, either) < 1
    hidden = MLPClassifier(**options | {"hidden_layer_sizes": (4,), "activation": "tanh"}).fit(corners, either)
    assert hidden.score(corners, either) == 1

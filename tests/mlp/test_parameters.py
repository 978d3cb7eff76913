"""Parameters of MLPRegressor and MLPClassifier that are out of range, each of which is named."""

import inspect

import numpy as np
import pytest

from skvq import MLPClassifier, MLPRegressor

X = np.random.default_rng(0).normal(size=(60, 4))
NUMBERS = np.sin(X[:, 0])
THREE = np.digitize(X[:, 0], [-0.4, 0.4])
FAST = {"hidden_layer_sizes": (5,), "max_iter": 2, "random_state": 0}

BOTH = pytest.mark.parametrize("kind", [MLPRegressor, MLPClassifier])


def targets_of(kind):
    return NUMBERS if kind is MLPRegressor else THREE


OUT_OF_RANGE = [
    ("hidden_layer_sizes", (0,)),
    ("hidden_layer_sizes", (5, -1)),
    ("hidden_layer_sizes", 0),
    ("hidden_layer_sizes", (2.5,)),
    ("hidden_layer_sizes", ("many",)),
    ("hidden_layer_sizes", "many"),
    ("activation", "swish"),
    ("solver", "newton"),
    ("alpha", -1.0),
    ("alpha", np.nan),
    ("batch_size", 0),
    ("batch_size", 2.5),
    ("learning_rate", "linear"),
    ("learning_rate_init", 0.0),
    ("learning_rate_init", -1.0),
    ("power_t", -1.0),
    ("max_iter", 0),
    ("max_iter", 2.5),
    ("shuffle", "yes"),
    ("random_state", "chance"),
    ("tol", -1.0),
    ("verbose", -1),
    ("max_seconds", 0.0),
    ("checkpoint", 3),
    ("checkpoint_interval", -1.0),
    ("warm_start", "yes"),
    ("momentum", 1.5),
    ("momentum", -0.1),
    ("nesterovs_momentum", "yes"),
    ("early_stopping", "yes"),
    ("validation_fraction", 1.0),
    ("validation_fraction", -0.1),
    ("beta_1", 1.0),
    ("beta_2", -0.1),
    ("epsilon", 0.0),
    ("n_iter_no_change", 0),
    ("n_iter_no_change", 2.5),
    ("max_fun", 0),
    ("dropout", 1.0),
    ("dropout", -0.1),
    ("dropout", "half"),
    ("normalization", "group"),
    ("scoring", 3),
    ("warmup", -0.1),
    ("warmup", 1.5),
    ("max_grad_norm", 0.0),
    ("max_grad_norm", np.nan),
    ("precision", "float16"),
    ("precision", 32),
    ("device", 3),
]
NUMERIC = [
    "hidden_layer_sizes", "alpha", "batch_size", "learning_rate_init", "power_t", "max_iter", "tol", "momentum",
    "validation_fraction", "beta_1", "beta_2", "epsilon", "n_iter_no_change", "max_fun", "dropout", "warmup",
    "max_grad_norm",
]  # fmt: skip
# Real numbers without an upper bound.
UNBOUNDED = ["alpha", "learning_rate_init", "power_t", "tol", "epsilon", "max_grad_norm"]
OF_REGRESSOR = [
    ("loss", "hinge"),
    ("quantile", 0.0),
    ("quantile", 1.0),
    ("quantile", "half"),
    ("quantile", [0.1, 1.0]),
    ("quantile", [0.5, np.nan]),
    ("quantile", []),
    ("quantile", [[0.1, 0.5]]),
    ("quantile", ["low"]),
    ("huber_delta", 0.0),
    ("huber_delta", -1.0),
    ("huber_delta", True),
    ("huber_delta", 10**400),
]
OF_CLASSIFIER = [("class_weight", "equal"), ("class_weight", 2.0)]


@BOTH
@pytest.mark.parametrize(("name", "value"), OUT_OF_RANGE)
def test_a_parameter_out_of_range_is_named(kind, name, value):
    with pytest.raises((ValueError, TypeError), match=name):
        kind(**FAST | {name: value}).fit(X, targets_of(kind))


@BOTH
@pytest.mark.parametrize("name", NUMERIC)
def test_true_is_no_number(kind, name):
    for value in (True, np.True_):
        with pytest.raises((ValueError, TypeError), match=name):
            kind(**FAST | {name: value}).fit(X, targets_of(kind))


@BOTH
@pytest.mark.parametrize("name", UNBOUNDED)
def test_a_number_that_no_float_holds_is_named(kind, name):
    with pytest.raises((ValueError, TypeError), match=name):
        kind(**FAST | {name: 10**400}).fit(X, targets_of(kind))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("parameters", [{"max_grad_norm": 10**30}, {"loss": "huber", "huber_delta": 10**30}], ids=str)
def test_a_large_integer_is_the_float_that_it_equals(parameters):
    as_floats = {name: float(value) if isinstance(value, int) else value for name, value in parameters.items()}
    found, expected = (MLPRegressor(**FAST | given).fit(X, NUMBERS) for given in (parameters, as_floats))
    np.testing.assert_array_equal(found.predict(X), expected.predict(X))


@BOTH
@pytest.mark.filterwarnings("error", "ignore::sklearn.exceptions.ConvergenceWarning")
def test_numbers_of_numpy_are_numbers(kind):
    parameters = {"alpha": np.float32(0.1), "max_iter": np.int8(2), "n_iter_no_change": np.inf}
    model = kind(**FAST | parameters).fit(X, targets_of(kind))
    assert model.n_iter_ == 2


@pytest.mark.parametrize(("name", "value"), OF_REGRESSOR)
def test_a_parameter_of_the_regressor_out_of_range_is_named(name, value):
    with pytest.raises((ValueError, TypeError), match=name):
        MLPRegressor(**{**FAST, "loss": "quantile", name: value}).fit(X, NUMBERS)


@pytest.mark.parametrize(("name", "value"), OF_CLASSIFIER)
def test_a_parameter_of_the_classifier_out_of_range_is_named(name, value):
    with pytest.raises((ValueError, TypeError), match=name):
        MLPClassifier(**FAST, **{name: value}).fit(X, THREE)


@BOTH
def test_every_parameter_is_tried_above(kind):
    tried = {name for name, _ in OUT_OF_RANGE + (OF_REGRESSOR if kind is MLPRegressor else OF_CLASSIFIER)}
    assert tried == set(inspect.signature(kind).parameters)

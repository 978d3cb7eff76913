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
]
OF_CLASSIFIER = [("class_weight", "equal"), ("class_weight", 2.0)]


@BOTH
@pytest.mark.parametrize(("name", "value"), OUT_OF_RANGE)
def test_a_parameter_out_of_range_is_named(kind, name, value):
    with pytest.raises((ValueError, TypeError), match=name):
        kind(**FAST | {name: value}).fit(X, targets_of(kind))


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

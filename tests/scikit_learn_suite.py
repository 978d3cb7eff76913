"""A pytest plugin that runs scikit-learn's own tests of its multi-layer perceptrons on those of this package.

    PYTHONPATH=tests python -m pytest -p scikit_learn_suite --pyargs sklearn.neural_network.tests.test_mlp

The two names in `sklearn.neural_network` are replaced before the suite is imported. Nothing is left out but the tests
of `PRIVATE`, which look at attributes that are no part of scikit-learn's interface, and the one of a message that names
a class wrongly. The run fails if one of these is not in the suite (any longer), if fewer tests than expected are
collected, or if the suite tests other classes.
"""

import importlib.util

import pytest
import sklearn
import sklearn.neural_network

SUITE = "sklearn.neural_network.tests.test_mlp"
NAMES = ("MLPClassifier", "MLPRegressor")
FEWEST_TESTS = 50  # scikit-learn 1.9 has 59

# Name of a test, and what it reads that only scikit-learn's own implementation has; the files named are in tests/mlp.
PRIVATE = {
    "test_gradient": "calls _loss_grad_lbfgs; test_network.py holds gradients against differences",
    "test_learning_rate_warmstart": "reads _optimizer.learning_rate; test_against_scikit_learn.py compares weights",
    "test_adaptive_learning_rate": "reads _optimizer.learning_rate; test_against_scikit_learn.py compares weights",
    "test_early_stopping_stratified": "wants a message that calls the class 1 'True'; test_held_out.py tests ours",
}


def ours():
    """Return the two classes under test by name."""
    import skvq

    return {name: getattr(skvq, name) for name in NAMES}


def pytest_configure(config):
    """Put our classes where the suite imports scikit-learn's from."""
    for name, estimator in ours().items():
        original = getattr(sklearn.neural_network, name)
        if issubclass(estimator, original):
            raise pytest.UsageError(f"skvq.{name} is scikit-learn's own class, or inherits from it")
        setattr(sklearn.neural_network, name, estimator)


def pytest_report_header(config):
    """Say at the top of the report what is tested."""
    return [f"scikit-learn {sklearn.__version__}'s suite on {estimator!r}" for estimator in ours().values()]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Check that it is the suite, whole and on our classes; leave out the tests of `PRIVATE`."""
    origin = importlib.util.find_spec(SUITE).origin
    suite = [item for item in items if isinstance(item, pytest.Function) and str(item.path) == origin]
    if len(suite) < FEWEST_TESTS:
        raise pytest.UsageError(f"{len(suite)} tests of {SUITE} collected, at least {FEWEST_TESTS} expected")
    for name, estimator in ours().items():
        if getattr(suite[0].module, name) is not estimator:
            raise pytest.UsageError(f"{SUITE} imported another {name} than {estimator!r}")
    missing = PRIVATE.keys() - {item.originalname for item in suite}
    if missing:
        raise pytest.UsageError(f"no such test in {SUITE}: {sorted(missing)}")
    left_out = [item for item in suite if item.originalname in PRIVATE]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter):
    """List what was left out, each with its reason."""
    for name, reason in PRIVATE.items():
        terminalreporter.write_line(f"left out: {name}: {reason}")

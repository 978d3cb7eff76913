"""The tables from which the documentation is made know every parameter."""

import importlib.util
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator

import skvq

DOCS = Path(__file__).parents[1] / "docs"


def table_of_groups():
    """The module docs/_parameter_groups.py, which is in no package."""
    spec = importlib.util.spec_from_file_location("_parameter_groups", DOCS / "_parameter_groups.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def estimators():
    """The public estimators; kinds of codes, which are parameters, have no method `fit`."""
    public = (getattr(skvq, name) for name in skvq.__all__)
    return [
        item for item in public if isinstance(item, type) and issubclass(item, BaseEstimator) and hasattr(item, "fit")
    ]


def test_the_page_of_every_estimator_begins_with_parameters_to_start_with():
    assert sorted(table_of_groups().START) == sorted(estimator.__name__ for estimator in estimators())


@pytest.mark.parametrize("estimator", estimators())
def test_every_parameter_is_in_one_group(estimator):
    parameters = list(estimator._get_param_names())
    groups = table_of_groups().grouped(parameters, estimator.__name__)
    assert sorted(name for names in groups.values() for name in names) == sorted(parameters)


def test_no_group_lists_a_parameter_that_no_estimator_has():
    known = {name for estimator in estimators() for name in estimator._get_param_names()}
    listed = [name for names in table_of_groups().GROUPS.values() for name in names.split()]
    assert sorted(listed) == sorted(known)  # each once


def test_a_parameter_in_no_group_ends_the_build():
    with pytest.raises(ValueError, match="temperature"):
        table_of_groups().grouped(["n_codes", "temperature"], "PixelCNN")


def test_an_unknown_parameter_to_start_with_ends_the_build():
    with pytest.raises(ValueError, match="grid_shape"):
        table_of_groups().introduction("PixelCNN", ["n_codes"])


def test_reports_of_several_runs_are_added_up(tmp_path):
    spec = importlib.util.spec_from_file_location("count_passed", Path(__file__).parent / "count_passed.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("a", "b"):
        report = '<testsuites><testsuite tests="5" skipped="1" failures="2" errors="0"/></testsuites>'
        (tmp_path / name).write_text(report)
    assert module.counts([tmp_path / "a", tmp_path / "b"]) == {"tests": 10, "skipped": 2, "failures": 4, "errors": 0}

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skvq import AutoEncoderTransformer, MLPRegressor, VQVAETransformer

X = np.random.default_rng(0).normal(size=(40, 4))
QUICK = {"max_iter": 1, "prior": None, "random_state": 0}


def too_many_codes():
    VQVAETransformer(64, 2, **QUICK).fit(X)


def channels_first():
    AutoEncoderTransformer(2, max_iter=1).fit(np.zeros((10, 3, 8, 8)) + X[:10, :3, None, None])


def no_convergence():
    MLPRegressor(max_iter=1, solver="adam").fit(X, X[:, 0])


def no_convergence_of_lbfgs_in_a_pipeline():
    make_pipeline(StandardScaler(), MLPRegressor(max_iter=1, solver="lbfgs")).fit(X, X[:, 0])


def in_a_search_for_scores():
    cross_val_score(MLPRegressor(max_iter=1, batch_size=1_000, solver="adam"), X, X[:, 0], cv=2)


@pytest.mark.parametrize(
    ("act", "category", "what"),
    [
        (too_many_codes, UserWarning, "is more than"),
        (channels_first, UserWarning, "channels"),
        (no_convergence, ConvergenceWarning, "Maximum iterations"),
        (no_convergence_of_lbfgs_in_a_pipeline, ConvergenceWarning, "lbfgs"),
        (in_a_search_for_scores, UserWarning, "batch_size"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_warnings_point_at_the_line_of_the_user(act, category, what):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        act()
    found = [warning for warning in caught if what in str(warning.message)]
    assert found
    assert {(warning.category, warning.filename) for warning in found} == {(category, __file__)}

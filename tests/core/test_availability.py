"""Methods that exist only for some parameters: hasattr is right, and the error itself says what to do."""

import pytest

from skvq import MLPClassifier, MLPRegressor, PixelCNN, VQVAETransformer

CASES = {
    "sample": (VQVAETransformer(prior=None), "fit one with fit_prior"),
    "complete": (VQVAETransformer(prior=None), "fit one with fit_prior"),
    "score_samples": (VQVAETransformer(prior=None), "fit one with fit_prior"),
    "bits_per_dim": (VQVAETransformer(prior=None), "fit one with fit_prior"),
    "partial_fit": (PixelCNN(class_conditional=True), "class_conditional=False"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_error_of_a_method_that_is_not_there_says_what_to_do(name):
    estimator, way_out = CASES[name]
    assert not hasattr(estimator, name)
    with pytest.raises(AttributeError, match=way_out):
        getattr(estimator, name)
    with pytest.raises(AttributeError, match=way_out):
        getattr(type(estimator), name)(estimator)


@pytest.mark.parametrize("estimator", [MLPClassifier(solver="lbfgs"), MLPRegressor(solver="lbfgs")])
def test_the_error_names_the_solver_that_takes_no_steps(estimator):
    assert not hasattr(estimator, "partial_fit")
    with pytest.raises(AttributeError, match="lbfgs is not stochastic"):
        estimator.partial_fit  # noqa: B018


def test_the_method_of_the_class_has_its_name_and_its_docstring():
    assert VQVAETransformer.sample.__name__ == "sample"
    assert VQVAETransformer.sample.__doc__.startswith("Draw new rows")
    assert hasattr(VQVAETransformer(), "sample")

"""Methods that exist only for some parameters: hasattr is right, and the error itself says what to do."""

import pytest

from skvq import (
    AutoEncoderTransformer,
    MLPClassifier,
    MLPRegressor,
    OrderlessNADE,
    PixelCNN,
    VAETransformer,
    VQVAETransformer,
)

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


@pytest.mark.parametrize(
    ("estimator", "name", "advice"),
    [
        (VAETransformer(), "encode", "; it is called transform here"),
        (VAETransformer(), "generate", "; it is called sample here"),
        (AutoEncoderTransformer(), "generate", "; VAETransformer, VQVAETransformer and OrderlessNADE draw new rows"),
        (AutoEncoderTransformer(), "sample", "; VAETransformer, VQVAETransformer and OrderlessNADE draw new rows"),
        (VAETransformer(), "complete", "; VQVAETransformer and OrderlessNADE fill in what is missing"),
        (OrderlessNADE(), "predict", "; it predicts no target.*"),
        (OrderlessNADE(), "decode", ""),
        (OrderlessNADE(), "columns_", ""),
    ],
)
def test_methods_that_others_have_are_told_with_the_way_out(estimator, name, advice):
    with pytest.raises(
        AttributeError, match=f"^'{type(estimator).__name__}' object has no attribute '{name}'{advice}$"
    ):
        getattr(estimator, name)
    assert not hasattr(estimator, name)


def test_a_property_that_fails_says_so_itself():
    class Failing(AutoEncoderTransformer):
        @property
        def sample(self):
            raise AttributeError("draws nothing on Sundays")

    with pytest.raises(AttributeError, match="^draws nothing on Sundays$"):
        Failing().sample  # noqa: B018

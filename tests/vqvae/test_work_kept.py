"""What was trained is not lost: a wrong prior is refused before the first step, and one that fails leaves the codes."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import KernelDensity
from sklearn.preprocessing import StandardScaler

from skvq import CausalTransformer, HierarchicalPixelCNN, OrderlessNADE, PixelCNN, VAETransformer, VQVAETransformer
from skvq.nn.grids.pixelcnn import GatedPixelCNN
from skvq.training.loop import Loop

X = np.random.default_rng(0).normal(size=(60, 6))
TABLE = pd.DataFrame(X, columns=list("abcdef")).assign(kind=["cat", "dog"] * 30)
LABELS = np.arange(60) % 2
GRIDS = {"channels": 4, "n_layers": 1, "max_iter": 1}
NADE = {"n_units": 4, "n_blocks": 1, "max_iter": 1}


class Density(BaseEstimator):
    """A density estimator of codes that does as it is told."""

    def __init__(self, failure=None):
        self.failure = failure

    def fit(self, codes):
        if self.failure is not None:
            raise self.failure
        return self

    def sample(self, n_samples, random_state=None):
        return np.zeros((n_samples, 2), dtype=int)

    def score_samples(self, codes):
        return np.zeros(len(codes))


class Unclonable(Density):
    """Changes its parameter, so that no clone can be made."""

    def __init__(self, failure=None):
        self.failure = [failure]


class OfCodes(KernelDensity):
    """A density of another package, made one of codes."""

    def sample(self, n_samples=1, random_state=None):
        return np.rint(super().sample(n_samples, random_state)).astype(int)


class NoDensity:
    """Has the methods of a density estimator, but no parameters."""

    fit = sample = score_samples = Density.fit


def make(prior="auto", **options):
    return VQVAETransformer(4, max_iter=2, hidden_layer_sizes=(4,), prior=prior, random_state=0, **options)


@pytest.fixture
def steps(monkeypatch):
    """The number of steps that training takes, in a list."""
    taken, step = [0], Loop._step

    def count(*arguments):
        taken[0] += 1
        return step(*arguments)

    monkeypatch.setattr(Loop, "_step", count)
    return taken


WRONG = {
    "a class": (PixelCNN, {}, TypeError),
    "no estimator": (NoDensity(), {}, TypeError),
    "no density": (StandardScaler(), {}, TypeError),
    "a density that cannot be cloned": (Unclonable(), {}, RuntimeError),
    "parameter of another package": (OfCodes(bandwidth=-1.0), {}, ValueError),
    "density of real numbers": (KernelDensity(), {}, TypeError),
    "density of rows": (VAETransformer(), {}, TypeError),
    "itself": (VQVAETransformer(), {}, TypeError),
    "number of codes": (PixelCNN(n_codes=2, **GRIDS), {}, ValueError),
    "grid": (PixelCNN(grid_shape=(3, 3), **GRIDS), {}, ValueError),
    "grids": (HierarchicalPixelCNN(((1, 1), (2, 2)), **GRIDS), {}, ValueError),
    "heads": (CausalTransformer(d_model=6, n_heads=4, n_layers=1, max_iter=1), {}, ValueError),
    "no row left": (PixelCNN(validation_fraction=0.999, **GRIDS), {}, ValueError),
    "no row of a table left": (OrderlessNADE(validation_fraction=0.999, **NADE), {}, ValueError),
    "column that is not there": (OrderlessNADE(categorical_features=[6], **NADE), {}, ValueError),
    "no labels": (PixelCNN(class_conditional=True, **GRIDS), {}, ValueError),
    "unseen label": (
        PixelCNN(class_conditional=True, **GRIDS),
        {"y": LABELS, "X_val": X[:2], "y_val": [0, 7]},
        ValueError,
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_prior_that_cannot_be_fitted_is_refused_before_the_first_step(name, steps):
    prior, arguments, error = WRONG[name]
    with pytest.raises(error):
        make(prior).fit(X, **arguments)
    assert steps == [0]
    model = make(None).fit(X)
    before = steps[0]
    with pytest.raises(error):
        model.set_params(prior=prior).fit_prior(X, **arguments)
    assert steps == [before]


@pytest.mark.parametrize("prior", [KernelDensity(), VAETransformer(), VQVAETransformer()])
def test_a_prior_that_is_no_model_of_codes_is_told_what_is(prior):
    with pytest.raises(
        TypeError, match=f"prior={type(prior).__name__}.*is no model of codes.*'pixelcnn'.*OrderlessNADE"
    ):
        make(prior).fit(X)


@pytest.mark.parametrize("kind", [PixelCNN, CausalTransformer, HierarchicalPixelCNN, OrderlessNADE])
@pytest.mark.parametrize("wrong", [{"device": "cuda:99"}, {"precision": "half"}, {"random_state": "x"}, {"alpha": -1}])
def test_a_wrong_parameter_of_a_prior_is_refused_before_the_first_step(kind, wrong, steps):
    images = np.random.default_rng(0).random((20, 8, 8))
    two_grids = kind is HierarchicalPixelCNN
    options = {"code_shape": ((1, 1), (2, 2)), "channels": 4, "n_blocks": 0} if two_grids else {}
    with pytest.raises(ValueError, match=next(iter(wrong))):
        make(kind(max_iter=1, **wrong), **options).fit(images if two_grids else X)
    assert steps == [0]


def test_a_prior_of_rows_is_checked_with_the_parameters_that_it_will_have():
    unseen = TABLE.assign(kind="mouse")[:5]
    with pytest.raises(ValueError, match="mouse"):
        make(OrderlessNADE(**NADE)).fit(TABLE, X_val=unseen)
    model = make(OrderlessNADE(**NADE), handle_unknown="ignore").fit(TABLE, X_val=unseen)
    assert model.prior_.handle_unknown == "ignore"


def interrupted_priors():
    yield Density(KeyboardInterrupt()), KeyboardInterrupt, "was interrupted"
    yield Density(MemoryError()), MemoryError, r"failed \(MemoryError\)"
    yield PixelCNN(alpha=3e38, channels=4, n_layers=1, max_iter=5), ValueError, r"failed \(ValueError\)"
    yield OrderlessNADE(learning_rate_init=1e30, **NADE), ValueError, r"failed \(ValueError\)"


@pytest.mark.parametrize(("prior", "error", "reason"), list(interrupted_priors()))
def test_a_prior_that_fails_leaves_the_autoencoder_that_fit_alone_would_give(prior, error, reason):
    model, expected = make(prior), make(None).fit(X)
    with (
        pytest.warns(UserWarning, match=f"the fit of the prior {reason}; the autoencoder is kept"),
        pytest.raises(error),
    ):
        model.fit(X)
    codes = model.transform(X)
    np.testing.assert_array_equal(codes, expected.transform(X))
    np.testing.assert_array_equal(model.inverse_transform(codes), expected.inverse_transform(codes))
    assert not hasattr(model, "prior_")
    with pytest.raises(NotFittedError, match=r"prior of this VQVAETransformer is not fitted; call fit_prior\(X\)"):
        model.sample()
    model.set_params(prior=OrderlessNADE(**NADE)).fit_prior(X)
    assert model.sample(2, random_state=0).shape == (2, 6)


def test_an_interrupt_in_the_first_epoch_of_a_prior_leaves_the_autoencoder(monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(GatedPixelCNN, "nll", interrupt)
    model = make(PixelCNN(**GRIDS))
    with pytest.warns(UserWarning, match="was interrupted"), pytest.raises(KeyboardInterrupt):
        model.fit(X)
    assert model.transform(X).shape == (60, len(model.codebook_))


def test_an_interrupt_between_the_stages_leaves_the_autoencoder(monkeypatch):
    model, fit_prior = make("pixelcnn"), VQVAETransformer._fit_prior

    def interrupt(self, *arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(VQVAETransformer, "_fit_prior", interrupt)
    with pytest.warns(UserWarning, match="was interrupted"), pytest.raises(KeyboardInterrupt):
        model.fit(X)
    monkeypatch.setattr(VQVAETransformer, "_fit_prior", fit_prior)
    model.set_params(prior=PixelCNN(**GRIDS)).fit_prior(X)
    assert np.isfinite(model.score_samples(X)).all()


def test_a_failure_of_the_autoencoder_itself_forgets_the_fit_before():
    model = make(None).fit(X)
    with pytest.raises(ValueError, match="NaN"):
        model.set_params(image_shape=(2, 3)).fit(X * np.nan)
    assert not hasattr(model, "weights_")


def test_a_new_prior_that_fails_leaves_the_one_before():
    model = make(OrderlessNADE(**NADE)).fit(X)
    drawn = model.sample(3, random_state=0)
    with pytest.raises(MemoryError):
        model.set_params(prior=Density(MemoryError())).fit_prior(X)
    np.testing.assert_array_equal(model.set_params(prior=clone(model.prior_)).sample(3, random_state=0), drawn)

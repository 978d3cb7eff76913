"""An interrupt ends the whole of what the user called, and drops nothing that is of use."""

import warnings

import numpy as np
import pytest

from skvq import (
    AutoEncoderTransformer,
    MLPRegressor,
    OutlierDetector,
    PixelCNN,
    VAETransformer,
    VQVAETransformer,
)
from skvq.core.estimator import NetworkEstimator
from skvq.mlp.descent import Descent
from skvq.mlp.lbfgs import WholeGradient
from skvq.training.interrupts import end_all, interrupts_end_all
from skvq.training.loop import Loop

X = np.random.default_rng(0).normal(size=(60, 6))
Y = X[:, 0]
SMALL = {"hidden_layer_sizes": (4,), "max_iter": 4, "random_state": 0}
FITS = {
    "autoencoder": (AutoEncoderTransformer(2, **SMALL), (X,), (Loop, "_step")),
    "adam": (MLPRegressor(**SMALL), (X, Y), (Descent, "_step")),
    "lbfgs": (MLPRegressor(**SMALL, solver="lbfgs"), (X, Y), (WholeGradient, "__call__")),
}


def interrupted_at(monkeypatch, where, number):
    """Let the call with this number raise an interrupt; return the list that holds how many calls there were."""
    owner, name = where
    method, calls = getattr(owner, name), [0]

    def counted(self, *arguments, **options):
        calls[0] += 1
        if calls[0] == number:
            raise KeyboardInterrupt
        return method(self, *arguments, **options)

    monkeypatch.setattr(owner, name, counted)
    return calls


@pytest.mark.parametrize("name", FITS)
def test_one_fit_keeps_what_there_is_and_a_part_of_more_does_not(name, monkeypatch):
    model, data, where = FITS[name]
    calls = interrupted_at(monkeypatch, where, 4)
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(*data)
    assert hasattr(model, "n_iter_")
    calls[0] = 0
    with pytest.raises(KeyboardInterrupt), interrupts_end_all():
        model.fit(*data)
    assert not end_all()
    assert not hasattr(model, "n_iter_")


@pytest.mark.parametrize("in_fold", [0, 1, 3])
def test_an_interrupt_ends_all_folds_of_an_outlier_detector(in_fold, monkeypatch):
    detector = OutlierDetector(AutoEncoderTransformer(2, **SMALL, batch_size=10, early_stopping=False), cv=3)
    steps = 4 * (60 if in_fold == 0 else 40) // 10
    first = 0 if in_fold == 0 else 24 + 16 * (in_fold - 1)
    calls = interrupted_at(
        monkeypatch, (Loop, "_step"), first + steps
    )  # in the last epoch, so there is a state to keep
    with pytest.raises(KeyboardInterrupt):
        detector.fit(X)
    assert calls[0] == first + steps
    assert hasattr(detector, "estimator_") == (in_fold > 0)
    assert not hasattr(detector, "offset_")
    if in_fold:
        assert len(detector.set_threshold(0.1).predict(X)) == len(X)


def codebook(**options):
    return VQVAETransformer(4, **SMALL, early_stopping=False, batch_size=20, **options)


def test_an_interrupt_of_the_autoencoder_ends_the_fit_before_the_prior(monkeypatch):
    model = codebook()
    calls = interrupted_at(monkeypatch, (Loop, "_step"), 5)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(KeyboardInterrupt, match=r"prior was not begun.*fit_prior\(X\)"):
            model.fit(X)
    assert calls[0] == 5
    (told,) = (str(one.message) for one in caught)
    assert "interrupted after epoch 1 of 4" in told
    assert model.n_iter_ == 1
    assert model.transform(X).shape == (60, 2)
    assert not hasattr(model, "prior_")


def test_without_a_prior_an_interrupted_autoencoder_is_the_whole_fit(monkeypatch):
    model = codebook(prior=None)
    interrupted_at(monkeypatch, (Loop, "_step"), 5)
    with pytest.warns(UserWarning, match="interrupted after epoch 1 of 4"):
        assert model.fit(X) is model


READ = {
    "autoencoder": AutoEncoderTransformer(2, **SMALL),
    "VAE": VAETransformer(2, **SMALL),
    "codes": codebook(prior=None),
}


@pytest.mark.parametrize("name", READ)
def test_an_interrupt_while_results_are_read_off_loses_nothing(name, monkeypatch):
    model = READ[name]
    expected = model.fit(X).transform(X)
    interrupted_at(monkeypatch, (type(model), "_learned"), 1)
    with pytest.warns(UserWarning, match="interrupted after the training"):
        model.fit(X)
    np.testing.assert_array_equal(model.transform(X), expected)
    interrupted_at(monkeypatch, (type(model), "_learned"), 1)
    with pytest.raises(KeyboardInterrupt), interrupts_end_all():
        model.fit(X)


def test_an_interrupt_while_codes_are_read_off_keeps_the_autoencoder_but_fits_no_prior(monkeypatch):
    expected = codebook(prior=None).fit(X).transform(X)
    model = codebook(prior=PixelCNN(channels=4, n_layers=1, max_iter=1))
    interrupted_at(monkeypatch, (VQVAETransformer, "_learned"), 1)
    with (
        pytest.warns(UserWarning, match="read off once more and kept"),
        pytest.raises(KeyboardInterrupt, match="prior was not begun"),
    ):
        model.fit(X)
    np.testing.assert_array_equal(model.transform(X), expected)
    assert not hasattr(model, "prior_")
    model.fit_prior(X)
    assert np.isfinite(model.score_samples(X)).all()


def test_an_interrupt_while_classes_are_compared_keeps_the_model(monkeypatch):
    codes, labels = np.random.default_rng(0).integers(3, size=(60, 4)), np.arange(60) % 2
    model = PixelCNN(class_conditional=True, channels=4, n_layers=1, max_iter=1, random_state=0)
    interrupted_at(monkeypatch, (PixelCNN, "_compare_classes"), 1)
    with pytest.warns(UserWarning, match="what the classes are worth is not known"):
        model.fit(codes, labels)
    assert np.isfinite(model.score_samples(codes, labels)).all()


def test_a_second_interrupt_drops_what_was_learned(monkeypatch):
    def always(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(NetworkEstimator, "_kept", always)
    model = AutoEncoderTransformer(2, **SMALL)
    with pytest.warns(UserWarning, match="One more interrupt drops it"), pytest.raises(KeyboardInterrupt):
        model.fit(X)
    assert not hasattr(model, "weights_")

"""AutoEncoderTransformer refuses what it cannot use, and says why."""

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.exceptions import NotFittedError

from skvq import AutoEncoderTransformer

FAST = {"n_components": 2, "max_iter": 1, "hidden_layer_sizes": (8,), "channels": 8, "n_blocks": 1}
WINE = load_wine().data


@pytest.fixture(scope="module")
def fitted():
    return AutoEncoderTransformer(random_state=0, **FAST).fit(WINE)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.where(np.arange(13) == 4, np.nan, WINE), "column 4 has no observed cell"),
        (np.where(np.arange(13) == 4, np.inf, WINE), "infinity"),
        (np.empty((0, 13)), r"0 sample\(s\)"),
        (np.empty((5, 0)), r"0 feature\(s\)"),
        (np.zeros(5), "1D array|2D array"),
        (WINE + 1j, "Complex data not supported"),
        (np.zeros((5, 4, 4, 3, 1)), r"images must be \(n, H, W\)"),
    ],
)
def test_bad_x_is_refused(X, message):
    with pytest.raises(ValueError, match=message):
        AutoEncoderTransformer(**FAST).fit(X)


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("n_components", 0, ("'auto'", "an int in the range [1, 2**63)")),
        ("n_components", 2.5, ("'auto'", "an int in the range [1, 2**63)")),
        ("n_components", "many", ("'auto'", "an int in the range [1, 2**63)")),
        ("network", "recurrent", ("'auto'", "'dense'", "'convolutional'")),
        ("activation", "swish", ("'relu'", "'gelu'", "'silu'", "'tanh'")),
        ("dropout", 1.0, ("a float in the range [0.0, 1.0)",)),
        ("loss", "hinge", ("'squared_error'", "'log_loss'")),
        ("tied_weights", 1.5, ("bool",)),
        ("noise", "salt", ("None", "'gaussian'", "'masking'")),
        ("noise_level", -1.0, ("a float in the range [0.0, 3.4028234663852886e+38]",)),
        ("sparsity", "l2", ("None", "'l1'", "'kl'")),
        ("sparsity_target", 1.0, ("a float in the range (0.0, 1.0)",)),
        ("sparsity_weight", -1.0, ("a float in the range [0.0, 3.4028234663852886e+38]",)),
        ("contractive_weight", float("inf"), ("a float in the range [0.0, 3.4028234663852886e+38]",)),
        ("hidden_layer_sizes", (0,), ("'auto'", "a positive integer or a sequence of positive integers")),
        ("n_blocks", -1, ("an int in the range [0, 2**63)",)),
        ("early_stopping", "yes", ("'auto'", "bool")),
        ("device", 3, ("'str'", "'torch.device'")),
    ],
)
def test_a_parameter_out_of_range_is_named(name, value, accepted, refusal):
    with pytest.raises(ValueError, match=refusal("AutoEncoderTransformer", name, value, *accepted)):
        AutoEncoderTransformer(**FAST | {name: value}).fit(WINE)


def test_masking_takes_a_share_for_its_level(refusal):
    message = refusal("noise='masking'", "noise_level", 1.5, "a float in the range [0.0, 1.0]")
    with pytest.raises(ValueError, match=message):
        AutoEncoderTransformer(**FAST, noise="masking", noise_level=1.5).fit(WINE)
    assert AutoEncoderTransformer(**FAST, noise="gaussian", noise_level=1.5).fit(WINE).n_iter_ == 1


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"image_shape": (3, 5)}, "15 values a row, but X has 13 features"),
        ({"device": "gpu"}, "device='gpu' is not a device; it must be 'cpu'"),
    ],
)
def test_a_shape_or_device_that_does_not_fit_is_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        AutoEncoderTransformer(**FAST | parameters).fit(WINE)


def test_tied_weights_of_a_convolutional_network_are_refused():
    model = AutoEncoderTransformer(**FAST, network="convolutional", tied_weights=True)
    with pytest.raises(ValueError, match="tied_weights=True needs .* network='dense', or n_blocks=0"):
        model.fit(np.random.default_rng(0).random((20, 8, 8)))
    model.set_params(n_blocks=0).fit(np.random.default_rng(0).random((20, 8, 8)))


def test_log_loss_needs_values_between_zero_and_one():
    model = AutoEncoderTransformer(**FAST, loss="log_loss")
    with pytest.raises(ValueError, match=r"loss='log_loss' needs them in \[0, 1\]: rescale X"):
        model.fit(WINE)
    X = WINE / WINE.max()
    with pytest.raises(ValueError, match=r"needs them in \[0, 1\]"):
        model.fit(X, X_val=X + 1)


def test_a_learning_rate_that_diverges_is_named():
    with pytest.raises(ValueError, match=r"learning_rate_init"):
        AutoEncoderTransformer(**FAST | {"learning_rate_init": 1e30, "max_iter": 50}).fit(WINE)


def test_another_number_of_columns_or_of_components_is_refused(fitted):
    for method in (fitted.transform, fitted.score, fitted.reconstruction_error):
        with pytest.raises(ValueError, match="X has 12 features, but AutoEncoderTransformer is expecting 13"):
            method(WINE[:, 1:])
    with pytest.raises(ValueError, match="Z has 3 columns, but this model has 2 components"):
        fitted.inverse_transform(np.zeros((4, 3)))
    with pytest.raises(ValueError, match="NaN"):
        fitted.inverse_transform([[np.nan, 0.0]])


def test_a_model_of_a_table_takes_no_images(fitted):
    with pytest.raises(ValueError, match="fit saw the rows of a table"):
        fitted.transform(np.zeros((2, 13, 1)))


def test_values_that_overflow_are_refused_and_far_ones_score_badly(fitted):
    with pytest.raises(ValueError, match="float32 cannot hold"):
        fitted.transform(WINE + 1e45)
    assert fitted.score(WINE + 1e6) < fitted.score(WINE + 1e4) < 0


def test_a_refit_that_fails_leaves_an_unfitted_estimator():
    model = AutoEncoderTransformer(**FAST | {"early_stopping": False}).fit(WINE)
    with pytest.raises(ValueError, match="learning_rate_init"):
        model.set_params(learning_rate_init=1e30, max_iter=50).fit(WINE)
    with pytest.raises(NotFittedError):
        model.transform(WINE)


@pytest.mark.parametrize("method", ["transform", "inverse_transform", "score", "score_samples", "reconstruction_error"])
def test_before_fit_there_is_nothing(method):
    with pytest.raises(NotFittedError):
        getattr(AutoEncoderTransformer(**FAST), method)(WINE)

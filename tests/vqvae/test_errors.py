"""VQVAETransformer refuses what it cannot use, and says why."""

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.exceptions import NotFittedError

from skvq import (
    FiniteScalarCodes,
    OrderlessNADE,
    PixelCNN,
    ProductCodes,
    ResidualCodes,
    VectorCodes,
    VQVAETransformer,
)

FAST = {"n_codes": 4, "max_iter": 1, "prior": None, "hidden_layer_sizes": (8,), "channels": 8, "n_blocks": 1}
WINE = load_wine().data


def with_value(value):
    X = WINE.copy()
    X[3, 4] = value
    return X


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.where(np.arange(13) == 4, np.nan, WINE), "column 4 has no observed cell"),
        (with_value(np.inf), "infinity"),
        (np.array([["a", 1], ["c", "d"]], dtype=object), "column 1 mixes values of type int, str"),
        (np.empty((0, 13)), r"0 sample\(s\)"),
        (np.empty((5, 0)), r"0 feature\(s\)"),
        (np.zeros(5), "1D array|2D array"),
        (WINE + 1j, "Complex data not supported"),
        (np.zeros((5, 4, 4, 3, 1)), r"images must be \(n, H, W\)"),
    ],
)
def test_bad_x_is_refused(X, message):
    with pytest.raises(ValueError, match=message):
        VQVAETransformer(**FAST).fit(X)


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("n_codes", 0, ("'auto'", "an int in the range [1, 2**63)")),
        ("n_codes", 2.5, ("'auto'", "an int in the range [1, 2**63)")),
        ("n_codes", True, ("'auto'", "an int in the range [1, 2**63)")),
        ("n_codes", "many", ("'auto'", "an int in the range [1, 2**63)")),
        ("max_bits", 0, ("None", "an int in the range [1, 2**63)")),
        (
            "quantizer",
            "lattice",
            ("'auto'", "'vector'", "'residual'", "'product'", "'finite_scalar'", "an instance such as VectorCodes()"),
        ),
        ("quantizer", None, ("'auto'", "an instance such as VectorCodes()")),
        ("codebook_weight", -1.0, ("a float in the range [0.0, 3.4",)),
        ("commitment_weight", float("nan"), ("a float in the range [0.0, 3.4",)),
        ("codebook_weight", 1e39, ("a float in the range [0.0, 3.4",)),
        ("hidden_layer_sizes", (0,), ("'auto'", "a positive integer or a sequence of positive integers")),
        ("hidden_layer_sizes", "big", ("'auto'", "a positive integer or a sequence of positive integers")),
        ("prior", "markov", ("None", "'pixelcnn'", "'transformer'")),
        ("prior", 3, ("an object implementing 'fit', 'sample' and 'score_samples'",)),
        ("input_noise", -0.1, ("'auto'", "a float in the range [0.0, 3.4028234663852886e+38]")),
        ("precision", "half", ("'auto'", "'float32'", "'bfloat16'")),
        ("batch_size", 0, ("'auto'", "an int in the range [1, 2**63)")),
        ("learning_rate_init", 0, ("'auto'", "a float in the range (0.0, 1e+30]")),
        ("max_iter", 0, ("'auto'", "an int in the range [1, 2**63)")),
        ("early_stopping", "yes", ("'auto'", "bool")),
        ("validation_fraction", 1.0, ("a float in the range (0.0, 1.0)",)),
    ],
)
def test_a_parameter_out_of_range_is_named(name, value, accepted, refusal):
    with pytest.raises(ValueError, match=refusal("VQVAETransformer", name, value, *accepted)):
        VQVAETransformer(**FAST | {name: value}).fit(WINE)


@pytest.mark.parametrize(
    ("kind", "name", "value", "accepted"),
    [
        (VectorCodes, "code_dim", 0, ("'auto'", "an int in the range [1, 2**63)")),
        (VectorCodes, "search_dim", 0, ("None", "an int in the range [1, 2**63)")),
        (VectorCodes, "similarity", "dot", ("'euclidean'", "'cosine'")),
        (VectorCodes, "codebook_update", "sgd", ("'ema'", "'gradient'", "'simvq'")),
        (VectorCodes, "ema_decay", 1.0, ("a float in the range (0.0, 1.0)",)),
        (ResidualCodes, "revival_threshold", 1.5, ("a float in the range [0.0, 1.0)",)),
        (ResidualCodes, "codes_per_position", 0, ("'auto'", "an int in the range [1, 2**63)")),
        (ResidualCodes, "beam_size", True, ("'auto'", "an int in the range [1, 4096]")),
        (ResidualCodes, "beam_size", 5000, ("'auto'", "an int in the range [1, 4096]")),
        (ProductCodes, "gradient_estimator", "gumbel", ("'straight_through'", "'rotation'")),
        (ProductCodes, "codes_per_position", 1.5, ("'auto'", "an int in the range [1, 2**63)")),
        (FiniteScalarCodes, "shared_codebook", "yes", ("'auto'", "bool")),
    ],
)
def test_a_parameter_of_the_codes_out_of_range_is_named(kind, name, value, accepted, refusal):
    with pytest.raises(ValueError, match=refusal(kind.__name__, name, value, *accepted)):
        VQVAETransformer(**FAST, quantizer=kind(**{name: value})).fit(WINE)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"code_shape": (2, 2)}, r"code_shape=\(2, 2\) must be 'auto' or \(m,\)"),
        ({"code_shape": "big"}, "code_shape='big'"),
        ({"image_shape": (3, 5)}, "15 values a row, but X has 13 features"),
        ({"image_shape": (13, 1), "code_shape": (20, 1)}, r"code_shape=\(20, 1\) has more cells"),
        (
            {"image_shape": (13, 1), "code_shape": (4, 1, 2)},
            r"code_shape=\(4, 1, 2\) must be .*quantizer=ResidualCodes\(codes_per_position=...\)",
        ),
        ({"device": "gpu"}, "device='gpu' is not a device; it must be 'cpu'"),
        ({"device": "cuda:99"}, "device='cuda:99' is not available on this machine"),
    ],
)
def test_a_shape_or_device_that_does_not_fit_is_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        VQVAETransformer(**FAST | parameters).fit(WINE)


def test_a_learning_rate_that_diverges_is_named():
    with pytest.raises(ValueError, match=r"in epoch \d+ at a learning rate of .*learning_rate_init=1e\+30"):
        VQVAETransformer(**FAST | {"learning_rate_init": 1e30, "max_iter": 50}).fit(WINE)


@pytest.fixture(scope="module")
def fitted():
    return VQVAETransformer(random_state=0, **FAST).fit(WINE)


@pytest.fixture(scope="module")
def fitted_to_images():
    return VQVAETransformer(random_state=0, **FAST).fit(np.random.default_rng(0).random((20, 8, 9)))


def test_another_number_of_columns_is_refused(fitted):
    for method in (fitted.transform, fitted.score, fitted.fit_prior):
        with pytest.raises(ValueError, match="X has 12 features, but VQVAETransformer is expecting 13"):
            method(WINE[:, 1:])
    with pytest.raises(ValueError, match="expecting 13"):
        VQVAETransformer(**FAST).fit(WINE, X_val=WINE[:, 1:])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda codes: codes + 4, r"0 \.\.\. 3 \(n_codes=4\), found"),
        (lambda codes: codes - 4, "0 or greater, found"),
        (lambda codes: codes + 0.5, "whole numbers"),
        (lambda codes: codes[:, :0], "0 feature|0 columns"),
        (lambda codes: np.hstack([codes, codes]), "a row of this model has"),
        (lambda codes: codes.astype(str), "could not convert|not compatible|whole"),
        (lambda codes: codes[0], "1D array|2D array"),
    ],
)
def test_codes_that_are_none_are_refused(fitted, change, message):
    with pytest.raises(ValueError, match=message):
        fitted.inverse_transform(change(fitted.transform(WINE)))


def test_images_of_another_shape_are_refused(fitted_to_images):
    with pytest.raises(ValueError, match=r"shape \(9, 8\), but image_shape is \(8, 9\)"):
        fitted_to_images.transform(np.zeros((2, 9, 8)))
    with pytest.raises(ValueError, match="expecting 72 features"):
        fitted_to_images.transform(np.zeros((2, 64)))


def test_a_model_of_a_table_takes_no_images(fitted):
    with pytest.raises(ValueError, match="fit saw the rows of a table"):
        fitted.transform(np.zeros((2, 13, 1)))


def test_values_that_overflow_are_refused(fitted):
    with pytest.raises(ValueError, match="float32 cannot hold"):
        fitted.transform(WINE + 1e45)
    with pytest.raises(ValueError, match="overflows float64"):
        VQVAETransformer(**FAST).fit(WINE * 1e160)
    with pytest.raises(ValueError, match="of the held-out rows is (inf|nan)"):
        VQVAETransformer(**FAST).fit(WINE, X_val=WINE + 1e30)


def test_rows_far_from_those_of_fit_score_badly(fitted):
    assert fitted.score(WINE + 1e6) < fitted.score(WINE + 1e4) < 0


def test_images_must_agree_with_the_parameter():
    with pytest.raises(ValueError, match=r"shape \(8, 9\), but image_shape is \(9, 8\)"):
        VQVAETransformer(image_shape=(9, 8), **FAST).fit(np.zeros((5, 8, 9)))


@pytest.mark.parametrize("method", ["transform", "inverse_transform", "score", "score_samples", "fit_prior"])
def test_before_fit_there_is_nothing(method):
    model = VQVAETransformer(**FAST | {"prior": "pixelcnn"})
    with pytest.raises(NotFittedError):
        getattr(model, method)(WINE)
    with pytest.raises(NotFittedError):
        model.sample()


def test_channels_that_come_first_draw_a_warning():
    with pytest.warns(UserWarning, match=r"3 x 16 pixels with 12 channels; .* np.moveaxis"):
        VQVAETransformer(**FAST).fit(np.random.default_rng(0).random((10, 3, 16, 12)))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_an_error_of_far_too_much_noise_names_it():
    X = np.random.default_rng(0).normal(size=(40, 5))
    model = VQVAETransformer(4, hidden_layer_sizes=(4,), input_noise=2**63, max_iter=2, prior=None, random_state=0)
    with pytest.raises(ValueError, match="input_noise"):
        model.fit(X)


@pytest.fixture(scope="module")
def drawing():
    """Models that draw rows through a prior of rows and through one of codes, and images."""
    sizes = FAST | {"prior": OrderlessNADE(max_iter=1, n_units=4)}
    of_codes = FAST | {"prior": PixelCNN(channels=4, n_layers=1, max_iter=1)}
    images = np.random.default_rng(0).random((40, 8, 8))
    return {
        "rows": (VQVAETransformer(**sizes).fit(WINE), WINE[:2]),
        "codes": (VQVAETransformer(**of_codes).fit(WINE), None),
        "images": (VQVAETransformer(**of_codes).fit(images), images[:2]),
    }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["rows", "codes", "images"])
@pytest.mark.parametrize(
    ("argument", "value"),
    [("n_samples", 0), ("n_samples", 2.5), ("temperature", 0), ("top_k", 0), ("top_p", 1.5), ("random_state", "a")],
)
def test_the_error_of_a_wrong_argument_names_the_method_that_was_called(drawing, name, argument, value):
    model, X = drawing[name]
    with pytest.raises(ValueError, match=rf"'{argument}' parameter of VQVAETransformer\.sample must be"):
        model.sample(**{argument: value})
    if X is not None and argument != "n_samples":
        with pytest.raises(ValueError, match=rf"'{argument}' parameter of VQVAETransformer\.complete must be"):
            model.complete(X, np.ones(X.shape, dtype=bool), **{argument: value})

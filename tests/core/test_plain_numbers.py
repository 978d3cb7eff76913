"""Numbers of numpy as parameters and arguments, numbers that no type holds, and values of what is not in use."""

import warnings

import numpy as np
import pytest

from skvq import (
    AutoEncoderTransformer,
    CausalTransformer,
    MLPClassifier,
    MLPRegressor,
    OrderlessNADE,
    OutlierDetector,
    PixelCNN,
    VAETransformer,
    VQVAETransformer,
    metrics,
)
from skvq.core.parameters import check_arguments, plain

X = np.random.default_rng(0).normal(size=(40, 4))
CODES = np.random.default_rng(0).integers(3, size=(20, 4))
IMAGES = np.random.default_rng(0).random((20, 6, 6))
ONE = {"max_iter": 1, "random_state": 0}
NOISY = {"noise": "gaussian", "sparsity": "kl", "hidden_layer_sizes": (3,)}


@pytest.mark.parametrize(
    ("value", "expected"),
    [(np.uint8(200), 200), (np.float32(0.5), 0.5), (np.bool_(True), True), (np.float64(0.1), 0.1), (10**30, 1e30)],
)
def test_numbers_become_those_of_python(value, expected):
    assert plain(value) == expected
    assert type(plain(value)) is type(expected)


@pytest.mark.parametrize("value", ["auto", None, 3, 0.5, (1, 2), True])
def test_anything_else_stays(value):
    assert plain(value) is value


def test_arguments_come_back_in_their_order():
    constraints = {"n": [int, np.integer], "share": [float, np.floating]}
    assert check_arguments("f", constraints, share=np.float32(0.5), n=np.uint8(200)) == (0.5, 200)


@pytest.mark.parametrize(
    ("kind", "fixed", "numbers", "rows"),
    [
        (
            AutoEncoderTransformer,
            NOISY,
            {
                "noise_level": 0.5,
                "sparsity_weight": 0.25,
                "sparsity_target": 0.125,
                "contractive_weight": 0.5,
                "alpha": 0.5,
            },
            X,
        ),
        (VAETransformer, {}, {"kl_weight": 0.5, "kl_warmup": 0.5, "free_bits": 0.25, "learning_rate_init": 0.25}, X),
        (
            VQVAETransformer,
            {"prior": None, "hidden_layer_sizes": (3,)},
            {"codebook_weight": 0.5, "commitment_weight": 0.25, "input_noise": 0.5},
            X,
        ),
        (PixelCNN, {"channels": 2, "n_layers": 1}, {"alpha": 0.5, "dropout": 0.5, "validation_fraction": 0.25}, CODES),
        (OrderlessNADE, {"n_units": 4}, {"dropout": 0.25, "alpha": 0.5}, X),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_real_numbers_of_numpy_are_those_of_python(kind, fixed, numbers, rows, dtype):
    options = ONE | fixed
    expected = kind(**options, **numbers).fit(rows).weights_
    found = kind(**options, **{name: dtype(value) for name, value in numbers.items()}).fit(rows).weights_
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize(
    ("kind", "counts", "rows"),
    [
        (VQVAETransformer, {"max_bits": 200, "channels": 8, "n_blocks": 1}, IMAGES),
        (VQVAETransformer, {"n_codes": 4, "max_iter": 2, "batch_size": 200}, X),
        (OrderlessNADE, {"n_bins": 200, "n_units": 200, "n_orders": 200}, X),
        (CausalTransformer, {"n_codes": 200, "d_model": 8, "n_layers": 1}, CODES),
    ],
)
def test_counts_of_a_small_type_do_not_wrap(kind, counts, rows):
    options = ONE | ({"prior": None} if kind is VQVAETransformer else {})
    expected = kind(**options | counts).fit(rows).weights_
    found = kind(**options | {name: np.uint8(value) for name, value in counts.items()}).fit(rows).weights_
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


def test_arguments_of_a_small_type_do_not_wrap():
    model = PixelCNN(channels=2, n_layers=1, **ONE).fit(CODES)
    given, mask = CODES[0], [True, False, True, False]
    expected = model.sample(4, given=given, mask=mask, n_candidates=200, random_state=0)
    found = model.sample(np.uint8(4), given=given, mask=mask, n_candidates=np.uint8(200), random_state=0)
    np.testing.assert_array_equal(found, expected)
    rows = OrderlessNADE(n_units=4, **ONE).fit(X).sample(np.uint8(200), temperature=np.float64(0.5), random_state=0)
    assert rows.shape == (200, 4)
    assert VAETransformer(2, **ONE).fit(X).sample(np.uint8(200), random_state=0).shape == (200, 4)


@pytest.mark.parametrize(
    ("model", "name", "value"),
    [
        (MLPRegressor(solver="sgd"), "momentum", True),
        (MLPRegressor(), "max_iter", 10**30),
        (MLPRegressor(), "alpha", 10**400),
        (MLPClassifier(), "class_weight", [{0: 1, 1: 2}]),
        (AutoEncoderTransformer(), "noise_level", "x"),
        (AutoEncoderTransformer(), "sparsity_weight", object()),
        (AutoEncoderTransformer(), "batch_size", 10**30),
        (VAETransformer(), "n_mixture_components", -1),
        (VQVAETransformer(prior=None), "code_shape", True),
        (VQVAETransformer(prior=None), "codebook_weight", 10**39),
        (PixelCNN(), "dilations", b"auto"),
        (OutlierDetector(VAETransformer(2, hidden_layer_sizes=(), **ONE)), "cv", (1, 2)),
    ],
)
def test_a_value_that_is_none_is_refused_by_its_name_in_use_or_not(model, name, value):
    rows = CODES if isinstance(model, PixelCNN) else X
    y = {"MLPRegressor": X[:, 0], "MLPClassifier": (X[:, 0] > 0).astype(int)}.get(type(model).__name__)
    with pytest.raises((ValueError, TypeError), match=name):
        model.set_params(**{name: value}).fit(rows, y)


@pytest.mark.parametrize("kind", [MLPRegressor, AutoEncoderTransformer])
def test_a_huge_real_parameter_works_or_is_named(kind):
    for name in ("alpha", "tol", "learning_rate_init"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                kind(**{name: 10**30}, **ONE).fit(X, X[:, 0])
            except ValueError as error:
                assert name in str(error)  # noqa: PT017


@pytest.mark.parametrize("bad", ["x", -1, np.random.default_rng(0), 0.5])
def test_a_random_state_that_seeds_none_is_named(bad):
    drawn = {
        "VAE": lambda: VAETransformer(2, **ONE).fit(X).sample(random_state=bad),
        "VAE draws": lambda: VAETransformer(2, **ONE).fit(X).reconstruct(X, random_state=bad),
        "PixelCNN": lambda: PixelCNN(channels=2, n_layers=1, **ONE).fit(CODES).sample(random_state=bad),
        "NADE": lambda: OrderlessNADE(n_units=4, **ONE).fit(X).sample(random_state=bad),
        "NADE cells": lambda: OrderlessNADE(n_units=4, **ONE).fit(X).complete(X, random_state=bad),
        "fit": lambda: AutoEncoderTransformer(2, max_iter=1, random_state=bad).fit(X),
        "metric": lambda: metrics.nearest_row_share(X, X, X, random_state=bad),
    }
    for call in drawn.values():
        with pytest.raises((ValueError, TypeError), match="random_state"):
            call()


def test_arguments_without_use_are_looked_at_as_well():
    prior = PixelCNN(channels=2, n_layers=1, **ONE)
    model = VQVAETransformer(4, channels=2, n_blocks=0, prior=prior, **ONE).fit(IMAGES)
    mask = np.ones((6, 6), dtype=bool)
    for arguments in ({"n_draws": "x"}, {"strategy": "most"}, {"n_candidates": 0}):
        with pytest.raises(ValueError, match=next(iter(arguments))):
            model.complete(IMAGES, mask, **arguments)

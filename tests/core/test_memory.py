"""Sizes that no memory holds are refused, by the name of the parameter, before anything is built."""

import time

import numpy as np
import pytest

from skvq import (
    AutoEncoderTransformer,
    CausalTransformer,
    FiniteScalarCodes,
    HierarchicalPixelCNN,
    MLPClassifier,
    MLPRegressor,
    OrderlessNADE,
    PixelCNN,
    ProductCodes,
    ResidualCodes,
    VAETransformer,
    VectorCodes,
    VQVAETransformer,
)
from skvq.core import parameters as memory
from skvq.core.parameters import check_memory, check_rows_memory, dense_weights, machine_bytes

HUGE = 2**31
X = np.random.default_rng(0).normal(size=(40, 6))
IMAGES = np.random.default_rng(0).random((12, 8, 8))
CODES = np.random.default_rng(0).integers(3, size=(20, 5))
ONE = {"max_iter": 1, "random_state": 0}
TRANSFORMERS = [AutoEncoderTransformer, VAETransformer, VQVAETransformer]


def asks(kind, name, value=HUGE, rows=X, **others):
    return pytest.param(
        kind(**{name: value}, **ONE, **others), name.rpartition("__")[2], rows, id=f"{kind.__name__} {name}"
    )


def of_codes(codes, name, rows=X):
    return pytest.param(VQVAETransformer(quantizer=codes, prior=None, **ONE), name, rows, id=f"{codes} {len(rows[0])}")


CASES = [
    *(asks(kind, "hidden_layer_sizes", (200_000, 200_000)) for kind in TRANSFORMERS),
    *(asks(kind, "hidden_layer_sizes", HUGE) for kind in [*TRANSFORMERS, MLPRegressor, MLPClassifier]),
    *(asks(kind, "n_components") for kind in TRANSFORMERS[:2]),
    *(
        asks(kind, name, rows=IMAGES, network="convolutional")
        for kind in TRANSFORMERS
        for name in ("channels", "n_blocks")
    ),
    *(asks(kind, "hidden_layer_sizes", [1] * 10**6) for kind in (MLPRegressor, AutoEncoderTransformer)),
    *(asks(PixelCNN, name, rows=CODES) for name in ("channels", "n_layers", "n_codes")),
    *(asks(HierarchicalPixelCNN, name, rows=CODES) for name in ("channels", "n_layers", "n_codes")),
    asks(PixelCNN, "kernel_size", 2**31 + 1, CODES),
    *(asks(CausalTransformer, name, rows=CODES) for name in ("d_model", "n_layers", "n_codes")),
    *(asks(OrderlessNADE, name) for name in ("n_units", "n_blocks", "n_bins")),
    asks(OrderlessNADE, "n_orders", HUGE, np.random.default_rng(0).normal(size=(20, 30))),
    asks(VQVAETransformer, "code_shape"),
    asks(VQVAETransformer, "n_codes", rows=IMAGES, quantizer="finite_scalar", channels=4),
    of_codes(ResidualCodes(codes_per_position=HUGE), "codes_per_position", IMAGES),
    of_codes(ResidualCodes(codes_per_position=HUGE), "codes_per_position"),
    of_codes(ProductCodes(codes_per_position=HUGE), "codes_per_position"),
    of_codes(VectorCodes(code_dim=HUGE), "code_dim"),
    of_codes(VectorCodes(search_dim=HUGE), "search_dim"),
    of_codes(ResidualCodes(code_dim=HUGE), "code_dim", IMAGES),
]


@pytest.mark.parametrize(("model", "name", "rows"), CASES)
def test_a_size_that_no_memory_holds_is_named_at_once(model, name, rows, monkeypatch):
    monkeypatch.setattr(memory, "machine_bytes", lambda: 2**33)  # a million layers fit into a large machine
    y = {"MLPRegressor": X[:, 0], "MLPClassifier": (X[:, 0] > 0).astype(int)}.get(type(model).__name__)
    started = time.process_time()
    with pytest.raises(ValueError, match=f"{name}=.* needs at least .* GB of memory, but this machine has .* GB"):
        model.fit(rows, y)
    assert time.process_time() - started < 3


TOO_DEEP = [
    *(asks(kind, "hidden_layer_sizes", (4,) * 20_000) for kind in (*TRANSFORMERS, MLPRegressor, MLPClassifier)),
    *(asks(kind, "n_blocks", 20_000, IMAGES, network="convolutional", channels=1) for kind in TRANSFORMERS),
    *(asks(kind, "n_layers", 20_000, CODES, channels=1) for kind in (PixelCNN, HierarchicalPixelCNN)),
    asks(CausalTransformer, "n_layers", 20_000, CODES, d_model=4),
    asks(OrderlessNADE, "n_blocks", 20_000, n_units=4),
]


@pytest.mark.parametrize(("model", "name", "rows"), TOO_DEEP)
def test_more_layers_than_can_be_trained_are_named_at_once(model, name, rows, monkeypatch):
    monkeypatch.setattr(memory, "machine_bytes", lambda: 2**40)
    y = {"MLPRegressor": X[:, 0], "MLPClassifier": (X[:, 0] > 0).astype(int)}.get(type(model).__name__)
    started = time.process_time()
    with pytest.raises(ValueError, match=f"{name} asks for 20000 layers, but a network has at most 1000; pass fewer"):
        model.fit(rows, y)
    assert time.process_time() - started < 3


def test_a_prior_that_no_memory_holds_is_refused_before_the_autoencoder_trains():
    model = VQVAETransformer(prior=PixelCNN(n_layers=HUGE), verbose=2, **ONE)
    with pytest.raises(ValueError, match="n_layers=2147483648 (needs|asks for)"):
        model.fit(IMAGES)
    assert not hasattr(model, "weights_")


@pytest.mark.parametrize("n_codes", [HUGE, 2**62])
def test_more_codes_than_vectors_to_learn_from_need_no_memory(n_codes):
    with pytest.warns(UserWarning, match="n_codes=.* is more than the .* different vectors"):
        model = VQVAETransformer(n_codes, (1,), prior=None, **ONE).fit(X)
    assert model.n_codes_ <= len(X)


@pytest.mark.parametrize(
    ("model", "rows", "method", "name"),
    [
        (VAETransformer(2, **ONE), X, "sample", "n_samples"),
        (VAETransformer(2, **ONE), X, "reconstruct", "n_draws"),
        (VAETransformer(2, **ONE), X, "score_samples", "n_importance_samples"),
        (PixelCNN(channels=2, n_layers=1, **ONE), CODES, "sample", "n_samples"),
        (OrderlessNADE(n_units=4, **ONE), X, "sample", "n_samples"),
        (OrderlessNADE(n_units=4, **ONE), X, "complete", "n_draws"),
        (VQVAETransformer(prior=PixelCNN(channels=2, **ONE), **ONE), X, "sample", "n_samples"),
    ],
)
def test_more_draws_than_memory_holds_are_refused(model, rows, method, name):
    model.fit(rows)
    passed = () if method == "sample" else (rows,)
    with pytest.raises(ValueError, match=f"{name}=.* needs at least"):
        getattr(model, method)(*passed, **{name: 2**40})


def test_the_parameter_that_saves_most_is_named():
    with pytest.raises(ValueError, match="^deep=1000000000000 needs at least"):
        check_memory(lambda wide, deep: wide**2 * deep, wide=10**3, deep=10**12)
    with pytest.raises(ValueError, match=r"^wide=\(1000000000, 5\) needs at least"):
        check_memory(lambda wide, deep: sum(wide) ** 2 * deep, wide=(10**9, 5), deep=10)
    check_memory(lambda wide: wide, wide=10**6)


def test_the_limit_is_that_of_the_machine(monkeypatch):
    assert 2**28 < machine_bytes() < 2**60
    monkeypatch.setattr(memory, "machine_bytes", lambda: 2**30)
    check_rows_memory((2**20,), n_samples=100)
    with pytest.raises(
        ValueError, match="n_samples=200 needs at least 1.68 GB of memory, but this machine has 1.07 GB"
    ):
        check_rows_memory((2**20,), n_samples=200)


def test_dense_weights_are_those_of_the_layers():
    widths = [7, 5, 3, 2]
    assert dense_weights(*widths) == sum(a * b + b for a, b in zip(widths, widths[1:]))


def test_finite_scalar_codes_of_any_number_that_fits_are_taken():
    model = VQVAETransformer(2**12, quantizer=FiniteScalarCodes(), prior=None, **ONE).fit(X)
    assert model.n_codes_ <= 2**12

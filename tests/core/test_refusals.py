"""What no estimator takes is refused by its name, at the beginning."""

import numpy as np
import pytest
import torch
from scipy import sparse

from skvq import (
    AutoEncoderTransformer,
    HierarchicalPixelCNN,
    MLPClassifier,
    MLPRegressor,
    OrderlessNADE,
    PixelCNN,
    VAETransformer,
    VQVAETransformer,
)
from skvq.training.loop import Loop

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(30, 4))
Y, LABELS = X[:, 0], (X[:, 0] > 0).astype(int)
IMAGES, CODES = RANDOM.random((12, 8, 8)), RANDOM.integers(3, size=(30, 4))
ONE = {"max_iter": 1, "random_state": 0}
MODELS = {
    "regressor": (MLPRegressor(hidden_layer_sizes=(2,), **ONE), (X, Y)),
    "classifier": (MLPClassifier((2,), **ONE), (X, LABELS)),
    "autoencoder": (AutoEncoderTransformer(2, **ONE), (X,)),
    "autoencoder of images": (AutoEncoderTransformer(2, channels=2, n_blocks=0, **ONE), (IMAGES,)),
    "VAE": (VAETransformer(2, **ONE), (X,)),
    "VQ-VAE": (VQVAETransformer(4, prior=None, **ONE), (X,)),
    "NADE": (OrderlessNADE(n_units=4, n_blocks=1, **ONE), (X,)),
    "PixelCNN": (PixelCNN(channels=2, n_layers=1, **ONE), (CODES,)),
}
of_every_kind = pytest.mark.parametrize("name", MODELS)
quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@of_every_kind
@pytest.mark.parametrize("seed", [True, False, np.True_])
def test_a_truth_is_no_seed(name, seed):
    model, data = MODELS[name]
    with pytest.raises(ValueError, match="'random_state' parameter .* must be an int in the range"):
        type(model)(**model.get_params(deep=False) | {"random_state": seed}).fit(*data)


@pytest.mark.parametrize("name", ["VAE", "NADE", "PixelCNN"])
def test_a_truth_is_no_seed_of_a_draw(name):
    model, data = MODELS[name]
    with pytest.raises(ValueError, match="random_state"):
        model.fit(*data).sample(2, random_state=True)


def test_the_bound_of_integers_is_told():
    with pytest.raises(ValueError, match=r"max_iter.*in the range \[1, 2\*\*63\). Got 1000000000"):
        MLPRegressor(max_iter=10**30).fit(X, Y)


@pytest.mark.parametrize("weight", [np.nan, np.inf, -1, "much", None, 10**400])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_the_weight_of_a_class_that_is_no_weight_is_named(weight, method):
    options = {"classes": [0, 1]} if method == "partial_fit" else {}
    with pytest.raises(
        ValueError, match="class_weight has the weight .* for the class 0; .* finite number, 0 or greater"
    ):
        getattr(MLPClassifier(class_weight={0: weight, 1: 1}), method)(X, LABELS, **options)
    if method == "fit":
        both = np.column_stack([LABELS, 1 - LABELS])
        with pytest.raises(ValueError, match="class_weight has the weight .* for the class 0"):
            MLPClassifier(class_weight=[{0: 1, 1: 1}, {0: weight, 1: 1}]).fit(X, both)


def test_grids_of_another_shape_are_called_grids():
    model = PixelCNN(channels=2, n_layers=1, **ONE)
    grids = CODES.reshape(-1, 2, 2)
    with pytest.raises(ValueError, match=r"^X_val holds grids of shape \(4, 1\), but grid_shape is \(2, 2\)"):
        model.fit(grids, X_val=CODES.reshape(-1, 4, 1))
    with pytest.raises(ValueError, match=r"^X holds grids of shape \(4, 1\), but grid_shape is \(2, 2\)"):
        model.fit(grids).score_samples(CODES.reshape(-1, 4, 1))
    with pytest.raises(ValueError, match=r"^X_val has 3 features"):
        HierarchicalPixelCNN(((1, 1), (1, 3)), channels=2, n_layers=1, **ONE).fit(CODES, X_val=CODES[:, :3])


@quiet
def test_the_score_of_indicators_checks_them_as_fit_does():
    both = np.column_stack([LABELS, 1 - LABELS])
    model = MLPClassifier((2,), **ONE).fit(X, both)
    expected = np.mean((model.predict(X) == both).all(axis=1))
    for y in (both, both.astype(object), both.astype(bool), both.tolist(), sparse.csr_matrix(both)):
        assert model.score(X, y) == pytest.approx(expected)
    for y in (2 * both - 1, 255 * both, both / 2, both.astype(str)):
        with pytest.raises(ValueError, match="a matrix of labels is an indicator matrix of 0 and 1"):
            model.score(X, y)
    with pytest.raises(ValueError, match="not whole"):
        MLPClassifier((2,), **ONE).fit(X, LABELS).score(X, Y)


@quiet
@of_every_kind
def test_a_list_of_tensors_that_require_gradients_is_a_list_of_rows(name):
    model, (rows, *targets) = MODELS[name]
    tensors = [torch.tensor(row.astype(np.float32), requires_grad=True) for row in rows]
    nested = [[value * 1.0 for value in row] for row in tensors] if rows.ndim == 2 else tensors
    expected = vars(type(model)(**model.get_params(deep=False)).fit(rows.astype(np.float32), *targets))[
        "n_features_in_"
    ]
    for given in (tensors, nested):
        assert model.fit(given, *targets).n_features_in_ == expected
    assert all(tensor.requires_grad for tensor in tensors)


@of_every_kind
def test_complex_numbers_are_refused_by_name(name):
    model, (rows, *targets) = MODELS[name]
    for wrong in (rows + 0j, torch.tensor(rows + 0j)):
        with pytest.raises(ValueError, match="^Complex data not supported: X has dtype .*complex128"):
            model.fit(wrong, *targets)
    held_out = {"y_val": targets[0]} if targets else {}
    with pytest.raises(ValueError, match="^Complex data not supported: X_val has dtype complex128"):
        model.fit(rows, *targets, X_val=rows + 0j, **held_out)
    with pytest.raises((ValueError, TypeError), match="[Cc]omplex"):
        model.fit((rows + 0j).tolist(), *targets)


def test_complex_targets_and_weights_are_refused_by_name():
    for model in (MLPRegressor(), MLPClassifier()):
        with pytest.raises(ValueError, match="y has dtype complex128"):
            model.fit(X, Y + 0j)
    with pytest.raises(ValueError, match="sample_weight has dtype complex128"):
        MLPRegressor().fit(X, Y, sample_weight=np.ones(30) + 0j)
    with pytest.raises(ValueError, match="Complex data not supported: X has dtype complex128"):
        AutoEncoderTransformer(2).fit(sparse.csr_matrix(X + 0j))


@of_every_kind
@pytest.mark.parametrize("length", [300, 5_000])
def test_a_checkpoint_that_no_file_can_be_is_refused_before_the_first_step(name, length, tmp_path, monkeypatch):
    model, data = MODELS[name]
    model = type(model)(**model.get_params(deep=False) | {"checkpoint": tmp_path / ("x" * length)})
    monkeypatch.setattr(Loop, "run", None)
    with pytest.raises(OSError, match="checkpoint='.*' cannot be the path of a file"):
        model.fit(*data)


def test_the_checkpoint_of_a_prior_is_checked_with_that_of_its_autoencoder(tmp_path, monkeypatch):
    monkeypatch.setattr(Loop, "run", None)
    with pytest.raises(OSError, match="cannot be the path of a file"):
        VQVAETransformer(4, checkpoint=tmp_path / ("x" * 250), **ONE).fit(X)
    with pytest.raises(ValueError, match="null character"):
        VQVAETransformer(4, checkpoint="a\0b", **ONE).fit(X)


@pytest.mark.parametrize("name", ["autoencoder", "VAE", "VQ-VAE"])
@pytest.mark.parametrize("size", [1e20, 1e30, 1e300])
def test_values_that_are_not_standardised_and_overflow_float32_are_refused(name, size, recwarn):
    model, (rows,) = MODELS[name]
    model = type(model)(**model.get_params(deep=False) | {"standardize": False})
    with pytest.raises(ValueError, match="X holds values up to .* beyond float32; rescale X, or pass standardize=True"):
        model.fit(size * rows)
    assert not recwarn


@pytest.mark.parametrize(("name", "called"), [("autoencoder", "Z"), ("VAE", "z")])
def test_components_beyond_float32_are_refused_by_name(name, called, recwarn):
    model, data = MODELS[name]
    model.fit(*data)
    for size in (1e39, 1e300):
        with pytest.raises(ValueError, match=f"{called} holds values up to 1e.* float32 holds no reconstruction"):
            model.inverse_transform(np.full((2, 2), size))
    assert np.isfinite(model.inverse_transform(np.full((2, 2), 1e30))).all()
    assert not recwarn

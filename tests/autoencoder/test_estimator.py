"""AutoEncoderTransformer on small images and tables."""

import pickle
import random
import warnings
from copy import copy as shallow

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skvq import AutoEncoderTransformer

IMAGE = {"n_components": 6, "hidden_layer_sizes": (32, 16), "max_iter": 4, "random_state": 0}
CONVOLUTIONAL = {"n_components": 6, "network": "convolutional", "channels": 16, "n_blocks": 1, "max_iter": 4}
TABLE = {"n_components": 4, "hidden_layer_sizes": (16,), "max_iter": 20, "random_state": 0}


@pytest.fixture(scope="module")
def digits():
    return load_digits().images[:400]


@pytest.fixture(scope="module")
def wine():
    return load_wine().data


@pytest.fixture(scope="module")
def on_digits(digits):
    return AutoEncoderTransformer(**CONVOLUTIONAL, random_state=0).fit(digits)


@pytest.fixture(scope="module")
def on_wine(wine):
    return AutoEncoderTransformer(**TABLE).fit(wine)


def standardised(model, X):
    return (np.asarray(X).reshape(len(X), -1) - model.shift_) / model.scale_


def pca_score(k, X_train, X_test, *, scale):
    """R² of PCA on test rows after the same standardisation."""
    shift, scale = X_train.mean(axis=0), scale(X_train)
    train, test = (X_train - shift) / scale, (X_test - shift) / scale
    pca = PCA(k, svd_solver="full").fit(train)
    return r2_score(test, pca.inverse_transform(pca.transform(test)), multioutput="variance_weighted")


@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
@pytest.mark.parametrize("k", [2, 5])
def test_without_hidden_layers_a_table_is_reconstructed_as_by_pca(load, k):
    X = load().data
    model = AutoEncoderTransformer(k, hidden_layer_sizes=(), random_state=0).fit(X[::2])
    expected = pca_score(k, X[::2], X[1::2], scale=lambda X: X.std(axis=0))
    assert model.score(X[1::2]) == pytest.approx(expected, abs=0.002)


@pytest.mark.parametrize("network", [{"hidden_layer_sizes": ()}, {"network": "convolutional", "n_blocks": 0}])
def test_without_a_network_images_are_reconstructed_as_by_pca(network):
    X = load_digits().images
    model = AutoEncoderTransformer(16, random_state=0, **network).fit(X[::2])
    X = X.reshape(-1, 64)
    expected = pca_score(16, X[::2], X[1::2], scale=lambda X: X.std())
    assert model.score(X[1::2]) == pytest.approx(expected, abs=0.002)


def test_without_hidden_layers_the_codes_span_the_principal_subspace(wine):
    model = AutoEncoderTransformer(3, hidden_layer_sizes=(), random_state=0).fit(wine)
    rows = standardised(model, wine)
    pca = PCA(3).fit(rows)
    difference = pca.inverse_transform(pca.transform(rows)) - standardised(
        model, model.inverse_transform(model.transform(wine))
    )
    assert np.abs(difference).max() < 0.01  # of values of standard deviation 1


@pytest.mark.parametrize("variant", [{}, {"noise": "gaussian"}, {"dropout": 0.3}, {"tied_weights": True}])
def test_the_kept_weights_are_never_worse_than_pca_on_the_held_out_rows(wine, variant):
    training, held_out = wine[::2], wine[1::2]
    model = AutoEncoderTransformer(**TABLE | {"max_iter": 60, "learning_rate_init": 0.01} | variant)
    model.fit(training, X_val=held_out)
    if "noise" not in variant:  # where what is monitored is what score measures
        assert model.score(held_out) >= pca_score(4, training, held_out, scale=lambda X: X.std(axis=0)) - 1e-5
    best = [*model.validation_loss_curve_][model.best_iter_ - 1] if model.best_iter_ else np.inf
    assert model.best_iter_ == 0 or best == min(model.validation_loss_curve_)


def test_a_network_learns_more_than_pca():
    X = load_digits().images
    model = AutoEncoderTransformer(8, hidden_layer_sizes=(128, 64), max_iter=30, random_state=0).fit(X[::2])
    X = X.reshape(-1, 64)
    assert model.score(X[1::2]) > pca_score(8, X[::2], X[1::2], scale=lambda X: X.std()) + 0.05


@pytest.mark.parametrize("name", ["digits", "wine"])
def test_score_is_r2_and_the_error_is_the_mean_squared_one_on_standardised_values(name, request):
    X = request.getfixturevalue(name)
    model = shallow(request.getfixturevalue(f"on_{name}")).set_params(clip=False)  # score judges what is not cut
    rows, restored = standardised(model, X), standardised(model, model.inverse_transform(model.transform(X)))
    assert model.score(X) == pytest.approx(r2_score(rows, restored, multioutput="variance_weighted"), abs=1e-5)
    np.testing.assert_allclose(model.reconstruction_error(X), ((rows - restored) ** 2).mean(axis=1), rtol=1e-3)


def test_rows_whose_columns_are_shuffled_have_larger_errors(on_wine, wine):
    rng = np.random.default_rng(0)
    shuffled = np.column_stack([rng.permutation(column) for column in wine.T])
    error = on_wine.reconstruction_error(np.concatenate([wine, shuffled]))
    assert roc_auc_score(np.repeat([0, 1], len(wine)), error) > 0.8


def test_scores_of_rows_are_high_where_errors_are_low(on_wine, wine):
    rng = np.random.default_rng(0)
    shuffled = np.column_stack([rng.permutation(column) for column in wine.T])
    np.testing.assert_array_equal(on_wine.score_samples(wine), -on_wine.reconstruction_error(wine))
    assert on_wine.score_samples(wine).mean() > on_wine.score_samples(shuffled).mean()


def test_codes_have_the_shape_and_dtype_that_the_docs_say(on_digits, digits, on_wine, wine):
    for model, X, n in ((on_digits, digits, 6), (on_wine, wine, 4)):
        Z = model.transform(X)
        assert Z.shape == (len(X), n)
        assert Z.dtype == np.float32
        assert model.n_components_ == n
        assert model.inverse_transform(Z).shape == X.shape


@pytest.mark.parametrize("n_features", [1, 2, 3])
def test_more_components_than_columns_reconstruct_exactly_and_are_told(n_features):
    X = np.random.default_rng(0).normal(size=(60, n_features))
    with pytest.warns(UserWarning, match=f"n_components=5 is more than the {n_features} values of a row"):
        model = AutoEncoderTransformer(5, random_state=0).fit(X)
    assert model.score(X) > 0.9999


def test_more_components_than_columns_are_not_told_where_something_else_limits_them():
    X = np.random.default_rng(0).normal(size=(60, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for limit in ({"noise": "masking"}, {"sparsity": "l1"}, {"contractive_weight": 0.1}):
            AutoEncoderTransformer(5, max_iter=1, random_state=0, **limit).fit(X)
        AutoEncoderTransformer(3, max_iter=1, random_state=0).fit(X)


@pytest.mark.parametrize("n", [1, 2, 5, 12])
@pytest.mark.parametrize("shape", [(3,), (8, 8)])
def test_a_few_rows_fit_without_a_warning(n, shape):
    X = np.random.default_rng(0).normal(size=(n, *shape))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = AutoEncoderTransformer(random_state=0).fit(X)
    assert np.isfinite(model.inverse_transform(model.transform(X))).all()


@pytest.mark.parametrize("variant", [{}, {"sparsity": "kl"}, {"sparsity": "l1"}, {"contractive_weight": 0.1}])
def test_identical_rows_and_constant_columns_come_back(variant, wine):
    same = AutoEncoderTransformer(2, max_iter=2, random_state=0, **variant).fit(np.full((20, 3), 5.0))
    np.testing.assert_allclose(same.inverse_transform(same.transform([[5.0, 5.0, 5.0]])), 5.0, atol=0.05)
    X = np.column_stack([wine, np.full(178, 7.5), np.zeros(178)])
    model = AutoEncoderTransformer(**TABLE | variant).fit(X)
    np.testing.assert_allclose(model.inverse_transform(model.transform(X))[:, 13], 7.5, atol=0.2)


@pytest.mark.parametrize("shape", [(8, 8), (9, 13), (11, 8, 3)])
@pytest.mark.parametrize("network", ["dense", "convolutional"])
def test_images_of_any_size_come_back_in_their_layout(shape, network):
    X = np.random.default_rng(0).normal(size=(40, *shape)).astype(np.float32)
    model = AutoEncoderTransformer(2, network=network, channels=8, max_iter=1, random_state=0).fit(X)
    assert model.image_shape_ == shape
    restored = model.inverse_transform(model.transform(X))
    assert restored.shape == X.shape
    assert restored.dtype == np.float32


def test_rows_and_images_give_the_same_model(digits):
    rows = digits.reshape(400, 64)
    from_rows = AutoEncoderTransformer(image_shape=(8, 8), **IMAGE).fit(rows)
    from_images = AutoEncoderTransformer(**IMAGE).fit(digits)
    np.testing.assert_array_equal(from_rows.transform(rows), from_images.transform(digits))
    assert from_rows.inverse_transform(from_rows.transform(rows)).shape == (400, 64)


def test_the_default_network_suits_the_size_of_an_image(digits):
    small = AutoEncoderTransformer(max_iter=1, random_state=0).fit(digits)
    large = AutoEncoderTransformer(2, channels=8, n_blocks=1, max_iter=1, random_state=0)
    large.fit(np.random.default_rng(0).random((12, 65, 64)))
    assert small.architecture_["sizes"]["hidden_layer_sizes"] == [256, 128]
    assert large.architecture_["sizes"]["grid_shape"] == [9, 8]


def test_units_of_the_columns_do_not_matter(wine):
    factors, offsets = 10.0 ** np.arange(-6, 7), np.linspace(-1e3, 1e3, 13)
    plain = AutoEncoderTransformer(**TABLE).fit(wine)
    other = AutoEncoderTransformer(**TABLE).fit(wine * factors + offsets * factors)
    assert other.score(wine * factors + offsets * factors) == pytest.approx(plain.score(wine), abs=1e-3)


def test_log_loss_reconstructs_within_zero_and_one_and_learns(digits):
    X = digits / 16
    few, many = (AutoEncoderTransformer(**IMAGE | {"loss": "log_loss", "max_iter": n}).fit(X) for n in (1, 30))
    restored = many.inverse_transform(many.transform(X))
    assert restored.min() >= -1e-6
    assert restored.max() <= 1 + 1e-6
    assert many.validation_loss_curve_[-1] < few.validation_loss_curve_[-1]
    assert many.score(X) > 0.6


def test_an_l1_penalty_makes_codes_exactly_zero(wine):
    weak, strong = (
        AutoEncoderTransformer(**TABLE | {"n_components": 8, "sparsity": "l1", "sparsity_weight": w, "max_iter": 150})
        .fit(wine)
        .transform(wine)
        for w in (0.0, 0.5)
    )
    assert weak.min() >= 0
    assert (strong == 0).mean() > (weak == 0).mean()


def test_a_kl_penalty_brings_the_activity_to_its_target(wine):
    options = {"sparsity": "kl", "sparsity_weight": 3.0, "sparsity_target": 0.1}
    options |= {"max_iter": 300, "learning_rate_init": 0.01, "early_stopping": False}
    Z = AutoEncoderTransformer(**TABLE | options).fit(wine).transform(wine)
    assert Z.min() >= 0
    assert Z.max() <= 1
    np.testing.assert_allclose(Z.mean(axis=0), 0.1, atol=0.05)


def test_a_contractive_penalty_lowers_the_sensitivity_of_the_code(wine):
    def sensitivity(weight):
        options = {"contractive_weight": weight, "tied_weights": True, "max_iter": 100, "early_stopping": False}
        model = AutoEncoderTransformer(**TABLE | options).fit(wine)
        rng = np.random.default_rng(0)
        moved = wine + 1e-3 * model.scale_ * rng.normal(size=wine.shape)
        return np.square(model.transform(moved) - model.transform(wine)).mean()

    assert sensitivity(1.0) < 0.9 * sensitivity(0.0)


def test_a_denoising_autoencoder_denoises_better_than_one_trained_on_clean_rows():
    X = load_digits().images.reshape(-1, 64)
    noisy = X + 4.0 * np.random.default_rng(0).normal(size=X.shape)  # pixels have a standard deviation of 6
    options = {"n_components": 16, "image_shape": (8, 8), "max_iter": 40, "clip": False, "random_state": 0}
    plain = AutoEncoderTransformer(**options).fit(X[::2])
    denoising = AutoEncoderTransformer(noise="gaussian", noise_level=4.0 / 6.0, **options).fit(X[::2])
    errors = [np.square(m.inverse_transform(m.transform(noisy)) - X)[1::2].mean() for m in (plain, denoising)]
    assert errors[1] < 0.8 * errors[0]


def test_tied_weights_leave_the_decoder_nothing_but_biases(wine):
    model = AutoEncoderTransformer(**TABLE | {"tied_weights": True}).fit(wine)
    assert {name for name in model.weights_ if name.startswith("decoder")} == {
        "decoder.bias",
        "decoder.hidden_biases.0",
    }
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(
        copy.inverse_transform(copy.transform(wine)), model.inverse_transform(model.transform(wine))
    )


@pytest.mark.parametrize("form", ["csr", "csc", "tensor", "float32", "frame", "fortran", "memmap", "list"])
def test_every_form_of_x_gives_the_same_codes(form, on_wine, wine, tmp_path):
    if form == "frame":
        X = pd.DataFrame(wine)
    elif form == "memmap":
        np.save(tmp_path / "X.npy", wine)
        X = np.load(tmp_path / "X.npy", mmap_mode="r")
    else:
        X = {
            "csr": sparse.csr_matrix,
            "csc": sparse.csc_array,
            "tensor": torch.tensor,
            "float32": np.float32,
            "fortran": np.asfortranarray,
            "list": lambda X: X.tolist(),
        }[form](wine)
    np.testing.assert_allclose(AutoEncoderTransformer(**TABLE).fit(X).transform(X), on_wine.transform(wine), atol=0.01)


def test_a_row_gets_the_same_code_alone_and_among_others(on_wine, on_digits, wine, digits):
    for model, X in ((on_wine, wine), (on_digits, digits)):
        alone = np.concatenate([model.transform(X[i : i + 1]) for i in range(20)])
        np.testing.assert_allclose(alone, model.transform(X)[:20], rtol=1e-5, atol=1e-5)  # float32 rounding


def test_equal_seeds_give_equal_models_and_global_generators_are_left_alone(wine):
    options = TABLE | {"dropout": 0.2, "noise": "masking", "contractive_weight": 0.1, "sparsity": "l1"}
    before = torch.random.get_rng_state(), np.random.get_state(legacy=False), random.getstate()  # noqa: NPY002
    first, again = (AutoEncoderTransformer(**options).fit(wine) for _ in range(2))
    np.testing.assert_array_equal(first.transform(wine), again.transform(wine))
    assert first.loss_curve_ == again.loss_curve_
    assert torch.equal(before[0], torch.random.get_rng_state())
    np.testing.assert_equal(np.random.get_state(legacy=False), before[1])  # noqa: NPY002
    assert random.getstate() == before[2]


def test_a_copy_through_pickle_and_joblib_gives_the_same_bits(on_digits, digits, tmp_path):
    joblib.dump(on_digits, tmp_path / "model.joblib")
    for copy in (pickle.loads(pickle.dumps(on_digits)), joblib.load(tmp_path / "model.joblib")):
        np.testing.assert_array_equal(copy.transform(digits), on_digits.transform(digits))
        np.testing.assert_array_equal(copy.reconstruction_error(digits), on_digits.reconstruction_error(digits))


def test_refitting_forgets_the_first_fit_and_fit_leaves_x_and_the_parameters_alone(digits, wine):
    X, model = wine.copy(), AutoEncoderTransformer(**TABLE)
    before = {name: repr(value) for name, value in model.get_params().items()}
    model.fit(digits[:50]).fit(X)
    np.testing.assert_array_equal(model.transform(X), clone(model).fit(X).transform(X))
    assert model.image_shape_ is None
    np.testing.assert_array_equal(X, wine)
    assert {name: repr(value) for name, value in model.get_params().items()} == before


def test_it_works_in_a_pipeline_and_a_grid_search_over_its_weights(wine):
    pipeline = make_pipeline(StandardScaler(), AutoEncoderTransformer(**TABLE)).fit(wine)
    assert pipeline.score(wine) == pytest.approx(pipeline[-1].score(pipeline[0].transform(wine)))
    assert pipeline.inverse_transform(pipeline.transform(wine)).shape == wine.shape
    model = AutoEncoderTransformer(**TABLE | {"sparsity": "l1", "early_stopping": False})
    search = GridSearchCV(model, {"sparsity_weight": [0.0, 1.0], "n_components": [2, 8]}, cv=2).fit(wine)
    assert search.best_params_["n_components"] == 8
    assert len(set(search.cv_results_["mean_test_score"])) == 4  # every weight made a difference


@pytest.mark.parametrize("load", [load_wine, lambda: load_diabetes(scaled=False)])
def test_the_default_works_on_raw_columns_without_a_warning(load):
    X = load().data
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = AutoEncoderTransformer(random_state=0).fit(X[::2])
    assert model.score(X[1::2]) > 0.6

"""VQVAETransformer on small images and tables."""

import pickle
import random
import warnings
from copy import copy as shallow

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse, stats
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits, load_wine
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import r2_score

from skvq import OrderlessNADE, PixelCNN, VectorCodes, VQVAETransformer
from skvq.vqvae.defaults import Architecture
from skvq.vqvae.network import build_vqvae

PRIOR = PixelCNN(channels=8, n_layers=1, max_iter=2)
IMAGE = {"n_codes": 16, "channels": 16, "n_blocks": 1, "max_iter": 3, "prior": None, "random_state": 0}
TABLE = {"n_codes": 8, "hidden_layer_sizes": (16,), "max_iter": 20, "prior": None, "random_state": 0}


@pytest.fixture(scope="module")
def digits():
    return load_digits().images[:400]


@pytest.fixture(scope="module")
def wine():
    return load_wine().data


@pytest.fixture(scope="module")
def on_digits(digits):
    return VQVAETransformer(**IMAGE | {"prior": PRIOR}).fit(digits)


@pytest.fixture(scope="module")
def on_wine(wine):
    return VQVAETransformer(**TABLE | {"prior": PRIOR}).fit(wine)


def standardised(model, X):
    return (np.asarray(X).reshape(len(X), -1) - model.shift_) / model.scale_


def network_of(model):
    """Return the network that the fitted attributes describe."""
    network = build_vqvae(Architecture.from_json(model.architecture_), torch.Generator()).eval()
    network.load_state_dict({name: torch.from_numpy(array) for name, array in model.weights_.items()})
    return network


def test_codes_of_images_are_integers_over_the_grid(on_digits, digits):
    codes = on_digits.transform(digits)
    assert on_digits.code_shape_ == (4, 4)
    assert codes.shape == (400, 16)
    assert codes.dtype == np.int32
    assert codes.min() >= 0
    assert codes.max() < on_digits.n_codes_ == 16
    assert on_digits.codebook_.shape[0] == 16


def test_positions_of_a_table_have_a_codebook_each(on_wine, wine):
    (m,) = on_wine.code_shape_
    assert on_wine.transform(wine).shape == (178, m)
    assert on_wine.codebook_.shape[:2] == (m, on_wine.n_codes_)


def test_codes_are_the_nearest_codebook_vectors(on_digits, digits):
    model, X = on_digits, digits[:50]
    with torch.no_grad():
        z = network_of(model).encoder(torch.from_numpy(standardised(model, X)).float().view(-1, 8, 8, 1))
    z = z.double().numpy()
    codes = model.transform(X)
    codebooks = np.broadcast_to(model.codebook_, (z.shape[1], *model.codebook_.shape[-2:]))
    for position, codebook in enumerate(codebooks):
        distances = cdist(z[:, position], codebook.astype(float))
        chosen = np.take_along_axis(distances, codes[:, [position]], axis=1)[:, 0]
        np.testing.assert_allclose(chosen, distances.min(axis=1), rtol=1e-4, atol=1e-5)  # float32 distances


@pytest.mark.parametrize("name", ["digits", "wine"])
def test_score_is_r2_on_standardised_values(name, request):
    X = request.getfixturevalue(name)
    model = shallow(request.getfixturevalue(f"on_{name}")).set_params(clip=False)  # score judges what is not cut
    reconstructed = model.inverse_transform(model.transform(X))
    expected = r2_score(standardised(model, X), standardised(model, reconstructed), multioutput="variance_weighted")
    assert model.score(X) == pytest.approx(expected, abs=1e-5)  # float32 network


def test_score_of_a_single_row_is_none_and_warns(on_wine, wine):
    with pytest.warns(UndefinedMetricWarning, match="less than two rows"):
        assert np.isnan(on_wine.score(wine[:1]))


@pytest.mark.parametrize("name", ["digits", "wine"])
def test_usage_and_perplexity_are_those_of_the_training_codes(name, request):
    model, X = request.getfixturevalue(f"on_{name}"), request.getfixturevalue(name)
    codes = model.transform(X)
    groups = [codes.ravel()] if name == "digits" else list(codes.T)
    counts = [np.bincount(group, minlength=model.n_codes_) for group in groups]
    assert model.codebook_usage_ == pytest.approx(np.mean([c > 0 for c in counts]))
    assert model.perplexity_ == pytest.approx(np.exp(np.mean([stats.entropy(c) for c in counts])))


def test_training_learns(digits):
    few, many = (VQVAETransformer(**IMAGE | {"max_iter": n}).fit(digits) for n in (1, 6))
    assert many.score(digits) > few.score(digits)
    assert many.history_["reconstruction"][-1] < many.history_["reconstruction"][0]
    assert many.n_iter_ == len(many.loss_curve_) == 6


@pytest.mark.parametrize("update", ["ema", "gradient"])
def test_the_codebook_moves_in_training(digits, update):
    codes = VectorCodes(codebook_update=update)
    first, second = (
        VQVAETransformer(**IMAGE | {"quantizer": codes, "max_iter": n}).fit(digits).codebook_ for n in (1, 3)
    )
    assert not np.allclose(first, second, atol=1e-4)


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (9, 13), (11, 8, 3), (16, 30, 2)])
def test_images_of_any_size_come_back_in_their_layout(shape):
    X = np.random.default_rng(0).normal(size=(40, *shape)).astype(np.float32)
    model = VQVAETransformer(**IMAGE | {"n_codes": 4, "max_iter": 1}).fit(X)
    assert model.image_shape_ == shape
    codes = model.transform(X)
    assert codes.shape == (40, np.prod(model.code_shape_))
    assert model.inverse_transform(codes).shape == X.shape
    assert model.inverse_transform(codes).dtype == np.float32


def test_rows_and_images_give_the_same_model(digits):
    rows = digits.reshape(400, 64)
    short = IMAGE | {"max_iter": 1}
    from_rows = VQVAETransformer(image_shape=(8, 8), **short).fit(rows)
    from_images = VQVAETransformer(**short).fit(digits)
    codes = from_rows.transform(rows)
    np.testing.assert_array_equal(codes, from_images.transform(digits))
    np.testing.assert_array_equal(codes, from_images.transform(rows))
    assert from_rows.inverse_transform(codes).shape == (400, 64)
    assert from_images.inverse_transform(codes).shape == (400, 8, 8)


@pytest.mark.parametrize("code_shape", [(2, 2), (8, 8), (3, 5)])
def test_the_grid_of_codes_can_be_chosen(digits, code_shape):
    model = VQVAETransformer(code_shape=code_shape, **IMAGE | {"max_iter": 1}).fit(digits)
    assert model.code_shape_ == code_shape
    assert model.inverse_transform(model.transform(digits)).shape == digits.shape


@pytest.mark.parametrize("code_shape", [3, (3,)])
def test_the_number_of_positions_of_a_table_can_be_chosen(wine, code_shape):
    assert VQVAETransformer(code_shape=code_shape, **TABLE).fit(wine).code_shape_ == (3,)


def test_units_of_the_columns_do_not_matter(wine):
    factors, offsets = 10.0 ** np.arange(-6, 7), np.linspace(-1e3, 1e3, 13)
    plain = VQVAETransformer(**TABLE).fit(wine)
    other = VQVAETransformer(**TABLE).fit(wine * factors + offsets * factors)
    assert other.score(wine * factors + offsets * factors) == pytest.approx(plain.score(wine), abs=1e-3)


def test_without_standardisation_x_is_taken_as_it_is(wine):
    model = VQVAETransformer(standardize=False, **TABLE | {"max_iter": 2}).fit(wine / wine.max(axis=0))
    np.testing.assert_array_equal(model.scale_, 1.0)
    np.testing.assert_array_equal(model.shift_, 0.0)


def test_constant_columns_come_back(wine):
    X = np.column_stack([wine, np.full(178, 7.5), np.zeros(178)])
    model = VQVAETransformer(**TABLE).fit(X)
    np.testing.assert_allclose(model.inverse_transform(model.transform(X))[:, 13], 7.5, atol=0.05)


@pytest.mark.parametrize("shape", [(30, 1), (30, 200), (3, 2), (400, 3)])
def test_tables_of_any_size_fit_without_a_warning(shape):
    X = np.random.default_rng(0).normal(size=shape)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = VQVAETransformer(max_iter=2, prior=PRIOR, random_state=0).fit(X)
    assert model.sample(4, random_state=0).shape == (4, shape[1])


def test_identical_rows_fit():
    model = VQVAETransformer(max_iter=2, prior=PRIOR, random_state=0).fit(np.full((20, 3), 5.0))
    np.testing.assert_allclose(model.inverse_transform(model.transform([[5.0, 5.0, 5.0]])), 5.0, atol=1e-3)


def test_more_codes_than_different_rows_are_cut_with_a_warning():
    X = np.repeat(np.random.default_rng(0).normal(size=(6, 3)), 5, axis=0)
    with pytest.warns(UserWarning, match="n_codes=32 is more than the 6 different"):
        model = VQVAETransformer(32, prior=None, max_iter=2, random_state=0).fit(X)
    assert model.n_codes_ == 6


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
    model = VQVAETransformer(**TABLE).fit(X)
    agreement = np.mean(model.transform(X) == on_wine.transform(wine))
    assert agreement > (0.99 if form in ("float32", "csr", "csc") else 1 - 1e-12)


def test_a_row_gets_the_same_codes_alone_and_among_others(on_wine, on_digits, wine, digits):
    for model, X in ((on_wine, wine), (on_digits, digits)):
        alone = np.concatenate([model.transform(X[i : i + 1]) for i in range(20)])
        np.testing.assert_array_equal(alone, model.transform(X)[:20])


def test_held_out_rows_choose_the_weights(wine):
    training, held_out = wine[::2], wine[1::2]
    model = VQVAETransformer(**TABLE | {"max_iter": 200}).fit(training, X_val=held_out)
    curve = model.history_["validation_reconstruction"]
    restored = model.inverse_transform(model.transform(held_out))
    error = standardised(model, held_out) - standardised(model, restored)
    assert model.best_iter_ == np.argmin(curve) + 1
    assert np.mean(error**2) == pytest.approx(min(curve), rel=1e-4)


def test_equal_seeds_give_equal_models_and_global_generators_are_left_alone(wine):
    before = torch.random.get_rng_state(), np.random.get_state(legacy=False), random.getstate()  # noqa: NPY002
    first, again = (VQVAETransformer(**TABLE | {"prior": PRIOR}).fit(wine) for _ in range(2))
    np.testing.assert_array_equal(first.sample(5, random_state=0), again.sample(5, random_state=0))
    assert first.loss_curve_ == again.loss_curve_
    assert torch.equal(before[0], torch.random.get_rng_state())
    np.testing.assert_equal(np.random.get_state(legacy=False), before[1])  # noqa: NPY002
    assert random.getstate() == before[2]


def test_log_density_is_prior_plus_gaussian_in_the_units_of_x(on_wine, wine):
    X = wine[:7]
    codes = on_wine.transform(X)
    spread = np.sqrt(on_wine.noise_variance_) * on_wine.scale_
    gaussian = stats.norm(on_wine.inverse_transform(codes), spread).logpdf(X).sum(axis=1)
    np.testing.assert_allclose(on_wine.score_samples(X), on_wine.prior_.score_samples(codes) + gaussian, rtol=1e-4)


def test_log_density_changes_with_the_unit_of_x(wine):
    plain, scaled = (VQVAETransformer(**TABLE | {"prior": PRIOR}).fit(X).score_samples(X) for X in (wine, 8 * wine))
    np.testing.assert_allclose(plain - scaled, 13 * np.log(8), rtol=1e-6)


def test_log_density_tells_real_rows_from_shuffled_ones(on_wine, wine):
    rng = np.random.default_rng(0)
    shuffled = np.column_stack([rng.permutation(column) for column in wine.T])
    assert on_wine.score_samples(wine).mean() > on_wine.score_samples(shuffled).mean()


def test_samples_are_decoded_codes_of_the_prior(on_digits):
    samples = on_digits.sample(6, random_state=3)
    assert samples.shape == (6, 8, 8)
    np.testing.assert_array_equal(samples, on_digits.inverse_transform(on_digits.prior_.sample(6, random_state=3)))


def test_without_a_prior_there_is_no_sampling_until_one_is_fitted(wine):
    model = VQVAETransformer(**TABLE).fit(wine)
    for name in ("sample", "score_samples"):
        assert not hasattr(model, name)
    for name in ("sample", "score_samples", "complete", "bits_per_dim"):
        with pytest.raises(AttributeError, match=r"prior=None.*fit_prior\(X\), or set prior='auto'"):
            getattr(model, name)
    codes = model.transform(wine)
    model.set_params(prior=PRIOR).fit_prior(wine)
    np.testing.assert_array_equal(model.transform(wine), codes)
    assert model.sample(2, random_state=0).shape == (2, 13)
    model.set_params(prior=None).fit(wine)
    assert not hasattr(model, "prior_")


def test_the_prior_is_a_clone_that_knows_the_codes(on_digits):
    assert on_digits.prior_ is not PRIOR
    assert not hasattr(PRIOR, "weights_")
    assert (on_digits.prior_.n_codes, on_digits.prior_.grid_shape_) == (16, (4, 4))


def test_a_copy_through_pickle_and_joblib_gives_the_same_bits(on_digits, digits, tmp_path):
    joblib.dump(on_digits, tmp_path / "model.joblib")
    for copy in (pickle.loads(pickle.dumps(on_digits)), joblib.load(tmp_path / "model.joblib")):
        np.testing.assert_array_equal(copy.transform(digits), on_digits.transform(digits))
        np.testing.assert_array_equal(copy.sample(3, random_state=0), on_digits.sample(3, random_state=0))
        np.testing.assert_array_equal(copy.score_samples(digits[:5]), on_digits.score_samples(digits[:5]))


def test_refitting_forgets_the_first_fit(digits, wine):
    model = VQVAETransformer(**TABLE | {"max_iter": 3}).fit(digits[:50]).fit(wine)
    np.testing.assert_array_equal(model.codebook_, clone(model).fit(wine).codebook_)
    assert model.image_shape_ is None


def test_fit_leaves_x_and_the_parameters_alone(wine):
    X, model = wine.copy(), VQVAETransformer(**TABLE | {"prior": PRIOR})
    before = {name: repr(value) for name, value in model.get_params().items()}
    model.fit(X).transform(X)
    np.testing.assert_array_equal(X, wine)
    assert {name: repr(value) for name, value in model.get_params().items()} == before


@pytest.mark.parametrize(
    ("load", "options"),
    [(load_wine, {}), (lambda: load_diabetes(scaled=False), {"prior": OrderlessNADE(max_iter=3)})],
    ids=["wine", "diabetes"],
)
def test_the_default_works_on_raw_columns_without_a_warning(load, options):
    X = load().data
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = VQVAETransformer(random_state=0, **options).fit(X[::2])
    assert model.score(X[1::2]) > 0.7
    assert model.codebook_usage_ > 0.9
    assert model.sample(3, random_state=0).shape == (3, X.shape[1])


def tiles_and_faces():
    """Return 60 tiles of one smooth random field, at random places, and the same with a bright middle."""
    rng = np.random.default_rng(0)
    field = np.cumsum(np.cumsum(rng.normal(size=(200, 200)), axis=0), axis=1)
    field = (field - field.mean()) / field.std()
    places = rng.integers(0, 184, size=(60, 2))
    tiles = np.stack([field[row : row + 16, column : column + 16] for row, column in places])
    return tiles - tiles.mean(axis=(1, 2), keepdims=True), tiles + 5 * np.outer(np.hanning(16), np.hanning(16))


def test_the_network_follows_whether_images_are_aligned():
    tiles, faces = tiles_and_faces()
    options = {"prior": None, "max_iter": 1, "random_state": 0}
    assert [VQVAETransformer(**options).fit(X).aligned_ for X in (tiles, faces)] == [False, True]
    options["early_stopping"] = False
    first, moved = (VQVAETransformer(augment=augment, **options).fit(tiles) for augment in (False, True))
    assert any(not np.array_equal(first.weights_[name], moved.weights_[name]) for name in first.weights_)


def test_an_aligned_network_has_maps_over_the_positions():
    tiles, _ = tiles_and_faces()
    options = {"prior": None, "max_iter": 1, "random_state": 0}
    aligned, convolutional = (
        VQVAETransformer(network=name, **options).fit(tiles) for name in ("aligned", "convolutional")
    )
    assert (aligned.network_, convolutional.network_) == ("aligned", "convolutional")
    extra = set(aligned.weights_) - set(convolutional.weights_)
    m = np.prod(aligned.code_shape_)
    assert {aligned.weights_[name].shape[1:] for name in extra if name.endswith("weight")} >= {(m, m)}


@pytest.mark.parametrize("shared", [True, False])
def test_the_vectors_of_codes_are_one_step_away(shared, wine):
    X = np.random.default_rng(0).random((60, 8, 8)) if shared else wine
    shape = (2, 2) if shared else (3,)
    model = VQVAETransformer(8, shape, quantizer="vector", max_iter=1, prior=None, random_state=0).fit(X)
    codes = model.transform(X)
    found = model.codebook_[codes] if shared else model.codebook_[np.arange(codes.shape[1]), codes]
    quantizer = model._network().quantizer
    expected = quantizer.decode(torch.from_numpy(codes.astype(np.int64))).detach().numpy()
    np.testing.assert_allclose(found.reshape(len(X), -1), expected.reshape(len(X), -1), rtol=1e-6, atol=1e-7)

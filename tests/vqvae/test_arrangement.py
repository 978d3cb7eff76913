"""Arrangements of the codes of images: codes of patches, of strips, of the whole; the choice between them."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits

import skvq
from skvq import PixelCNN, VectorCodes, VQVAETransformer
from skvq.vqvae.arrangement import own_codebooks

IMAGES = load_digits().images
FAST = {"max_iter": 1, "channels": 16, "n_blocks": 1, "precision": "float32", "random_state": 0}
UPPER = np.arange(8)[:, None] < np.full(8, 4)


@pytest.fixture(scope="module")
def whole():
    prior = PixelCNN(max_iter=30, channels=16, random_state=0)
    return VQVAETransformer(network="dense", max_bits=32, prior=prior, **FAST).fit(IMAGES[:1200])


def test_dense_networks_have_codes_of_whole_images(whole):
    assert whole.network_ == "dense"
    assert whole.code_shape_ == (4,)
    codes = whole.transform(IMAGES[1200:])
    assert whole.inverse_transform(codes).shape == IMAGES[1200:].shape
    assert whole.score(IMAGES[1200:]) > 0.8
    errors = [np.square(whole.inverse_transform(codes[:, :n]) - IMAGES[1200:]).mean() for n in (1, 2, 3, 4)]
    assert errors == sorted(errors, reverse=True)  # every prefix of the codes is a coarser image


def test_codes_of_whole_images_are_those_of_a_table_of_standardised_pixels(whole):
    rows = ((IMAGES - IMAGES.mean()) / IMAGES.std()).reshape(len(IMAGES), -1)
    table = VQVAETransformer(max_bits=32, standardize=False, prior=None, **FAST).fit(rows[:1200] - rows[:1200].mean())
    assert table.code_shape_ == whole.code_shape_
    difference = table.score(rows[1200:] - rows[:1200].mean()) - whole.score(IMAGES[1200:])
    assert abs(difference) < 0.01  # the scale differs a little: that of all images here, of the training ones there


def test_codes_of_whole_images_are_the_same_in_every_layout():
    model = VQVAETransformer(16, (4,), network="dense", prior=None, **FAST).fit(IMAGES[:600])
    codes = model.transform(IMAGES[:5])
    flat = clone(model).set_params(image_shape=(8, 8)).fit(IMAGES[:600].reshape(600, 64))
    np.testing.assert_array_equal(flat.transform(IMAGES[:5].reshape(5, 64)), codes)
    channels = clone(model).fit(IMAGES[:600, ..., None].astype(np.uint8))
    np.testing.assert_array_equal(channels.transform(IMAGES[:5, ..., None]), codes)
    assert channels.inverse_transform(codes).shape == (5, 8, 8, 1)


def test_files_samples_and_scores_work_with_codes_of_whole_images(whole, tmp_path):
    whole.save(tmp_path / "model.safetensors")
    loaded = skvq.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.sample(4, random_state=0), whole.sample(4, random_state=0))
    noise = np.random.default_rng(0).uniform(0, 16, size=(50, 8, 8))
    assert whole.score_samples(IMAGES[1200:]).mean() > whole.score_samples(noise).mean()


def test_whole_images_are_completed_nearer_than_by_the_mean(whole):
    X = IMAGES[1200:1260]
    completed = whole.complete(X, UPPER, random_state=0)
    np.testing.assert_array_equal(completed[:, UPPER], X[:, UPPER])
    missing = np.square(completed - X)[:, ~UPPER].mean()
    assert missing < 1.5 * np.square(IMAGES[:1200].mean(axis=0) - X)[:, ~UPPER].mean()
    shuffled = np.square(np.roll(completed, 1, axis=0) - X)[:, ~UPPER].mean()
    assert missing < 0.9 * shuffled  # the known half tells of the other


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"code_shape": (4, 4)}, r"code_shape=\(4, 4\) must be 'auto' or \(m,\).* and network='dense'"),
        ({"prior": "nade"}, "models the columns of tables, but X holds images"),
    ],
)
def test_what_whole_images_cannot_have_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        VQVAETransformer(network="dense", **FAST | options).fit(IMAGES[:100])


def images_of(kind, n=900):
    """Return images with all pixels from three factors, or with three factors for every row of pixels."""
    rng = np.random.default_rng(0)
    if kind == "whole":
        smooth = np.cumsum(rng.normal(size=(3, 8, 8)), axis=2)
        return 10 * rng.normal(size=(8, 8)) + np.einsum("nf,fij->nij", rng.normal(size=(n, 3)), smooth)
    return 10 * rng.normal(size=(8, 8)) + np.einsum(
        "nif,fij->nij", rng.normal(size=(n, 8, 1)), np.sign(rng.normal(size=(1, 8, 8)))
    )


@pytest.mark.parametrize(
    ("kind", "max_bits", "network", "code_shapes"),
    [("whole", 24, "dense", [(3,), (4,)]), ("rows", 64, "convolutional", [(8, 1)])],  # codes of 8 or of 6 bits
)
def test_auto_takes_the_arrangement_that_keeps_most_of_other_images(kind, max_bits, network, code_shapes):
    X = images_of(kind)
    options = FAST | {"max_bits": max_bits, "prior": None}
    model = VQVAETransformer(**options).fit(X[:520])
    assert model.network_ == network
    assert model.code_shape_ in code_shapes
    patches = VQVAETransformer(network="convolutional", **options).fit(X[:520])
    assert 1 - model.score(X[520:]) < 0.8 * (1 - patches.score(X[520:]))


@pytest.mark.parametrize(("max_bits", "network"), [(24, "dense"), (145, "convolutional"), (None, "convolutional")])
def test_images_of_144_pixels_are_compared_where_there_is_a_bit_for_each_at_most(max_bits, network):
    X = np.pad(images_of("whole", 600), ((0, 0), (2, 2), (2, 2)), mode="edge")
    assert VQVAETransformer(**FAST, max_bits=max_bits, prior=None).fit(X).network_ == network


@pytest.mark.parametrize("given", [{"n_codes": 16}, {"code_shape": (4, 4)}, {"quantizer": "vector"}])
def test_codes_that_are_given_are_those_of_patches(given):
    model = VQVAETransformer(**FAST | given, prior=None).fit(images_of("whole", 600))
    assert (model.network_, model.code_shape_) == ("convolutional", (4, 4))


def test_few_images_have_codes_of_patches():
    model = VQVAETransformer(**FAST, prior=None).fit(images_of("whole", 300))
    assert (model.network_, model.code_shape_) == ("convolutional", (4, 4))


def test_the_choice_is_one_of_codes_that_can_be_asked_for():
    model = VQVAETransformer(**FAST | {"max_bits": 64, "prior": None}).fit(images_of("rows"))
    codes = VectorCodes(shared_codebook=False)
    asked = VQVAETransformer(model.n_codes_, model.code_shape_, quantizer=codes, prior=None, **FAST)
    asked.fit(images_of("rows"))
    np.testing.assert_array_equal(asked.codebook_, model.codebook_)


@pytest.mark.parametrize("bits", [40, 64, 128, 160, 392])
@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 7, 1), (5, 3, 3)])
def test_own_codebooks_keep_to_the_bits_and_have_four_images_for_a_code(bits, shape):
    for (height, width), n_codes in own_codebooks(bits, shape, 1_000):
        assert height * width * np.log2(n_codes) <= bits
        assert height <= shape[0]
        assert width <= shape[1]
        assert 16 <= n_codes <= 250

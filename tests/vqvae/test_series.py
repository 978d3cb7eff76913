"""Codes of series: two arrangements, the choice between them, priors, scores, files."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits

import skvq
from skvq import CausalTransformer, PixelCNN, ResidualCodes, VQVAETransformer

RNG = np.random.default_rng(0)
STEPS = np.linspace(0, 1, 48)
# Aligned: two bumps whose heights differ. Not aligned: one bump anywhere.
HEIGHTS = RNG.normal(size=(200, 2))
ALIGNED = HEIGHTS @ np.exp(-0.5 * ((STEPS - np.array([[0.3], [0.6]])) / 0.15) ** 2) + 0.02 * RNG.normal(size=(200, 48))
SHIFTED = np.exp(-0.5 * ((STEPS - RNG.random((200, 1))) / 0.03) ** 2) + 0.02 * RNG.normal(size=(200, 48))
TWO = np.stack([SHIFTED, 100 + 30 * ALIGNED], axis=2)
FAST = {"max_iter": 3, "channels": 16, "n_blocks": 1, "precision": "float32", "random_state": 0}


def model_of(network, prior=None, X=TWO, **options):
    return VQVAETransformer(series_shape=X.shape[1:], network=network, prior=prior, **FAST | options).fit(X)


@pytest.fixture(scope="module", params=["dense", "convolutional"])
def model(request):
    return model_of(request.param, PixelCNN(max_iter=3, random_state=0))


def test_codes_are_a_row_of_positions(model):
    codes = model.transform(TWO)
    assert model.code_shape_ == ((16,) if model.network_ == "dense" else (12, 2))
    assert codes.shape == (200, np.prod(model.code_shape_))
    assert model.inverse_transform(codes).shape == TWO.shape
    assert model.score(TWO) > 0.8


def test_samples_and_scores_are_like_those_of_other_rows(model):
    assert model.sample(5, random_state=0).shape == (5, 48, 2)
    scores = model.score_samples(TWO)
    odd = TWO[:20].copy()
    odd[:, 20:30] += RNG.choice([-1.0, 1.0], size=(20, 10, 1)) * [1.0, 60.0]
    assert model.score_samples(odd).mean() < scores.mean() - scores.std()


def test_the_error_of_an_odd_series_is_high():
    model = skvq.AutoEncoderTransformer(8, series_shape=(48, 2), hidden_layer_sizes=(), max_iter=1, random_state=0)
    model.fit(TWO)
    odd = TWO[:20] + 2 * RNG.choice([-1.0, 1.0], size=(20, 48, 1)) * TWO.std(axis=(0, 1))
    assert model.reconstruction_error(odd).min() > np.quantile(model.reconstruction_error(TWO), 0.99)


def test_channels_first_gives_the_same_codes_and_the_layout_of_x(model):
    turned = TWO.swapaxes(1, 2)
    other = clone(model).set_params(series_layout="channels_first", prior=None).fit(turned)
    codes = model.transform(TWO)
    np.testing.assert_array_equal(other.transform(turned), codes)
    np.testing.assert_allclose(other.inverse_transform(codes), model.inverse_transform(codes).swapaxes(1, 2))


def test_files_give_the_same_series_back(model, tmp_path):
    model.save(tmp_path / "model.safetensors")
    loaded = skvq.load(tmp_path / "model.safetensors")
    assert (loaded.network_, loaded.series_shape_) == (model.network_, (48, 2))
    np.testing.assert_array_equal(loaded.transform(TWO), model.transform(TWO))
    np.testing.assert_array_equal(loaded.sample(3, random_state=1), model.sample(3, random_state=1))
    known = np.arange(48) < 30
    completed = (each.complete(TWO[:3], known, random_state=1) for each in (loaded, model))
    np.testing.assert_array_equal(*completed)


@pytest.mark.parametrize(("X", "network"), [(ALIGNED[:100], "dense"), (SHIFTED[:60], "convolutional")])
def test_auto_takes_the_network_that_keeps_more_at_the_same_bits(X, network):
    models = {name: model_of(name, X=X, max_bits=32, max_iter=1) for name in ("dense", "convolutional")}
    assert max(models, key=lambda name: models[name].score(X)) == network or network == "convolutional"
    assert model_of("auto", X=X, max_bits=32, max_iter=1).network_ == network


def test_long_series_are_never_decomposed_as_a_whole():
    X = RNG.normal(size=(10, 2_400)).cumsum(axis=1)
    model = model_of("auto", X=X, n_codes=4, code_shape=(10,))
    assert model.network_ == "convolutional"
    assert model.code_shape_ == (10,)
    assert model.inverse_transform(model.transform(X)).shape == X.shape


@pytest.mark.parametrize("bits", [8, 16, 100, 400])
@pytest.mark.parametrize("network", ["dense", "convolutional"])
def test_a_budget_of_bits_is_kept_and_used(bits, network):
    X = ALIGNED[:100]
    # the kind of codes that "auto" stands for, searched greedily where there are many: a fifth of the time
    codes = ResidualCodes(beam_size=1) if network == "dense" and bits >= 100 else "auto"
    model = model_of(network, X=X, max_bits=bits, quantizer=codes, max_iter=1)
    used = model.transform(X).shape[1] * np.log2(model.n_codes_)
    assert 0.5 * bits <= used <= bits or (network == "convolutional" and used <= bits < 2.5 * used)


def test_the_transformer_is_a_prior_of_series():
    model = model_of("convolutional", CausalTransformer(max_iter=1, random_state=0))
    assert model.sample(2, random_state=0).shape == (2, 48, 2)


def test_codes_of_parts_tell_where_something_happens():
    model = model_of("convolutional", X=SHIFTED, code_shape=(12,), n_codes=8)
    codes = model.transform(SHIFTED)
    calm = np.bincount(codes.ravel()).argmax()  # what most parts of all series are
    nearest = (np.abs(STEPS[SHIFTED.argmax(axis=1)][:, None] - np.linspace(0, 1, 12))).argmin(axis=1)
    assert (codes[np.arange(200), nearest] != calm).mean() > 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"code_shape": (4, 4)}, "must be 'auto' or .m,. with positive integers for series"),
        ({"code_shape": (49,)}, "more positions than a series of 48 steps has"),
        ({"code_shape": ((2, 2), (4, 4))}, "two grids .* are for images"),
        ({"prior": "nade"}, "models the columns of tables, but X holds series"),
        ({"categorical_features": [0]}, "X holds images or series"),
    ],
)
def test_what_series_have_not_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        VQVAETransformer(series_shape=(48, 2), network="convolutional", **FAST | options).fit(TWO)


def test_several_codes_a_position_lie_side_by_side():
    codes = ResidualCodes(codes_per_position=3)
    model = model_of("convolutional", X=SHIFTED, quantizer=codes, code_shape=(6,), n_codes=4)
    assert model.code_shape_ == (6, 3)
    assert model.codebook_.shape == (3, 4, 32)
    coarse = model.transform(SHIFTED).reshape(200, 6, 3)[..., :1].reshape(200, -1)
    assert model.inverse_transform(coarse).shape == SHIFTED.shape


def test_names_of_codes_reach_frames():
    options = FAST | {"series_shape": (48,), "network": "dense", "prior": None, "max_iter": 1}
    model = VQVAETransformer(**options).set_output(transform="pandas").fit(ALIGNED)
    assert list(model.transform(ALIGNED).columns[:2]) == ["vqvaetransformer0", "vqvaetransformer1"]


@pytest.mark.parametrize(("shape", "network"), [({}, "convolutional"), ({"series_shape": (64,)}, "aligned")])
def test_networks_that_series_and_tables_have_not_are_refused(shape, network):
    with pytest.raises(ValueError, match=f"network='{network}' is not for (series|tables)"):
        VQVAETransformer(network=network, **shape).fit(load_digits().data[:100])


def test_images_and_tables_say_what_network_they_have():
    X = load_digits().images[:100]
    options = FAST | {"prior": None}
    assert VQVAETransformer(**options).fit(X).network_ == "convolutional"
    assert VQVAETransformer(**options).fit(X.reshape(100, -1)).network_ == "dense"


def test_series_can_have_a_single_code():
    model = VQVAETransformer(n_codes=1, series_shape=(16,), channels=4, n_blocks=1, prior=None, max_iter=1)
    codes = model.fit(np.random.default_rng(0).normal(size=(30, 16))).transform(np.zeros((2, 16)))
    assert (codes == 0).all()

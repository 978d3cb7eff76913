"""Chunks in `partial_fit`: each goes on where the last one ended, and the first one fixes what they are measured by."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

from skvq import (
    AutoEncoderTransformer,
    CausalTransformer,
    HierarchicalPixelCNN,
    PixelCNN,
    VAETransformer,
    VQVAETransformer,
    load,
)
from skvq.training.loop import Loop

IMAGES = load_digits().images[:240]
ROWS = IMAGES.reshape(-1, 64)[:, 18:30]
CODES = (IMAGES[:, ::2, ::2] // 4.01).astype(int)
PAIRS = np.hstack([CODES[:, ::2, ::2].reshape(-1, 4), CODES.reshape(-1, 16)])
SEED = {"random_state": 0, "batch_size": 20}
SMALL = {"n_codes": 4, "channels": 8, "n_layers": 1, **SEED}
FAMILIES = {
    "autoencoder": (AutoEncoderTransformer(3, noise="gaussian", hidden_layer_sizes=(16,), dropout=0.1, **SEED), ROWS),
    "vae": (VAETransformer(3, hidden_layer_sizes=(16,), prior="normal", **SEED), ROWS),
    "vqvae, images": (VQVAETransformer(16, channels=8, n_blocks=1, prior=None, codebook_weight=2.0, **SEED), IMAGES),
    "vqvae, rows": (VQVAETransformer(8, hidden_layer_sizes=(16,), prior=None, **SEED), ROWS),
    "pixelcnn": (PixelCNN(**SMALL), CODES),
    "hierarchical": (HierarchicalPixelCNN(((2, 2), (4, 4)), **SMALL), PAIRS),
    "transformer": (CausalTransformer(n_codes=4, **SEED), CODES),
}
of_every_family = pytest.mark.parametrize("family", FAMILIES)


def chunks(X, n=3):
    return np.array_split(X, n)


def assert_same_weights(one, other):
    assert one.weights_.keys() == other.weights_.keys()
    for name, weights in one.weights_.items():
        np.testing.assert_array_equal(weights, other.weights_[name], err_msg=name)


@of_every_family
def test_a_chunk_goes_on_where_the_last_one_ended_in_another_process_too(family):
    model, X = FAMILIES[family]
    one, other = clone(model), clone(model)
    for chunk in chunks(X):
        one.partial_fit(chunk)
        other = pickle.loads(pickle.dumps(other.partial_fit(chunk)))
    assert_same_weights(one, other)
    assert one.n_iter_ == len(one.loss_curve_) == 3
    assert one.loss_curve_ == other.loss_curve_
    assert np.isfinite(one.score(X))


def test_every_row_of_a_chunk_is_seen_once(monkeypatch):
    model, X = FAMILIES["autoencoder"]
    step, seen = Loop._step, []

    def watched(self, batch, epoch):
        seen.append(batch.numpy().copy())
        return step(self, batch, epoch)

    monkeypatch.setattr(Loop, "_step", watched)
    model = clone(model).partial_fit(X[:90]).partial_fit(X[90:150])
    assert [len(batch) for batch in seen] == [20, 20, 20, 20, 10, 20, 20, 20]
    for batches, chunk in ((seen[:5], X[:90]), (seen[5:], X[90:150])):
        rows = np.concatenate(batches) * model.scale_ + model.shift_
        np.testing.assert_allclose(np.sort(rows, axis=0), np.sort(chunk, axis=0), atol=1e-4)


def test_the_first_chunk_fixes_the_scaling_and_the_shape():
    model, X = FAMILIES["vqvae, images"]
    model = clone(model).partial_fit(X[:80])
    shift, scale = model.shift_, model.scale_
    np.testing.assert_allclose(shift, X[:80].mean())
    model.partial_fit(3 * X[80:])
    assert (model.shift_, model.scale_) == (shift, scale)
    with pytest.raises(ValueError, match="X"):
        model.partial_fit(X[:, :4])


def test_many_chunks_come_near_a_fit():
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(3, 10))

    def rows(n):
        return np.tanh(rng.normal(size=(n, 3)) @ mixing) + 0.05 * rng.normal(size=(n, 10))

    fitted = AutoEncoderTransformer(3, max_iter=20, random_state=0).fit(rows(2000))
    streamed, X = AutoEncoderTransformer(3, random_state=0), rows(1000)
    start = streamed.partial_fit(rows(200)).score(X)
    for _ in range(40):
        streamed.partial_fit(rows(500))
    assert streamed.score(X) > start + 0.5 * (fitted.score(X) - start)


def test_the_memory_of_the_optimiser_goes_on_and_that_of_a_fit_is_none():
    model, X = FAMILIES["autoencoder"]
    streamed = clone(model).partial_fit(X[:120])
    forgetful = clone(streamed)
    kept = vars(streamed).keys() - {"_stream", "_module"}
    forgetful.__dict__.update({name: vars(streamed)[name] for name in kept})
    streamed.partial_fit(X[120:])
    forgetful.partial_fit(X[120:])
    assert any((streamed.weights_[name] != weights).any() for name, weights in forgetful.weights_.items())


def test_a_lower_learning_rate_acts_from_the_next_chunk_on():
    model, X = FAMILIES["vqvae, images"]
    moved = []
    for rate in (4e-3, 4e-6):
        streamed = clone(model).partial_fit(X[:120])
        before = {name: array.copy() for name, array in streamed.weights_.items()}
        streamed.set_params(learning_rate_init=rate).partial_fit(X[120:])
        of_network = [name for name in before if not name.startswith("quantizer")]
        moved.append(max(np.abs(streamed.weights_[name] - before[name]).max() for name in of_network))
    assert 0 < moved[1] < 0.01 * moved[0]


@of_every_family
def test_a_fit_can_go_on_with_chunks_and_begins_anew_after_them(family):
    model, X = FAMILIES[family]
    model = clone(model).set_params(max_iter=1)
    fitted = clone(model).fit(X)
    before = {name: array.copy() for name, array in fitted.weights_.items()}
    fitted.partial_fit(X[:100])
    assert fitted.n_iter_ == 2
    assert any((array != before[name]).any() for name, array in fitted.weights_.items())
    fitted.fit(X)
    assert_same_weights(fitted, clone(model).fit(X))


def test_the_codebook_moves_by_its_weight_after_a_pickle_too():
    model, X = FAMILIES["vqvae, images"]
    frozen = clone(model).set_params(codebook_weight=0.0).partial_fit(X[:100])
    codebook = frozen.codebook_.copy()
    frozen = pickle.loads(pickle.dumps(frozen)).partial_fit(X[100:])
    np.testing.assert_array_equal(frozen.codebook_, codebook)
    moving = pickle.loads(pickle.dumps(clone(model).partial_fit(X[:100]))).partial_fit(X[100:])
    assert (moving.codebook_ != codebook).any()


def test_a_prior_is_dropped_and_can_be_fitted_to_the_codes_of_today():
    model, X = FAMILIES["vqvae, images"]
    model = clone(model).set_params(max_iter=1, prior=PixelCNN(channels=8, n_layers=1, max_iter=1)).fit(X)
    model.partial_fit(X)
    with pytest.raises(NotFittedError):
        model.sample(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert model.fit_prior(X).sample(2, random_state=0).shape == (2, 8, 8)


def test_a_streamed_model_is_saved_without_the_memory_of_its_training(tmp_path):
    model, X = FAMILIES["vqvae, rows"]
    model = clone(model).partial_fit(X)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").transform(X), model.transform(X))


def test_a_chunk_that_fails_leaves_what_was_learned():
    model, X = FAMILIES["autoencoder"]
    with pytest.raises(ValueError, match="NaN|infinity|infinite"):
        (unfitted := clone(model)).partial_fit(np.full((20, 12), np.inf))
    assert not hasattr(unfitted, "weights_")
    model = clone(model).partial_fit(X[:120])
    before = {name: array.copy() for name, array in model.weights_.items()}
    with pytest.raises(ValueError):
        model.partial_fit(np.full((20, 12), 1e38))
    for name, array in model.weights_.items():
        np.testing.assert_array_equal(array, before[name])
    assert np.isfinite(model.partial_fit(X[120:]).score(X))


def test_what_chunks_cannot_know_is_refused():
    with pytest.raises(ValueError, match="kl_warmup=0.5 is a share"):
        VAETransformer(kl_warmup=0.5).partial_fit(ROWS)
    with pytest.raises(AttributeError, match="partial_fit"):
        PixelCNN(class_conditional=True).partial_fit(CODES)
    with pytest.raises(ValueError, match="code"):
        PixelCNN(channels=8, n_layers=1).partial_fit(CODES[:20] // 2).partial_fit(CODES)


def told_of_divergence(model, parts):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for part in parts:
            model = pickle.loads(pickle.dumps(model.partial_fit(part)))
    return [str(one.message) for one in caught if "diverged" in str(one.message)]


@of_every_family
def test_a_stream_that_diverges_warns_once_and_an_ordinary_one_does_not(family):
    model, X = FAMILIES[family]
    told = told_of_divergence(clone(model).set_params(learning_rate_init=100.0), chunks(X))
    assert len(told) == 1
    assert "learning_rate_init=100" in told[0]
    assert not told_of_divergence(clone(model), chunks(X))


def test_a_stream_that_diverges_after_a_good_fit_warns():
    model, X = FAMILIES["autoencoder"]
    fitted = clone(model).set_params(max_iter=5).fit(X)
    assert len(told_of_divergence(fitted.set_params(learning_rate_init=10.0), chunks(X))) == 1


def test_a_chunk_from_elsewhere_is_no_divergence():
    model, X = FAMILIES["autoencoder"]
    first, *others = chunks(X)
    assert not told_of_divergence(clone(model), [first, *(100 * other for other in others)])


@of_every_family
def test_a_chunk_that_is_refused_changes_nothing_of_what_follows_after_a_pickle_too(family):
    model, X = FAMILIES[family]
    first, second, third = chunks(X)
    straight = clone(model).partial_fit(first).partial_fit(second).partial_fit(third)
    disturbed = pickle.loads(pickle.dumps(clone(model).partial_fit(first))).partial_fit(second)
    with pytest.raises(ValueError, match="features|shape|columns"):
        disturbed.partial_fit(second[:, :3])
    disturbed.partial_fit(third)
    assert disturbed.n_iter_ == 3
    assert_same_weights(straight, disturbed)


def test_a_chunk_that_fails_in_training_leaves_the_stream_as_it_was_before_it():
    model, X = FAMILIES["autoencoder"]
    first, second, third = chunks(X)
    straight = clone(model).partial_fit(first).partial_fit(second).partial_fit(third)
    disturbed = clone(model).partial_fit(first).partial_fit(second)
    with pytest.raises(ValueError, match="loss became"), np.errstate(all="ignore"):
        disturbed.partial_fit(np.full((60, 12), 1e30))
    assert_same_weights(straight, disturbed.partial_fit(third))

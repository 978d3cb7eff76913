"""The start of a VQ-VAE, what its objective does beside the gradient step, and what is read off it."""

import pickle
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_wine

from skvq import PixelCNN, VQVAETransformer, metrics
from skvq.training.batches import Rows
from skvq.vqvae import network
from skvq.vqvae.defaults import Architecture
from skvq.vqvae.network import VQObjective, build_vqvae, kmeans_codebooks, start_from_data, within_data
from skvq.vqvae.specs import CodebookSpec, FiniteScalarSpec, VectorSpec

CODEBOOK = CodebookSpec("ema", "euclidean", "straight_through", 0.99, 0.1, follow_rate=0.1)
COMMON = {"n_codes": 8, "code_dim": 3, "codebook": CODEBOOK, "search_dim": None}
TABLE = Architecture((6,), VectorSpec((2,), 2, shared_codebook=False, **COMMON), hidden_layer_sizes=())
IMAGE = Architecture((8, 8, 1), VectorSpec((2, 2), 4, shared_codebook=True, **COMMON), channels=8, n_blocks=1)


def generator():
    return torch.Generator().manual_seed(0)


def objective(architecture=TABLE, **options):
    module = build_vqvae(architecture, generator())
    weights = {"codebook_weight": 1.0, "commitment_weight": 1.0, "input_noise": 0.0, "generator": generator()}
    return VQObjective(module, **weights | options)


@pytest.mark.parametrize("architecture", [TABLE, IMAGE])
def test_the_start_reconstructs_much_better_than_the_mean(architecture):
    shape = architecture.row_shape
    latent = np.random.default_rng(0).normal(size=(300, 2))
    X = latent @ np.random.default_rng(1).normal(size=(2, int(np.prod(shape))))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    start = start_from_data(architecture, Rows(X, shape=shape), generator(), warn=False)
    assert start.architecture == architecture
    x = torch.from_numpy(X.reshape(-1, *shape)).float()
    with torch.no_grad():
        error = float((start.module.decode(start.module.encode(x)) - x).square().mean().sqrt())
    assert error < 0.75  # 1 is the mean
    of_tables = {"error": pytest.approx(error, rel=1e-5)}
    assert start.notes == (of_tables if architecture is TABLE else {})


@pytest.mark.parametrize("architecture", [replace(TABLE, hidden_layer_sizes=(8,)), IMAGE])
def test_the_start_passes_no_network_that_adds_nothing_yet(architecture, monkeypatch):
    rows = torch.randn(300, *architecture.row_shape, generator=generator())
    found = []
    for linear_alone in (network.linear_alone, lambda module: nullcontext()):
        monkeypatch.setattr(network, "linear_alone", linear_alone)
        with counted_layers() as calls:
            start = start_from_data(
                architecture, Rows(rows.flatten(1).numpy(), shape=rows.shape[1:]), generator(), warn=False
            )
        found.append((calls[0], start))
    (calls, start), (more_calls, expected) = found
    assert calls < more_calls / 2
    assert start.notes == expected.notes
    for name, tensor in expected.module.state_dict().items():
        torch.testing.assert_close(start.module.state_dict()[name], tensor, rtol=0, atol=0)
    torch.testing.assert_close(start.module(rows)[0], expected.module(rows)[0], rtol=0, atol=0)  # nothing is left out


@contextmanager
def counted_layers():
    """Within the block counts the linear layers that are passed, in a list."""
    calls = [0]

    def count(module, *_):
        calls[0] += isinstance(module, torch.nn.Linear)

    handle = torch.nn.modules.module.register_module_forward_hook(count)
    try:
        yield calls
    finally:
        handle.remove()


@pytest.mark.parametrize("warn", [True, False])
def test_codes_are_no_more_than_there_are_different_vectors(warn, recwarn):
    z = torch.arange(5.0).repeat(8)[:, None, None].expand(-1, 2, 3)  # five different vectors at both positions
    cut = within_data(TABLE.codes, z, warn=warn)
    assert cut == replace(TABLE.codes, n_codes=5)
    assert [("is more than the 5 different vectors" in str(w.message)) for w in recwarn] == [True] * warn
    many = torch.randn(50, 2, 3, generator=generator())
    assert within_data(TABLE.codes, many, warn=True) is TABLE.codes
    without_codebook = FiniteScalarSpec((2,), 2, 8, 2, False, levels=(4, 2))
    assert within_data(without_codebook, z, warn=True) is without_codebook
    assert len(recwarn) == warn


def test_usage_and_perplexity_are_those_of_all_batches_since_the_last_summary():
    goal, rows = objective(), torch.randn(40, 6, generator=generator())
    goal.module.eval()
    for batch in rows.split(10):
        goal.terms(batch)
    codes = goal.module.encode(rows).numpy()
    summary = goal.pass_summary()
    assert summary["usage"] == pytest.approx(metrics.codebook_usage(codes, 8, codebooks=range(2)))
    assert summary["perplexity"] == pytest.approx(metrics.perplexity(codes, 8, codebooks=range(2)))
    goal.terms(rows[:1])
    assert goal.pass_summary()["perplexity"] == pytest.approx(1.0)  # nothing is left from before


def test_dead_codes_are_revived_until_the_codebook_is_left_to_settle():
    goal, batch = objective(), torch.randn(64, 6, generator=generator())
    goal.module.train()
    with torch.no_grad():
        goal.module.quantizer.codebook[:, 0] = 1e3
        goal.module.quantizer.mass[:, 0] = 1e-6
    goal.terms(batch)
    goal.after_look(0.9)
    assert float(goal.module.quantizer.codebook[:, 0].abs().max()) > 500
    goal.after_look(0.5)
    assert float(goal.module.quantizer.codebook[:, 0].abs().max()) < 100


def test_noise_is_added_to_the_input_in_training_alone_and_not_to_the_target():
    quiet, noisy = objective(), objective(input_noise=2.0)
    batch = torch.zeros(200, 6)
    for goal in (quiet, noisy):
        goal.module.encoder.linear.bias.data.zero_()
        goal.module.train()
        goal.terms(batch)
    assert float(quiet.z.detach().std()) == 0.0
    assert float(noisy.z.detach().std()) > 0.5
    noisy.module.eval()
    noisy.terms(batch)
    assert float(noisy.z.detach().std()) == 0.0


def test_kmeans_repeats_centres_only_where_a_group_has_too_few_vectors():
    vectors = np.random.default_rng(0).normal(size=(50, 2, 3)).astype(np.float32)
    vectors[:, 1] = vectors[:2, 1].repeat(25, axis=0)
    codebooks = kmeans_codebooks(vectors, 4, generator())
    assert len(np.unique(codebooks[0], axis=0)) == 4
    assert len(np.unique(codebooks[1], axis=0)) == 2


def test_the_noise_variance_is_the_error_of_held_out_rows():
    X = load_wine().data
    model = VQVAETransformer(n_codes=16, max_iter=5, prior=None, random_state=0).fit(X[::2], X_val=X[1::2])
    restored = model.inverse_transform(model.transform(X[1::2]))
    error = ((X[1::2] - restored) / model.scale_).var(axis=0) + ((X[1::2] - restored) / model.scale_).mean(axis=0) ** 2
    assert model.noise_variance_ == pytest.approx(error.mean(), rel=1e-4)


def test_held_out_rows_reach_the_prior():
    X = load_wine().data
    prior = PixelCNN(channels=4, n_layers=1, max_iter=20)
    model = VQVAETransformer(n_codes=4, max_iter=2, prior=prior, random_state=0).fit(X[::2], X_val=X[1::2])
    log_prob = model.prior_.score(model.transform(X[1::2]))
    assert min(model.prior_.validation_loss_curve_) == pytest.approx(-log_prob / 4, rel=1e-4)


class Uniform:
    """A prior that draws what it is told to, with no more than the methods that are asked for."""

    def __init__(self, draw=0):
        self.draw = draw

    def get_params(self, deep=True):
        return {"draw": self.draw}

    def set_params(self, **parameters):
        for name, value in parameters.items():
            setattr(self, name, value)
        return self

    def fit(self, codes):
        self.n_positions = codes.shape[1]
        return self

    def sample(self, n_samples, random_state=None):
        return np.full((n_samples, self.n_positions), self.draw)

    def score_samples(self, codes):
        return np.zeros(len(codes))


def test_another_prior_can_take_the_place_of_the_pixelcnn():
    X = load_wine().data
    model = VQVAETransformer(n_codes=4, max_iter=2, prior=Uniform(2), random_state=0).fit(X[::2], X_val=X[1::2])
    np.testing.assert_array_equal(model.sample(3), model.inverse_transform(np.full((3, 4), 2)))
    for draw, message in ((-1.7, "whole numbers"), (4, "found 4"), (-1, "found -1")):
        model.prior_.draw = draw
        with pytest.raises(ValueError, match=message):
            model.sample(3)


def test_training_for_the_prior_leaves_no_mixture_when_a_refit_fails():
    X = load_wine().data
    model = VQVAETransformer(n_codes=4, max_iter=2, prior=PixelCNN(channels=4, max_iter=1), random_state=0).fit(X)
    with pytest.raises(ValueError, match=r"The 'channels' parameter of PixelCNN must be .* Got 0 instead"):
        model.set_params(prior__channels=0).fit(X)
    assert not hasattr(model, "prior_")


def test_the_kept_weights_do_not_alias_the_network():
    X = load_wine().data
    model = VQVAETransformer(n_codes=4, max_iter=1, prior=None, random_state=0).fit(X)
    codes = model.transform(X)
    before = {name: array.copy() for name, array in model.weights_.items()}
    for array in model.weights_.values():  # the network that fit has left works on
        array[:] = 0
    model.codebook_[:] = 0
    np.testing.assert_array_equal(model.transform(X), codes)
    model.weights_ = before
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).transform(X), codes)


def test_matrices_of_the_networks_of_images_move_by_muon_and_nothing_else_does():
    assert objective(TABLE).matrices() == []
    vq = objective(IMAGE)
    chosen = {id(matrix) for matrix in vq.matrices()}
    names = {name for name, parameter in vq.module.named_parameters() if id(parameter) in chosen}
    assert len(names) == len(chosen) > 0
    assert {name for name in names if ".map.network." not in name} == set()
    assert all(parameter.ndim == 2 for parameter in vq.matrices())


def test_images_are_moved_in_training_alone():
    vq = objective(IMAGE, augments=True)
    x = torch.randn(4, *IMAGE.row_shape, generator=generator())
    vq.module.train()
    assert not all(torch.equal(vq._augmented(x), x) for _ in range(10))
    vq.module.eval()
    assert torch.equal(vq._augmented(x), x)


def test_codes_of_some_rows_are_counted_where_there_are_many_and_the_prior_sees_all(monkeypatch):
    X = np.random.default_rng(0).normal(size=(400, 6, 6))
    model = VQVAETransformer(8, max_iter=1, channels=8, prior=PixelCNN(max_iter=1, channels=8), random_state=0)
    whole = model.fit(X)
    counts, network_of_codes = whole.code_counts_, whole.prior_.weights_
    monkeypatch.setattr(network, "COUNTED_ROWS", 100)
    counted = clone(model).fit(X)
    np.testing.assert_array_equal(counted.codebook_, whole.codebook_)
    assert counts.sum() == 4 * counted.code_counts_.sum()
    assert np.abs(counted.code_counts_ / counted.code_counts_.sum() - counts / counts.sum()).max() < 0.05
    for name, weight in counted.prior_.weights_.items():
        np.testing.assert_array_equal(weight, network_of_codes[name])


@pytest.mark.parametrize("counted_rows", [1000, 160])
@pytest.mark.parametrize("held_out", ["none", "a part", "X_val"])
def test_no_row_is_encoded_twice_after_training(held_out, counted_rows, monkeypatch):
    X = np.random.default_rng(0).normal(size=(400, 6, 6))
    X_val = X[:64] + 1 if held_out == "X_val" else None
    n_encoded, encode = [0], network.VQVAE.encode

    def counting(module, x):
        n_encoded[0] += len(x)
        return encode(module, x)

    monkeypatch.setattr(network, "COUNTED_ROWS", counted_rows)
    monkeypatch.setattr(network, "JUDGED_ROWS", 64)
    monkeypatch.setattr(network.VQVAE, "encode", counting)
    prior = PixelCNN(max_iter=1, channels=8)
    model = VQVAETransformer(8, max_iter=1, channels=8, prior=prior, random_state=0)
    model.set_params(early_stopping=held_out == "a part").fit(X, X_val=X_val)
    judged_apart = {"none": 0, "a part": 0 if counted_rows == 1000 else 40, "X_val": 64}[held_out]
    # Passes are filled up to a multiple of 32 rows.
    assert len(X) + judged_apart <= n_encoded[0] < len(X) + judged_apart + 3 * 32


def test_the_noise_variance_is_the_error_of_evenly_spaced_rows_where_none_are_held_out(monkeypatch):
    X = np.random.default_rng(0).normal(size=(400, 6, 6)) * np.linspace(1, 3, 400)[:, None, None]
    monkeypatch.setattr(network, "JUDGED_ROWS", 50)
    model = VQVAETransformer(8, max_iter=1, channels=8, prior=None, early_stopping=False, clip=False, random_state=0)
    rows = X[np.linspace(0, 399, 50).astype(int)]
    error = (rows - model.fit(X).inverse_transform(model.transform(rows))) / model.scale_[0]
    assert model.noise_variance_ == pytest.approx(np.square(error).mean(), rel=1e-5)

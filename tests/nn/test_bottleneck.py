"""Encoders and decoders between rows and a vector, and where their linear paths start."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from skvq.nn import bottleneck
from skvq.nn.bottleneck import BottleneckSizes, build_decoder, build_encoder, principal_axes, set_linear

TABLE = BottleneckSizes((10,), (8, 6))
DENSE_IMAGE = BottleneckSizes((9, 7, 2), (8,))
IMAGE = BottleneckSizes((9, 7, 2), grid_shape=(3, 2), channels=8, n_blocks=1)
LINEAR_TABLE, LINEAR_IMAGE = BottleneckSizes((10,), ()), replace(IMAGE, n_blocks=0)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def pair(sizes, n):
    return build_encoder(sizes, n, generator()), build_decoder(sizes, n, generator())


def start_from_pca(encoder, decoder, start):
    set_linear(encoder.linear, start.axes, -(start.axes @ start.mean))
    set_linear(decoder.linear, start.axes.T, start.mean)


def correlated_rows(n, shape, rank, seed=0):
    rng = np.random.default_rng(seed)
    n_values = int(np.prod(shape))
    X = rng.standard_normal((n, rank)) @ rng.standard_normal((rank, n_values)) + 3 * rng.standard_normal(n_values)
    return torch.from_numpy(X.reshape(n, *shape)).float()


@pytest.mark.parametrize("sizes", [TABLE, LINEAR_TABLE, IMAGE, LINEAR_IMAGE, DENSE_IMAGE])
def test_rows_become_vectors_and_vectors_become_rows(sizes):
    encoder, decoder = pair(sizes, 5)
    z = encoder(torch.randn(4, *sizes.row_shape, generator=generator()))
    assert z.shape == (4, 5)
    assert decoder(z).shape == (4, *sizes.row_shape)


@pytest.mark.parametrize("sizes", [TABLE, IMAGE, DENSE_IMAGE])
def test_the_network_changes_nothing_at_the_start_and_learns_from_the_first_step(sizes):
    encoder, decoder = pair(sizes, 5)
    x = torch.randn(4, *sizes.row_shape, generator=generator())
    z = encoder(x)
    assert torch.equal(z, encoder.linear(x.flatten(1)))
    assert torch.equal(decoder(z).flatten(1), decoder.linear(z))
    (decoder(z) - x).square().mean().backward()
    for network in (encoder.network, decoder.network):
        last = network.head if sizes is IMAGE else network[-1]
        assert last.weight.grad.abs().max() > 0


@pytest.mark.parametrize("sizes", [LINEAR_TABLE, LINEAR_IMAGE])
def test_without_a_network_the_encoder_is_affine(sizes):
    encoder, _ = pair(sizes, 3)
    assert encoder.network is None
    x, y = torch.randn(2, 4, *sizes.row_shape, generator=generator())
    assert torch.allclose(encoder((x + y) / 2), (encoder(x) + encoder(y)) / 2, atol=1e-5)


def test_the_network_of_an_image_sees_every_pixel_and_reaches_every_pixel():
    encoder, decoder = pair(IMAGE, 3)
    with torch.no_grad():
        for part in (encoder, decoder):
            part.linear.unscaled_weight.zero_()
            part.network.head.weight.normal_(generator=generator())
    x = torch.randn(1, 9, 7, 2, generator=generator(), requires_grad=True)
    encoder(x).sum().backward()
    assert (x.grad != 0).all()
    assert (decoder(torch.randn(1, 3, generator=generator())) != 0).all()


@pytest.mark.parametrize("shape", [(6,), (30,), (5, 4, 1)])
@pytest.mark.parametrize("limit", [2000, 0])
def test_principal_axes_are_those_of_scikit_learn(shape, limit, monkeypatch):
    monkeypatch.setattr(bottleneck, "MAX_COVARIANCE_COLUMNS", limit)
    x = correlated_rows(50, shape, 50)
    start = principal_axes(x.split(13), 4)
    pca = PCA(4, svd_solver="full").fit(x.flatten(1).double().numpy())
    np.testing.assert_allclose(start.mean, pca.mean_, atol=1e-12)
    np.testing.assert_allclose(start.variances, pca.explained_variance_ * 49 / 50, rtol=1e-9)
    np.testing.assert_allclose(np.abs(np.sum(start.axes.numpy() * pca.components_, axis=1)), 1.0, rtol=1e-9)
    n_values = int(np.prod(shape))
    discarded = PCA(svd_solver="full").fit(x.flatten(1).double().numpy()).explained_variance_[4:].sum() * 49 / 50
    assert start.residual_variance == pytest.approx(discarded / (n_values - 4))


@pytest.mark.parametrize("limit", [2000, 0])
@pytest.mark.parametrize(("n_rows", "rank", "n"), [(40, 2, 4), (3, 3, 4), (1, 1, 4), (40, 6, 9)])
def test_components_beyond_the_rank_are_zero(n_rows, rank, n, limit, monkeypatch):
    monkeypatch.setattr(bottleneck, "MAX_COVARIANCE_COLUMNS", limit)
    start = principal_axes([correlated_rows(n_rows, (6,), rank)], n)
    known = min(rank, n_rows - 1)
    assert start.axes.shape == (n, 6)
    np.testing.assert_allclose(start.axes @ start.axes.T, np.diag([1.0] * known + [0.0] * (n - known)), atol=1e-6)
    assert (start.variances[known:] == 0).all()
    assert start.residual_variance == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("sizes", [TABLE, IMAGE, DENSE_IMAGE])
def test_the_start_reconstructs_like_pca(sizes):
    encoder, decoder = pair(sizes, 3)
    x = correlated_rows(60, sizes.row_shape, 60)
    start_from_pca(encoder, decoder, principal_axes([x], 3))
    rows = x.flatten(1).double().numpy()
    pca = PCA(3, svd_solver="full").fit(rows)
    with torch.no_grad():
        z, x_hat = encoder(x), decoder(encoder(x)).flatten(1)
    np.testing.assert_allclose(z.abs(), np.abs(pca.transform(rows)), rtol=1e-4, atol=1e-3)  # signs are free
    np.testing.assert_allclose(x_hat, pca.inverse_transform(pca.transform(rows)), rtol=1e-4, atol=1e-3)


def test_further_outputs_of_an_encoder_start_at_zero():
    x = correlated_rows(60, (10,), 10)
    encoder, decoder = build_encoder(TABLE, 6, generator()), build_decoder(TABLE, 3, generator())
    start_from_pca(encoder, decoder, principal_axes([x], 3))
    assert (encoder(x)[:, 3:] == 0).all()
    assert (encoder(x)[:, :3] != 0).any()


def test_the_global_generator_is_left_alone():
    before = torch.random.get_rng_state()
    encoder, decoder = pair(IMAGE, 2)
    start_from_pca(encoder, decoder, principal_axes([correlated_rows(20, (9, 7, 2), 5)], 2))
    assert torch.equal(before, torch.random.get_rng_state())


def test_dropout_acts_in_training_alone():
    encoder = build_encoder(replace(IMAGE, dropout=0.5), 3, generator())
    with torch.no_grad():
        encoder.network.head.weight.normal_(generator=generator())
    x = torch.randn(4, 9, 7, 2, generator=generator())
    encoder.network.dropout.generator = generator()
    assert not torch.equal(encoder.train()(x), encoder(x))
    assert torch.equal(encoder.eval()(x), encoder(x))


def test_a_scaled_linear_map_computes_what_a_plain_one_does_and_steps_less():
    layer, plain = bottleneck.ScaledLinear(5, 3, 0.1, generator()), torch.nn.utils.skip_init(torch.nn.Linear, 5, 3)
    weight, bias = torch.randn(3, 5, generator=generator()), torch.randn(3, generator=generator())
    bottleneck.set_linear(layer, weight, bias)
    with torch.no_grad():
        plain.weight.copy_(weight), plain.bias.copy_(bias)
    x = torch.randn(6, 5, generator=generator())
    assert torch.allclose(layer(x), plain(x), atol=1e-6)
    before = layer.matrix.detach().clone()
    layer(x).square().sum().backward()
    torch.optim.Adam(layer.parameters(), lr=0.01).step()
    assert torch.allclose((layer.matrix - before).abs(), torch.tensor(0.001), rtol=1e-3)  # the first step is the rate


@pytest.mark.parametrize(
    ("sizes", "n_features", "is_linear", "uses"),
    [(TABLE, 10, False, 1), (LINEAR_TABLE, 10, True, 1), (DENSE_IMAGE, 126, False, 1), (IMAGE, 126, False, 6)],
)
def test_sizes_tell_what_follows_from_them(sizes, n_features, is_linear, uses):
    assert (sizes.n_features, sizes.is_linear, sizes.uses) == (n_features, is_linear, uses)

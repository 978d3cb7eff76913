import itertools

import numpy as np
import pytest
import torch

from skvq.nn.tables import DenseDecoder, DenseEncoder, component_bits, deal_components, start_from_pca


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def pair(n_features, n_positions, code_dim, hidden_layer_sizes=(8, 6)):
    sizes = (n_features, n_positions, code_dim, hidden_layer_sizes)
    return DenseEncoder(*sizes, generator=generator()), DenseDecoder(*sizes, generator=generator())


def correlated_rows(n, n_features, rank, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, rank)) @ rng.standard_normal((rank, n_features)) + rng.standard_normal(n_features)


def pca_reconstruction(x, n_components):
    """Mean and first components of the rows x, from numpy's SVD."""
    mean = x.mean(axis=0)
    components = np.linalg.svd(x - mean, full_matrices=False)[2][:n_components]
    return mean + (x - mean) @ components.T @ components


@pytest.mark.parametrize("hidden_layer_sizes", [(), (8,), (8, 6)])
def test_rows_become_vectors_and_vectors_become_rows(hidden_layer_sizes):
    encoder, decoder = pair(13, 4, 3, hidden_layer_sizes)
    z = encoder(torch.randn(5, 13, generator=generator()))
    assert z.shape == (5, 4, 3)
    assert decoder(z).shape == (5, 13)


@pytest.mark.parametrize(
    ("n", "n_features", "rank", "n_positions", "code_dim"),
    [
        (50, 13, 13, 4, 4),  # room for every component
        (50, 13, 5, 4, 4),  # rank-deficient
        (30, 200, 30, 4, 8),  # more columns than rows
        (40, 1, 1, 2, 4),  # one column
        (2, 6, 6, 2, 2),  # two rows, one component
    ],
)
def test_with_room_for_all_components_the_start_reconstructs_like_pca(n, n_features, rank, n_positions, code_dim):
    x = correlated_rows(n, n_features, rank)
    encoder, decoder = pair(n_features, n_positions, code_dim)
    start_from_pca(encoder, decoder, torch.from_numpy(x))
    x_hat = decoder(encoder(torch.from_numpy(x).float())).detach().numpy()
    # float32 against float64, entries of size about 10
    np.testing.assert_allclose(x_hat, pca_reconstruction(x, n_positions * code_dim), atol=1e-4)


def test_with_less_room_the_start_keeps_the_largest_components():
    x = correlated_rows(100, 12, 12)
    encoder, decoder = pair(12, 2, 3)
    start_from_pca(encoder, decoder, torch.from_numpy(x))
    x_hat = decoder(encoder(torch.from_numpy(x).float())).detach().numpy()
    np.testing.assert_allclose(x_hat, pca_reconstruction(x, 6), atol=1e-4)


@pytest.mark.parametrize("x", [np.zeros((30, 4)), np.full((3, 4), 2.5), np.ones((1, 4))])
def test_rows_that_do_not_vary_start_at_their_mean(x):
    encoder, decoder = pair(4, 2, 3)
    start_from_pca(encoder, decoder, torch.from_numpy(x))
    z = encoder(torch.from_numpy(x).float())
    assert torch.equal(z, torch.zeros_like(z))
    np.testing.assert_array_equal(decoder(z).detach().numpy(), x)


def test_distances_between_vectors_start_as_distances_between_rows():
    x = correlated_rows(20, 9, 4)
    encoder, decoder = pair(9, 2, 2)
    start_from_pca(encoder, decoder, torch.from_numpy(x))
    z = encoder(torch.from_numpy(x).float()).flatten(1).detach()
    np.testing.assert_allclose(torch.pdist(z), torch.pdist(torch.from_numpy(x)), rtol=1e-4)


def test_a_single_code_per_position_starts_like_any_other():
    x = torch.from_numpy(correlated_rows(20, 6, 6))
    encoder, decoder = pair(6, 2, 3)
    start_from_pca(encoder, decoder, x, bits_per_code=0.0)
    assert torch.allclose(decoder(encoder(x.float())), x.float(), atol=1e-4)


@pytest.mark.parametrize("n_bits", [0.5, 4.0, 40.0])
def test_component_bits_minimise_the_distortion_of_the_budget(n_bits):
    variances = np.array([9.0, 5.0, 1.0, 0.9, 0.01])
    bits = component_bits(torch.from_numpy(variances), n_bits).numpy()
    assert bits.sum() == pytest.approx(n_bits)
    distortion = (variances * 4.0**-bits).sum()
    for giver, taker in itertools.permutations(range(5), 2):  # a convex problem: no exchange helps at the optimum
        moved = min(0.01, bits[giver])
        other = bits.copy()
        other[giver] -= moved
        other[taker] += moved
        assert (variances * 4.0**-other).sum() >= distortion - 1e-12


def test_dealing_balances_the_bits_and_keeps_every_component_once():
    variances = torch.logspace(2, -3, 30, dtype=torch.float64)
    slots = deal_components(variances, 4, 8, 32.0)
    assert len(set(slots)) == 30
    assert max(slots) < 32
    load = np.bincount(np.array(slots) // 8, weights=component_bits(variances, 32.0).numpy())
    assert load.max() - load.min() < 1.0  # of eight bits each


def test_the_network_changes_nothing_at_the_start():
    x = torch.randn(7, 10, generator=generator())
    encoder, decoder = pair(10, 3, 2)
    assert torch.equal(encoder(x).flatten(1), encoder.linear(x))
    z = encoder(x)
    assert torch.equal(decoder(z), decoder.linear(z.flatten(1)))


def test_one_step_of_gradient_reaches_the_network():
    x = torch.randn(7, 10, generator=generator())
    for module, given in zip(pair(10, 3, 2), (x, torch.randn(7, 3, 2, generator=generator()))):
        module(given).square().sum().backward()
        assert module.network[-1].weight.grad.abs().max() > 0


def test_without_hidden_layers_the_encoder_is_affine():
    encoder, _ = pair(10, 3, 2, ())
    x, y = torch.randn(2, 7, 10, generator=generator())
    middle = encoder((x + y) / 2)
    assert torch.allclose(middle, (encoder(x) + encoder(y)) / 2, atol=1e-6)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    first, second = (DenseEncoder(5, 2, 2, (4,), generator=generator(1)).state_dict() for _ in range(2))
    other = DenseEncoder(5, 2, 2, (4,), generator=generator(2)).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["linear.weight"], other["linear.weight"])


def test_the_global_generator_is_left_alone():
    before = torch.random.get_rng_state()
    encoder, decoder = pair(10, 3, 2)
    start_from_pca(encoder, decoder, torch.zeros(4, 10))
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_network_rebuilt_from_its_sizes_and_state_computes_the_same():
    encoder, decoder = pair(10, 3, 2)
    start_from_pca(encoder, decoder, torch.from_numpy(correlated_rows(20, 10, 10)))
    rebuilt = DenseEncoder(10, 3, 2, (8, 6), generator=generator(9)), DenseDecoder(10, 3, 2, (8, 6))
    for new, old in zip(rebuilt, (encoder, decoder)):
        new.load_state_dict(old.state_dict())
    x = torch.randn(4, 10, generator=generator())
    assert torch.equal(rebuilt[1](rebuilt[0](x)), decoder(encoder(x)))


def test_an_unknown_activation_is_named():
    with pytest.raises(ValueError, match="activation='swish' must be one of"):
        DenseEncoder(10, 3, 2, activation="swish")

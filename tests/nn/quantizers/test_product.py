import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from skvq.nn.quantizers.finite_scalar import FiniteScalarQuantizer
from skvq.nn.quantizers.product import ProductQuantizer
from skvq.nn.quantizers.residual import ResidualQuantizer
from skvq.nn.quantizers.vector import EMAVectorQuantizer, VectorQuantizer, batch_statistics

SHARING = pytest.mark.parametrize("n_groups", [1, 2, 10], ids=["one codebook", "per split", "per split and position"])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed))


def product(n_groups, quantizer_class=EMAVectorQuantizer, **options):
    return ProductQuantizer(quantizer_class(7, 3, n_groups=n_groups, generator=generator(), **options), 2)


def group_of(position, split, n_groups):
    return {1: 0, 2: split, 10: 2 * position + split}[n_groups]


@SHARING
@pytest.mark.parametrize("quantizer_class", [VectorQuantizer, EMAVectorQuantizer])
def test_each_split_is_replaced_by_the_nearest_vector_of_its_codebook(n_groups, quantizer_class):
    quantizer = product(n_groups, quantizer_class).eval()
    z = normal(20, 5, 6, seed=1)
    vectors, codes, _ = quantizer(z)
    assert codes.shape == (20, 5, 2)
    for position, split in np.ndindex(5, 2):
        codebook = quantizer.codebook[group_of(position, split, n_groups)].detach().numpy()
        columns = slice(3 * split, 3 * split + 3)
        expected = cdist(z[:, position, columns], codebook).argmin(axis=1)
        np.testing.assert_array_equal(codes[:, position, split], expected)
        np.testing.assert_array_equal(vectors[:, position, columns].detach(), codebook[expected])


@SHARING
def test_codebooks_learn_from_their_splits(n_groups):
    quantizer = product(n_groups, decay=0.9)
    before = quantizer.codebook.numpy().copy()
    z = normal(20, 5, 6, seed=1)
    codes = quantizer(z).codes
    mass, sums = np.full((n_groups, 7), 0.9), 0.9 * before
    for row, position, split in np.ndindex(20, 5, 2):
        group, code = group_of(position, split, n_groups), codes[row, position, split]
        mass[group, code] += 0.1
        sums[group, code] += 0.1 * z[row, position, 3 * split : 3 * split + 3].numpy()
    moved = mass > 0.9
    np.testing.assert_allclose(quantizer.codebook[moved], (sums / mass[:, :, None])[moved], rtol=1e-4, atol=1e-5)
    assert torch.equal(quantizer.codebook[~moved], torch.from_numpy(before)[~moved])


@SHARING
def test_counts_are_those_of_each_codebook(n_groups):
    quantizer = product(n_groups)
    codes = torch.randint(7, (20, 5, 2), generator=generator())
    expected = np.zeros((n_groups, 7), dtype=int)
    for row, position, split in np.ndindex(20, 5, 2):
        expected[group_of(position, split, n_groups), codes[row, position, split]] += 1
    np.testing.assert_array_equal(quantizer.count(codes), expected)


def test_the_gradient_of_the_vectors_passes_straight_through():
    z, upstream = normal(5, 3, 6).requires_grad_(), normal(5, 3, 6, seed=1)
    product(2)(z).vectors.backward(upstream)
    assert torch.equal(z.grad, upstream)


def test_losses_are_means_over_all_elements():
    quantizer, z = product(2), normal(5, 3, 6, seed=1)
    vectors, _, losses = quantizer(z)
    torch.testing.assert_close(losses["commitment"], (z - vectors).square().mean())


def test_one_split_is_the_quantiser_itself():
    alone, inside = (EMAVectorQuantizer(7, 6, generator=generator()) for _ in range(2))
    z = normal(20, 5, 6, seed=1)
    found, expected = ProductQuantizer(inside, 1)(z), alone(z)
    assert torch.equal(found.codes[:, :, 0], expected.codes)
    assert torch.equal(found.vectors, expected.vectors)
    assert torch.equal(inside.codebook, alone.codebook)


def test_all_that_a_codebook_learns_passes_the_batch_statistics(monkeypatch):
    shapes = []

    def recorded(z, codes, n_codes):
        shapes.append(tuple(z.shape))
        return batch_statistics(z, codes, n_codes)

    monkeypatch.setattr("skvq.nn.quantizers.vector.batch_statistics", recorded)
    product(2)(normal(20, 5, 6))
    assert shapes == [(100, 2, 3)]


def test_other_quantisers_fit_inside():
    z = normal(20, 5, 6, seed=1)
    finite = ProductQuantizer(FiniteScalarQuantizer((5, 4, 3)), 2)
    assert torch.equal(finite.encode(z)[:, :, 1], FiniteScalarQuantizer((5, 4, 3)).encode(z[:, :, 3:]))
    stages = [EMAVectorQuantizer(7, 3, generator=generator(seed)) for seed in range(2)]
    residual = ProductQuantizer(ResidualQuantizer(stages), 2).eval()
    codes = residual.encode(z)
    assert codes.shape == (20, 5, 2, 2)
    assert torch.equal(codes[:, :, 1], ResidualQuantizer(stages).encode(z[:, :, 3:]))
    torch.testing.assert_close(residual.decode(codes), residual(z).vectors)
    assert torch.equal(residual.count(codes).sum(dim=0), torch.bincount(codes.ravel(), minlength=7))


def test_wrong_arguments_and_shapes_are_named():
    with pytest.raises(ValueError, match="n_splits must be at least 1, got 0"):
        ProductQuantizer(VectorQuantizer(7, 3), 0)
    with pytest.raises(ValueError, match="3 groups, expected 1 or a multiple of n_splits=2"):
        ProductQuantizer(VectorQuantizer(7, 3, n_groups=3), 2)
    with pytest.raises(ValueError, match=r"z must have shape \(b, m, 6\), got \(4, 5, 4\)"):
        product(1)(normal(4, 5, 4))
    with pytest.raises(ValueError, match=r"codes must have shape \(b, m, 2\), got \(4, 5, 3\)"):
        product(1).decode(torch.zeros(4, 5, 3, dtype=torch.int64))

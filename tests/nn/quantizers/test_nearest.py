import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from skvq.nn.quantizers.nearest import nearest_codes


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def brute_force(z, codebooks):
    """Squared distance from every vector to every code of its group, in float64: (n, g, k)."""
    pairs = zip(z.double().transpose(0, 1).numpy(), codebooks.double().numpy())
    return np.stack([cdist(rows, codebook, "sqeuclidean") for rows, codebook in pairs], axis=1)


@pytest.mark.parametrize(
    ("n", "g", "k", "d"),
    [(1, 1, 1, 1), (3, 1, 1, 4), (1, 1, 300, 9), (1001, 1, 256, 64), (513, 8, 16, 4), (1, 7, 5, 3), (4097, 1, 100, 5)],
)
def test_codes_are_those_of_a_brute_force_search(n, g, k, d):
    z, codebooks = normal(n, g, d), normal(g, k, d, seed=1)
    codes = nearest_codes(z, codebooks)
    assert codes.dtype == torch.int64
    np.testing.assert_array_equal(codes.numpy(), brute_force(z, codebooks).argmin(axis=2))


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("chunk_bytes", [1, 1000, 50_000])
@pytest.mark.parametrize("g", [1, 2, 5])
def test_neither_chunks_nor_threads_change_the_codes(threads, chunk_bytes, g):
    z, codebooks = normal(211, g, 6), normal(g, 13, 6, seed=1)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        codes = nearest_codes(z, codebooks, chunk_bytes=chunk_bytes)
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(codes.numpy(), brute_force(z, codebooks).argmin(axis=2))


@pytest.mark.parametrize("k", [4, 64, 600])
def test_the_first_of_equal_codes_wins(k):
    codebooks = normal(1, k // 2, 8).repeat(1, 2, 1)
    codes = nearest_codes(normal(500, 1, 8, seed=1), codebooks)
    assert int(codes.max()) < k // 2


def test_a_codebook_vector_is_its_own_nearest():
    codebooks = normal(3, 50, 8)
    codes = nearest_codes(codebooks.transpose(0, 1), codebooks)
    assert torch.equal(codes, torch.arange(50)[:, None].expand(50, 3))


def test_data_far_from_the_origin_keep_their_digits():
    # 1e4 leaves about 1e-3 of each coordinate in float32; the expanded distance without centring is off by about 10.
    z, codebooks = normal(2000, 1, 16) + 1e4, normal(1, 64, 16, seed=1) + 1e4
    codes = nearest_codes(z, codebooks)
    distances = brute_force(z, codebooks)[:, 0]
    excess = np.take_along_axis(distances, codes.numpy(), axis=1)[:, 0] - distances.min(axis=1)
    assert excess.max() < 1e-3


def test_low_precision_input_is_searched_in_float32():
    z, codebooks = normal(400, 1, 16).bfloat16(), normal(1, 128, 16, seed=1)
    assert torch.equal(nearest_codes(z, codebooks), nearest_codes(z.float(), codebooks))


def test_autocast_does_not_reach_the_search():
    z, codebooks = normal(400, 1, 16), normal(1, 128, 16, seed=1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        codes = nearest_codes(z, codebooks)
    assert torch.equal(codes, nearest_codes(z, codebooks))


def test_float64_is_searched_in_float64():
    z = torch.full((1, 1, 1), 1.0 + 1e-12, dtype=torch.float64)
    codebooks = torch.tensor([[[1.0 + 3e-12], [1.0 + 1.5e-12], [1.0]]], dtype=torch.float64)
    assert nearest_codes(z, codebooks).item() == 1


def test_strided_input_needs_no_copy_by_the_caller():
    z, codebooks = normal(4, 30, 3).transpose(0, 1), normal(4, 10, 3, seed=1)
    assert torch.equal(nearest_codes(z, codebooks), nearest_codes(z.contiguous(), codebooks))


def test_no_vectors_give_no_codes():
    assert nearest_codes(normal(0, 2, 3), normal(2, 4, 3)).shape == (0, 2)


def test_a_row_that_is_not_finite_disturbs_no_other_row():
    z, codebooks = normal(100, 1, 4), normal(1, 20, 4, seed=1)
    bad = z.clone()
    bad[7], bad[50, 0, 2] = torch.nan, torch.inf
    codes, expected = nearest_codes(bad, codebooks), nearest_codes(z, codebooks)
    others = torch.ones(100, dtype=torch.bool)
    others[[7, 50]] = False
    assert torch.equal(codes[others], expected[others])
    assert 0 <= int(codes.min()) <= int(codes.max()) < 20


def test_inputs_that_require_a_gradient_are_searched():
    z, codebooks = normal(10, 1, 4).requires_grad_(), normal(1, 5, 4, seed=1).requires_grad_()
    assert not nearest_codes(z, codebooks).requires_grad


@pytest.mark.parametrize(("z_shape", "shape"), [((5, 2, 3), (1, 4, 3)), ((5, 1, 3), (1, 4, 2)), ((5, 3), (1, 4, 3))])
def test_shapes_that_do_not_fit_are_named(z_shape, shape):
    with pytest.raises(ValueError, match="do not fit"):
        nearest_codes(normal(*z_shape), normal(*shape))

import math
from itertools import product

import numpy as np
import pytest
import torch

from skvq.nn.quantizers.finite_scalar import FiniteScalarQuantizer, levels_for

SOME_LEVELS = pytest.mark.parametrize("levels", [(2,), (3,), (8, 6, 5), (5, 4, 3, 2), (7, 7), (64,)])


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def brute_force(z, levels):
    """Numbers of the levels (n, d) of vectors z (n, d): of all levels of a dimension the one nearest to f(z)."""
    numbers = np.empty(z.shape, dtype=int)
    for dim, n_levels in enumerate(levels):
        shift, offset = 0.0, 0.0
        if n_levels % 2 == 0:
            offset = 0.5
            shift = math.atanh(1 / (n_levels - 1)) if n_levels > 2 else 0.0
        bounded = np.tanh(z[:, dim] + shift) * (n_levels - 1) / 2 - offset
        values = np.arange(n_levels) - n_levels // 2
        numbers[:, dim] = np.abs(bounded[:, None] - values).argmin(axis=1)
    return numbers


@SOME_LEVELS
def test_codes_and_vectors_are_those_of_an_enumeration_of_the_levels(levels):
    quantizer = FiniteScalarQuantizer(levels)
    z = 2 * normal(300, 2, len(levels))
    vectors, codes, losses = quantizer(z)
    numbers = brute_force(z.reshape(600, -1).double().numpy(), levels)
    all_numbers = [number[::-1] for number in product(*(range(n) for n in reversed(levels)))]  # first dimension fastest
    lookup = {number: code for code, number in enumerate(all_numbers)}
    np.testing.assert_array_equal(codes.ravel(), [lookup[tuple(number)] for number in numbers.tolist()])
    half = np.array([n // 2 for n in levels])
    np.testing.assert_allclose(vectors.reshape(600, -1), (numbers - half) / half, atol=1e-6)
    assert losses == {}


@SOME_LEVELS
def test_the_codebook_holds_every_combination_of_levels_once_and_in_the_order_of_the_codes(levels):
    quantizer = FiniteScalarQuantizer(levels)
    (codebook,) = quantizer.codebook
    assert quantizer.n_codes == math.prod(levels) == len(torch.unique(codebook, dim=0)) == len(codebook)
    for dim, n_levels in enumerate(levels):
        expected = (np.arange(n_levels) - n_levels // 2) / (n_levels // 2)
        np.testing.assert_allclose(np.unique(codebook[:, dim].numpy()), expected, atol=1e-6)
    codes = quantizer.encode(normal(9, 3, len(levels)))
    assert torch.equal(quantizer.decode(codes), codebook[codes])


@SOME_LEVELS
def test_every_level_is_reached(levels):
    z = torch.linspace(-10, 10, 2001)[:, None, None].expand(-1, 1, len(levels))
    vectors = FiniteScalarQuantizer(levels)(z).vectors
    assert [len(torch.unique(vectors[..., dim])) for dim in range(len(levels))] == list(levels)


@pytest.mark.parametrize("levels", [(3,), (4, 4), (8, 6, 5), (7, 7)])
def test_zero_is_the_level_zero(levels):
    assert torch.equal(
        FiniteScalarQuantizer(levels)(torch.zeros(1, 1, len(levels))).vectors[0, 0], torch.zeros(len(levels))
    )


def test_two_levels_are_the_sign():
    z = normal(50, 1, 1)
    assert torch.equal(FiniteScalarQuantizer((2,)).encode(z)[:, 0], (z[:, 0, 0] > 0).long())


def test_the_gradient_is_that_of_the_bounding_function():
    levels = (8, 5)
    z, upstream = normal(40, 3, 2).requires_grad_(), normal(40, 3, 2, seed=1)
    FiniteScalarQuantizer(levels)(z).vectors.backward(upstream)
    shift = np.array([math.atanh(1 / 7), 0.0])
    slope = (1 - np.tanh(z.detach().numpy() + shift) ** 2) * np.array([7 / 2, 4 / 2]) / np.array([4, 2])
    np.testing.assert_allclose(z.grad, slope * upstream.numpy(), rtol=1e-4, atol=1e-6)  # float32


@pytest.mark.parametrize("n_groups", [1, 3])
def test_a_start_from_data_fits_their_units(n_groups):
    units = torch.tensor([[0.01, 100.0], [1.0, 3.0], [20.0, 0.5]]) if n_groups == 3 else torch.tensor([[0.01, 100.0]])
    z = 7 * units + units * normal(2000, 3, 2)
    quantizer = FiniteScalarQuantizer((8, 8), n_groups=n_groups)
    quantizer.start_from(z)
    vectors = quantizer(z).vectors
    # The best 8 levels of a Gaussian leave 0.0345 of its variance, 7 leave 0.0440 and 6 leave 0.0580 (Max, 1960).
    unexplained = ((vectors - z) / units).square().mean(dim=(0, 1))
    assert float(unexplained.max()) < 0.058
    share = quantizer.count(quantizer.encode(z)).double()
    share /= share.sum(dim=1, keepdim=True)
    perplexity = (-(share * share.clamp_min(1e-30).log()).sum(dim=1)).exp()
    assert float(perplexity.min()) > 36  # as even use of six levels out of eight


def test_a_constant_dimension_starts_without_a_figure_that_is_not_finite():
    z = normal(50, 1, 2)
    z[..., 1] = 3.0
    quantizer = FiniteScalarQuantizer((5, 5))
    quantizer.start_from(z)
    vectors = quantizer(z).vectors
    torch.testing.assert_close(vectors[..., 1], z[..., 1])
    assert all(bool(torch.isfinite(value).all()) for value in quantizer.state_dict().values())


@pytest.mark.parametrize("n_codes", [2, 5, 14, 15, 16, 24, 32, 64, 89, 100, 128, 256, 500, 512, 1024, 8192, 65536])
def test_chosen_levels_are_the_best_of_all_that_keep_the_rule(n_codes):
    levels = levels_for(n_codes)
    n_dims = max(1, round(math.log(n_codes) / math.log(6)))
    assert len(levels) == n_dims
    assert list(levels) == sorted(levels, reverse=True)
    assert levels[0] - levels[-1] <= 3
    fewest = 5 if 5**n_dims <= n_codes else 3
    if n_dims > 1:
        assert levels[-1] >= fewest
    one_more = [math.prod(levels[:i] + (levels[i] + 1,) + levels[i + 1 :]) for i in range(n_dims)]
    assert math.prod(levels) <= n_codes
    assert all(more > n_codes or levels[i] + 1 - levels[-1] > 3 for i, more in enumerate(one_more))


@pytest.mark.parametrize(
    ("n_codes", "table"),
    [(2**4, 2), (2**6, 2), (2**8, 3), (2**9, 3), (2**10, 4), (2**11, 4), (2**12, 5), (2**14, 5), (2**16, 6)],
)
def test_the_number_of_dimensions_is_that_of_the_papers_table(n_codes, table):
    assert len(levels_for(n_codes)) == table


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="n_codes must be at least 2, got 1"):
        levels_for(1)
    for levels in ((), (1, 5)):
        with pytest.raises(ValueError, match="levels must be one or more integers of at least 2"):
            FiniteScalarQuantizer(levels)
    with pytest.raises(ValueError, match=r"z must have shape \(b, 3, 2\), got \(4, 2, 2\)"):
        FiniteScalarQuantizer((5, 5), n_groups=3)(normal(4, 2, 2))
    for code in (-1, 25):
        with pytest.raises(IndexError, match=r"\[0, 25\)"):
            FiniteScalarQuantizer((5, 5)).decode(torch.full((1, 3), code))

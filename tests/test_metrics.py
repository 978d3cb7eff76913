import numpy as np
import pytest
from scipy.stats import entropy

from skvq.metrics import bits_per_dim, bits_per_position, codebook_usage, perplexity


def test_uniform_codes_use_everything_and_have_perplexity_n_codes():
    codes = np.tile(np.arange(16), (3, 2))
    assert codebook_usage(codes, 16) == 1.0
    assert perplexity(codes, 16) == pytest.approx(16.0)
    assert bits_per_position(codes, 16) == pytest.approx(4.0)


def test_a_single_code_has_perplexity_one_and_no_bits():
    codes = np.full((5, 3), 2)
    assert codebook_usage(codes, 4) == 0.25
    assert perplexity(codes, 4) == pytest.approx(1.0)
    assert bits_per_position(codes, 4) == pytest.approx(0.0)


def test_entropy_agrees_with_scipy():
    codes = np.random.default_rng(0).integers(0, 10, (40, 6)) ** 2
    frequencies = np.unique(codes, return_counts=True)[1]
    assert perplexity(codes, 100) == pytest.approx(np.exp(entropy(frequencies)))
    assert bits_per_position(codes, 100) == pytest.approx(entropy(frequencies, base=2))


def test_per_position_averages_usage_and_entropy_over_columns():
    codes = np.array([[0, 0], [0, 1], [0, 2], [0, 3]])
    assert codebook_usage(codes, 4, per_position=True) == pytest.approx((0.25 + 1.0) / 2)
    assert bits_per_position(codes, 4, per_position=True) == pytest.approx((0.0 + 2.0) / 2)
    assert perplexity(codes, 4, per_position=True) == pytest.approx(2.0)


def test_a_grid_of_codes_counts_like_its_flattened_rows():
    codes = np.random.default_rng(0).integers(0, 5, (7, 2, 3))
    for metric in (codebook_usage, perplexity, bits_per_position):
        for per_position in (False, True):
            flat = metric(codes.reshape(7, 6), 5, per_position=per_position)
            assert metric(codes, 5, per_position=per_position) == flat


@pytest.mark.parametrize("dtype", [np.uint8, np.uint64])
def test_unsigned_codes_are_counted_like_signed_ones(dtype):
    codes = np.arange(256).astype(dtype)
    assert codebook_usage(codes, 300) == pytest.approx(256 / 300)


def test_bits_per_dim_of_a_uniform_pixel_is_eight():
    assert bits_per_dim(np.full(3, -784 * np.log(256)), 784) == pytest.approx(8.0)
    assert bits_per_dim(-784 * np.log(256), 784) == pytest.approx(8.0)


def test_bits_per_dim_averages_over_rows():
    assert bits_per_dim([-np.log(2), -3 * np.log(2)], 2) == pytest.approx(1.0)


@pytest.mark.parametrize("metric", [codebook_usage, perplexity, bits_per_position])
@pytest.mark.parametrize(
    ("codes", "n_codes", "match"),
    [
        ([[0, 4]], 4, r"\[0, 4\).*from 0 to 4"),
        ([[-1, 2]], 4, "from -1 to 2"),
        ([[0.0, 1.0]], 4, "integers, got dtype float64"),
        (np.empty((0, 3), dtype=int), 4, "at least one code"),
        ([[0, 1]], 0, "n_codes must be a positive integer, got 0"),
        ([[0, 1]], 4.0, "n_codes must be a positive integer, got 4.0"),
    ],
)
def test_codes_that_do_not_fit_are_refused(metric, codes, n_codes, match):
    with pytest.raises(ValueError, match=match):
        metric(codes, n_codes)


@pytest.mark.parametrize("metric", [codebook_usage, perplexity, bits_per_position])
def test_per_position_needs_positions(metric):
    with pytest.raises(ValueError, match="n_positions"):
        metric([0, 1, 2], 4, per_position=True)


@pytest.mark.parametrize(("log_likelihood", "n_features"), [([], 3), ([np.nan], 3), ([1.0], 0), ([1.0], True)])
def test_bits_per_dim_refuses_what_has_no_answer(log_likelihood, n_features):
    with pytest.raises(ValueError, match="must"):
        bits_per_dim(log_likelihood, n_features)

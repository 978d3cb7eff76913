import numpy as np
import pytest
from scipy.stats import entropy

from skvq.metrics import bits_per_dim, bits_per_position, bits_per_row, codebook_usage, perplexity

METRICS = [codebook_usage, perplexity, bits_per_position]


def test_uniform_codes_use_everything_and_have_perplexity_n_codes():
    codes = np.tile(np.arange(16), (3, 2))
    assert codebook_usage(codes, 16) == 1.0
    assert perplexity(codes, 16) == pytest.approx(16.0)
    assert bits_per_position(codes, 16) == pytest.approx(4.0)
    assert bits_per_row(codes, 16) == pytest.approx(32 * 4.0)


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


def test_each_codebook_is_counted_for_itself():
    codes = np.array([[0, 0], [0, 1], [0, 2], [0, 3]])
    for own in (range(2), [1, 0]):
        assert codebook_usage(codes, 4, codebooks=own) == pytest.approx((0.25 + 1.0) / 2)
        assert bits_per_position(codes, 4, codebooks=own) == pytest.approx((0.0 + 2.0) / 2)
        assert perplexity(codes, 4, codebooks=own) == pytest.approx(2.0)
        assert bits_per_row(codes, 4, codebooks=own) == pytest.approx(2.0)
    np.testing.assert_allclose(codebook_usage(codes, 4, codebooks=[1, 0], average=False), [1.0, 0.25])
    np.testing.assert_allclose(bits_per_position(codes, 4, codebooks=[1, 0], average=False), [2.0, 0.0])
    np.testing.assert_allclose(perplexity(codes, 4, codebooks=[1, 0], average=False), [4.0, 1.0])


@pytest.mark.parametrize(
    ("codebooks", "axis_of"),
    [
        (None, lambda h, w, s: 0),
        (range(4), lambda h, w, s: s),
        (np.arange(6).reshape(2, 3, 1), lambda h, w, s: 3 * h + w),
        (np.arange(24).reshape(2, 3, 4), lambda h, w, s: 12 * h + 4 * w + s),
    ],
)
def test_codebooks_broadcast_over_positions_and_stages(codebooks, axis_of):
    codes = np.random.default_rng(0).integers(0, 3, (5, 2, 3, 4)) ** 2
    lists = {}
    for (_, h, w, s), code in np.ndenumerate(codes):
        lists.setdefault(axis_of(h, w, s), []).append(code)
    expected = [entropy(np.unique(lists[g], return_counts=True)[1], base=2) for g in range(len(lists))]
    used = [len(set(lists[g])) / 5 for g in range(len(lists))]
    np.testing.assert_allclose(bits_per_position(codes, 5, codebooks=codebooks, average=False), expected, atol=1e-12)
    np.testing.assert_allclose(codebook_usage(codes, 5, codebooks=codebooks, average=False), used)
    assert bits_per_row(codes, 5, codebooks=codebooks) == pytest.approx(24 * np.mean(expected))
    flat = None if codebooks is None else np.broadcast_to(codebooks, (2, 3, 4)).ravel()
    for metric in METRICS:
        assert metric(codes.reshape(5, 24), 5, codebooks=flat) == metric(codes, 5, codebooks=codebooks)


def test_a_codebook_of_many_positions_weighs_more_in_the_bits_of_a_row():
    coarse, fine = np.zeros((16, 1), dtype=int), np.tile(np.arange(4), (16, 1))
    bits = bits_per_row(np.concatenate([coarse, fine], axis=1), 4, codebooks=np.repeat([0, 1], [1, 4]))
    assert bits == pytest.approx(1 * 0.0 + 4 * 2.0)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint64])
def test_unsigned_codes_are_counted_like_signed_ones(dtype):
    codes = np.arange(256).astype(dtype)
    assert codebook_usage(codes, 300) == pytest.approx(256 / 300)


def test_bits_per_dim_of_a_uniform_pixel_is_eight():
    assert bits_per_dim(np.full(3, -784 * np.log(256)), 784) == pytest.approx(8.0)
    assert bits_per_dim(-784 * np.log(256), 784) == pytest.approx(8.0)


def test_bits_per_dim_averages_over_rows():
    assert bits_per_dim([-np.log(2), -3 * np.log(2)], 2) == pytest.approx(1.0)


@pytest.mark.parametrize("metric", [*METRICS, bits_per_row])
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


@pytest.mark.parametrize("metric", [*METRICS, bits_per_row])
@pytest.mark.parametrize(
    ("codebooks", "match"),
    [
        (range(3), r"shape \(3,\) do not broadcast over the positions \(2,\)"),
        ([0, 2], r"without gaps, got \[0, 2\]"),
        ([-1, 0], r"from 0"),
        ([0.0, 1.0], "codebooks must be integers, got dtype float64"),
    ],
)
def test_codebooks_that_do_not_fit_are_refused(metric, codebooks, match):
    with pytest.raises(ValueError, match=match):
        metric([[0, 1], [2, 3]], 4, codebooks=codebooks)


@pytest.mark.parametrize(("log_likelihood", "n_features"), [([], 3), ([np.nan], 3), ([1.0], 0), ([1.0], True)])
def test_bits_per_dim_refuses_what_has_no_answer(log_likelihood, n_features):
    with pytest.raises(ValueError, match="must"):
        bits_per_dim(log_likelihood, n_features)

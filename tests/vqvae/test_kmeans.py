import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans

from skvq import ResidualCodes, VQVAETransformer
from skvq.nn.quantizers.nearest import lloyd_pass, removal_costs
from skvq.vqvae.network import (
    distinct_vectors,
    encoded_sample,
    grown_centres,
    kmeans_codebooks,
    sample_size,
    without_cheapest,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def error(x, centres):
    return np.square(cdist(x, centres).min(axis=1)).mean()


def test_a_sample_has_128_vectors_per_code_and_32_for_many_codes():
    assert sample_size(256) == 128 * 256
    assert sample_size(8192) == 32 * 8192


@pytest.mark.parametrize(("code_dim", "n_rows"), [(64, 256), (128, 128)])
def test_of_long_vectors_of_whole_rows_fewer_start_a_codebook(code_dim, n_rows, monkeypatch):
    started = []

    def counting(encoder, rows, n_rows, *rest):
        started.append(n_rows)
        return encoded_sample(encoder, rows, n_rows, *rest)

    monkeypatch.setattr("skvq.vqvae.network.encoded_sample", counting)
    codes = ResidualCodes(code_dim=code_dim)
    VQVAETransformer(2, (3,), quantizer=codes, max_iter=1, prior=None, random_state=0).fit(normal(300, 130))
    assert started == [n_rows]


def test_distinct_vectors_are_those_of_numpy():
    x = np.random.default_rng(0).integers(-1, 2, size=(500, 4)).astype(np.float32)
    x[x == 0] *= np.random.default_rng(1).choice([-1, 1], size=(x == 0).sum())  # zeros of both signs
    different, counts = distinct_vectors(x)
    expected, expected_counts = np.unique(x, axis=0, return_counts=True)
    order = np.lexsort(different.T[::-1])
    np.testing.assert_array_equal(different[order], expected)
    np.testing.assert_array_equal(counts[order], expected_counts)


def test_a_pass_gives_vectors_to_the_nearest_centre_and_takes_weighted_means():
    x, centres = normal(200, 3), np.concatenate([normal(7, 3, seed=1), np.full((1, 3), 50, dtype=np.float32)])
    weights = np.random.default_rng(2).integers(1, 5, 200).astype(np.float32)
    codes, means, masses = lloyd_pass(*map(torch.from_numpy, (x, weights[:, None] * x, weights, centres)))
    nearest = cdist(x, centres).argmin(axis=1)
    np.testing.assert_array_equal(codes, nearest)
    used = np.unique(nearest)
    assert 7 not in used
    np.testing.assert_allclose(masses, [weights[nearest == k].sum() for k in used])
    expected = [np.average(x[nearest == k], axis=0, weights=weights[nearest == k]) for k in used]
    np.testing.assert_allclose(means, expected, atol=1e-5)  # sums of float32 in another order


def test_the_centre_that_is_missed_least_is_the_one_beside_another_with_little_mass():
    centres = torch.tensor([[0.0], [1.0], [10.0], [1.1]])
    masses = torch.tensor([1.0, 2.0, 3.0, 5.0])
    costs, neighbours = removal_costs(centres, masses)
    torch.testing.assert_close(costs, torch.tensor([1.0, 2 * 0.01, 3 * 8.9**2, 5 * 0.01]), rtol=1e-4, atol=0)
    assert neighbours.tolist() == [1, 3, 3, 1]
    assert without_cheapest(centres, masses, 0).tolist() == centres.tolist()
    assert without_cheapest(centres, masses, 1).flatten().tolist() == pytest.approx([0.0, 10.0, 1.1])
    assert without_cheapest(centres, masses, 2).flatten().tolist() == pytest.approx(
        [0.0, 10.0, 1.1]
    )  # not both of a pair


@pytest.mark.parametrize("kind", ["even", "clustered"])
def test_grown_centres_are_as_good_as_those_of_scikit_learn(kind):
    x = normal(6_000, 4)
    if kind == "clustered":  # of very different size and width
        widths = 10.0 ** np.random.default_rng(1).uniform(-2, 1, 60)
        x = (normal(60, 4, seed=2) * 20 + 0.0)[np.arange(6_000) % 60] + x * widths[np.arange(6_000) % 60, None]
        x = x.astype(np.float32)
    theirs = error(x, KMeans(300, n_init=1, max_iter=30, random_state=0).fit(x).cluster_centers_)
    for seed in range(5):
        grown = grown_centres(x, np.ones(len(x), dtype=np.int64), 300, torch.Generator().manual_seed(seed))
        assert len(np.unique(grown, axis=0)) == 300
        assert error(x, grown) < 1.02 * theirs


def test_counts_stand_for_repeated_vectors():
    x = normal(400, 2)
    x[:200] *= 0.1
    counts = np.where(np.arange(400) < 200, 50, 1)
    centres = grown_centres(x, counts, 20, generator())
    assert (np.linalg.norm(centres, axis=1) < 0.4).sum() > 5
    assert error(np.repeat(x, counts, axis=0), centres) < error(
        np.repeat(x, counts, axis=0), grown_centres(x, np.ones(400, dtype=np.int64), 20, generator())
    )


@pytest.mark.parametrize("n_codes", [20, 300])
def test_every_vector_of_a_codebook_is_nearest_to_something(n_codes):
    x = normal(2_000, 2, 3)
    x[:1_000, 0] = 0.0  # a blank background
    codebooks = kmeans_codebooks(x, n_codes, generator())
    assert codebooks.shape == (2, n_codes, 3)
    assert codebooks.dtype == np.float32
    for group in range(2):
        assert len(np.unique(cdist(x[:, group], codebooks[group]).argmin(axis=1))) == n_codes


@pytest.mark.parametrize("n_codes", [4, 300])
def test_a_group_with_too_few_vectors_repeats_them(n_codes):
    x = normal(1_000, 2, 3)
    x[:, 1] = x[:2, 1].repeat(500, axis=0)
    codebooks = kmeans_codebooks(x, n_codes, generator())
    assert len(np.unique(codebooks[0], axis=0)) == n_codes
    assert len(np.unique(codebooks[1], axis=0)) == 2


def test_vectors_that_float32_can_hardly_tell_apart_are_no_endless_loop():
    x = (1e6 + np.arange(600, dtype=np.float32) / 16)[:, None, None]
    codebook = kmeans_codebooks(x, 500, generator())[0]
    assert error(x[:, 0], codebook) < 0.1


def test_there_are_no_more_centres_than_different_vectors():
    x = np.tile(normal(270, 1, 3), (10, 1, 1))
    codebook = kmeans_codebooks(x, 500, generator())[0]
    np.testing.assert_array_equal(np.sort(codebook, axis=0), np.sort(x[:270, 0], axis=0))


@pytest.mark.parametrize("n_codes", [20, 300])
def test_the_same_generator_gives_the_same_centres(n_codes):
    x = normal(1_000, 1, 3)
    first, again, other = (kmeans_codebooks(x, n_codes, generator(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_vectors_that_occur_often_pull_their_centre():
    rare, often = np.zeros((1, 1, 1), np.float32), np.full((99, 1, 1), 1.0, np.float32)
    far = np.full((100, 1, 1), 50.0, np.float32)
    centres = np.sort(kmeans_codebooks(np.concatenate([rare, often, far]), 2, generator()).ravel())
    np.testing.assert_allclose(centres, [0.99, 50.0], rtol=1e-5)

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

from skvq.nn.quantizers.residual_start import (
    centres_of_wide,
    codebooks_of_parts,
    shrunken,
    squared_error,
    stages_from,
    start_codebooks,
)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def cluster(vectors, n_codes):
    """The k-means centres of each group: (n, g, d) → (g, n_codes, d)."""
    groups = vectors.transpose(0, 1).numpy()
    found = [KMeans(n_codes, n_init=1, max_iter=5, random_state=0).fit(x).cluster_centers_ for x in groups]
    return torch.from_numpy(np.stack(found)).float()


def digits():
    """(1000, 1, 64) to start from, (797, 1, 64) that are new."""
    x = torch.from_numpy(load_digits().data / 16.0).float()
    x = (x - x.mean(dim=0))[torch.randperm(len(x), generator=torch.Generator().manual_seed(0))]
    return x[:1000, None], x[1000:, None]


def shrunken_by_loops(centres, vectors, n_rows):
    """The same for one group, centre by centre: (k, d), (n, d) → (k, d)."""
    nearest = cdist(vectors, centres).argmin(axis=1)
    share = n_rows / len(vectors)
    error = share * sum(np.square(x - centres[code]).sum() for x, code in zip(vectors, nearest))
    variance = error / max(n_rows - len(centres), n_rows / 10)
    mean, found = vectors.mean(axis=0), centres.copy()
    for code in range(len(centres)):
        n = share * (nearest == code).sum()
        length = np.square(centres[code] - mean).sum()
        if n > 0:
            found[code] = mean + length / (length + variance / n) * (centres[code] - mean)
    return found


@pytest.mark.parametrize("n_rows", [60, 20, 6], ids=["rows", "three prefixes a row", "fewer rows than centres"])
def test_shrunken_centres_are_those_of_the_formula(n_rows):
    vectors, centres = normal(60, 2, 3) + 1.0, normal(2, 7, 3, seed=1)
    centres[1, 4] = 100.0  # which no vector is near
    found = shrunken(centres, vectors, n_rows).numpy()
    for group in range(2):
        expected = shrunken_by_loops(centres[group].double().numpy(), vectors[:, group].double().numpy(), n_rows)
        np.testing.assert_allclose(found[group], expected, rtol=1e-5, atol=1e-6)


def test_centres_that_are_certain_stay_and_those_of_few_vectors_move():
    vectors = torch.cat([normal(10_000, 1, 3) + 20.0, normal(10_000, 1, 3) - 20.0, 0.1 * normal(1, 1, 3)])
    centres = torch.tensor([[[20.0] * 3, [-20.0] * 3, [1.0] * 3]])
    moved = (shrunken(centres, vectors, len(vectors)) - centres).norm(dim=2)[0]
    assert float(moved[:2].max()) < 1e-4
    assert float(moved[2]) > 0.5


def test_squared_error_is_that_of_the_best_sum_where_the_beam_keeps_all():
    z, codebooks = normal(9, 1, 4), [normal(1, 3, 4, seed=1), normal(1, 3, 4, seed=2)]
    sums = (codebooks[0][0][:, None] + codebooks[1][0][None]).reshape(9, 4)
    expected = np.square(cdist(z[:, 0], sums).min(axis=1)).sum()
    np.testing.assert_allclose(squared_error(z, codebooks, beam_size=9), expected, rtol=1e-5, atol=1e-6)


def test_few_vectors_a_code_in_many_dimensions_are_served_by_shrunken_centres():
    z, new = digits()
    left = {}
    for shrink in (False, True):
        codebooks = stages_from(z, 2, 256, cluster, 16, n_prefixes=8, shrink=shrink)
        left[shrink] = squared_error(new, codebooks, 16)
    assert left[True] < 0.97 * left[False]
    chosen = start_codebooks(z, 2, 256, cluster, 16)
    assert squared_error(new, chosen, 16) == pytest.approx(left[True])


def test_held_out_vectors_decide_against_shrinking_where_it_does_harm():
    z = 0.05 * normal(600, 1, 2) + torch.tensor([[-1.0, 0.0], [1.0, 0.0]]).repeat(300, 1)[:, None]
    found = start_codebooks(z, 4, 80, cluster, 4)
    torch.testing.assert_close(found, stages_from(z, 4, 80, cluster, 4, n_prefixes=8, shrink=False))


def test_many_vectors_a_code_or_few_in_all_are_never_shrunken(monkeypatch):
    def refuse(*arguments):
        raise AssertionError("shrunken")

    monkeypatch.setattr("skvq.nn.quantizers.residual_start.shrunken", refuse)
    assert len(start_codebooks(normal(600, 1, 3), 2, 75, cluster, 4)) == 2
    assert len(start_codebooks(normal(499, 1, 3), 2, 256, cluster, 4)) == 2
    with pytest.raises(AssertionError, match="shrunken"):
        start_codebooks(normal(600, 1, 3), 2, 76, cluster, 4)


def test_without_a_choice_few_vectors_start_in_the_usual_way_alone():
    z, new = digits()
    found = start_codebooks(z, 2, 256, cluster, 16, chooses=False)
    as_they_are = stages_from(z, 2, 256, cluster, 16, n_prefixes=8, shrink=False)
    torch.testing.assert_close(found, as_they_are)
    chosen = start_codebooks(z, 2, 256, cluster, 16)
    assert squared_error(new, chosen, 16) < squared_error(new, found, 16)


def answers(n):
    """Twelve answers of seven levels, three to a trait, none of which says anything of another trait: (n, 1, 12)."""
    generator = torch.Generator().manual_seed(1)
    trait = torch.randn(n, 4, 1, generator=generator)
    found = (1.5 * trait + 0.7 * torch.randn(n, 4, 3, generator=generator)).round().clamp(-3, 3)
    return (found - found.mean(dim=0)).flatten(1)[:, None]


def rotation(d):
    return torch.linalg.qr(normal(d, d, seed=3)).Q


def test_codebooks_of_parts_are_the_centres_of_neighbouring_columns():
    x, directions = answers(600), rotation(12)
    codebooks = codebooks_of_parts(x @ directions.T, directions, 5, 16, lambda vectors, n: vectors[:n].transpose(0, 1))
    for part, codebook in zip([(0, 3), (3, 6), (6, 8), (8, 10), (10, 12)], codebooks):
        expected = torch.zeros(1, 16, 12)
        expected[0, :, slice(*part)] = x[:16, 0, slice(*part)]
        torch.testing.assert_close(codebook @ directions, expected, rtol=1e-5, atol=1e-5)  # back among the columns


def test_columns_of_few_values_are_served_by_codes_of_parts_of_them():
    x, directions = answers(1500), rotation(12)
    z, new = (part @ directions.T for part in (x[:1000], x[1000:]))
    usual, found = (start_codebooks(z, 4, 256, cluster, 16, of_rows) for of_rows in (None, directions))
    assert squared_error(new, found, 16) < 0.6 * squared_error(new, usual, 16)


def test_rows_that_are_one_whole_are_not_cut_into_parts():
    z, _ = digits()
    usual, found = (start_codebooks(z, 2, 256, cluster, 16, of_rows) for of_rows in (None, torch.eye(64)))
    torch.testing.assert_close(found, usual)


def test_fewer_columns_than_stages_are_not_cut_into_parts():
    z = normal(600, 1, 3)
    torch.testing.assert_close(
        start_codebooks(z, 4, 80, cluster, 4, torch.eye(3)), start_codebooks(z, 4, 80, cluster, 4)
    )


def wide(n, seed):
    """Vectors of 160 dimensions, most of whose length lies in sixty directions: (n, 1, 160)."""
    x = normal(n, 60, seed=seed) @ normal(60, 160, seed=9) + 0.1 * normal(n, 160, seed=seed + 1)
    return x[:, None]


def test_wide_vectors_that_are_clustered_in_few_dimensions_first_serve_new_ones_better(monkeypatch):
    z, new = wide(300, 1), wide(1000, 3)
    found = squared_error(new, start_codebooks(z, 4, 64, cluster, 4), 4)
    monkeypatch.setattr("skvq.nn.quantizers.residual_start._WIDE", 161)
    assert found < 0.92 * squared_error(new, start_codebooks(z, 4, 64, cluster, 4), 4)


def test_vectors_that_are_not_wide_are_clustered_as_they_are(monkeypatch):
    monkeypatch.setattr("skvq.nn.quantizers.residual_start.centres_of_wide", None)
    assert start_codebooks(normal(40, 1, 64), 1, 4, cluster, 4)[0].shape == (1, 4, 64)
    with pytest.raises(TypeError):
        start_codebooks(normal(40, 1, 65), 1, 4, cluster, 4)


def test_centres_of_clusters_far_apart_are_their_means():
    means = 100.0 * normal(2, 5, 70)
    labels = torch.arange(200) % 5
    vectors = means[:, labels].transpose(0, 1) + normal(200, 2, 70, seed=1)
    expected = torch.stack([vectors[labels == label].mean(dim=0) for label in range(5)], dim=1)
    found = centres_of_wide(vectors, 40)
    for group in range(2):
        distances = torch.cdist(expected[group], found[group])
        assert distances.min(dim=1).values.max() < 5.0  # in noise of length √70, cut into several of 40 clusters each
    torch.testing.assert_close(centres_of_wide(vectors, 1)[:, 0], vectors.mean(dim=0), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("n_codes", [3, 4, 11])
def test_each_of_as_few_wide_vectors_as_codes_is_a_centre(n_codes):
    vectors = normal(3, 1, 70)
    found = centres_of_wide(vectors, n_codes)
    assert found.shape == (1, n_codes, 70)
    torch.testing.assert_close(
        torch.cdist(vectors[:, 0], found[0]).min(dim=1).values, torch.zeros(3), rtol=0, atol=1e-4
    )

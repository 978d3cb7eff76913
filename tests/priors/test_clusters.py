"""Clusters of whole grids, and the vectors of codes, in the models of grids."""

import itertools

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score

from skvq import CausalTransformer, HierarchicalPixelCNN, PixelCNN
from skvq.priors.clusters import check_codebook, cluster_centres, one_hot_rows, standard_vectors

QUICK = {
    CausalTransformer: {"d_model": 16, "n_layers": 1, "n_heads": 2, "dropout": 0, "max_iter": 20, "random_state": 0},
    PixelCNN: {"channels": 8, "n_layers": 1, "dropout": 0, "max_iter": 20, "random_state": 0},
}
KINDS = tuple(QUICK)


def two_kinds(n, seed):
    """Return grids (n, 4) of codes 0 and 1, or of 2 and 3, one kind as often as the other, and the kinds."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 2, n)
    return 2 * kinds[:, None] + rng.integers(0, 2, (n, 4)), kinds


@pytest.fixture(scope="module", params=KINDS)
def model(request):
    X, _ = two_kinds(400, 0)
    return request.param(n_clusters=2, grid_shape=(2, 2), **QUICK[request.param]).fit(X)


def test_the_clusters_are_the_kinds_of_grids(model):
    X, kinds = two_kinds(200, 1)
    found = model._network().cluster(torch.from_numpy(X).view(-1, 2, 2)).numpy()
    assert adjusted_rand_score(kinds, found) == 1
    drawn = model.sample(500, random_state=0)
    assert np.mean((drawn >= 2).all(axis=1) | (drawn < 2).all(axis=1)) > 0.97


def test_the_likelihood_is_that_of_cluster_and_codes(model):
    network = model._network()
    every = np.array(list(itertools.product(range(4), repeat=4)))
    codes = torch.from_numpy(every).view(-1, 2, 2)
    joint = network.log_joint(codes, torch.ones_like(codes, dtype=torch.bool))
    assert joint.exp().sum().item() == pytest.approx(1, abs=1e-5)  # float32 network
    own = joint.gather(1, network.cluster(codes)[:, None])[:, 0].numpy()
    np.testing.assert_allclose(model.score_samples(every), own, atol=1e-5)
    assert (model.score_samples(every) <= joint.logsumexp(dim=1).numpy() + 1e-5).all()


def test_completions_come_from_the_clusters_of_what_is_known(model):
    drawn = model.sample(200, given=[3, 0, 0, 0], mask=[True, False, False, False], random_state=0)
    assert (drawn[:, 0] == 3).all()
    assert np.mean(drawn[:, 1:] >= 2) > 0.97
    later = model.sample(200, given=[0, 0, 0, 3], mask=[False, False, False, True], random_state=0, n_candidates=8)
    assert np.mean(later[:, :3] >= 2) > 0.9  # a first code that is not known leaves the cluster to the candidates


def test_few_equal_grids_have_fewer_clusters():
    X = np.repeat([[0, 1, 1, 0]], 30, axis=0)
    model = CausalTransformer(n_clusters=3, grid_shape=(2, 2), **QUICK[CausalTransformer]).fit(X)
    assert np.isfinite(model.score_samples(X)).all()
    assert model.sample(3, random_state=0).shape == (3, 4)


@pytest.mark.parametrize("kind", KINDS)
def test_automatic_clusters_need_vectors_rows_and_no_classes(kind):
    X, kinds = two_kinds(600, 0)
    vectors = np.arange(4.0)[:, None]

    def found(n=600, shape=(2, 2), y=None, codebook=vectors, **params):
        quick = QUICK[kind] | {"max_iter": 1}
        fitted = kind(grid_shape=shape, **params, **quick).fit(X[:n], y, codebook=codebook)
        return fitted.architecture_["n_clusters"]

    assert found() == 9  # one for every 60 of 540 rows
    assert found(n=90) == found(codebook=None) == found(shape=(1, 4)) == found(n_clusters=0) == 0
    assert found(y=kinds, class_conditional=True) == 0
    assert found(n_clusters=5, codebook=None) == 5
    with pytest.warns(UserWarning, match="n_clusters=5 has no effect with class_conditional=True"):
        found(y=kinds, class_conditional=True, n_clusters=5)


@pytest.mark.parametrize("kind", KINDS)
def test_codes_share_what_is_learned_of_their_neighbours(kind):
    rng = np.random.default_rng(0)
    level = rng.integers(0, 2, (120, 1))
    X = 32 * level + rng.integers(0, 32, (120, 4))  # the first code tells the half of all others
    test = 32 * np.repeat([[0], [1]], 200, axis=0) + rng.integers(0, 32, (400, 4))
    vectors = np.where(np.arange(64) < 32, -1.0, 1.0)[:, None] + 0.05 * rng.standard_normal((64, 2))
    model = kind(64, (2, 2), n_clusters=0, **QUICK[kind])
    assert clone(model).fit(X, codebook=vectors).score(test) > model.fit(X).score(test) + 1  # nats a grid


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_books", [1, 2, 4])
def test_sampling_position_by_position_has_the_logits_of_all_at_once(kind, n_books):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 5, (80, 4))
    model = kind(5, (2, 2), n_clusters=3, **QUICK[kind]).fit(X, codebook=rng.standard_normal((n_books, 5, 3)))
    network, codes = model._network().within, torch.from_numpy(X[:7]).view(-1, 2, 2)
    condition = torch.eye(3)[[0, 1, 2, 0, 1, 2, 0]]
    with torch.no_grad():
        whole = network(codes, condition)
    torch.testing.assert_close(network.cached_logits(codes, condition), whole, atol=1e-5, rtol=1e-5)
    assert model.architecture_["n_books"] == n_books


def test_two_grids_have_a_codebook_each():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 5, (60, 5))
    options = {"channels": 8, "n_layers": 1, "max_iter": 1, "random_state": 0}
    model = HierarchicalPixelCNN(((1, 1), (2, 2)), 5, **options)
    vectors = rng.standard_normal((2, 5, 3))
    network = model.fit(X, codebook=vectors)._network()
    expected = standard_vectors(vectors, n_stages=2)
    np.testing.assert_array_equal(network.coarse.known.vectors[0], expected[0])
    np.testing.assert_array_equal(network.fine.known.vectors[0], expected[1])
    with pytest.raises(ValueError, match="which is 1 codebooks; accepted are 2"):
        model.fit(X, codebook=vectors[0])


def test_standard_vectors_keep_distances_within_a_stage():
    books = np.random.default_rng(0).standard_normal((3, 6, 4)) * [[[1.0]], [[10.0]], [[0.1]]] + 5
    together = standard_vectors(books)
    assert together.mean() == pytest.approx(0, abs=1e-6)
    assert np.square(together).mean() == pytest.approx(1, rel=1e-5)
    distances = [cdist(rows, rows)[np.triu_indices(18, 1)] for rows in (books.reshape(18, 4), together.reshape(18, 4))]
    np.testing.assert_allclose(distances[1] / distances[0], distances[1][0] / distances[0][0], rtol=1e-4)
    vectors = standard_vectors(books, n_stages=3)
    np.testing.assert_allclose(vectors.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(np.square(vectors).mean(axis=(1, 2)), 1, rtol=1e-5)
    for before, after in zip(books, vectors):
        ratios = cdist(after, after)[np.triu_indices(6, 1)] / cdist(before, before)[np.triu_indices(6, 1)]
        np.testing.assert_allclose(ratios, ratios[0], rtol=1e-4)
    assert np.isfinite(standard_vectors(np.ones((1, 4, 2)))).all()


def test_centres_are_means_of_their_grids():
    X, kinds = two_kinds(100, 0)
    np.testing.assert_array_equal(one_hot_rows(X, 4).toarray().reshape(-1, 4, 4), np.eye(4)[X])
    centres = cluster_centres(X, None, 4, 2, 0).numpy()
    means = np.stack([np.eye(4)[X[kinds == kind]].mean(axis=0) for kind in (0, 1)])
    order = np.argsort(centres[:, 0, 2] + centres[:, 0, 3])
    np.testing.assert_allclose(centres[order], means, atol=1e-6)


@pytest.mark.parametrize(
    ("codebook", "match"),
    [
        (np.zeros(4), "codebook has shape"),
        (np.zeros((3, 2)), "with n_codes=4"),
        (np.zeros((3, 4, 2)), "accepted are 1 or 2 or 4"),
        (np.full((4, 2), np.nan), "codebook contains NaN"),
    ],
)
def test_codebooks_of_another_shape_are_refused(codebook, match):
    with pytest.raises(ValueError, match=match):
        check_codebook(codebook, 4, (1, 2, 4))

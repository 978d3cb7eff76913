import itertools
import pickle

import joblib
import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV

from skvq import HierarchicalPixelCNN

SHAPES = ((1, 2), (2, 2))
SMALL = {"channels": 8, "n_layers": 1, "max_iter": 15, "dropout": 0, "learning_rate_init": 0.01, "random_state": 0}
QUICK = SMALL | {"max_iter": 1}


def echoes(n, seed):
    """Two coarse codes, and below each of them a column of two fine ones that repeat it nine times in ten."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 3, (n, 2))
    fine = np.where(rng.random((n, 4)) < 0.9, np.tile(coarse, 2), rng.integers(0, 3, (n, 4)))
    return np.hstack([coarse, fine])


def labels(X):
    return np.where(X[:, 0] == X[:, 1], "same", "other")


@pytest.fixture(scope="module")
def model():
    return HierarchicalPixelCNN(SHAPES, **SMALL).fit(echoes(2000, 0))


EVERY = np.array(list(itertools.product(range(3), repeat=6)))


def test_probabilities_of_all_rows_sum_to_one_and_come_near_the_true_entropy(model):
    assert np.exp(model.score_samples(EVERY)).sum() == pytest.approx(1, abs=1e-5)  # float32 network
    right, wrong = 0.9 + 0.1 / 3, 0.1 / 3
    entropy = 2 * np.log(3) - 4 * (right * np.log(right) + 2 * wrong * np.log(wrong))
    X = echoes(4000, 1)
    assert -model.score(X) == pytest.approx(entropy, abs=0.15)  # the sampling error of 4,000 rows is below 0.05


def test_summed_over_the_fine_grids_it_is_the_likelihood_of_the_coarse_grid(model):
    np.testing.assert_array_equal(EVERY[::81, :2], list(itertools.product(range(3), repeat=2)))
    log_coarse = logsumexp(model.score_samples(EVERY).reshape(9, 81), axis=1)
    frequencies = np.bincount(echoes(2000, 0)[:, :2] @ [3, 1], minlength=9) / 2000
    np.testing.assert_allclose(np.exp(log_coarse), frequencies, atol=0.03)


def test_samples_repeat_what_was_learned(model):
    codes = model.sample(4000, random_state=0)
    assert codes.shape == (4000, 6)
    assert codes.dtype == np.int32
    repeats = (codes[:, 2:] == np.tile(codes[:, :2], 2)).mean(axis=0)
    np.testing.assert_allclose(repeats, 0.9 + 0.1 / 3, atol=0.04)
    np.testing.assert_array_equal(codes[:7], model.sample(7, random_state=0))


def test_fine_grids_are_drawn_given_a_coarse_one(model):
    given, mask = np.array([0, 2, 1, 1, 1, 1]), np.array([True, True, False, False, False, False])
    codes = model.sample(500, given=given, mask=mask, random_state=0)
    np.testing.assert_array_equal(codes[:, :2], np.tile([0, 2], (500, 1)))
    assert (codes[:, 2:] == [0, 2, 0, 2]).mean() > 0.85
    np.testing.assert_array_equal(model.sample(given=given, mask=mask, top_k=1), [[0, 2, 0, 2, 0, 2]])


def test_classes_enter_both_levels():
    X = echoes(600, 2)
    model = HierarchicalPixelCNN(SHAPES, class_conditional=True, **SMALL).fit(X, labels(X))
    same, other = (model.score_samples(EVERY, label) for label in ("same", "other"))
    for log_p in (same, other, model.score_samples(EVERY)):
        assert np.exp(log_p).sum() == pytest.approx(1, abs=1e-5)
    drawn = model.sample(500, y="same", random_state=0)
    assert (drawn[:, 0] == drawn[:, 1]).mean() > 0.95
    X = np.hstack([np.zeros((400, 2), int), np.repeat([[0] * 4, [1] * 4], 200, axis=0)])
    model = HierarchicalPixelCNN(SHAPES, class_conditional=True, **SMALL).fit(X, X[:, -1])
    assert (model.sample(100, y=1, random_state=0)[:, 2:] == 1).mean() > 0.95


def test_a_grid_search_a_clone_and_a_pickle_work(model, tmp_path):
    X = echoes(200, 3)
    search = GridSearchCV(HierarchicalPixelCNN(SHAPES, **SMALL), {"max_iter": [1, 20]}, cv=2).fit(X)
    assert search.best_params_ == {"max_iter": 20}
    copied = clone(model)
    assert copied.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        copied.score(X)
    joblib.dump(model, tmp_path / "model.joblib")
    for copy in (pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "model.joblib")):
        np.testing.assert_array_equal(copy.score_samples(X), model.score_samples(X))
        np.testing.assert_array_equal(copy.sample(9, random_state=0), model.sample(9, random_state=0))
    assert "_module" not in model.__getstate__()


def test_grids_of_different_proportions_fit():
    X = np.random.default_rng(0).integers(0, 4, (40, 3 * 1 + 2 * 5))
    model = HierarchicalPixelCNN([[3, 1], [2, 5]], 6, **QUICK).fit(X.astype(np.uint8))
    assert model.n_codes_ == 6
    assert model.sample(3).shape == (3, 13)
    assert np.isfinite(model.score_samples(X)).all()


def test_equal_seeds_give_equal_models():
    X = echoes(100, 4)
    first, again, other = (HierarchicalPixelCNN(SHAPES, **QUICK | {"random_state": seed}).fit(X) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.score_samples(X), again.score_samples(X))
    assert not np.array_equal(first.score_samples(X), other.score_samples(X))


@pytest.mark.parametrize(
    "grid_shapes", [4, (1, 2), ((1, 2),), ((1, 2), (2, 2), (4, 4)), ((1, 2), (2, 2, 1)), ((0, 2), (2, 2))]
)
def test_grids_that_are_no_two_grids_are_named(grid_shapes):
    with pytest.raises(ValueError, match="grid_shapes"):
        HierarchicalPixelCNN(grid_shapes, **QUICK).fit(echoes(20, 0))


def test_rows_of_another_length_or_layout_are_refused(model):
    with pytest.raises(ValueError, match=r"stands for 7 codes a row, but X has 6"):
        HierarchicalPixelCNN(((1, 3), (2, 2)), **QUICK).fit(echoes(20, 0))
    with pytest.raises(ValueError, match="three dimensions"):
        HierarchicalPixelCNN(SHAPES, **QUICK).fit(echoes(20, 0).reshape(20, 2, 3))
    with pytest.raises(ValueError, match="6 features"):
        model.score_samples(np.zeros((3, 5), int))
    with pytest.raises(ValueError, match=r"0 \.\.\. 2"):
        model.score_samples(np.full((3, 6), 3))


def test_a_parameter_out_of_range_is_named(refusal):
    for name, value, accepted in (
        ("kernel_size", 2, "a positive odd integer"),
        ("channels", 0, "an int in the range [1, 2**63)"),
        ("dropout", 1.0, "'auto'"),
    ):
        with pytest.raises(ValueError, match=refusal("HierarchicalPixelCNN", name, value, accepted)):
            HierarchicalPixelCNN(SHAPES, **QUICK | {name: value}).fit(echoes(20, 0))


@pytest.mark.parametrize(
    ("n_columns", "shapes"), [(2, ((1, 1), (1, 1))), (6, ((1, 1), (1, 5))), (20, ((1, 4), (1, 16)))]
)
def test_without_grids_the_first_fifth_of_the_columns_is_the_coarse_one(n_columns, shapes):
    X = np.random.default_rng(0).integers(0, 3, (40, n_columns))
    found, told = HierarchicalPixelCNN(**QUICK).fit(X), HierarchicalPixelCNN(shapes, **QUICK).fit(X)
    assert found.grid_shapes_ == told.grid_shapes_ == shapes
    np.testing.assert_array_equal(found.score_samples(X), told.score_samples(X))
    assert found.sample(2, random_state=0).shape == (2, n_columns)


def test_a_single_column_is_no_two_grids():
    with pytest.raises(ValueError, match=r"X has 1 feature\(s\) \(columns\); two grids need at least two codes a row"):
        HierarchicalPixelCNN(**QUICK).fit(np.zeros((5, 1), dtype=int))

"""The causal transformer as a density estimator; what it shares with PixelCNN is tested there."""

import itertools
import pickle

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skvq import CausalTransformer

SMALL = {"d_model": 16, "n_layers": 1, "n_heads": 2, "dropout": 0, "max_iter": 20, "random_state": 0}


def repeats(n, seed, shape=(3, 4)):
    """Return grids whose first code is random and whose later ones repeat it or, one time in ten, move on by one."""
    rng = np.random.default_rng(seed)
    size = int(np.prod(shape))
    steps = rng.random((n, size)) < 0.1
    steps[:, 0] = False
    return ((rng.integers(0, 5, (n, 1)) + np.cumsum(steps, axis=1)) % 5).reshape(n, *shape)


@pytest.fixture(scope="module")
def model():
    return CausalTransformer(**SMALL).fit(repeats(600, 0))


def test_the_likelihood_comes_near_the_entropy_of_a_known_process(model):
    entropy = np.log(5) - 11 * (0.1 * np.log(0.1) + 0.9 * np.log(0.9))  # nats per grid
    independent = 12 * np.log(5)
    assert -model.score(repeats(200, 1)) < entropy + 0.2 * (independent - entropy)


def test_samples_follow_the_process(model):
    grids = model.sample(2000, random_state=0).reshape(2000, 12)
    moves = (np.diff(grids, axis=1) % 5).ravel()
    assert np.mean(moves == 1) == pytest.approx(0.1, abs=0.04)
    assert np.mean(moves > 1) < 0.05
    np.testing.assert_allclose(np.bincount(grids[:, 0], minlength=5) / 2000, 0.2, atol=0.06)


def test_probabilities_of_all_grids_sum_to_one_and_samples_follow_them():
    model = CausalTransformer(**SMALL).fit(repeats(300, 2, (2, 2)) % 3)
    every = np.array(list(itertools.product(range(3), repeat=4))).reshape(-1, 2, 2)
    p = np.exp(model.score_samples(every))
    assert p.sum() == pytest.approx(1, abs=1e-5)  # float32 network
    n = 20_000
    counts = np.bincount(model.sample(n, random_state=0).reshape(n, 4) @ [27, 9, 3, 1], minlength=81)
    assert (np.abs(counts - n * p) / (np.sqrt(n * p) + 1)).max() < 5  # standard deviations
    assert model.score(every) == pytest.approx(model.score_samples(every).mean())


def test_completions_of_a_known_first_row_follow_the_exact_conditional():
    model = CausalTransformer(**SMALL).fit(repeats(300, 3, (2, 2)) % 3)
    every = np.array(list(itertools.product(range(3), repeat=4))).reshape(-1, 2, 2)
    p = np.exp(model.score_samples(every))
    agrees = (every[:, 0] == [2, 1]).all(axis=1)
    expected = p[agrees] / p[agrees].sum()
    n = 20_000
    codes = model.sample(n, random_state=0, given=[[2, 1], [0, 0]], mask=[[True, True], [False, False]])
    assert (codes[:, 0] == [2, 1]).all()
    counts = np.bincount(codes[:, 1] @ [3, 1], minlength=9)
    assert (np.abs(counts - n * expected) / (np.sqrt(n * expected) + 1)).max() < 5  # standard deviations


def test_classes_are_learned_and_mixed_by_their_frequencies():
    rng = np.random.default_rng(4)
    y = np.where(rng.random(1000) < 0.25, "flat", "mixed")
    X = np.where((y == "flat")[:, None], rng.integers(0, 3, (1000, 1)), rng.integers(0, 3, (1000, 4)))
    model = CausalTransformer(class_conditional=True, grid_shape=(2, 2), **SMALL).fit(X, y)
    every = np.array(list(itertools.product(range(3), repeat=4)))
    by_class = np.stack([model.score_samples(every, label) for label in model.classes_])
    np.testing.assert_allclose(np.exp(by_class).sum(axis=1), 1, atol=1e-5)
    expected = logsumexp(by_class + np.log(model.class_prior_)[:, None], axis=0)
    np.testing.assert_allclose(model.score_samples(every), expected, atol=1e-6)
    flat = model.sample(500, random_state=0, y="flat")
    assert np.mean((flat == flat[:, :1]).all(axis=1)) > 0.9
    mixed = model.sample(500, random_state=0, y="mixed")
    assert np.mean((mixed == mixed[:, :1]).all(axis=1)) < 0.2


def test_the_likeliest_codes_alone_need_no_random_state_and_a_smaller_nucleus_is_likelier(model):
    codes = model.sample(4, top_k=1)
    np.testing.assert_array_equal(codes, np.broadcast_to(codes[0], codes.shape))
    scores = [model.score(model.sample(300, random_state=0, top_p=p)) for p in (None, 0.8, 0.3)]
    assert scores == sorted(scores)
    cold, hot = (model.score(model.sample(300, random_state=0, temperature=t)) for t in (0.3, 1.0))
    assert cold > hot


def test_a_copy_through_pickle_is_the_same_model(model):
    copy, X = pickle.loads(pickle.dumps(model)), repeats(20, 5)
    np.testing.assert_array_equal(copy.score_samples(X), model.score_samples(X))
    np.testing.assert_array_equal(copy.sample(4, random_state=0), model.sample(4, random_state=0))


def test_equal_seeds_give_equal_samples_whatever_their_number(model):
    codes = model.sample(60, random_state=1)
    np.testing.assert_array_equal(codes, model.sample(60, random_state=1))
    np.testing.assert_array_equal(codes[:7], model.sample(7, random_state=1))
    assert not np.array_equal(codes, model.sample(60, random_state=2))


@pytest.mark.parametrize(("shape", "out"), [((600, 3, 4), (2, 3, 4)), ((600, 12), (2, 12))])
def test_grids_come_back_in_the_layout_that_fit_saw(shape, out):
    model = clone(CausalTransformer(**SMALL)).set_params(max_iter=1).fit(repeats(600, 6).reshape(shape))
    assert model.grid_shape_ == ((3, 4) if len(shape) == 3 else (1, 12))
    assert model.sample(2, random_state=0).shape == out


def test_one_position_is_a_grid_too():
    X = np.array([[0], [1], [1], [1]] * 50)
    model = CausalTransformer(**SMALL | {"max_iter": 5}).fit(X)
    np.testing.assert_allclose(np.exp(model.score_samples([[0], [1]])), [0.25, 0.75], atol=0.05)


def test_a_grid_search_chooses_by_likelihood():
    X = repeats(200, 7).reshape(-1, 12)
    search = GridSearchCV(CausalTransformer(**SMALL), {"max_iter": [1, 20]}, cv=2).fit(X)
    assert search.best_params_ == {"max_iter": 20}


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("d_model", 0, "an int in the range [1, 2**63)"),
        ("n_layers", -1, "an int in the range [0, 2**63)"),
        ("n_heads", 0, "an int in the range [1, 2**63)"),
        ("dropout", 1.0, "a float in the range [0.0, 1.0)"),
        ("n_codes", 0, "an int in the range [1, 2**63)"),
        ("class_conditional", "yes", "bool"),
    ],
)
def test_a_parameter_out_of_range_is_named(name, value, accepted, refusal):
    with pytest.raises(ValueError, match=refusal("CausalTransformer", name, value, accepted)):
        CausalTransformer(**SMALL | {name: value}).fit(repeats(50, 8))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_heads": 3}, "d_model=16 must be a multiple of n_heads=3"),
        ({"learning_rate_init": 1e6, "max_iter": 20}, "lower learning_rate_init|learning_rate_init=.*lower (it|them)"),
    ],
)
def test_parameters_that_do_not_go_together_or_diverge_are_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        CausalTransformer(**SMALL | parameters).fit(repeats(50, 8))

import pickle
import random

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skvq import PixelCNN

SMALL = {"channels": 16, "n_layers": 2, "max_iter": 30, "random_state": 0}


@pytest.fixture(scope="module")
def grids():
    """Return 3 × 4 grids: a random first code, each later one repeats it or, one time in ten, moves on by one."""
    rng = np.random.default_rng(0)
    steps = rng.random((600, 12)) < 0.1
    steps[:, 0] = False
    return ((rng.integers(0, 5, (600, 1)) + np.cumsum(steps, axis=1)) % 5).reshape(600, 3, 4)


@pytest.fixture(scope="module")
def model(grids):
    return PixelCNN(**SMALL).fit(grids)


ENTROPY = np.log(5) - 11 * (0.1 * np.log(0.1) + 0.9 * np.log(0.9))  # of the process, in nats per grid


def test_the_likelihood_comes_near_the_entropy_of_a_known_process(model, grids):
    independent = 12 * np.log(5)
    assert -model.score(grids[:200]) < ENTROPY + 0.2 * (independent - ENTROPY)


def test_samples_follow_the_process(model):
    grids = model.sample(2000, random_state=0).reshape(2000, 12)
    moves = (np.diff(grids, axis=1) % 5).ravel()
    assert np.mean(moves == 1) == pytest.approx(0.1, abs=0.04)
    assert np.mean(moves > 1) < 0.05
    np.testing.assert_allclose(np.bincount(grids[:, 0], minlength=5) / 2000, 0.2, atol=0.06)


def test_the_score_is_the_mean_of_the_score_of_the_rows(model, grids):
    scores = model.score_samples(grids[:50])
    assert scores.shape == (50,)
    assert model.score(grids[:50]) == pytest.approx(scores.mean())


def test_probabilities_of_all_grids_sum_to_one():
    rng = np.random.default_rng(0)
    model = PixelCNN(3, grid_shape=(2, 2), **SMALL).fit(rng.integers(0, 3, (50, 4)))
    every = np.stack(np.meshgrid(*[range(3)] * 4), axis=-1).reshape(-1, 4)
    assert np.exp(model.score_samples(every)).sum() == pytest.approx(1.0, abs=1e-5)  # float32 network


@pytest.mark.parametrize(("layout", "out"), [((3, 4), (5, 3, 4)), ((12,), (5, 12))])
def test_samples_have_the_layout_that_fit_saw(grids, layout, out):
    shape = None if layout == (3, 4) else (3, 4)
    model = PixelCNN(grid_shape=shape, **SMALL | {"max_iter": 1}).fit(grids.reshape(-1, *layout))
    assert model.grid_shape_ == (3, 4)
    assert model.sample(5, random_state=0).shape == out
    assert model.sample(5, random_state=0).dtype == np.int32


def test_a_row_is_a_grid_of_one_line(grids):
    assert PixelCNN(**SMALL | {"max_iter": 1}).fit(grids.reshape(-1, 12)).grid_shape_ == (1, 12)


def test_a_row_scores_the_same_alone_and_among_others(model, grids):
    alone = [model.score_samples(grids[i : i + 1])[0] for i in range(3)]
    np.testing.assert_array_equal(model.score_samples(grids[:3]), alone)


def test_equal_seeds_give_equal_samples_and_different_ones_do_not(model):
    first, again, other = (model.sample(20, random_state=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_low_temperature_makes_samples_likelier(model):
    hot, cold = (model.score(model.sample(200, random_state=0, temperature=t)) for t in (1.0, 0.3))
    assert cold > hot


def test_a_copy_through_pickle_and_joblib_scores_the_same_bits(model, grids, tmp_path):
    joblib.dump(model, tmp_path / "model.joblib")
    expected = model.score_samples(grids[:20])
    for copy in (pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "model.joblib")):
        np.testing.assert_array_equal(copy.score_samples(grids[:20]), expected)
        np.testing.assert_array_equal(copy.sample(4, random_state=0), model.sample(4, random_state=0))


def test_the_pickled_state_is_data():
    state = PixelCNN(**SMALL | {"max_iter": 1}).fit([[0, 1], [1, 0], [1, 1]]).__getstate__()

    def kinds(value):
        if isinstance(value, dict):
            return set().union(*map(kinds, value.values())) if value else set()
        if isinstance(value, (list, tuple)):
            return set().union(*map(kinds, value)) if value else set()
        return {type(value)}

    assert kinds(state) <= {np.ndarray, int, float, str, bool, type(None)}


def test_held_out_rows_can_be_given(grids):
    model = PixelCNN(**SMALL | {"max_iter": 2}).fit(grids[:400], X_val=grids[400:])
    assert len(model.validation_loss_curve_) == 2
    assert model.validation_loss_curve_[-1] == pytest.approx(-model.score(grids[400:]) / 12, rel=1e-3)


def test_without_early_stopping_no_row_is_held_out(grids):
    model = PixelCNN(early_stopping=False, **SMALL | {"max_iter": 2}).fit(grids)
    assert model.validation_loss_curve_ == []


def test_a_grid_search_chooses_by_likelihood(grids):
    search = GridSearchCV(PixelCNN(**SMALL), {"max_iter": [1, 20]}, cv=2).fit(grids.reshape(-1, 12))
    assert search.best_params_ == {"max_iter": 20}


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[0.5, 1]], "whole numbers, found 0.5"),
        ([[-1, 1]], "Negative values in data passed to X"),
        ([[0, 7]], r"0 \.\.\. 3 \(n_codes=4\), found 7"),
        ([[0, np.nan]], "NaN"),
        (np.zeros((2, 2, 2, 1), dtype=int), r"grids of codes are \(n, h, w\)"),
        (np.zeros((0, 2), dtype=int), "0 sample"),
    ],
)
def test_what_is_no_grid_of_codes_is_refused(X, message):
    with pytest.raises(ValueError, match=message):
        PixelCNN(4, **SMALL).fit(X)


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("n_codes", 0, ("None", "an int in the range [1, 2**63)")),
        ("channels", 2.0, ("an int in the range [1, 2**63)",)),
        ("n_layers", -1, ("an int in the range [0, 2**63)",)),
        ("kernel_size", 4, ("a positive odd integer",)),
        ("dilations", (), ("a positive integer or a sequence of at least 1 positive integers",)),
        ("dropout", 1.0, ("'auto'", "a float in the range [0.0, 1.0)")),
        ("learning_rate_init", 0.0, ("'auto'", "a float in the range (0.0, 1e+30]")),
        ("early_stopping", "auto", ("bool",)),
        ("precision", "float16", ("'auto'", "'float32'", "'bfloat16'")),
        ("max_iter", 0, ("'auto'", "an int in the range [1, 2**63)")),
        ("validation_fraction", 1.5, ("a float in the range (0.0, 1.0)",)),
    ],
)
def test_a_parameter_out_of_range_is_named(name, value, accepted, grids, refusal):
    with pytest.raises(ValueError, match=refusal("PixelCNN", name, value, *accepted)):
        PixelCNN(**SMALL | {name: value}).fit(grids.reshape(-1, 12))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"grid_shape": (3, 3)}, "9 values a row"),
        ({"grid_shape": (3, 2, 2)}, "grid_shape"),
        ({"device": "tpu"}, "device='tpu'"),
        ({"device": "cuda:77"}, "not available on this machine"),
    ],
)
def test_a_grid_or_device_that_does_not_fit_is_named(parameters, message, grids):
    with pytest.raises(ValueError, match=message):
        PixelCNN(**SMALL | parameters).fit(grids.reshape(-1, 12))


def test_fit_leaves_parameters_and_global_generators_alone(grids):
    model = PixelCNN(**SMALL | {"max_iter": 1, "dropout": 0.3})
    expected = clone(model).get_params()
    before = torch.random.get_rng_state(), np.random.get_state(legacy=False), random.getstate()  # noqa: NPY002
    model.fit(grids).sample(3, random_state=0)
    assert model.get_params() == expected
    assert torch.equal(before[0], torch.random.get_rng_state())
    np.testing.assert_equal(np.random.get_state(legacy=False), before[1])  # noqa: NPY002
    assert random.getstate() == before[2]

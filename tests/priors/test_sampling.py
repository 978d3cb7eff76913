"""Completion and cut draws of the estimator; the draws themselves are compared with enumeration in tests/nn."""

import itertools

import numpy as np
import pytest

from skvq import PixelCNN

SMALL = {"channels": 8, "n_layers": 1, "max_iter": 10, "random_state": 0}


@pytest.fixture(scope="module")
def model():
    """Return a model of 2 × 3 grids of 3 codes that depend on each other."""
    rng = np.random.default_rng(0)
    grids = rng.integers(0, 3, (300, 2, 3))
    grids[:, 1] = (grids[:, 0] + (rng.random((300, 3)) < 0.2)) % 3
    return PixelCNN(**SMALL).fit(grids)


def test_known_codes_are_kept_and_unknown_ones_may_be_anything(model):
    rng = np.random.default_rng(1)
    given, mask = rng.integers(0, 3, (40, 2, 3)).astype(float), rng.random((40, 2, 3)) < 0.5
    given[~mask] = np.nan
    codes = model.sample(40, given=given, mask=mask, random_state=0)
    np.testing.assert_array_equal(codes[mask], given[mask])
    assert codes.dtype == np.int32
    assert set(np.unique(codes)) == {0, 1, 2}


def test_nothing_known_is_a_plain_draw_and_everything_known_is_returned(model):
    plain = model.sample(30, random_state=3)
    nothing = model.sample(30, random_state=3, given=np.zeros((2, 3), int), mask=np.zeros((2, 3), bool))
    np.testing.assert_array_equal(nothing, plain)
    everything = model.sample(30, random_state=4, given=plain, mask=np.ones((2, 3), bool))
    np.testing.assert_array_equal(everything, plain)


def test_completions_of_a_known_first_row_follow_the_exact_conditional(model):
    every = np.array(list(itertools.product(range(3), repeat=6))).reshape(-1, 2, 3)
    p = np.exp(model.score_samples(every))
    assert p.sum() == pytest.approx(1, abs=1e-5)  # float32 network
    first = np.array([2, 0, 1])
    agrees = (every[:, 0] == first).all(axis=1)
    expected = p[agrees] / p[agrees].sum()  # of the 27 second rows, in order
    n = 20_000
    codes = model.sample(n, random_state=0, given=[first, [0, 0, 0]], mask=[[True] * 3, [False] * 3])
    counts = np.bincount(codes[:, 1] @ [9, 3, 1], minlength=27)
    assert (np.abs(counts - n * expected) / (np.sqrt(n * expected) + 1)).max() < 5  # standard deviations


def test_among_enough_candidates_completions_of_a_known_last_row_follow_the_exact_conditional(model):
    every = np.array(list(itertools.product(range(3), repeat=6))).reshape(-1, 2, 3)
    p, last = np.exp(model.score_samples(every)), np.array([2, 0, 1])
    agrees = (every[:, 1] == last).all(axis=1)
    expected = p[agrees] / p[agrees].sum()  # of the 27 first rows, in order
    mask = [[False] * 3, [True] * 3]
    distances = []
    for n_candidates in (1, 100):
        codes = model.sample(3_000, random_state=0, given=[[0, 0, 0], last], mask=mask, n_candidates=n_candidates)
        np.testing.assert_array_equal(codes[:, 1], np.tile(last, (3_000, 1)))
        share = np.bincount(codes[:, 0] @ [9, 3, 1], minlength=27) / 3_000
        distances.append(0.5 * np.abs(share - expected).sum())  # total variation
    assert distances[0] > 0.3
    # 3,000 exact draws of 27 outcomes are 0.03 away; the best of 100 candidates is biased a little more
    assert distances[1] < 0.06


@pytest.mark.parametrize("layout", [(2, 3), (6,), (1, 2, 3), (1, 6)])
def test_one_grid_is_completed_as_often_as_asked_in_any_layout(model, layout):
    given, mask = np.array([1, 2, 0, 1, 1, 1]), np.array([True, False, True, False, False, True])
    expected = model.sample(5, random_state=0, given=np.tile(given, (5, 1)), mask=np.tile(mask, (5, 1)))
    codes = model.sample(5, random_state=0, given=given.reshape(layout), mask=mask.reshape(layout))
    np.testing.assert_array_equal(codes, expected)
    assert codes.shape == (5, 2, 3)


def test_the_likeliest_codes_alone_need_no_random_state(model):
    codes = model.sample(4, top_k=1)
    np.testing.assert_array_equal(codes, np.broadcast_to(codes[0], codes.shape))
    np.testing.assert_array_equal(codes, model.sample(4, top_p=1e-6))


def test_a_smaller_nucleus_makes_samples_likelier(model):
    scores = [model.score(model.sample(300, random_state=0, top_p=p)) for p in (None, 0.8, 0.3)]
    assert scores == sorted(scores)
    assert scores[0] < scores[-1]


def test_batches_change_nothing_and_are_reported(model, monkeypatch, capsys):
    mask, given = np.array([[True, False, False], [False, True, False]]), np.ones((50, 2, 3), int)
    expected = model.sample(50, random_state=0, given=given, mask=mask)
    monkeypatch.setattr("skvq.priors.defaults.SAMPLE_BATCH", 7)
    np.testing.assert_array_equal(model.sample(50, random_state=0, given=given, mask=mask), expected)
    assert capsys.readouterr().out == ""
    model.set_params(verbose=2).sample(50)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8
    assert lines[0].startswith("[PixelCNN] 7/50 grids drawn")
    model.set_params(verbose=1).sample(700)
    lines = capsys.readouterr().out.splitlines()
    assert 15 < len(lines) < 25
    assert lines[-1].startswith("[PixelCNN] 700/700 grids drawn")
    model.set_params(verbose=0)


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("n_samples", 0, "an int in the range [1, 2**63)"),
        ("temperature", 0.0, "a float in the range (0.0, inf)"),
        ("top_k", 0, "None or an int in the range [1, 2**63)"),
        ("top_k", 2.5, "None or an int in the range [1, 2**63)"),
        ("top_p", 0.0, "None or a float in the range (0.0, 1.0]"),
        ("top_p", 1.5, "None or a float in the range (0.0, 1.0]"),
        ("n_candidates", True, "an int in the range [1, 2**63)"),
    ],
)
def test_an_argument_out_of_range_is_named(model, name, value, accepted, refusal):
    with pytest.raises(ValueError, match=refusal("PixelCNN.sample", name, value, accepted)):
        model.sample(**{name: value})


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"y": 1}, ValueError, "class_conditional=False"),
        ({"given": np.zeros((2, 3))}, ValueError, "given and mask go together"),
        ({"mask": np.zeros((2, 3), bool)}, ValueError, "given and mask go together"),
        ({"given": np.zeros((2, 3)), "mask": np.zeros((2, 3))}, TypeError, "mask has dtype float64"),
        ({"given": np.zeros((3, 2)), "mask": np.zeros((2, 3), bool)}, ValueError, r"given has shape \(3, 2\)"),
        ({"given": np.zeros((5, 2, 3)), "mask": np.zeros((2, 3), bool)}, ValueError, "each of the n_samples=1"),
        ({"given": np.full((2, 3), 7), "mask": np.ones((2, 3), bool)}, ValueError, r"0 \.\.\. 2 .*, found 7"),
        ({"given": np.full((2, 3), 0.5), "mask": np.ones((2, 3), bool)}, ValueError, "whole numbers, found 0.5"),
        ({"given": np.full((2, 3), "a"), "mask": np.ones((2, 3), bool)}, ValueError, "given has dtype <U1"),
    ],
)
def test_arguments_that_do_not_fit_the_model_or_each_other_are_named(model, arguments, error, message):
    with pytest.raises(error, match=message):
        model.sample(**arguments)


def test_dilations_are_parameters_and_are_checked():
    grids = np.random.default_rng(0).integers(0, 2, (40, 10, 9))
    model = PixelCNN(**SMALL | {"n_layers": 3, "dilations": (1, 4), "max_iter": 1}).fit(grids)
    assert model.architecture_["dilations"] == [1, 4]
    assert model.sample(2, random_state=0).shape == (2, 10, 9)
    assert PixelCNN(**SMALL | {"dilations": 2, "max_iter": 1}).fit(grids).architecture_["dilations"] == [2]
    for wrong in (0, (), (1, -1)):
        with pytest.raises(ValueError, match="dilations"):
            PixelCNN(**SMALL | {"dilations": wrong}).fit(grids)


def test_candidates_of_every_class_complete_a_grid_whose_class_is_not_given():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 2_000)
    rows = np.stack([np.where(rng.random(2_000) < 0.9, y, 1 - y) for _ in range(2)], axis=1)
    model = PixelCNN(**SMALL | {"class_conditional": True, "dropout": 0, "max_iter": 30}).fit(rows, y)
    every = np.array([[0, 1], [1, 1]])
    p = np.exp(model.score_samples(every))
    drawn = model.sample(4_000, given=[0, 1], mask=[False, True], n_candidates=32, random_state=0)
    assert drawn[:, 0].mean() == pytest.approx(p[1] / p.sum(), abs=0.04)  # five standard deviations of 4,000 draws
    of_one = model.sample(4_000, y=0, given=[0, 1], mask=[False, True], n_candidates=32, random_state=0)
    p = np.exp(model.score_samples(every, [0, 0]))
    assert of_one[:, 0].mean() == pytest.approx(p[1] / p.sum(), abs=0.04)

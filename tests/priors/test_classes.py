"""The class-conditional PixelCNN: log p(codes | class), and what follows from it."""

import itertools
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skvq import CausalTransformer, HierarchicalPixelCNN, PixelCNN
from skvq.priors.classes import class_gains, warn_of_useless_classes

SMALL = {"channels": 8, "n_layers": 1, "max_iter": 30, "dropout": 0, "learning_rate_init": 0.01, "random_state": 0}


def stripes(n, seed):
    """Return 2 × 2 grids of 3 codes and their labels: "flat" repeats one code nine times in ten, "mixed" is random."""
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random(n) < 0.25, "flat", "mixed")
    repeated = (labels == "flat")[:, None] & (rng.random((n, 4)) < 0.9)
    return np.where(repeated, rng.integers(0, 3, (n, 1)), rng.integers(0, 3, (n, 4))).reshape(n, 2, 2), labels


@pytest.fixture(scope="module")
def model():
    return PixelCNN(class_conditional=True, **SMALL).fit(*stripes(2000, 0))


EVERY = np.array(list(itertools.product(range(3), repeat=4))).reshape(-1, 2, 2)


def test_probabilities_of_all_grids_sum_to_one_in_each_class_and_over_the_classes(model):
    flat, mixed = (model.score_samples(EVERY, label) for label in ("flat", "mixed"))
    for log_p in (flat, mixed, model.score_samples(EVERY)):
        assert np.exp(log_p).sum() == pytest.approx(1, abs=1e-5)  # float32 network
    np.testing.assert_array_equal(model.classes_, ["flat", "mixed"])
    share = np.mean(stripes(2000, 0)[1] == "flat")
    np.testing.assert_allclose(model.class_prior_, [share, 1 - share])
    expected = logsumexp([flat + np.log(share), mixed + np.log(1 - share)], axis=0)
    np.testing.assert_allclose(model.score_samples(EVERY), expected, atol=1e-6)
    assert np.abs(flat - mixed).max() > 1


def test_a_label_per_row_scores_each_row_by_its_class(model):
    X, y = stripes(40, 1)
    expected = np.where(y == "flat", model.score_samples(X, "flat"), model.score_samples(X, "mixed"))
    np.testing.assert_allclose(model.score_samples(X, y), expected, atol=1e-6)
    assert model.score(X, y) == pytest.approx(expected.mean())
    assert model.score(X) == pytest.approx(model.score_samples(X).mean())


def test_the_class_is_learned(model):
    X, y = stripes(500, 2)
    likelier = model.score_samples(X, "flat") + np.log(0.25) > model.score_samples(X, "mixed") + np.log(0.75)
    flat = (X.reshape(500, 4) == X[:, :1, 0]).all(axis=1)
    assert np.mean(likelier == flat) > 0.95
    unconditional = PixelCNN(**SMALL).fit(*stripes(2000, 0))
    assert model.score(X, y) > unconditional.score(X) + 0.1  # the label tells 0.25 nats or so of a grid


def check_frequencies(grids, p):
    """Check counts of sampled 2 × 2 grids against the probabilities (81,) of EVERY, in standard deviations."""
    counts = np.bincount(grids.reshape(-1, 4) @ [27, 9, 3, 1], minlength=81)
    expected = len(grids) * p
    assert (np.abs(counts - expected) / (np.sqrt(expected) + 1)).max() < 5


def test_samples_follow_the_class_asked_for_or_all_by_their_frequencies(model):
    n = 8000
    check_frequencies(model.sample(n, random_state=0, y="flat"), np.exp(model.score_samples(EVERY, "flat")))
    check_frequencies(model.sample(n, random_state=0), np.exp(model.score_samples(EVERY)))
    y = np.tile(["mixed", "flat"], n // 2)
    mixture = model.sample(n, random_state=0, y=y)
    check_frequencies(mixture[::2], np.exp(model.score_samples(EVERY, "mixed")))
    check_frequencies(mixture[1::2], np.exp(model.score_samples(EVERY, "flat")))


def test_a_completion_of_a_known_beginning_draws_the_class_that_it_speaks_for(model):
    known = np.array([[True, True], [True, False]])
    given = np.array([[1, 1], [1, 0]])
    p = np.exp(model.score_samples(EVERY))
    p = np.where((EVERY[:, known] == given[known]).all(axis=1), p, 0)
    codes = model.sample(8000, random_state=0, given=given, mask=known)
    check_frequencies(codes, p / p.sum())
    flat, mixed = (model.sample(8000, random_state=0, y=y, given=given, mask=known)[:, 1, 1] for y in model.classes_)
    assert np.mean(flat == 1) > np.mean(codes[:, 1, 1] == 1) > np.mean(mixed == 1)


@pytest.mark.parametrize("options", [{}, {"y": "flat"}, {"given": [1, 1, 0, 0], "mask": [True, True, False, False]}])
def test_equal_seeds_give_equal_samples_and_the_first_do_not_depend_on_their_number(model, options):
    codes = model.sample(60, random_state=1, **options)
    np.testing.assert_array_equal(codes, model.sample(60, random_state=1, **options))
    np.testing.assert_array_equal(codes[:7], model.sample(7, random_state=1, **options))
    assert not np.array_equal(codes, model.sample(60, random_state=2, **options))


def test_a_copy_through_pickle_and_joblib_is_the_same_model(model, tmp_path):
    joblib.dump(model, tmp_path / "model.joblib")
    X, y = stripes(20, 3)
    for copy in (pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "model.joblib")):
        np.testing.assert_array_equal(copy.score_samples(X, y), model.score_samples(X, y))
        np.testing.assert_array_equal(copy.score_samples(X), model.score_samples(X))
        np.testing.assert_array_equal(copy.sample(9, random_state=0), model.sample(9, random_state=0))


QUICK = SMALL | {"max_iter": 1}


@pytest.mark.parametrize(
    "labels",
    [
        np.array([3, -1]),
        np.array([True, False]),
        np.array(["x", "yy"], dtype=object),
        np.array([1.0, 2.0]),
        np.array(["2020-01-01", "2021-01-01"], dtype="datetime64[D]"),
    ],
    ids=lambda labels: str(labels.dtype),
)
def test_labels_are_of_any_type(labels):
    X, y = stripes(30, 4)
    y = labels[(y == "flat").astype(int)]
    for given in (y, list(y), pd.Series(y)):
        model = PixelCNN(class_conditional=True, **QUICK).fit(X, given)
        np.testing.assert_array_equal(model.classes_, np.sort(labels))
        assert model.sample(3, y=labels[0]).shape == (3, 2, 2)
        assert np.isfinite(model.score_samples(X, given)).all()


@pytest.mark.parametrize(("layout", "shape"), [((30, 4), None), ((30, 4), (2, 2)), ((30, 2, 2), None)])
def test_grids_come_in_every_layout_and_small_types(layout, shape):
    X, y = stripes(30, 5)
    model = PixelCNN(class_conditional=True, grid_shape=shape, **QUICK).fit(X.reshape(layout).astype(np.uint8), y)
    assert model.sample(5, y="flat").shape == (5, *layout[1:])


def test_more_classes_than_a_small_type_of_codes_holds():
    X = np.random.default_rng(0).integers(0, 2, (600, 3), dtype=np.uint8)
    model = PixelCNN(class_conditional=True, **QUICK).fit(X, np.arange(600) % 300)
    assert len(model.classes_) == 300
    assert np.isfinite(model.score_samples(X[:5], [299, 0, 255, 256, 1])).all()


def test_held_out_rows_come_with_their_labels():
    X, y = stripes(200, 6)
    model = PixelCNN(class_conditional=True, early_stopping=False, **QUICK)
    model.fit(X[:150], y[:150], X_val=X[150:], y_val=y[150:])
    assert model.validation_loss_curve_[-1] == pytest.approx(-model.score(X[150:], y[150:]) / 4, rel=1e-3)
    with pytest.raises(ValueError, match="X_val and y_val must be passed together"):
        PixelCNN(class_conditional=True, **QUICK).fit(X, y, X_val=X)
    with pytest.raises(ValueError, match="label 'new'"):
        PixelCNN(class_conditional=True, **QUICK).fit(X, y, X_val=X[:1], y_val=["new"])


def test_a_grid_search_scores_the_rows_by_their_labels():
    X, y = stripes(200, 7)
    search = GridSearchCV(PixelCNN(class_conditional=True, **SMALL), {"max_iter": [1, 20]}, cv=2).fit(X, y)
    assert search.best_params_ == {"max_iter": 20}
    assert search.score(X, y) == pytest.approx(search.best_estimator_.score_samples(X, y).mean())


def test_a_model_of_all_rows_ignores_labels_in_fit_and_forgets_classes():
    X, y = stripes(30, 8)
    model = PixelCNN(class_conditional=True, **QUICK).fit(X, y).set_params(class_conditional=False).fit(X, y)
    assert not hasattr(model, "classes_")
    assert model.score(X, y) == model.score(X)
    with pytest.raises(ValueError, match="class_conditional=False"):
        model.score_samples(X, y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed"),
        (["a", "b"], "inconsistent numbers of samples"),
        (np.zeros((30, 2)), "1d array"),
        (np.full(30, np.nan), "contains NaN"),
        ([None] * 30, "contains NaN or None"),
        (np.full(30, np.inf), "contains infinity"),
        (pd.Series([pd.NA, 1] * 15, dtype="Int64"), "NaN"),
        (np.array(["a", 1] * 15, dtype=object), "mixed types"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        PixelCNN(class_conditional=True, **QUICK).fit(stripes(30, 9)[0], y)


def test_a_class_for_nearly_every_row_draws_a_warning():
    X, _ = stripes(30, 9)
    with pytest.warns(UserWarning, match="30 different labels for 30 rows"):
        PixelCNN(class_conditional=True, **QUICK).fit(X, np.arange(30))


def test_labels_that_the_model_does_not_know_are_named(model):
    X, _ = stripes(3, 10)
    with pytest.raises(ValueError, match="the label 'other', which is none of the classes of fit"):
        model.score_samples(X, ["flat", "mixed", "other"])
    with pytest.raises(ValueError, match="holds 2 labels; it must be one label, or 5"):
        model.sample(5, y=["flat", "mixed"])


def test_the_class_choice_is_checked(refusal):
    with pytest.raises(ValueError, match=refusal("PixelCNN", "class_conditional", "yes", "bool")):
        PixelCNN(class_conditional="yes", **QUICK).fit(*stripes(30, 11))


def test_the_class_is_learned_without_a_gated_layer():
    X = np.random.default_rng(0).integers(0, 2, (200, 3))
    model = PixelCNN(class_conditional=True, **SMALL | {"n_layers": 0}).fit(X, X[:, 1])
    assert (model.sample(100, y=1, random_state=0)[:, 1] == 1).mean() > 0.9
    assert (model.sample(100, y=0, random_state=0)[:, 1] == 0).mean() > 0.9


def rows_of_classes(n, n_codes, seed):
    """Return rows of two codes, the first of which tells two classes apart seven times in ten, and their labels."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    first = np.where(rng.random(n) < 0.7, y, 1 - y) * (n_codes // 2) + rng.integers(0, n_codes // 2, n)
    return np.column_stack([first, rng.integers(0, n_codes, n)]), y


@pytest.mark.parametrize(
    "prior", [PixelCNN(), CausalTransformer(), HierarchicalPixelCNN(((1, 1), (1, 1)))], ids=lambda p: type(p).__name__
)
def test_few_rows_of_many_codes_use_their_classes(prior):
    prior = clone(prior).set_params(class_conditional=True, random_state=0)
    X, y = rows_of_classes(500, 32, 0)
    prior.fit(X, y)
    X, y = rows_of_classes(500, 32, 1)
    difference = prior.score_samples(X, y) - prior.score_samples(X, 1 - y)
    assert difference.mean() > 0.15  # 0.34 by the true probabilities
    drawn = [prior.sample(2000, y=label, random_state=0)[:, 0] >= 16 for label in (0, 1)]
    assert np.mean(drawn[1]) - np.mean(drawn[0]) > 0.2  # 0.4 in the rows


def test_a_warning_tells_of_shuffled_labels_and_not_of_real_ones():
    X, y = rows_of_classes(500, 8, 0)
    X[:, 0] = 4 * y + X[:, 0] % 4  # the first code tells the class for sure
    model = PixelCNN(class_conditional=True, channels=16, n_layers=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, y)
    shuffled = np.random.default_rng(1).permutation(y)
    with pytest.warns(
        UserWarning, match="cannot be told from chance.*50 held-out rows.*may be alike.*label a column"
    ) as caught:
        model.fit(X, shuffled)
    assert len(caught) == 1
    with pytest.warns(UserWarning, match="450 training rows"):
        model.set_params(early_stopping=False, max_iter=1).fit(X[:450], shuffled[:450])


def test_the_gain_by_classes_is_that_of_the_classes_by_the_codes():
    rng = np.random.default_rng(0)
    log_likelihoods, classes, prior = rng.normal(size=(20, 3)), rng.integers(0, 3, 20), np.array([0.2, 0.3, 0.5])
    joint = np.exp(log_likelihoods) * prior
    posterior = joint / joint.sum(axis=1, keepdims=True)
    expected = np.log(posterior[np.arange(20), classes] / prior[classes])
    np.testing.assert_allclose(class_gains(log_likelihoods, classes, prior), expected)


def test_the_warning_of_useless_classes_does_not_contradict_itself():
    gains = np.array([0.05, 0.06, 0.07])
    with pytest.warns(
        UserWarning,
        match=r"is \+0.060 ± 0.006 nats a row higher; "
        "on rows that were fitted, classes drawn by chance would gain 0.200",
    ):
        warn_of_useless_classes("PixelCNN", gains, "training", optimism=0.2)
    with pytest.warns(UserWarning, match=r"cannot be told from chance.* is -0.060 ± 0.006 nats a row higher\. Draws"):
        warn_of_useless_classes("PixelCNN", -gains, "held-out")


@pytest.mark.parametrize("form", [pd.array, pd.Series])
def test_nullable_integers_of_pandas_are_integers_as_classes(form):
    y = form([1, 2] * 15, dtype="Int64")
    model = PixelCNN(class_conditional=True, **QUICK).fit(np.random.default_rng(0).integers(0, 3, (30, 4)), y)
    assert model.classes_.dtype.kind == "i"
    assert list(model.classes_) == [1, 2]

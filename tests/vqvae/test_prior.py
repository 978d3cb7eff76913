"""The prior over codes: what an estimator is told of the codes, and what it is asked for."""

import re

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator
from sklearn.datasets import load_digits
from sklearn.mixture import GaussianMixture

from skvq import CausalTransformer, HierarchicalPixelCNN, OrderlessNADE, PixelCNN, ResidualCodes, VQVAETransformer
from skvq.core.callbacks import FitTask
from skvq.training.loop import Loop
from skvq.vqvae.prior import CodePrior, check_prior, given_options, takes_classes
from skvq.vqvae.specs import CodebookSpec, ResidualSpec, TwoGridSpec, VectorSpec

CODEBOOK = CodebookSpec("ema", "euclidean", "straight_through", 0.99, 0.1, follow_rate=0.1)
GRID = {"n_codes": 5, "code_dim": 4, "shared_codebook": True, "codebook": CODEBOOK}
VECTOR = VectorSpec((2, 3), 6, **GRID, search_dim=None)
RESIDUAL = ResidualSpec((2, 3), 6, **GRID, codes_per_position=2, beam_size=1)
TWO_GRIDS = TwoGridSpec((4, 4), 16, **GRID, coarse_grid=(2, 2))
SPEC = VectorSpec((2, 2), 4, 4, 4, True, CODEBOOK, None)
X = np.arange(12.0).reshape(6, 2)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("prior", "spec", "kind", "grid_shape"),
    [
        ("pixelcnn", VECTOR, PixelCNN, (2, 3)),
        ("transformer", VECTOR, CausalTransformer, (2, 3)),
        ("pixelcnn", RESIDUAL, PixelCNN, (2, 6)),
        ("transformer", TWO_GRIDS, CausalTransformer, (1, 20)),
    ],
)
def test_priors_go_by_their_names_and_are_told_the_codes(prior, spec, kind, grid_shape):
    estimator = CodePrior.new(prior, spec, generator(), device="cpu", verbose=2).estimator
    assert type(estimator) is kind
    assert estimator.get_params().items() >= {"n_codes": 5, "grid_shape": grid_shape, "verbose": 2}.items()
    assert isinstance(estimator.random_state, int)


def test_the_pixelcnn_of_two_grids_is_hierarchical():
    estimator = CodePrior.new("pixelcnn", TWO_GRIDS, generator()).estimator
    assert type(estimator) is HierarchicalPixelCNN
    assert estimator.grid_shapes == ((2, 2), (4, 4))
    assert estimator.n_codes == 5


def test_an_estimator_is_cloned_and_keeps_what_it_was_given():
    given = PixelCNN(n_codes=9, channels=7, random_state=3, device="cpu", verbose=1)
    estimator = CodePrior.new(given, VECTOR, generator(), device="mps", verbose=0).estimator
    assert estimator is not given
    assert given.grid_shape is None
    expected = {"n_codes": 9, "channels": 7, "random_state": 3, "grid_shape": (2, 3), "device": "cpu", "verbose": 1}
    assert estimator.get_params().items() >= expected.items()


class Recorder(BaseEstimator):
    """A density estimator that remembers what it was asked."""

    def __init__(self, class_conditional=False, draw=1):
        self.class_conditional = class_conditional
        self.draw = draw

    def fit(self, codes, y=None):
        self.asked_ = {"codes": codes, "y": y}
        return self

    def sample(self, n_samples, random_state=None, top_k=None):
        self.asked_ = {"random_state": random_state, "top_k": top_k}
        return np.full((n_samples, 6), self.draw)

    def score_samples(self, codes, y="nothing"):
        self.asked_ = {"y": y}
        return np.zeros(len(codes))


class Validated(Recorder):
    def fit(self, codes, y=None, *, X_val=None, y_val=None):
        self.asked_ = {"codes": codes, "y": y, "X_val": X_val, "y_val": y_val}
        return self


class Told(Recorder):
    def fit(self, codes, y=None, *, codebook=None):
        self.asked_ = {"codebook": codebook}
        return self


CODES, LABELS = np.arange(18).reshape(3, 6) % 5, ["a", "b", "a"]
CODEBOOK = np.ones((5, 3))


def fitted(kind, *, held_out, class_conditional):
    estimator = kind(class_conditional)
    task = FitTask(estimator, CODES)
    assert CodePrior(estimator, VECTOR).fit(CODES, LABELS, held_out, ["b"], CODEBOOK, task) is estimator
    return estimator.asked_


def test_classes_and_held_out_codes_go_to_estimators_that_take_them():
    held_out = CODES[:1]
    asked = fitted(Recorder, held_out=held_out, class_conditional=False)
    assert asked["codes"] is CODES
    assert asked["y"] is None
    assert fitted(Recorder, held_out=held_out, class_conditional=True)["y"] is LABELS
    asked = fitted(Validated, held_out=held_out, class_conditional=False)
    assert asked["X_val"] is held_out
    assert (asked["y"], asked["y_val"]) == (None, None)
    asked = fitted(Validated, held_out=held_out, class_conditional=True)
    assert (asked["y"], asked["y_val"]) == (LABELS, ["b"])
    asked = fitted(Validated, held_out=None, class_conditional=True)
    assert (asked["X_val"], asked["y_val"]) == (None, None)


def test_the_vectors_of_the_codes_go_to_estimators_that_take_them():
    assert fitted(Told, held_out=None, class_conditional=False)["codebook"] is CODEBOOK
    residual, books = CodePrior(Told(), RESIDUAL), np.ones((RESIDUAL.stages, 5, 3))
    residual.fit(CODES, None, None, None, books, FitTask(residual.estimator, CODES))
    assert residual.estimator.asked_["codebook"].shape == (1, RESIDUAL.stages, 5, 3)
    two_grids = CodePrior(Told(), TWO_GRIDS)
    two_grids.fit(CODES, None, None, None, CODEBOOK, FitTask(two_grids.estimator, CODES))
    assert two_grids.estimator.asked_["codebook"] is None  # it cannot know which of two grids has which


def test_only_options_that_were_given_reach_the_estimator():
    assert given_options(temperature=1.0, top_k=None, top_p=None, y=None) == {}
    assert given_options(temperature=0.5, top_k=3, y=0) == {"temperature": 0.5, "top_k": 3, "y": 0}
    estimator = Recorder().fit(CODES)
    prior = CodePrior(estimator, VECTOR)
    prior.sample(2, random_state=7, temperature=1.0, top_k=None, top_p=None, y=None)
    assert estimator.asked_ == {"random_state": 7, "top_k": None}
    prior.sample(2, random_state=7, top_k=3)
    assert estimator.asked_ == {"random_state": 7, "top_k": 3}
    with pytest.raises(TypeError, match="temperature"):
        prior.sample(2, random_state=7, temperature=0.5)
    prior.score_samples(CODES)
    assert estimator.asked_ == {"y": "nothing"}
    prior.score_samples(CODES, LABELS)
    assert estimator.asked_ == {"y": LABELS}


@pytest.mark.parametrize(
    ("draw", "message"), [(5, r"0 \.\.\. 4 .*, found 5"), (-1, "found -1"), (0.5, "whole numbers, found 0.5")]
)
def test_draws_that_are_no_codes_are_refused(draw, message):
    with pytest.raises(ValueError, match=message):
        CodePrior(Recorder(draw=draw), VECTOR).sample(3, random_state=0)


def test_draws_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"drew an array of shape \(3, 6\); it must be \(3, 12\)"):
        CodePrior(Recorder(), RESIDUAL).sample(3, random_state=0)


def test_a_prior_that_keeps_nothing_cannot_complete():
    with pytest.raises(TypeError, match="must take given, mask and n_candidates to complete rows: Recorder"):
        CodePrior(Recorder(), VECTOR).complete(CODES, CODES > 2, random_state=0, n_candidates=2)


def test_a_prior_is_checked_before_anything_is_trained():
    check_prior("pixelcnn", SPEC, X, None, None, None)
    check_prior(Recorder(), SPEC, X, None, None, None)
    check_prior(Recorder(class_conditional=True), SPEC, X, ["a"] * 6, None, None)
    for arguments, message in (
        ((PixelCNN(channels=0), SPEC, X, None, None, None), "The 'channels' parameter of PixelCNN must be"),
        ((Recorder(True), SPEC, X, None, None, None), "requires y, but y is None"),
        ((Recorder(True), SPEC, X, ["a"] * 5, None, None), "inconsistent numbers of samples"),
        ((Recorder(True), SPEC, X, ["a"] * 6, X, None), "X_val and y_val must be passed together"),
        ((Recorder(True), SPEC, X, ["a"] * 6, None, ["a"]), "X_val and y_val must be passed together"),
        ((Recorder(True), SPEC, X, ["a"] * 6, X[:2], ["a"]), "inconsistent numbers of samples"),
        ((Recorder(True), SPEC, X, ["a"] * 6, X[:1], ["b"]), "none of the classes"),
    ):
        with pytest.raises(ValueError, match=message):
            check_prior(*arguments)
    assert [takes_classes(prior) for prior in (None, "pixelcnn", PixelCNN(), Recorder(True))] == [False] * 3 + [True]


def test_a_named_prior_follows_the_device_of_its_estimator_and_an_instance_keeps_its_own():
    images = load_digits().images[:40]
    options = {"n_codes": 4, "code_shape": (2, 2), "channels": 8, "n_blocks": 0, "max_iter": 1, "random_state": 0}
    prior = PixelCNN(channels=4, n_layers=1, max_iter=1)
    model = VQVAETransformer(prior=prior, quantizer=ResidualCodes(), **options).fit(images)
    assert model.prior_.grid_shape == (2, 4)
    model.set_params(device="auto").prior_.set_params(device="cpu")
    assert model.sample(2, random_state=0).shape == (2, 8, 8)
    assert model.prior_.device == "cpu"
    model.set_params(prior="pixelcnn").sample(2, random_state=0)
    assert model.prior_.device == "auto"


WRONG_PRIORS = {
    "a class": (PixelCNN, TypeError, r"prior=PixelCNN is a class; pass an instance, prior=PixelCNN\(\)"),
    "other grids": (PixelCNN(grid_shape=(3, 3)), ValueError, "grid_shape=.* a row has 4 codes; leave grid_shape"),
    "too few codes": (
        PixelCNN(n_codes=2),
        ValueError,
        "n_codes=2, but the codebooks have up to 4 codes; leave",
    ),
    "a model of two grids": (HierarchicalPixelCNN(), ValueError, "for codes on two grids; pass code_shape="),
    "no seed": (GaussianMixture(), TypeError, "its sample takes no random_state"),
    "an absent device": (PixelCNN(device="cuda:99"), ValueError, "device='cuda:99' is not available"),
}


@pytest.mark.parametrize(("prior", "error", "message"), WRONG_PRIORS.values(), ids=WRONG_PRIORS.keys())
def test_a_prior_that_cannot_be_fitted_is_refused_before_the_autoencoder_is_trained(prior, error, message, monkeypatch):
    monkeypatch.setattr(Loop, "run", lambda loop: pytest.fail("something was trained"))
    with pytest.raises(error, match=message):
        VQVAETransformer(4, (2, 2), prior=prior).fit(load_digits().images[:40])


@pytest.mark.parametrize("kind", [PixelCNN, CausalTransformer])
@pytest.mark.parametrize("shape", [(2, 2, 1), (2.0, 2), (-2, -2), "ab", 4, (True, 4), (4, 1), {"h": 2}])
def test_a_wrong_grid_of_a_prior_is_named_before_the_autoencoder_is_trained(kind, shape, monkeypatch):
    monkeypatch.setattr(Loop, "run", lambda loop: pytest.fail("something was trained"))
    prior = kind(grid_shape=shape)
    with pytest.raises(ValueError, match=f"grid_shape={re.escape(repr(shape))}"):
        VQVAETransformer(4, (2, 2), prior=prior).fit(load_digits().images[:40])


@pytest.mark.parametrize("shape", [(2, 2), [2, 2], (1, 4)])
def test_a_prior_may_have_the_grid_of_the_codes_or_one_row_of_them(shape):
    prior = PixelCNN(grid_shape=shape, channels=4, n_layers=1, max_iter=1)
    model = VQVAETransformer(4, (2, 2), channels=8, n_blocks=0, max_iter=1, prior=prior).fit(load_digits().images[:40])
    assert model.prior_.grid_shape_ == tuple(shape)


@pytest.mark.parametrize(
    "kind", [PixelCNN, CausalTransformer, OrderlessNADE], ids=["PixelCNN", "CausalTransformer", "OrderlessNADE"]
)
@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("nowhere/a.ck", FileNotFoundError, "there is no folder"),
        ("", ValueError, "is empty"),
        (".", IsADirectoryError, "is a folder"),
        ("words", ValueError, "no checkpoint that can be read"),
        ("of_vqvae", ValueError, "is that of the VQVAETransformer too"),
    ],
)
def test_a_wrong_checkpoint_of_a_prior_is_named_before_the_autoencoder_is_trained(
    kind, path, error, message, monkeypatch, tmp_path
):
    monkeypatch.setattr(Loop, "run", lambda loop: pytest.fail("something was trained"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words").write_text("words")
    model = VQVAETransformer(4, prior=kind(checkpoint=path), checkpoint=tmp_path / "of_vqvae")
    with pytest.raises(error, match=f"prior: checkpoint=.*{path}.*{message}"):
        model.fit(X)


def test_an_instance_for_two_grids_is_told_of_them_like_the_prior_of_that_name():
    options = {"n_codes": 4, "code_shape": ((2, 2), (3, 3)), "channels": 8, "n_blocks": 0, "max_iter": 1}
    images = load_digits().images[:40]
    named, instance = (
        VQVAETransformer(**options, random_state=0, prior=prior).fit(images)
        for prior in ("pixelcnn", HierarchicalPixelCNN())
    )
    assert named.prior_.grid_shapes_ == instance.prior_.grid_shapes_ == ((2, 2), (3, 3))
    np.testing.assert_array_equal(named.sample(3, random_state=0), instance.sample(3, random_state=0))
    other = HierarchicalPixelCNN(((1, 4), (3, 3)))
    with pytest.raises(ValueError, match="grid_shapes=.*, but the codes are on"):
        VQVAETransformer(**options, prior=other).fit(images)


@pytest.mark.parametrize("verbose", [0, 1])
def test_a_silent_prior_of_a_talking_estimator_is_announced(verbose, capsys):
    prior = PixelCNN(channels=4, n_layers=1, max_iter=1, verbose=verbose)
    VQVAETransformer(4, channels=4, n_blocks=0, max_iter=1, prior=prior, verbose=1, random_state=0).fit(
        load_digits().images[:30]
    )
    lines = capsys.readouterr().out
    assert ("fitting the prior, which prints nothing: PixelCNN" in " ".join(lines.split())) == (verbose == 0)
    assert ("[PixelCNN]" in lines) == (verbose == 1)

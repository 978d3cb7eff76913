"""`max_seconds` ends a fit by the clock, with the schedule laid for it, and changes nothing where there is time."""

import time
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from skvq import (
    AutoEncoderTransformer,
    CausalTransformer,
    HierarchicalPixelCNN,
    MLPClassifier,
    MLPRegressor,
    OrderlessNADE,
    PixelCNN,
    VAETransformer,
    VQVAETransformer,
)
from skvq.mlp.rates import Cosine
from skvq.nn.quantizers import residual_start
from skvq.training import loop, optimizers
from skvq.training.checkpoints import Checkpoint

DIGITS, LABELS = load_digits(return_X_y=True)
DIGITS, LABELS = DIGITS[:200], LABELS[:200]
IMAGES = DIGITS.reshape(-1, 8, 8)
CODES = (IMAGES[:, ::2, ::2] // 4.01).astype(int)
PAIRS = np.hstack([CODES[:, ::2, ::2].reshape(-1, 4), CODES.reshape(-1, 16)])
# Epochs that no test waits for, whatever the held-out rows say of them.
ENDLESS = {"max_iter": 10**7, "n_iter_no_change": None, "random_state": 0}
FAMILIES = {
    "autoencoder": (AutoEncoderTransformer(4, **ENDLESS), (DIGITS,)),
    "vae": (VAETransformer(3, **ENDLESS), (DIGITS,)),
    "vqvae": (VQVAETransformer(8, prior=PixelCNN(channels=8, **ENDLESS), **ENDLESS), (IMAGES,)),
    "vqvae, table": (VQVAETransformer(4, prior=OrderlessNADE(**ENDLESS), **ENDLESS), (DIGITS[:, 18:22],)),
    "pixelcnn": (PixelCNN(channels=8, **ENDLESS), (CODES,)),
    "transformer": (CausalTransformer(**ENDLESS), (CODES,)),
    "hierarchical": (HierarchicalPixelCNN(((2, 2), (4, 4)), channels=8, **ENDLESS), (PAIRS,)),
    "nade": (OrderlessNADE(**ENDLESS), (DIGITS[:, 18:22],)),
    "classifier": (MLPClassifier((8,), max_iter=10**7, n_iter_no_change=np.inf), (DIGITS, LABELS)),
    "regressor": (
        MLPRegressor(hidden_layer_sizes=(8,), solver="sgd", max_iter=10**7, n_iter_no_change=np.inf),
        (DIGITS / 16, LABELS),
    ),
    "lbfgs": (
        MLPRegressor(hidden_layer_sizes=(8,), solver="lbfgs", max_iter=10**7, max_fun=10**9, tol=0.0, alpha=0.0),
        (DIGITS, LABELS),
    ),
}


@pytest.fixture
def ticks(monkeypatch):
    """Let the clock of fits stand still but for a hundredth of a second each time that it is read."""

    class Clock:
        now = 0.0

        def perf_counter(self):
            self.now += 0.01
            return self.now

    monkeypatch.setattr(loop, "time", Clock())


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("family", FAMILIES)
def test_an_endless_fit_ends_by_its_time(family):
    model, data = FAMILIES[family]
    started = time.perf_counter()
    # the start of a VQ-VAE, k-means, takes a part of it
    model.set_params(max_seconds=1.0 if family.startswith("vqvae") else 0.3).fit(*data)
    assert time.perf_counter() - started < 20.0  # it would take days, and a busy machine starts slowly
    assert 1 <= model.n_iter_ < 10**6
    method = "predict" if hasattr(model, "predict") else "transform" if hasattr(model, "transform") else "score_samples"
    assert np.isfinite(getattr(model, method)(data[0])).all()


def test_time_enough_changes_nothing():
    models = [
        AutoEncoderTransformer(2, max_iter=3, max_seconds=seconds, random_state=0).fit(DIGITS)
        for seconds in (None, 1e6)
    ]
    assert models[0].loss_curve_ == models[1].loss_curve_
    assert np.array_equal(models[0].transform(DIGITS), models[1].transform(DIGITS))


def test_the_learning_rate_rises_and_falls_over_the_time(ticks, monkeypatch):
    factors = []
    step = optimizers.Optimizer.step
    monkeypatch.setattr(
        optimizers.Optimizer, "step", lambda self, loss, factor: factors.append(factor) or step(self, loss, factor)
    )
    AutoEncoderTransformer(2, hidden_layer_sizes=(4,), max_seconds=3.0, **ENDLESS).fit(DIGITS)
    assert 60 < len(factors) < 300  # a tick or more for each step
    peak = int(np.argmax(factors))
    assert factors[0] < 0.5
    assert factors[peak] > 0.95
    assert factors[-1] < 0.05
    assert (np.diff(factors[: peak + 1]) > 0).all()
    assert (np.diff(factors[peak:]) < 0).all()


def test_training_ends_in_the_middle_of_an_epoch(ticks):
    many = np.random.default_rng(0).normal(size=(4000, 3))
    model = AutoEncoderTransformer(
        2, hidden_layer_sizes=(4,), batch_size=1, early_stopping=False, max_seconds=1.0, **ENDLESS
    )
    model.fit(many)
    assert model.n_iter_ == 1
    assert np.isfinite(model.loss_curve_).all()


def test_less_time_trains_less(ticks):
    def steps(seconds):
        return AutoEncoderTransformer(2, hidden_layer_sizes=(4,), max_seconds=seconds, **ENDLESS).fit(DIGITS).n_iter_

    assert steps(1.0) < steps(2.0) < steps(4.0)


def test_the_prior_gets_what_the_autoencoder_leaves(ticks):
    prior = PixelCNN(channels=8, max_seconds=100.0, **ENDLESS)
    told = {"n_codes": 8, "channels": 8, "n_blocks": 1, "max_seconds": 2.0, **ENDLESS}
    model = VQVAETransformer(prior=prior, **told).fit(IMAGES)
    alone = VQVAETransformer(prior=None, **told).fit(IMAGES)
    assert 0.4 < model.n_iter_ / alone.n_iter_ < 0.8
    assert model.prior_.n_iter_ > 4
    assert prior.max_seconds == model.prior_.max_seconds == 100.0  # the user's own number is not touched
    short = VQVAETransformer(prior=PixelCNN(channels=8, max_seconds=0.1, **ENDLESS), **told)
    assert short.fit(IMAGES).prior_.n_iter_ < model.prior_.n_iter_ / 2


def test_a_start_that_takes_all_the_time_is_said_to_be_all():
    with pytest.warns(
        UserWarning,
        match=r"AutoEncoderTransformer\(.*\): max_seconds ended .* after 64 of 180 rows.* took 0\.\d seconds",
    ):
        model = AutoEncoderTransformer(2, max_seconds=1e-6, random_state=0).fit(DIGITS)
    assert model.n_iter_ == 1
    assert model.score(DIGITS) > 0.2  # principal components


def test_time_for_what_follows_training_is_kept_back():
    limit = loop.TimeLimit(100.0)
    limit.keep_back(100.0 - 1e-9)
    assert limit.share_used() == 1.0
    limit.keep_back(200.0)
    assert limit.share_used() == 1.0
    limit.keep_back(0.0)
    assert limit.share_used() < 0.5


def test_time_before_a_checkpoint_counts(ticks, tmp_path, monkeypatch):
    def model():
        told = {"hidden_layer_sizes": (4,), "checkpoint": tmp_path / "fit", "checkpoint_interval": 0.0}
        return AutoEncoderTransformer(2, max_seconds=4.0, **told, **ENDLESS)

    whole = model().fit(DIGITS)
    keep, kept = Checkpoint.keep, []

    def cut_off(self, state):
        keep(self, state)
        kept.append(1)
        if len(kept) == 100:
            raise MemoryError("enough")

    with monkeypatch.context() as cut:
        cut.setattr(Checkpoint, "keep", cut_off)
        with pytest.raises(MemoryError):
            model().fit(DIGITS)
    rest = model().fit(DIGITS)
    assert rest.n_iter_ < 1.3 * whole.n_iter_  # with the time of a whole fit added it would be more


@pytest.mark.filterwarnings("error")
def test_a_cosine_goes_by_the_time_and_is_complete_by_its_end(ticks):
    rates = []
    model = MLPClassifier((8,), learning_rate="cosine", max_iter=10**6, max_seconds=4.0, random_state=0)
    at = Cosine.at
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cosine, "at", lambda self, step: rates.append(at(self, step)) or rates[-1])
        model.fit(DIGITS, LABELS)
    assert rates[0] > 0.9 * model.learning_rate_init
    assert rates[-1] < 0.1 * model.learning_rate_init


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_predictor_that_runs_out_of_time_says_so(solver):
    model = MLPClassifier((8,), solver=solver, max_iter=10**6, n_iter_no_change=np.inf, tol=0.0, alpha=0.0)
    with pytest.warns(ConvergenceWarning, match="max_seconds allows is up after"):
        model.set_params(max_seconds=0.02, max_fun=10**9).fit(DIGITS, LABELS)


def test_rows_seen_in_part_of_an_epoch_are_counted(ticks):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = MLPRegressor(hidden_layer_sizes=(4,), batch_size=1, max_seconds=1.0, random_state=0).fit(DIGITS, LABELS)
    assert model.n_iter_ == 1
    assert 0 < model.t_ < len(DIGITS)


@pytest.mark.parametrize("wrong", [0, -1.0, np.nan, "1"])
def test_seconds_are_positive(wrong):
    with pytest.raises(ValueError, match="max_seconds"):
        AutoEncoderTransformer(2, max_seconds=wrong).fit(DIGITS)


def test_a_short_limit_looks_at_fewer_rows_before_and_after_training():
    X = np.random.default_rng(0).normal(size=(5_000, 12))
    options = {"hidden_layer_sizes": (), "max_iter": 1, "prior": None, "random_state": 0}
    model = VQVAETransformer(64, 4, max_seconds=1e-3, **options)
    with pytest.warns(UserWarning, match="max_seconds"):
        model.fit(X)
    assert model.code_counts_.sum() == 4 * 256
    assert VQVAETransformer(64, 4, max_seconds=1e3, **options).fit(X).code_counts_.sum() == 4 * 5_000


def test_a_limit_that_is_long_enough_gives_the_same_start():
    X = np.random.default_rng(0).normal(size=(3_000, 6))
    options = {"max_iter": 1, "learning_rate_init": 1e-12, "prior": None, "random_state": 0}
    limited, free = (VQVAETransformer(64, 4, max_seconds=seconds, **options).fit(X) for seconds in (1e3, None))
    np.testing.assert_array_equal(limited.codebook_, free.codebook_)


def test_what_is_left_of_a_limit_knows_the_seconds_before(monkeypatch):
    clock = iter([0.0, 3.0, 3.0, 4.0, 4.0])
    monkeypatch.setattr(loop.time, "perf_counter", lambda: next(clock))
    left = loop.TimeLimit(10.0).left(0.5).left()
    assert (left.seconds, left.before) == (1.0, 4.0)


@pytest.mark.parametrize(("seconds", "ways"), [(None, {False, True}), (1e3, {False, True}), (0.5, {False})])
def test_residual_codes_start_in_one_way_where_there_is_no_time_for_more(seconds, ways, monkeypatch):
    found, stages_from = set(), residual_start.stages_from

    def seen(*arguments, shrink, **options):
        found.add(shrink)
        return stages_from(*arguments, shrink=shrink, **options)

    monkeypatch.setattr(residual_start, "stages_from", seen)
    X = np.random.default_rng(0).normal(size=(700, 30))
    model = VQVAETransformer(256, 4, hidden_layer_sizes=(), max_iter=1, max_seconds=seconds, prior=None, random_state=0)
    model.fit(X)
    assert found == ways


@pytest.mark.parametrize("kind", ["table", "series", "tiny images"])
def test_a_limit_that_is_too_short_for_a_choice_takes_the_usual_arrangement(kind, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("compared")

    monkeypatch.setattr("skvq.vqvae.arrangement._held_out_error", refuse)
    X = np.random.default_rng(0).normal(size=(600, 64))
    options = {
        "table": {"max_bits": 16},
        "series": {"series_shape": (64,)},
        "tiny images": {"image_shape": (8, 8)},
    }[kind]
    if kind == "tiny images":
        X = X + 3 * np.random.default_rng(1).normal(size=64)  # aligned
    model = VQVAETransformer(prior=None, max_seconds=1.0, random_state=0, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert model.fit(X).network_ == ("dense" if kind == "table" else "convolutional")
    with pytest.raises(AssertionError, match="compared"):
        model.set_params(max_seconds=100.0).fit(X)


def test_held_out_images_that_there_is_no_time_to_encode_are_encoded_for_the_prior():
    X = np.random.default_rng(0).normal(size=(700, 6, 6))
    model = VQVAETransformer(8, (2, 2), channels=8, n_blocks=0, prior="pixelcnn", max_seconds=1e-3, random_state=0)
    with pytest.warns(UserWarning, match="max_seconds"):
        model.fit(X[:300], X_val=X[300:])
    assert model.sample(2, random_state=0).shape == (2, 6, 6)

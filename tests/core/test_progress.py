"""Progress bars of long passes."""

import sys
import threading

import numpy as np
import pytest
import rich.progress
import torch
from rich.errors import LiveError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skvq import (
    AutoEncoderTransformer,
    CausalTransformer,
    MLPClassifier,
    PixelCNN,
    VAETransformer,
    VQVAETransformer,
    progress,
)
from skvq.core.inference import follow, job
from skvq.nn.grids.pixelcnn import GatedPixelCNN

X = np.random.default_rng(0).normal(size=(600, 4))
CODES = np.random.default_rng(0).integers(0, 3, (600, 4))
TINY = {"hidden_layer_sizes": (), "max_iter": 1, "random_state": 0}
SMALL = {"max_iter": 1, "random_state": 0}


@pytest.fixture(scope="module")
def fitted():
    """Every estimator, by its kind."""
    return {
        "autoencoder": AutoEncoderTransformer(2, **TINY).fit(X),
        "vae": VAETransformer(2, **TINY).fit(X),
        "vqvae": VQVAETransformer(4, (2,), prior=PixelCNN(channels=4, n_layers=1, **SMALL), **TINY).fit(X),
        "pixelcnn": PixelCNN(channels=4, n_layers=1, **SMALL).fit(CODES),
        "transformer": CausalTransformer(d_model=4, n_layers=1, n_heads=1, **SMALL).fit(CODES),
    }


# Kind of estimator, what is called, what the bars say.
PASSES = [
    ("autoencoder", lambda model: model.transform(X), ["encoding"]),
    ("autoencoder", lambda model: model.inverse_transform(X[:, :2]), ["decoding"]),
    ("autoencoder", lambda model: model.score(X), ["reconstructing"]),
    ("vae", lambda model: model.transform(X), ["encoding"]),
    ("vae", lambda model: model.score_samples(X), ["scoring"]),
    ("vae", lambda model: model.score_samples(X, n_importance_samples=2), ["scoring"]),
    ("vae", lambda model: model.sample(600, random_state=0), ["decoding"]),
    ("vqvae", lambda model: model.transform(X), ["encoding"]),
    ("vqvae", lambda model: model.sample(600, random_state=0), ["drawing codes", "decoding"]),
    ("vqvae", lambda model: model.score_samples(X), ["reconstructing", "scoring codes"]),
    ("pixelcnn", lambda model: model.sample(3, random_state=0), ["drawing codes"]),
    ("pixelcnn", lambda model: model.score_samples(np.tile(CODES, (2, 1))), ["scoring codes"]),
    ("transformer", lambda model: model.sample(3, random_state=0), ["drawing codes"]),
]


@pytest.mark.parametrize(("kind", "call", "shown"), PASSES)
def test_long_passes_show_how_far_they_are_and_give_the_same(fitted, kind, call, shown, capsys):
    expected = call(fitted[kind])
    assert capsys.readouterr().out == ""
    with progress(delay=0):
        found = call(fitted[kind])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("━")[0].strip() for line in lines] == shown
    assert all("100%" in line for line in lines)
    np.testing.assert_array_equal(found, expected)


def test_predictions_in_a_pipeline_show_too(capsys):
    y = X[:, 0] > 0
    model = make_pipeline(StandardScaler(), MLPClassifier((4,), solver="lbfgs", random_state=0)).fit(X, y)
    many = np.tile(X, (10, 1))
    with progress(delay=0):
        found = model.predict(many)
    assert capsys.readouterr().out.startswith("predicting")
    np.testing.assert_array_equal(found, model.predict(many))


def test_short_passes_show_nothing(fitted, capsys):
    with progress(delay=60):
        fitted["vqvae"].sample(600)
    with progress(delay=0):
        fitted["autoencoder"].transform(X[:10])  # a single batch
    assert capsys.readouterr().out == ""


def test_drawing_advances_with_every_position_of_every_batch():
    positions = []
    generator = torch.Generator().manual_seed(0)
    network = GatedPixelCNN(3, (1, 4), channels=4, n_layers=1, generator=generator).eval()
    network.sample(2, generator=generator, after_position=lambda: positions.append(1))
    assert len(positions) == 4


def test_without_a_block_the_steps_are_passed_on_as_they_are_one_at_a_time(capsys):
    taken = []
    steps = (taken.append(step) or step for step in (1, 2))
    for step in follow(steps, 2, "nothing"):
        assert taken == list(range(1, step + 1))
    assert taken == [1, 2]
    assert capsys.readouterr().out == ""


def test_a_block_ends_with_an_error_and_takes_its_display_along(fitted, monkeypatch):
    calls = []
    start, stop = rich.progress.Progress.start, rich.progress.Progress.stop
    monkeypatch.setattr(rich.progress.Progress, "start", lambda self: (calls.append("start"), start(self)))
    monkeypatch.setattr(rich.progress.Progress, "stop", lambda self: (calls.append("stop"), stop(self)))

    def fails():
        for step in follow(iter(range(5)), 5, "failing"):
            if step == 3:
                raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"), progress(delay=0):
        fails()
    assert calls == ["start", "stop"]
    assert list(follow(iter([1]), 1, "after")) == [1]
    assert calls == ["start", "stop"]


def test_other_threads_show_nothing(fitted, capsys):
    with progress(delay=0):
        thread = threading.Thread(target=fitted["autoencoder"].transform, args=(X,))
        thread.start()
        thread.join()
    assert capsys.readouterr().out == ""


def test_blocks_may_be_nested_and_jobs_share_a_display(capsys):
    with progress(delay=60), progress(delay=0):
        for _ in follow(iter(range(3)), 3, "outer"):
            for _ in follow(iter(range(2)), 2, "inner"):
                pass
    shown = capsys.readouterr().out
    assert shown.count("outer") == 1
    assert shown.count("100%") == shown.count("%")


def test_where_the_screen_is_taken_the_work_goes_on(fitted, monkeypatch):
    def taken(self):
        raise LiveError("Only one live display may be active at once")

    monkeypatch.setattr(rich.progress.Progress, "start", taken)
    with progress(delay=0):
        assert fitted["autoencoder"].transform(X).shape == (600, 2)


def test_without_rich_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    with pytest.raises(ImportError, match=r"pip install \"skvq\[progress\]\""), progress():
        pass


def test_blocks_that_end_in_another_order_leave_nothing_behind():
    def block():
        with progress(delay=0):
            yield

    first, second = block(), block()
    next(first), next(second)
    first.close(), second.close()
    with job("what", 3) as advance:
        assert advance is None


@pytest.mark.parametrize("delay", [-1, float("nan"), "1", True])
def test_a_delay_that_is_none_is_named(delay, refusal):
    message = refusal("progress", "delay", delay, "a float in the range [0.0, inf)")
    with pytest.raises(ValueError, match=message), progress(delay=delay):
        pass

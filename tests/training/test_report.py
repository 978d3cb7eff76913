"""What a fit says with verbose=1: short lines, the telling terms first, a closing line that is true."""

import re
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine

from skvq import AutoEncoderTransformer, CausalTransformer, OrderlessNADE, PixelCNN, VAETransformer, VQVAETransformer
from skvq.training import outcome

WINE = load_wine().data
IMAGES = load_digits().data[:200].reshape(-1, 8, 8)
CODES = np.random.default_rng(0).integers(0, 4, (60, 3, 3))
WAVES = np.sin(np.linspace(0, 6, 32) * np.random.default_rng(0).uniform(1, 3, (60, 1)))
SHORT = {"max_iter": 3, "random_state": 0, "verbose": 1}
PRIOR = OrderlessNADE(n_units=8, max_iter=3)

FITS = {
    "table": lambda: VQVAETransformer(prior=PRIOR, **SHORT).fit(WINE),
    "images": lambda: VQVAETransformer(prior=None, **SHORT).fit(IMAGES),
    "series": lambda: VQVAETransformer(series_shape=(32,), prior=None, **SHORT).fit(WAVES),
    "autoencoder": lambda: AutoEncoderTransformer(2, **SHORT).fit(WINE),
    "vae": lambda: VAETransformer(2, **SHORT).fit(WINE),
    "pixelcnn": lambda: PixelCNN(channels=4, **SHORT).fit(CODES),
    "transformer": lambda: CausalTransformer(d_model=8, n_layers=1, **SHORT).fit(CODES),
    "nade": lambda: OrderlessNADE(**SHORT).fit(WINE),
}


@pytest.mark.parametrize("name", FITS)
def test_every_fit_begins_with_words_ends_with_a_closing_line_and_fits_in_80_columns(name, capsys):
    model = FITS[name]()
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    first = lines[0].removeprefix(f"[{type(model).__name__}] ")
    assert first in ("reading X", "starting the network", "choosing the arrangement of the codes")
    text = " ".join(line.strip() for line in lines)
    text = text.removesuffix(" [VQVAETransformer] fitting the prior, which prints nothing: OrderlessNADE")
    assert re.search(r"kept [^[]*, stopped by max_iter after [\d.]+ s$", text)


def test_reconstruction_and_usage_come_first_and_equal_terms_once(capsys):
    VQVAETransformer(prior=None, early_stopping=True, **SHORT).fit(WINE)
    heads = next(line for line in capsys.readouterr().out.splitlines() if "epoch  " in line)
    assert heads.split()[:5] == ["epoch", "reconstruction", "held", "out", "usage"]
    assert "codebook" in heads
    assert "commitment" not in heads
    assert heads.endswith("time left")


@pytest.mark.parametrize("estimator", [VQVAETransformer(prior=None), AutoEncoderTransformer(2)], ids=["vq", "ae"])
def test_the_closing_line_has_the_score_of_the_held_out_rows_and_the_kept_epoch(estimator, capsys):
    X_val = WINE[::4]
    model = estimator.set_params(**SHORT).fit(np.delete(WINE, np.s_[::4], axis=0), X_val=X_val)
    closing = capsys.readouterr().out.splitlines()[-1]
    assert closing.startswith(f"kept epoch {model.best_iter_} of 3: R² {model.score(X_val):.3f}")


def test_without_held_out_rows_the_closing_line_says_that_its_score_is_of_the_training_rows(capsys):
    model = AutoEncoderTransformer(2, **SHORT, early_stopping=False).fit(WINE)
    assert f"R² {model.score(WINE):.3f} (of the training rows), " in closing_line(capsys.readouterr().out)


def closing_line(text):
    """Return the last line, which may go on in a second one."""
    return " ".join(line.strip() for line in text.splitlines()[-2:])


@pytest.mark.parametrize("estimator", [VQVAETransformer(4, prior=None), AutoEncoderTransformer(2)], ids=["vq", "ae"])
def test_the_closing_line_looks_at_some_of_many_rows_and_says_of_how_many(estimator, capsys, monkeypatch):
    monkeypatch.setattr(outcome, "TOLD_ROWS", 100)
    model = estimator.set_params(**SHORT, early_stopping=False).fit(WINE)
    closing = closing_line(capsys.readouterr().out)
    score = model.score(WINE[np.linspace(0, len(WINE) - 1, 100).astype(int)])
    assert f"kept epoch 3 of 3: R² {score:.3f} (of 100 training rows), " in closing
    assert ("usage 100%" in closing) == ("usage" in model.history_)
    silent = clone(model).set_params(verbose=0).fit(WINE)
    for name, weight in model.weights_.items():
        np.testing.assert_array_equal(silent.weights_[name], weight)


def test_the_loss_of_a_density_is_of_some_of_many_rows_too(capsys, monkeypatch):
    monkeypatch.setattr(outcome, "TOLD_ROWS", 10)
    PixelCNN(channels=4, early_stopping=False, **SHORT).fit(CODES)
    assert re.search(r"loss [\d.]+ \(of 10 training rows\), stopped", closing_line(capsys.readouterr().out))


def test_a_fit_that_goes_on_from_a_checkpoint_says_where(tmp_path, capsys):
    class Cut:
        """Breaks off after the second epoch."""

        def setup(self, estimator, context):
            self.epochs = 0

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            self.epochs += context.task_name == "epoch"
            if self.epochs == 3:
                raise RuntimeError

        def on_fit_task_end(self, estimator, context):
            pass

    model = AutoEncoderTransformer(2, checkpoint=tmp_path / "fit", checkpoint_interval=0, **SHORT)
    with pytest.raises(RuntimeError):
        model.set_callbacks(Cut()).fit(WINE)
    capsys.readouterr()
    model.set_callbacks().fit(WINE)
    assert "resumed at epoch 2" in " ".join(capsys.readouterr().out.split())


def test_an_interrupt_is_named_in_the_closing_line(capsys):
    class Interrupt:
        """As Control-C in the second epoch."""

        def setup(self, estimator, context):
            self.epochs = 0

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            self.epochs += context.task_name == "epoch"
            if self.epochs == 2:
                raise KeyboardInterrupt

        def on_fit_task_end(self, estimator, context):
            pass

    with pytest.warns(UserWarning, match="interrupted"):
        AutoEncoderTransformer(2, **SHORT).set_callbacks(Interrupt()).fit(WINE)
    assert re.search(r", interrupted after [\d.]+ s$", capsys.readouterr().out.rstrip())


def test_nothing_is_printed_and_nothing_changes_without_verbose(capsys):
    spoken = VQVAETransformer(prior=PRIOR, **SHORT).fit(WINE)
    assert capsys.readouterr().out
    silent = VQVAETransformer(prior=PRIOR, **SHORT | {"verbose": 0}).fit(WINE)
    assert capsys.readouterr().out == ""
    np.testing.assert_array_equal(spoken.transform(WINE), silent.transform(WINE))
    np.testing.assert_array_equal(spoken.sample(5, random_state=0), silent.sample(5, random_state=0))


def test_a_start_that_is_kept_and_good_is_said_but_no_warning(capsys):
    X = np.random.default_rng(0).normal(size=(100, 2)) @ np.ones((2, 6))  # the start is exact
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = AutoEncoderTransformer(2, early_stopping=True, **SHORT).fit(X)
    assert model.best_iter_ == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("kept epoch 0 of 3, the start: R² 1.")


@pytest.mark.parametrize("max_iter", [1, 2, 3])
def test_a_short_fit_that_keeps_a_good_start_says_so_at_its_end_and_warns_of_nothing(max_iter, capsys, recwarn):
    training = {"max_iter": max_iter, "early_stopping": True, "learning_rate_init": 5e-3}
    model = VQVAETransformer(prior=None, verbose=1, random_state=0, **training)
    model.fit(WINE)
    assert model.best_iter_ == 0
    assert f"\nkept epoch 0 of {max_iter}, the start: R² 0." in capsys.readouterr().out
    assert not recwarn

"""A fit that is cut off goes on from its checkpoint and ends with the bits of one that was left alone."""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from sklearn.base import clone
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
    load,
)
from skvq.training.checkpoints import Checkpoint

DIGITS, LABELS = load_digits(return_X_y=True)
DIGITS, LABELS = DIGITS[:200], LABELS[:200]
IMAGES = DIGITS.reshape(-1, 8, 8)
CODES = (IMAGES[:, ::2, ::2] // 4.01).astype(int)
PAIRS = np.hstack([CODES[:, ::2, ::2].reshape(-1, 4), CODES.reshape(-1, 16)])
SHORT = {"max_iter": 3, "random_state": 0, "batch_size": 50}
SMALL = {"channels": 8, "n_layers": 1, **SHORT}
PRIOR = {"prior": PixelCNN(**SMALL)}
# A model, what it is fitted to, and the steps of its fit.
FAMILIES = {
    "autoencoder": (AutoEncoderTransformer(4, noise="masking", dropout=0.1, **SHORT), (IMAGES,), 12),
    "autoencoder, convolutional": (
        AutoEncoderTransformer(4, network="convolutional", channels=8, **SHORT),
        (IMAGES,),
        12,
    ),
    "autoencoder, linear": (AutoEncoderTransformer(4, hidden_layer_sizes=(), **SHORT), (DIGITS,), 12),
    "vae": (VAETransformer(3, kl_warmup=0.5, **SHORT), (IMAGES,), 12),
    "vae, mixed": (VAETransformer(2, **SHORT), (np.where(DIGITS[:, 18:22] > 15, np.nan, DIGITS[:, 18:22]),), 12),
    "vqvae, images": (VQVAETransformer(16, channels=8, n_blocks=1, **PRIOR, **SHORT), (IMAGES,), 24),
    "vqvae, table": (
        VQVAETransformer(8, hidden_layer_sizes=(16,), prior=OrderlessNADE(n_units=16, **SHORT), **SHORT),
        (DIGITS[:, 18:22],),
        24,
    ),
    "pixelcnn": (PixelCNN(**SMALL), (CODES,), 12),
    "pixelcnn, classes": (PixelCNN(class_conditional=True, **SMALL), (CODES, LABELS), 12),
    "hierarchical": (HierarchicalPixelCNN(((2, 2), (4, 4)), **SMALL), (PAIRS,), 12),
    "transformer": (CausalTransformer(**SHORT), (CODES,), 12),
    "nade": (OrderlessNADE(**SHORT), (DIGITS[:, 18:22],), 12),
    "classifier": (
        MLPClassifier((16,), dropout=0.1, normalization="batch", early_stopping=True, **SHORT),
        (DIGITS, LABELS),
        12,
    ),
    "regressor, adam": (MLPRegressor(hidden_layer_sizes=(16,), **SHORT), (DIGITS, LABELS), 12),
    "regressor, sgd": (
        MLPRegressor(hidden_layer_sizes=(16,), solver="sgd", learning_rate="adaptive", warmup=0.2, **SHORT),
        (DIGITS, LABELS),
        12,
    ),
}


class CutOff(Exception):
    """Raised in the middle of a fit."""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fit.checkpoint"


@pytest.fixture
def cut(monkeypatch):
    """A function that fits a model and raises after so many steps; it returns whether there were as many."""
    keep = Checkpoint.keep

    def fit(model, data, n_steps):
        steps = []

        def counted(self, state):
            keep(self, state)
            steps.append(self)
            if len(steps) == n_steps:
                raise CutOff

        with monkeypatch.context() as patch:
            patch.setattr(Checkpoint, "keep", counted)
            try:
                quietly_fitted(model, data)
            except CutOff:
                return True
        return False

    return fit


def quietly_fitted(model, data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", UserWarning)
        return model.fit(*data)


def learned(model):
    return {name: value for name, value in vars(model).items() if name.endswith("_")}


def assert_same(one, other, name="model"):
    """Fail where what two models learned differs in a bit."""
    assert type(one) is type(other), name
    if hasattr(one, "get_params"):
        assert_same(learned(one), learned(other), name)
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), name
        for key in one:
            assert_same(one[key], other[key], f"{name}.{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), name
        for i, pair in enumerate(zip(one, other)):
            assert_same(*pair, f"{name}[{i}]")
    else:
        np.testing.assert_array_equal(one, other, err_msg=name)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_fit_that_was_cut_off_twice_ends_with_the_bits_of_one_that_was_not(family, path, cut):
    model, data, n_steps = FAMILIES[family]
    undisturbed = quietly_fitted(clone(model), data)
    model = clone(model).set_params(checkpoint=path, checkpoint_interval=0.0)
    assert cut(model, data, n_steps // 4)  # within an epoch
    assert path.exists()
    assert cut(clone(model), data, n_steps // 2 - 1)
    assert_same(quietly_fitted(clone(model), data), undisturbed)
    assert list(path.parent.iterdir()) == []


def test_a_fit_with_a_checkpoint_ends_with_the_bits_of_one_without(path):
    model, data, _ = FAMILIES["autoencoder"]
    with_checkpoint = clone(model).set_params(checkpoint=path, checkpoint_interval=0.0)
    assert_same(with_checkpoint.fit(*data), clone(model).fit(*data))


def test_the_last_file_may_be_older_than_the_last_step(path, cut, monkeypatch):
    model, data, _ = FAMILIES["autoencoder"]
    undisturbed = clone(model).fit(*data)
    now = iter(range(1000))
    monkeypatch.setattr("skvq.training.checkpoints.time.monotonic", lambda: next(now))
    model = clone(model).set_params(checkpoint=path, checkpoint_interval=3.0)
    assert cut(model, data, 8)
    assert_same(clone(model).fit(*data), undisturbed)


def test_a_fit_that_was_cut_off_in_the_prior_keeps_the_autoencoder(path, cut, monkeypatch):
    model, data, _ = FAMILIES["vqvae, images"]
    undisturbed = clone(model).fit(*data)
    model = clone(model).set_params(checkpoint=path, checkpoint_interval=0.0)
    assert cut(model, data, 18)
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name, path.name + ".prior"]
    from skvq.vqvae.network import VQObjective

    def terms(self, batch):
        raise AssertionError("the autoencoder is trained again")

    monkeypatch.setattr(VQObjective, "terms", terms)
    again = clone(model).fit(*data)
    assert_same(again, undisturbed)
    assert again.prior_.checkpoint is None
    assert list(path.parent.iterdir()) == []


def test_without_a_seed_the_same_call_takes_the_seed_of_the_fit_that_it_goes_on_with(path, cut):
    model, data, _ = FAMILIES["autoencoder"]
    model = clone(model).set_params(random_state=None, checkpoint=path, checkpoint_interval=0.0)
    np.random.seed(3)  # noqa: NPY002
    undisturbed = clone(model).fit(*data)
    np.random.seed(3)  # noqa: NPY002
    assert cut(clone(model), data, 5)
    assert_same(clone(model).fit(*data), undisturbed)


@pytest.mark.parametrize("family", ["autoencoder", "pixelcnn", "classifier"])
def test_other_parameters_and_other_rows_are_refused(family, path, cut):
    model, data, _ = FAMILIES[family]
    model = clone(model).set_params(checkpoint=path, checkpoint_interval=0.0)
    assert cut(model, data, 4)
    with pytest.raises(ValueError, match="is the file of another fit: batch_size is 40 here, and 50 there"):
        clone(model).set_params(batch_size=40).fit(*data)
    with pytest.raises(ValueError, match="held out rows differ; training rows differ"):
        clone(model).fit(data[0][::-1], *data[1:])
    assert path.exists()


def test_held_out_rows_and_the_weights_of_a_warm_start_belong_to_the_fit(path, cut):
    model, (X, y), _ = FAMILIES["regressor, adam"]
    model = clone(model).set_params(checkpoint=path, checkpoint_interval=0.0, warm_start=True)
    assert cut(model, (X, y), 4)
    with pytest.raises(ValueError, match="held out rows"):
        clone(model).fit(X, y, X_val=X[:9], y_val=y[:9])
    warm = quietly_fitted(clone(model).set_params(checkpoint=None), (X, y))
    with pytest.raises(ValueError, match="weights at the start differ"):
        warm.set_params(checkpoint=path).fit(X, y)


@pytest.mark.parametrize("kind", [AutoEncoderTransformer, VQVAETransformer, PixelCNN, OrderlessNADE, MLPRegressor])
def test_a_missing_folder_is_an_error_before_training(kind, tmp_path):
    model = kind(checkpoint=tmp_path / "missing" / "fit")
    data = (CODES.reshape(-1, 16), *([LABELS] if kind is MLPRegressor else []))
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        model.fit(*data)


def test_lbfgs_has_no_checkpoints(path):
    with pytest.raises(ValueError, match="checkpoint=.* needs a solver that takes steps"):
        MLPRegressor(solver="lbfgs", checkpoint=path).fit(DIGITS, LABELS)


@pytest.mark.parametrize("family", ["autoencoder", "regressor, adam"])
def test_an_interrupted_fit_keeps_its_checkpoint_and_says_so(family, path, monkeypatch):
    model, data, _ = FAMILIES[family]
    undisturbed = quietly_fitted(clone(model), data)
    model = clone(model).set_params(checkpoint=path, checkpoint_interval=0.0)
    keep, steps = Checkpoint.keep, []

    def interrupted(self, state):
        keep(self, state)
        steps.append(self)
        if len(steps) == 7:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "keep", interrupted)
        with pytest.warns(UserWarning, match="The same call of fit goes on from the checkpoint"):
            model.fit(*data)
    assert path.exists()
    assert_same(quietly_fitted(clone(model), data), undisturbed)


def test_the_path_is_no_part_of_a_saved_model(path, tmp_path):
    model, data, _ = FAMILIES["autoencoder"]
    fitted = clone(model).set_params(checkpoint=path, checkpoint_interval=5.0).fit(*data)
    fitted.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.checkpoint is None
    assert again.checkpoint_interval == 5.0


# Imports and fits, and then fits in forks, which are killed after shares of the seconds that the fit took.
KILLED = """
import os, signal, sys, time
import torch
torch.set_num_threads(1)
from sklearn.datasets import load_digits
from skvq import PixelCNN, VQVAETransformer
X = load_digits().images[:200]

def fit(path):
    prior = PixelCNN(channels=8, n_layers=1, max_iter=4)
    model = VQVAETransformer(
        16, channels=8, n_blocks=1, max_iter=5, batch_size=50, prior=prior, random_state=0, checkpoint=path,
        checkpoint_interval=0.0,
    ).fit(X)
    model.save(sys.argv[1] + "/model" + ("" if path is None else "_resumed"))

def in_fork(path, seconds):
    child = os.fork()
    if child == 0:
        fit(path)
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]

fit(None)  # the first fit imports what fits need
started = time.monotonic()
fit(None)
seconds = time.monotonic() - started
killed = [in_fork(sys.argv[1] + "/checkpoint", float(share) * seconds) == signal.SIGKILL for share in sys.argv[2:]]
fit(sys.argv[1] + "/checkpoint")
print(sum(killed))
"""


def test_ten_kills_at_random_moments_leave_the_bits_as_they_are(tmp_path):
    shares = np.random.default_rng().uniform(0.05, 0.4, size=10)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    found = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), *map(str, shares)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
    )
    assert found.returncode == 0, found.stderr
    assert int(found.stdout) >= 1
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model", "model_resumed"]
    assert_same(load(tmp_path / "model_resumed"), load(tmp_path / "model"))

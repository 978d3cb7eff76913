"""Training on an accelerator: the host does not wait for it between two looks, and it learns what the processor does.

No accelerator is needed: :mod:`remote_device` behaves like one.
"""

import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits

import skvq
from skvq import (
    AutoEncoderTransformer,
    CausalTransformer,
    HierarchicalPixelCNN,
    MLPClassifier,
    MLPRegressor,
    OrderlessNADE,
    PixelCNN,
    ResidualCodes,
    VAETransformer,
    VectorCodes,
    VQVAETransformer,
)
from skvq.mlp.descent import Descent
from skvq.nn.quantizers.vector import CodebookQuantizer
from skvq.training.batches import LOOK_EVERY
from skvq.training.loop import Loop

sys.path.insert(0, str(Path(__file__).parent))
from remote_device import REMOTE, plain_steps, remote_device

DIGITS, LABELS = load_digits(return_X_y=True)
DIGITS, LABELS = DIGITS[:200], LABELS[:200]
IMAGES = DIGITS.reshape(-1, 8, 8)
CODES = (IMAGES[:, ::2, ::2] // 4.01).astype(int)
PAIRS = np.hstack([CODES[:, ::2, ::2].reshape(-1, 4), CODES.reshape(-1, 16)])
RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "number": RNG.normal(size=200),
        "word": RNG.choice(["a", "b", "c"], 200),
        "gaps": np.where(RNG.random(200) < 0.2, np.nan, RNG.normal(size=200)),
    }
)
SHORT = {"max_iter": 2, "random_state": 0, "batch_size": 50, "precision": "float32"}
SMALL = {"channels": 8, "n_layers": 1, **SHORT}
PREDICTOR = {"precision": "float64"}
DENSE = {"hidden_layer_sizes": (16,), **SHORT}
NOISY = {"noise": "gaussian", "dropout": 0.1, "contractive_weight": 0.1}


def codes(quantizer="vector", **parameters):
    """Return a small VQVAETransformer of images without a prior."""
    return VQVAETransformer(16, quantizer=quantizer, prior=None, channels=8, n_blocks=1, **(SHORT | parameters))


FAMILIES = {
    "autoencoder": (AutoEncoderTransformer(4, **NOISY, **DENSE), DIGITS),
    "autoencoder, sparse rows": (AutoEncoderTransformer(4, **DENSE), sparse.csr_matrix(DIGITS)),
    "autoencoder, convolutional": (AutoEncoderTransformer(4, network="convolutional", channels=8, **SHORT), IMAGES),
    "vae": (VAETransformer(3, n_mixture_components=2, **DENSE), DIGITS.astype(np.uint8)),
    "vae, mixed": (VAETransformer(2, n_mixture_components=2, **DENSE), TABLE),
    "running means": (codes(input_noise=0.1, augment=True), IMAGES.astype(np.uint8)),
    "gradient codebook": (codes(VectorCodes(codebook_update="gradient")), IMAGES),
    "linear map of a table": (codes(VectorCodes(codebook_update="simvq")), IMAGES),
    "residual": (codes(ResidualCodes(beam_size=4)), IMAGES),
    "finite scalar": (codes("finite_scalar").set_params(n_codes="auto"), IMAGES),
    "codes of a table": (VQVAETransformer(8, (3,), prior=None, **DENSE), TABLE),
    "pixelcnn": (PixelCNN(**SMALL), CODES),
    "pixelcnn, clusters": (PixelCNN(n_clusters=3, **SMALL), CODES),
    "hierarchical": (HierarchicalPixelCNN(((2, 2), (4, 4)), **SMALL), PAIRS),
    "transformer": (CausalTransformer(d_model=16, n_layers=1, n_heads=2, **SHORT), CODES),
    "nade": (OrderlessNADE(n_units=16, **SHORT), DIGITS[:, 18:22]),
}
# The processor has a kernel of its own for attention, which adds up in another order.
ROUNDING = {"transformer": 2e-3}
PREDICTORS = {
    "classifier": lambda: MLPClassifier((16,), max_grad_norm=1.0, **SHORT | PREDICTOR),
    "regressor": lambda: MLPRegressor(
        hidden_layer_sizes=(16,), normalization="batch", early_stopping=True, alpha=0.0, **SHORT | PREDICTOR
    ),
    "dropout": lambda: MLPClassifier((16,), dropout=0.1, solver="sgd", **SHORT | PREDICTOR),
}
ROOM = 1e9
# Batches of four rows, a few more than there are between two looks.
N_STEPS = LOOK_EVERY + 2
FEW = 4 * N_STEPS


def looks_at_every_step():
    """Let the device be looked at as often as the processor is."""
    return mock.patch.object(skvq.training.loop, "steps_between_looks", return_value=1)


def waits_between_steps(fit, trainer, device):
    """Return how often the host waited from the start of each step, of a Loop or Descent, to that of the next."""
    seen, step = [], trainer._step

    def watched(self, *args):
        seen.append(device.waits.total())
        return step(self, *args)

    with mock.patch.object(trainer, "_step", watched):
        fit()
    return np.diff(seen)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_host_waits_for_the_device_at_looks_only(name):
    model, X = FAMILIES[name]
    model = clone(model).set_params(batch_size=4, max_iter=1, device="meta", early_stopping=False)
    with remote_device(ROOM) as device:
        waits = waits_between_steps(lambda: model.fit(X[:FEW]), Loop, device)
    assert len(waits) == N_STEPS - 1
    assert np.flatnonzero(waits).tolist() == [LOOK_EVERY - 1]
    assert waits[LOOK_EVERY - 1] == 1  # for the losses of all steps since the last look


def test_the_groups_of_many_codes_are_counted_at_every_step():
    model = PixelCNN(n_codes=2000, device="meta", early_stopping=False, **SMALL | {"max_iter": 1, "batch_size": 4})
    with remote_device(ROOM) as device:
        waits = waits_between_steps(lambda: model.fit(CODES[:32]), Loop, device)
    assert waits.tolist() == [2] * 7  # for the counts, and to read them


@pytest.mark.parametrize("quantizer", ["vector", "residual"])
def test_codes_are_revived_at_looks(quantizer):
    model = codes(quantizer, batch_size=4, device="meta", early_stopping=False)
    dead_codes, looked = CodebookQuantizer.dead_codes, []

    def watched(self):
        looked.append(self)
        return dead_codes(self)

    with remote_device(ROOM) as device, mock.patch.object(CodebookQuantizer, "dead_codes", watched):
        waits = waits_between_steps(lambda: model.fit(IMAGES[:FEW]), Loop, device)
    assert looked
    assert np.flatnonzero(waits).tolist() == [LOOK_EVERY - 1, N_STEPS - 1, N_STEPS + LOOK_EVERY - 1]


@pytest.mark.parametrize("name", FAMILIES)
def test_the_device_learns_what_the_processor_does(name):
    model, X = FAMILIES[name]
    here, there = clone(model), clone(model).set_params(device="meta")
    with plain_steps():
        here.fit(X)
    with looks_at_every_step(), remote_device(ROOM, draws_of_the_host=True):
        there.fit(X)
        found = answers(there, X)
    rounding = ROUNDING.get(name, 1e-6)
    for weight, array in here.weights_.items():
        np.testing.assert_allclose(there.weights_[weight], array, rtol=rounding, atol=rounding, err_msg=weight)
    for method, answer in answers(here, X).items():
        assert_close(found[method], answer, rounding)


def answers(model, X):
    """Return what a fitted model says about rows, by method."""
    found = {"score": model.score(X)}
    if hasattr(model, "inverse_transform"):
        found["inverse_transform"] = model.inverse_transform(model.transform(X))
    if hasattr(model, "score_samples"):
        found["score_samples"] = model.score_samples(X)
    if hasattr(model, "sample"):
        found["sample"] = model.sample(3, random_state=0)
    return found


def assert_close(found, expected, rounding):
    """Compare arrays or frames, of which only columns of numbers are close, and others are equal."""
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected, rtol=rounding, atol=rounding)
    else:
        np.testing.assert_allclose(found, expected, rtol=rounding, atol=rounding)


@pytest.mark.parametrize("name", PREDICTORS)
def test_predictors_wait_for_the_device_at_looks_only(name):
    model = PREDICTORS[name]().set_params(batch_size=4, max_iter=1, early_stopping=False, device="meta")
    with remote_device(ROOM) as device:
        waits = waits_between_steps(lambda: model.fit(DIGITS[:FEW], LABELS[:FEW]), Descent, device)
    assert np.flatnonzero(waits).tolist() == [LOOK_EVERY - 1]
    assert waits[LOOK_EVERY - 1] == 1


@pytest.mark.parametrize("name", PREDICTORS)
@pytest.mark.parametrize("density", [None, 0.02, 0.3])
def test_predictors_learn_on_the_device_what_they_do_on_the_processor(name, density):
    X = DIGITS if density is None else sparse.random(200, 50, density=density, format="csr", random_state=0)
    fits = [{}] if isinstance(PREDICTORS[name](), MLPRegressor) else [{}, {"sample_weight": np.linspace(0, 1, 200)}]
    for options in fits:
        here = PREDICTORS[name]().fit(X, LABELS, **options)
        with remote_device(ROOM, draws_of_the_host=True):
            there = PREDICTORS[name]().set_params(device="meta").fit(X, LABELS, **options)
            predicted = there.predict(X)
        for array, expected in zip(there.coefs_ + there.intercepts_, here.coefs_ + here.intercepts_, strict=True):
            np.testing.assert_allclose(array, expected, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(there.loss_curve_, here.loss_curve_, rtol=1e-9)
        np.testing.assert_allclose(predicted, here.predict(X), rtol=1e-9)


def test_lbfgs_finds_on_the_device_what_it_does_on_the_processor():
    here = MLPRegressor(hidden_layer_sizes=(8,), solver="lbfgs", max_iter=5, precision="float64", random_state=0)
    there = clone(here).set_params(device="meta")
    here.fit(DIGITS, LABELS)
    with remote_device(ROOM):
        there.fit(DIGITS, LABELS)
    assert there.loss_ == pytest.approx(here.loss_, rel=1e-9)


def test_a_loss_that_is_not_finite_ends_a_fit_on_the_device_at_the_next_look():
    model = AutoEncoderTransformer(4, device="meta", early_stopping=False, **DENSE | {"learning_rate_init": 1e30})
    with remote_device(), pytest.raises(ValueError, match=r"the loss became \S+ in epoch \d+ at a learning rate of"):
        model.fit(DIGITS)
    assert not hasattr(model, "weights_")


def test_a_fit_on_the_device_goes_on_from_its_checkpoint_with_the_same_bits(tmp_path):
    model = VQVAETransformer(8, (3,), prior=None, device="meta", early_stopping=False, **DENSE)
    model.set_params(batch_size=16, max_iter=3)  # 21 steps
    X = DIGITS[:100, 18:22]
    step, calls = Loop._step, []

    def dies(self, *args):
        calls.append(self)
        if len(calls) == 18:
            raise ZeroDivisionError
        return step(self, *args)

    with remote_device(ROOM):
        undisturbed = clone(model).fit(X)
        model.set_params(checkpoint=tmp_path / "fit", checkpoint_interval=0.0)
        with mock.patch.object(Loop, "_step", dies), pytest.raises(ZeroDivisionError):
            model.fit(X)
        model.fit(X)
    assert undisturbed.history_ == model.history_
    for name, array in undisturbed.weights_.items():
        np.testing.assert_array_equal(model.weights_[name], array)


def test_what_was_fitted_on_the_device_works_on_the_processor():
    with remote_device():
        model = codes(device="meta").fit(IMAGES)
        there = model.transform(IMAGES)
        np.testing.assert_array_equal(model.set_params(device="cpu").transform(IMAGES), there)


def test_chunks_are_learned_from_on_the_device():
    model = AutoEncoderTransformer(4, device="meta", **NOISY, **DENSE | {"batch_size": 4})
    with remote_device() as device:
        waits = waits_between_steps(lambda: [model.partial_fit(DIGITS[:FEW]) for _ in range(2)], Loop, device)
    assert np.flatnonzero(waits).tolist() == [LOOK_EVERY - 1, N_STEPS - 1, N_STEPS + LOOK_EVERY - 1]


WAITS = {
    "a value": lambda x: x.sum().item(),
    "a truth": lambda x: bool((x > 0).any()),
    "a copy": lambda x: x.cpu(),
    "positions": lambda x: x.nonzero(),
    "a mask": lambda x: x[x > 0],
    "counts": lambda x: torch.bincount(x.long().flatten()),
    "an equation": lambda x: torch.linalg.solve(x @ x.T + torch.eye(3, device=REMOTE), x),
    "a copy to it": lambda x: torch.ones(3).to(REMOTE),
    "a new tensor": lambda x: torch.tensor([1.0], device=REMOTE),
}


@pytest.mark.parametrize("name", WAITS)
def test_the_device_knows_what_makes_its_host_wait(name):
    with remote_device() as device:
        x = torch.arange(12.0).view(3, 4).to(REMOTE, non_blocking=True)
        assert device.waits.total() == 0
        WAITS[name](x)
        assert device.waits.total() == 1


def test_the_device_refuses_what_accelerators_refuse():
    with remote_device():
        x = torch.ones(3, device=REMOTE)
        assert (x + torch.tensor(1.0)).cpu().tolist() == [2.0, 2.0, 2.0]  # scalars may be the host's
        with pytest.raises(RuntimeError, match=r"a tensor \(3,\) of the host among those of the device"):
            x + torch.ones(3)
        with pytest.raises(RuntimeError, match="a generator of the host"):
            torch.randn(3, device=REMOTE, generator=torch.Generator())

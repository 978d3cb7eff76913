"""Fit small models of every family, in two processes: ``two_processes.py folder names``, by itself or under torchrun.

What each of them reconstructs, or how likely it finds rows, is written to the folder.
"""

import json
import os
import signal
import sys
import time
import warnings
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits

from skvq import (
    AutoEncoderTransformer,
    CausalTransformer,
    HierarchicalPixelCNN,
    MLPRegressor,
    OrderlessNADE,
    PixelCNN,
    ResidualCodes,
    VAETransformer,
    VectorCodes,
    VQVAETransformer,
)
from skvq.training.loop import Loop

DIGITS, LABELS = load_digits(return_X_y=True)
DIGITS, LABELS = DIGITS[:201], LABELS[:201]  # batches of 50 and a last one of a single row
IMAGES = DIGITS.reshape(-1, 8, 8)
ROWS = DIGITS[:, 18:30]
TABLE = np.where(DIGITS[:, 18:22] > 15, np.nan, DIGITS[:, 18:22])
CODES = (IMAGES[:, ::2, ::2] // 4.01).astype(int)
PAIRS = np.hstack([CODES[:, ::2, ::2].reshape(-1, 4), CODES.reshape(-1, 16)])
SHORT = {"max_iter": 3, "random_state": 0, "batch_size": 50, "precision": "float32", "early_stopping": False}
OF_IMAGES = {"channels": 8, "n_blocks": 1, "prior": None, **SHORT}
OF_ROWS = {"hidden_layer_sizes": (16,), "prior": None, **SHORT}
OF_CODES = {"channels": 8, "n_layers": 1, **SHORT}


def still(kind, **parameters):
    """Return a kind of codes that are never put back among the data: a draw would tell one ulp from another."""
    return kind(revival_threshold=0.0, **parameters)


# A model and what it is fitted to.
MODELS = {
    "autoencoder": (AutoEncoderTransformer(4, dropout=0.1, **SHORT), IMAGES),
    "autoencoder, linear": (AutoEncoderTransformer(4, hidden_layer_sizes=(), **SHORT), DIGITS),
    "autoencoder, noisy": (AutoEncoderTransformer(4, noise="gaussian", **SHORT), IMAGES),
    "autoencoder, sparse": (
        AutoEncoderTransformer(4, sparsity="kl", contractive_weight=0.1, noise="masking", channels=8, **SHORT),
        IMAGES,
    ),
    "autoencoder, convolutional": (AutoEncoderTransformer(4, network="convolutional", channels=8, **SHORT), IMAGES),
    "autoencoder, held out": (AutoEncoderTransformer(4, **SHORT | {"early_stopping": True}), IMAGES),
    "vae": (VAETransformer(3, free_bits=0.05, prior="normal", **SHORT), IMAGES),
    "vae, features": (VAETransformer(2, likelihood="gaussian_per_feature", prior="normal", **SHORT), DIGITS),
    "vae, mixed": (VAETransformer(2, prior="normal", **SHORT), TABLE),
    "vqvae, means": (VQVAETransformer(8, quantizer=still(VectorCodes), **OF_ROWS), ROWS),
    "vqvae, gradient": (
        VQVAETransformer(8, quantizer=still(VectorCodes, codebook_update="gradient"), **OF_ROWS),
        ROWS,
    ),
    "vqvae, residual": (VQVAETransformer(8, quantizer=still(ResidualCodes), **OF_ROWS), ROWS),
    "vqvae, linear": (VQVAETransformer(16, quantizer=still(VectorCodes), **OF_IMAGES | {"n_blocks": 0}), IMAGES),
    "vqvae, muon": (VQVAETransformer(16, quantizer=still(VectorCodes), **OF_IMAGES), IMAGES),
    "vqvae, revival": (VQVAETransformer(64, quantizer=VectorCodes(revival_threshold=0.5), **OF_IMAGES), IMAGES),
    "pixelcnn": (PixelCNN(class_conditional=True, **OF_CODES), CODES, LABELS),
    "hierarchical": (HierarchicalPixelCNN(((2, 2), (4, 4)), **OF_CODES), PAIRS),
    "transformer": (CausalTransformer(**SHORT), CODES),
    "nade": (OrderlessNADE(n_units=16, **SHORT), TABLE),
    "both stages": (
        VQVAETransformer(
            16, quantizer=still(VectorCodes), **OF_IMAGES | {"n_blocks": 0, "prior": PixelCNN(**OF_CODES)}
        ),
        IMAGES,
    ),
    "without a seed": (AutoEncoderTransformer(4, **SHORT | {"random_state": None}), IMAGES),
    "regressor without a seed": (MLPRegressor(hidden_layer_sizes=(8,), max_iter=3), DIGITS, LABELS),
}


def findings(name, model):
    """Return what a model says of the rows that it was fitted to, by name."""
    X = MODELS[name][1]
    found = {"loss": np.array(model.loss_curve_)}
    if hasattr(model, "inverse_transform"):
        codes = model.transform(X)
        back = np.asarray(model.inverse_transform(codes), dtype=np.float64).reshape(len(codes), -1)
        found |= {"codes": codes, "reconstructions": back}
    elif hasattr(model, "predict"):
        found["predictions"] = model.predict(X)
    if hasattr(model, "score_samples"):
        found["log_likelihoods"] = model.score_samples(X)
    return found | {f"history {term}": np.array(values) for term, values in getattr(model, "history_", {}).items()}


def fitted(name, **parameters):
    """Return a fitted model, without its warnings."""
    model, *data = MODELS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return clone(model).set_params(**parameters).fit(*data)


def dies_after(n_steps, note):
    """Let this process write the file `note` and be killed in the middle of its training."""
    step, n_done = Loop._step, []

    def counted(self, *args):
        n_done.append(self)
        if len(n_done) > n_steps:
            note.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return step(self, *args)

    Loop._step = counted


def main(folder, rank, size, names, **parameters):
    """Fit as one of `size` processes, which find each other by a file."""
    torch.set_num_threads(1)
    attempt = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
    # A place of its own for each attempt: in that of torchrun gloo finds the addresses of processes that are dead.
    meeting = f"file://{folder}/group{attempt}"
    torch.distributed.init_process_group(
        "gloo", init_method=meeting, rank=rank, world_size=size, timeout=timedelta(seconds=60)
    )
    # DYING names, for each attempt, the process that dies and the steps after which it does: "0:21 1:4".
    deaths = [tuple(map(int, death.split(":"))) for death in os.environ.get("DYING", "").split()]
    if attempt < len(deaths) and deaths[attempt][0] == rank:
        dies_after(deaths[attempt][1], folder / f"process {rank} died")
    for name in names or MODELS:
        np.savez(folder / f"{name} {rank}.npz", **findings(name, fitted(name, **parameters)))
    torch.distributed.destroy_process_group()


def main_of_torchrun(folder, *names):
    """Fit as one of the processes that torchrun has started, with a checkpoint."""
    rank, size = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE"))
    main(folder, rank, size, names, checkpoint=folder / "fit", checkpoint_interval=0.0)


def main_of_forks(folder, *names):
    """Fit in two forks; print their exit statuses, and the seconds until both had ended, as a line of JSON."""
    from forks import run_in_forks  # beside this script

    started = time.monotonic()
    ended = run_in_forks(lambda rank: main(folder, rank, 2, names), 2)
    print(json.dumps({"statuses": [ended[0], ended[1]], "seconds": time.monotonic() - started}))  # noqa: T201


if __name__ == "__main__":
    start = main_of_torchrun if "TORCHELASTIC_RUN_ID" in os.environ else main_of_forks
    start(Path(sys.argv[1]), *sys.argv[2:])

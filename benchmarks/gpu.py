"""A GPU against the processor: seconds a step, waits of the host, equal results, sparse and large rows.

    python benchmarks/gpu.py                      # about ten minutes on a machine with CUDA
    python benchmarks/gpu.py --device cpu --small # the same parts, small, where there is none: does the script work?

What is measured is printed, and kept in gpu.json in the folder of --out. A part that fails is reported; the others go
on. The script ends with an error if any failed, or if results on the device are not those of the processor.

* Steps: milliseconds and rows a second of the last epoch of a fit, all that belongs to it included: batches, losses,
  the look at its end. "waits" is how often torch warns of a synchronisation in an epoch, divided by its steps.
* Results: a model that was fitted on the processor computes on the device; 99 % of what it reconstructs or predicts
  differs by less, in standard deviations (a vector that is as near to one code as to another may get either). "same
  bits" compares the weights of two fits on the device; "saved" is the share of values that a file brings back.
* Rows: sparse ones, and more than fit beside a network, kept on the device or sent there batch by batch.
"""

import argparse
import json
import tempfile
import time
import traceback
import warnings
from contextlib import nullcontext
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from _environment import print_environment
from scipy import sparse

import skvq
from skvq import (
    AutoEncoderTransformer,
    CausalTransformer,
    MLPClassifier,
    OrderlessNADE,
    PixelCNN,
    ResidualCodes,
    VAETransformer,
    VectorCodes,
    VQVAETransformer,
)
from skvq.mlp.descent import Descent
from skvq.training import on_device
from skvq.training.loop import Loop

BATCH_SIZES = (32, 128, 512, 2048, 4096)
# Seconds after which an epoch shows that larger batches would take too long.
LONGEST_EPOCH = 4.0
SHORT = {"random_state": 0, "precision": "float32"}


def images(n, seed=0):
    """Return smooth images (n, 28, 28), uint8."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(n, 6, generator=generator) @ torch.randn(6, 49, generator=torch.Generator().manual_seed(1))
    fine = torch.nn.functional.interpolate(coarse.view(n, 1, 7, 7), (28, 28), mode="bilinear")
    return (fine[:, 0].sigmoid() * 255).byte().numpy()


def table(n, seed=0):
    """Return rows (n, 20), float32, of five factors and noise."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n, 5)) @ np.random.default_rng(1).normal(size=(5, 20))
    return (np.tanh(factors) + 0.05 * rng.normal(size=(n, 20))).astype(np.float32)


def grids(n, seed=0):
    """Return grids of codes (n, 7, 7) below 64."""
    return images(n, seed)[:, ::4, ::4] // 4


def codes(quantizer="vector", **parameters):
    """Return a VQVAETransformer of 64 codes without a prior."""
    return VQVAETransformer(64, quantizer=quantizer, prior=None, early_stopping=False, **SHORT, **parameters)


HELD_OUT_NONE = {"early_stopping": False, **SHORT}
NETWORK = {"channels": 64, "n_blocks": 1}
# A model and its rows, by name.
FAMILIES = {
    "autoencoder, dense": (AutoEncoderTransformer(16, **HELD_OUT_NONE), images),
    "autoencoder, convolutional": (AutoEncoderTransformer(16, network="convolutional", **HELD_OUT_NONE), images),
    "autoencoder, noise and dropout": (
        AutoEncoderTransformer(16, noise="gaussian", dropout=0.1, **HELD_OUT_NONE),
        images,
    ),
    "vae": (VAETransformer(16, **HELD_OUT_NONE), images),
    "vq-vae, running means": (codes(**NETWORK), images),
    "vq-vae, gradient": (codes(VectorCodes(codebook_update="gradient"), **NETWORK), images),
    "vq-vae, residual": (codes(ResidualCodes(), **NETWORK), images),
    "vq-vae, table": (codes(), table),
    "pixelcnn": (PixelCNN(n_codes=64, **HELD_OUT_NONE), grids),
    "transformer": (CausalTransformer(n_codes=64, **HELD_OUT_NONE), grids),
    "nade": (OrderlessNADE(**HELD_OUT_NONE), table),
    "classifier": (MLPClassifier((256, 256), random_state=0), table),
}


def with_device(model, device, **parameters):
    """Return an unfitted copy of a model that computes on a device."""
    return type(model)(**(model.get_params(deep=False) | {"device": device} | parameters))


def target(model, X):
    """Return what a classifier is to learn of rows, the sign of the first column; None for other models."""
    return (X[:, 0] > 0).astype(int) if isinstance(model, MLPClassifier) else None


def fit(model, X, y=None):
    """Fit a model to rows and, where it is a classifier, to y or their :func:`target`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, target(model, X) if y is None else y)


class Epochs:
    """Times the epochs of a fit; in those after the second it counts how often torch warns of a synchronisation."""

    def __init__(self, device):
        self.device = device
        self.seconds, self.waits = [], []

    def watch(self, trainer):
        """Return a context in which the epochs of a Loop or Descent are watched."""
        train = trainer._train_epoch
        return mock.patch.object(trainer, "_train_epoch", lambda trained, *args: self._watched(train, trained, *args))

    def _watched(self, train, *args):
        counts = self.device == "cuda" and len(self.seconds) >= 2
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn") if counts else None
            synchronise(self.device)
            started = time.perf_counter()
            values = train(*args)
            torch.cuda.set_sync_debug_mode("default") if counts else None
            synchronise(self.device)
            self.seconds.append(time.perf_counter() - started)
        if counts:
            self.waits.append(sum("synchron" in str(warning.message) for warning in found))
        return values


def synchronise(device):
    """Wait for a device."""
    if device == "cuda":
        torch.cuda.synchronize()


def steps(report, device, batch_sizes, n_steps):
    """Measure the steps of every family, on the processor and on the device, by batch size."""
    print(f"\n{'steps':32s} {'device':6s} {'batch':>6s} {'ms a step':>10s} {'rows a second':>14s} {'waits':>6s}")
    for where in dict.fromkeys([device, "cpu"]):
        for name, (model, rows) in FAMILIES.items():
            for batch_size in batch_sizes:
                with report.part(f"steps, {name}, {where}, {batch_size}"):
                    X, epochs = rows(batch_size * n_steps), Epochs(where)
                    with epochs.watch(Loop), epochs.watch(Descent):
                        fit(with_device(model, where, batch_size=batch_size, max_iter=3 if where == "cuda" else 2), X)
                    seconds, waits = epochs.seconds[1] / n_steps, [n / n_steps for n in epochs.waits]
                    shown = f"{waits[0]:.2f}" if waits else "-"
                    report.put(ms=1e3 * seconds, rows_per_second=batch_size / seconds, waits_per_step=waits)
                    speed = f"{1e3 * seconds:10.2f} {batch_size / seconds:14.0f}"
                    print(f"{name:32s} {where:6s} {batch_size:6d} {speed} {shown:>6s}", flush=True)
                    if epochs.seconds[1] > LONGEST_EPOCH:
                        break


def answer(model, X):
    """Return what a model says about rows: reconstructions, log-likelihoods or outputs."""
    if hasattr(model, "inverse_transform"):
        return np.asarray(model.inverse_transform(model.transform(X)), dtype=np.float64)
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.score_samples(X)


def weights(model):
    """Return all learned arrays."""
    return list(model.weights_.values()) if hasattr(model, "weights_") else [*model.coefs_, *model.intercepts_]


def results(report, device, n_rows):
    """Compare what a device computes and learns with what the processor does."""
    print(f"\n{'results':32s} {'difference':>11s} {'score, cpu':>11s} {'device':>9s} {'same bits':>10s} {'saved':>6s}")
    for name, (model, rows) in FAMILIES.items():
        with report.part(f"results, {name}"), tempfile.TemporaryDirectory() as folder:
            X = rows(n_rows)
            y = target(model, X)
            here = fit(with_device(model, "cpu", max_iter=2), X)
            expected, score = answer(here, X), here.score(X, y)
            moved = answer(here.set_params(device=device), X)
            difference = float(np.quantile(np.abs(moved - expected), 0.99) / expected.std())
            there, again = (fit(with_device(model, device, max_iter=2), X) for _ in range(2))
            same = all(np.array_equal(a, b) for a, b in zip(weights(there), weights(again)))
            there.save(Path(folder) / "model")
            loaded = answer(skvq.load(Path(folder) / "model").set_params(device="cpu"), X)
            saved = float(np.mean(np.abs(loaded - answer(there, X)) < 1e-2 * expected.std()))
            found = there.score(X, y)
            report.put(difference=difference, score_cpu=score, score_device=found, same_bits=same, equal_loaded=saved)
            print(f"{name:32s} {difference:11.1e} {score:11.4f} {found:9.4f} {same!s:>10s} {saved:6.3f}", flush=True)
            report.require(difference < 2e-2 and saved > 0.99, f"{name}: the device computes something else")


def other_rows(report, device, n_rows):
    """Train on sparse rows, and on many rows that are kept on the device or sent batch by batch."""
    print("\nrows")
    X = sparse.random(5000, 300, density=0.02, format="csr", random_state=0, dtype=np.float32)
    y = np.asarray(X.sum(axis=1)).ravel() > 3
    for model in (MLPClassifier((32,), max_iter=3, **SHORT), AutoEncoderTransformer(8, max_iter=1, **SHORT)):
        with report.part(f"sparse rows, {type(model).__name__}"):
            fitted = [fit(with_device(model, where), X, y) for where in ("cpu", device)]
            scores = [each.score(X, y) for each in fitted]
            report.put(score_cpu=scores[0], score_device=scores[1])
            print(f"sparse, {type(model).__name__}: score {scores[0]:.4f} on the processor, {scores[1]:.4f} there")
    X = images(n_rows)
    for how in ("kept", "sent"):
        with report.part(f"large rows, {how}"):
            epochs = Epochs(device)
            room = nullcontext() if how == "kept" else mock.patch.object(on_device, "free_bytes", return_value=0)
            model = AutoEncoderTransformer(16, batch_size=512, max_iter=2, device=device, **HELD_OUT_NONE)
            with room, epochs.watch(Loop):
                fit(model, X)
            report.put(rows=n_rows, seconds=epochs.seconds)
            print(f"{n_rows} images of one byte a pixel, {how}: {epochs.seconds[-1]:.2f} s an epoch", flush=True)


class Report:
    """What was measured, by part, in a file that is complete after every part.

    Parameters
    ----------
    path : Path
    seconds : float
        From now on, after which no part begins.
    """

    def __init__(self, path, seconds):
        self.path = path
        self.until = time.perf_counter() + seconds
        self.found, self.name = {}, None
        self.failed = []

    def part(self, name):
        """Return the context of a part, whose errors are kept."""
        self.name = name
        return self

    def __enter__(self):
        if time.perf_counter() > self.until:
            raise TimeoutError(f"no time is left for {self.name}")

    def __exit__(self, kind, error, trace):
        if kind is None or not issubclass(kind, Exception):
            return False
        self.put(error=f"{kind.__name__}: {error}", where=traceback.format_exc()[-1000:])
        self.failed.append(self.name)
        print(f"{self.name} FAILED: {kind.__name__}: {error}", flush=True)
        return True

    def put(self, **values):
        """Keep what the present part found."""
        self.found[self.name] = self.found.get(self.name, {}) | values
        self.path.write_text(json.dumps(self.found, indent=1, default=float))

    def require(self, holds, text):
        """Raise AssertionError with a text unless something holds."""
        if not holds:
            raise AssertionError(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--seconds", type=float, default=560.0)
    parser.add_argument("--out", type=Path, default=Path())
    options = parser.parse_args()
    device, small = options.device, options.small
    report = Report(options.out / "gpu.json", options.seconds)
    print_environment()
    if device == "cuda":
        print(torch.cuda.get_device_name())
    try:
        results(report, device, 200 if small else 2000)
        other_rows(report, device, 2000 if small else 200_000)
        steps(report, device, (32,) if small else BATCH_SIZES, 2 if small else 25)
    except TimeoutError as error:
        print(error)
    print("\nfailed:", ", ".join(report.failed) or "nothing")
    raise SystemExit(bool(report.failed))


if __name__ == "__main__":
    main()

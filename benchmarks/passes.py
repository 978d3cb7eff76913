"""Rows that a pass without gradients takes at once: CPU seconds, peak memory, and whether the results are the same.

Passes are `transform`, `score` and the evaluation of held-out rows during training. One thread; the sizes take turns.

    OMP_NUM_THREADS=1 python benchmarks/passes.py [names of sets] [--sizes 32 64 128 256] [--rounds 3]
"""

import argparse
import functools
import time

import numpy as np
import torch
from _environment import print_environment

from skvq import AutoEncoderTransformer, VAETransformer, VQVAETransformer
from skvq.core import inference
from skvq.core.device import resolve_device, resolve_precision
from skvq.core.layout import layout_of
from skvq.training import batches
from skvq.training.loop import Loop, Settings


def images(size, n_channels, n):
    """Return images of smooth noise, uint8."""
    rng = np.random.default_rng(0)
    coarse = rng.random((n, size // 4, size // 4, n_channels))
    fine = np.kron(coarse, np.ones((1, 4, 4, 1))) + 0.1 * rng.random((n, size, size, n_channels))
    return (fine * 230).astype(np.uint8)


def table(n):
    """Return rows of 20 columns that six numbers make."""
    rng = np.random.default_rng(0)
    return np.tanh(rng.normal(size=(n, 6)) @ rng.normal(size=(6, 20))) + 0.1 * rng.normal(size=(n, 20))


# By name: the estimator, the rows it is fitted to, and the rows of a pass.
SETS = {
    "28": (VQVAETransformer, functools.partial(images, 28, 1), 512, 2048),
    "64": (VQVAETransformer, functools.partial(images, 64, 3), 256, 512),
    "96": (VQVAETransformer, functools.partial(images, 96, 3), 256, 512),
    "224": (VQVAETransformer, functools.partial(images, 224, 3), 64, 128),
    "table": (VQVAETransformer, table, 1_000, 3_072),
    "autoencoder 64": (AutoEncoderTransformer, functools.partial(images, 64, 3), 256, 512),
    "autoencoder table": (AutoEncoderTransformer, table, 2_000, 30_720),
    "VAE 28": (VAETransformer, functools.partial(images, 28, 1), 512, 2048),
    "VAE table": (VAETransformer, table, 2_000, 10_240),
}


def peak_of(call):
    """Return what a call returns, its CPU seconds, and by how many MB it raises the resident memory at its peak."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak starts anew
    before, started = memory("VmRSS"), time.process_time()
    found = call()
    return found, time.process_time() - started, memory("VmHWM") - before


def memory(name):
    """Return a figure of the memory of this process in MB."""
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith(name)).split()[1]) / 1024


def passes_of(model, X):
    """Return calls that pass all rows through a fitted model, by name."""
    passes = {"transform": lambda: model.transform(X), "score": lambda: model.score(X)}
    if isinstance(model, VQVAETransformer):
        layout = layout_of(model)
        start = model._start_again(torch.device("cpu"))
        objective = model._objective(start, torch.Generator(), augments=False)
        rows = layout.rows(layout.check(model, X), "cpu")
        precision = resolve_precision("auto", resolve_device("cpu"), pays=model.image_shape_ is not None)
        settings = Settings(1, 32, 1e-3, monitor="reconstruction", precision=precision)
        passes["held out"] = lambda: Loop(objective, rows, settings, torch.Generator()).mean_terms(rows)
    return passes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", default=list(SETS), help=", ".join(SETS))
    parser.add_argument("--sizes", nargs="+", type=int, default=[32, 64, 128, 256])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print_environment()
    original, chosen = batches.pass_size, [None]
    batches.pass_size = inference.pass_size = lambda shape: chosen[0] or original(shape)
    for name in options.sets:
        kind, make, n_fit, n = SETS[name]
        X = make(n)
        prior = {VQVAETransformer: {"prior": None}, VAETransformer: {"prior": "normal"}}.get(kind, {})
        model = kind(max_iter=1, random_state=0, **prior).fit(X[:n_fit])
        for what, call in passes_of(model, X).items():
            figures, results = {}, {}
            for _ in range(options.rounds):
                for size in options.sizes:
                    chosen[0] = size
                    results[size], seconds, peak = peak_of(call)
                    figures.setdefault(size, []).append((seconds, peak))
            same = [compared(results[options.sizes[-1]], results[size]) for size in options.sizes]
            cells = [
                f"{size}: {min(s for s, _ in found):.2f} s {max(p for _, p in found):.0f} MB"
                for size, found in figures.items()
            ]
            print(f"{name:18s} {what:10s} | {' | '.join(cells)} | differences {', '.join(same)}", flush=True)


def compared(wanted, found):
    """Return in a word how far a result is from the one of the largest size."""
    if isinstance(wanted, dict):
        wanted, found = np.array(list(wanted.values())), np.array(list(found.values()))
    if np.array_equal(wanted, found):
        return "none"
    if np.asarray(found).dtype.kind in "iu":
        return f"{np.mean(wanted != found):.1e} of the codes"
    return f"{np.max(np.abs(np.asarray(wanted) - np.asarray(found))):.1e}"


if __name__ == "__main__":
    main()

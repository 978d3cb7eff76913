"""Kill a fit at random moments (kill -9), make the same call again, and compare what it learned with a fit left alone.

    OMP_NUM_THREADS=1 python benchmarks/killed_fits.py --kills 10 --seed 0

A VQ-VAE of digits with its prior is fitted ten times; each of these fits is killed once, in the autoencoder, in what
comes between, or in the prior, and called again in a new process. About ten minutes on one core.
"""

import argparse
import os
import signal
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from _environment import print_environment
from fingerprints import digest
from sklearn.datasets import load_digits
from torch.optim.optimizer import register_optimizer_step_post_hook

from skvq import PixelCNN, VQVAETransformer

IMAGES = load_digits().images


def fit(checkpoint, interval, answer):
    """Fit; write to the file `answer` how many steps that took and a digest of what was learned."""
    steps = []
    register_optimizer_step_post_hook(
        lambda optimizer, *_: steps.append(1) if isinstance(optimizer, torch.optim.AdamW) else None
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = VQVAETransformer(
            64,
            channels=32,
            max_iter=3,
            prior=PixelCNN(channels=32, n_layers=2, max_iter=4),
            random_state=0,
            checkpoint=checkpoint,
            checkpoint_interval=interval,
        ).fit(IMAGES)
    Path(answer).write_text(f"{len(steps)} {digest(*learned(model))}")


def learned(value):
    """Yield all that a fit learned as arrays: the fitted attributes of an estimator, those of its prior among them."""
    if hasattr(value, "get_params"):
        value = {name: fitted for name, fitted in vars(value).items() if name.endswith("_")}
    if isinstance(value, dict):
        for name in sorted(value):
            yield np.frombuffer(str(name).encode(), np.uint8)
            yield from learned(value[name])
    else:
        found = np.asarray(value)
        yield np.frombuffer(repr(value).encode(), np.uint8) if found.dtype == object else found


def in_new_process(function, *args, seconds=None):
    """Call a function in a forked process, killed after so many seconds; return the signal that ended it, or 0."""
    child = os.fork()
    if child == 0:
        try:
            function(*args)
        finally:
            os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--interval", type=float, default=0.5, help="seconds between two checkpoints")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    arguments = parser.parse_args()
    print_environment()
    torch.set_num_threads(1)
    folder = Path(tempfile.mkdtemp())
    checkpoint, answer = folder / "fit.checkpoint", folder / "answer"

    started = time.monotonic()
    in_new_process(fit, None, arguments.interval, answer)
    seconds = time.monotonic() - started
    n_steps, expected = answer.read_text().split()
    print(f"left alone: {n_steps} steps in {seconds:.1f} s, {expected}\n")
    print("| killed after | files then | steps of the call that goes on | bits |")
    print("| --- | --- | --- | --- |")
    n_same = 0
    for moment in np.random.default_rng(arguments.seed).uniform(0.02, 0.98, size=arguments.kills) * seconds:
        ended_by = in_new_process(fit, checkpoint, arguments.interval, answer, seconds=moment)
        files = ", ".join(sorted(path.name.removeprefix("fit.") for path in folder.glob("fit.*"))) or "none"
        in_new_process(fit, checkpoint, arguments.interval, answer)
        steps, found = answer.read_text().split()
        n_same += found == expected
        when = f"{moment:.1f} s" if ended_by == signal.SIGKILL else "its end"
        print(f"| {when} | {files} | {steps} of {n_steps} | {'same' if found == expected else found} |", flush=True)
        assert list(folder.glob("fit.*")) == [], "a fit that has ended leaves no file"
    print(f"\n{n_same} of {arguments.kills} ended with the bits of the fit that was left alone")


if __name__ == "__main__":
    main()

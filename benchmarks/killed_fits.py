"""Kill a fit at random moments (kill -9), make the same call again, and compare what it learned with a fit left alone.

    OMP_NUM_THREADS=1 python benchmarks/killed_fits.py --kills 10 --seed 0

A VQ-VAE of digits with its prior is fitted ten times; each of these fits is killed once, in the autoencoder, in what
comes between, or in the prior, and called again in a new process. Seconds are those of the processor. A few minutes
of one core, on Linux.
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

from skvq import PixelCNN, VQVAETransformer
from skvq.training.optimizers import Optimizer

IMAGES = load_digits().images[:300]


def fit(checkpoint, interval, answer):
    """Fit; write to the file `answer` how many steps that took and a digest of what was learned."""
    steps = []
    step = Optimizer.step
    Optimizer.step = lambda *arguments: (steps.append(1), step(*arguments))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = VQVAETransformer(
            16,
            channels=16,
            max_iter=12,
            prior=PixelCNN(channels=16, n_layers=2, max_iter=24),
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


def in_new_process(function, *args, seconds=np.inf):
    """Call a function in a forked process, killed after so many seconds.

    Returns
    -------
    ended_by : int
        The signal that ended it, 0 if it came to its end.
    used : float
        Seconds of the processor that it took.
    """
    child = os.fork()
    if child == 0:
        function(*args)
        os._exit(0)
    while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if used_by(child) > seconds:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.002)
    _, status, used = os.wait4(child, 0)
    return os.WTERMSIG(status), used.ru_utime + used.ru_stime


def used_by(process):
    """Return the seconds of the processor that a process has taken."""
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--interval", type=float, default=0.1, help="seconds between two checkpoints")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    arguments = parser.parse_args()
    print_environment()
    torch.set_num_threads(1)
    folder = Path(tempfile.mkdtemp())
    checkpoint, answer = folder / "fit.checkpoint", folder / "answer"

    _, seconds = in_new_process(fit, None, arguments.interval, answer)
    n_steps, expected = answer.read_text().split()
    print(f"left alone: {n_steps} steps in {seconds:.2f} s, {expected}\n")
    print("| killed after | files then | steps of the call that goes on | bits |")
    print("| --- | --- | --- | --- |")
    n_same = 0
    for moment in np.random.default_rng(arguments.seed).uniform(0.05, 0.9, size=arguments.kills) * seconds:
        ended_by, used = in_new_process(fit, checkpoint, arguments.interval, answer, seconds=moment)
        files = ", ".join(sorted(path.name.removeprefix("fit.") for path in folder.glob("fit.*"))) or "none"
        in_new_process(fit, checkpoint, arguments.interval, answer)
        steps, found = answer.read_text().split()
        n_same += found == expected
        when = f"{used:.2f} s" if ended_by == signal.SIGKILL else "its end"
        print(f"| {when} | {files} | {steps} of {n_steps} | {'same' if found == expected else found} |", flush=True)
        assert list(folder.glob("fit.*")) == [], "a fit that has ended leaves no file"
    print(f"\n{n_same} of {arguments.kills} ended with the bits of the fit that was left alone")


if __name__ == "__main__":
    main()

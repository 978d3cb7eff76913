"""
Several processes
=================

The autoencoder of ``fashion_mnist.py`` trained by several processes, with a checkpoint, and compared with one process.

Run it with ``python examples/fashion_mnist_torchrun.py --output one.safetensors``, then with
``torchrun --nproc_per_node=2 --max-restarts=3 examples/fashion_mnist_torchrun.py --output two.safetensors --beside
one.safetensors``. Kill one of the two processes if you like (``kill -9``, or the option ``--killed-after 100``, by
which the last process kills itself after its 100th step): all of them start again, and go on from the checkpoint.
``--rows 6000 --epochs 3 --interval 5`` takes a few minutes.

All that is done for several processes is to call ``join`` before the fit.
"""

import argparse
import os
import signal
import tempfile
import time
from datetime import timedelta

import numpy as np
import torch
from _datasets import load_fashion_mnist

import skvq
from skvq.training.optimizers import Optimizer


def join():
    """Become a rank of those that torchrun has started; alone, do nothing."""
    if "WORLD_SIZE" not in os.environ:
        return
    # A file is their meeting place: a new one for each attempt, since the old one has the addresses of dead processes.
    place = f"skvq-{os.environ['TORCHELASTIC_RUN_ID']}-{os.environ['TORCHELASTIC_RESTART_COUNT']}"
    torch.distributed.init_process_group(
        "nccl" if torch.cuda.is_available() else "gloo",
        init_method=f"file://{tempfile.gettempdir()}/{place}",
        rank=int(os.environ["RANK"]),
        world_size=int(os.environ["WORLD_SIZE"]),
        timeout=timedelta(minutes=2),
    )


class Steps:
    """Take the time of the steps of training; kill this process after `last` of them, unless it was started again."""

    def __init__(self, last):
        self.last = last if os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0" else None
        self.times = []  # at the end of each step: by the clock, and seconds of the processor

    def watch(self):
        """Look at every step from now on. Only this needs what lies inside the package."""
        step = Optimizer.step

        def watched(*arguments):
            step(*arguments)
            self.times.append((time.perf_counter(), time.process_time()))
            if len(self.times) == self.last:
                os.kill(os.getpid(), signal.SIGKILL)

        Optimizer.step = watched

    def __str__(self):
        clock, processor = np.median(np.diff(self.times, axis=0), axis=0) * 1000
        return f"{len(self.times)} steps, each {clock:.0f} ms (median; {processor:.0f} ms of a processor)"


def run(X_train, X_test, model, output, *, killed_after=None, beside=None):
    """Fit, save to `output`, print steps and quality, and how far the model is from that in the file `beside`."""
    rank, size = (int(os.environ.get(name, default)) for name, default in (("RANK", "0"), ("WORLD_SIZE", "1")))
    steps = Steps(killed_after if rank == size - 1 else None)
    steps.watch()
    model.fit(X_train)
    model.save(output)  # of several processes the first one writes

    if rank == 0:
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        print(f"{size} processes, restart {attempt}: {steps}; test R² {model.score(X_test):.4f}")
        if beside is not None:
            compare(model, skvq.load(beside), X_test)


def compare(model, other, X):
    """Print how far two models are from each other."""
    codes, other_codes = model.transform(X), other.transform(X)
    apart = model.inverse_transform(codes) - other.inverse_transform(codes)
    relative = np.sqrt(np.mean(apart**2)) / np.std(X)
    print(f"equal codes: {(codes == other_codes).mean():.2%}; reconstructions differ by {relative:.1e} of their spread")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=60_000, help="training images to use")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--interval", type=float, default=60.0, help="seconds between two checkpoints")
    parser.add_argument("--killed-after", type=int, help="steps after which the last process kills itself, once")
    parser.add_argument("--output", default="fashion_mnist.safetensors", help="where the model goes")
    parser.add_argument("--beside", help="a model to compare with")
    arguments = parser.parse_args()
    join()
    X_train, _, X_test, _ = load_fashion_mnist()
    model = skvq.VQVAETransformer(
        prior=None,
        max_iter=arguments.epochs,
        batch_size=128,
        precision="float32",
        random_state=0,
        verbose=2,
        checkpoint=f"{arguments.output}.checkpoint",
        checkpoint_interval=arguments.interval,
    )
    X_train = X_train[: arguments.rows]
    run(X_train, X_test, model, arguments.output, killed_after=arguments.killed_after, beside=arguments.beside)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()

"""How near a training step is to what the processor can do: the share of its peak of products, and where time goes.

The peak is the best of matrix products of several sizes in the type that the step computes in. The products of a step
are counted by torch's own counter (a multiplication and an addition are two operations), and the rest of its time is
told by torch's profiler, which adds some of its own. Best of many steps, one thread.

    OMP_NUM_THREADS=1 python benchmarks/limit.py
"""

import statistics
import time
import warnings
from collections import Counter

import numpy as np
import torch
from _environment import print_environment
from sklearn.datasets import load_digits
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from _datasets import load_fashion_mnist  # isort: skip

from skvq import AutoEncoderTransformer, CausalTransformer, OrderlessNADE, PixelCNN, VAETransformer, VQVAETransformer
from skvq.training.loop import Loop

WARM_UP, TIMED, PROFILED = 5, 20, 5
# The first kind that has a word in the name of an operation is its kind.
KINDS = {
    "products": ("mm", "bmm", "conv", "linear"),
    "normalisation": ("norm",),
    "optimiser": ("adam", "foreach"),
    "copies": ("copy", "cat", "clone", "fill", "zero_", "index", "gather", "scatter", "stack", "select", "embedding"),
    "sums, functions": ("add", "mul", "sub", "div", "gelu", "relu", "sigmoid", "tanh", "sum", "mean", "softmax", "exp"),
}


def peak(dtype):
    """Return the most operations a second that a product of square matrices reaches."""
    rates = []
    for size in (256, 512, 1024, 2048):
        a, b = (torch.randn(size, size).to(dtype) for _ in range(2))
        out = torch.empty(size, size, dtype=dtype)
        for _ in range(max(3, 40 * 512 // size)):
            started = time.process_time()
            torch.mm(a, b, out=out)
            rates.append(2 * size**3 / (time.process_time() - started + 1e-9))
    return statistics.quantiles(rates, n=20)[-1]


class Watch:
    """Times the steps of a fit, counts the operations of one and profiles some; then it ends the fit."""

    def __init__(self):
        self.seconds, self.operations, self.shares, self.dtype = [], 0, {}, torch.float32

    def __call__(self, model, *data):
        """Fit the model until it has seen enough, and return this object."""
        step, self.n_steps = Loop._step, 0
        Loop._step = lambda loop, *arguments: self._watched(step, loop, *arguments)
        try:
            model.fit(*data)
        except StopIteration:
            pass
        finally:
            Loop._step = step
        return self

    def _watched(self, step, loop, *arguments):
        self.n_steps += 1
        self.dtype = getattr(torch, loop.settings.precision)
        if self.n_steps <= WARM_UP:
            return step(loop, *arguments)
        if self.n_steps == WARM_UP + 1:
            with FlopCounterMode(display=False) as counter:
                result = step(loop, *arguments)
            self.operations = counter.get_total_flops()
            return result
        if self.n_steps <= WARM_UP + 1 + TIMED:
            started = time.process_time()
            result = step(loop, *arguments)
            self.seconds.append(time.process_time() - started)
            return result
        with profile(activities=[ProfilerActivity.CPU]) as profiler:
            for _ in range(PROFILED):
                step(loop, *arguments)
        self.shares = shares(profiler)
        raise StopIteration


def shares(profiler):
    """Return the share of each kind of operation in the time that the profiler saw."""
    spent = Counter()
    for event in profiler.key_averages():
        name = event.key.lower()
        kind = next((kind for kind, words in KINDS.items() if any(word in name for word in words)), "other")
        spent[kind] += event.self_cpu_time_total
    return {kind: spent[kind] / sum(spent.values()) for kind in (*KINDS, "other")}


def cases():
    """Return by name a model and what it is fitted to."""
    images = load_fashion_mnist()[0][:2_000]
    rng = np.random.default_rng(0)
    table = rng.normal(size=(20_000, 6)) @ rng.normal(size=(6, 20)) + 0.3 * rng.normal(size=(20_000, 20))
    codes = rng.integers(256, size=(2_000, 7, 7))
    options = {"max_iter": 10, "random_state": 0}
    return {
        "VQVAETransformer, 28 × 28": (VQVAETransformer(prior=None, **options), images),
        "AutoEncoderTransformer, 28 × 28": (AutoEncoderTransformer(16, **options), images),
        "VAETransformer, 28 × 28": (VAETransformer(16, prior="normal", **options), images),
        "VQVAETransformer, 20 columns": (VQVAETransformer(prior=None, **options), table),
        "AutoEncoderTransformer, 20 columns": (AutoEncoderTransformer(6, **options), table),
        "OrderlessNADE, 64 columns": (OrderlessNADE(**options), load_digits().data),
        "PixelCNN, 7 × 7 of 256": (PixelCNN(256, **options), codes),
        "CausalTransformer, 7 × 7 of 256": (CausalTransformer(256, **options), codes),
    }


def main():
    torch.set_num_threads(1)
    print_environment()
    peaks = {dtype: peak(dtype) for dtype in (torch.float32, torch.bfloat16)}
    for dtype, rate in peaks.items():
        print(f"peak of products in {str(dtype)[6:]}: {rate / 1e9:.0f} billion operations a second")
    print(f"\n{'a step of':36s} {'in':>9s} {'ms':>7s} {'of peak':>8s}  shares of the time")
    for name, (model, data) in cases().items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seen = Watch()(model, data)
        rate = seen.operations / min(seen.seconds) / peaks[seen.dtype]
        parts = ", ".join(f"{kind} {share:.0%}" for kind, share in seen.shares.items() if share >= 0.01)
        print(f"{name:36s} {str(seen.dtype)[6:]:>9s} {1e3 * min(seen.seconds):7.2f} {rate:8.0%}  {parts}", flush=True)


if __name__ == "__main__":
    main()

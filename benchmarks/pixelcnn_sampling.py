"""Time sampling with cached rows against a loop of full forward passes on the same gated PixelCNN.

The loop is the textbook sampler: one full forward pass per position, of which the logits of that position are kept. It
is timed on a few evenly spaced positions and scaled up (every pass costs the same), since on a 28x28 grid the whole
loop takes minutes. Both are timed in turn, and medians are reported.

    python benchmarks/pixelcnn_sampling.py --threads 2
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from _environment import print_environment

from skvq.nn.grids.pixelcnn import GatedPixelCNN
from skvq.nn.grids.sampling import draw


def full_passes(model, codes, positions):
    """Seconds that the textbook sampler would take, from those of its steps at `positions`."""
    h, w = model.grid_shape
    uniform = torch.rand(len(codes), generator=torch.Generator().manual_seed(0))
    start = time.perf_counter()
    with torch.no_grad():
        for position in positions:
            draw(model(codes).flatten(1, 2)[:, position], uniform)
    return (time.perf_counter() - start) * h * w / len(positions)


def cached_rows(model, n):
    """Seconds that :meth:`GatedPixelCNN.sample` takes."""
    start = time.perf_counter()
    model.sample(n, generator=torch.Generator().manual_seed(0))
    return time.perf_counter() - start


def compare(grid_shape, n, options):
    """Print one line of the comparison."""
    generator = torch.Generator().manual_seed(0)
    sizes = {"channels": options.channels, "n_layers": options.n_layers, "kernel_size": options.kernel_size}
    model = GatedPixelCNN(options.n_codes, grid_shape, generator=generator, **sizes).eval()
    torch.nn.init.normal_(model.output.weight, 0.0, 0.1, generator=generator)
    codes = model.sample(n, generator=generator)
    with torch.no_grad():
        difference = (model(codes) - model.cached_logits(codes)).abs().max().item()
    count = grid_shape[0] * grid_shape[1]
    positions = [k * count // options.passes for k in range(options.passes)]
    full, cached = [], []
    for _ in range(options.repeats):
        full.append(full_passes(model, codes, positions))
        cached.append(cached_rows(model, n))
    full, cached = statistics.median(full), statistics.median(cached)
    grid = f"{grid_shape[0]}x{grid_shape[1]}"
    print(f"{grid:>6} {n:6d} {full:10.2f} {cached:10.3f} {full / cached:8.1f} {difference:12.1e}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--n-layers", type=int, default=2)
    parser.add_argument("--kernel-size", type=int, default=3)
    parser.add_argument("--n-codes", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--passes", type=int, default=3, help="full forward passes timed per repeat")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print_environment()
    print(f"{options.n_codes} codes, {options.channels} channels, {options.n_layers} layers, float32")
    print("  grid  batch  full (s)  cached (s)    ratio  max |difference|")
    for grid_shape, n in [((7, 7), 64), ((7, 7), 1024), ((28, 28), 64)]:
        compare(grid_shape, n, options)


if __name__ == "__main__":
    main()

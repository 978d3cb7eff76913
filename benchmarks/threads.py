"""One thread against all, by the size of the network: where `core/device.py` draws its line.

Training steps (forward, backward, fused Adam) of dense networks of growing width, one and all threads in turn; medians.

    python benchmarks/threads.py
"""

import statistics
import time

import torch
from _environment import print_environment
from torch import nn

BATCH = 128


def step_seconds(network, optimizer, x, n_threads, repeats=30):
    """Return the seconds of each of `repeats` training steps."""
    torch.set_num_threads(n_threads)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        optimizer.zero_grad()
        network(x).square().mean().backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    return seconds


def main():
    print_environment()
    threads = torch.get_num_threads()
    print(f"{'width':>6s} {'multiply-adds':>14s} {'1 thread ms':>12s} {f'{threads} threads ms':>13s} {'ratio':>6s}")
    for width in (32, 64, 128, 256, 384, 512, 768, 1024):
        network = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
        optimizer = torch.optim.Adam(network.parameters(), fused=True)
        x = torch.randn(BATCH, width)
        seconds = {1: [], threads: []}
        for _ in range(5):
            for n_threads in seconds:
                seconds[n_threads] += step_seconds(network, optimizer, x, n_threads)
        one, all_ = (1e3 * statistics.median(values) for values in seconds.values())
        print(f"{width:6d} {2 * BATCH * width**2:14.2e} {one:12.3f} {all_:13.3f} {one / all_:6.2f}", flush=True)


if __name__ == "__main__":
    main()

"""Extra memory of `fit` on a float64 array of 100,000 × 784, beyond X and the network.

Each fit runs in a fresh process, which prints by how much its peak memory rose over the state just before `fit`. What
the network itself takes (weights, optimiser, activations, torch's own buffers) is the same for 2,000 rows, so the
difference is what the rows cost.

    python benchmarks/memory.py
"""

import argparse
import resource
import subprocess
import sys

import numpy as np


def resident():
    """Return the resident memory of this process in MB."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def measure(n_rows, prior):
    """Print by how many MB a fit raises the peak memory of this process."""
    from skvq import VQVAETransformer

    rng = np.random.default_rng(0)
    X = np.empty((n_rows, 784))
    latent = rng.normal(size=(20, 784))
    for start in range(0, n_rows, 1000):
        X[start : start + 1000] = rng.normal(size=(min(1000, n_rows - start), 20)) @ latent
    before = resident()
    VQVAETransformer(max_iter=1, prior="pixelcnn" if prior else None, random_state=0).fit(X)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{peak - before:.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=None, help="measure one fit in this process")
    parser.add_argument("--prior", action="store_true", help="with the prior")
    arguments = parser.parse_args()
    if arguments.rows is not None:
        measure(arguments.rows, arguments.prior)
        return
    from _environment import print_environment

    print_environment()
    for options in ([], ["--prior"]):
        extra = {}
        for n_rows in (2_000, 100_000):
            command = [sys.executable, __file__, "--rows", str(n_rows), *options]
            extra[n_rows] = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        what = "autoencoder and prior" if options else "autoencoder"
        print(
            f"{what}: {extra[2_000]:.0f} MB extra for 2,000 rows, {extra[100_000]:.0f} MB for 100,000 "
            f"(X is {100_000 * 784 * 8 / 1e6:.0f} MB): the rows cost {extra[100_000] - extra[2_000]:.0f} MB"
        )


if __name__ == "__main__":
    main()

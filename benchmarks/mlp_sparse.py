"""From which share of non-zeros on are sparse rows faster as dense batches? (`SPARSE_DENSITY` of `training/gather.py`)

Prints milliseconds an epoch of MLPClassifier on random sparse rows, with products of sparse rows in the first layer and
with dense batches, in turns, medians; and scikit-learn's on the same rows.

    taskset -c 0 python benchmarks/mlp_sparse.py
"""

import argparse
import time
import warnings

import numpy as np
import sklearn.neural_network
import torch
from _environment import print_environment
from scipy import sparse
from threadpoolctl import threadpool_limits

import skvq
from skvq.mlp import gather

DENSITIES = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1)
EPOCHS = 2


def milliseconds(module, X, y):
    """Return the milliseconds that an epoch takes."""
    model = module.MLPClassifier(max_iter=EPOCHS, random_state=0)
    start = time.perf_counter()
    model.fit(X, y)
    return (time.perf_counter() - start) / EPOCHS * 1e3


def in_turns(X, y, rounds):
    """Return the medians of scikit-learn, sparse products and dense batches."""
    found = {"sklearn": [], "sparse": [], "dense": []}
    for _ in range(rounds):
        found["sklearn"].append(milliseconds(sklearn.neural_network, X, y))
        for name, density in (("sparse", 1.1), ("dense", 0.0)):
            gather.SPARSE_DENSITY = density
            found[name].append(milliseconds(skvq, X, y))
    return {name: float(np.median(values)) for name, values in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print_environment()
    print(f"{'rows':>14} {'density':>8} {'sklearn':>9} {'sparse':>9} {'dense':>9}   ms an epoch")
    rng = np.random.default_rng(0)
    with threadpool_limits(1):
        for n_columns in (300, 3_000, 30_000):
            for density in DENSITIES:
                X = sparse.random(4_000, n_columns, density, format="csr", rng=rng)
                y = rng.integers(0, 10, size=X.shape[0])
                found = in_turns(X, y, rounds)
                print(
                    f"4,000×{n_columns:<8,} {density:8.3f} {found['sklearn']:9.1f} {found['sparse']:9.1f} "
                    f"{found['dense']:9.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()

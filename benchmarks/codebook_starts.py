"""Centres for the start of a codebook: scikit-learn's k-means beside codebooks that grow, `skvq.vqvae.network`.

Mean squared distances of training and of other vectors to the nearest centre, and CPU milliseconds, means of three.

    python benchmarks/codebook_starts.py
"""

import time

import numpy as np
import torch
from _environment import print_environment
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.preprocessing import scale

from skvq.vqvae.network import distinct_vectors, grown_centres

SIZES, ROWS_PER_CODE, SEEDS = (16, 64, 256), (1.2, 5, 20), range(3)


def sets():
    """Return vectors (n, d), float32, by name."""
    random, digits = np.random.default_rng(0), load_digits().data
    found = {
        "strips of digits": digits[:, 16:20],
        "rows of digits": digits[:, 16:24],
        "digits": digits,
        "breast cancer": scale(load_breast_cancer().data),
        "diabetes": load_diabetes(scaled=False).data,
        "Gaussian": random.normal(size=(8000, 5)),
        "heavy tails": random.standard_t(2, size=(8000, 8)),
    }
    return {name: scale(vectors).astype(np.float32) for name, vectors in found.items()}


def exact(vectors, counts, n_codes, seed):
    """Return centres by k-means++ and Lloyd's iteration."""
    kmeans = KMeans(n_codes, n_init=1, max_iter=30, random_state=seed)
    return kmeans.fit(vectors, sample_weight=counts).cluster_centers_


def grown(vectors, counts, n_codes, seed):
    """Return the centres of a codebook that has grown."""
    return grown_centres(vectors, counts, n_codes, torch.Generator().manual_seed(seed))


def error(vectors, centres):
    """Return the mean squared distance to the nearest centre."""
    x, centres = torch.from_numpy(vectors), torch.from_numpy(np.asarray(centres, dtype=np.float32))
    return float(torch.cdist(x, centres).square().min(dim=1).values.mean())


def main():
    print_environment()
    print(f"{'vectors':18s} {'n':>6s} {'codes':>6s} {'k-means':>26s} {'grown':>26s}")
    for name, vectors in sets().items():
        for n_codes in SIZES:
            for n in (int(ratio * n_codes) for ratio in ROWS_PER_CODE):
                if n + 50 > len(vectors):
                    continue
                cells = []
                for find in (exact, grown):
                    figures = []
                    for seed in SEEDS:
                        order = np.random.default_rng(seed).permutation(len(vectors))
                        training, others = vectors[order[:n]], vectors[order[n : n + 2000]]
                        different, counts = distinct_vectors(training)
                        if len(different) <= n_codes:
                            break
                        started = time.process_time()
                        centres = find(different, counts, n_codes, seed)
                        milliseconds = 1000 * (time.process_time() - started)
                        figures.append((error(training, centres), error(others, centres), milliseconds))
                    if figures:
                        cells.append("{:8.4f} {:8.4f} {:5.0f} ms".format(*np.mean(figures, axis=0)))
                if len(cells) == 2:
                    print(f"{name:18s} {n:6d} {n_codes:6d} {cells[0]:>26s} {cells[1]:>26s}", flush=True)


if __name__ == "__main__":
    main()

"""Cross-validated R² of tables at equal bits: VQVAETransformer against faiss product quantisation.

R² is 1 - SSE / SST over all columns, standardised by the training fold, SST about the means of the test fold; averaged
over 3 folds and the seeds. 16 and 32 bits are 4 and 8 positions of 16 codes; nothing else is set. The pixels of the
digits are in one unit already, so they are measured a second time as they are, with ``standardize=False``: pixels that
are hardly ever set weigh as much as the others in the first of the two, and next to nothing in the second.

    python benchmarks/tables.py --seeds 3
"""

import argparse
import time

import numpy as np
from _environment import print_environment
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

from skvq import VQVAETransformer

SETS = {
    "wine": (load_wine, True),
    "breast cancer": (load_breast_cancer, True),
    "diabetes": (load_diabetes, True),
    "digits": (load_digits, True),
    "digits, one unit": (load_digits, False),
}
N_CODES = 16


def r2(X, X_hat):
    return r2_score(X, X_hat, multioutput="variance_weighted")


def product_quantisation(X_train, X_test, n_positions):
    """Return the test R² of faiss product quantisation, columns padded with zeros to a multiple of the positions."""
    import faiss

    padding = -X_train.shape[1] % n_positions
    train, test = (np.pad(X, ((0, 0), (0, padding))).astype(np.float32) for X in (X_train, X_test))
    quantizer = faiss.ProductQuantizer(train.shape[1], n_positions, int(np.log2(N_CODES)))
    quantizer.cp.min_points_per_centroid = 1
    quantizer.train(train)
    return r2(X_test, quantizer.decode(quantizer.compute_codes(test))[:, : X_test.shape[1]])


def evaluate(X, n_positions, seed, standardize):
    """Return the mean over folds of the test R² of both, and of the seconds of a fit."""
    results = []
    for train, test in KFold(3, shuffle=True, random_state=seed).split(X):
        scaler = StandardScaler(with_mean=standardize, with_std=standardize).fit(X[train])
        start = time.perf_counter()
        model = VQVAETransformer(N_CODES, (n_positions,), standardize=standardize, prior=None, random_state=seed)
        model.fit(X[train])
        seconds = time.perf_counter() - start
        reconstructed = model.inverse_transform(model.transform(X[test]))
        ours = r2(scaler.transform(X[test]), scaler.transform(reconstructed))
        theirs = product_quantisation(scaler.transform(X[train]), scaler.transform(X[test]), n_positions)
        results.append((ours, theirs, seconds))
    return np.mean(results, axis=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    print_environment("faiss-cpu")
    print(f"{'set':17s} {'bits':>4s} {'skvq':>7s} {'faiss PQ':>9s} {'seconds a fit':>14s}")
    for name, (load, standardize) in SETS.items():
        X = load().data / (1.0 if standardize else 16.0)
        for n_positions in (4, 8):
            runs = [evaluate(X, n_positions, seed, standardize) for seed in range(arguments.seeds)]
            ours, theirs, seconds = np.mean(runs, axis=0)
            print(f"{name:17s} {4 * n_positions:4d} {ours:7.4f} {theirs:9.4f} {seconds:14.1f}", flush=True)


if __name__ == "__main__":
    main()

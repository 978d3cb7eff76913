"""Discrete codes as features: accuracy of logistic regression on one-hot codes, all of the same number of bits.

    python benchmarks/code_features.py digits
    python benchmarks/code_features.py fashion_mnist --rows 60000
    python benchmarks/code_features.py fashion_mnist --codes codes.npz   # with `train` and `test`, of a fitted default

Every discretiser sees the training rows only, and no labels. Its codes become one-hot columns; the strength C of the
logistic regression, and where a method has several arrangements of the same bits the arrangement, are chosen by
cross-validated accuracy inside the training rows (one held-out sixth for Fashion-MNIST). Test accuracy is that of the
choice, fitted to all training rows: the mean over 5 stratified folds for the digits.

- ours: codes of `VQVAETransformer`, arrangements of `code_shape` and `n_codes`; of whole images, several models.
- KBinsDiscretizer: bins of pixels, or of means over neighbouring pixels, so that the bits come out equal.
- KMeans: labels of several clusterings of whole images, from different starts.
- product quantisation: k-means of each piece of an image (faiss), pieces cut from rows of pixels, or square patches.
- raw pixels, in [0, 1], for comparison: they are no codes.
"""

import argparse
import math
import time
import warnings

import faiss
import numpy as np
import torch
from _environment import print_environment
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit, cross_val_score
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder

from skvq import VectorCodes, VQVAETransformer

from _datasets import load_fashion_mnist  # isort: skip

STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0)


def ours(code_shape, n_codes, **options):
    """Codes of a VQVAETransformer; rows of pixels in one unit where `code_shape` is (m,)."""

    def codes(X, X_test):
        if len(code_shape) == 1:
            X, X_test = (part.reshape(len(part), -1) - X.mean() for part in (X, X_test))
        model = VQVAETransformer(n_codes, code_shape, prior=None, random_state=0, **options).fit(X)
        return model.transform(X), model.transform(X_test), model.n_codes_

    return codes


def several(n_models, code_shape, n_codes, **options):
    """Codes of several models side by side, each from its own start."""

    def codes(X, X_test):
        X, X_test = (part.reshape(len(part), -1) - X.mean() for part in (X, X_test))
        models = [
            VQVAETransformer(n_codes, code_shape, prior=None, random_state=seed, **options).fit(X)
            for seed in range(n_models)
        ]
        return *(np.hstack([model.transform(part) for model in models]) for part in (X, X_test)), n_codes

    return codes


def bins(n_bins, pool=(1, 1)):
    """Bins of every pixel, or of means over `pool` pixels."""

    def means(X):
        n, h, w = X.shape
        return X.reshape(n, h // pool[0], pool[0], w // pool[1], pool[1]).mean(axis=(2, 4)).reshape(n, -1)

    def codes(X, X_test):
        binned = KBinsDiscretizer(n_bins, encode="ordinal", strategy="kmeans", subsample=10_000, random_state=0)
        binned.fit(means(X))
        return *(binned.transform(means(part)).astype(int) for part in (X, X_test)), n_bins

    return codes


def clusterings(n_labels, n_codes):
    """Labels of several clusterings of whole images; each from a sample of at most 20 images a cluster."""

    def codes(X, X_test):
        rows, test = (part.reshape(len(part), -1).astype(np.float32) for part in (X, X_test))
        found = []
        for seed in range(n_labels):
            chosen = np.random.default_rng(seed).permutation(len(rows))[: 20 * n_codes]
            model = KMeans(n_codes, n_init=1, max_iter=10, random_state=seed).fit(rows[chosen])
            found.append((model.predict(rows), model.predict(test)))
        return *(np.stack(labels, axis=1) for labels in zip(*found)), n_codes

    return codes


def product_quantisation(n_pieces, n_bits, patch=None):
    """Codes of faiss's product quantiser; with `patch`, its pieces are patches of so many pixels, else runs of rows."""

    def pieces(X):
        n, h, w = X.shape
        if patch is not None:
            X = X.reshape(n, h // patch[0], patch[0], w // patch[1], patch[1]).transpose(0, 1, 3, 2, 4)
        return np.ascontiguousarray(X.reshape(n, -1), dtype=np.float32)

    def codes(X, X_test):
        rows, test = pieces(X), pieces(X_test)
        quantizer = faiss.ProductQuantizer(rows.shape[1], n_pieces, n_bits)
        quantizer.cp.min_points_per_centroid = 1  # it trains on any number; this only keeps it from warning
        quantizer.train(rows)
        return *(unpack(quantizer.compute_codes(part), n_pieces, n_bits) for part in (rows, test)), 2**n_bits

    return codes


def unpack(packed, n_pieces, n_bits):
    """Return the codes (n, n_pieces) of faiss's bytes, whose bits are laid end to end, the lowest first."""
    bits = np.unpackbits(packed, axis=1, bitorder="little")[:, : n_pieces * n_bits].reshape(len(packed), n_pieces, -1)
    return bits @ (1 << np.arange(n_bits))


def pixels(X, X_test):
    """Return raw pixels divided by their largest value; no codes."""
    return *(part.reshape(len(part), -1) / X.max() for part in (X, X_test)), None


def features(found):
    """Return training and test features: one-hot columns of codes, or values as they are."""
    codes, codes_test, n_codes = found
    if n_codes is None:
        return codes, codes_test
    encoder = OneHotEncoder(categories=[np.arange(n_codes)] * codes.shape[1])
    return encoder.fit_transform(codes), encoder.transform(codes_test)


def best_strength(A, y, inner):
    """Return the accuracy inside the training rows, and the strength that reaches it."""
    scores = {C: cross_val_score(LogisticRegression(C=C, max_iter=200), A, y, cv=inner).mean() for C in STRENGTHS}
    C = max(scores, key=scores.get)
    return scores[C], C


def accuracy(arrangements, X, y, X_test, y_test, inner, verbose):
    """Return the test accuracy of the arrangement and strength that are best inside the training rows, and its name."""
    found = []
    for name, codes in arrangements.items():
        start = time.process_time()
        A, A_test = features(codes(X, X_test))
        inside, C = best_strength(A, y, inner)
        found.append((inside, C, name, A, A_test))
        if verbose:
            seconds = time.process_time() - start
            print(f"  {name}: {inside:.4f} inside the training rows, C = {C}, {seconds:.0f} CPU s", flush=True)
    _, C, name, A, A_test = max(found, key=lambda one: one[0])
    return LogisticRegression(C=C, max_iter=200).fit(A, y).score(A_test, y_test), name


def digits_methods():
    """Arrangements of 64 bits for images of 8 × 8 pixels, and of the 8 bits of one code of a whole image."""
    whole = {"quantizer": VectorCodes(code_dim=32), "hidden_layer_sizes": (), "standardize": False, "max_iter": 10}
    mine = {
        "16 of 16, patches": ours((4, 4), 16, n_blocks=0),
        "8 of 256, patches": ours((4, 2), 256, n_blocks=0),
        "8 of 256, models of whole images": several(8, (1,), 256, **whole),
    }
    return {
        "ours": mine,
        "ours, 8 bits": {"1 of 256": ours((1,), 256, **whole)},
        "KBinsDiscretizer": {
            "64 pixels in 2 bins": bins(2),
            "32 means in 4 bins": bins(4, (1, 2)),
            "16 means in 16 bins": bins(16, (2, 2)),
        },
        "KMeans labels": {"16 of 16": clusterings(16, 16), "8 of 256": clusterings(8, 256)},
        "KMeans labels, 8 bits": {"1 of 256": clusterings(1, 256)},
        "product quantisation": {
            "16 of 16, rows": product_quantisation(16, 4),
            "16 of 16, patches": product_quantisation(16, 4, (2, 2)),
            "8 of 256, rows": product_quantisation(8, 8),
            "8 of 256, patches": product_quantisation(8, 8, (2, 4)),
        },
        "raw pixels": {"64 values": pixels},
    }


def fashion_methods(saved):
    """Arrangements of 392 bits for images of 28 × 28 pixels."""
    if saved is None:
        mine = {"7 × 7 of 256": ours((7, 7), 256)}
    else:
        with np.load(saved) as file:
            codes = file["train"], file["test"], 256
        mine = {"7 × 7 of 256": lambda X, X_test: (codes[0][: len(X)], codes[1], codes[2])}
    return {
        "ours": mine,
        "KBinsDiscretizer": {"196 means in 4 bins": bins(4, (2, 2))},
        "KMeans labels": {"49 of 256": clusterings(49, 256)},
        "product quantisation": {
            "49 of 256, rows": product_quantisation(49, 8),
            "49 of 256, patches": product_quantisation(49, 8, (4, 4)),
        },
        "raw pixels": {"784 values": pixels},
    }


def run_digits(options):
    X, y = load_digits(return_X_y=True)
    X = X.reshape(-1, 8, 8)
    folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(X, y))
    inner = StratifiedKFold(3, shuffle=True, random_state=0)
    print("64 bits where nothing is said\n| features | accuracy, mean of 5 folds | ± | chosen |")
    print("| --- | --- | --- | --- |", flush=True)
    for method, arrangements in digits_methods().items():
        if method not in options.methods:
            continue
        runs = [
            accuracy(arrangements, X[train], y[train], X[test], y[test], inner, options.verbose)
            for train, test in folds
        ]
        scores, chosen = [score for score, _ in runs], sorted({name for _, name in runs})
        spread = np.std(scores, ddof=1) / math.sqrt(len(scores))
        print(f"| {method} | {np.mean(scores):.4f} | {spread:.4f} | {'; '.join(chosen)} |", flush=True)


def run_fashion_mnist(options):
    X, y, X_test, y_test = load_fashion_mnist()
    X, y = X[: options.rows], y[: options.rows]
    inner = StratifiedShuffleSplit(1, test_size=1 / 6, random_state=0)
    print(f"{len(X)} training images, 392 bits\n| features | test accuracy | chosen |\n| --- | --- | --- |", flush=True)
    for method, arrangements in fashion_methods(options.codes).items():
        if method not in options.methods:
            continue
        score, name = accuracy(arrangements, X, y, X_test, y_test, inner, options.verbose)
        print(f"| {method} | {score:.4f} | {name} |", flush=True)


METHODS = (
    "ours",
    "ours, 8 bits",
    "KBinsDiscretizer",
    "KMeans labels",
    "KMeans labels, 8 bits",
    "product quantisation",
    "raw pixels",
)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=("digits", "fashion_mnist"))
    parser.add_argument("--rows", type=int, default=60_000, help="training rows of Fashion-MNIST")
    parser.add_argument("--codes", help="saved codes of the default on Fashion-MNIST, instead of a fit")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--verbose", action="store_true", help="print every arrangement")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    faiss.omp_set_num_threads(options.threads)
    warnings.filterwarnings(
        "ignore", "lbfgs failed|Feature .* is constant|Bins whose width|Number of distinct clusters"
    )
    print_environment("faiss-cpu")
    {"digits": run_digits, "fashion_mnist": run_fashion_mnist}[options.data](options)


if __name__ == "__main__":
    main()

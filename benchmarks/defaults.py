"""`VQVAETransformer().fit(X)` with no argument, every warning an error, on images and tables of many kinds.

Prints what the default chose, the R² on held-out rows, and the CPU seconds of a whole fit with its prior.

    python benchmarks/defaults.py                 # all sets
    python benchmarks/defaults.py digits wine     # some
"""

import argparse
import time
import warnings

import numpy as np
from _environment import print_environment

from _datasets import load_colour_patches, load_fashion_mnist  # isort: skip
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine, make_blobs
from sklearn.model_selection import train_test_split

from skvq import VQVAETransformer


def split(X):
    return train_test_split(X, test_size=0.25, random_state=0)


def many_rows():
    rng = np.random.default_rng(0)
    X, _ = make_blobs(100_000, n_features=20, centers=50, random_state=0)
    return split(X @ rng.normal(size=(20, 20)))


def fashion_mnist():
    X_train, _, X_test, _ = load_fashion_mnist()
    return X_train, X_test


SETS = {
    "digits": lambda: split(load_digits().images),
    "wine": lambda: split(load_wine().data),
    "breast_cancer": lambda: split(load_breast_cancer().data),
    "diabetes": lambda: split(load_diabetes(scaled=False).data),
    "thirty_rows": lambda: split(load_wine().data[::4][:40]),
    "colour_patches": load_colour_patches,
    "100000_rows": many_rows,
    "fashion_mnist": fashion_mnist,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", default=list(SETS), help=", ".join(SETS))
    arguments = parser.parse_args()
    warnings.simplefilter("error")
    print_environment()
    print(f"{'set':15s} {'X':>18s} {'codes':>14s} {'epochs':>7s} {'test R²':>8s} {'usage':>6s} {'seconds':>8s}")
    for name in arguments.sets:
        X_train, X_test = SETS[name]()
        start = time.process_time()
        model = VQVAETransformer().fit(X_train)
        seconds = time.process_time() - start
        model.sample(3)
        shape = " x ".join(map(str, X_train.shape))
        codes = f"{' x '.join(map(str, model.code_shape_))} of {model.n_codes_}"
        print(
            f"{name:15s} {shape:>18s} {codes:>14s} {model.n_iter_:7d} {model.score(X_test):8.4f} "
            f"{model.codebook_usage_:6.1%} {seconds:8.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()

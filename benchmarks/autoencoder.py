"""AutoEncoderTransformer with its defaults beside PCA of the same number of components: R² on rows not trained on.

PCA sees the same standardised values: images by one mean and scale, tables column by column.

    python benchmarks/autoencoder.py tables     # cross-validated, 3 folds, 3 seeds
    python benchmarks/autoencoder.py digits     # as images and as a table, cross-validated, 3 folds
    python benchmarks/autoencoder.py fashion    # Fashion-MNIST, 16 and 64 components, on its test images
"""

import argparse
import time

import numpy as np
from _environment import print_environment
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold

from skvq import AutoEncoderTransformer

from _datasets import load_fashion_mnist  # isort: skip

TABLES = {
    "wine": lambda: load_wine().data,
    "breast cancer": lambda: load_breast_cancer().data,
    "diabetes": lambda: load_diabetes(scaled=False).data,
}


def pca_r2(n_components, X_train, X_test):
    """Return the R² of PCA on test rows, where rows that are images are standardised as a whole."""
    axis = 0 if X_train.ndim == 2 else None
    shift, scale = X_train.mean(axis=axis), X_train.std(axis=axis)
    scale = np.where(scale > 0, scale, 1.0)
    train, test = (((X - shift) / scale).reshape(len(X), -1) for X in (X_train, X_test))
    pca = PCA(n_components, svd_solver="full" if train.shape[1] < 100 else "covariance_eigh").fit(train)
    return r2_score(test, pca.inverse_transform(pca.transform(test)), multioutput="variance_weighted")


def cross_validate(name, X, n_components, n_seeds=3):
    """Print the mean R² of both over folds and seeds, and how their difference varies."""
    ours, pca, seconds = [], [], 0.0
    for seed in range(n_seeds):
        for train, test in KFold(3, shuffle=True, random_state=seed).split(X):
            start = time.perf_counter()
            model = AutoEncoderTransformer(n_components, random_state=seed).fit(X[train])
            seconds += time.perf_counter() - start
            ours.append(model.score(X[test]))
            pca.append(pca_r2(model.n_components_, X[train], X[test]))
    difference = np.subtract(ours, pca)
    print(
        f"{name:14s} {model.n_components_:3d} components: {np.mean(ours):.4f}, PCA {np.mean(pca):.4f}, difference "
        f"{difference.mean():+.4f} ± {difference.std(ddof=1) / np.sqrt(len(ours)):.4f}, better in "
        f"{np.sum(difference > 0)} of {len(ours)} folds, {seconds / len(ours):.1f} s a fit",
        flush=True,
    )


def fashion(n_components, n_rows):
    X_train, _, X_test, _ = load_fashion_mnist()
    X_train = X_train[:n_rows]
    start = time.perf_counter()
    model = AutoEncoderTransformer(n_components, random_state=0).fit(X_train)
    seconds = time.perf_counter() - start
    print(
        f"Fashion-MNIST {n_components:3d} components: {model.score(X_test):.4f}, PCA "
        f"{pca_r2(n_components, X_train, X_test):.4f}, {model.n_iter_} epochs, {seconds:.0f} s",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("tables", "digits", "fashion"))
    parser.add_argument("--rows", type=int, default=60_000, help="training images of Fashion-MNIST")
    arguments = parser.parse_args()
    print_environment()
    if arguments.what == "tables":
        for name, load in TABLES.items():
            for n_components in ("auto", 2):
                cross_validate(name, load(), n_components)
    elif arguments.what == "digits":
        for n_components in (8, 16, 32):
            cross_validate("digits", load_digits().images, n_components, n_seeds=1)
        cross_validate("digits, table", load_digits().data, 16, n_seeds=1)
    else:
        for n_components in (16, 64):
            fashion(n_components, arguments.rows)


if __name__ == "__main__":
    main()

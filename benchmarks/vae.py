"""VAETransformer against densities over the same rows: probabilistic PCA, and a Gaussian mixture on components of PCA.

All figures are mean log-densities (of the VAE: lower bounds) in nats per held-out row, in the units of X. The mixture
has 20 full covariances on 50 principal components, whose residual is isotropic Gaussian noise of one variance; so all
three are densities over the same values with one scalar noise variance.

    python benchmarks/vae.py                      # everything: half an hour on a core
    python benchmarks/vae.py closed_form tables   # some of: closed_form, tables, digits, fashion_mnist
"""

import argparse
import time

import numpy as np
from _environment import print_environment

from _datasets import load_fashion_mnist  # isort: skip
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import KFold, train_test_split
from sklearn.preprocessing import StandardScaler

from skvq import VAETransformer

TABLES = {
    "wine": load_wine,
    "breast cancer": load_breast_cancer,
    "diabetes": load_diabetes,
    "digits": load_digits,
}
IMPORTANCE_SAMPLES = (1, 10, 100)


def probabilistic_pca(X_train, X_test, n_components, *, standardize):
    """Return the mean log-density of the test rows under `sklearn.decomposition.PCA`, in the units of X."""
    scaler = StandardScaler(with_mean=standardize, with_std=standardize).fit(X_train)
    pca = PCA(n_components).fit(scaler.transform(X_train))
    log_scale = np.log(scaler.scale_).sum() if standardize else 0.0
    return pca.score(scaler.transform(X_test)) - log_scale


def mixture_on_components(X_train, X_test, n_components=50, n_mixture_components=20):
    """Return the mean log-density of the test rows under the mixture times isotropic noise off the components."""
    pca = PCA(n_components).fit(X_train)
    Z_train, Z_test = pca.transform(X_train), pca.transform(X_test)
    n_others = X_train.shape[1] - n_components
    variance = np.square(X_train - pca.inverse_transform(Z_train)).sum(axis=1).mean() / n_others
    mixture = GaussianMixture(n_mixture_components, random_state=0).fit(Z_train)
    squared_residual = np.square(X_test - pca.inverse_transform(Z_test)).sum(axis=1)
    noise = -0.5 * (squared_residual / variance + n_others * np.log(2 * np.pi * variance))
    return (mixture.score_samples(Z_test) + noise).mean()


def closed_form(arguments):
    """Linear Gaussian VAE against PCA.score, on the rows that both were fitted to."""
    print("\nlinear VAE and probabilistic PCA, nats per training row")
    print(f"{'set':14s} {'k':>3s} {'standardised':>13s} {'PCA.score':>11s} {'VAE':>11s} {'difference':>11s}")
    for name in ("wine", "breast cancer", "digits"):
        X = TABLES[name]().data
        for k in (2, 4, 8):
            for standardize in (True, False):
                expected = probabilistic_pca(X, X, k, standardize=standardize)
                model = VAETransformer(k, hidden_layer_sizes=(), standardize=standardize, random_state=0).fit(X)
                found = model.score(X)
                difference = abs(found / expected - 1)
                print(
                    f"{name:14s} {k:3d} {standardize!s:>13s} {expected:11.4f} {found:11.4f} {difference:11.1e}",
                    flush=True,
                )


def tables(arguments):
    """Default VAE against probabilistic PCA with as many components, three folds."""
    print("\ndefault VAE on tables, nats per held-out row, mean of 3 folds and the seeds")
    print(f"{'set':14s} {'k':>3s} {'prob. PCA':>11s} {'VAE':>11s} {'seconds a fit':>14s}")
    for name, load in TABLES.items():
        X = load().data
        found = []
        for seed in range(arguments.seeds):
            for train, test in KFold(3, shuffle=True, random_state=seed).split(X):
                start = time.perf_counter()
                model = VAETransformer(random_state=seed).fit(X[train])
                seconds = time.perf_counter() - start
                k = model.n_components_
                expected = probabilistic_pca(X[train], X[test], k, standardize=True)
                found.append((expected, model.score(X[test]), seconds))
        expected, ours, seconds = np.mean(found, axis=0)
        print(f"{name:14s} {k:3d} {expected:11.3f} {ours:11.3f} {seconds:14.1f}", flush=True)


def images(X_train, X_test, sizes, n_bound):
    """Default VAE against both references on images; the importance-weighted bound on the first `n_bound` of them."""
    rows_train, rows_test = (X.reshape(len(X), -1).astype(np.float64) for X in (X_train, X_test))
    start = time.perf_counter()
    mixture = mixture_on_components(rows_train, rows_test)
    print(f"Gaussian mixture on 50 components: {mixture:.1f} after {time.perf_counter() - start:.0f} s", flush=True)
    for k in sizes:
        reference = probabilistic_pca(rows_train, rows_test, k, standardize=False)
        start = time.perf_counter()
        model = VAETransformer(k, random_state=0).fit(X_train)
        seconds = time.perf_counter() - start
        bounds = [model.score_samples(X_test[:n_bound], n_importance_samples=s).mean() for s in IMPORTANCE_SAMPLES]
        listed = ", ".join(f"{s}: {bound:.2f}" for s, bound in zip(IMPORTANCE_SAMPLES, bounds))
        print(
            f"{k:3d} components: probabilistic PCA {reference:.1f}, VAE {model.score(X_test):.1f} after {seconds:.0f} "
            f"s and {model.n_iter_} epochs, {model.n_active_components_} active, divergence "
            f"{model.kl_per_component_.sum():.1f}, noise variance {model.noise_variance_:.4f}\n"
            f"    first {n_bound} rows: ELBO {model.score(X_test[:n_bound]):.2f}, importance-weighted with {listed}",
            flush=True,
        )


def digits(arguments):
    """8 × 8 digits, a quarter of them held out."""
    print("\ndigits, nats per held-out image")
    X_train, X_test = train_test_split(load_digits().images, test_size=0.25, random_state=0)
    images(X_train, X_test, (2, 8, 16), len(X_test))


def fashion_mnist(arguments):
    """Fashion-MNIST, its own test set."""
    print("\nFashion-MNIST, nats per test image")
    X_train, _, X_test, _ = load_fashion_mnist()
    images(X_train, X_test, (16, 64), 1_000)


SECTIONS = {"closed_form": closed_form, "tables": tables, "digits": digits, "fashion_mnist": fashion_mnist}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", default=list(SECTIONS), help=", ".join(SECTIONS))
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    print_environment()
    for name in arguments.sections:
        SECTIONS[name](arguments)


if __name__ == "__main__":
    main()

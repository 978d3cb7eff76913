"""VAETransformer against densities over the same rows: probabilistic PCA, and a Gaussian mixture on components of PCA.

All figures are mean log-densities (of the VAE: lower bounds) in nats per held-out row, in the units of X. The mixture
has 20 full covariances on 50 principal components, whose residual is isotropic Gaussian noise of one variance; so all
three are densities over the same values with one scalar noise variance.

    python benchmarks/vae.py                      # everything: half an hour on a core
    python benchmarks/vae.py closed_form tables   # some of the sections

`samples` compares what the prior of z makes of samples: images by the figures of `samples.py`, beside a mixture and a
kernel density on principal components; rows of tables by the AUC of a forest that tells them from held-out ones (0.5 is
perfect) and by the median ratio of the standard deviations of drawn and held-out columns. `components` compares numbers
of components, `budgets` epochs and dropout, on held-out images. Seconds there are CPU seconds.
"""

import argparse
import copy
import time

import numpy as np
from _environment import print_environment

from _datasets import load_colour_patches, load_fashion_mnist  # isort: skip
from mixed_tables import load_table
from samples import Generators, Judge
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine, make_blobs
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import KFold, train_test_split
from sklearn.preprocessing import StandardScaler

from skvq import AutoEncoderTransformer, VAETransformer
from skvq.metrics import two_sample_auc

TABLES = {
    "wine": load_wine,
    "breast cancer": load_breast_cancer,
    "diabetes": load_diabetes,
    "digits": load_digits,
}
# Images that are drawn for a Fréchet distance.
N_DRAWN = 10_000
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
                linear = {"hidden_layer_sizes": (), "prior": "normal", "random_state": 0}
                model = VAETransformer(k, standardize=standardize, **linear).fit(X)
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


def load_labelled(name):
    """Return training images, their labels, and test images; patches are labelled by their grey."""
    if name == "digits":
        data = load_digits()
        X_train, X_test, y_train, _ = train_test_split(data.images, data.target, test_size=0.25, random_state=0)
        return X_train, y_train, X_test
    if name == "colour patches":
        X_train, X_test = load_colour_patches(16, 8)
        grey = X_train.mean(axis=(1, 2, 3))
        return X_train, np.digitize(grey, np.quantile(grey, [0.25, 0.5, 0.75])), X_test
    n_rows = int(name.split()[-1])
    X_train, y_train, X_test, _ = load_fashion_mnist()
    X_train, y_train = X_train[:n_rows], y_train[:n_rows]
    if name.startswith("halved"):
        X_train, X_test = (X.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)) for X in (X_train, X_test))
    return X_train, y_train, X_test


IMAGES = ("digits", "fashion 4000", "halved fashion 4000", "colour patches", "fashion 60000")


def fit_timed(model, X):
    """Return the fitted model and the CPU seconds of its fit."""
    start = time.process_time()
    return model.fit(X), time.process_time() - start


def n_gaussians(model):
    """Return the number of Gaussians beside N(0, I) in the prior of a VAE."""
    return model.mixture_.n_components - 1 if hasattr(model, "mixture_") else 0


def bounds(model, X):
    """Return the ELBO of X under the prior of the model, and under N(0, I)."""
    plain = copy.copy(model)
    plain.__dict__.pop("mixture_", None)
    return model.score(X), plain.score(X)


def sampled_images(name, arguments):
    X_train, y_train, X_test = load_labelled(name)
    judge, generators = Judge(X_train, y_train, X_test, 0), Generators(X_train, y_train, 0)
    print(f"\n{name}: {X_train.shape}")
    print(f"training images  Fréchet {judge(X_train[:N_DRAWN])[0]:8.2f}", flush=True)
    labels = np.zeros(N_DRAWN, dtype=int)
    for generator in ("pca_mixture", "kernel_density", "vae", "vae_normal"):
        start = time.process_time()
        distance, _, copies = judge(getattr(generators, generator)()(labels, 0))
        seconds = time.process_time() - start
        print(f"{generator:16s} Fréchet {distance:8.2f}, near copies {copies:6.1%}, {seconds:6.1f} s", flush=True)
    model = generators.variational
    with_prior, plain = bounds(model, X_test[:2_000])
    print(
        f"VAE: {model.n_components_} components, {n_gaussians(model)} Gaussians, epoch {model.best_iter_} of "
        f"{model.n_iter_}, ELBO {with_prior:.1f}, with N(0, I) {plain:.1f}",
        flush=True,
    )


def load_rows(name, seed):
    """Return training and test rows of a table."""
    if name == "blobs":
        rng = np.random.default_rng(0)
        X = make_blobs(30_000, n_features=20, centers=50, random_state=0)[0] @ rng.normal(size=(20, 20))
    elif name in TABLES:
        X = TABLES[name]().data
    else:
        X = load_table(name, "tables")
    return train_test_split(X, test_size=0.3, random_state=seed)


def sampled_rows(name, arguments):
    for prior in ("gaussian_mixture", "normal"):
        found = []
        for seed in range(arguments.seeds):
            train, test = load_rows(name, seed)
            model, seconds = fit_timed(VAETransformer(prior=prior, random_state=seed), train)
            test = test[:2_000]
            drawn = model.sample(len(test), random_state=seed)
            auc = two_sample_auc(test, drawn, random_state=seed)
            means = model.sample(len(test), random_state=seed, observation_noise=False)
            numbers = [np.asarray(_numbers(X), dtype=float) for X in (test, drawn, means)]
            spread = [np.nanmedian(np.nanstd(X, axis=0) / np.nanstd(numbers[0], axis=0)) for X in numbers[1:]]
            found.append((auc, *spread, model.score(test), n_gaussians(model), seconds))
        auc, spread, mean_spread, bound, number, seconds = np.mean(found, axis=0)
        print(
            f"{name:14s} {prior:16s} AUC {auc:.3f}, spread {spread:.2f} (means {mean_spread:.2f}), ELBO {bound:9.3f}, "
            f"{number:4.1f} Gaussians, {seconds:5.1f} s",
            flush=True,
        )


def _numbers(X):
    return X.select_dtypes("number").astype(float) if hasattr(X, "columns") else X


def samples(arguments):
    """Samples and bounds of the default prior and of N(0, I), for images and tables."""
    for name in IMAGES:
        sampled_images(name, arguments)
    print()
    for name in ("wine", "breast cancer", "penguins", "carseats", "blobs"):
        sampled_rows(name, arguments)


def components(arguments):
    """Bounds and samples by the number of components."""
    for name in IMAGES[:3]:
        X_train, y_train, X_test = load_labelled(name)
        judge = Judge(X_train, y_train, X_test, 0)
        for k in (8, 16, 32, 64):
            model, seconds = fit_timed(VAETransformer(k, random_state=0), X_train)
            distance, _, copies = judge(model.sample(N_DRAWN, random_state=0))
            with_prior, plain = bounds(model, X_test[:2_000])
            print(
                f"{name}, {k:2d} components: Fréchet {distance:.2f}, near copies {copies:.1%}, {n_gaussians(model)} "
                f"Gaussians, ELBO {with_prior:.1f}, with N(0, I) {plain:.1f}, {seconds:.0f} s",
                flush=True,
            )


def budgets(arguments):
    """Score on test images by epochs and dropout; "auto" is the default."""
    for name in IMAGES[:2]:
        X_train, _, X_test = load_labelled(name)
        for kind in (AutoEncoderTransformer, VAETransformer):
            for max_iter, dropout in (("auto", "auto"), (100, 0.0), (100, 0.1), (40, 0.1), (20, 0.1), (40, 0.2)):
                options = {"max_iter": max_iter, "dropout": dropout, "random_state": 0}
                model, seconds = fit_timed(kind(16, **options), X_train)
                print(
                    f"{name}, {kind.__name__}, max_iter={max_iter}, dropout={dropout}: {model.score(X_test):.4f}, "
                    f"epoch {model.best_iter_} of {model.n_iter_}, {seconds:.0f} s",
                    flush=True,
                )


SECTIONS = {
    "closed_form": closed_form,
    "tables": tables,
    "digits": digits,
    "fashion_mnist": fashion_mnist,
    "samples": samples,
    "components": components,
    "budgets": budgets,
}


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

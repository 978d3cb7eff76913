"""How much new images look like real ones: pictures, and Fréchet distances in the feature space of a classifier.

The classifier is a network with two hidden layers, trained on the real training images and their labels; the features
of an image are the activations of its last hidden layer. The Fréchet distance between two sets of images is that
between Gaussians with the mean and covariance of their features (Dowson & Landau 1982; with features of Inception it is
known as FID). Distances are to the test images; those of the training images are the floor that sampling noise leaves.

    python benchmarks/samples.py digits
    python benchmarks/samples.py fashion_mnist --generators vae vae_mixture pca_mixture kernel_density
"""

import argparse
import time

import numpy as np
from _environment import print_environment

from _datasets import load_fashion_mnist  # isort: skip
from scipy import linalg
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KernelDensity
from sklearn.neural_network import MLPClassifier

from skvq import VAETransformer, VQVAETransformer


def frechet_distance(first, second):
    """Return |m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½) for features (n1, d) and (n2, d)."""
    means, covariances = ([f(x) for x in (first, second)] for f in (lambda x: x.mean(axis=0), lambda x: np.cov(x.T)))
    # tr (C1 C2)^½ is the sum of the roots of the eigenvalues of C1 C2, which are real and not negative
    roots = np.sqrt(np.clip(linalg.eigvals(covariances[0] @ covariances[1]).real, 0, None))
    return float(np.square(means[0] - means[1]).sum() + np.trace(covariances[0] + covariances[1]) - 2 * roots.sum())


class Features:
    """Activations of the last hidden layer of a classifier of images (n, H, W)."""

    def __init__(self, images, labels):
        self.largest = images.max()
        self.classifier = MLPClassifier((256, 64), early_stopping=True, random_state=0).fit(self._rows(images), labels)

    def _rows(self, images):
        return np.clip(images.reshape(len(images), -1) / self.largest, 0, 1)

    def __call__(self, images):
        """Return the features (n, 64), float64."""
        x = self._rows(images)
        for weights, bias in zip(self.classifier.coefs_[:-1], self.classifier.intercepts_[:-1]):
            x = np.maximum(x @ weights + bias, 0)
        return x

    def accuracy(self, images, labels):
        return self.classifier.score(self._rows(images), labels)


def vae(images):
    return VAETransformer(16, random_state=0).fit(images).sample


def vae_mixture(images):
    return VAETransformer(16, aggregate="gaussian_mixture", random_state=0).fit(images).sample


def vqvae(images):
    return VQVAETransformer(random_state=0).fit(images).sample


def pca_mixture(images):
    """Sampler of a Gaussian mixture with 20 full covariances on 50 principal components."""
    pca = PCA(50).fit(images.reshape(len(images), -1))
    mixture = GaussianMixture(20, random_state=0).fit(pca.transform(images.reshape(len(images), -1)))

    def sample(n, random_state):
        mixture.random_state = random_state
        z = np.random.default_rng(random_state).permutation(mixture.sample(n)[0])
        return pca.inverse_transform(z).reshape(n, *images.shape[1:])

    return sample


def kernel_density(images):
    """Sampler of a kernel density on 50 principal components, bandwidth by Scott's rule."""
    pca = PCA(50, whiten=True).fit(images.reshape(len(images), -1))
    density = KernelDensity(bandwidth="scott").fit(pca.transform(images.reshape(len(images), -1)))
    return lambda n, random_state: pca.inverse_transform(density.sample(n, random_state)).reshape(n, *images.shape[1:])


GENERATORS = {f.__name__: f for f in (vae, vae_mixture, pca_mixture, kernel_density, vqvae)}


def load(name):
    """Return training and test images (n, H, W) and labels."""
    if name == "fashion_mnist":
        X_train, y_train, X_test, y_test = load_fashion_mnist()
        return X_train, X_test, y_train, y_test
    data = load_digits()
    return train_test_split(data.images, data.target, test_size=0.25, stratify=data.target, random_state=0)


def draw(path, rows):
    """Write a PNG with a line of images for each name in `rows`."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    n = len(next(iter(rows.values())))
    figure, axes = plt.subplots(len(rows), n, figsize=(0.8 * n + 1.5, 0.85 * len(rows)), squeeze=False)
    largest = rows["test images"].max()
    for line, (name, images) in zip(axes, rows.items()):
        for ax, image in zip(line, images):
            ax.imshow(image, cmap="gray_r", vmin=0, vmax=largest)
            ax.set_xticks([])
            ax.set_yticks([])
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=("digits", "fashion_mnist"))
    parser.add_argument("--generators", nargs="*", default=[g for g in GENERATORS if g != "vqvae"], choices=GENERATORS)
    parser.add_argument("--n-samples", type=int, default=10_000)
    parser.add_argument("--output", default="samples.png", help="where the picture goes")
    arguments = parser.parse_args()
    print_environment()
    X_train, X_test, y_train, y_test = load(arguments.data)
    features = Features(X_train, y_train)
    real = features(X_test)
    print(f"accuracy of the classifier on test images {features.accuracy(X_test, y_test):.3f}")
    print(f"training images: Fréchet distance {frechet_distance(features(X_train[: arguments.n_samples]), real):.2f}")
    pictures = {"test images": X_test[:12]}
    for name in arguments.generators:
        start = time.perf_counter()
        sample = GENERATORS[name](X_train)
        fitted = time.perf_counter()
        images = sample(arguments.n_samples, random_state=0)
        distance = frechet_distance(features(images), real)
        seconds = f"fitted in {fitted - start:.0f} s, drawn in {time.perf_counter() - fitted:.1f} s"
        print(f"{name}: Fréchet distance {distance:.2f}, {seconds}", flush=True)
        pictures[name] = images[:12]
    draw(arguments.output, pictures)
    print(f"wrote {arguments.output}")


if __name__ == "__main__":
    main()

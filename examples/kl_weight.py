"""
The weight of a VAE's divergence
================================

The weight of the divergence trades reconstruction against closeness of the posterior to N(0, I).

A grid search over ``kl_weight`` on the digits of scikit-learn; draws its results, and samples at each weight. Run it
with ``python examples/kl_weight.py``; it takes about two minutes on a core and writes ``kl_weight.png``.
"""

import argparse
import warnings

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, KFold

from skvq import VAETransformer

WEIGHTS = [0.1, 0.3, 1.0, 2.0, 4.0, 10.0]
N_SAMPLES = 8


def reconstruction(model, X, y=None):
    """R² of the reconstructions of held-out images."""
    X_hat = model.inverse_transform(model.transform(X))
    return r2_score(X.reshape(len(X), -1), X_hat.reshape(len(X), -1), multioutput="variance_weighted")


def divergence(model, X, y=None):
    """KL(q(z | x) || N(0, I)) in nats."""
    return model.kl_per_component_.sum()


def elbo(model, X, y=None):
    """Lower bound on log p(x) of held-out images, in nats."""
    return model.score(X)


def search(X, model):
    """Return a search over the weight, fitted to the images."""
    scoring = {"reconstruction": reconstruction, "divergence": divergence, "elbo": elbo}
    folds = KFold(3, shuffle=True, random_state=0)
    return GridSearchCV(model, {"kl_weight": WEIGHTS}, scoring=scoring, refit="elbo", cv=folds).fit(X)


def draw(path, results, samples):
    """Write a PNG: three scores over the weight, and a row of samples for each weight."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(11, 5.2), layout="constrained")
    curves, pictures = figure.subfigures(1, 2, width_ratios=(1, 1))
    labels = {
        "reconstruction": "R² of the\nreconstruction",
        "divergence": "KL(q || N(0, I))\nin nats",
        "elbo": "ELBO in nats\n(score)",
    }
    axes = curves.subplots(3, 1, sharex=True)
    for ax, (name, label) in zip(axes, labels.items()):
        ax.errorbar(WEIGHTS, results[f"mean_test_{name}"], results[f"std_test_{name}"], marker="o", capsize=3)
        ax.set_ylabel(label)
        ax.grid(alpha=0.3)
    axes[-1].set_xscale("log")
    axes[-1].set_xticks(WEIGHTS, [f"{weight:g}" for weight in WEIGHTS])
    axes[-1].set_xlabel("kl_weight (held-out digits, 3 folds)")
    grid = pictures.subplots(len(WEIGHTS), N_SAMPLES)
    for line, weight, images in zip(grid, WEIGHTS, samples):
        for ax, image in zip(line, images):
            ax.imshow(image, cmap="gray_r", vmin=0, vmax=16)
            ax.set_xticks([])
            ax.set_yticks([])
        line[0].set_ylabel(f"{weight:g}", rotation=0, ha="right", va="center")
    pictures.suptitle("decoded draws from N(0, I), for each kl_weight")
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)


def run(X, model, output):
    """Print the scores of the images (n, 8, 8) for each weight, and write the picture."""
    warnings.filterwarnings("ignore", "posterior collapse")  # which the largest weights are here to show
    found = search(X, model)
    for i, weight in enumerate(WEIGHTS):
        scores = "  ".join(
            f"{name} {found.cv_results_[f'mean_test_{name}'][i]:8.3f}"
            for name in ("reconstruction", "divergence", "elbo")
        )
        print(f"kl_weight={weight:<4g} {scores}")
    print(f"grid search chooses {found.best_params_}")
    best = found.best_estimator_
    models = [clone(best).set_params(kl_weight=weight).fit(X) for weight in WEIGHTS]
    draw(output, found.cv_results_, np.stack([model.sample(N_SAMPLES, random_state=0) for model in models]))
    print(f"wrote {output}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", default="kl_weight.png", help="where the picture goes")
    output = parser.parse_args().output
    run(load_digits().images, VAETransformer(16, prior="normal", max_iter=20, random_state=0), output)


if __name__ == "__main__":
    main()

"""Grid search over both loss weights on 600 digits: R² of held-out rows, for running means and gradient steps.

    python benchmarks/loss_weights.py --figure docs/loss_weights.png

`codebook_weight` (β) says how far the codebook moves towards its vectors, `commitment_weight` (γ) how strongly the
vectors are held near their codes. Every cell is the mean over seeds of the mean over two folds, with the spread
(largest less smallest) over seeds behind it. The network is small and all its epochs are run: about three minutes on
one core.
"""

import argparse
import warnings

import numpy as np
import torch
from _environment import print_environment
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, KFold

from skvq import VectorCodes, VQVAETransformer

CODEBOOK, COMMITMENT = (0.0, 0.01, 0.1, 1.0, 10.0), (0.1, 1.0, 10.0, 100.0)
N_IMAGES = 600
UPDATES = {"ema": "running means", "gradient": "gradient steps"}


def search(update, seed):
    """Return R² of held-out rows, (len(CODEBOOK), len(COMMITMENT))."""
    model = VQVAETransformer(
        n_codes=32,
        channels=16,
        n_blocks=1,
        max_iter=8,
        quantizer=VectorCodes(codebook_update=update),
        early_stopping=False,
        prior=None,
        random_state=seed,
    )
    grid = {"codebook_weight": CODEBOOK, "commitment_weight": COMMITMENT}
    found = GridSearchCV(model, grid, cv=KFold(2, shuffle=True, random_state=seed)).fit(load_digits().images[:N_IMAGES])
    return found.cv_results_["mean_test_score"].reshape(len(CODEBOOK), len(COMMITMENT))


def draw(scores, path):
    """Draw one panel for each way of learning, a line for each commitment weight."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(scores), figsize=(8, 3.6), sharey=True, layout="constrained")
    places = np.arange(len(CODEBOOK))
    for axis, (update, values) in zip(axes, scores.items()):
        for column, weight in enumerate(COMMITMENT):
            of_seeds = values[:, :, column]
            axis.plot(places, of_seeds.mean(axis=0), marker="o", label=f"commitment_weight {weight:g}")
            axis.fill_between(places, of_seeds.min(axis=0), of_seeds.max(axis=0), alpha=0.2)
        axis.set(
            title=UPDATES[update], xlabel="codebook_weight", xticks=places, xticklabels=[f"{w:g}" for w in CODEBOOK]
        )
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("R² of held-out digits")
    lines, names = axes[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=len(COMMITMENT), fontsize=8)
    figure.savefig(path, dpi=80)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--figure", help="where the picture goes")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("error")  # no weight draws one
    print_environment()
    scores = {}
    for update, name in UPDATES.items():
        values = scores[update] = np.stack([search(update, seed) for seed in range(arguments.seeds)])
        print(f"\n| {name}: codebook_weight | " + " | ".join(f"commitment_weight {w:g}" for w in COMMITMENT) + " |")
        print("| --- |" + " --- |" * len(COMMITMENT))
        for row, weight in enumerate(CODEBOOK):
            cells = [f"{cell.mean():.4f} ({np.ptp(cell):.4f})" for cell in values[:, row].T]
            print(f"| {weight:g} | " + " | ".join(cells) + " |", flush=True)
        best = [np.unravel_index(of_seed.argmax(), of_seed.shape) for of_seed in values]
        print("best for each seed:", [(CODEBOOK[row], COMMITMENT[column]) for row, column in best], flush=True)
    if arguments.figure:
        draw(scores, arguments.figure)


if __name__ == "__main__":
    main()

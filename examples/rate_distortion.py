"""
How many bits a row needs
=========================

Quality of the reconstructions over the size of the codes, by grid search.

``GridSearchCV`` tries budgets of bits (``max_bits``) on the digits of scikit-learn; ``score`` is the R² of images
that a fit has not seen. What to take is the smallest budget that reaches a target, here an R² of 0.9. An entropy
coder needs fewer bits than the budget: the fitted ``bits_per_row_``. Run it with ``python
examples/rate_distortion.py``; it takes about two minutes on one core and writes ``rate_distortion.png``.
"""

import argparse

from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from skvq import VQVAETransformer

TARGET = 0.9
BUDGETS = [8, 16, 32, 64, 128, 192]


def draw(path, budgets, scores, entropies):
    """Write a PNG of held-out R² over the bits of an image, with and without an entropy coder."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    ax.plot(budgets, scores, marker="o", label="budget (max_bits)")
    ax.plot(entropies, scores, marker=".", linestyle="--", label="with an entropy coder (bits_per_row_)")
    ax.axhline(TARGET, color="0.6", linewidth=1, linestyle=":", label=f"target, {TARGET}")
    ax.set_xscale("log", base=2)
    ax.set_xticks(budgets, [str(bits) for bits in budgets])
    ax.set_xlabel("bits an image")
    ax.set_ylabel("R² of held-out images")
    ax.legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def run(images, model, budgets, output):
    """Print the R² that each budget reaches on the images (n, 8, 8), and write the picture."""
    search = GridSearchCV(model, {"max_bits": budgets}, cv=3, refit=False, verbose=1).fit(images)
    scores = search.cv_results_["mean_test_score"]
    entropies = []
    for budget, score in zip(budgets, scores):
        model.set_params(max_bits=budget).fit(images)
        entropies.append(model.bits_per_row_)
        codes = f"{model.code_shape_} codes of {model.n_codes_}"
        print(f"{budget:4d} bits  R² {score:.3f}  {codes}, {model.bits_per_row_:.0f} bits with an entropy coder")
    reached = [budget for budget, score in zip(budgets, scores) if score >= TARGET]
    print(f"the smallest budget for an R² of {TARGET}: {reached[0] if reached else 'none of these'}")
    draw(output, budgets, scores, entropies)
    print(f"wrote {output}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", default="rate_distortion.png")
    arguments = parser.parse_args()
    model = VQVAETransformer(channels=32, n_blocks=1, max_iter=10, prior=None, random_state=0)
    run(load_digits().images, model, BUDGETS, arguments.output)


if __name__ == "__main__":
    main()

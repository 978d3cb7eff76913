"""How many bits a row needs: the quality of reconstructions over the size of codes, by grid search.

`GridSearchCV` tries numbers of codes and grids of positions on the digits of scikit-learn; `score` is the R² of rows
that a fit has not seen. Codes of a row take prod(code_shape) · log2(n_codes) bits, or fewer with an entropy coder: the
fitted `bits_per_row_`. What to take is the cheapest setting that reaches a target, here an R² of 0.9. Run it with
``python examples/rate_distortion.py``; it takes about two minutes on one core and writes ``rate_distortion.png``.
"""

import argparse
import math

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from skvq import VQVAETransformer

TARGET = 0.9
GRID = {"code_shape": [(1, 1), (2, 2), (4, 4)], "n_codes": [4, 16, 64, 256]}


def bits_of(parameters):
    """Return the bits of a row's codes without an entropy coder."""
    return math.prod(parameters["code_shape"]) * math.log2(parameters["n_codes"])


def cheapest(results, target):
    """Return the parameters with the fewest bits whose mean held-out R² reaches the target, None if none does."""
    reached = [p for p, score in zip(results["params"], results["mean_test_score"]) if score >= target]
    return min(reached, key=bits_of, default=None)


def draw(path, results):
    """Write a PNG of held-out R² over bits, a line for each grid of positions."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    for shape in GRID["code_shape"]:
        here = [i for i, p in enumerate(results["params"]) if p["code_shape"] == shape]
        bits = [bits_of(results["params"][i]) for i in here]
        means, deviations = (np.array(results[f"{name}_test_score"])[here] for name in ("mean", "std"))
        ax.errorbar(bits, means, deviations, marker="o", label=f"{shape[0]} × {shape[1]} positions")
        for x, y, i in zip(bits, means, here):
            ax.annotate(
                results["params"][i]["n_codes"], (x, y), xytext=(4, -11), textcoords="offset points", fontsize=8
            )
    ax.axhline(TARGET, color="0.6", linewidth=1, linestyle=":")
    ax.set_xscale("log", base=2)
    ax.set_xlabel("bits an image (numbers: codes in the codebook)")
    ax.set_ylabel("R² of held-out images")
    ax.legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", default="rate_distortion.png")
    arguments = parser.parse_args()
    images = load_digits().images
    model = VQVAETransformer(channels=32, n_blocks=1, max_iter=10, prior=None, random_state=0)
    search = GridSearchCV(model, GRID, cv=3, refit=False).fit(images)
    for parameters, score in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"]):
        print(f"{bits_of(parameters):5.0f} bits  R² {score:.3f}  {parameters}")
    chosen = cheapest(search.cv_results_, TARGET)
    print(f"the fewest bits for an R² of {TARGET}: {chosen}")
    if chosen is not None:
        model.set_params(**chosen).fit(images)
        print(f"an entropy coder would need {model.bits_per_row_:.0f} of {bits_of(chosen):.0f} bits")
    draw(arguments.output, search.cv_results_)
    print(f"wrote {arguments.output}")


if __name__ == "__main__":
    main()

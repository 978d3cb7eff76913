"""Codebooks over their whole range of settings: how much of them is used, on training and held-out rows, and R².

One factor at a time is moved away from the default, then several at once in the directions that hurt codebooks: many
codes, short or long vectors, little commitment, large learning rates, small and large batches. Usage and perplexity
are those of all training rows and of all held-out rows, never of a batch; of several codebooks the means.

Fits are short, so that the table takes minutes: Fashion-MNIST is cut to its first images (`--images`), all of which the
usage counts, and gets one epoch of a small network; the digits, as images, get eight epochs, tables 500 steps. Long
vectors and all codes of the largest codebooks need every image: `--full` adds 8,192 codes on 60,000 of them.

    python benchmarks/collapse.py                      # everything
    python benchmarks/collapse.py wine digits
"""

import argparse
import math
import time

import numpy as np
from _environment import print_environment
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.model_selection import train_test_split

from _datasets import load_fashion_mnist  # isort: skip

from skvq import ResidualCodes, VectorCodes, VQVAETransformer, metrics

TABLES = {"wine": load_wine, "breast cancer": load_breast_cancer, "diabetes": load_diabetes, "digits": load_digits}
SETS = ("fashion mnist", "digit images", *TABLES)
HARD = {"commitment_weight": 0.05, "learning_rate_init": 6e-3}
TABLE_STEPS = 500

IMAGE_GRID = [
    *({"commitment_weight": w} for w in (0.05, 4.0)),
    *({"learning_rate_init": rate} for rate in (6e-4, 6e-3)),
    *({"batch_size": b} for b in (256, 2048)),
    *({"quantizer__codebook_update": update} for update in ("gradient", "simvq")),
    HARD,
    {"quantizer__codebook_update": "gradient", **HARD},
    {"quantizer__codebook_update": "gradient", "commitment_weight": 4.0, "learning_rate_init": 6e-3},
    *({"quantizer__code_dim": d} for d in (2, 8, 256)),
    {"quantizer__code_dim": 256, **HARD},
    {"quantizer__code_dim": 256, "quantizer__codebook_update": "gradient", **HARD},
    {"n_codes": 16, "quantizer__code_dim": 2, **HARD},
    *({"n_codes": k} for k in (16, 64, 1024)),
    {"n_codes": 1024, **HARD},
    {"n_codes": 1024, "quantizer__codebook_update": "gradient", **HARD},
    {"n_codes": 1024, "quantizer__code_dim": 2, **HARD},
    {"n_codes": 1024, "batch_size": 2048},
]
LARGE_GRID = [
    {"n_codes": 8192},
    {"n_codes": 8192, "batch_size": 2048},
    {"n_codes": 8192, **HARD},
    {"n_codes": 8192, "quantizer__codebook_update": "gradient", **HARD},
    {"n_codes": 8192, "quantizer__code_dim": 2},
]
TABLE_GRID = [
    *({"n_codes": k} for k in (64, 256)),
    *({"quantizer__code_dim": d} for d in (2, 256)),
    *({"commitment_weight": w} for w in (0.05, 4.0)),
    *({"learning_rate_init": rate} for rate in (5e-4, 1e-2)),
    *({"batch_size": b} for b in (32, 2048)),
    *({"quantizer__codebook_update": update} for update in ("gradient", "simvq")),
    {"codes": ResidualCodes},
    {"n_codes": 256, "codes": ResidualCodes},
    {"quantizer__codebook_update": "gradient", "commitment_weight": 0.05, "learning_rate_init": 1e-2},
    {"n_codes": 256, "quantizer__code_dim": 2, "commitment_weight": 0.05, "learning_rate_init": 1e-2},
    {"n_codes": 256, "quantizer__code_dim": 256, "commitment_weight": 0.05, "learning_rate_init": 1e-2},
    {"n_codes": 256, "quantizer__codebook_update": "gradient", "commitment_weight": 0.05, "learning_rate_init": 1e-2},
    {"n_codes": 256, "batch_size": 2048},
]


def rows(name, n_images):
    """Return the training rows, the held-out rows, what is set for all fits of these, and the grid."""
    image = {"channels": 16, "n_blocks": 1, "n_codes": 256, "codes": VectorCodes, "batch_size": 32}
    image["early_stopping"] = False
    if name == "fashion mnist":
        X, _, X_test, _ = load_fashion_mnist()
        return X[:n_images], X_test, image | {"max_iter": 1}, IMAGE_GRID + LARGE_GRID
    X = load_digits().images if name == "digit images" else TABLES[name]().data
    X, X_test = train_test_split(X, test_size=1 / 3, random_state=0)
    if name == "digit images":
        return X, X_test, image | {"max_iter": 8}, IMAGE_GRID
    return X, X_test, {"n_codes": 16, "code_shape": (4,), "codes": VectorCodes}, TABLE_GRID


def describe(model, codes):
    """Return mean usage and perplexity over the codebooks of all codes (n, n_codes_per_row)."""
    n_codebooks = model.codebook_.size // (model.n_codes_ * model.codebook_.shape[-1])
    codebooks = None if n_codebooks == 1 else np.arange(codes.shape[1]) % n_codebooks
    measures = metrics.codebook_usage, metrics.perplexity
    return [measure(codes, model.n_codes_, codebooks=codebooks) for measure in measures]


def describe_change(name, value):
    """Return a change of the grid in words."""
    return value.__name__ if name == "codes" else f"{name.removeprefix('quantizer__')} {value}"


def evaluate(X, X_test, options, seed):
    """Return the codes there are, usage and perplexity in training, usage held out, R² held out, seconds."""
    if "max_iter" not in options:
        options = options | {"max_iter": round(TABLE_STEPS / math.ceil(len(X) / options.get("batch_size", 64)))}
    start = time.perf_counter()
    model = VQVAETransformer(quantizer=options["codes"](), prior=None, random_state=seed)
    model.set_params(**{name: value for name, value in options.items() if name != "codes"}).fit(X)
    seconds = time.perf_counter() - start
    used, perplexity = describe(model, model.transform(X))
    used_in_test, _ = describe(model, model.transform(X_test))
    return model.n_codes_, used, used_in_test, perplexity, model.score(X_test), seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", choices=[*SETS, []], help="all by default")
    parser.add_argument("--images", type=int, default=4_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--part", type=int, nargs=2, default=(0, None), help="lines of the grid, from and up to")
    parser.add_argument("--full", action="store_true", help="8,192 codes on 60,000 images too")
    arguments = parser.parse_args()
    print_environment()
    print("| set | changed from the default | codes | usage | usage, held out | perplexity | R², held out | seconds |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    smallest = 1.0
    for name in arguments.sets or SETS:
        X, X_test, options, grid = rows(name, arguments.images)
        runs = [(X, change) for change in [{}, *grid[slice(*arguments.part)]]]
        if arguments.full and name == "fashion mnist":
            runs.append((load_fashion_mnist()[0], {"n_codes": 8192}))
        for X_train, change in runs:
            k, used, held_out, perplexity, r2, seconds = evaluate(X_train, X_test, options | change, arguments.seed)
            words = ", ".join(describe_change(*each) for each in change.items()) or "nothing"
            words += f" ({len(X_train):,} rows)" if len(X_train) != len(X) else ""
            cells = name, words, k, f"{used:.1%}", f"{held_out:.1%}", f"{perplexity:.1f}", f"{r2:.4f}", f"{seconds:.0f}"
            print("|", " | ".join(map(str, cells)), "|", flush=True)
            smallest = min(smallest, used)
    print(f"\nsmallest usage of a codebook by the training rows: {smallest:.1%}")


if __name__ == "__main__":
    main()

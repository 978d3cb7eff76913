"""R² of held-out rows for each way in which a codebook learns: running means, gradient steps, SimVQ, cosine.

    python benchmarks/codebook_updates.py digits wine
    python benchmarks/codebook_updates.py fashion_mnist --seeds 1

Digits as images and wine with everything by default; 12,000 images of Fashion-MNIST with 256 codes and two epochs.
"""

import argparse
import time

import numpy as np
import torch
from _environment import print_environment
from sklearn.datasets import load_digits, load_wine
from sklearn.model_selection import train_test_split

from _datasets import load_fashion_mnist  # isort: skip

from skvq import ResidualCodes, VectorCodes, VQVAETransformer

UPDATES = {
    "running means": {},
    "gradient": {"codebook_update": "gradient"},
    "SimVQ": {"codebook_update": "simvq"},
    "cosine, gradient": {"codebook_update": "gradient", "similarity": "cosine"},
}


def load(name):
    """Return training rows, test rows, and the parameters that differ from the defaults."""
    if name == "fashion_mnist":
        train, _, test, _ = load_fashion_mnist()
        return train[:12_000], test[:2_000], {"n_codes": 256, "max_iter": 2}
    X = load_digits().images if name == "digits" else load_wine().data
    return *train_test_split(X, test_size=0.25, random_state=0), {}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", choices=("digits", "wine", "fashion_mnist"))
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print_environment()
    print("| data | codebook | R² for each seed | mean | seconds a fit |\n| --- | --- | --- | --- | --- |")
    for name in arguments.data:
        train, test, parameters = load(name)
        for update, options in UPDATES.items():
            if name == "wine" and "similarity" in options:
                continue  # residual codes, the default of tables, have no cosine
            started, scores = time.perf_counter(), []
            for seed in range(arguments.seeds):
                codes = (ResidualCodes if name == "wine" else VectorCodes)(**options)
                model = VQVAETransformer(quantizer=codes, prior=None, random_state=seed, **parameters).fit(train)
                scores.append(model.score(test))
            seconds = (time.perf_counter() - started) / arguments.seeds
            cells = " ".join(f"{score:.4f}" for score in scores)
            print(f"| {name} | {update} | {cells} | {np.mean(scores):.4f} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()

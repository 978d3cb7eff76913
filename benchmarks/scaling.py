"""How seconds, memory and quality of a fit grow: with rows, with pixels, with codes, with cells of a grid.

Every fit runs in a fresh process on one thread. Seconds are those of the processor; memory is by how much the peak of a
fit lies above what was resident before it, X among that; quality is R² of held-out rows, or their log-likelihood in
nats a row. Rows get the default budget, the rest a fixed number of epochs.

    python benchmarks/scaling.py                                      # what takes minutes
    python benchmarks/scaling.py rows --rows 1000000 --only VQVAETransformer
    python benchmarks/scaling.py images --pixels 28 224
    python benchmarks/scaling.py codes --codes 8192
    python benchmarks/scaling.py grids --sides 32
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
import warnings

import numpy as np
from _environment import print_environment

import skvq

ROWS = (1_000, 10_000, 100_000, 1_000_000)
PIXELS = (28, 56, 112, 224)
CODES = (16, 128, 1_024, 8_192)
SIDES = (7, 14, 28, 32)
N_TEST, N_COLUMNS = 10_000, 20


def table(n_rows, seed):
    """Return rows of 20 columns, five of them skewed, that six numbers and a little noise make."""
    fixed, rng = np.random.default_rng(123), np.random.default_rng(seed)
    first, bias, second = fixed.normal(size=(6, 32)), fixed.normal(size=32), fixed.normal(size=(32, N_COLUMNS)) / 4
    X = np.empty((n_rows, N_COLUMNS))
    for start in range(0, n_rows, 10_000):
        n = min(10_000, n_rows - start)
        rows = np.tanh(rng.normal(size=(n, 6)) @ first + bias) @ second + 0.05 * rng.normal(size=(n, N_COLUMNS))
        rows[:, 15:] = np.exp(rows[:, 15:])
        X[start : start + n] = rows
    return X


def images(n, side, seed):
    """Return images of three colours of bumps at random places, uint8."""
    rng = np.random.default_rng(seed)
    across = (np.arange(side) + 0.5) / side
    X = np.zeros((n, side, side, 3))
    for image in X:
        for _ in range(6):
            row, column, width = rng.random(3) * [1, 1, 0.2] + [0, 0, 0.05]
            bump = np.exp(-(np.square(across - row)[:, None] + np.square(across - column)) / (2 * width**2))
            image += bump[:, :, None] * rng.random(3)
    return (np.clip(X / 2, 0, 1) * 255).astype(np.uint8)


def grids(n, side, n_codes, seed):
    """Return grids of codes that are mostly those of the cell above or to the left."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(n_codes, size=(n, side, side))
    source = rng.choice(3, size=(n, side, side), p=(0.4, 0.4, 0.2))
    for row in range(side):
        for column in range(side):
            above = codes[:, row - 1, column] if row else codes[:, row, column]
            left = codes[:, row, column - 1] if column else codes[:, row, column]
            chosen = source[:, row, column]
            codes[:, row, column] = np.where(chosen == 0, above, np.where(chosen == 1, left, codes[:, row, column]))
    return codes


def of_rows(size, name):
    """Return an estimator, the arguments of its fit and those of its score, for a table of so many rows."""
    X, X_test = table(size, 0), table(N_TEST, 1)
    prior = {"VQVAETransformer": {"prior": None}, "VAETransformer": {"prior": "normal"}}.get(name, {})
    if name == "MLPRegressor":
        return (
            skvq.MLPRegressor(early_stopping=True, random_state=0),
            (X[:, 1:], X[:, 0]),
            (X_test[:, 1:], X_test[:, 0]),
        )
    return getattr(skvq, name)(random_state=0, **prior), (X,), (X_test,)


def of_images(size, name):
    """Return the same for 128 images of so many pixels a side, two epochs."""
    X, short = images(192, size, 0), {"max_iter": 2, "network": "convolutional", "random_state": 0}
    others = {"prior": None} if name == "VQVAETransformer" else {"n_components": 16}
    return getattr(skvq, name)(**short, **others), (X[:128],), (X[128:],)


def of_codes(size, name):
    """Return the same for a codebook of so many codes, or for grids of 7 × 7 of them, two epochs."""
    short = {"n_codes": size, "max_iter": 2, "random_state": 0}
    if name == "VQVAETransformer":
        X = images(1_280, 28, 0)
        return skvq.VQVAETransformer(prior=None, **short), (X[:1_024],), (X[1_024:],)
    X = grids(1_280, 7, size, 0)
    return getattr(skvq, name)(**short), (X[:1_024],), (X[1_024:],)


def of_grids(size, name):
    """Return the same for square grids of 256 codes, two epochs of 256 grids."""
    X = grids(320, size, 256, 0)
    return getattr(skvq, name)(n_codes=256, max_iter=2, random_state=0), (X[:256],), (X[256:],)


# By name: what makes a case, how its size is written, the estimators, and by which power a size counts.
PARTS = {
    "rows": (
        of_rows,
        "{:,} × 20",
        ("AutoEncoderTransformer", "VQVAETransformer", "VAETransformer", "OrderlessNADE", "MLPRegressor"),
        1,
    ),
    "images": (of_images, "{0} × {0} × 3", ("AutoEncoderTransformer", "VQVAETransformer"), 2),
    "codes": (of_codes, "{:,} codes", ("VQVAETransformer", "PixelCNN", "CausalTransformer"), 1),
    "grids": (of_grids, "{0} × {0}", ("PixelCNN", "CausalTransformer"), 2),
}


def memory(name):
    """Return a figure of the memory of this process in MB."""
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith(name)).split()[1]) / 1024


def measure(part, name, size):
    """Fit one case in this process and print what it took as JSON."""
    warnings.simplefilter("ignore")
    model, training, test = PARTS[part][0](size, name)
    warm = table(200, 2)
    skvq.AutoEncoderTransformer(2, max_iter=1).fit(warm)  # libraries are loaded by then
    before, started = memory("VmRSS"), time.process_time()
    model.fit(*training)
    seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    scored = {"seconds": seconds, "peak": max(0.0, peak), "epochs": model.n_iter_, "quality": model.score(*test)}
    print(json.dumps(scored))


def report(part, name, sizes):
    """Run the cases of one estimator, and print a line for each."""
    _, written, _, power = PARTS[part]
    first = None
    for size in sizes:
        command = [sys.executable, __file__, "--case", part, name, str(size)]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode:
            print(f"| {name} | {written.format(size)} | failed: {done.stderr.strip().splitlines()[-1]} |", flush=True)
            continue
        found = json.loads(done.stdout.splitlines()[-1])
        first = first or (size, found["seconds"])
        share = found["seconds"] / first[1] / (size / first[0]) ** power
        print(
            f"| {name} | {written.format(size)} | {found['seconds']:.1f} | {share:.2f} | {found['peak']:.0f} | "
            f"{found['epochs']} | {found['quality']:.4f} |",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=", ".join(PARTS))
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    parser.add_argument("--pixels", type=int, nargs="+", default=PIXELS, help="of a side")
    parser.add_argument("--codes", type=int, nargs="+", default=CODES)
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES, help="of grids")
    parser.add_argument("--only", nargs="+", help="names of estimators")
    parser.add_argument("--case", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        measure(*options.case[:2], int(options.case[2]))
        return
    print_environment()
    sizes = {"rows": options.rows, "images": options.pixels, "codes": options.codes, "grids": options.sides}
    print("| estimator | size | seconds | seconds for the size, of those of the first | MB | epochs | quality |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for part in options.parts:
        for name in PARTS[part][2]:
            if not options.only or name in options.only:
                report(part, name, sizes[part])


if __name__ == "__main__":
    main()

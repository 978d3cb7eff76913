"""Fits on more rows than memory is to hold: seconds, peak memory and quality of `partial_fit`, and of `fit` on chunks.

Rows of 20 columns are made chunk by chunk: six latent numbers, a random layer, noise, and skewed columns among them.
They come as chunks to `partial_fit`, and to `fit` as a generator and as a dask array, which write them to a temporary
file; the first rows come as one array. Each case has a process of its own. R² is of 20,000 rows that no fit has seen.

    python benchmarks/streams.py [--rows 10000000] [--only "dask"]
"""

import argparse
import json
import resource
import subprocess
import sys
import time
import warnings

import numpy as np
from _environment import print_environment

CHUNK = 50_000
CASES = ("nothing", "array", "partial_fit", "generator", "dask")
MODELS = ("AutoEncoderTransformer", "VQVAETransformer")


def rows(number, n=CHUNK):
    """Return chunk `number` of the rows: ndarray (n, 20), float32."""
    fixed, drawn = np.random.default_rng(0), np.random.default_rng([1, number])
    latent = drawn.normal(size=(n, 6))
    hidden = np.tanh(latent @ fixed.normal(size=(6, 32)))
    X = hidden @ fixed.normal(size=(32, 20)) / 4 + 0.1 * drawn.normal(size=(n, 20))
    X[:, ::5] = np.exp(X[:, ::5])
    return X.astype(np.float32)


def model(kind):
    """Return an unfitted estimator of a class by its name."""
    import skvq

    return getattr(skvq, kind)(random_state=0, **({"prior": None} if kind == "VQVAETransformer" else {}))


def fitted(kind, case, n_rows):
    """Return an estimator of a class by name, fitted to so many rows in the way of a case."""
    n_chunks, estimator = n_rows // CHUNK, model(kind)
    if case == "array":
        return estimator.fit(rows(0))
    if case == "generator":
        return estimator.fit(map(rows, range(n_chunks)))
    if case == "dask":
        import dask.array

        blocks = [
            dask.array.from_delayed(dask.delayed(rows)(number), (CHUNK, 20), np.float32) for number in range(n_chunks)
        ]
        return estimator.fit(dask.array.concatenate(blocks))
    for number in range(n_chunks):
        if number == n_chunks * 9 // 10:
            estimator.set_params(learning_rate_init=1e-4)
        estimator.partial_fit(rows(number))
    return estimator


def run(kind, case, n_rows):
    """Fit in this process and print seconds, peak memory in MB, and R²."""
    import skvq  # noqa: F401, so that its memory is that of "nothing"

    if case == "dask":
        import dask.array  # noqa: F401
    test = rows(10**6, 20_000)
    rows(0)
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.process_time()
    score = float("nan") if case == "nothing" else fitted(kind, case, n_rows).score(test)
    used = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([used, before.ru_maxrss / 1e3, peak / 1e3, score]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--only", choices=CASES)
    parser.add_argument("--run", nargs=2, metavar=("MODEL", "CASE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        warnings.simplefilter("ignore")
        run(*options.run, options.rows)
        return
    print_environment()
    print(f"\n{'model':24}{'rows come as':16}{'rows':>12}{'CPU s':>8}{'MB before':>11}{'MB peak':>9}{'R²':>8}")
    for kind in MODELS:
        for case in (options.only,) if options.only else CASES:
            command = [sys.executable, __file__, "--rows", str(options.rows), "--run", kind, case]
            found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
            seconds, before, peak, score = json.loads(found)
            n = {"nothing": 0, "array": CHUNK}.get(case, options.rows)
            print(f"{kind:24}{case:16}{n:>12,}{seconds:>8.1f}{before:>11.0f}{peak:>9.0f}{score:>8.4f}", flush=True)


if __name__ == "__main__":
    main()

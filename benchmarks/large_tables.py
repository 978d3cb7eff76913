"""Time and memory of a table of a million rows and 20 mixed columns, drawn here: reading, fits, samples, likelihoods.

    python benchmarks/large_tables.py [--rows 1000000] [--only rows codes autoencoder]

Memory is the peak of the process beyond what it held with the frame in it.
"""

import argparse
import resource
import time

import numpy as np
import pandas as pd
from _environment import print_environment

from skvq import AutoEncoderTransformer, OrderlessNADE, VQVAETransformer


def mixed_frame(n, seed=0):
    """Return a frame of 20 columns that have something to do with each other: numbers, categories, dates, holes."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 4))
    columns = {f"real {i}": np.exp(z @ rng.normal(size=4) + rng.normal(size=n)).round(2) for i in range(6)}
    columns |= {f"integer {i}": rng.poisson(np.exp(z[:, i % 4].clip(-3, 3))) for i in range(4)}
    for i in range(6):
        levels = np.array([f"level {k}" for k in range(3 + 10 * i)])
        score = (z @ rng.normal(size=4) + rng.normal(size=n)) * 0.3 + 0.5
        columns[f"category {i}"] = pd.Categorical(levels[(score.clip(0, 0.999) * len(levels)).astype(int)])
    columns |= {f"boolean {i}": z[:, i] + rng.normal(size=n) > 0 for i in range(3)}
    columns["date"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 2000, n), unit="D")
    frame = pd.DataFrame(columns)
    frame.loc[rng.random(n) < 0.2, "real 0"] = np.nan
    frame.loc[rng.random(n) < 0.1, "category 1"] = None
    return frame


def peak():
    """Return the peak memory of the process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(name, call, before):
    started, wall = time.process_time(), time.perf_counter()
    found = call()
    seconds, wall = time.process_time() - started, time.perf_counter() - wall
    print(f"{name:40} {seconds:8.1f} CPU s {wall:8.1f} s  peak {peak() - before:7.0f} MB beyond", flush=True)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", nargs="+", default=["rows", "codes", "autoencoder"])
    options = parser.parse_args()
    print_environment("torch", "scikit-learn", "pandas")
    frame = mixed_frame(options.rows)
    before = peak()
    print(f"the frame: {frame.memory_usage(deep=True).sum() / 2**20:.0f} MB")
    if "rows" in options.only:
        model = timed("OrderlessNADE, fit", lambda: OrderlessNADE(random_state=0).fit(frame), before)
        timed("  sample of 100,000 rows", lambda: model.sample(100_000, random_state=0), before)
        timed("  score_samples of 100,000 rows", lambda: model.score_samples(frame[:100_000]), before)
    for name, estimator in (
        ("codes", VQVAETransformer(prior=None, random_state=0)),
        ("autoencoder", AutoEncoderTransformer(random_state=0)),
    ):
        if name in options.only:
            model = timed(f"{type(estimator).__name__}, fit", lambda e=estimator: e.fit(frame), before)
            found = timed("  transform", lambda m=model: m.transform(frame), before)
            timed("  inverse_transform", lambda m=model, f=found: m.inverse_transform(f), before)


if __name__ == "__main__":
    main()

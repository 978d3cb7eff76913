"""Fill missing cells of ten mixed tables by many imputers; compare with the values that were taken out.

    python benchmarks/imputation.py run --results imputation.jsonl --methods means neighbours iterative
    python benchmarks/imputation.py run --results imputation.jsonl --methods miceforest --python peers/bin/python
    python benchmarks/imputation.py print --results imputation.jsonl

The peers, in an environment of their own that `--python` names: `pip install miceforest ForestDiffusion scikit-learn
pyarrow`. Rows without a missing cell are split as in `mixed_tables.py`; 20 % of the cells of train and of test rows are
taken out, whatever their value. Imputers (`_table_imputers.py`) learn from the train rows and fill the test rows.

rmse
    root mean squared error of the filled numbers (and times) of a column, divided by the standard deviation of its test
    rows; mean over columns. Means of the train rows have 1.
right
    share of filled categories and booleans that are right, mean over columns.

`run` skips what the file of results has. Every fit runs in a process of its own on one thread and is ended when it has
used `--limit` CPU seconds. Seconds are CPU seconds of fit and filling, without imports.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from _table_codes import category_names, to_codes
from _table_imputers import IMPUTERS, import_packages, impute
from _table_runs import append_result, lacking, main_of, run_child, writes_seconds
from mixed_tables import TABLES, load_table, split_table

SHARE = 0.2
TITLES = {
    "Error of filled numbers, in standard deviations": ["rmse"],
    "Share of filled categories that are right": ["right"],
    "CPU seconds of fit and filling": ["seconds"],
}


def take_out(frame, seed):
    """Return the frame without `SHARE` of its cells, in dtypes that can miss cells, and the mask of these cells."""
    gone = np.random.default_rng(seed).random(frame.shape) < SHARE
    kinds = {"bool": "boolean", "int64": "Int64"}
    nullable = frame.astype({name: kinds[str(dtype)] for name, dtype in frame.dtypes.items() if str(dtype) in kinds})
    return nullable.mask(gone), gone


def fill(options):
    """Read train and test rows with missing cells and write the filled test rows: the task of the child process."""
    folder = Path(options.folder)
    train, test = (pd.read_parquet(folder / f"{name}.parquet") for name in ("train", "test"))
    import_packages(options.method)
    with writes_seconds(folder):
        filled = impute(options.method, train, test, options.seed)
    np.save(folder / "filled.npy", filled)


def measure(test, filled, gone):
    """Return the figures of filled codes (n, columns) where cells are gone from the frame."""
    codes = to_codes(test, test)
    errors, shares = [], []
    for j, name in enumerate(test):
        true, found = codes[gone[:, j], j], filled[gone[:, j], j]
        if name in category_names(test):
            shares.append(np.mean(true == found))
        else:
            errors.append(np.sqrt(np.mean(np.square(true - found))) / codes[:, j].std())
    return {"rmse": float(np.mean(errors)), "right": float(np.mean(shares))}


def run(options):
    """Append a line for each imputer, table and seed that the file of results lacks."""
    for seed in options.seeds:
        for table in options.tables:
            frame = load_table(table, options.cache).dropna().reset_index(drop=True)
            train, test = split_table(frame, seed)
            train_left, _ = take_out(train, 2 * seed)
            test_left, gone = take_out(test, 2 * seed + 1)
            for imputer in lacking(options, table, seed):
                with tempfile.TemporaryDirectory() as folder:
                    train_left.to_parquet(Path(folder) / "train.parquet")
                    test_left.to_parquet(Path(folder) / "test.parquet")
                    result = run_child(__file__, imputer, folder, seed, options)
                    if "error" not in result:
                        result |= measure(test, np.load(Path(folder) / "filled.npy"), gone)
                append_result(options.results, {"method": imputer, "table": table, "seed": seed, **result})


def main():
    main_of(__doc__, IMPUTERS, TABLES, run, fill, TITLES)


if __name__ == "__main__":
    main()

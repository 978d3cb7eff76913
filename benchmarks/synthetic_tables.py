"""Draw rows of ten mixed tables by many generators; compare the rows with real ones that were held out.

    python benchmarks/synthetic_tables.py run --methods independent "gaussian mixture" --results results.jsonl
    python benchmarks/synthetic_tables.py run --methods "sdv tvae" --python peers/bin/python --results results.jsonl
    python benchmarks/synthetic_tables.py print --results results.jsonl

The peers, in an environment of their own that `--python` names: `pip install torch sdv arfpy mostlyai-engine
ForestDiffusion pyarrow`. Tables and split are those of `mixed_tables.py`, generators those of `_table_generators.py`,
figures those of `_table_measures.py`.

`run` skips what the file of results has. Every fit runs in a process of its own on one thread, draws as many rows as it
was trained on, and is ended when it has used `--limit` CPU seconds; a fit that fails or is ended gives a line with
`error`. Seconds are CPU seconds of fit and draw, with those of child processes, without imports.
"""

import tempfile
from pathlib import Path

import pandas as pd
from _table_generators import GENERATORS, generate, import_packages
from _table_measures import measure, utility
from _table_runs import append_result, lacking, main_of, run_child, writes_seconds
from mixed_tables import TABLES, load_table, split_table

TITLES = {
    "AUC of a forest that tells test rows from drawn ones (0.5 is perfect)": ["auc"],
    "Accuracy of gradient boosting trained on drawn rows / on real ones": ["accuracy", "real_accuracy"],
    "Balanced accuracy, drawn / real": ["balanced", "real_balanced"],
    "Nearest-row ratio": ["nearest"],
    "Share of drawn rows that equal a train row / of test rows": ["copies", "test_copies"],
    "CPU seconds of fit and draw": ["seconds"],
}


def draw(options):
    """Fit a generator to the rows of a parquet file and write as many drawn ones: the task of the child process."""
    train = pd.read_parquet(Path(options.folder) / "train.parquet")
    import_packages(options.method)
    with writes_seconds(options.folder):
        drawn = generate(options.method, train, len(train), options.seed)
    drawn.to_parquet(Path(options.folder) / "drawn.parquet")


def run(options):
    """Append a line for each generator, table and seed that the file of results lacks."""
    for seed in options.seeds:
        for table in options.tables:
            generators = lacking(options, table, seed)
            if not generators:
                continue
            train, test = split_table(load_table(table, options.cache), seed)
            real = utility(train, test, table, seed)
            for generator in generators:
                with tempfile.TemporaryDirectory() as folder:
                    train.to_parquet(Path(folder) / "train.parquet")
                    result = run_child(__file__, generator, folder, seed, options)
                    if "error" not in result:
                        drawn = pd.read_parquet(Path(folder) / "drawn.parquet")
                        result |= measure(train, test, drawn, table, seed, real)
                append_result(options.results, {"method": generator, "table": table, "seed": seed, **result})


def main():
    main_of(__doc__, GENERATORS, TABLES, run, draw, TITLES)


if __name__ == "__main__":
    main()

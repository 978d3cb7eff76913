"""Draw rows of ten mixed tables by many generators; compare the rows with real ones that were held out.

    python benchmarks/synthetic_tables.py run --generators independent "gaussian mixture" --results results.jsonl
    python benchmarks/synthetic_tables.py run --generators "sdv tvae" --python peers/bin/python --results results.jsonl
    python benchmarks/synthetic_tables.py print --results results.jsonl

The peers, in an environment of their own that `--python` names: `pip install torch sdv arfpy mostlyai-engine
ForestDiffusion pyarrow`. Tables and split are those of `mixed_tables.py`, generators those of `_table_generators.py`,
figures those of `_table_measures.py`.

`run` skips what the file of results has. Every fit runs in a process of its own on one thread, draws as many rows as it
was trained on, and is ended when it has used `--limit` CPU seconds; a fit that fails or is ended gives a line with
`error`. Seconds are CPU seconds of fit and draw, with those of child processes, without imports.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from _table_generators import GENERATORS, generate, import_packages
from _table_measures import measure, utility
from mixed_tables import TABLES, load_table, split_table

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

TITLES = {
    "AUC of a forest that tells test rows from drawn ones (0.5 is perfect)": ["auc"],
    "Accuracy of gradient boosting trained on drawn rows / on real ones": ["accuracy", "real_accuracy"],
    "Balanced accuracy, drawn / real": ["balanced", "real_balanced"],
    "Nearest-row ratio": ["nearest"],
    "Share of drawn rows that equal a train row / of test rows": ["copies", "test_copies"],
    "CPU seconds of fit and draw": ["seconds"],
}


def cpu_seconds():
    """Return the CPU seconds of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def draw(options):
    """Fit a generator to the rows of a parquet file and write as many drawn ones: the task of the child process."""
    train = pd.read_parquet(options.train)
    import_packages(options.generator)
    start = cpu_seconds()
    drawn = generate(options.generator, train, len(train), options.seed)
    seconds = cpu_seconds() - start
    drawn.to_parquet(options.drawn)
    Path(options.drawn).with_suffix(".seconds").write_text(str(seconds))


def draw_in_child(generator, train, seed, options):
    """Return drawn rows and CPU seconds, or None and the reason why there are none."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / f"{name}.parquet") for name in ("train", "drawn")]
        train.to_parquet(paths[0])
        command = [options.python, __file__, "draw", generator, *paths, str(seed)]
        child = subprocess.run(
            command,
            env=os.environ | ONE_THREAD,
            capture_output=True,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (options.limit, options.limit + 5)),
        )
        if child.returncode < 0:
            return None, f"ended by signal {-child.returncode}, limit {options.limit} CPU seconds"
        if child.returncode:
            return None, child.stderr.strip().splitlines()[-1][:300]
        return pd.read_parquet(paths[1]), float(Path(paths[1]).with_suffix(".seconds").read_text())


def read_results(path):
    """Return the dicts of the file of results; of two for the same fit the later one."""
    if not Path(path).exists():
        return []
    results = [json.loads(line) for line in Path(path).read_text().splitlines()]
    return list({(r["generator"], r["table"], r["seed"]): r for r in results}.values())


def run(options):
    """Append a line for each generator, table and seed that the file of results lacks."""
    for seed in options.seeds:
        for table in options.tables:
            done = {(r["generator"], r["table"], r["seed"]) for r in read_results(options.results)}
            generators = [name for name in options.generators if (name, table, seed) not in done]
            if not generators:
                continue
            train, test = split_table(load_table(table, options.cache), seed)
            real = utility(train, test, table, seed)
            for generator in generators:
                drawn, seconds = draw_in_child(generator, train, seed, options)
                result = {"generator": generator, "table": table, "seed": seed}
                if drawn is None:
                    result["error"] = seconds
                else:
                    result |= {"seconds": seconds, **measure(train, test, drawn, table, seed, real)}
                with Path(options.results).open("a") as file:
                    file.write(json.dumps(result) + "\n")
                texts = [f"{k} {v:.3f}" if isinstance(v, float) else str(v) for k, v in result.items()]
                print(", ".join(texts), flush=True)


def _text(results, figures):
    """Return the means of the figures over results, joined by slashes; an AUC with its standard deviation."""
    texts = []
    for figure in figures:
        values = [r[figure] for r in results]
        text = f"{statistics.mean(values):.{1 if figure == 'seconds' else 3}f}"
        if len(values) > 1 and figure == "auc":
            text += f" ± {statistics.stdev(values):.3f}"
        texts.append(text)
    return " / ".join(texts)


def _row(name, of_table, figures):
    """Return the line of a generator: a cell for each list of results, and the mean of the tables that have some."""
    of_table = [[r for r in results if "error" not in r] for results in of_table]
    means = [{f: statistics.mean(r[f] for r in results) for f in figures} for results in of_table if results]
    cells = [_text(results, figures) if results else "–" for results in of_table]
    last = _text([{f: statistics.mean(m[f] for m in means) for f in figures}], figures) if means else "–"
    note = "" if len(means) == len(of_table) else f" (of {len(means)})"
    return f"| {name} | {' | '.join(cells)} | {last}{note} |"


def print_results(options):
    """Print a table for each figure: generators are rows, tables columns, the last column is the mean of tables."""
    results = [r for r in read_results(options.results) if r["seed"] in options.seeds]
    generators = [name for name in options.generators if any(r["generator"] == name for r in results)]
    tables = [name for name in options.tables if any(r["table"] == name for r in results)]
    for title, figures in TITLES.items():
        print(f"\n{title}:\n\n| | {' | '.join(tables)} | mean |\n|{' --- |' * (len(tables) + 2)}")
        for generator in generators:
            of_generator = [r for r in results if r["generator"] == generator]
            print(_row(generator, [[r for r in of_generator if r["table"] == t] for t in tables], figures))
    for r in results:
        if "error" in r:
            print(f"\n{r['generator']}, {r['table']}, seed {r['seed']}: {r['error']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, function in (("run", run), ("print", print_results)):
        command = commands.add_parser(name)
        command.set_defaults(function=function)
        command.add_argument("--generators", nargs="+", default=list(GENERATORS), choices=list(GENERATORS))
        command.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES))
        command.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
        command.add_argument("--results", default="synthetic_tables.jsonl", help="file of results, a dict in each line")
    commands.choices["run"].add_argument("--cache", help="folder of the tables as parquet")
    commands.choices["run"].add_argument("--python", default=sys.executable, help="interpreter of the generators")
    commands.choices["run"].add_argument("--limit", type=int, default=1200, help="CPU seconds of a fit")
    command = commands.add_parser("draw", help="one fit, in the process that `run` starts")
    command.set_defaults(function=draw)
    for name in ("generator", "train", "drawn"):
        command.add_argument(name)
    command.add_argument("seed", type=int)
    options = parser.parse_args()
    options.function(options)


if __name__ == "__main__":
    main()

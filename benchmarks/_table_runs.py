"""Run many methods over tables and seeds, each fit in a process of its own; keep the figures as lines of JSON.

The scripts that use this module have two commands for users, `run` and `print`, and one that `run` starts, `child`. A
child reads its input from a folder and writes its output there; the parent measures it and appends a line with
`method`, `table`, `seed`, `seconds` and the figures, or with `error`.
"""

import argparse
import contextlib
import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

from _results import append_line, read_lines

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


def _cpu_seconds():
    """Return the CPU seconds of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


@contextlib.contextmanager
def writes_seconds(folder):
    """Write the CPU seconds of the body to a file in the folder."""
    start = _cpu_seconds()
    yield
    (Path(folder) / "seconds").write_text(str(_cpu_seconds() - start))


def run_child(script, method, folder, seed, options):
    """Run the command `child` of the script; return a dict with `seconds`, or with the `error` that ended it."""
    child = subprocess.run(
        [options.python, script, "child", method, folder, str(seed)],
        env=os.environ | ONE_THREAD,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (options.limit, options.limit + 5)),
    )
    if child.returncode < 0:
        return {"error": f"ended by signal {-child.returncode}, limit {options.limit} CPU seconds"}
    if child.returncode:
        return {"error": child.stderr.strip().splitlines()[-1][:300]}
    return {"seconds": float((Path(folder) / "seconds").read_text())}


def read_results(path):
    """Return the dicts of the file of results; of two for the same fit the later one."""
    return list({(r["method"], r["table"], r["seed"]): r for r in read_lines(path)}.values())


def lacking(options, table, seed):
    """Return the methods of the options that have no result for the table and seed."""
    done = {(r["method"], r["table"], r["seed"]) for r in read_results(options.results)}
    return [method for method in options.methods if (method, table, seed) not in done]


def append_result(path, result):
    """Add a line to the file of results, and print it."""
    append_line(path, result)
    texts = [f"{k} {v:.3f}" if isinstance(v, float) else str(v) for k, v in result.items()]
    print(", ".join(texts), flush=True)


def _text(results, figures):
    """Return the means of the figures over results, joined by slashes; of a single figure also the deviation."""
    texts = []
    for figure in figures:
        values = [r[figure] for r in results]
        text = f"{statistics.mean(values):.{1 if figure == 'seconds' else 3}f}"
        if len(values) > 1 and len(figures) == 1 and figure != "seconds":
            text += f" ± {statistics.stdev(values):.3f}"
        texts.append(text)
    return " / ".join(texts)


def _row(name, of_table, figures):
    """Return the line of a method: a cell for each list of results, and the mean of the tables that have some."""
    of_table = [[r for r in results if "error" not in r] for results in of_table]
    means = [{f: statistics.mean(r[f] for r in results) for f in figures} for results in of_table if results]
    cells = [_text(results, figures) if results else "–" for results in of_table]
    last = _text([{f: statistics.mean(m[f] for m in means) for f in figures}], figures) if means else "–"
    note = "" if len(means) == len(of_table) else f" (of {len(means)})"
    return f"| {name} | {' | '.join(cells)} | {last}{note} |"


def print_results(options, titles):
    """Print a table for each title: methods are rows, tables columns, the last column is the mean of tables."""
    results = [r for r in read_results(options.results) if r["seed"] in options.seeds]
    methods = [name for name in options.methods if any(r["method"] == name for r in results)]
    tables = [name for name in options.tables if any(r["table"] == name for r in results)]
    for title, figures in titles.items():
        print(f"\n{title}:\n\n| | {' | '.join(tables)} | mean |\n|{' --- |' * (len(tables) + 2)}")
        for method in methods:
            of_method = [r for r in results if r["method"] == method]
            print(_row(method, [[r for r in of_method if r["table"] == t] for t in tables], figures))
    for r in results:
        if "error" in r:
            print(f"\n{r['method']}, {r['table']}, seed {r['seed']}: {r['error']}")


def main_of(description, methods, tables, run, child, titles):
    """Read the command line and call `run(options)`, `child(options)` or `print_results(options, titles)`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, function in (("run", run), ("print", lambda options: print_results(options, titles))):
        command = commands.add_parser(name)
        command.set_defaults(function=function)
        command.add_argument("--methods", nargs="+", default=list(methods), choices=list(methods))
        command.add_argument("--tables", nargs="+", default=list(tables), choices=list(tables))
        command.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
        command.add_argument("--results", required=True, help="file of results, a dict in each line")
    commands.choices["run"].add_argument("--cache", help="folder of the tables as parquet")
    commands.choices["run"].add_argument("--python", default=sys.executable, help="interpreter of the methods")
    commands.choices["run"].add_argument("--limit", type=int, default=1200, help="CPU seconds of a fit")
    command = commands.add_parser("child", help="one fit, in the process that `run` starts")
    command.set_defaults(function=child)
    for name, kind in (("method", str), ("folder", str), ("seed", int)):
        command.add_argument(name, type=kind)
    options = parser.parse_args()
    options.function(options)

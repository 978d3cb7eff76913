"""Thousands of odd uses of the package: each must end in a finite result, or in an error that helps.

Cases are drawn from a seed: rows, targets and weights of every kind and container, parameters and arguments at values
that they may not have, combinations of parameters, interrupted and killed fits and saves, forged files, and models in
forked and spawned processes, in joblib's workers and in threads. Right is a finite result with the inputs unchanged, or
a ValueError or TypeError (an OSError for files) that names the parameter or argument. Wrong is everything else: another
error, NaN, a changed input, a hang, a crash. For every wrong one the code that repeats it is printed.

    python benchmarks/campaign.py [--minutes 2] [--seed 0] [--only "parameters out of range"]
"""

import argparse
import collections
import json
import selectors
import subprocess
import sys
import time
from pathlib import Path

import _campaign_cases
import _campaign_faults
import _campaign_worker
import numpy as np
from _environment import print_environment

SECONDS = 60  # after which a case hangs


def draw(seed, number):
    """Return the case of a number: one in eight disturbs a process."""
    random = np.random.default_rng([seed, number])
    makers = _campaign_faults.CASES if random.random() < 1 / 8 else _campaign_cases.CASES
    return _campaign_cases.pick(random, makers)(random, int(random.integers(1000)))


class Worker:
    """A process that runs cases, and a new one where a case has ended it."""

    def __init__(self):
        self.process = None

    def run(self, case):
        """Return what is wrong with a case, None if nothing is."""
        if self.process is None:
            command = [sys.executable, str(Path(__file__).with_name("_campaign_worker.py"))]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            self.process = subprocess.Popen(command, text=True, **pipes)
        process = self.process
        process.stdin.write(json.dumps(vars(case)) + "\n")
        process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            answered = selector.select(SECONDS)
        answer = process.stdout.readline() if answered else ""
        if answer:
            return json.loads(answer)
        self.close()
        return f"it ended the process ({process.returncode})" if answered else f"no end after {SECONDS} s"

    def close(self):
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


def report(counts, wrong, seconds):
    """Print the table, and the code of what went wrong; return whether all is right."""
    print(f"{'kind':34}{'tried':>9}{'right':>9}{'wrong':>9}{'seconds':>9}")
    total = collections.Counter()
    for kind in sorted(counts):
        total.update(counts[kind])
    for kind, count in [*sorted(counts.items()), ("all", total)]:
        tried, failed = count["tried"], count["wrong"]
        print(f"{kind:34}{tried:>9,}{tried - failed:>9,}{failed:>9,}{count['seconds']:>9,.0f}")
    print(f"{seconds:.0f} s")
    shown = set()
    for case, what in wrong:
        if (what[:60], case.kind) not in shown:
            shown.add((what[:60], case.kind))
            print(f"\n# {case.kind}: {what}\n{case.setup}\n{case.call}")
    return not wrong


def main():
    """Run cases until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="one kind of cases")
    options = parser.parse_args()
    print_environment()
    counts, wrong, worker = collections.defaultdict(collections.Counter), [], Worker()
    started, number = time.monotonic(), 0
    while time.monotonic() - started < 60 * options.minutes:
        number += 1
        case = draw(options.seed, number)
        if options.only not in (None, case.kind):
            continue
        before = time.monotonic()
        what = worker.run(case)
        if what == _campaign_worker.NO_CASE:
            continue
        counts[case.kind].update({"tried": 1, "seconds": time.monotonic() - before})
        if what is not None:
            counts[case.kind]["wrong"] += 1
            wrong.append((case, what))
    worker.close()
    if not report(counts, wrong, time.monotonic() - started):
        raise SystemExit(1)


if __name__ == "__main__":
    main()

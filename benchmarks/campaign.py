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
import contextlib
import json
import math
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path

import _campaign_cases
import _campaign_faults
import _campaign_worker
import numpy as np
from _environment import print_environment

# A case hangs after so many seconds in which its process computed for CPU_SECONDS, or at the latest after LONGEST.
SECONDS, CPU_SECONDS, LONGEST = 30, 30, 180


def draw(seed, number):
    """Return the case of a number: one in eight disturbs a process."""
    random = np.random.default_rng([seed, number])
    makers = _campaign_faults.CASES if random.random() < 1 / 8 else _campaign_cases.CASES
    return _campaign_cases.pick(random, makers)(random, int(random.integers(1000)))


def cpu_seconds(process):
    """Return the seconds that a process has computed for; infinity where the system does not tell."""
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return math.inf
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Worker:
    """A process that runs cases, and a new one where a case has ended it."""

    def __init__(self):
        self.process = None

    def run(self, case):
        """Return what is wrong with a case, None if nothing is."""
        if self.process is None:
            command = [sys.executable, str(Path(__file__).with_name("_campaign_worker.py"))]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            self.process = subprocess.Popen(command, text=True, start_new_session=True, **pipes)
            self.process.stdout.readline()  # everything is imported
        process = self.process
        process.stdin.write(json.dumps(vars(case)) + "\n")
        process.stdin.flush()
        ended = self._wait()
        answer = process.stdout.readline() if ended else ""
        if answer:
            return json.loads(answer)
        self.close()
        return f"it ended the process ({process.returncode})" if ended else "it does not end"

    def _wait(self):
        """Return whether an answer, or the end of the process, came before the case was taken for one that hangs."""
        started, computed = time.monotonic(), cpu_seconds(self.process)
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while not selector.select(SECONDS):
                waited = time.monotonic() - started
                if waited >= LONGEST or cpu_seconds(self.process) - computed >= CPU_SECONDS:
                    return False
        return True

    def close(self):
        """End the process, and those that it has started."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None


def report(counts, seconds):
    """Print the table; return how many cases went wrong."""
    print(f"{'kind':34}{'tried':>9}{'right':>9}{'wrong':>9}{'seconds':>9}")
    total = collections.Counter()
    for kind in sorted(counts):
        total.update(counts[kind])
    for kind, count in [*sorted(counts.items()), ("all", total)]:
        tried, failed = count["tried"], count["wrong"]
        print(f"{kind:34}{tried:>9,}{tried - failed:>9,}{failed:>9,}{count['seconds']:>9,.0f}")
    print(f"{seconds:.0f} s")
    return total["wrong"]


def main():
    """Run cases until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="one kind of cases")
    options = parser.parse_args()
    print_environment()
    counts, shown, worker = collections.defaultdict(collections.Counter), set(), Worker()
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
            if (case.kind, what[:60]) not in shown:  # of a fault that many cases show one is enough
                shown.add((case.kind, what[:60]))
                print(f"\n# {case.kind}, case {number}: {what}\n{case.setup}\n{case.call}", flush=True)
    worker.close()
    if report(counts, time.monotonic() - started):
        raise SystemExit(1)


if __name__ == "__main__":
    main()

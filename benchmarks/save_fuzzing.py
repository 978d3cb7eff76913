"""Ten thousand mutated files of `save`: each is a LoadError or a valid model, takes little memory, and runs nothing.

A mutant is a saved file with flipped bits, a cut, an extension, moved bytes, the arrays of another file, or an edited
header. All but plain bit flips and cuts get the SHA-256 that they should have, as a forger would give them. Workers
load them, one after the other, with an audit hook that notes every import, compilation, execution, process, socket, and
every file that is opened besides the mutant; then they use what came out: `transform`, `predict`, `sample` and the like
must not fail. Memory is measured twice: the peak that Python and numpy allocate (tracemalloc), and the peak of the
resident memory of the process (Linux), each beyond the size of the file.

    python benchmarks/save_fuzzing.py [--mutants 10000] [--workers 1]
"""

import argparse
import collections
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
from _environment import print_environment

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "persistence"))

import hostile_files
import saved_files

import skvq

# Audit events that loading a file has no business to raise, once everything is imported.
FORBIDDEN = (
    "builtins.breakpoint", "builtins.input", "code.__new__", "compile", "ctypes", "exec", "function.__new__", "import",
    "marshal", "os.", "pickle", "shutil", "socket", "subprocess", "urllib",
)  # fmt: skip
# Mutants that a worker loads before the next one starts; nothing that one of them breaks lasts longer.
PER_WORKER = 1000


class Watch:
    """Notes what is forbidden while a file is loaded."""

    def __init__(self):
        self.path, self.seen = None, []
        sys.addaudithook(self._note)

    def _note(self, event, arguments):
        if self.path is None:
            return
        other_file = event == "open" and str(arguments[0]) != self.path
        if other_file or event.startswith(FORBIDDEN):
            self.seen.append(f"{event}{arguments!r:.120}")

    @contextlib.contextmanager
    def over(self, path):
        """Watch while `path` is loaded."""
        self.path = path
        try:
            yield
        finally:
            self.path = None


def resident(peak=False):
    """Return the resident memory of this process in bytes, or its peak since `forget_peak`; 0 where it is not known."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    name = "VmHWM:" if peak else "VmRSS:"
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def forget_peak():
    """Start the peak of the resident memory afresh."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def load(path, watch):
    """Return (outcome, estimator or None, traced peak, resident peak beyond what there was) of one file."""
    forget_peak()
    before, found, outcome = resident(), None, "LoadError"
    tracemalloc.start()
    try:
        with watch.over(path):
            found = skvq.load(path, device="cpu")
        outcome = "valid model"
    except skvq.LoadError:
        pass
    except BaseException as error:
        outcome = f"{type(error).__name__}: {error}"
    traced = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return outcome, found, traced, max(0, resident(peak=True) - before)


def mutants(files, rng, n):
    """Yield (number of the file or -1, what was done to it, the mutant): the hostile files, then `n` mutants."""
    for name, file in hostile_files.hostile(files[0], files[1]).items():
        yield -1, f"hostile file: {name}", file
    for _ in range(n):
        which = rng.integers(len(files))
        yield which, *hostile_files.mutate(files[which], files, rng)


def use(model):
    """Return what is wrong with a model, None if all its methods work."""
    try:
        with contextlib.redirect_stdout(None):
            saved_files.outputs(model)
    except Exception as error:
        return f"broken model, {type(error).__name__}: {error}"


def work(folder, seed, n_mutants):
    """Load mutants of the files in `folder` and print what came of them as a line of JSON."""
    watch, path = Watch(), os.path.join(folder, f"mutant-{seed}")
    sources = sorted(Path(folder).glob("*.safetensors"))
    files = [source.read_bytes() for source in sources]
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    for source in sources:  # everything is imported afterwards, also for error messages
        model = skvq.load(source)
        saved_files.outputs(model), repr(model)
    outcomes, failures, traced, peaks = collections.Counter(), [], [0], [0]
    for which, way, mutant in mutants(files, np.random.default_rng(seed), n_mutants):
        Path(path).write_bytes(mutant)
        outcome, found, memory, peak = load(path, watch)
        traced.append(memory - len(mutant))
        peaks.append(peak - len(mutant))
        if found is not None:
            outcome = use(found) or outcome
        if outcome not in ("LoadError", "valid model") or watch.seen:
            kept = os.path.join(folder, f"failure-{seed}-{len(failures)}")
            Path(kept).write_bytes(mutant)
            failures.append(f"{sources[which].stem}, {way}: {outcome[:300]} {watch.seen[:3]} {kept}")
            outcome = "anything else"
        watch.seen.clear()
        outcomes[f"{way.split(':')[0]}|{outcome}"] += 1
    os.unlink(path)
    result = {"outcomes": outcomes, "failures": failures, "traced": max(traced), "resident": max(peaks)}
    print(json.dumps(result), flush=True)


def write_sources(folder):
    """Write a file of every small model; the first two are those that hostile files are made of."""
    for index, (name, model) in enumerate(saved_files.models().items()):
        first = {"VQ-VAE, class-conditional prior": "0", "VQ-VAE, images": "1"}.get(name, f"2-{index:02d}")
        model.save(os.path.join(folder, f"{first}-{name.replace(' ', '_')}.safetensors"))


def report(results, seconds):
    """Print the table of all workers."""
    outcomes = collections.Counter()
    for result in results:
        outcomes.update(result["outcomes"])
    ways = sorted({key.split("|")[0] for key in outcomes})
    kinds = ("LoadError", "valid model", "anything else")
    print(f"{'mutation':28}{'mutants':>10}" + "".join(f"{kind:>16}" for kind in kinds))
    for way in [*ways, ""]:
        counts = [
            sum(
                n
                for key, n in outcomes.items()
                if key.startswith(f"{way}|" if way else "") and key.endswith(f"|{kind}")
            )
            for kind in kinds
        ]
        print(f"{way or 'all':28}{sum(counts):>10}" + "".join(f"{count:>16}" for count in counts))
    for name in ("traced", "resident"):
        print(f"largest {name} memory beyond the file: {max(result[name] for result in results) / 1e6:.1f} MB")
    print(f"{seconds:.0f} s")
    failures = [failure for result in results for failure in result["failures"]]
    if failures:
        raise SystemExit("\n".join(failures))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.folder is not None:
        work(arguments.folder, arguments.seed, arguments.mutants)
        return
    print_environment("safetensors")
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        write_sources(folder)
        shares = [PER_WORKER] * (arguments.mutants // PER_WORKER)
        shares += [arguments.mutants % PER_WORKER] * (arguments.mutants % PER_WORKER > 0)
        results, running = [], []
        for number, share in enumerate(shares):
            command = [sys.executable, __file__, "--folder", folder, "--mutants", str(share)]
            seed = str(1000 * arguments.seed + number)
            running.append(subprocess.Popen([*command, "--seed", seed], stdout=subprocess.PIPE, text=True))
            if len(running) == arguments.workers or number == len(shares) - 1:
                results += [json.loads(worker.communicate()[0].splitlines()[-1]) for worker in running]
                running = []
        report(results, time.perf_counter() - started)


if __name__ == "__main__":
    main()

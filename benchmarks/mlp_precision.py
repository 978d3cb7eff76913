"""float32 against float64 inside MLPRegressor and MLPClassifier, on float64 rows of real data sets.

Test score (R², accuracy) over 3 folds and final training loss, for the same seeds and folds in both precisions. What
precision changes is read from the last columns: the mean difference of a pair, the standard deviation of a pair's
difference, and the standard deviation of float64 from seed to seed, which is what chance does to a single fit anyway.
"diverged" counts the fits that raised, of either precision.

    python benchmarks/mlp_precision.py --seeds 5
"""

import argparse
import time
import warnings

import numpy as np
from _environment import print_environment
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import scale

from _datasets import load_fashion_mnist  # isort: skip

from skvq import MLPClassifier, MLPRegressor

PRECISIONS = ("float32", "float64")
ITERATIONS = {"adam": 200, "sgd": 200, "lbfgs": 200}  # the default of scikit-learn


def load_fashion():
    """Return 2,000 images of Fashion-MNIST as rows, and their labels."""
    X, y, _, _ = load_fashion_mnist()
    return X[:2000].reshape(2000, -1).astype(float), y[:2000]


SETS = {
    "wine": (lambda: load_wine(return_X_y=True), MLPClassifier),
    "breast cancer": (lambda: load_breast_cancer(return_X_y=True), MLPClassifier),
    "diabetes": (lambda: load_diabetes(return_X_y=True, scaled=False), MLPRegressor),
    "digits": (lambda: load_digits(return_X_y=True), MLPClassifier),
    "Fashion-MNIST, 2,000": (load_fashion, MLPClassifier),
}


def evaluate(estimator, X, y, solver, precision, seed):
    """Return mean test score, mean final training loss over the folds, and seconds; None where training diverged."""
    folds = StratifiedKFold if estimator is MLPClassifier else KFold
    scores, losses, start = [], [], time.perf_counter()
    for train, test in folds(3, shuffle=True, random_state=seed).split(X, y):
        model = estimator(solver=solver, max_iter=ITERATIONS[solver], precision=precision, random_state=seed)
        try:
            model.fit(X[train], y[train])
        except ValueError:
            return None
        scores.append(model.score(X[test], y[test]))
        losses.append(model.loss_)
    return np.mean(scores), np.mean(losses), time.perf_counter() - start


def compare(name, what, estimator, X, y, solver, seeds):
    """Print a row of the table."""
    runs = {
        precision: [evaluate(estimator, X, y, solver, precision, seed) for seed in range(seeds)]
        for precision in PRECISIONS
    }
    diverged = [sum(run is None for run in runs[precision]) for precision in PRECISIONS]
    pairs = [pair for pair in zip(*runs.values()) if None not in pair]
    print(f"{name:21s} {what:12s} {solver:6s}", end=" ")
    if not pairs:
        print(f"{'':73s} diverged: {diverged[0]} | {diverged[1]} of {seeds}", flush=True)
        return
    (score, loss, seconds), (score_64, loss_64, seconds_64) = np.array(pairs).transpose(1, 2, 0)
    print(f"{score.mean():8.4f} {score_64.mean():8.4f} {(score - score_64).mean():8.4f}", end=" ")
    print(f"{(score - score_64).std():8.4f} {score_64.std():8.4f}", end=" ")
    print(f"{loss.mean():10.4g} {loss_64.mean():10.4g} {loss_64.std():8.2g}", end=" ")
    print(f"{seconds_64.mean() / seconds.mean():5.2f}", end="")
    print(f" diverged: {diverged[0]} | {diverged[1]} of {seeds}" if any(diverged) else "", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", default="", help="part of the name of the sets to run")
    parser.add_argument("--solvers", nargs="+", default=list(ITERATIONS), choices=list(ITERATIONS))
    arguments = parser.parse_args()
    print_environment()
    print(f"{'':41s} {'test score':17s} {'pair: difference':17s} {'seeds':8s} {'training loss':21s} {'seeds':8s}")
    print(
        f"{'set':21s} {'columns':12s} {'solver':6s} {'f32':>8s} {'f64':>8s} {'mean':>8s} {'std':>8s} {'std f64':>8s}",
        end=" ",
    )
    print(f"{'f32':>10s} {'f64':>10s} {'std f64':>8s} {'ratio':>5s}")
    for name, (load, estimator) in SETS.items():
        if arguments.only not in name:
            continue
        X, y = load()
        y_scaled = scale(y) if estimator is MLPRegressor else y
        for what, (rows, targets) in {"standardised": (scale(X), y_scaled), "raw": (X, y)}.items():
            for solver in arguments.solvers:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    compare(name, what, estimator, rows, targets, solver, arguments.seeds)


if __name__ == "__main__":
    main()

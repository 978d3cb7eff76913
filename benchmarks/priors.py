"""Held-out nats, fitting and sampling seconds of the priors of codes, each with its defaults.

PixelCNN and CausalTransformer beside two models that count: independent positions, and a first-order Markov chain in
raster order with a table for every position, both smoothed as strongly as held-out rows ask for. Codes are those of a
default VQVAETransformer: of Fashion-MNIST and of digits as images, and of digits, breast cancer and wine as tables. The
test images of Fashion-MNIST are its own; the others are cut into three folds, of which each is the test in turn, with
codes and priors from the other two. Nats are means over the test grids, seconds are CPU seconds.

    python benchmarks/priors.py digits digits_table breast_cancer wine
    python benchmarks/priors.py fashion_mnist --codes codes.npz --save codes.npz
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from _code_models import IndependentCodes, MarkovChain
from _environment import print_environment
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.model_selection import KFold

from skvq import CausalTransformer, PixelCNN, VQVAETransformer

from _datasets import load_fashion_mnist  # isort: skip

TABLES = {"digits_table": load_digits, "breast_cancer": load_breast_cancer, "wine": load_wine}


def splits(name):
    """Yield (X_train, X_test) of a data set."""
    if name == "fashion_mnist":
        X_train, _, X_test, _ = load_fashion_mnist()
        yield X_train, X_test
        return
    X = load_digits().images if name == "digits" else TABLES[name]().data
    for train, test in KFold(3, shuffle=True, random_state=0).split(X):
        yield X[train], X[test]


def encode(X_train, X_test):
    """Return the codes (n, *code_shape) of both, under a VQVAETransformer fitted to the first."""
    model = VQVAETransformer(prior=None, random_state=0).fit(X_train)
    return [model.transform(X).reshape(len(X), *model.code_shape_) for X in (X_train, X_test)]


def load_or_encode(name, path):
    """Return a list of pairs of codes, (n, h, w) or (n, m): those saved at `path` if there are any, else new ones."""
    if path is None or not Path(path).exists():
        return [encode(*pair) for pair in splits(name)]
    with np.load(path) as file:
        n_pairs = sum(key.startswith("train") for key in file)
        pairs = [(file[f"train{k or ''}"], file[f"test{k or ''}"]) for k in range(n_pairs)]
    side = round(pairs[0][0].shape[1] ** 0.5)
    if name in ("fashion_mnist", "digits") and pairs[0][0].ndim == 2:
        pairs = [[codes.reshape(-1, side, side) for codes in pair] for pair in pairs]
    return pairs


def save(pairs, path):
    """Write pairs of codes to an npz file: train, test, train1, test1, ..."""
    arrays = {f"train{k or ''}": pair[0] for k, pair in enumerate(pairs)}
    np.savez(path, **arrays, **{f"test{k or ''}": pair[1] for k, pair in enumerate(pairs)})


def flat(codes):
    return codes.reshape(len(codes), -1)


def report(name, values, seconds=None, note=""):
    spent = "" if seconds is None else f"{statistics.mean(seconds):.1f}"
    print(f"{name:28s} {statistics.mean(values):10.2f} {spent:>10s}  {note}", flush=True)


def count(pairs, n_codes):
    """Print the lines of the models that count."""
    for name, model in (("independent positions", IndependentCodes), ("first-order Markov chain", MarkovChain)):
        report(name, [-model(n_codes).fit(flat(train)).score_samples(flat(test)).mean() for train, test in pairs])


def fit(estimator, pairs):
    """Print the line of an estimator; return it fitted to the last pair."""
    values, seconds = [], []
    for train, test in pairs:
        started = time.process_time()
        estimator.fit(train)
        seconds.append(time.process_time() - started)
        values.append(-estimator.score(test))
    size = sum(array.size for array in estimator.weights_.values())
    report(type(estimator).__name__, values, seconds, f"{size:,} weights, {estimator.n_iter_} epochs")
    return estimator


def seconds_of_samples(models, n_rounds):
    """Print the CPU seconds of drawing 64 and 1,024 grids, the best of some rounds in turn."""
    for n in (64, 1024):
        rounds = [[] for _ in models]
        for _ in range(n_rounds):
            for model, seconds in zip(models, rounds, strict=True):
                started = time.process_time()
                model.sample(n, random_state=0)
                seconds.append(time.process_time() - started)
        found = ", ".join(f"{type(m).__name__} {min(s):.3f}" for m, s in zip(models, rounds, strict=True))
        print(f"  seconds of {n} samples: {found}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=("fashion_mnist", "digits", *TABLES))
    parser.add_argument("--codes", help="an npz file with codes as `train` and `test`, instead of a fit (one data set)")
    parser.add_argument("--save", help="write the codes there (one data set)")
    parser.add_argument("--rows", type=int, help="grids to train on at most")
    parser.add_argument("--rounds", type=int, default=5, help="of timing samples")
    arguments = parser.parse_args()
    if len(arguments.names) > 1 and (arguments.codes or arguments.save):
        parser.error("--codes and --save go with one data set")
    torch.set_num_threads(1)
    print_environment()
    for name in arguments.names:
        pairs = load_or_encode(name, arguments.codes)
        if arguments.save:
            save(pairs, arguments.save)
        pairs = [(train[: arguments.rows], test) for train, test in pairs]
        n_codes = int(max(codes.max() for pair in pairs for codes in pair)) + 1
        print(f"\n{name}: {len(pairs[0][0])} grids {pairs[0][0].shape[1:]} of {n_codes} codes")
        print(f"{'':28s} {'test nats':>10s} {'CPU s':>10s}")
        count(pairs, n_codes)
        models = [fit(model(n_codes, random_state=0), pairs) for model in (PixelCNN, CausalTransformer)]
        seconds_of_samples(models, arguments.rounds)


if __name__ == "__main__":
    main()

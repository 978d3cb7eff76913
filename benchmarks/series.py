"""Codes of nine sets of series that ship with aeon: what they keep, tell of classes, fill and draw, beside older means.

    pip install --no-deps aeon
    python benchmarks/series.py run --results series.jsonl --seeds 0
    python benchmarks/series.py print --results series.jsonl

What the archive splits is put together; two thirds, drawn by the seed, are trained on, and channels are standardised by
them. No class is seen by a fit, and no parameter is set but the budget of bits.

R²
    of the test series, about their mean series, at 16, 32 and 64 bits. Of product, residual and Fourier k-means the
    better one of codes of 4 and 8 bits.
accuracy
    of a logistic regression on the one-hot codes, or on the one-hot symbols of SAX words, of 64 bits.
gap, end
    a quarter of the steps is missing, somewhere or at the end: root mean squared error there, divided by that of the
    mean of all test series. VQVAETransformer: `complete`, the mean of eight draws, and one draw.
AUC
    of a random forest that tells drawn series from as many test series (`skvq.metrics.two_sample_auc`); 0.5 is perfect.

`run` skips the sets that the file of results has. Seconds are CPU seconds, on one thread, of the fit at 64 bits with
its prior.
"""

import argparse
import json
import time
import warnings

import numpy as np
import torch
from _environment import print_environment
from _results import append_line, read_lines
from _series_data import SETS, WITHOUT_CLASSES, split_set
from _series_peers import METHODS, drawn_by_mixture, lines, mean_series, reconstructions, sax_words
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder

from skvq import VQVAETransformer
from skvq.metrics import two_sample_auc

BITS = 16, 32, 64
N_DRAWS = 8
BY_PARTS = 'network="convolutional"'


def standardised(train, test):
    """Return train and test series by the mean and the deviation of each channel of the train series."""
    mean, scale = train.mean(axis=(0, 1)), train.std(axis=(0, 1))
    return (train - mean) / scale, (test - mean) / scale


def r_squared(test, found):
    """Return the share of the variance of the test series, about their mean series, that is found."""
    return float(1 - np.square(test - found).sum() / np.square(test - test.mean(axis=0)).sum())


def accuracy(codes_train, codes_test, y_train, y_test):
    """Return the accuracy of a logistic regression on one-hot codes."""
    one_hot = OneHotEncoder(handle_unknown="ignore").fit(codes_train)
    model = LogisticRegression(max_iter=2_000).fit(one_hot.transform(codes_train), y_train)
    return float(model.score(one_hot.transform(codes_test), y_test))


def gaps(shape, at_the_end, seed):
    """Return what is known of series (n, length, n_channels) that lack a quarter of their steps."""
    n, length, _ = shape
    known, width = np.ones(shape, bool), length // 4
    starts = np.random.default_rng(seed).integers(1, length - width, n)
    for i in range(n):
        start = length - width if at_the_end else starts[i]
        known[i, start : start + width] = False
    return known


def relative_error(test, found, known):
    """Return the error of what was filled in, divided by that of the mean of all."""
    gone = ~known
    deviation = np.square(test - test.mean(axis=(0, 1)))[gone].mean()
    return float(np.sqrt(np.square(found - test)[gone].mean() / deviation))


def fitted(train, n_bits, seed, **options):
    """Return a VQVAETransformer of so many bits, and the CPU seconds of its fit."""
    start = time.process_time()
    model = VQVAETransformer(series_shape=train.shape[1:], max_bits=n_bits, random_state=seed, **options).fit(train)
    return model, time.process_time() - start


def figures_of_ours(train, test, y_train, y_test, seed):
    """Return a dict of the figures of VQVAETransformer."""
    figures = {}
    for n_bits in BITS:
        options = {} if n_bits == BITS[-1] else {"prior": None}
        model, seconds = fitted(train, n_bits, seed, **options)
        figures[f"R² {n_bits}"] = r_squared(test, model.inverse_transform(model.transform(test)))
    figures |= {"seconds": seconds, "network": model.network_}
    if y_train is not None:
        figures["accuracy"] = accuracy(model.transform(train), model.transform(test), y_train, y_test)
    for name, at_the_end in (("gap", False), ("end", True)):
        known = gaps(test.shape, at_the_end, seed)
        mean = model.complete(test, known, n_draws=N_DRAWS, strategy="mean", random_state=seed)
        figures[name] = relative_error(test, mean, known)
        figures[f"{name}, one draw"] = relative_error(test, model.complete(test, known, random_state=seed), known)
    drawn = model.sample(len(test), random_state=seed)
    figures["AUC"] = two_sample_auc(test.reshape(len(test), -1), drawn.reshape(len(test), -1), random_state=seed)
    return figures


def figures_by_parts(train, test, y_train, y_test, seed):
    """Return a dict of the figures of codes of parts of the series, whatever "auto" would take."""
    model, _ = fitted(train, BITS[-1], seed, network="convolutional", prior=None)
    figures = {f"R² {BITS[-1]}": r_squared(test, model.inverse_transform(model.transform(test)))}
    if y_train is not None:
        figures["accuracy"] = accuracy(model.transform(train), model.transform(test), y_train, y_test)
    return figures


def figures_of_peers(train, test, y_train, y_test, seed):
    """Return a dict of dicts of figures by method."""
    found = {}
    for method in METHODS:
        found[method] = {
            f"R² {n_bits}": max(r_squared(test, one) for one in reconstructions(method, train, test, n_bits, seed))
            for n_bits in BITS
        }
    if y_train is not None:
        words = [sax_words(part, BITS[-1])[0] for part in (train, test)]
        found["SAX"]["accuracy"] = accuracy(*words, y_train, y_test)
    found["straight lines"], found["mean series"] = {}, {}
    for name, at_the_end in (("gap", False), ("end", True)):
        known = gaps(test.shape, at_the_end, seed)
        found["straight lines"][name] = relative_error(test, lines(test, known), known)
        found["mean series"][name] = relative_error(test, mean_series(train, known), known)
    drawn = drawn_by_mixture(train, len(test), seed)
    auc = two_sample_auc(test.reshape(len(test), -1), drawn.reshape(len(test), -1), random_state=seed)
    return found | {"PCA + mixture": {"AUC": auc}}


def run(options):
    """Append a line to the file of results for every set and seed that it lacks."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print_environment()
    done = {(line["set"], line["seed"]) for line in read_lines(options.results)}
    for seed in options.seeds:
        for name in options.sets:
            if (name, seed) in done:
                continue
            X_train, X_test, y_train, y_test = split_set(name, seed, options.data)
            train, test = standardised(X_train, X_test)
            labels = (None, None) if name in WITHOUT_CLASSES else (y_train, y_test)
            methods = {"VQVAETransformer": figures_of_ours(train, test, *labels, seed)}
            methods[BY_PARTS] = figures_by_parts(train, test, *labels, seed)
            methods |= figures_of_peers(train, test, *labels, seed)
            line = {"set": name, "seed": seed, "shape": train.shape, "methods": methods}
            append_line(options.results, line)
            print(json.dumps(line), flush=True)


def print_tables(options):
    """Print a table for each figure: methods are rows, sets are columns."""
    results = [line for line in read_lines(options.results) if line["seed"] in options.seeds]
    names = [name for name in options.sets if any(line["set"] == name for line in results)]
    shapes = {line["set"]: "×".join(map(str, line["shape"])) for line in results}
    figures = [f"R² {n_bits}" for n_bits in BITS] + ["accuracy", "gap", "gap, one draw", "end", "end, one draw"]
    for figure in (*figures, "AUC", "seconds", "network"):
        methods = list(dict.fromkeys(m for line in results for m, found in line["methods"].items() if figure in found))
        print(f"\n{figure}:\n\n| | {' | '.join(names)} |\n|{' --- |' * (len(names) + 1)}")
        if figure == "R² 16":
            print(f"| train series × length × channels | {' | '.join(shapes[name] for name in names)} |")
        for method in methods:
            cells = []
            for name in names:
                found = [line["methods"][method].get(figure) for line in results if line["set"] == name]
                found = [value for value in found if value is not None]
                cells.append(_cell(found, figure))
            print(f"| {method} | {' | '.join(cells)} |")


def _cell(values, figure):
    if not values:
        return "–"
    if isinstance(values[0], str):
        return ", ".join(dict.fromkeys(values))
    return f"{np.mean(values):.{0 if figure == 'seconds' else 3}f}"


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, function in (("run", run), ("print", print_tables)):
        command = commands.add_parser(name)
        command.set_defaults(function=function)
        command.add_argument("--results", required=True, help="file of results, a dict in each line")
        command.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
        command.add_argument("--seeds", nargs="+", type=int, default=[0])
    commands.choices["run"].add_argument("--data", help="folder that aeon was unpacked to; without, it is installed")
    options = parser.parse_args()
    options.function(options)


if __name__ == "__main__":
    main()

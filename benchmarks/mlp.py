"""MLPRegressor and MLPClassifier against scikit-learn's, with skorch and a usual torch loop beside.

Every case is run in turns, ours and theirs in the same process on the same rows, and the medians are compared, in
milliseconds: of an epoch for the stochastic solvers and of an iteration for L-BFGS (a whole fit over their number, so
preparations count), and of a call of `predict`. The final training loss is given as mean ± standard deviation over
seeds. Ratios are theirs / ours. The bars are the ones that the package was written to.

    taskset -c 0 python benchmarks/mlp.py --threads 1
    python benchmarks/mlp.py --threads 2
    python benchmarks/mlp.py --memory
"""

import argparse
import resource
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import sklearn.neural_network
import torch
from _environment import print_environment
from threadpoolctl import threadpool_limits
from torch import nn

import skvq


@dataclass
class Case:
    """A problem to fit, and how many times faster than scikit-learn on the same float64 rows ours should be."""

    name: str
    kind: str
    n_rows: int
    n_columns: int
    params: dict
    epochs: int
    bar: float | None = None
    n_classes: int = 10
    options: dict = field(default_factory=lambda: {"random_state": 0, "n_iter_no_change": 10_000})

    def data(self):
        """Return X (n, p) float64 and y, with a signal to find and noise."""
        rng = np.random.default_rng(0)
        X = rng.normal(size=(self.n_rows, self.n_columns))
        hidden = np.tanh(X @ rng.normal(size=(self.n_columns, 16)) / self.n_columns**0.5)
        noise = 0.1 * rng.normal(size=(self.n_rows, self.n_classes))
        scores = hidden @ rng.normal(size=(16, self.n_classes)) + noise
        return X, scores[:, 0] if self.kind == "regression" else scores.argmax(axis=1)

    def model(self, module, **params):
        """Return an unfitted estimator of skvq or of scikit-learn."""
        name = "MLPRegressor" if self.kind == "regression" else "MLPClassifier"
        return getattr(module, name)(**self.options | self.params | {"max_iter": self.epochs} | params)


LBFGS = {"solver": "lbfgs", "tol": 0.0}
CASES = [
    Case("regression 20,000×20, (100,)", "regression", 20_000, 20, {}, 10, 3.5),
    Case("classification 20,000×20, (100,)", "classification", 20_000, 20, {}, 10, 3.0),
    Case("regression 20,000×100, (256, 256)", "regression", 20_000, 100, {"hidden_layer_sizes": (256, 256)}, 4, 2.8),
    Case(
        "classification 20,000×784, (256, 256)",
        "classification",
        20_000,
        784,
        {"hidden_layer_sizes": (256, 256)},
        6,
        2.5,
    ),
    Case(
        "the same, batch 1000",
        "classification",
        20_000,
        784,
        {"hidden_layer_sizes": (256, 256), "batch_size": 1000},
        6,
        2.2,
    ),
    Case("sgd, regression 20,000×20, (100,)", "regression", 20_000, 20, {"solver": "sgd"}, 10),
    Case("lbfgs, regression 1,000×20, (100,)", "regression", 1_000, 20, LBFGS, 100, 2.0),
    Case("lbfgs, regression 20,000×100, (100,)", "regression", 20_000, 100, LBFGS, 20, 2.0),
]


def seconds_of(call, clock, repeats=1):
    """Return the seconds of one call, the mean of `repeats`."""
    start = clock()
    for _ in range(repeats):
        call()
    return (clock() - start) / repeats


def in_turns(calls, rounds, clock, repeats=1):
    """Return the median seconds of each call (a dict by name), run in turns."""
    for call in calls.values():
        call()
    seconds = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            seconds[name].append(seconds_of(call, clock, repeats))
    return {name: float(np.median(values)) for name, values in seconds.items()}


def final_losses(case, module, X, y, seeds):
    """Return the last training loss of every seed; both have to run the same number of epochs or iterations."""
    models = [case.model(module, random_state=seed).fit(X, y) for seed in range(seeds)]
    if any(model.n_iter_ != case.epochs for model in models):
        raise RuntimeError(f"{case.name}: {[model.n_iter_ for model in models]} instead of {case.epochs} iterations")
    return [model.loss_ for model in models]


def spread(values):
    """Return mean ± standard deviation as text."""
    return f"{np.mean(values):.4f} ± {np.std(values):.4f}"


def verdict(ratio, bar):
    """Return what the bar says of a ratio."""
    return "" if bar is None else f"{bar:.1f} {'ok' if ratio >= bar else 'MISSED'}"


def torch_network(case, n_outputs):
    """Return the network of a case as a usual torch module."""
    widths = [case.n_columns, *case.params.get("hidden_layer_sizes", (100,)), n_outputs]
    layers = [layer for fan in zip(widths[:-1], widths[1:]) for layer in (nn.Linear(*fan), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def usual_loop(case, X, y):
    """Return a call that trains with DataLoader, autograd and torch.optim.Adam, in float32."""
    regression = case.kind == "regression"
    rows = torch.as_tensor(X, dtype=torch.float32)
    targets = torch.as_tensor(y, dtype=torch.float32).unsqueeze(1) if regression else torch.as_tensor(y)
    data = torch.utils.data.TensorDataset(rows, targets)

    def train():
        network = torch_network(case, 1 if regression else case.n_classes)
        optimizer = torch.optim.Adam(network.parameters(), weight_decay=1e-4)
        loss = nn.MSELoss() if regression else nn.CrossEntropyLoss()
        loader = torch.utils.data.DataLoader(data, batch_size=case.params.get("batch_size", 200), shuffle=True)
        for _ in range(case.epochs):
            for x_batch, y_batch in loader:
                optimizer.zero_grad()
                loss(network(x_batch), y_batch).backward()
                optimizer.step()

    return train


def skorch_fit(case, X, y):
    """Return a call that trains with skorch's estimator, in float32, or None where skorch is not installed."""
    try:
        from skorch import NeuralNetClassifier, NeuralNetRegressor
    except ImportError:
        return None
    regression = case.kind == "regression"
    options = {"max_epochs": case.epochs, "batch_size": case.params.get("batch_size", 200), "lr": 1e-3, "verbose": 0}
    options |= {"optimizer": torch.optim.Adam, "train_split": None, "iterator_train__shuffle": True}
    network = torch_network(case, 1 if regression else case.n_classes)
    rows = X.astype(np.float32)
    if regression:
        return lambda: NeuralNetRegressor(network, **options).fit(rows, y.astype(np.float32)[:, None])
    return lambda: NeuralNetClassifier(network, criterion=nn.CrossEntropyLoss, **options).fit(rows, y)


def print_fits(rounds, seeds, only, clock):
    """Print the table of fits."""
    print(f"\n{'fit':40s} {'ours':>9s} {'sklearn':>9s} {'ratio':>6s} {'bar':>11s}", end=" ")
    print(f"{'f32: ours':>10s} {'sklearn':>9s} {'ratio':>6s} {'torch':>9s} {'skorch':>9s}   final loss, ours | sklearn")
    for case in CASES:
        if only not in case.name:
            continue
        X, y = case.data()
        X_single = X.astype(np.float32)
        calls = {
            "ours": partial(case.model(skvq).fit, X, y),
            "theirs": partial(case.model(sklearn.neural_network).fit, X, y),
            "ours f32": partial(case.model(skvq).fit, X_single, y),
            "theirs f32": partial(case.model(sklearn.neural_network).fit, X_single, y),
        }
        seconds = in_turns(calls, rounds, clock)
        peers = {}
        if case.params.get("solver", "adam") == "adam":
            peers = {"torch": usual_loop(case, X, y), "skorch": skorch_fit(case, X, y)}
            peers = in_turns({name: call for name, call in peers.items() if call}, 1, clock)
        losses = [final_losses(case, module, X, y, seeds) for module in (skvq, sklearn.neural_network)]
        print_fit(case, seconds, peers, losses)


def print_fit(case, seconds, peers, losses):
    """Print a row: milliseconds an epoch or an iteration."""
    each = {name: 1e3 * value / case.epochs for name, value in (seconds | peers).items()}
    ratio, ratio_single = each["theirs"] / each["ours"], each["theirs f32"] / each["ours f32"]
    print(
        f"{case.name:40s} {each['ours']:9.2f} {each['theirs']:9.2f} {ratio:6.2f} {verdict(ratio, case.bar):>11s}",
        end=" ",
    )
    print(f"{each['ours f32']:10.2f} {each['theirs f32']:9.2f} {ratio_single:6.2f}", end=" ")
    print(" ".join(f"{each[name]:9.2f}" if name in each else f"{'':9s}" for name in ("torch", "skorch")), end="   ")
    print(" | ".join(spread(values) for values in losses), flush=True)


def print_predictions(rounds, clock):
    """Print the table of predictions, in milliseconds a call."""
    print(f"\n{'predict':56s} {'ours':>9s} {'sklearn':>9s} {'ratio':>6s} {'bar':>11s}", end=" ")
    print(f"{'f32: ours':>10s} {'sklearn':>9s} {'ratio':>6s}")
    for case in CASES[:3]:
        X, y = case.data()
        models = {}
        for dtype in (np.float64, np.float32):
            for name, module in {"ours": skvq, "theirs": sklearn.neural_network}.items():
                models[name, dtype] = case.model(module, max_iter=1).fit(X.astype(dtype), y)
        rows = np.random.default_rng(1).normal(size=(100_000, case.n_columns))
        for n_rows, bar in {1: 3.0, 100_000: 2.5}.items():
            repeats = 200 if n_rows == 1 else 1
            print_prediction(f"{n_rows:,} rows, {case.name}", models, rows[:n_rows], bar, rounds, clock, repeats)


def print_prediction(name, models, rows, bar, rounds, clock, repeats):
    """Print a row: `models` are two by name and precision, `rows` what they predict."""
    calls = {}
    for (owner, dtype), model in models.items():
        calls[owner, dtype] = partial(model.predict, rows.astype(dtype))
    each = {key: 1e3 * seconds for key, seconds in in_turns(calls, rounds, clock, repeats).items()}
    print(f"{name:56s}", end=" ")
    for dtype, width in {np.float64: 9, np.float32: 10}.items():
        ratio = each["theirs", dtype] / each["ours", dtype]
        print(f"{each['ours', dtype]:{width}.3f} {each['theirs', dtype]:9.3f} {ratio:6.2f}", end=" ")
        if dtype is np.float64:
            print(f"{verdict(ratio, bar):>11s}", end=" ")
    print(flush=True)


def measure_memory(n_rows, module, dropout):
    """Print by how many MB a first fit on float64 rows raises the peak memory of this process."""
    rng = np.random.default_rng(0)
    X = np.empty((n_rows, 784))
    for start in range(0, n_rows, 100):
        X[start : start + 100] = rng.normal(size=(min(100, n_rows - start), 784))
    y = rng.integers(0, 10, size=n_rows)
    classes = {"skvq": skvq, "sklearn": sklearn.neural_network}
    options = {"dropout": 0.1} if dropout else {}
    model = classes[module].MLPClassifier(hidden_layer_sizes=(256, 256), max_iter=1, random_state=0, **options)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model.fit(X, y)
    print(f"{(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024:.1f}")


def print_memory():
    """Print the extra memory of fits on n × 784, each in a process of its own.

    What the network and the libraries take is the same for 2,000 rows: the difference is what the rows cost.
    """
    print("\nextra memory of a first fit on float64 rows of 784, classification, (256, 256), in MB; X is up to 627 MB")
    print(f"{'':20s} {'2,000 rows':>12s} {'100,000 rows':>14s}")
    for module, options in (("skvq", []), ("skvq", ["--dropout"]), ("sklearn", [])):
        extra = []
        for n_rows in (2_000, 100_000):
            command = [sys.executable, __file__, "--measure-memory", module, "--rows", str(n_rows), *options]
            extra.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        print(f"{' '.join([module, *options]):20s} {extra[0]:12.1f} {extra[1]:14.1f}", end=" ")
        print(f"bar: 30 {'ok' if extra[1] <= 30 else 'MISSED'}" if module == "skvq" else "", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cpu-time", action="store_true", help="processor time: for one thread on a busy machine")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each fit and prediction")
    parser.add_argument("--seeds", type=int, default=5, help="fits whose final losses are compared")
    parser.add_argument("--only", default="", help="part of the name of the cases to run")
    parser.add_argument("--memory", action="store_true", help="measure memory instead")
    parser.add_argument("--measure-memory", choices=["skvq", "sklearn"], help="measure one fit in this process")
    parser.add_argument("--rows", type=int, default=100_000, help="rows for --measure-memory")
    parser.add_argument("--dropout", action="store_true", help="with dropout, for --measure-memory")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.measure_memory:
        measure_memory(arguments.rows, arguments.measure_memory, arguments.dropout)
        return
    torch.set_num_threads(arguments.threads)
    print_environment("skorch")
    if arguments.memory:
        print_memory()
        return
    clock = time.process_time if arguments.cpu_time else time.perf_counter
    with threadpool_limits(arguments.threads):
        unit = "milliseconds of the processor" if arguments.cpu_time else "milliseconds"
        print(f"{arguments.threads} thread(s); {unit} an epoch (L-BFGS: an iteration), median of {arguments.rounds}")
        print_fits(arguments.rounds, arguments.seeds, arguments.only, clock)
        print_predictions(arguments.rounds, clock)


if __name__ == "__main__":
    main()

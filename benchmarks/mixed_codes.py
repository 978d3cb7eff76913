"""Codes as features of mixed tables: logistic regression on one-hot codes, beside bins and clusters of the same width.

    python benchmarks/mixed_codes.py --cache tables [--tables penguins ...] [--seeds 0 1 2] [--draws 10]

Balanced accuracy on test rows (30 %) of a logistic regression with balanced class weights, whose strength is chosen by
balanced accuracy over three folds of the labelled rows: once with the labels of all training rows, once with those of
30, drawn by shares of the classes. All features are learned from all training rows, without labels. `default` has too
few of its rare class for 30 labels, `--draws 0` leaves these out. `diamonds` and `flights` take over a minute a fit and
are left out.

- codes: `VQVAETransformer(prior=None)` fitted to the frame without the target, at its defaults, with one code of 8 for
  each column, and with one code of 32 for the row; one-hot, m codes of K are m · K columns.
- bins: `OneHotEncoder` of categories (a missing one is a level) and `KBinsDiscretizer` of numbers (quantiles; missing
  ones are imputed by the median), with as many bins for each number as bring the width nearest to m · K. Bins without
  values are merged by `KBinsDiscretizer`, and there are two at least, so the width can be another.
- clusters: m k-means of K clusters, from different starts, of the columns as below; one-hot.
- columns: `OneHotEncoder` of categories, `SimpleImputer` and `StandardScaler` of numbers.

"chosen" takes, of codes, bins and clusters each, the size that is best over the folds of the labelled rows.
"""

import argparse
import time
import warnings
from typing import NamedTuple

import numpy as np
import torch
from _environment import print_environment
from _table_codes import category_names, to_plain
from mixed_tables import TABLES, load_table, separate_target, split_table
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, StandardScaler

from skvq import VQVAETransformer

NAMES = [name for name in TABLES if name not in ("diamonds", "flights")]
STRENGTHS = (0.03, 0.3, 3.0)
N_LABELS = 30
MOST_BINS = 128
METHODS = ("codes", "bins", "clusters")


def sizes(n_columns):
    """Return parameters of a VQVAETransformer by the name of the size of its codes."""
    return {
        "default": {},
        "8 a column": {"n_codes": 8, "code_shape": (n_columns,), "quantizer": "vector"},
        "32 a row": {"n_codes": 32, "code_shape": (1,), "quantizer": "vector"},
    }


class Features(NamedTuple):
    """Features of training and test rows, and the CPU seconds that they took."""

    train: object
    test: object
    seconds: float


def one_hot(codes, codes_test, n_codes):
    """Return training and test codes (n, m) as sparse (n, m · n_codes)."""
    encoder = OneHotEncoder(categories=[np.arange(n_codes)] * codes.shape[1])
    return encoder.fit_transform(codes), encoder.transform(codes_test)


def by_kind(X, of_numbers):
    """Return one-hot levels of the categories of X, and `of_numbers` of its imputed numbers."""
    categories = category_names(X)
    return make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), of_numbers), [name for name in X if name not in categories]),
        (OneHotEncoder(handle_unknown="ignore"), categories),
    )


def columns(X, X_test):
    steps = by_kind(X, StandardScaler())
    return steps.fit_transform(to_plain(X)), steps.transform(to_plain(X_test))


def codes(X, X_test, parameters, seed):
    """Return one-hot codes of training and test rows, and how many of how many codes a row has."""
    model = VQVAETransformer(prior=None, random_state=seed, **parameters).fit(X)
    return *one_hot(model.transform(X), model.transform(X_test), model.n_codes_), (*model.code_shape_, model.n_codes_)


def bins(X, X_test, width):
    """Return one-hot levels and bins of training and test rows, about `width` columns in all."""
    steps = {}
    for n_bins in range(2, MOST_BINS + 1):
        binned = by_kind(X, KBinsDiscretizer(n_bins, quantile_method="averaged_inverted_cdf")).fit(to_plain(X))
        found = binned.transform(to_plain(X.iloc[:1])).shape[1]
        steps.setdefault(found, binned)
        if found > width:
            break
    best = steps[min(steps, key=lambda found: abs(found - width))]
    return best.transform(to_plain(X)), best.transform(to_plain(X_test))


def clusters(X, X_test, m, n_codes, seed):
    """Return one-hot labels of training and test rows by m k-means of `n_codes` clusters."""
    rows, test = columns(X, X_test)
    models = [KMeans(n_codes, n_init=1, random_state=m * seed + i).fit(rows) for i in range(m)]
    labels, labels_test = (np.stack([model.predict(part) for model in models], axis=1) for part in (rows, test))
    return one_hot(labels, labels_test, n_codes)


def timed(function, *arguments):
    """Return Features, and what else the function returns."""
    started = time.process_time()
    train, test, *others = function(*arguments)
    return Features(train, test, time.process_time() - started), *others


def all_features(X, X_test, seed):
    """Return Features by method and size."""
    features = {}
    for size, parameters in sizes(X.shape[1]).items():
        features["codes", size], (m, n_codes) = timed(codes, X, X_test, parameters, seed)
        (features["bins", size],) = timed(bins, X, X_test, m * n_codes)
        (features["clusters", size],) = timed(clusters, X, X_test, m, n_codes, seed)
    (features["columns", "columns"],) = timed(columns, X, X_test)
    return features


def accuracies(features, labelled, y, y_test):
    """Return the balanced accuracy on test rows by method and size, given the rows that have labels; "chosen" too."""
    inside, outside = {}, {}
    for key, (train, test, _) in features.items():
        search = GridSearchCV(
            LogisticRegression(class_weight="balanced", max_iter=300),
            {"C": STRENGTHS},
            scoring="balanced_accuracy",
            cv=StratifiedKFold(3, shuffle=True, random_state=0),
        )
        search.fit(train[labelled], y[labelled])
        inside[key], outside[key] = search.best_score_, search.score(test, y_test)
    for method in METHODS:
        best = max((key for key in inside if key[0] == method), key=inside.get)
        outside[method, "chosen"] = outside[best]
    return outside


def draws(y, n_draws, seed):
    """Yield the indices of `N_LABELS` rows, by shares of the classes, `n_draws` times."""
    for draw in range(n_draws):
        yield train_test_split(np.arange(len(y)), train_size=N_LABELS, stratify=y, random_state=1000 * seed + draw)[0]


def print_rows(table, labels, runs, features):
    """Print a line for each size: means over the runs (one for each seed), and what codes are ahead of bins."""
    for size in ("default", "8 a column", "32 a row", "chosen"):
        values = {method: np.array([run[method, size] for run in runs]) for method in METHODS}
        ahead = values["codes"] - values["bins"]
        error = ahead.std(ddof=1) / np.sqrt(len(runs)) if len(runs) > 1 else np.nan
        means = " | ".join(f"{values[method].mean():.3f}" for method in METHODS)
        plain = np.mean([run["columns", "columns"] for run in runs])
        cost = "| | "
        if size != "chosen":
            widths = [f"{np.mean([each[m, size].train.shape[1] for each in features]):.0f}" for m in METHODS]
            seconds = [f"{np.mean([each[m, size].seconds for each in features]):.1f}" for m in METHODS]
            cost = f"| {', '.join(widths)} | {', '.join(seconds)}"
        print(
            f"| {table} | {labels} | {size} | {means} | {plain:.3f} | {ahead.mean():+.3f} ± {error:.3f} {cost} |",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", help="folder of the parquet files of mixed_tables.py")
    parser.add_argument("--tables", nargs="+", default=NAMES, choices=NAMES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--draws", type=int, default=10, help=f"draws of {N_LABELS} labelled rows for each seed")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.filterwarnings("ignore", "Bins whose width|lbfgs failed|Found unknown categories|The least populated")
    warnings.filterwarnings("ignore", "y_pred contains classes not in y_true|Number of distinct clusters")
    print_environment("pandas")
    print("| table | labels | size | codes | bins | clusters | columns | codes − bins | widths | CPU s |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for table in options.tables:
        runs, few, features = [], [], []
        for seed in options.seeds:
            (X, y), (X_test, y_test) = (
                separate_target(part, table) for part in split_table(load_table(table, options.cache), seed)
            )
            features.append(all_features(X, X_test, seed))
            runs.append(accuracies(features[-1], np.arange(len(y)), y, y_test))
            if table == "default" or not options.draws:
                continue
            drawn = [accuracies(features[-1], rows, y, y_test) for rows in draws(y, options.draws, seed)]
            few.append({key: np.mean([each[key] for each in drawn]) for key in drawn[0]})
        print_rows(table, "all", runs, features)
        if few:
            print_rows(table, N_LABELS, few, features)


if __name__ == "__main__":
    main()

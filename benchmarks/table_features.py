"""Codes as features of mixed tables: logistic regression on one-hot codes, beside bins and levels of the same width.

The codes are those of a VQVAETransformer at its defaults, with as many codes a row as there are columns ("one a
column") or at its own choice. The bins are those of scikit-learn's KBinsDiscretizer (quantiles, numbers imputed by
their medians) and OneHotEncoder, with as many bins as give about the width of the one-hot codes. Prints the accuracy on
test rows, the width, and the CPU seconds; mean of the seeds.

    python benchmarks/table_features.py --cache tables [--tables penguins ...] [--seeds 0 1 2]
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from mixed_tables import TABLES, load_table, separate_target, split_table
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder

from skvq import VQVAETransformer


def codes(X, seed, **parameters):
    """Return the steps that make one-hot codes, fitted."""
    steps = make_pipeline(
        VQVAETransformer(prior=None, random_state=seed, **parameters), OneHotEncoder(handle_unknown="ignore")
    )
    return steps.fit(X)


def bins(X, width):
    """Return the steps that make bins of numbers and levels of categories, about `width` columns in all, fitted."""
    numeric = [name for name in X if pd.api.types.is_numeric_dtype(X[name]) and X[name].dtype != bool]
    others = [name for name in X if name not in numeric]
    n_levels = sum(X[name].nunique(dropna=False) for name in others)
    n_bins = int(np.clip((width - n_levels) / max(1, len(numeric)), 2, 64))
    return make_column_transformer(
        (
            make_pipeline(
                SimpleImputer(strategy="median"), KBinsDiscretizer(n_bins, quantile_method="averaged_inverted_cdf")
            ),
            numeric,
        ),
        (OneHotEncoder(handle_unknown="ignore"), others),
    ).fit(X)


def accuracy(steps, X, y, X_test, y_test):
    """Return the accuracy of a logistic regression on what the steps give, and the width of that."""
    features = steps.transform(X)
    model = LogisticRegression(max_iter=2000).fit(features, y)
    return model.score(steps.transform(X_test), y_test), features.shape[1]


def prepared(table, seed, cache):
    """Return X, y, X_test, y_test as frames without dates."""
    parts = []
    for frame in split_table(load_table(table, cache), seed):
        X, y = separate_target(frame, table)
        X = X.assign(**{name: X[name].astype("int64") for name in X.select_dtypes("datetime")})
        X = X.assign(**{name: X[name].astype("float64") for name in X.select_dtypes("Int64")})
        parts += [X, y]
    return parts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache")
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=TABLES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for table in options.tables:
        found = []
        for seed in options.seeds:
            X, y, X_test, y_test = prepared(table, seed, options.cache)
            for name, parameters in (("auto", {}), ("one a column", {"code_shape": (X.shape[1],)})):
                started = time.process_time()
                steps = codes(X, seed, **parameters)
                seconds = time.process_time() - started
                of_codes, width = accuracy(steps, X, y, X_test, y_test)
                of_bins, width_of_bins = accuracy(bins(X, width), X, y, X_test, y_test)
                found.append((name, of_codes, of_bins, width, width_of_bins, seconds))
        for name in ("auto", "one a column"):
            values = np.mean([each[1:] for each in found if each[0] == name], axis=0)
            print(
                f"{table:12} {name:13} codes {values[0]:.3f}  bins {values[1]:.3f}  width {values[2]:.0f} and "
                f"{values[3]:.0f}  {values[4]:.1f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()

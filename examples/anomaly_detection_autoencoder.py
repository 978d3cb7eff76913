"""
Anomalies by their reconstruction error
=======================================

An autoencoder that has never seen an 8, beside PCA and an isolation forest.

The models are fitted to images of all digits but one. Test images of these digits are normal, those of the digit left
out are anomalies; the area under the ROC curve (1: perfect, 0.5: chance) says how well a score tells them apart.

Run it with ``python examples/anomaly_detection_autoencoder.py``; it takes less than a minute on a core.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from skvq import AutoEncoderTransformer

N_COMPONENTS = 8


def anomaly_scores(normal, rows):
    """Return a score for every one of the rows (n, 64) from models fitted to the normal ones, by name."""
    autoencoder = AutoEncoderTransformer(N_COMPONENTS, image_shape=(8, 8), random_state=0).fit(normal)
    pca = PCA(N_COMPONENTS).fit(normal)
    forest = IsolationForest(random_state=0).fit(normal)
    return {
        "autoencoder": autoencoder.reconstruction_error(rows),
        "PCA": np.square(rows - pca.inverse_transform(pca.transform(rows))).mean(axis=1),
        "isolation forest": -forest.score_samples(rows),
    }


def main():
    X, y = load_digits(return_X_y=True)
    print("area under the ROC curve")
    for digit in (1, 4, 8):
        train, test = train_test_split(X[y != digit], random_state=0)
        rows = np.concatenate([test, X[y == digit]])
        is_anomaly = np.repeat([0, 1], [len(test), np.sum(y == digit)])
        scores = anomaly_scores(train, rows)
        areas = ", ".join(f"{name} {roc_auc_score(is_anomaly, score):.3f}" for name, score in scores.items())
        print(f"digit {digit} left out: {areas}", flush=True)


if __name__ == "__main__":
    main()

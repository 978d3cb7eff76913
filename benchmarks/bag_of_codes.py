"""Counts of codes as features of photographs: from which of nine is a patch cut?

    python benchmarks/bag_of_codes.py [--size 24] [--seeds 0 1 2]

The photographs are those of `photographs.py`. Training patches are cut from the left six tenths of each, test patches
from the rest. Every method makes 64 columns of a patch, and a logistic regression learns from these, its strength
chosen by three folds of the training patches:

- codes: how often each code of `VQVAETransformer(n_codes=64)` occurs in the patch;
- words: how often each of 64 k-means clusters of pieces occurs in it, pieces of 4 x 4 pixels;
- histogram: how many pixels have each of 64 grey levels or colours;
- pixels: no counts, but the pixels themselves, as many columns as they are.

Prints the accuracy on test patches, mean of the seeds, for grey patches and for those in colour, and the seconds of all
that is fitted.
"""

import argparse
import time

import numpy as np
from _environment import print_environment
from photographs import patches, photographs
from sklearn.cluster import MiniBatchKMeans
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skvq import VQVAETransformer

N_WORDS, PIECE, LEFT = 64, 4, 0.6
N_TRAIN, N_TEST = 200, 100
STRENGTHS = (0.003, 0.03, 0.3)


def cut(size, random):
    """Return training and test patches (n, size, size, 3), and from which photograph each is."""
    parts = []
    for n, side in ((N_TRAIN, 0), (N_TEST, 1)):
        X = []
        for photograph in photographs():
            border = int(LEFT * photograph.shape[1])
            half = photograph[:, :border] if side == 0 else photograph[:, border:]
            rows, columns = (random.integers(0, length - size, n) for length in half.shape[:2])
            X.append([half[i : i + size, j : j + size] for i, j in zip(rows, columns)])
        parts += [np.concatenate(X), np.repeat(np.arange(len(X)), n)]
    return parts


def counted(words):
    """Return how often each word occurs in every row of words (n, m): (n, N_WORDS)."""
    return np.stack([np.bincount(row, minlength=N_WORDS) for row in words.reshape(len(words), -1)])


def counts_of_codes(X, X_test, seed):
    """Return the counts of codes of training and test patches."""
    model = VQVAETransformer(n_codes=N_WORDS, prior=None, max_iter=10, random_state=seed).fit(X)
    return counted(model.transform(X)), counted(model.transform(X_test))


def counts_of_words(X, X_test, seed):
    """Return the counts of clusters of pieces."""
    pieces = [_pieces(part) for part in (X, X_test)]
    model = MiniBatchKMeans(N_WORDS, n_init=3, random_state=seed).fit(pieces[0].reshape(-1, pieces[0].shape[-1]))
    return [counted(model.predict(part.reshape(-1, part.shape[-1])).reshape(len(part), -1)) for part in pieces]


def _pieces(X):
    X = X if X.ndim == 4 else np.repeat(X[..., None], 3, axis=3)
    return patches(X, PIECE).astype(np.float64)


def histograms(X, X_test, seed):
    """Return how many pixels have each of 64 grey levels, or each of 4 x 4 x 4 colours."""
    if X.ndim == 3:
        return [counted((part // 4).astype(np.int64)) for part in (X, X_test)]
    return [counted((part // 64).astype(np.int64) @ (16, 4, 1)) for part in (X, X_test)]


def pixels(X, X_test, seed):
    """Return the pixels."""
    return [part.reshape(len(part), -1) / 255 for part in (X, X_test)]


METHODS = {"codes": counts_of_codes, "words": counts_of_words, "histogram": histograms, "pixels": pixels}


def accuracy(features, y, y_test):
    """Return the accuracy of a logistic regression on test rows."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, tol=0.01))
    search = GridSearchCV(model, {"logisticregression__C": STRENGTHS}, cv=3)
    return search.fit(features[0], y).score(features[1], y_test)


def main():
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=24)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    print_environment("scikit-image")
    for kind in ("grey", "colour"):
        for name, features in METHODS.items():
            found, start = [], time.process_time()
            for seed in options.seeds:
                X, y, X_test, y_test = cut(options.size, np.random.default_rng(seed))
                if kind == "grey":
                    X, X_test = (part.mean(axis=3).astype(np.uint8) for part in (X, X_test))
                found.append(accuracy(features(X, X_test, seed), y, y_test))
            seconds = (time.process_time() - start) / len(found)
            print(f"{kind:8}{name:12}{np.mean(found):.3f} +- {np.std(found):.3f}  {seconds:6.1f} s", flush=True)


if __name__ == "__main__":
    main()

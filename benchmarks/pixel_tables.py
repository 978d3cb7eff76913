"""Rows of pixels that come as a table: R² of test rows with one scale for all columns, one for each, and as images.

    python benchmarks/pixel_tables.py [--fashion]

scikit-learn's digits, twice as large and moved about in 20 x 20 pixels, and, with `--fashion`, 4,000 images
of Fashion-MNIST. R² is in the units of the pixels. `AutoEncoderTransformer(16)` and `VQVAETransformer`, one thread.
"""

import argparse
import time
import warnings

import numpy as np
import torch
from _environment import print_environment
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import skvq.core.layout
from skvq import AutoEncoderTransformer, VQVAETransformer

from _datasets import load_fashion_mnist  # isort: skip


def moved_digits():
    """Return training and test rows of 400 pixels."""
    rng, found = np.random.default_rng(0), np.zeros((1797, 20, 20))
    for image, digit in zip(found, load_digits().images):
        top, left = rng.integers(0, 5, 2)
        image[top : top + 16, left : left + 16] = np.kron(digit, np.ones((2, 2)))
    return train_test_split(found.reshape(1797, 400), test_size=0.25, random_state=0)


def r_squared(model, train, test):
    """Return R² of test rows, and the CPU seconds of the fit."""
    started = time.process_time()
    model.fit(train)
    seconds = time.process_time() - started
    left = model.inverse_transform(model.transform(test)) - test
    return 1 - np.square(left).sum() / np.square(test - train.mean(axis=0)).sum(), seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fashion", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print_environment()
    sets = {"digits moved about": moved_digits()}
    if options.fashion:
        train, _, test, _ = load_fashion_mnist()
        sets["Fashion-MNIST"] = [part.reshape(len(part), -1).astype(float) for part in (train[:4000], test)]
    looks_like_pixels = skvq.core.layout.warn_of_pixels
    for name, (train, test) in sets.items():
        side = round(train.shape[1] ** 0.5)
        for kind in ("one scale", "a scale for each column", "images"):
            skvq.core.layout.warn_of_pixels = looks_like_pixels if kind == "one scale" else lambda X: False
            shape = {"image_shape": (side, side)} if kind == "images" else {}
            for model in (AutoEncoderTransformer(16, **shape), VQVAETransformer(prior=None, **shape)):
                score, seconds = r_squared(model.set_params(random_state=0), train, test)
                print(f"{name:20} {kind:24} {type(model).__name__:24} {score:.3f} ({seconds:.0f} s)", flush=True)


if __name__ == "__main__":
    main()

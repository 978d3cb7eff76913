"""Real images for the examples and benchmarks, read from this machine if they are installed."""

import gzip
from pathlib import Path

import numpy as np

# Where the Debian package dataset-fashion-mnist puts the files (apt install dataset-fashion-mnist).
DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")


def read_idx(path):
    """Return the array in a gzipped idx file of unsigned bytes (the format of MNIST)."""
    with gzip.open(path, "rb") as file:
        zeros, kind, n_dims = file.read(2), file.read(1), file.read(1)[0]
        if zeros != b"\0\0" or kind != b"\x08":
            raise ValueError(f"{path} is not an idx file of unsigned bytes")
        shape = np.frombuffer(file.read(4 * n_dims), dtype=">i4")
        return np.frombuffer(file.read(), dtype=np.uint8).reshape(shape)


def load_fashion_mnist():
    """Return X_train (60000, 28, 28), y_train, X_test (10000, 28, 28), y_test; uint8 images, labels 0 … 9.

    The files of the Debian package are read if they are installed; otherwise `fetch_openml` downloads them once.
    """
    if DEBIAN_FASHION_MNIST.is_dir():
        names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
        return tuple(read_idx(DEBIAN_FASHION_MNIST / f"{name}-ubyte.gz") for name in names)
    from sklearn.datasets import fetch_openml

    print("downloading Fashion-MNIST from openml.org ...", flush=True)
    X, y = fetch_openml("Fashion-MNIST", version=1, return_X_y=True, as_frame=False, parser="liac-arff")
    X, y = X.astype(np.uint8).reshape(-1, 28, 28), y.astype(np.uint8)
    return X[:60_000], y[:60_000], X[60_000:], y[60_000:]


def load_colour_patches(size=32, stride=8):
    """Return colour patches of the two sample photos of scikit-learn, split by region of the photo.

    Returns
    -------
    X_train, X_test : ndarray of shape (n, size, size, 3), uint8
        Training patches from the left two thirds of each photo, test patches from the rest; none share a pixel.
    """
    from sklearn.datasets import load_sample_images

    train, test = [], []
    for image in load_sample_images().images:
        height, width, _ = image.shape
        border = 2 * width // 3
        for patches, left, right in ((train, 0, border), (test, border, width)):
            patches.extend(
                image[top : top + size, x : x + size]
                for top in range(0, height - size + 1, stride)
                for x in range(left, right - size + 1, stride)
            )
    return np.stack(train), np.stack(test)

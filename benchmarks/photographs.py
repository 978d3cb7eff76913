"""Photographs that are not aligned: R² of `VQVAETransformer()` against k-means of patches, at equal bits.

    python benchmarks/photographs.py                          # 16, 32, 64, 96 and 128 pixels, three seeds
    python benchmarks/photographs.py --sizes 64 --picture reconstructions.png

The tiles are cut, without overlap, from the colour photographs inside scikit-image and scikit-learn, at most a hundred
from each; a quarter of each photograph's is held out. ``k-means`` are 256 centres of the patches that the default's
cells are. ``deblocked`` adds the best linear map from the 3 × 3 patches around a cell to the patch, by ridge regression
on the training tiles. Both have the bits of the default: a code of 8 bits for each cell.
"""

import argparse
import time

import numpy as np
from _environment import print_environment
from sklearn.cluster import KMeans
from sklearn.datasets import load_sample_images
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from skvq import VQVAETransformer
from skvq.vqvae.defaults import automatic_code_shape

SHIPPED = ("coffee", "astronaut", "chelsea", "rocket", "hubble_deep_field", "retina", "immunohistochemistry")
MOST_TILES = 100
N_COMPONENTS = 64


def photographs():
    """Return the colour photographs that scikit-image ships inside its wheel, and the two of scikit-learn."""
    from skimage import data

    return [getattr(data, name)()[..., :3] for name in SHIPPED] + list(load_sample_images().images)


def tiles(size, seed):
    """Return training and test tiles (n, size, size, 3), uint8."""
    rng = np.random.default_rng(seed)
    train, test = [], []
    for photograph in photographs():
        rows, columns = photograph.shape[0] // size, photograph.shape[1] // size
        cut = photograph[: rows * size, : columns * size].reshape(rows, size, columns, size, 3)
        cut = cut.swapaxes(1, 2).reshape(-1, size, size, 3)
        cut = cut[rng.permutation(len(cut))[:MOST_TILES]]
        test.append(cut[: len(cut) // 4])
        train.append(cut[len(cut) // 4 :])
    return np.concatenate(train), np.concatenate(test)


def patches(X, stride):
    """Return the patches (n, h, w, stride * stride * 3) of tiles."""
    n, side = len(X), X.shape[1] // stride
    return X.reshape(n, side, stride, side, stride, 3).swapaxes(2, 3).reshape(n, side, side, -1)


def joined(P, stride):
    """Return the tiles of patches (n, h, w, stride * stride * 3)."""
    n, side = P.shape[:2]
    return P.reshape(n, side, side, stride, stride, 3).swapaxes(2, 3).reshape(n, side * stride, side * stride, 3)


def with_neighbours(P):
    """Return the vectors (n, h, w, d) of a grid beside those of their eight neighbours: (n * h * w, 9 * d)."""
    padded = np.pad(P, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    height, width = P.shape[1:3]
    parts = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return np.concatenate(parts, axis=-1).reshape(-1, 9 * P.shape[-1])


def r2(X, X_hat):
    """Return the share of the variation of tiles around their mean tile that is explained."""
    X = X.astype(np.float64)
    return 1 - np.square(X - X_hat).sum() / np.square(X - X.mean(axis=0)).sum()


def kmeans_and_deblocking(train, test, stride, seed):
    """Return, by name, R² on the test tiles and CPU seconds of both peers."""
    start = time.process_time()
    P, Q = (patches(X.astype(np.float32), stride) for X in (train, test))
    flat = P.reshape(-1, P.shape[-1])
    pca = PCA(min(N_COMPONENTS, flat.shape[1]), random_state=seed).fit(flat)
    sample = np.random.default_rng(seed).permutation(len(flat))[:20_000]
    kmeans = KMeans(256, n_init=1, random_state=seed).fit(pca.transform(flat[sample]))

    def centres(patch):
        scores = pca.transform(patch.reshape(-1, patch.shape[-1]))
        return kmeans.cluster_centers_[kmeans.predict(scores)].astype(np.float32).reshape(*patch.shape[:3], -1)

    coded = pca.inverse_transform(centres(Q).reshape(-1, pca.n_components_)).reshape(Q.shape)
    plain = r2(test, joined(coded, stride)), time.process_time() - start
    ridge = Ridge(alpha=1e-4 * len(flat) * float(pca.explained_variance_.mean())).fit(with_neighbours(centres(P)), flat)
    deblocked = ridge.predict(with_neighbours(centres(Q))).reshape(Q.shape)
    return {"k-means": plain, "deblocked": (r2(test, joined(deblocked, stride)), time.process_time() - start)}


def save_picture(test, reconstruction, path):
    """Write pairs of test tiles and their reconstructions to a picture."""
    import matplotlib.pyplot as plt

    chosen = np.linspace(0, len(test) - 1, 16).astype(int)
    figure, axes = plt.subplots(4, 8, figsize=(12, 6))
    for k, i in enumerate(chosen):
        for offset, X in enumerate((test, np.clip(reconstruction, 0, 255).astype(np.uint8))):
            axes[k // 4, 2 * (k % 4) + offset].imshow(X[i])
            axes[k // 4, 2 * (k % 4) + offset].axis("off")
    figure.savefig(path, dpi=100)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="*", type=int, default=[16, 32, 64, 96, 128])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--picture", help="file for tiles beside their reconstructions, of the last size and seed")
    arguments = parser.parse_args()
    print_environment("scikit-image")
    print(f"{'pixels':>6s} {'tiles':>6s} {'bits':>6s} {'seed':>5s} {'model':>10s} {'R²':>8s} {'CPU s':>7s}")
    for size in arguments.sizes:
        grid = automatic_code_shape((size, size, 3))
        for seed in range(arguments.seeds):
            train, test = tiles(size, seed)
            results = kmeans_and_deblocking(train, test, size // grid[0], seed)
            start = time.process_time()
            model = VQVAETransformer(prior=None, random_state=seed).fit(train)
            seconds = time.process_time() - start
            reconstruction = model.inverse_transform(model.transform(test))
            results["default"] = r2(test, reconstruction), seconds
            for name, (score, cpu) in results.items():
                bits = 8 * grid[0] * grid[1]
                print(f"{size:6d} {len(train):6d} {bits:6d} {seed:5d} {name:>10s} {score:8.4f} {cpu:7.1f}", flush=True)
    if arguments.picture:
        save_picture(test, reconstruction, arguments.picture)


if __name__ == "__main__":
    main()

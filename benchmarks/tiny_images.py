"""Tiny, aligned images: the arrangements of codes at equal bits, beside product and residual quantisation of faiss.

    python benchmarks/tiny_images.py
    python benchmarks/tiny_images.py --sets digits --bits 128 --methods auto strips pq

Sets: scikit-learn's digits (8 × 8, a quarter is held out), and Fashion-MNIST shrunk by the means of areas to 9 × 7
(2,000 images) and 14 × 14 (4,000), and as it is (4,000); 2,000 test images. R² is 1 - SSE / SST over all pixels, SST
about the mean of each pixel over the test images, as `score` has it. faiss has codes of 8 bits at its defaults; OPQ and
RQ are left out of 28 × 28, where they take minutes. A seed chooses the images too. One thread; a cell is R² and CPU
seconds of the fit.
"""

import argparse
import itertools
import time

import numpy as np
import torch
from _environment import print_environment
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skvq import VectorCodes, VQVAETransformer
from skvq.vqvae.arrangement import own_codebooks

from _datasets import load_fashion_mnist  # isort: skip

BITS = {"digits": (64, 128), "9x7": (64, 160), "14x14": (64, 160, 392), "28x28": (64, 128, 160, 392)}
SHRUNK = {"9x7": (9, 7, 2_000), "14x14": (14, 14, 4_000), "28x28": (28, 28, 4_000)}
N_TEST = 2_000
METHODS = ("auto", "patches", "strips", "whole", "pq", "opq", "rq")


def area_means(n, n_areas):
    """Return the matrix (n_areas, n) that takes the means of equal stretches of n values."""
    edges = np.linspace(0, n, n_areas + 1)
    lower, upper = edges[:-1, None], edges[1:, None]
    overlap = np.minimum(np.arange(1, n + 1), upper) - np.maximum(np.arange(n), lower)
    return overlap.clip(0) / (n / n_areas)


def load(name, seed):
    """Return training and test images (n, H, W), float64."""
    if name == "digits":
        return train_test_split(load_digits().images, random_state=seed)
    height, width, n_rows = SHRUNK[name]
    train, _, test, _ = load_fashion_mnist()
    rng = np.random.default_rng(seed)
    chosen = train[rng.permutation(len(train))[:n_rows]], test[rng.permutation(len(test))[:N_TEST]]
    down, right = area_means(28, height), area_means(28, width)
    return tuple(np.rint(np.einsum("ih,nhw,jw->nij", down, images.astype(float), right)) for images in chosen)


def r2(X, X_hat):
    X, X_hat = X.reshape(len(X), -1), X_hat.reshape(len(X), -1)
    return 1 - np.square(X - X_hat).sum() / np.square(X - X.mean(axis=0)).sum()


def ours(train, test, bits, method, seed):
    """Return R² of the test images, and what the codes are."""
    options = {"max_bits": bits, "prior": None, "random_state": seed}
    if method == "patches":
        options["network"] = "convolutional"
    elif method == "whole":
        options["network"] = "dense"
    elif method == "strips":
        grids = own_codebooks(bits, (*train.shape[1:], 1), len(train))
        strips = [found for found in grids if found[0][0] == train.shape[1]]
        if not strips:
            return None
        ((code_shape, n_codes),) = strips
        codes = VectorCodes(shared_codebook=False)
        options |= {"max_bits": None, "code_shape": code_shape, "n_codes": n_codes, "quantizer": codes}
    model = VQVAETransformer(**options).fit(train)
    return model.score(test), f" {model.code_shape_} of {model.n_codes_}"


def peer(train, test, bits, method, seed):
    from rate_distortion import optimised_product, product, residual

    if method != "pq" and train[0].size > 200:
        return None
    scale = train.std()
    X_train, X_test = (images.reshape(len(images), -1) / scale for images in (train, test))
    reconstruct = {"pq": product, "opq": optimised_product, "rq": residual}[method]
    return r2(X_test, reconstruct(X_train, X_test, bits // 8, 8)), ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", choices=BITS, default=BITS)
    parser.add_argument("--bits", type=int, nargs="*")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="*", choices=METHODS, default=METHODS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print_environment("faiss-cpu")
    print(
        "| set | bits | seed | "
        + " | ".join(arguments.methods)
        + " |\n"
        + "| --- " * (len(arguments.methods) + 3)
        + "|"
    )
    for name, seed in itertools.product(arguments.sets, arguments.seeds):
        train, test = load(name, seed)
        for bits in arguments.bits or BITS[name]:
            cells = []
            for method in arguments.methods:
                start = time.process_time()
                found = (peer if method in ("pq", "opq", "rq") else ours)(train, test, bits, method, seed)
                seconds = time.process_time() - start
                cells.append("" if found is None else f"{found[0]:.4f}{found[1]}, {seconds:.1f} s")
            print(f"| {name} | {bits} | {seed} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()

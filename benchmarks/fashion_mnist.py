"""The default on Fashion-MNIST: R² on the 10,000 test images at 392 bits an image, codebook usage, time of `fit`.

    python benchmarks/fashion_mnist.py            # what VQVAETransformer() does
    python benchmarks/fashion_mnist.py --seed 1

Product quantisation of the same 392 bits (faiss, 49 sub-vectors of 16 columns, 256 centres each) runs beside it.
"""

import argparse
import time

import numpy as np
from _environment import print_environment

from _datasets import load_fashion_mnist  # isort: skip

from skvq import VQVAETransformer, metrics


def r2(X, X_hat):
    """Return R² over all pixels, about the mean of each pixel over the test images."""
    X, X_hat = (A.reshape(len(A), -1).astype(np.float64) for A in (X, X_hat))
    return 1 - np.square(X - X_hat).sum() / np.square(X - X.mean(axis=0)).sum()


def product_quantisation(X_train, X_test):
    import faiss

    quantizer = faiss.ProductQuantizer(784, 49, 8)
    quantizer.train(X_train.reshape(-1, 784).astype(np.float32))
    return quantizer.decode(quantizer.compute_codes(X_test.reshape(-1, 784).astype(np.float32)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-prior", action="store_true", help="fit the autoencoder alone")
    arguments = parser.parse_args()
    print_environment("faiss-cpu")
    X_train, _, X_test, _ = load_fashion_mnist()

    model = VQVAETransformer(random_state=arguments.seed, verbose=1)
    start = time.perf_counter()
    model.set_params(prior=None).fit(X_train)
    seconds = time.perf_counter() - start
    if not arguments.no_prior:
        model.set_params(prior="pixelcnn").fit_prior(X_train)
    whole = time.perf_counter() - start

    codes = model.transform(X_test)
    print(f"grid {model.code_shape_}, {model.n_codes_} codes")
    print(f"autoencoder {seconds:.0f} s, with prior {whole:.0f} s")
    print(f"test R² {r2(X_test, model.inverse_transform(codes)):.4f} (score: {model.score(X_test):.4f})")
    for name, of in (("training", None), ("test", codes)):
        usage = model.codebook_usage_ if of is None else metrics.codebook_usage(of, model.n_codes_)
        perplexity = model.perplexity_ if of is None else metrics.perplexity(of, model.n_codes_)
        print(f"{name} images: usage {usage:.2%}, perplexity {perplexity:.1f}")
    if not arguments.no_prior:
        nats = model.prior_.score(codes)
        print(f"prior: {nats:.2f} nats a test grid; log p(x) at least {model.score_samples(X_test).mean():.1f} nats")
    start = time.perf_counter()
    X_hat = product_quantisation(X_train, X_test)
    print(f"faiss product quantisation: test R² {r2(X_test, X_hat):.4f} after {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()

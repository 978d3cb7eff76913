"""
Fashion-MNIST
=============

The whole way on Fashion-MNIST: 60,000 images of 28 × 28 pixels as 7 × 7 codes, and new images from a PixelCNN.

Run it with ``python examples/fashion_mnist.py``; the whole training set takes some thirteen minutes on
two cores, ``--rows 6000`` about three. It writes ``fashion_mnist.png``.
"""

import argparse
import time

from _datasets import load_fashion_mnist
from _figure import draw_overview

from skvq import VQVAETransformer


def run(X_train, X_test, model, output):
    """Fit to the training images (n, 28, 28), print the quality on the test images, and write a picture of twelve."""
    start = time.perf_counter()
    model.fit(X_train)
    print(f"fitted in {time.perf_counter() - start:.0f} s")

    print(f"test R² {model.score(X_test):.4f}, perplexity {model.perplexity_:.1f}, usage {model.codebook_usage_:.1%}")
    codes = model.transform(X_test[:12])
    draw_overview(
        output,
        X_test[:12],
        model.inverse_transform(codes),
        codes.reshape(-1, *model.code_shape_),
        model.sample(12, random_state=0),
        n_codes=model.n_codes_,
        title="VQVAETransformer on Fashion-MNIST",
    )
    print(f"wrote {output}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=60_000, help="training images to use")
    parser.add_argument("--output", default="fashion_mnist.png", help="where the picture goes")
    arguments = parser.parse_args()
    X_train, _, X_test, _ = load_fashion_mnist()
    run(X_train[: arguments.rows], X_test, VQVAETransformer(random_state=0, verbose=1), arguments.output)


if __name__ == "__main__":
    main()

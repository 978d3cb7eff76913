"""How many training steps a few dozen to a few hundred photographs should get: R² of tiles of other photographs.

    pip install scikit-image
    python benchmarks/few_images.py [--steps 300 600 1200 2000] [--per-image 8]

Tiles of 24 to 32 pixels are cut at random places out of photographs that scikit-image ships. They are not aligned, so
training shifts and mirrors them. A tenth of the tiles is held out by the fit itself to keep the best epoch.
"""

import argparse
import math
import time
import warnings

import numpy as np
from _environment import print_environment
from skimage import data

from skvq import VQVAETransformer

# (names of photographs to train on, to test on, side of a tile, tiles of each photograph to train on)
SETS = {
    "grey, 72 tiles": (("camera", "coins", "moon"), ("brick", "grass", "gravel"), 32, 24),
    "grey, 100 small tiles": (("brick", "page"), ("camera", "text"), 24, 50),
    "colour, 60 tiles": (("coffee", "rocket", "immunohistochemistry"), ("astronaut", "chelsea"), 32, 20),
    "colour, 120 tiles": (("astronaut", "chelsea"), ("coffee", "rocket"), 32, 60),
}
TEST_TILES, BATCH = 60, 32


def tiles(names, side, n_tiles, random):
    """Return tiles, float32, `n_tiles` of each photograph."""
    found = []
    for name in names:
        image = getattr(data, name)()
        tops, lefts = (random.integers(0, size - side, n_tiles) for size in image.shape[:2])
        found += [image[top : top + side, left : left + side] for top, left in zip(tops, lefts)]
    return np.stack(found).astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, nargs="+", default=[300, 600, 1_200, 2_000])
    parser.add_argument("--per-image", type=int, nargs="*", default=[], help="steps of an image, in place of --steps")
    arguments = parser.parse_args()
    print_environment()
    warnings.simplefilter("ignore")
    for name, (training, test, side, n_tiles) in SETS.items():
        random = np.random.default_rng(0)
        X, X_test = tiles(training, side, n_tiles, random), tiles(test, side, TEST_TILES, random)
        steps = [each * len(X) for each in arguments.per_image] or arguments.steps
        for n_steps in steps:
            epochs = round(n_steps / math.ceil(0.9 * len(X) / BATCH))
            start = time.process_time()
            model = VQVAETransformer(prior=None, max_iter=epochs, random_state=0).fit(X)
            seconds = time.process_time() - start
            print(
                f"{name}: {n_steps} steps, R² {model.score(X_test):.4f}, best epoch {model.best_iter_} of {epochs}, "
                f"{seconds:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()

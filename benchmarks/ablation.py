"""The worth of each choice about the codes, on images and tables: one changed at a time, held-out R².

    python benchmarks/ablation.py
    python benchmarks/ablation.py --sets wine digits --variants default rotation

Images (digits, Fashion-MNIST, colour patches) are trained with small networks and few epochs, on a part of the rows,
for time; tables for 100 epochs, over three folds. Every number is the mean over seeds (and folds) of R² on rows that
the fit has not seen, and never on test rows: Fashion-MNIST holds out a part of its training images, colour patches are
split by region of the photo. All of a column have the same bits a row, but finite scalar quantisation, which has at
most as many, and residual and product codes of the digits, which have more.
"""

import argparse
import contextlib
import time
import warnings
from unittest import mock

import numpy as np
from _environment import print_environment

from _datasets import load_colour_patches, load_fashion_mnist  # isort: skip
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.model_selection import KFold

from skvq import FiniteScalarCodes, ProductCodes, ResidualCodes, VectorCodes, VQVAETransformer

IMAGE = {"channels": 64, "n_blocks": 1, "early_stopping": False}
IMAGES = {
    "digits": ({"n_codes": 64, "code_shape": (4, 4), "max_iter": 12}, lambda: split(load_digits().images, 1_400)),
    "Fashion-MNIST": ({"n_codes": 256, "max_iter": 2}, lambda: split(load_fashion_mnist()[0][:14_000], 12_000)),
    "colour patches": (
        {"n_codes": 256, "code_shape": (8, 8), "max_iter": 2},
        lambda: tuple(part[::2] for part in load_colour_patches()),
    ),
}
TABLES = {
    "wine": load_wine,
    "breast cancer": load_breast_cancer,
    "diabetes": load_diabetes,
    "digits as a table": load_digits,
}
TABLE = {"n_codes": 16, "code_shape": 8, "max_iter": 100}
# Residual and product codes of images split each code of 256 into two of 16, so that the bits are the same.
TWO_CODES = {"quantizer__codes_per_position": 2, "n_codes": 16}
# The kind of codes of a variant, where it is not the default one, and the parameters that it changes.
VARIANTS = {
    "default": {},
    "gradient codebook": {"quantizer__codebook_update": "gradient"},
    "SimVQ": {"quantizer__codebook_update": "simvq"},
    "rotation": {"quantizer__gradient_estimator": "rotation"},
    "random start": {},
    "no revival": {"quantizer__revival_threshold": 0.0},
    "random start, no revival": {"quantizer__revival_threshold": 0.0},
    "cosine": {"codes": VectorCodes, "quantizer__similarity": "cosine"},
    "code_dim 4": {"quantizer__code_dim": 4},
    "code_dim 64": {"quantizer__code_dim": 64},
    "search_dim 8": {"codes": VectorCodes, "quantizer__search_dim": 8},
    "one vector code a position": {"codes": VectorCodes},
    "the other sharing": {"codes": VectorCodes},
    "residual, beam 5": {"codes": ResidualCodes, "quantizer__beam_size": 5},
    "residual, greedy": {"codes": ResidualCodes, "quantizer__beam_size": 1},
    "product": {"codes": ProductCodes},
    "finite scalar": {"codes": FiniteScalarCodes},
    "commitment_weight 0.1": {"commitment_weight": 0.1},
    "commitment_weight 0.25": {"commitment_weight": 0.25},
    "commitment_weight 4": {"commitment_weight": 4.0},
    "ema_decay 0.9": {"quantizer__ema_decay": 0.9},
    "ema_decay 0.999": {"quantizer__ema_decay": 0.999},
}


def split(X, n_train):
    """Return training and held-out rows."""
    order = np.random.default_rng(0).permutation(len(X))
    return X[order[:n_train]], X[order[n_train:]]


def random_codebooks(vectors, n_codes, generator):
    """Return standard normal vectors in place of k-means centres, as codebooks usually start."""
    seed = int(np.abs(vectors).sum()) % 2**32
    return np.random.default_rng(seed).normal(size=(vectors.shape[1], n_codes, vectors.shape[2])).astype(np.float32)


def parameters_of(variant, is_image):
    """Return the parameters of a variant for images or tables; None where it is the default or does not apply."""
    parameters = {"codes": VectorCodes if is_image else ResidualCodes} | VARIANTS[variant]
    if variant == "the other sharing":
        parameters["quantizer__shared_codebook"] = not is_image
    if is_image and parameters["codes"] in (ResidualCodes, ProductCodes):
        parameters |= TWO_CODES
    if is_image and variant == "one vector code a position":
        return None
    if not is_image and variant in ("residual, beam 5", "code_dim 64"):
        return None
    return parameters


def evaluate(variant, is_image, common, X_train, X_test, seed):
    """Return held-out R² and codebook usage of one fit."""
    parameters = common | parameters_of(variant, is_image)
    model = VQVAETransformer(quantizer=parameters.pop("codes")(), prior=None, random_state=seed)
    start = mock.patch("skvq.vqvae.network.kmeans_codebooks", random_codebooks)
    with start if variant.startswith("random") else contextlib.nullcontext(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.set_params(**parameters).fit(X_train)
    return model.score(X_test), model.codebook_usage_


def runs(name, variant, seeds, folds):
    """Yield (R², usage) of a variant on a set, of every seed and fold."""
    if name in IMAGES:
        common, load = IMAGES[name]
        X_train, X_test = load()
        for seed in range(seeds):
            yield evaluate(variant, True, IMAGE | common, X_train, X_test, seed)
        return
    X = TABLES[name]().data
    for seed in range(seeds):
        for train, test in list(KFold(3, shuffle=True, random_state=seed).split(X))[:folds]:
            common = TABLE | ({"standardize": False} if name == "digits as a table" else {})
            rows = X / 16.0 - 0.3 if name == "digits as a table" else X
            yield evaluate(variant, False, common, rows[train], rows[test], seed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=[*IMAGES, *TABLES], choices=[*IMAGES, *TABLES])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--folds", type=int, default=3, choices=(1, 2, 3), help="of the three, for tables")
    arguments = parser.parse_args()
    print_environment()
    print("R² on held-out rows; usage of the codebook below 95 % in brackets\n")
    print(f"| | {' | '.join(arguments.sets)} |")
    print("| --- |" + " --- |" * len(arguments.sets), flush=True)
    begin = time.perf_counter()
    for variant in arguments.variants:
        cells = []
        for name in arguments.sets:
            if parameters_of(variant, name in IMAGES) is None:
                cells.append("")
                continue
            score, usage = np.mean(list(runs(name, variant, arguments.seeds, arguments.folds)), axis=0)
            cells.append(f"{score:.4f}" + (f" ({usage:.0%})" if usage < 0.95 else ""))
        print(f"| {variant} | {' | '.join(cells)} |", flush=True)
    print(f"\n{time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()

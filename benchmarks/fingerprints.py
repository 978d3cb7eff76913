"""Digests of what one small model of each family learns and draws, to compare two states of the code.

    python benchmarks/fingerprints.py > before.txt
    ... change the code ...
    python benchmarks/fingerprints.py | diff before.txt -

A change of the layout must leave every line as it was. The digests are those of one machine and one set of library
versions, so they are compared, never recorded. About two minutes on one core.
"""

import hashlib
import sys
import warnings

import numpy as np
import torch
from sklearn.datasets import load_digits, load_wine
from sklearn.preprocessing import StandardScaler

from skvq import (
    AutoEncoderTransformer,
    CausalTransformer,
    HierarchicalPixelCNN,
    MLPClassifier,
    MLPRegressor,
    PixelCNN,
    ProductCodes,
    ResidualCodes,
    VAETransformer,
    VectorCodes,
    VQVAETransformer,
)

DIGITS, LABELS = load_digits(return_X_y=True)
IMAGES = DIGITS.reshape(-1, 8, 8)[:500]
WINE, KINDS = load_wine(return_X_y=True)
SCALED = StandardScaler().fit_transform(WINE)
CODES = (DIGITS[:400].reshape(-1, 8, 8)[:, ::2, ::2] // 4.01).astype(int)
PAIRS = np.hstack([CODES[:, ::2, ::2].reshape(-1, 4), CODES.reshape(-1, 16)])
SHORT = {"max_iter": 3, "random_state": 0}
PRIOR = {"prior": PixelCNN(channels=8, max_iter=2, random_state=0)}


def codes(n_codes="auto", code_shape="auto", **parameters):
    """Return a VQVAETransformer that trains for a short time, without a prior where none is asked for."""
    return VQVAETransformer(n_codes, code_shape, **(SHORT | {"prior": None} | parameters))


MODELS = {
    "autoencoder, table": lambda: (AutoEncoderTransformer(4, **SHORT), WINE),
    "autoencoder, linear": lambda: (AutoEncoderTransformer(4, hidden_layer_sizes=(), **SHORT), WINE),
    "autoencoder, images": lambda: (AutoEncoderTransformer(4, **SHORT), IMAGES),
    "autoencoder, convolutional": lambda: (AutoEncoderTransformer(4, network="convolutional", **SHORT), IMAGES),
    "autoencoder, denoising": lambda: (AutoEncoderTransformer(4, noise="masking", dropout=0.1, **SHORT), IMAGES),
    "autoencoder, sparse and tied": lambda: (
        AutoEncoderTransformer(4, sparsity="kl", tied_weights=True, contractive_weight=0.1, **SHORT),
        IMAGES,
    ),
    "autoencoder, log loss": lambda: (AutoEncoderTransformer(4, loss="log_loss", **SHORT), IMAGES / 16),
    "vae, table": lambda: (VAETransformer(3, **SHORT), WINE),
    "vae, images": lambda: (VAETransformer(3, n_mixture_components=3, **SHORT), IMAGES),
    "vae, per feature": lambda: (VAETransformer(3, likelihood="gaussian_per_feature", **SHORT), DIGITS),
    "vae, counts": lambda: (VAETransformer(3, likelihood="poisson", kl_warmup=0.5, **SHORT), IMAGES),
    "vae, convolutional": lambda: (VAETransformer(3, network="convolutional", free_bits=0.1, **SHORT), IMAGES),
    "codes, images": lambda: (codes(32, **PRIOR), IMAGES),
    "codes, images, transformer": lambda: (codes(32, prior="transformer"), IMAGES[:200]),
    "codes, table": lambda: (codes(**PRIOR), WINE),
    "codes, long table": lambda: (codes(16), DIGITS),
    "codes, images, all by default": lambda: (codes(), IMAGES),
    "codes, own codebooks": lambda: (codes(16, quantizer=VectorCodes(shared_codebook=False)), IMAGES),
    "codes, residual": lambda: (codes(16, quantizer=ResidualCodes(codes_per_position=3, beam_size=4), **PRIOR), IMAGES),
    "codes, product": lambda: (codes(16, quantizer=ProductCodes(codes_per_position=2)), IMAGES),
    "codes, product of a table": lambda: (codes(8, (4,), quantizer="product"), WINE),
    "codes, vectors of a table": lambda: (codes(8, (4,), quantizer="vector"), WINE),
    "codes, finite scalar": lambda: (codes(64, quantizer="finite_scalar"), IMAGES),
    "codes, cosine": lambda: (codes(16, quantizer=VectorCodes(similarity="cosine")), IMAGES),
    "codes, narrow search": lambda: (codes(16, quantizer=VectorCodes(search_dim=4)), IMAGES),
    "codes, rotation": lambda: (codes(16, quantizer=VectorCodes(gradient_estimator="rotation")), IMAGES),
    "codes, gradient": lambda: (codes(16, quantizer=VectorCodes(codebook_update="gradient")), IMAGES),
    "codes, simvq": lambda: (codes(16, quantizer=VectorCodes(codebook_update="simvq")), IMAGES),
    "codes, two grids": lambda: (codes(16, ((2, 2), (4, 4)), prior="pixelcnn", max_iter=1), IMAGES[:200]),
    "codes, 32 bits": lambda: (codes(max_bits=32), IMAGES),
    "codes, 32 bits of a table": lambda: (codes(max_bits=32), WINE),
    "pixelcnn": lambda: (PixelCNN(channels=8, **SHORT), CODES),
    "pixelcnn, classes": lambda: (PixelCNN(channels=8, class_conditional=True, **SHORT), CODES, LABELS[:400]),
    "transformer": lambda: (CausalTransformer(d_model=8, n_heads=2, **SHORT), CODES),
    "hierarchical": lambda: (HierarchicalPixelCNN(((2, 2), (4, 4)), channels=8, **SHORT), PAIRS),
    "regressor": lambda: (MLPRegressor(**SHORT), SCALED, WINE[:, 0]),
    "regressor, quantiles": lambda: (
        MLPRegressor("quantile", (16, 16), quantile=[0.1, 0.9], early_stopping=True, **SHORT),
        SCALED,
        WINE[:, 0],
    ),
    "regressor, L-BFGS": lambda: (MLPRegressor(solver="lbfgs", **SHORT), SCALED, WINE[:, 0]),
    "classifier": lambda: (MLPClassifier(**SHORT), DIGITS, LABELS),
    "classifier, autograd": lambda: (MLPClassifier(dropout=0.2, normalization="batch", **SHORT), DIGITS, LABELS),
    "classifier, two classes": lambda: (
        MLPClassifier(solver="sgd", class_weight="balanced", **SHORT),
        SCALED,
        KINDS > 0,
    ),
}


def digest(*arrays):
    """Return the first digits of a digest of arrays."""
    seen = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array)
        seen.update(f"{array.dtype} {array.shape}".encode() + array.tobytes())
    return seen.hexdigest()[:12]


def learned(model):
    """Return the arrays that a model has learned, in an order that does not depend on their names."""
    if hasattr(model, "coefs_"):
        return [*model.coefs_, *model.intercepts_]
    arrays = list(model.weights_.values())
    if hasattr(model, "prior_"):
        arrays += model.prior_.weights_.values()
    return sorted(arrays, key=digest)


def outputs(model, X):
    """Yield what the methods of a model return for the first rows."""
    rows = X[:100]
    for name in ("transform", "predict", "predict_proba", "score_samples", "reconstruction_error"):
        if hasattr(model, name):
            yield name, digest(getattr(model, name)(rows))
    if hasattr(model, "inverse_transform"):
        yield "inverse_transform", digest(model.inverse_transform(model.transform(rows)))
    if hasattr(model, "sample"):
        yield "sample", digest(model.sample(20, random_state=0))
    if hasattr(model, "complete") and rows.ndim == 3:
        mask = np.ones(rows.shape, bool)
        mask[:, rows.shape[1] // 2 :] = False
        yield "complete", digest(model.complete(rows[:10], mask[:10], random_state=0))


def main():
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    chosen = sys.argv[1] if len(sys.argv) > 1 else ""
    for name, make in MODELS.items():
        if chosen in name:
            model, X, *y = make()
            model.fit(X, *y)
            found = {"learned": digest(*learned(model))} | dict(outputs(model, X))
            print(f"{name}:", *(f"{key} {value}" for key, value in found.items()), flush=True)


if __name__ == "__main__":
    main()

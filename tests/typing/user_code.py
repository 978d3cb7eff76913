"""A user's code as a type checker sees it: `make types` checks it, nothing of it is run."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import assert_type

import skvq
from skvq import (
    AutoEncoderTransformer,
    CausalTransformer,
    HierarchicalPixelCNN,
    MLPClassifier,
    MLPRegressor,
    PixelCNN,
    ResidualCodes,
    VAETransformer,
    VectorCodes,
    VQVAETransformer,
)
from skvq.metrics import bits_per_dim, bits_per_row, codebook_usage, perplexity


def predictors(X: NDArray[np.float64], y: list[str], target: NDArray[np.float64]) -> None:
    classifier = MLPClassifier((64, 64), "gelu", class_weight={"a": 1.0, "b": 2.0}, scoring="roc_auc", random_state=0)
    assert_type(classifier.fit(X, y), MLPClassifier)
    assert_type(classifier.partial_fit(X, y, classes=["a", "b"]), MLPClassifier)
    assert_type(classifier.predict(X), NDArray[Any])
    assert_type(classifier.predict_proba([[0.0, 1.0]]), NDArray[np.floating])
    regressor = MLPRegressor("quantile", hidden_layer_sizes=64, quantile=[0.1, 0.9], max_grad_norm=1.0)
    assert_type(regressor.fit(X, target, X_val=X, y_val=target), MLPRegressor)
    assert_type(regressor.predict(X), NDArray[np.floating])
    assert_type(regressor.score(X, target), float)


def transformers(X: NDArray[np.float32]) -> None:
    autoencoder = AutoEncoderTransformer(8, noise="masking", sparsity="l1", image_shape=(28, 28)).fit(X)
    assert_type(autoencoder, AutoEncoderTransformer)
    assert_type(autoencoder.transform(X), NDArray[np.float32])
    assert_type(autoencoder.inverse_transform(autoencoder.transform(X)), NDArray[np.floating])
    assert_type(autoencoder.reconstruction_error(X), NDArray[np.float64])
    assert_type(autoencoder.score_samples(X), NDArray[np.float64])
    vae = VAETransformer(likelihood="poisson", hidden_layer_sizes=(32,), random_state=np.random.RandomState(0)).fit(X)
    assert_type(vae.sample(3, random_state=1), NDArray[np.floating])
    assert_type(vae.score_samples(X, n_importance_samples=10), NDArray[np.float64])
    assert_type(vae.traverse(0, values=[-1, 0, 1]), NDArray[np.floating])
    assert_type(vae.score(X), float)


def codes(X: NDArray[np.uint8], mask: NDArray[np.bool_], y: NDArray[np.int64]) -> None:
    model = VQVAETransformer(
        64,
        (4, 4),
        quantizer=ResidualCodes(codes_per_position=2, beam_size="auto", gradient_estimator="rotation"),
        prior=PixelCNN(class_conditional=True, dilations=(1, 2)),
        early_stopping=False,
        device="cpu",
    )
    assert_type(model.fit(X, y, X_val=X, y_val=y), VQVAETransformer)
    VQVAETransformer(quantizer="product", max_bits=64)
    found = model.transform(X)
    assert_type(found, NDArray[np.int32])
    rows: NDArray[np.floating] = model.sample(10, y=3, temperature=0.8, top_p=0.9)  # or a frame
    assert_type(model.transform(rows), NDArray[np.int32])
    assert_type(model.complete(X, mask).shape, Any)
    assert_type(model.bits_per_dim(X), float)
    assert_type(codebook_usage(found, 64), float)
    assert_type(perplexity(found, 64, average=True), float)
    assert_type(bits_per_row(found, 64), float)
    assert_type(bits_per_dim(model.score_samples(X), 64), float)


def densities(grids: NDArray[np.int32]) -> None:
    for model in (PixelCNN(grid_shape=(7, 7)), CausalTransformer(n_heads=2), HierarchicalPixelCNN([(2, 2), (4, 4)])):
        assert_type(model.sample(2, given=grids[:2], mask=[[True, False]]), NDArray[np.int32])
        assert_type(model.score_samples(grids), NDArray[np.float64])
    assert_type(PixelCNN().fit(grids), PixelCNN)


def files(model: VQVAETransformer, path: Path) -> None:
    model.save(path)
    skvq.load(str(path), device="cpu")


def mistakes(X: NDArray[np.float64]) -> None:
    # A checker that let these through would say so: an ignore that nothing needs is an error.
    VQVAETransformer(quantizer="scalar")  # type: ignore[arg-type]
    VQVAETransformer(quantizer=VectorCodes)  # type: ignore[arg-type]
    VQVAETransformer(codes_per_position=2)  # type: ignore[call-arg]
    VectorCodes(similarity="dot")  # type: ignore[arg-type]
    VAETransformer(likelihood="normal")  # type: ignore[arg-type]
    MLPClassifier(hidden_units=(10,))  # type: ignore[call-arg]
    MLPRegressor().fit(X)  # type: ignore[call-arg]
    AutoEncoderTransformer().fit(X, None, X)  # type: ignore[call-arg]
    PixelCNN().sample("three")  # type: ignore[arg-type]

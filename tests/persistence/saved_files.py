"""Small fitted estimators of every kind, what they make of rows, and the files of them that are kept for good."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl

import skvq

TABLE = {"n_codes": 4, "max_iter": 2, "random_state": 0}
IMAGES = {"n_codes": 4, "code_shape": (2, 2), "image_shape": (4, 4), "channels": 4, "n_blocks": 1, "max_iter": 2}
SMALL = {"channels": 4, "n_layers": 1, "max_iter": 2, "random_state": 0}


def data():
    """Return rows (60, 4) of a table, positive, their classes (60,), and images (30, 4, 4)."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    X = np.abs(rng.normal(size=(60, 4)) + y[:, None]) + 0.1
    return X, y, np.round(rng.random((30, 4, 4)), 2)


NADE = {"n_units": 4, "n_blocks": 1, "n_orders": 2, "max_iter": 2}


def tables():
    """Return what makes VQ-VAEs of tables of each quantiser, by name: (parameters, labels or None)."""
    conditional = skvq.PixelCNN(**SMALL | {"random_state": None}, class_conditional=True)
    return {
        "residual": {"prior": None},
        "product": {"quantizer": "product", "prior": None},
        "finite scalar": {"quantizer": "finite_scalar", "prior": None},
        "by gradient": {"quantizer": skvq.ResidualCodes(codebook_update="gradient"), "prior": None},
        "simvq": {"quantizer": skvq.ResidualCodes(codebook_update="simvq"), "prior": None},
        "cosine": {"quantizer": skvq.VectorCodes(similarity="cosine"), "prior": None},
        "cosine by gradient": {
            "quantizer": skvq.VectorCodes(similarity="cosine", codebook_update="gradient"),
            "prior": None,
        },
        "projected": {"quantizer": skvq.VectorCodes(code_dim=4, search_dim=2), "code_shape": 2, "prior": None},
        "one position": {"code_shape": 1, "prior": None},
        "missing cells": {"prior": None, "quantizer": "vector"},
        "hidden layers": {"hidden_layer_sizes": (8, 6), "prior": None},
        "class-conditional prior": {"prior": conditional},
        "rows prior": {"prior": skvq.OrderlessNADE(**NADE)},
        "transformer prior": {"prior": skvq.CausalTransformer(d_model=4, n_layers=1, n_heads=2, max_iter=2)},
    }


def models():
    """Return small fitted estimators by name: every class, and every variant that is kept in another way."""
    X, y, images = data()
    gaps = np.where(np.arange(240).reshape(60, 4) % 7 == 0, np.nan, X)
    names = np.array(["a", "ä b", "no"])[y]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of collapse, convergence and the like
        found = {
            f"VQ-VAE, {name}": skvq.VQVAETransformer(**TABLE | options).fit(
                gaps if name == "missing cells" else X, names
            )
            for name, options in tables().items()
        }
        found |= {
            "VQ-VAE, images": skvq.VQVAETransformer(**IMAGES, random_state=0, prior=skvq.PixelCNN(**SMALL)).fit(images),
            "VQ-VAE, two grids": skvq.VQVAETransformer(
                **IMAGES | {"code_shape": ((1, 2), (2, 2))},
                random_state=0,
                prior=skvq.HierarchicalPixelCNN(((1, 2), (2, 2)), **SMALL),
            ).fit(images.reshape(30, 16)),
            "VQ-VAE, series": skvq.VQVAETransformer(
                **TABLE, series_shape=(16,), network="dense", prior=skvq.PixelCNN(**SMALL)
            ).fit(pd.DataFrame(images.reshape(30, 16))),
            "PixelCNN": skvq.PixelCNN(**SMALL).fit(np.round(3 * images).astype(int)),
            "PixelCNN, classes": skvq.PixelCNN(**SMALL, class_conditional=True).fit(X.astype(int), names),
            "OrderlessNADE": skvq.OrderlessNADE(**NADE, random_state=0).fit(gaps),
            "CausalTransformer": skvq.CausalTransformer(d_model=4, n_layers=1, max_iter=2, random_state=0).fit(
                X.astype(int)
            ),
        }
        return found | _with_vectors(X, images, gaps) | _predictors(X, y, names) | detectors(X, gaps)


def _with_vectors(X, images, gaps):
    dense = {"n_components": 2, "hidden_layer_sizes": (6,), "max_iter": 2, "random_state": 0}
    network = {"n_components": 2, "network": "convolutional", "channels": 4, "max_iter": 2, "random_state": 0}
    return {
        "autoencoder": skvq.AutoEncoderTransformer(**dense).fit(X),
        "autoencoder, tied": skvq.AutoEncoderTransformer(
            **dense, tied_weights=True, loss="log_loss", sparsity="kl", image_shape=(4, 4)
        ).fit(images.reshape(30, 16)),
        "autoencoder, frame": skvq.AutoEncoderTransformer(**dense, image_shape=(4, 4)).fit(
            pl.DataFrame(images.reshape(30, 16))
        ),
        "autoencoder, convolutional": skvq.AutoEncoderTransformer(**network).fit(images.astype(np.float32)),
        "autoencoder, missing cells": skvq.AutoEncoderTransformer(**dense).fit(gaps),
        "VAE, objects": skvq.VAETransformer(**dense).fit(X.astype(object)),
        "VAE": skvq.VAETransformer(**dense).fit(X),
        "VAE, frame": skvq.VAETransformer(**dense, series_shape=(16,)).fit(
            pd.DataFrame(images.reshape(30, 16), columns=np.linspace(0, 1.5, 16))
        ),
        "VAE, mixture": skvq.VAETransformer(**dense, n_mixture_components=2).fit(X),
        "VAE, a variance per feature": skvq.VAETransformer(**dense, likelihood="gaussian_per_feature").fit(X),
        "VAE, counts": skvq.VAETransformer(**dense, likelihood="poisson").fit(np.floor(X)),
        "VAE, convolutional": skvq.VAETransformer(**network, likelihood="bernoulli").fit(images),
    }


def detectors(X, gaps):
    """Return detectors of outliers by name: every method, and an estimator with a prior in it."""
    dense = {"n_components": 2, "hidden_layer_sizes": (6,), "max_iter": 2, "random_state": 0}
    quick = {"n_layers": 1, "n_heads": 2, "d_model": 4, "max_iter": 2}
    codes = skvq.VQVAETransformer(**TABLE, prior=skvq.CausalTransformer(**quick))
    return {
        "detector": skvq.OutlierDetector(skvq.AutoEncoderTransformer(**dense), cv=2).fit(X),
        "detector, neighbours": skvq.OutlierDetector(
            skvq.AutoEncoderTransformer(**dense), method="neighbors", cv=2
        ).fit(gaps),
        "detector, density": skvq.OutlierDetector(codes, contamination=0.1).fit(X),
    }


def _predictors(X, y, names):
    quick = {"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": 0}
    lists = np.stack([y > 0, y > 1], axis=1).astype(int)
    return {
        "classifier": skvq.MLPClassifier(**quick, class_weight={str(names[0]): 2.0}).fit(X, names),
        "classifier, two classes": skvq.MLPClassifier(**quick, early_stopping=True, scoring="f1").fit(X, y > 0),
        "classifier, indicators": skvq.MLPClassifier(**quick).fit(X, lists),
        "classifier, batch normalisation": skvq.MLPClassifier(**quick, normalization="batch").fit(
            X.astype(np.float32), y
        ),
        "regressor": skvq.MLPRegressor(**quick).fit(X, X @ np.ones((4, 2))),
        "regressor, quantiles": skvq.MLPRegressor("quantile", **quick, quantile=[0.1, 0.9]).fit(X, y),
        "regressor, lbfgs": skvq.MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", random_state=np.int64(3)).fit(
            X, y, X_val=X, y_val=y
        ),
        "regressor, counts": skvq.MLPRegressor("poisson", **quick, normalization="layer").fit(X, y),
    }


def outputs(model):
    """Return all that a fitted estimator makes of some rows, by method: a crash here is a model that is none."""
    shape, rng, found = (5, model.n_features_in_), np.random.default_rng(1), {}
    if hasattr(model, "estimator_"):
        rows = model.estimator_.shift_ + model.estimator_.scale_ * rng.normal(size=shape)
        return {"predict": model.predict(rows), "score_samples": model.score_samples(rows)}
    rows = rng.integers(0, 2, size=shape).astype(np.float64)
    if hasattr(model, "shift_") and getattr(model, "likelihood", None) not in ("bernoulli", "poisson"):
        rows = model.shift_ + model.scale_ * rng.normal(size=shape)  # rows that are not far from those of `fit`
    if hasattr(model, "predict"):
        found["predict"] = model.predict(rows)
        if hasattr(model, "predict_proba"):
            found["predict_proba"] = model.predict_proba(rows)
        return found
    if hasattr(model, "transform"):
        found["transform"] = codes = model.transform(rows)
        if hasattr(model, "inverse_transform"):
            found["inverse_transform"] = model.inverse_transform(np.asarray(codes))
        found["score"] = model.score(rows)
    else:
        rows = np.zeros(shape, dtype=int)
        rows = rows.reshape(5, *model.grid_shape_) if getattr(model, "_grids_in", False) else rows
    if hasattr(model, "sample"):
        found["sample"] = model.sample(2, random_state=0)
        found["score_samples"] = model.score_samples(rows)
    return found


# Models whose files are kept for good, so that every later version is held against them: file name → name of the model.
KEPT = {
    "autoencoder": "autoencoder, tied",
    "classifier": "classifier",
    "codes_of_classes": "VQ-VAE, class-conditional prior",
    "codes_of_images": "VQ-VAE, two grids",
    "codes_of_tables": "VQ-VAE, transformer prior",
    "detector": "detector, neighbours",
    "pixelcnn": "PixelCNN, classes",
    "quantiles": "regressor, quantiles",
    "rows_of_tables": "VQ-VAE, rows prior",
    "vae": "VAE, mixture",
}
# Draws depend on torch's generator, which other versions of it may change.
KEPT_METHODS = ("transform", "inverse_transform", "score_samples", "predict", "predict_proba")


def methods(model, rows):
    """Return what the methods of a model that draw nothing make of rows, by method."""
    found = {}
    for name in KEPT_METHODS:
        if hasattr(model, name):
            found[name] = getattr(model, name)(found["transform"] if name == "inverse_transform" else rows)
    return found


def write_kept(folder):
    """Write the file of every model of `KEPT`, and beside it an .npz with rows and what they become."""
    X, _, images = data()
    found = models()
    for file, name in KEPT.items():
        model = found[name]
        rows = X[:6] if model.n_features_in_ == 4 else images[:6].reshape(6, 16)
        rows = rows.astype(int) if file == "pixelcnn" else rows
        model.save(folder / f"{file}.safetensors")
        np.savez_compressed(folder / f"{file}.npz", rows=rows, **methods(model, rows))


if __name__ == "__main__":
    kept = Path(__file__).parent / "data" / "saved" / skvq.__version__
    kept.mkdir(parents=True)
    write_kept(kept)

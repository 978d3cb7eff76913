"""An X without rows is refused by name, as `X` and as `X_val`."""

import numpy as np
import pandas as pd
import pytest

from skvq import AutoEncoderTransformer, OrderlessNADE, PixelCNN, VAETransformer, VQVAETransformer

X = np.random.default_rng(0).normal(size=(30, 4))
FRAME = pd.DataFrame(X, columns=list("abcd")).assign(kind=["u", "v"] * 15)
SERIES, IMAGES = X[:, :, None].repeat(4, axis=1), X[:, :, None].repeat(4, axis=2)
CODES = np.random.default_rng(0).integers(3, size=(30, 4))
SMALL = {"max_iter": 1, "random_state": 0}
NADE = OrderlessNADE(n_units=4, n_blocks=1, **SMALL)
MODELS = {
    "NADE": (NADE, X),
    "NADE of a frame": (NADE, FRAME),
    "autoencoder": (AutoEncoderTransformer(2, **SMALL), X),
    "autoencoder of a frame": (AutoEncoderTransformer(2, **SMALL), FRAME),
    "VAE of a frame": (VAETransformer(2, **SMALL), FRAME),
    "VQ-VAE": (VQVAETransformer(4, prior=NADE, **SMALL), X),
    "VQ-VAE of a frame": (VQVAETransformer(4, prior=NADE, **SMALL), FRAME),
    "VQ-VAE of series": (VQVAETransformer(4, (2,), series_shape=(16,), prior="pixelcnn", **SMALL), SERIES),
    "VQ-VAE of images": (VQVAETransformer(4, channels=4, n_blocks=0, prior="pixelcnn", **SMALL), IMAGES),
    "PixelCNN": (PixelCNN(channels=4, n_layers=1, **SMALL), CODES),
}
METHODS = ("transform", "score", "score_samples", "reconstruction_error", "partial_fit", "complete", "fit_prior")


@pytest.mark.parametrize("name", MODELS)
def test_held_out_rows_that_are_none_are_named(name):
    model, rows = MODELS[name]
    with pytest.raises(ValueError, match=r"X_val.*0 sample\(s\)|0 sample\(s\).*X_val|^X_val"):
        model.fit(rows, X_val=rows[:0])


@pytest.mark.parametrize("name", MODELS)
def test_every_method_refuses_a_table_without_rows(name, recwarn):
    model, rows = MODELS[name]
    model.fit(rows)
    recwarn.clear()
    of_images = {"mask": rows[0] > 0} if name == "VQ-VAE of images" else {}  # which complete needs
    for method in METHODS:
        if hasattr(model, method):
            with pytest.raises(ValueError, match="0 sample"):
                getattr(model, method)(rows[:0], **(of_images if method == "complete" else {}))
    assert not recwarn

"""Files whose arrays were exchanged for others of the same shapes, which no fit leaves."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import skvq

sys.path.insert(0, str(Path(__file__).parent))
import hostile_files

RANDOM = np.random.default_rng(0)
ROWS, IMAGES = RANDOM.normal(size=(60, 4)) @ RANDOM.normal(size=(4, 4)) + 3.0, RANDOM.random((30, 6, 6))
SERIES = RANDOM.normal(size=(30, 16)).cumsum(axis=1)
LABELS, CODES = (ROWS[:, 0] > 3).astype(int), RANDOM.integers(3, size=(30, 4))
SMALL = {"max_iter": 1, "random_state": 0}
DTYPES = {"F32": np.float32, "F64": np.float64, "I64": np.int64}
MODELS = {
    "classifier": lambda: skvq.MLPClassifier((5,), normalization="batch", **SMALL).fit(ROWS, LABELS),
    "regressor": lambda: skvq.MLPRegressor(hidden_layer_sizes=(5,), **SMALL).fit(ROWS, ROWS[:, 0]),
    "autoencoder": lambda: skvq.AutoEncoderTransformer(2, hidden_layer_sizes=(5,), **SMALL).fit(ROWS),
    "VAE": lambda: skvq.VAETransformer(2, likelihood="gaussian_per_feature", n_mixture_components=2, **SMALL).fit(ROWS),
    "VAE of a table": lambda: skvq.VAETransformer(2, hidden_layer_sizes=(5,), **SMALL).fit(table()),
    "VQ-VAE": lambda: skvq.VQVAETransformer(8, (2,), hidden_layer_sizes=(5,), prior=None, **SMALL).fit(ROWS),
    "VQ-VAE of images": lambda: skvq.VQVAETransformer(8, channels=4, n_blocks=1, prior=None, **SMALL).fit(IMAGES),
    "VQ-VAE of series": lambda: series_model().fit(SERIES),
    "NADE": lambda: skvq.OrderlessNADE(n_units=8, **SMALL).fit(ROWS),
    "transformer": lambda: skvq.CausalTransformer(d_model=4, n_layers=1, **SMALL).fit(CODES),
    "detector": lambda: detector(),
}


def table():
    """Return a frame with a column of numbers that may be missing, one of numbers, and one of words."""
    gaps = np.where(RANDOM.random(60) < 0.2, np.nan, ROWS[:, 0])
    return pd.DataFrame({"gaps": gaps, "number": ROWS[:, 1], "word": RANDOM.choice(["a", "b", "c"], 60)})


def detector():
    inside = skvq.AutoEncoderTransformer(2, hidden_layer_sizes=(5,), **SMALL)
    return skvq.OutlierDetector(inside, method="neighbors", contamination=0.1).fit(ROWS)


def series_model(**parameters):
    own = {"series_shape": (16,), "hidden_layer_sizes": (5,), "network": "dense"}
    own["prior"] = skvq.PixelCNN(channels=4, n_layers=1, max_iter=1, early_stopping=False)
    return skvq.VQVAETransformer(8, (2,), **own, **SMALL, **parameters)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    path, found = tmp_path_factory.mktemp("forged") / "model.safetensors", {}
    for name, make in MODELS.items():
        make().save(path)
        found[name] = path.read_bytes()
    return found


def with_arrays(file, **changes):
    """Return a file in which the arrays whose names hold a key are what its function makes of them."""

    def change(header, metadata, arrays):
        changed = 0
        for name, entry in header.items():
            for part, make in changes.items():
                if part in name:
                    start, stop = entry["data_offsets"]
                    values = np.frombuffer(bytes(arrays[start:stop]), DTYPES[entry["dtype"]]).reshape(entry["shape"])
                    arrays[start:stop] = np.ascontiguousarray(make(values), dtype=values.dtype).tobytes()
                    changed += 1
        assert changed
        return bytes(arrays)

    return hostile_files.changed(file, change)


FORGED = {
    "a variance of 0": ("VAE", {"likelihood.variance": np.zeros_like}),
    "a negative variance": ("VAE", {"likelihood.variance": np.negative}),
    "features of a table without a unit": ("VAE of a table", {"likelihood.gain": np.zeros_like}),
    "features of a table in a tiny unit": ("VAE of a table", {"likelihood.gain": lambda found: found * 1e-40}),
    "features of a table from elsewhere": ("VAE of a table", {"likelihood.base": lambda found: found + 1}),
    "another variance than that of the network": ("VAE", {"noise_variance_": lambda found: 2 * found}),
    "a negative divergence": ("VAE", {"kl_per_component_": lambda found: found - 10}),
    "covariances for precisions": ("VAE", {"mixture_.covariances_": lambda found: np.linalg.inv(found + np.eye(2))}),
    "roots of other precisions": ("VAE", {"mixture_.precisions_cholesky_": lambda found: 3 * found}),
    "precisions of a negative root": ("VAE", {"mixture_.precisions_cholesky_": np.negative}),
    "a negative batch variance": ("classifier", {"normalization_state_.variance": lambda found: -found - 1}),
    "predictor weights of 1e308": ("regressor", {"coefs_": lambda found: np.full_like(found, 1e308)}),
    "weights of 1e18": ("autoencoder", {"weights_": lambda found: np.full_like(found, 1e18)}),
    "weights of 1e18 in a VAE": ("VAE", {"weights_.encoder": lambda found: np.full_like(found, 1e18)}),
    "weights of 1e18 in codes": ("VQ-VAE", {"weights_.encoder": lambda found: np.full_like(found, 1e18)}),
    "weights of 1e18 in images": ("VQ-VAE of images", {"weights_.encoder": lambda found: np.full_like(found, 1e18)}),
    "weights of 1e18 in a density": ("NADE", {"weights_": lambda found: np.full_like(found, -1e18)}),
    "weights of 1e18 in a transformer": ("transformer", {"weights_.blocks": lambda found: np.full_like(found, 1e18)}),
    "counts below 0": ("VQ-VAE", {"mass": lambda found: found - 1e6}),
    "another codebook than that of the network": ("VQ-VAE", {"codebook_": lambda found: found[..., ::-1]}),
    "counts of other codes": ("VQ-VAE", {"code_counts_": np.zeros_like}),
    "components of 1e38": ("VQ-VAE of series", {"normal_components_": lambda found: np.full_like(found, 1e38)}),
    "components of 1e18": ("VQ-VAE of series", {"normal_components_": lambda found: np.full_like(found, 1e18)}),
    "components of NaN": ("VQ-VAE of series", {"normal_components_": lambda found: np.full_like(found, np.nan)}),
    "a mean series of 1e300": ("VQ-VAE of series", {"normal_mean_": lambda found: np.full_like(found, 1e300)}),
    "a range that is upside down": ("VQ-VAE of images", {"data_min_": lambda found: found + 10}),
    "a range without an end": ("autoencoder", {"data_max_": lambda found: np.full_like(found, np.inf)}),
    "scales of 0": ("autoencoder", {"scale_": np.zeros_like}),
    "scales of 0 of distances": ("detector", {"neighbors_.scale_": np.zeros_like}),
    "a whitening that overflows": ("detector", {"neighbors_.whitening_": lambda found: np.full_like(found, 1e308)}),
    "a mean of NaN of distances": ("detector", {"neighbors_.mean_": lambda found: np.full_like(found, np.nan)}),
    "training rows at infinity": ("detector", {"neighbors_.rows_": lambda found: np.full_like(found, np.inf)}),
    "scores that are no numbers": ("detector", {"training_scores_": lambda found: np.full_like(found, np.nan)}),
    "weights of 1e18 in a detector": ("detector", {"estimator_.weights_": lambda found: np.full_like(found, 1e18)}),
}


@pytest.mark.parametrize("name", FORGED)
def test_what_no_fit_leaves_is_refused(name, files, tmp_path):
    of, changes = FORGED[name]
    path = tmp_path / "forged.safetensors"
    path.write_bytes(with_arrays(files[of], **changes))
    with pytest.raises(skvq.LoadError, match="forged.safetensors"):
        skvq.load(path)


@pytest.mark.parametrize("name", list(MODELS))
def test_the_same_file_with_its_own_arrays_is_loaded(name, files, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(hostile_files.changed(files[name], lambda header, metadata, arrays: None))
    assert type(skvq.load(path)).__name__ in {model.__name__ for model in skvq._load.CLASSES.values()}


def test_large_weights_of_rows_that_are_taken_as_they_are_load(tmp_path):
    rows = 1e15 * ROWS
    model = skvq.AutoEncoderTransformer(4, standardize=False, hidden_layer_sizes=(), **SMALL).fit(rows)
    model.save(tmp_path / "model.safetensors")
    again = skvq.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.transform(rows), model.transform(rows))


@pytest.mark.parametrize("noise", [1e-300, 1e300])
def test_a_noise_of_series_that_no_fit_leaves_is_refused(noise, files, tmp_path):
    def change(header, metadata, arrays):
        metadata["model"]["state"]["normal_noise_"] = noise

    path = tmp_path / "forged.safetensors"
    path.write_bytes(hostile_files.changed(files["VQ-VAE of series"], change))
    with pytest.raises(skvq.LoadError, match="normal_noise_"):
        skvq.load(path)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", ["large", "small", "one outlier", "all the same", "a single one", "constant"])
@pytest.mark.parametrize("standardize", [True, False])
def test_every_fitted_model_of_series_loads(name, standardize, tmp_path):
    series = {
        "large": 1e15 * SERIES,
        "small": 1e-12 * SERIES,
        "one outlier": np.where(np.arange(30)[:, None] == 0, 1e9 * SERIES, SERIES),
        "all the same": np.repeat(SERIES[:1], 30, axis=0),
        "a single one": SERIES[:1],
        "constant": np.full_like(SERIES, 5.0),
    }[name]
    model = series_model(standardize=standardize).fit(series)
    model.save(tmp_path / "model.safetensors")
    again = skvq.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.normal_components_, model.normal_components_)

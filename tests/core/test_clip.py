"""Images of floats come back within the range that `fit` saw, from every method that gives rows."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_sample_images, load_wine

import skvq

PICTURE = load_sample_images().images[0]
CORNERS = [(top, left) for top in range(0, 400, 40) for left in range(0, 600, 60)]
PHOTOGRAPHS = np.stack([PICTURE[top : top + 8, left : left + 8] for top, left in CORNERS]).astype(np.float32) / 255
SHORT = {"max_iter": 1, "random_state": 0}
PRIOR = skvq.PixelCNN(channels=8, n_layers=1, max_iter=1)
MODELS = [
    skvq.AutoEncoderTransformer(16, **SHORT),
    skvq.VAETransformer(16, **SHORT),
    skvq.VQVAETransformer(64, prior=PRIOR, channels=8, n_blocks=1, **SHORT),
]
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # one epoch


def rows_of(model):
    """Return, by name, what every method of a model of photographs gives that is rows."""
    found = {"inverse_transform": model.inverse_transform(model.transform(PHOTOGRAPHS))}
    if hasattr(model, "sample"):
        found["sample"] = model.sample(50, random_state=0)
    if hasattr(model, "reconstruct"):
        found["reconstruct"] = model.reconstruct(PHOTOGRAPHS, random_state=0)
    if hasattr(model, "complete"):
        found["complete"] = model.complete(PHOTOGRAPHS[:50], np.arange(8)[:, None] * np.ones(8) < 4, random_state=0)
    return found


@pytest.mark.parametrize("estimator", MODELS, ids=lambda model: type(model).__name__)
def test_photographs_come_back_within_their_range_and_the_score_is_that_of_the_network(estimator, tmp_path):
    model = clone(estimator).fit(PHOTOGRAPHS)
    low, high = PHOTOGRAPHS.min(), PHOTOGRAPHS.max()
    cut = rows_of(model)
    for name, rows in cut.items():
        assert rows.dtype == np.float32, name
        assert rows.min() >= low, name
        assert rows.max() <= high, name
    score = model.score(PHOTOGRAPHS[:50])
    path = tmp_path / "model.safetensors"
    model.save(path)
    np.testing.assert_array_equal(rows_of(skvq.load(path))["inverse_transform"], cut["inverse_transform"])
    free = rows_of(model.set_params(clip=False))
    assert free["inverse_transform"].min() < low or free["inverse_transform"].max() > high
    np.testing.assert_array_equal(np.clip(free["inverse_transform"], low, high), cut["inverse_transform"])
    assert model.score(PHOTOGRAPHS[:50]) == score


@pytest.mark.parametrize("estimator", MODELS, ids=lambda model: type(model).__name__)
def test_a_later_chunk_widens_the_range(estimator):
    dark = 0.5 * PHOTOGRAPHS
    model = clone(estimator).partial_fit(dark)
    assert model.data_max_.max() == dark.max()
    model.partial_fit(PHOTOGRAPHS)
    assert (model.data_max_ == PHOTOGRAPHS.max()).all()


@pytest.mark.parametrize("estimator", MODELS, ids=lambda model: type(model).__name__)
def test_arrays_of_tables_are_cut_by_column_where_that_is_asked_for(estimator):
    X = load_wine().data
    model = clone(estimator).set_params(clip=True)
    if isinstance(model, skvq.VQVAETransformer):
        model.set_params(prior=None, n_codes=4)
    model.fit(X)
    Z = model.transform(X)
    free, cut = (model.set_params(clip=clip).inverse_transform(Z) for clip in ("auto", True))
    assert (free < X.min(axis=0)).any() or (free > X.max(axis=0)).any()
    np.testing.assert_array_equal(cut, np.clip(free, X.min(axis=0), X.max(axis=0)))

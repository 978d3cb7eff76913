"""Codes of mixed tables: frames in and out, with every kind of quantiser and prior."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import skvq
from skvq import CausalTransformer, PixelCNN, VQVAETransformer
from skvq.export import to_onnx

sys.path.insert(0, str(Path(__file__).parents[1] / "core" / "tables"))
import mixed_tables as tables

FRAME = tables.mixed_frame(300)
TEST = tables.mixed_frame(100, seed=1)
SMALL = {"random_state": 0, "max_iter": 3}
PIXELCNN = PixelCNN(channels=8, n_layers=1, max_iter=2)


@pytest.mark.parametrize("quantizer", ["vector", "residual", "product", "finite_scalar"])
def test_every_kind_of_codes_gives_frames_back(quantizer):
    model = VQVAETransformer(quantizer=quantizer, prior=None, **SMALL).fit(FRAME)
    codes = model.transform(TEST)
    assert codes.dtype == np.int32
    back = model.inverse_transform(codes)
    assert (back.dtypes == FRAME.dtypes).all()
    assert set(back["town"].dropna()) <= {"Bath", "Ely", "York"}
    assert model.score(TEST) > 0.3


@pytest.mark.parametrize("polars", [False, True])
@pytest.mark.parametrize("prior", [PIXELCNN, CausalTransformer(d_model=8, n_layers=1, n_heads=2, max_iter=2)])
def test_drawn_rows_are_a_frame_of_values_that_can_occur(prior, polars):
    X = pl.from_pandas(FRAME) if polars else FRAME
    model = VQVAETransformer(prior=prior, **SMALL).fit(X)
    drawn = model.sample(50, random_state=0)
    assert type(drawn) is type(X)
    drawn = drawn.to_pandas() if polars else drawn
    assert drawn.columns.tolist() == FRAME.columns.tolist()
    assert drawn["age"].between(FRAME["age"].min(), FRAME["age"].max()).all()
    np.testing.assert_array_equal(drawn["income"], drawn["income"].round(2))
    assert set(drawn["children"].dropna()) <= set(FRAME["children"].dropna())


def test_an_array_of_objects_comes_back_as_one():
    X = FRAME.drop(columns="since").astype(object).to_numpy()
    model = VQVAETransformer(prior=None, **SMALL).fit(X)
    back = model.inverse_transform(model.transform(X))
    assert back.dtype == object
    assert back.shape == X.shape


def test_a_prior_of_classes_takes_them_beside_a_frame():
    y = FRAME["member"].to_numpy()
    prior = PixelCNN(channels=8, n_layers=1, max_iter=2, class_conditional=True)
    model = VQVAETransformer(prior=prior, **SMALL).fit(FRAME, y)
    assert len(model.sample(4, y=True, random_state=0)) == 4
    model.fit_prior(FRAME, y)
    assert isinstance(model.sample(2, y=False), pd.DataFrame)


def test_the_likelihood_of_a_mixed_table_is_refused_and_that_of_numbers_is_not():
    model = VQVAETransformer(prior=PIXELCNN, **SMALL).fit(FRAME)
    with pytest.raises(ValueError, match="score_samples has a Gaussian likelihood, for tables of numbers"):
        model.score_samples(FRAME)
    X = np.random.default_rng(0).normal(size=(100, 4))
    of_array, of_frame = (VQVAETransformer(prior=PIXELCNN, **SMALL).fit(form) for form in (X, pd.DataFrame(X)))
    np.testing.assert_array_equal(of_array.score_samples(X), of_frame.score_samples(pd.DataFrame(X)))


def test_a_file_gives_the_same_frames(tmp_path):
    model = VQVAETransformer(prior=PIXELCNN, **SMALL).fit(FRAME)
    model.save(tmp_path / "model.safetensors")
    loaded = skvq.load(tmp_path / "model.safetensors")
    pd.testing.assert_frame_equal(loaded.sample(20, random_state=0), model.sample(20, random_state=0))


def test_a_mixed_table_has_no_form_in_onnx():
    model = VQVAETransformer(prior=None, **SMALL).fit(FRAME)
    with pytest.raises(ValueError, match="fitted to a table with columns of kind category"):
        to_onnx(model, "encoder")
    X = np.where(np.random.default_rng(0).random((60, 3)) < 0.2, np.nan, 1.5)
    X[0] = 2.5
    with pytest.raises(ValueError, match="fitted to a table with missing cells"):
        to_onnx(VQVAETransformer(prior=None, **SMALL).fit(X), "decoder")


def test_a_table_of_many_rows_is_never_held_as_features(monkeypatch):
    taken = []
    take = skvq.core.tables.layout.TableRows.take
    monkeypatch.setattr(
        skvq.core.tables.layout.TableRows, "take", lambda rows, at: taken.append(take(rows, at)) or taken[-1]
    )
    VQVAETransformer(prior=None, random_state=0, max_iter=1).fit(pd.concat([FRAME] * 10, ignore_index=True))
    assert taken
    assert max(map(len, taken)) <= 256


def test_the_number_of_positions_goes_by_columns_not_by_levels():
    random = np.random.RandomState(0)
    X = pd.DataFrame({name: random.choice([f"level {i}" for i in range(40)], 300) for name in "abcdefgh"})
    model = VQVAETransformer(prior=None, **SMALL).fit(X)
    assert model.transform(X).shape[1] == 2  # one for every four of eight columns


@pytest.mark.parametrize("prior", ["auto", "pixelcnn"])
def test_a_table_of_one_row_gives_that_row(prior):
    frame = pd.DataFrame({"a": [1.5], "b": pd.Categorical(["x"]), "c": [3]})
    model = VQVAETransformer(prior=prior, max_iter=2, random_state=0).fit(frame)
    pd.testing.assert_frame_equal(model.sample(1, random_state=0), frame)
    pd.testing.assert_frame_equal(model.inverse_transform(model.transform(frame)), frame)


def test_few_wide_rows_stay_near_their_start():
    random = np.random.default_rng(0)
    steps = np.arange(300) / 300
    phase, width = random.uniform(0, 0.2, (200, 1)), random.uniform(0.05, 0.2, (200, 1))
    X = np.exp(-np.square((steps - 0.4 - phase) / width)) + 0.05 * random.normal(size=(200, 300))

    def score(n_codes, **options):
        return VQVAETransformer(n_codes, 6, prior=None, random_state=0, **options).fit(X[:130]).score(X[130:])

    assert score(64) > score(64, learning_rate_init=1e-9, max_iter=1) - 0.002
    assert score(64) > score(64, learning_rate_init=5e-3, max_iter=3) + 0.005
    assert score(16) > score(16, learning_rate_init=5e-3, max_iter=100) + 0.02


def test_answers_of_a_survey_get_codes_of_parts_of_the_columns_unless_residual_codes_are_asked_for():
    random = np.random.default_rng(0)
    traits = np.repeat(random.normal(size=(1200, 4)), 3, axis=1)
    X = (1.5 * traits + 0.7 * random.normal(size=(1200, 12))).round().clip(-3, 3)
    training, test = X[:800], X[800:]
    options = {"hidden_layer_sizes": (), "max_iter": 2, "prior": None, "random_state": 0}
    found, residual = (
        VQVAETransformer(256, 4, quantizer=quantizer, **options).fit(training) for quantizer in ("auto", "residual")
    )
    assert 1 - found.score(test) < 0.7 * (1 - residual.score(test))
    of_first = found.inverse_transform(found.transform(test)[:, :1])
    assert of_first[:, :3].std(axis=0).min() > 0.5
    assert of_first[:, 6:].std(axis=0).max() < 0.2
    assert (residual.inverse_transform(residual.transform(test)[:, :1]).std(axis=0) > 0.3).all()

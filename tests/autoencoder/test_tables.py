"""Autoencoders of mixed tables: frames in and out, scores, and what is refused."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.metrics import r2_score

import skvq
from skvq import AutoEncoderTransformer

sys.path.insert(0, str(Path(__file__).parents[1] / "core" / "tables"))
import mixed_tables as tables

FRAME = tables.mixed_frame(300)
TEST = tables.mixed_frame(100, seed=1)
SMALL = {"hidden_layer_sizes": (), "random_state": 0, "max_iter": 3}


@pytest.fixture(scope="module")
def model():
    return AutoEncoderTransformer(8, **SMALL).fit(FRAME)


def assert_like(found, X):
    """Assert that a frame has the names, order and dtypes of another, and levels that occur there."""
    assert type(found) is type(X)
    assert len(found) == len(X)
    if isinstance(X, pl.DataFrame):
        assert found.schema == X.schema
        return
    assert found.columns.tolist() == X.columns.tolist()
    assert (found.dtypes == X.dtypes).all()


@pytest.mark.parametrize("polars", [False, True])
def test_a_frame_comes_back_as_one_and_close_to_itself(polars):
    X = pl.from_pandas(FRAME) if polars else FRAME
    model = AutoEncoderTransformer(8, **SMALL).fit(X)
    back = model.inverse_transform(model.transform(X))
    assert_like(back, X)
    back, X = (part.to_pandas() if polars else part for part in (back, X))
    assert (back["town"].fillna("") == FRAME["town"].fillna("")).mean() > 0.9
    assert r2_score(FRAME["age"], back["age"]) > 0.8
    assert back["income"].min() >= FRAME["income"].min()
    assert back["since"].max() <= FRAME["since"].max()
    assert set(back["children"].dropna()) <= set(FRAME["children"].dropna())


def test_polars_and_pandas_give_the_same_codes(model):
    of_polars = AutoEncoderTransformer(5, **SMALL).fit(pl.from_pandas(FRAME[["age", "town", "member"]]))
    of_pandas = AutoEncoderTransformer(5, **SMALL).fit(FRAME[["age", "town", "member"]])
    codes = of_pandas.transform(TEST[["age", "town", "member"]])
    np.testing.assert_array_equal(of_polars.transform(pl.from_pandas(TEST[["age", "town", "member"]])), codes)


def test_a_frame_of_numbers_gives_the_same_codes_as_an_array():
    X = np.random.default_rng(0).normal(size=(200, 5)) @ np.random.default_rng(1).normal(size=(5, 5))
    of_array, of_frame = (
        AutoEncoderTransformer(2, max_iter=2, random_state=0).fit(form) for form in (X, pd.DataFrame(X))
    )
    np.testing.assert_array_equal(of_array.transform(X), of_frame.transform(pd.DataFrame(X)))
    assert of_array.score(X) == of_frame.score(pd.DataFrame(X))
    back = of_frame.inverse_transform(of_frame.transform(pd.DataFrame(X)))
    inside = np.clip(of_array.inverse_transform(of_array.transform(X)), X.min(axis=0), X.max(axis=0))
    np.testing.assert_array_equal(back, inside)
    assert not hasattr(of_array, "columns_")


def test_an_array_with_missing_cells_comes_back_with_missing_cells():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 1)) + 0.1 * rng.normal(size=(300, 4))
    X[rng.random(X.shape) < 0.2] = np.nan
    model = AutoEncoderTransformer(8, **SMALL).fit(X)
    back = model.inverse_transform(model.transform(X))
    assert isinstance(back, np.ndarray)
    assert (np.isnan(back) == np.isnan(X)).mean() > 0.95


def test_the_columns_are_described_in_order(model):
    assert [column["name"] for column in model.columns_] == FRAME.columns.tolist()
    kinds = ["real", "integer", "category", "category", "boolean", "date", "integer"]
    assert [column["kind"] for column in model.columns_] == kinds
    assert model.n_features_in_ == 7
    assert model.feature_names_in_.tolist() == FRAME.columns.tolist()


def test_the_score_counts_every_column_alike(model):
    # with nothing but the means in the code, all is lost in every column
    squared_error = model.reconstruction_error(FRAME).mean()
    assert model.score(FRAME) == pytest.approx(1 - squared_error, abs=1e-5)  # the variance of all features is 1
    assert 0.5 < model.score(TEST) < 1


def test_the_score_of_a_category_is_the_brier_skill_score():
    frame = pd.DataFrame({"c": np.random.default_rng(0).choice(list("abc"), 200)})
    model = AutoEncoderTransformer(1, **SMALL).fit(frame)
    layout = skvq.core.layout.layout_of(model)
    rows = layout.rows(layout.check(model, frame), "cpu").take(slice(None))
    decoded = model._network().decode(model._network().encode(rows)).detach().numpy()
    probabilities = (decoded - layout.base) / layout.gain
    indicators = (rows.numpy() - layout.base) / layout.gain
    brier = np.square(probabilities - indicators).sum(axis=1).mean()
    reference = np.square(indicators.mean(axis=0) - indicators).sum(axis=1).mean()
    assert model.score(frame) == pytest.approx(1 - brier / reference, abs=1e-5)


def test_held_out_rows_are_a_frame_too():
    model = AutoEncoderTransformer(3, max_iter=2, random_state=0).fit(FRAME, X_val=TEST)
    assert len(model.validation_loss_curve_) == 2
    with pytest.raises(ValueError, match="feature names should match"):
        AutoEncoderTransformer(3, max_iter=2).fit(FRAME, X_val=TEST.rename(columns={"age": "years"}))


def test_unknown_levels_are_an_error_or_missing_cells(model):
    later = TEST.assign(town="Hull")
    with pytest.raises(ValueError, match="column \"town\" holds levels that fit did not see: 'Hull'"):
        model.transform(later)
    lenient = clone(model).set_params(handle_unknown="ignore").fit(FRAME)
    np.testing.assert_array_equal(lenient.transform(later), lenient.transform(TEST.assign(town=None)))


def test_numbers_can_be_chosen_as_categories():
    X = np.column_stack([np.repeat([1, 7, 9], 40), np.linspace(0, 1, 120)])
    model = AutoEncoderTransformer(3, categorical_features=[0], **SMALL).fit(X)
    assert [column["kind"] for column in model.columns_] == ["category", "real"]
    back = model.inverse_transform(model.transform(X))
    np.testing.assert_array_equal(back[:, 0], X[:, 0])


def test_copies_of_all_kinds_give_the_same_rows(model, tmp_path):
    model.save(tmp_path / "model.safetensors")
    codes = model.transform(TEST)
    expected = model.inverse_transform(codes)
    for copy in (pickle.loads(pickle.dumps(model)), skvq.load(tmp_path / "model.safetensors")):
        np.testing.assert_array_equal(copy.transform(TEST), codes)
        pd.testing.assert_frame_equal(copy.inverse_transform(codes), expected)
    assert "_table" not in pickle.loads(pickle.dumps(model)).__dict__


def test_a_second_fit_forgets_the_table():
    model = AutoEncoderTransformer(2, **SMALL).fit(FRAME)
    model.fit(np.random.default_rng(0).normal(size=(50, 3)))
    assert not hasattr(model, "columns_")
    assert isinstance(model.inverse_transform(np.zeros((1, 2))), np.ndarray)


def test_what_a_loss_of_probabilities_cannot_take_is_refused():
    with pytest.raises(ValueError, match="loss='log_loss' takes numbers in"):
        AutoEncoderTransformer(2, loss="log_loss", **SMALL).fit(FRAME)


def test_categories_of_images_are_refused():
    with pytest.raises(ValueError, match="chooses columns of a table, but X holds images"):
        AutoEncoderTransformer(2, categorical_features=[0], **SMALL).fit(np.zeros((20, 4, 4)))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("categorical_features", "auto"), ("categorical_features", 3), ("handle_unknown", "skip"), ("clip", "yes")],
)
def test_parameters_out_of_range_are_refused(parameter, value):
    with pytest.raises(ValueError, match=f"The '{parameter}' parameter"):
        AutoEncoderTransformer(2, **{parameter: value}).fit(FRAME)

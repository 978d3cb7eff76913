"""Layouts of mixed tables: blocks of features, alike in weight, and back."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import BaseEstimator

import skvq
from skvq.core.layout import RowLayout, fit_layout, layout_of
from skvq.core.tables.layout import TableLayout

sys.path.insert(0, str(Path(__file__).parent))
import mixed_tables as tables


class Holder(BaseEstimator):
    """An estimator with the parameters that layouts are made by."""

    def __init__(self, categorical_features="from_dtype", handle_unknown="error", clip=True, image_shape=None):
        self.categorical_features = categorical_features
        self.handle_unknown = handle_unknown
        self.clip = clip
        self.image_shape = image_shape
        self.series_shape, self.series_layout = None, "channels_last"


def fitted(X, standardize=True, **parameters):
    """Return an estimator that keeps the layout of X, the layout, and the validated X."""
    holder = Holder(**parameters)
    layout, cells = fit_layout(holder, X, standardize=standardize)
    holder.__dict__.update(layout.attributes())
    return holder, layout, cells


def features_of(layout, cells):
    return layout.rows(cells, "cpu").take(slice(None)).numpy().astype(np.float64)


def test_every_column_has_variance_1_and_the_mean_over_features_is_the_mean_over_columns():
    _, layout, cells = fitted(tables.mixed_frame())
    features = features_of(layout, cells)
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-6)
    for block in layout.blocks:
        variance = features[:, block.start : block.stop].var(axis=0).sum()
        assert variance / layout.row_shape[0] == pytest.approx(1 / len(layout.columns), rel=1e-5)


def test_indicators_are_those_of_a_one_hot_encoding_of_levels_and_missing_cells():
    frame = pd.DataFrame({"c": ["b", "a", None, "b"]})
    _, layout, cells = fitted(frame)
    one_hot = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]])
    shares = np.array([0.25, 0.5, 0.25])
    expected = (one_hot - shares) / np.sqrt((shares * (1 - shares)).sum()) * np.sqrt(3)
    np.testing.assert_allclose(features_of(layout, cells), expected, rtol=1e-6)


def test_a_missing_number_has_score_0_and_an_indicator():
    frame = pd.DataFrame({"x": [1.0, np.nan, 2.0, 4.0]})
    _, layout, cells = fitted(frame)
    features = features_of(layout, cells) / np.sqrt(2)
    scores = layout.columns[0].marginal.to_normal(np.array([1.0, 2.0, 4.0]))
    np.testing.assert_allclose(features[[0, 2, 3], 0], (scores - scores.mean()) / scores.std(), rtol=1e-6)
    assert features[1, 0] == 0
    np.testing.assert_allclose(features[:, 1], (np.array([0, 1, 0, 0]) - 0.25) / np.sqrt(0.75), rtol=1e-6)


def test_the_squared_error_of_the_best_constant_is_1_for_every_column():
    _, layout, cells = fitted(tables.mixed_frame())
    features = features_of(layout, cells)
    assert np.square(features).mean() == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("polars", [False, True])
def test_a_frame_comes_back_from_its_features(polars):
    frame = tables.mixed_frame()
    X = pl.from_pandas(frame) if polars else frame
    holder, layout, cells = fitted(X)
    features = features_of(layout, cells)
    back = layout_of(holder).restore([(0, features[:150]), (150, features[150:])], len(X))
    if polars:
        assert back.equals(X)
    else:
        pd.testing.assert_frame_equal(back, X)


def test_features_near_those_of_a_row_give_the_row():
    frame = tables.mixed_frame()
    holder, layout, cells = fitted(frame)
    noisy = features_of(layout, cells) + np.random.default_rng(0).normal(0, 1e-3, (len(frame), layout.row_shape[0]))
    back = layout.restore([(0, noisy)], len(frame))
    for name in ("group", "town", "member"):
        pd.testing.assert_series_equal(back[name], frame[name])
    np.testing.assert_array_equal(back.isna(), frame.isna())
    assert (back["age"] - frame["age"]).abs().max() <= 1


def test_a_frame_of_numbers_has_the_floats_of_an_array():
    X = np.random.default_rng(0).lognormal(size=(50, 4))
    _, of_array, rows = fitted(X)
    holder, of_frame, cells = fitted(pd.DataFrame(X, columns=list("abcd")))
    assert isinstance(of_array, RowLayout)
    assert of_frame.scaling == "standard"
    assert torch.equal(of_array.rows(rows, "cpu").take(slice(0, 50)), of_frame.rows(cells, "cpu").take(slice(0, 50)))
    back = layout_of(holder).restore([(0, features_of(of_frame, cells))], 50)
    pd.testing.assert_frame_equal(back, pd.DataFrame(X, columns=list("abcd")), rtol=1e-5)


def test_values_beyond_those_of_fit_are_cut_unless_asked_otherwise():
    frame = pd.DataFrame({"x": np.arange(10) * 0.5, "i": np.arange(10)})
    for extra in ({}, {"c": list("ab") * 5}):
        X = frame.assign(**extra)
        holder, layout, cells = fitted(X)
        beyond = features_of(layout, cells) * 3
        back = layout.restore([(0, beyond)], 10)
        assert (back["x"].min(), back["x"].max(), back["i"].min(), back["i"].max()) == (0, 4.5, 0, 9)
        free = layout_of(holder.set_params(clip=False)).restore([(0, beyond)], 10)
        assert free["x"].max() > 4.5
        assert free["i"].max() > 9
        assert free["i"].dtype == np.int64


def test_raw_values_are_for_numbers_alone():
    frame = pd.DataFrame({"x": [1.0, 5.0], "i": [1, 2]})
    _, layout, cells = fitted(frame, standardize=False)
    np.testing.assert_array_equal(features_of(layout, cells), frame)
    with pytest.raises(ValueError, match='standardize=False .* column "c" is of kind category'):
        fitted(frame.assign(c=["a", "b"]), standardize=False)
    with pytest.raises(ValueError, match="standardize=False .* column 0 has missing cells"):
        fitted(np.array([[1.0], [np.nan]]), standardize=False)


def test_a_missing_cell_in_a_column_that_had_none_is_the_mean():
    holder, layout, cells = fitted(tables.mixed_frame())
    later = tables.mixed_frame().astype({"age": "Int64"})
    later.loc[0, ["age", "group"]] = None
    features = features_of(layout, layout.check(holder, later))
    for index in (1, 2):
        block = layout.blocks[index]
        np.testing.assert_array_equal(features[0, block.start : block.stop], 0)


def test_unknown_levels_are_an_error_or_the_missing_level():
    frame = pd.DataFrame({"c": ["a", "b", None]})
    holder, layout, cells = fitted(frame, handle_unknown="ignore")
    later = layout_of(holder).check(holder, pd.DataFrame({"c": ["z"]}))
    np.testing.assert_array_equal(features_of(layout, later), features_of(layout, cells)[[2]])
    holder.set_params(handle_unknown="error")
    with pytest.raises(ValueError, match="did not see: 'z'"):
        layout_of(holder).check(holder, pd.DataFrame({"c": ["z"]}))


def test_names_are_held_to_those_of_fit():
    frame = tables.mixed_frame()
    holder, layout, _ = fitted(frame)
    assert holder.feature_names_in_.tolist() == frame.columns.tolist()
    assert holder.n_features_in_ == 7
    with pytest.raises(ValueError, match="feature names should match those that were passed during fit"):
        layout.check(holder, frame.rename(columns={"age": "years"}))
    with pytest.raises(ValueError, match="in the same order"):
        layout.check(holder, frame[frame.columns[::-1]])


def test_rows_are_restricted_by_position():
    _, layout, cells = fitted(tables.mixed_frame())
    rows = layout.rows(cells, "cpu")
    some = rows.restrict(np.array([5, 7, 9])).restrict(np.array([2, 0]))
    assert len(some) == 2
    assert torch.equal(some.take(slice(None)), rows.take(np.array([9, 5])))
    assert len(some.unrestricted()) == len(rows)


def test_values_that_float32_cannot_hold_are_refused():
    holder, layout, _ = fitted(pd.DataFrame({"x": [1.0, 2.0], "c": ["a", "b"]}))
    later = layout.check(holder, pd.DataFrame({"x": [1e300], "c": ["a"]}))
    with pytest.raises(ValueError, match="float32 cannot hold"):
        layout.rows(later, "cpu").take(slice(None))


def test_constant_columns_do_no_harm():
    frame = pd.DataFrame({"c": ["a"] * 4, "x": [2.5, 2.5, None, 2.5], "i": 7, "y": [1.0, 2.0, 3.0, 4.0]})
    _, layout, cells = fitted(frame)
    features = features_of(layout, cells)
    assert np.isfinite(features).all()
    pd.testing.assert_frame_equal(layout.restore([(0, features)], 4), frame)


@pytest.mark.parametrize(
    ("X", "kind"),
    [
        (np.ones((3, 2)), RowLayout),
        ([[1, 2], [3, 4]], RowLayout),
        (torch.ones(3, 2), RowLayout),
        (np.ones((3, 2, 2)), RowLayout),
        (np.array([[1.0, np.nan], [1.0, 2.0]]), TableLayout),
        ([[1.0, float("nan")], [1.0, 2.0]], TableLayout),
        ([["a", 1], ["b", 2]], TableLayout),
        (np.array([["a"], ["b"]]), TableLayout),
        (np.array([[1.0], [2.0]], dtype=object), TableLayout),
        (pd.DataFrame({"x": [1.0, 2.0]}), TableLayout),
        (pl.DataFrame({"x": [1.0, 2.0]}), TableLayout),
    ],
)
def test_tables_have_a_layout_of_columns_and_numbers_one_of_rows(X, kind):
    holder, layout, _ = fitted(X)
    assert type(layout) is kind
    assert type(layout_of(holder)) is kind


def test_chosen_categories_make_a_table_and_an_image_shape_makes_none():
    X = np.array([[1, 2], [3, 4]])
    assert isinstance(fitted(X, categorical_features=[0])[1], TableLayout)
    assert isinstance(fitted(pd.DataFrame(X), image_shape=(1, 2))[1], RowLayout)


def test_fewer_rows_than_columns_come_back_too():
    frame = tables.mixed_frame()
    _, layout, cells = fitted(frame)
    back = layout.restore([(0, features_of(layout, cells)[:2])], 2)
    pd.testing.assert_frame_equal(back, frame[:2])


def test_the_layout_of_an_estimator_is_built_once_and_follows_its_parameters():
    X = pd.DataFrame({"a": [0.5, 1.5, 2.0], "b": pd.Categorical(["x", "y", "x"])})
    model = skvq.AutoEncoderTransformer(1, max_iter=1, random_state=0).fit(X)
    layout = layout_of(model)
    assert layout_of(model) is layout
    assert not layout_of(model.set_params(clip=False)).clip
    assert "_layout" not in model.__getstate__()
    assert layout_of(model.fit(X[:2])).columns[0].marginal.n == 2


def test_matrices_of_numpy_are_refused():
    with pytest.raises(TypeError, match="matrix of numpy, which is not supported; pass np.asarray"):
        skvq.OrderlessNADE(max_iter=1).fit(np.asmatrix(np.eye(4)))

"""Displays of real and drawn rows of mixed tables: the artists hold the shares and the points of the rows."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.datasets import load_wine

from skvq.display import MarginalsDisplay, PairsDisplay

TOWNS = [f"town {i:02}" for i in range(20)]


@pytest.fixture(autouse=True)
def _without_a_screen():
    mpl.use("Agg")
    yield
    mpl.pyplot.close("all")


def mixed_table(n, seed):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "real": rng.normal(size=n),
            "whole": rng.integers(0, 5, n),
            "level": pd.Categorical.from_codes(rng.integers(0, 3, n), ["low", "middle", "high"]),
            "town": np.array(TOWNS, dtype=object)[np.minimum(rng.geometric(0.2, n) - 1, 19)],
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 300, n), "D"),
        }
    )
    return table.mask(rng.random(table.shape) < 0.1)


REAL, DRAWN = mixed_table(300, 0), mixed_table(200, 1)


def labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def heights(display, column):
    """Return the heights of the stairs of drawn and of real rows."""
    return [patch.get_data().values for patch in display.stairs_[column]]


def test_shares_of_levels_and_of_missing_cells_are_those_of_the_rows():
    display = MarginalsDisplay.from_samples(REAL, DRAWN, columns=["level"])
    for found, table in zip(heights(display, 0), (DRAWN, REAL)):
        shares = table["level"].value_counts(normalize=True, dropna=False)
        np.testing.assert_allclose(found[:3], shares[["low", "middle", "high"]])
        assert np.isnan(found[3])
        assert found[4] == pytest.approx(table["level"].isna().mean())
    assert labels(display.ax_.xaxis) == ["low", "middle", "high", "missing"]


def test_rare_levels_share_a_bar():
    display = MarginalsDisplay.from_samples(REAL, DRAWN, columns=["town"])
    common = sorted(REAL["town"].value_counts().index[:7])
    n_towns = pd.concat([REAL, DRAWN])["town"].nunique()
    assert labels(display.ax_.xaxis) == [*common, f"{n_towns - 7} others", "missing"]
    _, real = heights(display, 0)
    assert real[7] == pytest.approx((~REAL["town"].isin(common) & REAL["town"].notna()).mean())
    assert np.nansum(real) == pytest.approx(1.0)


def test_a_few_numbers_have_a_bar_each():
    display = MarginalsDisplay.from_samples(REAL, DRAWN, columns=["whole"])
    np.testing.assert_allclose(display.stairs_[0, 1].get_data().edges[:6], np.arange(6) - 0.5)
    expected = [(REAL["whole"] == i).mean() for i in range(5)]
    np.testing.assert_allclose(heights(display, 0)[1][:5], expected)
    assert labels(display.ax_.xaxis) == ["0", "1", "2", "3", "4", "missing"]


def test_many_numbers_are_counted_in_intervals_that_real_and_drawn_rows_share():
    X = load_wine().data
    with pytest.warns(UserWarning, match="the first 12 of 13 columns are drawn"):
        display = MarginalsDisplay.from_samples(X[:100], X[100:])
    assert display.stairs_.shape == (12, 2)
    edges = display.stairs_[0, 0].get_data().edges
    np.testing.assert_array_equal(edges, display.stairs_[0, 1].get_data().edges)
    for found, rows in zip(heights(display, 0), (X[100:, 0], X[:100, 0])):
        expected = np.histogram(np.clip(rows, edges[0], edges[-1]), edges)[0] / len(rows)
        np.testing.assert_allclose(found, expected)


def test_what_is_beyond_the_intervals_counts_in_the_last_ones():
    real = np.linspace(0.0, 1.0, 1000)[:, np.newaxis]
    drawn = np.array([[-1e6]] * 3 + [[0.5]] * 5 + [[np.inf]] * 2)
    found, _ = heights(MarginalsDisplay.from_samples(real, drawn), 0)
    assert (found[0], found[-1]) == (0.3, 0.2)


def test_dates_are_written_as_dates():
    display = MarginalsDisplay.from_samples(REAL, DRAWN, columns=["day"])
    *dates, missing = labels(display.ax_.xaxis)
    assert missing == "missing"
    assert len(dates) >= 2
    assert all(pd.Timestamp("2020-01-01") <= pd.Timestamp(date) <= pd.Timestamp("2020-11-01") for date in dates)


@pytest.mark.parametrize("column", [[7.0] * 9, [np.nan] * 9, [7.0] * 8 + [np.nan], ["a"] * 9, [None] * 9])
def test_columns_without_variety_can_be_drawn(column):
    X = np.array(column, dtype=object)[:, np.newaxis]
    display = MarginalsDisplay.from_samples(X, X)
    assert np.nansum(heights(display, 0)[0]) == pytest.approx(1.0)
    display.figure_.canvas.draw()


def test_panels_are_named_by_their_columns_and_sources():
    display = MarginalsDisplay.from_samples(REAL, DRAWN, columns=["town", 0])
    assert [ax.get_title() for ax in display.axes_] == ["town", "real"]
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["drawn", "real"]


def test_frames_of_polars_are_drawn_like_those_of_pandas():
    expected = heights(MarginalsDisplay.from_samples(REAL, DRAWN), 3)
    found = heights(MarginalsDisplay.from_samples(pl.from_pandas(REAL), pl.from_pandas(DRAWN)), 3)
    np.testing.assert_array_equal(found[1], expected[1])


def test_two_columns_of_numbers_are_points():
    display = PairsDisplay.from_samples(REAL, DRAWN, pairs=[("real", "whole")])
    for points, table in zip(display.artists_[0], (REAL, DRAWN)):
        expected = table[["real", "whole"]].dropna().to_numpy(dtype=float)
        np.testing.assert_array_equal(points.get_offsets(), expected)
    assert display.axes_[0].get_xlim() == display.axes_[1].get_xlim()
    assert [ax.get_title() for ax in display.axes_] == ["real", "drawn"]
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("real", "whole")


def test_at_most_a_thousand_points_are_drawn():
    X = np.random.default_rng(0).normal(size=(5000, 2))
    assert len(PairsDisplay.from_samples(X, X).artists_[0, 0].get_offsets()) == 1000


def test_a_pair_with_levels_is_a_map_of_shares():
    display = PairsDisplay.from_samples(REAL, DRAWN, pairs=[("whole", "level")])
    for mesh, table in zip(display.artists_[0], (REAL, DRAWN)):
        found = mesh.get_array().reshape(5, 7)
        for i, level in {0: "low", 1: "middle", 2: "high"}.items():
            for whole in range(5):
                assert found[i, whole] == pytest.approx(np.mean((table["level"] == level) & (table["whole"] == whole)))
            assert found[i, 6] == pytest.approx(np.mean((table["level"] == level) & table["whole"].isna()))
        assert found[4, 6] == pytest.approx(np.mean(table["level"].isna() & table["whole"].isna()))
        assert found.mask[3].all()
        assert found.mask[:, 5].all()
    assert display.artists_[0, 0].get_clim() == display.artists_[0, 1].get_clim()
    assert labels(display.ax_.yaxis) == ["low", "middle", "high", "missing"]


def test_without_pairs_those_of_the_first_columns_are_drawn():
    display = PairsDisplay.from_samples(REAL, DRAWN)
    assert list(display.pairs) == [(0, 1), (0, 2), (1, 2)]
    assert len(display.axes_) == 6
    display.figure_.canvas.draw()


def test_pairs_can_be_drawn_on_given_axes():
    _, axes = mpl.pyplot.subplots(1, 2)
    display = PairsDisplay.from_samples(REAL, DRAWN, pairs=[(0, 2)], ax=axes, mesh_kw={"cmap": "magma"})
    assert list(display.axes_) == list(axes)
    assert display.artists_[0, 0].cmap.name == "magma"


def test_labels_of_levels_keep_clear_of_each_other():
    names = ["Abbing, Mr. Anthony", "Abelson, Mr. Samuel", "Zimmerman, Mr. Leo", "van Impe, Miss. Catharina"]
    names += [f"{name}, junior" for name in names]
    table = pd.DataFrame({"name": names, "b": [0, 1] * 4, "c": [0, 1] * 4, "d": [0.5, None] * 4})
    display = MarginalsDisplay.from_samples(table, table)
    display.figure_.canvas.draw()
    for panel in (display.axes_[0], display.axes_[3]):
        texts = panel.get_xticklabels()
        assert len(texts) > 2
        ends = np.array([panel.transData.transform(text.get_position())[0] for text in texts])
        height = texts[0].get_fontsize() * display.figure_.dpi / 72
        between = np.diff(np.sort(ends)) * np.sin(np.deg2rad(texts[0].get_rotation()))  # of parallel lines of text
        assert (between > height).all()
        assert {text.get_horizontalalignment() for text in texts} == {"right"}

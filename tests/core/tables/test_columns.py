"""Columns: frames and arrays become cells, and come back as they were."""

import datetime
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skvq.core.parameters import to_json
from skvq.core.tables.columns import Column, Columns
from skvq.persistence.records import from_json

sys.path.insert(0, str(Path(__file__).parent))
import mixed_tables as tables


@pytest.mark.parametrize("name", tables.pandas_columns())
def test_a_column_of_pandas_comes_back_as_it_was(name):
    frame = pd.DataFrame({name: tables.pandas_columns()[name]})
    columns, cells = Columns.fit(frame)
    columns.check()
    assert cells.dtype == np.float64
    np.testing.assert_array_equal(np.isnan(cells), frame.isna().to_numpy())
    pd.testing.assert_frame_equal(columns.restore(cells), frame)
    np.testing.assert_array_equal(columns.cells(frame), cells)


@pytest.mark.parametrize("name", tables.polars_columns())
def test_a_column_of_polars_comes_back_as_it_was(name):
    frame = pl.DataFrame({name: tables.polars_columns()[name]})
    columns, cells = Columns.fit(frame)
    columns.check()
    np.testing.assert_array_equal(np.isnan(cells[:, 0]), frame[name].is_null().to_numpy())
    back = columns.restore(cells)
    assert back.schema == frame.schema
    assert back.equals(frame)
    np.testing.assert_array_equal(columns.cells(frame), cells)


def test_columns_survive_json():
    for frame in (pd.DataFrame(tables.pandas_columns()), pl.DataFrame(tables.polars_columns())):
        columns, cells = Columns.fit(frame)
        again = from_json(Columns, json.loads(json.dumps(to_json(columns))))
        assert again == columns
        again.check()
        np.testing.assert_array_equal(again.cells(frame), cells)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("uint8", "integer"),
        ("Int64", "integer"),
        ("object integers", "integer"),
        ("object decimals", "real"),
        ("sparse integers", "integer"),
        ("sparse booleans", "boolean"),
        ("float32", "real"),
        ("boolean", "boolean"),
        ("object booleans", "boolean"),
        ("objects", "category"),
        ("numbered", "category"),
        ("object dates", "date"),
        ("zone", "date"),
        ("duration", "duration"),
    ],
)
def test_the_kind_of_a_column_follows_from_its_dtype_and_its_objects(name, kind):
    columns, _ = Columns.fit(pd.DataFrame({name: tables.pandas_columns()[name]}))
    assert columns[0].kind == kind


def test_a_column_knows_its_shares_and_moments():
    frame = pd.DataFrame({"c": ["b", "a", None, "b"], "x": [1.0, np.nan, 3.0, 8.0]})
    (category, number), _ = Columns.fit(frame)
    assert category.levels == ("a", "b")
    assert category.frequencies == (0.25, 0.5)
    assert category.missing == number.missing == 0.25
    assert (number.mean, number.std) == (4.0, pytest.approx(np.std([1, 3, 8])))
    assert number.marginal.left == (1.0, 3.0, 8.0)


@pytest.mark.parametrize(
    ("times", "unit", "expected"),
    [
        (["2020-01-05", "2020-01-01"], "D", [4, 0]),
        (["2020-01-01 03:00", "2020-01-02 00:00"], "h", [0, 21]),
        (["2020-01-01 00:00:30", "2020-01-01 00:01:00"], "s", [0, 30]),
        (["2020-01-01 00:00:00.000001", "2020-01-01 00:00:00.000000"], "us", [1, 0]),
    ],
)
def test_dates_count_the_longest_unit_in_which_all_are_whole(times, unit, expected):
    columns, cells = Columns.fit(pd.DataFrame({"t": pd.to_datetime(times)}))
    assert columns[0].unit == unit
    np.testing.assert_array_equal(cells[:, 0], expected)


def test_nanoseconds_over_years_are_counted_in_a_unit_that_float64_can_hold():
    times = pd.Series(np.array(["1900-01-01", "2020-01-01T00:00:00.000000001"], "datetime64[ns]"))
    columns, cells = Columns.fit(pd.DataFrame({"t": times}))
    assert columns[0].unit == "us"
    assert columns.restore(cells)["t"].dt.floor("us").tolist() == times.dt.floor("us").tolist()


def test_times_between_those_of_fit_keep_their_fractions():
    columns, _ = Columns.fit(pd.DataFrame({"t": pd.to_datetime(["2020-01-01", "2020-01-03"])}))
    cells = columns.cells(pd.DataFrame({"t": pd.to_datetime(["2020-01-02 12:00"])}))
    assert cells[0, 0] == 1.5


def test_cells_of_an_array_of_numbers_are_the_array_itself():
    for dtype in ("float64", "float32", "int16"):
        X = np.arange(6).reshape(3, 2).astype(dtype)
        columns, cells = Columns.fit(X)
        assert cells is X
        assert columns.cells(X) is X
        assert columns.restore(cells.astype(float)).dtype == ("float32" if dtype == "float32" else "float64")


def test_an_array_of_objects_comes_back_as_one():
    X = np.array([["a", 1, None, True], ["b", 2, 2.5, False], [None, 3, np.nan, True]], dtype=object)
    columns, cells = Columns.fit(X)
    assert [column.kind for column in columns] == ["category", "integer", "real", "boolean"]
    np.testing.assert_array_equal(cells, [[0, 1, np.nan, 1], [1, 2, 2.5, 0], [np.nan, 3, np.nan, 1]])
    back = columns.restore(cells)
    assert back.dtype == object
    assert back[:, 0].tolist() == ["a", "b", None]
    assert [type(value) for value in back[1]] == [str, int, float, bool]


def test_an_array_of_strings_comes_back_as_one():
    X = np.array([["a", "x"], ["b", "yy"]])
    columns, cells = Columns.fit(X)
    np.testing.assert_array_equal(columns.restore(cells), X)
    assert columns.restore(cells).dtype == X.dtype


def test_whole_numbers_come_back_whole_and_within_their_dtype():
    columns, _ = Columns.fit(pd.DataFrame({"u": np.array([1, 200], dtype=np.uint8), "i": [1, 2]}))
    back = columns.restore(np.array([[-3.2, 1.4], [300.0, 1.6]]))
    assert back["u"].tolist() == [0, 255]
    assert back["i"].tolist() == [1, 2]
    assert back.dtypes.astype(str).tolist() == ["uint8", "int64"]


@pytest.mark.parametrize("categorical_features", [[True, False, False], [0], ["grade"], np.array([0])])
def test_numbers_can_be_chosen_as_categories(categorical_features):
    frame = pd.DataFrame({"grade": [3, 1, 3], "x": [0.5, 1.5, 2.5], "y": [1, 2, 3]})
    columns, cells = Columns.fit(frame, categorical_features)
    assert [column.kind for column in columns] == ["category", "real", "integer"]
    assert columns[0].levels == (1, 3)
    np.testing.assert_array_equal(cells[:, 0], [1, 0, 1])
    pd.testing.assert_frame_equal(columns.restore(cells), frame)
    with pytest.raises(ValueError, match='column "grade" holds levels that fit did not see: 2; pass handle_unknown'):
        columns.cells(frame.assign(grade=[1, 2, 3]))


def test_columns_of_an_array_can_be_chosen_as_categories():
    X = np.array([[3.0, 0.5], [np.nan, 1.5], [1.0, 2.5]])
    columns, cells = Columns.fit(X, [0])
    np.testing.assert_array_equal(cells[:, 0], [1, np.nan, 0])
    np.testing.assert_array_equal(columns.restore(cells), X)


@pytest.mark.parametrize(
    ("categorical_features", "message"),
    [
        ("auto", "categorical_features='auto' must be"),
        ([True], r"boolean mask must have shape \(n_features,\)"),
        ([5], "integer indices must be in"),
        ([-1], "integer indices must be in"),
        (["z"], "item value 'z' which is not a valid feature name"),
        ([0.5], "must be an array-like of bool, int or str"),
        ([[True, False]], "must be an array-like of bool, int or str"),
        (["t", "c"], "it cannot be a category"),
        (None, r'column "c" holds categories .* categorical_features=None does not name it'),
        ([0], r'column "c" holds categories .* does not name it'),
    ],
)
def test_a_choice_of_categories_that_does_not_fit_is_refused(categorical_features, message):
    frame = pd.DataFrame({"x": [1.0, 2.0], "c": ["a", "b"], "t": pd.to_datetime(["2020-01-01", "2020-01-02"])})
    with pytest.raises(ValueError, match=message):
        Columns.fit(frame, categorical_features)


def test_names_need_a_frame():
    with pytest.raises(ValueError, match="X has no names"):
        Columns.fit(np.ones((2, 2)), ["a"])


@pytest.mark.parametrize(
    ("cells", "error", "message"),
    [
        (["x", 1], ValueError, 'column "a" mixes values of type int, str'),
        ([1j, 2j], TypeError, 'column "a" has dtype complex128'),
        ([[1], [2]], TypeError, 'column "a" holds objects of type list; a cell of the argument must be a string'),
        (
            pd.period_range("2020", periods=2),
            TypeError,
            r'column "a" has dtype period\[D\]; columns can hold numbers.*convert it by .dt.to_timestamp',
        ),
        (
            pd.to_datetime(["2020", "2021"]).tz_localize(datetime.timezone(datetime.timedelta(hours=1), "home")),
            TypeError,
            'column "a" has dtype .*home.*, which its name does not tell; convert it by .dt.tz_convert',
        ),
        (
            pd.Categorical.from_codes([0, 1], [1.0, np.inf]),
            ValueError,
            'column "a" has the category inf; categories must be finite',
        ),
        ([0, 2**62 + 1], ValueError, f'column "a" holds integers, such as {2**62 + 1}, that float64 cannot hold'),
        ([b"x", b"y"], TypeError, 'column "a" holds objects of type bytes'),
        ([None, None], ValueError, 'column "a" has no observed cell, all are missing; drop it'),
        ([1.0, np.inf], ValueError, 'column "a" holds infinite values'),
        ([str(i) for i in range(1001)], ValueError, 'column "a" has 1001 levels, .* Drop it, or group rare levels'),
        (pd.cut([1, 2], 2), TypeError, 'column "a" has categories of type Interval'),
    ],
)
def test_a_column_that_cannot_be_one_is_refused_by_name(cells, error, message):
    with pytest.raises(error, match=message):
        Columns.fit(pd.DataFrame({"a": cells}))


@pytest.mark.parametrize("cells", [[[1]], [{"x": 1}], [b"x"], [None]])
def test_a_column_of_polars_that_cannot_be_one_is_refused_by_name(cells):
    with pytest.raises((TypeError, ValueError), match='column "a"'):
        Columns.fit(pl.DataFrame({"a": cells}))


def test_names_that_are_there_twice_and_empty_tables_are_refused():
    with pytest.raises(ValueError, match="several columns named a"):
        Columns.fit(pd.DataFrame(np.ones((2, 2)), columns=["a", "a"]))
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        Columns.fit(pd.DataFrame({"a": []}))
    with pytest.raises(TypeError, match="names must be strings or integers"):
        Columns.fit(pd.DataFrame({("a", "b"): [1]}))


def test_integers_as_names_come_back():
    frame = pd.DataFrame([[1.0, "a"], [2.0, "b"]])
    columns, cells = Columns.fit(frame)
    assert columns.restore(cells).columns.tolist() == [0, 1]


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d/%m/%Y", "%Y-%m-%dT%H:%M:%S"])
def test_dates_that_are_text_are_told_to_be_converted(form):
    days = pd.date_range("2020-01-01", periods=1500).strftime(form)
    few, cells = Columns.fit(pd.DataFrame({"day": np.repeat(days[:15], 4)}))
    said = r'column "day" is taken for a category.*look like dates \(.*2020.*\): .* pandas.to_datetime'
    with pytest.warns(UserWarning, match=said):
        few.warn_of_names(cells)
    with pytest.raises(ValueError, match=r"1500 levels.*look like dates .* pandas.to_datetime"):
        Columns.fit(pd.DataFrame({"day": days}))


def test_numbers_that_are_text_are_told_to_be_converted():
    prices = pd.DataFrame({"price": [f"{-i / 8:.5g}" for i in range(1500)]})
    few, cells = Columns.fit(prices[:40])
    with pytest.warns(UserWarning, match=r'column "price" is .*look like numbers \(.*\): .* pandas.to_numeric'):
        few.warn_of_names(cells)
    with pytest.raises(ValueError, match=r"levels.*look like numbers .* pandas.to_numeric"):
        Columns.fit(prices)


def test_other_text_is_taken_for_neither_dates_nor_numbers():
    words = pd.DataFrame(
        {
            "size": [f"{i}-{i + 1} m" for i in range(12)] * 9,
            "part": [f"1.{i}.2" for i in range(12)] * 9,
            "district": [f"0{i}11" for i in range(12)] * 9,
        }
    )
    columns, cells = Columns.fit(words)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        columns.warn_of_names(cells)


def test_a_column_that_numbers_the_rows_is_told(subtests):
    rng = np.random.default_rng(0)
    numbers = np.sort(rng.permutation(500)[:300]) + 1  # what a split leaves of 500 numbered rows
    columns, cells = Columns.fit(pd.DataFrame({"patient": numbers, "age": rng.integers(0, 90, 300)}))
    with pytest.warns(
        UserWarning, match=r'^column "patient" holds another whole number .* from \d+ to \d+, as row numb'
    ):
        columns.warn_of_names(cells)
    others = {
        "real": numbers.astype(float),
        "twice": np.append(numbers[:-1], numbers[0]),
        "far apart": numbers * 3,
        "few": numbers[:60],
    }
    for name, values in others.items():
        with subtests.test(name), warnings.catch_warnings():
            warnings.simplefilter("error")
            columns, cells = Columns.fit(pd.DataFrame({"a": values}))
            columns.warn_of_names(cells)


def test_unknown_levels_are_an_error_or_missing():
    columns, _ = Columns.fit(pd.DataFrame({"c": ["a", "b"]}))
    later = pd.DataFrame({"c": ["b", "z", None]})
    with pytest.raises(ValueError, match="column \"c\" holds levels that fit did not see: 'z'; pass handle_unknown"):
        columns.cells(later)
    np.testing.assert_array_equal(columns.cells(later, "ignore")[:, 0], [1, np.nan, np.nan])


def test_a_later_table_needs_the_same_columns_of_the_same_kinds():
    frame = tables.mixed_frame(30)
    columns, cells = Columns.fit(frame)
    np.testing.assert_array_equal(columns.cells(pl.from_pandas(frame)), cells)
    with pytest.raises(ValueError, match="X has 6 columns, but fit saw 7"):
        columns.cells(frame.iloc[:, :6])
    with pytest.raises(ValueError, match="in this order"):
        columns.cells(frame[frame.columns[::-1]])
    with pytest.raises(ValueError, match='column "town" was of kind category .* and is now of kind real'):
        columns.cells(frame.assign(town=0.5))
    with pytest.raises(ValueError, match='column "age" was of kind integer .* and is now of kind category'):
        columns.cells(frame.assign(age="x"))
    with pytest.raises(ValueError, match='column "age" held integers in fit, and now holds 0.5'):
        columns.cells(frame.assign(age=0.5))
    with pytest.raises(ValueError, match='column "income" holds infinite values'):
        columns.cells(frame.assign(income=np.inf))


def test_missing_cells_may_come_later_and_turn_integers_into_floats():
    columns, _ = Columns.fit(pd.DataFrame({"i": [1, 2], "c": ["a", "b"]}))
    cells = columns.cells(pd.DataFrame({"i": [1.0, np.nan], "c": [None, None]}))
    np.testing.assert_array_equal(cells, [[1, np.nan], [np.nan, np.nan]])


@pytest.mark.parametrize(
    ("index", "change"),
    [
        (0, {"levels": ("a", "a")}),
        (0, {"frequencies": (0.5, 0.4)}),
        (0, {"frequencies": (1.0,)}),
        (0, {"marginal": True}),
        (0, {"dtype": "x" * 300}),
        (0, {"unit": "D"}),
        (1, {"marginal": None}),
        (1, {"mean": float("nan")}),
        (1, {"std": None}),
        (1, {"missing": 1.0}),
        (2, {"unit": "year"}),
        (2, {"origin": 0.5}),
        (3, {"levels": (True, False)}),
    ],
)
def test_what_no_fit_gives_is_refused(index, change):
    frame = pd.DataFrame({"c": ["a", "b"], "x": [1.0, 2.5], "t": pd.to_datetime(["2020-01-01", "2021-01-01"])})
    columns, _ = Columns.fit(frame.assign(b=[True, False]))
    fields = vars(columns[index]) | change
    with pytest.raises(ValueError, match="a column's"):
        type(columns[index])(**fields).check()


@pytest.mark.parametrize("extra", ["min", "us"])
@pytest.mark.parametrize("to_frame", [pd.DataFrame, lambda columns: pl.from_pandas(pd.DataFrame(columns))])
def test_times_that_mostly_lie_on_a_coarse_unit_are_drawn_so(extra, to_frame):
    random = np.random.RandomState(0)
    n = 3000
    hours = pd.to_timedelta(6 * random.permutation(20_000)[:n], unit="h")
    odd = np.where(random.rand(n) < 0.02, random.randint(1, 360 if extra == "min" else 10**10, n), 0)
    when = (pd.Timestamp("2005-01-01") + hours + pd.to_timedelta(odd, unit=extra)).as_unit("us")
    frame = to_frame({"when": when, "for": (hours + pd.to_timedelta(odd, unit=extra)).as_unit("us")})
    columns, cells = Columns.fit(frame)
    for column, values in zip(columns, cells.T):
        drawn = column.marginal.draw_in(column.marginal.piece_of(values), random.rand(n))
        back = np.asarray(column.restore(drawn, columns.frame).to_numpy()).astype("int64")
        share = (back % (6 * 3600 * 10**6) == 0).mean()
        assert share == pytest.approx((odd == 0).mean(), abs=5 * np.sqrt(0.02 / n))  # five standard errors


def test_differences_of_large_integers_are_drawn_exactly():
    ids = 2**60 + np.random.RandomState(0).permutation(10**6)[:3000]
    for frame in (pd.DataFrame({"id": ids}), pl.DataFrame({"id": ids})):
        columns, cells = Columns.fit(frame)
        marginal = columns[0].marginal
        drawn = marginal.draw_in(marginal.piece_of(cells[:, 0]), np.random.RandomState(1).rand(3000))
        back = columns.restore(drawn[:, None])["id"].to_numpy()
        assert back.dtype == np.int64
        assert ((back >= ids.min()) & (back <= ids.max())).all()
        assert len(np.unique(back)) > 2900
        later = type(frame)({"id": [2**60 - 5, 2**60 + 10**6 + 1]})
        np.testing.assert_array_equal(columns.restore(columns.cells(later))["id"].to_numpy(), later["id"].to_numpy())


def test_arrays_of_integers_that_float64_cannot_hold_are_refused():
    with pytest.raises(ValueError, match=r"column 0 holds integers, such as 1152921504606846977, that float64"):
        Columns.fit(np.array([[2**60], [2**60 + 1]]))
    Columns.fit(np.array([[2**60], [2**61]]))  # these are exact


@pytest.mark.parametrize(
    "values",
    [["b", None, "a"], [1, None, 2], [1.5, None, 2.0], [tables.DAY, None, tables.LATER], [tables.NOON, tables.NIGHT]],
)
def test_a_column_of_objects_of_polars_comes_back_as_it_was(values):
    frame = pl.DataFrame({"a": pl.Series(values, dtype=pl.Object)})
    columns, cells = Columns.fit(frame)
    columns.check()
    back = columns.restore(cells)
    assert back.schema == frame.schema
    assert back["a"].to_list() == values
    assert [type(value) for value in back["a"].to_list()] == [type(value) for value in values]


@pytest.mark.parametrize("dtype", ["int64", "Int64", "uint64", object])
def test_large_integers_that_are_categories_keep_their_last_digit(dtype):
    ids = [2**60 + 1, 2**60 + 7, 2**60 + 9, 2**60 + 7]
    frame = pd.DataFrame({"id": pd.Series(ids, dtype=dtype), "x": [0.5, 1.5, 2.5, 3.5]})
    columns, cells = Columns.fit(frame, categorical_features=["id"])
    assert columns[0].levels == (2**60 + 1, 2**60 + 7, 2**60 + 9)
    assert cells[:, 0].tolist() == [0, 1, 2, 1]
    assert columns.restore(cells).id.tolist() == ids
    assert columns.restore(cells).dtypes.equals(frame.dtypes)
    later = frame[::-1][:2]
    assert columns.cells(later)[:, 0].tolist() == [1, 2]
    assert from_json(Column, to_json(columns[0])).levels == columns[0].levels


def test_large_floats_that_are_categories_stay_floats():
    frame = pd.DataFrame({"mass": [1e20, 3e20, 1e20], "x": [0.5, 1.5, 2.5]})
    columns, cells = Columns.fit(frame, categorical_features=["mass"])
    assert columns[0].levels == (1e20, 3e20)
    assert columns.restore(cells).mass.tolist() == [1e20, 3e20, 1e20]


def test_text_among_numbers_is_told_to_be_converted_or_named():
    with pytest.raises(
        ValueError, match=r'column "bp" mixes .* float, str; .*pandas.to_numeric\(column, errors=.coerce.\)'
    ):
        Columns.fit(pd.DataFrame({"bp": np.array([1.5, "?", 2.5], dtype=object)}))


def test_levels_that_do_not_occur_are_too_many_with_the_way_out():
    values = pd.Categorical(["a", "b"] * 30, categories=["a", "b", *map(str, range(2_000))])
    with pytest.raises(ValueError, match=r"2002 levels.*Only 2 of them occur.*remove_unused_categories"):
        Columns.fit(pd.DataFrame({"kind": values}))
    assert len(Columns.fit(pd.DataFrame({"kind": values.remove_unused_categories()}))[0]) == 1

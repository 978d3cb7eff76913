from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skvq.metrics.columns import encode_tables


def test_each_kind_of_column_is_numbers_or_levels():
    frame = pd.DataFrame(
        {
            "float": [1.5, np.nan, 2.5],
            "nullable": pd.array([1, None, 3], dtype="Int64"),
            "bool": [True, False, True],
            "nullable_bool": pd.array([True, None, False], dtype="boolean"),
            "text": ["b", None, "a"],
            "level": pd.Categorical(["s", "l", None], categories=["s", "m", "l"], ordered=True),
            "day": pd.to_datetime(["1970-01-01", None, "1970-01-02"]),
            "span": pd.to_timedelta([0, 1, None], unit="s"),
            "objects": np.array([1, 2.5, None], dtype=object),
        }
    )
    encoded = encode_tables(X=frame)
    assert encoded.names == list(frame)
    assert [name for name, is_date in zip(encoded.names, encoded.is_date) if is_date] == ["day"]
    assert encoded.levels == [*(None, None, [False, True], [False, True], ["a", "b"], ["s", "l"], None, None, None)]
    day = 86400e6
    expected = [
        [1.5, 1, 1, 1, 1, 0, 0, 0, 1],
        [np.nan, np.nan, 0, np.nan, np.nan, 1, np.nan, 1e6, 2.5],
        [2.5, 3, 1, 0, 0, np.nan, day, np.nan, np.nan],
    ]
    np.testing.assert_array_equal(encoded.values[0], expected)


def test_polars_frames_are_encoded_like_those_of_pandas():
    data = {"number": [1, None, 3], "text": ["b", "a", None], "flag": [True, None, False]}
    frame = pl.DataFrame(data).with_columns(
        level=pl.Series(["s", None, "l"], dtype=pl.Enum(["l", "m", "s"])),
        day=pl.Series([0, 1, None]).cast(pl.Date),
    )
    encoded = encode_tables(X=frame)
    assert encoded.levels == [None, ["a", "b"], [False, True], ["l", "s"], None]
    assert encoded.is_date == [False] * 4 + [True]
    nan = np.nan
    expected = [[1, 1, 1, 1, 0], [nan, 0, nan, nan, 86400e6], [3, nan, 0, 0, nan]]
    np.testing.assert_array_equal(encoded.values[0], expected)


def test_levels_are_those_of_all_tables():
    encoded = encode_tables(X=[["b"], ["a"]], Z=[["c"], ["a"]])
    assert encoded.levels == [["a", "b", "c"]]
    assert encoded.values[1].tolist() == [[2.0], [0.0]]


def test_flags_and_the_numbers_0_and_1_are_the_same_levels():
    encoded = encode_tables(X=pd.DataFrame({"flag": [True, False]}), Z=pd.DataFrame({"flag": [1.0, 0.0]}))
    np.testing.assert_array_equal(encoded.values[0], encoded.values[1])


def test_missing_cells_of_every_form_are_nan():
    cells = [None, np.nan, float("nan"), pd.NA, pd.NaT, "a"]
    found = encode_tables(X=np.array(cells, dtype=object)[:, np.newaxis]).values[0]
    assert np.isnan(found[:5]).all()
    assert found[5] == 0


def test_images_are_rows_of_pixels():
    images = np.arange(24).reshape(2, 3, 4)
    np.testing.assert_array_equal(encode_tables(X=images).values[0], images.reshape(2, 12))


def test_dates_of_an_array_are_numbers():
    dates = np.array([["1970-01-02", "NaT"]], dtype="datetime64[s]")
    np.testing.assert_array_equal(encode_tables(X=dates).values[0], [[86400e6, np.nan]])
    assert encode_tables(X=dates).is_date == [True, True]


def test_levels_of_several_types_are_kept_apart():
    assert encode_tables(X=np.array([["b"], [2], ["2"], [1]], dtype=object)).levels == [[1, 2, "2", "b"]]


def test_a_frame_and_an_array_are_matched_by_position():
    frame = pd.DataFrame({"a": [1.0], "b": ["x"]})
    encoded = encode_tables(X=frame, Z=np.array([[2.0, "x"]], dtype=object))
    assert encoded.names == ["a", "b"]
    assert encoded.values[1].tolist() == [[2.0, 0.0]]


def test_other_columns_are_named():
    with pytest.raises(
        ValueError, match=r"Z must have the columns of X; 1 are missing \['b'\] and 1 are unknown \['c'\]"
    ):
        encode_tables(X=pd.DataFrame({"a": [1], "b": [1]}), Z=pd.DataFrame({"a": [1], "c": [1]}))
    with pytest.raises(ValueError, match="Z must have the columns of X"):
        encode_tables(X=np.zeros((2, 3)), Z=np.zeros((2, 2)))


def test_text_in_place_of_numbers_is_named():
    with pytest.raises(ValueError, match="column 'a' holds numbers in X, but text, such as 'one' in Z; make"):
        encode_tables(X=pd.DataFrame({"a": [1]}), Z=pd.DataFrame({"a": ["one"]}))


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_times_that_a_csv_file_made_text_of_are_named_with_the_way_back(frame):
    days, spans = [datetime(2020, 1, 1), datetime(2021, 5, 5)], [timedelta(days=1), timedelta(days=2)]
    table = frame({"opened": days, "open for": spans})
    opened, lasting = table[["opened"]], table[["open for"]]
    with pytest.raises(ValueError, match=r"holds dates in X, but text, such as '2020-01-01.*parse_dates=\['opened'\]"):
        encode_tables(X=opened, Z=frame({"opened": ["2020-01-01", "2021-05-05"]}))
    with pytest.raises(ValueError, match=r"holds text, such as '2020-01-01' in X, but dates in Z; .*parse_dates="):
        encode_tables(X=frame({"opened": ["2020-01-01", "2021-05-05"]}), Z=opened)
    with pytest.raises(ValueError, match="holds durations in X, but text, such as '1 days' in Z; .*to_timedelta"):
        encode_tables(X=lasting, Z=frame({"open for": ["1 days", "2 days"]}))


def test_dates_come_back_from_a_csv_file_by_the_call_that_the_message_names(tmp_path):
    table = pd.DataFrame({"opened": pd.to_datetime(["2020-01-01", "2021-05-05"]), "n": [1, 2]})
    table.to_csv(tmp_path / "table.csv", index=False)
    with pytest.raises(ValueError, match="parse_dates"):
        encode_tables(X=table, Z=pd.read_csv(tmp_path / "table.csv"))
    encoded = encode_tables(X=table, Z=pd.read_csv(tmp_path / "table.csv", parse_dates=["opened"]))
    np.testing.assert_array_equal(*encoded.values)


def test_cells_that_are_dates_go_with_a_column_of_dates():
    days = pd.Series(pd.to_datetime(["2020-01-01", None, "1969-12-31"]), name="d")
    table = pd.DataFrame({"d": days})
    cells = pd.DataFrame({"d": pd.Series([date(2020, 1, 1), None, date(1969, 12, 31)], dtype=object)})
    zoned = pd.DataFrame({"d": days.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo").astype(object)})
    for other in (cells, zoned):
        for tables in ({"X": table, "Z": other}, {"X": other, "Z": table}):
            encoded = encode_tables(**tables)
            assert encoded.levels == [None]
            assert encoded.is_date == [True]
            for values in encoded.values:
                np.testing.assert_array_equal(values[:, 0], [18262 * 86400e6, np.nan, -86400e6])


@pytest.mark.parametrize(
    "other",
    [
        pd.Series([1, 2]),
        pd.Series([None, None], dtype=object),
        pd.Series(pd.period_range("2020-01", periods=2, freq="M")),
        pd.Series([date(2020, 1, 1), 3], dtype=object),
        pd.Series(pd.to_timedelta([1, 2], unit="D")),
    ],
    ids=["int64", "None", "period", "mixed", "durations"],
)
def test_only_text_is_to_be_read_as_dates(other):
    table, other = pd.DataFrame({"d": pd.to_datetime(["2020-01-01", "2021-05-05"])}), pd.DataFrame({"d": other})
    for tables in ({"X": table, "Z": other}, {"X": other, "Z": table}):
        with pytest.raises(ValueError, match="column 'd' holds .*; make them alike$"):
            encode_tables(**tables)


@pytest.mark.parametrize("empty", [np.zeros((0, 2)), np.zeros(3), [], pd.DataFrame({"a": []}), pd.DataFrame()])
def test_what_is_no_table_is_refused(empty):
    with pytest.raises(ValueError, match="X must"):
        encode_tables(X=empty)


def test_columns_whose_names_are_alike_are_refused():
    rng = np.random.default_rng(0)
    first, second = (pd.DataFrame({1: rng.normal(size=9), "1": rng.normal(size=9)}) for _ in range(2))
    with pytest.raises(ValueError, match="X_real has several columns named '1'; names must be distinct"):
        encode_tables(X_real=first, X_drawn=second)
    twice = pd.DataFrame(rng.normal(size=(9, 2)), columns=["a", "a"])
    with pytest.raises(ValueError, match="X_drawn has several columns named 'a'"):
        encode_tables(X_real=twice.iloc[:, :1], X_drawn=twice)


@pytest.mark.parametrize("swapped", [False, True])
def test_numbers_in_one_table_and_their_text_in_another_are_refused(swapped):
    numbers, text = pd.DataFrame({"x": [1, 2, 3]}), pd.DataFrame({"x": ["1", "2", "3"]})
    tables = {"X": text, "Z": numbers} if swapped else {"X": numbers, "Z": text}
    with pytest.raises(ValueError, match="column 'x' holds .* in X, but .* in Z; make them alike"):
        encode_tables(**tables)

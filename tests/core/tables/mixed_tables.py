"""Small frames with every kind of column, missing cells in each."""

import datetime
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

DAY, LATER = datetime.date(2020, 1, 31), datetime.date(1955, 3, 1)
NOON, NIGHT = datetime.datetime(2020, 1, 31, 12), datetime.datetime(1955, 3, 1, 23, 30)


def pandas_columns():
    """Return columns of pandas, three cells each, by name."""
    return {
        "int64": pd.Series([1, 2, -5]),
        "uint8": pd.Series([1, 2, 3], dtype="uint8"),
        "Int64": pd.Series([1, None, 3], dtype="Int64"),
        "int64[pyarrow]": pd.Series([1, None, 2], dtype="int64[pyarrow]"),
        "large": pd.Series([2**60 + 1, 2**60, 2**60 + 7]),
        "large uint64": pd.Series(np.array([2**64 - 1, 2**64 - 3, 2**64 - 2], dtype=np.uint64)),
        "large Int64": pd.Series([-(2**60), None, 1 - 2**60], dtype="Int64"),
        "large objects": pd.Series([2**70, 2**70 + 1, 2**70 + 9], dtype=object),
        "float64": pd.Series([1.5, np.nan, 2.25]),
        "float32": pd.Series([1.5, np.nan, 2.25], dtype="float32"),
        "Float64": pd.Series([1.5, None, 2.25], dtype="Float64"),
        "double[pyarrow]": pd.Series([1.5, None, 2.0], dtype="double[pyarrow]"),
        "decimal[pyarrow]": pd.Series(
            [decimal.Decimal("1.50"), None, decimal.Decimal("2.25")], dtype=pd.ArrowDtype(pa.decimal128(10, 2))
        ),
        "sparse integers": pd.Series(pd.arrays.SparseArray([0, 3, 0])),
        "sparse floats": pd.Series(pd.arrays.SparseArray([np.nan, 1.5, 2.25])),
        "sparse booleans": pd.Series(pd.arrays.SparseArray([False, True, False])),
        "bool": pd.Series([True, False, False]),
        "boolean": pd.Series([True, None, False], dtype="boolean"),
        "bool[pyarrow]": pd.Series([True, None, False], dtype="bool[pyarrow]"),
        "str": pd.Series(["b", None, "a"]),
        "string": pd.Series(["b", None, "a"], dtype="string"),
        "string[pyarrow]": pd.Series(["b", None, "a"], dtype="string[pyarrow]"),
        "string of Python": pd.Series(["b", None, "a"], dtype=pd.StringDtype("python")),
        "string of Arrow": pd.Series(["b", None, "a"], dtype=pd.StringDtype("pyarrow")),
        "Arrow string": pd.Series(["b", None, "a"], dtype=pd.ArrowDtype(pa.string())),
        "dictionary": pd.Series(["b", None, "a"], dtype=pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))),
        "objects": pd.Series(["b", None, "a"], dtype=object),
        "object booleans": pd.Series([True, None, False], dtype=object),
        "object integers": pd.Series([4, 5, 6], dtype=object),
        "object decimals": pd.Series([decimal.Decimal("1.50"), None, decimal.Decimal("-2.25")], dtype=object),
        "object dates": pd.Series([DAY, None, LATER], dtype=object),
        "object times": pd.Series([NOON, None, NIGHT], dtype=object),
        "category": pd.Series(pd.Categorical(["b", None, "a"])),
        "ordered": pd.Series(pd.Categorical(["low", None, "high"], ["low", "high", "never"], ordered=True)),
        "numbered": pd.Series(pd.Categorical([2, 1, None])),
        "int8 levels": pd.Series(pd.Categorical.from_codes([1, -1, 0], pd.Index([2, 1], dtype="int8"))),
        "Int64 levels": pd.Series(pd.Categorical.from_codes([1, -1, 0], pd.Index([2, 1], dtype="Int64"))),
        "float32 levels": pd.Series(pd.Categorical.from_codes([1, -1, 0], pd.Index([0.5, 1], dtype="float32"))),
        "string levels": pd.Series(pd.Categorical.from_codes([1, -1, 0], pd.Index(["b", "a"], dtype="string"))),
        "Arrow levels": pd.Series(
            pd.Categorical.from_codes([1, -1, 0], pd.Index(["b", "a"], dtype=pd.ArrowDtype(pa.string())))
        ),
        "object levels": pd.Series(pd.Categorical.from_codes([1, -1, 0], pd.Index(["b", "a"], dtype=object))),
        "date": pd.to_datetime(pd.Series(["2020-01-01", None, "1960-03-03"])),
        "nanoseconds": pd.Series(np.array(["2020-01-01T00:00:00.000000001", "NaT", "2020-01-02"], "datetime64[ns]")),
        "zone": pd.to_datetime(pd.Series(["2020-07-01", None, "1999-01-03"])).dt.tz_localize("Europe/Paris"),
        "timestamp[pyarrow]": pd.Series([NOON, None, NIGHT], dtype="timestamp[us][pyarrow]"),
        "duration": pd.to_timedelta(pd.Series(["1D", None, "3h"])),
    }


def polars_columns():
    """Return columns of polars, three cells each, by name."""
    return {
        "Int64": pl.Series([1, None, 3]),
        "UInt8": pl.Series([1, 2, 3], dtype=pl.UInt8),
        "large": pl.Series([2**60, None, 2**60 + 3]),
        "large UInt64": pl.Series([2**64 - 1, None, 2**64 - 3], dtype=pl.UInt64),
        "Float64": pl.Series([1.5, None, 2.25]),
        "Float32": pl.Series([1.5, None, 2.25], dtype=pl.Float32),
        "Decimal": pl.Series([1, None, 2], dtype=pl.Decimal(10, 2)),
        "Boolean": pl.Series([True, None, False]),
        "String": pl.Series(["b", None, "a"]),
        "Categorical": pl.Series(["b", None, "a"], dtype=pl.Categorical),
        "Enum": pl.Series(["b", None, "a"], dtype=pl.Enum(["b", "never", "a"])),
        "Date": pl.Series([DAY, None, LATER]),
        "Datetime": pl.Series([NOON, None, NIGHT]),
        "zone": pl.Series([NOON, None, NIGHT], dtype=pl.Datetime("ms")).dt.replace_time_zone("Europe/Paris"),
        "Duration": pl.Series([NOON - NIGHT, None, datetime.timedelta(seconds=3)]),
    }


def mixed_frame(n_rows=200, seed=0):
    """Return a pandas frame whose columns depend on each other: numbers, categories, booleans, dates, missing cells."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n_rows)
    frame = pd.DataFrame(
        {
            "income": np.where(z < -0.8, 0.0, np.round(np.exp(7 + z), 2)),
            "age": np.clip(40 + 12 * z + rng.normal(0, 3, n_rows), 18, 90).astype(np.int64),
            "group": pd.Categorical(np.array(["low", "middle", "high"])[np.digitize(z, [-0.5, 0.7])], ordered=True),
            "town": np.array(["Bath", "York", "Ely"])[rng.integers(3, size=n_rows)],
            "member": z + rng.normal(0, 0.3, n_rows) > 0,
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta((30 * z).round(), unit="D"),
            "children": pd.array(np.clip(np.round(1 + z), 0, 4).astype(int), dtype="Int64"),
        }
    )
    for name in ("income", "town", "since", "children"):
        frame.loc[rng.random(n_rows) < 0.15, name] = None
    return frame

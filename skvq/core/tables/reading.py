"""Read one column of a frame or an array: its kind, and its cells as numbers, as indices of levels or as times."""

import datetime
import decimal
import numbers
import re
from dataclasses import dataclass, replace

import narwhals as nw
import numpy as np

from .dtypes import KINDS, name_of, remedy

# Lengths of the units that dates and durations are counted in, in nanoseconds, longest first.
UNITS = {"D": 86_400 * 10**9, "h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}
# Python's types in columns of objects, by the kind of column that they make.
OBJECTS = {
    "label": (str,),
    "boolean": (bool, np.bool_),
    "integer": (numbers.Integral,),
    "real": (numbers.Real, decimal.Decimal),
    "datetime": (datetime.datetime, np.datetime64),
    "date": (datetime.date,),
    "duration": (datetime.timedelta, np.timedelta64),
}
# Integers up to it are told apart as float64.
LARGEST_EXACT = 2**53


# A date as text, 2024-05-31 or 31/5/2024, with or without a time; a number as text; and the texts that are looked at.
DATE = re.compile(r"\s*(\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[/.]\d{1,2}[/.]\d{2,4})([ T]\d{1,2}:\d{2}.*)?\s*")
NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")
LEAST_TEXTS, MOST_TEXTS = 10, 100


def advice_for_texts(levels):
    """Return how to turn levels into dates or numbers, if they are many texts that all look so; else an empty string.

    Whole numbers may well be codes, such as those of postal districts, and are left alone.
    """
    looked_at = [each for each in levels[:MOST_TEXTS] if isinstance(each, str)]
    if len(levels) < LEAST_TEXTS or len(looked_at) < min(len(levels), MOST_TEXTS):
        return ""
    if all(map(DATE.fullmatch, looked_at)):
        return f"Its levels look like dates ({levels[0]!r}): convert it first, as pandas.to_datetime does"
    fractions = [each for each in looked_at if "." in each]
    if fractions and all(map(NUMBER.fullmatch, looked_at)):
        return f"Its levels look like numbers ({fractions[0]!r}): convert it first, as pandas.to_numeric does"
    return ""


@dataclass(frozen=True)
class Observed:
    """The cells of one column as they were read.

    Attributes
    ----------
    kind : {"real", "integer", "boolean", "label", "date", "duration"}
    dtype : str
        From which the column can be made again.
    values : ndarray of shape (n,)
        float64 with NaN for missing cells: numbers, 0 and 1 of booleans, indices of `levels`. Times are int64, counts
        of `base`, anything where cells are missing.
    missing : ndarray of shape (n,), bool
    levels : tuple or None
        Distinct labels, ascending, or all that the dtype has, in its order.
    ordered : bool
        Whether the dtype says that the order of the levels means something.
    base : {"us", "ns"} or None
        The unit of times.
    origin : int
        What is subtracted from integers before they are float64: 0, or their least where some are beyond 2**53.
    level_dtype : str or None
        Dtype of the categories of pandas.
    """

    kind: str
    dtype: str
    values: np.ndarray
    missing: np.ndarray
    levels: tuple | None = None
    ordered: bool = False
    base: str | None = None
    origin: int = 0
    level_dtype: str | None = None


def read(series, where):
    """Return an Observed.

    Parameters
    ----------
    series : pandas or polars Series, or ndarray of shape (n,)
    where : str
        What the column is called in messages.

    Raises
    ------
    TypeError
        For dtypes, or types of objects, that no cell can have.
    ValueError
        For infinite values, and objects of several types.
    """
    if isinstance(series, np.ndarray):
        if series.dtype.kind in "OUS":
            return _read_objects(series, "str" if series.dtype.kind in "US" else "object", where)
        _check_exact(series, where)
        return _numbers("real", series.dtype.name, series.astype(np.float64), where)
    dtype, name = series.dtype, str(series.dtype)
    if name.startswith("Sparse"):
        series = series.sparse.to_dense()
    if name.startswith("datetime64") and hasattr(dtype, "tz"):
        series = series.dt.tz_convert("UTC")  # narwhals knows few names of time zones
    column = nw.from_native(series, series_only=True)
    observed = _read_series(column, name, where)
    if observed is None:
        raise TypeError(f"{where} has dtype {name}; {KINDS}: {remedy(name)}")
    if column.implementation.is_pandas() and name not in ("object", "category"):
        return replace(observed, dtype=name_of(dtype, where))
    return observed


def _read_series(column, name, where):
    """Return the Observed of a narwhals Series whose dtype has a name, None for a dtype that no cell can have."""
    dtype = column.dtype
    if dtype.is_integer():
        return _integers(column, name, where)
    if dtype.is_float() or dtype == nw.Decimal:
        return _numbers("real", name, np.array(column.cast(nw.Float64).to_numpy(), dtype=np.float64), where)
    if dtype == nw.Boolean:
        values = np.array(column.cast(nw.Int8).cast(nw.Float64).to_numpy(), dtype=np.float64)
        return Observed("boolean", name, values, np.isnan(values))
    if dtype in (nw.Datetime, nw.Date, nw.Duration):
        return _times(column, name)
    if name == "category":
        return _categories_of_pandas(column.to_native(), where)
    if dtype in (nw.Categorical, nw.Enum):
        levels = tuple(dtype.categories) if dtype == nw.Enum else None
        kept = name if name.startswith("dictionary") else name.partition("(")[0]
        return _read_objects(np.array([*column.to_list(), None], dtype=object)[:-1], kept, where, levels)
    if dtype in (nw.String, nw.Object):
        return _read_objects(np.array([*column.to_list(), None], dtype=object)[:-1], name, where)
    if name == "Null":
        values = np.full(len(column), np.nan)
        return Observed("real", name, values, np.isnan(values))
    return None


def is_missing(value):
    """Return whether an object stands for a missing cell: None, NaN, NaT or pandas.NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating, np.datetime64, np.timedelta64)) and bool(value != value)


def _numbers(kind, dtype, values, where):
    if np.isinf(values).any():
        raise ValueError(f"{where} holds infinite values (infinity); mark missing cells as NaN, cut what is too large")
    return Observed(kind, dtype, values, np.isnan(values))


def _integers(column, dtype, where):
    """Return the Observed of a narwhals Series of integers."""
    values = np.array(column.cast(nw.Float64).to_numpy(), dtype=np.float64)
    missing = np.isnan(values)
    if not (np.abs(values[~missing]) >= LARGEST_EXACT).any():
        return Observed("integer", dtype, values, missing)
    return _large_integers(column.drop_nulls().to_list(), missing, dtype, where)


def _large_integers(seen, missing, dtype, where):
    """Return the Observed of a list of Python's integers, those that are not missing: exact, or an error."""
    origin = min(seen)
    if max(seen) - origin >= LARGEST_EXACT:
        origin = 0
        lost = next((value for value in seen if int(float(value)) != value), None)
        if lost is not None:
            raise ValueError(
                f"{where} holds integers, such as {lost}, that float64 cannot hold, and their range is larger than "
                "2**53; drop it, or make it a category by .astype(str) if it has few levels"
            )
    values = np.full(len(missing), np.nan)
    values[~missing] = [float(value - origin) for value in seen]
    return Observed("integer", dtype, values, missing, origin=origin)


def _check_exact(values, where):
    """Raise ValueError for an array of integers that float64 cannot hold."""
    if values.dtype.kind not in "iu" or values.dtype.itemsize < 8 or not len(values):
        return
    if max(abs(int(values.min())), abs(int(values.max()))) < LARGEST_EXACT:
        return
    lost = next((value for value in values.tolist() if int(float(value)) != value), None)
    if lost is not None:
        raise ValueError(
            f"{where} holds integers, such as {lost}, that float64 cannot hold; pass a data frame, or subtract the "
            "smallest of them first"
        )


def _labels(values, dtype, levels=None):
    """Return the Observed of a list of labels, None for missing ones."""
    levels = tuple(sorted(set(values) - {None})) if levels is None else levels
    index = {level: float(position) for position, level in enumerate(levels)} | {None: np.nan}
    codes = np.array([index[value] for value in values], dtype=np.float64)
    return Observed("label", dtype, codes, np.isnan(codes), levels)


def _categories_of_pandas(series, where):
    levels = series.cat.categories.tolist()
    others = {type(level).__name__ for level in levels if not isinstance(level, (str, bool, int, float))}
    if others:
        raise TypeError(
            f"{where} has categories of type {', '.join(sorted(others))}; they must be strings, numbers or booleans: "
            "convert it by .astype(str).astype('category')"
        )
    infinite = [level for level in levels if isinstance(level, float) and not np.isfinite(level)]
    if infinite:
        raise ValueError(
            f"{where} has the category {infinite[0]}; categories must be finite: rename it by "
            ".cat.rename_categories, for example to a string"
        )
    codes = series.cat.codes.to_numpy().astype(np.float64)
    codes[codes < 0] = np.nan
    level_dtype = name_of(series.cat.categories.dtype, f"the index of categories of {where}")
    ordered = bool(series.cat.ordered)
    return Observed("label", "category", codes, np.isnan(codes), tuple(levels), ordered, level_dtype=level_dtype)


def _times(column, dtype):
    """Return the Observed of a narwhals Series of dates or durations."""
    missing = np.array(column.is_null().to_numpy(), dtype=bool)
    seen = column.drop_nulls()
    base = "ns" if getattr(seen.dtype, "time_unit", "us") == "ns" else "us"
    if seen.dtype == nw.Duration:
        kind, counts = "duration", seen.dt.total_nanoseconds() if base == "ns" else seen.dt.total_microseconds()
    else:
        kind, counts = "date", seen.dt.timestamp(base)
    values = np.zeros(len(missing), dtype=np.int64)
    values[~missing] = counts.to_numpy()
    return Observed(kind, dtype, values, missing, base=base)


def _read_objects(values, dtype, where, levels=None):
    """Return the Observed of an array of objects or strings, whose kind follows from the types that occur.

    `levels` are those of an Enum.
    """
    objects = values.tolist() if values.dtype.kind in "US" else list(values)
    kinds = {_kind_of_type(kind) for kind in set(map(type, objects))}
    missing = np.zeros(len(objects), dtype=bool)
    if not kinds <= {"label"}:
        missing = np.array([is_missing(value) for value in objects], dtype=bool)
    seen = [value for value, absent in zip(objects, missing) if not absent]
    kind = _kind_of_objects(seen, where)
    if kind == "label":
        return _labels([None if absent else str(value) for value, absent in zip(objects, missing)], dtype, levels)
    if kind in ("date", "datetime", "duration"):
        code = "timedelta64[us]" if kind == "duration" else "datetime64[us]"
        if any(getattr(value, "tzinfo", None) is not None for value in seen):
            raise TypeError(f"{where} holds objects with a time zone; convert it by pandas.to_datetime")
        counts = np.zeros(len(objects), dtype=np.int64)
        counts[~missing] = np.array(seen, dtype=code).view(np.int64)
        name = f"{dtype} ({kind})" if dtype.lower() == "object" else dtype
        return Observed("duration" if kind == "duration" else "date", name, counts, missing, base="us")
    if kind == "integer" and max(map(abs, seen)) >= LARGEST_EXACT:
        return _large_integers([int(value) for value in seen], missing, dtype, where)
    numbers_ = np.full(len(objects), np.nan)
    numbers_[~missing] = [float(value) for value in seen]
    if kind == "boolean":
        return Observed("boolean", dtype, numbers_, missing)
    if seen and all(isinstance(value, decimal.Decimal) for value in seen):
        dtype = f"{dtype} (decimal {_n_decimals(seen)})"
    return _numbers(kind, dtype, numbers_, where)


def _n_decimals(seen):
    """Return the most decimals that Python's decimal numbers are written with."""
    return max((-value.as_tuple().exponent for value in seen if value.is_finite()), default=0)


def _kind_of_type(kind):
    """Return the kind of column that objects of one type make, None for types that can be missing cells only."""
    if kind is type(None) or kind.__name__ in ("NAType", "NaTType"):
        return None
    return next((name for name, kinds in OBJECTS.items() if issubclass(kind, kinds)), kind.__name__)


def _kind_of_objects(seen, where):
    types = {type(value) for value in seen}
    kinds = {_kind_of_type(kind) for kind in types}
    unknown = sorted(str(kind) for kind in kinds - set(OBJECTS))
    if unknown:
        raise TypeError(
            f"{where} holds objects of type {', '.join(unknown)}; a cell of the argument must be a string, a boolean, "
            "a number, a date or a duration: convert it or drop it"
        )
    if kinds <= {"integer", "real"}:
        return "integer" if kinds == {"integer"} else "real"
    if len(kinds) > 1:
        names = ", ".join(sorted(kind.__name__ for kind in types))
        way_out = "by pandas.to_numeric(column, errors='coerce') if a text stands for a missing number, or "
        raise ValueError(
            f"{where} mixes values of type {names}; make them one type, "
            f"{way_out if kinds <= {'integer', 'real', 'label'} else ''}for example by .astype(str)"
        )
    return kinds.pop()

"""Make one column of a frame or an array from its cells, in the dtype that `fit` saw."""

import decimal
import re

import narwhals as nw
import numpy as np

from .dtypes import dtype_of

MISSING_TIME = np.iinfo(np.int64).min
INTEGERS = re.compile(r"(?i)(u?int)(8|16|32|64)\b")
DECIMALS = re.compile(r"(?i)object \(decimal (\d{1,3})\)")
ARGUMENT = re.compile(r"(\w+)=('[^']*'|[^,)]+)")


def as_array(values, dtype):
    """Return cells as an array of one dtype.

    Parameters
    ----------
    values : ndarray
        float64, an object array of labels, or dates or durations of numpy; None, NaN or NaT for missing cells.
    dtype : str
        "object" with None for missing cells, "object (date)" and "object (datetime)" with Python's dates, "object
        (decimal 2)" with its decimal numbers, "str", or a dtype of numbers.
    """
    if found := DECIMALS.fullmatch(dtype):
        return _decimal_numbers(values, int(found[1]))
    if values.dtype.kind in "mM":
        exact = values.astype("datetime64[D]") if dtype.lower() == "object (date)" else values
        objects = np.empty(len(values), dtype=object)
        objects[:] = exact.tolist()
        return objects
    if dtype == "str" and not any(value is None for value in values):
        return values.astype(str)
    return values


def _decimal_numbers(values, n_decimals):
    """Return numbers as objects: Python's decimal numbers of so many decimals, None for missing cells."""
    objects = np.empty(len(values), dtype=object)
    objects[:] = [None if value != value else decimal.Decimal(f"{value:.{n_decimals}f}") for value in values.tolist()]
    return objects


def as_categories(cells, levels, level_dtype, ordered):
    """Return indices of levels, NaN for missing cells, as a pandas Series of categories."""
    pandas = nw.Implementation.PANDAS.to_native_namespace()
    codes = np.where(np.isnan(cells), -1, cells).astype(np.int64)
    categories = pandas.Index(list(levels), dtype=dtype_of(level_dtype))
    return pandas.Series(pandas.Categorical.from_codes(codes, categories=categories, ordered=ordered))


def as_pandas(values, dtype):
    """Return cells, as :func:`as_array` takes them, as a pandas Series."""
    pandas = nw.Implementation.PANDAS.to_native_namespace()
    if dtype.startswith("object"):
        return pandas.Series(as_array(values, dtype), dtype=object)
    native = dtype_of(dtype)
    if values.dtype.kind in "mM":
        series = pandas.Series(values)
        if "," in dtype:  # a time zone
            series = series.dt.tz_localize("UTC")
        return series.astype(native)
    if values.dtype.kind == "O":
        return pandas.Series(values, dtype=native)
    if INTEGERS.search(dtype):
        values = _in_range(values, dtype)
        if not np.isnan(values).any():
            return pandas.Series(_whole(values, dtype)).astype(native)
        return pandas.Series(values) if dtype.islower() and "[" not in dtype else _nullable(pandas, values, dtype)
    if np.isnan(values).any() and dtype not in ("float64", "float32", "float16"):
        return _nullable(pandas, values, dtype)
    return pandas.Series(values).astype(native)


def _nullable(pandas, values, dtype):
    """Return numbers with missing cells as a pandas Series of a dtype that has a way of its own to mark them."""
    whole = INTEGERS.search(dtype) is not None
    objects = [None if value != value else int(value) if whole else value for value in values.tolist()]
    return pandas.Series(objects, dtype=object).astype(dtype_of(dtype))


def as_polars(values, dtype, levels=None):
    """Return cells, as :func:`as_array` takes them, as a polars Series; `levels` are those of an Enum."""
    polars = nw.Implementation.POLARS.to_native_namespace()
    name, arguments = dtype.partition("(")[0], {key: text.strip("'") for key, text in ARGUMENT.findall(dtype)}
    if dtype.startswith("Object"):
        return polars.Series(as_array(values, dtype).tolist(), dtype=polars.Object)
    if levels is not None:
        return polars.Series(values.tolist(), dtype=polars.Enum(list(levels)))
    if values.dtype.kind in "mM":
        kind = polars.Duration("us") if values.dtype.kind == "m" else polars.Datetime("us")
        unit = "ns" if "[ns]" in values.dtype.name else "us"
        kind = type(kind)(unit)
        counts = [None if count == MISSING_TIME else count for count in values.view(np.int64).tolist()]
        series = polars.Series(counts, dtype=polars.Int64).cast(kind)
        if name == "Date":
            return series.cast(polars.Date)
        zone = arguments.get("time_zone", "None")
        if zone != "None":
            series = series.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
        return series.dt.cast_time_unit(arguments["time_unit"])
    if values.dtype.kind == "O":
        return polars.Series(values.tolist(), dtype=getattr(polars, name))
    if INTEGERS.fullmatch(name):
        values = _in_range(values, name)
    series = polars.Series(values).fill_nan(None)
    if name == "Decimal":
        return series.cast(polars.Decimal(int(arguments["precision"]), int(arguments["scale"])))
    return series.cast(polars.Boolean if name == "Boolean" else getattr(polars, name))


def large_integers(cells, origin, dtype):
    """Return cells that stand for integers above `origin` as an object array of int, None for missing ones.

    They are cut to what an integer dtype can hold.
    """
    found = INTEGERS.search(dtype)
    limits = np.iinfo("".join(found.groups()).lower()) if found else None
    objects = np.empty(len(cells), dtype=object)
    for index, cell in enumerate(np.round(cells).tolist()):
        value = None if cell != cell else int(cell) + origin
        if value is not None and limits is not None:
            value = min(max(value, int(limits.min)), int(limits.max))
        objects[index] = value
    return objects


def _whole(values, dtype):
    """Return whole numbers as int64, or uint64 for a dtype that has no sign."""
    return values.astype(np.uint64 if dtype.lower().startswith("uint64") else np.int64)


def _in_range(values, dtype):
    """Return numbers as whole ones that an integer dtype can hold."""
    sign, bits = INTEGERS.search(dtype).groups()
    limits = np.iinfo(f"{sign.lower()}{bits}")
    low, high = float(limits.min), float(limits.max)
    high = np.nextafter(high, 0) if high > limits.max else high
    return np.clip(np.round(values), low, high)


def dates_of(counts, missing, base, kind):
    """Return counts of a unit since 1970, or of durations, as numpy's dates or durations; NaT for missing cells."""
    counts = np.where(missing, MISSING_TIME, counts)
    return counts.view(f"{'timedelta' if kind == 'duration' else 'datetime'}64[{base}]")

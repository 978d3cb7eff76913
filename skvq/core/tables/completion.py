"""Rows of a table that are known in part: what a user gives of them, and what is kept of these."""

from datetime import datetime, timezone

import numpy as np

from ..._warnings import warn_user
from ...training.batches import as_array
from .columns import call, frame_of
from .reading import is_missing, read
from .zones import zone_of

INTEGERS = {f"{sign}int{size}" for sign in ("u", "") for size in (8, 16, 32, 64)}


def rows_given(given):
    """Return how many rows a user gives: those of a table, or the values of each column of a dict."""
    if given is None:
        return 1
    if isinstance(given, dict):
        return max((1 if _is_one(values) else len(values) for values in given.values()), default=1)
    if np.ndim(given) == 0 and not isinstance(given, str):
        raise TypeError(f"given={given!r} must be a dict from columns to values, or a table")
    return 1 if np.ndim(given) == 1 else len(given)


def given_cells(columns, given, n_rows):
    """Return cells and where they are known, for what a user gives of `n_rows` rows.

    Parameters
    ----------
    columns : Columns
    given : dict, table or None
        Values by the name, or index, of a column, one or `n_rows` of them, None for a missing cell. Or a table, of one
        row or `n_rows` rows, with some of the columns; in an array with all. Its missing cells are not known.
    n_rows : int

    Returns
    -------
    cells : ndarray of shape (n_rows, n_columns), float64
        NaN where nothing is known.
    known : ndarray of the same shape, bool

    Raises
    ------
    ValueError, TypeError
        For columns that are not there, another number of rows, values that the column cannot have, and a missing cell
        where `fit` saw none.
    """
    cells = np.full((n_rows, len(columns)), np.nan)
    known = np.zeros(cells.shape, dtype=bool)
    if given is None:
        return cells, known
    if hasattr(given, "to_dict") and np.ndim(given) == 1:  # a row as a Series of pandas, with holes as in a table
        given = {name: value for name, value in given.items() if not is_missing(value)}
    is_table = not isinstance(given, dict)
    parts = _table_parts(columns, given) if is_table else given.items()
    places = _places(columns)
    for name, values in parts:
        if name not in places:
            raise ValueError(f"given has the column {name!r}, but fit saw {list(places)}")
        index = places[name]
        where = f"given[{name!r}]"
        series = values if is_table else _as_series(values, columns[index], where)
        if len(series) not in (1, n_rows):
            raise ValueError(f"{where} has {len(series)} values; it must be one value, or {n_rows}, one for each row")
        found = columns[index].cells(read(series, where), where, "given")
        missing = np.isnan(found)
        _check_whole(columns[index], found[~missing], where)
        if not is_table and missing.any() and not columns[index].missing:
            raise ValueError(f"{where} is missing, but {call(columns[index].name, index)} had no missing cell in fit")
        _warn_beyond(columns[index], found[~missing], where)
        cells[:, index] = found
        known[:, index] = ~missing if is_table else True
    return cells, known


def _places(columns):
    """Return the index of each column by its name, or by itself for columns without names."""
    return {index if column.name is None else column.name: index for index, column in enumerate(columns)}


def _table_parts(columns, given):
    """Return (name, column) pairs of a table."""
    if frame_of(given) == "pandas":
        if not given.columns.is_unique:
            raise ValueError(f"given has the column {given.columns[given.columns.duplicated()][0]!r} twice")
        return list(given.items())
    if frame_of(given) == "polars":
        return [(series.name, series) for series in given.get_columns()]
    if isinstance(given, str) or (
        isinstance(given, (list, tuple)) and any(isinstance(row, (dict, str)) for row in given)
    ):
        raise ValueError(
            f"given={given!r:.80} must be a dict from columns to values, such as {{'sex': 'female', 'age': 40}} or, "
            "for several rows, {'age': [40, 50]}; or a table, such as pandas.DataFrame(given)"
        )
    rows = np.asarray(as_array(given, "given"))
    if rows.dtype.kind in "US":  # what were numbers beside words has become text
        rows = np.array(given, dtype=object)
    rows = rows[None] if rows.ndim == 1 else rows
    if rows.ndim != 2 or rows.shape[1] != len(columns):
        raise ValueError(
            f"given has shape {rows.shape}; an array must have {len(columns)} columns, NaN where not known"
        )
    return [(name, rows[:, index]) for name, index in _places(columns).items()]


def _warn_beyond(column, cells, where):
    """Warn of numbers that lie beyond all that `fit` saw: the others are drawn as if they were the nearest."""
    if column.marginal is None or not len(cells):
        return
    cells = column.settled(cells)
    if cells.min() < column.marginal.low or cells.max() > column.marginal.high:
        warn_user(
            f"{where} lies beyond the range that fit saw; it is kept, and other columns are drawn as for the end of "
            "that range"
        )


def _check_whole(column, cells, where):
    """Raise ValueError for cells that a column of whole numbers, or of dates in steps of a unit, cannot hold."""
    if column.unit is not None and (cells != np.round(cells)).any():
        raise ValueError(f"{where} is not in whole steps of {column.unit}, the unit that fit counts the column in")
    if column.kind == "integer" and column.dtype.lower() in INTEGERS:
        limits = np.iinfo(column.dtype.lower())
        low, high = (float(int(limit) - int(column.origin)) for limit in (limits.min, limits.max))
        if (cells < low).any() or (cells > high).any():
            raise ValueError(f"{where} is beyond what the column's dtype, {column.dtype}, can hold")


def _is_one(values):
    """Return whether an entry of a dict is one value rather than several."""
    return values is None or isinstance(values, (str, bytes)) or np.ndim(values) == 0


def _as_series(values, column, where):
    """Return one value or several of a dict as an array."""
    values = [values] if _is_one(values) else list(values)
    if column.unit is not None:
        try:
            values = [_as_time(value, column) for value in values]
        except (ValueError, TypeError) as error:
            raise ValueError(f"{where}={values[0]!r} is no {column.kind}: {error}") from None
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


def keep_given(given, table, known):
    """Return a frame whose cells that a frame `given` has are those, to the last digit: see :func:`keep_known`.

    Parameters
    ----------
    given : dict, table or None
        Of one row or of as many as `table` has.
    table : table of drawn rows
    known : ndarray of shape (n, n_columns), bool
    """
    if frame_of(given) != "pandas" or frame_of(table) != "pandas":
        return table
    rows = given.iloc[np.zeros(len(table), dtype=int)] if len(given) == 1 else given
    places = table.columns.get_indexer(given.columns)
    kept = keep_known(rows, table.iloc[:, places], known[:, places])
    for place, name in zip(places, kept.columns):
        table.isetitem(place, kept[name].array)
    return table


def keep_known(X, table, known):
    """Return a table like X whose known cells are those of X, to the last digit, and whose others are drawn.

    Columns of X that have another dtype than those of the drawn table keep what the cells hold of them.

    Parameters
    ----------
    X, table : tables with the same columns and rows
        The frame of pandas that is returned has the index of X.
    known : ndarray of shape (n, n_columns), bool
    """
    frame = frame_of(X)
    if frame != frame_of(table):
        return table
    if frame is None:
        return np.where(known, X, table) if X.dtype == table.dtype else table
    for index in range(known.shape[1]):
        if frame == "pandas" and X.dtypes.iloc[index] == table.dtypes.iloc[index]:
            series, of_x = table.iloc[:, index], X.iloc[:, index].array
            drawn = series.array.copy()
            drawn[known[:, index]] = of_x[known[:, index]]
            # An array of objects alone would become a column of strings where all of them are some.
            table.isetitem(index, type(series)(drawn, index=table.index, dtype=series.dtype))
        elif frame == "polars" and X.dtypes[index] == table.dtypes[index]:
            name = table.columns[index]
            mask = type(X[name])(known[:, index])
            table = table.with_columns(X[name].zip_with(mask, table[name]).alias(name))
    if frame == "pandas":
        table.index = X.index
    return table


def _has_nanoseconds(value):
    """Return whether a date or duration of numpy is no whole number of microseconds."""
    if not isinstance(value, (np.datetime64, np.timedelta64)):
        return False
    return bool(value.astype(value.dtype.str[:2] + "8[us]") != value)


def _as_time(value, column):
    """Return a date or duration as Python's, None for a missing one; times with a zone as those of UTC."""
    if is_missing(value):
        return None
    if isinstance(value, (bool, int, float, np.number)) and not isinstance(value, np.timedelta64):
        raise TypeError("it is a number")
    if getattr(value, "nanosecond", 0) or getattr(value, "nanoseconds", 0) or _has_nanoseconds(value):
        if column.unit != "ns":
            raise ValueError(f"it has nanoseconds, and fit counts the column in {column.unit}: round it to these")
        raise ValueError("it has nanoseconds, which a dict does not keep; pass given as a data frame")
    if column.kind == "duration":
        if isinstance(value, str):
            raise TypeError(f"it is text; pass pandas.Timedelta({value!r}) or a datetime.timedelta")
        return value.to_pytimedelta() if hasattr(value, "to_pytimedelta") else np.timedelta64(value, "us").item()
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    value = datetime.fromisoformat(value) if isinstance(value, str) else value
    if hasattr(value, "to_pydatetime"):
        value = value.to_pydatetime(warn=False)
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    zone = zone_of(column.dtype)
    if value.tzinfo is None and zone:
        value = value.replace(tzinfo=zone)
    elif value.tzinfo is not None and not zone:
        raise ValueError("it has a time zone, and the column has none")
    return value.astimezone(timezone.utc).replace(tzinfo=None) if zone else value

"""Mixed tables as float64: numbers as they are, categories as positions of their levels, NaN where missing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timezone
from numbers import Real
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from .._typing import NDArray

# The call that makes times of the text that a CSV file holds of them.
READ_AS = {
    "dates": "pandas.read_csv(path, parse_dates=[{column!r}])",
    "durations": "table[{column!r}] = pandas.to_timedelta(table[{column!r}])",
}


@dataclass(frozen=True)
class EncodedTables:
    """Tables with the same columns, encoded alike.

    Attributes
    ----------
    names : list of str
        Names of the columns, those of the first table.
    levels : list
        For each column the list of its levels, over all tables; None for a column of numbers.
    is_date : list of bool
        Which columns of numbers are dates, in microseconds since 1970.
    values : list of ndarray (n_rows, n_columns), float64
        For each table its numbers and the positions of its levels. NaN is a missing cell.
    """

    names: list[str]
    levels: list[list[Any] | None]
    is_date: list[bool]
    values: list[NDArray[np.float64]]

    @property
    def is_category(self) -> NDArray[np.bool_]:
        """Which columns are categories, (n_columns,)."""
        return np.array([levels is not None for levels in self.levels], dtype=bool)


def encode_tables(**tables: Any) -> EncodedTables:
    """Return tables that have the same columns, encoded alike.

    Numbers, dates and durations stay numbers (microseconds); text, booleans and categories are levels. Frames are
    matched by the names of their columns, anything else by position.

    Parameters
    ----------
    **tables : array-like or DataFrame of shape (n_rows, n_columns)
        By the name that errors call them.

    Raises
    ------
    ValueError
        For tables with other columns than the first one, for columns that hold numbers in one table and text in
        another, and for dates or durations in one table alone.

    Examples
    --------
    >>> encoded = encode_tables(X=[[1.5, "b"], [None, "a"]], Z=[[2, None]])
    >>> encoded.levels
    [None, ['a', 'b']]
    >>> [table.tolist() for table in encoded.values]
    [[[1.5, 1.0], [nan, 0.0]], [[2.0, nan]]]
    """
    first, *others = tables
    opened = {name: _columns(table, name) for name, table in tables.items()}
    columns = opened[first]
    for name in others:
        opened[name] = _matched(opened[name], columns, name, first)
    names, encoded, levels, dates = list(columns), [], [], []
    for column in names:
        parts = {name: by_name[column] for name, by_name in opened.items()}
        kind, found, values = _encode_column(column, parts)
        levels.append(found)
        encoded.append(values)
        dates.append(kind == "dates" and found is None)
    values = [np.stack([column[i] for column in encoded], axis=1) for i in range(len(tables))]
    return EncodedTables(names, levels, dates, values)


def _columns(table, name):
    """Return the columns of a table by name: series of a frame, or arrays (n_rows,); numbered ones have int names."""
    if hasattr(getattr(table, "columns", None), "duplicated"):  # those of pandas may be 1 and "1", or the same
        names = table.columns.map(str)
        if not names.is_unique:
            twice = names[names.duplicated()][0]
            raise ValueError(f"{name} has several columns named {twice!r}; names must be distinct, as text too")
    frame = nw.from_native(table, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        columns = {str(series.name): series for series in frame.iter_columns()}
    else:
        array = np.array(table, dtype=object) if isinstance(table, (list, tuple)) else np.asarray(table)
        if array.ndim < 2 or 0 in array.shape:
            raise ValueError(f"{name} must be a table with rows and columns, got an array of shape {array.shape}")
        array = array.reshape(len(array), -1)
        columns = {i: array[:, i] for i in range(array.shape[1])}
    if not columns or not len(next(iter(columns.values()))):
        raise ValueError(f"{name} must have at least one row and one column")
    return columns if isinstance(frame, nw.DataFrame) else {f"x{i}": column for i, column in columns.items()}


def _matched(columns, reference, name, first):
    """Return the columns in the order, and by the names, of those of the first table."""
    if set(columns) == set(reference):
        return columns
    if len(columns) == len(reference) and (_are_numbered(columns) or _are_numbered(reference)):
        return dict(zip(reference, columns.values()))
    missing, more = (sorted(set(a) - set(b)) for a, b in ((reference, columns), (columns, reference)))
    raise ValueError(
        f"{name} must have the columns of {first}; {len(missing)} are missing {missing[:5]} and {len(more)} are "
        f"unknown {more[:5]}"
    )


def _are_numbered(columns):
    return not any(isinstance(column, nw.Series) for column in columns.values())


def _encode_column(column, parts):
    """Return the kind of a column, its levels (None for numbers), and its float64 values in each table."""
    read = {name: _read(part) for name, part in parts.items()}
    first = next(iter(read))
    held = {name: _held(part, read[name]) for name, part in parts.items()}
    for name, (kind, shown) in held.items():
        of_first, shown_first = held[first]
        kinds = {kind, of_first}
        is_empty = isinstance(read[name], np.ndarray) and np.isnan(read[name]).all()
        are_labels = of_first != "numbers" and kinds.isdisjoint(READ_AS) and (kinds != {"text", "numbers"} or is_empty)
        alike = len(kinds) == 1 or are_labels
        if not alike:
            timed = next((each for each in (of_first, kind) if each in READ_AS), None)
            is_text = timed is not None and "text" in (of_first, kind)
            way_out = f"read the text as {timed}: {READ_AS[timed]}" if is_text else "make them alike"
            raise ValueError(
                f"column {column!r} holds {shown_first} in {first}, but {shown} in {name}; "
                + way_out.format(column=column)
            )
    is_array = [isinstance(values, np.ndarray) for values in read.values()]
    if held[first][0] == "dates" and any(is_array):
        return "dates", None, [_microseconds(values) for values in read.values()]
    if is_array[0]:
        return held[first][0], None, list(read.values())
    lists = [_cells(cells) for cells in read.values()]
    present = {cell for cells in lists for cell in cells if cell is not None}
    own = [level for part in parts.values() for level in _levels_of(part) if level in present]
    levels = list(dict.fromkeys([*own, *sorted(present, key=_order)]))
    position = {level: i for i, level in enumerate(levels)}
    values = [np.array([np.nan if cell is None else position[cell] for cell in cells]) for cells in lists]
    return held[first][0], levels, values


def _held(column, cells):
    """Return the kind of a column ("numbers", "dates", "durations", "text", "labels"), and what messages say of it."""
    if isinstance(cells, np.ndarray):
        kind = "dates" if _is_date(column) else "durations" if _is_duration(column) else "numbers"
        return kind, kind
    present = [cell for cell in _cells(cells) if cell is not None]
    found = next((cell for cell in present if not isinstance(cell, date)), None)
    if present and found is None:
        return "dates", "dates"
    kind = "text" if isinstance(found, str) else "labels"
    return kind, f"{kind}, such as {found!r:.40}"


def _microseconds(cells):
    """Return dates, a list of cells or an array that is read already, as microseconds since 1970, NaN for missing."""
    if isinstance(cells, np.ndarray):
        return cells
    return _numbers(np.array([_without_zone(cell) for cell in _cells(cells)], dtype="datetime64[us]"))


def _without_zone(cell):
    """Return a date, or None, without its time zone, as the moment in UTC."""
    has_zone = isinstance(cell, datetime) and cell.tzinfo is not None
    return cell.astimezone(timezone.utc).replace(tzinfo=None) if has_zone else cell


def _is_duration(column):
    return column.dtype == nw.Duration if isinstance(column, nw.Series) else column.dtype.kind == "m"


def _is_date(column):
    if isinstance(column, nw.Series):
        return column.dtype in (nw.Date, nw.Datetime)
    return column.dtype.kind == "M"


def _read(column):
    """Return a column of numbers as a float64 array, any other one as a list of cells, None where missing."""
    if not isinstance(column, nw.Series):
        return (
            _numbers(column) if column.dtype.kind in "iufmM" else _numbers_if_all(_cells(column), column.dtype == "O")
        )
    if column.dtype == nw.Date:
        column = column.cast(nw.Datetime("us"))
    if column.dtype == nw.Datetime:
        column = column.dt.timestamp("us")
    elif column.dtype == nw.Duration:
        column = column.dt.total_microseconds()
    missing = column.is_null().to_numpy()
    if column.dtype.is_numeric():
        return np.where(missing, np.nan, np.asarray(column.cast(nw.Float64).to_numpy(), dtype=np.float64))
    cells = [None if is_missing else cell for cell, is_missing in zip(column.to_list(), missing)]
    return _numbers_if_all(cells, column.dtype == nw.Object)


def _numbers(array):
    """Return an array of numbers or dates as float64, NaN for NaT."""
    if array.dtype.kind not in "mM":
        return array.astype(np.float64)
    microseconds = array.astype(f"{array.dtype.kind}8[us]")
    return np.where(np.isnat(array), np.nan, microseconds.view(np.int64).astype(np.float64))


def _numbers_if_all(cells, may_be):
    """Return a list of cells as float64 where all of them are numbers, and may be read so."""
    if may_be and all(cell is None or (isinstance(cell, Real) and not isinstance(cell, bool)) for cell in cells):
        return np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)
    return cells


def _cells(column):
    """Return a column as a list of cells, None where missing."""
    cells = column.tolist() if isinstance(column, np.ndarray) else column
    return [None if _is_missing(cell) else cell for cell in cells]


def _is_missing(cell):
    # pandas.NA compares as neither equal nor unequal, and pandas need not be there.
    return cell is None or (isinstance(cell, Real) and cell != cell) or type(cell).__name__ in ("NAType", "NaTType")


def _levels_of(column):
    """Return the levels of a column that has an order of its own."""
    has_levels = isinstance(column, nw.Series) and isinstance(column.dtype, (nw.Categorical, nw.Enum))
    return column.cat.get_categories().to_list() if has_levels else []


def _order(cell):
    """Return a key that orders levels: numbers first, then by type."""
    return (0, "", cell) if isinstance(cell, Real) else (1, type(cell).__name__, cell)

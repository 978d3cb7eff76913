"""Rows of a table that are known in part: what a user gives of them, and the averages of their completions."""

import narwhals as nw
import numpy as np

from .columns import call, frame_of
from .reading import read


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
        found = columns[index].cells(read(series, where), where, "error")
        missing = np.isnan(found)
        if not is_table and missing.any() and not columns[index].missing:
            raise ValueError(f"{where} is missing, but {call(columns[index].name, index)} had no missing cell in fit")
        cells[:, index] = found
        known[:, index] = ~missing if is_table else True
    return cells, known


def _places(columns):
    """Return the index of each column by its name, or by itself for columns without names."""
    return {index if column.name is None else column.name: index for index, column in enumerate(columns)}


def _table_parts(columns, given):
    """Return (name, column) pairs of a table."""
    if frame_of(given):
        frame = nw.from_native(given, eager_only=True)
        return [(name, frame[name]) for name in frame.columns]
    rows = np.asarray(given)
    rows = rows[None] if rows.ndim == 1 else rows
    if rows.ndim != 2 or rows.shape[1] != len(columns):
        raise ValueError(
            f"given has shape {rows.shape}; an array must have {len(columns)} columns, NaN where not known"
        )
    return [(name, rows[:, index]) for name, index in _places(columns).items()]


def _as_series(values, column, where):
    """Return one value or several of a dict as an array."""
    one = values is None or isinstance(values, (str, bytes)) or np.ndim(values) == 0
    values = [values] if one else list(values)
    if column.unit is not None:
        try:
            values = np.array(values, dtype="datetime64[us]" if column.kind == "date" else "timedelta64[us]").tolist()
        except (ValueError, TypeError) as error:
            raise ValueError(f"{where}={values[0]!r} is no {column.kind}: {error}") from None
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


def averages(columns, draws, known, cells):
    """Return cells whose unknown ones are the means, or the most frequent levels, of several draws.

    Parameters
    ----------
    columns : Columns
    draws : ndarray of shape (n_draws, n, n_columns), float64
    known : ndarray of shape (n, n_columns), bool
    cells : ndarray of shape (n, n_columns)
        What is known.
    """
    found = cells.astype(np.float64)
    for index, column in enumerate(columns):
        unknown = ~known[:, index]
        drawn = draws[:, unknown, index]
        if column.is_discrete:
            counts = np.stack([(drawn == level).sum(axis=0) for level in range(len(column.levels))])
            found[unknown, index] = counts.argmax(axis=0)
        else:
            found[unknown, index] = column.marginal.snap(drawn.mean(axis=0))
    return found

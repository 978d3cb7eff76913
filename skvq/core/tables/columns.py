"""The columns of a table: their kinds, levels and marginals, and the way from a frame to cells and back.

Cells are float64: numbers as they are, 0 and 1 for booleans, the index of the level for categories, for dates a whole
number of days (or of a shorter unit, where one occurs) since the first date, and NaN where a cell is missing.
"""

import re
from dataclasses import dataclass, replace
from typing import Literal

import narwhals as nw
import numpy as np

from ..._warnings import warn_user
from ...persistence.records import from_json
from .decimals import settled
from .dtypes import float_of
from .marginal import Marginal
from .reading import UNITS, Observed, advice_for_texts, read
from .writing import as_array, as_categories, as_pandas, as_polars, dates_of, large_integers
from .zones import from_local, is_rather_local, to_local, zone_of

MOST_LEVELS = 1000
# Strings are taken for names where so many cells or more are observed, and this share of them are different.
LEAST_NAMES, NAMES_SHARE = 20, 0.8
# Integers are taken for numbers of rows where so many or more are all different, and lie as close as these are after
# half of the rows has gone.
LEAST_NUMBERS, NUMBERS_RANGE = 100, 2
MOST_SHOWN, MOST_KNOWN_SHOWN = 5, 8
NUMERIC = ("real", "integer")
# The squares of larger values, times the number of rows, are beyond float64.
LARGEST_SIZE = 1e150
PER_SECOND = {"us": 10**6, "ns": 10**9}
# Seconds, minutes, hours and days that clock times are often multiples of.
CLOCK = {
    "s": (1, 2, 5, 10, 15, 20, 30),
    "m": (1, 2, 5, 10, 15, 20, 30),
    "h": (1, 2, 3, 4, 6, 8, 12),
    "D": (1, 7),
}
DTYPE = re.compile(r"[\w\[\](), =:'/+.<>-]{1,200}")


def _check_size(values, where):
    """Raise ValueError for numbers whose variance is beyond float64."""
    largest = float(np.abs(values).max())
    if largest > LARGEST_SIZE:
        raise ValueError(
            f"{where} holds values up to {largest:.3g}, so large that its variance overflows float64; rescale it"
        )


@dataclass(frozen=True)
class Column:
    """One column of a table, as `fit` saw it.

    Attributes
    ----------
    name : str, int or None
        None for the columns of arrays.
    kind : {"real", "integer", "boolean", "category", "date", "duration"}
    dtype : str
        Of the column in the frame: "int64", "Int64", "category", "datetime64[ns, UTC]", ...
    levels : tuple of str, int, float or bool
        Of a category: ascending, or all that the dtype has, in its order; of a boolean (False, True).
    frequencies : tuple of float
        Share of each level among all cells, the missing ones too.
    ordered : bool
        Whether the dtype says that the order of the levels means something.
    missing : float in [0, 1)
        Share of missing cells.
    level_dtype : str or None
        Of the index of categories of pandas.
    unit, origin : str and int
        A cell of a date or duration counts units ("D", "h", "m", "s", "ms", "us", "ns"); 0 stands for the date that is
        `origin` units after 1970 began. The unit is the longest in which all dates are whole, unless float64 cannot
        hold the counts: then it is a longer one, and dates are rounded. A cell of an integer stands for the integer
        `origin` above it; it is 0 unless some are too large for float64.
    is_local : bool
        Whether dates with a time zone are counted in its local time rather than in UTC: where clock times come back
        more often there, as midnights do. An hour that occurs twice, as clocks go back, is then the first one.
    marginal : Marginal or None
        Of the observed cells of a numeric column, a date or a duration.
    mean, std : float
        Of these cells; NaN for categories and booleans.
    """

    name: str | int | float | None  # float lets a negative integer through `from_json`
    kind: Literal["real", "integer", "boolean", "category", "date", "duration"]
    dtype: str
    levels: tuple[str | int | float | bool, ...]
    frequencies: tuple[float, ...]
    ordered: bool
    missing: float
    unit: str | None
    level_dtype: str | None
    origin: int | float
    is_local: bool
    marginal: Marginal | None
    mean: float | None
    std: float | None

    @classmethod
    def fit(cls, name, observed, where):
        """Return the column, and its cells, of an Observed; `where` is what messages call it."""
        n_missing = int(observed.missing.sum())
        if n_missing == len(observed.missing):
            raise ValueError(f"{where} has no observed cell, all are missing; drop it")
        kind = "category" if observed.kind == "label" else observed.kind
        is_local = _is_local(observed, where)
        times = _local(observed) if is_local else observed
        unit, origin = _unit(times) if observed.base else (None, observed.origin)
        levels = observed.levels if kind == "category" else (False, True) if kind == "boolean" else ()
        if len(levels) > MOST_LEVELS:
            n_seen = len(np.unique(observed.values[~observed.missing]))
            advice = advice_for_texts(levels) or "Drop it, or group rare levels"
            if n_seen <= MOST_LEVELS:
                advice = f"Only {n_seen} of them occur: drop the others, in pandas by .cat.remove_unused_categories()"
            raise ValueError(
                f"{where} has {len(levels)} levels, more than the {MOST_LEVELS} that a category can have. {advice}"
            )
        cells = _counts(times, unit, origin) if observed.base else observed.values
        seen = cells[~observed.missing] if n_missing else cells
        frequencies, marginal, mean, std = (), None, None, None
        if levels:
            counts = np.bincount(seen.astype(np.int64), minlength=len(levels))
            frequencies = tuple((counts / len(cells)).tolist())
        else:
            _check_size(seen, where)
            marginal = Marginal.fit(seen, _periods(unit), float_of(observed.dtype))
            mean, std = float(seen.mean()), float(seen.std())
        column = cls(
            name=name,
            kind=kind,
            dtype=observed.dtype,
            levels=levels,
            frequencies=frequencies,
            ordered=observed.ordered,
            missing=n_missing / len(cells),
            level_dtype=observed.level_dtype,
            unit=unit,
            origin=origin,
            is_local=is_local,
            marginal=marginal,
            mean=mean,
            std=std,
        )
        return column, cells

    @property
    def is_discrete(self):
        """Whether cells are indices of levels."""
        return self.marginal is None

    def settled(self, cells):
        """Return cells, float64 (n,), those that float32 or the column's dtype blurs on their points of the grid.

        So is 0.1 as float32 in a column of one decimal, which is 0.10000000149011612.
        """
        step = self.marginal.step
        if self.kind != "real" or step is None or step == 1:
            return cells
        return settled(cells, float_of(self.dtype, "float32"), most=round(-np.log10(step)))

    def cells(self, observed, where, handle_unknown):
        """Return the cells of a later Observed of this column, float64 (n,).

        Raises
        ------
        ValueError
            For another kind of column; for levels that `fit` did not see, unless `handle_unknown` is "ignore": then
            they count as missing. With "given" the error says what a user may give, with "error" how rows with such
            levels can be taken.
        """
        if observed.missing.all():
            return np.full(len(observed.missing), np.nan)
        if self.kind == "category":
            return self._indices(observed, where, handle_unknown)
        alike = {self.kind, *NUMERIC} if self.kind in NUMERIC else {self.kind}
        if observed.kind not in alike:
            self._refuse(observed, where)
        if observed.base:
            return _counts(_local(observed, self.dtype) if self.is_local else observed, self.unit, self.origin)
        cells = observed.values
        if observed.origin != self.origin:
            cells = cells + float(observed.origin - self.origin)
        if self.kind == "integer" and observed.kind == "real":
            fractions = cells[(cells != np.round(cells)) & ~observed.missing]
            if len(fractions):
                raise ValueError(f"{where} held integers in fit, and now holds {fractions[0]}; round it")
        return cells

    def _indices(self, observed, where, handle_unknown):
        """Return the indices of levels."""
        values, levels = observed.values, observed.levels
        if observed.kind != "label":
            if observed.base or all(isinstance(level, str) for level in self.levels):
                self._refuse(observed, where)
            values, levels = as_levels(observed)
        known = {level: index for index, level in enumerate(self.levels)}
        index = np.array([known.get(level, np.nan) for level in levels] + [np.nan], dtype=np.float64)
        cells = index[np.where(observed.missing, len(levels), values).astype(np.int64)]
        unknown = np.isnan(cells) & ~observed.missing
        if unknown.any() and handle_unknown != "ignore":
            found = [repr(levels[int(code)]) for code in np.unique(values[unknown])]
            shown = ", ".join(found[:MOST_SHOWN]) + (", ..." if len(found) > MOST_SHOWN else "")
            way_out = (
                "pass handle_unknown='ignore' to the estimator before fit to take them for missing cells, or give the "
                "column a category dtype with all of its levels before fit; in cross-validation shuffle the rows"
            )
            if handle_unknown == "given":
                way_out = f"it must be {self._known_levels()}"
            raise ValueError(f"{where} holds levels that fit did not see: {shown}; {way_out}")
        return cells

    def _known_levels(self):
        """Return the levels of a category as text, the most frequent ones first, and how many more there are."""
        order = np.argsort(-np.array(self.frequencies), kind="stable")
        shown = [repr(self.levels[index]) for index in order[:MOST_KNOWN_SHOWN]]
        n_more = len(self.levels) - len(shown)
        return f"{', '.join(shown)}, or one of {n_more} more" if n_more else " or ".join(shown)

    def _refuse(self, observed, where):
        kind = "category" if observed.kind == "label" else observed.kind
        raise ValueError(
            f"{where} was of kind {self.kind} ({self.dtype}) in fit, and is now of kind {kind} ({observed.dtype}); "
            f"{self._way_back(kind)}"
        )

    def _way_back(self, kind):
        """Return what to do with a column that now is of another kind."""
        if self.unit is not None and kind == "category":
            return f"convert it by pandas.to_{'datetime' if self.kind == 'date' else 'timedelta'}"
        return f"pass {'True or False' if self.kind == 'boolean' else 'columns of the same kinds'}"

    def restore(self, cells, frame):
        """Return cells (n,) as a column of the frame that `fit` saw, or as an array.

        Parameters
        ----------
        cells : ndarray of shape (n,), float64
        frame : {"pandas", "polars"} or None
        """
        missing = np.isnan(cells)
        if self.unit is not None:
            values = self._times(cells, missing)
        elif self.is_discrete:
            if self.dtype == "category" and frame == "pandas":
                return as_categories(cells, self.levels, self.level_dtype, self.ordered)
            values = self._labels(cells, missing)
        elif self.kind == "integer" and self.origin:
            values = large_integers(cells, int(self.origin), self.dtype)
        else:
            values = np.where(missing, np.nan, np.round(cells)) if self.kind == "integer" else cells
            values = self._python_numbers(values) if self.dtype in ("object", "Object") else values
        if frame == "pandas":
            return as_pandas(values, self.dtype)
        if frame == "polars":
            return as_polars(values, self.dtype, self.levels if self.dtype == "Enum" else None)
        return as_array(values, self.dtype)

    def _python_numbers(self, values):
        """Return numbers as objects, whole ones as int; a missing cell is NaN, or None in a frame of polars."""
        objects = np.empty(len(values), dtype=object)
        make, absent = int if self.kind == "integer" else float, None if self.dtype == "Object" else np.nan
        objects[:] = [make(value) if value == value else absent for value in values.tolist()]
        return objects

    def _labels(self, cells, missing):
        """Return levels as objects with None for missing cells, or as numbers where all levels are some."""
        numeric = all(isinstance(level, (int, float)) and float(level) == level for level in self.levels)
        if numeric and self.kind == "category" and self.dtype not in ("object", "Object"):
            return np.array([*self.levels, np.nan])[np.where(missing, len(self.levels), cells).astype(np.int64)]
        levels = np.empty(len(self.levels) + 1, dtype=object)
        levels[:] = [*self.levels, None]
        objects = levels[np.where(missing, len(self.levels), cells).astype(np.int64)]
        if self.kind == "boolean" and self.dtype == "bool" and not missing.any():
            return objects.astype(bool)
        return objects

    def _times(self, cells, missing):
        """Return dates or durations of numpy."""
        base = "ns" if self.unit == "ns" else "us"
        per = UNITS[self.unit] // UNITS[base]
        counts = (np.round(np.where(missing, 0.0, cells)).astype(np.int64) + int(self.origin)) * per
        if self.is_local:
            counts = from_local(counts, PER_SECOND[base], zone_of(self.dtype))
        return dates_of(counts, missing, base, self.kind)

    def check(self):
        """Raise ValueError for fields that no fit gives."""
        discrete = self.kind in ("category", "boolean")
        if (self.dtype == "category") != bool(self.level_dtype) or not DTYPE.fullmatch(self.level_dtype or self.dtype):
            raise ValueError("a column's dtype and that of its levels do not go together")
        if not DTYPE.fullmatch(self.dtype) or (self.marginal is None) != discrete:
            raise ValueError("a column's kind, dtype and marginal do not go together")
        if not len(self.levels) == len(self.frequencies) <= MOST_LEVELS or bool(self.levels) != discrete:
            raise ValueError("a column's levels and frequencies do not go together")
        if len(set(self.levels)) != len(self.levels) or not 0 <= self.missing < 1:
            raise ValueError("a column's levels are not distinct, or its share of missing cells is none")
        if self.kind == "boolean" and self.levels != (False, True):
            raise ValueError("a column's levels are not those of booleans")
        if discrete:
            total = sum(self.frequencies) + self.missing
            if not all(0 <= share <= 1 for share in self.frequencies) or not abs(total - 1) < 1e-6:
                raise ValueError("a column's frequencies are no shares")
        else:
            self.marginal.check()
        if isinstance(self.name, float) or not all(isinstance(each, str) or np.isfinite(each) for each in self.levels):
            raise ValueError("a column's name is no string or integer, or its levels are not finite")
        timed = self.kind in ("date", "duration")
        if timed != (self.unit is not None) or (timed and self.unit not in UNITS):
            raise ValueError("a column's kind and unit do not go together")
        if self.is_local and (self.kind != "date" or zone_of(self.dtype) is None):
            raise ValueError("a column's times are local, but have no time zone")
        if int(self.origin) != self.origin or abs(self.origin) >= (2**63 if timed else 2**1023):
            raise ValueError("a column's origin is no whole number")
        numbers = (self.mean, self.std) if not discrete else (0.0, 0.0)
        if None in numbers or not np.isfinite(numbers).all() or numbers[1] < 0:
            raise ValueError("a column's mean or standard deviation is none")


def as_levels(observed):
    """Return the indices, float64 (n,), and the levels of numbers or booleans that are taken for labels."""
    seen = observed.values[~observed.missing]
    distinct, inverse = np.unique(seen, return_inverse=True)
    codes = np.full(len(observed.values), np.nan)
    codes[~observed.missing] = inverse
    levels = distinct.tolist()
    if observed.kind == "boolean":
        levels = [bool(level) for level in levels]
    elif observed.kind == "integer" or (distinct == np.round(distinct)).all() and np.abs(distinct).max() < 2**53:
        levels = [int(level) + observed.origin for level in levels]
    return codes, tuple(levels)


def _unit(observed):
    """Return the longest unit in which all times are whole, and the origin."""
    seen = observed.values[~observed.missing]
    first, last, base = int(seen.min()), int(seen.max()), UNITS[observed.base]
    fitting = [unit for unit in UNITS if UNITS[unit] >= base and not (seen % (UNITS[unit] // base)).any()]
    unit = fitting[0]
    while (last - first) * base // UNITS[unit] >= 2**52:
        unit = list(UNITS)[list(UNITS).index(unit) - 1]
    return unit, 0 if observed.kind == "duration" else first * base // UNITS[unit]


def _is_local(observed, where):
    """Return whether dates are to be counted in the local time of their zone."""
    if observed.kind != "date":
        return False
    try:
        zone = zone_of(observed.dtype)
    except ValueError as error:
        raise ValueError(f"{where} has dtype {observed.dtype}: {error}; convert it to the time zone 'UTC'") from None
    if zone is None:
        return False
    return is_rather_local(observed.values[~observed.missing], PER_SECOND[observed.base], zone)


def _local(observed, dtype=None):
    """Return dates in the local time of the zone of their dtype, or of another one."""
    zone = zone_of(observed.dtype if dtype is None else dtype)
    return replace(observed, values=to_local(observed.values, PER_SECOND[observed.base], zone))


def _periods(unit):
    """Return for how many units clock times often come back; nothing without a unit."""
    if unit is None:
        return ()
    return tuple(count * UNITS[longer] // UNITS[unit] for longer, counts in CLOCK.items() for count in counts)


def _counts(observed, unit, origin):
    """Return times as counts of `unit` from the origin on, float64 with NaN for missing ones."""
    base = "ns" if unit == "ns" else "us"
    values = observed.values
    if base != observed.base:
        values = values // 1000 if base == "us" else values * 1000
    per = UNITS[unit] // UNITS[base]
    cells = (values - int(origin) * per) / per
    return np.where(observed.missing, np.nan, cells)


@dataclass(frozen=True)
class Columns:
    """The columns of a table, and what kind of table they came in.

    Attributes
    ----------
    columns : tuple of Column
    frame : {"pandas", "polars"} or None
        None for arrays.
    dtype : str
        Of an array that comes back: "object", "str", or a float dtype; "" for frames.
    """

    columns: tuple[Column, ...]
    frame: Literal["pandas", "polars"] | None
    dtype: str

    def __len__(self):
        return len(self.columns)

    def __iter__(self):
        return iter(self.columns)

    def __getitem__(self, index):
        return self.columns[index]

    @classmethod
    def read(cls, records, table):
        """Return the columns that `to_json` made the list of dicts from, one for each; `table` has the other fields."""
        return cls(tuple(from_json(Column, record) for record in records), table["frame"], table["dtype"])

    @classmethod
    def fit(cls, X, categorical_features="from_dtype"):
        """Learn the columns of a table.

        Parameters
        ----------
        X : pandas or polars DataFrame, or ndarray of shape (n, p) of numbers, strings or objects
        categorical_features : "from_dtype", None, array of bool of shape (p,), of int, or of names
            The columns that are categories. "from_dtype": categories, strings, enumerations, and columns of objects
            that are strings. None: none.

        Returns
        -------
        columns : Columns
        cells : ndarray of shape (n, p)
            float64; for an array of numbers without categories X itself.

        Raises
        ------
        ValueError, TypeError
            For a column that cannot be one.
        """
        frame = frame_of(X)
        names = _names(X, frame)
        if len(X) == 0 or len(names) == 0:
            what = "sample" if len(X) == 0 else "feature"
            raise ValueError(f"Found array with 0 {what}(s) (shape={X.shape}) while a minimum of 1 is required.")
        chosen = chosen_columns(categorical_features, names, len(names))
        from_dtype = isinstance(categorical_features, str)
        plain = frame is None and X.dtype.kind not in "OUS"
        as_it_is = plain and not chosen.any()
        cells = X if as_it_is else np.empty(X.shape, dtype=np.float64)
        found = []
        for index, name in enumerate(names):
            where = call(name, index)
            observed = read(_series(X, frame, index), where)
            if observed.kind == "label" and not (from_dtype or chosen[index]):
                raise ValueError(
                    f"{where} holds categories ({observed.dtype}), but categorical_features={categorical_features!r} "
                    "does not name it; pass categorical_features='from_dtype', or name it there"
                )
            if chosen[index] and observed.kind in NUMERIC:
                codes, levels = as_levels(observed)
                observed = Observed("label", observed.dtype, codes, observed.missing, levels)
            elif chosen[index] and observed.base:
                raise ValueError(f"{where} holds times ({observed.dtype}); it cannot be a category")
            column, part = Column.fit(name, observed, where)
            found.append(column)
            if not as_it_is:
                cells[:, index] = part
        dtype = ""
        if frame is None:
            dtype = {"O": "object", "U": "str", "S": "str"}.get(X.dtype.kind, "float64")
            dtype = X.dtype.name if X.dtype.kind == "f" and X.dtype.itemsize >= 4 else dtype
        return cls(tuple(found), frame, dtype), cells

    def warn_of_names(self, cells):
        """Warn of columns of strings that are dates or numbers, or that name or number the rows of the cells (n, p).

        A level that occurs once tells nothing of other rows, and what is drawn are levels of `fit`.
        """
        for index, column in enumerate(self):
            if column.kind == "integer" and _numbers_rows(cells[:, index]):
                warn_user(
                    f"{call(column.name, index)} holds another whole number in each of the {len(cells)} rows, from "
                    f"{column.origin + cells[:, index].min():.0f} to {column.origin + cells[:, index].max():.0f}, as "
                    "row numbers do. If it only numbers the rows, drop it: nothing can be learned of it"
                )
            n_seen = round(len(cells) * (1 - column.missing))
            chosen = column.dtype in ("category", "Categorical", "Enum")  # by a user who knows that it is a category
            if column.kind != "category" or chosen or not all(isinstance(each, str) for each in column.levels):
                continue
            where, n_levels = call(column.name, index), sum(each > 0 for each in column.frequencies)
            if advice := advice_for_texts(column.levels):
                warn_user(f"{where} is taken for a category, which knows no order of its levels. {advice}")
            elif n_seen >= LEAST_NAMES and n_levels > NAMES_SHARE * n_seen:
                warn_user(
                    f"{where} has {len(column.levels)} levels in {n_seen} rows, nearly all of them different, as names "
                    "have. Nothing can be learned of such a category: drop the column, or group its levels"
                )

    def cells(self, X, handle_unknown="error"):
        """Return the cells of a later table: float64 (n, p), or X itself for an array of numbers without categories.

        Raises
        ------
        ValueError, TypeError
            For a table without rows, another number of columns, other names or another order, other kinds, levels that
            `fit` did not see (see `handle_unknown`), and infinite values.
        """
        frame = frame_of(X)
        names = _names(X, frame)
        if len(X) == 0:
            raise ValueError(
                f"X holds no row: found array with 0 sample(s) (shape={X.shape}) while a minimum of 1 is required."
            )
        if len(names) != len(self):
            raise ValueError(f"X has {len(names)} columns, but fit saw {len(self)}")
        if frame is not None and self.frame is not None and names != [column.name for column in self]:
            raise ValueError(f"X has columns {names}, but fit saw {[column.name for column in self]}, in this order")
        plain = frame is None and X.dtype.kind not in "OUS" and all(column.kind in NUMERIC for column in self)
        cells = X if plain else np.empty(X.shape, dtype=np.float64)
        for index, column in enumerate(self):
            where = call(column.name, index)
            part = column.cells(read(_series(X, frame, index), where), where, handle_unknown)
            if not plain:
                cells[:, index] = part
        return cells

    @property
    def names(self):
        """The names of the columns, each None where they came in an array."""
        return [column.name for column in self]

    @property
    def usual(self):
        """Root mean squares (p,) of the cells of numbers in `fit`; infinity for constant and for other columns."""
        measured = [column.kind in NUMERIC and column.std > 0 for column in self]
        return np.array([np.hypot(c.mean, c.std) if each else np.inf for c, each in zip(self, measured)])

    def restore(self, cells):
        """Return cells (n, p) as a table like the one that `fit` saw: names, order, dtypes, levels, missing cells."""
        parts = [column.restore(cells[:, index], self.frame) for index, column in enumerate(self)]
        if self.frame == "pandas":
            pandas = nw.Implementation.PANDAS.to_native_namespace()
            frame = pandas.concat(parts, axis=1) if parts else pandas.DataFrame()
            frame.columns = [column.name for column in self]
            return frame
        if self.frame == "polars":
            polars = nw.Implementation.POLARS.to_native_namespace()
            return polars.DataFrame([part.alias(column.name) for part, column in zip(parts, self)])
        if self.dtype == "str" and not any(part.dtype.kind == "O" for part in parts):
            return np.stack(parts, axis=1)
        table = np.empty(cells.shape, dtype=object if self.dtype in ("object", "str") else self.dtype)
        for index, part in enumerate(parts):
            table[:, index] = part
        return table

    def check(self):
        """Raise ValueError for fields that no fit gives."""
        if self.frame == "polars" and not all(isinstance(column.name, str) for column in self):
            raise ValueError("columns of a frame have no names")
        if self.dtype not in {None: ("object", "str", "float32", "float64", "float128")}.get(self.frame, ("",)):
            raise ValueError("frame and dtype of columns do not go together")
        for column in self:
            column.check()


def frame_of(X):
    """Return "pandas" or "polars" for their data frames, None for anything else."""
    if nw.dependencies.is_pandas_dataframe(X):
        return "pandas"
    return "polars" if nw.dependencies.is_polars_dataframe(X) else None


def _numbers_rows(cells):
    """Return whether integers (n,) are all different and close to each other, as the numbers of rows are."""
    n = len(cells)
    is_close = n >= LEAST_NUMBERS and n - 1 <= np.ptp(cells) < NUMBERS_RANGE * n
    return is_close and len(np.unique(cells)) == n


def call(name, index):
    """Return what messages call a column."""
    return f"column {index}" if name is None else f'column "{name}"'


def _names(X, frame):
    """Return the names of the columns, None for those of arrays."""
    if frame is None:
        return [None] * X.shape[1]
    names = list(X.columns)
    others = [name for name in names if not isinstance(name, (str, int, np.integer))]
    if others:
        raise TypeError(f"X has a column named {others[0]!r}; names must be strings or integers")
    twice = sorted({str(name) for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"X has several columns named {', '.join(twice)}; names must be distinct")
    return [name if isinstance(name, str) else int(name) for name in names]


def _series(X, frame, index):
    if frame is None:
        return X[:, index]
    return X.iloc[:, index] if frame == "pandas" else X.to_series(index)


def chosen_columns(categorical_features, names, n_columns):
    """Return which columns the parameter `categorical_features` names: ndarray (n_columns,) of bool.

    Raises
    ------
    ValueError
        For masks of another length, indices out of range and unknown names, with what there is.
    """
    chosen = np.zeros(n_columns, dtype=bool)
    if categorical_features is None or isinstance(categorical_features, str):
        if categorical_features not in (None, "from_dtype"):
            raise ValueError(f"categorical_features={categorical_features!r} must be 'from_dtype', None, or array-like")
        return chosen
    given = np.asarray(categorical_features)
    if given.size == 0:
        return chosen
    if given.ndim != 1 or given.dtype.kind not in "biuUO":
        raise ValueError(
            "categorical_features must be an array-like of bool, int or str, one-dimensional, got: "
            f"{given.dtype.name}, {given.ndim} dimension(s)"
        )
    if given.dtype.kind == "b":
        if len(given) != n_columns:
            raise ValueError(
                f"categorical_features set as a boolean mask must have shape (n_features,), got: {given.shape} for "
                f"{n_columns} columns"
            )
        return given
    if given.dtype.kind in "UO":
        known = {name: index for index, name in enumerate(names) if name is not None}
        if not known:
            raise ValueError("categorical_features should be passed as an array of integers or a mask: X has no names")
        unknown = [name for name in given.tolist() if name not in known]
        if unknown:
            raise ValueError(f"categorical_features has an item value {unknown[0]!r} which is not a valid feature name")
        chosen[[known[name] for name in given.tolist()]] = True
        return chosen
    if given.min() < 0 or given.max() >= n_columns:
        raise ValueError(
            f"categorical_features set as integer indices must be in [0, n_features - 1]; X has {n_columns}"
        )
    chosen[given] = True
    return chosen

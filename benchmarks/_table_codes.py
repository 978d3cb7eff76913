"""Mixed frames as numbers and back, for measures and for peers that take only numbers; plain dtypes for other peers."""

import numpy as np
import pandas as pd
from pandas.api import types


def _is_category(values):
    return isinstance(values.dtype, pd.CategoricalDtype) or types.is_bool_dtype(values.dtype)


def _levels(values):
    """Return the levels of a category or of booleans, as a list."""
    return list(values.cat.categories) if isinstance(values.dtype, pd.CategoricalDtype) else [False, True]


def category_names(frame):
    """Return the names of the columns of categories and booleans."""
    return [name for name in frame if _is_category(frame[name])]


def _seconds(values):
    return values.astype("datetime64[us]").astype("int64").to_numpy() / 1e6


def _numbers(values):
    """Return a column of numbers or times as float64, seconds for times, nan for missing cells."""
    if types.is_datetime64_any_dtype(values.dtype):
        return np.where(values.isna(), np.nan, _seconds(values))
    return values.to_numpy(dtype=float, na_value=np.nan)


def to_codes(frame, like):
    """Return the frame as float64 (n, columns): the index of the level in the frame `like`, or the number.

    A missing category is -1, a missing number nan. A level that `like` does not have is an error.
    """
    columns = []
    for name in like:
        if not _is_category(like[name]):
            columns.append(_numbers(frame[name]))
            continue
        codes = pd.Categorical(frame[name], categories=_levels(like[name])).codes.astype(float)
        if ((codes < 0) & frame[name].notna().to_numpy()).any():
            raise ValueError(f"column {name!r} has levels other than {_levels(like[name])}")
        columns.append(codes)
    return np.stack(columns, axis=1)


def from_codes(codes, like):
    """Return a frame with the columns and dtypes of `like` from an array as `to_codes` makes it."""
    columns = {}
    for name, values in zip(like, codes.T):
        if _is_category(like[name]):
            levels = np.array([*_levels(like[name]), None], dtype=object)  # index -1 is the missing cell
            columns[name] = levels[values.astype(int)]
        else:
            columns[name] = values
    return conform(pd.DataFrame(columns), like)


def to_plain(frame):
    """Return the frame with object strings, booleans, float64 and times only: what every peer can read."""
    columns = {}
    for name, values in frame.items():
        if isinstance(values.dtype, pd.CategoricalDtype):
            columns[name] = values.astype(object).where(values.notna(), None)
        elif types.is_bool_dtype(values.dtype):
            columns[name] = values.astype(bool)
        elif types.is_datetime64_any_dtype(values.dtype):
            columns[name] = values.astype("datetime64[ns]")
        elif values.isna().any():
            columns[name] = values.astype(float)
        else:
            columns[name] = values.astype(values.dtype.name.lower())
    return pd.DataFrame(columns, index=frame.index)


def conform(drawn, like):
    """Return the drawn frame with the columns, order and dtypes of `like`.

    Whole numbers are rounded; a level that `like` does not have becomes a missing cell.
    """
    columns = {}
    for name, pattern in like.items():
        values = drawn[name].reset_index(drop=True)
        if isinstance(pattern.dtype, pd.CategoricalDtype):
            columns[name] = pd.Categorical(values, categories=_levels(pattern), ordered=pattern.cat.ordered)
        elif types.is_bool_dtype(pattern.dtype):
            columns[name] = values.map({True: True, False: False, "True": True, "False": False}).astype(bool)
        elif types.is_datetime64_any_dtype(pattern.dtype):
            if not types.is_datetime64_any_dtype(values.dtype):
                values = pd.to_datetime(values.astype(float), unit="s")
            columns[name] = values.astype(pattern.dtype)
        elif types.is_integer_dtype(pattern.dtype):
            columns[name] = values.astype(float).round().astype(pattern.dtype)
        else:
            columns[name] = values.astype(float)
    return pd.DataFrame(columns)


class Dummies:
    """Blocks of one-hot levels, standardised numbers, and an indicator for each column of numbers with missing cells.

    A missing category is a level of its own; a missing number is the mean of its column.
    """

    def __init__(self, frame):
        self.like = frame.iloc[:0]
        codes = to_codes(frame, frame)
        self.seen = [np.unique(column[~np.isnan(column)]) for column in codes.T]
        self.mean, self.std = np.nanmean(codes, axis=0), np.nanstd(codes, axis=0)
        self.std[self.std == 0] = 1
        self.is_category = np.isin(frame.columns, category_names(frame))
        self.has_missing = frame.isna().any().to_numpy()

    def transform(self, frame):
        """Return the rows as float64 (n, width)."""
        blocks = []
        for j, values in enumerate(to_codes(frame, self.like).T):
            if self.is_category[j]:
                blocks.append(values[:, None] == self.seen[j])
                continue
            scaled = (values - self.mean[j]) / self.std[j]
            blocks.append(np.nan_to_num(scaled)[:, None])
            if self.has_missing[j]:
                blocks.append(np.isnan(values)[:, None])
        return np.concatenate(blocks, axis=1).astype(float)

    def inverse_transform(self, rows):
        """Return the frame whose categories have the largest value and whose numbers are the nearest that were seen."""
        columns, start = [], 0
        for j, seen in enumerate(self.seen):
            if self.is_category[j]:
                columns.append(seen[rows[:, start : start + len(seen)].argmax(axis=1)])
                start += len(seen)
                continue
            values = nearest_seen(rows[:, start] * self.std[j] + self.mean[j], seen)
            start += 1
            if self.has_missing[j]:
                values = np.where(rows[:, start] > 0.5, np.nan, values)
                start += 1
            columns.append(values)
        return from_codes(np.stack(columns, axis=1), self.like)


def nearest_seen(values, seen):
    """Return the member of the sorted array `seen` that is nearest to each value."""
    middles = (seen[1:] + seen[:-1]) / 2
    return seen[np.searchsorted(middles, values)]

"""Values and frozen dataclasses of declared types from JSON, which may come from anywhere and is checked.

Types are written as in annotations: bool, int (from 0 to 2⁶³), float (any, also NaN), str, dict, None, ``Literal``,
``X | Y``, lists, tuples and frozen dataclasses. msgspec was compared: it would replace thirty of these lines, but it
ignores unknown keys of dataclasses and keys that are there twice, and knows neither numpy's numbers nor bounds that
depend on the file.
"""

import math
from contextlib import suppress
from dataclasses import MISSING, dataclass, fields, is_dataclass
from numbers import Real
from types import MappingProxyType, NoneType, UnionType
from typing import Literal, Union, get_args, get_origin


@dataclass(frozen=True)
class Limits:
    """What is in a file, which bounds what it can ask for.

    Attributes
    ----------
    n_values, n_arrays : int
        Values and arrays of `weights_`.
    names : frozenset of str
        The fitted attributes that are there.
    """

    n_values: int
    n_arrays: int
    names: frozenset


def require(condition, what):
    """Raise ValueError unless the condition holds."""
    if not condition:
        raise ValueError(f"what it holds does not go together: {what}")


def from_json(kind, data, limits=None, bounds=MappingProxyType({})):
    """Return the frozen dataclass `kind` that `to_json` made the dict from; ValueError for any other data.

    Parameters
    ----------
    kind : type
        From a module without ``from __future__ import annotations``: a type that is a string would have to be run.
    data : object
        As JSON has it.
    limits : Limits, default=None
        Of the file that the data come from; None leaves sizes unchecked.
    bounds : dict of callable, optional
        (value, limits) → whether the value can be, by the name of a field. For other fields it is :func:`sizes`.
    """
    types = {field.name: field.type for field in fields(kind)}
    optional = {field.name for field in fields(kind) if field.default is not MISSING}
    check_keys(data, set(types) - optional, optional)
    found = {}
    for name, part in types.items():
        if name not in data:
            continue
        try:
            found[name] = convert(data[name], part, limits, bounds)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        if limits is not None and found[name] is not None and not bounds.get(name, sizes)(found[name], limits):
            raise ValueError(f"{name}={found[name]!r:.80} cannot be with the arrays that there are")
    return kind(**found)


def convert(value, kind, *limits):
    """Return a value as the type `kind`, lists as tuples and dicts as dataclasses; ValueError if it is of another.

    `limits` are those of :func:`from_json`, and the bounds.
    """
    origin, options = get_origin(kind), get_args(kind)
    if origin is Literal and any(type(value) is type(option) and value == option for option in options):
        return value
    if origin in (Union, UnionType):
        for option in options:
            with suppress(ValueError):
                return convert(value, option, *limits)
    elif origin is tuple and isinstance(value, (list, tuple)):
        kinds = options[:1] * len(value) if options[1:] == (...,) else options
        if len(kinds) == len(value):
            return tuple(map(convert, value, kinds))
    elif origin is list and isinstance(value, list):
        return [convert(item, options[0]) for item in value]
    elif is_dataclass(kind):
        return from_json(kind, value, *limits)
    elif _is_plain(value, kind):
        return value
    raise ValueError(f"{value!r:.80} is not of the type {getattr(kind, '__name__', kind)}")


def _is_plain(value, kind):
    if kind is int:
        return type(value) is int and 0 <= value < 2**63  # numpy's would overflow in a product
    if kind is float:
        return isinstance(value, Real) and not isinstance(value, bool)
    return kind in (bool, str, dict, NoneType) and type(value) is kind


def check_keys(data, keys, optional=()):
    """Raise ValueError unless the data are a dict with exactly these keys, and perhaps some of the optional ones."""
    if not isinstance(data, dict) or not set(keys) <= set(data) <= {*keys, *optional}:
        raise ValueError(f"expected {', '.join(sorted(keys))}")


def sizes(value, limits):
    """Return whether integers, in tuples too, are from 1 to the number of values in the file.

    A tuple is no longer than three, or than as many layers as there are pairs of arrays.
    """
    if isinstance(value, tuple):
        return len(value) <= max(3, limits.n_arrays // 2) and all(sizes(item, limits) for item in value)
    return type(value) is not int or 1 <= value <= max(1, limits.n_values)


def between(low, high):
    """Return a bound for numbers in [low, high]."""
    return lambda value, limits: low <= value <= high


def from_zero(value, limits):
    """Return whether an integer is 0 or a size."""
    return value == 0 or sizes(value, limits)


def layers(n_arrays):
    """Return a bound for a number of layers with at least so many arrays each."""
    return lambda value, limits: value <= limits.n_arrays // n_arrays


share = between(0, math.nextafter(1, 0))

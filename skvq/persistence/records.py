"""Frozen dataclasses as JSON-able data, and back."""

import types
import typing
from dataclasses import fields, is_dataclass


def to_json(record):
    """Return a dataclass of numbers, strings, tuples and other dataclasses as a JSON-able dict."""
    return {field.name: _plain(getattr(record, field.name)) for field in fields(record)}


def _plain(value):
    if is_dataclass(value):
        return to_json(value)
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value


def from_json(kind, data):
    """Return the dataclass `kind` that :func:`to_json` made the dict from; missing fields keep their defaults."""
    hints = typing.get_type_hints(kind)
    return kind(**{name: _typed(hints[name], value) for name, value in data.items()})


def _typed(hint, value):
    if isinstance(hint, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    if is_dataclass(hint) and value is not None:
        return from_json(hint, value)
    return _as_tuple(value) if isinstance(value, list) else value


def _as_tuple(value):
    return tuple(_as_tuple(item) for item in value) if isinstance(value, list) else value

"""Columns of a fitted estimator in a file: a line of JSON for each, and the pieces of all marginals as one array."""

import json

import numpy as np

from ...persistence.container import Info
from ...persistence.kinds import Kind
from ...persistence.records import check_keys, from_json, require
from ...persistence.values import decode
from ..layout import known_frame
from .columns import Column, Columns
from .layout import SCALINGS, blocks_of, is_numeric

PIECES = ("left", "right", "mass")
MOST_COLUMNS = 2**18


def _expected(estimator, found):
    if set(found) != {"text", "pieces"}:
        raise ValueError("columns_ has other arrays")
    return {"text": Info("uint8", found["text"].shape[:1]), "pieces": Info("float64", (*found["pieces"].shape[:1], 3))}


def _pack(columns):
    lines, pieces = [], [np.empty((0, 3))]
    for column in columns:
        marginal = column["marginal"]
        if marginal is not None:
            pieces.append(np.stack([marginal[name] for name in PIECES], axis=1))
            marginal = {name: value for name, value in marginal.items() if name not in PIECES} | {
                "left": len(pieces[-1])
            }
        lines.append(json.dumps(column | {"marginal": marginal}))
    text = "\n".join(lines).encode()
    return {"text": np.frombuffer(text, dtype=np.uint8).copy(), "pieces": np.concatenate(pieces)}


def _unpack(found):
    columns, pieces, start = [], found["pieces"], 0
    lines = found["text"].tobytes().decode().split("\n")
    if len(lines) > MOST_COLUMNS:
        raise ValueError(f"{len(lines)} columns are too many")
    for line in lines:
        column = decode(line)
        marginal = column["marginal"]
        if marginal is not None:
            stop = start + int(marginal.pop("left"))
            if not start < stop <= len(pieces):
                raise ValueError("columns_ has another number of pieces")
            marginal |= dict(zip(PIECES, pieces[start:stop].T.tolist()))
            start = stop
        from_json(Column, column).check()
        columns.append(column)
    if start != len(pieces):
        raise ValueError("columns_ has another number of pieces")
    return columns


COLUMNS = Kind(_expected, _pack, _unpack)


def check_columns(estimator, *further):
    """Return the Columns of an estimator that is read; ValueError where they do not go with the rest of it.

    `further` are the keys of `_table_in` beside "frame" and "dtype".
    """
    table = estimator._table_in
    check_keys(table, {"frame", "dtype", *further})
    require(table["frame"] in ("pandas", "polars", None), "_table_in")
    columns = Columns.read(estimator.columns_, table)
    columns.check()
    require(len(columns) == estimator.n_features_in_, "columns_ and n_features_in_")
    return columns


def check_table(estimator):
    """Raise ValueError where the columns, or the frame, of a transformer that is read do not go with the rest of it."""
    require(hasattr(estimator, "_frame_in") == hasattr(estimator, "_frame_names"), "_frame_in and _frame_names")
    if (frame := known_frame(estimator)) is not None:
        require(not (hasattr(estimator, "_table_in") or estimator._images_in), "_frame_in, _table_in and _images_in")
        frame.check()
    require(hasattr(estimator, "columns_") == hasattr(estimator, "_table_in"), "columns_ and _table_in")
    if not hasattr(estimator, "columns_"):
        return
    columns, scaling = check_columns(estimator, "scaling"), estimator._table_in["scaling"]
    require(scaling in SCALINGS, "_table_in")
    require((scaling == "normal") != is_numeric(columns), "columns_ and _table_in")
    sizes = estimator.architecture_.get("sizes", estimator.architecture_)
    require(list(sizes["row_shape"]) == [blocks_of(columns)[-1].stop], "columns_ and architecture_")

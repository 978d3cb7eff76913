"""Columns as arrays of a file, and files that hold other columns than a fit gives."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import skvq
from skvq.core.parameters import to_json
from skvq.core.tables.columns import Columns
from skvq.core.tables.saved import COLUMNS, check_table
from skvq.persistence.container import infos_of

sys.path.insert(0, str(Path(__file__).parent))
import mixed_tables as tables

FRAME = tables.mixed_frame(60)


def packed(frame=FRAME):
    columns, _ = Columns.fit(frame)
    described = [to_json(column) for column in columns]
    return described, COLUMNS.pack(described)


@pytest.mark.parametrize("frame", [FRAME, pd.DataFrame(tables.pandas_columns()), pd.DataFrame({-1: ["a", "b"]})])
def test_columns_come_back_from_their_arrays(frame):
    described, arrays = packed(frame)
    assert COLUMNS.expected(None, infos_of(arrays)) == infos_of(arrays)
    assert COLUMNS.unpack(arrays) == described


def test_the_description_stays_small_however_many_pieces_marginals_have():
    rng = np.random.default_rng(0)
    _, arrays = packed(pd.DataFrame(rng.normal(size=(3000, 5))))
    assert len(arrays["text"]) < 5 * 500
    assert len(arrays["pieces"]) > 5 * 200


def changed(text):
    arrays = packed()[1]
    found = text(arrays["text"].tobytes().decode())
    return arrays | {"text": np.frombuffer(found.encode(), dtype=np.uint8)}


@pytest.mark.parametrize(
    "text",
    [
        lambda text: text.replace('"kind": "category"', '"kind": "other"', 1),
        lambda text: text.replace('"levels"', '"steps"', 1),
        lambda text: text.replace('"ordered": false', '"ordered": 0', 1),
        lambda text: text.replace('"left": ', '"left": 1', 1),
        lambda text: text.replace('"left": ', '"left": -', 1),
        lambda text: text.replace('"unit": "D"', '"unit": "Y"', 1),
        lambda text: text.replace('"dtype": "int64"', '"dtype": "__import__(\\"os\\")"', 1),
        lambda text: "\n".join(text.split("\n")[:-1]),
        lambda text: text + "\n",
        lambda text: text[: len(text) // 2],
        lambda text: "[" * 100,
        lambda text: "{}",
    ],
)
def test_other_text_is_refused(text):
    with pytest.raises((ValueError, KeyError, TypeError)):
        COLUMNS.unpack(changed(text))


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e9])
def test_other_pieces_are_refused(value):
    _, arrays = packed()
    pieces = arrays["pieces"].copy()
    pieces[2] = value
    with pytest.raises(ValueError, match="a marginal's"):
        COLUMNS.unpack(arrays | {"pieces": pieces})
    with pytest.raises(ValueError, match="another number of pieces"):
        COLUMNS.unpack(arrays | {"pieces": arrays["pieces"][:-1]})


def model(frame=FRAME):
    return skvq.AutoEncoderTransformer(2, hidden_layer_sizes=(), max_iter=1, random_state=0).fit(frame)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("_table_in", {"frame": "pandas", "dtype": "", "scaling": "standard"}),
        ("_table_in", {"frame": "spark", "dtype": "", "scaling": "normal"}),
        ("_table_in", {"frame": "pandas", "dtype": "float64", "scaling": "normal"}),
        ("_table_in", {"frame": None, "dtype": "complex", "scaling": "normal"}),
        ("_table_in", {"frame": "pandas", "dtype": ""}),
        ("n_features_in_", 6),
        ("columns_", "fewer"),
        ("columns_", "missing"),
    ],
)
def test_columns_that_do_not_go_with_the_rest_are_refused(attribute, value):
    fitted = model()
    check_table(fitted)
    if value == "missing":
        del fitted.columns_
    else:
        setattr(fitted, attribute, fitted.columns_[:-1] if value == "fewer" else value)
    with pytest.raises(ValueError, match=r"go together|expected|do not"):
        check_table(fitted)


def test_a_model_of_a_table_with_other_features_is_refused():
    fitted = model()
    fitted.columns_ = [*fitted.columns_[:-1], fitted.columns_[2]]
    with pytest.raises(ValueError, match="columns_ and architecture_"):
        check_table(fitted)

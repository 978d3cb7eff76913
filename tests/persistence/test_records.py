"""Frozen dataclasses and values out of JSON of any kind."""

import json
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytest

from skvq.core.parameters import to_json
from skvq.persistence.records import Limits, between, convert, from_json, from_zero, layers, share

FEW = Limits(n_values=100, n_arrays=12, names=frozenset())


@dataclass(frozen=True)
class Head:
    n_heads: int


@dataclass(frozen=True)
class Network:
    shape: tuple[int, int]
    widths: tuple[int, ...]
    kind: Literal["dense", "sparse"]
    dropout: float
    tied: bool
    seed: int | None
    head: Head


GOOD = {
    "shape": [2, 3],
    "widths": [],
    "kind": "dense",
    "dropout": 0.5,
    "tied": False,
    "seed": None,
    "head": {"n_heads": 4},
}


def test_a_dataclass_comes_back_from_what_json_makes_of_it():
    network = from_json(Network, GOOD)
    assert network == Network((2, 3), (), "dense", 0.5, False, None, Head(4))
    assert to_json(network) == GOOD
    assert from_json(Network, json.loads(json.dumps(to_json(network)))) == network


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("shape", [2]), ("shape", [2, 3, 4]), ("shape", "23"), ("shape", [2.0, 3]), ("shape", None), ("widths", 4),
        ("widths", [True]), ("widths", [-1]), ("widths", [2**63]), ("widths", [np.uint8(3)]), ("kind", "Dense"),
        ("kind", 0), ("kind", ["dense"]), ("dropout", "0.5"), ("dropout", True), ("dropout", None), ("tied", 0),
        ("tied", "False"), ("seed", 1.5), ("seed", False), ("head", 4), ("head", {}), ("head", {"n_heads": "4"}),
        ("head", {"n_heads": 4, "more": 1}),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused_by_the_name_of_its_field(name, value):
    with pytest.raises(ValueError, match=name):
        from_json(Network, GOOD | {name: value})


@pytest.mark.parametrize("data", [GOOD | {"more": 1}, {"shape": [2, 3]}, {}, [], None, "shape"])
def test_missing_and_unknown_keys_are_refused(data):
    with pytest.raises(ValueError, match=re.escape("expected dropout, head, kind, seed, shape, tied, widths")):
        from_json(Network, data)


def test_literals_are_of_the_type_that_they_are_written_in():
    assert convert(1, Literal[1, "a"]) == 1
    for value in (True, 1.0, "1"):
        with pytest.raises(ValueError, match="is not of the type"):
            convert(value, Literal[1, "a"])


def test_sizes_are_within_what_the_file_holds():
    within = {"shape": [100, 1], "widths": [7] * 6, "head": {"n_heads": 100}}
    assert from_json(Network, GOOD | within, FEW).shape == (100, 1)
    beyond = {"shape": [101, 1], "widths": [7] * 7, "head": {"n_heads": 101}, "seed": 0}
    for name, value in beyond.items():
        with pytest.raises(ValueError, match=f"{name}.*=.* cannot be with the arrays that there are"):
            from_json(Network, GOOD | {name: value}, FEW)
        assert from_json(Network, GOOD | {name: value}) is not None  # from JSON that is trusted


@pytest.mark.parametrize(
    ("bound", "accepted", "refused"),
    [(between(2, 5), [2, 5], [1, 6]), (from_zero, [0, 100], [101]), (layers(4), [0, 3], [4])],
)
def test_a_bound_takes_the_place_of_the_size_of_the_file(bound, accepted, refused):
    for value in accepted:
        assert from_json(Network, GOOD | {"seed": value}, FEW, {"seed": bound}).seed == value
    for value in refused:
        with pytest.raises(ValueError, match="seed="):
            from_json(Network, GOOD | {"seed": value}, FEW, {"seed": bound})


def test_bounds_hold_for_fields_of_dataclasses_inside_too():
    with pytest.raises(ValueError, match="head: n_heads=4"):
        from_json(Network, GOOD, FEW, {"n_heads": between(5, 6)})


def test_a_share_is_below_one():
    for value in (1.0, -0.1, float("nan")):
        with pytest.raises(ValueError, match="dropout="):
            from_json(Network, GOOD | {"dropout": value}, FEW, {"dropout": share})

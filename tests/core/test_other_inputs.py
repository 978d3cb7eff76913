"""Inputs that people have from other libraries, and that are no arrays."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from skvq import AutoEncoderTransformer, MLPRegressor, OrderlessNADE, PixelCNN, VAETransformer, VQVAETransformer

ROWS = np.random.default_rng(0).random((20, 6))
DATA = torch.utils.data.TensorDataset(torch.from_numpy(ROWS))
ESTIMATORS = [AutoEncoderTransformer, VAETransformer, VQVAETransformer, PixelCNN, OrderlessNADE, MLPRegressor]


class Picture:
    """What an image of PIL tells of itself."""

    def __init__(self, size):
        self.size = size

    def getbands(self):
        return ("L",)


@pytest.mark.parametrize("kind", [OrderlessNADE, MLPRegressor])
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: (ROWS[i : i + 5] for i in range(0, 20, 5)), r"a generator was passed.*np.concatenate\(list\(X\)\)"),
        (lambda: iter(ROWS), "partial_fit"),
        (lambda: DATA, r"a TensorDataset was passed.*np.stack\(\[row for row, \*_ in X\]\)"),
        (lambda: torch.utils.data.DataLoader(DATA), r"a DataLoader was passed.*np.concatenate\(\[batch for batch"),
    ],
)
def test_rows_one_after_the_other_are_refused_with_the_way_to_an_array(kind, make, message):
    y = ROWS[:, 0] if kind is MLPRegressor else None
    with pytest.raises(TypeError, match=message):
        kind(max_iter=1).fit(make(), y)


def test_the_advice_gives_an_array():
    X = np.stack([row for row, *_ in DATA])
    np.testing.assert_array_equal(X, ROWS)
    X = torch.utils.data.DataLoader(DATA, batch_size=6)
    np.testing.assert_array_equal(np.concatenate([batch for batch, *_ in X]), ROWS)


@pytest.mark.parametrize("kind", ESTIMATORS[:3])
@pytest.mark.parametrize("X", [["a.png", "b.png"], [Path("a.png"), Path("b.png")]])
def test_names_of_files_are_told_from_what_is_in_them(kind, X):
    with pytest.raises(ValueError, match=r"X holds strings or paths, such as .*a\.png.*read the files first"):
        kind().fit(X)


@pytest.mark.parametrize("kind", ESTIMATORS[:3])
def test_pictures_of_several_sizes_are_to_be_resized(kind):
    with pytest.raises(ValueError, match=r"2 different sizes, such as \(3, 4\) and \(5, 6\); bring them to one size"):
        kind().fit([Picture((3, 4)), Picture((5, 6)), Picture((3, 4))])


@pytest.mark.parametrize("kind", [AutoEncoderTransformer, VAETransformer, VQVAETransformer, OrderlessNADE])
@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([{"a": 1.0, "b": 2.0}] * 20, r"X is a list of dicts; .*pandas\.DataFrame\(X\)"),
        (pl.LazyFrame({"a": [1.0, 2.0]}), r"X is a LazyFrame.*X\.collect\(\)"),
        (np.full((20, 2), "2020-01-01", dtype="datetime64[D]"), r"datetime64.*pandas\.DataFrame\(X\)"),
    ],
)
def test_tables_in_other_clothes_are_refused_with_the_way_to_a_frame(kind, X, message):
    with pytest.raises((TypeError, ValueError), match=message):
        kind(max_iter=1).fit(X)

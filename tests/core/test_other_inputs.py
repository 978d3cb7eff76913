"""Inputs that people have from other libraries, and that are no arrays."""

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from PIL import Image

from skvq import (
    AutoEncoderTransformer,
    MLPClassifier,
    MLPRegressor,
    OrderlessNADE,
    PixelCNN,
    VAETransformer,
    VQVAETransformer,
)
from skvq.training.batches import as_array

ROWS = np.random.default_rng(0).random((20, 6))
DATA = torch.utils.data.TensorDataset(torch.from_numpy(ROWS))
TRANSFORMERS = [AutoEncoderTransformer, VAETransformer, VQVAETransformer]
ESTIMATORS = [*TRANSFORMERS, PixelCNN, OrderlessNADE, MLPRegressor, MLPClassifier]


GREY = Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 16)).astype(np.uint8))
LABELLED = {MLPRegressor: ROWS[:, 0], MLPClassifier: np.arange(20) % 2}


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


NAMES = [["a.png", "b.png"], [Path("a.png"), Path("b.png")], np.array(["a.png", "b.png"])]
NAMES += [pd.Series(["a.png", "b.png"]), pl.Series(["a.png", "b.png"])]


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize("X", NAMES, ids=["strings", "paths", "array", "pandas", "polars"])
def test_names_of_files_are_told_from_what_is_in_them(kind, X):
    with pytest.raises(ValueError, match=r"X holds strings or paths, such as .a\.png.*read these first: np\.stack"):
        kind().fit(X, LABELLED.get(kind))


def test_words_of_one_column_are_a_table_once_they_are_a_column():
    words = ["cat", "dog"] * 20
    with pytest.raises(ValueError, match=r"one column of a table, pass np\.reshape\(X, \(-1, 1\)\)"):
        OrderlessNADE().fit(words)
    OrderlessNADE(max_iter=1).fit(np.reshape(words, (-1, 1)))


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize("series", [pd.Series, pl.Series], ids=["pandas", "polars"])
def test_a_single_column_is_to_be_a_frame(kind, series):
    with pytest.raises(ValueError, match=r"X is a Series, one column; pass a frame, X\.to_frame\(\)"):
        kind().fit(series(ROWS[:, 0]), LABELLED.get(kind))


@pytest.mark.parametrize("kind", ESTIMATORS[-3:])
def test_arrays_that_are_images_of_several_sizes_are_to_be_resized(kind):
    images = [np.zeros((20, 30)), np.zeros((30, 40))] * 10
    with pytest.raises(ValueError, match=r"2 different sizes, such as \(20, 30\) and \(30, 40\); bring them to one"):
        kind().fit(images, LABELLED.get(kind))


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize(
    ("images", "message"),
    [
        (GREY, r"X is one image of PIL; .*np\.stack.*np\.asarray\(X\)\[None\]"),
        (GREY.convert("RGB"), "X is one image of PIL"),
        (
            [GREY, GREY.resize((12, 16))],
            r"2 different sizes, such as \(12, 16\) and \(16, 12\); bring them to one",
        ),
        ([GREY, GREY.convert("RGB")], r"2 different kinds, such as L and RGB; pass np\.stack.*convert\('RGB'\)"),
        ([GREY.convert("P")] * 2, "images with a palette, whose pixels are numbers of colours.*convert"),
    ],
    ids=["grey", "colours", "sizes", "kinds", "palette"],
)
def test_images_of_pil_that_make_no_array_of_images_are_refused_with_what_to_pass(kind, images, message):
    with pytest.raises(ValueError, match=message):
        kind().fit(images, LABELLED.get(kind))


@pytest.mark.parametrize("kind", [OrderlessNADE, MLPRegressor])
def test_held_out_images_and_new_ones_are_named_as_they_were_passed(kind):
    y, of_mlp = LABELLED.get(kind), kind is MLPRegressor
    with pytest.raises(ValueError, match="^X_val is one image of PIL"):
        kind(max_iter=1).fit(ROWS, y, X_val=GREY, **({"y_val": y} if of_mlp else {}))
    model = kind(max_iter=1).fit(ROWS, y)
    with pytest.raises(ValueError, match="^X is one image of PIL"):
        model.predict(GREY) if of_mlp else model.transform(GREY)


def test_images_of_pil_of_one_size_are_images():
    model = AutoEncoderTransformer(2, max_iter=1).fit([GREY] * 20)
    assert model.image_shape_ == (12, 16)
    with pytest.raises(ValueError, match=r"X has shape \(20, 12, 16\).*flatten images.*X\.reshape\(20, -1\)"):
        MLPClassifier().fit([GREY] * 20, LABELLED[MLPClassifier])


def test_the_advice_about_images_of_pil_gives_an_array_of_images():
    images = [GREY, GREY.resize((30, 30)).convert("RGB")]
    stacked = np.stack([np.asarray(image.convert("RGB").resize((32, 32))) for image in images])
    assert stacked.shape == (2, 32, 32, 3)
    np.testing.assert_array_equal(np.asarray(GREY)[None][0], np.stack([np.asarray(image) for image in [GREY]])[0])


@pytest.mark.parametrize("kind", TRANSFORMERS)
def test_one_image_as_an_array_is_to_have_an_axis_more(kind):
    with pytest.raises(ValueError, match=r"image_shape=\(12, 16\) stands for 192.*; one image is X\[None\] here"):
        kind(image_shape=(12, 16)).fit(np.asarray(GREY))


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


@pytest.mark.parametrize("dtype", [np.float32, np.int64, object])
def test_masked_cells_are_missing(dtype):
    X = np.random.default_rng(0).integers(0, 9, (120, 3)).astype(dtype)
    mask = np.random.default_rng(1).random(X.shape) < 0.1
    masked = np.ma.MaskedArray(X, mask)
    holes = np.where(mask, None if dtype is object else np.nan, X)
    models = [OrderlessNADE(max_iter=2, random_state=0).fit(each) for each in (masked, holes)]
    np.testing.assert_array_equal(*(model.score_samples(masked) for model in models))
    assert all(column["missing"] > 0 for column in models[0].columns_)


def test_a_masked_array_without_a_masked_cell_keeps_its_dtype():
    assert as_array(np.ma.MaskedArray(np.zeros((2, 3), np.uint8))).dtype == np.uint8

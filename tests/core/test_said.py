"""Errors and warnings about data say what to do, in the names that the user knows."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from skvq import (
    AutoEncoderTransformer,
    CausalTransformer,
    MLPClassifier,
    MLPRegressor,
    OrderlessNADE,
    OutlierDetector,
    PixelCNN,
    VAETransformer,
    VQVAETransformer,
)

RANDOM = np.random.default_rng(0)
SHORT = {"max_iter": 1, "random_state": 0}
IMAGES = RANDOM.random((30, 8, 8))
HOLED = IMAGES.copy()
HOLED[3, 2, 1] = np.nan
TABLE = pd.DataFrame(RANDOM.normal(size=(60, 3)), columns=["a", "b", "c"])
PRIOR = OrderlessNADE(n_units=4, **SHORT)
TRANSFORMERS = [AutoEncoderTransformer(2, **SHORT), VAETransformer(2, **SHORT), VQVAETransformer(prior=None, **SHORT)]


@pytest.mark.parametrize("model", TRANSFORMERS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("X", [HOLED, HOLED.reshape(30, 64)], ids=["images", "rows of pixels"])
def test_images_with_gaps_are_refused_with_what_to_do_about_them(model, X):
    model.set_params(image_shape=(8, 8) if X.ndim == 2 else None)
    with pytest.raises(ValueError, match="NaN: images must be whole.*complete") as found:
        model.fit(X)
    assert "HistGradientBoosting" not in str(found.value)
    model.fit(IMAGES.reshape(X.shape))
    with pytest.raises(ValueError, match="NaN: images must be whole"):
        model.transform(X)


@pytest.mark.parametrize("model", [MLPClassifier(**SHORT), MLPRegressor(**SHORT), PixelCNN(grid_shape=(8, 8))])
def test_other_rows_with_gaps_are_refused_with_what_to_do_about_them(model):
    with pytest.raises(ValueError, match="Input X contains NaN: fill the gaps first") as found:
        model.fit(HOLED.reshape(30, 64), np.arange(30) % 2)
    assert "HistGradientBoosting" not in str(found.value)


ROWS = TABLE.to_numpy()
CODES = RANDOM.integers(3, size=(60, 3))
OF_NUMBERS = {
    **{type(model).__name__: (clone(model).fit(ROWS), ["transform"]) for model in TRANSFORMERS},
    "scores": (AutoEncoderTransformer(2, **SHORT).fit(ROWS), ["score_samples", "reconstruction_error"]),
    "detector": (OutlierDetector(AutoEncoderTransformer(2, **SHORT)).fit(ROWS), ["predict", "score_samples"]),
    "regressor": (MLPRegressor(**SHORT).fit(ROWS, ROWS[:, 0]), ["predict"]),
    "classifier": (MLPClassifier(**SHORT).fit(ROWS, CODES[:, 0]), ["predict", "predict_log_proba"]),
    "codes": (CausalTransformer(d_model=4, n_layers=1, **SHORT).fit(CODES), ["score_samples", "fit"]),
}


@pytest.mark.parametrize("missing", [None, pd.NA, pd.NaT, np.nan], ids=str)
@pytest.mark.parametrize("form", [pd.DataFrame, np.array, list], ids=lambda form: form.__name__)
@pytest.mark.parametrize("name", OF_NUMBERS)
def test_a_missing_cell_among_objects_is_said_to_be_missing_whatever_stands_for_it(name, form, missing):
    model, methods = OF_NUMBERS[name]
    cells = [[missing, 1, 2], [1, 0, 2]]
    X = form(cells) if form is list else form(cells, dtype=object)
    for method in methods:
        with pytest.raises(ValueError, match="Input X contains NaN: fill the gaps first"):
            getattr(clone(model) if method == "fit" else model, method)(X)


def test_a_missing_component_or_code_is_said_to_be_missing():
    for transformer, name in zip(TRANSFORMERS, ("Z", "z", "codes")):
        model = clone(transformer).set_params(image_shape=None).fit(ROWS)
        Z = model.transform(ROWS).astype(object)
        Z[1, 0] = pd.NA
        with pytest.raises(ValueError, match=f"Input {name} contains NaN: .*as transform returns them"):
            model.inverse_transform(Z)


HELD_OUT = pd.DataFrame(ROWS[:20], columns=list("def"))


@pytest.mark.parametrize(
    ("model", "method"),
    [(model, "fit") for model in [*TRANSFORMERS, OrderlessNADE(n_units=4, **SHORT), MLPRegressor(**SHORT)]]
    + [(TRANSFORMERS[2], "fit_prior")],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_warning_about_held_out_rows_names_them_and_not_the_rows_of_the_fit(model, method):
    model, of_mlp = clone(model), isinstance(model, MLPRegressor)
    if hasattr(model, "image_shape"):
        model.set_params(image_shape=None)
    held_out = {"X_val": HELD_OUT} | ({"y_val": ROWS[:20, 0]} if of_mlp else {})
    if method == "fit_prior":
        model.fit(ROWS).set_params(prior=PRIOR)
    with pytest.warns(UserWarning, match="feature names") as found:
        getattr(model, method)(ROWS, *((ROWS[:, 0],) if of_mlp else ()), **held_out)
    told = [warning for warning in found if "feature names" in str(warning.message)]
    assert [str(warning.message).partition(" ")[0] for warning in told] == ["X_val"]
    assert told[0].filename == __file__


def test_columns_that_are_given_in_another_form_are_refused_with_the_form():
    model = VQVAETransformer(prior=PRIOR, **SHORT).fit(TABLE)
    for given in ([{"a": 1.0}], "a", ["a", "b"]):
        with pytest.raises(ValueError, match=r"must be a dict from columns to values.*pandas.DataFrame\(given\)"):
            model.sample(1, given=given)


@pytest.mark.parametrize("method", ["complete", "score_samples"])
@pytest.mark.parametrize("forms", [(TABLE, TABLE.to_numpy()), (TABLE.to_numpy(), TABLE)], ids=["array", "frame"])
def test_a_table_in_another_form_is_warned_of_once_under_the_name_of_the_estimator_of_the_user(method, forms):
    model = VQVAETransformer(prior=PRIOR, **SHORT).fit(forms[0])
    with pytest.warns(UserWarning, match="feature names, but VQVAETransformer was fitted") as found:
        getattr(model, method)(forms[1])
    assert len(found) == 1


@pytest.mark.parametrize(
    "model",
    [AutoEncoderTransformer(2, **SHORT), VQVAETransformer(prior=PRIOR, **SHORT), OrderlessNADE(**SHORT)],
    ids=lambda model: type(model).__name__,
)
def test_a_column_of_names_is_warned_of_once_with_the_way_out(model):
    named = TABLE.assign(name=[f"Mr {i}" for i in range(60)])
    with pytest.warns(UserWarning, match='column "name" has 60 levels in 60 rows.*drop the column') as found:
        model.fit(named)
    assert sum("levels" in str(warning.message) for warning in found) == 1


@pytest.mark.parametrize(
    "cells",
    [
        [f"town {i % 30}" for i in range(60)],
        pd.Categorical([f"Mr {i}" for i in range(60)]),
        ["alone", *[None] * 59],
    ],
    ids=["towns", "a category by choice", "a single cell"],
)
def test_categories_are_not_taken_for_names(cells, recwarn):
    AutoEncoderTransformer(2, **SHORT).fit(TABLE.assign(name=cells))
    assert not recwarn

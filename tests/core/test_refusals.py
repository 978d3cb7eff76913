"""Arguments and rows that an hour's campaign found taken without a word, or refused without a name."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skvq import (
    AutoEncoderTransformer,
    CausalTransformer,
    HierarchicalPixelCNN,
    MLPClassifier,
    MLPRegressor,
    OrderlessNADE,
    OutlierDetector,
    PixelCNN,
    VAETransformer,
    VQVAETransformer,
)

X = np.random.default_rng(0).normal(size=(40, 5))
CODES = np.random.default_rng(0).integers(0, 4, (40, 6))
SHORT = {"max_iter": 1, "random_state": 0}


@pytest.mark.parametrize("model", [AutoEncoderTransformer(2, **SHORT), OrderlessNADE(n_units=4, **SHORT)])
@pytest.mark.parametrize("method", ["fit", "score_samples"])
def test_a_dict_is_no_table_and_the_way_out_is_named(model, method):
    model.fit(X)
    with pytest.raises(TypeError, match=r"X is a dict; .* pandas.DataFrame\(X\)"):
        getattr(model, method)({"a": [1.0, 2.0]})


def test_words_among_the_numbers_of_images_are_named():
    words = np.full((20, 6), "z", dtype=object)
    with pytest.raises(
        ValueError, match="X holds words where numbers are expected.*leave them out for a table with words"
    ):
        AutoEncoderTransformer(2, image_shape=(1, 2, 3), **SHORT).fit(words)


def test_components_where_no_row_is_are_refused():
    model = VAETransformer(2, **SHORT).fit(X)
    with pytest.raises(ValueError, match=r"values=1e\+300 are farther from 0 than"):
        model.traverse(0, 1e300)


def test_weights_too_small_to_divide_by_are_refused():
    with pytest.raises(ValueError, match="sample_weight sums to 4e-299"):
        MLPRegressor(solver="lbfgs", max_iter=2).fit(X, X[:, 0], sample_weight=1e-300)


def test_a_number_of_folds_in_an_array_is_refused():
    with pytest.raises(ValueError, match=r"cv=array\(3\) must be a number of folds"):
        OutlierDetector(AutoEncoderTransformer(2, **SHORT), cv=np.array(3)).fit(X)


@pytest.mark.parametrize(
    ("model", "rows", "name"),
    [
        (VAETransformer(kl_weight=1e300), X, "kl_weight"),
        (AutoEncoderTransformer(contractive_weight=1e300), X, "contractive_weight"),
        (VQVAETransformer(input_noise=1e300), X, "input_noise"),
        (CausalTransformer(learning_rate_init=1e300), CODES, "learning_rate_init"),
        (VQVAETransformer(max_seconds="x"), X, "max_seconds"),
        (PixelCNN(checkpoint=""), CODES, "checkpoint"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_parameters_beyond_what_can_be_computed_with_are_named(model, rows, name):
    with pytest.raises(ValueError, match=name):
        model.fit(rows)


def test_several_temperatures_are_refused_by_name():
    prior = PixelCNN(channels=4, n_layers=1, **SHORT)
    model = VQVAETransformer(4, hidden_layer_sizes=(4,), prior=prior, **SHORT).fit(X)
    with pytest.raises(ValueError, match="temperature"):
        model.sample(2, temperature=np.array([0.5, 0.5]))


def test_a_few_rows_may_be_small_by_chance(recwarn):
    model = AutoEncoderTransformer(2, **SHORT).fit(X)
    recwarn.clear()
    model.transform(1e-4 * X[:2])
    assert not recwarn
    with pytest.warns(UserWarning, match="X holds values up to"):
        model.transform(1e-4 * X)


ESTIMATORS_OF_X = [
    *(kind() for kind in (AutoEncoderTransformer, VAETransformer, VQVAETransformer, OrderlessNADE)),
    *(kind() for kind in (PixelCNN, HierarchicalPixelCNN, CausalTransformer, MLPRegressor, MLPClassifier)),
    OutlierDetector(VAETransformer()),
    OutlierDetector(GaussianMixture()),
]


@pytest.mark.parametrize("estimator", ESTIMATORS_OF_X, ids=lambda estimator: type(estimator).__name__)
@pytest.mark.parametrize("path", ["data.csv", Path("data.csv")])
def test_the_name_of_a_file_is_to_be_read_first(estimator, path):
    with pytest.raises(TypeError, match=r"read it first, such as pandas.read_csv\('data.csv'\)"):
        estimator.fit(path, *([[0, 1]] if isinstance(estimator, MLPRegressor | MLPClassifier) else []))


CATEGORIES = pd.DataFrame({"a": [0, 1] * 50, "c": pd.Categorical(list("xy") * 50)})
DATES = CATEGORIES.assign(c=pd.date_range("2020", periods=100))
WORDS = CATEGORIES.assign(c=list("xy") * 50)


@pytest.mark.parametrize(
    "frame", [CATEGORIES, DATES, WORDS, DATES[["c"]]], ids=["categories", "dates", "words", "date"]
)
@pytest.mark.parametrize("kind", [PixelCNN, HierarchicalPixelCNN, CausalTransformer])
def test_a_model_of_codes_says_what_codes_are(kind, frame):
    with pytest.raises(ValueError, match="codes are whole numbers.*OrdinalEncoder"):
        kind().fit(frame)


@pytest.mark.parametrize("frame", [CATEGORIES, WORDS, DATES], ids=["categories", "words", "dates"])
@pytest.mark.parametrize("kind", [MLPRegressor, MLPClassifier])
def test_a_predictor_says_how_scikit_learn_encodes_categories(kind, frame):
    with pytest.raises(ValueError, match="^X holds [^(]*(take a duration|encode categories).*OneHotEncoder"):
        kind().fit(frame, [0, 1] * 50)


def test_the_encoder_that_a_predictor_names_makes_numbers():
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")), remainder="passthrough"
    )
    model = make_pipeline(encoder, MLPClassifier(max_iter=200, random_state=0)).fit(WORDS, [0, 1] * 50)
    assert model.score(WORDS, [0, 1] * 50) == 1


def test_a_model_of_tables_sends_images_elsewhere():
    with pytest.raises(ValueError, match="Expected 2D.*pass images to a VQVAETransformer"):
        OrderlessNADE().fit(np.zeros((5, 4, 4)))
    with pytest.raises(ValueError, match=r"X has shape \(5,\)$"):
        OrderlessNADE().fit(np.zeros(5))


def test_classes_are_asked_for_by_the_call_that_passes_them():
    X = np.zeros((20, 4, 4), dtype=int)
    for model in (PixelCNN(class_conditional=True), VQVAETransformer(4, prior=PixelCNN(class_conditional=True))):
        with pytest.raises(ValueError, match=r"class_conditional=True.*call fit\(X, y\)"):
            model.fit(X)

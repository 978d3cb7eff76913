"""Arguments and rows that an hour's campaign found taken without a word, or refused without a name."""

import numpy as np
import pytest

from skvq import (
    AutoEncoderTransformer,
    CausalTransformer,
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

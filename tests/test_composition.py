"""VQVAETransformer inside the rest of scikit-learn."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skvq import PixelCNN, ResidualCodes, VectorCodes, VQVAETransformer

TABLE = {
    "n_codes": 8, "hidden_layer_sizes": (16,), "max_iter": 30, "n_iter_no_change": None, "prior": None,
    "random_state": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


def test_a_pipeline_classifies_on_codes(iris):
    X, y = iris
    pipeline = Pipeline(
        [
            ("vq", VQVAETransformer(**TABLE)),
            ("onehot", OneHotEncoder(handle_unknown="ignore")),
            ("classify", LogisticRegression(max_iter=1000)),
        ]
    )
    assert cross_val_score(pipeline, X, y, cv=3).mean() > 0.8


def test_a_grid_search_goes_over_loss_weights_and_codes_in_two_processes(iris):
    grid = {"commitment_weight": [0.1, 1.0], "codebook_weight": [0.5, 1.0], "n_codes": [2, 8]}
    model = VQVAETransformer(**TABLE | {"quantizer": ResidualCodes(codebook_update="gradient")})
    search = GridSearchCV(model, grid, cv=2, n_jobs=2).fit(iris[0])
    assert search.best_params_["n_codes"] == 8
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert len(set(scores)) == 8  # every weight made a difference


def test_parameters_of_the_prior_are_in_the_grid(iris):
    prior = PixelCNN(channels=8, n_layers=1, max_iter=2)
    model = VQVAETransformer(**TABLE | {"prior": prior})
    search = GridSearchCV(model, {"prior__channels": [4, 8]}, cv=2).fit(iris[0])
    assert search.best_estimator_.prior_.architecture_["channels"] == search.best_params_["prior__channels"]
    assert clone(model).set_params(prior__n_layers=3).prior.n_layers == 3


def test_parameters_of_the_codes_are_in_the_grid_and_so_are_the_kinds(iris):
    model = VQVAETransformer(**TABLE | {"quantizer": ResidualCodes(), "max_iter": 10})
    search = GridSearchCV(model, {"quantizer__beam_size": [1, 64]}, cv=2).fit(iris[0])
    chosen = search.best_params_["quantizer__beam_size"]
    assert search.best_estimator_.quantizer.beam_size == chosen
    assert search.best_estimator_.architecture_["codes"]["beam_size"] == chosen
    assert model.quantizer.beam_size == "auto"
    kinds = [ResidualCodes(), VectorCodes(code_dim=2), "finite_scalar"]
    search = GridSearchCV(model, {"quantizer": kinds}, cv=2).fit(iris[0])
    assert len(set(search.cv_results_["mean_test_score"])) == 3
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_union_of_features_and_a_column_transformer_hold_it(iris):
    X, y = iris
    union = FeatureUnion([("codes", VQVAETransformer(**TABLE)), ("pca", PCA(2))])
    n_positions = VQVAETransformer(**TABLE).fit(X).code_shape_[0]
    assert union.fit_transform(X).shape == (150, n_positions + 2)
    columns = ColumnTransformer([("codes", VQVAETransformer(**TABLE), [0, 1]), ("rest", "passthrough", [2, 3])])
    assert make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(X, y).score(X, y) > 0.7


def test_a_pipeline_with_a_scaler_goes_back_to_the_units_of_x(iris):
    X, _ = iris
    pipeline = make_pipeline(StandardScaler(), VQVAETransformer(**TABLE)).fit(X)
    assert np.abs(pipeline.inverse_transform(pipeline.transform(X)) - X).mean() < 0.3


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_codes_come_as_a_frame_with_names(iris, library):
    model = VQVAETransformer(**TABLE).set_output(transform=library).fit(iris[0])
    frame = model.transform(iris[0])
    names = list(model.get_feature_names_out())
    assert type(frame).__module__.startswith(library)
    assert list(frame.columns) == names
    assert names[0] == "vqvaetransformer0"
    assert {str(dtype).lower() for dtype in frame.dtypes} == {"int32"}
    np.testing.assert_allclose(
        model.inverse_transform(frame), model.inverse_transform(frame.to_numpy()), rtol=0, atol=0
    )


def test_digits_through_a_pipeline_of_images():
    X, y = load_digits(return_X_y=True)
    X, y = X[:600], y[:600]
    pipeline = make_pipeline(
        VQVAETransformer(16, image_shape=(8, 8), channels=16, n_blocks=1, max_iter=10, prior=None, random_state=0),
        OneHotEncoder(handle_unknown="ignore"),
        LogisticRegression(max_iter=1000),
    )
    assert cross_val_score(pipeline, X, y, cv=2).mean() > 0.7


def test_held_out_rows_are_routed_through_a_pipeline(iris):
    import sklearn

    X, _ = iris
    with sklearn.config_context(enable_metadata_routing=True):
        vq = VQVAETransformer(**TABLE).set_fit_request(X_val=True)
        pipeline = Pipeline([("scale", StandardScaler()), ("vq", vq)], transform_input=["X_val"])
        pipeline.fit(X[:100], X_val=X[100:])
    assert len(pipeline[-1].validation_loss_curve_) == 30

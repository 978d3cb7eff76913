"""Contents of the displays: the artists hold the data that they are said to show."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from scipy.stats import entropy
from sklearn.datasets import load_diabetes, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score

from skvq import AutoEncoderTransformer, MLPClassifier, MLPRegressor, PixelCNN, VAETransformer, VQVAETransformer
from skvq.display import (
    CodebookUsageDisplay,
    CodeMapDisplay,
    LatentDisplay,
    LatentTraversalDisplay,
    LossCurveDisplay,
    RateDistortionDisplay,
    ReconstructionDisplay,
    SampleDisplay,
    WeightsDisplay,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SMALL = {"channels": 8, "n_blocks": 1, "max_iter": 2, "random_state": 0}


@pytest.fixture(autouse=True)
def _without_a_screen():
    mpl.use("Agg")
    yield
    mpl.pyplot.close("all")


@pytest.fixture(scope="module")
def digits():
    return load_digits().images[:300]


@pytest.fixture(scope="module")
def classes():
    return load_digits().target[:300]


@pytest.fixture(scope="module")
def wine():
    return load_wine(as_frame=True).data


@pytest.fixture(scope="module")
def autoencoder(digits):
    return AutoEncoderTransformer(4, hidden_layer_sizes=(16,), max_iter=3, random_state=0).fit(digits)


@pytest.fixture(scope="module")
def linear_autoencoder(digits):
    return AutoEncoderTransformer(4, hidden_layer_sizes=(), max_iter=1, random_state=0).fit(digits)


@pytest.fixture(scope="module")
def vae(digits):
    return VAETransformer(3, hidden_layer_sizes=(), max_iter=2, random_state=0).fit(digits)


@pytest.fixture(scope="module")
def vae_of_wine(wine):
    return VAETransformer(3, max_iter=2, random_state=0).fit(wine)


@pytest.fixture(scope="module")
def vqvae(digits, classes):
    prior = PixelCNN(channels=8, n_layers=1, max_iter=2, class_conditional=True)
    return VQVAETransformer(16, prior=prior, **SMALL).fit(digits, classes)


@pytest.fixture(scope="module")
def vqvae_of_wine(wine):
    return VQVAETransformer(8, prior=None, max_iter=5, random_state=0).fit(wine)


@pytest.fixture(scope="module")
def classifier(digits, classes):
    X = digits.reshape(-1, 64)
    return MLPClassifier((12,), max_iter=8, early_stopping=True, n_iter_no_change=8, random_state=0).fit(X, classes)


def drawn(images):
    """Return the arrays behind AxesImages, (n_lines, n_columns, ...)."""
    return np.array([[np.asarray(image.get_array()) for image in line] for line in images])


@pytest.mark.parametrize("name", ["autoencoder", "vae", "vqvae"])
def test_loss_curves_are_those_of_the_history(name, request):
    model = request.getfixturevalue(name)
    display = LossCurveDisplay.from_estimator(model)
    for term, line in display.lines_.items():
        assert list(line.get_ydata()) == model.history_[term]
        assert list(line.get_xdata()) == list(range(1, model.n_iter_ + 1))
    left_out = set(model.history_) - set(display.lines_)
    assert left_out == ({"reconstruction", "validation_reconstruction"} if name == "autoencoder" else set())


def test_a_term_that_is_the_whole_loss_is_named_in_its_title(autoencoder):
    display = LossCurveDisplay.from_estimator(autoencoder)
    assert [ax.get_title() for ax in display.axes_] == ["loss = reconstruction"]


def test_the_mark_is_at_the_epoch_that_was_kept(vqvae):
    display = LossCurveDisplay.from_estimator(vqvae)
    assert len(display.best_lines_) == len(display.axes_) == 6
    assert {tuple(line.get_xdata()) for line in display.best_lines_} == {(vqvae.best_iter_, vqvae.best_iter_)}


def test_loss_curves_of_a_prior_and_of_chosen_terms(vqvae):
    display = LossCurveDisplay.from_estimator(vqvae.prior_)
    assert list(display.lines_["validation_loss"].get_ydata()) == vqvae.prior_.validation_loss_curve_
    assert sorted(LossCurveDisplay.from_estimator(vqvae, terms="codebook").lines_) == [
        "codebook",
        "validation_codebook",
    ]


def test_loss_curves_of_a_perceptron_show_its_scores(classifier):
    display = LossCurveDisplay.from_estimator(classifier)
    assert list(display.lines_["loss"].get_ydata()) == classifier.loss_curve_
    assert list(display.lines_["validation_score"].get_ydata()) == classifier.validation_scores_
    kept = classifier.validation_scores_[display.best_iter - 1]
    assert kept == classifier.best_validation_score_


def test_terms_over_decades_have_a_logarithmic_scale_that_is_named():
    history = {"loss": [100.0, 1.0], "kl": [2.0, 1.0], "negative": [-100.0, 100.0]}
    axes = LossCurveDisplay(history=history).plot().axes_
    assert [ax.get_yscale() for ax in axes] == ["log", "linear", "linear"]
    assert [ax.get_ylabel() for ax in axes] == ["log scale", "", ""]


@pytest.mark.parametrize("n_epochs", [1, 2, 40])
def test_ticks_are_whole_epochs(n_epochs):
    display = LossCurveDisplay(history={"loss": np.linspace(2.0, 1.0, n_epochs)}).plot()
    ticks = display.ax_.get_xticks()
    assert any(1 <= tick <= n_epochs for tick in ticks)
    assert all(tick == round(tick) for tick in ticks)


def test_reconstructions_are_under_their_originals(autoencoder, digits):
    display = ReconstructionDisplay.from_estimator(autoencoder, digits, n_images=5)
    expected = autoencoder.inverse_transform(autoencoder.transform(digits[:5]))
    np.testing.assert_array_equal(drawn(display.images_), [digits[:5], expected])
    limits = {image.get_clim() for image in display.images_.ravel()}
    assert limits == {(digits[:5].min(), digits[:5].max())}


@pytest.mark.parametrize(("dtype", "factor"), [(np.uint8, 255), (np.float32, 1), (np.float64, 255)])
def test_colours_are_brought_to_the_unit_interval(dtype, factor):
    values = np.random.default_rng(0).random((3, 4, 5, 3)) * factor
    X = values.astype(dtype)
    found = drawn(ReconstructionDisplay.from_predictions(X, X + dtype(0)).images_)
    np.testing.assert_allclose(found[0], X / factor, rtol=1e-6)
    np.testing.assert_array_equal(found[0], found[1])


def test_colours_of_another_range_are_spread_over_the_originals_range():
    X = np.random.default_rng(0).normal(size=(3, 4, 5, 3))
    found = drawn(ReconstructionDisplay.from_predictions(X, 10 * X).images_)
    np.testing.assert_allclose(found[0], (X - X.min()) / (X.max() - X.min()))
    assert found[1].min() == 0
    assert found[1].max() == 1


def test_any_transformer_that_goes_back_can_be_drawn(digits):
    X = digits.reshape(-1, 64)
    model = PCA(3).fit(X)
    display = ReconstructionDisplay.from_estimator(model, X, image_shape=(8, 8), n_images=2)
    expected = model.inverse_transform(model.transform(X[:2])).reshape(2, 8, 8)
    np.testing.assert_array_equal(drawn(display.images_)[1], expected)


def test_columns_of_a_table_are_drawn_with_their_r2(vqvae_of_wine, wine):
    display = ReconstructionDisplay.from_estimator(vqvae_of_wine, wine, features=["hue", 0])
    X_hat = vqvae_of_wine.inverse_transform(vqvae_of_wine.transform(wine))
    np.testing.assert_allclose(display.r2_, r2_score(wine, X_hat, multioutput="raw_values"))
    assert list(display.features_) == [list(wine).index("hue"), 0]
    for points, j in zip(display.scatters_, display.features_):
        np.testing.assert_array_equal(points.get_offsets(), np.column_stack([wine.iloc[:, j], X_hat.iloc[:, j]]))
    assert display.ax_.get_title().startswith("hue\nR² 0.")


def test_of_many_columns_the_best_and_the_worst_are_among_those_shown():
    random = np.random.default_rng(0)
    X = random.normal(size=(50, 40))
    display = ReconstructionDisplay.from_predictions(X, X + random.normal(size=X.shape) * np.arange(40) / 40)
    shown = display.r2_[display.features_]
    assert len(shown) == 12
    assert (np.diff(shown) <= 0).all()
    assert shown[0] == display.r2_.max()
    assert shown[-1] == display.r2_.min()


def test_r2_of_constant_columns_says_whether_they_are_reproduced():
    X = np.ones((5, 2))
    display = ReconstructionDisplay.from_predictions(X, X * [1.0, 2.0])
    assert list(display.r2_) == [1.0, 0.0]


def test_code_maps_are_the_codes_under_their_images(vqvae, digits):
    display = CodeMapDisplay.from_estimator(vqvae, digits, n_images=4)
    originals, maps = display.images_
    np.testing.assert_array_equal(drawn([originals])[0], digits[:4])
    np.testing.assert_array_equal(drawn([maps])[0], vqvae.transform(digits[:4]).reshape(4, 4, 4))


def test_each_code_of_a_position_has_a_map(digits):
    codes = np.random.default_rng(0).integers(0, 9, (3, 2, 4, 2))
    display = CodeMapDisplay.from_codes(codes)
    np.testing.assert_array_equal(drawn(display.images_), np.moveaxis(codes, 3, 0))


def test_two_grids_have_a_map_each():
    codes = np.random.default_rng(0).integers(0, 9, (3, 4 + 9))
    display = CodeMapDisplay.from_codes(codes, code_shape=((2, 2), (3, 3)), n_codes=9)
    coarse, fine = display.images_
    np.testing.assert_array_equal(drawn([coarse])[0], codes[:, :4].reshape(3, 2, 2))
    np.testing.assert_array_equal(drawn([fine])[0], codes[:, 4:].reshape(3, 3, 3))


def test_codes_of_a_table_are_cells(vqvae_of_wine, wine):
    display = CodeMapDisplay.from_estimator(vqvae_of_wine, wine, n_images=6)
    codes = vqvae_of_wine.transform(wine[:6])
    np.testing.assert_array_equal(drawn(display.images_)[0, 0], codes)
    assert [int(text.get_text()) for text in display.ax_.texts] == codes.ravel().tolist()


@pytest.mark.parametrize("n_codes", [2, 16, 256, 8192])
def test_codes_have_colours_of_their_own(n_codes):
    image = CodeMapDisplay.from_codes(np.arange(n_codes).reshape(1, 2, -1)).images_[0, 0]
    colours = image.cmap(image.norm(np.arange(n_codes)))
    assert len(np.unique(colours, axis=0)) == n_codes


@pytest.mark.parametrize("name", ["vqvae", "vqvae_of_wine"])
def test_usage_is_the_sorted_counts_of_each_codebook(name, request):
    model = request.getfixturevalue(name)
    display = CodebookUsageDisplay.from_estimator(model)
    counts = model.code_counts_.reshape(-1, model.n_codes_)
    assert len(display.stairs_) == len(counts)
    for own, stairs in zip(counts, display.stairs_):
        np.testing.assert_array_equal(stairs.get_data().values, sorted(own, reverse=True))
    assert display.perplexity_ == pytest.approx(model.perplexity_)
    assert display.usage_ == pytest.approx(model.codebook_usage_)


def test_usage_of_given_codes():
    codes = np.array([[0, 1], [0, 2], [0, 1]])
    display = CodebookUsageDisplay.from_codes(codes, n_codes=4, codebooks=[0, 1])
    np.testing.assert_array_equal(display.counts, [[3, 0, 0, 0], [0, 2, 1, 0]])
    assert display.perplexity_ == pytest.approx(np.exp(entropy([2, 1]) / 2))
    assert display.ax_.get_title() == "perplexity 1.4 of 4, 38% used"


@pytest.mark.parametrize(("most", "label"), [(2, "count"), (10_000, "count (log scale)")])
def test_a_logarithmic_scale_of_counts_is_named(most, label):
    codes = np.repeat([0, 1], [most, 1])[:, None]
    assert CodebookUsageDisplay.from_codes(codes, n_codes=2).ax_.get_ylabel() == label


def test_samples_are_those_of_the_model(vae):
    display = SampleDisplay.from_estimator(vae, n_samples=6, random_state=3, n_columns=4)
    expected = vae.sample(6, random_state=3)
    np.testing.assert_array_equal(drawn([display.images_[0]])[0], expected[:4])
    np.testing.assert_array_equal(drawn([display.images_[1, :2]])[0], expected[4:])
    assert list(display.images_[1, 2:]) == [None, None]


def test_classes_have_a_line_each(vqvae):
    display = SampleDisplay.from_estimator(vqvae, n_samples=3, y=[7, 2], random_state=0)
    expected = vqvae.sample(6, y=[7, 7, 7, 2, 2, 2], random_state=0)
    np.testing.assert_array_equal(drawn(display.images_), expected.reshape(2, 3, 8, 8))
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["7", "2"]


def test_real_images_are_the_first_line(vae, digits):
    display = SampleDisplay.from_estimator(vae, n_samples=8, X=digits, random_state=0)
    np.testing.assert_array_equal(drawn([display.images_[0]])[0], digits[:8])


def test_samples_of_a_table_are_histograms_of_its_columns(vae_of_wine, wine):
    display = SampleDisplay.from_estimator(vae_of_wine, n_samples=200, X=wine, random_state=0)
    sampled, real = vae_of_wine.sample(200, random_state=0).iloc[:, 0], wine.iloc[:, 0]
    edges = np.histogram_bin_edges(np.concatenate([sampled, real]), 25)
    heights = [patch.get_height() for patch in display.ax_.containers[0]]
    np.testing.assert_allclose(heights, np.histogram(sampled, edges, density=True)[0])
    assert [ax.get_title() for ax in display.axes_[:3]] == list(wine)[:3]


def test_grids_of_codes_are_drawn_as_grids(vqvae):
    display = SampleDisplay.from_estimator(vqvae.prior_, n_samples=2, random_state=0)
    expected = vqvae.prior_.sample(2, random_state=0)
    np.testing.assert_array_equal(drawn(display.images_)[0], expected.reshape(2, 4, 4))


def test_more_than_two_components_are_shown_by_their_principal_ones(autoencoder, digits, classes):
    display = LatentDisplay.from_estimator(autoencoder, digits, classes)
    expected = PCA(2).fit_transform(autoencoder.transform(digits).astype(float))
    for i in range(2):  # up to the sign
        assert abs(np.corrcoef(display.Z[:, i], expected[:, i])[0, 1]) == pytest.approx(1.0)
    assert display.Z.var(axis=0) == pytest.approx(expected.var(axis=0))
    for label, points in zip(np.unique(classes), display.scatters_):
        np.testing.assert_array_equal(points.get_offsets(), display.Z[classes == label])
    assert "of 4 components" in display.ax_.get_xlabel()
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == [str(i) for i in range(10)]


def test_chosen_components_are_shown_as_they_are(vae, digits):
    display = LatentDisplay.from_estimator(vae, digits, components=[2, 0])
    np.testing.assert_allclose(display.scatters_[0].get_offsets(), vae.transform(digits)[:, [2, 0]])
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("component 2", "component 0")


def test_a_continuous_target_has_a_colour_bar():
    X, y = load_diabetes(return_X_y=True)
    display = LatentDisplay.from_latents(X[:, :2], y)
    np.testing.assert_array_equal(display.scatters_[0].get_array(), y)
    assert display.colorbar_.ax in display.figure_.axes


def test_the_name_of_a_target_is_shown(wine):
    Z = wine.to_numpy()[:, :2]
    classes = load_wine(as_frame=True).target.rename("cultivar")
    assert LatentDisplay.from_latents(Z, classes).ax_.get_legend().get_title().get_text() == "cultivar"
    assert LatentDisplay.from_latents(Z, classes.to_numpy()).ax_.get_legend().get_title().get_text() == ""
    assert LatentDisplay.from_latents(Z, wine["alcohol"]).colorbar_.ax.get_ylabel() == "alcohol"
    assert LatentDisplay.from_latents(Z[:, :1], classes).ax_.get_ylabel() == "cultivar"
    assert LatentDisplay.from_latents(Z[:, :1], classes.to_numpy()).ax_.get_ylabel() == "y"


def test_one_component_is_drawn_over_the_target(vae, digits, classes):
    z = vae.transform(digits)[:, 1]
    over_classes = LatentDisplay.from_estimator(vae, digits, classes, components=1)
    for i, points in enumerate(over_classes.scatters_):
        np.testing.assert_allclose(points.get_offsets()[:, 0], z[classes == i])
        assert np.abs(points.get_offsets()[:, 1] - i).max() < 0.5
    over_values = LatentDisplay.from_estimator(vae, digits, z**2, components=1)
    np.testing.assert_allclose(over_values.scatters_[0].get_offsets(), np.column_stack([z, z**2]))
    alone = LatentDisplay.from_estimator(vae, digits, components=1)
    assert sum(patch.get_height() for patch in alone.ax_.patches) == len(digits)


def test_a_traversal_is_that_of_the_vae(vae, digits):
    display = LatentTraversalDisplay.from_estimator(vae, components=[1])
    np.testing.assert_allclose(drawn(display.images_), vae.traverse(1), rtol=1e-6)
    from_a_row = LatentTraversalDisplay.from_estimator(vae, digits[5:], components=[2], n_values=3)
    np.testing.assert_allclose(drawn(from_a_row.images_), vae.traverse(2, (-3, 0, 3), X=digits[5:6]), rtol=1e-6)
    assert list(LatentTraversalDisplay.from_estimator(vae).components) == list(np.argsort(-vae.kl_per_component_))


def test_an_autoencoder_is_traversed_over_the_quantiles_of_its_codes(autoencoder, digits):
    display = LatentTraversalDisplay.from_estimator(autoencoder, digits, components=[3], n_values=5)
    codes = autoencoder.transform(digits).astype(float)
    z = np.tile(np.median(codes, axis=0), (5, 1))
    z[:, 3] = np.quantile(codes[:, 3], [0.02, 0.26, 0.5, 0.74, 0.98])
    np.testing.assert_allclose(drawn(display.images_)[0], autoencoder.inverse_transform(z), rtol=1e-6)
    labels = [label.get_text() for label in display.ax_.get_xticklabels()]
    assert labels == ["2%", "26%", "50%", "74%", "98%"]


def test_a_traversal_of_a_table_is_in_standard_deviations(vae_of_wine, wine):
    display = LatentTraversalDisplay.from_estimator(vae_of_wine, components=[0])
    traversed = pd.concat(vae_of_wine.traverse(0))
    expected = ((traversed - wine.mean()) / wine.std(ddof=0)).to_numpy()
    found = np.array([line.get_xdata() for line in display.lines_[0]])
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_rate_and_distortion_are_those_of_the_models(vqvae, vqvae_of_wine, wine):
    display = RateDistortionDisplay.from_estimators({"wine": vqvae_of_wine}, wine)
    assert list(display.lines_["wine"].get_xdata()) == [vqvae_of_wine.bits_per_row_]
    assert list(display.lines_["wine"].get_ydata()) == [vqvae_of_wine.score(wine)]
    assert list(display.nominal_lines_["wine"].get_xdata()) == [4 * np.log2(8)]


def test_points_of_a_name_are_joined_in_the_order_of_their_bits():
    display = RateDistortionDisplay.from_predictions([32, 8, 16, 8], [0.9, 0.5, 0.7, 0.4], ["a", "a", "a", "b"])
    assert display.lines_["a"].get_xydata().tolist() == [[8, 0.5], [16, 0.7], [32, 0.9]]
    assert display.lines_["b"].get_xydata().tolist() == [[8, 0.4]]


@pytest.mark.parametrize(("bits", "label"), [([8, 16], "bits of a row"), ([8, 32], "bits of a row (log scale)")])
def test_a_logarithmic_scale_of_bits_is_named(bits, label):
    assert RateDistortionDisplay.from_predictions(bits, [0.5, 0.9]).ax_.get_xlabel() == label


def test_a_search_over_bits_has_a_line_for_each_value_of_a_parameter():
    results = {
        "param_max_bits": [8, 8, 16, 16],
        "param_alpha": [0.0, 1.0, 0.0, 1.0],
        "mean_test_score": [0.1, 0.2, 0.3, 0.4],
    }
    display = RateDistortionDisplay.from_cv_results(results, by="alpha")
    assert display.lines_["alpha=1.0"].get_xydata().tolist() == [[8, 0.2], [16, 0.4]]
    assert len(RateDistortionDisplay.from_cv_results(results).lines_) == 1


def test_weights_of_a_perceptron_have_an_image_for_each_class(digits, classes):
    model = MLPClassifier((), solver="lbfgs", max_iter=5).fit(digits.reshape(-1, 64), classes)
    display = WeightsDisplay.from_estimator(model, image_shape=(8, 8))
    found = drawn(display.images_).reshape(10, 64)
    np.testing.assert_array_equal(found, model.coefs_[0].T)
    assert [text.get_text() for text in display.ax_.texts] == [str(label) for label in model.classes_]
    low, high = display.images_[0, 0].get_clim()
    assert -low == high == np.abs(model.coefs_[0]).max()


def test_weights_of_a_table_are_features_by_units(classifier, wine):
    np.testing.assert_array_equal(drawn(WeightsDisplay.from_estimator(classifier).images_)[0, 0], classifier.coefs_[0])
    model = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs").fit(wine, wine.sum(axis=1))
    display = WeightsDisplay.from_estimator(model)
    assert [bar.get_width() for bar in display.bars_] == model.coefs_[0][:, 0].tolist()
    assert [label.get_text() for label in display.ax_.get_yticklabels()][0] == "alcohol"


def test_weights_of_an_autoencoder_are_of_its_network_or_of_the_linear_path(autoencoder):
    network = drawn(WeightsDisplay.from_estimator(autoencoder).images_).reshape(16, 64)
    np.testing.assert_array_equal(network, autoencoder.weights_["encoder.network.0.weight"])
    linear = drawn(WeightsDisplay.from_estimator(autoencoder, path="linear").images_).reshape(4, 64)
    codes = AutoEncoderTransformer(4, hidden_layer_sizes=(), max_iter=1).fit(np.eye(64).reshape(64, 8, 8))
    assert linear.shape == (4, 64)
    assert drawn(WeightsDisplay.from_estimator(codes).images_).shape == (1, 4, 8, 8)
    correlation = np.corrcoef(linear[0], autoencoder.weights_["encoder.linear.unscaled_weight"][0])[0, 1]
    assert correlation == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["linear_autoencoder", "vae"])
def test_weights_of_the_linear_path_take_standardised_values_to_components(name, digits, request):
    model = request.getfixturevalue(name)
    standardised = (digits.reshape(-1, 64) - model.shift_) / model.scale_
    components = model.transform(digits).astype(float)
    found = (standardised - standardised[0]) @ WeightsDisplay.from_estimator(model).weights
    np.testing.assert_allclose(found, components - components[0], atol=1e-4)  # float32 on the way to the components


def test_the_longest_of_many_units_come_first(digits, classes):
    model = MLPClassifier((50,), solver="lbfgs", max_iter=2, random_state=0).fit(digits.reshape(-1, 64), classes)
    display = WeightsDisplay.from_estimator(model, image_shape=(8, 8))
    lengths = np.linalg.norm(model.coefs_[0], axis=0)
    np.testing.assert_array_equal([int(name) for name in display.unit_names], np.argsort(-lengths)[:32])

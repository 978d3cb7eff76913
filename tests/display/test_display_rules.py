"""Rules that all displays keep to: where they draw, and what they refuse."""

import warnings

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.cluster import DBSCAN
from sklearn.datasets import load_digits, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.mixture import GaussianMixture
from sklearn.neural_network import MLPClassifier as ScikitLearnMLP
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skvq import AutoEncoderTransformer, MLPRegressor, VAETransformer, VQVAETransformer, display

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
IMAGES, LABELS = load_digits().images[:120], load_digits().target[:120]
TABLE = load_wine().data


@pytest.fixture(autouse=True)
def _without_a_screen():
    mpl.use("Agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def models():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are trained for a moment only
        return {
            "vae": VAETransformer(2, hidden_layer_sizes=(), max_iter=1, random_state=0).fit(IMAGES),
            "table": VAETransformer(3, hidden_layer_sizes=(), max_iter=1, random_state=0).fit(TABLE),
            "codes": VQVAETransformer(4, channels=8, n_blocks=0, max_iter=1, prior=None, random_state=0).fit(IMAGES),
        }


def on_one_axes(models, ax):
    """Yield a display of each kind that draws on one Axes, drawn on `ax`."""
    vae, codes = models["vae"], models["codes"]
    yield lambda: display.ReconstructionDisplay.from_estimator(vae, IMAGES, ax=ax)
    yield lambda: display.SampleDisplay.from_estimator(vae, n_samples=4, random_state=0, ax=ax)
    yield lambda: display.LatentDisplay.from_estimator(vae, IMAGES, ax=ax)
    yield lambda: display.LatentTraversalDisplay.from_estimator(vae, ax=ax)
    yield lambda: display.WeightsDisplay.from_estimator(vae, ax=ax)
    yield lambda: display.CodeMapDisplay.from_estimator(codes, IMAGES, ax=ax)
    yield lambda: display.CodebookUsageDisplay.from_estimator(codes, ax=ax)
    yield lambda: display.RateDistortionDisplay.from_estimators({"a": codes}, IMAGES, ax=ax)
    yield lambda: display.LossCurveDisplay.from_estimator(vae, terms="loss", ax=ax)


def on_several_axes(models, ax):
    """Yield a display of each kind that may draw on several Axes, drawn on `ax`."""
    table = models["table"]
    yield lambda: display.ReconstructionDisplay.from_estimator(table, TABLE, features=[0, 1, 2], ax=ax)
    yield lambda: display.LatentTraversalDisplay.from_estimator(table, ax=ax)
    yield lambda: display.LossCurveDisplay.from_estimator(table, ax=ax)
    yield lambda: display.MarginalsDisplay.from_samples(TABLE[:90], TABLE[90:], columns=[0, 1, 2], ax=ax)


@pytest.mark.parametrize("i", range(9))
def test_the_given_axes_are_drawn_on(models, i):
    figure, ax = plt.subplots()
    drawn = list(on_one_axes(models, ax))[i]()
    assert drawn.ax_ is ax
    assert drawn.figure_ is figure
    assert ax.has_data()
    assert plt.get_fignums() == [figure.number]
    figure.canvas.draw()


@pytest.mark.parametrize("i", range(9))
def test_without_axes_there_is_a_new_figure_each_time(models, i):
    drawn = list(on_one_axes(models, None))[i]()
    first = drawn.figure_
    assert drawn.plot() is drawn
    assert drawn.figure_ is not first
    assert drawn.ax_ in drawn.figure_.axes


@pytest.mark.parametrize("i", range(4))
def test_one_axes_is_divided_where_several_are_needed(models, i):
    figure, (left, right) = plt.subplots(1, 2)
    drawn = list(on_several_axes(models, right))[i]()
    assert not right.axison
    assert len(drawn.axes_) == 3
    assert drawn.ax_ is drawn.axes_[0]
    figure.canvas.draw()
    for panel in drawn.axes_:
        assert panel.get_position().x0 > left.get_position().x1
        assert panel.get_position().x1 < right.get_position().x1 + 1e-9


def test_axes_without_a_grid_are_divided_as_well(models):
    figure = plt.figure()
    ax = figure.add_axes((0.5, 0.2, 0.4, 0.6))
    drawn = display.LossCurveDisplay.from_estimator(models["table"], ax=ax)
    corners = np.array([panel.get_position().extents for panel in drawn.axes_])
    np.testing.assert_allclose(corners[:, :2].min(axis=0), (0.5, 0.2))
    np.testing.assert_allclose(corners[:, 2:].max(axis=0), (0.9, 0.8))


@pytest.mark.parametrize("i", range(4))
def test_an_array_of_axes_must_have_the_right_length(models, i):
    _, axes = plt.subplots(1, 3)
    drawn = list(on_several_axes(models, axes))[i]()
    assert list(drawn.axes_) == list(axes)
    with pytest.raises(ValueError, match="ax holds 2 Axes, but 3"):
        list(on_several_axes(models, axes[:2]))[i]()


def test_what_is_no_axes_is_refused(models):
    figure, axes = plt.subplots(1, 2)
    with pytest.raises(TypeError, match="ax must be one Axes"):
        display.LatentDisplay.from_estimator(models["vae"], IMAGES, ax=axes)
    with pytest.raises(TypeError, match="ax must be one Axes, an array"):
        display.LossCurveDisplay.from_estimator(models["table"], ax=figure)


def test_styles_reach_the_artists(models):
    vae, codes = models["vae"], models["codes"]
    image = display.ReconstructionDisplay.from_estimator(vae, IMAGES, imshow_kw={"cmap": "magma"}).images_[1, 0]
    assert image.cmap.name == "magma"
    (points,) = display.LatentDisplay.from_estimator(vae, IMAGES, scatter_kw={"s": 77}).scatters_
    assert points.get_sizes() == [77]
    line = display.LossCurveDisplay.from_estimator(vae, terms="kl", line_kw={"linewidth": 7}).lines_["kl"]
    assert line.get_linewidth() == 7
    patches = display.MarginalsDisplay.from_samples(TABLE, TABLE, columns=[0], real_kw={"linewidth": 7}).stairs_
    assert [patch.get_linewidth() for patch in patches[0]] != [7, 7]
    assert patches[0, 1].get_linewidth() == 7
    (stairs,) = display.CodebookUsageDisplay.from_estimator(codes, stairs_kw={"fill": False}).stairs_
    assert not stairs.get_fill()


NEEDS = [
    (display.LossCurveDisplay, (), VAETransformer()),
    (display.ReconstructionDisplay, (IMAGES,), VAETransformer()),
    (display.SampleDisplay, (), VAETransformer()),
    (display.LatentDisplay, (IMAGES,), VAETransformer()),
    (display.LatentTraversalDisplay, (IMAGES,), AutoEncoderTransformer()),
    (display.WeightsDisplay, (), MLPRegressor()),
    (display.CodeMapDisplay, (IMAGES,), VQVAETransformer()),
    (display.CodebookUsageDisplay, (), VQVAETransformer()),
]


@pytest.mark.parametrize(("kind", "arguments", "estimator"), NEEDS, ids=lambda value: getattr(value, "__name__", ""))
def test_an_unfitted_estimator_is_refused(kind, arguments, estimator):
    with pytest.raises(NotFittedError):
        kind.from_estimator(estimator, *arguments)


@pytest.mark.parametrize(("kind", "arguments", "estimator"), NEEDS, ids=lambda value: getattr(value, "__name__", ""))
def test_another_kind_of_estimator_is_refused_by_name(kind, arguments, estimator):
    other = DBSCAN().fit(TABLE)
    with pytest.raises(TypeError, match=f"{kind.__name__} needs an? .*, got DBSCAN"):
        kind.from_estimator(other, *arguments)
    with pytest.raises(TypeError, match=f"{kind.__name__} needs an? .*, got"):
        kind.from_estimator(type(estimator), *arguments)


def test_errors_say_what_to_do(models):
    vae, codes = models["vae"], models["codes"]
    with pytest.raises(TypeError, match="fit_prior"):
        display.SampleDisplay.from_estimator(codes)
    with pytest.raises(TypeError, match="CodeMapDisplay"):
        display.LatentDisplay.from_estimator(codes, IMAGES)
    with pytest.raises(ValueError, match="takes no classes"):
        display.SampleDisplay.from_estimator(vae, y=[1])
    with pytest.raises(ValueError, match="must be among .*'kl'"):
        display.LossCurveDisplay.from_estimator(vae, terms="divergence")
    with pytest.raises(ValueError, match="'lbfgs' does not"):
        display.LossCurveDisplay.from_estimator(MLPRegressor(solver="lbfgs", max_iter=50).fit(TABLE, TABLE[:, 0]))
    with pytest.raises(TypeError, match="best_estimator_"):
        display.LossCurveDisplay.from_estimator(make_pipeline(StandardScaler(), vae))
    with pytest.raises(TypeError, match="a dict from names to models"):
        display.RateDistortionDisplay.from_estimators([codes], IMAGES)
    with pytest.raises(ValueError, match="param_max_bits or mean_test_max_bits"):
        display.RateDistortionDisplay.from_cv_results({"mean_test_score": [1]})
    autoencoder = AutoEncoderTransformer(2, hidden_layer_sizes=(), max_iter=1).fit(TABLE)
    with pytest.raises(ValueError, match="needs X"):
        display.LatentTraversalDisplay.from_estimator(autoencoder)
    with pytest.raises(ValueError, match="image_shape=\\(7, 8\\)"):
        display.WeightsDisplay.from_estimator(vae, image_shape=(7, 8))


@pytest.mark.parametrize("components", [5, [-1], [0.5], []])
def test_components_and_units_out_of_range_are_refused(models, components):
    with pytest.raises(ValueError, match="components="):
        display.LatentTraversalDisplay.from_estimator(models["vae"], components=components)
    with pytest.raises(ValueError, match="components="):
        display.LatentDisplay.from_estimator(models["vae"], IMAGES, components=components)
    with pytest.raises(ValueError, match="units="):
        display.WeightsDisplay.from_estimator(models["vae"], units=components)


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="as many"):
        display.ReconstructionDisplay.from_predictions(IMAGES, IMAGES[:, :4])
    with pytest.raises(ValueError, match="2 channels"):
        display.ReconstructionDisplay.from_predictions(np.zeros((2, 4, 4, 2)), np.zeros((2, 4, 4, 2)))
    with pytest.raises(ValueError, match="array of integers"):
        display.CodeMapDisplay.from_codes(IMAGES)
    with pytest.raises(ValueError, match="as long as each other"):
        display.RateDistortionDisplay.from_predictions([1, 2], [0.5])
    with pytest.raises(ValueError, match="30 classes"):
        display.LatentDisplay.from_latents(np.zeros((30, 2)), [f"class {i}" for i in range(30)])
    with pytest.raises(ValueError, match="columns names the column 'a'; there are x0, x1"):
        display.MarginalsDisplay.from_samples(TABLE[:, :2], TABLE[:, :2], columns=["a"])
    with pytest.raises(ValueError, match="columns=\\[\\] must name"):
        display.MarginalsDisplay.from_samples(TABLE, TABLE, columns=[])
    for pairs in ([], [(0, 1, 2)], [(0,)]):
        with pytest.raises(ValueError, match="must be a list of tuples of two columns"):
            display.PairsDisplay.from_samples(TABLE, TABLE, pairs=pairs)


def test_scikit_learns_own_estimators_are_drawn_where_they_fit():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        perceptron = ScikitLearnMLP((5,), max_iter=3, random_state=0).fit(IMAGES.reshape(-1, 64), LABELS)
    curve = display.LossCurveDisplay.from_estimator(perceptron).lines_["loss"]
    assert list(curve.get_ydata()) == perceptron.loss_curve_
    images = display.WeightsDisplay.from_estimator(perceptron, image_shape=(8, 8)).images_
    np.testing.assert_array_equal(images[0, 1].get_array().ravel(), perceptron.coefs_[0][:, 1])
    mixture = GaussianMixture(2, random_state=0).fit(TABLE[:, :3])
    assert display.SampleDisplay.from_estimator(mixture, n_samples=7).X.shape == (7, 3)


@pytest.mark.parametrize("n_images", [1, 2, 10])
def test_labels_beside_images_are_inside_the_figure(models, n_images):
    drawn = display.ReconstructionDisplay.from_estimator(models["vae"], IMAGES, n_images=n_images)
    drawn.figure_.canvas.draw()
    width, height = drawn.figure_.canvas.get_width_height()
    box = drawn.ax_.get_tightbbox()
    assert 0 <= box.x0 < box.x1 <= width
    assert 0 <= box.y0 < box.y1 <= height


@pytest.mark.parametrize("n_images", [0, -1, 2.5, True])
def test_a_number_of_images_that_is_none_is_named(n_images):
    X = load_digits().images[:30]
    model = AutoEncoderTransformer(2, hidden_layer_sizes=(), max_iter=1).fit(X)
    with pytest.raises(ValueError, match="n_images="):
        display.ReconstructionDisplay.from_estimator(model, X, n_images=n_images)

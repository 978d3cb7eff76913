"""Series in the displays: the lines are the series that they are said to show, whatever the layout of X."""

import matplotlib as mpl
import numpy as np
import pytest

from skvq import AutoEncoderTransformer, PixelCNN, VAETransformer, VQVAETransformer
from skvq.display import CodeMapDisplay, LatentTraversalDisplay, ReconstructionDisplay, SampleDisplay

X = np.random.default_rng(0).normal(size=(60, 20, 2)).cumsum(axis=1)
LAYOUTS = {"channels_last": X, "channels_first": X.swapaxes(1, 2)}
LINEAR = {"series_shape": (20, 2), "hidden_layer_sizes": (), "max_iter": 1, "random_state": 0}


@pytest.fixture(autouse=True)
def _without_a_screen():
    mpl.use("Agg")
    yield
    mpl.pyplot.close("all")


def last(values, layout):
    return values if layout == "channels_last" else values.swapaxes(1, 2)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_reconstructions_are_drawn_over_their_originals(layout):
    values = LAYOUTS[layout]
    model = AutoEncoderTransformer(3, series_layout=layout, **LINEAR).fit(values)
    display = ReconstructionDisplay.from_estimator(model, values, n_images=3)
    found = last(model.inverse_transform(model.transform(values)), layout)
    assert [len(lines) for lines in display.lines_] == [4, 4, 4]
    for i, lines in enumerate(display.lines_):
        for channel in range(2):
            np.testing.assert_array_equal(lines[2 * channel].get_ydata(), X[i, :, channel])
            np.testing.assert_array_equal(lines[2 * channel + 1].get_ydata(), found[i, :, channel])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_samples_have_a_panel_for_each_channel_over_real_series(layout):
    values = LAYOUTS[layout]
    model = VAETransformer(3, series_layout=layout, **LINEAR).fit(values)
    display = SampleDisplay.from_estimator(model, n_samples=5, X=values, random_state=0)
    drawn = last(model.sample(5, random_state=0), layout)
    assert len(display.axes_) == 2
    for channel, lines in enumerate(display.lines_):
        assert len(lines) == 24 + 5
        np.testing.assert_array_equal(lines[0].get_ydata(), X[0, :, channel])
        np.testing.assert_array_equal(lines[24].get_ydata(), drawn[0, :, channel])


def test_samples_of_classes_have_a_colour_each():
    y = np.repeat(["up", "down"], 30)
    prior = PixelCNN(channels=8, n_layers=1, max_iter=1, class_conditional=True)
    options = {"series_shape": (20, 2), "network": "convolutional", "channels": 8, "max_iter": 1, "random_state": 0}
    model = VQVAETransformer(prior=prior, **options).fit(X, y)
    display = SampleDisplay.from_estimator(model, y=["up", "down"], n_samples=3, random_state=0)
    assert len({line.get_color() for line in display.lines_[0]}) == 2
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["up", "down"]
    assert len(CodeMapDisplay.from_estimator(model, X).images_) == 1


def test_a_traversal_has_a_line_for_each_value_and_channel():
    model = VAETransformer(3, **LINEAR).fit(X)
    display = LatentTraversalDisplay.from_estimator(model, components=[1], n_values=3)
    expected = model.traverse(1, display.values[0])[0]
    assert len(display.lines_[0]) == 6
    np.testing.assert_allclose(display.lines_[0][3].get_ydata(), expected[1, :, 1])

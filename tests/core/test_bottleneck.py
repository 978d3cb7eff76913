"""Sizes and starts of the networks with a bottleneck."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from skvq import AutoEncoderTransformer, VAETransformer
from skvq.core import bottleneck
from skvq.core.bottleneck import automatic_n_components, bottleneck_sizes, start_axes
from skvq.nn.bottleneck import BottleneckSizes
from skvq.training.batches import Rows


@pytest.mark.parametrize(
    ("parameters", "row_shape", "expected"),
    [
        ({}, (13,), BottleneckSizes((13,), (7, 5))),
        ({}, (64, 64, 1), BottleneckSizes((64, 64, 1), (7, 5))),
        ({}, (65, 64, 1), BottleneckSizes((65, 64, 1), grid_shape=(9, 8), channels=64, n_blocks=2)),
        ({"hidden_layer_sizes": 3}, (13,), BottleneckSizes((13,), (3,))),
        ({"hidden_layer_sizes": []}, (13,), BottleneckSizes((13,), ())),
        ({"network": "dense"}, (65, 64, 1), BottleneckSizes((65, 64, 1), (7, 5))),
        ({"network": "convolutional"}, (13,), BottleneckSizes((13,), (7, 5))),  # a table has no grid
        (
            {"network": "convolutional", "channels": 8, "n_blocks": 0},
            (8, 8, 1),
            BottleneckSizes((8, 8, 1), grid_shape=(4, 4), channels=8, n_blocks=0),
        ),
    ],
)
@pytest.mark.parametrize("kind", [AutoEncoderTransformer, VAETransformer])
def test_sizes_are_those_that_the_parameters_ask_for(kind, parameters, row_shape, expected):
    assert bottleneck_sizes(kind(dropout=0.0, **parameters), row_shape, (7, 5), 0.5) == expected


def test_dropout_and_activation_are_part_of_the_sizes():
    sizes = bottleneck_sizes(AutoEncoderTransformer(dropout=0.3), (13,), (7,), 0.5, "tanh")
    assert sizes == BottleneckSizes((13,), (7,), "tanh", dropout=0.3)


@pytest.mark.parametrize(("dropout", "expected"), [(0.5, 0.5), ("auto", 0.25)])
def test_dropout_is_the_parameter_or_what_auto_stands_for(dropout, expected):
    assert bottleneck_sizes(AutoEncoderTransformer(dropout=dropout), (13,), (7,), 0.25).dropout == expected


@pytest.mark.parametrize("n_features", [1, 2, 3, 7, 8, 9, 255, 256, 257, 10_000])
def test_a_bottleneck_is_a_quarter_of_the_columns_within_2_and_64(n_features):
    found = automatic_n_components(n_features)
    assert found <= n_features
    if 8 <= n_features <= 256:
        assert n_features / 4 <= found < n_features / 4 + 1
    else:
        assert found in (1, 2, 64)


@pytest.mark.parametrize("limit", [2000, 0])  # the covariance of all rows, or a sample that holds them all
def test_the_start_is_at_the_principal_components_of_what_the_encoder_sees(limit, monkeypatch):
    monkeypatch.setattr(bottleneck, "MAX_COVARIANCE_COLUMNS", limit)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 6)) @ rng.normal(size=(6, 6)) + 2
    start = start_axes(Rows(X), 3, torch.Generator().manual_seed(0), seen=lambda batch: 2 * batch)
    pca = PCA(3, svd_solver="full").fit(2 * X)
    np.testing.assert_allclose(start.mean, pca.mean_, rtol=1e-5)
    np.testing.assert_allclose(start.variances, pca.explained_variance_ * 299 / 300, rtol=1e-5)
    np.testing.assert_allclose(np.abs((start.axes.numpy() * pca.components_).sum(axis=1)), 1.0, rtol=1e-6)

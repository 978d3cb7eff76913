"""Sizes and budgets of the models of grids: what "auto" becomes, and how many grids go through a network together."""

import json

import numpy as np
import pytest
import torch

from skvq.core.estimator import Budget
from skvq.core.inference import ROW_BLOCK
from skvq.core.parameters import to_json
from skvq.nn.grids.levels import TwoLevelPixelCNN
from skvq.nn.grids.pixelcnn import GatedPixelCNN
from skvq.nn.grids.transformer import CausalGridTransformer
from skvq.persistence.records import from_json
from skvq.priors.defaults import (
    BATCH_VALUES,
    SAMPLE_BATCH,
    SCORE_BATCH,
    OddNumber,
    PixelCNNSizes,
    TransformerSizes,
    TwoLevelSizes,
    automatic_dropout,
    automatic_training,
)

WITHOUT = {"n_clusters": 0, "code_dim": 0, "n_books": 1}
COMMON = {"n_codes": 5, "condition_size": 3, "dropout": 0.1} | WITHOUT
STACK = {"channels": 8, "n_layers": 2, "kernel_size": 3, "dilations": (1, 2)}
SIZES = [
    (PixelCNNSizes(grid_shape=(3, 4), **COMMON, **STACK), GatedPixelCNN),
    (TransformerSizes(grid_shape=(3, 4), **COMMON, d_model=8, n_layers=1, n_heads=2), CausalGridTransformer),
    (TwoLevelSizes(grid_shape=(1, 12), **COMMON, **STACK, grid_shapes=((2, 2), (2, 4))), TwoLevelPixelCNN),
]


@pytest.mark.parametrize(("sizes", "kind"), SIZES)
def test_sizes_build_their_network_and_go_through_json(sizes, kind):
    network = sizes.build(torch.Generator().manual_seed(0))
    assert type(network) is kind
    assert tuple(network.grid_shape) == sizes.grid_shape
    assert network.condition_size == 3
    assert sizes.n_positions == 12
    assert from_json(type(sizes), json.loads(json.dumps(to_json(sizes)))) == sizes
    grids = torch.zeros(2, *sizes.grid_shape, dtype=torch.int64)
    condition = torch.eye(3)[:2]
    assert network.eval().log_prob(grids, condition).shape == (2,)


@pytest.mark.parametrize("n_codes", [2, 256, 2**16])
@pytest.mark.parametrize("grid_shape", [(1, 1), (7, 7), (28, 28), (64, 64)])
def test_what_goes_through_a_network_together_is_bounded(n_codes, grid_shape):
    common = {"n_codes": n_codes, "condition_size": 0, "dropout": 0.0} | WITHOUT
    for sizes in (
        PixelCNNSizes(grid_shape=grid_shape, **common, **STACK),
        TransformerSizes(grid_shape=grid_shape, **common, d_model=64, n_layers=2, n_heads=4),
    ):
        drawn, scored = sizes.per_sample(), sizes.per_score()
        assert 1 <= drawn <= SAMPLE_BATCH
        assert drawn == 1 or drawn * 4 * n_codes <= BATCH_VALUES
        assert ROW_BLOCK <= scored <= SCORE_BATCH
        assert scored % ROW_BLOCK == 0
        assert scored == ROW_BLOCK or scored * int(np.prod(grid_shape)) * 2 * n_codes <= BATCH_VALUES


def test_two_levels_are_sampled_as_the_level_that_needs_more():
    options = {"n_codes": 256, "condition_size": 0, "dropout": 0.0} | WITHOUT | STACK | {"channels": 512, "n_layers": 8}
    levels = ((7, 7), (64, 64))
    both = TwoLevelSizes(grid_shape=(1, 49 + 64 * 64), **options, grid_shapes=levels)
    alone = [PixelCNNSizes(grid_shape=shape, **options).per_sample() for shape in levels]
    assert both.per_sample() == min(alone) < max(alone)


@pytest.mark.parametrize(
    ("n_rows", "expected"),
    [
        (10, Budget(60, 32, 1e-3)),
        (499, Budget(60, 32, 1e-3)),
        (1_000, Budget(30, 64, 1e-3)),
        (9_999, Budget(20, 64, 1e-3)),
        (10_000, Budget(30, 64, 2e-3, bfloat16_pays=True)),
        (10**7, Budget(2, 64, 2e-3, bfloat16_pays=True)),
    ],
)
def test_the_budget_follows_the_rows(n_rows, expected):
    assert automatic_training(n_rows, learning_rates=(1e-3, 2e-3), bfloat16_pays=True) == expected
    assert not automatic_training(n_rows).bfloat16_pays
    assert automatic_dropout(n_rows, few=0.3) == (0.3 if n_rows < 10_000 else 0.0)


def test_kernels_are_odd():
    values = (-1, 0, 1, 2, 3, 4.0, 5.0, True, "3", None)
    assert [value for value in values if OddNumber().is_satisfied_by(value)] == [1, 3]

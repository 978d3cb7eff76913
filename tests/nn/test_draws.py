import pytest
import torch
from torch import nn

from skvq.nn.draws import Dropout, draw_from


@pytest.fixture
def layer():
    layer = Dropout(0.25)
    draw_from(torch.Generator().manual_seed(0), nn.Sequential(layer))
    return layer


def test_the_share_of_zeros_is_p_and_the_mean_is_kept(layer):
    out = layer(torch.ones(100_000))
    assert out.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert float((out == 0).float().mean()) == pytest.approx(0.25, abs=0.01)  # seven standard deviations


def test_evaluation_passes_everything(layer):
    x = torch.randn(10)
    assert layer.eval()(x) is x


def test_the_global_generator_is_left_alone(layer):
    before = torch.random.get_rng_state()
    layer(torch.ones(1000))
    assert torch.equal(before, torch.random.get_rng_state())

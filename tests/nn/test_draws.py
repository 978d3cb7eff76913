from unittest import mock

import numpy as np
import pytest
import torch
from torch import nn

from skvq.nn import draws
from skvq.nn.draws import Dropout, draw_from, generator_for, kept, normal, uniform_numbers


@pytest.fixture
def layer():
    layer = Dropout(0.25)
    draw_from(torch.Generator().manual_seed(0), nn.Sequential(layer))
    return layer


def test_the_share_of_zeros_is_p_and_the_mean_is_kept(layer):
    out = layer(torch.ones(100_000))
    assert out.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert float((out == 0).float().mean()) == pytest.approx(0.25, abs=0.01)  # seven standard deviations


def test_every_element_is_kept_with_the_probability_and_by_itself():
    generator = torch.Generator().manual_seed(0)
    device = torch.device("cpu")
    mask = kept((50_000, 4), 0.3, device, generator).double()  # four elements share a drawn number
    assert mask.mean(dim=0).tolist() == pytest.approx([0.3] * 4, abs=0.01)  # five standard deviations
    assert torch.corrcoef(mask.T).numpy() == pytest.approx(np.eye(4), abs=0.025)
    assert bool(kept((1000,), 1.0, device, generator).all())
    assert int(kept((1000,), 1e-9, device, generator).sum()) <= 1
    assert kept((3, 5), 0.5, device, generator).shape == (3, 5)  # 15 is no multiple of four


def test_evaluation_passes_everything(layer):
    x = torch.randn(10)
    assert layer.eval()(x) is x


def test_the_global_generator_is_left_alone(layer):
    before = torch.random.get_rng_state()
    layer(torch.ones(1000))
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_generator_draws_for_its_own_device_itself():
    generator = torch.Generator().manual_seed(0)
    assert generator_for(torch.device("cpu"), generator) is generator


def test_draws_for_another_device_follow_from_the_state_of_the_generator_and_move_it_on():
    generator = torch.Generator().manual_seed(0)
    state = generator.get_state()
    with mock.patch.object(draws, "new_generator", side_effect=lambda device: torch.Generator()):
        first, second = (generator_for(torch.device("cuda"), generator) for _ in range(2))
        generator.set_state(state)
        again = generator_for(torch.device("cuda"), generator)
    assert first.initial_seed() == again.initial_seed()
    assert first.initial_seed() != second.initial_seed()


def test_noise_of_the_processor_is_what_the_generator_draws():
    found = normal((3, 2), torch.device("cpu"), torch.Generator().manual_seed(0))
    assert torch.equal(found, torch.randn(3, 2, generator=torch.Generator().manual_seed(0)))
    found = uniform_numbers((3, 2), torch.device("cpu"), torch.Generator().manual_seed(0))
    assert torch.equal(found, torch.rand(3, 2, generator=torch.Generator().manual_seed(0)))


def test_from_more_vectors_than_torch_draws_from_the_draw_has_the_same_distribution():
    weights, source = torch.tensor([0.0, 1.0, 2.0, 5.0, 0.0]), torch.Generator().manual_seed(0)
    with mock.patch.object(draws, "MOST_CATEGORIES", 2):
        pairs = torch.stack([draws.weighted_draw(weights, 2, source) for _ in range(4000)])
        assert draws.weighted_draw(weights, 5, source).sort().values.tolist() == [1, 2, 3]
    shares = weights / weights.sum()
    for i, j in [(1, 2), (3, 1), (2, 3)]:
        expected = float(shares[i] * shares[j] / (1 - shares[i]))
        found = float(((pairs[:, 0] == i) & (pairs[:, 1] == j)).float().mean())
        assert found == pytest.approx(expected, abs=0.04)  # five standard deviations

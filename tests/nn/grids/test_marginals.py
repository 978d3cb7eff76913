"""Biases of the logits at the frequencies of the codes, over all grids and within classes."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from skvq.nn.grids.levels import TwoLevelPixelCNN
from skvq.nn.grids.marginals import LEAST_GAIN, STRENGTHS, class_log_ratios
from skvq.nn.grids.pixelcnn import GatedPixelCNN
from skvq.nn.grids.transformer import CausalGridTransformer

NETWORKS = {
    "pixelcnn": lambda: GatedPixelCNN(3, (1, 5), channels=4, n_layers=1, condition_size=2),
    "transformer": lambda: CausalGridTransformer(3, (1, 5), d_model=8, n_heads=2, n_layers=1, condition_size=2),
    "levels": lambda: TwoLevelPixelCNN(3, ((1, 2), (1, 3)), channels=4, n_layers=1, condition_size=2),
}


def rows_of_two_classes(n):
    """Return codes (n, 1, 5) below 3 whose first and last tell the two classes apart, and the classes (n,)."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 2, n)
    codes = rng.integers(0, 3, (n, 1, 5))
    codes[:, 0, 0] = np.where(rng.random(n) < 0.8, classes, 2)
    codes[:, 0, 4] = np.where(rng.random(n) < 0.5, classes, codes[:, 0, 4])
    return torch.from_numpy(codes), torch.from_numpy(classes)


def slow_log_ratios(codes, classes, position):
    """The ratios (2, 3) at one position by their definition: every grid is left out in turn, smoothing 1."""
    column = codes[:, 0, position].numpy()
    n = len(column)

    def probability(a, others, of_class, strength):
        overall = (np.sum(column[others] == a) + 1) / (others.sum() + 3)
        inside = others & (classes.numpy() == of_class)
        return (np.sum(column[inside] == a) + strength * overall) / (inside.sum() + strength), overall

    found, highest = np.zeros((2, 3)), -np.inf
    for strength in STRENGTHS:
        gains = []
        for i in range(n):
            within, overall = probability(column[i], np.arange(n) != i, int(classes[i]), strength)
            gains.append(np.log(within / overall))
        gains = np.array(gains)
        if gains.sum() > max(highest, LEAST_GAIN * np.sqrt(n) * gains.std()):
            highest = gains.sum()
            pairs = [[probability(a, np.ones(n, bool), c, strength) for a in range(3)] for c in range(2)]
            found = np.log([[within / overall for within, overall in row] for row in pairs])
    return found


@pytest.mark.parametrize("position", [0, 1, 4])
def test_ratios_within_classes_are_those_that_leaving_out_one_grid_at_a_time_chooses(position):
    codes, classes = rows_of_two_classes(80)
    counts = torch.stack([F.one_hot(codes[classes == c].flatten(1), 3).sum(dim=0) for c in range(2)])
    found = class_log_ratios(counts)[:, position].numpy()
    np.testing.assert_allclose(found, slow_log_ratios(codes, classes, position), rtol=1e-5, atol=1e-6)  # float32 p(a)
    assert (np.abs(found).max() > 0.3) == (position != 1)  # the second code has nothing to do with the class


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_rows_starts_at_independent_positions_given_the_class(name):
    codes, classes = rows_of_two_classes(300)
    network, condition = NETWORKS[name](), F.one_hot(classes, 2).float()
    network.set_marginals(codes, condition)
    network.eval()
    counts = torch.stack([F.one_hot(codes[classes == c].flatten(1), 3).sum(dim=0) for c in range(2)])
    frequencies = (counts.sum(dim=0) + 1) / 303
    expected = (frequencies.log() + class_log_ratios(counts))[classes]  # (n, 5, 3)
    found = F.log_softmax(network(codes, condition), dim=-1)[:, 0].double()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)  # float32 network
    cached = network.cached_logits(codes, condition)
    torch.testing.assert_close(cached, network(codes, condition), rtol=0, atol=1e-5)


def test_a_grid_of_several_rows_has_no_bias_of_classes():
    assert GatedPixelCNN(3, (2, 3), channels=4, n_layers=1, condition_size=2).class_marginals is None
    assert CausalGridTransformer(3, (2, 3), d_model=8, n_heads=2, condition_size=2).class_marginals is None

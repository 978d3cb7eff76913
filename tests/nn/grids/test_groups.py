"""Many codes by way of their groups."""

import itertools

import numpy as np
import pytest
import torch

from skvq.nn.grids import context, groups
from skvq.nn.grids.groups import CodeGroups, nearby_order
from skvq.nn.grids.pixelcnn import GatedPixelCNN
from skvq.nn.grids.transformer import CausalGridTransformer

KINDS = (GatedPixelCNN, CausalGridTransformer)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=generator(seed))


@pytest.mark.parametrize("n_codes", [8, 11, 64])
@pytest.mark.parametrize("knows_vectors", [True, False])
def test_groups_give_a_distribution_over_codes_and_one_of_them_alone_is_the_same(n_codes, knows_vectors):
    part = CodeGroups(n_codes, 5)
    with torch.no_grad():
        part.weight.copy_(drawn(part.n_groups, 5))
    hidden, table, bias = drawn(3, 4, 5, seed=1), drawn(n_codes, 5, seed=2), drawn(4, n_codes, seed=3)
    vectors = drawn(1, n_codes, 2, seed=4) if knows_vectors else None
    whole = part.log_probs(hidden, table, bias, vectors)
    torch.testing.assert_close(whole.exp().sum(dim=-1), torch.ones(3, 4))
    for k in range(n_codes):
        alone = part.log_prob(hidden, torch.full((3, 4), k), table, bias, vectors)
        torch.testing.assert_close(alone, whole[..., k])


def test_groups_that_say_nothing_leave_the_frequencies():
    part, bias = CodeGroups(16, 5), drawn(4, 16)
    found = part.log_probs(torch.zeros(2, 4, 5), drawn(16, 5), bias, None)
    torch.testing.assert_close(found, bias.log_softmax(dim=-1).expand(2, -1, -1))


def test_codes_of_a_group_are_near_each_other():
    vectors = drawn(64, 2)
    order = nearby_order(vectors)
    assert sorted(order.tolist()) == list(range(64))

    def spread(order):
        return float(vectors[order].view(8, 8, 2).var(dim=1).mean())

    assert spread(order) < 0.5 * spread(torch.arange(64))
    assert sorted(nearby_order(vectors[:11]).tolist()) == list(range(11))


def test_the_layout_follows_the_vectors():
    part, vectors = CodeGroups(8, 2), drawn(1, 8, 1)
    first = part._layout(vectors, "cpu")[0].clone()
    vectors.copy_(drawn(1, 8, 1, seed=1))
    assert not torch.equal(first, part._layout(vectors, "cpu")[0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("code_dim", [0, 3])
def test_networks_of_many_codes_are_distributions_and_are_sampled_as_they_score(kind, code_dim, monkeypatch):
    monkeypatch.setattr(groups, "GROUPED_CODES", 2)
    network = kind(3, (1, 3), code_dim=code_dim, generator=generator()).eval()
    assert network.groups is not None
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * drawn(*parameter.shape))
        if code_dim:
            network.set_vectors(drawn(1, 3, code_dim))
        every = torch.tensor(list(itertools.product(range(3), repeat=3))).view(-1, 1, 3)
        p = network.log_prob(every).exp()
        assert p.sum().item() == pytest.approx(1, abs=1e-5)
        torch.testing.assert_close(network.cached_logits(every), network(every), atol=1e-5, rtol=1e-5)
        assert network.nll(every).item() == pytest.approx(-p.log().mean().item() / 3, abs=1e-5)
        n = 20_000
        found = network.sample(n, generator=generator()).flatten(1) @ torch.tensor([9, 3, 1])
    counts, p = torch.bincount(found, minlength=27).numpy(), p.numpy()
    assert (np.abs(counts - n * p) / (np.sqrt(n * p) + 1)).max() < 5  # standard deviations


@pytest.mark.parametrize("kind", KINDS)
def test_sums_of_the_codes_that_are_there_are_those_of_all(kind, monkeypatch):
    network = kind(9, (2, 3), generator=generator())
    codes = torch.randint(4, (2, 2, 3), generator=generator())
    weight = network.embedding.weight
    expected = network.earlier(codes, weight)
    monkeypatch.setattr(context, "MANY_CODES", 2)
    found = network.earlier(codes, weight)
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad(sums.square().sum(), weight)[0] for sums in (expected, found)]
    torch.testing.assert_close(gradients[1], gradients[0])

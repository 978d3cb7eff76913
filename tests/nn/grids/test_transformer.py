"""Causal transformer: causality by gradients, probabilities by enumeration, the cache against full forward passes."""

import itertools
import math
from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from skvq.nn.grids.transformer import CausalGridTransformer, CausalSelfAttention

SHAPES = [(4, 4), (3, 5), (5, 2), (1, 16), (1, 40), (6, 1), (1, 1), (2, 2), (7, 7)]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random_model(n_codes, grid_shape, **sizes):
    """Return a model in which every weight matters: what starts at zero or one is drawn as well."""
    model = CausalGridTransformer(
        n_codes, grid_shape, generator=generator(1), **{"d_model": 12, "n_layers": 2, "n_heads": 3} | sizes
    )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name or name in ("output.weight", "marginals") or name.endswith("bias"):
                parameter.add_(torch.empty_like(parameter).normal_(0.0, 0.3, generator=generator(2)))
    return model.eval()


def random_codes(n, n_codes, grid_shape):
    return torch.randint(n_codes, (n, *grid_shape), generator=generator(3))


class Plus(torch.nn.Module):
    """Adds real-valued inputs, which gradients reach, where the embedded codes enter the blocks."""

    def __init__(self, inputs):
        super().__init__()
        self.inputs = inputs

    def forward(self, x):
        return x + self.inputs


@pytest.mark.parametrize("n_layers", [1, 3])
@pytest.mark.parametrize("grid_shape", [(4, 4), (3, 5), (5, 2), (1, 9), (6, 1)])
def test_gradients_reach_every_earlier_position_and_no_later_one(grid_shape, n_layers):
    model = random_model(5, grid_shape, n_layers=n_layers)
    codes = random_codes(2, 5, grid_shape)
    inputs = torch.zeros(2, math.prod(grid_shape), 12, requires_grad=True)
    model.dropout = Plus(inputs)
    logits = model(codes).flatten(1, 2)
    for position in range(logits.shape[1]):
        gradient = torch.autograd.grad(logits[0, position].square().sum(), inputs, retain_graph=True)[0]
        reached = gradient[0].abs().sum(dim=-1) > 0
        assert reached[: position + 1].all()
        assert not reached[position + 1 :].any()
        assert (gradient[1] == 0).all()


@pytest.mark.parametrize("grid_shape", [(4, 4), (3, 5), (5, 2), (1, 32), (1, 40), (6, 1)])
def test_logits_depend_on_every_earlier_code_and_on_no_other(grid_shape):
    model, codes = random_model(5, grid_shape, reach=1), random_codes(4, 5, grid_shape)  # attention carries the others
    with torch.no_grad():
        expected = model(codes)
        for position in range(math.prod(grid_shape)):
            other = codes.clone()
            other.flatten(1)[:, position] = (other.flatten(1)[:, position] + 1) % 5
            changed = (model(other) != expected).any(dim=-1).any(dim=0).flatten()
            assert not changed[: position + 1].any()
            assert changed[position + 1 :].all()


def test_attention_is_the_weighted_mean_of_the_values_before():
    attention = CausalSelfAttention(6, 2)
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.normal_(0.0, 1.0, generator=generator(4))
    x = torch.randn(2, 5, 6, generator=generator(5))
    queries, keys, values = (x @ weight.t() for weight in attention.queries_keys_values.weight.chunk(3))
    for row, t in itertools.product(range(2), range(5)):
        heads = []
        for head in (slice(0, 3), slice(3, 6)):
            scores = torch.stack([queries[row, t, head] @ keys[row, s, head] for s in range(t + 1)]) / math.sqrt(3)
            heads.append(torch.softmax(scores, dim=0) @ values[row, : t + 1, head])
        expected = attention.output.weight @ torch.cat(heads)
        torch.testing.assert_close(attention(x)[row, t], expected, atol=1e-5, rtol=1e-5)


def test_attention_stays_in_float32_where_the_rest_is_in_bfloat16():
    attention = CausalSelfAttention(8, 2)
    for parameter in attention.parameters():
        nn.init.normal_(parameter)
    x, types = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0)), []
    attend = F.scaled_dot_product_attention

    def recorded(q, k, v, **options):
        types.append({q.dtype, k.dtype, v.dtype})
        return attend(q, k, v, **options)

    with mock.patch.object(F, "scaled_dot_product_attention", recorded), torch.autocast("cpu", dtype=torch.bfloat16):
        found = attention(x)
    assert types == [{torch.float32}]
    assert found.dtype == torch.bfloat16


@pytest.mark.parametrize("grid_shape", SHAPES)
@pytest.mark.parametrize(("condition_size", "reach"), [(0, None), (3, None), (0, 1)])
def test_cached_logits_equal_those_of_the_full_forward_pass(grid_shape, condition_size, reach):
    model = random_model(7, grid_shape, condition_size=condition_size, reach=reach)
    codes = random_codes(3, 7, grid_shape)
    condition = torch.randn(3, 3, generator=generator(5)) if condition_size else None
    with torch.no_grad():
        expected = model(codes, condition)
    torch.testing.assert_close(model.cached_logits(codes, condition), expected, atol=1e-5, rtol=0)
    assert expected.std() > 0.1


def test_probabilities_of_all_binary_grids_sum_to_one_and_samples_follow_them():
    model = random_model(2, (2, 2))
    grids = torch.tensor(list(itertools.product(range(2), repeat=4))).view(16, 2, 2)
    with torch.no_grad():
        probabilities = model.log_prob(grids).double().exp()
    assert probabilities.sum().item() == pytest.approx(1, abs=1e-5)  # float32
    n = 40_000
    codes = model.sample(n, generator=generator(4)).flatten(1)
    counts = torch.bincount(codes @ torch.tensor([8, 4, 2, 1]), minlength=16)
    deviation = (counts - n * probabilities) / (n * probabilities * (1 - probabilities)).sqrt()
    assert deviation.abs().max() < 5  # standard deviations of a binomial count


@pytest.mark.parametrize("training", [True, False])
def test_sampling_leaves_the_mode_and_the_global_generator_alone_and_drops_nothing(training):
    model = random_model(6, (3, 3), dropout=0.5).train(training)
    before = torch.random.get_rng_state()
    codes = model.sample(10, generator=generator(9))
    assert model.training is training
    assert model.blocks[0].training is training
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(codes, model.eval().sample(10, generator=generator(9)))


def test_initial_weights_come_from_the_given_generator_alone():
    before = torch.random.get_rng_state()
    one, same, other = (CausalGridTransformer(9, (3, 3), d_model=8, generator=generator(s)) for s in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    for (name, a), b, c in zip(one.named_parameters(), same.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        fixed = "norm" in name or name in ("output.weight", "marginals") or name.endswith("bias")
        assert torch.equal(a, c) == fixed, name


def test_a_model_with_marginals_starts_at_the_likelihood_of_independent_positions():
    codes = random_codes(200, 5, (2, 3)) // 2  # codes 3 and 4 never occur
    model = CausalGridTransformer(5, (2, 3), generator=generator())
    model.set_marginals(codes, smoothing=0.5)
    frequencies = torch.stack([(codes == k).double().sum(dim=0) + 0.5 for k in range(5)]) / 202.5  # (5, 2, 3)
    expected = frequencies.gather(0, codes).log().sum(dim=(1, 2))
    torch.testing.assert_close(model.log_prob(codes).double(), expected, atol=1e-4, rtol=0)


def test_training_learns_a_dependence_between_distant_positions():
    first = torch.randint(4, (256, 1, 1), generator=generator(10))
    codes = torch.cat([first, random_codes(256, 4, (1, 10)), first], dim=2)  # the last of 12 repeats the first
    model = CausalGridTransformer(4, (1, 12), d_model=16, n_layers=2, reach=1, generator=generator())
    model.set_marginals(codes)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(150):
        loss = model.nll(codes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    sampled = model.sample(500, generator=generator(11))
    assert (sampled[:, 0, 0] == sampled[:, 0, -1]).float().mean() > 0.95


def test_a_missing_or_useless_condition_and_unequal_heads_are_refused():
    codes, condition = random_codes(2, 5, (2, 2)), torch.zeros(2, 3)
    with pytest.raises(ValueError, match=r"takes a condition \(b, 3\), got None"):
        random_model(5, (2, 2), condition_size=3)(codes)
    with pytest.raises(ValueError, match="takes no condition"):
        random_model(5, (2, 2))(codes, condition)
    with pytest.raises(ValueError, match="d_model=12 must be a multiple of n_heads=5"):
        random_model(5, (2, 2), n_heads=5)

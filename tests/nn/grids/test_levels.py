"""The PixelCNN of a fine grid given the codes of a coarse one, alone and with the coarse grid's own."""

import itertools

import pytest
import torch

from skvq.nn.grids.levels import TwoLevelPixelCNN
from skvq.nn.grids.pixelcnn import GatedPixelCNN

SHAPES = [((2, 2), (4, 4)), ((2, 3), (5, 4)), ((3, 1), (4, 2)), ((1, 2), (1, 5)), ((1, 1), (1, 1)), ((3, 3), (2, 2))]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def every_weight_matters(model):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("output.weight", "marginals", "bias")):
                parameter.normal_(0.0, 0.5, generator=generator(2))
    return model.eval()


def fine_model(other_shape, grid_shape, **sizes):
    sizes = {"channels": 12, "n_layers": 2, "embedding_dim": 8} | sizes
    model = GatedPixelCNN(5, grid_shape, context_shape=other_shape, context_codes=7, generator=generator(1), **sizes)
    return every_weight_matters(model)


def two_levels(grid_shapes=((1, 2), (2, 2)), n_codes=2, **sizes):
    sizes = {"channels": 8, "n_layers": 1} | sizes
    return every_weight_matters(TwoLevelPixelCNN(n_codes, grid_shapes, generator=generator(1), **sizes))


def codes_of(n_codes, *shape, seed=3):
    return torch.randint(n_codes, shape, generator=generator(seed))


@pytest.mark.parametrize(("other_shape", "grid_shape"), SHAPES)
@pytest.mark.parametrize("sizes", [{}, {"condition_size": 3}, {"n_layers": 0}, {"kernel_size": 5, "dilations": (2, 1)}])
def test_cached_logits_given_a_context_equal_those_of_the_full_forward_pass(other_shape, grid_shape, sizes):
    model = fine_model(other_shape, grid_shape, **sizes)
    codes, context = codes_of(5, 3, *grid_shape), codes_of(7, 3, *other_shape)
    condition = torch.randn(3, 3, generator=generator(5)) if sizes.get("condition_size") else None
    with torch.no_grad():
        stream = model.stream_logits(3, condition, context)
        cached = [next(stream)] + [stream.send(given) for given in codes.flatten(1).t()[:-1]]
        expected = model(codes, condition, context)
    torch.testing.assert_close(torch.stack(cached, dim=1), expected.flatten(1, 2), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("other_shape", "grid_shape"), SHAPES)
def test_the_context_changes_every_logit_and_the_codes_only_later_ones(other_shape, grid_shape):
    model = fine_model(other_shape, grid_shape)
    codes, context = codes_of(5, 4, *grid_shape), codes_of(7, 4, *other_shape)
    logits = model(codes, None, context).flatten(1, 2)
    assert (logits != model(codes, None, (context + 1) % 7).flatten(1, 2)).any(dim=-1).any(dim=0).all()
    for position in range(grid_shape[0] * grid_shape[1]):
        other = codes.flatten(1).clone()
        other[:, position] = (other[:, position] + 1) % 5
        changed = (logits != model(other.view_as(codes), None, context).flatten(1, 2)).any(dim=-1).any(dim=0)
        assert not changed[: position + 1].any()
        assert changed[position + 1 :].all()


def test_every_code_of_the_context_reaches_the_position_that_it_covers():
    model = fine_model((3, 3), (6, 6))
    codes, context = codes_of(5, 1, 6, 6), codes_of(7, 1, 3, 3)
    logits = model(codes, None, context)
    for i, j in itertools.product(range(3), repeat=2):
        other = context.clone()
        other[0, i, j] = (other[0, i, j] + 1) % 7
        changed = (logits != model(codes, None, other)).any(dim=-1)[0]
        assert changed[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].all()


@pytest.mark.parametrize(
    ("context", "found"), [(None, "None"), (codes_of(7, 2, 3, 2), r"\(3, 2\)"), (codes_of(7, 2, 6), r"\(6,\)")]
)
def test_a_context_of_another_shape_is_named(context, found):
    model = fine_model((2, 3), (4, 4))
    with pytest.raises(ValueError, match=rf"context of shape \(2, 3\), got {found}"):
        model(codes_of(5, 2, 4, 4), None, context)
    with pytest.raises(ValueError, match=r"context of shape None, got \(2, 3\)"):
        GatedPixelCNN(5, (4, 4))(codes_of(5, 2, 4, 4), None, codes_of(5, 2, 2, 3))


@pytest.mark.parametrize("condition_size", [0, 3])
def test_logits_are_those_of_the_coarse_model_and_of_the_fine_one_given_the_coarse_codes(condition_size):
    model = two_levels(((2, 3), (5, 4)), 6, condition_size=condition_size)
    codes = codes_of(6, 3, 1, 26)
    condition = torch.randn(3, 3, generator=generator(5)) if condition_size else None
    coarse, fine = codes[:, 0, :6].view(3, 2, 3), codes[:, 0, 6:].view(3, 5, 4)
    found = model(codes, condition)
    assert found.shape == (3, 1, 26, 6)
    torch.testing.assert_close(found[:, 0, :6], model.coarse(coarse, condition).flatten(1, 2))
    torch.testing.assert_close(found[:, 0, 6:], model.fine(fine, condition, coarse).flatten(1, 2))
    torch.testing.assert_close(model.cached_logits(codes, condition), found, atol=1e-5, rtol=0)


def test_probabilities_of_all_pairs_of_grids_sum_to_one_and_samples_follow_them():
    model = two_levels()
    rows = torch.tensor(list(itertools.product(range(2), repeat=6))).view(64, 1, 6)
    with torch.no_grad():
        probabilities = model.log_prob(rows).double().exp()
    assert probabilities.sum().item() == pytest.approx(1, abs=1e-5)  # float32
    n = 40_000
    codes = model.sample(n, generator=generator(4)).flatten(1)
    counts = torch.bincount(codes @ torch.tensor([32, 16, 8, 4, 2, 1]), minlength=64)
    deviation = (counts - n * probabilities) / (n * probabilities * (1 - probabilities)).sqrt()
    assert deviation.abs().max() < 5  # standard deviations of a binomial count
    assert deviation.abs().max() > 0


def test_the_first_samples_do_not_depend_on_their_number():
    model = two_levels(((2, 2), (3, 3)), 6)
    codes = model.sample(20, generator=generator(7))
    assert torch.equal(codes[:5], model.sample(5, generator=generator(7)))
    assert not torch.equal(codes, model.sample(20, generator=generator(8)))


def test_marginals_start_at_the_frequencies_of_each_position_of_both_grids():
    model = TwoLevelPixelCNN(3, ((1, 2), (2, 2)), channels=8, n_layers=1)
    codes = codes_of(3, 50, 1, 6)
    model.set_marginals(codes, smoothing=0.5)
    counts = torch.nn.functional.one_hot(codes[:, 0], 3).sum(dim=0) + 0.5  # (6, 3)
    expected = (counts / counts.sum(dim=1, keepdim=True)).log()
    torch.testing.assert_close(model.marginals[0], expected)
    torch.testing.assert_close(model(codes), expected.expand(50, 1, 6, 3))  # the output map starts at zero


def test_weights_come_from_the_passed_generator_only():
    state = torch.get_rng_state()
    first, again, other = (
        TwoLevelPixelCNN(3, ((1, 2), (2, 2)), channels=8, n_layers=1, generator=generator(seed)).state_dict()
        for seed in (3, 3, 4)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    drawn = [name for name in first if first[name].is_floating_point() and bool((first[name] != 0).any())]
    assert len(drawn) > 20
    assert not any(torch.equal(first[name], other[name]) for name in drawn)
    assert torch.equal(torch.get_rng_state(), state)


def test_what_a_network_is_built_from_reaches_both_levels():
    model = TwoLevelPixelCNN(4, ((2, 2), (5, 5)), channels=4, n_layers=2, kernel_size=5, dilations=(1, 2), dropout=0.3)
    for level in (model.coarse, model.fine):
        assert [layer.dilation for layer in level.layers] == [1, 2]
        assert level.dropout.p == 0.3
        assert {layer.dropout.p for layer in level.layers} == {0.3}
    assert model.fine.layers[0].horizontal.weight.shape[3] == 3  # half of 5, and the position before

"""Gated PixelCNN: causality by gradients, probabilities by enumeration, cached sampling against full forward passes."""

import itertools

import numpy as np
import pytest
import torch

from skvq.nn.grids.pixelcnn import GatedPixelCNN
from skvq.nn.grids.sampling import choose, draw

SHAPES = [(4, 4), (3, 5), (5, 2), (1, 16), (1, 40), (6, 1), (1, 1), (2, 2)]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random_model(n_codes, grid_shape, **sizes):
    """A model in which every weight matters: the maps that start at zero are drawn as well."""
    sizes = {"channels": 12, "n_layers": 3, "embedding_dim": 8} | sizes
    model = GatedPixelCNN(n_codes, grid_shape, generator=generator(1), **sizes)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in ("output.weight", "marginals") or name.endswith("bias"):
                parameter.normal_(0.0, 0.5, generator=generator(2))
    return model


def random_codes(n, n_codes, grid_shape):
    return torch.randint(n_codes, (n, *grid_shape), generator=generator(3))


def changed_positions(model, codes, position):
    """Positions whose logits change when the code at `position` does, as a boolean tensor (h * w,)."""
    other = codes.clone()
    other.flatten(1)[:, position] = (other.flatten(1)[:, position] + 1) % model.n_codes
    return (model(codes) != model(other)).any(dim=-1).any(dim=0).flatten()


@pytest.mark.parametrize("grid_shape", [(4, 4), (3, 5), (5, 2), (1, 1), (1, 32), (6, 1), (8, 8)])
def test_logits_depend_on_every_earlier_code_and_on_no_other(grid_shape):
    model = random_model(5, grid_shape).eval()
    codes = random_codes(4, 5, grid_shape)
    for position in range(grid_shape[0] * grid_shape[1]):
        changed = changed_positions(model, codes, position)
        assert not changed[: position + 1].any()
        assert changed[position + 1 :].all()


class OneHotCodes(torch.nn.Module):
    """Stands in for the sums of looked-up vectors, with real-valued one-hot codes that gradients reach."""

    def __init__(self, earlier, one_hot):
        super().__init__()
        self.earlier, self.one_hot = earlier, one_hot

    def forward(self, codes, embedding, weights=None):
        table = self.earlier.table(embedding)
        sums = []
        for start, stop in itertools.pairwise(self.earlier.starts):
            rows = self.earlier.offsets[start:stop, None] + torch.arange(self.earlier.n_codes)  # (sources, k)
            given = self.one_hot.flatten(1, 2)[:, self.earlier.sources[start:stop]]  # (b, sources, k)
            sums.append(torch.einsum("bsk,skc->bc", given, table[rows]))
        return torch.stack(sums, dim=1).view(*codes.shape, -1)


@pytest.mark.parametrize("grid_shape", [(4, 4), (3, 5), (5, 2), (1, 9), (6, 1)])
def test_gradients_reach_every_earlier_code_and_no_other(grid_shape):
    model = random_model(5, grid_shape).eval()
    codes = random_codes(2, 5, grid_shape)
    expected = model(codes)
    one_hot = torch.nn.functional.one_hot(codes, 5).float().requires_grad_()
    model.earlier = OneHotCodes(model.earlier, one_hot)
    if model.above is not None:
        model.above = OneHotCodes(model.above, one_hot)
    logits = model(codes)
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=0)  # the same model, in another order of sums
    for position, at in enumerate(itertools.product(*map(range, grid_shape))):
        gradient = torch.autograd.grad(logits[0][at].square().sum(), one_hot, retain_graph=True)[0]
        reached = gradient[0].abs().sum(dim=-1).flatten()
        assert (reached[:position] > 0).all()
        assert (reached[position:] == 0).all()
        assert (gradient[1] == 0).all()


def influences(grid_shape, reach, half, dilations):
    """Sets of the codes that each position's logits may depend on, by following the kernels one step at a time."""
    h, w = grid_shape
    near = range(-reach, reach + 1)
    above = {
        (i, j): {(i - u, j + s) for u in range(1, reach + 1) for s in near if i >= u and 0 <= j + s < w}
        for i in range(h)
        for j in range(w)
    }
    earlier = {(i, j): above[i, j] | {(i, j - s) for s in range(1, reach + 1) if j >= s} for i, j in above}
    for d in dilations:
        steps = [(u * d, s * d) for u in range(half + 1) for s in range(-half, half + 1)]
        seen = {(i, j): set().union(*(above.get((i - u, j + s), set()) for u, s in steps)) for i, j in above}
        earlier = {
            (i, j): seen[i, j].union(*(earlier.get((i, j - s * d), set()) for s in range(half + 1))) for i, j in above
        }
        above = seen
    return earlier


@pytest.mark.parametrize(
    ("grid_shape", "reach", "dilations", "n_layers"),
    [
        ((7, 7), 1, (1, 2), 2),
        ((8, 8), 2, (3,), 1),
        ((4, 10), 1, (1, 2), 3),
        ((10, 4), 1, (2, 1), 3),
        ((1, 40), 3, (4, 8), 2),
        ((7, 6), 1, (4, 1), 2),
    ],
)
def test_gradients_with_dilation_reach_exactly_the_receptive_field(grid_shape, reach, dilations, n_layers):
    model = random_model(3, grid_shape, reach=reach, n_layers=n_layers, dilations=dilations).eval()
    codes = random_codes(1, 3, grid_shape)
    one_hot = torch.nn.functional.one_hot(codes, 3).float().requires_grad_()
    model.earlier = OneHotCodes(model.earlier, one_hot)
    if model.above is not None:
        model.above = OneHotCodes(model.above, one_hot)
    logits = model(codes)
    expected = influences(grid_shape, reach, 1, (dilations * n_layers)[:n_layers])
    for position, at in enumerate(itertools.product(*map(range, grid_shape))):
        gradient = torch.autograd.grad(logits[0][at].square().sum(), one_hot, retain_graph=True)[0]
        reached = gradient[0].abs().sum(dim=-1) > 0
        assert set(map(tuple, reached.nonzero().tolist())) == expected[at]
        assert not reached.flatten()[position:].any()


def test_dilation_up_to_the_reach_leaves_no_position_out():
    seen = influences((20, 20), 2, 1, (1, 2))[10, 10]
    rows, columns = zip(*seen, strict=True)
    box = {(i, j) for i in range(min(rows), 10) for j in range(min(columns), max(columns) + 1)}
    assert box | {(10, j) for j in range(min(columns), 10)} == seen
    assert min(rows) == 10 - 2 - 3
    gaps = influences((20, 20), 1, 1, (3,))[10, 10]
    assert (10, 8) not in gaps
    assert (10, 6) in gaps


def test_probabilities_of_all_binary_grids_sum_to_one_and_samples_follow_them():
    model = random_model(2, (2, 2))
    grids = torch.tensor(list(itertools.product(range(2), repeat=4))).view(16, 2, 2)
    with torch.no_grad():
        probabilities = model.eval().log_prob(grids).double().exp()
    assert probabilities.sum().item() == pytest.approx(1, abs=1e-5)  # float32
    n = 40_000
    codes = model.sample(n, generator=generator(4)).flatten(1)
    counts = torch.bincount(codes @ torch.tensor([8, 4, 2, 1]), minlength=16)
    deviation = (counts - n * probabilities) / (n * probabilities * (1 - probabilities)).sqrt()
    assert deviation.abs().max() < 5  # standard deviations of a binomial count
    assert deviation.abs().max() > 0


@pytest.mark.parametrize("grid_shape", SHAPES + [(7, 7)])
@pytest.mark.parametrize(("condition_size", "dilations"), [(0, (1,)), (3, (1,)), (0, (2, 3)), (3, (2, 1, 4))])
def test_cached_logits_equal_those_of_the_full_forward_pass(grid_shape, condition_size, dilations):
    sizes = {"kernel_size": 5, "dilations": dilations}
    model = random_model(7, grid_shape, condition_size=condition_size, **sizes).eval()
    codes = random_codes(3, 7, grid_shape)
    condition = torch.randn(3, 3, generator=generator(5)) if condition_size else None
    with torch.no_grad():
        expected = model(codes, condition)
    cached = model.cached_logits(codes, condition)
    torch.testing.assert_close(cached, expected, atol=1e-5, rtol=0)


def test_samples_are_drawn_from_the_cached_logits_in_raster_order():
    model = random_model(6, (3, 4))
    codes = model.sample(50, generator=generator(6), temperature=0.7)
    uniform = torch.rand(50, 12, generator=generator(6))
    with torch.no_grad():
        probabilities = torch.softmax(model.eval()(codes).flatten(1, 2).double() / 0.7, dim=-1)
    above = probabilities.cumsum(dim=-1).gather(2, codes.flatten(1)[..., None])[..., 0]
    below = above - probabilities.gather(2, codes.flatten(1)[..., None])[..., 0]
    assert ((below - 1e-5 <= uniform) & (uniform <= above + 1e-5)).all()


def test_same_seed_same_samples_and_the_first_grids_do_not_depend_on_their_number():
    model = random_model(6, (3, 3))
    codes = model.sample(20, generator=generator(7))
    assert torch.equal(codes, model.sample(20, generator=generator(7)))
    assert torch.equal(codes[:5], model.sample(5, generator=generator(7)))
    assert not torch.equal(codes, model.sample(20, generator=generator(8)))


@pytest.mark.parametrize("training", [True, False])
def test_sampling_leaves_the_mode_and_the_global_generator_alone_and_drops_nothing(training):
    model = random_model(6, (3, 3), dropout=0.5).train(training)
    before = torch.random.get_rng_state()
    codes = model.sample(10, generator=generator(9))
    assert model.training is training
    assert model.layers[0].training is training
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(codes, model.eval().sample(10, generator=generator(9)))


def test_initial_weights_come_from_the_given_generator_alone():
    before = torch.random.get_rng_state()
    one, same, other = (GatedPixelCNN(9, (3, 3), channels=8, generator=generator(s)) for s in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    for (name, a), b, c in zip(one.named_parameters(), same.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        starts_at_zero = name in ("output.weight", "marginals") or name.endswith("bias")
        assert torch.equal(a, c) == starts_at_zero, name


def test_a_model_is_rebuilt_from_its_arguments_and_its_state():
    model = random_model(9, (3, 3))
    copy = GatedPixelCNN(9, (3, 3), channels=12, n_layers=3, embedding_dim=8)
    copy.load_state_dict(model.state_dict())
    codes = random_codes(4, 9, (3, 3))
    assert torch.equal(model(codes), copy(codes))


def test_a_model_with_marginals_starts_at_the_likelihood_of_independent_positions():
    codes = random_codes(200, 5, (2, 3)) // 2  # codes 3 and 4 never occur
    model = GatedPixelCNN(5, (2, 3), generator=generator())
    model.set_marginals(codes, smoothing=0.5)
    frequencies = torch.stack([(codes == k).double().sum(dim=0) + 0.5 for k in range(5)]) / 202.5  # (5, 2, 3)
    expected = frequencies.gather(0, codes).log().sum(dim=(1, 2))
    torch.testing.assert_close(model.log_prob(codes).double(), expected, atol=1e-4, rtol=0)


def test_training_learns_a_dependence_between_distant_positions():
    first = torch.randint(4, (256, 1, 1), generator=generator(10))
    codes = torch.cat([first, random_codes(256, 4, (1, 10)), first], dim=2)  # the last of 12 repeats the first
    model = GatedPixelCNN(4, (1, 12), channels=8, n_layers=1, generator=generator())
    model.set_marginals(codes)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(80):
        loss = model.nll(codes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    sampled = model.sample(500, generator=generator(11))
    assert (sampled[:, 0, 0] == sampled[:, 0, -1]).float().mean() > 0.9


def test_nll_is_the_mean_over_positions_of_minus_log_prob():
    model = random_model(5, (2, 3)).eval()
    codes = random_codes(8, 5, (2, 3))
    distribution = torch.distributions.Categorical(logits=model(codes))
    expected = distribution.log_prob(codes).sum(dim=(1, 2))
    torch.testing.assert_close(model.log_prob(codes), expected)
    torch.testing.assert_close(model.nll(codes), -expected.mean() / 6)


def test_a_condition_enters_every_gate_and_must_be_given():
    model = random_model(5, (2, 3), condition_size=2).eval()
    codes = random_codes(4, 5, (2, 3))
    condition = torch.zeros(4, 2, requires_grad=True)
    model.nll(codes, condition).backward()
    assert (model.condition.weight.grad == 0).all()  # a zero vector
    assert (condition.grad != 0).all()
    model.zero_grad()
    model.nll(codes, condition.detach() + 1).backward()
    used = model.condition.weight.grad.abs().sum(dim=1).view(3, 2, -1)  # (layers, stacks, 2c)
    assert (used > 0).all()
    with pytest.raises(ValueError, match="condition"):
        model(codes)
    with pytest.raises(ValueError, match="no condition"):
        random_model(5, (2, 3))(codes, condition)


def test_a_condition_enters_the_first_sums_of_every_position():
    model = random_model(5, (2, 3), condition_size=2, n_layers=0).eval()
    codes = random_codes(1, 5, (2, 3))
    logits = [model(codes, condition) for condition in torch.eye(2).unsqueeze(1)]  # two one-hot classes
    assert (logits[0] != logits[1]).any(dim=-1).all()
    one_position = torch.zeros_like(model.condition_at.weight).view(6, 12, 2)
    one_position[4] = 1
    with torch.no_grad():
        model.condition_at.weight.copy_(one_position.view(-1, 2))
    changed = (model(codes, torch.ones(1, 2)) != model(codes, torch.zeros(1, 2))).any(dim=-1).flatten()
    assert changed.tolist() == [False] * 4 + [True, False]


def test_autocast_gives_logits_in_float32_near_those_of_full_precision():
    model = random_model(5, (4, 4)).eval()
    codes = random_codes(4, 5, (4, 4))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(codes)
        cached = model.cached_logits(codes)
    assert logits.dtype == torch.float32
    expected = model(codes)
    torch.testing.assert_close(cached, expected, atol=1e-5, rtol=0)  # sampling ignores autocast
    assert (logits - expected).abs().max() < 0.1 * expected.std()  # 8 bits of mantissa, a few layers


def test_a_code_of_probability_zero_is_never_drawn():
    logits = torch.tensor([-torch.inf, 0.0, -torch.inf, 0.0, -torch.inf]).expand(4, 5)
    uniform = torch.tensor([0.0, 0.4999, 0.5, 1 - 2**-24])
    assert draw(logits, uniform).tolist() == [1, 1, 3, 3]


def cut(p, temperature=1.0, top_k=None, top_p=None):
    """Probabilities (k,) after temperature, then the likeliest `top_k`, then the nucleus of these: in plain steps."""
    p = p ** (1 / temperature)
    p = p / p.sum()
    ranking = sorted(range(len(p)), key=lambda code: -p[code])[:top_k]
    kept, total, goal = [], 0.0, (1.0 if top_p is None else top_p) * p[ranking].sum()
    for code in ranking:
        if total >= goal:
            break
        kept.append(code)
        total += p[code]
    out = np.zeros(len(p))
    out[kept] = p[kept] / total
    return out


def probabilities_of_draws(model, known=None, given=None, **options):
    """All grids of codes and the probability that `sample` draws each, from full forward passes."""
    size = model.grid_shape[0] * model.grid_shape[1]
    grids = torch.tensor(list(itertools.product(range(model.n_codes), repeat=size)))
    with torch.no_grad():
        p = torch.softmax(model.eval()(grids.view(-1, *model.grid_shape)).flatten(1, 2).double(), dim=-1).numpy()
    drawn = np.ones(len(grids))
    for number, grid in enumerate(grids.tolist()):
        for position, code in enumerate(grid):
            if known is not None and known[position]:
                drawn[number] *= code == given[position]
            else:
                drawn[number] *= cut(p[number, position], **options)[code]
    return grids, drawn


def assert_frequencies(codes, n_codes, expected):
    """Check the frequencies of sampled grids (n, h * w), numbered in the order of all grids, against `expected`."""
    n, size = codes.shape
    numbers = codes @ (n_codes ** torch.arange(size - 1, -1, -1))
    counts = torch.bincount(numbers, minlength=n_codes**size).numpy()
    assert (counts[expected == 0] == 0).all()
    common = n * expected >= 20  # the others count together
    counts = np.append(counts[common], counts[~common].sum())
    expected = np.append(expected[common], expected[~common].sum())
    spread = np.sqrt(n * expected * (1 - expected)) + 1
    assert np.abs((counts - n * expected) / spread).max() < 5  # standard deviations of a binomial count


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.5},
        {"temperature": 2.0},
        {"top_k": 2},
        {"top_p": 0.7},
        {"top_k": 2, "top_p": 0.6, "temperature": 1.5},
        {"top_k": 99, "top_p": 1.0},
    ],
)
def test_samples_follow_the_enumerated_probabilities_of_cut_and_sharpened_draws(options):
    model = random_model(3, (2, 2))
    _, expected = probabilities_of_draws(model, **options)
    assert expected.sum() == pytest.approx(1)
    codes = model.sample(20_000, generator=generator(12), **options).flatten(1)
    assert_frequencies(codes, 3, expected)


@pytest.mark.parametrize("known", [(True, True, False, False), (False, True, False, True), (False, False, False, True)])
def test_completions_keep_what_is_known_and_follow_what_comes_before(known):
    model, given = random_model(3, (2, 2)), (2, 0, 1, 2)
    grids, expected = probabilities_of_draws(model, known, given)
    n = 20_000
    codes = model.sample(
        n,
        generator=generator(13),
        given=torch.tensor(given).view(1, 2, 2).expand(n, 2, 2),
        known=torch.tensor(known).view(1, 2, 2).expand(n, 2, 2),
    ).flatten(1)
    assert_frequencies(codes, 3, expected)
    with torch.no_grad():
        joint = model.log_prob(grids.view(-1, 2, 2)).double().exp().numpy()
    agrees = (grids == torch.tensor(given))[:, torch.tensor(known)].all(dim=1).numpy()
    exact = joint * agrees / (joint * agrees).sum()
    first = known == (True, True, False, False)  # known positions first: then a completion is an exact conditional
    assert np.allclose(exact, expected, atol=1e-5) == first


def test_a_certain_choice_is_the_likeliest_code_whatever_the_random_number():
    logits = torch.randn(50, 9, generator=generator(14)) * 30
    uniform = torch.rand(50, generator=generator(15))
    for options in ({"top_k": 1}, {"top_p": 1e-9}, {"temperature": 1e-300}):
        assert torch.equal(choose(logits, uniform, **options), logits.argmax(dim=-1))
    assert torch.equal(choose(logits, uniform, top_p=1.0, top_k=None), choose(logits, uniform, top_k=9))


def test_equal_logits_leave_exactly_k_codes():
    codes = choose(torch.zeros(1000, 6), torch.rand(1000, generator=generator(16)), top_k=2)
    assert len(codes.unique()) == 2


def test_log_prob_terms_are_those_of_one_position_each():
    model = random_model(5, (2, 3)).eval()
    codes = random_codes(4, 5, (2, 3))
    terms = model.log_prob_terms(codes)
    expected = torch.log_softmax(model(codes), dim=-1).gather(3, codes[..., None])[..., 0]
    torch.testing.assert_close(terms, expected)
    torch.testing.assert_close(terms.sum(dim=(1, 2)), model.log_prob(codes))


def test_dropout_in_training_leaves_codes_out_of_the_sums_of_all_later_positions():
    model = GatedPixelCNN(5, (3, 4), channels=4, dropout=0.5, generator=torch.Generator().manual_seed(0)).train()
    codes = torch.randint(5, (2, 3, 4), generator=torch.Generator().manual_seed(1))
    kept = torch.randint(2, (2, 12), generator=torch.Generator().manual_seed(2)).float()
    sums = model.earlier(codes, model.embedding.weight, kept).flatten(1, 2)
    table, expected = model.earlier.table(model.embedding.weight), torch.zeros_like(sums)
    for target in range(12):
        for bag in range(model.earlier.starts[target], model.earlier.starts[target + 1]):
            source = model.earlier.sources[bag]
            rows = model.earlier.offsets[bag] + codes.flatten(1)[:, source]
            expected[:, target] += kept[:, source, None] * table[rows]
    torch.testing.assert_close(sums, expected)
    weights = []
    model.earlier.register_forward_pre_hook(lambda _, inputs: weights.append(inputs[2]))
    model(codes), model.eval()(codes)
    assert set(weights[0].flatten().tolist()) == {0.0, 2.0}
    assert weights[1] is None

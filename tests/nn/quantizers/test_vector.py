import json

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from skvq.nn.quantizers import vector
from skvq.nn.quantizers.vector import EMAVectorQuantizer, VectorQuantizer, batch_statistics, count_codes, drift

BOTH = pytest.mark.parametrize("quantizer_class", [VectorQuantizer, EMAVectorQuantizer])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed))


def state_of(quantizer):
    return {name: value.clone() for name, value in quantizer.state_dict().items()}


def assert_same_state(quantizer, state):
    for name, value in quantizer.state_dict().items():
        assert torch.equal(value, state[name]), name


@BOTH
@pytest.mark.parametrize("n_groups", [1, 6])
def test_vectors_are_the_nearest_codebook_vectors(quantizer_class, n_groups):
    quantizer = quantizer_class(10, 4, n_groups=n_groups, generator=generator()).eval()
    z = normal(20, 6, 4, seed=1)
    vectors, codes, _ = quantizer(z)
    for position in range(6):
        codebook = quantizer.codebook.detach().numpy()[position if n_groups == 6 else 0]
        expected = cdist(z[:, position], codebook).argmin(axis=1)
        np.testing.assert_array_equal(codes[:, position], expected)
        np.testing.assert_array_equal(vectors[:, position].detach(), codebook[expected])
    assert torch.equal(codes, quantizer.encode(z))
    assert torch.equal(vectors, quantizer.decode(codes))


@BOTH
def test_gradient_of_the_vectors_passes_straight_through(quantizer_class):
    quantizer = quantizer_class(10, 4, generator=generator())
    z = normal(5, 3, 4, seed=1).requires_grad_()
    upstream = normal(5, 3, 4, seed=2)
    quantizer(z).vectors.backward(upstream)
    assert torch.equal(z.grad, upstream)
    assert quantizer.codebook.grad is None


@BOTH
def test_commitment_term_moves_only_z(quantizer_class):
    quantizer = quantizer_class(10, 4, generator=generator())
    z = normal(5, 3, 4, seed=1).requires_grad_()
    vectors, _, losses = quantizer(z)
    losses["commitment"].backward()
    torch.testing.assert_close(losses["commitment"], ((z - vectors) ** 2).mean())
    torch.testing.assert_close(z.grad, 2 * (z - vectors).detach() / z.numel())
    assert quantizer.codebook.grad is None


@BOTH
def test_the_codebook_term_is_a_figure_without_gradient(quantizer_class):
    quantizer = quantizer_class(10, 4, generator=generator())
    z = normal(5, 3, 4, seed=1).requires_grad_()
    losses = quantizer(z).losses
    assert not losses["codebook"].requires_grad
    assert torch.equal(losses["codebook"], losses["commitment"])
    assert list(quantizer.parameters()) == []


def sum_of_squares(codebook, before, mass, z, codes, weight):
    """What a gradient step minimises: the errors of a batch, and how far codes of many vectors go."""
    groups = torch.arange(len(codebook)).expand(codes.shape)  # of each position
    errors = (z - codebook[groups, codes]).square().sum()
    return weight * VectorQuantizer.STEP * errors + (mass[:, :, None] * (codebook - before).square()).sum()


@pytest.mark.parametrize("n_groups", [1, 3])
@pytest.mark.parametrize("weight", [0.1, 1.0, 1e3])
def test_a_gradient_step_minimises_the_errors_and_the_distance_gone(n_groups, weight):
    quantizer = VectorQuantizer(10, 4, n_groups=n_groups, codebook_weight=weight, generator=generator())
    for step in range(2):
        before, z = quantizer.codebook.double(), normal(50, 3, 4, seed=step)
        codes = quantizer(z).codes
    after, mass = quantizer.codebook.double().requires_grad_(), quantizer.mass.double()
    value = sum_of_squares(after, before, mass, z.double(), codes, weight)
    (gradient,) = torch.autograd.grad(value, after)
    assert float((after - before).detach().norm()) > 1e-3
    torch.testing.assert_close(gradient / max(weight, 1.0), torch.zeros_like(gradient), atol=1e-4, rtol=0)


def test_a_small_gradient_step_goes_down_the_gradient_of_the_codebook_term():
    quantizer = VectorQuantizer(10, 4, codebook_weight=1e-2, generator=generator())
    before, z = quantizer.codebook.clone().requires_grad_(), normal(50, 3, 4, seed=1)
    codes = quantizer(z).codes
    (gradient,) = torch.autograd.grad(torch.nn.functional.mse_loss(before[0][codes], z), before)
    rates = 1e-2 * VectorQuantizer.STEP * z.numel() / 2 / quantizer.mass[:, :, None]  # the term is a mean over elements
    torch.testing.assert_close(quantizer.codebook - before.detach(), -rates * gradient, rtol=0.05, atol=1e-6)


def test_a_weighted_batch_of_running_means_counts_as_so_many():
    once = EMAVectorQuantizer(10, 4, generator=generator(), codebook_weight=3.0, decay=0.9)
    often = EMAVectorQuantizer(10, 4, generator=generator(), decay=0.9)
    z = 0.2 * normal(50, 1, 4, seed=1) + often.codebook[0].repeat(5, 1)[:, None]  # near its codes, which it keeps
    once(z)
    for _ in range(3):
        often(z)
    torch.testing.assert_close(once.mass, often.mass)
    torch.testing.assert_close(once.codebook, often.codebook)
    torch.testing.assert_close(once.sums, often.sums)


@BOTH
def test_loss_terms_do_not_depend_on_how_often_the_batch_is_repeated(quantizer_class):
    z = normal(8, 3, 4, seed=1)
    codebook = normal(1, 10, 4)
    terms = []
    for batch, table in [(z, codebook), (z.repeat(5, 1, 1), codebook), (z.repeat(1, 5, 1), codebook)]:
        quantizer = quantizer_class(10, 4)
        quantizer.set_codebook(table)
        terms.append(quantizer(batch).losses)
    wide = quantizer_class(10, 20)
    wide.set_codebook(codebook.repeat(1, 1, 5))
    terms.append(wide(z.repeat(1, 1, 5)).losses)
    for other in terms[1:]:
        torch.testing.assert_close(other, terms[0])


@pytest.mark.parametrize("n_groups", [1, 3])
def test_running_means_follow_a_numpy_loop_over_several_steps(n_groups):
    quantizer = EMAVectorQuantizer(6, 2, n_groups=n_groups, decay=0.9, generator=generator())
    codebook = quantizer.codebook.numpy().copy()
    mass, sums = np.ones((n_groups, 6)), codebook.astype(float)
    for step in range(8):
        z = normal(4, 3, 2, seed=step)
        quantizer(z)
        n, s = np.zeros_like(mass), np.zeros_like(sums)
        for row, position in np.ndindex(4, 3):
            group = position if n_groups == 3 else 0
            code = ((z.numpy()[row, position] - codebook[group]) ** 2).sum(axis=1).argmin()
            n[group, code] += 1
            s[group, code] += z.numpy()[row, position]
        mass, sums = 0.9 * mass + 0.1 * n, 0.9 * sums + 0.1 * s
        codebook = sums / mass[:, :, None]
        np.testing.assert_allclose(quantizer.codebook, codebook, rtol=1e-4, atol=1e-5)  # eight steps in float32
        np.testing.assert_allclose(quantizer.mass, mass, rtol=1e-5)


@BOTH
def test_statistics_move_in_training_and_never_in_evaluation(quantizer_class):
    quantizer = quantizer_class(6, 2, generator=generator())
    before = state_of(quantizer)
    quantizer.eval()
    quantizer(normal(9, 3, 2))
    assert_same_state(quantizer, before)
    quantizer.train()
    quantizer(normal(9, 3, 2))
    assert not torch.equal(quantizer.mass, before["mass"])
    assert not torch.equal(quantizer.codebook, before["codebook"])


def test_codes_without_vectors_stay_exactly_where_they_are():
    quantizer = EMAVectorQuantizer(3, 2, decay=0.5)
    quantizer.set_codebook(torch.tensor([[[0.0, 0.0], [100.1, 70.3], [-90.7, 50.9]]]))
    before = quantizer.codebook.clone()
    for step in range(300):  # 0.5 ** 300 is zero in float32
        quantizer(normal(20, 1, 2, seed=step))
    assert torch.equal(quantizer.codebook[:, 1:], before[:, 1:])
    quantizer(torch.tensor([[[100.0, 71.0]]]))  # one vector after all mass has faded is the whole mean
    torch.testing.assert_close(quantizer.codebook[0, 1], torch.tensor([100.0, 71.0]))


@BOTH
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_a_batch_that_is_not_finite_moves_nothing_and_shows_in_the_loss(quantizer_class, bad):
    quantizer = quantizer_class(6, 2, generator=generator(), revival_threshold=0.9)
    quantizer(normal(9, 3, 2))
    before = state_of(quantizer)
    z = normal(9, 3, 2, seed=1)
    z[4, 1, 0] = bad
    quantized = quantizer(z)
    assert quantizer.revive(z, generator()) == 0
    assert_same_state(quantizer, before)
    assert not torch.isfinite(quantized.losses["commitment"])


def with_dead_codes(quantizer_class, n_groups=1, **options):
    """Two codes near the data and six far away, after enough steps for these to count as dead."""
    quantizer = quantizer_class(8, 2, n_groups=n_groups, decay=0.5, **options)
    codebook = torch.full((n_groups, 8, 2), 100.0)
    codebook[:, :2] = torch.tensor([[-1.0, 0.0], [1.0, 0.0]])
    quantizer.set_codebook(codebook)
    for step in range(20):
        quantizer(normal(16, 3, 2, seed=step))
    return quantizer


@BOTH
@pytest.mark.parametrize("n_groups", [1, 3])
def test_revival_puts_dead_codes_on_distinct_vectors_of_the_batch(quantizer_class, n_groups):
    quantizer = with_dead_codes(quantizer_class, n_groups)
    alive, average = quantizer.codebook[:, :2].detach().clone(), quantizer.mass.mean(dim=1)
    z = normal(16, 3, 2, seed=99)
    assert quantizer.revive(z, generator()) == 6 * n_groups
    assert torch.equal(quantizer.codebook[:, :2], alive)
    for group in range(n_groups):
        candidates = {tuple(v) for v in (z if n_groups == 1 else z[:, group]).reshape(-1, 2).tolist()}
        revived = {tuple(v) for v in quantizer.codebook[group, 2:].tolist()}
        assert len(revived) == 6
        assert revived <= candidates
    torch.testing.assert_close(quantizer.mass[:, 2:], average[:, None].expand(-1, 6))
    assert quantizer.revive(z, generator()) == 0


def test_revival_resets_vector_count_and_sum_together():
    quantizer = with_dead_codes(EMAVectorQuantizer)
    quantizer.revive(normal(16, 3, 2, seed=99), generator())
    torch.testing.assert_close(quantizer.sums, quantizer.codebook * quantizer.mass[:, :, None])
    revived = quantizer.codebook[0, 2:].clone()
    quantizer(normal(16, 3, 2, seed=100))
    assert float((quantizer.codebook[0, 2:] - revived).norm(dim=1).max()) < 2.0  # a step inside the data, not beyond


@BOTH
@pytest.mark.parametrize(("repeats", "rare", "n_dead"), [(100, 2, 1), (100, 50, 0), (1, 1, 0)])
def test_revival_threshold_is_relative_to_the_average_count(quantizer_class, repeats, rare, n_dead):
    quantizer = quantizer_class(4, 1, decay=0.5, revival_threshold=0.1)
    quantizer.set_codebook(torch.tensor([[[0.0], [1.0], [2.0], [3.0]]]))
    z = torch.cat([torch.tensor([0.0, 1.0, 2.0]).repeat(repeats), torch.full((rare,), 3.0)])[:, None, None]
    for _ in range(20):
        quantizer(z)
    assert quantizer.revive(normal(9, 1, 1), generator()) == n_dead


@BOTH
def test_few_vectors_for_many_codes_are_no_reason_to_revive(quantizer_class):
    quantizer = quantizer_class(64, 1, decay=0.99, revival_threshold=0.1)
    codebook = torch.arange(64.0)[None, :, None]
    quantizer.set_codebook(codebook)
    for step in range(1000):  # each code gets one vector in 64 steps: its running count is about 1/64
        quantizer(codebook[:, step % 64 : step % 64 + 1])
    assert quantizer.revive(normal(9, 1, 1), generator()) == 0


@BOTH
def test_a_rare_code_is_moved_only_where_it_would_be_of_more_use(quantizer_class):
    z = 0.3 * normal(400, 1, 1, seed=5)
    for outlier, n_moved in ((0.5, 1), (50.0, 0)):
        quantizer = quantizer_class(4, 1, decay=0.5, revival_threshold=0.1)
        quantizer.set_codebook(torch.tensor([[[-0.3], [0.0], [0.3], [outlier]]]))
        for _ in range(20):
            quantizer(torch.cat([z.clamp(max=0.35), torch.full((1, 1, 1), outlier)]))
        assert bool(quantizer.dead_codes()[0, 3])
        assert quantizer.revive(z, generator()) == n_moved


@BOTH
@pytest.mark.parametrize("n_groups", [1, 3])
def test_revived_are_the_rare_codes_whose_loss_is_below_the_average_error(quantizer_class, n_groups):
    quantizer = quantizer_class(12, 2, n_groups=n_groups, generator=generator(3), revival_threshold=0.5)
    mass = torch.rand(n_groups, 12, generator=generator(4)) ** 2 * (120 / n_groups)
    quantizer.mass.copy_(mass)
    z = normal(40, 3, 2, seed=5)
    before = quantizer.codebook.detach().clone().numpy()
    expected = np.zeros((n_groups, 12), dtype=bool)
    for group in range(n_groups):
        vectors = (z if n_groups == 1 else z[:, group]).reshape(-1, 2).numpy()
        error = (cdist(vectors, before[group]).min(axis=1) ** 2).sum() / 12
        share = mass[group].double().numpy()
        for code in range(12):
            others = np.delete(before[group], code, axis=0)
            loss = share[code] * cdist(before[group, code : code + 1], others).min() ** 2
            expected[group, code] = share[code] < 0.5 * share.mean() and loss <= error
    assert 0 < expected.sum() < (mass < 0.5 * mass.mean(dim=1, keepdim=True)).sum()
    assert quantizer.revive(z, generator()) == expected.sum()
    moved = (quantizer.codebook.detach().numpy() != before).any(axis=2)
    np.testing.assert_array_equal(moved, expected)


@BOTH
def test_far_codes_that_no_vector_uses_are_revived_after_a_while(quantizer_class):
    quantizer = quantizer_class(8, 2, decay=0.9)
    codebook = normal(1, 8, 2, seed=3)
    codebook[:, 4:] += 1e6
    quantizer.set_codebook(codebook)
    n_revived = 0
    for step in range(40):  # four times 1 / (1 - decay)
        z = normal(16, 3, 2, seed=step)
        quantizer(z)
        n_revived += quantizer.revive(z, generator(step))
    assert n_revived >= 4
    assert float(quantizer.codebook.detach().abs().max()) < 10.0


@BOTH
def test_nothing_is_revived_in_evaluation(quantizer_class):
    quantizer = with_dead_codes(quantizer_class).eval()
    before = state_of(quantizer)
    assert quantizer.revive(normal(16, 3, 2), generator()) == 0
    assert_same_state(quantizer, before)


@BOTH
def test_revival_threshold_zero_moves_nothing(quantizer_class):
    quantizer = with_dead_codes(quantizer_class, revival_threshold=0.0)
    assert quantizer.revive(normal(16, 3, 2), generator()) == 0


@BOTH
def test_revival_never_copies_a_vector_that_the_codebook_holds(quantizer_class):
    quantizer = with_dead_codes(quantizer_class)
    blank = quantizer.codebook[0, 0].detach().expand(1000, 3, 2)
    assert quantizer.revive(blank, generator()) == 0
    z = torch.cat([blank, normal(1, 3, 2)])
    assert quantizer.revive(z, generator()) == 3
    assert len(torch.unique(quantizer.codebook[0].detach(), dim=0)) == 2 + 3 + 1


@BOTH
def test_revival_draws_from_the_passed_generator_only(quantizer_class):
    z = normal(16, 3, 2, seed=99)
    codebooks = []
    for seed in (0, 0, 1):
        quantizer = with_dead_codes(quantizer_class)
        quantizer.revive(z, generator(seed))
        codebooks.append(quantizer.codebook.detach().clone())
    assert torch.equal(codebooks[0], codebooks[1])
    assert not torch.equal(codebooks[0], codebooks[2])


@BOTH
def test_the_global_generators_are_never_advanced(quantizer_class):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    for source in (None, generator()):
        quantizer_class(8, 2, generator=source)(normal(4, 3, 2))
    with_dead_codes(quantizer_class).revive(normal(16, 3, 2), generator())
    assert torch.equal(torch.get_rng_state(), torch_state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


@BOTH
def test_same_generator_gives_the_same_codebook(quantizer_class):
    first, again, other = (quantizer_class(8, 2, generator=generator(seed)).codebook for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@BOTH
def test_under_autocast_everything_is_float32_and_the_gradient_reaches_z(quantizer_class):
    reference, quantizer = (quantizer_class(10, 4, generator=generator()) for _ in range(2))
    z = normal(20, 3, 4, seed=1).bfloat16()
    expected = reference(z.float())
    z.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        vectors, codes, losses = quantizer(z)
    assert vectors.dtype == losses["commitment"].dtype == quantizer.mass.dtype == torch.float32
    assert torch.equal(codes, expected.codes)
    assert torch.equal(losses["commitment"], expected.losses["commitment"])
    assert_same_state(quantizer, state_of(reference))
    (vectors.sum() + losses["commitment"]).backward()
    torch.testing.assert_close(z.grad.float(), 1 + 2 * (z - vectors).detach() / z.numel(), rtol=1e-2, atol=0)


@BOTH
def test_set_codebook_forgets_all_statistics(quantizer_class):
    quantizer, fresh = with_dead_codes(quantizer_class), quantizer_class(8, 2)
    vectors = normal(1, 8, 2, seed=5)
    quantizer.set_codebook(vectors)
    fresh.set_codebook(vectors)
    assert_same_state(quantizer, state_of(fresh))
    vectors.zero_()
    assert not torch.equal(quantizer.codebook, vectors)


@BOTH
def test_arguments_and_state_rebuild_the_quantizer(quantizer_class):
    arguments = json.loads(json.dumps({"n_codes": 8, "code_dim": 2, "n_groups": 3, "decay": 0.5}))
    quantizer = quantizer_class(**arguments, generator=generator(7))
    quantizer(normal(16, 3, 2))
    rebuilt = quantizer_class(**arguments)
    rebuilt.load_state_dict(quantizer.state_dict())
    z = normal(16, 3, 2, seed=1)
    assert torch.equal(rebuilt(z).vectors, quantizer(z).vectors)
    assert_same_state(rebuilt, state_of(quantizer))


@pytest.mark.parametrize("n_groups", [1, 3])
def test_batch_statistics_are_the_one_hot_products(n_groups):
    z = normal(40, n_groups, 4)
    codes = torch.randint(7, (40, n_groups), generator=generator())
    counts, sums = batch_statistics(z, codes, 7)
    one_hot = np.eye(7)[codes.numpy()]  # (n, g, k)
    np.testing.assert_array_equal(counts, one_hot.sum(axis=0))
    np.testing.assert_allclose(sums, np.einsum("ngk,ngd->gkd", one_hot, z.numpy()), atol=1e-5)


def test_counts_of_batches_add_up_to_the_count_of_all():
    codes = torch.randint(9, (30, 4), generator=generator())
    for n_groups in (1, 4):
        added = count_codes(codes[:11], 9, n_groups) + count_codes(codes[11:], 9, n_groups)
        assert added.dtype == torch.int64
        assert torch.equal(added, count_codes(codes, 9, n_groups))
        expected = [np.bincount(c, minlength=9) for c in codes.numpy().reshape(-1, n_groups).T]
        np.testing.assert_array_equal(added, expected)


@pytest.mark.parametrize("n", [12, 200])
def test_drift_is_the_least_squares_fit_of_the_errors_held_back_by_a_vector_for_each_dimension(n):
    z, codes, codebook = normal(n, 2, 3), torch.randint(5, (n, 2), generator=generator()), normal(2, 7, 3, seed=1)
    moved = drift(codebook, *batch_statistics(z, codes, 7))
    for group in range(2):
        e = codebook[group].double().numpy()
        used = e[codes[:, group]]
        errors, centred = z[:, group].numpy() - used, used - used.mean(axis=0)
        held = np.sqrt(np.square(centred).sum(axis=1).mean()) * np.eye(3)
        A = np.linalg.lstsq(np.vstack([centred, held]), np.vstack([errors, np.zeros((3, 3))]), rcond=None)[0]
        expected = errors.mean(axis=0) + (e - used.mean(axis=0)) @ A
        np.testing.assert_allclose(moved[group], expected, rtol=1e-3, atol=1e-4)  # float32 normal equations


def test_a_codebook_at_the_means_of_its_vectors_has_no_drift():
    codebook, spread = normal(1, 6, 4), normal(10, 1, 4, seed=1)
    z = torch.cat([codebook[:, code] + sign * spread for code in range(5) for sign in (-1.0, 1.0)])
    codes = torch.arange(5).repeat_interleave(20)[:, None]
    torch.testing.assert_close(drift(codebook, *batch_statistics(z, codes, 6)), torch.zeros(1, 6, 4), rtol=0, atol=1e-5)


def test_a_codebook_of_one_place_drifts_as_a_point():
    z = normal(30, 1, 2)
    moved = drift(torch.ones(1, 4, 2), *batch_statistics(z, torch.zeros(30, 1, dtype=torch.int64), 4))
    torch.testing.assert_close(moved, (z.mean(dim=0) - 1.0)[None].expand(1, 4, 2))


@BOTH
def test_a_codebook_that_follows_stays_with_vectors_that_move_together(quantizer_class, monkeypatch):
    monkeypatch.setattr(quantizer_class, "STEP", 0.0)  # so that codes do not catch up by their own steps
    errors, usages = [], []
    for follow_rate in (0.0, 0.3):
        quantizer = quantizer_class(32, 2, follow_rate=follow_rate)
        quantizer.set_codebook(normal(1, 32, 2))
        for step in range(100):  # they spread to twice the width, and go away
            z = normal(64, 4, 2, seed=step) * (1 + step / 100) + step / 25
            losses = quantizer(z).losses
        errors.append(float(losses["commitment"]))
        usages.append(float((quantizer.count(quantizer.encode(z)) > 0).double().mean()))
    assert errors[1] < 0.25 * errors[0]
    assert usages[1] > 2 * usages[0]


def test_running_sums_follow_with_their_codebook():
    quantizer = EMAVectorQuantizer(8, 2, follow_rate=0.5, decay=0.9)
    for step in range(5):
        quantizer(normal(16, 3, 2, seed=step) + step)
    torch.testing.assert_close(quantizer.sums, quantizer.codebook * quantizer.mass[:, :, None])


@BOTH
def test_nothing_follows_in_evaluation_or_a_batch_that_is_not_finite(quantizer_class):
    quantizer = quantizer_class(6, 2, generator=generator(), follow_rate=0.5)
    quantizer(normal(9, 3, 2))
    before = state_of(quantizer)
    z = normal(9, 3, 2, seed=1)
    quantizer.eval()(z)
    quantizer.train()(torch.where(z == z[4, 1, 0], torch.nan, z))
    assert_same_state(quantizer, before)
    quantizer(z)
    assert not torch.equal(quantizer.codebook, before["codebook"])


@BOTH
def test_codes_beyond_the_codebook_are_never_looked_up_elsewhere(quantizer_class):
    for n_groups in (1, 3):
        with pytest.raises(IndexError):
            quantizer_class(8, 2, n_groups=n_groups).decode(torch.full((1, 3), 8))


@BOTH
def test_wrong_arguments_and_shapes_are_named(quantizer_class):
    wrong = {
        "codebook_weight": (-0.1, float("inf"), float("nan")),
        "decay": (1.0, -0.1),
        "revival_threshold": (1.0, -0.1),
        "follow_rate": (1.1, -0.1),
    }
    for name, options in ((name, {name: value}) for name, values in wrong.items() for value in values):
        with pytest.raises(ValueError, match=name):
            quantizer_class(8, 2, **options)
    with pytest.raises(ValueError, match=r"vectors must have shape \(1, 8, 2\)"):
        quantizer_class(8, 2).set_codebook(normal(1, 7, 2))
    with pytest.raises(ValueError, match=r"z must have shape \(b, m, 2\)"):
        quantizer_class(8, 2)(normal(4, 3, 5))
    with pytest.raises(ValueError, match=r"z must have shape \(b, 3, 2\)"):
        quantizer_class(8, 2, n_groups=3)(normal(4, 2, 2))


@pytest.mark.parametrize("n_groups", [1, 3])
def test_equations_solved_without_a_look_have_the_solution_of_those_solved_with_one(n_groups):
    matrices = normal(n_groups, 4, 4) + 5 * torch.eye(4)
    right = normal(n_groups, 4, 2, seed=1)
    torch.testing.assert_close(matrices @ vector.solved(matrices, right), right)
    torch.testing.assert_close(torch.linalg.solve_ex(matrices, right).result, vector.solved(matrices, right))

"""Promises that all quantisers keep, whatever their kind."""

import copy

import numpy as np
import pytest
import torch

from skvq.nn.quantizers.cosine import CosineEMAVectorQuantizer, CosineVectorQuantizer
from skvq.nn.quantizers.finite_scalar import FiniteScalarQuantizer
from skvq.nn.quantizers.multiscale import MultiScaleQuantizer
from skvq.nn.quantizers.product import ProductQuantizer
from skvq.nn.quantizers.projected import ProjectedQuantizer
from skvq.nn.quantizers.residual import ResidualQuantizer
from skvq.nn.quantizers.simvq import SimVQQuantizer
from skvq.nn.quantizers.vector import CodebookQuantizer, EMAVectorQuantizer, VectorQuantizer


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed))


def simple(quantizer_class, width=4, **options):
    return lambda seed=0: quantizer_class(8, width, generator=generator(seed), **options)


def residual(quantizer_class, beam_size=1, **options):
    return lambda seed=0: ResidualQuantizer(
        [simple(quantizer_class, **options)(seed + i) for i in range(3)], beam_size=beam_size
    )


def two_levels(quantizer_class):
    return lambda seed=0: MultiScaleQuantizer(
        [simple(quantizer_class)(seed), simple(quantizer_class)(seed + 1)], ((1, 2), (1, 3))
    )


# Every kind takes z (b, 3, 4); all but the finite scalar ones learn in training or by gradient.
LEARNING = {
    "gradient": simple(VectorQuantizer),
    "ema": simple(EMAVectorQuantizer),
    "ema, per position": simple(EMAVectorQuantizer, n_groups=3),
    "cosine": simple(CosineVectorQuantizer),
    "cosine, ema": simple(CosineEMAVectorQuantizer),
    "simvq": simple(SimVQQuantizer),
    "simvq, per position": simple(SimVQQuantizer, n_groups=3),
    "residual, gradient": residual(VectorQuantizer),
    "residual, ema": residual(EMAVectorQuantizer),
    "residual, ema, per position": residual(EMAVectorQuantizer, n_groups=3),
    "residual, simvq": residual(SimVQQuantizer),
    "residual, ema, beam": residual(EMAVectorQuantizer, beam_size=4),
    "residual, ema, beam, per position": residual(EMAVectorQuantizer, beam_size=4, n_groups=3),
    "product, one codebook": lambda seed=0: ProductQuantizer(simple(EMAVectorQuantizer, 2)(seed), 2),
    "product, per split": lambda seed=0: ProductQuantizer(simple(EMAVectorQuantizer, 2, n_groups=2)(seed), 2),
    "product, per split and position": lambda seed=0: ProductQuantizer(
        simple(EMAVectorQuantizer, 2, n_groups=6)(seed), 2
    ),
    "projected": lambda seed=0: ProjectedQuantizer(
        simple(EMAVectorQuantizer, 2)(seed), 4, generator=generator(seed + 9)
    ),
    "projected residual": lambda seed=0: ProjectedQuantizer(
        residual(EMAVectorQuantizer, width=2)(seed), 4, generator=generator(seed + 9)
    ),
    "two levels, gradient": two_levels(VectorQuantizer),
    "two levels, ema": two_levels(EMAVectorQuantizer),
    "two levels, simvq": two_levels(SimVQQuantizer),
}
FAMILY = LEARNING | {
    "finite scalar": lambda seed=0: FiniteScalarQuantizer((5, 4, 3, 2)),
    "finite scalar, per position": lambda seed=0: FiniteScalarQuantizer((5, 4, 3, 2), n_groups=3),
}


def each(family):
    return pytest.mark.parametrize("make", family.values(), ids=family.keys())


def state_of(quantizer):
    return {name: value.clone() for name, value in quantizer.state_dict().items()}


def assert_same_state(quantizer, state):
    assert quantizer.state_dict().keys() == state.keys()
    for name, value in quantizer.state_dict().items():
        assert torch.equal(value, state[name]), name


def evenly_spaced(vectors, n_codes):
    """Some vectors of each group as its codebook: (n, g, d) → (g, n_codes, d)."""
    return vectors[:: len(vectors) // n_codes][:n_codes].transpose(0, 1)


@each(FAMILY)
def test_codes_are_integers_in_range_and_decode_to_the_vectors(make):
    quantizer = make().eval()
    z = normal(20, 3, 4, seed=1)
    vectors, codes, _ = quantizer(z)
    assert codes.dtype == torch.int64
    assert codes.shape[:2] == (20, 3 + getattr(quantizer, "n_coarse", 0))
    assert int(codes.min()) >= 0
    assert int(codes.max()) < quantizer.n_codes
    assert vectors.shape == z.shape
    assert vectors.dtype == torch.float32
    assert torch.equal(codes, quantizer.encode(z))
    torch.testing.assert_close(quantizer.decode(codes), vectors)


@each(FAMILY)
def test_no_row_changes_the_codes_of_another(make):
    quantizer = make().eval()
    z = normal(20, 3, 4, seed=1)
    assert torch.equal(torch.cat([quantizer.encode(z[:7]), quantizer.encode(z[7:])]), quantizer.encode(z))


@each(FAMILY)
def test_the_gradient_of_the_vectors_reaches_z_and_is_finite(make):
    z = normal(3, 3, 4, seed=1).requires_grad_()  # two levels give the fourth row none, which is a preview
    make()(z).vectors.backward(normal(3, 3, 4, seed=2))
    assert bool(torch.isfinite(z.grad).all())
    assert bool((z.grad != 0).any(dim=2).all())


@each(LEARNING)
def test_the_commitment_term_moves_z_and_no_codebook(make):
    quantizer = make()
    z = normal(5, 3, 4, seed=1).requires_grad_()
    quantizer(z).losses["commitment"].backward()
    assert bool((z.grad != 0).any())
    for name, parameter in quantizer.named_parameters():
        if "down" not in name:  # the map down is the encoder's side of the search
            assert parameter.grad is None, name


@each(FAMILY)
def test_loss_terms_do_not_depend_on_how_often_the_batch_is_repeated(make):
    z = normal(8, 3, 4, seed=1)
    once, repeated = make()(z).losses, make()(z.repeat(5, 1, 1)).losses
    assert all(value.ndim == 0 for value in once.values())
    torch.testing.assert_close(once, repeated)


def weighted(make, weight):
    quantizer = make()
    for module in quantizer.modules():
        if isinstance(module, CodebookQuantizer):
            module.codebook_weight = weight
    return quantizer


@each(LEARNING)
def test_the_codebook_is_nearer_to_its_vectors_the_larger_its_weight_is(make):
    errors = []
    for weight in (0.0, 0.01, 0.1, 1.0, 10.0, 100.0):
        quantizer = weighted(make, weight)
        z = normal(80, 3, 4, seed=3)
        quantizer.start_from(z, evenly_spaced)
        z = z + 0.5 * normal(1, 1, 4, seed=4)  # where they have gone
        quantizer(z)
        errors.append(float(quantizer.eval()(z).losses["codebook"]))
    assert sorted(set(errors), reverse=True) == errors


@each(LEARNING)
def test_weight_zero_leaves_all_state_as_it_is(make):
    quantizer = weighted(make, 0.0)
    quantizer.start_from(normal(40, 3, 4, seed=3), evenly_spaced)
    before = state_of(quantizer)
    for step in range(5):
        z = 3 + normal(9, 3, 4, seed=step)
        quantizer(z)
        assert quantizer.revive(z, generator()) == 0
    assert_same_state(quantizer, before)


@each(LEARNING)
def test_codebooks_move_in_training_and_never_in_evaluation(make):
    quantizer = make()
    before, codebook = state_of(quantizer), quantizer.codebook.clone()
    quantizer.eval()
    quantizer(normal(9, 3, 4))
    assert_same_state(quantizer, before)
    quantizer.train()
    quantizer(normal(9, 3, 4))
    assert not torch.equal(quantizer.codebook, codebook)


@each(FAMILY)
def test_quantize_encode_and_decode_never_learn(make):
    quantizer = make().train()
    before = state_of(quantizer)
    z = normal(9, 3, 4)
    quantizer.decode(quantizer.quantize(z).codes), quantizer.encode(z)
    assert_same_state(quantizer, before)


@each(FAMILY)
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_a_batch_that_is_not_finite_changes_no_state(make, bad):
    quantizer = make()
    quantizer(normal(9, 3, 4))
    before = state_of(quantizer)
    z = normal(9, 3, 4, seed=1)
    z[4, 1, 0] = bad
    codes = quantizer(z).codes
    assert quantizer.revive(z, generator()) == 0
    assert_same_state(quantizer, before)
    assert 0 <= int(codes.min()) <= int(codes.max()) < quantizer.n_codes


@each(FAMILY)
def test_the_state_dictionary_rebuilds_the_quantizer(make):
    quantizer, rebuilt = make(), make(seed=50)
    quantizer.start_from(normal(40, 3, 4, seed=3), evenly_spaced)
    quantizer(normal(16, 3, 4))
    rebuilt.load_state_dict(quantizer.state_dict())
    z = normal(16, 3, 4, seed=1)
    assert torch.equal(rebuilt(z).vectors, quantizer(z).vectors)
    assert_same_state(rebuilt, state_of(quantizer))


@each(FAMILY)
def test_counts_are_those_of_numpy_and_batches_add_up(make):
    quantizer = make().eval()
    codes = quantizer.encode(normal(30, 3, 4, seed=1))
    counts = quantizer.count(codes)
    assert counts.shape == quantizer.codebook.shape[:2]
    assert counts.dtype == torch.int64
    in_all = np.bincount(codes.numpy().ravel(), minlength=quantizer.n_codes)
    np.testing.assert_array_equal(counts.sum(dim=0), in_all)
    assert torch.equal(quantizer.count(codes[:11]) + quantizer.count(codes[11:]), counts)


@each(LEARNING)
def test_revival_brings_dead_codes_back_to_the_data(make):
    quantizer = make()
    quantizer.start_from(torch.cat([normal(2, 3, 4), 50 + normal(38, 3, 4, seed=3)]), evenly_spaced)
    modules = [module for module in quantizer.modules() if hasattr(module, "mass")]
    for module in modules:
        module.mass[:, 2:] = 1e-4
    z = normal(40, 3, 4, seed=5)
    quantizer.eval()
    assert quantizer.revive(z, generator()) == 0
    quantizer.train()
    before = float((z - quantizer.quantize(z).vectors).square().mean().detach())
    n_groups = sum(module.mass.shape[0] for module in modules)
    after = []
    for seed in range(5):  # one draw may take the first stage of a residual code where it is of no use
        copied = copy.deepcopy(quantizer)
        assert copied.revive(z, generator(seed)) == 6 * n_groups
        after.append(float((z - copied.quantize(z).vectors).square().mean().detach()))
    assert np.median(after) < before
    quantizer.revive(z, generator())
    for module in modules:
        assert not bool(module.dead_codes().any())
        if isinstance(module, EMAVectorQuantizer):
            directions = torch.nn.functional.normalize(module.sums[:, 2:], dim=2)
            torch.testing.assert_close(directions, torch.nn.functional.normalize(module.codebook[:, 2:], dim=2))
            expected = module.codebook[:, 2:].norm(dim=2) * module.mass[:, 2:]
            torch.testing.assert_close(module.sums[:, 2:].norm(dim=2), expected)
    assert quantizer.revive(z, generator()) == 0


@each(FAMILY)
def test_under_autocast_everything_is_float32(make):
    z = normal(20, 3, 4, seed=1).bfloat16()
    expected = make()(z.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = make()(z.requires_grad_())
    assert found.vectors.dtype == torch.float32
    assert torch.equal(found.codes, expected.codes)
    assert torch.equal(found.vectors, expected.vectors)
    found.vectors.sum().backward()
    assert bool((z.grad != 0).any())


@each(FAMILY)
def test_the_global_generator_is_never_advanced(make):
    state = torch.get_rng_state()
    quantizer = make()
    quantizer.start_from(normal(40, 3, 4, seed=3), evenly_spaced)
    quantizer(normal(9, 3, 4))
    quantizer.revive(normal(9, 3, 4), generator())
    assert torch.equal(torch.get_rng_state(), state)


@each(FAMILY)
def test_a_wrong_width_is_named(make):
    with pytest.raises((ValueError, RuntimeError), match=r"4|shapes"):
        make()(normal(9, 3, 6))


@each(FAMILY)
def test_a_start_from_data_beats_the_random_one(make):
    z = 5 + 3 * normal(200, 3, 4, seed=3)
    at_random, from_data = make().eval(), make().eval()
    from_data.start_from(z, evenly_spaced)
    errors = [float((z - quantizer(z).vectors).square().mean().detach()) for quantizer in (at_random, from_data)]
    assert errors[1] < errors[0]

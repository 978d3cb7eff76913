import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from skvq.nn.quantizers.simvq import SimVQQuantizer

GROUPS = pytest.mark.parametrize("n_groups", [1, 3])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed))


def mapped(n_groups=1, seed=4, **options):
    """A quantiser whose map is not the identity any more."""
    quantizer = SimVQQuantizer(10, 4, n_groups=n_groups, generator=generator(), **options)
    quantizer.map += 0.3 * normal(n_groups, 4, 4, seed=seed)
    return quantizer


@GROUPS
def test_codes_are_the_nearest_of_the_mapped_coefficients(n_groups):
    quantizer = mapped(n_groups).eval()
    z = normal(20, 3, 4, seed=1)
    vectors, codes, _ = quantizer(z)
    for position in range(3):
        group = position if n_groups == 3 else 0
        codebook = quantizer.coefficients[group].numpy() @ quantizer.map[group].detach().numpy()
        expected = cdist(z[:, position], codebook).argmin(axis=1)
        np.testing.assert_array_equal(codes[:, position], expected)
        np.testing.assert_allclose(vectors[:, position].detach(), codebook[expected], atol=1e-6)


@GROUPS
@pytest.mark.parametrize("weight", [1.0, 30.0, 1000.0])
def test_a_step_is_the_least_squares_map_held_back_by_the_old_one(n_groups, weight):
    quantizer = mapped(n_groups, codebook_weight=weight)
    coefficients, before = quantizer.coefficients.double().numpy(), quantizer.map.double().numpy().copy()
    z = normal(20, 3, 4, seed=1)
    codes = quantizer(z).codes.numpy()
    np.testing.assert_array_equal(quantizer.coefficients, coefficients.astype(np.float32))
    for group in range(n_groups):
        of, x = (codes.ravel(), z.reshape(60, 4)) if n_groups == 1 else (codes[:, group], z[:, group])
        mass = quantizer.mass[group].double().numpy()[:, None]
        length = np.sqrt((mass * np.square(coefficients[group])).sum() / mass.sum())
        pull, held = np.sqrt(weight * SimVQQuantizer.STEP), np.sqrt(mass)
        inputs = np.vstack([pull * coefficients[group][of], held * coefficients[group], length * np.eye(4)])
        old = np.vstack([held * coefficients[group], length * np.eye(4)]) @ before[group]
        targets = np.vstack([pull * x.double().numpy(), old])
        expected = np.linalg.lstsq(inputs, targets, rcond=None)[0]
        np.testing.assert_allclose(quantizer.map[group], expected, atol=1e-5)
        assert np.abs(expected - before[group]).max() > 1e-3


def test_a_step_moves_codes_that_got_nothing():
    quantizer = mapped(codebook_weight=10.0)
    before = quantizer.codebook.clone()
    chosen = quantizer(normal(1, 1, 4, seed=1)).codes[0, 0]
    moved = (quantizer.codebook - before)[0].norm(dim=1)
    assert bool((moved[torch.arange(10) != chosen] > 1e-3).any())


def test_coefficients_that_do_not_vary_in_a_direction_leave_the_map_bounded():
    quantizer = SimVQQuantizer(10, 4, codebook_weight=1e3)
    vectors = normal(1, 10, 4, seed=3)
    vectors[:, :, 2] = 0
    quantizer.set_codebook(vectors)
    for step in range(20):
        quantizer(normal(20, 3, 4, seed=step))
    assert float(quantizer.map.abs().max()) < 10.0


@GROUPS
def test_a_set_codebook_is_the_codebook(n_groups):
    quantizer = mapped(n_groups)
    vectors = normal(n_groups, 10, 4, seed=3)
    quantizer.set_codebook(vectors)
    torch.testing.assert_close(quantizer.codebook.detach(), vectors)
    torch.testing.assert_close(quantizer.mass, torch.ones(n_groups, 10))


@GROUPS
def test_revived_codes_lie_on_vectors_of_the_batch_whatever_the_map(n_groups):
    quantizer = mapped(n_groups)
    quantizer.mass[:, 4:] = 1e-4
    alive = quantizer.codebook[:, :4].detach().clone()
    z = 3 * normal(30, 3, 4, seed=6)
    assert quantizer.revive(z, generator()) == 6 * n_groups
    torch.testing.assert_close(quantizer.codebook[:, :4].detach(), alive)
    for group in range(n_groups):
        candidates = z.reshape(-1, 4) if n_groups == 1 else z[:, group]
        distances = cdist(quantizer.codebook[group, 4:].detach(), candidates)
        assert distances.min(axis=1).max() < 1e-4
        assert len(set(distances.argmin(axis=1))) == 6


def test_revival_through_a_map_that_lost_a_direction_stays_bounded():
    quantizer = mapped()
    with torch.no_grad():
        quantizer.map[0, :, 3] = 1e-9
    quantizer.mass[:, 4:] = 1e-4
    quantizer.revive(3 * normal(30, 3, 4, seed=6), generator())
    assert float(quantizer.coefficients.abs().max()) < 1e3

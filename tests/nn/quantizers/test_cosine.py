import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from skvq.nn.quantizers.cosine import CosineEMAVectorQuantizer, CosineVectorQuantizer, unit

BOTH = pytest.mark.parametrize("quantizer_class", [CosineVectorQuantizer, CosineEMAVectorQuantizer])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed))


@BOTH
@pytest.mark.parametrize("n_groups", [1, 6])
def test_codes_are_those_at_the_smallest_angle(quantizer_class, n_groups):
    quantizer = quantizer_class(10, 4, n_groups=n_groups, generator=generator()).eval()
    z = 30 * normal(20, 6, 4, seed=1)
    vectors, codes, _ = quantizer(z)
    for position in range(6):
        codebook = quantizer.codebook[position if n_groups == 6 else 0].detach()
        expected = cdist(z[:, position], codebook, "cosine").argmin(axis=1)
        np.testing.assert_array_equal(codes[:, position], expected)
        np.testing.assert_array_equal(vectors[:, position].detach(), codebook[expected])
    torch.testing.assert_close(vectors.norm(dim=2), torch.ones(20, 6))


@BOTH
def test_the_length_of_z_changes_neither_codes_nor_losses(quantizer_class):
    quantizer = quantizer_class(10, 4, generator=generator()).eval()
    z = normal(20, 6, 4, seed=1)
    near, far = quantizer(z), quantizer(128 * z)
    assert torch.equal(near.codes, far.codes)
    torch.testing.assert_close(near.losses, far.losses)


@BOTH
def test_losses_are_those_of_unit_vectors(quantizer_class):
    quantizer, z = quantizer_class(10, 4, generator=generator()).eval(), 7 * normal(20, 6, 4, seed=1)
    vectors, _, losses = quantizer(z)
    cosine = torch.cosine_similarity(z, vectors, dim=2)
    torch.testing.assert_close(losses["commitment"], ((2 - 2 * cosine) / 4).mean())
    torch.testing.assert_close(losses["codebook"], losses["commitment"])


@BOTH
def test_the_gradient_passes_straight_through_and_then_through_the_normalisation(quantizer_class):
    quantizer = quantizer_class(10, 4, generator=generator())
    z, upstream = (3 * normal(5, 3, 4, seed=1)).requires_grad_(), normal(5, 3, 4, seed=2)
    quantizer(z).vectors.backward(upstream)
    e = z.detach().double()
    for index in np.ndindex(5, 3):
        length = e[index].norm()
        jacobian = (torch.eye(4) - torch.outer(e[index], e[index]) / length**2) / length
        torch.testing.assert_close(z.grad[index].double(), jacobian @ upstream[index].double(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("n_groups", [1, 3])
@pytest.mark.parametrize("weight", [0.5, 200.0])
def test_a_gradient_step_minimises_its_sum_of_squares_among_unit_vectors(n_groups, weight):
    quantizer = CosineVectorQuantizer(6, 3, n_groups=n_groups, codebook_weight=weight, generator=generator())
    before, z = quantizer.codebook.double().numpy().copy(), normal(40, 3, 3, seed=1)
    codes = quantizer(z).codes.numpy()
    directions = (z / z.norm(dim=2, keepdim=True)).double().numpy()
    tried = np.random.default_rng(0).normal(size=(20000, 3))
    tried /= np.linalg.norm(tried, axis=1, keepdims=True)
    for group, code in np.ndindex(n_groups, 6):
        of = directions[codes == code] if n_groups == 1 else directions[:, group][codes[:, group] == code]
        after = quantizer.codebook[group, code].double().numpy()
        mass = float(quantizer.mass[group, code])

        def value(e, of=of, start=before[group, code], mass=mass):
            near = np.square(e - start).sum(axis=-1) * mass
            return near + weight * CosineVectorQuantizer.STEP * np.square(of[:, None] - e).sum(axis=(0, -1))

        assert np.linalg.norm(after) == pytest.approx(1.0)
        assert value(after[None])[0] <= value(tried).min() * (1 + 1e-6)


@pytest.mark.parametrize("n_groups", [1, 3])
def test_running_directions_follow_a_numpy_loop_over_several_steps(n_groups):
    quantizer = CosineEMAVectorQuantizer(6, 2, n_groups=n_groups, decay=0.9, generator=generator())
    codebook = quantizer.codebook.double().numpy()
    sums = codebook.copy()
    for step in range(8):
        z = normal(4, 3, 2, seed=step)
        quantizer(z)
        s = np.zeros_like(sums)
        for row, position in np.ndindex(4, 3):
            group = position if n_groups == 3 else 0
            direction = z[row, position].double().numpy()
            direction /= np.linalg.norm(direction)
            s[group, (codebook[group] @ direction).argmax()] += direction
        sums = 0.9 * sums + 0.1 * s
        codebook = sums / np.linalg.norm(sums, axis=2, keepdims=True)
        np.testing.assert_allclose(quantizer.codebook, codebook, rtol=1e-4, atol=1e-5)  # eight steps in float32


def test_vectors_that_cancel_leave_the_direction_as_it_is():
    quantizer = CosineEMAVectorQuantizer(1, 2, decay=0.5)
    quantizer.set_codebook(torch.tensor([[[1.0, 0.0]]]))
    quantizer(torch.tensor([[[-1.0, 0.0]]]))  # 0.5 · (1, 0) + 0.5 · (-1, 0)
    assert torch.equal(quantizer.codebook, torch.tensor([[[1.0, 0.0]]]))


@BOTH
def test_a_set_codebook_has_length_one(quantizer_class):
    quantizer = quantizer_class(10, 4)
    vectors = 5 * normal(1, 10, 4, seed=3)
    quantizer.set_codebook(vectors)
    torch.testing.assert_close(quantizer.codebook.detach(), vectors / vectors.norm(dim=2, keepdim=True))


def test_a_zero_vector_stays_zero_and_finite():
    z = torch.zeros(2, 3, requires_grad=True)
    unit(z).sum().backward()
    assert torch.equal(unit(z), torch.zeros(2, 3))
    assert bool(torch.isfinite(z.grad).all())


@BOTH
def test_clusters_are_those_of_unit_vectors(quantizer_class):
    seen = []

    def cluster(vectors, n_codes):
        seen.append(vectors)
        return 2 * vectors[:n_codes].transpose(0, 1)

    quantizer, z = quantizer_class(10, 4), 30 * normal(20, 6, 4, seed=1)
    quantizer.start_from(z, cluster)
    directions = (z / z.norm(dim=2, keepdim=True)).reshape(-1, 1, 4)
    torch.testing.assert_close(seen[0], directions)
    torch.testing.assert_close(quantizer.codebook.detach()[0], directions[:10, 0])


@BOTH
def test_revived_codes_are_directions_of_the_batch(quantizer_class):
    quantizer = quantizer_class(10, 4, generator=generator())
    quantizer.mass[:, 5:] = 1e-4
    z = 30 * normal(20, 6, 4, seed=1)
    assert quantizer.revive(z, generator()) == 5
    revived = quantizer.codebook.detach()[0, 5:]
    directions = (z / z.norm(dim=2, keepdim=True)).reshape(-1, 4)
    assert cdist(revived, directions).min(axis=1).max() < 1e-6


def test_the_sums_of_a_revived_code_have_the_length_of_its_count():
    quantizer = CosineEMAVectorQuantizer(10, 4, generator=generator())
    quantizer.mass[:, 5:] = 1e-4
    quantizer.revive(30 * normal(20, 6, 4, seed=1), generator())
    torch.testing.assert_close(quantizer.sums[0, 5:].norm(dim=1), quantizer.mass[0, 5:])

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from skvq.nn.quantizers.cosine import CosineEMAVectorQuantizer
from skvq.nn.quantizers.projected import ProjectedQuantizer
from skvq.nn.quantizers.residual import ResidualQuantizer
from skvq.nn.quantizers.vector import EMAVectorQuantizer, VectorQuantizer


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed))


def projected(quantizer_class=EMAVectorQuantizer, **options):
    return ProjectedQuantizer(quantizer_class(10, 3, generator=generator(), **options), 8, generator=generator(1))


@pytest.mark.parametrize("n_groups", [1, 5])
def test_codes_are_those_of_the_projection_and_vectors_are_projected_back(n_groups):
    quantizer = projected(n_groups=n_groups).eval()
    z = normal(20, 5, 8, seed=2)
    vectors, codes, _ = quantizer(z)
    down, up = (part.weight.detach().numpy() for part in (quantizer.down, quantizer.up))
    for position in range(5):
        codebook = quantizer.quantizer.codebook[position if n_groups == 5 else 0].numpy()
        expected = cdist(z[:, position].numpy() @ down.T, codebook).argmin(axis=1)
        np.testing.assert_array_equal(codes[:, position], expected)
        np.testing.assert_allclose(vectors[:, position].detach(), codebook[expected] @ up.T, atol=1e-5)
        outer = quantizer.codebook[position if n_groups == 5 else 0].detach()
        torch.testing.assert_close(vectors[:, position].detach(), outer[codes[:, position]])


def test_the_gradient_passes_up_straight_through_and_down():
    quantizer = projected(VectorQuantizer).eval()
    z, upstream = normal(5, 3, 8, seed=2).requires_grad_(), normal(5, 3, 8, seed=3)
    vectors, codes, _ = quantizer(z)
    vectors.backward(upstream)
    narrow = upstream @ quantizer.up.weight.detach()
    torch.testing.assert_close(z.grad, narrow @ quantizer.down.weight.detach())
    torch.testing.assert_close(quantizer.down.weight.grad, narrow.reshape(-1, 3).T @ z.detach().reshape(-1, 8))
    chosen = quantizer.quantizer.decode(codes).detach().reshape(-1, 3)
    torch.testing.assert_close(quantizer.up.weight.grad, upstream.reshape(-1, 8).T @ chosen)


def test_losses_are_those_of_the_narrow_vectors():
    quantizer, z = projected(), normal(5, 3, 8, seed=2)
    narrow = quantizer.down(z)
    distances = cdist(narrow.detach().reshape(-1, 3), quantizer.quantizer.codebook[0])
    expected = np.square(distances.min(axis=1)).mean() / 3
    assert quantizer(z).losses["commitment"].item() == pytest.approx(expected, rel=1e-5)


def test_a_start_from_data_projects_on_the_principal_axes():
    mixing = normal(3, 8, seed=5)
    z = 4 + 3 * normal(100, 2, 3, seed=6) @ mixing + 0.01 * normal(100, 2, 8, seed=7)
    quantizer = projected()
    samples = []

    def cluster(vectors, n_codes):
        samples.append(vectors)
        return vectors[:n_codes].transpose(0, 1)

    quantizer.start_from(z, cluster)
    back = quantizer.up(samples[0][:, 0]).detach()
    rows = z.reshape(-1, 8).double().numpy()
    _, _, axes = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    expected = rows.mean(axis=0) + (rows - rows.mean(axis=0)) @ axes[:3].T @ axes[:3]
    np.testing.assert_allclose(back, expected, atol=1e-4)
    assert torch.equal(quantizer.quantizer.codebook[0], samples[0][:10, 0])


def test_more_narrow_dimensions_than_wide_ones_start_at_zero():
    quantizer = ProjectedQuantizer(EMAVectorQuantizer(4, 5), 2)
    z = 3 + normal(50, 2, 2)
    quantizer.start_from(z, lambda vectors, n_codes: vectors[:n_codes].transpose(0, 1))
    narrow = quantizer.down(z).detach()
    assert torch.equal(narrow[..., 2:], torch.zeros(50, 2, 3))
    torch.testing.assert_close(quantizer.up(quantizer.down(z)).detach(), z)


def test_cosine_codes_and_residuals_fit_inside():
    z = normal(20, 5, 8, seed=2)
    cosine = projected(CosineEMAVectorQuantizer)
    assert torch.equal(cosine.encode(z), cosine.quantizer.encode(cosine.down(z).detach()))
    stages = [EMAVectorQuantizer(10, 3, generator=generator(seed)) for seed in range(2)]
    residual = ProjectedQuantizer(ResidualQuantizer(stages), 8).eval()
    codes = residual.encode(z)
    assert codes.shape == (20, 5, 2)
    for n_stages in (1, 2):
        narrow = sum(stages[i].codebook[0][codes[:, :, i]] for i in range(n_stages))
        torch.testing.assert_close(residual.decode(codes[:, :, :n_stages]), residual.up(narrow))

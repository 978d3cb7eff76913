import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from skvq.nn.quantizers.multiscale import MultiScaleQuantizer
from skvq.nn.quantizers.residual import ResidualQuantizer
from skvq.nn.quantizers.vector import EMAVectorQuantizer, VectorQuantizer, batch_statistics

GRIDS = [((1, 1), (1, 1)), ((1, 2), (1, 3)), ((2, 3), (4, 6)), ((3, 2), (5, 7)), ((4, 4), (7, 7)), ((3, 5), (3, 5))]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed))


def levels(grid_shapes=((2, 3), (4, 6)), quantizer_class=EMAVectorQuantizer, *, decay=0.99, **options):
    quantizers = [quantizer_class(8, 4, decay=decay, generator=generator(seed)) for seed in range(2)]
    return MultiScaleQuantizer(quantizers, grid_shapes, **options)


def size(quantizer):
    return quantizer.grid_shapes[1][0] * quantizer.grid_shapes[1][1]


def averaging(n_in, n_out):
    """Matrix (n_out, n_in) of the averages over the inputs that each output cell touches."""
    matrix = np.zeros((n_out, n_in))
    for cell in range(n_out):
        first, last = cell * n_in // n_out, -(-(cell + 1) * n_in // n_out)
        matrix[cell, first:last] = 1 / (last - first)
    return matrix


def interpolation(n_in, n_out):
    """Matrix (n_out, n_in) that interpolates linearly between the centres of the input cells."""
    centres = (np.arange(n_out) + 0.5) * n_in / n_out - 0.5
    return np.stack([np.interp(centres, np.arange(n_in), row) for row in np.eye(n_in)], axis=1)


def down(z, quantizer):
    (h1, w1), (h2, w2) = quantizer.grid_shapes
    maps = z.reshape(-1, h2, w2, 4)
    return np.einsum("ih,jw,bhwd->bijd", averaging(h2, h1), averaging(w2, w1), maps).reshape(len(z), h1 * w1, 4)


def up(vectors, quantizer):
    (h1, w1), (h2, w2) = quantizer.grid_shapes
    maps = vectors.reshape(-1, h1, w1, 4)
    maps = np.einsum("hi,wj,bijd->bhwd", interpolation(h1, h2), interpolation(w1, w2), maps)
    return maps.reshape(len(vectors), h2 * w2, 4)


def nearest(z, codebook):
    codes = cdist(z.reshape(-1, 4), codebook).argmin(axis=1).reshape(z.shape[:2])
    return codes, codebook[codes]


def by_hand(z, quantizer):
    """Averages, coarse codes, what these stand for on the fine grid, the rest, fine codes and vectors: z (b, m, 4)."""
    z = z.detach().double().numpy()
    coarse_book, fine_book = quantizer.codebook.detach().double().numpy()
    averages = down(z, quantizer)
    coarse, vectors = nearest(averages, coarse_book)
    large = up(vectors, quantizer)
    fine, fine_vectors = nearest(z - large, fine_book)
    return averages, coarse, large, z - large, fine, fine_vectors


@pytest.mark.parametrize("grid_shapes", GRIDS, ids=str)
def test_codes_and_vectors_are_those_of_numpy(grid_shapes):
    quantizer = levels(grid_shapes).eval()
    z = normal(10, size(quantizer), 4, seed=9)
    _, coarse, large, _, fine, fine_vectors = by_hand(z, quantizer)
    vectors, codes, _ = quantizer(z)
    np.testing.assert_array_equal(codes, np.concatenate([coarse, fine], axis=1))
    np.testing.assert_allclose(vectors.detach(), large + fine_vectors, atol=1e-5)
    np.testing.assert_allclose(quantizer.decode(codes).detach(), large + fine_vectors, atol=1e-5)
    np.testing.assert_allclose(quantizer.decode(codes[:, : coarse.shape[1]]).detach(), large, atol=1e-5)
    assert torch.equal(quantizer.encode(z), codes)
    counts = [np.bincount(part.ravel(), minlength=8) for part in (coarse, fine)]
    np.testing.assert_array_equal(quantizer.count(codes), counts)


def test_a_constant_map_passes_both_resizes_unchanged():
    quantizer = levels(((3, 2), (5, 7)))
    z = normal(6, 1, 4, seed=9).expand(6, 35, 4)
    torch.testing.assert_close(quantizer.up(quantizer.down(z)), z)


def test_on_equal_grids_it_is_a_residual_quantiser_of_two_stages():
    quantizer = levels(((3, 5), (3, 5)), VectorQuantizer).eval()
    residual = ResidualQuantizer([quantizer.coarse, quantizer.fine])
    z = normal(20, 15, 4, seed=9)
    found, expected = quantizer.quantize(z), residual.quantize(z)
    assert torch.equal(found.codes, expected.codes.transpose(1, 2).flatten(1))
    torch.testing.assert_close(found.vectors, expected.vectors)
    torch.testing.assert_close(found.losses, expected.losses)


@pytest.mark.parametrize("estimator", ["straight_through", "rotation"])
def test_the_gradient_goes_to_z_once_and_not_to_what_is_learned(estimator):
    quantizer = levels(quantizer_class=VectorQuantizer, gradient_estimator=estimator).eval()
    z, upstream = normal(6, 24, 4, seed=9).requires_grad_(), normal(6, 24, 4, seed=10)
    vectors = quantizer(z).vectors
    vectors.backward(upstream)
    if estimator == "straight_through":
        assert torch.equal(z.grad, upstream)
    else:
        at_z = torch.cosine_similarity(z.detach(), z.grad, dim=2)
        at_q = torch.cosine_similarity(vectors.detach(), upstream, dim=2)
        torch.testing.assert_close(at_z, at_q, rtol=1e-3, atol=1e-4)
    assert all(parameter.grad is None for parameter in quantizer.parameters())


def test_in_training_the_decoder_is_shown_one_row_in_four_without_its_fine_codes():
    quantizer = levels(quantizer_class=VectorQuantizer)
    z = normal(10, 24, 4, seed=9).requires_grad_()
    found, whole = quantizer.train().quantize(z), quantizer.eval().quantize(z)
    previews = np.isin(np.arange(10), [3, 7])
    coarse = quantizer.decode(whole.codes[:, : quantizer.n_coarse]).detach()
    torch.testing.assert_close(found.vectors[previews], coarse[previews])
    torch.testing.assert_close(found.vectors[~previews], whole.vectors[~previews])
    assert torch.equal(found.codes, whole.codes)
    (gradient,) = torch.autograd.grad(found.vectors.sum(), z)
    assert torch.equal(gradient[previews], torch.zeros_like(gradient[previews]))
    assert torch.equal(gradient[~previews], torch.ones_like(gradient[~previews]))


def test_loss_terms_are_means_over_levels_and_elements():
    quantizer = levels(quantizer_class=VectorQuantizer).eval()
    z = normal(6, 24, 4, seed=9).requires_grad_()
    losses = quantizer(z).losses
    averages, coarse, large, rest, fine, fine_vectors = by_hand(z, quantizer)
    coarse_error, fine_error = averages - quantizer.coarse.codebook[0].detach().numpy()[coarse], rest - fine_vectors
    expected = (np.square(coarse_error).mean() + np.square(fine_error).mean()) / 2
    for name in ("codebook", "commitment"):
        assert losses[name].item() == pytest.approx(expected, rel=1e-5)
    assert not losses["codebook"].requires_grad


def test_the_commitment_term_moves_the_averages_and_the_rest():
    quantizer = levels(quantizer_class=VectorQuantizer).eval()
    z = normal(6, 24, 4, seed=9).requires_grad_()
    quantizer(z).losses["commitment"].backward()
    averages, coarse, _, rest, _, fine_vectors = by_hand(z, quantizer)
    coarse_error = averages - quantizer.coarse.codebook[0].detach().numpy()[coarse]
    matrix = np.kron(averaging(4, 2), averaging(6, 3))  # from z to the averages
    expected = np.einsum("km,bkd->bmd", matrix, coarse_error) / averages.size + (rest - fine_vectors) / rest.size
    np.testing.assert_allclose(z.grad, expected, atol=1e-6)
    assert all(parameter.grad is None for parameter in quantizer.parameters())


def evenly_spaced(vectors, n_codes):
    return vectors[:: len(vectors) // n_codes][:n_codes].transpose(0, 1).clone()


def test_every_level_learns_from_what_it_saw():
    quantizer = levels(decay=0.9)
    z = normal(6, 24, 4, seed=9)
    averages, coarse, _, rest, fine, _ = by_hand(z, quantizer)
    books = quantizer.codebook.double().numpy()
    quantizer(z)
    for level, book, seen, codes in zip(
        (quantizer.coarse, quantizer.fine), books, (averages, rest), (coarse, fine), strict=True
    ):
        mass, sums = np.full(8, 0.9), 0.9 * book
        np.add.at(mass, codes.ravel(), 0.1)
        np.add.at(sums, codes.ravel(), 0.1 * seen.reshape(-1, 4))
        np.testing.assert_allclose(level.mass[0], mass, rtol=1e-5)
        np.testing.assert_allclose(level.codebook[0], sums / mass[:, None], rtol=1e-4, atol=1e-5)


def test_all_that_the_codebooks_learn_passes_the_batch_statistics(monkeypatch):
    seen = []

    def recorded(z, codes, n_codes):
        seen.append(z.reshape(-1, 4))
        return batch_statistics(z, codes, n_codes)

    monkeypatch.setattr("skvq.nn.quantizers.vector.batch_statistics", recorded)
    quantizer = levels()
    z = normal(6, 24, 4, seed=9)
    averages, _, _, rest, _, _ = by_hand(z, quantizer)
    quantizer(z)
    for found, expected in zip(seen, (averages, rest), strict=True):
        np.testing.assert_allclose(found, expected.reshape(-1, 4), atol=1e-5)


def test_a_start_from_data_clusters_the_averages_and_what_they_leave():
    quantizer, seen = levels(((3, 2), (5, 7))), []

    def cluster(vectors, n_codes):
        seen.append(vectors.clone())
        return evenly_spaced(vectors, n_codes)

    z = 5 + 3 * normal(20, 35, 4, seed=9)
    quantizer.start_from(z, cluster)
    averages, _, _, rest, _, _ = by_hand(z, quantizer)
    np.testing.assert_allclose(seen[0], averages.reshape(-1, 1, 4), atol=1e-4)
    np.testing.assert_allclose(seen[1], rest.reshape(-1, 1, 4), atol=1e-4)


@pytest.mark.parametrize(
    ("quantizers", "grid_shapes", "error", "match"),
    [
        ([VectorQuantizer(8, 4)], ((2, 2), (4, 4)), TypeError, "two quantizers with a codebook"),
        ([torch.nn.Identity()] * 2, ((2, 2), (4, 4)), TypeError, "two quantizers with a codebook"),
        ([VectorQuantizer(8, 4), VectorQuantizer(7, 4)], ((2, 2), (4, 4)), ValueError, r"\(7, 4, 1\)"),
        ([VectorQuantizer(8, 4, n_groups=4)] * 2, ((2, 2), (4, 4)), ValueError, "n_groups 1, got"),
        ([VectorQuantizer(8, 4)] * 2, ((2, 5), (4, 4)), ValueError, "h1 <= h2 and w1 <= w2"),
        ([VectorQuantizer(8, 4)] * 2, ((0, 1), (4, 4)), ValueError, "h1 <= h2"),
        ([VectorQuantizer(8, 4)] * 2, ((4, 4),), ValueError, r"\(\(h1, w1\), \(h2, w2\)\)"),
        ([VectorQuantizer(8, 4)] * 2, ((4,), (4,)), ValueError, r"\(\(h1, w1\), \(h2, w2\)\)"),
    ],
)
def test_wrong_arguments_are_named(quantizers, grid_shapes, error, match):
    with pytest.raises(error, match=match):
        MultiScaleQuantizer(quantizers, grid_shapes)


def test_wrong_shapes_are_named():
    quantizer = levels()
    for call in (quantizer, quantizer.encode, quantizer.quantize):
        with pytest.raises(ValueError, match=r"z must have shape \(b, 24, 4\), got \(2, 6, 4\)"):
            call(normal(2, 6, 4))
    for shape in ((2, 24), (2, 6, 1)):
        with pytest.raises(ValueError, match=r"codes must have shape \(b, 30\), or \(b, 6\)"):
            quantizer.decode(torch.zeros(shape, dtype=torch.int64))


def test_a_dead_fine_code_is_revived_on_what_the_coarse_level_leaves():
    quantizer = levels().train()
    z = 10.0 + normal(50, size(quantizer), quantizer.code_dim, seed=2)  # far from zero, where no remainder is
    quantizer.start_from(z, evenly_spaced)
    with torch.no_grad():
        quantizer.fine.codebook[:, 0] = 1e3
        quantizer.fine.mass[:, 0] = 1e-6
    assert quantizer.revive(z, generator()) >= 1
    assert float(quantizer.fine.codebook[0, 0].abs().max()) < 6.0

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from skvq.nn.multiscale import MultiScaleQuantizer
from skvq.nn.quantizers import EMAVectorQuantizer, VectorQuantizer, batch_statistics
from skvq.nn.residual import ResidualQuantizer

GRIDS = [((1, 1), (1, 1)), ((1, 2), (1, 3)), ((2, 3), (4, 6)), ((3, 2), (5, 7)), ((4, 4), (7, 7)), ((3, 5), (3, 5))]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed))


def levels(grid_shapes=((2, 3), (4, 6)), quantizer_class=EMAVectorQuantizer, *, drawn=True, decay=0.99, **options):
    """A quantiser with two levels, whose convolutions are zero, as they start, or drawn."""
    quantizers = [quantizer_class(8, 4, decay=decay, generator=generator(seed)) for seed in range(2)]
    quantizer = MultiScaleQuantizer(quantizers, grid_shapes, **options)
    if drawn:
        with torch.no_grad():
            for seed, resize in enumerate((quantizer.down, quantizer.up)):
                resize.convolution.weight.copy_(0.1 * normal(4, 4, 3, 3, seed=50 + seed))
    return quantizer


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


def convolve(maps, weight):
    """Maps (b, h, w, d) under a 3 × 3 kernel (d, d, 3, 3), zeros beyond the edges, by a loop over positions."""
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)))
    result = np.empty_like(maps)
    for i, j in np.ndindex(maps.shape[1:3]):
        result[:, i, j] = np.einsum("bstc,ocst->bo", padded[:, i : i + 3, j : j + 3], weight)
    return result


def down(z, quantizer):
    (h1, w1), (h2, w2) = quantizer.grid_shapes
    maps = z.reshape(-1, h2, w2, 4)
    maps = maps + convolve(maps, quantizer.down.convolution.weight.detach().double().numpy())
    return np.einsum("ih,jw,bhwd->bijd", averaging(h2, h1), averaging(w2, w1), maps).reshape(len(z), h1 * w1, 4)


def up(vectors, quantizer):
    (h1, w1), (h2, w2) = quantizer.grid_shapes
    maps = vectors.reshape(-1, h1, w1, 4)
    maps = np.einsum("hi,wj,bijd->bhwd", interpolation(h1, h2), interpolation(w1, w2), maps)
    maps = maps + convolve(maps, quantizer.up.convolution.weight.detach().double().numpy())
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
@pytest.mark.parametrize("drawn", [False, True], ids=["at the start", "learned"])
def test_codes_and_vectors_are_those_of_numpy(grid_shapes, drawn):
    quantizer = levels(grid_shapes, drawn=drawn).eval()
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
    quantizer = levels(((3, 2), (5, 7)), drawn=False)
    z = normal(6, 1, 4, seed=9).expand(6, 35, 4)
    torch.testing.assert_close(quantizer.up(quantizer.down(z)), z)


def test_on_equal_grids_it_starts_as_two_residual_stages():
    quantizer = levels(((3, 5), (3, 5)), VectorQuantizer, drawn=False)
    residual = ResidualQuantizer([quantizer.coarse, quantizer.fine])
    z = normal(20, 15, 4, seed=9)
    found, expected = quantizer.quantize(z), residual.quantize(z)
    assert torch.equal(found.codes, expected.codes.transpose(1, 2).flatten(1))
    torch.testing.assert_close(found.vectors, expected.vectors)
    torch.testing.assert_close(found.losses, expected.losses)


@pytest.mark.parametrize("estimator", ["straight_through", "rotation"])
def test_the_gradient_goes_to_z_once_and_not_to_what_is_learned(estimator):
    quantizer = levels(quantizer_class=VectorQuantizer, gradient_estimator=estimator)
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


def test_loss_terms_are_means_over_levels_and_elements():
    quantizer = levels(quantizer_class=VectorQuantizer)
    z = normal(6, 24, 4, seed=9).requires_grad_()
    losses = quantizer(z).losses
    averages, coarse, large, rest, fine, fine_vectors = by_hand(z, quantizer)
    error, fine_error = z.detach().numpy() - large, rest - fine_vectors
    coarse_error = averages - quantizer.coarse.codebook[0].detach().numpy()[coarse]
    expected = np.square(error).mean() + np.square(fine_error).mean()
    assert losses["codebook"].item() == pytest.approx(expected / 2, rel=1e-5)
    expected = np.square(coarse_error).mean() + np.square(fine_error).mean()
    assert losses["commitment"].item() == pytest.approx(expected / 2, rel=1e-5)
    losses["codebook"].backward()
    assert z.grad is None
    expected = np.zeros((8, 4))
    np.add.at(expected, fine, -fine_error / fine_error.size)
    np.testing.assert_allclose(quantizer.fine.codebook.grad[0], expected, atol=1e-6)


def test_the_commitment_term_moves_z_and_the_way_down_alone():
    quantizer = levels(quantizer_class=VectorQuantizer)
    z = normal(6, 24, 4, seed=9).requires_grad_()
    quantizer(z).losses["commitment"].backward()
    _, coarse, _, rest, _, fine_vectors = by_hand(z, quantizer)
    at_averages = torch.nn.functional.mse_loss(quantizer.down(z), quantizer.coarse.decode(torch.as_tensor(coarse))) / 2
    at_z, at_down = torch.autograd.grad(at_averages, (z, quantizer.down.convolution.weight))
    np.testing.assert_allclose(z.grad, at_z.numpy() + (rest - fine_vectors) / rest.size, atol=1e-6)
    torch.testing.assert_close(quantizer.down.convolution.weight.grad, at_down)
    reached = [name for name, parameter in quantizer.named_parameters() if parameter.grad is not None]
    assert reached == ["down.convolution.weight"]


def test_both_resizes_and_the_coarse_codebook_descend_the_coarse_error():
    """The codes held fixed, `up` and the codebook get its gradient; `down` gets that at the vectors of the codes."""
    quantizer = levels(quantizer_class=VectorQuantizer)
    z = normal(6, 24, 4, seed=9)
    quantizer(z).losses["codebook"].backward()
    vectors = quantizer.coarse.decode(quantizer.coarse.encode(quantizer.down(z).detach()))
    vectors.retain_grad()
    loss = torch.nn.functional.mse_loss(quantizer.up(vectors), z) / 2
    at_up, at_codebook, at_vectors = torch.autograd.grad(
        loss, (quantizer.up.convolution.weight, quantizer.coarse.codebook, vectors)
    )
    torch.testing.assert_close(quantizer.up.convolution.weight.grad, at_up)
    torch.testing.assert_close(quantizer.coarse.codebook.grad, at_codebook)
    (at_down,) = torch.autograd.grad(quantizer.down(z), (quantizer.down.convolution.weight,), at_vectors)
    torch.testing.assert_close(quantizer.down.convolution.weight.grad, at_down)


def test_learning_the_resizes_leaves_less_to_the_fine_level():
    quantizer = levels(((3, 2), (5, 7)), drawn=False)
    mixing = normal(4, 4, seed=11)
    z = normal(200, 6, 4, seed=9) @ mixing
    z = quantizer.up(z).detach() + 0.1 * normal(200, 35, 4, seed=10)
    quantizer.start_from(z, evenly_spaced)
    optimizer = torch.optim.Adam(quantizer.parameters(), lr=0.01)
    errors = []
    for _ in range(60):
        optimizer.zero_grad()
        errors.append(float((z - quantizer.decode(quantizer.encode(z)[:, :6])).detach().square().mean()))
        losses = quantizer.quantize(z).losses
        (losses["codebook"] + losses["commitment"]).backward()
        optimizer.step()
    assert errors[-1] < 0.9 * errors[0], errors


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

    monkeypatch.setattr("skvq.nn.quantizers.batch_statistics", recorded)
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

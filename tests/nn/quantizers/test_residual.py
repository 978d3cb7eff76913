import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.datasets import load_diabetes

from skvq.nn.quantizers.residual import ResidualQuantizer
from skvq.nn.quantizers.simvq import SimVQQuantizer
from skvq.nn.quantizers.vector import EMAVectorQuantizer, VectorQuantizer, batch_statistics


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed))


def residual(quantizer_class=EMAVectorQuantizer, *, n_groups=1, decay=0.99, **options):
    quantizers = [quantizer_class(8, 4, n_groups=n_groups, decay=decay, generator=generator(seed)) for seed in range(3)]
    return ResidualQuantizer(quantizers, **options)


def greedy(z, codebooks, n_stages):
    """Codes (n, n_stages), inputs of the stages and sums of prefixes, by loops over rows: z (n, d)."""
    codes = np.empty((len(z), n_stages), dtype=int)
    inputs, sums = np.empty((n_stages, *z.shape)), np.empty((n_stages, *z.shape))
    for row, vector in enumerate(z):
        total = np.zeros_like(vector)
        for stage in range(n_stages):
            inputs[stage, row] = vector - total
            codes[row, stage] = cdist([vector - total], codebooks[stage])[0].argmin()
            total = total + codebooks[stage][codes[row, stage]]
            sums[stage, row] = total
    return codes, inputs, sums


def codebooks_of(quantizer, group=0):
    return [stage.codebook[group].detach().double().numpy() for stage in quantizer.quantizers]


@pytest.mark.parametrize("n_groups", [1, 5])
def test_codes_and_prefixes_are_those_of_a_greedy_loop(n_groups):
    quantizer = residual(n_groups=n_groups).eval()
    z = normal(20, 5, 4, seed=9)
    vectors, codes, _ = quantizer(z)
    for position in range(5):
        books = codebooks_of(quantizer, position if n_groups == 5 else 0)
        expected, _, sums = greedy(z[:, position].double().numpy(), books, 3)
        np.testing.assert_array_equal(codes[:, position], expected)
        np.testing.assert_allclose(vectors[:, position], sums[-1], atol=1e-5)
        for n_stages in (1, 2, 3):
            prefix = quantizer.decode(codes[:, :, :n_stages])
            np.testing.assert_allclose(prefix[:, position], sums[n_stages - 1], atol=1e-5)
    for n_stages in (1, 2, 3):
        assert torch.equal(quantizer.encode(z, n_stages), codes[:, :, :n_stages])


def test_one_stage_is_the_quantiser_itself():
    quantizer = EMAVectorQuantizer(8, 4, generator=generator())
    alone = EMAVectorQuantizer(8, 4, generator=generator())
    z = normal(20, 5, 4, seed=9)
    found, expected = ResidualQuantizer([quantizer])(z), alone(z)
    assert torch.equal(found.codes[:, :, 0], expected.codes)
    assert torch.equal(found.vectors, expected.vectors)
    assert found.losses == expected.losses
    assert torch.equal(quantizer.codebook, alone.codebook)


@pytest.mark.parametrize("estimator", ["straight_through", "rotation"])
def test_the_gradient_goes_to_z_once_and_not_to_the_codebooks(estimator):
    quantizer = residual(VectorQuantizer, gradient_estimator=estimator)
    z, upstream = normal(6, 5, 4, seed=9).requires_grad_(), normal(6, 5, 4, seed=10)
    vectors = quantizer(z).vectors
    vectors.backward(upstream)
    if estimator == "straight_through":
        assert torch.equal(z.grad, upstream)
    else:
        at_z = torch.cosine_similarity(z.detach(), z.grad, dim=2)
        at_q = torch.cosine_similarity(vectors.detach(), upstream, dim=2)
        torch.testing.assert_close(at_z, at_q, rtol=1e-3, atol=1e-4)
    assert all(parameter.grad is None for parameter in quantizer.parameters())


def test_loss_terms_are_means_over_stages_and_elements():
    quantizer = residual(VectorQuantizer).eval()
    z = normal(6, 5, 4, seed=9).requires_grad_()
    losses = quantizer(z).losses
    books = codebooks_of(quantizer)
    codes, inputs, sums = greedy(z.detach().reshape(30, 4).double().numpy(), books, 3)
    errors = z.detach().reshape(30, 4).numpy() - sums  # (stage, row, d)
    for name in ("codebook", "commitment"):
        assert losses[name].item() == pytest.approx(np.square(errors).mean(), rel=1e-5)
    losses["commitment"].backward()
    assert not losses["codebook"].requires_grad
    expected_z = 2 * errors.sum(axis=0) / errors.size
    np.testing.assert_allclose(z.grad.reshape(30, 4), expected_z, atol=1e-6)


def test_every_codebook_learns_from_what_its_stages_saw_in_one_step():
    quantizer = residual(decay=0.9)
    books = codebooks_of(quantizer)
    z = normal(6, 5, 4, seed=9)
    codes, inputs, _ = greedy(z.reshape(30, 4).double().numpy(), books, 3)
    quantizer(z)
    for index, book in enumerate(quantizer.quantizers):
        mass, sums = np.full(8, 0.9), 0.9 * books[index]
        for row in range(30):
            mass[codes[row, index]] += 0.1
            sums[codes[row, index]] += 0.1 * inputs[index, row]
        np.testing.assert_allclose(book.mass[0], mass, rtol=1e-5)
        np.testing.assert_allclose(book.codebook[0], sums / mass[:, None], rtol=1e-4, atol=1e-5)


def test_all_that_a_codebook_learns_passes_the_batch_statistics(monkeypatch):
    seen = []

    def recorded(z, codes, n_codes):
        seen.append(z.reshape(-1, 4))
        return batch_statistics(z, codes, n_codes)

    monkeypatch.setattr("skvq.nn.quantizers.vector.batch_statistics", recorded)
    quantizer = residual()
    books = codebooks_of(quantizer)
    z = normal(6, 5, 4, seed=9)
    quantizer(z)
    _, inputs, _ = greedy(z.reshape(30, 4).double().numpy(), books, 3)
    assert len(seen) == 3
    np.testing.assert_allclose(torch.cat(seen), inputs.reshape(90, 4), atol=1e-5)


def test_more_stages_leave_less_after_a_start_from_data():
    quantizer = residual().eval()
    z = 4 + normal(200, 5, 4, seed=9)
    quantizer.start_from(z, lambda vectors, n_codes: kmeans(vectors, n_codes))
    codes = quantizer.encode(z)
    errors = [float((z - quantizer.decode(codes[:, :, :n])).square().mean()) for n in (1, 2, 3)]
    assert errors[2] < 0.7 * errors[1] < 0.5 * errors[0]


def kmeans(vectors, n_codes, n_iterations=10):
    centres = vectors[:: len(vectors) // n_codes][:n_codes].transpose(0, 1).clone()
    for _, group in np.ndindex(n_iterations, len(centres)):
        nearest = cdist(vectors[:, group], centres[group]).argmin(axis=1)
        for code in range(n_codes):
            if (nearest == code).any():
                centres[group, code] = vectors[nearest == code, group].mean(dim=0)
    return centres


@pytest.mark.parametrize(
    ("quantizers", "options", "error", "match"),
    [
        ([], {}, TypeError, "one or more quantizers with a codebook"),
        ([torch.nn.Identity()], {}, TypeError, "one or more quantizers with a codebook"),
        ([VectorQuantizer(8, 4), VectorQuantizer(7, 4)], {}, ValueError, r"\[\(7, 4, 1\), \(8, 4, 1\)\]"),
        ([VectorQuantizer(8, 4)], {"beam_size": 0}, ValueError, "beam_size must be at least 1, got 0"),
        ([VectorQuantizer(8, 4)], {"gradient_estimator": "none"}, ValueError, "gradient_estimator must be one of"),
    ],
)
def test_wrong_arguments_are_named(quantizers, options, error, match):
    with pytest.raises(error, match=match):
        ResidualQuantizer(quantizers, **options)


def test_wrong_prefixes_are_named():
    quantizer = residual()
    for n_stages in (0, 4):
        with pytest.raises(ValueError, match=r"n_stages must be in \[1, 3\]"):
            quantizer.encode(normal(2, 5, 4), n_stages)
    for shape in ((2, 5), (2, 5, 4), (2, 5, 0)):
        with pytest.raises(ValueError, match=r"codes must have shape \(b, m, 1 to 3\)"):
            quantizer.decode(torch.zeros(shape, dtype=torch.int64))


@pytest.mark.parametrize("n_groups", [1, 5])
def test_a_wide_beam_finds_the_best_of_all_sums(n_groups):
    quantizer = residual(n_groups=n_groups, beam_size=64).eval()
    z = normal(20, 5, 4, seed=9)
    vectors, codes, _ = quantizer(z)
    for position in range(5):
        first, second, third = codebooks_of(quantizer, position if n_groups == 5 else 0)
        sums = (first[:, None, None] + second[None, :, None] + third[None, None]).reshape(512, 4)
        distances = cdist(z[:, position], sums)
        np.testing.assert_allclose(
            np.linalg.norm(z[:, position] - vectors[:, position], axis=1), distances.min(axis=1), atol=1e-5
        )
    torch.testing.assert_close(quantizer.decode(codes), vectors)


def test_a_beam_starts_its_codebooks_from_all_that_it_keeps_where_these_are_few():
    shapes, z = [], normal(20, 5, 4, seed=9)

    def cluster(vectors, n_codes):
        shapes.append(tuple(vectors.shape))
        return kmeans(vectors, n_codes, n_iterations=2)

    residual(n_groups=5, beam_size=3).start_from(z, cluster)
    # of 8 codes a quarter of the prefixes, 2, after the first stage, then all that the beam keeps
    assert shapes == [(20, 5, 4), (40, 5, 4), (60, 5, 4)]
    first, second = residual(n_groups=5), residual(n_groups=5, beam_size=3)
    for quantizer in (first, second):
        quantizer.start_from(z, lambda vectors, n_codes: kmeans(vectors, n_codes, n_iterations=2))
    torch.testing.assert_close(first.quantizers[0].codebook, second.quantizers[0].codebook)  # there is one prefix yet
    assert not torch.allclose(first.quantizers[2].codebook, second.quantizers[2].codebook)


def test_a_beam_at_the_start_makes_codebooks_that_serve_new_vectors_better():
    X = load_diabetes().data
    z = torch.from_numpy((X - X.mean(axis=0)) / X.std(axis=0)).float()[:, None]
    errors = {}
    for beam_size in (1, 16):
        quantizer = ResidualQuantizer([EMAVectorQuantizer(16, 10) for _ in range(8)], beam_size=beam_size)
        quantizer.start_from(z[:300], lambda vectors, n_codes: kmeans(vectors, n_codes, n_iterations=20))
        quantizer.beam_size = 16  # both are searched alike
        errors[beam_size] = float((quantizer.decode(quantizer.encode(z[300:])) - z[300:]).square().mean())
    assert errors[16] < 0.8 * errors[1]


def test_with_a_beam_every_stage_learns_from_what_all_others_leave():
    quantizer = residual(beam_size=4, decay=0.9)
    books = codebooks_of(quantizer)
    z = normal(6, 5, 4, seed=9)
    rows = z.reshape(30, 4).double().numpy()
    codes = quantizer(z).codes.reshape(30, 3).numpy()
    for stage in range(3):
        mass, sums = np.full(8, 0.9), 0.9 * books[stage]
        for row in range(30):
            others = sum(books[other][codes[row, other]] for other in range(3) if other != stage)
            mass[codes[row, stage]] += 0.1
            sums[codes[row, stage]] += 0.1 * (rows[row] - others)
        expected = sums / mass[:, None]
        np.testing.assert_allclose(quantizer.quantizers[stage].codebook[0], expected, rtol=1e-4, atol=1e-5)


def test_with_a_beam_the_terms_are_those_of_the_sum():
    quantizer = residual(VectorQuantizer, beam_size=4)
    z = normal(6, 5, 4, seed=9).requires_grad_()
    vectors, codes, losses = quantizer(z)
    losses["commitment"].backward()
    error = (vectors - z).detach()
    for name in ("codebook", "commitment"):
        torch.testing.assert_close(losses[name].detach(), error.square().mean())
    torch.testing.assert_close(z.grad, -2 * error / error.numel())


@pytest.mark.parametrize("quantizer_class", [VectorQuantizer, EMAVectorQuantizer, SimVQQuantizer])
def test_no_weight_makes_the_stages_of_a_beam_overshoot_what_all_of_them_leave(quantizer_class):
    stages = [quantizer_class(8, 4, generator=generator(seed), codebook_weight=1e6) for seed in range(8)]
    quantizer = ResidualQuantizer(stages, beam_size=4)
    z = 30 + normal(40, 5, 4, seed=9)  # most of it is their mean, which every stage answers
    before, *_, after = (float(quantizer(z).losses["commitment"]) for _ in range(30))
    assert after < 0.01 * before


def test_a_dead_code_of_a_later_stage_is_revived_on_what_the_earlier_ones_leave():
    quantizer = residual().train()
    z = 10.0 + normal(200, 1, 4, seed=2)  # far from zero, where no remainder is
    quantizer.start_from(z, lambda vectors, n_codes: kmeans(vectors, n_codes, n_iterations=10))
    last = quantizer.quantizers[2]
    with torch.no_grad():
        last.codebook[:, 0] = 1e3
        last.mass[:, 0] = 1e-6
    assert quantizer.revive(z, generator()) == 1
    assert float(last.codebook[0, 0].abs().max()) < 5.0


def test_with_a_beam_a_dead_code_is_revived_on_what_all_other_stages_leave():
    quantizer = residual(beam_size=4).train()
    z = normal(200, 1, 4, seed=2)
    quantizer.start_from(z, lambda vectors, n_codes: kmeans(vectors, n_codes, n_iterations=10))
    for stage in range(3):
        book = quantizer.quantizers[stage]
        with torch.no_grad():
            book.codebook[:, 0] = 1e3
            book.mass[:, 0] = 1e-6
        books, codes = codebooks_of(quantizer), quantizer.encode(z).reshape(200, 3).numpy()
        others = sum(books[other][codes[:, other]] for other in range(3) if other != stage)
        assert quantizer.revive(z, generator()) == 1
        distances = cdist(book.codebook[0, :1].detach(), z.reshape(200, 4).double().numpy() - others)
        assert distances.min() < 1e-5

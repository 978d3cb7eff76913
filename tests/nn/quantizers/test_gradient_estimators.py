import numpy as np
import pytest
import torch

from skvq.nn.quantizers.base import GRADIENT_ESTIMATORS, estimator_named, rotation, straight_through
from skvq.nn.quantizers.vector import EMAVectorQuantizer, VectorQuantizer

ALL = pytest.mark.parametrize("estimate", GRADIENT_ESTIMATORS.values(), ids=GRADIENT_ESTIMATORS.keys())


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def rotation_matrix(e, q):
    """λ R of the paper's equations for two vectors, in float64, with every matrix written out."""
    e_hat, q_hat = e / np.linalg.norm(e), q / np.linalg.norm(q)
    r = (e_hat + q_hat) / np.linalg.norm(e_hat + q_hat)
    rotation = np.eye(len(e)) - 2 * np.outer(r, r) + 2 * np.outer(q_hat, e_hat)
    return np.linalg.norm(q) / np.linalg.norm(e) * rotation


@ALL
def test_the_value_is_the_codebook_vector_to_the_last_digit(estimate):
    z, z_q = 1e3 * normal(5, 3, 7), normal(5, 3, 7, seed=1)
    assert torch.equal(estimate(z.requires_grad_(), z_q), z_q)


@ALL
def test_no_gradient_reaches_the_codebook(estimate):
    z, z_q = normal(5, 3, 7).requires_grad_(), normal(5, 3, 7, seed=1).requires_grad_()
    estimate(z, z_q).sum().backward()
    assert z.grad is not None
    assert z_q.grad is None


def test_straight_through_hands_the_gradient_on_unchanged():
    z, upstream = normal(5, 3, 7).requires_grad_(), normal(5, 3, 7, seed=2)
    straight_through(z, normal(5, 3, 7, seed=1)).backward(upstream)
    assert torch.equal(z.grad, upstream)


def test_rotation_hands_the_gradient_on_by_the_explicit_matrix():
    z, z_q, upstream = normal(5, 3, 7).requires_grad_(), normal(5, 3, 7, seed=1), normal(5, 3, 7, seed=2)
    rotation(z, z_q).backward(upstream)
    for index in np.ndindex(5, 3):
        matrix = rotation_matrix(z[index].detach().double().numpy(), z_q[index].double().numpy())
        np.testing.assert_allclose(matrix @ z[index].detach().numpy(), z_q[index], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(z.grad[index], matrix.T @ upstream[index].numpy(), rtol=1e-4, atol=1e-5)  # float32


def test_rotation_is_the_gradient_of_a_linear_map_with_constant_factors():
    z, z_q = normal(6, 4).requires_grad_(), normal(6, 4, seed=1)
    e, q = z.detach(), z_q
    e_hat, q_hat = e / e.norm(dim=1, keepdim=True), q / q.norm(dim=1, keepdim=True)
    r = (e_hat + q_hat) / (e_hat + q_hat).norm(dim=1, keepdim=True)
    scale = q.norm(dim=1, keepdim=True) / e.norm(dim=1, keepdim=True)
    mapped = scale * (z - 2 * (z * r).sum(1, keepdim=True) * r + 2 * (z * e_hat).sum(1, keepdim=True) * q_hat)
    (expected,) = torch.autograd.grad(mapped.square().sum(), z)
    (gradient,) = torch.autograd.grad(rotation(z, z_q).square().sum(), z)
    torch.testing.assert_close(gradient, expected)


def test_rotation_keeps_the_angle_between_vector_and_gradient():
    z, z_q, upstream = normal(50, 7).requires_grad_(), normal(50, 7, seed=1), normal(50, 7, seed=2)
    rotation(z, z_q).backward(upstream)
    at_q = torch.cosine_similarity(z_q, upstream)
    at_z = torch.cosine_similarity(z.detach(), z.grad)
    torch.testing.assert_close(at_z, at_q)


@pytest.mark.parametrize(
    ("z", "z_q", "matrix"),
    [
        ([2.0, 0.0], [2.0, 0.0], [[1.0, 0.0], [0.0, 1.0]]),
        ([2.0, 0.0], [6.0, 0.0], [[3.0, 0.0], [0.0, 3.0]]),
        ([1.0, 0.0], [0.0, 2.0], [[0.0, -2.0], [2.0, 0.0]]),
        ([1.0, 0.0], [-1.0, 0.0], [[-1.0, 0.0], [0.0, 1.0]]),  # opposite: a reflection
        ([0.0, 0.0], [3.0, 4.0], [[1.0, 0.0], [0.0, 1.0]]),  # no direction: straight through
        ([3.0, 4.0], [0.0, 0.0], [[0.0, 0.0], [0.0, 0.0]]),
    ],
)
def test_rotation_at_special_vectors(z, z_q, matrix):
    jacobian = torch.autograd.functional.jacobian(lambda e: rotation(e, torch.tensor(z_q)), torch.tensor(z))
    torch.testing.assert_close(jacobian, torch.tensor(matrix), rtol=0, atol=1e-6)


@pytest.mark.parametrize("quantizer_class", [VectorQuantizer, EMAVectorQuantizer])
def test_a_quantizer_uses_the_estimator_of_the_given_name(quantizer_class):
    z, upstream = normal(5, 3, 4).requires_grad_(), normal(5, 3, 4, seed=2)
    quantizer = quantizer_class(10, 4, gradient_estimator="rotation")
    vectors = quantizer(z).vectors
    vectors.backward(upstream)
    (expected,) = torch.autograd.grad(rotation(z, vectors.detach()), z, upstream)
    torch.testing.assert_close(z.grad, expected)
    assert not torch.allclose(z.grad, upstream)


def test_an_unknown_name_is_refused_with_the_accepted_ones():
    with pytest.raises(ValueError, match=r"\['rotation', 'straight_through'\], got 'identity'"):
        estimator_named("identity")

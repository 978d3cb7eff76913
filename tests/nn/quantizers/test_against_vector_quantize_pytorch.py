"""The quantisers beside those of vector-quantize-pytorch: equal codebooks give equal codes, vectors and gradients."""

import pytest
import torch
import vector_quantize_pytorch as peer
from vector_quantize_pytorch.vector_quantize_pytorch import rotate_to

from skvq.nn.quantizers.base import rotation
from skvq.nn.quantizers.cosine import CosineEMAVectorQuantizer
from skvq.nn.quantizers.finite_scalar import FiniteScalarQuantizer
from skvq.nn.quantizers.residual import ResidualQuantizer
from skvq.nn.quantizers.simvq import SimVQQuantizer
from skvq.nn.quantizers.vector import EMAVectorQuantizer

K, D = 32, 8
STRAIGHT = {"rotation_trick": False}


def with_codebook(quantizer, codebook):
    quantizer.set_codebook(codebook.detach()[None])
    return quantizer.eval()


def vector():
    theirs = peer.VectorQuantize(dim=D, codebook_size=K, **STRAIGHT).eval()
    return with_codebook(EMAVectorQuantizer(K, D), theirs._codebook.embed[0]), theirs


def cosine():
    theirs = peer.VectorQuantize(dim=D, codebook_size=K, use_cosine_sim=True, **STRAIGHT).eval()
    return with_codebook(CosineEMAVectorQuantizer(K, D), theirs._codebook.embed[0]), theirs


def residual():
    theirs = peer.ResidualVQ(dim=D, codebook_size=K, num_quantizers=4, **STRAIGHT).eval()
    stages = [with_codebook(EMAVectorQuantizer(K, D), stage._codebook.embed[0]) for stage in theirs.layers]
    return ResidualQuantizer(stages).eval(), theirs


def simvq():
    theirs = peer.SimVQ(dim=D, codebook_size=K, **STRAIGHT).eval()
    ours = SimVQQuantizer(K, D)
    with torch.no_grad():
        ours.coefficients.copy_(theirs.frozen_codebook[None])
        ours.map.copy_(theirs.code_transform.weight.T[None])
    return ours.eval(), theirs


@pytest.fixture
def z():
    return torch.randn(16, 49, D, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("pair", [vector, cosine, residual, simvq])
def test_codes_and_vectors_are_theirs(pair, z):
    ours, theirs = pair()
    with torch.no_grad():
        found, expected = ours(z), theirs(z)
    torch.testing.assert_close(found.codes, expected[1].long())
    torch.testing.assert_close(found.vectors, expected[0], atol=1e-5, rtol=1e-5)  # float32 sums in another order


def test_finite_scalar_codes_and_vectors_are_theirs_but_at_the_edge_of_rounding(z):
    levels = (8, 6, 5)
    ours, theirs = FiniteScalarQuantizer(levels).eval(), peer.FSQ(list(levels)).eval()
    with torch.no_grad():
        found, (vectors, codes) = ours(z[..., :3]), theirs(z[..., :3])
    same = found.codes == codes.long()
    assert same.float().mean() > 0.99  # they shrink the range by a thousandth
    torch.testing.assert_close(found.vectors[same], vectors[same], atol=1e-5, rtol=1e-5)


def test_the_rotation_passes_their_gradient(z):
    left, right = (z.clone().requires_grad_() for _ in range(2))
    upstream = torch.randn(z.shape, generator=torch.Generator().manual_seed(1))
    rotation(left, z.flip(0)).backward(upstream)
    rotate_to(right, z.flip(0)).backward(upstream)
    torch.testing.assert_close(left.grad, right.grad, atol=1e-5, rtol=1e-4)


def test_the_commitment_term_is_theirs(z):
    theirs = peer.VectorQuantize(dim=D, codebook_size=K, commitment_weight=1.0, **STRAIGHT).train()
    ours = with_codebook(EMAVectorQuantizer(K, D), theirs._codebook.embed[0].clone())
    expected = theirs(z, freeze_codebook=True)[2]
    torch.testing.assert_close(ours(z).losses["commitment"], expected.squeeze(), atol=1e-6, rtol=1e-5)

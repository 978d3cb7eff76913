"""The interface of every quantiser, and the two ways in which a gradient passes one.

The choice of a code has no derivative, so the gradient at a codebook vector is handed to the encoder vector that it
replaces. The value is always the codebook vector, to the last digit. `straight_through` hands the gradient on unchanged
[1]_. `rotation` [2]_ writes the codebook vector q as the encoder vector e rotated and rescaled, q = λ R e, takes λ and
R as constants, and so hands on λ Rᵀ g:

    ê = e / |e|,   q̂ = q / |q|,   r = (ê + q̂) / |ê + q̂|,   λ = |q| / |e|,   R = I - 2 r rᵀ + 2 q̂ êᵀ

A gradient keeps its angle with the vector then, so that those who share a code no longer all move alike.

Departures. Where e is zero and has no direction, the gradient goes straight through.

References
----------
.. [1] A. van den Oord, O. Vinyals, K. Kavukcuoglu, "Neural Discrete Representation Learning", NeurIPS 2017.
.. [2] C. Fifty et al., "Restructuring Vector Quantization with the Rotation Trick", ICLR 2025.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

# (vectors (n, g, d), n_codes) → codebooks (g, n_codes, d): k-means, most often.
Cluster = Callable[[torch.Tensor, int], torch.Tensor]


def straight_through(z: torch.Tensor, z_q: torch.Tensor) -> torch.Tensor:
    """z_q, with the gradient of the result handed to z unchanged: (..., d), (..., d) → (..., d)."""
    return z_q.detach() + (z - z.detach())


def rotation(z: torch.Tensor, z_q: torch.Tensor) -> torch.Tensor:
    """z_q, with the gradient of the result handed to z rotated and rescaled: (..., d), (..., d) → (..., d).

    With e = (1, 0), q = (0, 2) and the gradient (0, 1) at q, z gets (2, 0): what lengthens q lengthens e.
    """
    return _Rotation.apply(z, z_q.detach())


class _Rotation(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, z_q):
        norm = z.norm(dim=-1, keepdim=True)  # (..., 1)
        norm_q = z_q.norm(dim=-1, keepdim=True)
        directed = norm > 0
        e_hat = torch.where(directed, z / norm, 0.0)
        q_hat = torch.where(directed & (norm_q > 0), z_q / norm_q, 0.0)
        between = torch.where(directed, e_hat + q_hat, 0.0)
        length = between.norm(dim=-1, keepdim=True)
        # Opposite vectors have no direction between them; without it R is the reflection that maps one to the other.
        r = torch.where(length > 0, between / length, 0.0)
        scale = torch.where(directed, norm_q / norm, 1.0)
        ctx.save_for_backward(e_hat, q_hat, r, scale)
        return z_q.clone()

    @staticmethod
    def backward(ctx, gradient):
        e_hat, q_hat, r, scale = ctx.saved_tensors
        along_r = (r * gradient).sum(dim=-1, keepdim=True)
        along_q = (q_hat * gradient).sum(dim=-1, keepdim=True)
        return scale * (gradient - 2 * along_r * r + 2 * along_q * e_hat), None


GRADIENT_ESTIMATORS = {"straight_through": straight_through, "rotation": rotation}


def estimator_named(name: str):
    """Return the function (z, z_q) → vectors of that name."""
    if name not in GRADIENT_ESTIMATORS:
        raise ValueError(f"gradient_estimator must be one of {sorted(GRADIENT_ESTIMATORS)}, got {name!r}")
    return GRADIENT_ESTIMATORS[name]


class Quantized(NamedTuple):
    """What a quantiser makes of vectors z.

    Attributes
    ----------
    vectors : Tensor of shape (b, m, d), float32
        The vectors z_q that the codes stand for; the gradient of what is made of them goes on to z.
    codes : Tensor of shape (b, m), or (b, m, s) where a position has s codes, int64
        Their indices, in [0, n_codes).
    losses : dict of str to scalar Tensor
        Unweighted means over elements: "codebook" is ||sg[z] - z_q||², without a gradient, for a codebook moves itself;
        "commitment" is ||z - sg[z_q]||². Empty where nothing but the reconstruction moves encoder and codes.
    """

    vectors: torch.Tensor
    codes: torch.Tensor
    losses: dict[str, torch.Tensor]


class Quantizer(nn.Module, ABC):
    """Vectors to codes and back; in training mode, what is learned from a batch is learned after its codes are chosen.

    A quantiser is made of `encode`, `decode` and `quantize`; one with a codebook adds `learn`, `revive` and
    `start_from`. Quantisers that contain others hand each of these on.

    Attributes
    ----------
    n_codes : int
        Codes are in [0, n_codes).
    code_dim : int
        Width d of the vectors.
    codebook : Tensor of shape (g, n_codes, d), float32
        The vectors that codes stand for, g codebooks of them.
    """

    n_codes: int
    code_dim: int

    @abstractmethod
    def encode(self, z: torch.Tensor) -> torch.Tensor:
        """Codes: z (b, m, d) → (b, m) or (b, m, s), int64, in [0, n_codes)."""

    @abstractmethod
    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Vectors that codes stand for: what `encode` returned → (b, m, d), float32."""

    @abstractmethod
    def quantize(self, z: torch.Tensor) -> Quantized:
        """Codes, vectors and losses of z (b, m, d), float32; nothing is learned."""

    @abstractmethod
    def count(self, codes: torch.Tensor) -> torch.Tensor:
        """How often each code of each codebook occurs: what `encode` returned → (g, n_codes), int64."""

    def learn(self, z: torch.Tensor, codes: torch.Tensor) -> None:
        """Move codebooks and running statistics by a batch: z (b, m, d), detached, and the codes it got."""

    def revive(self, z: torch.Tensor, generator: torch.Generator) -> int:
        """Put codes that are hardly used back among the vectors z (b, m, d) of a batch; how many were moved."""
        return 0

    @abstractmethod
    def start_from(self, z: torch.Tensor, cluster: Cluster) -> None:
        """Set the first codebook from a large sample of encoder vectors z (b, m, d).

        Parameters
        ----------
        z : Tensor of shape (b, m, d), float32
        cluster : callable
            (vectors (n, g, d), n_codes) → codebooks (g, n_codes, d), tensors.
        """

    def forward(self, z: torch.Tensor) -> Quantized:
        """Quantise z (b, m, d); in training mode codebooks move, after the codes of this batch are chosen.

        A batch of 128 maps of 7×7 vectors of width 64 is z [128, 49, 64] and becomes vectors [128, 49, 64] and codes
        [128, 49]. Everything is computed in float32, under autocast too.
        """
        with torch.autocast(z.device.type, enabled=False):
            z = z.float()
            quantized = self.quantize(z)
            if self.training:
                with torch.no_grad():
                    self.learn(z.detach(), quantized.codes)
        return quantized

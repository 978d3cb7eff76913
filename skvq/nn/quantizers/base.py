"""What every quantiser does, however it comes by its codes.

References
----------
.. [1] A. van den Oord, O. Vinyals, K. Kavukcuoglu, "Neural Discrete Representation Learning", NeurIPS 2017.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

# (vectors (n, g, d), n_codes) → codebooks (g, n_codes, d): k-means, most often.
Cluster = Callable[[torch.Tensor, int], torch.Tensor]


class Quantized(NamedTuple):
    """What a quantiser makes of vectors z.

    Attributes
    ----------
    vectors : Tensor of shape (b, m, d), float32
        The vectors z_q that the codes stand for; the gradient of what is made of them goes on to z.
    codes : Tensor of shape (b, m), or (b, m, s) where a position has s codes, int64
        Their indices, in [0, n_codes).
    losses : dict of str to scalar Tensor
        Unweighted means over elements: "codebook" is ||sg[z] - z_q||², "commitment" is ||z - sg[z_q]||². Empty where
        nothing but the reconstruction moves encoder and codes.
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
        """Move running statistics by a batch: z (b, m, d), detached, and the codes it got."""

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
        """Quantise z (b, m, d); in training mode the statistics move, after the codes of this batch are chosen.

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

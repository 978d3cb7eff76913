"""Cosine codes: encoder and codebook vectors have length 1, and the nearest is the one at the smallest angle.

Follows Yu et al. (2022) [1]_: ||ẑ - e||² = 2 - 2 ẑ·e for unit vectors, so the search is that of any codebook. What is
decoded are the unit vectors: the length of z is not in the code.

Departures. A codebook of running means is brought back to length 1 after every step; its running sums are not, so a
code's direction is that of the sum of the unit vectors given to it, as in spherical k-means. A step by gradient is the
implicit one of :mod:`~skvq.nn.quantizers.vector` among vectors of length 1: the unit vector that minimises its sum of
squares is

    e ← (N e + w η s) / |N e + w η s|

References
----------
.. [1] J. Yu et al., "Vector-quantized Image Modeling with Improved VQGAN", ICLR 2022, section 3.2.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .base import Cluster, Quantized
from .vector import CodebookQuantizer, EMAVectorQuantizer, VectorQuantizer, move


def unit(vectors: torch.Tensor) -> torch.Tensor:
    """Vectors (..., d) divided by their lengths; a zero vector stays zero."""
    return F.normalize(vectors, dim=-1)


class _OnSphere(CodebookQuantizer):
    """Brings every vector that a quantiser sees to length 1."""

    def encode(self, z: torch.Tensor) -> torch.Tensor:
        """Codes at the smallest angle: z (b, m, d) → (b, m), int64, in [0, n_codes)."""
        return super().encode(unit(z.float()))

    def quantize(self, z: torch.Tensor) -> Quantized:
        """Codes, unit vectors and losses (of unit vectors) of z (b, m, d), float32; nothing is learned."""
        return super().quantize(unit(z))

    def learn(self, z: torch.Tensor, codes: torch.Tensor, at_most: float = 1.0) -> None:
        """Move the codebook by the unit vectors of z (b, m, d) and their codes (b, m)."""
        super().learn(unit(z), codes, at_most)

    def revive(self, z: torch.Tensor, generator: torch.Generator) -> int:
        """Put hardly used codes back among the unit vectors of z (b, m, d); how many were moved."""
        return super().revive(unit(z.float()), generator)

    def start_from(self, z: torch.Tensor, cluster: Cluster) -> None:
        """Set the codebook to the directions of the clusters of the unit vectors of z (b, m, d)."""
        super().start_from(unit(z), cluster)

    @torch.no_grad()
    def set_codebook(self, vectors: torch.Tensor) -> None:
        """Replace the codebook by the directions of vectors (n_groups, n_codes, code_dim) and forget all statistics."""
        super().set_codebook(unit(vectors))

    def _register(self, codebook: torch.Tensor) -> None:
        super()._register(unit(codebook))

    def _follow(self, movement: torch.Tensor) -> None:
        super()._follow(unit(self.codebook + movement) - self.codebook)


class CosineVectorQuantizer(_OnSphere, VectorQuantizer):
    """Cosine codes whose codebook turns by gradient steps on the codebook term.

    With width 8, z [128, 49, 8] becomes vectors [128, 49, 8] of length 1 and codes [128, 49].

    Parameters
    ----------
    n_codes, code_dim, n_groups, codebook_weight, decay, revival_threshold, gradient_estimator, follow_rate, generator
        As in :class:`~skvq.nn.quantizers.vector.VectorQuantizer`.

    Attributes
    ----------
    codebook : Tensor of shape (n_groups, n_codes, code_dim), float32
        Unit vectors.
    mass : Tensor of shape (n_groups, n_codes), float32
        Running counts.
    """

    def _step(self, counts: torch.Tensor, sums: torch.Tensor, finite: torch.Tensor, at_most: float) -> None:
        turned = unit(self.mass[:, :, None] * self.codebook + self.codebook_weight * self.STEP * sums)
        move(self.codebook, turned, finite & (counts[:, :, None] > 0))


class CosineEMAVectorQuantizer(_OnSphere, EMAVectorQuantizer):
    """Cosine codes whose codebook vectors point along the running sums of the unit vectors given to them.

    With the unit vectors' sum s of a code in a batch, and ρ = decay ^ codebook_weight,

        m ← ρ m + (1 - ρ) s,    e = m / |m|

    With width 8, z [128, 49, 8] becomes vectors [128, 49, 8] of length 1 and codes [128, 49].

    Parameters
    ----------
    n_codes, code_dim, n_groups, codebook_weight, decay, revival_threshold, gradient_estimator, follow_rate, generator
        As in :class:`~skvq.nn.quantizers.vector.EMAVectorQuantizer`.

    Attributes
    ----------
    codebook : Tensor of shape (n_groups, n_codes, code_dim), float32
        Unit vectors.
    mass, sums : Tensor
        As in :class:`~skvq.nn.quantizers.vector.EMAVectorQuantizer`.
    """

    def _mean_vectors(self) -> torch.Tensor:
        """Directions of the running sums; where they cancel to nothing, the codebook as it is."""
        lengths = self.sums.norm(dim=2, keepdim=True)
        return torch.where(lengths > 0, self.sums / lengths, self.codebook)

"""SimVQ: the codebook is a fixed random table times a learned linear map, so a step moves every code.

Follows Zhu et al. (2024) [1]_: codebook = C W with frozen coefficients C (n_codes, d) and a learned W (d, d). The
gradient of the codebook term reaches codes that were not chosen through W, which is what keeps them from dying.

Departures. W starts as the identity, so that a codebook from data can be set, as the coefficients. A code can still be
revived: its coefficients become those that W maps to the wanted vector, in the least-squares sense.

References
----------
.. [1] Y. Zhu, B. Li, Y. Xin, L. Xu, "Addressing Representation Collapse in Vector Quantized Models with One Linear
   Layer", arXiv:2411.02038, 2024.
"""

from __future__ import annotations

import torch
from torch import nn

from .vector import CodebookQuantizer, normal_codebook

_SMALLEST_DIRECTION = 1e-3  # of W's largest singular value: below it, revival would need enormous coefficients


class SimVQQuantizer(CodebookQuantizer):
    """A quantiser that learns a linear map of its codebook.

    z [128, 49, 64] becomes vectors [128, 49, 64] and codes [128, 49].

    Parameters
    ----------
    n_codes, code_dim, n_groups, decay, revival_threshold, gradient_estimator, generator
        As in :class:`~skvq.nn.quantizers.vector.VectorQuantizer`.

    Attributes
    ----------
    coefficients : Tensor of shape (n_groups, n_codes, code_dim), float32
        Frozen, standard normal unless set.
    map : Parameter of shape (n_groups, code_dim, code_dim), float32
        W, one for each group.
    codebook : Tensor of shape (n_groups, n_codes, code_dim), float32
        Their product.
    mass : Tensor of shape (n_groups, n_codes), float32
        Running counts.
    """

    coefficients: torch.Tensor

    def __init__(
        self,
        n_codes: int,
        code_dim: int,
        *,
        n_groups: int = 1,
        decay: float = 0.99,
        revival_threshold: float = 0.1,
        gradient_estimator: str = "straight_through",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(n_codes, code_dim, n_groups, decay, revival_threshold, gradient_estimator)
        self.register_buffer("coefficients", normal_codebook(n_groups, n_codes, code_dim, generator))
        self.map = nn.Parameter(torch.eye(code_dim).repeat(n_groups, 1, 1))

    @property
    def codebook(self) -> torch.Tensor:  # type: ignore[override]
        """Coefficients times map, (n_groups, n_codes, code_dim)."""
        return self.coefficients @ self.map

    @torch.no_grad()
    def set_codebook(self, vectors: torch.Tensor) -> None:
        """Make vectors (n_groups, n_codes, code_dim) the coefficients, the map the identity; forget all statistics."""
        self.map.copy_(torch.eye(self.code_dim, device=self.map.device).expand_as(self.map))
        super().set_codebook(vectors)

    def _write(self, vectors: torch.Tensor, index: tuple | slice) -> None:
        maps = self.map if isinstance(index, slice) else self.map[index[0]]
        self.coefficients[index] = vectors @ torch.linalg.pinv(maps, rtol=_SMALLEST_DIRECTION)

"""SimVQ: the codebook is a fixed table times a learned linear map, so a step moves every code.

Follows Zhu et al. (2024) [1]_: codebook = C W with frozen coefficients C (n_codes, d) and a learned W (d, d). Through
W a batch moves the codes that it did not choose as well, and that keeps them from dying.

Departures. W starts as the identity, so that a codebook from data can be set, as the coefficients. W moves by the
implicit step of :mod:`~skvq.nn.quantizers.vector` among codebooks of this form. With the diagonal matrices N of the
counts of a batch and M of the running counts, and S the sums of its vectors, (n_codes, d), that is

    W ← W + A⁻¹ g Cᵀ (S - N C W),    A = Cᵀ (M + g N) C + l² I,    g = w η

where l² is the mean squared length of coefficients: W is held back by one vector for each dimension, so that batches of
few vectors do not fit directions in which the coefficients hardly vary. No weight makes the step unstable. A code can
still be revived: its coefficients become those that W maps to the wanted vector, in the least-squares sense.

References
----------
.. [1] Y. Zhu, B. Li, Y. Xin, L. Xu, "Addressing Representation Collapse in Vector Quantized Models with One Linear
   Layer", arXiv:2411.02038, 2024.
"""

from __future__ import annotations

import torch

from .vector import CodebookQuantizer, solved

_SMALLEST_DIRECTION = 1e-3  # of W's largest singular value: below it, revival would need enormous coefficients
_NO_LENGTH = 1e-12  # so that coefficients that are all zero move nothing


class SimVQQuantizer(CodebookQuantizer):
    """A quantiser that learns a linear map of its codebook.

    z [128, 49, 64] becomes vectors [128, 49, 64] and codes [128, 49].

    Parameters
    ----------
    n_codes, code_dim, n_groups, codebook_weight, decay, revival_threshold, gradient_estimator, follow_rate, generator
        As in :class:`~skvq.nn.quantizers.vector.VectorQuantizer`.

    Attributes
    ----------
    coefficients : Tensor of shape (n_groups, n_codes, code_dim), float32
        C, standard normal unless set.
    map : Tensor of shape (n_groups, code_dim, code_dim), float32
        W, one for each group.
    codebook : Tensor of shape (n_groups, n_codes, code_dim), float32
        Their product.
    mass : Tensor of shape (n_groups, n_codes), float32
        Running counts.
    """

    STEP = 0.05  # longer than that of free codes: W is a mean over all vectors of a batch
    coefficients: torch.Tensor
    map: torch.Tensor

    @property
    def codebook(self) -> torch.Tensor:  # type: ignore[override]
        """Coefficients times map, (n_groups, n_codes, code_dim)."""
        return self.coefficients @ self.map

    @torch.no_grad()
    def set_codebook(self, vectors: torch.Tensor) -> None:
        """Make vectors (n_groups, n_codes, code_dim) the coefficients, the map the identity; forget all statistics."""
        self.map.copy_(torch.eye(self.code_dim, device=self.map.device).expand_as(self.map))
        super().set_codebook(vectors)

    def _register(self, codebook: torch.Tensor) -> None:
        self.register_buffer("coefficients", codebook)
        self.register_buffer("map", torch.eye(self.code_dim).repeat(self.n_groups, 1, 1))

    def _step(self, counts: torch.Tensor, sums: torch.Tensor, finite: torch.Tensor, at_most: float) -> None:
        gain, n = self.codebook_weight * self.STEP, counts[:, :, None]
        transposed = self.coefficients.transpose(1, 2)
        held = self.mass[:, :, None] + gain * n / at_most
        matrix = transposed @ (held * self.coefficients)  # (n_groups, d, d)
        lengths = (self.mass * self.coefficients.square().sum(dim=2)).sum(dim=1) / self.mass.sum(dim=1)
        matrix.diagonal(dim1=1, dim2=2).add_(lengths[:, None] + _NO_LENGTH)
        pull = torch.where(finite, gain * (sums - n * self.codebook), 0.0)
        # Of large weights and coefficients that are nearly parallel, the matrix is singular to float32.
        dtype = torch.float32 if matrix.device.type == "mps" else torch.float64
        self.map.add_(solved(matrix.to(dtype), (transposed @ pull).to(dtype)))

    def _write(self, vectors: torch.Tensor, index: tuple | slice) -> None:
        maps = self.map if isinstance(index, slice) else self.map[index[0]]
        self.coefficients[index] = vectors @ torch.linalg.pinv(maps, rtol=_SMALLEST_DIRECTION)

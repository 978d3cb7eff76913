"""Product quantisation: a vector is cut into equal splits, and each is replaced by a codebook vector of its own.

Follows Jégou, Douze and Schmid (2011) [1]_: s splits of k codes each stand for k^s vectors, searched at the cost of k.

References
----------
.. [1] H. Jégou, M. Douze, C. Schmid, "Product Quantization for Nearest Neighbor Search", IEEE TPAMI 33(1), 2011.
"""

from __future__ import annotations

import torch

from .base import Cluster, Quantized, Quantizer


class ProductQuantizer(Quantizer):
    """Several codes per position, each for one split of the vector.

    With four splits around a quantiser of width 16, z [128, 49, 64] is searched as [6272, 4, 16] and becomes vectors
    [128, 49, 64] and codes [128, 49, 4].

    Parameters
    ----------
    quantizer : Quantizer
        For the splits. Its codebooks decide what is shared: 1 group, all splits of all positions share one codebook;
        `n_splits` groups, each split has its own, which the positions share; m · `n_splits` groups for m positions,
        each split of each position has its own.
    n_splits : int
        Number of codes per position.

    Attributes
    ----------
    codebook : Tensor of shape (g, n_codes, code_dim / n_splits), float32
        The codebooks of `quantizer`: vectors of a split, not of a position.
    """

    def __init__(self, quantizer: Quantizer, n_splits: int) -> None:
        super().__init__()
        if n_splits < 1:
            raise ValueError(f"n_splits must be at least 1, got {n_splits}")
        self.n_groups: int = getattr(quantizer, "n_groups", 1)
        if self.n_groups != 1 and self.n_groups % n_splits:
            raise ValueError(f"quantizer has {self.n_groups} groups, expected 1 or a multiple of n_splits={n_splits}")
        self.quantizer = quantizer
        self.n_splits = n_splits
        self.n_codes, self.code_dim = quantizer.n_codes, quantizer.code_dim * n_splits

    @property
    def codebook(self) -> torch.Tensor:
        """The codebooks of the splits, (g, n_codes, code_dim / n_splits)."""
        return self.quantizer.codebook  # type: ignore[return-value]

    def encode(self, z: torch.Tensor) -> torch.Tensor:
        """Codes: z (b, m, d) → (b, m, n_splits), int64, in [0, n_codes)."""
        b, m, _ = z.shape
        return self._joined(self.quantizer.encode(self._split(z)), b, m)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Codebook vectors side by side: codes (b, m, n_splits) → (b, m, d), float32."""
        b, m = codes.shape[:2]
        return self.quantizer.decode(self._split_codes(codes)).reshape(b, m, self.code_dim)

    def quantize(self, z: torch.Tensor) -> Quantized:
        """Codes, vectors and losses of z (b, m, d), float32; nothing is learned."""
        b, m, _ = z.shape
        quantized = self.quantizer.quantize(self._split(z))
        vectors = quantized.vectors.reshape(b, m, self.code_dim)
        return Quantized(vectors, self._joined(quantized.codes, b, m), quantized.losses)

    def count(self, codes: torch.Tensor) -> torch.Tensor:
        """How often each code of each codebook occurs: codes (b, m, n_splits) → (g, n_codes), int64."""
        return self.quantizer.count(self._split_codes(codes))

    def learn(self, z: torch.Tensor, codes: torch.Tensor) -> None:
        """Move the codebooks by the splits of z (b, m, d) and their codes (b, m, n_splits)."""
        self.quantizer.learn(self._split(z), self._split_codes(codes))

    def revive(self, z: torch.Tensor, generator: torch.Generator) -> int:
        """Put hardly used codes back among the splits of z (b, m, d); how many were moved."""
        return self.quantizer.revive(self._split(z), generator)

    def start_from(self, z: torch.Tensor, cluster: Cluster) -> None:
        """Set the codebooks from the splits of a sample z (b, m, d)."""
        self.quantizer.start_from(self._split(z), cluster)

    def _split(self, z: torch.Tensor) -> torch.Tensor:
        """z (b, m, d) with its splits as positions: (b · m, n_splits, d / n_splits), or all of a row's side by side."""
        b, m, d = z.shape
        if d != self.code_dim:
            raise ValueError(f"z must have shape (b, m, {self.code_dim}), got {tuple(z.shape)}")
        return z.reshape(*self._rows(b, m), d // self.n_splits)

    def _split_codes(self, codes: torch.Tensor) -> torch.Tensor:
        b, m, n_splits = codes.shape[:3]
        if n_splits != self.n_splits:
            raise ValueError(f"codes must have shape (b, m, {self.n_splits}), got {tuple(codes.shape)}")
        return codes.reshape(*self._rows(b, m), *codes.shape[3:])

    def _rows(self, b: int, m: int) -> tuple[int, int]:
        if self.n_groups in (1, self.n_splits):
            return b * m, self.n_splits
        return b, m * self.n_splits

    def _joined(self, codes: torch.Tensor, b: int, m: int) -> torch.Tensor:
        return codes.reshape(b, m, self.n_splits, *codes.shape[2:])

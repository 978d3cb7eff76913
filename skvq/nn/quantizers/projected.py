"""Low-dimensional codes: vectors are projected down before the search and up after it.

Follows Yu et al. (2022), section 3.2 [1]_: the search happens in a space much narrower than the encoder's, where a
codebook is used more fully.

Departures. Both maps start at the principal axes of a sample (`start_from`), so that the start loses the least.

References
----------
.. [1] J. Yu et al., "Vector-quantized Image Modeling with Improved VQGAN", ICLR 2022, section 3.2.
"""

from __future__ import annotations

import torch

from ..draws import default_generator, linear
from .base import Cluster, Quantized, Quantizer


class ProjectedQuantizer(Quantizer):
    """A quantiser between two learned linear maps.

    Around a quantiser of width 8, z [128, 49, 64] is searched as [128, 49, 8] and becomes vectors [128, 49, 64] and
    codes [128, 49]. The losses are those of the narrow vectors.

    Parameters
    ----------
    quantizer : Quantizer
        Of the narrow vectors.
    width : int
        Width of the vectors outside.
    generator : torch.Generator, optional
        Draws the first weights; by default a private one seeded with 0.

    Attributes
    ----------
    codebook : Tensor of shape (g, n_codes, width), float32
        The narrow codebook vectors as they are decoded; of a product or residual quantiser inside, its own narrow ones
        have no such meaning one by one, so there is none.
    """

    def __init__(self, quantizer: Quantizer, width: int, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        generator = default_generator() if generator is None else generator
        self.quantizer = quantizer
        self.n_codes, self.code_dim = quantizer.n_codes, width
        self.down = linear(width, quantizer.code_dim, generator)
        self.up = linear(quantizer.code_dim, width, generator)

    @property
    def codebook(self) -> torch.Tensor:
        """Codebook vectors after the map up, (g, n_codes, width)."""
        narrow = self.quantizer.codebook
        return self.up(narrow)

    def encode(self, z: torch.Tensor) -> torch.Tensor:
        """Codes of the projections: z (b, m, width) → as the quantiser inside has them."""
        with torch.no_grad(), torch.autocast(z.device.type, enabled=False):
            return self.quantizer.encode(self.down(z.float()))

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Vectors: what `encode` returned → (b, m, width), float32."""
        with torch.autocast(codes.device.type, enabled=False):
            return self.up(self.quantizer.decode(codes))

    def quantize(self, z: torch.Tensor) -> Quantized:
        """Codes, vectors and losses of z (b, m, width), float32; nothing is learned."""
        quantized = self.quantizer.quantize(self.down(z))
        return quantized._replace(vectors=self.up(quantized.vectors))

    def count(self, codes: torch.Tensor) -> torch.Tensor:
        """How often each code of each codebook occurs: what `encode` returned → (g, n_codes), int64."""
        return self.quantizer.count(codes)

    @torch.no_grad()
    def learn(self, z: torch.Tensor, codes: torch.Tensor) -> None:
        """Move the quantiser inside by the projections of z (b, m, width) and their codes."""
        self.quantizer.learn(self.down(z), codes)

    @torch.no_grad()
    def revive(self, z: torch.Tensor, generator: torch.Generator) -> int:
        """Put hardly used codes back among the projections of z (b, m, width); how many were moved."""
        return self.quantizer.revive(self.down(z.float()), generator)

    @torch.no_grad()
    def start_from(self, z: torch.Tensor, cluster: Cluster) -> None:
        """Set both maps to the principal axes of a sample z (b, m, width), then the codebook from its projections.

        Where there are fewer axes than the narrow width, the other dimensions start at zero.
        """
        rows = z.reshape(-1, self.code_dim).double()
        mean = rows.mean(dim=0)
        _, axes = torch.linalg.eigh((rows - mean).T @ (rows - mean))  # columns, by rising variance
        axes = axes.flip(1)[:, : self.quantizer.code_dim].T  # (narrow, width), or fewer rows
        self.down.weight.zero_()[: len(axes)].copy_(axes)
        self.down.bias.zero_()[: len(axes)].copy_(-axes @ mean)
        self.up.weight.zero_()[:, : len(axes)].copy_(axes.T)
        self.up.bias.copy_(mean)
        self.quantizer.start_from(self.down(z), cluster)

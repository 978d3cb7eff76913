"""Beam search of residual codes: the best few prefixes go on to the next stage, not only the nearest.

The codebook vector nearest to z need not be the first of the best sum. Keeping the `beam_size` prefixes with the least
||z - Σ e||² after each stage finds better sums; from k^(s - 1) prefixes on, the best of all k^s [1]_.

References
----------
.. [1] A. Babenko, V. Lempitsky, "Additive Quantization for Extreme Vector Compression", CVPR 2014, section 3.2.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch

_CHUNK_BYTES = 2**24  # of distances at a time


class Beam(NamedTuple):
    """The prefixes that are kept for each vector, best first.

    Attributes
    ----------
    residuals : Tensor of shape (g, n, beam, d), float32
        What a prefix leaves of its vector.
    codes : Tensor of shape (g, n, beam, s), int64
        The prefix itself.
    """

    residuals: torch.Tensor
    codes: torch.Tensor


def start_beam(z: torch.Tensor) -> Beam:
    """The empty prefix of each vector: z (n, g, d) → residuals (g, n, 1, d), codes (g, n, 1, 0)."""
    residuals = z.transpose(0, 1)[:, :, None]
    return Beam(residuals, residuals.new_empty((*residuals.shape[:3], 0), dtype=torch.int64))


def extend_beam(beam: Beam, codebooks: torch.Tensor, beam_size: int) -> Beam:
    """The best prefixes that are one stage longer: codebooks (g, k, d); residuals (g, n, beam_size, d).

    There are fewer than `beam_size` where the former prefixes times k are fewer.
    """
    g, n, kept, _ = beam.residuals.shape
    rows = max(1, _CHUNK_BYTES // (4 * g * kept * codebooks.shape[1]))
    pieces = [
        _extend(Beam(beam.residuals[:, i : i + rows], beam.codes[:, i : i + rows]), codebooks, beam_size)
        for i in range(0, max(n, 1), rows)
    ]
    return Beam(*(torch.cat(parts, dim=1) for parts in zip(*pieces)))


def _extend(beam: Beam, codebooks: torch.Tensor, beam_size: int) -> Beam:
    g, n, kept, d = beam.residuals.shape
    k = codebooks.shape[1]
    centre = codebooks.mean(dim=1, keepdim=True)  # distances do not feel it, their digits do
    centred = codebooks - centre
    vectors = beam.residuals.reshape(g, n * kept, d) - centre
    distances = vectors.square().sum(dim=2, keepdim=True) + centred.square().sum(dim=2)[:, None]
    distances = torch.baddbmm(distances, vectors, centred.transpose(1, 2), alpha=-2.0)  # (g, n · kept, k)
    best = distances.view(g, n, kept * k).topk(min(beam_size, kept * k), dim=2, largest=False).indices
    parents, codes = best // k, best % k  # (g, n, beam)
    chosen = codebooks[torch.arange(g, device=codes.device)[:, None, None], codes]
    residuals = beam.residuals.gather(2, parents[..., None].expand(-1, -1, -1, d)) - chosen
    prefixes = beam.codes.gather(2, parents[..., None].expand(-1, -1, -1, beam.codes.shape[3]))
    return Beam(residuals, torch.cat([prefixes, codes[..., None]], dim=3))


def beam_codes(z: torch.Tensor, codebooks: Iterable[torch.Tensor], beam_size: int) -> torch.Tensor:
    """Codes of the best sums that the beam finds.

    Parameters
    ----------
    z : Tensor of shape (n, g, d), float32
        Vectors; group j is searched in codebooks j.
    codebooks : iterable of s Tensors of shape (g, k, d), float32
        One for each stage.
    beam_size : int
        Number of prefixes kept; 1 is the greedy search.

    Returns
    -------
    Tensor of shape (n, g, s), int64
        In [0, k). A vector with a non-finite value gets arbitrary ones.
    """
    beam = start_beam(z)
    for stage in codebooks:
        beam = extend_beam(beam, stage, beam_size)
    return beam.codes[:, :, 0].transpose(0, 1)

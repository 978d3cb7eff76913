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

import numpy as np
import torch

# Bytes of distances at a time: where prefixes are kept, and where only codes are, so that they stay in the cache.
_CHUNK_BYTES, _CACHE_BYTES = 2**22, 2**21
_FEW_DISTANCES = 2**11  # of a vector: so many numpy parts faster than torch


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

    There are fewer than `beam_size` where the former prefixes times k are fewer. Where there are as many as before, the
    residuals of `beam` are overwritten: there can be tens of megabytes of them.
    """
    g, n, kept, d = beam.residuals.shape
    k, n_stages = codebooks.shape[1], beam.codes.shape[3]
    rows, count = max(1, _CHUNK_BYTES // (4 * g * kept * k)), min(beam_size, kept * k)
    residuals = beam.residuals if count == kept > 1 else beam.residuals.new_empty((g, n, count, d))  # one is z
    longer = Beam(residuals, beam.codes.new_empty((g, n, count, n_stages + 1)))
    for i in range(0, n, rows):
        piece = _extend(Beam(*(part[:, i : i + rows] for part in beam)), codebooks, beam_size)
        for whole, part in zip(longer, piece):
            whole[:, i : i + rows] = part
    return longer


def _distances(beam: Beam, codebooks: torch.Tensor) -> torch.Tensor:
    """What each prefix leaves with each code added, squared: codebooks (g, k, d) → (g, n, kept · k)."""
    g, n, kept, d = beam.residuals.shape
    centre = codebooks.mean(dim=1, keepdim=True)  # distances do not feel it, their digits do
    centred = codebooks - centre
    vectors = beam.residuals.reshape(g, n * kept, d) - centre
    distances = vectors.square().sum(dim=2, keepdim=True) + centred.square().sum(dim=2)[:, None]
    return torch.baddbmm(distances, vectors, centred.transpose(1, 2), alpha=-2.0).view(g, n, kept * codebooks.shape[1])


def _smallest(distances: torch.Tensor, count: int) -> torch.Tensor:
    """Indices of the `count` smallest along the last axis, in no order."""
    if distances.device.type == "cpu" and distances.shape[2] <= _FEW_DISTANCES:
        return torch.from_numpy(np.argpartition(distances.numpy(), count - 1, axis=2)[..., :count])
    return distances.topk(count, dim=2, largest=False, sorted=False).indices


def _extend(beam: Beam, codebooks: torch.Tensor, beam_size: int, *, best_first: bool = True) -> Beam:
    g, _, kept, d = beam.residuals.shape
    k = codebooks.shape[1]
    distances = _distances(beam, codebooks)
    count = min(beam_size, kept * k)
    if best_first:
        best = distances.topk(count, dim=2, largest=False).indices
    else:
        best = _smallest(distances, count)
    parents, codes = best // k, best % k  # (g, n, beam)
    chosen = codebooks[torch.arange(g, device=codes.device)[:, None, None], codes]
    residuals = beam.residuals.gather(2, parents[..., None].expand(-1, -1, -1, d)) - chosen
    prefixes = beam.codes.gather(2, parents[..., None].expand(-1, -1, -1, beam.codes.shape[3]))
    return Beam(residuals, torch.cat([prefixes, codes[..., None]], dim=3))


def _best_codes(beam: Beam, codebooks: torch.Tensor) -> torch.Tensor:
    """The codes (g, n, s) of the best prefix with a last stage, codebooks (g, k, d), added."""
    k = codebooks.shape[1]
    best = _distances(beam, codebooks).min(dim=2, keepdim=True).indices  # (g, n, 1)
    parents = (best // k)[..., None].expand(-1, -1, -1, beam.codes.shape[3])
    return torch.cat([beam.codes.gather(2, parents)[:, :, 0], best % k], dim=2)


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
    *stages, last = codebooks
    rows = max(1, _CACHE_BYTES // (4 * last.shape[0] * beam_size * last.shape[1]))
    pieces = []
    for piece in z.split(rows):
        beam = start_beam(piece)
        for stage in stages:
            beam = _extend(beam, stage, beam_size, best_first=False)
        pieces.append(_best_codes(beam, last).transpose(0, 1))
    return torch.cat(pieces)

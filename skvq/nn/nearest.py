"""Exact search of the nearest codebook vector, in a bounded amount of extra memory.

    argmin_k ||z - e_k||²  =  argmax_k  z·e_k - ½||e_k||²

so the search is a matrix product and an argmax over k. Two things decide its speed on a processor. The scores are made in
pieces that stay in the cache, and they lie as (k, rows), codes first: an argmax over k is then one maximum pooling whose
window is the whole codebook, which torch runs over many rows at a time, without branches and on all its threads. torch's
own argmax is about ten times slower on a processor; numpy's is as fast from 256 codes on, but runs on one thread only.

The expanded distance loses its digits when the data lie far from the origin, so the mean of the codebook is subtracted
from both sides first; distances do not feel it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

_CACHE_BYTES = 2**20  # scores of one thread: about the second-level cache of one core
_ACCELERATOR_BYTES = 2**27


def nearest_codes(z: torch.Tensor, codebooks: torch.Tensor, *, chunk_bytes: int | None = None) -> torch.Tensor:
    """Index of the codebook vector nearest to each vector, by squared Euclidean distance.

    For example 6272 vectors of width 64, all searched in one codebook of 256, are z [6272, 1, 64] and codebooks
    [1, 256, 64], and become codes [6272, 1].

    Parameters
    ----------
    z : Tensor of shape (n, g, d), floating point
        Vectors; group j is searched in codebook j. Types below float32 are computed in float32. A row with a non-finite
        value gets an arbitrary code in range.
    codebooks : Tensor of shape (g, k, d), floating point
        Finite codebook vectors; g = 1 is one codebook for all vectors.
    chunk_bytes : int, optional
        Bound of the extra memory for scores and centred vectors. By default 1 MiB per torch thread, and no less than
        2 MiB, on a processor, so that a piece stays in its cache; 128 MiB on other devices.

    Returns
    -------
    Tensor of shape (n, g), int64
        Codes in [0, k). Of codes at equal distance the first wins (on a processor; other devices may differ).

    Notes
    -----
    Extra memory beyond the result is `chunk_bytes` (or one row of scores, where that is more), a copy of the codebooks per
    torch thread, and 12 bytes per row of a chunk.
    """
    _check_shapes(z, codebooks)
    with torch.no_grad(), torch.autocast(z.device.type, enabled=False):
        return _search(z, codebooks, chunk_bytes)


def _check_shapes(z: torch.Tensor, codebooks: torch.Tensor) -> None:
    if z.ndim != 3 or codebooks.ndim != 3 or z.shape[1] != codebooks.shape[0] or z.shape[2] != codebooks.shape[2]:
        raise ValueError(
            f"z {tuple(z.shape)} and codebooks {tuple(codebooks.shape)} do not fit: expected (n, g, d) and (g, k, d)"
        )


def _search(z: torch.Tensor, codebooks: torch.Tensor, chunk_bytes: int | None) -> torch.Tensor:
    n, g, d = z.shape
    k = codebooks.shape[1]
    on_cpu = z.device.type == "cpu"
    threads = torch.get_num_threads() if on_cpu else 1
    if chunk_bytes is None:
        chunk_bytes = _CACHE_BYTES * max(2, threads) if on_cpu else _ACCELERATOR_BYTES
    dtype = torch.promote_types(torch.promote_types(z.dtype, codebooks.dtype), torch.float32)
    codebooks = codebooks.to(dtype)
    centre = codebooks.mean(dim=1, keepdim=True)  # (g, 1, d)
    centred = codebooks - centre  # (g, k, d)
    bias = centred.square().sum(dim=2, keepdim=True).mul_(-0.5)  # (g, k, 1)

    blocks = -(-threads // g)  # rows are cut into blocks until every thread has a product of its own
    chunk = max(1, min(n, chunk_bytes // (dtype.itemsize * g * (k + d))))
    scores_memory = torch.empty(chunk * g * k, dtype=dtype, device=z.device)
    z_memory = torch.empty(chunk * g * d, dtype=dtype, device=z.device)
    codes = torch.empty((n, g), dtype=torch.int64, device=z.device)
    best = _argmax_by_pooling if on_cpu else _argmax
    start = 0
    while start < n:
        rows = min(chunk, n - start)
        parts = blocks if rows >= blocks else 1
        rows -= rows % parts
        length = rows // parts
        piece = z[start : start + rows].view(parts, length, g, d).transpose(1, 2)  # (parts, g, length, d)
        z_centred = z_memory[: rows * g * d].view(parts, g, length, d)
        torch.sub(piece, centre, out=z_centred)
        scores = scores_memory[: rows * g * k].view(parts * g, k, length)
        torch.baddbmm(
            bias.expand(parts, g, k, 1).reshape(parts * g, k, 1),
            centred.expand(parts, g, k, d).reshape(parts * g, k, d),
            z_centred.view(parts * g, length, d).transpose(1, 2),
            out=scores,
        )
        found = best(scores).view(parts, g, length)
        codes[start : start + rows].view(parts, length, g).copy_(found.transpose(1, 2))
        start += rows
    return codes


def _argmax(scores: torch.Tensor) -> torch.Tensor:
    return scores.argmax(dim=1)


def _argmax_by_pooling(scores: torch.Tensor) -> torch.Tensor:
    """First index of the largest score over axis 1: (groups, k, rows) → (groups, rows)."""
    groups, k, rows = scores.shape
    image = scores.view(groups, k, 1, rows).permute(0, 3, 1, 2)  # rows as channels, in channels-last memory: no copy
    _, index = F.max_pool2d(image, kernel_size=(k, 1), return_indices=True)  # (groups, rows, 1, 1)
    return index.view(groups, rows)

"""Exact search of the nearest codebook vector, in a bounded amount of extra memory.

    argmin_k ||z - e_k||²  =  argmax_k  z·e_k - ½||e_k||²

so the search is a matrix product and an argmax over k. Two things decide its speed on a CPU. The scores are made in
pieces that stay in the cache, and they lie as (k, rows), codes first: an argmax over k is then one maximum pooling
whose window is the whole codebook, which torch runs over many rows at a time, without branches and on all its threads.
torch's own argmax is five to ten times slower there; numpy's is as fast from 256 codes on, but runs on one thread only.

The expanded distance loses its digits when the data lie far from the origin, so the mean of the codebook is subtracted
from both sides first; distances do not feel it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

_CACHE_BYTES = 2**20  # scores of one thread: about the second-level cache of one core
_ALIGNED_ROWS = 16  # a row of scores then starts on a cache line: the matrix product is 10 % slower otherwise
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
        2 MiB, on a CPU, so that a piece stays in its cache; 128 MiB on other devices.

    Returns
    -------
    Tensor of shape (n, g), int64
        Codes in [0, k). Of codes at equal distance the first wins (on a CPU; other devices may differ).

    Notes
    -----
    Extra memory beyond the result is `chunk_bytes` (or one row of scores, where that is more), 12 bytes per row and
    group of a chunk, and a centred copy of the codebooks, one per torch thread where threads outnumber groups.
    """
    _check_shapes(z, codebooks)
    with torch.no_grad(), torch.autocast(z.device.type, enabled=False):
        return _search(z, codebooks, chunk_bytes)


def _check_shapes(z: torch.Tensor, codebooks: torch.Tensor) -> None:
    if z.ndim != 3 or codebooks.ndim != 3 or z.shape[1] != codebooks.shape[0] or z.shape[2] != codebooks.shape[2]:
        raise ValueError(
            f"z {tuple(z.shape)} and codebooks {tuple(codebooks.shape)} do not fit: expected (n, g, d) and (g, k, d)"
        )


def _chunk_rows(n: int, largest: int, multiple: int) -> int:
    """Rows per chunk: all n if they fit, otherwise a multiple of `multiple` where that is possible."""
    if n <= largest:
        return n
    return max(1, largest - largest % multiple if largest >= multiple else largest)


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
    centred = codebooks - centre
    bias = centred.square().sum(dim=2, keepdim=True).mul_(-0.5)  # (g, k, 1)

    blocks = -(-threads // g)  # rows are cut into blocks until every thread has a product of its own
    chunk = _chunk_rows(n, chunk_bytes // (dtype.itemsize * g * (k + d)), _ALIGNED_ROWS * blocks)
    memory = torch.empty(chunk * g * (k + d), dtype=dtype, device=z.device)
    codes = torch.empty((n, g), dtype=torch.int64, device=z.device)
    argmax = _argmax_by_pooling if on_cpu else _argmax
    start = 0
    while start < n:
        rows = min(chunk, n - start)
        parts = blocks if rows >= blocks else 1
        length = rows // parts
        stop = start + parts * length
        piece = z[start:stop].view(parts, length, g, d).transpose(1, 2)  # (parts, g, length, d)
        scores = _scores(piece, centre, centred, bias, memory)
        found = argmax(scores).view(parts, g, length)
        codes[start:stop].view(parts, length, g).copy_(found.transpose(1, 2))
        start = stop
    return codes


def _scores(
    z: torch.Tensor, centre: torch.Tensor, codebooks: torch.Tensor, bias: torch.Tensor, memory: torch.Tensor
) -> torch.Tensor:
    """z·e - ½|e|² of centred vectors: z (parts, g, length, d) → (parts * g, k, length), made in `memory`."""
    parts, g, length, d = z.shape
    k = codebooks.shape[1]
    n_products = parts * g
    z_centred = memory[: n_products * length * d].view(parts, g, length, d)
    scores = memory[n_products * length * d :][: n_products * length * k].view(n_products, k, length)
    torch.sub(z, centre, out=z_centred)
    return torch.baddbmm(
        bias.expand(parts, g, k, 1).reshape(n_products, k, 1),
        codebooks.expand(parts, g, k, d).reshape(n_products, k, d),
        z_centred.view(n_products, length, d).transpose(1, 2),
        out=scores,
    )


def _argmax(scores: torch.Tensor) -> torch.Tensor:
    return scores.argmax(dim=1)


def _argmax_by_pooling(scores: torch.Tensor) -> torch.Tensor:
    """First index of the largest score over axis 1: (groups, k, rows) → (groups, rows)."""
    groups, k, rows = scores.shape
    image = scores.view(groups, k, 1, rows).permute(0, 3, 1, 2)  # rows as channels, in channels-last memory: no copy
    _, index = F.max_pool2d(image, kernel_size=(k, 1), return_indices=True)  # (groups, rows, 1, 1)
    return index.view(groups, rows)


def removal_costs(
    centres: torch.Tensor, masses: torch.Tensor, slots: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """What is lost without single centres, if all their vectors go to the nearest other one, and which that is.

    Parameters
    ----------
    centres : Tensor of shape (k, d), float32
        Means of their vectors.
    masses : Tensor of shape (k,), float32
        How many vectors each has.
    slots : Tensor of shape (m,), int64, default=None
        Which of them are asked for; None is all.

    Returns
    -------
    costs : Tensor of shape (m,), float32
        Mass times squared distance to the nearest other centre.
    neighbours : Tensor of shape (m,), int64
    """
    slots = torch.arange(len(centres), device=centres.device) if slots is None else slots
    costs, neighbours = centres.new_empty(len(slots)), slots.new_empty(len(slots))
    for start in range(0, len(slots), 1024):
        piece = slots[start : start + 1024]
        distances = torch.cdist(centres[piece], centres)  # (1024, k)
        distances[torch.arange(len(piece), device=piece.device), piece] = torch.inf
        nearest = distances.min(dim=1)
        costs[start : start + 1024], neighbours[start : start + 1024] = nearest.values.square(), nearest.indices
    return costs * masses[slots], neighbours


def lloyd_pass(
    x: torch.Tensor, weighted: torch.Tensor, weights: torch.Tensor, centres: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Give each vector to its nearest centre, and take the means of those that each centre was given.

    Parameters
    ----------
    x : Tensor of shape (n, d), float32
    weighted : Tensor of shape (n, d), float32
        x times its weights.
    weights : Tensor of shape (n,), float32
    centres : Tensor of shape (k, d), float32

    Returns
    -------
    codes : Tensor of shape (n,), int64
        Which centre is the nearest.
    means : Tensor of shape (m, d)
        Of the m centres that were given anything.
    masses : Tensor of shape (m,)
        Weights that they were given.
    """
    codes = nearest_codes(x[:, None], centres[None])[:, 0]
    masses = torch.zeros(len(centres)).scatter_add_(0, codes, weights)
    sums = torch.zeros_like(centres).scatter_add_(0, codes[:, None].expand_as(x), weighted)
    given = masses > 0
    return codes, sums[given] / masses[given, None], masses[given]

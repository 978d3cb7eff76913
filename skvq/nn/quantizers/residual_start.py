"""Start the codebooks of residual codes, stage after stage, at the clusters of what the prefixes before it leave.

With a beam, a stage learns from what several prefixes of each vector leave. Codebooks that start so fit the sample less
closely than the nearest prefixes alone would make them, and new vectors better.

Where a code has few vectors, fewer of their prefixes serve better, and a centre is mostly noise. `shrunken` moves
centres towards the mean of all, each by as much as it is uncertain, an empirical Bayes estimate as in [1]_ whose prior
variance is, departing from there, a centre's own squared length, so that a code that stands for few vectors far away
keeps its place. It helps where new vectors are near no code, in many dimensions, and does harm where the stages to come
make up for what a code lacks; so held-out vectors choose.

Vectors of many dimensions are clustered in their first few principal components, then in more and more of them, as in
faiss. k-means in all of them at once ends with centres that follow single vectors (`benchmarks/wide_rows.py`).

Codes of whole rows may start in another way yet: each stage at the clusters of some of the columns, as in product
quantisation [2]_, which leaves the other columns to the other stages. Such codebooks learn from every row without
regard to what other stages make of it, so they overfit least, and where columns have few values, as the answers of a
survey have, they hit them exactly. Training and search go on from there as for any residual codes.

References
----------
.. [1] B. Efron, C. Morris, "Stein's Estimation Rule and Its Competitors - An Empirical Bayes Approach", JASA 68(341),
   1973.
.. [2] H. Jégou, M. Douze, C. Schmid, "Product Quantization for Nearest Neighbor Search", IEEE TPAMI 33(1), 2011.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from ..draws import default_generator
from .base import Cluster
from .beam import Beam, extend_beam, start_beam
from .nearest import lloyd_pass, nearest_codes

# So many vectors start a stage, where the beam keeps them, although z has fewer.
_START_VECTORS = 8192
# After so many stages there are more prefixes than any beam keeps.
_ENOUGH_STAGES = 8
# Prefixes of a vector that centres learn from where a code has few vectors.
_FEW_PREFIXES = 8
# With fewer vectors for a code, held-out ones choose whether centres are shrunken; of fewer in all they tell nothing.
_FEW_VECTORS_PER_CODE, _ENOUGH_TO_CHOOSE = 8, 500
# One in so many is held out.
_HELD_OUT = 5
# Codes of parts must leave less than this share of what the others leave. Training takes more off the others: of
# 2,000 rows of 16 independent normal columns eight codes of parts leave 0.93 as much at the start, and more at the end.
_PARTS_SHARE = 0.9
# Vectors are wide from so many dimensions on; numbers of principal components that these are clustered in before all of
# them; and passes in each.
_WIDE, _COMPONENTS, _PASSES = 65, (4, 16, 64), 4


def start_codebooks(
    z: torch.Tensor,
    n_stages: int,
    n_codes: int,
    cluster: Cluster,
    beam_size: int,
    directions: torch.Tensor | None = None,
    *,
    chooses: bool = True,
) -> list[torch.Tensor]:
    """Return a codebook (g, n_codes, d) for each stage, from a sample z (n, g, d).

    Where there are few vectors for a code, stages learn from the best eight prefixes of a vector alone; and four fifths
    of the vectors start codebooks in several ways, of which the one that leaves least of the others is taken for all:
    with shrunken centres, without, and, given the `directions` (d, n_columns) of the columns of the rows that z (n, 1,
    d) stands for, as codes of parts of the columns. Unless it `chooses`, centres are as they are.
    """

    def stages(vectors: torch.Tensor, n_prefixes: int, shrink: bool) -> list[torch.Tensor]:
        return stages_from(vectors, n_stages, n_codes, cluster, beam_size, n_prefixes=n_prefixes, shrink=shrink)

    def start(vectors: torch.Tensor, way: str) -> list[torch.Tensor]:
        if way == "parts" and directions is not None:
            return codebooks_of_parts(vectors, directions, n_stages, n_codes, cluster)
        return stages(vectors, _FEW_PREFIXES, way == "shrunken")

    if not _ENOUGH_TO_CHOOSE <= len(z) < _FEW_VECTORS_PER_CODE * n_codes:
        return stages(z, beam_size, False)
    if not chooses:
        return start(z, "as they are")
    ways = ["as they are", "shrunken"]
    if directions is not None and n_stages <= directions.shape[1]:
        ways.append("parts")
    order = torch.randperm(len(z), generator=default_generator()).to(z.device)
    n_held_out = len(z) // _HELD_OUT
    held_out, rest = z[order[:n_held_out]], z[order[n_held_out:]]
    errors = {way: squared_error(held_out, start(rest, way), beam_size) for way in ways}
    if "parts" in errors:
        errors["parts"] /= _PARTS_SHARE
    return start(z, min(errors, key=errors.__getitem__))


def codebooks_of_parts(
    z: torch.Tensor, directions: torch.Tensor, n_stages: int, n_codes: int, cluster: Cluster
) -> list[torch.Tensor]:
    """Return a codebook (1, n_codes, d) for each stage: of neighbouring columns of the rows behind z (n, 1, d).

    `directions` (d, n_columns) are those of the columns, with orthonormal rows; there are `n_stages` columns at least.
    """
    parts = directions.tensor_split(n_stages, dim=1)
    return [cluster(z @ part, n_codes) @ part.T for part in parts]


def stages_from(
    z: torch.Tensor,
    n_stages: int,
    n_codes: int,
    cluster: Cluster,
    beam_size: int,
    *,
    n_prefixes: int,
    shrink: bool,
) -> list[torch.Tensor]:
    """Return the clusters (g, n_codes, d) of what prefixes leave of z (n, g, d), for each stage; shrunken or not.

    They are drawn from the best `n_prefixes` that the beam keeps: as many as z has vectors, or a few thousand where
    there are so many. The first stages keep a quarter of the prefixes there are, up to `beam_size`: of few, most are
    never the best and would mislead the next stage.
    """
    beam, generator, codebooks = start_beam(z), default_generator(), []
    for i in range(n_stages):
        left = _drawn(beam, n_prefixes, generator)
        codebook = centres_of_wide(left, n_codes) if left.shape[2] >= _WIDE else cluster(left, n_codes)
        codebooks.append(shrunken(codebook, left, len(z)) if shrink else codebook)
        kept = max(1, n_codes ** min(i + 1, _ENOUGH_STAGES) // 4)
        beam = Beam(extend_beam(beam, codebooks[-1], min(beam_size, kept)).residuals, beam.codes)  # none is needed
    return codebooks


def _drawn(beam: Beam, n_prefixes: int, generator: torch.Generator) -> torch.Tensor:
    """Return what some of the best `n_prefixes` of each vector leave, drawn without replacement: (n', g, d)."""
    _, n, width, _ = beam.residuals.shape
    width = min(width, n_prefixes)
    drawn = torch.randperm(n * width, generator=generator)[: max(n, _START_VECTORS)].to(beam.residuals.device)
    return beam.residuals[:, drawn // width, drawn % width].transpose(0, 1)


def centres_of_wide(vectors: torch.Tensor, n_codes: int) -> torch.Tensor:
    """Return centres (g, n_codes, d) of vectors (n, g, d): means of clusters that form in few dimensions, then in more.

    Clusters start at vectors drawn at random, as do those that lose all of theirs. Where there are fewer vectors than
    codes, some centres are there twice.
    """
    generator, weights = default_generator(), vectors.new_ones(len(vectors))

    def filled(centres: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        drawn = torch.randperm(len(x), generator=generator)[: n_codes - len(centres)]
        return torch.cat([centres, x[drawn]])

    codebooks = []
    for x in vectors.transpose(0, 1):
        mean = x.mean(dim=0)
        centred = x - mean
        directions = torch.linalg.eigh(centred.T @ centred).eigenvectors.flip(1)
        turned = centred @ directions
        few = turned[:, : _COMPONENTS[0]]
        centres = filled(few[:0], few)
        for n_dims in (*_COMPONENTS, turned.shape[1]):
            part = turned[:, :n_dims].contiguous()
            centres = F.pad(centres, (0, n_dims - centres.shape[1]))
            for _ in range(_PASSES):
                centres = filled(lloyd_pass(part, part, weights, centres)[1], part)
        codebooks.append(centres[torch.arange(n_codes) % len(centres)] @ directions.T + mean)
    return torch.stack(codebooks)


def shrunken(centres: torch.Tensor, vectors: torch.Tensor, n_rows: int) -> torch.Tensor:
    """Centres moved towards the mean m of all vectors: m + w (c - m), w = |c - m|² / (|c - m|² + s² / n).

    n is the number of vectors of a centre, s² the squared error of one vector about its centre, summed over dimensions
    and corrected for the centres that were fitted.

    Parameters
    ----------
    centres : Tensor of shape (g, k, d), float32
    vectors : Tensor of shape (n, g, d), float32
        What they are the centres of.
    n_rows : int
        Number of independent ones among them; several prefixes of one vector count as one.

    Returns
    -------
    Tensor of shape (g, k, d), float32
        A centre without vectors stays where it is.
    """
    codes = nearest_codes(vectors.contiguous(), centres)
    moved = centres.clone()
    for group, codebook in enumerate(centres):
        x, of = vectors[:, group], codes[:, group]
        n = torch.bincount(of, minlength=len(codebook)).to(x.dtype)
        freedom = max(n_rows - len(codebook), n_rows / 10)
        variance = (x - codebook[of]).square().sum() / freedom
        mean = x.mean(dim=0)
        squared_length = (codebook - mean).square().sum(dim=1)
        noise = torch.where(n > 0, variance / n.clamp_min(1e-9), 0.0)
        weight = squared_length / (squared_length + noise).clamp_min(1e-30)
        moved[group] = mean + weight[:, None] * (codebook - mean)
    return moved


def squared_error(z: torch.Tensor, codebooks: Sequence[torch.Tensor], beam_size: int) -> float:
    """Return what the codes that the beam finds leave of z (n, g, d), summed over all its values."""
    beam = start_beam(z)
    for codebook in codebooks:
        beam = extend_beam(beam, codebook, beam_size)
    return float(beam.residuals[:, :, 0].square().sum())

"""Residual quantisation: a vector is the sum of one codebook vector per stage, each nearest to what the others leave.

Follows the greedy search of Zeghidour et al. (2021) [1]_ and Lee et al. (2022) [2]_:

    r_1 = z,    k_i = argmin_k ||r_i - e_ik||²,    r_{i+1} = r_i - sg[e_{i,k_i}],    z_q = Σ_i e_{i,k_i}

The codes of a position lie in the order of the stages, so any prefix of them is a coarser code of the same vector.
With `beam_size` above 1 several prefixes are followed, and the best sum of all that come out is taken; the first codes
are not the nearest then, if better sums begin with others. So a stage learns from what all other stages leave, earlier
and later ones, r_i = z - Σ_{j≠i} sg[e_{j,k_j}], where the greedy search's learns from what the earlier ones do.

Departures. Each term of the loss is the mean of the stages' own, not their sum, so that its weight does not depend on
their number. The gradient goes to z once, not once per stage. With a beam, all s stages answer the same remainder at
once, so each goes at most 1 / s of the way there, however large its `codebook_weight` is; more would overshoot.

References
----------
.. [1] N. Zeghidour, A. Luebs, A. Omran, J. Skoglund, M. Tagliasacchi, "SoundStream: An End-to-End Neural Audio Codec",
   IEEE/ACM TASLP 30, 2021.
.. [2] D. Lee, C. Kim, S. Kim, M. Cho, W. Han, "Autoregressive Image Generation using Residual Quantization", CVPR 2022.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from .base import Cluster, Quantized, Quantizer, estimator_named
from .beam import beam_codes
from .residual_start import start_codebooks
from .vector import CodebookQuantizer

# Prefixes that the search follows at most while codebooks learn.
TRAINING_BEAM = 16


class ResidualQuantizer(Quantizer):
    """Several codes per position, each for what the ones before it leave.

    With three stages, z [128, 49, 64] becomes vectors [128, 49, 64] and codes [128, 49, 3]. `decode` takes codes
    [128, 49, 1] and [128, 49, 2] too.

    Parameters
    ----------
    quantizers : sequence of CodebookQuantizer
        One for each stage, equal in `n_codes`, `code_dim` and `n_groups`. Their vectors must be comparable with z:
        cosine codes or a projection go around a residual quantiser, not into it.
    beam_size : int, default=1
        Number of prefixes that the search follows: see :mod:`~skvq.nn.quantizers.beam`. 1 is the greedy search. In
        training, and to start codebooks, it follows 16 at most.
    gradient_estimator : {"straight_through", "rotation"}, default="straight_through"
        How the gradient at the sum goes on to z.

    Attributes
    ----------
    codebook : Tensor of shape (n_codebooks, n_codes, code_dim), float32
        Codebooks of the stages one after the other; n_codebooks is `n_groups` times the number of quantisers.
    """

    quantizers: Sequence[CodebookQuantizer]

    def __init__(
        self,
        quantizers: Sequence[CodebookQuantizer],
        *,
        beam_size: int = 1,
        gradient_estimator: str = "straight_through",
    ) -> None:
        super().__init__()
        _check_stages(quantizers, beam_size)
        self.quantizers = nn.ModuleList(quantizers)  # type: ignore[assignment]
        self.n_stages = len(quantizers)
        self.n_codes, self.code_dim = quantizers[0].n_codes, quantizers[0].code_dim
        self.beam_size = beam_size
        self.estimate = estimator_named(gradient_estimator)

    @property
    def codebook(self) -> torch.Tensor:
        """All codebooks, (n_codebooks, n_codes, code_dim), those of the first stage first."""
        return torch.cat([quantizer.codebook for quantizer in self.quantizers])

    def encode(self, z: torch.Tensor, n_stages: int | None = None) -> torch.Tensor:
        """Codes: z (b, m, d) → (b, m, n_stages), int64, in [0, n_codes); all stages unless `n_stages` says fewer.

        In a greedy search the codes for fewer stages are a prefix of those for more.
        """
        n_stages = self.n_stages if n_stages is None else n_stages
        if not 1 <= n_stages <= self.n_stages:
            raise ValueError(f"n_stages must be in [1, {self.n_stages}], got {n_stages}")
        search = self._greedy_codes if self.beam_size == 1 else self._beam_codes
        with torch.no_grad(), torch.autocast(z.device.type, enabled=False):
            return search(z.float(), self.quantizers[:n_stages])

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Sums of codebook vectors: codes (b, m, s), of a prefix of s ≤ n_stages stages → (b, m, d), float32."""
        if codes.ndim != 3 or not 1 <= codes.shape[2] <= self.n_stages:
            raise ValueError(f"codes must have shape (b, m, 1 to {self.n_stages}), got {tuple(codes.shape)}")
        return sum(self._parts(codes))  # type: ignore[return-value]

    def quantize(self, z: torch.Tensor) -> Quantized:
        """Codes, vectors and losses of z (b, m, d), float32; nothing is learned."""
        codes = self.encode(z)
        parts = self._parts(codes)
        losses = [s.losses(seen, part) for s, seen, part in zip(self.quantizers, self._targets(z, parts), parts)]
        means = {name: sum(terms[name] for terms in losses) / self.n_stages for name in losses[0]}
        z_q = torch.stack(parts, dim=2).sum(dim=2)  # (b, m, s, d) → (b, m, d)
        return Quantized(self.estimate(z, z_q), codes, means)  # type: ignore[arg-type]

    def count(self, codes: torch.Tensor) -> torch.Tensor:
        """How often each code of each codebook occurs: codes (b, m, n_stages) → (n_codebooks, n_codes), int64."""
        return torch.cat([stage.count(codes[:, :, i]) for i, stage in enumerate(self.quantizers)])

    def learn(self, z: torch.Tensor, codes: torch.Tensor) -> None:
        """Move every stage by the vectors that it saw: z (b, m, d), codes (b, m, n_stages)."""
        seen = self._targets(z, self._parts(codes))
        at_most = 1.0 if self.beam_size == 1 else 1.0 / self.n_stages  # all stages answer what all of them leave
        for i, quantizer in enumerate(self.quantizers):
            quantizer.learn(seen[i], codes[:, :, i], at_most)

    @torch.no_grad()
    def revive(self, z: torch.Tensor, generator: torch.Generator) -> int:
        """Put hardly used codes of every stage back among the vectors that the stage sees; how many were moved."""
        if not self.training or not any(bool(q.dead_codes().any()) for q in self.quantizers):
            return 0
        z = z.float()
        seen = self._targets(z, self._parts(self.encode(z)))
        return sum(stage.revive(vectors, generator) for stage, vectors in zip(self.quantizers, seen))

    @torch.no_grad()
    def start_from(
        self, z: torch.Tensor, cluster: Cluster, directions: torch.Tensor | None = None, *, chooses: bool = True
    ) -> None:
        """Set each stage's codebook from what the stages before it leave of a sample z (b, m, d).

        Where z (b, 1, d) stands for rows whose columns have the `directions` (d, n_columns), stages may start as codes
        of parts of the columns. Unless it `chooses`, they start in the usual way, in a quarter of the time. See
        :mod:`~skvq.nn.quantizers.residual_start` for how.
        """
        vectors, beam_size = self.quantizers[0].grouped(z), min(self.beam_size, TRAINING_BEAM)
        codebooks = start_codebooks(
            vectors, self.n_stages, self.n_codes, cluster, beam_size, directions, chooses=chooses
        )
        for stage, codebook in zip(self.quantizers, codebooks):
            stage.set_codebook(codebook)

    def _greedy_codes(self, z: torch.Tensor, stages: Sequence[CodebookQuantizer]) -> torch.Tensor:
        codes = []
        for stage in stages:
            codes.append(stage.encode(z))
            z = z - stage.decode(codes[-1])
        return torch.stack(codes, dim=2)

    def _beam_codes(self, z: torch.Tensor, stages: Sequence[CodebookQuantizer]) -> torch.Tensor:
        beam_size = min(self.beam_size, TRAINING_BEAM) if self.training else self.beam_size
        codes = beam_codes(stages[0].grouped(z), (stage.codebook for stage in stages), beam_size)
        return codes.reshape(*z.shape[:2], len(stages))

    def _parts(self, codes: torch.Tensor) -> list[torch.Tensor]:
        """The codebook vectors (b, m, d) that the codes (b, m, s) of the first s stages stand for."""
        return [stage.decode(code) for stage, code in zip(self.quantizers, codes.unbind(dim=2))]

    def _targets(self, z: torch.Tensor, parts: list[torch.Tensor]) -> list[torch.Tensor]:
        """What each stage is to stand for in z (b, m, d), given the vectors `parts` (b, m, d) of all stages."""
        if self.beam_size > 1:
            left = z - sum(parts)
            return [left + part for part in parts]
        targets = [z]
        for part in parts[:-1]:
            targets.append(targets[-1] - part)
        return targets


def _check_stages(quantizers: Sequence[CodebookQuantizer], beam_size: int) -> None:
    if not quantizers or not all(isinstance(q, CodebookQuantizer) for q in quantizers):
        raise TypeError(f"quantizers must be one or more quantizers with a codebook, got {list(quantizers)}")
    sizes = {(q.n_codes, q.code_dim, q.n_groups) for q in quantizers}
    if len(sizes) > 1:
        raise ValueError(f"quantizers must be equal in (n_codes, code_dim, n_groups), got {sorted(sizes)}")
    if beam_size < 1:
        raise ValueError(f"beam_size must be at least 1, got {beam_size}")

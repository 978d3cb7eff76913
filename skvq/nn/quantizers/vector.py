"""Vector quantisers: each vector is replaced by the nearest of a small set of learned ones.

Follows van den Oord, Vinyals and Kavukcuoglu (2017): straight-through gradient, a codebook term and a commitment term
[1]_. The codebook learns by gradient steps on its term (`VectorQuantizer`) or as a running mean of the vectors given to
each code (`EMAVectorQuantizer`, appendix A.1 of [1]_, and [2]_).

**Steps and their weight.** A codebook moves itself, in `learn`, whichever way it learns; no optimiser of the network
touches it. An optimiser such as Adam divides a gradient by its own size, so that a weight of the codebook term would
change nothing. Here `codebook_weight` w says how far a batch moves the codebook. With the number n_k and the sum s_k of
the vectors of a batch that code k received,

    running means    N_k ← ρ^w N_k + (1 - ρ^w) n_k,   m_k ← ρ^w m_k + (1 - ρ^w) s_k,   e_k = m_k / N_k
    gradient         N_k ← ρ N_k + (1 - ρ) n_k,       e_k ← (N_k e_k + w η s_k) / (N_k + w η n_k)

With running means a batch counts as w batches. The gradient step is the implicit (proximal) one [5]_: the e that
minimises w η Σ_i |z_i - e_code(i)|² + Σ_k N_k |e_k - e_k(before)|². It is a gradient step of the codebook term while
w η is small, of the length w η / N_k, because the curvature of the term along e_k is the number of its vectors; so a
usual batch takes the code the share w η / (1 + w η) of the way to their mean, and none takes it beyond. Other codebooks
take the same step within what they can be: unit vectors in :mod:`~skvq.nn.quantizers.cosine`, linear maps of a table
in :mod:`~skvq.nn.quantizers.simvq`. w = 0 leaves a codebook where it is.

Departures. All terms are means over elements. Running counts start at 1 and running sums at the codebook itself, not at
zero. A code that got nothing in a batch moves only with the codebook as a whole. A batch with a non-finite value moves
nothing. Codes that fall out of use can be put back among the data (`revive`), where they are of more use there, as in
[4]_; what a code is of use is bounded by its nearest neighbour instead of measured on the data.

With a `follow_rate` the codebook as a whole follows the encoder (`drift`), in the spirit of [3]_, which learns an
affine map of the codebook by gradient. A running mean lags its vectors by 1 / (1 - decay) steps, and a code that moves
by gradient steps by about 1 / η. Until the codes arrive, the decoder does not respond to how the encoder moved, so the
encoder, where commitment is weak, moves on, beyond all codes, and most of them fall out of use. What all vectors of a
batch say about where the codebook went is precise enough to be followed at once. A rate f becomes 1 - (1 - f)^w.

References
----------
.. [1] A. van den Oord, O. Vinyals, K. Kavukcuoglu, "Neural Discrete Representation Learning", NeurIPS 2017.
.. [2] A. Razavi, A. van den Oord, O. Vinyals, "Generating Diverse High-Fidelity Images with VQ-VAE-2", NeurIPS 2019.
.. [3] M. Huh, B. Cheung, P. Agrawal, P. Isola, "Straightening Out the Straight-Through Estimator: Overcoming
   Optimization Challenges in Vector Quantized Networks", ICML 2023.
.. [4] B. Fritzke, "The LBG-U Method for Vector Quantization - an Improvement over LBG Inspired from Neural Networks",
   Neural Processing Letters 5, 1997.
.. [5] P. Toulis, E. M. Airoldi, "Asymptotic and Finite-Sample Properties of Estimators Based on Stochastic Gradients",
   Annals of Statistics 45(4), 2017.
"""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
import torch.nn.functional as F

from .. import ranks
from ..draws import default_generator, weighted_draw
from .base import Cluster, Quantized, Quantizer, estimator_named
from .nearest import nearest_codes, removal_costs

# Squared length beside which an affine map of the codebook is not fitted: of codes that are all alike there is none.
_NO_LENGTH = 1e-12


def count_codes(codes: torch.Tensor, n_codes: int, n_groups: int = 1) -> torch.Tensor:
    """How often each code occurs: codes (b, m) → counts (n_groups, n_codes), int64.

    With one group all positions count together, otherwise position j counts in row j. The counts of batches add up to
    those of a whole pass.
    """
    slots = _slots(codes.reshape(-1, n_groups), n_codes)
    if slots.is_cpu:
        return torch.bincount(slots, minlength=n_groups * n_codes).view(n_groups, n_codes)
    # Elsewhere bincount makes the host wait for the largest code.
    counts = torch.zeros(n_groups * n_codes, dtype=torch.int64, device=slots.device)
    return counts.scatter_add_(0, slots, torch.ones_like(slots)).view(n_groups, n_codes)


def batch_statistics(z: torch.Tensor, codes: torch.Tensor, n_codes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Number and sum of the vectors that each code received.

    All that a codebook learns from a batch passes here, and processes that share a batch add these two.

    Parameters
    ----------
    z : Tensor of shape (n, g, d), float32
    codes : Tensor of shape (n, g), int64, in [0, n_codes)
    n_codes : int

    Returns
    -------
    counts : Tensor of shape (g, n_codes), float32
    sums : Tensor of shape (g, n_codes, d), float32
        Non-finite somewhere if z is.
    """
    _, g, d = z.shape
    counts = count_codes(codes, n_codes, g).to(z.dtype)
    sums = z.new_zeros(g * n_codes, d)
    sums.scatter_add_(0, _slots(codes, n_codes)[:, None].expand(-1, d), z.reshape(-1, d))  # twice as fast as index_add_
    sums = sums.view(g, n_codes, d)
    ranks.add(counts, sums)
    return counts, sums


def drift(codebook: torch.Tensor, counts: torch.Tensor, sums: torch.Tensor) -> torch.Tensor:
    """How a codebook as a whole went with the vectors of a batch: what an affine map of it explains of their errors.

    With vectors z and their codebook vectors e, the least-squares fit of z - e by a + (e - ē) A. A is held back by one
    vector for each dimension, of the length that e - ē has on average, that says there is no drift: a batch of few
    vectors then shows little of it in many dimensions. At the means of its vectors a codebook has no drift.

    Parameters
    ----------
    codebook : Tensor of shape (g, n_codes, d), float32
    counts : Tensor of shape (g, n_codes), float32
    sums : Tensor of shape (g, n_codes, d), float32
        Number and sum of the vectors that each code received.

    Returns
    -------
    Tensor of shape (g, n_codes, d), float32
        Of every code, with vectors or without.
    """
    n = counts.sum(dim=1)[:, None, None]
    share = counts[:, :, None] / n
    centred = codebook - (share * codebook).sum(dim=1, keepdim=True)
    errors = sums / n - share * codebook  # (g, n_codes, d), means over the batch
    common = errors.sum(dim=1, keepdim=True)
    transposed = centred.transpose(1, 2)
    covariance = transposed @ (share * centred)  # (g, d, d)
    diagonal = covariance.diagonal(dim1=1, dim2=2)
    diagonal += diagonal.sum(dim=1, keepdim=True) / n[:, 0] + _NO_LENGTH
    return common + centred @ solved(covariance, transposed @ errors)


def solved(matrices: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """X of A X = B, for regular matrices A (g, d, d) and B (g, d, e): (g, d, e).

    Only the processor looks whether they are regular: on other devices the host would wait for the answer.
    """
    if matrices.is_cpu:
        return torch.linalg.solve(matrices, right)
    return torch.linalg.solve_ex(matrices, right).result


def _slots(codes: torch.Tensor, n_codes: int) -> torch.Tensor:
    """Codes (n, g) as indices into the codebooks laid end to end, (n * g,)."""
    offsets = torch.arange(codes.shape[1], device=codes.device) * n_codes
    return (codes + offsets).flatten()


class CodebookQuantizer(Quantizer):
    """Search, lookup, running counts and revival, which all ways of learning a codebook share.

    A way of learning adds `_step`, and `_register` and `_write` where its codebook is made of something else.
    `STEP` is η, the length of a step by gradient where the weight is 1.

    Parameters
    ----------
    n_codes : int
        Size of the codebook, K.
    code_dim : int
        Width of a vector, d.
    n_groups : int, default=1
        1: one codebook for all positions; m: position j of m has its own.
    codebook_weight : float ≥ 0, default=1.0
        How far a batch moves the codebook, w: a batch counts as so many. 0 leaves the codebook as it is.
    decay : float in [0, 1), default=0.99
        Share of the past in running means and counts after a batch, ρ; 0.99 as in [1]_ of the module.
    revival_threshold : float in [0, 1), default=0.1
        Share of the average running count below which `revive` moves a code; 0 never moves one.
    gradient_estimator : {"straight_through", "rotation"}, default="straight_through"
        How the gradient at the vectors goes on to z: see :mod:`~skvq.nn.quantizers.base`.
    follow_rate : float in [0, 1], default=0.0
        Share of its `drift` that the codebook as a whole moves by with each batch. 0.1 keeps codes in use where
        commitment is weak and the learning rate large; 1 would repeat the noise of every batch.
    generator : torch.Generator, optional
        Source of the first codebook, standard normal; by default a private one seeded with 0. A codebook made from data
        comes in through `set_codebook`.

    Attributes
    ----------
    codebook : Tensor of shape (n_groups, n_codes, code_dim), float32
    mass : Tensor of shape (n_groups, n_codes), float32
        Running counts, N.
    """

    STEP = 0.02  # as good as Adam's steps were on digits, wine and Fashion-MNIST
    codebook: torch.Tensor
    mass: torch.Tensor
    idle: torch.Tensor

    def __init__(
        self,
        n_codes: int,
        code_dim: int,
        *,
        n_groups: int = 1,
        codebook_weight: float = 1.0,
        decay: float = 0.99,
        revival_threshold: float = 0.1,
        gradient_estimator: str = "straight_through",
        follow_rate: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if not 0.0 <= codebook_weight < math.inf:
            raise ValueError(f"codebook_weight must be in [0, inf), got {codebook_weight}")
        if not 0.0 <= decay < 1.0:
            raise ValueError(f"decay must be in [0, 1), got {decay}")
        if not 0.0 <= revival_threshold < 1.0:
            raise ValueError(f"revival_threshold must be in [0, 1), got {revival_threshold}")
        if not 0.0 <= follow_rate <= 1.0:
            raise ValueError(f"follow_rate must be in [0, 1], got {follow_rate}")
        self.n_codes = n_codes
        self.code_dim = code_dim
        self.n_groups = n_groups
        self.codebook_weight = codebook_weight
        self.decay = decay
        self.revival_threshold = revival_threshold
        self.follow_rate = follow_rate
        self.estimate = estimator_named(gradient_estimator)
        self.register_buffer("mass", torch.ones(n_groups, n_codes))
        self.register_buffer("idle", torch.zeros(n_groups, n_codes), persistent=False)  # batches without a vector
        generator = default_generator() if generator is None else generator
        self._register(torch.randn(n_groups, n_codes, code_dim, generator=generator))

    def encode(self, z: torch.Tensor) -> torch.Tensor:
        """Nearest codes: z (b, m, d) → codes (b, m), int64, in [0, n_codes)."""
        b, m, _ = z.shape
        return nearest_codes(self.grouped(z), self.codebook).view(b, m)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Codebook vectors: codes (b, m), integer, in [0, n_codes) → (b, m, d), float32."""
        if self.n_groups == 1:
            return F.embedding(codes, self.codebook[0])
        return self.codebook[torch.arange(self.n_groups, device=codes.device), codes]

    def quantize(self, z: torch.Tensor) -> Quantized:
        """Codes, vectors and losses of z (b, m, d), float32; nothing is learned."""
        codes = self.encode(z)
        z_q = self.decode(codes)
        return Quantized(self.estimate(z, z_q), codes, self.losses(z, z_q))

    def losses(self, z: torch.Tensor, z_q: torch.Tensor) -> dict[str, torch.Tensor]:
        """Both terms for vectors and their codebook vectors, (b, m, d) each: means over elements.

        They have the same value. That of the codebook has no gradient, for the codebook moves itself.
        """
        commitment = F.mse_loss(z, z_q.detach())
        return {"codebook": commitment.detach(), "commitment": commitment}

    def count(self, codes: torch.Tensor) -> torch.Tensor:
        """How often each code occurs: codes (b, m) → (n_groups, n_codes), int64."""
        return count_codes(codes, self.n_codes, self.n_groups)

    @torch.no_grad()
    def learn(self, z: torch.Tensor, codes: torch.Tensor, at_most: float = 1.0) -> None:
        """Move the codebook and its running counts by a batch: z (b, m, d) and its codes (b, m).

        Nothing moves if z is not finite, or `codebook_weight` is 0. `at_most` is the largest share of the way to its
        vectors that the codebook goes at once, for codebooks that answer the same errors at the same time; it holds
        back weights above 1 only.
        """
        if self.codebook_weight == 0:
            return
        counts, sums = batch_statistics(self.grouped(z), codes.reshape(-1, self.n_groups), self.n_codes)
        finite = torch.isfinite(sums).all()
        if self.follow_rate > 0:
            rate = 1.0 - self._kept(1.0 - self.follow_rate, at_most)
            self._follow(torch.where(finite, rate * drift(self.codebook, counts, sums), 0.0))
        move(self.mass, torch.lerp(counts, self.mass, self._count_decay(at_most)), finite)
        move(self.idle, torch.where(counts > 0, 0.0, self.idle + 1.0), finite)
        self._step(counts, sums, finite, at_most)

    def start_from(self, z: torch.Tensor, cluster: Cluster) -> None:
        """Set the codebook to what `cluster` makes of the vectors z (b, m, d) of each group."""
        self.set_codebook(cluster(self.grouped(z), self.n_codes))

    @torch.no_grad()
    def set_codebook(self, vectors: torch.Tensor) -> None:
        """Replace the codebook by vectors (n_groups, n_codes, code_dim) and forget all statistics."""
        if vectors.shape != self.codebook.shape:
            raise ValueError(f"vectors must have shape {tuple(self.codebook.shape)}, got {tuple(vectors.shape)}")
        self._write(vectors, slice(None))
        self.mass.fill_(1.0)
        self.idle.zero_()

    @torch.no_grad()
    def revive(self, z: torch.Tensor, generator: torch.Generator) -> int:
        """Move the codes that are hardly used onto encoder vectors of the current batch; how many were moved.

        A code is dead when its running count is below `revival_threshold` times the average of its group, unless it is
        of more use than another one could be: it had a vector in the last 1 / (1 - decay) batches, and if its vectors
        went to its nearest neighbour in the codebook, more would be lost than the average error of a code in the batch.
        So rare codes of outliers stay.

        It takes the place of an encoder vector drawn without replacement, with probability proportional to the distance
        from its nearest code. So a vector that the codebook already holds, such as a blank background, is never drawn;
        a uniform draw would leave copies of it, which no vector is ever given to. The running count becomes the group's
        average, so that the code has time to find its data, and the running sum follows. Does nothing in evaluation
        mode, with a `codebook_weight` of 0, with a non-finite z, or in a group whose vectors are all codebook vectors
        already.

        Parameters
        ----------
        z : Tensor of shape (b, m, d), floating point
            Encoder vectors of the current training batch.
        generator : torch.Generator
            Source of the draw.
        """
        z = self.grouped(z.float())
        average = self.mass.mean(dim=1)
        dead = self.dead_codes()
        if not self.training or self.codebook_weight == 0 or not bool(dead.any()):
            return 0
        distances = (z - self.decode(nearest_codes(z, self.codebook))).norm(dim=2)  # (n, n_groups)
        if not bool(torch.isfinite(distances).all()):
            return 0
        errors = distances.square().sum(dim=0) / self.n_codes  # of an average code
        n_revived = 0
        for group in dead.any(dim=1).nonzero().flatten().tolist():
            slots = dead[group].nonzero().flatten()
            costs, _ = removal_costs(self.codebook[group], self.mass[group], slots)
            recent = self.idle[group, slots] * (1.0 - self.decay) <= 1.0
            slots = slots[~(recent & (costs > errors[group]))]
            rows = weighted_draw(distances[:, group], len(slots), generator)
            if len(rows) > 0:
                self._place(group, slots[: len(rows)], z[rows, group], average[group])
            n_revived += len(rows)
        return n_revived

    def dead_codes(self) -> torch.Tensor:
        """Which codes have hardly any vectors, so that `revive` may move them: (n_groups, n_codes), bool."""
        return self.mass < self.revival_threshold * self.mass.mean(dim=1, keepdim=True)

    def extra_repr(self) -> str:
        """Sizes, for `repr`."""
        return f"n_codes={self.n_codes}, code_dim={self.code_dim}, n_groups={self.n_groups}"

    @abstractmethod
    def _step(self, counts: torch.Tensor, sums: torch.Tensor, finite: torch.Tensor, at_most: float) -> None:
        """Move the codebook by what `batch_statistics` has of a batch, unless that is not finite.

        The running counts have moved, and the codebook has followed its drift.
        """

    def _register(self, codebook: torch.Tensor) -> None:
        """Make (n_groups, n_codes, code_dim) the first codebook."""
        self.register_buffer("codebook", codebook)

    def _kept(self, share: float, at_most: float) -> float:
        """What is left after `codebook_weight` batches where one leaves a share, in [0, 1]: see `learn`."""
        return max(share**self.codebook_weight, min(share, 1.0 - at_most))

    def _count_decay(self, at_most: float) -> float:
        """Share of the past in running counts after a batch."""
        return self.decay

    def _follow(self, movement: torch.Tensor) -> None:
        """Move the whole codebook by (n_groups, n_codes, d)."""
        self._write(self.codebook + movement, slice(None))

    def _place(self, group: int, slots: torch.Tensor, vectors: torch.Tensor, mass: torch.Tensor) -> None:
        self._write(vectors, (group, slots))
        self.mass[group, slots] = mass
        self.idle[group, slots] = 0.0

    def _write(self, vectors: torch.Tensor, index: tuple | slice) -> None:
        """Make vectors the codebook's at an index: all of it, or (group, slots)."""
        self.codebook[index] = vectors

    def grouped(self, z: torch.Tensor) -> torch.Tensor:
        """z (b, m, d) as (n, n_groups, d): all positions in one group, or position j in group j."""
        b, m, d = z.shape
        if d != self.code_dim or (self.n_groups != 1 and m != self.n_groups):
            expected = f"(b, {'m' if self.n_groups == 1 else self.n_groups}, {self.code_dim})"
            raise ValueError(f"z must have shape {expected}, got {tuple(z.shape)}")
        return z.reshape(-1, self.n_groups, d)


def move(state: torch.Tensor, value: torch.Tensor, where: torch.Tensor) -> None:
    """Give a state its new value, in place, where a mask that broadcasts is true."""
    state.copy_(torch.where(where, value, state))


class VectorQuantizer(CodebookQuantizer):
    """A quantiser whose codebook moves by gradient steps on the codebook term.

    e ← (N e + g s) / (N + g n) with g = codebook_weight · η: see :mod:`~skvq.nn.quantizers.vector`.

    Parameters
    ----------
    n_codes, code_dim, n_groups, codebook_weight, decay, revival_threshold, gradient_estimator, follow_rate, generator
        As in :class:`CodebookQuantizer`. `decay` is that of the running counts alone.

    Attributes
    ----------
    codebook : Tensor of shape (n_groups, n_codes, code_dim), float32
    mass : Tensor of shape (n_groups, n_codes), float32
        Running counts, N.
    """

    def _step(self, counts: torch.Tensor, sums: torch.Tensor, finite: torch.Tensor, at_most: float) -> None:
        gain, n = self.codebook_weight * self.STEP, counts[:, :, None]
        movement = gain * (sums - n * self.codebook) / (self.mass[:, :, None] + gain * n / at_most)
        move(self.codebook, self.codebook + movement, finite & (n > 0))


class EMAVectorQuantizer(CodebookQuantizer):
    """A quantiser whose codebook vectors are running means of the vectors given to them.

    With the count n and the sum s of a code's vectors in a batch, and ρ = decay ^ codebook_weight,

        N ← ρ N + (1 - ρ) n,    m ← ρ m + (1 - ρ) s,    e = m / N

    from N = 1 and m = e.

    Parameters
    ----------
    n_codes, code_dim, n_groups, codebook_weight, decay, revival_threshold, gradient_estimator, follow_rate, generator
        As in :class:`CodebookQuantizer`.

    Attributes
    ----------
    codebook : Tensor of shape (n_groups, n_codes, code_dim), float32
    mass : Tensor of shape (n_groups, n_codes), float32
        Running counts, N.
    sums : Tensor of shape (n_groups, n_codes, code_dim), float32
        Running sums, m.
    """

    sums: torch.Tensor

    @torch.no_grad()
    def set_codebook(self, vectors: torch.Tensor) -> None:
        """Replace the codebook by vectors (n_groups, n_codes, code_dim) and forget all statistics."""
        super().set_codebook(vectors)
        self.sums.copy_(self.codebook)

    def _register(self, codebook: torch.Tensor) -> None:
        super()._register(codebook)
        self.register_buffer("sums", codebook.clone())

    def _count_decay(self, at_most: float) -> float:
        return self._kept(self.decay, at_most)

    def _step(self, counts: torch.Tensor, sums: torch.Tensor, finite: torch.Tensor, at_most: float) -> None:
        move(self.sums, torch.lerp(sums, self.sums, self._count_decay(at_most)), finite)
        received = counts[:, :, None] > 0  # without new vectors m / N is e up to rounding, until both fade to zero
        move(self.codebook, self._mean_vectors(), finite & received)

    def _follow(self, movement: torch.Tensor) -> None:
        super()._follow(movement)
        self.sums.add_(movement * self.mass[:, :, None])

    def _mean_vectors(self) -> torch.Tensor:
        return self.sums / self.mass[:, :, None]

    def _place(self, group: int, slots: torch.Tensor, vectors: torch.Tensor, mass: torch.Tensor) -> None:
        super()._place(group, slots, vectors, mass)
        self.sums[group, slots] = vectors * mass

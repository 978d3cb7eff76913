"""Finite scalar quantisation: every dimension of a few is rounded to one of a few levels; no codebook is learned.

Follows Mentzer, Minnen, Agustsson and Tschannen (2023) [1]_. With L levels in a dimension of u,

    f(u) = ½ (L - 1) tanh(u + shift) - offset,    z_q = round(f(u)) / ⌊L / 2⌋,

where offset is ½ for an even L and 0 for an odd one, and shift = atanh(2 offset / (L - 1)), so that u = 0 is level 0.
The levels are -⌊L / 2⌋ ... ⌈L / 2⌉ - 1. The gradient passes the rounding unchanged. There is nothing to collapse, and
there are no terms of the loss beside the reconstruction.

Departures. The paper shrinks f by a thousandth; the rounding needs no such margin, so it is left out. Two levels have
no shift, where it would be infinite. Encoder vectors need not be of unit size: u = (z - centre) / scale, and vectors
come back as base + gain · z_q; these are constants, 0, 1, 0 and 1 as in the paper, until `start_from` measures them.

References
----------
.. [1] F. Mentzer, D. Minnen, E. Agustsson, M. Tschannen, "Finite Scalar Quantization: VQ-VAE Made Simple", ICLR 2024.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations_with_replacement

import torch

from .base import Cluster, Quantized, Quantizer
from .vector import count_codes

_FEWEST_LEVELS = 5  # the paper's section 4: no fewer in any dimension, as far as there are codes for it
_AVERAGE_LEVELS = 6  # round(log_6 n) dimensions are those of all rows of the paper's table
_SPREAD = 3  # of the levels in that table
# Multiples of the standard deviation among which the scale is looked for: for a Gaussian the best of 3, 8 and 64 levels
# are 1.1, 1.7 and 4.
_SCALES = tuple(2.0 ** (step / 8) for step in range(-16, 17))


def levels_for(n_codes: int) -> tuple[int, ...]:
    """Levels per dimension for at most `n_codes` codes, in falling order.

    The paper's rule: about six levels in each of round(log_6 n_codes) dimensions, none with fewer than five. Of the
    levels that differ by no more than three, those are chosen whose product comes closest to `n_codes` from below, so
    that a budget of bits holds; its table for 2^8 to 2^16 is sometimes above. Below 15 codes there is one dimension.

    Parameters
    ----------
    n_codes : int, at least 2

    Examples
    --------
    >>> [levels_for(n) for n in (2, 16, 64, 256)]
    [(2,), (4, 4), (8, 8), (7, 6, 6)]
    >>> levels_for(1024), levels_for(4096), levels_for(65536)
    ((8, 5, 5, 5), (6, 5, 5, 5, 5), (8, 8, 8, 5, 5, 5))
    """
    if n_codes < 2:
        raise ValueError(f"n_codes must be at least 2, got {n_codes}")
    n_dims = max(1, round(math.log(n_codes, _AVERAGE_LEVELS)))
    if n_dims == 1:
        return (n_codes,)
    fewest = _FEWEST_LEVELS if _FEWEST_LEVELS**n_dims <= n_codes else 3
    most = math.ceil(n_codes ** (1 / n_dims)) + _SPREAD
    choices = combinations_with_replacement(range(most, fewest - 1, -1), n_dims)
    fitting = [c for c in choices if c[0] - c[-1] <= _SPREAD and math.prod(c) <= n_codes]
    return max(fitting, key=lambda c: (math.prod(c), c[-1] - c[0]))


class FiniteScalarQuantizer(Quantizer):
    """Rounds each dimension to its levels; a code is the mixed-radix number of these, first dimension fastest.

    With levels (8, 5, 5, 5), z [128, 49, 4] becomes vectors [128, 49, 4] and codes [128, 49] in [0, 1000).

    Parameters
    ----------
    levels : sequence of int, each at least 2
        Levels per dimension; their number is the width of the vectors. `levels_for` chooses them for a number of codes.

    n_groups : int, default=1
        1: the same units for all positions; m: position j of m has its own.

    Attributes
    ----------
    n_codes : int
        Product of the levels.
    code_dim : int
        Number of the levels.
    codebook : Tensor of shape (n_groups, n_codes, code_dim), float32
        All vectors there are, computed when it is read.
    centre, scale, base, gain : Tensor of shape (n_groups, code_dim), float32
        Units of the encoder's vectors: constants of the state.
    """

    sizes: torch.Tensor
    half_width: torch.Tensor
    half_range: torch.Tensor
    offset: torch.Tensor
    shift: torch.Tensor
    radix: torch.Tensor
    centre: torch.Tensor
    scale: torch.Tensor
    base: torch.Tensor
    gain: torch.Tensor

    def __init__(self, levels: Sequence[int], *, n_groups: int = 1) -> None:
        super().__init__()
        levels = tuple(int(level) for level in levels)
        if not levels or min(levels) < 2:
            raise ValueError(f"levels must be one or more integers of at least 2, got {levels}")
        self.levels = levels
        self.n_groups = n_groups
        self.n_codes = math.prod(levels)
        self.code_dim = len(levels)
        sizes = torch.tensor(levels)
        offset = torch.where(sizes % 2 == 0, 0.5, 0.0)
        half_range = (sizes - 1) / 2
        radix = [math.prod(levels[:dim]) for dim in range(len(levels))]
        constants = {
            "sizes": sizes,
            "half_width": sizes // 2,
            "half_range": half_range,
            "offset": offset,
            "shift": torch.where(sizes > 2, torch.atanh(offset / half_range), 0.0),
            "radix": torch.tensor(radix),
        }
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)
        for name in ("centre", "base"):
            self.register_buffer(name, torch.zeros(n_groups, len(levels)))
        for name in ("scale", "gain"):
            self.register_buffer(name, torch.ones(n_groups, len(levels)))

    @property
    def codebook(self) -> torch.Tensor:
        """The vectors of all codes in order, (n_groups, n_codes, code_dim)."""
        codes = torch.arange(self.n_codes, device=self.radix.device)[:, None].expand(-1, self.n_groups)
        return self.decode(codes).transpose(0, 1)

    def encode(self, z: torch.Tensor) -> torch.Tensor:
        """Codes: z (b, m, d) → (b, m), int64; a row with a NaN gets an arbitrary one in range."""
        self._check(z)
        with torch.no_grad(), torch.autocast(z.device.type, enabled=False):
            return self._codes_of(self._bounded(z.float()).round())

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Vectors: codes (b, m), integer, in [0, n_codes) → (b, m, d), float32."""
        if codes.numel() and not 0 <= int(codes.min()) <= int(codes.max()) < self.n_codes:
            raise IndexError(f"codes must be in [0, {self.n_codes}), got {int(codes.min())} to {int(codes.max())}")
        digits = codes[..., None] // self.radix % self.sizes  # (b, m, d)
        return self._vectors_of(digits - self.half_width)

    def quantize(self, z: torch.Tensor) -> Quantized:
        """Codes and vectors of z (b, m, d), float32; no losses."""
        self._check(z)
        bounded = self._bounded(z)
        rounded = bounded.detach().round()
        vectors = self._vectors_of(rounded + (bounded - bounded.detach()))
        return Quantized(vectors, self._codes_of(rounded), {})

    def count(self, codes: torch.Tensor) -> torch.Tensor:
        """How often each code occurs: codes (b, m) → (n_groups, n_codes), int64."""
        return count_codes(codes, self.n_codes, self.n_groups)

    @torch.no_grad()
    def start_from(self, z: torch.Tensor, cluster: Cluster | None = None) -> None:
        """Take the units from a sample z (b, m, d), so that the levels cover it with the least square error.

        Per dimension, the mean lies in the middle of the levels; the scale is the best of some multiples of the
        standard deviation; base and gain are the least-squares line of z over its levels. There is nothing to cluster.
        """
        self._check(z)
        rows = z.float().reshape(-1, self.n_groups, self.code_dim)
        mean, deviation = rows.mean(dim=0), rows.std(dim=0, correction=0)
        least = torch.full_like(self.scale, torch.inf)
        for multiple in _SCALES:
            scale = torch.where(deviation > 0, multiple * deviation, 1.0)
            levels = self._scaled_to_levels((rows - mean) / scale - self.shift).round() / self.half_width
            centred = levels - levels.mean(dim=0)
            variance = centred.square().mean(dim=0)
            gain = torch.where(variance > 0, (centred * (rows - mean)).mean(dim=0) / variance, 1.0)
            error = (rows - mean - gain * centred).square().mean(dim=0)
            base = mean - gain * levels.mean(dim=0)
            found = {"scale": scale, "centre": mean + self.shift * scale, "base": base, "gain": gain}
            for name, value in found.items():
                getattr(self, name).copy_(torch.where(error < least, value, getattr(self, name)))
            least = torch.minimum(least, error)

    def extra_repr(self) -> str:
        """Sizes, for `repr`."""
        return f"levels={self.levels}, n_groups={self.n_groups}"

    def _bounded(self, z: torch.Tensor) -> torch.Tensor:
        return self._scaled_to_levels((z - self.centre) / self.scale)

    def _scaled_to_levels(self, u: torch.Tensor) -> torch.Tensor:
        """f(u) of the module's formula: (..., d), any → between the lowest and the highest level of each dimension."""
        return torch.tanh(u + self.shift) * self.half_range - self.offset

    def _vectors_of(self, rounded: torch.Tensor) -> torch.Tensor:
        return self.base + self.gain * (rounded / self.half_width)

    def _codes_of(self, rounded: torch.Tensor) -> torch.Tensor:
        digits = rounded.nan_to_num(0.0).long() + self.half_width
        return (digits * self.radix).sum(dim=-1)

    def _check(self, z: torch.Tensor) -> None:
        if z.ndim != 3 or z.shape[2] != self.code_dim or (self.n_groups != 1 and z.shape[1] != self.n_groups):
            expected = f"(b, {'m' if self.n_groups == 1 else self.n_groups}, {self.code_dim})"
            raise ValueError(f"z must have shape {expected}, got {tuple(z.shape)}")

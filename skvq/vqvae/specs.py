"""Code specifications: the layout of the codes of a row and the codebooks behind them, one class for each kind.

A specification is decided once, before training, and kept as JSON. It alone knows the shapes, the prefixes and the
codebooks of its kind; everything else asks it.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F

from ..nn.quantizers.cosine import CosineEMAVectorQuantizer, CosineVectorQuantizer
from ..nn.quantizers.finite_scalar import FiniteScalarQuantizer
from ..nn.quantizers.multiscale import MultiScaleQuantizer
from ..nn.quantizers.product import ProductQuantizer
from ..nn.quantizers.projected import ProjectedQuantizer
from ..nn.quantizers.residual import TRAINING_BEAM, ResidualQuantizer
from ..nn.quantizers.simvq import SimVQQuantizer
from ..nn.quantizers.vector import EMAVectorQuantizer, VectorQuantizer
from ..persistence.records import from_json, require

# Most prefixes that a search for residual codes can follow.
LARGEST_BEAM = 4096
# (update, similarity) → the module that searches and learns a codebook that way.
CODEBOOKS = {
    ("ema", "euclidean"): EMAVectorQuantizer,
    ("gradient", "euclidean"): VectorQuantizer,
    ("simvq", "euclidean"): SimVQQuantizer,
    ("ema", "cosine"): CosineEMAVectorQuantizer,
    ("gradient", "cosine"): CosineVectorQuantizer,
}
# Below so many rows for each code of a table, its residual codes are as good as they get at their start: training would
# fit them to the noise of the rows. On half of the diabetes rows, two codes of 256 have a held-out R² of 0.936 at the
# start and of 0.761 after 1,500 steps.
ROWS_PER_CODE = 8


@dataclass(frozen=True)
class CodebookSpec:
    """How a codebook is searched, and how it learns.

    Attributes
    ----------
    update : {"ema", "gradient", "simvq"}
    similarity : {"euclidean", "cosine"}
    gradient_estimator : {"straight_through", "rotation"}
    ema_decay : float in [0, 1)
    revival_threshold : float in [0, 1)
    follow_rate : float in [0, 1]
        Share of its drift that the codebook as a whole moves by with each batch.
    """

    update: Literal["ema", "gradient", "simvq"]
    similarity: Literal["euclidean", "cosine"]
    gradient_estimator: Literal["straight_through", "rotation"]
    ema_decay: float
    revival_threshold: float
    follow_rate: float

    def check(self):
        """Raise ValueError for an update and a similarity that do not go together."""
        require((self.update, self.similarity) in CODEBOOKS, "update and similarity")

    def build(self, n_codes, code_dim, n_groups, generator, codebook_weight):
        """Return the module with `n_groups` codebooks (n_codes, code_dim), drawn from `generator`."""
        return CODEBOOKS[self.update, self.similarity](
            n_codes,
            code_dim,
            n_groups=n_groups,
            codebook_weight=codebook_weight,
            decay=self.ema_decay,
            revival_threshold=self.revival_threshold,
            gradient_estimator=self.gradient_estimator,
            follow_rate=self.follow_rate,
            generator=generator,
        )


@dataclass(frozen=True)
class CodeSpec(ABC):
    """The codes of a row: what all kinds have in common.

    A subclass adds its own fields and says how its module is built; what differs from one code for every position of
    one grid, it overrides.

    Attributes
    ----------
    grid : tuple of int
        Positions: (h, w) for images, (m,) for tables.
    n_positions : int
        Number of vectors that a row is encoded to.
    n_codes : int
        Number of codes in a codebook.
    code_dim : int
        Length of the vector of a position.
    shared_codebook : bool
        Whether all positions share their codebooks.
    """

    kind: ClassVar[str]
    grid: tuple[int] | tuple[int, int]
    n_positions: int
    n_codes: int
    code_dim: int
    shared_codebook: bool

    @abstractmethod
    def build(self, generator, codebook_weight=1.0):
        """Return the quantiser module, its codebooks drawn from `generator`.

        `codebook_weight` says how far a batch moves them in training; it is no part of a fitted model.
        """

    def check(self, n_arrays):
        """Raise ValueError for fields, read from a file of `n_arrays` arrays of weights, that do not go together."""
        require(self.n_positions == math.prod(self.grid), "n_positions and the grid")

    @property
    def is_image(self):
        """Whether the positions are those of an image."""
        return len(self.grid) == 2

    @property
    def stages(self):
        """Number of codes of a position."""
        return 1

    @property
    def splits(self):
        """Number of parts that the vector of a position is cut into, each with a code."""
        return 1

    @property
    def n_groups(self):
        """1 where all positions share their codebooks, the number of positions where each has its own."""
        return 1 if self.shared_codebook else self.n_positions

    @property
    def codes_per_row(self):
        """Number of codes of a row."""
        return self.n_positions * self.stages

    @property
    def code_shape(self):
        """Shape of the codes of a row: (h, w) or (m,), with s behind it where a position has s > 1 codes."""
        if not self.is_image and self.n_positions == 1:
            return (self.stages,)  # all codes of a table's row stand for one vector
        return self.grid if self.stages == 1 else (*self.grid, self.stages)

    @property
    def prior_shape(self):
        """The grid (h, w) that a prior takes the codes of a row for; s codes of a position lie side by side."""
        rows = self.grid[0] if self.is_image else 1
        return rows, self.codes_per_row // rows

    @property
    def grid_shapes(self):
        """The coarse grid and the fine one, None where there is one grid."""
        return None

    @property
    def decodable_widths(self):
        """How many codes of a row can be decoded, in rising order."""
        return (self.codes_per_row,)

    @property
    def side_by_side(self):
        """Number of positions where the module has several codes for each of them, None where it has one."""
        return None

    @property
    def adds_up_to_rows(self):
        """Whether several codes stand for one vector of the whole row, which is the sum of theirs."""
        return False

    def starts_at_its_best(self, n_rows):
        """Return whether so few rows for the codes make training useless."""
        return False

    def with_codes(self, n_codes):
        """Return the same specification with another number of codes."""
        return replace(self, n_codes=n_codes)

    def clustered(self, z):
        """Return the vectors (n, g, d) of encoded rows z (b, m, d) that each codebook starts from; None without one."""
        return z.reshape(-1, self.n_groups * self.splits, z.shape[2] // self.splits)

    def codebooks(self, quantizer):
        """Return the codebooks, ndarray float32: ([positions,] [stages or splits,] n_codes, d), no axis for one."""
        return self._by_position(quantizer.codebook.detach().cpu().numpy()).copy()

    def counts(self, quantizer, codes):
        """Return how often each code of each codebook occurs in codes (n, codes_per_row): int64, like `codebooks`."""
        layout = torch.from_numpy(codes.astype(np.int64))
        if self.side_by_side is not None:
            layout = layout.unflatten(1, (self.side_by_side, -1))
        return self._by_position(quantizer.count(layout).numpy())

    @property
    def codebooks_shape(self):
        """Shape of the array of codebooks."""
        lead = tuple(n for n in (self.n_groups, self.stages) if n > 1)
        return (*lead, self.n_codes, self.code_dim // self.splits)

    def known_codes(self, whole_cells):
        """Return which codes of a row stand for known patches alone, (n, codes_per_row) of bool.

        `whole_cells` tells of a grid (h, w) which of its cells are known to the last pixel, (n, h * w).
        """
        return np.repeat(whole_cells(self.grid), self.stages, axis=1)

    def _by_position(self, per_codebook):
        """Return an array (n_codebooks, ...) as (positions, stages or splits, ...), without the axes of length 1."""
        ordered = self._ordered(per_codebook)  # (positions, stages or splits, ...)
        kept = [n for n in ordered.shape[:2] if n > 1]
        return ordered.reshape(*kept, *ordered.shape[2:])

    def _ordered(self, per_codebook):
        return per_codebook.reshape(self.n_groups, self.stages, *per_codebook.shape[1:])


@dataclass(frozen=True)
class VectorSpec(CodeSpec):
    """One code a position: the nearest vector of a codebook, found in `search_dim` dimensions where that is given."""

    kind = "vector"
    codebook: CodebookSpec
    search_dim: int | None

    def check(self, n_arrays):
        """See :meth:`CodeSpec.check`."""
        super().check(n_arrays)
        self.codebook.check()

    def starts_at_its_best(self, n_rows):
        """Return whether so few rows for the codes of an image, a codebook for each, make training useless."""
        return self.is_image and self.n_groups > 1 and n_rows < ROWS_PER_CODE * self.n_codes

    def build(self, generator, codebook_weight=1.0):
        """Return the quantiser module, its codebooks drawn from `generator`."""
        if self.search_dim is None:
            return self.codebook.build(self.n_codes, self.code_dim, self.n_groups, generator, codebook_weight)
        narrow = self.codebook.build(self.n_codes, self.search_dim, self.n_groups, generator, codebook_weight)
        return ProjectedQuantizer(narrow, self.code_dim, generator=generator)

    def clustered(self, z):
        """See :meth:`CodeSpec.clustered`; vectors of one direction are one to cosine codes."""
        return _directions(super().clustered(z), self.codebook)


@dataclass(frozen=True)
class SeveralCodesSpec(CodeSpec):
    """What residual and product codes share: several codes a position."""

    codebook: CodebookSpec
    codes_per_position: int

    def check(self, n_arrays):
        """See :meth:`CodeSpec.check`; all codes of a table's row may be those of one position."""
        if self.is_image or self.n_positions > 1 or self.codes_per_position != math.prod(self.grid):
            super().check(n_arrays)
        self.codebook.check()

    @property
    def stages(self):
        """Number of codes of a position."""
        return self.codes_per_position

    @property
    def side_by_side(self):
        """Number of positions: the module has several codes for each of them."""
        return self.n_positions


@dataclass(frozen=True)
class ResidualSpec(SeveralCodesSpec):
    """Several codes a position, each for what the ones before it leave; any prefix of them can be decoded."""

    kind = "residual"
    beam_size: int

    def check(self, n_arrays):
        """See :meth:`CodeSpec.check`; a stage has two arrays at least."""
        super().check(n_arrays)
        require(self.codes_per_position <= n_arrays // 2, "codes_per_position and the arrays that there are")
        require(self.codebook.similarity == "euclidean", "residual codes that are compared by angle")

    def build(self, generator, codebook_weight=1.0):
        """Return the quantiser module, its codebooks drawn from `generator`."""
        stages = [
            self.codebook.build(self.n_codes, self.code_dim, self.n_groups, generator, codebook_weight)
            for _ in range(self.codes_per_position)
        ]
        estimator = self.codebook.gradient_estimator
        return ResidualQuantizer(stages, beam_size=self.beam_size, gradient_estimator=estimator)

    @property
    def decodable_widths(self):
        """How many codes of a row can be decoded: those of any number of stages."""
        return tuple(range(self.n_positions, self.codes_per_row + 1, self.n_positions))

    @property
    def adds_up_to_rows(self):
        """See :attr:`CodeSpec.adds_up_to_rows`."""
        return self.n_positions == 1

    def search_of_start(self, n_rows):
        """Return the multiply-adds of a search for the codes of so many rows, with the prefixes that a start keeps."""
        return n_rows * self.codes_per_row * min(self.beam_size, TRAINING_BEAM) * self.n_codes * self.code_dim

    def starts_at_its_best(self, n_rows):
        """Return whether so few rows for the codes of a table make training useless."""
        return not self.is_image and n_rows < ROWS_PER_CODE * self.n_codes

    def _ordered(self, per_codebook):
        # The codebooks of the first stage come first.
        by_stage = per_codebook.reshape(self.codes_per_position, self.n_groups, *per_codebook.shape[1:])
        return by_stage.swapaxes(0, 1)


@dataclass(frozen=True)
class ProductSpec(SeveralCodesSpec):
    """Several codes a position, each for a part of its vector."""

    kind = "product"

    def check(self, n_arrays):
        """See :meth:`CodeSpec.check`."""
        super().check(n_arrays)
        require(self.code_dim % self.codes_per_position == 0, "code_dim and codes_per_position")

    def build(self, generator, codebook_weight=1.0):
        """Return the quantiser module, its codebooks drawn from `generator`."""
        inner = self.codebook.build(
            self.n_codes, self.code_dim // self.splits, self.n_groups * self.splits, generator, codebook_weight
        )
        return ProductQuantizer(inner, self.splits)

    @property
    def splits(self):
        """Number of parts of a vector: its number of codes."""
        return self.codes_per_position

    def clustered(self, z):
        """See :meth:`CodeSpec.clustered`; vectors of one direction are one to cosine codes."""
        return _directions(super().clustered(z), self.codebook)


@dataclass(frozen=True)
class FiniteScalarSpec(CodeSpec):
    """One code a position: every dimension is rounded to one of its levels; no codebook is learned."""

    kind = "finite_scalar"
    levels: tuple[int, ...]

    def check(self, n_arrays):
        """See :meth:`CodeSpec.check`."""
        super().check(n_arrays)
        require(len(self.levels) == self.code_dim and math.prod(self.levels) == self.n_codes, "levels and n_codes")

    def build(self, generator, codebook_weight=1.0):
        """Return the quantiser module; nothing is drawn."""
        return FiniteScalarQuantizer(self.levels, n_groups=self.n_groups)

    def clustered(self, z):
        """Return None: there is no codebook to start."""
        return


@dataclass(frozen=True)
class TwoGridSpec(CodeSpec):
    """Codes on a coarse grid, and on a fine grid for what these leave, with a codebook each; the coarse ones first."""

    kind = "two_grids"
    codebook: CodebookSpec
    coarse_grid: tuple[int, int]

    def check(self, n_arrays):
        """See :meth:`CodeSpec.check`."""
        super().check(n_arrays)
        self.codebook.check()
        require(self.codebook.similarity == "euclidean", "two grids of codes that are compared by angle")
        require(self.shared_codebook, "two grids that share no codebook")

    def build(self, generator, codebook_weight=1.0):
        """Return the quantiser module, its codebooks drawn from `generator`."""
        levels = [self.codebook.build(self.n_codes, self.code_dim, 1, generator, codebook_weight) for _ in range(2)]
        grids = self.coarse_grid, self.grid
        return MultiScaleQuantizer(levels, grids, gradient_estimator=self.codebook.gradient_estimator)

    @property
    def n_coarse(self):
        """Number of coarse codes of a row."""
        return math.prod(self.coarse_grid)

    @property
    def codes_per_row(self):
        """Number of codes of a row, on both grids."""
        return self.n_coarse + self.n_positions

    @property
    def grid_shapes(self):
        """The coarse grid and the fine one."""
        return self.coarse_grid, self.grid

    @property
    def code_shape(self):
        """The coarse grid and the fine one."""
        return self.grid_shapes

    @property
    def prior_shape(self):
        """One row of all codes."""
        return 1, self.codes_per_row

    @property
    def decodable_widths(self):
        """How many codes of a row can be decoded: the coarse ones, or all."""
        return self.n_coarse, self.codes_per_row

    @property
    def codebooks_shape(self):
        """Shape of the array of codebooks."""
        return 2, self.n_codes, self.code_dim

    def known_codes(self, whole_cells):
        """See :meth:`CodeSpec.known_codes`."""
        return np.hstack([whole_cells(self.coarse_grid), whole_cells(self.grid)])

    def _by_position(self, per_codebook):
        return per_codebook


def _directions(vectors, codebook):
    return F.normalize(vectors, dim=-1).round(decimals=5) if codebook.similarity == "cosine" else vectors


SPECS = {spec.kind: spec for spec in (VectorSpec, ResidualSpec, ProductSpec, FiniteScalarSpec, TwoGridSpec)}


def spec_from_json(data, *limits):
    """Return the specification that `to_json` made the dict from, within the limits of `from_json`."""
    return from_json(SPECS[data["kind"]], {name: value for name, value in data.items() if name != "kind"}, *limits)

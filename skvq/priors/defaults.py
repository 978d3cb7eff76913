"""Parameters of the models of grids: their ranges, the values that "auto" stands for, and the sizes that follow."""

import math
from dataclasses import asdict, dataclass
from numbers import Integral

from ..core.estimator import GROWTH, Budget, epochs_for
from ..core.inference import ROW_BLOCK
from ..core.parameters import (
    AUTO,
    COUNT,
    DRAWS,
    FRACTION,
    POSITIVE_INTEGER,
    TRAINING,
    Number,
    Sizes,
    StrOptions,
    as_sizes,
    check_memory,
    is_auto,
    training_bytes,
)
from ..nn.grids.clusters import ClusteredGrids
from ..nn.grids.levels import TwoLevelPixelCNN
from ..nn.grids.pixelcnn import GatedPixelCNN
from ..nn.grids.transformer import CausalGridTransformer
from ..nn.nade import ColumnCodes, OrderlessNetwork
from ..persistence.records import from_json
from .columns import n_distinct_orders

# From this many rows on a model underfits within its budget rather than overfits.
MANY_ROWS = 10_000
# Fewer grids than so many are not clustered.
FEWEST_CLUSTERED = 100
# Grids that are sampled or scored together; fewer where they would need more than so many floats at a time.
SAMPLE_BATCH, SCORE_BATCH, BATCH_VALUES = 1024, 512, 2**25


class OddNumber(Number):
    """Constraint for positive odd integers."""

    def __init__(self):
        super().__init__(Integral, 1, None, closed="left")

    def is_satisfied_by(self, val):
        """Return whether a value is a positive odd integer."""
        return super().is_satisfied_by(val) and val % 2 == 1

    def __str__(self):
        """Return what is accepted, for the message of an error."""
        return "a positive odd integer"


GRIDS = TRAINING | {
    "n_codes": [None, POSITIVE_INTEGER],
    "grid_shape": "no_validation",  # its message says more: `core.layout.check_image_shape`
    "class_conditional": ["boolean"],
    "dropout": [AUTO, FRACTION],
}
CLUSTERS = {"n_clusters": [AUTO, COUNT]}
STACKS = GRIDS | {
    "channels": [POSITIVE_INTEGER],
    "n_layers": [COUNT],
    "kernel_size": [OddNumber()],
    "dilations": [Sizes(at_least=1)],
}
TRANSFORMER = GRIDS | {"d_model": [POSITIVE_INTEGER], "n_layers": [COUNT], "n_heads": [POSITIVE_INTEGER]}

NADE = TRAINING | {
    "n_bins": [AUTO, POSITIVE_INTEGER],
    "n_units": [AUTO, POSITIVE_INTEGER],
    "n_blocks": [COUNT],
    "dropout": [AUTO, FRACTION],
    "n_orders": [POSITIVE_INTEGER],
    "n_iter_no_change": [AUTO, None, POSITIVE_INTEGER],
    "categorical_features": "no_validation",  # its messages say more: `core.tables.columns`
    "handle_unknown": [StrOptions({"error", "ignore"})],
}
# Arguments of what completes rows.
COMPLETION = DRAWS | {"n_draws": [POSITIVE_INTEGER], "strategy": [StrOptions({"draw", "mean"})]}


@dataclass(frozen=True)
class GridSizes:
    """What the network of a model of grids is built from: what all have in common.

    A subclass adds its own sizes, builds the network, and bounds how many grids go through it together.

    Attributes
    ----------
    n_codes : int
    grid_shape : tuple of int (h, w)
    condition_size : int
        Number of classes; 0 without.
    dropout : float
    n_clusters : int
        Number of clusters of whole grids; 0 without.
    code_dim, n_books : int
        Length of the vectors of codebooks, 0 where they are not known, and the number of codebooks.
    """

    n_codes: int
    grid_shape: tuple[int, int]
    condition_size: int
    dropout: float
    n_clusters: int
    code_dim: int
    n_books: int

    @classmethod
    def from_json(cls, data, *limits):
        """Return the sizes that `to_json` made the dict from, within the limits of `from_json`.

        Files of version 0.1.0 know neither clusters nor vectors of codes.
        """
        return from_json(cls, {"n_clusters": 0, "code_dim": 0, "n_books": 1} | data, *limits)

    @property
    def n_positions(self):
        """Number of codes of a grid."""
        return math.prod(self.grid_shape)

    def build(self, generator):
        """Return the network, with weights drawn from `generator`."""
        if self.n_clusters == 0:
            return self._network(asdict(self), generator)
        within = self._network(asdict(self) | {"condition_size": self.n_clusters}, generator)
        return ClusteredGrids(within, self.n_clusters)

    def per_sample(self):
        """Return how many grids are sampled together: logits and what is cached are bounded."""
        return max(1, min(SAMPLE_BATCH, BATCH_VALUES // (4 * self.n_codes + self._cached_values())))

    def per_score(self):
        """Return how many grids are scored together, a multiple of ROW_BLOCK: logits and features are bounded."""
        values = self.n_positions * (2 * self.n_codes + self._feature_values())
        return max(ROW_BLOCK, min(SCORE_BATCH, BATCH_VALUES // values // ROW_BLOCK * ROW_BLOCK))


@dataclass(frozen=True)
class PixelCNNSizes(GridSizes):
    """Sizes of a gated PixelCNN.

    Examples
    --------
    >>> common = {"condition_size": 0, "dropout": 0.0, "n_clusters": 0, "code_dim": 0, "n_books": 1}
    >>> sizes = common | {"channels": 64, "n_layers": 2, "kernel_size": 3, "dilations": (1,)}
    >>> [PixelCNNSizes(n_codes, (7, 7), **sizes).per_sample() for n_codes in (256, 65_536)]
    [1024, 122]
    >>> [PixelCNNSizes(256, grid_shape, **sizes).per_score() for grid_shape in ((7, 7), (28, 28))]
    [512, 32]
    """

    channels: int
    n_layers: int
    kernel_size: int
    dilations: tuple[int, ...]

    def _network(self, sizes, generator):
        del sizes["n_clusters"]
        return GatedPixelCNN(**sizes, generator=generator)

    def _cached_values(self):
        window = self.kernel_size * (self.kernel_size // 2 + 1)
        return self.grid_shape[1] * self.n_layers * self.channels * 2 * window

    def _feature_values(self):
        return 3 * (self.n_layers + 1) * self.channels


@dataclass(frozen=True)
class TwoLevelSizes(PixelCNNSizes):
    """Sizes of two gated PixelCNNs: of a coarse grid, and of a fine grid given it.

    `grid_shape` is one row of all codes.
    """

    grid_shapes: tuple[tuple[int, int], tuple[int, int]]

    def _network(self, sizes, generator):
        for name in ("grid_shape", "n_clusters", "n_books"):
            del sizes[name]
        return TwoLevelPixelCNN(**sizes, generator=generator)

    def _cached_values(self):
        levels = (PixelCNNSizes(**self._of_level(shape)) for shape in self.grid_shapes)
        return max(level._cached_values() for level in levels)

    def _of_level(self, grid_shape):
        sizes = asdict(self) | {"grid_shape": grid_shape}
        del sizes["grid_shapes"]
        return sizes


@dataclass(frozen=True)
class TransformerSizes(GridSizes):
    """Sizes of a causal transformer.

    Examples
    --------
    >>> common = {"condition_size": 0, "dropout": 0.0, "n_clusters": 0, "code_dim": 0, "n_books": 1}
    >>> sizes = common | {"d_model": 64, "n_layers": 2, "n_heads": 4}
    >>> models = [TransformerSizes(256, grid_shape, **sizes) for grid_shape in ((7, 7), (28, 28))]
    >>> [model.per_sample() for model in models], [model.per_score() for model in models]
    ([1024, 166], [512, 32])
    """

    d_model: int
    n_layers: int
    n_heads: int

    def _network(self, sizes, generator):
        del sizes["n_clusters"]
        return CausalGridTransformer(**sizes, generator=generator)

    def _cached_values(self):
        return 2 * self.n_positions * self.n_layers * self.d_model

    def _feature_values(self):
        return 8 * self.d_model


def check_stacks(estimator, n_codes, n_positions):
    """Raise ValueError, naming the parameter, for sizes of gated stacks that no memory holds."""

    def needs(channels, n_layers, kernel_size, dilations, n_codes):
        kernel = kernel_size // 2 + 1  # of a grid of one row
        weights = n_layers * (2 * kernel * channels**2 + channels**2) + (n_codes + n_positions) * channels
        return training_bytes(weights + n_positions * n_codes, n_layers) + 8 * len(dilations)

    check_memory(
        needs,
        channels=int(estimator.channels),
        n_layers=int(estimator.n_layers),
        kernel_size=int(estimator.kernel_size),
        dilations=as_sizes(estimator.dilations),
        n_codes=n_codes,
    )


def check_columns(estimator, n_columns):
    """Raise ValueError, naming the parameter, for sizes of an OrderlessNADE that no memory holds."""

    def needs(n_units=1, n_bins=1, n_blocks=0, n_orders=1):
        weights = 2 * n_blocks * n_units**2 + n_units * n_columns + n_bins * n_columns
        return training_bytes(weights, n_blocks) + 8 * n_distinct_orders(n_columns, n_orders) * n_columns

    names = ("n_units", "n_bins", "n_blocks", "n_orders")
    check_memory(
        needs, **{name: int(getattr(estimator, name)) for name in names if not is_auto(getattr(estimator, name))}
    )


def automatic_clusters(n_rows):
    """Return the number of clusters of so many training grids: one for every 60, from 8 to 64; none below 100.

    Examples
    --------
    >>> [automatic_clusters(n) for n in (50, 300, 1_200, 60_000)]
    [0, 8, 20, 64]
    """
    return 0 if n_rows < FEWEST_CLUSTERED else max(8, min(64, n_rows // 60))


def automatic_dropout(n_rows, *, few=0.4):
    """Return the dropout that "auto" stands for: `few` while rows are few, none once there are many.

    Examples
    --------
    >>> automatic_dropout(1_000), automatic_dropout(60_000)
    (0.4, 0.0)
    """
    return few if n_rows < MANY_ROWS else 0.0


def automatic_training(n_rows, *, learning_rates=(4e-3, 4e-3), bfloat16_pays=False):
    """Return the Budget: few rows get 20 to 60 epochs, many 300,000 rows in all, but two epochs at least.

    Parameters
    ----------
    n_rows : int
        Training rows.
    learning_rates : pair of float
        For few rows and for many.
    bfloat16_pays : bool
        Whether training many rows in bfloat16 is faster.

    Examples
    --------
    >>> [automatic_training(n).max_iter for n in (100, 1_000, 5_000, 60_000, 1_000_000)]
    [60, 30, 20, 5, 2]
    """
    few = n_rows < MANY_ROWS
    return Budget(
        max_iter=min(60, max(20, 30_000 // n_rows)) if few else max(2, epochs_for(300_000, n_rows, n_rows)),
        batch_size=32 if n_rows < 500 else 64,
        learning_rate_init=learning_rates[0 if few else 1],
        bfloat16_pays=bfloat16_pays and not few,
    )


def transformer_training(n_rows):
    """Return the Budget of a causal transformer, whose blocks Muon moves: few rows get 16 to 60 epochs, many 180,000
    rows in all, but two epochs at least, in bfloat16 where that pays.

    Examples
    --------
    >>> [transformer_training(n).max_iter for n in (100, 1_000, 5_000, 60_000, 1_000_000)]
    [60, 16, 16, 3, 2]
    """
    few = n_rows < MANY_ROWS
    epochs = min(60, max(16, 10_000 // n_rows)) if few else max(2, epochs_for(180_000, n_rows, n_rows))
    return Budget(epochs, 32 if n_rows < 500 else 64, 4e-3, bfloat16_pays=True)


@dataclass(frozen=True)
class NADESizes:
    """What an OrderlessNetwork is built from: see there, and ColumnCodes.

    Attributes
    ----------
    n_coarse, n_fine : tuple of int, one for each column
    is_number : tuple of bool
    n_blocks, n_bins, n_units, degree : int
    dropout : float
    free_codes : bool
    copula : bool, default=False
        Whether the network starts from a Gaussian copula of the columns. Older files of version 0.1.0 do not tell.
    levels, atoms : tuple of (int, int), default=()
        Levels of categories, and values of numbers, that have scores in the copula: the column and the coarse code of
        each. Older files do not tell.
    """

    n_coarse: tuple[int, ...]
    n_fine: tuple[int, ...]
    is_number: tuple[bool, ...]
    n_blocks: int
    n_bins: int
    n_units: int
    degree: int
    dropout: float
    free_codes: bool
    copula: bool = False
    levels: tuple[tuple[int, int], ...] = ()
    atoms: tuple[tuple[int, int], ...] = ()

    @property
    def codes(self):
        """The codes of the columns."""
        return ColumnCodes(self.n_coarse, self.n_fine, self.is_number)

    def build(self, generator):
        """Return the network, with weights drawn from `generator`."""
        return OrderlessNetwork(
            self.codes,
            width=self.n_units,
            n_blocks=self.n_blocks,
            embedding_dim=EMBEDDING_DIM,
            degree=self.degree,
            free_codes=self.free_codes,
            copula=self.copula,
            levels=self.levels,
            atoms=self.atoms,
            dropout=self.dropout,
            generator=generator,
        )


# Rows of a table below which an orderless network overfits more than it learns, unless it is small and smooth.
FEW_TABLE_ROWS = 2_000
# Length of the vector that stands for a known code of a column.
EMBEDDING_DIM = 16


def automatic_nade(n_rows):
    """Return the sizes that "auto" stands for in an OrderlessNADE of so many rows, and what goes with them."""
    if n_rows < FEW_TABLE_ROWS:
        return {"n_bins": 16, "n_units": 128, "degree": 4, "dropout": 0.3, "free_codes": False}
    return {
        "n_bins": 32,
        "n_units": 256,
        "degree": 8,
        "dropout": 0.1 if n_rows < MANY_ROWS else 0.0,
        "free_codes": True,
    }


# Steps of an OrderlessNADE of fewer rows than these, and of fewer than `MANY_ROWS`.
FEWEST_TABLE_ROWS, FEWEST_STEPS, FEW_STEPS = 500, 1_000, 1_500


def nade_training(n_rows):
    """Return the Budget of an OrderlessNADE: 1,000 steps below 500 rows, then 1,500, in batches of 64 rows; of 128 from
    2,000 rows on; 3,000 steps of 256 from 10,000 on, half more for every tenfold beyond 20,000, in bfloat16 where that
    pays.

    Examples
    --------
    >>> [nade_training(n).max_iter for n in (100, 1_000, 5_000, 20_000, 1_000_000)]
    [500, 93, 37, 37, 1.42013]
    """
    n_steps = FEWEST_STEPS if n_rows < FEWEST_TABLE_ROWS else FEW_STEPS
    batch_size, rate = (64, 1e-3) if n_rows < FEW_TABLE_ROWS else (128, 2e-3)
    if n_rows >= MANY_ROWS:
        n_steps, batch_size = 3_000, 256
    epochs = epochs_for(n_steps, math.ceil(n_rows / batch_size), n_rows, growth=GROWTH)
    return Budget(epochs, batch_size, rate, bfloat16_pays=n_rows >= MANY_ROWS)

"""Parameters of a VQ-VAE: their ranges, the combinations that are allowed, and the values of "auto"."""

import math
import numbers
from dataclasses import dataclass
from typing import Any

from ..core.estimator import GROWTH, WHOLE_EPOCHS_ROWS, Budget, epochs_for
from ..core.parameters import (
    AUTO,
    LOSS_WEIGHT,
    POSITIVE_INTEGER,
    ROWS,
    HasMethods,
    StrOptions,
    as_sizes,
    check_memory,
    dense_weights,
    grid_weights,
    is_auto,
    training_bytes,
)
from ..nn.images import automatic_grid
from ..nn.series import automatic_positions
from ..persistence.records import from_json
from ..training.batches import evenly_spaced
from .codes import KINDS, Codes, LearnedCodes, Request, ResidualCodes, VectorCodes
from .specs import ROWS_PER_CODE, CodeSpec, spec_from_json

# Bits of a code where a budget of bits is given: of a table, and of each residual code of an image; and bits that a
# position of an image gets at least before the grid is made coarser.
TABLE_BITS, MANY_ROWS_BITS, STAGE_BITS, LEAST_POSITION_BITS = 4, 8, 8, 6
# A position has a codebook of its own from so many training images for each of its codes on.
IMAGES_OF_AN_OWN_CODE = 100
# A codebook as objects of Python, at least.
BYTES_PER_CODEBOOK = 5_000
# Bits that a value of a row has use for.
MOST_VALUE_BITS = 8
# Rows of a table from which on its codes get MANY_ROWS_BITS.
MANY_ROWS = 1_000
# Below this many training rows a network beside the linear path of a table overfits more than it learns.
FEWEST_ROWS_FOR_A_NETWORK = 500
NETWORK_SIZES = (256, 256)
# Positions that a step of images takes, and the steps that they get at least; with augmentation so many for each image,
# up to so many in all: more steps on a hundred images take three times as long for R² -0.02 to +0.005
# (`benchmarks/few_images.py`).
STEP_POSITIONS, LEAST_STEPS, STEPS_OF_AN_IMAGE, AUGMENTED_STEPS = 1_568, 300, 8, 2_000
# Epochs of a table that has few rows for its residual codes, without and with a network, and of images that have few
# for codebooks of their own.
FEW_EPOCHS, FEW_EPOCHS_OF_A_NETWORK, FEW_EPOCHS_OF_IMAGES = 3, 10, 1
# Steps and learning rate where a table has no network: of residual codes, which start near their best, and of others.
# At the rate of the others, residual codes of wide tables end worse than they started: with 16 codes R² 0.63 in place
# of 0.67 on 294 series of 427 steps, and with 64 codes 0.985 in place of 0.992 on 133 series of 150 steps.
OF_RESIDUAL_CODES, OF_OTHER_CODES = (100, 5e-4), (300, 5e-3)
# Learning rate of a table that has a network and few rows for its residual codes. With 20 epochs at 0.002 codes of 256
# took nearly twice the time on seven tables of 768 to 2,236 rows, and had an R² of other rows that was up to 0.004
# lower, on digits, or up to 0.0014 higher, on 1,346 rows of 56 columns (`cells`).
OF_FEW_ROWS = 5e-4
# Steps of a table that has a network, at least; its epochs where these are more; and the rows up to which a step takes
# 64. With 18,000 rows 4,000 steps of 256 at half the rate take two to three and a half times as long, for up to 14 %
# less error (`benchmarks/long_tables.py`).
LEAST_STEPS_OF_A_TABLE, EPOCHS_OF_A_TABLE, SHORT_STEPS_ROWS = 750, 12, 2_500
# Learning rate of images that have few for codebooks of their own. With 64 codes for each of 16 positions 300 digits
# have R² 0.9399 of other digits with it, 0.9401 as they start, and 0.9351 at the rate of more images.
OF_FEW_IMAGES = 2e-4
# Share of the variation of pixels that the mean image explains from which on images count as aligned, and the images,
# and values, that this is judged by.
ALIGNED_SHARE, ALIGNMENT_ROWS, ALIGNMENT_VALUES = 0.1, 1000, 10_000_000
# Aligned images from which on maps over their positions gain more than they overfit.
ENOUGH_TO_MIX_POSITIONS = 20_000
# Images of more values get codes of patches; with a bit for each value at most, images of so many more do not: 4,000 of
# 14 × 14 pixels have R² 0.961 by codes of the whole at 160 bits and 0.952 by patches, but 0.986 and 0.990 at 392.
MOST_TINY_VALUES, MOST_VALUES_OF_FEW_BITS = 100, 200
# Kinds of networks.
NETWORKS = ("dense", "aligned", "convolutional")
# The kinds of networks that rows can have, by what they are.
NETWORKS_OF = {"tables": ("dense",), "images": NETWORKS, "series": ("dense", "convolutional")}
PRIOR_NAMES = ("auto", "pixelcnn", "transformer", "nade")
PRIOR_METHODS = ["fit", "sample", "score_samples"]

CONSTRAINTS = ROWS | {
    "n_codes": [AUTO, POSITIVE_INTEGER],
    "code_shape": "no_validation",  # its message says more: `check_code_shape`
    "max_bits": [None, POSITIVE_INTEGER],
    "quantizer": "no_validation",  # its message says more: `check_combinations`
    "codebook_weight": [LOSS_WEIGHT],
    "commitment_weight": [LOSS_WEIGHT],
    "prior": [StrOptions(set(PRIOR_NAMES)), HasMethods(PRIOR_METHODS), None],
    "input_noise": [AUTO, LOSS_WEIGHT],
    "n_iter_no_change": [AUTO, None, POSITIVE_INTEGER],
    "network": [StrOptions({"auto", *NETWORKS})],
    "augment": [AUTO, "boolean"],
}


@dataclass(frozen=True)
class Architecture:
    """What the network of a VQ-VAE is built from.

    Attributes
    ----------
    row_shape : tuple of int
        (H, W, C) for images, (1, length, C) for series, (n_features,) for tables.
    codes : CodeSpec
    channels, n_blocks : int or None
        Width and depth of convolutional networks: of images, and of series.
    hidden_layer_sizes : tuple of int or None
        Of dense networks: of tables, and of whole images and series.
    mixes_positions : bool
        Whether the networks of images have maps over all positions.
    """

    row_shape: tuple[int, ...]
    codes: CodeSpec
    channels: int | None = None
    n_blocks: int | None = None
    hidden_layer_sizes: tuple[int, ...] | None = None
    mixes_positions: bool = True

    @property
    def network(self):
        """The kind of the networks, one of `NETWORKS`."""
        if self.hidden_layer_sizes is not None:
            return "dense"
        return "aligned" if self.mixes_positions else "convolutional"

    @property
    def is_convolutional(self):
        """Whether the positions are places in a row, not parts of the whole of it."""
        return self.hidden_layer_sizes is None

    @classmethod
    def from_json(cls, data, *limits):
        """Return the architecture that `to_json` made the dict from, within the limits of `from_json`."""
        others = {"mixes_positions": True} | {name: value for name, value in data.items() if name != "codes"}
        return cls(**vars(from_json(_Sizes, others, *limits)), codes=spec_from_json(data["codes"], *limits))


@dataclass(frozen=True)
class Arrangement:
    """What "auto" stands for in the parameters of codes and networks.

    Attributes
    ----------
    network : {"dense", "aligned", "convolutional"}
    asked : VQVAETransformer
        The estimator, or a copy whose parameters say which codes were chosen.
    width : int or None
        Bits of a code of whole rows within a budget of bits; None for the usual ones.
    """

    network: str
    asked: Any
    width: int | None = None


@dataclass(frozen=True)
class _Sizes:
    """An architecture without its codes."""

    row_shape: tuple[int, ...]
    channels: int | None = None
    n_blocks: int | None = None
    hidden_layer_sizes: tuple[int, ...] | None = None
    mixes_positions: bool = True


def check_combinations(estimator):
    """Raise ValueError for parameters of a VQ-VAE that do not go together, and for no kind of codes; TypeError for a
    class of them."""
    if isinstance(estimator.quantizer, type):
        name = estimator.quantizer.__name__
        raise TypeError(f"quantizer={name} is a class; pass an instance, quantizer={name}()")
    if isinstance(estimator.quantizer, Codes):
        estimator.quantizer.check()
    elif not isinstance(estimator.quantizer, str) or estimator.quantizer not in ("auto", *KINDS):
        names = ", ".join(map(repr, ("auto", *KINDS)))
        kinds = ", ".join(f"{kind.__name__}()" for kind in KINDS.values())
        raise ValueError(
            f"The 'quantizer' parameter of {type(estimator).__name__} must be one of {names}, or an instance such as "
            f"{kinds}. Got {estimator.quantizer!r} instead."
        )
    decided = [name for name in ("code_shape", "n_codes") if not is_auto(getattr(estimator, name))]
    if estimator.max_bits is not None and decided:
        raise ValueError(
            f"max_bits={estimator.max_bits} decides code_shape and n_codes; leave "
            f"{decided[0]}={getattr(estimator, decided[0])!r} at 'auto', or max_bits at None"
        )
    codes_per_position = getattr(estimator.quantizer, "codes_per_position", "auto")
    if estimator.max_bits is not None and not is_auto(codes_per_position):
        raise ValueError(
            f"max_bits={estimator.max_bits} decides how many codes a position has; leave "
            f"codes_per_position={codes_per_position!r} of the quantizer at 'auto', or max_bits at None"
        )
    for name in () if has_codebook(estimator.quantizer) else ("codebook_weight", "commitment_weight"):
        if getattr(estimator, name) != 1.0:
            raise ValueError(
                f"{name}={getattr(estimator, name)!r} has no effect on codes without a codebook; leave it at 1.0, or "
                "pass another kind of codes as quantizer"
            )


def has_codebook(quantizer):
    """Return whether the codes that the parameter `quantizer` stands for have a codebook."""
    return (KINDS.get(quantizer, LearnedCodes) if isinstance(quantizer, str) else quantizer).has_codebook


def automatic_code_shape(row_shape, is_series=False):
    """Return the grid of codes for rows of `row_shape`, (H, W, C), (1, length, C) of series, or (n_features,).

    An image gets a cell for every s × s pixels, where s from 2 to 8 is the power of two that brings its shorter side
    nearest to 7 cells. A table gets one position for every four columns, from 2 to 16. A series gets about √length
    positions (:func:`~skvq.nn.series.automatic_positions`).

    Examples
    --------
    >>> automatic_code_shape((28, 28, 1)), automatic_code_shape((13,)), automatic_code_shape((784,))
    ((7, 7), (4,), (16,))
    >>> automatic_code_shape((1, 150, 1), is_series=True)
    (19,)
    """
    if is_series:
        return (automatic_positions(row_shape[1]),)
    if len(row_shape) == 3:
        return automatic_grid(row_shape)
    n_features = row_shape[0]
    return (min(n_features, max(2, min(16, math.ceil(n_features / 4)))),)


def are_aligned(rows):
    """Return whether images are aligned, as centred digits and cut out faces are: whether places mean something.

    They are where the mean image explains a tenth of the variation of pixels around their overall mean, or more: 48 %
    of scikit-learn's digits, 30 % of Fashion-MNIST, nothing of tiles of photographs. What it explains by chance is
    taken off.

    Parameters
    ----------
    rows : Rows
        Images (H, W, C); some of them, evenly spaced, are looked at.
    """
    n = min(len(rows), ALIGNMENT_ROWS, max(2, ALIGNMENT_VALUES // math.prod(rows.shape)))
    if n < 2:
        return True
    images = rows.take(evenly_spaced(len(rows), n))
    overall = float((images - images.mean(dim=(0, 1, 2))).square().mean())
    around_mean_image = float((images - images.mean(dim=0)).square().mean()) * n / (n - 1)
    return around_mean_image <= (1 - ALIGNED_SHARE) * overall


def network_of_patches(rows, aligned):
    """Return the kind of network that images get whose codes stand for patches."""
    return "aligned" if aligned and len(rows) >= ENOUGH_TO_MIX_POSITIONS else "convolutional"


def usual_network(estimator, rows, aligned):
    """Return the kind of network that rows get, None where it is tried: of series, and of tiny aligned images.

    `aligned` is None for series and tables. Images are tried with codes of several kinds, so nothing about these may be
    given.
    """
    if not is_auto(estimator.network):
        return estimator.network
    if len(rows.shape) == 1:
        return "dense"
    if aligned is None:
        return None
    given = [name for name in ("n_codes", "code_shape", "quantizer") if not is_auto(getattr(estimator, name))]
    n_values = math.prod(rows.shape)
    has_few_bits = estimator.max_bits is not None and estimator.max_bits <= n_values
    is_tiny = n_values <= (MOST_VALUES_OF_FEW_BITS if has_few_bits else MOST_TINY_VALUES)
    is_tried = aligned and is_tiny and len(rows) >= FEWEST_ROWS_FOR_A_NETWORK
    return None if is_tried and not given else network_of_patches(rows, aligned)


def check_network(network, rows_are):
    """Raise ValueError for a kind of network that tables, images or series (`rows_are`) do not have."""
    if not is_auto(network) and network not in NETWORKS_OF[rows_are]:
        accepted = " or ".join(map(repr, NETWORKS_OF[rows_are]))
        raise ValueError(f"network={network!r} is not for {rows_are}; pass 'auto' or {accepted}")


def automatic_training(row_shape, n_rows, *, kind="residual", few_rows=False, augments=False, n_positions=49):
    """Return the Budget where the parameters of training are "auto".

    Images get 300,000 rows in all, but no more than 20 epochs, unless these are fewer than 300 steps, or where they are
    augmented eight steps for each image, up to 2,000; with `few_rows` for their codes one epoch. A step takes 1,568
    positions, and from 8 to 32 images. A table gets 100 steps of 64 rows for residual codes and 300 for another `kind`,
    from 500 rows on, where it has a network, 750, or 12 epochs where these are more; a step grows to 128 rows from
    2,500 to 20,000 rows; and every tenfold beyond adds half of the steps of 20,000. With `few_rows` for its codes it
    gets three epochs, and ten where it has a network. Images get at least one epoch.

    Examples
    --------
    >>> [automatic_training((28, 28, 1), n).max_iter for n in (30, 1_000, 60_000, 1_000_000)]
    [300, 20, 5, 1]
    >>> [automatic_training((32, 32, 3), n, augments=True).max_iter for n in (30, 100, 1_000)]
    [300, 200, 62]
    >>> [automatic_training((20,), n).max_iter for n in (30, 178, 1_797, 10_000, 100_000, 10_000_000)]
    [100, 33, 25, 12, 3.25119, 0.0566583]
    >>> automatic_training((20,), 178, few_rows=True).max_iter
    3
    """
    if len(row_shape) == 3:
        batch_size = max(8, min(32, STEP_POSITIONS // n_positions))
        least = max(LEAST_STEPS, min(AUGMENTED_STEPS, STEPS_OF_AN_IMAGE * n_rows)) if augments else LEAST_STEPS
        usual = epochs_for(300_000, n_rows, n_rows)
        epochs = max(1, min(20, usual), round(least / math.ceil(n_rows / batch_size)))
        epochs, rate = (FEW_EPOCHS_OF_IMAGES, OF_FEW_IMAGES) if few_rows else (epochs, 4e-3)
        return Budget(epochs, batch_size, rate, bfloat16_pays=True)
    batch_size = min(128, max(64, 4 * round(16 * (n_rows / SHORT_STEPS_ROWS) ** (1 / 3))))
    steps_of_epoch = math.ceil(n_rows / batch_size)
    n_steps = max(LEAST_STEPS_OF_A_TABLE, EPOCHS_OF_A_TABLE * math.ceil(min(n_rows, WHOLE_EPOCHS_ROWS) / batch_size))
    few_epochs, rate = FEW_EPOCHS_OF_A_NETWORK, OF_FEW_ROWS if few_rows else 2e-3
    if n_rows < FEWEST_ROWS_FOR_A_NETWORK:
        few_epochs, (n_steps, rate) = FEW_EPOCHS, OF_RESIDUAL_CODES if kind == "residual" else OF_OTHER_CODES
    return Budget(
        max_iter=few_epochs if few_rows else epochs_for(n_steps, steps_of_epoch, n_rows, growth=GROWTH),
        batch_size=batch_size,
        learning_rate_init=rate,
    )


def stops_early(row_shape, n_rows):
    """Return what "auto" stands for in `early_stopping`: whether rows are held out to choose the weights by.

    Tables hold rows out where they have a network to restrain (from 500 rows on), images while they are so few (below
    20,000) that theirs can overfit.

    Examples
    --------
    >>> [stops_early((13,), n) for n in (178, 1_797)]
    [False, True]
    >>> [stops_early((28, 28, 1), n) for n in (5, 1_797, 60_000)]
    [False, True, False]
    """
    return 10 <= n_rows < 20_000 if len(row_shape) == 3 else n_rows >= FEWEST_ROWS_FOR_A_NETWORK


def check_code_shape(code_shape, row_shape, is_series=False):
    """Return the parameter `code_shape` as a tuple that fits rows of `row_shape`: (h, w) for images, (m,) for others.

    Raises
    ------
    ValueError
        If it has another length, or an image has fewer pixels than the grid has cells along a side, or a series fewer
        steps than positions.
    """
    is_image = len(row_shape) == 3 and not is_series
    accepted = "'auto', (h, w), or two such grids" if is_image else "'auto' or (m,)"
    is_one = isinstance(code_shape, numbers.Integral) and not isinstance(code_shape, bool)
    shape = (code_shape,) if is_one else code_shape
    valid = isinstance(shape, (tuple, list)) and all(
        isinstance(s, numbers.Integral) and not isinstance(s, bool) and s > 0 for s in shape
    )
    if not valid or len(shape) != (2 if is_image else 1):
        of_rows = "tables (rows of pixels need image_shape) and network='dense'"
        kind = "images" if is_image else "series" if is_series else of_rows
        several = (
            "; for several codes a position pass quantizer=ResidualCodes(codes_per_position=...)"
            if len(row_shape) == 3
            else ""
        )
        raise ValueError(f"code_shape={code_shape!r} must be {accepted} with positive integers for {kind}{several}")
    if is_series and len(row_shape) == 3 and shape[0] > row_shape[1]:
        raise ValueError(f"code_shape={code_shape!r} has more positions than a series of {row_shape[1]} steps has")
    if is_image and (shape[0] > row_shape[0] or shape[1] > row_shape[1]):
        raise ValueError(f"code_shape={code_shape!r} has more cells than an image of {row_shape[:2]} has pixels")
    return tuple(int(s) for s in shape)


@dataclass(frozen=True)
class BitBudget:
    """The codes of a row that a budget of bits allows.

    `codes_per_position` is None where the grid of a table, (m,), says it.
    """

    grid: tuple[int, ...]
    n_codes: int
    codes_per_position: int | None = None


def _table_bits(max_bits, n_rows):
    """Return the bits of a code of a table: the first of the sizes that leave the fewest bits of the budget over."""
    about = TABLE_BITS if n_rows < MANY_ROWS else MANY_ROWS_BITS
    # More bits to spend are never fewer bits spent.
    bits = max((about, about + 1, about - 1), key=lambda size: max_bits // size * size)
    return min(bits, max_bits)


def codes_for_bits(max_bits, row_shape, n_rows, *, several=True, width=None, is_series=False):
    """Return the codes of a row that take no more than `max_bits`, and as much of it as there is use for.

    A table gets codes of `width` bits; where that is left open, of 3 to 5 bits, from 1,000 rows on of 7 to 9. A value
    gets 8 bits at most.

    An image gets the grid of `automatic_code_shape`, with one code for each position, or several of about 8 bits from
    12 bits a position on; where that would leave less than 6 bits a position, the grid is halved, down to one vector
    for the whole image. A code of an image gets eight training vectors on average. A series gets a position for every
    8 bits, but no more than `automatic_code_shape` has.

    Parameters
    ----------
    max_bits : int
        At least 1.
    row_shape : tuple of int
        (H, W, C) or (n_features,).
    n_rows : int
        Number of training rows.
    several : bool, default=True
        Whether a position of an image may have several codes.
    width : int, default=None
        Bits of a code of a table.
    is_series : bool, default=False
        Whether the rows are series.

    Returns
    -------
    BitBudget

    Examples
    --------
    >>> [codes_for_bits(16, (13,), n_rows).grid for n_rows in (178, 5_000)]
    [(4,), (2,)]
    >>> for bits in (64, 128, 392, 784):
    ...     print(codes_for_bits(bits, (28, 28, 1), 60_000))
    BitBudget(grid=(2, 2), n_codes=256, codes_per_position=2)
    BitBudget(grid=(4, 4), n_codes=256, codes_per_position=1)
    BitBudget(grid=(7, 7), n_codes=256, codes_per_position=1)
    BitBudget(grid=(7, 7), n_codes=256, codes_per_position=2)
    """
    if len(row_shape) == 1:
        max_bits = min(max_bits, MOST_VALUE_BITS * row_shape[0])
        bits = _table_bits(max_bits, n_rows) if width is None else min(width, max_bits)
        return BitBudget((max_bits // bits,), 2**bits)
    max_bits = min(max_bits, MOST_VALUE_BITS * math.prod(row_shape))
    grid = automatic_code_shape(row_shape, is_series)
    if is_series:
        grid = (max(1, min(grid[0], max_bits // STAGE_BITS)),)
    while math.prod(grid) > 1 and max_bits < LEAST_POSITION_BITS * math.prod(grid):
        grid = tuple(math.ceil(cells / 2) for cells in grid)
    bits = max(1, max_bits // math.prod(grid))
    most = max(1, int(math.log2(max(2, n_rows * math.prod(grid) / ROWS_PER_CODE))))
    codes_per_position = max(1, round(bits / STAGE_BITS), math.ceil(bits / (most + 1))) if several else 1
    return BitBudget(grid, 2 ** min(most, bits // codes_per_position), codes_per_position)


def grids(code_shape, row_shape, is_series=False):
    """Return the coarse grid (h, w), None where there is one grid, and the grid (h, w) or (m,) of the parameter.

    Examples
    --------
    >>> grids("auto", (28, 28, 1)), grids(((4, 4), (7, 7)), (28, 28, 1))
    ((None, (7, 7)), ((4, 4), (7, 7)))
    """
    if is_auto(code_shape):
        return None, automatic_code_shape(row_shape, is_series)
    if not isinstance(code_shape, (tuple, list)) or not any(isinstance(part, (tuple, list)) for part in code_shape):
        return None, check_code_shape(code_shape, row_shape, is_series)
    if is_series or len(row_shape) != 3 or len(code_shape) != 2:
        raise ValueError(
            f"code_shape={code_shape!r}: two grids ((h, w), (h', w')), no more, are for images (rows of pixels need "
            "image_shape)"
        )
    coarse, fine = (check_code_shape(part, row_shape) for part in code_shape)
    if coarse[0] > fine[0] or coarse[1] > fine[1]:
        raise ValueError(f"code_shape={code_shape!r}: the coarse grid comes first and has no more rows and columns")
    return coarse, fine


def plan_codes(estimator, row_shape, n_rows, n_columns=None, network=None, width=None):
    """Return the CodeSpec for an estimator's parameters and so many training rows.

    Parameters
    ----------
    estimator : VQVAETransformer
    row_shape : tuple of int
        (H, W, C), (1, length, C) of series, or (n_features,).
    n_rows : int
        Number of training rows.
    n_columns : int, default=None
        Number of columns of a table whose rows have more features; None: they are the features.
    network : {"dense", "aligned", "convolutional"}, default=None
        Of images and series. With a dense network the codes are those of a table of their values.
    width : int, default=None
        Bits of a code of a table where there is a budget of bits.
    """
    is_series = estimator.series_shape is not None
    if network == "dense":
        row_shape = (math.prod(row_shape),)
    is_grid = len(row_shape) == 3
    shape = row_shape if is_grid or n_columns is None else (n_columns,)
    codes = estimator.quantizer
    if isinstance(codes, str) and not is_auto(codes):
        codes = KINDS[codes]()
    if estimator.max_bits is None:
        coarse_grid, grid = grids(estimator.code_shape, shape, is_series and is_grid)
        n_codes = None if is_auto(estimator.n_codes) else int(estimator.n_codes)
        request = Request(tuple(row_shape), n_rows, grid, coarse_grid, n_codes)
    else:
        several = is_auto(codes) or hasattr(codes, "codes_per_position")
        in_time = is_series and is_grid
        max_bits = int(estimator.max_bits)
        budget = codes_for_bits(max_bits, shape, n_rows, several=several, width=width, is_series=in_time)
        request = Request(
            tuple(row_shape),
            n_rows,
            budget.grid,
            n_codes=budget.n_codes,
            codes_per_position=budget.codes_per_position,
        )
    if is_auto(codes):
        has_one_code = is_grid and _has_one_code(request, estimator.max_bits)
        codes = _vector_codes(request, network) if has_one_code else ResidualCodes()
    check_codes_memory(estimator, codes, request)
    return codes.spec(request)


def check_codes_memory(estimator, codes, request):
    """Raise ValueError, naming the parameter, for codes whose codebooks no memory holds.

    A learned codebook has no more codes than there are vectors to learn from.
    """
    n_rows, n_values = request.n_rows, request.n_values
    asked = {"code_shape": request.grid}
    if request.n_codes is not None:
        asked["n_codes"] = request.n_codes
    for name in ("codes_per_position", "code_dim", "search_dim"):
        value = getattr(codes, name, None)
        if isinstance(value, numbers.Integral):
            asked[f"quantizer__{name}"] = int(value)
    if request.codes_per_position is not None:
        asked["quantizer__codes_per_position"] = request.codes_per_position

    def needs(code_shape, n_codes=1, **of_codes):
        dim, stages = of_codes.get("quantizer__code_dim", 1), of_codes.get("quantizer__codes_per_position", 1)
        n_positions = math.prod(code_shape)
        if codes.has_codebook:
            n_codes = min(n_codes, max(1, n_rows * n_positions))
        weights = n_positions * dim * (1 if request.is_image else n_values) + 3 * stages * n_codes * dim
        weights += n_values * of_codes.get("quantizer__search_dim", 0)
        several = stages * n_positions if codes.has_codebook and not request.is_image else stages
        return training_bytes(weights, 0) + BYTES_PER_CODEBOOK * several

    if estimator.max_bits is None:
        check_memory(needs, **asked)
    else:
        bits = {"max_bits": int(estimator.max_bits)}
        check_memory(lambda max_bits: 1 if max_bits == 1 else needs(**asked), **bits)


def check_network_memory(estimator, row_shape, network):
    """Raise ValueError, naming the parameter, for networks that no memory holds."""
    n_values = math.prod(row_shape)
    if len(row_shape) == 3 and network != "dense":
        sizes = {"channels": int(estimator.channels), "n_blocks": int(estimator.n_blocks)}
        check_memory(
            lambda channels, n_blocks: training_bytes(2 * grid_weights(1, channels, n_blocks), 2 * n_blocks), **sizes
        )
    elif not is_auto(estimator.hidden_layer_sizes):
        sizes = as_sizes(estimator.hidden_layer_sizes)
        check_memory(
            lambda hidden_layer_sizes: training_bytes(
                2 * dense_weights(n_values, *hidden_layer_sizes, 1), 2 * len(hidden_layer_sizes)
            ),
            hidden_layer_sizes=sizes,
        )


def _vector_codes(request, network):
    """Return the codes of a position: with a codebook for each one where images are aligned and each code has many.

    On the 60,000 images of Fashion-MNIST such codebooks leave a tenth less of the error, and samples are about as good;
    on 5,000 of them the prior learns their codes badly.
    """
    n_codes = request.number_of_codes(1)
    apart = network == "aligned" and request.coarse_grid is None and request.n_rows >= IMAGES_OF_AN_OWN_CODE * n_codes
    return VectorCodes(shared_codebook=False) if apart else VectorCodes()


def _has_one_code(request, max_bits):
    """Return whether a position of an image or a series has one code where "auto" decides: not where it has channels.

    A budget of bits has decided it.
    """
    if max_bits is not None or len(request.grid) == 2:
        return (request.codes_per_position or 1) == 1
    return request.row_shape[2] == 1


def plan(estimator, row_shape, n_rows, n_columns=None, network=None, width=None):
    """Return the Architecture for an estimator's parameters and so many training rows, with every "auto" decided."""
    check_network_memory(estimator, row_shape, network)
    codes = plan_codes(estimator, row_shape, n_rows, n_columns, network, width)
    if len(row_shape) == 3 and network != "dense":
        sizes = int(estimator.channels), int(estimator.n_blocks)
        return Architecture(tuple(row_shape), codes, *sizes, mixes_positions=network == "aligned")
    sizes = estimator.hidden_layer_sizes
    if is_auto(sizes):
        sizes = NETWORK_SIZES if n_rows >= FEWEST_ROWS_FOR_A_NETWORK else ()
    return Architecture(tuple(row_shape), codes, hidden_layer_sizes=as_sizes(sizes))

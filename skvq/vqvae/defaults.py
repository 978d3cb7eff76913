"""What the parameters of a VQ-VAE stand for: every "auto" for some rows."""

import math
import numbers

from ..core.estimator import Automatic, check_sizes, is_auto
from ..nn.quantizers.finite_scalar import levels_for
from .parameters import OF_BUDGET, check_code_dim, check_quantizer, check_two_level
from .quantizer import SEVERAL_CODES, TWO_LEVEL

# Length of the vector of a position: of images, of residual codes of large cells, of tables that have several, and of
# tables that have one.
IMAGE_CODE_DIM, LARGE_CELL_DIM, TABLE_CODE_DIM, TABLE_VECTOR_DIM = 32, 64, 4, 64
# Values of a cell from which on it is large.
LARGE_CELL = 128
# Bits of a code where a budget of bits is given: of a table, and of each residual code of an image; and bits that a
# position of an image gets at least before the grid is made coarser.
TABLE_BITS, MANY_ROWS_BITS, STAGE_BITS, LEAST_POSITION_BITS = 4, 8, 8, 6
# Bits that a column of a table has use for, and training vectors that a code of an image gets on average.
MOST_COLUMN_BITS, VECTORS_PER_CODE = 8, 8
# Rows of a table from which on its codes get MANY_ROWS_BITS.
MANY_ROWS = 1_000
# Length of each split of an image's position.
PRODUCT_SPLIT_DIM = 16
# Codes of an image's position where it has several.
IMAGE_CODES_PER_POSITION = 2
# Prefixes that the search for residual codes follows: of a table with fewer rows than so many, of one with more, and of
# images that have no more than so many positions.
TABLE_BEAM, LONG_TABLE_ROWS, LONG_TABLE_BEAM = 64, 10_000, 16
IMAGE_BEAM, FEW_POSITIONS = 5, 16
# Below this many training rows a network beside the linear path of a table overfits more than it learns.
ENOUGH_ROWS = 500
NETWORK_SIZES = (256, 256)
# Epochs of a table that has few rows for its residual codes.
FEW_EPOCHS = 3


def automatic_code_shape(row_shape):
    """Return the grid of codes for rows of `row_shape`, (H, W, C) or (n_features,).

    An image gets a cell for every s × s pixels, where s from 2 to 8 is the power of two that brings its shorter side
    nearest to 7 cells. A table gets one position for every four columns, from 2 to 16.

    Examples
    --------
    >>> automatic_code_shape((28, 28, 1)), automatic_code_shape((8, 8, 1)), automatic_code_shape((64, 96, 3))
    ((7, 7), (4, 4), (8, 12))
    >>> automatic_code_shape((13,)), automatic_code_shape((784,))
    ((4,), (16,))
    """
    if len(row_shape) == 1:
        n_features = row_shape[0]
        return (min(n_features, max(2, min(16, math.ceil(n_features / 4)))),)
    height, width, _ = row_shape
    stride = 2 ** max(1, min(3, round(math.log2(min(height, width) / 7))))
    return math.ceil(height / stride), math.ceil(width / stride)


def automatic_n_codes(n_vectors):
    """Return the number of codes for a codebook that learns from `n_vectors`: a power of two, from 2 to 256.

    Every code gets eight vectors to learn from, on average.

    Examples
    --------
    >>> [automatic_n_codes(n) for n in (30, 178, 1797, 100_000)]
    [2, 16, 128, 256]
    """
    return 2 ** max(1, min(8, int(math.log2(max(1, n_vectors / 8)))))


def few_rows_a_code(codes, row_shape, n_rows):
    """Return whether a table has so few rows for its residual codes that these are as good as they get at the start.

    Below eight rows a code training fits the codes to the noise of the rows: on half of the diabetes rows, two codes of
    256 have a held-out R² of 0.936 at the start and of 0.761 after 1,500 steps.

    Parameters
    ----------
    codes : dict
        What `plan_codes` returns.
    row_shape : tuple of int
    n_rows : int
    """
    return len(row_shape) == 1 and codes["quantizer"] == "residual" and n_rows < VECTORS_PER_CODE * codes["n_codes"]


def automatic_training(row_shape, n_rows, *, few_rows=False):
    """Return what "auto" stands for in the parameters of training.

    Images get 300,000 rows in all, in steps of 32, but no more than 20 epochs, unless these are fewer than 300 steps. A
    table gets 1,500 steps of 64 rows, from 10,000 rows on 4,000 steps of 256; with `few_rows` for its codes three
    epochs. Always at least one epoch.

    Examples
    --------
    >>> [automatic_training((28, 28, 1), n).max_iter for n in (30, 1_000, 60_000, 1_000_000)]
    [300, 20, 5, 1]
    >>> [automatic_training((20,), n).max_iter for n in (30, 178, 1_797, 10_000, 100_000, 10_000_000)]
    [1500, 500, 51, 100, 10, 1]
    >>> automatic_training((20,), 178, few_rows=True).max_iter
    3
    """
    if len(row_shape) == 3:
        epochs = max(1, min(20, 300_000 // n_rows), round(300 / math.ceil(n_rows / 32)))
        return Automatic(epochs, 32, 2e-3, bfloat16_pays=True)
    n_steps, batch_size = (1_500, 64) if n_rows < 10_000 else (4_000, 256)
    return Automatic(
        max_iter=FEW_EPOCHS if few_rows else max(1, n_steps // math.ceil(n_rows / batch_size)),
        batch_size=batch_size,
        learning_rate_init=5e-3 if n_rows < ENOUGH_ROWS else 1e-3,
        bfloat16_pays=False,
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
    return 10 <= n_rows < 20_000 if len(row_shape) == 3 else n_rows >= ENOUGH_ROWS


def check_code_shape(code_shape, row_shape):
    """Return the parameter `code_shape` as a tuple that fits rows of `row_shape`: (h, w) for images, (m,) for tables.

    Raises
    ------
    ValueError
        If it has another length, or an image has fewer pixels than the grid has cells along a side.
    """
    accepted = "'auto' or (m,)" if len(row_shape) == 1 else "'auto', (h, w), or two such grids"
    shape = (code_shape,) if isinstance(code_shape, numbers.Integral) else code_shape
    valid = isinstance(shape, (tuple, list)) and all(isinstance(s, numbers.Integral) and s > 0 for s in shape)
    if not valid or len(shape) != (1 if len(row_shape) == 1 else 2):
        kind = "tables (rows of pixels need image_shape)" if len(row_shape) == 1 else "images"
        several = "; how many codes a position has is codes_per_position" if len(row_shape) == 3 else ""
        raise ValueError(f"code_shape={code_shape!r} must be {accepted} with positive integers for {kind}{several}")
    if len(row_shape) == 3 and (shape[0] > row_shape[0] or shape[1] > row_shape[1]):
        raise ValueError(f"code_shape={code_shape!r} has more cells than an image of {row_shape[:2]} has pixels")
    return tuple(int(s) for s in shape)


def codes_for_bits(max_bits, row_shape, n_rows):
    """Return the parameters whose codes of a row take no more than `max_bits`, and as much of it as there is use for.

    A table gets codes of 3 to 5 bits, from 1,000 rows on of 7 to 9, all stages of one vector. An image gets the grid of
    `automatic_code_shape`, with one code for each position, or residual ones of about 8 bits from 12 bits a position
    on; where that would leave less than 6 bits a position, the grid is halved, down to one vector for the whole image.
    A code gets eight training vectors on average, and a column of a table 8 bits at most.

    Parameters
    ----------
    max_bits : int
        At least 1.
    row_shape : tuple of int
        (H, W, C) or (n_features,).
    n_rows : int
        Number of training rows.

    Returns
    -------
    dict
        `code_shape`, `n_codes`, `quantizer`, `codes_per_position`, as the parameters of the estimator.

    Examples
    --------
    >>> [codes_for_bits(32, (13,), n_rows)["code_shape"] for n_rows in (178, 5_000)]
    [(8,), (4,)]
    >>> for bits in (64, 128, 392, 784):
    ...     print(*codes_for_bits(bits, (28, 28, 1), 60_000).values())
    (2, 2) 256 residual 2
    (4, 4) 256 vector 1
    (7, 7) 256 vector 1
    (7, 7) 256 residual 2
    """
    if len(row_shape) == 1:
        max_bits = min(max_bits, MOST_COLUMN_BITS * row_shape[0])
        about = TABLE_BITS if n_rows < MANY_ROWS else MANY_ROWS_BITS
        # The first of the sizes that leave the fewest bits over: more bits to spend are never fewer bits spent.
        bits = max((about, about + 1, about - 1), key=lambda size: max_bits // size * size)
        bits = min(bits, max_bits)
        return {
            "code_shape": (max_bits // bits,),
            "n_codes": 2**bits,
            "quantizer": "auto",
            "codes_per_position": "auto",
        }
    shape = automatic_code_shape(row_shape)
    while math.prod(shape) > 1 and max_bits < LEAST_POSITION_BITS * math.prod(shape):
        shape = tuple(math.ceil(cells / 2) for cells in shape)
    bits = max(1, max_bits // math.prod(shape))
    most = max(1, int(math.log2(max(2, n_rows * math.prod(shape) / VECTORS_PER_CODE))))
    codes_per_position = max(1, round(bits / STAGE_BITS), math.ceil(bits / (most + 1)))
    return {
        "code_shape": shape,
        "n_codes": 2 ** min(most, bits // codes_per_position),
        "quantizer": "vector" if codes_per_position == 1 else "residual",
        "codes_per_position": codes_per_position,
    }


def automatic_code_dim(quantizer, row_shape, n_positions, codes_per_position):
    """Return what "auto" stands for in `code_dim`, the length of the vector of a position.

    Examples
    --------
    >>> automatic_code_dim("vector", (28, 28, 1), 49, 1), automatic_code_dim("vector", (13,), 4, 1)
    (32, 4)
    >>> automatic_code_dim("residual", (28, 28, 1), 49, 2), automatic_code_dim("residual", (28, 28, 1), 4, 2)
    (32, 64)
    >>> automatic_code_dim("residual", (13,), 1, 8), automatic_code_dim("product", (13,), 1, 8)
    (13, 32)
    """
    if quantizer == "product" and len(row_shape) == 3:
        values = math.prod(row_shape) // n_positions // codes_per_position  # that there are for a split
        return codes_per_position * max(1, min(PRODUCT_SPLIT_DIM, values))
    if quantizer == "product":
        return codes_per_position * TABLE_CODE_DIM
    if len(row_shape) == 3:
        is_large = quantizer == "residual" and math.prod(row_shape) >= LARGE_CELL * n_positions
        return LARGE_CELL_DIM if is_large else IMAGE_CODE_DIM
    return max(1, min(row_shape[0], TABLE_VECTOR_DIM)) if n_positions == 1 else TABLE_CODE_DIM


def grids(code_shape, row_shape):
    """Return the coarse grid [h, w], None where there is one grid, and the grid (h, w) or (m,) of the parameter.

    Examples
    --------
    >>> grids("auto", (28, 28, 1)), grids(((4, 4), (7, 7)), (28, 28, 1))
    ((None, (7, 7)), ([4, 4], (7, 7)))
    """
    if is_auto(code_shape):
        return None, automatic_code_shape(row_shape)
    if not isinstance(code_shape, (tuple, list)) or not any(isinstance(part, (tuple, list)) for part in code_shape):
        return None, check_code_shape(code_shape, row_shape)
    if len(row_shape) != 3 or len(code_shape) != 2:
        raise ValueError(
            f"code_shape={code_shape!r}: two grids ((h, w), (h', w')), no more, are for images (rows of pixels need "
            "image_shape)"
        )
    coarse, fine = (check_code_shape(part, row_shape) for part in code_shape)
    if coarse[0] > fine[0] or coarse[1] > fine[1]:
        raise ValueError(f"code_shape={code_shape!r}: the coarse grid comes first and has no more rows and columns")
    return list(coarse), fine


def automatic_beam(row_shape, n_positions, n_rows):
    """Return what "auto" stands for in `beam_size`.

    Examples
    --------
    >>> automatic_beam((13,), 1, 178), automatic_beam((13,), 1, 100_000)
    (64, 16)
    >>> automatic_beam((28, 28, 1), 4, 60_000), automatic_beam((28, 28, 1), 49, 60_000)
    (5, 1)
    """
    if len(row_shape) == 1:
        return TABLE_BEAM if n_rows < LONG_TABLE_ROWS else LONG_TABLE_BEAM
    return IMAGE_BEAM if n_positions <= FEW_POSITIONS else 1


def plan_codes(estimator, row_shape, n_rows):
    """Return the part of the architecture that says what the codes are.

    Parameters
    ----------
    estimator : VQVAETransformer
    row_shape : tuple of int
        (H, W, C) or (n_features,).
    n_rows : int
        Number of training rows.

    Returns
    -------
    dict
        JSON-able, as :func:`~skvq.vqvae.quantizer.build_quantizer` takes it.
    """
    is_image = len(row_shape) == 3
    wanted = {name: getattr(estimator, name) for name in OF_BUDGET}
    if estimator.max_bits is not None:
        wanted = codes_for_bits(estimator.max_bits, row_shape, n_rows)
    coarse_shape, code_shape = grids(wanted["code_shape"], row_shape)
    quantizer = wanted["quantizer"]
    if quantizer == "auto":
        quantizer = "vector" if is_image else "residual"
    check_quantizer(estimator, quantizer)
    if coarse_shape is not None:
        check_two_level(estimator)
        quantizer = TWO_LEVEL
    n_positions, codes_per_position = positions_and_codes(
        quantizer, wanted["codes_per_position"], math.prod(code_shape), is_image
    )
    shared = is_image if is_auto(estimator.shared_codebook) else bool(estimator.shared_codebook)
    n_vectors = n_rows * (n_positions if shared else 1)
    n_codes = automatic_n_codes(n_vectors) if is_auto(wanted["n_codes"]) else int(wanted["n_codes"])
    code_dim = estimator.code_dim
    if is_auto(code_dim):
        code_dim = automatic_code_dim(quantizer, row_shape, n_positions, codes_per_position)
    beam_size = estimator.beam_size
    if is_auto(beam_size):
        beam_size = automatic_beam(row_shape, n_positions, n_rows)
    codes = {
        "quantizer": quantizer,
        "coarse_shape": coarse_shape,
        "code_shape": list(code_shape),
        "n_positions": n_positions,
        "codes_per_position": codes_per_position,
        "shared_codebook": shared,
        "n_codes": n_codes,
        "code_dim": int(code_dim),
        "search_dim": None if estimator.search_dim is None else int(estimator.search_dim),
        "codebook_update": estimator.codebook_update,
        "similarity": estimator.similarity,
        "gradient_estimator": estimator.gradient_estimator,
        "beam_size": int(beam_size),
        "ema_decay": float(estimator.ema_decay),
        "revival_threshold": float(estimator.revival_threshold),
    }
    if quantizer == "finite_scalar":
        levels = levels_for(n_codes)
        codes |= {"levels": list(levels), "n_codes": math.prod(levels), "code_dim": len(levels)}
    check_code_dim(codes, estimator.code_dim)
    return codes


def positions_and_codes(quantizer, codes_per_position, n_cells, is_image):
    """Return the number of vectors that a row is encoded to, and of codes for each.

    Examples
    --------
    >>> positions_and_codes("vector", "auto", 49, True), positions_and_codes("residual", "auto", 49, True)
    ((49, 1), (49, 2))
    >>> positions_and_codes("residual", "auto", 8, False), positions_and_codes("residual", 2, 4, False)
    ((1, 8), (4, 2))
    """
    if quantizer not in SEVERAL_CODES:
        return n_cells, 1
    if not is_auto(codes_per_position):
        return n_cells, int(codes_per_position)
    return (n_cells, IMAGE_CODES_PER_POSITION) if is_image else (1, n_cells)


def plan(estimator, rows):
    """Return the architecture for an estimator's parameters and its training rows; every "auto" is decided here.

    Parameters
    ----------
    estimator : VQVAETransformer
    rows : Rows

    Returns
    -------
    dict
        JSON-able, for :func:`~skvq.vqvae.network.build_vqvae`.
    """
    architecture = {"row_shape": list(rows.shape)} | plan_codes(estimator, rows.shape, len(rows))
    if len(rows.shape) == 3:
        return architecture | {"channels": int(estimator.channels), "n_blocks": int(estimator.n_blocks)}
    sizes = estimator.hidden_layer_sizes
    if is_auto(sizes):
        sizes = NETWORK_SIZES if len(rows) >= ENOUGH_ROWS else ()
    return architecture | {"hidden_layer_sizes": list(check_sizes("hidden_layer_sizes", sizes))}

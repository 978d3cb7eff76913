"""Choose the arrangement of codes, and the networks for it, by what each leaves of held-out rows before any training.

A start is linear maps at the principal components, of whole rows or of their parts, and codebooks at the k-means
centres: the arrangement of the codes without the network. All arrangements that are compared have the same bits: those
that the parameters ask for, and where they leave it open those of the usual one.
"""

import math
from dataclasses import replace

import torch
from sklearn.base import clone

from ..core.inference import phase
from ..core.parameters import is_auto
from ..training.batches import drawn_order, split_rows
from .codes import ProductCodes, ResidualCodes, VectorCodes
from .defaults import (
    MANY_ROWS,
    STAGE_BITS,
    Arrangement,
    automatic_code_shape,
    has_codebook,
    network_of_patches,
    plan,
    plan_codes,
)
from .network import squared_error_of_start, start_from_data

# Series of more values have their principal components never taken as a whole, which takes the cube of their number.
MOST_DENSE_VALUES = 2_000
# Rows that are looked at, and share of them that judges.
MOST_ROWS, HELD_OUT_SHARE = 2_048, 0.25
LEAST_ROWS = 8
# Rows that are looked at for each second of `max_seconds`: a choice takes about a third of the time then. Where there
# are more, nothing is chosen.
COMPARED_IN_A_SECOND = 40
# Bits of a code that are tried for a table, the parts that its rows are cut into (fewer where there are many rows, or
# values), how many of the parts judge, and how much more than the best one a width may leave of the first part to be
# judged by the next. On 144 budgets of 36 tables of 82 to 900 rows this takes 0.43 of the time in which all parts judge
# all widths; R² is then 0.0001 lower on average, and 0.004 at most (`benchmarks/code_widths.py`).
WIDTHS = (4, 6, 8)
FOLDS, FEW_ROWS, FEW_ROWS_FOLDS, MANY_VALUES, MANY_VALUES_FOLDS = 3, 512, 5, 50_000, 2
JUDGES, CLEARLY_MORE = 2, 1.5
# Share of the error of its start that the network of patches with a shared codebook is expected to leave.
LEFT_BY_NETWORK = 0.75
# Training images for each code of a codebook that belongs to one position, at least; and bits of such a code.
ROWS_PER_OWN_CODE, LEAST_OWN_BITS = 4, 4


def best_arrangement(estimator, rows, usual, make_generator):
    """Return the Arrangement that leaves least of held-out rows.

    Parameters
    ----------
    estimator : VQVAETransformer
    rows : Rows
    usual : str or None
        What :func:`~skvq.vqvae.defaults.usual_network` returned: "dense", or None where networks are compared.
    make_generator : callable
        Returns a torch.Generator, which draws the rows that judge and the starts.
    """
    if not _is_time_to_choose(estimator, rows):
        unseen = "convolutional" if estimator.series_shape is not None else network_of_patches(rows, True)
        return Arrangement(usual or unseen, estimator)
    with phase(estimator, "choosing the arrangement of the codes"):
        if usual is not None:
            found = Arrangement(usual, estimator)
        elif estimator.series_shape is not None:
            found = Arrangement(better_network(estimator, rows, make_generator()), estimator)
        else:
            found = _best_of_tiny_images(estimator, rows, make_generator())
        if found.network != "dense":
            return found
        return replace(found, width=better_width(found.asked, rows, make_generator()))


def better_network(estimator, rows, generator):
    """Return the kind of network, "dense" or "convolutional", whose start leaves less of held-out series.

    Both get the same number of bits: those that the parameters ask for, and where they leave it open those of the dense
    network.

    Parameters
    ----------
    estimator : VQVAETransformer
    rows : Rows
        Series (1, length, C).
    generator : torch.Generator
        Draws the rows, and the starts.
    """
    n_values = rows.shape[1] * rows.shape[2]
    if n_values > MOST_DENSE_VALUES or len(rows) < LEAST_ROWS:
        return "convolutional"
    training, held_out = _split(rows, generator)
    asked = estimator
    if estimator.max_bits is None and is_auto(estimator.code_shape):
        bits = _bits(plan_codes(estimator, rows.shape, len(training), network="dense"))
        asked = clone(estimator).set_params(max_bits=bits, n_codes="auto")
    errors = {
        network: _held_out_error(asked, network, training, held_out, generator)
        for network in ("convolutional", "dense")
    }
    return min(errors, key=errors.__getitem__)


def better_width(estimator, rows, generator):
    """Return the bits of a code of a table that leave least of held-out rows within `max_bits`; None: the usual ones.

    From few rows long codes cannot be learned, while from enough of them they reconstruct better than short ones. So
    each width is started on some of the rows and judged by the others, twice, unless the first time leaves no doubt.
    From 1,000 rows on, and for codes without a codebook, the width is the usual one.

    Parameters
    ----------
    estimator : VQVAETransformer
    rows : Rows
        Of a table, or with a dense network.
    generator : torch.Generator
        Draws the parts, and the starts.
    """
    if estimator.max_bits is None or not has_codebook(estimator.quantizer):
        return None
    if not LEAST_ROWS <= len(rows) < MANY_ROWS:
        return None
    n_folds = FEW_ROWS_FOLDS if len(rows) < FEW_ROWS else FOLDS
    if len(rows) * math.prod(rows.shape) > MANY_VALUES:
        n_folds = MANY_VALUES_FOLDS
    parts = torch.randperm(len(rows), generator=generator).tensor_split(n_folds)
    widths = [width for width in WIDTHS if width <= estimator.max_bits and 2**width <= len(rows)]
    if len(widths) < 2:
        return None
    errors = dict.fromkeys(widths, 0.0)
    for i, held_out in enumerate(parts[:JUDGES]):
        training = torch.cat(parts[:i] + parts[i + 1 :]).numpy()
        for width in errors:
            sets = rows.restrict(training), rows.restrict(held_out.numpy())
            errors[width] += _held_out_error(estimator, "dense", *sets, generator, width=width)
        least = min(errors.values())
        errors = {width: error for width, error in errors.items() if error <= CLEARLY_MORE * least}
        if len(errors) == 1:
            break
    return min(errors, key=errors.__getitem__)


def _best_of_tiny_images(estimator, rows, generator):
    """Return the arrangement of the codes of tiny images that leaves least of held-out ones.

    Patches that share a codebook, whose network takes a share of the error off yet; patches and strips with codebooks
    of their own; and codes of the whole image. These are judged by product codes and by residual ones that are searched
    greedily, which take a tenth of the time and are hardly ever better than what they stand for.
    """
    bits = estimator.max_bits or _bits(plan_codes(estimator, rows.shape, len(rows)))
    training, held_out = _split(rows, generator)

    def error(network, **parameters):
        asked = clone(estimator).set_params(**parameters)
        return _held_out_error(asked, network, training, held_out, generator)

    usual = Arrangement(network_of_patches(rows, True), estimator)
    errors = [(LEFT_BY_NETWORK * error(usual.network), usual)]
    for shape, n_codes in own_codebooks(bits, rows.shape, len(rows)):
        chosen = {"code_shape": shape, "n_codes": n_codes, "quantizer": VectorCodes(shared_codebook=False)}
        asked = clone(estimator).set_params(max_bits=None, **chosen)
        errors.append((error(usual.network, max_bits=None, **chosen), Arrangement(usual.network, asked)))
    whole = min(
        error("dense", max_bits=bits, quantizer=codes) for codes in (ProductCodes(), ResidualCodes(beam_size=1))
    )
    errors.append((whole, Arrangement("dense", clone(estimator).set_params(max_bits=bits))))
    return min(errors, key=lambda found: found[0])[1]


def own_codebooks(max_bits, image_shape, n_rows):
    """Return the grids (h, w) whose cells may have a codebook each, with the number of codes that the bits allow.

    The cells of :func:`~skvq.vqvae.defaults.automatic_code_shape`, and strips along the rows and along the columns, for
    codes of about eight bits. A code has four training images at least.

    Examples
    --------
    >>> own_codebooks(128, (8, 8, 1), 1_347)
    [((4, 4), 256), ((8, 2), 256), ((2, 8), 256)]
    """
    height, width, _ = image_shape
    n_cells = max_bits / STAGE_BITS
    along_rows, along_columns = (height, round(n_cells / height)), (round(n_cells / width), width)
    most = int(math.log2(max(2, n_rows / ROWS_PER_OWN_CODE)))
    found = []
    for grid in (automatic_code_shape(image_shape), along_rows, along_columns):
        fits = 1 <= grid[0] <= height and 1 <= grid[1] <= width and grid not in [shape for shape, _ in found]
        bits = min(most, max_bits // max(1, math.prod(grid)))
        if fits and bits >= LEAST_OWN_BITS:
            found.append((grid, 2**bits))
    return found


def _bits(spec):
    """Return the bits of the codes of a row."""
    return max(1, math.floor(spec.codes_per_row * math.log2(spec.n_codes)))  # 0 with a single code


def _split(rows, generator):
    """Return rows to start from, and rows that judge."""
    some = rows.restrict(drawn_order(len(rows), generator)[:MOST_ROWS])
    training, held_out = split_rows(len(some), HELD_OUT_SHARE, generator)
    return some.restrict(training), some.restrict(held_out)


def _is_time_to_choose(estimator, rows):
    """Return whether a choice, which is never cut short, leaves most of `max_seconds` for the rest of the fit."""
    seconds = estimator.max_seconds
    return seconds is None or min(len(rows), MOST_ROWS) <= COMPARED_IN_A_SECOND * seconds


def _held_out_error(estimator, network, training, held_out, generator, width=None):
    """Return the squared error, summed over held-out rows, of a network that was started on training rows."""
    architecture = plan(estimator, training.shape, len(training), training.n_columns, network, width)
    options = {"in_parts": is_auto(estimator.quantizer), "takes_error": False, "warn": False}
    module = start_from_data(architecture, training, generator, **options).module
    return squared_error_of_start(module, held_out.in_order(held_out.pass_size))

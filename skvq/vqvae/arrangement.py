"""Choose the network of series, and the width of codes, by what is left of held-out rows before any training."""

import math

import torch
from sklearn.base import clone

from ..core.parameters import is_auto
from ..training.batches import split_rows
from .defaults import MANY_ROWS, has_codebook, plan, plan_codes
from .network import start_from_data

# Series of more values have their principal components never taken as a whole, which takes the cube of their number.
MOST_DENSE_VALUES = 2_000
# Rows that are looked at, and share of them that judges.
MOST_ROWS, HELD_OUT_SHARE = 2_048, 0.25
LEAST_ROWS = 8
# Bits of a code that are tried for a table, and the folds that judge them: more where rows, or values, are few.
WIDTHS = (4, 6, 8)
FOLDS, FEW_ROWS, FEW_ROWS_FOLDS, MANY_VALUES, MANY_VALUES_FOLDS = 3, 512, 5, 50_000, 2


def better_network(estimator, rows, generator):
    """Return the kind of network, "dense" or "convolutional", whose start leaves less of held-out series.

    Both get the same number of bits: those that the parameters ask for, and where they leave it open those of the dense
    network. A start is linear maps at the principal components, of whole series or of their parts, and codebooks at the
    k-means centres: the arrangement of the codes without the network.

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
    some = rows.restrict(torch.randperm(len(rows), generator=generator).numpy()[:MOST_ROWS])
    training, held_out = split_rows(len(some), HELD_OUT_SHARE, generator)
    asked = estimator
    if estimator.max_bits is None and is_auto(estimator.code_shape):
        spec = plan_codes(estimator, rows.shape, len(training), network="dense")
        bits = math.floor(spec.codes_per_row * math.log2(spec.n_codes))
        asked = clone(estimator).set_params(max_bits=bits, n_codes="auto")
    errors = {
        network: _held_out_error(asked, network, some.restrict(training), some.restrict(held_out), generator)
        for network in ("convolutional", "dense")
    }
    return min(errors, key=errors.__getitem__)


def better_width(estimator, rows, generator):
    """Return the bits of a code of a table that leave least of held-out rows within `max_bits`; None: the usual ones.

    From few rows long codes cannot be learned, while from enough of them they reconstruct better than short ones. So
    each width is started on some of the rows and judged by the others, in turns. From 1,000 rows on, and for codes
    without a codebook, the width is the usual one.

    Parameters
    ----------
    estimator : VQVAETransformer
    rows : Rows
        Of a table, or of series with a dense network.
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
    for i, held_out in enumerate(parts):
        training = torch.cat(parts[:i] + parts[i + 1 :]).numpy()
        for width in widths:
            sets = rows.restrict(training), rows.restrict(held_out.numpy())
            errors[width] += _held_out_error(estimator, "dense", *sets, generator, width=width)
    return min(errors, key=errors.__getitem__)


@torch.no_grad()
def _held_out_error(estimator, network, training, held_out, generator, width=None):
    """Return the squared error, summed over held-out rows, of a network that was started on training rows."""
    architecture = plan(estimator, training.shape, len(training), training.n_columns, network, width)
    module = start_from_data(architecture, training, generator, warn=False).module
    return float(sum((module(batch)[0] - batch).square().sum() for batch in held_out.in_order(held_out.pass_size)))

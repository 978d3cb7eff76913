"""Choose the network of series by what both kinds reconstruct of held-out rows before any training."""

import math

import torch
from sklearn.base import clone

from ..core.parameters import is_auto
from ..training.batches import split_rows
from .defaults import plan, plan_codes
from .network import start_from_data

# Series of more values have their principal components never taken as a whole, which takes the cube of their number.
MOST_DENSE_VALUES = 2_000
# Rows that are looked at, and share of them that judges.
MOST_ROWS, HELD_OUT_SHARE = 2_048, 0.25
LEAST_ROWS = 8


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


@torch.no_grad()
def _held_out_error(estimator, network, training, held_out, generator):
    """Return the squared error, summed over held-out rows, of a network that was started on training rows."""
    architecture = plan(estimator, training.shape, len(training), network=network)
    module = start_from_data(architecture, training, generator, warn=False).module
    return float(sum((module(batch)[0] - batch).square().sum() for batch in held_out.in_order(held_out.pass_size)))

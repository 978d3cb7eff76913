"""Pass many rows through a fitted network, one block at a time, and say how far that, or the start of a fit, is."""

import math
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import UndefinedMetricWarning

from .._warnings import warn_user
from ..training.batches import pass_size
from ..training.report import say

# Blocks are filled up to a multiple of this many rows, so that a row gets the same codes, and nearly always the same
# floats, whether it comes alone or among others (matrix products of different heights may round differently).
ROW_BLOCK = 32
# Who shows the progress of passes: :func:`skvq.progress` sets it for the length of a block.
watcher: ContextVar[Any] = ContextVar("skvq_watcher", default=None)


def fill_block(batch):
    """Return `batch` with rows of zeros added up to a multiple of ROW_BLOCK."""
    missing = -len(batch) % ROW_BLOCK
    return batch if missing == 0 else torch.cat([batch, batch.new_zeros(missing, *batch.shape[1:])])


@contextmanager
def job(what, n_steps):
    """Give a function that counts one more of `n_steps` as done, or None where nobody watches.

    Parameters
    ----------
    what : str
        What is done, as a user reads it.
    n_steps : int
    """
    present = watcher.get()
    if present is None or present.closed:
        yield None
        return
    bar = present.bar(what, n_steps)
    try:
        yield bar.advance
    finally:
        bar.close()


@contextmanager
def phase(estimator, what):
    """Say what the block does, before it begins.

    Parameters
    ----------
    estimator : estimator
        Its parameter `verbose` asks for lines.
    what : str
        As a user reads it, such as "starting codebooks".
    """
    if estimator.verbose:
        say(type(estimator).__name__, what)
    present = watcher.get()
    if present is None or present.closed:
        yield
        return
    bar = present.phase(what)
    try:
        yield
    finally:
        bar.close()


def follow(steps, n_steps, what):
    """Yield the same steps; a watcher, if there is one, sees them go by."""
    with job(what, n_steps) as advance:
        for step in steps:
            yield step
            if advance is not None:
                advance()


def batches(rows, batch_size, what):
    """Yield all Rows in order, `batch_size` at a time, as :func:`follow` does."""
    return follow(rows.in_order(batch_size), -(-len(rows) // batch_size), what)


def starts(n_rows, batch_size, what):
    """Yield where batches of `batch_size` start among `n_rows`, as :func:`follow` does."""
    steps = range(0, n_rows, batch_size)
    return follow(steps, len(steps), what)


def encode(network, rows, n_columns, dtype):
    """Return what the network encodes all rows to, such as codes: ndarray (n, n_columns) of `dtype`."""
    encoded = np.empty((len(rows), n_columns), dtype=dtype)
    start = 0
    for batch in batches(rows, rows.pass_size, "encoding"):
        encoded[start : start + len(batch)] = network.encode(fill_block(batch))[: len(batch)].cpu().numpy()
        start += len(batch)
    return encoded


def _sent(encoded, device):
    """Return what rows were encoded to as the tensor on a device that a network decodes."""
    return torch.from_numpy(encoded.astype(np.int64 if encoded.dtype.kind in "iu" else np.float32)).to(device)


def decode(network, encoded, device, row_shape):
    """Yield (start, rows) for what rows were encoded to, (n, n_columns): codes if integer, else real values.

    The rows are standardised, from `start` on, float64 (b, n_features). `row_shape` is that of a row of the network.
    """
    size = pass_size(row_shape)
    for start in starts(len(encoded), size, "decoding"):
        batch = _sent(encoded[start : start + size], device)
        rows = network.decode(fill_block(batch))[: len(batch)]
        yield start, rows.flatten(1).cpu().numpy().astype(np.float64)


def reconstruct(network, rows, n_columns, dtype, known=None):
    """Encode and decode all rows.

    Parameters
    ----------
    network, rows, n_columns, dtype
        As in :func:`encode`.
    known : ndarray, default=None
        What :func:`encode` has returned for these rows, where it has.

    Returns
    -------
    encoded : ndarray of shape (n, n_columns) and `dtype`
    squared_error : ndarray of shape (n,), float64
        Of each row, summed over its standardised values.
    variation : float
        Squared deviations of the standardised values from the means of their columns, summed over everything; exactly 0
        where the rows are all the same.
    """
    encoded = np.empty((len(rows), n_columns), dtype=dtype)
    squared_error = np.empty(len(rows))
    first, start, total, total_of_squares = None, 0, 0.0, 0.0
    for batch in batches(rows, rows.pass_size, "reconstructing"):
        n = len(batch)
        if known is None:
            found = network.encode(fill_block(batch))
        else:
            found = fill_block(_sent(known[start : start + n], batch.device))
        error = network.decode(found)[:n] - batch
        encoded[start : start + n] = found[:n].cpu().numpy()
        squared_error[start : start + n] = np.square(error.flatten(1).cpu().numpy(), dtype=np.float64).sum(axis=1)
        values = batch.flatten(1).cpu().numpy().astype(np.float64)
        first = values[0].copy() if first is None else first
        values -= first  # rows that are all the same have exactly no variation, and far ones keep their digits
        total = total + values.sum(axis=0)
        total_of_squares = total_of_squares + np.square(values).sum(axis=0)
        start += n
    variation = float((total_of_squares - np.square(total) / len(rows)).sum())
    return encoded, squared_error, max(variation, 0.0)


def r_squared(squared_error, variation):
    """Return R², the share of the variation that a reconstruction explains.

    Parameters
    ----------
    squared_error : ndarray of shape (n,)
        Of each row, summed over its values.
    variation : float
        Squared deviations from the means of the columns, summed over everything.

    Returns
    -------
    float
        At most 1. Without variation: 1 for a perfect reconstruction, else 0. NaN, with a warning, for a single row,
        which no mean can be taken from.

    Examples
    --------
    >>> r_squared(np.array([1.0, 0.0]), 4.0), r_squared(np.zeros(2), 0.0), r_squared(np.ones(2), 0.0)
    (0.75, 1.0, 0.0)
    """
    if len(squared_error) < 2:
        warn_user("R² is not well-defined for less than two rows: it is NaN; score more rows", UndefinedMetricWarning)
        return math.nan
    if variation == 0.0:
        return float(squared_error.sum() == 0.0)
    return float(1.0 - squared_error.sum() / variation)

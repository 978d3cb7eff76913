"""Passes of many rows through a fitted network with an `encode` and a `decode`, a batch at a time."""

import numpy as np
import torch

from .estimator import fill_block
from .progress import batches, starts

# Rows that are encoded or decoded together.
BATCH = 256


def encode(network, rows, n_columns, dtype):
    """Return the codes of all rows, or what else the network encodes rows to: ndarray (n, n_columns) of `dtype`."""
    encoded = np.empty((len(rows), n_columns), dtype=dtype)
    start = 0
    for batch in batches(rows, BATCH, "encoding"):
        encoded[start : start + len(batch)] = network.encode(fill_block(batch))[: len(batch)].cpu().numpy()
        start += len(batch)
    return encoded


def decode(network, encoded, device):
    """Yield (start, rows) for what rows were encoded to, (n, n_columns): codes if integer, else real values.

    The rows are standardised, from `start` on, float64 (b, n_features).
    """
    dtype = np.int64 if encoded.dtype.kind in "iu" else np.float32
    for start in starts(len(encoded), BATCH, "decoding"):
        batch = torch.from_numpy(encoded[start : start + BATCH].astype(dtype)).to(device)
        rows = network.decode(fill_block(batch))[: len(batch)]
        yield start, rows.flatten(1).cpu().numpy().astype(np.float64)


def reconstruct(network, rows, n_columns, dtype):
    """Encode and decode all rows.

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
    for batch in batches(rows, BATCH, "reconstructing"):
        n = len(batch)
        found = network.encode(fill_block(batch))
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

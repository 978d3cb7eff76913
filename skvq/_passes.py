"""Passes of many rows through a fitted autoencoder with codes, a batch at a time."""

import numpy as np
import torch

from ._base import fill_block
from ._codes import CODE_DTYPE

# Rows that are encoded or decoded together.
BATCH = 256


def encode(network, rows, n_positions):
    """Return the codes of all rows, ndarray (n, n_positions)."""
    codes = np.empty((len(rows), n_positions), dtype=CODE_DTYPE)
    start = 0
    for batch in rows.in_order(BATCH):
        codes[start : start + len(batch)] = network.encode(fill_block(batch))[: len(batch)].cpu().numpy()
        start += len(batch)
    return codes


def decode(network, codes, device):
    """Yield (start, rows) for codes (n, n_positions): standardised rows from `start` on, float64 (b, n_features)."""
    for start in range(0, len(codes), BATCH):
        batch = torch.from_numpy(codes[start : start + BATCH].astype(np.int64)).to(device)
        rows = network.decode(fill_block(batch))[: len(batch)]
        yield start, rows.flatten(1).cpu().numpy().astype(np.float64)


def reconstruct(network, rows, n_positions):
    """Encode and decode all rows.

    Returns
    -------
    codes : ndarray of shape (n, n_positions)
    squared_error : ndarray of shape (n,), float64
        Of each row, summed over its standardised values.
    variation : float
        Squared deviations of the standardised values from the means of their columns, summed over everything; exactly 0
        where the rows are all the same.
    """
    codes = np.empty((len(rows), n_positions), dtype=CODE_DTYPE)
    squared_error = np.empty(len(rows))
    first, start, total, total_of_squares = None, 0, 0.0, 0.0
    for batch in rows.in_order(BATCH):
        n = len(batch)
        found = network.encode(fill_block(batch))
        error = network.decode(found)[:n] - batch
        codes[start : start + n] = found[:n].cpu().numpy()
        squared_error[start : start + n] = np.square(error.flatten(1).cpu().numpy(), dtype=np.float64).sum(axis=1)
        values = batch.flatten(1).cpu().numpy().astype(np.float64)
        first = values[0].copy() if first is None else first
        values -= first  # rows that are all the same have exactly no variation, and far ones keep their digits
        total = total + values.sum(axis=0)
        total_of_squares = total_of_squares + np.square(values).sum(axis=0)
        start += n
    variation = float((total_of_squares - np.square(total) / len(rows)).sum())
    return codes, squared_error, max(variation, 0.0)

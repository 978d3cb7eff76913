"""Pass many rows of a table's codes through an orderless network: samples and likelihoods."""

import itertools

import numpy as np
import torch

from ..core.inference import batches, fill_block, job

# Rows that are drawn or scored together.
DRAWN_ROWS, SCORED_ROWS = 2048, 1024


def n_distinct_orders(n_columns, n_orders):
    """Return how many different orders of columns there are, at most `n_orders`."""
    found, factor = 1, 2
    while factor <= n_columns and found < n_orders:
        found, factor = found * factor, factor + 1
    return min(found, n_orders)


def draw_orders(n_columns, n_orders, generator):
    """Return different orders of columns, all of them where there are no more than `n_orders`.

    Parameters
    ----------
    n_columns, n_orders : int
    generator : torch.Generator

    Returns
    -------
    ndarray of shape (n_distinct_orders(n_columns, n_orders), n_columns), int64

    Examples
    --------
    >>> draw_orders(2, 4, torch.Generator()).tolist()
    [[0, 1], [1, 0]]
    """
    wanted = n_distinct_orders(n_columns, n_orders + 1)
    if wanted <= n_orders:
        return np.array(list(itertools.permutations(range(n_columns))), dtype=np.int64)
    orders = {}
    while len(orders) < n_orders:
        orders[tuple(torch.randperm(n_columns, generator=generator).tolist())] = None
    return np.array(list(orders), dtype=np.int64)


@torch.no_grad()
def draw_rows(network, rows, known, orders, order, uniform, never, options):
    """Return codes (n, n_columns), those of `rows` where they are known and drawn where they are not.

    Parameters
    ----------
    network : OrderlessNetwork
    rows : ndarray of shape (n, n_columns), int
    known : ndarray of shape (n, n_columns), bool
    orders : ndarray of shape (n_orders, n_columns), int64
        Orders of the columns.
    order : ndarray of shape (n,), int
        The order in which each row is drawn.
    uniform : callable
        Positions of rows (b,) → ndarray (b, n_columns, 2) of numbers in [0, 1), which decide the draws of these rows.
    never : list of int or None
        For each column a coarse code that is not drawn, or None; or None for all.
    options : dict
        `temperature`, `top_k` and `top_p`.
    """
    device, drawn = network.values.device, np.maximum(rows, 0).astype(np.int64)
    pieces = [
        (chosen, columns)
        for index, columns in enumerate(orders)
        for chosen in _pieces(np.flatnonzero(order == index), DRAWN_ROWS)
    ]
    with job("drawing rows", len(pieces)) as advance:
        for chosen, columns in pieces:
            numbers = torch.from_numpy(uniform(chosen))
            part = network.draw(
                torch.from_numpy(drawn[chosen]).to(device),
                torch.from_numpy(known[chosen]).float().to(device),
                columns.tolist(),
                numbers.to(device, torch.float32),
                never=never,
                **options,
            )
            drawn[chosen] = part.cpu().numpy()
            if advance is not None:
                advance()
    return drawn


def _pieces(indices, size):
    return [indices[start : start + size] for start in range(0, len(indices), size)]


@torch.no_grad()
def log_probabilities(network, rows, counted, order, never):
    """Return the log probability of each code given those of its row that come before it in an order of the columns.

    And, given the same, the log probability that it is not `never`.

    Parameters
    ----------
    network : OrderlessNetwork
    rows : Rows
        Codes (n, n_columns).
    counted : ndarray of shape (n, n_columns), bool
        The others are unknown: nothing is predicted from them.
    order : ndarray of shape (n_columns,), int
        All columns.
    never : list of int or None
        For each column a coarse code, such as that of a missing cell, or None.

    Returns
    -------
    found, rest : ndarray of shape (n, n_columns), float64
    """
    found, rest, start = np.empty(counted.shape), np.empty(counted.shape), 0
    for batch in batches(rows, SCORED_ROWS, "scoring rows"):
        stop = start + len(batch)
        codes = fill_block(batch.clamp_min(0))
        there = fill_block(torch.from_numpy(counted[start:stop]).float().to(codes.device))
        known = torch.zeros_like(there)
        entry = network.entry(codes, known)
        for column in order.tolist():
            parts = network.log_prob_of(codes, known, column, entry, never[column])
            for table, part in zip((found, rest), parts):
                table[start:stop, column] = part[: len(batch)].cpu().double().numpy()
            known[:, column] = there[:, column]
            entry += there[:, column, None] * network.entry_of(codes[:, column], column)
        start = stop
    return found, rest


@torch.no_grad()
def best_guesses(network, rows, known, values, never, options):
    """Return the mean of every column given the known ones, or its likeliest code where codes have no values.

    Parameters
    ----------
    network : OrderlessNetwork
    rows : Rows
        Codes (n, n_columns).
    known : ndarray of shape (n, n_columns), bool
    values : list of ndarray or None
        For each column the value of each of its codes.
    never : list of int or None
        For each column a coarse code that it does not have, or None.
    options : dict
        `temperature`, `top_k` and `top_p`.

    Returns
    -------
    ndarray of shape (n, n_columns), float64
        NaN in columns that are known in all rows of a batch.
    """
    found, start = np.full(known.shape, np.nan), 0
    for batch in batches(rows, SCORED_ROWS, "filling rows"):
        part = slice(start, start + len(batch))
        codes = fill_block(batch.clamp_min(0))
        context = network.context(codes, fill_block(torch.from_numpy(known[part]).float().to(codes.device)))
        for column in np.flatnonzero(~known[part].all(axis=0)):
            likely = network.probabilities_of(context, column, never=never[column], **options)[: len(batch)]
            likely = likely.cpu().double().numpy()
            found[part, column] = likely.argmax(axis=1) if values[column] is None else likely @ values[column]
        start += len(batch)
    return found

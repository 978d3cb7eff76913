"""Pass many rows of a table's codes through an orderless network: samples and likelihoods."""

import itertools

import numpy as np
import torch

from ..core.inference import batches, fill_block, job

# Draws that a mean of completions is taken over.
DRAWS_OF_A_MEAN = 32
# Rows that are drawn or scored together, and draws that are averaged together.
DRAWN_ROWS, SCORED_ROWS, AVERAGED_ROWS = 2048, 1024, 16_384


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
def log_probabilities(network, rows, counted, order):
    """Return the log probability of each code given those of its row that come before it in an order of the columns.

    Parameters
    ----------
    network : OrderlessNetwork
    rows : Rows
        Codes (n, n_columns).
    counted : ndarray of shape (n, n_columns), bool
        The others are unknown: nothing is predicted from them.
    order : ndarray of shape (n_columns,), int
        All columns.

    Returns
    -------
    ndarray of shape (n, n_columns), float64
    """
    found, start = np.empty(counted.shape), 0
    for batch in batches(rows, SCORED_ROWS, "scoring rows"):
        stop = start + len(batch)
        codes = fill_block(batch.clamp_min(0))
        there = fill_block(torch.from_numpy(counted[start:stop]).float().to(codes.device))
        known = torch.zeros_like(there)
        for column in order.tolist():
            found[start:stop, column] = network.log_prob_of(codes, known, column)[: len(batch)].cpu().double().numpy()
            known[:, column] = there[:, column]
        start = stop
    return found


def even_numbers(n_draws, shape, random):
    """Return n_draws arrays of numbers from U(0, 1), ndarray (n_draws, *shape): each place has one in every n-th part.

    So means over the draws differ less than those of independent numbers do (Latin hypercube sampling, McKay et al.
    1979).
    """
    parts = random.random_sample((n_draws, *shape)).argsort(axis=0)
    return (parts + random.random_sample((n_draws, *shape))) / n_draws

"""Orders of so many rows that a list of their positions would be large: they are computed where they are needed."""

import numpy as np
import torch

# Rounds of mixing: after one, correlations of neighbours spread 13 times as widely as chance has it, after two 3 to 6
# times, after three 1.4 to 1.7, after four 1.03 to 1.09, after five .96 to 1.00.
ROUNDS = 5
# Positions that are computed at once.
PIECE = 2**15


class ComputedOrder:
    """The positions 0 … n_rows - 1 in a drawn order, none of which is stored: read as an ndarray, ``order[3:8]``.

    A position is mixed by steps that lead from each number below a power of two to another one, back and forth without
    loss [1]_; what falls at or above `n_rows` is mixed again, until it does not ("cycle walking") [2]_. So each
    position comes once.

    Parameters
    ----------
    n_rows : int
    generator : torch.Generator
        Source of the keys that choose one of the orders.

    References
    ----------
    .. [1] Kensler, "Correlated Multi-Jittered Sampling", Pixar Technical Memo 13-01, 2013, section 5.
    .. [2] Black, Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002, section 3.

    Examples
    --------
    >>> order = ComputedOrder(1000, torch.Generator().manual_seed(0))
    >>> len(order), sorted(order[:].tolist()) == list(range(1000)), sorted(order[:10].tolist()) == list(range(10))
    (1000, True, False)
    """

    def __init__(self, n_rows, generator):
        self.n_rows = n_rows
        self.n_bits = max(2, (n_rows - 1).bit_length())
        keys = torch.randint(2**62, (2, ROUNDS), generator=generator).numpy().astype(np.uint64)
        self.factors, self.shifts = keys[0] | np.uint64(1), keys[1]  # an odd factor can be divided out again
        self.begin, self.piece = 0, np.empty(0, dtype=np.int64)

    def __len__(self):
        """Return the number of positions."""
        return self.n_rows

    def __getitem__(self, places):
        """Return the positions at places of the order, a slice or an ndarray of int: ndarray of int64."""
        if not isinstance(places, slice):
            return self._computed(np.asarray(places, dtype=np.uint64))
        start, stop, step = places.indices(self.n_rows)
        if step != 1 or stop - start > PIECE:
            return self._computed(np.arange(start, stop, step, dtype=np.uint64))
        if start < self.begin or stop > self.begin + len(self.piece):
            self.begin = start
            self.piece = self._computed(np.arange(start, min(start + PIECE, self.n_rows), dtype=np.uint64))
        return self.piece[start - self.begin : max(start, stop) - self.begin]

    def _computed(self, places):
        positions = self._mixed(places)
        while len(outside := np.flatnonzero(positions >= self.n_rows)):
            positions[outside] = self._mixed(positions[outside])
        return positions.astype(np.int64)

    def _mixed(self, numbers):
        mask, half = np.uint64(2**self.n_bits - 1), np.uint64(self.n_bits // 2)
        for factor, shift in zip(self.factors, self.shifts):
            numbers = (numbers * factor + shift) & mask
            numbers ^= numbers >> half
        return numbers


class AllBut:
    """The positions 0 … n_rows - 1 without a few of them, in order, of which only the few are stored.

    Parameters
    ----------
    n_rows : int
    left_out : ndarray of int
        Distinct sorted positions.

    Examples
    --------
    >>> AllBut(6, np.array([0, 3]))[1:].tolist()
    [2, 4, 5]
    """

    def __init__(self, n_rows, left_out):
        self.n_rows = n_rows - len(left_out)
        self.n_before = left_out - np.arange(len(left_out))  # the positions that stay before each that is left out

    def __len__(self):
        """Return the number of positions that stay."""
        return self.n_rows

    def __getitem__(self, places):
        """Return the positions at places among those that stay, a slice or an ndarray of int: ndarray of int64."""
        if isinstance(places, slice):
            places = np.arange(*places.indices(self.n_rows))
        return places + np.searchsorted(self.n_before, places, side="right")

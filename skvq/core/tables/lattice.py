"""Grid points that many values of a column lie on: every sixth hour, prices that end in .99, multiples of 5."""

import functools
from dataclasses import dataclass

import numpy as np

# Periods that are tried: these numbers times a power of ten, in steps of the grid, and those of the caller.
MANTISSAS = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
# A lattice comes back at least so often in the range of the values.
FEWEST_PERIODS = 4
# Residues that are told apart from the rest: at most so many, each with this share of the values, at least so many of
# them, this many times as many as without a lattice, and so many standard errors more.
MOST_RESIDUES, LEAST_SHARE, LEAST_VALUES, LEAST_RATIO, LEAST_Z = 32, 0.01, 5, 1.5, 5.0
# A lattice is kept if it makes the values of a column likelier by so many nats each.
LEAST_GAIN = 0.02
# Periods are compared on so many distinct values.
MOST_COMPARED = 4096
# Rounds of iterative proportional fitting of the weights.
ROUNDS = 10
# The least weight of all other points, so that every point has a probability.
LEAST_REST = 1e-6


@dataclass(frozen=True)
class Lattice:
    """How much likelier than others some points of a grid are, by their residue modulo a period.

    Points are integers: values in steps of the grid. Within a stretch of points each has a probability that is
    proportional to its weight.

    Attributes
    ----------
    period : int
    residues : tuple of int
        Ascending, from 0 to period - 1.
    weights : tuple of float
        Of a point of each residue. The weights of `period` consecutive points sum to 1.
    rest : float
        Weight of any other point.

    Examples
    --------
    >>> lattice = Lattice(5, (0,), (0.6,), 0.1)  # multiples of 5 are six times as frequent as other integers
    >>> lattice.weight(np.array([9, 10, 11])), lattice.share_below(np.array([9.5]), 0.5, 10.5)
    (array([0.1, 0.6, 0.1]), array([0.7]))
    >>> lattice.at(np.array([0.1, 0.35, 0.7]), 0.5, 10.5)
    array([2.5, 5. , 9.5])
    """

    period: int
    residues: tuple[int, ...]
    weights: tuple[float, ...]
    rest: float

    @classmethod
    def fit(cls, points, counts, first, last, periods=()):
        """Return the lattice of points in stretches, None where there is none.

        Parameters
        ----------
        points, counts : ndarray of int64, of shape (n,)
            Distinct points, ascending, and how many values each has.
        first, last : ndarray of int64, of shape (m,)
            The first and the last point of each stretch, whose points would be alike without a lattice.
        periods : sequence of int
            Further periods to try.
        """
        if not len(points):
            return None
        mass = np.add.reduceat(counts, np.searchsorted(points, first)).astype(np.float64)
        stretches = first, last, mass
        chosen = slice(None)
        if len(points) > MOST_COMPARED:
            chosen = np.sort(np.random.RandomState(0).choice(len(points), MOST_COMPARED, replace=False))
        best, found = LEAST_GAIN * counts[chosen].sum(), None
        for period in _candidates(points[-1] - points[0], periods):
            gain, residues = _gain(points[chosen], counts[chosen], stretches, period)
            if gain > best:
                best, found = gain, (period, residues)
        return None if found is None else cls(*found, *_weights(points, counts, stretches, *found))

    def check(self):
        """Raise ValueError for fields that no fit gives."""
        residues, weights = np.array(self.residues), np.array(self.weights)
        if not 2 <= self.period < 2**52 or not 1 <= len(residues) == len(weights) <= MOST_RESIDUES:
            raise ValueError("a lattice's period is out of range, or its residues and weights do not go together")
        if (np.diff(residues, prepend=-1) <= 0).any() or residues[-1] >= self.period:
            raise ValueError("a lattice's residues do not ascend below its period")
        total = weights.sum() + self.rest * (self.period - len(residues))
        if not (weights > 0).all() or not self.rest >= 0 or not abs(total - 1) < 1e-6:
            raise ValueError("a lattice's weights do not sum to 1")

    def weight(self, points):
        """Return the weights of points, ndarray of float64 of the same shape."""
        modulo = np.mod(points, self.period)
        index = np.minimum(np.searchsorted(self.residues, modulo), len(self.residues) - 1)
        return np.where(np.array(self.residues)[index] == modulo, np.array(self.weights)[index], self.rest)

    def total(self, left, right):
        """Return the weight of all points from `left` to `right`, which lie half way between points."""
        turns, below = self._below(right)
        turns_left, below_left = self._below(left)
        return (turns - turns_left) + (below - below_left)

    def share_below(self, points, left, right):
        """Return the share of the weight from `left` to `right` that lies below points, float: that of a point is even.

        A point stands for the interval from half a step below to half a step above it.
        """
        return self.total(left, points) / self.total(left, right)

    def at(self, share, left, right):
        """Return the points, float, below which a share of the weight from `left` to `right` lies."""
        turns_left, below_left = self._below(left)
        target = below_left + share * self.total(left, right)
        turns = np.floor(target)
        positions, cumulative = self._knots
        return (turns_left + turns) * self.period + np.interp(target - turns, cumulative, positions) - 0.5

    def nearest(self, points):
        """Return the nearest point to each, float, that has one of the residues."""
        turns = np.floor(points / self.period)
        around = np.array([self.residues[-1] - self.period, *self.residues, self.residues[0] + self.period])
        middle = (around[:-1] + around[1:]) / 2
        return turns * self.period + around[np.searchsorted(middle, points - turns * self.period)]

    def _below(self, points):
        """Return the whole periods below points, and the weight of the points of the broken one."""
        shifted = np.asarray(points, dtype=np.float64) + 0.5
        turns = np.floor(shifted / self.period)
        return turns, np.interp(shifted - turns * self.period, *self._knots)

    @functools.cached_property
    def _knots(self):
        """Positions in a period, at the ends of points, and the weights below them: between two it rises evenly."""
        residues = np.array(self.residues)
        positions = np.unique(np.concatenate([[0], residues, residues + 1, [self.period]]))
        parts = self.weight(positions[:-1]) * np.diff(positions)
        cumulative = np.concatenate([[0.0], np.cumsum(parts)])
        return positions.astype(np.float64), cumulative / cumulative[-1]


def _candidates(span, periods):
    """Return the periods, ascending, that come back often enough in a span."""
    most = int(span) // FEWEST_PERIODS
    decimal = {round(mantissa * 10.0**k) for k in range(len(str(most))) for mantissa in MANTISSAS}
    return sorted(period for period in {*decimal, *periods} if 2 <= period <= most)


def _gain(points, counts, stretches, period):
    """Return how many nats likelier values are with the lattice of a period, less what it costs, and its residues."""
    residues, inverse = np.unique(np.mod(points, period), return_inverse=True)
    each = np.bincount(inverse, weights=counts)
    n = counts.sum()
    order = np.argsort(-each, kind="stable")[:MOST_RESIDUES]
    order = order[each[order] >= max(LEAST_VALUES, LEAST_SHARE * n)]
    if not len(order):
        return 0.0, ()
    expected = n * _expected(stretches, period, residues[order])
    found = each[order]
    clear = (found > LEAST_RATIO * expected) & (found - expected > LEAST_Z * np.sqrt(expected + 1.0))
    found, expected, kept = found[clear], expected[clear], residues[order[clear]]
    rest, expected_rest = n - found.sum(), n - expected.sum()
    if not len(kept) or expected_rest <= 0:
        return 0.0, ()
    gain = found @ np.log(found / expected) - len(kept) * np.log(n)
    gain += rest * np.log(rest / expected_rest) if rest > 0 else 0.0
    return gain, tuple(np.sort(kept).tolist())


def _of_residues(first, last, period, residues):
    """Return how many points of each residue lie from `first` to `last`: (stretches, residues)."""
    upper, lower = (ends[:, None] - residues[None] for ends in (last, first - 1))
    return upper // period - lower // period


def _expected(stretches, period, residues):
    """Return the share of values that points of each residue would have, were the points of a stretch alike."""
    first, last, mass = stretches
    within = _of_residues(first, last, period, residues) / (last - first + 1)[:, None]
    return mass @ within / mass.sum()


def _weights(points, counts, stretches, period, residues):
    """Return the weight of a point of each residue, and of others, by iterative proportional fitting."""
    first, last, mass = stretches
    residues = np.array(residues)
    n_points = _of_residues(first, last, period, residues).astype(np.float64)
    n_points = np.concatenate([n_points, (last - first + 1 - n_points.sum(axis=1))[:, None]], axis=1)
    modulo = np.mod(points, period)
    found = np.array([counts[modulo == residue].sum() for residue in residues], dtype=np.float64)
    found = np.append(found, max(counts.sum() - found.sum(), LEAST_REST))
    weights = np.ones(len(found))
    for _ in range(ROUNDS):
        parts = n_points * weights
        weights *= found / np.maximum(mass @ (parts / parts.sum(axis=1, keepdims=True)), LEAST_REST)
    total = weights[:-1].sum() + weights[-1] * (period - len(residues))
    weights /= total
    return tuple(weights[:-1].tolist()), float(weights[-1])

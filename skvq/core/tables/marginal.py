"""The distribution of the cells of one numeric column, as atoms and stretches of values in ascending order."""

import functools
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from .decimals import DECIMALS_OF_MOST, FEW_DIGITS, FINEST_DECIMALS, MOST_DECIMALS, decimals_of, fine_decimals, settled
from .lattice import LEAST_SHARE, Lattice

# A column of so few distinct values is made of atoms alone.
FEW_VALUES = 64
# Otherwise a value is an atom if this share of the cells holds it, and at least so many cells.
ATOM_SHARE, ATOM_CELLS = 0.005, 5
# Stretches: at most this many by quantiles, more in both tails, and on average so many cells in each.
MOST_STRETCHES, CELLS_OF_A_STRETCH = 256, 5
# The values that occur are kept where there are at most so many of them, and most cells share theirs with others.
MOST_SEEN, SHARE_OF_SINGLE = 2048, 0.5
# Larger columns are represented by a sample of their cells.
MOST_CELLS = 200_000
# A log density is not lower, so that many of them add up to a finite number.
LARGEST_FALL = 1e290


def _sample(values):
    """Return at most MOST_CELLS of the values, spread over all of them, with the smallest and the largest."""
    if len(values) <= MOST_CELLS:
        return values
    chosen = np.random.RandomState(0).randint(len(values), size=MOST_CELLS - 2)
    return np.concatenate([values[chosen], [values.min(), values.max()]])


def _log_ratio(one, other):
    """Return log(one / other) of positive numbers, also where the ratio is beyond float64."""
    with np.errstate(over="ignore"):
        ratio = np.float64(one) / other
    return np.log(ratio) if np.isfinite(ratio) else np.log(one) - np.log(other)


def _are_kept(counts):
    """Return whether the distinct values with these counts are kept."""
    return len(counts) <= MOST_SEEN and (counts == 1).sum() < SHARE_OF_SINGLE * counts.sum()


def _decimals_of_mixture(values):
    """Return the decimals of many distinct values more than half of which need three; None for other columns.

    Frequent values need no more than six.
    """
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= FEW_VALUES or _are_kept(counts):
        return None
    fine = np.round(distinct, MOST_DECIMALS) != distinct
    if (np.round(distinct, DECIMALS_OF_MOST) == distinct).mean() <= 0.5 or (counts[fine] >= ATOM_CELLS).any():
        return None
    return fine_decimals(distinct)


def _levels(n_cells):
    """Return the quantile levels at which `n_cells` cells are cut into stretches: even, and finer in the tails."""
    n_stretches = int(np.clip(n_cells // CELLS_OF_A_STRETCH, 1, MOST_STRETCHES))
    tail = 0.5 ** np.arange(1, 20) / n_stretches
    tail = tail[tail * n_cells >= CELLS_OF_A_STRETCH]
    return np.sort(np.concatenate([np.arange(1, n_stretches) / n_stretches, tail, 1 - tail]))


@dataclass(frozen=True)
class Marginal:
    """The distribution of the observed cells of a numeric column: pieces in ascending order.

    A piece is an atom, a single value that many cells share, or a stretch of values over which mass is spread evenly.
    Probability is counted from below: of n cells, each piece has its share of ``n / (n + 2)``, and ``1 / (n + 2)`` lies
    beyond each end of the range, for values that were not seen. A value that lies in no piece, between atoms, can still
    be mapped and has a density.

    Attributes
    ----------
    left, right : tuple of float
        Where each piece begins and ends; the same number for an atom. The ends of stretches are half way between
        neighbouring values, or between neighbouring points of the grid; the first and the last are the smallest and
        the largest value, on a grid half a step beyond them.
    mass : tuple of float
        Share of each piece; they sum to 1.
    step : float or None
        All values are multiples of it: 1 for integers, 0.01 for prices. None if six decimals do not represent them,
        unless three represent most of them: then it is so fine that the others keep their digits (`fine_decimals`).
    n : int
        Number of cells seen.
    seen, counts : tuple of float and of int
        The different values and how many cells hold each, in a column most of whose cells share their value with others
        and that has no more than 2,048 values: then what is drawn is among them. Empty for other columns.
    lattice : Lattice or None
        Points of the grid, by their residue modulo a period, that are more frequent in stretches than others, such as
        full hours or prices that end in .99. The mass of a stretch is spread evenly over its points without one.

    Examples
    --------
    >>> marginal = Marginal.fit(np.array([0.0, 0.0, 0.0, 2.0]))
    >>> marginal.left, marginal.mass, marginal.step
    ((0.0, 2.0), (0.75, 0.25), 1.0)
    >>> marginal.from_normal(marginal.to_normal(np.array([0.0, 2.0])))
    array([0., 2.])
    """

    left: tuple[float, ...]
    right: tuple[float, ...]
    mass: tuple[float, ...]
    step: float | None
    n: int
    seen: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    lattice: Lattice | None = None

    @classmethod
    def fit(cls, values, periods=(), dtype=np.float64):
        """Return the marginal of values, ndarray (n,) of float64, finite, n > 0.

        Of more than 200,000 values a sample is taken, and the smallest and the largest. A lattice may have one of the
        `periods`, in the unit of the values, or some number of steps of the grid. The grid is that of decimals to which
        the values are nearest in the float `dtype` that they came in: 0.1 as float32 has one decimal.
        """
        sample, n = _sample(values) + 0.0, len(values)  # + 0.0 makes -0.0 a zero
        decimals = decimals_of(sample, dtype)
        if decimals is not None:
            return cls._fit(np.round(sample, decimals), n, 10.0**-decimals, periods)
        mixture = settled(sample, dtype)
        decimals = _decimals_of_mixture(mixture)
        if decimals is not None:
            rounded = cls._fit(np.round(mixture, decimals), n, 10.0**-decimals, periods)
            if rounded.lattice is not None:
                return rounded
        return cls._fit(sample, n, None, periods)

    @classmethod
    def _fit(cls, sample, n, step, periods):
        """Return the marginal of a sample of n values, which are multiples of `step`."""
        distinct, counts = np.unique(sample, return_counts=True)
        if len(distinct) <= FEW_VALUES:
            is_atom = np.ones(len(distinct), dtype=bool)
        else:
            is_atom = counts >= max(ATOM_CELLS, ATOM_SHARE * len(sample))
        first, last = _pieces(counts, is_atom)
        left, right = _edges(distinct, counts, is_atom, first, last, step)
        mass = np.add.reduceat(counts, first) / len(sample)
        kept = _are_kept(counts) and not is_atom.all()
        seen, n_seen = (distinct, counts) if kept else (distinct[:0], counts[:0])
        lattice = None
        if step is not None and not is_atom.all():
            others, stretch = ~is_atom, ~is_atom[first]
            points = np.round(distinct[others] / step).astype(np.int64)
            ends = np.ceil(left[stretch] / step), np.floor(right[stretch] / step)
            steps = [round(period / step) for period in periods]
            lattice = Lattice.fit(points, counts[others], *(end.astype(np.int64) for end in ends), steps)
        pieces = (tuple(part.tolist()) for part in (left, right, mass))
        return cls(*pieces, step, n, tuple(seen.tolist()), tuple(n_seen.tolist()), lattice)

    def check(self):
        """Raise ValueError for fields that no fit gives."""
        left, right, mass = self._left, self._right, np.array(self.mass)
        if not 0 < len(left) == len(right) == len(mass) <= 2 * MOST_STRETCHES + 2 * round(1 / ATOM_SHARE):
            raise ValueError("a marginal's numbers of pieces differ, or are too large")
        finite = np.isfinite(np.concatenate([left, right, mass])).all() and np.isfinite(right[-1] - left[0])
        if not finite or (left > right).any() or (right[:-1] > left[1:]).any():
            raise ValueError("a marginal's pieces do not ascend")
        if not (mass > 0).all() or abs(mass.sum() - 1) > 1e-6 or self.n < 1:
            raise ValueError("a marginal's masses are no shares")
        if self.step is not None and self.step not in [10.0**-decimals for decimals in range(FINEST_DECIMALS + 1)]:
            raise ValueError("a marginal's step is no power of ten")
        if not len(self.seen) == len(self.counts) <= MOST_SEEN or not (np.diff(self._seen) > 0).all():
            raise ValueError("a marginal's values do not ascend, or are too many")
        if len(self.seen) and (min(self.counts) < 1 or (np.diff(self._bounds) < 1).any()):
            raise ValueError("a marginal's values have no counts")
        if self.lattice is not None:
            if self.step is None:
                raise ValueError("a marginal's lattice has no grid")
            self.lattice.check()

    @property
    def low(self):
        """The smallest value."""
        return self._ends[0]

    @property
    def high(self):
        """The largest value."""
        return self._ends[1]

    def to_normal(self, values):
        """Return the standard-normal scores of values, float64 of the same shape.

        An atom goes to the middle of its interval of probability, a stretch is linear in probability, and what lies
        between pieces is interpolated. Beyond the range scores go on along a line, one for every standard deviation.
        """
        scores = ndtri(self.share_below(values))
        below, above = values < self._left[0], values > self._right[-1]
        with np.errstate(over="ignore"):  # an infinite score is refused where rows become batches
            if below.any():
                scores[below] = self._scores[0] + (values[below] - self._left[0]) / self.spread
            if above.any():
                scores[above] = self._scores[-1] + (values[above] - self._right[-1]) / self.spread
        return scores

    def share_below(self, values):
        """Return the probability below values, half of that of an atom among it, linear between pieces."""
        if self.lattice is not None:
            piece = self.piece_of(values)
            left, right = self._left[piece], self._right[piece]
            inside = (values > left) & (values < right)
            left, right = left[inside], right[inside]
            share = self.lattice.share_below(values[inside] / self.step, self._in_steps(left), self._in_steps(right))
            values = values.copy()
            values[inside] = left + share * (right - left)
        return np.interp(values, *self.knots)

    def from_normal(self, u, *, clip=True):
        """Return the values that have the standard-normal scores `u`, ndarray of float64, on the grid if there is one.

        Parameters
        ----------
        u : ndarray of float64
        clip : bool, default=True
            Whether values are cut to the range that was seen; else they go on along the lines of :meth:`to_normal`.
        """
        piece = np.clip(np.searchsorted(self._scores, u, side="right") - 1, 0, len(self.left) - 1)
        lower = self._edges[piece]
        within = np.clip((ndtr(u) - lower) / (self._edges[piece + 1] - lower), 0.0, 1.0)
        values = self._nearest(self._at(piece, within))
        if not clip:
            beyond = (u < self._scores[0], u > self._scores[-1])
            for outside, end, score in zip(beyond, self._ends, self._scores[[0, -1]]):
                values[outside] = self._on_grid(end + (u[outside] - score) * self.spread)
        return values

    def normal_bounds(self, values, *, discrete=False):
        """Return the part of the standard-normal scores that each value stands for: (lower, upper, log_unit).

        An atom stands for the scores from `lower` to `upper`, and so does a point of the grid if `discrete`: its
        probability is that of the interval. Any other value stands for one score, ``lower == upper``, and its density
        is that of the score times exp(log_unit), the slope of the score there; between pieces log_unit is -inf. The
        intervals touch one another and the stretches, and with the values beyond the range cover the whole line.

        Parameters
        ----------
        values : ndarray of float64
        discrete : bool, default=False
            Whether the column holds points of the grid only, such as integers.
        """
        piece, low, high = self.piece_of(values), self._left[0], self._right[-1]
        inside = (values >= self._left[piece]) & (values <= self._right[piece])
        atom, stretch = inside & self.is_atom[piece], inside & ~self.is_atom[piece]
        lower = self.to_normal(values)
        upper, log_unit = lower.copy(), np.where(inside, 0.0, -np.inf)
        lower[atom], upper[atom] = self._scores[piece[atom]], self._scores[piece[atom] + 1]
        if discrete and self.step is not None:
            half = self.step / 2
            lower[stretch], upper[stretch] = (self.to_normal(values[stretch] + shift) for shift in (-half, half))
            below, above = values < self.low, values > self.high
            outer = np.maximum(self.low - values, values - self.high) / self.spread
            inner = outer - self.step / self.spread
            lower[below], upper[below] = self._scores[0] - outer[below], self._scores[0] - inner[below]
            lower[above], upper[above] = self._scores[-1] + inner[above], self._scores[-1] + outer[above]
            log_unit[below | above] = 0.0
            return lower, upper, log_unit
        on = piece[stretch]
        slope = (self._edges[on + 1] - self._edges[on]) / (self._right[on] - self._left[on])
        log_unit[stretch] = np.log(slope) + 0.5 * (np.square(lower[stretch]) + np.log(2 * np.pi))
        log_unit[stretch] += self._log_emphasis(values[stretch], on)
        log_unit[(values < low) | (values > high)] = -np.log(self.spread)
        return lower, upper, log_unit

    def piece_of(self, values):
        """Return the index of the piece that each value lies in, or is nearest to: ndarray of int64."""
        piece = np.clip(np.searchsorted(self._left, values, side="right") - 1, 0, None)
        following = np.minimum(piece + 1, len(self.left) - 1)
        nearer = self._left[following] - values < values - self._right[piece]
        return np.where((values > self._right[piece]) & nearer, following, piece)

    def draw_in(self, pieces, uniform):
        """Return values within given pieces.

        Parameters
        ----------
        pieces : ndarray of int
        uniform : ndarray of float64 in [0, 1], of the same shape
            Where in its piece a value lies.
        """
        if not self.seen:
            return self._at(pieces, uniform)
        lower, upper = self._cells_below[self._bounds[pieces]], self._cells_below[self._bounds[pieces + 1]]
        target = lower + uniform * (upper - lower)
        index = np.searchsorted(self._cells_below, target, side="right") - 1
        return self._seen[np.clip(index, self._bounds[pieces], self._bounds[pieces + 1] - 1)]

    def log_within(self, values, *, discrete=False):
        """Return the log density of values within their pieces, each of which has mass 1; -inf for those in none."""
        piece = self.piece_of(values)
        inside = (values >= self._left[piece]) & (values <= self._right[piece])
        width = np.where(self.is_atom[piece], 1.0, self._right[piece] - self._left[piece])
        unit = np.where(self.is_atom[piece], 1.0, self._unit(discrete))
        found = np.where(inside, np.log(unit / width), -np.inf)
        stretch = inside & ~self.is_atom[piece]
        found[stretch] += self._log_emphasis(values[stretch], piece[stretch])
        return found

    def _log_emphasis(self, values, pieces):
        """Return the log of how much likelier values are than if all points of their stretches were alike."""
        if self.lattice is None:
            return 0.0
        left, right = self._in_steps(self._left[pieces]), self._in_steps(self._right[pieces])
        weight = self.lattice.weight(np.round(values / self.step))
        return np.log(weight * (right - left) / self.lattice.total(left, right))

    def log_stray(self, values, *, discrete=False):
        """Return the log density of what is spared for values that were not seen; its mass is :meth:`stray`.

        Of it, 1 / (n + 3) lies evenly over the range, and as much beyond each end, where it falls by a factor e for
        every standard deviation. A value that is an atom has none of it, unless all values are points of a grid.
        """
        grid = discrete and self.step is not None
        low, high = (self.low, self.high) if grid else (self._left[0], self._right[-1])
        whole = high - low + (self.step if grid else 0.0)
        each = -np.log(self.n + 3)
        if whole > 0:
            found = np.full(np.shape(values), each + _log_ratio(self._unit(discrete), whole))
            if not grid:
                piece = self.piece_of(values)
                found[self.is_atom[piece] & (values == self._left[piece])] = -np.inf
        else:
            found = np.full(np.shape(values), -np.inf)
        distance = np.maximum(low - values, values - high)
        beyond = distance > 0
        if grid:  # geometric: the first point beyond the range has distance `step`
            rate = self.step / self.spread
            each, distance = each + np.log(-np.expm1(-rate)), distance - self.step
        else:
            each -= np.log(self.spread)
        with np.errstate(over="ignore"):
            fall = np.minimum(distance[beyond] / self.spread, LARGEST_FALL)
        found[beyond] = each - fall
        return found

    def stray(self, *, discrete=False):
        """Return the probability that is spared for values that were not seen."""
        even = self._right[-1] > self._left[0] or (discrete and self.step is not None)
        return (3.0 if even else 2.0) / (self.n + 3)

    def _unit(self, discrete):
        return self.step if discrete and self.step is not None else 1.0

    @functools.cached_property
    def scores(self):
        """The standard-normal score of the middle of each piece, in probability: ndarray of float64."""
        return ndtri((self._edges[:-1] + self._edges[1:]) / 2)

    def snap(self, values, *, clip=True):
        """Return values on the grid, if there is one, and by default cut to the range that was seen.

        What a network gives is no finer than six decimals, so on a finer grid six are kept but of small values.
        """
        on_grid = self._on_grid(values)
        if self.step is not None and self.step < 10.0**-MOST_DECIMALS:
            rounded = np.round(values, MOST_DECIMALS)
            on_grid = np.where(np.abs(rounded - values) <= 10.0**-FEW_DIGITS * np.abs(values), rounded, on_grid)
        return self._within(on_grid) if clip else on_grid

    def _within(self, values):
        """Return values cut to the range that was seen."""
        return np.clip(values, *self._ends)

    def nearest(self, values):
        """Return the value nearest to each, within the range that was seen, that draws on a grid or lattice can have.

        That is one of the values that occur, where they are kept; a multiple of what the distances of atoms have in
        common, such as a full hour; and a point of the lattice that all but few values lie on.
        """
        if self.lattice is not None and 1.0 - sum(self.lattice.weights) < LEAST_SHARE:
            values = self.lattice.nearest(values / self.step) * self.step
        elif self.step is not None and len(self.left) > 1 and self.is_atom.all():
            between = np.gcd.reduce(np.round(np.diff(self._left) / self.step).astype(np.int64)) * self.step
            values = self._left[0] + np.round((values - self._left[0]) / between) * between
        return self._nearest(self.snap(values))

    def _in_steps(self, edges):
        """Return the ends of stretches in steps of the grid: half way between points, which float64 only is near to."""
        return np.floor(edges / self.step) + 0.5

    def _at(self, pieces, within):
        """Return the values at shares `within` of pieces, on the grid if there is one."""
        left, right = self._left[pieces], self._right[pieces]
        values = left + within * (right - left)
        if self.lattice is not None:
            wide = right > left
            left, right = self._in_steps(left[wide]), self._in_steps(right[wide])
            values[wide] = np.round(self.lattice.at(within[wide], left, right)) * self.step
        return self._within(self._on_grid(values))

    def _nearest(self, values):
        """Return the nearest of the values that occur, where they are kept, else the values themselves."""
        if not self.seen:
            return values
        middle = self._seen[:-1] + np.diff(self._seen) / 2
        return self._seen[np.searchsorted(middle, values)]

    def _on_grid(self, values):
        if self.step is None:
            return values
        return np.round(values, round(-np.log10(self.step))) + 0.0

    @functools.cached_property
    def spread(self):
        """Standard deviation of the cells; where they do not vary, their size or 1."""
        middle, width = (self._left + self._right) / 2, self._right - self._left
        mass = np.array(self.mass)
        origin = middle[0]
        shifted = middle - origin
        variance = mass @ (np.square(shifted) + np.square(width) / 12) - np.square(mass @ shifted)
        if variance > np.square(1e-9 * np.abs(self._left).max()):
            return float(np.sqrt(variance))
        return max(float(np.abs(self._left[0])), self.step or 1.0)

    @functools.cached_property
    def _seen(self):
        return np.array(self.seen, dtype=np.float64)

    @functools.cached_property
    def _bounds(self):
        """The position in `seen` of the first value of each piece, and at the end their number."""
        return np.append(np.searchsorted(self._seen, self._left, side="left"), len(self.seen))

    @functools.cached_property
    def _cells_below(self):
        """How many cells hold smaller values than each that occurs, and at the end their number."""
        return np.append(0, np.cumsum(self.counts))

    @functools.cached_property
    def _left(self):
        return np.array(self.left, dtype=np.float64)

    @functools.cached_property
    def _right(self):
        return np.array(self.right, dtype=np.float64)

    @functools.cached_property
    def is_atom(self):
        """Whether each piece is an atom: ndarray of bool."""
        return self._left == self._right

    @functools.cached_property
    def _ends(self):
        """The smallest and the largest value."""
        half = 0.0 if self.step is None else self.step / 2
        low = self._left[0] + half * (not self.is_atom[0])
        high = self._right[-1] - half * (not self.is_atom[-1])
        return float(self._on_grid(low)), float(self._on_grid(high))

    @functools.cached_property
    def _edges(self):
        """Probability below the start of each piece, and below the end of the last."""
        below = np.concatenate([[0.0], np.cumsum(self.mass)])
        return (1 + self.n * below / below[-1]) / (self.n + 2)

    @functools.cached_property
    def _scores(self):
        return ndtri(self._edges)

    @functools.cached_property
    def knots(self):
        """Values and the probabilities below them, between which all is linear: one of an atom, two of a stretch."""
        lower, upper = self._edges[:-1], self._edges[1:]
        middle = (lower + upper) / 2
        values = np.stack([self._left, self._right], axis=1)
        probabilities = np.stack([np.where(self.is_atom, middle, lower), np.where(self.is_atom, middle, upper)], axis=1)
        keep = np.stack([np.ones(len(middle), dtype=bool), ~self.is_atom], axis=1)
        return values[keep], probabilities[keep]


def _pieces(counts, is_atom):
    """Return the first and the last distinct value of each piece, as positions: atoms alone, others by quantiles."""
    others = np.where(is_atom, 0, counts)
    n_others = others.sum()
    if n_others == 0:
        positions = np.arange(len(counts))
        return positions, positions
    middle = (np.cumsum(others) - others / 2) / n_others
    bins = np.searchsorted(_levels(n_others), middle, side="right")
    starts = np.ones(len(counts), dtype=bool)
    starts[1:] = is_atom[1:] | is_atom[:-1] | (bins[1:] != bins[:-1])
    first = np.flatnonzero(starts)
    return first, np.append(first[1:] - 1, len(counts) - 1)


def _edges(distinct, counts, is_atom, first, last, step):
    """Return where pieces begin and end, given their first and last distinct values.

    Two stretches meet half way between their values. Towards an atom a stretch reaches no further than its own values
    are apart on average, so that nothing is drawn from a wide gap; on a grid it reaches half a step.
    """
    left, right = distinct[first].copy(), distinct[last].copy()
    stretch = ~is_atom[first]
    half = distinct[:-1] + np.diff(distinct) / 2
    if step is not None:
        half_step = step / 2
        left[stretch] -= half_step
        right[stretch] += half_step
        # Points of the grid that nobody has seen lie between two stretches: these meet in the middle, half way
        # between points.
        for_both = stretch[:-1] & stretch[1:]
        low, high = right[:-1][for_both], left[1:][for_both]
        middle = low + np.round((high - low) / step) // 2 * step
        right[:-1][for_both] = middle
        left[1:][for_both] = middle
        return left, right
    n_values = last - first + 1
    reach = np.where(n_values > 1, (distinct[last] - distinct[first]) / np.maximum(n_values - 1, 1), np.inf)
    lower = np.concatenate([distinct[:1], half])[first]
    upper = np.concatenate([half, distinct[-1:]])[last]
    beside = np.concatenate([[False], is_atom[last[:-1]]])
    left[stretch] = np.where(beside, np.maximum(lower, left - reach), lower)[stretch]
    beside = np.concatenate([is_atom[first[1:]], [False]])
    right[stretch] = np.where(beside, np.minimum(upper, right + reach), upper)[stretch]
    return left, right

"""Complete series with gaps: codes of the missing parts, decoded, and joined to what is known.

What the codes leave of the known steps beside a gap goes on into it: as the expectation of an autoregressive process of
order 1 between its two ends [1]_. So a completion meets the known steps without a jump.

References
----------
.. [1] G. E. P. Box, G. M. Jenkins, "Time Series Analysis: Forecasting and Control", 1976, section 3.2.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.parameters import POSITIVE_INTEGER, StrOptions, random_source
from .completion import boolean_mask, check_values, known_codes

CONSTRAINTS = {
    "n_draws": [POSITIVE_INTEGER],
    "n_candidates": [POSITIVE_INTEGER],
    "strategy": [StrOptions({"draw", "mean"})],
}
# Completions of a series of which one is taken, by how well it fits the known steps of parts that are known in part.
N_POOLED = 8
# Rounds in which codes of whole series and their gaps are fitted to each other.
N_ROUNDS = 20
# Correlations of what the codes leave, from one step to the next, that the ends of a gap are continued with.
CORRELATIONS = 0.01, 0.9999
# Values of decoded candidates that are held at a time.
BLOCK_VALUES = 4_000_000


@dataclass(frozen=True)
class SeriesCompletion:
    """The completion of series by one model.

    Attributes
    ----------
    layout : RowLayout
    spec : CodeSpec
    in_time : bool
        Whether a code stands for a part of a series, not for the whole of it.
    encode : callable
        Rows (n, length * C), time first, in the units of X → codes (n, codes_per_row).
    decode : callable
        Codes → series in the layout of X.
    prior : CodePrior
    """

    layout: Any
    spec: Any
    in_time: bool
    encode: Callable
    decode: Callable
    prior: Any

    def _series(self, codes):
        """Return the rows (n, length * C) that codes stand for, time first, in the units of X."""
        return self.layout.series.time_first(self.decode(codes).reshape(len(codes), -1)).astype(np.float64)

    def complete(self, X, mask, *, n_draws, n_candidates, strategy, random_state, **options):
        """Return X with its gaps filled: an array like X, or a list of them with several draws.

        Parameters
        ----------
        X : array-like like that of `fit`
            Anything where `mask` is False.
        mask : array-like of bool or None
            True where X is known; of the shape of X or of one series, the axis of channels may be left out. None: what
            is not NaN.
        n_draws, n_candidates : int
        strategy : {"draw", "mean"}
            The draws, or their mean.
        random_state : int, RandomState instance or None
        **options
            Of the prior.
        """
        random_state = random_source(random_state)
        X, rows, known = self._rows(X, mask)
        drawn = []
        for _ in range(n_draws):
            if self.in_time:
                filled = self._by_parts(rows, known, n_candidates, random_state, options)
            else:
                filled = self._as_a_whole(rows, known, random_state, options if n_draws > 1 else None)
            drawn.append(np.where(known, rows, filled))
        drawn = [np.mean(drawn, axis=0)] if strategy == "mean" else drawn
        drawn = [self.layout.series.as_passed(filled).astype(self.layout.dtype).reshape(X.shape) for filled in drawn]
        return drawn[0] if len(drawn) == 1 else drawn

    def _by_parts(self, rows, known, n_candidates, random_state, options):
        """Return rows whose gaps are filled by codes of parts, drawn given those of the parts that are known."""
        codes = self.encode(interpolated(rows, known, self._shape))
        kept = known_codes(known, self.layout.row_shape, self.spec)
        pools = max(1, BLOCK_VALUES // (N_POOLED * rows.shape[1]))
        filled = []
        for start in range(0, len(rows), pools):
            part = slice(start, start + pools)
            pooled = [np.repeat(values[part], N_POOLED, axis=0) for values in (codes, kept, rows, known)]
            drawn = self.prior.complete(*pooled[:2], n_candidates=n_candidates, random_state=random_state, **options)
            x_hat = self._series(drawn)
            misfit = self._misfit(x_hat, *pooled[2:]).reshape(-1, N_POOLED)
            chosen = np.arange(len(misfit)) * N_POOLED + misfit.argmin(axis=1)
            filled.append(self._joined(x_hat[chosen], rows[part], known[part]))
        return np.concatenate(filled)

    def _as_a_whole(self, rows, known, random_state, options):
        """Return rows whose gaps fit the codes of the whole, found in turns; with `options` from a draw on."""
        filled = interpolated(rows, known, self._shape)
        if options is not None:
            drawn = self._series(self.prior.sample(len(rows), random_state=random_state, **options))
            filled = np.where(known, rows, self._joined(drawn, rows, known))
        for _ in range(N_ROUNDS):
            filled = np.where(known, rows, self._joined(self._series(self.encode(filled)), rows, known))
        return filled

    def _joined(self, x_hat, rows, known):
        """Return decoded rows with what they leave of the known steps continued into the gaps."""
        left = np.where(known, rows - x_hat, 0.0)
        return x_hat + bridged(left, known, self._shape)

    def _misfit(self, x_hat, rows, known):
        """Return the squared error of the known values of each row, standardised: (n,)."""
        error = np.where(known, (x_hat - rows) / self.layout.scale, 0.0)
        return np.square(error).sum(axis=1)

    @property
    def _shape(self):
        return self.layout.series.length, self.layout.series.n_channels

    def _rows(self, X, mask):
        """Return X as an ndarray, its rows with time first, float64, 0 where not known, and what is known of them."""
        series = self.layout.series
        n_values = math.prod(self._shape)
        X = check_values(X, [(n_values,), series.axes])
        known = ~np.isnan(X) if mask is None else check_series_mask(mask, X.shape, series)
        rows = series.time_first(X.reshape(len(X), n_values).astype(np.float64))
        known = series.time_first(known.reshape(len(X), n_values))
        if not np.isfinite(rows[known]).all():
            raise ValueError("X holds NaN or infinity where mask says that it is known; mask=None takes NaN for a gap")
        return X, np.where(known, rows, 0.0), known


def check_series_mask(mask, X_shape, series):
    """Return which values of X are known: ndarray of bool, broadcast to the shape (n, n_values) in the order of X.

    Parameters
    ----------
    mask : array-like of bool
        Of the shape of X, of one series, or of either without the axis of channels.
    X_shape : tuple of int
        (n, n_values), or (n, ...) with an axis of channels.
    series : SeriesLayout

    Raises
    ------
    ValueError
        If the mask is not boolean or has another shape.
    """
    mask = boolean_mask(mask)
    n, n_values = X_shape[0], series.length * series.n_channels
    if mask.shape in [(n_values,), series.axes, (n, n_values), (n, *series.axes)]:
        rows = mask.reshape(-1, n_values)
    elif mask.shape in [(series.length,), (n, series.length)]:
        steps = mask.reshape(-1, series.length)
        rows = np.tile(steps, series.n_channels) if series.channels_first else np.repeat(steps, series.n_channels, 1)
    else:
        raise ValueError(
            f"mask has shape {mask.shape}; it must be {tuple(X_shape)} like X, or {series.axes} for all series, or "
            "either without the axis of channels"
        )
    return np.broadcast_to(rows, (n, n_values))


def _ends(known, shape):
    """Return the positions of the last known step before, and of the next after, each step, and these distances.

    All are (n, length, C); where there is none, the position is that of the other end and the distance infinite.
    """
    known = known.reshape(-1, *shape)
    steps = np.arange(shape[0])[None, :, None]
    before = np.maximum.accumulate(np.where(known, steps, -1), axis=1)
    after = np.minimum.accumulate(np.where(known, steps, shape[0])[:, ::-1], axis=1)[:, ::-1]
    to_left = np.where(before < 0, np.inf, steps - before)
    to_right = np.where(after >= shape[0], np.inf, after - steps)
    return before.clip(0), after.clip(None, shape[0] - 1), to_left, to_right


def interpolated(rows, known, shape):
    """Return rows (n, length * C) with gaps filled on straight lines, and with the nearest known step at the ends.

    A channel without a known step is filled with the mean of the channel's known values in other rows.
    """
    values = rows.reshape(-1, *shape)
    before, after, to_left, to_right = _ends(known, shape)
    left, right = np.take_along_axis(values, before, axis=1), np.take_along_axis(values, after, axis=1)
    no_left, no_right = np.isinf(to_left), np.isinf(to_right)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(no_left, 1.0, np.where(no_right, 0.0, to_left / (to_left + to_right)))
    share = np.nan_to_num(share)  # a known step is 0 away from both ends
    filled = left + share * (right - left)
    seen = known.reshape(-1, *shape)
    mean = np.where(seen, values, 0.0).sum(axis=(0, 1)) / np.maximum(seen.sum(axis=(0, 1)), 1)
    filled = np.where(no_left & no_right, mean, filled)
    return np.where(known, rows, filled.reshape(rows.shape))


def bridged(left_over, known, shape):
    """Return what the known values of rows (n, length * C), 0 in gaps, let expect in the gaps; 0 elsewhere.

    Every channel is an autoregressive process of order 1 with mean 0, whose correlation φ is that of its neighbouring
    known values. At distances s and t from the ends a and b of a gap its expectation is (a sinh(κt) + b sinh(κs)) /
    sinh(κ(s + t)) with κ = -log φ; with one end it is a φ^s.
    """
    values, seen = left_over.reshape(-1, *shape), known.reshape(-1, *shape)
    pairs = (values[:, :-1] * values[:, 1:] * (seen[:, :-1] & seen[:, 1:])).sum(axis=(0, 1))
    kappa = -np.log(np.clip(pairs / np.square(values).sum(axis=(0, 1)).clip(1e-300), *CORRELATIONS))  # (C,)
    before, after, to_left, to_right = _ends(known, shape)
    a, b = np.take_along_axis(values, before, axis=1), np.take_along_axis(values, after, axis=1)
    s, t = kappa * to_left, kappa * to_right
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        # sinh(t) / sinh(s + t), without overflow
        scale = -np.expm1(-2 * (s + t))
        of_a = np.exp(-s) * -np.expm1(-2 * t) / scale
        of_b = np.exp(-t) * -np.expm1(-2 * s) / scale
    expected = np.nan_to_num(of_a) * a + np.nan_to_num(of_b) * b
    return np.where(seen, 0.0, expected).reshape(left_over.shape)

"""Complete series with gaps: guesses that the known steps allow, as codes, of which the prior chooses one.

A normal distribution of the series makes several guesses at the gaps. They are encoded, and one is drawn with
probability proportional to what the prior gives its codes: a draw from the product of both (sampling, importance
resampling [2]_). What the codes leave of the known steps beside a gap goes on into it: as the expectation of an
autoregressive process of order 1 between its two ends [1]_. So a completion meets the known steps without a jump.

References
----------
.. [1] G. E. P. Box, G. M. Jenkins, "Time Series Analysis: Forecasting and Control", 1976, section 3.2.
.. [2] D. B. Rubin, "Using the SIR algorithm to simulate posterior distributions", Bayesian Statistics 3, 1988.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._warnings import warn_user
from ..core.parameters import POSITIVE_INTEGER, StrOptions, random_source
from ..core.units import warn_of_other_units
from ..training.batches import as_array
from .completion import boolean_mask, check_values, several
from .normal import NormalSeries

CONSTRAINTS = {
    "n_draws": [POSITIVE_INTEGER],
    "n_candidates": [POSITIVE_INTEGER],
    "strategy": [StrOptions({"draw", "mean"})],
}
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
    encode : callable
        Rows (n, length * C), time first, in the units of X → codes (n, codes_per_row).
    decode : callable
        Codes → series in the layout of X.
    prior : CodePrior
    normal : NormalSeries
        Of the standardised series.
    magnitude : tuple of float or None
        How large the series of `fit` are, see :func:`~skvq.core.layout.magnitude_of`.
    """

    layout: Any
    encode: Callable
    decode: Callable
    prior: Any
    normal: NormalSeries
    magnitude: tuple[float, ...] | None = None

    def _series(self, codes):
        """Return the rows (n, length * C) that codes stand for, time first, in the units of X."""
        return self.layout.series.time_first(np.asarray(self.decode(codes)).reshape(len(codes), -1)).astype(np.float64)

    def complete(self, X, mask, *, n_draws, n_candidates, strategy, random_state, temperature, y, top_k, top_p):
        """Return X with its gaps filled: an array like X, or a list of them with several draws.

        Parameters
        ----------
        X : array-like like that of `fit`
            Anything where `mask` is False.
        mask : array-like of bool or None
            True where X is known; of the shape of X or of one series, the axis of channels may be left out. None: what
            is not NaN.
        n_draws, n_candidates : int
            Completions, and the guesses of which each of them is chosen.
        strategy : {"draw", "mean"}
            The draws, or their mean: of `n_draws`, 8 if this is 1.
        random_state : int, RandomState instance or None
        temperature : float
            Of the guesses, and of the choice among them.
        y : label, or array-like of shape (n,), or None
            Classes, for a prior of codes given these.
        top_k, top_p : None
            Of no use here.

        Raises
        ------
        ValueError
            For `top_k` and `top_p` that are not None.
        """
        if not (top_k is None and top_p is None):
            raise ValueError(
                f"top_k={top_k}, top_p={top_p}: they cut what a prior draws, but of series it chooses among guesses; "
                "leave both at None"
            )
        random_state = random_source(random_state)
        X, rows, known = self._rows(X, mask)
        draw = functools.partial(self._drawn, rows, known, n_candidates, random_state, temperature, y)
        drawn = several(draw, n_draws, strategy)
        drawn = [self.layout.series.as_passed(filled).astype(self.layout.dtype).reshape(X.shape) for filled in drawn]
        return drawn[0] if len(drawn) == 1 else drawn

    def _drawn(self, rows, known, n_candidates, random_state, temperature, y):
        """Return rows with one draw for every gap."""
        size = max(1, BLOCK_VALUES // (n_candidates * rows.shape[1]))
        filled = np.empty_like(rows)
        for start in range(0, len(rows), size):
            part = slice(start, start + size)
            pooled = [np.repeat(values[part], n_candidates, axis=0) for values in (rows, known)]
            codes = self.encode(self._guesses(*pooled, random_state, temperature))
            labels = y if y is None or np.ndim(y) == 0 else np.repeat(np.asarray(y)[part], n_candidates)
            log_prob = self.prior.score_samples(codes, labels).reshape(-1, n_candidates)
            chosen = (log_prob / temperature + random_state.gumbel(size=log_prob.shape)).argmax(axis=1)
            codes = codes[np.arange(len(chosen)) * n_candidates + chosen]
            filled[part] = self._joined(self._series(codes), rows[part], known[part])
        return np.where(known, rows, filled)

    def _guesses(self, rows, known, random_state, temperature):
        """Return rows with their gaps drawn from the normal distribution of series."""
        shift, scale = self.layout.shift, self.layout.scale
        drawn = self.normal.draw((rows - shift) / scale, known, random_state, temperature)
        return np.where(known, rows, drawn * scale + shift)

    def _joined(self, x_hat, rows, known):
        """Return decoded rows with what they leave of the known steps continued into the gaps."""
        left = np.where(known, rows - x_hat, 0.0)
        return x_hat + bridged(left, known, self._shape)

    @property
    def _shape(self):
        return self.layout.series.length, self.layout.series.n_channels

    def _padding(self, shape):
        """Return what to do about series that end before those of `fit`, for the error; "" for other shapes."""
        series = self.layout.series
        time = 2 if len(shape) == 3 and series.channels_first else 1
        n_channels = shape[3 - time] if len(shape) == 3 else 1
        if len(shape) not in (2, 3) or n_channels != series.n_channels or shape[time] >= series.length:
            return ""
        padding = [(0, 0)] * len(shape)
        padding[time] = (0, series.length - shape[time])
        return (
            f". The series of this model have {series.length} time steps: for a forecast pad the unknown end with NaN, "
            f"numpy.pad(X.astype(float), {padding}, constant_values=numpy.nan)"
        )

    def _rows(self, X, mask):
        """Return X as an ndarray, its rows with time first, float64, 0 where not known, and what is known of them."""
        series = self.layout.series
        n_values = math.prod(self._shape)
        X = np.asarray(as_array(X))
        try:
            X = check_values(X, [(n_values,), series.axes])
        except ValueError as error:
            raise ValueError(f"{error}{self._padding(X.shape)}") from None
        known = ~np.isnan(X) if mask is None else check_series_mask(mask, X.shape, series)
        if mask is None and known.all():
            warn_user("nothing of X is missing, so that X comes back; pass a mask, or NaN where a value is not known")
        rows = series.time_first(X.reshape(len(X), n_values).astype(np.float64))
        known = series.time_first(known.reshape(len(X), n_values))
        if not np.isfinite(rows[known]).all():
            raise ValueError("X holds NaN or infinity where mask says that it is known; mask=None takes NaN for a gap")
        warn_of_other_units(np.where(known, rows, np.nan), self.magnitude, self.layout.usual)
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

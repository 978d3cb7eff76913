"""Display of how often each code of a VQ-VAE occurs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import entropy
from sklearn.base import BaseEstimator

from .._typing import ArrayLike, NDArray, Self
from ..metrics import code_counts
from ._base import Display
from ._plotting import Keywords, OneAxes, style

# Up to so many codebooks are named in a legend; of more, only the first and the last.
MOST_NAMED = 8
# Counts are drawn on a logarithmic scale if the largest is more than so many times the smallest that occurs.
LOG_RATIO = 100


@dataclass(kw_only=True, eq=False, repr=False)
class CodebookUsageDisplay(Display):
    """Counts of the codes of a codebook, the most frequent code first.

    Several codebooks have a line each. A dashed line is where all codes of a codebook would be equally frequent.

    Parameters
    ----------
    counts : ndarray of int, shape (n_codebooks, n_codes)
        How often each code of each codebook occurs.

    Attributes
    ----------
    figure_, ax_ : matplotlib Figure and Axes
        What was drawn on.
    stairs_ : list of matplotlib StepPatch
        One for each codebook.
    perplexity_, usage_ : float
        Over the codebooks: exp of the mean entropy, and the mean share of codes that occur.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skvq import VQVAETransformer
    >>> from skvq.display import CodebookUsageDisplay
    >>> model = VQVAETransformer(n_codes=8, max_iter=5, prior=None, random_state=0).fit(load_wine().data)
    >>> len(CodebookUsageDisplay.from_estimator(model).stairs_)  # the codes of a table have a codebook each
    4
    """

    counts: NDArray[np.int64]
    _accepted = "a VQVAETransformer"

    @classmethod
    def from_estimator(cls, estimator: BaseEstimator, *, ax: OneAxes = None, stairs_kw: Keywords = None) -> Self:
        """Draw the `code_counts_` of a fitted estimator, and return the display.

        Parameters
        ----------
        estimator : VQVAETransformer
            Fitted.
        ax, stairs_kw
            As in :meth:`plot`.
        """
        cls._check_estimator(estimator, "code_counts_")
        counts = np.asarray(estimator.code_counts_)
        return cls(counts=counts.reshape(-1, counts.shape[-1])).plot(ax, stairs_kw=stairs_kw)

    @classmethod
    def from_codes(
        cls,
        codes: ArrayLike,
        *,
        n_codes: int,
        codebooks: ArrayLike | None = None,
        ax: OneAxes = None,
        stairs_kw: Keywords = None,
    ) -> Self:
        """Count codes, of test rows for example, draw the counts, and return the display.

        Parameters
        ----------
        codes, n_codes, codebooks
            As in :func:`skvq.metrics.perplexity`.
        ax, stairs_kw
            As in :meth:`plot`.
        """
        return cls(counts=code_counts(codes, n_codes, codebooks)[0]).plot(ax, stairs_kw=stairs_kw)

    def plot(self, ax: OneAxes = None, *, stairs_kw: Keywords = None) -> Self:
        """Draw the counts, and return the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure.
        stairs_kw : dict, default=None
            Keywords of ``Axes.stairs``.
        """
        self._use_axes(ax, (6.0, 3.6))
        ordered = -np.sort(-self.counts, axis=1)
        n, n_codes = ordered.shape
        colours = ["C0"] if n == 1 else self._pyplot().get_cmap("viridis")(np.linspace(0, 0.9, n))
        self.stairs_ = []
        for i, (values, colour) in enumerate(zip(ordered, colours)):
            look = {"color": colour, "fill": n == 1, "label": f"codebook {i}", "baseline": 0}
            self.stairs_.append(self.ax_.stairs(values, np.arange(n_codes + 1), **style(look, stairs_kw)))
        for total in np.unique(ordered.sum(axis=1)):
            self.ax_.axhline(total / n_codes, color="0.4", linestyle="--", linewidth=1)
        self._describe(ordered)
        if n > 1:
            named = self.stairs_ if n <= MOST_NAMED else [self.stairs_[0], self.stairs_[-1]]
            self.ax_.legend(handles=named, fontsize="small")
        return self

    def _describe(self, ordered):
        """Set scale, title and labels."""
        self.perplexity_ = float(np.exp(np.average(entropy(ordered, axis=1), weights=ordered.sum(axis=1))))
        self.usage_ = float((ordered > 0).mean())
        n_codes, smallest = ordered.shape[1], ordered[ordered > 0].min()
        logarithmic = ordered.max() > LOG_RATIO * smallest
        if logarithmic:
            self.ax_.set_yscale("log")
        digits = 1 if self.perplexity_ < 100 else 0
        percent_digits = 1 if 0.99 <= self.usage_ < 1 else 0  # 0.998 is not 100 %
        self.ax_.set_ylim(bottom=0.5 * smallest if logarithmic else 0)
        self.ax_.set(
            xlim=(0, n_codes),
            xlabel="codes, by how often they occur",
            ylabel="count (log scale)" if logarithmic else "count",
            title=f"perplexity {self.perplexity_:,.{digits}f} of {n_codes:,}, {self.usage_:.{percent_digits}%} used",
        )

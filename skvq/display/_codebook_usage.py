"""How often each code of a VQ-VAE is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import entropy
from sklearn.base import BaseEstimator

from .._typing import ArrayLike, NDArray, Self
from ..metrics import _counts
from ._plotting import check_matplotlib, one_axes, style
from ._rows import check_estimator

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Codebooks that are named in a legend; of more, the colours run from the first to the last.
MOST_NAMED = 8
# Counts are drawn on a logarithmic scale where the largest is so many times the smallest that occurs.
LOG_RATIO = 100
ACCEPTED = "a VQVAETransformer"


class CodebookUsageDisplay:
    """How often each code occurs, the codes of a codebook sorted by that.

    Several codebooks have a line each. A dashed line is where all codes of a codebook would be equally frequent.

    Parameters
    ----------
    counts : ndarray of int, shape (n_codebooks, n_codes)
        How often each code of each codebook occurs.

    Attributes
    ----------
    figure_ : matplotlib Figure
        What was drawn on.
    ax_ : matplotlib Axes
        The Axes.
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
    >>> display = CodebookUsageDisplay.from_estimator(model)
    >>> len(display.stairs_)  # the codes of a table have a codebook each
    4
    """

    def __init__(self, *, counts: NDArray[np.int64]) -> None:
        self.counts = counts

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        ax: Axes | None = None,
        stairs_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the `code_counts_` of a fitted estimator.

        Parameters
        ----------
        estimator : VQVAETransformer
            Fitted.
        ax, stairs_kw
            As in :meth:`plot`.

        Returns
        -------
        display : CodebookUsageDisplay
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        check_estimator(estimator, cls.__name__, ("code_counts_",), ACCEPTED)
        counts = np.asarray(estimator.code_counts_)
        return cls(counts=counts.reshape(-1, counts.shape[-1])).plot(ax, stairs_kw=stairs_kw)

    @classmethod
    def from_codes(
        cls,
        codes: ArrayLike,
        *,
        n_codes: int,
        codebooks: ArrayLike | None = None,
        ax: Axes | None = None,
        stairs_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Count codes, of test rows for example, and draw the counts.

        Parameters
        ----------
        codes, n_codes, codebooks
            As in :func:`skvq.metrics.perplexity`.
        ax, stairs_kw
            As in :meth:`plot`.

        Returns
        -------
        display : CodebookUsageDisplay
        """
        check_matplotlib(f"{cls.__name__}.from_codes")
        return cls(counts=_counts(codes, n_codes, codebooks)[0]).plot(ax, stairs_kw=stairs_kw)

    def plot(self, ax: Axes | None = None, *, stairs_kw: dict[str, Any] | None = None) -> Self:
        """Draw the counts.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure.
        stairs_kw : dict, default=None
            Keywords of ``Axes.stairs``.

        Returns
        -------
        self
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        import matplotlib as mpl

        self.figure_, self.ax_ = one_axes(ax, (6.0, 3.6))
        ordered = -np.sort(-self.counts, axis=1)
        n, n_codes = ordered.shape
        colours = ["C0"] if n == 1 else mpl.colormaps["viridis"](np.linspace(0, 0.9, n))
        self.stairs_ = []
        for i, (values, colour) in enumerate(zip(ordered, colours)):
            look = {"color": colour, "fill": n == 1, "label": f"codebook {i}", "baseline": 0}
            self.stairs_.append(self.ax_.stairs(values, np.arange(n_codes + 1), **style(look, stairs_kw)))
        self._describe(ordered)
        if n > 1:
            shown = range(n) if n <= MOST_NAMED else (0, n - 1)
            self.ax_.legend(handles=[self.stairs_[i] for i in shown], fontsize="small")
        return self

    def _describe(self, ordered):
        """Set scale, title and labels."""
        n, n_codes = ordered.shape
        self.perplexity_ = float(np.exp(np.average(entropy(ordered, axis=1), weights=ordered.sum(axis=1))))
        self.usage_ = float((ordered > 0).mean())
        for total in np.unique(ordered.sum(axis=1)):
            self.ax_.axhline(total / n_codes, color="0.4", linestyle="--", linewidth=1)
        smallest, largest = ordered[ordered > 0].min(), ordered.max()
        if largest > LOG_RATIO * smallest:
            self.ax_.set_yscale("log")
            self.ax_.set_ylim(bottom=0.5 * smallest)
            label = "count (log scale)"
        else:
            self.ax_.set_ylim(bottom=0)
            label = "count"
        digits = 1 if self.perplexity_ < 100 else 0
        percent_digits = 1 if 0.99 <= self.usage_ < 1 else 0  # 0.998 is not 100 %
        self.ax_.set(
            xlim=(0, n_codes),
            xlabel="codes, by how often they occur",
            ylabel=label,
            title=f"perplexity {self.perplexity_:,.{digits}f} of {n_codes:,}, {self.usage_:.{percent_digits}%} used",
        )

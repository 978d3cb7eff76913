"""R² of reconstructions over the bits that a model spends on a row."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from .._typing import ArrayLike, MatrixLike, NDArray, Self
from ._base import Display
from ._plotting import Keywords, OneAxes, style

HOLLOW = {"linestyle": "--", "linewidth": 1, "markerfacecolor": "w"}


@dataclass(kw_only=True, eq=False, repr=False)
class RateDistortionDisplay(Display):
    """R² of the reconstruction over the bits of a row, with a line for each name, through its models.

    Parameters
    ----------
    bits, scores : ndarray of shape (n,)
        Bits of a row, and R².
    names : list of str, default=None
        The line that each point belongs to; a line joins its points in the order of their bits.
    nominal_bits : ndarray of shape (n,), default=None
        Bits without an entropy coder, drawn as well, with hollow marks.

    Attributes
    ----------
    figure_, ax_ : matplotlib Figure and Axes
        What was drawn on.
    lines_, nominal_lines_ : dict of matplotlib Line2D
        The lines of `bits` and of `nominal_bits`, by name.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skvq import VQVAETransformer
    >>> from skvq.display import RateDistortionDisplay
    >>> X = load_wine().data
    >>> models = [VQVAETransformer(max_bits=b, max_iter=5, prior=None, random_state=0).fit(X) for b in (8, 16)]
    >>> RateDistortionDisplay.from_estimators({"residual": models}, X).nominal_bits
    array([ 8., 16.])
    """

    bits: NDArray[Any]
    scores: NDArray[Any]
    names: Sequence[str] | None = None
    nominal_bits: NDArray[Any] | None = None
    _accepted = "a fitted VQVAETransformer"

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[str, BaseEstimator],
        X: MatrixLike,
        *,
        ax: OneAxes = None,
        line_kw: Keywords = None,
        nominal_kw: Keywords = None,
    ) -> Self:
        """Draw the R² of rows X over the bits that models spend on a row, and return the display.

        Two kinds of bits are drawn: `bits_per_row_`, the entropy of the codes of the rows of `fit`, is what an entropy
        coder spends; the nominal bits are log2(`n_codes_`) for every code of a row.

        Parameters
        ----------
        estimators : dict of str to VQVAETransformer, or to list of such
            Fitted. The models of one name are joined by a line.
        X : array-like
            Rows to reconstruct; best are rows that no model was fitted to.
        ax, line_kw, nominal_kw
            As in :meth:`plot`.
        """
        if not hasattr(estimators, "items") or not estimators:
            raise TypeError(f"estimators must be a dict from names to models, got {estimators!r}")
        names, bits, nominal, scores = [], [], [], []
        for name, models in estimators.items():
            for model in models if isinstance(models, (list, tuple)) else [models]:
                cls._check_estimator(model, "bits_per_row_", "code_shape_")
                names.append(name)
                bits.append(model.bits_per_row_)
                nominal.append(codes_of_a_row(model.code_shape_) * math.log2(model.n_codes_))
                scores.append(model.score(X))
        display = cls(bits=np.array(bits), scores=np.array(scores), names=names, nominal_bits=np.array(nominal))
        return display.plot(ax, line_kw=line_kw, nominal_kw=nominal_kw)

    @classmethod
    def from_predictions(
        cls,
        bits: ArrayLike,
        scores: ArrayLike,
        names: Sequence[str] | None = None,
        *,
        nominal_bits: ArrayLike | None = None,
        ax: OneAxes = None,
        line_kw: Keywords = None,
        nominal_kw: Keywords = None,
    ) -> Self:
        """Draw bits and scores that were computed before, of any compressor, and return the display.

        Parameters
        ----------
        bits, scores, names, nominal_bits : array-like of shape (n,)
            As in :class:`RateDistortionDisplay`; without names one line joins all points.
        ax, line_kw, nominal_kw
            As in :meth:`plot`.
        """
        bits, scores = np.asarray(bits, dtype=np.float64), np.asarray(scores, dtype=np.float64)
        nominal = None if nominal_bits is None else np.asarray(nominal_bits, dtype=np.float64)
        names = None if names is None else list(names)
        lengths = {len(part) for part in (bits, scores, names, nominal) if part is not None}
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError(f"bits, scores, names and nominal_bits must be as long as each other, got {lengths}")
        display = cls(bits=bits, scores=scores, names=names, nominal_bits=nominal)
        return display.plot(ax, line_kw=line_kw, nominal_kw=nominal_kw)

    @classmethod
    def from_cv_results(
        cls,
        cv_results: Mapping[str, Any],
        *,
        bits: str = "max_bits",
        score: str = "score",
        by: str | None = None,
        ax: OneAxes = None,
        line_kw: Keywords = None,
    ) -> Self:
        """Draw the results of a search over bits, and return the display.

        Parameters
        ----------
        cv_results : dict
            `cv_results_` of a fitted ``GridSearchCV`` or the like.
        bits : str, default="max_bits"
            The parameter that sets the bits of a row, or the metric that tells them in a search with several.
        score : str, default="score"
            The metric that tells R².
        by : str, default=None
            A parameter; each of its values has a line.
        ax, line_kw
            As in :meth:`plot`.
        """
        of_points = _column(cv_results, f"param_{bits}", f"mean_test_{bits}")
        scores = _column(cv_results, f"mean_test_{score}")
        names = None if by is None else [f"{by}={value}" for value in _column(cv_results, f"param_{by}")]
        return cls.from_predictions(of_points, scores, names, ax=ax, line_kw=line_kw)

    def plot(self, ax: OneAxes = None, *, line_kw: Keywords = None, nominal_kw: Keywords = None) -> Self:
        """Draw the lines, and return the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure.
        line_kw, nominal_kw : dict, default=None
            Keywords of ``Axes.plot`` for all lines, and more of them for those of the nominal bits.
        """
        self._use_axes(ax, (6.0, 4.2))
        names = np.asarray([""] * len(self.bits) if self.names is None else self.names, dtype=object)
        self.lines_, self.nominal_lines_ = {}, {}
        for i, name in enumerate(dict.fromkeys(names)):
            own = np.flatnonzero(names == name)
            look = style({"color": f"C{i}", "marker": "o", "label": name or "_nolegend_"}, line_kw)
            self.lines_[name] = self._add_line(self.bits, own, look)
            if self.nominal_bits is not None:
                hollow = style({**look, **HOLLOW, "label": "_nolegend_"}, nominal_kw)
                self.nominal_lines_[name] = self._add_line(self.nominal_bits, own, hollow)
        self._describe()
        return self

    def _add_line(self, bits, own, look):
        own = own[np.argsort(bits[own], kind="stable")]
        return self.ax_.plot(bits[own], self.scores[own], **look)[0]

    def _describe(self):
        """Set scale, labels and legend."""
        drawn = self.bits if self.nominal_bits is None else np.concatenate([self.bits, self.nominal_bits])
        label = "bits of a row"
        if drawn.min() > 0 and drawn.max() > 3 * drawn.min():
            label += " (log scale)"
            self.ax_.set_xscale("log", base=2)
            self.ax_.xaxis.set_major_formatter("{x:g}")
            self.ax_.xaxis.set_minor_formatter("")
        self.ax_.set(xlabel=label, ylabel="R² of the reconstruction")
        self.ax_.grid(alpha=0.25)
        handles = [line for name, line in self.lines_.items() if name]
        if self.nominal_bits is not None:
            look = {"color": "0.3", "marker": "o"}
            for label, kind in (("with an entropy coder", {}), ("nominal", HOLLOW)):
                handles.append(self._pyplot().Line2D([], [], label=label, **look, **kind))
        if handles:
            self.ax_.legend(handles=handles, fontsize="small")


def _column(cv_results, *names):
    """Return the first of the named columns that is there, as a list."""
    present = [name for name in names if name in cv_results]
    if not present:
        raise ValueError(f"cv_results has no {' or '.join(names)}; it has {sorted(cv_results)}")
    return list(cv_results[present[0]])


def codes_of_a_row(code_shape):
    """Return how many codes a row has, in one grid or two.

    Examples
    --------
    >>> codes_of_a_row((4, 4, 2)), codes_of_a_row(((2, 2), (4, 4)))
    (32, 20)
    """
    return sum(map(math.prod, code_shape)) if isinstance(code_shape[0], (tuple, list)) else math.prod(code_shape)

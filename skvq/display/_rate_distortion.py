"""What a bit buys: R² of reconstructions over the bits of a row."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator

from .._typing import ArrayLike, MatrixLike, NDArray, Self
from ._plotting import check_matplotlib, one_axes, style
from ._rows import check_estimator

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ACCEPTED = "a fitted VQVAETransformer"


class RateDistortionDisplay:
    """R² of the reconstruction over the bits of a row: a line for each name, through its models.

    Parameters
    ----------
    bits, scores : ndarray of shape (n,)
        Bits of a row, and R².
    names : list of str, default=None
        What each point belongs to; those of one name are joined in the order of their bits.
    nominal_bits : ndarray of shape (n,), default=None
        Bits without an entropy coder, drawn besides, with hollow marks.

    Attributes
    ----------
    figure_ : matplotlib Figure
        What was drawn on.
    ax_ : matplotlib Axes
        The Axes.
    lines_ : dict of matplotlib Line2D
        The lines, by name.
    nominal_lines_ : dict of matplotlib Line2D
        Those of `nominal_bits`.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skvq import VQVAETransformer
    >>> from skvq.display import RateDistortionDisplay
    >>> X = load_wine().data
    >>> models = [VQVAETransformer(max_bits=b, max_iter=5, prior=None, random_state=0).fit(X) for b in (8, 16)]
    >>> display = RateDistortionDisplay.from_estimators({"residual": models}, X)
    >>> display.nominal_bits
    array([ 8., 16.])
    """

    def __init__(
        self,
        *,
        bits: NDArray[Any],
        scores: NDArray[Any],
        names: Sequence[str] | None = None,
        nominal_bits: NDArray[Any] | None = None,
    ) -> None:
        self.bits = bits
        self.scores = scores
        self.names = names
        self.nominal_bits = nominal_bits

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[str, BaseEstimator],
        X: MatrixLike,
        *,
        ax: Axes | None = None,
        line_kw: dict[str, Any] | None = None,
        nominal_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the R² of rows X over the bits that models spend on a row.

        Both kinds of bits are drawn: `bits_per_row_`, the entropy of the codes of the rows of `fit`, which is what an
        entropy coder spends, and the nominal bits, log2(`n_codes_`) for every code of a row.

        Parameters
        ----------
        estimators : dict of str to VQVAETransformer, or to list of such
            Fitted. The models of one name are joined by a line.
        X : array-like
            Rows to reconstruct; best those that no model was fitted to.
        ax, line_kw, nominal_kw
            As in :meth:`plot`.

        Returns
        -------
        display : RateDistortionDisplay
        """
        check_matplotlib(f"{cls.__name__}.from_estimators")
        if not hasattr(estimators, "items") or not estimators:
            raise TypeError(f"estimators must be a dict from names to models, got {estimators!r}")
        names, bits, nominal, scores = [], [], [], []
        for name, models in estimators.items():
            for model in models if isinstance(models, (list, tuple)) else [models]:
                check_estimator(model, cls.__name__, ("bits_per_row_", "code_shape_"), ACCEPTED)
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
        ax: Axes | None = None,
        line_kw: dict[str, Any] | None = None,
        nominal_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw bits and scores that were computed before, of any compressor.

        Parameters
        ----------
        bits, scores : array-like of shape (n,)
            Bits of a row, and R².
        names : array-like of str, shape (n,), default=None
            What each point belongs to; None joins them all.
        nominal_bits : array-like of shape (n,), default=None
            Bits without an entropy coder.
        ax, line_kw, nominal_kw
            As in :meth:`plot`.

        Returns
        -------
        display : RateDistortionDisplay
        """
        check_matplotlib(f"{cls.__name__}.from_predictions")
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
        ax: Axes | None = None,
        line_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the results of a search over bits.

        Parameters
        ----------
        cv_results : dict
            `cv_results_` of a fitted ``GridSearchCV`` or the like.
        bits : str, default="max_bits"
            The parameter, or the metric of a search with several, that tells the bits of a row.
        score : str, default="score"
            The metric that tells R².
        by : str, default=None
            A parameter whose values have a line each.
        ax, line_kw
            As in :meth:`plot`.

        Returns
        -------
        display : RateDistortionDisplay
        """
        check_matplotlib(f"{cls.__name__}.from_cv_results")
        columns: list[Any] = []
        for name, kinds in ((bits, ("param_", "mean_test_")), (score, ("mean_test_",)), (by, ("param_",))):
            present = [kind + name for kind in kinds if name is not None and kind + name in cv_results]
            if name is not None and not present:
                raise ValueError(
                    f"cv_results has no {' or '.join(kind + name for kind in kinds)}; it has {sorted(cv_results)}"
                )
            columns.append(list(cv_results[present[0]]) if present else None)
        names = None if by is None else [f"{by}={value}" for value in columns[2]]
        return cls.from_predictions(columns[0], columns[1], names, ax=ax, line_kw=line_kw)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        line_kw: dict[str, Any] | None = None,
        nominal_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the lines.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure.
        line_kw : dict, default=None
            Keywords of ``Axes.plot`` for all lines.
        nominal_kw : dict, default=None
            More of them, for those of the nominal bits.

        Returns
        -------
        self
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        self.figure_, self.ax_ = one_axes(ax, (6.0, 4.2))
        names = (
            np.full(len(self.bits), "", dtype=object) if self.names is None else np.asarray(self.names, dtype=object)
        )
        self.lines_, self.nominal_lines_ = {}, {}
        for i, name in enumerate(dict.fromkeys(names)):
            own = np.flatnonzero(names == name)
            look = style({"color": f"C{i}", "marker": "o", "label": name or "_nolegend_"}, line_kw)
            self.lines_[name] = self._line(self.bits, own, look)
            if self.nominal_bits is not None:
                hollow = {"linestyle": "--", "linewidth": 1, "markerfacecolor": "w", "label": "_nolegend_"}
                self.nominal_lines_[name] = self._line(self.nominal_bits, own, style({**look, **hollow}, nominal_kw))
        self._describe()
        return self

    def _line(self, bits, own, look):
        own = own[np.argsort(bits[own], kind="stable")]
        return self.ax_.plot(bits[own], self.scores[own], **look)[0]

    def _describe(self):
        from matplotlib.lines import Line2D
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

        drawn = self.bits if self.nominal_bits is None else np.concatenate([self.bits, self.nominal_bits])
        wide = drawn.min() > 0 and drawn.max() > 3 * drawn.min()
        if wide:
            self.ax_.set_xscale("log", base=2)
            self.ax_.xaxis.set_major_locator(LogLocator(base=2))
            self.ax_.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            self.ax_.xaxis.set_minor_formatter(NullFormatter())
        self.ax_.set(xlabel="bits of a row (log scale)" if wide else "bits of a row", ylabel="R² of the reconstruction")
        self.ax_.grid(alpha=0.25)
        handles = [line for name, line in self.lines_.items() if name]
        if self.nominal_bits is not None:
            handles.append(Line2D([], [], color="0.3", marker="o", label="with an entropy coder"))
            handles.append(
                Line2D(
                    [], [], color="0.3", marker="o", markerfacecolor="w", linestyle="--", linewidth=1, label="nominal"
                )
            )
        if handles:
            self.ax_.legend(handles=handles, fontsize="small")


def codes_of_a_row(code_shape):
    """Return how many codes a row has, for one grid or two.

    Examples
    --------
    >>> codes_of_a_row((4, 4, 2)), codes_of_a_row(((2, 2), (4, 4)))
    (32, 20)
    """
    if isinstance(code_shape[0], (tuple, list)):
        return sum(map(math.prod, code_shape))
    return math.prod(code_shape)

"""Loss curves: every term of a training, and what it was on held-out rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .._typing import Self
from ._plotting import check_matplotlib, readable, several_axes, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HELD_OUT = "validation_"
# A positive term whose largest value is so many times its smallest is drawn on a logarithmic scale.
LOG_RATIO = 20.0
N_COLUMNS, PANEL_SIZE, SINGLE_SIZE = 3, (3.6, 2.6), (5.5, 3.8)
ACCEPTED = "an estimator that records its training in history_ or loss_curve_"


class LossCurveDisplay:
    """Curves of the loss and its terms over the epochs of a training, one panel for each term.

    It is made by :meth:`from_estimator`. Training and held-out rows share a panel; a dashed line marks the epoch whose
    weights were kept.

    Parameters
    ----------
    history : dict of array-like of float
        A value per epoch for each term; those of held-out rows have ``validation_`` before the name.
    best_iter : int or None, default=None
        The epoch whose weights were kept, 0 for those before the first.

    Attributes
    ----------
    figure_ : matplotlib Figure
        What was drawn on.
    axes_ : ndarray of matplotlib Axes, shape (n_terms,)
        The panels.
    ax_ : matplotlib Axes
        The first of them.
    lines_ : dict of matplotlib Line2D
        The curves, by their names in `history`.
    best_lines_ : list of matplotlib Line2D
        The marks of the kept epoch; empty without one.

    See Also
    --------
    RateDistortionDisplay : R² over the bits of a row, for several models.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skvq import AutoEncoderTransformer
    >>> from skvq.display import LossCurveDisplay
    >>> model = AutoEncoderTransformer(2, max_iter=5, random_state=0).fit(load_wine().data)
    >>> display = LossCurveDisplay.from_estimator(model)
    >>> sorted(display.lines_)
    ['loss', 'validation_loss']
    """

    def __init__(self, *, history: Mapping[str, Sequence[float]], best_iter: int | None = None) -> None:
        self.history = history
        self.best_iter = best_iter

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        terms: Sequence[str] | None = None,
        ax: Axes | Sequence[Axes] | None = None,
        line_kw: dict[str, Any] | None = None,
        best_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the loss curves of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted. One with a `history_` (autoencoders, PixelCNNs and transformers, and so the `prior_` of a
            ``VQVAETransformer``), or with a `loss_curve_` (multi-layer perceptrons, scikit-learn's as well).
        terms, ax, line_kw, best_kw
            As in :meth:`plot`.

        Returns
        -------
        display : LossCurveDisplay

        Raises
        ------
        TypeError
            For an estimator that records no training.
        ValueError
            If it recorded none, as multi-layer perceptrons with ``solver="lbfgs"`` do.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        if isinstance(estimator, type) or not hasattr(estimator, "fit"):
            raise TypeError(f"{cls.__name__} needs {ACCEPTED}, got {estimator!r}")
        check_is_fitted(estimator)
        history, best_iter = _recorded(estimator, cls.__name__)
        return cls(history=history, best_iter=best_iter).plot(ax, terms=terms, line_kw=line_kw, best_kw=best_kw)

    def plot(
        self,
        ax: Axes | Sequence[Axes] | None = None,
        *,
        terms: Sequence[str] | None = None,
        line_kw: dict[str, Any] | None = None,
        best_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, array of such, or None, default=None
            One Axes for each term, or a single one, whose place is divided. None makes a figure.
        terms : str, list of str, or None, default=None
            Which terms, without ``validation_``; None draws them all, one that is
            all there is to the loss together with it.
        line_kw : dict, default=None
            Keywords of ``Axes.plot`` for the curves.
        best_kw : dict, default=None
            Keywords of ``Axes.axvline`` for the mark of the kept epoch.

        Returns
        -------
        self
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        terms = self._chosen(terms)
        size = SINGLE_SIZE if len(terms) == 1 else PANEL_SIZE
        # Four panels are two by two.
        n_columns = 2 if len(terms) == 4 else N_COLUMNS
        self.figure_, self.axes_ = several_axes(ax, len(terms), n_columns=n_columns, panel_size=size)
        self.ax_ = self.axes_[0]
        self.lines_: dict[str, Any] = {}
        self.best_lines_: list[Any] = []
        for panel, term in zip(self.axes_, terms):
            self._draw_term(panel, term, line_kw)
            if self.best_iter is not None:
                label = f"kept: epoch {self.best_iter}" if self.best_iter else "kept: the start"
                mark = style({"color": "0.4", "linestyle": "--", "linewidth": 1, "label": label}, best_kw)
                self.best_lines_.append(panel.axvline(self.best_iter, **mark))
        self._add_legend()
        return self

    def _chosen(self, terms):
        present = list(dict.fromkeys(name.removeprefix(HELD_OUT) for name in self.history))
        if terms is None:
            return [term for term in present if term == "loss" or not self._is_loss(term)]
        terms = [terms] if isinstance(terms, str) else list(terms)
        unknown = [term for term in terms if term not in present]
        if unknown or not terms:
            raise ValueError(f"terms={terms!r} must be among {present}")
        return terms

    def _is_loss(self, term):
        """Return whether a term is all there is to the loss."""
        if term == "loss" or term not in self.history or "loss" not in self.history:
            return False
        return np.array_equal(self.history[term], self.history["loss"])

    def _draw_term(self, panel, term, line_kw):
        drawn = []
        for name, colour, label in ((term, "C0", "training"), (HELD_OUT + term, "C1", "held out")):
            values = np.asarray(self.history.get(name, ()), dtype=np.float64)
            if len(values):
                epochs = np.arange(1, len(values) + 1)
                defaults = {"color": colour, "label": label, "marker": "." if len(values) < 12 else ""}
                (self.lines_[name],) = panel.plot(epochs, values, **style(defaults, line_kw))
                drawn.append(values)
        values = np.concatenate(drawn)
        if values.min() > 0 and values.max() > LOG_RATIO * values.min():
            panel.set_yscale("log")
            panel.set_ylabel("log scale")
        if term == "usage":
            panel.set_ylim(0, 1.05)
        same = [readable(other) for other in self.history if term == "loss" and self._is_loss(other)]
        panel.set(title=" = ".join([readable(term), *same]), xlabel="epoch")
        panel.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        panel.grid(alpha=0.25)

    def _add_legend(self):
        """Put a legend on the panel with the most kinds of lines."""
        most = max(self.axes_, key=lambda panel: len(panel.get_legend_handles_labels()[0]))
        if len(most.get_legend_handles_labels()[0]) > 1:
            most.legend(fontsize="small")


def _recorded(estimator, caller):
    """Return the history of a fitted estimator, a dict of terms, and the epoch whose weights were kept."""
    if hasattr(estimator, "history_"):
        return dict(estimator.history_), getattr(estimator, "best_iter_", None)
    if not hasattr(estimator, "loss_curve_"):
        if hasattr(estimator, "coefs_"):
            raise ValueError(f"{estimator!r} recorded no loss curve; solver='adam' and 'sgd' do, 'lbfgs' does not")
        raise TypeError(
            f"{caller} needs {ACCEPTED}, got {estimator!r}; of a pipeline pass the step, of a search best_estimator_"
        )
    curves = {
        "loss": estimator.loss_curve_,
        "validation_loss": getattr(estimator, "validation_loss_curve_", None),
        "validation_score": getattr(estimator, "validation_scores_", None),
    }
    history = {name: list(values) for name, values in curves.items() if values is not None and len(values)}
    scores = history.get("validation_score")
    return history, None if scores is None else int(np.argmax(scores)) + 1

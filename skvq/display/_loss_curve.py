"""Curves of the loss and its terms over a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from .._typing import Self
from ._base import Display
from ._plotting import Keywords, SomeAxes, style

HELD_OUT = "validation_"
# A positive term is drawn on a logarithmic scale if its largest value is more than so many times its smallest.
LOG_RATIO = 20.0
N_COLUMNS, PANEL_SIZE, SINGLE_SIZE = 3, (3.6, 2.6), (5.5, 3.8)


@dataclass(kw_only=True, eq=False, repr=False)
class LossCurveDisplay(Display):
    """Curves of the loss and its terms over the epochs of a training, with a panel for each term.

    It is made by :meth:`from_estimator`. Training and held-out rows share a panel; a dashed line marks the epoch whose
    weights were kept.

    Parameters
    ----------
    history : dict of array-like of float
        A value per epoch for each term; the names of terms of held-out rows begin with ``validation_``.
    best_iter : int or None, default=None
        The epoch whose weights were kept, 0 for those before the first.

    Attributes
    ----------
    figure_, axes_, ax_ : matplotlib Figure, ndarray of Axes, and Axes
        What was drawn on; `ax_` is the first of `axes_`.
    lines_ : dict of matplotlib Line2D
        The curves, by their names in `history`.
    best_lines_ : list of matplotlib Line2D
        The marks of the kept epoch; empty without one.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skvq import AutoEncoderTransformer
    >>> from skvq.display import LossCurveDisplay
    >>> model = AutoEncoderTransformer(2, max_iter=5, random_state=0).fit(load_wine().data)
    >>> sorted(LossCurveDisplay.from_estimator(model).lines_)
    ['loss', 'validation_loss']
    """

    history: Mapping[str, Sequence[float]]
    best_iter: int | None = None
    _accepted = "an estimator that records its training in history_ or loss_curve_"

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        terms: Sequence[str] | None = None,
        ax: SomeAxes = None,
        line_kw: Keywords = None,
        best_kw: Keywords = None,
    ) -> Self:
        """Draw the loss curves of a fitted estimator, and return the display.

        Parameters
        ----------
        estimator : estimator
            Fitted. One with a `history_` (autoencoders, PixelCNNs and transformers, and so the `prior_` of a
            ``VQVAETransformer``), or with a `loss_curve_` (multi-layer perceptrons, scikit-learn's as well, except
            those with ``solver="lbfgs"``, which record none).
        terms, ax, line_kw, best_kw
            As in :meth:`plot`.
        """
        cls._check_estimator(estimator)
        if hasattr(estimator, "history_"):
            history, best_iter = dict(estimator.history_), getattr(estimator, "best_iter_", None)
        elif hasattr(estimator, "loss_curve_"):
            history, best_iter = _of_a_perceptron(estimator)
        elif hasattr(estimator, "coefs_"):
            raise ValueError(f"{estimator!r} recorded no loss curve; solver='adam' and 'sgd' do, 'lbfgs' does not")
        else:
            raise cls._not_accepted(estimator, "; of a pipeline pass the step, of a search best_estimator_")
        return cls(history=history, best_iter=best_iter).plot(ax, terms=terms, line_kw=line_kw, best_kw=best_kw)

    def plot(
        self,
        ax: SomeAxes = None,
        *,
        terms: Sequence[str] | None = None,
        line_kw: Keywords = None,
        best_kw: Keywords = None,
    ) -> Self:
        """Draw the curves, and return the display.

        Parameters
        ----------
        ax : matplotlib Axes, or array of Axes, default=None
            One Axes for each term, or a single one, which is divided. None makes a figure.
        terms : str, list of str, or None, default=None
            Terms to draw, without ``validation_``. None draws them all; a term that equals the loss is drawn once,
            together with it.
        line_kw, best_kw : dict, default=None
            Keywords of ``Axes.plot`` for the curves, and of ``Axes.axvline`` for the mark of the kept epoch.
        """
        terms = self._chosen(terms)
        n_columns = 2 if len(terms) == 4 else N_COLUMNS
        self._use_panels(ax, len(terms), n_columns, SINGLE_SIZE if len(terms) == 1 else PANEL_SIZE)
        self.lines_: dict[str, Any] = {}
        self.best_lines_: list[Any] = []
        for panel, term in zip(self.axes_, terms):
            self._draw_term(panel, term, line_kw)
            if self.best_iter is not None:
                label = f"kept: epoch {self.best_iter}" if self.best_iter else "kept: the start"
                mark = style({"color": "0.4", "linestyle": "--", "linewidth": 1, "label": label}, best_kw)
                self.best_lines_.append(panel.axvline(self.best_iter, **mark))
        # The legend is on the panel with the most kinds of lines.
        kinds = [len(panel.get_legend_handles_labels()[0]) for panel in self.axes_]
        if max(kinds) > 1:
            self.axes_[int(np.argmax(kinds))].legend(fontsize="small")
        return self

    def _chosen(self, terms):
        present = list(dict.fromkeys(name.removeprefix(HELD_OUT) for name in self.history))
        if terms is None:
            return [term for term in present if not self._equals_loss(term)]
        terms = [terms] if isinstance(terms, str) else list(terms)
        if not terms or not set(terms) <= set(present):
            raise ValueError(f"terms={terms!r} must be among {present}")
        return terms

    def _equals_loss(self, term):
        """Return whether a term is all there is to the loss."""
        if term == "loss" or term not in self.history or "loss" not in self.history:
            return False
        return np.array_equal(self.history[term], self.history["loss"])

    def _draw_term(self, panel, term, line_kw):
        drawn = []
        for name, colour, label in ((term, "C0", "training"), (HELD_OUT + term, "C1", "held out")):
            values = np.asarray(self.history.get(name, ()), dtype=np.float64)
            if len(values):
                look = {"color": colour, "label": label, "marker": "." if len(values) < 12 else ""}
                (self.lines_[name],) = panel.plot(np.arange(1, len(values) + 1), values, **style(look, line_kw))
                drawn.append(values)
        values = np.concatenate(drawn)
        if values.min() > 0 and values.max() > LOG_RATIO * values.min():
            panel.set_yscale("log")
            panel.set_ylabel("log scale")
        if term == "usage":
            panel.set_ylim(0, 1.05)
        same = [other for other in self.history if term == "loss" and self._equals_loss(other)]
        panel.set(title=" = ".join(map(_readable, [term, *same])), xlabel="epoch")
        panel.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        panel.grid(alpha=0.25)


def _of_a_perceptron(estimator):
    """Return the history of a fitted perceptron, a dict of terms, and the epoch whose weights were kept."""
    curves = {
        "loss": estimator.loss_curve_,
        "validation_loss": getattr(estimator, "validation_loss_curve_", None),
        "validation_score": getattr(estimator, "validation_scores_", None),
    }
    history = {name: list(values) for name, values in curves.items() if values is not None and len(values)}
    scores = history.get("validation_score")
    return history, None if scores is None else int(np.argmax(scores)) + 1


def _readable(name):
    """Return the name of a term as words."""
    return name.replace("log_likelihood", "log-likelihood").replace("_", " ")

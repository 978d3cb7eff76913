"""Training of predictors by scipy's L-BFGS over the gradients of the whole data, gathered piece by piece.

A search for a float64 solution may begin in float32, at half the cost. It goes on in float64 before rounding shows, as
soon as an iteration lowers the loss by less than the share `RESOLVED`.
"""

import numpy as np
import scipy.optimize
import torch
from sklearn.exceptions import ConvergenceWarning

from .._warnings import warn_user
from ..training.interrupts import end_all
from ..training.loop import TimeLimit
from .descent import add_penalty

# Relative fall of the loss in an iteration that float32, with its 1e-7, resolves well (`benchmarks/mlp_precision.py`).
RESOLVED = 1e-4


class WholeGradient:
    """The mean loss over all rows and its derivative, as scipy wants them: float64 vectors.

    Parameters
    ----------
    stages : list of (network, Samples)
        The same network and rows in increasing precision; the first is in use until :meth:`refine`.
    alpha : float
        The penalty is ½ alpha · ‖weights‖² / total weight.
    """

    def __init__(self, stages, alpha):
        self.stages = list(stages)
        self.refine()
        self.total = self.samples.total_weight
        if self.total == 0:
            raise ValueError("sample_weight is zero for every row; at least one must be positive")
        self.alpha = alpha
        self.data_loss = self.penalty = 0.0

    def __call__(self, point):
        """Return the loss and the gradient (n_parameters,) at `point`."""
        network = self.network
        with network.training_mode():
            self._evaluate(torch.from_numpy(point))
        return self.data_loss + self.penalty, network.gradient.flat.cpu().numpy().astype(np.float64)

    def _evaluate(self, point):
        network = self.network
        network.parameters.flat.detach().copy_(point)
        data_loss = 0.0
        for number, (x, y, weight) in enumerate(self.samples.in_order()):
            data_loss += float(network.accumulate(x, y, weight, 1.0 / self.total, first=number == 0))
        self.data_loss = data_loss / self.total
        self.penalty = add_penalty(network, self.alpha / self.total)

    def refine(self):
        """Go over to the next precision."""
        self.network, self.samples = self.stages.pop(0)
        self.samples.keep()

    def reported(self):
        """Return the loss of the last point as a user sees it."""
        return self.network.reported(self.data_loss) + self.penalty


class _Stopped(Exception):
    """Raised out of scipy's search where the observer asks to stop, or the time is up."""


class _Watch:
    """Counts iterations, and asks for more precision where the loss falls too little for the present one."""

    def __init__(self, function, after_iteration, observer, limit):
        self.function = function
        self.after_iteration = after_iteration
        self.observer = observer
        self.limit = limit
        self.under_way = False
        self.n_iter = 0
        self.last = np.inf
        self.point = None

    def evaluate(self, point):
        """Evaluate the function; the first time after an iteration begins the next one."""
        if self.limit.share_used() == 1.0:
            raise _Stopped
        if self.observer is not None and not self.under_way:
            self.observer.epoch_begins()
            self.under_way = True
        return self.function(point)

    def __call__(self, point):
        function = self.function
        self.n_iter += 1
        self.point = point.copy()
        loss = function.data_loss + function.penalty
        self.after_iteration(self.n_iter, function.reported(), function.network)
        if self.observer is not None:
            self._end_iteration()
        if self.limit.share_used() == 1.0:
            raise _Stopped
        if function.stages and self.last - loss < RESOLVED * abs(loss):
            function.refine()
        self.last = loss

    def _end_iteration(self):
        self.under_way = False
        final = (self.function.stages or [(self.function.network, None)])[-1][0]
        final.parameters.flat.detach().copy_(torch.from_numpy(self.point))
        if self.observer.epoch_ends():
            raise _Stopped


def minimise(stages, *, alpha, max_iter, max_fun, tol, after_iteration, limit=None, observer=None):
    """Train a network in place by L-BFGS (Byrd, Lu, Nocedal & Zhu 1995).

    Parameters
    ----------
    stages : list of (network, Samples)
        The same network and rows in increasing precision. The last holds the result.
    alpha, max_iter, max_fun, tol
        As in the estimators; `tol` bounds the largest entry of the gradient.
    after_iteration : callable
        Called with the number of an iteration, its loss, and the network as it is.
    limit : TimeLimit, default=None
        The search ends by it.
    observer : object, default=None
        Its ``epoch_begins()`` is called before every iteration, its ``epoch_ends()`` after it, with the parameters in
        the network that will hold the result; where that returns True, training stops there.

    An interrupt (Ctrl-C) ends the training with a warning; the point of the last iteration is kept.

    Returns
    -------
    n_iter : int
    loss : float
        With the penalty.

    Raises
    ------
    ValueError
        If the parameters become non-finite.
    """
    function = WholeGradient(stages, alpha)
    limit = TimeLimit(None) if limit is None else limit
    watch = _Watch(function, after_iteration, observer, limit)
    watch.point = point = stages[0][0].parameters.flat.cpu().numpy().astype(np.float64)
    n_evaluations, found = 0, None
    while True:
        staged = bool(function.stages)
        try:
            found = scipy.optimize.minimize(
                watch.evaluate,
                point,
                jac=True,
                method="L-BFGS-B",
                options={"maxfun": max_fun - n_evaluations, "maxiter": max_iter - watch.n_iter, "gtol": tol},
                callback=watch,
            )
        except _Stopped:
            if limit.share_used() == 1.0:
                warn_user(
                    f"lbfgs failed to converge: the time that max_seconds allows is up after {watch.n_iter} "
                    "iteration(s).",
                    ConvergenceWarning,
                )
            point, found = watch.point, None
            break
        except KeyboardInterrupt:
            if end_all():
                raise
            warn_user("Training interrupted by user.")
            point, found = watch.point, None
            break
        point = found.x
        n_evaluations += found.nfev
        if not staged or watch.n_iter >= max_iter or n_evaluations >= max_fun:
            break
        # A search that began in float32 may have ended by its rounding: it goes on from there.
        if function.stages:
            function.refine()
    while function.stages:
        function.refine()
    function(point)
    if found is not None:
        _judge(found, watch.n_iter, max_iter, max_fun)
    return min(watch.n_iter, max_iter), function.reported()


def _judge(found, n_iter, max_iter, max_fun):
    """Raise if the solution is not finite, warn if it is not one."""
    if not np.isfinite(found.x).all() or not np.isfinite(found.fun):
        raise ValueError(
            "Solver produced non-finite parameter weights. The input data may contain large values and need to be "
            f"preprocessed. It happened in iteration {n_iter} of lbfgs: scale X and y."
        )
    if found.status != 0:
        warn_user(
            f"lbfgs failed to converge after {n_iter} iteration(s) (status={found.status}): {found.message}. "
            f"Increase max_iter (now {max_iter}) or max_fun (now {max_fun}), or scale the data.",
            ConvergenceWarning,
        )

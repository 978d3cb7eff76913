"""Losses of predictors, each with the derivative by the output of the network, in place and without autograd.

Outputs are held transposed, (n_outputs, n_rows), because matrix products and softmax are slow on a matrix with few
columns. A loss turns the outputs z, before the output activation, into the error dL/dz in place, and returns the sum
over the rows of

    sum over the outputs of loss(y, activation(z)) · weight of the row.

References
----------
.. [1] P. J. Huber, "Robust Estimation of a Location Parameter", Annals of Mathematical Statistics 35(1), 1964.
.. [2] R. Koenker, G. Bassett, "Regression Quantiles", Econometrica 46(1), 1978.
.. [3] V. Chernozhukov, I. Fernández-Val, A. Galichon, "Quantile and Probability Curves Without Crossing",
   Econometrica 78(3), 2010.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch.special import xlogy

aten = torch.ops.aten


class Loss:
    """A loss that turns outputs into errors.

    Attributes
    ----------
    out_activation : str
        What the network's outputs go through to become predictions.
    averages_outputs : bool
        Whether the loss that a user sees is the mean over the outputs rather than their sum. The error is that of the
        sum in either case.
    """

    out_activation = "identity"
    averages_outputs = False

    def divisor(self, n_outputs):
        """Return the number that a sum over the outputs is divided by before a user sees it."""
        return n_outputs if self.averages_outputs else 1

    def error_(self, z, y, weight):
        """Turn z (o, b) into dL/dz in place; return the weighted sum of the losses as a 0-d tensor.

        Parameters
        ----------
        z : Tensor of shape (n_outputs, b)
            Outputs before the activation; overwritten.
        y : Tensor of shape (n_outputs, b), or (1, b) of int64 class indices
            Targets.
        weight : Tensor of shape (b,) or None
            Weights of the rows.
        """
        raise TypeError(f"{type(self).__name__} has no derivative")

    def value(self, z, y, weight):
        """Return the weighted sum of the losses, differentiable by autograd, of z (o, b), which is left alone."""
        raise TypeError(f"{type(self).__name__} has no value")

    def predict_(self, z):
        """Turn outputs z (o, b) into predictions in place."""
        return z


def weighted_sum(values, weight):
    """Return the sum of `values` (o, b), each column times its weight (b,) if there is one."""
    return values.sum() if weight is None else (values.sum(0) * weight).sum()


class SquaredError(Loss):
    """½ (y − z)²."""

    averages_outputs = True

    def error_(self, z, y, weight):
        """See :class:`Loss`."""
        z.sub_(y)
        flat = z.view(-1)
        if weight is None:
            return 0.5 * float(torch.dot(flat, flat))
        total = 0.5 * float(torch.dot((z * weight).view(-1), flat))
        z.mul_(weight)
        return total

    def value(self, z, y, weight):
        """See :class:`Loss`."""
        return weighted_sum(0.5 * (z - y) ** 2, weight)


class Poisson(Loss):
    """y log(y / μ) − y + μ with μ = exp(z), half the deviance of a Poisson distribution."""

    out_activation = "exp"

    def error_(self, z, y, weight):
        """See :class:`Loss`."""
        total = self.value(z, y, weight)
        z.exp_().sub_(y)
        if weight is not None:
            z.mul_(weight)
        return total

    def value(self, z, y, weight):
        """See :class:`Loss`."""
        return weighted_sum(xlogy(y, y) - y * z - y + z.exp(), weight)

    def predict_(self, z):
        """μ = exp(z)."""
        return z.exp_()


class BinaryLogLoss(Loss):
    """−y log p − (1 − y) log(1 − p) with p = 1 / (1 + exp(−z)), for every output by itself."""

    out_activation = "logistic"

    def error_(self, z, y, weight):
        """See :class:`Loss`."""
        total = self.value(z, y, weight)
        z.sigmoid_().sub_(y)
        if weight is not None:
            z.mul_(weight)
        return total

    def value(self, z, y, weight):
        """See :class:`Loss`."""
        return weighted_sum(F.softplus(z) - y * z, weight)

    def predict_(self, z):
        """P(y = 1)."""
        return z.sigmoid_()


class LogLoss(Loss):
    """−log p_y with p = softmax(z); y are class indices (1, b)."""

    out_activation = "softmax"

    def __init__(self):
        self._minus_ones = torch.empty(0)

    def _like(self, picked):
        """Return minus one in the shape of `picked`, made anew only where the last batch was another."""
        kept = self._minus_ones
        if (kept.shape, kept.dtype, kept.device) != (picked.shape, picked.dtype, picked.device):
            with torch.inference_mode(False):
                self._minus_ones = torch.full(picked.shape, -1.0, dtype=picked.dtype, device=picked.device)
        return self._minus_ones

    def error_(self, z, y, weight):
        """See :class:`Loss`."""
        aten._log_softmax.out(z, 0, False, out=z)
        picked = z.gather(0, y)
        z.exp_().scatter_add_(0, y, self._like(picked))
        if weight is None:
            return -picked.sum()
        z.mul_(weight)
        return -torch.dot(picked.view(-1), weight)

    def value(self, z, y, weight):
        """See :class:`Loss`."""
        return -weighted_sum(F.log_softmax(z, 0).gather(0, y), weight)

    def predict_(self, z):
        """Probabilities of the classes, which sum to 1 in every column."""
        return aten._softmax.out(z, 0, False, out=z)


class _Residual(Loss):
    """A loss of the residual r = z − y alone: `terms` gives its values, `slope` its derivative."""

    averages_outputs = True

    def error_(self, z, y, weight):
        """See :class:`Loss`."""
        residual = z - y
        total = weighted_sum(self.terms(residual), weight)
        z.copy_(self.slope(residual))
        if weight is not None:
            z.mul_(weight)
        return total

    def value(self, z, y, weight):
        """See :class:`Loss`."""
        return weighted_sum(self.terms(z - y), weight)


class AbsoluteError(_Residual):
    """|y − z|."""

    def terms(self, residual):
        """See :class:`_Residual`."""
        return residual.abs()

    def slope(self, residual):
        """See :class:`_Residual`."""
        return residual.sign()


class Huber(_Residual):
    """½ r² where |r| ≤ delta, delta (|r| − ½ delta) beyond ([1]_, delta in units of y)."""

    def __init__(self, delta):
        self.delta = delta

    def terms(self, residual):
        """See :class:`_Residual`."""
        size = residual.abs()
        return torch.where(size <= self.delta, 0.5 * residual**2, self.delta * (size - 0.5 * self.delta))

    def slope(self, residual):
        """See :class:`_Residual`."""
        return residual.clamp(-self.delta, self.delta)


class Quantile(_Residual):
    """q max(y − z, 0) + (1 − q) max(z − y, 0), one output per quantile q [2]_.

    Parameters
    ----------
    quantiles : tuple of float in (0, 1)
        One for each output, or one for all of them.
    """

    def __init__(self, quantiles):
        self.quantiles = tuple(quantiles)

    def _levels(self, residual):
        return residual.new_tensor(self.quantiles).unsqueeze(1)  # (q, 1)

    def terms(self, residual):
        """See :class:`_Residual`."""
        q = self._levels(residual)
        return torch.maximum((1 - q) * residual, -q * residual)

    def slope(self, residual):
        """See :class:`_Residual`."""
        q = self._levels(residual)
        return torch.where(residual > 0, 1 - q, torch.where(residual < 0, -q, torch.zeros_like(q)))

    def predict_(self, z):
        """The outputs in the order of their quantiles: sorting them never raises the loss [3]_."""
        if len(self.quantiles) == 1:
            return z
        ranks = torch.tensor(self.quantiles, device=z.device).argsort().argsort()
        return z.sort(dim=0).values[ranks]

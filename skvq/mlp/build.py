"""Networks, losses and first weights of the predictors, built from values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..core.parameters import as_sizes
from . import losses
from .autograd import AutogradNetwork
from .network import DenseNetwork

DTYPES = {"float32": torch.float32, "float64": torch.float64}
PLAIN_LOSSES = {
    "squared_error": losses.SquaredError,
    "poisson": losses.Poisson,
    "absolute_error": losses.AbsoluteError,
}


@dataclass(frozen=True)
class Weights:
    """The weights of a network as arrays.

    Attributes
    ----------
    coefs, intercepts : list of ndarray
        Of shapes (fan_in, fan_out) and (fan_out,).
    normalization : dict of ndarray or None
        Scales, shifts and running statistics of the normalised layers; None without such layers, or before training.
    """

    coefs: list[np.ndarray]
    intercepts: list[np.ndarray]
    normalization: dict[str, np.ndarray] | None = None

    @classmethod
    def read(cls, network, dtype, *, normalized):
        """Return copies of a network's weights, coefs and intercepts in `dtype`."""
        coefs, intercepts = network.parameters.arrays(dtype)
        return cls(coefs, intercepts, network.normalization_arrays() if normalized else None)

    @classmethod
    def of(cls, attributes):
        """Return those that the attributes (dict) of an estimator hold."""
        return cls(attributes["coefs_"], attributes["intercepts_"], attributes.get("normalization_state_"))

    def by_name(self):
        """Return all arrays by the names of the attributes that hold them."""
        lists = {"coefs_": self.coefs, "intercepts_": self.intercepts}
        found = {f"{name}[{i}]": array for name, arrays in lists.items() for i, array in enumerate(arrays)}
        return found | {f"normalization_state_[{name!r}]": array for name, array in (self.normalization or {}).items()}

    def learned(self):
        """Return the fitted attributes of an estimator, a dict."""
        attributes = {"coefs_": self.coefs, "intercepts_": self.intercepts}
        return attributes if self.normalization is None else attributes | {"normalization_state_": self.normalization}

    @property
    def n_coefs(self):
        """Number of weights, biases not counted: the multiply-adds of a row."""
        return sum(coef.size for coef in self.coefs)

    @property
    def widths(self):
        """Widths of all layers, the input's first."""
        return [len(self.coefs[0]), *(coef.shape[1] for coef in self.coefs)]


def layer_widths(hidden_layer_sizes, n_features, n_outputs):
    """Return the widths of all layers, the input's first, as a list of int."""
    return [n_features, *as_sizes(hidden_layer_sizes), n_outputs]


def start_weights(widths, activation, dtype, random_state):
    """Return Weights drawn from U(-b, b), b² = 6 / (fan_in + fan_out) (Glorot & Bengio 2010, eq. 16).

    For the logistic function b² is a third of that. The draws come in scikit-learn's order.
    """
    factor = 2.0 if activation == "logistic" else 6.0
    coefs, intercepts = [], []
    for fan_in, fan_out in zip(widths[:-1], widths[1:]):
        bound = np.sqrt(factor / (fan_in + fan_out))
        coefs.append(random_state.uniform(-bound, bound, (fan_in, fan_out)).astype(dtype, copy=False))
        intercepts.append(random_state.uniform(-bound, bound, fan_out).astype(dtype, copy=False))
    return Weights(coefs, intercepts)


def build_loss(loss, *, huber_delta=1.0, quantile=0.5):
    """Return the Loss of a regressor by its name there."""
    if loss == "huber":
        return losses.Huber(float(huber_delta))
    if loss == "quantile":
        return losses.Quantile(np.atleast_1d(quantile).tolist())
    return PLAIN_LOSSES[loss]()


def build_network(
    weights, activation, loss, dtype, device, *, normalization=None, dropout=0.0, generator=None
) -> DenseNetwork | AutogradNetwork:
    """Return a network with the given weights: a DenseNetwork, or an AutogradNetwork if the options need one.

    Parameters
    ----------
    weights : Weights
    activation : str
    loss : Loss or None
        None is enough for predictions.
    dtype : torch.dtype
    device : torch.device
    normalization, dropout, generator
        As for :class:`AutogradNetwork`.
    """
    network: DenseNetwork | AutogradNetwork
    if device.type == "cpu" and dropout == 0 and normalization is None:
        network = DenseNetwork(weights.widths, activation, loss, dtype)
    else:
        network = AutogradNetwork(
            weights.widths,
            activation,
            loss,
            dtype,
            normalization=normalization,
            dropout=dropout,
            generator=generator,
            device=device,
        )
        network.load_normalization(weights.normalization or {})
    network.parameters.load(weights.coefs, weights.intercepts)
    return network

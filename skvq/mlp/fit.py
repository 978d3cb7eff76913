"""How the predictors are put together for a fit: network, optimiser, learning rate, held-out rows."""

import copy
import math
from numbers import Integral

import numpy as np
import torch
from scipy import sparse
from sklearn.metrics import check_scoring
from sklearn.model_selection import train_test_split

from ..core.device import resolve_device
from . import losses
from .autograd import AutogradNetwork
from .network import DenseNetwork, outputs
from .optimizers import SGD, Adam
from .rates import Adaptive, Cosine, InverseScaling, LearningRate

DTYPES = {"float32": torch.float32, "float64": torch.float64}
PLAIN_LOSSES = {
    "squared_error": losses.SquaredError,
    "poisson": losses.Poisson,
    "absolute_error": losses.AbsoluteError,
}
STOCHASTIC_SOLVERS = ("sgd", "adam")


def layer_widths(estimator, n_features, n_outputs):
    """Return the widths of all layers, the input's first, as a list of int."""
    hidden = estimator.hidden_layer_sizes
    hidden = list(hidden) if hasattr(hidden, "__iter__") else [hidden]
    if not all(isinstance(width, Integral) and not isinstance(width, bool) for width in hidden):
        raise TypeError(f"hidden_layer_sizes={estimator.hidden_layer_sizes!r} must be an integer or integers")
    if any(width <= 0 for width in hidden):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {hidden}.")
    return [n_features, *(int(width) for width in hidden), n_outputs]


def start_weights(widths, activation, dtype, random_state):
    """Return coefs and intercepts drawn from U(-b, b), b² = 6 / (fan_in + fan_out) (Glorot & Bengio 2010, eq. 16).

    For the logistic function b² is a third of that. The draws come in scikit-learn's order.
    """
    factor = 2.0 if activation == "logistic" else 6.0
    coefs, intercepts = [], []
    for fan_in, fan_out in zip(widths[:-1], widths[1:]):
        bound = np.sqrt(factor / (fan_in + fan_out))
        coefs.append(random_state.uniform(-bound, bound, (fan_in, fan_out)).astype(dtype, copy=False))
        intercepts.append(random_state.uniform(-bound, bound, fan_out).astype(dtype, copy=False))
    return coefs, intercepts


def build_loss(estimator):
    """Return the Loss of a fitted or fitting estimator."""
    if estimator.out_activation_ == "softmax":
        return losses.LogLoss()
    if estimator.out_activation_ == "logistic":
        return losses.BinaryLogLoss()
    if estimator.loss == "huber":
        return losses.Huber(estimator.huber_delta)
    if estimator.loss == "quantile":
        return losses.Quantile(np.atleast_1d(estimator.quantile).tolist())
    return PLAIN_LOSSES[estimator.loss]()


def as_tensor(rows):
    """Return rows, dense or sparse, as a tensor."""
    return torch.from_numpy(rows.toarray() if sparse.issparse(rows) else rows)


def build_network(estimator, device, generator=None, dtype=None):
    """Return the network that an estimator's coefs_ and parameters describe, its weights loaded.

    It is the one with hand-written gradients where that one can do what is asked for.
    """
    coefs = estimator.coefs_
    widths = [len(coefs[0]), *(coef.shape[1] for coef in coefs)]
    common = widths, estimator.activation, build_loss(estimator), dtype or DTYPES[estimator.precision_]
    if device.type == "cpu" and estimator.dropout == 0 and estimator.normalization is None:
        network = DenseNetwork(*common)
    else:
        network = AutogradNetwork(
            *common,
            normalization=estimator.normalization,
            dropout=estimator.dropout,
            generator=generator,
            device=device,
        )
        network.load_normalization(getattr(estimator, "normalization_state_", {}))
    network.parameters.load(coefs, estimator.intercepts_)
    return network


def build_outputs(estimator):
    """Return a function from rows (b, p) to outputs (b, n_outputs), before their activation, by the coefs_ of now."""
    dtype = np.dtype(estimator.precision_)
    if estimator.device != "cpu" or estimator.normalization is not None:
        device = resolve_device(estimator.device)
        network = build_network(estimator, device)
        return lambda x: network.outputs(as_tensor(x).to(device)).T.cpu().numpy()
    coefs = [array.astype(dtype) for array in estimator.coefs_]
    intercepts = [array.astype(dtype) for array in estimator.intercepts_]
    return lambda x: outputs(coefs, intercepts, estimator.activation, x)


def as_predictions(estimator, found):
    """Return predictions for outputs (n, n_outputs), in their dtype and perhaps in their memory."""
    if estimator.out_activation_ == "identity" and getattr(estimator, "loss", None) != "quantile":
        return found
    columns = torch.from_numpy(np.ascontiguousarray(found.T))  # (n_outputs, n)
    return np.ascontiguousarray(build_loss(estimator).predict_(columns).numpy().T)


def build_optimizer(estimator, network):
    """Return the optimiser of a stochastic solver on the network's buffers."""
    buffers = network.parameters.flat, network.gradient.flat
    if estimator.solver == "sgd":
        return SGD(*buffers, momentum=estimator.momentum, nesterov=estimator.nesterovs_momentum)
    return Adam(*buffers, beta_1=estimator.beta_1, beta_2=estimator.beta_2, epsilon=estimator.epsilon)


def build_rate(estimator, n_steps):
    """Return the learning rate over `n_steps` steps; "invscaling" and "adaptive" act on sgd only, as scikit-learn's."""
    common = estimator.learning_rate_init, n_steps, estimator.warmup
    if estimator.learning_rate == "cosine":
        return Cosine(*common)
    if estimator.solver == "sgd" and estimator.learning_rate == "invscaling":
        return InverseScaling(*common, power=estimator.power_t)
    if estimator.solver == "sgd" and estimator.learning_rate == "adaptive":
        return Adaptive(*common)
    return LearningRate(*common)


def split_off(n_rows, estimator, stratify, random_state):
    """Return the positions of training and held-out rows, those that scikit-learn draws from the same seed."""
    training, held_out = train_test_split(
        np.arange(n_rows), random_state=random_state, test_size=estimator.validation_fraction, stratify=stratify
    )
    if len(held_out) < 2:
        raise ValueError("The validation set is too small. Increase 'validation_fraction' or the size of your dataset.")
    return training, held_out


class HeldOut:
    """Rows that are not trained on; a call returns their score and their loss without the penalty.

    Parameters
    ----------
    estimator : BaseMLP
        Says what predictions mean.
    network : DenseNetwork or AutogradNetwork
        What is trained.
    samples : Samples
        The rows as batches.
    rows : callable
        Returns the rows as an ndarray or CSR matrix; called once, if a scorer needs them.
    y : ndarray
        Their targets as the user has them.
    weight : ndarray of shape (n,) or None
    """

    def __init__(self, estimator, network, samples, rows, y, weight):
        self.estimator = estimator
        self.network = network
        self.samples = samples
        self.y = y
        self.weight = weight
        self.scorer = None
        if estimator.early_stopping and estimator.scoring is not None:
            # A scorer predicts with an estimator of its own, which sees rows without the names of their columns.
            self.judged = copy.copy(estimator)
            self.judged.__dict__.pop("feature_names_in_", None)
            self.scorer = check_scoring(self.judged, scoring=estimator.scoring)
            self.X = rows()

    def __call__(self):
        """Return (score, loss); the score is NaN where predictions are not finite, None without early stopping."""
        return self._score() if self.estimator.early_stopping else None, self.loss()

    def loss(self):
        """Return the mean loss, without the penalty."""
        network = self.network
        total = len(self.samples) if self.weight is None else float(self.weight.sum())
        loss = sum(network.reported(network.loss_sum(*batch)) for batch in self.samples.in_order())
        return loss / total if total else math.nan

    def _score(self):
        if self.scorer is None:
            batches = self.samples.in_order()
            found = np.concatenate([self.network.outputs(x).T.cpu().numpy().copy() for x, _, _ in batches])
            return float(self.estimator._score_outputs(found, self.y, self.weight))
        self.judged._keep_parameters(self.network)
        if self.weight is None:
            return float(self.scorer(self.judged, self.X, self.y))
        try:
            return float(self.scorer(self.judged, self.X, self.y, sample_weight=self.weight))
        except TypeError as error:
            scoring = self.estimator.scoring
            raise TypeError(f"scoring={scoring!r} failed with the sample_weight of held-out rows: {error}") from error

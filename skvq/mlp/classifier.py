"""MLPClassifier: a multi-layer perceptron that predicts classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from scipy import sparse
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils.multiclass import _check_partial_fit_first_call

from .._typing import ArrayLike, Device, MatrixLike, NDArray, Path, RandomState, Reals, Self, typed
from ..core.availability import available_if
from ..core.device import prepared
from ..core.labels import check_classes, is_indicator
from ..core.lazy import lazy
from ..core.parameters import StrOptions
from ..training.batches import as_array
from . import schema
from .base import BaseMLP, trains_in_steps
from .losses import BinaryLogLoss, LogLoss
from .predict import log_probabilities, predictions
from .targets import Labels, check_all_classes, decode, learn_indicators, learn_labels


def _no_labels(model):
    """Return the predicted labels of a fitted model for no rows."""
    return decode(model._label_binarizer, np.zeros((1, model.n_outputs_)))[:0]


def _no_probabilities(model):
    """Return the probabilities that a fitted model predicts for no rows."""
    return np.empty((0, len(model.classes_)), model.coefs_[0].dtype)


@lazy(predict=_no_labels, predict_proba=_no_probabilities, predict_log_proba=_no_probabilities)
class MLPClassifier(ClassifierMixin, BaseMLP):
    """A multi-layer perceptron [1]_ that predicts classes, trained by back-propagation [2]_ of the log-loss.

    The parameters up to `max_fun` are those of :class:`sklearn.neural_network.MLPClassifier`, in its order, with its
    defaults and its meaning; the others are off by default.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(100,)
        Widths of the hidden layers. ``()`` is the network of a single layer: logistic regression.
    activation : str, default="relu"
        Of the hidden layers: "identity", "logistic", "tanh", "relu", "leaky_relu" (slope 0.01 below 0), "elu", "gelu",
        "silu" or "softplus".
    solver : {"adam", "sgd", "lbfgs"}, default="adam"
        Adam [3]_; stochastic gradient descent with momentum; or L-BFGS over the whole data, for small ones.
    alpha : float >= 0, default=0.0001
        Strength of the penalty ½ alpha ‖weights‖² / n, where n is the sum of the weights of the rows that a gradient is
        taken over.
    batch_size : int or "auto", default="auto"
        Rows per step of adam and sgd; "auto" is the smaller of 200 and the number of rows.
    learning_rate : {"constant", "invscaling", "adaptive", "cosine"}, default="constant"
        "invscaling" (learning_rate_init / (rows seen + 1)^power_t) and "adaptive" (divided by 5 when training stalls)
        act on sgd only; "cosine" falls to 0 over `max_iter` epochs with sgd and adam.
    learning_rate_init : float > 0, default=0.001
        Initial learning rate of adam and sgd.
    power_t : float >= 0, default=0.5
        Exponent of "invscaling".
    max_iter : int, default=200
        Most epochs, or most iterations of lbfgs.
    shuffle : bool, default=True
        Whether each epoch goes through the rows in a new order.
    random_state : int, RandomState instance or None, default=None
        Draws the first weights, held-out rows, order of rows and dropout. An int makes fits repeatable, and gives the
        first weights and batches that scikit-learn's estimator has.
    tol : float >= 0, default=0.0001
        An epoch that does not improve the loss (the score, with early stopping) by so much counts as no change. For
        lbfgs the largest entry of the gradient at which to stop.
    verbose : bool or int, default=False
        Whether to print the loss of every epoch.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights of the last fit.
    momentum : float in [0, 1], default=0.9
        Of sgd.
    nesterovs_momentum : bool, default=True
        Whether the momentum of sgd looks ahead.
    early_stopping : bool, default=False
        Whether adam and sgd hold rows out, stop when their score no longer improves, and keep the weights of the best
        epoch of the fit.
    validation_fraction : float in [0, 1), default=0.1
        Share of the rows that early stopping holds out, stratified. Rows of weight 0 are not held out, and of the
        others at least two are.
    beta_1, beta_2 : float in [0, 1), default=0.9, 0.999
        Decay of Adam's running means of the gradient and of its square.
    epsilon : float > 0, default=1e-8
        Added to the root of Adam's running mean square.
    n_iter_no_change : int or inf, default=10
        Most epochs in a row without change.
    max_fun : int, default=15000
        Most evaluations of the loss by lbfgs.
    class_weight : dict, list of dict, "balanced" or None, default=None
        Weights of the classes in the loss; "balanced" makes them inverse to their frequency. Multi-label problems take
        a list with a dict for each label, and a row weighs what its labels' weights multiply to.
    dropout : float in [0, 1), default=0.0
        Share of hidden units that are zeroed at each step [5]_.
    normalization : {None, "batch", "layer"}, default=None
        Batch [6]_ or layer normalisation [7]_ before each activation.
    scoring : str, callable or None, default=None
        Scorer that early stopping goes by; None is the accuracy.
    warmup : float in [0, 1], default=0.0
        Share of all steps over which the learning rate of adam and sgd rises to its value.
    max_grad_norm : float > 0 or None, default=None
        Euclidean norm that the gradient of a step is clipped to.
    precision : {"auto", "float32", "float64"}, default="auto"
        What the network computes in. "auto" is float32 for float32 X; else float64 where a batch is little work
        (less than 200,000 multiply-adds), and beyond that float32 for adam and sgd, and float32 with an end in float64
        for lbfgs. `coefs_` and predictions have the dtype of the X of `fit` in any case.
    device : str or torch.device, default="cpu"
        Where to compute: "cpu", "cuda", "mps", or "auto".
    max_seconds : float or None, default=None
        Seconds that `fit` may take. Where `max_iter` epochs would take longer, training ends by it, in the middle of an
        epoch if need be, and a learning rate that is laid for the whole of training, "cosine" or one with `warmup`,
        goes by this time; the result then depends on how fast the machine is. None is no limit.
    checkpoint : str, os.PathLike or None, default=None
        A file that keeps the state of `fit`. If `fit` is cut off, the same call goes on from the file and ends with the
        same bits; when `fit` is done, it deletes the file. A file of another fit, with other parameters or data, is an
        error. Not for the candidates of a search, which would all have the same file; not with ``solver="lbfgs"``,
        whose search keeps its state to itself; without effect on `partial_fit`.
    checkpoint_interval : float, default=60.0
        Seconds between two writes of that file, at least; 0 writes it after every step.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    coefs_, intercepts_ : list of ndarray
        Weights (fan_in, fan_out) and biases (fan_out,) of the layers; float32 if the X of `fit` was, else float64.
    loss_ : float
        Loss of the last epoch, with the penalty.
    best_loss_ : float or None
        Lowest loss of an epoch; None with early stopping.
    loss_curve_ : list of float
        Loss of every epoch (adam and sgd).
    validation_scores_ : list of float or None
        Score on held-out rows after every epoch, with early stopping.
    best_validation_score_ : float or None
        The highest of them, whose weights are kept.
    validation_loss_curve_ : list of float
        Loss on held-out rows, without the penalty, after every epoch, where there are such rows.
    n_iter_ : int
        Epochs, or iterations of lbfgs, of the last fit.
    t_ : int
        Rows that were trained on, over all epochs.
    n_layers_, n_outputs_ : int
        Number of layers, input and output included; number of outputs.
    activation_ : str
        The activation that the weights were trained with: a change of the parameter acts on the next fit only.
    out_activation_ : str
        What the outputs go through.
    precision_ : str
        "float32" or "float64".
    normalization_state_ : dict of ndarray
        Scales, shifts, means and variances of the normalised layers, if any.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of str
        Their names, if X had names.

    Notes
    -----
    Several classes have one output each and a softmax; two classes, and each label of a multi-label problem, one output
    and a logistic function. The loss of a batch is the mean over its rows, weighted by `sample_weight` times
    `class_weight`, plus the penalty. First weights are drawn by [4]_.

    References
    ----------
    .. [1] F. Rosenblatt, "The perceptron: a probabilistic model for information storage and organization in the brain",
       Psychological Review 65(6), 1958.
    .. [2] D. E. Rumelhart, G. E. Hinton, R. J. Williams, "Learning representations by back-propagating errors",
       Nature 323, 1986.
    .. [3] D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015.
    .. [4] X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks",
       AISTATS 2010.
    .. [5] N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov, "Dropout: A Simple Way to Prevent
       Neural Networks from Overfitting", JMLR 15, 2014.
    .. [6] S. Ioffe, C. Szegedy, "Batch Normalization", ICML 2015.
    .. [7] J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer Normalization", arXiv:1607.06450, 2016.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from skvq import MLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> model = MLPClassifier(early_stopping=True, random_state=0).fit(X_train, y_train)
    >>> model.score(X_test, y_test)
    0.9...
    """

    _parameter_constraints = {
        **BaseMLP._parameter_constraints,
        "class_weight": [None, dict, list, StrOptions({"balanced"})],
    }
    _learned_beside = (*BaseMLP._learned_beside, "_label_binarizer")
    loss = "log_loss"

    _schema = schema.MLP_CLASSIFIER

    def __init__(
        self,
        hidden_layer_sizes: ArrayLike = (100,),
        activation: Literal[
            "identity", "logistic", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus"
        ] = "relu",
        *,
        solver: Literal["lbfgs", "sgd", "adam"] = "adam",
        alpha: float = 0.0001,
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: Literal["constant", "invscaling", "adaptive", "cosine"] = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: RandomState = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        class_weight: Mapping[Any, float] | Sequence[Mapping[int, float]] | Literal["balanced"] | None = None,
        dropout: float = 0.0,
        normalization: Literal["batch", "layer"] | None = None,
        scoring: str | Callable[..., float] | None = None,
        warmup: float = 0.0,
        max_grad_norm: float | None = None,
        precision: Literal["auto", "float32", "float64"] = "auto",
        device: Device = "cpu",
        max_seconds: float | None = None,
        checkpoint: Path = None,
        checkpoint_interval: float = 60.0,
    ) -> None:
        super().__init__(
            hidden_layer_sizes=hidden_layer_sizes, activation=activation, solver=solver, alpha=alpha,
            batch_size=batch_size, learning_rate=learning_rate, learning_rate_init=learning_rate_init,
            power_t=power_t, max_iter=max_iter, shuffle=shuffle, random_state=random_state, tol=tol, verbose=verbose,
            warm_start=warm_start, momentum=momentum, nesterovs_momentum=nesterovs_momentum,
            early_stopping=early_stopping, validation_fraction=validation_fraction, beta_1=beta_1, beta_2=beta_2,
            epsilon=epsilon, n_iter_no_change=n_iter_no_change, max_fun=max_fun, dropout=dropout,
            normalization=normalization, scoring=scoring, warmup=warmup, max_grad_norm=max_grad_norm,
            precision=precision, device=device,
            max_seconds=max_seconds, checkpoint=checkpoint, checkpoint_interval=checkpoint_interval,
        )  # fmt: skip
        self.class_weight = class_weight

    @typed(_fit_context(prefer_skip_nested_validation=True))
    @prepared
    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: MatrixLike | None = None,
        y_val: ArrayLike | None = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like or CSR/CSC matrix of shape (n, n_features)
            Any numeric dtype, finite. It is never copied whole if large.
        y : array-like of shape (n,), or indicator matrix of shape (n, n_labels)
            Labels of any type; for multi-label problems zeros and ones.
        sample_weight : array-like of shape (n,), default=None
            Weights of the rows.
        X_val, y_val : like X and y, default=None
            Held-out rows: their loss is recorded, and early stopping goes by their score in place of a split's.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For bad input or parameters, and if the weights become non-finite.
        """
        return self._fit(X, y, sample_weight, X_val, y_val)

    @typed(available_if(trains_in_steps))
    @typed(_fit_context(prefer_skip_nested_validation=True))
    @prepared
    def partial_fit(
        self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None, classes: ArrayLike | None = None
    ) -> Self:
        """Train the network for one epoch over X, going on from where it is.

        Parameters that were changed since the last call take effect; the optimiser goes on with what it remembers.

        Parameters
        ----------
        X, y, sample_weight
            As in :meth:`fit`.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever occur; needed in the first call, but for an indicator matrix, whose columns are
            the labels.

        Returns
        -------
        self
        """
        if isinstance(self.class_weight, str):
            raise ValueError(
                "class_weight='balanced' needs the frequencies in the whole data, which partial_fit does not see; "
                "pass a dict with the weights"
            )
        y = check_classes(as_array(y, "y"), estimator="MLPClassifier")
        classes = check_all_classes(classes)
        if is_indicator(y):
            binarizer = learn_indicators(y if sparse.issparse(y) else np.asarray(y), classes)
            if not hasattr(self, "classes_"):
                self._label_binarizer = binarizer
        elif _check_partial_fit_first_call(self, classes):
            self._label_binarizer = learn_labels(classes)
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: MatrixLike) -> NDArray[Any]:
        """Return the most probable labels.

        Parameters
        ----------
        X : array-like or CSR/CSC matrix of shape (n, n_features)
            An array or a frame of dask gives a lazy one, computed block by block.

        Returns
        -------
        y : ndarray of shape (n,) or (n, n_labels)
        """
        found = self._outputs(X)
        return decode(self._label_binarizer, found)

    def predict_proba(self, X: MatrixLike) -> Reals:
        """Return the probabilities of the classes, in the order of `classes_`.

        Parameters
        ----------
        X : array-like or CSR/CSC matrix of shape (n, n_features)
            An array or a frame of dask gives a lazy one, computed block by block.

        Returns
        -------
        p : ndarray of shape (n, n_classes) or (n, n_labels), in [0, 1]
            Rows sum to 1, but for multi-label problems, where each column is the probability of a label. If `fit` saw
            one class only, the one column is 1.
        """
        found = self._outputs(X)
        if self._has_one_class:
            return np.ones_like(found)
        found = predictions(LogLoss() if self.out_activation_ == "softmax" else BinaryLogLoss(), found)
        return np.hstack([1 - found, found]) if found.shape[1] == 1 else found

    def predict_log_proba(self, X: MatrixLike) -> Reals:
        """Return the logarithms of the probabilities, from the outputs: finite where :meth:`predict_proba` rounds to 0.

        Parameters
        ----------
        X : array-like or CSR/CSC matrix of shape (n, n_features)
            An array or a frame of dask gives a lazy one, computed block by block.

        Returns
        -------
        log_p : ndarray of shape (n, n_classes) or (n, n_labels), in nats
        """
        found = self._outputs(X)
        return np.zeros_like(found) if self._has_one_class else log_probabilities(found, self.out_activation_)

    @prepared
    def score(self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the share of rows whose label is predicted; of an indicator matrix, whose labels all are.

        Parameters
        ----------
        X : array-like or CSR/CSC matrix of shape (n, n_features)
        y : array-like of shape (n,), or indicator matrix of shape (n, n_labels)
        sample_weight : array-like of shape (n,), default=None

        Returns
        -------
        float in [0, 1]
        """
        return super().score(
            X, check_classes(as_array(y, "y"), estimator="MLPClassifier"), as_array(sample_weight, "sample_weight")
        )

    @property
    def _has_one_class(self):
        """Whether the labels of `fit` were all the same."""
        return self._label_binarizer.y_type_ == "binary" and len(self.classes_) == 1

    def _targets(self):
        known = getattr(self, "_label_binarizer", None)
        return Labels(self.class_weight, known, same_classes=self.warm_start)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

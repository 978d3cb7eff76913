"""What regressor and classifier share: validation, the three solvers, predictions, a fitted state made of arrays."""

import copy
from abc import abstractmethod
from numbers import Integral, Real

import numpy as np
import torch
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.metrics import get_scorer
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from .._warnings import warn_user
from ..core.callbacks import CallbackSupport, FitTask, learned_by
from ..core.device import resolve_device, threads_for
from ..core.layout import as_array
from ..core.progress import starts
from ..persistence.save import Saves
from .activations import ACTIVATIONS
from .descent import Descent, DescentSettings, TrainingState, say
from .fit import (
    DTYPES,
    STOCHASTIC_SOLVERS,
    HeldOut,
    build_network,
    build_optimizer,
    build_outputs,
    build_rate,
    layer_widths,
    split_off,
    start_weights,
)
from .gather import Samples, cast, rows_per_pass
from .lbfgs import minimise

# Batches that are predicted are filled up to a multiple of this many rows, so that a row gets the same floats whether
# it comes alone or among others.
ROW_BLOCK = 8
# So few rows are predicted by a shorter way.
FEW_ROWS = 32
# Multiply-adds of a batch from which on "auto" computes in float32; below, float64 costs at most a fifth more
# (`benchmarks/mlp_precision.py`).
SINGLE_WORK = 2e5
NON_NEGATIVE = Interval(Real, 0, None, closed="left")
POSITIVE = Interval(Real, 0, None, closed="neither")
DECAY = Interval(Real, 0, 1, closed="left")
COUNT = Interval(Integral, 1, None, closed="left")


def filled_batch(rows, dtype):
    """Return rows in `dtype`, dense ones with zeros added up to a multiple of ROW_BLOCK rows."""
    if sparse.issparse(rows):
        return cast(rows, dtype)
    n_rows, n_columns = rows.shape
    batch = np.zeros((n_rows + -n_rows % ROW_BLOCK, n_columns), dtype=dtype)
    with np.errstate(over="ignore"):
        batch[:n_rows] = rows
    return batch


def trains_in_steps(estimator):
    """Return True if the solver takes steps that `partial_fit` can go on with; raise AttributeError otherwise."""
    if estimator.solver not in STOCHASTIC_SOLVERS:
        raise AttributeError(
            f"partial_fit is only available for stochastic optimizers. {estimator.solver} is not stochastic."
        )
    return True


class BaseMLP(CallbackSupport, Saves, BaseEstimator):
    """Base of MLPRegressor and MLPClassifier.

    A subclass says how targets become numbers (``_encode_targets``), and how outputs are scored (``_score_outputs``).
    """

    _parameter_constraints = {
        "hidden_layer_sizes": ["array-like", COUNT],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "solver": [StrOptions({"lbfgs", "sgd", "adam"})],
        "alpha": [NON_NEGATIVE],
        "batch_size": [StrOptions({"auto"}), COUNT],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive", "cosine"})],
        "learning_rate_init": [POSITIVE],
        "power_t": [NON_NEGATIVE],
        "max_iter": [COUNT],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [NON_NEGATIVE],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [DECAY],
        "beta_1": [DECAY],
        "beta_2": [DECAY],
        "epsilon": [POSITIVE],
        "n_iter_no_change": [COUNT, Options(Real, {np.inf})],
        "max_fun": [COUNT],
        "dropout": [DECAY],
        "normalization": [None, StrOptions({"batch", "layer"})],
        "scoring": [None, str, callable],
        "warmup": [Interval(Real, 0, 1, closed="both")],
        "max_grad_norm": [None, POSITIVE],
        "precision": [StrOptions({"auto", "float32", "float64"})],
        "device": [str, torch.device],
    }

    @abstractmethod
    def _encode_targets(self, y):
        """Return validated targets as numbers, ndarray (n, n_outputs), or class indices (n, 1)."""

    @abstractmethod
    def _score_outputs(self, outputs, y, sample_weight):
        """Return the score of outputs (n, n_outputs) for targets as the user has them."""

    def _fit(self, X, y, sample_weight, *, incremental, X_val=None, y_val=None):
        self._check_combinations(incremental)
        first_pass = not hasattr(self, "coefs_") or (not self.warm_start and not incremental)
        if not first_pass:
            return self._train(X, y, sample_weight, X_val, y_val, incremental=incremental, first_pass=False)
        self._forget("coefs_", "intercepts_")
        try:
            return self._train(X, y, sample_weight, X_val, y_val, incremental=incremental, first_pass=True)
        except BaseException:
            # What failed leaves no mixture of an old network and a new problem.
            self._forget("coefs_", "intercepts_", "classes_", "_label_binarizer")
            raise

    def _forget(self, *names):
        for name in names:
            self.__dict__.pop(name, None)

    def _train(self, X, y, sample_weight, X_val, y_val, *, incremental, first_pass):
        device = resolve_device(self.device)
        task = FitTask(self, X, y, sample_weight)
        X, y = self._check_data(X, y, reset=first_pass)
        self._learn_targets(y, incremental)
        targets = self._encode_targets(y)
        out_activation, n_outputs = self._describe_outputs(targets)
        if not first_pass and n_outputs != self.n_outputs_:
            raise ValueError(f"y asks for {n_outputs} outputs, but the network was fitted with {self.n_outputs_}")
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X)
        held_out = None if X_val is None and y_val is None else self._check_held_out(X_val, y_val, targets.shape[1])
        random_state = check_random_state(self.random_state)
        self.out_activation_ = out_activation
        if first_pass:
            self._start(X, n_outputs, random_state)
        weight = self._loss_weights(y, sample_weight)
        if weight is not None and not weight.any():
            raise ValueError("the weights of all rows are zero; at least one must be positive")
        task.begin(*((1, "partial-fit") if incremental else (self.max_iter,)))
        try:
            if self.solver in STOCHASTIC_SOLVERS:
                data = X, targets, weight, y, sample_weight
                self._fit_stochastic(data, held_out, random_state, device, task, incremental=incremental)
            else:
                self._fit_lbfgs(X, targets, weight, held_out, device, task)
        except ValueError:
            self._check_range(X)
            self._check_range(targets, "y")
            raise
        task.end()
        return self

    def _check_combinations(self, incremental):
        if isinstance(self.scoring, str):
            get_scorer(self.scoring)
        if incremental and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        if incremental and (self.learning_rate == "cosine" or self.warmup > 0):
            raise ValueError(
                f"partial_fit does not know how long training lasts, which learning_rate={self.learning_rate!r} with "
                f"warmup={self.warmup} needs; pass another learning_rate and warmup=0"
            )
        steps_only = {"learning_rate": "cosine", "warmup": self.warmup or None, "max_grad_norm": self.max_grad_norm}
        for name, value in steps_only.items():
            if self.solver == "lbfgs" and value is not None and getattr(self, name) == value:
                raise ValueError(f"{name}={value!r} needs a solver that takes steps, 'adam' or 'sgd', not 'lbfgs'")
        if self.solver == "lbfgs" and (self.dropout > 0 or self.normalization == "batch"):
            raise ValueError(
                f"solver='lbfgs' needs the same loss every time it looks, which dropout={self.dropout} with "
                f"normalization={self.normalization!r} does not give; pass solver='adam' or 'sgd'"
            )

    def _check_data(self, X, y, *, reset):
        """Return X as an ndarray or CSR matrix of its own dtype, without a copy, and y as an ndarray."""
        X = as_array(X)
        is_numeric = hasattr(X, "dtypes") or getattr(getattr(X, "dtype", None), "kind", "") in tuple("biuf")
        X, y = validate_data(
            self,
            X,
            as_array(y),
            accept_sparse=["csr", "csc"],
            multi_output=True,
            y_numeric=self._y_numeric,
            dtype="numeric" if is_numeric else (np.float64, np.float32),
            reset=reset,
        )
        return X.tocsr() if hasattr(X, "tocsr") else X, self._check_targets(y)

    def _check_held_out(self, X_val, y_val, n_columns):
        if X_val is None or y_val is None:
            raise ValueError("X_val and y_val must be passed together")
        try:
            X_val, y_val = self._check_data(X_val, y_val, reset=False)
            targets = self._encode_targets(y_val)
        except ValueError as error:
            raise ValueError(f"X_val or y_val: {error}") from error
        if targets.shape[1] != n_columns:
            raise ValueError(f"y_val has {targets.shape[1]} outputs, but y has {n_columns}")
        return X_val, targets, y_val

    def _start(self, X, n_outputs, random_state):
        """Draw the first weights and set everything that training counts to zero."""
        widths = layer_widths(self, X.shape[1], n_outputs)
        dtype = np.float32 if X.dtype == np.float32 else np.float64
        self.coefs_, self.intercepts_ = start_weights(widths, self.activation, dtype, random_state)
        self.n_layers_, self.n_outputs_ = len(widths), n_outputs
        self.n_iter_ = self.t_ = 0
        self._forget("normalization_state_", "_optimizer_state", "validation_loss_curve_")
        if self.solver in STOCHASTIC_SOLVERS:
            self.loss_curve_, self._no_improvement_count = [], 0
            self.validation_scores_ = [] if self.early_stopping else None
            self.best_validation_score_ = -np.inf if self.early_stopping else None
            self.best_loss_ = None if self.early_stopping else np.inf

    def _dtypes(self, X):
        """Settle `precision_`; return the torch dtypes of the network and of its targets."""
        self.precision_ = self.precision if self.precision != "auto" else self._automatic_precision(X)
        return self._with_targets(DTYPES[self.precision_])

    def _with_targets(self, dtype):
        """Return the torch dtype of a network and that of its targets, which are class indices for a softmax."""
        return dtype, torch.int64 if self.out_activation_ == "softmax" else dtype

    def _automatic_precision(self, X):
        if X.dtype == np.float32:
            return "float32"
        # The line searches of L-BFGS need differences of the loss that float32 does not resolve near the minimum.
        if self.solver == "lbfgs" or not self._single_pays(X):
            return "float64"
        return "float32"

    def _single_pays(self, X):
        """Return whether a batch is so much work that float32 is worth its rounding."""
        rows = min(X.shape[0], rows_per_pass(X.shape[1]))
        if self.solver in STOCHASTIC_SOLVERS:
            rows = self._rows_per_step(X.shape[0])
        return rows * sum(coef.size for coef in self.coefs_) >= SINGLE_WORK

    def _fit_stochastic(self, data, held_out, random_state, device, task, *, incremental):
        X, targets, weight, y, sample_weight = data
        dtypes = self._dtypes(X)
        training = None
        if self.early_stopping and held_out is None:
            stratify = targets.astype(bool) if self._stratifies else None
            training, positions = split_off(X.shape[0], self, stratify, random_state)
        generator = None
        if self.dropout > 0:
            generator = torch.Generator(device).manual_seed(int(random_state.randint(np.iinfo(np.int32).max)))
        network = build_network(self, device, generator)
        samples = Samples(X, targets, weight, *dtypes, subset=training, device=device)
        validate = None
        if held_out is not None:
            validate = self._validation(held_out, network, dtypes, device)
        elif training is not None:
            val_weight = None if sample_weight is None else sample_weight[positions]
            val_samples = Samples(X, targets, sample_weight, *dtypes, subset=positions, device=device)
            validate = HeldOut(self, network, val_samples, lambda: X[positions], y[positions], val_weight)
        self._descend(network, samples, validate, random_state, task, incremental=incremental)

    def _validation(self, held_out, network, dtypes, device):
        """Return the HeldOut of rows that were passed to `fit`."""
        X_val, targets, y_val = held_out
        samples = Samples(X_val, targets, None, *dtypes, device=device)
        return HeldOut(self, network, samples, lambda: X_val, y_val, None)

    def _descend(self, network, samples, validate, random_state, task, *, incremental):
        """Run the loop and keep what came of it."""
        batch_size = self._batch_size(len(samples))
        if self.precision_ == "float32" and self.learning_rate_init > float(np.finfo(np.float32).max):
            raise ValueError(f"learning_rate_init={self.learning_rate_init} is more than float32 can hold; lower it")
        optimizer = build_optimizer(self, network)
        rate = build_rate(self, self.max_iter * -(-len(samples) // batch_size))
        state = getattr(self, "_optimizer_state", None) if incremental else None
        if state is not None and optimizer.fits(state):
            optimizer.load(state)
            if state["initial"] == self.learning_rate_init:
                rate.rate = state["rate"]
        settings = DescentSettings(
            max_iter=self.max_iter,
            batch_size=batch_size,
            shuffle=self.shuffle,
            alpha=self.alpha,
            tol=self.tol,
            n_iter_no_change=self.n_iter_no_change,
            max_grad_norm=self.max_grad_norm,
            early_stopping=self.early_stopping,
            verbose=self.verbose,
        )
        progress = self._progress()
        observer = task.epochs(lambda: self._record(progress), lambda: self._fitted_so_far(network))
        descent = Descent(network, optimizer, rate, samples, settings, random_state, progress, validate, observer)
        with threads_for(network.parameters.penalized.numel() * batch_size):
            descent.run(one_epoch=incremental)
        self._keep_parameters(network)
        self._optimizer_state = optimizer.state() | {"rate": rate.rate, "initial": rate.initial}
        self._record(progress)

    def _rows_per_step(self, n_rows):
        return min(n_rows, 200 if self.batch_size == "auto" else int(self.batch_size))

    def _batch_size(self, n_rows):
        if self.batch_size != "auto" and self.batch_size > n_rows:
            warn_user("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped")
        return self._rows_per_step(n_rows)

    def _progress(self):
        """Return what earlier calls counted, which a warm start or a partial fit goes on with."""
        early = self.early_stopping
        scores = getattr(self, "validation_scores_", None)
        best_score = getattr(self, "best_validation_score_", None)
        best_loss = getattr(self, "best_loss_", None)
        return TrainingState(
            n_rows_seen=getattr(self, "t_", 0),
            loss_curve=list(getattr(self, "loss_curve_", [])),
            validation_loss_curve=list(getattr(self, "validation_loss_curve_", [])),
            validation_scores=list(scores or []) if early else scores,
            best_score=-np.inf if early and best_score is None else best_score,
            best_loss=None if early else np.inf if best_loss is None else best_loss,
            n_no_improvement=getattr(self, "_no_improvement_count", 0),
        )

    def _record(self, progress):
        self.n_iter_, self.t_, self.loss_ = progress.n_iter, progress.n_rows_seen, progress.loss
        self.loss_curve_, self.best_loss_ = list(progress.loss_curve), progress.best_loss
        self.validation_scores_ = copy.copy(progress.validation_scores)
        self.best_validation_score_ = progress.best_score
        if progress.validation_loss_curve:
            self.validation_loss_curve_ = list(progress.validation_loss_curve)
        self._no_improvement_count = progress.n_no_improvement

    def _fit_lbfgs(self, X, targets, weight, held_out, device, task):
        dtypes = self._dtypes(X)
        network = build_network(self, device)
        samples = Samples(X, targets, weight, *dtypes, device=device)
        stages = [(network, samples)]
        if self.precision == "auto" and self.precision_ == "float64" and self._single_pays(X):
            stages.insert(0, self._in_float32(X, targets, weight, device))
        validate = None
        if held_out is not None:
            validate = self._validation(held_out, network, dtypes, device)
            self.validation_loss_curve_ = []

        def after_iteration(number, loss, present):
            self.n_iter_, self.loss_ = number, loss
            say(self.verbose, f"Iteration {number}, loss = {loss:.8f}")
            if validate is not None:
                network.parameters.flat.copy_(present.parameters.flat)
                self.validation_loss_curve_.append(validate.loss())

        with threads_for(network.parameters.penalized.numel() * min(X.shape[0], rows_per_pass(X.shape[1]))):
            self.n_iter_, self.loss_ = minimise(
                stages,
                alpha=self.alpha,
                max_iter=self.max_iter,
                max_fun=self.max_fun,
                tol=self.tol,
                after_iteration=after_iteration,
                observer=task.epochs(lambda: None, lambda: self._fitted_so_far(network), name="iteration"),
            )
        self._keep_parameters(network)

    def _in_float32(self, X, targets, weight, device):
        """Return the network and the samples in the precision that a search begins in."""
        dtypes = self._with_targets(torch.float32)
        return build_network(self, device, dtype=dtypes[0]), Samples(X, targets, weight, *dtypes, device=device)

    def _fitted_so_far(self, network):
        """Return the attributes that `fit` would have set, had training ended now; training goes on untouched."""
        copied = copy.copy(self)
        copied._keep_parameters(network)
        return learned_by(copied, self)

    def _keep_parameters(self, network):
        dtype = self.coefs_[0].dtype
        self.coefs_, self.intercepts_ = network.parameters.arrays(dtype)
        if self.normalization is not None:
            self.normalization_state_ = network.normalization_arrays()

    def _outputs(self, X):
        """Return the network's outputs (n, n_outputs), before their activation, in the dtype of `coefs_`."""
        if not hasattr(self, "coefs_"):  # the check itself costs as much as a prediction
            check_is_fitted(self, "coefs_")
        X = self._check_rows(X)
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is looked into below
            found = self._pass(X, build_outputs(self))
        if not np.isfinite(found).all():
            self._check_range(X)
        return found

    def _pass(self, X, outputs):
        """Return what `outputs` makes of the rows, a piece at a time."""
        n = X.shape[0]
        if n <= FEW_ROWS:
            found = outputs(filled_batch(X, self.precision_))[:n].astype(self.coefs_[0].dtype, order="C")
        else:
            found = np.empty((n, self.n_outputs_), dtype=self.coefs_[0].dtype)
            size = rows_per_pass(X.shape[1])
            for start in starts(n, size, "predicting"):
                rows = X[start : start + size]
                found[start : start + size] = outputs(filled_batch(rows, self.precision_))[: rows.shape[0]]
        return found

    def _check_rows(self, X):
        """Validate rows to predict; those that plainly are what `fit` saw take a shorter way than scikit-learn's."""
        plain = type(X) is np.ndarray and X.ndim == 2 and X.dtype.char in "fd" and len(X) > 0
        if plain and X.shape[1] == self.n_features_in_ and not hasattr(self, "feature_names_in_"):
            with np.errstate(over="ignore", invalid="ignore"):
                finite = np.isfinite(X.sum())
            if finite:
                return X
        X = validate_data(self, as_array(X), accept_sparse=["csr", "csc"], dtype="numeric", reset=False)
        return X.tocsr() if hasattr(X, "tocsr") else X

    def _check_range(self, X, name="X"):
        """Raise if X, or targets of that name, hold what float32 cannot: the reason of what is not finite."""
        values = X.data if hasattr(X, "tocsr") else X
        if values.dtype.kind not in "iuf":
            return
        largest = float(np.abs(values).max(initial=0))
        if self.precision_ == "float32" and largest > float(np.finfo(np.float32).max):
            raise ValueError(
                f"{name} holds values up to {largest:.3g}, more than float32 can; rescale {name} or pass "
                "precision='float64'"
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

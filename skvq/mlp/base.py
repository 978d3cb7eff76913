"""The common base of regressor and classifier, from the validation of a fit to the outputs for new rows."""

import re
from abc import abstractmethod
from contextlib import contextmanager
from functools import partial

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from .._warnings import warn_of_unknown_names
from ..core.advice import refuse_images_of_unequal_sizes
from ..core.callbacks import FitTask
from ..core.device import is_forked, prepared, resolve_device
from ..core.estimator import NetworkEstimator, torch_generator
from ..core.fingerprint import digest_of_arrays
from ..core.naming import named, no_gaps
from ..core.parameters import check_memory, dense_weights, training_bytes
from ..training.batches import as_array
from ..training.loop import TimeLimit, first_not_finite
from .build import Weights, layer_widths, start_weights
from .columns import warn_of_columns
from .descent import TrainingState
from .fit import Training
from .held_out import Examples, ScorerJudge, hold_out
from .parameters import CONSTRAINTS, STOCHASTIC_SOLVERS, TrainingParameters, check_combinations
from .predict import check_range, dense_outputs, network_outputs, outputs_in_pieces, refuse_outputs

# The sum of weights that a mean is divided by in float32.
LEAST_WEIGHT = 1e-30
# What to do about missing values.
GAPS = (
    "fill the gaps first: make_pipeline(SimpleImputer(), ...) of scikit-learn does, and complete of a fitted "
    "VQVAETransformer or OrderlessNADE draws them"
)
# What to do with categories, as scikit-learn has it.
ENCODED = (
    "encode categories, such as by make_column_transformer((OneHotEncoder(handle_unknown='ignore'), "
    "make_column_selector(dtype_exclude='number')), remainder='passthrough') in a Pipeline"
)


def trains_in_steps(estimator):
    """Return True if the solver takes steps that `partial_fit` can go on with; raise AttributeError otherwise."""
    if estimator.solver not in STOCHASTIC_SOLVERS:
        raise AttributeError(
            f"partial_fit is only available for stochastic optimizers. {estimator.solver} is not stochastic."
        )
    return True


def refuse_other_arrays(X):
    """Raise ValueError for images and series, and for dates of numpy, whose numbers depend on their unit."""
    first = np.asarray(X[:1]) if isinstance(X, list | tuple) else X
    shape = getattr(first, "shape", ())
    if len(shape) > 2:
        refuse_images_of_unequal_sizes(X)
        shape = len(X), *shape[1:]
        raise ValueError(
            f"Found array with dim {len(shape)}: X has shape {shape}, but rows are expected; flatten images and "
            f"series, X.reshape({shape[0]}, -1)"
        )
    dtype = getattr(first, "dtype", None)
    if getattr(dtype, "kind", "") in ("m", "M"):
        what = "dates" if dtype.kind == "M" else "durations"
        raise ValueError(
            f"X holds {what} ({dtype}), whose numbers depend on their unit; pass numbers in a unit of your choice: of "
            "dates (X - first) / numpy.timedelta64(365, 'D'), of durations X / numpy.timedelta64(1, 'D')"
        )


@contextmanager
def no_numbers_named():
    """Let the errors of numpy about dates and other objects within the block say what X may hold."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # in the sum of huge values that scikit-learn looks at
            yield
    except TypeError as error:
        if "float()" not in str(error) and "DType" not in str(error):
            raise
        is_value = re.search("NoneType|NAType|NaTType|DType|[dD]ate|[tT]ime", str(error))
        kind = ValueError if is_value else TypeError  # that of scikit-learn
        raise kind(
            "X holds cells that are no numbers, or missing: of dates take a duration as a number, such as "
            f"(date - first) / numpy.timedelta64(365, 'D'); {ENCODED}, or take the features of a VQVAETransformer, "
            f"which takes tables with dates and categories ({error})"
        ) from error


class BaseMLP(NetworkEstimator):
    """Base of MLPRegressor and MLPClassifier; each returns its kind of targets from ``_targets``."""

    _parameter_constraints = CONSTRAINTS
    _learned_beside: tuple[str, ...] = ("_optimizer_state", "_no_improvement_count")

    @abstractmethod
    def __init__(
        self,
        *,
        hidden_layer_sizes,
        activation,
        solver,
        alpha,
        batch_size,
        learning_rate,
        learning_rate_init,
        power_t,
        max_iter,
        shuffle,
        random_state,
        tol,
        verbose,
        warm_start,
        momentum,
        nesterovs_momentum,
        early_stopping,
        validation_fraction,
        beta_1,
        beta_2,
        epsilon,
        n_iter_no_change,
        max_fun,
        dropout,
        normalization,
        scoring,
        warmup,
        max_grad_norm,
        precision,
        device,
        max_seconds,
        checkpoint,
        checkpoint_interval,
    ):
        self.hidden_layer_sizes, self.activation = hidden_layer_sizes, activation
        self.solver, self.max_iter, self.max_fun, self.tol = solver, max_iter, max_fun, tol
        self.alpha, self.dropout, self.normalization = alpha, dropout, normalization
        self.batch_size, self.shuffle, self.random_state = batch_size, shuffle, random_state
        self.learning_rate, self.learning_rate_init, self.power_t = learning_rate, learning_rate_init, power_t
        self.warmup, self.max_grad_norm = warmup, max_grad_norm
        self.momentum, self.nesterovs_momentum = momentum, nesterovs_momentum
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.early_stopping, self.validation_fraction = early_stopping, validation_fraction
        self.scoring, self.n_iter_no_change = scoring, n_iter_no_change
        self.warm_start, self.verbose, self.precision, self.device = warm_start, verbose, precision, device
        self.max_seconds = max_seconds
        self.checkpoint, self.checkpoint_interval = checkpoint, checkpoint_interval

    @abstractmethod
    def _targets(self):
        """Return the kind of targets, Numbers or Labels, with what an earlier fit knows of them."""

    def _fit(self, X, y, sample_weight, X_val=None, y_val=None, *, incremental=False):
        """Train from new weights or, in `partial_fit` and with `warm_start`, from those of the fit before."""
        check_combinations(self, incremental=incremental)
        passed = X, y, sample_weight, X_val, y_val
        if hasattr(self, "coefs_") and (self.warm_start or incremental):
            return self._train(*passed, incremental=incremental, goes_on=True)
        if not incremental:  # the first `partial_fit` has taken note of the classes
            self._forget()
        with self._forgets_failure():
            return self._train(*passed, incremental=incremental, goes_on=False)

    def _train(self, X, y, sample_weight, X_val, y_val, *, incremental, goes_on):
        parameters, device = TrainingParameters.of(self), resolve_device(self.device)
        task = FitTask(self, X, y, sample_weight)
        targets = self._targets()
        X, y = self._check_data(X, y, targets, reset=not goes_on)
        targets.learn(y)
        if sample_weight is not None:
            with named(sample_weight="sample_weight"):
                sample_weight = _check_sample_weight(as_array(sample_weight, "sample_weight"), X)
                if not np.isfinite(sample_weight).all():  # scikit-learn does not look at a single number
                    raise ValueError("sample_weight holds NaN or infinity; weights must be finite")
                if 0 < sample_weight.sum() < LEAST_WEIGHT:
                    raise ValueError(
                        f"sample_weight sums to {sample_weight.sum():.3g}, too little to divide by; multiply all "
                        "weights by the same number, and alpha too"
                    )
        examples = Examples(X, targets.encode(y), y, targets.weigh(y, sample_weight))
        held_out = self._check_held_out(X_val, y_val, targets, examples.targets.shape[1])
        random_state = check_random_state(self.random_state if incremental else self._random_source())
        self._start(examples, targets, random_state, goes_on=goes_on)
        weights = Weights.of(vars(self))
        self.precision_ = parameters.precision_for(X, weights.n_coefs)
        if held_out is None and self.early_stopping and parameters.takes_steps:
            strata = targets.strata(examples.targets)
            examples, held_out = hold_out(examples, sample_weight, self.validation_fraction, strata, random_state)
        checkpoint = None if incremental else self._checkpoint_of(examples, held_out, weights)
        training = Training(
            parameters,
            examples,
            weights,
            targets.loss,
            TrainingState.resumed(vars(self), early_stopping=self.early_stopping),
            precision=self.precision_,
            device=device,
            random_state=random_state,
            generator=torch_generator(random_state) if self.dropout > 0 else None,
            held_out=held_out,
            judge=self._judge(targets),
            checkpoint=checkpoint,
            limit=TimeLimit(None) if incremental else task.limit,
        )
        task.begin(*((1, "partial-fit") if incremental else (self.max_iter,)))
        try:
            self._run(training, task, incremental=incremental)
        except ValueError:
            check_range(X, "X", self.precision_)
            check_range(examples.targets, "y", self.precision_)
            raise
        vars(self).update(training.learned())
        if checkpoint is not None and not training.interrupted:
            checkpoint.remove()
        if parameters.normalization is None:
            vars(self).pop("normalization_state_", None)  # of a fit before this one
        self._warn_of_scale(targets, examples, training, of_chunk=incremental)
        if not incremental:
            warn_of_columns(
                X, vars(self).get("feature_names_in_"), partial(training.explained, targets), type(self).__name__
            )
        task.end()
        return self

    def _warn_of_scale(self, targets, examples, training, *, of_chunk):
        """Warn of the scale of y; of chunks once, which the memory of the optimiser tells."""
        memory = vars(self).get("_optimizer_state", {})
        if not (of_chunk and (memory.get("told_scale", False) or memory.get("warned", False))):
            memory["told_scale"] = targets.warn_of_scale(examples, training.outputs, of_chunk=of_chunk)

    def _checkpoint_of(self, examples, held_out, weights):
        """Return the Checkpoint of a fit, None where none is asked for."""
        if self.checkpoint is None:
            return None
        return self._open_checkpoint(
            training_rows=examples.digest(),
            held_out_rows="none" if held_out is None else held_out.digest(),
            weights_at_the_start=digest_of_arrays(*weights.coefs, *weights.intercepts),
        )

    def _check_data(self, X, y, targets, *, reset):
        """Return X as an ndarray or CSR matrix of its own dtype, without a copy, and y as an ndarray."""
        X, y = as_array(X), as_array(y, "y")
        X = warn_of_unknown_names(self, X)
        refuse_other_arrays(X)
        shape = np.shape(y[:1]) if isinstance(y, list | tuple) else getattr(y, "shape", ())
        if 0 in shape[1:]:
            raise ValueError("y has no columns; pass one value for each row, or several")
        is_numeric = hasattr(X, "dtypes") or getattr(getattr(X, "dtype", None), "kind", "") in tuple("biuf")
        with no_numbers_named(), no_gaps(GAPS, f": {ENCODED}"):
            X, y = validate_data(
                self,
                X,
                targets.prepare(y),
                accept_sparse=["csr", "csc"],
                multi_output=True,
                y_numeric=targets.is_numeric,
                dtype="numeric" if is_numeric else (np.float64, np.float32),
                reset=reset,
            )
            X = X.astype(np.float64) if X.dtype.kind == "O" else X  # dates with a time zone
        refuse_other_arrays(X)  # dates of a frame
        return X.tocsr() if hasattr(X, "tocsr") else X, targets.check(y)

    def _check_held_out(self, X_val, y_val, targets, n_columns):
        """Return held-out rows that were passed to `fit` as Examples, None if there are none."""
        if X_val is None and y_val is None:
            return None
        if X_val is None or y_val is None:
            raise ValueError("X_val and y_val must be passed together")
        with named(X="X_val", y="y_val"):
            X_val, y_val = self._check_data(X_val, y_val, targets, reset=False)
            encoded = targets.encode(y_val)
        if encoded.shape[1] != n_columns:
            raise ValueError(f"y_val has {encoded.shape[1]} outputs, but y has {n_columns}")
        return Examples(X_val, encoded, y_val)

    def _start(self, examples, targets, random_state, *, goes_on):
        """Check that there is something to train on, and draw the first weights unless training goes on."""
        n_outputs = targets.n_outputs(examples.targets)
        if goes_on and n_outputs != self.n_outputs_:
            raise ValueError(f"y asks for {n_outputs} outputs, but the network was fitted with {self.n_outputs_}")
        if examples.weight is not None and not examples.weight.any():
            raise ValueError("the weights of all rows are zero; at least one must be positive")
        self.out_activation_, self.activation_ = targets.loss.out_activation, self.activation
        vars(self).update(targets.learned())
        if goes_on:
            return
        widths = layer_widths(self.hidden_layer_sizes, examples.X.shape[1], n_outputs)
        check_memory(
            lambda hidden_layer_sizes: training_bytes(
                dense_weights(widths[0], *hidden_layer_sizes, n_outputs), len(hidden_layer_sizes)
            ),
            hidden_layer_sizes=tuple(widths[1:-1]),
        )
        dtype = np.float32 if examples.X.dtype == np.float32 else np.float64
        vars(self).update(start_weights(widths, self.activation, dtype, random_state).learned())
        self.n_layers_, self.n_outputs_ = len(widths), n_outputs
        self.n_iter_ = self.t_ = 0

    def _judge(self, targets):
        """Return the function that scores held-out rows, None without early stopping."""
        if not self.early_stopping:
            return None
        if self.scoring is not None:
            return ScorerJudge(self)
        return lambda held_out: float(targets.score(held_out.outputs(), held_out.labels, held_out.weight))

    def _run(self, training, task, *, incremental):
        """Run a training whose epochs or iterations are tasks of `task`."""

        def record():
            vars(self).update(training.record())

        def fitted():
            return training.weights().learned()

        if self.solver in STOCHASTIC_SOLVERS:
            memory = vars(self).get("_optimizer_state") if incremental else None
            training.descend(memory=memory, observer=task.epochs(record, fitted), one_epoch=incremental)
        else:
            training.minimise(observer=task.epochs(record, fitted, name="iteration"))

    def _outputs(self, X):
        """Return the network's outputs (n, n_outputs), before their activation, in the dtype of `coefs_`."""
        if not hasattr(self, "coefs_"):  # the check itself costs as much as a prediction
            check_is_fitted(self, "coefs_")
        X = self._check_rows(X)
        plain = self.device == "cpu" and not self.__dict__.get("normalization_state_")
        found = self._plain_outputs(X) if plain and not is_forked() else self._prepared_outputs(X, plain)
        if not np.isfinite(found).all():
            refuse_outputs(found, X, self.precision_, first_not_finite(Weights.of(vars(self)).by_name()))
        return found

    def _plain_outputs(self, X):
        """Return the outputs of a network of plain layers, which no setting of torch changes: it is in numpy."""
        return self._in_pieces(
            dense_outputs(self.coefs_, self.intercepts_, self._fitted_activation, self.precision_), X
        )

    @prepared
    def _prepared_outputs(self, X, plain):
        """Return the outputs of any network, `plain` or not, in surroundings of its own."""
        if plain:
            return self._plain_outputs(X)
        weights, device = Weights.of(vars(self)), resolve_device(self.device)
        forward = network_outputs(weights, self._fitted_activation, self.precision_, device, self._fitted_normalization)
        return self._in_pieces(forward, X)

    def _in_pieces(self, forward, X):
        with np.errstate(all="ignore"):  # values that are not finite are explained by the caller
            return outputs_in_pieces(forward, X, self.n_outputs_, self.precision_, self.coefs_[0].dtype)

    @property
    def _fitted_activation(self):
        """The activation that the weights were trained with, whatever the parameter is now."""
        return vars(self).get("activation_", self.activation)  # files of version 0.1.0 do not tell

    @property
    def _fitted_normalization(self):
        """The normalisation that the weights were trained with: None, "batch" or "layer"."""
        state = vars(self).get("normalization_state_")
        if not state:
            return None
        return "batch" if "mean_0" in state else "layer"

    def _check_rows(self, X):
        """Validate rows to predict, quickly if they are a float array of the right width, else by scikit-learn."""
        plain = type(X) is np.ndarray and X.ndim == 2 and X.dtype.char in "fd" and len(X) > 0
        if plain and X.shape[1] == self.n_features_in_ and not hasattr(self, "feature_names_in_"):
            with np.errstate(all="ignore"):
                finite = np.isfinite(X.sum())
            if finite:
                return X
        X = as_array(X)
        X = np.asarray(X) if isinstance(X, list | tuple) else X  # of lists the missing cells would pass
        refuse_other_arrays(X)
        with no_numbers_named(), no_gaps(GAPS, f": {ENCODED}"):
            X = validate_data(self, X, accept_sparse=["csr", "csc"], dtype="numeric", reset=False)
            X = X.astype(np.float64) if X.dtype.kind == "O" else X
        refuse_other_arrays(X)  # dates of a frame
        return X.tocsr() if hasattr(X, "tocsr") else X

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

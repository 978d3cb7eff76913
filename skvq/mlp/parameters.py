"""The predictors' parameters: their constraints, the combinations that are refused, and those that training needs."""

from dataclasses import dataclass, fields
from numbers import Real

import numpy as np
from sklearn.metrics import get_scorer
from sklearn.utils._param_validation import Options

from .._warnings import warn_user
from ..core.parameters import (
    AUTO,
    CLOSED_FRACTION,
    DEVICE,
    FRACTION,
    LONG_FITS,
    NON_NEGATIVE,
    POSITIVE,
    POSITIVE_INTEGER,
    RANDOM_STATE,
    Sizes,
    StrOptions,
    plain,
)
from .activations import ACTIVATIONS
from .gather import rows_per_pass

STOCHASTIC_SOLVERS = ("sgd", "adam")
# Rows per step for batch_size="auto", as in scikit-learn.
BATCH_SIZE = 200
# Multiply-adds of a batch from which on "auto" computes in float32; below, float64 costs at most a fifth more
# (`benchmarks/mlp_precision.py`).
SINGLE_WORK = 2e5

CONSTRAINTS = {
    "hidden_layer_sizes": [Sizes()],
    "activation": [StrOptions(set(ACTIVATIONS))],
    "solver": [StrOptions({"lbfgs", *STOCHASTIC_SOLVERS})],
    "alpha": [NON_NEGATIVE],
    "batch_size": [AUTO, POSITIVE_INTEGER],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive", "cosine"})],
    "learning_rate_init": [POSITIVE],
    "power_t": [NON_NEGATIVE],
    "max_iter": [POSITIVE_INTEGER],
    "shuffle": ["boolean"],
    "random_state": RANDOM_STATE,
    "tol": [NON_NEGATIVE],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [CLOSED_FRACTION],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [FRACTION],
    "beta_1": [FRACTION],
    "beta_2": [FRACTION],
    "epsilon": [POSITIVE],
    "n_iter_no_change": [POSITIVE_INTEGER, Options(Real, {np.inf})],
    "max_fun": [POSITIVE_INTEGER],
    "dropout": [FRACTION],
    "normalization": [None, StrOptions({"batch", "layer"})],
    "scoring": [None, str, callable],
    "warmup": [CLOSED_FRACTION],
    "max_grad_norm": [None, POSITIVE],
    "precision": [StrOptions({"auto", "float32", "float64"})],
    "device": DEVICE,
    **LONG_FITS,
}


def check_combinations(estimator, *, incremental=False):
    """Raise ValueError for parameters of a predictor that do not go together, `incremental` in `partial_fit`."""
    if isinstance(estimator.scoring, str):
        get_scorer(estimator.scoring)
    if incremental:
        _check_for_partial_fit(estimator)
    if estimator.solver == "lbfgs":
        _check_for_lbfgs(estimator)


def _check_for_partial_fit(estimator):
    if estimator.early_stopping:
        raise ValueError("partial_fit does not support early_stopping=True")
    if estimator.learning_rate == "cosine" or estimator.warmup > 0:
        raise ValueError(
            f"partial_fit does not know how long training lasts, which learning_rate={estimator.learning_rate!r} with "
            f"warmup={estimator.warmup} needs; pass another learning_rate and warmup=0"
        )


def _check_for_lbfgs(estimator):
    of_steps = {
        "learning_rate": estimator.learning_rate == "cosine",
        "warmup": estimator.warmup > 0,
        "max_grad_norm": estimator.max_grad_norm is not None,
        "checkpoint": estimator.checkpoint is not None,
    }
    for name, is_asked_for in of_steps.items():
        if is_asked_for:
            value = getattr(estimator, name)
            raise ValueError(f"{name}={value!r} needs a solver that takes steps, 'adam' or 'sgd', not 'lbfgs'")
    if estimator.dropout > 0 or estimator.normalization == "batch":
        raise ValueError(
            f"solver='lbfgs' needs the same loss every time it looks, which dropout={estimator.dropout} with "
            f"normalization={estimator.normalization!r} does not give; pass solver='adam' or 'sgd'"
        )


@dataclass(frozen=True)
class TrainingParameters:
    """The parameters of a predictor that its training needs, under their own names."""

    activation: str
    solver: str
    alpha: float
    batch_size: int | str
    learning_rate: str
    learning_rate_init: float
    power_t: float
    max_iter: int
    shuffle: bool
    tol: float
    verbose: int
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: int | float
    max_fun: int
    dropout: float
    normalization: str | None
    warmup: float
    max_grad_norm: float | None
    precision: str

    @classmethod
    def of(cls, estimator):
        """Return the parameters of an estimator, real numbers as float: torch takes no integers beyond 64 bits."""
        values = {name: plain(getattr(estimator, name)) for name in NAMES}
        for name in REALS:
            values[name] = float(values[name])
        if values["max_grad_norm"] is not None:
            values["max_grad_norm"] = float(values["max_grad_norm"])
        return cls(**values)

    @property
    def takes_steps(self):
        """Whether the solver is a stochastic one."""
        return self.solver in STOCHASTIC_SOLVERS

    def rows_together(self, n_rows, n_columns):
        """Return how many of the rows go through the network together."""
        if not self.takes_steps:
            return min(n_rows, rows_per_pass(n_columns))
        return min(n_rows, BATCH_SIZE if self.batch_size == "auto" else int(self.batch_size))

    def rows_per_step(self, n_rows):
        """Return how many rows a step takes; warn if `batch_size` is more than there are."""
        if self.batch_size != "auto" and self.batch_size > n_rows:
            warn_user("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped")
        return self.rows_together(n_rows, None)

    def single_pays(self, X, n_weights):
        """Return whether a batch of X is so much work that float32 is worth its rounding."""
        return self.rows_together(*X.shape) * n_weights >= SINGLE_WORK

    def precision_for(self, X, n_weights):
        """Return the precision of the network, "float32" or "float64"."""
        if self.precision != "auto":
            return self.precision
        if X.dtype == np.float32:
            return "float32"
        # The line searches of L-BFGS need differences of the loss that float32 does not resolve near the minimum.
        return "float32" if self.takes_steps and self.single_pays(X, n_weights) else "float64"


NAMES = tuple(field.name for field in fields(TrainingParameters))
REALS = tuple(field.name for field in fields(TrainingParameters) if field.type is float)

"""The prior of a VQ-VAE: a density estimator of its codes or, for tables, of the rows themselves."""

from __future__ import annotations

import os
import warnings
from contextlib import contextmanager
from inspect import Parameter, signature
from numbers import Real

import numpy as np
import torch
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_consistent_length, has_fit_parameter, validate_data

from .._warnings import warn_user
from ..core.codes import check_codes
from ..core.device import resolve_device
from ..core.estimator import NetworkEstimator
from ..core.layout import gives_chunks
from ..core.naming import named
from ..core.parameters import DRAWS, check_arguments, is_auto
from ..core.sources import chunks_of
from ..core.tables.layout import as_table
from ..priors.arguments import check_grid_shape, class_indices, learn_classes
from ..priors.base import GridDensity
from ..priors.hierarchical import HierarchicalPixelCNN
from ..priors.nade import OrderlessNADE
from ..priors.pixelcnn import PixelCNN
from ..priors.transformer import CausalTransformer
from ..training.checkpoints import checked_path, read_checkpoint
from ..training.report import say
from ..training.stored import in_memory

PRIORS = {"pixelcnn": PixelCNN, "transformer": CausalTransformer}
# The share of `max_seconds` that the autoencoder gets where there is a prior.
AUTOENCODER_SHARE = 0.6
# Seconds that a prior gets where none are left: it says so itself.
LEAST_SECONDS = 1e-3
# Columns of a table up to which "auto" is a model of its rows: drawing takes a pass of the network for each.
MOST_COLUMNS = 500


def has_prior(estimator):
    """Return whether there is, or after `fit` will be, a prior; say how to get one otherwise."""
    if estimator.prior is not None or hasattr(estimator, "prior_"):
        return True
    raise AttributeError(
        "with prior=None there is no prior, which sample, score_samples, complete and bits_per_dim need: fit one with "
        "fit_prior(X), or set prior='auto' before fit"
    )


def named_prior(prior, layout, X, spec):
    """Return what the parameter `prior` stands for, "auto" and None replaced by a name.

    Parameters
    ----------
    prior : str, estimator or None
    layout : RowLayout or TableLayout
    X : ndarray or CSR matrix of shape (n, n_features)
        Validated.
    spec : CodeSpec
        The codes.

    Raises
    ------
    ValueError
        For a model of the columns of tables where X holds images or series.
    """
    if len(layout.row_shape) == 3 and models_rows(prior):
        kind = "images" if layout.series is None else "series"
        raise ValueError(
            f"prior={prior!r} models the columns of tables, but X holds {kind}; pass prior='pixelcnn' or 'transformer'"
        )
    if not (prior is None or is_auto(prior)):
        return prior
    if spec.is_image and spec.grid_shapes is None:
        return "transformer"
    is_table = len(layout.row_shape) == 1 and not sparse.issparse(X)
    return "nade" if is_table and X.shape[1] <= MOST_COLUMNS else "pixelcnn"


def of_columns(estimator, X, compute):
    """Return what `compute` makes of a table, whose columns are checked first; of chunks, of one after the other.

    Parameters
    ----------
    estimator : estimator
        A fitted one, whose columns X must have.
    X : DataFrame, array-like, or what gives chunks of these
    compute : callable
        X → ndarray with a value for each row.
    """
    if gives_chunks(X):
        return np.concatenate([of_columns(estimator, chunk, compute) for chunk in chunks_of(X)])
    validate_data(estimator, as_table(X), skip_check_array=True, reset=False)
    return compute(X)


def models_rows(prior):
    """Return whether a prior, a name or an estimator, is one of rows, not of codes."""
    return isinstance(prior, OrderlessNADE) or (isinstance(prior, str) and prior == "nade")


@contextmanager
def keeps_autoencoder(name):
    """Within the block the prior of a fitted autoencoder is fitted; if it fails, say that the autoencoder is kept."""
    try:
        yield
    except BaseException as error:
        reason = "was interrupted" if isinstance(error, KeyboardInterrupt) else f"failed ({type(error).__name__})"
        warn_user(
            f"{name}: the fit of the prior {reason}; the autoencoder is kept: transform and inverse_transform work, "
            "and fit_prior(X) fits a prior"
        )
        raise


def check_prior(prior, spec, X, y, held_out, y_val, checkpoint=None):
    """Raise an error, before anything is trained, for a prior that cannot be fitted to the codes or will miss classes.

    Parameters
    ----------
    prior : str, estimator or None
        The parameter.
    spec : CodeSpec
        The codes; of `n_codes` an upper bound.
    X, held_out : ndarray or CSR matrix of shape (n, n_features), or None
        Training and held-out rows.
    y, y_val : array-like or None
        Their classes, for a class-conditional prior.
    checkpoint : str, os.PathLike or None
        That of the VQ-VAE.

    Raises
    ------
    TypeError, ValueError
        With what to pass instead.
    OSError
        If no file can be beside the checkpoint for that of the prior.
    """
    if checkpoint is not None:
        checked_path(beside(checkpoint))
    if prior is not None and not isinstance(prior, str):
        _check_instance(prior)
    if isinstance(prior, NetworkEstimator) and prior.checkpoint is not None:
        _check_checkpoint(prior.checkpoint, checkpoint)
    if models_rows(prior) and sparse.issparse(X):
        raise ValueError(f"prior={prior!r} takes no sparse matrix; pass X.toarray(), or prior='pixelcnn'")
    if isinstance(prior, GridDensity):
        prior.check_parameters()
        prior._check_split(X.shape[0], held_out)
        _check_codes(prior, spec)
        prior.check_memory(1, spec.codes_per_row)  # their number may turn out smaller
    if not takes_classes(prior):
        return
    if y is None:
        raise ValueError("this prior has class_conditional=True and requires y, but y is None: call fit(X, y)")
    classes, _ = learn_classes(X, y)
    if (held_out is None) != (y_val is None):
        raise ValueError("with a class-conditional prior, X_val and y_val must be passed together")
    if held_out is not None:
        with named(X="X_val", y="y_val"):
            check_consistent_length(held_out, y_val)
            class_indices(y_val, classes, held_out.shape[0])


def _check_instance(prior):
    """Raise TypeError for what is no density estimator, and its own error for parameters that it refuses."""
    if isinstance(prior, type):
        raise TypeError(f"prior={prior.__name__} is a class; pass an instance, prior={prior.__name__}()")
    if not hasattr(prior, "get_params"):
        raise TypeError(f"prior={prior!r} is no scikit-learn estimator: it has no get_params")
    missing = [name for name in ("fit", "sample", "score_samples") if not callable(getattr(prior, name, None))]
    if missing:
        raise TypeError(f"prior={prior!r} is no density estimator: it has no {' and no '.join(missing)}")
    taken = signature(prior.sample).parameters
    if "random_state" not in taken and not any(part.kind is Parameter.VAR_KEYWORD for part in taken.values()):
        raise TypeError(f"prior={prior!r} cannot be seeded: its sample takes no random_state")
    ours = isinstance(prior, NetworkEstimator) and not isinstance(prior, GridDensity | OrderlessNADE)
    if ours or type(prior).__module__.startswith("sklearn."):  # all densities of scikit-learn draw real numbers
        raise TypeError(
            f"prior={prior!r:.80} is no model of codes: what it draws are no integers in [0, n_codes). The parameter "
            "prior takes 'auto', 'pixelcnn', 'transformer', 'nade' (for tables), None, an instance of PixelCNN, "
            "HierarchicalPixelCNN, CausalTransformer or OrderlessNADE, or an estimator of your own that draws codes"
        )
    fresh = clone(prior)
    if isinstance(fresh, BaseEstimator) and hasattr(fresh, "_parameter_constraints"):
        fresh._validate_params()
    if isinstance(fresh, NetworkEstimator):
        resolve_device(fresh.device)


def _check_checkpoint(own, of_vqvae):
    """Raise an error for a prior's own checkpoint where no file can be, or where one is that is no checkpoint."""
    try:
        path = checked_path(own)
        if of_vqvae is not None and os.path.realpath(path) == os.path.realpath(checked_path(of_vqvae)):
            raise ValueError(
                f"checkpoint={own!r} is that of the VQVAETransformer too, but each keeps a file of its own; leave "
                "checkpoint of the prior at None: it then has a file beside the other"
            )
        read_checkpoint(own)
    except (OSError, ValueError) as error:
        raise type(error)(f"prior: {error}") from error


def _check_codes(prior, spec):
    """Raise ValueError for a model of grids whose sizes are not those of the codes."""
    if prior.n_codes is not None and prior.n_codes < spec.n_codes:
        raise ValueError(
            f"the prior has n_codes={prior.n_codes}, but the codebooks have up to {spec.n_codes} codes; leave n_codes "
            "of the prior at None"
        )
    if not isinstance(prior, HierarchicalPixelCNN):
        shape, one_row = check_grid_shape(prior.grid_shape), (1, spec.codes_per_row)
        if shape not in (None, spec.prior_shape, one_row):
            raise ValueError(
                f"the prior has grid_shape={prior.grid_shape!r}, but the codes are on {spec.prior_shape}, and "
                f"a row has {spec.codes_per_row} codes; leave grid_shape of the prior at None"
            )
        return
    if spec.grid_shapes is None:
        raise ValueError(
            "HierarchicalPixelCNN is a prior for codes on two grids; pass code_shape=((h1, w1), (h2, w2)), or "
            "prior=PixelCNN()"
        )
    if prior.grid_shapes is not None and tuple(map(tuple, prior.grid_shapes)) != spec.grid_shapes:
        raise ValueError(
            f"the prior has grid_shapes={prior.grid_shapes!r}, but the codes are on {spec.grid_shapes}; leave "
            "grid_shapes of the prior at None"
        )


def beside(checkpoint):
    """Return the path of the checkpoint of a prior."""
    return f"{os.fsdecode(checkpoint)}.prior"


@contextmanager
def belonging_to(estimator, vqvae, limit):
    """Within the block a prior has what it shares with the fit of its VQ-VAE, unless it has its own.

    This is what is left of a TimeLimit, and a checkpoint beside that of the VQ-VAE. A VQ-VAE that prints lines says
    that its prior is fitted, where that prints none.
    """
    known, told = estimator.get_params(deep=False), {}
    if vqvae.verbose and not known.get("verbose"):
        say(type(vqvae).__name__, f"fitting the prior, which prints nothing: {type(estimator).__name__}")
    if vqvae.checkpoint is not None and known.get("checkpoint", "") is None:
        interval = vqvae.checkpoint_interval
        told = {"checkpoint": beside(vqvae.checkpoint), "checkpoint_interval": interval}
    if limit.seconds is not None and "max_seconds" in known:
        left, own = max(LEAST_SECONDS, limit.left().seconds), known["max_seconds"]
        told["max_seconds"] = left if own is None else min(left, own)
    before = {name: known[name] for name in told}
    estimator.set_params(**told)
    try:
        yield
    finally:
        estimator.set_params(**before)


def takes_classes(prior):
    """Return whether a prior is one of p(codes | class)."""
    return bool(getattr(prior, "class_conditional", False))


def given_options(**options):
    """Return those options of `sample` that were given: not every prior has them all."""

    def is_given(name, value):
        usual = name == "temperature" and isinstance(value, Real) and value == 1.0
        return not (value is None or usual)

    return {name: value for name, value in options.items() if is_given(name, value)}


def check_draws(n_samples, options):
    """Raise an error for wrong arguments of a draw, which names the method that the user called."""
    check_arguments("VQVAETransformer.sample", DRAWS, n_samples=n_samples, **options)


def _is(estimator, name, value):
    """Return whether a parameter is a string, and that one."""
    found = getattr(estimator, name)
    return isinstance(found, str) and found == value


@contextmanager
def _ignoring(*messages):
    """Within the block warnings whose text begins like one of the patterns are not shown."""
    with warnings.catch_warnings():
        for message in messages:
            warnings.filterwarnings("ignore", message=message, category=UserWarning)
        yield


class RowPrior:
    """A density estimator of the rows of a table, whose columns it draws in any order, given any others.

    Parameters
    ----------
    estimator : OrderlessNADE
        Fitted or not.
    """

    def __init__(self, estimator):
        self.estimator = estimator

    @classmethod
    def new(cls, prior, generator, *, tables, **shared):
        """Return the unfitted prior that a parameter asks for.

        Parameters
        ----------
        prior : "nade" or OrderlessNADE
        generator : torch.Generator
            Seeds an estimator without a seed.
        tables : dict
            Parameters of tables that the VQ-VAE has too. An instance keeps its own where they are not its defaults.
        **shared
            Further parameters that an estimator known by name shares with the VQ-VAE.
        """
        estimator = cls._told(prior, tables, **shared)
        if estimator.random_state is None:
            estimator.set_params(random_state=int(torch.randint(2**31 - 1, (), generator=generator)))
        return cls(estimator)

    @staticmethod
    def _told(prior, tables, **shared):
        estimator = OrderlessNADE(**shared) if isinstance(prior, str) else clone(prior)
        defaults = OrderlessNADE()
        told = {name: value for name, value in tables.items() if _is(estimator, name, getattr(defaults, name))}
        return estimator.set_params(**told)

    @classmethod
    def check(cls, prior, X, X_val, *, tables):
        """Raise an error, before anything is trained, for tables that the prior which :meth:`new` makes cannot take."""
        cls._told(prior, tables)._check_rows(in_memory(X), in_memory(X_val))

    def fit(self, X, X_val, task):
        """Fit the estimator to a table, with held-out rows or None, and return it; `task` is the FitTask around it.

        Of StoredRows it sees those that stand for all: it learns from fewer rows than these.
        """
        with task.delegate("prior", self.estimator), self._said_once(), _ignoring("X_val .*rows in other units"):
            return self.estimator.fit(in_memory(X), X_val=in_memory(X_val))

    def sample(self, n_samples, *, y, **options):
        """Return drawn rows, like the X of `fit`."""
        check_draws(n_samples, options)
        self._refuse_classes(y)
        return self.estimator.sample(n_samples, **options)

    def score_samples(self, X, y=None):
        """Return log p(row) of every row, in nats: ndarray (n,)."""
        self._refuse_classes(y)
        with self._said_once():
            return self.estimator.score_samples(X)

    def complete(self, X, *, y, **options):
        """Return X with its missing cells drawn, given the others."""
        self._refuse_classes(y)
        with self._said_once():
            return self.estimator.complete(X, **options)

    def _said_once(self):
        """Within the block the estimator leaves out what the VQ-VAE around it has said of the same table."""
        names = f".*feature names, but {type(self.estimator).__name__}", ".*(as names have|as row numbers do)"
        return _ignoring(*names, "X is taken for a table")

    @staticmethod
    def _refuse_classes(y):
        if y is not None:
            raise ValueError(
                "y is of no use to a prior of rows; let the labels be a column of X, and pass given={column: label}"
            )


class CodePrior:
    """A density estimator of the codes of one VQ-VAE.

    Parameters
    ----------
    estimator : estimator
        With ``fit(codes)``, ``sample(n_samples, random_state=...)`` and ``score_samples(codes)``, fitted or not.
    spec : CodeSpec
        The codes.
    """

    def __init__(self, estimator, spec):
        self.estimator = estimator
        self.spec = spec

    @classmethod
    def new(cls, prior, spec, generator, **shared):
        """Return the unfitted prior that a parameter asks for.

        Parameters
        ----------
        prior : str or estimator
            A name, or an estimator, which is cloned.
        spec : CodeSpec
            Tells the estimator the number of codes and their grids, where it has such parameters and they are None.
        generator : torch.Generator
            Seeds an estimator without a seed.
        **shared
            Parameters that an estimator known by name shares with the VQ-VAE.
        """
        if isinstance(prior, str):
            estimator = cls._named(prior, spec).set_params(**shared)
        else:
            estimator = clone(prior)
        known = estimator.get_params(deep=False)
        seed = int(torch.randint(2**31 - 1, (), generator=generator))
        told = {"n_codes": spec.n_codes, "grid_shape": spec.prior_shape, "random_state": seed}
        if spec.grid_shapes is not None:
            told["grid_shapes"] = spec.grid_shapes
        estimator.set_params(**{name: value for name, value in told.items() if known.get(name, value) is None})
        return cls(estimator, spec)

    @staticmethod
    def _named(name, spec):
        """Return the unfitted estimator of a name; of codes on two grids a PixelCNN is a hierarchical one."""
        return HierarchicalPixelCNN() if name == "pixelcnn" and spec.grid_shapes else PRIORS[name]()

    def fit(self, codes, y, held_out, y_val, codebook, task):
        """Fit the estimator to codes (n, codes_per_row), with their classes where it takes them; return it.

        `held_out` are codes like these, or None, `codebook` the vectors of the codes, which it gets if its `fit` takes
        them, `task` the FitTask that the fit belongs to.
        """
        labels, options = (y,) if takes_classes(self.estimator) else (), {}
        if held_out is not None and has_fit_parameter(self.estimator, "X_val"):
            options = {"X_val": held_out} | ({"y_val": y_val} if labels else {})
        if has_fit_parameter(self.estimator, "codebook") and self._tells_codebooks():
            stages = self.spec.stages  # an axis of their own tells them from codebooks of positions
            options["codebook"] = codebook if stages == 1 else codebook.reshape(-1, stages, *codebook.shape[-2:])
        with task.delegate("prior", self.estimator):
            return self.estimator.fit(codes, *labels, **options)

    def _tells_codebooks(self):
        """Whether the estimator knows which codebook the codes have: of two grids only a model of two grids does."""
        return self.spec.grid_shapes is None or isinstance(self.estimator, HierarchicalPixelCNN)

    def sample(self, n_samples, *, random_state, **options):
        """Return codes (n_samples, codes_per_row), drawn with the options that were given."""
        check_draws(n_samples, {"random_state": random_state, **options})
        drawn = self.estimator.sample(n_samples, random_state=random_state, **given_options(**options))
        codes, expected = np.asarray(drawn), (n_samples, self.spec.codes_per_row)
        if codes.shape != expected:
            raise ValueError(f"the prior drew an array of shape {codes.shape}; it must be {expected}")
        return check_codes(codes, self.spec.n_codes)

    def score_samples(self, codes, y=None):
        """Return log p(codes), or log p(codes | y), in nats: ndarray (n,)."""
        return self.estimator.score_samples(codes) if y is None else self.estimator.score_samples(codes, y)

    def complete(self, codes, known, *, random_state, n_candidates, **options):
        """Return codes (n, codes_per_row), those that are not known drawn given the others.

        Raises
        ------
        TypeError
            If the estimator's `sample` takes no `given`, `mask` and `n_candidates`.
        """
        if not {"given", "mask", "n_candidates"} <= set(signature(self.estimator.sample).parameters):
            raise TypeError(
                f"prior_.sample must take given, mask and n_candidates to complete rows: {self.estimator!r}"
            )
        return self.estimator.sample(
            len(codes),
            random_state=random_state,
            given=codes,
            mask=known,
            n_candidates=n_candidates,
            **given_options(**options),
        )

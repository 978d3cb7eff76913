"""An orderless autoregressive density estimator of the rows of tables, of any kinds of columns, with missing cells."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from scipy.special import logsumexp
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .._typing import ArrayLike, Device, NDArray, Path, RandomState, Self, typed
from ..core.callbacks import FitTask, with_callbacks
from ..core.device import prepared, resolve_device
from ..core.estimator import NetworkEstimator, Recipe, Start, forgets_failure
from ..core.frames import with_index
from ..core.inference import phase
from ..core.kinds import in_kind
from ..core.layout import magnitude_of
from ..core.lazy import lazy, scores
from ..core.naming import named
from ..core.parameters import DRAWS, check_arguments, check_rows_memory, is_auto, plain, random_source, to_json
from ..core.pixels import TABLES_ONLY, warn_of_pixels
from ..core.tables.codes import TableCodes
from ..core.tables.completion import given_cells, keep_given, keep_known, rows_given
from ..core.tables.layout import as_table, check_cells, columns_of, is_numeric, learn_columns
from ..core.units import warn_of_cells
from ..persistence.records import from_json
from ..training.batches import Rows, as_array, drawn_order
from . import schema
from .columns import best_guesses, draw_orders, draw_rows, log_probabilities
from .defaults import COMPLETION, NADE, NADESizes, automatic_nade, nade_training
from .defaults import check_columns as check_sizes
from .passes import OrderlessObjective


@lazy(score_samples=scores, transform=lambda model: model.sample(1, random_state=0)[:0])
class OrderlessNADE(OneToOneFeatureMixin, TransformerMixin, NetworkEstimator):
    r"""How likely a row of a table is, new rows, rows given some of their columns, and missing cells given the others.

    A neural autoregressive distribution estimator without a fixed order of columns [1]_: one network predicts each
    column from any others, so that ``log p(x) = sum_i log p(x_i | x_before)`` holds along any order. Columns may be
    numbers, integers, booleans, categories, dates and durations, and any of them may have missing cells, which are
    learned as one more value. A number is first given to one of up to some hundred pieces of its column's distribution:
    atoms, values that many rows share, and stretches between quantiles; within a stretch its density is even. So drawn
    values are values that can occur.

    Below 2,000 rows the network starts from a Gaussian copula: a normal distribution of the normal scores of numbers
    and of the levels of categories, which knows how each column depends linearly on any others. There are 64 scores at
    most: all numbers, and the levels that part the rows most evenly. Tables of numbers alone start from one whatever
    their rows, and tables of more than 64 numbers never. The network learns what that leaves; of few rows it may be
    nothing, and then `best_iter_` is 0.

    Parameters
    ----------
    n_bins : int or "auto", default="auto"
        Coarse pieces of a numeric column; within each, finer pieces follow. "auto": 16 below 2,000 rows, else 32.
    n_units : int or "auto", default="auto"
        Width of the network. "auto": 128 below 2,000 rows, else 256.
    n_blocks : int, default=2
        Residual blocks of the network.
    dropout : float in [0, 1) or "auto", default="auto"
        Share of hidden units that are zeroed in training. "auto": 0.3 below 2,000 rows, 0.1 below 10,000, else 0.
    n_orders : int, default=4
        Different orders of the columns, all of them where there are fewer. A row is drawn in one of them, and its
        likelihood is the mean over all of them [1]_; the time of `score_samples` grows with their number.
    categorical_features : "from_dtype", None, array-like of bool, int or str, default="from_dtype"
        Columns that are categories, as in scikit-learn's HistGradientBoostingClassifier: a mask, indices or names.
        "from_dtype": those of a frame that are categories, strings or enumerations, and columns of strings in an array
        of objects.
    handle_unknown : {"error", "ignore"}, default="error"
        Levels of a category that `fit` did not see: an error, or taken for missing.
    alpha : float, default=0.01
        Decoupled weight decay.
    batch_size : int or "auto", default="auto"
        Rows per step. "auto": 64 below 2,000 rows, 128 below 10,000, else 256.
    learning_rate_init : float or "auto", default="auto"
        Learning rate of Adam after the warm-up; it decays by half a cosine to 0. "auto": 0.001 below 2,000 rows, else
        0.002.
    max_iter : int or "auto", default="auto"
        Epochs. "auto": 1,000 steps below 500 rows, 1,500 below 10,000, else 3,000; every tenfold of the rows beyond
        20,000 adds half of these, and the last epoch may be a part of one.
    early_stopping : bool, default=True
        Hold rows out and keep the weights of the epoch that gives them the highest likelihood.
    validation_fraction : float in (0, 1), default=0.1
        Share of the rows that is held out where `fit` is given no `X_val`.
    tol : float, default=1e-4
        Smallest improvement that counts, in nats per column.
    n_iter_no_change : int, "auto" or None, default="auto"
        Epochs in a row without improvement after which training ends; None runs them all. "auto": a quarter of
        `max_iter`, at least 10, where rows are held out, and None otherwise.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Arithmetic of training. "auto" is bfloat16 from 10,000 rows on, on processors that multiply in it, else float32.
        Everything else is always computed in float32.
    device : str, default="cpu"
        Where to train and compute: "cpu", "cuda", "mps", or "auto". A device that is not there is an error.
    random_state : int, RandomState instance or None, default=None
        Seeds the weights, the split, what is hidden of each row, and the draws of `transform`.
    verbose : int, default=0
        1 prints how the fit goes in about twenty lines, 2 in one per epoch.
    max_seconds : float or None, default=None
        Seconds that `fit` may take. Where `max_iter` epochs would take longer, the learning rate falls over this time
        in place of theirs, and training ends by it, in the middle of an epoch if need be; the result then depends on
        how fast the machine is. None is no limit.
    checkpoint : str, os.PathLike or None, default=None
        A file that keeps the state of `fit`. If `fit` is cut off, the same call goes on from the file and ends with the
        same bits; when `fit` is done, it deletes the file. A file of another fit, with other parameters or data, is an
        error. Not for the candidates of a search, which would all have the same file.
    checkpoint_interval : float, default=60.0
        Seconds between two writes of that file, at least; 0 writes it after every step.

    Attributes
    ----------
    columns_ : list of dict
        Kinds, levels and distributions of the columns (JSON-able).
    orders_ : ndarray of shape (min(n_orders, n_features!), n_features), int64
        Orders of the columns, no two alike.
    n_iter_ : int
        Epochs run.
    best_iter_ : int or None
        Epoch whose weights were kept, 0 for the start, at which columns are independent; None without held-out rows,
        where the last one's are.
    loss_curve_ : list of float
        Training loss per epoch, nats per column.
    validation_loss_curve_ : list of float
        Loss on the held-out rows, nats per column; empty without any.
    history_ : dict of list of float
        Every recorded term, one value per epoch.
    architecture_ : dict
        What the network is built from (JSON-able).
    weights_ : dict of ndarray
        What the network has learned.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of str
        Names of the columns, where X has them.

    See Also
    --------
    VQVAETransformer : Discrete features of tables; this is its default prior for them.

    Notes
    -----
    Training hides a random number of random columns of each row and predicts these; the expected loss is the mean
    negative log-likelihood over all orders ([1]_, equation 11). TabMT [2]_ and TabularARGN [3]_ draw tables in the same
    way. The network starts at the marginals of the columns. What it says of the pieces of a number is smooth along the
    number, a polynomial in the logits; from 2,000 rows on each piece has its own say as well.

    References
    ----------
    .. [1] B. Uria, I. Murray, H. Larochelle, "A Deep and Tractable Density Estimator", ICML 2014.
    .. [2] M. Gulati, P. Roysdon, "TabMT: Generating Tabular Data with Masked Transformers", NeurIPS 2023.
    .. [3] P. Tiwald et al., "TabularARGN: A Flexible and Efficient Auto-Regressive Framework for Generating
       High-Fidelity Synthetic Data", 2025.

    Examples
    --------
    >>> import pandas as pd
    >>> from skvq import OrderlessNADE
    >>> pets = pd.DataFrame({"kind": ["cat", "dog"] * 100, "legs": [4] * 200, "kg": [4.5, 20.0, None, 21.5] * 50})
    >>> model = OrderlessNADE(max_iter=30, random_state=0).fit(pets)
    >>> model.sample(2, random_state=0)[["legs", "kg"]].dtypes.astype(str).to_dict()
    {'legs': 'int64', 'kg': 'float64'}
    >>> dogs = model.sample(100, given={"kind": "dog"}, random_state=0)
    >>> print(f"share of dogs above 15 kg: {(dogs.kg > 15).mean():.1f}")
    share of dogs above 15 kg: 1.0
    """

    _schema = schema.ORDERLESS_NADE
    _parameter_constraints = NADE
    _learned_beside = ("_table_in", "_magnitude_in")
    _caches = ("_module", "_table", "_codes")

    def __init__(
        self,
        *,
        n_bins: int | Literal["auto"] = "auto",
        n_units: int | Literal["auto"] = "auto",
        n_blocks: int = 2,
        dropout: float | Literal["auto"] = "auto",
        n_orders: int = 4,
        categorical_features: Literal["from_dtype"] | Sequence[Any] | None = "from_dtype",
        handle_unknown: Literal["error", "ignore"] = "error",
        alpha: float = 0.01,
        batch_size: int | Literal["auto"] = "auto",
        learning_rate_init: float | Literal["auto"] = "auto",
        max_iter: int | Literal["auto"] = "auto",
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        tol: float = 1e-4,
        n_iter_no_change: int | Literal["auto"] | None = "auto",
        precision: Literal["auto", "float32", "bfloat16"] = "auto",
        device: Device = "cpu",
        random_state: RandomState = None,
        verbose: int = 0,
        max_seconds: float | None = None,
        checkpoint: Path = None,
        checkpoint_interval: float = 60.0,
    ) -> None:
        self.n_bins = n_bins
        self.n_units = n_units
        self.n_blocks = n_blocks
        self.dropout = dropout
        self.n_orders = n_orders
        self.categorical_features = categorical_features
        self.handle_unknown = handle_unknown
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.precision = precision
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self.max_seconds = max_seconds
        self.checkpoint, self.checkpoint_interval = checkpoint, checkpoint_interval

    @typed(with_callbacks)
    @prepared
    @forgets_failure
    def fit(self, X: ArrayLike, y: object = None, *, X_val: ArrayLike | None = None) -> Self:
        """Learn the distribution of the rows of a table.

        Parameters
        ----------
        X : DataFrame of pandas or polars, or array-like of shape (n, n_features)
            Columns of any kinds. NaN, None, NA, NaT and null are missing cells.
        y : None
            Ignored. Let labels be a column of X.
        X_val : like X, default=None
            Held-out rows, in place of a split.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For a column that is none of the kinds, is missing as a whole, holds an infinite number or more than 1,000
            levels; the message names it.
        """
        self._validate_params()
        task = FitTask(self, X, y)
        with phase(self, "reading X"):
            columns, cells, held_out = self._check_rows(X, X_val)
        columns.warn_of_names(cells)
        if is_numeric(columns):
            warn_of_pixels(cells, way_out=TABLES_ONLY)
        self.columns_ = [to_json(column) for column in columns]
        self._table_in = {"frame": columns.frame, "dtype": columns.dtype}
        self._magnitude_in = magnitude_of(cells, columns.usual)
        if held_out is not None:
            with named(X="X_val"):
                warn_of_cells(held_out, columns, self)
        codes = TableCodes(columns, self._sizes_for(len(cells))["n_bins"])
        self._codes, self._table = (self.columns_, codes), (self.columns_, columns)
        generator = self._generator()
        self.orders_ = draw_orders(len(columns), int(self.n_orders), generator)
        device = resolve_device(self.device)
        rows, held_out = (
            None if part is None else Rows(codes.rows(part), dtype=torch.int64, device=device)
            for part in (cells, held_out)
        )
        fitting = self._fit_network(rows, held_out, generator, task)
        fitting.end()
        task.end()
        return self

    def _check_rows(self, X, X_val):
        """Raise an error for tables that `fit` cannot take; return the Columns of X, and the cells of both or None."""
        columns, cells = learn_columns(self, X)
        self._check_split(len(cells), X_val)
        check_sizes(self, len(columns))
        if X_val is None:
            return columns, cells, None
        with named(X="X_val"):
            return columns, cells, check_cells(self, X_val, columns)

    def _sizes_for(self, n_rows):
        """Return the sizes and choices for so many rows, by name, with every "auto" decided."""
        chosen = automatic_nade(n_rows)
        given = {name: getattr(self, name) for name in ("n_bins", "n_units", "dropout")}
        return chosen | {name: plain(value) for name, value in given.items() if not is_auto(value)}

    def _recipe(self, rows, held_out):
        holds_out = self._holds_out(held_out, True)
        n_training = self._n_training(rows, holds_out)
        codes = self._table_codes
        sizes = NADESizes(
            **dataclasses.asdict(codes.codes),
            n_blocks=int(self.n_blocks),
            **codes.copula(n_training),
            **self._sizes_for(len(rows)),
        )
        return Recipe(
            sizes,
            nade_training(n_training),
            holds_out,
            functools.partial(start_at_marginals, codes),
            OrderlessObjective,
        )

    @staticmethod
    def _build(architecture, generator):
        return from_json(NADESizes, architecture).build(generator)

    @property
    def _table_codes(self):
        """The TableCodes of `fit`, built again where they are not at hand."""
        found = self.__dict__.get("_codes")
        if found is None or found[0] is not self.columns_:
            found = self._codes = self.columns_, TableCodes(columns_of(self), self.architecture_["n_bins"])
        return found[1]

    @prepared
    def sample(
        self,
        n_samples: int = 1,
        *,
        random_state: RandomState = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        given: dict | ArrayLike | None = None,
    ) -> Any:
        """Draw new rows, or rows given some of their columns.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows; 1 means as many as there are in `given`.
        random_state : int, RandomState instance or None, default=None
            Seeds the draw: the same int gives the same rows in every call, None other rows every time. The estimator's
            own `random_state` seeds `fit` alone.
        temperature : float > 0, default=1.0
            Divides the logits: below 1 likelier values become likelier still.
        top_k : int, default=None
            Draw every piece of a column among the `top_k` likeliest only.
        top_p : float in (0, 1], default=None
            Draw every piece from the fewest, likeliest first, whose probabilities together reach `top_p`.
        given : dict, or table of one row or of `n_samples` rows, default=None
            Columns that are known: ``{"sex": "female", "age": 40}``, a value or `n_samples` of them for each name (or
            index of a column), None for a cell that is known to be missing. Or a table with some of the columns, or a
            row of one, whose missing cells are unknown. Known values are kept, integers as float64 has them; all other
            columns are drawn given them.

        Returns
        -------
        X : like that of `fit`, of `n_samples` rows
            A frame with its names, order and dtypes, or an array.
        """
        check_is_fitted(self, "weights_")
        n_samples, temperature, top_k, top_p, random_state = check_arguments(
            "OrderlessNADE.sample",
            DRAWS,
            n_samples=n_samples,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            random_state=random_state,
        )
        check_rows_memory((self.n_features_in_,), n_samples=n_samples)
        columns = columns_of(self)
        cells, known = given_cells(columns, given, n_samples if n_samples > 1 else rows_given(given))
        options = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
        table = columns.restore(self._draw(cells, known, random_state, options))
        return with_index(keep_given(given, table, known), given)

    def _draw(self, cells, known, random_state, options, *, observe=False):
        """Return `cells` (n, n_features) with what is not `known` drawn; with `observe` no cell is left missing."""
        random = random_source(random_state)
        codes = self._table_codes
        never = codes.missing_codes() if observe else None
        order = random.randint(len(self.orders_), size=len(cells))
        rows = draw_rows(
            self._network(),
            codes.rows(cells),
            known,
            self.orders_,
            order,
            lambda chosen: random.random_sample((len(chosen), cells.shape[1], 2)),
            never,
            options,
        )
        drawn = codes.cells(rows, random.random_sample(rows.shape))
        return np.where(known, cells, drawn)

    @in_kind
    @prepared
    def complete(
        self,
        X: ArrayLike,
        mask: ArrayLike | None = None,
        *,
        n_draws: int = 1,
        strategy: Literal["draw", "mean"] = "draw",
        random_state: RandomState = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
    ) -> Any:
        """Return X with its missing cells drawn, given the other cells of their rows.

        Parameters
        ----------
        X : table like that of `fit`
            Columns that had no missing cells in `fit` may have some here.
        mask : array-like of bool, of the shape of X, default=None
            False where a cell is to be drawn although X has a value there.
        n_draws : int, default=1
            Number of completions, for multiple imputation. With ``strategy="mean"`` there is one, whatever this is.
        strategy : {"draw", "mean"}, default="draw"
            "draw": a draw from the distribution of the missing cells given the rest, which keeps their variance and
            what they have to do with each other. "mean": the mean of numbers and the likeliest level of categories,
            which is nearest to the truth. On the grid of its column a mean is the nearest value that a draw can have: a
            whole number of integers, a full hour where all are. Nothing is drawn for it: the network gives the
            distribution of each missing cell given the known ones.
        random_state, temperature, top_k, top_p
            As in :meth:`sample`.

        Returns
        -------
        X_complete : like the X of `fit`, or a list of `n_draws` such
            A frame of pandas has the index of X. A list for several draws.
        """
        check_is_fitted(self, "weights_")
        n_draws, strategy, random_state, temperature, top_k, top_p = check_arguments(
            "OrderlessNADE.complete",
            COMPLETION,
            n_draws=n_draws,
            strategy=strategy,
            random_state=random_state,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
        )
        check_rows_memory((self.n_features_in_,), n_draws=n_draws)
        options = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
        X, columns, random = as_table(X), columns_of(self), random_source(random_state)
        cells = check_cells(self, X, columns)
        if mask is not None:
            mask = np.asarray(as_array(mask, "mask"))
            if mask.dtype != bool or mask.shape != cells.shape:
                raise ValueError(
                    f"mask has dtype {mask.dtype} and shape {mask.shape}; it must be of bool, and of the shape of X, "
                    f"{cells.shape}"
                )
            cells = np.where(mask, cells, np.nan)
        known = ~np.isnan(cells)
        warn_of_cells(cells, columns, self, with_holes=True)
        incomplete = np.flatnonzero(~known.all(axis=1))
        if strategy == "mean":
            draws = [self._best_guesses(columns, cells[incomplete], options)]
        else:
            some = cells[incomplete]
            draws = [self._draw(some, ~np.isnan(some), random, options, observe=True) for _ in range(n_draws)]
        completed = []
        for draw in draws:
            whole = cells.astype(np.float64)
            whole[incomplete] = draw
            completed.append(keep_known(X, columns.restore(whole), known))
        return completed[0] if len(completed) == 1 else completed

    @prepared
    def transform(self, X: ArrayLike) -> Any:
        """Return X with its missing cells filled by their best guess: an imputer for a Pipeline.

        It is :meth:`complete` with ``strategy="mean"``, in which nothing is drawn, so a row gets the same values in
        every call and whatever rows are beside it.

        Parameters
        ----------
        X : table like that of `fit`

        Returns
        -------
        X_complete : like the X of `fit`
        """
        return self.complete(X, strategy="mean")

    def _best_guesses(self, columns, cells, options):
        """Return cells whose missing ones are means of numbers, as draws on a grid can be, or the likeliest level."""
        codes, known = self._table_codes, ~np.isnan(cells)
        rows = Rows(codes.rows(cells), dtype=torch.int64, device=resolve_device(self.device))
        found = best_guesses(self._network(), rows, known, codes.means(), codes.missing_codes(), options)
        for index, column in enumerate(columns):
            if not column.is_discrete:
                found[:, index] = column.marginal.nearest(found[:, index])
        return np.where(known, cells, found)

    @prepared
    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return log p(row) of every row, in nats: densities of real columns in their units, probabilities of others.

        Real values that many rows share have a probability of their own, so the likelihood is one with respect to a mix
        of lengths and counts. Integers and dates are whole numbers of their units. A missing cell has the probability
        that it is missing; in a column that had none in `fit` it counts 0 nats, so it is left out. Of each numeric
        column a little probability, about 3 / (n + 3), is spared for values that `fit` did not see.

        Parameters
        ----------
        X : table like that of `fit`
            An array or a frame of dask gives a lazy one, computed block by block.

        Returns
        -------
        log_prob : ndarray of shape (n,), float64
        """
        check_is_fitted(self, "weights_")
        columns, codes = columns_of(self), self._table_codes
        cells = check_cells(self, X, columns)
        warn_of_cells(cells, columns, self)
        rows = Rows(codes.rows(cells), dtype=torch.int64, device=resolve_device(self.device))
        unknown = np.isnan(cells) & (np.array([column.missing for column in columns]) == 0)
        found = []
        for order in self.orders_:
            log_probs = log_probabilities(self._network(), rows, ~unknown, order, codes.missing_codes())
            found.append(np.where(unknown, 0.0, codes.log_density(cells, *log_probs)).sum(axis=1))
        return logsumexp(found, axis=0) - np.log(len(found))

    @prepared
    def score(self, X: ArrayLike, y: object = None) -> float:
        """Return the mean of `score_samples`, in nats per row.

        Parameters
        ----------
        X : table like that of `fit`
        y : None
            Ignored.

        Returns
        -------
        float
        """
        return float(np.mean(self.score_samples(X)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype, tags.estimator_type = [], "density_estimator"
        return tags


def start_at_marginals(codes, sizes, rows, generator):
    """Return the Start of a network that knows how often each code of each column occurs among the rows."""
    module = sizes.build(generator)
    sample = np.sort(drawn_order(len(rows), generator)[:50_000])
    codes.start(module, rows.take(sample).cpu())
    return Start(module.to(rows.device), sizes)

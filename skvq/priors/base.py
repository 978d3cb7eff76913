"""The base of the models of grids of integer codes: validation, classes, fitting, likelihoods and samples."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from scipy.special import logsumexp
from sklearn.base import DensityMixin
from sklearn.utils.validation import check_is_fitted

from .._typing import ArrayLike, NDArray, RandomState, RowsLike, Self, typed
from .._warnings import warn_user
from ..core.availability import available_if
from ..core.callbacks import FitTask, with_callbacks
from ..core.codes import CODE_DTYPE, check_codes
from ..core.device import prepared, resolve_device
from ..core.estimator import Budget, NetworkEstimator, Recipe, Start, forgets_failure
from ..core.fingerprint import digest_of_arrays
from ..core.layout import check_image_shape, check_rows
from ..core.lazy import lazy, scores
from ..core.naming import named
from ..core.parameters import DRAWS, check_arguments, check_rows_memory, is_auto, random_source
from ..nn import ranks
from ..training.batches import Rows
from ..training.interrupts import end_all
from ..training.stored import StoredRows
from .arguments import check_given, check_grid_shape, class_indices, learn_classes
from .classes import CHECKED_PAIRS, FEWEST_CHECKED_ROWS, FEWEST_HELD_OUT, class_gains, warn_of_useless_classes
from .clusters import CLUSTERED_ROWS, check_codebook, cluster_centres, n_stages_of, standard_vectors
from .defaults import GridSizes, automatic_clusters
from .passes import (
    DrawReport,
    LikelihoodObjective,
    choose_candidates,
    class_log_likelihoods,
    draw_classes,
    draw_grids,
    log_likelihoods,
    unpack,
    with_classes,
)

# More codes than this are asked for by name.
LARGEST_INFERRED = 2**16
GRIDS = ("grids", "grid_shape")
# Rows that the starting frequencies of the codes are counted on.
MARGINAL_ROWS = 50_000


def _has_no_classes(estimator):
    """Return whether a model can learn from chunks; say why it cannot otherwise."""
    if not estimator.class_conditional:
        return True
    raise AttributeError(
        "partial_fit has no classes, since a chunk need not have all of them; pass class_conditional=False, or call fit"
    )


@lazy(score_samples=scores)
class GridDensity(DensityMixin, NetworkEstimator):
    """Base of the density estimators on grids of integer codes, in raster order.

    A subclass names its parameters, among them those that are read here (`n_codes`, `grid_shape`, `class_conditional`,
    `early_stopping` and those of training), and the class of its sizes, `_sizes_class`. It has three hooks:
    ``check_parameters()`` raises for parameters that are out of range or do not go together, ``_sizes(n_rows)`` returns
    the sizes of the network for so many training rows, and ``_budget(n_rows)`` the
    :class:`~skvq.core.estimator.Budget` of its training.

    The network is one of grids (b, h, w) int64, with the attributes `grid_shape`, `condition_size`, `marginals` and the
    methods `set_marginals`, `set_vectors`, `nll`, `log_prob`, `log_prob_terms` and `sample`, as GatedPixelCNN has them.
    """

    _learned_beside = ("_grids_in",)
    _caches = (*NetworkEstimator._caches, "_vectors")

    n_codes: int | None
    grid_shape: tuple[int, int] | None
    class_conditional: bool
    n_clusters: int | str

    check_memory: Callable[[int, int], None]
    _sizes_class: type[GridSizes]
    _sizes: Callable[[int], GridSizes]
    _budget: Callable[[int], Budget]

    def check_parameters(self) -> None:
        """Raise an error for parameters that are out of range, warn of those without use; `fit` begins with it."""
        self._validate_params()
        check_grid_shape(self.grid_shape)
        n_clusters = getattr(self, "n_clusters", 0)
        if self.class_conditional and not is_auto(n_clusters) and n_clusters > 1:
            warn_user(
                f"n_clusters={n_clusters} has no effect with class_conditional=True, where the classes stand for "
                "clusters; pass class_conditional=False to use it",
            )

    def _check_grids(self, X, *, reset):
        """Validate X and return its codes as an integer array (n, h * w)."""
        shape = check_grid_shape(self.grid_shape) if reset else self.grid_shape_
        rows, found = check_rows(self, X, shape, reset=reset, called=GRIDS)
        if found is not None and len(found) != 2:
            raise ValueError(f"X holds grids of shape {found}; grids of codes are (n, h, w)")
        if reset:
            shape = found if shape is None else shape
            self.grid_shape_ = (
                (1, rows.shape[1]) if shape is None else check_image_shape(shape, rows.shape[1], "grid_shape")
            )
            self._grids_in = found is not None
        rows = rows[:] if isinstance(rows, StoredRows) else rows  # codes are small
        return check_codes(rows, self.n_codes if reset else self.n_codes_)

    def _infer_n_codes(self, codes):
        n_codes = int(codes.max()) + 1
        if n_codes > LARGEST_INFERRED:
            raise ValueError(
                f"the largest code is {n_codes - 1}, which would make a network for {n_codes} codes; number the codes "
                "from 0 without gaps, or pass n_codes if that is meant"
            )
        return n_codes

    @typed(with_callbacks)
    @prepared
    @forgets_failure
    def fit(
        self,
        X: RowsLike,
        y: ArrayLike | None = None,
        *,
        X_val: RowsLike | None = None,
        y_val: ArrayLike | None = None,
        codebook: ArrayLike | None = None,
    ) -> Self:
        """Fit the model to grids of codes.

        Parameters
        ----------
        X : array-like of int, shape (n, h, w), (n, h * w) with `grid_shape`, or (n, m)
            Codes in [0, K).
        y : array-like of shape (n,), default=None
            Labels of any one type, with ``class_conditional=True``; ignored otherwise.
        X_val, y_val : array-like like X and y, default=None
            Held-out grids and their labels; without them `validation_fraction` of X is held out.
        codebook : array-like of shape (n_codes, d), default=None
            The vectors that the codes stand for: the `codebook_` of a :class:`VQVAETransformer`, which passes it on to
            its prior. Codes whose vectors are near each other then share what is learned of them, so that fewer grids
            are enough. Axes before these are those of several codebooks, of positions and of stages: (h * w, n_codes,
            d) is one for each code of a row.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For codes that are not whole numbers in range, missing labels, or if the loss becomes non-finite.
        """
        self.check_parameters()
        task = FitTask(self, X, y)
        codes = self._check_grids(X, reset=True)
        books, classes = None, None
        if codebook is not None:
            books = check_codebook(codebook, self.n_codes, self._accepted_books(codes.shape[1]))
        if self.class_conditional:
            self.classes_, classes = learn_classes(codes, y)
            self.class_prior_ = np.bincount(classes) / len(classes)
        self.n_codes_ = self._infer_n_codes(codes) if self.n_codes is None else int(self.n_codes)
        if books is not None:
            self.n_codes_ = books.shape[1]
            check_codes(codes, self.n_codes_)
        self._vectors = None
        if books is not None:
            self._vectors = standard_vectors(books, n_stages_of(codebook, codes.shape[1]))
        self.check_memory(self.n_codes_, codes.shape[1])
        held_out = self._check_held_out(X_val, y_val)
        fitting = self._fit_network(self._grid_rows(codes, classes), held_out, self._generator(), task)
        if self._n_classes() > 1 and not fitting.interrupted:
            self._check_use_of_classes(fitting)
        del self._vectors
        fitting.end()
        task.end()
        return self

    @typed(available_if(_has_no_classes))
    @prepared
    def partial_fit(self, X: RowsLike, y: ArrayLike | None = None) -> Self:
        """Train on a chunk of rows, each of them once, and go on with the next chunk in the next call.

        The first chunk fixes the shape, the number of codes where `n_codes` is None, and the network and its start, so
        it should be large enough to stand for the others. No rows are held out, `max_iter` has no effect, and after a
        few steps the learning rate stays as it is: lower it for the last chunks. After :meth:`fit` it goes on from what
        was learned. Memory is needed for a chunk, the network and its optimiser.

        Parameters
        ----------
        X : array-like like that of :meth:`fit`
            The chunk.
        y : None
            Ignored.

        Returns
        -------
        self

        Raises
        ------
        AttributeError
            With ``class_conditional=True`` there is no such method: a chunk need not have all classes.
        """
        self.check_parameters()
        with self._keeps_last_chunk():
            first = not hasattr(self, "weights_")
            codes = self._check_grids(X, reset=first)
            if first:
                self.n_codes_ = self._infer_n_codes(codes) if self.n_codes is None else int(self.n_codes)
            self._vectors = None
            try:
                self._fit_chunk(self._grid_rows(codes))
            finally:
                del self._vectors
        return self

    def _open_checkpoint(self, **data):
        books = {} if self._vectors is None else {"codebook": digest_of_arrays(np.asarray(self._vectors))}
        return super()._open_checkpoint(**data, **books)

    def _check_use_of_classes(self, fitting):
        """Warn where the class makes no difference on the held-out rows, or on the training rows without enough.

        An interrupt ends this, and leaves the model.
        """
        try:
            self._compare_classes(fitting)
        except KeyboardInterrupt:
            if ranks.active() or end_all():
                raise
            warn_user(f"{type(self).__name__}: interrupted after the training; what the classes are worth is not known")

    def _compare_classes(self, fitting):
        rows, which = fitting.held_out, "held-out"
        if rows is None or len(rows) < FEWEST_HELD_OUT:
            rows, which = fitting.rows, "training"
        most = max(FEWEST_CHECKED_ROWS, CHECKED_PAIRS // len(self.classes_))
        *codes, classes = rows.sample(most, fitting.generator).cpu().numpy().T
        grids, size = self._grid_rows(np.stack(codes, axis=1)), self._learned_sizes.per_score()
        log_likelihoods = class_log_likelihoods(self._network(), grids, size)
        gains = class_gains(log_likelihoods, classes, self.class_prior_)
        n_frequencies = self._learned_sizes.n_positions * (self.n_codes_ - 1) * (len(self.classes_) - 1)
        optimism = n_frequencies / (2 * len(rows)) if which == "training" else 0.0
        warn_of_useless_classes(type(self).__name__, gains, which, optimism)

    def _check_held_out(self, X_val, y_val):
        """Return the held-out rows that the network takes, None without any."""
        if self.class_conditional and (X_val is None) != (y_val is None):
            raise ValueError("with class_conditional=True, X_val and y_val must be passed together")
        if X_val is None:
            return None
        with named(X="X_val", **({"y": "y_val"} if self.class_conditional else {})):
            codes = self._check_grids(X_val, reset=False)
            classes = class_indices(y_val, self.classes_, len(codes)) if self.class_conditional else None
        return self._grid_rows(codes, classes)

    def _grid_rows(self, codes, classes=None):
        """Return the rows that the network takes: codes, with the class index at the end if there are classes."""
        rows = codes if classes is None else with_classes(codes, classes)
        return Rows(rows, dtype=torch.int64, device=resolve_device(self.device))

    @classmethod
    def _build(cls, architecture, generator):
        return cls._sizes_class.from_json(architecture).build(generator)

    def _known_architecture(self):
        return self._learned_sizes

    def _recipe(self, rows, held_out):
        holds_out = self._holds_out(held_out, True)
        n_training = self._n_training(rows, holds_out)
        sizes = self._sizes(n_training)
        start = partial(start_at_marginals, vectors=self._vectors)
        return Recipe(sizes, self._budget(n_training), holds_out, start, likelihood_objective, uses=sizes.n_positions)

    def _accepted_books(self, n_positions):
        """Return how many codebooks a row of so many codes can have: each of them as many positions as any other."""
        return [n for n in range(1, n_positions + 1) if n_positions % n == 0]

    def _code_sizes(self):
        """Return the sizes of a network that follow from the codebook of `fit`, by name."""
        n_books, _, code_dim = (1, 0, 0) if self._vectors is None else self._vectors.shape
        return {"code_dim": code_dim, "n_books": n_books}

    def _n_clusters(self, n_rows):
        """Return how many clusters so many training rows get, for a model that has the parameter."""
        if not is_auto(self.n_clusters):
            return 0 if self.class_conditional else min(int(self.n_clusters), n_rows)
        clustered = self._vectors is not None and self.grid_shape_[0] > 1 and not self.class_conditional
        return automatic_clusters(n_rows) if clustered else 0

    def _n_classes(self):
        return len(self.classes_) if self.class_conditional else 0

    @property
    def _learned_sizes(self):
        """The sizes of what was learned."""
        return self._sizes_class.from_json(self.architecture_)

    @prepared
    def sample(
        self,
        n_samples: int = 1,
        *,
        random_state: RandomState = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        y: ArrayLike | None = None,
        given: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        n_candidates: int = 1,
    ) -> NDArray[np.int32]:
        """Draw grids of codes, new ones or completions of partly known ones.

        Parameters
        ----------
        n_samples : int, default=1
            Number of grids.
        random_state : int, RandomState instance or None, default=None
            Seeds the draw: the same int gives the same rows in every call, None other rows every time. The estimator's
            own `random_state` seeds `fit` alone.
        temperature : float > 0, default=1.0
            Divides the logits: below 1 likelier codes become likelier still.
        top_k : int, default=None
            Draw every code among the `top_k` likeliest only.
        top_p : float in (0, 1], default=None
            Draw every code from the nucleus only: the fewest codes, likeliest first, whose probabilities together reach
            `top_p` (Holtzman et al. 2020). Applied after `temperature` and `top_k`.
        y : label, or array-like of shape (n_samples,), default=None
            Classes to draw from, for a model of p(x | y). None draws them by `class_prior_`, and where the first codes
            of a grid are given, by the probability of the classes given these.
        given : array-like of int, one grid or `n_samples` grids, as (h, w) or (h * w,) each, default=None
            Codes that are known, and kept exactly. One grid is completed `n_samples` times. What lies outside `mask` is
            ignored. See Notes for what a completion is.
        mask : array-like of bool, one grid or `n_samples` grids, default=None
            True where the code is known.
        n_candidates : int, default=1
            Draw every completion so many times, and take one by how likely it makes the known codes that come after
            what was drawn (sampling-importance-resampling, Rubin 1987). The more, the nearer to p(unknown | known).

        Returns
        -------
        codes : ndarray of shape (n_samples, h * w), or (n_samples, h, w) if `fit` saw such grids, int32 in [0, K)
        """
        check_is_fitted(self, "weights_")
        n_samples, temperature, top_k, top_p, n_candidates, random_state = check_arguments(
            f"{type(self).__name__}.sample",
            DRAWS,
            n_samples=n_samples,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            n_candidates=n_candidates,
            random_state=random_state,
        )
        check_rows_memory(self.grid_shape_, n_samples=n_samples, n_candidates=1 if given is None else n_candidates)
        given, known = check_given(given, mask, self.grid_shape_, n_samples, self.n_codes_)
        random = random_source(random_state)
        generator = torch.Generator().manual_seed(int(random.randint(np.iinfo(np.int32).max)))
        shape, batch_size = (n_samples, math.prod(self.grid_shape_)), self._learned_sizes.per_sample()
        n_drawn = 1 if given is None else n_candidates  # of each: without known codes all fit alike
        classes = None if y is None else np.repeat(self._check_labels(y, n_samples), n_drawn)
        if given is not None:
            given, known = (np.repeat(np.broadcast_to(part, shape), n_drawn, axis=0) for part in (given, known))
        classes = self._classes_to_draw(classes, n_samples * n_drawn, random, given, known)
        codes = draw_grids(
            self._network(),
            n_samples * n_drawn,
            generator,
            batch_size,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            classes=classes,
            given=given,
            known=known,
            report=DrawReport(type(self).__name__, "grids drawn", n_samples * n_drawn, batch_size, self.verbose),
        ).astype(CODE_DTYPE)
        if n_drawn > 1:
            rows, uniform = self._grid_rows(codes.reshape(len(codes), -1), classes), random.random_sample(n_samples)
            size = self._learned_sizes.per_score()
            codes = codes[choose_candidates(self._network(), rows, known, n_drawn, uniform, size)]
        return codes.reshape(codes.shape if self._grids_in else shape)

    def _has_classes(self):
        return self.architecture_["condition_size"] > 0

    def _check_labels(self, y, n_rows):
        """Return the class indices (n_rows,) of the labels y."""
        if not self._has_classes():
            raise ValueError("y is of no use to a model that was fitted with class_conditional=False; leave it out")
        return class_indices(y, self.classes_, n_rows)

    def _classes_to_draw(self, indices, n_samples, random, given, known):
        """Return the class indices (n_samples,) of grids to draw, or None; `random` draws them if `indices` is None."""
        if indices is not None or not self._has_classes():
            return indices
        log_weights = np.log(self.class_prior_)[None]
        if given is not None:
            leading = np.logical_and.accumulate(known, axis=1)  # the codes that are known before the first unknown one
            size = self._learned_sizes.per_score()
            log_weights = log_weights + class_log_likelihoods(self._network(), self._grid_rows(given), size, leading)
        return draw_classes(log_weights, random.random_sample(n_samples))

    @prepared
    def score_samples(self, X: RowsLike, y: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return log p(grid) of every row, or log p(grid | y), in nats.

        Parameters
        ----------
        X : array-like of int, of the layout that `fit` saw
            Codes in [0, K).
            An array or a frame of dask gives a lazy one, computed block by block.
        y : label, or array-like of shape (n,), default=None
            Classes, for a model of p(x | y). With None it returns the log of sum_y p(y) p(x | y), with `class_prior_`
            for p(y), which takes one pass for each class.

        Returns
        -------
        log_prob : ndarray of shape (n,), float64
        """
        check_is_fitted(self, "weights_")
        codes = self._check_grids(X, reset=False)
        network, size = self._network(), self._learned_sizes.per_score()
        if y is not None:
            return log_likelihoods(network, self._grid_rows(codes, self._check_labels(y, len(codes))), size)
        if not self._has_classes():
            return log_likelihoods(network, self._grid_rows(codes), size)
        return logsumexp(
            class_log_likelihoods(network, self._grid_rows(codes), size) + np.log(self.class_prior_), axis=1
        )

    @prepared
    def score(self, X: RowsLike, y: ArrayLike | None = None) -> float:
        """Return the mean of `score_samples`, in nats per row.

        Parameters
        ----------
        X : array-like of int, of the layout that `fit` saw
        y : label, or array-like of shape (n,), default=None
            Classes, for a model of p(x | y): then the mean of log p(x | y). Ignored by a model of p(x).

        Returns
        -------
        float
        """
        check_is_fitted(self, "weights_")
        return float(np.mean(self.score_samples(X, y if self._has_classes() else None)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.positive_only = True
        tags.input_tags.three_d_array = True
        tags.target_tags.required = self.class_conditional is True
        return tags


def start_at_marginals(sizes, rows, generator, vectors=None):
    """Return the Start of a network that knows how often each code occurs at each position, in each class if any.

    With clusters these are found first; `vectors` (n_books, n_codes, code_dim) are those of the codebooks, or None.
    """
    module = sizes.build(generator)
    if vectors is not None:
        module.set_vectors(torch.from_numpy(vectors))
    codes, condition = unpack(module, rows.sample(MARGINAL_ROWS, generator).cpu())
    if sizes.n_clusters:
        some = codes[:CLUSTERED_ROWS].flatten(1).numpy()
        seed = int(torch.randint(2**31 - 1, (), generator=generator))
        module.set_clusters(cluster_centres(some, vectors, sizes.n_codes, sizes.n_clusters, seed), codes)
    module.set_marginals(codes, condition)
    return Start(module.to(rows.device, memory_format=torch.channels_last), sizes)


def likelihood_objective(start, generator):
    """Return what training minimises; nothing is drawn."""
    return LikelihoodObjective(start.module)

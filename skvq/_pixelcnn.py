"""PixelCNN as a scikit-learn density estimator on grids of integer codes."""

import math
import numbers

import numpy as np
import torch
from scipy.special import logsumexp
from sklearn.base import DensityMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ._base import BaseNetwork, check_choice, check_number, check_sizes, forgets_failure, is_auto, resolve_device
from ._codes import CODE_DTYPE, check_codes
from ._layout import check_image_shape
from ._pixelcnn_arguments import check_draws, check_given, class_indices, learn_classes
from ._pixelcnn_passes import (
    LikelihoodObjective,
    Progress,
    class_log_likelihoods,
    draw_classes,
    draw_grids,
    log_likelihoods,
    unpack,
    with_classes,
)
from ._pixelcnn_plan import automatic_dropout, automatic_training, grids_per_sample, grids_per_score
from .nn.pixelcnn import GatedPixelCNN
from .training.batches import Rows

# More codes than this are asked for by name.
LARGEST_INFERRED = 2**16
# Rows that the starting frequencies of the codes are counted on.
MARGINAL_ROWS = 50_000


class PixelCNN(DensityMixin, BaseNetwork):
    """Log p(codes), in nats, of grids of integer codes, and new grids drawn from it.

    A gated PixelCNN with a vertical and a horizontal stack [1]_ factorises the probability of a grid in raster order,
    ``log p(x) = sum_i log p(x_i | x_1 ... x_{i-1})``, and is trained by maximum likelihood with early stopping on
    held-out rows. Codes are embedded, and so is the position, so that the columns of a table row, a (1, m) grid, may
    differ. Sampling computes each position once per layer, from cached rows. By choice the model is one of
    ``log p(x | y)`` for class labels y, which enter every gate and, with weights for every position, the first layer.

    Parameters
    ----------
    n_codes : int, default=None
        Number K of different codes; values are integers in [0, K). None takes the largest code of `fit` plus one.
    grid_shape : tuple of int (h, w), default=None
        How a row of X unfolds, row-major. None reads it from a three-dimensional X, or takes a row of m codes as a
        (1, m) grid.
    channels : int, default=64
        Width of both stacks.
    n_layers : int, default=2
        Number of gated layers after the first, which looks up a vector for every earlier code (of the whole grid up to
        8 × 8, of 7 rows and columns beyond; of the whole row up to 32 codes, of 31 beyond).
    kernel_size : int, default=3
        Odd width of the convolutions of the gated layers.
    dilations : int or tuple of int, default=1
        Steps between the rows and columns that these convolutions read, layer after layer, from the start again after
        the last one. The first layer sees 7 rows and columns; more of a larger grid is seen for the same price with
        ``n_layers=4, dilations=(1, 2, 4, 7)``, say.
    class_conditional : bool, default=False
        Learn log p(x | y) from the labels y of `fit`, which are ignored otherwise.
    dropout : float in [0, 1) or "auto", default="auto"
        Share of the gates that is dropped in training. "auto": 0.5 below 10,000 rows, where the model overfits, else 0.
    alpha : float, default=0.0
        Decoupled weight decay.
    batch_size : int or "auto", default="auto"
        Rows per step. "auto": 64, or 32 below 500 rows.
    learning_rate_init : float or "auto", default="auto"
        Learning rate of Adam after the warm-up; it decays by half a cosine to 0. "auto": 0.002 below 10,000 rows, else
        0.004.
    max_iter : int or "auto", default="auto"
        Epochs. "auto": 30,000 rows in all, within 20 to 60 epochs, below 10,000 rows; from there on 300,000 rows in
        all, and at least two epochs (60,000 rows: 5).
    early_stopping : bool, default=True
        Hold rows out and keep the weights of the epoch that gives them the highest likelihood.
    validation_fraction : float in (0, 1), default=0.1
        Share of the rows that is held out where `fit` is given no `X_val`.
    tol : float, default=1e-4
        Smallest improvement that counts, in nats per position.
    n_iter_no_change : int or None, default=10
        Epochs in a row without improvement after which training ends; None runs them all.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Arithmetic of training. "auto" takes bfloat16 where the processor has it, for two-dimensional grids from 10,000
        rows on.
        `score_samples` and `sample` always compute in float32.
    device : str, default="cpu"
        Where to train and compute: "cpu", "cuda", "mps", or "auto". A device that is not there is an error.
    random_state : int, RandomState instance or None, default=None
        Seeds the weights, the split and the order of the rows.
    verbose : int, default=0
        1 prints about twenty lines, 2 one per epoch; the same for `sample`, where it takes several batches.

    Attributes
    ----------
    n_codes_ : int
        Number of different codes.
    grid_shape_ : tuple of int (h, w)
        Shape of the grids.
    n_iter_ : int
        Epochs run.
    best_iter_ : int or None
        Epoch whose weights were kept, 0 for the start; None without held-out rows, where the last one's are.
    loss_curve_ : list of float
        Training loss per epoch, nats per position.
    validation_loss_curve_ : list of float
        Loss on the held-out rows, nats per position; empty without any.
    history_ : dict of list of float
        Every recorded term, one value per epoch.
    classes_ : ndarray of shape (n_classes,)
        The different labels, sorted. Only with ``class_conditional=True``.
    class_prior_ : ndarray of shape (n_classes,), float64
        Share of the rows of `fit` that each class has. Only with ``class_conditional=True``.
    architecture_ : dict
        What the network is built from (JSON-able).
    weights_ : dict of ndarray
        What the network has learned.
    n_features_in_ : int
        Number of positions, h * w.

    Notes
    -----
    `sample` completes partly known grids: every unknown code is drawn from p(code | all codes before it in raster
    order, known or drawn). Known codes *after* it have no influence on it, since a causal model has no such
    conditional. So completions follow p(unknown | known) exactly where all known positions precede all unknown ones:
    the lower rows of a grid given the upper, the last columns of a table row given the first. Anywhere else they ignore
    what comes later and may fit it badly; of many completions, those with the highest `score_samples` fit best.

    `sample` and `score_samples` take as many grids at a time as a bounded memory holds.

    References
    ----------
    .. [1] A. van den Oord, N. Kalchbrenner, O. Vinyals, L. Espeholt, A. Graves, K. Kavukcuoglu, "Conditional Image
       Generation with PixelCNN Decoders", NeurIPS 2016.
    .. [2] A. Holtzman, J. Buys, L. Du, M. Forbes, Y. Choi, "The Curious Case of Neural Text Degeneration", ICLR 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from skvq import PixelCNN
    >>> stripes = np.tile([[0, 1], [1, 0]], (50, 2))
    >>> model = PixelCNN(channels=8, n_layers=1, dropout=0, max_iter=60, random_state=0).fit(stripes)
    >>> round(float(model.score(stripes)), 1)  # log(1/2): two rows, equally likely
    -0.7
    >>> model.sample(3, random_state=0).shape
    (3, 4)
    >>> model.sample(given=[1, 0, 0, 0], mask=[True, False, False, False], top_k=1)
    array([[1, 0, 1, 0]], dtype=int32)
    """

    def __init__(
        self,
        n_codes=None,
        grid_shape=None,
        *,
        channels=64,
        n_layers=2,
        kernel_size=3,
        dilations=1,
        class_conditional=False,
        dropout="auto",
        alpha=0.0,
        batch_size="auto",
        learning_rate_init="auto",
        max_iter="auto",
        early_stopping=True,
        validation_fraction=0.1,
        tol=1e-4,
        n_iter_no_change=10,
        precision="auto",
        device="cpu",
        random_state=None,
        verbose=0,
    ):
        self.n_codes = n_codes
        self.grid_shape = grid_shape
        self.channels = channels
        self.n_layers = n_layers
        self.kernel_size = kernel_size
        self.dilations = dilations
        self.class_conditional = class_conditional
        self.dropout = dropout
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

    def _check_parameters(self):
        self._check_training_parameters()
        if self.n_codes is not None:
            check_number("n_codes", self.n_codes, numbers.Integral, low=1)
        check_number("channels", self.channels, numbers.Integral, low=1)
        check_number("n_layers", self.n_layers, numbers.Integral, low=0)
        check_choice("class_conditional", self.class_conditional, (True, False))
        if not check_sizes("dilations", self.dilations):
            raise ValueError(f"dilations={self.dilations!r} must be a positive integer or a sequence of such")
        check_number("kernel_size", self.kernel_size, numbers.Integral, low=1)
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size={self.kernel_size} must be odd")
        if not is_auto(self.dropout):
            check_number("dropout", self.dropout, low=0, high=1, boundaries="left")
        check_choice("early_stopping", self.early_stopping, (True, False))

    def _check_grids(self, X, *, reset):
        """Validate X and return its codes as an integer array (n, h * w)."""
        shape = self.grid_shape if reset else self.grid_shape_
        if reset and shape is not None and len(check_image_shape(shape, name="grid_shape")) != 2:
            raise ValueError(f"grid_shape={shape!r} must be None or (h, w)")
        rows, found = self._check_rows(X, None if shape is None else tuple(shape), reset=reset)
        if found is not None and len(found) != 2:
            raise ValueError(f"X holds grids of shape {found}; grids of codes are (n, h, w)")
        if reset:
            shape = found if shape is None else shape
            self.grid_shape_ = (
                (1, rows.shape[1]) if shape is None else check_image_shape(shape, rows.shape[1], "grid_shape")
            )
            self._grids_in = found is not None
        return check_codes(rows, self.n_codes if reset else self.n_codes_)

    def _infer_n_codes(self, codes):
        n_codes = int(codes.max()) + 1
        if n_codes > LARGEST_INFERRED:
            raise ValueError(
                f"the largest code is {n_codes - 1}, which would make a network for {n_codes} codes; number the codes "
                "from 0 without gaps, or pass n_codes if that is meant"
            )
        return n_codes

    def _build(self, architecture, generator):
        return GatedPixelCNN(**architecture, generator=generator)

    @forgets_failure
    def fit(self, X, y=None, *, X_val=None, y_val=None):
        """Fit the model to grids of codes.

        Parameters
        ----------
        X : array-like of int, shape (n, h, w), (n, h * w) with `grid_shape`, or (n, m)
            Codes in [0, K).
        y : array-like of shape (n,), default=None
            Labels of any one type, with ``class_conditional=True``; ignored otherwise.
        X_val, y_val : array-like like X and y, default=None
            Held-out grids and their labels; without them `validation_fraction` of X is held out.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For codes that are not whole numbers in range, missing labels, or if the loss becomes non-finite.
        """
        self._check_parameters()
        codes = self._check_grids(X, reset=True)
        classes = None
        if self.class_conditional:
            self.classes_, classes = learn_classes(codes, y)
            self.class_prior_ = np.bincount(classes) / len(classes)
        self.n_codes_ = self._infer_n_codes(codes) if self.n_codes is None else int(self.n_codes)
        return self._fit_rows(self._rows(codes, classes), self._check_held_out(X_val, y_val))

    def _check_held_out(self, X_val, y_val):
        """Return the held-out rows that the network takes, None without any."""
        if self.class_conditional and (X_val is None) != (y_val is None):
            raise ValueError("with class_conditional=True, X_val and y_val must be passed together")
        if X_val is None:
            return None
        codes = self._check_grids(X_val, reset=False)
        classes = class_indices(y_val, self.classes_, len(codes)) if self.class_conditional else None
        return self._rows(codes, classes)

    def _rows(self, codes, classes=None):
        """Return the rows that the network takes: codes, with the class index at the end if there are classes."""
        rows = codes if classes is None else with_classes(codes, classes)
        return Rows(rows, dtype=torch.int64, device=resolve_device(self.device))

    def _fit_rows(self, rows, validation):
        generator = self._generator()
        rows, validation = self._split(rows, validation, self.early_stopping, generator)
        architecture = {
            "n_codes": self.n_codes_,
            "grid_shape": list(self.grid_shape_),
            "channels": int(self.channels),
            "n_layers": int(self.n_layers),
            "kernel_size": int(self.kernel_size),
            "dilations": list(check_sizes("dilations", self.dilations)),
            "condition_size": len(self.classes_) if self.class_conditional else 0,
            "dropout": automatic_dropout(len(rows)) if is_auto(self.dropout) else float(self.dropout),
        }
        module = self._build(architecture, generator)
        module.set_marginals(unpack(module, rows.sample(MARGINAL_ROWS, generator))[0])
        module.to(rows.device, memory_format=torch.channels_last)
        n_weights = sum(parameter.numel() for parameter in module.parameters())
        self._train(
            LikelihoodObjective(module),
            rows,
            validation,
            generator,
            automatic_training(len(rows), self.grid_shape_),
            work=n_weights * math.prod(self.grid_shape_),
        )
        self._keep(module, architecture)
        return self

    def sample(
        self, n_samples=1, *, random_state=None, temperature=1.0, top_k=None, top_p=None, y=None, given=None, mask=None
    ):
        """Draw grids of codes, new ones or completions of partly known ones.

        Parameters
        ----------
        n_samples : int, default=1
            Number of grids.
        random_state : int, RandomState instance or None, default=None
            Seeds the draw.
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

        Returns
        -------
        codes : ndarray of shape (n_samples, h * w), or (n_samples, h, w) if `fit` saw such grids, int32 in [0, K)
        """
        check_is_fitted(self, "weights_")
        check_draws(n_samples, temperature, top_k, top_p)
        given, known = check_given(given, mask, self.grid_shape_, n_samples, self.n_codes_)
        random = check_random_state(random_state)
        generator = torch.Generator().manual_seed(int(random.randint(np.iinfo(np.int32).max)))
        shape, batch_size = (n_samples, math.prod(self.grid_shape_)), grids_per_sample(self.architecture_)
        codes = draw_grids(
            self._network(),
            n_samples,
            generator,
            batch_size,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            classes=self._classes_to_draw(y, n_samples, random, given, known),
            given=None if given is None else np.broadcast_to(given, shape),
            known=None if known is None else np.broadcast_to(known, shape),
            report=Progress(type(self).__name__, "grids drawn", n_samples, batch_size, self.verbose),
        )
        return codes.astype(CODE_DTYPE).reshape(codes.shape if self._grids_in else shape)

    def _has_classes(self):
        return self.architecture_["condition_size"] > 0

    def _check_labels(self, y, n_rows):
        """Return the class indices (n_rows,) of the labels y."""
        if not self._has_classes():
            raise ValueError("y is of no use to a PixelCNN that was fitted with class_conditional=False; leave it out")
        return class_indices(y, self.classes_, n_rows)

    def _classes_to_draw(self, y, n_samples, random, given, known):
        """Return the class indices (n_samples,) of grids to draw, or None; `random` draws those that y leaves open."""
        if y is not None:
            return self._check_labels(y, n_samples)
        if not self._has_classes():
            return None
        log_weights = np.log(self.class_prior_)[None]
        if given is not None:
            leading = np.logical_and.accumulate(known, axis=1)  # the codes that are known before the first unknown one
            size = grids_per_score(self.architecture_)
            log_weights = log_weights + class_log_likelihoods(self._network(), self._rows(given), size, leading)
        return draw_classes(log_weights, random.random_sample(n_samples))

    def score_samples(self, X, y=None):
        """Return log p(grid) of every row, or log p(grid | y), in nats.

        Parameters
        ----------
        X : array-like of int, of the layout that `fit` saw
            Codes in [0, K).
        y : label, or array-like of shape (n,), default=None
            Classes, for a model of p(x | y). With None it returns the log of sum_y p(y) p(x | y), with `class_prior_`
            for p(y), which takes one pass for each class.

        Returns
        -------
        log_prob : ndarray of shape (n,), float64
        """
        check_is_fitted(self, "weights_")
        codes = self._check_grids(X, reset=False)
        network, size = self._network(), grids_per_score(self.architecture_)
        if y is not None:
            return log_likelihoods(network, self._rows(codes, self._check_labels(y, len(codes))), size)
        if not self._has_classes():
            return log_likelihoods(network, self._rows(codes), size)
        return logsumexp(class_log_likelihoods(network, self._rows(codes), size) + np.log(self.class_prior_), axis=1)

    def score(self, X, y=None):
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

"""PixelCNN as a scikit-learn density estimator on grids of integer codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from .._typing import Device, Path, RandomState
from ..core.parameters import as_sizes, is_auto
from . import schema
from .base import GridDensity
from .defaults import CLUSTERS, STACKS, PixelCNNSizes, automatic_dropout, automatic_training, check_stacks


class PixelCNN(GridDensity):
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
    n_clusters : int or "auto", default="auto"
        Number of clusters of whole grids, found by k-means. The cluster is drawn first, then the codes given it, so
        that the parts of a grid agree on what it is. 0: no clusters. "auto": where `fit` gets a `codebook`, for grids
        of several rows and without classes, one for every 60 training rows, from 8 to 64, from 100 rows on; else 0.
    class_conditional : bool, default=False
        Learn log p(x | y) from the labels y of `fit`, which are ignored otherwise. In a row of codes each
        class starts at the frequencies of its own codes. A warning tells where the gain cannot be told from chance.
    dropout : float in [0, 1) or "auto", default="auto"
        Share of the gates, and of the codes that others are told of, that is dropped in training. "auto": 0.4 below
        10,000 rows, where the model overfits, else 0.
    alpha : float, default=0.0
        Decoupled weight decay.
    batch_size : int or "auto", default="auto"
        Rows per step. "auto": 64, or 32 below 500 rows.
    learning_rate_init : float or "auto", default="auto"
        Learning rate of Adam after the warm-up; it decays by half a cosine to 0. "auto": 0.004.
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
    what comes later and may fit it badly, unless `n_candidates` lets it choose among several.

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

    _schema = schema.PIXELCNN
    _parameter_constraints = STACKS | CLUSTERS
    _sizes_class = PixelCNNSizes

    def __init__(
        self,
        n_codes: int | None = None,
        grid_shape: tuple[int, int] | None = None,
        *,
        channels: int = 64,
        n_layers: int = 2,
        kernel_size: int = 3,
        dilations: int | Sequence[int] = 1,
        n_clusters: int | Literal["auto"] = "auto",
        class_conditional: bool = False,
        dropout: float | Literal["auto"] = "auto",
        alpha: float = 0.0,
        batch_size: int | Literal["auto"] = "auto",
        learning_rate_init: float | Literal["auto"] = "auto",
        max_iter: int | Literal["auto"] = "auto",
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        tol: float = 1e-4,
        n_iter_no_change: int | None = 10,
        precision: Literal["auto", "float32", "bfloat16"] = "auto",
        device: Device = "cpu",
        random_state: RandomState = None,
        verbose: int = 0,
        max_seconds: float | None = None,
        checkpoint: Path = None,
        checkpoint_interval: float = 60.0,
    ) -> None:
        self.n_codes = n_codes
        self.grid_shape = grid_shape
        self.channels = channels
        self.n_layers = n_layers
        self.kernel_size = kernel_size
        self.dilations = dilations
        self.n_clusters = n_clusters
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
        self.max_seconds = max_seconds
        self.checkpoint, self.checkpoint_interval = checkpoint, checkpoint_interval

    def check_memory(self, n_codes: int, n_positions: int) -> None:
        """Raise ValueError, naming the parameter, for sizes that no memory holds."""
        check_stacks(self, n_codes, n_positions)

    def _sizes(self, n_rows):
        return PixelCNNSizes(
            self.n_codes_,
            self.grid_shape_,
            self._n_classes(),
            automatic_dropout(n_rows) if is_auto(self.dropout) else float(self.dropout),
            self._n_clusters(n_rows),
            **self._code_sizes(),
            channels=int(self.channels),
            n_layers=int(self.n_layers),
            kernel_size=int(self.kernel_size),
            dilations=as_sizes(self.dilations),
        )

    def _budget(self, n_rows):
        return automatic_training(n_rows, bfloat16_pays=self.grid_shape_[0] > 1)

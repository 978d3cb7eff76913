"""A small causal transformer as a scikit-learn density estimator on grids of integer codes."""

from __future__ import annotations

from typing import Literal

from .._typing import Device, Path, RandomState
from ..core.parameters import check_memory, is_auto, training_bytes
from . import schema
from .base import GridDensity
from .defaults import CLUSTERS, TRANSFORMER, TransformerSizes, automatic_dropout, transformer_training


class CausalTransformer(GridDensity):
    """Log p(codes), in nats, of grids of integer codes, and new grids drawn from it.

    A small decoder-only transformer [1]_ [2]_ factorises the probability of a grid in raster order,
    ``log p(x) = sum_i log p(x_i | x_1 ... x_{i-1})``, and is trained by maximum likelihood with early stopping on
    held-out rows. It sees all earlier codes in every layer, where a :class:`PixelCNN` sees those within its kernels;
    the two have the same interface. Sampling keeps the keys and values of the positions that are done. By choice the
    model is one of ``log p(x | y)`` for class labels y, which enter the input with weights for every position.

    Parameters
    ----------
    n_codes : int, default=None
        Number K of different codes; values are integers in [0, K). None takes the largest code of `fit` plus one.
    grid_shape : tuple of int (h, w), default=None
        How a row of X unfolds, row-major. None reads it from a three-dimensional X, or takes a row of m codes as a
        (1, m) grid.
    d_model : int, default=64
        Width of the network, a multiple of `n_heads`.
    n_layers : int, default=2
        Blocks of self-attention and a feed-forward network of four times the width.
    n_heads : int, default=4
        Heads of the attention.
    n_clusters : int or "auto", default="auto"
        Number of clusters of whole grids, found by k-means. The cluster is drawn first, then the codes given it, so
        that the parts of a grid agree on what it is. 0: no clusters. "auto": where `fit` gets a `codebook`, for grids
        of several rows and without classes, one for every 60 training rows, from 8 to 64, from 100 rows on; else 0.
    class_conditional : bool, default=False
        Learn log p(x | y) from the labels y of `fit`, which are ignored otherwise. In a row of codes each
        class starts at the frequencies of its own codes. A warning tells where the gain cannot be told from chance.
    dropout : float in [0, 1) or "auto", default="auto"
        Share of the input, and of what each half of a block adds, that is dropped in training. "auto": 0.2 below 10,000
        rows, where the model overfits, else 0.
    alpha : float, default=0.0
        Decoupled weight decay.
    batch_size : int or "auto", default="auto"
        Rows per step. "auto": 64, or 32 below 500 rows.
    learning_rate_init : float or "auto", default="auto"
        Learning rate of Adam after the warm-up; it decays by half a cosine to 0. Muon, which moves the matrices of the
        blocks [4]_, has three times that rate. "auto": 0.004.
    max_iter : int or "auto", default="auto"
        Epochs. "auto": 10,000 rows in all, within 16 to 60 epochs, below 10,000 rows; from there on 180,000 rows in
        all, and at least two epochs (60,000 rows: 3).
    early_stopping : bool, default=True
        Hold rows out and keep the weights of the epoch that gives them the highest likelihood.
    validation_fraction : float in (0, 1), default=0.1
        Share of the rows that is held out where `fit` is given no `X_val`.
    tol : float, default=1e-4
        Smallest improvement that counts, in nats per position.
    n_iter_no_change : int or None, default=10
        Epochs in a row without improvement after which training ends; None runs them all.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Arithmetic of training. "auto" is bfloat16 on processors that multiply in it, else float32; attention is in
        float32 on every processor. `score_samples` and `sample` always compute in float32.
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
    `sample` completes partly known grids by drawing every unknown code given all codes before it in raster order, known
    or drawn: see the notes of :class:`PixelCNN` for what that is where known codes come later.

    `sample` and `score_samples` take as many grids at a time as a bounded memory holds.

    References
    ----------
    .. [1] A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017.
    .. [2] A. Radford, J. Wu, R. Child, D. Luan, D. Amodei, I. Sutskever, "Language Models are Unsupervised Multitask
       Learners", 2019.
    .. [3] A. Holtzman, J. Buys, L. Du, M. Forbes, Y. Choi, "The Curious Case of Neural Text Degeneration", ICLR 2020.
    .. [4] J. Liu et al., "Muon is Scalable for LLM Training", arXiv:2502.16982, 2025.

    Examples
    --------
    >>> import numpy as np
    >>> from skvq import CausalTransformer
    >>> stripes = np.tile([[0, 1], [1, 0]], (50, 2))
    >>> model = CausalTransformer(d_model=8, n_layers=1, dropout=0, max_iter=60, random_state=0).fit(stripes)
    >>> round(float(model.score(stripes)), 1)  # log(1/2): two rows, equally likely
    -0.7
    >>> model.sample(3, random_state=0).shape
    (3, 4)
    >>> model.sample(given=[1, 0, 0, 0], mask=[True, False, False, False], top_k=1)
    array([[1, 0, 1, 0]], dtype=int32)
    """

    _schema = schema.CAUSAL_TRANSFORMER
    _parameter_constraints = TRANSFORMER | CLUSTERS
    _sizes_class = TransformerSizes

    def __init__(
        self,
        n_codes: int | None = None,
        grid_shape: tuple[int, int] | None = None,
        *,
        d_model: int = 64,
        n_layers: int = 2,
        n_heads: int = 4,
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
        self.d_model = d_model
        self.n_layers = n_layers
        self.n_heads = n_heads
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

    def check_parameters(self) -> None:
        """Raise an error for parameters that are out of range or do not go together; `fit` begins with it."""
        super().check_parameters()
        if self.d_model % self.n_heads:
            raise ValueError(f"d_model={self.d_model} must be a multiple of n_heads={self.n_heads}")

    def check_memory(self, n_codes: int, n_positions: int) -> None:
        """Raise ValueError, naming the parameter, for sizes that no memory holds."""
        check_memory(
            lambda d_model, n_layers, n_codes: training_bytes(
                12 * n_layers * d_model**2 + (n_codes + n_positions) * d_model + n_positions * n_codes, n_layers
            ),
            d_model=int(self.d_model),
            n_layers=int(self.n_layers),
            n_codes=n_codes,
        )

    def _sizes(self, n_rows):
        return TransformerSizes(
            self.n_codes_,
            self.grid_shape_,
            self._n_classes(),
            automatic_dropout(n_rows, few=0.2) if is_auto(self.dropout) else float(self.dropout),
            self._n_clusters(n_rows),
            **self._code_sizes(),
            d_model=int(self.d_model),
            n_layers=int(self.n_layers),
            n_heads=int(self.n_heads),
        )

    def _budget(self, n_rows):
        return transformer_training(n_rows)

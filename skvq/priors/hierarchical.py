"""PixelCNNs of two levels of integer codes as one scikit-learn density estimator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from .._typing import Device, Path, RandomState
from ..core.layout import check_image_shape
from ..core.parameters import as_sizes, is_auto
from . import schema
from .base import GridDensity
from .defaults import STACKS, TwoLevelSizes, automatic_dropout, automatic_training, check_stacks


class HierarchicalPixelCNN(GridDensity):
    """Log p(codes), in nats, of a coarse and a fine grid of integer codes, and new pairs of grids drawn from it.

    The probability of a row is that of its coarse grid times that of its fine grid given the coarse one [1]_,
    ``log p(x) = log p(coarse) + log p(fine | coarse)``, each of them a gated PixelCNN as in :class:`~skvq.PixelCNN`.
    The coarse codes are embedded and enter every gate of the fine grid's network at every position. It is a prior for a
    ``VQVAETransformer(code_shape=((h1, w1), (h2, w2)))``, and for any codes laid out like its own.

    Parameters
    ----------
    grid_shapes : ((h1, w1), (h2, w2)), default=None
        The coarse grid and the fine one. A row of X has ``h1 * w1 + h2 * w2`` codes, the coarse ones first, both grids
        row-major. None takes the first fifth of the columns of X for the coarse grid, and both grids as one row each.
    n_codes : int, default=None
        Number K of different codes of both grids; values are integers in [0, K). None takes the largest code of `fit`
        plus one.
    channels : int, default=64
        Width of both stacks of both networks.
    n_layers : int, default=2
        Number of gated layers after the first of each network.
    kernel_size : int, default=3
        Odd width of the convolutions of the gated layers.
    dilations : int or tuple of int, default=1
        Steps between the rows and columns that these convolutions read, layer after layer, as in
        :class:`~skvq.PixelCNN`.
    class_conditional : bool, default=False
        Learn log p(x | y) from the labels y of `fit`, which are ignored otherwise. The class enters both networks.
        In rows of codes each class starts at the frequencies of its own codes. A warning tells where the class makes no
        difference.
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
        Hold rows out and keep the weights of the epoch that gives them the highest likelihood, of both grids together.
    validation_fraction : float in (0, 1), default=0.1
        Share of the rows that is held out where `fit` is given no `X_val`.
    tol : float, default=1e-4
        Smallest improvement that counts, in nats per position.
    n_iter_no_change : int or None, default=10
        Epochs in a row without improvement after which training ends; None runs them all.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Arithmetic of training. "auto" takes bfloat16 where the processor has it, for fine grids of more than one row
        from 10,000 rows on. `score_samples` and `sample` always compute in float32.
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
    n_iter_ : int
        Epochs run.
    best_iter_ : int or None
        Epoch whose weights were kept, 0 for the start; None without held-out rows, where the last one's are.
    loss_curve_ : list of float
        Training loss per epoch, nats per position, over the positions of both grids.
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
    grid_shape_ : tuple of int
        (1, h1 * w1 + h2 * w2): all codes of a row, in the order in which they are drawn.
    grid_shapes_ : tuple of two tuples of int
        The coarse grid and the fine one.
    n_features_in_ : int
        Number of positions, h1 * w1 + h2 * w2.

    Notes
    -----
    `sample` takes `given` and `mask` as rows of ``h1 * w1 + h2 * w2`` codes. With all coarse codes given it draws fine
    grids from p(fine | coarse) exactly; the notes of :class:`~skvq.PixelCNN` say what any other completion is.

    References
    ----------
    .. [1] A. Razavi, A. van den Oord, O. Vinyals, "Generating Diverse High-Fidelity Images with VQ-VAE-2", NeurIPS
       2019.

    Examples
    --------
    >>> import numpy as np
    >>> from skvq import HierarchicalPixelCNN
    >>> coarse = np.tile([[0], [1]], (50, 1))
    >>> X = np.hstack([coarse, np.repeat(coarse, 4, axis=1)])  # a code, and four times the same code
    >>> model = HierarchicalPixelCNN(((1, 1), (2, 2)), channels=8, n_layers=1, dropout=0, random_state=0).fit(X)
    >>> round(float(model.score(X)), 1)  # log(1/2): two rows, equally likely
    -0.7
    >>> model.sample(2, given=[1, 0, 0, 0, 0], mask=[True] + 4 * [False], top_k=1)
    array([[1, 1, 1, 1, 1],
           [1, 1, 1, 1, 1]], dtype=int32)
    """

    grid_shape = None  # no parameter here: to the base, all codes of a row are one grid (1, n)

    _schema = schema.HIERARCHICAL_PIXELCNN
    _parameter_constraints = STACKS | {"grid_shapes": "no_validation"}  # their message says more: `_check_shapes`
    _sizes_class = TwoLevelSizes

    def __init__(
        self,
        grid_shapes: Sequence[Sequence[int]] | None = None,
        n_codes: int | None = None,
        *,
        channels: int = 64,
        n_layers: int = 2,
        kernel_size: int = 3,
        dilations: int | Sequence[int] = 1,
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
        self.grid_shapes = grid_shapes
        self.n_codes = n_codes
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
        self.max_seconds = max_seconds
        self.checkpoint, self.checkpoint_interval = checkpoint, checkpoint_interval

    def check_parameters(self) -> None:
        """Raise an error for parameters that are out of range or do not go together; `fit` begins with it."""
        super().check_parameters()
        if self.grid_shapes is not None:
            self._check_shapes(self.grid_shapes)

    def _check_shapes(self, grid_shapes):
        """Return the coarse grid and the fine one as tuples of int; raise ValueError unless they are two grids."""
        try:
            shapes = tuple(check_image_shape(shape, name="a grid of grid_shapes") for shape in grid_shapes)
        except TypeError:
            shapes = ()
        if [shape is not None and len(shape) for shape in shapes] != [2, 2]:
            raise ValueError(f"grid_shapes={grid_shapes!r} must be None or ((h1, w1), (h2, w2)), the coarse grid first")
        return shapes

    def _check_grids(self, X, *, reset):
        codes = super()._check_grids(X, reset=reset)
        if self._grids_in:
            raise ValueError("X must hold rows (n, h1 * w1 + h2 * w2), got an array of three dimensions")
        if reset:
            self.grid_shapes_ = self._shapes_of(codes.shape[1])
        return codes

    def _shapes_of(self, n_columns):
        """Return the two grids of rows of so many codes."""
        if self.grid_shapes is None:
            return automatic_grid_shapes(n_columns)
        shapes = self._check_shapes(self.grid_shapes)
        n_positions = sum(map(math.prod, shapes))
        if n_columns != n_positions:
            raise ValueError(
                f"grid_shapes={self.grid_shapes!r} stands for {n_positions} codes a row, but X has {n_columns} "
                "features (columns): those of the coarse grid, then those of the fine one"
            )
        return shapes

    def check_memory(self, n_codes: int, n_positions: int) -> None:
        """Raise ValueError, naming the parameter, for sizes that no memory holds."""
        check_stacks(self, n_codes, n_positions)

    def _accepted_books(self, n_positions):
        return [2]  # of the coarse grid and of the fine one

    def _sizes(self, n_rows):
        return TwoLevelSizes(
            self.n_codes_,
            self.grid_shape_,
            self._n_classes(),
            automatic_dropout(n_rows) if is_auto(self.dropout) else float(self.dropout),
            n_clusters=0,
            **self._code_sizes(),
            channels=int(self.channels),
            n_layers=int(self.n_layers),
            kernel_size=int(self.kernel_size),
            dilations=as_sizes(self.dilations),
            grid_shapes=self.grid_shapes_,
        )

    def _budget(self, n_rows):
        return automatic_training(n_rows, bfloat16_pays=self.grid_shapes_[1][0] > 1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = False
        return tags


def automatic_grid_shapes(n_columns):
    """Return the two grids of rows of `n_columns` codes: one row each, the first fifth of the codes the coarse one.

    A fifth is its share where the fine grid has twice the rows and columns.

    Examples
    --------
    >>> automatic_grid_shapes(20), automatic_grid_shapes(2)
    (((1, 4), (1, 16)), ((1, 1), (1, 1)))
    """
    if n_columns < 2:
        raise ValueError(f"X has {n_columns} feature(s) (columns); two grids need at least two codes a row")
    n_coarse = max(1, round(n_columns / 5))
    return (1, n_coarse), (1, n_columns - n_coarse)

"""AutoEncoderTransformer: continuous features, reconstructions, and the error of each reconstruction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .._typing import (
    ArrayLike,
    Device,
    ImageShape,
    MatrixLike,
    NDArray,
    Path,
    RandomState,
    Reals,
    RowsLike,
    Self,
    SeriesLayout,
    SeriesShape,
    typed,
)
from ..core import inference
from ..core.callbacks import FitTask, with_callbacks
from ..core.device import prepared, resolve_device
from ..core.estimator import NetworkEstimator, Recipe, forgets_failure
from ..core.frames import with_index
from ..core.generators import fit_transform
from ..core.layout import LEARNED_BESIDE, check_chunk, check_components, layout_of, learn_layout, tag_rows
from ..core.lazy import components, lazy, rows_back, scores
from ..core.naming import named
from ..core.parameters import plain
from ..persistence.records import from_json
from . import schema
from .defaults import (
    CONSTRAINTS,
    Architecture,
    automatic_training,
    check_combinations,
    check_loss,
    check_unit_interval,
    plan,
    starts_at_optimum,
    stops_early,
    warn_of_width,
)
from .network import AutoEncoderObjective, build_autoencoder, start_from_data


@lazy(transform=components(np.float32), inverse_transform=rows_back, score_samples=scores, reconstruction_error=scores)
class AutoEncoderTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, NetworkEstimator):
    r"""A few continuous features of images, series and tables, reconstructions from them, and anomaly scores.

    An autoencoder [1]_: an encoder maps a row to a code of a few numbers, a decoder maps the code back, and both learn
    to give the row back. Beside the networks run linear paths that start at the principal components: without hidden
    layers the model is PCA, and with them it starts there. Where rows are held out, which is the default wherever there
    is a network, it never ends worse than PCA on them (with squared error, and without penalties, noise or tied
    weights).

    Parameters
    ----------
    n_components : int or "auto", default="auto"
        Length of the code. "auto": a quarter of the features, from 2 to 64, where a category has a
        feature for each level, but no more than there are columns.
    image_shape : tuple (H, W) or (H, W, C), default=None
        How a row of a two-dimensional X unfolds to an image, channels last. Not needed where X is (n, H, W) or
        (n, H, W, C). Without either, X is a table.
    series_shape : tuple (length,) or (length, n_channels), default=None
        How a row of X unfolds to a series: X is rows (n, length * n_channels), or (n, length, n_channels). Lengths from
        8 on; series of unequal lengths have to be cut, padded or resampled first.
    series_layout : {"channels_last", "channels_first"}, default="channels_last"
        Order of the axes of series in X. "channels_first": (n, n_channels, length), as aeon and sktime have them;
        `series_shape` is (length, n_channels) all the same. What comes back has the layout of X; fitted attributes with
        a value for each feature, such as `scale_`, have the channels last.
    standardize : bool, default=True
        Subtract the mean and divide by the standard deviation first, and undo it at the end: of each column for tables,
        of each channel for series, one of each for images. Columns that look like pixels are standardised
        together, as images are. Tables that hold more than numbers need it.
    categorical_features : "from_dtype", None, or array-like of bool, int or str, default="from_dtype"
        The columns of a table that are categories, as in scikit-learn's HistGradientBoosting. "from_dtype": those of
        dtype category, string or enumeration, and columns of objects that are strings. None: none, and strings are an
        error. Otherwise a mask, indices, or names. See Notes for what else a column can be.
    handle_unknown : {"error", "ignore"}, default="error"
        What to do with levels of a category that `fit` did not see. "ignore" takes them for missing cells.
    clip : bool or "auto", default="auto"
        Cut what comes back to the range that `fit` saw: numbers and dates of frames, and numbers of arrays, column by
        column, series by channel, images by the smallest and the largest value of all pixels. "auto": frames and
        images, but not series and arrays of numbers without missing cells. Images of uint8 are always cut off at 0 and
        255. `score` judges what the network gives, before it is cut.
    network : {"auto", "dense", "convolutional"}, default="auto"
        Kind of the networks beside the linear path, for images and series; those of tables are dense. "auto": dense up
        to 4096 values a row, where that learns more per second, convolutional above.
    hidden_layer_sizes : tuple of int or "auto", default="auto"
        Hidden layers of dense encoders, the other way round in decoders; () is the linear path alone. "auto": two that
        narrow by half, from the number of columns rounded up to a power of two within 256 to 1024; () below 100
        rows, where a network overfits more than it learns.
    activation : {"relu", "gelu", "silu", "tanh"}, default="gelu"
        Follows each hidden layer of dense networks. Convolutional ones have "relu".
    channels : int, default=64
        Width of convolutional networks.
    n_blocks : int, default=2
        Blocks of convolutional networks; 0 is the linear path alone.
    tied_weights : bool, default=False
        Make the decoder's matrices the transposes of the encoder's. Not with convolutional networks.
    dropout : float in [0, 1) or "auto", default="auto"
        Share of the units in hidden layers that are zeroed in training; in convolutional networks, of those next to the
        code. The linear path has none. "auto": 0.1 below 20,000 images, none otherwise.
    loss : {"squared_error", "log_loss"}, default="squared_error"
        "squared_error" on standardised values, or "log_loss", the binary cross-entropy, for X in [0, 1], which it
        takes for probabilities: reconstructions are then in [0, 1] as well.
    noise : {"gaussian", "masking"} or None, default=None
        Corruption of the rows that the encoder sees in training, while the reconstruction is compared with the clean
        ones: a denoising autoencoder [2]_.
    noise_level : float, default=0.3
        Standard deviation of the Gaussian noise on standardised values, or share of the values that masking sets to 0
        (the mean of the column; for images, of all pixels).
    sparsity : {"l1", "kl"} or None, default=None
        Penalise activity of the code. "l1": codes go through a ReLU, and their mean is penalised, so that many are
        exactly 0. "kl": codes go through a sigmoid, and the divergence of the mean activity of each component over a
        batch from `sparsity_target` is penalised [3]_.
    sparsity_weight : float, default=0.1
        Weight of that penalty.
    sparsity_target : float in (0, 1), default=0.05
        Activity that "kl" asks of each component.
    contractive_weight : float, default=0.0
        Weight of the squared Frobenius norm of the encoder's Jacobian, divided by `n_components`: a contractive
        autoencoder [4]_. It restrains most together with `tied_weights`; otherwise the decoder may undo a code that
        merely shrinks.
    alpha : float, default=0.0
        Decoupled weight decay.
    batch_size : int or "auto", default="auto"
        Rows per step. "auto": 128 images; 64 rows of a table, 256 from 10,000 rows on.
    learning_rate_init : float or "auto", default="auto"
        Learning rate of Adam after the warm-up; it decays by half a cosine to 0. "auto": 0.002 for images, 0.001 for
        tables; 0.0001 for a linear model that starts at its optimum, 0.005 for other linear models.
    max_iter : int or "auto", default="auto"
        Epochs. "auto" adapts to the number of rows, see Notes.
    early_stopping : bool or "auto", default="auto"
        Hold rows out and keep the weights of the epoch with the lowest loss on them; the start at the principal
        components is a candidate. "auto" does from 10 rows on, unless the model is linear.
    validation_fraction : float in (0, 1), default=0.1
        Share of the rows that is held out where `fit` is given no `X_val`.
    tol : float, default=1e-4
        Smallest fall of the monitored loss that counts as an improvement.
    n_iter_no_change : int, "auto" or None, default="auto"
        Epochs in a row without improvement after which training ends; None runs them all. "auto": a quarter of
        `max_iter`, at least 10, where held-out rows judge a network, and None otherwise.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Arithmetic of training. "auto" takes bfloat16 for images where the processor has it. Codes and reconstructions
        are always computed in float32.
    device : str, default="cpu"
        Where to train and compute: "cpu", "cuda", "mps", or "auto". A device that is not there is an error.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, batches, and the noise of training.
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
    n_components_ : int
        Length of the code.
    loss_curve_ : list of float
        Training loss per epoch.
    validation_loss_curve_ : list of float
        Loss on held-out rows per epoch; empty without any.
    history_ : dict of list of float
        Every loss term (``reconstruction`` and, where asked for, ``sparsity`` and ``contraction``) per epoch, and the
        same with ``validation_`` before the name.
    n_iter_ : int
        Epochs run.
    best_iter_ : int or None
        Epoch whose weights were kept, 0 for the start; None where the last one's are.
    shift_, scale_ : ndarray of shape (n_features,), float64
        The internal standardisation.
    data_min_, data_max_ : ndarray of shape (n_features,), float64
        The range that `clip` cuts to, but of frames, whose columns know their own.
    image_shape_ : tuple of int or None
        Shape of an image; None for tables.
    series_shape_ : tuple of int or None
        (length,) or (length, n_channels) of series; None for images and tables.
    architecture_ : dict
        What the network is built from (JSON-able).
    weights_ : dict of ndarray
        What the network has learned.
    columns_ : list of dict
        The columns of a table that is more than an array of numbers, as :class:`skvq.core.tables.columns.Column`
        describes them (JSON-able): name, kind, dtype, levels, share of missing cells, marginal. Not there otherwise.
    n_features_in_ : int
        Number of values in a row.
    feature_names_in_ : ndarray of str
        Names of the columns, where X has them.

    See Also
    --------
    VAETransformer : Features with a density, and new rows.
    VQVAETransformer : Discrete codes.

    Notes
    -----
    With x standardised, x' its corruption and z = encoder(x'), what is minimised is

    .. math:: \|x - \mathrm{decoder}(z)\|^2 + \text{sparsity\_weight} \cdot \mathrm{sparsity}(z)
        + \text{contractive\_weight} \cdot \|\partial z / \partial x'\|_F^2 / \text{n\_components}

    with every term a mean over elements, so that a weight means the same for any batch, image or code size. The norm of
    the Jacobian is estimated from one random direction a row, whose expectation is exact. Weights are chosen by the
    whole loss on held-out rows, corrupted in the same way; `score` and `reconstruction_error` are of clean rows.

    Codes keep the variances of the principal components that they start from: they are not whitened.

    The budget of ``max_iter="auto"`` adapts to the data: images get 30 epochs, but are seen at least 100,000 and at
    most 1,200,000 times in all (1,000 images: 100 epochs; 60,000, a tenth of them held out: 22), a table gets 3,000
    steps of 64 rows, from 10,000 rows on 6,000 steps of 256; but no more than 100 epochs. A linear model gets 1,500
    steps of 64 rows, or, where it starts at its optimum, 100 small ones of 256. Every tenfold of the rows of a table
    beyond 20,000 adds half of these steps; the last epoch may be a part of one.

    A table may be a pandas or polars DataFrame, or an array of objects, and its columns real numbers, integers,
    booleans, categories, dates and durations, with missing cells in any of them; arrays of numbers may have NaN. Every
    column becomes a few features: a number its normal score by a map that keeps values which many rows share, and an
    indicator of missing cells where there are some; a category an indicator for each level, a missing cell among them.
    They are scaled so that every column counts alike in the loss (:class:`skvq.core.tables.layout.TableLayout`). A
    missing cell in a column that had none in `fit` counts as its mean. A frame of numbers without missing cells gives
    the same floats as an array. What comes back is a frame with the names, order, dtypes and levels that `fit` saw,
    or an array where it saw one; integers are whole, numbers have no more decimals than those of `fit`, and cells may
    be missing where some were.

    References
    ----------
    .. [1] G. E. Hinton, R. R. Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks", Science 313,
       2006.
    .. [2] P. Vincent et al., "Stacked Denoising Autoencoders", JMLR 11, 2010.
    .. [3] A. Ng, "Sparse autoencoder", CS294A lecture notes, Stanford University, 2011.
    .. [4] S. Rifai et al., "Contractive Auto-Encoders: Explicit Invariance During Feature Extraction", ICML 2011.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skvq import AutoEncoderTransformer
    >>> X = load_wine().data
    >>> model = AutoEncoderTransformer(n_components=4, random_state=0).fit(X)
    >>> Z = model.transform(X)
    >>> Z.shape, Z.dtype
    ((178, 4), dtype('float32'))
    >>> model.inverse_transform(Z).shape
    (178, 13)
    >>> model.reconstruction_error(X).shape
    (178,)
    >>> print(f"R² of the reconstruction: {model.score(X):.1f}")
    R² of the reconstruction: 0.9
    """

    _schema = schema.AUTOENCODER
    fit_transform = fit_transform
    _parameter_constraints = CONSTRAINTS
    _learned_beside = LEARNED_BESIDE

    def __init__(
        self,
        n_components: int | Literal["auto"] = "auto",
        *,
        image_shape: ImageShape = None,
        series_shape: SeriesShape = None,
        series_layout: SeriesLayout = "channels_last",
        standardize: bool = True,
        categorical_features: ArrayLike | Literal["from_dtype"] | None = "from_dtype",
        handle_unknown: Literal["error", "ignore"] = "error",
        clip: bool | Literal["auto"] = "auto",
        network: Literal["auto", "dense", "convolutional"] = "auto",
        hidden_layer_sizes: int | Sequence[int] | Literal["auto"] = "auto",
        activation: Literal["relu", "gelu", "silu", "tanh"] = "gelu",
        channels: int = 64,
        n_blocks: int = 2,
        tied_weights: bool = False,
        dropout: float | Literal["auto"] = "auto",
        loss: Literal["squared_error", "log_loss"] = "squared_error",
        noise: Literal["gaussian", "masking"] | None = None,
        noise_level: float = 0.3,
        sparsity: Literal["l1", "kl"] | None = None,
        sparsity_weight: float = 0.1,
        sparsity_target: float = 0.05,
        contractive_weight: float = 0.0,
        alpha: float = 0.0,
        batch_size: int | Literal["auto"] = "auto",
        learning_rate_init: float | Literal["auto"] = "auto",
        max_iter: int | Literal["auto"] = "auto",
        early_stopping: bool | Literal["auto"] = "auto",
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
        self.n_components, self.standardize = n_components, standardize
        self.image_shape, self.series_shape, self.series_layout = image_shape, series_shape, series_layout
        self.categorical_features = categorical_features
        self.handle_unknown, self.clip = handle_unknown, clip
        self.network = network
        self.hidden_layer_sizes, self.activation = hidden_layer_sizes, activation
        self.channels, self.n_blocks = channels, n_blocks
        self.tied_weights, self.dropout = tied_weights, dropout
        self.loss, self.alpha = loss, alpha
        self.noise, self.noise_level = noise, noise_level
        self.sparsity, self.sparsity_weight, self.sparsity_target = sparsity, sparsity_weight, sparsity_target
        self.contractive_weight = contractive_weight
        self.batch_size = batch_size
        self.learning_rate_init, self.max_iter = learning_rate_init, max_iter
        self.early_stopping, self.validation_fraction = early_stopping, validation_fraction
        self.tol, self.n_iter_no_change = tol, n_iter_no_change
        self.precision, self.device = precision, device
        self.random_state, self.verbose = random_state, verbose
        self.max_seconds, self.checkpoint, self.checkpoint_interval = max_seconds, checkpoint, checkpoint_interval

    @typed(with_callbacks)
    @prepared
    @forgets_failure
    def fit(self, X: RowsLike, y: ArrayLike | None = None, *, X_val: RowsLike | None = None) -> Self:
        """Learn encoder and decoder from X.

        Parameters
        ----------
        X : DataFrame, array-like or CSR/CSC matrix of shape (n, n_features), or images (n, H, W) or (n, H, W, C)
            Any numeric dtype, finite; in [0, 1] with ``loss="log_loss"``. Tables may have columns of other kinds, and
            missing cells.
            What gives one chunk of rows after the other, such as a generator, a torch Dataset or DataLoader, a dask,
            zarr or HDF5 array or a pyarrow data set, is read once, into a temporary file; its chunks are numbers
            without missing cells.
        y : None
            Ignored.
        X_val : array-like like X, default=None
            Held-out rows, in place of a split. Their loss is recorded, and they choose the weights unless
            ``early_stopping=False``.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For X that is not finite, empty, not of `image_shape`, or not in [0, 1] where it must be; for parameters
            out of range; if the loss becomes non-finite.
        """
        self._validate_params()
        check_combinations(self)
        task = FitTask(self, X, y)
        layout, X, held_out = learn_layout(self, X, X_val, standardize=self.standardize)
        check_loss(self.loss, layout)
        if self.loss == "log_loss":
            check_unit_interval(X)
            if held_out is not None:
                with named(X="X_val"):
                    check_unit_interval(held_out)
        device = resolve_device(self.device)
        rows, held_out = (None if part is None else layout.rows(part, device) for part in (X, held_out))
        fitting = self._fit_network(rows, held_out, self._generator(), task)
        fitting.end()
        task.end()
        return self

    @prepared
    def partial_fit(self, X: RowsLike, y: ArrayLike | None = None) -> Self:
        """Train on a chunk of rows, each of them once, and go on with the next chunk in the next call.

        The first chunk fixes the columns or the shape, the scaling, and the network and its start, so it should be
        large enough to stand for the others; all chunks are scaled alike. No rows are held out, `max_iter` has no
        effect, and after a few steps the learning rate stays as it is: lower it for the last chunks. After :meth:`fit`
        it goes on from what was learned. Memory is needed for a chunk, the network and its optimiser.

        Parameters
        ----------
        X : array-like like that of :meth:`fit`
            The chunk.
        y : None
            Ignored.

        Returns
        -------
        self
        """
        self._validate_params()
        check_combinations(self)
        with self._keeps_last_chunk():
            if hasattr(self, "weights_"):
                layout = layout_of(self)
                X = check_chunk(layout, self, X)
            else:
                layout, X, _ = learn_layout(self, X, None, standardize=self.standardize)
                check_loss(self.loss, layout)
            if self.loss == "log_loss":
                check_unit_interval(X)
            self._fit_chunk(layout.rows(X, resolve_device(self.device)))
        return self

    @prepared
    def transform(self, X: RowsLike) -> NDArray[np.float32]:
        """Return the codes of X.

        Parameters
        ----------
        X : array-like or CSR/CSC matrix like that of :meth:`fit`
            An array or a frame of dask gives a lazy one, computed block by block.

        Returns
        -------
        Z : ndarray of shape (n, n_components), float32
        """
        check_is_fitted(self, "weights_")
        return inference.encode(self._network(), self._rows(X), self._n_features_out, np.float32)

    @prepared
    def inverse_transform(self, X: MatrixLike) -> Reals:
        """Return the reconstruction that codes stand for, in the units and the layout of the X of :meth:`fit`.

        Parameters
        ----------
        X : array-like of shape (n, n_components)
            Codes.
            An array or a frame of dask gives a lazy one, computed block by block.

        Returns
        -------
        X_original : ndarray of shape (n, n_features), or of images if `fit` saw images
            In the dtype of the X of `fit` if that is float32 or float64, or if X are images of whole numbers, which
            are rounded (and those of uint8 cut off at 0 and 255); else in float64. A DataFrame if `fit` saw one.

        Raises
        ------
        ValueError
            For codes of another length.
        """
        check_is_fitted(self, "weights_")
        Z = check_components(X, "Z", self._n_features_out)
        layout = layout_of(self)
        pieces = inference.decode(self._network(), Z, resolve_device(self.device), layout.row_shape)
        return with_index(layout.restore(pieces, len(Z)), X)

    @prepared
    def reconstruction_error(self, X: RowsLike) -> NDArray[np.float64]:
        """Return how badly each row is reconstructed: the mean squared error of its standardised values.

        Of a table with other columns than numbers it is the mean over columns of the error of their features, each
        divided by what the best constant achieves on the rows of `fit`.

        High values are anomalies: rows unlike those that the model has learned to give back. Without standardisation
        the error of wide-ranging columns would drown all others. The values of the training rows are a scale to judge
        by, such as their 99th percentile.

        Parameters
        ----------
        X : array-like or CSR/CSC matrix like that of :meth:`fit`
            An array or a frame of dask gives a lazy one, computed block by block.

        Returns
        -------
        error : ndarray of shape (n,), float64
            Non-negative; 1 is about what the mean row would get.
        """
        check_is_fitted(self, "weights_")
        _, squared_error, _ = self._reconstruct(X)
        return squared_error / math.prod(layout_of(self).row_shape)

    @prepared
    def score_samples(self, X: RowsLike) -> NDArray[np.float64]:
        """Return the reconstruction error of each row with its sign changed: high for normal rows, low for anomalies.

        So rows are ranked as by `score_samples` of all other estimators. It is no log-likelihood, which a
        :class:`VAETransformer` has.

        Parameters
        ----------
        X : array-like or CSR/CSC matrix like that of :meth:`fit`
            An array or a frame of dask gives a lazy one, computed block by block.

        Returns
        -------
        scores : ndarray of shape (n,), float64
            ``-reconstruction_error(X)``: at most 0.
        """
        return -self.reconstruction_error(X)

    @prepared
    def score(self, X: RowsLike, y: ArrayLike | None = None) -> float:
        """Return R², the share of the variance of X that the reconstruction explains, on standardised values.

        Of a table with other columns than numbers it is the share of the variance of all features, scaled so that every
        column counts alike: R² for numbers, of their normal scores, and the Brier skill score for categories, which is
        R² of the indicators of their levels.

        Unlike the loss it can be compared across loss weights, so that a grid search over them means something.

        Parameters
        ----------
        X : array-like or CSR/CSC matrix like that of :meth:`fit`
        y : None
            Ignored.

        Returns
        -------
        float
            At most 1. Where X does not vary: 1 for a perfect reconstruction, else 0. NaN, with a warning, for one row.
        """
        check_is_fitted(self, "weights_")
        _, squared_error, variation = self._reconstruct(X)
        return inference.r_squared(squared_error, variation)

    @property
    def _n_features_out(self):
        return self.n_components_

    @staticmethod
    def _build(architecture, generator):
        return build_autoencoder(from_json(Architecture, architecture), generator)

    def _known_architecture(self):
        return from_json(Architecture, self.architecture_)

    def _recipe(self, rows, held_out):
        architecture = plan(self, rows.shape, len(rows), rows.n_columns)
        warn_of_width(self, architecture)
        sizes = architecture.sizes
        holds_out = self._holds_out(held_out, stops_early(sizes, len(rows)))
        at_optimum = starts_at_optimum(self, architecture)
        return Recipe(
            architecture,
            automatic_training(sizes, self._n_training(rows, holds_out), at_optimum=at_optimum),
            holds_out,
            start_from_data,
            self._objective,
            judges_itself=sizes.is_linear,
            uses=sizes.uses,
        )

    def _objective(self, start, generator):
        return AutoEncoderObjective(
            start.module,
            noise=self.noise,
            noise_level=plain(self.noise_level),
            sparsity=self.sparsity,
            sparsity_weight=plain(self.sparsity_weight),
            sparsity_target=plain(self.sparsity_target),
            contractive_weight=plain(self.contractive_weight),
            generator=generator,
        )

    def _learned(self, fitting):
        return {"n_components_": fitting.architecture.n_components}

    def _rows(self, X):
        """Return the standardised Rows of an X that is like that of `fit`."""
        layout = layout_of(self)
        return layout.rows(layout.check(self, X), resolve_device(self.device))

    def _reconstruct(self, X):
        """Return the codes of X, the squared error of each row, (n,), and the variation of all, standardised."""
        return inference.reconstruct(self._network(), self._rows(X), self._n_features_out, np.float32)

    def __sklearn_tags__(self):
        return tag_rows(super().__sklearn_tags__())

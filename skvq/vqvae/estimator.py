"""VQVAETransformer: discrete features, reconstructions and new samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted

from .. import _schemas
from .._typing import ArrayLike, Device, ImageShape, MatrixLike, NDArray, RandomState, Reals, Self, typed
from ..core import inference as passes
from ..core.callbacks import FitTask, with_callbacks
from ..core.codes import CODE_DTYPE, check_codes
from ..core.device import resolve_device
from ..core.estimator import BaseNetwork, forgets_failure
from ..core.layout import as_array
from ..core.reconstruction import Reconstruction, r_squared
from .density import CodeDensity
from .fit import CodeTraining
from .network import build_vqvae
from .parameters import check_parameters
from .quantizer import codes_per_row, decodable_widths


class VQVAETransformer(
    ClassNamePrefixFeaturesOutMixin, CodeTraining, CodeDensity, TransformerMixin, Reconstruction, BaseNetwork
):
    r"""Discrete codes of images and tables, reconstructions from them, and new rows drawn from a prior over them.

    A vector-quantised autoencoder [1]_: an encoder maps a row to vectors, one for each position of `code_shape_`; each
    vector is replaced by the nearest of the learned ones in the codebook, whose index is the code; a decoder maps the
    chosen vectors back. A PixelCNN [2]_ fitted to the codes makes it a density that can be sampled.

    Parameters
    ----------
    n_codes : int or "auto", default="auto"
        Number K of codes in a codebook. "auto" takes a power of two from 2 to 256, the largest that leaves every code
        eight training vectors on average. K is cut, with a warning, to the number of different vectors there are.
    code_shape : tuple of int, pair of such, or "auto", default="auto"
        Positions of a row: a grid (h, w) for images, (m,) for tables. Two grids ((h, w), (h', w')) make two levels of
        codes [6]_, coarse ones and, for what these leave, fine ones, with a codebook each. "auto": a cell of s × s
        pixels with s a power of two from 2 to 8 that brings the shorter side nearest to 7 cells (28 × 28 gives 7 × 7,
        8 × 8 gives 4 × 4); for tables one position for every four columns, from 2 to 16.
    max_bits : int or None, default=None
        Budget for the codes of a row, in bits, before any entropy coding. It decides `n_codes`, `code_shape`,
        `quantizer` and `codes_per_position`, which stay at "auto": for tables codes of about 4 bits, from 1,000 rows
        on of 8; for images a code a position, several residual ones from 12 bits a position on, on a coarser grid
        below 6 bits a position.
    quantizer : {"auto", "vector", "residual", "product", "finite_scalar"}, default="auto"
        How vectors become codes. "vector": the nearest of a codebook, one code a position. "residual": several codes a
        position, each for what the ones before it leave, whose vectors add up; any prefix of them can be decoded.
        "product": several codes a position, each for a part of its vector. "finite_scalar": every dimension is rounded
        to one of a few levels; nothing is learned, and `n_codes_` is the largest product of levels within `n_codes`.
        "auto": "vector" for images, "residual" for tables.
    codes_per_position : int or "auto", default="auto"
        Number s of codes of a position, for residual and product codes. "auto": 2 for images. For tables "auto" makes
        one vector of the whole row, and the m codes of `code_shape` its stages or splits.
    shared_codebook : bool or "auto", default="auto"
        Whether all positions share their codebooks (stages and splits never do). "auto": they do in images, whose
        patches are alike, and not in tables, whose columns are not.
    code_dim : int or "auto", default="auto"
        Length of the vector of a position. "auto": 32 for images (64 for residual codes of cells of 128 values and
        more), 16 for each split of product codes; for tables 4, or as many as there are columns, up to 64, for the one
        vector of a row.
    search_dim : int or None, default=None
        Search the codes in a space of so many dimensions, between two learned linear maps ([5]_, section 3.2). Only for
        ``quantizer="vector"``. None searches where the vectors are.
    similarity : {"euclidean", "cosine"}, default="euclidean"
        What nearest means. "cosine" compares, and decodes, vectors of length 1 ([5]_, section 3.2).
    beam_size : int or "auto", default="auto"
        Number of prefixes that the search for residual codes follows (in training 16 at most); 1 is the greedy search.
        "auto": 64 for tables, 16 from 10,000 rows on; for images 5 up to 16 positions, 1 above.
    codebook_weight : float, default=1.0
        Weight of ||sg[z] - z_q||², which moves the codebook to the encoder's vectors (β in some texts). A batch moves
        it as far as so many batches would; 0 leaves it at its start. See Notes.
    commitment_weight : float, default=1.0
        Weight of ||z - sg[z_q]||², which keeps the encoder near its codes (γ in some texts, β in [1]_, where it is 0.25
        on sums over elements; on means over elements 1 was the best of 0.05, 0.25 and 1).
    codebook_update : {"ema", "gradient", "simvq"}, default="ema"
        How the codebook learns: as a running mean of the vectors given to each code ([1]_, appendix A.1), by gradient
        steps, or by those of one linear map of a fixed codebook [4]_.
    gradient_estimator : {"straight_through", "rotation"}, default="straight_through"
        How the decoder's gradient reaches the encoder through the choice of codes: unchanged [1]_, or turned as the
        encoder's vector turns to its code's [3]_.
    ema_decay : float in (0, 1), default=0.99
        Share of the past in the running means of the codebook and of how often each code is used, after each step.
    revival_threshold : float in [0, 1), default=0.1
        A code used less than this share of the average is moved onto an encoder vector where it is of more use, during
        the first 80 % of the steps; 0 never moves one.
    image_shape : tuple (H, W) or (H, W, C), default=None
        How a row of a two-dimensional X unfolds to an image, channels last. Not needed where X is (n, H, W) or
        (n, H, W, C). Without either, X is a table.
    standardize : bool, default=True
        Subtract the mean and divide by the standard deviation first, and undo it at the end: of each column for
        tables, one of each for images.
    hidden_layer_sizes : tuple of int or "auto", default="auto"
        Hidden layers of encoder and decoder, for tables only, beside a linear path; () is the linear path alone.
        "auto": (256, 256), or () below 500 training rows, where a network overfits more than it learns.
    channels : int, default=192
        Width of the networks, for images only.
    n_blocks : int, default=2
        Blocks of the networks, for images only, beside a linear path; 0 is the linear path alone.
    prior : {"pixelcnn", "transformer"}, density estimator, or None, default="pixelcnn"
        Model of the codes, fitted after the autoencoder: a :class:`PixelCNN` (for codes on two grids a
        :class:`HierarchicalPixelCNN`), a :class:`CausalTransformer`, or an instance of any, which is cloned. None fits
        none: then there is no `sample` and no `score_samples`. See Notes for what another estimator needs.
    input_noise : float or "auto", default="auto"
        Standard deviation of Gaussian noise that is added to the standardised rows in training, while the
        reconstruction is compared with the clean ones. "auto": for tables the root mean squared error that the start
        leaves, for images 0.
    alpha : float, default=0.0
        Decoupled weight decay.
    batch_size : int or "auto", default="auto"
        Rows per step. "auto": 32 images; 64 rows of a table, 256 from 10,000 rows on.
    learning_rate_init : float or "auto", default="auto"
        Learning rate of Adam after the warm-up; it decays by half a cosine to 0. "auto": 0.002 for images, 0.001 for
        tables, 0.005 for tables below 500 training rows.
    max_iter : int or "auto", default="auto"
        Epochs. "auto" adapts to the number of rows, see Notes.
    early_stopping : bool or "auto", default="auto"
        Hold rows out and keep the weights of the epoch that reconstructs them best. "auto" does for 10 to 20,000
        images, and for tables from 500 rows on (but see Notes).
    validation_fraction : float in (0, 1), default=0.1
        Share of the rows that is held out where `fit` is given no `X_val`.
    tol : float, default=1e-4
        Smallest fall of the monitored loss that counts as an improvement.
    n_iter_no_change : int or None, default=None
        Epochs in a row without improvement after which training ends; None runs them all.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Arithmetic of training. "auto" takes bfloat16 for images where the processor has it. Codes, reconstructions and
        likelihoods are always computed in float32.
    device : str, default="cpu"
        Where to train and compute: "cpu", "cuda", "mps", or "auto". A device that is not there is an error.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, batches, starts of the codebook, and the prior where it has no seed of its own.
    verbose : int, default=0
        1 prints about twenty lines, 2 one per epoch.

    Attributes
    ----------
    codebook_ : ndarray of shape (n_codes, code_dim), float32
        The vectors that the codes stand for: ``codebook_[codes]``. Where there are several codebooks, axes for
        positions and for stages or splits come before: (m, n_codes, code_dim) for a table of m codes,
        ``codebook_[np.arange(m), codes]``, (s, n_codes, code_dim) for an image with s codes a position, and (2,
        n_codes, code_dim) for two grids.
    code_shape_ : tuple of int
        Shape of the codes of a row: (h, w) for images, (m,) for tables, with s behind it where a position has s codes;
        ((h, w), (h', w')) where there are two grids.
    n_codes_ : int
        Number of codes in a codebook.
    code_counts_ : ndarray of int64, the shape of `codebook_` without its last axis
        How often each code of each codebook occurs in the codes of the rows of `fit`.
    codebook_usage_ : float in [0, 1]
        Share of the codebook that occurs in the codes of the rows of `fit`; the mean over codebooks.
    perplexity_ : float, from 1 to `n_codes_`
        exp of the entropy of the codes of the rows of `fit`: the number of codes in effective use. Where codes have
        codebooks of their own, it is the mean of their entropies.
    bits_per_row_ : float
        Entropy of the codes of a row of `fit`, position by position: what an entropy coder spends on a row.
    prior_ : estimator
        The fitted prior.
    noise_variance_ : float
        Mean squared error of the reconstruction on standardised values, of held-out rows if there were any.
    loss_curve_ : list of float
        Training loss per epoch.
    validation_loss_curve_ : list of float
        Loss on held-out rows per epoch; empty without any.
    history_ : dict of list of float
        Every loss term (``reconstruction``, ``codebook``, ``commitment``), usage and perplexity, per epoch, and the
        same with ``validation_`` before the name.
    n_iter_ : int
        Epochs run.
    best_iter_ : int or None
        Epoch whose weights were kept, 0 for the start; None without held-out rows, where the last one's are.
    shift_, scale_ : ndarray of shape (n_features,), float64
        The internal standardisation.
    image_shape_ : tuple of int or None
        Shape of an image; None for tables.
    architecture_ : dict
        What the network is built from (JSON-able).
    weights_ : dict of ndarray
        What the network has learned.
    n_features_in_ : int
        Number of values in a row.
    feature_names_in_ : ndarray of str
        Names of the columns, where X has them.

    See Also
    --------
    PixelCNN, HierarchicalPixelCNN, CausalTransformer : Priors, usable alone.

    Notes
    -----
    With x standardised and sg[·] the stop-gradient, what is minimised is

    .. math:: \|x - \mathrm{decoder}(z + sg[z_q - z])\|^2 + \text{codebook\_weight}\,\|sg[z] - z_q\|^2
        + \text{commitment\_weight}\,\|z - sg[z_q]\|^2

    with every term a mean over elements, unlike the sums of [1]_: so the weights mean the same for any batch, image or
    code size. The codebook takes its steps itself, because Adam, which divides gradients by their size, would undo its
    weight. A running mean keeps the share ρ^w of its past after a batch, with ρ = `ema_decay` and w =
    `codebook_weight`; a step by gradient is w times as long, but never goes beyond the mean of the vectors
    (:mod:`skvq.nn.quantizers.vector` has the equations). Further departures: encoder and decoder have a linear path
    that starts at the principal components, beside a network that starts at zero; codebooks start at the k-means of
    encoded rows; codes that fall out of use are revived.

    The budget of ``max_iter="auto"`` adapts to the data: images are seen 300,000 times in all (60,000 images: 5
    epochs), but no more than 20 epochs, in at least 300 steps; a table gets 1,500 steps of 64 rows, from 10,000 rows on
    4,000 steps of 256. Residual codes of a table that has fewer than eight rows for a code are as good as they get at
    their start: they get 3 epochs, and hold no rows out. The prior has a budget of its own, see :class:`PixelCNN`.

    A prior is any estimator with ``fit(codes)``, ``sample(n_samples, random_state=...)`` that returns codes
    (n_samples, m), and ``score_samples(codes)`` in nats per row, where codes are (n, m) integers in [0, n_codes). Its
    parameters `n_codes`, `grid_shape` and `random_state` are set where it has them and they are None; if its ``fit``
    takes `X_val`, held-out codes are passed; if its `class_conditional` is true, ``fit`` gets the classes y, and
    `sample` and `score_samples` get those that they are asked for. `temperature`, `top_k` and `top_p` are handed to
    ``sample`` where they are given.

    Codes are int32, the smallest type that works wherever codes go: torch's embeddings take nothing smaller, and
    arithmetic on codes (``code * n_codes + next_code``) does not wrap.

    References
    ----------
    .. [1] A. van den Oord, O. Vinyals, K. Kavukcuoglu, "Neural Discrete Representation Learning", NeurIPS 2017.
    .. [2] A. van den Oord et al., "Conditional Image Generation with PixelCNN Decoders", NeurIPS 2016.
    .. [3] C. Fifty et al., "Restructuring Vector Quantization with the Rotation Trick", arXiv:2410.06424, 2024.
    .. [4] Y. Zhu et al., "Addressing Representation Collapse in Vector Quantized Models with One Linear Layer",
       arXiv:2411.02038, 2024.
    .. [5] J. Yu et al., "Vector-quantized Image Modeling with Improved VQGAN", ICLR 2022.
    .. [6] A. Razavi, A. van den Oord, O. Vinyals, "Generating Diverse High-Fidelity Images with VQ-VAE-2", NeurIPS
       2019; the two levels are joined as in :mod:`skvq.nn.quantizers.multiscale`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skvq import VQVAETransformer
    >>> X = load_iris().data
    >>> model = VQVAETransformer(n_codes=16, max_iter=50, prior=None, random_state=0).fit(X)
    >>> codes = model.transform(X)
    >>> codes.shape, codes.dtype
    ((150, 2), dtype('int32'))
    >>> model.inverse_transform(codes).shape
    (150, 4)
    >>> bool(model.score(X) > 0.95)
    True
    """

    _schema = _schemas.VQVAE

    def __init__(
        self,
        n_codes: int | Literal["auto"] = "auto",
        code_shape: Sequence[int] | Sequence[Sequence[int]] | Literal["auto"] = "auto",
        *,
        max_bits: int | None = None,
        quantizer: Literal["auto", "vector", "residual", "product", "finite_scalar"] = "auto",
        codes_per_position: int | Literal["auto"] = "auto",
        shared_codebook: bool | Literal["auto"] = "auto",
        code_dim: int | Literal["auto"] = "auto",
        search_dim: int | None = None,
        similarity: Literal["euclidean", "cosine"] = "euclidean",
        beam_size: int | Literal["auto"] = "auto",
        codebook_weight: float = 1.0,
        commitment_weight: float = 1.0,
        codebook_update: Literal["ema", "gradient", "simvq"] = "ema",
        gradient_estimator: Literal["straight_through", "rotation"] = "straight_through",
        ema_decay: float = 0.99,
        revival_threshold: float = 0.1,
        image_shape: ImageShape = None,
        standardize: bool = True,
        hidden_layer_sizes: int | Sequence[int] | Literal["auto"] = "auto",
        channels: int = 192,
        n_blocks: int = 2,
        prior: BaseEstimator | Literal["pixelcnn", "transformer"] | None = "pixelcnn",
        input_noise: float | Literal["auto"] = "auto",
        alpha: float = 0.0,
        batch_size: int | Literal["auto"] = "auto",
        learning_rate_init: float | Literal["auto"] = "auto",
        max_iter: int | Literal["auto"] = "auto",
        early_stopping: bool | Literal["auto"] = "auto",
        validation_fraction: float = 0.1,
        tol: float = 1e-4,
        n_iter_no_change: int | None = None,
        precision: Literal["auto", "float32", "bfloat16"] = "auto",
        device: Device = "cpu",
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        self.n_codes = n_codes
        self.code_shape = code_shape
        self.max_bits = max_bits
        self.quantizer = quantizer
        self.codes_per_position = codes_per_position
        self.shared_codebook = shared_codebook
        self.code_dim = code_dim
        self.search_dim = search_dim
        self.similarity = similarity
        self.beam_size = beam_size
        self.codebook_weight = codebook_weight
        self.commitment_weight = commitment_weight
        self.codebook_update = codebook_update
        self.gradient_estimator = gradient_estimator
        self.ema_decay = ema_decay
        self.revival_threshold = revival_threshold
        self.image_shape = image_shape
        self.standardize = standardize
        self.hidden_layer_sizes = hidden_layer_sizes
        self.channels = channels
        self.n_blocks = n_blocks
        self.prior = prior
        self.input_noise = input_noise
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

    @typed(with_callbacks)
    @forgets_failure
    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike | None = None,
        *,
        X_val: MatrixLike | None = None,
        y_val: ArrayLike | None = None,
    ) -> Self:
        """Learn the codes of X, and the prior over them.

        Parameters
        ----------
        X : array-like or CSR/CSC matrix of shape (n, n_features), or images (n, H, W) or (n, H, W, C)
            Any numeric dtype, finite.
        y : array-like of shape (n,), default=None
            Classes, for a prior with ``class_conditional=True``; ignored otherwise. The codes never see them.
        X_val, y_val : array-like like X and y, default=None
            Held-out rows, for the autoencoder and the prior, in place of a split. Their loss is recorded, and they
            choose the weights unless ``early_stopping=False``.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For X that is not finite, empty, or not of `image_shape`; for parameters out of range; if the loss becomes
            non-finite.
        """
        self._check_training_parameters()
        self._check_network_parameters()
        check_parameters(self)
        self._check_prior()
        task = FitTask(self, X, y)
        X = self._check_images(X, reset=True)
        held_out = None if X_val is None else self._check_images(X_val, reset=False)
        self._check_classes(X, y, held_out, y_val)
        generator = self._generator()
        task.begin(1 if self.prior is None else 2)
        codes = self._fit_autoencoder(X, held_out, generator, task)
        if self.prior is not None:
            self._fit_prior(codes, y, held_out, y_val, generator, task)
        task.end()
        return self

    def transform(self, X: MatrixLike) -> NDArray[np.int32]:
        """Return the codes of X.

        Parameters
        ----------
        X : array-like or CSR/CSC matrix like that of :meth:`fit`

        Returns
        -------
        codes : ndarray of shape (n, n_codes_of_a_row), int32 in [0, n_codes)
            Row-major over `code_shape_`; of two grids the coarse one first.
        """
        check_is_fitted(self, "weights_")
        return self._encode(self._check_images(X, reset=False))

    def inverse_transform(self, X: MatrixLike) -> Reals:
        """Return the reconstruction that codes stand for, in the units and the layout of the X of :meth:`fit`.

        Parameters
        ----------
        X : array-like of int, shape (n, n_codes_of_a_row)
            Codes in [0, n_codes). Of residual codes a prefix of every position's is enough: with `code_shape_` (h, w,
            s), the columns of ``codes.reshape(n, h, w, s)[..., :t].reshape(n, -1)``; of two grids the coarse codes.

        Returns
        -------
        X_original : ndarray of shape (n, n_features), or of images if `fit` saw images; float32 or float64
            The dtype of the X of `fit` if that is float32 or float64, float64 otherwise.

        Raises
        ------
        ValueError
            For codes that are not whole numbers in range, or of another number for a row.
        """
        check_is_fitted(self, "weights_")
        codes = check_array(as_array(X), dtype="numeric", input_name="codes")
        widths = decodable_widths(self.architecture_)
        if codes.shape[1] not in widths:
            shorter = f" (or a prefix: {widths[0]}, ...)" if len(widths) > 1 else ""
            raise ValueError(
                f"codes have {codes.shape[1]} columns, but a row of this model has {widths[-1]} codes{shorter}"
            )
        return self._decode(check_codes(codes, self.n_codes_))

    def score(self, X: MatrixLike, y: ArrayLike | None = None) -> float:
        """Return R², the share of the variance of X that the reconstruction explains, on standardised values.

        Unlike the loss it can be compared across loss weights, so that a grid search over them means something.

        Parameters
        ----------
        X : array-like or CSR/CSC matrix like that of :meth:`fit`
        y : None
            Ignored.

        Returns
        -------
        float
            At most 1. Where X does not vary: 1 for a perfect reconstruction, else 0.
        """
        check_is_fitted(self, "weights_")
        rows = self._rows(self._check_images(X, reset=False))
        _, squared_error, variation = self._reconstruct(rows)
        return r_squared(squared_error.sum(), variation)

    @property
    def _n_features_out(self):
        return codes_per_row(self.architecture_)

    def _build(self, architecture, generator):
        return build_vqvae(architecture, generator)

    def _encode(self, X):
        return passes.encode(self._network(), self._rows(X), self._n_features_out, CODE_DTYPE)

    def _reconstruct(self, rows):
        return passes.reconstruct(self._network(), rows, self._n_features_out, CODE_DTYPE)

    def _decode(self, codes):
        """Return the rows, in the units and the layout of X, that the codes (n, n_positions) stand for."""
        return self._in_units(passes.decode(self._network(), codes, resolve_device(self.device)), len(codes))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags

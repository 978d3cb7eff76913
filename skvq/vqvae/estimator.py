"""VQVAETransformer: discrete features, reconstructions and new samples."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import _check_feature_names, check_is_fitted, validate_data

from .. import metrics
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
from ..core.availability import available_if
from ..core.callbacks import FitTask, with_callbacks
from ..core.codes import CODE_DTYPE, check_code_rows, check_codes
from ..core.device import prepared, resolve_device
from ..core.estimator import NetworkEstimator, Recipe
from ..core.frames import with_index
from ..core.generators import fit_transform
from ..core.kinds import in_kind
from ..core.layout import LEARNED_BESIDE, check_chunk, check_held_out, layout_of, learn_layout, tag_rows
from ..core.lazy import components, lazy, rows_back, scores
from ..core.parameters import check_arguments, is_auto, plain
from ..core.tables.layout import as_table
from ..priors.defaults import COMPLETION
from . import schema
from .arrangement import best_arrangement
from .codes import Codes
from .completion import ImageCompletion
from .defaults import (
    CONSTRAINTS,
    Architecture,
    Arrangement,
    are_aligned,
    automatic_training,
    check_combinations,
    check_network,
    plan,
    plan_codes,
    stops_early,
    usual_network,
)
from .gaps import SeriesCompletion
from .network import VQObjective, build_vqvae, codes_of_rows, look_at_codes, start_from_data, trainable_again
from .normal import NormalSeries, normal_of
from .prior import (
    AUTOENCODER_SHARE,
    CodePrior,
    RowPrior,
    belonging_to,
    check_prior,
    has_prior,
    keeps_autoencoder,
    models_rows,
    named_prior,
    of_columns,
)

# Instances with parameters that can be set, for the message of an error.
INSTANCES = {
    "prior": "prior=PixelCNN(), HierarchicalPixelCNN() (for codes on two grids) or OrderlessNADE() (for tables)",
    "quantizer": "quantizer=ResidualCodes() or another kind of codes",
}


@lazy(transform=components(CODE_DTYPE), inverse_transform=rows_back, score_samples=scores)
class VQVAETransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, NetworkEstimator):
    r"""Discrete codes of images, series and tables, reconstructions from them, and new rows drawn from a prior.

    A vector-quantised autoencoder [1]_: an encoder maps a row to vectors, one for each position of `code_shape_`; each
    vector is replaced by the nearest of the learned ones in the codebook, whose index is the code; a decoder maps the
    chosen vectors back. A prior makes it a density that can be sampled: for images a causal transformer or a PixelCNN
    [2]_ fitted to the codes, for tables a model of the rows themselves.

    Parameters
    ----------
    n_codes : int or "auto", default="auto"
        Number K of codes in a codebook. "auto" takes a power of two from 2 to 256, the largest that leaves every code
        eight training vectors on average. K is cut to the number of different vectors
        there are, with a warning where you passed it.
    code_shape : tuple of int, pair of such, or "auto", default="auto"
        Positions of a row: a grid (h, w) for images, (m,) for tables and series. Two grids ((h, w), (h', w')), for
        images, make two levels of codes [3]_, coarse ones and, for what these leave, fine ones, with a codebook each.
        "auto": a cell of s × s pixels with s a power of two from 2 to 8 that brings the shorter side nearest to 7 cells
        (28 × 28 gives 7 × 7, 8 × 8 gives 4 × 4), but of tiny images as under `network`; for tables one position for
        every four columns, from 2 to 16; for series about √length.
    max_bits : int or None, default=None
        Budget for the codes of a row, in bits, before any entropy coding. It decides `n_codes`, `code_shape` and how
        many codes a position has, which stay at "auto": for tables codes of 4, 6 or 8 bits, whichever reconstruct
        held-out rows best, and from 1,000 rows on of about 8; for images a code a position, several residual ones from
        12 bits a position on, on a coarser grid below 6 bits a position. A value of a row gets 8 bits at most.
    quantizer : {"auto", "vector", "residual", "product", "finite_scalar"} or instance, default="auto"
        How vectors become codes; a name stands for an instance with its defaults. :class:`VectorCodes`: the nearest of
        a codebook, one code a position. :class:`ResidualCodes`: several codes a position, each for what the ones before
        it leave, whose vectors add up; any prefix of them can be decoded. :class:`ProductCodes`: several codes a
        position, each for a part of its vector. :class:`FiniteScalarCodes`: every dimension is rounded to one of a few
        levels; nothing is learned. "auto": "vector" for images, "residual" for tables. Where images are aligned and are
        a hundred or more for each code (25,600 for 256 codes), it gives each position a codebook of its own,
        ``VectorCodes(shared_codebook=False)``. The codes of tables of 500 rows to eight rows for each code may start
        as those of parts of the columns, and their prefixes then know only these. The parameters of an instance are
        reached as ``quantizer__beam_size`` and so on.
    codebook_weight : float, default=1.0
        Weight of ||sg[z] - z_q||², which moves the codebook to the encoder's vectors (β in some texts). With a
        weight of 2 a batch moves the codebook as far as two batches do; 0 leaves it at its start (with a
        `search_dim` the maps around it still learn). See Notes.
    commitment_weight : float, default=1.0
        Weight of ||z - sg[z_q]||², which keeps the encoder near its codes (γ in some texts, β in [1]_, where it is 0.25
        on sums over elements; on means over elements 1 was the best of 0.05, 0.25 and 1).
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
    network : {"auto", "dense", "aligned", "convolutional"}, default="auto"
        Kind of the networks of images and series; those of tables are dense. "convolutional" shares its weights over
        the positions of an image, or the parts of a series. "aligned", for images, has maps over all positions besides,
        on grids of up to 256. "dense": codes of the whole image or series, as of the row of a table, which take the
        fewest bits where rows are aligned and small. "auto": images get "aligned" where they are, such as centred
        digits and cut out faces, from 20,000 of them on (below, the maps overfit); of series both kinds are started on
        three quarters of the rows, and the one that reconstructs the others better is taken. So it is with aligned
        images of up to 100 values (200 with a `max_bits` of one for each value or less), from 500 of them on, if
        `n_codes`, `code_shape` and `quantizer` are "auto": codes of patches, of patches and strips with codebooks of
        their own, and of whole images are compared at equal bits.
    hidden_layer_sizes : tuple of int or "auto", default="auto"
        Hidden layers of encoder and decoder where these are dense, beside a linear path; () is the linear path alone.
        "auto": (256, 256), or () below 500 training rows, where a network overfits more than it learns.
    augment : bool or "auto", default="auto"
        Whether images are shifted, by up to half a cell, and mirrored in training. "auto": where they are not aligned,
        as tiles of photographs and textures are not; see `aligned_`.
    channels : int, default=128
        Width of convolutional networks.
    n_blocks : int, default=2
        Blocks of convolutional networks, beside a linear path; 0 is the linear path alone.
    prior : {"auto", "pixelcnn", "transformer", "nade"}, density estimator, or None, default="auto"
        What `sample`, `score_samples` and `complete` draw from, fitted after the autoencoder. "nade", for tables: an
        :class:`OrderlessNADE` of the rows, which knows the codes of single columns, not the codes of `transform`. The
        others are models of the codes: a :class:`PixelCNN` (for codes on two grids a :class:`HierarchicalPixelCNN`), or
        a :class:`CausalTransformer`. "auto": "nade" for tables of up to 500 columns, "transformer" for images, else
        (series, wide tables, and codes on two grids) "pixelcnn". An instance of any is cloned. None fits none: then
        there is no `sample` and no `score_samples`. With a single row, a prior that is given by name holds none out.
        See Notes for why, and for what another estimator needs.
    input_noise : float or "auto", default="auto"
        Standard deviation of Gaussian noise that is added to the standardised rows in training, while the
        reconstruction is compared with the clean ones. "auto": for tables the root mean squared error that the start
        leaves, for images 0.
    alpha : float, default=0.0
        Decoupled weight decay.
    batch_size : int or "auto", default="auto"
        Rows per step. "auto": from 8 to 32 images, so that they have 1,568 positions together; 64 rows of a table, from
        2,500 to 20,000 rows more and more, up to 128.
    learning_rate_init : float or "auto", default="auto"
        Learning rate of Adam after the warm-up; it decays by half a cosine to 0. Muon, which moves the matrices of the
        networks of images [4]_, has three times that rate. "auto": 0.004 for images, 0.002 for tables. Below 500
        training rows 0.0005 for the residual codes of a table, 0.005 for others. Where residual codes of a table have
        few rows (see Notes) 0.0005, codebooks of positions of images 0.0002.
    max_iter : int or "auto", default="auto"
        Epochs. "auto" adapts to the number of rows, see Notes.
    early_stopping : bool or "auto", default="auto"
        Hold rows out and keep the weights of the epoch that reconstructs them best. "auto" does for 10 to 20,000
        images, and for tables from 500 rows on (but see Notes).
    validation_fraction : float in (0, 1), default=0.1
        Share of the rows that is held out where `fit` is given no `X_val`.
    tol : float, default=1e-4
        Smallest fall of the monitored loss that counts as an improvement.
    n_iter_no_change : int, "auto" or None, default="auto"
        Epochs in a row without improvement after which training ends; None runs them all. "auto": a quarter of
        `max_iter`, at least 10, where held-out rows judge a dense network, as that of tables is, and None otherwise.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Arithmetic of training, of Muon's steps too. "auto" takes bfloat16 for images where the processor has it. Codes,
        reconstructions and likelihoods are always computed in float32.
    device : str, default="cpu"
        Where to train and compute: "cpu", "cuda", "mps", or "auto". A device that is not there is an error.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, batches, starts of the codebook, and the prior where it has no seed of its own.
    verbose : int, default=0
        1 prints how the fit goes in about twenty lines, 2 in one per epoch.
    max_seconds : float or None, default=None
        Seconds that `fit` may take, prior included: the autoencoder gets 60 % of them, the prior all that are left.
        Where `max_iter` epochs would take longer, the learning rate falls over this time in place of theirs, and
        training ends by it, in the middle of an epoch if need be; the result then depends on how fast the machine is.
        What comes before the first step, such as the start of the codebooks, is never cut short, but looks at fewer
        rows. If there are more than 40 rows for each second (from 52 seconds on however many there are), "auto" takes
        the usual kind of codes and does not compare any. None is no limit.
    checkpoint : str, os.PathLike or None, default=None
        A file that keeps the state of `fit`. If `fit` is cut off, the same call goes on from the file and ends with the
        same bits; when `fit` is done, it deletes the file. A prior has a file of its own beside it, with ".prior" at
        the end of its name. A file of another fit, with other parameters or data, is an error. Not for the candidates
        of a search, which would all have the same file.
    checkpoint_interval : float, default=60.0
        Seconds between two writes of that file, at least; 0 writes it after every step.

    Attributes
    ----------
    codebook_ : ndarray of shape (n_codes, code_dim), float32
        The vectors that the codes stand for: ``codebook_[codes]``. Where there are several codebooks, axes for
        positions and for stages or splits come before: (m, n_codes, code_dim) for a table of m codes and for images
        whose m positions have codebooks of their own, ``codebook_[np.arange(m), codes]``, (s, n_codes, code_dim) for an
        image with s codes a position, and (2, n_codes, code_dim) for two grids.
    code_shape_ : tuple of int
        Shape of the codes of a row: (h, w) for images, (m,) for tables and for whole images or series, with s behind it
        where a position has s codes;
        ((h, w), (h', w')) where there are two grids.
    n_codes_ : int
        Number of codes in a codebook.
    code_counts_ : ndarray of int64, the shape of `codebook_` without its last axis
        How often each code of each codebook occurs in the codes of the rows of `fit`; of more than 65,536 rows, in
        those of so many evenly spaced ones, as in the next three.
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
    data_min_, data_max_ : ndarray of shape (n_features,), float64
        The range that `clip` cuts to, but of frames, whose columns know their own.
    image_shape_ : tuple of int or None
        Shape of an image; None for tables.
    aligned_ : bool or None
        Whether images are aligned: whether their mean explains a tenth of the variation of pixels, or more. None for
        series and tables.
    network_ : {"dense", "aligned", "convolutional"}
        The kind of networks that were built.
    series_shape_ : tuple of int or None
        (length,) or (length, n_channels) of series; None for images and tables.
    normal_mean_, normal_components_, normal_noise_ : ndarray (n_features,), ndarray (r, n_features), and float
        Of series, with a prior of codes: the normal distribution that `complete` takes guesses from, of standardised
        values with the channels last. Its covariance is
        ``normal_components_.T @ normal_components_ + normal_noise_ * I``.
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
    epochs), but no more than 20 epochs, in at least 300 steps; where they are augmented, in eight steps for each, up to
    2,000. A table gets 100 steps of 64 rows (300 for other codes than residual ones), 750 from 500 rows on, or 12
    epochs where these are more. Every tenfold beyond 20,000 rows adds half of their steps; the last epoch may be a part
    of one. Residual codes of a table that has fewer than eight rows for a code are as good as they get at their start:
    they get 3 epochs, 10 from 500 rows on, and hold no rows out. The prior has a budget of its own, see
    :class:`PixelCNN`.

    Tables have a prior of rows by default since rows that were drawn by way of the codes, which keep what most columns
    have in common and lose the rest, are told from real ones more easily (`benchmarks/synthetic_tables.py`).

    A prior of codes is any estimator with ``fit(codes)``, ``sample(n_samples, random_state=...)`` that returns codes
    (n_samples, m), and ``score_samples(codes)`` in nats per row, where codes are (n, m) integers in [0, n_codes). Its
    parameters `n_codes`, `grid_shape` and `random_state` are set where it has them and they are None; if its ``fit``
    takes `X_val`, held-out codes are passed, and if it takes `codebook`, the vectors of the codes, `codebook_`; if its
    `class_conditional` is true, ``fit`` gets the classes y, and `sample` and `score_samples` get those that they are
    asked for. `temperature`, `top_k` and `top_p` are handed to
    ``sample`` where they are given.

    Codes are int32, the smallest type that works wherever codes go: torch's embeddings take nothing smaller, and
    arithmetic on codes (``code * n_codes + next_code``) does not wrap.

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
    .. [1] A. van den Oord, O. Vinyals, K. Kavukcuoglu, "Neural Discrete Representation Learning", NeurIPS 2017.
    .. [2] A. van den Oord et al., "Conditional Image Generation with PixelCNN Decoders", NeurIPS 2016.
    .. [3] A. Razavi, A. van den Oord, O. Vinyals, "Generating Diverse High-Fidelity Images with VQ-VAE-2", NeurIPS
       2019; the two levels are joined as in :mod:`skvq.nn.quantizers.multiscale`.
    .. [4] J. Liu et al., "Muon is Scalable for LLM Training", arXiv:2502.16982, 2025.

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
    >>> model.score(X)
    0.98...
    """

    _schema = schema.VQVAE
    fit_transform = fit_transform
    _parameter_constraints = CONSTRAINTS
    _learned_beside = LEARNED_BESIDE
    _caches = (*NetworkEstimator._caches, "_arranged")  # the arrangement of the codes, during `fit`

    def __init__(
        self,
        n_codes: int | Literal["auto"] = "auto",
        code_shape: Sequence[int] | Sequence[Sequence[int]] | Literal["auto"] = "auto",
        *,
        max_bits: int | None = None,
        quantizer: Codes | Literal["auto", "vector", "residual", "product", "finite_scalar"] = "auto",
        codebook_weight: float = 1.0,
        commitment_weight: float = 1.0,
        image_shape: ImageShape = None,
        series_shape: SeriesShape = None,
        series_layout: SeriesLayout = "channels_last",
        standardize: bool = True,
        categorical_features: ArrayLike | Literal["from_dtype"] | None = "from_dtype",
        handle_unknown: Literal["error", "ignore"] = "error",
        clip: bool | Literal["auto"] = "auto",
        network: Literal["auto", "dense", "aligned", "convolutional"] = "auto",
        hidden_layer_sizes: int | Sequence[int] | Literal["auto"] = "auto",
        augment: bool | Literal["auto"] = "auto",
        channels: int = 128,
        n_blocks: int = 2,
        prior: BaseEstimator | Literal["auto", "pixelcnn", "transformer", "nade"] | None = "auto",
        input_noise: float | Literal["auto"] = "auto",
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
        self.n_codes, self.code_shape = n_codes, code_shape
        self.max_bits, self.quantizer = max_bits, quantizer
        self.codebook_weight, self.commitment_weight = codebook_weight, commitment_weight
        self.image_shape, self.series_shape, self.series_layout = image_shape, series_shape, series_layout
        self.standardize, self.categorical_features = standardize, categorical_features
        self.handle_unknown, self.clip = handle_unknown, clip
        self.hidden_layer_sizes, self.network, self.augment = hidden_layer_sizes, network, augment
        self.channels, self.n_blocks = channels, n_blocks
        self.prior, self.input_noise = prior, input_noise
        self.alpha, self.batch_size = alpha, batch_size
        self.learning_rate_init, self.max_iter = learning_rate_init, max_iter
        self.early_stopping, self.validation_fraction = early_stopping, validation_fraction
        self.tol, self.n_iter_no_change = tol, n_iter_no_change
        self.precision, self.device = precision, device
        self.random_state, self.verbose, self.max_seconds = random_state, verbose, max_seconds
        self.checkpoint, self.checkpoint_interval = checkpoint, checkpoint_interval

    @typed(with_callbacks)
    @prepared
    def fit(
        self,
        X: RowsLike,
        y: ArrayLike | None = None,
        *,
        X_val: RowsLike | None = None,
        y_val: ArrayLike | None = None,
    ) -> Self:
        """Learn the codes of X, and the prior over them.

        Parameters
        ----------
        X : DataFrame, array-like or CSR/CSC matrix of shape (n, n_features), or images (n, H, W) or (n, H, W, C)
            Any numeric dtype, finite. Tables may have columns of other kinds, and missing cells.
            What gives one chunk of rows after the other, such as a generator, a torch Dataset or DataLoader, a dask,
            zarr or HDF5 array or a pyarrow data set, is read once, into a temporary file; its chunks are numbers
            without missing cells.
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

        Warns
        -----
        UserWarning
            Where the autoencoder is interrupted after its first epoch, and a prior is to follow, or where the prior is
            interrupted in its first epoch, or fails, before the exception goes on: the autoencoder is fitted all the
            same, and :meth:`fit_prior` can go on.
        """
        task, tables, prior = FitTask(self, X, y), (X, X_val), None
        stage = task.stage("autoencoder")
        self._forget()
        with self._forgets_failure():
            self._check_parameters()
            layout, X, held_out = learn_layout(self, X, X_val, standardize=self.standardize)
            tables = tables if layout.has_columns else (X, held_out)
            task.begin(1 if self.prior is None else 2)
            self._arrange(layout.rows(X, "cpu"))
            if self.prior is not None:
                of_rows = layout.row_shape, X.shape[0], X.shape[1], self.network_
                spec = plan_codes(self._arranged.asked, *of_rows, self._arranged.width)
                prior = named_prior(self.prior, layout, X, spec)
                self._check_prior(prior, spec, (X, y), (held_out, y_val), tables)
            generator = self._generator()
            stage.limit = task.limit.left(1.0 if self.prior is None else AUTOENCODER_SHARE)
            fitting = self._fit_autoencoder(layout, X, held_out, generator, stage)
            del self._arranged
        with nullcontext() if prior is None or fitting.interrupted else keeps_autoencoder(type(self).__name__):
            stage.end()
            if prior is not None and fitting.interrupted:
                raise KeyboardInterrupt("the prior was not begun: transform works, and fit_prior(X) fits a prior")
            if prior is not None and models_rows(prior):
                self._fit_row_prior(prior, *tables, generator, task)
            elif prior is not None:
                self._fit_prior(prior, *codes_of_rows(fitting, held_out), X, y, y_val, generator, task)
            fitting.end()
            task.end()
        return self

    @typed(with_callbacks)
    @prepared
    def fit_prior(
        self,
        X: RowsLike,
        y: ArrayLike | None = None,
        *,
        X_val: RowsLike | None = None,
        y_val: ArrayLike | None = None,
    ) -> Self:
        """Fit a prior to the codes of X, new or in place of the present one; the autoencoder stays as it is.

        It is the one that the parameter `prior` names, and where that is None the one of "auto".

        Parameters
        ----------
        X, y, X_val, y_val
            As in :meth:`fit`.

        Returns
        -------
        self
        """
        check_is_fitted(self, "weights_")
        self._check_parameters()
        task = FitTask(self, X, y)
        layout = layout_of(self)
        X = layout.check(self, X)
        held_out = check_held_out(layout, self, X_val)
        prior = named_prior(self.prior, layout, X, self._spec)
        tables = X, held_out
        if models_rows(prior) and layout.has_columns:  # of the columns that `fit` saw, whatever X has
            tables = layout.columns.restore(X), None if held_out is None else layout.columns.restore(held_out)
        self._check_prior(prior, self._spec, (X, y), (held_out, y_val), tables)
        task.begin(1, "fit-prior")
        if models_rows(prior):
            self._fit_row_prior(prior, *tables, self._generator(), task)
        else:
            codes, of_held_out = (None if part is None else self._encode(part) for part in (X, held_out))
            self._fit_prior(prior, codes, of_held_out, X, y, y_val, self._generator(), task)
        task.end()
        return self

    @prepared
    def partial_fit(self, X: RowsLike, y: ArrayLike | None = None) -> Self:
        """Train the autoencoder on a chunk of rows, each of them once, and go on with the next chunk in the next call.

        The first chunk fixes the columns or the shape, the scaling, and the network and its start, so it should be
        large enough to stand for the others; all chunks are scaled alike. No rows are held out, `max_iter` has no
        effect, and after a few steps the learning rate stays as it is: lower it for the last chunks. After :meth:`fit`
        it goes on from what was learned. The codebook moves on, and codes that fall out of use are put back among the
        data. `code_counts_`, `noise_variance_` and what follows from them are of the latest chunk. The prior is left to
        :meth:`fit_prior`; one from before is dropped, since the codes mean something else now. Memory is needed for a
        chunk, the network and its optimiser.

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
        self._check_parameters()
        with self._keeps_last_chunk():
            if hasattr(self, "weights_"):
                layout = layout_of(self)
                X, self._arranged = check_chunk(layout, self, X), Arrangement(self.network_, self)
            else:
                layout, X, _ = learn_layout(self, X, None, standardize=self.standardize)
                self._arrange(layout.rows(X, "cpu"))
            self._fit_chunk(layout.rows(X, resolve_device(self.device)))
            del self._arranged
        self.__dict__.pop("prior_", None)
        return self

    @prepared
    def transform(self, X: RowsLike) -> NDArray[np.int32]:
        """Return the codes of X.

        Parameters
        ----------
        X : array-like or CSR/CSC matrix like that of :meth:`fit`
            An array or a frame of dask gives a lazy one, computed block by block.

        Returns
        -------
        codes : ndarray of shape (n, n_codes_of_a_row), int32 in [0, n_codes)
            Row-major over `code_shape_`; of two grids the coarse one first.

        Notes
        -----
        A code is the name of a codebook vector; its number means nothing. Features for a model that calculates with
        them are a step away: ``make_pipeline(model, OneHotEncoder(handle_unknown="ignore"))``, or the vectors
        ``model.codebook_[codes]`` (see `codebook_` where there are several codebooks).
        """
        check_is_fitted(self, "weights_")
        return self._encode(layout_of(self).check(self, X))

    @prepared
    def inverse_transform(self, X: MatrixLike) -> Reals:
        """Return the reconstruction that codes stand for, in the units and the layout of the X of :meth:`fit`.

        Parameters
        ----------
        X : array-like of int, shape (n, n_codes_of_a_row)
            Codes in [0, n_codes). Of residual codes a prefix of every position's is enough: with `code_shape_` (h, w,
            s), the columns of ``codes.reshape(n, h, w, s)[..., :t].reshape(n, -1)``; of two grids the coarse codes.
            An array or a frame of dask gives a lazy one, computed block by block.

        Returns
        -------
        X_original : ndarray of shape (n, n_features), or of images if `fit` saw images
            In the dtype of the X of `fit` if that is float32 or float64, or if X are images of whole numbers, which
            are rounded (and those of uint8 cut off at 0 and 255); else in float64. A DataFrame if `fit` saw one.

        Raises
        ------
        ValueError
            For codes that are not whole numbers in range, or of another number for a row.
        """
        check_is_fitted(self, "weights_")
        codes = check_code_rows(X)
        widths = self._spec.decodable_widths
        if codes.shape[1] not in widths:
            shorter = f" (or a prefix: {widths[0]}, ...)" if len(widths) > 1 else ""
            raise ValueError(
                f"codes have {codes.shape[1]} columns, but a row of this model has {widths[-1]} codes{shorter}"
            )
        return with_index(self._decode(check_codes(codes, self.n_codes_)), X)

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

    @typed(available_if(has_prior))
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
        given: dict[Any, Any] | MatrixLike | None = None,
    ) -> Any:
        """Draw new rows from the prior: of tables rows, or rows given some of their columns; of images codes, decoded.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Seeds the draw: the same int gives the same rows in every call, None other rows every time. The estimator's
            own `random_state` seeds `fit` alone.
        temperature : float > 0, default=1.0
            Divides the logits of the prior: below 1 likelier codes become likelier still.
        top_k : int, default=None
            Draw every code among the `top_k` likeliest only.
        top_p : float in (0, 1], default=None
            Draw every code from the fewest codes, likeliest first, whose probabilities together reach `top_p`.
        y : label, or array-like of shape (n_samples,), default=None
            Classes to draw from, with a class-conditional prior; None draws them as often as they were in `fit`.
        given : dict, or table of one row or of `n_samples` rows, default=None
            Columns of a table that are known: ``{"sex": "female", "age": 40}``; all others are drawn given them. See
            :meth:`OrderlessNADE.sample`. Only a prior of rows can be given columns.

        Returns
        -------
        X : DataFrame if `fit` saw one, else ndarray of shape (n_samples, n_features), or of images if `fit` saw images
        """
        prior = self._fitted_prior()
        options = {"random_state": random_state, "temperature": temperature, "top_k": top_k, "top_p": top_p, "y": y}
        if isinstance(prior, RowPrior):
            return layout_of(self).framed(prior.sample(n_samples, given=given, **options))
        if given is not None:
            raise ValueError(
                f"given needs a prior of rows, but this one, {type(self.prior_).__name__}, is one of codes, each of "
                "which depends on all columns; pass prior='nade', for tables"
            )
        return self._decode(prior.sample(n_samples, **options))

    @typed(available_if(has_prior))
    @prepared
    def score_samples(self, X: RowsLike, y: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return log p(x) of every row, or a lower bound on it, in nats and in the units of X.

        With a prior of rows, as tables have by default, it is that of :meth:`OrderlessNADE.score_samples`: densities of
        real columns, probabilities of all others. With a prior of codes it is a bound. With the codes c of a row,
        ``log p(x) = log sum_c' p(c') p(x | c') >= log p(c) + log p(x | c)``. The prior gives the first term; the second
        is a Gaussian around the reconstruction, on standardised values, with one variance, `noise_variance_`.

        Parameters
        ----------
        X : array-like or CSR/CSC matrix like that of :meth:`fit`
            An array or a frame of dask gives a lazy one, computed block by block.
        y : label, or array-like of shape (n,), default=None
            Classes, with a class-conditional prior: then the bound is on log p(x | y). None averages over them.

        Returns
        -------
        log_prob : ndarray of shape (n,), float64

        Raises
        ------
        ValueError
            With a prior of codes, for tables that hold more than numbers, or missing cells: a Gaussian is no likelihood
            of those.
        """
        prior = self._fitted_prior()
        if isinstance(prior, RowPrior):
            return of_columns(self, X, lambda rows: prior.score_samples(rows, y))
        if layout_of(self).is_mixed:
            raise ValueError(
                "with a prior of codes score_samples has a Gaussian likelihood, for tables of numbers without missing "
                "cells and categorical_features; pass prior='nade'"
            )
        codes, squared_error, _ = self._reconstruct(X)
        log_variance = math.log(2 * math.pi * self.noise_variance_)
        log_likelihood = -0.5 * (squared_error / self.noise_variance_ + self.n_features_in_ * log_variance)
        return prior.score_samples(codes, y) + log_likelihood - np.log(self.scale_).sum()

    @typed(available_if(has_prior))
    @in_kind
    @prepared
    def complete(
        self,
        X: MatrixLike,
        mask: ArrayLike | None = None,
        *,
        random_state: RandomState = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        y: ArrayLike | None = None,
        n_candidates: int = 16,
        n_draws: int = 1,
        strategy: Literal["draw", "mean"] = "draw",
    ) -> Any:
        """Return X with what is missing drawn from the prior, given what is known: cells, regions of images, gaps.

        Cells of tables are drawn given the other cells of their rows (:meth:`OrderlessNADE.complete`). Of images the
        codes of patches that are known to the last pixel are kept, the others drawn (:meth:`PixelCNN.sample` with
        `given`) and decoded. What the encoder makes of a known patch depends on the missing pixels beside it, which it
        sees as the mean. Of whole images 64 are drawn; the one that is nearest to the known
        pixels is fitted to these, in turns with the missing ones.

        Of series, what is missing is guessed `n_candidates` times by a normal distribution of the series that the prior
        was fitted to, given the known steps. The guesses are encoded, and one is taken, with probability proportional
        to what the prior gives its codes. So classes `y` act where there are several. What the codes leave of the known
        steps beside a gap is continued into it. A forecast is the completion of the end.

        Parameters
        ----------
        X : table, images or series like that of :meth:`fit`
            Values where `mask` is False are ignored; those of images and series may be NaN.
        mask : array-like of bool, default=None
            True where X is known: of the shape of X, or of one image or series for all of them; the axis of channels
            may be left out. None, for tables and series: what is not missing is known.
        random_state, temperature, top_k, top_p, y
            As in :meth:`sample`. For series `temperature` is also that of the guesses, and there is no `top_k` or
            `top_p`.
        n_candidates : int, default=16
            For images: of so many draws of one, one is taken, by how likely it makes the known codes below and to the
            right of what was drawn, which the draw itself does not see (:meth:`PixelCNN.sample`). For series: the
            guesses.
        n_draws : int, default=1
            Number of completions, of which a list is returned. With ``strategy="mean"`` their mean is returned, of 8
            where `n_draws` is 1; of tables, for which it takes no draws, `n_draws` is of no use then.
        strategy : {"draw", "mean"}, default="draw"
            Draws, or the mean of numbers and the likeliest level of categories. The mean has the smaller error, and
            a draw looks like a real row.

        Returns
        -------
        X_complete : like X; for images and series in the dtype of :meth:`inverse_transform`, a DataFrame if `fit` saw
            one, else ndarray of the shape of X
            Known values are those of X, in that dtype; where `fit` saw images of whole numbers, in the dtype of X.

        Raises
        ------
        ValueError
            For a mask of another shape; for tables, if the prior is one of codes, each of which depends on all columns;
            for series, if `top_k` or `top_p` is given.
        TypeError
            For images, if the prior's `sample` takes no `given`, `mask` and `n_candidates`.
        """
        prior = self._fitted_prior()
        n_draws, n_candidates, strategy, random_state, temperature, top_k, top_p = check_arguments(
            "VQVAETransformer.complete",
            COMPLETION,
            n_draws=n_draws,
            n_candidates=n_candidates,
            strategy=strategy,
            random_state=random_state,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
        )
        options = {"random_state": random_state, "temperature": temperature, "top_k": top_k, "top_p": top_p, "y": y}
        layout, drawing = layout_of(self), {"n_draws": n_draws, "strategy": strategy, **options}
        if isinstance(prior, RowPrior):
            validate_data(self, as_table(X), skip_check_array=True, reset=False)
            return layout.framed(prior.complete(X, mask=mask, **drawing), X)
        if hasattr(X, "columns"):
            _check_feature_names(self, X, reset=False)
        if self.series_shape_ is not None:
            magnitude = getattr(self, "_magnitude_in", None)
            series = SeriesCompletion(layout, self._encode, self._decode, prior, NormalSeries.of(self), magnitude)
            return layout.framed(series.complete(X, mask, n_candidates=n_candidates, **drawing), X)
        if self.image_shape_ is None:
            raise ValueError(
                f"complete needs a prior of rows for tables, but this one, {type(self.prior_).__name__}, is one of "
                "codes, each of which depends on all columns; pass prior='nade'"
            )
        check = functools.partial(layout.check, self)
        completion = ImageCompletion(layout, self._spec, check, self._encode, self._decode, prior)
        return layout.framed(completion.complete(X, mask, n_candidates=n_candidates, **drawing), X)

    @typed(available_if(has_prior))
    @prepared
    def bits_per_dim(self, X: MatrixLike, y: ArrayLike | None = None) -> float:
        """Return the mean of ``-score_samples(X)`` in bits per value of a row, in the units of X; smaller is better.

        Parameters
        ----------
        X, y
            As in :meth:`score_samples`.

        Returns
        -------
        float
            Of a density, so it may be negative. For pixels from 0 to 255 it compares with the bits of a lossless coder.
        """
        return metrics.bits_per_dim(self.score_samples(X, y), self.n_features_in_)

    def set_params(self, **params: Any) -> Self:
        """Set parameters of the estimator, and of the quantiser and the prior where these are instances.

        Parameters
        ----------
        **params : dict
            By name; ``prior__channels`` is the parameter `channels` of the prior.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For a parameter that does not exist, and for one of a prior or quantiser that is a name.
        """
        for name in params:
            outer, _, inner = name.partition("__")
            value = params.get(outer, getattr(self, outer, None))
            if inner and outer in INSTANCES and not hasattr(type(value), "get_params"):
                raise ValueError(
                    f"{outer}={value!r} has no parameter {inner!r}: pass an instance, {INSTANCES[outer]}, and set "
                    f"{name} on that"
                )
        return super().set_params(**params)

    @property
    def _n_features_out(self):
        return self._spec.codes_per_row

    @property
    def _spec(self):
        """The CodeSpec of what was learned."""
        return Architecture.from_json(self.architecture_).codes

    @staticmethod
    def _build(architecture, generator):
        return build_vqvae(Architecture.from_json(architecture), generator)

    def _check_parameters(self):
        self._validate_params()
        check_combinations(self)

    def _fit_autoencoder(self, layout, X, held_out, generator, task):
        """Fit encoder, codebook and decoder, a stage that the caller ends; return the Fitting, which has the codes."""
        device = resolve_device(self.device)
        rows, held_out = (None if part is None else layout.rows(part, device) for part in (X, held_out))
        return self._fit_network(rows, held_out, generator, task)

    def _known_architecture(self):
        return Architecture.from_json(self.architecture_)

    def _start_again(self, device):
        start, error = super()._start_again(device), math.sqrt(self.noise_variance_)
        return trainable_again(start, plain(self.codebook_weight), error)

    def _recipe(self, rows, held_out):
        asked, width, is_dense = self._arranged.asked, self._arranged.width, self.network_ == "dense"
        codes = plan_codes(asked, rows.shape, len(rows), rows.n_columns, self.network_, width)
        pays = not (self.aligned_ or is_dense)
        augments = self.image_shape_ is not None and (pays if is_auto(self.augment) else bool(self.augment))
        few_rows = (is_dense or codes.is_image) and not augments and codes.starts_at_its_best(len(rows))
        shape = (math.prod(rows.shape),) if is_dense else rows.shape
        enough = stops_early(shape, int(len(rows) * (1 - self.validation_fraction)))
        holds_out = self._holds_out(held_out, not few_rows and enough)
        n_training = self._n_training(rows, holds_out)
        architecture = plan(asked, rows.shape, n_training, rows.n_columns, self.network_, width)
        n_positions, known = architecture.codes.n_positions, {"few_rows": few_rows, "augments": augments}
        return Recipe(
            architecture,
            automatic_training(shape, n_training, kind=codes.kind, n_positions=n_positions, **known),
            holds_out,
            self._start,
            functools.partial(self._objective, augments=augments),
            monitor="reconstruction",
            uses=1 if is_dense else n_positions,
            passes_after=1,
            is_patient=not is_dense,
            starting="starting codebooks",
        )

    def _arrange(self, rows):
        """Set `aligned_`, and `network_` and the codes that the parameters stand for."""
        rows_are = "tables" if len(rows.shape) == 1 else "series" if self.image_shape_ is None else "images"
        check_network(self.network, rows_are)
        self.aligned_ = are_aligned(rows) if rows_are == "images" else None
        usual = usual_network(self, rows, self.aligned_)
        is_open = usual in (None, "dense")
        self._arranged = best_arrangement(self, rows, usual, self._generator) if is_open else Arrangement(usual, self)
        self.network_ = self._arranged.network

    def _start(self, architecture, rows, generator):
        options = {"in_parts": is_auto(self.quantizer), "seconds": self.max_seconds, "warn": not is_auto(self.n_codes)}
        return start_from_data(architecture, rows, generator, codebook_weight=plain(self.codebook_weight), **options)

    def _objective(self, start, generator, *, augments):
        automatic_noise = 0.0 if start.architecture.is_convolutional else start.notes["error"]
        noise = automatic_noise if is_auto(self.input_noise) else plain(self.input_noise)
        has_layers = bool(start.architecture.hidden_layer_sizes)
        weights = {name: plain(getattr(self, name)) for name in VQObjective.loss_weights}
        return VQObjective(
            start.module, input_noise=noise, augments=augments, has_layers=has_layers, generator=generator, **weights
        )

    def _learned(self, fitting):
        """Return codebook and codes in use."""
        spec = fitting.architecture.codes
        codebooks, use = spec.codebooks(fitting.module.quantizer), look_at_codes(fitting)
        return {"n_codes_": spec.n_codes, "code_shape_": spec.code_shape, "codebook_": codebooks, **use}

    def _check_prior(self, prior, spec, training, held_out, tables):
        """Raise an error for a prior that could not be fitted, to rows and their classes, or to tables of such."""
        check_prior(prior, spec, *training, *held_out, self.checkpoint)
        if models_rows(prior) and not isinstance(prior, str):  # by name it takes what this estimator takes
            RowPrior.check(prior, *tables, tables=self._of_tables)

    def _fit_prior(self, prior, codes, held_out, X, y, y_val, generator, task):
        """Fit a prior to codes, with held-out ones or None, and the normal distribution of rows X that are series."""
        code_prior = CodePrior.new(prior, self._spec, generator, **self._shared_with_prior(len(codes)))
        with belonging_to(code_prior.estimator, self, task.limit):
            self.prior_ = code_prior.fit(codes, y, held_out, y_val, self.codebook_, task)
        if self.series_shape_ is not None:
            vars(self).update(normal_of(layout_of(self).rows(X, "cpu")).attributes())

    def _fit_row_prior(self, prior, X, held_out, generator, task):
        """Fit a prior of rows to a table, with held-out rows or None."""
        row_prior = RowPrior.new(prior, generator, tables=self._of_tables, **self._shared_with_prior(len(X)))
        with belonging_to(row_prior.estimator, self, task.limit):
            self.prior_ = row_prior.fit(X, held_out, task)

    @property
    def _of_tables(self):
        """Parameters of tables that a prior of rows has too."""
        return {"categorical_features": self.categorical_features, "handle_unknown": self.handle_unknown}

    def _shared_with_prior(self, n_rows):
        """Return parameters of a prior that is known by name; of one row none can be held out."""
        shared = {"device": self.device, "precision": self.precision, "verbose": self.verbose}
        return shared if n_rows > 1 else shared | {"early_stopping": False}

    def _fitted_prior(self):
        """Return the fitted prior; one that was not given as an instance follows the device of this estimator."""
        check_is_fitted(self, "weights_")
        check_is_fitted(self, "prior_", msg="the prior of this %(name)s is not fitted; call fit_prior(X)")
        named = self.prior is None or isinstance(self.prior, str)
        shared = {"device": self.device} | ({"handle_unknown": self.handle_unknown} if models_rows(self.prior_) else {})
        if named and "device" in self.prior_.get_params(deep=False):
            self.prior_.set_params(**shared)
        return RowPrior(self.prior_) if models_rows(self.prior_) else CodePrior(self.prior_, self._spec)

    def _encode(self, X):
        """Return the codes of validated rows."""
        rows = layout_of(self).rows(X, resolve_device(self.device))
        return inference.encode(self._network(), rows, self._n_features_out, CODE_DTYPE)

    def _reconstruct(self, X):
        """Return the codes of X, the squared error of each row, (n,), and the variation of all, standardised."""
        layout = layout_of(self)
        rows = layout.rows(layout.check(self, X), resolve_device(self.device))
        return inference.reconstruct(self._network(), rows, self._n_features_out, CODE_DTYPE)

    def _decode(self, codes):
        """Return the rows, in the units and the layout of X, that codes (n, codes_per_row) stand for."""
        layout, device = layout_of(self), resolve_device(self.device)
        return layout.restore(inference.decode(self._network(), codes, device, layout.row_shape), len(codes))

    def __sklearn_tags__(self):
        return tag_rows(super().__sklearn_tags__())

"""VAETransformer: continuous features, a density, and new samples from a prior over them."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Literal

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted

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
from .._warnings import warn_user
from ..core.callbacks import FitTask, with_callbacks
from ..core.device import prepared, resolve_device
from ..core.estimator import NetworkEstimator, Recipe, forgets_failure
from ..core.frames import with_index
from ..core.generators import fit_transform
from ..core.inference import decode, encode
from ..core.kinds import in_kind
from ..core.layout import (
    LEARNED_BESIDE,
    UNSCALED,
    check_chunk,
    check_components,
    layout_of,
    learn_layout,
    tag_rows,
)
from ..core.lazy import components, lazy, rows_back, scores
from ..core.naming import named
from ..core.parameters import (
    AUTO,
    DRAWS,
    POSITIVE_INTEGER,
    Number,
    check_arguments,
    check_rows_memory,
    is_auto,
    plain,
    random_source,
)
from ..persistence.records import from_json
from ..training.batches import as_array
from ..training.loop import require_finite
from . import inference, schema
from .cells import ScoredRows
from .defaults import (
    CONSTRAINTS,
    architecture_kind,
    automatic_training,
    check_range,
    plan,
    starts_at_optimum,
    stops_early,
)
from .module import matched_noise
from .network import ELBO_DRAWS, VAEObjective, build_vae, start_from_data
from .prior import MixturePrior, NormalPrior, fit_mixture

# With fewer rows for each component, and for the mean, the likelihood of other rows breaks down. Of 8 x 8 digits and 16
# components it was lower than that of the rows of `fit` by 0.7 nats a value with 50 rows, 16 with 20, 185,000 with 10.
ROWS_PER_COMPONENT = 2
# A component is active if its posterior mean varies by more than this over the rows (Burda et al. 2016, section 5.2).
ACTIVE_VARIANCE = 0.01
# Values of components beyond this are no longer rows, and overflow on their way back.
FARTHEST = 1e6
# Rows that the diagnostics, and a last estimate of the noise variance, are computed from; and how many held-out rows
# are enough for them, in place of training rows.
SUMMARY_ROWS, ENOUGH_HELD_OUT = 10_000, 30
# Rows that a prior is fitted to, draws for each where there are few rows, and how many draws are enough in all.
MIXTURE_ROWS, MIXTURE_DRAWS, ENOUGH_DRAWS = 20_000, 5, 10_000
# The share of `max_seconds` that training gets where a mixture is fitted after it.
TRAINING_SHARE = 0.7


@lazy(transform=components(np.float32), inverse_transform=rows_back, score_samples=scores)
class VAETransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, NetworkEstimator):
    r"""Continuous features of images, series and tables, how likely a row is, and new rows.

    A variational autoencoder [1]_: an encoder maps a row x to a Gaussian posterior q(z | x) over a few components, a
    decoder maps z to a distribution p(x | z), and training, under the prior N(0, I) of z, maximises the evidence lower
    bound (ELBO) on log p(x). A mixture of Gaussians then takes the place of N(0, I). Beside the networks run linear
    paths that start at probabilistic PCA [2]_; without hidden layers they are all there is, and with
    ``prior="normal"`` the bound is the log-likelihood of probabilistic PCA.

    Parameters
    ----------
    n_components : int or "auto", default="auto"
        Length of z. "auto": a quarter of the features, from 2 to 64 (32 below 10,000 images, whose prior is then closer
        to them), where a category has a feature for each level, but no more than there are columns.
    likelihood : {"gaussian", "gaussian_per_feature", "bernoulli", "poisson"}, default="gaussian"
        p(x | z). "gaussian": one variance for all standardised values. "gaussian_per_feature": one for each, at least
        0.001, for tables whose columns are not equally predictable. "bernoulli": X in [0, 1]. "poisson": X of counts.
        In mixed tables the first two are those of the normal scores of numbers and dates; categories, booleans and
        missing cells have probabilities. The last two are for numbers only.
    kl_weight : float, default=1.0
        Weight of the divergence from the prior (β of [3]_). 1 is the bound itself; more gives fewer, more independent
        components and samples closer to the reconstructions, less gives better reconstructions.
    kl_warmup : float in [0, 1], default=0.0
        Share of the steps over which that weight rises from 0. The start at probabilistic PCA makes it unnecessary as a
        rule.
    free_bits : float, default=0.0
        Nats per component up to which the divergence costs nothing [4]_, against posterior collapse.
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
        together, as images are. Tables that hold more than numbers need it. The likelihoods "bernoulli" and "poisson"
        always take X as it is.
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
        to 4096 values a row, which learns more per second there, convolutional above.
    hidden_layer_sizes : tuple of int or "auto", default="auto"
        Hidden layers of dense encoders, the other way round in decoders; () is the linear path alone. "auto":
        (1024, 512) for images, (512, 256) for those up to 512 values, (256, 256) for tables, or () below 500 rows,
        where a network overfits more than it learns.
    channels : int, default=64
        Width of convolutional networks.
    n_blocks : int, default=2
        Blocks of convolutional networks; 0 is the linear path alone.
    dropout : float in [0, 1) or "auto", default="auto"
        Share of hidden units that are zeroed in training; the linear paths have none. It lets networks train longer
        before they overfit. "auto": 0.1 below 10,000 images, 0.05 otherwise.
    prior : {"gaussian_mixture", "normal"}, default="gaussian_mixture"
        p(z) of `sample` and of the bounds. "gaussian_mixture": a Gaussian mixture that is fitted, after training, to
        draws from the posteriors of the training rows [5]_, where the decoder was trained. "normal": N(0, I), under
        which the networks are always trained.
    n_mixture_components : int or "auto", default="auto"
        Gaussians in that mixture, with full covariances, beside N(0, I) with the weight of one row. "auto": the number
        from 1 to 100 whose mixture is likeliest on draws for held-out rows, or N(0, I) if that is likelier than any.
    alpha : float, default=0.0
        Decoupled weight decay.
    batch_size : int or "auto", default="auto"
        Rows per step. "auto": 128 images (64 for convolutions); 64 rows of a table, 256 from 10,000 rows on; 256 for
        linear models.
    learning_rate_init : float or "auto", default="auto"
        Learning rate of Adam after the warm-up; it decays by half a cosine to 0. "auto": 0.001, 0.002 for convolutions,
        0.0001 for linear models, which start near their optimum.
    max_iter : int or "auto", default="auto"
        Epochs. "auto" adapts to the number of rows, see Notes.
    early_stopping : bool or "auto", default="auto"
        Hold rows out and keep the weights of the epoch with the best bound on them; the start is a candidate. "auto"
        does for 10 to 20,000 images, and for tables from 500 rows on, unless the model is linear.
    validation_fraction : float in (0, 1), default=0.1
        Share of the rows that is held out where `fit` is given no `X_val`.
    tol : float, default=1e-4
        Smallest fall of the monitored loss that counts as an improvement.
    n_iter_no_change : int, "auto" or None, default="auto"
        Epochs in a row without improvement after which training ends; None runs them all. "auto": a quarter of
        `max_iter`, at least 10, where held-out rows judge a network, and None otherwise.
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        Arithmetic of training. "auto" takes bfloat16 for images where the processor has it. Everything else is always
        computed in float32.
    device : str, default="cpu"
        Where to train and compute: "cpu", "cuda", "mps", or "auto". A device that is not there is an error.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, batches, the noise of training, and the mixture.
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
        Length of z.
    kl_per_component_ : ndarray of shape (n_components,), float64
        Mean divergence of each component of the posterior from N(0, 1), in nats, over held-out rows if there were
        enough, else training rows. A component near 0 tells nothing about a row.
    n_active_components_ : int
        Components whose posterior mean has a variance above 0.01 over these rows [6]_.
    noise_variance_ : float or ndarray of shape (n_features,)
        Variance of the Gaussian likelihood, on standardised values; None for the others. In mixed tables it is that of
        the normal scores, NaN for categories and booleans, or None if there are no other columns.
    mixture_ : GaussianMixture
        The prior of z. Not there with ``prior="normal"``, or where N(0, I) was likelier.
    loss_curve_ : list of float
        Training loss per epoch: the weighted negative ELBO in nats, divided by the number of features.
    validation_loss_curve_ : list of float
        Loss on held-out rows per epoch, of a linear model without any on the training rows; otherwise empty.
    history_ : dict of list of float
        Every term per epoch, in nats per row: ``negative_log_likelihood`` and ``kl``, and the same with ``validation_``
        before the name.
    n_iter_ : int
        Epochs run.
    best_iter_ : int or None
        Epoch whose weights were kept, 0 for the start; None where the last one's are, for want of held-out rows.
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
    VQVAETransformer : Discrete codes and a learned prior.

    Notes
    -----
    With the posterior N(μ, diag σ²), what is minimised for a row is

    .. math:: -E_q[\log p(x|z)] + \text{kl\_weight} \cdot \tfrac12 \sum_j (\mu_j^2 + \sigma_j^2 - \log\sigma_j^2 - 1)

    with one draw of z by reparameterisation, divided by the number of features. The variance of a Gaussian likelihood
    is the running mean of the squared error, its optimum [7]_, and so weighs the two terms against each other by
    itself; the last estimate is from held-out rows, where there are some.

    The budget of ``max_iter="auto"`` adapts to the data: images get 25 epochs, but are seen at least 100,000 and at
    most 600,000 times in all (1,000 images: 100 epochs; 60,000: 10), no more than 100 epochs, in at least 300 steps; a
    table gets 3,000 steps of 64 rows, from 10,000 rows on 6,000 steps of 256; a linear model, which starts near its
    optimum, 300 small steps. Every tenfold of the rows of a table beyond 20,000 adds half of these steps; the last
    epoch may be a part of one.

    Tables may have the columns that :class:`AutoEncoderTransformer` takes. Given z they are independent: a category or
    boolean has the softmax of its levels, of which a missing cell is one more where `fit` saw missing cells; a number
    or date is missing with a probability, or its normal score is Gaussian. Integers, dates and values that many rows
    share then have the probability of the interval of scores that they stand for, other real numbers a density in
    their units, and 3 / n or so of the probability is spared for values that `fit` did not see. A missing cell in a
    column that had none in `fit` is left out: it contributes 0 nats. No column is weighted, unlike in the losses of
    :class:`AutoEncoderTransformer` and :class:`VQVAETransformer`: a weighted sum of nats would bound no log-likelihood.

    A density with a variance for every feature grows without bound on features that never vary, such as the corners of
    images; that is why one variance is the default, and why the others have a lower bound.

    References
    ----------
    .. [1] D. P. Kingma, M. Welling, "Auto-Encoding Variational Bayes", ICLR 2014.
    .. [2] M. E. Tipping, C. M. Bishop, "Probabilistic Principal Component Analysis", JRSS B 61(3), 1999.
    .. [3] I. Higgins et al., "beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework",
       ICLR 2017.
    .. [4] D. P. Kingma et al., "Improved Variational Inference with Inverse Autoregressive Flow", NeurIPS 2016,
       appendix C.8.
    .. [5] P. Ghosh et al., "From Variational to Deterministic Autoencoders", ICLR 2020, section 4.
    .. [6] Y. Burda, R. Grosse, R. Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016.
    .. [7] O. Rybkin, K. Daniilidis, S. Levine, "Simple and Effective VAE Training with Calibrated Decoders", ICML 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from skvq import VAETransformer
    >>> X = load_wine().data
    >>> model = VAETransformer(n_components=4, random_state=0).fit(X)
    >>> model.transform(X).shape
    (178, 4)
    >>> model.sample(3, random_state=0).shape
    (3, 13)
    >>> model.score_samples(X).shape
    (178,)
    """

    _schema = schema.VAE
    fit_transform = fit_transform
    _parameter_constraints = CONSTRAINTS
    _learned_beside = LEARNED_BESIDE

    def __init__(
        self,
        n_components: int | Literal["auto"] = "auto",
        *,
        likelihood: Literal["gaussian", "gaussian_per_feature", "bernoulli", "poisson"] = "gaussian",
        kl_weight: float = 1.0,
        kl_warmup: float = 0.0,
        free_bits: float = 0.0,
        image_shape: ImageShape = None,
        series_shape: SeriesShape = None,
        series_layout: SeriesLayout = "channels_last",
        standardize: bool = True,
        categorical_features: ArrayLike | Literal["from_dtype"] | None = "from_dtype",
        handle_unknown: Literal["error", "ignore"] = "error",
        clip: bool | Literal["auto"] = "auto",
        network: Literal["auto", "dense", "convolutional"] = "auto",
        hidden_layer_sizes: int | Sequence[int] | Literal["auto"] = "auto",
        channels: int = 64,
        n_blocks: int = 2,
        dropout: float | Literal["auto"] = "auto",
        prior: Literal["gaussian_mixture", "normal"] = "gaussian_mixture",
        n_mixture_components: int | Literal["auto"] = "auto",
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
        self.n_components = n_components
        self.likelihood = likelihood
        self.kl_weight, self.kl_warmup, self.free_bits = kl_weight, kl_warmup, free_bits
        self.image_shape, self.series_shape, self.series_layout = image_shape, series_shape, series_layout
        self.standardize = standardize
        self.categorical_features = categorical_features
        self.handle_unknown, self.clip = handle_unknown, clip
        self.network = network
        self.hidden_layer_sizes = hidden_layer_sizes
        self.channels, self.n_blocks = channels, n_blocks
        self.dropout = dropout
        self.prior = prior
        self.n_mixture_components = n_mixture_components
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init, self.max_iter = learning_rate_init, max_iter
        self.early_stopping, self.validation_fraction = early_stopping, validation_fraction
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
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
            Any numeric dtype, finite.
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
            For X that is not finite, empty, not of `image_shape`, or outside the range of the likelihood; for
            parameters out of range; if the loss becomes non-finite.
        """
        self._validate_params()
        task = FitTask(self, X, y)
        layout, X, held_out = self._learn_layout(X, X_val)
        device = resolve_device(self.device)
        rows, held_out = (None if part is None else layout.rows(part, device) for part in (X, held_out))
        fitting = self._fit_network(rows, held_out, self._generator(), task)
        if not self._warns_of_few_rows(len(fitting.rows)):
            self._warn_of_collapse(fitting.notes["supported"])
        fitting.end()
        task.end()
        return self

    @prepared
    def partial_fit(self, X: RowsLike, y: ArrayLike | None = None) -> Self:
        """Train on a chunk of rows, each of them once, and go on with the next chunk in the next call.

        The first chunk fixes the columns or the shape, the scaling, and the network and its start, so it should be
        large enough to stand for the others; all chunks are scaled alike. No rows are held out, `max_iter` has no
        effect, and after a few steps the learning rate stays as it is: lower it for the last chunks. After :meth:`fit`
        it goes on from what was learned. The mixture is fitted to the latest chunk, which takes less time with a number
        in `n_mixture_components`, and none with ``prior="normal"``. Memory is needed for a chunk, the network and its
        optimiser.

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
        if self.kl_warmup > 0:
            raise ValueError(
                f"partial_fit does not know how long training lasts, of which kl_warmup={self.kl_warmup} is a share; "
                "pass kl_warmup=0"
            )
        with self._keeps_last_chunk():
            if hasattr(self, "weights_"):
                layout = layout_of(self)
                X = check_chunk(layout, self, X)
            else:
                layout, X = self._learn_layout(X, None)[:2]
            self._fit_chunk(layout.rows(X, resolve_device(self.device)))
        return self

    @prepared
    def transform(self, X: RowsLike) -> NDArray[np.float32]:
        """Return the mean of the posterior q(z | x) of every row.

        Parameters
        ----------
        X : array-like or CSR/CSC matrix like that of :meth:`fit`
            An array or a frame of dask gives a lazy one, computed block by block.

        Returns
        -------
        z : ndarray of shape (n, n_components), float32
            Components that are not active are near 0.
        """
        check_is_fitted(self, "weights_")
        return encode(self._network(), self._rows(X), self._n_features_out, np.float32)

    @prepared
    def inverse_transform(self, X: MatrixLike) -> Reals:
        """Return E[x | z], the reconstruction that z stands for, in the units and the layout of the X of :meth:`fit`.

        In a mixed table it has the likeliest level of each category, and each number at the mean of its score, or
        missing if that is likelier than not.

        Parameters
        ----------
        X : array-like of shape (n, n_components)
            Values of z.
            An array or a frame of dask gives a lazy one, computed block by block.

        Returns
        -------
        X_original : ndarray of shape (n, n_features), or of images if `fit` saw images
            In the dtype of the X of `fit` if that is float32 or float64, or if X are images of whole numbers, which
            are rounded (and those of uint8 cut off at 0 and 255); else in float64. A DataFrame if `fit` saw one.
        """
        check_is_fitted(self, "weights_")
        return with_index(self._rows_from(check_components(X, "z", self._n_features_out)), X)

    @prepared
    def score_samples(self, X: RowsLike, *, n_importance_samples: int | None = None) -> NDArray[np.float64]:
        """Return a lower bound on log p(x) of every row, in nats and in the units of X.

        For mixed tables it is made of probabilities of discrete cells and densities of real ones, see Notes of the
        class.

        Parameters
        ----------
        X : array-like or CSR/CSC matrix like that of :meth:`fit`
            An array or a frame of dask gives a lazy one, computed block by block.
        n_importance_samples : int, default=None
            None: the evidence lower bound, with the likelihood averaged over 8 draws, the divergence from a mixture as
            well, and that from N(0, I) in closed form.
            An int: the importance-weighted bound with so many draws from the posterior, which on average is the
            tighter, the more there are. The draws of a row are the same in every call, so that neither the order nor
            the company of rows matters.

        Returns
        -------
        log_prob : ndarray of shape (n,), float64
        """
        check_is_fitted(self, "weights_")
        constraints = {"n_importance_samples": [None, POSITIVE_INTEGER]}
        (n_importance_samples,) = check_arguments(
            "VAETransformer.score_samples", constraints, n_importance_samples=n_importance_samples
        )
        rows, generator, k = self._rows(X), torch.Generator().manual_seed(0), self._n_features_out
        network, prior, log_unit = self._network(), self._prior(), np.log(self.scale_).sum()
        if inference.needs_cells(rows):  # the units are in the likelihood of the cells
            network, rows, log_unit = inference.of_cells(network, rows.layout), ScoredRows(rows), 0.0
        if n_importance_samples is None:
            noise = matched_noise(ELBO_DRAWS, k, generator).to(rows.device)
            bound = inference.elbo(network, rows, noise, prior)
        else:
            check_rows_memory((k,), n_importance_samples=n_importance_samples)
            uniform = torch.rand(n_importance_samples, k, generator=generator, dtype=torch.float64)
            bound = inference.importance_weighted(network, rows, uniform, prior)
        return bound - log_unit

    @prepared
    def score(self, X: RowsLike, y: ArrayLike | None = None) -> float:
        """Return the mean of ``score_samples(X)``: the ELBO in nats per row, whatever `kl_weight` was trained with.

        Parameters
        ----------
        X : array-like or CSR/CSC matrix like that of :meth:`fit`
        y : None
            Ignored.

        Returns
        -------
        float
        """
        return float(self.score_samples(X).mean())

    @prepared
    def sample(
        self,
        n_samples: int = 1,
        *,
        random_state: RandomState = None,
        observation_noise: bool | Literal["auto"] = "auto",
    ) -> Reals:
        """Draw new rows: z from the prior, which is `mixture_` if there is one and N(0, I) otherwise, decoded.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Seeds the draw: the same int gives the same rows in every call, None other rows every time. The estimator's
            own `random_state` seeds `fit` alone.
        observation_noise : bool or "auto", default="auto"
            Draw from p(x | z) (as the density has it: with noise on every value, or whole counts) instead of returning
            its mean E[x | z], which looks cleaner but varies less than X does. "auto" does for tables, not for images.

        Returns
        -------
        X : DataFrame if `fit` saw one, else ndarray of shape (n_samples, n_features), or of images if `fit` saw images
        """
        check_is_fitted(self, "weights_")
        n_samples, observation_noise, random_state = check_arguments(
            "VAETransformer.sample",
            DRAWS | {"observation_noise": ["boolean", AUTO]},
            n_samples=n_samples,
            observation_noise=observation_noise,
            random_state=random_state,
        )
        check_rows_memory((self.n_features_in_,), n_samples=n_samples)
        random = random_source(random_state)
        if is_auto(observation_noise):
            observation_noise = self.image_shape_ is None
        z = self._prior().sample(n_samples, random)
        return self._rows_from(z, random if observation_noise else None)

    @in_kind
    @prepared
    def reconstruct(self, X: MatrixLike, *, n_draws: int = 1, random_state: RandomState = None) -> Reals:
        """Draw reconstructions of every row: z from its posterior, decoded.

        Where they differ is what the model is unsure of in a row; ``inverse_transform(transform(X))`` is the one at the
        mean of the posterior.

        Parameters
        ----------
        X : array-like or CSR/CSC matrix like that of :meth:`fit`
        n_draws : int, default=1
            Reconstructions of each row.
        random_state : int, RandomState instance or None, default=None
            Seeds the draw: the same int gives the same rows in every call, None other rows every time. The estimator's
            own `random_state` seeds `fit` alone.

        Returns
        -------
        X_drawn : ndarray of shape (n, n_draws, n_features), or one of images if `fit` saw images
            If `fit` saw a frame: a frame like X, or a list of `n_draws` such.
        """
        check_is_fitted(self, "weights_")
        n_draws, random_state = check_arguments(
            "VAETransformer.reconstruct",
            DRAWS | {"n_draws": [POSITIVE_INTEGER]},
            n_draws=n_draws,
            random_state=random_state,
        )
        check_rows_memory((self.n_features_in_,), n_draws=n_draws)
        rows, generator = self._rows(X), _torch_generator(random_source(random_state))
        draws = [inference.posterior_draws(self._network(), rows, generator) for _ in range(n_draws)]
        decoded = self._rows_of_each(np.stack(draws, axis=1), X)
        return decoded[0] if isinstance(decoded, list) and n_draws == 1 else decoded

    @in_kind
    @prepared
    def traverse(
        self, component: int, values: ArrayLike = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0), *, X: MatrixLike | None = None
    ) -> Reals:
        """Decode z with one component set to each of some values: what the component means.

        Parameters
        ----------
        component : int from 0 to ``n_components_ - 1``
        values : sequence of float, default=(-3, -2, -1, 0, 1, 2, 3)
            In standard deviations of the prior.
        X : array-like like that of :meth:`fit`, default=None
            Rows whose posterior means give the other components; None: one row with all of them at 0, the prior's mean.

        Returns
        -------
        X_traversed : ndarray of shape (n, n_values, n_features), or one of images if `fit` saw images
            n is 1 without X. If `fit` saw a frame: a list of frames, one for each value.
        """
        check_is_fitted(self, "weights_")
        known = Number(Integral, 0, self._n_features_out - 1, closed="both")
        (component,) = check_arguments("VAETransformer.traverse", {"component": [known]}, component=component)
        with named(values="values"):
            steps = check_array(np.atleast_2d(as_array(values, "values")), dtype=np.float64, input_name="values")[0]
        if np.abs(steps).max(initial=0.0) > FARTHEST:
            raise ValueError(
                f"values={values!r:.80} are farther from 0 than {FARTHEST:g}, where no row is; pass smaller ones"
            )
        z = np.zeros((1, self._n_features_out)) if X is None else np.asarray(self.transform(X), np.float64)
        z = np.repeat(z[:, None], len(steps), axis=1)  # (n, n_values, n_components)
        z[:, :, component] = steps
        return self._rows_of_each(z, X)

    @property
    def _n_features_out(self):
        return self.n_components_

    @staticmethod
    def _build(architecture, generator):
        return build_vae(from_json(architecture_kind(architecture), architecture), generator)

    def _learn_layout(self, X, X_val):
        """Return the layout of X, which it keeps, and X and X_val as checked rows."""
        # The values of counts and probabilities mean something; only a Gaussian may be standardised.
        gaussian = self.likelihood in ("gaussian", "gaussian_per_feature")
        why = UNSCALED if gaussian else (f"likelihood={self.likelihood!r}", "likelihood='gaussian'")
        layout, X, held_out = learn_layout(self, X, X_val, standardize=self.standardize and gaussian, why=why)
        check_range(self.likelihood, X)
        if held_out is not None:
            with named(X="X_val"):
                check_range(self.likelihood, held_out)
        return layout, X, held_out

    def _known_architecture(self):
        return from_json(architecture_kind(self.architecture_), self.architecture_)

    def _recipe(self, rows, held_out):
        blocks = rows.layout.blocks if layout_of(self).is_mixed else None
        architecture = plan(self, rows.shape, len(rows), blocks)
        sizes = architecture.sizes
        holds_out = self._holds_out(held_out, stops_early(sizes, len(rows)))
        at_optimum = starts_at_optimum(self, architecture)
        return Recipe(
            architecture,
            automatic_training(sizes, self._n_training(rows, holds_out), at_optimum=at_optimum),
            holds_out,
            self._start,
            self._objective,
            judges_itself=sizes.is_linear,
            uses=sizes.uses,
            share=TRAINING_SHARE if self.prior == "gaussian_mixture" else 1.0,
        )

    def _start(self, architecture, rows, generator):
        return start_from_data(architecture, rows, generator, kl_weight=plain(self.kl_weight))

    def _objective(self, start, generator):
        return VAEObjective(
            start.module,
            n_components=start.architecture.n_components,
            kl_weight=plain(self.kl_weight),
            kl_warmup=plain(self.kl_warmup),
            free_bits=plain(self.free_bits),
            generator=generator,
        )

    def _learned(self, fitting):
        """Set the noise variance to its best estimate, and return it with what is read off the posteriors."""
        module, rows, generator = fitting.module, fitting.rows, fitting.generator
        n_components = fitting.architecture.n_components
        noise = matched_noise(ELBO_DRAWS, n_components, generator).to(rows.device)
        summary = inference.summarise(module, inference.some(self._summarised(fitting), SUMMARY_ROWS, generator), noise)
        learned = {
            "n_components_": n_components,
            "kl_per_component_": summary.kl,
            "n_active_components_": int((summary.mean_variance > ACTIVE_VARIANCE).sum()),
            "noise_variance_": None,
        }
        if fitting.architecture.blocks is not None:
            judged = inference.some(self._summarised(fitting), SUMMARY_ROWS, generator)
            module.likelihood.set_variance(inference.best_variance(module, judged, noise))
            learned["noise_variance_"] = self._noise_variance(module.likelihood, fitting.architecture.blocks)
        elif self.likelihood == "gaussian":
            module.likelihood.set_variance(torch.tensor([summary.squared_error.mean()]))
            learned["noise_variance_"] = float(module.likelihood.variance)
        elif self.likelihood == "gaussian_per_feature":
            module.likelihood.set_variance(torch.from_numpy(summary.squared_error))
            learned["noise_variance_"] = module.likelihood.variance.cpu().double().numpy()
        way_out = "lower learning_rate_init, alpha or kl_weight"
        require_finite({"noise_variance_": getattr(module.likelihood, "variance", 0.0)}, "after training", way_out)
        mixture = self._fit_mixture(fitting) if self.prior == "gaussian_mixture" else None
        return learned if mixture is None else learned | {"mixture_": mixture}

    def _fit_mixture(self, fitting):
        """Return the mixture of draws from the posteriors, or None where N(0, I) is likelier on held-out ones."""
        generator, judges = fitting.generator, self._summarised(fitting)
        n_draws = max(1, min(MIXTURE_DRAWS, ENOUGH_DRAWS // len(fitting.rows)))

        def draws(rows, n_rows):
            rows = inference.some(rows, n_rows, generator)
            return np.stack([inference.posterior_draws(fitting.module, rows, generator) for _ in range(n_draws)])

        z = draws(fitting.rows, MIXTURE_ROWS)
        judged = None if judges is fitting.rows else draws(judges, SUMMARY_ROWS)
        seed = int(torch.randint(2**31 - 1, (), generator=generator))
        return fit_mixture(z, judged, plain(self.n_mixture_components), seed, fitting.limit)

    def _prior(self):
        """Return the fitted prior of z."""
        return MixturePrior(self.mixture_) if hasattr(self, "mixture_") else NormalPrior(self.n_components_)

    def _noise_variance(self, likelihood, blocks):
        """Return `noise_variance_` of a mixed table: a value for each column, NaN for those without, or one."""
        variance = likelihood.variance.cpu().double().numpy()
        has_score = np.array([block.has_score for block in blocks])
        if self.likelihood == "gaussian":
            return float(variance[0]) if has_score.any() else None
        found = np.full(len(blocks), np.nan)
        found[has_score] = variance[: has_score.sum()]
        return found

    def _summarised(self, fitting):
        """Return the rows that the fitted network is judged by: held-out ones that chose it, if there are enough."""
        held_out = fitting.held_out
        chosen = held_out is not None and self._keeps_best and len(held_out) >= ENOUGH_HELD_OUT
        return held_out if chosen else fitting.rows

    def _warns_of_few_rows(self, n_rows):
        """Warn if components and mean reproduce so few rows nearly exactly, and return whether they do."""
        n_enough = ROWS_PER_COMPONENT * (self.n_components_ + 1)
        if n_rows >= n_enough:
            return False
        n_possible = n_rows // ROWS_PER_COMPONENT - 1
        way_out = f", or pass n_components={n_possible}" if n_possible > 0 else ""
        warn_user(
            f"{n_rows} rows for {self.n_components_} components: these can give nearly every row back as it is, so "
            "sample draws mixtures of the rows of fit, and score_samples is far too low for all others. Fit to "
            f"{n_enough} rows or more{way_out}"
        )
        return True

    def _warn_of_collapse(self, supported):
        """Warn if the posterior uses less than half of the components that probabilistic PCA would."""
        if self.n_active_components_ < supported / 2:
            warn_user(
                f"posterior collapse: {self.n_active_components_} of {self.n_components_} components are active, where "
                f"probabilistic PCA would use {supported}; the others tell nothing about a row. Lower "
                f"kl_weight={self.kl_weight}, set free_bits (0.05 nats, say) or kl_warmup (0.3, say), or train longer",
            )

    def _rows(self, X):
        """Return the standardised Rows of an X that is like that of `fit`."""
        layout = layout_of(self)
        X = layout.check(self, X)
        check_range(self.architecture_["likelihood"], X)
        return layout.rows(X, resolve_device(self.device))

    def _rows_from(self, z, random_state=None):
        """Return E[x | z], or draws from p(x | z) with a RandomState, in the units and the layout of X."""
        network, device, layout = self._network(), resolve_device(self.device), layout_of(self)
        if random_state is None:
            pieces = decode(network, z, device, layout.row_shape)
        else:
            pieces = inference.draw_rows(network, z, device, _torch_generator(random_state))
        return layout.restore(pieces, len(z))

    def _rows_of_each(self, z, X):
        """Return E[x | z] of z (n, m, n_components): an ndarray (n, m, ...), or m frames with the index of X."""
        if layout_of(self).frame is None:
            decoded = np.asarray(self._rows_from(z.reshape(-1, z.shape[-1])))
            return decoded.reshape(*z.shape[:2], *decoded.shape[1:])
        return [with_index(self._rows_from(z[:, position]), X) for position in range(z.shape[1])]

    def __sklearn_tags__(self):
        tags = tag_rows(super().__sklearn_tags__())
        if self.likelihood in ("bernoulli", "poisson"):  # they are for numbers only
            tags.input_tags.allow_nan = tags.input_tags.categorical = False
        return tags


def _torch_generator(random_state):
    return torch.Generator().manual_seed(int(random_state.randint(np.iinfo(np.int32).max)))

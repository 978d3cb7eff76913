"""PixelCNN as a scikit-learn density estimator on grids of integer codes."""

import math
import numbers

import numpy as np
import torch
from sklearn.base import DensityMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ._base import Automatic, BaseNetwork, check_choice, check_number, fill_block, is_auto, resolve_device
from ._codes import CODE_DTYPE, check_codes
from ._layout import check_image_shape
from .nn.pixelcnn import GatedPixelCNN
from .training.batches import Rows
from .training.objective import Objective

# From this many rows on a PixelCNN underfits within its budget rather than overfits.
MANY_ROWS = 10_000
# More codes than this are asked for by name.
LARGEST_INFERRED = 2**16
# Rows that the starting frequencies of the codes are counted on; rows that are sampled or scored together.
MARGINAL_ROWS, SAMPLE_BATCH, SCORE_BATCH = 50_000, 1024, 512


def automatic_dropout(n_rows):
    """Return the dropout that "auto" stands for: half the gates while rows are few, none once there are many.

    Examples
    --------
    >>> automatic_dropout(1_000), automatic_dropout(60_000)
    (0.5, 0.0)
    """
    return 0.5 if n_rows < MANY_ROWS else 0.0


def automatic_training(n_rows, grid_shape):
    """Return what "auto" stands for: few rows get 20 to 60 epochs, many 300,000 rows in all, but two epochs at least.

    Examples
    --------
    >>> [automatic_training(n, (7, 7)).max_iter for n in (100, 1_000, 5_000, 60_000, 1_000_000)]
    [60, 30, 20, 5, 2]
    """
    few = n_rows < MANY_ROWS
    return Automatic(
        max_iter=min(60, max(20, 30_000 // n_rows)) if few else max(2, 300_000 // n_rows),
        batch_size=32 if n_rows < 500 else 64,
        learning_rate_init=2e-3 if few else 4e-3,
        bfloat16_pays=grid_shape[0] > 1 and not few,
    )


class LikelihoodObjective(Objective):
    """The negative log-likelihood of grids of codes, in nats per position."""

    def terms(self, batch):
        """Return the loss of codes (b, h, w) int64."""
        return {"loss": self.module.nll(batch)}


class PixelCNN(DensityMixin, BaseNetwork):
    """Log p(codes), in nats, of grids of integer codes, and new grids drawn from it.

    A gated PixelCNN with a vertical and a horizontal stack [1]_ factorises the probability of a grid in raster order,
    ``log p(x) = sum_i log p(x_i | x_1 ... x_{i-1})``, and is trained by maximum likelihood with early stopping on
    held-out rows. Codes are embedded, and so is the position, so that the columns of a table row, a (1, m) grid, may
    differ. Sampling computes each position once per layer, from cached rows.

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
        1 prints about twenty lines, 2 one per epoch.

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
    architecture_ : dict
        What the network is built from (JSON-able).
    weights_ : dict of ndarray
        What the network has learned.
    n_features_in_ : int
        Number of positions, h * w.

    References
    ----------
    .. [1] A. van den Oord, N. Kalchbrenner, O. Vinyals, L. Espeholt, A. Graves, K. Kavukcuoglu, "Conditional Image
       Generation with PixelCNN Decoders", NeurIPS 2016.

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
    """

    def __init__(
        self,
        n_codes=None,
        grid_shape=None,
        *,
        channels=64,
        n_layers=2,
        kernel_size=3,
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

    def fit(self, X, y=None, *, X_val=None):
        """Fit the model to grids of codes.

        Parameters
        ----------
        X : array-like of int, shape (n, h, w), (n, h * w) with `grid_shape`, or (n, m)
            Codes in [0, K).
        y : None
            Ignored.
        X_val : array-like like X, default=None
            Held-out grids; without them `validation_fraction` of X is held out.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For codes that are not whole numbers in range, or if the loss becomes non-finite.
        """
        self._check_parameters()
        codes = self._check_grids(X, reset=True)
        self._forget()
        self.n_codes_ = self._infer_n_codes(codes) if self.n_codes is None else int(self.n_codes)
        held_out = None if X_val is None else self._check_grids(X_val, reset=False)
        return self._fit_codes(codes, held_out)

    def _fit_codes(self, codes, held_out):
        generator = self._generator()
        rows, validation = self._split(
            self._grids(codes), None if held_out is None else self._grids(held_out), self.early_stopping, generator
        )
        architecture = {
            "n_codes": self.n_codes_,
            "grid_shape": list(self.grid_shape_),
            "channels": int(self.channels),
            "n_layers": int(self.n_layers),
            "kernel_size": int(self.kernel_size),
            "dropout": automatic_dropout(len(rows)) if is_auto(self.dropout) else float(self.dropout),
        }
        module = self._build(architecture, generator)
        module.set_marginals(rows.sample(MARGINAL_ROWS, generator))
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

    def _grids(self, codes):
        return Rows(codes, shape=self.grid_shape_, dtype=torch.int64, device=resolve_device(self.device))

    def sample(self, n_samples=1, *, random_state=None, temperature=1.0):
        """Draw grids of codes.

        Parameters
        ----------
        n_samples : int, default=1
            Number of grids.
        random_state : int, RandomState instance or None, default=None
            Seeds the draw.
        temperature : float > 0, default=1.0
            Divides the logits: below 1 likelier codes become likelier still.

        Returns
        -------
        codes : ndarray of shape (n_samples, h * w), or (n_samples, h, w) if `fit` saw such grids, int32 in [0, K)
        """
        check_is_fitted(self, "weights_")
        check_number("n_samples", n_samples, numbers.Integral, low=1)
        check_number("temperature", temperature, low=0, boundaries="neither")
        network = self._network()
        seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
        generator = torch.Generator().manual_seed(int(seed))
        codes = [
            network.sample(min(SAMPLE_BATCH, n_samples - start), generator=generator, temperature=temperature)
            for start in range(0, n_samples, SAMPLE_BATCH)
        ]
        codes = torch.cat(codes).cpu().numpy().astype(CODE_DTYPE)
        return codes if self._grids_in else codes.reshape(n_samples, -1)

    def score_samples(self, X):
        """Return log p(grid) of every row, in nats.

        Parameters
        ----------
        X : array-like of int, of the layout that `fit` saw
            Codes in [0, K).

        Returns
        -------
        log_prob : ndarray of shape (n,), float64
        """
        check_is_fitted(self, "weights_")
        codes = self._check_grids(X, reset=False)
        network = self._network()
        with torch.no_grad():
            parts = [
                network.log_prob(fill_block(batch))[: len(batch)] for batch in self._grids(codes).in_order(SCORE_BATCH)
            ]
        return torch.cat(parts).cpu().double().numpy()

    def score(self, X, y=None):
        """Return the mean of log p(grid) over the rows of X, in nats per row.

        Parameters
        ----------
        X : array-like of int, of the layout that `fit` saw
        y : None
            Ignored.

        Returns
        -------
        float
        """
        return float(np.mean(self.score_samples(X)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.positive_only = True
        tags.input_tags.three_d_array = True
        return tags

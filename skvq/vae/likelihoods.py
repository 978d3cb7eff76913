"""The distributions p(x | z) of a variational autoencoder, with the decoder's output as their parameters.

All share one interface: ``log_prob(x, output)`` in nats, ``mean(output)``, ``draw(output, generator)``, and
``encoder_input(x)``, the form in which the encoder sees a row. The variance of a Gaussian is not learned by gradient
but as a running maximum-likelihood estimate, the mean squared error: the optimum that a gradient would seek [1]_.

References
----------
.. [1] O. Rybkin, K. Daniilidis, S. Levine, "Simple and Effective VAE Training with Calibrated Decoders", ICML 2021,
   section 3.2.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from ..nn import ranks
from .tables import TableLikelihood

LOG_2PI = math.log(2 * math.pi)
# Largest exponent of a Poisson rate; exp(40) times a batch of images still fits float32.
MAX_LOG_RATE = 40.0


class Gaussian(nn.Module):
    """A normal distribution around the output, with one variance, or one for every feature.

    The squared errors of a batch move the running variance in training (`track`); evaluation leaves it alone.

    Parameters
    ----------
    n_variances : int
        1, or the number of features.
    smallest : float
        Below this the variance is not let, so that what a decoder reproduces exactly keeps a finite density.
    decay : float in (0, 1), default=0.99
        Share of the past in the running variance after each batch.
    """

    def __init__(self, n_variances, smallest, decay=0.99):
        super().__init__()
        self.smallest = smallest
        self.decay = decay
        self.register_buffer("variance", torch.ones(n_variances))

    def encoder_input(self, x):
        """Return x itself."""
        return x

    def mean(self, output):
        """Return the output itself."""
        return output

    def log_prob(self, x, output):
        """log p(x | output) of rows x (b, *row_shape), in nats: (b,).

        The output may have leading dimensions more than x: (s, b, *row_shape) gives (s, b).
        """
        n_dims = x.dim() - 1
        error = (x - (output if output.dtype == torch.float64 else output.float())).flatten(-n_dims)
        variance = self.variance.clone()  # `track` may change it before the gradient is taken
        each = error.square() / variance + variance.log() + LOG_2PI
        return -0.5 * each.sum(dim=-1)

    def squared_error(self, x, output):
        """Squared errors of one batch, a mean for each variance: (n_variances,)."""
        error = (x - output.float()).flatten(1).square()
        return error.mean(dim=0) if len(self.variance) > 1 else error.mean().reshape(1)

    def statistics(self, x, output):
        """Return what of a batch the best variance is known from: the :meth:`squared_error`."""
        return self.squared_error(x, output)

    def best_nll(self, statistics, n_values):
        """Return the mean negative log-likelihood of rows of `n_values` values, in nats, at the best variance."""
        variance = statistics.clamp_min(self.smallest)
        return 0.5 * n_values * float((variance.log() + 1.0).mean() + LOG_2PI)

    @torch.no_grad()
    def set_variance(self, variance):
        """Set the variance (n_variances,), raised to the smallest where it is below."""
        self.variance.copy_(variance.to(self.variance).clamp_min(self.smallest))

    @torch.no_grad()
    def track(self, x, output):
        """Move the running variance towards the mean squared error of a batch, in training only."""
        if self.training:
            error = ranks.mean(self.squared_error(x, output))
            self.set_variance(self.decay * self.variance + (1 - self.decay) * error)

    def draw(self, output, generator):
        """Draw rows around the output, of the same shape."""
        noise = torch.randn(output.shape, generator=generator).to(output.device)
        spread = self.variance.sqrt()
        if len(spread) > 1:
            spread = spread.reshape(output.shape[1:])
        return output + spread * noise


class Bernoulli(nn.Module):
    """Independent probabilities of a 1, whose logits are the output; for x in [0, 1].

    For x strictly between 0 and 1 ``log_prob`` is the cross-entropy that is customary for grey values, which is no
    normalised density.
    """

    def encoder_input(self, x):
        """Return x itself."""
        return x

    def mean(self, output):
        """Return the probabilities of a 1."""
        return torch.sigmoid(output.float())

    def log_prob(self, x, output):
        """log p(x | output), in nats; shapes as for :meth:`Gaussian.log_prob`."""
        n_dims = x.dim() - 1
        logits = output.float()
        each = x * logits - F.softplus(logits)
        return each.flatten(-n_dims).sum(dim=-1)

    def track(self, x, output):
        """Do nothing: there is no variance."""

    def draw(self, output, generator):
        """Draw rows of 0 and 1, of the shape of the output."""
        uniform = torch.rand(output.shape, generator=generator).to(output.device)
        return (uniform < self.mean(output)).float()


class Poisson(nn.Module):
    """Independent counts, the logarithms of whose rates are the output; for x = 0, 1, 2, ...

    The encoder is shown log(1 + x), in which a few large counts do not drown the others.
    """

    def encoder_input(self, x):
        """Return log(1 + x)."""
        return torch.log1p(x)

    def mean(self, output):
        """Return the rates."""
        return output.float().clamp_max(MAX_LOG_RATE).exp()

    def log_prob(self, x, output):
        """log p(x | output), in nats; shapes as for :meth:`Gaussian.log_prob`."""
        n_dims = x.dim() - 1
        log_rate = output.float().clamp_max(MAX_LOG_RATE)
        if x.device.type != "mps":  # which has no float64: the three terms of a large count cancel
            x, log_rate = x.double(), log_rate.double()
        each = x * log_rate - log_rate.exp() - torch.lgamma(x + 1)
        return each.flatten(-n_dims).sum(dim=-1).float()

    def track(self, x, output):
        """Do nothing: there is no variance."""

    def draw(self, output, generator):
        """Draw rows of counts, of the shape of the output."""
        return torch.poisson(self.mean(output).cpu(), generator=generator).to(output.device)


def build_likelihood(name, n_features, blocks=None):
    """Return the likelihood of the parameter `likelihood` for rows of `n_features` values, or of a table's blocks.

    A variance is at least 1e-6 if all features share it and 1e-3 if each has one of its own, on standardised values: a
    feature that never varies would otherwise have a density without bound, and outweigh all others.
    """
    if blocks is not None:
        n_scores = sum(block.has_score for block in blocks)
        per_feature = name == "gaussian_per_feature"
        return TableLikelihood(blocks, max(1, n_scores) if per_feature else 1, 1e-3 if per_feature else 1e-6)
    kinds = {
        "gaussian": lambda: Gaussian(1, 1e-6),
        "gaussian_per_feature": lambda: Gaussian(n_features, 1e-3),
        "bernoulli": Bernoulli,
        "poisson": Poisson,
    }
    return kinds[name]()

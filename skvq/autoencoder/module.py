"""The autoencoder [1]_, its variants, and their penalties.

Codes are real numbers, non-negative ones (`relu`), or in (0, 1) (`sigmoid`). The sparsity penalties :func:`sparsity_l1`
and :func:`sparsity_kl` [2]_ belong to the last two; :func:`jacobian_penalty` makes an autoencoder contractive [3]_.

References
----------
.. [1] G. E. Hinton, R. R. Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks", Science 313, 2006.
.. [2] A. Ng, "Sparse autoencoder", CS294A lecture notes, Stanford University, 2011, section 3.
.. [3] S. Rifai et al., "Contractive Auto-Encoders: Explicit Invariance During Feature Extraction", ICML 2011.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..nn import ranks

CODE_ACTIVATIONS = {"identity": nn.Identity, "relu": nn.ReLU, "sigmoid": nn.Sigmoid}


class SquaredError(nn.Module):
    """The decoder's outputs are the reconstruction; the loss is the mean squared error, over all elements."""

    def mean(self, outputs):
        """Outputs (b, *row_shape) → standardised rows."""
        return outputs

    def forward(self, outputs, x):
        """Return the loss, a scalar, of outputs for the standardised rows x."""
        return F.mse_loss(outputs, x)


class LogLoss(nn.Module):
    """The decoder's outputs are logits of values in [0, 1]; the loss is the binary cross-entropy in nats, a mean.

    Parameters
    ----------
    row_shape : tuple of int
        Shape of a row.
    """

    def __init__(self, row_shape):
        super().__init__()
        self.register_buffer("shift", torch.zeros(tuple(row_shape)))
        self.register_buffer("scale", torch.ones(tuple(row_shape)))

    def set_units(self, shift, scale):
        """Take shift and scale of the standardisation, arrays of shape (n_features,)."""
        self.shift.copy_(torch.as_tensor(shift).reshape(self.shift.shape))
        self.scale.copy_(torch.as_tensor(scale).reshape(self.scale.shape))

    def mean(self, outputs):
        """Logits (b, *row_shape) → standardised rows."""
        return (torch.sigmoid(outputs) - self.shift) / self.scale

    def forward(self, outputs, x):
        """Return the loss, a scalar, of logits for the standardised rows x."""
        return F.binary_cross_entropy_with_logits(outputs, (x * self.scale + self.shift).clamp(0, 1))


class TransposedDecoder(nn.Module):
    """A decoder whose matrices are the encoder's, transposed; only its biases are its own.

    Vectors (64, 4) become rows (64, 13) if the encoder makes vectors (64, 4) of rows (64, 13).

    Parameters
    ----------
    encoder : VectorEncoder
        With a dense network or none.
    row_shape : tuple of int
        Shape of a row.
    """

    def __init__(self, encoder, row_shape):
        super().__init__()
        self.row_shape = tuple(row_shape)
        self.mirrored = (encoder,)  # in a tuple, so that the encoder's weights are not this module's too
        self.bias = nn.Parameter(torch.zeros(encoder.linear.in_features))
        layers = [] if encoder.network is None else [part for part in encoder.network if isinstance(part, nn.Linear)]
        self.hidden_biases = nn.ParameterList(
            nn.Parameter(torch.zeros(layer.in_features)) for layer in layers[1:][::-1]
        )

    def forward(self, z):
        """Vectors (b, n_in) → rows (b, *row_shape)."""
        (encoder,) = self.mirrored
        with torch.autocast(z.device.type, enabled=False):
            x = F.linear(z.float(), encoder.linear.matrix.T, self.bias)
        if encoder.network is not None:
            x = x + self._network(z, encoder.network).float()
        return x.unflatten(1, self.row_shape)

    def _network(self, h, network):
        *_, last = network
        h = F.linear(h, last.weight.T, self.hidden_biases[0])
        layers = list(network)[:-1]  # linear, activation, dropout, and again
        biases = [*self.hidden_biases[1:], None]
        for bias, position in zip(biases, range(len(layers) - 3, -1, -3)):
            layer, activation, dropout = layers[position : position + 3]
            h = F.linear(dropout(activation(h)), layer.weight.T, bias)
        return h


class AutoEncoder(nn.Module):
    """Encoder, code, decoder as one network.

    Rows (128, 28, 28, 1) with 16 components have codes (128, 16), which are decoded to rows (128, 28, 28, 1).

    Parameters
    ----------
    encoder : torch.nn.Module
        (b, *row_shape) → (b, n_components).
    decoder : torch.nn.Module
        (b, n_components) → (b, *row_shape): what `loss` reads.
    loss : SquaredError or LogLoss
    code_activation : {"identity", "relu", "sigmoid"}, default="identity"
        Follows the encoder.
    """

    def __init__(self, encoder, decoder, loss, code_activation="identity"):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.loss = loss
        self.code_activation = CODE_ACTIVATIONS[code_activation]()

    def forward(self, x):
        """Rows (b, *row_shape) → codes (b, n_components) and outputs (b, *row_shape)."""
        z = self.code_activation(self.encoder(x))
        return z, self.decoder(z)

    @torch.no_grad()
    def encode(self, x):
        """Rows (b, *row_shape) → codes (b, n_components)."""
        return self.code_activation(self.encoder(x))

    @torch.no_grad()
    def decode(self, z):
        """Codes (b, n_components) → standardised rows (b, *row_shape)."""
        return self.loss.mean(self.decoder(z))


def sparsity_l1(z, target):
    """Mean of |z| over all elements of the codes z (b, n_components); `target` has no part in it."""
    return z.abs().mean()


def sparsity_kl(z, target):
    """Divergence, in nats, of how active each component is from the share `target` at which it should be.

    Codes z (b, n_components) in [0, 1] are averaged over the batch; the mean over components of KL(target || average),
    between two Bernoulli distributions, is returned.
    """
    average = ranks.mean(z.float().mean(dim=0)).clamp(1e-6, 1 - 1e-6)
    on = target * (target / average).log()
    off = (1 - target) * ((1 - target) / (1 - average)).log()
    return (on + off).mean()


def jacobian_penalty(x, z, noise, *, create_graph):
    """Estimate, from one random direction a row, the squared Frobenius norm of dz/dx, divided by the length of z.

    The expectation over `noise` is the mean over the rows of ||dz/dx||² / n_components: a code of principal components
    has 1.

    Parameters
    ----------
    x : Tensor of shape (b, ...)
        Requires gradients.
    z : Tensor of shape (b, n_components)
        A function of x, row by row.
    noise : Tensor of shape (b, n_components)
        Standard normal.
    create_graph : bool
        Whether gradients will be taken of the result.
    """
    (gradient,) = torch.autograd.grad(z, x, noise.to(z), create_graph=create_graph)
    return gradient.float().square().sum() / z.numel()

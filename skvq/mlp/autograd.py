"""Dense networks with dropout or normalisation, on any device, whose gradients come from autograd.

References
----------
.. [1] S. Ioffe, C. Szegedy, "Batch Normalization", ICML 2015.
.. [2] J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer Normalization", arXiv:1607.06450, 2016.
.. [3] N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov, "Dropout", JMLR 15, 2014.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..nn.draws import Dropout
from .activations import ACTIVATIONS
from .network import Parameters

# Share of a batch in the running means of batch normalisation, and the number added to variances (torch's values).
RUNNING_SHARE, EPSILON = 0.1, 1e-5


class AutogradNetwork:
    """A dense network with a loss: linear, normalisation [1]_ [2]_, activation, dropout [3]_ for each hidden layer.

    Rows (200, 20) with ``widths=(20, 100, 3)`` become outputs (3, 200). It has the attributes and methods of
    :class:`DenseNetwork`.

    Parameters
    ----------
    widths, activation, loss, dtype
        As for :class:`DenseNetwork`.
    normalization : {None, "batch", "layer"}, default=None
        What stands before each activation.
    dropout : float in [0, 1), default=0.0
        Share of hidden units that are zeroed in training.
    generator : torch.Generator, default=None
        Draws what dropout zeroes.
    device : torch.device, default="cpu"
    """

    def __init__(
        self,
        widths,
        activation,
        loss,
        dtype=torch.float32,
        *,
        normalization=None,
        dropout=0.0,
        generator=None,
        device="cpu",
    ):
        self.activation = ACTIVATIONS[activation]
        self.loss = loss
        self.normalization = normalization
        self.parameters = Parameters(widths, dtype, normalized=normalization is not None, device=device)
        self.gradient = Parameters(widths, dtype, normalized=normalization is not None, device=device)
        for scale in self.parameters.scales:
            scale.fill_(1.0)
        hidden = widths[1:-1]
        self.means = [torch.zeros(width, dtype=dtype, device=device) for width in hidden]
        self.variances = [torch.ones(width, dtype=dtype, device=device) for width in hidden]
        self.dropout = Dropout(dropout)
        self.dropout.generator = generator
        self._tie_to_autograd()

    def _tie_to_autograd(self):
        """Make leaves of autograd that share the memory of the buffers, gradients included."""
        leaves = []
        for values, gradients in zip(self.parameters.groups(), self.gradient.groups()):
            leaves.append([value.detach().requires_grad_() for value in values])
            for leaf, gradient in zip(leaves[-1], gradients):
                leaf.grad = gradient
        self.weights, self.biases, self.scales, self.shifts = leaves

    def training_mode(self):
        """Return the context that gradients are taken in."""
        return torch.enable_grad()

    def state(self):
        """Return all tensors that describe the network."""
        return [self.parameters.flat, *self.means, *self.variances]

    def reported(self, loss):
        """Return a sum of losses as a user sees it."""
        return float(loss) / self.loss.divisor(self.parameters.n_outputs)

    def _forward(self, x, *, training):
        """Return the outputs (o, b), before their activation, of rows x (b, p)."""
        self.dropout.train(training)
        x = x if isinstance(x, torch.Tensor) else torch.from_numpy(x.toarray()).to(self.parameters.flat.device)
        for layer in range(len(self.weights) - 1):
            z = torch.addmm(self.biases[layer], x, self.weights[layer])  # (b, h)
            x = self.dropout(self.activation.function(self._normalize(z, layer, training=training)))
        return torch.mm(self.weights[-1], x.T) + self.biases[-1].unsqueeze(1)

    def _normalize(self, z, layer, *, training):
        if self.normalization is None:
            return z
        scale, shift = self.scales[layer], self.shifts[layer]
        if self.normalization == "layer":
            return F.layer_norm(z, z.shape[1:], scale, shift, EPSILON)
        # One row has no variance: it is normalised by the running means.
        by_batch = training and len(z) > 1
        return F.batch_norm(z, self.means[layer], self.variances[layer], scale, shift, by_batch, RUNNING_SHARE, EPSILON)

    def accumulate(self, x, y, weight, scale, *, first):
        """See :meth:`DenseNetwork.accumulate`."""
        if first:
            self.gradient.flat.zero_()
        loss = self.loss.value(self._forward(x, training=True), y, weight)
        (loss * scale).backward()
        return loss.detach()

    @torch.no_grad()
    def loss_sum(self, x, y, weight):
        """See :meth:`DenseNetwork.loss_sum`."""
        return self.loss.value(self._forward(x, training=False), y, weight)

    @torch.no_grad()
    def outputs(self, x):
        """Return outputs (n_outputs, b), before their activation."""
        return self._forward(x, training=False)

    def normalization_arrays(self):
        """Return the state of the normalised layers as a dict of ndarrays, empty if there are none."""
        if self.normalization is None:
            return {}
        kinds = {"scale": self.parameters.scales, "shift": self.parameters.shifts}
        if self.normalization == "batch":
            kinds |= {"mean": self.means, "variance": self.variances}
        return {
            f"{kind}_{i}": value.cpu().numpy().copy()
            for kind, values in kinds.items()
            for i, value in enumerate(values)
        }

    def load_normalization(self, arrays):
        """Put back the state that :meth:`normalization_arrays` returned."""
        kinds = {
            "scale": self.parameters.scales,
            "shift": self.parameters.shifts,
            "mean": self.means,
            "variance": self.variances,
        }
        for name, array in arrays.items():
            kind, layer = name.split("_")
            kinds[kind][int(layer)].copy_(torch.tensor(array))

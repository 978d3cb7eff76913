"""Plain dense networks by hand-written forward and backward passes over one flat buffer of parameters.

A step of a small network costs less than the bookkeeping of autograd and of an optimiser over many tensors
(`benchmarks/mlp.py`), so here all weights and biases are views of one buffer, all gradients of another, and every
intermediate result has memory that is allocated once. The output layer is held transposed, (n_outputs, n_rows): matrix
products are slow for narrow outputs otherwise.
"""

from __future__ import annotations

from itertools import pairwise
from math import prod

import torch

from .activations import ACTIVATIONS


def views(buffer, shapes):
    """Return consecutive pieces of a flat tensor as tensors of the given shapes, sharing its memory."""
    pieces, start = [], 0
    for shape in shapes:
        pieces.append(buffer[start : start + prod(shape)].view(shape))
        start += prod(shape)
    return pieces


class Parameters:
    """Weights and biases of a dense network in one flat buffer: all weights first, then all biases.

    Widths (20, 100, 3) make weights of shapes (20, 100) and (3, 100): that of the last layer is transposed.

    Parameters
    ----------
    widths : sequence of int
        Of the input, the hidden layers and the output.
    dtype : torch.dtype
    normalized : bool, default=False
        Whether hidden layers have a scale and a shift for each unit, at the end of the buffer.
    device : torch.device, default="cpu"

    Attributes
    ----------
    flat : Tensor of shape (n_parameters,)
    weights, biases : list of Tensor
        Views of `flat`, one for each layer.
    scales, shifts : list of Tensor
        Views of `flat`, one for each normalised layer.
    penalized : Tensor of shape (n_weights,)
        The part of `flat` that holds the weights.
    n_outputs : int
    """

    def __init__(self, widths, dtype, *, normalized=False, device="cpu"):
        shapes = list(pairwise(widths))
        shapes[-1] = shapes[-1][::-1]
        n_weights = sum(prod(shape) for shape in shapes)
        self.n_outputs = widths[-1]
        units = [(width,) for width in widths[1:]]
        hidden = units[:-1] if normalized else []
        sizes = [*shapes, *units, *hidden, *hidden]
        self.flat = torch.zeros(sum(prod(size) for size in sizes), dtype=dtype, device=device)
        self.penalized = self.flat[:n_weights]
        pieces = iter(views(self.flat, sizes))
        self.weights = [next(pieces) for _ in shapes]
        self.biases = [next(pieces) for _ in units]
        self.scales = [next(pieces) for _ in hidden]
        self.shifts = [next(pieces) for _ in hidden]

    def groups(self):
        """Return weights, biases, scales and shifts."""
        return self.weights, self.biases, self.scales, self.shifts

    def load(self, coefs, intercepts):
        """Copy ndarrays of shapes (fan_in, fan_out) and (fan_out,) into the buffer."""
        for weight, coef in zip(self._untransposed(), coefs):
            weight.copy_(torch.tensor(coef))  # as_tensor would warn of memory-mapped weights
        for bias, intercept in zip(self.biases, intercepts):
            bias.copy_(torch.tensor(intercept))

    def arrays(self, dtype):
        """Return copies as two lists of ndarrays of `dtype`, coefs (fan_in, fan_out) and intercepts (fan_out,)."""
        coefs = [weight.cpu().numpy().astype(dtype, order="C") for weight in self._untransposed()]
        return coefs, [bias.cpu().numpy().astype(dtype) for bias in self.biases]

    def _untransposed(self):
        return [*self.weights[:-1], self.weights[-1].T]


class _Workspace:
    """Memory for one batch of b rows: the outputs of every layer, and the errors that come back."""

    def __init__(self, n_rows, widths, dtype, keeps_input):
        *hidden, n_outputs = widths[1:]
        self.outputs = [torch.empty(n_rows, width, dtype=dtype) for width in hidden]  # (b, h)
        self.inputs = [torch.empty_like(out) for out in self.outputs] if keeps_input else self.outputs
        self.errors = [torch.empty_like(out) for out in self.outputs]
        self.last = torch.empty(n_outputs, n_rows, dtype=dtype)  # (o, b)
        self.outputs_t = [out.T for out in self.outputs]
        self.last_t = self.last.T


def _product(x, weight):
    """Return the product of a sparse matrix and a tensor as a tensor."""
    return torch.from_numpy(x @ weight.numpy())


def _affine(x, weight, bias, out):
    """Write x @ weight + bias into `out` (b, h); x (b, p) is a tensor or a sparse matrix."""
    if isinstance(x, torch.Tensor):
        torch.addmm(bias, x, weight, out=out)
    else:
        torch.add(_product(x, weight), bias, out=out)


def _add_product(left, right, out):
    """Add left @ right to `out`."""
    torch.addmm(out, left, right, out=out)


def _add_sum(values, over, out):
    """Add the sum of `values` over one axis to `out`."""
    out.add_(values.sum(over))


def _sparse_gradient(x, error, out, *, first):
    """Write x.T @ error into `out` if `first`, else add it; x is a sparse matrix."""
    product = _product(x.T, error)
    out.copy_(product) if first else out.add_(product)


class DenseNetwork:
    """A dense network with a loss, whose gradients are written by hand.

    Rows (200, 20) with ``widths=(20, 100, 3)`` become outputs (3, 200).

    Parameters
    ----------
    widths : sequence of int
        Of the input, the hidden layers and the output.
    activation : str
        Of the hidden layers; a key of :data:`ACTIVATIONS`.
    loss : Loss
    dtype : torch.dtype, default=torch.float32

    Attributes
    ----------
    parameters, gradient : Parameters
        What is trained, and the derivative of the loss by it.
    """

    def __init__(self, widths, activation, loss, dtype=torch.float32):
        self.widths = tuple(widths)
        self.activation = ACTIVATIONS[activation]
        self.loss = loss
        self.dtype = dtype
        self.parameters = Parameters(widths, dtype)
        self.gradient = Parameters(widths, dtype)
        *hidden, last = self.parameters.weights
        self._after = [weight.T for weight in hidden[1:]] + [last]  # bring an error back to each hidden layer
        self._last_bias = self.parameters.biases[-1].unsqueeze(1)
        self._workspaces = {}

    def training_mode(self):
        """Return the context that gradients are taken in: without autograd, whose bookkeeping would cost a fifth."""
        return torch.inference_mode()

    def state(self):
        """Return all tensors that describe the network."""
        return [self.parameters.flat]

    def reported(self, loss):
        """Return a sum of losses as a user sees it."""
        return float(loss) / self.loss.divisor(self.widths[-1])

    def _workspace(self, n_rows):
        """Return memory for `n_rows`; that of the two latest sizes (most batches, and the last one) is kept."""
        if n_rows not in self._workspaces:
            if len(self._workspaces) == 2:
                self._workspaces.pop(next(iter(self._workspaces)))
            with torch.inference_mode(False):  # memory that is of use in any mode
                self._workspaces[n_rows] = _Workspace(n_rows, self.widths, self.dtype, self.activation.needs_input)
        return self._workspaces[n_rows]

    def _forward(self, x, work):
        """Return the outputs (o, b), before their activation, of rows x (b, p)."""
        weights, biases = self.parameters.weights, self.parameters.biases
        apply = self.activation.apply
        for weight, bias, z, a in zip(weights, biases, work.inputs, work.outputs):
            _affine(x, weight, bias, out=z)
            apply(z, a)
            x = a
        if work.outputs:
            torch.addmm(self._last_bias, weights[-1], work.outputs_t[-1], out=work.last)
        else:
            _affine(x, weights[-1].T, biases[-1], out=work.last_t)
        return work.last

    def accumulate(self, x, y, weight, scale, *, first):
        """Add `scale` times the derivative of a batch's loss to the gradient; return the sum of the losses.

        Parameters
        ----------
        x : Tensor of shape (b, p), or sparse matrix
        y : Tensor of shape (n_outputs, b)
            See :class:`Loss`.
        weight : Tensor of shape (b,) or None
            Weights of the rows.
        scale : float
        first : bool
            Whether to start from a gradient of zero.
        """
        work = self._workspace(x.shape[0])
        error = self._forward(x, work)  # (o, b)
        loss = self.loss.error_(error, y, weight)
        error.mul_(scale)
        product, total = (torch.mm, torch.sum) if first else (_add_product, _add_sum)
        gradients, biases = self.gradient.weights, self.gradient.biases
        total(error, 1, out=biases[-1])
        depth = len(work.outputs)
        if depth:
            product(error, work.outputs[-1], out=gradients[-1])
        for layer in range(depth - 1, -1, -1):
            # (b, h): the last layer's weights and error are transposed already
            error, following = work.errors[layer], work.last_t if layer == depth - 1 else error
            torch.mm(following, self._after[layer], out=error)
            self.activation.backward(error, work.inputs[layer], work.outputs[layer])
            total(error, 0, out=biases[layer])
            if layer:
                product(work.outputs_t[layer - 1], error, out=gradients[layer])
        first_gradient = gradients[0] if depth else gradients[0].T  # (p, h)
        error = error if depth else work.last_t
        if isinstance(x, torch.Tensor):
            product(x.T, error, out=first_gradient)
        else:
            _sparse_gradient(x, error, first_gradient, first=first)
        return loss

    def loss_sum(self, x, y, weight):
        """Return the sum of the losses of a batch, with nothing else done."""
        return self.loss.value(self._forward(x, self._workspace(x.shape[0])), y, weight)

    def outputs(self, x):
        """Return outputs (n_outputs, b), before their activation, which the next call overwrites."""
        return self._forward(x, self._workspace(x.shape[0]))


def outputs(coefs, intercepts, activation, x):
    """Return outputs (b, n_outputs), before their activation, of rows x (b, p), with little to prepare.

    Parameters
    ----------
    coefs, intercepts : list of ndarray
        Of shapes (fan_in, fan_out) and (fan_out,).
    activation : str
    x : ndarray or sparse matrix of shape (b, p)
        In the dtype of the weights.
    """
    apply = ACTIVATIONS[activation].apply
    for coef, intercept in zip(coefs[:-1], intercepts[:-1]):
        x = x @ coef  # (b, h)
        x += intercept
        hidden = torch.from_numpy(x)
        apply(hidden, hidden)
    x = x @ coefs[-1]  # (b, n_outputs)
    x += intercepts[-1]
    return x

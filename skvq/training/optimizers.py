"""The gradient steps of training: Adam for vectors, embeddings and convolutions, Muon for matrices."""

import math

import torch
from torch.optim.adamw import adamw

from ..nn import ranks
from .checkpoints import pack, unpack

# Muon's learning rate as a multiple of Adam's, and the steps of its Newton-Schulz iteration: on images its usual five
# gain nothing over three.
MUON_RATE, MUON_STEPS, MUON_MOMENTUM = 3.0, 3, 0.95
# x -> a x + b x^3 + c x^5 on singular values, with the coefficients of Jordan et al. 2024: of the greatest slope at 0.
QUINTIC, SMALLEST_NORM = (3.4445, -4.7750, 2.0315), 1e-7


class Adam:
    """torch.optim.AdamW, by torch's own function.

    The class would import torch's compiler, which nothing here uses, for more than a second.

    Parameters
    ----------
    parameters : list of Parameter
    betas : pair of float
        Of the running means of the gradients and of their squares.
    alpha : float
        Decoupled weight decay.
    """

    def __init__(self, parameters, betas, alpha):
        self.parameters = parameters
        self.options = {"beta1": betas[0], "beta2": betas[1], "weight_decay": alpha, "eps": 1e-8, "fused": True}
        self.memory = {}  # by the position of a parameter

    @torch.no_grad()
    def step(self, rate):
        """Move the parameters that have a gradient, at a learning rate."""
        moved = {i: parameter for i, parameter in enumerate(self.parameters) if parameter.grad is not None}
        for i in moved.keys() - self.memory.keys():
            means = {name: torch.zeros_like(moved[i]) for name in ("exp_avg", "exp_avg_sq")}
            self.memory[i] = {"step": torch.zeros((), device=moved[i].device)} | means
        gradients, memory = [one.grad for one in moved.values()], [self.memory[i] for i in moved]
        steps, means, squares = ([one[name] for one in memory] for name in ("step", "exp_avg", "exp_avg_sq"))
        options = self.options | {"lr": rate, "amsgrad": False, "maximize": False}
        adamw(list(moved.values()), gradients, means, squares, [], steps, **options)


class Muon:
    """Muon [1]_: steps whose singular values are all near one, in the bits of torch.optim.Muon but in less time.

    A step is the running mean of the gradients, a step of Nesterov's ahead, made nearly orthogonal by a Newton-Schulz
    iteration [2]_. Matrices of one shape go through the iteration together.

    Parameters
    ----------
    parameters : list of Parameter
        Matrices.
    alpha : float
        Decoupled weight decay.
    dtype : torch.dtype
        Of the iteration: bfloat16 as in [2]_, or float32.

    References
    ----------
    .. [1] J. Liu et al., "Muon is Scalable for LLM Training", arXiv:2502.16982, 2025, eq. 1 and 2.
    .. [2] K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024.
    """

    def __init__(self, parameters, alpha, dtype):
        self.parameters = parameters
        self.alpha, self.dtype = alpha, dtype
        self.memory = {}  # by the position of a parameter

    @torch.no_grad()
    def step(self, rate):
        """Move the matrices that have a gradient, at a learning rate."""
        by_shape = {}
        for i, parameter in enumerate(self.parameters):
            if parameter.grad is not None:
                self.memory.setdefault(i, {"momentum_buffer": torch.zeros_like(parameter)})
                by_shape.setdefault(parameter.shape, []).append(i)
        for (n_rows, n_columns), places in by_shape.items():
            matrices = [self.parameters[i] for i in places]
            gradients, means = ([m.grad for m in matrices], [self.memory[i]["momentum_buffer"] for i in places])
            torch._foreach_lerp_(means, gradients, 1 - MUON_MOMENTUM)
            ahead = torch.stack(torch._foreach_lerp(gradients, means, MUON_MOMENTUM))
            moves = nearly_orthogonal(ahead.to(self.dtype)).to(ahead.dtype)
            torch._foreach_mul_(matrices, 1 - rate * self.alpha)
            torch._foreach_add_(matrices, list(moves), alpha=-rate * math.sqrt(max(1.0, n_rows / n_columns)))


def nearly_orthogonal(matrices):
    """Return matrices (k, n, m) with all singular values near one in place of their own, zeros for zeros.

    Examples
    --------
    >>> found = nearly_orthogonal(torch.tensor([[[3.0, 0.0], [0.0, 0.5]]]))
    >>> [round(float(value), 1) for value in found.flatten()]
    [0.7, 0.0, 0.0, 0.9]
    """
    first, second, third = QUINTIC
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if is_tall else matrices
    x = x / torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True).clamp(min=SMALLEST_NORM)
    for _ in range(MUON_STEPS):
        squares = x @ x.mT
        polynomial = torch.baddbmm(squares, squares, squares, beta=second, alpha=third)
        x = torch.baddbmm(x, polynomial, x, beta=first)
    return x.mT if is_tall else x


class Optimizer:
    """Takes the gradient steps of a module's parameters.

    Vectors, embeddings and convolutions move by Adam with decoupled weight decay [1]_. Matrices that are named move by
    :class:`Muon`. One learning rate serves both; Muon's is three times it.

    Parameters
    ----------
    parameters : iterable of Parameter
        All that are trained.
    matrices : iterable of Parameter
        Those of them, with two axes, that Muon moves.
    settings : Settings
        Rate, momenta, weight decay, the largest norm of the gradients, and the precision in which Muon iterates.

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
    """

    def __init__(self, parameters, matrices, settings):
        self.parameters, matrices = list(parameters), list(matrices)
        self.max_grad_norm = settings.max_grad_norm
        of_muon = {id(matrix) for matrix in matrices}
        others = [parameter for parameter in self.parameters if id(parameter) not in of_muon]
        self.parts = [Adam(others, settings.betas, settings.alpha)]
        if matrices:
            self.parts.append(Muon(matrices, settings.alpha, getattr(torch, settings.precision)))
        self.set_rate(settings.learning_rate_init)

    def set_rate(self, rate):
        """Set the learning rate of Adam, and with it that of Muon."""
        self.rates = [rate, MUON_RATE * rate][: len(self.parts)]

    def step(self, loss, factor):
        """Go down the gradient of a loss, at `factor` times the learning rates."""
        for parameter in self.parameters:
            parameter.grad = None
        loss.backward()
        ranks.add(*(parameter.grad for parameter in self.parameters if parameter.grad is not None))
        if self.max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.max_grad_norm)
        for part, rate in zip(self.parts, self.rates):
            part.step(rate * factor)

    def state(self):
        """Return what the steps so far left behind, for a checkpoint: by part an ndarray, and what it is made of."""
        state = {}
        for number, part in enumerate(self.parts):
            entries = [(i, name, value) for i, values in part.memory.items() for name, value in values.items()]
            state[f"optimizer.{number}"] = pack([value for _, _, value in entries])
            state[f"optimizer.{number}.names"] = [[i, name, value.dim() == 0] for i, name, value in entries]
        return state

    def load(self, state):
        """Put back what :meth:`state` returned; the memory of a parameter lies in the order of the parameter."""
        for number, part in enumerate(self.parts):
            names, memory = state[f"optimizer.{number}.names"], {}
            for i, name, is_scalar in names:
                like = part.parameters[i].detach()
                memory.setdefault(i, {})[name] = torch.zeros((), device=like.device) if is_scalar else like.clone()
            unpack(state[f"optimizer.{number}"], [memory[i][name] for i, name, _ in names])
            part.memory = memory

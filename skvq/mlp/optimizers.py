"""Optimisers that move one flat buffer of parameters along one flat gradient.

Their state is a dict of tensors and numbers, so that a training can go on where it ended.

References
----------
.. [1] D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015.
.. [2] I. Sutskever, J. Martens, G. Dahl, G. Hinton, "On the importance of initialization and momentum in deep
   learning", ICML 2013, section 2.
"""

import math

import torch


class Adam:
    """Adam [1]_, algorithm 1 in the order of section 2's last paragraph: epsilon is added to the uncorrected √v.

    Parameters
    ----------
    parameters, gradient : Tensor of shape (n,)
        What is moved, in place, and the buffer that the gradient is read from.
    beta_1, beta_2 : float in [0, 1)
        Decay of the running means of the gradient and of its square.
    epsilon : float
        Added to the root of the running mean square.
    """

    def __init__(self, parameters, gradient, *, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        self.parameters = parameters
        self.gradient = gradient
        self.betas = beta_1, beta_2
        self.epsilon = epsilon
        self.mean = torch.zeros_like(parameters)
        self.square = torch.zeros_like(parameters)
        self.n_steps = 0
        self.fused = hasattr(torch, "_fused_adam_") and parameters.device.type in ("cpu", "cuda")
        # The fused kernel corrects the means by the number of steps. With so many steps it corrects nothing, because
        # `step` does that, in the form that adds epsilon to the uncorrected root.
        self._many = torch.full((), 1e15, device=parameters.device)

    def step(self, rate):
        """Move the parameters by one step of the learning rate `rate`."""
        self.n_steps += 1
        beta_1, beta_2 = self.betas
        size = rate * math.sqrt(1 - beta_2**self.n_steps) / (1 - beta_1**self.n_steps)
        if not self.fused:
            self.mean.lerp_(self.gradient, 1 - beta_1)
            self.square.mul_(beta_2).addcmul_(self.gradient, self.gradient, value=1 - beta_2)
            self.parameters.addcdiv_(self.mean, self.square.sqrt().add_(self.epsilon), value=-size)
            return
        torch._fused_adam_(
            [self.parameters],
            [self.gradient],
            [self.mean],
            [self.square],
            [],
            [self._many],
            lr=size,
            beta1=beta_1,
            beta2=beta_2,
            weight_decay=0.0,
            eps=self.epsilon,
            amsgrad=False,
            maximize=False,
        )

    def state(self):
        """Return the memory of the optimiser, a dict of ndarrays and numbers, for a training that goes on."""
        return {
            "mean": self.mean.cpu().numpy().copy(),
            "square": self.square.cpu().numpy().copy(),
            "n_steps": self.n_steps,
        }

    def fits(self, state):
        """Return whether `state` is one of this kind and size."""
        return len(state.get("mean", ())) == len(self.mean)

    def load(self, state):
        """Put back the memory that :meth:`state` returned."""
        self.mean.copy_(torch.tensor(state["mean"]))
        self.square.copy_(torch.tensor(state["square"]))
        self.n_steps = state["n_steps"]


class SGD:
    """Gradient descent with momentum, plain or Nesterov's [2]_.

    Parameters
    ----------
    parameters, gradient : Tensor of shape (n,)
        What is moved, in place, and the buffer that the gradient is read from.
    momentum : float in [0, 1]
        Share of the last step that the next one keeps.
    nesterov : bool
        Whether a step looks ahead by the momentum.
    """

    def __init__(self, parameters, gradient, *, momentum=0.9, nesterov=True):
        self.parameters = parameters
        self.gradient = gradient
        self.momentum = momentum
        self.nesterov = nesterov
        self.velocity = torch.zeros_like(parameters)

    def step(self, rate):
        """Move the parameters by one step of the learning rate `rate`."""
        self.velocity.mul_(self.momentum).add_(self.gradient, alpha=-rate)
        if self.nesterov:
            self.parameters.add_(self.velocity, alpha=self.momentum).add_(self.gradient, alpha=-rate)
        else:
            self.parameters.add_(self.velocity)

    def state(self):
        """Return the memory of the optimiser, a dict of ndarrays, for a training that goes on."""
        return {"velocity": self.velocity.cpu().numpy().copy()}

    def fits(self, state):
        """Return whether `state` is one of this kind and size."""
        return len(state.get("velocity", ())) == len(self.velocity)

    def load(self, state):
        """Put back the memory that :meth:`state` returned."""
        self.velocity.copy_(torch.tensor(state["velocity"]))

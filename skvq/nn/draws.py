"""Layers and dropout that draw from a passed generator; the global one is never touched."""

import functools
import math

import torch
from torch import nn

from . import ranks


def uniform(shape, fan_in, generator):
    """Return a parameter drawn from U(-b, b) with variance 1 / `fan_in`."""
    bound = math.sqrt(3.0 / fan_in)
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))


def linear(in_features, out_features, generator):
    """Return a linear layer with weights of variance 1 / `in_features` and zero bias; all zero without a generator."""
    layer = nn.utils.skip_init(nn.Linear, in_features, out_features)
    nn.init.zeros_(layer.bias)
    nn.init.zeros_(layer.weight)
    if generator is not None:
        layer.weight = uniform(layer.weight.shape, in_features, generator)
    return layer


def undrawn_linear(in_features, out_features, bias=True):
    """Return a linear layer whose weights are still to be drawn."""
    return nn.utils.skip_init(nn.Linear, in_features, out_features, bias=bias)


def default_generator():
    """Return a generator seeded with 0: as good as any, where a state dictionary is loaded next."""
    return torch.Generator().manual_seed(0)


class Dropout(nn.Module):
    """Zeroes elements with probability p in training and scales the others by 1 / (1 - p).

    Like `torch.nn.Dropout`, except that the draw comes from :attr:`generator`, so that training leaves the global
    generator alone. `draw_from` sets it for all such layers of a network.

    Parameters
    ----------
    p : float in [0, 1)
        Probability that an element is zeroed.
    """

    def __init__(self, p):
        super().__init__()
        self.p = p
        self.generator = None

    def forward(self, x):
        """(...,) → (...,)."""
        if not self.training or self.p == 0:
            return x
        keep = ranks.drawn(functools.partial(self._draw, x), x.shape)
        return x * keep.to(x.device).div_(1 - self.p)

    def _draw(self, x, shape):
        keep = torch.empty(shape, dtype=x.dtype, device=self.generator.device if self.generator else x.device)
        return keep.bernoulli_(1 - self.p, generator=self.generator)


def draw_from(generator, module):
    """Make every :class:`Dropout` inside `module` draw from `generator` (torch.Generator)."""
    for part in module.modules():
        if isinstance(part, Dropout):
            part.generator = generator

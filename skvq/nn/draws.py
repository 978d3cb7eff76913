"""Layers, dropout and noise that draw from a passed generator; the global one is never touched."""

import functools
import math

import torch
from torch import nn

from . import ranks

# torch.multinomial draws from fewer categories than these.
MOST_CATEGORIES = 2**24


def uniform(shape, fan_in, generator):
    """Return a parameter drawn from U(-b, b) with variance 1 / `fan_in`."""
    bound = math.sqrt(3.0 / fan_in)
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))


def linear(in_features, out_features, generator):
    """Return a linear layer with weights of variance 1 / `in_features` and zero bias; all zero without a generator."""
    layer = undrawn(nn.Linear, in_features, out_features)
    nn.init.zeros_(layer.bias)
    nn.init.zeros_(layer.weight)
    if generator is not None:
        layer.weight = uniform(layer.weight.shape, in_features, generator)
    return layer


def undrawn(kind, *args, **kwargs):
    """Return a layer of a class of torch whose parameters are still to be drawn.

    :func:`torch.nn.utils.skip_init` gives the same, and its first call in a process imports sympy: 0.3 s and 25 MB.
    """
    layer = kind(*args, **kwargs, device="meta")
    for name, parameter in list(layer.named_parameters()):
        setattr(layer, name, nn.Parameter(torch.empty(parameter.shape)))
    return layer


def default_generator():
    """Return a generator seeded with 0: as good as any, where a state dictionary is loaded next."""
    return torch.Generator().manual_seed(0)


def generator_for(device, generator):
    """Return a generator whose draws lie on a device: `generator` itself where its own do.

    Generators of networks are the processor's. What they would draw at every step of a training on another device would
    have to be copied there, and the device would wait for it. So a new generator there is seeded with a number drawn
    from `generator`, at every call: its state is all that a training has to keep.

    Parameters
    ----------
    device : torch.device
    generator : torch.Generator
    """
    if device.type == generator.device.type:
        return generator
    return new_generator(device).manual_seed(int(torch.randint(2**62, (), generator=generator)))


def new_generator(device):
    """Return a generator on a device."""
    return torch.Generator(device)


def normal(shape, device, generator):
    """Return standard normal numbers on a device, float32, drawn by :func:`generator_for` it."""
    return torch.randn(shape, device=device, generator=generator_for(device, generator))


def uniform_numbers(shape, device, generator):
    """Return numbers from U(0, 1) on a device, float32, drawn by :func:`generator_for` it."""
    return torch.rand(shape, device=device, generator=generator_for(device, generator))


def weighted_draw(weights, n_draws, generator):
    """Return up to `n_draws` distinct indices drawn by `weights` (n,), in proportion; never one of weight 0."""
    n_draws = min(n_draws, int((weights > 0).sum()))
    if n_draws == 0:
        return torch.empty(0, dtype=torch.int64, device=weights.device)
    weights, device = weights.to(generator.device), weights.device
    if len(weights) < MOST_CATEGORIES:
        return torch.multinomial(weights, n_draws, generator=generator).to(device)
    # As multinomial does it: the largest of weights divided by exponential numbers.
    return (weights / torch.empty_like(weights).exponential_(generator=generator)).topk(n_draws).indices.to(device)


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
        return x * keep.div_(1 - self.p)

    def _draw(self, x, shape):
        generator = None if self.generator is None else generator_for(x.device, self.generator)
        if x.device.type == "mps":  # where whole numbers of 64 bits have not been tried
            return torch.empty(shape, dtype=x.dtype, device=x.device).bernoulli_(1 - self.p, generator=generator)
        return kept(shape, 1 - self.p, x.device, generator).to(x.dtype)


def kept(shape, probability, device, generator):
    """Return a mask on a device that is True with a probability, to 16 bits: on a processor seven times as fast as
    `bernoulli_`.

    Every drawn number of 64 bits decides four elements.
    """
    n = math.prod(shape)
    words = torch.empty(-(-n // 4), dtype=torch.int64, device=device).random_(-(2**63), None, generator=generator)
    highest = max(1, round(probability * 2**16)) - 2**15 - 1  # of the 2**16 numbers from -2**15 on
    return (words.view(torch.int16)[:n] <= highest).view(shape)


def draw_from(generator, module):
    """Make every :class:`Dropout` inside `module` draw from `generator` (torch.Generator)."""
    for part in module.modules():
        if isinstance(part, Dropout):
            part.generator = generator

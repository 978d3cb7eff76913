"""Dropout that draws from a generator of its own."""

import torch
from torch import nn


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
        keep = torch.empty(x.shape, dtype=x.dtype, device=self.generator.device if self.generator else x.device)
        keep.bernoulli_(1 - self.p, generator=self.generator)
        return x * keep.to(x.device).div_(1 - self.p)


def draw_from(generator, module):
    """Make every :class:`Dropout` inside `module` draw from `generator` (torch.Generator)."""
    for part in module.modules():
        if isinstance(part, Dropout):
            part.generator = generator

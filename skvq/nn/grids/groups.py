"""Many codes in two steps, a group and a code of the group: exact likelihoods at a fraction of the products.

``log p(k) = log p(group of k) + log p(k | group)`` needs the logits of all groups and those of one group [1]_: 192 in
place of 8,192. Groups are of equal size, and of codes whose vectors are near each other where these are known.

References
----------
.. [1] J. Goodman, "Classes for Fast Maximum Entropy Training", ICASSP 2001.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

# Codes from which on they are drawn in two steps.
GROUPED_CODES = 1024


def code_groups(n_codes, n_books, width, class_marginals):
    """Return the groups of codes where there are many, in one codebook, without classes that have biases; else None."""
    is_plain = n_books == 1 and class_marginals is None
    return CodeGroups(n_codes, width) if n_codes > GROUPED_CODES and is_plain else None


def nearby_order(vectors):
    """Return an order of vectors (n, d) in which near ones follow each other: halves, again and again, by the median.

    Each half is split in the dimension in which it varies most.

    Examples
    --------
    >>> nearby_order(torch.tensor([[0.0], [5.0], [1.0], [4.0]])).tolist()
    [0, 2, 3, 1]
    """
    n = 2 ** max(0, len(vectors) - 1).bit_length()
    rows = torch.arange(n)[None] % len(vectors)  # what is there twice is dropped at the end
    rows = torch.where(torch.arange(n)[None] < len(vectors), rows, len(vectors) - 1)
    while rows.shape[1] > 1:
        parts = vectors[rows]  # (groups, size, d)
        widest = parts.var(dim=1).argmax(dim=1)
        values = parts.gather(2, widest[:, None, None].expand(-1, parts.shape[1], 1))[..., 0]
        rows = rows.gather(1, values.argsort(dim=1, stable=True)).view(2 * len(rows), -1)
    first = {}
    for row in rows[:, 0].tolist():
        first.setdefault(row)
    return torch.tensor(list(first))


class CodeGroups(nn.Module):
    """Log-probabilities of codes by way of their groups.

    Parameters
    ----------
    n_codes : int
    width : int
        Length of what is read.
    """

    def __init__(self, n_codes, width):
        super().__init__()
        self.n_codes, self.size = n_codes, 2 ** round(math.log2(n_codes) / 2)
        self.n_groups = math.ceil(n_codes / self.size)
        self.weight = nn.Parameter(torch.zeros(self.n_groups, width))
        self._of_version = None

    def _layout(self, vectors, device):
        """Return the code of every slot, the last one for empty slots, and the slot of every code, int64."""
        version = None if vectors is None else vectors._version
        if self._of_version is None or self._of_version[0] != version:
            order = torch.arange(self.n_codes) if vectors is None else nearby_order(vectors[0].cpu())
            slots = torch.cat([order, order[-1:].expand(self.n_groups * self.size - self.n_codes)])
            self._of_version = version, slots.to(device), order.argsort().to(device)
        return self._of_version[1:]

    def _parts(self, table, bias, vectors):
        """Return weights (G, S, c) and biases (m, G, S), -inf in empty slots, and the slot of each code."""
        slots, places = self._layout(vectors, bias.device)
        by_slot = bias[:, slots]
        if self.n_groups * self.size > self.n_codes:
            empty = torch.arange(by_slot.shape[1], device=bias.device) >= self.n_codes
            by_slot = by_slot.masked_fill(empty, -torch.inf)
        shape = (self.n_groups, self.size)
        return table[slots].unflatten(0, shape), by_slot.unflatten(1, shape), places

    def log_prob(self, hidden, codes, table, bias, vectors):
        """Log-probabilities (b, m) of codes (b, m), float32.

        Parameters
        ----------
        hidden : Tensor of shape (b, m, c)
        codes : Tensor of shape (b, m), int64
        table : Tensor of shape (n_codes, c)
        bias : Tensor of shape (m, n_codes)
        vectors : Tensor of shape (1, n_codes, d), or None
            What near codes are near by.
        """
        weights, biases, places = self._parts(table, bias, vectors)
        positions = torch.arange(codes.shape[1], device=codes.device).expand_as(codes).flatten()
        hidden, slot = hidden.flatten(0, 1), places[codes.flatten()]
        group, within = slot // self.size, slot % self.size
        of_groups = (F.linear(hidden, self.weight).float() + biases.logsumexp(dim=2)[positions]).log_softmax(dim=1)
        order = group.argsort()
        rows = hidden[order].split(torch.bincount(group, minlength=self.n_groups).cpu().tolist())
        products = torch.cat([F.linear(part, weight) for part, weight in zip(rows, weights.unbind(), strict=True)])
        inside = (products.float() + biases[positions, group][order]).log_softmax(dim=1)
        inside = inside.gather(1, within[order][:, None])[order.argsort(), 0]
        return (of_groups.gather(1, group[:, None])[:, 0] + inside).view(codes.shape)

    def log_probs(self, hidden, table, bias, vectors):
        """Log-probabilities of all codes: hidden (b, m, c) and bias (m, n_codes) become (b, m, n_codes), float32."""
        weights, biases, places = self._parts(table, bias, vectors)
        of_groups = (F.linear(hidden, self.weight).float() + biases.logsumexp(dim=2)).log_softmax(dim=-1)
        inside = F.linear(hidden, weights.flatten(0, 1)).float().unflatten(-1, biases.shape[1:]) + biases
        return (of_groups[..., None] + inside.log_softmax(dim=-1)).flatten(2)[..., places]

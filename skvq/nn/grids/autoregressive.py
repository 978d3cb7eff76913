"""Autoregressive networks over grids: a distribution for every code given the codes before it, in raster order."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..draws import undrawn
from .groups import CodeGroups
from .marginals import class_log_ratios, code_counts, log_frequencies
from .sampling import choose
from .vectors import KnownVectors


def class_bias(condition_size, grid_shape, n_codes):
    """Return the map (condition_size → m * n_codes) of a condition to a bias of the logits of a row of m codes.

    None without conditions, and for grids of several rows. These tell the class by what is near a position, so that
    a class counts twice where it shifts every logit as well: on the digits as images the PixelCNN has 45.5 nats
    without such a bias and 47.8 with it; on their table 78.2 without and 76.5 with it.
    """
    height, width = grid_shape
    return undrawn(nn.Linear, condition_size, width * n_codes, bias=False) if condition_size and height == 1 else None


class AutoregressiveGrids(nn.Module):
    """Likelihoods and samples of grids of codes (b, h, w), from logits (b, h, w, n_codes) that look back only.

    A subclass has the attributes `n_codes`, `grid_shape`, `condition_size` and the parameter `marginals` (h, w,
    n_codes), a bias of its logits, besides `class_marginals`, the linear map of a condition to what it adds to that
    bias, or None (see :func:`class_bias`), `known`, the :class:`~skvq.nn.grids.vectors.KnownVectors`, `output`, the
    :class:`~skvq.nn.grids.vectors.CodeTable` of the head, and `groups`, the
    :class:`~skvq.nn.grids.groups.CodeGroups` of many codes, or None, and says

    - ``features(codes, condition=None)``: what the head reads at all positions;
    - ``forward(codes, condition=None)``: the logits of all positions, for training and for likelihoods;
    - ``stream_logits(n, condition=None)``: the same logits position by position, as a generator that yields those of
      one position and takes the codes chosen there.
    """

    n_codes: int
    grid_shape: tuple[int, int]
    condition_size: int
    class_marginals: nn.Module | None
    known: KnownVectors
    groups: CodeGroups | None

    @torch.no_grad()
    def set_marginals(self, codes, condition=None, *, smoothing=1.0):
        """Start the bias of every position at the log-frequencies of `codes` (b, h, w), add-`smoothing` smoothed.

        With one-hot conditions (b, condition_size), what a class adds to the bias of a row starts at the logarithm of
        how much more frequent a code is within the class (:func:`~skvq.nn.grids.marginals.class_log_ratios`).
        """
        flat = codes.flatten(1)
        counts = code_counts(flat, self.n_codes)
        self.marginals.copy_(log_frequencies(counts, smoothing).view_as(self.marginals))
        if self.class_marginals is not None:
            within = torch.stack([code_counts(flat[members > 0], self.n_codes) for members in condition.t()])
            self.class_marginals.weight.copy_(class_log_ratios(within, smoothing).flatten(1).t())

    @torch.no_grad()
    def set_vectors(self, vectors):
        """Tell the network the vectors (n_books, n_codes, code_dim) that codes stand for, of a mean square about 1."""
        self.known.vectors.copy_(vectors)

    def bias(self, condition=None):
        """The bias of all logits: (h, w, n_codes), or (b, h, w, n_codes) where it depends on the condition."""
        if self.class_marginals is None:
            return self.marginals
        return self.marginals + self.class_marginals(condition).view(-1, *self.marginals.shape)

    def bias_at(self, position, condition=None):
        """The same at one position in raster order: (n_codes,) or (b, n_codes)."""
        bias = self.marginals.flatten(0, 1)[position]
        if self.class_marginals is None:
            return bias
        rows = slice(position * self.n_codes, (position + 1) * self.n_codes)
        return bias + F.linear(condition, self.class_marginals.weight[rows])

    def logits(self, features, condition=None):
        """Logits (b, h, w, n_codes), float32, of what the head reads, (b, h, w, c)."""
        if self.groups is None:
            return self.known.logits(features, self.output).float() + self.bias(condition)
        return self.groups.log_probs(features.flatten(1, 2), *self._of_groups()).unflatten(1, self.grid_shape)

    def logits_at(self, position, features, condition=None):
        """The same at one position in raster order: (b, c) becomes (b, n_codes)."""
        if self.groups is None:
            return self.known.logits_at(position, features, self.output).float() + self.bias_at(position, condition)
        table, bias, vectors = self._of_groups()
        return self.groups.log_probs(features[:, None], table, bias[position : position + 1], vectors)[:, 0]

    def _of_groups(self):
        return self.output(self.known.vectors), self.marginals.flatten(0, 1), self.known.vectors

    def matrices(self):
        """Return the weights that Muon moves in training, see ``training.optimizers``: none here."""
        return []

    def check_condition(self, condition):
        """Raise ValueError unless `condition` is a vector (b, condition_size) for each grid, or None without such."""
        if (condition is None) != (self.condition_size == 0):
            expected = f"a condition (b, {self.condition_size})" if self.condition_size else "no condition"
            raise ValueError(f"this network takes {expected}, got {None if condition is None else condition.shape}")

    def nll(self, codes, condition=None):
        """Mean negative log-likelihood per position, in nats: what training minimises. A scalar."""
        if self.groups is not None:
            return -self.log_prob_terms(codes, condition).mean()
        logits = self(codes, condition)
        return F.cross_entropy(logits.flatten(0, 2), codes.flatten())

    def log_prob_terms(self, codes, condition=None):
        """Log p(code given all codes before it) at every position (b, h, w), in nats."""
        if self.groups is not None:
            features = self.features(codes, condition).flatten(1, 2)
            return self.groups.log_prob(features, codes.flatten(1), *self._of_groups()).view(codes.shape)
        logits = self(codes, condition)
        return -F.cross_entropy(logits.flatten(0, 2), codes.flatten(), reduction="none").view(codes.shape)

    def log_prob(self, codes, condition=None):
        """Log p(codes) of every grid (b,), in nats."""
        return self.log_prob_terms(codes, condition).flatten(1).sum(dim=1)

    @torch.no_grad()
    def cached_logits(self, codes, condition=None):
        """The logits of ``forward``, computed position by position as :meth:`sample` does; for verification."""
        with Evaluation(self):
            stream = self.stream_logits(len(codes), condition)
            logits = [next(stream)] + [stream.send(given) for given in codes.flatten(1).t()[:-1]]
        return torch.stack(logits, dim=1).view(*codes.shape, self.n_codes)

    @torch.no_grad()
    def sample(
        self,
        n,
        *,
        generator=None,
        uniform=None,
        temperature=1.0,
        top_k=None,
        top_p=None,
        condition=None,
        given=None,
        known=None,
        after_position=None,
    ):
        """Draw `n` grids of codes, (n, h, w) int64.

        Parameters
        ----------
        n : int
            Number of grids.
        generator : torch.Generator
            Gives one uniform number per position, all at once, as an (n, h * w) array: grid k takes the numbers
            ``[k * h * w, (k + 1) * h * w)`` whatever `n` is.
        uniform : torch.Tensor of shape (n, h * w), optional
            These numbers, in place of a generator.
        temperature, top_k, top_p
            As in :func:`~skvq.nn.grids.sampling.choose`.
        condition : torch.Tensor of shape (n, condition_size), optional
            For a model with ``condition_size > 0``.
        given : torch.Tensor of shape (n, h, w), int64, optional
            Codes to keep where `known` is True; in range everywhere.
        known : torch.Tensor of shape (n, h, w), bool, optional
            Where `given` counts. The other positions are drawn given all codes before them, known or drawn.
        after_position : callable, optional
            Called without arguments after every position.
        """
        height, width = self.grid_shape
        device = self.marginals.device
        if uniform is None:
            uniform = torch.rand(n, height * width, generator=generator, device=generator.device).to(device)
        codes = torch.empty(n, height * width, dtype=torch.int64, device=device)
        with Evaluation(self):
            stream = self.stream_logits(n, condition)
            logits = next(stream)
            for position in range(height * width):
                drawn = choose(logits, uniform[:, position], temperature, top_k, top_p)
                if given is not None:
                    drawn = torch.where(known.flatten(1)[:, position], given.flatten(1)[:, position], drawn)
                codes[:, position] = drawn
                if after_position is not None:
                    after_position()
                if position + 1 < height * width:
                    logits = stream.send(codes[:, position])
        return codes.view(n, height, width)


class Evaluation:
    """Evaluation mode and full precision inside, the training flag restored after."""

    def __init__(self, module):
        self.module = module

    def __enter__(self):
        self.training = self.module.training
        self.module.eval()
        self.autocast = torch.autocast(self.module.marginals.device.type, enabled=False)
        self.autocast.__enter__()

    def __exit__(self, *error):
        self.autocast.__exit__(*error)
        self.module.train(self.training)

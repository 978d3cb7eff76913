"""Pass many grids and their classes through a network: the loss, likelihoods and samples.

A class reaches the network as a one-hot condition, so the network's map of the condition holds one vector per class for
every gate. For a network with classes, a row holds its codes and then the index of its class.
"""

import math
import time

import numpy as np
import torch
import torch.nn.functional as F

from ..core.inference import batches, fill_block, job
from ..nn import ranks
from ..nn.grids.sampling import draw
from ..nn.nade import hidden_columns, known_terms, orderless_loss
from ..training.loop import Objective

# A share of the held-out loss by which training has made it worse for no chance. It is small, since training starts at
# the loss of values that are independent of each other: what has kept its start draws such values.
LEAST_RISE = 0.001
# Rows that an orderless network is at least evaluated on; where there are fewer, they count several times.
LEAST_EVALUATED = 512


def with_classes(codes, indices):
    """Return rows (n, h * w + 1), the class indices (n,) behind the codes, in the smallest type that holds both."""
    dtype = np.result_type(codes.dtype, np.min_scalar_type(indices.max()))
    rows = np.empty((len(codes), codes.shape[1] + 1), dtype=dtype)
    rows[:, :-1], rows[:, -1] = codes, indices
    return rows


def one_hot(indices, n_classes):
    """Return class indices (n,) int64 as the conditions (n, n_classes) float32 that the network takes."""
    return F.one_hot(indices, n_classes).float()


def unpack(network, rows):
    """Return the grids (b, h, w) and the conditions (b, n_classes), None for a network without, that rows hold."""
    if network.condition_size == 0:
        return rows.view(-1, *network.grid_shape), None
    return rows[:, :-1].reshape(-1, *network.grid_shape), one_hot(rows[:, -1], network.condition_size)


class LikelihoodObjective(Objective):
    """The negative log-likelihood of grids of codes, given their classes if any, in nats per position."""

    way_out = (
        "Codes that are independent of each other leave nothing to learn. Otherwise pass more rows, a smaller model "
        "(fewer channels or layers, more dropout), or fewer codes (max_bits, n_codes); for a VQVAETransformer of "
        "series network='convolutional', whose codes stand for parts and are easier to learn than codes of the whole."
    )
    least_rise = LEAST_RISE

    def terms(self, batch):
        """Return the loss of rows (b, h * w) int64, or (b, h * w + 1) with the class at the end."""
        return {"loss": self.module.nll(*unpack(self.module, batch))}

    def matrices(self):
        """Return the weights of the network that Muon moves."""
        return self.module.matrices()


class OrderlessObjective(Objective):
    """The negative log-likelihood of rows of a table's codes over all orders of columns, in nats per column.

    In training a random number of random columns is hidden from each row. In evaluation what is hidden is always the
    same, and few rows are looked at several times.

    Parameters
    ----------
    start : Start
        With an OrderlessNetwork.
    generator : torch.Generator
        Draws what is hidden.
    """

    way_out = (
        "Columns that are independent of each other leave nothing to learn. Otherwise pass more rows, or a smaller "
        "model: fewer n_units, more dropout."
    )
    least_rise = LEAST_RISE

    def __init__(self, start, generator):
        super().__init__(start.module)
        if start.module.copula is not None:
            self.least_rise = math.inf  # a start that knows the correlations is no failure where it is the best
        self.generator = generator
        self.evaluated = hidden_columns(LEAST_EVALUATED, start.module.n_columns, generator)
        self._last = None  # rows that were evaluated, and what the copula says of them, which stays the same

    def terms(self, batch):
        """Return the loss of rows (b, n_columns) of codes, int64."""
        if self.module.training:
            known = ranks.drawn(lambda shape: hidden_columns(*shape, self.generator, batch.device), batch.shape)
            return {"loss": orderless_loss(self.module, batch, known.to(batch.device))}
        batch = batch.repeat(math.ceil(LEAST_EVALUATED / len(batch)), 1)
        known = self.evaluated.repeat(math.ceil(len(batch) / LEAST_EVALUATED), 1)[: len(batch)].to(batch.device)
        return {"loss": orderless_loss(self.module, batch, known, self._evaluated_terms(batch, known))}

    def _evaluated_terms(self, rows, known):
        if self.module.copula is None:
            return None
        if self._last is None or not torch.equal(self._last[0], rows):
            self._last = rows, known_terms(self.module, rows, known)
        return self._last[1]


@torch.no_grad()
def log_likelihoods(network, rows, batch_size):
    """Return log p(codes), given the classes that the rows hold if any, (n,) float64."""
    parts = [
        network.log_prob(*unpack(network, fill_block(batch)))[: len(batch)].cpu()
        for batch in batches(rows, batch_size, "scoring codes")
    ]
    return torch.cat(parts).double().numpy()


@torch.no_grad()
def choose_candidates(network, rows, known, n_candidates, uniform, batch_size):
    """Return which of every `n_candidates` completions fits the known codes after what was drawn: indices (n,).

    Sampling-importance-resampling: a completion is drawn by a causal model without regard to later known codes, so one
    of several is taken with probability proportional to the product of p(known code | all codes before it).

    Parameters
    ----------
    network : GatedPixelCNN
    rows : Rows
        n · n_candidates grids, with their classes if any; those of one completion follow each other.
    known : ndarray of shape (n * n_candidates, h * w), bool
    n_candidates : int
    uniform : ndarray of shape (n,), float64
        Decides the draws, in [0, 1).
    batch_size : int
    """
    weights, start = np.empty(len(rows)), 0
    for batch in batches(rows, batch_size, "choosing candidates"):
        stop = start + len(batch)
        terms = network.log_prob_terms(*unpack(network, fill_block(batch)))[: len(batch)].flatten(1)
        weights[start:stop] = (terms.cpu().double().numpy() * known[start:stop]).sum(axis=1)
        start = stop
    chosen = draw_classes(weights.reshape(-1, n_candidates), uniform)
    return np.arange(len(chosen)) * n_candidates + chosen


@torch.no_grad()
def class_log_likelihoods(network, grids, batch_size, leading=None):
    """Return log p(codes | class) for every class, (n, n_classes) float64.

    Parameters
    ----------
    network : GatedPixelCNN
    grids : Rows
        Codes (n, h * w) without classes.
    batch_size : int
    leading : ndarray of shape (n, h * w), bool, default=None
        Count these positions only; what is before one of them must be among them.
    """
    found = np.empty((len(grids), network.condition_size))
    start = 0
    for batch in batches(grids, batch_size, "scoring codes"):
        stop = start + len(batch)
        codes = fill_block(batch).view(-1, *network.grid_shape)
        for index in range(network.condition_size):
            condition = one_hot(torch.full((len(codes),), index, device=codes.device), network.condition_size)
            terms = network.log_prob_terms(codes, condition)[: len(batch)].flatten(1).cpu().double().numpy()
            found[start:stop, index] = (terms if leading is None else terms * leading[start:stop]).sum(axis=1)
        start = stop
    return found


def draw_classes(log_weights, uniform):
    """Return class indices (n,) drawn with probabilities proportional to exp(log_weights (1 or n, n_classes))."""
    uniform = torch.from_numpy(uniform)  # (n,)
    return draw(torch.from_numpy(log_weights).expand(len(uniform), -1), uniform).numpy()


def draw_grids(network, n_samples, generator, batch_size, *, temperature, top_k, top_p, classes, given, known, report):
    """Return grids (n_samples, h, w), int64, drawn `batch_size` at a time.

    Parameters
    ----------
    network : GatedPixelCNN
    n_samples : int
    generator : torch.Generator
    batch_size : int
    temperature, top_k, top_p
        As in :meth:`GatedPixelCNN.sample`.
    classes : ndarray of shape (n_samples,), int64, or None
        Class indices.
    given, known : ndarray of shape (n_samples, h * w), int64 and bool, or None
        Codes that are kept, and where; they may be broadcast from one grid.
    report : callable
        Told how many grids are done, after each batch.
    """
    device = network.marginals.device

    def part(array, start):
        return torch.from_numpy(array[start : start + batch_size].copy()).to(device)

    drawn, starts = [], range(0, n_samples, batch_size)
    with job("drawing codes", len(starts) * math.prod(network.grid_shape)) as advance:
        for start in starts:
            n = min(batch_size, n_samples - start)
            codes = network.sample(
                n,
                generator=generator,
                temperature=temperature,
                top_k=top_k,
                top_p=top_p,
                condition=None if classes is None else one_hot(part(classes, start), network.condition_size),
                given=None if given is None else part(given, start).view(n, *network.grid_shape),
                known=None if known is None else part(known, start).view(n, *network.grid_shape),
                after_position=advance,
            )
            drawn.append(codes.cpu().numpy())
            report(start + n)
    return np.concatenate(drawn)


class DrawReport:
    """Prints how far a job of more than one batch is: about twenty lines for ``verbose=1``, one per batch above.

    Parameters
    ----------
    name, what : str
        Who reports, and what is counted.
    total, batch_size : int
        Size of the job, and of a step.
    verbose : int
    """

    def __init__(self, name, what, total, batch_size, verbose):
        self.text = f"[{name}] {{done}}/{total} {what}  ({{seconds:.1f}} s)"
        self.total, self.verbose, self.long = total, int(verbose), total > batch_size
        self.started, self.next = time.perf_counter(), 0

    def __call__(self, done):
        """Report that `done` of the total is done."""
        if self.verbose < 1 or not self.long or (done < self.next and done < self.total):
            return
        self.next = done + (self.total / 20 if self.verbose == 1 else 0)
        print(self.text.format(done=done, seconds=time.perf_counter() - self.started), flush=True)  # noqa: T201

"""Pass many rows through a fitted VAE, one batch at a time, for its bounds and its posterior."""

from typing import NamedTuple

import numpy as np
import torch

from ..core.inference import batches, fill_block, starts
from ..core.tables.layout import TableRows
from ..nn.devices import widened
from ..training.batches import drawn_order
from .module import VAE, importance_weighted_bound, noise_of_rows
from .tables import CellLikelihood, TableLikelihood

# Rows times draws that are decoded together, and rows that are drawn.
DECODED, DRAWN = 2048, 256


def needs_cells(rows):
    """Return whether features do not say all of the Rows: those of mixed tables, and where a cell is missing."""
    if not isinstance(rows, TableRows):
        return False
    return rows.layout.is_mixed or (rows.X.dtype.kind == "f" and bool(np.isnan(rows.X).any()))


def of_cells(network, layout):
    """Return the VAE of a table with the likelihood of its cells, for ScoredRows; the weights are shared."""
    likelihood = network.likelihood
    if not layout.is_mixed:  # a Gaussian of the features
        variance, smallest = likelihood.variance, likelihood.smallest
        likelihood = TableLikelihood(layout.blocks, len(variance), smallest).to(variance.device)
        likelihood.set_variance(variance)
    return VAE(network.encoder, network.decoder, CellLikelihood(likelihood)).eval()


@torch.no_grad()
def elbo(network, rows, noise, prior):
    """Return the ELBO of all rows in nats, on the values that the network sees: ndarray (n,), float64.

    `noise` (s, 1, n_components) is that of every row, `prior` one of :mod:`skvq.vae.prior`.
    """
    bounds = []
    for batch in batches(rows, max(1, DECODED // len(noise)), "scoring"):
        found = network.elbo(fill_block(batch), noise, prior)[: len(batch)].cpu().double()
        far = ~torch.isfinite(found)
        if far.any():
            found[far] = network.elbo(batch[far.to(batch.device)], noise, prior, far=True).cpu()
        bounds.append(found)
    return torch.cat(bounds).numpy()


@torch.no_grad()
def importance_weighted(network, rows, uniform, prior):
    """Return the importance-weighted bound of all rows in nats: ndarray (n,), float64.

    `uniform` (s, n_components), float64 in [0, 1), is what the noise of every row is made of; it is used piece by
    piece, in bounded memory.
    """
    bounds = []
    for batch in batches(rows, rows.pass_size, "scoring"):
        filled = fill_block(batch)
        pieces = (noise_of_rows(filled, piece) for piece in uniform.split(max(1, DECODED // len(filled))))
        log_weights = torch.cat([network.log_weights(filled, noise, prior).cpu().double() for noise in pieces])
        found = importance_weighted_bound(log_weights)[: len(batch)]
        far = ~torch.isfinite(found)
        if far.any():
            some = batch[far.to(batch.device)]
            found[far] = importance_weighted_bound(_far_log_weights(network, some, uniform, prior))
        bounds.append(found)
    return torch.cat(bounds).numpy()


def _far_log_weights(network, rows, uniform, prior):
    """Return the log weights of rows (b, ...) that are far from all others: (s, b), float64."""
    pieces = (noise_of_rows(rows, piece) for piece in uniform.split(max(1, DECODED // len(rows))))
    return torch.cat([network.log_weights(rows, noise, prior, far=True).cpu() for noise in pieces])


class PosteriorSummary(NamedTuple):
    """What the posteriors of many rows have in common; arrays of float64.

    Attributes
    ----------
    kl : ndarray of shape (n_components,)
        Mean divergence from the prior, in nats.
    mean_variance : ndarray of shape (n_components,)
        Variance, over the rows, of the posterior mean.
    squared_error : ndarray of shape (n_features,)
        E_q[(x - E[x | z])²] for each value of a row.
    """

    kl: np.ndarray
    mean_variance: np.ndarray
    squared_error: np.ndarray


@torch.no_grad()
def summarise(network, rows, noise):
    """Return the :class:`PosteriorSummary` of all rows; `noise` (s, 1, n_components) is that of every row."""
    means, kl, squared_error = [], 0.0, 0.0
    for batch in rows.in_order(max(1, DECODED // len(noise))):
        n, filled = len(batch), fill_block(batch)
        posterior, outputs, _ = network(filled, noise)
        error = (network.likelihood.mean(outputs) - filled)[:, :n].flatten(2)
        kl = kl + posterior.kl_per_component()[:n].cpu().double().sum(dim=0)
        squared_error = squared_error + error.square().mean(dim=0).cpu().double().sum(dim=0)
        means.append(posterior.mean[:n].cpu().double())
    variance = torch.cat(means).var(dim=0, unbiased=False)
    return PosteriorSummary((kl / len(rows)).numpy(), variance.numpy(), (squared_error / len(rows)).numpy())


@torch.no_grad()
def best_variance(network, rows, noise):
    """Return the variances of a table's scores that fit all rows best; `noise` (s, 1, n_components) is every row's."""
    total, likelihood = 0.0, network.likelihood
    for batch in rows.in_order(max(1, DECODED // len(noise))):
        filled = fill_block(batch)
        outputs = network.outputs(network.posterior(filled).draw(noise))[:, : len(batch)]
        found = torch.stack([likelihood.statistics(batch, output) for output in outputs])
        total = total + len(batch) * widened(found).mean(dim=0)
    return likelihood.best_variance(total / len(rows))


@torch.no_grad()
def posterior_draws(network, rows, generator):
    """Return one draw from the posterior of every row: ndarray (n, n_components), float64."""
    draws = []
    for batch in batches(rows, rows.pass_size, "encoding"):
        posterior = network.posterior(fill_block(batch))
        noise = torch.randn(posterior.mean.shape, generator=generator).to(posterior.mean.device)
        draws.append(posterior.draw(noise)[: len(batch)].cpu().double())
    return torch.cat(draws).numpy()


@torch.no_grad()
def draw_rows(network, z, device, generator):
    """Yield (start, rows) for z (n, n_components): draws from p(x | z), from `start` on, float64 (b, n_features)."""
    for start in starts(len(z), DRAWN, "decoding"):
        batch = torch.from_numpy(z[start : start + DRAWN].astype(np.float32)).to(device)
        rows = network.likelihood.draw(network.decoder(batch), generator)
        yield start, rows.flatten(1).cpu().numpy().astype(np.float64)


def some(rows, n_rows, generator):
    """Return at most `n_rows` of the Rows, drawn from `generator`."""
    return rows.restrict(np.sort(drawn_order(len(rows), generator)[:n_rows]))

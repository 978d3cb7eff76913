"""How a VQ-VAE starts from data.

Linear paths start at the principal components, codebooks at the k-means of what these encode the rows to.
"""

import functools
import math

import numpy as np
import torch
import torch.nn.functional as F

from .._warnings import warn_user
from ..nn import images as conv
from ..nn import tables as dense
from .kmeans import distinct_vectors, kmeans_codebooks, sample_size
from .network import assemble, build_autoencoder
from .quantizer import build_quantizer, n_groups

# Rows that the principal components are taken from. For a table whole rows are decomposed, in float64, so there the
# sample has no more than so many values.
START_ROWS, START_VALUES, LEAST_START_ROWS = 4096, 1_000_000, 1024


def start_from_data(architecture, rows, generator, *, warn, codebook_weight=1.0):
    """Build the network with its linear paths at the principal components and its codebook at the k-means of the data.

    Parameters
    ----------
    architecture : dict
        As for :func:`build_vqvae`; ``n_codes`` is an upper bound.
    rows : Rows
        Training rows.
    generator : torch.Generator
        Draws weights, sample and cluster starts.
    warn : bool
        Whether to say so if there are fewer different vectors than codes.
    codebook_weight : float, default=1.0
        How far a batch will move the codebook in training.

    Returns
    -------
    module : VQVAE
    architecture : dict
        With the ``n_codes`` that the data can fill.
    error : float
        Root mean square of what this start leaves of the sample unexplained, on standardised values.
    """
    encoder, decoder = build_autoencoder(architecture, generator)
    sample = start_sample(rows, generator)
    if len(architecture["row_shape"]) == 3:
        conv.start_from_pca(encoder, decoder, sample.cpu())
    else:
        dense.start_from_pca(encoder, decoder, sample, bits_per_position=math.log2(architecture["n_codes"]))
    encoder.to(rows.device), decoder.to(rows.device)
    positions_per_codebook = architecture["n_positions"] // n_groups(architecture)
    n_rows = math.ceil(sample_size(architecture["n_codes"]) / positions_per_codebook)
    z = encoded_sample(encoder, rows, n_rows, generator)
    architecture = within_data(architecture, z, warn=warn)
    quantizer = build_quantizer(architecture, generator, codebook_weight)
    quantizer.start_from(z, functools.partial(cluster, generator=generator))
    module = assemble(architecture, encoder, quantizer, decoder).to(rows.device).eval()
    with torch.no_grad():
        error = F.mse_loss(module(sample)[0], sample).sqrt()
    return module, architecture, float(error)


def start_sample(rows, generator):
    """Return the rows (n, *row_shape) that the principal components are taken from."""
    n_rows = START_ROWS
    if len(rows.shape) == 1:
        n_rows = min(START_ROWS, max(LEAST_START_ROWS, START_VALUES // rows.shape[0]))
    return rows.sample(n_rows, generator)


@torch.no_grad()
def encoded_sample(encoder, rows, n_rows, generator):
    """Return what `n_rows` rows, or all where there are fewer, are encoded to: Tensor (n, m, d), float32."""
    order = torch.randperm(len(rows), generator=generator).numpy()[:n_rows]
    z = [encoder(rows.take(order[start : start + 256])).float().cpu() for start in range(0, len(order), 256)]
    return torch.cat(z)


def within_data(architecture, z, *, warn):
    """Return `architecture` with no more codes than there are different vectors in a sample z (n, m, d)."""
    if architecture["quantizer"] == "finite_scalar":
        return architecture  # which has nothing to start
    splits = architecture["codes_per_position"] if architecture["quantizer"] == "product" else 1
    groups = n_groups(architecture) * splits
    vectors = z.reshape(-1, groups, z.shape[2] // splits)
    if architecture["similarity"] == "cosine":
        vectors = F.normalize(vectors, dim=-1).round(decimals=5)  # vectors of one direction are one
    vectors = vectors.numpy()
    n_distinct = max(len(distinct_vectors(vectors[:, group])[0]) for group in range(groups))
    if n_distinct >= architecture["n_codes"]:
        return architecture
    if warn:
        warn_user(
            f"n_codes={architecture['n_codes']} is more than the {n_distinct} different vectors that the training rows "
            f"are encoded to; {n_distinct} codes are used. Pass a smaller n_codes, or more rows.",
        )
    return architecture | {"n_codes": n_distinct}


def cluster(vectors, n_codes, generator):
    """Return codebooks (g, n_codes, d) for vectors (n, g, d); where fewer vectors differ, some are there twice."""
    codebooks = kmeans_codebooks(vectors.numpy(), n_codes, generator)
    return torch.from_numpy(codebooks[:, np.arange(n_codes) % codebooks.shape[1]])

"""Codebooks that start at the k-means centres of encoded data.

scikit-learn's k-means finds up to `EXACT_CODES` centres. For more of them its start, k-means++, would take minutes,
because it draws one centre after the other. Then a codebook grows as in Linde, Buzo and Gray (1980) [1]_: each pass
over the vectors doubles it.

Departures. New centres are not copies of the old ones, pushed a little apart, but vectors drawn with probability
proportional to their squared error, many at a time [2]_. At full size the centres that would be missed least are taken
out and drawn anew every other pass, as k-means alone moves no centre from one cluster to another (the utility of [3]_).

References
----------
.. [1] Y. Linde, A. Buzo, R. M. Gray, "An Algorithm for Vector Quantizer Design", IEEE Trans. Commun. 28(1), 1980.
.. [2] B. Bahmani, B. Moseley, A. Vattani, R. Kumar, S. Vassilvitskii, "Scalable K-Means++", VLDB 2012.
.. [3] B. Fritzke, "The LBG-U method for vector quantization", Neural Processing Letters 5(1), 1997.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from ..nn.quantizers.nearest import nearest_codes, removal_costs

# Vectors that are clustered, per code; with many codes fewer, but no less than `LEAST_PER_CODE`.
VECTORS_PER_CODE, MANY_VECTORS, LEAST_PER_CODE = 128, 2**18, 32
# Largest number of codes that scikit-learn clusters: on Fashion-MNIST patches 4 s for 256, 40 s for 1024.
EXACT_CODES = 256
# Passes at full size: as many as this number of distances allows, between two bounds.
LEAST_PASSES, MOST_PASSES, DISTANCES = 3, 20, 2**31 + 2**29
# Share of the centres that is drawn anew at first; it falls to nothing towards the last pass.
MOVED_SHARE = 0.2


def sample_size(n_codes):
    """Return how many vectors `kmeans_codebooks` uses for a codebook: more would only cost time.

    Examples
    --------
    >>> [sample_size(n_codes) for n_codes in (16, 256, 4096, 8192, 16384)]
    [2048, 32768, 262144, 262144, 524288]
    """
    return min(VECTORS_PER_CODE * n_codes, max(MANY_VECTORS, LEAST_PER_CODE * n_codes))


def kmeans_codebooks(vectors, n_codes, generator):
    """Return the k-means centres of every group.

    Parameters
    ----------
    vectors : ndarray of shape (n, g, d), float32
        In random order: the first `sample_size` of them are used.
    n_codes : int
        Wanted number of centres.
    generator : torch.Generator
        Seeds the starts.

    Returns
    -------
    codebooks : ndarray of shape (g, k, d), float32
        k is `n_codes`, or the largest number of distinct vectors in a group if that is smaller. A group with fewer
        distinct vectors than k repeats some of its centres; the copies are never the first of the nearest.
    """
    vectors = vectors[: sample_size(n_codes)]
    distinct = [distinct_vectors(vectors[:, group]) for group in range(vectors.shape[1])]
    n_codes = min(n_codes, max(len(different) for different, _ in distinct))
    cluster = _exact_centres if n_codes <= EXACT_CODES else grown_centres
    codebooks = np.empty((vectors.shape[1], n_codes, vectors.shape[2]), dtype=np.float32)
    for codebook, (different, counts) in zip(codebooks, distinct):
        if len(different) <= n_codes:
            codebook[:] = np.resize(different, codebook.shape)
        else:
            codebook[:] = cluster(different, counts, n_codes, generator)
    return codebooks


def distinct_vectors(vectors):
    """Return the different rows of `vectors` (n, d) float32 in the order of `vectors`, and how often each occurs, (m,).

    Rows are told apart by a random 64-bit sum of their bits, which a million of them share by chance once in 10⁷ runs;
    to sort the rows themselves takes ten times as long.
    """
    words = np.ascontiguousarray(vectors + np.float32(0.0)).view(np.uint32).astype(np.uint64)  # -0.0 becomes 0.0
    factors = np.random.default_rng(0).integers(2**63, size=vectors.shape[1], dtype=np.uint64)
    sums = (words * (2 * factors + 1)).sum(axis=1, dtype=np.uint64)
    _, first, counts = np.unique(sums, return_index=True, return_counts=True)
    order = np.argsort(first)  # that of the sums would change with the last bit of a vector
    return vectors[first[order]], counts[order]


def _exact_centres(vectors, counts, n_codes, generator):
    seed = int(torch.randint(2**31 - 1, (), generator=generator))
    kmeans = KMeans(n_codes, n_init=1, max_iter=30, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of vectors that are alike to it, not to distinct_vectors
        return kmeans.fit(vectors, sample_weight=counts).cluster_centers_


def grown_centres(vectors, counts, n_codes, generator):
    """Return `n_codes` centres of `vectors` (n, d) float32 that occur `counts` (n,) times: ndarray (n_codes, d)."""
    x, weights = torch.from_numpy(vectors), torch.from_numpy(counts.astype(np.float32))
    n_doublings = math.ceil(math.log2(n_codes))
    n_full = max(LEAST_PASSES, min(MOST_PASSES, DISTANCES // (len(x) * n_codes)))
    centres = x[:1]
    for full in range(-n_doublings, n_full):  # number of passes at full size so far
        centres, masses, errors = lloyd_pass(x, weights, centres)
        if 0 <= full < n_full - 2 and full % 2 == 0:
            centres = without_cheapest(centres, masses, int(MOVED_SHARE * (1 - full / n_full) * len(centres)))
        n_new = min(n_codes - len(centres), len(centres), int((errors > 0).sum()))
        if n_new > 0 and full < n_full - 1:
            centres = torch.cat([centres, x[torch.multinomial(errors, n_new, generator=generator)]])
    return np.resize(centres.numpy(), (n_codes, x.shape[1]))


def lloyd_pass(x, weights, centres):
    """Give each vector to its nearest centre, and move the centres to the means of theirs.

    Parameters
    ----------
    x : Tensor of shape (n, d), float32
    weights : Tensor of shape (n,), float32
    centres : Tensor of shape (k, d), float32

    Returns
    -------
    means : Tensor of shape (m, d)
        Of the m centres that were given anything.
    masses : Tensor of shape (m,)
        Weights that they were given.
    errors : Tensor of shape (n,)
        weight · ||x - centre||², before the centres moved.
    """
    codes = nearest_codes(x[:, None], centres[None])[:, 0]
    errors = weights * (x - centres[codes]).square_().sum(dim=1)
    masses = torch.zeros(len(centres)).scatter_add_(0, codes, weights)
    sums = torch.zeros_like(centres).scatter_add_(0, codes[:, None].expand_as(x), weights[:, None] * x)
    given = masses > 0
    return sums[given] / masses[given, None], masses[given], errors


def without_cheapest(centres, masses, n_most):
    """Return the centres (k, d) less those, at most `n_most`, that are missed least.

    Of two beside each other one is missed little, and both a lot: a centre stays if its neighbour goes before it.
    """
    costs, neighbours = removal_costs(centres, masses)
    rank = torch.empty(len(centres), dtype=torch.int64)
    rank[costs.argsort()] = torch.arange(len(centres))
    goes = (rank < n_most) & (rank[neighbours] > rank)
    return centres[~goes]

"""Vectors of codes in common units, and k-means clusters of whole grids of codes."""

import warnings

import numpy as np
import torch
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_array

# Dimensions of the vectors of codes that are kept: 16 hold 99 % of the variance of codebooks of 4 × 4 pixels.
MOST_DIMENSIONS = 16
# Grids that the centres of clusters are learned from.
CLUSTERED_ROWS = 20_000


def check_codebook(codebook, n_codes, n_books):
    """Return codebooks, of any number of leading axes, as one array (n_books, n_codes, d), float64.

    Parameters
    ----------
    codebook : array-like
    n_codes : int or None
        Number of codes that it must have.
    n_books : sequence of int
        Numbers of codebooks that are accepted.

    Raises
    ------
    ValueError
        For any other number of either, and for vectors that are not finite.
    """
    codebook = np.asarray(codebook)
    if codebook.ndim < 2 or n_codes is not None and codebook.shape[-2] != n_codes:
        raise ValueError(
            f"codebook has shape {codebook.shape}; it must be (n_codes, d) with n_codes={n_codes}, or have axes of "
            "positions and stages before these"
        )
    books = codebook.reshape(-1, *codebook.shape[-2:])
    if len(books) not in n_books:
        raise ValueError(
            f"codebook has shape {codebook.shape}, which is {len(books)} codebooks; accepted are "
            f"{' or '.join(map(str, n_books))}"
        )
    check_array(books.reshape(len(books), -1), input_name="codebook", dtype=np.float64)
    return books.astype(np.float64)


def standard_vectors(books, n_stages=1):
    """Return vectors of codebooks (n_books, n_codes, d) in few dimensions, of mean 0 and mean square 1 in each stage.

    The codebooks of positions have one space in common, those of stages, each for what the ones before leave, one each.
    The dimensions are the first principal components of all of them together: (n_books, n_codes, at most 16), float32.

    Parameters
    ----------
    books : ndarray of shape (n_books, n_codes, d)
        Codebook b is one of stage b modulo `n_stages`.
    n_stages : int, default=1

    Examples
    --------
    >>> standard_vectors(np.array([[[1.0, 5.0], [3.0, 5.0]]])).round(3).tolist()
    [[[-1.0], [1.0]]]
    """
    stages = books.reshape(-1, n_stages, *books.shape[1:])
    stages = stages - stages.mean(axis=(0, 2), keepdims=True)
    scale = np.sqrt(np.square(stages).mean(axis=(0, 2, 3), keepdims=True))
    vectors = (stages / np.where(scale > 0, scale, 1.0)).reshape(books.shape)
    _, values, components = np.linalg.svd(vectors.reshape(-1, books.shape[2]), full_matrices=False)
    n_kept = max(1, min(MOST_DIMENSIONS, int((values > 1e-6 * values[0]).sum())))
    kept = vectors @ components[:n_kept].T
    return (kept / max(np.sqrt(np.square(kept).mean()), np.finfo(np.float32).tiny)).astype(np.float32)


def n_stages_of(codebook, n_positions):
    """Return how many stages codebooks of grids of so many positions have, by the axes before (n_codes, d).

    Examples
    --------
    >>> shapes = (5, 2), (9, 5, 2), (3, 5, 2), (3, 3, 5, 2)  # shared, of positions, of stages, of both
    >>> [n_stages_of(np.zeros(shape), 9) for shape in shapes]
    [1, 1, 3, 3]
    """
    lead = np.shape(codebook)[:-2]
    return 1 if not lead or lead == (n_positions,) else lead[-1]


def one_hot_rows(codes, n_codes):
    """Return codes (n, m) as indicators, CSR (n, m * n_codes) float32."""
    n, m = codes.shape
    columns = codes + np.arange(m) * n_codes
    return sparse.csr_matrix(
        (np.ones(n * m, dtype=np.float32), columns.ravel(), np.arange(n + 1) * m), shape=(n, m * n_codes)
    )


def cluster_centres(codes, vectors, n_codes, n_clusters, seed):
    """Return the k-means centres (n_clusters, m, d), float32, of grids of codes (n, m).

    Parameters
    ----------
    codes : ndarray of shape (n, m), int64
    vectors : ndarray of shape (n_books, n_codes, d), or None
        What codes are compared by; without, they are equal or not, and d is `n_codes`.
    n_codes, n_clusters, seed : int
    """
    if vectors is None:
        rows = one_hot_rows(codes, n_codes)
    else:
        rows = vectors[np.arange(codes.shape[1]) % len(vectors), codes].reshape(len(codes), -1)
    n_found = min(n_clusters, len(codes))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of few different grids some centres are there twice
        centres = KMeans(n_found, n_init=1, random_state=seed).fit(rows).cluster_centers_
    return torch.from_numpy(centres[np.arange(n_clusters) % n_found].astype(np.float32)).unflatten(
        1, (codes.shape[1], -1)
    )

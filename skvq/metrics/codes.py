"""Usage, perplexity and bits of codes, and the likelihood of a model in bits."""

from __future__ import annotations

from typing import Literal, overload

import numpy as np

from .._typing import ArrayLike, NDArray


@overload
def codebook_usage(
    codes: ArrayLike, n_codes: int, *, codebooks: ArrayLike | None = ..., average: Literal[True] = ...
) -> float: ...
@overload
def codebook_usage(
    codes: ArrayLike, n_codes: int, *, codebooks: ArrayLike | None = ..., average: bool
) -> float | NDArray[np.float64]: ...
def codebook_usage(
    codes: ArrayLike, n_codes: int, *, codebooks: ArrayLike | None = None, average: bool = True
) -> float | NDArray[np.float64]:
    """Share of a codebook that occurs at least once in `codes`, in [0, 1].

    Parameters
    ----------
    codes : array-like of int, shape (n_samples, ...)
        Codes in [0, n_codes), as ``transform`` returns them. The share grows with the number of samples: compare it
        between sets of one size only.
    n_codes : int
        Size of a codebook.
    codebooks : array-like of int, default=None
        Which codebook each position has, from 0 and without gaps; it broadcasts over ``codes.shape[1:]``. None takes
        one codebook for all: see the table in :mod:`skvq.metrics`.
    average : bool, default=True
        Whether to return the mean over codebooks, or one share for each.

    Returns
    -------
    float, or ndarray of shape (n_codebooks,), float64

    Examples
    --------
    >>> from skvq.metrics import codebook_usage
    >>> codebook_usage([[0, 1], [0, 2]], n_codes=4)
    0.75
    >>> codebook_usage([[0, 1], [0, 2]], n_codes=4, codebooks=[0, 1])
    0.375
    >>> codebook_usage([[0, 1], [0, 2]], n_codes=4, codebooks=[0, 1], average=False)
    array([0.25, 0.5 ])
    """
    counts, _ = code_counts(codes, n_codes, codebooks)
    usage = np.mean(counts > 0, axis=1)
    return float(usage.mean()) if average else usage


@overload
def perplexity(
    codes: ArrayLike, n_codes: int, *, codebooks: ArrayLike | None = ..., average: Literal[True] = ...
) -> float: ...
@overload
def perplexity(
    codes: ArrayLike, n_codes: int, *, codebooks: ArrayLike | None = ..., average: bool
) -> float | NDArray[np.float64]: ...
def perplexity(
    codes: ArrayLike, n_codes: int, *, codebooks: ArrayLike | None = None, average: bool = True
) -> float | NDArray[np.float64]:
    """Number of equally frequent codes with the same entropy as `codes`, in [1, n_codes].

    This is exp(H), where H is the entropy in nats of the relative frequencies p of the codes, H = -Σ p log p.

    Parameters
    ----------
    codes : array-like of int, shape (n_samples, ...)
        Codes in [0, n_codes), as ``transform`` returns them. Few samples bias it downwards.
    n_codes : int
        Size of a codebook.
    codebooks : array-like of int, default=None
        Which codebook each position has, from 0 and without gaps; it broadcasts over ``codes.shape[1:]``. None takes
        one codebook for all: see the table in :mod:`skvq.metrics`.
    average : bool, default=True
        Whether to take the mean of H over positions before the exponential, or to return one value for each codebook.

    Returns
    -------
    float, or ndarray of shape (n_codebooks,), float64

    Examples
    --------
    >>> from skvq.metrics import perplexity
    >>> print(f"{perplexity([[0, 1], [2, 3]], n_codes=8):.3f}")
    4.000
    >>> print(f"{perplexity([[0, 1], [2, 3]], n_codes=8, codebooks=[0, 1]):.3f}")
    2.000
    """
    entropy = _entropies(codes, n_codes, codebooks, average)
    return float(np.exp(entropy)) if average else np.exp(entropy)


@overload
def bits_per_position(
    codes: ArrayLike, n_codes: int, *, codebooks: ArrayLike | None = ..., average: Literal[True] = ...
) -> float: ...
@overload
def bits_per_position(
    codes: ArrayLike, n_codes: int, *, codebooks: ArrayLike | None = ..., average: bool
) -> float | NDArray[np.float64]: ...
def bits_per_position(
    codes: ArrayLike, n_codes: int, *, codebooks: ArrayLike | None = None, average: bool = True
) -> float | NDArray[np.float64]:
    """Entropy of `codes` in bits per position, in [0, log2(n_codes)].

    An entropy coder that knows the frequencies in each codebook, and nothing about how positions depend on each other,
    needs this many bits for each code. It is the binary logarithm of :func:`perplexity`.

    Parameters
    ----------
    codes : array-like of int, shape (n_samples, ...)
        Codes in [0, n_codes), as ``transform`` returns them.
    n_codes : int
        Size of a codebook.
    codebooks : array-like of int, default=None
        Which codebook each position has, from 0 and without gaps; it broadcasts over ``codes.shape[1:]``. None takes
        one codebook for all: see the table in :mod:`skvq.metrics`.
    average : bool, default=True
        Whether to return the mean over positions, or one entropy for each codebook.

    Returns
    -------
    float, or ndarray of shape (n_codebooks,), float64

    Examples
    --------
    >>> from skvq.metrics import bits_per_position
    >>> print(f"{bits_per_position([[0, 1], [2, 3]], n_codes=8):.3f}")
    2.000
    """
    bits = _entropies(codes, n_codes, codebooks, average) / np.log(2.0)
    return float(bits) if average else bits


def bits_per_row(codes: ArrayLike, n_codes: int, *, codebooks: ArrayLike | None = None) -> float:
    """Bits that an entropy coder spends on all codes of a row, in [0, n_positions · log2(n_codes)].

    :func:`bits_per_position`, summed over the positions of a row. Codes of fixed length take
    ``n_positions * ceil(log2(n_codes))`` bits; a prior that knows how positions depend on each other takes fewer than
    either, its negative log-likelihood.

    Parameters
    ----------
    codes : array-like of int, shape (n_samples, ...)
        Codes in [0, n_codes), as ``transform`` returns them.
    n_codes : int
        Size of a codebook.
    codebooks : array-like of int, default=None
        Which codebook each position has, from 0 and without gaps; it broadcasts over ``codes.shape[1:]``. None takes
        one codebook for all: see the table in :mod:`skvq.metrics`.

    Returns
    -------
    float

    Examples
    --------
    >>> from skvq.metrics import bits_per_row
    >>> print(f"{bits_per_row([[0, 1], [2, 3]], n_codes=8):.3f}")
    4.000
    >>> print(f"{bits_per_row([[0, 1], [2, 3]], n_codes=8, codebooks=[0, 1]):.3f}")
    2.000
    """
    n_positions = int(np.prod(np.shape(codes)[1:]))
    return n_positions * bits_per_position(codes, n_codes, codebooks=codebooks)


def bits_per_dim(log_likelihood: ArrayLike, n_features: int) -> float:
    """Average negative log-likelihood in bits per feature; smaller is better.

    Parameters
    ----------
    log_likelihood : array-like of float, shape (n_samples,), or float
        Log-likelihood per row in nats, as ``score_samples`` returns it, or its mean.
    n_features : int
        Number of features of a row.

    Returns
    -------
    float
        May be negative for a density. A density of pixels in [0, 255] compares with the bits of a lossless coder; that
        of the same pixels divided by 255 gives log2(255), about 8, bits less.

    Examples
    --------
    >>> import numpy as np
    >>> from skvq.metrics import bits_per_dim
    >>> print(f"{bits_per_dim(np.full(5, 10 * np.log(1 / 256)), n_features=10):.3f}")
    8.000
    """
    log_likelihood = np.asarray(log_likelihood, dtype=np.float64)
    if log_likelihood.size == 0 or np.isnan(log_likelihood).any():
        raise ValueError(f"log_likelihood must hold at least one number and no NaN, got shape {log_likelihood.shape}")
    n_features = _positive_integer(n_features, "n_features")
    return float(-log_likelihood.mean() / (n_features * np.log(2.0)))


def _positive_integer(value, name):
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}")
    return int(value)


def code_counts(
    codes: ArrayLike, n_codes: int, codebooks: ArrayLike | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how often each code of each codebook occurs, and the number of positions of each codebook.

    Parameters
    ----------
    codes, n_codes, codebooks
        As in :func:`codebook_usage`.

    Returns
    -------
    counts : ndarray of shape (n_codebooks, n_codes), int64
    n_positions : ndarray of shape (n_codebooks,), int64

    Examples
    --------
    >>> from skvq.metrics import code_counts
    >>> code_counts([[0, 1], [0, 2]], n_codes=4)[0]
    array([[2, 1, 1, 0]])
    """
    codes = np.asarray(codes)
    n_codes = _positive_integer(n_codes, "n_codes")
    if codes.dtype.kind not in "iu":
        raise ValueError(f"codes must be integers, got dtype {codes.dtype}")
    if codes.size == 0:
        raise ValueError(f"codes must hold at least one code, got shape {codes.shape}")
    if codes.min() < 0 or codes.max() >= n_codes:
        raise ValueError(f"codes must be in [0, {n_codes}), got values from {codes.min()} to {codes.max()}")
    owners = _owners(codes, codebooks)
    counts = np.zeros((owners.max() + 1, n_codes), dtype=np.int64)
    for owner, column in zip(owners, codes.reshape(len(codes), -1).T):
        # One column at a time: bincount copies what it counts to a wider type.
        counts[owner] += np.bincount(column.astype(np.intp), minlength=n_codes)
    return counts, np.bincount(owners)


def _owners(codes, codebooks):
    """The number of the codebook of each position, (n_positions,)."""
    shape = codes.shape[1:]
    owners = np.asarray(0 if codebooks is None else codebooks)
    if owners.dtype.kind not in "iu":
        raise ValueError(f"codebooks must be integers, got dtype {owners.dtype}")
    try:
        owners = np.broadcast_to(owners, shape).ravel()
    except ValueError:
        raise ValueError(
            f"codebooks of shape {owners.shape} do not broadcast over the positions {shape} of codes {codes.shape}"
        ) from None
    if not np.array_equal(np.unique(owners), np.arange(len(np.unique(owners)))):
        raise ValueError(f"codebooks must be numbered from 0 without gaps, got {np.unique(owners).tolist()}")
    return owners


def _entropies(codes, n_codes, codebooks, average):
    """Entropy in nats of the codes of each codebook, (n_codebooks,), or its mean over positions."""
    counts, n_positions = code_counts(codes, n_codes, codebooks)
    share = counts / counts.sum(axis=1, keepdims=True)
    entropies = -np.sum(share * np.log(np.where(share > 0, share, 1.0)), axis=1)
    return np.average(entropies, weights=n_positions) if average else entropies

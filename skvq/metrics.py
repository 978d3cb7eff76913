"""How well codes use a codebook, and what a model's likelihood means in bits."""

from __future__ import annotations

import numpy as np


def codebook_usage(codes, n_codes, *, per_position=False):
    """Share of the codebook that occurs at least once in `codes`, in [0, 1].

    Parameters
    ----------
    codes : array-like of int, shape (n_samples, ...)
        Codes in [0, n_codes), as ``transform`` returns them. The share grows with the number of samples: compare it
        between sets of one size only.
    n_codes : int
        Size of the codebook.
    per_position : bool, default=False
        False counts all positions together, which suits one shared codebook. True takes every position, that is every
        column of (n_samples, n_positions), to have a codebook of its own, and returns the mean over positions.

    Returns
    -------
    float

    Examples
    --------
    >>> from skvq.metrics import codebook_usage
    >>> codebook_usage([[0, 1], [0, 2]], n_codes=4)
    0.75
    >>> codebook_usage([[0, 1], [0, 2]], n_codes=4, per_position=True)
    0.375
    """
    return float(np.mean(_counts(codes, n_codes, per_position) > 0))


def perplexity(codes, n_codes, *, per_position=False):
    """Number of equally frequent codes with the same entropy as `codes`, in [1, n_codes].

    This is exp(H), where H is the entropy in nats of the relative frequencies p of the codes, H = -Σ p log p.

    Parameters
    ----------
    codes : array-like of int, shape (n_samples, ...)
        Codes in [0, n_codes), as ``transform`` returns them. Few samples bias it downwards.
    n_codes : int
        Size of the codebook.
    per_position : bool, default=False
        False counts all positions together, which suits one shared codebook. True takes every position, that is every
        column of (n_samples, n_positions), to have a codebook of its own, and uses the mean of their entropies.

    Returns
    -------
    float

    Examples
    --------
    >>> from skvq.metrics import perplexity
    >>> print(f"{perplexity([[0, 1], [2, 3]], n_codes=8):.3f}")
    4.000
    >>> print(f"{perplexity([[0, 1], [2, 3]], n_codes=8, per_position=True):.3f}")
    2.000
    """
    return float(np.exp(_entropy(_counts(codes, n_codes, per_position)).mean()))


def bits_per_position(codes, n_codes, *, per_position=False):
    """Entropy of `codes` in bits per position, in [0, log2(n_codes)].

    An entropy coder that knows the frequencies, and nothing about how positions depend on each other, needs this many
    bits for each code. It is the binary logarithm of :func:`perplexity`.

    Parameters
    ----------
    codes : array-like of int, shape (n_samples, ...)
        Codes in [0, n_codes), as ``transform`` returns them.
    n_codes : int
        Size of the codebook.
    per_position : bool, default=False
        False takes the frequencies over all positions together. True takes those of every position, that is every
        column of (n_samples, n_positions), and returns the mean of their entropies.

    Returns
    -------
    float

    Examples
    --------
    >>> from skvq.metrics import bits_per_position
    >>> print(f"{bits_per_position([[0, 1], [2, 3]], n_codes=8):.3f}")
    2.000
    """
    return float(_entropy(_counts(codes, n_codes, per_position)).mean() / np.log(2.0))


def bits_per_dim(log_likelihood, n_features):
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


def _counts(codes, n_codes, per_position):
    """How often each code occurs: (1, n_codes), or (n_positions, n_codes)."""
    codes = np.asarray(codes)
    n_codes = _positive_integer(n_codes, "n_codes")
    if codes.dtype.kind not in "iu":
        raise ValueError(f"codes must be integers, got dtype {codes.dtype}")
    if codes.size == 0:
        raise ValueError(f"codes must hold at least one code, got shape {codes.shape}")
    if codes.min() < 0 or codes.max() >= n_codes:
        raise ValueError(f"codes must be in [0, {n_codes}), got values from {codes.min()} to {codes.max()}")
    if per_position and codes.ndim < 2:
        raise ValueError(f"codes must be (n_samples, n_positions) with per_position=True, got shape {codes.shape}")
    columns = codes.reshape(len(codes), -1).T  # counted one by one: bincount copies what it counts to a wider type
    counts = np.stack([np.bincount(column.astype(np.intp), minlength=n_codes) for column in columns])
    return counts if per_position else counts.sum(axis=0, keepdims=True)


def _entropy(counts):
    """Entropy in nats of each row of counts."""
    share = counts / counts.sum(axis=1, keepdims=True)
    return -np.sum(share * np.log(np.where(share > 0, share, 1.0)), axis=1)

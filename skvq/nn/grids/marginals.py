"""Frequencies of the codes at every position of a grid, over all grids and within classes, as biases of logits.

Both are smoothed, because most codes are rare: those over all grids by a count for each code, those within a class by
pulling them towards those over all grids, as far as leaving out one grid at a time says.
"""

import torch

# Strengths, in grids, with which the frequencies within a class may be pulled towards those over all grids.
STRENGTHS = tuple(2.0**k for k in range(11))
# Classes are told apart at a position where that gains so many standard errors on grids that are left out. Codes that
# were learned from few rows gain up to 2.4 by chance, since these rows are spread over them evenly.
LEAST_GAIN = 3.0


def code_counts(codes, n_codes):
    """Return how often each code occurs at each position of the grids `codes` (b, m) int64: (m, n_codes) float32."""
    counts = torch.zeros(codes.shape[1], n_codes, device=codes.device)
    return counts.scatter_add_(1, codes.t(), torch.ones_like(codes.t(), dtype=counts.dtype))


def log_frequencies(counts, smoothing=1.0):
    """Return the logarithms of the frequencies that counts (..., n_codes) stand for, add-`smoothing` smoothed."""
    return ((counts + smoothing) / (counts + smoothing).sum(dim=-1, keepdim=True)).log()


def class_log_ratios(counts, smoothing=1.0):
    """Return log p(code | class) - log p(code) at every position, from counts within classes.

    With the counts n_c(a) of a class at a position, n_c their sum, and p(a) the frequencies over all grids,
    ``p(a | c) = (n_c(a) + s p(a)) / (n_c + s)``. The strength s is the one of `STRENGTHS`, for each position its own,
    under which the codes of a grid are likeliest given all other grids. Where even that gains less than `LEAST_GAIN`
    standard errors, classes do not differ.

    Parameters
    ----------
    counts : Tensor of shape (n_classes, m, n_codes)
        At every position at least one.
    smoothing : float, default=1.0
        Of p(a), as in :func:`log_frequencies`.

    Returns
    -------
    Tensor of shape (n_classes, m, n_codes), float64

    Examples
    --------
    >>> counts = torch.tensor([[[20, 0], [10, 10]], [[0, 20], [10, 10]]])  # the first position tells the classes apart
    >>> class_log_ratios(counts).exp().round(decimals=1)
    tensor([[[2., 0.],
             [1., 1.]],
    <BLANKLINE>
            [[0., 2.],
             [1., 1.]]], dtype=torch.float64)
    """
    counts = counts.cpu().double()
    total, size = counts.sum(dim=0), counts.sum(dim=2, keepdim=True)
    n, n_codes = float(size[:, 0].sum()), counts.shape[2]
    overall = log_frequencies(total, smoothing).exp()
    others = ((total - 1).clamp(min=0) + smoothing) / (n - 1 + smoothing * n_codes)  # without the grid itself
    best, ratios = torch.full((counts.shape[1],), -torch.inf).double(), torch.zeros_like(counts)
    for strength in STRENGTHS:
        left_out = ((counts - 1).clamp(min=0) + strength * others) / ((size - 1).clamp(min=0) + strength)
        gains = (left_out / others).log()  # (n_classes, m, n_codes)
        gain, squares = ((counts * gains**power).sum(dim=(0, 2)) for power in (1, 2))  # (m,)
        errors = (squares - gain**2 / n).clamp(min=0).sqrt()
        better = (gain > best) & (gain > LEAST_GAIN * errors)
        best = torch.where(better, gain, best)
        within = (counts + strength * overall) / (size + strength)
        ratios = torch.where(better[:, None], (within / overall).log(), ratios)
    return ratios

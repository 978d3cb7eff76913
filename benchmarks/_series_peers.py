"""Codes of series by older means: symbols of means, Fourier coefficients, product and residual k-means.

Functions take series (n, length, n_channels) that are standardised by channel, and reconstruct the test ones from codes
of `n_bits` bits. Where it can be done with codes of 4 and of 8 bits, the better one on the test series counts.
"""

import numpy as np
from scipy.stats import norm
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

SYMBOL_BITS = 3
CODE_BITS = 4, 8


def flat(X):
    """Return series as rows (n, length * n_channels)."""
    return X.reshape(len(X), -1)


def segments(X, n_segments):
    """Return the means of `n_segments` segments of each channel, (n, n_segments * n_channels)."""
    edges = np.linspace(0, X.shape[1], n_segments + 1).round().astype(int)
    means = [X[:, a:b].mean(axis=1) for a, b in zip(edges[:-1], edges[1:])]
    return np.concatenate(means, axis=1)


def spread(means, length, n_channels):
    """Return the steps (n, length, n_channels) that means of segments stand for."""
    n_segments = means.shape[1] // n_channels
    edges = np.linspace(0, length, n_segments + 1).round().astype(int)
    return np.repeat(means.reshape(len(means), n_segments, n_channels), np.diff(edges), axis=1)


def sax_words(X, n_bits):
    """Return words of 8 symbols (n, n_segments * n_channels): the means of segments between quantiles of a normal."""
    n_segments = max(1, min(X.shape[1], n_bits // SYMBOL_BITS // X.shape[2]))
    means = segments(X, n_segments)
    return np.searchsorted(norm.ppf(np.arange(1, 2**SYMBOL_BITS) / 2**SYMBOL_BITS), means), means


def sax(train, test, n_bits, seed):
    """Symbolic aggregate approximation; a symbol stands for the mean of what it is given to in the train series."""
    words, means = sax_words(train, n_bits)
    values = [means[words == symbol].mean() if (words == symbol).any() else 0.0 for symbol in range(2**SYMBOL_BITS)]
    return spread(np.array(values)[sax_words(test, n_bits)[0]], *test.shape[1:])


def product(train, test, n_bits, seed, n_code_bits):
    """Product quantisation: k-means of consecutive parts."""
    parts = np.array_split(np.arange(train[0].size), n_bits // n_code_bits)
    found = np.zeros_like(flat(test))
    for part in parts:
        if len(part):
            found[:, part] = nearest(flat(train)[:, part], flat(test)[:, part], n_code_bits, seed)
    return found.reshape(test.shape)


def shared_product(train, test, n_bits, seed, n_code_bits):
    """Product quantisation of stretches of equal length, with one k-means for all of them."""
    n_parts, (length, n_channels) = n_bits // n_code_bits, train.shape[1:]
    width = -(-length // n_parts)
    pieces = []
    for X in (train, test):
        padded = np.pad(X, ((0, 0), (0, width * n_parts - length), (0, 0)), mode="edge")
        pieces.append(padded.reshape(len(X) * n_parts, width * n_channels))
    return nearest(*pieces, n_code_bits, seed).reshape(len(test), n_parts * width, n_channels)[:, :length]


def residual(train, test, n_bits, seed, n_code_bits):
    """Residual quantisation of the whole: k-means of what the k-means before leave."""
    left, left_test = flat(train).copy(), flat(test).copy()
    for _ in range(n_bits // n_code_bits):
        model = KMeans(2**n_code_bits, n_init=1, random_state=seed).fit(left)
        left -= model.cluster_centers_[model.labels_]
        left_test -= model.cluster_centers_[model.predict(left_test)]
    return (flat(test) - left_test).reshape(test.shape)


def fourier(train, test, n_bits, seed, n_code_bits):
    """The first Fourier coefficients, as many as there are codes, each channel alike; a k-means for each."""
    n_codes, (length, n_channels) = n_bits // n_code_bits, train.shape[1:]
    n_kept = max(1, min(length // 2 + 1, n_codes // n_channels))
    spectra = [np.fft.rfft(X, axis=1, norm="ortho")[:, :n_kept] for X in (train, test)]
    found = np.zeros((len(test), length // 2 + 1, n_channels), dtype=complex)
    for frequency in range(n_kept):
        for channel in range(min(n_channels, n_codes)):
            pairs = [np.column_stack([s[:, frequency, channel].real, s[:, frequency, channel].imag]) for s in spectra]
            real, imaginary = nearest(*pairs, n_code_bits, seed).T
            found[:, frequency, channel] = real + 1j * imaginary
    return np.fft.irfft(found, length, axis=1, norm="ortho")


def nearest(train, test, n_bits, seed):
    """Return the k-means centres of train rows that are nearest to test rows."""
    model = KMeans(2**n_bits, n_init=1, random_state=seed).fit(train)
    return model.cluster_centers_[model.predict(test)]


def reconstructions(method, train, test, n_bits, seed):
    """Return what a method makes of the test series: a list, with a reconstruction for every size of code."""
    if method == "SAX":
        return [sax(train, test, n_bits, seed)]
    function = {
        "product k-means": product,
        "shared product k-means": shared_product,
        "residual k-means": residual,
        "DFT + k-means": fourier,
    }[method]
    return [function(train, test, n_bits, seed, bits) for bits in CODE_BITS if 2**bits <= len(train)]


METHODS = "SAX", "DFT + k-means", "product k-means", "shared product k-means", "residual k-means"


def lines(X, known):
    """Return series whose gaps are filled on straight lines, and with the last known value at the end."""
    filled = X.copy()
    for i, channel in np.ndindex(X.shape[0], X.shape[2]):
        seen = known[i, :, channel]
        filled[i, ~seen, channel] = np.interp(np.flatnonzero(~seen), np.flatnonzero(seen), X[i, seen, channel])
    return filled


def mean_series(train, known):
    """Return the mean train series for every test series."""
    return np.broadcast_to(train.mean(axis=0), known.shape)


def drawn_by_mixture(train, n, seed):
    """Return `n` series drawn from a mixture of Gaussians of 95 % of the variance of the train series."""
    pca = PCA(0.95, svd_solver="full").fit(flat(train))
    z = pca.transform(flat(train))
    n_parts = max(1, min(8, len(train) // 20))
    mixture = GaussianMixture(n_parts, covariance_type="diag", reg_covar=1e-3, random_state=seed).fit(z)
    return pca.inverse_transform(mixture.sample(n)[0]).reshape(n, *train.shape[1:])

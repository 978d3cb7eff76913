"""A normal distribution of series: what the known steps of a series say of the others.

It is probabilistic principal components [1]_ with the covariance shrunk towards a multiple of the identity [2]_. The
likelihood of parts of the rows, under the normal distribution of the others, decides how far it is shrunk.

References
----------
.. [1] M. E. Tipping, C. M. Bishop, "Probabilistic Principal Component Analysis", JRSS B 61(3), 1999.
.. [2] O. Ledoit, M. Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", Journal of
   Multivariate Analysis 88(2), 2004.
"""

import math
from dataclasses import dataclass

import numpy as np

from ..training.batches import evenly_spaced

# Rows that the distribution is taken from: as many as have so many values, within two bounds.
LEAST_ROWS, MOST_ROWS, MOST_VALUES = 256, 4_000, 2_000_000
# Components, and values that they have together.
MOST_COMPONENTS, COMPONENT_VALUES = 256, 500_000
# Parts of the rows that judge how far the covariance is shrunk, and the shares of the identity that are tried.
FOLDS = 4
LEAST_NOISE = 1e-9
SHARES = np.array([1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.2, 0.4, 0.7])


@dataclass(frozen=True)
class NormalSeries:
    """A normal distribution of standardised series, with covariance ``components.T @ components + noise · I``.

    Attributes
    ----------
    mean : ndarray of shape (n_values,)
    components : ndarray of shape (r, n_values)
    noise : float > 0
    """

    mean: np.ndarray
    components: np.ndarray
    noise: float

    @classmethod
    def of(cls, estimator):
        """Return the distribution that an estimator of series has learned."""
        return cls(estimator.normal_mean_, estimator.normal_components_.astype(np.float64), estimator.normal_noise_)

    def attributes(self):
        """Return the fitted attributes that hold the distribution, a dict: undo :meth:`of`."""
        components = self.components.astype(np.float32)
        return {"normal_mean_": self.mean, "normal_components_": components, "normal_noise_": self.noise}

    def draw(self, rows, known, random_state=None, temperature=1.0):
        """Return rows whose unknown values are drawn given the known ones, by the components, without the noise.

        Parameters
        ----------
        rows : ndarray of shape (n, n_values)
            Standardised; anything where not known.
        known : ndarray of shape (n, n_values), bool
        random_state : RandomState or None
            None: the expectations in place of draws.
        temperature : float, default=1.0
            Multiplies the variances of the draws: their density is raised to the power of 1 / temperature.
        """
        filled = rows.astype(np.float64)
        masks, of_rows = np.unique(known, axis=0, return_inverse=True)
        for index, seen in enumerate(masks):
            chosen = np.flatnonzero(of_rows.ravel() == index)
            known_part = self.components[:, seen]
            # of the components' scores, given what is known
            precision = np.eye(len(self.components)) + known_part @ known_part.T / self.noise
            z = np.linalg.solve(precision, known_part @ (filled[chosen][:, seen] - self.mean[seen]).T / self.noise)
            if random_state is not None:
                noise = np.sqrt(temperature) * random_state.standard_normal(z.shape)
                z += np.linalg.solve(np.linalg.cholesky(precision).T, noise)
            filled[np.ix_(chosen, ~seen)] = self.mean[~seen] + z.T @ self.components[:, ~seen]
        return filled


def normal_of(rows):
    """Return the NormalSeries of Rows of series; of many some, evenly spaced."""
    n_values = math.prod(rows.shape)
    n = min(len(rows), MOST_ROWS, max(LEAST_ROWS, MOST_VALUES // n_values))
    series = rows.take(evenly_spaced(len(rows), n))
    return fit_normal(series.reshape(n, n_values).cpu().double().numpy())


def fit_normal(rows):
    """Return the NormalSeries of standardised rows (n, n_values), n ≥ 1."""
    mean, values, directions = _spectrum(rows)
    if len(rows) < 2 or not values.any():
        return NormalSeries(mean, np.zeros((1, rows.shape[1])), 1.0)
    likelihoods = np.zeros(len(SHARES))
    for part in np.array_split(np.arange(len(rows)), min(FOLDS, len(rows))):  # neighbours may overlap
        spectrum = _spectrum(np.delete(rows, part, axis=0))
        likelihoods += [_log_likelihood(rows[part], *spectrum, share) for share in SHARES]
    share = SHARES[likelihoods.argmax()]
    kept, noise = _shrunk(values, rows.shape[1], share)
    return NormalSeries(mean, np.sqrt(kept)[:, None] * directions, noise)


def _spectrum(rows):
    """Return the mean of rows, the largest variances along principal components, and these as rows."""
    n, n_values = rows.shape
    most = min(MOST_COMPONENTS, max(1, COMPONENT_VALUES // n_values), n, n_values)
    mean = rows.mean(axis=0)
    _, scales, directions = np.linalg.svd(rows - mean, full_matrices=False)
    return mean, np.square(scales[:most]) / n, directions[:most]


def _shrunk(values, n_values, share):
    """Return the variances along components that go beyond the noise, and the noise, if a share of it is identity."""
    noise = max(share * float(values.sum()) / n_values, LEAST_NOISE)
    return (1 - share) * values, noise


def _log_likelihood(rows, mean, values, directions, share):
    """Return the log-likelihood of rows, summed, up to a constant."""
    kept, noise = _shrunk(values, rows.shape[1], share)
    centred = rows - mean
    scores = np.square(centred @ directions.T).sum(axis=0)
    left = np.square(centred).sum() - scores.sum()
    spread = len(rows) * (np.log(kept + noise).sum() + (rows.shape[1] - len(kept)) * np.log(noise))
    return -0.5 * ((scores / (kept + noise)).sum() + left / noise + spread)

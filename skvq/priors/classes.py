"""The use of classes: what they of a class-conditional model of grids are worth."""

import numpy as np
from scipy.special import logsumexp

from .._warnings import warn_user

# Pairs of a row and a class that are looked at to tell whether classes make a difference, and the fewest rows.
CHECKED_PAIRS, FEWEST_CHECKED_ROWS = 20_000, 100
# Fewer held-out rows than so many cannot tell.
FEWEST_HELD_OUT = 20


def class_gains(log_likelihoods, classes, class_prior):
    """Return log p(codes | class) - log p(codes) of every row, in nats, (n,) float64.

    It is as well the gain of log p(class | codes) over log p(class): its mean is at most the entropy of the classes,
    and 0 for a model that ignores them.

    Parameters
    ----------
    log_likelihoods : ndarray of shape (n, n_classes)
        log p(codes | class) for every class.
    classes : ndarray of shape (n,), int64
        Class indices.
    class_prior : ndarray of shape (n_classes,)

    Examples
    --------
    >>> class_gains(np.log([[0.5, 0.5], [0.9, 0.1]]), np.array([0, 0]), np.array([0.5, 0.5])).round(3)
    array([0.   , 0.588])
    """
    right = log_likelihoods[np.arange(len(classes)), classes]
    return right - logsumexp(log_likelihoods + np.log(class_prior), axis=1)


def warn_of_useless_classes(name, gains, which, optimism=0.0):
    """Warn where the mean of `gains` (n,), see :func:`class_gains`, is not above `optimism` and its standard error.

    Parameters
    ----------
    name : str
        Of the estimator.
    gains : ndarray of shape (n,)
    which : str
        What rows these are: "held-out" or "training".
    optimism : float, default=0.0
        What classes that mean nothing gain on the rows that they were fitted to: half a nat for each frequency that is
        fitted, divided by the rows (Wilks 1938).
    """
    error = gains.std() / np.sqrt(max(1, len(gains) - 1))
    if gains.mean() > error + optimism:
        return
    expected = f"; on rows that were fitted, classes drawn by chance would gain {optimism:.3f}" if optimism > 0 else ""
    warn_user(
        f"{name}: whether the class makes a difference cannot be told from chance: with y the log-likelihood of "
        f"{len(gains)} {which} rows is {gains.mean():+.3f} ± {error:.3f} nats a row higher{expected}. Draws of "
        "different classes may be alike: compare them. If they are, let every code occur more often (more rows, or "
        "fewer codes: n_codes, code_shape or max_bits of a VQVAETransformer), or make the label a column of X"
    )

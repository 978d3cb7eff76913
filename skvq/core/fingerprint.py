"""Tell one fit from another by its parameters, its data and the versions at work: short texts by name."""

import hashlib
from numbers import Number

import joblib
import numpy as np
import torch
from scipy import sparse

from .._version import __version__
from ..training.batches import evenly_spaced

# Parameters that change nothing of what is learned.
WITHOUT_EFFECT = {"checkpoint", "checkpoint_interval", "max_seconds", "verbose"}
LONGEST_TEXT = 100
PIECE = 2**16  # rows at a time


def fingerprint(estimator, **data):
    """Return the fingerprint of a fit.

    Parameters
    ----------
    estimator : estimator
        Its parameters count, and those of estimators among them.
    **data : str
        Digests, by the name that a message gives to what they are of (underscores become spaces).

    Returns
    -------
    dict of str
    """
    found = {"the class": type(estimator).__name__, "the version of skvq": __version__}
    found["the version of torch"] = torch.__version__
    for name, value in estimator.get_params(deep=True).items():
        if name.rpartition("__")[2] not in WITHOUT_EFFECT:
            found[name] = describe(value)
    return found | {name.replace("_", " "): text for name, text in data.items()}


def describe(value):
    """Return a text that is the same for equal parameters, in every process.

    Examples
    --------
    >>> describe((64, 32)), describe("auto"), describe(np.zeros(1000))[:7]
    ('(64, 32)', "'auto'", 'digest ')
    """
    if hasattr(value, "get_params"):
        return type(value).__name__
    if callable(value):
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__name__)}"
    if _is_plain(value) and len(repr(value)) <= LONGEST_TEXT:
        return repr(value)
    return f"digest {joblib.hash(value)}"


def _is_plain(value):
    if isinstance(value, (tuple, list)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, Number, str, torch.device))


def digest_of_rows(rows):
    """Return a text that stands for the rows (Rows) as a network sees them, and for how they were scaled."""
    found = hashlib.blake2b(digest_size=16)
    for part in (rows.shift, rows.scale):
        found.update(b"" if part is None else np.asarray(part, dtype=np.float64).tobytes())
    found.update(repr((len(rows), rows.shape, str(rows.dtype))).encode())
    for batch in rows.in_order(rows.pass_size):
        found.update(batch.cpu().contiguous().numpy())
    return f"digest {found.hexdigest()}"


def digest_of_some(X, n_rows=256):
    """Return a text that stands for evenly spaced rows of X: an ndarray, a CSR matrix or StoredRows."""
    return digest_of_arrays(X[evenly_spaced(X.shape[0], n_rows)])


def digest_of_arrays(*arrays):
    """Return a text that stands for ndarrays and CSR matrices; None is taken for an array of its own."""
    found = hashlib.blake2b(digest_size=16)
    for array in arrays:
        if sparse.issparse(array):
            parts = [array.data, array.indices, array.indptr]
        else:
            parts = [] if array is None else [np.asarray(array)]
        for part in parts:
            found.update(repr((part.dtype.str, part.shape)).encode())
            for start in range(0, len(part), PIECE):
                found.update(np.ascontiguousarray(part[start : start + PIECE]))
    return f"digest {found.hexdigest()}"

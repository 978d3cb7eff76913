"""The outputs of a fitted network on rows, and the predictions made from them."""

import numpy as np
import torch
from scipy import sparse

from ..core.device import alone_in_fork
from ..core.inference import starts
from .build import DTYPES, build_network
from .gather import cast, rows_per_pass
from .network import outputs

# At most this many rows go through the network as one piece, with little to prepare.
FEW_ROWS = 32
# Rows are filled up to a multiple of this many, so that a row gets the same floats whether it comes alone or among
# others, but for the rounding of float32 in layers of one or two units. With the 32 rows of the transformers
# (`core.inference.ROW_BLOCK`) a network of 784, 256 and 256 units takes 40 % longer for a single row.
PREDICT_BLOCK = 8


def filled_batch(rows, dtype):
    """Return rows in `dtype`, dense ones with zeros added up to a multiple of PREDICT_BLOCK rows.

    Values beyond `dtype` become infinite; the caller says so, and keeps numpy from warning.
    """
    if sparse.issparse(rows):
        return cast(rows, dtype)
    n_rows, n_columns = rows.shape
    batch = np.zeros((n_rows + -n_rows % PREDICT_BLOCK, n_columns), dtype=dtype)
    batch[:n_rows] = rows
    return batch


def dense_outputs(coefs, intercepts, activation, precision):
    """Return a function from rows (b, p) to outputs (b, n_outputs), before their activation, of plain layers."""
    dtype = np.dtype(precision)
    if coefs[0].dtype != dtype:
        coefs, intercepts = ([array.astype(dtype) for array in arrays] for arrays in (coefs, intercepts))
    return lambda x: outputs(coefs, intercepts, activation, x)


def network_outputs(weights, activation, precision, device, normalization):
    """Return a function from rows (b, p) to outputs (b, n_outputs), before their activation, on any device."""
    network = build_network(weights, activation, None, DTYPES[precision], device, normalization=normalization)
    return lambda x: network.outputs(_as_tensor(x).to(device)).T.cpu().numpy()


def _as_tensor(rows):
    return torch.from_numpy(rows.toarray() if sparse.issparse(rows) else rows)


def outputs_in_pieces(forward, X, n_outputs, precision, dtype):
    """Return the outputs (n, n_outputs) of all rows in `dtype`; `forward` makes them from rows in `precision`."""
    n = X.shape[0]
    if n <= FEW_ROWS:
        return forward(filled_batch(X, precision))[:n].astype(dtype, order="C")
    found = np.empty((n, n_outputs), dtype=dtype)
    size = rows_per_pass(X.shape[1])
    for start in starts(n, size, "predicting"):
        rows = X[start : start + size]
        found[start : start + size] = forward(filled_batch(rows, precision))[: rows.shape[0]]
    return found


@alone_in_fork
def predictions(loss, found):
    """Return predictions from outputs (n, n_outputs), in their dtype and perhaps in their memory."""
    columns = torch.from_numpy(np.ascontiguousarray(found.T))  # (n_outputs, n)
    return np.ascontiguousarray(loss.predict_(columns).numpy().T)


@alone_in_fork
def log_probabilities(found, out_activation):
    """Return the logarithms of probabilities, (n, n_classes), from outputs (n, n_outputs), in their dtype.

    One output of a logistic function gives two columns; several give one each. Probabilities above one half have the
    logarithm of what is returned as probability, so that those that round to 1 are as equal here as there.
    """
    if out_activation == "softmax":
        return torch.log_softmax(torch.from_numpy(found), dim=1).numpy()
    columns = np.hstack([-found, found]) if found.shape[1] == 1 else found
    columns = torch.from_numpy(columns)
    likely = torch.sigmoid(columns)
    return torch.where(likely > 0.5, likely.log(), torch.nn.functional.logsigmoid(columns)).numpy()


class OutputsNotFinite(ValueError):
    """Raised where a network has outputs that are not finite."""


def refuse_outputs(found, X, precision, wrong_weights):
    """Raise an error that says why outputs (n, n_outputs) of rows X, or some of them, are not finite.

    `wrong_weights` names weights that are not finite, None if all are.
    """
    check_range(X, "X", precision)
    if wrong_weights is not None:
        raise OutputsNotFinite(f"{wrong_weights} holds values that are not finite; fit or load the estimator again")
    row = int(np.flatnonzero(~np.isfinite(found).all(axis=1))[0])
    largest = abs(X[[row]]).max()
    raise OutputsNotFinite(
        f"the outputs for row {row} of X, which holds values up to {largest:.3g}, are not finite in {precision}; scale "
        "X as in fit, or look for values there that are far from those of fit"
    )


def check_range(values, name, precision):
    """Raise ValueError if an array, called `name`, holds values beyond float32: the reason of an infinite output."""
    values = values.data if sparse.issparse(values) else values
    if values.dtype.kind not in "iuf":
        return
    largest = float(np.abs(values).max(initial=0))
    if precision == "float32" and largest > float(np.finfo(np.float32).max):
        raise ValueError(
            f"{name} holds values up to {largest:.3g}, more than float32 can; rescale {name} or pass "
            "precision='float64'"
        )

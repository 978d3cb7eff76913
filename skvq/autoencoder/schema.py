"""Schema of the autoencoder: what a fitted one holds, so what a file of it may hold."""

from functools import partial
from typing import Literal

from ..core.schema import NAMES, ROW_VALUES, ROWS, check_components, check_row_parameters, row_arrays
from ..nn.tables import ACTIVATIONS
from ..persistence.documents import Schema
from .defaults import check_parameters
from .network import build_autoencoder

ARCHITECTURE = ROWS | {
    "code_activation": Literal["identity", "relu", "sigmoid"],
    "loss": Literal["squared_error", "log_loss"],
    "tied_weights": bool,
}


def check(estimator, limits):
    """Raise ValueError where the values of an AutoEncoderTransformer do not go together."""
    dense = {"activation": Literal[tuple(ACTIVATIONS)]} if "n_blocks" not in estimator.architecture_ else {}
    check_components(estimator, limits, ARCHITECTURE | dense)


AUTOENCODER = Schema(
    "AutoEncoderTransformer",
    ROW_VALUES | {"n_components_": int},
    row_arrays(build_autoencoder),
    check,
    partial(check_row_parameters, check_own=check_parameters),
    optional=frozenset(NAMES),
)

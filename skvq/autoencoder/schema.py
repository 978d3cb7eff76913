"""Schema of the autoencoder: what a fitted one holds, so what a file of it may hold."""

from functools import partial

from ..core.loaded import check_network, probes
from ..core.schema import ROW_VALUES, SOME_ROWS, check_row_parameters, read_components, row_arrays
from ..core.tables.saved import check_table
from ..persistence.documents import Schema
from ..persistence.records import from_json
from .defaults import Architecture, check_combinations
from .network import build_autoencoder


def build(architecture, generator):
    """Return the network that a dict describes."""
    return build_autoencoder(from_json(Architecture, architecture), generator)


def check_arrays(estimator):
    """Raise ValueError for an autoencoder with a wrong table, or with weights that no fit leaves."""
    check_table(estimator)

    def compute(module):
        z, outputs = module(probes(from_json(Architecture, estimator.architecture_).sizes.row_shape))
        return {"the code": z, "the output": outputs, "the reconstruction": module.loss.mean(outputs)}

    check_network(estimator, compute)


AUTOENCODER = Schema(
    "AutoEncoderTransformer",
    ROW_VALUES | {"n_components_": int},
    row_arrays(build),
    partial(read_components, kind=Architecture),
    partial(check_row_parameters, check_combinations=check_combinations),
    check_arrays,
    optional=SOME_ROWS,
)

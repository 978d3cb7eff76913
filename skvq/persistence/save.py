"""Write a fitted estimator to a file."""

from __future__ import annotations

import json
import os

from sklearn.utils.validation import check_is_fitted

from .._version import __version__
from .container import infos_of, require_safetensors, to_bytes, write_atomically
from .documents import Draft, pack
from .values import decode, is_own, own_schema

FORMAT = 1


def _classes_in(estimator):
    """Return the classes of this package of an estimator and of all that it holds."""
    found = {type(estimator)}
    for value in vars(estimator).values():
        if is_own(value):
            found |= _classes_in(value)
    return found


def save(estimator, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator to one file; see the estimators' method of the same name."""
    require_safetensors()
    schema = own_schema(estimator)
    check_is_fitted(estimator, next(name for name in ("weights_", "coefs_", "offset_") if name in schema.attributes))
    document, arrays = pack(estimator, schema)
    classes = {kind.__name__: kind for kind in _classes_in(estimator)}
    try:
        # What load would refuse is not written.
        Draft(decode(json.dumps(document)), infos_of(arrays), classes, [schema]).fill(arrays)
    except ValueError as error:
        raise ValueError(f"this {schema.class_name} could not be loaded again: {error}") from error
    metadata = {"format": FORMAT, "skvq_version": __version__, "model": document}
    write_atomically(path, to_bytes(arrays, metadata))

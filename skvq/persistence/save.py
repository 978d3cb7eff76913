"""`save`: a fitted estimator as one file."""

from __future__ import annotations

import json
import os

from sklearn.utils.validation import check_is_fitted

from .._version import __version__
from .container import infos_of, require_safetensors, to_bytes, write_atomically
from .documents import Draft, pack
from .values import decode, own_schema

FORMAT = 1


def save(estimator, path):
    """Write a fitted estimator of this package to a file, whole or not at all; see :meth:`Saves.save`."""
    require_safetensors()
    schema = own_schema(estimator)
    check_is_fitted(estimator, next(name for name in ("weights_", "coefs_") if name in schema.arrays))
    document, arrays = pack(estimator, schema)
    own = {type(each) for each in (estimator, *vars(estimator).values()) if "_schema" in vars(type(each))}
    try:
        # What load would refuse is not written.
        classes = {kind.__name__: kind for kind in own}
        Draft(decode(json.dumps(document)), infos_of(arrays), classes, [schema]).fill(arrays)
    except ValueError as error:
        raise ValueError(f"this {schema.class_name} could not be loaded again: {error}") from error
    metadata = {"format": FORMAT, "skvq_version": __version__, "model": document}
    write_atomically(path, to_bytes(arrays, metadata))


class Saves:
    """The method `save` of every estimator."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to one file, which :func:`skvq.load` reads.

        The file is a safetensors file with the arrays, the parameters and the version: no code, no training rows, no
        memory of the optimiser, no callbacks, no metadata requests. Loading it runs nothing that is in it, so that a
        file from anywhere can be loaded, which is not true of a pickle. It replaces an older file at once or, if
        anything fails, not at all.

        Parameters
        ----------
        path : str or os.PathLike
            Where to; ``.safetensors`` is the usual suffix.

        Raises
        ------
        TypeError
            For a parameter that is no number, string, sequence of these or estimator of this package (a RandomState
            instance, a function, another package's estimator), and for subclasses of the estimators: skops and joblib
            keep these.
        ValueError
            If parameters were changed, after `fit`, to some that do not go with what was learned.
        """
        save(self, path)

"""Frames of numbers: the library and the names of columns that rows came with, and rows as such a frame again."""

from dataclasses import dataclass

import narwhals as nw
import numpy as np

from .._warnings import warn_user
from ..persistence.records import require
from .tables.columns import frame_of


def is_whole(dtype):
    """Return whether the values of a dtype, or of what has its name, are whole numbers."""
    return np.dtype(dtype).kind in "iu"


@dataclass(frozen=True)
class Frame:
    """The kind of frame that the rows of `fit` came in, whose columns are the values of a series or an image.

    Attributes
    ----------
    library : {"pandas", "polars"}
    names : ndarray of shape (n_features,)
        Strings, numbers, dates or durations, as the columns of X are called.
    """

    library: str
    names: np.ndarray

    @classmethod
    def of(cls, X):
        """Return the Frame that X is, or None for anything else.

        Warns
        -----
        UserWarning
            For names of other types than those above, such as tuples: they come back as text.
        """
        library = frame_of(X)
        if library is None:
            return None
        names = np.asarray(X.columns)
        if names.dtype.kind != "O":
            return cls(library, names)
        others = [name for name in names if not isinstance(name, str)]
        if not others:
            return cls(library, names)
        if all(isinstance(name, (int, float, np.number)) for name in names):
            return cls(library, np.array(names.tolist()))
        warn_user(
            f"X has a column named {others[0]!r:.80}, of type {type(others[0]).__name__}: its name comes back as text. "
            "Name columns by strings, numbers, dates or durations to have their names back as they are"
        )
        return cls(library, np.array([str(name) for name in names], dtype=object))

    def attributes(self):
        """Return the fitted attributes, by name, that an estimator keeps this in."""
        return {"_frame_in": self.library, "_frame_names": self.names}

    def wrap(self, rows):
        """Return rows, ndarray (n, n_features), as a frame."""
        if self.library == "pandas":
            pandas = nw.Implementation.PANDAS.to_native_namespace()
            return pandas.DataFrame(rows, columns=pandas.Index(self.names))
        polars = nw.Implementation.POLARS.to_native_namespace()
        return polars.DataFrame(rows, schema=self.names.tolist(), orient="row")

    def check(self):
        """Raise ValueError for names that frames of the library do not have."""
        distinct = self.names.dtype.kind in "OU" and len(np.unique(self.names)) == len(self.names)
        require(self.library == "pandas" or distinct, "_frame_names of polars")


def with_index(found, like):
    """Return rows with the index of another pandas DataFrame of as many, where both are such; else as they are."""
    has_index = all(
        type(part).__module__.partition(".")[0] == "pandas" and hasattr(part, "columns") for part in (found, like)
    )
    if has_index and len(found) == len(like):
        found.index = like.index
    return found

"""`fit_transform` of the transformers that take X in chunks."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike
from sklearn.base import TransformerMixin

from .._typing import RowsLike
from .device import prepared
from .kinds import in_kind


@in_kind
@prepared
def fit_transform(self: Any, X: RowsLike, y: ArrayLike | None = None, **fit_params: Any) -> Any:
    """Fit to X and return what `transform` makes of it, as scikit-learn's method; X is no generator.

    It is the method of a transformer, whose class has it under this name.

    Raises
    ------
    TypeError
        For a generator: `fit` would use up its rows.
    """
    if hasattr(X, "__next__"):
        raise TypeError(
            f"X is a {type(X).__name__}, which gives its rows only once: after fit none would be left to transform. "
            "Call fit(X), and then transform with a new one, or with one chunk after the other"
        )
    return TransformerMixin.fit_transform(self, X, y, **fit_params)

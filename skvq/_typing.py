"""Names of types in the signatures of the public functions and methods."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import sparray, spmatrix

if sys.version_info >= (3, 11):
    from typing import Self
else:
    from typing_extensions import Self

__all__ = [
    "ArrayLike",
    "Device",
    "ImageShape",
    "MatrixLike",
    "Method",
    "NDArray",
    "Path",
    "RandomState",
    "Reals",
    "RowsLike",
    "Self",
    "SeriesLayout",
    "SeriesShape",
    "typed",
]

Method = TypeVar("Method", bound=Callable[..., Any])

# Whatever numpy makes an array of (lists, DataFrames, tensors), or a sparse matrix.
MatrixLike: TypeAlias = ArrayLike | spmatrix | sparray
# That, or what gives one chunk of it after the other.
RowsLike: TypeAlias = MatrixLike | Iterable[Any] | torch.utils.data.Dataset[Any]
Reals: TypeAlias = NDArray[np.floating]
RandomState: TypeAlias = int | np.random.RandomState | None
# Where a checkpoint is kept.
Path: TypeAlias = str | os.PathLike[str] | None
Device: TypeAlias = str | torch.device
ImageShape: TypeAlias = tuple[int, int] | tuple[int, int, int] | None
SeriesShape: TypeAlias = tuple[int] | tuple[int, int] | None
SeriesLayout: TypeAlias = Literal["channels_last", "channels_first"]


def typed(decorator: Any) -> Callable[[Method], Method]:
    """Annotate a decorator: what it returns has the signature of its argument."""
    return decorator

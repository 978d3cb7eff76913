"""The file: a safetensors file whose header is small and whose digest is that of its bytes.

safetensors itself refuses gaps, overlaps, bytes without an array, wrong lengths and offsets, shapes that are no whole
numbers or overflow, unknown dtypes and keys that are missing.
"""

import hashlib
import json
import os
import re
import secrets
import stat
from contextlib import contextmanager, suppress
from typing import NamedTuple

import numpy as np

from .values import decode

# A header with more than this is refused before it is parsed: it cannot take more than some thirty megabytes of memory
# then. An array takes about 130 bytes of it.
LARGEST_HEADER, MOST_TENSORS = 2**19, 2048
DTYPES = {"BOOL": "bool"} | {
    f"{kind[0].upper()}{bits}": f"{kind}{bits}" for kind in ("uint", "int", "float") for bits in (8, 16, 32, 64)
}
NO_DIGEST, CHUNK = "0" * 64, 2**18


class LoadError(ValueError):
    """What a file is refused with: it is damaged, was not made by `save`, or asks for what no estimator can be."""


class Info(NamedTuple):
    """What an array is: the name of its dtype, and its shape."""

    dtype: str
    shape: tuple


def infos_of(arrays):
    """Return the Infos of ndarrays by name."""
    return {name: Info(array.dtype.name, array.shape) for name, array in arrays.items()}


def require_safetensors():
    """Return the package `safetensors`; raise an ImportError that says how to get it."""
    try:
        import safetensors
        import safetensors.numpy
    except ImportError as error:
        raise ImportError('save and load need the package safetensors: pip install "skvq[save]"') from error
    return safetensors


@contextmanager
def open_saved(path):
    """Yield the metadata of a file, the Infos of its arrays, and a function that reads the arrays.

    Anything odd is a ValueError or an error of safetensors, another digest when the arrays are read.
    """
    with open(path, "rb") as file:
        n = int.from_bytes(file.read(8), "little")
        if n > LARGEST_HEADER:
            raise ValueError(f"it has a header of {n} bytes; at most {LARGEST_HEADER} are read")
    with require_safetensors().safe_open(path, framework="numpy") as file:
        names, metadata = file.keys(), file.metadata()
        if metadata is None or list(metadata) != ["skvq"]:
            raise ValueError("it is not a file of save: its metadata are another's")
        if len(names) > MOST_TENSORS:
            raise ValueError(f"it has {len(names)} arrays; at most {MOST_TENSORS} are read")
        slices = {name: file.get_slice(name) for name in names}
        infos = {name: Info(DTYPES.get(part.get_dtype()), tuple(part.get_shape())) for name, part in slices.items()}
        metadata = decode(metadata["skvq"])

        def read():
            _check_digest(path, metadata.get("sha256"))
            return {name: file.get_tensor(name) for name in names}

        yield metadata, infos, read


def _check_digest(path, digest):
    if not isinstance(digest, str) or re.fullmatch("[0-9a-f]{64}", digest) is None:
        raise ValueError("it has no SHA-256")
    with open(path, "rb") as file:
        header = file.read(8)
        header += file.read(min(LARGEST_HEADER, int.from_bytes(header, "little")))
        seen = hashlib.sha256(header.replace(digest.encode(), NO_DIGEST.encode(), 1))
        while chunk := file.read(CHUNK):
            seen.update(chunk)
    if seen.hexdigest() != digest:
        raise ValueError("it is damaged: its SHA-256 is another")


def to_bytes(arrays, metadata):
    """Return header and data of the file that holds the arrays and the metadata (a JSON-able dict), with its digest."""
    arrays = {name: np.require(array, array.dtype.newbyteorder("="), "C") for name, array in arrays.items()}
    text = json.dumps({"sha256": NO_DIGEST} | metadata, separators=(",", ":"))
    data = require_safetensors().numpy.save(arrays, {"skvq": text})
    n = 8 + int.from_bytes(data[:8], "little")
    if n > 8 + LARGEST_HEADER or len(arrays) > MOST_TENSORS:
        raise ValueError(
            f"its description takes {n} bytes, and it has {len(arrays)} arrays; at most {LARGEST_HEADER} and "
            f"{MOST_TENSORS} can be saved; keep it with skops or joblib"
        )
    digest = hashlib.sha256(data).hexdigest()
    return data[:n].replace(NO_DIGEST.encode(), digest.encode(), 1), memoryview(data)[n:]


def write_atomically(path, pieces, part=None):
    """Write the pieces (bytes) to a file that is there whole, or, if anything fails, not there or as it was.

    Until then they are in a file of a random name beside it or, where a process may be killed often, in the file
    `part`, which the next call overwrites.
    """
    path = os.path.realpath(os.fsdecode(path))  # a link stays one
    existing = os.stat(path) if os.path.exists(path) else None
    if existing is not None and not stat.S_ISREG(existing.st_mode):
        raise OSError(f"{path!r} is there and is not a file")
    directory = os.path.dirname(path)
    temporary = os.path.join(directory, f".{secrets.token_hex(16)}.tmp") if part is None else part
    anew = os.O_EXCL if part is None else os.O_TRUNC
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | anew | getattr(os, "O_BINARY", 0), 0o666)
    try:
        if existing is not None:
            os.chmod(temporary, stat.S_IMODE(existing.st_mode))
        with os.fdopen(handle, "wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    with suppress(OSError):  # the new name survives a loss of power too, where directories can be opened
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

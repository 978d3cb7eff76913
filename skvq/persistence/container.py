"""The file: a safetensors file whose header is checked to the last byte before an array is read."""

import hashlib
import json
import math
import os
import re
import secrets
import stat
from contextlib import suppress
from typing import NamedTuple

import numpy as np

# Headers with more than this are refused before they are parsed: what they can make of memory is about thirty
# megabytes then. An array takes some 130 bytes of the header and three containers.
LARGEST_HEADER, MOST_TENSORS, LONGEST_NAME, MOST_AXES = 2**19, 2048, 200, 8
DEEPEST_JSON, MOST_CONTAINERS, LONGEST_NUMBER = 32, 2**14, 32
DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "F16": "float16",
    "U32": "uint32",
    "I32": "int32",
    "F32": "float32",
    "U64": "uint64",
    "I64": "int64",
    "F64": "float64",
}
NO_DIGEST = "0" * 64


class LoadError(ValueError):
    """What a file is refused with: it is damaged, was not made by `save`, or asks for what no estimator can be."""


class Info(NamedTuple):
    """What an array is: the name of its dtype, and its shape."""

    dtype: str
    shape: tuple


class Header(NamedTuple):
    """A checked header.

    Attributes
    ----------
    infos : dict of Info
        By name, in the order of the file.
    metadata : dict
    raw : bytes
        The header as it is in the file, its eight bytes of length before it.
    """

    infos: dict
    metadata: dict
    raw: bytes


def info_of(array):
    """Return the Info of an ndarray."""
    return Info(array.dtype.name, array.shape)


def require_safetensors():
    """Return the package `safetensors`; raise an ImportError that says how to get it."""
    try:
        import safetensors
        import safetensors.numpy
    except ImportError as error:
        raise ImportError('save and load need the package safetensors: pip install "skvq[save]"') from error
    return safetensors


def strict_json(text):
    """Return what JSON stands for; ValueError for what is large or deep, or twice there, or no ordinary number."""
    unescaped = text.replace("\\\\", "").replace('\\"', "")
    marks = "".join(unescaped.split('"')[::2])  # what is outside of strings
    if marks.count("[") + marks.count("{") > MOST_CONTAINERS:
        raise ValueError(f"JSON of more than {MOST_CONTAINERS} lists and objects")
    depth = 0
    for mark in re.findall(r"[\[\]{}]", marks):
        depth += 1 if mark in "[{" else -1
        if depth > DEEPEST_JSON:
            raise ValueError(f"JSON more than {DEEPEST_JSON} levels deep")
    return json.loads(
        text, object_pairs_hook=_unique, parse_int=_integer, parse_float=_finite, parse_constant=_no_number
    )


def _unique(pairs):
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _integer(digits):
    if len(digits) > LONGEST_NUMBER:
        raise ValueError("a number of too many digits")
    return int(digits)


def _finite(digits):
    number = float(digits)
    if len(digits) > LONGEST_NUMBER or not math.isfinite(number):
        raise ValueError(f"{digits[:LONGEST_NUMBER]} is no number")
    return number


def _no_number(name):
    raise ValueError(f"{name} is no number")


def read_header(file):
    """Return the Header of an open file, whose every byte it accounts for; ValueError for anything odd."""
    size = os.fstat(file.fileno()).st_size
    length = file.read(8)
    n = int.from_bytes(length, "little")
    if len(length) < 8 or n > size - 8:
        raise ValueError("it was cut short, or is not a file of save")
    if n > LARGEST_HEADER:
        raise ValueError(f"a header of {n} bytes; at most {LARGEST_HEADER} are read")
    raw = file.read(n)
    found = strict_json(raw.decode("utf-8"))
    if not isinstance(found, dict) or not isinstance(found.get("__metadata__"), dict):
        raise ValueError("it is not a file of save: it has no metadata")
    metadata = found.pop("__metadata__")
    if list(metadata) != ["skvq"] or not isinstance(metadata["skvq"], str):
        raise ValueError("it is not a file of save: its metadata is another's")
    if len(found) > MOST_TENSORS:
        raise ValueError(f"it has {len(found)} arrays; at most {MOST_TENSORS} are read")
    description = strict_json(metadata["skvq"])
    if not isinstance(description, dict):
        raise ValueError("it is not a file of save: its metadata is another's")
    return Header(_check_layout(found, size - 8 - n), description, length + raw)


def _check_layout(entries, n_bytes):
    """Return the arrays' Infos in the order of their bytes, which must cover `n_bytes` without gap or overlap."""
    spans = {}
    for name, entry in entries.items():
        if len(name) > LONGEST_NAME or not isinstance(entry, dict):
            raise ValueError("an array has no proper entry")
        if sorted(entry) != ["data_offsets", "dtype", "shape"] or entry["dtype"] not in DTYPES:
            raise ValueError(f"the array {name!r} has an unknown dtype or entry")
        start, stop = _whole_numbers(entry["data_offsets"], 2)
        info = Info(DTYPES[entry["dtype"]], _whole_numbers(entry["shape"]))
        if len(info.shape) > MOST_AXES or stop - start != math.prod(info.shape) * np.dtype(info.dtype).itemsize:
            raise ValueError(f"the array {name!r} has another size than its shape")
        spans[name] = start, stop, info
    end = 0
    ordered = sorted(spans, key=lambda name: spans[name][:2])
    for name in ordered:
        if spans[name][0] != end:
            raise ValueError(f"the array {name!r} does not follow the one before it")
        end = spans[name][1]
    if end != n_bytes:
        raise ValueError(f"the arrays take {end} bytes, but the file has {n_bytes}")
    return {name: spans[name][2] for name in ordered}


def _whole_numbers(values, n=None):
    if not isinstance(values, list) or not all(type(value) is int and 0 <= value < 2**63 for value in values):
        raise ValueError("sizes and positions must be whole numbers")
    if n is not None and len(values) != n:
        raise ValueError(f"expected {n} numbers")
    return tuple(values)


def read_arrays(path, header):
    """Return the arrays of a file by name; ValueError unless they and the header have the digest of the metadata."""
    digest = header.metadata.get("sha256")
    if not isinstance(digest, str) or re.fullmatch("[0-9a-f]{64}", digest) is None:
        raise ValueError("it has no SHA-256")
    if header.raw.count(digest.encode()) != 1:
        raise ValueError("its SHA-256 is not there once")
    arrays = {}
    with require_safetensors().safe_open(path, framework="numpy") as file:
        if set(file.keys()) != set(header.infos):
            raise ValueError("the file changed while it was read")
        seen = hashlib.sha256(header.raw.replace(digest.encode(), NO_DIGEST.encode()))
        for name, info in header.infos.items():
            arrays[name] = file.get_tensor(name)
            if info_of(arrays[name]) != info:
                raise ValueError("the file changed while it was read")
            seen.update(arrays[name].reshape(-1).view(np.uint8))
    if seen.hexdigest() != digest:
        raise ValueError("it is damaged: its SHA-256 is another")
    return arrays


def to_bytes(arrays, metadata):
    """Return the file that holds the arrays and the metadata (a JSON-able dict), with its digest."""
    arrays = {name: np.require(array, array.dtype.newbyteorder("="), "C") for name, array in arrays.items()}
    text = json.dumps(metadata | {"sha256": NO_DIGEST}, allow_nan=False, separators=(",", ":"))
    data = require_safetensors().numpy.save(arrays, {"skvq": text})
    n = 8 + int.from_bytes(data[:8], "little")
    if n > 8 + LARGEST_HEADER or len(arrays) > MOST_TENSORS:
        raise ValueError(
            f"its description takes {n} bytes, and it has {len(arrays)} arrays; at most {LARGEST_HEADER} and "
            f"{MOST_TENSORS} can be saved; keep it with skops or joblib"
        )
    digest = hashlib.sha256(data).hexdigest()
    return data[:n].replace(NO_DIGEST.encode(), digest.encode(), 1), memoryview(data)[n:]


def write_atomically(path, pieces):
    """Write the pieces (bytes) to a file that is there whole, or, if anything fails, not there or as it was."""
    path = os.path.realpath(os.fsdecode(path))  # a link stays one
    existing = os.stat(path) if os.path.exists(path) else None
    if existing is not None and not stat.S_ISREG(existing.st_mode):
        raise OSError(f"{path!r} is there and is not a file")
    directory = os.path.dirname(path)
    temporary = os.path.join(directory, f".{secrets.token_hex(16)}.tmp")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        if existing is not None:
            os.chmod(temporary, stat.S_IMODE(existing.st_mode))
        with os.fdopen(handle, "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_directory(directory)


def _sync_directory(directory):
    """Make the new name survive a loss of power, where directories can be opened."""
    with suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

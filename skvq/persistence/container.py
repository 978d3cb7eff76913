"""The file: a safetensors file whose header is small and whose digest is that of its bytes.

safetensors itself refuses gaps, overlaps, bytes without an array, wrong lengths and offsets, shapes that are no whole
numbers or overflow, unknown dtypes and keys that are missing.
"""

import errno
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

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# A header with more than this is refused before it is parsed: it cannot take more than some thirty megabytes of memory
# then. An array takes about 130 bytes of it.
LARGEST_HEADER, MOST_TENSORS = 2**19, 2048
# First byte of a pickle.
PICKLE = b"\x80"
DTYPES = {"BOOL": "bool"} | {
    f"{kind[0].upper()}{bits}": f"{kind}{bits}" for kind in ("uint", "int", "float") for bits in (8, 16, 32, 64)
}
# The name of a file that is being written; one that no process has locked is what a killed one left.
PREFIX, SUFFIX = ".skvq-", ".part"
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
        start = file.read(8)
        n = int.from_bytes(start, "little")
        if n > LARGEST_HEADER and start[:1] == PICKLE:
            raise ValueError("it is a pickle, which joblib.load or pickle.load reads, and no file of save")
        if n > LARGEST_HEADER:
            raise ValueError(
                f"it is not a file of save, or damaged: as one, it has a header of {n} bytes; at most {LARGEST_HEADER} "
                "are read"
            )
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


def write_atomically(path, pieces):
    """Write the pieces (bytes) to a file that is there whole, or, if anything fails, not there or as it was.

    What a killed process has left in the folder is removed.

    Raises
    ------
    OSError
        As of `open`, with the path that was passed: for a folder that is not there, or cannot be written to, for what
        is there and is no file, for a file that is read-only, and for a link that leads nowhere but to itself.
    """
    passed = os.fsdecode(path)
    try:
        target = _writable_target(passed)
        directory = os.path.dirname(target)
        remove_leftovers(directory)
        with _unfinished(directory) as (temporary, file):
            if os.path.exists(target):
                os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
            if os.name == "nt":  # where a file that is open cannot be renamed
                file.close()
            os.replace(temporary, target)
    except OSError as error:
        if error.errno is None or error.filename == passed:
            raise
        raise type(error)(error.errno, error.strerror, passed) from error
    with suppress(OSError):  # the new name survives a loss of power too, where directories can be opened
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def file_above(path):
    """Return the part of an absolute path, above its end, that is a file and no folder; None without one."""
    above = os.path.dirname(path)
    while not os.path.exists(above) and above != os.path.dirname(above):
        above = os.path.dirname(above)
    return None if os.path.isdir(above) else above


def _writable_target(path):
    """Return where to write for a path: what a link leads to; an OSError where nothing can be written."""

    def refuse(number, reason=None):
        raise OSError(number, reason or os.strerror(number), path)

    if not os.fspath(path):
        refuse(errno.ENOENT, "the path is empty; pass that of a file")
    target = os.path.realpath(path)
    directory = os.path.dirname(target)
    if os.path.islink(target):
        refuse(errno.ELOOP)
    if not os.path.isdir(directory):
        if (file := file_above(target)) is not None:
            refuse(errno.ENOTDIR, f"{file!r} is a file, and no folder")
        refuse(errno.ENOENT, f"there is no folder {directory!r}; make it first")
    if os.path.isdir(target):
        refuse(errno.EISDIR)
    if os.path.exists(target):
        mode = os.stat(target).st_mode
        if not stat.S_ISREG(mode):
            refuse(errno.EINVAL, "it is there and is not a file")
        if not (mode & 0o222 and os.access(target, os.W_OK)):  # for root as well, whom the system would let
            refuse(errno.EACCES, "it is a read-only file; make it writable, or choose another name")
    return target


def remove_leftovers(directory):
    """Remove the unfinished files in a folder that no process is writing any more."""
    with suppress(OSError), os.scandir(directory) as entries:
        names = [entry.path for entry in entries if entry.name.startswith(PREFIX) and entry.name.endswith(SUFFIX)]
        for name in names:
            with suppress(OSError), open(name, "rb+") as file:
                if _lock(file, wait=False):
                    os.unlink(name)


@contextmanager
def _unfinished(directory):
    """Yield the path of a new file in a folder, and the file, locked and open for bytes; if it is left, remove it."""
    temporary = None  # its name is known before it exists: an interrupt may come at any moment
    try:
        while True:
            temporary = os.path.join(directory, f"{PREFIX}{secrets.token_hex(16)}{SUFFIX}")
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            file = os.fdopen(os.open(temporary, flags, 0o666), "wb")
            _lock(file, wait=True)
            if os.name == "nt" or os.fstat(file.fileno()).st_nlink:
                break
            file.close()  # another process took it for a leftover before it was locked
        with file:
            yield temporary, file
    except BaseException:
        with suppress(OSError):
            if temporary is not None:
                os.unlink(temporary)
        raise


def _lock(file, *, wait):
    """Lock a file until it is closed, by this process or by its end; return whether it is locked.

    Where there are no such locks (Windows) an open file cannot be removed: then there is nothing to do.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # held by another process, or not on this file system
        return False
    return True

"""Checkpoints: the file from which a training that was cut off goes on, and ends with the same bits."""

import json
import os
import time
from contextlib import suppress

import numpy as np
import torch

from .._warnings import warn_user
from ..nn import ranks
from ..persistence.container import (
    LoadError,
    file_above,
    open_saved,
    remove_leftovers,
    require_safetensors,
    to_bytes,
    write_atomically,
)
from ..persistence.records import check_keys

FORMAT = 1


def pack(tensors):
    """Return the bytes of tensors, one after the other, as ndarray (n_bytes,) uint8.

    Examples
    --------
    >>> pack([torch.ones(2), torch.zeros(3, dtype=torch.int64)]).shape
    (32,)
    """
    parts = [tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy() for tensor in tensors]
    return np.concatenate(parts) if parts else np.empty(0, np.uint8)


def unpack(data, tensors):
    """Copy the bytes of :func:`pack` into tensors of the same shapes and dtypes, in place; ValueError for others."""
    tensors = list(tensors)
    sizes = [tensor.numel() * tensor.element_size() for tensor in tensors]
    if data.dtype != np.uint8 or data.shape != (sum(sizes),):
        raise ValueError(f"{len(data)} bytes are there for tensors of {sum(sizes)}")
    with torch.no_grad():
        for tensor, part in zip(tensors, np.split(data, np.cumsum(sizes)[:-1])):
            if part.size > 0:
                # A copy, as a part need not lie where numbers of its type may.
                tensor.copy_(torch.from_numpy(part.copy()).view(tensor.dtype).view(tensor.shape))


class Checkpoint:
    """The file of one fit.

    A state is a dict of ndarrays and of values that JSON knows. The file is written in one piece: at any moment it is
    the last state or the one before. It is a safetensors file without code, as that of ``save``. The next state is
    written to a hidden file beside it, whose name ends in ".part".

    Parameters
    ----------
    path : str or os.PathLike
        The file. If it is there, it is read, and has to be of the same fit.
    interval : float
        Seconds between two states, at least.
    fingerprint : dict of str
        What tells this fit from others, by the name of what it describes.
    seed : int, default=None
        What the fit drew as its seed, kept for the call that goes on.

    Raises
    ------
    ValueError
        If the file is none of a checkpoint, or one of another fit; the message says in what they differ.
    FileNotFoundError
        If the folder is not there.
    """

    def __init__(self, path, interval, fingerprint, seed=None):
        require_safetensors()
        self.path = checked_path(path)
        self.interval = interval
        self.fingerprint = fingerprint
        self.seed = seed
        self.found = self._read()
        self.written = time.monotonic()

    def _read(self):
        """Return the state that the file holds, None without a file."""
        content = ranks.of_first(lambda: read_checkpoint(self.path))
        if content is None:
            return None
        there, here = content["fingerprint"], self.fingerprint
        differing = sorted(name for name in there.keys() | here.keys() if there.get(name) != here.get(name))
        if differing:
            parts = "; ".join(_difference(name, there.get(name), here.get(name)) for name in differing)
            raise ValueError(
                f"checkpoint={self.path!r} is the file of another fit: {parts}. Call fit as that one was called to go "
                "on with it; delete the file, or pass another path, to begin anew. (The candidates of a search get one "
                "and the same path: leave checkpoint=None there.)"
            )
        return content["state"]

    def keep(self, state):
        """Write what ``state()`` returns if the last one was written long enough ago."""
        if ranks.is_first() and time.monotonic() - self.written >= self.interval:
            self.write(state())

    def write(self, state):
        """Write a state; of several processes the first one does."""
        if not ranks.is_first():
            return
        arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
        values = {name: value for name, value in state.items() if name not in arrays}
        content = {"format": FORMAT, "fingerprint": self.fingerprint, "seed": self.seed, "values": json.dumps(values)}
        try:
            write_atomically(self.path, to_bytes(arrays, {"checkpoint": content}))
        except OSError as error:  # a full disk, a folder that is gone: no reason to lose the fit
            warn_user(f"checkpoint={self.path!r} could not be written, and the fit goes on without it: {error}")
        self.written = time.monotonic()

    def remove(self):
        """Delete the file, if it is there, and what a killed process may have left of another one."""
        if ranks.is_first():
            with suppress(FileNotFoundError):
                os.unlink(self.path)
            remove_leftovers(os.path.dirname(self.path))


def checked_path(path):
    """Return the path of a checkpoint as a str; raise OSError where no file can be written there."""
    if not os.fspath(path):
        raise ValueError(f"checkpoint={path!r} is empty; pass the path of a file, or None")
    path = os.path.abspath(os.fsdecode(path))
    if "\0" in path:
        raise ValueError(f"checkpoint={path!r} holds a null character, which no path has; pass another")
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        if (file := file_above(path)) is not None:
            raise NotADirectoryError(f"checkpoint={path!r}: {file!r} is a file, and no folder")
        raise FileNotFoundError(f"checkpoint={path!r}: there is no folder {folder!r}; make it first")
    if os.path.isdir(path):
        raise IsADirectoryError(f"checkpoint={path!r} is a folder; pass the path of a file in it")
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError(f"checkpoint={path!r} is no file, but a pipe or a device; pass the path of a file")
    try:
        os.lstat(path)
    except FileNotFoundError:
        return path
    except OSError as error:
        told = f"{path[:60]}..." if len(path) > 60 else path
        raise OSError(
            error.errno, f"checkpoint={told!r} cannot be the path of a file ({error.strerror}); pass another"
        ) from error
    return path


def read_checkpoint(path):
    """Return a dict with the fingerprint, the seed and the state that a file holds, or None where there is no file.

    Raises
    ------
    ValueError
        If it is no checkpoint, or is damaged.
    """
    path = checked_path(path)
    if not os.path.exists(path):
        return None
    try:
        with open_saved(path) as (metadata, _, read_arrays):
            check_keys(metadata, {"sha256", "checkpoint"})
            content = metadata["checkpoint"]
            check_keys(content, {"format", "fingerprint", "seed", "values"})
            if content["format"] != FORMAT:
                raise ValueError(f"its format is {content['format']!r:.40}, this version reads {FORMAT}")
            state = json.loads(content["values"]) | read_arrays()
    except OSError:
        raise
    except Exception as error:  # whatever goes wrong with a file from anywhere
        raise LoadError(
            f"checkpoint={path!r} is there and is no checkpoint that can be read ({error}); move it away, or pass "
            "another path"
        ) from error
    return content | {"state": state}


def seed_in(path):
    """Return the seed in the checkpoint at a path, None without a file or path."""
    if path is None:
        return None
    content = read_checkpoint(path)
    return None if content is None else content["seed"]


def _difference(name, there, here):
    """Return in words that two values of a fingerprint differ."""
    shown = [value for value in (here, there) if value is not None]
    if any(value.startswith("digest ") for value in shown) or len(shown) < 2:
        return f"{name} differ"
    return f"{name} is {here} here, and {there} there"

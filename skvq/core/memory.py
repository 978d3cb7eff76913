"""Estimate what sizes ask for in bytes, and refuse what the machine does not have, before anything is built.

The estimates are from below: what is refused cannot be built, and what is not may still be too much.
"""

import ctypes
import math
import os
import sys
from contextlib import suppress
from itertools import pairwise

# A float32 weight, its gradient, Adam's two means, and the two copies of the last epoch.
BYTES_PER_WEIGHT = 24
# A layer of a network as objects of Python, at least.
BYTES_PER_LAYER = 10_000
# Asking for less than this is never looked into.
HARMLESS = 2**28
CGROUPS = "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"


def machine_bytes():
    """Return the memory that this process can have, in bytes: that of the machine, or a limit below it."""
    found = [_physical_bytes()]
    for path in CGROUPS:
        with suppress(OSError, ValueError), open(path) as limit:
            found.append(int(limit.read()))
    with suppress(ImportError):
        import resource

        soft = resource.getrlimit(resource.RLIMIT_AS)[0]
        found += [soft] if soft != resource.RLIM_INFINITY else []
    return min(found)


def _physical_bytes():
    if sys.platform == "win32":
        status = (ctypes.c_ulonglong * 8)()  # length and load share the first eight bytes, the total comes next
        status[0] = ctypes.sizeof(status)
        ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
        return int(status[1]) or 2**40
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 2**40


def check_memory(needs, **sizes):
    """Raise ValueError, naming a parameter, for sizes that ask for more memory than there is.

    Parameters
    ----------
    needs : callable
        ``needs(**sizes)`` → bytes, an int.
    **sizes
        Parameters by name: an int, or a sequence of int. The one that is named is the one without which the least is
        asked for.

    Examples
    --------
    >>> check_memory(lambda n_layers, channels: n_layers * channels**2, n_layers=2, channels=64)
    >>> check_memory(lambda n_layers, channels: n_layers * channels**2, n_layers=10**17, channels=64)
    Traceback (most recent call last):
    ValueError: n_layers=100000000000000000 asks for at least ... GB of memory, and there are ... GB; pass less
    """
    needed = needs(**sizes)
    if needed < HARMLESS or needed <= (there := machine_bytes()):
        return
    least = {name: needs(**sizes | {name: _smallest(value)}) for name, value in sizes.items()}
    name = min(least, key=least.__getitem__)
    raise ValueError(
        f"{name}={sizes[name]!r:.80} asks for at least {min(needed, 10**300) / 1e9:.3g} GB of memory, and there are "
        f"{there / 1e9:.3g} GB; pass less"
    )


def _smallest(value):
    return 1 if isinstance(value, int) else tuple(1 for _ in value)


def dense_weights(*widths):
    """Return the number of weights of a chain of dense layers.

    Examples
    --------
    >>> dense_weights(20, 100, 3)
    2403
    """
    return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(widths))


def grid_weights(n_cells, channels, n_blocks):
    """Return the number of weights, at least, of residual blocks over a grid of cells: depthwise and two wide maps."""
    return n_blocks * (4 * channels**2 + 9 * channels) + n_cells * channels


def training_bytes(n_weights, n_layers=0):
    """Return the memory of so many weights in training, and of layers as objects."""
    return BYTES_PER_WEIGHT * n_weights + BYTES_PER_LAYER * n_layers


def check_rows(row_shape, **counts):
    """Raise ValueError for more rows than there is memory for; `counts` are the arguments that multiply to them."""
    n_values = math.prod(row_shape)
    check_memory(lambda **sizes: 8 * n_values * math.prod(sizes.values()), **counts)

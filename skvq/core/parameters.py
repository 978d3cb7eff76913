"""Checks of parameters, by scikit-learn's constraints, and of the memory that sizes ask for.

An estimator names its constraints in ``_parameter_constraints``, and ``self._validate_params()`` holds its parameters
to them. :func:`check_arguments` does the same for the arguments of a method. A rule that no single constraint can
state, such as two parameters that do not go together, is a function beside the estimator. What an estimator made of its
parameters is a frozen dataclass, which :func:`to_json` writes down.

Sizes without a bound are refused before anything is built, if they ask for more bytes than the machine has
(:func:`check_memory`). The estimates are from below: what is refused cannot be built, and what is not may still be too
much.
"""

import ctypes
import math
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from itertools import pairwise
from numbers import Integral, Real
from os import PathLike

import numpy as np
import torch
from sklearn import config_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions, validate_parameter_constraints

# torch and numpy count in 64 bits.
LARGEST_INTEGER = 2**63 - 1
# A float32 weight, its gradient, Adam's two means, and the two copies of the last epoch.
BYTES_PER_WEIGHT = 24
# A layer of a network as objects of Python, at least.
BYTES_PER_LAYER = 10_000
# Deeper networks are built, and take their steps, one object of Python after the other for minutes.
MOST_LAYERS, COUNTS_OF_LAYERS = 1_000, ("n_layers", "n_blocks")
# Asking for less than this is never looked into.
HARMLESS = 2**28
# Characters by which warnings describe an estimator, at most.
MOST_CHARACTERS = 160
CGROUPS = "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"


class Number(Interval):
    """An interval of numbers: as scikit-learn's, but True and False are none, and they fit into int64 or float64."""

    def is_satisfied_by(self, val):
        """Return whether a value is a number in the interval."""
        if type(val) is int:  # of either kind; a list of layers may hold a million of them
            inside = val in self
        else:
            is_number = isinstance(val, (int, float, np.integer, np.floating))  # no fractions: numpy has none
            inside = is_number and not isinstance(val, (bool, np.bool_)) and super().is_satisfied_by(plain(val))
        if not inside:
            return False
        if self.type is Integral:
            return abs(int(val)) <= LARGEST_INTEGER
        # numpy's numbers fit, Python's integers need not.
        return isinstance(val, np.generic) or abs(val) <= sys.float_info.max

    def __str__(self):
        """Return what is accepted, for the message of an error; integers without a bound have that of int64."""
        told = super().__str__()
        return told.replace(", inf)", ", 2**63)") if self.type is Integral else told


class Sizes(Number):
    """Constraint for the sizes of hidden layers and the like: a positive integer, or a sequence of such."""

    def __init__(self, *, at_least=0):
        super().__init__(Integral, 1, None, closed="left")
        self.at_least = at_least

    def is_satisfied_by(self, val):
        """Return whether a value is a size, or a sequence of enough of them."""
        if isinstance(val, Integral):
            return super().is_satisfied_by(val)
        is_sequence = isinstance(val, Sequence | np.ndarray) and not isinstance(val, (str, bytes, bytearray))
        if not is_sequence or getattr(val, "ndim", 1) != 1:
            return False
        return len(val) >= self.at_least and all(map(super().is_satisfied_by, val))

    def __str__(self):
        """Return what is accepted, for the message of an error."""
        several = "positive integers" if self.at_least == 0 else f"at least {self.at_least} positive integers"
        return f"a positive integer or a sequence of {several}"


POSITIVE_INTEGER = Number(Integral, 1, None, closed="left")
COUNT = Number(Integral, 0, None, closed="left")
POSITIVE = Number(Real, 0, None, closed="neither")
NON_NEGATIVE = Number(Real, 0, None, closed="left")
# Of what is computed in float32: weights of losses, and learning rates.
LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
LOSS_WEIGHT = Number(Real, 0, LARGEST_FLOAT32, closed="both")
LEARNING_RATE = Number(Real, 0, 1e30, closed="right")  # Muon takes multiples of it
# Shares: [0, 1), (0, 1), [0, 1] and (0, 1].
FRACTION = Number(Real, 0, 1, closed="left")
INNER_FRACTION = Number(Real, 0, 1, closed="neither")
CLOSED_FRACTION = Number(Real, 0, 1, closed="both")
AUTO = StrOptions({"auto"})
DEVICE = [str, torch.device]
# As scikit-learn's, without True and False.
RANDOM_STATE = [Number(Integral, 0, 2**32 - 1, closed="both"), np.random.RandomState, None]
# The parameters of everything that is trained for long.
LONG_FITS = {
    "max_seconds": [None, POSITIVE],
    "checkpoint": [None, str, PathLike],
    "checkpoint_interval": [NON_NEGATIVE],
}

# The parameters of everything that the training loop trains.
TRAINING = LONG_FITS | {
    "alpha": [LOSS_WEIGHT],
    "batch_size": [AUTO, POSITIVE_INTEGER],
    "learning_rate_init": [AUTO, LEARNING_RATE],
    "max_iter": [AUTO, POSITIVE_INTEGER],
    "early_stopping": ["boolean"],
    "validation_fraction": [INNER_FRACTION],
    "tol": [NON_NEGATIVE],
    "n_iter_no_change": [None, POSITIVE_INTEGER],
    "precision": [StrOptions({"auto", "float32", "bfloat16"})],
    "device": DEVICE,
    "random_state": RANDOM_STATE,
    "verbose": ["verbose"],
}
# The parameters of the transformers that give rows back.
ROWS = TRAINING | {
    "early_stopping": [AUTO, "boolean"],
    "image_shape": "no_validation",  # its message says more: `core.layout.check_image_shape`
    "series_shape": "no_validation",  # as above: `core.series.check_series_shape`
    "series_layout": [StrOptions({"channels_last", "channels_first"})],
    "standardize": ["boolean"],
    "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
    "handle_unknown": [StrOptions({"error", "ignore"})],
    "clip": [AUTO, "boolean"],
    "hidden_layer_sizes": [AUTO, Sizes()],
    "channels": [POSITIVE_INTEGER],
    "n_blocks": [COUNT],
}
# The arguments of methods that draw.
DRAWS = {
    "n_samples": [POSITIVE_INTEGER],
    "temperature": [POSITIVE],
    "top_k": [None, POSITIVE_INTEGER],
    "top_p": [None, Number(Real, 0, 1, closed="right")],
    "n_candidates": [POSITIVE_INTEGER],
    "random_state": RANDOM_STATE,
}


def check_arguments(method, constraints, **arguments):
    """Return the arguments of a method, numbers as Python's own, in the order in which they are passed.

    Parameters
    ----------
    method : str
        Name of the method, with the class, for the message.
    constraints : dict
        Constraints by name of an argument.
    **arguments
        The values.

    Returns
    -------
    values : tuple

    Raises
    ------
    ValueError, TypeError
        An error that is both, and names the first argument that is not accepted.
    """
    validate_parameter_constraints(constraints, arguments, method)
    return tuple(map(plain, arguments.values()))


def plain(value):
    """Return a number of numpy as Python's own, which does not wrap and multiplies tensors; anything else unchanged.

    Examples
    --------
    >>> plain(np.uint8(200)) * 2, type(plain(np.float32(0.5))), plain("auto")
    (400, <class 'float'>, 'auto')
    """
    for kind, own in ((np.bool_, bool), (np.integer, int), (np.floating, float)):
        if isinstance(value, kind):
            return own(value)
    # Of a real parameter: torch takes no such int. Those that no float holds are refused by name elsewhere.
    too_large = isinstance(value, int) and LARGEST_INTEGER < abs(value) <= sys.float_info.max
    return float(value) if too_large else value


def to_json(record):
    """Return a dataclass of numbers, strings, tuples and other dataclasses as a JSON-able dict.

    A class attribute `kind`, by which classes of one base are told apart, is kept as well.
    """
    found = {field.name: _plain(getattr(record, field.name)) for field in fields(record)}
    return {"kind": record.kind} | found if hasattr(type(record), "kind") else found


def _plain(value):
    if is_dataclass(value):
        return to_json(value)
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value


def described(estimator):
    """Return an estimator as one line of text: its class and the parameters that are not at their defaults.

    A seed and a limit of time tell nothing of it, and are often those of the estimator around it, so they are left out.

    Examples
    --------
    >>> from sklearn.decomposition import PCA
    >>> described(PCA(2, svd_solver="full", random_state=0))
    "PCA(n_components=2, svd_solver='full')"
    """
    parameters = {k: v for k, v in estimator.get_params(deep=False).items() if k not in ("random_state", "max_seconds")}
    with config_context(print_changed_only=True):
        return " ".join(type(estimator)(**parameters).__repr__(N_CHAR_MAX=MOST_CHARACTERS).split())


def random_source(random_state):
    """Return the RandomState that the argument `random_state` of a method stands for; ValueError that names it."""
    try:
        if isinstance(random_state, (bool, np.bool_)):
            raise ValueError
        return check_random_state(random_state)
    except ValueError:
        raise ValueError(
            f"random_state={random_state!r} must be None, an int from 0 to 2**32 - 1, or an instance of "
            "numpy.random.RandomState"
        ) from None


def is_auto(value):
    """Return whether a parameter is the string "auto" (comparing arrays with a string would raise or warn)."""
    return isinstance(value, str) and value == "auto"


def as_sizes(value):
    """Return a checked parameter, one size or a sequence of sizes, as a tuple of int."""
    return tuple(int(size) for size in ((value,) if isinstance(value, Integral) else value))


__all__ = [
    "AUTO",
    "CLOSED_FRACTION",
    "COUNT",
    "DEVICE",
    "DRAWS",
    "FRACTION",
    "INNER_FRACTION",
    "LONG_FITS",
    "LOSS_WEIGHT",
    "NON_NEGATIVE",
    "POSITIVE",
    "POSITIVE_INTEGER",
    "RANDOM_STATE",
    "ROWS",
    "TRAINING",
    "HasMethods",
    "Number",
    "Sizes",
    "StrOptions",
    "as_sizes",
    "check_arguments",
    "is_auto",
    "random_source",
    "plain",
]


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
    """Raise ValueError, naming a parameter, for sizes that need more memory than there is, and for too many layers.

    Parameters
    ----------
    needs : callable
        ``needs(**sizes)`` → bytes, an int.
    **sizes
        Parameters by name: an int, or a sequence of int. Where several of them need too much together, the error names
        the one that saves most memory if it is made small.

    Examples
    --------
    >>> check_memory(lambda n_layers, channels: n_layers * channels**2, n_layers=2, channels=64)
    >>> check_memory(lambda n_layers, channels: n_layers * channels**2, n_layers=2, channels=10**9)
    Traceback (most recent call last):
    ValueError: channels=1000000000 needs at least ... GB of memory, but this machine has ... GB; pass a smaller value
    """
    needed = needs(**sizes)
    if needed < HARMLESS or needed <= (there := machine_bytes()):
        check_depth(**sizes)
        return
    least = {name: needs(**sizes | {name: _smallest(value)}) for name, value in sizes.items()}
    name = min(least, key=least.__getitem__)
    raise ValueError(
        f"{name}={sizes[name]!r:.80} needs at least {min(needed, 10**300) / 1e9:.3g} GB of memory, but this machine "
        f"has {there / 1e9:.3g} GB; pass a smaller value"
    )


def check_depth(**sizes):
    """Raise ValueError, naming the parameter, for more layers than a network is trained with.

    Parameters
    ----------
    **sizes
        Parameters by name. The length of a sequence is a number of layers, and so are `n_layers` and `n_blocks`.

    Examples
    --------
    >>> check_depth(hidden_layer_sizes=(4,) * 20_000)
    Traceback (most recent call last):
    ValueError: hidden_layer_sizes asks for 20000 layers, but a network has at most 1000; pass fewer
    """
    for name, value in sizes.items():
        depth = value if name in COUNTS_OF_LAYERS else 0 if isinstance(value, int) else len(value)
        if depth > MOST_LAYERS:
            raise ValueError(f"{name} asks for {depth} layers, but a network has at most {MOST_LAYERS}; pass fewer")


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


def check_rows_memory(row_shape, **counts):
    """Raise ValueError for more rows than there is memory for; `counts` are the arguments that multiply to them."""
    n_values = math.prod(row_shape)
    check_memory(lambda **sizes: 8 * n_values * math.prod(sizes.values()), **counts)

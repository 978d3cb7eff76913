"""Device, precision and threads of a network's computations, and the surroundings that every public call has.

Default dtype and device, autocast, gradient mode and inference mode of torch, numpy's error state, and scikit-learn's
dispatch on the kind of arrays, are those of a fresh process for the length of a call, and the caller's again
afterwards. In a forked process there is one thread besides: the threads of the parent are not there, and to hand them
work would never end.
"""

import functools
import os
import threading
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from sklearn import config_context, get_config

from .._typing import Method

# Below this many multiply-adds in a forward pass of one batch, handing work to a second thread costs more than it saves
# (a step of such a network takes about a millisecond; `benchmarks/threads.py` measures it).
WORK_PER_EXTRA_THREAD = 2e7
AUTOCAST = ("cpu", "cuda", "mps")
# What numpy does by default about numbers out of range: nothing that stops a computation.
ERRORS = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
HARMLESS = {"warn", "ignore"}
_lock = threading.Lock()
_inside = {"blocks": 0, "before": None, "forked": False}
_own = threading.local()  # `threads`: what the block around the present one of this thread has, None without


def _after_fork():
    """Take note in a forked child that torch's other threads are gone, as is whoever held the lock."""
    global _lock
    _lock = threading.Lock()
    _inside["forked"] = True


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)


def is_forked():
    """Return whether this process is a fork, whose threads torch would wait for without end."""
    return _inside["forked"]


def resolve_device(device):
    """Return the torch.device for the parameter `device`.

    Parameters
    ----------
    device : str or torch.device
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``, or ``"auto"``: CUDA if there is one, else MPS, else the CPU.

    Raises
    ------
    ValueError
        If it is not a device or not on this machine. There is no fallback.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    accepted = "'cpu', 'cuda', 'cuda:<index>', 'mps' or 'auto'"
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError):
        raise ValueError(f"device={device!r} is not a device; it must be {accepted}") from None
    present = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (resolved.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if resolved.type not in present:
        raise ValueError(f"device={device!r} is not supported; it must be {accepted}")
    if not present[resolved.type]:
        raise ValueError(f"device={device!r} is not available on this machine; pass device='cpu' or 'auto'")
    return resolved


def resolve_precision(precision, device, *, pays):
    """Return "float32" or "bfloat16" for the parameter `precision`.

    Parameters
    ----------
    precision : {"auto", "float32", "bfloat16"}
        "auto" trains in bfloat16 where `pays` and the processor multiplies such numbers in hardware.
    device : torch.device
    pays : bool
        Whether the network is one that gains from it.
    """
    if precision not in ("auto", "float32", "bfloat16"):
        raise ValueError(f"precision={precision!r} must be 'auto', 'float32' or 'bfloat16'")
    if precision != "auto":
        return precision
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported()
    else:
        # Older versions of torch cannot tell: then float32.
        capabilities = getattr(torch.cpu, "get_capabilities", dict)() if device.type == "cpu" else {}
        fast = any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return "bfloat16" if pays and fast else "float32"


@contextmanager
def threads_for(work):
    """Use one thread inside the block where a batch is too little work for more, and restore the count after.

    In a forked process it is one in any case.

    Parameters
    ----------
    work : float
        Multiply-adds of a forward pass over one batch.
    """
    # A thread that starts inside another's block finds the count of that block: all go back to what the first found.
    with _lock:
        if _inside["blocks"] == 0:
            _inside["before"] = torch.get_num_threads()
        _inside["blocks"] += 1
        wanted = _inside["before"] if work >= WORK_PER_EXTRA_THREAD and not is_forked() else 1
        torch.set_num_threads(wanted)
    outer, _own.threads = getattr(_own, "threads", None), wanted
    try:
        yield wanted
    finally:
        _own.threads = outer
        with _lock:
            _inside["blocks"] -= 1
            torch.set_num_threads(_inside["before"] if outer is None else outer)


def alone_in_fork(function: Method) -> Method:
    """Make a function use one thread of torch in a forked process; elsewhere it costs a tenth of a microsecond.

    It is for short functions that no setting of torch changes, and that are called outside of :func:`prepared`.
    """

    @functools.wraps(function)
    def on_one_thread(*args, **kwargs):
        if not is_forked():
            return function(*args, **kwargs)
        with threads_for(0):
            return function(*args, **kwargs)

    return on_one_thread  # type: ignore[return-value]


class _DefaultDtype:
    """Blocks in which float32 is the default dtype of all threads, for as long as any of them is inside."""

    def __init__(self):
        self.lock = threading.RLock()  # a block may end, collected as garbage, while its thread holds the lock
        self.inside = {}  # the thread of each block, by the id of the block
        self.before = None

    def enter(self, block):
        """Take note of a block."""
        with self.lock:
            if not self.inside:
                self.before = torch.get_default_dtype()
                torch.set_default_dtype(torch.float32)
            self.inside[id(block)] = threading.get_ident()

    def leave(self, block):
        """Forget a block, if it is there."""
        with self.lock:
            if self.inside.pop(id(block), None) is not None and not self.inside:
                torch.set_default_dtype(self.before)

    def after_fork(self):
        """Let go of the lock, which a thread of the parent may hold, and of the blocks of its other threads."""
        self.lock = threading.RLock()
        mine = threading.get_ident()
        self.inside = {block: thread for block, thread in self.inside.items() if thread == mine}


_single = _DefaultDtype()
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_single.after_fork)


class _InFloat32:
    """A block with float32 as the default dtype.

    An interrupt may come between any two steps of it: then it is over as soon as nobody holds it.
    """

    def __enter__(self):
        _single.enter(self)

    def __exit__(self, *error):
        _single.leave(self)

    def __del__(self):
        _single.leave(self)


def prepared(method: Method) -> Method:
    """Make a function or method compute in surroundings of its own, and leave those of the caller as they are."""

    @functools.wraps(method)
    def in_own_surroundings(*args, **kwargs):
        if _are_usual():
            return method(*args, **kwargs)
        with usual_surroundings():
            return method(*args, **kwargs)

    in_own_surroundings.is_prepared = True  # type: ignore[attr-defined]
    return in_own_surroundings  # type: ignore[return-value]


def _are_usual():
    """Return whether there is nothing to prepare; it takes a few microseconds."""
    return (
        not is_forked()
        and torch.get_default_dtype() is torch.float32
        and not _single.inside
        and torch.is_grad_enabled()
        and not torch.is_inference_mode_enabled()
        and not any(map(torch.is_autocast_enabled, AUTOCAST))
        and HARMLESS.issuperset(np.geterr().values())
        and torch.get_default_device().type == "cpu"
        and not get_config()["array_api_dispatch"]
    )


@contextmanager
def usual_surroundings():
    """Give the block the surroundings of a fresh process."""
    with ExitStack() as stack:
        stack.enter_context(_InFloat32())
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for device in filter(torch.is_autocast_enabled, AUTOCAST):
            stack.enter_context(torch.autocast(device, enabled=False))
        raising = {kind: ERRORS[kind] for kind, action in np.geterr().items() if action not in HARMLESS}
        stack.enter_context(np.errstate(**raising))
        if get_config()["array_api_dispatch"]:
            stack.enter_context(config_context(array_api_dispatch=False))
        if is_forked():
            stack.enter_context(threads_for(0))
        yield

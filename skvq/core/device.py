"""Device, precision and number of threads of a network's computations."""

import threading
from contextlib import contextmanager

import torch

# Below this many multiply-adds in a forward pass of one batch, handing work to a second thread costs more than it saves
# (a step of such a network takes about a millisecond; `benchmarks/threads.py` measures it).
WORK_PER_EXTRA_THREAD = 2e7
_lock = threading.Lock()
_inside = {"blocks": 0, "before": None}


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
        wanted = _inside["before"] if work >= WORK_PER_EXTRA_THREAD else 1
        torch.set_num_threads(wanted)
    try:
        yield wanted
    finally:
        with _lock:
            _inside["blocks"] -= 1
            torch.set_num_threads(_inside["before"])

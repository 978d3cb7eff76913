"""How many threads a network is worth."""

import threading
from contextlib import contextmanager

import torch

# Below this many multiply-adds in a forward pass of one batch, handing work to a second thread costs more than it saves
# (a step of such a network takes about a millisecond; `benchmarks/threads.py` measures it).
WORK_PER_EXTRA_THREAD = 2e7
_lock = threading.Lock()
_inside = {"blocks": 0, "before": None}


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

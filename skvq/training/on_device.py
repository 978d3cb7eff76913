"""Rows of an array on an accelerator, whose host does not wait for them."""

import numpy as np
import torch
from scipy import sparse

# An array is kept on a device whole where it takes at most this share of the memory that is free there.
KEPT_SHARE = 0.25
# An array goes to a device in pieces of about so many bytes.
PIECE_BYTES = 2**26
KNOWN_TYPES = tuple(np.dtype(kind) for kind in ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u1", "?"))


def free_bytes(device):
    """Return how many bytes are free on a device, 0 where it does not tell."""
    if device.type != "cuda":
        return 0
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def sent(tensor, device):
    """Return a copy on a device of a tensor of the host, which goes on while it is under way.

    The tensor may be changed at once.
    """
    if device.type == "cuda":
        tensor = tensor.pin_memory()  # the way of a copy that nobody waits for
    return tensor.to(device, non_blocking=device.type != "mps")


def sent_rows(rows, device):
    """Return rows (b, p), an ndarray or a CSR matrix of any numeric type, as a dense tensor on a device."""
    if not sparse.issparse(rows):
        if rows.dtype not in KNOWN_TYPES:
            rows = rows.astype(np.float64)
        rows = np.ascontiguousarray(rows) if rows.flags.writeable else np.array(rows)
        return sent(torch.from_numpy(rows), device)
    values = rows.data if rows.dtype in KNOWN_TYPES[:2] else rows.data.astype(np.float64)
    n_rows, n_columns = rows.shape
    places = np.repeat(np.arange(n_rows) * n_columns, np.diff(rows.indptr)) + rows.indices
    values, places = torch.from_numpy(np.array(values)), torch.from_numpy(places)
    dense = torch.zeros(n_rows * n_columns, dtype=values.dtype, device=device)
    # Cells that are there twice are added up, as scipy does it.
    return dense.scatter_add_(0, sent(places, device), sent(values, device)).view(n_rows, n_columns)


class OnDevice:
    """Rows of an array, in the type of the array, as tensors on a device other than the processor.

    A batch is sent without its host waiting, or taken from the whole array once :meth:`keep` has sent that.

    Parameters
    ----------
    array : ndarray or CSR matrix of shape (n, p)
        May be a read-only memmap.
    device : torch.device
    prepare : callable, default=None
        What is sent of rows (b, p) of the array, an ndarray; None sends them as they are.
    """

    def __init__(self, array, device, prepare=None):
        self.array = array
        self.device = device
        self.prepare = prepare
        self.whole = None

    def keep(self):
        """Send the whole array if that takes no more than a quarter of the memory that is free on the device."""
        n_rows = self.array.shape[0]
        if self.whole is not None or n_rows == 0:
            return
        one = self._sent(slice(0, 1))
        row_bytes = one.numel() * one.element_size()
        if row_bytes * n_rows > KEPT_SHARE * free_bytes(self.device):
            return
        whole = torch.empty((n_rows, *one.shape[1:]), dtype=one.dtype, device=self.device)
        n_together = max(1, PIECE_BYTES // max(1, row_bytes))
        for start in range(0, n_rows, n_together):
            whole[start : start + n_together] = self._sent(slice(start, start + n_together))
        self.whole = whole

    def take(self, indices):
        """Return the rows at `indices` (ndarray of int or slice), (b, p) or what is sent of them; a copy."""
        if self.whole is None:
            return self._sent(indices)
        if isinstance(indices, slice):
            return self.whole[indices].clone()
        return self.whole.index_select(0, sent(torch.from_numpy(np.ascontiguousarray(indices)), self.device))

    def _sent(self, indices):
        rows = self.array[indices]
        return sent_rows(rows if self.prepare is None else self.prepare(rows), self.device)

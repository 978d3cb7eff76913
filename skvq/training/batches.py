"""Batches: rows of X by index, cast, densified and standardised here alone, and means of what is computed of them."""

import math
import os

import numpy as np
import torch
from scipy import sparse

from ..nn.devices import widened
from .on_device import OnDevice, sent
from .orders import AllBut, ComputedOrder

# Rows of a table, images, and values of images that a pass takes at once: what a convolution makes of more of them does
# not stay in the cache of a processor (`benchmarks/passes.py`).
PASS_ROWS, PASS_IMAGES, PASS_VALUES = 256, 128, 2**20
# Rows above which their order is computed where it is needed and not stored.
MOST_STORED = 2**22
# On a device other than the processor, the steps between two looks at values that are computed there.
LOOK_EVERY = 20


def as_array(X, name="X"):
    """Return a torch tensor, on any device and with or without a gradient, as an ndarray; anything else unchanged.

    But a table of pyarrow, or a frame of dask, becomes a data frame, and masked cells of numpy become missing ones.
    Floats that numpy does not have, such as bfloat16, become float32. Lists of tensors become lists of ndarrays.
    Messages call the array by `name`.

    Raises
    ------
    TypeError
        For tensors that are not dense, and for those on the device "meta", which have no values. For generators, and
        torch's data sets and loaders, dicts, strings and paths, which are no arrays.
    ValueError
        For complex numbers. For images of PIL that are no array, and lists of names of files.
    """
    if name.startswith("X"):  # labels may be strings
        refuse_files(X, name)
    if not isinstance(X, np.ndarray | torch.Tensor):
        refuse_streams(X)
        X = framed(X)
        if type(X).__module__.partition(".")[0] == "dask" and hasattr(X, "columns"):
            return X.compute()
    if isinstance(X, dict | set) and not sparse.issparse(X):  # the dictionary of keys is a sparse matrix
        raise TypeError(f"{name} is a {type(X).__name__}; pass rows and columns, such as pandas.DataFrame({name})")
    if isinstance(X, (list, tuple)) and len(X) and isinstance(X[0], dict):
        raise TypeError(f"{name} is a list of dicts; pass rows and columns, such as pandas.DataFrame({name})")
    if type(X).__name__ == "LazyFrame":
        raise TypeError(f"{name} is a LazyFrame, which holds no rows yet; pass {name}.collect()")
    if X.is_complex() if isinstance(X, torch.Tensor) else getattr(getattr(X, "dtype", None), "kind", "") == "c":
        raise ValueError(
            f"Complex data not supported: {name} has dtype {X.dtype}; pass real numbers, such as the real and the "
            "imaginary part as columns"
        )
    if isinstance(X, (list, tuple)) and _holds_tensors(X):
        return [as_array(part) for part in X]
    if isinstance(X, np.ma.MaskedArray):  # what is masked is missing
        mask, X = np.ma.getmaskarray(X), X.data
        if mask.any():
            is_number = X.dtype.kind in "biuf"
            X = np.array(X, dtype=X.dtype if X.dtype.kind == "f" else np.float64 if is_number else object)
            X[mask] = np.nan if is_number else None
    if not isinstance(X, torch.Tensor):
        return X
    if X.layout != torch.strided or X.is_quantized:
        kind = "quantized" if X.is_quantized else str(X.layout).removeprefix("torch.")
        advice = "dequantize()" if X.is_quantized else "to_dense(), or a CSR matrix of scipy where these are taken"
        raise TypeError(f"{name} is a {kind} torch tensor; pass a dense one, {name}.{advice}")
    if X.device.type == "meta":
        raise TypeError(f"{name} is a torch tensor on the device 'meta', which has no values; pass one that has")
    X = X.detach().cpu()
    if X.dtype.is_floating_point and X.dtype not in (torch.float16, torch.float32, torch.float64):
        X = X.float()
    return X.resolve_conj().resolve_neg().numpy()


def framed(X):
    """Return a table or a record batch of pyarrow as a frame, of pandas or else of polars; anything else unchanged."""
    if type(X).__module__ != "pyarrow.lib" or not (hasattr(X, "to_pandas") and hasattr(X, "schema")):
        return X
    try:
        return X.to_pandas()
    except ImportError:
        import polars

        return polars.from_arrow(X)


def _holds_tensors(X):
    """Return whether a list, or the first list in it, begins with a tensor."""
    while isinstance(X, (list, tuple)) and X:
        X = X[0]
    return isinstance(X, torch.Tensor)


def refuse_files(X, name):
    """Raise an error for names of files, images of PIL that are no array, lists of data frames, and single columns."""
    if isinstance(X, (str, os.PathLike)):
        advice = f"if that is a file, read it first, such as pandas.read_csv({str(X)!r:.80})"
        raise TypeError(f"{name} is {X!r:.80}; {advice}")
    if hasattr(X, "getbands"):  # of PIL
        raise ValueError(
            f"{name} is one image of PIL; pass an array of images of shape (n, height, "
            f"width), np.stack([np.asarray(image) for image in images]). One image is np.asarray({name})[None]"
        )
    is_series = hasattr(X, "to_frame") and hasattr(X, "to_numpy") and not hasattr(X, "columns")
    if is_series and not (len(X) and isinstance(X.to_numpy()[0], (str, os.PathLike))):
        raise ValueError(
            f"{name} is a {type(X).__name__}, one column; pass a frame, {name}.to_frame(). One row is frame.iloc[[0]]"
        )
    X = X.to_numpy() if is_series else X
    is_array = isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind in "OUS"
    if not (is_array or isinstance(X, (list, tuple))) or not len(X):
        return
    if isinstance(X[0], (str, os.PathLike)):
        raise ValueError(
            f"{name} holds strings or paths, such as {str(X[0])!r:.80}. If they are names of images, read these first: "
            f"np.stack([np.asarray(PIL.Image.open(path)) for path in {name}]). If they are one column of a table, pass "
            f"np.reshape({name}, (-1, 1)); if they are one row, a table of this row, such as frame.iloc[[0]]"
        )
    if hasattr(X[0], "columns"):
        raise ValueError(
            f"{name} is a list of data frames; pass one frame, pandas.concat({name}). A transformer takes iter({name}) "
            "too, for numbers that are more than memory holds"
        )
    if all(hasattr(image, "getbands") for image in X):
        _refuse_unequal_images(X, name)


def _refuse_unequal_images(images, name):
    """Raise ValueError for images of PIL that make no array, and for those whose numbers stand for any colours."""
    sizes, kinds = {image.size for image in images}, {image.getbands() for image in images}
    if len(sizes) > 1:
        raise ValueError(
            f"{name} holds images of {len(sizes)} different sizes, such as {' and '.join(map(str, sorted(sizes)[:2]))}"
            f"; bring them to one size first: np.stack([np.asarray(image.resize((32, 32))) for image in {name}])"
        )
    convert = f"np.stack([np.asarray(image.convert('RGB')) for image in {name}]), or 'L' for grey ones"
    if len(kinds) > 1:
        told = " and ".join(sorted(map("".join, kinds))[:2])
        raise ValueError(f"{name} holds images of {len(kinds)} different kinds, such as {told}; pass {convert}")
    if "P" in min(kinds):
        raise ValueError(
            f"{name} holds images with a palette, whose pixels are numbers of colours and not colours; pass {convert}"
        )


def refuse_streams(X):
    """Raise TypeError for what gives rows one after the other: a generator, or a data set or loader of torch."""
    if isinstance(X, torch.utils.data.Dataset):
        joined = "np.stack([row for row, *_ in X])"
    elif isinstance(X, torch.utils.data.DataLoader):
        joined = "np.concatenate([batch for batch, *_ in X])"
    elif hasattr(X, "__next__"):
        joined = "np.concatenate(list(X))"
    else:
        return
    raise TypeError(
        f"a {type(X).__name__} was passed where an array is expected; pass its rows as one array, such as {joined}; if "
        "they are more than memory holds, call the method with one chunk of them after the other (partial_fit in place "
        "of fit; a model without partial_fit is fitted to a part of the rows)"
    )


def pass_size(row_shape):
    """Return the number of rows that a pass without gradients takes at once: 256, or 32 to 128 images.

    Examples
    --------
    >>> pass_size((20,)), pass_size((28, 28, 1)), pass_size((64, 64, 3)), pass_size((224, 224, 3))
    (256, 128, 64, 32)
    """
    most = PASS_IMAGES if len(row_shape) == 3 else PASS_ROWS
    return max(32, min(most, PASS_VALUES // math.prod(row_shape) // 32 * 32))


class Rows:
    """Rows of an array as standardised float32 (or integer) tensors, a batch at a time.

    X is never copied whole: a batch is gathered by index, densified if sparse, standardised in float64 (so that a
    column such as a time stamp keeps its digits) and only then cast. The extra memory of a pass is that of one batch.
    On an accelerator with float64 the rows are standardised there, and sent in the type of X.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_rows, n_columns)
        The data, of any numeric dtype; may be a read-only memmap.
    shift, scale : float or ndarray of shape (n_columns,), default=None
        A row becomes ``(row - shift) / scale``; None takes the rows as they are.
    shape : tuple of int, default=None
        Shape of one row of a batch, ``(n_columns,)`` if None. ``(28, 28, 1)`` makes a batch of 128 rows of 784
        columns [128, 28, 28, 1].
    dtype : torch.dtype, default=torch.float32
        Type of a batch.
    device : torch.device or str, default="cpu"
        Where a batch is put.
    subset : ndarray of int, or what is read like one, default=None
        The rows of X that this object stands for; all of them if None.
    source : OnDevice, default=None
        That of other rows of the same X on this device.

    Attributes
    ----------
    source : OnDevice or None
        X on an accelerator; None where batches are made on the processor.
    """

    name = "X"  # for messages

    def __init__(
        self, X, *, shift=None, scale=None, shape=None, dtype=torch.float32, device="cpu", subset=None, source=None
    ):
        self.X = X
        self.shift = shift
        self.scale = scale
        self.shape = (X.shape[1],) if shape is None else tuple(shape)
        self.dtype = dtype
        self.device = torch.device(device)
        self.subset = subset
        made_here = self.device.type in ("cpu", "mps")  # MPS has no float64
        self.source = self._open_source() if source is None and not made_here else source
        self._units, self._all_finite = None, None

    def _open_source(self):
        return OnDevice(self.X, self.device)

    def __len__(self):
        """Return the number of rows."""
        return self.X.shape[0] if self.subset is None else len(self.subset)

    @property
    def n_columns(self):
        """Number of columns of X."""
        return self.X.shape[1]

    def restrict(self, subset):
        """Return the rows at the positions `subset` (ndarray of int) of these rows, sharing X."""
        return self._of(subset if self.subset is None else self.subset[subset])

    def spread(self, n_rows):
        """Return at most `n_rows` of these rows, evenly spaced; these themselves where they are no more."""
        return self if len(self) <= n_rows else self.restrict(evenly_spaced(len(self), n_rows))

    def unrestricted(self):
        """Return all rows of X, these and those that :meth:`restrict` left out."""
        return self._of(None)

    def _of(self, subset):
        """Return other rows of the same X; `subset` is that of the constructor."""
        return Rows(
            self.X,
            shift=self.shift,
            scale=self.scale,
            shape=self.shape,
            dtype=self.dtype,
            device=self.device,
            subset=subset,
            source=self.source,
        )

    def keep(self):
        """Send X to an accelerator, where it is one with room for X: for rows that are taken many times."""
        if self.source is not None:
            self.source.keep()

    def take(self, indices):
        """Return the rows at `indices` (ndarray of int or slice) as a tensor of shape (n, *shape).

        Raises
        ------
        ValueError
            For values that are not finite in the type of a batch.
        """
        batch = self.take_ahead(indices)
        self.look()
        return batch

    def take_ahead(self, indices):
        """Return what :meth:`take` does, but look later, in :meth:`look`, at values that lie on an accelerator."""
        if self.subset is not None:
            indices = self.subset[indices]
        if self.source is None:
            batch = self._batch(indices)
        else:
            batch = self._batch_there(self.source.take(indices))
        if batch.is_floating_point():
            finite = torch.isfinite(batch).all()
            self._all_finite = finite if self._all_finite is None else self._all_finite & finite
            if self.device.type == "cpu":
                self.look()
        return batch.reshape(-1, *self.shape)

    def look(self):
        """Raise ValueError if values taken since the last look are not finite."""
        all_finite, self._all_finite = self._all_finite, None
        if all_finite is not None and not bool(all_finite):
            raise ValueError(
                f"{self.name} holds values that float32 cannot hold after standardisation; they are too far from the "
                "rows of fit"
            )

    def _batch(self, indices):
        """Return rows at indices into X as a tensor that is made on the processor."""
        rows = self.X[indices]
        if sparse.issparse(rows):
            rows = rows.toarray()
        if self.shift is not None:
            with np.errstate(over="ignore", invalid="ignore"):  # refused below
                rows = np.subtract(rows, self.shift, dtype=np.float64)
                rows /= self.scale
        elif isinstance(indices, slice):
            rows = np.array(rows)  # a view of X may be read-only, and must never be written through
        return torch.from_numpy(np.ascontiguousarray(rows)).to(self.dtype).to(self.device)

    def _batch_there(self, rows):
        """Return rows (b, n_columns) that are on the accelerator, in the type of X, as a batch."""
        if self.shift is None:
            return rows.to(self.dtype)
        if self._units is None:
            units = (np.broadcast_to(unit, self.n_columns) for unit in (self.shift, self.scale))
            self._units = [sent(torch.from_numpy(np.array(unit, dtype=np.float64)), self.device) for unit in units]
        shift, scale = self._units
        return (rows.double() - shift).div_(scale).to(self.dtype)

    @property
    def pass_size(self):
        """Number of rows that a pass without gradients takes at once, see :func:`pass_size`."""
        return pass_size(self.shape)

    def in_order(self, batch_size):
        """Yield all rows in order, `batch_size` at a time (the last batch may be smaller)."""
        for start in range(0, len(self), batch_size):
            yield self.take(slice(start, start + batch_size))

    def shuffled(self, batch_size, generator):
        """Yield all rows once in an order drawn from `generator`, `batch_size` at a time; none is dropped."""
        order = self.drawn_order(generator)
        for start in range(0, len(order), batch_size):
            yield self.take(order[start : start + batch_size])

    def drawn_order(self, generator):
        """Return the positions of all rows in an order drawn from `generator`, (n,) integers."""
        return drawn_order(len(self), generator)

    def sample(self, n_rows, generator):
        """Return at most `n_rows` distinct rows, drawn from `generator`, as one tensor, gathered piece by piece."""
        order = np.sort(drawn_order(len(self), generator)[:n_rows])
        rows = torch.empty(len(order), *self.shape, dtype=self.dtype, device=self.device)
        for start in range(0, len(order), self.pass_size):
            piece = self.take(order[start : start + self.pass_size])
            rows[start : start + len(piece)] = piece
        return rows


def steps_between_looks(device):
    """Return how many steps of a training pass between two looks at values that a device computes.

    The host runs ahead of an accelerator, which is never idle then, and a look makes it wait.
    """
    return 1 if device.type == "cpu" else LOOK_EVERY


def fetched(scalars):
    """Return the values of scalar tensors as floats; the host waits for a device once."""
    if all(scalar.is_cpu for scalar in scalars):
        return [float(scalar) for scalar in scalars]
    return torch.stack([widened(scalar) for scalar in scalars]).cpu().tolist()


class TermMeans:
    """Means of named loss terms over the rows of several batches.

    Parameters
    ----------
    every : int, default=1
        Batches whose terms are fetched together: see :func:`steps_between_looks`.
    refuse : callable, default=None
        Called with a loss that is not finite, and what was noted of its batch, when it is fetched.
    """

    def __init__(self, every=1, refuse=None):
        self.every = every
        self.refuse = refuse
        self.sums = {}
        self.n_rows = 0
        self.waiting = []

    def add(self, terms, n_rows, note=None):
        """Add the terms (dict of scalar tensors, each a mean over the rows) of a batch of `n_rows`."""
        self.n_rows += n_rows
        self.waiting.append(({name: value.detach() for name, value in terms.items()}, n_rows, note))
        if len(self.waiting) >= self.every:
            self.fetch()

    def fetch(self):
        """Fetch the terms that are still on a device."""
        waiting, self.waiting = self.waiting, []
        values = iter(fetched([value for terms, _, _ in waiting for value in terms.values()]))
        for terms, n_rows, note in waiting:
            for name, value in zip(terms, values):
                if name == "loss" and self.refuse is not None and not math.isfinite(value):
                    self.refuse(value, note)
                self.sums[name] = self.sums.get(name, 0.0) + value * n_rows

    def values(self):
        """Return the means as a dict of float."""
        self.fetch()
        return {name: total / self.n_rows for name, total in self.sums.items()}


def evenly_spaced(n_rows, most):
    """Return at most `most` of the positions 0 … n_rows - 1, evenly spaced from the first to the last: ndarray of int.

    Examples
    --------
    >>> evenly_spaced(10, 4), evenly_spaced(3, 4)
    (array([0, 3, 6, 9]), array([0, 1, 2]))
    """
    return np.linspace(0, n_rows - 1, min(n_rows, most)).astype(np.int64)


def drawn_order(n_rows, generator):
    """Return the positions 0 … n_rows - 1 in an order drawn from `generator`: an ndarray, or what is read like one."""
    if n_rows > MOST_STORED:
        return ComputedOrder(n_rows, generator)
    return torch.randperm(n_rows, generator=generator, dtype=torch.int32).numpy()


def n_training_rows(n_rows, validation_fraction):
    """Return how many of `n_rows` rows are left to train on; at least one is held out.

    Raises
    ------
    ValueError
        If none is left.
    """
    n_training = n_rows - max(1, round(n_rows * validation_fraction))
    if n_training < 1:
        raise ValueError(
            f"validation_fraction={validation_fraction} holds all rows out (n_samples = {n_rows}), and none is left to "
            "train on; pass more rows, a smaller fraction, or early_stopping=False"
        )
    return n_training


def split_rows(n_rows, validation_fraction, generator):
    """Draw the held-out rows.

    Parameters
    ----------
    n_rows : int
        Number of rows to split.
    validation_fraction : float in (0, 1)
        Share that is held out, rounded to at least one row.
    generator : torch.Generator
        Source of the split.

    Returns
    -------
    training, validation : ndarray of int
        Disjoint sorted positions that together are 0 … n_rows - 1. Of very many rows, `training` is an :class:`AllBut`.

    Raises
    ------
    ValueError
        If no row would be left to train on.
    """
    n_validation = n_rows - n_training_rows(n_rows, validation_fraction)
    order = drawn_order(n_rows, generator)
    held_out = np.sort(order[:n_validation])
    if isinstance(order, ComputedOrder):
        return AllBut(n_rows, held_out), held_out
    return np.sort(order[n_validation:]), held_out

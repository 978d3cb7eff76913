"""Several processes that train one network: which rows of a batch are whose, and what the processes add up.

They are the ranks of torch.distributed's default group, which a user starts; without one every function here is that of
a single process. All ranks are given the same rows and draw the same numbers. Of each batch, whose rows have the same
numbers on all ranks, a rank computes a run of rows; within :func:`sharing` sums, means and draws are those of the whole
batch.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import torch
import torch.distributed as dist

Value = TypeVar("Value")


class Part(NamedTuple):
    """The rows of a batch that are this rank's: `start` up to `stop` of `n`."""

    start: int
    stop: int
    n: int


# The part of the batch that is being computed; None outside of `sharing`, and where every rank computes all rows.
_now: list[Part | None] = [None]


def active() -> bool:
    """Whether there are several processes."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def is_first() -> bool:
    """Whether this process is the one that writes, prints and decides: rank 0, or the only one."""
    return not active() or dist.get_rank() == 0


def count() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if active() else 1


def number() -> int:
    """Return the rank of this process."""
    return dist.get_rank() if active() else 0


def run_of(n: int, step: int = 1) -> slice:
    """Return this rank's run of n rows; it starts at a multiple of `step`, and may be empty."""
    n_steps = -(-n // step)
    start, stop = (n_steps * rank // count() * step for rank in (number(), number() + 1))
    return slice(min(start, n), min(stop, n))


@contextmanager
def sharing(n: int) -> Iterator[slice]:
    """Share a batch of n rows within the block; what is yielded are the rows of this rank.

    With fewer rows than ranks all compute all of them, since a mean over no rows is none.
    """
    if not active() or n < count():
        yield slice(None)
        return
    mine = run_of(n)
    _now[0] = Part(mine.start, mine.stop, n)
    try:
        yield mine
    finally:
        _now[0] = None


def share() -> float:
    """Return which share of the rows of the batch this rank computes."""
    part = _now[0]
    return 1.0 if part is None else (part.stop - part.start) / part.n


def add(*tensors: torch.Tensor) -> None:
    """Make tensors of one dtype the sums of those of all ranks, in place and in one message."""
    if _now[0] is None:
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    dist.all_reduce(flat)
    for tensor, total in zip(tensors, flat.split([tensor.numel() for tensor in tensors])):
        tensor.copy_(total.view(tensor.shape))


def mean(of_rows: torch.Tensor) -> torch.Tensor:
    """Return the mean over the batch for a mean over this rank's rows; its gradient is that of these rows alone.

    So the gradients of a function of it add up, each with the share of its rank, to that of the whole batch.
    """
    if _now[0] is None:
        return of_rows
    whole = of_rows.detach() * share()
    add(whole)
    return whole + (of_rows - of_rows.detach())


def of_whole_batch(terms: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the loss terms of a batch for those of this rank's rows; the gradients are those of these rows."""
    if share() == 1:
        return terms
    whole = mean(torch.stack([value.detach().float() for value in terms.values()]))
    return {name: value.detach() + (mine - mine.detach()) for value, (name, mine) in zip(whole, terms.items())}


def drawn(draw: Callable[[tuple[int, ...]], torch.Tensor], shape: Iterable[int], axis: int = 0) -> torch.Tensor:
    """Return this rank's part, along `axis`, of what is drawn for the whole batch; `shape` is that of the part."""
    part, sizes = _now[0], list(shape)
    if part is None:
        return draw(tuple(sizes))
    sizes[axis] = part.n
    return draw(tuple(sizes)).narrow(axis, part.start, part.stop - part.start)


def rows_of_all(rows: torch.Tensor) -> torch.Tensor:
    """Return the rows of the whole batch, in order: (b, ...) of this rank → (n, ...)."""
    part = _now[0]
    if part is None:
        return rows
    whole = rows.new_zeros((part.n, *rows.shape[1:]))
    whole[part.start : part.stop] = rows
    dist.all_reduce(whole)
    return whole


def _sendable(error: Exception) -> Exception:
    """Return an error that the other ranks can be sent: itself, or one that tells of it."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # whatever an error of somebody else's does there
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def of_first(call: Callable[[], Value]) -> Value:
    """Return what a call returns on rank 0, or raise what it raises there: any value that pickles."""
    if not active():
        return call()
    box: list = [None, None]
    if is_first():
        try:
            box[0] = call()
        except Exception as error:
            box[1] = _sendable(error)
    dist.broadcast_object_list(box, src=0)
    if box[1] is not None:
        raise box[1]
    return box[0]


def of_all(value: Value) -> list[Value]:
    """Return the values of all ranks, in their order: any that pickle."""
    if not active():
        return [value]
    values: list = [None] * count()
    dist.all_gather_object(values, value)
    return values


def each(call: Callable[[], Value]) -> list[Value]:
    """Return what a call returns on each rank, or raise what it raises on any: any value that pickles."""
    mine: list = [None, None]
    try:
        mine[0] = call()
    except Exception as error:
        mine[1] = _sendable(error)
    found = of_all(mine)
    for _, error in found:
        if error is not None:
            raise error
    return [value for value, _ in found]


@torch.no_grad()
def make_equal(tensors: Iterable[torch.Tensor]) -> None:
    """Give tensors the values that they have on rank 0, in place."""
    if active():
        for tensor in tensors:
            values = tensor.contiguous()
            dist.broadcast(values, src=0)
            tensor.copy_(values)

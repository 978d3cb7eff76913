"""A device that behaves like an accelerator, and counts how often the host waits for it.

Its tensors say that they are on "meta", and hold their values on the processor. What an accelerator refuses is refused
here: tensors of two devices in one operation, a random number that another device's generator would draw. What makes
the host of an accelerator wait for it is counted: values that are read, copies that are not told to go on beside the
work of the host, shapes that depend on values.
"""

import functools
import sys
from collections import Counter
from contextlib import ExitStack, contextmanager, nullcontext
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing

import skvq
import skvq.training.optimizers

REMOTE, HOST = torch.device("meta"), torch.device("cpu")
ADAMW, TENSOR, AUTOCAST = skvq.training.optimizers.adamw, torch.tensor, torch.autocast
# Operations that look at values: for the shape of their result, or whether they succeeded.
WAITING = {
    "_linalg_check_errors",
    "_linalg_eigh",
    "_linalg_svd",
    "_local_scalar_dense",
    "_unique2",
    "bincount",
    "equal",
    "masked_select",
    "multinomial",
    "nonzero",
    "unique_consecutive",
    "unique_dim",
}
MASKING = {"index", "index_put", "index_put_", "_index_put_impl_"}


class RemoteTensor(torch.Tensor):
    """A tensor that says it is on the device; `here` has its values."""

    @staticmethod
    def __new__(cls, here):
        kept = {"strides": here.stride(), "storage_offset": here.storage_offset(), "dtype": here.dtype}
        return torch.Tensor._make_wrapper_subclass(cls, here.size(), device=REMOTE, **kept)

    def __init__(self, here):
        self.here = here

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        raise RuntimeError(f"{function} on the device outside of the block in which there is one")


class RemoteGenerator(torch.Generator):
    """A generator of the device, known by its seed: on its way to an operation it becomes an object of torch's own."""

    seeds: set = set()

    def manual_seed(self, seed):
        self.seeds.add(seed)
        return super().manual_seed(seed)


class RemoteDevice(TorchDispatchMode):
    """The device, within a block; `waits` counts, by operation, how often the host waited for it."""

    def __init__(self):
        super().__init__()
        self.waits = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = function.__name__.partition(".")[0]
        tensors = list(tensors_in((args, kwargs)))
        is_remote = [isinstance(tensor, RemoteTensor) for tensor in tensors]
        asked = kwargs.get("device")
        becomes_remote = any(is_remote) if asked is None else torch.device(asked) == REMOTE
        if not any(is_remote) and not becomes_remote:
            return function(*args, **kwargs)
        if name in ("_to_copy", "copy_"):
            becomes_remote = becomes_remote if name == "_to_copy" else is_remote[0]
            self._count_copy(is_remote[-1], becomes_remote, non_blocking(name, args, kwargs))
        else:
            self._check(name, args, kwargs, tensors, is_remote)
        if asked is not None:
            kwargs = kwargs | {"device": HOST}
        found = function(*mapped(_here, args), **mapped(_here, kwargs))
        if not becomes_remote or name == "_local_scalar_dense":
            return args[0] if name == "copy_" else found
        wrapped = mapped(RemoteTensor, found)
        return wrapped if _makes_all_anew(function) else return_and_correct_aliasing(function, args, kwargs, wrapped)

    def _check(self, name, args, kwargs, tensors, is_remote):
        """Refuse what the device refuses; count what it is waited for."""
        masks = name in MASKING and any(index is not None and index.dtype == torch.bool for index in args[1])
        if name in WAITING or masks:
            self.waits[f"{name} by a mask" if masks else name] += 1
        others = [tensor for tensor, remote in zip(tensors, is_remote) if not remote and tensor.dim() > 0]
        if others and any(is_remote):
            if name not in MASKING:
                raise RuntimeError(f"{name}: a tensor {tuple(others[0].shape)} of the host among those of the device")
            self.waits["copy to the device"] += len(others)
        if kwargs.get("generator") is not None:
            self.refuse_generator(name, kwargs["generator"])

    def refuse_generator(self, name, generator):
        """Refuse a generator of the host."""
        if generator.initial_seed() not in RemoteGenerator.seeds:
            raise RuntimeError(f"{name}: a generator of the host draws no numbers of the device")

    def _count_copy(self, was_remote, becomes_remote, goes_on):
        if was_remote != becomes_remote and not (becomes_remote and goes_on):
            self.waits["copy to the device" if becomes_remote else "copy from the device"] += 1


def non_blocking(name, args, kwargs):
    """Return whether a copy is one that the host need not wait for."""
    return kwargs.get("non_blocking", False) or (name == "copy_" and len(args) > 2 and args[2])


def tensors_in(values):
    """Yield the tensors in nested lists, tuples and dicts."""
    if isinstance(values, torch.Tensor):
        yield values
    elif isinstance(values, list | tuple | dict):
        for value in values.values() if isinstance(values, dict) else values:
            yield from tensors_in(value)


def mapped(function, values):
    """Return nested lists, tuples and dicts with a function applied to the tensors in them."""
    if isinstance(values, torch.Tensor):
        return function(values)
    if isinstance(values, dict):
        return {name: mapped(function, value) for name, value in values.items()}
    return type(values)([mapped(function, value) for value in values]) if type(values) in (list, tuple) else values


def _here(tensor):
    return tensor.here if isinstance(tensor, RemoteTensor) else tensor


@functools.cache
def _makes_all_anew(function):
    """Return whether an operation returns new tensors only: none that it was given, and no views of these."""
    return all(part.alias_info is None for part in function._schema.returns)


def step_by_step(parameters, gradients, means, squares, largest, steps, *, fused, **options):
    """Take a step of AdamW by several operations, which count steps on the host: a fused one is a device's own."""
    ADAMW(parameters, gradients, means, squares, largest, [_here(step) for step in steps], foreach=True, **options)


@contextmanager
def plain_steps():
    """Let the processor take the steps of Adam as the device does."""
    with mock.patch.object(skvq.training.optimizers, "adamw", step_by_step):
        yield


@contextmanager
def remote_device(free_bytes=0, *, draws_of_the_host=False):
    """Let there be a device "meta" with some memory that is free, and give its :class:`RemoteDevice`.

    With `draws_of_the_host` the numbers that are drawn on the device are those that the host would draw, so that
    results can be compared.
    """
    device, generator = RemoteDevice(), ("new_generator", _new_generator)
    if draws_of_the_host:
        generator = "generator_for", lambda device, generator: generator
        device.refuse_generator = lambda name, generator: None
    with ExitStack() as stack:
        stack.enter_context(plain_steps())
        for target, name, value in [
            (torch, "tensor", _made),
            (torch, "autocast", _autocast),
            (skvq.training.on_device, "free_bytes", lambda device: free_bytes),
            *((module, "resolve_device", torch.device) for module in modules_with("resolve_device")),
            *((module, *generator) for module in modules_with(generator[0])),
        ]:
            stack.enter_context(mock.patch.object(target, name, value))
        stack.enter_context(device)
        yield device


def modules_with(name):
    """Return the modules of the package that know something by its name."""
    found = [module for path, module in sys.modules.items() if path.partition(".")[0] == "skvq"]
    return [module for module in found if hasattr(module, name)]


def _made(data, *, device=None, **options):
    return TENSOR(data, **options) if device is None else TENSOR(data, **options).to(device)


def _autocast(kind, *args, **options):
    return nullcontext() if kind == REMOTE.type else AUTOCAST(kind, *args, **options)


def _new_generator(device):
    return RemoteGenerator() if device == REMOTE else torch.Generator(device)

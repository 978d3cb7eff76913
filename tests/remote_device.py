"""A device that behaves like an accelerator, and counts how often the host waits for it.

Its tensors say that they are on "meta", and hold their values on the processor. What an accelerator refuses is refused
here: tensors of two devices in one operation, a random number that another device's generator would draw. What makes
the host of an accelerator wait for it is counted: values that are read, copies that are not told to go on beside the
work of the host, shapes that depend on values.
"""

from collections import Counter
from contextlib import ExitStack, contextmanager, nullcontext
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map_only

import skvq

REMOTE, HOST = torch.device("meta"), torch.device("cpu")
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
        name = function._schema.name.removeprefix("aten::")
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
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
        found = function(*tree_map_only(RemoteTensor, lambda tensor: tensor.here, args), **_here(kwargs))
        if not becomes_remote or name == "_local_scalar_dense":
            return args[0] if name == "copy_" else found
        wrapped = tree_map_only(torch.Tensor, RemoteTensor, found)
        return return_and_correct_aliasing(function, args, kwargs, wrapped)

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
            self._refuse_generator(name, kwargs["generator"])

    def _refuse_generator(self, name, generator):
        if generator.initial_seed() not in RemoteGenerator.seeds:
            raise RuntimeError(f"{name}: a generator of the host draws no numbers of the device")

    def _count_copy(self, was_remote, becomes_remote, goes_on):
        if was_remote != becomes_remote and not (becomes_remote and goes_on):
            self.waits["copy to the device" if becomes_remote else "copy from the device"] += 1


def non_blocking(name, args, kwargs):
    """Return whether a copy is one that the host need not wait for."""
    return kwargs.get("non_blocking", False) or (name == "copy_" and len(args) > 2 and args[2])


def _here(kwargs):
    return tree_map_only(RemoteTensor, lambda tensor: tensor.here, kwargs)


@contextmanager
def remote_device(free_bytes=0):
    """Let there be a device "meta" with some memory that is free, and give its :class:`RemoteDevice`.

    What torch does on an accelerator in its own kernels is done by the simpler ones here: Adam in separate steps.
    """
    device, adam, tensor, autocast = RemoteDevice(), torch.optim.AdamW, torch.tensor, torch.autocast

    def made(data, *, device=None, **options):
        found = tensor(data, **options)
        return found if device is None else found.to(device)

    def on(kind, *args, **options):
        return nullcontext() if kind == "meta" else autocast(kind, *args, **options)

    def generator(on_device):
        return RemoteGenerator() if on_device == REMOTE else torch.Generator(on_device)

    with ExitStack() as stack:
        for target, name, value in [
            (torch.optim, "AdamW", lambda *args, fused, **options: adam(*args, foreach=False, **options)),
            (torch, "tensor", made),
            (torch, "autocast", on),
            (skvq.nn.draws, "new_generator", generator),
            (skvq.training.on_device, "free_bytes", lambda device: free_bytes),
            *((module, "resolve_device", torch.device) for module in skvq_modules("resolve_device")),
        ]:
            stack.enter_context(mock.patch.object(target, name, value))
        stack.enter_context(device)
        yield device


def skvq_modules(name):
    """Return the modules of the package that know a function by its name."""
    import sys

    found = [module for path, module in sys.modules.items() if path.partition(".")[0] == "skvq"]
    return [module for module in found if hasattr(module, name)]

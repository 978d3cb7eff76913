"""Find the shapes of a network's weights without memory for them."""

import torch
from torch.overrides import TorchFunctionMode

from .container import Info

# What first weights are made with, and leaves their shape as it is: on the meta device it would do nothing else, and
# load much of torch for that.
_NOTHING = {
    torch.empty_like,
    torch.Tensor.normal_,
    torch.Tensor.uniform_,
    torch.Tensor.zero_,
    torch.Tensor.fill_,
    torch.Tensor.clone,
    torch.nn.init.normal_,
    torch.nn.init.uniform_,
    torch.nn.init.kaiming_uniform_,
}
_SCALINGS = {torch.Tensor.div, torch.Tensor.mul}


class _OnMeta(TorchFunctionMode):
    """Sends to the meta device what asks for another one, and draws nothing."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in _NOTHING or (func in _SCALINGS and not isinstance(args[1], torch.Tensor)):
            return args[0] if args else kwargs["tensor"]
        kwargs = {name: value for name, value in (kwargs or {}).items() if name != "generator"}
        if kwargs.get("device") is not None:
            kwargs["device"] = "meta"
        return func(*args, **kwargs)


def expected_weights(build, architecture):
    """Return the Info of every array in the state of the network that an architecture describes, by name.

    Parameters
    ----------
    build : callable
        (architecture, generator) → torch.nn.Module.
    architecture : dict
        Its sizes should be known to be bounded: their product is not allocated, but layers and positions take time.
    """
    with torch.device("meta"), _OnMeta():
        module = build(architecture, torch.Generator())
    return {
        name: Info(str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape))
        for name, tensor in module.state_dict().items()
    }

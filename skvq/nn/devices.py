"""Float64 where a device has it."""

from __future__ import annotations

import torch


def widest_float(device: torch.device) -> torch.dtype:
    """Return the floating-point type with the most digits that a device has: float64, on Apple's MPS float32."""
    return torch.float32 if device.type == "mps" else torch.float64


def widened(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor in the :func:`widest_float` of its device."""
    return tensor.to(widest_float(tensor.device))

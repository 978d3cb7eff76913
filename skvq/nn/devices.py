"""What the devices of torch do differently: float64, and results that the host has to wait for."""

from __future__ import annotations

import torch


def widest_float(device: torch.device) -> torch.dtype:
    """Return the floating-point type with the most digits that a device has: float64, on Apple's MPS float32."""
    return torch.float32 if device.type == "mps" else torch.float64


def widened(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor in the :func:`widest_float` of its device."""
    return tensor.to(widest_float(tensor.device))


def solved(matrices: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """X of A X = B, for regular matrices A (g, d, d) and B (g, d, e): (g, d, e).

    Only the processor looks whether they are regular: on other devices the host would wait for the answer.
    """
    if matrices.is_cpu:
        return torch.linalg.solve(matrices, right)
    return torch.linalg.solve_ex(matrices, right).result

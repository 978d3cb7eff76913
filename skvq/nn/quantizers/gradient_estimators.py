"""How the gradient at a codebook vector goes on to the encoder vector that it replaces.

The value is always the codebook vector, to the last digit. `straight_through` hands the gradient on unchanged [1]_.
`rotation` [2]_ writes the codebook vector q as the encoder vector e rotated and rescaled, q = λ R e, takes λ and R as
constants, and so hands on λ Rᵀ g:

    ê = e / |e|,   q̂ = q / |q|,   r = (ê + q̂) / |ê + q̂|,   λ = |q| / |e|,   R = I - 2 r rᵀ + 2 q̂ êᵀ

A gradient keeps its angle with the vector then, so that those who share a code no longer all move alike.

Departures. Where e is zero and has no direction, the gradient goes straight through.

References
----------
.. [1] A. van den Oord, O. Vinyals, K. Kavukcuoglu, "Neural Discrete Representation Learning", NeurIPS 2017.
.. [2] C. Fifty et al., "Restructuring Vector Quantization with the Rotation Trick", ICLR 2025.
"""

from __future__ import annotations

import torch


def straight_through(z: torch.Tensor, z_q: torch.Tensor) -> torch.Tensor:
    """z_q, with the gradient of the result handed to z unchanged: (..., d), (..., d) → (..., d)."""
    return z_q.detach() + (z - z.detach())


def rotation(z: torch.Tensor, z_q: torch.Tensor) -> torch.Tensor:
    """z_q, with the gradient of the result handed to z rotated and rescaled: (..., d), (..., d) → (..., d).

    With e = (1, 0), q = (0, 2) and the gradient (0, 1) at q, z gets (2, 0): what lengthens q lengthens e.
    """
    return _Rotation.apply(z, z_q.detach())


class _Rotation(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, z_q):
        norm = z.norm(dim=-1, keepdim=True)  # (..., 1)
        norm_q = z_q.norm(dim=-1, keepdim=True)
        directed = norm > 0
        e_hat = torch.where(directed, z / norm, 0.0)
        q_hat = torch.where(directed & (norm_q > 0), z_q / norm_q, 0.0)
        between = torch.where(directed, e_hat + q_hat, 0.0)
        length = between.norm(dim=-1, keepdim=True)
        # Opposite vectors have no direction between them; without it R is the reflection that maps one to the other.
        r = torch.where(length > 0, between / length, 0.0)
        scale = torch.where(directed, norm_q / norm, 1.0)
        ctx.save_for_backward(e_hat, q_hat, r, scale)
        return z_q.clone()

    @staticmethod
    def backward(ctx, gradient):
        e_hat, q_hat, r, scale = ctx.saved_tensors
        along_r = (r * gradient).sum(dim=-1, keepdim=True)
        along_q = (q_hat * gradient).sum(dim=-1, keepdim=True)
        return scale * (gradient - 2 * along_r * r + 2 * along_q * e_hat), None


GRADIENT_ESTIMATORS = {"straight_through": straight_through, "rotation": rotation}


def estimator_named(name: str):
    """Return the function (z, z_q) → vectors of that name."""
    if name not in GRADIENT_ESTIMATORS:
        raise ValueError(f"gradient_estimator must be one of {sorted(GRADIENT_ESTIMATORS)}, got {name!r}")
    return GRADIENT_ESTIMATORS[name]

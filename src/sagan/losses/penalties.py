"""Penalties on the gradient of the logits with respect to the pictures they were computed from.

All of them sum over a picture's values and average over pictures: averaging over values too would weaken them a thousandfold.
The logits' graph must have second derivatives, so attention must not be on the fused path (`explicit_attention`).
"""

from __future__ import annotations

import torch
from torch import Tensor

EPSILON = 1e-12  # under the root: the derivative of a norm at zero is not a number


def interpolate(real: Tensor, fake: Tensor, shares: Tensor) -> Tensor:
    """share * real + (1 - share) * fake, one share a picture (WGAN-GP, arXiv:1704.00028, algorithm 1, line 6).

    real, fake: (B, C, H, W).  shares: (B,) uniform in (0, 1).  The result is a leaf that asks for its gradient.
    """
    shares = shares.to(real.dtype)[:, None, None, None]
    return (shares * real + (1 - shares) * fake).detach().requires_grad_()


def input_gradients(logits: Tensor, pictures: Tensor) -> Tensor:
    """d logit / d picture, itself differentiable: logits (B,) or (B, 1) of pictures (B, C, H, W) -> (B, C, H, W).

    Right only if no logit depends on another picture: not with batch norm in the discriminator.
    """
    return torch.autograd.grad(logits.sum(), pictures, create_graph=True)[0]


def squared_norms(logits: Tensor, pictures: Tensor) -> Tensor:
    """(B,) in float32 or better: over all values of each picture's gradient."""
    gradients = input_gradients(logits, pictures)
    return gradients.to(torch.promote_types(gradients.dtype, torch.float32)).square().sum(dim=(1, 2, 3))


def unit_norm_penalty(logits: Tensor, pictures: Tensor) -> Tensor:
    """mean (|gradient| - 1)^2, two-sided (WGAN-GP, equation 3)."""
    return ((squared_norms(logits, pictures) + EPSILON).sqrt() - 1).square().mean()


def zero_norm_penalty(logits: Tensor, pictures: Tensor) -> Tensor:
    """mean |gradient|^2 / 2: R1 on real pictures, R2 on fakes (Mescheder et al., arXiv:1801.04406, equation 9)."""
    return squared_norms(logits, pictures).mean() / 2

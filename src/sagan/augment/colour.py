"""Affine maps of the colours of a picture in [-1, 1], for grey, RGB and RGB with transparency.

A map is (B, 4, 4) on (r, g, b, 1). Luma is what the three colours share, along (1, 1, 1) / sqrt 3. A grey picture is on that
axis and stays on it; transparency is left alone.
"""

from __future__ import annotations

import torch
from torch import Tensor

LUMA = torch.ones(3) / 3**0.5


def recolour(pictures: Tensor, maps: Tensor) -> Tensor:
    """pictures: (B, C, H, W) of 1, 3 or 4 channels.  maps: (B, 4, 4) -> the same shape."""
    matrix, offset = maps[:, :3, :3].to(pictures.dtype), maps[:, :3, 3].to(pictures.dtype)
    if pictures.shape[1] == 1:
        luma = LUMA.to(pictures)
        gain = torch.einsum("i,bij,j->b", luma, matrix, luma)
        return pictures * gain[:, None, None, None] + offset.mean(1)[:, None, None, None]
    coloured = torch.einsum("bij,bjhw->bihw", matrix, pictures[:, :3]) + offset[:, :, None, None]
    return torch.cat([coloured, pictures[:, 3:]], dim=1)


def brightness(amount: Tensor) -> Tensor:
    """Add (B,) to every colour."""
    maps = _identity(amount)
    maps[:, :3, 3] = amount[:, None]
    return maps


def contrast(factor: Tensor) -> Tensor:
    """Multiply every colour by (B,), around the middle grey."""
    maps = _identity(factor)
    maps[:, :3, :3] *= factor[:, None, None]
    return maps


def luma_flip(flipped: Tensor) -> Tensor:
    """Where (B,) is 1: bright becomes dark and the hue stays, by Householder's I - 2 v v'; where it is 0, nothing."""
    maps = _identity(flipped)
    maps[:, :3, :3] -= 2 * flipped[:, None, None] * torch.outer(LUMA, LUMA).to(flipped)
    return maps


def hue(angle: Tensor) -> Tensor:
    """Turn the colours about the luma axis by an angle in radians, (B,): Rodrigues' formula."""
    axis = LUMA.to(angle)
    outer, zero = torch.outer(axis, axis), axis.new_zeros(())
    cross = torch.stack([zero, -axis[2], axis[1], axis[2], zero, -axis[0], -axis[1], axis[0], zero]).view(3, 3)
    cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
    maps = _identity(angle)
    maps[:, :3, :3] = cosine * torch.eye(3).to(angle) + sine * cross + (1 - cosine) * outer
    return maps


def saturation(factor: Tensor) -> Tensor:
    """Multiply by (B,) what a colour has beside its luma."""
    grey = torch.outer(LUMA, LUMA).to(factor)
    maps = _identity(factor)
    maps[:, :3, :3] = grey + factor[:, None, None] * (torch.eye(3).to(factor) - grey)
    return maps


def _identity(like: Tensor) -> Tensor:
    return torch.eye(4, device=like.device, dtype=like.dtype).repeat(len(like), 1, 1)

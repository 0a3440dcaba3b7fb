"""Moving the places of a picture. Random numbers come from elsewhere; gradients flow through the pictures alone."""

from __future__ import annotations

import torch
from torch import Tensor


def shift(pictures: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Move each picture (B, C, H, W) by whole pixels, (B,) each; what comes in from outside is 0."""
    height, width = pictures.shape[-2:]
    rows, columns = _sources(height, down), _sources(width, right)
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    moved = _taken(pictures, rows.clamp(0, height - 1), columns.clamp(0, width - 1))
    return moved * inside[:, None].to(pictures.dtype)


def shift_mirrored(pictures: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """As `shift`; what comes in is the picture's own mirror image at that edge."""
    height, width = pictures.shape[-2:]
    rows, columns = _sources(height, down), _sources(width, right)
    return _taken(pictures, folded(rows, height), folded(columns, width))


def folded(places: Tensor, size: int) -> Tensor:
    """Places outside [0, size - 1] mirrored back into it at the picture's edges, -1/2 and size - 1/2, as often as needed.

    Between the edge and the outermost pixel's middle there is that pixel.
    """
    period = torch.remainder(places + 0.5, 2 * size)
    return (size - (period - size).abs() - 0.5).clamp(0, size - 1).to(places.dtype)


def warp(pictures: Tensor, maps: Tensor) -> Tensor:
    """Draw each picture anew through an affine map, with bilinear interpolation; outside it is mirrored at its edges.

    pictures: (B, C, H, W).  maps: (B, 3, 3), from a place of the result, (x, y, 1) in pixels from the middle, to the place
    in the picture that is seen there. The identity leaves every bit as it was.
    """
    height, width = pictures.shape[-2:]
    x = torch.arange(width, device=maps.device, dtype=maps.dtype) - (width - 1) / 2
    y = torch.arange(height, device=maps.device, dtype=maps.dtype) - (height - 1) / 2
    places = torch.stack([x.expand(height, width), y[:, None].expand(height, width)]).flatten(1)  # (2, H*W)
    sources = maps[:, :2, :2] @ places + maps[:, :2, 2:]  # (B, 2, H*W)
    across = folded(sources[:, 0] + (width - 1) / 2, width)
    down = folded(sources[:, 1] + (height - 1) / 2, height)
    left, top = across.floor(), down.floor()
    return _blend(pictures, top.long(), left.long(), down - top, across - left)


def _blend(pictures: Tensor, top: Tensor, left: Tensor, lower: Tensor, righter: Tensor) -> Tensor:
    """Four neighbours by their shares. top, left: (B, N) whole places.  lower, righter: (B, N) shares of the next ones.

    Written as lookups because derivatives of every order follow: torch's grid_sample has only the first.
    """
    height, width = pictures.shape[-2:]
    flat = pictures.flatten(2)  # (B, C, H*W)
    below, beside = (top + 1).clamp(max=height - 1), (left + 1).clamp(max=width - 1)

    def seen(row: Tensor, column: Tensor, share: Tensor) -> Tensor:
        index = (row * width + column)[:, None].expand(-1, flat.shape[1], -1)
        return flat.gather(2, index) * share[:, None].to(flat.dtype)

    mixed = seen(top, left, (1 - lower) * (1 - righter)) + seen(top, beside, (1 - lower) * righter)
    mixed = mixed + seen(below, left, lower * (1 - righter)) + seen(below, beside, lower * righter)
    return mixed.unflatten(2, (height, width))


def _sources(size: int, shift: Tensor) -> Tensor:
    """(B, size): the place that each place of the shifted picture had before."""
    return torch.arange(size, device=shift.device) - shift[:, None].long()


def _taken(pictures: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Rows (B, H) and columns (B, W) of each picture, in the order given."""
    channels, height, width = pictures.shape[1:]
    lines = pictures.gather(2, rows[:, None, :, None].expand(-1, channels, -1, width))
    return lines.gather(3, columns[:, None, None, :].expand(-1, channels, height, -1))


# Maps for `warp`, (B, 3, 3). Each leads from a place of the changed picture back to the place that it was before.


def scaling(x: Tensor, y: Tensor) -> Tensor:
    """Enlarge by the factors x and y, (B,) each; -1 mirrors."""
    maps = _identity(x)
    maps[:, 0, 0], maps[:, 1, 1] = 1 / x, 1 / y
    return maps


def rotation(angle: Tensor) -> Tensor:
    """Turn by an angle in radians, (B,), from the x axis (right) towards the y axis (down)."""
    maps = _identity(angle)
    cosine, sine = angle.cos(), angle.sin()
    maps[:, 0, 0], maps[:, 0, 1], maps[:, 1, 0], maps[:, 1, 1] = cosine, sine, -sine, cosine
    return maps


def translation(right: Tensor, down: Tensor) -> Tensor:
    """Move by pixels, (B,) each."""
    maps = _identity(right)
    maps[:, 0, 2], maps[:, 1, 2] = -right, -down
    return maps


def _identity(like: Tensor) -> Tensor:
    return torch.eye(3, device=like.device, dtype=like.dtype).repeat(len(like), 1, 1)

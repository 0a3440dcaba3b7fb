"""DiffAugment: colour, translation and cutout of every picture (Zhao et al., arXiv:2006.10738, section 3.2 and appendix A)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sagan.augment.draws import Draws
from sagan.augment.geometry import shift

LARGEST_SHIFT = 1 / 8  # of a side
CUT = 1 / 2  # of a side


def diffaugment(pictures: Tensor, draws: Draws, kinds: Sequence[str]) -> Tensor:
    """pictures: (B, C, H, W) in [-1, 1].  kinds: some of 'colour', 'translation', 'cutout' -> the same shape."""
    if "colour" in kinds:
        pictures = torch.cat([jitter(pictures[:, :3], draws), pictures[:, 3:]], dim=1)  # transparency is no colour
    if "translation" in kinds:
        pictures = translate(pictures, draws)
    if "cutout" in kinds:
        pictures = cut_out(pictures, draws)
    return pictures


def jitter(pictures: Tensor, draws: Draws) -> Tensor:
    """Brightness by -0.5 to 0.5, saturation by 0 to 2, contrast by 0.5 to 1.5: the first around nothing, the others around
    the mean of a pixel's channels and that of a picture."""
    pictures = pictures + _column(draws.uniform(-0.5, 0.5), pictures)
    grey = pictures.mean(dim=1, keepdim=True)
    pictures = grey + (pictures - grey) * _column(draws.uniform(0.0, 2.0), pictures)
    middle = pictures.mean(dim=(1, 2, 3), keepdim=True)
    return middle + (pictures - middle) * _column(draws.uniform(0.5, 1.5), pictures)


def translate(pictures: Tensor, draws: Draws) -> Tensor:
    """Move by up to an eighth of the sides, and fill with 0."""
    height, width = (round(side * LARGEST_SHIFT) for side in pictures.shape[-2:])
    return shift(pictures, draws.whole(-height, height), draws.whole(-width, width))


def cut_out(pictures: Tensor, draws: Draws) -> Tensor:
    """Put 0 into a box of half the sides; its middle is anywhere, so that it may reach over an edge."""
    rows, columns = (_cut(side, draws) for side in pictures.shape[-2:])
    cut = rows[:, :, None] & columns[:, None, :]  # (B, H, W)
    return pictures * (~cut)[:, None].to(pictures.dtype)


def _cut(side: int, draws: Draws) -> Tensor:
    """(B, side): which places of a side the box covers."""
    length = round(side * CUT)
    first = draws.whole(0, side - length % 2) - length // 2
    places = torch.arange(side, device=first.device)
    return (places >= first[:, None]) & (places < first[:, None] + length)


def _column(values: Tensor, pictures: Tensor) -> Tensor:
    return values[:, None, None, None].to(pictures.dtype)

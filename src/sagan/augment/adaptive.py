"""Adaptive augmentation's changes, each with a probability p (ADA; Karras et al., arXiv:2006.06676, appendix B).

Blitting moves whole pixels, geometry moves places in between, colour works on the channels: the groups that helped in the
paper. Its filters, noise and cutout, which did not, are left out. Ours differs in one thing: the picture is drawn anew by
bilinear interpolation at its own size, where the paper goes by way of twice the size through wavelet filters. That softens
what is turned or scaled, costs a fraction, and has derivatives of every order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce

from torch import Tensor

from sagan.augment import colour, geometry
from sagan.augment.draws import Draws, sometimes


def adaptive(pictures: Tensor, draws: Draws, kinds: Sequence[str]) -> Tensor:
    """pictures: (B, C, H, W) in [-1, 1].  kinds: some of 'blit', 'geometry', 'colour' -> the same shape.

    Changes of places are put together into one map, and those of colours into another.
    """
    height, width = pictures.shape[-2:]
    maps = blits(draws, height, width) if "blit" in kinds else []
    maps += geometries(draws, height, width) if "geometry" in kinds else []
    if maps:  # the last change is the first on the way back
        pictures = geometry.warp(pictures, reduce(lambda before, after: before @ after, maps))
    if "colour" in kinds:
        pictures = colour.recolour(pictures, reduce(lambda before, after: after @ before, colours(draws)))
    return pictures


def blits(draws: Draws, height: int, width: int) -> list[Tensor]:
    """Mirrored, turned by quarters, moved by whole pixels up to an eighth of the sides; in this order."""
    mirror = sometimes(draws.chosen(), 1.0 - 2.0 * draws.whole(0, 1), 1.0)
    quarters = sometimes(draws.chosen(), draws.whole(0, 3) * (math.pi / 2), 0.0)
    moved = draws.chosen()
    right = sometimes(moved, (draws.uniform(-1 / 8, 1 / 8) * width).round(), 0.0)
    down = sometimes(moved, (draws.uniform(-1 / 8, 1 / 8) * height).round(), 0.0)
    turned = geometry.rotation(quarters).round()  # by whole quarters: no rounding may blur the picture
    return [geometry.scaling(mirror, mirror.abs()), turned, geometry.translation(right, down)]


def geometries(draws: Draws, height: int, width: int) -> list[Tensor]:
    """Scaled, turned, stretched, turned again, moved; in this order."""
    size = sometimes(draws.chosen(), draws.power_of_two(0.2), 1.0)
    turn = sometimes(draws.chosen(draws.half_probability), draws.uniform(-math.pi, math.pi), 0.0)
    stretch = sometimes(draws.chosen(), draws.power_of_two(0.2), 1.0)
    turn_again = sometimes(draws.chosen(draws.half_probability), draws.uniform(-math.pi, math.pi), 0.0)
    moved = draws.chosen()
    right = sometimes(moved, draws.normal(0.125) * width, 0.0)
    down = sometimes(moved, draws.normal(0.125) * height, 0.0)
    return [
        geometry.scaling(size, size),
        geometry.rotation(turn),
        geometry.scaling(stretch, 1 / stretch),
        geometry.rotation(turn_again),
        geometry.translation(right, down),
    ]


def colours(draws: Draws) -> list[Tensor]:
    """Brightness, contrast, luma flip, hue, saturation; in this order."""
    return [
        colour.brightness(sometimes(draws.chosen(), draws.normal(0.2), 0.0)),
        colour.contrast(sometimes(draws.chosen(), draws.power_of_two(0.5), 1.0)),
        colour.luma_flip(sometimes(draws.chosen(), draws.whole(0, 1), 0.0)),
        colour.hue(sometimes(draws.chosen(), draws.uniform(-math.pi, math.pi), 0.0)),
        colour.saturation(sometimes(draws.chosen(), draws.power_of_two(1.0), 1.0)),
    ]

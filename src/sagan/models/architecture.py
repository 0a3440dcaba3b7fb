"""The published residual networks as data: one row a resolution (spec: SNGAN Table 4, StudioGAN's 64, the authors' 128)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Architecture:
    """Widths are multiples of the record's `g_ch` and `d_ch`.

    generator: the 4x4 stem, then one up block each.
    discriminator: one block each; the first of them reads pixels.  downs: how many of them, from the first, halve the map.
    """

    generator: tuple[int, ...]
    discriminator: tuple[int, ...]
    downs: int


ARCHITECTURES = {
    16: Architecture(generator=(1, 1, 1), discriminator=(1, 1, 1), downs=2),
    32: Architecture(generator=(1, 1, 1, 1), discriminator=(1, 1, 1, 1), downs=2),
    64: Architecture(generator=(16, 8, 4, 2, 1), discriminator=(1, 2, 4, 8, 16), downs=4),
    128: Architecture(generator=(16, 16, 8, 4, 2, 1), discriminator=(1, 2, 4, 8, 16, 16), downs=5),
}

STEM = 4  # side of the generator's first map


def discriminator_sizes(resolution: int) -> list[int]:
    """Side of the map after each block of the discriminator."""
    shape = ARCHITECTURES[resolution]
    return [resolution >> min(block + 1, shape.downs) for block in range(len(shape.discriminator))]


def generator_sizes(resolution: int) -> list[int]:
    """Side of the map after each block of the generator."""
    return [STEM << (block + 1) for block in range(len(ARCHITECTURES[resolution].generator) - 1)]

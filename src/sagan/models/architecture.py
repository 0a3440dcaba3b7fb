"""The published networks as data: widths along the maps, for every side of base * 2**k pixels with a base from 4 to 7.

A network starts (generator) or ends (discriminator) at a map of side `base` and doubles it k times. 32 is 4 * 2**3, 48 is
6 * 2**3. Widths are multiples of the record's `g_ch` and `d_ch`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

SMALLEST, LARGEST = 16, 512


class Size(NamedTuple):
    """A side in pixels taken apart: base * 2**doublings."""

    base: int
    doublings: int


def size_of(resolution: int) -> Size | None:
    """32 -> (4, 3), 48 -> (6, 3); None for sides that are no base of 4 to 7 doubled twice to seven times."""
    doublings = max(resolution, 1).bit_length() - 3  # the one exponent that leaves a base from 4 to 7
    possible = SMALLEST <= resolution <= LARGEST and resolution % 2**doublings == 0
    return Size(resolution >> doublings, doublings) if possible else None


def sides() -> list[int]:
    """Every side that networks can be built for, in order."""
    return [side for side in range(SMALLEST, LARGEST + 1) if size_of(side)]


@dataclass(frozen=True, kw_only=True)
class Residual:
    """A residual pair.

    generator: the stem, then one up block each.  discriminator: one block each; the first reads pixels.
    downs: how many of them, from the first, halve the map.  g_ch, d_ch: the published base widths.
    attention: how often the base is doubled where the published networks attend.
    """

    generator: tuple[int, ...]
    discriminator: tuple[int, ...]
    downs: int
    g_ch: int = 64
    d_ch: int = 64
    attention: int

    def generator_maps(self, size: Size) -> list[tuple[int, int]]:
        """(side, width) after each block, in the order of the data."""
        return [(size.base << number, width) for number, width in enumerate(self.generator) if number > 0]

    def discriminator_maps(self, size: Size) -> list[tuple[int, int]]:
        """(side, width) after each block."""
        sides = (
            size.base << size.doublings >> min(number + 1, self.downs) for number in range(len(self.discriminator))
        )
        return list(zip(sides, self.discriminator, strict=True))


# By the number of doublings. 3: SNGAN table 4. 4: PyTorch-StudioGAN. 5: the authors' release. 6, 7: BigGAN (arXiv:1809.11096)
# tables 6 and 8 with SAGAN's blocks. 2 is ours, in the manner of 3.
RESIDUAL = {
    2: Residual(generator=(1, 1, 1), discriminator=(1, 1, 1), downs=2, g_ch=128, d_ch=128, attention=1),
    3: Residual(generator=(1, 1, 1, 1), discriminator=(1, 1, 1, 1), downs=2, g_ch=256, d_ch=128, attention=2),
    4: Residual(generator=(16, 8, 4, 2, 1), discriminator=(1, 2, 4, 8, 16), downs=4, attention=3),
    5: Residual(generator=(16, 16, 8, 4, 2, 1), discriminator=(1, 2, 4, 8, 16, 16), downs=5, attention=4),
    6: Residual(generator=(16, 16, 8, 8, 4, 2, 1), discriminator=(1, 2, 4, 8, 8, 16, 16), downs=6, attention=4),
    7: Residual(generator=(16, 16, 8, 8, 4, 2, 1, 1), discriminator=(1, 1, 2, 4, 8, 8, 16, 16), downs=7, attention=4),
}
# What others made of the networks of 64x64: BigGAN-PyTorch's generator has no narrowest block; SNGAN's own code in Chainer,
# and mimicry after it, halve the map in every block of the discriminator.
LAYOUTS = {
    "usual": RESIDUAL,
    "biggan": RESIDUAL | {4: replace(RESIDUAL[4], generator=(16, 16, 8, 4, 2))},
    "chainer": RESIDUAL | {4: replace(RESIDUAL[4], downs=5)},
}
# STL-10's size has networks of its own (SNGAN table 5).
RESIDUAL_48 = Residual(generator=(8, 4, 2, 1), discriminator=(1, 2, 4, 8, 16), downs=4, attention=2)


@dataclass(frozen=True, kw_only=True)
class Convolutional:
    """A pair of plain convolutions, strided by 2 with 4x4 kernels; widths double towards the smallest map.

    pairs: the discriminator has a 3x3 convolution before each strided one and a last 3x3 one; the generator ends in a 3x3
    convolution at the full size instead of a strided one.  dense_stem: the stem has a bias for each place.
    slope: of the discriminator's leaky ReLU.  normalised_ends: spectral normalisation includes the last layers.
    attention: (generator's, discriminator's) places as doublings of the base.  g_ch, d_ch: the published base widths.
    """

    pairs: bool = False
    dense_stem: bool = False
    slope: float
    normalised_ends: bool = True
    attention: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
    g_ch: int = 64
    d_ch: int = 64

    def generator_maps(self, size: Size) -> list[tuple[int, int]]:
        """(side, width) of the stem and after each strided convolution but one that makes the picture."""
        count = size.doublings + self.pairs
        return [(size.base << number, min(MOST, 1 << (count - 1 - number))) for number in range(count)]

    def discriminator_maps(self, size: Size) -> list[tuple[int, int]]:
        """(side, width) after each strided convolution."""
        return [
            (size.base << (size.doublings - 1 - number), min(MOST, 1 << number)) for number in range(size.doublings)
        ]


MOST = 8  # multiples of the base width

CONVOLUTIONAL = {
    # Radford et al., arXiv:1511.06434
    "dcgan": Convolutional(slope=0.2),
    # Miyato et al., arXiv:1802.05957, table 3: "standard CNN"
    "sngan-cnn": Convolutional(slope=0.1, pairs=True, dense_stem=True),
    # github.com/heykeetae/Self-Attention-GAN, at its one size of 64 with attention at 16 and 32, and at 8 and 4
    "heykeetae": Convolutional(slope=0.1, normalised_ends=False, attention=((2, 3), (1, 0))),
}

Shape = Residual | Convolutional


def shape_of(architecture: str, resolution: int, layout: str = "usual") -> Shape:
    """The networks of that name for a side that `size_of` knows.  layout: of residual ones, a key of LAYOUTS."""
    if architecture != "residual":
        return CONVOLUTIONAL[architecture]
    size = size_of(resolution)
    assert size is not None
    return RESIDUAL_48 if resolution == 48 else LAYOUTS[layout][size.doublings]


def published_attention(shape: Shape, size: Size) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Map sizes where the published generator and discriminator attend, as far as these networks have them."""
    places = ((shape.attention,),) * 2 if isinstance(shape, Residual) else shape.attention
    maps = shape.generator_maps(size), shape.discriminator_maps(size)
    generator, discriminator = (
        tuple(size.base << place for place in wanted if size.base << place in widths_at(there))
        for wanted, there in zip(places, maps, strict=True)
    )
    return generator, discriminator


def widths_at(maps: Sequence[tuple[int, int]]) -> dict[int, int]:
    """Map size -> multiple of the base width there; where several blocks have a size, of the first, as attention is."""
    return dict(reversed(maps))

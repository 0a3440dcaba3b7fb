"""How pictures become squares, and what a pass over a set of them found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sagan.data.colour import Colour
from sagan.data.faults import Skipped
from sagan.data.resize import Fit


@dataclass(frozen=True)
class Recipe:
    """How a picture becomes a square of `side` pixels with 1, 3 or 4 channels."""

    side: int
    fit: Fit
    background: Colour
    channels: int = 3


@dataclass
class Scan:
    """What the pass found.

    kept: (n,) int64, the source's indices of the usable pictures.  pixels: (n, R, R, C) uint8, None unless asked for.
    digests: (n, 32) uint8, SHA-256 of each.  skipped: the others.  sizes, modes: counted over the usable ones.
    enlarged: how many usable pictures were smaller than the square.  transparent: how many have a pixel that is not
    opaque.  grey: how many have no colour.
    """

    kept: NDArray[np.int64]
    pixels: NDArray[np.uint8] | None
    digests: NDArray[np.uint8]
    skipped: list[Skipped] = field(default_factory=list)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    enlarged: int = 0
    transparent: int = 0
    grey: int = 0

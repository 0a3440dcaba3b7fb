"""The four textures of the emblems, as patterns in the plane.

A pattern takes positions measured in periods and returns, in the same unit, the signed distance from the edge of its
second colour: positive inside the second colour, negative inside the first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def _wave(position: Array) -> Array:
    """A triangle wave: 1/4 in the middle of the second colour, -1/4 in the middle of the first."""
    return np.abs(position - np.floor(position) - 0.5) - 0.25


def stripes(along: Array, across: Array) -> Array:
    """Bands across `along`, as wide as the gaps between them."""
    return _wave(along)


def dots(along: Array, across: Array) -> Array:
    """Discs on a square lattice."""
    u, v = along - np.floor(along) - 0.5, across - np.floor(across) - 0.5
    return 0.36 - np.hypot(u, v)


def checks(along: Array, across: Array) -> Array:
    """A chessboard."""
    a, b = _wave(along), _wave(across)
    return np.sign(a) * np.sign(b) * np.minimum(np.abs(a), np.abs(b))


def rings(along: Array, across: Array) -> Array:
    """Circles about the origin."""
    return _wave(np.hypot(along, across))

"""What the scorer of emblems compares pictures with, prepared once for a resolution.

Everything here follows from the public geometry of the set (silhouettes, where beacons sit); nothing knows how one
picture was drawn. Pixels are listed row by row, so a picture's zone is one row of a matrix and a comparison is a matrix
product.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagan.data.emblem_shapes import EMBLEM_CLASSES, distance
from sagan.data.emblems import BEACON_RADIUS, BEACON_X, RIM

Array = NDArray[np.float32]
Places = NDArray[np.floating[Any]]  # coordinates along one axis, in [-1, 1]

ZONE_EDGE = 0.74  # emblems stay within this distance of the centre line, beacons beyond it
BEACON_REACH = 0.45  # a beacon is looked for this far above and below the middle
CENTRES = np.linspace(-0.12, 0.12, 13)  # heights at which a silhouette is tried: real ones move by 0.05
BEACON_SHIFTS = np.linspace(-0.02, 0.02, 3)  # and a beacon beside its usual column
_LEAST_COVERAGE = 0.25  # a pixel is inside a silhouette when at least this share of it is
_MARGIN = 0.12  # background is what keeps this distance from every silhouette and beacon


@dataclass(frozen=True)
class Templates:
    """Zones and templates for one resolution R. P: pixels of a zone, K: places that are tried."""

    emblem_columns: NDArray[np.int64]
    """(C,) columns in which emblems stand, symmetric about the centre line."""
    silhouettes: Array
    """(8, K, P) 1 inside the silhouette of a class at a height, 0 outside; P = R * C."""
    interiors: Array
    """(8, K, P) 1 where the texture is: inside and off the rim."""
    beacon_rows: NDArray[np.int64]
    beacon_columns: NDArray[np.int64]
    """Rows and columns of the right beacon's zone; the left one is its mirror image."""
    discs: Array
    """(K, P) coverage of a pixel by a beacon at a place."""
    background_pixels: NDArray[np.int64]
    """(P,) flat indices of pixels that show background in every real picture."""
    plane_fit: Array
    """(3, P) maps colours there to the least-squares plane: constant, slope along x, slope along y."""
    plane: Array
    """(R * R, 3) maps such a plane to the whole picture."""


@lru_cache(maxsize=4)
def templates(resolution: int) -> Templates:
    """The templates for R x R pictures."""
    pixel = 2.0 / resolution
    axis = (np.arange(resolution) + 0.5) * pixel - 1.0
    emblem_columns = np.flatnonzero(np.abs(axis) < ZONE_EDGE)
    edges = _edges(axis[emblem_columns], axis)
    beacon_rows, beacon_columns = np.flatnonzero(np.abs(axis) < BEACON_REACH), np.flatnonzero(axis > ZONE_EDGE)
    background = _background(axis)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    plane = np.stack((np.ones_like(x), x, y), axis=-1).reshape(-1, 3)
    return Templates(
        emblem_columns=emblem_columns,
        silhouettes=(edges < (0.5 - _LEAST_COVERAGE) * pixel).astype(np.float32),
        interiors=(edges < -RIM).astype(np.float32),
        beacon_rows=beacon_rows,
        beacon_columns=beacon_columns,
        discs=_discs(axis[beacon_columns], axis[beacon_rows], pixel),
        background_pixels=background,
        plane_fit=np.linalg.pinv(plane[background]).astype(np.float32),
        plane=plane.astype(np.float32),
    )


def _edges(x: Places, y: Places) -> Array:
    """Signed distances of every class at every height -> (8, K, rows * columns)."""
    count, heights = len(EMBLEM_CLASSES), len(CENTRES)
    labels = np.repeat(np.arange(count), heights)
    rows = np.tile(y[None, :] - CENTRES[:, None], (count, 1))
    return distance(labels, np.tile(x, (len(labels), 1)), rows).reshape(count, heights, -1)


def _discs(x: Places, y: Places, pixel: float) -> Array:
    """Coverage by beacons a quarter of a diameter apart, or half a pixel if less -> (K, rows * columns)."""
    step = min(BEACON_RADIUS / 2, pixel / 2)
    reach = BEACON_REACH - BEACON_RADIUS
    rows = np.linspace(-reach, reach, 2 * round(reach / step) + 1)
    discs = []
    for row in rows:
        for column in BEACON_X + BEACON_SHIFTS:
            away = np.hypot(x[None, :] - column, y[:, None] - row)
            discs.append(np.clip(0.5 + (BEACON_RADIUS - away) / pixel, 0.0, 1.0).ravel())
    return np.stack(discs).astype(np.float32)


def _background(axis: Places) -> NDArray[np.int64]:
    nearest = _edges(axis, axis).min(axis=(0, 1)).reshape(len(axis), len(axis))
    beacons = (np.abs(axis)[None, :] > ZONE_EDGE) & (np.abs(axis)[:, None] < BEACON_REACH)
    return np.flatnonzero((nearest > _MARGIN) & ~beacons)

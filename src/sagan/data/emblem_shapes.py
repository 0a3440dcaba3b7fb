"""The eight silhouettes of the emblems, as signed distances.

A silhouette lives in [-1, 1] x [-1, 1], x to the right and y down as in a picture, and is symmetric about x = 0. Its
signed distance is negative inside, positive outside and measured in the same unit. Silhouettes are put together from
ellipses, strokes and polygons with `union` and `cut`. They are asked for at x >= 0 only: right halves are all there is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float64]
Point = tuple[float, float]

CELLS = 128  # of the tables, per unit of length: a cell is half a pixel of the largest picture


def ellipse(x: Field, y: Field, centre: Point, radii: Point, turn: float = 0.0) -> Field:
    """An ellipse turned clockwise by `turn` radians. Exact to first order at the edge, which is all that counts."""
    dx, dy = x - centre[0], y - centre[1]
    along, across = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
    level = np.hypot(along / radii[0], across / radii[1])
    slope = np.hypot(along / radii[0] ** 2, across / radii[1] ** 2)
    return np.where(slope > 1e-9, level * (level - 1.0) / np.maximum(slope, 1e-9), -min(radii))


def stroke(x: Field, y: Field, points: Sequence[Point], radius: float) -> Field:
    """A line of round pens through the points."""
    return np.min([_to_segment(x, y, a, b) for a, b in zip(points, points[1:], strict=False)], axis=0) - radius


def polygon(x: Field, y: Field, right: Sequence[Point], smooth: int = 0) -> Field:
    """The polygon through `right` from top to bottom and back up through its mirror image.

    smooth: rounds of Chaikin's corner cutting (1974); 0 keeps the corners.
    """
    points = [*right, *((-px, py) for px, py in reversed(right))]
    for _ in range(smooth):
        points = _cut_corners(points)
    edges = list(zip(points, [*points[1:], points[0]], strict=True))
    inside = np.zeros(x.shape, dtype=bool)
    for (ax, ay), (bx, by) in edges:
        if ay != by:  # even-odd rule: count the edges that a ray to the right crosses
            inside ^= ((ay > y) != (by > y)) & (x < (bx - ax) * (y - ay) / (by - ay) + ax)
    distance = np.min([_to_segment(x, y, a, b) for a, b in edges], axis=0)
    return np.where(inside, -distance, distance)


def union(*parts: Field) -> Field:
    """The points that are in any part."""
    return np.min(parts, axis=0)


def cut(whole: Field, *holes: Field) -> Field:
    """The points of `whole` that are in no hole."""
    return np.maximum(whole, -np.min(holes, axis=0))


def _to_segment(x: Field, y: Field, a: Point, b: Point) -> Field:
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = dx * dx + dy * dy
    share = np.clip(((x - a[0]) * dx + (y - a[1]) * dy) / length, 0.0, 1.0) if length else np.zeros_like(x)
    return np.hypot(x - a[0] - share * dx, y - a[1] - share * dy)


def _cut_corners(points: Sequence[Point]) -> list[Point]:
    """Each edge keeps its middle half; consecutive middles are joined."""
    kept: list[Point] = []
    for (ax, ay), (bx, by) in zip(points, [*points[1:], points[0]], strict=True):
        kept += [(0.75 * ax + 0.25 * bx, 0.75 * ay + 0.25 * by), (0.25 * ax + 0.75 * bx, 0.25 * ay + 0.75 * by)]
    return kept


def butterfly(x: Field, y: Field) -> Field:
    """Two pairs of wings that meet at a slim body, and antennae."""
    return union(
        ellipse(x, y, (0.38, -0.27), (0.39, 0.25), turn=-0.95),
        ellipse(x, y, (0.31, 0.34), (0.33, 0.21), turn=0.95),
        ellipse(x, y, (0.0, 0.05), (0.09, 0.55)),
        stroke(x, y, [(0.0, -0.40), (0.12, -0.62), (0.20, -0.80)], 0.04),
    )


def beetle(x: Field, y: Field) -> Field:
    """An oval body, a small head with mandibles, three legs on each side."""
    return union(
        ellipse(x, y, (0.0, 0.14), (0.37, 0.56)),
        ellipse(x, y, (0.0, -0.47), (0.23, 0.20)),
        stroke(x, y, [(0.12, -0.58), (0.22, -0.72), (0.10, -0.82)], 0.045),
        stroke(x, y, [(0.25, -0.15), (0.50, -0.26), (0.58, -0.48)], 0.05),
        stroke(x, y, [(0.30, 0.14), (0.64, 0.14)], 0.05),
        stroke(x, y, [(0.28, 0.42), (0.50, 0.52), (0.58, 0.76)], 0.05),
    )


def mask(x: Field, y: Field) -> Field:
    """A carnival face: broad brow, pointed ears, two slanted eyes and a wide smile cut out."""
    face = polygon(
        x,
        y,
        [(0.0, -0.52), (0.30, -0.56), (0.66, -0.80), (0.66, -0.10), (0.52, 0.42), (0.24, 0.72), (0.0, 0.76)],
        smooth=2,
    )
    eye = ellipse(x, y, (0.29, -0.16), (0.20, 0.135), turn=-0.25)
    smile = polygon(x, y, [(0.0, 0.29), (0.18, 0.25), (0.42, 0.08), (0.34, 0.40), (0.16, 0.57), (0.0, 0.60)], smooth=1)
    return cut(face, eye, smile)


def shield(x: Field, y: Field) -> Field:
    """A heater: flat top with a small peak, straight sides that close in a point."""
    return polygon(
        x,
        y,
        [
            (0.0, -0.74), (0.32, -0.66), (0.62, -0.72), (0.62, 0.10), (0.56, 0.36), (0.42, 0.57), (0.22, 0.73),
            (0.0, 0.84),
        ],
    )  # fmt: skip


def vase(x: Field, y: Field) -> Field:
    """An amphora: lip, narrow neck, round belly, narrow foot, and two handles."""
    body = polygon(
        x,
        y,
        [
            (0.0, -0.82), (0.30, -0.82), (0.30, -0.70), (0.15, -0.64), (0.14, -0.36), (0.40, -0.12), (0.42, 0.14),
            (0.30, 0.42), (0.11, 0.62), (0.12, 0.70), (0.30, 0.76), (0.30, 0.84), (0.0, 0.84),
        ],
        smooth=1,
    )  # fmt: skip
    handle = stroke(x, y, [(0.16, -0.56), (0.42, -0.58), (0.55, -0.44), (0.52, -0.22), (0.36, -0.06)], 0.055)
    return union(body, handle)


def leaf(x: Field, y: Field) -> Field:
    """A maple leaf of five pointed lobes on a stem."""
    blade = polygon(
        x,
        y,
        [
            (0.0, -0.84), (0.13, -0.58), (0.24, -0.62), (0.19, -0.22), (0.36, -0.42), (0.42, -0.32), (0.66, -0.36),
            (0.58, -0.12), (0.67, -0.02), (0.36, 0.26), (0.42, 0.42), (0.08, 0.36), (0.0, 0.38),
        ],
    )  # fmt: skip
    return union(blade, stroke(x, y, [(0.0, 0.30), (0.0, 0.80)], 0.055))


def crab(x: Field, y: Field) -> Field:
    """A wide low shell, two raised open claws, eyes on stalks and three bent legs on each side."""
    claw = cut(
        ellipse(x, y, (0.44, -0.50), (0.22, 0.27)),
        polygon(x - 0.40, y, [(0.0, -0.50), (0.02, -0.50), (0.14, -0.90), (0.0, -0.90)]),
    )
    return union(
        ellipse(x, y, (0.0, 0.18), (0.46, 0.30)),
        claw,
        stroke(x, y, [(0.34, 0.06), (0.56, -0.08), (0.52, -0.32)], 0.06),
        stroke(x, y, [(0.14, 0.0), (0.14, -0.26)], 0.06),
        stroke(x, y, [(0.40, 0.20), (0.64, 0.24)], 0.045),
        stroke(x, y, [(0.36, 0.32), (0.60, 0.48)], 0.045),
        stroke(x, y, [(0.24, 0.40), (0.42, 0.70)], 0.045),
    )


def arrow(x: Field, y: Field) -> Field:
    """A broad arrow that points up."""
    return polygon(x, y, [(0.0, -0.84), (0.66, -0.06), (0.25, -0.06), (0.25, 0.80), (0.0, 0.80)])


SHAPES: dict[str, Callable[[Field, Field], Field]] = {
    shape.__name__: shape for shape in (butterfly, beetle, mask, shield, vase, leaf, crab, arrow)
}
EMBLEM_CLASSES: tuple[str, ...] = tuple(SHAPES)


@lru_cache(maxsize=1)
def distance_tables() -> NDArray[np.float32]:
    """Signed distances on the right half, one table a class -> (8, 2 CELLS + 1 rows, CELLS + 1 columns), read-only."""
    y, x = np.meshgrid(np.linspace(-1.0, 1.0, 2 * CELLS + 1), np.linspace(0.0, 1.0, CELLS + 1), indexing="ij")
    tables = np.stack([shape(x, y) for shape in SHAPES.values()]).astype(np.float32)
    tables.setflags(write=False)
    return tables


def distance(labels: NDArray[np.int64], x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.float32]:
    """Signed distances at a lattice of places, read from the tables with bilinear interpolation.

    labels: (n,).  x: (n, columns) and y: (n, rows), the lattice of each emblem, either side of the centre line; places
    beyond [-1, 1] read the edge of the table.  Returns (n, rows, columns).
    """
    tables = distance_tables()
    column, right = _cell(np.abs(x) * CELLS, CELLS)
    row, down = _cell((np.asarray(y) + 1.0) * CELLS, 2 * CELLS)
    width = tables.shape[2]
    start = (labels[:, None, None] * tables.shape[1] + row[:, :, None]) * width + column[:, None, :]
    flat = tables.reshape(-1)
    right, down = right[:, None, :], down[:, :, None]
    above = flat[start] * (1 - right) + flat[start + 1] * right
    below = flat[start + width] * (1 - right) + flat[start + width + 1] * right
    return above * (1 - down) + below * down


def _cell(position: NDArray[np.floating], last: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The cell that holds a position, and how far into it."""
    clipped = np.clip(position, 0.0, last)
    cell = np.minimum(clipped.astype(np.int64), last - 1)
    return cell, (clipped - cell).astype(np.float32)

"""Query points of the attention figure: where they are, and which ones to take when nobody says.

Two coordinate systems meet here. A *place* is a pixel (x, y) of the picture, from the top left. A *position* is a cell
(row, column) of an attention layer's map, whose side divides the picture into equal squares.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sagan.errors import ConfigError

Floats = npt.NDArray[np.floating]

SMALLEST_WITH_BORDER = 5  # a map must be larger than 4 cells a side before its outermost ring can be spared
TIE = 5  # decimals after which two distances count as equal, well above the noise of float32


def pixel_of(row: int, column: int, map_side: int, resolution: int) -> tuple[int, int]:
    """Position (row, column) of a map -> the pixel (x, y) at the centre of its square."""
    return (2 * column + 1) * resolution // (2 * map_side), (2 * row + 1) * resolution // (2 * map_side)


def position_of(x: int, y: int, map_side: int, resolution: int) -> tuple[int, int]:
    """Pixel (x, y) -> the position (row, column) whose square holds it."""
    if not (0 <= x < resolution and 0 <= y < resolution):
        raise ConfigError(
            f"point {x},{y} lies outside the {resolution}x{resolution} picture",
            remedy=f"Points are pixels X,Y from the top left, 0 to {resolution - 1}.",
        )
    return y * map_side // resolution, x * map_side // resolution


def entropy(rows: Floats) -> npt.NDArray[np.float64]:
    """(..., K) probabilities -> (...) in nats; 0 log 0 counts as 0."""
    logs = np.log(np.where(rows > 0, rows, 1), dtype=np.float64)
    return np.asarray(-(rows * logs).sum(axis=-1), dtype=np.float64)


def pick_points(rows: Floats, count: int) -> list[tuple[int, int]]:
    """`count` positions whose attention differs most, by a fixed rule (ours: the paper picked its points by hand).

    rows: (H, W, h, w), the attention of each query position over the keys.

    1. The outermost ring is left out when the map is larger than 4x4: padding makes border attention peculiar.
    2. The first point has the lowest entropy: the query that looks most sharply. Ties go to the one nearest the centre.
    3. Each further point is the one farthest from all chosen so far, by the Hellinger distance between attention rows.
       Ties (at the start of training all rows are alike) go to the one farthest away in the picture.
    4. What is still tied goes in reading order. Nothing is random.
    """
    height, width, *keys = rows.shape
    places = _candidates(height, width)
    if not 1 <= count <= len(places):
        raise ConfigError(
            f"{count} points asked for, but a {height}x{width} map has {len(places)} to choose from",
            remedy="Ask for fewer, or name the points.",
        )
    flat = rows[places[:, 0], places[:, 1]].reshape(len(places), int(np.prod(keys)))
    flat = flat / np.maximum(flat.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    roots = np.sqrt(flat)

    from_centre = np.square(places - (np.array([height, width]) - 1) / 2).sum(axis=1)
    chosen = [_first(np.round(entropy(flat), TIE), from_centre)]
    unlike = np.full(len(places), np.inf)  # squared Hellinger distance to the nearest chosen row
    apart = np.full(len(places), np.inf)  # squared distance to the nearest chosen position
    while len(chosen) < count:
        newest = chosen[-1]
        unlike = np.minimum(unlike, 1 - roots @ roots[newest])
        apart = np.minimum(apart, np.square(places - places[newest]).sum(axis=1))
        unlike[newest] = -np.inf  # never twice, even when every row is the same
        chosen.append(_first(-np.round(unlike, TIE), -apart))
    return [(int(row), int(column)) for row, column in places[chosen]]


def _candidates(height: int, width: int) -> npt.NDArray[np.int64]:
    ring = 1 if min(height, width) >= SMALLEST_WITH_BORDER else 0
    inner = [(row, column) for row in range(ring, height - ring) for column in range(ring, width - ring)]
    return np.array(inner, dtype=np.int64).reshape(len(inner), 2)


def _first(primary: npt.NDArray[np.float64], secondary: npt.NDArray[np.float64]) -> int:
    """Index of the smallest `primary`, then the smallest `secondary`, then the earliest."""
    return int(np.lexsort((secondary, primary))[0])

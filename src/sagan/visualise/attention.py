"""The attention figure: SAGAN (arXiv:1805.08318), figures 1 and 5.

At the left the picture with one coloured, numbered dot for each query point; then one panel for each point: the picture
darkened, with the point's attention over the keys laid on it in white. Where the panel is bright, the network looked
while it drew the place under the dot. The paper published no plotting code; the two weights of the blend are ours,
chosen by eye after its figures.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from sagan.errors import ConfigError
from sagan.visualise.channels import Pictures, as_rgb
from sagan.visualise.grid import MARGIN, check_pictures, enlarged
from sagan.visualise.lettering import draw_text, shorten
from sagan.visualise.palette import BACKGROUND, BLACK, INK, MUTED, WHITE, Colour, ink_on, query_colour

Floats = npt.NDArray[np.floating]
Point = tuple[int, int]

PICTURE_SHARE = 0.35  # how much of the picture shows through
MAP_SHARE = 0.65  # how bright the most attended place becomes

PANEL = 256  # pixels a panel measures when nobody says otherwise
GAP = 12
CAPTION = 22  # pixels below a panel for its line of text
LETTER = 14
RADIUS = 10
FINE = 4  # dots are drawn this many times larger, then reduced: smooth edges


def bilinear(length: int, cells: int) -> npt.NDArray[np.float64]:
    """The matrix (length, cells) that interpolates `cells` values to `length` pixels.

    Half-pixel centres, held constant beyond the outermost ones: cell i covers pixels i length / cells up to
    (i + 1) length / cells and is strongest in their middle. The same as torch's `interpolate(mode="bilinear",
    align_corners=False)`.
    """
    centres = np.clip((np.arange(length) + 0.5) * cells / length - 0.5, 0, cells - 1)
    matrix: npt.NDArray[np.float64] = np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(cells)[None, :]))
    return matrix


def upsample(weights: Floats, height: int, width: int) -> npt.NDArray[np.float64]:
    """Attention over the keys (h, w) -> (height, width), smooth, divided by its own largest value; zeros stay zeros."""
    smooth = bilinear(height, weights.shape[0]) @ weights @ bilinear(width, weights.shape[1]).T
    largest = smooth.max()
    return np.asarray(smooth / largest if largest > 0 else smooth, dtype=np.float64)


def overlay(picture: Pictures, weights: Floats) -> Pictures:
    """The darkened picture (R, R, 3) with attention over the keys (h, w) on it in white -> uint8 (R, R, 3)."""
    bright = upsample(weights, *picture.shape[:2])[..., None]
    mixed = PICTURE_SHARE * picture + MAP_SHARE * 255 * bright
    return np.rint(np.clip(mixed, 0, 255)).astype(np.uint8)


def render_attention(
    picture: Pictures, maps: Floats, points: Sequence[Point], *, enlarge: int | None = None
) -> Image.Image:
    """One row of the figure: the picture with all points, then one panel for each point.

    picture: uint8 (R, R, C); transparency shows a checkerboard.
    maps: (Q, h, w), not negative, one for each point; h and w may be smaller than R.
    points: (x, y) in pixels of the picture.  enlarge: whole factor; None makes a panel about 256 pixels.

    The picture is enlarged by whole pixels, not smoothly: a 32x32 picture resampled with a good filter looks finer than
    anything the network drew, and a point named in pixels could no longer be counted off. The map is smooth instead.
    """
    check_pictures(picture[None])
    _check_maps(maps, points, picture.shape[0])
    factor = max(1, PANEL // picture.shape[0]) if enlarge is None else enlarge
    large = enlarged(as_rgb(picture[None])[0], factor)
    panels = [large, *(overlay(large, weights) for weights in maps)]
    side = large.shape[0]
    figure = Image.new("RGB", (2 * GAP + len(panels) * (side + GAP) - GAP, 2 * GAP + side + CAPTION), BACKGROUND)
    lefts = [GAP + index * (side + GAP) for index in range(len(panels))]
    for left, panel in zip(lefts, panels, strict=True):
        figure.paste(Image.fromarray(panel), (left, GAP))

    draw = ImageDraw.Draw(figure)
    for index, (x, y) in enumerate(points):
        place = (x + 0.5) * factor, GAP + (y + 0.5) * factor
        left = lefts[1 + index]
        for panel_left in (lefts[0], left):
            _draw_dot(figure, (panel_left + place[0], place[1]), index)
        words = shorten(f"{index + 1}   at {x},{y}", LETTER, side)
        draw_text(draw, (left, GAP + side + CAPTION / 2 + 3), words, LETTER, colour=MUTED)
    return figure


def stack(rows: Sequence[Image.Image], titles: Sequence[str]) -> Image.Image:
    """Rows of the figure (layers, samples) below each other, each under its title.

    A title reads like "G.attention@16  gamma +0.12  seed 7".
    """
    if not rows or len(rows) != len(titles):
        raise ConfigError(
            f"{len(rows)} rows and {len(titles)} titles", remedy="Give each row a title, and one row or more."
        )
    size = LETTER + 2
    band = size + MARGIN
    width = max(row.width for row in rows)
    sheet = Image.new("RGB", (width, MARGIN + sum(band + row.height for row in rows)), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    top = MARGIN
    for row, title in zip(rows, titles, strict=True):
        draw_text(draw, (GAP, top + band / 2), shorten(title, size, width - 2 * GAP), size, colour=INK)
        sheet.paste(row, (0, top + band))
        top += band + row.height
    return sheet


def _check_maps(maps: Floats, points: Sequence[Point], resolution: int) -> None:
    if maps.ndim != 3 or 0 in maps.shape or len(maps) != len(points):
        raise ConfigError(f"maps of shape {maps.shape} for {len(points)} points", remedy="Give one map (h, w) a point.")
    if not np.isfinite(maps).all() or maps.min() < 0:
        raise ConfigError("an attention map has values that are negative or not finite", remedy="Give softmax weights.")
    for x, y in points:
        if not (0 <= x < resolution and 0 <= y < resolution):
            raise ConfigError(
                f"point {x},{y} lies outside the {resolution}x{resolution} picture",
                remedy=f"Points are pixels X,Y from the top left, 0 to {resolution - 1}.",
            )


def _draw_dot(figure: Image.Image, centre: tuple[float, float], index: int) -> None:
    """A dot with its number from 1, in a white ring; a dark hairline keeps the ring visible where the map is white."""
    colour = query_colour(index)
    reach = RADIUS + 3
    corner = round(centre[0]) - reach, round(centre[1]) - reach
    middle = (centre[0] - corner[0]) * FINE, (centre[1] - corner[1]) * FINE
    mark = Image.new("RGBA", (2 * reach * FINE, 2 * reach * FINE), (0, 0, 0, 0))
    draw = ImageDraw.Draw(mark)
    rings: tuple[tuple[float, Colour], ...] = ((RADIUS + 0.75, BLACK), (RADIUS, WHITE), (RADIUS - 1.75, colour))
    for radius, fill in rings:
        draw.circle(middle, radius * FINE, fill=fill)
    label = str(index + 1)
    letter = 13 if len(label) == 1 else 10
    draw_text(draw, middle, label, letter * FINE, colour=ink_on(colour), anchor="mm")
    small = mark.convert("RGBa").reduce(FINE).convert("RGBA")  # premultiplied, or clear corners would darken the rim
    figure.paste(small, corner, small)

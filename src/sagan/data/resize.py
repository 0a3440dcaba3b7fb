"""Pictures of any shape -> squares of one size.

Resampling is Pillow's Lanczos, which widens its window when it shrinks a picture and so does not alias. The square is
taken as a box of the source with fractional borders: no intermediate picture is made, and nothing is rounded twice.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sagan.data.convert import STRIP_PIXELS, is_transparent

Fit = Literal["crop", "pad", "stretch"]
Box = tuple[float, float, float, float]


def make_square(picture: Image.Image, side: int, fit: Fit) -> NDArray[np.uint8]:
    """A picture of any shape, L, RGB or RGBA -> (side, side, C) uint8, C of 1, 3 or 4.

    crop: the short side becomes `side`, the middle of the long one is kept.
    pad: the long side becomes `side`; the rest repeats the pixels of the picture's edge, and is clear in RGBA.
    stretch: both sides become `side`.
    """
    if picture.size == (side, side):
        return _pixels(picture)
    width, height = picture.size
    if fit == "crop":
        short = min(width, height)
        left, top = (width - short) / 2, (height - short) / 2
        return _resized(picture, (side, side), (left, top, left + short, top + short))
    whole = (0.0, 0.0, float(width), float(height))
    if fit == "stretch":
        return _resized(picture, (side, side), whole)
    scale = side / max(width, height)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    before, above = (side - inner[0]) // 2, (side - inner[1]) // 2
    border = ((above, side - inner[1] - above), (before, side - inner[0] - before), (0, 0))
    small = _resized(picture, inner, whole)
    return np.pad(small, border) if picture.mode == "RGBA" else np.pad(small, border, mode="edge")


def _resized(picture: Image.Image, size: tuple[int, int], box: Box) -> NDArray[np.uint8]:
    """`box` of the picture -> (height, width, C)."""
    if picture.mode == "RGBA" and is_transparent(picture):
        return _resized_by_cover(picture, size, box)
    return _pixels(picture.resize(size, Image.Resampling.LANCZOS, box=box))


def _resized_by_cover(picture: Image.Image, size: tuple[int, int], box: Box) -> NDArray[np.uint8]:
    """Colours averaged in the measure in which they cover their pixel, so that hidden ones do not bleed into the edges.

    In floating point: Pillow does the same in bytes, which leaves next to no colour where alpha is low. Rows before
    columns, as Pillow does it too, and some rows at a time: in floating point a large picture would fill the memory.
    """
    left, above, right, below = box
    rows = max(1, STRIP_PIXELS // picture.width)
    planes = [Image.new("F", (size[0], picture.height)) for _ in "RGBA"]
    for top in range(0, picture.height, rows):
        strip = picture.crop((0, top, picture.width, min(top + rows, picture.height)))
        cover = np.asarray(strip.getchannel("A"), dtype=np.float32)
        weighted = [np.asarray(strip.getchannel(band), dtype=np.float32) * cover for band in "RGB"]
        for plane, samples in zip(planes, [*weighted, cover], strict=True):
            across = (left, 0, right, strip.height)
            part = Image.fromarray(samples).resize((size[0], strip.height), Image.Resampling.LANCZOS, box=across)
            plane.paste(part, (0, top))
    down = (0, above, size[0], below)
    *weighted, alpha = (np.asarray(plane.resize(size, Image.Resampling.LANCZOS, box=down)) for plane in planes)
    least = np.float32(0.5)  # what is below becomes alpha 0, where no colour is seen
    levels = np.stack([*(band / np.maximum(alpha, least) for band in weighted), alpha], axis=-1)
    return np.rint(np.clip(levels, 0, 255)).astype(np.uint8)


def _pixels(picture: Image.Image) -> NDArray[np.uint8]:
    """(height, width, C), one channel included."""
    return np.frombuffer(picture.tobytes(), dtype=np.uint8).reshape(picture.height, picture.width, -1)

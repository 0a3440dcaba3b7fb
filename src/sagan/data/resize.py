"""Pictures of any shape -> squares of one size.

Resampling is Pillow's Lanczos, which widens its window when it shrinks a picture and so does not alias. The square is
taken as a box of the source with fractional borders: no intermediate picture is made, and nothing is rounded twice.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Fit = Literal["crop", "pad", "stretch"]


def make_square(picture: Image.Image, side: int, fit: Fit) -> NDArray[np.uint8]:
    """An RGB picture of any shape -> (side, side, 3) uint8.

    crop: the short side becomes `side`, the middle of the long one is kept.
    pad: the long side becomes `side`, the rest repeats the pixels of the picture's edge.
    stretch: both sides become `side`.
    """
    if picture.size == (side, side):
        return np.asarray(picture)
    width, height = picture.size
    if fit == "crop":
        short = min(width, height)
        left, top = (width - short) / 2, (height - short) / 2
        box = (left, top, left + short, top + short)
        return np.asarray(picture.resize((side, side), Image.Resampling.LANCZOS, box=box))
    if fit == "stretch":
        return np.asarray(picture.resize((side, side), Image.Resampling.LANCZOS))
    scale = side / max(width, height)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(picture.resize(inner, Image.Resampling.LANCZOS))
    left, top = (side - inner[0]) // 2, (side - inner[1]) // 2
    return np.pad(small, ((top, side - inner[1] - top), (left, side - inner[0] - left), (0, 0)), mode="edge")

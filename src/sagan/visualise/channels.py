"""Pictures of 1, 3 or 4 channels -> what a screen shows, and what a file holds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from sagan.visualise.palette import CHECKER

Pictures = npt.NDArray[np.uint8]

CHECKS = 8  # squares along a side of the checkerboard, as far as the pixels allow


def as_rgb(pictures: Pictures) -> Pictures:
    """(n, R, R, C) -> (n, R, R, 3): grey as grey, RGB as it is, transparency over a light checkerboard."""
    channels = pictures.shape[3]
    if channels == 1:
        return pictures.repeat(3, axis=3)
    if channels == 3:
        return pictures
    board = checkerboard(pictures.shape[1])
    cover = pictures[..., 3:].astype(np.float32) / 255
    return np.rint(cover * pictures[..., :3] + (1 - cover) * board).astype(np.uint8)


def as_image(picture: Pictures) -> Image.Image:
    """(R, R, C) -> a true L, RGB or RGBA picture."""
    return Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)


def checkerboard(side: int) -> Pictures:
    """The ground under transparency: (side, side, 3), light squares in two shades, the lighter one top left."""
    cell = max(1, side // CHECKS)
    rows, columns = np.indices((side, side)) // cell
    return np.asarray(CHECKER, dtype=np.uint8)[(rows + columns) % 2]

"""One picture file of somebody's, as training would see it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sagan.data.convert import fill_hidden
from sagan.data.decode import decode, strict_pillow
from sagan.data.faults import Fault
from sagan.data.resize import make_square
from sagan.disk import disk_errors, read_whole
from sagan.errors import DataError

MAX_BYTES = 256 << 20
BACKGROUND = (255, 255, 255)  # behind or under transparent pixels: the default of training


def read_picture(path: Path, resolution: int, channels: int) -> NDArray[np.uint8]:
    """A picture file as training would see it: upright, cut square from the centre, (R, R, C). Raises DataError."""
    with disk_errors(path):
        try:
            payload = read_whole(path, max_bytes=MAX_BYTES)
        except (FileNotFoundError, IsADirectoryError):
            raise DataError("there is no such picture", where=path, remedy="Check the path.") from None
    with strict_pillow():
        decoded = decode(payload, channels=channels, background=BACKGROUND, at_least=resolution)
    if isinstance(decoded, Fault):
        raise DataError(f"this picture {decoded.text}", where=path, remedy="Use a JPEG, PNG, WebP or BMP file.")
    square = make_square(decoded.picture, resolution, "crop")
    return fill_hidden(square, BACKGROUND) if channels == 4 else square

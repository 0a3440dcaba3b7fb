"""One picture file of somebody's, as training would see it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sagan.data.config import DataConfig
from sagan.data.decode import strict_pillow
from sagan.data.faults import Fault
from sagan.data.found import Recipe
from sagan.data.images import recipe_of
from sagan.data.scan import prepare
from sagan.disk import disk_errors, read_whole
from sagan.errors import DataError
from sagan.workflows.openers import OpenGenerator
from sagan.workflows.subjects import run_record

MAX_BYTES = 256 << 20


def squares_of(opened: OpenGenerator) -> Recipe:
    """How the run of a generator made its pictures square, by its record; the defaults where there is none.

    Raises as reading the record does.
    """
    record = run_record(opened.source)
    config = DataConfig() if record is None else record.data
    return recipe_of(config, opened.record.model.resolution, opened.record.model.channels)


def read_picture(path: Path, recipe: Recipe) -> NDArray[np.uint8]:
    """A picture file as training would see it: upright and square, (R, R, C). Raises DataError."""
    with disk_errors(path):
        try:
            payload = read_whole(path, max_bytes=MAX_BYTES)
        except (FileNotFoundError, IsADirectoryError):
            raise DataError("there is no such picture", where=path, remedy="Check the path.") from None
    with strict_pillow():
        prepared = prepare(payload, recipe)
    if isinstance(prepared, Fault):
        raise DataError(f"this picture {prepared.text}", where=path, remedy="Use a JPEG, PNG, WebP or BMP file.")
    return prepared.pixels

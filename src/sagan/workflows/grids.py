"""The two grids of a run: what the generator draws from fixed seeds, and real pictures in the same arrangement."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sagan.data.images import ImageSet
from sagan.models.network import Generator
from sagan.sampling import draw
from sagan.visualise.grid import render_grid

GRID_ROWS, GRID_COLUMNS = 10, 8


def picture_grid(generator: Generator, classes: tuple[str, ...]) -> Image.Image:
    """The grid of a generator: with classes one row each (the first ten), every column one seed; else 8x8 seeds."""
    if not classes:
        return render_grid(draw(generator, range(GRID_COLUMNS**2)), GRID_COLUMNS)
    rows = len(classes[:GRID_ROWS])
    seeds, labels = list(range(GRID_COLUMNS)) * rows, np.repeat(np.arange(rows), GRID_COLUMNS)
    return render_grid(draw(generator, seeds, labels.tolist()), GRID_COLUMNS, row_names=classes[:rows])


def real_grid(images: ImageSet, classes: tuple[str, ...]) -> Image.Image:
    """The same arrangement of real pictures: the first ones of each class, or of the set."""
    if not classes:
        return render_grid(images.pictures(np.arange(min(len(images), GRID_COLUMNS**2))), GRID_COLUMNS)
    chosen: list[NDArray[np.int64]] = []
    for label in range(len(classes[:GRID_ROWS])):
        members = np.flatnonzero(images.labels == label)
        chosen.append(members[np.arange(GRID_COLUMNS) % len(members)] if len(members) else np.full(GRID_COLUMNS, -1))
    places = np.concatenate(chosen)
    pictures = images.pictures(np.maximum(places, 0))
    pictures[places < 0] = 0  # a class that the sample of a stream has no picture of
    return render_grid(pictures, GRID_COLUMNS, row_names=classes[: len(chosen)])

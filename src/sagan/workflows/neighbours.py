"""What did the generator have before it? The nearest training pictures of drawn ones: the verb `sagan neighbours`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sagan.data.image_set import ImageSet
from sagan.errors import ConfigError, DataError
from sagan.metrics.leak import are_copies
from sagan.metrics.nearest import CANDIDATES, FROM_FEATURES, Neighbours
from sagan.metrics.offline import offline_features
from sagan.runtime import choose_runtime, memory_errors
from sagan.visualise.channels import as_rgb
from sagan.visualise.grid import render_grid
from sagan.workflows.looking_up import Tell, training_pictures
from sagan.workflows.run_folder import need_suffix, write_picture
from sagan.workflows.seeds import read_seeds
from sagan.workflows.subjects import drawn_subject, real_pictures

MAX_SEEDS = 64
LEAST = CANDIDATES + FROM_FEATURES + 1


@dataclass(frozen=True)
class NeighboursResult:
    """found: of each seed.  names: (n, k) of the pictures nearest in pixels.  rows: the table.  sheet: the PNG file."""

    found: Neighbours
    names: list[list[str]]
    rows: list[tuple[str, str]]
    sheet: Path
    seconds: float
    warnings: tuple[str, ...] = ()


@memory_errors("Name fewer seeds, or use --device cpu.")
def neighbours(
    source: str | Path,
    data: str | None = None,
    *,
    seeds: str = "0-7",
    classes: str | None = None,
    trunc: float = 0.0,
    k: int = 4,
    out: Path | None = None,
    device: str = "auto",
    tell: Tell | None = None,
) -> NeighboursResult:
    """Draw pictures, and show beside each the training pictures nearest to it, in pixels and in features.

    source: a run, a checkpoint or a generator file.  data: the training pictures; None for the run's own.
    seeds, classes, trunc: which pictures, as in `sagan sample`.  k: how many of each kind.  out: the sheet, a PNG file.
    In pixels, as in the leak test (`metrics.nearest`): moved by a little or mirrored, whatever its brightness and contrast.
    Raises ConfigError, DataError, CheckpointError's children.
    """
    start = time.perf_counter()
    sheet = out or Path("neighbours.png")
    need_suffix(sheet, ".png", "the sheet")
    tell = tell or (lambda what, done, total: None)
    wanted = read_seeds(seeds)
    if len(wanted) > MAX_SEEDS or not 1 <= k <= FROM_FEATURES:
        raise ConfigError(
            f"{k} neighbours of {len(wanted)} seeds",
            remedy=f"Ask for 1 to {FROM_FEATURES} of at most {MAX_SEEDS} seeds.",
        )
    choose_runtime(device)  # which also says how many threads the offline network has
    network = offline_features()
    with closing(drawn_subject(Path(source), wanted, device, classes=classes, trunc=trunc)) as subject:
        images, config = real_pictures(subject, data, lambda a, b: tell("reading the training pictures", a, b))
        with closing(images):
            if len(images) < LEAST:
                raise DataError(f"{len(images)} training pictures are too few to look in", remedy=f"It takes {LEAST}.")
            training, real = training_pictures(network, images, config, tell)
            tell("looking up", 0, 0)
            drawn = subject.fetch(np.arange(len(wanted)))
            found = training.neighbours(drawn, network(drawn), k)
            in_pixels, in_features = real.ids[found.index], real.ids[found.feature_index]  # (n, k) each
            names = [[images.names[number] for number in row] for row in in_pixels.tolist()]
            labels = [subject.classes[label] for label in subject.labels.tolist()] if subject.classes else None
            write_picture(sheet, _sheet(drawn, images, in_pixels, in_features, wanted, labels))
    rows = _rows(found, names, wanted)
    return NeighboursResult(found, names, rows, sheet, time.perf_counter() - start, subject.warnings)


def _sheet(
    drawn: NDArray[np.uint8],
    images: ImageSet,
    in_pixels: NDArray[np.int64],
    in_features: NDArray[np.int64],
    seeds: Sequence[int],
    labels: Sequence[str] | None,
) -> Image.Image:
    """A row for each picture: itself, its nearest in pixels, its nearest in features."""
    n, k = in_pixels.shape
    chosen = np.concatenate([in_pixels, in_features], axis=1)
    others = as_rgb(images.pictures(chosen.reshape(-1)))
    pictures = np.concatenate([as_rgb(drawn)[:, None], others.reshape(n, 2 * k, *others.shape[1:])], axis=1)
    names = [f"seed {seed}" + (f", {labels[row]}" if labels else "") for row, seed in enumerate(seeds)]
    kinds = [
        "drawn",
        *(f"pixels {number}" for number in range(1, k + 1)),
        *(f"features {number}" for number in range(1, k + 1)),
    ]
    flat = pictures.reshape(-1, *pictures.shape[2:])
    return render_grid(flat, 1 + 2 * k, row_names=names, column_names=kinds, column_breaks=(1, 1 + k))


def _rows(found: Neighbours, names: Sequence[Sequence[str]], seeds: Sequence[int]) -> list[tuple[str, str]]:
    """What the nearest of each is, and how near; said when the leak test would call it a copy."""
    first = found.first()
    marked = are_copies(first)
    rows = []
    for row, seed in enumerate(seeds):
        words = f"{names[row][0]}, distance {first.distance[row]:.2f}, {first.ratio[row]:.0%} of the usual"
        rows.append((f"seed {seed}", words + (": as near as a copy" if marked[row] else "")))
    return rows

"""Ways in which a generator's pictures can be changed: the verb `sagan directions`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sagan.disk import write_atomic
from sagan.engines import engine_runtime, open_engine
from sagan.errors import ConfigError
from sagan.latents.directions import Directions, Method, closed_form, principal
from sagan.latents.files import DirectionsRecord, fingerprint_of, save_directions
from sagan.models.network import Generator
from sagan.runtime import memory_errors
from sagan.sampling import Engine, draw_labels, draw_latents, paint
from sagan.visualise.channels import as_rgb
from sagan.visualise.film import encode_film, require_film
from sagan.visualise.grid import enlarged, render_grid, tile_factor
from sagan.workflows.openers import OpenGenerator, class_number, open_generator
from sagan.workflows.run_folder import need_suffix, write_picture
from sagan.workflows.seeds import read_seeds

Pictures = NDArray[np.uint8]
Tell = Callable[[str, int, int], None]

MAX_SEEDS, MAX_COUNT, MAX_STEPS = 8, 64, 33
FILM_SECONDS = 4.0  # from one end to the other and back
FILM_GAP = 8  # pixels between the pictures of a film


@dataclass(frozen=True)
class DirectionsResult:
    """found: the directions.  rows: of each what it explains.  paths: the sheet, the file, the film if asked for."""

    found: Directions
    rows: list[tuple[str, str]]
    paths: list[Path]
    seconds: float
    warnings: tuple[str, ...] = ()


@memory_errors("Choose a lower --layer, or use --device cpu.")
def directions(
    source: str | Path,
    *,
    method: Method = "principal",
    layer: int | None = None,
    count: int = 8,
    seeds: str = "0-2",
    label: str | None = None,
    trunc: float = 0.0,
    reach: float = 3.0,
    steps: int = 7,
    out: Path | None = None,
    film: Path | None = None,
    index: int = 0,
    fps: float = 24.0,
    size: int = 128,
    device: str = "auto",
    tell: Tell | None = None,
) -> DirectionsResult:
    """Find directions, and show what moving along each does to a few pictures.

    source: a run, a checkpoint or a generator file.  method, layer: see `latents.directions`; None is the first block, 1.
    count: how many.  seeds: which pictures are shown.  label: their class, and the one whose directions are looked for.
    trunc: of the latents.  reach: strength at either end of a row, in standard deviations of a latent.  steps: pictures a row.
    out: the sheet, a PNG file; the directions lie beside it as safetensors, for `sagan sample --direction`.
    film: a film of direction `index`, there and back, the seeds side by side.  fps, size: of the film.
    Raises ConfigError, CheckpointError's children.
    """
    start = time.perf_counter()
    sheet = out or Path("directions.png")
    need_suffix(sheet, ".png", "the sheet")
    wanted = read_seeds(seeds)
    _check(len(wanted), count, steps, reach, index, fps)
    if method == "closed-form" and layer:
        raise ConfigError(f"the closed form is of the first linear layer, not of {layer}", remedy="Leave out --layer.")
    runtime = engine_runtime("torch", device)
    opened = open_generator(source, runtime=runtime)
    generator = opened.generator
    number = _number(label, opened)
    factor = tile_factor(generator.resolution, size)
    frames = max(2, round(FILM_SECONDS * fps))
    if film is not None:
        width = len(wanted) * (factor * generator.resolution + FILM_GAP)
        require_film(film.suffix, frames, width, factor * generator.resolution)
    layer = (1 if method == "principal" else 0) if layer is None else layer
    if method == "closed-form":
        found = closed_form(generator, count)
    else:
        progress = None if tell is None else lambda done, total: tell("looking at maps", done, total)
        found = principal(generator, count, layer=layer, label=number, truncation=trunc, tell=progress)
    engine = open_engine("torch", generator, runtime)
    labels = draw_labels(wanted, generator.classes) if number is None else np.full(len(wanted), number)
    base = _Base(generator, engine, draw_latents(wanted, generator.z_dim, trunc), labels)
    write_picture(sheet, _sheet(base, found, wanted, opened.classes, np.linspace(-reach, reach, steps)))
    stored = sheet.with_suffix(".safetensors")
    record = DirectionsRecord(
        z_dim=generator.z_dim,
        generator=fingerprint_of(generator),
        method=method,
        layer=layer,
        made=_words(opened, label),
    )
    save_directions(stored, found, record)
    paths = [sheet, stored]
    if film is not None:
        strengths = reach * np.sin(2 * math.pi * np.arange(frames) / frames)
        shown = list(base.frames(found.vectors[index], strengths, factor))
        write_atomic(film, encode_film(shown, film.suffix, fps))
        paths.append(film)
    rows = [
        (f"direction {place}", f"{share:.1%} of the change; {straight:.0%} of that by going straight")
        for place, (share, straight) in enumerate(zip(found.shares, found.straight, strict=True))
    ]
    return DirectionsResult(found, rows, paths, time.perf_counter() - start, opened.warnings)


def _check(seeds: int, count: int, steps: int, reach: float, index: int, fps: float) -> None:
    if seeds > MAX_SEEDS or not 1 <= count <= MAX_COUNT or not 2 <= steps <= MAX_STEPS:
        raise ConfigError(
            f"{count} directions in {steps} steps for {seeds} seeds",
            remedy=f"Use at most {MAX_COUNT} directions, 2 to {MAX_STEPS} steps and at most {MAX_SEEDS} seeds.",
        )
    if not 0 < reach <= 20 or not 0.1 <= fps <= 120:
        raise ConfigError(f"reach is {reach:g}, fps {fps:g}", remedy="Use more than 0 to 20, and 0.1 to 120.")
    if not 0 <= index < count:
        raise ConfigError(
            f"there is no direction {index}", remedy=f"Their numbers go from 0 to {count - 1}; see --count."
        )


def _number(label: str | None, opened: OpenGenerator) -> int | None:
    if label is None:
        return None
    if not opened.classes:
        raise ConfigError("this generator has no classes", remedy="Leave out --label.")
    return class_number(label, opened.classes)


def _words(opened: OpenGenerator, label: str | None) -> str:
    return f"step {opened.record.step}" + (f", class {label}" if label is not None else "")


@dataclass(frozen=True)
class _Base:
    """The pictures that are moved. latents: (s, z_dim).  labels: (s,)."""

    generator: Generator
    engine: Engine
    latents: NDArray[np.float32]
    labels: NDArray[np.int64]

    def moved(self, vector: NDArray[np.float32], strengths: NDArray[np.float64]) -> Pictures:
        """Each picture at each strength: (s, t, R, R, C)."""
        latents = self.latents[:, None] + strengths.astype(np.float32)[:, None] * vector  # (s, t, z_dim)
        labels = np.repeat(self.labels, len(strengths))
        drawn = paint(self.generator, latents.reshape(-1, latents.shape[2]), labels, engine=self.engine)
        return drawn.reshape(len(self.latents), len(strengths), *drawn.shape[1:])

    def frames(self, vector: NDArray[np.float32], strengths: NDArray[np.float64], factor: int) -> list[Pictures]:
        """A film, the pictures side by side."""
        rows = [as_rgb(row) for row in self.moved(vector, strengths)]  # one a seed: (t, R, R, 3)
        gap = np.full((factor * rows[0].shape[1], FILM_GAP, 3), 255, dtype=np.uint8)
        shown = []
        for moment in zip(*rows, strict=True):
            parts = [part for picture in moment for part in (enlarged(picture, factor), gap)]
            shown.append(np.concatenate(parts[:-1], axis=1))
        return shown


def _sheet(
    base: _Base, found: Directions, seeds: Sequence[int], names: Sequence[str], strengths: NDArray[np.float64]
) -> Image.Image:
    """A band for each direction, in it a row for each seed; strength grows to the right, the seed itself is in the middle."""
    pictures = np.concatenate([base.moved(vector, strengths).reshape(-1, *_shape(base)) for vector in found.vectors])
    words = [
        f"seed {seed}" + (f", {names[label]}" if names else "") for seed, label in zip(seeds, base.labels, strict=True)
    ]
    rows = [
        f"{number}: {words[0]}" if row == 0 else words[row]
        for number in range(len(found.vectors))
        for row in range(len(seeds))
    ]
    columns = [f"{strength:+.3g}" if abs(strength) > 1e-9 else "0" for strength in strengths]
    return render_grid(
        pictures,
        len(strengths),
        row_names=rows,
        column_names=columns,
        row_breaks=range(len(seeds), len(rows), len(seeds)),
    )


def _shape(base: _Base) -> tuple[int, int, int]:
    return base.generator.resolution, base.generator.resolution, base.generator.channels

"""From one picture to the next through the generator's own space: the verb `sagan interpolate`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from sagan.disk import write_atomic
from sagan.engines import engine_runtime, open_engine
from sagan.errors import ConfigError
from sagan.latents.files import Latents
from sagan.layers.attention import attention_layers, record_inputs
from sagan.models.network import Generator
from sagan.runtime import memory_errors
from sagan.sampling import INNER_BATCH, draw_labels, inner_batch, to_pixels
from sagan.visualise.attention import render_attention
from sagan.visualise.channels import as_rgb
from sagan.visualise.film import encode_film, require_film
from sagan.visualise.grid import enlarged, render_grid, tile_factor
from sagan.visualise.points import position_of
from sagan.workflows.moving import read_latents
from sagan.workflows.openers import OpenGenerator, class_number, open_generator
from sagan.workflows.run_folder import write_picture
from sagan.workflows.seeds import read_seeds
from sagan.workflows.walking import Bend, Walk, blend_classes, walk

Pictures = NDArray[np.uint8]
Point = tuple[int, int]

FILM_STEPS, STRIP_STEPS = 24, 7  # from one seed to the next, when nobody says how many
USUAL_SEEDS = "0-3"
MAX_FRAMES = 5000
MAX_SIZE = 2048


@dataclass(frozen=True)
class InterpolateResult:
    """What was written. frames: how many pictures.  warnings: damaged checkpoints that were passed over."""

    path: Path
    frames: int
    seconds: float
    warnings: tuple[str, ...] = ()


@memory_errors("Ask for fewer frames, or use --device cpu.")
def interpolate(
    source: str | Path,
    *,
    seeds: str | None = None,
    latents: Path | None = None,
    classes: str | None = None,
    frames: int | None = None,
    fps: float = 24.0,
    loop: bool = False,
    bend: Bend = "sphere",
    trunc: float = 0.0,
    at: Sequence[Point] | None = None,
    layer: str | None = None,
    size: int = 256,
    out: Path | None = None,
    device: str = "auto",
) -> InterpolateResult:
    """Draw what lies between pictures, as a film (.gif, .webp, .apng, .mp4) or as a strip (.png), one row for each way.

    source: a run, a checkpoint or a generator file.  seeds: where the way leads, two or more, '0-3' or '5,5,9'.
    latents: a file of latents, such as `sagan project` writes, from which the way leads to the seeds, if any are named.
    classes: one for all seeds, or one for each; None takes those that the seeds draw. Between two classes lie mixtures.
    frames: steps from one seed to the next.  fps: frames a second of a film.  loop: also from the last seed to the first.
    bend, trunc: see `walking.walk`.  at: pixels; a film then shows beside each picture where attention looks from them.
    layer: which attention layer; None takes the first.  size: least side of a film's pictures, in pixels.
    Raises ConfigError, CheckpointError's children, ResourceError.
    """
    start = time.perf_counter()
    target = out or Path("interpolation.gif")
    strip = target.suffix.lower() == ".png"
    steps = frames or (STRIP_STEPS if strip else FILM_STEPS)
    wanted = [] if seeds is None and latents is not None else read_seeds(seeds or USUAL_SEEDS)
    if latents is None:  # else how many there are is seen when the file is opened
        _count(len(wanted), steps, loop)
    if not 8 <= size <= MAX_SIZE or not 0.1 <= fps <= 120:
        raise ConfigError(f"size is {size}, fps {fps:g}", remedy=f"Use 8 to {MAX_SIZE} pixels and 0.1 to 120.")
    if strip and at:
        raise ConfigError("a strip shows no attention", remedy="Write a film such as -o attention.gif for --at.")
    runtime = engine_runtime("torch", device)
    opened = open_generator(source, runtime=runtime)
    generator = opened.generator
    given, notes = (None, []) if latents is None else read_latents(latents, opened)
    names = [f"latent {number}" for number in range(0 if given is None else len(given.latents))] + list(
        map(str, wanted)
    )
    count = _count(len(names), steps, loop)
    factor = tile_factor(generator.resolution, size)
    if not strip:
        panels = 1 + len(at or ())
        require_film(target.suffix, count, panels * factor * generator.resolution, factor * generator.resolution)
    way = walk(
        wanted,
        _labels(opened, wanted, given, classes),
        z_dim=generator.z_dim,
        classes=generator.classes,
        between=steps,
        loop=loop,
        bend=bend,
        truncation=trunc,
        given=None if given is None else given.latents,
    )
    warnings = (*opened.warnings, *notes)
    blended = blend_classes(generator, way.classes) if generator.classes else generator
    if at:
        shown = list(_attention_frames(blended, way, at, layer, factor))
        write_atomic(target, encode_film(shown, target.suffix, fps))
        return InterpolateResult(target, count, time.perf_counter() - start, warnings)
    engine = open_engine("torch", blended, runtime)
    with torch.no_grad():
        pictures = np.concatenate([to_pixels(engine(z, y))[:used] for z, y, used in _batches(blended, way)])
    if strip:
        write_picture(target, _strip(pictures, steps, names, loop))
    else:
        films = [enlarged(picture, factor) for picture in as_rgb(pictures)]
        write_atomic(target, encode_film(films, target.suffix, fps))
    return InterpolateResult(target, count, time.perf_counter() - start, warnings)


def _count(seeds: int, steps: int, loop: bool) -> int:
    if seeds < 2:
        raise ConfigError("one seed leads nowhere", remedy="Name two or more, such as --seeds 3,7 or 0-3.")
    count = (seeds if loop else seeds - 1) * steps + (not loop)
    if steps < 1 or count > MAX_FRAMES:
        raise ConfigError(
            f"{count:,} frames were asked for", remedy=f"Ask for at most {MAX_FRAMES:,}, --frames from 1."
        )
    return count


def _labels(opened: OpenGenerator, seeds: Sequence[int], given: Latents | None, words: str | None) -> list[int]:
    """A class for each given latent, then for each seed."""
    names, before = opened.classes, 0 if given is None else len(given.latents)
    if words is None:
        drawn = draw_labels([*range(before), *seeds], len(names))
        if given is not None and given.labels is not None:
            drawn[:before] = given.labels
        return [int(label) for label in drawn]
    if not names:
        raise ConfigError("this generator has no classes", remedy="Leave out --classes.")
    chosen = [class_number(word.strip(), names) for word in words.strip("[]").split(",")]
    if len(chosen) not in (1, before + len(seeds)):
        raise ConfigError(
            f"{len(chosen)} classes for {before + len(seeds)} seeds", remedy="Name one class, or one for each seed."
        )
    return chosen * (before + len(seeds)) if len(chosen) == 1 else chosen


def _batches(generator: Generator, way: Walk) -> Iterator[tuple[torch.Tensor, torch.Tensor | None, int]]:
    """The walk in the fixed inner batches of sampling: latents, labels, how many of them count."""
    numbers = np.arange(len(way.latents))  # the class of a frame is its own number: see `blend_classes`
    for first in range(0, len(numbers), INNER_BATCH):
        latents, labels = inner_batch(generator, way.latents[first:], numbers[first:])
        yield latents, labels, min(INNER_BATCH, len(numbers) - first)


@torch.no_grad()
def _attention_frames(
    generator: Generator, way: Walk, at: Sequence[Point], name: str | None, factor: int
) -> Iterator[Pictures]:
    """Each picture, and beside it where one layer looks from the pixels `at`."""
    layers = attention_layers(generator, "G")
    if not layers or (name is not None and name not in layers):
        known = f"There are: {', '.join(layers)}." if layers else "Leave out --at."
        raise ConfigError(f"there is no attention layer {name or ''}".rstrip(), remedy=known)
    name = name or next(iter(layers))
    for latents, labels, used in _batches(generator, way):
        inputs, output = record_inputs({name: layers[name]}, partial(generator, latents, labels))
        side = inputs[name].shape[-1]
        places = torch.tensor([position_of(x, y, side, generator.resolution) for x, y in at], device=latents.device)
        maps = layers[name].weights(inputs[name], places).cpu().numpy()
        for picture, rows in zip(to_pixels(output)[:used], maps, strict=False):
            yield np.asarray(render_attention(picture, rows, list(at), enlarge=factor))


def _strip(pictures: Pictures, steps: int, stops: Sequence[str], loop: bool) -> Image.Image:
    """One row for each way, from its seed to the next one, both shown.  stops: their names."""
    ends = [*stops[1:], stops[0]] if loop else stops[1:]
    following = np.concatenate([pictures, pictures[:1]])  # a loop's last way ends where the first began
    rows = [following[number * steps : (number + 1) * steps + 1] for number in range(len(ends))]
    names = [f"{first} to {second}" for first, second in zip(stops, ends, strict=False)]
    return render_grid(np.concatenate(rows), steps + 1, row_names=names)

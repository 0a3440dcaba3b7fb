"""From a picture to a latent: the verb `sagan project`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from sagan.engines import engine_runtime, open_engine
from sagan.errors import ConfigError
from sagan.latents.files import LatentsRecord, fingerprint_of, save_latents
from sagan.latents.projection import project as descend
from sagan.metrics.offline import differentiable_features
from sagan.runtime import memory_errors
from sagan.sampling import Engine, draw_labels, draw_latents, paint
from sagan.visualise.channels import as_rgb
from sagan.visualise.grid import render_grid, tile_factor
from sagan.workflows.openers import OpenGenerator, class_number, open_generator
from sagan.workflows.picture_file import read_picture, squares_of
from sagan.workflows.run_folder import need_suffix, write_picture

Tell = Callable[[str, int, int], None]
Pictures = NDArray[np.uint8]

FIRST_SEED = 1 << 60  # of the random pictures: far from those that people draw and then look for
MAX_STARTS, MAX_STEPS, MAX_SEARCH = 64, 10_000, 100_000
CHUNK = 64
TILE = 192
LIMITS = (
    "What the generator did not draw is not usually reached: the projection is the nearest thing that was found, in pixels and"
    " features, and another start may find another."
)


@dataclass(frozen=True)
class ProjectResult:
    """rms: of the projection, in levels of 255.  random_rms: of the nearest random picture.  label: None without classes.

    rows: these in words, and what lies beside them.  paths: the figure, and the file of the latent.
    """

    latent: NDArray[np.float32]
    label: int | None
    rms: float
    random_rms: float
    rows: list[tuple[str, str]]
    paths: list[Path]
    seconds: float
    notes: tuple[str, ...] = ()


@memory_errors("Use fewer --starts, or --device cpu.")
def project(
    source: str | Path,
    picture: Path,
    *,
    label: str | None = None,
    starts: int = 12,
    steps: int = 300,
    search: int = 1000,
    out: Path | None = None,
    device: str = "auto",
    tell: Tell | None = None,
) -> ProjectResult:
    """Look for the latent whose picture comes nearest to a given one.

    source: a run, a checkpoint or a generator file.  picture: a file, made square as in training.
    label: its class; None tries classes, by starting in the best random picture of each of several.
    starts: from how many of `search` random pictures.  steps: of the descent, which the better half of the starts goes on.
    out: the figure, a PNG file; the latent lies beside it as safetensors, for `sagan sample --latents`.
    Raises ConfigError, DataError, CheckpointError's children.
    """
    start = time.perf_counter()
    sheet = out or Path("projection.png")
    need_suffix(sheet, ".png", "the figure")
    if not (1 <= starts <= MAX_STARTS and 1 <= steps <= MAX_STEPS and starts <= search <= MAX_SEARCH):
        raise ConfigError(
            f"{starts} starts of {search} random pictures, {steps} steps",
            remedy=f"Use 1 to {MAX_STARTS} starts, at most as many as random pictures, and 1 to {MAX_STEPS:,} steps.",
        )
    tell = tell or (lambda what, done, total: None)
    runtime = engine_runtime("torch", device)
    opened = open_generator(source, runtime=runtime)
    generator = opened.generator
    target = read_picture(picture, squares_of(opened))
    engine = open_engine("torch", generator, runtime, "fp32")
    found = _random(opened, engine, target, label, search, tell)
    chosen = _starts(found.distances, found.labels, starts)
    moved = descend(
        engine,
        found.measure,
        found.latents[chosen],
        found.labels[chosen] if generator.classes else None,
        steps=steps,
        device=next(generator.parameters()).device,
        tell=lambda done, total: tell("moving", done, total),
    )
    best = int(np.argmin(moved.distances))
    latent, number = moved.latents[best], int(found.labels[chosen[best]])
    reached = paint(generator, latent[None], np.asarray([number]), engine=engine)[0]
    nearest = int(np.argmin(found.distances))
    random = paint(generator, found.latents[[nearest]], found.labels[[nearest]], engine=engine)[0]
    rms, random_rms = _rms(reached, target), _rms(random, target)
    write_picture(sheet, _figure(target, random, reached, rms, random_rms))
    stored = sheet.with_suffix(".safetensors")
    made = f"projection of a picture, {rms:.1f} of 255 away; step {opened.record.step}"
    record = LatentsRecord(
        z_dim=generator.z_dim, generator=fingerprint_of(generator), classes=opened.classes, made=made
    )
    save_latents(stored, latent[None], np.asarray([number]) if generator.classes else None, record)
    tried = len(np.unique(found.labels[chosen]))
    rows = [
        ("distance", f"{rms:.1f} of 255, PSNR {_psnr(rms):.1f} dB"),
        (f"nearest of {search:,} random pictures", f"{random_rms:.1f} of 255, PSNR {_psnr(random_rms):.1f} dB"),
        ("in pixels and features together", f"{moved.distances[best]:.2f}; that random picture {found.distances.min():.2f};"
         " a usual one 2"),
    ]  # fmt: skip
    if generator.classes:
        asked = "as asked" if label is not None else f"the best of {tried} tried"
        rows.append(("class", f"{opened.classes[number]}, {asked}"))
    return ProjectResult(
        latent,
        number if generator.classes else None,
        rms,
        random_rms,
        rows,
        [sheet, stored],
        time.perf_counter() - start,
        (*opened.warnings, LIMITS),
    )


@dataclass(frozen=True)
class _Random:
    """Random pictures, and how far each is away. measure: the same of any pictures, as `latents.projection` wants it."""

    latents: NDArray[np.float32]
    labels: NDArray[np.int64]
    distances: NDArray[np.float64]
    measure: Callable[[Tensor], Tensor]


def _random(opened: OpenGenerator, engine: Engine, target: Pictures, label: str | None, n: int, tell: Tell) -> _Random:
    """The distance is the sum of that in pixels and that in features, each over its median among the random pictures."""
    generator, seeds = opened.generator, range(FIRST_SEED, FIRST_SEED + n)
    latents, labels = draw_latents(seeds, generator.z_dim), draw_labels(seeds, generator.classes)
    if label is not None:
        if not opened.classes:
            raise ConfigError("this generator has no classes", remedy="Leave out --label.")
        labels = np.full_like(labels, class_number(label, opened.classes))
    aim = _signal(target[None])
    with torch.no_grad():
        aim_features = differentiable_features(aim)

    def apart(pictures: Tensor) -> tuple[Tensor, Tensor]:
        in_pixels = (pictures - aim.to(pictures.device)).square().mean((1, 2, 3))
        in_features = (differentiable_features(pictures) - aim_features).square().mean(1)
        return in_pixels, in_features.to(pictures.device)

    both = np.empty((n, 2))
    for first in range(0, n, CHUNK):
        part = slice(first, first + CHUNK)
        drawn = paint(generator, latents[part], labels[part], engine=engine)
        with torch.no_grad():
            both[part] = torch.stack(apart(_signal(drawn)), dim=1).double().numpy()
        tell("drawing random pictures", min(first + CHUNK, n), n)
    usual = np.maximum(np.median(both, axis=0), 1e-12)

    def measure(pictures: Tensor) -> Tensor:
        in_pixels, in_features = apart(pictures)
        return in_pixels / usual[0] + in_features / usual[1]

    return _Random(latents, labels, (both / usual).sum(axis=1), measure)


def _signal(pictures: Pictures) -> Tensor:
    """(n, R, R, C) -> (n, C, R, R) in [-1, 1], on the processor."""
    return torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float().div(127.5).sub(1.0)


def _starts(distances: NDArray[np.float64], labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The nearest random pictures, no class a second time before each class that was drawn had its turn: (count,)."""
    turn = np.empty(len(distances))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        turn[members[np.argsort(distances[members], kind="stable")]] = np.arange(len(members))
    return np.lexsort((distances, turn))[:count]


def _rms(one: Pictures, other: Pictures) -> float:
    """Root mean square difference in levels."""
    return float(np.sqrt(np.square(one.astype(np.float64) - other).mean()))


def _psnr(rms: float) -> float:
    return 20 * math.log10(255 / max(rms, 0.01))


def _figure(target: Pictures, random: Pictures, reached: Pictures, rms: float, random_rms: float) -> Image.Image:
    """Picture, nearest random picture, projection, and what is left between the first and the last."""
    shown = as_rgb(np.stack([target, random, reached]))
    left = np.abs(shown[2].astype(np.int16) - shown[0]).astype(np.uint8)
    names = ["picture", f"random, {random_rms:.1f} away", f"projection, {rms:.1f} away", "difference"]
    pictures = np.concatenate([shown, left[None]])
    return render_grid(pictures, 4, column_names=names, enlarge=tile_factor(target.shape[0], TILE), gap=8)

"""Pictures from a trained generator: the verb `sagan sample`. Needs one file; no data, no GPU."""

from __future__ import annotations

import io
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sagan.disk import ensure_folder, write_atomic
from sagan.engines import EngineName, Precision, engine_runtime, open_engine
from sagan.errors import ConfigError
from sagan.models.network import Generator
from sagan.runtime import memory_errors
from sagan.sampling import Engine, draw, draw_labels
from sagan.visualise.channels import as_image
from sagan.visualise.grid import render_grid
from sagan.workflows.openers import class_number, open_generator
from sagan.workflows.run_folder import need_suffix, png, write_picture

MAX_SEEDS = 1_000_000
MAX_GRID = 1024
MAX_ARRAY = 2 << 30  # bytes of pictures in one npz, which is made in memory
CHUNK = 256
Format = Literal["grid", "png", "npz"]


@dataclass(frozen=True)
class SampleResult:
    """What was written. warnings: damaged checkpoints, newer than the one that was drawn from."""

    paths: list[Path]
    count: int
    seconds: float
    warnings: tuple[str, ...] = ()


@memory_errors("Ask for fewer pictures at a time, or use --device cpu.")
def sample(
    source: str | Path,
    *,
    n: int = 64,
    seeds: str | None = None,
    classes: str | None = None,
    trunc: float = 0.0,
    out: Path | None = None,
    format: Format = "grid",
    engine: EngineName = "torch",
    precision: Precision = "auto",
    device: str = "auto",
) -> SampleResult:
    """Draw pictures and write them.

    source: a run, a checkpoint or a generator file.  n: how many, seeds 0 to n-1; `seeds` such as '0-63' or '3,7,20-29'
    names them instead.  classes: names or numbers, 'cat,dog', or 'all'; pictures are shared out among them in order, a
    grid gets one row each.  trunc: latents beyond this bound are drawn again; 0 for none.
    out: a PNG file for a grid, a folder for single PNGs, an npz file for arrays (pictures, seeds, labels). Single PNGs and
    arrays have the generator's channels: grey, RGB, or RGB with alpha. A seed named twice is drawn twice, save that single
    PNGs each need a name of their own.
    engine, precision: what computes, see `engines.choose`.  device: where, as in `sagan train --device`.
    Raises ConfigError, CheckpointError's children, ResourceError.
    """
    if format != "png":
        need_suffix(out, ".npz" if format == "npz" else ".png", "an array" if format == "npz" else "a grid")
    runtime = engine_runtime(engine, device)
    opened = open_generator(source, runtime=runtime)
    wanted = read_seeds(seeds) if seeds else list(range(_count(n)))
    labels = _labels(wanted, classes, opened.classes)
    start = time.perf_counter()
    if format == "png":
        paths = _single_paths(out or Path("samples"), wanted, labels, opened.classes)
    elif format == "npz":
        paths = [out or Path("samples.npz")]
        _refuse_large_array(len(wanted), opened.generator.resolution, opened.generator.channels)
    else:
        paths = [out or Path("samples.png")]
        _refuse_large_grid(len(wanted))
    drawing = _Drawing(
        opened.generator, open_engine(engine, opened.generator, runtime, precision), wanted, labels, trunc
    )
    if format == "png":
        _write_singles(paths, drawing)
    elif format == "npz":
        write_atomic(paths[0], _npz(_pictures(drawing), wanted, labels))
    else:
        write_picture(paths[0], _grid(_pictures(drawing), labels, opened.classes, by_class=classes is not None))
    return SampleResult(paths, len(wanted), time.perf_counter() - start, opened.warnings)


@dataclass(frozen=True)
class _Drawing:
    """What is drawn, and what draws it. seeds, labels: one a picture."""

    generator: Generator
    engine: Engine
    seeds: Sequence[int]
    labels: NDArray[np.int64]
    trunc: float

    def chunks(self) -> Iterator[tuple[slice, NDArray[np.uint8]]]:
        """Places among the seeds, and the pictures that belong there; never more than CHUNK at once."""
        for first in range(0, len(self.seeds), CHUNK):
            part = slice(first, first + CHUNK)
            labels = self.labels[part].tolist()
            yield part, draw(self.generator, self.seeds[part], labels, truncation=self.trunc, engine=self.engine)


def read_seeds(words: str) -> list[int]:
    """'0-63' or '3,7,20-29' -> the seeds in that order. Raises ConfigError."""
    seeds: list[int] = []
    for word in words.replace(" ", "").strip("[]").split(","):
        match = re.fullmatch(r"(\d{1,19})(?:-(\d{1,19}))?", word)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first or last >= 2**63:
            raise ConfigError(f"seeds are {words!r}", remedy="Write numbers and ranges like 0-63 or 3,7,20-29.")
        _count(len(seeds) + last - first + 1)
        seeds.extend(range(first, last + 1))
    return seeds


def _count(n: int) -> int:
    if not 1 <= n <= MAX_SEEDS:
        raise ConfigError(f"{n:,} pictures were asked for", remedy=f"Ask for 1 to {MAX_SEEDS:,}.")
    return n


def _labels(seeds: Sequence[int], words: str | None, names: Sequence[str]) -> NDArray[np.int64]:
    """One class a picture: the ones asked for in equal shares, in order; else what each seed draws."""
    if words is None:
        return draw_labels(seeds, len(names))
    if not names:
        raise ConfigError("this generator has no classes", remedy="Leave out --classes.")
    everything = words == "all" and "all" not in names
    chosen = range(len(names)) if everything else [class_number(w.strip(), names) for w in words.strip("[]").split(",")]
    places = np.arange(len(seeds)) * len(chosen) // len(seeds)
    return np.asarray(list(chosen), dtype=np.int64)[places]


def _refuse_large_grid(count: int) -> None:
    if count > MAX_GRID:
        raise ConfigError(
            f"a grid of {count:,} pictures would be unreadable",
            remedy=f"Ask for at most {MAX_GRID:,}, or use --format png or npz.",
        )


def _refuse_large_array(count: int, resolution: int, channels: int) -> None:
    most = MAX_ARRAY // (channels * resolution**2)
    if count > most:
        raise ConfigError(
            f"an array of {count:,} pictures of {resolution}x{resolution} would be larger than {MAX_ARRAY / 2**30:g} GiB",
            remedy=f"Ask for at most {most:,} at a time with --seeds, or use --format png.",
        )


def _pictures(drawing: _Drawing) -> NDArray[np.uint8]:
    """All pictures: (n, R, R, C)."""
    side, channels = drawing.generator.resolution, drawing.generator.channels
    pictures = np.empty((len(drawing.seeds), side, side, channels), dtype=np.uint8)
    for part, drawn in drawing.chunks():
        pictures[part] = drawn
    return pictures


def _grid(
    pictures: NDArray[np.uint8], labels: NDArray[np.int64], names: Sequence[str], *, by_class: bool
) -> Image.Image:
    """Near square; with classes asked for, one row each where they share out evenly."""
    columns = max(1, round(len(pictures) ** 0.5))
    present = list(dict.fromkeys(labels.tolist()))
    share = len(pictures) // len(present)
    if by_class and np.array_equal(labels, np.repeat(present, share)):
        return render_grid(pictures, share, row_names=[names[label] for label in present])
    return render_grid(pictures, columns)


def _single_paths(folder: Path, seeds: Sequence[int], labels: NDArray[np.int64], names: Sequence[str]) -> list[Path]:
    """One file a picture. Raises ConfigError when two would have the same."""
    paths = [folder / _name(seed, label, names) for seed, label in zip(seeds, labels.tolist(), strict=True)]
    if len(set(paths)) < len(paths):
        twice = next(path for path, count in Counter(paths).items() if count > 1)
        remedy = "Name each seed once, or use --format grid or npz."
        raise ConfigError("two of the pictures would have this name", where=twice, remedy=remedy)
    return paths


def _write_singles(paths: Sequence[Path], drawing: _Drawing) -> None:
    """Each chunk is written before the next is drawn."""
    for part, pictures in drawing.chunks():
        ensure_folder(paths[0].parent)
        for path, picture in zip(paths[part], pictures, strict=True):
            write_atomic(path, png(as_image(picture)))


def _name(seed: int, label: int, names: Sequence[str]) -> str:
    """seed-0000007.png, or seed-0000007-cat.png: the name says how to draw it again."""
    suffix = "-" + re.sub(r"[^\w]+", "_", names[label])[:40] if names else ""
    return f"seed-{seed:07d}{suffix}.png"


def _npz(pictures: NDArray[np.uint8], seeds: Sequence[int], labels: NDArray[np.int64]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, pictures=pictures, seeds=np.asarray(seeds, dtype=np.int64), labels=labels)
    return buffer.getvalue()

"""Pictures from a trained generator: the verb `sagan sample`. Needs one file; no data, no GPU."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sagan.disk import ensure_folder, write_atomic
from sagan.errors import ConfigError
from sagan.sampling import draw, draw_labels
from sagan.visualise.grid import render_grid
from sagan.workflows.attend import class_number
from sagan.workflows.openers import open_generator
from sagan.workflows.run_folder import png, write_picture

MAX_SEEDS = 1_000_000
MAX_GRID = 1024
CHUNK = 256
Format = Literal["grid", "png", "npz"]


@dataclass(frozen=True)
class SampleResult:
    """What was written."""

    paths: list[Path]
    count: int
    seconds: float


def sample(
    source: str | Path,
    *,
    n: int = 64,
    seeds: str | None = None,
    classes: str | None = None,
    trunc: float = 0.0,
    out: Path | None = None,
    format: Format = "grid",
    device: str = "auto",
) -> SampleResult:
    """Draw pictures and write them.

    source: a run, a checkpoint or a generator file.  n: how many, seeds 0 to n-1; `seeds` such as '0-63' or '3,7,20-29'
    names them instead.  classes: names or numbers, 'cat,dog', or 'all'; pictures are shared out among them in order, a
    grid gets one row each.  trunc: latents beyond this bound are drawn again; 0 for none.
    out: a PNG file for a grid, a folder for single PNGs, an npz file for arrays (pictures, seeds, labels).
    Raises ConfigError, CheckpointError's children, ResourceError.
    """
    opened = open_generator(source, device=device)
    wanted = read_seeds(seeds) if seeds else list(range(_count(n)))
    labels = _labels(wanted, classes, opened.classes)
    if format == "grid" and len(wanted) > MAX_GRID:
        raise ConfigError(
            f"a grid of {len(wanted):,} pictures would be unreadable",
            remedy=f"Ask for at most {MAX_GRID:,}, or use --format png or npz.",
        )
    start = time.perf_counter()
    parts = [slice(first, first + CHUNK) for first in range(0, len(wanted), CHUNK)]
    chunks = [draw(opened.generator, wanted[part], labels[part].tolist(), truncation=trunc) for part in parts]
    pictures = np.concatenate(chunks)
    seconds = time.perf_counter() - start
    if format == "png":
        paths = _write_singles(out or Path("samples"), pictures, wanted, labels, opened.classes)
    elif format == "npz":
        paths = [out or Path("samples.npz")]
        write_atomic(paths[0], _npz(pictures, wanted, labels))
    else:
        paths = [out or Path("samples.png")]
        write_picture(paths[0], _grid(pictures, labels, opened.classes, by_class=classes is not None))
    return SampleResult(paths, len(wanted), seconds)


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


def _write_singles(
    folder: Path, pictures: NDArray[np.uint8], seeds: Sequence[int], labels: NDArray[np.int64], names: Sequence[str]
) -> list[Path]:
    """seed-0000007.png, or seed-0000007-cat.png: the name says how to draw it again."""
    ensure_folder(folder)
    paths = []
    for picture, seed, label in zip(pictures, seeds, labels, strict=True):
        suffix = "-" + re.sub(r"[^\w]+", "_", names[label])[:40] if names else ""
        path = folder / f"seed-{seed:07d}{suffix}.png"
        write_atomic(path, png(Image.fromarray(picture)))
        paths.append(path)
    return paths


def _npz(pictures: NDArray[np.uint8], seeds: Sequence[int], labels: NDArray[np.int64]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, pictures=pictures, seeds=np.asarray(seeds, dtype=np.int64), labels=labels)
    return buffer.getvalue()

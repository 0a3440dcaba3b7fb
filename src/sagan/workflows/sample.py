"""Pictures from a trained generator: the verb `sagan sample`. Needs one file; no data, no GPU."""

from __future__ import annotations

import io
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sagan.disk import ensure_folder, write_atomic
from sagan.engines import EngineName, Precision, engine_runtime, open_engine
from sagan.errors import ConfigError
from sagan.models.network import Discriminator, Generator
from sagan.runtime import Runtime, memory_errors
from sagan.sampling import Engine, paint
from sagan.visualise.channels import as_image
from sagan.visualise.grid import render_grid
from sagan.workflows.mixing import name_of_mix, read_mix
from sagan.workflows.moving import read_direction, read_latents
from sagan.workflows.openers import OpenGenerator, open_both, open_generator
from sagan.workflows.picks import Picks, pick, pick_given, pick_liked
from sagan.workflows.rejection import best_of, drawn_for, judge, judge_mixed
from sagan.workflows.run_folder import need_suffix, png, write_picture
from sagan.workflows.seeds import MAX_SEEDS, read_liked, read_seeds, require_count, write_liked
from sagan.workflows.standing import read_statistics, with_standing_statistics
from sagan.workflows.walking import blend_classes

__all__ = ["MAX_SEEDS", "SampleResult", "read_seeds", "sample"]

MAX_GRID = 1024
MAX_ARRAY = 2 << 30  # bytes of pictures in one npz, which is made in memory
CHUNK = 256
Format = Literal["grid", "png", "npz"]


@dataclass(frozen=True)
class SampleResult:
    """What was written. warnings: what a person should know, such as damaged checkpoints that were passed over."""

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
    seeds_from: Path | None = None,
    classes: str | None = None,
    mix: str | None = None,
    trunc: float = 0.0,
    keep_best: float = 1.0,
    stats: str = "running",
    latents: Path | None = None,
    direction: str | None = None,
    out: Path | None = None,
    format: Format = "grid",
    engine: EngineName = "torch",
    precision: Precision = "auto",
    device: str = "auto",
) -> SampleResult:
    """Draw pictures and write them.

    source: a run, a checkpoint or a generator file.  n: how many, seeds 0 to n-1; `seeds` such as '0-63' or '3,7,20-29'
    names them instead, `seeds_from` names a list of them (`workflows.seeds`), with classes and truncations of their own.
    classes: names or numbers, 'cat,dog', or 'all'; pictures are shared out among them in order, a grid gets one row each.
    mix: one mixture of classes for all pictures, 'cat:2,dog:1'.  trunc: latents beyond this bound are drawn again; 0 for none.
    keep_best: the share that is kept, by the discriminator's logit, of n / keep_best pictures, or of the named ones; beside
    the pictures a list is written, by which `seeds_from` redraws them.  stats: of the batch norms, see `workflows.standing`.
    latents: a file of latents to draw in place of seeds, as `sagan project` writes.  direction: 'FILE:INDEX:STRENGTH', what to
    add to every latent, or several of them with commas between; see `workflows.directions`.
    out: a PNG file for a grid, a folder for single PNGs, an npz file for arrays (pictures, seeds, labels). Single PNGs and
    arrays have the generator's channels: grey, RGB, or RGB with alpha. A seed named twice is drawn twice, save that single
    PNGs each need a name of their own.
    engine, precision: what computes, see `engines.choose`.  device: where, as in `sagan train --device`.
    Raises ConfigError, CheckpointError's children, ResourceError.
    """
    if format != "png":
        need_suffix(out, ".npz" if format == "npz" else ".png", "an array" if format == "npz" else "a grid")
    _refuse_both(seeds=seeds, seeds_from=seeds_from, latents=latents)
    _refuse_both(classes=classes, mix=mix)
    policy = read_statistics(stats)
    candidates = drawn_for(n, keep_best)  # refuses a share that is none
    if latents is not None and keep_best < 1:
        raise ConfigError("keep-best chooses among seeds, not among latents", remedy="Leave out one of them.")
    runtime = engine_runtime(engine, device)
    opened, judged_by = _open(source, keep_best, runtime)
    names, generator = opened.classes, opened.generator
    moved_by, notes = (None, []) if direction is None else read_direction(direction, generator)
    if latents is not None:
        found, more = read_latents(latents, opened)
        picks, notes = pick_given(found, classes, names), [*notes, *more]
    elif seeds_from is not None:
        picks = pick_liked(read_liked(seeds_from), classes, trunc, names)
    else:
        wanted = read_seeds(seeds) if seeds else range(require_count(candidates))
        picks = pick(wanted, classes, trunc, names)
    named = seeds is not None or seeds_from is not None or latents is not None
    kept = max(1, round(len(picks) * keep_best)) if named else n
    shares = None if mix is None else read_mix(mix, names)
    start = time.perf_counter()
    target = out or Path({"png": "samples", "npz": "samples.npz", "grid": "samples.png"}[format])
    mixed = None if shares is None else name_of_mix(shares, names)
    if format == "png":
        _single_paths(target, picks, names, mixed)  # refuses names that would be double
    elif format == "npz":
        _refuse_large_array(kept, generator.resolution, generator.channels)
    else:
        _refuse_large_grid(kept)
    if policy is not None:
        generator = with_standing_statistics(generator, policy, trunc)
    if shares is not None:
        generator = blend_classes(generator, shares[None])
    drawing = _Drawing(generator, open_engine(engine, generator, runtime, precision), picks, shares, moved_by)
    logits = None
    if judged_by is not None:
        logits = np.concatenate([_judge(judged_by, drawn, drawing, part) for part, drawn in drawing.chunks()])
        best = best_of(logits, drawing.labels, kept)
        drawing, logits = drawing.rows(best), logits[best]
    paths = [target]
    if format == "png":
        paths = _single_paths(target, drawing.picks, names, mixed)
        _write_singles(paths, drawing)
    elif format == "npz":
        write_atomic(target, _npz(drawing, logits))
    else:
        grid = _grid(_pictures(drawing), drawing.labels, names, by_class=classes is not None)
        write_picture(target, grid)
    warnings = [*opened.warnings, *notes]
    if logits is not None:
        listed = target / "seeds.txt" if format == "png" else target.with_suffix(".seeds.txt")
        options = {"trunc": f"{trunc:g}" if trunc else None, "mix": mix, "stats": stats, "direction": direction}
        _write_list(listed, drawing, logits, len(picks), names, options)
        paths = [*paths, listed]
        warnings.append(
            f"{kept:,} of {len(picks):,} pictures kept, by the discriminator's logit: those it takes most for real. They differ"
            " less from each other than the generator's usual ones, so no score of them is the generator's."
        )
    return SampleResult(paths, kept, time.perf_counter() - start, tuple(warnings))


def _refuse_both(**words: object) -> None:
    given = [name.replace("_", "-") for name, word in words.items() if word is not None]
    if len(given) > 1:
        raise ConfigError(f"{' and '.join(given)} are both given", remedy="Leave out one of them.")


def _open(source: str | Path, keep_best: float, runtime: Runtime) -> tuple[OpenGenerator, Discriminator | None]:
    """The generator, and its discriminator where pictures are to be judged."""
    if keep_best == 1:
        return open_generator(source, runtime=runtime), None
    opened, discriminator = open_both(source, runtime=runtime)
    if discriminator is None:
        raise ConfigError(
            "keep-best needs the discriminator, which is not in this file",
            where=source,
            remedy="Name the run's folder or a checkpoint of it, or leave out --keep-best.",
        )
    return opened, discriminator


@dataclass(frozen=True)
class _Drawing:
    """What is drawn, and what draws it.  shares: of the classes (K,), when all pictures are of one mixture.

    moved_by: (z_dim,), added to every latent.
    """

    generator: Generator
    engine: Engine
    picks: Picks
    shares: NDArray[np.float32] | None
    moved_by: NDArray[np.float32] | None = None

    @property
    def labels(self) -> NDArray[np.int64]:
        """(n,), for the generator that draws: a mixture is its only class."""
        return self.picks.labels if self.shares is None else np.zeros(len(self.picks), dtype=np.int64)

    def rows(self, places: NDArray[np.int64]) -> _Drawing:
        """Some of the pictures."""
        return replace(self, picks=self.picks.rows(places))

    def chunks(self) -> Iterator[tuple[slice, NDArray[np.uint8]]]:
        """Places among the pictures, and those that belong there; never more than CHUNK at once."""
        for first in range(0, len(self.picks), CHUNK):
            part = slice(first, first + CHUNK)
            latents = self.picks.latents(part, self.generator.z_dim)
            if self.moved_by is not None:
                latents = latents + self.moved_by
            yield part, paint(self.generator, latents, self.labels[part], engine=self.engine)


def _judge(
    discriminator: Discriminator, pictures: NDArray[np.uint8], drawing: _Drawing, part: slice
) -> NDArray[np.float64]:
    """The logits of the pictures of one chunk."""
    if drawing.shares is not None:
        return judge_mixed(discriminator, pictures, drawing.shares)
    return judge(discriminator, pictures, drawing.labels[part] if discriminator.classes else None)


def _write_list(
    path: Path,
    drawing: _Drawing,
    logits: NDArray[np.float64],
    drawn: int,
    names: Sequence[str],
    options: dict[str, str | None],
) -> None:
    """The list of what was kept."""
    said = "".join(f" --{name} {word}" for name, word in options.items() if word not in (None, "running"))
    remarks = [
        f"{len(drawing.picks)} of {drawn} pictures, each among the best of its class by the discriminator's logit",
        f"drawn again by sagan sample ... --seeds-from {path.name}{said}",
        "seed, class, truncation, logit",
    ]
    named = drawing.picks.named(names if drawing.shares is None else (), [f"{logit:.4f}" for logit in logits])
    write_atomic(path, write_liked(named, remarks).encode("utf-8"))


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
    pictures = np.empty((len(drawing.picks), side, side, channels), dtype=np.uint8)
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


def _single_paths(folder: Path, picks: Picks, names: Sequence[str], mixed: str | None) -> list[Path]:
    """One file a picture. mixed: the name of the mixture that all are of. Raises ConfigError when two would have the same."""
    words = [mixed or (names[label] if names else "") for label in picks.labels.tolist()]
    kind = "seed" if picks.given is None else "latent"
    paths = [folder / _name(kind, seed, word) for seed, word in zip(picks.seeds, words, strict=True)]
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


def _name(kind: str, seed: int, word: str) -> str:
    """seed-0000007.png, or seed-0000007-cat.png: the name says how to draw it again."""
    suffix = "-" + re.sub(r"[^\w]+", "_", word)[:40] if word else ""
    return f"{kind}-{seed:07d}{suffix}.png"


def _npz(drawing: _Drawing, logits: NDArray[np.float64] | None) -> bytes:
    """pictures, seeds or latents, labels (-1 in a mixture); truncations, mix and logits where there are any."""
    picks = drawing.picks
    arrays: dict[str, Any] = {"pictures": _pictures(drawing)}
    if picks.given is None:
        arrays["seeds"] = np.asarray(picks.seeds, dtype=np.int64)
    else:
        arrays["latents"] = picks.given
    arrays["labels"] = picks.labels if drawing.shares is None else np.full(len(picks), -1)
    if picks.truncations.any():
        arrays["truncations"] = picks.truncations
    if drawing.shares is not None:
        arrays["mix"] = drawing.shares
    if logits is not None:
        arrays["logits"] = logits
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()

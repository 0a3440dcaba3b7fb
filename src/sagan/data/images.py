"""A set of pictures ready for training: squares of one size, labels, and a fingerprint."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sagan.data.colour import parse_colour
from sagan.data.config import DataConfig
from sagan.data.faults import Fault, Skipped
from sagan.data.labels import drop_empty, used_labels
from sagan.data.layout import Listing
from sagan.data.policy import enforce, remarks
from sagan.data.scan import Progress, Recipe, Scan, read_pictures, scan
from sagan.data.sources import Source, open_source
from sagan.errors import DataError, ResourceError

EMBLEMS = "emblems"
EMBLEM_COUNT = 8192

Note = Callable[[str], None]


@dataclass(frozen=True)
class Facts:
    """The pictures before they were made square. sizes: (width, height) -> count.  modes: mode -> count."""

    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)


@dataclass(kw_only=True)
class ImageSet:
    """Square pictures with labels.

    classes: names, () when the set is used without labels.  labels: (n,) int64, zeros then.
    fingerprint: SHA-256 (hex) of the pictures' names, bytes and classes; the same wherever the set lies and however it
    is packed.  skipped: what was left out, with reasons.  names: one a picture.  notes: what a person should know.
    digests: (n, 32) uint8, SHA-256 of each picture's bytes.
    """

    name: str
    resolution: int
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    fingerprint: str
    digests: NDArray[np.uint8]
    skipped: list[Skipped] = field(default_factory=list)
    facts: Facts = field(default_factory=Facts)
    notes: list[str] = field(default_factory=list)
    threads: int = 2
    _pixels: NDArray[np.uint8] | None = None
    _source: Source | None = None
    _kept: NDArray[np.int64] | None = None
    _recipe: Recipe | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def in_memory(self) -> bool:
        """Whether the decoded pictures are all held in memory."""
        return self._pixels is not None

    def pictures(self, indices: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
        """indices: (k,) in 0..n-1, repeats allowed -> (k, R, R, 3) uint8, a fresh array that the caller may change.

        Raises DataError when a picture on the disk is gone or differs from what it was when the set was opened.
        """
        wanted = np.asarray(indices, dtype=np.int64)
        if self._pixels is not None:
            return np.take(self._pixels, wanted, axis=0)
        assert self._source is not None and self._kept is not None and self._recipe is not None
        found = read_pictures(self._source, self._kept[wanted].tolist(), self._recipe, self.threads)
        squares = np.empty((len(wanted), self.resolution, self.resolution, 3), dtype=np.uint8)
        for row, (index, outcome) in enumerate(zip(wanted.tolist(), found, strict=True)):
            fault = outcome if isinstance(outcome, Fault) else None
            if not isinstance(outcome, Fault):
                squares[row] = outcome.pixels
                if outcome.digest != self.digests[index].tobytes():
                    fault = Fault("broken", "is not the picture that it was")
            if fault is not None:
                raise DataError(
                    f"changed since the set was opened: now it {fault.text}",
                    where=self._source.path / self.names[index],
                    remedy="Put the picture back; or, if the change is meant, start a new run.",
                )
        return squares

    def close(self) -> None:
        """Give file handles back."""
        if self._source is not None:
            self._source.close()


def open_images(
    config: DataConfig,
    resolution: int,
    *,
    note: Note | None = None,
    threads: int = 2,
    progress: Progress | None = None,
) -> ImageSet:
    """Open the set that `config.data` names: a folder, zip, Parquet, npz or npy file, or `emblems`.

    resolution: side of the squares in pixels.  note: called with one line for each thing a person should know.
    threads: for decoding.  progress: called as progress(done, total) while the pictures are decoded.
    Every picture is decoded once here; the squares stay in memory while they fit into `config.cache_mib`.
    Raises DataError when there is no usable set, by the rules of `config.on_bad` and `config.max_bad`.
    """
    if config.data == EMBLEMS:
        return _open_emblems(config, resolution)
    source = open_source(Path(config.data))
    listing = source.listing
    classes, wanted, notes = used_labels(listing, config.cond, where=source.path)
    recipe = recipe_of(config, resolution)
    fits = len(wanted) * resolution**2 * 3 <= config.cache_mib * 2**20
    try:
        found = scan(
            source,
            wanted,
            recipe,
            keep_pixels=fits,
            stop_early=config.on_bad == "stop",
            threads=threads,
            progress=progress,
        )
    except MemoryError:
        raise ResourceError(
            f"{len(wanted):,} pictures of {resolution} px do not fit into memory",
            where=source.path,
            remedy="Lower --cache-mib: sets above it are decoded on demand.",
        ) from None
    found.skipped[:0] = listing.refused
    enforce(config, found, where=source.path)
    classes, labels = drop_empty(listing, classes, found.kept, notes, where=source.path)
    images = ImageSet(
        name=set_name(source.path),
        resolution=resolution,
        classes=classes,
        labels=labels,
        names=tuple(listing.names[index] for index in found.kept),
        fingerprint=fingerprint(listing, found),
        digests=found.digests,
        skipped=found.skipped,
        facts=Facts(found.sizes, found.modes),
        notes=[*listing.notes, *notes, *remarks(found, resolution)],
        threads=threads,
        _pixels=found.pixels,
        _source=None if fits else source,
        _kept=found.kept,
        _recipe=recipe,
    )
    if fits:
        source.close()
    elif source.slow_at_random:
        images.notes.append(
            "The set is larger than cache_mib, and single pictures are slow to reach in a Parquet file: "
            "raise --cache-mib, or unpack the pictures into a folder."
        )
    if note is not None:
        for line in images.notes:
            note(line)
    return images


def recipe_of(config: DataConfig, resolution: int) -> Recipe:
    """How this record makes its squares."""
    return Recipe(resolution, config.fit, parse_colour(config.background))


def set_name(path: Path) -> str:
    """'photos' for /data/photos, /data/photos.zip and so on: the set's part of a run's name."""
    path = path.expanduser().resolve()
    return (path.name if path.is_dir() else path.stem) or "pictures"


def fingerprint(listing: Listing, found: Scan) -> str:
    """SHA-256 over each usable picture's name, class and digest of bytes, in the order of names."""
    total = hashlib.sha256(b"sagan-set-1")
    rows = sorted(
        (listing.names[index].encode("utf-8", "surrogateescape"), row) for row, index in enumerate(found.kept)
    )
    for name, row in rows:
        label = int(listing.labels[found.kept[row]])
        kind = listing.classes[label] if label >= 0 else ""
        for part in (name, kind.encode("utf-8", "surrogateescape"), found.digests[row].tobytes()):
            total.update(len(part).to_bytes(8, "little") + part)
    return total.hexdigest()


def _open_emblems(config: DataConfig, resolution: int) -> ImageSet:
    from sagan.data.emblems import EMBLEM_CLASSES, render

    pixels, labels = render(np.arange(EMBLEM_COUNT), resolution)
    digests = np.stack([np.frombuffer(hashlib.sha256(one.tobytes()).digest(), dtype=np.uint8) for one in pixels])
    labelled = config.cond != "off"
    return ImageSet(
        name=EMBLEMS,
        resolution=resolution,
        classes=tuple(EMBLEM_CLASSES) if labelled else (),
        labels=labels if labelled else np.zeros_like(labels),
        names=tuple(f"emblem #{index}" for index in range(len(labels))),
        fingerprint=hashlib.sha256(pixels.tobytes() + labels.tobytes()).hexdigest(),
        digests=digests,
        facts=Facts(Counter({(resolution, resolution): len(labels)}), Counter({"RGB": len(labels)})),
        _pixels=pixels,
    )

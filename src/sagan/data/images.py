"""Open a set of pictures, whatever it lies in, and make it ready for training."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from sagan.data.colour import parse_colour
from sagan.data.config import DataConfig
from sagan.data.convert import to_channels
from sagan.data.found import Recipe, Scan
from sagan.data.image_set import Facts, ImageSet
from sagan.data.labels import drop_empty, used_labels
from sagan.data.layout import Listing
from sagan.data.pack.layout import PACK_SUFFIX
from sagan.data.policy import enforce, quarantine, refuse_balance, remarks
from sagan.data.scan import Progress, scan
from sagan.data.sources import open_source
from sagan.errors import ConfigError, ResourceError

__all__ = ["EMBLEMS", "EMBLEM_COUNT", "Facts", "ImageSet", "fingerprint", "open_images", "recipe_of", "set_name"]

EMBLEMS = "emblems"
EMBLEM_COUNT = 8192

Note = Callable[[str], None]


def open_images(
    config: DataConfig,
    resolution: int,
    *,
    channels: int = 3,
    note: Note | None = None,
    threads: int = 2,
    progress: Progress | None = None,
) -> ImageSet:
    """Open the set that `config.data` names: a folder, zip, tar, Parquet, npz or npy file, or `emblems`.

    resolution: side of the squares in pixels.  channels: 1 grey, 3 RGB, 4 RGB with alpha.
    note: called with one line for each thing a person should know.
    threads: for decoding.  progress: called as progress(done, total) while the pictures are decoded.
    Every picture is decoded once here; the squares stay in memory while they fit into `config.cache_mib`. Emblems have
    no transparency: with 4 channels their alpha is 255 everywhere; with 1 they are grey.
    With `config.on_bad` quarantine the others are moved away, once it is certain that the set is usable.
    Raises DataError when there is no usable set, by the rules of `config.on_bad` and `config.max_bad`; ConfigError for
    `config.balance` without classes and for another number of channels.
    """
    recipe = recipe_of(config, resolution, channels)
    if config.data == EMBLEMS:
        return _open_emblems(config, recipe)
    source = open_source(Path(config.data))
    listing = source.listing
    classes, wanted, notes = used_labels(listing, config.cond, where=source.path)
    refuse_balance(config, classes, where=source.path)
    fits = len(wanted) * resolution**2 * channels <= config.cache_mib * 2**20
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
            f"memory ran out while {len(wanted):,} pictures were made {resolution} px large",
            where=source.path,
            remedy="Close other programs, or lower --cache-mib: sets above it are decoded on demand.",
        ) from None
    found.skipped[:0] = listing.refused
    enforce(config, found.skipped, len(found.kept), where=source.path)
    classes, labels = drop_empty(listing, classes, found.kept, notes, where=source.path)
    moved, told = quarantine(config, source, found)
    images = ImageSet(
        name=set_name(source.path),
        resolution=resolution,
        channels=channels,
        classes=classes,
        labels=labels,
        names=tuple(listing.names[index] for index in found.kept),
        fingerprint=fingerprint(listing, found),
        digests=found.digests,
        skipped=found.skipped,
        moved=moved,
        facts=Facts(found.sizes, found.modes),
        notes=[*listing.notes, *notes, *remarks(found, resolution), *told],
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


def recipe_of(config: DataConfig, resolution: int, channels: int = 3) -> Recipe:
    """How this record makes its squares. Raises ConfigError for another number of channels."""
    if channels not in (1, 3, 4):
        raise ConfigError(f"channels is {channels}", remedy="Choose 1 (grey), 3 (RGB) or 4 (RGB with transparency).")
    return Recipe(resolution, config.fit, parse_colour(config.background), channels)


def set_name(path: Path) -> str:
    """'photos' for /data/photos, /data/photos.zip, /data/photos.pack and so on: the set's part of a run's name."""
    path = path.expanduser().resolve()
    name = path.name.removesuffix(PACK_SUFFIX) if path.is_dir() else path.stem.removesuffix(".tar")
    return name or "pictures"


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


def _open_emblems(config: DataConfig, recipe: Recipe) -> ImageSet:
    from sagan.data.emblems import EMBLEM_CLASSES, render

    classes = () if config.cond == "off" else tuple(EMBLEM_CLASSES)
    refuse_balance(config, classes, where=EMBLEMS)
    drawn, labels = render(np.arange(EMBLEM_COUNT), recipe.side)
    digests = np.stack([np.frombuffer(hashlib.sha256(one.tobytes()).digest(), dtype=np.uint8) for one in drawn])
    pixels = drawn
    if recipe.channels != 3:  # as one tall picture, so that the conversion is the same as that of files
        tall, _ = to_channels(Image.fromarray(drawn.reshape(-1, recipe.side, 3)), recipe.channels, recipe.background)
        pixels = np.array(tall).reshape(*drawn.shape[:3], recipe.channels)
    return ImageSet(
        name=EMBLEMS,
        resolution=recipe.side,
        channels=recipe.channels,
        classes=classes,
        labels=labels if classes else np.zeros_like(labels),
        names=tuple(f"emblem #{index}" for index in range(len(labels))),
        fingerprint=hashlib.sha256(drawn.tobytes() + labels.tobytes()).hexdigest(),
        digests=digests,
        facts=Facts(Counter({(recipe.side, recipe.side): len(labels)}), Counter({"RGB": len(labels)})),
        _pixels=pixels,
    )

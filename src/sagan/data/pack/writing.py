"""From any source to a pack: every picture decoded once, shard by shard.

A shard's pixels are on the disk before its index is, and an index is what makes a shard count. While one is written, the
next is decoded: waiting for the disk costs nothing. Whoever dies at any moment loses these two at most, and the same call goes
on after the last whole one.
"""

from __future__ import annotations

import hashlib
import shutil
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sagan.data.faults import Fault, Skipped
from sagan.data.found import Recipe
from sagan.data.pack.layout import (
    BEGUN,
    DONE,
    Contents,
    Entry,
    Index,
    Making,
    file_digest,
    index_bytes,
    index_file,
    making,
    pixel_file,
    read_contents,
    read_index,
    read_making,
)
from sagan.data.policy import stopped_at
from sagan.data.scan import CHUNK, Progress, prepared
from sagan.data.sources import Source
from sagan.disk import DISK, Disk, FolderLock, disk_errors, ensure_folder, sweep, write_atomic
from sagan.errors import ConfigError, DataError, ResourceError


@dataclass
class Packed:
    """What packing came to. kept: usable pictures.  skipped: the others.  found: shards that were there already.

    size: bytes of all squares.
    """

    folder: Path
    made: Making
    kept: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    found: int = 0

    @property
    def size(self) -> int:
        return self.kept * self.made.picture_bytes


def write_pack(
    source: Source,
    recipe: Recipe,
    folder: Path,
    *,
    name: str,
    stop_early: bool = False,
    threads: int = 2,
    progress: Progress | None = None,
    disk: Disk = DISK,
) -> Packed:
    """Make `folder` hold the shards of a pack of the whole source, those that it lacks; `finish` makes it one.

    name: of the set, for runs.  stop_early: DataError at the first picture that cannot be used.
    Raises ConfigError when the folder holds something else; BusyError; ResourceError, also before anything is written
    when the disk has not enough room for the squares.
    """
    wanted = making(source.listing, recipe, name)
    told = progress or (lambda done, total: None)
    _refuse_other(folder, wanted)
    result = Packed(folder, wanted)
    with FolderLock(folder, disk):
        if (folder / DONE).is_file():
            return _count(result)
        sweep(folder, disk)
        ensure_folder(folder, disk)
        _need_room(folder, wanted)
        write_atomic(folder / BEGUN, wanted.model_dump_json(indent=2).encode(), disk)
        with ThreadPoolExecutor(1) as writer:
            written: Future[None] | None = None
            for shard in range(wanted.shards):
                span = wanted.span(shard)
                index = _whole_shard(folder, shard, wanted)
                if index is None:
                    pixels, index = _make_shard(source, span, recipe, threads, stop_early, told)
                    if written is not None:
                        written.result()  # one at a time, so that memory holds two; its fault ends the packing
                    written = writer.submit(_store, folder, shard, pixels, index, disk)
                else:
                    result.found += 1
                told(span.stop, wanted.pictures)
                result.kept += int(index.kept.sum())
                result.skipped += index.skipped
            if written is not None:
                written.result()
    return result


def finish(packed: Packed, source: Source, disk: Disk = DISK) -> None:
    """Make a folder with all shards a pack, by writing pack.json; nothing for one that is a pack already.

    Call it when the set was found usable.
    """
    folder, made, listing = packed.folder, packed.made, source.listing
    with FolderLock(folder, disk):
        if (folder / DONE).is_file():
            return
        entries = []
        for shard in range(made.shards):
            index, digest = read_index(folder, shard, made.span(shard))
            entries.append(Entry(kept=int(index.kept.sum()), pixels=index.pixels, index=digest))
        contents = Contents(
            made=made,
            classes=listing.classes,
            notes=tuple(listing.notes),
            refused=tuple((one.where, one.reason_code, one.text) for one in listing.refused),
            empty_class_is_error=listing.empty_class_is_error,
            shards=tuple(entries),
        )
        write_atomic(folder / DONE, contents.model_dump_json(indent=2).encode(), disk)
        with disk_errors(folder):
            disk.remove(folder / BEGUN)


def _refuse_other(folder: Path, wanted: Making) -> None:
    """Raise ConfigError when the folder holds anything but a pack like the one that is wanted."""
    with disk_errors(folder):
        if folder.is_file():
            raise ConfigError("is a file, and a pack is a folder", where=folder, remedy="Choose another name.")
        names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    there = read_making(folder)
    if there is None:
        if any(not name.startswith(".") for name in names):
            raise ConfigError("holds other files already", where=folder, remedy="Choose a folder that is new or empty.")
        return
    unlike = [key for key, value in wanted.model_dump().items() if getattr(there, key) != value]
    if unlike:
        texts = {key: f"{key} {getattr(there, key)}, not {getattr(wanted, key)}" for key in unlike}
        texts |= {"listing": "other pictures or classes"} if "listing" in unlike else {}
        raise ConfigError(
            f"holds a pack of something else: {'; '.join(texts.values())}",
            where=folder,
            remedy="Choose another folder, or delete this one.",
        )


def _need_room(folder: Path, made: Making) -> None:
    with disk_errors(folder):
        free = shutil.disk_usage(folder).free
        there = sum(file.stat().st_size for file in folder.glob("*.pixels"))
    needed = made.pictures * made.picture_bytes - there
    if needed > free:
        raise ResourceError(
            f"the pack needs {needed / 2**30:.2f} GiB more, and {free / 2**30:.2f} GiB are free",
            where=folder,
            remedy="Free some space, choose a folder on another disk, or pack at a lower --resolution.",
        )


def _store(folder: Path, shard: int, pixels: bytes, index: Index, disk: Disk) -> None:
    write_atomic(pixel_file(folder, shard), pixels, disk)
    write_atomic(index_file(folder, shard), index_bytes(index), disk)


def _whole_shard(folder: Path, shard: int, made: Making) -> Index | None:
    """The index of a shard that was finished before, and whose pixels are as they were written; else None."""
    try:
        index, _ = read_index(folder, shard, made.span(shard))
    except DataError:
        return None
    if file_digest(pixel_file(folder, shard), int(index.kept.sum()) * made.picture_bytes) != index.pixels:
        return None
    return index


def _count(result: Packed) -> Packed:
    """The same of a pack that is finished."""
    contents = read_contents(result.folder)
    for shard in range(contents.made.shards):
        index, _ = read_index(result.folder, shard, contents.made.span(shard))
        result.kept += int(index.kept.sum())
        result.skipped += index.skipped
    result.found = contents.made.shards
    return result


def _make_shard(
    source: Source,
    span: range,
    recipe: Recipe,
    threads: int,
    stop_early: bool,
    progress: Progress,
) -> tuple[bytes, Index]:
    """Decode a stretch of the source -> its squares as bytes, and its index."""
    pixels, digests = bytearray(), bytearray()
    checksums, sizes, modes = list[int](), list[tuple[int, int]](), list[str]()
    transparent, grey, skipped = list[bool](), list[bool](), list[Skipped]()
    kept = np.zeros(len(span), dtype=np.bool_)
    names = source.listing.names[span.start : span.stop]
    for row, (_, outcome) in enumerate(prepared(source, np.arange(span.start, span.stop), recipe, threads)):
        if isinstance(outcome, Fault):
            skipped.append(Skipped(names[row], outcome.code, outcome.text))
            if stop_early:
                raise stopped_at(skipped[0], source.path)
        else:
            square = outcome.pixels.tobytes()
            kept[row] = True
            pixels += square
            digests += outcome.digest
            checksums.append(zlib.crc32(square))
            sizes.append(outcome.size)
            modes.append(outcome.mode)
            transparent.append(outcome.transparent)
            grey.append(outcome.grey)
        if (row + 1) % CHUNK == 0:
            progress(span.start + row + 1, len(source.listing.names))
    index = Index(
        names=names,
        labels=np.asarray(source.listing.labels[span.start : span.stop], dtype=np.int64),
        kept=kept,
        digests=np.frombuffer(bytes(digests), dtype=np.uint8).reshape(-1, 32),
        checksums=np.array(checksums, dtype=np.uint32),
        sizes=np.array(sizes, dtype=np.int64).reshape(-1, 2),
        modes=modes,
        transparent=np.array(transparent, dtype=np.bool_),
        grey=np.array(grey, dtype=np.bool_),
        skipped=skipped,
        pixels=hashlib.sha256(pixels).hexdigest(),
    )
    return bytes(pixels), index

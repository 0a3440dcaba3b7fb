"""Open a stream: list its shards, and look at some of its pictures, which stand for it wherever a set is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sagan.data.config import DataConfig, stream_name, stream_path
from sagan.data.decode import strict_pillow
from sagan.data.faults import Fault, Skipped
from sagan.data.found import Recipe, Scan
from sagan.data.image_set import Facts, ImageSet
from sagan.data.images import Note, open_images, recipe_of
from sagan.data.policy import enforce, remarks, stopped_at
from sagan.data.scan import Prepared, Progress
from sagan.data.stream.lane import Making
from sagan.data.stream.listing import Shards, StreamListing, list_stream
from sagan.data.stream.mixing import MOST_LANES, Mixing
from sagan.errors import ConfigError, DataError
from sagan.randomness import Stream, permutation

SAMPLE = 2048  # pictures that are looked at before training
SAMPLE_BYTES = 256 << 20  # but not more than these, decoded
FROM_A_PIECE = 128  # of them from one piece, so that they come from many
ENOUGH = 1000  # pictures seen before their share of bad ones is judged
MOST_NAMED = 10_000  # bad pictures that are remembered by name


@dataclass(kw_only=True)
class StreamedSet(ImageSet):
    """A stream. As an `ImageSet` it is its sample: some pictures from all over it, held in memory.

    listing: of all its pictures.  recipe: how they are made square.  limits: the record's policies about bad ones.
    seen, bad: pictures that this process looked at, and those of them that cannot be used.
    """

    listing: StreamListing
    recipe: Recipe
    limits: DataConfig
    seen: int = 0
    bad: int = 0

    @property
    def total(self) -> int:
        """Pictures in the whole stream."""
        return self.listing.pictures

    def class_counts(self) -> tuple[int, ...]:
        """Nobody has counted them."""
        return ()

    def where(self, index: int) -> Path | str:
        """The place of one picture of the stream, for messages."""
        return f"{self.listing.files.place}: {self.listing.name(index)}"

    def name_of(self, index: int) -> str:
        """A picture of the stream by its number, as batches have it."""
        return self.listing.name(index)

    def tally(self, seen: int, faults: Sequence[tuple[int, Fault]]) -> None:
        """Count pictures that were looked at. Raises DataError by the policies about bad ones."""
        self.seen += seen
        self.bad += len(faults)
        if not faults:
            return
        known = {one.where for one in self.skipped}
        for number, fault in faults:
            entry = Skipped(self.listing.name(number), fault.code, fault.text)
            if self.limits.on_bad == "stop":
                raise stopped_at(entry, self.listing.files.place)
            if entry.where not in known and len(self.skipped) < MOST_NAMED:
                self.skipped.append(entry)
        share = self.bad / self.seen
        if self.seen >= ENOUGH and share > self.limits.max_bad:
            last = self.skipped[-1]
            raise DataError(
                f"{self.bad:,} of the {self.seen:,} pictures seen so far ({share:.1%}) cannot be used, more than max_bad "
                f"{self.limits.max_bad:.1%}: {last.where} {last.text}",
                where=self.listing.files.place,
                remedy=f"{last.remedy} Or allow more with --max-bad.",
            )


def open_pictures(
    config: DataConfig,
    resolution: int,
    *,
    channels: int = 3,
    note: Note | None = None,
    threads: int = 2,
    progress: Progress | None = None,
    listed: Progress | None = None,
) -> ImageSet:
    """What training can train on: `open_images`, or a stream. listed: called as listed(shards done, shards)."""
    if stream_path(config.data) is None:
        return open_images(config, resolution, channels=channels, note=note, threads=threads, progress=progress)
    return open_stream(config, resolution, channels=channels, note=note, threads=threads, listed=listed)


def open_stream(
    config: DataConfig,
    resolution: int,
    *,
    channels: int = 3,
    note: Note | None = None,
    threads: int = 2,
    listed: Progress | None = None,
) -> StreamedSet:
    """Open the stream that `config.data` names. Arguments: see `open_images`.

    Raises DataError when there is no usable stream, by the rules of `config.on_bad` and `config.max_bad` over the sample;
    ConfigError for what a stream cannot do; PeerError when its place does not answer.
    """
    recipe = recipe_of(config, resolution, channels)
    if config.balance:
        raise ConfigError(
            "balance is on, and nobody has counted the classes of a stream",
            where=config.data,
            remedy="Leave out --balance; or train from files.",
        )
    listing = list_stream(config.data, listed)
    classes, notes = _used_classes(listing, config)
    found, labels = _sample(listing, recipe, bool(classes))
    enforce(config, found.skipped, len(found.kept), where=listing.files.place)
    if config.on_bad == "quarantine":
        notes.append("Nothing can be moved out of shards: pictures that cannot be used are left out.")
    assert found.pixels is not None
    images = StreamedSet(
        name=stream_name(listing.files.place),
        resolution=resolution,
        channels=channels,
        classes=classes,
        labels=labels,
        names=tuple(listing.name(index) for index in found.kept.tolist()),
        fingerprint=listing.fingerprint,
        digests=found.digests,
        skipped=found.skipped,
        facts=Facts(found.sizes, found.modes),
        notes=[*listing.files.notes, *notes, *_remarks(found, listing, config, resolution)],
        threads=threads,
        _pixels=found.pixels,
        listing=listing,
        recipe=recipe,
        limits=config,
        seen=len(found.kept) + len(found.skipped),
        bad=len(found.skipped),
    )
    if note is not None:
        for line in images.notes:
            note(line)
    return images


def stream_memory(images: StreamedSet, mixing: Mixing) -> int:
    """Bytes that reading a stream holds, in all processes together: two windows a lane, and a piece of each."""
    square = images.resolution**2 * images.channels
    piece = int(images.listing.sizes.max(initial=0)) if images.listing.files.kind != "tar" else 1 << 20
    return mixing.lanes * (2 * mixing.largest * square + piece)


def _used_classes(listing: StreamListing, config: DataConfig) -> tuple[tuple[str, ...], list[str]]:
    """By `cond`: auto takes labels where there are two or more."""
    if config.cond == "off" or (config.cond == "auto" and len(listing.classes) < 2):
        return (), []
    if not listing.classes:
        raise DataError(
            "has no classes",
            where=listing.files.place,
            remedy="Give the shards a label column, or .cls members; or train without, by --cond off.",
        )
    return listing.classes, []


def _sample(listing: StreamListing, recipe: Recipe, conditional: bool) -> tuple[Scan, NDArray[np.int64]]:
    """Some pictures of a stream, always the same, in the order of their numbers -> (as a scan finds them, their labels)."""
    most = max(1, min(SAMPLE, SAMPLE_BYTES // (recipe.side**2 * recipe.channels), listing.pictures))
    order = permutation(0, Stream.ORDER, 0, len(listing.rows))
    each = max(FROM_A_PIECE, -(-most // len(order)))
    making = Making(listing, recipe, conditional)
    shards, wanted = Shards(listing), list[tuple[int, int]]()
    for piece in order.tolist():
        count = min(each, int(listing.rows[piece]), most - sum(rows for _, rows in wanted))
        if count > 0:
            wanted.append((piece, count))
    good: list[tuple[int, Prepared, int]] = []
    found = Scan(np.empty(0, dtype=np.int64), None, np.empty((0, 32), dtype=np.uint8))
    try:
        with strict_pillow():
            for piece, count in sorted(wanted):
                for row, record in enumerate(shards.records(piece, 0, count)):
                    number = int(listing.starts[piece]) + row
                    outcome, label = making.prepared(record)
                    if isinstance(outcome, Fault):
                        found.skipped.append(Skipped(listing.name(number), outcome.code, outcome.text))
                    else:
                        good.append((number, outcome, label))
    finally:
        shards.close()
    shape = (len(good), recipe.side, recipe.side, recipe.channels)
    found.pixels = np.concatenate([one.pixels[None] for _, one, _ in good]) if good else np.empty(shape, dtype=np.uint8)
    found.kept = np.array([number for number, _, _ in good], dtype=np.int64)
    found.digests = np.frombuffer(b"".join(one.digest for _, one, _ in good), dtype=np.uint8).reshape(-1, 32)
    for _, one, _ in good:
        found.sizes[one.size] += 1
        found.modes[one.mode] += 1
        found.enlarged += min(one.size) < recipe.side
    return found, np.array([label for _, _, label in good], dtype=np.int64)


def _remarks(found: Scan, listing: StreamListing, config: DataConfig, resolution: int) -> list[str]:
    """What a person should know about the stream."""
    pieces, shards = len(listing.rows), len(listing.files.shards)
    lines = [
        f"A stream of {listing.pictures:,} pictures in {shards:,} {listing.files.kind} shards ({pieces:,} pieces): "
        f"about {config.shuffle_window:,} at a time are mixed with each other, so its order is less random than that of files."
    ]
    if pieces < MOST_LANES and listing.pictures > config.shuffle_window:
        lines.append(f"{pieces} pieces are few to mix: smaller row groups, batches or shards mix better.")
    told = remarks(found, resolution)
    share = f"Of {len(found.kept):,} pictures that were looked at: "
    lines += [share + line for line in told if "are enlarged" in line or "cannot be used" in line]
    return lines

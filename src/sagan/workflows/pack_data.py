"""Decode a set once and for all: the verb `sagan data pack`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sagan.data.config import DataConfig
from sagan.data.images import EMBLEMS, recipe_of, set_name
from sagan.data.pack.layout import PACK_SUFFIX
from sagan.data.pack.reading import PackSource
from sagan.data.pack.writing import finish, write_pack
from sagan.data.policy import enforce
from sagan.data.sources import open_source
from sagan.errors import ConfigError
from sagan.runtime import available_cores

Tell = Callable[[str, int, int], None]
RESOLUTION = 32


@dataclass(frozen=True)
class PackResult:
    """rows: facts as (name, value).  bad: what was left out, with reasons.  path: the pack."""

    rows: list[tuple[str, str]]
    bad: list[str]
    path: Path


def pack_data(
    data: DataConfig,
    resolution: int | None = None,
    out: Path | None = None,
    *,
    channels: int = 3,
    tell: Tell = lambda what, done, total: None,
) -> PackResult:
    """Decode every picture, make it square, and keep the squares in a folder that training reads without decoding.

    resolution: side of the squares, 32 when None.  out: the folder, NAME-RESOLUTION.pack here when None.
    Goes on where it was broken off, and does nothing when all is done. Of `data` the options count by which squares are made,
    and the rules about pictures that cannot be used; classes are kept as they are, for `--cond` to choose later.
    Raises DataError for a set that training could not use; ConfigError, BusyError, ResourceError as `write_pack` does.
    """
    if data.data == EMBLEMS:
        raise ConfigError("the built-in set is drawn anew within seconds", remedy="Name pictures of your own to pack.")
    if data.on_bad == "quarantine":
        raise ConfigError("packing moves no picture away", remedy="Use --on-bad skip or stop.")
    side = resolution or RESOLUTION
    recipe = recipe_of(data, side, channels)
    start = time.perf_counter()
    source = open_source(Path(data.data))
    try:
        if isinstance(source, PackSource):
            raise ConfigError("is a pack already", where=source.path, remedy="Name the pictures that it was made of.")
        name = set_name(source.path)
        folder = out or Path(f"{name}-{side}{PACK_SUFFIX}")
        packed = write_pack(
            source,
            recipe,
            folder,
            name=name,
            stop_early=data.on_bad == "stop",
            threads=available_cores(),
            progress=lambda done, total: tell("pictures packed", done, total),
        )
        skipped = [*source.listing.refused, *packed.skipped]
        enforce(data, skipped, packed.kept, where=source.path)
        finish(packed, source)
    finally:
        source.close()
    seconds = time.perf_counter() - start
    made = packed.made
    rows = [
        ("pictures", f"{packed.kept:,} of {made.pictures:,}, {side}x{side}, {channels} channels"),
        ("classes", f"{len(source.listing.classes)}" if source.listing.classes else "none"),
        ("shards", f"{made.shards:,}" + (f", {packed.found:,} of them from before" if packed.found else "")),
        ("size", f"{packed.size / 2**20:,.1f} MiB"),
        ("time", f"{seconds:.1f} s"),
        ("train", f"sagan train {folder}" + ("" if side == RESOLUTION else f" --resolution {side}")),
    ]
    return PackResult(rows, [f"{one.where}: {one.text} [{one.reason_code}]" for one in skipped], folder)

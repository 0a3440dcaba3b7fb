"""The shards of a stream: found by folder, pattern or address, and opened for reading."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple

from sagan.data.config import stream_path
from sagan.data.layout import is_junk
from sagan.data.sources.base import Handles
from sagan.data.sources.parquet import training_shards
from sagan.errors import DataError, ResourceError

KINDS = {"parquet": (".parquet", ".pq"), "arrow": (".arrow", ".feather", ".ipc"), "tar": (".tar",)}
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # two letters or more: C:/ is a drive
PATTERN = re.compile(r"[*?\[]")
RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
MOST_SHARDS = 1_000_000
GIVE = "Give a folder, pattern or address of .parquet, .arrow or .tar files: stream:shards/ or 'stream:s3://set/*.parquet'."


class Shard(NamedTuple):
    """One file. name: below the place that was given, so that a copy of the set has the same.  size: bytes."""

    name: str
    path: str
    size: int


class Files:
    """The shards of one stream, in the order of their names.

    place: as it was typed, without `stream:`.  kind: parquet, arrow or tar.  remote: whether they lie behind an address.
    May be sent to another process, and survives a fork: each process opens its own.
    """

    def __init__(self, place: str, kind: str, shards: Sequence[Shard], notes: Sequence[str] = ()) -> None:
        self.place, self.kind, self.shards, self.notes = place, kind, tuple(shards), tuple(notes)
        self.remote = is_address(place)
        self._systems = Handles()

    def open(self, shard: int) -> BinaryIO:
        """A shard from its beginning, for reading. Raises OSError, and what the library of an address raises."""
        path = self.shards[shard].path
        if not self.remote:
            return open(path, "rb")
        system = self._systems.get_or_open(lambda: _System(self.place)).system
        return system.open(path, "rb")

    def where(self, shard: int) -> str:
        """The place of a shard, for messages."""
        return self.shards[shard].path


class _System:
    """A file system of fsspec. Closing it is its own business."""

    def __init__(self, place: str) -> None:
        self.system = _system_of(place)

    def close(self) -> None:
        """See Handles."""


def is_address(place: str) -> bool:
    """Whether it is one for fsspec, such as s3://bucket/photos."""
    return ADDRESS.match(place) is not None


def find_files(data: str) -> Files:
    """The shards that `data` ("stream:...") names. Raises DataError, ConfigError, ResourceError."""
    place = stream_path(data)
    if not place:
        raise DataError("names no shards", where=data, remedy=GIVE)
    found = _remote(place) if is_address(place) else _local(place)
    found = [shard for shard in found if not is_junk(shard.name)]
    for kind, suffixes in KINDS.items():
        of_kind = sorted((shard for shard in found if shard.name.lower().endswith(suffixes)), key=lambda one: one.name)
        if of_kind:
            return _chosen(place, kind, of_kind, len(found) - len(of_kind))
    packed = next((shard.name for shard in found if ".tar." in shard.name or shard.name.endswith(".tgz")), None)
    if packed:
        raise DataError(
            f"{packed} is a packed tar, in which nothing can be found without unpacking all before it",
            where=place,
            remedy="Unpack the outer layer only (gunzip, bunzip2, unxz): pictures are packed already.",
        )
    raise DataError(f"holds no shard ({len(found):,} files of other kinds)", where=place, remedy=GIVE)


def _chosen(place: str, kind: str, shards: list[Shard], others: int) -> Files:
    notes = [f"{others:,} files beside the .{kind} shards are not read."] if others else []
    if kind != "tar":
        kept, told = training_shards([Path(shard.name) for shard in shards])
        names = {str(PurePosixPath(path)) for path in kept}
        shards, notes = [shard for shard in shards if str(PurePosixPath(shard.name)) in names], notes + told
    if len(shards) > MOST_SHARDS:
        raise DataError(f"has {len(shards):,} shards, more than {MOST_SHARDS:,}", where=place, remedy="Join some.")
    return Files(place, kind, shards, notes)


def _local(place: str) -> list[Shard]:
    path = Path(place).expanduser()
    paths: list[Path]
    if path.is_dir():
        root = path
        paths = [Path(folder) / name for folder, _, names in os.walk(path) for name in names]
    elif not path.exists() and (PATTERN.search(place) or RANGE.search(place)):
        paths = [Path(one) for part in expand(str(path)) for one in _matches(part)]
        root = Path(os.path.commonpath([one.parent for one in paths])) if paths else path
    else:
        root, paths = path.parent, [path]
    try:
        found = [(one, one.stat()) for one in dict.fromkeys(paths)]
    except FileNotFoundError as error:
        raise DataError("does not exist", where=error.filename or place, remedy=GIVE) from None
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", where=error.filename or place, remedy=GIVE) from None
    whole = [(one, about) for one, about in found if stat.S_ISREG(about.st_mode)]  # opening a pipe would wait for ever
    return [Shard(one.relative_to(root).as_posix(), str(one), about.st_size) for one, about in whole]


def _matches(pattern: str) -> list[str]:
    return sorted(glob.glob(pattern, recursive=True)) if PATTERN.search(pattern) else [pattern]


def expand(words: str) -> list[str]:
    """'shard-{000..002}.tar' -> the three names, as WebDataset's users write them; other words as they are."""
    found = RANGE.search(words)
    if found is None:
        return [words]
    first, last = int(found[1]), int(found[2])
    if not 0 <= last - first < MOST_SHARDS:
        raise DataError(f"{found[0]} is not a range of shards", where=words, remedy="Write it like {000..127}.")
    width = len(found[1])
    whole = (f"{words[: found.start()]}{number:0{width}d}{words[found.end() :]}" for number in range(first, last + 1))
    return [name for one in whole for name in expand(one)]


def _remote(place: str) -> list[Shard]:
    def look() -> list[Shard]:
        system = _system_of(place)
        wanted = [system._strip_protocol(one) for one in expand(place)]
        paths: dict[str, Any] = {}
        for one in wanted:
            if PATTERN.search(one):
                paths |= system.glob(one, detail=True)
            else:
                about = system.info(one)
                below = system.find(one, detail=True) if about.get("type") == "directory" else {one: about}
                paths |= below
        files = {path: about for path, about in paths.items() if about.get("type", "file") == "file"}
        shared = _shared_folders([path.split("/")[:-1] for path in files])
        return [
            Shard("/".join(path.split("/")[shared:]), path, int(about.get("size") or 0))
            for path, about in files.items()
        ]

    return guarded(look, place)


def _shared_folders(paths: list[list[str]]) -> int:
    """How many folders all of the paths begin with. `os.path.commonpath` would take the // out of an address."""
    return sum(1 for _ in takewhile(lambda parts: len(set(parts)) == 1, zip(*paths, strict=False)))


def guarded(work: Callable[[], Any], place: str) -> Any:
    """What `work()` returns; whatever a file system's library raises is a DataError of one line."""
    try:
        return work()
    except (DataError, ResourceError):
        raise
    except ImportError as error:
        raise _needs(error, place) from None
    except Exception as error:  # each library has errors of its own
        raise DataError(f"cannot be reached ({reason(error)})", where=place, remedy="Check the address.") from None


def reason(error: BaseException) -> str:
    """An error's text in a few words."""
    return " ".join(str(error).split())[:120] or type(error).__name__


def _system_of(place: str) -> Any:
    """The file system of an address."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise _needs(error, place) from None
    try:
        return url_to_fs(expand(place)[0])[0]
    except ImportError as error:
        raise _needs(error, place) from None


def _needs(error: ImportError, place: str) -> ResourceError:
    return ResourceError(
        f"reading it needs a package that is not installed ({reason(error)})",
        where=place,
        remedy="Install the extra: pip install 'sagan-torch[stream]'; for s3:// also s3fs, for gs:// gcsfs.",
    )

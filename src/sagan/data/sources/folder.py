"""A folder of pictures."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from sagan.data.decode import MAX_BYTES, SUFFIXES
from sagan.data.faults import Skipped, Unreadable
from sagan.data.label_file import list_pictures
from sagan.data.layout import count_suffixes, is_junk
from sagan.data.sources.base import Payload
from sagan.errors import ResourceError

MAX_DEPTH = 64
# O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
READ_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


@dataclass
class Walk:
    """What lies below a folder: relative names with forward slashes."""

    pictures: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    refused: list[Skipped] = field(default_factory=list)


def walk(root: Path) -> Walk:
    """List a folder and all below it. Links are followed, a link to a folder above itself is not."""
    found = Walk()
    _walk_into(root, "", (), found)
    return found


def read_regular(path: Path) -> bytes:
    """The bytes of an ordinary file. Never waits on a pipe or device. Raises Unreadable."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # asked first: opening some devices already does something
            raise Unreadable("not-a-file", "is not an ordinary file")
        handle = os.open(path, READ_FLAGS)
    except (OSError, ValueError) as error:
        raise Unreadable("unreadable", f"cannot be opened ({_reason(error)})") from None
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise Unreadable("not-a-file", "is not an ordinary file")
        if facts.st_size > MAX_BYTES:
            raise Unreadable("too-large", f"has {facts.st_size / 2**20:.0f} MiB, more than {MAX_BYTES / 2**20:.0f}")
        with os.fdopen(os.dup(handle), "rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise Unreadable("unreadable", f"cannot be read ({_reason(error)})") from None
    finally:
        os.close(handle)


class FolderSource:
    """A folder of pictures, walked once."""

    slow_at_random = False

    def __init__(self, path: Path, found: Walk) -> None:
        self.path = path
        self.listing, others = list_pictures(
            path, found.pictures, found.folders, found.others, lambda name: read_regular(path / name)
        )
        self.listing.refused.extend(found.refused)
        if others:
            kinds = count_suffixes(others)
            self.listing.notes.append(f"{len(others)} files are no pictures by their name and are left alone: {kinds}.")

    def read(self, index: int) -> Payload:
        """See Source."""
        return read_regular(self.path / self.listing.names[index])

    def close(self) -> None:
        """Nothing is held open."""


def _walk_into(root: Path, inside: str, above: tuple[tuple[int, int], ...], found: Walk) -> None:
    try:
        facts = os.stat(root / inside)
        entries = sorted(os.scandir(root / inside), key=lambda entry: entry.name)
    except OSError as error:
        if not inside:
            raise ResourceError(
                f"cannot be read ({_reason(error)})", where=root, remedy="Check that you may read this folder."
            ) from None
        found.refused.append(Skipped(inside, "unreadable", f"folder cannot be read ({_reason(error)})"))
        return
    here = (facts.st_dev, facts.st_ino)
    # Windows may give inode 0 to everything: there only the depth guards against loops.
    if (facts.st_ino and here in above) or len(above) >= MAX_DEPTH:
        return
    if inside:
        found.folders.append(inside)
    for entry in entries:
        name = f"{inside}/{entry.name}" if inside else entry.name
        if is_junk(entry.name):
            continue
        if _is_folder(entry):
            _walk_into(root, name, (*above, here), found)
        elif PurePosixPath(entry.name).suffix.lower() in SUFFIXES:
            found.pictures.append(name)
        else:
            found.others.append(name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or type(error).__name__).lower()

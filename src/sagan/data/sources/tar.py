"""A tar of pictures, plain or packed with gzip, bzip2 or xz; read member by member and never unpacked to the disk.

A plain tar is read in place, wherever a picture lies in it. A packed one can only be unpacked from front to back: that is
done once, and the bytes of its pictures (as they are in their files, not decoded) are then held in memory.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from sagan.data.faults import Fault, Unreadable
from sagan.data.sources.archive import (
    COPY_AGAIN,
    UNPACK,
    Member,
    Sorted,
    fault_of_name,
    fault_of_size,
    list_archive,
    refuse_bomb,
    refuse_many,
)
from sagan.data.sources.base import Payload
from sagan.data.sources.tar_format import FILES, Forward, TarEntry, TarFault, read_entries
from sagan.errors import DataError, ResourceError

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz")
MAX_HELD = 2 * 2**30  # bytes of pictures out of a packed tar that are held in memory

PACKINGS: dict[bytes, Callable[[Any], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}

Place = tuple[int, int]  # (offset in the unpacked tar, size)


class TarSource:
    """A tar with pictures or class folders inside."""

    slow_at_random = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._held: dict[int, bytes] | None = None
        found, self._packed = self._pass()
        self.listing, self._places = list_archive(path, found, self._content)

    def read(self, index: int) -> Payload:
        """See Source."""
        return self._content(self._places[index])

    def close(self) -> None:
        """See Source. What a packed tar holds in memory goes too; it would be unpacked again if need be."""
        self._held = None

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_lock": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def _content(self, place: Place) -> bytes:
        offset, size = place
        data = self._held_at(offset) if self._packed else self._read_at(offset, size)
        if len(data) != size:
            raise Unreadable("truncated", "is no longer whole in the tar")
        return data

    def _held_at(self, offset: int) -> bytes:
        with self._lock:
            if self._held is None:
                self._pass()
            return (self._held or {}).get(offset, b"")

    def _read_at(self, offset: int, size: int) -> bytes:
        try:
            with self.path.open("rb") as stream:  # costs microseconds, and nothing is shared by threads or processes
                stream.seek(offset)
                return stream.read(size)
        except (OSError, ValueError) as error:
            raise Unreadable("unreadable", f"cannot be read out of the tar ({str(error)[:80]})") from None

    def _pass(self) -> tuple[Sorted, bool]:
        """List the members; of a packed tar, hold the pictures too. -> (the members, whether it is packed)."""
        found, held = Sorted(), dict[int, bytes]()
        most = 0
        try:
            size = self.path.stat().st_size
            with self.path.open("rb") as file:
                stream, packed = _unpacking(self.path, file, size)
                for number, entry in enumerate(read_entries(stream), start=1):
                    refuse_many(self.path, number)
                    wanted = found.add(_member(entry))
                    if packed and wanted:
                        most += entry.size
                        _refuse_to_hold(self.path, most)
                        held[entry.offset] = stream.read(entry.size)
        except (TarFault, EOFError, OSError, ValueError, lzma.LZMAError, zlib.error) as error:
            raise DataError(
                f"is not a whole tar file ({str(error)[:80]})", where=self.path, remedy=COPY_AGAIN
            ) from None
        except MemoryError:  # xz may ask for gigabytes before it gives a byte
            raise ResourceError("does not fit into memory", where=self.path, remedy=UNPACK) from None
        self._held = held
        return found, packed


def _unpacking(path: Path, file: BinaryIO, size: int) -> tuple[Forward, bool]:
    """By its first bytes, whatever it is called. -> (the stream of the tar itself, whether it is packed)."""
    start = file.read(6)
    file.seek(0)
    for magic, opener in PACKINGS.items():
        if start.startswith(magic):
            return Forward(opener(file), None, lambda position: refuse_bomb(path, position, size)), True
    return Forward(file, size, lambda position: None), False


def _refuse_to_hold(path: Path, count: int) -> None:
    if count > MAX_HELD:
        raise ResourceError(
            f"holds more than {MAX_HELD / 2**30:g} GiB of pictures, and a packed tar has to be held in memory",
            where=path,
            remedy="Unpack only the outer layer (gunzip, bunzip2 or unxz): a plain .tar is read in place.",
        )


def _member(entry: TarEntry) -> Member:
    return Member(entry.name.removeprefix("./"), (entry.offset, entry.size), entry.is_folder, _fault(entry))


def _fault(entry: TarEntry) -> Fault | None:
    name = fault_of_name(entry.name)
    if name is not None:
        return name
    if entry.sparse:
        return Fault("sparse", "is stored with holes (sparse)")
    if entry.kind not in FILES and not entry.is_folder:
        return Fault("not-a-file", "is a link" if entry.kind in b"12" else "is not an ordinary file")
    return fault_of_size(entry.size)

"""A zip of pictures, read entry by entry and never unpacked."""

from __future__ import annotations

import stat
import threading
import zipfile
from pathlib import Path

from sagan.data.decode import MAX_BYTES
from sagan.data.faults import Fault, Unreadable
from sagan.data.sources.archive import (
    COPY_AGAIN,
    Member,
    fault_of_name,
    fault_of_size,
    is_bomb,
    list_archive,
    refuse_bomb,
    sort_members,
)
from sagan.data.sources.base import Handles, Payload
from sagan.errors import DataError, RefusedError

COMPRESSION = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ORDINARY = (0, stat.S_IFREG, stat.S_IFDIR)  # 0: written by a system without such kinds


class ZipSource:
    """A zip with pictures or class folders inside."""

    slow_at_random = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handles = Handles()
        self._lock = threading.Lock()
        entries = self._archive().infolist()
        refuse_overlaps(path, entries)
        found = sort_members(path, map(_member, entries))
        refuse_bomb(path, sum(member.place.file_size for member in found.pictures.values()), path.stat().st_size)
        self.listing, self._entries = list_archive(path, found, self._inflate)

    def read(self, index: int) -> Payload:
        """See Source."""
        return self._inflate(self._entries[index])

    def _inflate(self, entry: zipfile.ZipInfo) -> bytes:
        archive = self._archive()
        try:
            with archive.open(entry) as stream:
                data = stream.read(MAX_BYTES + 1)  # the real bytes are counted too: the header may lie
        except Exception as error:  # a damaged entry lets out anything (zlib.error, struct.error, ValueError, ...)
            raise Unreadable("broken", f"cannot be taken out of the zip ({str(error)[:80]})") from None
        if len(data) > MAX_BYTES:
            raise Unreadable("too-large", f"inflates to more than {MAX_BYTES / 2**20:.0f} MiB")
        return data

    def close(self) -> None:
        """See Source."""
        self._handles.close()

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_lock": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def _archive(self) -> zipfile.ZipFile:
        """This process's own handle; ZipFile itself serialises reads from several threads."""
        with self._lock:
            return self._handles.get_or_open(lambda: open_zip(self.path))


def open_zip(path: Path) -> zipfile.ZipFile:
    """The list of entries, read. Raises DataError for what is no whole zip."""
    try:
        return zipfile.ZipFile(path)
    except Exception as error:  # a damaged directory lets out anything (struct.error, UnicodeDecodeError, ...)
        raise DataError(f"is not a whole zip file ({str(error)[:80]})", where=path, remedy=COPY_AGAIN) from None


def refuse_overlaps(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    """Raise RefusedError for entries that share packed bytes (one kilobyte shown a million times)."""
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            raise RefusedError(
                f"entry {entry.filename!r} overlaps another one, as zip bombs do",
                where=path,
                remedy="Make the archive again with an ordinary tool.",
            )
        end = entry.header_offset + entry.compress_size


def _member(entry: zipfile.ZipInfo) -> Member:
    # Not entry.is_dir(): Python before 3.12 looks at the last letter of a name that has none.
    return Member(entry.filename.removeprefix("./"), entry, entry.filename.endswith("/"), _fault(entry))


def _fault(entry: zipfile.ZipInfo) -> Fault | None:
    name = fault_of_name(entry.filename) or fault_of_name(entry.orig_filename.partition("\0")[0])
    if name is not None:
        return name
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in ORDINARY:
        return Fault("not-a-file", "is a link" if kind == stat.S_IFLNK else "is not an ordinary file")
    if entry.flag_bits & 0x1:
        return Fault("encrypted", "is encrypted")
    if entry.compress_type not in COMPRESSION:
        return Fault("compression", "is compressed in an unusual way")
    if is_bomb(entry.file_size, entry.compress_size):
        return Fault("bomb", f"claims {entry.file_size / 2**20:.0f} MiB from {entry.compress_size:,} bytes")
    return fault_of_size(entry.file_size)

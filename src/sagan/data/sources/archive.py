"""A zip of pictures, read entry by entry and never unpacked."""

from __future__ import annotations

import stat
import threading
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from sagan.data.decode import MAX_BYTES, SUFFIXES
from sagan.data.faults import Skipped, Unreadable
from sagan.data.label_file import LABEL_FILE, list_pictures
from sagan.data.layout import count_suffixes, is_junk
from sagan.data.sources.base import Handles, Payload
from sagan.errors import DataError, RefusedError

MAX_ENTRIES = 5_000_000
COMPRESSION = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class ZipSource:
    """A zip with pictures or class folders inside."""

    slow_at_random = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handles = Handles()
        self._lock = threading.Lock()
        entries = self._archive().infolist()
        _refuse_bombs(path, entries)
        pictures, folders, refused, rest = _sort_entries(entries)
        self.listing, others = list_pictures(path, pictures, folders, rest, lambda name: self._inflate(rest[name]))
        self.listing.refused.extend(refused)
        if others:
            self.listing.notes.append(f"{len(others)} entries are no pictures by their name: {count_suffixes(others)}.")
        self._entries = [pictures[name] for name in self.listing.names]

    def read(self, index: int) -> Payload:
        """See Source."""
        return self._inflate(self._entries[index])

    def _inflate(self, entry: zipfile.ZipInfo) -> bytes:
        if entry.file_size > MAX_BYTES:
            raise Unreadable("too-large", f"has {entry.file_size / 2**20:.0f} MiB, more than {MAX_BYTES / 2**20:.0f}")
        try:
            with self._archive().open(entry) as stream:
                data = stream.read(MAX_BYTES + 1)  # the real bytes are counted too: the header may lie
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
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
            return self._handles.get_or_open(lambda: _open(self.path))


def _open(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise DataError(
            f"is not a whole zip file ({str(error)[:80]})", where=path, remedy="Copy or download it again."
        ) from None


def _refuse_bombs(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    """Too many entries, or entries that share compressed bytes (one kilobyte shown a million times)."""
    if len(entries) > MAX_ENTRIES:
        raise RefusedError(
            f"has {len(entries):,} entries, more than {MAX_ENTRIES:,}",
            where=path,
            remedy="Unpack it and name the folder.",
        )
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            raise RefusedError(
                f"entry {entry.filename!r} overlaps another one, as zip bombs do",
                where=path,
                remedy="Make the archive again with an ordinary tool.",
            )
        end = entry.header_offset + entry.compress_size


def _sort_entries(
    entries: list[zipfile.ZipInfo],
) -> tuple[dict[str, zipfile.ZipInfo], list[str], list[Skipped], dict[str, zipfile.ZipInfo]]:
    """-> (pictures by name, folders, refused pictures, the rest by name)."""
    pictures: dict[str, zipfile.ZipInfo] = {}
    others: dict[str, zipfile.ZipInfo] = {}
    folders, refused = [], []
    for entry in entries:
        name = entry.filename.removeprefix("./")
        if is_junk(name.rstrip("/")):
            continue
        picture = PurePosixPath(name).suffix.lower() in SUFFIXES and not entry.is_dir()
        fault = _fault(entry, name in pictures)
        if fault is not None and picture:
            refused.append(Skipped(name, *fault))
        elif (
            fault is not None and PurePosixPath(name).name != LABEL_FILE
        ):  # which would be missed: its reader complains
            continue
        elif entry.is_dir():
            folders.append(name.rstrip("/"))
        elif picture:
            pictures[name] = entry
        else:
            others.setdefault(name, entry)
    return pictures, folders, refused, others


def _fault(entry: zipfile.ZipInfo, seen: bool) -> tuple[str, str] | None:
    """Why an entry is not read, as (code, text). Nothing is ever written by its name, yet such names mean no good."""
    name = entry.filename
    if name.startswith("/") or "\\" in entry.orig_filename or ":" in name.split("/")[0] or ".." in name.split("/"):
        return "unsafe-name", "has a name that points outside the archive"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "not-a-file", "is a link"
    if entry.flag_bits & 0x1:
        return "encrypted", "is encrypted"
    if entry.compress_type not in COMPRESSION:
        return "compression", "is compressed in an unusual way"
    if seen:
        return "duplicate-name", "has the name of an earlier entry"
    return None

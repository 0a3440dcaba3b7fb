"""What zips and tars have in common: which of their members are pictures, which are refused, and how much may come out.

An archive is never unpacked. Its members are listed and read one by one, under names that nothing is ever written by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from sagan.data.decode import MAX_BYTES, SUFFIXES
from sagan.data.faults import Fault, Skipped, Unreadable
from sagan.data.label_file import LABEL_FILE, list_pictures
from sagan.data.layout import Listing, count_suffixes, is_junk, parts_of
from sagan.data.sources.folder import MAX_DEPTH
from sagan.errors import DataError, RefusedError

MAX_ENTRIES = 5_000_000
# Pictures are packed already and hardly shrink again, so what unpacks to a multiple of this is made to fill a memory.
MAX_RATIO = 200
FREE_BYTES = 16 * 2**20  # this much may come out of the smallest file: a few flat BMP pictures are no bomb
NESTED = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz", ".7z", ".rar", ".zst")
UNPACK = "Unpack it once and name the folder."
COPY_AGAIN = "Copy or download it again."


@dataclass(frozen=True)
class Member:
    """One entry. name: as the archive has it, without './'.  place: where the archive's reader finds its bytes.

    fault: why it is not read; None for a folder or an ordinary file.
    """

    name: str
    place: Any
    folder: bool = False
    fault: Fault | None = None

    @property
    def is_picture(self) -> bool:
        """Whether its name is that of a picture."""
        return PurePosixPath(self.name).suffix.lower() in SUFFIXES and not self.folder

    @property
    def is_label_file(self) -> bool:
        """Whether its name is that of a label file."""
        return PurePosixPath(self.name).name == LABEL_FILE and not self.folder


@dataclass
class Sorted:
    """The members of an archive by what they are; the first of several with one name counts."""

    pictures: dict[str, Member] = field(default_factory=dict)
    others: dict[str, Member] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    refused: list[Skipped] = field(default_factory=list)

    def add(self, member: Member) -> bool:
        """Put a member where it belongs; whether its bytes may be asked for later."""
        if is_junk(member.name.rstrip("/")):
            return False
        fault = member.fault
        if fault is None and member.is_picture and member.name in self.pictures:
            fault = Fault("duplicate-name", "has the name of an earlier entry")
        if fault is not None and member.is_picture:
            self.refused.append(Skipped(member.name, fault.code, fault.text))
        elif fault is not None and not member.is_label_file:  # a label file would be missed: its reader complains
            return False
        elif member.folder:
            self.folders.append(member.name.rstrip("/"))
        elif member.is_picture:
            self.pictures[member.name] = member
            return True
        else:
            first = self.others.setdefault(member.name, member) is member
            return first and fault is None and member.is_label_file
        return False


def sort_members(path: Path, members: Iterable[Member]) -> Sorted:
    """Sort the members of the archive at `path`. Raises RefusedError when there are too many."""
    found = Sorted()
    for number, member in enumerate(members, start=1):
        refuse_many(path, number)
        found.add(member)
    return found


def list_archive(path: Path, found: Sorted, read: Callable[[Any], bytes]) -> tuple[Listing, list[Any]]:
    """-> (the listing, the place of each of its pictures). read: a member's place -> its bytes, may raise Unreadable.

    Raises DataError for an archive without pictures, or with a label file that cannot be used.
    """
    nested = sum(name.lower().endswith(NESTED) for name in found.others)
    if not found.pictures and not found.refused:
        raise DataError(
            f"holds no picture ({', '.join(sorted(SUFFIXES))})",
            where=path,
            remedy=f"It holds {nested} archives: unpack it once and name one of them." if nested else UNPACK,
        )

    def read_label_file(name: str) -> bytes:
        member = found.others[name]
        if member.fault is not None:
            raise Unreadable(member.fault.code, member.fault.text)
        return read(member.place)

    listing, others = list_pictures(path, found.pictures, found.folders, found.others, read_label_file)
    listing.refused.extend(found.refused)
    if others:
        listing.notes.append(f"{len(others)} entries are no pictures by their name: {count_suffixes(others)}.")
    if nested:
        listing.notes.append(f"{nested} of them are archives; what lies in an archive inside this one is not read.")
    return listing, [found.pictures[name].place for name in listing.names]


def fault_of_name(name: str) -> Fault | None:
    """Why a member of this name is not read. Nothing is ever written by its name, yet such names mean no good."""
    if name.startswith("/") or "\\" in name or ":" in name.split("/")[0] or ".." in name.split("/"):
        return Fault("unsafe-name", "has a name that points outside the archive")
    if len(parts_of(name)) > MAX_DEPTH:
        return Fault("unsafe-name", f"lies more than {MAX_DEPTH} folders deep")
    return None


def fault_of_size(size: int) -> Fault | None:
    """Why a member of so many bytes is not read."""
    if size > MAX_BYTES:
        return Fault("too-large", f"has {size / 2**20:.0f} MiB, more than {MAX_BYTES / 2**20:.0f}")
    return None


def is_bomb(size: int, packed: int) -> bool:
    """Whether `packed` bytes that become `size` are made to fill a memory or a disk."""
    return size > max(FREE_BYTES, MAX_RATIO * packed)


def refuse_bomb(path: Path, size: int, packed: int) -> None:
    """Raise RefusedError when an archive of `packed` bytes unpacks to `size` or more and that is far too much."""
    if is_bomb(size, packed):
        raise RefusedError(
            f"unpacks to more than {size / 2**20:,.0f} MiB from {packed / 2**20:,.3f}, as archive bombs do",
            where=path,
            remedy="If you trust it, unpack it yourself and name the folder.",
        )


def refuse_many(path: Path, count: int) -> None:
    """Raise RefusedError for more entries than an archive may have."""
    if count > MAX_ENTRIES:
        raise RefusedError(f"has more than {MAX_ENTRIES:,} entries", where=path, remedy=UNPACK)

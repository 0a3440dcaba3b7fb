"""One file, or one folder of files, made visible by one rename.

Whoever dies at any moment leaves the old content or the new one, and at worst a `.tmp-*` beside it, which the next
holder of the folder's lock sweeps away. The order is the whole trick: bytes first, then names, then what they replace.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sagan.disk.effects import DISK, Disk
from sagan.disk.faults import disk_errors

TEMPORARY = ".tmp-"  # being written: worth nothing until renamed
TRASH = ".trash-"  # being deleted: a tree disappears under its name by one rename, then file by file
REPLACED = ".replaced-"  # the former holder of a name, in the blink between two renames


def write_atomic(path: Path, payload: bytes, disk: Disk = DISK) -> None:
    """Replace or create `path` with `payload`, all of it or nothing; missing parent folders are made.

    A symbolic link at `path` is replaced, not written through. Raises ResourceError; then `path` is as it was before,
    unless only the last sync of the folder failed.
    """
    with disk_errors(path, needed=len(payload)):
        ensure_folder(path.parent, disk)
        temporary = path.parent / _temporary_name()
        try:
            disk.write(temporary, payload)
            disk.sync_file(temporary)
            disk.rename(temporary, path)
        except BaseException:
            _discard(temporary, disk)
            raise
        disk.sync_folder(path.parent)


def publish_folder(final: Path, files: Mapping[str, bytes], disk: Disk = DISK) -> None:
    """Make the folder `final` appear with these files, all of them or none. Files are written in the order given.

    A folder already of that name is replaced: it steps aside, the new one takes the name, the old one goes. Should the
    process die between the two renames, `sweep` puts the old one back.  Raises ResourceError.
    """
    with disk_errors(final, needed=sum(map(len, files.values()))):
        ensure_folder(final.parent, disk)
        temporary = final.parent / _temporary_name(final.name)
        try:
            disk.make_folder(temporary)
            for name, payload in files.items():
                disk.write(temporary / name, payload)
                disk.sync_file(temporary / name)
            disk.sync_folder(temporary)
            replaced = _take_name(temporary, final, disk)
        except BaseException:
            _discard(temporary, disk)
            raise
        disk.sync_folder(final.parent)
        if replaced is not None:
            _discard(replaced, disk)  # the new one is safe; what is left of the old one is swept at the next start


def _take_name(temporary: Path, final: Path, disk: Disk) -> Path | None:
    """Rename `temporary` to `final`; where a former holder of the name stepped aside to, if there was one."""
    if not final.exists():
        disk.rename(temporary, final)
        return None
    aside = final.parent / f"{REPLACED}{final.name}"
    if aside.exists():  # from a death at this very place whose folder was never swept: `final` is the newer one
        disk.remove(aside)
    disk.rename(final, aside)
    try:
        disk.rename(temporary, final)
    except OSError:
        disk.rename(aside, final)
        raise
    return aside


def ensure_folder(path: Path, disk: Disk = DISK) -> None:
    """Create `path` and its missing parents, each name synced, so that what is put inside cannot be lost with it."""
    with disk_errors(path):
        missing = []
        while not path.is_dir():
            missing.append(path)
            path = path.parent
        for folder in reversed(missing):
            try:
                disk.make_folder(folder)
            except FileExistsError:
                if not folder.is_dir():
                    raise
            disk.sync_folder(folder.parent)


def probe(folder: Path, disk: Disk = DISK) -> None:
    """Find out whether `folder` can be written to, before anything is done that would be in vain. Raises ResourceError.

    Only for the holder of the folder's lock, since it leaves a file to `sweep` when it dies.
    """
    temporary = folder / _temporary_name("probe")
    with disk_errors(folder):
        try:
            disk.write(temporary, b"?")  # not empty: a full disk still takes names
        finally:
            _discard(temporary, disk)


@contextmanager
def scratch(folder: Path, disk: Disk = DISK) -> Iterator[Path]:
    """A folder inside `folder`, which is made where missing, that is gone afterwards: for packages that write by themselves.

    What they wrote is read back and published by `write_atomic`. Raises ResourceError.
    """
    with disk_errors(folder):
        ensure_folder(folder, disk)
        temporary = folder / _temporary_name("scratch")
        try:
            disk.make_folder(temporary)
            yield temporary
        finally:
            _discard(temporary, disk)


def sweep(folder: Path, disk: Disk = DISK) -> list[str]:
    """Remove what dead writers left directly in `folder`, and put back what they had moved aside; the names handled.

    Only for the holder of the folder's lock: a living writer's temporary looks the same.  Raises ResourceError.
    """
    handled = []
    with disk_errors(folder):
        names = sorted(os.listdir(folder)) if folder.is_dir() else []
        for name in names:
            if name.startswith((TEMPORARY, TRASH)):
                disk.remove(folder / name)
            elif name.startswith(REPLACED):
                _settle(folder / name, folder / name.removeprefix(REPLACED), disk)
            else:
                continue
            handled.append(name)
    return handled


def _settle(aside: Path, final: Path, disk: Disk) -> None:
    """Finish a replacement that died half-way: a new holder of the name wins, else the old one gets it back."""
    if final.exists():
        disk.remove(aside)
    else:
        disk.rename(aside, final)
        disk.sync_folder(final.parent)


def _temporary_name(label: str = "file") -> str:
    """'.tmp-step-00012000-4711-9f86d081'; short, since `label` may be as long as a name can be."""
    return f"{TEMPORARY}{label[:64]}-{os.getpid()}-{secrets.token_hex(4)}"


def _discard(path: Path, disk: Disk) -> None:
    """Remove as well as may be: whoever calls has an error of its own to tell, or nothing left to lose."""
    try:
        disk.remove(path)
    except OSError:
        pass  # the name says what it is, and the next sweep removes it

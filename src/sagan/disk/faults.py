"""The system's errors said as ours: what went wrong, where, and what to do about it."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sagan.errors import ResourceError

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_FORBIDDEN = {errno.EACCES, errno.EPERM}


@contextmanager
def disk_errors(path: Path, *, needed: int = 0) -> Iterator[None]:
    """Turn any OSError inside the block into a ResourceError about `path`. needed: bytes that were to be written."""
    try:
        yield
    except OSError as error:
        raise resource_error(error, path, needed=needed) from error


def need_writable(folder: Path) -> None:
    """Refuse a folder, there already or not, that can certainly not be written to. Changes nothing, and takes no time.

    Raises ResourceError. Only writing tells for sure that it can: `probe` does.
    """
    there = next((place for place in (folder.absolute(), *folder.absolute().parents) if place.is_dir()), None)
    if there is not None and not os.access(there, os.W_OK | os.X_OK):
        read_only = os.name == "posix" and os.statvfs(there).f_flag & os.ST_RDONLY
        number = errno.EROFS if read_only else errno.EACCES
        raise resource_error(OSError(number, os.strerror(number)), folder)


def resource_error(error: OSError, path: Path, *, needed: int = 0) -> ResourceError:
    """The ResourceError that says `error` about `path`. needed: bytes that were to be written, when known."""
    if error.errno in _FULL:
        return ResourceError(
            f"the disk is full: {_size(needed)} needed, {_free(path)} free",
            where=path,
            remedy="Free some space or choose a folder on another disk, then run the same command again.",
        )
    if error.errno == errno.EFBIG:
        return ResourceError(
            "a file may not become that large here (EFBIG)",
            where=path,
            remedy="Raise the limit on the size of files (ulimit -f), or choose a folder on another disk.",
        )
    if error.errno == errno.EROFS:
        return ResourceError(
            "the file system is read-only", where=path, remedy="Choose a folder that can be written to."
        )
    if error.errno in _FORBIDDEN:
        return ResourceError(
            "permission denied", where=path, remedy="Check who owns the folder and its mode, or choose another one."
        )
    if error.errno in (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ENAMETOOLONG, errno.ELOOP):
        return ResourceError(_reason(error), where=path, remedy="Choose another name.")
    return ResourceError(
        f"the disk failed: {_reason(error)}",
        where=path,
        remedy="Check the disk, then run the same command again; what was saved before is untouched.",
    )


def _reason(error: OSError) -> str:
    words = (error.strerror or str(error) or type(error).__name__).lower()
    return f"{words} ({errno.errorcode.get(error.errno or 0, 'unknown')})"


def _free(path: Path) -> str:
    for folder in (path, *path.parents):
        try:
            return _size(shutil.disk_usage(folder).free)
        except OSError:  # it does not exist yet: ask the one above
            continue
    return "an unknown amount"


def _size(count: int) -> str:
    """12345678 -> '11.8 MiB'"""
    if count < 1024:
        return f"{count} bytes"
    value = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if value < 1024:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:.1f} TiB"

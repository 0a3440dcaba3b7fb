"""One writer in a folder.

The lock is the kernel's, on `<folder>/.lock`, so it ends with the process, however that ends: no stale locks, no
guessing by process number. What the file says is only for people. Where the system has no such lock, a second file
that exists only while the folder is held takes its place; that one can be left behind, and the message says so.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import weakref
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from sagan.disk.atomic import ensure_folder
from sagan.disk.faults import disk_errors
from sagan.errors import BusyError

fcntl: Any
msvcrt: Any
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
try:
    import msvcrt
except ImportError:  # everywhere else
    msvcrt = None

_LOCK = ".lock"
_HELD = ".lock.held"  # only where the system offers no lock
_OPEN = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_BEYOND = 1 << 30  # Windows locks bytes, and a locked byte cannot be read: lock one beyond every owner's words
_TAKEN = {errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}
_UNSUPPORTED = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL}


class FolderLock:
    """Hold `folder` for writing: `with FolderLock(run): ...`. Makes the folder when it is missing.

    Raises BusyError naming process, host and start time of the owner; ResourceError when the folder cannot be written
    to, which makes taking the lock the earliest test of that.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._descriptor: int | None = None
        self._held_file: Path | None = None

    def __enter__(self) -> FolderLock:
        ensure_folder(self.folder)
        with disk_errors(self.folder):
            self._take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Let the folder go; calling it twice does no harm."""
        if self._held_file is not None:
            self._held_file.unlink(missing_ok=True)
        self._forget()

    def _take(self) -> None:
        assert self._descriptor is None, "a lock object is entered once at a time"
        self._descriptor = os.open(self.folder / _LOCK, _OPEN, 0o666)
        _HOLDERS.add(self)
        try:
            taken = _lock(self._descriptor)
            if taken is None:
                taken = self._create_held_file()
            if not taken:
                raise self._busy()
            os.ftruncate(self._descriptor, 0)
            os.write(self._descriptor, _introduction())
        except BaseException:
            self.release()
            raise

    def _create_held_file(self) -> bool:
        held = self.folder / _HELD
        try:
            os.close(os.open(held, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        except FileExistsError:
            return False
        self._held_file = held
        return True

    def _busy(self) -> BusyError:
        remedy = "Wait for it, stop it, or choose another folder."
        if (self.folder / _HELD).exists():
            remedy += f" If that process is gone, remove {self.folder / _HELD}."
        return BusyError(f"{_owner(self.folder / _LOCK)} is writing here", where=self.folder, remedy=remedy)

    def _forget(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = self._held_file = None
        _HOLDERS.discard(self)


# A forked child (a loader worker) shares the parent's open file, and with it the lock: it would keep the folder held
# after the parent was killed. So children close their copy, which leaves the parent's lock as it is.
_HOLDERS: weakref.WeakSet[FolderLock] = weakref.WeakSet()


def _forget_in_child() -> None:
    for holder in list(_HOLDERS):
        holder._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


def _lock(descriptor: int) -> bool | None:
    """Take the lock without waiting: True when it is ours, False when another's, None where there is no such thing."""
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        elif msvcrt is not None:
            os.lseek(descriptor, _BEYOND, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            return None
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        if error.errno in _UNSUPPORTED:
            return None
        raise
    return True


def _introduction() -> bytes:
    started = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
    return json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "started": started}).encode() + b"\n"


def _owner(path: Path) -> str:
    """'process 4711 on workshop, since 2026-08-21 10:54:00+00:00', as far as the file tells."""
    try:
        facts = json.loads(path.read_bytes()[:4096])
        return f"process {facts['pid']} on {facts['host']}, since {facts['started']},"
    except (OSError, ValueError, KeyError, TypeError):  # being written just now, or not ours: the lock is what counts
        return "another process"

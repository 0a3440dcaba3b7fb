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
import time
import weakref
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from sagan.disk.atomic import ensure_folder
from sagan.disk.effects import DISK, Disk
from sagan.disk.faults import disk_errors
from sagan.errors import BusyError, ResourceError

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
_BEYOND = 1 << 30  # Windows locks bytes, and a locked byte cannot be read: lock one beyond every owner's words
_TAKEN = {errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}
_PATIENCE = 0.5  # seconds for an owner that has just taken the lock to write its words, or for one that dies to be gone
_UNSUPPORTED = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL}


class FolderLock:
    """Hold `folder` for writing: `with FolderLock(run): ...`. Makes the folder when it is missing.

    A folder that was made here, and holds nothing but the lock in the end, goes away again: whoever failed before it
    began leaves nothing behind.

    Raises BusyError naming process, host and start time of the owner; ResourceError when the folder cannot be written
    to, which makes taking the lock the earliest test of that.
    """

    def __init__(self, folder: Path, disk: Disk = DISK) -> None:
        self.folder = Path(folder)
        self._disk = disk
        self._descriptor: int | None = None
        self._held_file: Path | None = None
        self._made_folder = False

    def __enter__(self) -> FolderLock:
        self._made_folder = not self.folder.exists()
        deadline = time.monotonic() + _PATIENCE
        try:
            while not self._take():
                if time.monotonic() > deadline:
                    raise self._busy(_words(self.folder / _LOCK))
                time.sleep(0.01)
        except ResourceError:
            if self._made_folder:
                with suppress(OSError):
                    self._disk.remove_empty(self.folder)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Let the folder go; calling it twice does no harm."""
        if self._descriptor is None:
            return
        # POSIX: while the lock is held, or the lock of another that came in between would go. Windows cannot delete an
        # open file, and for the same reason keeps that of another.
        if os.name == "posix":
            self._remove_if_unused()
        self._write_words(b"")  # so that nobody takes them for those of the next owner
        self._let_go()
        if os.name != "posix":
            self._remove_if_unused()

    def _let_go(self) -> None:
        if self._held_file is not None:
            with suppress(OSError):  # the message that turns others away says what to do about it
                self._disk.remove(self._held_file)
        self._forget()

    def _take(self) -> bool:
        """Take the lock; False when another holds it, or took file or folder away meanwhile."""
        assert self._descriptor is None, "a lock object is entered once at a time"
        ensure_folder(self.folder, self._disk)
        with disk_errors(self.folder):
            try:
                self._descriptor = self._disk.open_lock(self.folder / _LOCK)
            except FileNotFoundError:  # the folder is gone by now
                return False
            _HOLDERS.add(self)
            try:
                taken = _lock(self._descriptor)
                if taken is None:
                    taken = self._create_held_file()
                if not taken or not self._is_in_place():
                    self._let_go()
                    return False
                self._write_words(_introduction())
            except BaseException:
                self._let_go()
                raise
        return True

    def _write_words(self, words: bytes) -> None:
        """They are for people: a full disk may need its owner to clear it."""
        assert self._descriptor is not None
        with suppress(OSError):
            self._disk.rewrite(self._descriptor, words)

    def _is_in_place(self) -> bool:
        """Whether the file we locked is still the one of that name."""
        assert self._descriptor is not None
        try:
            return os.path.samestat(os.fstat(self._descriptor), os.stat(self.folder / _LOCK))
        except FileNotFoundError:
            return False

    def _create_held_file(self) -> bool:
        held = self.folder / _HELD
        try:
            self._disk.write(held, b"")
        except FileExistsError:
            return False
        self._held_file = held
        return True

    def _remove_if_unused(self) -> None:
        if not self._made_folder:
            return
        with suppress(OSError):
            if set(os.listdir(self.folder)) <= {_LOCK, _HELD}:
                self._disk.remove(self.folder / _HELD)
                self._disk.remove(self.folder / _LOCK)
                self._disk.remove_empty(self.folder)

    def _busy(self, owner: dict[str, Any] | None) -> BusyError:
        remedy = "Wait for it, stop it, or choose another folder."
        if (self.folder / _HELD).exists():
            remedy += f" If that process is gone, remove {self.folder / _HELD}."
        who = "another process" if owner is None else "process {pid} on {host}, since {started},".format_map(owner)
        return BusyError(f"{who} is writing here", where=self.folder, remedy=remedy)

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


def _words(path: Path) -> dict[str, Any] | None:
    """What an owner wrote about itself; None while it is being written, or when it is not ours."""
    try:
        facts = json.loads(path.read_bytes()[:4096])
        return {name: facts[name] for name in ("pid", "host", "started")}
    except (OSError, ValueError, KeyError, TypeError):
        return None

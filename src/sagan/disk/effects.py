"""The one seam for effects on the disk: whatever the package makes, writes, renames or deletes goes through it.

A test of the architecture refuses any other way. TensorBoard's events are the one exception: that package writes them.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

# O_EXCL and O_NOFOLLOW: a file is always ours from its first byte; nobody's link is ever written through.
_PLAIN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _PLAIN
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | _PLAIN
_LOCK = os.O_RDWR | os.O_CREAT | _PLAIN
_CAN_SYNC_FOLDERS = os.name == "posix"  # Windows cannot open a folder; there the rename itself is journalled


class Disk:
    """Every effect, each one system call in spirit. They raise OSError; the functions above them say it in our words.

    A test replaces this class to fail, to half-write or to record any of them. A checkpoint needs the first six.
    """

    def make_folder(self, path: Path) -> None:
        """Create one folder, whose parent exists. FileExistsError when the name is taken."""
        path.mkdir()

    def write(self, path: Path, payload: bytes) -> None:
        """Create a new file with these bytes and the mode that the umask allows. FileExistsError when it is there."""
        descriptor = os.open(path, _CREATE, 0o666)
        try:
            rest = memoryview(payload)
            while rest:  # a short write is legal, and usual just before a disk is full
                rest = rest[os.write(descriptor, rest) :]
        finally:
            os.close(descriptor)

    def sync_file(self, path: Path) -> None:
        """Return once the file's bytes are on the medium.

        Never call it again after it failed: the kernel marks the lost pages clean, so a second call would succeed
        without the data ("Can Applications Recover from fsync Failures?", ATC'20). Write a new file instead.
        """
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))  # Windows refuses to sync a read-only one
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def sync_folder(self, path: Path) -> None:
        """Return once the folder's names are on the medium; does nothing where folders cannot be synced."""
        if not _CAN_SYNC_FOLDERS:
            return
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Give a file or folder another name in one step; a file there is replaced, a folder with content is not."""
        os.replace(source, target)

    def remove(self, path: Path) -> None:
        """Remove a file, a link or a whole tree; a missing one is no error."""
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def remove_empty(self, path: Path) -> None:
        """Remove a folder with nothing in it. OSError when it holds something by now, which then stays."""
        path.rmdir()

    def append(self, path: Path, payload: bytes) -> None:
        """Add these bytes to the end of a file in one write, creating it when missing. A short write is a full disk."""
        descriptor = os.open(path, _APPEND, 0o666)
        try:
            if os.write(descriptor, payload) < len(payload):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        finally:
            os.close(descriptor)

    def open_lock(self, path: Path) -> int:
        """A descriptor of a file to hold a lock on, created when missing, as it is otherwise; the caller closes it."""
        return os.open(path, _LOCK, 0o666)

    def rewrite(self, descriptor: int, payload: bytes) -> None:
        """Replace the content of an open file, small and worth nothing in itself: the words in a lock."""
        os.ftruncate(descriptor, 0)
        os.write(descriptor, payload)


DISK = Disk()

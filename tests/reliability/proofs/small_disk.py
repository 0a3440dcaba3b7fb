"""A real disk of a chosen size: a tmpfs in a mount namespace of its own, as `unshare -rm` and `mount` make it.

It belongs to the process that asks for it and is gone with it. Only for a process without threads, such as a child of
`processes.start`.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

NEW_MOUNTS, NEW_USERS = 0x00020000, 0x10000000  # CLONE_NEWNS, CLONE_NEWUSER of Linux
REMOUNT, RECURSIVE, PRIVATE = 0x20, 0x4000, 0x40000  # MS_REMOUNT, MS_REC, MS_PRIVATE


def missing() -> str | None:
    """Why this machine cannot make one; None when it can."""
    if shutil.which("unshare") is None:
        return "no unshare on this machine"
    with tempfile.TemporaryDirectory() as at:
        made = subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", at], capture_output=True, text=True)
    return None if made.returncode == 0 else f"unshare -rm and mount are not permitted: {made.stderr.strip()}"


class SmallDisk:
    """A tmpfs at `at`, large until it is resized."""

    def __init__(self, at: Path) -> None:
        self.at = at
        self._libc = ctypes.CDLL(None, use_errno=True)
        user, group = os.getuid(), os.getgid()
        self._check(self._libc.unshare(NEW_USERS | NEW_MOUNTS))
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
        self._mount("/", None, RECURSIVE | PRIVATE)
        at.mkdir(parents=True, exist_ok=True)
        self._mount(str(at), "size=64m", 0)

    def leave(self, size: int) -> None:
        """Make it so large that `size` bytes are free, in whole pages."""
        facts = os.statvfs(self.at)
        used = (facts.f_blocks - facts.f_bfree) * facts.f_frsize
        self._mount(str(self.at), f"size={used + size}", REMOUNT)

    def leave_names(self, count: int) -> None:
        """Let only so many more files and folders be made."""
        facts = os.statvfs(self.at)
        self._mount(str(self.at), f"size=64m,nr_inodes={facts.f_files - facts.f_ffree + count}", REMOUNT)

    def make_large(self) -> None:
        """Enough of everything again."""
        self._mount(str(self.at), "size=64m,nr_inodes=100000", REMOUNT)

    def _mount(self, at: str, options: str | None, flags: int) -> None:
        words = None if options is None else options.encode()
        self._check(self._libc.mount(b"none", at.encode(), b"tmpfs", ctypes.c_ulong(flags), words))

    def _check(self, code: int) -> None:
        if code != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

"""The disk: every effect on it, in an order that a crash cannot turn into a loss.

effects   the one seam (class Disk) through which files change, so that tests can fail any call
faults    the system's errors said as ours: what, where, remedy
reading   whole files read under a limit, never mapped
atomic    one file, or one folder of files, made visible by one rename
lock      one writer in a folder; the kernel frees it on death
log       append-only lines, cut when a run goes back
"""

from __future__ import annotations

from sagan.disk.atomic import ensure_folder, probe, publish_folder, scratch, sweep, write_atomic
from sagan.disk.effects import DISK, Disk
from sagan.disk.faults import disk_errors, need_writable
from sagan.disk.lock import FolderLock
from sagan.disk.log import append_line, cut_log
from sagan.disk.reading import UnfitFile, read_whole

__all__ = [
    "DISK",
    "Disk",
    "FolderLock",
    "UnfitFile",
    "append_line",
    "cut_log",
    "disk_errors",
    "ensure_folder",
    "need_writable",
    "probe",
    "publish_folder",
    "read_whole",
    "scratch",
    "sweep",
    "write_atomic",
]

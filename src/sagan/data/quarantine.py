"""`--on-bad quarantine`: the files that cannot be read are moved out of a folder of pictures, into one beside it.

    photos/cats/17.png  ->  photos-quarantine/cats/17.png

Moved means renamed: nothing is deleted, copied or overwritten, and the usable pictures, and so the fingerprint of the set,
stay as they are. What the folder `photos-quarantine` holds, and why, is told by the `report.jsonl` in it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from sagan.data.faults import Skipped
from sagan.data.report import report_lines
from sagan.disk import DISK, Disk, disk_errors, ensure_folder, write_atomic
from sagan.errors import ResourceError

REPORT = "report.jsonl"
ENDING = "-quarantine"


def move_away(root: Path, skipped: Sequence[Skipped], disk: Disk = DISK) -> tuple[dict[str, str], list[str]]:
    """Move the pictures of the folder `root` that cannot be used. -> (name -> its name in the quarantine, notes).

    What cannot be moved is left where it is and out of the set: folders, what is reached through a link to elsewhere, and
    everything when the disk does not allow it. None of that is an error. Nor are files moved that could not be looked at
    at all: a permission or a disk that hiccups says nothing about the picture.
    """
    root = root.resolve()
    shelter = root.with_name(root.name + ENDING)
    plan = _plan(root, shelter, [entry.where for entry in skipped if entry.reason_code != "unreadable"])
    if not plan:
        return {}, []
    moved: dict[str, str] = {}
    try:
        with disk_errors(shelter):
            former = _former_report(shelter)
        # Told before it is done: a death in between leaves names in the report that are still in their old place.
        write_atomic(shelter / REPORT, _joined(former, skipped, plan), disk)
        refusal = _move(root, shelter, plan, moved, disk)
        write_atomic(shelter / REPORT, _joined(former, skipped, moved), disk)
    except ResourceError as error:
        refusal = error.what
    notes = [f"{len(moved):,} pictures that cannot be used were moved to {shelter}."] if moved else []
    if refusal:
        notes.append(
            f"{len(plan) - len(moved):,} pictures cannot be moved ({refusal}): they are left out where they are."
        )
    return moved, notes


def _plan(root: Path, shelter: Path, names: Sequence[str]) -> dict[str, str]:
    """Name -> a free name in the quarantine folder, for every file of the folder itself."""
    plan: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(names):
        path = root / name
        if not os.path.lexists(path) or (path.is_dir() and not path.is_symlink()):
            continue
        if not path.parent.resolve().is_relative_to(root):
            continue  # behind a link: that folder was not given to us
        plan[name] = _free_name(shelter, name, taken)
        taken.add(plan[name])
    return plan


def _free_name(shelter: Path, name: str, taken: set[str]) -> str:
    """`name`, or 'cats/17 (2).png' where that was used by an earlier picture of the same name."""
    whole, free, number = PurePosixPath(name), name, 1
    while free in taken or os.path.lexists(shelter / free):
        number += 1
        free = str(whole.with_name(f"{whole.stem} ({number}){whole.suffix}"))
    return free


def _move(root: Path, shelter: Path, plan: dict[str, str], moved: dict[str, str], disk: Disk) -> str:
    """Rename one by one into `moved`; why the first one that could not be moved could not, or ''."""
    refusal = ""
    for name, free in plan.items():
        try:
            ensure_folder((shelter / free).parent, disk)
            disk.rename(root / name, shelter / free)
        except FileNotFoundError:  # someone else took it away
            continue
        except (OSError, ResourceError) as error:
            refusal = refusal or (error.what if isinstance(error, ResourceError) else (error.strerror or "").lower())
            continue
        moved[name] = free
    # New names first: a power cut may then leave a picture under both names, and never under none.
    for folders in ({(shelter / free).parent for free in moved.values()}, {(root / name).parent for name in moved}):
        for folder in sorted(folders):
            with disk_errors(folder):
                disk.sync_folder(folder)
    return refusal


def _joined(former: bytes, skipped: Sequence[Skipped], moved: dict[str, str]) -> bytes:
    """The report with these moves added; what it told before a death is not told twice."""
    lines = report_lines([entry for entry in skipped if entry.where in moved], "quarantine", moved)
    return b"".join(dict.fromkeys(former.splitlines(keepends=True) + lines.splitlines(keepends=True)))


def _former_report(shelter: Path) -> bytes:
    path = shelter / REPORT
    return path.read_bytes() if path.is_file() else b""

"""Append-only logs, one JSON object a line."""

from __future__ import annotations

import json
import os
from pathlib import Path

from sagan.disk.atomic import write_atomic
from sagan.disk.effects import DISK, Disk
from sagan.disk.faults import disk_errors


def append_line(path: Path, text: str, disk: Disk = DISK) -> None:
    """Append one line; `text` holds no line break.  Raises ResourceError, which whoever writes a log only tells.

    One write, no sync. A line torn by an earlier death or a full disk is ended first, so that it spoils only itself.
    """
    assert "\n" not in text and "\r" not in text, "one call, one line"
    line = text.encode("utf-8", "backslashreplace") + b"\n"
    with disk_errors(path, needed=len(line)):
        disk.append(path, b"\n" + line if _ends_torn(path) else line)


def _ends_torn(path: Path) -> bool:
    if not path.is_file():  # missing, or something like /dev/full
        return False
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def cut_log(path: Path, last_step: int, disk: Disk = DISK) -> int:
    """Drop the lines after `last_step`, so that a resumed run does not tell those steps twice; how many were dropped.

    Kept: lines whose "step" is at most `last_step`, and lines without one. Dropped: later steps, and lines that are no
    JSON object (torn ones). What is dropped is appended to `<name>.cut` first; a death in between leaves lines in both.
    Raises ResourceError.
    """
    with disk_errors(path):
        if not path.is_file():
            return 0
        lines = path.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if _belongs(line, last_step)]
        if len(kept) == len(lines):
            return 0
        aside = path.with_name(f"{path.name}.cut")
        former = aside.read_bytes() if aside.exists() else b""
    cut = [line.rstrip(b"\r\n") + b"\n" for line in lines if not _belongs(line, last_step)]
    write_atomic(aside, former + b"".join(cut), disk)
    write_atomic(path, b"".join(kept), disk)
    return len(cut)


def _belongs(line: bytes, last_step: int) -> bool:
    try:
        facts = json.loads(line) if line.endswith(b"\n") else None  # without its end it was never finished
    except (ValueError, RecursionError):
        return False
    if not isinstance(facts, dict):
        return False
    step = facts.get("step", last_step)
    return isinstance(step, int | float) and step <= last_step

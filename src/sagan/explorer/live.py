"""What a run tells while it trains, read from its folder: the log, the grids, the verdict."""

from __future__ import annotations

import math
from typing import Any

from sagan.checkpoint.folder import steps
from sagan.disk import UnfitFile, disk_errors, read_whole
from sagan.errors import CheckpointMissing
from sagan.training.reporting import read_log
from sagan.workflows.reporting import latest_values, verdict
from sagan.workflows.run_folder import RunFolder

MOST_ROWS = 400
MAX_GRID_BYTES = 32 << 20
PREFIX = "step-"


def run_facts(folder: RunFolder) -> dict[str, Any]:
    """The verdict, the log as columns (None where a line has no such number), and the steps of grids and checkpoints."""
    with disk_errors(folder.path):
        rows = [_finite(row) for row in read_log(folder.log, most=MOST_ROWS)]
        last = latest_values(rows)
        names = sorted(name for name in last if name not in ("step", "images", "seconds"))
        return {
            "verdict": verdict(folder, last),
            "step": int(last.get("step", 0)),
            "images": int(last.get("images", 0)),
            "seconds": float(last.get("seconds", 0.0)),
            "steps": [int(row["step"]) for row in rows],
            "columns": {name: [row.get(name) for row in rows] for name in names},
            "grids": grid_steps(folder),
            "checkpoints": steps(folder.path),
        }


def _finite(row: dict[str, float]) -> dict[str, float]:
    """Without NaN and infinity, for which JSON has no word and which another program may have logged."""
    return {name: value for name, value in row.items() if math.isfinite(value)}


def grid_steps(folder: RunFolder) -> list[int]:
    """Steps that have a grid, oldest first."""
    words = [path.stem.removeprefix(PREFIX) for path in folder.grids()]
    return sorted(int(word) for word in words if word.isdecimal())


def grid_file(folder: RunFolder, step: int) -> bytes:
    """The PNG file of a grid. Raises CheckpointMissing for a step that has none."""
    if step in grid_steps(folder):
        path = folder.grid(step)
        with disk_errors(path):
            try:
                payload = read_whole(path, max_bytes=MAX_GRID_BYTES, follow=False)
            except (FileNotFoundError, UnfitFile):
                payload = b""
        if payload.startswith(b"\x89PNG\r\n\x1a\n"):
            return payload
    raise CheckpointMissing("there is no such grid, or no longer", remedy="Choose another.")

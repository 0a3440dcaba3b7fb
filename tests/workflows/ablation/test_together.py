"""Processes side by side under signals: they save, they end, and nobody is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sagan.checkpoint.folder import newest
from sagan.checkpoint.manifest import MANIFEST

CELLS = ("spectral-both-seed0", "spectral-d-seed0")
WORDS = (
    "--rows spectral --seeds 1 --jobs 2 --threads 1 --steps 100000 --resolution 16 --g-ch 8 --d-ch 8 --batch-size 4"
    " --sample-every 0 --save-every 0 --log-every 1 --device cpu"
)


def until(condition, seconds=600):  # a crowded machine needs a minute to import torch three times
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def owner(cell: Path) -> int | None:
    """The process that holds a cell's lock, by what it wrote there."""
    try:
        return int(json.loads((cell / ".lock").read_text())["pid"])
    except (OSError, ValueError, KeyError):
        return None


def lives(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_cells_save_and_end_with_the_process_that_started_them(photos, tmp_path, number, code):
    words = [sys.executable, "-m", "sagan", "ablate", str(photos), *WORDS.split(), "--out", "a"]
    program = subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    cells = [tmp_path / "a" / "cells" / name for name in CELLS]
    try:
        until(lambda: program.poll() is not None or all((cell / "log.jsonl").exists() for cell in cells))
    except AssertionError:
        program.terminate()
        raise
    pids = [pid for cell in cells if (pid := owner(cell))]
    assert len(set(pids)) == 2 and program.pid not in pids
    program.send_signal(number)
    told = program.communicate(timeout=600)[1]
    assert program.returncode == code
    until(lambda: not any(lives(pid) for pid in pids))
    for cell in cells:
        checkpoint, warnings = newest(cell)
        assert warnings == [] and (checkpoint / MANIFEST).exists() and int(checkpoint.name.split("-")[1]) > 0
    assert not (cells[0] / "cell.json").exists() and not (tmp_path / "a" / "cells" / "spectral-none-seed0").exists()
    if number == signal.SIGTERM:
        assert "stopped; every cell was saved. The same command goes on." in told
